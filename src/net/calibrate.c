/* Calibration: a forward pass over made-up images that makes a random net behave.
 *
 * Batch norm with the statistics of real activations keeps every channel at mean 0 and deviation 1,
 * so 50 layers neither explode nor die.  The classifier gets what training would give it: logits
 * centred over the images and of a spread at which softmax is neither flat nor saturated.  Without
 * centring, the part of the pooled features that all images share decides, and one class wins
 * always.
 *
 * Images are small (SIDE x SIDE) and few, as each costs (SIDE / 224)^2 of a full inference.  They
 * have what photographs have (areas, edges, gradients, texture, noise) at the pixel scale of the
 * full size, since what a filter sees is local.
 *
 * Activations lie as channel x image x row x column.  One buffer a layer, freed after its last
 * reader. */
#include "net/exact.h"
#include "net/calibrate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

/* At 64 the zero padding weighs so much more in the last stages than at 224 that all full-size
 * images shared one offset and 3 classes were left; at 128 there are about 100 over 200 images. */
#define IMAGES 16
#define SIDE   NET_IMAGE_SIDE
#define SPREAD                                                                                     \
    4.0 /* the logits' deviation over classes and images: the median top-1 of 1001 is near 0.13 */

struct pass {
    const struct net *net;
    struct net_weights *w;
    uint64_t seed;
    float **data; /* by layer; NULL: not computed yet, or let go */
    struct net_shape *shape;
    int *readers;           /* how many layers still want it */
    struct spread *spreads; /* NULL: statistics and classifier are set, else values are only seen */
};

static size_t elements(struct net_shape s)
{
    return (size_t)s.c * IMAGES * (size_t)s.h * (size_t)s.w;
}

/* ---- images ---- */

static float uniform(uint64_t *state, float low, float high)
{
    return low + (high - low) * ((float)(net_random(state) >> 40) * 0x1p-24f);
}

/* A wave between -1 and 1 with period 1: a triangle, since sines differ in their last bit. */
static float wave(float x)
{
    x -= floorf(x);
    return x < 0.5f ? 4.0f * x - 1.0f : 3.0f - 4.0f * x;
}

/* A disc or box with a texture, drawn over a background that slopes. */
struct shape {
    float x, y, rx, ry, colour[3], fx, fy, texture;
    bool round;
};

static void draw(uint64_t *state, int channels, const struct net *net, size_t channel_stride,
                 float *image)
{
    struct shape shapes[8];
    float value, dx, dy, std, slope[3][3], noise = uniform(state, 0.0f, 1.0f);
    int count = 2 + (int)(net_random(state) % 6), i, c, x, y;

    noise *= noise * 60.0f;
    for (c = 0; c < 3; c++) {
        slope[c][0] = uniform(state, 20.0f, 235.0f);
        slope[c][1] = uniform(state, -80.0f, 80.0f);
        slope[c][2] = uniform(state, -80.0f, 80.0f);
    }
    for (i = 0; i < count; i++) {
        shapes[i] = (struct shape){.x = uniform(state, 0.0f, SIDE),
                                   .y = uniform(state, 0.0f, SIDE),
                                   .rx = uniform(state, 3.0f, SIDE / 2.0f),
                                   .ry = uniform(state, 3.0f, SIDE / 2.0f),
                                   .fx = uniform(state, -0.25f, 0.25f),
                                   .fy = uniform(state, -0.25f, 0.25f),
                                   .texture = uniform(state, 0.0f, 80.0f),
                                   .round = net_random(state) & 1};
        for (c = 0; c < 3; c++)
            shapes[i].colour[c] = uniform(state, 0.0f, 255.0f);
    }
    for (c = 0; c < channels; c++) {
        std = net->input_std[c % 3] > 0.0f ? net->input_std[c % 3] : 1.0f;
        for (y = 0; y < SIDE; y++) {
            for (x = 0; x < SIDE; x++) {
                value = slope[c % 3][0] + slope[c % 3][1] * ((float)x / SIDE - 0.5f) +
                        slope[c % 3][2] * ((float)y / SIDE - 0.5f);
                for (i = 0; i < count; i++) {
                    dx = ((float)x - shapes[i].x) / shapes[i].rx;
                    dy = ((float)y - shapes[i].y) / shapes[i].ry;
                    if (shapes[i].round ? dx * dx + dy * dy < 1.0f
                                        : fabsf(dx) < 1.0f && fabsf(dy) < 1.0f)
                        value = shapes[i].colour[c % 3] +
                                shapes[i].texture *
                                    wave((float)x * shapes[i].fx + (float)y * shapes[i].fy);
                }
                value += noise * net_normal(state);
                value = value < 0.0f ? 0.0f : value > 255.0f ? 255.0f : value;
                image[(size_t)c * channel_stride + (size_t)(y * SIDE + x)] =
                    (value - net->input_mean[c % 3]) / std;
            }
        }
    }
}

int net_write_images(const char *name, uint64_t seed, size_t n, const char *path,
                     struct assay_err *err)
{
    struct net *net = NULL;
    float *image = NULL;
    int rc = net_create(name, &net, err), channels = rc ? 0 : net->layers[0].shape.c;
    size_t size = (size_t)channels * SIDE * SIDE * sizeof(*image), i;

    if (!rc && (net->layers[0].shape.rank != 3 || net->layers[0].shape.h != SIDE ||
                net->layers[0].shape.w != SIDE))
        rc = assay_fail(err, ASSAY_EUSAGE, "net %s: its images are not %d pixels wide", name, SIDE);
    if (!rc && !(image = malloc(n * size + 1)))
        rc = assay_fail(err, ASSAY_EFAIL, "net %s: out of memory for %zu images", name, n);
    for (i = 0; i < n && !rc; i++)
        draw(&seed, channels, net, (size_t)SIDE * SIDE, image + i * size / sizeof(*image));
    if (!rc)
        rc = file_write_whole(path, image, n * size, err);
    free(image);
    net_destroy(net);
    return rc;
}

/* ---- layers ---- */

/* Mean and variance of one channel. */
static void statistics(const float *row, size_t n, float *mean, float *var)
{
    double sum = 0, square = 0, d;
    size_t i;

    for (i = 0; i < n; i++)
        sum += (double)row[i];
    sum /= (double)n;
    for (i = 0; i < n; i++) {
        d = (double)row[i] - sum;
        square += d * d;
    }
    *mean = (float)sum;
    *var = (float)(square / (double)n);
}

/* Mean and variance of each channel become the running ones; then the affine form that inference
 * uses. */
static void batch_norm(struct pass *p, const struct net_layer *l, struct net_shape s, float *x)
{
    float **t = &p->w->data[l->tensor], scale, shift, *row;
    size_t i, n = (size_t)IMAGES * (size_t)s.h * (size_t)s.w;
    int c;

    for (c = 0; c < s.c; c++) {
        row = x + (size_t)c * n;
        if (!p->spreads)
            statistics(row, n, &t[NET_MEAN][c], &t[NET_VAR][c]);
        scale = t[NET_WEIGHT][c] / sqrtf(t[NET_VAR][c] + l->epsilon);
        shift = t[NET_BIAS][c] - t[NET_MEAN][c] * scale;
        for (i = 0; i < n; i++)
            row[i] = row[i] * scale + shift;
    }
}

static void max_pool(const struct net_layer *l, const float *in, struct net_shape s, float *out,
                     struct net_shape o)
{
    int plane, x, y, kx, ky, ix, iy;
    float best, v;

    for (plane = 0; plane < s.c * IMAGES; plane++, in += s.h * s.w) {
        for (y = 0; y < o.h; y++) {
            for (x = 0; x < o.w; x++) {
                best = -FLT_MAX;
                for (ky = 0; ky < l->kernel; ky++) {
                    for (kx = 0; kx < l->kernel; kx++) {
                        iy = y * l->stride + ky - l->pad[0];
                        ix = x * l->stride + kx - l->pad[1];
                        if (iy < 0 || iy >= s.h || ix < 0 || ix >= s.w)
                            continue;
                        v = in[iy * s.w + ix];
                        best = v > best ? v : best;
                    }
                }
                *out++ = best;
            }
        }
    }
}

static void average_pool(const float *in, struct net_shape s, float *out)
{
    int plane, i, n = s.h * s.w;
    float sum;

    for (plane = 0; plane < s.c * IMAGES; plane++, in += n) {
        for (sum = 0.0f, i = 0; i < n; i++)
            sum += in[i];
        out[plane] = sum / (float)n;
    }
}

/* logit = weight . (feature - mean feature), scaled to SPREAD; features lie as feature x image. */
static void classifier(struct pass *p, const struct net_layer *l, float *x, int features)
{
    float *weight = p->w->data[l->tensor], *bias = p->w->data[l->tensor + 1], *row, mean;
    double square = 0;
    int c, f, i;
    float scale;

    for (f = 0; f < features; f++) {
        row = x + (size_t)f * IMAGES;
        for (mean = 0.0f, i = 0; i < IMAGES; i++)
            mean += row[i];
        mean /= IMAGES;
        for (c = 0; c < l->out; c++)
            bias[c] -= weight[(size_t)c * (size_t)features + (size_t)f] * mean;
        for (i = 0; i < IMAGES; i++)
            square += ((double)row[i] - (double)mean) * ((double)row[i] - (double)mean);
    }
    scale = (float)(SPREAD / sqrt(square / IMAGES + 1e-12));
    for (c = 0; c < l->out; c++) {
        bias[c] *= scale;
        for (f = 0; f < features; f++)
            weight[(size_t)c * (size_t)features + (size_t)f] *= scale;
    }
}

/* ---- the pass ---- */

/* The input's buffer when l is its last reader, else a copy: for layers that work in place. */
static float *take(struct pass *p, int in)
{
    size_t bytes = elements(p->shape[in]) * sizeof(float);
    float *x = p->data[in];

    if (p->readers[in] == 1) {
        p->data[in] = NULL;
        return x;
    }
    x = malloc(bytes);
    if (x)
        memcpy(x, p->data[in], bytes);
    return x;
}

static void let_go(struct pass *p, int in)
{
    if (--p->readers[in] > 0)
        return;
    free(p->data[in]);
    p->data[in] = NULL;
}

static int run_layer(struct pass *p, int at)
{
    const struct net_layer *l = &p->net->layers[at];
    const struct net_shape *in[NET_JOINS];
    struct net_shape s = l->op == NET_INPUT ? l->shape : p->shape[l->in[0]];
    const float *b = l->op == NET_ADD ? p->data[l->in[1]] : NULL; /* net_create refused one input */
    bool in_place = l->op == NET_BN || l->op == NET_RELU || l->op == NET_ADD;
    size_t i, n;
    float *x;
    int rc = ASSAY_OK;

    for (int k = 0; k < l->ins; k++)
        in[k] = &p->shape[l->in[k]];
    p->shape[at] = l->ins ? net_shape_of(l, in) : net_image(s.c, SIDE, SIDE);
    n = elements(p->shape[at]);
    x = in_place ? take(p, l->in[0]) : calloc(n, sizeof(float));
    if (!x)
        return ASSAY_EFAIL;
    p->data[at] = x;
    switch (l->op) {
    case NET_INPUT:
        for (i = 0; i < IMAGES; i++)
            draw(&p->seed, s.c, p->net, (size_t)IMAGES * SIDE * SIDE, x + i * SIDE * SIDE);
        break;
    case NET_CONV:
        rc = net_conv(l, p->w->data[l->tensor], p->data[l->in[0]], s, IMAGES, x, p->shape[at]);
        break;
    case NET_BN:
        batch_norm(p, l, s, x);
        break;
    case NET_RELU:
        for (i = 0; i < n; i++)
            x[i] = x[i] > 0.0f ? x[i] : 0.0f;
        break;
    case NET_ADD:
        for (i = 0; i < n; i++)
            x[i] += b[i];
        break;
    case NET_MAXPOOL:
        max_pool(l, p->data[l->in[0]], s, x, p->shape[at]);
        break;
    case NET_GAP:
        average_pool(p->data[l->in[0]], s, x);
        break;
    case NET_FC:
        if (!p->spreads)
            classifier(p, l, p->data[l->in[0]], s.c);
        break;
    default: /* softmax and argmax have nothing to calibrate, and nothing behind them has */
        break;
    }
    if (p->spreads && l->op != NET_FC && l->op != NET_SOFTMAX && l->op != NET_ARGMAX) {
        spread_widen(&p->spreads[at], x, n);
        spread_count(&p->spreads[at], x, n);
    }
    for (int k = 0; k < l->ins; k++)
        let_go(p, l->in[k]);
    return rc;
}

static int run_net(const struct net *net, struct net_weights *w, uint64_t seed,
                   struct spread *spreads, struct assay_err *err)
{
    size_t n = (size_t)net->layer_count;
    struct pass p = {net,
                     w,
                     seed,
                     calloc(n, sizeof(*p.data)),
                     calloc(n, sizeof(*p.shape)),
                     calloc(n, sizeof(*p.readers)),
                     spreads};
    int rc = p.data && p.shape && p.readers ? ASSAY_OK : ASSAY_EFAIL, i, j;

    for (i = 0; !rc && i < net->layer_count; i++)
        for (j = 0; j < net->layers[i].ins; j++)
            p.readers[net->layers[i].in[j]]++;
    for (i = 0; !rc && i < net->layer_count; i++)
        rc = run_layer(&p, i);
    if (rc)
        assay_fail(err, rc, "net %s: out of memory while its synthetic weights are %s", net->name,
                   spreads ? "quantised" : "made");
    for (i = 0; p.data && i < net->layer_count; i++)
        free(p.data[i]);
    free(p.data);
    free(p.shape);
    free(p.readers);
    return rc;
}

int net_calibrate(const struct net *net, struct net_weights *w, uint64_t seed,
                  struct assay_err *err)
{
    return run_net(net, w, seed, NULL, err);
}

int net_observe(const struct net *net, const struct net_weights *w, uint64_t seed,
                struct spread *spreads, struct assay_err *err)
{
    struct net_weights same = *w; /* the pass writes to none of them when it only sees */

    return run_net(net, &same, seed, spreads, err);
}
