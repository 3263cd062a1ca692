/* Inside of the GraphDef writer: how a node is written (graphdef.c) and which nodes a layer has
 * (graphdef_nodes.c; of images graphdef_image.c, of sequences and rows graphdef_sequence.c). */
#ifndef NET_GRAPHDEF_NODES_H
#define NET_GRAPHDEF_NODES_H

#include "base/file.h"
#include "net/weights.h"
#include "net/wire.h"

enum { TYPE_FLOAT = 1, TYPE_INT32 = 3, TYPE_INT64 = 9 };

#define META_MAX (4u << 20) /* of a node but for its numbers */

/* Where nodes go: first only counted, then written. */
struct graphdef {
    const struct net *net;
    const struct net_weights *w;
    uint64_t seed;
    struct file_whole *file; /* NULL: count */
    uint64_t bytes;
    struct text node, a, b; /* the node that is being made; scratch */
    bool cut;
    struct assay_err *err;
    int rc; /* the first failure; what comes after it does nothing */
};

/* All nodes of the net. */
void graphdef_nodes(struct graphdef *s);

/* A node: begin, inputs, attributes, end. */
void graphdef_begin(struct graphdef *s, const char *name, const char *op);
void graphdef_input(struct graphdef *s, const char *name);
void graphdef_type(struct graphdef *s, const char *key, int type);
void graphdef_bool(struct graphdef *s, const char *key, bool value);
void graphdef_text(struct graphdef *s, const char *key, const char *value);
void graphdef_int(struct graphdef *s, const char *key, int value);
void graphdef_int_list(struct graphdef *s, const char *key, const int *values, int n);
void graphdef_shape(struct graphdef *s, const char *key, const int64_t *dims, uint32_t rank);
void graphdef_end(struct graphdef *s);

/* A whole node; data may be NULL while the file is only counted. */
void graphdef_constant(struct graphdef *s, const char *name, int type, const int64_t *dims,
                       uint32_t rank, const void *data, size_t n);
/* One number is a scalar. */
void graphdef_constant_ints(struct graphdef *s, const char *name, const int32_t *values, int64_t n);
void graphdef_constant_float(struct graphdef *s, const char *name, float value);

/* ---- names ---- */

/* Lives until the end of the statement. */
struct graphdef_label {
    char s[96];
};
/* The name of a node that belongs to a layer, or of an output without its ":0". */
struct graphdef_label graphdef_part(const char *layer, const char *part);
struct graphdef_label graphdef_label(const struct net_layer *l, const char *part);
/* What a layer's result is called inside. */
struct graphdef_label graphdef_value(const struct graphdef *s, int layer);
/* An image or a volume: what TensorFlow wants channels last. */
bool graphdef_is_image(const struct net *net, int layer);

/* ---- nodes that many layers have ---- */

/* A node of floats whose inputs are named, up to NULL. */
void graphdef_make(struct graphdef *s, const char *op, const char *name, ...);
/* The shape of `of`, as "LAYER/shape". */
void graphdef_make_shape(struct graphdef *s, const struct net_layer *l, const char *of, int type);
/* Numbers first … last - 1 of "LAYER/shape". */
void graphdef_make_part(struct graphdef *s, const struct net_layer *l, const char *part,
                        int32_t first, int32_t last);
/* A shape: that of `front` with `tail` behind it. */
void graphdef_make_joined(struct graphdef *s, const char *name, const char *front, const char *tail,
                          const char *axis);
/* Reshape or Transpose: `how` is a tensor of numbers. */
void graphdef_make_moved(struct graphdef *s, const char *op, const char *name, const char *in,
                         const char *how);
/* Channels first to channels last, or back. */
void graphdef_make_turned(struct graphdef *s, const struct net_layer *l, const char *name,
                          const char *in, bool back);

/* ---- layers: `in` is the first input's name ---- */

void graphdef_input_layer(struct graphdef *s, int at);
void graphdef_conv(struct graphdef *s, int at);
void graphdef_deconv(struct graphdef *s, const struct net_layer *l, const char *in);
void graphdef_standardise(struct graphdef *s, const struct net_layer *l, const char *in);
void graphdef_upsample(struct graphdef *s, const struct net_layer *l, const char *in);
void graphdef_concat(struct graphdef *s, const struct net_layer *l);
/* Kernel and padding, as attributes of the node that is being made. */
void graphdef_window(struct graphdef *s, const struct net_layer *l);

/* Rows of a table or numbers of a dimension. */
void graphdef_gather(struct graphdef *s, const struct net_layer *l, const char *from, int params,
                     const char *which, int type, int32_t axis);
void graphdef_fully_connected(struct graphdef *s, const struct net_layer *l, const char *in);
void graphdef_bag(struct graphdef *s, const struct net_layer *l, const char *in);
void graphdef_pick(struct graphdef *s, const struct net_layer *l, const char *in);
void graphdef_position(struct graphdef *s, const struct net_layer *l, const char *in);
void graphdef_stack(struct graphdef *s, const struct net_layer *l);
void graphdef_dots(struct graphdef *s, const struct net_layer *l, const char *in);
void graphdef_norm(struct graphdef *s, const struct net_layer *l, const char *in);
void graphdef_gelu(struct graphdef *s, const struct net_layer *l, const char *in);
void graphdef_mask(struct graphdef *s, const struct net_layer *l, const char *in);
void graphdef_attention(struct graphdef *s, const struct net_layer *l);
void graphdef_lstm(struct graphdef *s, const struct net_layer *l, const char *in);
void graphdef_stack_time(struct graphdef *s, const struct net_layer *l, const char *in);

#endif
