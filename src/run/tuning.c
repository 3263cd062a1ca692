/* Tuning seen from the parent: what may be searched here, one child process a trial, lines on
 * stderr, and from the winner to settings and the file of winners.  The search itself is tune.c's.
 */
#include "run/tuning.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/cpus.h"
#include "base/file.h"
#include "base/text.h"
#include "base/tree.h"
#include "data/bench_host.h"
#include "engine/host.h"
#include "run/digest.h"
#include "run/latency.h"
#include "run/progress.h"
#include "run/supervise.h"
#include "run/tune.h"
#include "run/tuned.h"

#define OPTION "option." /* before an engine option's name in a flat object */

/* What a tuning turns, beside the engine's options. */
static const char *const shape_names[] = {"lanes", "threads", "batch", "batch-wait-ms"};
#define SHAPE (sizeof(shape_names) / sizeof(shape_names[0]))

struct tuning {
    struct resolved *r;
    const struct settings *s;
    char dir[1200]; /* of the trials */
    json_t *given;
    struct tune_space space;
    const char *option[TUNE_OPTIONS_MAX];
    char values[TUNE_OPTIONS_MAX][8][32];
    int64_t began;
    double percentile, service_ms; /* known after the default was measured */
    char version[64];              /* of the engine */
    char card[128];
};

static void warn(const char *what)
{
    fprintf(stderr, "assay: warning: %s\n", what);
}

/* ---- flat objects and settings ---- */

/* "a=b,c=d" into members "option.a" … */
static void add_options(json_t *flat, const char *text)
{
    char *copy = strdup(text ? text : ""), *rest = copy, *pair, name[128];

    while (copy && (pair = strsep(&rest, ","))) {
        char *value = strchr(pair, '=');

        if (!value)
            continue;
        *value++ = 0;
        snprintf(name, sizeof(name), OPTION "%s", pair);
        json_object_set_new(flat, name, json_string(value));
    }
    free(copy);
}

/* What the user has set of all that a tuning could turn.  A 0 leaves the choice to the program. */
static json_t *given_json(const struct settings *s)
{
    json_t *flat = json_object();
    char text[64];

    for (size_t i = 0; i < SHAPE; i++) {
        const struct settings_row *row = settings_find(shape_names[i]);

        settings_text(s, row, text, sizeof(text));
        if (settings_origin_of(s, row->name) >= SETTINGS_USER_FILE && strcmp(text, "0"))
            json_object_set_new(flat, row->name, json_string(text));
    }
    if (settings_origin_of(s, "engine-options") >= SETTINGS_USER_FILE)
        add_options(flat, s->engine_options);
    return flat;
}

/* Found options come before the user's own, so that those stand. */
static int set_options(struct settings *s, const json_t *found, struct assay_err *err)
{
    const char *name;
    int rc;
    struct text all;
    json_t *v;

    text_init(&all, 4096);
    json_object_foreach((json_t *)(uintptr_t)found, name, v)
    {
        if (!strncmp(name, OPTION, strlen(OPTION)))
            text_addf(&all, "%s%s=%s", all.len ? "," : "", name + strlen(OPTION),
                      json_string_value(v));
    }
    if (all.len && s->engine_options)
        text_addf(&all, ",%s", s->engine_options);
    rc = all.len ? settings_set(s, "engine-options", all.s,
                                s->engine_options ? SETTINGS_GIVEN_TUNED : SETTINGS_TUNED,
                                "a tuned configuration", err)
                 : ASSAY_OK;
    text_release(&all);
    return rc;
}

static int set_found(struct settings *s, const json_t *found, struct assay_err *err)
{
    int rc = ASSAY_OK;

    for (size_t i = 0; i < SHAPE && !rc; i++) {
        const char *value = tree_text(found, shape_names[i], "0");

        if (strcmp(value, "0"))
            rc = settings_set(s, shape_names[i], value, SETTINGS_TUNED, "a tuned configuration",
                              err);
    }
    return rc ? rc : set_options(s, found, err);
}

static json_t *found_json(const struct tuning *t, const struct tune_config *c)
{
    json_t *flat = json_object();
    char name[128];

    if (c->lanes)
        json_object_set_new(flat, "lanes", json_sprintf("%u", c->lanes));
    if (c->threads)
        json_object_set_new(flat, "threads", json_sprintf("%u", c->threads));
    if (c->batch && !json_object_get(t->given, "batch"))
        json_object_set_new(flat, "batch", json_sprintf("%u", c->batch));
    if (c->wait_ms > 0)
        json_object_set_new(flat, "batch-wait-ms", json_sprintf("%.3g", c->wait_ms));
    for (uint32_t o = 0; o < t->space.option_count; o++) {
        if (!c->option[o])
            continue;
        snprintf(name, sizeof(name), OPTION "%s", t->option[o]);
        json_object_set_new(flat, name, json_string(t->values[o][c->option[o] - 1]));
    }
    return flat;
}

/* ---- what it was found for ---- */

/* By content: of a net what decides it is in the name of its file. */
static json_t *model_json(const struct resolved *r)
{
    char hex[HASH_HEX];
    json_t *out;

    if (!r->model_path)
        return json_string(r->manifest.name);
    if (r->manifest.net)
        return json_string(file_base(r->model_path));
    out = digest_model(r->model_path, hex, NULL) ? NULL
                                                 : json_sprintf("%s %s", r->manifest.name, hex);
    return out ? out : json_string(r->model_path);
}

/* The part that costs nothing to know. */
static json_t *key_part(const struct resolved *r)
{
    const struct settings *s = &r->s;
    json_t *key =
        json_pack("{s:o, s:s, s:s, s:s, s:s, s:s}", "machine", tuned_machine(), "benchmark",
                  r->benchmark->name, "engine", r->engine->name, "device", s->device, "precision",
                  r->precision, "scenario", settings_scenario_names[s->scenario]);

    if (s->scenario == MULTI_STREAM)
        json_object_set_new(key, "samples_per_query",
                            json_sprintf("%lld", (long long)s->samples_per_query));
    if (s->scenario == SERVER)
        json_object_set_new(key, "bound_ms", json_sprintf("%g", s->target_latency_ms));
    return key;
}

static json_t *whole_key(const struct resolved *r, const char *version, const char *card)
{
    json_t *key = key_part(r);
    char hex[HASH_HEX];

    json_object_set_new(key, "engine_version", json_string(version));
    if (!*version && !hash_tree(r->engine_file, hex, NULL)) /* it is all that tells it */
        json_object_set_new(key, "plugin_sha256", json_string(hex));
    if (*card)
        json_object_set_new(key, "card", json_string(card));
    json_object_set_new(key, "model", model_json(r));
    return key;
}

/* ---- using what is there ---- */

static int use_entry(struct resolved *r, struct settings *s, const json_t *entry, const char *path,
                     json_t **report, struct assay_err *err)
{
    const json_t *found = json_object_get(entry, "found");
    int rc = set_found(&r->s, found, err);

    if (!rc)
        rc = set_found(s, found, err);
    *report =
        json_pack("{s:s, s:b, s:s, s:O, s:O, s:O*, s:O*}", "origin", "kept", "used", !rc, "file",
                  path, "found", found, "fixed", json_object_get(entry, "fixed"), "created",
                  json_object_get(entry, "created"), "gain", json_object_get(entry, "gain"));
    return rc;
}

int tuning_recall(struct resolved *r, struct settings *s, json_t **report, struct assay_err *err)
{
    struct assay_engine_probe probe = {.size = sizeof(probe)};
    json_t *entries = NULL, *part = key_part(r), *key = NULL, *given = given_json(&r->s);
    char *path = tuned_path(), reason[200];
    struct assay_err why = {0};
    const json_t *entry;
    int rc = ASSAY_OK;

    if (!path || !part || !given) {
        rc = assay_fail(err, ASSAY_EFAIL, "not enough memory");
        goto out;
    }
    if (tuned_read(path, &entries, &why)) {
        warn(why.text);
        goto out;
    }
    if (!tuned_any(entries, part))
        goto out;
    if (engine_probe(s->engine, r->runtime, &probe, &why))
        snprintf(probe.version, sizeof(probe.version), "unknown");
    key = whole_key(r, probe.version, tuned_card(&probe, s->device));
    entry = tuned_find(entries, key, given, reason);
    if (entry && use_entry(r, s, entry, path, report, &why)) {
        warn(why.text); /* its words say which value is not one */
        reason[0] = 0;
    }
    if (!entry && reason[0])
        *report = json_pack("{s:s, s:b, s:s, s:s}", "origin", "kept", "used", 0, "file", path,
                            "why", reason);
out:
    free(path);
    json_decref(entries);
    json_decref(part);
    json_decref(key);
    json_decref(given);
    return rc;
}

/* ---- what may be searched ---- */

static void batch_space(struct tuning *t)
{
    const struct settings *s = &t->r->s;
    struct tune_space *p = &t->space;
    uint32_t most = resolve_most_batch(t->r), b;

    if (json_object_get(t->given, "batch") || s->scenario == SINGLE_STREAM ||
        bench_drive(t->r->benchmark))
        return;
    if (s->scenario == MULTI_STREAM)
        most = (uint32_t)s->samples_per_query;
    for (b = 1; b <= most && p->batch_count < TUNE_BATCHES_MAX; b *= 2)
        p->batches[p->batch_count++] = b;
    if (b / 2 < most && p->batch_count < TUNE_BATCHES_MAX)
        p->batches[p->batch_count++] = most;
}

/* An option that the user has set is not turned; its default is tried anyway. */
static void option_space(struct tuning *t)
{
    const struct assay_tunable *u = engine_tunables(t->r->engine);
    struct tune_space *p = &t->space;
    char name[128], copy[256], *rest, *value;

    for (; u && u->option && p->option_count < TUNE_OPTIONS_MAX; u++) {
        const struct assay_option *o = t->r->engine->options;
        unsigned char *n = &p->values[p->option_count];

        while (strcmp(o->name, u->option))
            o++;
        snprintf(name, sizeof(name), OPTION "%s", u->option);
        if (json_object_get(t->given, name))
            continue;
        snprintf(copy, sizeof(copy), "%s", u->values);
        for (rest = copy; (value = strsep(&rest, " ")) && *n < 8;)
            if (strcasecmp(value, o->initial))
                snprintf(t->values[p->option_count][(*n)++], 32, "%s", value);
        t->option[p->option_count] = u->option;
        p->option_count += *n > 0;
    }
}

static void make_space(struct tuning *t)
{
    const struct settings *s = &t->r->s;
    struct tune_space *p = &t->space;

    p->cpus = cpus_usable();
    p->lanes = json_object_get(t->given, "lanes") ? (uint32_t)s->lanes : 0;
    p->threads = json_object_get(t->given, "threads") ? (uint32_t)s->threads : 0;
    p->one_lane = s->scenario == SINGLE_STREAM;
    p->cpu = !strcmp(s->device, "cpu");
    p->waits = s->scenario == SERVER && !json_object_get(t->given, "batch-wait-ms");
    p->seconds = s->tune_s / 100;
    batch_space(t);
    option_space(t);
}

/* ---- one trial ---- */

static double tuning_left(void *ctx)
{
    const struct tuning *t = ctx;

    return t->s->tune_s - (double)(clock_ns() - t->began) * 1e-9;
}

static bool counts_time(const struct tuning *t)
{
    return t->r->s.scenario == SINGLE_STREAM || t->r->s.scenario == MULTI_STREAM;
}

static void figure_text(const struct tuning *t, const struct tune_ask *a, double value, char *out,
                        size_t size)
{
    if (counts_time(t) || (a && a->rate > 0))
        snprintf(out, size, "%.4g ms", value * 1e-6);
    else
        snprintf(out, size, "%.4g samples/s", value);
}

/* "lanes 2, threads 1, batch 4, spinning off". */
static void config_text(const json_t *found, char *out, size_t size)
{
    struct text all;
    const char *name;
    json_t *v;

    text_init(&all, size - 1);
    json_object_foreach((json_t *)(uintptr_t)found, name, v)
    {
        bool option = !strncmp(name, OPTION, strlen(OPTION));

        text_addf(&all, "%s%s %s", all.len ? ", " : "", name + (option ? strlen(OPTION) : 0),
                  json_string_value(v));
    }
    snprintf(out, size, "%s", all.len ? all.s : "default");
    text_release(&all);
}

/* A line of the search. */
static void say(const struct tuning *t, const char *fmt, ...) ASSAY_PRINTF(2, 3);
static void say(const struct tuning *t, const char *fmt, ...)
{
    double seconds = (double)(clock_ns() - t->began) * 1e-9;
    const char *how = t->s->progress;
    char line[600];
    size_t n = how && !strcmp(how, "json") /* which has the first words as members */
                   ? 0
                   : (size_t)snprintf(line, sizeof(line), "tune %4.0f s  ", seconds);
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(line + n, sizeof(line) - n, fmt, ap);
    va_end(ap);
    progress_line(how, "tune", seconds, line);
}

static void say_trial(const struct tuning *t, const struct tune_ask *a,
                      const struct tune_point *points, size_t count, const char *error)
{
    char config[300], figure[64];
    struct tune_config c = a->config;
    json_t *found;

    for (size_t i = 0; i < (count ? count : 1); i++) {
        if (a->batch_count && count)
            c.batch = points[i].batch;
        found = found_json(t, &c);
        config_text(found, config, sizeof(config));
        json_decref(found);
        if (count)
            figure_text(t, a, points[i].value, figure, sizeof(figure));
        say(t, "%-9s %s: %s%s", tune_step_names[a->step], config, count ? figure : "failed: ",
            count ? (t->service_ms > 0 && a->rate <= 0 && points[i].score < points[i].value
                         ? " (leaves no room in the bound)"
                         : "")
                  : error);
    }
}

static int write_trial_job(const struct tuning *t, const struct tune_ask *a, struct assay_err *err)
{
    struct settings s;
    json_t *found, *tree, *batches = json_array();
    struct tune_config c = a->config;
    char path[1300];
    int rc = settings_copy(&s, t->s, err);
    size_t i;

    if (rc)
        return rc;
    for (i = 0; i < a->batch_count; i++) {
        json_array_append_new(batches, json_integer(a->batches[i]));
        c.batch = a->batches[i]; /* opened for the largest */
    }
    found = found_json(t, &c);
    rc = set_found(&s, found, err);
    tree =
        rc ? NULL
           : json_pack("{s:s, s:o, s:O*, s:{s:O, s:I, s:f, s:f, s:f, s:f}}", "dir", t->dir,
                       "settings", settings_to_json(&s), "probe", t->r->probe, "tune", "batches",
                       batches, "samples", (json_int_t)t->r->look.samples, "seconds", a->seconds,
                       "percentile", t->percentile, "service_ms", t->service_ms, "rate", a->rate);
    snprintf(path, sizeof(path), "%s/job.json", t->dir);
    if (!rc)
        rc = tree ? tree_write_json(path, tree, err)
                  : assay_fail(err, ASSAY_EFAIL, "a trial's job cannot be put together");
    json_decref(tree);
    json_decref(found);
    json_decref(batches);
    settings_release(&s);
    return rc;
}

/* The first result tells what all others are measured by. */
static void learn(struct tuning *t, const json_t *result)
{
    const struct settings *s = &t->r->s;
    double single_ms = tree_real(result, "single_p99_ns", 0) * 1e-6, bound = s->target_latency_ms;

    if (t->percentile <= 0)
        t->percentile = tree_real(result, "percentile", 0);
    snprintf(t->version, sizeof(t->version), "%s", tree_text(result, "version", "unknown"));
    snprintf(t->card, sizeof(t->card), "%s", tree_text(result, "card", ""));
    if (s->scenario != SERVER || t->service_ms > 0)
        return;
    /* As the run itself will; where the default failed, the bound is the official one. */
    if (single_ms > bound && !strcmp(s->profile, "quick") &&
        settings_origin_of(s, "target-latency-ms") < SETTINGS_USER_FILE)
        bound = latency_own_bound_ms(single_ms);
    t->service_ms = bound / 2;
}

/* Here, since the first trial did not know yet how long a batch may take. */
static double score_of(const struct tuning *t, const json_t *point)
{
    double p99_ms = tree_real(point, "batch_p99_ms", 0);

    return p99_ms > 0 ? tune_server_score(tree_real(point, "value", 0), p99_ms, t->service_ms)
                      : tree_real(point, "score", 0);
}

static int read_trial(struct tuning *t, struct tune_point *points, size_t *count,
                      struct assay_err *err)
{
    json_t *tree = NULL, *p;
    char path[1300];
    size_t i;
    int rc;

    snprintf(path, sizeof(path), "%s/result.json", t->dir);
    rc = tree_read_json(path, &tree, err);
    if (rc)
        return rc;
    learn(t, tree);
    json_array_foreach(json_object_get(tree, "points"), i, p)
    {
        if (*count < TUNE_BATCHES_MAX)
            points[(*count)++] =
                (struct tune_point){(uint32_t)tree_int(p, "batch", 0), score_of(t, p),
                                    tree_real(p, "value", 0), tree_real(p, "batch_s", 0)};
    }
    json_decref(tree);
    return ASSAY_OK;
}

static int measure(void *ctx, const struct tune_ask *a, struct tune_point *points, size_t *count,
                   struct assay_err *err)
{
    struct tuning *t = ctx;
    struct supervised sup;
    char job[1300];
    int rc;

    *count = 0;
    rc = file_remove_tree(t->dir, err);
    if (!rc)
        rc = file_make_dirs(t->dir, err);
    if (!rc)
        rc = write_trial_job(t, a, err);
    if (rc)
        return rc;
    snprintf(job, sizeof(job), "%s/job.json", t->dir);
    rc = supervise_run(job, t->dir, "none", a->limit_s, &sup, err);
    if (!rc && sup.interrupted) /* the trial was at its end, the search is not */
        rc = assay_fail(err, ASSAY_ESTOP, "interrupted");
    supervise_release(&sup);
    if (!rc)
        rc = read_trial(t, points, count, err);
    if (rc != ASSAY_ESTOP)
        say_trial(t, a, points, *count, rc ? err->text : "gave no figure");
    return rc;
}

/* ---- what came out ---- */

static json_t *trials_json(const struct tuning *t, const struct tune_result *out)
{
    json_t *list = json_array();

    for (size_t i = 0; i < out->count; i++) {
        const struct tune_trial *trial = &out->trials[i];
        json_t *one = json_pack("{s:s, s:o}", "step", tune_step_names[trial->step], "settings",
                                found_json(t, &trial->config));

        if (trial->error[0])
            json_object_set_new(one, "error", tree_string(trial->error));
        else
            json_object_set_new(one, "value", json_real(trial->point.value));
        if (!trial->error[0] && trial->point.batch)
            json_object_set_new(one, "batch", json_integer(trial->point.batch));
        json_array_append_new(list, one);
    }
    return list;
}

static json_t *metric_json(const struct tuning *t)
{
    static const char *const what[] = {"latency of one sample", "latency of a query",
                                       "throughput with all lanes full", "throughput"};
    const char *name = what[t->r->s.scenario];

    return counts_time(t) ? json_sprintf("p%g %s", t->percentile * 100, name) : json_string(name);
}

/* Why it came out so; where nothing did, what stood against it. */
static json_t *why_json(const struct tuning *t, const struct tune_result *out)
{
    size_t failed = 0;

    while (failed < out->count && out->trials[failed].error[0])
        failed++;
    if (out->decided)
        return json_string(out->why);
    if (failed && failed == out->count)
        return json_sprintf("%s: %s", out->why, out->trials[0].error);
    return json_sprintf("%s (--tune-s %g)", out->why, t->s->tune_s);
}

static json_t *report_json(const struct tuning *t, const struct tune_result *out)
{
    json_t *report =
        json_pack("{s:s, s:b, s:o, s:O, s:o, s:s, s:o, s:f, s:f, s:o}", "origin", "this run",
                  "used", 1, "found", found_json(t, &out->best), "fixed", t->given, "metric",
                  metric_json(t), "unit", counts_time(t) ? "ns" : "samples/s", "why",
                  why_json(t, out), "seconds", (double)(clock_ns() - t->began) * 1e-9, "budget_s",
                  t->s->tune_s, "trials", trials_json(t, out));

    if (out->default_value > 0)
        json_object_set_new(report, "default_value", json_real(out->default_value));
    if (out->best_value > 0)
        json_object_set_new(report, "best_value", json_real(out->best_value));
    if (out->gain > 0)
        json_object_set_new(report, "gain", json_real(out->found ? out->gain : 1));
    if (t->service_ms > 0)
        json_object_set_new(report, "service_ms", json_real(t->service_ms));
    return report;
}

/* A failure to keep it costs the next run its tuning, not this one. */
static void keep(const struct tuning *t, json_t *report)
{
    char now[32], *path = tuned_path();
    struct assay_err why = {0};
    json_t *entry;

    clock_utc(now);
    entry = json_pack(
        "{s:o, s:O, s:O, s:s, s:O, s:O*, s:O*, s:O*}", "key", whole_key(t->r, t->version, t->card),
        "fixed", t->given, "found", json_object_get(report, "found"), "created", now, "metric",
        json_object_get(report, "metric"), "default_value",
        json_object_get(report, "default_value"), "best_value",
        json_object_get(report, "best_value"), "gain", json_object_get(report, "gain"));
    if (!path || !entry)
        assay_fail(&why, ASSAY_EFAIL, "not enough memory");
    else if (!tuned_keep(path, entry, &why))
        json_object_set_new(report, "file", json_string(path));
    if (why.code) {
        char text[600];

        snprintf(text, sizeof(text), "what was tuned is used now, but cannot be kept: %.500s",
                 why.text);
        warn(text);
    }
    json_decref(entry);
    free(path);
}

static void say_result(const struct tuning *t, const struct tune_result *out, const char *why)
{
    char config[300], a[64], b[64];
    json_t *found = found_json(t, &out->best);

    config_text(found, config, sizeof(config));
    json_decref(found);
    figure_text(t, NULL, out->default_value, a, sizeof(a));
    figure_text(t, NULL, out->best_value, b, sizeof(b));
    if (out->found && out->gain > 0)
        say(t, "result    %s: %.3g times as fast as the default (%s, it has %s)", config, out->gain,
            b, a);
    else
        say(t, "result    %s: %s", config, why);
}

/* With --progress none, too: who asked for a tuning did not get one. */
static void say_undecided(const json_t *report)
{
    char text[600];

    snprintf(text, sizeof(text), "--tune found nothing, and nothing is kept: %.500s",
             tree_text(report, "why", "no reason is known"));
    warn(text);
}

int tuning_search(struct resolved *r, struct settings *s, const char *dir, json_t **report,
                  struct assay_err *err)
{
    struct tuning t = {.r = r, .s = s, .given = given_json(&r->s), .began = clock_ns()};
    struct tune_ops ops = {&t, measure, tuning_left};
    struct tune_result *out = calloc(1, sizeof(*out));
    json_t *found;
    int rc;

    *report = NULL;
    if (!t.given || !out) {
        rc = assay_fail(err, ASSAY_EFAIL, "not enough memory to tune");
        goto out;
    }
    snprintf(t.dir, sizeof(t.dir), "%s/tune", dir);
    make_space(&t);
    say(&t, "%s, %s: searching for at most %.0f s", r->engine->name,
        settings_scenario_names[s->scenario], s->tune_s);
    rc = tune_search(&t.space, &ops, out, err);
    file_remove_tree(t.dir, NULL);
    *report = report_json(&t, out);
    if (!rc && !*report)
        rc = assay_fail(err, ASSAY_EFAIL, "not enough memory to tune");
    if (rc)
        goto out;
    say_result(&t, out, tree_text(*report, "why", out->why));
    if (out->decided)
        keep(&t, *report);
    else
        say_undecided(*report);
    found = json_object_get(*report, "found");
    rc = set_found(&r->s, found, err);
    if (!rc)
        rc = set_found(s, found, err);
out:
    json_decref(t.given);
    free(out);
    return rc;
}
