/* A forward pass over made-up sequences, for the ranges of a transformer's activations.
 *
 * Three sequences of different lengths lie behind each other, without padding, so only attention
 * and positions know where one ends.  Their words are random rows of the table; a table of two rows
 * tells a sequence's parts apart (question and paragraph).  As the layers behind normalise, some
 * hundred tokens show what every tensor's values are like.
 *
 * Activations lie as feature x token, so that a layer is a 1 x 1 convolution (conv.c).  Weights are
 * made one tensor at a time.  exp and erf are our own: libraries differ in the last bit. */
#include "net/exact.h"
#include "net/calibrate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SEQUENCES 3
#define TOKENS    192 /* of all of them */

static const int ends[SEQUENCES + 1] = {0, 32, 96, TOKENS};

struct pass {
    const struct net *net;
    const struct net_weights *w;
    uint64_t seed;
    float **data; /* by layer; NULL: not computed, or let go */
    int *readers; /* how many layers still want it */
    struct spread *spreads;
};

static bool is_known(const struct net_layer *l)
{
    switch (l->op) {
    case NET_INPUT:
    case NET_MASK:
        return true;
    case NET_EMBED:
        return l->shape.rank == 2 && !l->blank;
    case NET_POSITION:
    case NET_LAYERNORM:
    case NET_GELU:
    case NET_ATTENTION:
    case NET_FC:
    case NET_ADD:
        return l->shape.rank == 2;
    case NET_PICK:
        return l->shape.rank == 1;
    default:
        return false;
    }
}

static size_t features(const struct net_layer *l)
{
    return l->shape.rank == 2 ? (size_t)l->shape.dims[1] : 1;
}

/* ---- functions ---- */

/* e^x for x <= 0: 2^n times the series of what is left, |r| <= ln 2 / 2, to the 12th power. */
static double exponential(double x)
{
    double r, power, sum = 1;
    uint64_t bits;
    int n;

    if (!(x > -690))
        return 0;
    n = (int)(x * 1.44269504088896341 - 0.5);
    r = x - (double)n * 0.693147180559945309;
    bits = (uint64_t)(n + 1023) << 52;
    memcpy(&power, &bits, sizeof(power));
    for (int k = 12; k > 0; k--)
        sum = 1 + sum * r / k;
    return sum * power;
}

/* Abramowitz and Stegun 7.1.26: within 1.5e-7. */
static double error_function(double x)
{
    double a = x < 0 ? -x : x, t = 1 / (1 + 0.3275911 * a);
    double sum = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t +
                  0.254829592) *
                 t * exponential(-a * a);

    return x < 0 ? sum - 1 : 1 - sum;
}

static void gelu(const float *in, size_t n, float *out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = (float)(0.5 * (double)in[i] *
                         (1 + error_function((double)in[i] * 0.707106781186547524)));
}

/* ---- layers ---- */

/* Rows of the table, turned. */
static void embed(const struct pass *p, const struct net_layer *l, const float *table, float *out)
{
    const struct net_tensor *t = &p->net->tensors[l->tensor];
    uint64_t state = p->seed + (uint64_t)l->in[0] * 0xd1b54a32d192ed03u;
    size_t width = features(l), row;
    int s = 0;

    for (int k = 0; k < TOKENS; k++) {
        s += k == ends[s + 1];
        row = net_random(&state) % (uint64_t)t->dims[0];
        if (t->dims[0] == 2)
            row = 3 * (k - ends[s]) >= ends[s + 1] - ends[s];
        for (size_t f = 0; f < width; f++)
            out[f * TOKENS + (size_t)k] = table[row * width + f];
    }
}

static void position(const float *in, const float *table, size_t width, float *out)
{
    for (size_t f = 0; f < width; f++)
        for (int s = 0; s < SEQUENCES; s++)
            for (int k = ends[s]; k < ends[s + 1]; k++)
                out[f * TOKENS + (size_t)k] =
                    in[f * TOKENS + (size_t)k] + table[(size_t)(k - ends[s]) * width + f];
}

static void layer_norm(const struct net_layer *l, const float *in, const float *gamma,
                       const float *beta, float *out)
{
    double mean[TOKENS] = {0}, square[TOKENS] = {0}, d;
    size_t width = features(l), f, k;

    for (f = 0; f < width; f++)
        for (k = 0; k < TOKENS; k++)
            mean[k] += (double)in[f * TOKENS + k] / (double)width;
    for (f = 0; f < width; f++)
        for (k = 0; k < TOKENS; k++) {
            d = (double)in[f * TOKENS + k] - mean[k];
            square[k] += d * d / (double)width;
        }
    for (k = 0; k < TOKENS; k++)
        square[k] = sqrt(square[k] + (double)l->epsilon);
    for (f = 0; f < width; f++)
        for (k = 0; k < TOKENS; k++)
            out[f * TOKENS + k] =
                (float)(((double)in[f * TOKENS + k] - mean[k]) / square[k]) * gamma[f] + beta[f];
}

static int dense(const struct pass *p, const struct net_layer *l, const float *in,
                 const float *weight, const float *bias, float *out)
{
    const struct net_layer one = {.op = NET_CONV, .kernel = 1, .stride = 1, .groups = 1};
    struct net_shape from = net_image((int)features(&p->net->layers[l->in[0]]), 1, TOKENS),
                     to = net_image(l->out, 1, TOKENS);

    if (net_conv(&one, weight, in, from, 1, out, to))
        return ASSAY_EFAIL;
    for (size_t f = 0; bias && f < (size_t)l->out; f++)
        for (size_t k = 0; k < TOKENS; k++)
            out[f * TOKENS + k] += bias[f];
    return ASSAY_OK;
}

/* One row of scores to weights: softmax. */
static void soften(float *row, int n)
{
    float most = row[0];
    double sum = 0;

    for (int k = 1; k < n; k++)
        most = row[k] > most ? row[k] : most;
    for (int k = 0; k < n; k++) {
        row[k] = (float)exponential((double)row[k] - (double)most);
        sum += (double)row[k];
    }
    for (int k = 0; k < n; k++)
        row[k] = (float)((double)row[k] / sum);
}

/* One head of one sequence of n tokens: q, k, v and out are `size` rows that lie TOKENS apart. */
static void attend(const float *q, const float *k, const float *v, int size, int n, float *out)
{
    float row[TOKENS], root = sqrtf((float)size);

    for (int i = 0; i < n; i++) {
        memset(row, 0, sizeof(row));
        for (int d = 0; d < size; d++)
            for (int j = 0; j < n; j++)
                row[j] += q[d * TOKENS + i] * k[d * TOKENS + j];
        for (int j = 0; j < n; j++)
            row[j] /= root;
        soften(row, n);
        for (int d = 0; d < size; d++) {
            float sum = 0;

            for (int j = 0; j < n; j++)
                sum += row[j] * v[d * TOKENS + j];
            out[d * TOKENS + i] = sum;
        }
    }
}

static void attention(const struct pass *p, const struct net_layer *l, float *out)
{
    int size = l->shape.dims[1] / l->out;

    for (int h = 0; h < l->out; h++)
        for (int s = 0; s < SEQUENCES; s++) {
            size_t at = (size_t)(h * size) * TOKENS + (size_t)ends[s];

            attend(p->data[l->in[0]] + at, p->data[l->in[1]] + at, p->data[l->in[2]] + at, size,
                   ends[s + 1] - ends[s], out + at);
        }
}

/* ---- the pass ---- */

static int run_weighted(const struct pass *p, const struct net_layer *l, float *const weights[2],
                        float *out)
{
    const float *in = p->data[l->in[0]];

    switch (l->op) {
    case NET_EMBED:
        embed(p, l, weights[0], out);
        break;
    case NET_POSITION:
        position(in, weights[0], features(l), out);
        break;
    case NET_LAYERNORM:
        layer_norm(l, in, weights[0], weights[1], out);
        break;
    default:
        return dense(p, l, in, weights[0], weights[1], out);
    }
    return ASSAY_OK;
}

static void run_plain(const struct pass *p, const struct net_layer *l, float *out)
{
    const float *in = p->data[l->in[0]], *b;
    size_t n = features(l) * TOKENS;

    switch (l->op) {
    case NET_GELU:
        gelu(in, n, out);
        break;
    case NET_ATTENTION:
        attention(p, l, out);
        break;
    case NET_PICK:
        memcpy(out, in + (size_t)l->out * TOKENS, n * sizeof(*out));
        break;
    case NET_ADD:
        b = p->data[l->in[1]];
        for (size_t i = 0; i < n; i++)
            out[i] = in[i] + b[i];
        break;
    default: /* is_known */
        break;
    }
}

static int run_op(const struct pass *p, const struct net_layer *l, float *const weights[2],
                  float *out)
{
    if (weights[0])
        return run_weighted(p, l, weights, out);
    run_plain(p, l, out);
    return ASSAY_OK;
}

static int run_layer(struct pass *p, int at, struct assay_err *err)
{
    const struct net_layer *l = &p->net->layers[at];
    float *weights[2] = {NULL, NULL};
    size_t n = features(l) * TOKENS;
    int rc = ASSAY_OK;

    if (l->op == NET_INPUT ||
        l->op == NET_MASK) /* words are drawn by their table; none is masked */
        return ASSAY_OK;
    for (int k = 0; k < l->tensors && k < 2 && !rc; k++)
        if (!(weights[k] = net_weights_copy(p->net, p->w, l->tensor + k, err)))
            rc = ASSAY_EFAIL;
    if (!rc && (!(p->data[at] = calloc(n, sizeof(float))) || run_op(p, l, weights, p->data[at])))
        rc = assay_fail(err, ASSAY_EFAIL, "net %s: out of memory while it is quantised",
                        p->net->name);
    if (!rc) {
        spread_widen(&p->spreads[at], p->data[at], n);
        spread_count(&p->spreads[at], p->data[at], n);
    }
    for (int k = 0; k < l->ins; k++)
        if (--p->readers[l->in[k]] == 0) {
            free(p->data[l->in[k]]);
            p->data[l->in[k]] = NULL;
        }
    free(weights[0]);
    free(weights[1]);
    return rc;
}

static int check_layers(const struct net *net, struct assay_err *err)
{
    for (int i = 0; i < net->layer_count; i++)
        if (!is_known(&net->layers[i]))
            return assay_fail(err, ASSAY_EUNSUPPORTED,
                              "net %s: int8 is made here of image classifiers and of BERT; "
                              "RetinaNet's file in fp32 can be given to `assay quantize`",
                              net->name);
    return ASSAY_OK;
}

int net_check_int8(const char *name, struct assay_err *err)
{
    struct net *net = NULL;
    int rc = net_create(name, &net, err);

    if (!rc && net->analytic) /* the others are image classifiers */
        rc = check_layers(net, err);
    net_destroy(net);
    return rc;
}

int net_observe_sequences(const struct net *net, const struct net_weights *w, uint64_t seed,
                          struct spread *spreads, struct assay_err *err)
{
    size_t n = (size_t)net->layer_count;
    struct pass p = {net,    w, seed, calloc(n, sizeof(*p.data)), calloc(n, sizeof(*p.readers)),
                     spreads};
    int rc = ASSAY_OK, i;

    if (!p.data || !p.readers)
        rc = assay_fail(err, ASSAY_EFAIL, "net %s: out of memory", net->name);
    if (!rc)
        rc = check_layers(net, err);
    for (i = 0; !rc && i < net->layer_count; i++) {
        for (int k = 0; k < net->layers[i].ins; k++)
            p.readers[net->layers[i].in[k]]++;
    }
    for (i = 0; !rc && i < net->layer_count; i++)
        rc = run_layer(&p, i, err);
    for (i = 0; p.data && i < net->layer_count; i++)
        free(p.data[i]);
    free(p.data);
    free(p.readers);
    return rc;
}
