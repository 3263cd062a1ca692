/* The HTML report's beginning: all runs in a table, and bars for those that can be compared.
 *
 * Bars stand side by side only for one benchmark, scenario, metric and unit, begin at 0, and are
 * sorted with the best first.  A run that is not valid keeps its bar, pale and named so. */
#include "report/html.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report/escape.h"

static void cell(FILE *out, const char *class, const char *text)
{
    fprintf(out, "<td%s%s%s>", *class ? " class=\"" : "", class, *class ? "\"" : "");
    escape_html(out, text);
    fputs("</td>", out);
}

static void link_to(FILE *out, const struct view *v)
{
    fprintf(out, "<a href=\"#%s\">", v->anchor);
    escape_htmlf(out, "%.8s", *v->id ? v->id : v->anchor);
    fputs("</a>", out);
}

static void marks(FILE *out, const struct view *v)
{
    if (view_synthetic(v))
        fputs(" <span class=\"tag\">SYNTHETIC</span>", out);
    if (v->foreign)
        fputs(" <span class=\"tag\">imported</span>", out);
}

static void overview_row(FILE *out, const struct view *v, bool energy)
{
    char setup[300], value[64], p99[64], accuracy[64], joules[64];

    view_setup(v, setup, sizeof(setup));
    fputs("<tr><td>", out);
    html_verdict(out, v);
    marks(out, v);
    fputs("</td><th scope=\"row\">", out);
    link_to(out, v);
    fputs("</th>", out);
    fputs("<td class=\"m\">", out);
    escape_htmlf(out, "%s, %s", v->benchmark, v->scenario);
    if (*v->mode && strcmp(v->mode, "performance"))
        escape_htmlf(out, ", %s", v->mode);
    fputs("</td>", out);
    cell(out, "m", setup);
    cell(out, "opt", v->profile);
    cell(out, "r fig", view_value(v, value));
    cell(out, "r p99", view_latency(v, "p99", p99));
    cell(out, "r acc", view_accuracy(v, accuracy));
    if (energy)
        cell(out, "r opt", view_energy_per_sample(v, joules));
    fprintf(out, "<td class=\"opt\"><a href=\"#m%zu\">%zu</a></td>", v->machine + 1,
            v->machine + 1);
    fputs("<td class=\"opt w\">", out);
    escape_htmlf(out, "%.10s", v->created);
    fputs("</td></tr>\n", out);
}

/* ---- bars ---- */

static bool has_bar(const struct view *v)
{
    return v->has_value && isfinite(v->value) && v->value > 0;
}

/* Valid ones first, the best first; equals keep their order, so that the same records give the same
 * page. */
static int by_merit(const void *a, const void *b)
{
    const struct view *const *x = a, *const *y = b;
    double d = (*x)->value - (*y)->value;

    if ((*x)->good != (*y)->good)
        return (*x)->good ? -1 : 1;
    if (d != 0)
        return (d < 0) == (*x)->less_is_better ? -1 : 1;
    return (*x > *y) - (*x < *y);
}

static void bar_row(FILE *out, const struct view *v, double most)
{
    char setup[300], value[64];

    view_setup(v, setup, sizeof(setup));
    fputs("<tr><th scope=\"row\">", out);
    escape_html(out, setup);
    fputs(" ", out);
    link_to(out, v);
    marks(out, v);
    fputs("</th><td>", out);
    html_bar(out, v->value / most, !v->good);
    fputs("</td>", out);
    cell(out, "r", view_value(v, value));
    fputs("<td>", out);
    html_verdict(out, v);
    fputs("</td></tr>\n", out);
}

static void bars(FILE *out, const struct view **group, size_t n)
{
    const struct view *v = group[0];
    char headline[200];
    double most = 0;
    size_t i;

    qsort(group, n, sizeof(*group), by_merit);
    for (i = 0; i < n; i++)
        most = fmax(most, group[i]->value);
    fputs("<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"comparison\">"
          "<table class=\"bars cmp\"><caption>",
          out);
    view_headline(v, headline, sizeof(headline));
    escape_htmlf(out, "%s (%s is better)", headline, v->less_is_better ? "less" : "more");
    fputs("</caption><thead><tr><th scope=\"col\">setup</th><td></td>"
          "<th scope=\"col\" class=\"r\">figure</th><th scope=\"col\">verdict</th></tr></thead>"
          "<tbody>\n",
          out);
    for (i = 0; i < n; i++)
        bar_row(out, group[i], most);
    fputs("</tbody></table></div>\n", out);
}

/* Each group begins at the first of its runs. */
static void comparisons(FILE *out, const struct view *views, size_t n)
{
    const struct view **group = malloc(n * sizeof(*group));
    bool *done = calloc(n, sizeof(*done)), any = false;
    size_t i, k, m;

    for (i = 0; group && done && i < n; i++) {
        for (k = i, m = 0; k < n; k++)
            if (!done[k] && has_bar(&views[k]) && view_comparable(&views[i], &views[k])) {
                group[m++] = &views[k];
                done[k] = true;
            }
        if (m < 2)
            continue;
        fputs(any ? "" : "<section><h2>Side by side</h2>\n", out);
        any = true;
        bars(out, group, m);
    }
    fputs(any ? "</section>\n" : "", out);
    free(group);
    free(done);
}

void html_overview(FILE *out, const struct view *views, size_t n)
{
    bool energy = view_any_energy(views, n);
    size_t i;

    fputs("<section><h2>Overview</h2><div class=\"wide\" tabindex=\"0\" role=\"region\" "
          "aria-label=\"overview\"><table class=\"overview\"><thead><tr>"
          "<th scope=\"col\">verdict</th><th scope=\"col\">run</th><th scope=\"col\">benchmark</th>"
          "<th scope=\"col\">setup</th><th scope=\"col\" class=\"opt\">profile</th>"
          "<th scope=\"col\" class=\"r\">figure</th><th scope=\"col\" class=\"r\">p99</th>"
          "<th scope=\"col\" class=\"r\">accuracy</th>",
          out);
    fputs(energy ? "<th scope=\"col\" class=\"r opt\">energy a sample</th>" : "", out);
    fputs("<th scope=\"col\" class=\"opt\">machine</th><th scope=\"col\" class=\"opt\">date</th>"
          "</tr></thead><tbody>\n",
          out);
    for (i = 0; i < n; i++)
        overview_row(out, &views[i], energy);
    fputs("</tbody></table></div></section>\n", out);
    comparisons(out, views, n);
}
