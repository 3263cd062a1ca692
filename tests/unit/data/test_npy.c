/* .npy files, read back by hand: every element type, every rank, and what NumPy wants of a header.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "data/npy.h"

static char path[64];

static int make_path(void **state)
{
    (void)state;
    snprintf(path, sizeof(path), "/tmp/assay-npy-XXXXXX");
    close(mkstemp(path));
    return 0;
}

static int remove_path(void **state)
{
    (void)state;
    unlink(path);
    return 0;
}

/* Checks the frame; the dictionary without its padding goes to dict, the rest is returned. */
static const char *read_back(const char *data, size_t len, char *dict, size_t size, size_t *rest)
{
    size_t head, at;

    assert_true(len >= 10);
    assert_memory_equal(data, "\x93NUMPY\x01\x00", 8);
    head = (uint8_t)data[8] | (size_t)(uint8_t)data[9] << 8;
    assert_true(10 + head <= len);
    assert_int_equal((10 + head) % 64, 0); /* elements lie aligned */
    assert_int_equal(data[10 + head - 1], '\n');
    for (at = 10 + head - 1; data[at - 1] == ' '; at--)
        ;
    assert_true(at - 10 < size);
    memcpy(dict, data + 10, at - 10);
    dict[at - 10] = 0;
    *rest = len - 10 - head;
    return data + 10 + head;
}

static void check(const struct assay_tensor *t, const char *want)
{
    char *data = NULL, dict[512];
    struct assay_err err;
    const char *elements;
    size_t len = 0, rest;

    if (npy_write(path, t, &err) || file_read(path, 1 << 20, &data, &len, &err))
        fail_msg("%s", err.text);
    elements = read_back(data, len, dict, sizeof(dict), &rest);
    assert_string_equal(dict, want);
    assert_int_equal(rest, t->bytes);
    assert_memory_equal(elements, t->data, t->bytes);
    free(data);
}

static void element_types(void **state)
{
    static const struct {
        int dtype;
        const char *descr;
    } types[] = {{ASSAY_F32, "<f4"}, {ASSAY_F16, "<f2"}, {ASSAY_F64, "<f8"},
                 {ASSAY_I8, "|i1"},  {ASSAY_U8, "|u1"},  {ASSAY_I16, "<i2"},
                 {ASSAY_I32, "<i4"}, {ASSAY_I64, "<i8"}, {ASSAY_BOOL, "|b1"}};
    uint8_t bytes[24];
    char want[128];
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * 11);
    for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        struct assay_tensor t = {.dtype = types[i].dtype,
                                 .rank = 1,
                                 .dims = {3},
                                 .data = bytes,
                                 .bytes = 3 * assay_dtype_size(types[i].dtype)};

        snprintf(want, sizeof(want), "{'descr': '%s', 'fortran_order': False, 'shape': (3,), }",
                 types[i].descr);
        check(&t, want);
    }
}

/* A shape is a Python tuple: one dimension needs its comma, none is (). */
static void shapes(void **state)
{
    static const char *const want[] = {"()", "(1,)", "(1, 2,)", "(1, 2, 1,)", "(1, 2, 1, 3,)"};
    float v[6] = {0.5f, -1, 2, 3, 4, 5};
    struct assay_tensor t = {.dtype = ASSAY_F32, .dims = {1, 2, 1, 3}, .data = v};
    char dict[128];
    uint32_t d;

    (void)state;
    for (t.rank = 0; t.rank <= 4; t.rank++) {
        for (t.bytes = sizeof(float), d = 0; d < t.rank; d++)
            t.bytes *= (size_t)t.dims[d];
        snprintf(dict, sizeof(dict), "{'descr': '<f4', 'fortran_order': False, 'shape': %s, }",
                 want[t.rank]);
        check(&t, dict);
    }
    /* The longest header: it needs a second 64-byte block and still ends on one. */
    t.rank = ASSAY_MAX_RANK;
    for (d = 0; d < t.rank; d++)
        t.dims[d] = INT64_MAX - d;
    t.bytes = 0;
    check(&t, "{'descr': '<f4', 'fortran_order': False, 'shape': (9223372036854775807, "
              "9223372036854775806, 9223372036854775805, 9223372036854775804, "
              "9223372036854775803, 9223372036854775802, 9223372036854775801, "
              "9223372036854775800,), }");
}

static void faults(void **state)
{
    float v = 1;
    struct assay_tensor t = {.dtype = ASSAY_BF16, .data = &v, .bytes = 4};
    struct assay_err err;
    char *data;
    size_t len;

    (void)state;
    assert_int_equal(file_write_whole(path, "old", 3, &err), 0);
    assert_int_equal(npy_write(path, &t, &err), ASSAY_EUNSUPPORTED);
    assert_non_null(strstr(err.text, ".npy has no element type for bfloat16"));
    t.dtype = 99;
    assert_int_equal(npy_write(path, &t, &err), ASSAY_EUNSUPPORTED);
    assert_int_equal(file_read(path, 100, &data, &len, &err), 0);
    assert_string_equal(data, "old"); /* a refused tensor leaves the file alone */
    free(data);
    t.dtype = ASSAY_F32;
    assert_int_equal(npy_write("/nonexistent/x.npy", &t, &err), ASSAY_EFAIL);
    assert_non_null(strstr(err.text, "/nonexistent/x.npy"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(element_types),
        cmocka_unit_test(shapes),
        cmocka_unit_test(faults),
    };

    return cmocka_run_group_tests(tests, make_path, remove_path);
}
