/* Speed against accuracy in the HTML report: the front of what no other run beats in both.
 *
 * A run of one benchmark, scenario, metric and unit is a point if it is valid, nothing in it is
 * synthetic (its accuracy would mean nothing), and its accuracy is known: its own, or that of a
 * valid run of the same model, engine, device and precision on the same data.  More accuracy is
 * better for every benchmark.  Points that are beaten stay, pale. */
#include "report/html.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/tree.h"
#include "record/record.h"
#include "report/escape.h"
#include "report/format.h"
#include "report/svg.h"

static bool same_text(const json_t *a, const json_t *b, const char *part, const char *key)
{
    const char *x = tree_text(json_object_get(a, part), key, "");
    const char *y = tree_text(json_object_get(b, part), key, "");

    return !strcmp(x, y);
}

static bool is_real(const struct view *v)
{
    return v->good && !v->unsure && !view_synthetic(v);
}

/* What can be drawn: an edited record may say anything. */
#define MOST_VALUE    1e30
#define MOST_ACCURACY 1e9

static bool has_accuracy(const struct view *v)
{
    const json_t *value = json_object_get(json_object_get(v->record, "accuracy"), "value");

    return json_is_number(value) && fabs(json_number_value(value)) < MOST_ACCURACY;
}

/* The run that says how accurate v is; NULL: none does. */
static const struct view *accuracy_of(const struct view *v, const struct view *views, size_t n)
{
    static const char *const keys[][2] = {
        {"model", "name"},  {"model", "sha256"},   {"dataset", "name"},  {"dataset", "hash"},
        {"engine", "name"}, {"engine", "version"}, {"engine", "device"}, {"engine", "precision"}};
    size_t i, k;

    if (has_accuracy(v))
        return v;
    if (record_is_of_logs(v->record)) /* what ran is not known */
        return NULL;
    for (i = 0; i < n; i++) {
        if (strcmp(views[i].benchmark, v->benchmark) || !is_real(&views[i]) ||
            !has_accuracy(&views[i]) || record_is_of_logs(views[i].record))
            continue;
        for (k = 0; k < sizeof(keys) / sizeof(keys[0]); k++)
            if (!same_text(v->record, views[i].record, keys[k][0], keys[k][1]))
                break;
        if (k == sizeof(keys) / sizeof(keys[0]))
            return &views[i];
    }
    return NULL;
}

static bool beats(const struct svg_point *a, const struct svg_point *b, bool less)
{
    double speed = less ? b->y - a->y : a->y - b->y;

    return a->x >= b->x && speed >= 0 && (a->x > b->x || speed > 0);
}

static void mark_front(struct svg_point *points, size_t n, bool less)
{
    for (size_t i = 0; i < n; i++) {
        points[i].front = true;
        for (size_t k = 0; k < n && points[i].front; k++)
            points[i].front = !beats(&points[k], &points[i], less);
    }
}

static int by_accuracy(const void *a, const void *b)
{
    const struct svg_point *x = a, *y = b;

    if (x->x != y->x)
        return x->x > y->x ? -1 : 1;
    return (x->view > y->view) - (x->view < y->view);
}

static bool belongs(const struct view *a, const struct view *b)
{
    return is_real(b) && b->has_value && b->value > 0 && b->value < MOST_VALUE &&
           view_comparable(a, b);
}

static struct svg_point make_point(const struct view *v, const struct view *source)
{
    struct svg_point p = {
        .view = v,
        .source = source,
        .anchor = v->anchor,
        .x = tree_real(json_object_get(source->record, "accuracy"), "value", 0),
        .y = v->value,
    };
    char setup[300], value[64];

    view_setup(v, setup, sizeof(setup));
    snprintf(p.label, sizeof(p.label), "%s: %s, accuracy %.6g", setup, view_value(v, value), p.x);
    return p;
}

static void row(FILE *out, const struct svg_point *p)
{
    char setup[300], value[64], accuracy[64];

    view_setup(p->view, setup, sizeof(setup));
    fprintf(out, "<tr><td>%s</td><th scope=\"row\">", p->front ? "&#10003; front" : "beaten");
    escape_html(out, setup);
    fprintf(out, " <a href=\"#%s\">", p->view->anchor);
    escape_htmlf(out, "%.8s", *p->view->id ? p->view->id : p->view->anchor);
    fputs("</a></th><td class=\"r\">", out);
    escape_html(out, view_value(p->view, value));
    fputs("</td><td class=\"r\">", out);
    escape_html(out, view_accuracy(p->source, accuracy));
    if (p->source != p->view) {
        fprintf(out, " <a href=\"#%s\">", p->source->anchor);
        escape_htmlf(out, "%.8s", *p->source->id ? p->source->id : p->source->anchor);
        fputs("</a>", out);
    }
    fputs("</td></tr>\n", out);
}

static void front(FILE *out, struct svg_point *points, size_t n, size_t number)
{
    const struct view *v = points[0].view;
    const json_t *accuracy = json_object_get(points[0].source->record, "accuracy");
    double target = tree_real(accuracy, "target", 0);
    char title[200], what[64];

    qsort(points, n, sizeof(*points), by_accuracy);
    mark_front(points, n, v->less_is_better);
    snprintf(title, sizeof(title), "%.40s, %.20s: %.60s", v->benchmark, v->scenario, v->metric);
    fputs("<figure>", out);
    snprintf(what, sizeof(what), "accuracy (%.30s)", tree_text(accuracy, "metric", "accuracy"));
    svg_front(out, points, n,
              &(struct svg_front){.number = number,
                                  .name = "Speed against accuracy",
                                  .title = title,
                                  .unit = v->less_is_better ? "ns" : "",
                                  .what = what,
                                  .target = target < MOST_ACCURACY ? target : 0,
                                  .line = true});
    view_headline(v, title, sizeof(title));
    fputs("<figcaption>", out);
    escape_html(out, title);
    fputs(". Filled: no other run here is better in one and not worse in the other."
          "</figcaption></figure><div class=\"wide\" tabindex=\"0\" role=\"region\" "
          "aria-label=\"front\"><table><thead><tr><th scope=\"col\">front</th>"
          "<th scope=\"col\">setup</th><th scope=\"col\" class=\"r\">figure</th>"
          "<th scope=\"col\" class=\"r\">accuracy</th></tr></thead><tbody>\n",
          out);
    for (size_t i = 0; i < n; i++)
        row(out, &points[i]);
    fputs("</tbody></table></div>\n", out);
}

void html_fronts(FILE *out, const struct view *views, size_t n)
{
    struct svg_point *points = malloc((n ? n : 1) * sizeof(*points));
    bool *done = calloc(n ? n : 1, sizeof(*done));
    size_t i, k, m, number = 0;

    for (i = 0; points && done && i < n; i++) {
        for (k = i, m = 0; k < n; k++) {
            const struct view *source;

            if (done[k] || !belongs(&views[i], &views[k]) ||
                !(source = accuracy_of(&views[k], views, n)))
                continue;
            done[k] = true;
            points[m++] = make_point(&views[k], source);
        }
        if (m < 2)
            continue;
        fputs(number ? "" : "<section><h2>Speed and accuracy</h2>\n", out);
        front(out, points, m, ++number);
    }
    fputs(number ? "</section>\n" : "", out);
    free(points);
    free(done);
}
