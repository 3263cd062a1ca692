/* The table of an exploration, and its page: see explore.h. */
#include "report/explore.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/tree.h"
#include "record/front.h"
#include "report/escape.h"
#include "report/format.h"
#include "report/html.h"
#include "report/svg.h"

#define CELL       64
#define MODEL_MOST 40

enum {
    MARK,
    SETUP,
    MODEL, /* where there are several */
    LANES,
    THREADS,
    BATCH,
    RATE,
    LATENCY,
    ACCURACY,
    MEMORY,
    ENERGY,
    RUN,
    ID,
    COLUMNS
};
static const char *const titles[COLUMNS] = {"",       "SETUP", "MODEL",   "LANES",    "THREADS",
                                            "BATCH",  "RATE",  "LATENCY", "ACCURACY", "MEMORY",
                                            "ENERGY", "RUN",   "ID"};

static void number(char *out, const json_t *p, const char *key)
{
    if (tree_int(p, key, 0))
        snprintf(out, CELL, "%lld", (long long)tree_int(p, key, 0));
}

static void figure(char *out, const json_t *p, const char *key, double factor, const char *unit)
{
    char text[64];

    if (!json_is_number(json_object_get(p, key)))
        return;
    format_value(text, tree_real(p, key, 0) * factor, unit);
    snprintf(out, CELL, "%s", text);
}

static void fill(char cell[COLUMNS][CELL], const json_t *p)
{
    memset(cell, 0, sizeof(char[COLUMNS][CELL]));
    snprintf(cell[MARK], CELL, "%s", tree_bool(p, "front", false) ? "*" : "");
    snprintf(cell[SETUP], CELL, "%.20s %.8s%s%.20s", tree_text(p, "engine", "?"),
             tree_text(p, "precision", "?"),
             strcmp(tree_text(p, "device", "cpu"), "cpu") ? " " : "",
             strcmp(tree_text(p, "device", "cpu"), "cpu") ? tree_text(p, "device", "") : "");
    number(cell[LANES], p, "lanes");
    number(cell[THREADS], p, "threads");
    number(cell[BATCH], p, "batch");
    figure(cell[RATE], p, "throughput", 1, "/s");
    figure(cell[LATENCY], p, "latency_ms", 1e6, "ns");
    if (json_is_number(json_object_get(p, "accuracy")))
        snprintf(cell[ACCURACY], CELL, "%.5g", tree_real(p, "accuracy", 0));
    figure(cell[MEMORY], p, "memory_bytes", 1e-6, "MB");
    figure(cell[ENERGY], p, "energy_j", 1, "J");
    snprintf(cell[RUN], CELL, "%s", tree_bool(p, "full", false) ? "full" : "short");
    snprintf(cell[ID], CELL, "%.8s", tree_text(p, "id", ""));
    for (int c = 0; c < COLUMNS; c++)
        format_clean(cell[c]);
}

static bool several_models(const json_t *points)
{
    const char *first = tree_text(json_array_get(points, 0), "model", "");
    const json_t *p;
    size_t i;

    json_array_foreach(points, i, p)
    {
        if (strcmp(tree_text(p, "model", ""), first) != 0)
            return true;
    }
    return false;
}

/* The end of a path tells more than its beginning. */
static void fill_model(char cell[COLUMNS][CELL], const json_t *p, bool models)
{
    const char *model = tree_text(p, "model", "?");
    size_t n = strlen(model);

    fill(cell, p);
    if (n > MODEL_MOST)
        for (model += n - MODEL_MOST; ((unsigned char)*model & 0xc0) == 0x80;)
            model++;
    snprintf(cell[MODEL], CELL, "%s", models ? model : "");
    format_clean(cell[MODEL]);
}

static void print_row(const char cell[COLUMNS][CELL], const size_t width[COLUMNS], FILE *out)
{
    for (int c = 0; c < COLUMNS; c++) {
        size_t n = format_columns(cell[c]);
        int gap = (int)(width[c] > n ? width[c] - n : 0);
        bool right = c >= LANES && c <= ENERGY;

        if (!width[c] && c)
            continue;
        fprintf(out, "%s%*s%s%*s", c ? "  " : "", right ? gap : 0, "", cell[c],
                right || c == ID ? 0 : gap, "");
    }
    fputc('\n', out);
}

/* What the energy is of, and where it is none of the front's figures; "" where there is none. */
static void energy_words(const json_t *points, char out[160])
{
    const char *of = NULL;
    const json_t *p;
    size_t i;

    json_array_foreach(points, i, p)
    {
        if (!of && json_is_number(json_object_get(p, "energy_j")))
            of = tree_text(p, "energy_of", "?");
    }
    out[0] = 0;
    if (of)
        snprintf(out, 160, "Energy of a sample (%.40s)%s", of,
                 front_has_energy(points)
                     ? ""
                     : "; not every point has the same, so the front is without it");
    format_clean(out);
}

/* Points that are out, with the reason, below the others. */
static void print_out(const json_t *points, bool models, FILE *out)
{
    char cell[COLUMNS][CELL], reason[300];
    const json_t *p;
    bool first = true;
    size_t i;

    json_array_foreach(points, i, p)
    {
        if (!tree_bool(p, "out", false))
            continue;
        fill_model(cell, p, models);
        snprintf(reason, sizeof(reason), "%s", tree_text(p, "reason", ""));
        format_clean(reason);
        fprintf(out, "%s  %s%s%s: %s%s%s\n", first ? "\nOut\n" : "", cell[SETUP], models ? " " : "",
                cell[MODEL], reason, *cell[ID] ? "  " : "", cell[ID]);
        first = false;
    }
}

int report_explore(const json_t *points, FILE *out)
{
    char cell[COLUMNS][CELL], energy[160];
    bool models = several_models(points);
    size_t width[COLUMNS] = {0}, i;
    const json_t *p;

    json_array_foreach(points, i, p)
    {
        fill_model(cell, p, models);
        for (int c = 0; c < COLUMNS && !tree_bool(p, "out", false); c++)
            if (format_columns(cell[c]) > width[c])
                width[c] = format_columns(cell[c]);
    }
    width[MARK] = 1;
    for (int c = 0; c < COLUMNS; c++) {
        snprintf(cell[c], CELL, "%s", titles[c]);
        if (width[c] && strlen(titles[c]) > width[c])
            width[c] = strlen(titles[c]);
    }
    print_row(cell, width, out);
    json_array_foreach(points, i, p)
    {
        if (tree_bool(p, "out", false))
            continue;
        fill_model(cell, p, models);
        print_row(cell, width, out);
    }
    energy_words(points, energy);
    if (*energy)
        fprintf(out, "\n%s\n", energy);
    print_out(points, models, out);
    return fflush(out) || ferror(out) ? ASSAY_EFAIL : ASSAY_OK;
}

/* ---- the page ---- */

/* What can be drawn: an edited file may say anything. */
#define MOST_VALUE 1e30

struct page {
    FILE *out;
    const json_t *points, *best;
    const struct view *views; /* of the runs that are in the page */
    size_t runs;
    bool models; /* several: a setup says its own */
};

/* The run of a point; NULL: it is not in the page. */
static const struct view *run_of(const struct page *page, const json_t *point)
{
    const char *id = tree_text(point, "id", "");

    for (size_t i = 0; i < page->runs && *id; i++)
        if (!strcmp(page->views[i].id, id))
            return &page->views[i];
    return NULL;
}

static void setup_words(const struct page *page, const json_t *p, char *out, size_t size)
{
    char cell[COLUMNS][CELL];

    fill(cell, p);
    snprintf(out, size, "%s%s%.120s", cell[SETUP], page->models ? ", " : "",
             page->models ? tree_text(p, "model", "?") : "");
    format_clean(out);
}

static bool drawn(const json_t *p, const char *key)
{
    double value = tree_real(p, key, NAN);

    return !tree_bool(p, "out", false) && fabs(value) < MOST_VALUE && value > 0;
}

static int by_x(const void *a, const void *b)
{
    const struct svg_point *x = a, *y = b;

    return (x->x > y->x) - (x->x < y->x);
}

/* The rate against another figure, where two points have both. */
static int chart(const struct page *page, const char *key, const struct svg_front *look,
                 struct assay_err *err)
{
    struct svg_point *dots = malloc((json_array_size(page->points) + 1) * sizeof(*dots));
    const struct view *v;
    char cell[COLUMNS][CELL], setup[300];
    const json_t *p;
    size_t i, n = 0;

    if (!dots)
        return assay_fail(err, ASSAY_EFAIL, "not enough memory for the page");
    json_array_foreach(page->points, i, p)
    {
        if (!drawn(p, "throughput") || !drawn(p, key))
            continue;
        fill(cell, p);
        setup_words(page, p, setup, sizeof(setup));
        v = run_of(page, p);
        dots[n] = (struct svg_point){.anchor = v ? v->anchor : NULL,
                                     .x = tree_real(p, key, 0),
                                     .y = tree_real(p, "throughput", 0),
                                     .front = tree_bool(p, "front", false)};
        snprintf(dots[n++].label, sizeof(dots[0].label),
                 "%.200s, lanes %.20s, threads %.20s, batch %.20s: %.40s, %.40s", setup,
                 cell[LANES], cell[THREADS], cell[BATCH], cell[RATE], cell[LATENCY]);
    }
    qsort(dots, n, sizeof(*dots), by_x);
    if (n > 1) {
        fputs("<figure>", page->out);
        svg_front(page->out, dots, n, look);
        fputs("</figure>\n", page->out);
    }
    free(dots);
    return ASSAY_OK;
}

static void point_link(const struct page *page, const json_t *p, const char *id)
{
    const struct view *v = run_of(page, p);

    if (v)
        fprintf(page->out, "<a href=\"#%s\">", v->anchor);
    escape_html(page->out, id);
    fputs(v ? "</a>" : "", page->out);
}

static void table_row(const struct page *page, const json_t *p, const bool shown[COLUMNS])
{
    char cell[COLUMNS][CELL], setup[300];

    fill(cell, p);
    setup_words(page, p, setup, sizeof(setup));
    fprintf(page->out, "<tr><td>%s%s</td><th scope=\"row\">",
            tree_bool(p, "front", false) ? "&#10003; front" : "dominated",
            page->best && json_equal(p, page->best) ? ", <strong>best</strong>" : "");
    escape_html(page->out, setup);
    fputs("</th>", page->out);
    for (int c = LANES; c < COLUMNS; c++) {
        if (!shown[c])
            continue;
        fputs(c <= ENERGY ? "<td class=\"r\">" : "<td>", page->out);
        if (c == ID)
            point_link(page, p, cell[c]);
        else
            escape_html(page->out, cell[c]);
        fputs("</td>", page->out);
    }
    fputs("</tr>\n", page->out);
}

static void table(const struct page *page)
{
    static const char *const words[COLUMNS] = {
        "front",   "setup",    "model",       "lanes",           "threads", "batch", "rate",
        "latency", "accuracy", "peak memory", "energy a sample", "run",     "id"};
    char cell[COLUMNS][CELL], energy[160];
    bool shown[COLUMNS] = {false};
    const json_t *p;
    size_t i;

    json_array_foreach(page->points, i, p)
    {
        fill(cell, p);
        for (int c = 0; c < COLUMNS && !tree_bool(p, "out", false); c++)
            shown[c] = shown[c] || *cell[c];
    }
    fputs("<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"configurations\">"
          "<table class=\"matrix\"><thead><tr>",
          page->out);
    for (int c = 0; c < COLUMNS; c++)
        if (shown[c] || c < MODEL)
            fprintf(page->out, "<th scope=\"col\"%s>%s</th>",
                    c >= LANES && c <= ENERGY ? " class=\"r\"" : "", words[c]);
    fputs("</tr></thead><tbody>\n", page->out);
    json_array_foreach(page->points, i, p)
    {
        if (!tree_bool(p, "out", false))
            table_row(page, p, shown);
    }
    fputs("</tbody></table></div>\n", page->out);
    energy_words(page->points, energy);
    if (!*energy)
        return;
    fputs("<p>", page->out);
    escape_htmlf(page->out, "%s.", energy);
    fputs("</p>\n", page->out);
}

static void list_out(const struct page *page)
{
    char setup[300];
    const json_t *p;
    bool first = true;
    size_t i;

    json_array_foreach(page->points, i, p)
    {
        if (!tree_bool(p, "out", false))
            continue;
        setup_words(page, p, setup, sizeof(setup));
        fprintf(page->out, "%s<li>", first ? "<h3>Out</h3><ul>" : "");
        escape_htmlf(page->out, "%s: %s ", setup, tree_text(p, "reason", ""));
        snprintf(setup, sizeof(setup), "%.8s", tree_text(p, "id", ""));
        point_link(page, p, setup);
        fputs("</li>\n", page->out);
        first = false;
    }
    fputs(first ? "" : "</ul>\n", page->out);
}

static void opening(const struct page *page)
{
    const struct view *v = page->runs ? &page->views[0] : NULL;
    size_t i, n = json_array_size(page->points), front = 0, synthetic = 0;
    const json_t *p;

    json_array_foreach(page->points, i, p) front += tree_bool(p, "front", false);
    for (i = 0; i < page->runs; i++)
        synthetic += view_synthetic(&page->views[i]) != NULL;
    html_begin(page->out);
    escape_htmlf(page->out, "Assay: exploration%s%s%s%s", v ? " of " : "", v ? v->benchmark : "",
                 v ? ", " : "", v ? v->scenario : "");
    html_body(page->out);
    fputs("<header><h1>Exploration</h1><p>", page->out);
    if (v)
        escape_htmlf(page->out, "%s, %s: ", v->benchmark, v->scenario);
    fprintf(
        page->out,
        "%zu configurations, %zu on the front. <span class=\"dim\">Unverified: judged by Assay, "
        "not an MLCommons result.</span></p>",
        n, front);
    if (synthetic)
        fputs(
            "<p class=\"syn\">SYNTHETIC weights or samples: the speed is real, the accuracy means "
            "nothing; never a submission.</p>",
            page->out);
    fputs("</header>\n<main>\n<section><h2>The front</h2><p>No other configuration is at least as "
          "good as one of these in rate, latency, accuracy, memory and energy, and better in one; "
          "filled in the charts. The others are dominated.</p>\n",
          page->out);
}

static int write_page(const struct page *page, const json_t *machines, struct assay_err *err)
{
    bool offline = page->runs && !strcmp(page->views[0].scenario, "Offline");
    int rc;

    opening(page);
    fputs("<div class=\"charts\">", page->out);
    rc = chart(page, "latency_ms",
               &(struct svg_front){.number = 1,
                                   .name = "Rate against latency",
                                   .title = "Samples a second against latency",
                                   .unit = "",
                                   .what = offline ? "time of a batch, ms" : "latency, ms"},
               err);
    if (!rc)
        rc = chart(page, "accuracy",
                   &(struct svg_front){.number = 2,
                                       .name = "Rate against accuracy",
                                       .title = "Samples a second against accuracy",
                                       .unit = "",
                                       .what = "accuracy"},
                   err);
    fputs("</div>\n", page->out);
    table(page);
    list_out(page);
    fputs("</section>\n", page->out);
    if (!rc)
        rc = html_runs(page->out, page->views, page->runs, machines, err);
    fputs("</main>\n</body>\n</html>\n", page->out);
    if (!rc && (fflush(page->out) || ferror(page->out)))
        rc = assay_fail(err, ASSAY_EFAIL, "the page cannot be written");
    return rc;
}

int report_explore_html(const json_t *points, const json_t *best, const json_t *records, FILE *out,
                        struct assay_err *err)
{
    struct page page = {
        .out = out, .points = points, .best = best, .models = several_models(points)};
    json_t *machines = NULL;
    struct view *views = NULL;
    int rc = view_all(records, &views, &machines, err);

    if (rc)
        return rc;
    page.views = views;
    page.runs = json_array_size(records);
    rc = write_page(&page, machines, err);
    json_decref(machines);
    free(views);
    return rc;
}
