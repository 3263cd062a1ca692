/* The nodes of layers on images and volumes.
 *
 * TensorFlow's kernels for CPUs want channels last.  So an image, which has channels first as in
 * every other format of the net, is transposed once, and weights are written as TensorFlow's
 * layout has them: O I H W becomes H W I O. */
#include "net/graphdef_nodes.h"

#include <inttypes.h>

#include "net/fold.h"

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
void graph_window(struct graph *s, const struct net_layer *l)
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
void graph_make_turned(struct graph *s, const struct net_layer *l, const char *name, const char *in,
                       bool back)
{
    int32_t order[NET_RANK + 1] = {0};
    int d, n = l->shape.rank;

    for (d = 1; d <= n; d++)
        order[d] = back ? (d == 1 ? n : d - 1) : d == n ? 1 : d + 1;
    graph_constant_ints(s, graph_label(l, "/order").s, order, n + 1);
    graph_make_moved(s, "Transpose", name, in, graph_label(l, "/order").s);
}

void graph_input_layer(struct graph *s, int at)
{
    const struct assay_tensor_spec *in = &s->net->inputs[at];
    const struct net_layer *l = &s->net->layers[at];
    char number[24];

    snprintf(number, sizeof(number), "%" PRIu64, s->seed);
    graph_begin(s, graph_label(l, "").s, "Placeholder");
    graph_type(s, "dtype", in->dtype == ASSAY_I64 ? TYPE_INT64 : TYPE_FLOAT);
    graph_shape(s, "shape", in->dims, in->rank);
    graph_text(s, "_assay_synthetic", "true");
    graph_text(s, "_assay_net", s->net->name);
    graph_text(s, "_assay_seed", number);
    graph_end(s);
    if (graph_is_image(s->net, at))
        graph_make_turned(s, l, graph_label(l, "/channels_last").s, graph_label(l, "").s, false);
}

/* Conv3D knows SAME and VALID only, so what is neither is padded by a node of its own. */
static void conv_volume(struct graph *s, const struct net_layer *l, const char *name,
                        const char *weight)
{
    const struct net_shape *in = &s->net->layers[l->in[0]].shape;
    const int32_t p = l->pad[0], pads[10] = {0, 0, p, p, p, p, p, p, 0, 0};
    bool padded = p && !is_same(l, in->dims[1], p, p);

    if (padded) {
        graph_constant(s, graph_label(l, "/pads").s, TYPE_INT32, (int64_t[]){5, 2}, 2, pads,
                       sizeof(pads));
        graph_begin(s, graph_label(l, "/padded").s, "Pad");
        graph_input(s, graph_value(s, l->in[0]).s);
        graph_input(s, graph_label(l, "/pads").s);
        graph_type(s, "T", TYPE_FLOAT);
        graph_type(s, "Tpaddings", TYPE_INT32);
        graph_end(s);
    }
    graph_begin(s, name, "Conv3D");
    graph_input(s, padded ? graph_label(l, "/padded").s : graph_value(s, l->in[0]).s);
    graph_input(s, weight);
    graph_type(s, "T", TYPE_FLOAT);
    graph_int_list(s, "strides", (int[]){1, l->stride, l->stride, l->stride, 1}, 5);
    graph_text(s, "data_format", "NDHWC");
    graph_text(s, "padding", p && !padded ? "SAME" : "VALID");
    graph_end(s);
}

void graph_conv(struct graph *s, int at)
{
    const struct net_layer *l = &s->net->layers[at], *owner = &s->net->layers[l->owner];
    int bn = net_folded_bn(s->net, at);
    struct graph_label name = graph_label(l, bn < 0 && net_has_bias(s->net, at) ? "/product" : "");

    if (l->shape.rank == 4) {
        conv_volume(s, l, name.s, graph_label(owner, ".weight").s);
    } else {
        graph_begin(s, name.s, "Conv2D");
        graph_input(s, graph_value(s, l->in[0]).s);
        graph_input(s, graph_label(owner, ".weight").s);
        graph_type(s, "T", TYPE_FLOAT);
        graph_window(s, l);
        graph_end(s);
    }
    if (net_has_bias(s->net, at))
        graph_make(s, "BiasAdd", bn < 0 ? l->name : s->net->layers[bn].name, name.s,
                   graph_label(owner, ".bias").s, NULL);
}

/* The gradient of a convolution is what TensorFlow has for it; it wants the result's whole shape.
 */
void graph_deconv(struct graph *s, const struct net_layer *l, const char *in)
{
    const int32_t behind[4] = {l->shape.dims[1], l->shape.dims[2], l->shape.dims[3], l->out};
    static const int32_t axis = 0;

    graph_make_shape(s, l, in, TYPE_FLOAT);
    graph_make_part(s, l, "/batch", 0, 1);
    graph_constant_ints(s, graph_label(l, "/behind").s, behind, 4);
    graph_constant_ints(s, graph_label(l, "/axis").s, &axis, 1);
    graph_make_joined(s, graph_label(l, "/size").s, graph_label(l, "/batch").s,
                      graph_label(l, "/behind").s, graph_label(l, "/axis").s);
    graph_begin(s, graph_label(l, "/product").s, "Conv3DBackpropInputV2");
    graph_input(s, graph_label(l, "/size").s);
    graph_input(s, graph_label(l, ".weight").s);
    graph_input(s, in);
    graph_type(s, "T", TYPE_FLOAT);
    graph_type(s, "Tshape", TYPE_INT32);
    graph_int_list(s, "strides", (int[]){1, l->stride, l->stride, l->stride, 1}, 5);
    graph_text(s, "data_format", "NDHWC");
    graph_text(s, "padding", "VALID");
    graph_end(s);
    graph_make(s, "BiasAdd", l->name, graph_label(l, "/product").s, graph_label(l, ".bias").s,
               NULL);
}

void graph_standardise(struct graph *s, const struct net_layer *l, const char *in)
{
    graph_make(s, "Sub", graph_label(l, "/centred").s, in, graph_label(l, ".mean").s, NULL);
    graph_make(s, "RealDiv", l->name, graph_label(l, "/centred").s, graph_label(l, ".deviation").s,
               NULL);
}

void graph_upsample(struct graph *s, const struct net_layer *l, const char *in)
{
    const int32_t size[2] = {l->shape.h, l->shape.w};

    graph_constant_ints(s, graph_label(l, "/size").s, size, 2);
    graph_begin(s, l->name, "ResizeNearestNeighbor");
    graph_input(s, in);
    graph_input(s, graph_label(l, "/size").s);
    graph_type(s, "T", TYPE_FLOAT);
    graph_end(s);
}

/* Channels are last, and so is the only dimension of a row. */
void graph_concat(struct graph *s, const struct net_layer *l)
{
    const int32_t axis = l->shape.rank;

    graph_constant_ints(s, graph_label(l, "/axis").s, &axis, 1);
    graph_begin(s, l->name, "ConcatV2");
    graph_input(s, graph_value(s, l->in[0]).s);
    graph_input(s, graph_value(s, l->in[1]).s);
    graph_input(s, graph_label(l, "/axis").s);
    graph_int(s, "N", 2);
    graph_type(s, "T", TYPE_FLOAT);
    graph_type(s, "Tidx", TYPE_INT32);
    graph_end(s);
}
