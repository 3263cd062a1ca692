/* user.conf: every file of conf/ is a case.  Its leading comment lines say
 *     # scenario: NAME        the run's scenario (the model is resnet50)
 *     # error: TEXT           the error, without the file's name
 *     # set: NAME = VALUE     what a setting is afterwards (any number of lines)
 * Dropping a file there is adding a case. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "load/conf.h"

#define FOLDER ASSAY_SOURCE "/tests/unit/load/conf"

static int scenario_number(const char *name)
{
    int i;

    for (i = 0; i < SCENARIO_COUNT; i++)
        if (!strcmp(name, settings_scenario_names[i]))
            return i;
    fail_msg("unknown scenario %s", name);
    return 0;
}

static void check_set(const struct settings *s, const char *name, const char *line)
{
    char key[64], want[64], got[64];

    assert_int_equal(sscanf(line, "%63s = %63s", key, want), 2);
    assert_non_null(settings_find(key));
    settings_text(s, settings_find(key), got, sizeof(got));
    if (strcmp(want, got))
        fail_msg("%s: %s is %s, not %s", name, key, got, want);
}

static void run_case(const char *name)
{
    char path[512], *text, *line, *save = NULL, *copy, want[512] = "", got[600];
    struct settings s;
    struct assay_err err = {0};
    size_t len;
    int rc, scenario = SINGLE_STREAM;

    snprintf(path, sizeof(path), "%s/%s", FOLDER, name);
    assert_int_equal(file_read(path, 65536, &text, &len, &err), 0);
    copy = strdup(text);
    for (line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        if (!strncmp(line, "# scenario: ", 12))
            scenario = scenario_number(line + 12);
        if (!strncmp(line, "# error: ", 9))
            snprintf(want, sizeof(want), "c:%s", line + 9);
    }
    free(copy);
    settings_init(&s, NULL);
    s.scenario = scenario;
    rc = conf_parse(text, len, "c", "resnet50", scenario, &s, &err);
    snprintf(got, sizeof(got), "%s", err.text);
    if (strcmp(got, want))
        fail_msg("%s: error '%s', not '%s'", name, got, want);
    assert_int_equal(rc != 0, want[0] != 0);
    for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
        if (!strncmp(line, "# set: ", 7))
            check_set(&s, name, line + 7);
    settings_release(&s);
    free(text);
}

static void cases(void **state)
{
    struct dirent *e;
    DIR *dir = opendir(FOLDER);
    int n = 0;

    (void)state;
    assert_non_null(dir);
    while ((e = readdir(dir))) {
        if (e->d_name[0] == '.')
            continue;
        run_case(e->d_name);
        n++;
    }
    closedir(dir);
    assert_true(n > 20);
}

/* What is written reads back as the same settings. */
static void written_reads_back(void **state)
{
    static const char *const names[] = {
        "target-qps",      "target-latency-ms", "min-duration-ms",          "coalesce-queries",
        "min-query-count", "print-timestamps",  "target-latency-percentile"};
    static const char *const values[] = {"123.456", "15", "60000", "true", "662", "true", "0.999"};
    struct settings a, b;
    struct assay_err err;
    struct text out;
    char x[64], y[64];
    size_t i;

    (void)state;
    settings_init(&a, &err);
    settings_init(&b, &err);
    a.scenario = b.scenario = SERVER;
    for (i = 0; i < 7; i++)
        assert_int_equal(settings_set(&a, names[i], values[i], SETTINGS_CLI, "-", &err), 0);
    settings_set(&a, "performance-sample-count", "1024", SETTINGS_OFFICIAL, "-", &err);
    text_init(&out, 65536);
    conf_write(&a, "resnet50", &out);
    assert_non_null(strstr(out.s, "resnet50.Server.target_latency_percentile = 99.9\n"));
    assert_null(strstr(out.s, "performance_sample_count"));
    assert_int_equal(conf_parse(out.s, out.len, "w", "resnet50", SERVER, &b, &err), 0);
    for (i = 0; i < 7; i++) {
        settings_text(&a, settings_find(names[i]), x, sizeof(x));
        settings_text(&b, settings_find(names[i]), y, sizeof(y));
        assert_string_equal(x, y);
    }
    text_clear(&out);
    settings_set(&a, "target-latency-ms", "0.5", SETTINGS_CLI, "-", &err);
    conf_write(&a, "resnet50", &out);
    assert_non_null(strstr(out.s, "# a latency bound of 0.5 ms needs --target-latency-ms"));
    assert_int_equal(conf_parse(out.s, out.len, "w", "resnet50", SERVER, &b, &err), 0);
    text_release(&out);
    settings_release(&a);
    settings_release(&b);
}

static void file_faults(void **state)
{
    struct settings s;
    struct assay_err err = {0};

    (void)state;
    settings_init(&s, &err);
    assert_int_not_equal(conf_read("/nonexistent/user.conf", "resnet50", SERVER, &s, &err), 0);
    assert_non_null(strstr(err.text, "/nonexistent/user.conf"));
    assert_int_equal(conf_parse("a\0b", 3, "n", "resnet50", SERVER, &s, &err), ASSAY_EUSAGE);
    assert_string_equal(err.text, "n:1: holds a NUL byte: this is no text file");
    settings_release(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cases),
        cmocka_unit_test(written_reads_back),
        cmocka_unit_test(file_faults),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
