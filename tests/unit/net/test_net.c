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

/* The published figures; with the pooler, which SQuAD does not use, there would be
 * 1,049,600 parameters more. */
static void bert_counts(void **state)
{
    struct assay_err err = {0};
    struct net *net;
    uint64_t linear = 0, attention = 0;
    int i;

    (void)state;
    assert_int_equal(net_create("bert", &net, &err), ASSAY_OK);
    assert_int_equal(net_parameters(net, false), 334094338);
    assert_int_equal(net_macs(net), 123212660736);
    for (i = 0; i < net->layer_count; i++) {
        attention += net->layers[i].op == NET_ATTENTION ? net->layers[i].macs : 0;
        linear += net->layers[i].op == NET_FC ? net->layers[i].macs : 0;
    }
    assert_int_equal(attention, 7247757312);
    assert_int_equal(linear, 115964116992 + 786432);
    assert_int_equal(net->input_count, 3);
    assert_int_equal(net->inputs[1].dtype, ASSAY_I64);
    assert_int_equal(net->inputs[1].dims[0], -1);
    assert_int_equal(net->inputs[1].dims[1], -1);
    assert_int_equal(net->outputs[0].rank, 2);
    assert_int_equal(net->outputs[0].dims[1], -1);
    net_destroy(net);
}

static uint64_t macs_below(const struct net *net, const char *prefix)
{
    uint64_t sum = 0;

    for (int i = 0; i < net->layer_count; i++)
        if (!strncmp(net->layers[i].name, prefix, strlen(prefix)))
            sum += net->layers[i].macs;
    return sum;
}

static void retinanet_counts(void **state)
{
    struct assay_err err = {0};
    struct net *net;

    (void)state;
    assert_int_equal(net_create("retinanet", &net, &err), ASSAY_OK);
    assert_int_equal(net_parameters(net, false), 37060652 + 2 * 34112);
    assert_int_equal(net_parameters(net, true), 37060652 + 34112);
    assert_int_equal(net_macs(net), 201208394752);
    assert_int_equal(macs_below(net, "backbone.body."), 53934080000);
    assert_int_equal(macs_below(net, "backbone.fpn."), 10163781632);
    assert_int_equal(macs_below(net, "head.classification_head."), 104523724800);
    assert_int_equal(macs_below(net, "head.regression_head."), 32586808320);
    assert_int_equal(net->output_count, 10);
    assert_int_equal(net->outputs[4].dims[1], 2376);
    assert_int_equal(net->outputs[4].dims[2], 7);
    assert_int_equal(net->outputs[5].dims[1], 36);
    assert_int_equal(net->outputs[5].dims[3], 100);
    net_destroy(net);
}

static void unet3d_counts(void **state)
{
    struct assay_err err = {0};
    struct net *net;
    uint64_t conv = 0;

    (void)state;
    assert_int_equal(net_create("3d-unet", &net, &err), ASSAY_OK);
    assert_int_equal(net_parameters(net, false), 31190243);
    for (int i = 0; i < net->layer_count; i++)
        for (int t = 0; net->layers[i].op != NET_INSTANCENORM && t < net->layers[i].tensors; t++)
            conv += net->tensors[net->layers[i].tensor + t].count;
    assert_int_equal(conv, 31182563);
    assert_int_equal(net_macs(net), 477298688000);
    assert_int_equal(macs_below(net, "input_block.conv2"), 57982058496);
    assert_int_equal(macs_below(net, "downsample.2"), 3623878656 + 7247757312);
    assert_int_equal(macs_below(net, "upsample.1.upsample_conv"), 335544320);
    assert_int_equal(macs_below(net, "output"), 201326592);
    assert_int_equal(net->outputs[0].rank, 5);
    assert_int_equal(net->outputs[0].dims[1], 3);
    assert_int_equal(net->outputs[0].dims[4], 128);
    net_destroy(net);
}

/* Tables apart, which are cut. */
static void dlrm_counts(void **state)
{
    struct assay_err err = {0};
    struct net *net;
    uint64_t tables = 0;

    (void)state;
    assert_int_equal(net_create("dlrm", &net, &err), ASSAY_OK);
    for (int i = 0; i < net->tensor_count; i++) {
        if (strncmp(net->tensors[i].name, "emb_l.", 6))
            continue;
        tables += net->tensors[i].count;
        assert_int_equal(net->tensors[i].dims[1], 128);
        assert_true(net->tensors[i].dims[0] <= 100000);
    }
    assert_int_equal(net_parameters(net, false) - tables, 2368897);
    assert_int_equal(macs_below(net, "bot_l"), 170496);
    assert_int_equal(macs_below(net, "products"), 44928);
    assert_int_equal(macs_below(net, "top_l"), 2194688);
    assert_int_equal(net_macs(net), 2410112);
    assert_int_equal(net->outputs[0].rank, 2);
    assert_int_equal(net->outputs[0].dims[1], 1);
    net_destroy(net);
}

/* Of the second version; tables apart, too. */
static void dlrm_v2_counts(void **state)
{
    struct assay_err err = {0};
    struct net *net;
    uint64_t tables = 0;

    (void)state;
    assert_int_equal(net_create("dlrm-v2", &net, &err), ASSAY_OK);
    for (int i = 0; i < net->tensor_count; i++)
        if (!strncmp(net->tensors[i].name, "sparse_arch.", 12))
            tables += net->tensors[i].count;
    assert_int_equal(net_parameters(net, false) - tables, 16044545);
    assert_int_equal(macs_below(net, "dense_arch"), 170496);
    assert_int_equal(macs_below(net, "cross"), 10616832);
    assert_int_equal(macs_below(net, "over_arch"), 5243136);
    assert_int_equal(net_macs(net), 16030464);
    assert_int_equal(net->inputs[1].dims[1], 214);
    for (int i = 0; i < net->tensor_count; i++) /* columns in torchrec's state dict */
        if (!strcmp(net->tensors[i].name, "inter_arch.crossnet.bias.2"))
            assert_int_equal(net->tensors[i].rank, 2);
    assert_int_equal(net->outputs[0].dims[1], 1);
    net_destroy(net);
}

static void rnnt_counts(void **state)
{
    static const struct {
        const char *net;
        uint64_t parameters, macs;
    } want[] = {{"rnnt-encoder", 42967040, 500 * UINT64_C(13565952) + 250 * UINT64_C(29360128)},
                {"rnnt-prediction", 1652480, 1638400},
                {"rnnt-joint", 703517, 702976}};
    struct assay_err err = {0};
    struct net *net;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(net_create(want[i].net, &net, &err), ASSAY_OK);
        assert_int_equal(net_parameters(net, false), want[i].parameters);
        assert_int_equal(net_macs(net), want[i].macs);
        net_destroy(net);
    }
}

/* What binding official weights relies on. */
static void state_dict_names(void **state)
{
    static const struct {
        const char *net, *tensor;
    } want[] = {
        {"resnet50", "conv1.weight"},
        {"resnet50", "bn1.running_var"},
        {"resnet50", "layer1.0.downsample.1.bias"},
        {"resnet50", "layer3.5.conv2.weight"},
        {"resnet50", "layer4.2.bn3.running_mean"},
        {"resnet50", "fc.bias"},
        {"bert", "bert.embeddings.position_embeddings.weight"},
        {"bert", "bert.embeddings.LayerNorm.weight"},
        {"bert", "bert.encoder.layer.23.attention.self.query.bias"},
        {"bert", "bert.encoder.layer.0.attention.output.dense.weight"},
        {"bert", "bert.encoder.layer.7.intermediate.dense.weight"},
        {"bert", "bert.encoder.layer.7.output.LayerNorm.bias"},
        {"bert", "qa_outputs.weight"},
        {"retinanet", "backbone.body.layer2.0.downsample.1.running_var"},
        {"retinanet", "backbone.fpn.inner_blocks.2.weight"},
        {"retinanet", "backbone.fpn.layer_blocks.0.bias"},
        {"retinanet", "backbone.fpn.extra_blocks.p7.weight"},
        {"retinanet", "head.classification_head.conv.6.bias"},
        {"retinanet", "head.classification_head.cls_logits.weight"},
        {"retinanet", "head.regression_head.bbox_reg.bias"},
        {"3d-unet", "input_block.conv1.0.weight"},
        {"3d-unet", "downsample.3.conv2.1.bias"},
        {"3d-unet", "bottleneck.conv1.1.weight"},
        {"3d-unet", "upsample.0.upsample_conv.0.bias"},
        {"3d-unet", "output.conv.0.weight"},
        {"rnnt-encoder", "encoder.pre_rnn.lstm.weight_ih_l1"},
        {"rnnt-encoder", "encoder.post_rnn.lstm.bias_hh_l2"},
        {"rnnt-prediction", "prediction.embed.weight"},
        {"rnnt-prediction", "prediction.dec_rnn.lstm.weight_hh_l0"},
        {"rnnt-joint", "joint.net.0.bias"},
        {"rnnt-joint", "joint.net.3.weight"},
        {"dlrm", "emb_l.25.weight"},
        {"dlrm", "bot_l.4.bias"},
        {"dlrm", "top_l.8.weight"},
        {"dlrm-v2", "sparse_arch.embedding_bag_collection.embedding_bags.t_cat_25.weight"},
        {"dlrm-v2", "dense_arch.model._mlp.2._linear.bias"},
        {"dlrm-v2", "inter_arch.crossnet.V_kernels.0"},
        {"dlrm-v2", "inter_arch.crossnet.W_kernels.2"},
        {"dlrm-v2", "inter_arch.crossnet.bias.1"},
        {"dlrm-v2", "over_arch.model.0._mlp.3._linear.weight"},
        {"dlrm-v2", "over_arch.model.1.weight"},
    };
    static const struct {
        const char *net;
        int tensors;
    } sizes[] = {{"resnet50", 53 + 53 * 4 + 2},
                 {"bert", 3 + 2 + 24 * 16 + 2},
                 {"retinanet", 53 * 5 + 2 * 8 + 2 * 10},
                 {"3d-unet", 22 * 3 + 5 * 2 + 2},
                 {"dlrm", 26 + 2 * 8},
                 {"dlrm-v2", 26 + 2 * 8 + 3 * 3}};
    struct assay_err err = {0};
    struct net *net;
    size_t w;
    int i, found;

    (void)state;
    for (w = 0; w < sizeof(want) / sizeof(want[0]); w++) {
        assert_int_equal(net_create(want[w].net, &net, &err), ASSAY_OK);
        for (found = 0, i = 0; i < net->tensor_count; i++)
            found += !strcmp(net->tensors[i].name, want[w].tensor);
        if (found != 1)
            fail_msg("%s has %d tensors called %s", want[w].net, found, want[w].tensor);
        net_destroy(net);
    }
    for (w = 0; w < sizeof(sizes) / sizeof(sizes[0]); w++) {
        assert_int_equal(net_create(sizes[w].net, &net, &err), ASSAY_OK);
        assert_int_equal(net->tensor_count, sizes[w].tensors);
        net_destroy(net);
    }
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
    assert_int_equal(net_write("resnet50", "onx", "fp32", 1, "never", &err), ASSAY_EUSAGE);
    assert_non_null(strstr(err.text, "onnx"));
}

/* DLRM's tables; all others keep their size. */
static void a_size_is_chosen(void **state)
{
    static const char *const bad[][2] = {{"dlrm:", "'' is not known; wanted: rows=N"},
                                         {"dlrm:rows", "'rows' is not known"},
                                         {"dlrm:rows=0", "'rows=0' is not known"},
                                         {"dlrm:rows=1e6", "'rows=1e6' is not known"},
                                         {"dlrm:rows=5,more=1", "'rows=5,more=1' is not known"},
                                         {"bert:rows=5", "net bert: has no size to choose"},
                                         {"dlm:rows=5", "did you mean 'dlrm'?"}};
    static const struct {
        const char *name, *is;
        uint64_t rows; /* of all tables */
    } nets[] = {{"dlrm:rows=7", "dlrm:rows=7", 175},
                {"dlrm", "dlrm", 921165},
                {"dlrm:rows=100000", "dlrm", 921165},
                {"dlrm:rows=40000000", "dlrm:rows=40000000", 187767399}};
    struct assay_err err = {0};
    uint64_t rest = 0;
    struct net *net;

    (void)state;
    for (size_t i = 0; i < sizeof(nets) / sizeof(nets[0]); i++) {
        if (net_create(nets[i].name, &net, &err))
            fail_msg("%s", err.text);
        assert_string_equal(net->name, nets[i].is);
        if (!i)
            rest = net_parameters(net, false) - 175 * 128;
        assert_int_equal(net_parameters(net, false), nets[i].rows * 128 + rest);
        net_destroy(net);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(net_create(bad[i][0], &net, &err), ASSAY_EUSAGE);
        if (!strstr(err.text, bad[i][1]))
            fail_msg("'%s', not '%s'", err.text, bad[i][1]);
    }
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

/* Only what is as large as a made-up image: neither the large images nor rows nor volumes. */
static void images_refused(void **state)
{
    static const char *const nets[] = {"resnet50", "bert", "3d-unet"};
    struct assay_err err;

    (void)state;
    for (size_t i = 0; i < sizeof(nets) / sizeof(nets[0]); i++) {
        assert_int_equal(net_write_images(nets[i], 1, 1, "never", &err), ASSAY_EUSAGE);
        assert_non_null(strstr(err.text, "its images are not 128 pixels wide"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resnet50_counts),  cmocka_unit_test(bert_counts),
        cmocka_unit_test(retinanet_counts), cmocka_unit_test(unet3d_counts),
        cmocka_unit_test(dlrm_counts),      cmocka_unit_test(dlrm_v2_counts),
        cmocka_unit_test(rnnt_counts),      cmocka_unit_test(state_dict_names),
        cmocka_unit_test(interface),        cmocka_unit_test(unknown_names),
        cmocka_unit_test(a_size_is_chosen), cmocka_unit_test(torchvision),
        cmocka_unit_test(refusals),         cmocka_unit_test(images_refused)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
