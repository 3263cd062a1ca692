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

/* These forms by their names, and by the ends of files' names. */
struct report_form {
    const char *name, *ends[2];
    int (*write)(const json_t *records, FILE *out, struct assay_err *err);
};
extern const struct report_form
    report_forms[]; /* html, markdown, csv; ends with a row without name */
/* A whole page; *page is malloc'ed. */
int report_page(const struct report_form *form, const json_t *records, char **page, size_t *len,
                struct assay_err *err);

#endif
