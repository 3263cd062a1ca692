/* One run as a page of plain text.
 *
 * The order is the reader's: does it count, how much, what must I know, then how it came about, and
 * last how to get it again.  Every block is "Label     item  item  item", wrapped at 100 columns
 * below its label. */
#include "report/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/tree.h"
#include "record/energy.h"
#include "report/format.h"

#define WIDTH 100
#define LABEL 11

struct page {
    FILE *out;
    size_t column; /* 0: at the start of a line */
    bool open;     /* inside a block that has an item */
};

static void begin(struct page *p, const char *label)
{
    fprintf(p->out, "%-*s", LABEL, label);
    p->column = LABEL;
    p->open = false;
}

static void line_break(struct page *p)
{
    fprintf(p->out, "\n%-*s", LABEL, "");
    p->column = LABEL;
    p->open = false;
}

static void end(struct page *p)
{
    fputc('\n', p->out);
    p->column = 0;
}

/* An item is never broken, except by its own words when it alone is longer than a line. */
static void item(struct page *p, const char *gap, const char *fmt, ...) ASSAY_PRINTF(3, 4);
static void item(struct page *p, const char *gap, const char *fmt, ...)
{
    char buf[2048], *word, *rest;
    va_list ap;
    size_t n;

    va_start(ap, fmt);
    vsnprintf(buf, sizeof(buf), fmt, ap);
    va_end(ap);
    format_clean(buf);
    n = format_columns(buf);
    if (p->open && p->column + strlen(gap) + n <= WIDTH) {
        fprintf(p->out, "%s", gap);
        p->column += strlen(gap);
    } else if (p->open) {
        if (gap[0] == ',' || gap[0] == ';')
            fputc(gap[0], p->out);
        line_break(p);
    }
    if (p->column + n <= WIDTH) {
        fputs(buf, p->out);
        p->column += n;
    } else {
        for (rest = buf; (word = strsep(&rest, " "));) {
            n = format_columns(word);
            if (p->column > LABEL && p->column + 1 + n > WIDTH)
                line_break(p);
            p->column += (size_t)fprintf(p->out, "%s%s", p->column > LABEL ? " " : "", word);
        }
    }
    p->open = true;
}

static const json_t *at(const json_t *o, const char *key)
{
    return json_object_get(o, key);
}

/* ---- the verdict and the figure ---- */

static void texts(struct page *p, const char *what, const json_t *list)
{
    const char *text;
    size_t i;

    for (i = 0; i < json_array_size(list); i++) {
        text = json_string_value(json_array_get(list, i));
        if (!text)
            continue;
        begin(p, i ? "" : what);
        item(p, "", "%s", text);
        end(p);
    }
}

static void say_verdict(struct page *p, const json_t *r)
{
    const char *status = tree_text(r, "status", "done"), *mode = tree_text(r, "mode", NULL);
    const json_t *verdict = at(r, "verdict"), *error = at(r, "error");
    const char *word = tree_text(verdict, "word", NULL);

    if (!strcmp(status, "error"))
        word = "ERROR";
    else if (!strcmp(status, "interrupted"))
        word = "INTERRUPTED";
    p->column = 0;
    p->open = false;
    item(p, "", "%s", word ? word : "NO VERDICT");
    item(p, "  ", "%s, %s%s%s", tree_text(r, "benchmark", "unknown benchmark"),
         tree_text(r, "scenario", "unknown scenario"), mode ? ", " : "", mode ? mode : "");
    end(p);
    if (tree_text(error, "text", NULL)) {
        begin(p, "error");
        item(p, "", "%s", tree_text(error, "text", ""));
        end(p);
    }
    if (!tree_text(error, "text", NULL)) /* of an error that is the reason, said already */
        texts(p, "reason", at(verdict, "reasons"));
    texts(p, "note", at(verdict, "notes"));
}

static void say_synthetic(struct page *p, const json_t *r)
{
    bool weights = tree_bool(at(r, "synthetic"), "weights", false);
    bool samples = tree_bool(at(r, "synthetic"), "samples", false);

    if (!weights && !samples)
        return;
    fprintf(p->out, "*** SYNTHETIC %s: the speed is real, %s; never a submission ***\n",
            weights && samples ? "weights and samples"
            : weights          ? "weights"
                               : "samples",
            "accuracy means nothing");
}

static void say_figure(struct page *p, const json_t *r)
{
    const json_t *perf = at(r, "performance"), *acc = at(r, "accuracy");
    char value[64];

    if (json_is_number(at(perf, "value")))
        format_value(value, tree_real(perf, "value", 0), tree_text(perf, "unit", ""));
    else if (json_is_number(at(acc, "value")))
        format_value(value, tree_real(acc, "value", 0), tree_text(acc, "unit", ""));
    else {
        fputc('\n', p->out);
        return;
    }
    format_clean(value);
    fprintf(p->out, "\n    %s", value);
    p->column = 4 + format_columns(value);
    p->open = true;
    item(p, "   ", "%s", tree_text(json_is_object(perf) ? perf : acc, "metric", "unnamed figure"));
    item(p, "   ", "profile %s", tree_text(r, "profile", "unknown"));
    fputs("\n\n", p->out);
}

static void say_latency(struct page *p, const json_t *perf)
{
    static const char *const keys[] = {"min", "p50",   "p90", "p95", "p97",
                                       "p99", "p99.9", "max", "mean"};
    const json_t *latency = at(perf, "latency_ns");
    char value[64];
    size_t i;

    if (!json_object_size(latency))
        return;
    begin(p, "Latency");
    if (tree_text(perf, "of", NULL)) /* of a run that ended there */
        item(p, "", "of %s alone:", tree_text(perf, "of", ""));
    for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        if (!json_is_number(at(latency, keys[i])))
            continue;
        format_value(value, tree_real(latency, keys[i], 0), "ns");
        item(p, "   ", "%s %s", keys[i], value);
    }
    end(p);
}

static void say_accuracy(struct page *p, const json_t *acc)
{
    char value[64], reached[160];

    if (!json_is_object(acc))
        return;
    begin(p, "Accuracy");
    if (json_is_number(at(acc, "value"))) {
        format_exact(value, tree_real(acc, "value", 0), tree_text(acc, "unit", ""));
        item(p, "", "%s %s", tree_text(acc, "metric", ""), value);
    }
    if (tree_int(acc, "good", 0) > 0)
        item(p, "   ", "%lld of %lld", (long long)tree_int(acc, "good", 0),
             (long long)tree_int(acc, "total", 0));
    else if (tree_int(acc, "total", 0) > 0)
        item(p, "   ", "%lld samples", (long long)tree_int(acc, "total", 0));
    if (json_is_number(at(acc, "target"))) {
        format_exact(value, tree_real(acc, "target", 0), tree_text(acc, "unit", ""));
        format_reached(reached, acc);
        item(p, "   ", "target %s%s", value, reached);
    }
    if (json_is_number(at(acc, "reference"))) {
        format_exact(value, tree_real(acc, "reference", 0), tree_text(acc, "unit", ""));
        item(p, "   ", "reference %s", value);
    }
    end(p);
    if (tree_text(acc, "line", NULL)) {
        begin(p, "");
        item(p, "", "%s", tree_text(acc, "line", ""));
        end(p);
    }
}

/* ---- how it came about ---- */

static void say_counts(struct page *p, const json_t *perf)
{
    long long queries = tree_int(perf, "queries", 0);

    if (!json_is_number(at(perf, "queries")) && !json_is_number(at(perf, "duration_s")))
        return;
    begin(p, "Issued");
    item(p, "", "%lld %s", queries, queries == 1 ? "query" : "queries");
    if (json_is_number(at(perf, "samples")))
        item(p, ", ", "%lld samples", (long long)tree_int(perf, "samples", 0));
    if (json_is_number(at(perf, "duration_s")))
        item(p, ", ", "%.2f s", tree_real(perf, "duration_s", 0));
    end(p);
}

static void say_energy(struct page *p, const json_t *r)
{
    const json_t *energy = energy_of(r);
    double joules = energy_per_sample(r);
    char value[64], of[200];

    if (!energy)
        return;
    begin(p, "Energy");
    if (isfinite(joules)) {
        format_value(value, joules, "J");
        item(p, "", "%s a sample", value);
        format_value(value, tree_real(energy, "watts", 0), "W");
        item(p, "   ", "%s", value);
        format_value(value, tree_real(energy, "joules", 0), "J");
        format_energy_sources(energy, of);
        item(p, "   ", "%s in %.2f s of %s", value, tree_real(energy, "seconds", 0), of);
        if (tree_text(energy, "reason", NULL))
            item(p, "; ", "%s", tree_text(energy, "reason", ""));
    } else {
        item(p, "", "unknown: %s", tree_text(energy, "reason", "no reason was given"));
    }
    end(p);
}

/* The stages are sums over all lanes: shares of their sum say where a sample's time goes. */
static void say_stages(struct page *p, const json_t *r)
{
    static const char *const names[] = {"wait", "pack", "engine", "respond", "complete"};
    const json_t *stages = at(r, "stages"), *faults = at(r, "faults");
    char key[16], value[64];
    double sum = 0;
    size_t i;

    if (!json_is_object(stages))
        return;
    begin(p, "Stages");
    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(key, sizeof(key), "%s_ns", names[i]);
        sum += tree_real(stages, key, 0);
    }
    for (i = 0; i < sizeof(names) / sizeof(names[0]) && sum > 0; i++) {
        snprintf(key, sizeof(key), "%s_ns", names[i]);
        if (!at(stages, key)) /* an older record's */
            continue;
        format_value(value, tree_real(stages, key, 0), "ns");
        item(p, "   ", "%s %s (%.1f %%)", names[i], value, 100 * tree_real(stages, key, 0) / sum);
    }
    if (tree_real(stages, "pack_ahead_ns", 0) > 0) {
        format_value(value, tree_real(stages, "pack_ahead_ns", 0), "ns");
        item(p, "   ", "packed meanwhile %s", value);
    }
    if (json_is_number(at(stages, "lane_busy_fraction")))
        item(p, "   ", "lanes busy %.1f %%", 100 * tree_real(stages, "lane_busy_fraction", 0));
    if (json_is_number(at(stages, "batches")))
        item(p, "   ", "%lld batches of %.1f", (long long)tree_int(stages, "batches", 0),
             tree_real(stages, "mean_batch", 0));
    if (json_is_object(faults))
        item(p, "   ", "page faults %lld major, %lld minor",
             (long long)tree_int(faults, "major", 0), (long long)tree_int(faults, "minor", 0));
    end(p);
}

static void say_trials(struct page *p, const json_t *trials)
{
    const json_t *t;
    size_t i;

    if (!json_array_size(trials))
        return;
    begin(p, "Trials");
    for (i = 0; i < json_array_size(trials); i++) {
        t = json_array_get(trials, i);
        if (tree_bool(t, "gave_up", false)) /* its latencies end where it was given up */
            item(p, ", ", "%.6g qps too much (given up)", tree_real(t, "qps", 0));
        else
            item(p, ", ", "%.6g qps %s (p99 %.4g ms)", tree_real(t, "qps", 0),
                 tree_bool(t, "valid", false) ? "ok" : "too much", tree_real(t, "p99_ms", 0));
    }
    end(p);
}

static void say_things(struct page *p, const json_t *r)
{
    const json_t *model = at(r, "model"), *data = at(r, "dataset"), *engine = at(r, "engine");
    const char *key, *version = tree_text(engine, "version", "");
    const json_t *value;
    char text[300];

    if (json_is_object(model)) {
        begin(p, "Model");
        item(p, "", "%s", tree_text(model, "name", "unnamed"));
        if (tree_text(model, "format", NULL)) /* a run that failed early may not know */
            item(p, ", ", "%s %s", tree_text(model, "format", ""),
                 tree_text(model, "precision", ""));
        if (tree_text(model, "path", NULL))
            item(p, ", ", "%s", tree_text(model, "path", ""));
        if (tree_text(model, "sha256", NULL))
            item(p, ", ", "sha256 %.12s", tree_text(model, "sha256", ""));
        end(p);
    }
    if (json_is_object(data)) {
        begin(p, "Data set");
        item(p, "", "%s", tree_text(data, "name", "unnamed"));
        item(p, ", ", "%lld samples", (long long)tree_int(data, "samples", 0));
        if (tree_int(data, "performance_samples", 0) > 0)
            item(p, ", ", "%lld in the performance set",
                 (long long)tree_int(data, "performance_samples", 0));
        if (tree_text(data, "path", NULL))
            item(p, ", ", "%s", tree_text(data, "path", ""));
        end(p);
    }
    if (!json_is_object(engine))
        return;
    begin(p, "Engine");
    item(p, "", "%s%s%s on %s", tree_text(engine, "name", "unnamed"), *version ? " " : "", version,
         tree_text(engine, "device", "unknown device"));
    if (tree_text(engine, "precision", NULL))
        item(p, ", ", "%s", tree_text(engine, "precision", ""));
    format_shape(text, engine);
    if (*text)
        item(p, ", ", "%s", text);
    json_object_foreach((json_t *)at(engine, "options"), key, value)
    {
        format_json(text, sizeof(text), value);
        item(p, ", ", "%s=%s", key, text);
    }
    item(p, ", ", "LoadGen %s", tree_text(at(r, "loadgen"), "version", "unknown"));
    end(p);
}

static void say_settings(struct page *p, const json_t *settings)
{
    const char *name, *origin;
    const json_t *row;
    char text[300];
    bool any = false;

    json_object_foreach((json_t *)settings, name, row)
    {
        origin = tree_text(row, "origin", "unknown");
        if (!strcmp(origin, "default"))
            continue;
        if (!any)
            begin(p, "Settings");
        any = true;
        format_json(text, sizeof(text), at(row, "value"));
        item(p, ", ", "%s %s (%s)", name, text, origin);
    }
    if (any)
        end(p);
}

/* What was tuned, now or before; a tuning that could not be used is said too. */
static void say_tuning(struct page *p, const json_t *t)
{
    const json_t *found = at(t, "found"), *value;
    const char *key, *unit = tree_text(t, "unit", "");
    char one[64], other[64];

    if (!json_is_object(t))
        return;
    begin(p, "Tuned");
    if (!tree_bool(t, "used", false)) {
        item(p, "", "not used: %s", tree_text(t, "why", "no reason was given"));
        end(p);
        return;
    }
    if (!json_object_size(found))
        item(p, "", "%s", tree_text(t, "why", "the default is best"));
    json_object_foreach((json_t *)found, key, value)
        item(p, ", ", "%s %s", strncmp(key, "option.", 7) ? key : key + 7,
             json_is_string(value) ? json_string_value(value) : "?");
    if (json_object_size(found) && json_is_number(at(t, "gain")))
        item(p, "   ", "%.3g times the default's speed", tree_real(t, "gain", 0));
    if (json_is_number(at(t, "default_value")) && json_is_number(at(t, "best_value"))) {
        format_value(one, tree_real(t, "best_value", 0), unit);
        format_value(other, tree_real(t, "default_value", 0), unit);
        item(p, "   ", "%s, default %s", one, other);
    }
    if (json_array_size(at(t, "trials")))
        item(p, "   ", "%zu figures in %.0f s", json_array_size(at(t, "trials")),
             tree_real(t, "seconds", 0));
    if (tree_text(t, "created", NULL))
        item(p, "   ", "found %s", tree_text(t, "created", ""));
    if (tree_text(t, "file", NULL))
        item(p, "   ", "kept in %s", tree_text(t, "file", ""));
    end(p);
}

/* ---- the machine ---- */

static void fact(struct page *p, const json_t *facts, const char *name, const char *fmt,
                 double scale)
{
    const json_t *f = at(facts, name), *v = at(f, "value");
    const char *how = tree_text(f, "from", "unknown");
    char text[300];

    if (!v || !strcmp(how, "unknown"))
        return;
    if (json_is_number(v) && scale > 0)
        format_plain(text, json_number_value(v) / scale);
    else
        format_json(text, sizeof(text), v);
    format_fill(text, sizeof(text), fmt);
    item(p, ", ", "%s%s", text, strcmp(how, "declared") ? "" : " (declared)");
}

static void say_machine(struct page *p, const json_t *facts)
{
    static const struct {
        const char *name, *text; /* '#' is the value */
        double scale;
        int line;
    } show[] = {
        {"processor", "#", 0, 0},
        {"sockets", "sockets #", 0, 0},
        {"cores", "cores #", 0, 0},
        {"threads", "threads #", 0, 0},
        {"frequency_max_mhz", "# GHz", 1000, 0},
        {"governor", "#", 0, 0},
        {"memory_bytes", "# GiB", 1073741824, 0},
        {"gpu_models", "#", 0, 0},
        {"operating_system", "#", 0, 1},
        {"kernel", "kernel #", 0, 1},
        {"hypervisor", "hypervisor #", 0, 1},
        {"container", "container #", 0, 1},
        {"load_average", "load #", 1, 1},
    };
    bool any = false;
    size_t i;
    int line = 0;

    if (!json_object_size(facts))
        return;
    begin(p, "Machine");
    for (i = 0; i < sizeof(show) / sizeof(show[0]); i++) {
        if (show[i].line != line && p->open)
            line_break(p);
        line = show[i].line;
        fact(p, facts, show[i].name, show[i].text, show[i].scale);
        any = any || p->open;
    }
    if (!any)
        item(p, "", "unknown");
    end(p);
}

/* Long lines are not broken here: this one is for copying. */
static void say_command(struct page *p, const json_t *argv)
{
    struct text t;

    if (!json_array_size(argv))
        return;
    text_init(&t, 1 << 16);
    format_command(&t, argv);
    fprintf(p->out, "%-*s%s\n", LABEL, "Again", t.s ? t.s : "");
    text_release(&t);
}

int report_text(const json_t *record, FILE *out)
{
    struct page page = {out, 0, false}, *p = &page;
    const char *tag = tree_text(record, "tag", NULL);

    say_verdict(p, record);
    say_synthetic(p, record);
    say_figure(p, record);
    say_latency(p, at(record, "performance"));
    say_accuracy(p, at(record, "accuracy"));
    say_counts(p, at(record, "performance"));
    say_energy(p, record);
    say_stages(p, record);
    say_trials(p, at(record, "trials"));
    say_things(p, record);
    say_settings(p, at(record, "settings"));
    say_tuning(p, at(record, "tuning"));
    say_machine(p, at(record, "system"));
    begin(p, "Record");
    item(p, "", "%s, %s, Assay %s", tree_text(record, "id", "no id"),
         tree_text(record, "created", "no date"),
         tree_text(at(record, "assay"), "version", "unknown"));
    if (tag && *tag)
        item(p, ", ", "tag %s", tag);
    if (json_is_object(at(record, "foreign")))
        item(p, ", ", "imported from %s", tree_text(at(record, "foreign"), "file", "?"));
    end(p);
    if (tree_text(record, "folder", NULL)) {
        begin(p, "Folder");
        item(p, "", "%s", tree_text(record, "folder", ""));
        end(p);
    }
    say_command(p, at(record, "command"));
    fputs("           Unverified: judged by Assay, not an MLCommons result.\n", out);
    return fflush(out) || ferror(out) ? ASSAY_EFAIL : ASSAY_OK;
}

int report_command(const json_t *words, FILE *out)
{
    struct text t;

    text_init(&t, 1 << 16);
    format_command(&t, words);
    fprintf(out, "%s\n", t.s ? t.s : "");
    text_release(&t);
    return ferror(out) ? ASSAY_EFAIL : ASSAY_OK;
}
