/* The quantiser: ranges and levels, what becomes of a small net, what passes through, and what is
 * refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include <math.h>

#include "base/file.h"
#include "base/hash.h"
#include "net/nets.h"
#include "net/onnx.h"
#include "net/quantize.h"
#include "net/wire.h"
#include "tiny.h"

/* As in test_onnx.c: when one of these changes, change NET_REVISION with it. */
#define TINY_SHA256     "f68142355fec300c2a23c451f8f0392da7dc7e240afbb7b7384cc6073b05ea2b"
#define BERT_SHA256     "3fe4629ec0a0d6f9cdafd3f30c80c08fc1fcbeecbb23dff17286887622ca8ebc"
#define RESNET50_SHA256 "09c4e590ac3e352508d08dfd06577c2e41f76dc3f72ba7241cb2083f2eb1dd61"

static char path[64];

static int make_path(void **state)
{
    int fd;

    (void)state;
    snprintf(path, sizeof(path), "/tmp/assay-quantize-XXXXXX");
    fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int drop_path(void **state)
{
    (void)state;
    return unlink(path);
}

/* ---- ranges ---- */

static void spread_of(struct spread *s, const float *x, size_t n)
{
    memset(s, 0, sizeof(*s));
    spread_widen(s, x, n);
    spread_count(s, x, n);
}

static void whole_ranges_cut_nothing(void **state)
{
    static const float x[] = {-3, 0, 0.5f, 12};
    struct spread_range r;
    struct spread *s = malloc(sizeof(*s));

    (void)state;
    spread_of(s, x, 4);
    assert_int_equal(s->seen, 4);
    r = spread_choose(s, true);
    assert_true(r.low == -3 && r.high == 12);
    spread_of(s, x + 2, 2); /* 0 is always inside */
    r = spread_choose(s, true);
    assert_true(r.low == 0 && r.high == 12);
    free(s);
}

/* Many values below 1 and one far away: the best range gives that one up; of even values it gives
 * up none. */
static void the_best_range_leaves_out_an_outlier(void **state)
{
    static float x[10001];
    struct spread_range r;
    struct spread *s = malloc(sizeof(*s));

    (void)state;
    for (int i = 0; i < 10000; i++)
        x[i] = (float)(i % 1000) / 1000.0f;
    x[10000] = 3;
    spread_of(s, x, 10001);
    r = spread_choose(s, false);
    assert_true(r.low == 0 && r.high >= 1 && r.high < 3);
    spread_of(s, x, 10000);
    r = spread_choose(s, false);
    assert_true(r.high > 0.97f && r.high < 1);
    free(s);
}

static void values_that_are_no_numbers_are_counted(void **state)
{
    static const float x[] = {1, NAN, INFINITY, -2};
    struct spread *s = malloc(sizeof(*s));

    (void)state;
    spread_of(s, x, 4);
    assert_int_equal(s->broken, 2);
    assert_int_equal(s->seen, 2);
    assert_true(s->low == -2 && s->high == 1);
    free(s);
}

static void levels_cover_the_range(void **state)
{
    static const struct spread_range ranges[] = {{0, 6},  {0, 0.1f},  {0, 1e-3f},
                                                 {-1, 1}, {-0.3f, 7}, {-5, 0},
                                                 {0, 0},  {0, 1e30f}, {-1e-30f, 0}};
    struct spread_levels l;

    (void)state;
    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
        float low = ranges[i].low, high = ranges[i].high, step = (high - low) / 255;

        l = spread_levels(ranges[i]);
        assert_true(l.scale > 0 && isfinite(l.scale));
        if (high - low < 1e-20f)
            continue;
        assert_true(fabsf(l.scale * (float)(0 - l.zero) - low) <= step * 0.51f);
        assert_true(fabsf(l.scale * (float)(255 - l.zero) - high) <= step * 0.51f);
    }
    /* Engines drop a Clip(0, high) in front when no level lies above. */
    for (int i = 1; i < 2000; i++) {
        float high = (float)i * 0.037f;

        l = spread_levels((struct spread_range){0, high});
        assert_true(l.zero == 0 && l.scale * 255.0f <= high && l.scale * 255.001f > high);
    }
}

/* ---- a small net ---- */

static char *write_tiny(size_t *len)
{
    struct net_weights *w;
    struct net *net;
    char *data;

    assert_int_equal(net_create_from("tiny", "test", tiny_build, &net, NULL), ASSAY_OK);
    assert_int_equal(net_weights_create(net, 1, &w, NULL), ASSAY_OK);
    assert_int_equal(onnx_write(net, w, 1, path, NULL), ASSAY_OK);
    net_weights_destroy(w);
    net_destroy(net);
    assert_int_equal(file_read(path, 1 << 20, &data, len, NULL), ASSAY_OK);
    return data;
}

/* Opens and says of every tensor that it lies between -1 (0 behind a ReLU or pool) and 4. */
static struct quantizer *open_known(const char *data, size_t len)
{
    struct quantize_tensor *t;
    struct quantizer *q;
    struct assay_err err;
    size_t n, i;

    if (quantize_open(data, len, "tiny.onnx", &q, &err))
        fail_msg("%s", err.text);
    t = quantize_tensors(q, &n);
    for (i = 0; i < n; i++) {
        t[i].known = true;
        t[i].range = (struct spread_range){t[i].input ? -1 : 0, strcmp(t[i].name, "pool") ? 4 : 2};
    }
    return q;
}

static size_t count_ops(const struct onnx_model *m, const char *op)
{
    size_t n = 0;

    for (size_t i = 0; i < m->node_count; i++)
        n += !strcmp(m->nodes[i].op, op);
    return n;
}

static const struct onnx_value *initializer(const struct onnx_model *m, const char *name)
{
    for (size_t i = 0; i < m->initializer_count; i++)
        if (!strcmp(m->initializers[i].name, name))
            return &m->initializers[i];
    return NULL;
}

static const struct onnx_node *reader(const struct onnx_model *m, const char *tensor)
{
    for (size_t i = 0; i < m->node_count; i++)
        for (uint32_t k = 0; k < m->nodes[i].inputs; k++)
            if (!strcmp(m->nodes[i].input[k], tensor))
                return &m->nodes[i];
    return NULL;
}

static void a_small_net_is_quantised(void **state)
{
    struct quantize_sum sum;
    struct onnx_model m;
    struct quantizer *q;
    char hex[HASH_HEX], *data, *made;
    size_t len, bytes;

    (void)state;
    data = write_tiny(&len);
    q = open_known(data, len);
    assert_int_equal(quantize_write(q, path, &sum, NULL), ASSAY_OK);
    assert_int_equal(sum.nodes, 4); /* two convolutions, the sum, the classifier */
    assert_int_equal(sum.quantized, 4);
    assert_int_equal(hash_file(path, hex, NULL), ASSAY_OK);
    assert_int_equal(file_read(path, 1 << 20, &made, &bytes, NULL), ASSAY_OK);
    assert_int_equal(onnx_read(made, bytes, "made", &m, NULL), ASSAY_OK);
    /* Pixels, behind the ReLU, the pool, the second convolution, the sum, the mean. */
    assert_int_equal(count_ops(&m, "QuantizeLinear"), 6);
    assert_int_equal(count_ops(&m, "DequantizeLinear"), 6 + 6);
    assert_int_equal(count_ops(&m, "Conv"), 2);
    assert_null(initializer(&m, "conv1.weight"));
    assert_int_equal(initializer(&m, "conv1.weight_quantized")->elem_type, 3);
    assert_int_equal(initializer(&m, "conv1.weight_quantized")->bytes, 5 * 3 * 3 * 3);
    assert_int_equal(initializer(&m, "conv1.weight_scale")->dims[0], 5);
    assert_int_equal(initializer(&m, "conv1.bias_quantized")->elem_type, 6);
    assert_int_equal(initializer(&m, "fc.weight_scale")->dims[0], 7); /* transB: rows */
    assert_string_equal(reader(&m, "conv1.weight_dequantized")->op, "Conv");
    assert_string_equal(reader(&m, "bn1")->op, "Relu"); /* nothing in between */
    assert_string_equal(reader(&m, "relu")->op, "QuantizeLinear");
    assert_string_equal(reader(&m, "relu_dequantized")->op, "MaxPool");
    assert_string_equal(reader(&m, "pool")->op, "QuantizeLinear");
    assert_string_equal(reader(&m, "fc")->op, "Softmax"); /* what comes out is float32 */
    assert_string_equal(m.metadata[m.metadata_count - 1].value, "int8");
    assert_string_equal(m.metadata[0].key, "assay.synthetic");
    /* The pool moves values only, so its levels are its input's. */
    assert_memory_equal(made + initializer(&m, "pool_scale")->data_at,
                        made + initializer(&m, "relu_scale")->data_at, 4);
    assert_string_equal(hex, TINY_SHA256);
    onnx_release(&m);
    quantize_close(q);
    free(made);
    free(data);
}

static float number(const char *file, const struct onnx_value *v, size_t i)
{
    float x;

    memcpy(&x, file + v->data_at + 4 * i, sizeof(x));
    return x;
}

static void weights_come_back(void **state)
{
    const struct onnx_value *w, *q8, *scale;
    struct onnx_model before, after;
    struct quantizer *q;
    struct quantize_sum sum;
    struct text made;
    size_t len, n = 5 * 3 * 3 * 3;
    char *data;
    int most;

    (void)state;
    data = write_tiny(&len);
    q = open_known(data, len);
    text_init(&made, 1 << 20);
    assert_int_equal(quantize_model(q, &made, &sum, NULL), ASSAY_OK);
    assert_int_equal(onnx_read(data, len, "before", &before, NULL), ASSAY_OK);
    assert_int_equal(onnx_read(made.s, made.len, "after", &after, NULL), ASSAY_OK);
    w = initializer(&before, "conv1.weight");
    q8 = initializer(&after, "conv1.weight_quantized");
    scale = initializer(&after, "conv1.weight_scale");
    for (size_t i = 0, channel = n / 5; i < n; i++) {
        float s = number(made.s, scale, i / channel);

        assert_true(fabsf(number(data, w, i) - s * (float)(int8_t)made.s[q8->data_at + i]) <=
                    s * 0.5001f);
    }
    for (size_t c = 0; c < 5; c++) { /* each channel uses all its levels */
        most = 0;
        for (size_t i = 0; i < n / 5; i++)
            most = abs((int8_t)made.s[q8->data_at + c * n / 5 + i]) > most
                       ? abs((int8_t)made.s[q8->data_at + c * n / 5 + i])
                       : most;
        assert_int_equal(most, 127);
    }
    onnx_release(&before);
    onnx_release(&after);
    quantize_close(q);
    text_release(&made);
    free(data);
}

static void unknown_ranges_stay_float(void **state)
{
    struct quantize_tensor *t;
    struct quantize_sum sum;
    struct quantizer *q;
    struct assay_err err;
    struct text made;
    size_t len, n, i;
    char *data;

    (void)state;
    data = write_tiny(&len);
    q = open_known(data, len);
    t = quantize_tensors(q, &n);
    for (i = 0; i < n; i++)
        t[i].known &= strcmp(t[i].name, "bn2") != 0;
    text_init(&made, 1 << 20);
    assert_int_equal(quantize_model(q, &made, &sum, NULL), ASSAY_OK);
    assert_int_equal(sum.quantized, 3); /* not the sum */
    quantize_close(q);
    q = open_known(data, len);
    t = quantize_tensors(q, &n);
    for (i = 0; i < n; i++)
        t[i].known = false;
    text_clear(&made);
    assert_int_equal(quantize_model(q, &made, &sum, &err), ASSAY_EUNSUPPORTED);
    assert_non_null(strstr(err.text, "no range"));
    quantize_close(q);
    text_release(&made);
    free(data);
}

static void the_probe_gives_inner_tensors(void **state)
{
    struct quantizer *q;
    struct onnx_model m;
    struct text probe;
    size_t len, n;
    char *data;

    (void)state;
    data = write_tiny(&len);
    q = open_known(data, len);
    quantize_tensors(q, &n);
    text_init(&probe, 1 << 20);
    assert_int_equal(quantize_probe(q, 0, n, &probe, NULL), ASSAY_OK);
    assert_int_equal(onnx_read(probe.s, probe.len, "probe", &m, NULL), ASSAY_OK);
    assert_int_equal(m.output_count, n - 1); /* pixels are an input */
    assert_string_equal(m.outputs[0].name, "relu");
    onnx_release(&m);
    quantize_close(q);
    text_release(&probe);
    free(data);
}

/* ---- models made here ---- */

/* y = Strange(Conv(x, w)): opset and ir_version as told, float_data or raw_data. */
static void make_model(struct text *model, int opset, int ir, bool raw, const char *op)
{
    static const float w[4] = {1, -2, 3, 0.5f};
    struct text graph, t, a;

    text_init(&graph, 4096);
    text_init(&t, 4096);
    text_init(&a, 256);
    wire_string(&t, 1, "x");
    wire_string(&t, 1, "w");
    wire_string(&t, 2, "c");
    wire_string(&t, 4, op);
    wire_message(&graph, 1, &t);
    text_clear(&t);
    wire_string(&t, 1, "c");
    wire_string(&t, 2, "y");
    wire_string(&t, 4, "Strange");
    wire_string(&a, 1, "mood");
    wire_string(&a, 4, "odd");
    wire_message(&t, 5, &a);
    wire_string(&t, 7, "elsewhere");
    wire_message(&graph, 1, &t);
    text_clear(&t);
    for (int d = 0; d < 4; d++)
        wire_int(&t, 1, d < 2 ? 2 : 1);
    wire_int(&t, 2, 1);
    wire_string(&t, 8, "w");
    wire_head(&t, raw ? 9 : 4, sizeof(w));
    text_addn(&t, (const char *)w, sizeof(w));
    wire_message(&graph, 5, &t);
    for (int i = 0; i < 3; i++) { /* the third: an old model lists its weights too */
        text_clear(&t);
        wire_string(&t, 1, i == 0 ? "x" : i == 1 ? "y" : "w");
        if (i < 2 || ir < 4)
            wire_message(&graph, i == 1 ? 12 : 11, &t);
    }
    text_clear(model);
    wire_int(model, 1, (uint64_t)ir);
    wire_message(model, 7, &graph);
    text_clear(&t);
    wire_int(&t, 2, (uint64_t)opset);
    wire_message(model, 8, &t);
    text_release(&graph);
    text_release(&t);
    text_release(&a);
}

static void strangers_pass_through(void **state)
{
    static const char stranger[] = "\x22\x07Strange\x2a\x0b\x0a\x04mood\x22\x03odd\x3a\x09"
                                   "elsewhere";
    struct text model, made;
    struct quantize_sum sum;
    struct quantizer *q;
    struct onnx_model m;

    (void)state;
    text_init(&model, 1 << 16);
    text_init(&made, 1 << 16);
    for (int old = 0; old < 2; old++) {
        make_model(&model, old ? 10 : 13, old ? 3 : 8, !old, "Conv");
        q = open_known(model.s, model.len);
        text_clear(&made);
        assert_int_equal(quantize_model(q, &made, &sum, NULL), ASSAY_OK);
        assert_non_null(memmem(made.s, made.len, stranger, sizeof(stranger) - 1));
        assert_int_equal(onnx_read(made.s, made.len, "made", &m, NULL), ASSAY_OK);
        assert_int_equal(m.ir_version, old ? 4 : 8);
        assert_int_equal(m.input_count, 1); /* w is no input any more */
        assert_string_equal(m.nodes[m.node_count - 1].input[0], "c_dequantized");
        /* Before opset 13 there is one scale for all channels. */
        assert_int_equal(initializer(&m, "w_scale")->rank, old ? 0 : 1);
        assert_int_equal(initializer(&m, "w_quantized")->bytes, 4);
        assert_int_equal((int8_t)made.s[initializer(&m, "w_quantized")->data_at + 1],
                         old ? -85 : -127);
        onnx_release(&m);
        quantize_close(q);
    }
    text_release(&model);
    text_release(&made);
}

static void add_node(struct text *graph, const char *const *in, const char *out)
{
    struct text t;

    text_init(&t, 256);
    for (; *in; in++)
        wire_string(&t, 1, *in);
    wire_string(&t, 2, out);
    wire_string(&t, 4, "Conv");
    wire_message(graph, 1, &t);
    text_release(&t);
}

static void add_floats(struct text *graph, const char *name, int rank, const float *x, size_t n)
{
    struct text t;

    text_init(&t, 256);
    for (int d = 0; d < rank; d++)
        wire_int(&t, 1, d < 2 ? 2 : 1);
    wire_int(&t, 2, 1);
    wire_string(&t, 8, name);
    wire_head(&t, 9, n * sizeof(*x));
    text_addn(&t, (const char *)x, n * sizeof(*x));
    wire_message(graph, 5, &t);
    text_release(&t);
}

/* c = Conv(x, w) and y = Conv(c, w, b): both are given out. */
static void make_two_outputs(struct text *model)
{
    static const char *const first[] = {"x", "w", NULL}, *const second[] = {"c", "w2", "b", NULL},
                             *const ends[] = {"x", "c", "y"};
    static const float w[4] = {1, -2, 3, 0.5f}, w2[4] = {0.25f, -0.5f, 0.125f, 0.25f},
                       b[2] = {0.5f, -0.25f};
    struct text graph, t;

    text_init(&graph, 4096);
    text_init(&t, 256);
    add_node(&graph, first, "c");
    add_node(&graph, second, "y");
    add_floats(&graph, "w", 4, w, 4);
    add_floats(&graph, "w2", 4, w2, 4);
    add_floats(&graph, "b", 1, b, 2);
    for (int i = 0; i < 3; i++) {
        text_clear(&t);
        wire_string(&t, 1, ends[i]);
        wire_message(&graph, i ? 12 : 11, &t);
    }
    text_clear(model);
    wire_int(model, 1, 8);
    wire_message(model, 7, &graph);
    text_clear(&t);
    wire_int(&t, 2, 13);
    wire_message(model, 8, &t);
    text_release(&graph);
    text_release(&t);
}

/* An output stays float32, and so does who reads it: there is no scale for a bias to have. */
static void who_reads_an_output_stays_float(void **state)
{
    struct text model, made;
    struct quantize_sum sum;
    struct quantizer *q;
    struct onnx_model m;

    (void)state;
    text_init(&model, 1 << 16);
    text_init(&made, 1 << 16);
    make_two_outputs(&model);
    q = open_known(model.s, model.len);
    assert_int_equal(quantize_model(q, &made, &sum, NULL), ASSAY_OK);
    assert_int_equal(sum.nodes, 2);
    assert_int_equal(sum.quantized, 1);
    assert_int_equal(onnx_read(made.s, made.len, "made", &m, NULL), ASSAY_OK);
    assert_non_null(initializer(&m, "w_quantized"));
    assert_null(initializer(&m, "w2_quantized"));
    assert_string_equal(reader(&m, "w2")->op, "Conv");
    onnx_release(&m);
    quantize_close(q);
    text_release(&model);
    text_release(&made);
}

static void refuses(const struct text *model, const char *words)
{
    struct quantizer *q = NULL;
    struct assay_err err = {0};

    assert_true(quantize_open(model->s, model->len, "some.onnx", &q, &err) < 0);
    if (!strstr(err.text, words) || !strstr(err.text, "some.onnx"))
        fail_msg("%s", err.text);
}

static void what_cannot_be_is_refused(void **state)
{
    struct text model;

    (void)state;
    text_init(&model, 1 << 16);
    make_model(&model, 9, 8, true, "Conv");
    refuses(&model, "opset 9");
    make_model(&model, 13, 8, true, "Relu");
    refuses(&model, "nothing to quantise");
    make_model(&model, 13, 8, true, "QLinearConv");
    refuses(&model, "is quantised already: it has a QLinearConv");
    make_model(&model, 13, 8, true, "Conv");
    model.len -= 20;
    refuses(&model, "is no whole ONNX model");
    text_release(&model);
}

/* A Relu that reads itself must not be followed for ever. */
static void a_circle_ends(void **state)
{
    struct text model, graph, t;
    struct quantizer *q = NULL;
    struct assay_err err;

    (void)state;
    text_init(&model, 4096);
    text_init(&graph, 4096);
    text_init(&t, 4096);
    wire_string(&t, 1, "a");
    wire_string(&t, 2, "a");
    wire_string(&t, 4, "Relu");
    wire_message(&graph, 1, &t);
    text_clear(&t);
    wire_string(&t, 1, "a");
    wire_message(&graph, 12, &t);
    wire_int(&model, 1, 8);
    wire_message(&model, 7, &graph);
    text_clear(&t);
    wire_int(&t, 2, 13);
    wire_message(&model, 8, &t);
    assert_int_equal(quantize_open(model.s, model.len, "circle", &q, &err), ASSAY_EUNSUPPORTED);
    text_release(&model);
    text_release(&graph);
    text_release(&t);
}

/* ---- a transformer ---- */

static const struct onnx_node *maker(const struct onnx_model *m, const char *tensor)
{
    for (size_t i = 0; i < m->node_count; i++)
        if (!strcmp(m->nodes[i].output[0], tensor))
            return &m->nodes[i];
    return NULL;
}

/* Products with weights are in 8 bits; what they give, sums, the mask's scores and the products
 * within attention are as they were, and read what was not rounded. */
static void a_transformer_is_quantised(void **state)
{
    static const char *const as_before[][2] = {
        {"bert.encoder.layer.0.attention.self/scores",
         "bert.encoder.layer.0.attention.self/scaled"},
        {"bert.encoder.layer.0.attention.output.add",
         "bert.encoder.layer.0.attention.output.dense"},
        {"bert.encoder.layer.1.intermediate.gelu/gate",
         "bert.encoder.layer.1.intermediate.gelu/erf"},
        {"bert.encoder.layer.1.output.dense", "bert.encoder.layer.1.output.dense/product"}};
    struct net_weights *w;
    struct onnx_model m;
    struct net *net;
    struct assay_err err;
    char hex[HASH_HEX];

    (void)state;
    assert_int_equal(net_create_from("bert", "test", net_build_bert_small, &net, NULL), ASSAY_OK);
    assert_int_equal(net_weights_create(net, 1, &w, NULL), ASSAY_OK);
    if (onnx_write_int8(net, w, 1, path, &err))
        fail_msg("%s", err.text);
    assert_int_equal(onnx_read_file(path, &m, NULL), ASSAY_OK);
    assert_int_equal(count_ops(&m, "MatMul"), 2 * 8 + 1);
    assert_int_equal(count_ops(&m, "QuantizeLinear"), 2 * 4 + 1);
    assert_int_equal(count_ops(&m, "DequantizeLinear"), 2 * 4 + 1 + 2 * 6 + 1);
    assert_null(initializer(&m, "bert.encoder.layer.0.intermediate.dense.weight"));
    assert_int_equal(
        initializer(&m, "bert.encoder.layer.0.intermediate.dense.weight_scale")->dims[0], 256);
    assert_non_null(initializer(&m, "bert.encoder.layer.0.intermediate.dense.bias"));
    for (size_t i = 0; i < sizeof(as_before) / sizeof(as_before[0]); i++)
        assert_string_equal(maker(&m, as_before[i][0])->input[0], as_before[i][0 + 1]);
    /* The stream of the next sum is the norm's own output, the product's a rounded copy of it. */
    assert_string_equal(maker(&m, "bert.encoder.layer.0.attention.output.add")->input[1],
                        "bert.embeddings.LayerNorm");
    assert_string_equal(maker(&m, "bert.encoder.layer.0.attention.self.key/product")->input[0],
                        "bert.embeddings.LayerNorm_dequantized");
    assert_int_equal(hash_file(path, hex, NULL), ASSAY_OK);
    assert_string_equal(hex, BERT_SHA256);
    onnx_release(&m);
    net_weights_destroy(w);
    net_destroy(net);
}

static void other_nets_are_refused(void **state)
{
    struct assay_err err = {0};

    (void)state;
    assert_int_equal(net_write("rnnt-joint", "onnx", "int8", 1, path, &err), ASSAY_EUNSUPPORTED);
    assert_non_null(strstr(err.text, "net rnnt-joint: int8 is made here of"));
}

static void resnet50(void **state)
{
    char hex[HASH_HEX];
    struct onnx_model m;

    (void)state;
    assert_int_equal(net_write("resnet50", "onnx", "int8", 1, path, NULL), ASSAY_OK);
    assert_int_equal(onnx_read_file(path, &m, NULL), ASSAY_OK);
    assert_int_equal(count_ops(&m, "Conv"), 53);
    assert_int_equal(initializer(&m, "fc.weight_quantized")->bytes, 2048 * 1001);
    assert_string_equal(m.metadata[0].key, "assay.synthetic");
    onnx_release(&m);
    assert_int_equal(hash_file(path, hex, NULL), ASSAY_OK);
    assert_string_equal(hex, RESNET50_SHA256);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(whole_ranges_cut_nothing),
                                       cmocka_unit_test(the_best_range_leaves_out_an_outlier),
                                       cmocka_unit_test(values_that_are_no_numbers_are_counted),
                                       cmocka_unit_test(levels_cover_the_range),
                                       cmocka_unit_test(a_small_net_is_quantised),
                                       cmocka_unit_test(weights_come_back),
                                       cmocka_unit_test(unknown_ranges_stay_float),
                                       cmocka_unit_test(the_probe_gives_inner_tensors),
                                       cmocka_unit_test(strangers_pass_through),
                                       cmocka_unit_test(who_reads_an_output_stays_float),
                                       cmocka_unit_test(what_cannot_be_is_refused),
                                       cmocka_unit_test(a_circle_ends),
                                       cmocka_unit_test(a_transformer_is_quantised),
                                       cmocka_unit_test(other_nets_are_refused),
                                       cmocka_unit_test(resnet50)};

    return cmocka_run_group_tests(tests, make_path, drop_path);
}
