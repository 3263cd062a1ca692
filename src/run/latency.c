/* Percentiles by sorting a copy. */
#include "run/latency.h"

#include <stdlib.h>
#include <string.h>

static int by_value(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

json_t *latency_summary(const int64_t *latencies, uint64_t n)
{
    static const struct {
        const char *name;
        double p;
    } rows[] = {{"p50", .5},  {"p90", .9},  {"p95", .95},
                {"p97", .97}, {"p99", .99}, {"p99.9", .999}};
    int64_t *sorted = n ? malloc(n * sizeof(*sorted)) : NULL;
    double sum = 0;
    json_t *out;
    uint64_t i;

    if (!sorted)
        return NULL;
    memcpy(sorted, latencies, n * sizeof(*sorted));
    qsort(sorted, n, sizeof(*sorted), by_value);
    for (i = 0; i < n; i++)
        sum += (double)sorted[i];
    out = json_pack("{s:I, s:I, s:f}", "min", (json_int_t)sorted[0], "max",
                    (json_int_t)sorted[n - 1], "mean", sum / (double)n);
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        json_object_set_new(out, rows[i].name,
                            json_integer(sorted[(uint64_t)((double)n * rows[i].p)]));
    free(sorted);
    return out;
}
