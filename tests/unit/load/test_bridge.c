/* Real LoadGen runs with a system under test that answers at once: what LoadGen logs must be what
 * was set, in the first run of a process as in any later one, and our own latencies must be those
 * that LoadGen counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "load/detail.h"
#include "load/profile.h"
#include "load/rounds.h"
#include "load/verdict.h"

#define TOTAL       300
#define PERFORMANCE 100
#define MAX_KEPT    4000000

static const struct load_bridge *bridge;

struct sut {
    int scenario;
    uint64_t completed, bad_sequence;
    size_t loads, unloads, flushes;
    int64_t *latency; /* by sequence */
    bool keep;        /* latencies of performance runs only: accuracy runs number from 0 too */
    pthread_mutex_t lock;
};

static void answer(struct sut *u, const struct load_sample *sample)
{
    uint8_t data[4] = {0};
    uint64_t sequence = bridge->sequence(sample->id);
    int64_t start = bridge->start_ns(sample->id, u->scenario);
    struct load_response r = {sample->id, (uintptr_t)data, sizeof(data), 0};

    memcpy(data, &sample->index, sizeof(data));
    if (sequence < MAX_KEPT && u->keep)
        u->latency[sequence] = bridge->now() - start;
    bridge->complete(&r, 1);
    pthread_mutex_lock(&u->lock);
    u->completed++;
    u->bad_sequence += sequence >= MAX_KEPT;
    pthread_mutex_unlock(&u->lock);
}

static void sut_issue(void *ctx, const struct load_sample *samples, size_t n)
{
    size_t i;

    if (((struct sut *)ctx)->scenario == OFFLINE)
        usleep(130000); /* the one query must last as long as the run */
    for (i = 0; i < n; i++)
        answer(ctx, &samples[i]);
}

static void sut_flush(void *ctx)
{
    ((struct sut *)ctx)->flushes++;
}

static void sut_load(void *ctx, const size_t *index, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++)
        assert_true(index[i] < TOTAL);
    ((struct sut *)ctx)->loads += n;
}

static void sut_unload(void *ctx, const size_t *index, size_t n)
{
    (void)index;
    ((struct sut *)ctx)->unloads += n;
}

static void begin(struct sut *u, struct load_sut *t, int scenario)
{
    *u = (struct sut){.scenario = scenario, .keep = true, .lock = PTHREAD_MUTEX_INITIALIZER};
    u->latency = calloc(MAX_KEPT, sizeof(*u->latency));
    assert_non_null(u->latency);
    *t = (struct load_sut){u,         "the \"null\" one", "made up", TOTAL,     PERFORMANCE,
                           sut_issue, sut_flush,          sut_load,  sut_unload};
}

static void settle(struct settings *s, int scenario, int mode, struct load_official *official)
{
    struct assay_err err;
    int known = -1;

    assert_int_equal(settings_init(s, &err), 0);
    settings_set(s, "scenario", settings_scenario_names[scenario], SETTINGS_CLI, "-", &err);
    settings_set(s, "mode", settings_mode_names[mode], SETTINGS_CLI, "-", &err);
    settings_set(s, "min-duration-ms", "120", SETTINGS_CLI, "-", &err);
    settings_set(s, "min-query-count", "700", SETTINGS_CLI, "-", &err);
    assert_int_equal(bridge->official("resnet50", scenario, official, &known, &err), 0);
    assert_int_equal(known, 1);
    assert_int_equal(profile_apply(s, official, &err), 0);
    settings_set_real(s, "target-qps", scenario == OFFLINE ? 200000 : 5000, SETTINGS_MEASURED,
                      &err);
    /* Server: what a busy machine keeps, too. */
    settings_set_real(s, "target-latency-ms", scenario == SERVER ? 500 : 0.0003, SETTINGS_MEASURED,
                      &err);
}

static double real(const struct detail *d, const char *key)
{
    return detail_real(d, key, -1);
}

static void seed_is(const struct detail *d, const char *key, uint64_t want)
{
    uint64_t got = 0;

    assert_true(detail_u64(d, key, &got));
    assert_true(got == want);
}

/* Everything effective in LoadGen equals what was set. */
static void check_effective(const struct detail *d, const struct settings *s,
                            const struct load_official *o)
{
    static const char *const modes[] = {"PerformanceOnly", "AccuracyOnly", "SubmissionRun"};
    bool offline = s->scenario == OFFLINE;

    assert_string_equal(detail_text(d, "effective_scenario", ""),
                        settings_scenario_names[s->scenario]);
    assert_string_equal(detail_text(d, "effective_test_mode", ""), modes[s->mode]);
    assert_string_equal(detail_text(d, "sut_name", ""), "the _null_ one");
    assert_true(real(d, "effective_min_duration_ms") == (double)s->min_duration_ms);
    assert_true(real(d, "effective_max_duration_ms") == (double)s->max_duration_ms);
    assert_true(real(d, "effective_max_query_count") == (double)s->max_query_count);
    assert_true(real(d, "requested_min_query_count") == (double)s->min_query_count);
    assert_true(real(d, "effective_min_query_count") == (offline ? 1 : (double)s->min_query_count));
    assert_true(real(d, "effective_performance_sample_count") ==
                TOTAL); /* 1024, cut to the data set */
    assert_true(real(d, "effective_accuracy_sample_count") == TOTAL);
    assert_true(real(d, "effective_print_timestamps") == (double)s->print_timestamps);
    if (s->scenario == SERVER) {
        assert_true(real(d, "effective_target_qps") == s->target_qps);
        assert_true(real(d, "effective_target_latency_ns") == s->target_latency_ms * 1e6);
    }
    if (!offline)
        assert_true(real(d, "effective_target_latency_percentile") == s->target_latency_percentile);
    if (s->scenario == MULTI_STREAM)
        assert_true(real(d, "effective_samples_per_query") == 8);
    seed_is(d, "effective_qsl_rng_seed", o->qsl_rng_seed);
    seed_is(d, "effective_sample_index_rng_seed", o->sample_index_rng_seed);
    seed_is(d, "effective_schedule_rng_seed", o->schedule_rng_seed);
    seed_is(d, "effective_schedule_rng_seed", 16159082839903944936u);
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

/* Percentiles of our latencies against the log's: ours end just before LoadGen takes its time. */
static void check_latencies(struct sut *u, const struct detail *d)
{
    static const double percentiles[] = {50, 90, 97, 99};
    char key[64];
    double ours, logged;
    size_t i, n = (size_t)u->completed;

    qsort(u->latency, n, sizeof(u->latency[0]), by_value);
    for (i = 0; i < 4; i++) {
        snprintf(key, sizeof(key), "result_%.2f_percentile_latency_ns", percentiles[i]);
        logged = real(d, key);
        ours = (double)u->latency[(size_t)((double)n * percentiles[i] / 100)];
        assert_true(logged >= 0);
        if (ours > logged + 50e3 || ours < logged - 50e3)
            fail_msg("%s: LoadGen %.0f ns, we %.0f ns", key, logged, ours);
    }
}

/* MultiStream fills its last query with samples from the start, which are then logged twice. */
static void check_accuracy(const char *dir, int scenario, bool wanted)
{
    char *path = file_join(dir, "mlperf_log_accuracy.json"), seen[TOTAL] = {0};
    struct accuracy_log log;
    struct assay_err err = {0};
    uint32_t index;
    size_t i;

    assert_int_equal(accuracy_log_read(path, &log, &err), 0);
    assert_int_equal(log.n, !wanted ? 0 : scenario == MULTI_STREAM ? (TOTAL + 7) / 8 * 8 : TOTAL);
    for (i = 0; i < log.n; i++) {
        assert_int_equal(log.entries[i].bytes, 4);
        memcpy(&index, log.entries[i].data, 4);
        assert_int_equal(index, log.entries[i].index);
        assert_true(seen[index]++ == 0 || scenario == MULTI_STREAM);
    }
    assert_true(!wanted || !memchr(seen, 0, TOTAL));
    accuracy_log_release(&log);
    free(path);
}

static void one_run(int scenario, int mode)
{
    char dir[] = "/tmp/assay-bridge-XXXXXX", *path;
    struct load_official official;
    struct assay_err err = {0};
    struct settings s;
    struct load_sut t;
    struct verdict v;
    struct detail d;
    struct sut u;

    assert_non_null(mkdtemp(dir));
    settle(&s, scenario, mode, &official);
    begin(&u, &t, scenario);
    u.keep = mode == MODE_PERFORMANCE;
    if (bridge->run(&s, "resnet50", &t, dir, NULL, &err))
        fail_msg("%s", err.text);
    assert_int_equal(u.bad_sequence, 0);
    assert_int_equal(u.loads, u.unloads);
    assert_true(u.flushes > 0);
    path = file_join(dir, "mlperf_log_detail.txt");
    if (detail_read(path, &d, &err))
        fail_msg("%s", err.text);
    check_effective(&d, &s, &official);
    check_accuracy(dir, scenario, mode != MODE_PERFORMANCE);
    if (u.keep && scenario != OFFLINE)
        check_latencies(&u, &d);
    assert_int_equal(verdict_judge(&d, &s, &official, TOTAL, &v, &err), 0);
    if (strcmp(v.word, "QUICK-VALID"))
        fail_msg("%s %s: %s", settings_scenario_names[scenario], settings_mode_names[mode],
                 json_dumps(v.reasons, 0));
    if (mode != MODE_ACCURACY)
        assert_true(v.value > 0);
    verdict_release(&v);
    detail_release(&d);
    free(path);
    free(u.latency);
    settings_release(&s);
    file_remove_tree(dir, NULL);
}

static void all_scenarios_and_modes(void **state)
{
    int scenario, mode, slack = prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0);

    (void)state;
    for (scenario = 0; scenario < SCENARIO_COUNT; scenario++)
        for (mode = 0; mode <= MODE_SUBMISSION; mode++)
            one_run(scenario, mode);
    assert_int_equal(prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0), slack);
}

/* Runs with settings changed by `change`; gives the log. */
static void run_with(int scenario, const char *name, const char *value, const char *audit,
                     struct detail *d)
{
    char dir[] = "/tmp/assay-bridge-XXXXXX", *path;
    struct load_official official;
    struct assay_err err = {0};
    struct settings s;
    struct load_sut t;
    struct sut u;

    assert_non_null(mkdtemp(dir));
    settle(&s, scenario, MODE_PERFORMANCE, &official);
    assert_int_equal(settings_set(&s, name, value, SETTINGS_CLI, "-", &err), 0);
    begin(&u, &t, scenario);
    if (bridge->run(&s, "resnet50", &t, dir, audit, &err))
        fail_msg("%s", err.text);
    path = file_join(dir, "mlperf_log_detail.txt");
    assert_int_equal(detail_read(path, d, &err), 0);
    free(path);
    free(u.latency);
    settings_release(&s);
    file_remove_tree(dir, NULL);
}

static void single_settings(void **state)
{
    struct detail d;

    (void)state;
    run_with(SERVER, "target-latency-ms", "0.125", NULL, &d); /* below a millisecond */
    assert_true(real(&d, "effective_target_latency_ns") == 125000);
    detail_release(&d);
    run_with(SERVER, "max-async-queries", "77", NULL, &d);
    assert_true(real(&d, "effective_max_async_queries") == 77);
    detail_release(&d);
    run_with(SERVER, "coalesce-queries", "true", NULL, &d);
    assert_true(real(&d, "requested_server_coalesce_queries") == 1);
    detail_release(&d);
    run_with(SINGLE_STREAM, "performance-issue-same", "true", NULL, &d);
    assert_true(real(&d, "effective_performance_issue_same") == 1);
    detail_release(&d);
    run_with(OFFLINE, "accuracy-log-sampling-target", "9", NULL, &d);
    assert_true(real(&d, "effective_accuracy_log_sampling_target") == 9);
    detail_release(&d);
    run_with(SINGLE_STREAM, "target-latency-percentile", "0.95", NULL, &d);
    assert_true(real(&d, "effective_target_latency_percentile") == 0.95);
    assert_int_equal(json_array_size(d.errors), 0);
    detail_release(&d);
}

/* An audit.config counts when named, and only then. */
static void audit_config(void **state)
{
    static const char text[] = "*.*.performance_issue_same = 1\n";
    char dir[] = "/tmp/assay-audit-XXXXXX", before[512];
    struct detail d;

    (void)state;
    assert_non_null(getcwd(before, sizeof(before)));
    assert_non_null(mkdtemp(dir));
    assert_int_equal(chdir(dir), 0);
    assert_int_equal(file_write_whole("audit.config", text, strlen(text), NULL), 0);
    run_with(SINGLE_STREAM, "tag", "x", NULL, &d);
    assert_true(real(&d, "effective_performance_issue_same") == 0);
    detail_release(&d);
    run_with(SINGLE_STREAM, "tag", "x", "audit.config", &d);
    assert_true(real(&d, "effective_performance_issue_same") == 1);
    assert_true(json_array_size(d.warnings) > 0);
    detail_release(&d);
    assert_int_equal(chdir(before), 0);
    file_remove_tree(dir, NULL);
}

static void refuse(struct settings *s, struct load_sut *t, const char *outdir, const char *audit,
                   const char *text)
{
    struct assay_err err = {0};

    assert_int_not_equal(bridge->run(s, "resnet50", t, outdir, audit, &err), 0);
    if (!strstr(err.text, text))
        fail_msg("'%s' lacks '%s'", err.text, text);
}

static void refusals(void **state)
{
    struct load_official official;
    struct assay_err err = {0};
    struct settings s;
    struct load_sut t;
    struct sut u;
    int known = -1;

    (void)state;
    settle(&s, SERVER, MODE_PERFORMANCE, &official);
    begin(&u, &t, SERVER);
    refuse(&s, &t, "/nonexistent/dir", NULL,
           "/nonexistent/dir/mlperf_log_summary.txt: cannot be written");
    refuse(&s, &t, "/tmp", "/nonexistent/audit.config",
           "--audit-config: /nonexistent/audit.config");
    s.target_qps = 0;
    refuse(&s, &t, "/tmp", NULL, "target-qps is not set for Server");
    s.target_qps = 1;
    s.mode = MODE_FIND_PEAK;
    refuse(&s, &t, "/tmp", NULL, "find-peak");
    s.mode = MODE_PERFORMANCE;
    t.total_samples = 0;
    refuse(&s, &t, "/tmp", NULL, "'made up' has no samples");
    t.total_samples = TOTAL;
    assert_int_equal(bridge->run(&s, "llama2-70b", &t, "/tmp", NULL, &err), ASSAY_EUNSUPPORTED);
    assert_int_equal(bridge->official("my-own", OFFLINE, &official, &known, &err), 0);
    assert_int_equal(known, 0);
    assert_int_equal(official.performance_sample_count, 0);
    assert_int_equal(bridge->official("x", 9, &official, &known, &err), ASSAY_EFAIL);
    free(u.latency);
    settings_release(&s);
}

static void official_values(void **state)
{
    struct load_official o;
    struct assay_err err;
    int known;

    (void)state;
    bridge->official("resnet50", OFFLINE, &o, &known, &err);
    assert_int_equal(o.min_query_count, 24576);
    assert_int_equal(o.min_duration_ms, 600000);
    assert_int_equal(o.performance_sample_count, 1024);
    bridge->official("resnet50", SERVER, &o, &known, &err);
    assert_true(o.target_latency_ms == 15 && o.target_latency_percentile == 0.99);
    bridge->official("retinanet", MULTI_STREAM, &o, &known, &err);
    assert_int_equal(o.samples_per_query, 8);
    assert_int_equal(o.min_query_count, 662);
    bridge->official("3d-unet", SINGLE_STREAM, &o, &known, &err);
    assert_int_equal(o.sample_concatenate_permutation, 1);
    assert_true(o.target_latency_percentile == 0.9);
}

static int open_bridge(void **state)
{
    struct assay_err err;

    (void)state;
    if (!load_open(&load_rounds[0], NULL, &bridge, &err))
        return 0;
    print_error("%s\n", err.text);
    return -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(official_values),
        cmocka_unit_test(refusals),
        cmocka_unit_test(all_scenarios_and_modes),
        cmocka_unit_test(single_settings),
        cmocka_unit_test(audit_config),
    };

    return cmocka_run_group_tests(tests, open_bridge, NULL);
}
