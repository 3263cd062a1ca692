/* From records to a tree, without running anything: made records of a whole closed edge submission
 * give a tree that has no finding; and what cannot be submitted is refused with its reason. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/tree.h"
#include "submit/build.h"
#include "submit/check.h"
#include "submit/system.h"
#include "tree.h"

static const struct submit_request official = {
    .division = "closed", .category = "edge", .round = "v6.1", .submitter = "ACME"};

/* 400 responses; `wrong`: that of the last sample is another one. */
static void write_responses(const char *root, const char *dir, bool wrong)
{
    struct text t;
    char where[300];

    text_init(&t, 1u << 20);
    text_add(&t, "[\n");
    for (int i = 0; i < 400; i++)
        text_addf(&t, "{ \"seq_id\" : %d, \"qsl_idx\" : %d, \"data\" : \"%08X\" }%s\n", i, i,
                  (unsigned)(wrong && i == 399 ? 1 : i * 7), i == 399 ? "" : ",");
    text_add(&t, "]\n");
    snprintf(where, sizeof(where), "%s/mlperf_log_accuracy.json", dir);
    tree_write(root, where, t.s, t.len);
    text_release(&t);
}

static json_t *files_of(const char *folder)
{
    static const char *const names[] = {"mlperf_log_detail.txt", "mlperf_log_summary.txt",
                                        "mlperf_log_accuracy.json", "user.conf"};
    json_t *files = json_object();
    char path[600], hex[HASH_HEX];

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        if (file_exists(path) && !hash_file(path, hex, NULL))
            json_object_set_new(files, names[i], json_pack("{s:s}", "sha256", hex));
    }
    return files;
}

/* One record: its folder below root, and its tree. */
static json_t *make_record(const char *root, int scenario, int run, bool wrong)
{
    char id[17], folder[300];
    struct settings s;
    json_t *r;

    snprintf(id, sizeof(id), "%08x%08x", scenario + 1, run + 1);
    snprintf(folder, sizeof(folder), "%s/%s", root, id);
    tree_log(root, id, 0, scenario, run);
    if (run == TREE_ACCURACY || run == TREE_TEST01)
        write_responses(root, id, wrong);
    tree_text_file(root, id, "user.conf",
                   scenario == 2 ? "resnet50.Offline.target_qps = 500\n"
                                 : "*.*.target_latency = 2\n");
    settings_init(&s, NULL);
    settings_set(&s, "engine", "null", SETTINGS_CLI, "-", NULL);
    settings_set(&s, "lanes", "3", SETTINGS_CLI, "-", NULL);
    settings_set(&s, "precision", "fp32", SETTINGS_TUNED, "-", NULL); /* as explore chose */
    settings_set(&s, "threads", "2", SETTINGS_TUNED, "-", NULL);
    settings_set(&s, "target-latency-ms", "2", SETTINGS_MEASURED, "-", NULL);
    r = json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:{s:b, s:b}, s:{s:b, s:s, s:[]}, s:{s:s}, s:{s:s, "
        "s:s, s:s}, s:{s:s, s:s, s:s, s:s}, s:{s:{s:b, s:i}}, s:{s:s}, s:{s:s}, s:o, s:o, "
        "s:[s,s,s], "
        "s:{s:s}}",
        "id", id, "folder", folder, "created", "2026-08-20T10:00:00Z", "status", "done",
        "benchmark", "resnet50", "scenario", tree_scenarios[scenario], "mode",
        run == TREE_ACCURACY ? "accuracy" : "performance", "synthetic", "weights", 0, "samples", 0,
        "verdict", "valid", 1, "word", "VALID", "reasons", "loadgen", "version", "6.0.17", "engine",
        "name", "null", "version", "1", "device", "cpu", "model", "name", "resnet50-onnx", "path",
        "/models/resnet50_v1.onnx", "sha256", TREE_HASH, "precision", "fp32", "performance",
        "detail", "effective_performance_issue_same", run == TREE_TEST04,
        "effective_accuracy_log_sampling_target", run == TREE_TEST01 ? 4096 : 0, "accuracy", "line",
        "accuracy=76.456%, good=38228, total=50000", "assay", "version", "0.1", "settings",
        settings_to_json(&s), "files", files_of(folder), "command", "assay", "--model", "a b.yaml",
        "dataset", "name", "imagenet2012");
    json_object_set_new(r, "profile", json_string("official:v6.1"));
    json_object_set_new(r, "system",
                        json_pack("{s:{s:i}, s:{s:i}}", "sockets", "value", 1, "memory_bytes",
                                  "value", 1000 + run));
    settings_release(&s);
    return r;
}

static json_t *declared_facts(void)
{
    static const char *const values[][2] = {{"status", "available"},
                                            {"retraining", "N"},
                                            {"input_data_types", "fp32"},
                                            {"resnet50.weight_transformations", "none"}};
    json_t *facts = json_object();

    for (const struct submit_field *f = submit_fields; f->name; f++)
        if (f->meaningful && !f->network)
            json_object_set_new(
                facts, f->name,
                json_pack("{s:s, s:s, s:s}", "value", "1", "from", "declared", "source", "test"));
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        json_object_set_new(facts, values[i][0],
                            json_pack("{s:s, s:s, s:s}", "value", values[i][1], "from", "declared",
                                      "source", "test"));
    json_object_set_new(json_object_get(facts, "retraining"), "value", json_false());
    json_object_set_new(facts, "gpus", json_pack("{s:i, s:s}", "value", 1, "from", "detected"));
    json_object_set_new(facts, "gpu_models",
                        json_pack("{s:s, s:s}", "value", "H100", "from", "detected"));
    json_object_del(facts, "accelerators_per_node");
    json_object_del(facts, "accelerator_model_name");
    json_object_del(facts, "accelerator_interconnect");
    return facts;
}

static json_t *all_records(const char *root, bool wrong)
{
    json_t *records = json_array();

    for (int scenario = 0; scenario < 3; scenario++)
        for (int run = 0; run < 4; run++)
            json_array_append_new(records,
                                  make_record(root, scenario, run, wrong && run == TREE_TEST01));
    return records;
}

static void make_root(char root[40])
{
    snprintf(root, 40, "/tmp/assay-records-XXXXXX");
    assert_non_null(mkdtemp(root));
}

/* Says the percentage that it is told, less a thousandth of it each time. */
static int made_score(void *ctx, const struct submit_slot *slot, const struct accuracy_log *log,
                      char line[256], struct assay_err *err)
{
    double *percent = ctx;

    (void)err;
    assert_int_equal(slot->test, 1);
    assert_int_equal(log->n, 400);
    snprintf(line, 256, "accuracy=%.3f%%, good=1, total=2", *percent);
    *percent *= 0.999;
    return ASSAY_OK;
}

static json_t *build_and_check(const char *root, const json_t *records, const char *name,
                               double *percent)
{
    const struct submit_scorer scorer = {made_score, percent};
    const struct submit_check_ask ask = {.round = "v6.1"};
    json_t *facts = declared_facts(), *report = NULL;
    struct submit_plan p;
    struct assay_err err;
    char out[100];

    snprintf(out, sizeof(out), "%s/%s", root, name);
    if (submit_plan_create(&official, records, &p, &err))
        fail_msg("%s", err.text);
    assert_int_equal(p.count, 12);
    if (submit_build(&p, facts, percent ? &scorer : NULL, out, &err) ||
        submit_check(out, &ask, &report, &err))
        fail_msg("%s", err.text);
    assert_int_equal(submit_build(&p, facts, percent ? &scorer : NULL, out, &err),
                     ASSAY_EUSAGE); /* never over another */
    submit_plan_release(&p);
    json_decref(facts);
    return report;
}

/* A machine with a GPU that took no part; facts that YAML does not take for texts; a command that
 * a shell reads back. */
static void check_written(const char *root)
{
    char path[300], *text = NULL;
    json_t *tree = NULL;
    size_t len;

    snprintf(path, sizeof(path), "%s/tree/closed/ACME/systems/1.json", root);
    assert_int_equal(tree_read_json(path, &tree, NULL), 0);
    assert_string_equal(tree_text(tree, "accelerator_model_name", ""), "N/A");
    assert_string_equal(tree_text(tree, "accelerator_interconnect", ""), "N/A");
    json_decref(tree);
    snprintf(path, sizeof(path), "%s/tree/closed/ACME/results/1/resnet50/Offline/measurements.json",
             root);
    assert_int_equal(tree_read_json(path, &tree, NULL), 0);
    assert_string_equal(tree_text(tree, "retraining", ""), "false");
    json_decref(tree);
    snprintf(path, sizeof(path), "%s/tree/closed/ACME/results/1/resnet50/Offline/README.md", root);
    assert_int_equal(file_read(path, 1 << 20, &text, &len, NULL), 0);
    assert_non_null(strstr(text, " assay --model 'a b.yaml'"));
    assert_non_null(strstr(text, " --threads 2")); /* every setting, also what was found */
    free(text);
}

static void a_whole_tree(void **state)
{
    char root[40], *text;
    json_t *records, *report;

    (void)state;
    make_root(root);
    records = all_records(root, false);
    report = build_and_check(root, records, "tree", NULL);
    text = json_dumps(json_object_get(report, "findings"), JSON_INDENT(1));
    if (json_array_size(json_object_get(report, "findings")))
        fail_msg("%s", text);
    assert_int_equal(tree_int(report, "results", 0), 3);
    free(text);
    check_written(root);
    json_decref(report);
    json_decref(records);
    file_remove_tree(root, NULL);
}

static void one_other_response(void **state)
{
    char root[40];
    json_t *records, *report, *f;
    size_t i, failed = 0;

    (void)state;
    make_root(root);
    records = all_records(root, true);
    report = build_and_check(root, records, "tree", NULL);
    json_array_foreach(json_object_get(report, "findings"), i, f)
    {
        failed += !strcmp(tree_text(f, "rule", ""), "test-failed") &&
                  strstr(tree_text(f, "where", ""), "TEST01");
    }
    assert_true(failed >= 3);
    json_decref(report);
    json_decref(records);
    file_remove_tree(root, NULL);
}

/* Then the accuracy over the same samples decides. */
static void equal_accuracy_is_enough(void **state)
{
    const struct submit_check_ask ask = {.round = "v6.1"};
    double percent = 76;
    struct assay_err err;
    char root[40], path[300];
    json_t *records, *report, *findings;

    (void)state;
    make_root(root);
    records = all_records(root, true);
    report = build_and_check(root, records, "tree", &percent);
    if (json_array_size(json_object_get(report, "findings")))
        fail_msg("%s", json_dumps(json_object_get(report, "findings"), JSON_INDENT(1)));
    json_decref(report);
    tree_text_file(root, "tree/closed/ACME/results/1/resnet50/Offline/TEST01/accuracy",
                   "compliance_accuracy.txt", "accuracy=74%\n");
    snprintf(path, sizeof(path), "%s/tree", root);
    assert_int_equal(submit_check(path, &ask, &report, &err), 0);
    findings = json_object_get(report, "findings");
    assert_int_equal(json_array_size(findings), 1);
    assert_string_equal(tree_text(json_array_get(findings, 0), "rule", ""), "test-failed");
    json_decref(report);
    json_decref(records);
    file_remove_tree(root, NULL);
}

static void a_changed_log_is_refused(void **state)
{
    char root[40], out[100];
    json_t *records, *facts = declared_facts();
    struct submit_plan p;
    struct assay_err err;

    (void)state;
    make_root(root);
    records = all_records(root, false);
    tree_write(root, "0000000100000001/mlperf_log_detail.txt", ":::MLLOG {}\n", 12);
    assert_int_equal(submit_plan_create(&official, records, &p, &err), 0);
    snprintf(out, sizeof(out), "%s/tree", root);
    assert_int_equal(submit_build(&p, facts, NULL, out, &err), ASSAY_EFAIL);
    assert_non_null(strstr(err.text, "was changed since"));
    assert_false(file_exists(out));
    submit_plan_release(&p);
    json_decref(facts);
    json_decref(records);
    file_remove_tree(root, NULL);
}

static void refused(const json_t *records, const struct submit_request *ask, const char *why)
{
    struct submit_plan p;
    struct assay_err err = {0};

    if (submit_plan_create(ask, records, &p, &err) != ASSAY_EUSAGE || !strstr(err.text, why))
        fail_msg("wanted '%s', got '%s'", why, err.text);
}

static void what_cannot_be_submitted(void **state)
{
    static const struct {
        const char *part, *key;
        const char *value; /* as JSON */
        const char *why;
    } cases[] = {
        {"synthetic", "weights", "true", "synthetic weights"},
        {"synthetic", "samples", "true", "synthetic samples"},
        {"dataset", "unofficial", "true", "a part of the official data set"},
        {"verdict", "valid", "false", "INVALID"},
        {"verdict", "word", "\"AUDIT-VALID\"", "ran with audit settings"},
        {NULL, "status", "\"error\"", "did not come to its end"},
        {NULL, "profile", "\"quick\"", "needs --profile official:v6.1"},
        {NULL, "mode", "\"submission\"", "one log"},
        {NULL, "benchmark", "\"rnnt\"", "Assay builds no submission of rnnt for round v6.1"},
        {NULL, "scenario", "\"Server\"", "Server is no scenario"},
        {"loadgen", "version", "\"5.1.2\"", "not of round v6.1"},
    };
    static const struct {
        const char *part, *key;
        const char *value; /* as JSON */
        const char *why;
    } unlike[] = {
        {"model", "sha256", "\"00\"", "of different systems (model sha256"},
        {"model", "precision", "\"int8\"", "of different systems (model precision"},
        {"engine", "precision", "\"bf16\"", "of different systems (engine precision"},
        {"dataset", "hash", "\"00\"", "of different systems (dataset hash"},
        {"system", "gpu_models", "{\"value\": \"H100\"}",
         "of different machines (gpu_models: null and \"H100\")"},
        {"system", "sockets", "{\"value\": 2}", "of different machines (sockets: 1 and 2)"},
        {"system", "memory_bytes", "{\"value\": 1020}", "of different machines (memory_bytes"},
    };
    struct submit_request ask = official;
    struct submit_plan p;
    char root[40];

    (void)state;
    make_root(root);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_t *records = json_pack("[o]", make_record(root, 2, TREE_PERFORMANCE, false));
        json_t *r = json_array_get(records, 0);

        json_object_set_new(cases[i].part ? json_object_get(r, cases[i].part) : r, cases[i].key,
                            json_loads(cases[i].value, JSON_DECODE_ANY, NULL));
        refused(records, &official, cases[i].why);
        json_decref(records);
    }
    {
        json_t *records = json_pack("[o, o]", make_record(root, 2, TREE_PERFORMANCE, false),
                                    make_record(root, 2, TREE_PERFORMANCE, false));

        refused(records, &official, "are both resnet50 Offline performance");
        json_object_set_new(json_object_get(json_array_get(records, 1), "engine"), "device",
                            json_string("cuda:0"));
        refused(records, &official, "of different systems");
        json_decref(records);
    }
    for (size_t i = 0; i < sizeof(unlike) / sizeof(unlike[0]); i++) {
        json_t *records = json_pack("[o, o, o]", make_record(root, 0, TREE_PERFORMANCE, false),
                                    make_record(root, 2, TREE_PERFORMANCE, false),
                                    make_record(root, 2, TREE_ACCURACY, false));
        json_t *first = json_array_get(records, 0), *last = json_array_get(records, 2);

        for (int other = 0; other < 2; other++) { /* the first says nothing of another benchmark */
            json_object_set_new(first, "benchmark", json_string(other ? "bert" : "resnet50"));
            json_object_set_new(json_object_get(last, unlike[i].part), unlike[i].key,
                                json_loads(unlike[i].value, JSON_DECODE_ANY, NULL));
            refused(records, &official, unlike[i].why);
        }
        json_decref(records);
    }
    {
        json_t *records = json_pack("[o, o]", make_record(root, 2, TREE_PERFORMANCE, false),
                                    make_record(root, 2, TREE_ACCURACY, false));

        json_object_set_new(json_object_get(json_array_get(records, 1), "settings"),
                            "engine-options",
                            json_pack("{s:s, s:s}", "value", "a=b", "origin", "command line"));
        refused(records, &official, "with other engine options ('' and 'a=b')");
        json_decref(records);
    }
    {
        json_t *records = json_pack("[o]", make_record(root, 2, TREE_PERFORMANCE, false));

        ask.category = "datacenter";
        refused(records, &ask, "no resnet50 in the category datacenter");
        ask = official;
        ask.division = "network";
        refused(records, &ask, "the network division is for engines that compute on another");
        json_object_set_new(json_object_get(json_array_get(records, 0), "engine"), "remote",
                            json_true());
        assert_int_equal(submit_plan_create(&ask, records, &p, NULL), ASSAY_OK);
        submit_plan_release(&p);
        json_decref(records);
    }
    file_remove_tree(root, NULL);
}

/* What is missing is run with the user's settings, and not with what another run measured. */
static void settings_of_missing_runs(void **state)
{
    json_t *records;
    struct submit_plan p;
    struct assay_err err;
    char root[40], name[100];
    size_t missing = 0;

    (void)state;
    make_root(root);
    records = json_pack("[o]", make_record(root, 0, TREE_PERFORMANCE, false));
    assert_int_equal(submit_plan_create(&official, records, &p, &err), 0);
    for (size_t i = 0; i < p.count; i++) {
        struct settings s;
        struct text t;

        if (p.slots[i].record)
            continue;
        missing++;
        if (submit_slot_settings(&p, &p.slots[i], NULL, &s, &err))
            fail_msg("%s", err.text);
        assert_int_equal(s.lanes, 3);
        assert_int_equal(s.scenario, p.slots[i].scenario);
        assert_string_equal(s.profile, "official:v6.1");
        assert_true(s.target_latency_ms == 0);
        assert_int_equal(s.mode,
                         p.slots[i].kind == SUBMIT_ACCURACY ? MODE_ACCURACY : MODE_PERFORMANCE);
        assert_true((s.audit_config != NULL) == (p.slots[i].kind == SUBMIT_COMPLIANCE));
        text_init(&t, 1u << 16);
        submit_settings_command(&s, &t);
        assert_non_null(strstr(t.s, "assay run resnet50 --engine null"));
        assert_non_null(strstr(t.s, " --lanes 3"));
        assert_non_null(strstr(t.s, " --precision fp32")); /* it is one system */
        assert_null(strstr(t.s, " --threads"));
        text_release(&t);
        settings_release(&s);
    }
    assert_int_equal(missing, 11);
    submit_slot_name(&p.slots[11], name, sizeof(name));
    assert_string_equal(name, "resnet50 Offline TEST04");
    submit_plan_release(&p);
    json_decref(records);
    file_remove_tree(root, NULL);
}

/* A Server's compliance tests come at the rate that its performance run found; nothing else does.
 */
static void the_rate_of_a_server(void **state)
{
    struct submit_request both = official;
    struct submit_plan p;
    struct assay_err err;
    json_t *record, *records;
    size_t tests = 0;
    char root[40];

    (void)state;
    both.category = "datacenter,edge";
    make_root(root);
    record = make_record(root, 2, TREE_PERFORMANCE, false);
    json_object_set_new(record, "scenario", json_string("Server"));
    json_object_set_new(json_object_get(record, "settings"), "target-qps",
                        json_pack("{s:f, s:s}", "value", 512.5, "origin", "measured"));
    records = json_pack("[o]", record);
    if (submit_plan_create(&both, records, &p, &err))
        fail_msg("%s", err.text);
    assert_int_equal(p.count, 16);
    for (size_t i = 0; i < p.count; i++) {
        struct settings s;

        if (submit_slot_settings(&p, &p.slots[i], NULL, &s, &err))
            fail_msg("%s", err.text);
        if (p.slots[i].scenario == SERVER && p.slots[i].kind == SUBMIT_COMPLIANCE) {
            assert_true(s.target_qps == 512.5);
            tests++;
        } else {
            assert_true(s.target_qps == 0);
        }
        settings_release(&s);
    }
    assert_int_equal(tests, 2);
    submit_plan_release(&p);
    json_decref(records);
    file_remove_tree(root, NULL);
}

/* Round v5.1 has DLRM's second version: the first, which is the same benchmark here, is refused. */
static void one_version_of_a_benchmark(void **state)
{
    struct submit_request ask = official;
    struct submit_plan p;
    struct assay_err err;
    json_t *r, *records;
    char root[40];

    (void)state;
    ask.category = "datacenter";
    ask.round = "v5.1";
    make_root(root);
    r = make_record(root, 2, TREE_PERFORMANCE, false);
    records = json_pack("[o]", r);
    json_object_set_new(r, "benchmark", json_string("dlrm"));
    json_object_set_new(r, "profile", json_string("official:v5.1"));
    json_object_set_new(json_object_get(r, "loadgen"), "version", json_string("5.1.2"));
    refused(records, &ask, "is of dlrm, and round v5.1 takes dlrm-v2 alone");
    json_object_set_new(json_object_get(r, "model"), "manifest",
                        json_pack("{s:s}", "loadgen_model", "dlrm-v2"));
    if (submit_plan_create(&ask, records, &p, &err))
        fail_msg("%s", err.text);
    assert_int_equal(p.count, 6); /* Server and Offline: performance, accuracy, TEST01 */
    assert_string_equal(p.slots[3].model->name, "dlrm-v2-99");
    assert_ptr_equal(p.slots[3].record, r);
    assert_string_equal(submit_model_of(p.round, "dlrm", 1)->name, "dlrm-v2-99.9");
    assert_null(submit_model_of(p.round, "dlrm", 2));
    submit_plan_release(&p);
    json_decref(records);
    file_remove_tree(root, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_tree),
        cmocka_unit_test(one_other_response),
        cmocka_unit_test(equal_accuracy_is_enough),
        cmocka_unit_test(a_changed_log_is_refused),
        cmocka_unit_test(what_cannot_be_submitted),
        cmocka_unit_test(settings_of_missing_runs),
        cmocka_unit_test(the_rate_of_a_server),
        cmocka_unit_test(one_version_of_a_benchmark),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
