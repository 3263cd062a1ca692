/* The statistics of comparisons against theory, and their calibration: synthetic series with fixed
 * seeds, of which it is known whether they differ. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report/spread.h"

#define N     20000
#define PAIRS 20

static uint64_t state_now;

static double uniform(void)
{
    uint64_t z = (state_now += 0x9e3779b97f4a7c15u);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (double)((z ^ (z >> 31)) >> 11) * 0x1p-53 + 0x1p-53;
}

static double normal(void)
{
    double radius = sqrt(-2 * log(uniform()));

    return radius * cos(2 * M_PI * uniform());
}

/* ---- series ---- */

typedef void (*series)(int64_t *v, size_t n, double scale);

static void exponential(int64_t *v, size_t n, double scale)
{
    for (size_t i = 0; i < n; i++)
        v[i] = (int64_t)(-log(uniform()) * 1e6 * scale) + 1;
}

static void lognormal(int64_t *v, size_t n, double scale)
{
    for (size_t i = 0; i < n; i++)
        v[i] = (int64_t)(exp(0.3 * normal()) * 1e6 * scale) + 1;
}

/* Neighbours correlate by 0.9. */
static void autoregressive(int64_t *v, size_t n, double scale)
{
    double a = normal();

    for (size_t i = 0; i < n; i++) {
        a = 0.9 * a + sqrt(1 - 0.81) * normal();
        v[i] = (int64_t)((1e6 + 1e5 * a) * scale);
    }
}

/* Somebody else's work comes and goes: 200 latencies in a row of 1,000 are 30 % longer. */
static void bursts(int64_t *v, size_t n, double scale)
{
    bool busy = false;

    for (size_t i = 0; i < n; i++) {
        if (uniform() < (busy ? 1 / 200.0 : 1 / 800.0))
            busy = !busy;
        v[i] = (int64_t)(exp(0.1 * normal()) * (busy ? 1.3e6 : 1e6) * scale) + 1;
    }
}

static void constant(int64_t *v, size_t n, double scale)
{
    for (size_t i = 0; i < n; i++)
        v[i] = (int64_t)(1e6 * scale);
}

static struct spread_run *run_of(series make, size_t n, double scale)
{
    int64_t *v = malloc(n * sizeof(*v));
    struct spread_input in = {.latency = v, .n = n, .piece = v, .pieces = n, .each = 1};
    struct spread_run *run = NULL;

    make(v, n, scale);
    assert_int_equal(spread_run_create(&in, &run, NULL), 0);
    free(v);
    return run;
}

static void pair_of(series make, size_t n, double scale, struct spread_pair out[FIGURE_COUNT])
{
    struct spread_run *a = run_of(make, n, 1), *b = run_of(make, n, scale);
    struct spread_side x = {.runs = &a, .count = 1}, y = {.runs = &b, .count = 1};

    assert_int_equal(spread_pair(&x, &y, out, NULL), 0);
    spread_run_destroy(a);
    spread_run_destroy(b);
}

static bool apart(const struct spread_pair pairs[FIGURE_COUNT])
{
    for (int f = 0; f < FIGURE_COUNT; f++)
        if (pairs[f].known && (pairs[f].ratio.low > 1 || pairs[f].ratio.high < 1))
            return true;
    return false;
}

/* ---- tests ---- */

/* From tables of the distributions. */
static void quantiles(void **state)
{
    (void)state;
    assert_true(fabs(spread_quantile(.95, 0) - 1.959964) < 1e-5);
    assert_true(fabs(spread_quantile(.99, 0) - 2.575829) < 1e-5);
    assert_true(fabs(spread_quantile(.95, 1) - 12.706205) < 1e-4);
    assert_true(fabs(spread_quantile(.95, 2) - 4.302653) < 1e-5);
    assert_true(fabs(spread_quantile(.99, 3) - 5.840909) < 1e-5);
    assert_true(fabs(spread_quantile(.99, 4) - 4.604095) < 1e-5);
    assert_true(fabs(spread_quantile(.99, 31) - 2.744042) < 1e-5);
}

/* Half the width of B's interval, over the runs, against the standard error that theory gives. */
static double width_against(series make, int figure, double theory)
{
    double level = 1 - (1 - SPREAD_LEVEL) / 8, sum = 0;
    struct spread_pair pairs[FIGURE_COUNT];

    for (int i = 0; i < 8; i++) {
        pair_of(make, N, 1, pairs);
        sum += log(pairs[figure].b.high / pairs[figure].b.low) / 2;
    }
    return sum / 8 / (theory * spread_quantile(level, 31) * sqrt(32 / 31.0));
}

/* Mean and percentile of independent exponentials: sd of the mean 1 / sqrt(n); of a percentile,
 * sqrt(p (1 - p) / n) / density, the density at the p quantile being 1 - p. */
static void theory_of_independent(void **state)
{
    double mean = 1 / sqrt(N), p99 = sqrt(.99 * .01 / N) / (.01 * -log(.01));

    (void)state;
    state_now = 1;
    assert_true(fabs(width_against(exponential, FIGURE_MEAN, mean) - 1) < 0.12);
    assert_true(fabs(width_against(exponential, FIGURE_P99, p99) - 1) < 0.15);
}

/* Correlation makes the mean's variance (1 + r) / (1 - r) times as large: drawing single latencies
 * would give intervals of less than a quarter. */
static void theory_of_correlated(void **state)
{
    double mean = 0.1 * sqrt(1.9 / 0.1 / N);

    (void)state;
    state_now = 2;
    assert_true(fabs(width_against(autoregressive, FIGURE_MEAN, mean) - 1) < 0.15);
}

static void calibration(series make)
{
    struct spread_pair pairs[FIGURE_COUNT];
    int same = 0, slower = 0;

    for (int i = 0; i < PAIRS; i++) {
        pair_of(make, N, 1, pairs);
        same += apart(pairs);
        pair_of(make, N, 1.05, pairs);
        slower += apart(pairs) && pairs[FIGURE_MEAN].ratio.value > 1;
    }
    print_message("%d of %d identical pairs told apart, %d slowdowns of 5 %% found\n", same, PAIRS,
                  slower);
    assert_true(same <= 1);
    assert_true(slower >= 18);
}

static void calibrated_independent(void **state)
{
    (void)state;
    state_now = 3;
    calibration(lognormal);
}

static void calibrated_correlated(void **state)
{
    (void)state;
    state_now = 4;
    calibration(autoregressive);
}

/* Such neighbours make single runs of this length hard to tell apart: no false alarm is what is
 * asked for. */
static void calm_in_bursts(void **state)
{
    struct spread_pair pairs[FIGURE_COUNT];
    int told = 0;

    (void)state;
    state_now = 5;
    for (int i = 0; i < PAIRS; i++) {
        pair_of(bursts, N, 1, pairs);
        told += apart(pairs);
    }
    assert_true(told <= 1);
}

#define RUNS 5

/* Each run has a speed of its own, 0.6 % up or down, and within it nothing varies. */
static bool repeats_apart(double scale)
{
    struct spread_run *runs[2][RUNS];
    struct spread_side a = {.runs = runs[0], .count = RUNS}, b = {.runs = runs[1], .count = RUNS};
    struct spread_pair pairs[FIGURE_COUNT];

    for (int i = 0; i < 2 * RUNS; i++)
        runs[i % 2][i / 2] = run_of(constant, 100, (i % 2 ? scale : 1) * exp(0.006 * normal()));
    assert_int_equal(spread_pair(&a, &b, pairs, NULL), 0);
    for (int i = 0; i < 2 * RUNS; i++)
        spread_run_destroy(runs[i % 2][i / 2]);
    return apart(pairs);
}

static void calibrated_repeats(void **state)
{
    int same = 0, slower = 0;

    (void)state;
    state_now = 6;
    for (int i = 0; i < PAIRS; i++) {
        same += repeats_apart(1);
        slower += repeats_apart(1.05);
    }
    print_message("%d of %d identical sides told apart, %d slowdowns found\n", same, PAIRS, slower);
    assert_true(same <= 1);
    assert_true(slower >= 18);
}

/* A percentile that too few latencies lie beyond is no figure; a run of a few has none at all. */
static void too_few(void **state)
{
    struct spread_pair pairs[FIGURE_COUNT];

    (void)state;
    state_now = 7;
    pair_of(exponential, 1000, 1, pairs);
    assert_true(pairs[FIGURE_P99].known);
    assert_false(pairs[FIGURE_P999].known);
    pair_of(exponential, 7, 1, pairs);
    for (int f = 0; f < FIGURE_COUNT; f++)
        assert_false(pairs[f].known);
    /* Five latencies beyond p99.9 cannot bound it from above. */
    pair_of(exponential, 5000, 1, pairs);
    assert_true(pairs[FIGURE_P999].known);
    assert_true(isinf(pairs[FIGURE_P999].b.high));
    assert_true(pairs[FIGURE_P999].b.low > 0);
}

/* Only what single runs cannot show is left. */
static void equal_latencies(void **state)
{
    struct spread_pair pairs[FIGURE_COUNT];

    (void)state;
    pair_of(constant, 1000, 1, pairs);
    assert_true(pairs[FIGURE_P90].ratio.value == 1);
    assert_true(pairs[FIGURE_P90].b.low == pairs[FIGURE_P90].b.high);
    assert_true(pairs[FIGURE_P90].ratio.low > 0.96 && pairs[FIGURE_P90].ratio.high < 1.04);
    pair_of(constant, 1000, 1.05, pairs);
    assert_true(pairs[FIGURE_P90].ratio.low > 1);
}

/* A side of which only the values are known has the other's spread. */
static void borrowed(void **state)
{
    struct spread_run *b;
    struct spread_side x = {.count = 0}, y = {.runs = &b, .count = 1};
    struct spread_pair pairs[FIGURE_COUNT];

    (void)state;
    state_now = 8;
    b = run_of(lognormal, N, 1);
    for (int f = 0; f < FIGURE_COUNT; f++)
        x.value[f] = NAN;
    x.value[FIGURE_P90] = 1e6;
    assert_int_equal(spread_pair(&x, &y, pairs, NULL), 0);
    assert_true(pairs[FIGURE_P90].known);
    assert_false(pairs[FIGURE_MEAN].known);
    assert_true(pairs[FIGURE_P90].ratio.low > 1.3); /* exp(0.3 * 1.28) = 1.47 */
    assert_true(pairs[FIGURE_P90].ratio.high < 1.6);
    assert_int_equal(spread_pair(&x, &x, pairs, NULL), 0);
    assert_true(pairs[FIGURE_P90].ratio.low == 0 && isinf(pairs[FIGURE_P90].ratio.high));
    spread_run_destroy(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(quantiles),
                                       cmocka_unit_test(theory_of_independent),
                                       cmocka_unit_test(theory_of_correlated),
                                       cmocka_unit_test(calibrated_independent),
                                       cmocka_unit_test(calibrated_correlated),
                                       cmocka_unit_test(calm_in_bursts),
                                       cmocka_unit_test(calibrated_repeats),
                                       cmocka_unit_test(too_few),
                                       cmocka_unit_test(equal_latencies),
                                       cmocka_unit_test(borrowed)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
