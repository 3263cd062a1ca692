/* The nodes of layers on sequences and rows.
 *
 * Free dimensions are read from the tensors when the graph runs: "LAYER/shape" and its parts.  The
 * other inner nodes of a layer are called "LAYER/part" too. */
#include "net/exact.h"
#include "net/graphdef_nodes.h"

#include <math.h>
#include <stdlib.h>

/* MatMul is for matrices: what stands before the last dimension is one there. */
void graphdef_fully_connected(struct graphdef *s, const struct net_layer *l, const char *in)
{
    const int32_t rows[2] = {-1, (int32_t)s->net->tensors[l->tensor].dims[1]}, axis = 0;
    const int32_t front = l->shape.rank, width = l->out;
    bool matrix = l->shape.rank == 1;

    if (!matrix) {
        graphdef_constant_ints(s, graphdef_label(l, "/matrix").s, rows, 2);
        graphdef_make_moved(s, "Reshape", graphdef_label(l, "/rows").s, in,
                            graphdef_label(l, "/matrix").s);
    }
    if (l->tensors == 1) { /* no bias; of rows only */
        graphdef_make(s, "MatMul", l->name, in, graphdef_label(l, ".weight").s, NULL);
        return;
    }
    graphdef_make(s, "MatMul", graphdef_label(l, "/product").s,
                  matrix ? in : graphdef_label(l, "/rows").s, graphdef_label(l, ".weight").s, NULL);
    graphdef_make(s, "BiasAdd", matrix ? l->name : graphdef_label(l, "/biased").s,
                  graphdef_label(l, "/product").s, graphdef_label(l, ".bias").s, NULL);
    if (matrix)
        return;
    graphdef_make_shape(s, l, in, TYPE_FLOAT);
    graphdef_make_part(s, l, "/front", 0, front);
    graphdef_constant(s, graphdef_label(l, "/width").s, TYPE_INT32, (int64_t[]){1}, 1, &width,
                      sizeof(width));
    graphdef_constant_ints(s, graphdef_label(l, "/axis").s, &axis, 1);
    graphdef_make_joined(s, graphdef_label(l, "/whole").s, graphdef_label(l, "/front").s,
                         graphdef_label(l, "/width").s, graphdef_label(l, "/axis").s);
    graphdef_make_moved(s, "Reshape", l->name, graphdef_label(l, "/biased").s,
                        graphdef_label(l, "/whole").s);
}

/* Along "LAYER/axis". */
static void gather(struct graphdef *s, const struct net_layer *l, const char *name,
                   const char *from, int params, const char *which, int type)
{
    graphdef_begin(s, name, "GatherV2");
    graphdef_input(s, from);
    graphdef_input(s, which);
    graphdef_input(s, graphdef_label(l, "/axis").s);
    graphdef_type(s, "Tparams", params);
    graphdef_type(s, "Tindices", type);
    graphdef_type(s, "Taxis", TYPE_INT32);
    graphdef_end(s);
}

/* Rows of a table or numbers of the last dimension. */
void graphdef_gather(struct graphdef *s, const struct net_layer *l, const char *from, int params,
                     const char *which, int type, int32_t axis)
{
    graphdef_constant_ints(s, graphdef_label(l, "/axis").s, &axis, 1);
    gather(s, l, l->name, from, params, which, type);
}

/* From "LAYER/begin" on, "LAYER/size" large. */
static void slice(struct graphdef *s, const struct net_layer *l, const char *name, const char *from,
                  int type)
{
    graphdef_begin(s, name, "Slice");
    graphdef_input(s, from);
    graphdef_input(s, graphdef_label(l, "/begin").s);
    graphdef_input(s, graphdef_label(l, "/size").s);
    graphdef_type(s, "T", type);
    graphdef_type(s, "Index", TYPE_INT32);
    graphdef_end(s);
}

/* Some of the numbers, their rows [n, many, width], and the sum of these. */
void graphdef_bag(struct graphdef *s, const struct net_layer *l, const char *in)
{
    const int32_t begin[2] = {0, l->first}, size[2] = {-1, l->many}, table = 0, middle = 1;

    graphdef_constant_ints(s, graphdef_label(l, "/begin").s, begin, 2);
    graphdef_constant_ints(s, graphdef_label(l, "/size").s, size, 2);
    slice(s, l, graphdef_label(l, "/numbers").s, in, TYPE_INT64);
    graphdef_constant_ints(s, graphdef_label(l, "/axis").s, &table, 1);
    gather(s, l, graphdef_label(l, "/rows").s, graphdef_label(l, ".weight").s, TYPE_FLOAT,
           graphdef_label(l, "/numbers").s, TYPE_INT64);
    graphdef_constant_ints(s, graphdef_label(l, "/middle").s, &middle, 1);
    graphdef_begin(s, l->name, "Sum");
    graphdef_input(s, graphdef_label(l, "/rows").s);
    graphdef_input(s, graphdef_label(l, "/middle").s);
    graphdef_type(s, "T", TYPE_FLOAT);
    graphdef_type(s, "Tidx", TYPE_INT32);
    graphdef_bool(s, "keep_dims", false);
    graphdef_end(s);
}

void graphdef_pick(struct graphdef *s, const struct net_layer *l, const char *in)
{
    const int32_t which = l->out;
    bool number = l->in[0] < s->net->input_count && s->net->inputs[l->in[0]].dtype == ASSAY_I64;

    graphdef_constant_ints(s, graphdef_label(l, "/number").s, &which, 1);
    graphdef_gather(s, l, in, number ? TYPE_INT64 : TYPE_FLOAT, graphdef_label(l, "/number").s,
                    TYPE_INT32, l->shape.rank + 1);
}

/* x + table[0 … s - 1], where s is how long x is. */
void graphdef_position(struct graphdef *s, const struct net_layer *l, const char *in)
{
    static const int32_t begin[2] = {0, 0};

    graphdef_make_shape(s, l, in, TYPE_FLOAT);
    graphdef_make_part(s, l, "/size", 1, 3);
    graphdef_constant_ints(s, graphdef_label(l, "/begin").s, begin, 2);
    slice(s, l, graphdef_label(l, "/rows").s, graphdef_label(l, ".weight").s, TYPE_FLOAT);
    graphdef_make(s, "AddV2", l->name, in, graphdef_label(l, "/rows").s, NULL);
}

void graphdef_stack(struct graphdef *s, const struct net_layer *l)
{
    int i;

    graphdef_begin(s, l->name, "Pack");
    for (i = 0; i < l->ins; i++)
        graphdef_input(s, graphdef_value(s, l->in[i]).s);
    graphdef_int(s, "N", l->ins);
    graphdef_type(s, "T", TYPE_FLOAT);
    graphdef_int(s, "axis", 1);
    graphdef_end(s);
}

static void make_product(struct graphdef *s, const char *name, const char *a, const char *b,
                         bool turn_b)
{
    graphdef_begin(s, name, "BatchMatMulV2");
    graphdef_input(s, a);
    graphdef_input(s, b);
    graphdef_type(s, "T", TYPE_FLOAT);
    graphdef_bool(s, "adj_x", false);
    graphdef_bool(s, "adj_y", turn_b);
    graphdef_end(s);
}

/* Every row with every row, of which those below the diagonal are kept. */
void graphdef_dots(struct graphdef *s, const struct net_layer *l, const char *in)
{
    int32_t k = s->net->layers[l->in[0]].shape.dims[0], row[2] = {-1, k * k};
    int32_t kept[NET_JOINS * NET_JOINS], n = 0, i, j;

    for (i = 1; i < k; i++)
        for (j = 0; j < i; j++)
            kept[n++] = i * k + j;
    graphdef_constant_ints(s, graphdef_label(l, "/kept").s, kept, n);
    graphdef_constant_ints(s, graphdef_label(l, "/row_shape").s, row, 2);
    make_product(s, graphdef_label(l, "/square").s, in, in, true);
    graphdef_make_moved(s, "Reshape", graphdef_label(l, "/row").s, graphdef_label(l, "/square").s,
                        graphdef_label(l, "/row_shape").s);
    graphdef_gather(s, l, graphdef_label(l, "/row").s, TYPE_FLOAT, graphdef_label(l, "/kept").s,
                    TYPE_INT32, 1);
}

static void mean(struct graphdef *s, const struct net_layer *l, const char *name, const char *in)
{
    graphdef_begin(s, name, "Mean");
    graphdef_input(s, in);
    graphdef_input(s, graphdef_label(l, "/axis").s);
    graphdef_type(s, "T", TYPE_FLOAT);
    graphdef_type(s, "Tidx", TYPE_INT32);
    graphdef_bool(s, "keep_dims", true);
    graphdef_end(s);
}

/* (x - mean) / sqrt(variance + epsilon) * weight + bias, over the last dimension or, of an instance
 * norm, over every place. */
void graphdef_norm(struct graphdef *s, const struct net_layer *l, const char *in)
{
    const int32_t axes[3] = {1, 2, 3}, last = l->shape.rank;
    bool instance = l->op == NET_INSTANCENORM;
    const int64_t n = instance ? l->shape.rank - 1 : 1;

    graphdef_constant(s, graphdef_label(l, "/axis").s, TYPE_INT32, &n, 1, instance ? axes : &last,
                      (size_t)n * sizeof(last));
    graphdef_constant_float(s, graphdef_label(l, "/epsilon").s, l->epsilon);
    mean(s, l, graphdef_label(l, "/mean").s, in);
    graphdef_make(s, "Sub", graphdef_label(l, "/centred").s, in, graphdef_label(l, "/mean").s,
                  NULL);
    graphdef_make(s, "Square", graphdef_label(l, "/squares").s, graphdef_label(l, "/centred").s,
                  NULL);
    mean(s, l, graphdef_label(l, "/variance").s, graphdef_label(l, "/squares").s);
    graphdef_make(s, "AddV2", graphdef_label(l, "/above_zero").s, graphdef_label(l, "/variance").s,
                  graphdef_label(l, "/epsilon").s, NULL);
    graphdef_make(s, "Rsqrt", graphdef_label(l, "/scale").s, graphdef_label(l, "/above_zero").s,
                  NULL);
    graphdef_make(s, "Mul", graphdef_label(l, "/scaled").s, graphdef_label(l, "/centred").s,
                  graphdef_label(l, "/scale").s, NULL);
    graphdef_make(s, "Mul", graphdef_label(l, "/weighted").s, graphdef_label(l, "/scaled").s,
                  graphdef_label(l, ".weight").s, NULL);
    graphdef_make(s, "AddV2", l->name, graphdef_label(l, "/weighted").s,
                  graphdef_label(l, ".bias").s, NULL);
}

void graphdef_gelu(struct graphdef *s, const struct net_layer *l, const char *in)
{
    graphdef_constant_float(s, graphdef_label(l, "/root").s, 0.70710678f);
    graphdef_constant_float(s, graphdef_label(l, "/one").s, 1.0f);
    graphdef_constant_float(s, graphdef_label(l, "/half").s, 0.5f);
    graphdef_make(s, "Mul", graphdef_label(l, "/scaled").s, in, graphdef_label(l, "/root").s, NULL);
    graphdef_make(s, "Erf", graphdef_label(l, "/erf").s, graphdef_label(l, "/scaled").s, NULL);
    graphdef_make(s, "AddV2", graphdef_label(l, "/gate").s, graphdef_label(l, "/erf").s,
                  graphdef_label(l, "/one").s, NULL);
    graphdef_make(s, "Mul", graphdef_label(l, "/halved").s, in, graphdef_label(l, "/half").s, NULL);
    graphdef_make(s, "Mul", l->name, graphdef_label(l, "/halved").s, graphdef_label(l, "/gate").s,
                  NULL);
}

static void make_expanded(struct graphdef *s, const char *name, const char *in, const char *axis)
{
    graphdef_begin(s, name, "ExpandDims");
    graphdef_input(s, in);
    graphdef_input(s, axis);
    graphdef_type(s, "T", TYPE_FLOAT);
    graphdef_type(s, "Tdim", TYPE_INT32);
    graphdef_end(s);
}

void graphdef_mask(struct graphdef *s, const struct net_layer *l, const char *in)
{
    static const int32_t axis = 1;

    graphdef_constant_float(s, graphdef_label(l, "/one").s, 1.0f);
    graphdef_constant_float(s, graphdef_label(l, "/low").s, -10000.0f);
    graphdef_constant_ints(s, graphdef_label(l, "/axis").s, &axis, 1);
    graphdef_begin(s, graphdef_label(l, "/kept").s, "Cast");
    graphdef_input(s, in);
    graphdef_type(s, "SrcT", TYPE_INT64);
    graphdef_type(s, "DstT", TYPE_FLOAT);
    graphdef_end(s);
    graphdef_make(s, "Sub", graphdef_label(l, "/hidden").s, graphdef_label(l, "/one").s,
                  graphdef_label(l, "/kept").s, NULL);
    graphdef_make(s, "Mul", graphdef_label(l, "/scores").s, graphdef_label(l, "/hidden").s,
                  graphdef_label(l, "/low").s, NULL);
    make_expanded(s, graphdef_label(l, "/row").s, graphdef_label(l, "/scores").s,
                  graphdef_label(l, "/axis").s);
    make_expanded(s, l->name, graphdef_label(l, "/row").s, graphdef_label(l, "/axis").s);
}

/* [n, s, width] to [n, heads, s, width / heads] and back. */
void graphdef_attention(struct graphdef *s, const struct net_layer *l)
{
    static const char *const rows[3] = {"/query_rows", "/key_rows", "/value_rows"};
    static const char *const heads[3] = {"/queries", "/keys", "/values"};
    static const int32_t order[4] = {0, 2, 1, 3}, axis = 0;
    const int32_t head[2] = {l->out, l->shape.dims[1] / l->out};
    int i;

    graphdef_make_shape(s, l, graphdef_value(s, l->in[0]).s, TYPE_FLOAT);
    graphdef_make_part(s, l, "/front", 0, 2);
    graphdef_constant_ints(s, graphdef_label(l, "/head").s, head, 2);
    graphdef_constant_ints(s, graphdef_label(l, "/axis").s, &axis, 1);
    graphdef_make_joined(s, graphdef_label(l, "/split").s, graphdef_label(l, "/front").s,
                         graphdef_label(l, "/head").s, graphdef_label(l, "/axis").s);
    graphdef_constant_ints(s, graphdef_label(l, "/order").s, order, 4);
    graphdef_constant_float(s, graphdef_label(l, "/factor").s, 1.0f / sqrtf((float)head[1]));
    for (i = 0; i < 3; i++) {
        graphdef_make_moved(s, "Reshape", graphdef_label(l, rows[i]).s,
                            graphdef_value(s, l->in[i]).s, graphdef_label(l, "/split").s);
        graphdef_make_moved(s, "Transpose", graphdef_label(l, heads[i]).s,
                            graphdef_label(l, rows[i]).s, graphdef_label(l, "/order").s);
    }
    make_product(s, graphdef_label(l, "/products").s, graphdef_label(l, heads[0]).s,
                 graphdef_label(l, heads[1]).s, true);
    graphdef_make(s, "Mul", graphdef_label(l, "/scaled").s, graphdef_label(l, "/products").s,
                  graphdef_label(l, "/factor").s, NULL);
    graphdef_make(s, "AddV2", graphdef_label(l, "/scores").s, graphdef_label(l, "/scaled").s,
                  graphdef_value(s, l->in[3]).s, NULL);
    graphdef_make(s, "Softmax", graphdef_label(l, "/weights").s, graphdef_label(l, "/scores").s,
                  NULL);
    make_product(s, graphdef_label(l, "/context").s, graphdef_label(l, "/weights").s,
                 graphdef_label(l, heads[2]).s, false);
    graphdef_make_moved(s, "Transpose", graphdef_label(l, "/merged").s,
                        graphdef_label(l, "/context").s, graphdef_label(l, "/order").s);
    graphdef_make_moved(s, "Reshape", l->name, graphdef_label(l, "/merged").s,
                        graphdef_label(l, "/shape").s);
}

/* ---- recurrent layers ---- */

/* A tensor of zeros whose shape is "LAYER/state_shape". */
static void make_zeros(struct graphdef *s, const struct net_layer *l, const char *name)
{
    graphdef_constant_float(s, graphdef_label(l, "/zero").s, 0.0f);
    graphdef_begin(s, name, "Fill");
    graphdef_input(s, graphdef_label(l, "/state_shape").s);
    graphdef_input(s, graphdef_label(l, "/zero").s);
    graphdef_type(s, "T", TYPE_FLOAT);
    graphdef_type(s, "index_type", TYPE_INT32);
    graphdef_end(s);
}

/* Weights of both products below each other, biases added. */
static void lstm_weights(struct graphdef *s, const struct net_layer *l)
{
    static const int32_t axis = 0;
    const int64_t width = l->out;
    float *zeros = calloc((size_t)width, sizeof(*zeros));

    s->cut |= !zeros;
    if (zeros)
        graphdef_constant(s, graphdef_label(l, "/peepholes").s, TYPE_FLOAT, &width, 1, zeros,
                          (size_t)width * sizeof(*zeros));
    free(zeros);
    graphdef_constant_ints(s, graphdef_label(l, "/axis").s, &axis, 1);
    graphdef_begin(s, graphdef_label(l, "/weights").s, "ConcatV2");
    graphdef_input(s, graphdef_label(l, ".weight_ih").s);
    graphdef_input(s, graphdef_label(l, ".weight_hh").s);
    graphdef_input(s, graphdef_label(l, "/axis").s);
    graphdef_int(s, "N", 2);
    graphdef_type(s, "T", TYPE_FLOAT);
    graphdef_type(s, "Tidx", TYPE_INT32);
    graphdef_end(s);
    graphdef_make(s, "AddV2", graphdef_label(l, "/bias").s, graphdef_label(l, ".bias_ih").s,
                  graphdef_label(l, ".bias_hh").s, NULL);
}

/* BlockLSTMV2 of x [t, n, in]; its results 1 and 6 are the cell's and the hidden states. */
static void block_lstm(struct graphdef *s, const struct net_layer *l, const char *length,
                       const char *cell, const char *hidden)
{
    int i;

    graphdef_begin(s, graphdef_label(l, "/block").s, "BlockLSTMV2");
    graphdef_input(s, length);
    graphdef_input(s, graphdef_label(l, "/x").s);
    graphdef_input(s, cell);
    graphdef_input(s, hidden);
    graphdef_input(s, graphdef_label(l, "/weights").s);
    for (i = 0; i < 3; i++)
        graphdef_input(s, graphdef_label(l, "/peepholes").s);
    graphdef_input(s, graphdef_label(l, "/bias").s);
    graphdef_type(s, "T", TYPE_FLOAT);
    graphdef_end(s);
}

static void lstm_step(struct graphdef *s, const struct net_layer *l, const char *in)
{
    static const int64_t one = 1;
    static const int32_t axis = 0;
    static const char *const part[2] = {"/block:6", "/block:1"}, *const name[2] = {"", "/cell"};
    int k;

    graphdef_constant(s, graphdef_label(l, "/length").s, TYPE_INT64, NULL, 0, &one, sizeof(one));
    graphdef_constant_ints(s, graphdef_label(l, "/front").s, &axis, 1);
    make_expanded(s, graphdef_label(l, "/x").s, in, graphdef_label(l, "/front").s);
    block_lstm(s, l, graphdef_label(l, "/length").s, graphdef_value(s, l->in[2]).s,
               graphdef_value(s, l->in[1]).s);
    for (k = 0; k < 2; k++) {
        graphdef_begin(s, graphdef_label(l, name[k]).s, "Squeeze");
        graphdef_input(s, graphdef_label(l, part[k]).s);
        graphdef_type(s, "T", TYPE_FLOAT);
        graphdef_int_list(s, "squeeze_dims", (int[]){0}, 1);
        graphdef_end(s);
    }
}

void graphdef_lstm(struct graphdef *s, const struct net_layer *l, const char *in)
{
    static const int32_t order[3] = {1, 0, 2}, second = 1;
    const int32_t width = l->out;

    lstm_weights(s, l);
    if (l->ins == 3) {
        lstm_step(s, l, in);
        return;
    }
    graphdef_constant_ints(s, graphdef_label(l, "/order").s, order, 3);
    graphdef_make_moved(s, "Transpose", graphdef_label(l, "/x").s, in,
                        graphdef_label(l, "/order").s);
    graphdef_make_shape(s, l, in, TYPE_FLOAT);
    graphdef_make_part(s, l, "/batch", 0, 1);
    graphdef_constant(s, graphdef_label(l, "/width").s, TYPE_INT32, (int64_t[]){1}, 1, &width,
                      sizeof(width));
    graphdef_make_joined(s, graphdef_label(l, "/state_shape").s, graphdef_label(l, "/batch").s,
                         graphdef_label(l, "/width").s, graphdef_label(l, "/axis").s);
    make_zeros(s, l, graphdef_label(l, "/state").s);
    graphdef_constant_ints(s, graphdef_label(l, "/second").s, &second, 1);
    gather(s, l, graphdef_label(l, "/steps").s, graphdef_label(l, "/shape").s, TYPE_INT32,
           graphdef_label(l, "/second").s, TYPE_INT32);
    graphdef_begin(s, graphdef_label(l, "/length").s, "Cast");
    graphdef_input(s, graphdef_label(l, "/steps").s);
    graphdef_type(s, "SrcT", TYPE_INT32);
    graphdef_type(s, "DstT", TYPE_INT64);
    graphdef_end(s);
    block_lstm(s, l, graphdef_label(l, "/length").s, graphdef_label(l, "/state").s,
               graphdef_label(l, "/state").s);
    graphdef_make_moved(s, "Transpose", l->name, graphdef_label(l, "/block:6").s,
                        graphdef_label(l, "/order").s);
}

/* Every other row from `first` on. */
static void every_other(struct graphdef *s, const struct net_layer *l, const char *name,
                        const char *in, int32_t first)
{
    const int32_t begin[2] = {0, first}, end[2] = {0, 0}, step[2] = {1, 2};
    const int32_t *const value[3] = {begin, end, step};
    static const char *const part[3] = {"/begin", "/end", "/step"};
    char full[3][32];
    int i;

    for (i = 0; i < 3; i++) {
        snprintf(full[i], sizeof(full[i]), "%s%s", name, part[i]);
        graphdef_constant_ints(s, graphdef_label(l, full[i]).s, value[i], 2);
    }
    graphdef_begin(s, graphdef_label(l, name).s, "StridedSlice");
    graphdef_input(s, in);
    for (i = 0; i < 3; i++)
        graphdef_input(s, graphdef_label(l, full[i]).s);
    graphdef_type(s, "T", TYPE_FLOAT);
    graphdef_type(s, "Index", TYPE_INT32);
    graphdef_int(s, "begin_mask", 1);
    graphdef_int(s, "end_mask", 3);
    graphdef_end(s);
}

/* Beside the row behind it, of which the last may be zeros. */
void graphdef_stack_time(struct graphdef *s, const struct net_layer *l, const char *in)
{
    static const int32_t pads[6] = {0, 0, 0, 1, 0, 0}, axis = 2;

    graphdef_constant(s, graphdef_label(l, "/pads").s, TYPE_INT32, (int64_t[]){3, 2}, 2, pads,
                      sizeof(pads));
    graphdef_begin(s, graphdef_label(l, "/padded").s, "Pad");
    graphdef_input(s, in);
    graphdef_input(s, graphdef_label(l, "/pads").s);
    graphdef_type(s, "T", TYPE_FLOAT);
    graphdef_type(s, "Tpaddings", TYPE_INT32);
    graphdef_end(s);
    every_other(s, l, "/even", in, 0);
    every_other(s, l, "/odd", graphdef_label(l, "/padded").s, 1);
    graphdef_constant_ints(s, graphdef_label(l, "/axis").s, &axis, 1);
    graphdef_begin(s, l->name, "ConcatV2");
    graphdef_input(s, graphdef_label(l, "/even").s);
    graphdef_input(s, graphdef_label(l, "/odd").s);
    graphdef_input(s, graphdef_label(l, "/axis").s);
    graphdef_int(s, "N", 2);
    graphdef_type(s, "T", TYPE_FLOAT);
    graphdef_type(s, "Tidx", TYPE_INT32);
    graphdef_end(s);
}
