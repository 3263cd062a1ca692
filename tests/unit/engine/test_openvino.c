/* test: no-tsan. The OpenVINO engine on models of a few bytes in each of its formats, on broken
 * ones, and on a real one where it is there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "engine/host.h"
#include "engine/trial.h"
#include "tiny_onnx.h"

static char dir[] = P_tmpdir "/assay-openvino-XXXXXX";
static char onnx[80], graph_def[80], ir[80], bin[80];
static const struct assay_engine *table;

/* ---- the same y = x W in the other formats ---- */

static void put_attr(struct bytes *node, const char *key, const struct bytes *value)
{
    struct bytes pair = {0};

    put_text(&pair, 1, key);
    put_part(&pair, 2, value);
    put_part(node, 5, &pair);
}

static void put_type_attr(struct bytes *node, const char *key)
{
    struct bytes value = {0};

    put_int(&value, 6, 1); /* DT_FLOAT */
    put_attr(node, key, &value);
}

static void put_shape(struct bytes *to, int field, unsigned long rows, unsigned long columns)
{
    struct bytes shape = {0}, first = {0}, second = {0};

    put_int(&first, 1, rows);
    put_int(&second, 1, columns);
    put_part(&shape, 2, &first);
    put_part(&shape, 2, &second);
    put_part(to, field, &shape);
}

static void weights(float w[12])
{
    for (int i = 0; i < 12; i++)
        w[i] = (float)(i / 3 - i % 3);
}

static void write_graph_def(const char *op)
{
    struct bytes graph = {0}, x = {0}, w = {0}, y = {0}, value = {0}, tensor = {0};
    float numbers[12];

    weights(numbers);
    put_text(&x, 1, "x");
    put_text(&x, 2, "Placeholder");
    put_type_attr(&x, "dtype");
    put_shape(&value, 7, (unsigned long)-1, 4);
    put_attr(&x, "shape", &value);
    put_text(&w, 1, "w");
    put_text(&w, 2, "Const");
    put_type_attr(&w, "dtype");
    put_int(&tensor, 1, 1);
    put_shape(&tensor, 2, 4, 3);
    put_data(&tensor, 4, numbers, sizeof(numbers));
    value.n = 0;
    put_part(&value, 8, &tensor);
    put_attr(&w, "value", &value);
    put_text(&y, 1, "y");
    put_text(&y, 2, op);
    put_text(&y, 3, "x");
    put_text(&y, 3, "w");
    put_type_attr(&y, "T");
    put_part(&graph, 1, &x);
    put_part(&graph, 1, &w);
    put_part(&graph, 1, &y);
    assert_int_equal(file_write_whole(graph_def, graph.b, graph.n, NULL), 0);
}

static void write_ir(void)
{
    static const char xml[] =
        "<?xml version=\"1.0\"?><net name=\"tiny\" version=\"11\"><layers>"
        "<layer id=\"0\" name=\"x\" type=\"Parameter\" version=\"opset1\">"
        "<data shape=\"?,4\" element_type=\"f32\"/>"
        "<output><port id=\"0\" precision=\"FP32\" names=\"x\"><dim>-1</dim><dim>4</dim></port>"
        "</output></layer>"
        "<layer id=\"1\" name=\"w\" type=\"Const\" version=\"opset1\">"
        "<data element_type=\"f32\" shape=\"4, 3\" offset=\"0\" size=\"48\"/>"
        "<output><port id=\"0\" precision=\"FP32\"><dim>4</dim><dim>3</dim></port></output></layer>"
        "<layer id=\"2\" name=\"m\" type=\"MatMul\" version=\"opset1\">"
        "<data transpose_a=\"false\" transpose_b=\"false\"/>"
        "<input><port id=\"0\" precision=\"FP32\"><dim>-1</dim><dim>4</dim></port>"
        "<port id=\"1\" precision=\"FP32\"><dim>4</dim><dim>3</dim></port></input>"
        "<output><port id=\"2\" precision=\"FP32\" names=\"y\"><dim>-1</dim><dim>3</dim></port>"
        "</output></layer>"
        "<layer id=\"3\" name=\"r\" type=\"Result\" version=\"opset1\">"
        "<input><port id=\"0\" precision=\"FP32\"><dim>-1</dim><dim>3</dim></port></input></layer>"
        "</layers><edges>"
        "<edge from-layer=\"0\" from-port=\"0\" to-layer=\"2\" to-port=\"0\"/>"
        "<edge from-layer=\"1\" from-port=\"0\" to-layer=\"2\" to-port=\"1\"/>"
        "<edge from-layer=\"2\" from-port=\"2\" to-layer=\"3\" to-port=\"0\"/>"
        "</edges></net>";
    float numbers[12];

    weights(numbers);
    assert_int_equal(file_write_whole(ir, xml, sizeof(xml) - 1, NULL), 0);
    assert_int_equal(file_write_whole(bin, numbers, sizeof(numbers), NULL), 0);
}

/* ---- cases ---- */

static int open_model(struct trial *t, const char *model, const char *format, const char *options,
                      const char *precision, struct assay_err *err)
{
    struct trial_ask ask = {.table = table,
                            .model = model,
                            .format = format,
                            .device = "cpu",
                            .options = options,
                            .lanes = 2,
                            .max_batch = 4,
                            .precision = precision};

    return trial_open(t, &ask, err);
}

/* Fails to open, in one line that says `words` and names the file. */
static void refuses(const char *model, const char *format, const char *words)
{
    struct assay_err err = {0};
    struct trial t;

    assert_true(open_model(&t, model, format, "", NULL, &err) < 0);
    print_message("%s\n", err.text);
    if (!strstr(err.text, words) || !strstr(err.text, model) || strchr(err.text, '\n') ||
        strstr(err.text, ".cpp"))
        fail_msg("%s", err.text);
}

static void answers_within(struct trial *t, uint32_t n, double bound)
{
    uint32_t samples[4] = {4, 2, 7, 1};
    struct assay_err err = {0};
    struct load l;

    if (load_init(&l, t, 1, samples, n, &err) || load_run(&l, &err))
        fail_msg("%s", err.text);
    for (uint32_t s = 0; s < n; s++) {
        const float *x = (const float *)l.inputs[0].data + s * 4,
                    *y = (const float *)l.answer[0] + s * 3;

        for (int j = 0; j < 3; j++) {
            double sum = 0;

            for (int i = 0; i < 4; i++)
                sum += (double)x[i] * (i - j);
            assert_true(fabs(sum - (double)y[j]) < bound);
        }
    }
    load_release(&l);
}

static void answers_of(struct trial *t, uint32_t n)
{
    answers_within(t, n, 1e-5);
}

static void answers(const char *model, const char *format, const char *options, uint32_t n)
{
    struct assay_err err = {0};
    struct trial t;

    if (open_model(&t, model, format, options, NULL, &err))
        fail_msg("%s", err.text);
    assert_int_equal(t.graph->inputs[0].dims[0], -1);
    assert_int_equal(t.graph->inputs[0].dims[1], 4);
    assert_string_equal(engine_desc(t.engine)->precision, "fp32");
    assert_string_equal(engine_desc(t.engine)->device, "cpu");
    answers_of(&t, n);
    assert_int_equal(trial_close(&t, &err), 0);
}

/* 4 is max_batch and so a form of its own, 3 is not. */
static void the_answer_is_right_in_every_format(void **state)
{
    static const char *const options[] = {"", "batch_shape=free",
                                          "performance_hint=throughput,num_streams=1,pinning=off",
                                          "performance_hint=latency,inference_num_threads=1"};

    (void)state;
    assert_int_equal(tiny_onnx_write(onnx, 0, 13, "MatMul"), 0);
    write_graph_def("MatMul");
    write_ir();
    for (size_t k = 0; k < sizeof(options) / sizeof(options[0]); k++) {
        for (uint32_t n = 3; n < 5; n++) {
            answers(onnx, "onnx", options[k], n);
            answers(graph_def, "tensorflow", options[k], n);
            answers(ir, "openvino", options[k], n);
        }
    }
}

static void a_float16_model_is_fed_float32(void **state)
{
    struct assay_err err = {0};
    struct trial t;

    (void)state;
    assert_int_equal(tiny_onnx_write_type(onnx, TINY_HALF, 0, 4, 13, "MatMul"), 0);
    for (uint32_t n = 3; n < 5; n++) {
        if (open_model(&t, onnx, "onnx", "", NULL, &err))
            fail_msg("%s", err.text);
        assert_int_equal(t.graph->inputs[0].dtype, ASSAY_F32);
        answers_within(&t, n, 2e-2);
        assert_int_equal(trial_close(&t, &err), 0);
    }
}

/* The form for whole batches is made when their size is known, and is not needed before. */
static void a_batch_can_be_settled(void **state)
{
    struct trial_ask ask = {.table = table,
                            .model = onnx,
                            .format = "onnx",
                            .device = "cpu",
                            .options = "",
                            .lanes = 2,
                            .max_batch = 4,
                            .settles = true};
    struct assay_err err = {0};
    struct trial t;

    (void)state;
    assert_int_equal(tiny_onnx_write(onnx, 0, 13, "MatMul"), 0);
    if (trial_open(&t, &ask, &err))
        fail_msg("%s", err.text);
    answers_of(&t, 4);
    remove(onnx);
    assert_int_equal(engine_settle(t.engine, 3, &err), ASSAY_EFAIL);
    assert_non_null(strstr(err.text, onnx));
    trial_close(&t, NULL);
    assert_int_equal(tiny_onnx_write(onnx, 0, 13, "MatMul"), 0);
    if (trial_open(&t, &ask, &err) || engine_settle(t.engine, 3, &err))
        fail_msg("%s", err.text);
    answers_of(&t, 3);
    answers_of(&t, 2);
    assert_int_equal(trial_close(&t, &err), 0);
}

static void a_fixed_batch_is_respected(void **state)
{
    struct assay_err err = {0};
    struct trial t;

    (void)state;
    assert_int_equal(tiny_onnx_write(onnx, 1, 13, "MatMul"), 0);
    assert_int_equal(open_model(&t, onnx, "onnx", "", NULL, &err), 0);
    assert_int_equal(engine_desc(t.engine)->max_batch, 1);
    trial_close(&t, NULL);
    assert_int_equal(tiny_onnx_write(onnx, 8, 13, "MatMul"), 0);
    assert_int_equal(open_model(&t, onnx, "onnx", "", NULL, &err), ASSAY_EUNSUPPORTED);
    assert_non_null(strstr(err.text, "exactly 8 samples"));
    /* Not where the batch comes behind it, as in MLPerf's DLRM: [26, batch]. */
    assert_int_equal(tiny_onnx_write_shape(onnx, 8, 0, 13, "MatMul"), 0);
    if (open_model(&t, onnx, "onnx", "", NULL, &err))
        fail_msg("%s", err.text);
    assert_int_equal(engine_desc(t.engine)->max_batch, 0);
    trial_close(&t, NULL);
}

static void broken_models_are_named(void **state)
{
    (void)state;
    assert_int_equal(tiny_onnx_write(onnx, 0, 13, "NoSuchOp"), 0);
    refuses(onnx, "onnx", "NoSuchOp");
    write_graph_def("NoSuchOp");
    refuses(graph_def, "tensorflow", "NoSuchOp");
    assert_int_equal(tiny_onnx_write(onnx, 0, 13, "MatMul"), 0);
    assert_int_equal(truncate(onnx, file_size(onnx) - 20), 0);
    refuses(onnx, "onnx", "cannot be read as onnx");
    write_graph_def("MatMul");
    assert_int_equal(truncate(graph_def, file_size(graph_def) - 20), 0);
    refuses(graph_def, "tensorflow", "cannot be read as tensorflow");
    write_ir();
    assert_int_equal(truncate(bin, 20), 0);
    refuses(ir, "openvino", "cannot be read as openvino");
    write_ir();
    assert_int_equal(truncate(ir, 300), 0);
    refuses(ir, "openvino", "cannot be read as openvino");
    write_ir();
    unlink(bin);
    refuses(ir, "openvino", "cannot be read as openvino");
}

/* OpenVINO finds out itself what a file is, but what was asked for must be what is run. */
/* In each format, every file of a folder with its ending is a graph. */
static void a_folder_is_a_model_of_several_graphs(void **state)
{
    static const char *const formats[] = {"onnx", "tensorflow", "openvino"};
    char folder[sizeof(dir) + 16], path[sizeof(dir) + 48];
    const struct assay_model_desc *desc;
    struct assay_err err = {0};
    uint32_t sample = 3;
    struct trial t;
    struct load l;

    (void)state;
    snprintf(folder, sizeof(folder), "%s/graphs", dir);
    assert_int_equal(mkdir(folder, 0700), 0);
    refuses(folder, "openvino", "has no .xml file; wanted: one for each graph");
    write_graph_def("MatMul");
    write_ir();
    snprintf(path, sizeof(path), "%s/second.pb", folder);
    assert_int_equal(rename(graph_def, path), 0);
    snprintf(path, sizeof(path), "%s/second.xml", folder);
    assert_int_equal(rename(ir, path), 0);
    snprintf(path, sizeof(path), "%s/second.bin", folder);
    assert_int_equal(rename(bin, path), 0);
    snprintf(path, sizeof(path), "%s/second.onnx", folder);
    assert_int_equal(tiny_onnx_write(path, 1, 13, "MatMul"), 0);
    snprintf(path, sizeof(path), "%s/first.onnx", folder);
    assert_int_equal(tiny_onnx_write(path, 0, 13, "MatMul"), 0);
    for (int k = 0; k < 3; k++) {
        if (open_model(&t, folder, formats[k], "", NULL, &err) ||
            load_init(&l, &t, 1, &sample, 1, &err))
            fail_msg("%s: %s", formats[k], err.text);
        desc = engine_desc(t.engine);
        assert_int_equal(desc->graph_count, k ? 1 : 2);
        assert_string_equal(desc->graphs[0].name, k ? "second" : "first");
        assert_string_equal(desc->graphs[desc->graph_count - 1].name, "second");
        assert_int_equal(desc->max_batch, k ? 0 : 1);
        l.batch.graph = desc->graph_count - 1;
        assert_int_equal(load_run(&l, &err), 0);
        load_release(&l);
        trial_close(&t, NULL);
    }
    assert_int_equal(tiny_onnx_write(path, 8, 13, "MatMul"), 0);
    refuses(folder, "onnx", "first.onnx: the model takes exactly 8 samples");
}

static void a_wrong_format_is_refused(void **state)
{
    (void)state;
    assert_int_equal(tiny_onnx_write(onnx, 0, 13, "MatMul"), 0);
    write_ir();
    write_graph_def("MatMul");
    refuses(onnx, "tensorflow", "as tensorflow: it is onnx");
    refuses(graph_def, "onnx", "as onnx: it is tensorflow");
    refuses(ir, "onnx", "as onnx: it is openvino");
}

/* What the processor says of itself; x86 only. */
static bool processor_has_bf16(void)
{
    FILE *f = fopen("/proc/cpuinfo", "r");
    char line[8192];
    bool found = false;

    while (f && !found && fgets(line, sizeof(line), f))
        found = strncmp(line, "flags", 5) == 0 &&
                (strstr(line, " avx512_bf16") || strstr(line, " amx_bf16"));
    if (f)
        fclose(f);
    return found;
}

/* 1 + 2^-10 is not bfloat16's, which has 8 bits: as one factor of a sum of one it comes out as it
 * is or as 1, whatever the engine says of itself. */
static const char *executed_precision(const char *options, const char *asked, char said[8])
{
    const float exact = 1 + 0x1p-10f;
    uint32_t sample = 1;
    struct assay_err err = {0};
    struct trial t;
    struct load l;
    float y;

    if (open_model(&t, onnx, "onnx", options, asked, &err) ||
        load_init(&l, &t, 0, &sample, 1, &err))
        fail_msg("%s", err.text);
    memcpy(l.inputs[0].data, (const float[4]){0, exact, 0, 0}, 4 * sizeof(float));
    if (load_run(&l, &err))
        fail_msg("%s", err.text);
    y = *(const float *)l.answer[0];
    snprintf(said, 8, "%s", engine_desc(t.engine)->precision);
    print_message("%s%s asked for: %s, %.10g\n", asked, options, said, (double)y);
    load_release(&l);
    assert_int_equal(trial_close(&t, &err), 0);
    return y == exact ? "fp32" : y == 1 ? "bf16" : "neither";
}

/* What is recorded is what computes, on every processor; bf16 that was asked for is bf16 where the
 * processor has it. */
static void precision_is_what_is_in_force(void **state)
{
    struct assay_err err = {0};
    char said[8];
    struct trial t;

    (void)state;
    assert_int_equal(tiny_onnx_write(onnx, 0, 13, "MatMul"), 0);
    assert_int_equal(open_model(&t, onnx, "onnx", "", "int8", &err), ASSAY_EUNSUPPORTED);
    assert_non_null(strstr(err.text, "`assay quantize`"));
    assert_int_equal(open_model(&t, onnx, "onnx", "", "fp16", &err), ASSAY_EUNSUPPORTED);
    assert_string_equal(executed_precision("", "fp32", said), "fp32");
    assert_string_equal(said, "fp32");
    assert_string_equal(executed_precision("inference_precision=f32", "bf16", said), "fp32");
    assert_string_equal(said, "fp32");
    assert_string_equal(executed_precision("", "bf16", said), said);
    if (!processor_has_bf16()) {
        print_message("skipped: this processor has no bfloat16, so bf16 need not be executed\n");
        skip();
    }
    assert_string_equal(said, "bf16");
}

static void other_devices_are_refused_with_reasons(void **state)
{
    static const char *const devices[] = {"cuda:0", "npu", "gpu:7"};
    struct assay_err err = {0};
    struct trial t;

    (void)state;
    assert_int_equal(tiny_onnx_write(onnx, 0, 13, "MatMul"), 0);
    for (int i = 0; i < 3; i++) {
        struct trial_ask ask = {.table = table,
                                .model = onnx,
                                .format = "onnx",
                                .device = devices[i],
                                .lanes = 1,
                                .max_batch = 1};

        assert_int_equal(trial_open(&t, &ask, &err), ASSAY_EUNSUPPORTED);
        print_message("%s\n", err.text);
        assert_non_null(strstr(err.text, devices[i]));
        assert_non_null(strstr(err.text, "CPU"));
    }
}

static void without_library_it_explains_itself(void **state)
{
    struct assay_engine_probe p = {.size = sizeof(p)};
    char *there = engine_runtime_dir("openvino"), broken[120];
    struct assay_err err = {0};

    (void)state;
    assert_int_equal(table->probe("/nonexistent", &p, &err), 0);
    if (!p.version[0])
        assert_non_null(strstr(p.note, "`make engine-openvino` gets it"));
    snprintf(broken, sizeof(broken), "%s/libopenvino_c.so.1", dir);
    memset(&p, 0, sizeof(p));
    assert_int_equal(file_write_whole(broken, "no library", 10, NULL), 0);
    assert_int_equal(table->probe(dir, &p, &err), 0);
    print_message("%s\n", p.note);
    assert_non_null(strstr(p.note, "cannot be loaded"));
    memset(&p, 0, sizeof(p));
    assert_int_equal(table->probe(there, &p, &err), 0);
    assert_int_equal(p.note[0], 0);
    assert_string_equal(p.devices[0], "cpu");
    assert_true(p.device_names[0][0] && p.version[0] && file_exists(p.library));
    free(there);
}

static void it_conforms(void **state)
{
    const char *data = getenv("ASSAY_TEST_DATA");
    char real[1024];
    struct assay_err err = {0};
    struct engine_conform sum;

    (void)state;
    write_graph_def("MatMul");
    write_ir();
    assert_int_equal(
        engine_conform("openvino", graph_def, "tensorflow", "cpu", NULL, NULL, stderr, &sum, &err),
        0);
    assert_int_equal(sum.failed, 0);
    assert_int_equal(
        engine_conform("openvino", ir, "openvino", "cpu", NULL, NULL, stderr, &sum, &err), 0);
    assert_int_equal(sum.failed, 0);
    snprintf(real, sizeof(real), "%s/models/efficientnet-lite0.onnx",
             data ? data : ASSAY_SOURCE "/../shared/data");
    if (!file_exists(real))
        skip();
    assert_int_equal(
        engine_conform("openvino", real, "onnx", "cpu", NULL, NULL, stderr, &sum, &err), 0);
    assert_int_equal(sum.failed, 0);
}

static int begin(void **state)
{
    struct assay_err err = {0};
    char path[1024];

    (void)state;
    if (!mkdtemp(dir))
        return -1;
    snprintf(onnx, sizeof(onnx), "%s/tiny", dir); /* no extension: the content decides */
    snprintf(graph_def, sizeof(graph_def), "%s/tiny.pb", dir);
    snprintf(ir, sizeof(ir), "%s/tiny.xml", dir);
    snprintf(bin, sizeof(bin), "%s/tiny.bin", dir);
    return engine_load("openvino", &table, path, &err);
}

static int end(void **state)
{
    (void)state;
    return file_remove_tree(dir, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_answer_is_right_in_every_format),
                                       cmocka_unit_test(a_float16_model_is_fed_float32),
                                       cmocka_unit_test(a_batch_can_be_settled),
                                       cmocka_unit_test(a_fixed_batch_is_respected),
                                       cmocka_unit_test(broken_models_are_named),
                                       cmocka_unit_test(a_folder_is_a_model_of_several_graphs),
                                       cmocka_unit_test(a_wrong_format_is_refused),
                                       cmocka_unit_test(precision_is_what_is_in_force),
                                       cmocka_unit_test(other_devices_are_refused_with_reasons),
                                       cmocka_unit_test(without_library_it_explains_itself),
                                       cmocka_unit_test(it_conforms)};
    struct assay_engine_probe p = {.size = sizeof(p)};
    const struct assay_engine *probe;
    struct assay_err err = {0};
    char path[1024], *there;

    if (engine_load("openvino", &probe, path, &err)) {
        fprintf(stderr, "skipped: %s\n", err.text);
        return 77;
    }
    there = engine_runtime_dir("openvino");
    probe->probe(there, &p, &err);
    free(there);
    if (p.note[0]) {
        fprintf(stderr, "skipped: %s\n", p.note);
        return 77;
    }
    return cmocka_run_group_tests(tests, begin, end);
}
