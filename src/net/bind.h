/* Official weights for our topologies: a file's tensors (state.h) bound to a net's. */
#ifndef NET_BIND_H
#define NET_BIND_H

#include "net/state.h"
#include "net/weights.h"

/* Fills w, which net_weights_allocate made, from the file.
 *
 * State dicts and safetensors bind by name: each of the net's tensors must be there with its shape,
 * and nothing may be left over but counters (num_batches_tracked) and what the net says is for
 * others (net->beside); a "module." before every name is dropped.  ONNX files bind by their graph
 * (bind_graph.c), since exporters fold batch norms and make up names; so only image classifiers
 * bind from ONNX.  What does not fit is one error that names the first ones.
 *
 * *fit grows with how far it came, also on failure: of two nets the better one has the larger. */
int bind_weights(const struct net *net, const struct state *s, struct net_weights *w, size_t *fit,
                 struct assay_err *err);

/* For bind_weights: follows the file's graph along the net's layers. */
int bind_graph(const struct net *net, const struct state *s, struct net_weights *w, size_t *fit,
               struct assay_err *err);

#endif
