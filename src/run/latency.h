/* Percentiles of latencies. */
#ifndef RUN_LATENCY_H
#define RUN_LATENCY_H

#include <jansson.h>

#include "assay/types.h"

/* {"min", "mean", "p50", "p90", "p95", "p97", "p99", "p99.9", "max"} in ns of n latencies;
 * percentiles as LoadGen takes them: sorted[floor(n p)], no interpolation.  NULL when n is 0 or
 * memory is short. */
json_t *latency_summary(const int64_t *latencies, uint64_t n);

#endif
