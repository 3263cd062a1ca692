/* From an exploration's axes to runs, and from their records to figures: see exploring.h. */
#include "run/exploring.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/cpus.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/text.h"
#include "base/tree.h"
#include "data/bench_host.h"
#include "data/manifest.h"
#include "engine/host.h"
#include "load/profile.h"
#include "load/settings.h"
#include "record/cell.h"
#include "record/energy.h"
#include "record/record.h"
#include "run/chosen.h"
#include "run/digest.h"
#include "run/evidence.h"
#include "run/preflight.h"
#include "run/progress.h"
#include "run/tuned.h"
#include "run/words.h"

#define SHORT_WARMUP_S "0.5"

struct exploring {
    struct exploring_ask *ask;
    json_t *setups, *impossible; /* points that cannot be */
    json_t *facts;               /* of the setups, by fact_key: the engine's version, the model */
    json_t *first;               /* "get" and "steps" of what recipes get before the first run */
    struct evidence evidence;
    struct assay_engine_probe probe; /* of the engine whose setups are made */
    char *store;
    int64_t began;
};

/* ---- setups ---- */

/* A model's own precision; below fp32 what an engine makes of it by itself; int8 of a net. */
static bool precision_fits(const struct manifest *m, const char *precision)
{
    const char *own = tree_text(m->tree, "precision", "fp32");

    if (!strcmp(own, precision))
        return true;
    if (strcmp(own, "fp32"))
        return false;
    return strcmp(precision, "int8") || m->net;
}

static void add_impossible(struct exploring *x, json_t *setup, const char *why)
{
    json_object_set_new(setup, "out", json_true());
    json_object_set_new(setup, "reason", tree_string(why));
    json_array_append(x->impossible, setup);
}

static int setup_settings(const struct exploring *x, const json_t *setup, struct settings *s,
                          struct assay_err *err)
{
    static const char *const names[] = {"model", "engine", "device", "precision"};
    int rc = settings_copy(s, x->ask->base, err);

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && !rc; i++)
        rc = settings_set(s, names[i], tree_text(setup, names[i], ""), SETTINGS_CLI, names[i], err);
    return rc;
}

/* What is kept of a setup that decides its runs beside their settings. */
static void fact_key(const char *model, const char *engine, const char *precision, char out[1200])
{
    snprintf(out, 1200, "%s %s %s", engine, precision, model);
}

/* A net is told by the name of its file. */
static void note_facts(struct exploring *x, const json_t *setup, const struct resolved *r)
{
    char key[1200], hex[HASH_HEX] = "";

    if (r->model_path && !r->manifest.net)
        digest_model(r->model_path, hex, NULL);
    fact_key(tree_text(setup, "model", ""), tree_text(setup, "engine", ""),
             tree_text(setup, "precision", ""), key);
    json_object_set_new(x->facts, key,
                        json_sprintf("%s %s", x->probe.version,
                                     *hex            ? hex
                                     : r->model_path ? file_base(r->model_path)
                                                     : ""));
}

/* What resolving and the pre-flight say against it is known without a run. */
static int add_setup(struct exploring *x, const char *model, const char *engine, const char *device,
                     const char *precision, struct assay_err *err)
{
    json_t *setup = json_pack("{s:s, s:s, s:s, s:s}", "model", model, "engine", engine, "device",
                              device, "precision", precision);
    struct assay_err why = {0};
    struct settings s;
    struct resolved r;
    int rc = setup_settings(x, setup, &s, err);

    if (!rc && resolve(&s, &r, &why)) {
        add_impossible(x, setup, why.text);
    } else if (!rc && (resolve_check(&r, &why) || preflight(&r, false, NULL, &why))) {
        add_impossible(x, setup, why.text);
        resolve_release(&r);
    } else if (!rc) {
        if (x->facts)
            note_facts(x, setup, &r);
        supply_tell(r.get, x->first);
        resolve_release(&r);
        json_array_append(x->setups, setup);
    }
    settings_release(&s);
    json_decref(setup);
    return rc;
}

/* Of an engine that cannot be loaded, or whose library is missing: one line of the table. */
static int add_missing(struct exploring *x, const char *model, const struct manifest *m,
                       const char *engine, const char *device, const char *why)
{
    json_t *setup = json_pack("{s:s, s:s, s:s, s:s}", "model", model, "engine", engine, "device",
                              device, "precision", tree_text(m->tree, "precision", "fp32"));

    add_impossible(x, setup, why);
    json_decref(setup);
    return ASSAY_OK;
}

/* An engine that was named waits for a library that its recipe would get first: what it has is seen
 * when it is here. */
static int add_engine(struct exploring *x, const char *model, const struct manifest *m,
                      const char *engine, const char *device, struct assay_err *err)
{
    const json_t *wanted = x->ask->precisions;
    const struct assay_engine *table;
    struct assay_err why = {0};
    char path[1024], *runtime = NULL;
    bool named = json_array_size(x->ask->engines), waits = false;
    int rc = engine_load(engine, &table, path, &why);

    if (!rc)
        rc = supply_runtime(x->ask->base->cache, engine, device, &runtime, NULL,
                            named ? &waits : NULL, &why);
    if (!rc && !waits)
        rc = engine_usable(engine, runtime, &x->probe, &why);
    free(runtime);
    if (rc)
        return add_missing(x, model, m, engine, device, why.text);
    if (table->probe && !waits && !engine_has_device(&x->probe, device)) {
        assay_fail(&why, ASSAY_EFAIL, "%.60s has no %.40s here", engine, device);
        return add_missing(x, model, m, engine, device, why.text);
    }
    if (!table->precisions || !table->precisions[0]) /* it takes any */
        return add_setup(x, model, engine, device, tree_text(m->tree, "precision", "fp32"), err);
    for (size_t i = 0; !rc && table->precisions[i]; i++) {
        const char *p = table->precisions[i];
        bool asked = !json_array_size(wanted);

        for (size_t k = 0; k < json_array_size(wanted); k++)
            asked = asked || !strcmp(json_string_value(json_array_get(wanted, k)), p);
        /* fp16 on a processor is emulated, if it is there at all: only when asked for */
        if (!json_array_size(wanted) && !strcmp(p, "fp16") && !strncmp(device, "cpu", 3))
            continue;
        if (asked && precision_fits(m, p))
            rc = add_setup(x, model, engine, device, p, err);
    }
    return rc;
}

/* Engines that read a model's files; a new reference. */
static json_t *engines_for(const struct exploring *x, const struct manifest *m)
{
    json_t *all, *fit, *name;
    struct engine_loaded *loaded;
    char *file = NULL;
    const char *format, *recipe;
    size_t i;

    if (json_array_size(x->ask->engines))
        return json_incref((json_t *)(uintptr_t)x->ask->engines);
    all = engine_list();
    loaded = engine_load_all(all);
    fit = json_array();
    json_array_foreach(all, i, name)
    {
        const struct assay_engine *table = loaded ? loaded[i].table : NULL;

        if (!table || (table->caps & ASSAY_CAP_ANY_MODEL))
            continue;
        if (m->net || manifest_wants(m, table->formats, &format, &recipe) ||
            !manifest_file(m, table->formats, &file, &format, NULL))
            json_array_append(fit, name);
        free(file);
        file = NULL;
    }
    free(loaded);
    json_decref(all);
    return fit;
}

static int add_model(struct exploring *x, const char *model, struct assay_err *err)
{
    json_t *cpu = json_pack("[s]", "cpu"), *engines = NULL, *engine, *device;
    const json_t *devices = json_array_size(x->ask->devices) ? x->ask->devices : cpu;
    struct manifest m = {0};
    size_t i, k;
    int rc = manifest_open(model, &m, err);

    if (!rc)
        engines = engines_for(x, &m);
    json_array_foreach(engines, i, engine)
    {
        json_array_foreach(devices, k, device)
        {
            if (!rc)
                rc = add_engine(x, model, &m, json_string_value(engine), json_string_value(device),
                                err);
        }
    }
    json_decref(engines);
    json_decref(cpu);
    manifest_release(&m);
    return rc;
}

/* "99%" is of the accuracy in fp32: without that nothing could be told after all those runs. */
static int check_reference(const struct exploring *x, struct assay_err *err)
{
    const struct explore_ask *a = &x->ask->search;
    bool relative = false;
    json_t *setup;
    size_t i;

    for (i = 0; i < a->constraint_count; i++)
        relative = relative || a->constraints[i].relative;
    json_array_foreach(x->setups, i, setup)
    {
        if (!strcmp(tree_text(setup, "precision", ""), "fp32"))
            return ASSAY_OK;
    }
    if (!relative || !json_array_size(x->setups))
        return ASSAY_OK;
    return assay_fail(err, ASSAY_EUSAGE,
                      "--constraint: an accuracy in %% is held against that of an fp32 setup, and "
                      "there is none among these: add one (--models, --precisions), or give the "
                      "accuracy itself (accuracy>=75.5)");
}

static int make_setups(struct exploring *x, struct assay_err *err)
{
    const struct settings *s = x->ask->base;
    const struct assay_benchmark *b;
    char path[1024];
    json_t *model;
    size_t i;
    int rc = bench_load(s->benchmark, &b, path, err);

    if (!rc && !json_array_size(x->ask->models))
        rc = add_model(x, s->model ? s->model : b->default_model, err);
    json_array_foreach(x->ask->models, i, model)
    {
        if (!rc)
            rc = add_model(x, json_string_value(model), err);
    }
    return rc ? rc : check_reference(x, err);
}

/* ---- the axes ---- */

/* 1, 2, 4 … and the last itself. */
static size_t doubling(uint32_t last, uint32_t values[EXPLORE_VALUES_MAX])
{
    size_t n = 0;

    for (uint32_t v = 1; v < last && n + 1 < EXPLORE_VALUES_MAX; v *= 2)
        values[n++] = v;
    values[n++] = last;
    return n;
}

static void fill_axes(struct exploring_ask *ask)
{
    struct explore_ask *a = &ask->search;
    bool offline = ask->base->scenario == OFFLINE;

    a->latency = ask->base->scenario == SINGLE_STREAM || ask->base->scenario == MULTI_STREAM;
    if (!a->lane_count)
        a->lane_count = ask->base->scenario == SINGLE_STREAM ? doubling(1, a->lanes)
                                                             : doubling(cpus_usable(), a->lanes);
    if (!a->thread_count)
        a->thread_count = doubling(cpus_usable(), a->threads);
    if (!a->batch_count && offline)
        a->batch_count = doubling(32, a->batches);
    if (!a->batch_count)
        a->batches[a->batch_count++] = 0;
    a->cpus = cpus_usable();
    /* The timed part, and a model opened and warmed up. */
    a->full_s = (profile_is_official(ask->base) ? 600 : 60) + 10;
    if (ask->base->min_duration_ms > 0)
        a->full_s = (double)ask->base->min_duration_ms * 1e-3 + 10;
}

/* ---- runs ---- */

json_t *exploring_settings(const json_t *point)
{
    static const char *const texts[] = {"model", "engine", "device", "precision"};
    static const char *const numbers[] = {"lanes", "threads", "batch"};
    json_t *out = json_object();

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        json_object_set_new(out, texts[i], json_string(tree_text(point, texts[i], "")));
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        if (tree_int(point, numbers[i], 0))
            json_object_set_new(out, numbers[i],
                                json_sprintf("%lld", (long long)tree_int(point, numbers[i], 0)));
    return out;
}

json_t *exploring_choice(const struct settings *base, const json_t *point)
{
    static const char *const names[] = {"engine-options", "batch-wait-ms", "pin"};
    json_t *out = exploring_settings(point);
    char text[4096];

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (settings_origin_of(base, names[i]) >= SETTINGS_USER_FILE) {
            settings_text(base, settings_find(names[i]), text, sizeof(text));
            json_object_set_new(out, names[i], json_string(text));
        }
    return out;
}

int exploring_apply(const struct settings *base, const json_t *point, struct assay_err *err)
{
    json_t *settings = exploring_choice(base, point);
    int rc = chosen_keep(base->benchmark, settings_scenario_names[base->scenario], settings, err);

    json_decref(settings);
    return rc;
}

/* Short is what no official profile lets a run be; LoadGen stays that of its round. */
static int short_settings(const struct exploring *x, struct settings *s, struct assay_err *err)
{
    int rc = ASSAY_OK;

    if (profile_is_official(s)) {
        rc = settings_set(s, "round", profile_round(s), SETTINGS_CLI, "explore", err);
        if (!rc)
            rc = settings_set(s, "profile", "quick", SETTINGS_CLI, "explore", err);
    }
    if (!rc)
        rc = settings_set_real(s, "min-duration-ms", x->ask->short_s * 1e3, SETTINGS_CLI, err);
    if (!rc)
        rc = settings_set(s, "warmup-s", SHORT_WARMUP_S, SETTINGS_CLI, "explore", err);
    return rc;
}

static int point_settings(const struct exploring *x, int kind, const json_t *point,
                          struct settings *s, struct assay_err *err)
{
    json_t *own = exploring_settings(point), *v;
    const char *name;
    int rc = settings_copy(s, x->ask->base, err);

    json_object_foreach(own, name, v)
    {
        if (!rc)
            rc = settings_set(s, name, json_string_value(v), SETTINGS_CLI, name, err);
    }
    json_decref(own);
    if (!rc)
        rc = settings_set(s, "tuned", "false", SETTINGS_CLI, "explore", err);
    if (!rc && kind == EXPLORE_ACCURACY)
        rc = settings_set(s, "mode", "accuracy", SETTINGS_CLI, "explore", err);
    return rc || kind != EXPLORE_SHORT ? rc : short_settings(x, s, err);
}

/* What would be run, with the engine's version, the model's content, and where. */
static void tag_of(const struct exploring *x, const json_t *words, const json_t *point,
                   char tag[32])
{
    char *text = json_dumps(words, JSON_COMPACT), hex[HASH_HEX] = "", key[1200];
    json_t *machine = tuned_machine();
    const char *fact;
    struct text all;

    fact_key(tree_text(point, "model", ""), tree_text(point, "engine", ""),
             tree_text(point, "precision", ""), key);
    fact = tree_text(x->facts, key, "");
    text_init(&all, 1 << 20);
    text_addf(&all, "%s %s %s", text ? text : "", fact, json_string_value(machine));
    hash_bytes(all.s, all.len, hex);
    snprintf(tag, 32, EXPLORING_TAG "%.16s", hex);
    text_release(&all);
    json_decref(machine);
    free(text);
}

/* A run that came to its end, and was made here. */
static bool counts(const json_t *row)
{
    const char *verdict = tree_text(row, "verdict", "");

    return strcmp(verdict, "INTERRUPTED") && strcmp(verdict, "ERROR") &&
           !tree_text(row, "origin", NULL);
}

/* Whether the files behind the names are still what the record was made of. */
static bool is_of_now(struct exploring *x, const json_t *record, const struct settings *s)
{
    struct resolved r;
    bool fits;

    if (resolve(s, &r, NULL))
        return false;
    fits = evidence_fits(&x->evidence, record, &r, true);
    resolve_release(&r);
    return fits;
}

/* The record of an earlier run of the same; NULL: none. */
static json_t *find_run(struct exploring *x, const char *tag, const struct settings *s)
{
    json_t *rows = NULL, *row, *record = NULL;
    size_t i;

    if (!file_is_dir(x->store) || record_list(x->store, &rows, NULL))
        return NULL;
    json_array_foreach(rows, i, row)
    {
        if (record || strcmp(tree_text(row, "tag", ""), tag) || !counts(row))
            continue;
        if (record_find(x->store, tree_text(row, "id", ""), NULL, &record, NULL))
            record = NULL;
        if (record && !is_of_now(x, record, s)) {
            json_decref(record);
            record = NULL;
        }
    }
    json_decref(rows);
    return record;
}

static int run_point(struct exploring *x, int kind, const json_t *point, json_t **record,
                     bool *known, struct assay_err *err)
{
    struct settings s = {0};
    json_t *words = NULL;
    char tag[32];
    int rc = point_settings(x, kind, point, &s, err);

    if (!rc) {
        words = words_of(&s);
        tag_of(x, words, point, tag);
        rc = settings_set(&s, "tag", tag, SETTINGS_CLI, "explore", err);
        *known = !rc && (*record = find_run(x, tag, &s)) != NULL;
    }
    if (!rc && !*known)
        rc = words_run(&s, words, record, err);
    json_decref(words);
    settings_release(&s);
    return rc;
}

/* ---- figures ---- */

static void put_out(json_t *point, const char *why)
{
    json_object_set_new(point, "out", json_true());
    json_object_set_new(point, "reason", tree_string(why));
}

static void set_real(json_t *point, const char *name, double value)
{
    if (isfinite(value) && value > 0)
        json_object_set_new(point, name, json_real(value));
}

/* Offline's latencies are of samples that were all there at once: a batch's time says more. */
static double latency_ms(const json_t *record)
{
    const json_t *stages = json_object_get(record, "stages"),
                 *latency = json_object_get(json_object_get(record, "performance"), "latency_ns");

    if (!strcmp(tree_text(record, "scenario", ""), "Offline"))
        return tree_real(stages, "engine_ns", 0) * 1e-6 / fmax(tree_real(stages, "batches", 1), 1);
    return tree_real(latency, "p99", 0) * 1e-6;
}

static void take_energy(json_t *point, const json_t *record)
{
    const json_t *energy = energy_of(record);

    json_object_del(point, "energy_j"); /* the short run's */
    json_object_del(point, "energy_of");
    json_object_del(point, "energy_reason");
    set_real(point, "energy_j", energy_per_sample(record));
    if (json_object_get(point, "energy_j"))
        json_object_set_new(point, "energy_of", json_string(energy_covers(energy)));
    else
        json_object_set_new(point, "energy_reason",
                            json_string(tree_text(energy, "reason",
                                                  "its run was made before energy was measured")));
}

static void take_figures(json_t *point, int kind, const json_t *record)
{
    const json_t *performance = json_object_get(record, "performance"),
                 *accuracy = json_object_get(record, "accuracy"),
                 *verdict = json_object_get(record, "verdict");
    const char *executed = cell_executed(record, tree_text(point, "precision", "")),
               *reason = json_string_value(json_array_get(json_object_get(verdict, "reasons"), 0));
    char text[80];

    json_object_set_new(point, "id", json_string(tree_text(record, "id", "")));
    if (strcmp(tree_text(record, "status", ""), "done")) {
        put_out(point, tree_text(json_object_get(record, "error"), "text", "it failed"));
    } else if (executed) {
        snprintf(text, sizeof(text), "it was executed in %.40s", executed);
        put_out(point, text);
    } else if (kind == EXPLORE_ACCURACY) {
        if (json_is_number(json_object_get(accuracy, "value")))
            json_object_set(point, "accuracy", json_object_get(accuracy, "value"));
    } else {
        set_real(point, "throughput",
                 !strcmp(tree_text(performance, "unit", ""), "samples/s")
                     ? tree_real(performance, "value", 0)
                     : tree_real(performance, "samples", 0) /
                           fmax(tree_real(performance, "duration_s", 1), 1e-9));
        set_real(point, "latency_ms", latency_ms(record));
        set_real(point, "memory_bytes",
                 tree_real(json_object_get(record, "memory"), "peak_bytes", 0));
        take_energy(point, record);
        if (kind == EXPLORE_FULL && !tree_bool(verdict, "valid", false))
            put_out(point, reason ? reason : "INVALID");
    }
}

/* One line a measurement. */
static void say(const struct exploring *x, int kind, const json_t *point, bool known)
{
    static const char *const kinds[] = {"accuracy", "short", "full"};
    double seconds = (double)(clock_ns() - x->began) * 1e-9;
    char used[32], budget[32], figure[64] = "", line[400];

    text_duration(used, seconds);
    text_duration(budget, x->ask->budget_s);
    if (tree_bool(point, "out", false))
        snprintf(figure, sizeof(figure), "out: %.50s", tree_text(point, "reason", ""));
    else if (kind == EXPLORE_ACCURACY)
        snprintf(figure, sizeof(figure), "accuracy %.5g", tree_real(point, "accuracy", NAN));
    else
        snprintf(figure, sizeof(figure), "%.4g /s, %.4g ms", tree_real(point, "throughput", NAN),
                 tree_real(point, "latency_ms", NAN));
    snprintf(line, sizeof(line),
             "explore %s of %s  %-8s %.100s %.60s %s  lanes %lld threads %lld batch %lld: %s%s",
             used, budget, kinds[kind], tree_text(point, "model", ""),
             tree_text(point, "engine", ""), tree_text(point, "precision", ""),
             (long long)tree_int(point, "lanes", 0), (long long)tree_int(point, "threads", 0),
             (long long)tree_int(point, "batch", 0), figure, known ? "  (known)" : "");
    progress_line(x->ask->base->progress, "explore", seconds, line);
}

static int measure(void *ctx, int kind, json_t *point, struct assay_err *err)
{
    struct exploring *x = ctx;
    struct assay_err why = {0};
    json_t *record = NULL;
    bool known = false;
    int rc = run_point(x, kind, point, &record, &known, &why);

    if (rc == ASSAY_ESTOP || (!rc && !strcmp(tree_text(record, "status", ""), "interrupted"))) {
        rc = assay_fail(err, ASSAY_ESTOP, "interrupted; the same command goes on from here");
    } else if (rc) {
        put_out(point, why.text);
        rc = ASSAY_OK;
    } else {
        take_figures(point, kind, record);
    }
    if (!rc)
        say(x, kind, point, known);
    json_decref(record);
    return rc;
}

static double left_s(void *ctx)
{
    const struct exploring *x = ctx;

    return x->ask->budget_s - (double)(clock_ns() - x->began) * 1e-9;
}

#define ENERGY_LOOK_S 0.3

/* Minutes of runs that cannot keep a constraint on energy are not begun where none can be read.  Of
 * a card the runs themselves tell. */
static int check_energy(const struct exploring_ask *ask, struct assay_err *err)
{
    struct energy_ask here = {.device = "cpu"};
    struct timespec nap = {0, (long)(ENERGY_LOOK_S * 1e9)};
    struct energy *e = NULL;
    json_t *energy;
    size_t i;
    int rc = ASSAY_OK;

    for (i = 0; i < json_array_size(ask->devices); i++)
        if (strncmp(json_string_value(json_array_get(ask->devices, i)), "cpu", 3))
            return ASSAY_OK;
    for (i = 0; i < ask->search.constraint_count && !e; i++)
        if (!strcmp(ask->search.constraints[i].figure, "energy_j"))
            e = energy_open(&here);
    if (!e)
        return ASSAY_OK;
    energy_begin(e);
    nanosleep(&nap, NULL);
    energy_mark(e);
    energy = energy_json(e);
    if (strcmp(tree_text(energy, "from", ""), "detected"))
        rc = assay_fail(err, ASSAY_EUNSUPPORTED,
                        "--constraint: no energy can be read here: %.300s; leave it out",
                        tree_text(energy, "reason", "not enough memory"));
    json_decref(energy);
    energy_close(e);
    return rc;
}

/* A name that nobody knows is a slip; one that is not installed here is a line of the table. */
static int check_engines(const struct exploring_ask *ask, struct assay_err *err)
{
    const struct assay_engine *table;
    const json_t *name;
    char path[1024];
    size_t i;

    json_array_foreach(ask->engines, i, name)
    {
        if (engine_load(json_string_value(name), &table, path, err) == ASSAY_EUSAGE)
            return ASSAY_EUSAGE;
    }
    return ASSAY_OK;
}

static int check_budget(const struct exploring_ask *ask, struct assay_err *err)
{
    double least = explore_reserve_s(&ask->search) + ask->short_s;
    char budget[32], full[32];

    if (ask->budget_s > least)
        return ASSAY_OK;
    text_duration(budget, ask->budget_s);
    text_duration(full, ask->search.full_s);
    return assay_fail(err, ASSAY_EUSAGE,
                      "--budget: %s leaves no time for anything beside full runs of %s: give %.0fm "
                      "or more",
                      budget, full, floor(least / 60) + 1);
}

/* From the ask to the setups. */
static int begin(struct exploring *x, struct exploring_ask *ask, struct assay_err *err)
{
    int rc;

    *x = (struct exploring){.ask = ask,
                            .setups = json_array(),
                            .impossible = json_array(),
                            .first = json_pack("{s:[], s:[]}", "get", "steps"),
                            .store = file_store_at(ask->base->store),
                            .began = clock_ns()};
    evidence_init(&x->evidence);
    rc = x->store ? check_energy(ask, err) : assay_fail(err, ASSAY_EFAIL, "not enough memory");
    if (!rc)
        rc = check_engines(ask, err);
    fill_axes(ask);
    return rc ? rc : check_budget(ask, err);
}

static void end(struct exploring *x)
{
    json_decref(x->setups);
    json_decref(x->impossible);
    json_decref(x->facts);
    json_decref(x->first);
    evidence_release(&x->evidence);
    free(x->store);
}

int exploring_run(struct exploring_ask *ask, json_t **points, struct assay_err *err)
{
    struct exploring x;
    struct explore_ops ops = {.measure = measure, .left_s = left_s, .ctx = &x};
    int rc = begin(&x, ask, err);

    *points = NULL;
    x.facts = json_object();
    if (!rc)
        rc = make_setups(&x, err);
    if (!rc)
        rc = supply_check(json_string_value(json_array_get(json_object_get(x.first, "get"), 0)),
                          err);
    if (!rc) {
        ask->search.setups = x.setups;
        rc = explore_search(&ask->search, &ops, points, err);
        json_array_extend(*points, x.impossible);
    }
    end(&x);
    return rc;
}

static json_t *numbers(const uint32_t values[], size_t n)
{
    json_t *list = json_array();

    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, json_integer(values[i]));
    return list;
}

static json_t *plan_json(const struct exploring *x)
{
    const struct explore_ask *a = &x->ask->search;
    size_t setups = json_array_size(x->setups), grid = explore_grid(a) * setups;
    json_t *runs = json_pack("{s:I, s:I, s:I}", "accuracy", (json_int_t)(a->accuracy ? setups : 0),
                             "short", (json_int_t)grid, "full",
                             (json_int_t)(grid < EXPLORE_FULL_MOST ? grid : EXPLORE_FULL_MOST));
    json_t *plan = json_pack(
        "{s:O, s:O, s:o, s:o, s:o, s:I, s:o, s:f, s:f, s:f}", "setups", x->setups, "out",
        x->impossible, "lanes", numbers(a->lanes, a->lane_count), "threads",
        numbers(a->threads, a->thread_count), "batches", numbers(a->batches, a->batch_count),
        "grid", (json_int_t)explore_grid(a), "runs", runs, "budget_s", x->ask->budget_s, "short_s",
        x->ask->short_s, "full_s", a->full_s);

    json_object_update(plan, x->first);
    return plan;
}

int exploring_plan(struct exploring_ask *ask, json_t **plan, struct assay_err *err)
{
    struct exploring x;
    int rc = begin(&x, ask, err);

    if (!rc)
        rc = make_setups(&x, err);
    if (!rc)
        *plan = plan_json(&x);
    end(&x);
    return rc;
}
