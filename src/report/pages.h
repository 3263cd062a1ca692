/* Records as files that travel: one HTML page, Markdown, CSV.
 *
 * `records` is an array of records as record_find gives them, in the order in which they are shown.
 * The same records give the same bytes.  What a record holds is taken as text, never as markup;
 * missing members are left out.  Each returns 0, or a negative assay_code with its reason when
 * memory is short or `out` cannot be written. */
#ifndef REPORT_PAGES_H
#define REPORT_PAGES_H

#include <jansson.h>
#include <stdio.h>

#include "assay/types.h"

/* Self-contained: style and charts are in the page, nothing is fetched, no script.  Latencies are
 * read from the records' folders; where a folder or its latency.bin is missing, charts are left
 * out. */
int report_html(const json_t *records, FILE *out, struct assay_err *err);
/* Without charts. */
int report_markdown(const json_t *records, FILE *out, struct assay_err *err);
/* A line a record, a column a figure; the first line names the columns. */
int report_csv(const json_t *records, FILE *out, struct assay_err *err);

#endif
