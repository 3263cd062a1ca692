/* The official submission checker, as it is published, run on a tree. */
#ifndef CLI_OFFICIAL_H
#define CLI_OFFICIAL_H

#include <jansson.h>
#include <stdio.h>

#include "load/settings.h"

/* Gets the checker of the round by its recipe, unless it is here, and runs it: a process of its
 * own, in a clean environment; what it prints goes to TREE.checker.log, its table to
 * TREE.checker.csv, both beside the tree.
 *
 * *report: {"checker", "round", "verdict": "accepted" | "rejected" | "none", "ran": bool, "why",
 * "get", "python", "exit_code", "log", "csv", "errors": [lines], "last": [lines]}.
 *
 * own: the exit code of our own judgement.  Returns the exit code of both: EXIT_INVALID when either
 * refuses the tree; EXIT_COULD_NOT when the checker gave no verdict, but its absence counts only
 * where it was asked for by name (`wanted`).  Says on stderr when it was not run. */
int cli_official(const char *tree, const char *round, const struct settings *s, bool offline,
                 bool wanted, int own, json_t **report);
/* The report for a person; nothing when it was not run. */
void cli_official_print(const json_t *report, FILE *out);
/* "mlperf-inference@==6.1": what `assay get` is asked for. */
void cli_official_request(const char *round, char out[80]);

#endif
