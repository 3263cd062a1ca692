/* The matrix in its forms: golden outputs in tests/golden/matrix (<name>.json gives .txt, .md and
 * .html).  A case is added by dropping a .json there and running this once with
 * ASSAY_WRITE_GOLDEN=1. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "report/matrix.h"

static const struct {
    const char *suffix;
    int (*print)(const json_t *cells, FILE *out);
} forms[] = {
    {"txt", report_matrix_text}, {"md", report_matrix_markdown}, {"html", report_matrix_html}};

static char *render(const json_t *cells, size_t form)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    assert_int_equal(forms[form].print(cells, out), 0);
    fclose(out);
    return text;
}

static void compare(const char *json, size_t form, const char *text)
{
    struct assay_err err = {0};
    char path[1024], *want;
    size_t len;

    snprintf(path, sizeof(path), "%.*s.%s", (int)strlen(json) - 5, json, forms[form].suffix);
    if (getenv("ASSAY_WRITE_GOLDEN"))
        assert_int_equal(file_write_whole(path, text, strlen(text), &err), 0);
    assert_int_equal(file_read(path, 1 << 20, &want, &len, &err), 0);
    assert_string_equal(text, want);
    free(want);
}

static void golden(void **state)
{
    glob_t found;

    (void)state;
    assert_int_equal(glob(ASSAY_SOURCE "/tests/golden/matrix/*.json", 0, NULL, &found), 0);
    assert_true(found.gl_pathc >= 3);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        json_t *cells = json_load_file(found.gl_pathv[i], 0, NULL);

        assert_non_null(cells);
        for (size_t f = 0; f < sizeof(forms) / sizeof(forms[0]); f++) {
            char *text = render(cells, f);

            assert_null(strchr(text, 033));
            assert_null(strstr(text, "\xc2\x9b"));
            if (f)
                assert_null(strstr(text, "<script"));
            compare(found.gl_pathv[i], f, text);
            free(text);
        }
        json_decref(cells);
    }
    globfree(&found);
}

static void full_device(void **state)
{
    json_t *cells = json_load_file(ASSAY_SOURCE "/tests/golden/matrix/two.json", 0, NULL);
    FILE *full = fopen("/dev/full", "w");

    (void)state;
    assert_non_null(cells);
    assert_non_null(full);
    for (size_t f = 0; f < sizeof(forms) / sizeof(forms[0]); f++)
        assert_int_equal(forms[f].print(cells, full), ASSAY_EFAIL);
    fclose(full);
    json_decref(cells);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden),
        cmocka_unit_test(full_device),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
