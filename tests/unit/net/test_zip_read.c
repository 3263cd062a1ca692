/* Zip archives read from memory: what zip.c wrote comes back, in 32 and 64 bits, and archives that
 * lie are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "net/zip.h"

/* Two members, "f/b" = "second" and "f/a" = "first one"; wide: with the forms of zip64. */
static char *archive(bool wide, size_t *len)
{
    char path[] = "/tmp/assay-zip-XXXXXX", *data;
    struct file_whole file;
    struct zip z;
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(file_whole_begin(&file, path, NULL), ASSAY_OK);
    zip_init(&z, &file);
    if (wide)
        z.limit = 1;
    assert_int_equal(zip_add(&z, "f/b", "second", 6, NULL), ASSAY_OK);
    assert_int_equal(zip_add(&z, "f/a", "first one", 9, NULL), ASSAY_OK);
    assert_int_equal(zip_end(&z, NULL), ASSAY_OK);
    assert_int_equal(file_whole_commit(&file, NULL), ASSAY_OK);
    zip_release(&z);
    assert_int_equal(file_read(path, 1 << 16, &data, len, NULL), ASSAY_OK);
    unlink(path);
    return data;
}

static void reads(bool wide)
{
    struct zip_member *m, *b;
    size_t len, n;
    char *data = archive(wide, &len);

    assert_int_equal(zip_read(data, len, "x.zip", &m, &n, NULL), ASSAY_OK);
    assert_int_equal(n, 2);
    assert_memory_equal(m[0].name, "f/a", 3);
    assert_int_equal(m[0].len, 9);
    assert_memory_equal(data + m[0].at, "first one", 9);
    b = zip_find(m, n, "f/b", 3);
    assert_ptr_equal(b, &m[1]);
    assert_memory_equal(data + b->at, "second", 6);
    assert_int_equal(zip_check(data, b, "x.zip", NULL), ASSAY_OK);
    assert_null(zip_find(m, n, "f/c", 3));
    assert_null(zip_find(m, n, "f/", 2));
    free(m);
    free(data);
}

static void narrow(void **state)
{
    (void)state;
    reads(false);
}

static void wide(void **state)
{
    (void)state;
    reads(true);
}

static void damaged(void **state)
{
    struct assay_err err = {0};
    struct zip_member *m;
    size_t len, n;
    char *data = archive(false, &len);

    (void)state;
    assert_int_equal(zip_read(data, len, "x.zip", &m, &n, NULL), ASSAY_OK);
    data[m[0].at] ^= 1;
    assert_int_equal(zip_check(data, &m[0], "x.zip", &err), ASSAY_EFAIL);
    assert_string_equal(err.text, "x.zip: is damaged: the checksum of its member 'f/a' is wrong");
    free(m);
    free(data);
}

/* Where things are from the end of the narrow archive: end record 22 bytes, two entries of 46 + 3.
 */
#define END 22
#define A   (END + 49)     /* the entry of f/a, written last */
#define B   (END + 2 * 49) /* of f/b */

static void refused(void **state)
{
    static const struct {
        size_t from_end;
        const char *bytes;
        size_t n;
        const char *says;
    } cases[] = {
        {END, "PK\5\7", 4, "no end record"},
        {END - 10, "\xff\xff", 2, "directory is too small"},
        {END - 10, "\3\0", 2, "directory is too small"},
        {END - 12, "\x10\0\0\0", 4, "directory is too small"},
        {END - 12, "\xff\xff\xff\x7f", 4, "directory lies outside"},
        {END - 16, "\xff\xff\xff\x7f", 4, "directory lies outside"},
        {B, "PK\1\3", 4, "directory is cut off"},
        {B - 8, "\1", 1, "compressed or encrypted"},
        {B - 10, "\x08", 1, "compressed or encrypted"},
        {B - 20, "\5", 1, "compressed or encrypted"},
        {B - 20, "\xff\xff\xff\xff\xff\xff\xff\xff", 8, "no 64-bit size"},
        {B - 20, "\xff\xff\xff\x7f\xff\xff\xff\x7f", 8, "lies outside the file"},
        {B - 20, "\x50\0\0\0\x50\0\0\0", 8, "two members overlap"},
        {B - 28, "\xff\xff", 2, "directory is cut off"},
        {B - 42, "\1\0\0\0", 4, "not where the directory says"},
        {B - 42, "\xff\xff\xff\x7f", 4, "not where the directory says"},
        {A - 42, "\0\0\0\0", 4, "overlap"},
        {A - 46, "f/b", 3, "the same name"},
    };
    struct assay_err err;
    struct zip_member *m;
    char *data;
    size_t len, n;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        data = archive(false, &len);
        memset(&err, 0, sizeof(err));
        memcpy(data + len - cases[i].from_end, cases[i].bytes, cases[i].n);
        if (!zip_read(data, len, "x.zip", &m, &n, &err))
            fail_msg("case %zu was taken: %s", i, cases[i].says);
        if (!strstr(err.text, cases[i].says) || !strstr(err.text, "x.zip: "))
            fail_msg("case %zu: '%s' lacks '%s'", i, err.text, cases[i].says);
        free(data);
    }
}

static void cut_off(void **state)
{
    struct zip_member *m;
    size_t len, count;

    (void)state;
    for (int form = 0; form < 2; form++) {
        char *data = archive(form, &len);

        for (size_t n = 0; n < len; n++) {
            char *part = malloc(n + 1);

            memcpy(part, data, n);
            assert_int_not_equal(zip_read(part, n, "x.zip", &m, &count, NULL), ASSAY_OK);
            free(part);
        }
        free(data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(narrow), cmocka_unit_test(wide),
                                       cmocka_unit_test(damaged), cmocka_unit_test(refused),
                                       cmocka_unit_test(cut_off)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
