/* Inside of the GraphDef writer: how a node is written (graphdef.c) and which nodes a layer has
 * (graphdef_nodes.c). */
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

#endif
