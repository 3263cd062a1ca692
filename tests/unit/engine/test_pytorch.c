/* test: no-tsan. The PyTorch engine on modules of a few bytes, ours and foreign ones, and on broken
 * files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "engine/host.h"
#include "engine/trial.h"
#include "tiny_torchscript.h"

static char model[] = P_tmpdir "/assay-tiny-XXXXXX";
static const struct assay_engine *table;

static int open_model(struct trial *t, const char *options, const char *device,
                      struct assay_err *err)
{
    struct trial_ask ask = {.table = table,
                            .model = model,
                            .format = "torchscript",
                            .device = device,
                            .options = options,
                            .lanes = 1,
                            .max_batch = 4};

    return trial_open(t, &ask, err);
}

/* What a benchmark asks for: `want_in` and `want_out` columns of a sample.  A module that is not
 * ours is opened with that alone. */
static int open_foreign(const char *precision, int64_t want_in, int64_t want_out,
                        struct engine **engine, struct assay_err *err)
{
    static struct assay_tensor_spec in, out;
    static struct assay_value *values;
    static char *storage;
    struct assay_engine_config c = {.size = sizeof(c),
                                    .model_path = model,
                                    .format = "torchscript",
                                    .device = "cpu",
                                    .precision = precision,
                                    .lanes = 1,
                                    .threads = 1,
                                    .max_batch = 4,
                                    .want_input_count = 1,
                                    .want_inputs = &in,
                                    .want_output_count = 1,
                                    .want_outputs = &out};
    char *dir = engine_runtime_dir("pytorch");
    int rc;

    in = (struct assay_tensor_spec){"pixels", ASSAY_F32, 1, {want_in}};
    out = (struct assay_tensor_spec){"scores", ASSAY_F32, 1, {want_out}};
    assert_int_equal(engine_parse_options(table, NULL, &values, &c.option_count, &storage, err), 0);
    c.values = values;
    c.runtime_dir = dir;
    rc = engine_open(table, &c, engine, err);
    free(values);
    free(storage);
    free(dir);
    return rc;
}

static void the_answer_is_right(void **state)
{
    static const char *const options[] = {"", "freeze=off,optimise=off", "optimise=off",
                                          "channels_last=on"};
    uint32_t samples[3] = {4, 2, 7};
    struct assay_err err = {0};
    struct trial t;
    struct load l;

    (void)state;
    assert_int_equal(tiny_torchscript_write(model, TINY_MATMUL, TINY_FACTS), 0);
    for (size_t k = 0; k < sizeof(options) / sizeof(options[0]); k++) {
        if (open_model(&t, options[k], "cpu", &err) || load_init(&l, &t, 0, samples, 3, &err) ||
            load_run(&l, &err))
            fail_msg("%s", err.text);
        assert_string_equal(t.graph->inputs[0].name, "x");
        assert_int_equal(t.graph->inputs[0].dims[0], -1);
        assert_int_equal(t.graph->inputs[0].dims[1], 4);
        assert_string_equal(t.graph->outputs[0].name, "y");
        assert_string_equal(engine_desc(t.engine)->precision, "fp32");
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
        assert_int_equal(trial_close(&t, &err), 0);
    }
}

/* Without extra/assay.txt: inputs are the benchmark's, outputs are seen by running it. */
static void foreign_modules_are_tried(void **state)
{
    const struct assay_graph_desc *g;
    struct assay_err err = {0};
    struct engine *e;

    (void)state;
    assert_int_equal(tiny_torchscript_write(model,
                                            "(self: __torch__.Net, x: Tensor) -> "
                                            "Tuple[Tensor, Tensor]:\n    y = torch.matmul(x, "
                                            "self.w)\n    return (torch.argmax(y, 1), y)\n",
                                            NULL),
                     0);
    if (open_foreign("fp32", 4, 3, &e, &err))
        fail_msg("%s", err.text);
    g = engine_desc(e)->graphs;
    assert_int_equal(engine_desc(e)->max_batch, 0);
    assert_string_equal(g->inputs[0].name, "pixels");
    assert_int_equal(g->output_count, 2);
    assert_string_equal(g->outputs[0].name, "output0");
    assert_int_equal(g->outputs[0].dtype, ASSAY_I64);
    assert_int_equal(g->outputs[0].rank, 1);
    assert_int_equal(g->outputs[0].dims[0], -1);
    assert_string_equal(g->outputs[1].name, "scores");
    assert_int_equal(g->outputs[1].dims[1], 3);
    engine_close(e);
    /* The benchmark's samples do not fit. */
    assert_true(open_foreign("fp32", 5, 3, &e, &err) < 0);
    print_message("%s\n", err.text);
    assert_non_null(strstr(err.text, model));
    assert_null(strchr(err.text, '\n'));
}

static void a_fixed_batch_is_respected(void **state)
{
    struct assay_err err = {0};
    struct engine *e;

    (void)state;
    assert_int_equal(tiny_torchscript_write(model,
                                            "(self: __torch__.Net, x: Tensor) -> Tensor:\n"
                                            "    return torch.matmul(torch.view(x, [1, 4]), "
                                            "self.w)\n",
                                            NULL),
                     0);
    if (open_foreign("fp32", 4, 3, &e, &err))
        fail_msg("%s", err.text);
    assert_int_equal(engine_desc(e)->max_batch, 1);
    engine_close(e);
}

static void precision_is_what_was_asked(void **state)
{
    struct assay_err err = {0};
    struct engine *e;

    (void)state;
    assert_int_equal(tiny_torchscript_write(model, TINY_MATMUL, TINY_FACTS), 0);
    if (open_foreign("bf16", 4, 3, &e, &err))
        fail_msg("%s", err.text);
    assert_string_equal(engine_desc(e)->precision, "bf16");
    assert_int_equal(engine_desc(e)->graphs->outputs[0].dtype, ASSAY_F32);
    engine_close(e);
    assert_true(open_foreign("fp16", 4, 3, &e, &err) < 0);
    assert_non_null(strstr(err.text, "fp16 is for CUDA"));
}

/* A module that writes to its input gets a copy: the samples lie in memory that cannot be written.
 */
static void the_input_is_not_written(void **state)
{
    static const char writes[] = "(self: __torch__.Net, x: Tensor) -> Tensor:\n"
                                 "    y = torch.add_(x, 1)\n"
                                 "    return torch.matmul(y, self.w)\n";
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    float *x = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uint32_t sample = 1;
    struct assay_err err = {0};
    struct trial t;
    struct load l;
    void *own;

    (void)state;
    assert_true(x != MAP_FAILED);
    x[1] = 2;
    assert_int_equal(mprotect(x, page, PROT_READ), 0);
    for (int k = 0; k < 2; k++) {
        assert_int_equal(tiny_torchscript_write(model, writes, TINY_FACTS), 0);
        if (open_model(&t, k ? "freeze=off,optimise=off" : "", "cpu", &err) ||
            load_init(&l, &t, 0, &sample, 1, &err))
            fail_msg("%s", err.text);
        own = l.inputs[0].data;
        l.inputs[0].data = x;
        if (load_run(&l, &err))
            fail_msg("%s", err.text);
        /* sum of i (x[i] + 1), for the column 0 */
        assert_true(fabs((double)((const float *)l.answer[0])[0] - 8) < 1e-5);
        assert_true(x[0] == 0 && x[1] == 2);
        l.inputs[0].data = own;
        load_release(&l);
        trial_close(&t, NULL);
    }
    munmap(x, page);
}

static void what_is_quantised_is_int8(void **state)
{
    struct assay_err err = {0};
    struct engine *e;

    (void)state;
    assert_int_equal(
        tiny_torchscript_write(model,
                               "(self: __torch__.Net, x: Tensor) -> Tensor:\n"
                               "    q = torch.quantize_per_tensor(x, 0.1, 0, 13)\n"
                               "    y = torch.dequantize(ops.quantized.add(q, q, 0.2, 0))\n"
                               "    return torch.matmul(y, self.w)\n",
                               NULL),
        0);
    if (open_foreign("fp32", 4, 3, &e, &err))
        fail_msg("%s", err.text);
    assert_string_equal(engine_desc(e)->precision, "int8");
    engine_close(e);
}

/* Opens what has just been written, which must fail in one line that says `says`. */
static void must_fail(int written, const char *says)
{
    struct assay_err err = {0};
    struct trial t;

    assert_int_equal(written, 0);
    assert_true(open_model(&t, "", "cpu", &err) < 0);
    print_message("%s\n", err.text);
    if (!strstr(err.text, says) || !strstr(err.text, model) || strchr(err.text, '\n'))
        fail_msg("%s", err.text);
}

static void broken_models_are_named(void **state)
{
    FILE *f;

    (void)state;
    must_fail(tiny_torchscript_write(model, TINY_MATMUL, NULL), "names no shapes");
    must_fail(tiny_torchscript_write(model, TINY_MATMUL, "input float33 N,4 x\n"), "float33");
    must_fail(tiny_torchscript_write(model, TINY_MATMUL, "input float32 N,4 x\noutput int64 N y\n"),
              "describes output 'y' otherwise");
    must_fail(tiny_torchscript_write(model, TINY_MATMUL, TINY_FACTS "output float32 N,3 z\n"),
              "describes 2 outputs, forward() gives 1");
    must_fail(tiny_torchscript_write(model, TINY_MATMUL, "input float32 N,5 x\n"), "mat1 and mat2");
    must_fail(tiny_torchscript_write(model,
                                     "(self: __torch__.Net, x: Tensor) -> Tensor:\n"
                                     "    return torch.no_such_thing(x)\n",
                                     TINY_FACTS),
              "it calls aten::no_such_thing, an operator that this libtorch lacks");
    must_fail(tiny_torchscript_write(
                  model, "(self: __torch__.Net, x: Tensor) -> int:\n    return 7\n", TINY_FACTS),
              "no tensor");
    assert_int_equal(tiny_torchscript_write(model, TINY_MATMUL, TINY_FACTS), 0);
    must_fail(truncate(model, file_size(model) - 20), "cut off");
    must_fail(truncate(model, 0), "cut off");
    f = fopen(model, "wb");
    assert_non_null(f);
    assert_true(fputs("\x08\x07:\x04onnx", f) >= 0);
    must_fail(fclose(f), "no TorchScript file");
}

/* Every .pt of a folder is a graph, called after its file; lanes run all of them. */
static void a_folder_is_a_model_of_several_graphs(void **state)
{
    static const char twice[] = "(self: __torch__.Net, x: Tensor) -> Tensor:\n"
                                "    return torch.mul(torch.matmul(x, self.w), 2.)\n";
    char folder[] = P_tmpdir "/assay-graphs-XXXXXX", path[sizeof(folder) + 32];
    struct trial_ask ask = {.table = table,
                            .model = folder,
                            .format = "torchscript",
                            .device = "cpu",
                            .options = "",
                            .lanes = 2,
                            .max_batch = 4};
    const struct assay_model_desc *desc;
    struct assay_err err = {0};
    uint32_t sample = 3;
    struct trial t;
    struct load l;
    float once[3];

    (void)state;
    assert_non_null(mkdtemp(folder));
    assert_true(trial_open(&t, &ask, &err) < 0);
    assert_non_null(strstr(err.text, "has no .pt or .torchscript file"));
    snprintf(path, sizeof(path), "%s/second.pt", folder);
    assert_int_equal(tiny_torchscript_write(path, twice, TINY_FACTS), 0);
    snprintf(path, sizeof(path), "%s/first.torchscript", folder);
    assert_int_equal(tiny_torchscript_write(path, TINY_MATMUL, TINY_FACTS), 0);
    if (trial_open(&t, &ask, &err) || load_init(&l, &t, 1, &sample, 1, &err))
        fail_msg("%s", err.text);
    desc = engine_desc(t.engine);
    assert_int_equal(desc->graph_count, 2);
    assert_string_equal(desc->graphs[0].name, "first");
    assert_string_equal(desc->graphs[1].name, "second");
    assert_string_equal(desc->graphs[1].outputs[0].name, "y");
    assert_int_equal(load_run(&l, &err), 0);
    memcpy(once, l.answer[0], sizeof(once));
    l.batch.graph = 1;
    assert_int_equal(load_run(&l, &err), 0);
    for (int j = 0; j < 3; j++)
        assert_true(fabs((double)((const float *)l.answer[0])[j] - 2 * (double)once[j]) < 1e-5);
    load_release(&l);
    trial_close(&t, NULL);
    assert_int_equal(truncate(path, file_size(path) - 20), 0);
    assert_true(trial_open(&t, &ask, &err) < 0);
    assert_non_null(strstr(err.text, "first.torchscript ("));
    file_remove_tree(folder, NULL);
}

/* A module that follows a free length: which dimension that is, is seen. */
static void a_free_length_is_seen(void **state)
{
    static const struct assay_tensor_spec in = {"frames", ASSAY_F32, 2, {-1, 4}},
                                          out = {"encoded", ASSAY_F32, 2, {-1, 4}};
    static const struct assay_graph_desc want = {"encoder", 1, 1, &in, &out};
    struct assay_engine_config c = {.size = sizeof(c),
                                    .model_path = model,
                                    .format = "torchscript",
                                    .device = "cpu",
                                    .lanes = 1,
                                    .threads = 1,
                                    .max_batch = 1,
                                    .want_graph_count = 1,
                                    .want_graphs = &want};
    char *dir = engine_runtime_dir("pytorch"), *storage;
    struct assay_value *values;
    struct assay_err err = {0};
    struct engine *e;

    (void)state;
    assert_int_equal(tiny_torchscript_write(model,
                                            "(self: __torch__.Net, x: Tensor) -> Tensor:\n"
                                            "    return torch.slice(x, 1, 0, 1000000, 2)\n",
                                            NULL),
                     0);
    assert_int_equal(engine_parse_options(table, NULL, &values, &c.option_count, &storage, &err),
                     0);
    c.values = values;
    c.runtime_dir = dir;
    if (engine_open(table, &c, &e, &err))
        fail_msg("%s", err.text);
    assert_string_equal(engine_desc(e)->graphs->inputs[0].name, "frames");
    assert_string_equal(engine_desc(e)->graphs->outputs[0].name, "encoded");
    assert_int_equal(engine_desc(e)->graphs->outputs[0].dims[1], -1);
    assert_int_equal(engine_desc(e)->graphs->outputs[0].dims[2], 4);
    engine_close(e);
    free(values);
    free(storage);
    free(dir);
}

static void an_error_in_a_batch_is_one_line(void **state)
{
    uint32_t sample = 1;
    struct assay_err err = {0};
    struct trial t;
    struct load l;

    (void)state;
    assert_int_equal(tiny_torchscript_write(model, TINY_MATMUL, TINY_FACTS), 0);
    if (open_model(&t, "", "cpu", &err) || load_init(&l, &t, 0, &sample, 1, &err))
        fail_msg("%s", err.text);
    l.inputs[0].dims[1] = 3;
    l.inputs[0].bytes = 12;
    assert_true(load_run(&l, &err) < 0);
    print_message("%s\n", err.text);
    assert_non_null(strstr(err.text, "input 'x' comes as float32 [1, 3]"));
    assert_null(strchr(err.text, '\n'));
    load_release(&l);
    trial_close(&t, NULL);
}

static void cuda_is_refused_with_reasons(void **state)
{
    struct assay_err err = {0};
    struct trial t;

    (void)state;
    assert_int_equal(tiny_torchscript_write(model, TINY_MATMUL, TINY_FACTS), 0);
    if (!open_model(&t, "", "cuda:0", &err)) {
        trial_close(&t, NULL);
        skip(); /* a machine that has it */
    }
    print_message("%s\n", err.text);
    assert_non_null(strstr(err.text, "cuda:0"));
    assert_null(strchr(err.text, '\n'));
    assert_string_equal(getenv("NVIDIA_TF32_OVERRIDE"), "0"); /* fp32 is fp32 */
}

/* A runtime folder with that file in it, or nothing. */
static void probe_says(const char *file, const char *content, const char *says)
{
    char dir[] = P_tmpdir "/assay-torch-XXXXXX", path[128];
    struct assay_engine_probe p = {.size = sizeof(p)};
    struct assay_err err = {0};
    FILE *f;

    assert_non_null(mkdtemp(dir));
    if (file) {
        snprintf(path, sizeof(path), "%s/%s", dir, file);
        f = fopen(path, "wb");
        assert_true(f && fputs(content, f) >= 0 && fclose(f) == 0);
    }
    assert_int_equal(table->probe(dir, &p, &err), 0);
    print_message("%s\n", p.note);
    if (!p.version[0] && !strstr(p.note, says))
        fail_msg("%s", p.note);
    if (file)
        unlink(path);
    rmdir(dir);
}

static void without_library_it_explains_itself(void **state)
{
    struct assay_engine_probe p = {.size = sizeof(p)};
    struct assay_err err = {0};
    char *dir = engine_runtime_dir("pytorch");

    (void)state;
    probe_says(NULL, NULL, "`make engine-pytorch` gets it");
    probe_says("libtorch_cpu.so", "no library", "libtorch cannot be loaded");
    assert_int_equal(table->probe(dir, &p, &err), 0);
    assert_int_equal(p.note[0], 0);
    assert_string_equal(p.devices[0], "cpu");
    assert_true(file_exists(p.library));
    free(dir);
}

static void it_conforms(void **state)
{
    struct assay_err err = {0};
    struct engine_conform sum;

    (void)state;
    assert_int_equal(tiny_torchscript_write(model, TINY_MATMUL, TINY_FACTS), 0);
    assert_int_equal(
        engine_conform("pytorch", model, "torchscript", "cpu", NULL, NULL, stderr, &sum, &err), 0);
    assert_int_equal(sum.failed, 0);
}

static int begin(void **state)
{
    struct assay_err err = {0};
    char path[1024];
    int fd = mkstemp(model);

    (void)state;
    if (fd < 0)
        return -1;
    close(fd);
    return engine_load("pytorch", &table, path, &err);
}

static int end(void **state)
{
    (void)state;
    return unlink(model);
}

int main(void)
{
    /* Once libtorch is loaded it is found anywhere: what is said without it comes first. */
    const struct CMUnitTest tests[] = {cmocka_unit_test(without_library_it_explains_itself),
                                       cmocka_unit_test(the_answer_is_right),
                                       cmocka_unit_test(foreign_modules_are_tried),
                                       cmocka_unit_test(a_fixed_batch_is_respected),
                                       cmocka_unit_test(precision_is_what_was_asked),
                                       cmocka_unit_test(the_input_is_not_written),
                                       cmocka_unit_test(what_is_quantised_is_int8),
                                       cmocka_unit_test(broken_models_are_named),
                                       cmocka_unit_test(a_folder_is_a_model_of_several_graphs),
                                       cmocka_unit_test(a_free_length_is_seen),
                                       cmocka_unit_test(an_error_in_a_batch_is_one_line),
                                       cmocka_unit_test(cuda_is_refused_with_reasons),
                                       cmocka_unit_test(it_conforms)};
    const struct assay_engine *probe;
    struct assay_err err = {0};
    char path[1024];

    if (engine_load("pytorch", &probe, path, &err)) {
        fprintf(stderr, "skipped: %s\n", err.text);
        return 77;
    }
    return cmocka_run_group_tests(tests, begin, end);
}
