/* The nodes of layers on sequences and rows.
 *
 * Free dimensions are read from the tensors when the graph runs: "LAYER/shape" and its parts.  The
 * other inner nodes of a layer are called "LAYER/part" too. */
#include "net/exact.h"
#include "net/graphdef_nodes.h"

#include <math.h>
#include <stdlib.h>

/* MatMul is for matrices: what stands before the last dimension is one there. */
void graph_fully_connected(struct graph *s, const struct net_layer *l, const char *in)
{
    const int32_t rows[2] = {-1, (int32_t)s->net->tensors[l->tensor].dims[1]}, axis = 0;
    const int32_t front = l->shape.rank, width = l->out;
    bool matrix = l->shape.rank == 1;

    if (!matrix) {
        graph_constant_ints(s, graph_label(l, "/matrix").s, rows, 2);
        graph_make_moved(s, "Reshape", graph_label(l, "/rows").s, in, graph_label(l, "/matrix").s);
    }
    graph_make(s, "MatMul", graph_label(l, "/product").s, matrix ? in : graph_label(l, "/rows").s,
               graph_label(l, ".weight").s, NULL);
    graph_make(s, "BiasAdd", matrix ? l->name : graph_label(l, "/biased").s,
               graph_label(l, "/product").s, graph_label(l, ".bias").s, NULL);
    if (matrix)
        return;
    graph_make_shape(s, l, in, TYPE_FLOAT);
    graph_make_part(s, l, "/front", 0, front);
    graph_constant(s, graph_label(l, "/width").s, TYPE_INT32, (int64_t[]){1}, 1, &width,
                   sizeof(width));
    graph_constant_ints(s, graph_label(l, "/axis").s, &axis, 1);
    graph_make_joined(s, graph_label(l, "/whole").s, graph_label(l, "/front").s,
                      graph_label(l, "/width").s, graph_label(l, "/axis").s);
    graph_make_moved(s, "Reshape", l->name, graph_label(l, "/biased").s,
                     graph_label(l, "/whole").s);
}

/* Rows of a table or numbers of the last dimension. */
void graph_gather(struct graph *s, const struct net_layer *l, const char *from, int params,
                  const char *which, int type, int32_t axis)
{
    graph_constant_ints(s, graph_label(l, "/axis").s, &axis, 1);
    graph_begin(s, l->name, "GatherV2");
    graph_input(s, from);
    graph_input(s, which);
    graph_input(s, graph_label(l, "/axis").s);
    graph_type(s, "Tparams", params);
    graph_type(s, "Tindices", type);
    graph_type(s, "Taxis", TYPE_INT32);
    graph_end(s);
}

void graph_pick(struct graph *s, const struct net_layer *l, const char *in)
{
    const int32_t which = l->out;
    bool number = l->in[0] < s->net->input_count && s->net->inputs[l->in[0]].dtype == ASSAY_I64;

    graph_constant_ints(s, graph_label(l, "/number").s, &which, 1);
    graph_gather(s, l, in, number ? TYPE_INT64 : TYPE_FLOAT, graph_label(l, "/number").s,
                 TYPE_INT32, l->shape.rank + 1);
}

/* x + table[0 … s - 1], where s is how long x is. */
void graph_position(struct graph *s, const struct net_layer *l, const char *in)
{
    static const int32_t begin[2] = {0, 0};

    graph_make_shape(s, l, in, TYPE_FLOAT);
    graph_make_part(s, l, "/size", 1, 3);
    graph_constant_ints(s, graph_label(l, "/begin").s, begin, 2);
    graph_begin(s, graph_label(l, "/rows").s, "Slice");
    graph_input(s, graph_label(l, ".weight").s);
    graph_input(s, graph_label(l, "/begin").s);
    graph_input(s, graph_label(l, "/size").s);
    graph_type(s, "T", TYPE_FLOAT);
    graph_type(s, "Index", TYPE_INT32);
    graph_end(s);
    graph_make(s, "AddV2", l->name, in, graph_label(l, "/rows").s, NULL);
}

void graph_stack(struct graph *s, const struct net_layer *l)
{
    int i;

    graph_begin(s, l->name, "Pack");
    for (i = 0; i < l->ins; i++)
        graph_input(s, graph_value(s, l->in[i]).s);
    graph_int(s, "N", l->ins);
    graph_type(s, "T", TYPE_FLOAT);
    graph_int(s, "axis", 1);
    graph_end(s);
}

static void make_product(struct graph *s, const char *name, const char *a, const char *b,
                         bool turn_b)
{
    graph_begin(s, name, "BatchMatMulV2");
    graph_input(s, a);
    graph_input(s, b);
    graph_type(s, "T", TYPE_FLOAT);
    graph_bool(s, "adj_x", false);
    graph_bool(s, "adj_y", turn_b);
    graph_end(s);
}

/* Every row with every row, of which those below the diagonal are kept. */
void graph_dots(struct graph *s, const struct net_layer *l, const char *in)
{
    int32_t k = s->net->layers[l->in[0]].shape.dims[0], row[2] = {-1, k * k};
    int32_t kept[NET_JOINS * NET_JOINS], n = 0, i, j;

    for (i = 1; i < k; i++)
        for (j = 0; j < i; j++)
            kept[n++] = i * k + j;
    graph_constant_ints(s, graph_label(l, "/kept").s, kept, n);
    graph_constant_ints(s, graph_label(l, "/row_shape").s, row, 2);
    make_product(s, graph_label(l, "/square").s, in, in, true);
    graph_make_moved(s, "Reshape", graph_label(l, "/row").s, graph_label(l, "/square").s,
                     graph_label(l, "/row_shape").s);
    graph_gather(s, l, graph_label(l, "/row").s, TYPE_FLOAT, graph_label(l, "/kept").s, TYPE_INT32,
                 1);
}

static void mean(struct graph *s, const struct net_layer *l, const char *name, const char *in)
{
    graph_begin(s, name, "Mean");
    graph_input(s, in);
    graph_input(s, graph_label(l, "/axis").s);
    graph_type(s, "T", TYPE_FLOAT);
    graph_type(s, "Tidx", TYPE_INT32);
    graph_bool(s, "keep_dims", true);
    graph_end(s);
}

/* (x - mean) / sqrt(variance + epsilon) * weight + bias, over the last dimension or, of an instance
 * norm, over every place. */
void graph_norm(struct graph *s, const struct net_layer *l, const char *in)
{
    const int32_t axes[3] = {1, 2, 3}, last = l->shape.rank;
    bool instance = l->op == NET_INSTANCENORM;
    const int64_t n = instance ? l->shape.rank - 1 : 1;

    graph_constant(s, graph_label(l, "/axis").s, TYPE_INT32, &n, 1, instance ? axes : &last,
                   (size_t)n * sizeof(last));
    graph_constant_float(s, graph_label(l, "/epsilon").s, l->epsilon);
    mean(s, l, graph_label(l, "/mean").s, in);
    graph_make(s, "Sub", graph_label(l, "/centred").s, in, graph_label(l, "/mean").s, NULL);
    graph_make(s, "Square", graph_label(l, "/squares").s, graph_label(l, "/centred").s, NULL);
    mean(s, l, graph_label(l, "/variance").s, graph_label(l, "/squares").s);
    graph_make(s, "AddV2", graph_label(l, "/above_zero").s, graph_label(l, "/variance").s,
               graph_label(l, "/epsilon").s, NULL);
    graph_make(s, "Rsqrt", graph_label(l, "/scale").s, graph_label(l, "/above_zero").s, NULL);
    graph_make(s, "Mul", graph_label(l, "/scaled").s, graph_label(l, "/centred").s,
               graph_label(l, "/scale").s, NULL);
    graph_make(s, "Mul", graph_label(l, "/weighted").s, graph_label(l, "/scaled").s,
               graph_label(l, ".weight").s, NULL);
    graph_make(s, "AddV2", l->name, graph_label(l, "/weighted").s, graph_label(l, ".bias").s, NULL);
}

void graph_gelu(struct graph *s, const struct net_layer *l, const char *in)
{
    graph_constant_float(s, graph_label(l, "/root").s, 0.70710678f);
    graph_constant_float(s, graph_label(l, "/one").s, 1.0f);
    graph_constant_float(s, graph_label(l, "/half").s, 0.5f);
    graph_make(s, "Mul", graph_label(l, "/scaled").s, in, graph_label(l, "/root").s, NULL);
    graph_make(s, "Erf", graph_label(l, "/erf").s, graph_label(l, "/scaled").s, NULL);
    graph_make(s, "AddV2", graph_label(l, "/gate").s, graph_label(l, "/erf").s,
               graph_label(l, "/one").s, NULL);
    graph_make(s, "Mul", graph_label(l, "/halved").s, in, graph_label(l, "/half").s, NULL);
    graph_make(s, "Mul", l->name, graph_label(l, "/halved").s, graph_label(l, "/gate").s, NULL);
}

static void make_expanded(struct graph *s, const char *name, const char *in, const char *axis)
{
    graph_begin(s, name, "ExpandDims");
    graph_input(s, in);
    graph_input(s, axis);
    graph_type(s, "T", TYPE_FLOAT);
    graph_type(s, "Tdim", TYPE_INT32);
    graph_end(s);
}

void graph_mask(struct graph *s, const struct net_layer *l, const char *in)
{
    static const int32_t axis = 1;

    graph_constant_float(s, graph_label(l, "/one").s, 1.0f);
    graph_constant_float(s, graph_label(l, "/low").s, -10000.0f);
    graph_constant_ints(s, graph_label(l, "/axis").s, &axis, 1);
    graph_begin(s, graph_label(l, "/kept").s, "Cast");
    graph_input(s, in);
    graph_type(s, "SrcT", TYPE_INT64);
    graph_type(s, "DstT", TYPE_FLOAT);
    graph_end(s);
    graph_make(s, "Sub", graph_label(l, "/hidden").s, graph_label(l, "/one").s,
               graph_label(l, "/kept").s, NULL);
    graph_make(s, "Mul", graph_label(l, "/scores").s, graph_label(l, "/hidden").s,
               graph_label(l, "/low").s, NULL);
    make_expanded(s, graph_label(l, "/row").s, graph_label(l, "/scores").s,
                  graph_label(l, "/axis").s);
    make_expanded(s, l->name, graph_label(l, "/row").s, graph_label(l, "/axis").s);
}

/* [n, s, width] to [n, heads, s, width / heads] and back. */
void graph_attention(struct graph *s, const struct net_layer *l)
{
    static const char *const rows[3] = {"/query_rows", "/key_rows", "/value_rows"};
    static const char *const heads[3] = {"/queries", "/keys", "/values"};
    static const int32_t order[4] = {0, 2, 1, 3}, axis = 0;
    const int32_t head[2] = {l->out, l->shape.dims[1] / l->out};
    int i;

    graph_make_shape(s, l, graph_value(s, l->in[0]).s, TYPE_FLOAT);
    graph_make_part(s, l, "/front", 0, 2);
    graph_constant_ints(s, graph_label(l, "/head").s, head, 2);
    graph_constant_ints(s, graph_label(l, "/axis").s, &axis, 1);
    graph_make_joined(s, graph_label(l, "/split").s, graph_label(l, "/front").s,
                      graph_label(l, "/head").s, graph_label(l, "/axis").s);
    graph_constant_ints(s, graph_label(l, "/order").s, order, 4);
    graph_constant_float(s, graph_label(l, "/factor").s, 1.0f / sqrtf((float)head[1]));
    for (i = 0; i < 3; i++) {
        graph_make_moved(s, "Reshape", graph_label(l, rows[i]).s, graph_value(s, l->in[i]).s,
                         graph_label(l, "/split").s);
        graph_make_moved(s, "Transpose", graph_label(l, heads[i]).s, graph_label(l, rows[i]).s,
                         graph_label(l, "/order").s);
    }
    make_product(s, graph_label(l, "/products").s, graph_label(l, heads[0]).s,
                 graph_label(l, heads[1]).s, true);
    graph_make(s, "Mul", graph_label(l, "/scaled").s, graph_label(l, "/products").s,
               graph_label(l, "/factor").s, NULL);
    graph_make(s, "AddV2", graph_label(l, "/scores").s, graph_label(l, "/scaled").s,
               graph_value(s, l->in[3]).s, NULL);
    graph_make(s, "Softmax", graph_label(l, "/weights").s, graph_label(l, "/scores").s, NULL);
    make_product(s, graph_label(l, "/context").s, graph_label(l, "/weights").s,
                 graph_label(l, heads[2]).s, false);
    graph_make_moved(s, "Transpose", graph_label(l, "/merged").s, graph_label(l, "/context").s,
                     graph_label(l, "/order").s);
    graph_make_moved(s, "Reshape", l->name, graph_label(l, "/merged").s,
                     graph_label(l, "/shape").s);
}

/* ---- recurrent layers ---- */

/* A tensor of zeros whose shape is "LAYER/state_shape". */
static void make_zeros(struct graph *s, const struct net_layer *l, const char *name)
{
    graph_constant_float(s, graph_label(l, "/zero").s, 0.0f);
    graph_begin(s, name, "Fill");
    graph_input(s, graph_label(l, "/state_shape").s);
    graph_input(s, graph_label(l, "/zero").s);
    graph_type(s, "T", TYPE_FLOAT);
    graph_type(s, "index_type", TYPE_INT32);
    graph_end(s);
}

/* Weights of both products below each other, biases added. */
static void lstm_weights(struct graph *s, const struct net_layer *l)
{
    static const int32_t axis = 0;
    const int64_t width = l->out;
    float *zeros = calloc((size_t)width, sizeof(*zeros));

    s->cut |= !zeros;
    if (zeros)
        graph_constant(s, graph_label(l, "/peepholes").s, TYPE_FLOAT, &width, 1, zeros,
                       (size_t)width * sizeof(*zeros));
    free(zeros);
    graph_constant_ints(s, graph_label(l, "/axis").s, &axis, 1);
    graph_begin(s, graph_label(l, "/weights").s, "ConcatV2");
    graph_input(s, graph_label(l, ".weight_ih").s);
    graph_input(s, graph_label(l, ".weight_hh").s);
    graph_input(s, graph_label(l, "/axis").s);
    graph_int(s, "N", 2);
    graph_type(s, "T", TYPE_FLOAT);
    graph_type(s, "Tidx", TYPE_INT32);
    graph_end(s);
    graph_make(s, "AddV2", graph_label(l, "/bias").s, graph_label(l, ".bias_ih").s,
               graph_label(l, ".bias_hh").s, NULL);
}

/* BlockLSTMV2 of x [t, n, in]; its results 1 and 6 are the cell's and the hidden states. */
static void block_lstm(struct graph *s, const struct net_layer *l, const char *length,
                       const char *cell, const char *hidden)
{
    int i;

    graph_begin(s, graph_label(l, "/block").s, "BlockLSTMV2");
    graph_input(s, length);
    graph_input(s, graph_label(l, "/x").s);
    graph_input(s, cell);
    graph_input(s, hidden);
    graph_input(s, graph_label(l, "/weights").s);
    for (i = 0; i < 3; i++)
        graph_input(s, graph_label(l, "/peepholes").s);
    graph_input(s, graph_label(l, "/bias").s);
    graph_type(s, "T", TYPE_FLOAT);
    graph_end(s);
}

static void lstm_step(struct graph *s, const struct net_layer *l, const char *in)
{
    static const int64_t one = 1;
    static const int32_t axis = 0;
    static const char *const part[2] = {"/block:6", "/block:1"}, *const name[2] = {"", "/cell"};
    int k;

    graph_constant(s, graph_label(l, "/length").s, TYPE_INT64, NULL, 0, &one, sizeof(one));
    graph_constant_ints(s, graph_label(l, "/front").s, &axis, 1);
    make_expanded(s, graph_label(l, "/x").s, in, graph_label(l, "/front").s);
    block_lstm(s, l, graph_label(l, "/length").s, graph_value(s, l->in[2]).s,
               graph_value(s, l->in[1]).s);
    for (k = 0; k < 2; k++) {
        graph_begin(s, graph_label(l, name[k]).s, "Squeeze");
        graph_input(s, graph_label(l, part[k]).s);
        graph_type(s, "T", TYPE_FLOAT);
        graph_int_list(s, "squeeze_dims", (int[]){0}, 1);
        graph_end(s);
    }
}

void graph_lstm(struct graph *s, const struct net_layer *l, const char *in)
{
    static const int32_t order[3] = {1, 0, 2}, second = 1;
    const int32_t width = l->out;

    lstm_weights(s, l);
    if (l->ins == 3) {
        lstm_step(s, l, in);
        return;
    }
    graph_constant_ints(s, graph_label(l, "/order").s, order, 3);
    graph_make_moved(s, "Transpose", graph_label(l, "/x").s, in, graph_label(l, "/order").s);
    graph_make_shape(s, l, in, TYPE_FLOAT);
    graph_make_part(s, l, "/batch", 0, 1);
    graph_constant(s, graph_label(l, "/width").s, TYPE_INT32, (int64_t[]){1}, 1, &width,
                   sizeof(width));
    graph_make_joined(s, graph_label(l, "/state_shape").s, graph_label(l, "/batch").s,
                      graph_label(l, "/width").s, graph_label(l, "/axis").s);
    make_zeros(s, l, graph_label(l, "/state").s);
    graph_constant_ints(s, graph_label(l, "/second").s, &second, 1);
    graph_begin(s, graph_label(l, "/steps").s, "GatherV2");
    graph_input(s, graph_label(l, "/shape").s);
    graph_input(s, graph_label(l, "/second").s);
    graph_input(s, graph_label(l, "/axis").s);
    graph_type(s, "Tparams", TYPE_INT32);
    graph_type(s, "Tindices", TYPE_INT32);
    graph_type(s, "Taxis", TYPE_INT32);
    graph_end(s);
    graph_begin(s, graph_label(l, "/length").s, "Cast");
    graph_input(s, graph_label(l, "/steps").s);
    graph_type(s, "SrcT", TYPE_INT32);
    graph_type(s, "DstT", TYPE_INT64);
    graph_end(s);
    block_lstm(s, l, graph_label(l, "/length").s, graph_label(l, "/state").s,
               graph_label(l, "/state").s);
    graph_make_moved(s, "Transpose", l->name, graph_label(l, "/block:6").s,
                     graph_label(l, "/order").s);
}

/* Every other row from `first` on. */
static void every_other(struct graph *s, const struct net_layer *l, const char *name,
                        const char *in, int32_t first)
{
    const int32_t begin[2] = {0, first}, end[2] = {0, 0}, step[2] = {1, 2};
    const int32_t *const value[3] = {begin, end, step};
    static const char *const part[3] = {"/begin", "/end", "/step"};
    char full[3][32];
    int i;

    for (i = 0; i < 3; i++) {
        snprintf(full[i], sizeof(full[i]), "%s%s", name, part[i]);
        graph_constant_ints(s, graph_label(l, full[i]).s, value[i], 2);
    }
    graph_begin(s, graph_label(l, name).s, "StridedSlice");
    graph_input(s, in);
    for (i = 0; i < 3; i++)
        graph_input(s, graph_label(l, full[i]).s);
    graph_type(s, "T", TYPE_FLOAT);
    graph_type(s, "Index", TYPE_INT32);
    graph_int(s, "begin_mask", 1);
    graph_int(s, "end_mask", 3);
    graph_end(s);
}

/* Beside the row behind it, of which the last may be zeros. */
void graph_stack_time(struct graph *s, const struct net_layer *l, const char *in)
{
    static const int32_t pads[6] = {0, 0, 0, 1, 0, 0}, axis = 2;

    graph_constant(s, graph_label(l, "/pads").s, TYPE_INT32, (int64_t[]){3, 2}, 2, pads,
                   sizeof(pads));
    graph_begin(s, graph_label(l, "/padded").s, "Pad");
    graph_input(s, in);
    graph_input(s, graph_label(l, "/pads").s);
    graph_type(s, "T", TYPE_FLOAT);
    graph_type(s, "Tpaddings", TYPE_INT32);
    graph_end(s);
    every_other(s, l, "/even", in, 0);
    every_other(s, l, "/odd", graph_label(l, "/padded").s, 1);
    graph_constant_ints(s, graph_label(l, "/axis").s, &axis, 1);
    graph_begin(s, l->name, "ConcatV2");
    graph_input(s, graph_label(l, "/even").s);
    graph_input(s, graph_label(l, "/odd").s);
    graph_input(s, graph_label(l, "/axis").s);
    graph_int(s, "N", 2);
    graph_type(s, "T", TYPE_FLOAT);
    graph_type(s, "Tidx", TYPE_INT32);
    graph_end(s);
}
