/* The graphs that a driving benchmark announces, found in a model (the null engine's, which has
 * whatever it is told) by their names, with outputs in the benchmark's order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "run/drive.h"

static const struct assay_tensor_spec in = {"in", ASSAY_F32, 1, {4}};
static const struct assay_tensor_spec abc[] = {
    {"a", ASSAY_F32, 1, {1}}, {"b", ASSAY_F32, 1, {2}}, {"c", ASSAY_I64, 1, {3}}};
static const struct assay_tensor_spec ca[] = {{"c", ASSAY_I64, 1, {3}}, {"a", ASSAY_F32, 1, {1}}};
static const struct assay_tensor_spec no_d[] = {{"d", ASSAY_F32, 1, {1}}};
static const struct assay_graph_desc has[] = {{"one", 1, 3, &in, abc}, {"two", 1, 1, &in, abc}};

static struct engine *open_engine(uint32_t graphs)
{
    const struct assay_engine *table;
    struct assay_engine_config config = {.size = sizeof(config),
                                         .device = "cpu",
                                         .precision = "fp32",
                                         .lanes = 1,
                                         .threads = 1,
                                         .max_batch = 1,
                                         .want_graph_count = graphs,
                                         .want_graphs = has};
    struct assay_err err = {0};
    struct assay_value *values;
    struct engine *e = NULL;
    char path[1024], *storage;

    if (engine_load("null", &table, path, &err) ||
        engine_parse_options(table, NULL, &values, &config.option_count, &storage, &err))
        fail_msg("%s", err.text);
    config.values = values;
    if (engine_open(table, &config, &e, &err))
        fail_msg("%s", err.text);
    free(values);
    free(storage);
    return e;
}

/* What the batcher's driver would have been asked. */
static uint32_t asked_graph, asked_outputs;

static int inner(void *ctx, uint32_t graph, uint32_t samples, const struct assay_tensor *inputs,
                 uint32_t input_count, struct assay_tensor *outputs, uint32_t output_count,
                 struct assay_err *err)
{
    (void)ctx, (void)samples, (void)inputs, (void)input_count, (void)err;
    asked_graph = graph;
    asked_outputs = output_count;
    for (uint32_t o = 0; o < output_count; o++)
        outputs[o].bytes = 100 + o;
    return ASSAY_OK;
}

static void graphs_and_outputs_are_the_benchmarks(void **state)
{
    static const struct assay_graph_desc wants[] = {{"two", 1, 1, &in, abc},
                                                    {"one", 1, 2, &in, ca}};
    struct assay_benchmark_desc desc = {.graph_count = 2, .graphs = wants};
    struct assay_driver below = {.size = sizeof(below), .infer = inner}, driver;
    struct assay_tensor out[2] = {{0}};
    struct engine *e = open_engine(2);
    struct assay_err err = {0};
    struct drive_graph *graphs;
    struct drive d;

    (void)state;
    if (drive_find(e, &desc, &graphs, &err))
        fail_msg("%s", err.text);
    d = (struct drive){&below, &desc, graphs};
    driver = drive_driver(&d);
    assert_int_equal(driver.infer(driver.ctx, 1, 1, NULL, 1, out, 2, &err), 0);
    assert_int_equal(asked_graph, 0);
    assert_int_equal(asked_outputs, 3);
    assert_int_equal(out[0].bytes, 102); /* c */
    assert_int_equal(out[1].bytes, 100); /* a */
    assert_int_equal(driver.infer(driver.ctx, 0, 1, NULL, 1, out, 1, &err), 0);
    assert_int_equal(asked_graph, 1);
    assert_true(driver.infer(driver.ctx, 2, 1, NULL, 1, out, 1, &err) < 0);
    assert_true(driver.infer(driver.ctx, 0, 1, NULL, 1, out, 2, &err) < 0);
    free(graphs);
    engine_close(e);
}

static void what_does_not_fit_is_named(void **state)
{
    static const struct assay_tensor_spec wide = {"in", ASSAY_F32, 1, {5}};
    static const struct {
        struct assay_graph_desc want[2];
        uint32_t n;
        const char *words;
    } cases[] = {
        {{{"one", 1, 3, &in, abc}, {"three", 1, 1, &in, abc}},
         2,
         "the model has no graph 'three', but 'one', 'two'"},
        {{{"three", 1, 1, &in, abc}}, 1, "the model has no graph 'three'"},
        {{{"one", 1, 1, &wide, abc}}, 1, "graph 'one': null: input 'in': the model takes"},
        {{{"two", 1, 1, &in, no_d}}, 1, "graph 'two': null: the model has no output 'd', but 'a'"}};
    struct engine *e = open_engine(2);
    struct drive_graph *graphs;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct assay_benchmark_desc desc = {.graph_count = cases[i].n, .graphs = cases[i].want};
        struct assay_err err = {0};

        assert_true(drive_find(e, &desc, &graphs, &err) < 0);
        if (strncmp(err.text, cases[i].words, strlen(cases[i].words)) != 0)
            fail_msg("%s: said '%s'", cases[i].words, err.text);
    }
    engine_close(e);
}

static void the_only_graph_needs_no_name(void **state)
{
    static const struct assay_graph_desc want = {"whatever", 1, 3, &in, abc};
    struct assay_benchmark_desc desc = {.graph_count = 1, .graphs = &want};
    struct engine *e = open_engine(1);
    struct drive_graph *graphs;

    (void)state;
    assert_int_equal(drive_find(e, &desc, &graphs, NULL), 0);
    free(graphs);
    engine_close(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(graphs_and_outputs_are_the_benchmarks),
                                       cmocka_unit_test(what_does_not_fit_is_named),
                                       cmocka_unit_test(the_only_graph_needs_no_name)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
