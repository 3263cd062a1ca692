/* The forward pass that sets batch-norm statistics and the classifier, and sees activations; see
 * calibrate.c. */
#ifndef NET_CALIBRATE_H
#define NET_CALIBRATE_H

#include "net/spread.h"
#include "net/weights.h"

/* Runs made-up images (from the seed) through the net, layer by layer, and replaces in w: running
 * means and variances by those seen, the fully connected weights and bias so that logits have mean
 * 0 and a useful spread over the images.  The same bits everywhere. */
int net_calibrate(const struct net *net, struct net_weights *w, uint64_t seed,
                  struct assay_err *err);

/* The same pass with everything in w as it is, over other images (another seed): spreads[i] becomes
 * how the values behind layer i spread, up to the last layer with weights. */
int net_observe(const struct net *net, const struct net_weights *w, uint64_t seed,
                struct spread *spreads, struct assay_err *err);

/* As net_observe, of a transformer (BERT) over made-up sequences; sequence.c.  Of other nets
 * ASSAY_EUNSUPPORTED. */
int net_observe_sequences(const struct net *net, const struct net_weights *w, uint64_t seed,
                          struct spread *spreads, struct assay_err *err);

/* One convolution of n images, for tests: in is c x n x h x w (channel first, so that one row of
 * columns spans all images), out likewise. */
int net_conv(const struct net_layer *l, const float *weight, const float *in,
             struct net_shape in_shape, int n, float *out, struct net_shape out_shape);

#endif
