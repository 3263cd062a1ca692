/* RetinaNet of MLPerf: ResNeXt-50 32x4d, a feature pyramid of five levels, and two heads that all
 * levels share; 800x800 RGB images in 0…1, 264 classes, 9 anchors a place.  Outputs are what the
 * heads make, level by level: class logits [9 * 264, h, w] and box deltas [9 * 4, h, w], anchor by
 * anchor.  Decoding and NMS are the benchmark's.  Names are those of the official state dict.
 *
 * Synthetic weights: ReLU leaves each channel a mean, which would decide alone in the heads.  So
 * the kernels behind the pyramid and of the heads' last layers are balanced: what is the same
 * everywhere becomes 0, and outputs differ from place to place.  Class logits lie around the
 * official start of their bias, so spread that a few in a thousand are a detection. */
#include "net/nets.h"

#include <stdio.h>

struct size {
    int image, width, classes; /* width: of the first stage's grouped convolutions */
    int blocks[4];
};

#define LEVELS  5
#define ANCHORS 9

struct label {
    char s[96];
};

static struct label layer_label(int stage, int block, const char *part)
{
    struct label n;

    snprintf(n.s, sizeof(n.s), "backbone.body.layer%d.%d.%s", stage, block, part);
    return n;
}

/* 1x1 to width, 3x3 in 32 groups (with the stride), 1x1 to twice the width; the shortcut is
 * projected where the shape changes. */
static int block(struct net *net, int in, int stage, int i, int width, int stride)
{
    int x, shortcut = in;

    x = net_add_conv(net, layer_label(stage, i, "conv1").s, in, width, 1, 1);
    x = net_add_bn(net, layer_label(stage, i, "bn1").s, x);
    x = net_add_plain(net, NET_RELU, layer_label(stage, i, "relu1").s, x);
    x = net_add_grouped(net, layer_label(stage, i, "conv2").s, x, width, 3, stride, 32);
    x = net_add_bn(net, layer_label(stage, i, "bn2").s, x);
    x = net_add_plain(net, NET_RELU, layer_label(stage, i, "relu2").s, x);
    x = net_add_conv(net, layer_label(stage, i, "conv3").s, x, 2 * width, 1, 1);
    x = net_add_bn(net, layer_label(stage, i, "bn3").s, x);
    if (i == 0) {
        shortcut =
            net_add_conv(net, layer_label(stage, i, "downsample.0").s, in, 2 * width, 1, stride);
        shortcut = net_add_bn(net, layer_label(stage, i, "downsample.1").s, shortcut);
    }
    x = net_add_sum(net, layer_label(stage, i, "add").s, x, shortcut);
    return net_add_plain(net, NET_RELU, layer_label(stage, i, "relu").s, x);
}

/* What the last three stages make, in c. */
static void backbone(struct net *net, const struct size *z, int c[3])
{
    static const float mean[3] = {0.485f, 0.456f, 0.406f}, deviation[3] = {0.229f, 0.224f, 0.225f};
    static const int around[4] = {1, 1, 1, 1};
    int x, stage, i;

    x = net_add_input(net, "images", 3, z->image, z->image);
    x = net_add_standardise(net, "transform", x, mean, deviation);
    x = net_add_conv(net, "backbone.body.conv1", x, z->width / 2, 7, 2);
    x = net_add_plain(net, NET_RELU, "backbone.body.relu", net_add_bn(net, "backbone.body.bn1", x));
    x = net_add_maxpool(net, "backbone.body.maxpool", x, 3, 2, around);
    for (stage = 0; stage < 4; stage++) {
        for (i = 0; i < z->blocks[stage]; i++)
            x = block(net, x, stage + 1, i, z->width << stage, stage > 0 && i == 0 ? 2 : 1);
        if (stage)
            c[stage - 1] = x;
    }
}

/* P3 … P7 in p. */
static void pyramid(struct net *net, const struct size *z, const int c[3], int p[LEVELS])
{
    static const char *const fpn = "backbone.fpn.";
    int width = 2 * z->width, inner[3], up, i;
    char name[64];

    for (i = 2; i >= 0; i--) {
        snprintf(name, sizeof(name), "%sinner_blocks.%d", fpn, i);
        inner[i] = net_add_biased(net, name, c[i], width, 1, 1);
        if (i < 2) {
            snprintf(name, sizeof(name), "%supsample.%d", fpn, i);
            up = net_add_upsample(net, name, inner[i + 1], 2);
            snprintf(name, sizeof(name), "%sadd.%d", fpn, i);
            inner[i] = net_add_sum(net, name, inner[i], up);
        }
        snprintf(name, sizeof(name), "%slayer_blocks.%d", fpn, i);
        p[i] = net_set_balanced(net, net_add_biased(net, name, inner[i], width, 3, 1));
    }
    p[3] = net_add_biased(net, "backbone.fpn.extra_blocks.p6", p[2], width, 3, 2);
    up = net_add_plain(net, NET_RELU, "backbone.fpn.extra_blocks.relu", p[3]);
    p[4] = net_add_biased(net, "backbone.fpn.extra_blocks.p7", up, width, 3, 2);
}

/* One head: four convolutions with ReLU and a last one, on each level with the same weights.
 * Returns the last one. */
static int head(struct net *net, const struct size *z, const int p[LEVELS], const char *name,
                const char *last, int out, const char *const outputs[LEVELS])
{
    int first[5], x, y, level, i;
    char layer[64], own[80];

    for (level = 0; level < LEVELS; level++) {
        for (x = p[level], i = 0; i < 5; i++) {
            if (i < 4)
                snprintf(layer, sizeof(layer), "head.%s_head.conv.%d", name, 2 * i);
            else
                snprintf(layer, sizeof(layer), "head.%s_head.%s", name, last);
            snprintf(own, sizeof(own), "%s/P%d", layer, level + 3);
            if (level)
                y = net_add_same(net, own, x, first[i]);
            else
                y = first[i] = net_add_biased(net, layer, x, i < 4 ? 2 * z->width : out, 3, 1);
            snprintf(own, sizeof(own), "%s.relu/P%d", layer, level + 3);
            x = i < 4 ? net_add_plain(net, NET_RELU, own, y) : y;
        }
        net_add_output(net, outputs[level], x);
    }
    return first[4];
}

static void build(struct net *net, const struct size *z)
{
    static const char *const classes[LEVELS] = {"cls_logits_p3", "cls_logits_p4", "cls_logits_p5",
                                                "cls_logits_p6", "cls_logits_p7"};
    static const char *const boxes[LEVELS] = {"bbox_reg_p3", "bbox_reg_p4", "bbox_reg_p5",
                                              "bbox_reg_p6", "bbox_reg_p7"};
    int c[3], p[LEVELS], last;

    net->analytic = true;
    backbone(net, z, c);
    pyramid(net, z, c, p);
    last = head(net, z, p, "classification", "cls_logits", ANCHORS * z->classes, classes);
    net_set_gain(net, net_set_balanced(net, last), 0.65f);
    net_set_bias(net, last, -4.59512f);
    last = head(net, z, p, "regression", "bbox_reg", ANCHORS * 4, boxes);
    net_set_gain(net, net_set_balanced(net, last), 0.3f);
}

void net_build_retinanet(struct net *net)
{
    build(net, &(struct size){800, 128, 264, {3, 4, 6, 3}});
}

void net_build_retinanet_small(struct net *net)
{
    build(net, &(struct size){128, 32, 5, {1, 1, 1, 1}});
}
