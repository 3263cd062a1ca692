/* Writes the submission tree of a plan. */
#ifndef SUBMIT_BUILD_H
#define SUBMIT_BUILD_H

#include "load/detail.h"
#include "submit/plan.h"

/* Scores responses as the accuracy script of the slot's benchmark does; line: what that prints. */
struct submit_scorer {
    int (*score)(void *ctx, const struct submit_slot *slot, const struct accuracy_log *log,
                 char line[256], struct assay_err *err);
    void *ctx;
};

/* facts: of the machine that ran the records, with what the submitter declares (under the names of
 * the fields of the system's description and of measurements, these also as BENCHMARK.FIELD). `out`
 * must not be there; it appears whole.  scorer is asked where TEST01's responses are not those of
 * the accuracy run: then the accuracy over the same samples must agree (NULL: it is left out).
 * Slots without a record leave gaps, which a check of the tree then names.  Every log is compared
 * with the hash in its record before it is copied. */
int submit_build(const struct submit_plan *p, const json_t *facts,
                 const struct submit_scorer *scorer, const char *out, struct assay_err *err);
/* Whether `out` is free and can be made, asked before hours of runs; leaves nothing there. */
int submit_build_try(const char *out, struct assay_err *err);
/* The folder's name of the system; of a rehearsal it says so. */
void submit_system_name(const struct submit_plan *p, const json_t *facts, char out[200]);

#endif
