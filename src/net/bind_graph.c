/* Binds the weights of an ONNX file by following its graph along the net's layers.
 *
 * Exporters fold batch norms into convolutions and make up names, so names say nothing.  Instead
 * each layer looks for the node that does its work: the right operation, on the result of the layer
 * in front of it, with weights of its shape, its strides and its padding.  Exactly one must be
 * there; a file of another topology, or one whose strides differ (ResNet-50 v1), is refused.
 *
 * Nodes that only move numbers are looked through (graph.h); a Pad adds to the padding of what
 * follows.  A convolution whose batch norm was folded gets one that changes nothing: variance
 * 1, mean 0, scale sqrt(1 + epsilon), so that folding it again divides that by itself. */
#include "net/exact.h"
#include "net/bind.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "net/graph.h"

struct follower {
    const struct net *net;
    const struct state *s;
    struct net_weights *w;
    struct assay_err *err;
    struct graph g;
    uint32_t *at;                          /* the value behind each layer of the net */
    const struct state_tensor **conv_bias; /* of each layer; NULL: none */
};

static int bad(struct follower *f, int layer, const char *what)
{
    return assay_fail(f->err, ASSAY_EFAIL, "%s: does not fit the net %s: at its layer %s: %s",
                      f->s->name, f->net->name, f->net->layers[layer].name, what);
}

/* The result of the node is the layer's. */
static void settle(struct follower *f, int layer, struct graph_node *n)
{
    n->used = true;
    f->at[layer] = n->out == GRAPH_NONE ? GRAPH_NONE : f->g.values[n->out].same;
}

/* ---- layers ---- */

/* What SAME_UPPER means for this layer in one direction. */
static void same_upper(const struct net_layer *l, int size, int64_t *before, int64_t *after)
{
    int outs = (size + l->stride - 1) / l->stride;
    int missing = (outs - 1) * l->stride + l->kernel - size;

    missing = missing < 0 ? 0 : missing;
    *before += missing / 2;
    *after += missing - missing / 2;
}

static bool padding_fits(const struct follower *f, const struct graph_node *n,
                         const struct net_layer *l)
{
    struct graph_attribute automatic = graph_attribute(&f->g, n, "auto_pad"),
                           pads = graph_attribute(&f->g, n, "pads");
    const struct net_shape *in = &f->net->layers[l->in[0]].shape;
    int64_t pad[4];

    memcpy(pad, f->g.values[n->in[0]].pad, sizeof(pad));
    if (!strcmp(automatic.s, "SAME_UPPER")) {
        same_upper(l, in->h, &pad[0], &pad[2]);
        same_upper(l, in->w, &pad[1], &pad[3]);
    } else if (automatic.s[0] && strcmp(automatic.s, "VALID") != 0 &&
               strcmp(automatic.s, "NOTSET") != 0) {
        return false;
    } else if (pads.found && pads.count == 4 && graph_pads_are_sane(&pads)) {
        for (int i = 0; i < 4; i++)
            pad[i] += pads.ints[i];
    } else if (pads.found) {
        return false;
    }
    for (int i = 0; i < 4; i++)
        if (pad[i] != l->pad[i])
            return false;
    return true;
}

static bool shaped(const struct net_tensor *want, const struct state_tensor *have)
{
    return have && state_is_float(have) && have->rank == want->rank &&
           !memcmp(have->dims, want->dims, want->rank * sizeof(want->dims[0]));
}

static int follow_conv(struct follower *f, int layer)
{
    const struct net_layer *l = &f->net->layers[layer];
    const struct net_tensor *t = &f->net->tensors[l->tensor];
    struct graph_node *found = NULL;
    char what[160];

    if (l->shape.rank != 3 || l->groups != 1 || l->tensors != 1 || l->owner != layer)
        return bad(f, layer, "weights of ONNX files cannot be followed through it");
    for (size_t i = 0; i < f->g.node_count; i++) {
        struct graph_node *n = &f->g.nodes[i];

        if (n->used || !graph_is_op(n, "Conv") || !graph_reads(&f->g, n, 0, f->at[l->in[0]]) ||
            !shaped(t, graph_weight(&f->g, n, 1)))
            continue;
        if (found)
            return bad(f, layer, "two convolutions of its shape follow; which one is it?");
        found = n;
    }
    if (!found) {
        snprintf(what, sizeof(what), "no Conv with float weights of [%d, %d, %d, %d] follows %.40s",
                 (int)t->dims[0], (int)t->dims[1], (int)t->dims[2], (int)t->dims[3],
                 f->net->layers[l->in[0]].name);
        return bad(f, layer, what);
    }
    if (!graph_all_are(&f->g, found, "strides", 2, l->stride) ||
        !graph_all_are(&f->g, found, "dilations", 2, 1) ||
        (graph_attribute(&f->g, found, "group").found &&
         graph_attribute(&f->g, found, "group").i != 1))
        return bad(f, layer, "the file's convolution has other strides, dilations or groups");
    if (!padding_fits(f, found, l))
        return bad(f, layer, "the file's convolution has other padding");
    f->conv_bias[layer] = graph_weight(&f->g, found, 2);
    if (found->is->inputs > 2 && found->is->input[2][0] &&
        (!f->conv_bias[layer] || !state_is_float(f->conv_bias[layer]) ||
         f->conv_bias[layer]->count != (size_t)t->dims[0]))
        return bad(f, layer, "the file's convolution has a bias that cannot be read");
    state_floats(f->s, graph_weight(&f->g, found, 1), f->w->data[l->tensor]);
    settle(f, layer, found);
    return ASSAY_OK;
}

/* The only node of that operation that reads the value behind the layer's input; NULL: none, or
 * two. */
static struct graph_node *only(const struct follower *f, const struct net_layer *l, const char *op)
{
    struct graph_node *found = NULL;

    for (size_t i = 0; i < f->g.node_count; i++) {
        struct graph_node *n = &f->g.nodes[i];

        if (n->used || !graph_is_op(n, op) || !graph_reads(&f->g, n, 0, f->at[l->in[0]]))
            continue;
        if (found)
            return NULL;
        found = n;
    }
    return found;
}

/* A batch norm of the file's own. */
static int take_bn(struct follower *f, int layer, struct graph_node *n)
{
    static const uint32_t input[] = {
        [NET_WEIGHT] = 1, [NET_BIAS] = 2, [NET_MEAN] = 3, [NET_VAR] = 4};
    const struct net_layer *l = &f->net->layers[layer];
    struct graph_attribute epsilon = graph_attribute(&f->g, n, "epsilon");
    const struct state_tensor *t;
    int role;

    for (role = NET_WEIGHT; role <= NET_VAR; role++) {
        t = graph_weight(&f->g, n, input[role]);
        if (!shaped(&f->net->tensors[l->tensor + role], t))
            return bad(f, layer, "the file's BatchNormalization has another shape");
        state_floats(f->s, t, f->w->data[l->tensor + role]);
    }
    if ((epsilon.found ? epsilon.f : 1e-5f) != l->epsilon)
        return bad(f, layer, "the file's BatchNormalization has another epsilon");
    settle(f, layer, n);
    return ASSAY_OK;
}

static int follow_bn(struct follower *f, int layer)
{
    const struct net_layer *l = &f->net->layers[layer];
    const struct state_tensor *bias = f->conv_bias[l->in[0]];
    float **w = &f->w->data[l->tensor], *b = NULL;
    struct graph_node *n = only(f, l, "BatchNormalization");
    size_t c = (size_t)l->shape.c, i;
    int rc = ASSAY_OK;

    if (f->net->layers[l->in[0]].op != NET_CONV)
        return bad(f, layer, "only batch norms behind convolutions can be followed");
    if (bias && !(b = malloc(c * sizeof(*b))))
        return assay_fail(f->err, ASSAY_EFAIL, "%s: out of memory", f->s->name);
    if (b)
        state_floats(f->s, bias, b);
    if (n) {
        rc = take_bn(f, layer, n);
        for (i = 0; !rc && b && i < c; i++)
            w[NET_MEAN][i] -= b[i];
    } else {
        for (i = 0; i < c; i++) {
            w[NET_WEIGHT][i] = sqrtf(1.0f + l->epsilon);
            w[NET_BIAS][i] = b ? b[i] : 0.0f;
            w[NET_MEAN][i] = 0.0f;
            w[NET_VAR][i] = 1.0f;
        }
        f->at[layer] = f->at[l->in[0]];
    }
    free(b);
    return rc;
}

static int follow_plain(struct follower *f, int layer, const char *const *ops)
{
    const struct net_layer *l = &f->net->layers[layer];
    struct graph_node *n = NULL;

    for (; *ops && !n; ops++)
        n = only(f, l, *ops);
    if (!n || !graph_unpadded(&f->g, n))
        return bad(f, layer, "the file has no such operation there, or more than one");
    settle(f, layer, n);
    return ASSAY_OK;
}

static int follow_pool(struct follower *f, int layer)
{
    const struct net_layer *l = &f->net->layers[layer];
    struct graph_node *n = only(f, l, "MaxPool");

    if (!n)
        return bad(f, layer, "the file has no MaxPool there, or more than one");
    if (!graph_all_are(&f->g, n, "kernel_shape", 2, l->kernel) ||
        !graph_all_are(&f->g, n, "strides", 2, l->stride) ||
        !graph_all_are(&f->g, n, "dilations", 2, 1) || graph_attribute(&f->g, n, "ceil_mode").i ||
        !padding_fits(f, n, l))
        return bad(f, layer, "the file's MaxPool has another size, stride or padding");
    settle(f, layer, n);
    return ASSAY_OK;
}

static int follow_sum(struct follower *f, int layer)
{
    const struct net_layer *l = &f->net->layers[layer];
    uint32_t a = f->at[l->in[0]], b = f->at[l->in[1]];

    for (size_t i = 0; i < f->g.node_count; i++) {
        struct graph_node *n = &f->g.nodes[i];

        if (!n->used && n->is->inputs == 2 && (graph_is_op(n, "Add") || graph_is_op(n, "Sum")) &&
            ((graph_reads(&f->g, n, 0, a) && graph_reads(&f->g, n, 1, b)) ||
             (graph_reads(&f->g, n, 0, b) && graph_reads(&f->g, n, 1, a)))) {
            settle(f, layer, n);
            return ASSAY_OK;
        }
    }
    return bad(f, layer, "the file does not add these two");
}

/* Behind a MatMul: the Add of a bias. */
static const struct state_tensor *added_bias(struct follower *f, struct graph_node **n)
{
    const struct state_tensor *t;

    for (size_t i = 0; i < f->g.node_count; i++) {
        struct graph_node *add = &f->g.nodes[i];

        for (uint32_t k = 0; graph_is_op(add, "Add") && add->is->inputs == 2 && k < 2; k++) {
            t = graph_weight(&f->g, add, 1 - k);
            if ((*n)->out != GRAPH_NONE && t &&
                graph_reads(&f->g, add, k, f->g.values[(*n)->out].same)) {
                *n = add;
                return t;
            }
        }
    }
    return NULL;
}

static int follow_fc(struct follower *f, int layer)
{
    const struct net_layer *l = &f->net->layers[layer];
    const struct net_tensor *want = &f->net->tensors[l->tensor];
    struct graph_node *gemm = only(f, l, "Gemm"), *n = gemm ? gemm : only(f, l, "MatMul");
    const struct state_tensor *w = n ? graph_weight(&f->g, n, 1) : NULL, *bias;
    struct state_tensor turned;
    struct graph_attribute alpha, beta;

    if (!w || w->rank != 2)
        return bad(f, layer, "the file has no Gemm or MatMul with weights there");
    turned = *w;
    if (!gemm || !graph_attribute(&f->g, n, "transB").i) {
        turned.dims[0] = w->dims[1];
        turned.dims[1] = w->dims[0];
        turned.strides[0] = w->strides[1];
        turned.strides[1] = w->strides[0];
    }
    if (!shaped(want, &turned))
        return bad(f, layer, "the file's classifier has another number of inputs or classes");
    alpha = graph_attribute(&f->g, n, "alpha");
    beta = graph_attribute(&f->g, n, "beta");
    if (graph_attribute(&f->g, n, "transA").i || (alpha.found && alpha.f != 1.0f) ||
        (beta.found && beta.f != 1.0f))
        return bad(f, layer, "the file's Gemm scales or turns its input");
    n->used = true;
    bias = gemm ? graph_weight(&f->g, n, 2) : added_bias(f, &n);
    if (!bias || !state_is_float(bias) || bias->count != f->net->tensors[l->tensor + 1].count)
        return bad(f, layer, "the file's classifier has no bias that can be read");
    state_floats(f->s, &turned, f->w->data[l->tensor]);
    state_floats(f->s, bias, f->w->data[l->tensor + 1]);
    settle(f, layer, n);
    return ASSAY_OK;
}

static int follow(struct follower *f, int layer)
{
    static const char *const relu[] = {"Relu", NULL}, *const pool[] = {"GlobalAveragePool",
                                                                       "ReduceMean", NULL};

    switch (f->net->layers[layer].op) {
    case NET_CONV:
        return follow_conv(f, layer);
    case NET_BN:
        return follow_bn(f, layer);
    case NET_RELU:
        return follow_plain(f, layer, relu);
    case NET_MAXPOOL:
        return follow_pool(f, layer);
    case NET_ADD:
        return follow_sum(f, layer);
    case NET_GAP:
        return follow_plain(f, layer, pool);
    case NET_FC:
        return follow_fc(f, layer);
    default:
        return bad(f, layer, "weights of ONNX files cannot be followed through it");
    }
}

/* Starts at the graph's input that is no initialiser. */
static int begin(struct follower *f)
{
    const struct onnx_model *m = f->s->graph;
    const char *found = NULL;

    f->at = calloc((size_t)f->net->layer_count, sizeof(*f->at));
    f->conv_bias = calloc((size_t)f->net->layer_count, sizeof(*f->conv_bias));
    if (!f->at || !f->conv_bias)
        return assay_fail(f->err, ASSAY_EFAIL, "%s: out of memory", f->s->name);
    for (size_t i = 0; i < m->input_count; i++) {
        if (!m->inputs[i].name || state_find(f->s, m->inputs[i].name))
            continue;
        if (found)
            return bad(f, 0, "the file has more than one input");
        found = m->inputs[i].name;
    }
    f->at[0] = graph_find_value(&f->g, found);
    return f->at[0] == GRAPH_NONE ? bad(f, 0, "the file has no input that is read") : ASSAY_OK;
}

/* What has weights and no place in the net would be left out of it without a word. */
static int find_surplus(struct follower *f)
{
    static const char *const ops[] = {"Conv", "Gemm", "MatMul", "ConvTranspose"};

    for (size_t i = 0; i < f->g.node_count; i++)
        for (size_t k = 0; k < sizeof(ops) / sizeof(ops[0]); k++)
            if (!f->g.nodes[i].used && graph_is_op(&f->g.nodes[i], ops[k]))
                return assay_fail(f->err, ASSAY_EFAIL,
                                  "%s: does not fit the net %s: its %s '%.100s' has no place there",
                                  f->s->name, f->net->name, ops[k],
                                  f->g.nodes[i].is->name ? f->g.nodes[i].is->name : "");
    return ASSAY_OK;
}

int bind_graph(const struct net *net, const struct state *s, struct net_weights *w, size_t *fit,
               struct assay_err *err)
{
    struct follower f = {.net = net, .s = s, .w = w, .err = err};
    int last = net->layer_count - 1, rc = graph_list(&f.g, s, err);

    while (last > 0 && !net->layers[last].tensors)
        last--;
    if (!rc)
        rc = begin(&f);
    for (int i = 1; !rc && i <= last; i++) {
        rc = follow(&f, i);
        *fit += !rc;
    }
    if (!rc)
        rc = find_surplus(&f);
    graph_release(&f.g);
    free(f.at);
    free(f.conv_bias);
    return rc;
}
