/* DLRM (version 1) of MLPerf for Criteo Terabyte, the 40M variant: an MLP for the 13 numbers, one
 * row of each of 26 tables for the 26 categories, the products of every pair of those 27 vectors,
 * an MLP over them, and the probability of a click.  A sample here is one pair of user and item.
 * Names are those of the official state dict.
 *
 * The tables are cut to as many rows as the net's size says: in full they are 96 GB (187,767,399
 * rows), and nothing but the caches notices the difference.  An index must lie below its table's
 * rows.  Each category has one index, so the official sum over a bag is the row itself.
 *
 * Gains of the synthetic weights: ReLU halves, so layers before it have root 2; products of two
 * vectors of 128 numbers come to about 1 when the numbers lie around 0.3.  Of the last layer each
 * pair has a part in common, which is taken out; what is left lies around -1. */
#include "net/nets.h"

#include <stdio.h>

#define TABLES 26
#define ROOT2  1.41421356f

struct size {
    int width;
    int64_t rows; /* of a table, at most */
    int bottom[3], top[5];
};

static const int table_rows[TABLES] = {
    39884406, 39043,    17289,    7420,     20263,  3,     7120, 1543, 63,
    38532951, 2953546,  403346,   10,       2208,   11938, 155,  4,    976,
    14,       39979771, 25641295, 39664984, 585935, 12972, 108,  36};

/* Layers with ReLU behind each but the last, which has one only in the bottom. */
static int mlp(struct net *net, const char *name, int x, const int *widths, int n, bool last)
{
    char layer[32];
    int i;

    for (i = 0; i < n; i++) {
        snprintf(layer, sizeof(layer), "%s.%d", name, 2 * i);
        x = net_add_fc(net, layer, x, widths[i]);
        if (i == n - 1 && !last)
            break;
        net_set_gain(net, x, ROOT2);
        snprintf(layer, sizeof(layer), "%s.%d", name, 2 * i + 1);
        x = net_add_plain(net, NET_RELU, layer, x);
    }
    return x;
}

static void build(struct net *net, const struct size *z)
{
    int dense, indices, vector[1 + TABLES], x, i;
    char name[32];

    net->analytic = true;
    dense = net_add_row(net, "dense_x", ASSAY_F32, 13);
    indices = net_add_row(net, "indices", ASSAY_I64, TABLES);
    vector[0] = mlp(net, "bot_l", dense, z->bottom, 3, true);
    for (i = 0; i < TABLES; i++) {
        snprintf(name, sizeof(name), "index.%d", i);
        x = net_add_pick(net, name, indices, i);
        snprintf(name, sizeof(name), "emb_l.%d", i);
        x = net_add_embed(net, name, x, (int)(table_rows[i] < z->rows ? table_rows[i] : z->rows),
                          z->width);
        vector[1 + i] = net_set_gain(net, x, 0.3f);
    }
    x = net_add_stack(net, "vectors", vector, 1 + TABLES);
    x = net_add_plain(net, NET_DOTS, "products", x);
    x = net_add_concat(net, "top_in", (int[]){vector[0], x}, 2);
    x = net_set_balanced(net, mlp(net, "top_l", x, z->top, 5, false));
    net_set_bias(net, net_set_gain(net, x, 0.2f), -2.5f);
    net_add_output(net, "predictions", net_add_plain(net, NET_SIGMOID, "probability", x));
}

void net_build_dlrm(struct net *net)
{
    build(net, &(struct size){128, net->size, {512, 256, 128}, {1024, 1024, 512, 256, 1}});
}

void net_build_dlrm_small(struct net *net)
{
    build(net, &(struct size){8, 50, {16, 12, 8}, {16, 16, 12, 8, 1}});
}
