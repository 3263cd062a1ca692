/* Synthetic weights.
 *
 * Generator: splitmix64, one stream a tensor, started from the seed and the tensor's name, so that
 * a tensor's values do not depend on what else the net has.  A normal number is the sum of four
 * independent 16-bit uniforms (one draw): sum - 131070 has variance 4 * (65536^2 - 1) / 12,
 * everything is integer until one exact conversion and one multiplication, so no libm decides a
 * bit.  Tails end at 3.46 deviations.
 *
 * Values: convolutions N(0, 2 / fan-in) (He), batch norm gamma around 1, beta around 0.  A batch
 * norm that goes straight into a sum has half the gamma, so that the residual stream stays smooth:
 * engines that add in another order must not drift apart.
 *
 * In an image classifier, running statistics and the classifier's scale and bias come from a
 * forward pass over made-up images (calibrate.c); without it a random net gives every image the
 * same class.  Of other nets the scale follows from the description alone: convolutions N(0, gain^2
 * * 2 / fan-in), fully connected and recurrent layers N(0, gain^2 / fan-in), tables N(0, gain^2),
 * small biases, with the gains and the few other wishes that the net's file has for its layers.
 * Their tensors are made when they are asked for. */
#include "net/exact.h"
#include "net/weights.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "net/calibrate.h"

uint64_t net_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

float net_normal(uint64_t *state)
{
    uint64_t r = net_random(state);
    int32_t sum = (int32_t)(r & 0xffff) + (int32_t)(r >> 16 & 0xffff) +
                  (int32_t)(r >> 32 & 0xffff) + (int32_t)(r >> 48);

    return (float)(sum - 131070) * 2.6428999e-5f; /* 1 / sqrt((2^32 - 1) / 3) */
}

/* FNV-1a of the name, mixed with the seed. */
static uint64_t stream(uint64_t seed, const char *name)
{
    uint64_t h = 0xcbf29ce484222325u;

    for (; *name; name++)
        h = (h ^ (unsigned char)*name) * 0x100000001b3u;
    h ^= net_random(&seed);
    return net_random(&h);
}

static void fill(float *x, size_t n, uint64_t *state, float mean, float deviation)
{
    size_t i;

    for (i = 0; i < n; i++)
        x[i] = mean + deviation * net_normal(state);
}

/* Each run of n numbers less its mean. */
static void balance(float *x, size_t count, size_t n)
{
    size_t i, k;
    float mean;

    for (i = 0; i < count; i += n) {
        for (mean = 0.0f, k = 0; k < n; k++)
            mean += x[i + k];
        mean /= (float)n;
        for (k = 0; k < n; k++)
            x[i + k] -= mean;
    }
}

static bool feeds_sum(const struct net *net, int layer)
{
    int i;

    for (i = 0; i < net->layer_count; i++)
        if (net->layers[i].op == NET_ADD && net_reads(&net->layers[i], layer))
            return true;
    return false;
}

static bool is_table(enum net_op op)
{
    return op == NET_EMBED || op == NET_BAG || op == NET_POSITION;
}

static bool is_norm(enum net_op op)
{
    return op == NET_BN || op == NET_LAYERNORM || op == NET_INSTANCENORM;
}

/* What a forward pass does not set: in a classifier, statistics start as 0 and 1, the bias as 0. */
static void start(const struct net *net, int layer, int tensor, uint64_t seed, float *x)
{
    const struct net_tensor *t = &net->tensors[tensor];
    uint64_t state = stream(seed, t->name);
    float gamma, one = t->role == NET_VAR ? 1.0f : 0.0f, gain = net->layers[layer].gain;
    size_t fan_in, taps;

    if (net->layers[layer].op == NET_CONV && t->role == NET_WEIGHT) {
        fan_in = t->count / (size_t)t->dims[0];
        taps = fan_in / (size_t)t->dims[1];
        fill(x, t->count, &state, 0.0f, gain * sqrtf(2.0f / (float)fan_in));
        if (net->layers[layer].balanced)
            balance(x, t->count, taps > 1 ? taps : fan_in);
    } else if (net->layers[layer].op == NET_DECONV && t->role == NET_WEIGHT) {
        fill(x, t->count, &state, 0.0f, gain * sqrtf(2.0f / (float)t->dims[0]));
    } else if ((net->layers[layer].op == NET_FC || net->layers[layer].op == NET_LSTM) &&
               t->role == NET_WEIGHT) {
        if (net->analytic)
            gain /= sqrtf((float)t->dims[1]);
        fill(x, t->count, &state, 0.0f, gain);
        if (net->layers[layer].balanced)
            balance(x, t->count, (size_t)t->dims[1]);
    } else if (is_table(net->layers[layer].op)) {
        fill(x, t->count, &state, 0.0f, gain);
    } else if (is_norm(net->layers[layer].op) && t->role == NET_WEIGHT) {
        gamma = feeds_sum(net, layer) ? 0.5f : 1.0f;
        fill(x, t->count, &state, gamma, 0.1f * gamma);
    } else if (t->role == NET_BIAS && (is_norm(net->layers[layer].op) || net->analytic)) {
        fill(x, t->count, &state, net->layers[layer].bias, net->analytic ? 0.02f : 0.1f);
    } else {
        fill(x, t->count, &state, one, 0.0f);
    }
    if (t->role == NET_BIAS && net->layers[layer].favour != 0.0f)
        x[net->layers[layer].favoured] += net->layers[layer].favour;
}

static int layer_of(const struct net *net, int tensor)
{
    int i = 0;

    while (tensor < net->layers[i].tensor ||
           tensor >= net->layers[i].tensor + net->layers[i].tensors)
        i++;
    return i;
}

/* The tensor's values as they start. */
static float *make(const struct net *net, int tensor, uint64_t seed, struct assay_err *err)
{
    float *x = calloc(net->tensors[tensor].count, sizeof(*x));

    if (x)
        start(net, layer_of(net, tensor), tensor, seed, x);
    else
        assay_fail(err, ASSAY_EFAIL, "net %s: out of memory for %s", net->name,
                   net->tensors[tensor].name);
    return x;
}

/* No tensor has values yet. */
static struct net_weights *empty(const struct net *net, struct assay_err *err)
{
    struct net_weights *w = calloc(1, sizeof(*w));

    if (w)
        w->data = calloc((size_t)net->tensor_count + 1, sizeof(*w->data));
    if (!w || !w->data) {
        free(w);
        assay_fail(err, ASSAY_EFAIL, "net %s: out of memory", net->name);
        return NULL;
    }
    w->count = net->tensor_count;
    return w;
}

int net_weights_allocate(const struct net *net, struct net_weights **out, struct assay_err *err)
{
    struct net_weights *w = empty(net, err);
    int t;

    for (t = 0; w && t < w->count; t++) {
        w->data[t] = malloc(net->tensors[t].count * sizeof(float));
        if (!w->data[t]) {
            assay_fail(err, ASSAY_EFAIL, "net %s: out of memory for %s", net->name,
                       net->tensors[t].name);
            net_weights_destroy(w);
            w = NULL;
        }
    }
    if (!w)
        return ASSAY_EFAIL;
    *out = w;
    return ASSAY_OK;
}

int net_weights_create(const struct net *net, uint64_t seed, struct net_weights **out,
                       struct assay_err *err)
{
    struct net_weights *w = empty(net, err);
    int t, rc = w ? ASSAY_OK : ASSAY_EFAIL;

    if (rc)
        return rc;
    w->synthetic = true;
    w->seed = seed;
    for (t = 0; !rc && !net->analytic && t < net->tensor_count; t++)
        if (!(w->data[t] = make(net, t, seed, err)))
            rc = ASSAY_EFAIL;
    if (!rc && !net->analytic)
        rc = net_calibrate(net, w, stream(seed, "images"), err);
    if (rc) {
        net_weights_destroy(w);
        return rc;
    }
    *out = w;
    return ASSAY_OK;
}

float *net_weights_copy(const struct net *net, const struct net_weights *w, int tensor,
                        struct assay_err *err)
{
    size_t bytes = net->tensors[tensor].count * sizeof(float);
    float *x;

    if (!w->data[tensor])
        return make(net, tensor, w->seed, err);
    x = malloc(bytes);
    if (x)
        memcpy(x, w->data[tensor], bytes);
    else
        assay_fail(err, ASSAY_EFAIL, "net %s: out of memory for %s", net->name,
                   net->tensors[tensor].name);
    return x;
}

void net_weights_destroy(struct net_weights *w)
{
    int i;

    if (!w)
        return;
    for (i = 0; w->data && i < w->count; i++)
        free(w->data[i]);
    free(w->data);
    free(w);
}
