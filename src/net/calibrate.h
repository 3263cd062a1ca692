/* The forward pass that sets batch-norm statistics and the classifier; see calibrate.c. */
#ifndef NET_CALIBRATE_H
#define NET_CALIBRATE_H

#include "net/weights.h"

/* Runs made-up images (from the seed) through the net, layer by layer, and replaces in w: running
 * means and variances by those seen, the fully connected weights and bias so that logits have mean
 * 0 and a useful spread over the images.  The same bits everywhere. */
int net_calibrate(const struct net *net, struct net_weights *w, uint64_t seed,
                  struct assay_err *err);

/* One convolution of n images, for tests: in is c x n x h x w (channel first, so that one row of
 * columns spans all images), out likewise. */
int net_conv(const struct net_layer *l, const float *weight, const float *in,
             struct net_shape in_shape, int n, float *out, struct net_shape out_shape);

#endif
