/* DLRM-DCNv2 of MLPerf for Criteo Terabyte, the second version: an MLP for the 13 numbers, for each
 * of 26 categories the sum of some rows of its table, three cross layers of low rank over those 27
 * vectors side by side, and an MLP whose last number is the logit of a click.  A sample here is one
 * pair of user and item; its indices stand side by side, category by category.  Names are those of
 * torchrec's state dict.
 *
 * A cross layer is x0 * (W (V x) + b) + x, x0 being what the first one gets, with V of 512 rows.
 *
 * The tables are cut to as many rows as the net's size says: in full they are 105 GB (204,184,588
 * rows).  An index must lie below its table's rows.
 *
 * Gains of the synthetic weights: ReLU halves, so layers before it have root 2; a sum of n rows has
 * the deviation of one when theirs is less by root n.  The last layer is as in dlrm.c. */
#include "net/nets.h"

#include <math.h>
#include <stdio.h>

#define TABLES 26
#define CROSS  3
#define ROOT2  1.41421356f
#define TABLE  "sparse_arch.embedding_bag_collection.embedding_bags.t_cat_%d"

struct size {
    int width, rank;
    int64_t rows; /* of a table, at most */
    int most;     /* indices of a category, at most */
    int bottom[3], top[4];
};

static const int table_rows[TABLES] = {
    40000000, 39060,    17295,    7424,     20265,  3,     7122, 1543, 63,
    40000000, 3067956,  405282,   10,       2209,   11938, 155,  4,    976,
    14,       40000000, 40000000, 40000000, 590152, 12973, 108,  36};
static const int hots[TABLES] = {3, 2, 1, 2, 6, 1, 1,  1,   1,  7,  3, 8, 1,
                                 6, 9, 5, 1, 1, 1, 12, 100, 27, 10, 3, 1, 1};

static int mlp(struct net *net, const char *prefix, int x, const int *widths, int n)
{
    char name[48];
    int i;

    for (i = 0; i < n; i++) {
        snprintf(name, sizeof(name), "%s._mlp.%d._linear", prefix, i);
        x = net_set_gain(net, net_add_fc(net, name, x, widths[i]), ROOT2);
        snprintf(name, sizeof(name), "%s._mlp.%d.relu", prefix, i);
        x = net_add_plain(net, NET_RELU, name, x);
    }
    return x;
}

static int cross(struct net *net, int k, int first, int x, int rank, int width)
{
    char name[48], weight[48], bias[48];
    int y;

    snprintf(name, sizeof(name), "cross.%d.v", k);
    snprintf(weight, sizeof(weight), "inter_arch.crossnet.V_kernels.%d", k);
    y = net_add_product(net, name, x, rank, weight, NULL);
    snprintf(name, sizeof(name), "cross.%d.w", k);
    snprintf(weight, sizeof(weight), "inter_arch.crossnet.W_kernels.%d", k);
    snprintf(bias, sizeof(bias), "inter_arch.crossnet.bias.%d", k);
    y = net_add_product(net, name, y, width, weight, bias);
    snprintf(name, sizeof(name), "cross.%d.crossed", k);
    y = net_add_mul(net, name, first, y);
    snprintf(name, sizeof(name), "cross.%d", k);
    return net_add_sum(net, name, y, x);
}

static void build(struct net *net, const struct size *z)
{
    int dense, indices, vector[1 + TABLES], first, x, i, hot[TABLES], all = 0, at = 0;
    char name[80];

    net->analytic = true;
    for (i = 0; i < TABLES; i++)
        all += hot[i] = hots[i] < z->most ? hots[i] : z->most;
    dense = net_add_row(net, "dense_x", ASSAY_F32, 13);
    indices = net_add_row(net, "indices", ASSAY_I64, all);
    vector[0] = mlp(net, "dense_arch.model", dense, z->bottom, 3);
    for (i = 0; i < TABLES; at += hot[i++]) {
        snprintf(name, sizeof(name), TABLE, i);
        x = net_add_bag(net, name, indices, at, hot[i],
                        (int)(table_rows[i] < z->rows ? table_rows[i] : z->rows), z->width);
        vector[1 + i] = net_set_gain(net, x, 0.5f / sqrtf((float)hot[i]));
    }
    first = x = net_add_concat(net, "vectors", vector, 1 + TABLES);
    for (i = 0; i < CROSS; i++)
        x = cross(net, i, first, x, z->rank, (1 + TABLES) * z->width);
    x = mlp(net, "over_arch.model.0", x, z->top, 4);
    x = net_set_balanced(net, net_add_fc(net, "over_arch.model.1", x, 1));
    net_set_bias(net, net_set_gain(net, x, 0.2f), -2.5f);
    net_add_output(net, "logits", x);
}

void net_build_dlrm_v2(struct net *net)
{
    build(net, &(struct size){128, 512, net->size, 100, {512, 256, 128}, {1024, 1024, 512, 256}});
}

void net_build_dlrm_v2_small(struct net *net)
{
    build(net, &(struct size){8, 6, 50, 3, {16, 12, 8}, {16, 16, 12, 8}});
}
