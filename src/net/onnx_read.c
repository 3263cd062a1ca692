/* Reads the structure of an ONNX file: who is in it, not the numbers.
 *
 * The input is hostile until proven otherwise.  Every message is a window [at, end) of the bytes; a
 * window's sub-message is cut from it only when it lies inside, so nothing is read beyond the data.
 * Strict: a field that we know must have its wire type, names must be printable, groups (long gone
 * from protobuf) and lengths that do not fit are errors.  Unknown fields are skipped.  Depth is
 * fixed (sub-graphs are not entered), and lists are limited, so time and memory are linear in the
 * file. */
#include "net/onnx.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "net/wire.h"

#define MAX_FILE  0x7fffffffu
#define MAX_ITEMS 200000u
#define MAX_NAME  1024u

struct window {
    const unsigned char *at, *end;
};

struct field {
    uint32_t number, type;
    uint64_t value;     /* of VARINT */
    struct window data; /* of BYTES; else empty, but never NULL */
};

/* What all levels share. */
struct reader {
    const unsigned char *start;
    const char *name;
    struct assay_err *err;
    size_t items;
};

static int bad(struct reader *r, const unsigned char *at, const char *what)
{
    return assay_fail(r->err, ASSAY_EFAIL, "%s: is no whole ONNX model: %s (at byte %zu)", r->name,
                      what, (size_t)(at - r->start));
}

static int varint(struct reader *r, struct window *w, uint64_t *out)
{
    const unsigned char *start = w->at;
    uint64_t v = 0;
    int shift;

    for (shift = 0; shift < 64 && w->at < w->end; shift += 7) {
        v |= (uint64_t)(*w->at & 0x7f) << shift;
        if (!(*w->at++ & 0x80)) {
            *out = v;
            return ASSAY_OK;
        }
    }
    return bad(r, start, shift < 64 ? "it ends inside a number" : "a number is too long");
}

/* The next field of a message; the caller has checked that w is not empty. */
static int next(struct reader *r, struct window *w, struct field *f)
{
    const unsigned char *start = w->at;
    uint64_t key = 0, n = 0; /* key: gcc -O3 does not see that varint sets it */
    int rc = varint(r, w, &key);

    if (rc)
        return rc;
    *f = (struct field){
        .number = (uint32_t)(key >> 3), .type = (uint32_t)(key & 7), .data = {w->at, w->at}};
    if (key >> 32 || !f->number)
        return bad(r, start, "a field has an impossible number");
    switch (f->type) {
    case WIRE_VARINT:
        return varint(r, w, &f->value);
    case WIRE_FIXED64:
        n = 8;
        break;
    case WIRE_FIXED32:
        n = 4;
        break;
    case WIRE_BYTES:
        rc = varint(r, w, &n);
        if (rc)
            return rc;
        break;
    default:
        return bad(r, start, "a field has an unknown wire type");
    }
    if (n > (uint64_t)(w->end - w->at))
        return bad(r, start, "it ends inside a field");
    f->data = (struct window){w->at, w->at + n};
    w->at += n;
    return ASSAY_OK;
}

static int want(struct reader *r, const struct field *f, enum wire_type type,
                const struct window *w)
{
    return f->type == (uint32_t)type ? ASSAY_OK : bad(r, w->at, "a field has the wrong wire type");
}

/* A name: short and printable; the last one wins, as protobuf says. */
static int text(struct reader *r, const struct field *f, const struct window *w, char **out)
{
    const unsigned char *p;
    size_t n;

    if (want(r, f, WIRE_BYTES, w))
        return ASSAY_EFAIL;
    n = (size_t)(f->data.end - f->data.at);
    if (n > MAX_NAME)
        return bad(r, f->data.at, "a name is longer than 1024 bytes");
    for (p = f->data.at; p < f->data.end; p++)
        if (*p < 0x20 || *p == 0x7f)
            return bad(r, p, "a name has unprintable bytes");
    free(*out);
    *out = malloc(n + 1);
    if (!*out)
        return assay_fail(r->err, ASSAY_EFAIL, "%s: out of memory", r->name);
    memcpy(*out, f->data.at, n);
    (*out)[n] = 0;
    return ASSAY_OK;
}

static int integer(struct reader *r, const struct field *f, const struct window *w, int64_t *out)
{
    if (want(r, f, WIRE_VARINT, w))
        return ASSAY_EFAIL;
    *out = (int64_t)f->value;
    return ASSAY_OK;
}

/* A new zeroed item at the end of a list, whose pointer lies at `list`; capacity is the next power
 * of two. */
static void *grow(struct reader *r, void *list, size_t *count, size_t size, const struct window *w)
{
    char *items, *grown;

    if (++r->items > MAX_ITEMS) {
        bad(r, w->at, "it has more than 200000 nodes and values");
        return NULL;
    }
    memcpy(&items, list, sizeof(items));
    if (!(*count & (*count - 1))) {
        grown = realloc(items, (*count ? 2 * *count : 1) * size);
        if (!grown) {
            assay_fail(r->err, ASSAY_EFAIL, "%s: out of memory", r->name);
            return NULL;
        }
        items = grown;
        memcpy(list, &items, sizeof(items));
    }
    memset(items + *count * size, 0, size);
    return items + (*count)++ * size;
}

/* ---- messages ---- */

/* How one field of a message is taken into its struct. */
typedef int take_fn(struct reader *r, const struct field *f, const struct window *w, void *into);

static int walk(struct reader *r, struct window w, take_fn *take, void *into)
{
    struct field f;
    int rc = ASSAY_OK;

    while (!rc && w.at < w.end) {
        rc = next(r, &w, &f);
        if (!rc)
            rc = take(r, &f, &w, into);
    }
    return rc;
}

/* One more name of a node's list. */
static int add_name(struct reader *r, const struct field *f, const struct window *w, char ***list,
                    uint32_t *count)
{
    size_t n = *count;
    char **item = grow(r, list, &n, sizeof(**list), w);

    *count = (uint32_t)n;
    return item ? text(r, f, w, item) : ASSAY_EFAIL;
}

static int take_node(struct reader *r, const struct field *f, const struct window *w, void *into)
{
    struct onnx_node *node = into;

    switch (f->number) {
    case 1:
        return add_name(r, f, w, &node->input, &node->inputs);
    case 2:
        return add_name(r, f, w, &node->output, &node->outputs);
    case 3:
        return text(r, f, w, &node->name);
    case 4:
        return text(r, f, w, &node->op);
    case 5:
        node->attributes++;
        return want(r, f, WIRE_BYTES, w);
    case 7:
        return text(r, f, w, &node->domain);
    default:
        return ASSAY_OK;
    }
}

static int add_dim(struct reader *r, struct onnx_value *v, int64_t dim, const struct window *w)
{
    if (v->rank == ONNX_MAX_RANK)
        return bad(r, w->at, "a tensor has more than 16 dimensions");
    v->dims[v->rank++] = dim;
    return ASSAY_OK;
}

static void place(const struct reader *r, const struct field *f, struct onnx_value *v)
{
    v->data_at = (size_t)(f->data.at - r->start);
    v->data_bytes = (size_t)(f->data.end - f->data.at);
}

static int take_pair(struct reader *r, const struct field *f, const struct window *w, void *into);

/* One of external_data's pairs: where the numbers lie. */
static int take_location(struct reader *r, const struct field *f, const struct window *w,
                         struct onnx_value *v)
{
    struct onnx_pair p = {NULL, NULL};
    int rc = want(r, f, WIRE_BYTES, w);

    if (!rc)
        rc = walk(r, f->data, take_pair, &p);
    if (!rc && p.key && !strcmp(p.key, "location") && !v->location) {
        v->location = p.value;
        p.value = NULL;
    }
    free(p.key);
    free(p.value);
    return rc;
}

/* Initialisers: dims come one by one or packed. */
static int take_tensor(struct reader *r, const struct field *f, const struct window *w, void *into)
{
    struct onnx_value *v = into;
    struct window dims = f->data;
    uint64_t dim = f->value;
    int rc = ASSAY_OK;

    switch (f->number) {
    case 1:
        if (f->type == WIRE_VARINT && (int64_t)dim < 0)
            return bad(r, w->at, "a tensor has a negative dimension");
        if (f->type == WIRE_VARINT)
            return add_dim(r, v, (int64_t)dim, w);
        if (want(r, f, WIRE_BYTES, w))
            return ASSAY_EFAIL;
        while (!rc && dims.at < dims.end) {
            rc = varint(r, &dims, &dim);
            if (!rc && (int64_t)dim < 0)
                rc = bad(r, dims.at, "a tensor has a negative dimension");
            if (!rc)
                rc = add_dim(r, v, (int64_t)dim, &dims);
        }
        return rc;
    case 2:
        return integer(r, f, w, &v->elem_type);
    case 4: /* float_data; one by one instead of packed: data_bytes tells that it is not whole */
        if (f->type == WIRE_BYTES)
            place(r, f, v);
        return ASSAY_OK;
    case 8:
        return text(r, f, w, &v->name);
    case 9:
        if (want(r, f, WIRE_BYTES, w))
            return ASSAY_EFAIL;
        v->bytes = (uint64_t)(f->data.end - f->data.at);
        place(r, f, v);
        return ASSAY_OK;
    case 13:
        return take_location(r, f, w, v);
    case 14:
        v->external = f->value == 1;
        return want(r, f, WIRE_VARINT, w);
    default:
        return ASSAY_OK;
    }
}

static int take_dim(struct reader *r, const struct field *f, const struct window *w, void *into)
{
    int64_t *dim = into;

    return f->number == 1 ? integer(r, f, w, dim) : ASSAY_OK;
}

static int take_shape(struct reader *r, const struct field *f, const struct window *w, void *into)
{
    int64_t dim = -1;

    if (f->number != 1)
        return ASSAY_OK;
    if (want(r, f, WIRE_BYTES, w) || walk(r, f->data, take_dim, &dim))
        return ASSAY_EFAIL;
    return add_dim(r, into, dim < 0 ? -1 : dim, w);
}

static int take_tensor_type(struct reader *r, const struct field *f, const struct window *w,
                            void *into)
{
    struct onnx_value *v = into;

    if (f->number == 1)
        return integer(r, f, w, &v->elem_type);
    if (f->number != 2)
        return ASSAY_OK;
    return want(r, f, WIRE_BYTES, w) ? ASSAY_EFAIL : walk(r, f->data, take_shape, into);
}

static int take_type(struct reader *r, const struct field *f, const struct window *w, void *into)
{
    if (f->number != 1) /* sequences, maps, optionals: no shape to show */
        return ASSAY_OK;
    return want(r, f, WIRE_BYTES, w) ? ASSAY_EFAIL : walk(r, f->data, take_tensor_type, into);
}

static int take_value(struct reader *r, const struct field *f, const struct window *w, void *into)
{
    struct onnx_value *v = into;

    if (f->number == 1)
        return text(r, f, w, &v->name);
    if (f->number != 2)
        return ASSAY_OK;
    return want(r, f, WIRE_BYTES, w) ? ASSAY_EFAIL : walk(r, f->data, take_type, into);
}

/* A new item of a list, filled from the field's message. */
static int take_item(struct reader *r, const struct field *f, const struct window *w, void *list,
                     size_t *count, size_t size, take_fn *take)
{
    void *item;

    if (want(r, f, WIRE_BYTES, w))
        return ASSAY_EFAIL;
    item = grow(r, list, count, size, w);
    return item ? walk(r, f->data, take, item) : ASSAY_EFAIL;
}

static int add_node(struct reader *r, const struct field *f, const struct window *w,
                    struct onnx_model *m)
{
    int rc = take_item(r, f, w, &m->nodes, &m->node_count, sizeof(*m->nodes), take_node);

    if (!rc) {
        m->nodes[m->node_count - 1].at = (size_t)(f->data.at - r->start);
        m->nodes[m->node_count - 1].bytes = (size_t)(f->data.end - f->data.at);
    }
    return rc;
}

static int take_graph(struct reader *r, const struct field *f, const struct window *w, void *into)
{
    struct onnx_model *m = into;

    switch (f->number) {
    case 1:
        return add_node(r, f, w, m);
    case 2:
        return text(r, f, w, &m->graph_name);
    case 5:
        return take_item(r, f, w, &m->initializers, &m->initializer_count, sizeof(*m->initializers),
                         take_tensor);
    case 11:
        return take_item(r, f, w, &m->inputs, &m->input_count, sizeof(*m->inputs), take_value);
    case 12:
        return take_item(r, f, w, &m->outputs, &m->output_count, sizeof(*m->outputs), take_value);
    default:
        return ASSAY_OK;
    }
}

struct opset {
    char *domain;
    int64_t version;
};

static int take_opset(struct reader *r, const struct field *f, const struct window *w, void *into)
{
    struct opset *o = into;

    if (f->number == 1)
        return text(r, f, w, &o->domain);
    return f->number == 2 ? integer(r, f, w, &o->version) : ASSAY_OK;
}

static int read_opset(struct reader *r, const struct field *f, const struct window *w,
                      struct onnx_model *m)
{
    struct opset o = {NULL, 0};
    int rc = want(r, f, WIRE_BYTES, w);

    if (!rc)
        rc = walk(r, f->data, take_opset, &o);
    if (!rc && (!o.domain || !o.domain[0] || !strcmp(o.domain, "ai.onnx")))
        m->opset = o.version;
    free(o.domain);
    return rc;
}

static int take_pair(struct reader *r, const struct field *f, const struct window *w, void *into)
{
    struct onnx_pair *p = into;

    if (f->number == 1)
        return text(r, f, w, &p->key);
    /* Values may be whole documents (class lists …); long or unprintable ones are left out. */
    if (f->number != 2 || want(r, f, WIRE_BYTES, w))
        return f->number == 2 ? ASSAY_EFAIL : ASSAY_OK;
    if ((size_t)(f->data.end - f->data.at) > MAX_NAME)
        return ASSAY_OK;
    for (const unsigned char *c = f->data.at; c < f->data.end; c++)
        if (*c < 0x20 || *c == 0x7f)
            return ASSAY_OK;
    return text(r, f, w, &p->value);
}

static int take_model(struct reader *r, const struct field *f, const struct window *w, void *into)
{
    struct onnx_model *m = into;

    switch (f->number) {
    case 1:
        return integer(r, f, w, &m->ir_version);
    case 2:
        return text(r, f, w, &m->producer);
    case 7:
        return want(r, f, WIRE_BYTES, w) ? ASSAY_EFAIL : walk(r, f->data, take_graph, m);
    case 8:
        return read_opset(r, f, w, m);
    case 14:
        return take_item(r, f, w, &m->metadata, &m->metadata_count, sizeof(*m->metadata),
                         take_pair);
    default:
        return ASSAY_OK;
    }
}

/* ---- the door ---- */

int32_t onnx_dtype(int64_t elem_type)
{
    static const int32_t types[] = {
        [1] = ASSAY_F32, [2] = ASSAY_U8,   [3] = ASSAY_I8,   [5] = ASSAY_I16,  [6] = ASSAY_I32,
        [7] = ASSAY_I64, [9] = ASSAY_BOOL, [10] = ASSAY_F16, [11] = ASSAY_F64, [16] = ASSAY_BF16};

    return elem_type >= 0 && elem_type < (int64_t)(sizeof(types) / sizeof(types[0]))
               ? types[elem_type]
               : ASSAY_NONE;
}

int onnx_read(const void *data, size_t len, const char *name, struct onnx_model *m,
              struct assay_err *err)
{
    struct reader r = {.start = data, .name = name, .err = err};
    struct window w = {data, (const unsigned char *)data + len};
    int rc;

    memset(m, 0, sizeof(*m));
    rc = walk(&r, w, take_model, m);
    if (!rc && (!m->ir_version || !m->node_count || !m->output_count))
        rc = bad(&r, w.end, "it has no version, no node or no output");
    return rc;
}

int onnx_read_file(const char *path, struct onnx_model *m, struct assay_err *err)
{
    char *data = NULL;
    size_t len;
    int rc;

    memset(m, 0, sizeof(*m));
    rc = file_read(path, MAX_FILE, &data, &len, err);
    if (!rc)
        rc = onnx_read(data, len, path, m, err);
    free(data);
    return rc;
}

static void release_names(char **names, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        free(names[i]);
    free(names);
}

static void release_values(struct onnx_value *v, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++) {
        free(v[i].name);
        free(v[i].location);
    }
    free(v);
}

void onnx_release(struct onnx_model *m)
{
    size_t i;

    for (i = 0; i < m->node_count; i++) {
        free(m->nodes[i].name);
        free(m->nodes[i].op);
        free(m->nodes[i].domain);
        release_names(m->nodes[i].input, m->nodes[i].inputs);
        release_names(m->nodes[i].output, m->nodes[i].outputs);
    }
    for (i = 0; i < m->metadata_count; i++) {
        free(m->metadata[i].key);
        free(m->metadata[i].value);
    }
    free(m->nodes);
    free(m->metadata);
    release_values(m->initializers, m->initializer_count);
    release_values(m->inputs, m->input_count);
    release_values(m->outputs, m->output_count);
    free(m->producer);
    free(m->graph_name);
    memset(m, 0, sizeof(*m));
}
