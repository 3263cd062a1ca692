/* Rewrites an ONNX graph so that engines can fuse it into 8-bit kernels.
 *
 * The form is the one that ONNX Runtime and OpenVINO both look for ("QDQ"): every activation of a
 * quantised node comes out of QuantizeLinear -> DequantizeLinear (uint8, one scale and zero point
 * a tensor), every weight out of a DequantizeLinear (int8, symmetric, one scale an output channel),
 * every bias out of one too (int32, scale = activation's x weight's, as the accumulator has it).
 *
 * A Relu or Clip that alone reads a node's output is part of that node: only what it gives is
 * quantised.  Nodes that only move values (MaxPool, Flatten, Reshape, Transpose …) keep their
 * input's range, so that they run on the bytes.  What the model gives out stays float32.
 *
 * Everything is decided in plan(): which nodes, which tensors, which names.  Writing then walks
 * over the file's fields once and copies what has no part in it. */
#include "net/exact.h"
#include "net/quantize.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "net/onnx.h"
#include "net/wire.h"

#define LIMIT       0x7fffffffu
#define MIN_OPSET   10         /* QuantizeLinear is there */
#define AXIS_OPSET  13         /* … and takes a scale for each channel */
#define BIAS_LEVELS 0x40000000 /* a bias uses at most 30 of its 32 bits */

enum { ELEM_FLOAT = 1, ELEM_UINT8 = 2, ELEM_INT8 = 3, ELEM_INT32 = 6 };

enum kind {
    KEPT,  /* stays as it is, and its output too */
    MULS,  /* weights as input 1, perhaps a bias as input 2 */
    ADDS,  /* two activations */
    POOLS, /* one activation */
    MOVES, /* one activation, whose values it only moves: quantised when its input is */
    CLIPS  /* part of the node in front of it */
};

/* What is known about operators of ONNX's own domain. */
static const struct op_row {
    const char *op;
    enum kind kind;
} ops[] = {{"Conv", MULS},       {"Gemm", MULS},         {"MatMul", MULS},
           {"Add", ADDS},        {"AveragePool", POOLS}, {"GlobalAveragePool", POOLS},
           {"MaxPool", MOVES},   {"Flatten", MOVES},     {"Reshape", MOVES},
           {"Transpose", MOVES}, {"Squeeze", MOVES},     {"Unsqueeze", MOVES},
           {"Relu", CLIPS},      {"Clip", CLIPS}};

struct tensor {
    const char *name;
    int initializer;     /* -1: none */
    int producer;        /* node; -1: none */
    int readers, reader; /* how many nodes read it, and the last of them */
    bool input, output;  /* of the model */
    bool float_readers;  /* an initialiser that is still needed as it is */
    int seen;            /* place among the tensors whose ranges are wanted; -1: none */
    bool quantized;
    struct spread_levels levels;
};

struct node {
    enum kind kind;
    int out;  /* the tensor behind it and its Relu or Clip */
    int axis; /* MULS: of the weights' output channels */
    bool quantized;
    int in[3]; /* tensors; -1: none */
};

struct quantizer {
    const unsigned char *data;
    size_t len;
    const char *name;
    struct onnx_model m;
    struct tensor *tensors; /* sorted by name */
    size_t tensor_count;
    struct node *nodes;
    struct quantize_tensor *wanted;
    size_t wanted_count;
    bool sub_graphs;
};

/* ---- tensors by name ---- */

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct tensor *)a)->name, ((const struct tensor *)b)->name);
}

static int find(const struct quantizer *q, const char *name)
{
    struct tensor key = {.name = name};
    const struct tensor *t =
        name[0] ? bsearch(&key, q->tensors, q->tensor_count, sizeof(key), by_name) : NULL;

    return t ? (int)(t - q->tensors) : -1;
}

static void add_tensor(struct quantizer *q, const char *name)
{
    if (name && name[0])
        q->tensors[q->tensor_count++] =
            (struct tensor){.name = name, .initializer = -1, .producer = -1, .seen = -1};
}

static int list_tensors(struct quantizer *q, struct assay_err *err)
{
    const struct onnx_model *m = &q->m;
    size_t n = m->initializer_count + m->input_count, kept = 0;

    for (size_t i = 0; i < m->node_count; i++)
        n += m->nodes[i].outputs;
    q->tensors = calloc(n + 1, sizeof(*q->tensors));
    if (!q->tensors)
        return assay_fail(err, ASSAY_EFAIL, "%s: out of memory", q->name);
    for (size_t i = 0; i < m->initializer_count; i++)
        add_tensor(q, m->initializers[i].name);
    for (size_t i = 0; i < m->input_count; i++)
        add_tensor(q, m->inputs[i].name);
    for (size_t i = 0; i < m->node_count; i++)
        for (uint32_t o = 0; o < m->nodes[i].outputs; o++)
            add_tensor(q, m->nodes[i].output[o]);
    qsort(q->tensors, q->tensor_count, sizeof(*q->tensors), by_name);
    for (size_t i = 0; i < q->tensor_count; i++) /* old models list initialisers as inputs too */
        if (!kept || strcmp(q->tensors[i].name, q->tensors[kept - 1].name))
            q->tensors[kept++] = q->tensors[i];
    q->tensor_count = kept;
    return ASSAY_OK;
}

static void link_tensors(struct quantizer *q)
{
    const struct onnx_model *m = &q->m;
    int t;

    for (size_t i = 0; i < m->initializer_count; i++)
        if (m->initializers[i].name && (t = find(q, m->initializers[i].name)) >= 0)
            q->tensors[t].initializer = (int)i;
    for (size_t i = 0; i < m->input_count; i++)
        if (m->inputs[i].name && (t = find(q, m->inputs[i].name)) >= 0)
            q->tensors[t].input = q->tensors[t].initializer < 0;
    for (size_t i = 0; i < m->output_count; i++)
        if (m->outputs[i].name && (t = find(q, m->outputs[i].name)) >= 0)
            q->tensors[t].output = true;
    for (size_t i = 0; i < m->node_count; i++) {
        for (uint32_t o = 0; o < m->nodes[i].outputs; o++)
            if ((t = find(q, m->nodes[i].output[o])) >= 0)
                q->tensors[t].producer = (int)i;
        for (uint32_t k = 0; k < m->nodes[i].inputs; k++)
            if ((t = find(q, m->nodes[i].input[k])) >= 0) {
                q->tensors[t].readers++;
                q->tensors[t].reader = (int)i;
            }
    }
}

/* ---- attributes ---- */

/* The attribute's integer (or the bits of its float, as_float); otherwise value. */
static int64_t attribute(const struct quantizer *q, const struct onnx_node *n, const char *name,
                         int64_t value, bool as_float)
{
    const unsigned char *at = q->data + n->at, *end = at + n->bytes;
    struct wire_field f, a;

    while (wire_next(&at, end, &f)) {
        const unsigned char *in = f.data, *stop = f.data + f.bytes;
        int64_t found = 0;
        uint32_t bits;
        bool ours = false;

        if (f.number != 5 || f.type != WIRE_BYTES)
            continue;
        while (wire_next(&in, stop, &a)) {
            if (a.number == 1 && a.type == WIRE_BYTES)
                ours = a.bytes == strlen(name) && !memcmp(a.data, name, a.bytes);
            if (a.number == 3 && a.type == WIRE_VARINT && !as_float)
                found = (int64_t)a.value;
            if (a.number == 2 && a.type == WIRE_FIXED32 && as_float) {
                memcpy(&bits, a.data, sizeof(bits));
                found = (int64_t)bits;
            }
        }
        if (ours)
            return found;
    }
    return value;
}

/* A node with a graph in an attribute may read any tensor without saying so. */
static bool has_sub_graph(const struct quantizer *q, const struct onnx_node *n)
{
    const unsigned char *at = q->data + n->at, *end = at + n->bytes;
    struct wire_field f, a;

    while (wire_next(&at, end, &f)) {
        const unsigned char *in = f.data, *stop = f.data + f.bytes;

        while (f.number == 5 && f.type == WIRE_BYTES && wire_next(&in, stop, &a))
            if (a.number == 6 || a.number == 11)
                return true;
    }
    return false;
}

/* ---- which nodes, as far as the file alone can say ---- */

static const struct onnx_value *initializer_of(const struct quantizer *q, int tensor)
{
    int i = tensor < 0 ? -1 : q->tensors[tensor].initializer;

    return i < 0 ? NULL : &q->m.initializers[i];
}

static uint64_t count_of(const struct onnx_value *v)
{
    uint64_t n = 1;

    for (uint32_t d = 0; d < v->rank; d++)
        n = v->dims[d] && n > LIMIT / (uint64_t)v->dims[d] ? LIMIT : n * (uint64_t)v->dims[d];
    return n;
}

/* float32 numbers that lie in this file, all of them. */
static bool is_float(const struct onnx_value *v)
{
    return v && v->elem_type == ELEM_FLOAT && !v->external && count_of(v) > 0 &&
           v->data_bytes == count_of(v) * sizeof(float);
}

static float number(const struct quantizer *q, const struct onnx_value *v, size_t i)
{
    float x;

    memcpy(&x, q->data + v->data_at + i * sizeof(x), sizeof(x));
    return x;
}

/* Whether the weights and bias of a Conv, Gemm or MatMul are of a kind that is known here; sets
 * the axis of the output channels. */
static bool fits(const struct quantizer *q, const struct onnx_node *n, struct node *p)
{
    const struct onnx_value *w = initializer_of(q, p->in[1]), *b = initializer_of(q, p->in[2]);
    int64_t one = 0x3f800000; /* 1.0f */

    if (!is_float(w) || (p->in[2] >= 0 && !is_float(b)))
        return false;
    p->axis = 0;
    if (!strcmp(n->op, "MatMul"))
        p->axis = 1;
    if (!strcmp(n->op, "Gemm")) {
        p->axis = attribute(q, n, "transB", 0, false) ? 0 : 1;
        if (attribute(q, n, "transA", 0, false) || attribute(q, n, "alpha", one, true) != one ||
            attribute(q, n, "beta", one, true) != one)
            return false;
    }
    if (!strcmp(n->op, "Conv") ? w->rank < 3 : w->rank != 2)
        return false;
    return !b || (b->rank == 1 && b->dims[0] == w->dims[p->axis]);
}

/* The tensor behind the node and the Relu or Clip that alone reads it. */
static int behind(const struct quantizer *q, const struct onnx_node *n)
{
    int out = n->outputs ? find(q, n->output[0]) : -1, next;

    while (out >= 0 && q->tensors[out].readers == 1 && !q->tensors[out].output &&
           q->nodes[q->tensors[out].reader].kind == CLIPS) {
        next = find(q, q->m.nodes[q->tensors[out].reader].output[0]);
        if (next < 0)
            break;
        out = next;
    }
    return out;
}

static enum kind kind_of(const struct onnx_node *n)
{
    if (n->domain && n->domain[0] && strcmp(n->domain, "ai.onnx"))
        return KEPT;
    for (size_t i = 0; n->op && i < sizeof(ops) / sizeof(ops[0]); i++)
        if (!strcmp(ops[i].op, n->op))
            return n->inputs && n->outputs ? ops[i].kind : KEPT;
    return KEPT;
}

static void classify(struct quantizer *q)
{
    for (size_t i = 0; i < q->m.node_count; i++) {
        const struct onnx_node *n = &q->m.nodes[i];
        struct node *p = &q->nodes[i];

        p->kind = kind_of(n);
        for (uint32_t k = 0; k < 3; k++)
            p->in[k] = k < n->inputs ? find(q, n->input[k]) : -1;
        if (p->kind != KEPT && (p->in[0] < 0 || q->tensors[p->in[0]].initializer >= 0))
            p->kind = KEPT;
        if (p->kind == MULS && !fits(q, n, p))
            p->kind = KEPT;
        if (p->kind == ADDS && (p->in[1] < 0 || q->tensors[p->in[1]].initializer >= 0))
            p->kind = KEPT;
        if (n->outputs > 1 && p->kind == MOVES) /* MaxPool with indices */
            p->kind = KEPT;
        q->sub_graphs |= has_sub_graph(q, n);
    }
    for (size_t i = 0; i < q->m.node_count; i++)
        q->nodes[i].out = behind(q, &q->m.nodes[i]);
}

/* ---- whose ranges are wanted ---- */

static void want(struct quantizer *q, int tensor)
{
    struct tensor *t = tensor < 0 ? NULL : &q->tensors[tensor];

    if (!t || t->seen >= 0)
        return;
    t->seen = (int)q->wanted_count;
    q->wanted[q->wanted_count++] = (struct quantize_tensor){.name = t->name, .input = t->input};
}

static int list_wanted(struct quantizer *q, struct assay_err *err)
{
    size_t weights = 0;

    q->wanted = calloc(q->tensor_count + 1, sizeof(*q->wanted));
    if (!q->wanted)
        return assay_fail(err, ASSAY_EFAIL, "%s: out of memory", q->name);
    for (size_t i = 0; i < q->m.node_count; i++) {
        const struct node *p = &q->nodes[i];

        weights += p->kind == MULS;
        if (p->kind != MULS && p->kind != ADDS && p->kind != POOLS)
            continue;
        want(q, p->in[0]);
        if (p->kind == ADDS)
            want(q, p->in[1]);
        want(q, p->out);
    }
    if (!weights)
        return assay_fail(err, ASSAY_EUNSUPPORTED,
                          "%s: has nothing to quantise: no Conv, Gemm or MatMul whose float32 "
                          "weights lie in the file as initialisers",
                          q->name);
    return ASSAY_OK;
}

static int check(const struct quantizer *q, struct assay_err *err)
{
    for (size_t i = 0; i < q->m.node_count; i++) {
        const char *op = q->m.nodes[i].op;

        if (op && (!strcmp(op, "QuantizeLinear") || !strcmp(op, "DequantizeLinear") ||
                   !strncmp(op, "QLinear", 7)))
            return assay_fail(err, ASSAY_EUNSUPPORTED, "%s: is quantised already: it has a %s",
                              q->name, op);
    }
    for (size_t i = 0; i < q->m.initializer_count; i++)
        if (q->m.initializers[i].external)
            return assay_fail(err, ASSAY_EUNSUPPORTED,
                              "%s: '%.100s' lies in another file; save the model with all weights "
                              "in one file",
                              q->name, q->m.initializers[i].name ? q->m.initializers[i].name : "");
    if (q->m.opset < MIN_OPSET)
        return assay_fail(
            err, ASSAY_EUNSUPPORTED,
            "%s: is of opset %lld, and 8-bit operators begin with opset %d; export it "
            "with %d or newer",
            q->name, (long long)q->m.opset, MIN_OPSET, AXIS_OPSET);
    return ASSAY_OK;
}

int quantize_open(const void *data, size_t len, const char *name, struct quantizer **out,
                  struct assay_err *err)
{
    struct quantizer *q = calloc(1, sizeof(*q));
    int rc;

    if (!q)
        return assay_fail(err, ASSAY_EFAIL, "%s: out of memory", name);
    q->data = data;
    q->len = len;
    q->name = name;
    rc = onnx_read(data, len, name, &q->m, err);
    if (!rc)
        rc = check(q, err);
    if (!rc && !(q->nodes = calloc(q->m.node_count, sizeof(*q->nodes))))
        rc = assay_fail(err, ASSAY_EFAIL, "%s: out of memory", name);
    if (!rc)
        rc = list_tensors(q, err);
    if (!rc) {
        link_tensors(q);
        classify(q);
        rc = list_wanted(q, err);
    }
    if (rc)
        quantize_close(q);
    else
        *out = q;
    return rc;
}

void quantize_close(struct quantizer *q)
{
    if (!q)
        return;
    onnx_release(&q->m);
    free(q->tensors);
    free(q->nodes);
    free(q->wanted);
    free(q);
}

struct quantize_tensor *quantize_tensors(struct quantizer *q, size_t *n)
{
    *n = q->wanted_count;
    return q->wanted;
}

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

    text_init(&graph, LIMIT);
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

static bool known(const struct quantizer *q, int tensor)
{
    return tensor >= 0 && q->tensors[tensor].seen >= 0 && q->wanted[q->tensors[tensor].seen].known;
}

static void quantize_tensor(struct quantizer *q, int tensor)
{
    struct tensor *t = &q->tensors[tensor];

    if (t->quantized || t->output || !known(q, tensor))
        return;
    t->quantized = true;
    t->levels = spread_levels(q->wanted[t->seen].range);
}

/* A Gemm or MatMul gives float32 as it is; quantising its output is worth it only for a reader. */
static bool output_wanted(const struct quantizer *q, const struct node *p, const char *op)
{
    if (p->out < 0)
        return false;
    return p->kind != MULS || !strcmp(op, "Conv") || q->tensors[p->out].quantized;
}

static void plan_node(struct quantizer *q, struct node *p)
{
    switch (p->kind) {
    case MULS:
    case POOLS:
        p->quantized = known(q, p->in[0]);
        break;
    case ADDS:
        p->quantized = known(q, p->in[0]) && known(q, p->in[1]);
        break;
    default:
        break;
    }
    if (p->quantized)
        quantize_tensor(q, p->in[0]);
    if (p->quantized && p->kind == ADDS)
        quantize_tensor(q, p->in[1]);
}

/* Outputs in file order, so that what moves values passes its input's levels on. */
static void plan_output(struct quantizer *q, size_t i)
{
    struct node *p = &q->nodes[i];
    struct tensor *in = p->in[0] < 0 ? NULL : &q->tensors[p->in[0]], *out;

    if (p->quantized && output_wanted(q, p, q->m.nodes[i].op))
        quantize_tensor(q, p->out);
    if (p->kind != MOVES || !in->quantized || p->out < 0)
        return;
    out = &q->tensors[p->out];
    if (out->output || strcmp(out->name, q->m.nodes[i].output[0]))
        return; /* behind a Relu or Clip the range is another */
    p->quantized = true;
    out->quantized = true;
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
        struct node *p = &q->nodes[i];
        const struct onnx_node *n = &q->m.nodes[i];
        enum kind kind = kind_of(n);

        sum->nodes += kind == MULS || kind == ADDS || kind == POOLS;
        sum->quantized += p->quantized && p->kind != MOVES;
        for (uint32_t k = 0; k < n->inputs; k++) {
            int t = find(q, n->input[k]);

            if (t >= 0 && !(p->quantized && p->kind == MULS && (k == 1 || k == 2)))
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

    text_init(&t, LIMIT);
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
static void put_activation(struct writer *w, struct text *graph, const struct tensor *t)
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
    float *scale;
};

static float weight_at(const struct quantizer *q, const struct onnx_value *v,
                       const struct channels *c, size_t channel, size_t k)
{
    return number(q, v, (k / c->inner * c->count + channel) * c->inner + k % c->inner);
}

/* The largest weight becomes 127; more where the bias would not fit its 32 bits otherwise. */
static void choose_scales(const struct quantizer *q, const struct onnx_value *v,
                          const struct onnx_value *bias, float input_scale, struct channels *c)
{
    for (size_t i = 0; i < c->scales; i++)
        c->scale[i] = 0;
    for (size_t ch = 0; ch < c->count; ch++) {
        float *scale = &c->scale[c->scales > 1 ? ch : 0], most = 0, least;

        for (size_t k = 0; k < c->inner * c->outer; k++)
            most = fmaxf(most, fabsf(weight_at(q, v, c, ch, k)));
        least = bias ? fabsf(number(q, bias, ch)) / ((float)BIAS_LEVELS * input_scale) : 0;
        *scale = fmaxf(*scale, fmaxf(most / 127.0f, least));
    }
    for (size_t i = 0; i < c->scales; i++)
        if (!(c->scale[i] > FLT_MIN) || !isfinite(c->scale[i]))
            c->scale[i] = 1.0f;
}

static long rounded(float x, long least, long most)
{
    long v = isfinite(x) ? lrintf(x) : 0;

    return v < least ? least : v > most ? most : v;
}

static void put_weights(struct writer *w, struct text *graph, const struct node *p, long node,
                        struct channels *c, int8_t *out, int8_t *zeros)
{
    const struct quantizer *q = w->q;
    const struct onnx_value *v = initializer_of(q, p->in[1]);
    int64_t n = (int64_t)c->scales;
    uint32_t rank = c->scales > 1 ? 1 : 0;

    for (size_t ch = 0; ch < c->count; ch++)
        for (size_t k = 0; k < c->inner * c->outer; k++)
            out[(k / c->inner * c->count + ch) * c->inner + k % c->inner] = (int8_t)rounded(
                weight_at(q, v, c, ch, k) / c->scale[c->scales > 1 ? ch : 0], -127, 127);
    put_initializer(w, named(w, v->name, node, "quantized"), ELEM_INT8, v->rank, v->dims, out,
                    (size_t)count_of(v));
    put_initializer(w, named(w, v->name, node, "scale"), ELEM_FLOAT, rank, &n, c->scale,
                    c->scales * sizeof(float));
    put_initializer(w, named(w, v->name, node, "zero"), ELEM_INT8, rank, &n, zeros, c->scales);
    put_linear(w, graph, "DequantizeLinear", v->name, node, "quantized", "dequantized",
               rank ? p->axis : -1);
}

/* Bias scales are the accumulator's: c->scale is overwritten with them. */
static void put_bias(struct writer *w, struct text *graph, const struct node *p, long node,
                     struct channels *c, int32_t *out, int32_t *zeros)
{
    const struct quantizer *q = w->q;
    const struct onnx_value *v = initializer_of(q, p->in[2]);
    int64_t n = (int64_t)c->scales;
    uint32_t rank = c->scales > 1 ? 1 : 0;

    for (size_t i = 0; i < c->scales; i++)
        c->scale[i] *= q->tensors[p->in[0]].levels.scale;
    for (size_t i = 0; i < c->count; i++)
        out[i] = (int32_t)rounded(number(q, v, i) / c->scale[c->scales > 1 ? i : 0], INT32_MIN / 2,
                                  INT32_MAX / 2);
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

static void put_parameters(struct writer *w, struct text *graph, const struct node *p)
{
    const struct quantizer *q = w->q;
    const struct onnx_value *v = initializer_of(q, p->in[1]), *b = initializer_of(q, p->in[2]);
    struct channels c = {.count = (size_t)v->dims[p->axis], .inner = 1, .outer = 1};
    int8_t *weights = malloc((size_t)count_of(v));
    int32_t *bias, *zeros;

    c.scales = q->m.opset < AXIS_OPSET ? 1 : c.count;
    for (uint32_t d = 0; d < v->rank; d++) {
        c.outer *= d < (uint32_t)p->axis ? (size_t)v->dims[d] : 1;
        c.inner *= d > (uint32_t)p->axis ? (size_t)v->dims[d] : 1;
    }
    c.scale = malloc(c.count * sizeof(float));
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

/* What the node reads at place k now. */
static const char *input_name(struct writer *w, const struct node *p, uint32_t k, const char *name)
{
    int t = find(w->q, name);

    if (t >= 0 && p->quantized && p->kind == MULS && k > 0)
        return named(w, name, copy_number(w, t), "dequantized");
    return t >= 0 && w->q->tensors[t].quantized ? named(w, name, -1, "dequantized") : name;
}

static void put_node(struct writer *w, const struct wire_field *f, struct text *graph)
{
    const struct quantizer *q = w->q;
    const struct onnx_node *n = &q->m.nodes[w->node];
    const struct node *p = &q->nodes[w->node];
    const unsigned char *at = f->data, *end = f->data + f->bytes;
    struct wire_field part;
    struct text node;
    uint32_t k = 0;
    int t;

    if (p->quantized && p->kind == MULS)
        put_parameters(w, graph, p);
    text_init(&node, LIMIT);
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
        if ((t = find(q, n->output[o])) >= 0 && q->tensors[t].quantized)
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
    t = find(w->q, name);
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

int quantize_write(struct quantizer *q, const char *path, struct quantize_sum *sum,
                   struct assay_err *err)
{
    struct writer w = {.q = q};
    struct quantize_sum ours;
    struct text model;
    int rc = ASSAY_OK;

    text_init(&model, LIMIT);
    text_init(&w.initializers, LIMIT);
    text_init(&w.part, 1 << 16);
    text_init(&w.name, 4096);
    plan(q, &ours);
    if (!ours.quantized)
        rc = assay_fail(err, ASSAY_EUNSUPPORTED,
                        "%s: nothing was quantised: no range of an activation is known", q->name);
    if (!rc)
        rc = rewrite(q, write_field, &w, &model, err);
    if (!rc) {
        put_metadata(&model, "assay.precision", "int8");
        ours.bytes = model.len;
        rc = file_write_whole(path, model.s, model.len, err);
    }
    if (!rc && sum)
        *sum = ours;
    text_release(&model);
    text_release(&w.initializers);
    text_release(&w.part);
    text_release(&w.name);
    return rc;
}
