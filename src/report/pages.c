/* The forms of a report, and a page as one text. */
#include "report/pages.h"

#include <stdlib.h>

const struct report_form report_forms[] = {{"html", {".html", ".htm"}, report_html},
                                           {"markdown", {".md", ".markdown"}, report_markdown},
                                           {"csv", {".csv", ".csv"}, report_csv},
                                           {NULL, {NULL, NULL}, NULL}};

int report_page(const struct report_form *form, const json_t *records, char **page, size_t *len,
                struct assay_err *err)
{
    FILE *out;
    int rc;

    *page = NULL;
    *len = 0;
    out = open_memstream(page, len);
    rc = out ? form->write(records, out, err)
             : assay_fail(err, ASSAY_EFAIL, "not enough memory for the report");
    if (out && fclose(out) && !rc)
        rc = assay_fail(err, ASSAY_EFAIL, "not enough memory for the report");
    if (rc) {
        free(*page);
        *page = NULL;
    }
    return rc;
}
