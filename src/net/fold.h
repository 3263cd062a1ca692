/* What of a layer's weights stands in a file: once, for every writer, so that engines which read
 * different formats are given the same numbers.  Batch norms are folded into their convolutions.
 */
#ifndef NET_FOLD_H
#define NET_FOLD_H

#include "net/weights.h"

/* A batch norm is written as part of its convolution, so each needs one of its own: what a writer
 * asks before it begins. */
int net_fold_check(const struct net *net, struct assay_err *err);

/* One constant of a layer, in the state dict's order of dimensions. */
struct net_constant {
    const char *suffix; /* the layer's name, "." and this is its name */
    uint32_t rank;
    int64_t dims[NET_RANK];
    size_t count;
};

/* How many there are; a batch norm has none of its own, nor has a layer that uses another's. */
int net_constants(const struct net *net, int layer);
/* The layer has a bias, or its convolution a folded one. */
bool net_has_bias(const struct net *net, int layer);
/* The k-th of a layer: "weight", "bias"; STANDARDISE and LSTM have others.  A table with a blank
 * has a row of zeros more than its tensor. */
struct net_constant net_constant_of(const struct net *net, int layer, int k);
/* Its numbers, which the caller frees; NULL with err filled when memory is short. */
float *net_constant_values(const struct net *net, const struct net_weights *w, int layer, int k,
                           struct assay_err *err);

/* An LSTM's rows lie in four blocks: gates for input, forgetting and output around the new value,
 * in the order i f g o.  Here block k of the result is block order[k]. */
bool net_order_gates(const struct net_constant *c, const int order[4], float **values);

/* Output and input channels, which come first, last: O I H W to H W I O; a matrix is one of 1 x 1.
 * Replaces *values; false when memory is short. */
bool net_channels_last(const struct net_constant *c, float **values);

#endif
