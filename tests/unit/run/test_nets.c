/* test: no-tsan. Small variants of the nets, written in every format, give the same answers in
 * every engine that is installed: within 1e-3 of an output's range, for any batch and length.  Each
 * engine runs in a child process of its own, as in a run.  And what BERT loses in int8, and each
 * net in fp16. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/host.h"
#include "engine/trial.h"
#include "net/graphdef.h"
#include "net/nets.h"
#include "net/onnx.h"
#include "net/torchscript.h"

#define SAMPLES 3
#define VALUES  (8u << 20) /* of all outputs of a batch, at most */

static const struct {
    const char *engine, *format;
    int (*write)(const struct net *net, const struct net_weights *w, uint64_t seed,
                 const char *path, struct assay_err *err);
} engines[] = {
    {"onnxruntime", "onnx", onnx_write},          {"openvino", "onnx", onnx_write},
    {"tensorflow", "tensorflow", graphdef_write}, {"pytorch", "torchscript", torchscript_write},
    {"onnxruntime", "onnx", onnx_write_int8},     {"openvino", "onnx", onnx_write_int8},
    {"onnxruntime", "onnx", onnx_write_half},     {"openvino", "onnx", onnx_write_half}};
enum {
    INT8 = 4,
    OPENVINO_INT8,
    HALF,
    OPENVINO_HALF,
    ROWS
}; /* those before it agree with each other */
#define ENGINES INT8

/* Element i of input `input` of sample s, when the free dimensions are `length`. */
typedef double fill_fn(int input, int s, int length, size_t i);

/* What a child tells: how it went, and every output behind the other. */
struct report {
    int rc;
    bool skipped;
    char text[512], precision[16];
    size_t output_values[16];
    float values[VALUES];
};

static struct report *reports; /* one an engine, shared with its child */

/* ---- in the child ---- */

static void keep(struct assay_batch *b, int code, const struct assay_err *err)
{
    struct report *r = b->host;
    float *to = r->values;

    r->rc = code;
    if (code)
        snprintf(r->text, sizeof(r->text), "%s", err->text);
    for (uint32_t o = 0; !code && o < b->output_count; o++) {
        r->output_values[o] = b->outputs[o].bytes / sizeof(float);
        memcpy(to, b->outputs[o].data, b->outputs[o].bytes);
        to += r->output_values[o];
    }
}

static int run_batch(struct trial *t, const struct net *net, fill_fn *fill, int samples, int length,
                     struct report *r, struct assay_err *err)
{
    struct assay_tensor in[NET_INPUTS] = {0}, out[16] = {0};
    struct assay_batch b = {.size = sizeof(b),
                            .samples = (uint32_t)samples,
                            .input_count = (uint32_t)net->input_count,
                            .output_count = (uint32_t)net->output_count,
                            .inputs = in,
                            .outputs = out,
                            .done = keep,
                            .host = r};
    int rc;

    for (int k = 0; k < net->input_count; k++) {
        size_t n = 1, i;

        in[k] = (struct assay_tensor){.dtype = net->inputs[k].dtype, .rank = net->inputs[k].rank};
        in[k].dims[0] = samples;
        for (uint32_t d = 1; d < in[k].rank; d++)
            n *= (size_t)(in[k].dims[d] =
                              net->inputs[k].dims[d] < 0 ? length : net->inputs[k].dims[d]);
        in[k].bytes = n * (size_t)samples * assay_dtype_size(in[k].dtype);
        in[k].data = engine_alloc(t->engine, in[k].bytes);
        for (i = 0; i < n * (size_t)samples; i++) {
            double v = fill(k, (int)(i / n), length, i % n);

            if (in[k].dtype == ASSAY_F32)
                ((float *)in[k].data)[i] = (float)v;
            else
                ((int64_t *)in[k].data)[i] = (int64_t)v;
        }
    }
    rc = engine_submit(t->engine, &b, err);
    if (!rc)
        rc = engine_drain(t->engine, 0, err);
    for (int k = 0; k < net->input_count; k++)
        engine_release(t->engine, in[k].data);
    return rc;
}

static int run_engine(size_t e, const char *model, const struct net *net, fill_fn *fill,
                      int samples, int length, struct report *r)
{
    struct trial_ask ask = {.model = model,
                            .format = engines[e].format,
                            .device = "cpu",
                            .lanes = 1,
                            .max_batch = SAMPLES};
    struct assay_engine_probe p = {.size = sizeof(p)};
    struct assay_err err = {0};
    struct trial t;
    char path[1024], *runtime = engine_runtime_dir(engines[e].engine);
    int rc = engine_load(engines[e].engine, &ask.table, path, &err);

    if (!rc)
        ask.table->probe(runtime, &p, &err);
    free(runtime);
    if (!p.version[0]) {
        r->skipped = true;
        snprintf(r->text, sizeof(r->text), "%s", rc ? err.text : p.note);
        return 0;
    }
    rc = trial_open(&t, &ask, &err);
    if (!rc)
        snprintf(r->precision, sizeof(r->precision), "%s", engine_desc(t.engine)->precision);
    for (int k = 0; !rc && k < net->output_count; k++)
        if (strncmp(t.graph->outputs[k].name, net->outputs[k].name, strlen(net->outputs[k].name)))
            rc = assay_fail(&err, ASSAY_EFAIL, "output %d is %s", k, t.graph->outputs[k].name);
    if (!rc)
        rc = run_batch(&t, net, fill, samples, length, r, &err);
    if (rc)
        snprintf(r->text, sizeof(r->text), "%s", err.text);
    else
        rc = r->rc;
    trial_close(&t, NULL);
    return rc;
}

/* ---- in the test ---- */

static void try_engine(size_t e, const struct net *net, fill_fn *fill, int samples, int length)
{
    char model[] = P_tmpdir "/assay-nets-XXXXXX";
    struct report *r = &reports[e];
    struct net_weights *w;
    struct assay_err err = {0};
    int fd = mkstemp(model), status;
    pid_t pid;

    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(net_weights_create(net, 1, &w, &err), 0);
    assert_int_equal(engines[e].write(net, w, 1, model, &err), 0);
    net_weights_destroy(w);
    memset(r, 0, offsetof(struct report, values));
    pid = fork(); /* no library is loaded here, so the child is as good as new */
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(run_engine(e, model, net, fill, samples, length, r) ? 1 : 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    unlink(model);
    if (status)
        fail_msg("%s on %s: %s", engines[e].engine, net->name, r->text);
}

static double same(const char *who, const char *output, const float *a, const float *b, size_t n,
                   double range, double bound)
{
    double worst = 0, d;

    for (size_t i = 0; i < n; i++) {
        d = fabs((double)a[i] - (double)b[i]);
        worst = d > worst || isnan(d) ? d : worst;
    }
    print_message("  %s, %s: largest difference %.1e of a range of %.3g\n", who, output, worst,
                  range);
    if (!(worst <= bound * range))
        fail_msg("%s: %s differs by %g", who, output, worst);
    return worst;
}

/* The range over samples; of the first output, neighbours must differ by much more than engines. */
static double range_of(const float *x, size_t n, int samples, bool first)
{
    double low = HUGE_VAL, high = -HUGE_VAL, apart = 0;
    size_t row = n / (size_t)samples;

    for (size_t i = 0; i < n; i++) {
        assert_true(isfinite(x[i]));
        low = fmin(low, (double)x[i]);
        high = fmax(high, (double)x[i]);
        if (i >= row)
            apart = fmax(apart, fabs((double)x[i] - (double)x[i - row]));
    }
    assert_true(high > low);
    assert_true(!first || samples == 1 || apart > 0.05 * (high - low));
    return high - low;
}

static void agree(void (*build)(struct net *), fill_fn *fill, int samples, int length)
{
    struct net *net;
    size_t first = ENGINES, e, at;

    assert_int_equal(net_create_from("small", "test", build, &net, NULL), 0);
    for (e = 0; e < ENGINES; e++) {
        try_engine(e, net, fill, samples, length);
        if (reports[e].skipped) {
            print_message("  skip %s: %s\n", engines[e].engine, reports[e].text);
            continue;
        }
        if (first == ENGINES)
            first = e;
        at = 0;
        for (int o = 0; o < net->output_count; o++) {
            size_t n = reports[first].output_values[o];

            assert_int_equal(reports[e].output_values[o], n);
            same(engines[e].engine, net->outputs[o].name, reports[e].values + at,
                 reports[first].values + at, n,
                 range_of(reports[first].values + at, n, samples, o == 0), 1e-3);
            at += n;
        }
    }
    net_destroy(net);
}

/* Words, mask, kinds; the last sample is half as long as the batch. */
static double text(int input, int s, int length, size_t i)
{
    bool there = s < SAMPLES - 1 || i < (size_t)length / 2;

    if (!there)
        return 0;
    return input == 0   ? (double)((i * 37 + (size_t)s * 101 + 7) % 1000)
           : input == 1 ? 1
                        : (double)(i > (size_t)length / 4);
}

static void bert(void **state)
{
    (void)state;
    agree(net_build_bert_small, text, SAMPLES, 24);
    agree(net_build_bert_small, text, 1, 7);
}

/* The root mean square of b - a, as a part of a's deviation. */
static double error_of(const float *a, const float *b, size_t n)
{
    double mean = 0, error = 0, all = 0;

    for (size_t i = 0; i < n; i++)
        mean += (double)a[i] / (double)n;
    for (size_t i = 0; i < n; i++) {
        error += ((double)b[i] - (double)a[i]) * ((double)b[i] - (double)a[i]);
        all += ((double)a[i] - mean) * ((double)a[i] - mean);
    }
    return sqrt(error / all);
}

/* What int8 costs: the logits' error against fp32 in the same engine, over three texts. */
static void loses_at_most(double bound, void (*build)(struct net *))
{
    struct net *net;
    size_t at = 0;

    assert_int_equal(net_create_from("small", "test", build, &net, NULL), 0);
    try_engine(0, net, text, SAMPLES, 200);
    try_engine(INT8, net, text, SAMPLES, 200);
    for (int o = 0; o < net->output_count && !reports[INT8].skipped; o++) {
        size_t n = reports[0].output_values[o];
        double error = error_of(reports[0].values + at, reports[INT8].values + at, n);

        assert_int_equal(reports[INT8].output_values[o], n);
        print_message("  int8, %s: error %.4f of the deviation\n", net->outputs[o].name, error);
        assert_true(error > 1e-4 && error <= bound); /* none at all: it was not in int8 */
        at += n;
    }
    net_destroy(net);
}

/* BERT's length is free: what the record says of it must be so all the same. */
static void int8_is_named(size_t e, void (*build)(struct net *))
{
    struct net *net;

    assert_int_equal(net_create_from("small", "test", build, &net, NULL), 0);
    try_engine(e, net, text, SAMPLES, 24);
    if (!reports[e].skipped)
        assert_string_equal(reports[e].precision, "int8");
    net_destroy(net);
}

static void bert_int8(void **state)
{
    (void)state;
    int8_is_named(INT8, net_build_bert_small);
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx2")) /* without it OpenVINO has no 8-bit kernels */
        int8_is_named(OPENVINO_INT8, net_build_bert_small);
#endif
    loses_at_most(0.02, net_build_bert_small);
    loses_at_most(0.04, net_build_bert_deep);
}

/* Waves of another length and direction in each sample, with some noise: in 0 … 1. */
static double picture(int input, int s, int length, size_t i)
{
    double x = (double)(i % 128), y = (double)(i / 128 % 128), c = (double)(i >> 14);

    (void)input;
    (void)length;
    return 0.5 + 0.35 * sin(x * (0.1 + 0.2 * s) + y * (0.3 - 0.1 * s) + c) +
           0.1 * sin((double)(i * 7919 % 1009));
}

static void retinanet(void **state)
{
    (void)state;
    agree(net_build_retinanet_small, picture, SAMPLES, 0);
}

/* A bright ball in a sample, of another size in each, and some noise. */
static double ball(int input, int s, int length, size_t i)
{
    double x = (double)(i % 64) - 30, y = (double)(i / 64 % 64) - 35, z = (double)(i >> 12) - 25;

    (void)input;
    (void)length;
    return (x * x + y * y + z * z < 100.0 * (s + 1) ? 1.5 : -0.5) +
           0.3 * sin((double)(i * 7919 % 1009));
}

static void unet3d(void **state)
{
    (void)state;
    agree(net_build_unet3d_small, ball, 2, 0);
}

/* 13 logarithms, 26 indices below the smallest tables' 3 rows. */
static double pair(int input, int s, int length, size_t i)
{
    (void)length;
    return input ? (double)((i * 5 + (size_t)s * 7) % 3)
                 : log1p((double)((i * 31 + (size_t)s * 17) % 50));
}

static void dlrm(void **state)
{
    (void)state;
    agree(net_build_dlrm_small, pair, SAMPLES, 0);
    agree(net_build_dlrm_v2_small, pair, SAMPLES, 0);
}

static double frames(int input, int s, int length, size_t i)
{
    (void)input;
    (void)length;
    return 1.5 * sin((double)(i * 7919 % 1009) + s);
}

/* Labels, the start among them, and states; or what the joint network joins. */
static double label_and_state(int input, int s, int length, size_t i)
{
    (void)length;
    return input ? 0.5 * sin((double)(i * 31 + (size_t)input * 7) + s) : s ? 5.0 * s : 28.0;
}

static double two_rows(int input, int s, int length, size_t i)
{
    (void)length;
    return 0.5 * sin((double)(i * 31 + (size_t)input * 7) + 2 * s);
}

static void rnnt(void **state)
{
    (void)state;
    agree(net_build_rnnt_encoder_small, frames, SAMPLES, 10);
    agree(net_build_rnnt_encoder_small, frames, 1, 7);
    agree(net_build_rnnt_prediction_small, label_and_state, SAMPLES, 0);
    agree(net_build_rnnt_joint_small, two_rows, SAMPLES, 0);
}

/* ---- fp16 ---- */

/* Of an output's range.  A deep net with made-up weights makes every rounding larger, ResNet-50 by
 * more than small ones. */
#define HALF_BOUND 2e-2
#define DEEP_BOUND 5e-2

/* How much the largest of a row is ahead of the second. */
static double lead(const float *row, size_t n)
{
    double first = -HUGE_VAL, second = -HUGE_VAL;

    for (size_t i = 0; i < n; i++) {
        if ((double)row[i] > first) {
            second = first;
            first = (double)row[i];
        } else {
            second = fmax(second, (double)row[i]);
        }
    }
    return first - second;
}

/* Of probabilities: the scores that they are made of, but for a number that is the same for all. */
static void take_logarithms(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] = logf(x[i]);
}

/* The classes of `samples` that two engines give, where the scores leave no doubt. */
static int same_classes(const float *a, const float *b, const float *scores, size_t n, int samples,
                        double margin)
{
    int64_t x, y;
    int sure = 0;

    for (int s = 0; s < samples; s++) {
        memcpy(&x, a + 2 * s, sizeof(x));
        memcpy(&y, b + 2 * s, sizeof(y));
        if (lead(scores + (size_t)s * n, n) < margin)
            continue;
        sure++;
        assert_int_equal(x, y);
    }
    print_message("  the same class for %d of %d samples that are ahead\n", sure, samples);
    return sure;
}

/* The same net in float16 and float32: near each other, not equal, outputs of the same type.  On a
 * CPU the arithmetic is float32: this tells that the file is right, and what its weights lose. */
static void half_is_near(size_t e, void (*build)(struct net *), fill_fn *fill, int samples,
                         int length, double bound)
{
    size_t fp32 = e == HALF ? 0 : 1, at = 0, n, row;
    struct net *net;
    double worst = 0;
    float *a, *b;
    int sure;

    assert_int_equal(net_create_from("small", "test", build, &net, NULL), 0);
    try_engine(fp32, net, fill, samples, length);
    try_engine(e, net, fill, samples, length);
    for (int o = 0; o < net->output_count && !reports[e].skipped; o++, at += n) {
        n = reports[fp32].output_values[o];
        assert_int_equal(reports[e].output_values[o], n);
        a = reports[fp32].values + at;
        b = reports[e].values + at;
        if (net->outputs[o].dtype == ASSAY_I64) { /* probabilities follow */
            row = reports[fp32].output_values[o + 1];
            take_logarithms(a + n, row);
            take_logarithms(b + n, row);
            sure = same_classes(a, b, a + n, row / (size_t)samples, samples,
                                2 * bound * range_of(a + n, row, samples, true));
            assert_true(sure > 0 || bound > HALF_BOUND);
        } else {
            worst = fmax(worst, same("fp16", net->outputs[o].name, a, b, n,
                                     range_of(a, n, samples, false), bound));
        }
    }
    assert_true(reports[e].skipped || worst > 0);
    net_destroy(net);
}

/* Pixels around 0, of the nets that take them so. */
static double pixels(int input, int s, int length, size_t i)
{
    return 200 * (picture(input, s, length, i) - 0.5);
}

static void half(void **state)
{
    (void)state;
    for (size_t e = HALF; e <= OPENVINO_HALF; e++) {
        half_is_near(e, net_build_bert_small, text, SAMPLES, 24, HALF_BOUND);
        half_is_near(e, net_build_retinanet_small, picture, SAMPLES, 0, HALF_BOUND);
        half_is_near(e, net_build_unet3d_small, ball, 2, 0, HALF_BOUND);
        half_is_near(e, net_build_dlrm_small, pair, SAMPLES, 0, HALF_BOUND);
        half_is_near(e, net_build_dlrm_v2_small, pair, SAMPLES, 0, HALF_BOUND);
        half_is_near(e, net_build_rnnt_encoder_small, frames, SAMPLES, 7, HALF_BOUND);
        half_is_near(e, net_build_rnnt_prediction_small, label_and_state, SAMPLES, 0, HALF_BOUND);
        half_is_near(e, net_build_rnnt_joint_small, two_rows, SAMPLES, 0, HALF_BOUND);
    }
    half_is_near(HALF, net_build_check, pixels, SAMPLES, 0, HALF_BOUND);
    half_is_near(HALF, net_build_resnet50, pixels, SAMPLES, 0, DEEP_BOUND);
}

static int map_reports(void **state)
{
    (void)state;
    reports = mmap(NULL, ROWS * sizeof(*reports), PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return reports == MAP_FAILED ? -1 : 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(bert),      cmocka_unit_test(bert_int8),
                                       cmocka_unit_test(retinanet), cmocka_unit_test(unet3d),
                                       cmocka_unit_test(dlrm),      cmocka_unit_test(rnnt),
                                       cmocka_unit_test(half)};

    return cmocka_run_group_tests(tests, map_reports, NULL);
}
