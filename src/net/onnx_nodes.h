/* Inside of the ONNX writer: the nodes of a net's layers.  onnx.c writes the rest of the file. */
#ifndef NET_ONNX_NODES_H
#define NET_ONNX_NODES_H

#include "net/wire.h"
#include "net/net.h"

#define META_MAX (4u << 20) /* of everything but weights */

/* Appends every node, as fields of a GraphProto. */
void onnx_nodes(struct text *graph, const struct net *net);
/* 13, or what the net's layers need. */
int onnx_opset(const struct net *net);

/* Gemm wants matrices; a layer on more dimensions is a MatMul, whose weight lies [in, out]. */
static inline bool onnx_is_matmul(const struct net_layer *l)
{
    return l->op == NET_FC && l->shape.rank > 1;
}

#endif
