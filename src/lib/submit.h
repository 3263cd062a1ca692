/* From records to a judged submission tree, for the library's calls and the command line alike:
 *
 *   records -> plan -> runs that are missing -> tree -> check
 *
 * Every run that is made becomes a record like any other, so nothing is lost when a later one
 * fails, and the same ask takes up what an earlier one had made. */
#ifndef LIB_SUBMIT_H
#define LIB_SUBMIT_H

#include <jansson.h>

#include "lib/compare.h"
#include "submit/plan.h"

#define LIB_SUBMIT_OUT "submission" /* where a tree goes that has no other place */

struct lib_submit_ask {
    struct submit_request request; /* category also "both" */
    const char *const *runs;       /* ids, beginnings of ids or "last"; NULL-terminated */
    const char *system;            /* a file of declared facts; NULL: the user's, if there is one */
    const char *out;               /* the folder to write; NULL: LIB_SUBMIT_OUT */
    bool dry;                      /* only list what would be run */
    /* Told about a compliance test that is run once more, and why, and about declared facts that
     * nothing asks for; may be NULL. */
    void (*warn)(const char *text);
};

/* What an ask must have; a usage error names it as an option.  lib_submit begins with it. */
int lib_submit_check(const struct lib_submit_ask *ask, struct assay_err *err);

/* *result: of `dry` {"out", "runs", "get", "steps" (run_wants)}, else the report of submit/check.h
 * with "runs" and "rehearsal"; findings are no error.  *records: NULL, or where a run or
 * the tree failed the records to go on from (all that were named and that were made), for
 * json_decref. */
int lib_submit(const struct lib_submit_ask *ask, const struct lib_runner *with, json_t **result,
               json_t **records, struct assay_err *err);

#endif
