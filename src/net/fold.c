/* Folds batch norms into convolutions; see fold.h. */
#include "net/exact.h"
#include "net/fold.h"

#include <math.h>

int net_fold_check(const struct net *net, struct assay_err *err)
{
    int i, in;

    for (i = 0; i < net->layer_count; i++) {
        in = net->layers[i].in[0];
        if (net->layers[i].op == NET_CONV && net_folded_bn(net, i) < 0)
            return assay_fail(err, ASSAY_EUNSUPPORTED,
                              "net %s: %s has no batch norm of its own to fold", net->name,
                              net->layers[i].name);
        if (net->layers[i].op == NET_BN && net_folded_bn(net, in) != i)
            return assay_fail(err, ASSAY_EUNSUPPORTED,
                              "net %s: %s follows no convolution of its own", net->name,
                              net->layers[i].name);
    }
    return ASSAY_OK;
}

/* weight * gamma / sqrt(var + epsilon), and beta - mean * that: once a channel. */
void net_fold(const struct net *net, const struct net_weights *w, int conv, float *weight,
              float *bias)
{
    const struct net_layer *bn = &net->layers[net_folded_bn(net, conv)];
    const struct net_tensor *t = &net->tensors[net->layers[conv].tensor];
    const float *from = w->data[net->layers[conv].tensor];
    float *const *b = &w->data[bn->tensor], scale;
    size_t i, n = t->count / (size_t)t->dims[0];
    int64_t c;

    for (c = 0; c < t->dims[0]; c++, from += n, weight += n) {
        scale = b[NET_WEIGHT][c] / sqrtf(b[NET_VAR][c] + bn->epsilon);
        bias[c] = b[NET_BIAS][c] - b[NET_MEAN][c] * scale;
        for (i = 0; i < n; i++)
            weight[i] = from[i] * scale;
    }
}
