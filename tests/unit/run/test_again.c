/* From a record's settings back to those of a run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "base/tree.h"
#include "run/again.h"

static struct settings own;

static void set(struct settings *s, const char *name, const char *value, int origin)
{
    struct assay_err err = {0};

    if (settings_set(s, name, value, origin, name, &err))
        fail_msg("%s", err.text);
}

/* A record of a run with these settings, and a batch of 32 that its engine took. */
static struct settings again_of(struct settings *s)
{
    json_t *record = json_pack("{s:s, s:o, s:{s:i}}", "id", "0123456789abcdef", "settings",
                               settings_to_json(s), "engine", "batch", 32);
    struct assay_err err = {0};
    struct settings out;

    if (again_settings(record, &own, &out, &err))
        fail_msg("%s", err.text);
    json_decref(record);
    settings_release(s);
    return out;
}

static struct settings fresh(const char *scenario)
{
    struct settings s;

    assert_int_equal(settings_init(&s, NULL), 0);
    set(&s, "benchmark", "resnet50", SETTINGS_CLI);
    set(&s, "scenario", scenario, SETTINGS_CLI);
    set(&s, "target-qps", "123", SETTINGS_MEASURED);
    return s;
}

/* How many queries are prepared is found anew; the batch is the one that was found. */
static void offline(void **state)
{
    struct settings s = fresh("Offline"), out = again_of(&s);

    (void)state;
    assert_true(out.target_qps == 0);
    assert_int_equal(settings_origin_of(&out, "target-qps"), SETTINGS_DEFAULT);
    assert_int_equal(out.batch, 32);
    settings_release(&out);
    s = fresh("Offline");
    set(&s, "batch", "8", SETTINGS_CLI);
    set(&s, "target-qps", "50", SETTINGS_CLI);
    out = again_of(&s);
    assert_int_equal(out.batch, 8);
    assert_true(out.target_qps == 50); /* the user's own is kept */
    settings_release(&out);
}

/* A Server's load is part of the run, but a peak is searched again. */
static void server(void **state)
{
    struct settings s = fresh("Server"), out = again_of(&s);

    (void)state;
    assert_true(out.target_qps == 123);
    assert_int_equal(settings_origin_of(&out, "target-qps"), SETTINGS_MEASURED);
    assert_int_equal(out.batch, 0);
    settings_release(&out);
    s = fresh("Server");
    set(&s, "mode", "find-peak", SETTINGS_CLI);
    out = again_of(&s);
    assert_true(out.target_qps == 0);
    settings_release(&out);
}

/* What was tuned stays and is not searched again; where things lie is this command's affair. */
static void the_rest(void **state)
{
    struct settings s = fresh("SingleStream"), out;

    (void)state;
    set(&s, "lanes", "2", SETTINGS_TUNED);
    set(&s, "tune", "true", SETTINGS_CLI);
    set(&s, "store", "/elsewhere", SETTINGS_CLI);
    set(&s, "user-conf", "/elsewhere/user.conf", SETTINGS_CLI);
    set(&s, "model", "theirs.yaml", SETTINGS_CLI);
    set(&s, "dataset", "/theirs", SETTINGS_CLI);
    set(&own, "store", "/mine", SETTINGS_CLI);
    set(&own, "dataset", "/mine/data", SETTINGS_CLI);
    out = again_of(&s);
    assert_int_equal(out.lanes, 2);
    assert_int_equal(settings_origin_of(&out, "lanes"), SETTINGS_TUNED);
    assert_int_equal(out.tune, 0);
    assert_int_equal(out.tuned, 0);
    assert_null(out.user_conf);
    assert_string_equal(out.store, "/mine");
    assert_string_equal(out.dataset, "/mine/data");
    assert_string_equal(out.model, "theirs.yaml");
    settings_release(&out);
}

/* A setting that this Assay does not know: one line that names record and setting. */
static void of_a_newer_one(void **state)
{
    json_t *record = json_pack("{s:s, s:{s:{s:i, s:s}}}", "id", "0123456789abcdef", "settings",
                               "quantum-lanes", "value", 2, "origin", "default");
    struct assay_err err = {0};
    struct settings out;

    (void)state;
    assert_int_equal(again_settings(record, &own, &out, &err), ASSAY_EUSAGE);
    assert_non_null(strstr(err.text, "0123456789abcdef"));
    assert_non_null(strstr(err.text, "quantum-lanes"));
    json_decref(record);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(offline), cmocka_unit_test(server),
                                       cmocka_unit_test(the_rest),
                                       cmocka_unit_test(of_a_newer_one)};
    int failed;

    if (settings_init(&own, NULL))
        return 1;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    settings_release(&own);
    return failed;
}
