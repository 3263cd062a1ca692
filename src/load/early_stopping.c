/* Derivation.  Say the truth is as bad as it may be: each query is late with probability q = 1 -
 * percentile, independently.  Then the number of late ones among n is binomial, and the chance to
 * see no more than `late` is P(n, late) = sum over x = 0..late of C(n, x) q^x (1 - q)^(n - x). When
 * P <= 1 - 0.99 the observation would be too lucky for such a system, so the system is better: the
 * run passes.  P falls as n grows, so the least n is found by bisection.  (The same sum as a
 * regularised incomplete beta function is I_{1-q}(n - late, late + 1).)
 *
 * Error: terms are summed downward from x = late, where they are largest as long as late < n q; the
 * first one comes from logarithms of gamma functions, good to about 1e-13 relative * ln(n!), i.e.
 * better than 1e-6 for n < 1e6; the rest by exact ratios until a term no longer counts. */
#include "load/early_stopping.h"

#include <math.h>

#define CONFIDENCE 0.99

static double log_choose(double n, double k)
{
    int sign;

    return lgamma_r(n + 1, &sign) - lgamma_r(k + 1, &sign) - lgamma_r(n - k + 1, &sign);
}

bool early_stopping_passes(uint64_t n, uint64_t late, double percentile)
{
    double p = percentile, q = 1 - percentile, count = (double)n, x = (double)late;
    double term, sum = 0;

    /* Not fewer late ones than the mean (about the median): the chance is far above 1 %. */
    if (!(p > 0 && p < 1) || x >= count * q)
        return false;
    term = exp(log_choose(count, x) + x * log(q) + (count - x) * log(p));
    for (; x >= 0 && term > sum * 1e-17; x--) {
        sum += term;
        term *= x / (count - x + 1) * (p / q);
    }
    return sum <= 1 - CONFIDENCE;
}

uint64_t early_stopping_queries(double percentile, uint64_t late)
{
    uint64_t low, high, middle;

    if (!(percentile > 0 && percentile < 1))
        return 0;
    low = late; /* does not pass */
    for (high = late + 1; !early_stopping_passes(high, late, percentile); high *= 2)
        low = high;
    while (high - low > 1) {
        middle = low + (high - low) / 2;
        if (early_stopping_passes(middle, late, percentile))
            high = middle;
        else
            low = middle;
    }
    return high;
}
