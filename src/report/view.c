/* Reading a record for the pages: see view.h. */
#include "report/view.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/tree.h"
#include "record/energy.h"
#include "report/format.h"

const char *const view_percentiles[] = {"min", "p50",   "p90", "p95",  "p97",
                                        "p99", "p99.9", "max", "mean", NULL};

const struct view_stage view_stages[] = {
    {"wait_ns", "wait", "lanes with nothing to do, or waiting for a batch to fill"},
    {"pack_ns", "pack", "copying samples together"},
    {"engine_ns", "engine", "inside the engine"},
    {"respond_ns", "post-process", "from tensors to responses"},
    {"complete_ns", "complete", "inside LoadGen"},
    {NULL, NULL, NULL}};

static const json_t *at(const json_t *o, const char *key)
{
    return json_object_get(o, key);
}

/* Only what is an id may become part of a link; the number keeps links apart where it is none. */
static void make_anchor(struct view *v, size_t number)
{
    size_t n = strspn(v->id, "0123456789abcdef");

    if (n == 16 && !v->id[16])
        snprintf(v->anchor, sizeof(v->anchor), "r%.16s", v->id);
    else
        snprintf(v->anchor, sizeof(v->anchor), "n%zu", number);
}

static void read_verdict(struct view *v)
{
    const char *status = tree_text(v->record, "status", "done");
    const json_t *verdict = at(v->record, "verdict");

    v->word = tree_text(verdict, "word", "NO VERDICT");
    v->good = tree_bool(verdict, "valid", false);
    if (!strcmp(status, "error"))
        v->word = "ERROR";
    else if (!strcmp(status, "interrupted"))
        v->word = "INTERRUPTED";
    if (strcmp(status, "done"))
        v->good = false;
}

static double setting(const json_t *record, const char *name)
{
    return tree_real(at(at(record, "settings"), name), "value", 0);
}

static void read_bound(struct view *v)
{
    double p = setting(v->record, "target-latency-percentile");
    double bound = setting(v->record, "target-latency-ms");

    if (p > 0 && p < 1 && strcmp(v->scenario, "Offline"))
        v->percentile = p;
    if (bound > 0 && bound < 1e12 && !strcmp(v->scenario, "Server"))
        v->bound_ns = bound * 1e6;
    if (!strcmp(v->scenario, "MultiStream"))
        v->each = setting(v->record, "samples-per-query");
}

static void read_view(struct view *v, const json_t *r, size_t number)
{
    const json_t *model = at(r, "model"), *engine = at(r, "engine"), *perf = at(r, "performance");
    const json_t *synthetic = at(r, "synthetic");

    v->record = r;
    v->id = tree_text(r, "id", "");
    v->created = tree_text(r, "created", "");
    v->benchmark = tree_text(r, "benchmark", "unknown benchmark");
    v->model = tree_text(model, "name", "");
    v->engine = tree_text(engine, "name", "");
    v->version = tree_text(engine, "version", "");
    v->device = tree_text(engine, "device", "");
    v->precision = tree_text(engine, "precision", tree_text(model, "precision", ""));
    format_shape(v->shape, engine);
    v->scenario = tree_text(r, "scenario", "unknown scenario");
    v->mode = tree_text(r, "mode", "");
    v->profile = tree_text(r, "profile", "unknown");
    v->tag = tree_text(r, "tag", "");
    v->metric = tree_text(perf, "metric", "");
    v->unit = tree_text(perf, "unit", "");
    v->foreign = tree_text(at(r, "foreign"), "file", at(r, "foreign") ? "another machine" : NULL);
    v->weights = tree_bool(synthetic, "weights", false);
    v->samples = tree_bool(synthetic, "samples", false);
    v->unsure = !v->weights && !v->samples &&
                (json_is_null(at(synthetic, "weights")) || json_is_null(at(synthetic, "samples")));
    v->has_value = json_is_number(at(perf, "value"));
    v->value = tree_real(perf, "value", 0);
    v->less_is_better = !strcmp(v->unit, "ns");
    make_anchor(v, number);
    read_verdict(v);
    read_bound(v);
}

/* Runs of one machine differ in what changes from minute to minute: that is told with the run. */
static json_t *steady_facts(const json_t *record)
{
    json_t *system = json_object_get(record, "system");
    json_t *steady = json_is_object(system) ? json_copy(system) : json_object();

    json_object_del(steady, "load_average");
    return steady;
}

static int find_machine(struct view *v, json_t *known, json_t *machines, struct assay_err *err)
{
    json_t *steady = steady_facts(v->record), *index;
    char *key = json_dumps(steady, JSON_COMPACT | JSON_SORT_KEYS);
    int rc = key ? ASSAY_OK : assay_fail(err, ASSAY_EFAIL, "not enough memory for the report");

    index = key ? json_object_get(known, key) : NULL;
    if (key && !index) {
        index = json_integer((json_int_t)json_array_size(machines));
        json_object_set_new(known, key, index);
        json_array_append(machines, steady);
    }
    v->machine = (size_t)json_integer_value(index);
    json_decref(steady);
    free(key);
    return rc;
}

/* Runs that differ in lanes, threads or batch alone would read the same.  The first pass finds the
 * setups of which there are several shapes, the second marks their runs. */
static void mark_shapes(struct view *views, size_t n)
{
    json_t *first = json_object(), *shape;
    char key[700], setup[300];

    for (size_t i = 0; i < 2 * n; i++) {
        struct view *v = &views[i % n];

        view_setup(v, setup, sizeof(setup));
        snprintf(key, sizeof(key), "%s, %.100s, %.100s, %.100s", setup, v->benchmark, v->scenario,
                 v->mode);
        shape = json_object_get(first, key);
        if (i >= n)
            v->shaped = json_is_null(shape);
        else if (!shape)
            json_object_set_new(first, key, json_string(v->shape));
        else if (json_is_string(shape) && strcmp(json_string_value(shape), v->shape) != 0)
            json_object_set_new(first, key, json_null());
    }
    json_decref(first);
}

int view_all(const json_t *records, struct view **views, json_t **machines, struct assay_err *err)
{
    size_t n = json_array_size(records), i;
    struct view *all = calloc(n ? n : 1, sizeof(*all));
    json_t *known = json_object(), *found = json_array();
    int rc = all ? ASSAY_OK : assay_fail(err, ASSAY_EFAIL, "not enough memory for the report");

    for (i = 0; all && !rc && i < n; i++) {
        read_view(&all[i], json_array_get(records, i), i + 1);
        rc = find_machine(&all[i], known, found, err);
    }
    json_decref(known);
    if (rc) {
        json_decref(found);
        free(all);
        return rc;
    }
    mark_shapes(all, n);
    *views = all;
    *machines = found;
    return ASSAY_OK;
}

const char *view_synthetic(const struct view *v)
{
    return v->weights && v->samples ? "weights and samples"
           : v->weights             ? "weights"
           : v->samples             ? "samples"
                                    : NULL;
}

const char *view_value(const struct view *v, char out[64])
{
    out[0] = 0;
    if (v->has_value)
        format_value(out, v->value, v->unit);
    return out;
}

const char *view_accuracy(const struct view *v, char out[64])
{
    const json_t *accuracy = at(v->record, "accuracy");

    out[0] = 0;
    if (json_is_number(at(accuracy, "value")))
        format_exact(out, tree_real(accuracy, "value", 0), tree_text(accuracy, "unit", ""));
    return out;
}

const char *view_energy_per_sample(const struct view *v, char out[64])
{
    double joules = energy_per_sample(v->record);

    out[0] = 0;
    if (isfinite(joules))
        format_value(out, joules, "J");
    return out;
}

bool view_any_energy(const struct view *views, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (isfinite(energy_per_sample(views[i].record)))
            return true;
    return false;
}

const char *view_energy(const struct view *v, char *out, size_t size)
{
    const json_t *energy = energy_of(v->record);
    const char *reason = tree_text(energy, "reason", NULL);
    char each[64], joules[64], watts[64], of[200];

    out[0] = 0;
    if (!*view_energy_per_sample(v, each)) {
        if (energy)
            snprintf(out, size, "unknown: %.240s", reason ? reason : "no reason was given");
        return out;
    }
    format_value(watts, tree_real(energy, "watts", 0), "W");
    format_value(joules, tree_real(energy, "joules", 0), "J");
    format_energy_sources(energy, of);
    snprintf(out, size, "%s a sample, %s, %s of %s%s%.240s", each, watts, joules, of,
             reason ? "; " : "", reason ? reason : "");
    return out;
}

const char *view_latency(const struct view *v, const char *key, char out[64])
{
    const json_t *value = at(at(at(v->record, "performance"), "latency_ns"), key);

    out[0] = 0;
    if (json_is_number(value))
        format_value(out, json_number_value(value), "ns");
    return out;
}

void view_setup(const struct view *v, char *out, size_t size)
{
    const char *const parts[] = {v->model, v->engine, v->device, v->precision};
    struct text t;
    size_t i;

    text_init(&t, size - 1);
    for (i = 0; i < 4; i++) {
        if (!*parts[i])
            continue;
        text_addf(&t, "%s%.60s", t.len ? ", " : "", parts[i]);
        if (i == 1 && *v->version)
            text_addf(&t, " %.30s", v->version);
    }
    if (v->shaped && *v->shape)
        text_addf(&t, "%s%s", t.len ? ", " : "", v->shape);
    snprintf(out, size, "%s", t.s);
    text_release(&t);
}

char *view_command(const struct view *v)
{
    const json_t *argv = at(v->record, "command"), *word;
    struct text t;
    size_t i;

    text_init(&t, 1 << 14);
    json_array_foreach(argv, i, word)
    {
        if (i)
            text_add(&t, " ");
        text_add_word(&t, json_is_string(word) ? json_string_value(word) : "?");
    }
    if (t.cut)
        text_clear(&t); /* half a command is worse than none */
    return text_take(&t);
}

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);

    return n >= m && !strcmp(s + n - m, end);
}

void view_fact(const char *name, const json_t *value, char *out, size_t size)
{
    const json_t *item;
    const char *key;
    char one[300];
    struct text t;

    if (json_is_null(value) || !value) {
        snprintf(out, size, "unknown");
        return;
    }
    if (json_is_integer(value) && ends_with(name, "_bytes")) {
        format_plain(one, json_number_value(value) / 1073741824);
        snprintf(out, size, "%.40s GiB (%lld bytes)", one, (long long)json_integer_value(value));
        return;
    }
    if (!json_is_object(value)) {
        format_json(out, size, value);
        return;
    }
    text_init(&t, size - 1);
    json_object_foreach((json_t *)value, key, item)
    {
        format_json(one, sizeof(one), item);
        text_addf(&t, "%s%.60s: %s", t.len ? "; " : "", key, one);
    }
    snprintf(out, size, "%s", t.s);
    text_release(&t);
}

double view_stage_ns(const struct view *v, const char *key)
{
    double ns = tree_real(at(v->record, "stages"), key, 0);

    return ns > 0 ? ns : 0;
}

double view_stages_sum(const struct view *v)
{
    const struct view_stage *s;
    double sum = 0;

    for (s = view_stages; s->key; s++)
        sum += view_stage_ns(v, s->key);
    return isfinite(sum) ? sum : 0;
}

static bool about_equal(double a, double b)
{
    return fabs(a - b) <= 0.05 * fmin(a, b);
}

bool view_comparable(const struct view *a, const struct view *b)
{
    return !strcmp(a->benchmark, b->benchmark) && !strcmp(a->scenario, b->scenario) &&
           !strcmp(a->metric, b->metric) && !strcmp(a->unit, b->unit) &&
           about_equal(a->bound_ns, b->bound_ns) && about_equal(a->each, b->each);
}

void view_headline(const struct view *v, char *out, size_t size)
{
    char bound[64] = "", value[64];

    if (v->bound_ns > 0) {
        format_value(value, v->bound_ns, "ns");
        snprintf(bound, sizeof(bound), " within %.50s", value);
    }
    snprintf(out, size, "%.40s, %.20s: %.60s%s", v->benchmark, v->scenario, v->metric, bound);
}
