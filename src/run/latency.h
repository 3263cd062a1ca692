/* Percentiles of latencies, and a bound. */
#ifndef RUN_LATENCY_H
#define RUN_LATENCY_H

#include <jansson.h>

#include "assay/types.h"

/* In a table of n latencies an entry of 0 is a sample that did not come back; it is left out. */
uint64_t latency_completed(const int64_t *latencies, uint64_t n);
/* {"min", "mean", "p50", "p90", "p95", "p97", "p99", "p99.9", "max"} in ns; percentiles as LoadGen
 * takes them: sorted[floor(n p)], no interpolation.  NULL when there is none or memory is short. */
json_t *latency_summary(const int64_t *latencies, uint64_t n);

/* Of times that were measured outside of LoadGen: in order, and then the nearest rank of one of n.
 */
void latency_sort(double *values, size_t n);
double latency_rank(const double *sorted, size_t n, double percentile);

/* Server in the quick profile: the bound where a single sample takes longer (p99) than the official
 * one.  Ten times that: a queue of fixed service times holds it up to about 0.6 of its capacity. */
double latency_own_bound_ms(double single_p99_ms);

#endif
