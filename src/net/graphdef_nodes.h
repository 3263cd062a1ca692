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
struct graph {
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
void graph_nodes(struct graph *s);

/* A node: begin, inputs, attributes, end. */
void graph_begin(struct graph *s, const char *name, const char *op);
void graph_input(struct graph *s, const char *name);
void graph_type(struct graph *s, const char *key, int type);
void graph_bool(struct graph *s, const char *key, bool value);
void graph_text(struct graph *s, const char *key, const char *value);
void graph_int(struct graph *s, const char *key, int value);
void graph_int_list(struct graph *s, const char *key, const int *values, int n);
void graph_shape(struct graph *s, const char *key, const int64_t *dims, uint32_t rank);
void graph_end(struct graph *s);

/* A whole node; data may be NULL while the file is only counted. */
void graph_constant(struct graph *s, const char *name, int type, const int64_t *dims, uint32_t rank,
                    const void *data, size_t n);
/* One number is a scalar. */
void graph_constant_ints(struct graph *s, const char *name, const int32_t *values, int64_t n);
void graph_constant_float(struct graph *s, const char *name, float value);

/* ---- names ---- */

/* Lives until the end of the statement. */
struct graph_label {
    char s[96];
};
/* The name of a node that belongs to a layer, or of an output without its ":0". */
struct graph_label graph_part(const char *layer, const char *part);
struct graph_label graph_label(const struct net_layer *l, const char *part);
/* What a layer's result is called inside. */
struct graph_label graph_value(const struct graph *s, int layer);
/* An image or a volume: what TensorFlow wants channels last. */
bool graph_is_image(const struct net *net, int layer);

/* ---- nodes that many layers have ---- */

/* A node of floats whose inputs are named, up to NULL. */
void graph_make(struct graph *s, const char *op, const char *name, ...);
/* The shape of `of`, as "LAYER/shape". */
void graph_make_shape(struct graph *s, const struct net_layer *l, const char *of, int type);
/* Numbers first … last - 1 of "LAYER/shape". */
void graph_make_part(struct graph *s, const struct net_layer *l, const char *part, int32_t first,
                     int32_t last);
/* A shape: that of `front` with `tail` behind it. */
void graph_make_joined(struct graph *s, const char *name, const char *front, const char *tail,
                       const char *axis);
/* Reshape or Transpose: `how` is a tensor of numbers. */
void graph_make_moved(struct graph *s, const char *op, const char *name, const char *in,
                      const char *how);
/* Channels first to channels last, or back. */
void graph_make_turned(struct graph *s, const struct net_layer *l, const char *name, const char *in,
                       bool back);

/* ---- layers: `in` is the first input's name ---- */

void graph_input_layer(struct graph *s, int at);
void graph_conv(struct graph *s, int at);
void graph_deconv(struct graph *s, const struct net_layer *l, const char *in);
void graph_standardise(struct graph *s, const struct net_layer *l, const char *in);
void graph_upsample(struct graph *s, const struct net_layer *l, const char *in);
void graph_concat(struct graph *s, const struct net_layer *l);
/* Kernel and padding, as attributes of the node that is being made. */
void graph_window(struct graph *s, const struct net_layer *l);

/* Rows of a table or numbers of a dimension. */
void graph_gather(struct graph *s, const struct net_layer *l, const char *from, int params,
                  const char *which, int type, int32_t axis);
void graph_fully_connected(struct graph *s, const struct net_layer *l, const char *in);
void graph_pick(struct graph *s, const struct net_layer *l, const char *in);
void graph_position(struct graph *s, const struct net_layer *l, const char *in);
void graph_stack(struct graph *s, const struct net_layer *l);
void graph_dots(struct graph *s, const struct net_layer *l, const char *in);
void graph_norm(struct graph *s, const struct net_layer *l, const char *in);
void graph_gelu(struct graph *s, const struct net_layer *l, const char *in);
void graph_mask(struct graph *s, const struct net_layer *l, const char *in);
void graph_attention(struct graph *s, const struct net_layer *l);
void graph_lstm(struct graph *s, const struct net_layer *l, const char *in);
void graph_stack_time(struct graph *s, const struct net_layer *l, const char *in);

#endif
