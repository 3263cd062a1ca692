/* Exploring as the conductor sees it: setups from what is installed, each measurement a run with a
 * record, a line on stderr for each, and nothing measured twice.
 *
 * A record belongs to an exploration by its tag, a hash of what would be run; so one that was
 * killed goes on where it was, and another exploration uses the same runs. */
#ifndef RUN_EXPLORING_H
#define RUN_EXPLORING_H

#include <jansson.h>

#include "run/explore.h"

struct settings;

struct exploring_ask {
    const struct settings *base;                           /* benchmark, scenario, data set … */
    const json_t *models, *engines, *devices, *precisions; /* arrays of texts; empty: all */
    struct explore_ask
        search; /* setups, latency, cpus and full_s are filled in here; empty axes too */
    double budget_s, short_s;
};

/* Points as explore_search gives them, with "id" (of the record) and "metric", "unit"; setups that
 * cannot be are points with "out".  ASSAY_ESTOP: interrupted, *points is what there is. */
int exploring_run(struct exploring_ask *ask, json_t **points, struct assay_err *err);
/* {setting: text} of a point: what makes a run that is configured like it; a new reference. */
json_t *exploring_settings(const json_t *point);

#endif
