/* What an exploration measured: the best first, the front marked; as a table, and as a page. */
#ifndef REPORT_EXPLORE_H
#define REPORT_EXPLORE_H

#include <jansson.h>
#include <stdio.h>

#include "assay/types.h"

/* Points as run/explore.h gives them.  Returns 0, or ASSAY_EFAIL when `out` cannot be written. */
int report_explore(const json_t *points, FILE *out);
/* One HTML page like a report's (report/pages.h), with charts of the front.  best: the best of the
 * points; NULL: none.  records: what report_html takes, of the runs of any of the points; their
 * sections follow the table, and the points link to them. */
int report_explore_html(const json_t *points, const json_t *best, const json_t *records, FILE *out,
                        struct assay_err *err);

#endif
