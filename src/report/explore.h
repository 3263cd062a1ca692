/* What an exploration measured, as a table: the best first, the front marked. */
#ifndef REPORT_EXPLORE_H
#define REPORT_EXPLORE_H

#include <jansson.h>
#include <stdio.h>

/* Points as run/explore.h gives them.  Returns 0, or ASSAY_EFAIL when `out` cannot be written. */
int report_explore(const json_t *points, FILE *out);

#endif
