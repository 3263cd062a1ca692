/* Percentiles of a table of latencies, also of one with holes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/tree.h"
#include "run/latency.h"

static void test_percentiles(void **state)
{
    int64_t table[1000];
    json_t *sum;

    (void)state;
    for (int i = 0; i < 1000; i++)
        table[i] = 1000 - i;
    sum = latency_summary(table, 1000);
    assert_int_equal(tree_int(sum, "min", 0), 1);
    assert_int_equal(tree_int(sum, "p50", 0), 501); /* sorted[floor(n p)], counted from 0 */
    assert_int_equal(tree_int(sum, "p99", 0), 991);
    assert_int_equal(tree_int(sum, "p99.9", 0), 1000);
    assert_int_equal(tree_int(sum, "max", 0), 1000);
    assert_true(tree_real(sum, "mean", 0) == 500.5);
    json_decref(sum);
}

/* A run that was interrupted has samples that never came back: they are no latencies of 0. */
static void test_holes(void **state)
{
    const int64_t table[] = {0, 30, 0, 10, 20, 0};
    json_t *sum = latency_summary(table, 6);

    (void)state;
    assert_int_equal(latency_completed(table, 6), 3);
    assert_int_equal(tree_int(sum, "min", 0), 10);
    assert_int_equal(tree_int(sum, "p50", 0), 20);
    assert_true(tree_real(sum, "mean", 0) == 20);
    json_decref(sum);
    assert_null(latency_summary(table, 1));
    assert_null(latency_summary(table, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_percentiles),
                                       cmocka_unit_test(test_holes)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
