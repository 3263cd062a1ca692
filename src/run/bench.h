/* A benchmark opened without an engine, with the model, data set, cache … of the settings: what
 * looks at samples or scores responses. */
#ifndef RUN_BENCH_H
#define RUN_BENCH_H

#include "assay/benchmark.h"
#include "data/manifest.h"
#include "load/detail.h"
#include "load/settings.h"
#include "run/supply.h"

struct run_bench {
    const struct assay_benchmark *table;
    void *self;
    struct assay_benchmark_desc desc;
    struct manifest manifest;
    char *manifest_text, *cache, *dataset;
    struct supply_hold hold;
};
/* format: of the model's files, whose samples and outputs these are; fails where the model has none
 * of it; NULL: the first.  Ctrl-C ends it with ASSAY_ESTOP while it prepares; the handlers are put
 * back.  One at a time in a process. */
int run_bench_open(struct run_bench *b, const char *name, const char *format,
                   const struct settings *s, bool prepare, struct assay_err *err);
void run_bench_close(struct run_bench *b);

/* Scores a log with a benchmark that is open; manifest: its model's.  *accuracy: as it stands in a
 * record (record.schema.json): value, reference, target and passed are null where there is none,
 * "targets" is missing.  The caller json_decref()s it. */
int run_score(const struct assay_benchmark *table, void *self, const json_t *manifest,
              const struct accuracy_log *log, json_t **accuracy, struct assay_err *err);

#endif
