/* Judges a submission tree, ours or made by other tools.
 *
 * The tree is only read.  What is found wrong is data: {"rule", "where", "what", "why", "mend",
 * "official"}; official tells whether the official checker would refuse it too (the others are its
 * holes, where a reviewer or an audit would ask). */
#ifndef SUBMIT_CHECK_H
#define SUBMIT_CHECK_H

#include <jansson.h>

#include "assay/types.h"

struct submit_check_ask {
    const char *round;      /* NULL: by the logs' seeds, else the newest */
    double min_duration_ms; /* in the place of the round's 600 s (rehearsals); 0: the round's */
};

/* *report: {"tree", "round", "round_from", "results", "systems", "findings": […], "notes": […]}.
 * An error return means that there is no tree to judge. The caller json_decref()s. */
int submit_check(const char *tree, const struct submit_check_ask *ask, json_t **report,
                 struct assay_err *err);

#endif
