/* The table of nets, the builder behind net_add_*, and the counts.
 *
 * A description is checked while it is built: every layer's shape follows from its inputs', so a
 * net that was created has consistent shapes, unique names, and no index that points forward. */
#include "net/nets.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "net/graphdef.h"
#include "net/onnx.h"
#include "net/torchscript.h"
#include "net/weights.h"

struct net_row {
    const char *name, *summary;
    void (*build)(struct net *net);
};

static const struct net_row net_table[] = {
    {"resnet50", "ResNet-50 v1.5, 224x224, 1001 classes", net_build_resnet50},
    {"bert", "BERT-Large uncased with SQuAD's head, free sequence length", net_build_bert},
};
static const char *const names[] = {"resnet50", "bert", NULL};
_Static_assert(sizeof(names) / sizeof(names[0]) == sizeof(net_table) / sizeof(net_table[0]) + 1,
               "names lists net_table");

struct net_format {
    const char *name;
    int (*write)(const struct net *net, const struct net_weights *w, uint64_t seed,
                 const char *path, struct assay_err *err);
};

static const struct net_format format_table[] = {
    {"onnx", onnx_write},
    {"tensorflow", graphdef_write},
    {"torchscript", torchscript_write},
};
static const char *const formats[] = {"onnx", "tensorflow", "torchscript", NULL};
_Static_assert(sizeof(formats) / sizeof(formats[0]) ==
                   sizeof(format_table) / sizeof(format_table[0]) + 1,
               "formats lists format_table");

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

const char *const *net_names(size_t *n)
{
    *n = COUNT(net_table);
    return names;
}

const char *const *net_formats(size_t *n)
{
    *n = COUNT(format_table);
    return formats;
}

static const struct net_row *find(const char *name)
{
    size_t i;

    for (i = 0; i < COUNT(net_table); i++)
        if (!strcmp(net_table[i].name, name))
            return &net_table[i];
    return NULL;
}

bool net_find(const char *name)
{
    return find(name) != NULL;
}

const char *net_op_name(enum net_op op)
{
    static const char *const name[] = {"input",      "conv",   "batch norm",   "relu",
                                       "max pool",   "add",    "average pool", "fully connected",
                                       "softmax",    "argmax", "embedding",    "positions",
                                       "layer norm", "gelu",   "mask",         "attention",
                                       "pick"};

    return name[op];
}

/* ---- building ---- */

static void broken(struct net *net, const char *layer, const char *what)
{
    if (!net->failed)
        snprintf(net->reason, sizeof(net->reason), "layer '%s': %s", layer, what);
    net->failed = 1;
}

struct net_shape net_image(int c, int h, int w)
{
    return (struct net_shape){.rank = 3, .dims = {c, h, w, 1, 1}};
}

const char *net_free_name(uint32_t dim)
{
    return dim ? "S" : "N";
}

static bool same_shape(const struct net_shape *a, const struct net_shape *b)
{
    return a->rank == b->rank && a->free == b->free && !memcmp(a->dims, b->dims, sizeof(a->dims));
}

static struct net_shape window_shape(const struct net_layer *l, struct net_shape s)
{
    s.h += l->pad[0] + l->pad[2] - l->kernel;
    s.w += l->pad[1] + l->pad[3] - l->kernel;
    if (s.rank != 3 || s.free || s.h < 0 || s.w < 0)
        return (struct net_shape){0};
    s.h = s.h / l->stride + 1;
    s.w = s.w / l->stride + 1;
    if (l->op == NET_CONV)
        s.c = l->out;
    return s;
}

/* [s, width] three times and [1, 1, s]. */
static bool attention_fits(const struct net_layer *l, const struct net_shape *const in[])
{
    return in[0]->rank == 2 && same_shape(in[0], in[1]) && same_shape(in[0], in[2]) &&
           in[3]->rank == 3 && in[3]->dims[2] == in[0]->dims[0] && in[0]->dims[1] % l->out == 0;
}

struct net_shape net_shape_of(const struct net_layer *l, const struct net_shape *const in[])
{
    static const struct net_shape none = {0};
    struct net_shape s = *in[0];

    switch (l->op) {
    case NET_CONV:
    case NET_MAXPOOL:
        return window_shape(l, s);
    case NET_GAP:
        s = s.rank == 3 ? net_image(s.c, 1, 1) : none;
        s.rank = 1;
        break;
    case NET_FC:
        if (s.rank < 1 || (s.free >> (s.rank - 1) & 1))
            return none;
        s.dims[s.rank - 1] = l->out;
        break;
    case NET_ADD:
        return same_shape(in[0], in[1]) ? s : none;
    case NET_SOFTMAX:
        return s.rank == 1 ? s : none;
    case NET_ARGMAX:
        if (s.rank != 1)
            return none;
        s = net_image(1, 1, 1);
        s.rank = 0;
        break;
    case NET_EMBED:
        if (s.rank == NET_RANK)
            return none;
        s.dims[s.rank++] = l->out;
        break;
    case NET_POSITION:
        return s.rank == 2 && s.dims[0] <= l->out ? s : none;
    case NET_MASK:
        s = (struct net_shape){.rank = 3, .dims = {1, 1, s.dims[0], 1, 1}, .free = s.free << 2};
        break;
    case NET_ATTENTION:
        return attention_fits(l, in) ? s : none;
    case NET_PICK:
        if (s.rank < 2 || l->out >= s.dims[s.rank - 1])
            return none;
        s.dims[--s.rank] = 1;
        break;
    default:
        break;
    }
    return s;
}

/* Appends a copy of l; its shape follows from its inputs. */
static int append(struct net *net, const char *name, struct net_layer l)
{
    const struct net_shape *in[NET_INPUTS];
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
    l.gain = 1.0f;
    net->layers[net->layer_count] = l;
    return net->layer_count++;
}

static void add_tensor(struct net *net, int layer, enum net_role role, uint32_t rank,
                       const int64_t *dims)
{
    static const char *const suffix[] = {"weight", "bias", "running_mean", "running_var"};
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
    snprintf(t.name, sizeof(t.name), "%s.%s", net->layers[layer].name, suffix[role]);
    net->tensors[net->tensor_count++] = t;
    net->layers[layer].tensors++;
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
        broken(net, name, "the inputs must be the first layers, and at most 4");
    if (net->failed)
        return 0;
    net->inputs[net->input_count++] = spec_of(name, dtype, &shape);
    return append(net, name, l);
}

int net_add_input(struct net *net, const char *name, int c, int h, int w)
{
    return add_input(net, name, ASSAY_F32, net_image(c, h, w));
}

int net_add_sequence(struct net *net, const char *name, int usual)
{
    return add_input(net, name, ASSAY_I64,
                     (struct net_shape){.rank = 1, .dims = {usual, 1, 1, 1, 1}, .free = 1});
}

/* Padding keeps the size at stride 1: (kernel - 1) / 2 on every side. */
int net_add_conv(struct net *net, const char *name, int in, int out_channels, int kernel,
                 int stride)
{
    int p = (kernel - 1) / 2, at, in_c;
    struct net_layer l = {.op = NET_CONV,
                          .in = {in},
                          .ins = 1,
                          .out = out_channels,
                          .kernel = kernel,
                          .stride = stride,
                          .pad = {p, p, p, p}};

    at = append(net, name, l);
    if (net->failed)
        return 0;
    in_c = net->layers[in].shape.c;
    add_tensor(net, at, NET_WEIGHT, 4, (int64_t[]){out_channels, in_c, kernel, kernel});
    net->layers[at].macs = (uint64_t)out_channels * (uint64_t)in_c * (uint64_t)(kernel * kernel) *
                           (uint64_t)(net->layers[at].shape.h * net->layers[at].shape.w);
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

static uint64_t elements(const struct net_shape *s)
{
    uint64_t n = 1;
    int i;

    for (i = 0; i < s->rank; i++)
        n *= (uint64_t)s->dims[i];
    return n;
}

int net_add_fc(struct net *net, const char *name, int in, int out)
{
    struct net_layer l = {.op = NET_FC, .in = {in}, .ins = 1, .out = out};
    int at = append(net, name, l), width;

    if (net->failed)
        return 0;
    width = net->layers[in].shape.dims[net->layers[in].shape.rank - 1];
    add_tensor(net, at, NET_WEIGHT, 2, (int64_t[]){out, width});
    add_tensor(net, at, NET_BIAS, 1, (int64_t[]){out});
    net->layers[at].macs = elements(&net->layers[at].shape) * (uint64_t)width;
    return at;
}

int net_add_sum(struct net *net, const char *name, int a, int b)
{
    struct net_layer l = {.op = NET_ADD, .in = {a, b}, .ins = 2};

    return append(net, name, l);
}

int net_add_embed(struct net *net, const char *name, int in, int rows, int width)
{
    struct net_layer l = {.op = NET_EMBED, .in = {in}, .ins = 1, .out = width};
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

    memcpy(l.in, in, sizeof(l.in));
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

    return append(net, name, l);
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

int net_create_from(const char *name, const char *summary, void (*build)(struct net *),
                    struct net **out, struct assay_err *err)
{
    struct net *net = calloc(1, sizeof(*net));
    int rc;

    if (!net)
        return assay_fail(err, ASSAY_EFAIL, "net %s: out of memory", name);
    net->name = name;
    net->summary = summary;
    build(net);
    if (net->failed) {
        rc = assay_fail(err, ASSAY_EFAIL, "net %s: %s", name, net->reason);
        net_destroy(net);
        return rc;
    }
    *out = net;
    return ASSAY_OK;
}

int net_create(const char *name, struct net **out, struct assay_err *err)
{
    const struct net_row *row = find(name);
    const char *near;

    if (row)
        return net_create_from(row->name, row->summary, row->build, out, err);
    near = text_nearest(name, names, COUNT(net_table), sizeof(names[0]));
    return assay_fail(err, ASSAY_EUSAGE, "no net is called '%s'%s%s%s; `assay net list` shows all",
                      name, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

void net_destroy(struct net *net)
{
    if (!net)
        return;
    free(net->layers);
    free(net->tensors);
    free(net);
}

/* ---- counts ---- */

bool net_reads(const struct net_layer *l, int layer)
{
    int i;

    for (i = 0; i < l->ins; i++)
        if (l->in[i] == layer)
            return true;
    return false;
}

int net_folded_bn(const struct net *net, int conv)
{
    int i, users = 0, bn = -1;

    for (i = 0; i < net->layer_count; i++) {
        if (!net_reads(&net->layers[i], conv))
            continue;
        users++;
        if (net->layers[i].op == NET_BN)
            bn = i;
    }
    for (i = 0; i < net->output_count; i++)
        users += net->output_layer[i] == conv;
    return net->layers[conv].op == NET_CONV && users == 1 ? bn : -1;
}

/* Of one layer: running statistics are no parameters; a folded batch norm leaves one bias a
 * channel. */
static uint64_t layer_parameters(const struct net *net, const struct net_layer *l, bool folded)
{
    uint64_t sum = 0;
    int i;

    if (folded && l->op == NET_BN && net_folded_bn(net, l->in[0]) >= 0)
        return (uint64_t)l->shape.c;
    for (i = l->tensor; i < l->tensor + l->tensors; i++)
        if (net->tensors[i].role == NET_WEIGHT || net->tensors[i].role == NET_BIAS)
            sum += net->tensors[i].count;
    return sum;
}

uint64_t net_parameters(const struct net *net, bool folded)
{
    uint64_t sum = 0;
    int i;

    for (i = 0; i < net->layer_count; i++)
        sum += layer_parameters(net, &net->layers[i], folded);
    return sum;
}

uint64_t net_macs(const struct net *net)
{
    uint64_t sum = 0;
    int i;

    for (i = 0; i < net->layer_count; i++)
        sum += net->layers[i].macs;
    return sum;
}

/* ---- the two calls ---- */

static json_t *spec_json(const struct assay_tensor_spec *spec)
{
    json_t *dims = json_array();
    uint32_t i;

    for (i = 0; i < spec->rank; i++)
        json_array_append_new(dims, spec->dims[i] < 0 ? json_string(net_free_name(i))
                                                      : json_integer(spec->dims[i]));
    return json_pack("{s:s, s:s, s:o}", "name", spec->name, "dtype", assay_dtype_name(spec->dtype),
                     "dims", dims);
}

static json_t *layer_json(const struct net *net, const struct net_layer *l)
{
    json_t *in = json_array(), *dims = json_array();
    int i;

    for (i = 0; i < l->ins; i++)
        json_array_append_new(in, json_string(net->layers[l->in[i]].name));
    for (i = 0; i < l->shape.rank; i++)
        json_array_append_new(dims, json_integer(l->shape.dims[i]));
    return json_pack("{s:s, s:s, s:o, s:o, s:I, s:I}", "name", l->name, "op", net_op_name(l->op),
                     "inputs", in, "output", dims, "parameters",
                     (json_int_t)layer_parameters(net, l, false), "macs", (json_int_t)l->macs);
}

int net_describe(const char *name, json_t **out, struct assay_err *err)
{
    json_t *layers, *inputs, *outputs, *written;
    struct net *net = NULL;
    int rc, i, convs = 0;
    size_t f;

    rc = net_create(name, &net, err);
    if (!net)
        return rc;
    layers = json_array();
    inputs = json_array();
    outputs = json_array();
    written = json_array();
    for (i = 0; i < net->layer_count; i++) {
        json_array_append_new(layers, layer_json(net, &net->layers[i]));
        convs += net->layers[i].op == NET_CONV;
    }
    for (i = 0; i < net->input_count; i++)
        json_array_append_new(inputs, spec_json(&net->inputs[i]));
    for (i = 0; i < net->output_count; i++)
        json_array_append_new(outputs, spec_json(&net->outputs[i]));
    for (f = 0; f < COUNT(format_table); f++)
        json_array_append_new(written, json_string(formats[f]));
    *out = json_pack("{s:s, s:s, s:I, s:I, s:I, s:i, s:o, s:o, s:o, s:o}", "name", net->name,
                     "summary", net->summary, "parameters", (json_int_t)net_parameters(net, false),
                     "parameters_folded", (json_int_t)net_parameters(net, true), "macs",
                     (json_int_t)net_macs(net), "convolutions", convs, "inputs", inputs, "outputs",
                     outputs, "formats", written, "layers", layers);
    if (!*out)
        rc = assay_fail(err, ASSAY_EFAIL, "net %s: out of memory", name);
    net_destroy(net);
    return rc;
}

int net_write(const char *name, const char *format, uint64_t seed, const char *path,
              struct assay_err *err)
{
    const struct net_format *row = NULL;
    struct net_weights *weights = NULL;
    struct net *net = NULL;
    const char *near;
    size_t i;
    int rc;

    for (i = 0; i < COUNT(format_table); i++)
        if (!strcmp(format_table[i].name, format))
            row = &format_table[i];
    if (!row) {
        near = text_nearest(format, formats, COUNT(format_table), sizeof(formats[0]));
        return assay_fail(err, ASSAY_EUSAGE, "nets cannot be written as '%s'; use --format %s",
                          format, near ? near : formats[0]);
    }
    rc = net_create(name, &net, err);
    if (!rc)
        rc = net_weights_create(net, seed, &weights, err);
    if (!rc)
        rc = row->write(net, weights, seed, path, err);
    net_weights_destroy(weights);
    net_destroy(net);
    return rc;
}
