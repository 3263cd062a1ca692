/* Topology: counts against the published figures, names, and the builder's refusals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "net/net.h"

static void resnet50_counts(void **state)
{
    struct assay_err err = {0};
    struct net *net;
    uint64_t conv = 0, stage[5] = {0};
    int i, convs = 0;

    (void)state;
    assert_int_equal(net_create("resnet50", &net, &err), ASSAY_OK);
    assert_int_equal(net_parameters(net, true), 25532521);
    assert_int_equal(net_parameters(net, false), 25559081);
    assert_int_equal(net_macs(net), 4089186304);
    for (i = 0; i < net->layer_count; i++) {
        if (net->layers[i].op != NET_CONV)
            continue;
        convs++;
        conv += net->tensors[net->layers[i].tensor].count;
        stage[net->layers[i].name[0] == 'l' ? net->layers[i].name[5] - '0' : 0] +=
            net->layers[i].macs;
    }
    assert_int_equal(convs, 53);
    assert_int_equal(conv, 23454912);
    assert_int_equal(stage[0], 118013952);
    assert_int_equal(stage[1], 667942912);
    assert_int_equal(stage[2], 1027604480);
    assert_int_equal(stage[3], 1464336384);
    assert_int_equal(stage[4], 809238528);
    net_destroy(net);
}

/* What binding official weights relies on. */
static void state_dict_names(void **state)
{
    static const char *const want[] = {
        "conv1.weight",          "bn1.running_var",           "layer1.0.downsample.1.bias",
        "layer3.5.conv2.weight", "layer4.2.bn3.running_mean", "fc.bias"};
    struct assay_err err = {0};
    struct net *net;
    size_t w;
    int i, found;

    (void)state;
    assert_int_equal(net_create("resnet50", &net, &err), ASSAY_OK);
    assert_int_equal(net->tensor_count, 53 + 53 * 4 + 2);
    for (w = 0; w < sizeof(want) / sizeof(want[0]); w++) {
        for (found = 0, i = 0; i < net->tensor_count; i++)
            found += !strcmp(net->tensors[i].name, want[w]);
        assert_int_equal(found, 1);
    }
    net_destroy(net);
}

/* input, 53 x (conv, bn), 49 ReLU, max pool, 16 sums, average pool, fc, softmax, argmax */
#define LAYERS (1 + 106 + 49 + 1 + 16 + 4)

static void interface(void **state)
{
    struct assay_err err = {0};
    json_t *d;

    (void)state;
    assert_int_equal(net_describe("resnet50", &d, &err), ASSAY_OK);
    assert_string_equal(json_string_value(json_object_get(
                            json_array_get(json_object_get(d, "outputs"), 0), "dtype")),
                        "int64");
    assert_int_equal(json_integer_value(json_object_get(d, "macs")), 4089186304);
    assert_int_equal(json_array_size(json_object_get(d, "layers")), LAYERS);
    json_decref(d);
}

/* As torchvision has it: the counts that its documentation gives, and padding on all sides. */
static void torchvision(void **state)
{
    static const int around[4] = {1, 1, 1, 1};
    struct net *net;
    int pools = 0;

    (void)state;
    assert_int_equal(net_create("resnet50-torchvision", &net, NULL), ASSAY_OK);
    assert_int_equal(net_parameters(net, false), 25557032);
    assert_int_equal(net_macs(net), 4089184256);
    for (int i = 0; i < net->layer_count; i++) {
        if (net->layers[i].op != NET_MAXPOOL)
            continue;
        pools++;
        assert_memory_equal(net->layers[i].pad, around, sizeof(around));
        assert_int_equal(net->layers[i].shape.h, 56);
    }
    assert_int_equal(pools, 1);
    assert_int_equal(net->output_count, 1);
    assert_string_equal(net->outputs[0].name, "logits");
    assert_int_equal(net->outputs[0].dims[1], 1000);
    net_destroy(net);
}

static void unknown_names(void **state)
{
    struct assay_err err = {0};
    json_t *d;
    size_t n;

    (void)state;
    assert_true(net_find("resnet50"));
    assert_false(net_find("resnet"));
    assert_string_equal(net_names(&n)[0], "resnet50");
    assert_true(n >= 3 && net_find("check") && net_find("resnet50-torchvision"));
    assert_int_equal(net_describe("resnet5", &d, &err), ASSAY_EUSAGE);
    assert_non_null(strstr(err.text, "did you mean 'resnet50'?"));
    assert_int_equal(net_write("resnet50", "onx", 1, "never", &err), ASSAY_EUSAGE);
    assert_non_null(strstr(err.text, "onnx"));
}

static void twice(struct net *net)
{
    int x = net_add_input(net, "in", 3, 8, 8);

    net_add_conv(net, "a", net_add_conv(net, "a", x, 4, 3, 1), 4, 3, 1);
}

static void mismatch(struct net *net)
{
    int x = net_add_input(net, "in", 3, 8, 8);

    net_add_sum(net, "sum", x, net_add_conv(net, "half", x, 3, 3, 2));
    net_add_output(net, "out", 2);
}

static void forward(struct net *net)
{
    net_add_input(net, "in", 3, 8, 8);
    net_add_bn(net, "bn", 7);
}

static void too_small(struct net *net)
{
    int x = net_add_input(net, "in", 3, 2, 2);
    static const int none[4] = {0, 0, 0, 0};

    net_add_maxpool(net, "pool", x, 3, 1, none);
}

static void refusals(void **state)
{
    static const struct {
        void (*build)(struct net *);
        const char *says;
    } cases[] = {{twice, "'a': the name is used twice"},
                 {mismatch, "'sum': its input has the wrong shape"},
                 {forward, "'bn': an input is no earlier layer"},
                 {too_small, "'pool': its input has the wrong shape"}};
    struct assay_err err;
    struct net *net;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(net_create_from("t", "test", cases[i].build, &net, &err), ASSAY_EFAIL);
        assert_non_null(strstr(err.text, cases[i].says));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resnet50_counts), cmocka_unit_test(state_dict_names),
        cmocka_unit_test(interface),       cmocka_unit_test(unknown_names),
        cmocka_unit_test(torchvision),     cmocka_unit_test(refusals)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
