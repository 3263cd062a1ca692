/* test: serial. The conformance suite finds every sin of the fault engine, passes the null engines,
 * and probes survive whatever a library does.  This program is its own assay-child. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/plugin.h"
#include "engine/host.h"
#include "engine/trial.h"

static char faults_path[1200], async_path[1200], prefix[1024];

static void run_suite(const char *name, const char *options, struct engine_conform *sum,
                      char *report, size_t cap)
{
    FILE *out = tmpfile();
    struct assay_err err = {0};

    if (engine_conform(name, NULL, NULL, NULL, options, NULL, out, sum, &err))
        fail_msg("%s", err.text);
    rewind(out);
    report[fread(report, 1, cap - 1, out)] = 0;
    fclose(out);
}

static void null_engines_pass(void **state)
{
    static const char *const options[] = {NULL, "answer=hash", "latency_us=50,wait=spin",
                                          "latency_us=20,distribution=lognormal"};
    char report[8192];
    struct engine_conform sum;

    (void)state;
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        run_suite("null", options[i], &sum, report, sizeof(report));
        if (sum.failed)
            fail_msg("%s", report);
        run_suite("null-async", options[i], &sum, report, sizeof(report));
        if (sum.failed)
            fail_msg("%s", report);
    }
    run_suite("null-async", "slots=1,latency_us=10", &sum, report, sizeof(report));
    assert_int_equal(sum.failed, 0);
}

static void every_sin_is_found(void **state)
{
    static const struct {
        const char *fault, *says;
    } sins[] = {{"drop", "broke its contract"},
                {"twice", "broke its contract"},
                {"refuse_done", "broke its contract"},
                {"late", "broke its contract"},
                {"nan", "nan"},
                {"error", "told to fail"},
                {"throw", "runtime_error"},
                {"segfault", "crashed: Segmentation fault"},
                {"abort", "crashed: Aborted"},
                {"exit", "ended the process"},
                {"silent", "no words"},
                {"refuse", "told to fail"},
                {"wrong_shape", "the model describes"},
                {"wrong_type", "the model describes"},
                {"short", "the model describes"},
                {"mix", "answers do not depend on the batch"},
                {"lanes", "two lanes at once (lane"},
                {"threads", "two lanes of two threads at once (lane"},
                {"open", "told to fail"},
                {"hang", "it did nothing for 30 s"}};
    static const struct {
        const char *how, *says;
    } probes[] = {{"crash", "the probe answers (it crashed"},
                  {"error", "though the model opens: this probe was told"},
                  {"bytes", "is not UTF-8"}};
    const char *engines[] = {faults_path, async_path};
    char report[8192], options[64];
    struct engine_conform sum;

    (void)state;
    for (size_t i = 0; i < 2 * sizeof(sins) / sizeof(sins[0]) - 1; i++) { /* one hang is enough */
        snprintf(options, sizeof(options), "fault=%s,at=2", sins[i / 2].fault);
        run_suite(engines[i % 2], options, &sum, report, sizeof(report));
        if (!sum.failed || !strstr(report, sins[i / 2].says))
            fail_msg("%s %s: %d failed\n%s", engines[i % 2], options, sum.failed, report);
        if (sum.stopped !=
            (!strcmp(sins[i / 2].fault, "open") || !strcmp(sins[i / 2].fault, "hang")))
            fail_msg("%s: %s", options, report);
        if (sum.stopped)
            assert_int_equal(sum.failed, 1);
    }
    for (size_t i = 0; i < sizeof(probes) / sizeof(probes[0]); i++) {
        setenv("ASSAY_FAULT_PROBE", probes[i].how, 1);
        run_suite(faults_path, NULL, &sum, report, sizeof(report));
        if (sum.failed != 1 || !strstr(report, probes[i].says))
            fail_msg("probe %s: %s", probes[i].how, report);
    }
    unsetenv("ASSAY_FAULT_PROBE");
    run_suite(faults_path, "fault=none", &sum, report, sizeof(report));
    assert_int_equal(sum.failed, 0);
}

/* A lane of 2 ms serves 500 batches a second, whatever its wake-ups do. */
static void null_keeps_its_capacity(void **state)
{
    const char *names[] = {"null", "null-async"};

    (void)state;
    for (int k = 0; k < 2; k++) {
        struct trial_ask ask = {
            .device = "cpu", .options = "latency_us=2000", .lanes = 1, .max_batch = 1};
        struct assay_err err = {0};
        struct trial t;
        struct load l;
        char path[1024];
        uint32_t sample = 0;
        int64_t start;
        double took;

        assert_int_equal(engine_load(names[k], &ask.table, path, &err), 0);
        assert_int_equal(trial_open(&t, &ask, &err), 0);
        assert_int_equal(load_init(&l, &t, 0, &sample, 1, &err), 0);
        assert_int_equal(load_run(&l, &err), 0);
        start = clock_ns();
        for (int i = 0; i < 100; i++)
            assert_int_equal(load_run(&l, &err), 0);
        took = (double)(clock_ns() - start) * 1e-9;
        print_message("%s: 100 services of 2 ms in %.4f s\n", names[k], took);
        assert_true(took > 0.190 && took < 0.4); /* a busy machine stretches it */
        load_release(&l);
        assert_int_equal(trial_close(&t, &err), 0);
    }
}

static void null_done(struct assay_batch *batch, int code, const struct assay_err *err)
{
    (void)err;
    *(int *)batch->host = code ? code : 1;
}

/* Only AddressSanitizer sees an answer that is written where there is no room for one. */
static void null_answers_an_output_without_elements(void **state)
{
    const struct assay_tensor_spec in = {"in", ASSAY_F32, 1, {4}}, out = {"out", ASSAY_I64, 1, {0}};
    float sample[4] = {1, 2, 3, 4};
    int done = 0;
    struct assay_tensor input = {ASSAY_F32, 2, {1, 4}, sample, sizeof(sample)}, output = {0};
    struct assay_batch batch = {.size = sizeof(batch),
                                .samples = 1,
                                .input_count = 1,
                                .output_count = 1,
                                .inputs = &input,
                                .outputs = &output,
                                .done = null_done,
                                .host = &done};
    struct assay_engine_config config = {.size = sizeof(config),
                                         .device = "cpu",
                                         .lanes = 1,
                                         .max_batch = 1,
                                         .want_inputs = &in,
                                         .want_outputs = &out,
                                         .want_input_count = 1,
                                         .want_output_count = 1};
    const struct assay_engine *table;
    struct assay_value *values;
    struct assay_err err = {0};
    char path[1024], *storage;
    void *self;

    (void)state;
    assert_int_equal(engine_load("null", &table, path, &err), 0);
    assert_int_equal(
        engine_parse_options(table, "answer=hash", &values, &config.option_count, &storage, &err),
        0);
    config.values = values;
    assert_int_equal(table->open(&config, &self, &err), 0);
    assert_int_equal(table->submit(self, &batch, &err), 0);
    assert_int_equal(done, 1);
    assert_int_equal(output.bytes, 0);
    table->close(self);
    free(values);
    free(storage);
}

static void probes_survive(void **state)
{
    static const struct {
        const char *how, *says;
    } bad[] = {{"crash", "crashed: Segmentation fault"},
               {"exit", "ended without an answer"},
               {"error", "told to fail"}};
    struct assay_engine_probe p;
    struct assay_err err = {0};

    (void)state;
    if (engine_probe(faults_path, NULL, &p, &err))
        fail_msg("%s", err.text);
    assert_string_equal(p.version, "1");
    assert_int_equal(p.device_count, 1);
    assert_string_equal(p.devices[0], "cpu");
    setenv("ASSAY_FAULT_PROBE", "noise", 1);
    assert_int_equal(engine_probe(faults_path, NULL, &p, &err), 0);
    assert_string_equal(p.version, "1");
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        setenv("ASSAY_FAULT_PROBE", bad[i].how, 1);
        assert_true(engine_probe(faults_path, NULL, &p, &err) < 0);
        if (!strstr(err.text, bad[i].says))
            fail_msg("%s: %s", bad[i].how, err.text);
    }
    unsetenv("ASSAY_FAULT_PROBE");
    assert_true(engine_probe("nosuchengine", NULL, &p, &err) < 0);
    assert_non_null(strstr(err.text, "nosuchengine"));
}

/* A prefix whose assay-child is this program and whose lib is the build's. */
static int make_prefix(void **state)
{
    char *build = file_prefix(), path[1200], to[1200], exe[1024];
    struct assay_err err;
    ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

    (void)state;
    if (n < 0 || !build)
        return -1;
    exe[n] = 0;
    snprintf(faults_path, sizeof(faults_path), "%s/tests/engines/fault.so", build);
    snprintf(async_path, sizeof(async_path), "%s/tests/engines/fault-async.so", build);
    snprintf(prefix, sizeof(prefix), P_tmpdir "/assay-engine-XXXXXX");
    if (!mkdtemp(prefix))
        return -1;
    snprintf(path, sizeof(path), "%s/libexec/assay", prefix);
    if (file_make_dirs(path, &err))
        return -1;
    snprintf(path, sizeof(path), "%s/libexec/assay/assay-child", prefix);
    if (symlink(exe, path))
        return -1;
    snprintf(path, sizeof(path), "%s/lib", prefix);
    snprintf(to, sizeof(to), "%s/lib", build);
    free(build);
    return symlink(to, path) || setenv("ASSAY_PREFIX", prefix, 1) ? -1 : 0;
}

static int remove_prefix(void **state)
{
    struct assay_err err;

    (void)state;
    return file_remove_tree(prefix, &err);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(null_engines_pass),
                                       cmocka_unit_test(every_sin_is_found),
                                       cmocka_unit_test(null_keeps_its_capacity),
                                       cmocka_unit_test(null_answers_an_output_without_elements),
                                       cmocka_unit_test(probes_survive)};
    struct assay_err err;

    if (argc > 1)
        plugin_load_here();
    if (argc == 4 && strcmp(argv[1], "load") == 0)
        return plugin_try_here(argv[2], argv[3], STDOUT_FILENO, &err) ? 3 : 0;
    if (argc == 4 && strcmp(argv[1], "probe") == 0)
        return engine_probe_here(argv[2], argv[3], STDOUT_FILENO, &err) ? 3 : 0;
    if (argc == 9 && strcmp(argv[1], "conform") == 0)
        return engine_conform_here(argv + 2, STDOUT_FILENO, &err) ? 3 : 0;
    return cmocka_run_group_tests(tests, make_prefix, remove_prefix);
}
