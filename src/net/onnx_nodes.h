/* Inside of the ONNX writer: the nodes of a net's layers.  onnx.c writes the rest of the file. */
#ifndef NET_ONNX_NODES_H
#define NET_ONNX_NODES_H

#include "net/wire.h"
#include "net/net.h"

#define META_MAX (4u << 20) /* of everything but weights */

enum onnx_elem { ONNX_FLOAT = 1, ONNX_INT64 = 7, ONNX_HALF = 10 };

/* Appends every node, as fields of a GraphProto.  half: weights and layers are float16, but for
 * those of onnx_in_half; inputs and outputs are what they are. */
void onnx_nodes(struct text *graph, const struct net *net, bool half);
/* 13, or what the net's layers need. */
int onnx_opset(const struct net *net);

/* What is computed in float16 in a file that is: all but layers where its 11 bits are too few or
 * its largest number, 65504, too small.  Inputs come as they come, and are centred as such.
 * Probabilities and what is chosen by them would have equal ones where float32 has none.  Mean and
 * deviation of a volume are sums of millions.  (LayerNormalization and attention's Softmax sum up
 * in float32 inside, whatever they are given.) */
static inline bool onnx_in_half(const struct net_layer *l)
{
    switch (l->op) {
    case NET_INPUT:
    case NET_STANDARDISE:
    case NET_SOFTMAX:
    case NET_ARGMAX:
    case NET_SIGMOID:
    case NET_INSTANCENORM:
        return false;
    default:
        return true;
    }
}

/* Gemm wants matrices; a layer on more dimensions is a MatMul, whose weight lies [in, out]. */
static inline bool onnx_is_matmul(const struct net_layer *l)
{
    return l->op == NET_FC && l->shape.rank > 1;
}

#endif
