/* Reads an ONNX graph for the quantiser: which nodes 8-bit kernels could compute, and whose values
 * must be seen for it.  Of a transformer these are the products with weights, and nothing else.
 *
 * A Relu or Clip that alone reads a node's output is part of that node: only what it gives is
 * quantised.  Nodes that only move values (MaxPool, Flatten, Reshape, Transpose …) keep their
 * input's range, so that they run on the bytes.  Ranges are not known here yet: what is decided
 * with them is in quantize_write.c. */
#include <stdlib.h>
#include <string.h>

#include "net/quantize_graph.h"
#include "net/wire.h"

#define MIN_OPSET 10 /* QuantizeLinear is there */
#define MAX_CLIPS 4  /* one behind the other */

enum { ELEM_FLOAT = 1 };

/* What is known about operators of ONNX's own domain. */
static const struct op_row {
    const char *op;
    enum quantize_kind kind;
} ops[] = {{"Conv", QUANTIZE_MULS},         {"Gemm", QUANTIZE_MULS},
           {"MatMul", QUANTIZE_MULS},       {"Add", QUANTIZE_ADDS},
           {"AveragePool", QUANTIZE_POOLS}, {"GlobalAveragePool", QUANTIZE_POOLS},
           {"MaxPool", QUANTIZE_MOVES},     {"Flatten", QUANTIZE_MOVES},
           {"Reshape", QUANTIZE_MOVES},     {"Transpose", QUANTIZE_MOVES},
           {"Squeeze", QUANTIZE_MOVES},     {"Unsqueeze", QUANTIZE_MOVES},
           {"Relu", QUANTIZE_CLIPS},        {"Clip", QUANTIZE_CLIPS}};

/* ---- tensors by name ---- */

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct quantize_value *)a)->name,
                  ((const struct quantize_value *)b)->name);
}

int quantize_find(const struct quantizer *q, const char *name)
{
    struct quantize_value key = {.name = name};
    const struct quantize_value *t =
        name[0] ? bsearch(&key, q->tensors, q->tensor_count, sizeof(key), by_name) : NULL;

    return t ? (int)(t - q->tensors) : -1;
}

static void add_tensor(struct quantizer *q, const char *name)
{
    if (name && name[0])
        q->tensors[q->tensor_count++] =
            (struct quantize_value){.name = name, .initializer = -1, .seen = -1};
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
        if (m->initializers[i].name && (t = quantize_find(q, m->initializers[i].name)) >= 0)
            q->tensors[t].initializer = (int)i;
    for (size_t i = 0; i < m->input_count; i++)
        if (m->inputs[i].name && (t = quantize_find(q, m->inputs[i].name)) >= 0)
            q->tensors[t].input = q->tensors[t].initializer < 0;
    for (size_t i = 0; i < m->output_count; i++)
        if (m->outputs[i].name && (t = quantize_find(q, m->outputs[i].name)) >= 0)
            q->tensors[t].output = true;
    for (size_t i = 0; i < m->node_count; i++) {
        for (uint32_t k = 0; k < m->nodes[i].inputs; k++)
            if ((t = quantize_find(q, m->nodes[i].input[k])) >= 0) {
                q->tensors[t].readers++;
                q->tensors[t].reader = (int)i;
            }
        if (m->nodes[i].op && !strcmp(m->nodes[i].op, "Constant") && m->nodes[i].outputs &&
            (t = quantize_find(q, m->nodes[i].output[0])) >= 0)
            q->tensors[t].constant = true;
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

const struct onnx_value *quantize_initializer(const struct quantizer *q, int tensor)
{
    int i = tensor < 0 ? -1 : q->tensors[tensor].initializer;

    return i < 0 ? NULL : &q->m.initializers[i];
}

uint64_t quantize_count(const struct onnx_value *v)
{
    uint64_t n = 1;

    for (uint32_t d = 0; d < v->rank; d++)
        n = v->dims[d] && n > QUANTIZE_MAX_FILE / (uint64_t)v->dims[d] ? QUANTIZE_MAX_FILE
                                                                       : n * (uint64_t)v->dims[d];
    return n;
}

/* float32 numbers that lie in this file, all of them. */
static bool is_float(const struct onnx_value *v)
{
    return v && v->elem_type == ELEM_FLOAT && !v->external && quantize_count(v) > 0 &&
           v->data_bytes == quantize_count(v) * sizeof(float);
}

float quantize_number(const struct quantizer *q, const struct onnx_value *v, size_t i)
{
    float x;

    memcpy(&x, q->data + v->data_at + i * sizeof(x), sizeof(x));
    return x;
}

/* Whether the weights and bias of a Conv, Gemm or MatMul are of a kind that is known here; sets
 * the axis of the output channels. */
static bool fits(const struct quantizer *q, const struct onnx_node *n, struct quantize_node *p)
{
    const struct onnx_value *w = quantize_initializer(q, p->in[1]),
                            *b = quantize_initializer(q, p->in[2]);
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
    int out = n->outputs ? quantize_find(q, n->output[0]) : -1, next;

    for (int i = 0; i < MAX_CLIPS && out >= 0; i++) {
        const struct quantize_value *t = &q->tensors[out];

        if (t->readers != 1 || t->output || q->nodes[t->reader].kind != QUANTIZE_CLIPS ||
            q->nodes[t->reader].in[0] != out)
            break;
        next = quantize_find(q, q->m.nodes[t->reader].output[0]);
        if (next < 0)
            break;
        out = next;
    }
    return out;
}

enum quantize_kind quantize_kind_of(const struct onnx_node *n)
{
    if (n->domain && n->domain[0] && strcmp(n->domain, "ai.onnx"))
        return QUANTIZE_KEPT;
    for (size_t i = 0; n->op && i < sizeof(ops) / sizeof(ops[0]); i++)
        if (!strcmp(ops[i].op, n->op))
            return n->inputs && n->outputs ? ops[i].kind : QUANTIZE_KEPT;
    return QUANTIZE_KEPT;
}

static bool is_constant(const struct quantizer *q, int tensor)
{
    return q->tensors[tensor].initializer >= 0 || q->tensors[tensor].constant;
}

/* Sums are worth 8 bits between convolutions.  A transformer's stay as they are: the scores with
 * their mask of -10000, and the stream that all layers add to, which keeps the model accurate. */
static bool ends_convolution(const struct onnx_node *n)
{
    static const char *const ends[] = {"MatMul", "Gemm", "Softmax", "LayerNormalization", "Erf"};

    for (size_t i = 0; n->op && i < sizeof(ends) / sizeof(ends[0]); i++)
        if (!strcmp(ends[i], n->op))
            return true;
    return false;
}

/* In file order, which is the order in which nodes run. */
static void classify_sums(struct quantizer *q)
{
    for (size_t i = 0; i < q->m.node_count; i++) {
        const struct onnx_node *n = &q->m.nodes[i];
        struct quantize_node *p = &q->nodes[i];
        bool from =
            p->kind == QUANTIZE_POOLS || (p->kind == QUANTIZE_MULS && !strcmp(n->op, "Conv"));
        int t;

        for (uint32_t k = 0; k < n->inputs && !ends_convolution(n); k++)
            from |= (t = quantize_find(q, n->input[k])) >= 0 && q->tensors[t].convolved;
        if (p->kind == QUANTIZE_ADDS && !from)
            p->kind = QUANTIZE_KEPT;
        for (uint32_t o = 0; o < n->outputs && from; o++)
            if ((t = quantize_find(q, n->output[o])) >= 0)
                q->tensors[t].convolved = true;
    }
}

static void classify(struct quantizer *q)
{
    for (size_t i = 0; i < q->m.node_count; i++) {
        const struct onnx_node *n = &q->m.nodes[i];
        struct quantize_node *p = &q->nodes[i];

        p->kind = quantize_kind_of(n);
        for (uint32_t k = 0; k < 3; k++)
            p->in[k] = k < n->inputs ? quantize_find(q, n->input[k]) : -1;
        if (p->kind != QUANTIZE_KEPT && (p->in[0] < 0 || q->tensors[p->in[0]].initializer >= 0))
            p->kind = QUANTIZE_KEPT;
        if (p->kind == QUANTIZE_MULS && !fits(q, n, p))
            p->kind = QUANTIZE_KEPT;
        if (p->kind == QUANTIZE_ADDS &&
            (p->in[1] < 0 || is_constant(q, p->in[0]) || is_constant(q, p->in[1])))
            p->kind = QUANTIZE_KEPT;
        if (n->outputs > 1 && p->kind == QUANTIZE_MOVES) /* MaxPool with indices */
            p->kind = QUANTIZE_KEPT;
        q->sub_graphs |= has_sub_graph(q, n);
    }
    classify_sums(q);
    for (size_t i = 0; i < q->m.node_count; i++)
        q->nodes[i].out = behind(q, &q->m.nodes[i]);
}

/* ---- whose ranges are wanted ---- */

static void want(struct quantizer *q, int tensor)
{
    struct quantize_value *t = tensor < 0 ? NULL : &q->tensors[tensor];

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
        const struct quantize_node *p = &q->nodes[i];

        weights += p->kind == QUANTIZE_MULS;
        if (p->kind != QUANTIZE_MULS && p->kind != QUANTIZE_ADDS && p->kind != QUANTIZE_POOLS)
            continue;
        want(q, p->in[0]);
        if (p->kind == QUANTIZE_ADDS)
            want(q, p->in[1]);
        if (p->kind != QUANTIZE_MULS || !strcmp(q->m.nodes[i].op, "Conv"))
            want(q, p->out); /* else only what is behind it can want that */
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
            q->name, (long long)q->m.opset, MIN_OPSET, QUANTIZE_AXIS_OPSET);
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
