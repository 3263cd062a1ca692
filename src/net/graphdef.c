/* Writes a net as a frozen TensorFlow graph (fp32), by our own protobuf encoding.
 *
 * Field numbers are those of graph.proto, node_def.proto, attr_value.proto and tensor.proto; the
 * ones used stand in the enums below.  A graph is nothing but
 *   GraphDef { node…, versions }
 * where weights are nodes as well (Const), so nodes are streamed in the order in which they run, a
 * layer's weights right before it.  Memory above the weights themselves: one tensor, twice.
 *
 * TensorFlow's kernels for CPUs want channels last.  So the input, which has channels first as in
 * every other format of the net, is transposed once, and weights are written as TensorFlow's
 * layout has them: O I H W becomes H W I O.  Every output is a node of its own (Identity) behind
 * the layer that makes it, so that the outputs are the nodes which nobody reads. */
#include "net/exact.h"
#include "net/graphdef.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/file.h"
#include "net/fold.h"
#include "net/wire.h"

enum { GRAPH_NODE = 1, GRAPH_VERSIONS = 4, VERSIONS_PRODUCER = 1 };
enum { NODE_NAME = 1, NODE_OP = 2, NODE_INPUT = 3, NODE_ATTR = 5 };
enum { ENTRY_KEY = 1, ENTRY_VALUE = 2 }; /* of the map that attributes are */
enum {
    ATTR_LIST = 1,
    ATTR_TEXT = 2,
    ATTR_BOOL = 5,
    ATTR_TYPE = 6,
    ATTR_SHAPE = 7,
    ATTR_TENSOR = 8,
    LIST_INTS = 3
};
enum { TENSOR_TYPE = 1, TENSOR_SHAPE = 2, TENSOR_CONTENT = 4 };
enum { SHAPE_DIM = 2, DIM_SIZE = 1 };
enum { TYPE_FLOAT = 1, TYPE_INT32 = 3, TYPE_INT64 = 9 };

#define PRODUCER 561         /* the graph version of TensorFlow 2.4 */
#define LIMIT    0x7fffffffu /* protobuf's parsers stop at 2 GB */
#define META_MAX (4u << 20)  /* of a node but for its numbers */

/* Where nodes go: first only counted, then written. */
struct sink {
    const struct net *net;
    const struct net_weights *w;
    uint64_t seed;
    struct file_whole *file; /* NULL: count */
    uint64_t bytes;
    struct text node, a, b; /* the node that is being made; scratch */
    bool cut;
    struct assay_err *err;
    int rc; /* the first failure; what comes after it does nothing */
};

static void emit(struct sink *s, const void *data, size_t n)
{
    s->bytes += n;
    if (s->file && !s->rc)
        s->rc = file_whole_write(s->file, data, n, s->err);
}

/* ---- nodes ---- */

static void node_begin(struct sink *s, const char *name, const char *op)
{
    text_clear(&s->node);
    wire_string(&s->node, NODE_NAME, name);
    wire_string(&s->node, NODE_OP, op);
}

static void input(struct sink *s, const char *name)
{
    wire_string(&s->node, NODE_INPUT, name);
}

/* Everything in front of the numbers that end the node; with n = 0 the whole node. */
static void node_end(struct sink *s, size_t n)
{
    text_clear(&s->a);
    wire_head(&s->a, GRAPH_NODE, s->node.len + n);
    emit(s, s->a.s, s->a.len);
    emit(s, s->node.s, s->node.len);
    s->cut |= s->a.cut || s->b.cut || s->node.cut;
}

/* The attribute whose value is in s->b, and n bytes that follow. */
static void attribute(struct sink *s, const char *key, size_t n)
{
    text_clear(&s->a);
    wire_string(&s->a, ENTRY_KEY, key);
    wire_head(&s->a, ENTRY_VALUE, s->b.len + n);
    wire_head(&s->node, NODE_ATTR, s->a.len + s->b.len + n);
    text_addn(&s->node, s->a.s, s->a.len);
    text_addn(&s->node, s->b.s, s->b.len);
    text_clear(&s->b);
}

static void attribute_type(struct sink *s, const char *key, int type)
{
    wire_int(&s->b, ATTR_TYPE, (uint64_t)type);
    attribute(s, key, 0);
}

static void attribute_bool(struct sink *s, const char *key, bool value)
{
    wire_int(&s->b, ATTR_BOOL, value);
    attribute(s, key, 0);
}

static void attribute_text(struct sink *s, const char *key, const char *value)
{
    wire_string(&s->b, ATTR_TEXT, value);
    attribute(s, key, 0);
}

/* Small numbers, none negative: a byte or more each, packed. */
static void attribute_ints(struct sink *s, const char *key, const int *values, int n)
{
    int i;

    text_clear(&s->a);
    for (i = 0; i < n; i++)
        wire_varint(&s->a, (uint64_t)values[i]);
    text_clear(&s->b);
    wire_head(&s->b, LIST_INTS, s->a.len);
    text_addn(&s->b, s->a.s, s->a.len);
    text_clear(&s->a);
    wire_message(&s->a, ATTR_LIST, &s->b);
    text_clear(&s->b);
    text_addn(&s->b, s->a.s, s->a.len);
    attribute(s, key, 0);
}

/* A TensorShapeProto, left in s->a. */
static void shape(struct sink *s, const int64_t *dims, uint32_t rank)
{
    struct text dim;
    uint32_t i;

    text_init(&dim, META_MAX);
    text_clear(&s->a);
    for (i = 0; i < rank; i++) {
        text_clear(&dim);
        wire_int(&dim, DIM_SIZE, (uint64_t)dims[i]);
        wire_message(&s->a, SHAPE_DIM, &dim);
    }
    text_release(&dim);
}

static void constant(struct sink *s, const char *name, int type, const int64_t *dims, uint32_t rank,
                     const void *data, size_t n)
{
    struct text tensor;

    text_init(&tensor, META_MAX);
    shape(s, dims, rank);
    wire_int(&tensor, TENSOR_TYPE, (uint64_t)type);
    wire_message(&tensor, TENSOR_SHAPE, &s->a);
    wire_head(&tensor, TENSOR_CONTENT, n);
    node_begin(s, name, "Const");
    attribute_type(s, "dtype", type);
    wire_head(&s->b, ATTR_TENSOR, tensor.len + n);
    text_addn(&s->b, tensor.s, tensor.len);
    attribute(s, "value", n);
    s->cut |= tensor.cut;
    text_release(&tensor);
    node_end(s, n);
    emit(s, data, n);
}

static void constant_ints(struct sink *s, const char *name, const int32_t *values, int64_t n)
{
    constant(s, name, TYPE_INT32, &n, n > 1, values, (size_t)n * sizeof(*values));
}

/* The name of a node that belongs to a layer, or of an output without its ":0". */
static const char *part_name(char out[96], const char *layer, const char *part)
{
    size_t n = strlen(layer);

    if (n > 2 && !strcmp(layer + n - 2, ":0"))
        n -= 2;
    snprintf(out, 96, "%.*s%s", (int)n, layer, part);
    return out;
}

/* What a layer's result is called inside. */
static const char *value_name(const struct sink *s, int layer, char out[96])
{
    const struct net_layer *l = &s->net->layers[layer];

    return part_name(out, l->name, l->op == NET_INPUT ? "/channels_last" : "");
}

/* ---- weights ---- */

/* O I H W to H W I O; a matrix is one of 1 x 1. */
static void channels_last(const struct net_tensor *t, const float *from, float *to)
{
    size_t outs = (size_t)t->dims[0], ins = (size_t)t->dims[1], hw = t->count / outs / ins, o, i, k;

    for (o = 0; o < outs; o++)
        for (i = 0; i < ins; i++)
            for (k = 0; k < hw; k++)
                to[(k * ins + i) * outs + o] = from[(o * ins + i) * hw + k];
}

static int make_weights(struct sink *s, int at, float *weight, float *bias)
{
    const struct net_layer *l = &s->net->layers[at];
    const struct net_tensor *t = &s->net->tensors[l->tensor];
    float *folded = malloc(t->count * sizeof(*folded));

    if (!folded || !weight || !bias) {
        free(folded);
        return assay_fail(s->err, ASSAY_EFAIL, "net %s: out of memory for %s", s->net->name,
                          t->name);
    }
    if (l->op == NET_CONV) {
        net_fold(s->net, s->w, at, folded, bias);
        channels_last(t, folded, weight);
    } else {
        channels_last(t, s->w->data[l->tensor], weight);
        memcpy(bias, s->w->data[l->tensor + 1], (size_t)t->dims[0] * sizeof(*bias));
    }
    free(folded);
    return ASSAY_OK;
}

static void put_weights(struct sink *s, int at)
{
    const struct net_layer *l = &s->net->layers[at];
    const struct net_tensor *t = &s->net->tensors[l->tensor];
    const int64_t dims[4] = {t->dims[2], t->dims[3], t->dims[1], t->dims[0]};
    size_t weight_bytes = t->count * sizeof(float), bias_bytes = (size_t)t->dims[0] * sizeof(float);
    float *weight = NULL, *bias = NULL;
    char name[96];

    if (s->file && !s->rc) {
        weight = malloc(weight_bytes);
        bias = malloc(bias_bytes);
        s->rc = make_weights(s, at, weight, bias);
    }
    constant(s, part_name(name, l->name, ".weight"), TYPE_FLOAT, dims + 4 - t->rank, t->rank,
             weight, weight_bytes);
    constant(s, part_name(name, l->name, ".bias"), TYPE_FLOAT, t->dims, 1, bias, bias_bytes);
    free(weight);
    free(bias);
}

/* ---- layers ---- */

/* TensorFlow's SAME: as many outputs as strides fit, what is missing shared between both sides, the
 * odd one at the end. */
static bool is_same(const struct net_layer *l, int size, int before, int after)
{
    int outs = (size + l->stride - 1) / l->stride;
    int missing = (outs - 1) * l->stride + l->kernel - size;

    if (missing < 0)
        missing = 0;
    return before == missing / 2 && after == missing - missing / 2;
}

/* Kernel and padding of a convolution or pool. */
static void window(struct sink *s, const struct net_layer *l)
{
    const struct net_shape *in = &s->net->layers[l->in[0]].shape;
    const int *p = l->pad;

    attribute_ints(s, "strides", (int[]){1, l->stride, l->stride, 1}, 4);
    attribute_text(s, "data_format", "NHWC");
    if (!p[0] && !p[1] && !p[2] && !p[3]) {
        attribute_text(s, "padding", "VALID");
    } else if (is_same(l, in->h, p[0], p[2]) && is_same(l, in->w, p[1], p[3])) {
        attribute_text(s, "padding", "SAME");
    } else {
        attribute_text(s, "padding", "EXPLICIT");
        attribute_ints(s, "explicit_paddings", (int[]){0, 0, p[0], p[2], p[1], p[3], 0, 0}, 8);
    }
}

static void input_nodes(struct sink *s, const struct net_layer *l)
{
    static const int32_t order[4] = {0, 2, 3, 1};
    const struct assay_tensor_spec *in = &s->net->input;
    char number[24], name[96];

    snprintf(number, sizeof(number), "%" PRIu64, s->seed);
    node_begin(s, part_name(name, l->name, ""), "Placeholder");
    attribute_type(s, "dtype", TYPE_FLOAT);
    shape(s, in->dims, in->rank);
    wire_message(&s->b, ATTR_SHAPE, &s->a);
    attribute(s, "shape", 0);
    if (s->w->synthetic)
        attribute_text(s, "_assay_synthetic", "true");
    attribute_text(s, "_assay_net", s->net->name);
    if (s->w->sha256[0])
        attribute_text(s, "_assay_weights_sha256", s->w->sha256);
    else
        attribute_text(s, "_assay_seed", number);
    node_end(s, 0);
    constant_ints(s, part_name(name, l->name, "/order"), order, 4);
    node_begin(s, part_name(name, l->name, "/channels_last"), "Transpose");
    input(s, part_name(name, l->name, ""));
    input(s, part_name(name, l->name, "/order"));
    attribute_type(s, "T", TYPE_FLOAT);
    attribute_type(s, "Tperm", TYPE_INT32);
    node_end(s, 0);
}

/* The layers whose weights are constants: the product under the layer's own name or a part of it,
 * and a bias. */
static void weighted_nodes(struct sink *s, int at)
{
    const struct net_layer *l = &s->net->layers[at];
    const struct net_layer *bias =
        l->op == NET_CONV ? &s->net->layers[net_folded_bn(s->net, at)] : l;
    char name[96], product[96];

    part_name(product, l->name, l->op == NET_CONV ? "" : "/product");
    put_weights(s, at);
    node_begin(s, product, l->op == NET_CONV ? "Conv2D" : "MatMul");
    input(s, value_name(s, l->in[0], name));
    input(s, part_name(name, l->name, ".weight"));
    attribute_type(s, "T", TYPE_FLOAT);
    if (l->op == NET_CONV)
        window(s, l);
    node_end(s, 0);
    node_begin(s, bias->name, "BiasAdd");
    input(s, product);
    input(s, part_name(name, l->name, ".bias"));
    attribute_type(s, "T", TYPE_FLOAT);
    node_end(s, 0);
}

/* A batch norm has no node here: its convolution's bias has its name. */
static void plain_node(struct sink *s, const struct net_layer *l)
{
    static const char *const op[] = {
        [NET_RELU] = "Relu", [NET_MAXPOOL] = "MaxPool", [NET_ADD] = "AddV2",
        [NET_GAP] = "Mean",  [NET_SOFTMAX] = "Softmax", [NET_ARGMAX] = "ArgMax"};
    static const int32_t axes[2] = {1, 2};
    bool reduces = l->op == NET_GAP || l->op == NET_ARGMAX;
    char name[96];
    int i;

    if (reduces)
        constant_ints(s, part_name(name, l->name, "/axes"), axes, l->op == NET_GAP ? 2 : 1);
    node_begin(s, l->name, op[l->op]);
    for (i = 0; i < 2; i++)
        if (l->in[i] >= 0)
            input(s, value_name(s, l->in[i], name));
    if (reduces) {
        input(s, part_name(name, l->name, "/axes"));
        attribute_type(s, "Tidx", TYPE_INT32);
    }
    attribute_type(s, "T", TYPE_FLOAT);
    if (l->op == NET_GAP)
        attribute_bool(s, "keep_dims", false);
    if (l->op == NET_ARGMAX)
        attribute_type(s, "output_type", TYPE_INT64);
    if (l->op == NET_MAXPOOL) {
        attribute_ints(s, "ksize", (int[]){1, l->kernel, l->kernel, 1}, 4);
        window(s, l);
    }
    node_end(s, 0);
}

static void output_node(struct sink *s, int o)
{
    const struct assay_tensor_spec *spec = &s->net->outputs[o];
    char name[96];

    node_begin(s, part_name(name, spec->name, ""), "Identity");
    input(s, value_name(s, s->net->output_layer[o], name));
    attribute_type(s, "T", spec->dtype == ASSAY_I64 ? TYPE_INT64 : TYPE_FLOAT);
    node_end(s, 0);
}

static void put_all(struct sink *s)
{
    const struct net *net = s->net;
    int i;

    for (i = 0; i < net->layer_count; i++) {
        const struct net_layer *l = &net->layers[i];

        if (l->op == NET_INPUT)
            input_nodes(s, l);
        else if (l->op == NET_CONV || l->op == NET_FC)
            weighted_nodes(s, i);
        else if (l->op != NET_BN)
            plain_node(s, l);
    }
    for (i = 0; i < net->output_count; i++)
        output_node(s, i);
    text_clear(&s->a);
    wire_int(&s->a, VERSIONS_PRODUCER, PRODUCER);
    text_clear(&s->b);
    wire_message(&s->b, GRAPH_VERSIONS, &s->a);
    emit(s, s->b.s, s->b.len);
}

/* ---- the file ---- */

static int write_file(struct sink *s, const char *path, struct assay_err *err)
{
    struct file_whole file;
    int rc = file_whole_begin(&file, path, err);

    if (rc)
        return rc;
    s->file = &file;
    put_all(s);
    rc = s->rc;
    if (!rc)
        rc = file_whole_commit(&file, err);
    file_whole_abandon(&file);
    return rc;
}

int graphdef_write(const struct net *net, const struct net_weights *w, uint64_t seed,
                   const char *path, struct assay_err *err)
{
    struct sink s = {.net = net, .w = w, .seed = seed, .err = err};
    int rc = net_fold_check(net, err);

    if (rc)
        return rc;
    text_init(&s.node, META_MAX);
    text_init(&s.a, META_MAX);
    text_init(&s.b, META_MAX);
    put_all(&s);
    if (s.cut)
        rc = assay_fail(err, ASSAY_EFAIL, "net %s: out of memory while %s is written", net->name,
                        path);
    else if (s.bytes > LIMIT)
        rc = assay_fail(err, ASSAY_EUNSUPPORTED,
                        "%s: would be %" PRIu64 " bytes, and a GraphDef ends at 2 GB", path,
                        s.bytes);
    else
        rc = write_file(&s, path, err);
    text_release(&s.node);
    text_release(&s.a);
    text_release(&s.b);
    return rc;
}
