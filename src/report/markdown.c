/* The Markdown report: the HTML report's words and tables, without charts. */
#include <stdlib.h>
#include <string.h>

#include "base/tree.h"
#include "report/escape.h"
#include "report/format.h"
#include "report/grid.h"
#include "report/pages.h"
#include "report/view.h"

#define MOST_ITEMS 40
#define MOST_FACTS 200

static const json_t *at(const json_t *o, const char *key)
{
    return json_object_get(o, key);
}

static void cell(FILE *out, const char *text)
{
    escape_markdown(out, text);
    fputs(" | ", out);
}

/* ---- overview ---- */

static void overview(FILE *out, const struct view *views, size_t n)
{
    bool energy = view_any_energy(views, n);
    char setup[300], value[64];
    size_t i;

    fprintf(out,
            "| verdict | run | benchmark | setup | scenario | mode | figure | p99 | accuracy "
            "%s| data |\n|---|---|---|---|---|---|---:|---:|---:|%s---|\n",
            energy ? "| energy a sample " : "", energy ? "---:|" : "");
    for (i = 0; i < n; i++) {
        const struct view *v = &views[i];

        view_setup(v, setup, sizeof(setup));
        fprintf(out, "| %s ", v->good ? "✓" : "✗");
        cell(out, v->word);
        escape_markdownf(out, "%.8s", *v->id ? v->id : v->anchor);
        fputs(" | ", out);
        cell(out, v->benchmark);
        cell(out, setup);
        cell(out, v->scenario);
        cell(out, v->mode);
        cell(out, view_value(v, value));
        cell(out, view_latency(v, "p99", value));
        cell(out, view_accuracy(v, value));
        if (energy)
            cell(out, view_energy_per_sample(v, value));
        fprintf(out, "%s%s |\n", view_synthetic(v) ? "SYNTHETIC" : "",
                !v->foreign         ? ""
                : view_synthetic(v) ? ", imported"
                                    : "imported");
    }
    fputc('\n', out);
}

static void matrix(FILE *out, const struct view *views, size_t n)
{
    json_t *grid = grid_of_views(views, n);

    if (!grid)
        return;
    fputs("## What works\n\n", out);
    grid_markdown(grid, "###", out);
    fputc('\n', out);
    json_decref(grid);
}

/* ---- a run ---- */

static void texts(FILE *out, const char *what, const json_t *list)
{
    const json_t *item;
    size_t i;

    json_array_foreach(list, i, item)
    {
        if (i == MOST_ITEMS)
            return;
        if (!json_is_string(item))
            continue;
        fprintf(out, "- %s: ", what);
        escape_markdown(out, json_string_value(item));
        fputc('\n', out);
    }
}

static void item(FILE *out, const char *label, const char *text)
{
    if (!*text)
        return;
    fprintf(out, "- %s: ", label);
    escape_markdown(out, text);
    fputc('\n', out);
}

static void say_head(FILE *out, const struct view *v)
{
    char value[64], energy[700];

    fprintf(out, "## %s ", v->good ? "✓" : "✗");
    escape_markdownf(out, "%s %s, %s, %s", v->word, v->benchmark, v->scenario, v->mode);
    fputs("\n\n", out);
    if (view_synthetic(v))
        fprintf(out,
                "**SYNTHETIC %s: the speed is real, the accuracy means nothing; never a "
                "submission.**\n\n",
                view_synthetic(v));
    view_value(v, value);
    if (*value) {
        fputs("**", out);
        escape_markdown(out, value);
        fputs("** ", out);
        escape_markdown(out, v->metric);
        fputs("\n\n", out);
    }
    item(out, "run", v->id);
    item(out, "date", v->created);
    item(out, "profile", v->profile);
    item(out, "tag", v->tag);
    if (v->foreign)
        item(out, "imported from", v->foreign);
    item(out, "error", tree_text(at(v->record, "error"), "text", ""));
    texts(out, "reason", at(at(v->record, "verdict"), "reasons"));
    texts(out, "note", at(at(v->record, "verdict"), "notes"));
    item(out, "accuracy", view_accuracy(v, value));
    item(out, "energy", view_energy(v, energy, sizeof(energy)));
}

static void say_latency(FILE *out, const struct view *v)
{
    const char *const *key;
    char value[64];

    if (!json_object_size(at(at(v->record, "performance"), "latency_ns")))
        return;
    fputs("\n| latency | |\n|---|---:|\n", out);
    for (key = view_percentiles; *key; key++)
        if (*view_latency(v, *key, value)) {
            fprintf(out, "| %s | ", *key);
            cell(out, value);
            fputc('\n', out);
        }
    if (v->bound_ns > 0) {
        format_value(value, v->bound_ns, "ns");
        fprintf(out, "| bound for %.6g %% | ", v->percentile * 100);
        cell(out, value);
        fputc('\n', out);
    }
}

static void say_stages(FILE *out, const struct view *v)
{
    const struct view_stage *stage;
    double sum = view_stages_sum(v);
    char value[64];

    if (sum <= 0)
        return;
    fputs("\n| stage | share | time of all lanes |\n|---|---:|---:|\n", out);
    for (stage = view_stages; stage->key; stage++) {
        double ns = view_stage_ns(v, stage->key);

        format_value(value, ns, "ns");
        fprintf(out, "| %s | %.1f %% | %s |\n", stage->name, 100 * ns / sum, value);
    }
}

static void say_things(FILE *out, const struct view *v)
{
    const json_t *r = v->record, *model = at(r, "model"), *data = at(r, "dataset"), *row;
    const char *name, *origin;
    char text[600];
    size_t n = 0;

    fputc('\n', out);
    item(out, "model", v->model);
    item(out, "model's SHA-256", tree_text(model, "sha256", ""));
    item(out, "data set", tree_text(data, "name", ""));
    snprintf(text, sizeof(text), "%.100s %.60s on %.60s, %.40s", v->engine, v->version, v->device,
             v->precision);
    item(out, "engine", *v->engine ? text : "");
    item(out, "configuration", v->shape);
    item(out, "LoadGen", tree_text(at(r, "loadgen"), "version", ""));
    item(out, "Assay", tree_text(at(r, "assay"), "version", ""));
    json_object_foreach((json_t *)at(r, "settings"), name, row)
    {
        origin = tree_text(row, "origin", "unknown");
        if (!strcmp(origin, "default") || n++ >= MOST_ITEMS)
            continue;
        fputs("- setting ", out);
        format_json(text, sizeof(text), at(row, "value"));
        escape_markdownf(out, "%.80s: %s (%.40s)", name, text, origin);
        fputc('\n', out);
    }
    fprintf(out, "- machine: %zu\n", v->machine + 1);
}

/* A fence is longer than any row of backticks inside. */
static void say_command(FILE *out, const struct view *v)
{
    char *command = view_command(v), *p;
    size_t longest = 2, run;

    for (p = command; p && *p; p += run ? run : 1) {
        run = strspn(p, "`");
        longest = run > longest ? run : longest;
    }
    if (command && *command) {
        fputc('\n', out);
        for (run = 0; run <= longest; run++)
            fputc('`', out);
        fputs("sh\n", out);
        escape_plain(out, command);
        fputc('\n', out);
        for (run = 0; run <= longest; run++)
            fputc('`', out);
        fputc('\n', out);
    }
    fputc('\n', out);
    free(command);
}

/* ---- machines ---- */

static void say_machine(FILE *out, const json_t *facts, size_t index)
{
    const json_t *fact;
    const char *name;
    char value[2048];
    size_t rows = 0;

    fprintf(out, "## Machine %zu\n\n| fact | value | origin | source |\n|---|---|---|---|\n",
            index + 1);
    json_object_foreach((json_t *)facts, name, fact)
    {
        if (rows++ >= MOST_FACTS)
            break;
        view_fact(name, at(fact, "value"), value, sizeof(value));
        fputs("| ", out);
        cell(out, name);
        cell(out, value);
        cell(out, tree_text(fact, "from", "unknown"));
        cell(out, tree_text(fact, "source", ""));
        fputc('\n', out);
    }
    fputc('\n', out);
}

int report_markdown(const json_t *records, FILE *out, struct assay_err *err)
{
    size_t n = json_array_size(records), i;
    struct view *views = NULL;
    json_t *machines = NULL;
    int rc = view_all(records, &views, &machines, err);

    if (rc)
        return rc;
    fprintf(out,
            "# Assay report\n\n%zu run%s. Unverified: judged by Assay, not an MLCommons "
            "result.\n\n",
            n, n == 1 ? "" : "s");
    if (n > 1)
        overview(out, views, n);
    if (n > 1)
        matrix(out, views, n);
    for (i = 0; i < n; i++) {
        say_head(out, &views[i]);
        say_latency(out, &views[i]);
        say_stages(out, &views[i]);
        say_things(out, &views[i]);
        say_command(out, &views[i]);
    }
    for (i = 0; i < json_array_size(machines); i++)
        say_machine(out, json_array_get(machines, i), i);
    if (fflush(out) || ferror(out))
        rc = assay_fail(err, ASSAY_EFAIL, "the report cannot be written");
    json_decref(machines);
    free(views);
    return rc;
}
