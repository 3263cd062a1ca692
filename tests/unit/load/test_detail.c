/* Reading LoadGen's two logs: what is taken, and what is refused with which line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "load/detail.h"

static void detail_values(void **state)
{
    static const char log[] =
        ":::MLLOG {\"key\": \"a\", \"value\": 1, \"metadata\": {\"is_error\": false}}\n"
        "something else\n"
        ":::MLLOG {\"key\": \"seed\", \"value\": 16159082839903944936, \"metadata\": {}}\n"
        ":::MLLOG {\"key\": \"a\", \"value\": 2.5, \"metadata\": {}}\n"
        ":::MLLOG {\"key\": \"yes\", \"value\": true, \"metadata\": {}}\n"
        ":::MLLOG {\"key\": \"error_x\", \"value\": \"bad\", \"metadata\": {\"is_error\": true}}\n"
        ":::MLLOG {\"key\": \"w\", \"value\": 3, \"metadata\": {\"is_warning\": true}}";
    struct assay_err err;
    struct detail d;
    uint64_t seed;

    (void)state;
    assert_int_equal(detail_parse(log, strlen(log), "log", &d, &err), 0);
    assert_true(detail_real(&d, "a", 0) == 2.5);
    assert_true(detail_real(&d, "yes", 0) == 1);
    assert_true(detail_real(&d, "none", 7) == 7);
    assert_true(detail_u64(&d, "seed", &seed) && seed == 16159082839903944936u);
    assert_false(detail_u64(&d, "error_x", &seed));
    assert_string_equal(detail_text(&d, "error_x", ""), "bad");
    assert_string_equal(json_string_value(json_array_get(d.errors, 0)), "error_x: bad");
    assert_string_equal(json_string_value(json_array_get(d.warnings, 0)), "w: 3");
    assert_int_equal(json_array_size(d.errors), 1);
    detail_release(&d);
}

static void detail_refused(void **state)
{
    static const struct {
        const char *log, *text;
    } cases[] = {
        {"", "log:1: is no detail log of LoadGen"},
        {"\n:::MLLOG {}\n", "log:1: is no detail log"},
        {":::MLLOG {\"key\": \"a\", \"value\": 1}\n:::MLLOG {\"key\"",
         "log:2: is no line of LoadGen's"},
        {":::MLLOG {\"key\": \"a\"}\n", "log:1: is no line"},
    };
    struct assay_err err;
    struct detail d;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(detail_parse(cases[i].log, strlen(cases[i].log), "log", &d, &err),
                         ASSAY_EFAIL);
        assert_non_null(strstr(err.text, cases[i].text));
    }
    assert_int_not_equal(detail_read("/nonexistent/x", &d, &err), 0);
}

static void accuracy_entries(void **state)
{
    static const char text[] =
        "[\n{ \"seq_id\" : 1, \"qsl_idx\" : 40, \"data\" : \"0A00ff7F\" },\n"
        "{ \"seq_id\" : 0, \"qsl_idx\" : 3, \"data\" : \"\", \"token_count\" : 2 }\n]\n";
    struct accuracy_log log;
    struct assay_err err;

    (void)state;
    assert_int_equal(accuracy_log_parse(text, strlen(text), "acc", &log, &err), 0);
    assert_int_equal(log.n, 2);
    assert_int_equal(log.entries[0].sequence, 1);
    assert_int_equal(log.entries[0].index, 40);
    assert_int_equal(log.entries[0].bytes, 4);
    assert_memory_equal(log.entries[0].data, "\x0a\x00\xff\x7f", 4);
    assert_int_equal(log.entries[1].bytes, 0);
    accuracy_log_release(&log);
    assert_int_equal(accuracy_log_parse("[\n]\n", 4, "acc", &log, &err), 0);
    assert_int_equal(log.n, 0);
    accuracy_log_release(&log);
}

static void accuracy_refused(void **state)
{
    static const struct {
        const char *log, *text;
    } cases[] = {
        {"", "acc:1: is no accuracy log of LoadGen: it does not start with '['"},
        {"[\n{ \"seq_id\" : 1, \"qsl_idx\" : 4, \"data\" : \"00\" }\n",
         "acc:3: is no accuracy log of LoadGen: "
         "the closing ']' is missing"},
        {"[{ \"seq_id\" : 1, \"qsl_idx\" : 4, \"data\" : \"0", "\"data\" is not hexadecimal"},
        {"[{ \"seq_id\" : 1, \"qsl_idx\" : 4, \"data\" : \"0\" }]", "\"data\" is not hexadecimal"},
        {"[{ \"seq_id\" : 1, \"qsl_idx\" : 4, \"data\" : \"0g\" }]", "\"data\" is not hexadecimal"},
        {"[{ \"seq_id\" : 1, \"qsl_idx\" : 4 }]", "lacks seq_id, qsl_idx or data"},
        {"[{ \"seq_id\" : -1, \"qsl_idx\" : 4, \"data\" : \"00\" }]", "not a whole number"},
        {"[{ \"seq_id\" : 18446744073709551616 }]", "not a whole number"},
        {"[{ \"foo\" : 1 }]", "a member that is not known"},
        {"[{ \"seq_id\" : 1, \"qsl_idx\" : 4, \"data\" : \"00\" },]", "does not start with '{'"},
        {"[] x", "something follows"},
    };
    struct accuracy_log log;
    struct assay_err err;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(accuracy_log_parse(cases[i].log, strlen(cases[i].log), "acc", &log, &err),
                         ASSAY_EFAIL);
        if (!strstr(err.text, cases[i].text))
            fail_msg("case %zu: '%s'", i, err.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(detail_values),
        cmocka_unit_test(detail_refused),
        cmocka_unit_test(accuracy_entries),
        cmocka_unit_test(accuracy_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
