/* Between the parts of make: the scheduler (make.c) and the steps it runs (make_step.c,
 * make_run.c). */
#ifndef FLOW_MAKE_INSIDE_H
#define FLOW_MAKE_INSIDE_H

#include <stdatomic.h>

#include "flow/make.h"

/* One step under way; its own thread writes it, the scheduler reads the atomics. */
struct step {
    struct plan *plan;
    struct plan_node *node;
    const volatile int *stop;
    _Atomic int64_t bytes; /* downloaded of this node, all files */
    bool by_other;         /* another process had made it meanwhile */
    int hold;              /* on what was made; -1: none */
    struct make_failure failure;
};

/* Does all of it. */
int step_do(struct step *s, struct assay_err *err);

/* Runs the programs of the body's `part` ("build", "convert") or of its checks; out is the folder
 * to be filled, work the one to run in. */
int step_run_programs(struct step *s, const char *part, const char *out, const char *work,
                      struct assay_err *err);

#endif
