/* The list of images: what is taken, and what each fault is called. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "data/labels.h"

#define CLASSES 1000

static int parse(const char *text, uint64_t count, struct labels *l, struct assay_err *err)
{
    return labels_parse(text, strlen(text), "v.txt", CLASSES, count, l, err);
}

static void good_lists(void **state)
{
    /* All say the same: a.JPEG 0, b/c.JPEG 999. */
    static const char *const same[] = {
        "a.JPEG 0\nb/c.JPEG 999\n",
        "a.JPEG 0\nb/c.JPEG 999",
        "a.JPEG 0\r\nb/c.JPEG 999\r\n",
        "a.JPEG\t0\n\n  \n# a remark 1 2 3\n  b/c.JPEG   999  \n\n",
        ("\xef\xbb\xbf"
         "a.JPEG 0\r\nb/c.JPEG 999\r\n"),
    };
    struct assay_err err;
    struct labels l;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
        if (parse(same[i], 0, &l, &err))
            fail_msg("list %zu: %s", i, err.text);
        assert_int_equal(l.n, 2);
        assert_string_equal(l.names[0], "a.JPEG");
        assert_string_equal(l.names[1], "b/c.JPEG");
        assert_int_equal(l.values[0], 0);
        assert_int_equal(l.values[1], 999);
        labels_release(&l);
    }
}

/* Names with dots are names; only a step out of the folder is refused. */
static void names_with_dots(void **state)
{
    struct assay_err err;
    struct labels l;

    (void)state;
    assert_int_equal(parse("..a 1\na.. 2\na..b/c..d 3\n./e 4\n", 0, &l, &err), 0);
    assert_int_equal(l.n, 4);
    labels_release(&l);
}

/* The last word is the label: names of cameras and telephones have blanks. */
static void names_with_blanks(void **state)
{
    struct assay_err err;
    struct labels l;

    (void)state;
    assert_int_equal(parse("IMG 0815.JPEG\t 1\n  my  cat.jpg 2 \r\na 0 3\n", 0, &l, &err), 0);
    assert_int_equal(l.n, 3);
    assert_string_equal(l.names[0], "IMG 0815.JPEG");
    assert_string_equal(l.names[1], "my  cat.jpg");
    assert_string_equal(l.names[2], "a 0");
    assert_int_equal(l.values[1], 2);
    labels_release(&l);
}

static void bad_lists(void **state)
{
    static const struct {
        const char *text, *why;
    } bad[] = {
        {"a 0\nb\n", "v.txt:2: has no label; wanted: 'name label'"},
        {"a 0\r\nb\r\n", "v.txt:2: has no label; wanted: 'name label'"},
        {"# x\n\na 0 b\n", "v.txt:3: label 'b' is no whole number"},
        {"a 0\n /etc/pass wd 1\n", "v.txt:2: '/etc/pass wd' leaves"},
        {"a 0\nb five\n", "v.txt:2: label 'five' is no whole number"},
        {"a 1.5\n", "v.txt:1: label '1.5' is no whole number"},
        {"a 0x10\n", "v.txt:1: label '0x10' is no whole number"},
        {"a -1\n", "v.txt:1: label -1 is outside 0..999"},
        {"a 1000\n", "v.txt:1: label 1000 is outside 0..999 (labels count from 0)"},
        {"a 99999999999999999999999\n", "v.txt:1: label 99999999999999999999999 is outside"},
        {"a 0\n/etc/passwd 1\n", "v.txt:2: '/etc/passwd' leaves the data set's folder"},
        {"../a 0\n", "v.txt:1: '../a' leaves"},
        {"b/../../a 0\n", "v.txt:1: 'b/../../a' leaves"},
        {"b/.. 0\n", "v.txt:1: 'b/..' leaves"},
        {"a 0\nb 1\na 0\n", "v.txt: 'a' is listed more than once; remove one of the lines"},
        {"", "v.txt: lists no image; wanted: lines 'name label'"},
        {"# only a remark\n", "v.txt: lists no image"},
    };
    struct assay_err err;
    struct labels l;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(parse(bad[i].text, 0, &l, &err), ASSAY_EFAIL);
        if (strncmp(err.text, bad[i].why, strlen(bad[i].why)) != 0)
            fail_msg("list %zu: '%s', not '%s'", i, err.text, bad[i].why);
        assert_null(l.names); /* nothing is left to release */
        labels_release(&l);
    }
    assert_int_equal(labels_parse("a 0\nb\0c 1\n", 11, "v.txt", CLASSES, 0, &l, &err), ASSAY_EFAIL);
    assert_string_equal(err.text, "v.txt:2: holds a NUL byte; wanted: text");
}

/* --count: the first lines; what comes behind them is not looked at. */
static void the_first_lines(void **state)
{
    struct assay_err err;
    struct labels l;

    (void)state;
    assert_int_equal(parse("a 0\n\nb 1\nc not-read\n", 2, &l, &err), 0);
    assert_int_equal(l.n, 2);
    assert_string_equal(l.names[1], "b");
    labels_release(&l);
    assert_int_equal(parse("a 0\nb 1\n", 3, &l, &err), ASSAY_EUSAGE);
    assert_string_equal(err.text, "v.txt: lists 2 images, 3 were asked for");
}

static void put(const char *dir, const char *name, const char *text)
{
    char *path = file_join(dir, name);
    struct assay_err err;

    assert_int_equal(file_write_whole(path, text, strlen(text), &err), 0);
    free(path);
}

static void folders(void **state)
{
    char dir[] = "/tmp/assay-labels-XXXXXX", want[128];
    struct assay_err err;
    struct labels l;

    (void)state;
    assert_non_null(mkdtemp(dir));
    assert_int_equal(labels_read(dir, CLASSES, 0, &l, &err), ASSAY_EFAIL);
    snprintf(want, sizeof(want), "%s: has no val_map.txt (or val.txt) with lines 'name label'",
             dir);
    assert_string_equal(err.text, want);
    put(dir, "val.txt", "a 1\n");
    assert_int_equal(labels_read(dir, CLASSES, 0, &l, &err), 0);
    assert_int_equal(l.values[0], 1);
    labels_release(&l);
    put(dir, "val_map.txt", "a 2\n"); /* stands above val.txt */
    assert_int_equal(labels_read(dir, CLASSES, 0, &l, &err), 0);
    assert_int_equal(l.values[0], 2);
    labels_release(&l);
    put(dir, "val_map.txt", "a 1\nb x\n");
    assert_int_equal(labels_read(dir, CLASSES, 0, &l, &err), ASSAY_EFAIL);
    snprintf(want, sizeof(want), "%s/val_map.txt:2: ", dir);
    assert_memory_equal(err.text, want, strlen(want));
    assert_int_equal(labels_read("/nonexistent", CLASSES, 0, &l, &err), ASSAY_EUSAGE);
    assert_non_null(strstr(err.text, "/nonexistent: is no folder"));
    file_remove_tree(dir, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_lists),        cmocka_unit_test(names_with_dots),
        cmocka_unit_test(names_with_blanks), cmocka_unit_test(bad_lists),
        cmocka_unit_test(the_first_lines),   cmocka_unit_test(folders),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
