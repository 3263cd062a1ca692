/* Inside of the quantiser: the graph as quantize.c reads it and quantize_write.c rewrites it. */
#ifndef NET_QUANTIZE_GRAPH_H
#define NET_QUANTIZE_GRAPH_H

#include "net/onnx.h"
#include "net/quantize.h"

#define QUANTIZE_MAX_FILE   0x7fffffffu /* protobuf's parsers stop at 2 GB */
#define QUANTIZE_AXIS_OPSET 13          /* DequantizeLinear takes a scale for each channel */

enum quantize_kind {
    QUANTIZE_KEPT,  /* stays as it is, and its output too */
    QUANTIZE_MULS,  /* weights as input 1, perhaps a bias as input 2 */
    QUANTIZE_ADDS,  /* two activations */
    QUANTIZE_POOLS, /* one activation */
    QUANTIZE_MOVES, /* one activation, whose values it only moves: quantised when its input is */
    QUANTIZE_CLIPS  /* part of the node in front of it */
};

struct quantize_value {
    const char *name;
    int initializer;     /* -1: none */
    int readers, reader; /* how many nodes read it, and the last of them */
    bool input, output;  /* of the model */
    bool constant;       /* a Constant node's */
    bool convolved;      /* a convolution or pool lies behind it */
    bool float_readers;  /* an initialiser that is still needed as it is */
    int seen;            /* place among the tensors whose ranges are wanted; -1: none */
    bool quantized;
    bool float_source; /* of one that is quantised: what makes it gives float32 anyhow */
    struct spread_levels levels;
};

struct quantize_node {
    enum quantize_kind kind;
    int out;  /* the tensor behind it and its Relu or Clip */
    int axis; /* QUANTIZE_MULS: of the weights' output channels */
    bool quantized;
    int in[3]; /* tensors; -1: none */
};

struct quantizer {
    const unsigned char *data;
    size_t len;
    const char *name;
    struct onnx_model m;
    struct quantize_value *tensors; /* sorted by name */
    size_t tensor_count;
    struct quantize_node *nodes;
    struct quantize_tensor *wanted;
    size_t wanted_count;
    bool sub_graphs;
};

/* -1: none of that name. */
int quantize_find(const struct quantizer *q, const char *name);
enum quantize_kind quantize_kind_of(const struct onnx_node *n);
/* NULL: the tensor is none. */
const struct onnx_value *quantize_initializer(const struct quantizer *q, int tensor);
uint64_t quantize_count(const struct onnx_value *v); /* of elements; at most QUANTIZE_MAX_FILE */
float quantize_number(const struct quantizer *q, const struct onnx_value *v, size_t i);

#endif
