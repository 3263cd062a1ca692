/* The nodes of a GraphDef, layer by layer.
 *
 * TensorFlow's kernels for CPUs want channels last.  So an image, which has channels first as in
 * every other format of the net, is transposed once, and weights are written as TensorFlow's
 * layout has them: O I H W becomes H W I O.  Every output is a node of its own (Identity) behind
 * the layer that makes it, so that the outputs are the nodes which nobody reads.
 *
 * Free dimensions are read from the tensors when the graph runs: "LAYER/shape" and its parts.  The
 * other inner nodes of a layer are called "LAYER/part" too. */
#include "net/graphdef_nodes.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>

#include "net/fold.h"

/* ---- names and common nodes ---- */

/* Lives until the end of the statement. */
struct label {
    char s[96];
};

/* The name of a node that belongs to a layer, or of an output without its ":0". */
static struct label part_name(const char *layer, const char *part)
{
    struct label out;
    size_t n = strlen(layer);

    if (n > 2 && !strcmp(layer + n - 2, ":0"))
        n -= 2;
    snprintf(out.s, sizeof(out.s), "%.*s%s", (int)n, layer, part);
    return out;
}

static struct label label(const struct net_layer *l, const char *part)
{
    return part_name(l->name, part);
}

/* An image or a volume: what TensorFlow wants channels last. */
static bool is_image(const struct net *net, int layer)
{
    const struct net_layer *l = &net->layers[layer];

    return l->shape.rank >= 3 && l->op != NET_MASK;
}

/* What a layer's result is called inside. */
static struct label value_name(const struct graph *s, int layer)
{
    const struct net_layer *l = &s->net->layers[layer];

    return label(l, l->op == NET_INPUT && is_image(s->net, layer) ? "/channels_last" : "");
}

/* A node of floats whose inputs are named, up to NULL. */
static void make(struct graph *s, const char *op, const char *name, ...)
{
    const char *in;
    va_list ap;

    graph_begin(s, name, op);
    va_start(ap, name);
    while ((in = va_arg(ap, const char *)))
        graph_input(s, in);
    va_end(ap);
    graph_type(s, "T", TYPE_FLOAT);
    graph_end(s);
}

/* The shape of `of`, as "LAYER/shape". */
static void make_shape(struct graph *s, const struct net_layer *l, const char *of, int type)
{
    graph_begin(s, label(l, "/shape").s, "Shape");
    graph_input(s, of);
    graph_type(s, "T", type);
    graph_type(s, "out_type", TYPE_INT32);
    graph_end(s);
}

/* Numbers first … last - 1 of "LAYER/shape". */
static void make_part(struct graph *s, const struct net_layer *l, const char *part, int32_t first,
                      int32_t last)
{
    static const int64_t one = 1;
    static const int32_t step = 1;
    const char *const end[3] = {"/first", "/last", "/step"};
    const int32_t *const value[3] = {&first, &last, &step};
    char name[32];
    int i;

    for (i = 0; i < 3; i++) {
        snprintf(name, sizeof(name), "%s%s", part, end[i]);
        graph_constant(s, label(l, name).s, TYPE_INT32, &one, 1, value[i], sizeof(int32_t));
    }
    graph_begin(s, label(l, part).s, "StridedSlice");
    graph_input(s, label(l, "/shape").s);
    for (i = 0; i < 3; i++) {
        snprintf(name, sizeof(name), "%s%s", part, end[i]);
        graph_input(s, label(l, name).s);
    }
    graph_type(s, "T", TYPE_INT32);
    graph_type(s, "Index", TYPE_INT32);
    graph_end(s);
}

/* A shape: that of `front` with `tail` behind it. */
static void make_joined(struct graph *s, const char *name, const char *front, const char *tail,
                        const char *axis)
{
    graph_begin(s, name, "ConcatV2");
    graph_input(s, front);
    graph_input(s, tail);
    graph_input(s, axis);
    graph_int(s, "N", 2);
    graph_type(s, "T", TYPE_INT32);
    graph_type(s, "Tidx", TYPE_INT32);
    graph_end(s);
}

/* Reshape or Transpose: `how` is a tensor of numbers. */
static void make_moved(struct graph *s, const char *op, const char *name, const char *in,
                       const char *how)
{
    graph_begin(s, name, op);
    graph_input(s, in);
    graph_input(s, how);
    graph_type(s, "T", TYPE_FLOAT);
    graph_type(s, strcmp(op, "Reshape") ? "Tperm" : "Tshape", TYPE_INT32);
    graph_end(s);
}

/* ---- weights ---- */

static void put_weight(struct graph *s, int at, int k)
{
    const struct net_layer *l = &s->net->layers[at];
    struct net_constant c = net_constant_of(s->net, at, k);
    bool turned = l->op == NET_LSTM
                      ? k < 2
                      : k == 0 && (l->op == NET_CONV || l->op == NET_DECONV || l->op == NET_FC);
    int64_t dims[NET_RANK];
    float *values = NULL;
    char name[16];
    uint32_t i;

    for (i = 0; i < c.rank; i++) /* O I … to … I O */
        dims[i] = !turned ? c.dims[i] : c.dims[i + 2 < c.rank ? i + 2 : c.rank - 1 - i];
    if (s->file && !s->rc) {
        values = net_constant_values(s->net, s->w, at, k, s->err);
        if (!values)
            s->rc = ASSAY_EFAIL;
        else if (turned && !net_channels_last(&c, &values))
            s->rc = assay_fail(s->err, ASSAY_EFAIL, "net %s: out of memory for %s", s->net->name,
                               l->name);
    }
    snprintf(name, sizeof(name), ".%s", c.suffix);
    if (l->op == NET_STANDARDISE)
        c.rank = 1; /* the channels, which are last here */
    graph_constant(s, label(l, name).s, TYPE_FLOAT, dims, c.rank, values, c.count * sizeof(float));
    free(values);
}

/* ---- images ---- */

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
static void window(struct graph *s, const struct net_layer *l)
{
    const struct net_shape *in = &s->net->layers[l->in[0]].shape;
    const int *p = l->pad;

    graph_int_list(s, "strides", (int[]){1, l->stride, l->stride, 1}, 4);
    graph_text(s, "data_format", "NHWC");
    if (!p[0] && !p[1] && !p[2] && !p[3]) {
        graph_text(s, "padding", "VALID");
    } else if (is_same(l, in->h, p[0], p[2]) && is_same(l, in->w, p[1], p[3])) {
        graph_text(s, "padding", "SAME");
    } else {
        graph_text(s, "padding", "EXPLICIT");
        graph_int_list(s, "explicit_paddings", (int[]){0, 0, p[0], p[2], p[1], p[3], 0, 0}, 8);
    }
}

/* Channels first to channels last, or back. */
static void make_turned(struct graph *s, const struct net_layer *l, const char *name,
                        const char *in, bool back)
{
    int32_t order[NET_RANK + 1] = {0};
    int d, n = l->shape.rank;

    for (d = 1; d <= n; d++)
        order[d] = back ? (d == 1 ? n : d - 1) : d == n ? 1 : d + 1;
    graph_constant_ints(s, label(l, "/order").s, order, n + 1);
    make_moved(s, "Transpose", name, in, label(l, "/order").s);
}

static void input_nodes(struct graph *s, int at)
{
    const struct assay_tensor_spec *in = &s->net->inputs[at];
    const struct net_layer *l = &s->net->layers[at];
    char number[24];

    snprintf(number, sizeof(number), "%" PRIu64, s->seed);
    graph_begin(s, label(l, "").s, "Placeholder");
    graph_type(s, "dtype", in->dtype == ASSAY_I64 ? TYPE_INT64 : TYPE_FLOAT);
    graph_shape(s, "shape", in->dims, in->rank);
    graph_text(s, "_assay_synthetic", "true");
    graph_text(s, "_assay_net", s->net->name);
    graph_text(s, "_assay_seed", number);
    graph_end(s);
    if (is_image(s->net, at))
        make_turned(s, l, label(l, "/channels_last").s, label(l, "").s, false);
}

/* Conv3D knows SAME and VALID only, so what is neither is padded by a node of its own. */
static void conv_volume(struct graph *s, const struct net_layer *l, const char *name,
                        const char *weight)
{
    const struct net_shape *in = &s->net->layers[l->in[0]].shape;
    const int32_t p = l->pad[0], pads[10] = {0, 0, p, p, p, p, p, p, 0, 0};
    bool padded = p && !is_same(l, in->dims[1], p, p);

    if (padded) {
        graph_constant(s, label(l, "/pads").s, TYPE_INT32, (int64_t[]){5, 2}, 2, pads,
                       sizeof(pads));
        graph_begin(s, label(l, "/padded").s, "Pad");
        graph_input(s, value_name(s, l->in[0]).s);
        graph_input(s, label(l, "/pads").s);
        graph_type(s, "T", TYPE_FLOAT);
        graph_type(s, "Tpaddings", TYPE_INT32);
        graph_end(s);
    }
    graph_begin(s, name, "Conv3D");
    graph_input(s, padded ? label(l, "/padded").s : value_name(s, l->in[0]).s);
    graph_input(s, weight);
    graph_type(s, "T", TYPE_FLOAT);
    graph_int_list(s, "strides", (int[]){1, l->stride, l->stride, l->stride, 1}, 5);
    graph_text(s, "data_format", "NDHWC");
    graph_text(s, "padding", p && !padded ? "SAME" : "VALID");
    graph_end(s);
}

static void conv(struct graph *s, int at)
{
    const struct net_layer *l = &s->net->layers[at], *owner = &s->net->layers[l->owner];
    int bn = net_folded_bn(s->net, at);
    struct label name = label(l, bn < 0 && net_has_bias(s->net, at) ? "/product" : "");

    if (l->shape.rank == 4) {
        conv_volume(s, l, name.s, label(owner, ".weight").s);
    } else {
        graph_begin(s, name.s, "Conv2D");
        graph_input(s, value_name(s, l->in[0]).s);
        graph_input(s, label(owner, ".weight").s);
        graph_type(s, "T", TYPE_FLOAT);
        window(s, l);
        graph_end(s);
    }
    if (net_has_bias(s->net, at))
        make(s, "BiasAdd", bn < 0 ? l->name : s->net->layers[bn].name, name.s,
             label(owner, ".bias").s, NULL);
}

/* The gradient of a convolution is what TensorFlow has for it; it wants the result's whole shape.
 */
static void deconv(struct graph *s, const struct net_layer *l, const char *in)
{
    const int32_t behind[4] = {l->shape.dims[1], l->shape.dims[2], l->shape.dims[3], l->out};
    static const int32_t axis = 0;

    make_shape(s, l, in, TYPE_FLOAT);
    make_part(s, l, "/batch", 0, 1);
    graph_constant_ints(s, label(l, "/behind").s, behind, 4);
    graph_constant_ints(s, label(l, "/axis").s, &axis, 1);
    make_joined(s, label(l, "/size").s, label(l, "/batch").s, label(l, "/behind").s,
                label(l, "/axis").s);
    graph_begin(s, label(l, "/product").s, "Conv3DBackpropInputV2");
    graph_input(s, label(l, "/size").s);
    graph_input(s, label(l, ".weight").s);
    graph_input(s, in);
    graph_type(s, "T", TYPE_FLOAT);
    graph_type(s, "Tshape", TYPE_INT32);
    graph_int_list(s, "strides", (int[]){1, l->stride, l->stride, l->stride, 1}, 5);
    graph_text(s, "data_format", "NDHWC");
    graph_text(s, "padding", "VALID");
    graph_end(s);
    make(s, "BiasAdd", l->name, label(l, "/product").s, label(l, ".bias").s, NULL);
}

static void standardise(struct graph *s, const struct net_layer *l, const char *in)
{
    make(s, "Sub", label(l, "/centred").s, in, label(l, ".mean").s, NULL);
    make(s, "RealDiv", l->name, label(l, "/centred").s, label(l, ".deviation").s, NULL);
}

static void upsample(struct graph *s, const struct net_layer *l, const char *in)
{
    const int32_t size[2] = {l->shape.h, l->shape.w};

    graph_constant_ints(s, label(l, "/size").s, size, 2);
    graph_begin(s, l->name, "ResizeNearestNeighbor");
    graph_input(s, in);
    graph_input(s, label(l, "/size").s);
    graph_type(s, "T", TYPE_FLOAT);
    graph_end(s);
}

/* Channels are last, and so is the only dimension of a row. */
static void concat(struct graph *s, const struct net_layer *l)
{
    const int32_t axis = l->shape.rank;

    graph_constant_ints(s, label(l, "/axis").s, &axis, 1);
    graph_begin(s, l->name, "ConcatV2");
    graph_input(s, value_name(s, l->in[0]).s);
    graph_input(s, value_name(s, l->in[1]).s);
    graph_input(s, label(l, "/axis").s);
    graph_int(s, "N", 2);
    graph_type(s, "T", TYPE_FLOAT);
    graph_type(s, "Tidx", TYPE_INT32);
    graph_end(s);
}

/* A batch norm has no node here: its convolution's bias has its name. */
static void plain_node(struct graph *s, const struct net_layer *l)
{
    static const char *const op[] = {
        [NET_RELU] = "Relu",      [NET_MAXPOOL] = "MaxPool", [NET_ADD] = "AddV2",
        [NET_GAP] = "Mean",       [NET_SOFTMAX] = "Softmax", [NET_ARGMAX] = "ArgMax",
        [NET_SIGMOID] = "Sigmoid"};
    static const int32_t axes[2] = {1, 2};
    bool reduces = l->op == NET_GAP || l->op == NET_ARGMAX;
    int i;

    if (reduces)
        graph_constant_ints(s, label(l, "/axes").s, axes, l->op == NET_GAP ? 2 : 1);
    graph_begin(s, l->name, op[l->op]);
    for (i = 0; i < l->ins; i++)
        graph_input(s, value_name(s, l->in[i]).s);
    if (reduces) {
        graph_input(s, label(l, "/axes").s);
        graph_type(s, "Tidx", TYPE_INT32);
    }
    graph_type(s, "T", TYPE_FLOAT);
    if (l->op == NET_GAP)
        graph_bool(s, "keep_dims", false);
    if (l->op == NET_ARGMAX)
        graph_type(s, "output_type", TYPE_INT64);
    if (l->op == NET_MAXPOOL) {
        graph_int_list(s, "ksize", (int[]){1, l->kernel, l->kernel, 1}, 4);
        window(s, l);
    }
    graph_end(s);
}

/* ---- sequences ---- */

/* MatMul is for matrices: what stands before the last dimension is one there. */
static void fully_connected(struct graph *s, const struct net_layer *l, const char *in)
{
    const int32_t rows[2] = {-1, (int32_t)s->net->tensors[l->tensor].dims[1]}, axis = 0;
    const int32_t front = l->shape.rank, width = l->out;
    bool matrix = l->shape.rank == 1;

    if (!matrix) {
        graph_constant_ints(s, label(l, "/matrix").s, rows, 2);
        make_moved(s, "Reshape", label(l, "/rows").s, in, label(l, "/matrix").s);
    }
    make(s, "MatMul", label(l, "/product").s, matrix ? in : label(l, "/rows").s,
         label(l, ".weight").s, NULL);
    make(s, "BiasAdd", matrix ? l->name : label(l, "/biased").s, label(l, "/product").s,
         label(l, ".bias").s, NULL);
    if (matrix)
        return;
    make_shape(s, l, in, TYPE_FLOAT);
    make_part(s, l, "/front", 0, front);
    graph_constant(s, label(l, "/width").s, TYPE_INT32, (int64_t[]){1}, 1, &width, sizeof(width));
    graph_constant_ints(s, label(l, "/axis").s, &axis, 1);
    make_joined(s, label(l, "/whole").s, label(l, "/front").s, label(l, "/width").s,
                label(l, "/axis").s);
    make_moved(s, "Reshape", l->name, label(l, "/biased").s, label(l, "/whole").s);
}

/* Rows of a table or numbers of the last dimension. */
static void gather(struct graph *s, const struct net_layer *l, const char *from, int params,
                   const char *which, int type, int32_t axis)
{
    graph_constant_ints(s, label(l, "/axis").s, &axis, 1);
    graph_begin(s, l->name, "GatherV2");
    graph_input(s, from);
    graph_input(s, which);
    graph_input(s, label(l, "/axis").s);
    graph_type(s, "Tparams", params);
    graph_type(s, "Tindices", type);
    graph_type(s, "Taxis", TYPE_INT32);
    graph_end(s);
}

static void pick(struct graph *s, const struct net_layer *l, const char *in)
{
    const int32_t which = l->out;
    bool number = l->in[0] < s->net->input_count && s->net->inputs[l->in[0]].dtype == ASSAY_I64;

    graph_constant_ints(s, label(l, "/number").s, &which, 1);
    gather(s, l, in, number ? TYPE_INT64 : TYPE_FLOAT, label(l, "/number").s, TYPE_INT32,
           l->shape.rank + 1);
}

/* x + table[0 … s - 1], where s is how long x is. */
static void position(struct graph *s, const struct net_layer *l, const char *in)
{
    static const int32_t begin[2] = {0, 0};

    make_shape(s, l, in, TYPE_FLOAT);
    make_part(s, l, "/size", 1, 3);
    graph_constant_ints(s, label(l, "/begin").s, begin, 2);
    graph_begin(s, label(l, "/rows").s, "Slice");
    graph_input(s, label(l, ".weight").s);
    graph_input(s, label(l, "/begin").s);
    graph_input(s, label(l, "/size").s);
    graph_type(s, "T", TYPE_FLOAT);
    graph_type(s, "Index", TYPE_INT32);
    graph_end(s);
    make(s, "AddV2", l->name, in, label(l, "/rows").s, NULL);
}

static void stack(struct graph *s, const struct net_layer *l)
{
    int i;

    graph_begin(s, l->name, "Pack");
    for (i = 0; i < l->ins; i++)
        graph_input(s, value_name(s, l->in[i]).s);
    graph_int(s, "N", l->ins);
    graph_type(s, "T", TYPE_FLOAT);
    graph_int(s, "axis", 1);
    graph_end(s);
}

static void make_product(struct graph *s, const char *name, const char *a, const char *b,
                         bool turn_b)
{
    graph_begin(s, name, "BatchMatMulV2");
    graph_input(s, a);
    graph_input(s, b);
    graph_type(s, "T", TYPE_FLOAT);
    graph_bool(s, "adj_x", false);
    graph_bool(s, "adj_y", turn_b);
    graph_end(s);
}

/* Every row with every row, of which those below the diagonal are kept. */
static void dots(struct graph *s, const struct net_layer *l, const char *in)
{
    int32_t k = s->net->layers[l->in[0]].shape.dims[0], row[2] = {-1, k * k};
    int32_t kept[NET_JOINS * NET_JOINS], n = 0, i, j;

    for (i = 1; i < k; i++)
        for (j = 0; j < i; j++)
            kept[n++] = i * k + j;
    graph_constant_ints(s, label(l, "/kept").s, kept, n);
    graph_constant_ints(s, label(l, "/row_shape").s, row, 2);
    make_product(s, label(l, "/square").s, in, in, true);
    make_moved(s, "Reshape", label(l, "/row").s, label(l, "/square").s, label(l, "/row_shape").s);
    gather(s, l, label(l, "/row").s, TYPE_FLOAT, label(l, "/kept").s, TYPE_INT32, 1);
}

static void mean(struct graph *s, const struct net_layer *l, const char *name, const char *in)
{
    graph_begin(s, name, "Mean");
    graph_input(s, in);
    graph_input(s, label(l, "/axis").s);
    graph_type(s, "T", TYPE_FLOAT);
    graph_type(s, "Tidx", TYPE_INT32);
    graph_bool(s, "keep_dims", true);
    graph_end(s);
}

/* (x - mean) / sqrt(variance + epsilon) * weight + bias, over the last dimension or, of an instance
 * norm, over every place. */
static void norm(struct graph *s, const struct net_layer *l, const char *in)
{
    const int32_t axes[3] = {1, 2, 3}, last = l->shape.rank;
    bool instance = l->op == NET_INSTANCENORM;
    const int64_t n = instance ? l->shape.rank - 1 : 1;

    graph_constant(s, label(l, "/axis").s, TYPE_INT32, &n, 1, instance ? axes : &last,
                   (size_t)n * sizeof(last));
    graph_constant_float(s, label(l, "/epsilon").s, l->epsilon);
    mean(s, l, label(l, "/mean").s, in);
    make(s, "Sub", label(l, "/centred").s, in, label(l, "/mean").s, NULL);
    make(s, "Square", label(l, "/squares").s, label(l, "/centred").s, NULL);
    mean(s, l, label(l, "/variance").s, label(l, "/squares").s);
    make(s, "AddV2", label(l, "/above_zero").s, label(l, "/variance").s, label(l, "/epsilon").s,
         NULL);
    make(s, "Rsqrt", label(l, "/scale").s, label(l, "/above_zero").s, NULL);
    make(s, "Mul", label(l, "/scaled").s, label(l, "/centred").s, label(l, "/scale").s, NULL);
    make(s, "Mul", label(l, "/weighted").s, label(l, "/scaled").s, label(l, ".weight").s, NULL);
    make(s, "AddV2", l->name, label(l, "/weighted").s, label(l, ".bias").s, NULL);
}

static void gelu(struct graph *s, const struct net_layer *l, const char *in)
{
    graph_constant_float(s, label(l, "/root").s, 0.70710678f);
    graph_constant_float(s, label(l, "/one").s, 1.0f);
    graph_constant_float(s, label(l, "/half").s, 0.5f);
    make(s, "Mul", label(l, "/scaled").s, in, label(l, "/root").s, NULL);
    make(s, "Erf", label(l, "/erf").s, label(l, "/scaled").s, NULL);
    make(s, "AddV2", label(l, "/gate").s, label(l, "/erf").s, label(l, "/one").s, NULL);
    make(s, "Mul", label(l, "/halved").s, in, label(l, "/half").s, NULL);
    make(s, "Mul", l->name, label(l, "/halved").s, label(l, "/gate").s, NULL);
}

static void make_expanded(struct graph *s, const char *name, const char *in, const char *axis)
{
    graph_begin(s, name, "ExpandDims");
    graph_input(s, in);
    graph_input(s, axis);
    graph_type(s, "T", TYPE_FLOAT);
    graph_type(s, "Tdim", TYPE_INT32);
    graph_end(s);
}

static void mask(struct graph *s, const struct net_layer *l, const char *in)
{
    static const int32_t axis = 1;

    graph_constant_float(s, label(l, "/one").s, 1.0f);
    graph_constant_float(s, label(l, "/low").s, -10000.0f);
    graph_constant_ints(s, label(l, "/axis").s, &axis, 1);
    graph_begin(s, label(l, "/kept").s, "Cast");
    graph_input(s, in);
    graph_type(s, "SrcT", TYPE_INT64);
    graph_type(s, "DstT", TYPE_FLOAT);
    graph_end(s);
    make(s, "Sub", label(l, "/hidden").s, label(l, "/one").s, label(l, "/kept").s, NULL);
    make(s, "Mul", label(l, "/scores").s, label(l, "/hidden").s, label(l, "/low").s, NULL);
    make_expanded(s, label(l, "/row").s, label(l, "/scores").s, label(l, "/axis").s);
    make_expanded(s, l->name, label(l, "/row").s, label(l, "/axis").s);
}

/* [n, s, width] to [n, heads, s, width / heads] and back. */
static void attention(struct graph *s, const struct net_layer *l)
{
    static const char *const rows[3] = {"/query_rows", "/key_rows", "/value_rows"};
    static const char *const heads[3] = {"/queries", "/keys", "/values"};
    static const int32_t order[4] = {0, 2, 1, 3}, axis = 0;
    const int32_t head[2] = {l->out, l->shape.dims[1] / l->out};
    int i;

    make_shape(s, l, value_name(s, l->in[0]).s, TYPE_FLOAT);
    make_part(s, l, "/front", 0, 2);
    graph_constant_ints(s, label(l, "/head").s, head, 2);
    graph_constant_ints(s, label(l, "/axis").s, &axis, 1);
    make_joined(s, label(l, "/split").s, label(l, "/front").s, label(l, "/head").s,
                label(l, "/axis").s);
    graph_constant_ints(s, label(l, "/order").s, order, 4);
    graph_constant_float(s, label(l, "/factor").s, 1.0f / sqrtf((float)head[1]));
    for (i = 0; i < 3; i++) {
        make_moved(s, "Reshape", label(l, rows[i]).s, value_name(s, l->in[i]).s,
                   label(l, "/split").s);
        make_moved(s, "Transpose", label(l, heads[i]).s, label(l, rows[i]).s, label(l, "/order").s);
    }
    make_product(s, label(l, "/products").s, label(l, heads[0]).s, label(l, heads[1]).s, true);
    make(s, "Mul", label(l, "/scaled").s, label(l, "/products").s, label(l, "/factor").s, NULL);
    make(s, "AddV2", label(l, "/scores").s, label(l, "/scaled").s, value_name(s, l->in[3]).s, NULL);
    make(s, "Softmax", label(l, "/weights").s, label(l, "/scores").s, NULL);
    make_product(s, label(l, "/context").s, label(l, "/weights").s, label(l, heads[2]).s, false);
    make_moved(s, "Transpose", label(l, "/merged").s, label(l, "/context").s, label(l, "/order").s);
    make_moved(s, "Reshape", l->name, label(l, "/merged").s, label(l, "/shape").s);
}

/* ---- recurrent layers ---- */

/* A tensor of zeros whose shape is "LAYER/state_shape". */
static void make_zeros(struct graph *s, const struct net_layer *l, const char *name)
{
    graph_constant_float(s, label(l, "/zero").s, 0.0f);
    graph_begin(s, name, "Fill");
    graph_input(s, label(l, "/state_shape").s);
    graph_input(s, label(l, "/zero").s);
    graph_type(s, "T", TYPE_FLOAT);
    graph_type(s, "index_type", TYPE_INT32);
    graph_end(s);
}

/* Weights of both products below each other, biases added. */
static void lstm_weights(struct graph *s, const struct net_layer *l)
{
    static const int32_t axis = 0;
    const int64_t width = l->out;
    float *zeros = calloc((size_t)width, sizeof(*zeros));

    s->cut |= !zeros;
    if (zeros)
        graph_constant(s, label(l, "/peepholes").s, TYPE_FLOAT, &width, 1, zeros,
                       (size_t)width * sizeof(*zeros));
    free(zeros);
    graph_constant_ints(s, label(l, "/axis").s, &axis, 1);
    graph_begin(s, label(l, "/weights").s, "ConcatV2");
    graph_input(s, label(l, ".weight_ih").s);
    graph_input(s, label(l, ".weight_hh").s);
    graph_input(s, label(l, "/axis").s);
    graph_int(s, "N", 2);
    graph_type(s, "T", TYPE_FLOAT);
    graph_type(s, "Tidx", TYPE_INT32);
    graph_end(s);
    make(s, "AddV2", label(l, "/bias").s, label(l, ".bias_ih").s, label(l, ".bias_hh").s, NULL);
}

/* BlockLSTMV2 of x [t, n, in]; its results 1 and 6 are the cell's and the hidden states. */
static void block_lstm(struct graph *s, const struct net_layer *l, const char *length,
                       const char *cell, const char *hidden)
{
    int i;

    graph_begin(s, label(l, "/block").s, "BlockLSTMV2");
    graph_input(s, length);
    graph_input(s, label(l, "/x").s);
    graph_input(s, cell);
    graph_input(s, hidden);
    graph_input(s, label(l, "/weights").s);
    for (i = 0; i < 3; i++)
        graph_input(s, label(l, "/peepholes").s);
    graph_input(s, label(l, "/bias").s);
    graph_type(s, "T", TYPE_FLOAT);
    graph_end(s);
}

static void lstm_step(struct graph *s, const struct net_layer *l, const char *in)
{
    static const int64_t one = 1;
    static const int32_t axis = 0;
    static const char *const part[2] = {"/block:6", "/block:1"}, *const name[2] = {"", "/cell"};
    int k;

    graph_constant(s, label(l, "/length").s, TYPE_INT64, NULL, 0, &one, sizeof(one));
    graph_constant_ints(s, label(l, "/front").s, &axis, 1);
    make_expanded(s, label(l, "/x").s, in, label(l, "/front").s);
    block_lstm(s, l, label(l, "/length").s, value_name(s, l->in[2]).s, value_name(s, l->in[1]).s);
    for (k = 0; k < 2; k++) {
        graph_begin(s, label(l, name[k]).s, "Squeeze");
        graph_input(s, label(l, part[k]).s);
        graph_type(s, "T", TYPE_FLOAT);
        graph_int_list(s, "squeeze_dims", (int[]){0}, 1);
        graph_end(s);
    }
}

static void lstm(struct graph *s, const struct net_layer *l, const char *in)
{
    static const int32_t order[3] = {1, 0, 2}, second = 1;
    const int32_t width = l->out;

    lstm_weights(s, l);
    if (l->ins == 3) {
        lstm_step(s, l, in);
        return;
    }
    graph_constant_ints(s, label(l, "/order").s, order, 3);
    make_moved(s, "Transpose", label(l, "/x").s, in, label(l, "/order").s);
    make_shape(s, l, in, TYPE_FLOAT);
    make_part(s, l, "/batch", 0, 1);
    graph_constant(s, label(l, "/width").s, TYPE_INT32, (int64_t[]){1}, 1, &width, sizeof(width));
    make_joined(s, label(l, "/state_shape").s, label(l, "/batch").s, label(l, "/width").s,
                label(l, "/axis").s);
    make_zeros(s, l, label(l, "/state").s);
    graph_constant_ints(s, label(l, "/second").s, &second, 1);
    graph_begin(s, label(l, "/steps").s, "GatherV2");
    graph_input(s, label(l, "/shape").s);
    graph_input(s, label(l, "/second").s);
    graph_input(s, label(l, "/axis").s);
    graph_type(s, "Tparams", TYPE_INT32);
    graph_type(s, "Tindices", TYPE_INT32);
    graph_type(s, "Taxis", TYPE_INT32);
    graph_end(s);
    graph_begin(s, label(l, "/length").s, "Cast");
    graph_input(s, label(l, "/steps").s);
    graph_type(s, "SrcT", TYPE_INT32);
    graph_type(s, "DstT", TYPE_INT64);
    graph_end(s);
    block_lstm(s, l, label(l, "/length").s, label(l, "/state").s, label(l, "/state").s);
    make_moved(s, "Transpose", l->name, label(l, "/block:6").s, label(l, "/order").s);
}

/* Every other row from `first` on. */
static void every_other(struct graph *s, const struct net_layer *l, const char *name,
                        const char *in, int32_t first)
{
    const int32_t begin[2] = {0, first}, end[2] = {0, 0}, step[2] = {1, 2};
    const int32_t *const value[3] = {begin, end, step};
    static const char *const part[3] = {"/begin", "/end", "/step"};
    char full[3][32];
    int i;

    for (i = 0; i < 3; i++) {
        snprintf(full[i], sizeof(full[i]), "%s%s", name, part[i]);
        graph_constant_ints(s, label(l, full[i]).s, value[i], 2);
    }
    graph_begin(s, label(l, name).s, "StridedSlice");
    graph_input(s, in);
    for (i = 0; i < 3; i++)
        graph_input(s, label(l, full[i]).s);
    graph_type(s, "T", TYPE_FLOAT);
    graph_type(s, "Index", TYPE_INT32);
    graph_int(s, "begin_mask", 1);
    graph_int(s, "end_mask", 3);
    graph_end(s);
}

/* Beside the row behind it, of which the last may be zeros. */
static void stack_time(struct graph *s, const struct net_layer *l, const char *in)
{
    static const int32_t pads[6] = {0, 0, 0, 1, 0, 0}, axis = 2;

    graph_constant(s, label(l, "/pads").s, TYPE_INT32, (int64_t[]){3, 2}, 2, pads, sizeof(pads));
    graph_begin(s, label(l, "/padded").s, "Pad");
    graph_input(s, in);
    graph_input(s, label(l, "/pads").s);
    graph_type(s, "T", TYPE_FLOAT);
    graph_type(s, "Tpaddings", TYPE_INT32);
    graph_end(s);
    every_other(s, l, "/even", in, 0);
    every_other(s, l, "/odd", label(l, "/padded").s, 1);
    graph_constant_ints(s, label(l, "/axis").s, &axis, 1);
    graph_begin(s, l->name, "ConcatV2");
    graph_input(s, label(l, "/even").s);
    graph_input(s, label(l, "/odd").s);
    graph_input(s, label(l, "/axis").s);
    graph_int(s, "N", 2);
    graph_type(s, "T", TYPE_FLOAT);
    graph_type(s, "Tidx", TYPE_INT32);
    graph_end(s);
}

/* ---- every layer ---- */

static void layer_nodes(struct graph *s, int at)
{
    const struct net_layer *l = &s->net->layers[at];
    struct label in = l->ins ? value_name(s, l->in[0]) : label(l, "");
    int k;

    for (k = 0; k < net_constants(s->net, at); k++)
        put_weight(s, at, k);
    switch (l->op) {
    case NET_INPUT:
        input_nodes(s, at);
        break;
    case NET_CONV:
        conv(s, at);
        break;
    case NET_FC:
        fully_connected(s, l, in.s);
        break;
    case NET_BN: /* its convolution's bias has its name */
        break;
    case NET_DECONV:
        deconv(s, l, in.s);
        break;
    case NET_LSTM:
        lstm(s, l, in.s);
        break;
    case NET_CELL:
        make(s, "Identity", l->name, label(&s->net->layers[l->in[0]], "/cell").s, NULL);
        break;
    case NET_STACKTIME:
        stack_time(s, l, in.s);
        break;
    case NET_STACK:
        stack(s, l);
        break;
    case NET_DOTS:
        dots(s, l, in.s);
        break;
    case NET_STANDARDISE:
        standardise(s, l, in.s);
        break;
    case NET_UPSAMPLE:
        upsample(s, l, in.s);
        break;
    case NET_CONCAT:
        concat(s, l);
        break;
    case NET_EMBED:
        gather(s, l, label(l, ".weight").s, TYPE_FLOAT, in.s, TYPE_INT64, 0);
        break;
    case NET_PICK:
        pick(s, l, in.s);
        break;
    case NET_POSITION:
        position(s, l, in.s);
        break;
    case NET_LAYERNORM:
    case NET_INSTANCENORM:
        norm(s, l, in.s);
        break;
    case NET_GELU:
        gelu(s, l, in.s);
        break;
    case NET_MASK:
        mask(s, l, in.s);
        break;
    case NET_ATTENTION:
        attention(s, l);
        break;
    default:
        plain_node(s, l);
        break;
    }
}

static void output_node(struct graph *s, int o)
{
    const struct assay_tensor_spec *spec = &s->net->outputs[o];
    int at = s->net->output_layer[o];
    const struct net_layer *l = &s->net->layers[at];
    struct label from = value_name(s, at);

    if (is_image(s->net, at)) {
        make_turned(s, l, label(l, "/channels_first").s, from.s, true);
        from = label(l, "/channels_first");
    }
    graph_begin(s, part_name(spec->name, "").s, "Identity");
    graph_input(s, from.s);
    graph_type(s, "T", spec->dtype == ASSAY_I64 ? TYPE_INT64 : TYPE_FLOAT);
    graph_end(s);
}

void graph_nodes(struct graph *s)
{
    int i;

    for (i = 0; i < s->net->layer_count; i++)
        layer_nodes(s, i);
    for (i = 0; i < s->net->output_count; i++)
        output_node(s, i);
}
