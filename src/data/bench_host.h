/* The host side of the benchmark door: finds and loads lib/assay/benchmarks/NAME.so and checks its
 * table. Benchmarks are never unloaded. */
#ifndef DATA_BENCH_HOST_H
#define DATA_BENCH_HOST_H

#include <jansson.h>

#include "assay/benchmark.h"

/* By name (ASSAY_BENCHMARK_PATH's folders first, then the installation) or path (contains '/'). */
int bench_load(const char *name, const struct assay_benchmark **table, char path[1024],
               struct assay_err *err);
/* Sorted names. */
json_t *bench_list(void);

#endif
