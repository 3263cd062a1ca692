/* An exploration as a table and as a page: golden outputs in tests/golden/explore (<name>.json,
 * {points, best, records}, gives .txt and .html).  A case is added by dropping a .json there and
 * running this once with ASSAY_WRITE_GOLDEN=1. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "report/explore.h"

#define FOLDER ASSAY_SOURCE "/tests/golden/explore/"

static int table(const json_t *tree, FILE *out)
{
    return report_explore(json_object_get(tree, "points"), out);
}

static int page(const json_t *tree, FILE *out)
{
    struct assay_err err;

    return report_explore_html(json_object_get(tree, "points"), json_object_get(tree, "best"),
                               json_object_get(tree, "records"), out, &err);
}

static const struct {
    const char *end;
    int (*print)(const json_t *tree, FILE *out);
} forms[] = {{"txt", table}, {"html", page}};

static char *render(const json_t *tree, size_t form)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    assert_int_equal(forms[form].print(tree, out), 0);
    fclose(out);
    assert_int_equal(strlen(text), len);
    return text;
}

static void compare(const char *json, size_t form, const char *text)
{
    struct assay_err err = {0};
    char path[1024], *want;
    size_t len;

    snprintf(path, sizeof(path), "%.*s%s", (int)strlen(json) - 4, json, forms[form].end);
    if (getenv("ASSAY_WRITE_GOLDEN"))
        assert_int_equal(file_write_whole(path, text, strlen(text), &err), 0);
    assert_int_equal(file_read(path, 1 << 20, &want, &len, &err), 0);
    if (strcmp(text, want))
        fail_msg("%s differs from what is made now", path);
    free(want);
}

static void golden(void **state)
{
    glob_t found;

    (void)state;
    assert_int_equal(glob(FOLDER "*.json", 0, NULL, &found), 0);
    assert_true(found.gl_pathc >= 2);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        json_t *tree = json_load_file(found.gl_pathv[i], 0, NULL);

        assert_non_null(tree);
        for (size_t f = 0; f < 2; f++) {
            char *text = render(tree, f);

            assert_null(strchr(text, 033));
            if (f) {
                assert_null(strstr(text, "<script"));
                assert_null(strstr(text, "nan"));
                assert_null(strstr(text, "\xe2\x80\xae")); /* right-to-left override */
            }
            compare(found.gl_pathv[i], f, text);
            free(text);
        }
        json_decref(tree);
    }
    globfree(&found);
}

/* A point is a link where its run is in the page, and there alone; dominated ones say so. */
static void points_link_to_their_runs(void **state)
{
    json_t *tree = json_load_file(FOLDER "front.json", 0, NULL);
    char *text = render(tree, 1);
    const char *p;
    size_t dots, dominated;

    (void)state;
    assert_non_null(strstr(text, "id=\"re0e0e0e000000001\""));
    assert_non_null(strstr(text, "<a href=\"#re0e0e0e000000001\"><circle"));
    assert_non_null(strstr(text, "<td><a href=\"#re0e0e0e000000001\">e0e0e0e0</a></td>"));
    assert_null(strstr(text, "#re0e0e0e000000004"));
    assert_non_null(strstr(text, "accuracy 71.2 is below 75.69"));
    assert_non_null(strstr(text, "&#10003; front, <strong>best</strong>"));
    for (dots = 0, p = text; (p = strstr(p, "<circle")); p++)
        dots++;
    assert_int_equal(dots, 10); /* five points in two charts */
    for (dominated = 0, p = text; (p = strstr(p, "<td>dominated</td>")); p++)
        dominated++;
    assert_int_equal(dominated, 2);
    free(text);
    json_object_del(tree, "records");
    text = render(tree, 1);
    assert_null(strstr(text, "href=\"#"));
    free(text);
    json_decref(tree);
}

static void full_device(void **state)
{
    json_t *tree = json_load_file(FOLDER "front.json", 0, NULL);
    FILE *full = fopen("/dev/full", "w");

    (void)state;
    for (size_t f = 0; f < 2; f++)
        assert_int_equal(forms[f].print(tree, full), ASSAY_EFAIL);
    fclose(full);
    json_decref(tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden),
        cmocka_unit_test(points_link_to_their_runs),
        cmocka_unit_test(full_device),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
