/* ResNet-50 v1.5 (stride on the 3x3 convolution), in the two forms that have official weights.
 *
 * resnet50, as in the MLPerf reference's TensorFlow and ONNX files: 1001 classes (0 is background),
 * NCHW input in 0…255 less the channel means, the max pool's padding at the bottom and right only
 * (TensorFlow's SAME).
 *
 * resnet50-torchvision, as in torchvision and the reference's PyTorch file: 1000 classes, input
 * scaled to about -2…2, padding on all sides of the max pool, logits as output. */
#include "net/nets.h"

#include <stdio.h>

/* conv, batch norm, and ReLU if wanted; names as in torchvision: PREFIX + "conv1", "bn1". */
static int unit(struct net *net, int in, const char *conv, const char *bn, int out, int kernel,
                int stride, const char *relu)
{
    int x = net_add_bn(net, bn, net_add_conv(net, conv, in, out, kernel, stride));

    return relu ? net_add_plain(net, NET_RELU, relu, x) : x;
}

/* 1x1 to width, 3x3 (with the stride), 1x1 to 4 x width; the shortcut is projected when the shape
 * changes. */
static int block(struct net *net, int in, int stage, int index, int width, int stride)
{
    char name[8][64];
    static const char *const part[8] = {"conv1", "bn1",   "relu1", "conv2",
                                        "bn2",   "relu2", "conv3", "bn3"};
    char down[2][64], add[64], relu[64];
    int i, x, shortcut = in;

    for (i = 0; i < 8; i++)
        snprintf(name[i], sizeof(name[i]), "layer%d.%d.%s", stage, index, part[i]);
    for (i = 0; i < 2; i++)
        snprintf(down[i], sizeof(down[i]), "layer%d.%d.downsample.%d", stage, index, i);
    snprintf(add, sizeof(add), "layer%d.%d.add", stage, index);
    snprintf(relu, sizeof(relu), "layer%d.%d.relu", stage, index);

    x = unit(net, in, name[0], name[1], width, 1, 1, name[2]);
    x = unit(net, x, name[3], name[4], width, 3, stride, name[5]);
    x = unit(net, x, name[6], name[7], 4 * width, 1, 1, NULL);
    if (index == 0)
        shortcut = unit(net, in, down[0], down[1], 4 * width, 1, stride, NULL);
    return net_add_plain(net, NET_RELU, relu, net_add_sum(net, add, x, shortcut));
}

/* From the input to the classifier. */
static int trunk(struct net *net, const char *input, const int pool_pad[4], int classes)
{
    static const int blocks[4] = {3, 4, 6, 3};
    int stage, i, x = net_add_input(net, input, 3, 224, 224);

    net->benchmark = "resnet50";
    x = unit(net, x, "conv1", "bn1", 64, 7, 2, "relu");
    x = net_add_maxpool(net, "maxpool", x, 3, 2, pool_pad);
    for (stage = 0; stage < 4; stage++)
        for (i = 0; i < blocks[stage]; i++)
            x = block(net, x, stage + 1, i, 64 << stage, stage > 0 && i == 0 ? 2 : 1);
    x = net_add_plain(net, NET_GAP, "avgpool", x);
    return net_add_fc(net, "fc", x, classes);
}

void net_build_resnet50(struct net *net)
{
    static const int bottom_right[4] = {0, 0, 1, 1};
    static const float mean[3] = {123.68f, 116.78f, 103.94f};
    int i, x, softmax;

    for (i = 0; i < 3; i++)
        net->input_mean[i] = mean[i];
    net->feeding = "input: {name: \"input_tensor:0\", layout: NCHW, color: RGB, method: vgg}\n"
                   "output: {name: \"ArgMax:0\", kind: argmax, dtype: int64, classes: 1000, "
                   "label_offset: -1}\n";
    x = trunk(net, "input_tensor:0", bottom_right, 1001);
    softmax = net_add_plain(net, NET_SOFTMAX, "softmax", x);
    net_add_output(net, "ArgMax:0", net_add_plain(net, NET_ARGMAX, "argmax", softmax));
    net_add_output(net, "softmax_tensor:0", softmax);
}

void net_build_resnet50_torchvision(struct net *net)
{
    static const int around[4] = {1, 1, 1, 1};
    static const float mean[3] = {123.675f, 116.28f, 103.53f}, std[3] = {58.395f, 57.12f, 57.375f};
    int i;

    for (i = 0; i < 3; i++) {
        net->input_mean[i] = mean[i];
        net->input_std[i] = std[i];
    }
    net->feeding = "input: {name: input, layout: NCHW, color: RGB, method: pytorch}\n"
                   "output: {name: logits, kind: logits, classes: 1000, label_offset: 0}\n";
    net_add_output(net, "logits", trunk(net, "input", around, 1000));
}
