/* Early stopping against LoadGen's known counts, and what the profiles fill in and refuse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "load/early_stopping.h"
#include "load/profile.h"
#include "load/rounds.h"

static void early_stopping_counts(void **state)
{
    static const struct {
        double percentile;
        uint64_t late, n;
    } cases[] = {{0.90, 1, 64},  {0.95, 1, 130}, {0.97, 1, 219},  {0.99, 1, 662},
                 {0.99, 0, 459}, {0.99, 2, 838}, {0.999, 1, 6636}};
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(early_stopping_queries(cases[i].percentile, cases[i].late), cases[i].n);
        assert_true(early_stopping_passes(cases[i].n, cases[i].late, cases[i].percentile));
        assert_false(early_stopping_passes(cases[i].n - 1, cases[i].late, cases[i].percentile));
    }
    /* LoadGen gives t = 930 for 10000 queries at p90. */
    assert_true(early_stopping_passes(10000, 930, 0.9));
    assert_false(early_stopping_passes(10000, 931, 0.9));
    assert_false(early_stopping_passes(0, 0, 0.99));
    assert_false(early_stopping_passes(100, 200, 0.99));
    assert_false(early_stopping_passes(100000, 0, 1));
    assert_int_equal(early_stopping_queries(0, 1), 0);
    assert_int_equal(early_stopping_queries(1, 1), 0);
}

static const struct load_official server = {.min_duration_ms = 600000,
                                            .min_query_count = 100,
                                            .samples_per_query = 1,
                                            .performance_sample_count = 1024,
                                            .target_latency_ms = 15,
                                            .target_latency_percentile = 0.99};
static const struct load_official offline = {.min_duration_ms = 600000,
                                             .min_query_count = 24576,
                                             .samples_per_query = 1,
                                             .performance_sample_count = 1024};

static void begin(struct settings *s, int scenario, const char *profile)
{
    settings_init(s, NULL);
    settings_set(s, "scenario", settings_scenario_names[scenario], SETTINGS_CLI, "-", NULL);
    settings_set(s, "profile", profile, SETTINGS_CLI, "-", NULL);
}

static void quick(void **state)
{
    struct settings s;
    struct assay_err err;

    (void)state;
    begin(&s, SERVER, "quick");
    assert_int_equal(profile_apply(&s, &server, &err), 0);
    assert_int_equal(s.min_duration_ms, 60000);
    assert_int_equal(s.min_query_count, 662);
    assert_int_equal(s.performance_sample_count, 1024);
    assert_true(s.target_latency_ms == 15 && s.target_latency_percentile == 0.99);
    assert_int_equal(settings_origin_of(&s, "min-duration-ms"), SETTINGS_PROFILE);
    assert_int_equal(settings_origin_of(&s, "target-latency-ms"), SETTINGS_OFFICIAL);
    settings_release(&s);

    begin(&s, OFFLINE, "quick");
    settings_set(&s, "min-duration-ms", "100", SETTINGS_CLI, "-", &err);
    settings_set(&s, "performance-sample-count", "0", SETTINGS_CLI, "-", &err);
    assert_int_equal(profile_apply(&s, &offline, &err), 0);
    assert_int_equal(s.min_duration_ms, 100);
    assert_int_equal(s.min_query_count, 1);
    assert_int_equal(s.performance_sample_count, 1024);
    settings_release(&s);

    begin(&s, SINGLE_STREAM, "quick");
    assert_int_equal(profile_apply(&s,
                                   &(struct load_official){.target_latency_percentile = 0.9,
                                                           .target_latency_ms = 10},
                                   &err),
                     0);
    assert_int_equal(s.min_query_count, 64);
    assert_true(s.target_latency_ms == 0); /* the warm-up finds it */
    settings_release(&s);

    begin(&s, SERVER, "quick"); /* the user's percentile decides the count */
    settings_set(&s, "target-latency-percentile", "0.9", SETTINGS_CLI, "-", &err);
    settings_set(&s, "target-latency-ms", "0.5", SETTINGS_CLI, "-", &err);
    assert_int_equal(profile_apply(&s, &server, &err), 0);
    assert_int_equal(s.min_query_count, 64);
    assert_true(s.target_latency_ms == 0.5);
    settings_release(&s);
}

static void official(void **state)
{
    struct settings s;
    struct assay_err err;

    (void)state;
    begin(&s, OFFLINE, "official:v6.1");
    assert_int_equal(profile_apply(&s, &offline, &err), 0);
    assert_int_equal(s.min_duration_ms, 600000);
    assert_int_equal(s.min_query_count, 24576);
    assert_string_equal(s.round, "v6.1");
    assert_string_equal(profile_round(&s), "v6.1");
    assert_int_equal(profile_apply(&s, &offline, &err), 0); /* again */
    settings_release(&s);

    begin(&s, SERVER, "official:v6.1");
    settings_set(&s, "target-latency-ms", "10", SETTINGS_CLI, "-", &err);
    settings_set(&s, "min-duration-ms", "700000", SETTINGS_CLI, "-", &err);
    assert_int_equal(profile_apply(&s, &server, &err), 0);
    assert_true(s.target_latency_ms == 10);
    assert_int_equal(s.min_duration_ms, 700000);
    assert_int_equal(s.min_query_count, 662);
    settings_release(&s);
}

static void official_refuses(void **state)
{
    static const struct {
        const char *name, *value, *text;
    } cases[] = {
        {"min-duration-ms", "1000",
         "--min-duration-ms: 1000 is less than the 600000 that official:v6.1"},
        {"min-query-count", "661", "--min-query-count: 661 is less than the 662"},
        {"target-latency-ms", "15.5", "--target-latency-ms: 15.5 is more than the 15"},
        {"target-latency-percentile", "0.9", "--target-latency-percentile: 0.9 is not the 0.99"},
        {"performance-sample-count", "10", "--performance-sample-count: 10 is less than the 1024"},
        {"count", "10", "--count: not with --profile official:v6.1"},
        {"accuracy-sample-count", "10", "--accuracy-sample-count: not with"},
        {"performance-issue-same", "true", "--performance-issue-same: not with"},
        {"sample-concatenate-permutation", "true",
         "--sample-concatenate-permutation: 1 is not the 0"},
        {"round", "v6.0", "--round: v6.0 contradicts --profile official:v6.1"},
    };
    struct settings s;
    struct assay_err err;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        begin(&s, SERVER, "official:v6.1");
        assert_int_equal(settings_set(&s, cases[i].name, cases[i].value, SETTINGS_CLI, "-", &err),
                         0);
        assert_int_equal(profile_apply(&s, &server, &err), ASSAY_EUSAGE);
        if (!strstr(err.text, cases[i].text))
            fail_msg("%s: '%s'", cases[i].name, err.text);
        settings_release(&s);
    }
}

static void rounds(void **state)
{
    const struct load_bridge *b;
    struct assay_err err;

    (void)state;
    assert_string_equal(load_round_find("v6.1")->loadgen, "6.0.17");
    assert_null(load_round_find("v1.0"));
    /* `make loadgen-5.1.2` may have been run. */
    if (load_open(load_round_find("v5.1"), NULL, &b, &err)) {
        assert_non_null(strstr(err.text, "round v5.1 needs LoadGen 5.1.2, which is not here"));
        assert_non_null(strstr(err.text, "`assay get loadgen-bridge,5.1.2`"));
        assert_non_null(strstr(err.text, "`make loadgen-5.1.2`"));
    } else {
        assert_string_equal(b->version, "5.1.2");
    }
    /* A file is taken as it is, and checked. */
    assert_int_equal(load_open(&load_rounds[1], "/nowhere.so", &b, &err), ASSAY_EFAIL);
    assert_non_null(strstr(err.text, "no /nowhere.so"));
    if (load_is_here(load_rounds[0].loadgen)) {
        char *file = load_path(load_rounds[0].loadgen);

        assert_int_equal(load_open(&load_rounds[1], file, &b, &err), ASSAY_EFAIL);
        assert_non_null(strstr(err.text, "holds LoadGen 6.0.17, not 6.0.15"));
        free(file);
    }
    assert_non_null(strstr(load_round_allowed("v9"), "v6.1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(early_stopping_counts),
        cmocka_unit_test(quick),
        cmocka_unit_test(official),
        cmocka_unit_test(official_refuses),
        cmocka_unit_test(rounds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
