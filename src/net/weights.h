/* A net's weights.  Synthetic ones are seeded, the same bits on every machine and compiler, and
 * calibrated so that the net behaves like a trained one in what matters for measuring: activations
 * stay finite and different images give different classes.  How: see weights.c.  Those of a file
 * are bound by bind.h. */
#ifndef NET_WEIGHTS_H
#define NET_WEIGHTS_H

#include "base/hash.h"
#include "net/net.h"

struct net_weights {
    float **data; /* data[i] belongs to net->tensors[i]; NULL: made from the seed when asked for */
    int count;
    uint64_t seed;         /* of those that are made */
    bool synthetic;        /* made up, also when a file of such weights was bound */
    char sha256[HASH_HEX]; /* of the file that they were bound from; "": from a seed */
};

/* Room for all of the net's tensors, with nothing in it: for weights that are bound. */
int net_weights_allocate(const struct net *net, struct net_weights **out, struct assay_err *err);

/* Synthetic ones.  The caller destroys *out; the net must outlive it.  Some seconds of one core for
 * a large image classifier; for other nets nothing is made yet. */
int net_weights_create(const struct net *net, uint64_t seed, struct net_weights **out,
                       struct assay_err *err);
void net_weights_destroy(struct net_weights *w); /* NULL is fine */

/* A copy of one tensor, which the caller frees; NULL with err filled when memory is short.  So a
 * writer needs one tensor of memory, whatever the net's size. */
float *net_weights_copy(const struct net *net, const struct net_weights *w, int tensor,
                        struct assay_err *err);

/* Writes them in one of net.c's forms; seed: what is said of synthetic ones. */
int net_write_as(const struct net *net, const struct net_weights *w, const char *format,
                 const char *precision, uint64_t seed, const char *path, struct assay_err *err);

/* The generator, for tests: the i-th of a stream is net_random(&state) called i times. */
uint64_t net_random(uint64_t *state);
float net_normal(uint64_t *state); /* mean 0, deviation 1, within +-3.47 */

#endif
