/* Batch norms folded into their convolutions: once, for every writer, so that engines which read
 * different formats are given the same numbers. */
#ifndef NET_FOLD_H
#define NET_FOLD_H

#include "net/weights.h"

/* A batch norm is written as part of its convolution, so each needs one, and a convolution needs a
 * batch norm for its bias: what a writer asks before it begins. */
int net_fold_check(const struct net *net, struct assay_err *err);

/* Convolution `conv` with its batch norm: its weights in the state dict's order, and a bias for
 * each channel. */
void net_fold(const struct net *net, const struct net_weights *w, int conv, float *weight,
              float *bias);

#endif
