/* 3D-UNet of MLPerf's KiTS19: five levels down, five up, one cube of 128^3 in, logits of three
 * classes out.  Each block is two times convolution, instance norm, ReLU; the first convolution of
 * a level down has the stride.  Names are those of the official checkpoint: blocks are sequences
 * of (0) convolution and (1) norm.
 *
 * Synthetic weights: the norms keep every level at deviation 1.  The last convolution is balanced,
 * so that no class wins by what every place has. */
#include "net/nets.h"

#include <stdio.h>

#define LEVELS 5

struct size {
    int side, width[LEVELS];
};

struct label {
    char s[96];
};

static struct label label(const char *block, const char *part)
{
    struct label n;

    snprintf(n.s, sizeof(n.s), "%s.%s", block, part);
    return n;
}

static int twice(struct net *net, const char *name, int x, int width, int stride)
{
    static const char *const part[2][3] = {{"conv1.0", "conv1.1", "conv1.2"},
                                           {"conv2.0", "conv2.1", "conv2.2"}};
    int i;

    for (i = 0; i < 2; i++) {
        x = net_add_conv(net, label(name, part[i][0]).s, x, width, 3, i ? 1 : stride);
        x = net_add_instancenorm(net, label(name, part[i][1]).s, x);
        x = net_add_plain(net, NET_RELU, label(name, part[i][2]).s, x);
    }
    return x;
}

static void build(struct net *net, const struct size *z)
{
    int skip[LEVELS], x, i, width;
    char name[32];

    net->analytic = true;
    x = net_add_volume(net, "input", 1, z->side);
    x = skip[0] = twice(net, "input_block", x, z->width[0], 1);
    for (i = 1; i < LEVELS; i++) {
        snprintf(name, sizeof(name), "downsample.%d", i - 1);
        x = skip[i] = twice(net, name, x, z->width[i], 2);
    }
    x = twice(net, "bottleneck", x, z->width[LEVELS - 1], 2);
    for (i = 0; i < LEVELS; i++) {
        width = z->width[LEVELS - 1 - i];
        snprintf(name, sizeof(name), "upsample.%d", i);
        x = net_add_deconv(net, label(name, "upsample_conv.0").s, x, width, 2);
        x = net_add_concat(net, label(name, "concat").s, (int[]){x, skip[LEVELS - 1 - i]}, 2);
        x = twice(net, name, x, width, 1);
    }
    x = net_add_biased(net, "output.conv.0", x, 3, 1, 1);
    net_add_output(net, "output", net_set_gain(net, net_set_balanced(net, x), 2.0f));
}

void net_build_unet3d(struct net *net)
{
    build(net, &(struct size){128, {32, 64, 128, 256, 320}});
}

void net_build_unet3d_small(struct net *net)
{
    build(net, &(struct size){64, {4, 8, 8, 12, 12}});
}
