/* The constants that writers write, batch norms folded into convolutions; see fold.h. */
#include "net/exact.h"
#include "net/fold.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int net_fold_check(const struct net *net, struct assay_err *err)
{
    int i, in;

    for (i = 0; i < net->layer_count; i++) {
        in = net->layers[i].in[0];
        if (net->layers[i].op == NET_BN && net_folded_bn(net, in) != i)
            return assay_fail(err, ASSAY_EUNSUPPORTED,
                              "net %s: %s follows no convolution of its own", net->name,
                              net->layers[i].name);
    }
    return ASSAY_OK;
}

bool net_has_bias(const struct net *net, int layer)
{
    const struct net_layer *l = &net->layers[layer];
    int i;

    for (i = l->tensor; i < l->tensor + l->tensors; i++)
        if (net->tensors[i].role == NET_BIAS)
            return true;
    return l->op == NET_CONV && net_folded_bn(net, layer) >= 0;
}

int net_constants(const struct net *net, int layer)
{
    const struct net_layer *l = &net->layers[layer];

    if (l->op == NET_STANDARDISE)
        return 2;
    if (l->op == NET_BN || l->owner != layer)
        return 0;
    return l->op == NET_CONV ? 1 + net_has_bias(net, layer) : l->tensors;
}

static struct net_constant constant_like(const char *suffix, const struct net_tensor *t)
{
    struct net_constant c = {.suffix = suffix, .rank = t->rank, .count = t->count};

    memcpy(c.dims, t->dims, sizeof(c.dims));
    return c;
}

struct net_constant net_constant_of(const struct net *net, int layer, int k)
{
    static const char *const suffix[] = {"weight", "bias"}, *const fixed[] = {"mean", "deviation"};
    static const char *const lstm[] = {"weight_ih", "weight_hh", "bias_ih", "bias_hh"};
    const struct net_layer *l = &net->layers[layer];
    const struct net_tensor *t;
    struct net_constant c;

    if (l->op == NET_STANDARDISE)
        return (struct net_constant){fixed[k], 3, {3, 1, 1}, 3};
    t = &net->tensors[l->tensor + (k < l->tensors ? k : 0)];
    if (k >= l->tensors) /* what a folded batch norm leaves */
        return (struct net_constant){suffix[k], 1, {t->dims[0]}, (size_t)t->dims[0]};
    c = constant_like(l->op == NET_LSTM ? lstm[k] : suffix[k], t);
    if (l->op == NET_FC && k == 1)
        c.rank = 1; /* also of one that is a column in its state dict */
    if (l->blank) {
        c.dims[0]++;
        c.count += (size_t)c.dims[1];
    }
    return c;
}

/* weight * gamma / sqrt(var + epsilon), and beta - mean * that: once a channel. */
static float *folded(const struct net *net, const struct net_weights *w, int conv, int k,
                     struct assay_err *err)
{
    const struct net_layer *bn = &net->layers[net_folded_bn(net, conv)];
    const struct net_tensor *t = &net->tensors[net->layers[conv].tensor];
    size_t n = t->count / (size_t)t->dims[0], i;
    float *x = NULL, *b[4] = {NULL}, scale;
    int64_t c;
    int role;

    for (role = NET_WEIGHT; role <= NET_VAR; role++)
        if (!(b[role] = net_weights_copy(net, w, bn->tensor + role, err)))
            goto out;
    if (k == 0 && !(x = net_weights_copy(net, w, net->layers[conv].tensor, err)))
        goto out;
    for (c = 0; c < t->dims[0]; c++) {
        scale = b[NET_WEIGHT][c] / sqrtf(b[NET_VAR][c] + bn->epsilon);
        for (i = 0; k == 0 && i < n; i++)
            x[(size_t)c * n + i] *= scale;
        b[NET_BIAS][c] -= b[NET_MEAN][c] * scale;
    }
    if (k == 1) {
        x = b[NET_BIAS];
        b[NET_BIAS] = NULL;
    }
out:
    for (role = NET_WEIGHT; role <= NET_VAR; role++)
        free(b[role]);
    return x;
}

static float *fixed_values(const struct net *net, const float *from, struct assay_err *err)
{
    float *x = malloc(3 * sizeof(*x));

    if (x)
        memcpy(x, from, 3 * sizeof(*x));
    else
        assay_fail(err, ASSAY_EFAIL, "net %s: out of memory", net->name);
    return x;
}

/* A table with a row of zeros at its end. */
static float *with_zeros(const struct net *net, const struct net_weights *w, int layer,
                         struct assay_err *err)
{
    const struct net_tensor *t = &net->tensors[net->layers[layer].tensor];
    float *x = net_weights_copy(net, w, net->layers[layer].tensor, err), *more = NULL;

    if (x && (more = calloc(t->count + (size_t)t->dims[1], sizeof(*more))))
        memcpy(more, x, t->count * sizeof(*x));
    else if (x)
        assay_fail(err, ASSAY_EFAIL, "net %s: out of memory for %s", net->name, t->name);
    free(x);
    return more;
}

float *net_constant_values(const struct net *net, const struct net_weights *w, int layer, int k,
                           struct assay_err *err)
{
    const struct net_layer *l = &net->layers[layer];

    if (l->op == NET_STANDARDISE)
        return fixed_values(net, k ? l->deviation : l->mean, err);
    if (l->op == NET_CONV && net_folded_bn(net, layer) >= 0)
        return folded(net, w, layer, k, err);
    if (l->blank)
        return with_zeros(net, w, layer, err);
    return net_weights_copy(net, w, l->tensor + k, err);
}

bool net_order_gates(const struct net_constant *c, const int order[4], float **values)
{
    size_t block = c->count / 4, k;
    float *to = malloc(c->count * sizeof(*to));

    if (!to)
        return false;
    for (k = 0; k < 4; k++)
        memcpy(to + k * block, *values + (size_t)order[k] * block, block * sizeof(*to));
    free(*values);
    *values = to;
    return true;
}

bool net_channels_last(const struct net_constant *c, float **values)
{
    size_t outs = (size_t)c->dims[0], ins = (size_t)c->dims[1], hw = c->count / outs / ins, o, i, k;
    float *to = malloc(c->count * sizeof(*to));

    if (!to)
        return false;
    for (o = 0; o < outs; o++)
        for (i = 0; i < ins; i++)
            for (k = 0; k < hw; k++)
                to[(k * ins + i) * outs + o] = (*values)[(o * ins + i) * hw + k];
    free(*values);
    *values = to;
    return true;
}
