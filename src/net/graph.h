/* An ONNX file's graph as nodes and values, for following it.
 *
 * Nodes that move numbers without changing them are looked through: a value knows of which other it
 * is a moved copy, and what zeros Pad nodes have put around it.  Everything here points into the
 * state, which must outlive it. */
#ifndef NET_GRAPH_H
#define NET_GRAPH_H

#include "net/state.h"

#define GRAPH_NONE 0xffffffffu

/* A value of the graph: what somebody makes and others read. */
struct graph_value {
    const char *name;
    uint32_t same;  /* the value that it is a moved copy of; itself: none */
    int64_t pad[4]; /* zeros around it that Pad nodes added: top, left, bottom, right */
};

struct graph_node {
    const struct onnx_node *is; /* the same node in the file */
    uint32_t *in;               /* indices of values; those that are left out: GRAPH_NONE */
    uint32_t out;               /* the first output */
    bool used;                  /* for who follows */
};

struct graph {
    const struct state *s;
    struct graph_value *values; /* sorted by name */
    size_t value_count;
    struct graph_node *nodes; /* in the file's order */
    size_t node_count;
    uint32_t *ids; /* of all nodes' inputs */
};

/* The caller releases g, also after an error. */
int graph_list(struct graph *g, const struct state *s, struct assay_err *err);
void graph_release(struct graph *g);

/* GRAPH_NONE: there is none of that name. */
uint32_t graph_find_value(const struct graph *g, const char *name);
bool graph_is_op(const struct graph_node *n, const char *op);
/* true when input k of the node is the value, perhaps moved. */
bool graph_reads(const struct graph *g, const struct graph_node *n, uint32_t k, uint32_t value);
/* true when no Pad stands in front of the node. */
bool graph_unpadded(const struct graph *g, const struct graph_node *n);
/* The tensor that is the node's input k; NULL: none. */
const struct state_tensor *graph_weight(const struct graph *g, const struct graph_node *n,
                                        uint32_t k);

struct graph_attribute {
    bool found;
    int64_t ints[8];
    uint32_t count;
    int64_t i;
    float f;
    char s[32];
};

/* The node's attribute; one that is missing has found = false and zeros. */
struct graph_attribute graph_attribute(const struct graph *g, const struct graph_node *n,
                                       const char *name);
/* true when each of its `count` numbers is `want`; one that is missing is all 1. */
bool graph_all_are(const struct graph *g, const struct graph_node *n, const char *name,
                   uint32_t count, int64_t want);
/* Padding that can be added up. */
bool graph_pads_are_sane(const struct graph_attribute *a);

#endif
