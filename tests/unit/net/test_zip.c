/* Zip archives: the checksum, the alignment, and the forms of zip64, which a lowered limit brings
 * on in a small file. */
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

static char path[64];
static char *data;
static size_t len;

/* Members "folder/0" … of 1 to `members` bytes. */
static void write_zip(uint64_t limit, int members)
{
    struct file_whole file;
    struct zip z;
    char name[32], *bytes = malloc((size_t)members);

    assert_non_null(bytes);
    memset(bytes, 'x', (size_t)members);
    assert_int_equal(file_whole_begin(&file, path, NULL), ASSAY_OK);
    zip_init(&z, &file);
    z.limit = limit;
    for (int i = 0; i < members; i++) {
        snprintf(name, sizeof(name), "folder/%d", i);
        assert_int_equal(zip_add(&z, name, bytes, (size_t)i + 1, NULL), ASSAY_OK);
    }
    assert_int_equal(zip_end(&z, NULL), ASSAY_OK);
    assert_int_equal(file_whole_commit(&file, NULL), ASSAY_OK);
    zip_release(&z);
    free(bytes);
    free(data);
    assert_int_equal(file_read(path, 1 << 26, &data, &len, NULL), ASSAY_OK);
}

static uint64_t at(uint64_t offset, int n)
{
    uint64_t v = 0;

    assert_true(offset + (uint64_t)n <= len);
    for (int i = n; i-- > 0;)
        v = v << 8 | (unsigned char)data[offset + (uint64_t)i];
    return v;
}

/* The directory's offset and count, by the small or the large end record. */
static uint64_t find_directory(bool large, uint64_t *count)
{
    uint64_t end = len - 22, end64;

    assert_int_equal(at(end, 4), 0x06054b50);
    *count = at(end + 10, 2);
    if (!large)
        return at(end + 16, 4);
    assert_int_equal(at(end - 20, 4), 0x07064b50);
    end64 = at(end - 20 + 8, 8);
    assert_int_equal(at(end64, 4), 0x06064b50);
    assert_int_equal(end64 + 12 + at(end64 + 4, 8), end - 20);
    *count = at(end64 + 32, 8);
    assert_int_equal(at(end64 + 48, 8) + at(end64 + 40, 8), end64);
    return at(end64 + 48, 8);
}

/* Goes through the directory as a reader would and looks at each member. */
static void walk(bool large_end, int members, uint64_t limit)
{
    uint64_t count, entry = find_directory(large_end, &count);

    assert_int_equal(count, members);
    for (int i = 0; i < members; i++) {
        uint64_t name = at(entry + 28, 2), extra = at(entry + 30, 2), size = at(entry + 24, 4),
                 offset = at(entry + 42, 4), wide = entry + 46 + name + 4, start;

        assert_int_equal(at(entry, 4), 0x02014b50);
        assert_int_equal(extra > 0, size == 0xffffffff || offset == 0xffffffff);
        if (size == 0xffffffff) {
            size = at(wide, 8);
            wide += 16;
            assert_true(size >= limit);
        }
        if (offset == 0xffffffff)
            offset = at(wide, 8);
        assert_int_equal(size, i + 1);
        assert_int_equal(at(offset, 4), 0x04034b50);
        start = offset + 30 + at(offset + 26, 2) + at(offset + 28, 2);
        assert_int_equal(start % ZIP_ALIGN, 0);
        assert_int_equal(at(offset + 14, 4), zip_crc(data + start, size));
        assert_int_equal(at(entry + 16, 4), at(offset + 14, 4));
        assert_int_equal(data[start + size - 1], 'x');
        entry += 46 + name + extra;
    }
}

static void checksum(void **state)
{
    (void)state;
    assert_int_equal(zip_crc("", 0), 0);
    assert_int_equal(zip_crc("123456789", 9), 0xcbf43926);
    assert_int_equal(zip_crc("The quick brown fox jumps over the lazy dog", 43), 0x414fa339);
}

static void small(void **state)
{
    (void)state;
    write_zip(0xffffffff, 20);
    walk(false, 20, 0xffffffff);
}

/* Offsets, then sizes too, that do not fit. */
static void large(void **state)
{
    (void)state;
    write_zip(500, 20);
    walk(true, 20, 500);
    write_zip(10, 20);
    walk(true, 20, 10);
}

static void many(void **state)
{
    struct file_whole file;
    struct zip z;
    uint64_t count;

    (void)state;
    assert_int_equal(file_whole_begin(&file, path, NULL), ASSAY_OK);
    zip_init(&z, &file);
    for (int i = 0; i < 70000; i++)
        assert_int_equal(zip_add(&z, "a", "", 0, NULL), ASSAY_OK);
    assert_int_equal(zip_end(&z, NULL), ASSAY_OK);
    assert_int_equal(file_whole_commit(&file, NULL), ASSAY_OK);
    zip_release(&z);
    free(data);
    assert_int_equal(file_read(path, 1 << 26, &data, &len, NULL), ASSAY_OK);
    find_directory(true, &count);
    assert_int_equal(count, 70000);
}

static int make_path(void **state)
{
    int fd;

    (void)state;
    snprintf(path, sizeof(path), "/tmp/assay-zip-XXXXXX");
    fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int drop_path(void **state)
{
    (void)state;
    free(data);
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(checksum), cmocka_unit_test(small),
                                       cmocka_unit_test(large), cmocka_unit_test(many)};

    return cmocka_run_group_tests(tests, make_path, drop_path);
}
