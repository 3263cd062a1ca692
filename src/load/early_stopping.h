/* Early stopping: how many queries a latency run needs before its percentile can be believed. */
#ifndef LOAD_EARLY_STOPPING_H
#define LOAD_EARLY_STOPPING_H

#include <stdbool.h>
#include <stdint.h>

/* Whether n queries, `late` of them over the latency bound, show with 99 % confidence that at least
 * the share `percentile` (between 0 and 1) of all queries is within it. */
bool early_stopping_passes(uint64_t n, uint64_t late, double percentile);

/* The least n for which that holds: late = 1 for Single- and MultiStream (p90: 64, p99: 662);
 * Server has late = its over-latency queries (p99: 459, 662, 838 for 0, 1, 2).  0 for a percentile
 * outside 0..1. */
uint64_t early_stopping_queries(double percentile, uint64_t late);

#endif
