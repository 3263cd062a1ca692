/* Percentiles by sorting a copy. */
#include "run/latency.h"

#include <math.h>
#include <stdlib.h>

static int by_value(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

static int by_number(const void *a, const void *b)
{
    const double *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

void latency_sort(double *values, size_t n)
{
    qsort(values, n, sizeof(*values), by_number);
}

double latency_rank(const double *sorted, size_t n, double percentile)
{
    size_t i = (size_t)ceil(percentile * (double)n);

    return sorted[i ? i - 1 : 0];
}

uint64_t latency_completed(const int64_t *latencies, uint64_t n)
{
    uint64_t i, completed = 0;

    for (i = 0; i < n; i++)
        completed += latencies[i] != 0;
    return completed;
}

json_t *latency_summary(const int64_t *latencies, uint64_t n)
{
    static const struct {
        const char *name;
        double p;
    } rows[] = {{"p50", .5},  {"p90", .9},  {"p95", .95},
                {"p97", .97}, {"p99", .99}, {"p99.9", .999}};
    int64_t *sorted = n ? malloc(n * sizeof(*sorted)) : NULL;
    uint64_t i, m = 0;
    double sum = 0;
    json_t *out = NULL;

    for (i = 0; sorted && i < n; i++) {
        if (!latencies[i])
            continue;
        sum += (double)latencies[i];
        sorted[m++] = latencies[i];
    }
    if (m) {
        qsort(sorted, m, sizeof(*sorted), by_value);
        out = json_pack("{s:I, s:I, s:f}", "min", (json_int_t)sorted[0], "max",
                        (json_int_t)sorted[m - 1], "mean", sum / (double)m);
    }
    for (i = 0; m && i < sizeof(rows) / sizeof(rows[0]); i++)
        json_object_set_new(out, rows[i].name,
                            json_integer(sorted[(uint64_t)((double)m * rows[i].p)]));
    free(sorted);
    return out;
}

double latency_own_bound_ms(double single_p99_ms)
{
    return ceil(10 * single_p99_ms);
}
