/* Files of weights: each format gives the same numbers, and files that lie are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <math.h>
#include <cmocka.h>

#include "net/state.h"
#include "weights_files.h"

static const float six[6] = {1, 2, 3, 4, 5, 6};

/* In a block of its own size, so that a sanitizer sees a read behind its end. */
static int read_copy(const void *data, size_t n, struct state **s, char **copy,
                     struct assay_err *err)
{
    *copy = malloc(n ? n : 1);
    assert_non_null(*copy);
    memcpy(*copy, data, n);
    return state_read(*copy, n, "x.pth", s, err);
}

static void check(const struct state *s, const char *name, const float *want, size_t n)
{
    const struct state_tensor *t = state_find(s, name);
    float out[16];

    assert_non_null(t);
    assert_int_equal(t->count, n);
    state_floats(s, t, out);
    for (size_t i = 0; i < n; i++)
        if (out[i] != want[i])
            fail_msg("%s[%zu] is %g, not %g", name, i, (double)out[i], (double)want[i]);
}

static void must_fail(const void *data, size_t n, const char *says)
{
    struct assay_err err = {0};
    struct state *s;
    char *copy;

    if (!read_copy(data, n, &s, &copy, &err))
        fail_msg("taken: %s", says);
    if (!strstr(err.text, says) || strncmp(err.text, "x.pth: ", 7) != 0)
        fail_msg("'%s' lacks '%s'", err.text, says);
    free(copy);
}

/* ---- safetensors ---- */

static void safetensors(void **state)
{
    static const uint16_t half[6] = {0x3c00, 0xc000, 0x0001, 0x83ff, 0x7bff, 0x0000},
                          brain[6] = {0x3f80, 0xc000, 0x4049, 0x0001, 0xff7f, 0x8000};
    static const float halves[6] = {1, -2, 0x1p-24f, -1023 * 0x1p-24f, 65504, 0},
                       brains[6] = {1, -2, 3.140625f, 0x1p-133f, -0x1.fep127f, -0.0f};
    static const double doubles[6] = {1, 2, 3, 4, 5, 6};
    unsigned char data[96];
    struct state *s;
    struct text t;
    char *copy;

    (void)state;
    memcpy(data, six, 24);
    memcpy(data + 24, half, 12);
    memcpy(data + 36, brain, 12);
    memcpy(data + 48, doubles, 48);
    safetensors_file(&t,
                     "{\"__metadata__\":{\"format\":\"pt\"},"
                     "\"a.weight\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]},"
                     "\"half\":{\"dtype\":\"F16\",\"shape\":[6],\"data_offsets\":[24,36]},"
                     "\"brain\":{\"dtype\":\"BF16\",\"shape\":[1,6],\"data_offsets\":[36,48]},"
                     "\"double\":{\"dtype\":\"F64\",\"shape\":[3,2],\"data_offsets\":[48,96]},"
                     "\"none\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[96,96]},"
                     "\"one\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[88,96]}}",
                     data, sizeof(data));
    assert_int_equal(read_copy(t.s, t.len, &s, &copy, NULL), ASSAY_OK);
    assert_int_equal(s->count, 6);
    assert_string_equal(s->format, "safetensors");
    check(s, "a.weight", six, 6);
    check(s, "half", halves, 6);
    check(s, "brain", brains, 6);
    check(s, "double", six, 6);
    assert_int_equal(state_find(s, "none")->count, 0);
    assert_int_equal(state_find(s, "one")->dtype, ASSAY_I64);
    assert_false(state_is_float(state_find(s, "one")));
    assert_null(state_find(s, "two"));
    state_close(s);
    free(copy);
    text_release(&t);
}

static void safetensors_refused(void **state)
{
#define ENTRY(type, shape, offsets)                                                                \
    "{\"a\":{\"dtype\":\"" type "\",\"shape\":" shape ",\"data_offsets\":" offsets "}}"
    static const struct {
        const char *header, *says;
    } cases[] = {
        {"{]", "no JSON object"},
        {"{} x", "no JSON object"},
        {"{}", "has no tensors"},
        {ENTRY("F31", "[6]", "[0,24]"), "no number type"},
        {ENTRY("F32", "6", "[0,24]"), "no shape"},
        {ENTRY("F32", "[1,1,1,1,1,1,1,1,6]", "[0,24]"), "no shape"},
        {ENTRY("F32", "[6.5]", "[0,24]"), "no whole number"},
        {ENTRY("F32", "[6]", "[0]"), "offsets outside"},
        {ENTRY("F32", "[6]", "[24,0]"), "offsets outside"},
        {ENTRY("F32", "[6]", "[-4,20]"), "offsets outside"},
        {ENTRY("F32", "[6]", "[4,28]"), "offsets outside"},
        {ENTRY("F32", "[7]", "[0,24]"), "outside the file, or of its part"},
        {ENTRY("F32", "[5]", "[0,24]"), "more bytes than its shape"},
        {ENTRY("F32", "[-1]", "[0,24]"), "impossible shape"},
        {ENTRY("F32", "[4294967296,4294967296,4294967296]", "[0,24]"), "impossible shape"},
        {"{\"a\":{},\"a\":{}}", "no JSON object: duplicate"},
        {"{\"a\":7}", "no number type"},
    };
    struct text t;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        safetensors_file(&t, cases[i].header, six, sizeof(six));
        must_fail(t.s, t.len, cases[i].says);
        text_release(&t);
    }
    must_fail("\xff\0\0\0\0\0\0\0{}", 10, "is cut off");
    must_fail("\xff\xff\xff\xff\xff\xff\xff\xff{}", 10, "larger than 16 MB");
}

/* ---- torch.save ---- */

/* {"a.weight": 2 x 3, "turned": its transpose, "row": its second row, "steps": 7} */
static void dict(struct text *t)
{
    text_init(t, FILE_MAX);
    ADD(t, "\x80\2ccollections\nOrderedDict\nq\0)Rq\1(");
    add_name(t, "a.weight");
    add_tensor(t, "FloatStorage", '0', 6, 0, "23", "31");
    add_name(t, "turned");
    add_tensor(t, "FloatStorage", '0', 6, 0, "32", "13");
    add_name(t, "row");
    add_tensor(t, "FloatStorage", '0', 6, 3, "3", "1");
    add_name(t, "same");
    add_tensor(t, "FloatStorage", '0', 6, 1, "22", "00");
    add_name(t, "count");
    add_tensor(t, "LongStorage", '1', 1, 0, "", "");
    add_name(t, "steps");
    ADD(t, "K\7u.");
}

static void check_dict(const struct state *s)
{
    check(s, "a.weight", six, 6);
    check(s, "turned", (float[]){1, 4, 2, 5, 3, 6}, 6);
    check(s, "row", six + 3, 3);
    check(s, "same", (float[]){2, 2, 2, 2}, 4);
    assert_int_equal(state_find(s, "count")->count, 1);
    assert_int_equal(s->count, 5);
}

static void zip(void **state)
{
    struct text pickle;
    struct state *s;
    char *data, *copy;
    size_t n;

    (void)state;
    dict(&pickle);
    assert_int_equal(zip_file((const struct member[]){{"x/data.pkl", pickle.s, pickle.len},
                                                      {"x/byteorder", "little", 6},
                                                      {"x/data/0", six, 24},
                                                      {"x/data/1", "\7\0\0\0\0\0\0\0", 8},
                                                      {"x/version", "3\n", 2},
                                                      {NULL, NULL, 0}},
                              &data, &n),
                     0);
    assert_int_equal(read_copy(data, n, &s, &copy, NULL), ASSAY_OK);
    assert_string_equal(s->format, "PyTorch (zip)");
    check_dict(s);
    state_close(s);
    text_release(&pickle);
    free(copy);
    free(data);
}

/* The dict of a checkpoint, whose top has a tensor too, an accuracy, in front or behind. */
static void checkpoint(void **state)
{
    static const char *const keys[] = {"state_dict", "model", "best_model_state_dict",
                                       "model_state_dict"};
    struct text pickle, inner;
    struct state *s;
    char *data, *copy;
    size_t n;

    (void)state;
    for (size_t i = 0; i < 8; i++) {
        text_init(&pickle, FILE_MAX);
        ADD(&pickle, "\x80\2}(");
        if (i % 2) {
            add_name(&pickle, "best_acc1");
            add_tensor(&pickle, "FloatStorage", '0', 6, 0, "", "");
        }
        add_name(&pickle, keys[i / 2]);
        dict(&inner);
        text_addn(&pickle, inner.s + 2, inner.len - 3); /* without protocol and end */
        text_release(&inner);
        add_name(&pickle, "loss");
        add_tensor(&pickle, "FloatStorage", '0', 6, 0, "", "");
        ADD(&pickle, "u.");
        assert_int_equal(zip_file((const struct member[]){{"x/data.pkl", pickle.s, pickle.len},
                                                          {"x/data/0", six, 24},
                                                          {"x/data/1", "\7\0\0\0\0\0\0\0", 8},
                                                          {NULL, NULL, 0}},
                                  &data, &n),
                         0);
        assert_int_equal(read_copy(data, n, &s, &copy, NULL), ASSAY_OK);
        check_dict(s);
        state_close(s);
        text_release(&pickle);
        free(copy);
        free(data);
    }
}

static void legacy_file(struct text *t, size_t keys_and_numbers)
{
    struct text pickle;

    dict(&pickle);
    text_init(t, FILE_MAX);
    ADD(t, LEGACY_HEAD);
    text_addn(t, pickle.s, pickle.len);
    text_release(&pickle);
    if (keys_and_numbers) {
        ADD(t,
            "\x80\2](X\1\0\0\0001X\1\0\0\0000e.\1\0\0\0\0\0\0\0\7\0\0\0\0\0\0\0\6\0\0\0\0\0\0\0");
        text_addn(t, (const char *)six, 24);
    }
}

static void legacy(void **state)
{
    struct state *s;
    struct text t;
    char *copy;

    (void)state;
    legacy_file(&t, 1);
    assert_int_equal(read_copy(t.s, t.len, &s, &copy, NULL), ASSAY_OK);
    assert_string_equal(s->format, "PyTorch (before 1.6)");
    check_dict(s);
    state_close(s);
    free(copy);
    for (size_t n = 0; n < t.len; n++) { /* cut anywhere, it is refused */
        assert_int_not_equal(read_copy(t.s, n, &s, &copy, NULL), ASSAY_OK);
        free(copy);
    }
    text_release(&t);
}

static void legacy_refused(void **state)
{
    static const struct {
        const char *bytes;
        size_t n;
        const char *says;
    } tails[] = {
#define TAIL(s, says) {s, sizeof(s) - 1, says}
        TAIL("}.", "no list of storages"),
        TAIL("](K\1e.", "key is no text"),
        TAIL("](U\0019e.\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", "not named by the dict"),
        TAIL("](U\0010e.", "before its numbers"),
        TAIL("](U\0010e.\xff\xff\xff\xff\xff\xff\xff\xff", "inside its numbers"),
        TAIL("](U\0010e.\1\0\0\0\0\0\0\0....", "another size than the dict says"),
        TAIL("].", "not in the file"),
        TAIL("cos\nsystem\n.", "asks for os.system"),
    };
    struct text t;

    (void)state;
    for (size_t i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
        legacy_file(&t, 0);
        text_addn(&t, tails[i].bytes, tails[i].n);
        must_fail(t.s, t.len, tails[i].says);
        text_release(&t);
    }
#define MAGIC "\x80\2\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."
    must_fail(MAGIC "M\xe8\3.", sizeof(MAGIC "M\xe8\3.") - 1, "not that of version 1001");
#define BIG MAGIC "M\xe9\3.}X\r\0\0\0little_endian\x89s."
    must_fail(BIG, sizeof(BIG) - 1, "another byte order");
}

/* One tensor whose pickle says this about its storage and place, in a zip archive. */
static void zip_case(const char *storage, char key, uint32_t count, int offset, const char *dims,
                     const char *strides, const char *order, const char *says)
{
    struct text t;
    char *data;
    size_t n;

    text_init(&t, FILE_MAX);
    ADD(&t, "\x80\2}");
    add_name(&t, "w");
    add_tensor(&t, storage, key, count, offset, dims, strides);
    ADD(&t, "s.");
    assert_int_equal(zip_file((const struct member[]){{"x/data.pkl", t.s, t.len},
                                                      {"x/byteorder", order, strlen(order)},
                                                      {"x/data/0", six, 24},
                                                      {NULL, NULL, 0}},
                              &data, &n),
                     0);
    must_fail(data, n, says);
    free(data);
    text_release(&t);
}

static void zip_refused(void **state)
{
    static const char outside[] = "outside the file";
    char *data;
    size_t n;

    (void)state;
    zip_case("FloatStorage", '1', 6, 0, "23", "31", "little", "a storage is not in the archive");
    zip_case("FloatStorage", '0', 7, 0, "23", "31", "little", "another size than the dict says");
    zip_case("FloatStorage", '0', 5, 0, "23", "31", "little", "another size than the dict says");
    zip_case("HalfStorage", '0', 6, 0, "23", "31", "little", "another size than the dict says");
    zip_case("FloatStorage", '0', 6, 7, "1", "1", "little", "begins outside its storage");
    zip_case("FloatStorage", '0', 6, 1, "23", "31", "little", outside);
    zip_case("FloatStorage", '0', 6, 0, "23", "41", "little", outside);
    zip_case("FloatStorage", '0', 6, 6, "1", "1", "little", outside);
    zip_case("FloatStorage", '0', 6, 0, "23", "31", "big", "another byte order");
    zip_case("UntypedStorage", '0', 6, 0, "23", "31", "little", "asks for torch.UntypedStorage");
    assert_int_equal(
        zip_file((const struct member[]){{"x/y/data.pkl", "}.", 2}, {NULL, NULL, 0}}, &data, &n),
        0);
    must_fail(data, n, "no FOLDER/data.pkl (is the file in it? then unpack");
    free(data);
    assert_int_equal(
        zip_file((const struct member[]){{"x/data.pkl", "].", 2}, {NULL, NULL, 0}}, &data, &n), 0);
    must_fail(data, n, "something else than a state dict");
    free(data);
    assert_int_equal(
        zip_file((const struct member[]){{"x/data.pkl", "}.", 2}, {NULL, NULL, 0}}, &data, &n), 0);
    must_fail(data, n, "has no tensors");
    free(data);
    assert_int_equal(zip_file((const struct member[]){{"x/data.pkl", "cos\nsystem\n(U\2lstR.", 18},
                                                      {NULL, NULL, 0}},
                              &data, &n),
                     0);
    must_fail(data, n, "asks for os.system");
    free(data);
}

/* A dimension of a million millions, strides beyond all: shapes that no net has, but no crash. */
static void vast(void **state)
{
    struct state_tensor t = {
        .dtype = ASSAY_F32, .rank = 3, .dims = {1 << 20, 1 << 20, 1 << 20}, .at = 0};
    struct state s = {
        .name = (char *)(uintptr_t) "x", .data = (const unsigned char *)six, .len = 24};
    struct assay_err err = {0};
    float out[6];

    (void)state;
    assert_int_equal(state_add(&s, "a", 1, &t, 0, 24, &err), ASSAY_EFAIL);
    assert_non_null(strstr(err.text, "impossible shape"));
    t.rank = 1;
    t.strides[0] = INT64_MAX;
    assert_int_equal(state_add(&s, "b", 1, &t, 0, 24, &err), ASSAY_EFAIL);
    t.strides[0] = 0;
    t.at = 25;
    assert_int_equal(state_add(&s, "c", 1, &t, 0, 24, &err), ASSAY_EFAIL);
    assert_non_null(strstr(err.text, "outside the file"));
    t = (struct state_tensor){
        .dtype = ASSAY_F32, .rank = 3, .dims = {1, 6, 1}, .strides = {INT64_MAX, 1, INT64_MAX}};
    assert_int_equal(state_add(&s, "d", 1, &t, 0, 24, &err), ASSAY_OK);
    state_floats(&s, &s.tensors[3], out);
    assert_memory_equal(out, six, sizeof(six));
    for (size_t i = 0; i < s.count; i++)
        free(s.tensors[i].name);
    free(s.tensors);
}

static void nothing(void **state)
{
    struct assay_err err = {0};
    struct state *s;

    (void)state;
    must_fail("", 0, "no PyTorch or safetensors file");
    must_fail("hello", 5, "no PyTorch or safetensors file");
    must_fail("\x80\2}.", 4, "a pickle that torch.save did not write");
    assert_int_equal(state_open("/nonexistent/w.pth", &s, &err), ASSAY_EFAIL);
    assert_non_null(strstr(err.text, "/nonexistent/w.pth: cannot be opened"));
    assert_int_equal(state_open("/tmp", &s, &err), ASSAY_EFAIL);
    assert_non_null(strstr(err.text, "no file of weights"));
    assert_int_equal(state_open("/dev/null", &s, &err), ASSAY_EFAIL);
    state_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(safetensors), cmocka_unit_test(safetensors_refused),
        cmocka_unit_test(zip),         cmocka_unit_test(checkpoint),
        cmocka_unit_test(legacy),      cmocka_unit_test(legacy_refused),
        cmocka_unit_test(zip_refused), cmocka_unit_test(vast),
        cmocka_unit_test(nothing)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
