/* The HTML report: head, overview, runs, machines.
 *
 * Nothing in it is fetched or executed: the content security policy in the head forbids both, so
 * that even a mistake in escaping could not run anything. */
#include "report/html.h"

#include <stdlib.h>
#include <string.h>

#include "base/tree.h"
#include "report/escape.h"
#include "report/format.h"
#include "report/pages.h"

#define MOST_FACTS 200 /* of a machine: an edited record must not fill the page */

void html_begin(FILE *out)
{
    fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
          "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
          "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
          "style-src 'unsafe-inline'; img-src data:\">\n"
          "<meta name=\"color-scheme\" content=\"light dark\">\n"
          "<link rel=\"icon\" href=\"data:,\">\n<title>",
          out);
}

void html_body(FILE *out)
{
    fprintf(out, "</title>\n<style>%s</style>\n</head>\n<body>\n", html_style);
}

static void head(FILE *out, const struct view *views, size_t n)
{
    html_begin(out);
    if (n == 1)
        escape_htmlf(out, "Assay: %s %s, %s", views[0].word, views[0].benchmark, views[0].scenario);
    else
        fprintf(out, "Assay: report of %zu runs", n);
    html_body(out);
}

static bool is_date(const char *s)
{
    return strspn(s, "0123456789-") == 10;
}

static void opening(FILE *out, const struct view *views, size_t n)
{
    const char *first = NULL, *last = NULL;
    size_t i, synthetic = 0, foreign = 0;

    for (i = 0; i < n; i++) {
        if (is_date(views[i].created) && (!first || strcmp(views[i].created, first) < 0))
            first = views[i].created;
        if (is_date(views[i].created) && (!last || strcmp(views[i].created, last) > 0))
            last = views[i].created;
        synthetic += view_synthetic(&views[i]) != NULL;
        foreign += views[i].foreign != NULL;
    }
    fprintf(out, "<header><h1>Assay report</h1><p>%zu run%s", n, n == 1 ? "" : "s");
    if (first && last) {
        escape_htmlf(out, ", %.10s", first);
        if (strncmp(first, last, 10))
            escape_htmlf(out, " to %.10s", last);
    }
    fputs(". <span class=\"dim\">Unverified: judged by Assay, not an MLCommons result.</span></p>",
          out);
    if (synthetic && n > 1)
        fprintf(out,
                "<p class=\"syn\">SYNTHETIC weights or samples in %zu of %zu runs: their speed is "
                "real, their accuracy means nothing; never a submission.</p>",
                synthetic, n);
    if (foreign)
        fprintf(out, "<p class=\"dim\">Imported from other machines: %zu of %zu runs.</p>", foreign,
                n);
    fputs("</header>\n", out);
}

void html_verdict(FILE *out, const struct view *v)
{
    fprintf(out, "<span class=\"v %s\">%s ", v->good ? "good" : "bad",
            v->good ? "&#10003;" : "&#10007;");
    escape_htmlf(out, "%.16s", v->word);
    fputs("</span>", out);
}

void html_bar(FILE *out, double share, bool pale)
{
    fprintf(out, "<span class=\"bar%s\" style=\"width:%.4g%%\"></span>", pale ? " not" : "",
            share > 0 ? share < 1 ? share * 100 : 100 : 0);
}

/* ---- machines ---- */

static void fact_row(FILE *out, const char *name, const json_t *fact)
{
    const char *from = tree_text(fact, "from", "unknown");
    const json_t *declared = json_object_get(fact, "declared");
    char value[2048], shown[80];
    char *c;

    snprintf(shown, sizeof(shown), "%s", name);
    for (c = shown; *c; c++)
        *c = *c == '_' ? ' ' : *c;
    view_fact(name, json_object_get(fact, "value"), value, sizeof(value));
    fputs("<tr><th scope=\"row\">", out);
    escape_html(out, shown);
    fputs("</th><td>", out);
    escape_html(out, value);
    if (declared) {
        format_json(value, sizeof(value), declared);
        escape_htmlf(out, " (declared: %s)", value);
    }
    fputs("</td><td>", out);
    escape_html(out, from);
    fputs("</td><td class=\"dim opt\">", out);
    escape_html(out, tree_text(fact, "source", ""));
    fputs("</td></tr>\n", out);
}

/* Those after the first tell only what differs from it: that is what a reader looks for, and many
 * machines do not make the page long. */
void html_machine(FILE *out, const json_t *facts, const json_t *first, size_t index)
{
    const char *name;
    const json_t *fact;
    size_t rows = 0;

    fprintf(out, "<section id=\"m%zu\"><h2>Machine %zu</h2>", index + 1, index + 1);
    if (!json_object_size(facts)) {
        fputs("<p>Its facts are not in the record.</p></section>\n", out);
        return;
    }
    if (first)
        fputs("<p class=\"dim\">Facts that are not named here are those of machine 1.</p>", out);
    fputs("<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"facts\"><table>"
          "<caption>Facts and where each comes from</caption><thead><tr>"
          "<th scope=\"col\">fact</th><th scope=\"col\">value</th><th scope=\"col\">origin</th>"
          "<th scope=\"col\" class=\"opt\">source</th></tr></thead><tbody>\n",
          out);
    json_object_foreach((json_t *)facts, name, fact)
    {
        if (rows++ < MOST_FACTS && !json_equal(fact, json_object_get(first, name)))
            fact_row(out, name, fact);
    }
    json_object_foreach((json_t *)first, name, fact)
    {
        if (rows++ < MOST_FACTS && !json_object_get(facts, name))
            fact_row(out, name, NULL);
    }
    fputs("</tbody></table></div></section>\n", out);
}

/* ---- the page ---- */

static struct html_room room_for(size_t runs)
{
    return runs <= 20    ? (struct html_room){160, 140, true}
           : runs <= 100 ? (struct html_room){90, 80, false}
                         : (struct html_room){48, 40, false};
}

int html_runs(FILE *out, const struct view *views, size_t n, const json_t *machines,
              struct assay_err *err)
{
    struct html_room room = room_for(n);
    struct series *s = malloc(sizeof(*s));
    size_t i;

    if (!s)
        return assay_fail(err, ASSAY_EFAIL, "not enough memory for the report");
    for (i = 0; i < n; i++)
        html_run(out, &views[i], &room, s);
    for (i = 0; i < json_array_size(machines); i++)
        html_machine(out, json_array_get(machines, i), i ? json_array_get(machines, 0) : NULL, i);
    free(s);
    return ASSAY_OK;
}

int report_html(const json_t *records, FILE *out, struct assay_err *err)
{
    size_t n = json_array_size(records);
    json_t *machines = NULL;
    struct view *views = NULL;
    int rc = view_all(records, &views, &machines, err);

    if (rc)
        return rc;
    head(out, views, n);
    opening(out, views, n);
    fputs("<main>\n", out);
    if (n > 1)
        html_overview(out, views, n);
    if (n > 1)
        html_fronts(out, views, n);
    if (n > 1)
        html_matrix(out, views, n);
    rc = html_runs(out, views, n, machines, err);
    fputs("</main>\n</body>\n</html>\n", out);
    if (!rc && (fflush(out) || ferror(out)))
        rc = assay_fail(err, ASSAY_EFAIL, "the report cannot be written");
    json_decref(machines);
    free(views);
    return rc;
}
