/* TorchScript: the writer of fp32 nets. */
#ifndef NET_TORCHSCRIPT_H
#define NET_TORCHSCRIPT_H

#include "net/weights.h"

/* What libtorch's torch::jit::load reads.  Batch norm folded, the same numbers as in the other
 * formats; forward takes the inputs and returns a tuple of the outputs, in the net's order.  The
 * member extra/assay.txt holds what TorchScript has no place for: names and shapes.  The file
 * appears whole. */
int torchscript_write(const struct net *net, const struct net_weights *w, uint64_t seed,
                      const char *path, struct assay_err *err);

#endif
