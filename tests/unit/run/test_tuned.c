/* The file of winners: whole, found again for the same thing only, and damaged in every way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "run/tuned.h"

static char path[200];

static int set_up(void **state)
{
    (void)state;
    snprintf(path, sizeof(path), "test-tuned-%d/deep/tuned.json", (int)getpid());
    return 0;
}

static int tear_down(void **state)
{
    char dir[200];

    (void)state;
    snprintf(dir, sizeof(dir), "test-tuned-%d", (int)getpid());
    return file_remove_tree(dir, NULL);
}

static json_t *key(const char *machine, const char *version)
{
    return json_pack("{s:s, s:s, s:s}", "machine", machine, "engine", "e", "engine_version",
                     version);
}

static void keep(const char *machine, const char *version, json_t *fixed, json_t *found)
{
    json_t *entry =
        json_pack("{s:o, s:o, s:o}", "key", key(machine, version), "fixed", fixed, "found", found);
    struct assay_err err = {0};

    if (tuned_keep(path, entry, &err))
        fail_msg("%s", err.text);
    json_decref(entry);
}

/* The lanes found, 0: an entry without, -1: no entry. */
static int lanes_for(const char *machine, const char *version, json_t *given, char why[200])
{
    json_t *entries = NULL, *k = key(machine, version);
    struct assay_err err = {0};
    const json_t *entry, *lanes;
    int result;

    if (tuned_read(path, &entries, &err))
        fail_msg("%s", err.text);
    entry = tuned_find(entries, k, given, why);
    lanes = json_object_get(json_object_get(entry, "found"), "lanes");
    result = !entry ? -1 : lanes ? (int)strtol(json_string_value(lanes), NULL, 10) : 0;
    json_decref(entries);
    json_decref(k);
    json_decref(given);
    return result;
}

static void found_for_the_same_only(void **state)
{
    json_t *entries, *part;
    char why[200];

    (void)state;
    assert_int_equal(lanes_for("here", "1", json_object(), why), -1); /* no file */
    assert_string_equal(why, "");
    keep("here", "1", json_object(), json_pack("{s:s}", "lanes", "2"));
    keep("there", "1", json_object(), json_pack("{s:s}", "lanes", "7"));
    assert_int_equal(lanes_for("here", "1", json_object(), why), 2);
    assert_int_equal(lanes_for("there", "1", json_object(), why), 7);
    assert_int_equal(lanes_for("elsewhere", "1", json_object(), why), -1);
    assert_string_equal(why, "");
    assert_int_equal(lanes_for("here", "2", json_object(), why), -1);
    assert_non_null(strstr(why, "version 1, this is 2"));
    keep("here", "1", json_object(), json_object()); /* takes the place of the first */
    assert_int_equal(lanes_for("here", "1", json_object(), why), 0);
    assert_int_equal(tuned_read(path, &entries, NULL), 0);
    assert_int_equal(json_array_size(entries), 2);
    part = json_pack("{s:s}", "machine", "there");
    assert_true(tuned_any(entries, part));
    json_object_set_new(part, "machine", json_string("elsewhere"));
    assert_false(tuned_any(entries, part));
    json_decref(part);
    json_decref(entries);
}

/* A configuration is used as a whole or not at all. */
static void what_is_given_decides(void **state)
{
    char why[200];

    (void)state;
    keep("m", "1", json_object(), json_pack("{s:s, s:s}", "lanes", "4", "option.wait", "spin"));
    assert_int_equal(lanes_for("m", "1", json_pack("{s:s}", "option.wait", "sleep"), why), -1);
    assert_string_equal(why, "wait sleep is given, and it was found with spin");
    keep("m", "1", json_pack("{s:s}", "threads", "2"), json_pack("{s:s}", "lanes", "6"));
    assert_int_equal(lanes_for("m", "1", json_object(), why), 4);
    assert_int_equal(lanes_for("m", "1", json_pack("{s:s}", "lanes", "4"), why), 4);
    assert_int_equal(lanes_for("m", "1", json_pack("{s:s}", "threads", "2"), why), 6);
    assert_int_equal(
        lanes_for("m", "1", json_pack("{s:s, s:s}", "threads", "2", "lanes", "6"), why), 6);
    assert_int_equal(lanes_for("m", "1", json_pack("{s:s}", "threads", "1"), why), -1);
    assert_non_null(strstr(why, "threads"));
    assert_int_equal(lanes_for("m", "1", json_pack("{s:s}", "option.wait", "sleep"), why), -1);
    assert_int_equal(lanes_for("m", "1", json_pack("{s:s}", "option.new", "1"), why), -1);
}

static void damage_is_told_once_and_mended(void **state)
{
    static const char half_an_entry[] =
        "{\"schema\": \"assay.tuned/1\", \"entries\": [{\"key\": {}, \"fixed\": {}, \"found\": "
        "{\"lanes\": 2}}]}";
    static const char *const bad[] = {"",
                                      "{",
                                      "[]",
                                      "{\"schema\": \"assay.tuned/2\", \"entries\": []}",
                                      "{\"schema\": \"assay.tuned/1\"}",
                                      "{\"schema\": \"assay.tuned/1\", \"entries\": [1]}",
                                      half_an_entry};
    json_t *entries;
    char why[200];

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct assay_err err = {0};

        keep("m", "1", json_object(), json_object()); /* the folder */
        assert_int_equal(file_write_whole(path, bad[i], strlen(bad[i]), &err), 0);
        assert_true(tuned_read(path, &entries, &err) < 0);
        assert_null(entries);
        assert_non_null(strstr(err.text, "tuned.json"));
        assert_non_null(strstr(err.text, "tune again"));
        assert_null(strchr(err.text, '\n'));
        keep("m", "1", json_object(), json_pack("{s:s}", "lanes", "3"));
        assert_int_equal(lanes_for("m", "1", json_object(), why), 3);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(found_for_the_same_only, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_given_decides, set_up, tear_down),
        cmocka_unit_test_setup_teardown(damage_is_told_once_and_mended, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
