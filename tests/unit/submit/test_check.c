/* Trees: a good one has no finding; of each mistake that is planted into it, the finding is named.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/tree.h"
#include "submit/check.h"
#include "tree.h"

static json_t *check(const char *root, const char *round)
{
    const struct submit_check_ask ask = {.round = round};
    struct assay_err err = {0};
    json_t *report = NULL;

    if (submit_check(root, &ask, &report, &err))
        fail_msg("%s", err.text);
    return report;
}

static void show(const char *what, const json_t *report)
{
    char *text = json_dumps(json_object_get(report, "findings"), JSON_INDENT(1));

    fail_msg("%s: %s", what, text);
}

static void good_trees(void **state)
{
    static const char *const rounds[] = {"v6.1", "v5.1"};
    char root[40];

    (void)state;
    for (int i = 0; i < 2; i++) {
        json_t *report;

        tree_make(root, i);
        report = check(root, NULL);
        if (json_array_size(json_object_get(report, "findings")))
            show(rounds[i], report);
        assert_string_equal(tree_text(report, "round", ""), rounds[i]);
        assert_string_equal(tree_text(report, "round_from", ""), "by the logs' seeds");
        assert_int_equal(tree_int(report, "results", 0), 3);
        assert_int_equal(tree_int(report, "systems", 0), 1);
        json_decref(report);
        file_remove_tree(root, NULL);
    }
}

/* One mistake: in `file` the text `from` becomes `to`; without from the file is removed, with "+"
 * as from `to` is put behind it, with "=" it becomes `to`. */
struct mistake {
    const char *file, *from, *to;
    const char *rule, *what; /* of a finding */
    int official;            /* what the finding says of the official checker */
};
#define SYSTEM   TREE_BASE "/systems/box.json"
#define STREAM   TREE_RUNS "/SingleStream/"
#define OFFLINE_ TREE_RUNS "/Offline/"
#define DETAIL   "performance/run_1/mlperf_log_detail.txt"
#define ERROR_LINE                                                                                 \
    ":::MLLOG {\"key\": \"error_runtime\", \"value\": \"Ending early\", \"metadata\": "            \
    "{\"is_error\": true}}\n"

static const struct mistake mistakes[] = {
    {SYSTEM, NULL, NULL, "system-file", "box.json is missing", 1},
    {SYSTEM, "\"cooling\": \"air\", ", "", "system-field", "the field cooling is missing", 1},
    {SYSTEM, "\"cooling\": \"air\"", "\"cooling\": \"\"", "system-field",
     "the field cooling is empty", 1},
    {SYSTEM, "\"accelerators_per_node\": \"0\"", "\"accelerators_per_node\": 0", "system-field",
     "accelerators_per_node is the number 0", 1},
    {SYSTEM, "available", "soon", "system-value", "status is 'soon'", 1},
    {SYSTEM, "\"ACME\"", "\"Other\"", "system-value", "submitter is 'Other', the folder is 'ACME'",
     1},
    {SYSTEM, "\"system_type\": \"edge\"", "\"system_type\": \"desk\"", "system-value",
     "system_type is 'desk'", 1},
    {SYSTEM, "\"number_of_nodes\": \"1\"", "\"number_of_nodes\": \"one\"", "system-value",
     "number_of_nodes is no whole number", 1},
    {SYSTEM, "\"A box\"", "\"REHEARSAL: a box\"", "rehearsal", "REHEARSAL: a box", 0},
    {SYSTEM, "{", "", "system-file", "cannot be read", 1},
    {TREE_BASE "/systems/ghost.json", "=", "{}", "no-results", "a system that has no results", 0},
    {TREE_BASE "/src/README.md", NULL, NULL, "source", "src is empty", 0},
    {STREAM DETAIL, NULL, NULL, "log", "detail log is missing", 1},
    {STREAM DETAIL, "2747215439041700203", "2747215439041700204", "seed",
     "sample_index_rng_seed is 2747215439041700204", 1},
    {STREAM DETAIL, "6.0.17 @", "5.1.2 @", "loadgen", "LoadGen 5.1.2 is that of round v5.1", 0},
    {STREAM DETAIL, "\"result_validity\", \"value\": \"VALID\"",
     "\"result_validity\", \"value\": \"INVALID\"", "validity", "LoadGen says INVALID", 0},
    {STREAM DETAIL, "+", ERROR_LINE, "errors", "Ending early", 0},
    {STREAM DETAIL, "\"effective_min_duration_ms\", \"value\": 600000",
     "\"effective_min_duration_ms\", \"value\": 60000", "duration", "minimum duration is 60000 ms",
     1},
    {STREAM DETAIL, "10:10:02.500", "10:00:02.500", "too-short", "the run took 2500 ms", 0},
    {STREAM DETAIL, "PerformanceOnly", "SubmissionRun", "mode", "SubmissionRun", 0},
    {STREAM DETAIL, "\"SingleStream\"", "\"Server\"", "log-scenario", "scenario is Server", 1},
    {STREAM DETAIL, "\"value\": 1024", "\"value\": 1000", "samples",
     "performance_sample_count is 1000, official is 1024", 1},
    {STREAM DETAIL, "\"value\": 300000", "\"value\": 63", "early-stopping", "63 queries", 0},
    {STREAM DETAIL, "\"early_stopping_met\", \"value\": true",
     "\"early_stopping_met\", \"value\": false", "early-stopping", "early stopping is not met", 1},
    {STREAM DETAIL, "\"effective_performance_issue_same\", \"value\": false",
     "\"effective_performance_issue_same\", \"value\": true", "audit", "audit settings", 0},
    {STREAM DETAIL, ":::MLLOG", "MLLOG", "log", "must start with :::MLLOG", 1},
    {OFFLINE_ DETAIL, "\"generated_samples_per_query\", \"value\": 330000",
     "\"generated_samples_per_query\", \"value\": 24575", "count", "24575 samples, 24576 was asked",
     0},
    {OFFLINE_ DETAIL, "\"effective_samples_per_query\", \"value\": 330000",
     "\"effective_samples_per_query\", \"value\": 24575", "count",
     "the Offline query has 24575 samples", 1},
    {STREAM "performance/run_1/mlperf_log_summary.txt", NULL, NULL, "file",
     "summary.txt is missing", 0},
    {STREAM "accuracy/accuracy.txt", "76.456", "75.694", "accuracy", "acc is 75.694", 1},
    {STREAM "accuracy/accuracy.txt", "accuracy=", "top1=", "accuracy-text", "no line says acc", 1},
    {STREAM "accuracy/accuracy.txt", "hash=", "sum=", "hash", "no line hash=", 1},
    {STREAM "accuracy/accuracy.txt", "hash=0", "hash=", "hash", "is no SHA-256", 0},
    {STREAM "accuracy/mlperf_log_detail.txt", "50000", "500", "dataset",
     "the accuracy run has 500 samples, the data set 50000", 1},
    {STREAM "accuracy/mlperf_log_detail.txt", "50000", "50001", "dataset", "has 50001 samples", 1},
    {STREAM "accuracy/mlperf_log_detail.txt", "+", ERROR_LINE, "errors", "Ending early", 1},
    {STREAM "accuracy/mlperf_log_detail.txt", "2747215439041700203", "2747215439041700204", "seed",
     "sample_index_rng_seed is 2747215439041700204", 0},
    {STREAM "accuracy/mlperf_log_detail.txt", "AccuracyOnly", "PerformanceOnly", "mode",
     "the log's mode is PerformanceOnly", 0},
    {STREAM "accuracy/mlperf_log_accuracy.json", "=", "[\n]\n", "accuracy-log",
     "no response at all", 0},
    {STREAM "accuracy/mlperf_log_accuracy.json", "=",
     "[\n{ \"seq_id\" : 0, \"qsl_idx\" : 0, \"data\" : \"00\" }\n]\n", "hash", "accuracy.txt says",
     0},
    {STREAM "accuracy/mlperf_log_accuracy.json", "}\n]\n", "}", "accuracy-log", "that run died", 0},
    {STREAM "measurements.json", NULL, NULL, "file", "measurements.json is missing", 1},
    {STREAM "measurements.json", "\"retraining\": \"N\", ", "", "measurements",
     "the field retraining is missing", 1},
    {STREAM "measurements.json", "{", "{\"retraining\": \"Y\", ", "file",
     "names a field twice: line 1", 0},
    {STREAM "user.conf", NULL, NULL, "file", "user.conf is missing", 1},
    {STREAM "user.conf", "target_latency = 2", "target_latency=2", "user-conf", "spaces around '='",
     0},
    {STREAM "user.conf", "=", "resnet50.SingleStream.qsl_rng_seed = 3\n", "user-conf",
     "qsl_rng_seed", 0},
    {STREAM "README.md", "=", "", "file", "README.md is empty", 1},
    {STREAM "TEST01/verify_performance.txt", "PASS", "FAIL", "test-failed",
     "does not say \"TEST PASS\"", 1},
    {STREAM "TEST01/verify_accuracy.txt", "TEST PASS", "TEST FAIL", "test-failed",
     "baseline_accuracy.txt is missing", 1},
    {STREAM "TEST01/" DETAIL, "\"effective_accuracy_log_sampling_target\", \"value\": 4096",
     "\"effective_accuracy_log_sampling_target\", \"value\": 0", "test-settings",
     "accuracy_log_sampling_target is 0", 0},
    {STREAM "TEST01/" DETAIL, "\"value\": 2000000", "\"value\": 2300000", "test-score",
     "not within 10 %", 0},
    {STREAM "TEST04/" DETAIL, "\"effective_performance_issue_same_index\", \"value\": 3",
     "\"effective_performance_issue_same_index\", \"value\": 4", "test-settings", "with index 3",
     0},
    {OFFLINE_ "TEST04/" DETAIL, "\"result_samples_per_second\", \"value\": 500",
     "\"result_samples_per_second\", \"value\": 560", "test-score", "1.120 times as fast", 0},
    {STREAM "TEST04/" DETAIL, NULL, NULL, "log", "detail log is missing", 1},
    {STREAM "TEST04/performance/run_1/extra.txt", "=", "x", "layout", "extra.txt does not belong",
     1},
    {TREE_RUNS "/Server/performance/run_1/x", "=", "x", "scenario",
     "Server: not a scenario of resnet here", 1},
    {TREE_RUNS "/Fast/x", "=", "x", "layout", "'Fast' is no scenario", 1},
    {TREE_BASE "/results/box/vgg/Offline/x", "=", "x", "model", "no benchmark 'vgg'", 1},
};
#define MISTAKES (sizeof(mistakes) / sizeof(mistakes[0]))

static void replace(const char *root, const struct mistake *m)
{
    char path[2048], *text, *at;
    struct text out;
    size_t len;

    snprintf(path, sizeof(path), "%s/%s", root, m->file);
    if (!m->from) {
        assert_int_equal(unlink(path), 0);
        return;
    }
    if (!strcmp(m->from, "=")) {
        tree_write(root, m->file, m->to, strlen(m->to));
        return;
    }
    assert_int_equal(file_read(path, 1u << 20, &text, &len, NULL), 0);
    text_init(&out, 1u << 20);
    at = strcmp(m->from, "+") ? strstr(text, m->from) : text + len;
    if (!at)
        fail_msg("%s: '%s' is not there to be replaced", m->file, m->from);
    /* Everywhere: a setting may stand in the log twice. */
    for (char *from = text;; at = strstr(from, m->from)) {
        if (!at) {
            text_add(&out, from);
            break;
        }
        text_addn(&out, from, (size_t)(at - from));
        text_add(&out, m->to);
        from = at + (at == text + len ? 0 : strlen(m->from));
        if (at == text + len)
            break;
    }
    tree_write(root, m->file, out.s, out.len);
    text_release(&out);
    free(text);
}

static const json_t *find(const json_t *report, const struct mistake *m)
{
    json_t *f;
    size_t i;

    json_array_foreach(json_object_get(report, "findings"), i, f)
    {
        if (!strcmp(tree_text(f, "rule", ""), m->rule) && strstr(tree_text(f, "what", ""), m->what))
            return f;
    }
    return NULL;
}

/* What a file held, to be put back; NULL: it was not there. */
static char *remember(const char *root, const char *file, size_t *len)
{
    char path[2048], *text = NULL;

    snprintf(path, sizeof(path), "%s/%s", root, file);
    return file_exists(path) && !file_read(path, 1u << 20, &text, len, NULL) ? text : NULL;
}

/* Of a file that was not there, the first folder that the tree did not have goes too. */
static void put_back(const char *root, const struct mistake *m, const char *text, size_t len)
{
    static const char *const strange[] = {TREE_RUNS "/Server", TREE_RUNS "/Fast",
                                          TREE_BASE "/results/box/vgg"};
    char path[2048];

    if (text) {
        tree_write(root, m->file, text, len);
        return;
    }
    snprintf(path, sizeof(path), "%s/%s", root, m->file);
    unlink(path);
    for (size_t i = 0; i < sizeof(strange) / sizeof(strange[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", root, strange[i]);
        file_remove_tree(path, NULL);
    }
}

static void each_mistake_is_named(void **state)
{
    char root[40], *before;
    size_t len = 0;

    (void)state;
    tree_make(root, 0);
    for (size_t i = 0; i <= MISTAKES; i++) {
        const struct mistake *m = &mistakes[i];
        const json_t *f;
        json_t *report;

        if (i == MISTAKES) { /* all is as it was */
            report = check(root, "v6.1");
            if (json_array_size(json_object_get(report, "findings")))
                show("put back", report);
            json_decref(report);
            break;
        }
        before = remember(root, m->file, &len);
        replace(root, m);
        report = check(root, "v6.1");
        f = find(report, m);
        if (!f)
            show(m->what, report);
        if (tree_bool(f, "official", !m->official) != (m->official != 0))
            fail_msg("%s: official is wrong", m->what);
        assert_true(*tree_text(f, "why", "") && *tree_text(f, "mend", ""));
        json_decref(report);
        put_back(root, m, before, len);
        free(before);
    }
    file_remove_tree(root, NULL);
}

/* A folder that is not there, for what no file can show. */
static void missing_folders(void **state)
{
    static const struct {
        const char *folder;
        struct mistake m;
    } gone[] = {
        {TREE_RUNS "/MultiStream", {NULL, NULL, NULL, "scenario", "missing: MultiStream", 1}},
        {STREAM "TEST04", {NULL, NULL, NULL, "test", "TEST04 is missing", 1}},
        {STREAM "accuracy", {NULL, NULL, NULL, "log", "there is no accuracy run", 1}},
        {TREE_BASE "/src", {NULL, NULL, NULL, "source", "the folder src is missing", 1}},
        {TREE_BASE "/results", {NULL, NULL, NULL, "no-results", "holds no result", 0}},
    };
    char root[40], path[1024];

    (void)state;
    for (size_t i = 0; i < sizeof(gone) / sizeof(gone[0]); i++) {
        json_t *report;

        tree_make(root, 0);
        snprintf(path, sizeof(path), "%s/%s", root, gone[i].folder);
        file_remove_tree(path, NULL);
        report = check(root, "v6.1");
        if (!find(report, &gone[i].m))
            show(gone[i].m.what, report);
        json_decref(report);
        file_remove_tree(root, NULL);
    }
}

static void crlf_marks_a_cut_log_too(void **state)
{
    char root[40];
    json_t *report;

    (void)state;
    tree_make(root, 0);
    tree_text_file(root, STREAM "accuracy", "mlperf_log_accuracy.json",
                   "[\r\n{ \"seq\r\n\r\n...\r\n\r\n\" : 1 }\r\n]\r\n");
    report = check(root, "v6.1");
    if (json_array_size(json_object_get(report, "findings")))
        show("crlf", report);
    json_decref(report);
    file_remove_tree(root, NULL);
}

static void an_untruncated_log(void **state)
{
    const struct mistake m = {.rule = "untruncated", .what = "it is not truncated"};
    const char *const files[] = {STREAM "accuracy/mlperf_log_accuracy.json",
                                 STREAM "TEST01/accuracy/mlperf_log_accuracy.json"};
    char root[40], big[11000];

    (void)state;
    memset(big, ' ', sizeof(big));
    for (int i = 0; i < 2; i++) {
        json_t *report;

        tree_make(root, 0);
        tree_write(root, files[i], big, sizeof(big));
        report = check(root, "v6.1");
        if (!find(report, &m))
            show(files[i], report);
        json_decref(report);
        file_remove_tree(root, NULL);
    }
}

/* Nothing but an own name of the model, short tests and a low accuracy: the open division takes it.
 */
static void open_division(void **state)
{
    static const struct mistake division = {
        "open/ACME/systems/box.json", "closed", "open", NULL, NULL, 0};
    const struct mistake unknown = {.rule = "model", .what = "no benchmark 'mine'"};
    char root[40], a[200], b[200];
    json_t *report;

    (void)state;
    tree_make(root, 0);
    snprintf(a, sizeof(a), "%s/" TREE_RUNS "/SingleStream/TEST01", root);
    file_remove_tree(a, NULL);
    snprintf(a, sizeof(a), "%s/" TREE_RUNS "/MultiStream", root);
    file_remove_tree(a, NULL);
    tree_text_file(root, TREE_RUNS "/Offline/accuracy", "accuracy.txt",
                   "accuracy=1.0%\nhash=" TREE_HASH "\n");
    snprintf(a, sizeof(a), "%s/" TREE_RUNS, root);
    snprintf(b, sizeof(b), "%s/" TREE_BASE "/results/box/mine", root);
    assert_int_equal(rename(a, b), 0);
    snprintf(a, sizeof(a), "%s/closed", root);
    snprintf(b, sizeof(b), "%s/open", root);
    assert_int_equal(rename(a, b), 0);
    replace(root, &division);
    report = check(root, "v6.1");
    if (!find(report, &unknown) || json_array_size(json_object_get(report, "findings")) != 1)
        show("unknown", report);
    json_decref(report);
    tree_write(root, "open/ACME/model_mapping.json", "{\"mine\": \"resnet\"}", 18);
    report = check(root, "v6.1");
    if (json_array_size(json_object_get(report, "findings")))
        show("open", report);
    json_decref(report);
    file_remove_tree(root, NULL);
}

/* The network division has fields of its own, and a name of the system under test. */
static void network_division(void **state)
{
    static const struct mistake division = {"network/ACME/systems/box.json",
                                            "\"division\": \"closed\"",
                                            "\"division\": \"network\", \"is_network\": \"true\"",
                                            NULL,
                                            NULL,
                                            0};
    const struct mistake wanted[] = {
        {.rule = "system-field", .what = "the field network_protocol is missing"},
        {.rule = "network", .what = "without \"Network SUT\""}};
    char root[40], a[200], b[200];
    json_t *report;

    (void)state;
    tree_make(root, 0);
    snprintf(a, sizeof(a), "%s/closed", root);
    snprintf(b, sizeof(b), "%s/network", root);
    assert_int_equal(rename(a, b), 0);
    replace(root, &division);
    report = check(root, "v6.1");
    for (int i = 0; i < 2; i++)
        if (!find(report, &wanted[i]))
            show("network", report);
    json_decref(report);
    file_remove_tree(root, NULL);
}

/* On edge systems a MultiStream result may come from SingleStream logs; the other way round not. */
static void inferred_results(void **state)
{
    const struct mistake wrong = {.rule = "log-scenario", .what = "scenario is MultiStream"};
    static const char *const dirs[] = {"performance/run_1", "accuracy", "TEST01/performance/run_1",
                                       "TEST04/performance/run_1"};
    static const int runs[] = {TREE_PERFORMANCE, TREE_ACCURACY, TREE_TEST01, TREE_TEST04};
    char root[40], dir[200];
    json_t *report;

    (void)state;
    tree_make(root, 0);
    for (int i = 0; i < 4; i++) {
        snprintf(dir, sizeof(dir), TREE_RUNS "/MultiStream/%s", dirs[i]);
        tree_log(root, dir, 0, 0, runs[i]);
    }
    report = check(root, "v6.1");
    if (json_array_size(json_object_get(report, "findings")) ||
        !json_array_size(json_object_get(report, "notes")))
        show("inferred", report);
    json_decref(report);
    tree_log(root, TREE_RUNS "/SingleStream/performance/run_1", 0, 1, TREE_PERFORMANCE);
    report = check(root, "v6.1");
    if (!find(report, &wrong))
        show("wrong way", report);
    json_decref(report);
    file_remove_tree(root, NULL);
}

static void links_and_hostile_names(void **state)
{
    const struct mistake link = {.rule = "link", .what = "is a link"};
    char root[40], path[1024];
    json_t *report;

    (void)state;
    tree_make(root, 0);
    snprintf(path, sizeof(path), "%s/" STREAM "loop", root);
    assert_int_equal(symlink(root, path), 0);
    tree_write(root, TREE_BASE "/results/\xff\xfe/resnet50/Offline/x", "x", 1);
    tree_write(root, TREE_BASE "/results/%s%n/resnet50/Offline/x", "x", 1);
    report = check(root, NULL);
    if (!find(report, &link))
        show("link", report);
    json_decref(report);
    file_remove_tree(root, NULL);
}

/* The same tree by another round's rules: seeds, LoadGen and places are wrong then. */
static void another_round(void **state)
{
    const struct mistake seed = {.rule = "seed", .what = "qsl_rng_seed"};
    const struct mistake loadgen = {.rule = "loadgen", .what = "is that of round v6.1"};
    char root[40];
    json_t *report;

    (void)state;
    tree_make(root, 0);
    report = check(root, "v6.0");
    if (!find(report, &seed) || !find(report, &loadgen))
        show("v6.0", report);
    json_decref(report);
    file_remove_tree(root, NULL);
}

static void no_tree(void **state)
{
    const struct submit_check_ask ask = {.round = NULL}, unknown = {.round = "v9.9"};
    struct assay_err err;
    char root[40];
    json_t *report;

    (void)state;
    assert_int_equal(submit_check("/nowhere", &ask, &report, &err), ASSAY_EUSAGE);
    snprintf(root, sizeof(root), "/tmp/assay-tree-XXXXXX");
    assert_non_null(mkdtemp(root));
    assert_int_equal(submit_check(root, &ask, &report, &err), ASSAY_EUSAGE);
    assert_non_null(strstr(err.text, "no submission tree"));
    file_remove_tree(root, NULL);
    tree_make(root, 0);
    assert_int_equal(submit_check(root, &unknown, &report, &err), ASSAY_EUSAGE);
    file_remove_tree(root, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_trees),
        cmocka_unit_test(each_mistake_is_named),
        cmocka_unit_test(missing_folders),
        cmocka_unit_test(crlf_marks_a_cut_log_too),
        cmocka_unit_test(an_untruncated_log),
        cmocka_unit_test(open_division),
        cmocka_unit_test(network_division),
        cmocka_unit_test(inferred_results),
        cmocka_unit_test(links_and_hostile_names),
        cmocka_unit_test(another_round),
        cmocka_unit_test(no_tree),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
