/* The official submission checker, as it is published, run on a tree. */
#ifndef LIB_OFFICIAL_H
#define LIB_OFFICIAL_H

#include <jansson.h>

#include "load/settings.h"

#define LIB_OFFICIAL_ERRORS 20 /* at most */

/* Gets the checker of the round by its recipe, unless it is here, and runs it: a process of its
 * own, in a clean environment; what it prints goes to TREE.checker.log, its table to
 * TREE.checker.csv, both beside the tree.
 *
 * *report: {"checker", "round", "verdict": "accepted" | "rejected" | "none", "ran": bool, "why",
 * "get", "python", "exit_code", "log", "csv", "errors": [lines], "last": [lines]}.  A checker that
 * cannot be got is no error: then "ran" is false, and "get" the command that gets it.
 * Of the settings: cache, progress. */
int lib_official(const char *tree, const char *round, const struct settings *s, bool offline,
                 json_t **report, struct assay_err *err);
/* What that would do, touching nothing: *plan {"round", "get": [requests of recipes], "problems":
 * what stands against getting them, "command"}. */
int lib_official_plan(const char *tree, const char *round, const struct settings *s, bool offline,
                      json_t **plan, struct assay_err *err);
/* "mlperf-inference@==6.1": what `assay get` is asked for. */
void lib_official_request(const char *round, char out[80]);

#endif
