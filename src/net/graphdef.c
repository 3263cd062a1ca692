/* Writes a net as a frozen TensorFlow graph (fp32), by our own protobuf encoding.
 *
 * Field numbers are those of graph.proto, node_def.proto, attr_value.proto and tensor.proto; the
 * ones used stand in the enums below.  A graph is nothing but
 *   GraphDef { node…, versions }
 * where weights are nodes as well (Const), so nodes are streamed in the order in which they run, a
 * layer's weights right before it.  Memory above the weights themselves: one tensor, twice.  Here
 * is how a node is written, and the file; which nodes a layer has stands in graphdef_nodes.c. */
#include "net/exact.h"
#include "net/graphdef.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>

#include "net/fold.h"
#include "net/graphdef_nodes.h"

enum { GRAPH_NODE = 1, GRAPH_VERSIONS = 4, VERSIONS_PRODUCER = 1 };
enum { NODE_NAME = 1, NODE_OP = 2, NODE_INPUT = 3, NODE_ATTR = 5 };
enum { ENTRY_KEY = 1, ENTRY_VALUE = 2 }; /* of the map that attributes are */
enum {
    ATTR_LIST = 1,
    ATTR_TEXT = 2,
    ATTR_INT = 3,
    ATTR_BOOL = 5,
    ATTR_TYPE = 6,
    ATTR_SHAPE = 7,
    ATTR_TENSOR = 8,
    LIST_INTS = 3
};
enum { TENSOR_TYPE = 1, TENSOR_SHAPE = 2, TENSOR_CONTENT = 4 };
enum { SHAPE_DIM = 2, DIM_SIZE = 1 };

#define PRODUCER 561         /* the graph version of TensorFlow 2.4 */
#define LIMIT    0x7fffffffu /* protobuf's parsers stop at 2 GB */

static void emit(struct graphdef *s, const void *data, size_t n)
{
    s->bytes += n;
    if (s->file && !s->rc)
        s->rc = file_whole_write(s->file, data, n, s->err);
}

/* ---- nodes ---- */

void graphdef_begin(struct graphdef *s, const char *name, const char *op)
{
    text_clear(&s->node);
    wire_string(&s->node, NODE_NAME, name);
    wire_string(&s->node, NODE_OP, op);
}

void graphdef_input(struct graphdef *s, const char *name)
{
    wire_string(&s->node, NODE_INPUT, name);
}

/* Everything in front of the numbers that end the node; with n = 0 the whole node. */
static void end_before(struct graphdef *s, size_t n)
{
    text_clear(&s->a);
    wire_head(&s->a, GRAPH_NODE, s->node.len + n);
    emit(s, s->a.s, s->a.len);
    emit(s, s->node.s, s->node.len);
    s->cut |= s->a.cut || s->b.cut || s->node.cut;
}

void graphdef_end(struct graphdef *s)
{
    end_before(s, 0);
}

/* The attribute whose value is in s->b, and n bytes that follow. */
static void graphdef_attribute(struct graphdef *s, const char *key, size_t n)
{
    text_clear(&s->a);
    wire_string(&s->a, ENTRY_KEY, key);
    wire_head(&s->a, ENTRY_VALUE, s->b.len + n);
    wire_head(&s->node, NODE_ATTR, s->a.len + s->b.len + n);
    text_addn(&s->node, s->a.s, s->a.len);
    text_addn(&s->node, s->b.s, s->b.len);
    text_clear(&s->b);
}

void graphdef_type(struct graphdef *s, const char *key, int type)
{
    wire_int(&s->b, ATTR_TYPE, (uint64_t)type);
    graphdef_attribute(s, key, 0);
}

void graphdef_bool(struct graphdef *s, const char *key, bool value)
{
    wire_int(&s->b, ATTR_BOOL, value);
    graphdef_attribute(s, key, 0);
}

void graphdef_int(struct graphdef *s, const char *key, int value)
{
    wire_int(&s->b, ATTR_INT, (uint64_t)value);
    graphdef_attribute(s, key, 0);
}

void graphdef_text(struct graphdef *s, const char *key, const char *value)
{
    wire_string(&s->b, ATTR_TEXT, value);
    graphdef_attribute(s, key, 0);
}

/* Small numbers, none negative: a byte or more each, packed. */
void graphdef_int_list(struct graphdef *s, const char *key, const int *values, int n)
{
    int i;

    text_clear(&s->a);
    for (i = 0; i < n; i++)
        wire_varint(&s->a, (uint64_t)values[i]);
    text_clear(&s->b);
    wire_head(&s->b, LIST_INTS, s->a.len);
    text_addn(&s->b, s->a.s, s->a.len);
    text_clear(&s->a);
    wire_message(&s->a, ATTR_LIST, &s->b);
    text_clear(&s->b);
    text_addn(&s->b, s->a.s, s->a.len);
    graphdef_attribute(s, key, 0);
}

/* A TensorShapeProto, left in s->a. */
static void shape(struct graphdef *s, const int64_t *dims, uint32_t rank)
{
    struct text dim;
    uint32_t i;

    text_init(&dim, META_MAX);
    text_clear(&s->a);
    for (i = 0; i < rank; i++) {
        text_clear(&dim);
        wire_int(&dim, DIM_SIZE, (uint64_t)dims[i]);
        wire_message(&s->a, SHAPE_DIM, &dim);
    }
    text_release(&dim);
}

void graphdef_shape(struct graphdef *s, const char *key, const int64_t *dims, uint32_t rank)
{
    shape(s, dims, rank);
    wire_message(&s->b, ATTR_SHAPE, &s->a);
    graphdef_attribute(s, key, 0);
}

void graphdef_constant(struct graphdef *s, const char *name, int type, const int64_t *dims,
                       uint32_t rank, const void *data, size_t n)
{
    struct text tensor;

    text_init(&tensor, META_MAX);
    shape(s, dims, rank);
    wire_int(&tensor, TENSOR_TYPE, (uint64_t)type);
    wire_message(&tensor, TENSOR_SHAPE, &s->a);
    wire_head(&tensor, TENSOR_CONTENT, n);
    graphdef_begin(s, name, "Const");
    graphdef_type(s, "dtype", type);
    wire_head(&s->b, ATTR_TENSOR, tensor.len + n);
    text_addn(&s->b, tensor.s, tensor.len);
    graphdef_attribute(s, "value", n);
    s->cut |= tensor.cut;
    text_release(&tensor);
    end_before(s, n);
    emit(s, data, n);
}

void graphdef_constant_ints(struct graphdef *s, const char *name, const int32_t *values, int64_t n)
{
    graphdef_constant(s, name, TYPE_INT32, &n, n > 1, values, (size_t)n * sizeof(*values));
}

void graphdef_constant_float(struct graphdef *s, const char *name, float value)
{
    graphdef_constant(s, name, TYPE_FLOAT, NULL, 0, &value, sizeof(value));
}

/* ---- names and common nodes ---- */

/* The name of a node that belongs to a layer, or of an output without its ":0". */
struct graphdef_label graphdef_part(const char *layer, const char *part)
{
    struct graphdef_label out;
    size_t n = strlen(layer);

    if (n > 2 && !strcmp(layer + n - 2, ":0"))
        n -= 2;
    snprintf(out.s, sizeof(out.s), "%.*s%s", (int)n, layer, part);
    return out;
}

struct graphdef_label graphdef_label(const struct net_layer *l, const char *part)
{
    return graphdef_part(l->name, part);
}

/* An image or a volume: what TensorFlow wants channels last. */
bool graphdef_is_image(const struct net *net, int layer)
{
    const struct net_layer *l = &net->layers[layer];

    return l->shape.rank >= 3 && l->op != NET_MASK;
}

/* What a layer's result is called inside. */
struct graphdef_label graphdef_value(const struct graphdef *s, int layer)
{
    const struct net_layer *l = &s->net->layers[layer];

    return graphdef_label(
        l, l->op == NET_INPUT && graphdef_is_image(s->net, layer) ? "/channels_last" : "");
}

/* A node of floats whose inputs are named, up to NULL. */
void graphdef_make(struct graphdef *s, const char *op, const char *name, ...)
{
    const char *in;
    va_list ap;

    graphdef_begin(s, name, op);
    va_start(ap, name);
    while ((in = va_arg(ap, const char *)))
        graphdef_input(s, in);
    va_end(ap);
    graphdef_type(s, "T", TYPE_FLOAT);
    graphdef_end(s);
}

/* The shape of `of`, as "LAYER/shape". */
void graphdef_make_shape(struct graphdef *s, const struct net_layer *l, const char *of, int type)
{
    graphdef_begin(s, graphdef_label(l, "/shape").s, "Shape");
    graphdef_input(s, of);
    graphdef_type(s, "T", type);
    graphdef_type(s, "out_type", TYPE_INT32);
    graphdef_end(s);
}

/* Numbers first … last - 1 of "LAYER/shape". */
void graphdef_make_part(struct graphdef *s, const struct net_layer *l, const char *part,
                        int32_t first, int32_t last)
{
    static const int64_t one = 1;
    static const int32_t step = 1;
    const char *const end[3] = {"/first", "/last", "/step"};
    const int32_t *const value[3] = {&first, &last, &step};
    char name[32];
    int i;

    for (i = 0; i < 3; i++) {
        snprintf(name, sizeof(name), "%s%s", part, end[i]);
        graphdef_constant(s, graphdef_label(l, name).s, TYPE_INT32, &one, 1, value[i],
                          sizeof(int32_t));
    }
    graphdef_begin(s, graphdef_label(l, part).s, "StridedSlice");
    graphdef_input(s, graphdef_label(l, "/shape").s);
    for (i = 0; i < 3; i++) {
        snprintf(name, sizeof(name), "%s%s", part, end[i]);
        graphdef_input(s, graphdef_label(l, name).s);
    }
    graphdef_type(s, "T", TYPE_INT32);
    graphdef_type(s, "Index", TYPE_INT32);
    graphdef_end(s);
}

/* A shape: that of `front` with `tail` behind it. */
void graphdef_make_joined(struct graphdef *s, const char *name, const char *front, const char *tail,
                          const char *axis)
{
    graphdef_begin(s, name, "ConcatV2");
    graphdef_input(s, front);
    graphdef_input(s, tail);
    graphdef_input(s, axis);
    graphdef_int(s, "N", 2);
    graphdef_type(s, "T", TYPE_INT32);
    graphdef_type(s, "Tidx", TYPE_INT32);
    graphdef_end(s);
}

/* Reshape or Transpose: `how` is a tensor of numbers. */
void graphdef_make_moved(struct graphdef *s, const char *op, const char *name, const char *in,
                         const char *how)
{
    graphdef_begin(s, name, op);
    graphdef_input(s, in);
    graphdef_input(s, how);
    graphdef_type(s, "T", TYPE_FLOAT);
    graphdef_type(s, strcmp(op, "Reshape") ? "Tperm" : "Tshape", TYPE_INT32);
    graphdef_end(s);
}

/* ---- the file ---- */

static void put_all(struct graphdef *s)
{
    graphdef_nodes(s);
    text_clear(&s->a);
    wire_int(&s->a, VERSIONS_PRODUCER, PRODUCER);
    text_clear(&s->b);
    wire_message(&s->b, GRAPH_VERSIONS, &s->a);
    emit(s, s->b.s, s->b.len);
}

static int write_file(struct graphdef *s, const char *path, struct assay_err *err)
{
    struct file_whole file;
    int rc = file_whole_begin(&file, path, err);

    if (rc)
        return rc;
    s->file = &file;
    put_all(s);
    rc = s->rc;
    if (!rc)
        rc = file_whole_commit(&file, err);
    file_whole_abandon(&file);
    return rc;
}

int graphdef_write(const struct net *net, const struct net_weights *w, uint64_t seed,
                   const char *path, struct assay_err *err)
{
    struct graphdef s = {.net = net, .w = w, .seed = seed, .err = err};
    int rc = net_fold_check(net, err);

    if (rc)
        return rc;
    text_init(&s.node, META_MAX);
    text_init(&s.a, META_MAX);
    text_init(&s.b, META_MAX);
    put_all(&s);
    if (s.cut)
        rc = assay_fail(err, ASSAY_EFAIL, "net %s: out of memory while %s is written", net->name,
                        path);
    else if (s.bytes > LIMIT)
        rc = assay_fail(err, ASSAY_EUNSUPPORTED,
                        "%s: would be %" PRIu64
                        " bytes, and a GraphDef ends at 2 GB; one in onnx or torchscript does not",
                        path, s.bytes);
    else
        rc = write_file(&s, path, err);
    text_release(&s.node);
    text_release(&s.a);
    text_release(&s.b);
    return rc;
}
