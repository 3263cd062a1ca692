/* test: no-tsan. The TensorFlow engine on a graph of a few bytes, on broken ones, and with
 * libraries that are missing, old, or throw. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "engine/host.h"
#include "engine/trial.h"
#include "tiny_graphdef.h"

static char dir[] = P_tmpdir "/assay-tensorflow-XXXXXX";
static char model[sizeof(dir) + 16], folder[sizeof(dir) + 16];
static const struct assay_engine *table;

static int open_as(struct trial *t, const char *path, const char *format, const char *options,
                   const char *device, struct assay_err *err)
{
    struct trial_ask ask = {.table = table,
                            .model = path,
                            .format = format,
                            .device = device,
                            .options = options,
                            .lanes = 1,
                            .max_batch = 4};

    return trial_open(t, &ask, err);
}

static int open_model(struct trial *t, const char *options, struct assay_err *err)
{
    return open_as(t, model, "tensorflow", options, "cpu", err);
}

/* An open that fails, in one line that has these words. */
static void refused(const char *path, const char *format, const char *device, const char *words)
{
    struct assay_err err = {0};
    struct trial t;

    if (!open_as(&t, path, format, "", device, &err))
        fail_msg("'%s' was expected, and it opened", words);
    print_message("%s\n", err.text);
    if (!strstr(err.text, words) || strchr(err.text, '\n'))
        fail_msg("'%s' is not in one line: %s", words, err.text);
}

static void check_answer(struct trial *t)
{
    uint32_t samples[3] = {4, 2, 7};
    struct assay_err err = {0};
    struct load l;

    if (load_init(&l, t, 0, samples, 3, &err) || load_run(&l, &err))
        fail_msg("%s", err.text);
    for (int s = 0; s < 3; s++) {
        const float *x = (const float *)l.inputs[0].data + s * 4,
                    *y = (const float *)l.answer[0] + s * 3;

        for (int j = 0; j < 3; j++) {
            double sum = 0;

            for (int i = 0; i < 4; i++)
                sum += (double)x[i] * (i - j);
            assert_true(fabs(sum - (double)y[j]) < 1e-5);
        }
    }
    load_release(&l);
}

static void the_answer_is_right(void **state)
{
    static const char *const options[] = {
        "", "graph_optimization=off,inter_op_threads=2,intra_op_threads=2",
        "graph_optimization=basic,onednn=off"};
    struct assay_err err = {0};
    struct trial t;

    (void)state;
    assert_int_equal(tiny_graphdef_write(model, -1, "MatMul"), 0);
    for (size_t k = 0; k < sizeof(options) / sizeof(options[0]); k++) {
        if (open_model(&t, options[k], &err))
            fail_msg("%s", err.text);
        assert_string_equal(t.graph->inputs[0].name, "x:0");
        assert_int_equal(t.graph->inputs[0].dims[0], -1);
        assert_int_equal(t.graph->inputs[0].dims[1], 4);
        assert_int_equal(t.graph->output_count, 1);
        assert_string_equal(t.graph->outputs[0].name, "y:0");
        assert_int_equal(t.graph->outputs[0].dims[1], 3);
        assert_string_equal(engine_desc(t.engine)->precision, "fp32");
        assert_string_equal(engine_desc(t.engine)->device, "cpu");
        check_answer(&t);
        assert_int_equal(trial_close(&t, &err), 0);
    }
}

static void a_folder_is_a_model(void **state)
{
    static const char *const one[] = {"serving_default", "other", NULL},
                             *const only[] = {"mine", NULL}, *const two[] = {"mine", "yours", NULL};
    struct assay_err err = {0};
    struct trial t;

    (void)state;
    assert_int_equal(tiny_savedmodel_write(folder, one), 0);
    if (open_as(&t, folder, "savedmodel", "", "cpu", &err))
        fail_msg("%s", err.text);
    assert_string_equal(t.graph->inputs[0].name, "in");
    assert_string_equal(t.graph->outputs[0].name, "out");
    check_answer(&t);
    assert_int_equal(trial_close(&t, &err), 0);
    assert_int_equal(tiny_savedmodel_write(folder, only), 0);
    if (open_as(&t, folder, "tensorflow", "", "cpu", &err))
        fail_msg("%s", err.text);
    check_answer(&t);
    assert_int_equal(trial_close(&t, &err), 0);
    assert_int_equal(tiny_savedmodel_write(folder, two), 0);
    refused(folder, "savedmodel", "cpu", "several signatures (");
}

/* A folder that is no SavedModel has a graph in each .pb. */
static void a_folder_of_graphs_is_a_model_of_several(void **state)
{
    char graphs[sizeof(dir) + 16], path[sizeof(dir) + 48];
    const struct assay_model_desc *desc;
    struct assay_err err = {0};
    uint32_t sample = 3;
    struct trial t;
    struct load l;

    (void)state;
    snprintf(graphs, sizeof(graphs), "%s/graphs", dir);
    assert_int_equal(mkdir(graphs, 0700), 0);
    refused(graphs, "tensorflow", "cpu", "has no .pb or .tensorflow file; wanted: one for each");
    snprintf(path, sizeof(path), "%s/second.pb", graphs);
    assert_int_equal(tiny_graphdef_write(path, 1, "MatMul"), 0);
    snprintf(path, sizeof(path), "%s/first.tensorflow", graphs);
    assert_int_equal(tiny_graphdef_write(path, -1, "MatMul"), 0);
    if (open_as(&t, graphs, "tensorflow", "", "cpu", &err) ||
        load_init(&l, &t, 0, &sample, 1, &err))
        fail_msg("%s", err.text);
    desc = engine_desc(t.engine);
    assert_int_equal(desc->graph_count, 2);
    assert_string_equal(desc->graphs[0].name, "first");
    assert_string_equal(desc->graphs[1].name, "second");
    assert_int_equal(desc->graphs[1].inputs[0].dims[0], 1);
    assert_int_equal(desc->max_batch, 1);
    l.batch.graph = 1;
    assert_int_equal(load_run(&l, &err), 0);
    load_release(&l);
    trial_close(&t, NULL);
    assert_int_equal(tiny_graphdef_write(path, 8, "MatMul"), 0);
    refused(graphs, "tensorflow", "cpu", "first.tensorflow: the model takes exactly 8 samples");
}

/* Names that the benchmark gives choose the tensors, keys and graph's names alike. */
static void wanted_tensors_are_found(void **state)
{
    static const char *const names[] = {"serving_default", NULL};
    struct assay_tensor_spec in = {"x:0", ASSAY_F32, 1, {4}}, out = {"y", ASSAY_F32, 1, {3}};
    struct assay_engine_config c = {.size = sizeof(c),
                                    .format = "tensorflow",
                                    .device = "cpu",
                                    .lanes = 1,
                                    .threads = 2,
                                    .max_batch = 1,
                                    .want_input_count = 1,
                                    .want_inputs = &in,
                                    .want_output_count = 1,
                                    .want_outputs = &out};
    struct assay_model_desc desc = {.size = sizeof(desc)};
    struct assay_value *values;
    char *storage, *runtime = engine_runtime_dir("tensorflow");
    struct assay_err err = {0};
    void *self;

    (void)state;
    assert_int_equal(engine_parse_options(table, NULL, &values, &c.option_count, &storage, &err),
                     0);
    c.values = values;
    c.runtime_dir = runtime;
    assert_int_equal(tiny_graphdef_write(model, TINY_NO_SHAPE, "MatMul"), 0);
    assert_int_equal(tiny_savedmodel_write(folder, names), 0);
    for (int k = 0; k < 3; k++) {
        c.model_path = k ? folder : model;
        in.name = k == 2 ? "in" : "x:0";
        out.name = k == 2 ? "out" : "y";
        if (table->open(&c, &self, &err) || table->describe(self, &desc, &err))
            fail_msg("%s", err.text);
        assert_string_equal(desc.graphs[0].inputs[0].name, in.name);
        assert_int_equal(desc.graphs[0].inputs[0].rank, 2);
        assert_int_equal(desc.graphs[0].inputs[0].dims[1], 4);
        assert_string_equal(desc.graphs[0].outputs[0].name, out.name);
        table->close(self);
    }
    out.name = "nothing";
    c.model_path = folder;
    assert_int_equal(table->open(&c, &self, &err), 0);
    assert_int_equal(table->describe(self, &desc, &err), 0);
    assert_string_equal(desc.graphs[0].outputs[0].name, "out");
    table->close(self);
    free(values);
    free(storage);
    free(runtime);
}

static void a_fixed_batch_is_respected(void **state)
{
    struct bytes graph = {0};
    struct assay_err err = {0};
    struct trial t;

    (void)state;
    assert_int_equal(tiny_graphdef_write(model, 1, "MatMul"), 0);
    assert_int_equal(open_model(&t, "", &err), 0);
    assert_int_equal(engine_desc(t.engine)->max_batch, 1);
    trial_close(&t, NULL);
    assert_int_equal(tiny_graphdef_write(model, 8, "MatMul"), 0);
    refused(model, "tensorflow", "cpu", "exactly 8 samples");
    /* Not where the batch comes behind it. */
    tiny_graph(&graph, 8, -1, "MatMul");
    assert_int_equal(tiny_write(model, &graph), 0);
    if (open_model(&t, "", &err))
        fail_msg("%s", err.text);
    assert_int_equal(engine_desc(t.engine)->max_batch, 0);
    trial_close(&t, NULL);
}

static void broken_models_are_named(void **state)
{
    static const struct bytes empty, onnx = {"\x08\x07\x12\x05"
                                             "assay",
                                             9};

    (void)state;
    assert_int_equal(tiny_graphdef_write(model, -1, "NoSuchOp"), 0);
    refused(model, "tensorflow", "cpu", "has no operator 'NoSuchOp'");
    assert_int_equal(tiny_graphdef_write(model, TINY_NO_SHAPE, "MatMul"), 0);
    refused(model, "tensorflow", "cpu", "'x:0' has no shape");
    assert_int_equal(tiny_graphdef_write(model, -1, "MatMul"), 0);
    assert_int_equal(truncate(model, file_size(model) - 5), 0);
    refused(model, "tensorflow", "cpu", "cut off");
    refused(model, "tensorflow", "cpu", model);
    assert_int_equal(tiny_write(model, &empty), 0);
    refused(model, "tensorflow", "cpu", "is empty");
    assert_int_equal(tiny_write(model, &onnx), 0);
    refused(model, "tensorflow", "cpu", model);
    refused(model, "onnx", "cpu", "onnx");
    refused(model, "savedmodel", "cpu", "is a file");
    refused(dir, "savedmodel", "cpu", "is no SavedModel");
}

static void a_wrong_shape_is_named(void **state)
{
    struct assay_err err = {0};
    uint32_t sample = 0;
    struct trial t;
    struct load l;

    (void)state;
    assert_int_equal(tiny_graphdef_write(model, -1, "MatMul"), 0);
    assert_int_equal(open_model(&t, "", &err), 0);
    assert_int_equal(load_init(&l, &t, 0, &sample, 1, &err), 0);
    l.inputs[0].dims[1] = 3;
    l.inputs[0].bytes = 12;
    assert_true(load_run(&l, &err) < 0);
    assert_non_null(strstr(err.text, "input 'x:0' is 3 in dimension 1, the model takes 4"));
    load_release(&l);
    assert_int_equal(trial_close(&t, &err), 0);
}

static void cuda_is_refused_with_reasons(void **state)
{
    struct assay_err err = {0};
    struct trial t;

    (void)state;
    assert_int_equal(tiny_graphdef_write(model, -1, "MatMul"), 0);
    if (!open_as(&t, model, "tensorflow", "", "cuda:0", &err)) {
        trial_close(&t, NULL);
        skip(); /* a machine that has it */
    }
    refused(model, "tensorflow", "cuda:0", "cuda:0");
    assert_string_equal(getenv("NVIDIA_TF32_OVERRIDE"), "0"); /* fp32 is fp32 */
    refused(model, "tensorflow", "tpu:0", "has cpu and cuda:N");
}

static void bad_libraries_are_explained(void **state)
{
    static const struct {
        const char *kind, *says;
    } cases[] = {{"bare", "has no TF_NewStatus"},
                 {"old", "is TensorFlow 1.15.5, 2 or newer"},
                 {"throws", "TensorFlow failed: thrown by TF_"}};
    struct assay_engine_probe p;
    struct assay_err err = {0};
    char *dir_real = engine_runtime_dir("tensorflow"), *prefix = file_prefix(), path[1200];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        snprintf(path, sizeof(path), "%s/tests/engines/tensorflow/%s", prefix, cases[i].kind);
        memset(&p, 0, sizeof(p));
        assert_int_equal(table->probe(path, &p, &err), 0);
        print_message("%s\n", p.note);
        if (!strstr(p.note, cases[i].says) || strchr(p.note, '\n'))
            fail_msg("%s: %s", cases[i].kind, p.note);
    }
    memset(&p, 0, sizeof(p));
    assert_int_equal(table->probe("/nonexistent", &p, &err), 0);
    if (!p.version[0])
        assert_non_null(strstr(p.note, "`make engine-tensorflow` gets it"));
    memset(&p, 0, sizeof(p));
    assert_int_equal(table->probe(dir_real, &p, &err), 0);
    assert_int_equal(p.note[0], 0);
    assert_string_equal(p.devices[0], "cpu");
    assert_true(file_exists(p.library));
    free(dir_real);
    free(prefix);
}

static void it_conforms(void **state)
{
    struct assay_err err = {0};
    struct engine_conform sum;

    (void)state;
    assert_int_equal(tiny_graphdef_write(model, -1, "MatMul"), 0);
    assert_int_equal(
        engine_conform("tensorflow", model, "tensorflow", "cpu", NULL, NULL, stderr, &sum, &err),
        0);
    assert_int_equal(sum.failed, 0);
}

/* The host looks at the values when it takes the table. */
static void onednn_is_tuned(void **state)
{
    (void)state;
    assert_non_null(engine_tunables(table));
    assert_string_equal(engine_tunables(table)[0].option, "onednn");
}

static int begin(void **state)
{
    struct assay_err err = {0};
    char path[1024];

    (void)state;
    if (!mkdtemp(dir))
        return -1;
    snprintf(model, sizeof(model), "%s/tiny.pb", dir);
    snprintf(folder, sizeof(folder), "%s/folder", dir);
    if (mkdir(folder, 0700))
        return -1;
    return engine_load("tensorflow", &table, path, &err);
}

static int end(void **state)
{
    (void)state;
    return file_remove_tree(dir, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_answer_is_right),
                                       cmocka_unit_test(a_folder_is_a_model),
                                       cmocka_unit_test(a_folder_of_graphs_is_a_model_of_several),
                                       cmocka_unit_test(wanted_tensors_are_found),
                                       cmocka_unit_test(a_fixed_batch_is_respected),
                                       cmocka_unit_test(broken_models_are_named),
                                       cmocka_unit_test(a_wrong_shape_is_named),
                                       cmocka_unit_test(cuda_is_refused_with_reasons),
                                       cmocka_unit_test(bad_libraries_are_explained),
                                       cmocka_unit_test(onednn_is_tuned),
                                       cmocka_unit_test(it_conforms)};
    struct assay_engine_probe p = {.size = sizeof(p)};
    struct assay_err err = {0};
    char path[1024], *runtime;

    if (engine_load("tensorflow", &table, path, &err)) {
        fprintf(stderr, "skipped: %s\n", err.text);
        return 77;
    }
    runtime = engine_runtime_dir("tensorflow");
    table->probe(runtime, &p, &err);
    free(runtime);
    if (!p.version[0]) {
        fprintf(stderr, "skipped: %s\n", p.note);
        return 77;
    }
    return cmocka_run_group_tests(tests, begin, end);
}
