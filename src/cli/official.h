/* The official submission checker, as it is published, run on a tree. */
#ifndef CLI_OFFICIAL_H
#define CLI_OFFICIAL_H

#include <jansson.h>
#include <stdio.h>

#include "load/settings.h"

/* lib_official, and the exit code of both judgements; own: that of ours.  EXIT_INVALID when either
 * refuses the tree; EXIT_COULD_NOT when the checker gave no verdict, but its absence counts only
 * where it was asked for by name (`wanted`).  Says on stderr when it was not run. */
int cli_official(const char *tree, const char *round, const struct settings *s, bool offline,
                 bool wanted, int own, json_t **report);
/* The report for a person; nothing when it was not run. */
void cli_official_print(const json_t *report, FILE *out);

#endif
