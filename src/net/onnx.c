/* Writes a net as ONNX (fp32, opset 13), by our own protobuf encoding.
 *
 * Field numbers are those of onnx.proto; the ones used stand in the enums below.  A model is
 *   ModelProto { ir_version, producer, graph { node…, name, initializer…, input, output }, opset,
 * metadata } and a message's length stands in front of it, so sizes come first: nodes and
 * descriptions are built in memory (some kB), initialisers' sizes follow from their shapes, and
 * then weights are streamed one tensor at a time.  Memory above the weights themselves: one tensor.
 */
#include "net/exact.h"
#include "net/onnx.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/file.h"
#include "net/fold.h"
#include "net/wire.h"

enum {
    MODEL_IR_VERSION = 1,
    MODEL_PRODUCER = 2,
    MODEL_GRAPH = 7,
    MODEL_OPSET = 8,
    MODEL_METADATA = 14
};
enum { GRAPH_NODE = 1, GRAPH_NAME = 2, GRAPH_INITIALIZER = 5, GRAPH_INPUT = 11, GRAPH_OUTPUT = 12 };
enum { NODE_INPUT = 1, NODE_OUTPUT, NODE_NAME, NODE_OP, NODE_ATTRIBUTE };
enum {
    ATTRIBUTE_NAME = 1,
    ATTRIBUTE_I = 3,
    ATTRIBUTE_INTS = 8,
    ATTRIBUTE_TYPE = 20,
    TYPE_INT = 2,
    TYPE_INTS = 7
};
enum { TENSOR_DIMS = 1, TENSOR_TYPE = 2, TENSOR_NAME = 8, TENSOR_RAW = 9 };
enum { ELEM_FLOAT = 1, ELEM_INT64 = 7 };

#define LIMIT    0x7fffffffu /* protobuf's parsers stop at 2 GB */
#define META_MAX (4u << 20)  /* of everything but weights */

/* ---- nodes ---- */

/* ints with n = 0: one plain integer. */
static void attribute(struct text *node, const char *name, const int *values, int n)
{
    struct text a;
    int i;

    text_init(&a, META_MAX);
    wire_string(&a, ATTRIBUTE_NAME, name);
    if (n == 0)
        wire_int(&a, ATTRIBUTE_I, (uint64_t)(int64_t)values[0]);
    for (i = 0; i < n; i++)
        wire_int(&a, ATTRIBUTE_INTS, (uint64_t)(int64_t)values[i]);
    wire_int(&a, ATTRIBUTE_TYPE, n ? TYPE_INTS : TYPE_INT);
    wire_message(node, NODE_ATTRIBUTE, &a);
    text_release(&a);
}

/* The name of a layer's result: an output's official name, or the layer's own; a folded batch
 * norm's result is what its convolution makes. */
static const char *value_name(const struct net *net, int layer)
{
    int i;

    for (i = 0; i < net->output_count; i++)
        if (net->output_layer[i] == layer)
            return net->outputs[i].name;
    return net->layers[layer].name;
}

static void node_begin(struct text *node, const struct net *net, const struct net_layer *l)
{
    int i;

    text_clear(node);
    for (i = 0; i < 2; i++)
        if (l->in[i] >= 0)
            wire_string(node, NODE_INPUT, value_name(net, l->in[i]));
}

static void node_end(struct text *graph, struct text *node, const char *op, const char *name,
                     const char *output)
{
    wire_string(node, NODE_OUTPUT, output);
    wire_string(node, NODE_NAME, name);
    wire_string(node, NODE_OP, op);
    wire_message(graph, GRAPH_NODE, node);
}

static void weight_inputs(struct text *node, const char *layer)
{
    char name[96];

    snprintf(name, sizeof(name), "%s.weight", layer);
    wire_string(node, NODE_INPUT, name);
    snprintf(name, sizeof(name), "%s.bias", layer);
    wire_string(node, NODE_INPUT, name);
}

/* Layers whose node has no weights; a batch norm has none of its own and makes no node. */
static void plain_node(struct text *graph, struct text *node, const struct net *net, int at)
{
    const struct net_layer *l = &net->layers[at];
    static const char *const op[] = {
        [NET_RELU] = "Relu",      [NET_MAXPOOL] = "MaxPool", [NET_ADD] = "Add",
        [NET_GAP] = "ReduceMean", [NET_SOFTMAX] = "Softmax", [NET_ARGMAX] = "ArgMax"};
    static const int space[2] = {2, 3}, one = 1, zero = 0;

    node_begin(node, net, l);
    switch (l->op) {
    case NET_MAXPOOL:
        attribute(node, "kernel_shape", (int[]){l->kernel, l->kernel}, 2);
        attribute(node, "strides", (int[]){l->stride, l->stride}, 2);
        attribute(node, "pads", l->pad, 4);
        break;
    case NET_GAP:
        attribute(node, "axes", space, 2);
        attribute(node, "keepdims", &zero, 0);
        break;
    case NET_SOFTMAX:
        attribute(node, "axis", &one, 0);
        break;
    case NET_ARGMAX:
        attribute(node, "axis", &one, 0);
        attribute(node, "keepdims", &zero, 0);
        break;
    default:
        break;
    }
    node_end(graph, node, op[l->op], l->name, value_name(net, at));
}

static void layer_node(struct text *graph, struct text *node, const struct net *net, int at)
{
    const struct net_layer *l = &net->layers[at];
    static const int one = 1;

    switch (l->op) {
    case NET_INPUT:
    case NET_BN:
        break;
    case NET_CONV:
        node_begin(node, net, l);
        weight_inputs(node, l->name);
        attribute(node, "kernel_shape", (int[]){l->kernel, l->kernel}, 2);
        attribute(node, "strides", (int[]){l->stride, l->stride}, 2);
        attribute(node, "pads", l->pad, 4);
        node_end(graph, node, "Conv", l->name, value_name(net, net_folded_bn(net, at)));
        break;
    case NET_FC:
        node_begin(node, net, l);
        weight_inputs(node, l->name);
        attribute(node, "transB", &one, 0);
        node_end(graph, node, "Gemm", l->name, value_name(net, at));
        break;
    default:
        plain_node(graph, node, net, at);
        break;
    }
}

/* ---- inputs, outputs, model ---- */

/* ValueInfoProto { name = 1, type = 2 { tensor_type = 1 { elem_type = 1, shape = 2 { dim = 1 … } }
 * } }, where a dim is { dim_value = 1 } or { dim_param = 2 }. */
static void value_info(struct text *graph, uint32_t field, const struct assay_tensor_spec *spec)
{
    struct text dim, shape, tensor, value;
    uint32_t i;

    text_init(&dim, META_MAX);
    text_init(&shape, META_MAX);
    text_init(&tensor, META_MAX);
    text_init(&value, META_MAX);
    for (i = 0; i < spec->rank; i++) {
        text_clear(&dim);
        if (spec->dims[i] < 0)
            wire_string(&dim, 2, "N");
        else
            wire_int(&dim, 1, (uint64_t)spec->dims[i]);
        wire_message(&shape, 1, &dim);
    }
    wire_int(&tensor, 1, spec->dtype == ASSAY_I64 ? ELEM_INT64 : ELEM_FLOAT);
    wire_message(&tensor, 2, &shape);
    text_clear(&dim);
    wire_message(&dim, 1, &tensor);
    wire_string(&value, 1, spec->name);
    wire_message(&value, 2, &dim);
    wire_message(graph, field, &value);
    text_release(&dim);
    text_release(&shape);
    text_release(&tensor);
    text_release(&value);
}

static void metadata(struct text *model, const char *key, const char *value)
{
    struct text t;

    text_init(&t, META_MAX);
    wire_string(&t, 1, key);
    wire_string(&t, 2, value);
    wire_message(model, MODEL_METADATA, &t);
    text_release(&t);
}

/* What stands behind the graph. */
static void model_tail(struct text *tail, const struct net *net, const struct net_weights *w,
                       uint64_t seed)
{
    char number[24];

    wire_head(tail, MODEL_OPSET, 2);
    wire_int(tail, 2, 13);
    snprintf(number, sizeof(number), "%" PRIu64, seed);
    if (w->synthetic)
        metadata(tail, "assay.synthetic", "true");
    metadata(tail, "assay.net", net->name);
    if (w->sha256[0])
        metadata(tail, "assay.weights_sha256", w->sha256);
    else
        metadata(tail, "assay.seed", number);
}

/* ---- initialisers ---- */

/* Everything of an initialiser but its numbers, which follow. */
static void tensor_head(struct text *head, const char *name, const char *suffix, uint32_t rank,
                        const int64_t *dims, size_t count)
{
    struct text t;
    char full[96];
    uint32_t i;

    text_init(&t, META_MAX);
    snprintf(full, sizeof(full), "%s.%s", name, suffix);
    for (i = 0; i < rank; i++)
        wire_int(&t, TENSOR_DIMS, (uint64_t)dims[i]);
    wire_int(&t, TENSOR_TYPE, ELEM_FLOAT);
    wire_string(&t, TENSOR_NAME, full);
    wire_head(&t, TENSOR_RAW, count * sizeof(float));
    wire_head(head, GRAPH_INITIALIZER, t.len + count * sizeof(float));
    text_addn(head, t.s, t.len);
    text_release(&t);
}

/* Where initialisers go: first only counted, then written. */
struct sink {
    const struct net *net;
    const struct net_weights *w;
    struct file_whole *file; /* NULL: count */
    uint64_t bytes;
    struct text head;
};

static int put(struct sink *s, const char *layer, const char *suffix, uint32_t rank,
               const int64_t *dims, size_t count, const float *values, struct assay_err *err)
{
    int rc = ASSAY_OK;

    text_clear(&s->head);
    tensor_head(&s->head, layer, suffix, rank, dims, count);
    s->bytes += s->head.len + count * sizeof(float);
    if (s->file)
        rc = file_whole_write(s->file, s->head.s, s->head.len, err);
    if (s->file && !rc)
        rc = file_whole_write(s->file, values, count * sizeof(float), err);
    return rc;
}

static int put_conv(struct sink *s, int at, struct assay_err *err)
{
    const struct net_layer *l = &s->net->layers[at];
    const struct net_tensor *t = &s->net->tensors[l->tensor];
    float *folded = NULL, *bias = NULL;
    int rc = ASSAY_OK;

    if (s->file) {
        folded = malloc(t->count * sizeof(*folded));
        bias = malloc((size_t)t->dims[0] * sizeof(*bias));
        if (!folded || !bias)
            rc =
                assay_fail(err, ASSAY_EFAIL, "net %s: out of memory for %s", s->net->name, t->name);
        else
            net_fold(s->net, s->w, at, folded, bias);
    }
    if (!rc)
        rc = put(s, l->name, "weight", t->rank, t->dims, t->count, folded, err);
    if (!rc)
        rc = put(s, l->name, "bias", 1, t->dims, (size_t)t->dims[0], bias, err);
    free(folded);
    free(bias);
    return rc;
}

static int put_all(struct sink *s, struct assay_err *err)
{
    const struct net *net = s->net;
    const struct net_tensor *t;
    int i, j, rc = ASSAY_OK;

    for (i = 0; !rc && i < net->layer_count; i++) {
        if (net->layers[i].op == NET_CONV)
            rc = put_conv(s, i, err);
        for (j = 0; !rc && net->layers[i].op == NET_FC && j < 2; j++) {
            t = &net->tensors[net->layers[i].tensor + j];
            rc = put(s, net->layers[i].name, j ? "bias" : "weight", t->rank, t->dims, t->count,
                     s->w->data[net->layers[i].tensor + j], err);
        }
    }
    return rc;
}

/* ---- the file ---- */

static int write_file(struct sink *s, struct text *part, const char *path, uint64_t total,
                      struct assay_err *err)
{
    struct file_whole file;
    int rc;

    if (total > LIMIT)
        return assay_fail(err, ASSAY_EUNSUPPORTED,
                          "%s: would be %" PRIu64 " bytes, and an ONNX file ends at 2 GB", path,
                          total);
    rc = file_whole_begin(&file, path, err);
    if (rc)
        return rc;
    s->file = &file;
    rc = file_whole_write(&file, part[0].s, part[0].len, err);
    if (!rc)
        rc = put_all(s, err);
    if (!rc)
        rc = file_whole_write(&file, part[1].s, part[1].len, err);
    if (!rc)
        rc = file_whole_commit(&file, err);
    file_whole_abandon(&file);
    s->file = NULL;
    return rc;
}

int onnx_write(const struct net *net, const struct net_weights *w, uint64_t seed, const char *path,
               struct assay_err *err)
{
    struct sink s = {.net = net, .w = w};
    struct text part[2], nodes, node,
        ends; /* part: what stands before and behind the initialisers */
    uint64_t graph;
    int i, rc;

    text_init(&s.head, META_MAX);
    text_init(&part[0], META_MAX);
    text_init(&part[1], META_MAX);
    text_init(&nodes, META_MAX);
    text_init(&node, META_MAX);
    text_init(&ends, META_MAX);
    rc = net_fold_check(net, err);
    if (rc)
        goto out;
    for (i = 0; i < net->layer_count; i++)
        layer_node(&nodes, &node, net, i);
    wire_string(&nodes, GRAPH_NAME, net->name);
    value_info(&ends, GRAPH_INPUT, &net->input);
    for (i = 0; i < net->output_count; i++)
        value_info(&ends, GRAPH_OUTPUT, &net->outputs[i]);
    rc = put_all(&s, err);
    if (rc)
        goto out;
    graph = nodes.len + s.bytes + ends.len;
    wire_int(&part[0], MODEL_IR_VERSION, 7);
    wire_string(&part[0], MODEL_PRODUCER, "assay");
    wire_head(&part[0], MODEL_GRAPH, graph);
    text_addn(&part[0], nodes.s, nodes.len);
    text_addn(&part[1], ends.s, ends.len);
    model_tail(&part[1], net, w, seed);
    if (nodes.cut || node.cut || ends.cut || s.head.cut || part[0].cut || part[1].cut)
        rc = assay_fail(err, ASSAY_EFAIL, "net %s: out of memory while %s is written", net->name,
                        path);
    else
        rc = write_file(&s, part, path, part[0].len + s.bytes + part[1].len, err);
out:
    text_release(&s.head);
    text_release(&part[0]);
    text_release(&part[1]);
    text_release(&nodes);
    text_release(&node);
    text_release(&ends);
    return rc;
}
