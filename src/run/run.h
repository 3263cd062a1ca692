/* The conductor: the only place where the stages meet.  See run.c for the way of a run. */
#ifndef RUN_RUN_H
#define RUN_RUN_H

#include <jansson.h>

#include "load/settings.h"

/* What a run would do, without doing it: resolved settings with origins, model, data set, engine,
 * LoadGen, profile values, what would be made or fetched.  Touches nothing.  The caller
 * json_decref()s *plan. */
int run_plan(const struct settings *s, json_t **plan, struct assay_err *err);

/* What recipes would get before such a run is added to {"get": [requests of `assay get`], "steps":
 * [texts]}, each once; an error is the run's own, found early.  Touches nothing. */
int run_wants(const struct settings *s, json_t *first, struct assay_err *err);

/* Runs in a supervised child process (libexec/assay/assay-child), shows progress on stderr, and
 * commits a record, also of a run that failed: then *record has status "error" or "interrupted" and
 * the function returns ASSAY_OK.  An error return means that no record could be made (bad settings,
 * store not writable). */
int run_job(const struct settings *s, int argc, char **argv, json_t **record,
            struct assay_err *err);

/* The child's side: reads the job (JSON) from job_fd's file, runs it, writes result.json into the
 * run's folder. Never returns after LoadGen started: ends by _exit. */
int run_child(const char *job_file, struct assay_err *err);

#endif
