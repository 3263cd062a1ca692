/* The table of nets, the counts, and what users call. */
#include "net/nets.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "net/checkpoint.h"
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
    {"bert", "BERT-Large uncased with SQuAD's head, free sequence length", net_build_bert},
    {"retinanet", "RetinaNet with ResNeXt-50 32x4d, 800x800, 264 classes: its heads' outputs",
     net_build_retinanet},
    {"3d-unet", "3D-UNet for KiTS19, 128x128x128, 3 classes", net_build_unet3d},
    {"dlrm", "DLRM for Criteo Terabyte, tables cut to 100,000 rows; dlrm:rows=N: to N",
     net_build_dlrm},
    {"dlrm-v2", "DLRM-DCNv2 for Criteo Terabyte, tables cut to 100,000 rows; dlrm-v2:rows=N: to N",
     net_build_dlrm_v2},
    {"rnnt-encoder", "RNN-T for LibriSpeech: the encoder", net_build_rnnt_encoder},
    {"rnnt-prediction", "RNN-T: the prediction network, one label", net_build_rnnt_prediction},
    {"rnnt-joint", "RNN-T: the joint network, one pair", net_build_rnnt_joint},
    {"check", "what `assay engines check` holds engines against each other with, 101 classes",
     net_build_check},
};
/* What of a net a user may choose. */
static const struct net_size {
    const char *net, *name;
    int64_t usual;
} size_table[] = {{"dlrm", "rows", 100000}, {"dlrm-v2", "rows", 100000}};
static const char *const names[] = {
    "resnet50",     "resnet50-torchvision", "bert",       "retinanet", "3d-unet", "dlrm", "dlrm-v2",
    "rnnt-encoder", "rnnt-prediction",      "rnnt-joint", "check",     NULL};
_Static_assert(sizeof(names) / sizeof(names[0]) == sizeof(net_table) / sizeof(net_table[0]) + 1,
               "names lists net_table");

/* What nets are written as; of a format fp32 comes first. */
struct net_form {
    const char *format, *precision;
    int (*write)(const struct net *net, const struct net_weights *w, uint64_t seed,
                 const char *path, struct assay_err *err);
};

static const struct net_form form_table[] = {
    {"onnx", "fp32", onnx_write},
    {"onnx", "fp16", onnx_write_half},
    {"onnx", "int8", onnx_write_int8},
    {"tensorflow", "fp32", graphdef_write},
    {"torchscript", "fp32", torchscript_write},
    {"checkpoint", "fp32", checkpoint_write},
};
static const char *const formats[] = {"onnx", "tensorflow", "torchscript", "checkpoint", NULL};

/* Nets whose weights are published in one file; only as that are they one. */
#define MOST_PARTS 3
static const struct net_whole {
    const char *name, *parts[MOST_PARTS];
} whole_table[] = {{"rnnt", {"rnnt-encoder", "rnnt-prediction", "rnnt-joint"}}};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

const char *const *net_names(size_t *n)
{
    *n = COUNT(net_table);
    return names;
}

const char *const *net_formats(size_t *n)
{
    *n = COUNT(formats) - 1;
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
    static const char *const name[] = {
        [NET_INPUT] = "input",
        [NET_CONV] = "conv",
        [NET_BN] = "batch norm",
        [NET_RELU] = "relu",
        [NET_MAXPOOL] = "max pool",
        [NET_ADD] = "add",
        [NET_MUL] = "multiply",
        [NET_GAP] = "average pool",
        [NET_FC] = "fully connected",
        [NET_SOFTMAX] = "softmax",
        [NET_ARGMAX] = "argmax",
        [NET_EMBED] = "embedding",
        [NET_BAG] = "embedding bag",
        [NET_POSITION] = "positions",
        [NET_LAYERNORM] = "layer norm",
        [NET_GELU] = "gelu",
        [NET_MASK] = "mask",
        [NET_ATTENTION] = "attention",
        [NET_PICK] = "pick",
        [NET_DECONV] = "transposed conv",
        [NET_UPSAMPLE] = "upsample",
        [NET_CONCAT] = "concat",
        [NET_STANDARDISE] = "standardise",
        [NET_STACK] = "stack",
        [NET_DOTS] = "dot products",
        [NET_SIGMOID] = "sigmoid",
        [NET_LSTM] = "lstm",
        [NET_CELL] = "cell state",
        [NET_STACKTIME] = "stack time",
        [NET_INSTANCENORM] = "instance norm",
    };

    return name[op];
}

/* ---- making one ---- */

static int create(const char *name, const char *summary, void (*build)(struct net *), int64_t size,
                  struct net **out, struct assay_err *err)
{
    struct net *net = calloc(1, sizeof(*net));
    int rc;

    if (!net)
        return assay_fail(err, ASSAY_EFAIL, "net %s: out of memory", name);
    net->name = name;
    net->summary = summary;
    net->size = size;
    build(net);
    if (net->failed) {
        rc = assay_fail(err, ASSAY_EFAIL, "net %s: %s", name, net->reason);
        net_destroy(net);
        return rc;
    }
    *out = net;
    return ASSAY_OK;
}

int net_create_from(const char *name, const char *summary, void (*build)(struct net *),
                    struct net **out, struct assay_err *err)
{
    return create(name, summary, build, 0, out, err);
}

static const struct net_size *find_size(const char *net)
{
    for (size_t i = 0; i < COUNT(size_table); i++)
        if (!strcmp(size_table[i].net, net))
            return &size_table[i];
    return NULL;
}

/* "SIZE=N", where `of` is what the net has; NULL: it has none. */
static int read_size(const char *net, const struct net_size *of, const char *text, int64_t *size,
                     struct assay_err *err)
{
    size_t n = of ? strlen(of->name) : 0;
    char *end = NULL;

    if (!of)
        return assay_fail(err, ASSAY_EUSAGE, "net %s: has no size to choose, as in '%.60s'", net,
                          text);
    if (!strncmp(text, of->name, n) && text[n] == '=')
        *size = strtoll(text + n + 1, &end, 10);
    if (!end || *end || *size < 1 || *size > INT32_MAX)
        return assay_fail(err, ASSAY_EUSAGE,
                          "net %s: '%.60s' is not known; wanted: %s=N, N from 1 to %d", net, text,
                          of->name, INT32_MAX);
    return ASSAY_OK;
}

static int create_row(const struct net_row *row, const char *wanted, struct net **out,
                      struct assay_err *err)
{
    const struct net_size *of = find_size(row->name);
    int64_t usual = of ? of->usual : 0, size = usual;
    int rc = wanted ? read_size(row->name, of, wanted, &size, err) : ASSAY_OK;

    if (!rc)
        rc = create(row->name, row->summary, row->build, size, out, err);
    if (!rc && size != usual) {
        (*out)->own_name = text_format("%s:%s=%lld", row->name, of->name, (long long)size);
        (*out)->name = (*out)->own_name ? (*out)->own_name : row->name;
    }
    return rc;
}

int net_create(const char *name, struct net **out, struct assay_err *err)
{
    size_t n = strcspn(name, ":");
    char plain[64];
    const struct net_row *row;
    const char *near;

    snprintf(plain, sizeof(plain), "%.*s", (int)n, name);
    if ((row = find(plain)))
        return create_row(row, name[n] ? name + n + 1 : NULL, out, err);
    near = text_nearest(plain, names, COUNT(net_table), sizeof(names[0]));
    return assay_fail(err, ASSAY_EUSAGE, "no net is called '%s'%s%s%s; `assay net list` shows all",
                      name, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

void net_destroy(struct net *net)
{
    if (!net)
        return;
    free(net->layers);
    free(net->tensors);
    free(net->own_name);
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
    if (l != &net->layers[l->owner])
        return 0; /* they are counted there */
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
    for (f = 0; formats[f]; f++)
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

static const struct net_form *find_form(const char *format, const char *precision)
{
    size_t i;

    for (i = 0; i < COUNT(form_table); i++)
        if (!strcmp(form_table[i].format, format) && !strcmp(form_table[i].precision, precision))
            return &form_table[i];
    return NULL;
}

bool net_has_form(const char *format, const char *precision)
{
    return find_form(format, precision) != NULL;
}

/* What is wrong with a form that the table has not. */
static int no_form(const char *format, const char *precision, struct assay_err *err)
{
    const char *near;

    if (find_form(format, "fp32"))
        return assay_fail(err, ASSAY_EUSAGE, "nets cannot be written in '%s' as %s", precision,
                          format);
    near = text_nearest(format, formats, COUNT(formats) - 1, sizeof(formats[0]));
    return assay_fail(err, ASSAY_EUSAGE, "nets cannot be written as '%s'; use --format %s", format,
                      near ? near : formats[0]);
}

int net_write_as(const struct net *net, const struct net_weights *w, const char *format,
                 const char *precision, uint64_t seed, const char *path, struct assay_err *err)
{
    const struct net_form *form = find_form(format, precision);

    return form ? form->write(net, w, seed, path, err) : no_form(format, precision, err);
}

static const struct net_whole *find_whole(const char *name)
{
    for (size_t i = 0; i < COUNT(whole_table); i++)
        if (!strcmp(whole_table[i].name, name))
            return &whole_table[i];
    return NULL;
}

static int write_whole(const struct net_whole *whole, uint64_t seed, const char *path,
                       struct assay_err *err)
{
    struct checkpoint_part parts[MOST_PARTS];
    struct net_weights *w[MOST_PARTS] = {NULL};
    struct net *net[MOST_PARTS] = {NULL};
    int rc = ASSAY_OK;

    for (size_t i = 0; !rc && i < MOST_PARTS; i++) {
        rc = net_create(whole->parts[i], &net[i], err);
        if (!rc)
            rc = net_weights_create(net[i], seed, &w[i], err);
        parts[i] = (struct checkpoint_part){net[i], w[i]};
    }
    if (!rc)
        rc = checkpoint_write_parts(parts, MOST_PARTS, seed, path, err);
    for (size_t i = 0; i < MOST_PARTS; i++) {
        net_weights_destroy(w[i]);
        net_destroy(net[i]);
    }
    return rc;
}

int net_write(const char *name, const char *format, const char *precision, uint64_t seed,
              const char *path, struct assay_err *err)
{
    const struct net_whole *whole = find_whole(name);
    struct net_weights *weights = NULL;
    struct net *net = NULL;
    int rc;

    if (!find_form(format, precision))
        return no_form(format, precision, err);
    if (whole && !strcmp(format, "checkpoint"))
        return write_whole(whole, seed, path, err);
    rc = net_create(name, &net, err);
    if (!rc)
        rc = net_weights_create(net, seed, &weights, err);
    if (!rc)
        rc = net_write_as(net, weights, format, precision, seed, path, err);
    net_weights_destroy(weights);
    net_destroy(net);
    return rc;
}
