/* Benchmarks that drive, and say which graphs they call: the host between their numbers and names
 * and the model's. */
#ifndef RUN_DRIVE_H
#define RUN_DRIVE_H

#include "assay/benchmark.h"
#include "engine/host.h"

#define DRIVE_OUTPUTS 16 /* of a graph, at most */

/* A wanted graph in the model. */
struct drive_graph {
    uint32_t number, output_count; /* the model's own */
    uint32_t map[DRIVE_OUTPUTS];   /* wanted output -> the model's */
};

/* Finds every graph of desc in the engine's model and compares its tensors; the caller frees *out.
 * A wanted graph that is the only one is found whatever the model calls its own only one. */
int drive_find(const struct engine *e, const struct assay_benchmark_desc *desc,
               struct drive_graph **out, struct assay_err *err);

/* What a benchmark is given instead of the batcher's driver: its graphs by its own numbers. */
struct drive {
    const struct assay_driver *inner;
    const struct assay_benchmark_desc *desc;
    const struct drive_graph *graphs;
};
/* d lives as long as the driver is used. */
struct assay_driver drive_driver(struct drive *d);

#endif
