/* Exploring as the conductor sees it: setups from what is installed, each measurement a run with a
 * record, a line on stderr for each, and nothing measured twice.
 *
 * A record belongs to an exploration by its tag, a hash of what would be run, as long as the files
 * behind it are the same (run/evidence.h); so one that was
 * killed goes on where it was, and another exploration uses the same runs. */
#ifndef RUN_EXPLORING_H
#define RUN_EXPLORING_H

/* What the tag of an exploration's run begins with. */
#define EXPLORING_TAG "explore "

#include <jansson.h>

#include "run/explore.h"

struct settings;

struct exploring_ask {
    const struct settings *base;                     /* benchmark, scenario, data set … */
    json_t *models, *engines, *devices, *precisions; /* arrays of texts; NULL or empty: all */
    struct explore_ask
        search; /* setups, latency, cpus and full_s are filled in here; empty axes too */
    double budget_s, short_s;
};
/* `base` stays the caller's; whether accuracy is measured hangs on its data set, so set that
 * before.
 */
void exploring_ask_init(struct exploring_ask *ask, const struct settings *base);
void exploring_ask_release(struct exploring_ask *ask);
/* One part as a user writes it: "engines" "null,onnxruntime", "lanes" "1,2", "constraint"
 * "accuracy>=99%,latency<=15ms", "budget" "15m".  Usage errors name it. */
int exploring_read(struct exploring_ask *ask, const char *name, const char *text,
                   struct assay_err *err);
extern const char *const exploring_words[]; /* those names; ends with NULL */

/* What exploring_run would do: {"setups", "out": setups that cannot be, with "reason"; "lanes",
 * "threads", "batches", "grid": configurations of one setup; "runs": what is measured at most, of
 * each kind; "budget_s", "short_s", "full_s", "get", "steps" (run_wants)}.  Touches nothing. */
int exploring_plan(struct exploring_ask *ask, json_t **plan, struct assay_err *err);
/* Points as explore_search gives them, with "id" (of the record) and "metric", "unit"; setups that
 * cannot be are points with "out".  ASSAY_ESTOP: interrupted, *points is what there is.
 * What recipes would get has to be here. */
int exploring_run(struct exploring_ask *ask, json_t **points, struct assay_err *err);
/* {setting: text} of a point: what makes a run that is configured like it; a new reference. */
json_t *exploring_settings(const json_t *point);
/* The same with what all points were run with and is the engine's own: its options, pinning, how
 * long a batch may wait. */
json_t *exploring_choice(const struct settings *base, const json_t *point);
/* Makes a point this machine's default for the benchmark and scenario of `base` (run/chosen.h). */
int exploring_apply(const struct settings *base, const json_t *point, struct assay_err *err);

#endif
