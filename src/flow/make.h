/* Carrying out a plan: verifying, fetching, building and converting, several steps at once.
 *
 * A step's result appears on the shelf whole or not at all; when one fails, those under way are
 * done to their end, so that what they bring is there the next time, and none is begun any more. To
 * stop ends all at once: downloads go on from where they were the next time, nothing is left half
 * made. Programs get arguments as they are, a clean environment, and an empty working folder of
 * their own that is removed afterwards.  What they print is kept in <cache>/logs, without secrets.
 */
#ifndef FLOW_MAKE_H
#define FLOW_MAKE_H

#include "flow/plan.h"

/* How it goes on: at every change, and four times a second. */
struct make_progress {
    size_t done, total;       /* steps */
    int64_t bytes, all_bytes; /* downloaded; all_bytes -1: not known (yet) */
    int64_t came;             /* of bytes: by this call, not by an earlier one */
    const char *id;           /* the step that this is about; NULL: nothing new */
    const char *what;         /* with id: "fetch", "build", "done", "failed", "stopped" … */
    const char *note;    /* instead of what: a line about it, an error and what is done of it */
    const char *running; /* names of what is under way: "a, b" */
};

struct make_options {
    int jobs;                                               /* steps at once; 0: four */
    const volatile int *stop;                               /* != 0: the end, with ASSAY_ESTOP */
    void (*show)(void *ctx, const struct make_progress *p); /* on the caller's thread */
    void *ctx;
};

/* What is told of a step that failed; "" where there is nothing to tell. */
struct make_failure {
    char id[160];
    char tail[4096]; /* the last lines of its program */
    char log[1200];  /* the file with all of them */
    char *repeat;    /* how to repeat it, in a line: plan_repeat_text */
};
void make_failure_release(struct make_failure *f);

/* Of a plan without problems.  Afterwards the nodes that were wanted are there. */
int make_plan(struct plan *p, const struct make_options *o, struct make_failure *failure,
              struct assay_err *err);

#endif
