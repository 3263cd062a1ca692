/* The text page and the table: golden outputs in tests/golden/report (<name>.json gives
 * <name>.txt).  A case is added by dropping a .json there and running this once with
 * ASSAY_WRITE_GOLDEN=1. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/tree.h"
#include "report/format.h"
#include "report/text.h"

/* Arrays are rows of a table, objects are records. */
static char *render(const json_t *tree)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    assert_int_equal(json_is_array(tree) ? report_table(tree, out) : report_text(tree, out), 0);
    fclose(out);
    return text;
}

/* The two lines that are for copying may be longer. */
static void check_width(const char *text)
{
    const char *line, *end;
    char buf[4096];

    for (line = text; *line; line = end + 1) {
        end = strchr(line, '\n');
        assert_non_null(end);
        snprintf(buf, sizeof(buf), "%.*s", (int)(end - line), line);
        if (strncmp(buf, "Again ", 6) && format_columns(buf) > 100)
            fail_msg("wider than 100 columns: %s", buf);
        assert_null(strchr(buf, 033));
    }
}

static void golden(void **state)
{
    struct assay_err err = {0};
    char path[1024], *text, *want;
    json_t *tree;
    glob_t found;
    size_t i, len;

    (void)state;
    assert_int_equal(glob(ASSAY_SOURCE "/tests/golden/report/*.json", 0, NULL, &found), 0);
    for (i = 0; i < found.gl_pathc; i++) {
        /* Read as it is: a table's document is an array. */
        tree = json_load_file(found.gl_pathv[i], 0, NULL);
        assert_non_null(tree);
        text = render(tree);
        check_width(text);
        snprintf(path, sizeof(path), "%.*s.txt", (int)strlen(found.gl_pathv[i]) - 5,
                 found.gl_pathv[i]);
        if (getenv("ASSAY_WRITE_GOLDEN"))
            assert_int_equal(file_write_whole(path, text, strlen(text), &err), 0);
        assert_int_equal(file_read(path, 1 << 20, &want, &len, &err), 0);
        assert_string_equal(text, want);
        free(want);
        free(text);
        json_decref(tree);
    }
    globfree(&found);
}

/* Every member of a full record is taken away, and replaced by each other kind of value, in turn.
 */
static void mangle(json_t *root, json_t *object)
{
    json_t *keys = json_array(), *old;
    const char *key;
    size_t i, k;

    for (void *it = json_object_iter(object); it; it = json_object_iter_next(object, it))
        json_array_append_new(keys, json_string(json_object_iter_key(it)));
    for (i = 0; i < json_array_size(keys); i++) {
        key = json_string_value(json_array_get(keys, i));
        old = json_incref(json_object_get(object, key));
        for (k = 0; k < 6; k++) {
            json_object_set_new(object, key,
                                k == 0   ? json_null()
                                : k == 1 ? json_string("\033[31m\xc2\x9b x")
                                : k == 2 ? json_real(-1e300)
                                : k == 3 ? json_pack("[n, s, {}]", "x")
                                : k == 4 ? json_pack("{s: n, s: s}", "x", "value", "y")
                                         : json_integer(7));
            if (k == 5)
                json_object_del(object, key);
            char *text = render(root);

            assert_null(strchr(text, 033));
            free(text);
        }
        json_object_set(object, key, old);
        if (json_is_object(old))
            mangle(root, old);
        json_decref(old);
    }
    json_decref(keys);
}

static void mangled_records_are_shown(void **state)
{
    struct assay_err err = {0};
    json_t *tree = NULL;

    (void)state;
    assert_int_equal(tree_read_json(ASSAY_SOURCE "/tests/golden/report/full.json", &tree, &err), 0);
    mangle(tree, tree);
    json_decref(tree);
}

static void values(void **state)
{
    static const struct {
        double value;
        const char *unit, *text;
    } cases[] = {{0, "ns", "0 ns"},          {999, "ns", "999.0 ns"},      {1500, "ns", "1.500 us"},
                 {999960, "ns", "1.000 ms"}, {12345678, "ns", "12.35 ms"}, {5e9, "ns", "5.000 s"},
                 {412.66, "/s", "412.7 /s"}, {98765.4, "/s", "98765 /s"},  {0.01234, "", "0.01234"},
                 {9.9999, "", "10.00"}};
    char out[64];
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        format_value(out, cases[i].value, cases[i].unit);
        assert_string_equal(out, cases[i].text);
    }
}

static void full_device(void **state)
{
    FILE *out = fopen("/dev/full", "w");
    json_t *rows = json_array();

    (void)state;
    assert_int_equal(report_table(rows, out), ASSAY_EFAIL);
    fclose(out);
    json_decref(rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden),
        cmocka_unit_test(mangled_records_are_shown),
        cmocka_unit_test(values),
        cmocka_unit_test(full_device),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
