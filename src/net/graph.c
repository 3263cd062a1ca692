/* Lists an ONNX file's graph; see graph.h. */
#include "net/graph.h"

#include <stdlib.h>
#include <string.h>

#include "net/wire.h"

/* ---- attributes ---- */

static void add_int(struct graph_attribute *a, uint64_t v)
{
    if (a->count < 8)
        a->ints[a->count++] = (int64_t)v;
}

/* ints come one by one or packed. */
static void take_ints(struct graph_attribute *a, const struct wire_field *x)
{
    const unsigned char *at = x->data;
    uint64_t v;

    if (x->type == WIRE_VARINT)
        add_int(a, x->value);
    if (x->type != WIRE_BYTES)
        return;
    while (at < x->data + x->bytes && wire_read_varint(&at, x->data + x->bytes, &v))
        add_int(a, v);
}

static bool is_text(const struct wire_field *x, const char *text)
{
    return x->type == WIRE_BYTES && x->bytes == strlen(text) && !memcmp(x->data, text, x->bytes);
}

/* AttributeProto { name = 1, f = 2, i = 3, s = 4, ints = 8 } */
static struct graph_attribute parse(const struct wire_field *message, const char *name)
{
    const unsigned char *at = message->data, *end = at + message->bytes;
    struct graph_attribute a = {0};
    struct wire_field x;

    while (wire_next(&at, end, &x)) {
        if (x.number == 1)
            a.found = is_text(&x, name);
        else if (x.number == 2 && x.type == WIRE_FIXED32)
            memcpy(&a.f, x.data, sizeof(a.f));
        else if (x.number == 3 && x.type == WIRE_VARINT)
            a.i = (int64_t)x.value;
        else if (x.number == 4 && x.type == WIRE_BYTES)
            snprintf(a.s, sizeof(a.s), "%.*s", x.bytes < 31 ? (int)x.bytes : 31,
                     (const char *)x.data);
        else if (x.number == 8)
            take_ints(&a, &x);
    }
    return a;
}

struct graph_attribute graph_attribute(const struct graph *g, const struct graph_node *n,
                                       const char *name)
{
    const unsigned char *at = g->s->data + n->is->at, *end = at + n->is->bytes;
    struct graph_attribute a = {0};
    struct wire_field x;

    while (!a.found && wire_next(&at, end, &x))
        if (x.number == 5 && x.type == WIRE_BYTES)
            a = parse(&x, name);
    return a.found ? a : (struct graph_attribute){0};
}

#define MAX_PAD 4096

/* Padding that can be added up. */
bool graph_pads_are_sane(const struct graph_attribute *a)
{
    for (uint32_t i = 0; i < a->count; i++)
        if (a->ints[i] < 0 || a->ints[i] > MAX_PAD)
            return false;
    return true;
}

/* true when the attribute is missing, or each of its n numbers is `want`. */
bool graph_all_are(const struct graph *g, const struct graph_node *n, const char *name,
                   uint32_t count, int64_t want)
{
    struct graph_attribute a = graph_attribute(g, n, name);

    for (uint32_t i = 0; i < a.count; i++)
        if (a.ints[i] != want)
            return false;
    return a.found ? a.count == count : want == 1;
}

/* ---- the graph ---- */

bool graph_is_op(const struct graph_node *n, const char *op)
{
    return n->is->op && !strcmp(n->is->op, op) &&
           (!n->is->domain || !n->is->domain[0] || !strcmp(n->is->domain, "ai.onnx"));
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct graph_value *)a)->name, ((const struct graph_value *)b)->name);
}

uint32_t graph_find_value(const struct graph *g, const char *name)
{
    const struct graph_value key = {.name = name}, *v = NULL;

    if (name && name[0] && g->value_count)
        v = bsearch(&key, g->values, g->value_count, sizeof(key), by_name);
    return v ? (uint32_t)(v - g->values) : GRAPH_NONE;
}

static void count_names(const struct onnx_model *m, size_t *inputs, size_t *names)
{
    *inputs = 0;
    *names = m->input_count;
    for (size_t i = 0; i < m->node_count; i++) {
        *inputs += m->nodes[i].inputs;
        *names += m->nodes[i].inputs + m->nodes[i].outputs;
    }
}

static void list_values(struct graph *g)
{
    const struct onnx_model *m = g->s->graph;
    size_t n = 0, kept = 0, i;
    uint32_t k;

    for (i = 0; i < m->input_count; i++)
        if (m->inputs[i].name)
            g->values[n++].name = m->inputs[i].name;
    for (i = 0; i < m->node_count; i++) {
        for (k = 0; k < m->nodes[i].inputs; k++)
            g->values[n++].name = m->nodes[i].input[k];
        for (k = 0; k < m->nodes[i].outputs; k++)
            g->values[n++].name = m->nodes[i].output[k];
    }
    qsort(g->values, n, sizeof(*g->values), by_name);
    for (i = 0; i < n; i++)
        if (!kept || strcmp(g->values[i].name, g->values[kept - 1].name) != 0)
            g->values[kept++] = g->values[i];
    g->value_count = kept;
    for (i = 0; i < kept; i++)
        g->values[i].same = (uint32_t)i;
}

const struct state_tensor *graph_weight(const struct graph *g, const struct graph_node *n,
                                        uint32_t k)
{
    return k < n->is->inputs ? state_find(g->s, n->is->input[k]) : NULL;
}

/* The pads of a Pad node that adds zeros around rows and columns; false: another kind. */
static bool zero_pads(const struct graph *g, const struct graph_node *n, int64_t out[4])
{
    struct graph_attribute pads = graph_attribute(g, n, "pads"),
                           mode = graph_attribute(g, n, "mode");
    const struct state_tensor *t = graph_weight(g, n, 1), *fill = graph_weight(g, n, 2);
    float zero = graph_attribute(g, n, "value").f;

    if (!pads.found && t && t->dtype == ASSAY_I64 && t->count == 8)
        for (; pads.count < 8; pads.count++)
            pads.ints[pads.count] =
                (int64_t)state_number(g->s->data + t->at + 8 * (size_t)pads.count, 8);
    if (n->is->inputs > 2 && n->is->input[2][0]) {
        if (!fill || !state_is_float(fill) || fill->count != 1)
            return false;
        state_floats(g->s, fill, &zero);
    }
    if (pads.count != 8 || !graph_pads_are_sane(&pads) || zero != 0.0f ||
        (mode.found && strcmp(mode.s, "constant") != 0) || pads.ints[0] || pads.ints[1] ||
        pads.ints[4] || pads.ints[5])
        return false;
    out[0] = pads.ints[2];
    out[1] = pads.ints[3];
    out[2] = pads.ints[6];
    out[3] = pads.ints[7];
    return true;
}

/* Channels stay channels: first becomes last, or last first. */
static bool turns_layout(const struct graph *g, const struct graph_node *n)
{
    static const int64_t last[4] = {0, 2, 3, 1}, first[4] = {0, 3, 1, 2};
    struct graph_attribute perm = graph_attribute(g, n, "perm");

    return graph_is_op(n, "Transpose") && perm.count == 4 &&
           (!memcmp(perm.ints, last, sizeof(last)) || !memcmp(perm.ints, first, sizeof(first)));
}

/* What a node makes is what it is given, moved. */
static void look_through(struct graph *g, const struct graph_node *n)
{
    static const char *const moves[] = {"Identity", "Flatten",   "Squeeze",
                                        "Reshape",  "Unsqueeze", "Dropout"};
    struct graph_value *out, *in;
    int64_t pad[4] = {0};
    bool moved;

    if (!n->is->inputs || n->in[0] == GRAPH_NONE || n->out == GRAPH_NONE || n->in[0] == n->out)
        return;
    moved = turns_layout(g, n);
    for (size_t i = 0; i < sizeof(moves) / sizeof(moves[0]); i++)
        moved = moved || graph_is_op(n, moves[i]);
    if (!moved && (!graph_is_op(n, "Pad") || !zero_pads(g, n, pad)))
        return;
    in = &g->values[n->in[0]];
    out = &g->values[n->out];
    out->same = in->same;
    for (int i = 0; i < 4; i++)
        out->pad[i] = in->pad[i] + pad[i];
}

/* Nodes lie in the file in the order in which they run, as ONNX wants it. */
int graph_list(struct graph *g, const struct state *s, struct assay_err *err)
{
    const struct onnx_model *m = s->graph;
    size_t inputs, names, at = 0;

    *g = (struct graph){.s = s, .node_count = m->node_count};
    count_names(m, &inputs, &names);
    g->values = calloc(names + 1, sizeof(*g->values));
    g->nodes = calloc(m->node_count + 1, sizeof(*g->nodes));
    g->ids = calloc(inputs + 1, sizeof(*g->ids));
    if (!g->values || !g->nodes || !g->ids)
        return assay_fail(err, ASSAY_EFAIL, "%s: out of memory", s->name);
    list_values(g);
    for (size_t i = 0; i < m->node_count; i++) {
        struct graph_node *n = &g->nodes[i];

        n->is = &m->nodes[i];
        n->in = g->ids + at;
        for (uint32_t k = 0; k < n->is->inputs; k++)
            g->ids[at++] = graph_find_value(g, n->is->input[k]);
        n->out = n->is->outputs ? graph_find_value(g, n->is->output[0]) : GRAPH_NONE;
        look_through(g, n);
    }
    return ASSAY_OK;
}

void graph_release(struct graph *g)
{
    free(g->values);
    free(g->nodes);
    free(g->ids);
    *g = (struct graph){0};
}

/* true when input k of the node is the value, perhaps moved. */
bool graph_reads(const struct graph *g, const struct graph_node *n, uint32_t k, uint32_t value)
{
    return k < n->is->inputs && n->in[k] != GRAPH_NONE && g->values[n->in[k]].same == value;
}

bool graph_unpadded(const struct graph *g, const struct graph_node *n)
{
    const int64_t *p = g->values[n->in[0]].pad;

    return !p[0] && !p[1] && !p[2] && !p[3];
}
