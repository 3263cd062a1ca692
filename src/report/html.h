/* Inside of the HTML pages: their parts.  Private to this room. */
#ifndef REPORT_HTML_H
#define REPORT_HTML_H

#include "report/series.h"
#include "report/view.h"

extern const char html_style[];

/* What a page's length allows: many runs get coarser charts. */
struct html_room {
    uint32_t parts, points;
    bool words; /* what each stage is */
};

/* A page up to the text of its title; and from there to its body. */
void html_begin(FILE *out);
void html_body(FILE *out);
/* The sections of runs, and of the machines that view_all found. */
int html_runs(FILE *out, const struct view *views, size_t n, const json_t *machines,
              struct assay_err *err);
/* "<span class=…>VALID</span>": a word, and a sign that is not a colour alone. */
void html_verdict(FILE *out, const struct view *v);
/* A bar of `share` (0 … 1) of the width; what it says stands beside it as text. */
void html_bar(FILE *out, double share, bool pale);
/* One run's section.  s is room to work in. */
void html_run(FILE *out, const struct view *v, const struct html_room *room, struct series *s);
/* All runs in one table, and what can be compared as bars. */
void html_overview(FILE *out, const struct view *views, size_t n);
/* Speed against accuracy, where runs say both. */
void html_fronts(FILE *out, const struct view *views, size_t n);
/* Setups against benchmarks, where there are several of either, with links to the runs. */
void html_matrix(FILE *out, const struct view *views, size_t n);
/* A machine's facts, each with its origin.  first: NULL, or the facts that need not be said again.
 */
void html_machine(FILE *out, const json_t *facts, const json_t *first, size_t index);

#endif
