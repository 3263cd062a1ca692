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
void graphdef_window(struct graphdef *s, const struct net_layer *l)
{
    const struct net_shape *in = &s->net->layers[l->in[0]].shape;
    const int *p = l->pad;

    graphdef_int_list(s, "strides", (int[]){1, l->stride, l->stride, 1}, 4);
    graphdef_text(s, "data_format", "NHWC");
    if (!p[0] && !p[1] && !p[2] && !p[3]) {
        graphdef_text(s, "padding", "VALID");
    } else if (is_same(l, in->h, p[0], p[2]) && is_same(l, in->w, p[1], p[3])) {
        graphdef_text(s, "padding", "SAME");
    } else {
        graphdef_text(s, "padding", "EXPLICIT");
        graphdef_int_list(s, "explicit_paddings", (int[]){0, 0, p[0], p[2], p[1], p[3], 0, 0}, 8);
    }
}

/* Channels first to channels last, or back. */
void graphdef_make_turned(struct graphdef *s, const struct net_layer *l, const char *name,
                          const char *in, bool back)
{
    int32_t order[NET_RANK + 1] = {0};
    int d, n = l->shape.rank;

    for (d = 1; d <= n; d++)
        order[d] = back ? (d == 1 ? n : d - 1) : d == n ? 1 : d + 1;
    graphdef_constant_ints(s, graphdef_label(l, "/order").s, order, n + 1);
    graphdef_make_moved(s, "Transpose", name, in, graphdef_label(l, "/order").s);
}

void graphdef_input_layer(struct graphdef *s, int at)
{
    const struct assay_tensor_spec *in = &s->net->inputs[at];
    const struct net_layer *l = &s->net->layers[at];
    char number[24];

    snprintf(number, sizeof(number), "%" PRIu64, s->seed);
    graphdef_begin(s, graphdef_label(l, "").s, "Placeholder");
    graphdef_type(s, "dtype", in->dtype == ASSAY_I64 ? TYPE_INT64 : TYPE_FLOAT);
    graphdef_shape(s, "shape", in->dims, in->rank);
    if (s->w->synthetic)
        graphdef_text(s, "_assay_synthetic", "true");
    graphdef_text(s, "_assay_net", s->net->name);
    if (s->w->sha256[0])
        graphdef_text(s, "_assay_weights_sha256", s->w->sha256);
    else
        graphdef_text(s, "_assay_seed", number);
    graphdef_end(s);
    if (graphdef_is_image(s->net, at))
        graphdef_make_turned(s, l, graphdef_label(l, "/channels_last").s, graphdef_label(l, "").s,
                             false);
}

/* Conv3D knows SAME and VALID only, so what is neither is padded by a node of its own. */
static void conv_volume(struct graphdef *s, const struct net_layer *l, const char *name,
                        const char *weight)
{
    const struct net_shape *in = &s->net->layers[l->in[0]].shape;
    const int32_t p = l->pad[0], pads[10] = {0, 0, p, p, p, p, p, p, 0, 0};
    bool padded = p && !is_same(l, in->dims[1], p, p);

    if (padded) {
        graphdef_constant(s, graphdef_label(l, "/pads").s, TYPE_INT32, (int64_t[]){5, 2}, 2, pads,
                          sizeof(pads));
        graphdef_begin(s, graphdef_label(l, "/padded").s, "Pad");
        graphdef_input(s, graphdef_value(s, l->in[0]).s);
        graphdef_input(s, graphdef_label(l, "/pads").s);
        graphdef_type(s, "T", TYPE_FLOAT);
        graphdef_type(s, "Tpaddings", TYPE_INT32);
        graphdef_end(s);
    }
    graphdef_begin(s, name, "Conv3D");
    graphdef_input(s, padded ? graphdef_label(l, "/padded").s : graphdef_value(s, l->in[0]).s);
    graphdef_input(s, weight);
    graphdef_type(s, "T", TYPE_FLOAT);
    graphdef_int_list(s, "strides", (int[]){1, l->stride, l->stride, l->stride, 1}, 5);
    graphdef_text(s, "data_format", "NDHWC");
    graphdef_text(s, "padding", p && !padded ? "SAME" : "VALID");
    graphdef_end(s);
}

void graphdef_conv(struct graphdef *s, int at)
{
    const struct net_layer *l = &s->net->layers[at], *owner = &s->net->layers[l->owner];
    int bn = net_folded_bn(s->net, at);
    struct graphdef_label name =
        graphdef_label(l, bn < 0 && net_has_bias(s->net, at) ? "/product" : "");

    if (l->shape.rank == 4) {
        conv_volume(s, l, name.s, graphdef_label(owner, ".weight").s);
    } else {
        graphdef_begin(s, name.s, "Conv2D");
        graphdef_input(s, graphdef_value(s, l->in[0]).s);
        graphdef_input(s, graphdef_label(owner, ".weight").s);
        graphdef_type(s, "T", TYPE_FLOAT);
        graphdef_window(s, l);
        graphdef_end(s);
    }
    if (net_has_bias(s->net, at))
        graphdef_make(s, "BiasAdd", bn < 0 ? l->name : s->net->layers[bn].name, name.s,
                      graphdef_label(owner, ".bias").s, NULL);
}

/* The gradient of a convolution is what TensorFlow has for it; it wants the result's whole shape.
 */
void graphdef_deconv(struct graphdef *s, const struct net_layer *l, const char *in)
{
    const int32_t behind[4] = {l->shape.dims[1], l->shape.dims[2], l->shape.dims[3], l->out};
    static const int32_t axis = 0;

    graphdef_make_shape(s, l, in, TYPE_FLOAT);
    graphdef_make_part(s, l, "/batch", 0, 1);
    graphdef_constant_ints(s, graphdef_label(l, "/behind").s, behind, 4);
    graphdef_constant_ints(s, graphdef_label(l, "/axis").s, &axis, 1);
    graphdef_make_joined(s, graphdef_label(l, "/size").s, graphdef_label(l, "/batch").s,
                         graphdef_label(l, "/behind").s, graphdef_label(l, "/axis").s);
    graphdef_begin(s, graphdef_label(l, "/product").s, "Conv3DBackpropInputV2");
    graphdef_input(s, graphdef_label(l, "/size").s);
    graphdef_input(s, graphdef_label(l, ".weight").s);
    graphdef_input(s, in);
    graphdef_type(s, "T", TYPE_FLOAT);
    graphdef_type(s, "Tshape", TYPE_INT32);
    graphdef_int_list(s, "strides", (int[]){1, l->stride, l->stride, l->stride, 1}, 5);
    graphdef_text(s, "data_format", "NDHWC");
    graphdef_text(s, "padding", "VALID");
    graphdef_end(s);
    graphdef_make(s, "BiasAdd", l->name, graphdef_label(l, "/product").s,
                  graphdef_label(l, ".bias").s, NULL);
}

void graphdef_standardise(struct graphdef *s, const struct net_layer *l, const char *in)
{
    graphdef_make(s, "Sub", graphdef_label(l, "/centred").s, in, graphdef_label(l, ".mean").s,
                  NULL);
    graphdef_make(s, "RealDiv", l->name, graphdef_label(l, "/centred").s,
                  graphdef_label(l, ".deviation").s, NULL);
}

void graphdef_upsample(struct graphdef *s, const struct net_layer *l, const char *in)
{
    const int32_t size[2] = {l->shape.h, l->shape.w};

    graphdef_constant_ints(s, graphdef_label(l, "/size").s, size, 2);
    graphdef_begin(s, l->name, "ResizeNearestNeighbor");
    graphdef_input(s, in);
    graphdef_input(s, graphdef_label(l, "/size").s);
    graphdef_type(s, "T", TYPE_FLOAT);
    graphdef_end(s);
}

/* Channels are last, and so is the only dimension of a row. */
void graphdef_concat(struct graphdef *s, const struct net_layer *l)
{
    const int32_t axis = l->shape.rank;
    int i;

    graphdef_constant_ints(s, graphdef_label(l, "/axis").s, &axis, 1);
    graphdef_begin(s, l->name, "ConcatV2");
    for (i = 0; i < l->ins; i++)
        graphdef_input(s, graphdef_value(s, l->in[i]).s);
    graphdef_input(s, graphdef_label(l, "/axis").s);
    graphdef_int(s, "N", l->ins);
    graphdef_type(s, "T", TYPE_FLOAT);
    graphdef_type(s, "Tidx", TYPE_INT32);
    graphdef_end(s);
}
