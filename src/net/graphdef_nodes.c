/* Which nodes a layer has in a GraphDef.
 *
 * A layer's constants come first, then its nodes.  Every output is a node of its own (Identity)
 * behind the layer that makes it, so that the outputs are the nodes which nobody reads. */
#include "net/graphdef_nodes.h"

#include <stdlib.h>

#include "net/fold.h"

/* ---- weights ---- */

static void put_weight(struct graphdef *s, int at, int k)
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
    graphdef_constant(s, graphdef_label(l, name).s, TYPE_FLOAT, dims, c.rank, values,
                      c.count * sizeof(float));
    free(values);
}

/* A batch norm has no node here: its convolution's bias has its name. */
static void plain_node(struct graphdef *s, const struct net_layer *l)
{
    static const char *const op[] = {
        [NET_RELU] = "Relu",     [NET_MAXPOOL] = "MaxPool", [NET_ADD] = "AddV2",
        [NET_MUL] = "Mul",       [NET_GAP] = "Mean",        [NET_SOFTMAX] = "Softmax",
        [NET_ARGMAX] = "ArgMax", [NET_SIGMOID] = "Sigmoid"};
    static const int32_t axes[2] = {1, 2};
    bool reduces = l->op == NET_GAP || l->op == NET_ARGMAX;
    int i;

    if (reduces)
        graphdef_constant_ints(s, graphdef_label(l, "/axes").s, axes, l->op == NET_GAP ? 2 : 1);
    graphdef_begin(s, l->name, op[l->op]);
    for (i = 0; i < l->ins; i++)
        graphdef_input(s, graphdef_value(s, l->in[i]).s);
    if (reduces) {
        graphdef_input(s, graphdef_label(l, "/axes").s);
        graphdef_type(s, "Tidx", TYPE_INT32);
    }
    graphdef_type(s, "T", TYPE_FLOAT);
    if (l->op == NET_GAP)
        graphdef_bool(s, "keep_dims", false);
    if (l->op == NET_ARGMAX)
        graphdef_type(s, "output_type", TYPE_INT64);
    if (l->op == NET_MAXPOOL) {
        graphdef_int_list(s, "ksize", (int[]){1, l->kernel, l->kernel, 1}, 4);
        graphdef_window(s, l);
    }
    graphdef_end(s);
}

/* ---- every layer ---- */

static void layer_nodes(struct graphdef *s, int at)
{
    const struct net_layer *l = &s->net->layers[at];
    struct graphdef_label in = l->ins ? graphdef_value(s, l->in[0]) : graphdef_label(l, "");
    int k;

    for (k = 0; k < net_constants(s->net, at); k++)
        put_weight(s, at, k);
    switch (l->op) {
    case NET_INPUT:
        graphdef_input_layer(s, at);
        break;
    case NET_CONV:
        graphdef_conv(s, at);
        break;
    case NET_FC:
        graphdef_fully_connected(s, l, in.s);
        break;
    case NET_BN: /* its convolution's bias has its name */
        break;
    case NET_DECONV:
        graphdef_deconv(s, l, in.s);
        break;
    case NET_LSTM:
        graphdef_lstm(s, l, in.s);
        break;
    case NET_CELL:
        graphdef_make(s, "Identity", l->name, graphdef_label(&s->net->layers[l->in[0]], "/cell").s,
                      NULL);
        break;
    case NET_STACKTIME:
        graphdef_stack_time(s, l, in.s);
        break;
    case NET_STACK:
        graphdef_stack(s, l);
        break;
    case NET_DOTS:
        graphdef_dots(s, l, in.s);
        break;
    case NET_STANDARDISE:
        graphdef_standardise(s, l, in.s);
        break;
    case NET_UPSAMPLE:
        graphdef_upsample(s, l, in.s);
        break;
    case NET_CONCAT:
        graphdef_concat(s, l);
        break;
    case NET_EMBED:
        graphdef_gather(s, l, graphdef_label(l, ".weight").s, TYPE_FLOAT, in.s, TYPE_INT64, 0);
        break;
    case NET_BAG:
        graphdef_bag(s, l, in.s);
        break;
    case NET_PICK:
        graphdef_pick(s, l, in.s);
        break;
    case NET_POSITION:
        graphdef_position(s, l, in.s);
        break;
    case NET_LAYERNORM:
    case NET_INSTANCENORM:
        graphdef_norm(s, l, in.s);
        break;
    case NET_GELU:
        graphdef_gelu(s, l, in.s);
        break;
    case NET_MASK:
        graphdef_mask(s, l, in.s);
        break;
    case NET_ATTENTION:
        graphdef_attention(s, l);
        break;
    default:
        plain_node(s, l);
        break;
    }
}

static void output_node(struct graphdef *s, int o)
{
    const struct assay_tensor_spec *spec = &s->net->outputs[o];
    int at = s->net->output_layer[o];
    const struct net_layer *l = &s->net->layers[at];
    struct graphdef_label from = graphdef_value(s, at);

    if (graphdef_is_image(s->net, at)) {
        graphdef_make_turned(s, l, graphdef_label(l, "/channels_first").s, from.s, true);
        from = graphdef_label(l, "/channels_first");
    }
    graphdef_begin(s, graphdef_part(spec->name, "").s, "Identity");
    graphdef_input(s, from.s);
    graphdef_type(s, "T", spec->dtype == ASSAY_I64 ? TYPE_INT64 : TYPE_FLOAT);
    graphdef_end(s);
}

void graphdef_nodes(struct graphdef *s)
{
    int i;

    for (i = 0; i < s->net->layer_count; i++)
        layer_nodes(s, i);
    for (i = 0; i < s->net->output_count; i++)
        output_node(s, i);
}
