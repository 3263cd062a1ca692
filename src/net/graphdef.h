/* GraphDef: the writer of fp32 nets for TensorFlow. */
#ifndef NET_GRAPHDEF_H
#define NET_GRAPHDEF_H

#include "net/weights.h"

/* A frozen graph: weights are constants, batch norm folded, the numbers of onnx_write.  Inputs and
 * outputs are what the net's are (channels first) and turned to channels last inside; tensors at
 * the border have the net's names, where "NAME" and "NAME:0" are the same.  The inputs' nodes carry
 * _assay_synthetic (only of synthetic weights), _assay_net, and _assay_seed or
 * _assay_weights_sha256.  The file appears whole; more than 2 GB is refused (protobuf's limit). */
int graphdef_write(const struct net *net, const struct net_weights *w, uint64_t seed,
                   const char *path, struct assay_err *err);

#endif
