/* The nodes of an ONNX graph, layer by layer.
 *
 * Most layers are one node.  Those that ONNX has no operator for are made of several, in the forms
 * that engines know and fuse: GELU, attention with its heads.  Their inner values are called
 * "LAYER/part".  Small constants are nodes (Constant) beside their reader, so that initialisers
 * are the net's weights and nothing else. */
#include "net/exact.h"
#include "net/onnx_nodes.h"

#include <math.h>
#include <stdarg.h>

#include "net/fold.h"
#include "base/half.h"

enum { GRAPH_NODE = 1, NODE_INPUT = 1, NODE_OUTPUT, NODE_NAME, NODE_OP, NODE_ATTRIBUTE };
enum {
    ATTRIBUTE_NAME = 1,
    ATTRIBUTE_F = 2,
    ATTRIBUTE_I = 3,
    ATTRIBUTE_S = 4,
    ATTRIBUTE_T = 5,
    ATTRIBUTE_FLOATS = 7,
    ATTRIBUTE_INTS = 8,
    ATTRIBUTE_TYPE = 20,
    TYPE_FLOAT = 1,
    TYPE_INT = 2,
    TYPE_STRING = 3,
    TYPE_TENSOR = 4,
    TYPE_FLOATS = 6,
    TYPE_INTS = 7
};

enum { TENSOR_TYPE = 2, TENSOR_RAW = 9 };

/* What the nodes of one net are made with. */
struct maker {
    struct text *graph, node; /* the node that is being made */
    const struct net *net;
    bool half;
};

/* The name of an inner value or of a weight; lives until the end of the statement. */
struct label {
    char s[96];
};

/* ---- values ---- */

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

static bool is_output(const struct net *net, int layer)
{
    int i;

    for (i = 0; i < net->output_count && net->output_layer[i] != layer; i++)
        ;
    return i < net->output_count;
}

static bool is_int(const struct net *net, int layer)
{
    const struct net_layer *l = &net->layers[layer];

    return (l->op == NET_INPUT && net->inputs[layer].dtype == ASSAY_I64) || l->op == NET_ARGMAX ||
           (l->op == NET_PICK && is_int(net, l->in[0]));
}

/* A layer's result in float16 or float32: what it is by itself has the plain name, but an output's
 * plain name is that of float32. */
static struct label value_as(const struct maker *m, int layer, bool half)
{
    bool itself = half == onnx_in_half(&m->net->layers[layer]);
    bool plain = !m->half || is_int(m->net, layer) || (is_output(m->net, layer) ? !half : itself);
    struct label n;

    snprintf(n.s, sizeof(n.s), "%s%s", value_name(m->net, layer),
             plain  ? ""
             : half ? "/fp16"
                    : "/fp32");
    return n;
}

/* Where a layer writes its result, and input k as it reads it. */
static struct label result(const struct maker *m, int layer)
{
    return value_as(m, layer, onnx_in_half(&m->net->layers[layer]));
}

static struct label operand(const struct maker *m, const struct net_layer *l, int k)
{
    return value_as(m, l->in[k], onnx_in_half(l));
}

/* ---- one node ---- */

/* ints with n = 0: one plain integer. */
static void attribute(struct maker *m, const char *name, const int *values, int n)
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
    wire_message(&m->node, NODE_ATTRIBUTE, &a);
    text_release(&a);
}

static void node_begin(struct maker *m, const struct net_layer *l)
{
    int i;

    text_clear(&m->node);
    for (i = 0; i < l->ins; i++)
        wire_string(&m->node, NODE_INPUT, operand(m, l, i).s);
}

static void node_end(struct maker *m, const char *op, const char *name, const char *output)
{
    wire_string(&m->node, NODE_OUTPUT, output);
    wire_string(&m->node, NODE_NAME, name);
    wire_string(&m->node, NODE_OP, op);
    wire_message(m->graph, GRAPH_NODE, &m->node);
    m->graph->cut |= m->node.cut;
}

/* n = 0: one plain number. */
static void attribute_floats(struct maker *m, const char *name, const float *values, int n)
{
    struct text a;
    int i;

    text_init(&a, META_MAX);
    wire_string(&a, ATTRIBUTE_NAME, name);
    for (i = 0; i < (n ? n : 1); i++) {
        wire_varint(&a, (n ? ATTRIBUTE_FLOATS : ATTRIBUTE_F) << 3 | WIRE_FIXED32);
        text_addn(&a, (const char *)&values[i], sizeof(values[i]));
    }
    wire_int(&a, ATTRIBUTE_TYPE, n ? TYPE_FLOATS : TYPE_FLOAT);
    wire_message(&m->node, NODE_ATTRIBUTE, &a);
    text_release(&a);
}

static void attribute_text(struct maker *m, const char *name, const char *value)
{
    struct text a;

    text_init(&a, META_MAX);
    wire_string(&a, ATTRIBUTE_NAME, name);
    wire_string(&a, ATTRIBUTE_S, value);
    wire_int(&a, ATTRIBUTE_TYPE, TYPE_STRING);
    wire_message(&m->node, NODE_ATTRIBUTE, &a);
    text_release(&a);
}

static struct label label(const struct net_layer *l, const char *part)
{
    struct label n;

    snprintf(n.s, sizeof(n.s), "%s%s", l->name, part);
    return n;
}

static void weight_inputs(struct maker *m, int at)
{
    const struct net_layer *l = &m->net->layers[m->net->layers[at].owner];

    wire_string(&m->node, NODE_INPUT, label(l, ".weight").s);
    if (net_has_bias(m->net, at))
        wire_string(&m->node, NODE_INPUT, label(l, ".bias").s);
}

/* ---- layers of one node ---- */

/* Layers whose node has no weights; a batch norm has none of its own and makes no node. */
static void plain_node(struct maker *m, int at)
{
    const struct net_layer *l = &m->net->layers[at];
    static const char *const op[] = {
        [NET_RELU] = "Relu",     [NET_MAXPOOL] = "MaxPool", [NET_ADD] = "Add",
        [NET_MUL] = "Mul",       [NET_GAP] = "ReduceMean",  [NET_SOFTMAX] = "Softmax",
        [NET_ARGMAX] = "ArgMax", [NET_SIGMOID] = "Sigmoid"};
    static const int space[2] = {2, 3}, one = 1, zero = 0;

    node_begin(m, l);
    switch (l->op) {
    case NET_MAXPOOL:
        attribute(m, "kernel_shape", (int[]){l->kernel, l->kernel}, 2);
        attribute(m, "strides", (int[]){l->stride, l->stride}, 2);
        attribute(m, "pads", l->pad, 4);
        break;
    case NET_GAP:
        attribute(m, "axes", space, 2);
        attribute(m, "keepdims", &zero, 0);
        break;
    case NET_SOFTMAX:
        attribute(m, "axis", &one, 0);
        break;
    case NET_ARGMAX:
        attribute(m, "axis", &one, 0);
        attribute(m, "keepdims", &zero, 0);
        break;
    default:
        break;
    }
    node_end(m, op[l->op], l->name, result(m, at).s);
}

static void convolution(struct maker *m, int at)
{
    const struct net_layer *l = &m->net->layers[at];
    int kernel[NET_RANK] = {0}, stride[NET_RANK] = {0}, pad[2 * NET_RANK] = {0};
    int d, n = l->shape.rank - 1;
    bool folded = l->op == NET_CONV && net_folded_bn(m->net, at) >= 0;

    for (d = 0; d < n; d++) {
        kernel[d] = l->kernel;
        stride[d] = l->stride;
        pad[d] = n == 2 ? l->pad[d] : l->pad[0];
        pad[n + d] = n == 2 ? l->pad[2 + d] : l->pad[0];
    }
    node_begin(m, l);
    weight_inputs(m, at);
    attribute(m, "kernel_shape", kernel, n);
    attribute(m, "strides", stride, n);
    attribute(m, "pads", pad, 2 * n);
    if (l->groups > 1)
        attribute(m, "group", &l->groups, 0);
    node_end(m, l->op == NET_CONV ? "Conv" : "ConvTranspose", l->name,
             result(m, folded ? net_folded_bn(m->net, at) : at).s);
}

/* ---- layers of several ---- */

/* A node without attributes, whose inputs are named, up to NULL. */
static void make(struct maker *m, const char *op, const char *output, ...)
{
    const char *input;
    va_list ap;

    text_clear(&m->node);
    va_start(ap, output);
    while ((input = va_arg(ap, const char *)))
        wire_string(&m->node, NODE_INPUT, input);
    va_end(ap);
    node_end(m, op, output, output);
}

static void make_permuted(struct maker *m, const char *output, const char *input,
                          const int order[4])
{
    text_clear(&m->node);
    wire_string(&m->node, NODE_INPUT, input);
    attribute(m, "perm", order, 4);
    node_end(m, "Transpose", output, output);
}

static void make_ints(struct maker *m, const char *output, const int *values, int n)
{
    text_clear(&m->node);
    attribute(m, n ? "value_ints" : "value_int", values, n);
    node_end(m, "Constant", output, output);
}

/* The nearest number of a file in float16, whose layers read it: never infinity. */
static void attribute_half(struct maker *m, float value)
{
    uint16_t h = half_from_float(fminf(fmaxf(value, -HALF_MAX), HALF_MAX));
    struct text a, tensor;

    text_init(&a, META_MAX);
    text_init(&tensor, META_MAX);
    wire_int(&tensor, TENSOR_TYPE, ONNX_HALF);
    wire_head(&tensor, TENSOR_RAW, sizeof(h));
    text_addn(&tensor, (const char *)&h, sizeof(h));
    wire_string(&a, ATTRIBUTE_NAME, "value");
    wire_message(&a, ATTRIBUTE_T, &tensor);
    wire_int(&a, ATTRIBUTE_TYPE, TYPE_TENSOR);
    wire_message(&m->node, NODE_ATTRIBUTE, &a);
    text_release(&a);
    text_release(&tensor);
}

static void make_float(struct maker *m, const char *output, float value)
{
    text_clear(&m->node);
    if (m->half)
        attribute_half(m, value);
    else
        attribute_floats(m, "value_float", &value, 0);
    node_end(m, "Constant", output, output);
}

static void make_cast(struct maker *m, const char *output, const char *input, int elem)
{
    text_clear(&m->node);
    wire_string(&m->node, NODE_INPUT, input);
    attribute(m, "to", &elem, 0);
    node_end(m, "Cast", output, output);
}

static void matmul(struct maker *m, const struct net_layer *l, const char *in, const char *out)
{
    make(m, "MatMul", label(l, "/product").s, in, label(l, ".weight").s, NULL);
    make(m, "Add", out, label(l, "/product").s, label(l, ".bias").s, NULL);
}

/* x + table[0 … s - 1], where s is how long x is. */
static void position(struct maker *m, const struct net_layer *l, const char *in, const char *out)
{
    static const int zero = 0, one = 1, two = 2;

    make_ints(m, label(l, "/zero").s, &zero, 1);
    text_clear(&m->node);
    wire_string(&m->node, NODE_INPUT, in);
    attribute(m, "start", &one, 0);
    attribute(m, "end", &two, 0);
    node_end(m, "Shape", label(l, "/length").s, label(l, "/length").s);
    make(m, "Slice", label(l, "/rows").s, label(l, ".weight").s, label(l, "/zero").s,
         label(l, "/length").s, label(l, "/zero").s, NULL);
    make(m, "Add", out, in, label(l, "/rows").s, NULL);
}

static void gelu(struct maker *m, const struct net_layer *l, const char *in, const char *out)
{
    make_float(m, label(l, "/root").s, 1.41421356f);
    make_float(m, label(l, "/one").s, 1.0f);
    make_float(m, label(l, "/half").s, 0.5f);
    make(m, "Div", label(l, "/scaled").s, in, label(l, "/root").s, NULL);
    make(m, "Erf", label(l, "/erf").s, label(l, "/scaled").s, NULL);
    make(m, "Add", label(l, "/gate").s, label(l, "/erf").s, label(l, "/one").s, NULL);
    make(m, "Mul", label(l, "/double").s, in, label(l, "/gate").s, NULL);
    make(m, "Mul", out, label(l, "/double").s, label(l, "/half").s, NULL);
}

static void mask(struct maker *m, const struct net_layer *l, const char *in, const char *out)
{
    static const int axes[2] = {1, 2};

    make_float(m, label(l, "/one").s, 1.0f);
    make_float(m, label(l, "/low").s, -10000.0f);
    make_ints(m, label(l, "/axes").s, axes, 2);
    make_cast(m, label(l, "/kept").s, in, m->half ? ONNX_HALF : ONNX_FLOAT);
    make(m, "Sub", label(l, "/hidden").s, label(l, "/one").s, label(l, "/kept").s, NULL);
    make(m, "Mul", label(l, "/scores").s, label(l, "/hidden").s, label(l, "/low").s, NULL);
    make(m, "Unsqueeze", out, label(l, "/scores").s, label(l, "/axes").s, NULL);
}

/* [n, s, width] to [n, heads, s, width / heads], of keys the last two exchanged. */
static void attention(struct maker *m, const struct net_layer *l, const char *out)
{
    static const char *const part[3] = {"/queries", "/keys", "/values"};
    static const int order[3][4] = {{0, 2, 1, 3}, {0, 2, 3, 1}, {0, 2, 1, 3}}, last = 3;
    int width = l->shape.dims[1], each = width / l->out, i;

    make_ints(m, label(l, "/split").s, (int[]){0, 0, l->out, each}, 4);
    make_ints(m, label(l, "/joined").s, (int[]){0, 0, width}, 3);
    make_float(m, label(l, "/root").s, sqrtf((float)each));
    for (i = 0; i < 3; i++) {
        make(m, "Reshape", label(l, part[i]).s, operand(m, l, i).s, label(l, "/split").s, NULL);
        make_permuted(m, label(&m->net->layers[l->in[i]], "/heads").s, label(l, part[i]).s,
                      order[i]);
    }
    make(m, "MatMul", label(l, "/products").s, label(&m->net->layers[l->in[0]], "/heads").s,
         label(&m->net->layers[l->in[1]], "/heads").s, NULL);
    make(m, "Div", label(l, "/scaled").s, label(l, "/products").s, label(l, "/root").s, NULL);
    make(m, "Add", label(l, "/scores").s, label(l, "/scaled").s, operand(m, l, 3).s, NULL);
    text_clear(&m->node);
    wire_string(&m->node, NODE_INPUT, label(l, "/scores").s);
    attribute(m, "axis", &last, 0);
    node_end(m, "Softmax", label(l, "/weights").s, label(l, "/weights").s);
    make(m, "MatMul", label(l, "/context").s, label(l, "/weights").s,
         label(&m->net->layers[l->in[2]], "/heads").s, NULL);
    make_permuted(m, label(l, "/rows").s, label(l, "/context").s, order[0]);
    make(m, "Reshape", out, label(l, "/rows").s, label(l, "/joined").s, NULL);
}

static void embed(struct maker *m, const struct net_layer *l, const char *in, const char *out)
{
    make(m, "Gather", out, label(l, ".weight").s, in, NULL);
}

/* Some of the numbers, their rows [n, many, width], and the sum of these. */
static void bag(struct maker *m, const struct net_layer *l, const char *in, const char *out)
{
    static const int one = 1, zero = 0;
    const int end = l->first + l->many;

    make_ints(m, label(l, "/first").s, &l->first, 1);
    make_ints(m, label(l, "/end").s, &end, 1);
    make_ints(m, label(l, "/one").s, &one, 1);
    make(m, "Slice", label(l, "/numbers").s, in, label(l, "/first").s, label(l, "/end").s,
         label(l, "/one").s, NULL);
    make(m, "Gather", label(l, "/rows").s, label(l, ".weight").s, label(l, "/numbers").s, NULL);
    text_clear(&m->node);
    wire_string(&m->node, NODE_INPUT, label(l, "/rows").s);
    wire_string(&m->node, NODE_INPUT, label(l, "/one").s);
    attribute(m, "keepdims", &zero, 0);
    node_end(m, "ReduceSum", l->name, out);
}

static void pick(struct maker *m, const struct net_layer *l, const char *in, const char *out)
{
    const int axis = l->shape.rank + 1;

    make_ints(m, label(l, "/number").s, &l->out, 0);
    text_clear(&m->node);
    wire_string(&m->node, NODE_INPUT, in);
    wire_string(&m->node, NODE_INPUT, label(l, "/number").s);
    attribute(m, "axis", &axis, 0);
    node_end(m, "Gather", l->name, out);
}

static void standardise(struct maker *m, const struct net_layer *l, const char *in, const char *out)
{
    make(m, "Sub", label(l, "/centred").s, in, label(l, ".mean").s, NULL);
    make(m, "Div", out, label(l, "/centred").s, label(l, ".deviation").s, NULL);
}

static void upsample(struct maker *m, const struct net_layer *l, const char *in, const char *out)
{
    const float scales[4] = {1.0f, 1.0f, (float)l->stride, (float)l->stride};

    text_clear(&m->node);
    attribute_floats(m, "value_floats", scales, 4);
    node_end(m, "Constant", label(l, "/scales").s, label(l, "/scales").s);
    text_clear(&m->node);
    wire_string(&m->node, NODE_INPUT, in);
    wire_string(&m->node, NODE_INPUT, ""); /* the region of interest, which this mode has not */
    wire_string(&m->node, NODE_INPUT, label(l, "/scales").s);
    attribute_text(m, "mode", "nearest");
    attribute_text(m, "coordinate_transformation_mode", "asymmetric");
    attribute_text(m, "nearest_mode", "floor");
    node_end(m, "Resize", l->name, out);
}

/* Behind each other, then cut into rows. */
static void stack(struct maker *m, const struct net_layer *l, const char *out)
{
    static const int one = 1;

    make_ints(m, label(l, "/shape").s, (int[]){0, l->ins, l->shape.dims[1]}, 3);
    node_begin(m, l);
    attribute(m, "axis", &one, 0);
    node_end(m, "Concat", label(l, "/row").s, label(l, "/row").s);
    make(m, "Reshape", out, label(l, "/row").s, label(l, "/shape").s, NULL);
}

/* Every row with every row, of which those below the diagonal are kept. */
static void dots(struct maker *m, const struct net_layer *l, const char *in, const char *out)
{
    static const int order[3] = {0, 2, 1}, one = 1;
    int k = m->net->layers[l->in[0]].shape.dims[0], kept[NET_JOINS * NET_JOINS] = {0};
    int n = 0, i, j;

    for (i = 1; i < k; i++)
        for (j = 0; j < i; j++)
            kept[n++] = i * k + j;
    make_ints(m, label(l, "/kept").s, kept, n);
    make_ints(m, label(l, "/shape").s, (int[]){0, k * k}, 2);
    text_clear(&m->node);
    wire_string(&m->node, NODE_INPUT, in);
    attribute(m, "perm", order, 3);
    node_end(m, "Transpose", label(l, "/turned").s, label(l, "/turned").s);
    make(m, "MatMul", label(l, "/square").s, in, label(l, "/turned").s, NULL);
    make(m, "Reshape", label(l, "/row").s, label(l, "/square").s, label(l, "/shape").s, NULL);
    text_clear(&m->node);
    wire_string(&m->node, NODE_INPUT, label(l, "/row").s);
    wire_string(&m->node, NODE_INPUT, label(l, "/kept").s);
    attribute(m, "axis", &one, 0);
    node_end(m, "Gather", l->name, out);
}

/* A dimension of 1 more, or less, in front of the others or at `axis`. */
static void make_axis(struct maker *m, const struct net_layer *l, const char *op, const char *name,
                      const char *in, int axis)
{
    char axes[32];

    snprintf(axes, sizeof(axes), "/axes_%d", axis);
    make_ints(m, label(l, axes).s, &axis, 1);
    make(m, op, name, in, label(l, axes).s, NULL);
}

static void lstm_node(struct maker *m, const struct net_layer *l, const char *x)
{
    static const int one = 1;

    text_clear(&m->node);
    wire_string(&m->node, NODE_INPUT, label(l, ".bias_ih").s);
    wire_string(&m->node, NODE_INPUT, label(l, ".bias_hh").s);
    attribute(m, "axis", &one, 0);
    node_end(m, "Concat", label(l, "/bias").s, label(l, "/bias").s);
    text_clear(&m->node);
    wire_string(&m->node, NODE_INPUT, x);
    wire_string(&m->node, NODE_INPUT, label(l, ".weight_ih").s);
    wire_string(&m->node, NODE_INPUT, label(l, ".weight_hh").s);
    wire_string(&m->node, NODE_INPUT, label(l, "/bias").s);
    if (l->ins == 3) {
        wire_string(&m->node, NODE_INPUT, ""); /* lengths: all the same */
        wire_string(&m->node, NODE_INPUT, label(l, "/hidden").s);
        wire_string(&m->node, NODE_INPUT, label(l, "/cell").s);
        wire_string(&m->node, NODE_OUTPUT, "");
        wire_string(&m->node, NODE_OUTPUT, label(l, "/hidden_next").s);
    }
    attribute(m, "hidden_size", &l->out, 0);
    node_end(m, "LSTM", l->name, label(l, l->ins == 3 ? "/cell_next" : "/all").s);
}

/* LSTM wants [t, n, in] and gives [t, 1, n, out]. */
static void lstm(struct maker *m, const struct net_layer *l, const char *in, const char *out)
{
    static const int order[3] = {1, 0, 2};
    int k;

    if (l->ins == 3) {
        make_axis(m, l, "Unsqueeze", label(l, "/x").s, in, 0);
        for (k = 1; k < 3; k++)
            make(m, "Unsqueeze", label(l, k == 1 ? "/hidden" : "/cell").s, operand(m, l, k).s,
                 label(l, "/axes_0").s, NULL);
        lstm_node(m, l, label(l, "/x").s);
        make(m, "Squeeze", out, label(l, "/hidden_next").s, label(l, "/axes_0").s, NULL);
        return;
    }
    text_clear(&m->node);
    wire_string(&m->node, NODE_INPUT, in);
    attribute(m, "perm", order, 3);
    node_end(m, "Transpose", label(l, "/x").s, label(l, "/x").s);
    lstm_node(m, l, label(l, "/x").s);
    make_axis(m, l, "Squeeze", label(l, "/steps").s, label(l, "/all").s, 1);
    text_clear(&m->node);
    wire_string(&m->node, NODE_INPUT, label(l, "/steps").s);
    attribute(m, "perm", order, 3);
    node_end(m, "Transpose", label(l, "/turned").s, out);
}

/* Every other row, beside the row behind it, of which the last may be zeros. */
static void stack_time(struct maker *m, const struct net_layer *l, const char *in, const char *out)
{
    static const int zero = 0, one = 1, two = 2, far = INT32_MAX, pads[6] = {0, 0, 0, 0, 1, 0};

    make_ints(m, label(l, "/zero").s, &zero, 1);
    make_ints(m, label(l, "/one").s, &one, 1);
    make_ints(m, label(l, "/two").s, &two, 1);
    make_ints(m, label(l, "/end").s, &far, 1);
    make_ints(m, label(l, "/pads").s, pads, 6);
    make(m, "Pad", label(l, "/padded").s, in, label(l, "/pads").s, NULL);
    make(m, "Slice", label(l, "/even").s, in, label(l, "/zero").s, label(l, "/end").s,
         label(l, "/one").s, label(l, "/two").s, NULL);
    make(m, "Slice", label(l, "/odd").s, label(l, "/padded").s, label(l, "/one").s,
         label(l, "/end").s, label(l, "/one").s, label(l, "/two").s, NULL);
    text_clear(&m->node);
    wire_string(&m->node, NODE_INPUT, label(l, "/even").s);
    wire_string(&m->node, NODE_INPUT, label(l, "/odd").s);
    attribute(m, "axis", &two, 0);
    node_end(m, "Concat", l->name, out);
}

/* ---- every layer ---- */

static void layer_nodes(struct maker *m, int at)
{
    const struct net_layer *l = &m->net->layers[at];
    const struct label from = l->ins ? operand(m, l, 0) : (struct label){""}, to = result(m, at);
    const char *in = from.s, *out = to.s;
    static const int one = 1, last = -1;
    const struct net_layer *of;

    switch (l->op) {
    case NET_INPUT:
    case NET_BN:
        break;
    case NET_CONV:
    case NET_DECONV:
        convolution(m, at);
        break;
    case NET_FC:
        if (onnx_is_matmul(l)) {
            matmul(m, l, in, out);
            break;
        }
        node_begin(m, l);
        weight_inputs(m, at);
        attribute(m, "transB", &one, 0);
        node_end(m, "Gemm", l->name, out);
        break;
    case NET_LAYERNORM:
        node_begin(m, l);
        weight_inputs(m, at);
        attribute(m, "axis", &last, 0);
        attribute_floats(m, "epsilon", &l->epsilon, 0);
        node_end(m, "LayerNormalization", l->name, out);
        break;
    case NET_INSTANCENORM:
        node_begin(m, l);
        weight_inputs(m, at);
        attribute_floats(m, "epsilon", &l->epsilon, 0);
        node_end(m, "InstanceNormalization", l->name, out);
        break;
    case NET_CONCAT:
        node_begin(m, l);
        attribute(m, "axis", &one, 0);
        node_end(m, "Concat", l->name, out);
        break;
    case NET_LSTM:
        lstm(m, l, in, out);
        break;
    case NET_CELL:
        of = &m->net->layers[l->in[0]];
        make(m, "Squeeze", out, label(of, "/cell_next").s, label(of, "/axes_0").s, NULL);
        break;
    case NET_STACKTIME:
        stack_time(m, l, in, out);
        break;
    case NET_STACK:
        stack(m, l, out);
        break;
    case NET_DOTS:
        dots(m, l, in, out);
        break;
    case NET_STANDARDISE:
        standardise(m, l, in, out);
        break;
    case NET_UPSAMPLE:
        upsample(m, l, in, out);
        break;
    case NET_EMBED:
        embed(m, l, in, out);
        break;
    case NET_BAG:
        bag(m, l, in, out);
        break;
    case NET_POSITION:
        position(m, l, in, out);
        break;
    case NET_GELU:
        gelu(m, l, in, out);
        break;
    case NET_MASK:
        mask(m, l, in, out);
        break;
    case NET_ATTENTION:
        attention(m, l, out);
        break;
    case NET_PICK:
        pick(m, l, in, out);
        break;
    default:
        plain_node(m, at);
        break;
    }
}

/* A layer's result in the other type, if it is an output or somebody reads it so. */
static void other_type(struct maker *m, int at)
{
    const struct net *net = m->net;
    bool half = onnx_in_half(&net->layers[at]), wanted = half && is_output(net, at);
    int i;

    if (!m->half || is_int(net, at))
        return;
    for (i = at + 1; i < net->layer_count; i++)
        wanted |= net_reads(&net->layers[i], at) && onnx_in_half(&net->layers[i]) != half;
    if (wanted)
        make_cast(m, value_as(m, at, !half).s, value_as(m, at, half).s,
                  half ? ONNX_FLOAT : ONNX_HALF);
}

void onnx_nodes(struct text *graph, const struct net *net, bool half)
{
    struct maker m = {.graph = graph, .net = net, .half = half};
    int i;

    text_init(&m.node, META_MAX);
    for (i = 0; i < net->layer_count; i++) {
        layer_nodes(&m, i);
        other_type(&m, i);
    }
    text_release(&m.node);
}

/* LayerNormalization came with 17. */
int onnx_opset(const struct net *net)
{
    int i;

    for (i = 0; i < net->layer_count; i++)
        if (net->layers[i].op == NET_LAYERNORM)
            return 17;
    return 13;
}
