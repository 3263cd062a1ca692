/* A small residual net for holding engines against each other: every kind of layer that the large
 * nets have, some milliseconds an image. */
#include "net/nets.h"

#include <string.h>

static int unit(struct net *net, int in, const char *prefix, const char *number, int out,
                int kernel, int stride)
{
    char conv[64], bn[64];

    snprintf(conv, sizeof(conv), "%s%s%s", prefix, "conv", number);
    snprintf(bn, sizeof(bn), "%s%s%s", prefix, "bn", number);
    return net_add_bn(net, bn, net_add_conv(net, conv, in, out, kernel, stride));
}

/* Two 3x3 convolutions; the shortcut is projected when the shape changes. */
static int block(struct net *net, int in, const char *prefix, int width, int stride)
{
    char name[3][64];
    static const char *const part[3] = {"relu1", "add", "relu2"};
    int i, x, shortcut = in;

    for (i = 0; i < 3; i++)
        snprintf(name[i], sizeof(name[i]), "%s%s", prefix, part[i]);
    x = net_add_plain(net, NET_RELU, name[0], unit(net, in, prefix, "1", width, 3, stride));
    x = unit(net, x, prefix, "2", width, 3, 1);
    if (stride != 1)
        shortcut = unit(net, in, prefix, "_down", width, 1, stride);
    return net_add_plain(net, NET_RELU, name[2], net_add_sum(net, name[1], x, shortcut));
}

void net_build_check(struct net *net)
{
    static const int bottom_right[4] = {0, 0, 1, 1};
    static const float mean[3] = {123.68f, 116.78f, 103.94f};
    int x, softmax;

    memcpy(net->input_mean, mean, sizeof(mean));
    x = net_add_input(net, "pixels", 3, NET_IMAGE_SIDE, NET_IMAGE_SIDE);
    x = net_add_plain(net, NET_RELU, "relu", unit(net, x, "", "1", 16, 3, 2));
    x = net_add_maxpool(net, "maxpool", x, 3, 2, bottom_right);
    x = block(net, x, "block1.", 16, 1);
    x = block(net, x, "block2.", 32, 2);
    x = block(net, x, "block3.", 64, 2);
    x = net_add_fc(net, "fc", net_add_plain(net, NET_GAP, "avgpool", x), 101);
    softmax = net_add_plain(net, NET_SOFTMAX, "softmax", x);
    net_add_output(net, "class", net_add_plain(net, NET_ARGMAX, "argmax", softmax));
    net_add_output(net, "scores", softmax);
}
