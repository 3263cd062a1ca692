/* ONNX: the writer of nets, and a small strict reader of what any ONNX file contains. */
#ifndef NET_ONNX_H
#define NET_ONNX_H

#include "net/weights.h"

/* Opset 13 (17 with layer norm), batch norm folded, weights as raw_data, free dimensions symbolic,
 * metadata assay.synthetic (only of synthetic weights), assay.net, assay.seed or
 * assay.weights_sha256.  The file appears whole.  Beyond 2 GB (protobuf's limit) the weights lie in
 * PATH.data beside it, which is whole before that. */
#define ONNX_DATA ".data"
int onnx_write(const struct net *net, const struct net_weights *w, uint64_t seed, const char *path,
               struct assay_err *err);
/* The same with another limit, in bytes, for tests. */
int onnx_write_within(const struct net *net, const struct net_weights *w, uint64_t seed,
                      const char *path, uint64_t limit, struct assay_err *err);

/* The same in fp16: weights are FLOAT16, rounded to the nearest; inputs and outputs stay what they
 * are, with a Cast behind and in front of them, and so does what float16 is too coarse or too small
 * for (onnx_nodes.h).  A weight beyond 65504 is an error. */
int onnx_write_half(const struct net *net, const struct net_weights *w, uint64_t seed,
                    const char *path, struct assay_err *err);

/* The same in int8 (quantize.h), with ranges from a pass over made-up inputs: of image classifiers
 * and of BERT.  Writes the fp32 file beside it first, and removes that. */
int onnx_write_int8(const struct net *net, const struct net_weights *w, uint64_t seed,
                    const char *path, struct assay_err *err);

#define ONNX_MAX_RANK 16

/* An input, an output or an initialiser. */
struct onnx_value {
    char *name;
    int64_t elem_type; /* ONNX's number: 1 float32, 7 int64 … */
    uint32_t rank;
    int64_t dims[ONNX_MAX_RANK]; /* -1: free */
    uint64_t bytes;              /* initialisers: raw_data, 0 when kept otherwise */
    size_t data_at, data_bytes;  /* where in the file raw_data, else packed float_data, lies */
    bool external;               /* the numbers lie in another file */
    char *location;              /* which, beside this one; NULL: not said */
};

struct onnx_node {
    char *name, *op, *domain;
    uint32_t inputs, outputs, attributes;
    char **input, **output; /* names; "" stands for one that is left out */
    size_t at, bytes;       /* where in the file its message lies */
};

struct onnx_pair {
    char *key, *value;
};

/* Names that the file does not give are NULL. */
struct onnx_model {
    int64_t ir_version, opset; /* of the default domain */
    char *producer, *graph_name;
    struct onnx_node *nodes;
    struct onnx_value *initializers, *inputs, *outputs;
    struct onnx_pair *metadata;
    size_t node_count, initializer_count, input_count, output_count, metadata_count;
};

/* Reads the structure, not the numbers: places in the file say where those are.  Strict: what is
 * cut off, malformed or beyond the limits is an error that names `name` and the place.  The caller
 * releases m, also after an error. */
int onnx_read(const void *data, size_t len, const char *name, struct onnx_model *m,
              struct assay_err *err);
int onnx_read_file(const char *path, struct onnx_model *m, struct assay_err *err);
void onnx_release(struct onnx_model *m);
/* enum assay_dtype of an elem_type; ASSAY_NONE: we have no such type. */
int32_t onnx_dtype(int64_t elem_type);

#endif
