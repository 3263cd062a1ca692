/* A net with every kind of layer that runs in milliseconds. */
#include "net/net.h"

static void tiny_build(struct net *net)
{
    static const int pad[4] = {0, 0, 1, 1};
    int x, y;

    x = net_add_input(net, "pixels", 3, 32, 32);
    x = net_add_plain(net, NET_RELU, "relu",
                      net_add_bn(net, "bn1", net_add_conv(net, "conv1", x, 5, 3, 2)));
    x = net_add_maxpool(net, "pool", x, 3, 2, pad);
    y = net_add_bn(net, "bn2", net_add_conv(net, "conv2", x, 5, 1, 1));
    x = net_add_plain(net, NET_GAP, "mean", net_add_sum(net, "sum", x, y));
    x = net_add_plain(net, NET_SOFTMAX, "softmax", net_add_fc(net, "fc", x, 7));
    net_add_output(net, "class", net_add_plain(net, NET_ARGMAX, "argmax", x));
    net_add_output(net, "scores", x);
}
