/* One run in the HTML report.  The order is the reader's, as on the text page: does it count, how
 * much, what must I know, then how it came about, and last how to get it again. */
#include "report/html.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/tree.h"
#include "report/escape.h"
#include "report/format.h"
#include "report/svg.h"

#define MOST_ITEMS 40 /* of a list in the record: reasons, settings … */
#define FEWEST     10 /* samples: below, a distribution says nothing */

static const json_t *at(const json_t *o, const char *key)
{
    return json_object_get(o, key);
}

/* ---- the verdict and the figure ---- */

static void texts(FILE *out, const char *title, const json_t *list)
{
    const json_t *item;
    size_t i;

    if (!json_array_size(list))
        return;
    fprintf(out, "<h3>%s</h3><ul>", title);
    json_array_foreach(list, i, item)
    {
        if (i == MOST_ITEMS) {
            fprintf(out, "<li>… and %zu more</li>", json_array_size(list) - i);
            break;
        }
        if (!json_is_string(item))
            continue;
        fputs("<li>", out);
        escape_html(out, json_string_value(item));
        fputs("</li>", out);
    }
    fputs("</ul>\n", out);
}

static void say_verdict(FILE *out, const struct view *v)
{
    fprintf(out, "<section id=\"%s\"><div class=\"head\"><h2>", v->anchor);
    html_verdict(out, v);
    escape_htmlf(out, " %s, %s%s%s", v->benchmark, v->scenario, *v->mode ? ", " : "", v->mode);
    fputs("</h2><p class=\"dim\">run ", out);
    escape_htmlf(out, "%s, %s, profile %s", *v->id ? v->id : "without id",
                 *v->created ? v->created : "no date", v->profile);
    if (*v->tag)
        escape_htmlf(out, ", tag %s", v->tag);
    fputs("</p>", out);
    if (v->foreign) {
        fputs("<p><span class=\"tag\">imported</span> from ", out);
        escape_html(out, v->foreign);
        fputs(": made on another machine, not checked here</p>", out);
    }
    if (view_synthetic(v))
        fprintf(out,
                "<p class=\"syn\">SYNTHETIC %s: the speed is real, the accuracy means nothing; "
                "never a submission.</p>",
                view_synthetic(v));
}

static void say_figure(FILE *out, const struct view *v)
{
    char value[64], accuracy[64];
    const json_t *acc = at(v->record, "accuracy");

    view_value(v, value);
    view_accuracy(v, accuracy);
    if (*value || *accuracy) {
        fputs("<p class=\"big\">", out);
        escape_html(out, *value ? value : accuracy);
        fputs("</p><p class=\"dim\">", out);
        escape_html(out, *value ? v->metric : tree_text(acc, "metric", "accuracy"));
        fputs("</p>", out);
    }
    fputs("</div>\n", out);
    if (tree_text(at(v->record, "error"), "text", NULL)) {
        fputs("<p class=\"bad\"><strong>Error:</strong> ", out);
        escape_html(out, tree_text(at(v->record, "error"), "text", ""));
        fputs("</p>\n", out);
    }
    texts(out, "Reasons", at(at(v->record, "verdict"), "reasons"));
    texts(out, "Notes", at(at(v->record, "verdict"), "notes"));
}

/* ---- charts and their tables ---- */

static void say_charts(FILE *out, const struct view *v, const struct html_room *room,
                       struct series *s)
{
    struct svg_look look = {v->anchor, room->points, v->bound_ns, v->percentile};
    char why[160];

    if (!series_read(v->record, room->parts, s, why)) {
        if (*why) {
            fputs("<p class=\"dim\">No charts: ", out);
            escape_html(out, why);
            fputs(".</p>\n", out);
        }
        return;
    }
    if (s->completed < FEWEST) {
        fprintf(out, "<p class=\"dim\">No charts: %llu samples are too few.</p>\n",
                (unsigned long long)s->completed);
        return;
    }
    fputs("<div class=\"charts\">", out);
    if (s->axis == SERIES_COMPLETED) {
        fputs("<figure>", out);
        svg_throughput(out, s, &look);
        fputs("<figcaption>All samples are issued at the start; a latency is the time until it "
              "was done.</figcaption></figure>",
              out);
    } else {
        fputs("<figure>", out);
        svg_distribution(out, s, &look);
        if (!strcmp(v->scenario, "MultiStream")) /* the headline is of queries */
            fputs("<figcaption>Of samples; a query takes as long as its slowest.</figcaption>",
                  out);
        fputs("</figure><figure>", out);
        svg_course(out, s, &look);
        fputs("</figure>", out);
    }
    fputs("</div>\n", out);
}

static void say_latency(FILE *out, const struct view *v)
{
    const char *const *key;
    char value[64];

    if (!json_object_size(at(at(v->record, "performance"), "latency_ns")))
        return;
    fputs("<h3>Latency</h3><dl class=\"pct\">", out);
    for (key = view_percentiles; *key; key++)
        if (*view_latency(v, *key, value)) {
            fprintf(out, "<div><dt>%s</dt><dd>", *key);
            escape_html(out, value);
            fputs("</dd></div>", out);
        }
    if (v->bound_ns > 0) {
        format_value(value, v->bound_ns, "ns");
        fputs("<div><dt>bound", out);
        if (v->percentile > 0)
            fprintf(out, " for %.6g %%", v->percentile * 100);
        fputs("</dt><dd>", out);
        escape_html(out, value);
        fputs("</dd></div>", out);
    }
    fputs("</dl>\n", out);
}

static void stage_row(FILE *out, const struct view *v, const struct view_stage *stage, double sum,
                      double samples, bool words)
{
    double ns = view_stage_ns(v, stage->key);
    char value[64];

    format_value(value, ns, "ns");
    fprintf(out, "<tr><th scope=\"row\" class=\"w\">%s</th><td>", stage->name);
    html_bar(out, ns / sum, false);
    fprintf(out, "</td><td class=\"r\">%.1f %%</td><td class=\"r opt\">", 100 * ns / sum);
    escape_html(out, value);
    fputs("</td><td class=\"r\">", out);
    if (samples > 0) {
        format_value(value, ns / samples, "ns");
        escape_html(out, value);
    }
    fputs("</td>", out);
    if (words)
        fprintf(out, "<td class=\"dim opt\">%s</td>", stage->what);
    fputs("</tr>", out);
}

static void say_stages(FILE *out, const struct view *v, bool words)
{
    const json_t *stages = at(v->record, "stages"), *faults = at(v->record, "faults");
    double samples = tree_real(at(v->record, "performance"), "samples", 0);
    double sum = view_stages_sum(v);
    double ahead = tree_real(stages, "pack_ahead_ns", 0);
    const struct view_stage *stage;
    char value[64];

    if (sum <= 0)
        return;
    fprintf(out,
            "<h3>Where the time of the lanes goes</h3><div class=\"wide\" tabindex=\"0\" "
            "role=\"region\" aria-label=\"stages\"><table class=\"bars\"><thead><tr>"
            "<th scope=\"col\">stage</th><td></td><th scope=\"col\" class=\"r\">share</th>"
            "<th scope=\"col\" class=\"r opt\">time</th><th scope=\"col\" class=\"r\">a sample</th>"
            "%s</tr></thead><tbody>",
            words ? "<th scope=\"col\" class=\"opt\">what</th>" : "");
    for (stage = view_stages; stage->key; stage++)
        stage_row(out, v, stage, sum, samples, words);
    fputs("</tbody></table></div><p class=\"dim\">", out);
    if (json_is_number(at(stages, "lane_busy_fraction")))
        escape_htmlf(out, "Lanes busy %.1f %%. ", 100 * tree_real(stages, "lane_busy_fraction", 0));
    if (ahead > 0) {
        format_value(value, ahead, "ns");
        escape_htmlf(out, "Batches were packed meanwhile, in %s. ", value);
    }
    if (json_is_integer(at(stages, "batches")))
        escape_htmlf(out, "%lld batches of %.1f samples. ",
                     (long long)tree_int(stages, "batches", 0), tree_real(stages, "mean_batch", 0));
    if (json_is_object(faults))
        escape_htmlf(out, "Page faults: %lld major, %lld minor.",
                     (long long)tree_int(faults, "major", 0),
                     (long long)tree_int(faults, "minor", 0));
    fputs("</p>\n", out);
}

/* ---- how it came about ---- */

static void fact(FILE *out, const char *label, const char *fmt, ...) ASSAY_PRINTF(3, 4);
static void fact(FILE *out, const char *label, const char *fmt, ...)
{
    char buf[2048];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(buf, sizeof(buf), fmt, ap);
    va_end(ap);
    if (!buf[strspn(buf, " ,")])
        return;
    fprintf(out, "<dt>%s</dt><dd>", label);
    escape_html(out, buf);
    fputs("</dd>", out);
}

static void say_accuracy(FILE *out, const struct view *v)
{
    const json_t *a = at(v->record, "accuracy");
    char value[64], target[64] = "", count[80] = "", reached[160];

    if (!*view_accuracy(v, value))
        return;
    if (json_is_integer(at(a, "total")))
        snprintf(count, sizeof(count), ", %lld samples", (long long)tree_int(a, "total", 0));
    fact(out, "accuracy", "%s %s%s", tree_text(a, "metric", ""), value, count);
    if (json_is_number(at(a, "target"))) {
        format_exact(target, tree_real(a, "target", 0), tree_text(a, "unit", ""));
        format_reached(reached, a);
        fact(out, "accuracy target", "%s%s", target, reached);
    }
}

static void say_energy(FILE *out, const struct view *v)
{
    char energy[700];

    fact(out, "energy", "%s", view_energy(v, energy, sizeof(energy)));
}

static void say_issued(FILE *out, const struct view *v)
{
    const json_t *p = at(v->record, "performance");
    long long queries = tree_int(p, "queries", 0);
    char samples[80] = "", seconds[80] = "";

    if (!json_is_integer(at(p, "queries")))
        return;
    if (json_is_integer(at(p, "samples")))
        snprintf(samples, sizeof(samples), ", %lld samples", (long long)tree_int(p, "samples", 0));
    if (json_is_number(at(p, "duration_s")))
        snprintf(seconds, sizeof(seconds), ", %.5g s", tree_real(p, "duration_s", 0));
    fact(out, "issued", "%lld %s%s%s", queries, queries == 1 ? "query" : "queries", samples,
         seconds);
}

static void say_options(FILE *out, const json_t *options)
{
    const json_t *value;
    const char *key;
    char one[200];
    size_t n = 0;

    if (!json_object_size(options))
        return;
    fputs("<dt>engine options</dt><dd>", out);
    json_object_foreach((json_t *)options, key, value)
    {
        if (n == MOST_ITEMS)
            break;
        format_json(one, sizeof(one), value);
        escape_htmlf(out, "%s%.80s=%s", n++ ? ", " : "", key, one);
    }
    fputs("</dd>", out);
}

static void say_settings(FILE *out, const json_t *settings)
{
    const char *name, *origin;
    const json_t *row;
    char value[300];
    size_t n = 0;

    json_object_foreach((json_t *)settings, name, row)
    {
        origin = tree_text(row, "origin", "unknown");
        if (!strcmp(origin, "default") || n == MOST_ITEMS)
            continue;
        format_json(value, sizeof(value), at(row, "value"));
        fputs(n++ ? "; " : "<dt>settings, with origin</dt><dd>", out);
        escape_htmlf(out, "%.80s %s (%.40s)", name, value, origin);
    }
    fputs(n ? "</dd>" : "", out);
}

static void say_tuning(FILE *out, const json_t *t)
{
    const json_t *value;
    const char *key;
    char found[600] = "";
    size_t n = 0;

    if (!json_is_object(t))
        return;
    if (!tree_bool(t, "used", false)) {
        fact(out, "tuned", "not used: %s", tree_text(t, "why", "no reason was given"));
        return;
    }
    json_object_foreach((json_t *)at(t, "found"), key, value)
    {
        if (n < sizeof(found) - 1)
            n += (size_t)snprintf(found + n, sizeof(found) - n, "%s%.60s %.60s", n ? ", " : "",
                                  strncmp(key, "option.", 7) ? key : key + 7,
                                  json_is_string(value) ? json_string_value(value) : "?");
    }
    fact(out, "tuned", "%s", *found ? found : tree_text(t, "why", "the default is best"));
    if (json_is_number(at(t, "gain")))
        fact(out, "gain by tuning", "%.3g times the default's speed", tree_real(t, "gain", 0));
}

static void say_trials(FILE *out, const json_t *trials)
{
    const json_t *t;
    size_t i;

    if (!json_array_size(trials))
        return;
    fputs("<dt>trials of the search</dt><dd>", out);
    json_array_foreach(trials, i, t)
    {
        if (i == MOST_ITEMS)
            break;
        if (tree_bool(t, "gave_up", false))
            escape_htmlf(out, "%s%.6g qps too much (given up)", i ? "; " : "",
                         tree_real(t, "qps", 0));
        else
            escape_htmlf(out, "%s%.6g qps %s (p99 %.4g ms)", i ? "; " : "", tree_real(t, "qps", 0),
                         tree_bool(t, "valid", false) ? "ok" : "too much",
                         tree_real(t, "p99_ms", 0));
    }
    fputs("</dd>", out);
}

static void say_things(FILE *out, const struct view *v)
{
    const json_t *r = v->record, *model = at(r, "model"), *data = at(r, "dataset");
    const json_t *engine = at(r, "engine");

    fputs("<h3>How it came about</h3><dl class=\"facts\">", out);
    say_accuracy(out, v);
    say_issued(out, v);
    say_energy(out, v);
    fact(out, "model", "%.200s, %.40s %.40s", v->model, tree_text(model, "format", ""),
         tree_text(model, "precision", ""));
    if (tree_text(model, "sha256", NULL))
        fact(out, "model's SHA-256", "%.64s", tree_text(model, "sha256", ""));
    if (json_is_object(data))
        fact(out, "data set", "%.200s, %lld samples, %lld in the performance set",
             tree_text(data, "name", "unnamed"), (long long)tree_int(data, "samples", 0),
             (long long)tree_int(data, "performance_samples", 0));
    fact(out, "engine", "%.100s %.60s on %.60s, %.40s", v->engine, v->version,
         *v->device ? v->device : "unknown device", v->precision);
    if (json_is_integer(at(engine, "lanes")))
        fact(out, "lanes x threads, batch", "%lld x %lld, %lld",
             (long long)tree_int(engine, "lanes", 0), (long long)tree_int(engine, "threads", 0),
             (long long)tree_int(engine, "batch", 0));
    say_options(out, at(engine, "options"));
    say_settings(out, at(r, "settings"));
    say_tuning(out, at(r, "tuning"));
    say_trials(out, at(r, "trials"));
    fact(out, "LoadGen", "%.40s", tree_text(at(r, "loadgen"), "version", "unknown"));
    fact(out, "Assay", "%.40s", tree_text(at(r, "assay"), "version", "unknown"));
}

/* The machine is told once for all runs on it; what changes by the minute stands here. */
static void say_machine(FILE *out, const struct view *v)
{
    const json_t *system = at(v->record, "system");
    const json_t *load = at(at(system, "load_average"), "value");

    fprintf(out, "<dt>machine</dt><dd><a href=\"#m%zu\">machine %zu</a>", v->machine + 1,
            v->machine + 1);
    escape_htmlf(out, " %s", tree_text(at(system, "processor"), "value", ""));
    if (json_is_number(load))
        escape_htmlf(out, ", load %.3g at the start", json_number_value(load));
    fputs("</dd></dl>\n", out);
}

static void say_command(FILE *out, const struct view *v)
{
    char *command = view_command(v);

    if (command && *command) {
        fputs("<h3>Again</h3><pre><code>", out);
        escape_html_whole(out, command);
        fputs("</code></pre>\n", out);
    }
    free(command);
}

void html_run(FILE *out, const struct view *v, const struct html_room *room, struct series *s)
{
    say_verdict(out, v);
    say_figure(out, v);
    say_charts(out, v, room, s);
    say_latency(out, v);
    say_stages(out, v, room->words);
    say_things(out, v);
    say_machine(out, v);
    say_command(out, v);
    fputs("</section>\n", out);
}
