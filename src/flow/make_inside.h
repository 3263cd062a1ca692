/* Between the parts of make: the scheduler (make.c) and the steps it runs (make_step.c,
 * make_list.c, make_run.c). */
#ifndef FLOW_MAKE_INSIDE_H
#define FLOW_MAKE_INSIDE_H

#include <stdatomic.h>

#include "flow/make.h"

enum step_phase {
    STEP_BEGINS, /* nothing is known yet */
    STEP_WAITS,  /* for somebody else who makes it */
    STEP_WORKS
};

/* One step under way; its own thread writes it, the scheduler reads the atomics. */
struct step {
    struct plan *plan;
    struct plan_node *node;
    const volatile int *stop;
    void (*tell)(struct step *s, const char *text); /* the user, in one line; any thread */
    void *job;
    char note[800];            /* told, and not shown yet; under the scheduler's lock */
    _Atomic int phase;         /* enum step_phase */
    _Atomic int64_t bytes;     /* downloaded of this node, all files */
    _Atomic int64_t came;      /* the same, without what an earlier call had left */
    _Atomic int64_t all_bytes; /* of its files with a known size */
    _Atomic int unknown;       /* so many have none */
    _Atomic int files;         /* that a list names: so many have come */
    _Atomic int all_files;     /* of so many; 0: there is no list */
    bool by_other;             /* another process had made it meanwhile */
    int hold;                  /* on what was made; -1: none */
    struct make_failure failure;
};

/* Does all of it. */
int step_do(struct step *s, struct assay_err *err);

/* Downloads the files that a list names (row i of the node's `fetch`), puts them into the entry,
 * and adds what came to `downloads`. */
int step_fetch_list(struct step *s, const struct shelf_entry *e, size_t i, const json_t *row,
                    json_t *downloads, struct assay_err *err);
/* Puts a finished download into the entry; its folder is made. */
int step_place(const char *part, const char *to, struct assay_err *err);
/* Adds where the first one is kept to the error about a file that is not the one seen first. */
void step_say_first_seen(struct assay_err *err);
/* The addresses of a row that may be used now, NULL behind the last; they belong to it. */
#define STEP_MAX_URLS 16
void step_urls(const struct step *s, const json_t *list, const char *urls[STEP_MAX_URLS + 1]);

/* Runs the programs of the body's `part` ("build", "convert") or of its checks; out is the folder
 * to be filled, work the one to run in. */
int step_run_programs(struct step *s, const char *part, const char *out, const char *work,
                      struct assay_err *err);

#endif
