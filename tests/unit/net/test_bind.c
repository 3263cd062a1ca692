/* Weights of files for our nets: by name from state dicts, by graph from ONNX, to the bit; what
 * does not fit is refused by its name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <math.h>
#include <cmocka.h>

#include "net/bind.h"
#include "net/fold.h"
#include "net/nets.h"
#include "tiny.h"
#include "weights_files.h"

static char path[64];

static int make_path(void **state)
{
    int fd;

    (void)state;
    snprintf(path, sizeof(path), "/tmp/assay-bind-XXXXXX");
    fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int drop_path(void **state)
{
    (void)state;
    return unlink(path);
}

struct made {
    struct net *net;
    struct net_weights *w;
};

static struct made make(void (*build)(struct net *))
{
    struct made m;

    assert_int_equal(net_create_from("tiny", "test", build, &m.net, NULL), ASSAY_OK);
    assert_int_equal(net_weights_create(m.net, 1, &m.w, NULL), ASSAY_OK);
    return m;
}

static void drop(struct made *m)
{
    net_weights_destroy(m->w);
    net_destroy(m->net);
}

/* ---- by name ---- */

/* The weights as safetensors, each name with `before` in front; `more` entries behind them. */
static void save(const struct made *m, const char *before, const char *skip, const char *more,
                 struct text *file)
{
    struct text header, data;
    float *values;

    text_init(&header, FILE_MAX);
    text_init(&data, FILE_MAX);
    text_add(&header, "{");
    for (int i = 0; i < m->net->tensor_count; i++) {
        const struct net_tensor *t = &m->net->tensors[i];
        size_t bytes = t->count * sizeof(float);

        if (skip && !strcmp(t->name, skip))
            continue;
        text_addf(&header, "%s\"%s%s\":{\"dtype\":\"F32\",\"shape\":[", header.len > 1 ? "," : "",
                  before, t->name);
        for (uint32_t d = 0; d < t->rank; d++)
            text_addf(&header, "%s%d", d ? "," : "", (int)t->dims[d]);
        text_addf(&header, "],\"data_offsets\":[%zu,%zu]}", data.len, data.len + bytes);
        values = net_weights_copy(m->net, m->w, i, NULL);
        assert_non_null(values);
        text_addn(&data, (const char *)values, bytes);
        free(values);
    }
    assert_false(header.cut || data.cut);
    text_addf(&header, "%s}", more);
    safetensors_file(file, header.s, data.s, data.len);
    text_release(&header);
    text_release(&data);
}

static int bind(const struct made *m, const struct text *file, struct net_weights **w, size_t *fit,
                struct assay_err *err)
{
    struct state *s;
    int rc;

    assert_int_equal(net_weights_allocate(m->net, w, NULL), ASSAY_OK);
    assert_int_equal(state_read(file->s, file->len, "x.pth", &s, NULL), ASSAY_OK);
    rc = bind_weights(m->net, s, *w, fit, err);
    state_close(s);
    return rc;
}

static void same_tensors(const struct made *m, const struct net_weights *w)
{
    float *want;

    for (int t = 0; t < m->net->tensor_count; t++) {
        want = net_weights_copy(m->net, m->w, t, NULL);
        assert_non_null(want);
        assert_memory_equal(w->data[t], want, m->net->tensors[t].count * sizeof(float));
        free(want);
    }
}

static void by_name(void **state)
{
    static const char *const before[] = {"", "module."};
    struct made m = make(tiny_build);
    struct net_weights *w;
    struct text file;
    size_t fit;

    (void)state;
    for (int i = 0; i < 2; i++) {
        save(&m, before[i], NULL,
             ",\"bn1.num_batches_tracked\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[0,8]}",
             &file);
        assert_int_equal(bind(&m, &file, &w, &fit, NULL), ASSAY_OK);
        same_tensors(&m, w);
        assert_false(w->synthetic);
        assert_int_equal(fit, m.net->tensor_count);
        net_weights_destroy(w);
        text_release(&file);
    }
    drop(&m);
}

/* Nets whose synthetic tensors are made when they are asked for: what is bound is the file's, to
 * the last tensor. */
static void every_net_by_name(void **state)
{
    static void (*const nets[])(struct net *) = {net_build_bert_small,
                                                 net_build_retinanet_small,
                                                 net_build_unet3d_small,
                                                 net_build_dlrm_small,
                                                 net_build_rnnt_encoder_small,
                                                 net_build_rnnt_joint_small,
                                                 net_build_rnnt_prediction_small,
                                                 net_build_dlrm_v2_small};
    struct net_weights *w;
    struct assay_err err;
    struct text file;
    struct made m;
    size_t fit;

    (void)state;
    for (size_t i = 0; i < sizeof(nets) / sizeof(nets[0]); i++) {
        m = make(nets[i]);
        for (int wrapped = 0; wrapped < 2; wrapped++) {
            save(&m, wrapped ? "model." : "", NULL, "", &file);
            if (bind(&m, &file, &w, &fit, &err))
                fail_msg("%s", err.text);
            same_tensors(&m, w);
            net_weights_destroy(w);
            text_release(&file);
        }
        drop(&m);
    }
}

/* The checkpoint of RNN-T has three networks: each net takes its own, under the official names, and
 * what belongs to none is refused as ever. */
static void one_of_a_checkpoint(void **state)
{
#define F32(name) ",\"" name "\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}"
    static const char *const beside[] = {
        F32("audio_preprocessor.featurizer.fb") F32("prediction.embed.x") F32("joint_net.9.x"),
        F32("encoder.pre_rnn.lstm.x") F32("joint.x") F32("joint_net.9.x"),
        F32("encoder.pre_rnn.lstm.x") F32("prediction.embed.x")};
    static const char *const own[] = {"encoder.post_rnn.lstm.weight_ih_l3",
                                      "prediction.dec_rnn.lstm.weight_ih_l2", "joint_net.9.x"};
    static void (*const nets[])(struct net *) = {
        net_build_rnnt_encoder_small, net_build_rnnt_prediction_small, net_build_rnnt_joint_small};
    static const char *const before[] = {"", "module."};
    struct net_weights *w;
    struct assay_err err;
    struct text file;
    struct made m;
    size_t fit;
    char *name, more[200];

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        m = make(nets[i]);
        for (size_t k = 0; k < 2; k++) {
            save(&m, before[k], NULL, k ? "" : beside[i], &file);
            while ((name = memmem(file.s, file.len, "joint.net.", 10)))
                name[5] = '_';
            if (bind(&m, &file, &w, &fit, &err))
                fail_msg("%s", err.text);
            same_tensors(&m, w);
            net_weights_destroy(w);
            text_release(&file);
        }
        /* Of its own part nothing is left out: another layer makes another model. */
        snprintf(more, sizeof(more),
                 ",\"%s\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}", own[i]);
        save(&m, "", NULL, more, &file);
        assert_int_equal(bind(&m, &file, &w, &fit, &err), ASSAY_EFAIL);
        assert_non_null(strstr(err.text, "not wanted: "));
        assert_non_null(strstr(err.text, own[i]));
        net_weights_destroy(w);
        text_release(&file);
        save(&m, "", NULL, F32("decoder.x"), &file);
        assert_int_equal(bind(&m, &file, &w, &fit, &err), ASSAY_EFAIL);
        assert_non_null(strstr(err.text, "not wanted: decoder.x"));
        net_weights_destroy(w);
        text_release(&file);
        drop(&m);
    }
}

/* What BERT's official state dict has beside what SQuAD needs. */
static void pooler(void **state)
{
    static const char beside[] = F32("bert.pooler.dense.weight") F32("bert.pooler.dense.bias")
        F32("bert.embeddings.position_ids");
    struct made m = make(net_build_bert_small);
    struct net_weights *w;
    struct assay_err err;
    struct text file;
    size_t fit;

    (void)state;
    for (int i = 0; i < 2; i++) {
        save(&m, "", NULL, i ? F32("bert.extra") : beside, &file);
        if (bind(&m, &file, &w, &fit, &err) != (i ? ASSAY_EFAIL : ASSAY_OK))
            fail_msg("%s", err.text);
        if (!i)
            same_tensors(&m, w);
        net_weights_destroy(w);
        text_release(&file);
    }
    assert_non_null(strstr(err.text, "not wanted: bert.extra"));
    drop(&m);
}

static void names_refused(void **state)
{
#define MORE(name, type, shape, to)                                                                \
    ",\"" name "\":{\"dtype\":\"" type "\",\"shape\":" shape ",\"data_offsets\":[0," to "]}"
    static const struct {
        const char *skip, *more, *says;
    } cases[] = {
        {"bn1.bias", "", "x.pth: does not fit the net tiny: missing bn1.bias"},
        {NULL, MORE("extra", "F32", "[1]", "4"), "not wanted: extra"},
        {NULL, MORE("module.fc.bias", "F32", "[1]", "4"), "not wanted: module.fc.bias"},
        {"fc.bias", MORE("fc.bias", "F32", "[6]", "24"), "fc.bias is float32 [6], not float [7]"},
        {"fc.bias", MORE("fc.bias", "F32", "[7,1]", "28"), "is float32 [7, 1], not float [7]"},
        {"fc.bias", MORE("fc.bias", "I32", "[7]", "28"), "fc.bias is int32 [7], not float [7]"},
        {"fc.bias", MORE("fc.bais", "F32", "[7]", "28"), "missing fc.bias; not wanted: fc.bais"},
        {NULL,
         MORE("e1", "F32", "[1]", "4") MORE("e2", "F32", "[1]", "4") MORE("e3", "F32", "[1]", "4")
             MORE("e4", "F32", "[1]", "4") MORE("e5", "F32", "[1]", "4"),
         "not wanted: e1, e2, e3 and 2 more"},
    };
    struct made m = make(tiny_build);
    struct assay_err err;
    struct net_weights *w;
    struct text file;
    size_t fit;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        save(&m, "", cases[i].skip, cases[i].more, &file);
        if (!bind(&m, &file, &w, &fit, &err))
            fail_msg("taken: %s", cases[i].says);
        if (!strstr(err.text, cases[i].says))
            fail_msg("'%s' lacks '%s'", err.text, cases[i].says);
        net_weights_destroy(w);
        text_release(&file);
    }
    drop(&m);
}

static int tensor_of(const struct net *net, const char *name)
{
    for (int i = 0; i < net->tensor_count; i++)
        if (!strcmp(net->tensors[i].name, name))
            return i;
    fail_msg("no %s", name);
    return 0;
}

static void impossible_numbers(void **state)
{
    static const struct {
        const char *tensor;
        float value;
    } cases[] = {{"bn1.running_var", -1}, {"fc.weight", NAN}, {"conv1.weight", INFINITY}};
    struct made m = make(tiny_build);
    struct assay_err err;
    struct net_weights *w;
    struct text file;
    size_t fit;
    float was;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        float *x = &m.w->data[tensor_of(m.net, cases[i].tensor)][1];

        was = *x;
        *x = cases[i].value;
        save(&m, "", NULL, "", &file);
        *x = was;
        assert_int_equal(bind(&m, &file, &w, &fit, &err), ASSAY_EFAIL);
        assert_non_null(strstr(err.text, cases[i].tensor));
        net_weights_destroy(w);
        text_release(&file);
    }
    drop(&m);
}

/* ---- by graph ---- */

/* Variations of one net, for files that almost fit. */
static struct {
    int stride, kernel, pad, classes;
    bool twin, extra, swapped;
} form;

static void form_build(struct net *net)
{
    const int pad[4] = {form.pad, form.pad, 1, 1};
    int x, y, z;

    x = net_add_input(net, "pixels", 3, 32, 32);
    x = net_add_plain(net, NET_RELU, "relu",
                      net_add_bn(net, "bn1", net_add_conv(net, "conv1", x, 5, 3, form.stride)));
    x = net_add_maxpool(net, "pool", x, 3, 2, pad);
    y = net_add_bn(net, "bn2", net_add_conv(net, "conv2", x, form.twin ? 4 : 5, form.kernel, 1));
    z = net_add_bn(net, "bn3", net_add_conv(net, "conv3", x, form.twin ? 4 : 5, 3, 1));
    x = form.twin ? net_add_sum(net, "sum", y, z)
                  : net_add_sum(net, "sum", form.swapped ? y : z, form.swapped ? z : y);
    if (form.extra)
        net_add_output(net, "more", net_add_bn(net, "bn4", net_add_conv(net, "conv4", x, 5, 1, 1)));
    x = net_add_plain(net, NET_GAP, "mean", x);
    net_add_output(net, "scores", net_add_fc(net, "fc", x, form.classes));
}

static void plain_form(void)
{
    memset(&form, 0, sizeof(form));
    form.stride = 2;
    form.kernel = 1;
    form.classes = 7;
}

/* Writes `from` as ONNX and binds the file to m's net. */
static int bind_file(const struct made *from, const struct made *m, struct net_weights **w,
                     struct assay_err *err)
{
    struct state *s;
    size_t fit;
    int rc;

    assert_int_equal(net_write_as(from->net, from->w, "onnx", "fp32", 1, path, NULL), ASSAY_OK);
    assert_int_equal(net_weights_allocate(m->net, w, NULL), ASSAY_OK);
    assert_int_equal(state_open(path, &s, NULL), ASSAY_OK);
    rc = bind_weights(m->net, s, *w, &fit, err);
    if (!rc)
        assert_string_equal((*w)->sha256, s->sha256);
    state_close(s);
    return rc;
}

static void same_folded(const struct net *net, const struct net_weights *a,
                        const struct net_weights *b)
{
    float *x, *y;

    for (int i = 0; i < net->layer_count; i++) {
        for (int k = 0; k < net_constants(net, i); k++) {
            x = net_constant_values(net, a, i, k, NULL);
            y = net_constant_values(net, b, i, k, NULL);
            assert_true(x && y);
            assert_memory_equal(x, y, net_constant_of(net, i, k).count * sizeof(float));
            free(x);
            free(y);
        }
    }
}

/* Batch norms are folded in the file; what is written from it again has the same bits.  Files of
 * made-up weights stay what they are. */
static void by_graph(void **state)
{
    struct made m;
    struct net_weights *w;

    (void)state;
    for (int i = 0; i < 3; i++) {
        plain_form();
        form.swapped = i == 2;
        m = make(i ? form_build : tiny_build);
        assert_int_equal(bind_file(&m, &m, &w, NULL), ASSAY_OK);
        same_folded(m.net, m.w, w);
        assert_true(w->synthetic);
        net_weights_destroy(w);
        drop(&m);
    }
}

/* Files that other programs wrote: a Pad, batch norms apart, SAME_UPPER, Identity and Squeeze in
 * the way, MatMul and Add for the classifier; and halves by name. */
static void made_elsewhere(void **state)
{
    static const char *const files[] = {"apart.onnx", "names.safetensors"};
    struct made m = make(tiny_build);
    struct assay_err err;
    struct state *s;
    char file[1024];
    size_t fit;

    (void)state;
    for (int i = 0; i < 2; i++) {
        snprintf(file, sizeof(file), ASSAY_SOURCE "/tests/fuzz/corpus/bind/%s", files[i]);
        assert_int_equal(state_open(file, &s, NULL), ASSAY_OK);
        if (bind_weights(m.net, s, m.w, &fit, &err))
            fail_msg("%s", err.text);
        assert_false(m.w->synthetic);
        /* The file's convolution has a bias of 1, which its batch norm's mean takes in. */
        assert_true(m.w->data[tensor_of(m.net, "bn1.running_mean")][4] == (i ? 1.0f : -1.0f));
        assert_true(m.w->data[tensor_of(m.net, "bn2.running_mean")][4] == (i ? 1.0f : 0.0f));
        assert_true(m.w->data[tensor_of(m.net, "fc.weight")][34] == 1.0f);
        state_close(s);
    }
    drop(&m);
}

/* Layers that graphs are not followed through: each is refused by its name, and nothing is left
 * without a value. */
static void biased_build(struct net *net)
{
    int x = net_add_input(net, "input", 3, 8, 8);

    x = net_add_biased(net, "conv1", x, 4, 3, 1);
    net_add_output(net, "out", net_add_fc(net, "fc", net_add_plain(net, NET_GAP, "gap", x), 5));
    net->analytic = true;
}

static void grouped_build(struct net *net)
{
    int x = net_add_input(net, "input", 4, 8, 8);

    x = net_add_bn(net, "bn1", net_add_grouped(net, "conv1", x, 4, 3, 1, 2));
    net_add_output(net, "out", net_add_fc(net, "fc", net_add_plain(net, NET_GAP, "gap", x), 5));
    net->analytic = true;
}

static void not_followed(void **state)
{
    static const struct {
        void (*build)(struct net *);
        const char *says;
    } cases[] = {
        {biased_build, "at its layer conv1: weights of ONNX files cannot be followed through it"},
        {grouped_build, "at its layer conv1: weights of ONNX files cannot be followed through it"},
        {net_build_retinanet_small, "weights of ONNX files cannot be followed through it"},
        {net_build_unet3d_small, "weights of ONNX files cannot be followed through it"},
        {net_build_rnnt_encoder_small, "weights of ONNX files cannot be followed through it"},
        {net_build_bert_small, "the file has more than one input"},
        {net_build_dlrm_small, "the file has more than one input"},
    };
    struct net_weights *w;
    struct assay_err err;
    struct made m;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        m = make(cases[i].build);
        assert_int_equal(bind_file(&m, &m, &w, &err), ASSAY_EFAIL);
        if (!strstr(err.text, cases[i].says))
            fail_msg("'%s' lacks '%s'", err.text, cases[i].says);
        net_weights_destroy(w);
        drop(&m);
    }
}

static void graph_refused(void **state)
{
    static const char *const says[] = {
        "at its layer conv1: the file's convolution has other strides",
        "at its layer pool: the file's MaxPool has another size, stride or padding",
        "at its layer fc: the file's classifier has another number",
        "at its layer conv2: no Conv with float weights of [5, 5, 1, 1] follows pool",
        "its Conv 'conv4' has no place there",
    };
    struct made m, other;
    struct net_weights *w;
    struct assay_err err;

    (void)state;
    for (int i = 0; i < 5; i++) {
        plain_form();
        m = make(form_build);
        form.stride = i == 0 ? 1 : form.stride;
        form.pad = i == 1;
        form.classes = i == 2 ? 8 : form.classes;
        form.kernel = i == 3 ? 3 : form.kernel;
        form.extra = i == 4;
        other = make(form_build);
        if (!bind_file(&other, &m, &w, &err))
            fail_msg("taken: %s", says[i]);
        if (!strstr(err.text, says[i]))
            fail_msg("'%s' lacks '%s'", err.text, says[i]);
        net_weights_destroy(w);
        drop(&m);
        drop(&other);
    }
}

/* Two convolutions of one shape on the same input: the graph does not say which is which. */
static void ambiguous(void **state)
{
    struct made m;
    struct net_weights *w;
    struct assay_err err;

    (void)state;
    plain_form();
    form.twin = true;
    form.kernel = 3;
    m = make(form_build);
    assert_int_equal(bind_file(&m, &m, &w, &err), ASSAY_EFAIL);
    assert_non_null(strstr(err.text, "at its layer conv2: two convolutions of its shape follow"));
    net_weights_destroy(w);
    drop(&m);
}

/* ---- what is written ---- */

/* A model with the weights of a file carries that file's hash, and is not called synthetic: with
 * one input and with two. */
static void marks(void **state)
{
    static const char *const formats[] = {"onnx", "tensorflow", "torchscript"};
    static const char *const marks[] = {"assay.weights_sha256", "_assay_weights_sha256",
                                        "weights_sha256 abcd\n"};
    struct made m;
    char *data;
    size_t len;

    (void)state;
    for (int i = 0; i < 6; i++) {
        m = make(i < 3 ? tiny_build : net_build_dlrm_small);
        m.w->synthetic = false;
        snprintf(m.w->sha256, sizeof(m.w->sha256), "abcd");
        assert_int_equal(net_write_as(m.net, m.w, formats[i % 3], "fp32", 1, path, NULL), ASSAY_OK);
        assert_int_equal(file_read(path, FILE_MAX, &data, &len, NULL), ASSAY_OK);
        assert_non_null(memmem(data, len, marks[i % 3], strlen(marks[i % 3])));
        assert_null(memmem(data, len, "synthetic", 9));
        assert_null(memmem(data, len, "seed", 4));
        free(data);
        drop(&m);
    }
}

/* Of a state dict of seed 1, in each format.  When one of these changes, what recipes converted
 * before is another file: change NET_REVISION with it. */
static void same_bytes(void **state)
{
    static const char *const sha256[] = {
        "471c8319ebdb11c4545fe5f7aaf8ebf4e108496bed02623708eae12138fb1943",
        "d0884ff42d3d0beae65ec51603af58b2fecdbab42e8393f8d8c2cf653149a692",
        "77e9e9c7b669ede624dda74620d826fd20588cacdcd4f67b48ab519edaee394e",
        "38a96d5394219c8173882255b2827cca351a8705f517d9a7bf32d264543bf119"};
    struct made m = make(tiny_build);
    const char *const *formats;
    struct net_weights *w;
    char hex[HASH_HEX];
    struct text file;
    size_t fit, n;

    (void)state;
    formats = net_formats(&n);
    save(&m, "", NULL, "", &file);
    assert_int_equal(bind(&m, &file, &w, &fit, NULL), ASSAY_OK);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(net_write_as(m.net, w, formats[i], "fp32", 0, path, NULL), ASSAY_OK);
        assert_int_equal(hash_file(path, hex, NULL), ASSAY_OK);
        assert_string_equal(hex, sha256[i]);
    }
    net_weights_destroy(w);
    text_release(&file);
    drop(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(by_name),
                                       cmocka_unit_test(one_of_a_checkpoint),
                                       cmocka_unit_test(pooler),
                                       cmocka_unit_test(names_refused),
                                       cmocka_unit_test(by_graph),
                                       cmocka_unit_test(impossible_numbers),
                                       cmocka_unit_test(ambiguous),
                                       cmocka_unit_test(graph_refused),
                                       cmocka_unit_test(marks),
                                       cmocka_unit_test(made_elsewhere),
                                       cmocka_unit_test(every_net_by_name),
                                       cmocka_unit_test(same_bytes),
                                       cmocka_unit_test(not_followed)};

    return cmocka_run_group_tests(tests, make_path, drop_path);
}
