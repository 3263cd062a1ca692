/* Writes a net as ONNX (fp32 or fp16), by our own protobuf encoding; its nodes come from
 * onnx_nodes.c.
 *
 * Field numbers are those of onnx.proto; the ones used stand in the enums below.  A model is
 *   ModelProto { ir_version, producer, graph { node…, name, initializer…, input, output }, opset,
 * metadata } and a message's length stands in front of it, so sizes come first: nodes and
 * descriptions are built in memory (some kB), initialisers' sizes follow from their shapes, and
 * then weights are streamed one tensor at a time.  Memory above the weights themselves: one tensor.
 *
 * Where the file would be too large, the numbers lie in PATH.data beside it (external data), each
 * tensor's at a multiple of ALIGN, where it can be mapped.  That file is whole before the first
 * appears. */
#include "net/exact.h"
#include "net/onnx.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/file.h"
#include "net/fold.h"
#include "base/half.h"
#include "net/onnx_nodes.h"
#include "net/wire.h"

enum {
    MODEL_IR_VERSION = 1,
    MODEL_PRODUCER = 2,
    MODEL_GRAPH = 7,
    MODEL_OPSET = 8,
    MODEL_METADATA = 14
};
enum { GRAPH_NAME = 2, GRAPH_INITIALIZER = 5, GRAPH_INPUT = 11, GRAPH_OUTPUT = 12 };
enum {
    TENSOR_DIMS = 1,
    TENSOR_TYPE = 2,
    TENSOR_NAME = 8,
    TENSOR_RAW = 9,
    TENSOR_EXTERNAL = 13,
    TENSOR_LOCATION = 14
};

#define LIMIT 0x7fffffffu /* protobuf's parsers stop at 2 GB */
#define ALIGN 64

/* ---- inputs, outputs, model ---- */

/* ValueInfoProto { name = 1, type = 2 { tensor_type = 1 { elem_type = 1, shape = 2 { dim = 1 … } }
 * } }, where a dim is { dim_value = 1 } or { dim_param = 2 }. */
static void value_info(struct text *graph, uint32_t field, const struct assay_tensor_spec *spec)
{
    struct text dim, shape, tensor, value;
    uint32_t i;

    text_init(&dim, META_MAX);
    text_init(&shape, META_MAX);
    text_init(&tensor, META_MAX);
    text_init(&value, META_MAX);
    for (i = 0; i < spec->rank; i++) {
        text_clear(&dim);
        if (spec->dims[i] < 0)
            /* a net may change a sequence's length, so an output's has another name */
            wire_string(&dim, 2, i && field == GRAPH_OUTPUT ? "S_out" : net_free_name(i));
        else
            wire_int(&dim, 1, (uint64_t)spec->dims[i]);
        wire_message(&shape, 1, &dim);
    }
    wire_int(&tensor, 1, spec->dtype == ASSAY_I64 ? ONNX_INT64 : ONNX_FLOAT);
    wire_message(&tensor, 2, &shape);
    text_clear(&dim);
    wire_message(&dim, 1, &tensor);
    wire_string(&value, 1, spec->name);
    wire_message(&value, 2, &dim);
    wire_message(graph, field, &value);
    text_release(&dim);
    text_release(&shape);
    text_release(&tensor);
    text_release(&value);
}

static void metadata(struct text *model, const char *key, const char *value)
{
    struct text t;

    text_init(&t, META_MAX);
    wire_string(&t, 1, key);
    wire_string(&t, 2, value);
    wire_message(model, MODEL_METADATA, &t);
    text_release(&t);
}

/* What stands behind the graph. */
static void model_tail(struct text *tail, const struct net *net, const struct net_weights *w,
                       uint64_t seed)
{
    char number[24];

    wire_head(tail, MODEL_OPSET, 2);
    wire_int(tail, 2, (uint64_t)onnx_opset(net));
    snprintf(number, sizeof(number), "%" PRIu64, seed);
    if (w->synthetic)
        metadata(tail, "assay.synthetic", "true");
    metadata(tail, "assay.net", net->name);
    if (w->sha256[0])
        metadata(tail, "assay.weights_sha256", w->sha256);
    else
        metadata(tail, "assay.seed", number);
}

/* ---- initialisers ---- */

static void external(struct text *t, const char *key, const char *value)
{
    struct text pair;

    text_init(&pair, META_MAX);
    wire_string(&pair, 1, key);
    wire_string(&pair, 2, value);
    wire_message(t, TENSOR_EXTERNAL, &pair);
    text_release(&pair);
}

static size_t value_bytes(bool half)
{
    return half ? sizeof(uint16_t) : sizeof(float);
}

/* Everything of an initialiser but its numbers, which follow, or lie in the file `beside` from `at`
 * on. */
static void tensor_head(struct text *head, const struct net_layer *l, const struct net_constant *c,
                        bool turned, bool half, const char *beside, uint64_t at)
{
    uint64_t bytes = c->count * value_bytes(half);
    char number[24];
    struct text t;
    char full[96];
    uint32_t i;

    text_init(&t, META_MAX);
    snprintf(full, sizeof(full), "%s.%s", l->name, c->suffix);
    if (l->op == NET_LSTM) /* of one direction */
        wire_int(&t, TENSOR_DIMS, 1);
    for (i = 0; i < c->rank; i++)
        wire_int(&t, TENSOR_DIMS, (uint64_t)c->dims[turned ? c->rank - 1 - i : i]);
    wire_int(&t, TENSOR_TYPE, half ? ONNX_HALF : ONNX_FLOAT);
    wire_string(&t, TENSOR_NAME, full);
    if (beside) {
        external(&t, "location", beside);
        snprintf(number, sizeof(number), "%" PRIu64, at);
        external(&t, "offset", number);
        snprintf(number, sizeof(number), "%" PRIu64, bytes);
        external(&t, "length", number);
        wire_int(&t, TENSOR_LOCATION, 1);
    } else {
        wire_head(&t, TENSOR_RAW, bytes);
    }
    wire_head(head, GRAPH_INITIALIZER, t.len + (beside ? 0 : bytes));
    text_addn(head, t.s, t.len);
    text_release(&t);
}

/* Where initialisers go: first only counted, then written. */
struct sink {
    const struct net *net;
    const struct net_weights *w;
    bool half;
    struct file_whole *file, *data; /* file NULL: count; data: of the numbers */
    const char *beside;             /* the other file's name; NULL: there is none */
    uint64_t bytes;                 /* of the file */
    uint64_t at;                    /* in the other file */
    struct text head;
};

/* A layer's weights are in float16. */
static bool in_half(const struct sink *s, int at)
{
    return s->half && onnx_in_half(&s->net->layers[at]);
}

/* In place. */
static int make_half(const struct sink *s, int at, const struct net_constant *c, float *values,
                     struct assay_err *err)
{
    char *to = (char *)values;
    uint16_t h;

    for (size_t i = 0; i < c->count; i++) {
        h = half_from_float(values[i]);
        if (!half_is_finite(h))
            return assay_fail(err, ASSAY_EUNSUPPORTED,
                              "net %s: %s.%s has %g, and float16 ends at 65504: it can be written "
                              "in fp32",
                              s->net->name, s->net->layers[at].name, c->suffix, (double)values[i]);
        memcpy(to + i * sizeof(h), &h, sizeof(h));
    }
    return ASSAY_OK;
}

static const int onnx_gates[4] = {0, 3, 1, 2}; /* i o f g */

static int put_values(struct sink *s, int at, int k, const struct net_constant *c, bool turned,
                      struct assay_err *err)
{
    static const char nothing[ALIGN];
    float *values = net_constant_values(s->net, s->w, at, k, err);
    int rc = values ? file_whole_write(s->file, s->head.s, s->head.len, err) : ASSAY_EFAIL;
    size_t bytes = c->count * value_bytes(in_half(s, at));
    bool lstm = s->net->layers[at].op == NET_LSTM;

    if (!rc && ((turned && !net_channels_last(c, &values)) ||
                (lstm && !net_order_gates(c, onnx_gates, &values))))
        rc = assay_fail(err, ASSAY_EFAIL, "net %s: out of memory for %s", s->net->name,
                        s->net->layers[at].name);
    if (!rc && in_half(s, at))
        rc = make_half(s, at, c, values, err);
    if (!rc)
        rc = file_whole_write(s->beside ? s->data : s->file, values, bytes, err);
    if (!rc && s->beside)
        rc = file_whole_write(s->data, nothing, -bytes % ALIGN, err);
    free(values);
    return rc;
}

static int put_all(struct sink *s, struct assay_err *err)
{
    const struct net_layer *l = s->net->layers;
    struct net_constant c;
    bool turned;
    size_t bytes;
    int i, k, rc = ASSAY_OK;

    s->bytes = s->at = 0;
    for (i = 0; !rc && i < s->net->layer_count; i++) {
        for (k = 0; !rc && k < net_constants(s->net, i); k++) {
            c = net_constant_of(s->net, i, k);
            turned = k == 0 && onnx_is_matmul(&l[i]);
            text_clear(&s->head);
            bytes = c.count * value_bytes(in_half(s, i));
            tensor_head(&s->head, &l[i], &c, turned, in_half(s, i), s->beside, s->at);
            s->bytes += s->head.len + (s->beside ? 0 : bytes);
            s->at += (bytes + ALIGN - 1) / ALIGN * ALIGN;
            if (s->file)
                rc = put_values(s, i, k, &c, turned, err);
        }
    }
    return rc;
}

/* ---- the file ---- */

static int write_parts(struct sink *s, const struct text *part, const char *path,
                       struct assay_err *err)
{
    struct file_whole file;
    int rc = file_whole_begin(&file, path, err);

    if (rc)
        return rc;
    s->file = &file;
    if (s->beside && file.direct)
        rc = assay_fail(err, ASSAY_EUSAGE,
                        "%s: is no plain file, and this net is two: FILE and FILE" ONNX_DATA, path);
    if (!rc)
        rc = file_whole_write(&file, part[0].s, part[0].len, err);
    if (!rc)
        rc = put_all(s, err);
    if (!rc)
        rc = file_whole_write(&file, part[1].s, part[1].len, err);
    if (!rc && s->beside)
        rc = file_whole_commit(s->data, err);
    if (!rc)
        rc = file_whole_commit(&file, err);
    file_whole_abandon(&file);
    s->file = NULL;
    return rc;
}

static int write_file(struct sink *s, const struct text *part, const char *path,
                      struct assay_err *err)
{
    struct file_whole data;
    char *other;
    int rc;

    if (!s->beside)
        return write_parts(s, part, path, err);
    other = text_format("%s" ONNX_DATA, path);
    rc = other ? file_whole_begin(&data, other, err)
               : assay_fail(err, ASSAY_EFAIL, "%s: not enough memory", path);
    if (!rc) {
        s->data = &data;
        rc = write_parts(s, part, path, err);
        file_whole_abandon(&data);
        s->data = NULL;
    }
    free(other);
    return rc;
}

static int write_within(const struct net *net, const struct net_weights *w, uint64_t seed,
                        bool half, const char *path, uint64_t limit, struct assay_err *err)
{
    struct sink s = {.net = net, .w = w, .half = half};
    struct text part[2], nodes, ends; /* part: what stands before and behind the initialisers */
    char *beside = NULL;
    int i, rc;

    text_init(&s.head, META_MAX);
    text_init(&part[0], META_MAX);
    text_init(&part[1], META_MAX);
    text_init(&nodes, META_MAX);
    text_init(&ends, META_MAX);
    rc = net_fold_check(net, err);
    if (rc)
        goto out;
    onnx_nodes(&nodes, net, half);
    wire_string(&nodes, GRAPH_NAME, net->name);
    for (i = 0; i < net->input_count; i++)
        value_info(&ends, GRAPH_INPUT, &net->inputs[i]);
    for (i = 0; i < net->output_count; i++)
        value_info(&ends, GRAPH_OUTPUT, &net->outputs[i]);
    text_addn(&part[1], ends.s, ends.len);
    model_tail(&part[1], net, w, seed);
    rc = put_all(&s, err);
    if (!rc && nodes.len + s.bytes + part[1].len + META_MAX > limit) {
        s.beside = beside = text_format("%s" ONNX_DATA, file_base(path));
        rc =
            beside ? put_all(&s, err) : assay_fail(err, ASSAY_EFAIL, "%s: not enough memory", path);
    }
    if (rc)
        goto out;
    wire_int(&part[0], MODEL_IR_VERSION, onnx_opset(net) < 15 ? 7 : 8);
    wire_string(&part[0], MODEL_PRODUCER, "assay");
    wire_head(&part[0], MODEL_GRAPH, nodes.len + s.bytes + ends.len);
    text_addn(&part[0], nodes.s, nodes.len);
    if (nodes.cut || ends.cut || s.head.cut || part[0].cut || part[1].cut)
        rc = assay_fail(err, ASSAY_EFAIL, "net %s: out of memory while %s is written", net->name,
                        path);
    else
        rc = write_file(&s, part, path, err);
out:
    text_release(&s.head);
    text_release(&part[0]);
    text_release(&part[1]);
    text_release(&nodes);
    text_release(&ends);
    free(beside);
    return rc;
}

int onnx_write(const struct net *net, const struct net_weights *w, uint64_t seed, const char *path,
               struct assay_err *err)
{
    return write_within(net, w, seed, false, path, LIMIT, err);
}

int onnx_write_half(const struct net *net, const struct net_weights *w, uint64_t seed,
                    const char *path, struct assay_err *err)
{
    return write_within(net, w, seed, true, path, LIMIT, err);
}

int onnx_write_within(const struct net *net, const struct net_weights *w, uint64_t seed,
                      const char *path, uint64_t limit, struct assay_err *err)
{
    return write_within(net, w, seed, false, path, limit, err);
}
