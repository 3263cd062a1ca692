/* The parts of the room: tables, accuracy.txt, compliance tests, the system's description. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/tree.h"
#include "load/rounds.h"
#include "submit/accuracy.h"
#include "submit/system.h"
#include "submit/tests.h"

static void every_round_has_its_seeds(void **state)
{
    (void)state;
    for (const struct submit_round *r = submit_rounds; r->name; r++) {
        const struct load_round *seeds = load_round_find(r->name);
        bool newest = false;

        assert_non_null(seeds);
        assert_true(seeds->qsl_rng_seed && seeds->sample_index_rng_seed &&
                    seeds->schedule_rng_seed);
        assert_ptr_equal(submit_round_by_seed(seeds->qsl_rng_seed), r);
        for (const char *const *v = r->loadgens; *v; v++)
            newest = newest || !strcmp(*v, seeds->loadgen);
        assert_true(newest);
    }
    assert_null(submit_round_by_seed(1));
    assert_null(submit_round_find(NULL));
}

static void models_by_name(void **state)
{
    const struct submit_round *v61 = submit_round_find("v6.1"), *v51 = submit_round_find("v5.1");

    (void)state;
    assert_string_equal(submit_model_find(v61, "resnet50")->name, "resnet");
    assert_string_equal(submit_model_find(v61, "resnet")->name, "resnet");
    assert_null(submit_model_find(v61, "retinanet"));
    assert_non_null(submit_model_find(v51, "retinanet"));
    assert_null(submit_model_find(v61, "rnnt"));
    assert_string_equal(submit_model_find(v61, "efficientnet-fp32-lite0")->name, "resnet");
    assert_null(submit_model_find(v61, "vgg"));
    assert_string_equal(submit_model_of(v61, "bert", 1)->name, "bert-99.9");
    assert_null(submit_model_of(v61, "bert", 2));
    assert_int_equal(submit_required(submit_model_find(v61, "resnet"), SUBMIT_DATACENTER), 0);
    assert_int_equal(submit_required(submit_model_find(v61, "resnet"), SUBMIT_EDGE),
                     1u << SINGLE_STREAM | 1u << MULTI_STREAM | 1u << OFFLINE);
}

static void accuracy_lines(void **state)
{
    static const struct {
        const char *metric, *text;
        double want; /* NaN: not seen */
    } cases[] = {
        {"acc", "accuracy=76.014%, good=38007, total=50000\n", 76.014},
        {"acc", "x accuracy=76.014%\n", NAN},
        {"acc", "{\"accuracy\": 72.9}\n", 72.9},
        {"F1", "Reading\n{\"exact_match\": 83.6, \"f1\": 90.87}\n", 90.87},
        {"F1", "{'exact_match': 83.6, 'f1': 90.5}\n", 90.5},
        {"mAP", "loading\nmAP=37.572%\n", 37.572},
        {"DICE", "Accuracy: mean = 0.86170, kidney = 0.93\n", 0.8617},
        {"AUC", "AUC=80.31%, accuracy=1\n", 80.31},
        {"acc", "accuracy=nan%\n", NAN},
        {"acc", "accuracy=-3\n", NAN},
        {"acc", "", NAN},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct submit_metric m[SUBMIT_METRICS] = {{cases[i].metric, 1, 0}};
        struct submit_accuracy a;

        submit_accuracy_parse(cases[i].text, strlen(cases[i].text), m, &a);
        if (a.seen[0] != !isnan(cases[i].want) || (a.seen[0] && a.least[0] != cases[i].want))
            fail_msg("%s: seen %d, %g", cases[i].text, a.seen[0], a.least[0]);
    }
}

static void accuracy_limits(void **state)
{
    const struct submit_metric m[SUBMIT_METRICS] = {{"acc", 75, 0}};
    const char *text = "accuracy=80%\r\naccuracy=70%\r\nhash=abc\r\n";
    struct submit_accuracy a;
    char why[100];

    (void)state;
    submit_accuracy_parse(text, strlen(text), m, &a);
    assert_string_equal(a.hash, "abc");
    assert_true(a.least[0] == 70 && a.most[0] == 80);
    assert_false(submit_accuracy_reached(m, &a, why, sizeof(why))); /* the worse one counts */
    submit_accuracy_parse(text, 13, m, &a);
    assert_true(submit_accuracy_reached(m, &a, why, sizeof(why)));
}

static void log_of(struct detail *d, const char *scenario, const char *key, double value)
{
    *d = (struct detail){json_pack("{s:s, s:f}", "effective_scenario", scenario, key, value),
                         json_array(), json_array()};
}

/* Whether a test passes, by the figures of the run and of the test. */
static void margins(void **state)
{
    static const struct {
        int test;
        const char *scenario, *key;
        double reference, score;
        bool pass;
    } cases[] = {
        {1, "Offline", "result_samples_per_second", 100, 90, true},
        {1, "Offline", "result_samples_per_second", 100, 89.9, false},
        {1, "Offline", "result_samples_per_second", 100, 110.1, false},
        {1, "SingleStream", "early_stopping_latency_ss", 200000, 239000, true},
        {1, "SingleStream", "early_stopping_latency_ss", 200001, 239000, false},
        {1, "MultiStream", "early_stopping_latency_ms", 1600000, 1900000, true},
        {4, "Offline", "result_samples_per_second", 100, 109.9, true},
        {4, "Offline", "result_samples_per_second", 100, 110.1, false},
        {4, "Offline", "result_samples_per_second", 100, 10, true},
        {4, "SingleStream", "early_stopping_latency_ss", 2000000, 1700000, true},
        {4, "SingleStream", "early_stopping_latency_ss", 2000000, 1600000, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct detail a, b;
        char words[300];

        log_of(&a, cases[i].scenario, cases[i].key, cases[i].reference);
        log_of(&b, cases[i].scenario, cases[i].key, cases[i].score);
        if (submit_test_compare(cases[i].test, &a, &b, words, sizeof(words)) != cases[i].pass)
            fail_msg("case %zu: %s", i, words);
        detail_release(&a);
        detail_release(&b);
    }
}

static void responses(void **state)
{
    uint8_t one[] = {1, 2, 3, 4}, two[] = {1, 2, 3, 5};
    struct assay_log_entry reference[] = {{0, 7, one, 4}, {1, 3, two, 4}, {2, 9, one, 4}};
    struct assay_log_entry test[] = {
        {0, 3, two, 4}, {5, 7, two, 4}, {6, 8, one, 4}, {7, 9, one, 3}};
    struct accuracy_log a = {.entries = reference, .n = 3}, b = {.entries = test, .n = 4};
    struct accuracy_log common;
    struct submit_responses r;
    struct assay_err err;

    (void)state;
    assert_int_equal(submit_test01_compare(&a, &b, &r, &err), 0);
    assert_int_equal(r.same, 1);
    assert_int_equal(r.different, 2); /* another last byte; another length */
    assert_int_equal(r.missing, 1);
    assert_int_equal(submit_test01_common(&a, &b, &common, &err), 0); /* samples 3, 7, 9 */
    assert_int_equal(common.n, 3);
    assert_int_equal(common.entries[0].index, 3);
    assert_int_equal(common.entries[2].index, 9);
    accuracy_log_release(&common);
    assert_int_equal(submit_test01_common(&b, &a, &common, &err), 0); /* without 8 */
    assert_int_equal(common.n, 3);
    accuracy_log_release(&common);
}

static void configs(void **state)
{
    const struct submit_round *v61 = submit_round_find("v6.1");
    struct text t;

    (void)state;
    text_init(&t, 4096);
    assert_true(submit_test_config(submit_model_find(v61, "3d-unet-99"), 1, &t));
    assert_non_null(strstr(t.s, "*.*.accuracy_log_sampling_target = 64\n"));
    assert_non_null(strstr(t.s, "*.*.accuracy_log_rng_seed = 720381539243781796\n"));
    assert_non_null(strstr(t.s, "*.*.mode = 2\n"));
    text_clear(&t);
    assert_true(submit_test_config(submit_model_find(v61, "resnet"), 4, &t));
    assert_non_null(strstr(t.s, "*.*.performance_issue_same_index = 3\n"));
    assert_false(submit_test_config(submit_model_find(v61, "resnet"), 6, &t));
    text_release(&t);
}

static void describe(void **state)
{
    json_t *facts = json_loads(
        "{\"processor\": {\"value\": \"CPU\", \"from\": \"detected\", \"source\": \"x\"},"
        " \"cores\": {\"value\": 32, \"from\": \"detected\", \"source\": \"x\"},"
        " \"sockets\": {\"value\": 2, \"from\": \"detected\", \"source\": \"x\"},"
        " \"gpus\": {\"value\": 0, \"from\": \"detected\", \"source\": \"pci\"},"
        " \"memory_bytes\": {\"value\": 68719476736, \"from\": \"detected\", \"source\": \"m\"},"
        " \"storage_bytes\": {\"value\": null, \"from\": \"unknown\", \"source\": \"s\"},"
        " \"host_memory_capacity\": {\"value\": \"64 GB\", \"from\": \"declared\", \"source\": "
        "\"f\"},"
        " \"cooling\": {\"value\": \"water\", \"from\": \"declared\", \"source\": \"f\"}}",
        0, NULL);
    static const struct {
        const char *count, *models, *model;
    } took_part[] = {{"0", "A, A", "N/A"}, {"1", "A", "A"}, {"1", "A, A", "A"}, {"1", "A, AB", ""}};
    const struct submit_who who = {.division = "closed", .submitter = "ACME"};
    json_t *d, *sources;
    struct assay_err err;

    (void)state;
    assert_int_equal(submit_describe(facts, &who, &d, &sources, &err), 0);
    assert_string_equal(tree_text(d, "submitter", ""), "ACME");
    assert_string_equal(tree_text(d, "host_processor_model_name", ""), "CPU");
    assert_string_equal(tree_text(d, "host_processor_core_count", ""), "16");
    assert_string_equal(tree_text(d, "cooling", ""), "water");
    assert_string_equal(tree_text(d, "accelerators_per_node", ""), "0");
    assert_string_equal(tree_text(d, "accelerator_interconnect", ""), "N/A");
    assert_string_equal(tree_text(d, "host_storage_capacity", "?"), ""); /* nothing is made up */
    assert_string_equal(tree_text(d, "host_memory_capacity", ""), "64 GB");
    assert_string_equal(tree_text(json_object_get(sources, "host_memory_capacity"), "detected", ""),
                        "64 GiB");
    assert_string_equal(tree_text(json_object_get(sources, "host_storage_capacity"), "from", ""),
                        "unknown");
    assert_null(json_object_get(d, "is_network"));
    json_decref(d);
    json_decref(sources);
    json_object_set_new(json_object_get(facts, "gpus"), "value", json_integer(2));
    json_object_set_new(
        facts, "storage_bytes",
        json_pack("{s:I, s:s}", "value", (json_int_t)15362991415296, "from", "detected"));
    json_object_set_new(facts, "gpu_models",
                        json_pack("{s:s, s:s}", "value", "A, A", "from", "detected"));
    assert_int_equal(submit_describe(facts, &who, &d, &sources, &err), 0);
    assert_string_equal(tree_text(d, "accelerators_per_node", ""), "2");
    assert_string_equal(tree_text(d, "host_storage_capacity", ""), "15363 GB");
    assert_string_equal(tree_text(d, "accelerator_model_name", ""), "A, A");
    assert_string_equal(tree_text(d, "accelerator_interconnect", "?"), "");
    json_decref(d);
    json_decref(sources);
    for (size_t i = 0; i < sizeof(took_part) / sizeof(took_part[0]); i++) {
        const struct submit_who part = {.accelerators = took_part[i].count};

        json_object_set_new(json_object_get(facts, "gpu_models"), "value",
                            json_string(took_part[i].models));
        assert_int_equal(submit_describe(facts, &part, &d, &sources, &err), 0);
        assert_string_equal(tree_text(d, "accelerators_per_node", ""), took_part[i].count);
        assert_string_equal(tree_text(d, "accelerator_model_name", "?"), took_part[i].model);
        assert_string_equal(tree_text(d, "accelerator_interconnect", "?"),
                            strcmp(took_part[i].count, "0") ? "" : "N/A");
        json_decref(d);
        json_decref(sources);
    }
    json_object_del(facts, "gpus"); /* not seen is not none */
    assert_int_equal(submit_describe(facts, &who, &d, &sources, &err), 0);
    assert_string_equal(tree_text(d, "accelerator_interconnect", "?"), "");
    json_decref(d);
    json_decref(sources);
    json_decref(facts);
}

static void slugs(void **state)
{
    char out[20];

    (void)state;
    submit_slug("AMD EPYC (TM) 7763/64", out, sizeof(out));
    assert_string_equal(out, "AMD-EPYC-TM-7763-64");
    submit_slug("../../etc", out, sizeof(out));
    assert_null(strchr(out, '/'));
    submit_slug("", out, sizeof(out));
    assert_string_equal(out, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_round_has_its_seeds),
        cmocka_unit_test(models_by_name),
        cmocka_unit_test(accuracy_lines),
        cmocka_unit_test(accuracy_limits),
        cmocka_unit_test(margins),
        cmocka_unit_test(responses),
        cmocka_unit_test(configs),
        cmocka_unit_test(describe),
        cmocka_unit_test(slugs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
