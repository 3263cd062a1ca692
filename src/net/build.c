/* The builder behind net_add_*: weights and MACs of each kind of layer; shapes follow from shape.c.
 *
 * A description is checked while it is built: every layer's shape follows from its inputs', so a
 * net that was created has consistent shapes, unique names, and no index that points forward. */
#include <stdlib.h>
#include <string.h>

#include "net/net.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void broken(struct net *net, const char *layer, const char *what)
{
    if (!net->failed)
        snprintf(net->reason, sizeof(net->reason), "layer '%s': %s", layer, what);
    net->failed = 1;
}

/* Appends a copy of l; its shape follows from its inputs. */
static int append(struct net *net, const char *name, struct net_layer l)
{
    const struct net_shape *in[NET_JOINS];
    struct net_layer *grown;
    int i;

    if (net->failed)
        return 0;
    if (strlen(name) >= sizeof(l.name))
        broken(net, name, "the name is too long");
    for (i = 0; i < net->layer_count; i++)
        if (!strcmp(net->layers[i].name, name))
            broken(net, name, "the name is used twice");
    for (i = 0; i < l.ins; i++)
        if (l.in[i] < 0 || l.in[i] >= net->layer_count)
            broken(net, name, "an input is no earlier layer");
    grown = realloc(net->layers, (size_t)(net->layer_count + 1) * sizeof(*grown));
    if (!grown)
        broken(net, name, "out of memory");
    else
        net->layers = grown;
    if (net->failed)
        return 0;
    snprintf(l.name, sizeof(l.name), "%s", name);
    for (i = 0; i < l.ins; i++)
        in[i] = &net->layers[l.in[i]].shape;
    if (l.ins)
        l.shape = net_shape_of(&l, in);
    if (l.shape.dims[0] <= 0)
        broken(net, name, "its input has the wrong shape");
    l.tensor = net->tensor_count;
    l.owner = net->layer_count;
    l.gain = 1.0f;
    net->layers[net->layer_count] = l;
    return net->layer_count++;
}

static void add_named(struct net *net, int layer, const char *name, enum net_role role,
                      uint32_t rank, const int64_t *dims)
{
    struct net_tensor *grown, t = {.role = role, .rank = rank, .count = 1};
    uint32_t i;

    if (net->failed)
        return;
    grown = realloc(net->tensors, (size_t)(net->tensor_count + 1) * sizeof(*grown));
    if (!grown) {
        broken(net, net->layers[layer].name, "out of memory");
        return;
    }
    net->tensors = grown;
    for (i = 0; i < rank; i++) {
        t.dims[i] = dims[i];
        t.count *= (size_t)dims[i];
    }
    snprintf(t.name, sizeof(t.name), "%s", name);
    net->tensors[net->tensor_count++] = t;
    net->layers[layer].tensors++;
}

static void add_tensor(struct net *net, int layer, enum net_role role, uint32_t rank,
                       const int64_t *dims)
{
    static const char *const suffix[] = {"weight", "bias", "running_mean", "running_var"};
    char name[80];

    if (net->failed)
        return;
    snprintf(name, sizeof(name), "%s.%s", net->layers[layer].name, suffix[role]);
    add_named(net, layer, name, role, rank, dims);
}

/* The batch, then the shape; free dimensions are -1. */
static struct assay_tensor_spec spec_of(const char *name, int dtype, const struct net_shape *s)
{
    struct assay_tensor_spec spec = {name, dtype, (uint32_t)s->rank + 1, {-1}};
    int i;

    for (i = 0; i < s->rank; i++)
        spec.dims[i + 1] = s->free >> i & 1 ? -1 : s->dims[i];
    return spec;
}

static int add_input(struct net *net, const char *name, int dtype, struct net_shape shape)
{
    struct net_layer l = {.op = NET_INPUT, .shape = shape};

    if (net->layer_count != net->input_count || net->input_count == NET_INPUTS)
        broken(net, name, "the inputs must be the first layers, and at most 5");
    if (net->failed)
        return 0;
    net->inputs[net->input_count++] = spec_of(name, dtype, &shape);
    return append(net, name, l);
}

int net_add_input(struct net *net, const char *name, int c, int h, int w)
{
    return add_input(net, name, ASSAY_F32, net_image(c, h, w));
}

int net_add_row(struct net *net, const char *name, int dtype, int width)
{
    return add_input(net, name, dtype, (struct net_shape){.rank = 1, .dims = {width, 1, 1, 1, 1}});
}

int net_add_number(struct net *net, const char *name)
{
    return add_input(net, name, ASSAY_I64, (struct net_shape){.rank = 0, .dims = {1, 1, 1, 1, 1}});
}

int net_add_frames(struct net *net, const char *name, int usual, int width)
{
    return add_input(net, name, ASSAY_F32,
                     (struct net_shape){.rank = 2, .dims = {usual, width, 1, 1, 1}, .free = 1});
}

int net_add_volume(struct net *net, const char *name, int c, int size)
{
    return add_input(net, name, ASSAY_F32,
                     (struct net_shape){.rank = 4, .dims = {c, size, size, size, 1}});
}

int net_add_sequence(struct net *net, const char *name, int usual)
{
    return add_input(net, name, ASSAY_I64,
                     (struct net_shape){.rank = 1, .dims = {usual, 1, 1, 1, 1}, .free = 1});
}

static uint64_t elements(const struct net_shape *s)
{
    uint64_t n = 1;
    int i;

    for (i = 0; i < s->rank; i++)
        n *= (uint64_t)s->dims[i];
    return n;
}

/* The weights of a window: [first, second, kernel …]. */
static void add_kernel(struct net *net, int at, int first, int second)
{
    int64_t dims[NET_RANK] = {first, second};
    struct net_layer *l = &net->layers[at];
    int d;

    for (d = 1; d < l->shape.rank; d++)
        dims[d + 1] = l->kernel;
    add_tensor(net, at, NET_WEIGHT, (uint32_t)l->shape.rank + 1, dims);
}

/* Padding keeps the size at stride 1: (kernel - 1) / 2 on every side. */
int net_add_grouped(struct net *net, const char *name, int in, int out_channels, int kernel,
                    int stride, int groups)
{
    int p = (kernel - 1) / 2, at, in_c;
    struct net_layer l = {.op = NET_CONV,
                          .in = {in},
                          .ins = 1,
                          .out = out_channels,
                          .kernel = kernel,
                          .stride = stride,
                          .groups = groups,
                          .pad = {p, p, p, p}};

    at = append(net, name, l);
    if (net->failed)
        return 0;
    in_c = net->layers[in].shape.c / groups;
    add_kernel(net, at, out_channels, in_c);
    if (net->failed)
        return 0;
    net->layers[at].macs = elements(&net->layers[at].shape) *
                           (net->tensors[net->layers[at].tensor].count / (uint64_t)out_channels);
    return at;
}

int net_add_conv(struct net *net, const char *name, int in, int out_channels, int kernel,
                 int stride)
{
    return net_add_grouped(net, name, in, out_channels, kernel, stride, 1);
}

int net_add_biased(struct net *net, const char *name, int in, int out_channels, int kernel,
                   int stride)
{
    int at = net_add_conv(net, name, in, out_channels, kernel, stride);

    if (!net->failed)
        add_tensor(net, at, NET_BIAS, 1, (int64_t[]){out_channels});
    return at;
}

/* Each place becomes a kernel of its own: kernel and stride are the same. */
int net_add_deconv(struct net *net, const char *name, int in, int out_channels, int stride)
{
    struct net_layer l = {.op = NET_DECONV,
                          .in = {in},
                          .ins = 1,
                          .out = out_channels,
                          .kernel = stride,
                          .stride = stride};
    int at = append(net, name, l);

    if (net->failed)
        return 0;
    add_kernel(net, at, net->layers[in].shape.c, out_channels);
    add_tensor(net, at, NET_BIAS, 1, (int64_t[]){out_channels});
    if (!net->failed)
        net->layers[at].macs = elements(&net->layers[at].shape) * (uint64_t)net->layers[in].shape.c;
    return at;
}

int net_add_same(struct net *net, const char *name, int in, int as)
{
    struct net_layer l = net->failed ? (struct net_layer){0} : net->layers[as];
    int at;

    l.in[0] = in;
    at = append(net, name, l);
    if (net->failed)
        return 0;
    net->layers[at].owner = as;
    net->layers[at].tensor = l.tensor;
    net->layers[at].macs = l.macs / elements(&l.shape) * elements(&net->layers[at].shape);
    return at;
}

int net_add_standardise(struct net *net, const char *name, int in, const float *mean,
                        const float *deviation)
{
    struct net_layer l = {
        .op = NET_STANDARDISE, .in = {in}, .ins = 1, .mean = mean, .deviation = deviation};

    return append(net, name, l);
}

int net_add_upsample(struct net *net, const char *name, int in, int times)
{
    struct net_layer l = {.op = NET_UPSAMPLE, .in = {in}, .ins = 1, .stride = times};

    return append(net, name, l);
}

/* A layer of several inputs and nothing to set. */
static int add_joint(struct net *net, enum net_op op, const char *name, const int *in, int n)
{
    struct net_layer l = {.op = op, .ins = n};

    if (n > NET_JOINS)
        broken(net, name, "too many inputs");
    memcpy(l.in, in, (size_t)(n < NET_JOINS ? n : NET_JOINS) * sizeof(*in));
    return append(net, name, l);
}

int net_add_concat(struct net *net, const char *name, const int *in, int n)
{
    return add_joint(net, NET_CONCAT, name, in, n);
}

int net_add_instancenorm(struct net *net, const char *name, int in)
{
    struct net_layer l = {.op = NET_INSTANCENORM, .in = {in}, .ins = 1, .epsilon = 1e-5f};
    int at = append(net, name, l), role;

    for (role = NET_WEIGHT; role <= NET_BIAS && !net->failed; role++)
        add_tensor(net, at, (enum net_role)role, 1, (int64_t[]){net->layers[at].shape.c});
    return at;
}

int net_add_bn(struct net *net, const char *name, int in)
{
    struct net_layer l = {.op = NET_BN, .in = {in}, .ins = 1, .epsilon = 1e-5f};
    int at = append(net, name, l), role;

    if (net->failed)
        return 0;
    for (role = NET_WEIGHT; role <= NET_VAR; role++)
        add_tensor(net, at, (enum net_role)role, 1, (int64_t[]){net->layers[at].shape.c});
    return at;
}

int net_add_maxpool(struct net *net, const char *name, int in, int kernel, int stride,
                    const int pad[4])
{
    struct net_layer l = {.op = NET_MAXPOOL,
                          .in = {in},
                          .ins = 1,
                          .kernel = kernel,
                          .stride = stride,
                          .pad = {pad[0], pad[1], pad[2], pad[3]}};

    return append(net, name, l);
}

/* bias NULL: none. */
static int add_fc(struct net *net, const char *name, int in, int out, const char *weight,
                  const char *bias, uint32_t bias_rank)
{
    struct net_layer l = {.op = NET_FC, .in = {in}, .ins = 1, .out = out};
    int at = append(net, name, l), width;

    if (net->failed)
        return 0;
    width = net->layers[in].shape.dims[net->layers[in].shape.rank - 1];
    add_named(net, at, weight, NET_WEIGHT, 2, (int64_t[]){out, width});
    if (bias)
        add_named(net, at, bias, NET_BIAS, bias_rank, (int64_t[]){out, 1});
    net->layers[at].macs = elements(&net->layers[at].shape) * (uint64_t)width;
    return at;
}

int net_add_fc(struct net *net, const char *name, int in, int out)
{
    char weight[80], bias[80];

    snprintf(weight, sizeof(weight), "%s.weight", name);
    snprintf(bias, sizeof(bias), "%s.bias", name);
    return add_fc(net, name, in, out, weight, bias, 1);
}

int net_add_product(struct net *net, const char *name, int in, int out, const char *weight,
                    const char *bias)
{
    return add_fc(net, name, in, out, weight, bias, 2);
}

int net_add_sum(struct net *net, const char *name, int a, int b)
{
    return add_joint(net, NET_ADD, name, (int[]){a, b}, 2);
}

int net_add_mul(struct net *net, const char *name, int a, int b)
{
    return add_joint(net, NET_MUL, name, (int[]){a, b}, 2);
}

int net_add_stack(struct net *net, const char *name, const int *in, int n)
{
    return add_joint(net, NET_STACK, name, in, n);
}

/* PyTorch keeps two biases, one for each product. */
int net_add_lstm(struct net *net, const char *prefix, int k, const int *in, int ins, int out)
{
    static const char *const part[4] = {"weight_ih", "weight_hh", "bias_ih", "bias_hh"};
    struct net_layer l = {.op = NET_LSTM, .ins = ins, .out = out};
    char name[80];
    int at, i, width;

    memcpy(l.in, in, (size_t)ins * sizeof(*in));
    snprintf(name, sizeof(name), "%s.%d", prefix, k);
    at = append(net, name, l);
    if (net->failed)
        return 0;
    width = net->layers[in[0]].shape.dims[net->layers[in[0]].shape.rank - 1];
    for (i = 0; i < 4; i++) {
        snprintf(name, sizeof(name), "%s.%s_l%d", prefix, part[i], k);
        add_named(net, at, name, i < 2 ? NET_WEIGHT : NET_BIAS, i < 2 ? 2 : 1,
                  (int64_t[]){4 * out, i ? out : width});
    }
    if (!net->failed)
        net->layers[at].macs = 4 * elements(&net->layers[at].shape) * (uint64_t)(width + out);
    return at;
}

int net_add_embed(struct net *net, const char *name, int in, int rows, int width)
{
    struct net_layer l = {.op = NET_EMBED, .in = {in}, .ins = 1, .out = width};
    int at = append(net, name, l);

    if (!net->failed)
        add_tensor(net, at, NET_WEIGHT, 2, (int64_t[]){rows, width});
    return at;
}

int net_add_bag(struct net *net, const char *name, int in, int first, int many, int rows, int width)
{
    struct net_layer l = {
        .op = NET_BAG, .in = {in}, .ins = 1, .out = width, .first = first, .many = many};
    int at = append(net, name, l);

    if (!net->failed)
        add_tensor(net, at, NET_WEIGHT, 2, (int64_t[]){rows, width});
    return at;
}

int net_add_position(struct net *net, const char *name, int in, int rows)
{
    struct net_layer l = {.op = NET_POSITION, .in = {in}, .ins = 1, .out = rows};
    int at = append(net, name, l);

    if (!net->failed)
        add_tensor(net, at, NET_WEIGHT, 2, (int64_t[]){rows, net->layers[at].shape.dims[1]});
    return at;
}

int net_add_layernorm(struct net *net, const char *name, int in, float epsilon)
{
    struct net_layer l = {.op = NET_LAYERNORM, .in = {in}, .ins = 1, .epsilon = epsilon};
    int at = append(net, name, l), width;

    if (net->failed)
        return 0;
    width = net->layers[at].shape.dims[net->layers[at].shape.rank - 1];
    add_tensor(net, at, NET_WEIGHT, 1, (int64_t[]){width});
    add_tensor(net, at, NET_BIAS, 1, (int64_t[]){width});
    return at;
}

/* Two products of s x s x width: the scores, and their use. */
int net_add_attention(struct net *net, const char *name, const int in[4], int heads)
{
    struct net_layer l = {.op = NET_ATTENTION, .ins = 4, .out = heads};
    int at;

    memcpy(l.in, in, 4 * sizeof(*in));
    at = append(net, name, l);
    if (!net->failed)
        net->layers[at].macs =
            2 * elements(&net->layers[at].shape) * (uint64_t)net->layers[at].shape.dims[0];
    return at;
}

int net_add_pick(struct net *net, const char *name, int in, int which)
{
    struct net_layer l = {.op = NET_PICK, .in = {in}, .ins = 1, .out = which};

    return append(net, name, l);
}

int net_add_plain(struct net *net, enum net_op op, const char *name, int in)
{
    struct net_layer l = {.op = op, .in = {in}, .ins = 1};
    int at = append(net, name, l);

    if (!net->failed && op == NET_DOTS)
        net->layers[at].macs =
            elements(&net->layers[at].shape) * (uint64_t)net->layers[in].shape.dims[1];
    return at;
}

void net_set_favour(struct net *net, int at, int which, float favour)
{
    if (net->failed)
        return;
    net->layers[at].favoured = which;
    net->layers[at].favour = favour;
}

void net_set_blank(struct net *net, int at)
{
    if (!net->failed)
        net->layers[at].blank = true;
}

int net_set_balanced(struct net *net, int at)
{
    if (!net->failed)
        net->layers[at].balanced = true;
    return at;
}

void net_set_bias(struct net *net, int at, float bias)
{
    if (!net->failed)
        net->layers[at].bias = bias;
}

int net_set_gain(struct net *net, int at, float gain)
{
    if (!net->failed)
        net->layers[at].gain = gain;
    return at;
}

void net_add_output(struct net *net, const char *name, int layer)
{
    const struct net_layer *l;

    if (net->output_count == (int)COUNT(net->outputs))
        broken(net, name, "too many outputs");
    if (net->failed)
        return;
    l = &net->layers[layer];
    net->outputs[net->output_count] =
        spec_of(name, l->op == NET_ARGMAX ? ASSAY_I64 : ASSAY_F32, &l->shape);
    net->output_layer[net->output_count++] = layer;
}
