/* Programs of others that recipes give (the official checker, the official references): got, and
 * run as they are, in a process and a clean environment of their own, with all that they print
 * heard. */
#ifndef LIB_OUTSIDE_H
#define LIB_OUTSIDE_H

#include <jansson.h>

#include "flow/plan.h"
#include "run/supply.h"

/* What a program reads on the shelf while it runs; all zero: nothing. */
struct outside_held {
    struct supply_hold *of;
    size_t count;
};
void outside_let_go(struct outside_held *held);

/* Gets what is asked for, unless it is here, and holds it: nobody prunes it until outside_let_go,
 * in any case.  ASSAY_OK: *p has it, for plan_release; the requests live as long. */
int outside_get(const struct plan_ask *ask, const char *progress, struct plan *p,
                struct outside_held *held, struct assay_err *err);
/* Copies of what a root's recipe gives under that name, for free(). */
int outside_output(const struct plan *p, size_t root, const char *name, char **value,
                   struct assay_err *err);

#define OUTSIDE_LAST 8 /* lines that are kept */

struct outside {
    char *const *argv;
    char *const *env; /* NULL-terminated, beside PATH (the program's folder in front), TMPDIR and
                         what Python needs to leave no compiled modules behind; may be NULL */
    const char *dir;  /* where it runs, and its TMPDIR */
    const char *log;  /* the file for all that it prints */
    double limit_s;   /* 0: none */
    /* Each line, of printable ASCII; may be changed in place.  May be NULL. */
    void (*line)(void *ctx, char *line);
    void *ctx;
    /* out: */
    json_t *last;         /* its last lines, for json_decref() */
    int exit_code;        /* -1: it was killed, or never began */
    struct assay_err how; /* why it is not 0 */
};
/* ASSAY_OK: it ended, in whatever way.  ASSAY_ESTOP: a signal ended it.  Anything else: its log
 * cannot be written. */
int outside_run(struct outside *o, struct assay_err *err);

#endif
