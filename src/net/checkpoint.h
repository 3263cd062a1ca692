/* State dicts: the writer of what torch.save gives of a model's state_dict(). */
#ifndef NET_CHECKPOINT_H
#define NET_CHECKPOINT_H

#include "net/weights.h"

struct checkpoint_part {
    const struct net *net;
    const struct net_weights *w;
};

/* What torch.load reads, also with weights_only, and `--weights` (state.h): {"state_dict": {NAME:
 * tensor, …}}, in the nets' order, each tensor as it is (no batch norm is folded) and under the
 * name that the published checkpoint has for it.  Several nets that are published as one
 * checkpoint are the parts of one file.  The file appears whole. */
int checkpoint_write_parts(const struct checkpoint_part *parts, size_t n, uint64_t seed,
                           const char *path, struct assay_err *err);
/* Of one net. */
int checkpoint_write(const struct net *net, const struct net_weights *w, uint64_t seed,
                     const char *path, struct assay_err *err);

#endif
