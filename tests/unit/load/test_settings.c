/* The settings table: limits, precedence, did-you-mean, files, JSON there and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "load/settings.h"

static void defaults(void **state)
{
    struct settings s;
    struct assay_err err;

    (void)state;
    assert_int_equal(settings_init(&s, &err), 0);
    assert_string_equal(s.engine, "onnxruntime");
    assert_string_equal(s.device, "cpu");
    assert_string_equal(s.profile, "quick");
    assert_string_equal(s.progress, "auto");
    assert_null(s.model);
    assert_int_equal(s.scenario, OFFLINE);
    assert_int_equal(s.mode, MODE_PERFORMANCE);
    assert_int_equal(s.seed, 1);
    assert_true(s.warmup_s == 1 && s.peak_precision == 0.01);
    settings_release(&s);
}

/* Every row has its own name, letter, place and help, and reads its own text. */
static void rows_are_sound(void **state)
{
    const struct settings_row *rows;
    size_t n, i, j;

    (void)state;
    rows = settings_rows(&n);
    for (i = 0; i < n; i++) {
        assert_non_null(rows[i].help);
        assert_true((rows[i].argument == NULL) == (rows[i].type == SETTINGS_BOOL));
        assert_null(strchr(rows[i].name, '_'));
        assert_ptr_equal(settings_find(rows[i].name), &rows[i]);
        for (j = 0; j < i; j++) {
            assert_string_not_equal(rows[i].name, rows[j].name);
            assert_int_not_equal(rows[i].offset, rows[j].offset);
            assert_true(!rows[i].letter || rows[i].letter != rows[j].letter);
        }
    }
    assert_ptr_equal(settings_find("min_duration_ms"), settings_find("min-duration-ms"));
}

static void good_values(void **state)
{
    static const struct {
        const char *name, *value, *text;
    } cases[] = {
        {"lanes", "1024", "1024"},
        {"batch-wait-ms", "0.25", "0.25"},
        {"scenario", "singlestream", "SingleStream"},
        {"mode", "Find-Peak", "find-peak"},
        {"json", "on", "true"},
        {"json", "0", "false"},
        {"progress", "JSON", "json"},
        {"profile", "official:v6.1", "official:v6.1"},
        {"round", "v5.1", "v5.1"},
        {"engine-options", "a=b,c=d=e,f=", "a=b,c=d=e,f="},
        {"accuracy_log_rng_seed", "18446744073709551615", "18446744073709551615"},
        {"target-latency-percentile", "0.999", "0.999"},
        {"tag", "", ""},
    };
    struct settings s;
    struct assay_err err;
    char text[128];
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        settings_init(&s, &err);
        assert_int_equal(settings_set(&s, cases[i].name, cases[i].value, SETTINGS_CLI, "--x", &err),
                         0);
        settings_text(&s, settings_find(cases[i].name), text, sizeof(text));
        assert_string_equal(text, cases[i].text);
        settings_release(&s);
    }
}

static void bad_values(void **state)
{
    static const struct {
        const char *name, *value, *where, *text;
    } cases[] = {
        {"lanes", "many", "--lanes", "--lanes: 'many' is not a whole number from 0 to 1024"},
        {"lanes", "1025", "job.yaml",
         "job.yaml: lanes: '1025' is not a whole number from 0 to 1024"},
        {"lanes", "-1", "--lanes", "--lanes: '-1' is not a whole number from 0 to 1024"},
        {"lanes", "1.5", "--lanes", "--lanes: '1.5' is not a whole number from 0 to 1024"},
        {"lanes", "", "--lanes", "--lanes: '' is not a whole number from 0 to 1024"},
        {"warmup-s", "nan", "--warmup-s", "--warmup-s: 'nan' is not a number from 0 to 86400"},
        {"warmup-s", "0x10", "--warmup-s", "--warmup-s: '0x10' is not a number from 0 to 86400"},
        {"accuracy-log-rng-seed", "-1", "--a", "--a: '-1' is not a whole number"},
        {"accuracy-log-rng-seed", "18446744073709551616", "--a",
         "--a: '18446744073709551616' is not a whole number"},
        {"scenario", "singelstream", "-s",
         "-s: 'singelstream' is not known, did you mean SingleStream? (allowed: SingleStream, "
         "MultiStream, Server, Offline)"},
        {"scenario", "x", "-s",
         "-s: 'x' is not known (allowed: SingleStream, MultiStream, Server, Offline)"},
        {"json", "maybe", "--json", "--json: 'maybe' is not true or false"},
        {"profile", "fast", "--profile",
         "--profile: 'fast' is not known (allowed: quick or "
         "official:ROUND)"},
        {"profile", "official:v9", "--profile",
         "--profile: 'official:v9' is not known (allowed: the rounds v6.1, v6.0, v5.1, v5.0, "
         "v4.1)"},
        {"engine-options", "a", "--engine-options",
         "--engine-options: 'a' is not known (allowed: name=value,name=value)"},
        {"engine", "", "-e", "-e: '' is empty; give a value"},
        {"lane", "1", "job.yaml", "job.yaml: there is no setting 'lane', did you mean lanes?"},
        {"zzzzzz", "1", "job.yaml",
         "job.yaml: there is no setting 'zzzzzz'; 'assay settings' lists them"},
    };
    struct settings s;
    struct assay_err err;
    size_t i;

    (void)state;
    settings_init(&s, &err);
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(
            settings_set(&s, cases[i].name, cases[i].value, SETTINGS_CLI, cases[i].where, &err),
            ASSAY_EUSAGE);
        assert_string_equal(err.text, cases[i].text);
    }
    assert_int_equal(s.lanes, 0);
    settings_release(&s);
}

static void precedence(void **state)
{
    struct settings s;
    struct assay_err err;

    (void)state;
    settings_init(&s, &err);
    settings_set(&s, "device", "cuda:0", SETTINGS_CLI, "--device", &err);
    settings_set(&s, "device", "cuda:1", SETTINGS_JOB, "job", &err);
    assert_string_equal(s.device, "cuda:0");
    settings_set(&s, "device", "cuda:2", SETTINGS_CLI, "--device", &err);
    assert_string_equal(s.device, "cuda:2");
    assert_int_equal(settings_origin_of(&s, "device"), SETTINGS_CLI);
    settings_set(&s, "lanes", "3", SETTINGS_USER_FILE, "f", &err);
    assert_int_equal(settings_set_real(&s, "lanes", 7, SETTINGS_MEASURED, &err), 0);
    assert_int_equal(s.lanes, 3);
    assert_int_equal(settings_set_real(&s, "target-qps", 12.5, SETTINGS_MEASURED, &err), 0);
    assert_true(s.target_qps == 12.5);
    settings_set_origin(&s, "lanes", SETTINGS_MEASURED); /* what was said may now be replaced */
    assert_int_equal(s.lanes, 3);
    assert_int_equal(settings_set_real(&s, "lanes", 7, SETTINGS_MEASURED, &err), 0);
    assert_int_equal(s.lanes, 7);
    assert_int_equal(settings_set_real(&s, "batch", 1e9, SETTINGS_MEASURED, &err), ASSAY_EFAIL);
    settings_add_option(&s, "a=1", SETTINGS_JOB, "j", &err);
    settings_add_option(&s, "b=2", SETTINGS_CLI, "--option", &err);
    settings_add_option(&s, "c=3", SETTINGS_CLI, "--option", &err);
    assert_string_equal(s.engine_options, "b=2,c=3");
    settings_release(&s);
}

static int read_text(struct settings *s, const char *text, struct assay_err *err)
{
    char path[] = "/tmp/assay-settings-XXXXXX";
    int fd = mkstemp(path), rc;

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    rc = settings_read_file(s, path, SETTINGS_JOB, err);
    unlink(path);
    return rc;
}

static void files(void **state)
{
    struct settings s;
    struct assay_err err;

    (void)state;
    settings_init(&s, &err);
    assert_int_equal(read_text(&s,
                               "scenario: Server\nlanes: 2\nbatch_wait_ms: 0.5\njson: true\n"
                               "engine-options:\n  spin: true\n  level: 3\nsizes: {rows: 5000}\n",
                               &err),
                     0);
    assert_int_equal(s.scenario, SERVER);
    assert_int_equal(s.lanes, 2);
    assert_true(s.batch_wait_ms == 0.5 && s.json);
    assert_string_equal(s.engine_options, "spin=true,level=3");
    assert_string_equal(s.sizes, "rows=5000");
    assert_int_equal(settings_origin_of(&s, "lanes"), SETTINGS_JOB);
    assert_int_equal(read_text(&s, "lanes: [1]\n", &err), ASSAY_EUSAGE);
    assert_non_null(strstr(err.text, "lanes: give one value"));
    assert_int_equal(read_text(&s, "lanes:\n", &err), ASSAY_EUSAGE);
    assert_int_equal(read_text(&s, "- lanes\n", &err), ASSAY_EUSAGE);
    assert_int_equal(read_text(&s, "lanse: 1\n", &err), ASSAY_EUSAGE);
    assert_non_null(strstr(err.text, "did you mean lanes?"));
    settings_release(&s);
}

static void json_there_and_back(void **state)
{
    struct settings s, t, u;
    struct assay_err err;
    json_t *a, *b;

    (void)state;
    settings_init(&s, &err);
    settings_set(&s, "model", "x y.onnx", SETTINGS_CLI, "-m", &err);
    settings_set(&s, "scenario", "Server", SETTINGS_JOB, "j", &err);
    settings_set(&s, "target-latency-ms", "0.1", SETTINGS_USER_CONF, "u", &err);
    settings_set(&s, "accuracy-log-rng-seed", "16159082839903944936", SETTINGS_CLI, "-", &err);
    settings_set_real(&s, "target-qps", 1.0 / 3, SETTINGS_MEASURED, &err);
    a = settings_to_json(&s);
    assert_non_null(a);
    assert_int_equal(settings_from_json(&t, a, &err), 0);
    assert_true(t.target_qps == 1.0 / 3);
    assert_true(t.accuracy_log_rng_seed == 16159082839903944936u);
    assert_int_equal(settings_copy(&u, &t, &err), 0);
    settings_release(&t);
    b = settings_to_json(&u);
    assert_true(json_equal(a, b));
    assert_memory_equal(s.origin, u.origin, sizeof(s.origin));
    json_object_set_new(a, "lanse", json_pack("{s:i,s:s}", "value", 1, "origin", "default"));
    assert_int_equal(settings_from_json(&t, a, &err), ASSAY_EUSAGE);
    json_decref(a);
    json_decref(b);
    settings_release(&s);
    settings_release(&u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(rows_are_sound),
        cmocka_unit_test(good_values),
        cmocka_unit_test(bad_values),
        cmocka_unit_test(precedence),
        cmocka_unit_test(files),
        cmocka_unit_test(json_there_and_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
