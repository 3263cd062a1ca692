/* The search over configurations as a pure algorithm: it decides what is measured next; measuring
 * and the clock are the caller's, so a test can put a formula in their place.
 *
 * A setup is a model, engine, device and precision; a point is a setup with lanes, threads and
 * batch.  Way:
 *   1. accuracy, once a setup (fp32 first: it is the reference); what breaks the constraint is out
 *   2. short runs: every shape (lanes x threads) of every setup, at one batch size
 *   3. short runs: the batch sizes of the best shape of each setup, and about the best one those of
 *      the shapes that were near; not of setups that are far behind in everything
 *   4. full runs of the points on the front, the best by the objective first
 * A step that the time left does not cover is left out; of the full runs the first are always made
 * while there is any time. */
#ifndef RUN_EXPLORE_H
#define RUN_EXPLORE_H

#include <jansson.h>

#include "record/front.h"

#define EXPLORE_VALUES_MAX 24

enum explore_kind { EXPLORE_ACCURACY, EXPLORE_SHORT, EXPLORE_FULL };

struct explore_ask {
    const json_t *setups; /* array of {"model", "engine", "device", "precision"} */
    uint32_t lanes[EXPLORE_VALUES_MAX], threads[EXPLORE_VALUES_MAX], batches[EXPLORE_VALUES_MAX];
    size_t lane_count, thread_count, batch_count; /* each at least 1; a batch of 0: its own */
    uint32_t cpus; /* lanes x threads beyond it are left out; 0: no limit */
    bool latency;  /* the objective: least latency; else most throughput */
    bool accuracy; /* measure it */
    struct front_constraint constraints[FRONT_CONSTRAINTS_MAX];
    size_t constraint_count;
    double full_s; /* what a full run takes, about */
};

struct explore_ops {
    /* Measures a point, which has "lanes", "threads" and "batch" beside its setup, and enters its
     * figures (record/front.h) and whatever else it likes.  A configuration that cannot be run gets
     * "out": true and "reason"; an error, which ends the search, is ASSAY_ESTOP or worse. */
    int (*measure)(void *ctx, int kind, json_t *point, struct assay_err *err);
    double (*left_s)(void *ctx); /* of the budget */
    void *ctx;
};

/* A budget that is not longer than this measures nothing: it is kept free for full runs. */
double explore_reserve_s(const struct explore_ask *ask);

#define EXPLORE_FULL_MOST 8 /* full runs */
/* Configurations of one setup: shapes times batches, of which a search measures some. */
size_t explore_grid(const struct explore_ask *ask);

/* *points: what was measured, each with "full", "front", "out" and "reason" where it is out, best
 * first; also when the search was ended by an error.  The caller json_decref()s it. */
int explore_search(const struct explore_ask *ask, const struct explore_ops *ops, json_t **points,
                   struct assay_err *err);
/* The best point that was measured in full; else the best of the short runs; NULL: none. */
const json_t *explore_best(const json_t *points);

#endif
