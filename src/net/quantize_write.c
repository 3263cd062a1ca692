/* Rewrites an ONNX graph so that engines can fuse it into 8-bit kernels.
 *
 * The form is the one that ONNX Runtime and OpenVINO both look for ("QDQ"): every activation of a
 * quantised node comes out of QuantizeLinear -> DequantizeLinear (uint8, one scale and zero point
 * a tensor), every weight out of a DequantizeLinear (int8, symmetric, one scale an output channel),
 * every bias out of one too (int32, scale = activation's x weight's, as the accumulator has it).
 * What the model gives out stays float32.
 *
 * Everything is decided in plan(): which nodes, which tensors, which levels.  Writing then walks
 * over the file's fields once and copies what has no part in it. */
#include "net/exact.h"
#include "net/quantize_graph.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "net/wire.h"

#define BIAS_LEVELS 0x40000000 /* a bias uses at most 30 of its 32 bits */

enum { ELEM_FLOAT = 1, ELEM_UINT8 = 2, ELEM_INT8 = 3, ELEM_INT32 = 6 };

/* ---- walking over the file ---- */

enum { MODEL_IR_VERSION = 1, MODEL_GRAPH = 7, MODEL_METADATA = 14 };
enum { GRAPH_NODE = 1, GRAPH_INITIALIZER = 5, GRAPH_INPUT = 11, GRAPH_OUTPUT = 12 };

/* What becomes of one field of the graph; at the end once more with f NULL. */
typedef void graph_fn(void *ctx, const struct wire_field *f, const unsigned char *end,
                      struct text *graph);

/* The model with every field of its graph as `each` says, and everything else as it is. */
static int rewrite(const struct quantizer *q, graph_fn *each, void *ctx, struct text *model,
                   struct assay_err *err)
{
    const unsigned char *at = q->data, *end = q->data + q->len, *in, *stop;
    struct wire_field f, g;
    struct text graph;

    text_init(&graph, QUANTIZE_MAX_FILE);
    while (wire_next(&at, end, &f)) {
        if (f.number == MODEL_IR_VERSION && f.type == WIRE_VARINT) {
            /* Before version 4 every initialiser must be an input as well. */
            wire_int(model, MODEL_IR_VERSION, f.value < 4 ? 4 : f.value);
            continue;
        }
        if (f.number != MODEL_GRAPH) {
            text_addn(model, (const char *)f.start, (size_t)(at - f.start));
            continue;
        }
        text_clear(&graph);
        for (in = f.data, stop = f.data + f.bytes; wire_next(&in, stop, &g);)
            each(ctx, &g, in, &graph);
        each(ctx, NULL, NULL, &graph);
        wire_message(model, MODEL_GRAPH, &graph);
    }
    model->cut |= graph.cut;
    text_release(&graph);
    return model->cut ? assay_fail(err, ASSAY_EFAIL, "%s: out of memory", q->name) : ASSAY_OK;
}

static void copy(const struct wire_field *f, const unsigned char *end, struct text *graph)
{
    text_addn(graph, (const char *)f->start, (size_t)(end - f->start));
}

struct probe {
    const struct quantizer *q;
    size_t first, n;
};

static void probe_field(void *ctx, const struct wire_field *f, const unsigned char *end,
                        struct text *graph)
{
    const struct probe *p = ctx;
    struct text value;

    if (f) {
        if (f->number != GRAPH_OUTPUT)
            copy(f, end, graph);
        return;
    }
    text_init(&value, 4096);
    for (size_t i = p->first; i < p->first + p->n; i++) {
        if (p->q->wanted[i].input)
            continue;
        text_clear(&value);
        wire_string(&value, 1, p->q->wanted[i].name);
        wire_message(graph, GRAPH_OUTPUT, &value);
    }
    text_release(&value);
}

int quantize_probe(const struct quantizer *q, size_t first, size_t n, struct text *model,
                   struct assay_err *err)
{
    struct probe p = {q, first, n};

    return rewrite(q, probe_field, &p, model, err);
}

/* ---- the plan: ranges are known now ---- */

/* The model's outputs stay as they are, also for who reads them in it. */
static bool known(const struct quantizer *q, int tensor)
{
    return tensor >= 0 && !q->tensors[tensor].output && q->tensors[tensor].seen >= 0 &&
           q->wanted[q->tensors[tensor].seen].known;
}

static void quantize_tensor(struct quantizer *q, int tensor)
{
    struct quantize_value *t = &q->tensors[tensor];

    if (t->quantized || !known(q, tensor))
        return;
    t->quantized = t->float_source = true;
    t->levels = spread_levels(q->wanted[t->seen].range);
}

/* A Gemm or MatMul gives float32 as it is; quantising its output is worth it only for a reader. */
static bool output_wanted(const struct quantizer *q, const struct quantize_node *p, const char *op)
{
    if (p->out < 0)
        return false;
    return p->kind != QUANTIZE_MULS || !strcmp(op, "Conv") || q->tensors[p->out].quantized;
}

static void plan_node(struct quantizer *q, struct quantize_node *p)
{
    switch (p->kind) {
    case QUANTIZE_MULS:
    case QUANTIZE_POOLS:
        p->quantized = known(q, p->in[0]);
        break;
    case QUANTIZE_ADDS:
        p->quantized = known(q, p->in[0]) && known(q, p->in[1]);
        break;
    default:
        break;
    }
    if (p->quantized)
        quantize_tensor(q, p->in[0]);
    if (p->quantized && p->kind == QUANTIZE_ADDS)
        quantize_tensor(q, p->in[1]);
}

/* Outputs in file order, so that what moves values passes its input's levels on. */
static void plan_output(struct quantizer *q, size_t i)
{
    struct quantize_node *p = &q->nodes[i];
    const struct quantize_value *in;
    struct quantize_value *out;

    if (p->quantized && output_wanted(q, p, q->m.nodes[i].op)) {
        quantize_tensor(q, p->out);
        q->tensors[p->out].float_source = false;
    }
    if (p->kind != QUANTIZE_MOVES || !q->tensors[p->in[0]].quantized || p->out < 0)
        return;
    in = &q->tensors[p->in[0]];
    out = &q->tensors[p->out];
    if (out->output || strcmp(out->name, q->m.nodes[i].output[0]))
        return; /* behind a Relu or Clip the range is another */
    p->quantized = true;
    out->quantized = true;
    out->float_source = false;
    out->levels = in->levels;
}

static void plan(struct quantizer *q, struct quantize_sum *sum)
{
    *sum = (struct quantize_sum){0};
    for (size_t i = 0; i < q->m.node_count; i++)
        plan_node(q, &q->nodes[i]);
    for (size_t i = 0; i < q->m.node_count; i++)
        plan_output(q, i);
    for (size_t i = 0; i < q->m.node_count; i++) {
        struct quantize_node *p = &q->nodes[i];
        const struct onnx_node *n = &q->m.nodes[i];
        enum quantize_kind kind = quantize_kind_of(n);

        sum->nodes += kind == QUANTIZE_MULS || kind == QUANTIZE_ADDS || kind == QUANTIZE_POOLS;
        sum->quantized += p->quantized && p->kind != QUANTIZE_MOVES;
        for (uint32_t k = 0; k < n->inputs; k++) {
            int t = quantize_find(q, n->input[k]);

            if (t >= 0 && !(p->quantized && p->kind == QUANTIZE_MULS && (k == 1 || k == 2)))
                q->tensors[t].float_readers = true;
        }
    }
}

/* ---- what is written ---- */

struct writer {
    struct quantizer *q;
    size_t node;              /* that comes next */
    struct text initializers; /* new ones, as fields of the graph */
    struct text part, name;   /* scratch */
};

/* "conv1.weight" and "scale" -> "conv1.weight_scale"; the node's number where weights have several
 * readers. Valid until the next call. */
static const char *named(struct writer *w, const char *tensor, long node, const char *what)
{
    text_clear(&w->name);
    text_add(&w->name, tensor);
    if (node >= 0)
        text_addf(&w->name, "_%ld", node);
    text_addf(&w->name, "_%s", what);
    return w->name.s;
}

static void put_initializer(struct writer *w, const char *name, int type, uint32_t rank,
                            const int64_t *dims, const void *data, size_t bytes)
{
    struct text t;

    text_init(&t, QUANTIZE_MAX_FILE);
    for (uint32_t d = 0; d < rank; d++)
        wire_int(&t, 1, (uint64_t)dims[d]);
    wire_int(&t, 2, (uint64_t)type);
    wire_string(&t, 8, name);
    wire_head(&t, 9, bytes);
    text_addn(&t, data, bytes);
    wire_message(&w->initializers, GRAPH_INITIALIZER, &t);
    text_release(&t);
}

/* One QuantizeLinear or DequantizeLinear: base + from, base + "scale", base + "zero" -> base + to;
 * from "" is the tensor itself.  axis < 0: one scale. */
static void put_linear(struct writer *w, struct text *graph, const char *op, const char *base,
                       long node, const char *from, const char *to, int axis)
{
    struct text *n = &w->part, a;

    text_clear(n);
    wire_string(n, 1, from[0] ? named(w, base, node, from) : base);
    wire_string(n, 1, named(w, base, node, "scale"));
    wire_string(n, 1, named(w, base, node, "zero"));
    wire_string(n, 2, named(w, base, node, to));
    wire_string(n, 3, named(w, base, node, op[0] == 'Q' ? "QuantizeLinear" : "DequantizeLinear"));
    wire_string(n, 4, op);
    if (axis >= 0) {
        text_init(&a, 64);
        wire_string(&a, 1, "axis");
        wire_int(&a, 3, (uint64_t)axis);
        wire_int(&a, 20, 2);
        wire_message(n, 5, &a);
        text_release(&a);
    }
    wire_message(graph, GRAPH_NODE, n);
}

/* Behind the tensor's producer: quantised and back. */
static void put_activation(struct writer *w, struct text *graph, const struct quantize_value *t)
{
    put_initializer(w, named(w, t->name, -1, "scale"), ELEM_FLOAT, 0, NULL, &t->levels.scale,
                    sizeof(float));
    put_initializer(w, named(w, t->name, -1, "zero"), ELEM_UINT8, 0, NULL, &t->levels.zero, 1);
    put_linear(w, graph, "QuantizeLinear", t->name, -1, "", "quantized", -1);
    put_linear(w, graph, "DequantizeLinear", t->name, -1, "quantized", "dequantized", -1);
}

/* One scale for each output channel, or one for all where the opset has no axis. */
struct channels {
    size_t scales, count; /* scales: count, or 1 */
    size_t inner, outer;  /* weight[o][channel][i]: o < outer, i < inner */
    float *scale;         /* zeros at first */
};

/* The largest weight becomes 127; more where the bias would not fit its 32 bits otherwise. */
static void choose_scales(const struct quantizer *q, const struct onnx_value *v,
                          const struct onnx_value *bias, float input_scale, struct channels *c)
{
    size_t at = 0, each = c->scales > 1;

    for (size_t o = 0; o < c->outer; o++)
        for (size_t ch = 0; ch < c->count; ch++)
            for (size_t i = 0; i < c->inner; i++, at++)
                c->scale[ch * each] = fmaxf(c->scale[ch * each], fabsf(quantize_number(q, v, at)));
    for (size_t i = 0; i < c->scales; i++)
        c->scale[i] /= 127.0f;
    for (size_t ch = 0; ch < c->count && bias; ch++)
        c->scale[ch * each] = fmaxf(c->scale[ch * each], fabsf(quantize_number(q, bias, ch)) /
                                                             ((float)BIAS_LEVELS * input_scale));
    for (size_t i = 0; i < c->scales; i++)
        if (!(c->scale[i] > FLT_MIN) || !isfinite(c->scale[i]))
            c->scale[i] = 1.0f;
}

static long rounded(float x, long least, long most)
{
    long v = isfinite(x) ? lrintf(x) : 0;

    return v < least ? least : v > most ? most : v;
}

static void put_weights(struct writer *w, struct text *graph, const struct quantize_node *p,
                        long node, struct channels *c, int8_t *out, int8_t *zeros)
{
    const struct quantizer *q = w->q;
    const struct onnx_value *v = quantize_initializer(q, p->in[1]);
    int64_t n = (int64_t)c->scales;
    uint32_t rank = c->scales > 1 ? 1 : 0;

    for (size_t o = 0, at = 0; o < c->outer; o++)
        for (size_t ch = 0; ch < c->count; ch++)
            for (size_t i = 0; i < c->inner; i++, at++)
                out[at] = (int8_t)rounded(
                    quantize_number(q, v, at) / c->scale[c->scales > 1 ? ch : 0], -127, 127);
    put_initializer(w, named(w, v->name, node, "quantized"), ELEM_INT8, v->rank, v->dims, out,
                    (size_t)quantize_count(v));
    put_initializer(w, named(w, v->name, node, "scale"), ELEM_FLOAT, rank, &n, c->scale,
                    c->scales * sizeof(float));
    put_initializer(w, named(w, v->name, node, "zero"), ELEM_INT8, rank, &n, zeros, c->scales);
    put_linear(w, graph, "DequantizeLinear", v->name, node, "quantized", "dequantized",
               rank ? p->axis : -1);
}

/* Bias scales are the accumulator's: c->scale is overwritten with them. */
static void put_bias(struct writer *w, struct text *graph, const struct quantize_node *p, long node,
                     struct channels *c, int32_t *out, int32_t *zeros)
{
    const struct quantizer *q = w->q;
    const struct onnx_value *v = quantize_initializer(q, p->in[2]);
    int64_t n = (int64_t)c->scales;
    uint32_t rank = c->scales > 1 ? 1 : 0;

    for (size_t i = 0; i < c->scales; i++)
        c->scale[i] *= q->tensors[p->in[0]].levels.scale;
    for (size_t i = 0; i < c->count; i++)
        out[i] = (int32_t)rounded(quantize_number(q, v, i) / c->scale[c->scales > 1 ? i : 0],
                                  INT32_MIN / 2, INT32_MAX / 2);
    put_initializer(w, named(w, v->name, node, "quantized"), ELEM_INT32, v->rank, v->dims, out,
                    c->count * sizeof(*out));
    put_initializer(w, named(w, v->name, node, "scale"), ELEM_FLOAT, rank, &n, c->scale,
                    c->scales * sizeof(float));
    put_initializer(w, named(w, v->name, node, "zero"), ELEM_INT32, rank, &n, zeros,
                    c->scales * sizeof(*zeros));
    put_linear(w, graph, "DequantizeLinear", v->name, node, "quantized", "dequantized",
               rank ? 0 : -1);
}

/* The number that tells several readers' copies of one initialiser apart; -1: it has one. */
static long copy_number(const struct writer *w, int tensor)
{
    return tensor >= 0 && w->q->tensors[tensor].readers > 1 ? (long)w->node : -1;
}

static void put_parameters(struct writer *w, struct text *graph, const struct quantize_node *p)
{
    const struct quantizer *q = w->q;
    const struct onnx_value *v = quantize_initializer(q, p->in[1]),
                            *b = quantize_initializer(q, p->in[2]);
    struct channels c = {.count = (size_t)v->dims[p->axis], .inner = 1, .outer = 1};
    int8_t *weights = malloc((size_t)quantize_count(v));
    int32_t *bias, *zeros;

    c.scales = q->m.opset < QUANTIZE_AXIS_OPSET ? 1 : c.count;
    for (uint32_t d = 0; d < v->rank; d++) {
        c.outer *= d < (uint32_t)p->axis ? (size_t)v->dims[d] : 1;
        c.inner *= d > (uint32_t)p->axis ? (size_t)v->dims[d] : 1;
    }
    c.scale = calloc(c.count, sizeof(*c.scale));
    bias = malloc(c.count * sizeof(*bias));
    zeros = calloc(c.count, sizeof(*zeros));
    if (weights && c.scale && bias && zeros) {
        choose_scales(q, v, b, q->tensors[p->in[0]].levels.scale, &c);
        put_weights(w, graph, p, copy_number(w, p->in[1]), &c, weights, (int8_t *)zeros);
        if (b)
            put_bias(w, graph, p, copy_number(w, p->in[2]), &c, bias, zeros);
    } else {
        graph->cut = true;
    }
    free(weights);
    free(c.scale);
    free(bias);
    free(zeros);
}

/* What the node reads at place k now.  A float32 node behind a float32 node keeps what it had. */
static const char *input_name(struct writer *w, const struct quantize_node *p, uint32_t k,
                              const char *name)
{
    int t = quantize_find(w->q, name);

    if (t >= 0 && !p->quantized && w->q->tensors[t].float_source)
        return name;
    if (t >= 0 && p->quantized && p->kind == QUANTIZE_MULS && k > 0)
        return named(w, name, copy_number(w, t), "dequantized");
    return t >= 0 && w->q->tensors[t].quantized ? named(w, name, -1, "dequantized") : name;
}

static void put_node(struct writer *w, const struct wire_field *f, struct text *graph)
{
    const struct quantizer *q = w->q;
    const struct onnx_node *n = &q->m.nodes[w->node];
    const struct quantize_node *p = &q->nodes[w->node];
    const unsigned char *at = f->data, *end = f->data + f->bytes;
    struct wire_field part;
    struct text node;
    uint32_t k = 0;
    int t;

    if (p->quantized && p->kind == QUANTIZE_MULS)
        put_parameters(w, graph, p);
    text_init(&node, QUANTIZE_MAX_FILE);
    while (wire_next(&at, end, &part)) {
        if (part.number == 1 && k < n->inputs) {
            wire_string(&node, 1, input_name(w, p, k, n->input[k]));
            k++;
        } else {
            copy(&part, at, &node);
        }
    }
    wire_message(graph, GRAPH_NODE, &node);
    text_release(&node);
    for (uint32_t o = 0; o < n->outputs; o++)
        if ((t = quantize_find(q, n->output[o])) >= 0 && q->tensors[t].quantized)
            put_activation(w, graph, &q->tensors[t]);
    w->node++;
}

/* Of an initialiser or input: the name, when nobody reads it any more. */
static bool dropped(const struct writer *w, const struct wire_field *f, uint32_t name_field)
{
    const unsigned char *at = f->data, *end = f->data + f->bytes;
    struct wire_field part;
    char name[1100] = "";
    int t;

    while (wire_next(&at, end, &part))
        if (part.number == name_field && part.type == WIRE_BYTES && part.bytes < sizeof(name))
            snprintf(name, sizeof(name), "%.*s", (int)part.bytes, (const char *)part.data);
    t = quantize_find(w->q, name);
    return t >= 0 && w->q->tensors[t].initializer >= 0 && w->q->tensors[t].readers &&
           !w->q->tensors[t].float_readers && !w->q->tensors[t].output && !w->q->sub_graphs;
}

static void model_inputs(struct writer *w, struct text *graph)
{
    for (size_t i = 0; i < w->q->tensor_count; i++)
        if (w->q->tensors[i].input && w->q->tensors[i].quantized)
            put_activation(w, graph, &w->q->tensors[i]);
}

static void write_field(void *ctx, const struct wire_field *f, const unsigned char *end,
                        struct text *graph)
{
    struct writer *w = ctx;

    if (!f) {
        text_addn(graph, w->initializers.s, w->initializers.len);
        graph->cut |= w->initializers.cut || w->part.cut || w->name.cut;
        return;
    }
    if (f->number == GRAPH_NODE && w->node == 0)
        model_inputs(w, graph);
    if (f->number == GRAPH_NODE)
        put_node(w, f, graph);
    else if ((f->number != GRAPH_INITIALIZER || !dropped(w, f, 8)) &&
             (f->number != GRAPH_INPUT || !dropped(w, f, 1)))
        copy(f, end, graph);
}

static void put_metadata(struct text *model, const char *key, const char *value)
{
    struct text t;

    text_init(&t, 256);
    wire_string(&t, 1, key);
    wire_string(&t, 2, value);
    wire_message(model, MODEL_METADATA, &t);
    text_release(&t);
}

int quantize_model(struct quantizer *q, struct text *model, struct quantize_sum *sum,
                   struct assay_err *err)
{
    struct writer w = {.q = q};
    int rc = ASSAY_OK;

    text_init(&w.initializers, QUANTIZE_MAX_FILE);
    text_init(&w.part, 1 << 16);
    text_init(&w.name, 4096);
    plan(q, sum);
    if (!sum->quantized)
        rc = assay_fail(err, ASSAY_EUNSUPPORTED,
                        "%s: nothing was quantised: no range of an activation is known", q->name);
    if (!rc)
        rc = rewrite(q, write_field, &w, model, err);
    if (!rc)
        put_metadata(model, "assay.precision", "int8");
    sum->bytes = model->len;
    text_release(&w.initializers);
    text_release(&w.part);
    text_release(&w.name);
    return rc;
}

int quantize_write(struct quantizer *q, const char *path, struct quantize_sum *sum,
                   struct assay_err *err)
{
    struct quantize_sum ours;
    struct text model;
    int rc;

    text_init(&model, QUANTIZE_MAX_FILE);
    rc = quantize_model(q, &model, sum ? sum : &ours, err);
    if (!rc)
        rc = file_write_whole(path, model.s, model.len, err);
    text_release(&model);
    return rc;
}
