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
    {"resnet50-torchvision", "ResNet-50 v1.5, 224x224, 1000 classes, as in torchvision",
     net_build_resnet50_torchvision},
    {"check", "what `assay engines check` holds engines against each other with, 101 classes",
     net_build_check},
};
static const char *const names[] = {"resnet50", "resnet50-torchvision", "check", NULL};
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
    static const char *const name[] = {"input",    "conv",  "batch norm",   "relu",
                                       "max pool", "add",   "average pool", "fully connected",
                                       "softmax",  "argmax"};

    return name[op];
}

/* ---- building ---- */

static void broken(struct net *net, const char *layer, const char *what)
{
    if (!net->failed)
        snprintf(net->reason, sizeof(net->reason), "layer '%s': %s", layer, what);
    net->failed = 1;
}

struct net_shape net_shape_of(const struct net_layer *l, const struct net_shape *a,
                              const struct net_shape *b)
{
    struct net_shape s = *a;

    switch (l->op) {
    case NET_CONV:
    case NET_MAXPOOL:
        s.h += l->pad[0] + l->pad[2] - l->kernel;
        s.w += l->pad[1] + l->pad[3] - l->kernel;
        if (s.h < 0 || s.w < 0)
            return (struct net_shape){0, 0, 0};
        s.h = s.h / l->stride + 1;
        s.w = s.w / l->stride + 1;
        if (l->op == NET_CONV)
            s.c = l->shape.c;
        break;
    case NET_GAP:
        s.h = s.w = 1;
        break;
    case NET_FC:
        s.c = a->h == 1 && a->w == 1 ? l->shape.c : 0;
        break;
    case NET_ADD:
        if (!b || a->c != b->c || a->h != b->h || a->w != b->w)
            s.c = 0;
        break;
    case NET_ARGMAX:
        s.c = 1;
        break;
    default:
        break;
    }
    return s;
}

/* Appends a copy of l; its shape follows from its inputs. */
static int append(struct net *net, const char *name, struct net_layer l)
{
    struct net_layer *grown;
    struct net_shape *a, *b;
    int i;

    if (net->failed)
        return 0;
    if (strlen(name) >= sizeof(l.name))
        broken(net, name, "the name is too long");
    for (i = 0; i < net->layer_count; i++)
        if (!strcmp(net->layers[i].name, name))
            broken(net, name, "the name is used twice");
    for (i = 0; i < 2 && l.op != NET_INPUT; i++)
        if (l.in[i] >= net->layer_count || (l.in[i] < 0 && (i == 0 || l.op == NET_ADD)))
            broken(net, name, "an input is no earlier layer");
    grown = realloc(net->layers, (size_t)(net->layer_count + 1) * sizeof(*grown));
    if (!grown)
        broken(net, name, "out of memory");
    else
        net->layers = grown;
    if (net->failed)
        return 0;
    snprintf(l.name, sizeof(l.name), "%s", name);
    if (l.op != NET_INPUT) {
        a = &net->layers[l.in[0]].shape;
        b = l.in[1] < 0 ? NULL : &net->layers[l.in[1]].shape;
        l.shape = net_shape_of(&l, a, b);
        if (l.shape.c <= 0)
            broken(net, name, "its input has the wrong shape");
    }
    l.tensor = net->tensor_count;
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

int net_add_input(struct net *net, const char *name, int c, int h, int w)
{
    struct net_layer l = {.op = NET_INPUT, .in = {-1, -1}, .shape = {c, h, w}};

    net->input = (struct assay_tensor_spec){name, ASSAY_F32, 4, {-1, c, h, w}};
    if (net->layer_count)
        broken(net, name, "the input must be the first layer");
    return append(net, name, l);
}

/* Padding keeps the size at stride 1: (kernel - 1) / 2 on every side. */
int net_add_conv(struct net *net, const char *name, int in, int out_channels, int kernel,
                 int stride)
{
    int p = (kernel - 1) / 2, at, in_c;
    struct net_layer l = {.op = NET_CONV,
                          .in = {in, -1},
                          .shape = {out_channels, 0, 0},
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
    struct net_layer l = {.op = NET_BN, .in = {in, -1}, .epsilon = 1e-5f};
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
                          .in = {in, -1},
                          .kernel = kernel,
                          .stride = stride,
                          .pad = {pad[0], pad[1], pad[2], pad[3]}};

    return append(net, name, l);
}

int net_add_fc(struct net *net, const char *name, int in, int out)
{
    struct net_layer l = {.op = NET_FC, .in = {in, -1}, .shape = {out, 1, 1}};
    int at = append(net, name, l), in_c;

    if (net->failed)
        return 0;
    in_c = net->layers[in].shape.c;
    add_tensor(net, at, NET_WEIGHT, 2, (int64_t[]){out, in_c});
    add_tensor(net, at, NET_BIAS, 1, (int64_t[]){out});
    net->layers[at].macs = (uint64_t)out * (uint64_t)in_c;
    return at;
}

int net_add_sum(struct net *net, const char *name, int a, int b)
{
    struct net_layer l = {.op = NET_ADD, .in = {a, b}};

    return append(net, name, l);
}

int net_add_plain(struct net *net, enum net_op op, const char *name, int in)
{
    struct net_layer l = {.op = op, .in = {in, -1}};

    return append(net, name, l);
}

void net_add_output(struct net *net, const char *name, int layer)
{
    const struct net_layer *l;
    struct assay_tensor_spec *spec;

    if (net->output_count == (int)COUNT(net->outputs))
        broken(net, name, "too many outputs");
    if (net->failed)
        return;
    l = &net->layers[layer];
    spec = &net->outputs[net->output_count];
    *spec = (struct assay_tensor_spec){name, ASSAY_F32, 2, {-1, l->shape.c}};
    if (l->op == NET_ARGMAX)
        *spec = (struct assay_tensor_spec){name, ASSAY_I64, 1, {-1}};
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

int net_folded_bn(const struct net *net, int conv)
{
    int i, users = 0, bn = -1;

    for (i = 0; i < net->layer_count; i++) {
        if (net->layers[i].in[0] != conv && net->layers[i].in[1] != conv)
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
        json_array_append_new(dims,
                              spec->dims[i] < 0 ? json_string("N") : json_integer(spec->dims[i]));
    return json_pack("{s:s, s:s, s:o}", "name", spec->name, "dtype", assay_dtype_name(spec->dtype),
                     "dims", dims);
}

static json_t *layer_json(const struct net *net, const struct net_layer *l)
{
    json_t *in = json_array();
    int i;

    for (i = 0; i < 2; i++)
        if (l->in[i] >= 0)
            json_array_append_new(in, json_string(net->layers[l->in[i]].name));
    return json_pack("{s:s, s:s, s:o, s:[i,i,i], s:I, s:I}", "name", l->name, "op",
                     net_op_name(l->op), "inputs", in, "output", l->shape.c, l->shape.h, l->shape.w,
                     "parameters", (json_int_t)layer_parameters(net, l, false), "macs",
                     (json_int_t)l->macs);
}

int net_describe(const char *name, json_t **out, struct assay_err *err)
{
    json_t *layers, *outputs, *written;
    struct net *net = NULL;
    int rc, i, convs = 0;
    size_t f;

    rc = net_create(name, &net, err);
    if (!net)
        return rc;
    layers = json_array();
    outputs = json_array();
    written = json_array();
    for (i = 0; i < net->layer_count; i++) {
        json_array_append_new(layers, layer_json(net, &net->layers[i]));
        convs += net->layers[i].op == NET_CONV;
    }
    for (i = 0; i < net->output_count; i++)
        json_array_append_new(outputs, spec_json(&net->outputs[i]));
    for (f = 0; f < COUNT(format_table); f++)
        json_array_append_new(written, json_string(formats[f]));
    *out =
        json_pack("{s:s, s:s, s:I, s:I, s:I, s:i, s:[o], s:o, s:o, s:o}", "name", net->name,
                  "summary", net->summary, "parameters", (json_int_t)net_parameters(net, false),
                  "parameters_folded", (json_int_t)net_parameters(net, true), "macs",
                  (json_int_t)net_macs(net), "convolutions", convs, "inputs",
                  spec_json(&net->input), "outputs", outputs, "formats", written, "layers", layers);
    if (!*out)
        rc = assay_fail(err, ASSAY_EFAIL, "net %s: out of memory", name);
    net_destroy(net);
    return rc;
}

static const struct net_format *find_format(const char *format, struct assay_err *err)
{
    const char *near;
    size_t i;

    for (i = 0; i < COUNT(format_table); i++)
        if (!strcmp(format_table[i].name, format))
            return &format_table[i];
    near = text_nearest(format, formats, COUNT(format_table), sizeof(formats[0]));
    assay_fail(err, ASSAY_EUSAGE, "nets cannot be written as '%s'; use --format %s", format,
               near ? near : formats[0]);
    return NULL;
}

int net_write_as(const struct net *net, const struct net_weights *w, const char *format,
                 uint64_t seed, const char *path, struct assay_err *err)
{
    const struct net_format *row = find_format(format, err);

    return row ? row->write(net, w, seed, path, err) : ASSAY_EUSAGE;
}

int net_write(const char *name, const char *format, uint64_t seed, const char *path,
              struct assay_err *err)
{
    struct net_weights *weights = NULL;
    struct net *net = NULL;
    int rc;

    if (!find_format(format, err))
        return ASSAY_EUSAGE;
    rc = net_create(name, &net, err);
    if (!rc)
        rc = net_weights_create(net, seed, &weights, err);
    if (!rc)
        rc = net_write_as(net, weights, format, seed, path, err);
    net_weights_destroy(weights);
    net_destroy(net);
    return rc;
}
