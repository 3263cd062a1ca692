/* The verdict: a good log by hand, then one change at a time, each of which must give its reason or
 * note. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "load/verdict.h"

static const struct load_official official = {.min_duration_ms = 600000,
                                              .min_query_count = 100,
                                              .samples_per_query = 1,
                                              .performance_sample_count = 1024,
                                              .target_latency_ms = 15,
                                              .target_latency_percentile = 0.99,
                                              .qsl_rng_seed = 2085463073848966840u,
                                              .sample_index_rng_seed = 2747215439041700203u,
                                              .schedule_rng_seed = 16159082839903944936u};

struct pair {
    const char *key, *value; /* value as JSON */
};

/* A Server run of 60 s at 20 QPS. */
static const struct pair good[] = {
    {"effective_scenario", "\"Server\""},
    {"effective_test_mode", "\"PerformanceOnly\""},
    {"effective_qsl_rng_seed", "2085463073848966840"},
    {"effective_sample_index_rng_seed", "2747215439041700203"},
    {"effective_schedule_rng_seed", "16159082839903944936"},
    {"effective_min_duration_ms", "600000"},
    {"effective_max_duration_ms", "0"},
    {"effective_min_query_count", "662"},
    {"effective_max_query_count", "0"},
    {"effective_min_sample_count", "662"},
    {"effective_samples_per_query", "1"},
    {"effective_target_latency_ns", "15000000"},
    {"effective_target_latency_percentile", "0.99"},
    {"effective_performance_sample_count", "1024"},
    {"effective_accuracy_sample_count", "50000"},
    {"effective_performance_issue_unique", "false"},
    {"effective_performance_issue_same", "false"},
    {"effective_accuracy_log_sampling_target", "0"},
    {"effective_accuracy_log_probability", "0"},
    {"effective_sample_concatenate_permutation", "false"},
    {"generated_samples_per_query", "1"},
    {"power_begin", "\"11-24-2026 23:59:00.500\""},
    {"power_end", "\"11-25-2026 00:09:00.700\""},
    {"result_validity", "\"VALID\""},
    {"result_perf_constraints_met", "true"},
    {"result_min_duration_met", "true"},
    {"result_min_queries_met", "true"},
    {"early_stopping_met", "true"},
    {"early_stopping_result", "\" * Run successful.\""},
    {"result_query_count", "12000"},
    {"result_overlatency_query_count", "3"},
    {"result_completed_samples_per_sec", "19.98"},
    {"num_errors", "0"},
};

/* Makes the log with `change` in place (value NULL: left out) or added. */
static void make_log(struct detail *d, const struct pair *change)
{
    struct text log;
    struct assay_err err;
    bool used = !change;
    const char *value;
    size_t i;

    text_init(&log, 1u << 20);
    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        value = good[i].value;
        if (change && !strcmp(change->key, good[i].key)) {
            value = change->value;
            used = true;
        }
        if (value)
            text_addf(&log, ":::MLLOG {\"key\": \"%s\", \"value\": %s, \"metadata\": {}}\n",
                      good[i].key, value);
    }
    if (!used)
        text_addf(
            &log, ":::MLLOG {\"key\": \"%s\", \"value\": %s, \"metadata\": {\"is_%s\": true}}\n",
            change->key, change->value, strncmp(change->key, "error", 5) ? "warning" : "error");
    assert_int_equal(detail_parse(log.s, log.len, "log", d, &err), 0);
    text_release(&log);
}

static void official_settings(struct settings *s)
{
    settings_init(s, NULL);
    settings_set(s, "profile", "official:v6.1", SETTINGS_CLI, "-", NULL);
    settings_set(s, "scenario", "Server", SETTINGS_CLI, "-", NULL);
    s->min_duration_ms = 600000;
    s->min_query_count = 662;
    s->target_latency_ms = 15;
    s->target_latency_percentile = 0.99;
    s->samples_per_query = 1;
    s->performance_sample_count = 1024;
}

static bool has(const json_t *list, const char *text)
{
    size_t i;

    for (i = 0; i < json_array_size(list); i++)
        if (strstr(json_string_value(json_array_get(list, i)), text))
            return true;
    return false;
}

static void show(const char *what, const struct verdict *v, const char *want)
{
    char *reasons = json_dumps(v->reasons, 0), *notes = json_dumps(v->notes, 0);

    fail_msg("%s: word %s, reasons %s, notes %s; wanted '%s'", what, v->word, reasons, notes, want);
}

static void a_good_log(void **state)
{
    struct settings s;
    struct verdict v;
    struct detail d;

    (void)state;
    official_settings(&s);
    make_log(&d, NULL);
    assert_int_equal(verdict_judge(&d, &s, &official, 50000, &v, NULL), 0);
    if (!v.valid || json_array_size(v.notes))
        show("good", &v, "VALID");
    assert_string_equal(v.word, "VALID");
    assert_string_equal(v.metric, "throughput");
    assert_true(v.value == 19.98);
    verdict_release(&v);
    settings_set(&s, "profile", "quick", SETTINGS_CLI, "-", NULL);
    verdict_judge(&d, &s, &official, 50000, &v, NULL);
    assert_string_equal(v.word, "QUICK-VALID");
    assert_true(v.valid);
    verdict_release(&v);
    detail_release(&d);
    settings_release(&s);
}

static void one_change_each(void **state)
{
    static const struct {
        struct pair change;
        const char *reason;
    } cases[] = {
        {{"error_runtime", "\"Ending early\""}, "LoadGen error: error_runtime: Ending early"},
        {{"num_errors", "2"}, "LoadGen counted 2 errors, the log shows 0"},
        {{"effective_test_mode", "\"AccuracyOnly\""}, "the log's mode is AccuracyOnly"},
        {{"effective_scenario", "\"Offline\""},
         "the log's scenario is Offline, Server was asked for"},
        {{"effective_scenario", NULL}, "the log's scenario is none"},
        {{"effective_qsl_rng_seed", "1"}, "qsl_rng_seed is 1, round v6.1 has 2085463073848966840"},
        {{"effective_sample_index_rng_seed", "0"}, "sample_index_rng_seed is 0"},
        {{"effective_schedule_rng_seed", "16159082839903944937"},
         "schedule_rng_seed is 161590828399039449"},
        {{"effective_schedule_rng_seed", NULL}, "the log has no effective_schedule_rng_seed"},
        {{"result_validity", "\"INVALID\""}, "LoadGen says INVALID"},
        {{"result_validity", NULL}, "the log has no result: the run did not come to its end"},
        {{"result_min_duration_met", "false"}, "minimum duration was not met"},
        {{"result_min_queries_met", "false"}, "minimum query count was not met"},
        {{"result_perf_constraints_met", "false"}, "latency bound was not met"},
        {{"effective_min_duration_ms", "599999"}, "the log's minimum duration is 599999 ms"},
        {{"power_end", "\"11-25-2026 00:09:00.400\""},
         "the run took 599900 ms, 600000 ms was asked for"},
        {{"power_end", NULL}, "the run took nan ms"},
        {{"effective_min_query_count", "661"},
         "the log's minimum is 661 queries, 662 was asked for"},
        {{"result_query_count", "600"}, "the run had 600 queries, 662 was asked for"},
        {{"effective_target_latency_percentile", "0.9"},
         "the log's percentile is 0.9, 0.99 was asked for"},
        {{"effective_target_latency_ns", "16000000"},
         "the latency bound is 16 ms, the official one 15 ms"},
        {{"effective_target_latency_ns", "14000000"},
         "the log's latency bound is 14 ms, 15 ms was asked"},
        {{"early_stopping_met", "false"}, "early stopping is not met"},
        {{"result_overlatency_query_count", "119"}, "12000 queries with 119 late ones are too few"},
        {{"effective_performance_sample_count", "1023"},
         "performance_sample_count is 1023, official is 1024"},
        {{"effective_performance_sample_count", "50001"}, "the data set has 50000 samples"},
        {{"effective_sample_concatenate_permutation", "true"},
         "sample_concatenate_permutation is on, and official is off"},
    };
    struct settings s;
    struct verdict v;
    struct detail d;
    size_t i;

    (void)state;
    official_settings(&s);
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        make_log(&d, &cases[i].change);
        assert_int_equal(verdict_judge(&d, &s, &official, 50000, &v, NULL), 0);
        if (v.valid || strcmp(v.word, "INVALID") || !has(v.reasons, cases[i].reason))
            show(cases[i].change.key, &v, cases[i].reason);
        verdict_release(&v);
        detail_release(&d);
    }
    settings_release(&s);
}

static void audits_and_notes(void **state)
{
    static const struct {
        struct pair change;
        const char *note, *word;
    } cases[] = {
        {{"effective_performance_issue_same", "true"},
         "performance_issue_same is set",
         "AUDIT-VALID"},
        {{"effective_performance_issue_unique", "true"}, "performance_issue_unique", "AUDIT-VALID"},
        {{"effective_accuracy_log_sampling_target", "4096"}, "sampling_target", "AUDIT-VALID"},
        {{"warning_generic_message", "\"Found Audit Config file\""},
         "LoadGen warning:",
         "AUDIT-VALID"},
        {{"warning_generic_message", "\"CAS failed\""}, "LoadGen warning:", "VALID"},
        {{"effective_performance_sample_count", "2000"}, "is 2000, official is 1024", "VALID"},
        {{"effective_max_duration_ms", "900000"}, "had a maximum duration", "VALID"},
    };
    struct settings s;
    struct verdict v;
    struct detail d;
    size_t i;

    (void)state;
    official_settings(&s);
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        make_log(&d, &cases[i].change);
        verdict_judge(&d, &s, &official, 50000, &v, NULL);
        if (!v.valid || strcmp(v.word, cases[i].word) || !has(v.notes, cases[i].note))
            show(cases[i].change.key, &v, cases[i].note);
        verdict_release(&v);
        detail_release(&d);
    }
    settings_release(&s);
}

/* A text that is longer than any line, and not of ASCII. */
static void a_long_text(void **state)
{
    static const struct pair audit = {"effective_performance_issue_same", "true"};
    char path[1000];
    struct settings s;
    struct verdict v;
    struct detail d;

    (void)state;
    for (int odd = 0; odd < 2; odd++) {
        size_t n = (size_t)odd;

        memset(path, 'a', n);
        for (int i = 0; i < 400; i++, n += 2)
            memcpy(path + n, "\xc3\xbc", 2);
        path[n] = 0;
        official_settings(&s);
        settings_set(&s, "audit-config", path, SETTINGS_CLI, "-", NULL);
        make_log(&d, &audit);
        assert_int_equal(verdict_judge(&d, &s, &official, 50000, &v, NULL), 0);
        assert_true(has(v.notes, path));
        verdict_release(&v);
        detail_release(&d);
        settings_release(&s);
    }
}

/* With a bound on tokens instead of the whole response LoadGen counts every query as late. */
static void token_latencies(void **state)
{
    const struct pair late = {"result_overlatency_query_count", "12000"};
    struct settings s;
    struct verdict v;
    struct detail d;

    (void)state;
    official_settings(&s);
    make_log(&d, &late);
    json_object_set_new(d.values, "requested_use_token_latencies", json_true());
    verdict_judge(&d, &s, &official, 50000, &v, NULL);
    if (!v.valid)
        show("tokens", &v, "VALID");
    verdict_release(&v);
    json_object_set_new(d.values, "early_stopping_met", json_false());
    verdict_judge(&d, &s, &official, 50000, &v, NULL);
    if (!has(v.reasons, "early stopping is not met"))
        show("tokens", &v, "LoadGen's own word");
    verdict_release(&v);
    detail_release(&d);
    settings_release(&s);
}

/* A quick run with its own bound on a small data set: valid, and the reader is told. */
static void quick_notes(void **state)
{
    const struct pair bound = {"effective_target_latency_ns", "40000000"};
    struct settings s;
    struct verdict v;
    struct detail d;

    (void)state;
    official_settings(&s);
    settings_set(&s, "profile", "quick", SETTINGS_CLI, "-", NULL);
    s.target_latency_ms = 40;
    make_log(&d, &bound);
    json_object_set_new(d.values, "effective_performance_sample_count", json_integer(200));
    verdict_judge(&d, &s, &official, 200, &v, NULL);
    if (strcmp(v.word, "QUICK-VALID") || !has(v.notes, "own bound 40 ms (official: 15 ms)") ||
        !has(v.notes, "the data set has only 200 samples"))
        show("quick", &v, "two notes");
    verdict_release(&v);
    json_object_set_new(d.values, "effective_target_latency_percentile", json_real(0.9));
    s.target_latency_percentile = 0.9;
    verdict_judge(&d, &s, &official, 200, &v, NULL);
    if (strcmp(v.word, "QUICK-VALID") || !has(v.notes, "own percentile 0.9 (official: 0.99)"))
        show("quick", &v, "own percentile");
    verdict_release(&v);
    verdict_judge(&d, &s, &official, 1, &v, NULL);
    if (!has(v.notes, "the data set has only 1 sample, official"))
        show("quick", &v, "a note of one sample");
    verdict_release(&v);
    detail_release(&d);
    settings_release(&s);
}

/* LoadGen repeats a warning by the hundred: one line says so. */
static void warnings_are_counted(void **state)
{
    struct settings s;
    struct verdict v;
    struct detail d;
    int i;

    (void)state;
    official_settings(&s);
    make_log(&d, NULL);
    for (i = 0; i < 300; i++)
        json_array_append_new(d.warnings, json_string(i % 3 ? "busy: a" : "busy: b"));
    verdict_judge(&d, &s, &official, 50000, &v, NULL);
    if (!v.valid || !has(v.notes, "LoadGen warning: busy: a (200 times)") ||
        !has(v.notes, "LoadGen warning: busy: b (100 times)") || json_array_size(v.notes) > 4)
        show("warnings", &v, "counted");
    verdict_release(&v);
    detail_release(&d);
    settings_release(&s);
}

static void offline_counts(void **state)
{
    struct load_official o = official;
    struct settings s;
    struct verdict v;
    struct detail d;

    (void)state;
    o.min_query_count = 24576;
    official_settings(&s);
    settings_set(&s, "profile", "quick", SETTINGS_CLI, "-", NULL);
    settings_set(&s, "scenario", "Offline", SETTINGS_CLI, "-", NULL);
    s.min_query_count = 1;
    make_log(&d, NULL);
    json_object_set_new(d.values, "effective_scenario", json_string("Offline"));
    json_object_set_new(d.values, "generated_samples_per_query", json_integer(13200));
    json_object_set_new(d.values, "effective_min_sample_count", json_integer(13200));
    json_object_set_new(d.values, "result_query_count", json_integer(1));
    json_object_set_new(d.values, "result_samples_per_second", json_real(21.5));
    verdict_judge(&d, &s, &o, 50000, &v, NULL);
    if (strcmp(v.word, "QUICK-VALID") ||
        !has(v.notes, "13200 samples, an official one has at least 24576"))
        show("offline", &v, "a note");
    assert_true(v.value == 21.5);
    verdict_release(&v);
    settings_set(&s, "profile", "official:v6.1", SETTINGS_CLI, "-", NULL);
    verdict_judge(&d, &s, &o, 50000, &v, NULL);
    assert_true(has(v.reasons, "the run had 13200 samples, 24576 was asked for"));
    verdict_release(&v);
    detail_release(&d);
    settings_release(&s);
}

static void accuracy_log(void **state)
{
    const struct pair mode = {"effective_test_mode", "\"AccuracyOnly\""};
    struct settings s;
    struct verdict v;
    struct detail d;

    (void)state;
    official_settings(&s);
    s.mode = MODE_ACCURACY;
    make_log(&d, &mode);
    json_object_del(d.values, "result_validity");
    verdict_judge(&d, &s, &official, 50000, &v, NULL);
    if (strcmp(v.word, "VALID"))
        show("accuracy", &v, "VALID");
    assert_string_equal(v.metric, "");
    verdict_release(&v);
    verdict_judge(&d, &s, &official, 50001, &v, NULL);
    assert_true(has(v.reasons, "the accuracy run has 50000 samples, the data set 50001"));
    verdict_release(&v);
    detail_release(&d);
    settings_release(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_log),           cmocka_unit_test(one_change_each),
        cmocka_unit_test(audits_and_notes),     cmocka_unit_test(a_long_text),
        cmocka_unit_test(token_latencies),      cmocka_unit_test(quick_notes),
        cmocka_unit_test(warnings_are_counted), cmocka_unit_test(offline_counts),
        cmocka_unit_test(accuracy_log),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
