/* The host side of the benchmark door: finds and loads lib/assay/benchmarks/NAME.so and checks its
 * table. Benchmarks are never unloaded. */
#ifndef DATA_BENCH_HOST_H
#define DATA_BENCH_HOST_H

#include <jansson.h>

#include "assay/benchmark.h"

/* By name (ASSAY_BENCHMARK_PATH's folders first, then the installation) or path (contains '/'). */
int bench_load(const char *name, const struct assay_benchmark **table, char path[1024],
               struct assay_err *err);
/* Calls describe and checks what it must say.  desc is filled anew. */
int bench_describe(const struct assay_benchmark *table, void *self,
                   struct assay_benchmark_desc *desc, struct assay_err *err);
/* The optional drive hook: NULL when the benchmark has none (or is older than the hook). */
static inline __typeof__(((struct assay_benchmark *)0)->drive)
bench_drive(const struct assay_benchmark *b)
{
    return b->size > offsetof(struct assay_benchmark, drive) ? b->drive : NULL;
}
/* The same for whole batches. */
static inline __typeof__(((struct assay_benchmark *)0)->drive_batch)
bench_drive_batch(const struct assay_benchmark *b)
{
    return b->size > offsetof(struct assay_benchmark, drive_batch) ? b->drive_batch : NULL;
}
/* Sorted names. */
json_t *bench_list(void);

#endif
