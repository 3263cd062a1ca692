/* A small good submission tree for tests: closed, edge, ResNet50 in round v6.1 or v5.1, from made
 * logs.  The logs hold the lines that LoadGen writes of such runs, with figures that fit together;
 * nothing was measured. */
#ifndef TESTS_SUBMIT_TREE_H
#define TESTS_SUBMIT_TREE_H

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/text.h"

#define TREE_BASE "closed/ACME"
#define TREE_RUNS TREE_BASE "/results/box/resnet50"

enum tree_run { TREE_PERFORMANCE, TREE_ACCURACY, TREE_TEST01, TREE_TEST04 };

struct tree_line {
    const char *key, *value; /* as JSON */
};

/* Seeds and versions by round, 0: v6.1, 1: v5.1. */
static const struct tree_line tree_rounds[2][4] = {
    {{"loadgen_version", "\"6.0.17 @ d6147c7eb7\""},
     {"effective_qsl_rng_seed", "2085463073848966840"},
     {"effective_sample_index_rng_seed", "2747215439041700203"},
     {"effective_schedule_rng_seed", "16159082839903944936"}},
    {{"loadgen_version", "\"5.1.2 @ 0000000000\""},
     {"effective_qsl_rng_seed", "1780908523862526354"},
     {"effective_sample_index_rng_seed", "14771362308971278857"},
     {"effective_schedule_rng_seed", "18209322760996052031"}}};

static const struct tree_line tree_common[] = {
    {"sut_name", "\"made by hand\""},
    {"effective_min_duration_ms", "600000"},
    {"effective_max_duration_ms", "0"},
    {"effective_max_query_count", "0"},
    {"effective_performance_sample_count", "1024"},
    {"effective_accuracy_sample_count", "50000"},
    {"qsl_reported_total_count", "50000"},
    {"effective_performance_issue_unique", "false"},
    {"effective_sample_concatenate_permutation", "false"},
    {"effective_accuracy_log_probability", "0"},
    {"num_errors", "0"},
};

static const struct tree_line tree_done[] = {
    {"power_begin", "\"08-20-2026 10:00:00.000\""},
    {"power_end", "\"08-20-2026 10:10:02.500\""},
    {"result_validity", "\"VALID\""},
    {"result_perf_constraints_met", "true"},
    {"result_min_duration_met", "true"},
    {"result_min_queries_met", "true"},
    {"early_stopping_met", "true"},
    {"early_stopping_result", "\" * Run successful.\""},
    {"result_overlatency_query_count", "0"},
};

/* What differs by scenario: SingleStream, MultiStream, Offline. */
static const char *const tree_scenarios[] = {"SingleStream", "MultiStream", "Offline"};
static const struct tree_line tree_own[3][9] = {{{"effective_samples_per_query", "1"},
                                                 {"effective_min_query_count", "100"},
                                                 {"effective_target_latency_ns", "0"},
                                                 {"effective_target_latency_percentile", "0.9"},
                                                 {"generated_samples_per_query", "1"},
                                                 {"result_query_count", "300000"},
                                                 {"early_stopping_latency_ss", "2000000"},
                                                 {"early_stopping_latency_ms", "2500000"}},
                                                {{"effective_samples_per_query", "8"},
                                                 {"effective_min_query_count", "662"},
                                                 {"effective_target_latency_ns", "0"},
                                                 {"effective_target_latency_percentile", "0.99"},
                                                 {"generated_samples_per_query", "8"},
                                                 {"result_query_count", "40000"},
                                                 {"early_stopping_latency_ms", "16000000"}},
                                                {{"effective_samples_per_query", "330000"},
                                                 {"effective_min_query_count", "1"},
                                                 {"effective_min_sample_count", "24576"},
                                                 {"effective_target_latency_percentile", "0.99"},
                                                 {"generated_samples_per_query", "330000"},
                                                 {"result_query_count", "1"},
                                                 {"result_samples_per_second", "500"}}};

static inline void tree_put_line(struct text *t, const struct tree_line *line)
{
    text_addf(t,
              ":::MLLOG {\"key\": \"%s\", \"value\": %s, \"metadata\": {\"is_error\": false, "
              "\"is_warning\": false}}\n",
              line->key, line->value);
}

static inline void tree_write(const char *root, const char *where, const char *text, size_t len)
{
    char path[2048];
    struct assay_err err;
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", root, where);
    *strrchr(path, '/') = 0;
    if (file_make_dirs(path, &err))
        abort();
    snprintf(path, sizeof(path), "%s/%s", root, where);
    f = fopen(path, "wb"); /* without a sync: thousands of small files */
    if (!f || (len && fwrite(text, 1, len, f) != len) || fclose(f))
        abort();
}

static inline void tree_log(const char *root, const char *dir, int round, int scenario, int run)
{
    struct text t;
    char where[1024];
    size_t i;

    text_init(&t, 1u << 16);
    for (i = 0; i < 4; i++)
        tree_put_line(&t, &tree_rounds[round][i]);
    text_addf(&t,
              ":::MLLOG {\"key\": \"effective_scenario\", \"value\": \"%s\", \"metadata\": "
              "{\"is_error\": false}}\n",
              tree_scenarios[scenario]);
    tree_put_line(&t, &(struct tree_line){"effective_test_mode", run == TREE_ACCURACY
                                                                     ? "\"AccuracyOnly\""
                                                                     : "\"PerformanceOnly\""});
    for (i = 0; i < sizeof(tree_common) / sizeof(tree_common[0]); i++)
        tree_put_line(&t, &tree_common[i]);
    tree_put_line(&t, &(struct tree_line){"effective_performance_issue_same",
                                          run == TREE_TEST04 ? "true" : "false"});
    tree_put_line(&t, &(struct tree_line){"effective_performance_issue_same_index",
                                          run == TREE_TEST04 ? "3" : "0"});
    tree_put_line(&t, &(struct tree_line){"effective_accuracy_log_rng_seed",
                                          run == TREE_TEST01 ? "720381539243781796" : "0"});
    tree_put_line(&t, &(struct tree_line){"effective_accuracy_log_sampling_target",
                                          run == TREE_TEST01 ? "4096" : "0"});
    for (i = 0; tree_own[scenario][i].key; i++)
        tree_put_line(&t, &tree_own[scenario][i]);
    for (i = 0; run != TREE_ACCURACY && i < sizeof(tree_done) / sizeof(tree_done[0]); i++)
        tree_put_line(&t, &tree_done[i]);
    snprintf(where, sizeof(where), "%s/mlperf_log_detail.txt", dir);
    tree_write(root, where, t.s, t.len);
    text_release(&t);
    snprintf(where, sizeof(where), "%s/mlperf_log_summary.txt", dir);
    tree_write(root, where, "made\n", 5);
}

static inline void tree_text_file(const char *root, const char *dir, const char *name,
                                  const char *text)
{
    char where[1024];

    snprintf(where, sizeof(where), "%s/%s", dir, name);
    tree_write(root, where, text, strlen(text));
}

static const char tree_short_log[] =
    "[\n{ \"seq_id\" : 0, \"qsl_idx\" : 0, \"data\" : \"00000000\" "
    "},\n{ \"seq_id\" : 1, \"qsl\n\n...\n\n_idx\" : 49999, "
    "\"data\" : \"00000000\" }\n]\n";
#define TREE_HASH "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static inline void tree_result(const char *root, int round, int scenario)
{
    const char *name = tree_scenarios[scenario];
    char dir[700], extra[600], tests[600], conf[200];

    snprintf(dir, sizeof(dir), TREE_RUNS "/%s/performance/run_1", name);
    tree_log(root, dir, round, scenario, TREE_PERFORMANCE);
    snprintf(dir, sizeof(dir), TREE_RUNS "/%s/accuracy", name);
    tree_log(root, dir, round, scenario, TREE_ACCURACY);
    tree_text_file(root, dir, "mlperf_log_accuracy.json", tree_short_log);
    tree_text_file(root, dir, "accuracy.txt",
                   "accuracy=76.456%, good=38228, total=50000\nhash=" TREE_HASH "\n");
    snprintf(extra, sizeof(extra),
             round ? TREE_BASE "/measurements/box/resnet50/%s" : TREE_RUNS "/%s", name);
    tree_text_file(root, extra, round ? "box_made.json" : "measurements.json",
                   "{\"input_data_types\": \"fp32\", \"retraining\": \"N\", "
                   "\"starting_weights_filename\": \"resnet50_v1.onnx\", \"weight_data_types\": "
                   "\"fp32\", \"weight_transformations\": \"none\"}\n");
    snprintf(conf, sizeof(conf),
             scenario == 2 ? "resnet50.Offline.target_qps = 500\n"
                           : "resnet50.%s.target_latency = 2\n",
             name);
    tree_text_file(root, extra, "user.conf", conf);
    tree_text_file(root, extra, "README.md", "Made by hand.\n");
    snprintf(tests, sizeof(tests),
             round ? TREE_BASE "/compliance/box/resnet50/%s" : TREE_RUNS "/%s", name);
    snprintf(dir, sizeof(dir), "%s/TEST01", tests);
    tree_text_file(root, dir, "verify_accuracy.txt", "num_perf_log_data_mismatch = 0\nTEST PASS\n");
    tree_text_file(root, dir, "verify_performance.txt", "TEST PASS\n");
    snprintf(dir, sizeof(dir), "%s/TEST01/performance/run_1", tests);
    tree_log(root, dir, round, scenario, TREE_TEST01);
    snprintf(dir, sizeof(dir), "%s/TEST01/accuracy", tests);
    tree_text_file(root, dir, "mlperf_log_accuracy.json", tree_short_log);
    snprintf(dir, sizeof(dir), "%s/TEST04", tests);
    tree_text_file(root, dir, "verify_performance.txt", "TEST PASS\n");
    snprintf(dir, sizeof(dir), "%s/TEST04/performance/run_1", tests);
    tree_log(root, dir, round, scenario, TREE_TEST04);
}

static const char tree_system[] =
    "{\"division\": \"closed\", \"submitter\": \"ACME\", \"status\": \"available\", "
    "\"system_name\": \"A box\", \"system_type\": \"edge\", \"system_type_detail\": \"edge "
    "server\", "
    "\"number_of_nodes\": \"1\", \"host_processor_model_name\": \"CPU 9000\", "
    "\"host_processors_per_node\": \"2\", \"host_processor_core_count\": \"16\", "
    "\"host_processor_frequency\": \"\", \"host_processor_caches\": \"\", "
    "\"host_processor_interconnect\": \"\", \"host_memory_capacity\": \"64 GB\", "
    "\"host_memory_configuration\": \"2 x 32 GB\", \"host_storage_capacity\": \"1 TB\", "
    "\"host_storage_type\": \"NVMe\", \"host_networking\": \"Ethernet\", "
    "\"host_networking_topology\": \"star\", \"host_network_card_count\": \"1\", "
    "\"accelerators_per_node\": \"0\", \"accelerator_model_name\": \"N/A\", "
    "\"accelerator_memory_capacity\": \"N/A\", \"accelerator_memory_configuration\": \"N/A\", "
    "\"accelerator_host_interconnect\": \"N/A\", \"accelerator_interconnect\": \"N/A\", "
    "\"accelerator_interconnect_topology\": \"\", \"accelerator_frequency\": \"\", "
    "\"accelerator_on-chip_memories\": \"\", \"cooling\": \"air\", \"framework\": \"by hand\", "
    "\"operating_system\": \"Debian 13\", \"other_software_stack\": \"none\", \"hw_notes\": \"\", "
    "\"sw_notes\": \"\"}\n";

/* Makes the tree in a new folder, whose path goes to root (at least 40 bytes). */
static inline void tree_make(char *root, int round)
{
    snprintf(root, 40, "/tmp/assay-tree-XXXXXX");
    if (!mkdtemp(root))
        abort();
    tree_text_file(root, TREE_BASE "/systems", "box.json", tree_system);
    tree_text_file(root, round ? TREE_BASE "/code" : TREE_BASE "/src", "README.md", "The code.\n");
    for (int s = 0; s < 3; s++)
        tree_result(root, round, s);
}

#endif
