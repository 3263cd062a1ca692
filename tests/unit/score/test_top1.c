/* Top-1 as the official accuracy script computes it from LoadGen's accuracy log. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "score/top1.h"

static const int32_t labels[] = {7, 65, 999, 0};
#define SAMPLES 4

/* One entry of the log; its bytes live in a pool, as the log's do. */
struct log {
    struct assay_log_entry entries[8];
    uint8_t pool[8][16];
    uint64_t n;
};

static void log_add(struct log *l, uint64_t index, const void *data, size_t bytes)
{
    memcpy(l->pool[l->n], data, bytes);
    l->entries[l->n] = (struct assay_log_entry){
        .sequence = l->n, .index = index, .data = l->pool[l->n], .bytes = bytes};
    l->n++;
}

static void log_float(struct log *l, uint64_t index, float v)
{
    log_add(l, index, &v, sizeof(v));
}

static int score(const struct log *l, struct assay_score *s, struct assay_err *err)
{
    memset(s, 0, sizeof(*s));
    return top1_score(labels, SAMPLES, l->entries, l->n, s, err);
}

static void assert_line(const struct log *l, const char *line)
{
    struct assay_score s;
    struct assay_err err;

    if (score(l, &s, &err))
        fail_msg("%s", err.text);
    assert_string_equal(s.line, line);
}

/* The bytes as they stand in the log: 0000E040 is float32 7, 41 and seven zero bytes int64 65. */
static void payloads(void **state)
{
    struct log l = {.n = 0};
    struct assay_score s;
    struct assay_err err;

    (void)state;
    log_add(&l, 0, "\x00\x00\xe0\x40", 4);
    log_add(&l, 1, "\x41\0\0\0\0\0\0\0", 8);
    assert_int_equal(score(&l, &s, &err), 0);
    assert_int_equal(s.good, 2);
    assert_int_equal(s.total, 2);
    assert_true(s.value == 100.0);
    assert_string_equal(s.metric, "top1");
    assert_string_equal(s.unit, "%");
    assert_true(isnan(s.reference) && isnan(s.target));
    /* An int32 has the size of a float32, but its bits are those of no whole one. */
    l.n = 0;
    log_add(&l, 0, "\x07\0\0\0", 4);
    log_add(&l, 1, "\x41\0\0\0", 4);
    log_add(&l, 2, "\xff\xff\xff\xff", 4); /* -1: the background class */
    assert_int_equal(score(&l, &s, &err), 0);
    assert_int_equal(s.good, 2);
    assert_int_equal(s.total, 3);
    /* Above what a label can be, and below -1, it stays no label. */
    l.n = 0;
    log_add(&l, 1, "\0\0\x80\0", 4);
    assert_int_equal(score(&l, &s, &err), ASSAY_EFAIL);
    log_add(&l, 1, "\xfe\xff\xff\xff", 4);
    assert_int_equal(score(&l, &s, &err), ASSAY_EFAIL);
    assert_memory_equal(err.text, "accuracy log, sample 1: its prediction ", 39);
}

static void counting(void **state)
{
    struct log l = {.n = 0};

    (void)state;
    log_float(&l, 0, 7);
    log_float(&l, 1, 64);
    log_float(&l, 2, 999);
    assert_line(&l, "accuracy=66.667%, good=2, total=3"); /* sample 3 is missing: not counted */
    log_float(&l, 1, 65);                                 /* a second time: the first one counts */
    log_float(&l, 0, 3);
    assert_line(&l, "accuracy=66.667%, good=2, total=3");
    log_float(&l, 3, -1); /* the background class of an offset model: wrong, no error */
    assert_line(&l, "accuracy=50.000%, good=2, total=4");
}

static void faults(void **state)
{
    static const float no_labels[] = {0.5f, NAN, INFINITY, -INFINITY, 3e9f};
    struct log l = {.n = 0};
    struct assay_score s;
    struct assay_err err;
    size_t i;

    (void)state;
    assert_int_equal(score(&l, &s, &err), ASSAY_EFAIL);
    assert_string_equal(err.text, "accuracy log: has no entries; run in accuracy mode");
    for (i = 0; i < sizeof(no_labels) / sizeof(no_labels[0]); i++) {
        l.n = 0;
        log_float(&l, 2, no_labels[i]);
        assert_int_equal(score(&l, &s, &err), ASSAY_EFAIL);
        assert_memory_equal(err.text, "accuracy log, sample 2: its prediction ", 39);
    }
    l.n = 0;
    log_float(&l, SAMPLES, 7);
    assert_int_equal(score(&l, &s, &err), ASSAY_EFAIL);
    assert_string_equal(err.text, "accuracy log: sample 4 is not in the data set, which has 4");
    for (i = 0; i <= 16; i++) {
        if (i == 4 || i == 8)
            continue;
        l.n = 0;
        log_add(&l, 3, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", i);
        assert_int_equal(score(&l, &s, &err), ASSAY_EFAIL);
        assert_non_null(strstr(err.text, "sample 3: has "));
        assert_non_null(strstr(err.text, "wanted: one float32 or int32 (4), or int64 (8)"));
    }
    assert_null(s.line[0] ? s.line : NULL); /* a failure leaves the score alone */
}

static void argmax(void **state)
{
    static const float v[] = {-5, -1, -1, -2, NAN};

    (void)state;
    assert_int_equal(top1_argmax(v, 4), 1); /* the first among equals */
    assert_int_equal(top1_argmax(v, 1), 0);
    assert_int_equal(top1_argmax(v, 0), -1);
    assert_int_equal(top1_argmax(v, 5), -1);
    assert_int_equal(top1_argmax(v + 4, 1), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(payloads),
        cmocka_unit_test(counting),
        cmocka_unit_test(faults),
        cmocka_unit_test(argmax),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
