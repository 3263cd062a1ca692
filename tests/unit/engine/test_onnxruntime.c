/* test: no-tsan. The ONNX Runtime engine on a model of a few bytes, on broken ones, and on a real
 * one where it is there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <dirent.h>
#include <dlfcn.h>
#include <math.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "engine/host.h"
#include "engine/trial.h"
#include "tiny_onnx.h"

static char model[] = P_tmpdir "/assay-tiny-XXXXXX";
static const struct assay_engine *table;

static int open_model(struct trial *t, const char *options, const char *device,
                      struct assay_err *err)
{
    struct trial_ask ask = {.table = table,
                            .model = model,
                            .format = "onnx",
                            .device = device,
                            .options = options,
                            .lanes = 1,
                            .max_batch = 4};

    return trial_open(t, &ask, err);
}

static void check_answers(const struct load *l, double bound)
{
    for (int s = 0; s < 3; s++) {
        const float *x = (const float *)l->inputs[0].data + s * 4,
                    *y = (const float *)l->answer[0] + s * 3;

        for (int j = 0; j < 3; j++) {
            double sum = 0;

            for (int i = 0; i < 4; i++)
                sum += (double)x[i] * (i - j);
            assert_true(fabs(sum - (double)y[j]) < bound);
        }
    }
}

static void the_answer_is_right(void **state)
{
    static const char *const options[] = {
        "", "graph_optimization=disable,memory_arena=off,memory_pattern=off",
        "execution_mode=parallel,inter_op_threads=2", "spinning=off,deterministic_compute=on"};
    uint32_t samples[3] = {4, 2, 7};
    struct assay_err err = {0};
    struct trial t;
    struct load l;

    (void)state;
    assert_int_equal(tiny_onnx_write(model, 0, 13, "MatMul"), 0);
    for (size_t k = 0; k < sizeof(options) / sizeof(options[0]); k++) {
        if (open_model(&t, options[k], "cpu", &err) || load_init(&l, &t, 0, samples, 3, &err) ||
            load_run(&l, &err))
            fail_msg("%s", err.text);
        assert_string_equal(t.graph->inputs[0].name, "x");
        assert_int_equal(t.graph->inputs[0].dims[0], -1);
        assert_int_equal(t.graph->inputs[0].dims[1], 4);
        assert_string_equal(t.graph->outputs[0].name, "y");
        assert_string_equal(engine_desc(t.engine)->precision, "fp32");
        check_answers(&l, 1e-5);
        load_release(&l);
        assert_int_equal(trial_close(&t, &err), 0);
    }
}

static void a_float16_model_is_fed_float32(void **state)
{
    uint32_t samples[3] = {4, 2, 7};
    struct assay_err err = {0};
    struct trial t;
    struct load l;

    (void)state;
    assert_int_equal(tiny_onnx_write_type(model, TINY_HALF, 0, 4, 13, "MatMul"), 0);
    if (open_model(&t, "", "cpu", &err) || load_init(&l, &t, 0, samples, 3, &err) ||
        load_run(&l, &err))
        fail_msg("%s", err.text);
    assert_int_equal(t.graph->inputs[0].dtype, ASSAY_F32);
    assert_int_equal(t.graph->outputs[0].dtype, ASSAY_F32);
    check_answers(&l, 2e-2);
    load_release(&l);
    assert_int_equal(trial_close(&t, &err), 0);
}

static void a_fixed_batch_is_respected(void **state)
{
    struct assay_err err = {0};
    struct trial t;

    (void)state;
    assert_int_equal(tiny_onnx_write(model, 1, 13, "MatMul"), 0);
    assert_int_equal(open_model(&t, "", "cpu", &err), 0);
    assert_int_equal(engine_desc(t.engine)->max_batch, 1);
    trial_close(&t, NULL);
    assert_int_equal(tiny_onnx_write(model, 8, 13, "MatMul"), 0);
    assert_int_equal(open_model(&t, "", "cpu", &err), ASSAY_EUNSUPPORTED);
    assert_non_null(strstr(err.text, "exactly 8 samples"));
    /* Not where the batch comes behind it, as in MLPerf's DLRM: [26, batch]. */
    assert_int_equal(tiny_onnx_write_shape(model, 8, 0, 13, "MatMul"), 0);
    if (open_model(&t, "", "cpu", &err))
        fail_msg("%s", err.text);
    assert_int_equal(engine_desc(t.engine)->max_batch, 0);
    trial_close(&t, NULL);
}

static void broken_models_are_named(void **state)
{
    struct assay_err err = {0};
    struct trial t;

    (void)state;
    assert_int_equal(tiny_onnx_write(model, 0, 99, "MatMul"), 0);
    assert_true(open_model(&t, "", "cpu", &err) < 0);
    print_message("%s\n", err.text);
    if (!strstr(err.text, "opset") || strstr(err.text, "onnxruntime_src"))
        fail_msg("%s", err.text);
    assert_int_equal(tiny_onnx_write(model, 0, 13, "NoSuchOp"), 0);
    assert_true(open_model(&t, "", "cpu", &err) < 0);
    assert_non_null(strstr(err.text, "NoSuchOp"));
    assert_int_equal(tiny_onnx_write(model, 0, 13, "MatMul"), 0);
    assert_int_equal(truncate(model, file_size(model) - 20), 0);
    assert_true(open_model(&t, "", "cpu", &err) < 0);
    assert_non_null(strstr(err.text, "cut off"));
    assert_null(strchr(err.text, '\n'));
    assert_non_null(strstr(err.text, model));
}

/* Every .onnx of a folder is a graph, in order of their names; the strictest batch counts. */
static void a_folder_is_a_model_of_several_graphs(void **state)
{
    char folder[] = P_tmpdir "/assay-graphs-XXXXXX", path[sizeof(folder) + 16];
    struct trial_ask ask = {.table = table,
                            .model = folder,
                            .format = "onnx",
                            .device = "cpu",
                            .options = "",
                            .lanes = 2,
                            .max_batch = 4};
    const struct assay_model_desc *desc;
    struct assay_err err = {0};
    struct trial t;

    (void)state;
    assert_non_null(mkdtemp(folder));
    assert_true(trial_open(&t, &ask, &err) < 0);
    assert_non_null(strstr(err.text, "has no .onnx file; wanted: one for each graph"));
    snprintf(path, sizeof(path), "%s/second.onnx", folder);
    assert_int_equal(tiny_onnx_write(path, 1, 13, "MatMul"), 0);
    snprintf(path, sizeof(path), "%s/first.v2.onnx", folder);
    assert_int_equal(tiny_onnx_write(path, 0, 13, "MatMul"), 0);
    snprintf(path, sizeof(path), "%s/notes.txt", folder);
    assert_int_equal(file_write_whole(path, "x", 1, NULL), 0);
    if (trial_open(&t, &ask, &err))
        fail_msg("%s", err.text);
    desc = engine_desc(t.engine);
    assert_int_equal(desc->graph_count, 2);
    assert_string_equal(desc->graphs[0].name, "first.v2");
    assert_string_equal(desc->graphs[1].name, "second");
    assert_int_equal(desc->graphs[1].inputs[0].dims[0], 1);
    assert_int_equal(desc->max_batch, 1);
    trial_close(&t, NULL);
    file_remove_tree(folder, NULL);
}

static void run_on(int cpu)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    assert_int_equal(sched_setaffinity(0, sizeof(set), &set), 0);
}

/* How many threads of this process may run on this processor alone. */
static int threads_on(int cpu)
{
    struct dirent **list;
    int n = scandir("/proc/self/task", &list, NULL, NULL), found = 0;
    cpu_set_t set;

    for (int i = 0; i < n; i++) {
        pid_t id = (pid_t)strtol(list[i]->d_name, NULL, 10);

        found += id && !sched_getaffinity(id, sizeof(set), &set) && CPU_COUNT(&set) == 1 &&
                 CPU_ISSET(cpu, &set);
        free(list[i]);
    }
    free(list);
    return found;
}

/* Two lanes of two threads: beside the caller each has one of ONNX Runtime's own, which runs where
 * the caller did when it opened the lane. */
static void a_lanes_threads_are_where_it_was_opened(void **state)
{
    struct assay_engine_config config = {.size = sizeof(config),
                                         .model_path = model,
                                         .format = "onnx",
                                         .device = "cpu",
                                         .precision = "fp32",
                                         .lanes = 2,
                                         .threads = 2,
                                         .max_batch = 4};
    char *runtime = engine_runtime_dir("onnxruntime"), *storage;
    struct assay_value *values;
    struct assay_err err = {0};
    struct engine *e;
    cpu_set_t all;
    int cpu[2], n = 0;

    (void)state;
    assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
    for (int i = 0; i < CPU_SETSIZE && n < 2; i++)
        if (CPU_ISSET(i, &all))
            cpu[n++] = i;
    if (n < 2)
        skip();
    assert_int_equal(tiny_onnx_write(model, 0, 13, "MatMul"), 0);
    assert_int_equal(engine_parse_options(table, "", &values, &config.option_count, &storage, &err),
                     0);
    config.values = values;
    config.runtime_dir = runtime;
    if (engine_open(table, &config, &e, &err))
        fail_msg("%s", err.text);
    for (int i = 0; i < 2; i++) {
        run_on(cpu[i]);
        assert_int_equal(engine_lane_open(e, (uint32_t)i, &err), 0);
    }
    sched_setaffinity(0, sizeof(all), &all);
    assert_int_equal(threads_on(cpu[0]), 1);
    assert_int_equal(threads_on(cpu[1]), 1);
    engine_close(e);
    free(values);
    free(storage);
    free(runtime);
}

static void cuda_is_refused_with_reasons(void **state)
{
    struct assay_err err = {0};
    struct trial t;

    (void)state;
    assert_int_equal(tiny_onnx_write(model, 0, 13, "MatMul"), 0);
    if (!open_model(&t, "", "cuda:0", &err)) {
        trial_close(&t, NULL);
        skip(); /* a machine that has it */
    }
    print_message("%s\n", err.text);
    assert_non_null(strstr(err.text, "cuda:0"));
}

/* ---- CUDA, up to where a card is needed: the tests' own library and driver ---- */

static const char *fake_settings, *(*fake_get_settings)(void);
static int (*fake_sessions)(void);

/* false: the machine has a driver, whose place the tests' own would take. */
static bool fake_load(char **dir)
{
    char *driver = file_prefix_join("tests/engines/cuda/libcuda.so.1"), *library;
    void *object, *symbol;
    bool free_of_it =
        !dlopen("libcuda.so.1", RTLD_LAZY | RTLD_NOLOAD) && !dlopen("libcuda.so.1", RTLD_LAZY);

    *dir = file_prefix_join("tests/engines/onnxruntime");
    library = file_join(*dir, "libonnxruntime.so.1");
    if (free_of_it || fake_sessions) {
        assert_non_null(dlopen(driver, RTLD_LAZY));
        object = dlopen(library, RTLD_LAZY);
        assert_non_null(object);
        symbol = dlsym(object, "fake_ort_settings");
        memcpy(&fake_get_settings, &symbol, sizeof(symbol));
        symbol = dlsym(object, "fake_ort_sessions");
        memcpy(&fake_sessions, &symbol, sizeof(symbol));
        fake_settings = fake_get_settings();
    }
    free(driver);
    free(library);
    return fake_sessions != NULL;
}

/* How many pieces of pinned memory the fake driver has given. */
static int pinned(void)
{
    void *driver = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_NOLOAD),
         *symbol = driver ? dlsym(driver, "fake_cuda_pinned") : NULL;
    int (*count)(void);

    assert_non_null(symbol);
    memcpy(&count, &symbol, sizeof(count));
    return count();
}

/* The memory of batches for the GPU. */
static void alloc_is_pinned(void *self)
{
    void *memory = table->alloc(self, 100);

    assert_non_null(memory);
    assert_int_equal(pinned(), 1);
    table->release(self, memory);
    assert_int_equal(pinned(), 0);
}

static uint32_t fixed_batch; /* what open_on_cuda's model said last */

/* Opens the model with two lanes of two threads on the fake and tells its precision. */
static int open_on_cuda(const char *dir, const char *options, char precision[16],
                        struct assay_err *err)
{
    struct assay_engine_config config = {.size = sizeof(config),
                                         .model_path = model,
                                         .format = "onnx",
                                         .device = "cuda:0",
                                         .precision = "fp32",
                                         .runtime_dir = dir,
                                         .lanes = 2,
                                         .threads = 2,
                                         .max_batch = 4};
    struct assay_model_desc desc = {.size = sizeof(desc)};
    struct assay_value *values;
    char *storage;
    void *self = NULL;
    int rc;

    assert_int_equal(
        engine_parse_options(table, options, &values, &config.option_count, &storage, err), 0);
    config.values = values;
    rc = table->open(&config, &self, err);
    if (!rc) {
        for (uint32_t lane = 0; lane < config.lanes; lane++)
            assert_int_equal(table->lane_open(self, lane, err), 0);
        assert_int_equal(table->describe(self, &desc, err), 0);
        snprintf(precision, 16, "%s", desc.precision);
        fixed_batch = desc.fixed_batch;
        desc = (struct assay_model_desc){.size = offsetof(struct assay_model_desc, fixed_batch),
                                         .fixed_batch = 7};
        assert_int_equal(table->describe(self, &desc, err), 0); /* a host before ABI 1.3 */
        assert_int_equal(desc.fixed_batch, 7);
        alloc_is_pinned(self);
        table->close(self);
    }
    free(values);
    free(storage);
    return rc;
}

static void on_cuda_fp32_is_fp32(void **state)
{
    struct assay_err err = {0};
    char precision[16], *dir;

    (void)state;
    unsetenv("NVIDIA_TF32_OVERRIDE");
    assert_int_equal(tiny_onnx_write(model, 0, 13, "MatMul"), 0);
    if (fake_load(&dir)) {
        if (open_on_cuda(dir, "tf32=on", precision, &err))
            fail_msg("%s", err.text);
        assert_string_equal(precision, "tf32");
        assert_non_null(strstr(fake_settings, "use_tf32=1 "));
        assert_null(getenv("NVIDIA_TF32_OVERRIDE"));
        if (open_on_cuda(dir, "", precision, &err))
            fail_msg("%s", err.text);
        assert_string_equal(precision, "fp32");
        assert_non_null(strstr(fake_settings, "use_tf32=0 "));
        assert_string_equal(getenv("NVIDIA_TF32_OVERRIDE"), "0");
    }
    free(dir);
}

/* ---- precision ---- */

static void put_node(struct bytes *graph, const char *op, const char *const *in, const char *out,
                     unsigned long to)
{
    struct bytes node = {0}, attribute = {0};

    for (; *in; in++)
        put_text(&node, 1, *in);
    put_text(&node, 2, out);
    put_text(&node, 4, op);
    if (to) {
        put_text(&attribute, 1, "to");
        put_int(&attribute, 3, to);
        put_int(&attribute, 20, 2); /* INT */
        put_part(&node, 5, &attribute);
    }
    put_part(graph, 1, &node);
}

static void make_weights(struct bytes *weights, const char *name, unsigned long type, bool scalar,
                         const void *data, size_t bytes)
{
    if (!scalar) {
        put_int(weights, 1, 4);
        put_int(weights, 1, 3);
    }
    put_int(weights, 2, type);
    put_text(weights, 8, name);
    put_data(weights, 9, data, bytes);
}

static void put_weights(struct bytes *graph, const char *name, unsigned long type, bool scalar,
                        const void *data, size_t bytes)
{
    struct bytes weights = {0};

    make_weights(&weights, name, type, scalar, data, bytes);
    put_part(graph, 5, &weights);
}

/* The same as a node. */
static void put_constant(struct bytes *graph, const char *name, unsigned long type,
                         const void *data, size_t bytes)
{
    struct bytes weights = {0}, attribute = {0}, node = {0};

    make_weights(&weights, name, type, false, data, bytes);
    put_text(&attribute, 1, "value");
    put_part(&attribute, 5, &weights);
    put_int(&attribute, 20, 4); /* TENSOR */
    put_text(&node, 2, name);
    put_text(&node, 4, "Constant");
    put_part(&node, 5, &attribute);
    put_part(graph, 1, &node);
}

static void write_model(struct bytes *graph)
{
    struct bytes file = {0}, set = {0};

    put_text(graph, 2, "tiny");
    put_value(graph, 11, "x", TINY_FLOAT, 0, 4);
    put_value(graph, 12, "y", TINY_FLOAT, 0, 3);
    put_int(&file, 1, 7);
    put_part(&file, 7, graph);
    put_int(&set, 2, 13);
    put_part(&file, 8, &set);
    assert_int_equal(file_write_whole(model, file.b, file.n, NULL), 0);
}

/* As exporters write it: weights in half, inputs and outputs as they were; some write weights as
 * nodes. */
static void write_half(bool constant)
{
    struct bytes graph = {0};
    uint16_t w[12] = {0};

    if (constant)
        put_constant(&graph, "w", 10, w, sizeof(w));
    else
        put_weights(&graph, "w", 10, false, w, sizeof(w));
    put_node(&graph, "Cast", (const char *const[]){"x", NULL}, "h", 10);
    put_node(&graph, "MatMul", (const char *const[]){"h", "w", NULL}, "z", 0);
    put_node(&graph, "Cast", (const char *const[]){"z", NULL}, "y", 1);
    write_model(&graph);
}

/* A product between quantisation and back. moved: its one factor is turned over and back before.
 * weights_alone: the other factor stays as it is. */
static void write_quantised(bool moved, bool weights_alone)
{
    struct bytes graph = {0};
    const signed char w[12] = {1, 2, 3};
    const float scale = 0.1F;

    put_node(&graph, "QuantizeLinear", (const char *const[]){"x", "s", NULL}, "q", 0);
    put_node(&graph, "DequantizeLinear", (const char *const[]){"q", "s", NULL}, "d", 0);
    put_node(&graph, "DequantizeLinear", (const char *const[]){"w", "s", NULL}, "v", 0);
    if (moved) {
        put_node(&graph, "Transpose", (const char *const[]){"d", NULL}, "t", 0);
        put_node(&graph, "Transpose", (const char *const[]){"t", NULL}, "u", 0);
    }
    put_node(&graph, "MatMul",
             (const char *const[]){weights_alone ? "x"
                                   : moved       ? "u"
                                                 : "d",
                                   "v", NULL},
             "y", 0);
    put_weights(&graph, "w", 3, false, w, sizeof(w));
    put_weights(&graph, "s", 1, true, &scale, sizeof(scale));
    write_model(&graph);
}

static void precision_is(const char *options, const char *wanted)
{
    struct assay_err err = {0};
    struct trial t;

    if (open_model(&t, options, "cpu", &err))
        fail_msg("%s", err.text);
    assert_string_equal(engine_desc(t.engine)->precision, wanted);
    trial_close(&t, NULL);
}

static void precision_is_what_is_executed(void **state)
{
    struct assay_err err = {0};
    char precision[16], *dir;

    (void)state;
    write_half(false);
#ifdef __x86_64__
    precision_is("", "fp32"); /* the CPU provider has nothing that computes in half */
#endif
    write_quantised(false, true);
    precision_is("", "fp32");
    write_quantised(true, false);
    precision_is("", "int8");
    write_quantised(false, false);
    precision_is("", "int8");
    precision_is("graph_optimization=basic", "fp32"); /* nothing is fused */
    if (fake_load(&dir)) {
        if (open_on_cuda(dir, "", precision, &err)) /* nor on CUDA */
            fail_msg("%s", err.text);
        assert_string_equal(precision, "fp32");
        for (int constant = 0; constant < 2; constant++) {
            write_half(constant);
            assert_int_equal(open_on_cuda(dir, "", precision, &err), 0);
            assert_string_equal(precision, "fp16");
        }
        assert_int_equal(tiny_onnx_write(model, 0, 13, "QLinearConv"), 0);
        assert_int_equal(open_on_cuda(dir, "", precision, &err), ASSAY_EUNSUPPORTED);
        assert_non_null(strstr(err.text, " has QLinearConv, which ONNX Runtime cannot compute on"));
        assert_int_equal(tiny_onnx_write(model, 0, 13, "MatMulInteger"), 0);
        assert_int_equal(open_on_cuda(dir, "", precision, &err), 0);
        assert_string_equal(precision, "int8");
    }
    free(dir);
}

/* Calls of one session at the same time are not safe in its CUDA provider. */
static void on_cuda_each_lane_has_a_session(void **state)
{
    struct assay_err err = {0};
    char precision[16], *dir;
    int before;

    (void)state;
    assert_int_equal(tiny_onnx_write(model, 0, 13, "MatMul"), 0);
    if (fake_load(&dir)) {
        before = fake_sessions();
        assert_int_equal(open_on_cuda(dir, "cuda_memory_gb=4", precision, &err), 0);
        assert_int_equal(fake_sessions() - before, 2);
        assert_non_null(strstr(fake_settings, "gpu_mem_limit=2147483648 "));
        before = fake_sessions();
        assert_int_equal(open_on_cuda(dir, "cuda_memory_gb=4,shared_session=on", precision, &err),
                         0);
        assert_int_equal(fake_sessions() - before, 1);
        assert_non_null(strstr(fake_settings, "gpu_mem_limit=4294967296 "));
    }
    free(dir);
}

static void on_cuda_convolutions_want_one_size(void **state)
{
    static const struct {
        const char *op, *options;
        uint32_t fixed;
    } cases[] = {{"Conv", "", 1},
                 {"FusedConv", "", 1},
                 {"MatMul", "", 0},
                 {"MatMul", "fixed_batch=on", 1},
                 {"Conv", "fixed_batch=off", 0}};
    struct assay_err err = {0};
    char precision[16], *dir;
    struct trial t;

    (void)state;
    if (fake_load(&dir))
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
            assert_int_equal(tiny_onnx_write(model, 0, 13, cases[i].op), 0);
            assert_int_equal(open_on_cuda(dir, cases[i].options, precision, &err), 0);
            assert_int_equal(fixed_batch, cases[i].fixed);
        }
    free(dir);
    assert_int_equal(tiny_onnx_write(model, 0, 13, "MatMul"), 0);
    for (uint32_t on = 0; on < 2; on++) {
        assert_int_equal(open_model(&t, on ? "fixed_batch=on" : "", "cpu", &err), 0);
        assert_int_equal(engine_desc(t.engine)->fixed_batch, on);
        trial_close(&t, NULL);
    }
}

static void cuda_options_go_to_onnx_runtime(void **state)
{
    static const char *const wrong[][2] = {
        {"cuda_options=prefer_nhwc", "cuda_options: 'prefer_nhwc': write it as NAME=VALUE"},
        {"cuda_options=prefer_nhwc=1:use_tf32=1", "cuda_options: use_tf32 cannot be set here: "
                                                  "tf32 says it"},
        {"cuda_options=enable_cuda_graph=1", "again and again"},
        {"cuda_options=no_such=1", "device cuda:0: the CUDA provider: Unknown provider option: "
                                   "\"no_such\"."}};
    struct assay_err err = {0};
    char precision[16], *dir;

    (void)state;
    assert_int_equal(tiny_onnx_write(model, 0, 13, "MatMul"), 0);
    if (fake_load(&dir)) {
        if (open_on_cuda(dir,
                         "cudnn_conv_algo_search=HEURISTIC,cuda_options=prefer_nhwc=1:"
                         "arena_extend_strategy=kSameAsRequested",
                         precision, &err))
            fail_msg("%s", err.text);
        assert_string_equal(fake_settings,
                            "device_id=0 cudnn_conv_algo_search=HEURISTIC use_tf32=0 "
                            "prefer_nhwc=1 arena_extend_strategy=kSameAsRequested ");
        for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
            assert_true(open_on_cuda(dir, wrong[i][0], precision, &err) < 0);
            if (!strstr(err.text, wrong[i][1]))
                fail_msg("%s", err.text);
        }
    }
    free(dir);
}

static void a_card_that_fails_is_named(void **state)
{
    struct assay_err err = {0};
    char precision[16], *dir;

    (void)state;
    assert_int_equal(tiny_onnx_write(model, 0, 13, "MatMul"), 0);
    if (fake_load(&dir)) {
        setenv("FAKE_ORT", "failure", 1);
        assert_int_equal(open_on_cuda(dir, "", precision, &err), ASSAY_EFAIL);
        assert_string_equal(err.text,
                            "device cuda:0: CUDA failure 802: system not yet initialized ; GPU=0");
        unsetenv("FAKE_ORT");
    }
    free(dir);
}

static void without_library_it_explains_itself(void **state)
{
    struct assay_engine_probe p = {.size = sizeof(p)};
    struct assay_err err = {0};
    char *dir = engine_runtime_dir("onnxruntime");

    (void)state;
    assert_int_equal(table->probe("/nonexistent", &p, &err), 0);
    if (!p.version[0])
        assert_non_null(strstr(p.note, "`make` gets it"));
    memset(&p, 0, sizeof(p));
    assert_int_equal(table->probe(dir, &p, &err), 0);
    assert_int_equal(p.note[0], 0);
    assert_string_equal(p.devices[0], "cpu");
    assert_true(file_exists(p.library));
    free(dir);
}

static void it_conforms(void **state)
{
    const char *data = getenv("ASSAY_TEST_DATA");
    char real[1024];
    struct assay_err err = {0};
    struct engine_conform sum;

    (void)state;
    assert_int_equal(tiny_onnx_write(model, 0, 13, "MatMul"), 0);
    assert_int_equal(
        engine_conform("onnxruntime", model, "onnx", "cpu", NULL, NULL, stderr, &sum, &err), 0);
    assert_int_equal(sum.failed, 0);
    snprintf(real, sizeof(real), "%s/models/efficientnet-lite0.onnx",
             data ? data : ASSAY_SOURCE "/../shared/data");
    if (!file_exists(real))
        skip();
    assert_int_equal(
        engine_conform("onnxruntime", real, "onnx", "cpu", NULL, NULL, stderr, &sum, &err), 0);
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
    return engine_load("onnxruntime", &table, path, &err);
}

static int end(void **state)
{
    (void)state;
    return unlink(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_answer_is_right),
                                       cmocka_unit_test(a_float16_model_is_fed_float32),
                                       cmocka_unit_test(a_fixed_batch_is_respected),
                                       cmocka_unit_test(broken_models_are_named),
                                       cmocka_unit_test(a_folder_is_a_model_of_several_graphs),
                                       cmocka_unit_test(a_lanes_threads_are_where_it_was_opened),
                                       cmocka_unit_test(cuda_is_refused_with_reasons),
                                       cmocka_unit_test(on_cuda_fp32_is_fp32),
                                       cmocka_unit_test(precision_is_what_is_executed),
                                       cmocka_unit_test(on_cuda_each_lane_has_a_session),
                                       cmocka_unit_test(on_cuda_convolutions_want_one_size),
                                       cmocka_unit_test(cuda_options_go_to_onnx_runtime),
                                       cmocka_unit_test(a_card_that_fails_is_named),
                                       cmocka_unit_test(without_library_it_explains_itself),
                                       cmocka_unit_test(it_conforms)};
    const struct assay_engine *probe;
    struct assay_err err = {0};
    char path[1024];

    if (engine_load("onnxruntime", &probe, path, &err)) {
        fprintf(stderr, "skipped: %s\n", err.text);
        return 77;
    }
    return cmocka_run_group_tests(tests, begin, end);
}
