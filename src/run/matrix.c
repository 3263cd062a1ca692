/* The matrix of what works: see matrix.h.
 *
 * Planning a cell goes through resolve() and the pre-flight, so what cannot be (no file in a format
 * that the engine reads, an int8 net that is not made, more memory than there is) is known without
 * a run; what only a run can tell is told by its record. */
#include "run/matrix.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/list.h"
#include "base/tree.h"
#include "data/bench_host.h"
#include "engine/host.h"
#include "engine/offer.h"
#include "flow/version.h"
#include "record/cell.h"
#include "run/evidence.h"
#include "run/exploring.h"
#include "run/preflight.h"
#include "run/words.h"

/* ---- the axes ---- */

static json_t *texts(const char *a, const char *b)
{
    return b ? json_pack("[s, s]", a, b) : json_pack("[s]", a);
}

/* Engines that execute models, installed or to be had. */
static json_t *all_engines(void)
{
    json_t *names = engine_list(), *offers = engine_offers(), *all = json_array(), *item;
    struct engine_loaded *loaded = engine_load_all(names);
    size_t i;

    json_array_foreach(names, i, item)
    {
        if (!loaded || loaded[i].rc || !(loaded[i].table->caps & ASSAY_CAP_ANY_MODEL))
            json_array_append(all, item);
    }
    free(loaded);
    json_array_foreach(offers, i, item)
    {
        if (!list_holds(all, tree_text(item, "name", "")))
            json_array_append(all, json_object_get(item, "name"));
    }
    json_decref(names);
    json_decref(offers);
    return all;
}

/* A new reference. */
static json_t *axis(const struct matrix_ask *ask, const char *name)
{
    json_t *chosen = json_object_get(ask->axes, name);

    if (json_array_size(chosen))
        return json_incref(chosen);
    if (!strcmp(name, "benchmarks"))
        return bench_list();
    if (!strcmp(name, "engines"))
        return all_engines();
    if (!strcmp(name, "devices"))
        return texts("cpu", "cuda:0");
    return texts("performance", "accuracy"); /* modes */
}

struct plan {
    const struct matrix_ask *ask;
    struct evidence known; /* what was hashed for it */
    json_t *cells, *evidence, *devices, *modes;
    /* Of the benchmark that is planned: its model's name, the precisions in which that is looked
     * at, and what its runs take. */
    json_t *model, *wanted;
    struct resolved_look look;
};

/* ---- what an engine is here ---- */

/* One engine for one device: its library may be another for each. */
struct known {
    const char *name;
    const struct assay_engine *table; /* NULL: why says what is the matter */
    char *runtime;
    bool waits; /* the library is got before the runs, and tells only then what it has */
    bool probed;
    struct assay_engine_probe probe;
    struct assay_err why;
};

/* One library is probed once: not where it is that of the same engine for another device. */
static bool probe_known(const struct known *other, struct known *k)
{
    k->probed = true;
    if (!other || !other->probed ||
        strcmp(other->runtime ? other->runtime : "", k->runtime ? k->runtime : "") != 0)
        return !engine_usable(k->name, k->runtime, &k->probe, &k->why);
    k->probe = other->probe;
    k->why = other->why;
    return other->table;
}

/* Fails only for a word that is no engine.  other: the same engine for another device, or NULL. */
static int know_engine(const struct matrix_ask *ask, const char *name,
                       const struct engine_loaded *loaded, const char *device,
                       const struct known *other, struct known *k, struct assay_err *err)
{
    bool got = ask->get && json_array_size(json_object_get(ask->axes, "engines"));

    k->name = name;
    k->probe.size = sizeof(k->probe);
    k->table = loaded->table;
    k->why = loaded->err;
    if (loaded->rc == ASSAY_EUSAGE) {
        *err = k->why;
        return loaded->rc;
    }
    if (loaded->rc ||
        supply_runtime(ask->base->cache, name, device, &k->runtime, NULL, got ? &k->waits : NULL,
                       &k->why) ||
        (!k->waits && !probe_known(other, k)))
        k->table = NULL;
    return ASSAY_OK;
}

/* ---- a cell ---- */

/* What the user has for a benchmark's runs; what stands below its `engines` goes before the rest.
 */
static int own_settings(const json_t *own, const json_t *cell, struct settings *s,
                        struct assay_err *err)
{
    const char *benchmark = tree_text(cell, "benchmark", "");
    json_t *all = json_copy(json_object_get(own, benchmark)),
           *engines = json_object_get(all, "engines"),
           *engine = json_object_get(engines, tree_text(cell, "engine", "")),
           *exact = json_object_get(engines, tree_text(cell, "plugin", "")); /* NAME@VERSION */
    int rc;

    if (engine)
        json_object_update(all, engine);
    if (exact)
        json_object_update(all, exact);
    json_object_del(all, "engines");
    rc = all ? settings_set_tree(s, all, SETTINGS_JOB, benchmark, err) : ASSAY_OK;
    json_decref(all);
    return rc;
}

static int cell_settings(const struct matrix_ask *ask, const json_t *cell, struct settings *s,
                         struct assay_err *err)
{
    static const char *const names[] = {"benchmark", "engine",   "device",
                                        "precision", "scenario", "mode"};
    size_t i, n = sizeof(names) / sizeof(names[0]);
    int rc = settings_copy(s, ask->base, err);

    if (rc)
        return rc;
    rc = own_settings(ask->own, cell, s, err);
    for (i = 0; !rc && i < n; i++)
        rc = settings_set(s, names[i], tree_text(cell, names[i], ""), SETTINGS_CLI, names[i], err);
    /* an engine that was named by its file, or with a version */
    if (!rc && json_object_get(cell, "plugin"))
        rc = settings_set(s, "engine", tree_text(cell, "plugin", ""), SETTINGS_CLI, "engine", err);
    if (rc)
        settings_release(s);
    return rc;
}

int matrix_command(const struct matrix_ask *ask, const json_t *cell, json_t **words,
                   struct assay_err *err)
{
    struct settings s;
    int rc = cell_settings(ask, cell, &s, err);

    if (rc)
        return rc;
    *words = words_of(&s);
    settings_release(&s);
    return ASSAY_OK;
}

static void set_state(json_t *cell, const char *state, const char *reason)
{
    json_object_set_new(cell, "state", json_string(state));
    json_object_del(cell, "reason");
    if (reason)
        json_object_set_new(cell, "reason", tree_string(reason));
}

/* Takes over what a record says of this cell. */
static void enter(json_t *cell, const json_t *found)
{
    json_object_del(cell, "reason");
    json_object_del(cell, "run");
    json_object_update(cell, (json_t *)(uintptr_t)found);
    if (!json_object_get(cell, "foreign"))
        json_object_del(cell, "system"); /* else all cells of a plan are of this machine */
}

/* An exploration's runs are of configurations that nobody would choose, too. */
static bool is_explored(const json_t *record)
{
    return !strncmp(tree_text(record, "tag", ""), EXPLORING_TAG, strlen(EXPLORING_TAG));
}

/* Whether what a cell was made of is still what the files are. */
static bool is_of_now(struct evidence *known, const json_t *cell, const struct resolved *r)
{
    char path[1200];
    json_t *record = NULL;
    bool fits;

    snprintf(path, sizeof(path), "%s/runs/%s/record.json", r->store, tree_text(cell, "id", ""));
    fits = !tree_read_json(path, &record, NULL) && !is_explored(record) &&
           evidence_fits(known, record, r, false);
    json_decref(record);
    return fits;
}

/* The version that is here; or one of those that were asked for and are not (range): then records
 * of other machines tell of it, too. */
static bool is_of_version(const json_t *e, const json_t *cell, const char *range)
{
    const char *version = tree_text(e, "engine_version", "");

    return range ? version_in(version, range)
                 : !json_object_get(e, "foreign") &&
                       !strcmp(version, tree_text(cell, "engine_version", ""));
}

/* The newest record that counts, of runs that were made if there is any; NULL: none. */
static const json_t *find_evidence(struct plan *p, const json_t *cell, const char *range,
                                   const struct resolved *r)
{
    bool synthetic = r->manifest.synthetic || !r->s.dataset;
    const json_t *e, *found = NULL;
    size_t i;

    json_array_foreach(p->evidence, i, e)
    {
        if (found && strcmp(tree_text(found, "state", ""), CELL_UNKNOWN) != 0)
            break;
        if (found && !strcmp(tree_text(e, "state", ""), CELL_UNKNOWN))
            continue;
        if (cell_same(cell, e) && is_of_version(e, cell, range) &&
            !strcmp(tree_text(e, "profile", ""), r->s.profile) &&
            tree_bool(e, "synthetic", false) == synthetic && is_of_now(&p->known, e, r))
            found = e;
    }
    return found;
}

static bool run_again(const struct matrix_ask *ask, const json_t *cell)
{
    const char *state = tree_text(cell, "state", "");
    double limit = ask->base->time_limit_s;

    if (ask->again == AGAIN_ALL)
        return true;
    if (!strcmp(state, CELL_UNKNOWN)) /* it was not begun: there may be more time now */
        return !(limit > 0) || limit > tree_real(cell, "limit_s", 0);
    return ask->again == AGAIN_FAILED && !strcmp(state, CELL_FAILED);
}

/* What the store knows, and whether to run it.  Of an engine that waits for its library nobody
 * knows the version, which is not that of records of runs that ended before theirs was known. */
static void look_up(struct plan *p, json_t *cell, const struct known *k, const struct resolved *r)
{
    const json_t *found = k->waits ? NULL : find_evidence(p, cell, NULL, r);

    if (found) {
        enter(cell, found);
        if (run_again(p->ask, cell))
            json_object_set_new(cell, "run", json_true());
    } else {
        set_state(cell, CELL_UNKNOWN, "not run yet");
        json_object_set_new(cell, "run", json_true());
    }
}

/* What hinders a run before it begins; false: nothing does. */
static bool hindered(json_t *cell, const struct known *k)
{
    const char *device = tree_text(cell, "device", ""),
               *precision = tree_text(cell, "precision", "");
    struct assay_err why;
    char text[160];

    if (!k->table) {
        set_state(cell, CELL_UNKNOWN, k->why.text);
        return true;
    }
    if (!k->waits && !engine_has_device(&k->probe, device)) {
        snprintf(text, sizeof(text), "%.60s has no %.40s here", k->name, device);
        set_state(cell, CELL_UNKNOWN, text);
        return true;
    }
    if (engine_check_precision(k->table, precision, &why)) {
        set_state(cell, CELL_NONE, why.text);
        return true;
    }
    return false;
}

/* The versions that were seen to work. */
static void add_ranges(json_t *cell, const json_t *evidence)
{
    json_t *versions = cell_versions(cell, evidence);
    char ranges[256];

    cell_ranges(versions, ranges, sizeof(ranges));
    if (*ranges)
        json_object_set_new(cell, "works_with", json_string(ranges));
    json_decref(versions);
}

static void cannot_be(json_t *cell, int rc, const struct assay_err *why)
{
    set_state(cell, rc == ASSAY_EUNSUPPORTED ? CELL_NONE : CELL_UNKNOWN, why->text);
}

/* A cell that would be run, but cannot; what its records say stays.  *look: of the benchmark, once
 * it was taken: opening one takes its time where the data set is large. */
static void check_cell(json_t *cell, struct resolved *r, struct resolved_look *look)
{
    struct assay_err why = {0};
    int rc = ASSAY_OK;

    if (!tree_bool(cell, "run", false))
        return;
    r->look = *look;
    if (!look->samples && !(rc = resolve_check(r, &why)))
        *look = r->look;
    if (!rc)
        rc = preflight(r, false, NULL, &why);
    if (rc)
        json_object_del(cell, "run");
    if (rc && !json_object_get(cell, "id"))
        cannot_be(cell, rc, &why);
}

/* Of a version that was asked for and is not here the records tell, by all that is here but for the
 * engine: it hangs on no library what model and data are. */
static int look_elsewhere(struct plan *p, json_t *cell, const struct known *k,
                          struct assay_err *err)
{
    const char *range = engine_version_asked(k->name);
    json_t *like, *faults;
    const json_t *found;
    struct assay_err why;
    struct settings s;
    struct resolved r;
    int rc;

    if (k->table || !range)
        return ASSAY_OK;
    like = json_copy(cell);
    json_object_set_new(like, "engine", json_stringn(k->name, (size_t)(range - 1 - k->name)));
    json_object_set_new(like, "plugin", json_string(k->name));
    rc = cell_settings(p->ask, like, &s, err);
    if (!rc) {
        faults = json_array();
        resolve_all(&s, &r, faults, &why);
        if (r.manifest.tree && (found = find_evidence(p, like, range, &r)))
            enter(cell, found);
        resolve_release(&r);
        settings_release(&s);
        json_decref(faults);
    }
    json_decref(like);
    return rc;
}

static int plan_cell(struct plan *p, json_t *cell, const struct known *k, struct assay_err *err)
{
    const struct matrix_ask *ask = p->ask;
    struct assay_err why = {0};
    struct settings s;
    struct resolved r;
    int rc;

    if (hindered(cell, k)) {
        rc = look_elsewhere(p, cell, k, err);
        add_ranges(cell, p->evidence);
        return rc;
    }
    rc = cell_settings(ask, cell, &s, err);
    if (rc)
        return rc;
    rc = resolve(&s, &r, &why);
    settings_release(&s);
    if (rc) {
        cannot_be(cell, rc, &why);
        return ASSAY_OK;
    }
    look_up(p, cell, k, &r);
    check_cell(cell, &r, &p->look);
    if (ask->first && tree_bool(cell, "run", false))
        supply_tell(r.get, ask->first);
    resolve_release(&r);
    add_ranges(cell, p->evidence);
    return ASSAY_OK;
}

/* ---- all cells ---- */

/* The scenarios of a benchmark, in its own order; those asked for that it has not, too. */
static json_t *scenarios_of(const struct matrix_ask *ask, const struct assay_benchmark *b)
{
    const json_t *chosen = json_object_get(ask->axes, "scenarios"), *item;
    json_t *list = json_array();
    size_t i;

    for (const char *const *s = b->scenarios; s && *s; s++)
        if (!json_array_size(chosen) || list_holds(chosen, *s))
            json_array_append_new(list, json_string(*s));
    json_array_foreach(chosen, i, item)
    {
        if (!list_holds(list, json_string_value(item)))
            json_array_append(list, (json_t *)(uintptr_t)item);
    }
    return list;
}

/* Accuracy is the same in each scenario, so it is looked at in one: Offline where there is that. */
static bool wanted(const json_t *scenarios, const char *scenario, const char *mode)
{
    if (strcmp(mode, "accuracy"))
        return true;
    return list_holds(scenarios, "Offline")
               ? !strcmp(scenario, "Offline")
               : !strcmp(scenario, json_string_value(json_array_get(scenarios, 0)));
}

/* Those that were chosen, else those that the model's manifest names.  A new reference. */
static json_t *precisions_of(const struct matrix_ask *ask, const json_t *manifest)
{
    json_t *chosen = json_object_get(ask->axes, "precisions"),
           *listed = json_object_get(manifest, "precisions");

    if (json_array_size(chosen))
        return json_incref(chosen);
    return json_array_size(listed) ? json_incref(listed)
                                   : texts(tree_text(manifest, "precision", "fp32"), NULL);
}

/* What the benchmark's runs use; as it was asked for, when that cannot be read.  false: it is
 * another benchmark's, and nobody asked for this one. */
static bool know_model(struct plan *p, const struct assay_benchmark *b)
{
    const struct matrix_ask *ask = p->ask;
    const char *own = tree_text(json_object_get(ask->own, b->name), "model", ask->base->model);
    const char *asked = own ? own : b->default_model;
    struct manifest m = {0};
    bool known = asked && !manifest_open(asked, &m, NULL);
    bool fits = !known || !strcmp(m.benchmark, b->name) ||
                json_array_size(json_object_get(ask->axes, "benchmarks"));

    p->model = json_string(known ? m.name : asked ? asked : "?");
    p->wanted = precisions_of(ask, known ? m.tree : NULL);
    p->look = (struct resolved_look){0};
    manifest_release(&m);
    return fits;
}

/* Whether there is such a cell: NAME and NAME@VERSION may be one library.  A plugin's file is one
 * of its own. */
static bool is_planned(const json_t *cells, const json_t *cell)
{
    const char *version = tree_text(cell, "engine_version", "");
    const json_t *other;
    size_t i;

    if (!*version || strchr(tree_text(cell, "plugin", ""), '/'))
        return false;
    json_array_foreach(cells, i, other)
    {
        if (cell_same(cell, other) && !strcmp(tree_text(other, "engine_version", ""), version) &&
            !strchr(tree_text(other, "plugin", ""), '/'))
            return true;
    }
    return false;
}

static int plan_setup(struct plan *p, const struct assay_benchmark *b, const struct known *k,
                      const char *device, const char *precision, struct assay_err *err)
{
    json_t *scenarios = scenarios_of(p->ask, b), *mode, *scenario, *cell;
    size_t i, j;
    int rc = ASSAY_OK;

    json_array_foreach(p->modes, i, mode)
    {
        json_array_foreach(scenarios, j, scenario)
        {
            if (rc || !wanted(scenarios, json_string_value(scenario), json_string_value(mode)))
                continue;
            cell =
                json_pack("{s:s, s:O, s:s, s:s, s:s, s:O, s:O, s:s}", "benchmark", b->name, "model",
                          p->model, "engine", k->name, "device", device, "precision", precision,
                          "scenario", scenario, "mode", mode, "engine_version", k->probe.version);
            if (strpbrk(k->name, "/@") && k->table) {
                json_object_set_new(cell, "plugin", json_string(k->name));
                json_object_set_new(cell, "engine", json_string(k->table->name));
            }
            if (is_planned(p->cells, cell)) {
                json_decref(cell);
                continue;
            }
            rc = plan_cell(p, cell, k, err);
            json_array_append_new(p->cells, cell);
        }
    }
    json_decref(scenarios);
    return rc;
}

/* engines: n, each for every device. */
static int plan_benchmark(struct plan *p, const char *name, const struct known *engines, size_t n,
                          struct assay_err *err)
{
    const struct assay_benchmark *b;
    json_t *device, *precision;
    char path[1024];
    size_t e, i, j;
    int rc = bench_load(name, &b, path, err);

    if (rc)
        return rc;
    if (!know_model(p, b))
        n = 0;
    for (e = 0; !rc && e < n; e++) {
        p->look = (struct resolved_look){0}; /* sizes and data may be one engine's own */
        json_array_foreach(p->devices, i, device)
        {
            json_array_foreach(p->wanted, j, precision)
            {
                if (!rc)
                    rc = plan_setup(p, b, &engines[e * json_array_size(p->devices) + i],
                                    json_string_value(device), json_string_value(precision), err);
            }
        }
    }
    json_decref(p->model);
    json_decref(p->wanted);
    return rc;
}

static int read_evidence(const struct matrix_ask *ask, json_t **evidence, struct assay_err *err)
{
    char *store = file_store_at(ask->base->store);
    int rc = store ? ASSAY_OK : assay_fail(err, ASSAY_EFAIL, "not enough memory");

    if (!rc && !file_is_dir(store)) /* nothing was run yet, and nothing is made */
        *evidence = json_array();
    else if (!rc)
        rc = cell_list(store, evidence, err);
    free(store);
    return rc;
}

int matrix_plan(const struct matrix_ask *ask, json_t **cells, struct assay_err *err)
{
    struct plan p = {.ask = ask, .cells = json_array()};
    json_t *engines = axis(ask, "engines"), *benchmarks = axis(ask, "benchmarks"),
           *devices = axis(ask, "devices"), *name;
    size_t i, n = json_array_size(engines), per = json_array_size(devices);
    struct known *known = calloc(n * per + 1, sizeof(*known));
    struct engine_loaded *loaded = engine_load_all(engines);
    int rc = known && loaded ? read_evidence(ask, &p.evidence, err)
                             : assay_fail(err, ASSAY_EFAIL, "not enough memory");

    evidence_init(&p.known);
    p.devices = devices;
    p.modes = axis(ask, "modes");
    for (i = 0; !rc && i < n * per; i++)
        rc = know_engine(ask, json_string_value(json_array_get(engines, i / per)), &loaded[i / per],
                         json_string_value(json_array_get(devices, i % per)),
                         i % per ? &known[i - 1] : NULL, &known[i], err);
    json_array_foreach(benchmarks, i, name)
    {
        if (!rc)
            rc = plan_benchmark(&p, json_string_value(name), known, n, err);
    }
    for (i = 0; known && i < n * per; i++)
        free(known[i].runtime);
    free(known);
    free(loaded);
    json_decref(engines);
    json_decref(benchmarks);
    json_decref(devices);
    json_decref(p.modes);
    json_decref(p.evidence);
    evidence_release(&p.known);
    if (rc)
        json_decref(p.cells);
    else
        *cells = p.cells;
    return rc;
}

/* Whether one of the engines is the cell's: NAME, or NAME@VERSION with its version. */
static bool names_engine(const json_t *engines, const json_t *cell)
{
    const char *engine = tree_text(cell, "engine", ""), *name, *range;
    size_t i, n = strlen(engine);
    json_t *v;

    json_array_foreach(engines, i, v)
    {
        name = json_string_value(v);
        range = engine_version_asked(name);
        if (!range && !strcmp(name, engine))
            return true;
        if (range && (size_t)(range - 1 - name) == n && !strncmp(name, engine, n) &&
            version_in(tree_text(cell, "engine_version", ""), range))
            return true;
    }
    return false;
}

/* Whether an axis that was chosen leaves a cell out. */
static bool left_out(const struct matrix_ask *ask, const json_t *cell)
{
    static const char *const axes[][2] = {{"benchmarks", "benchmark"},
                                          {"devices", "device"},
                                          {"precisions", "precision"},
                                          {"scenarios", "scenario"},
                                          {"modes", "mode"}};
    const json_t *chosen = json_object_get(ask->axes, "engines");

    if (json_array_size(chosen) && !names_engine(chosen, cell))
        return true;

    for (size_t i = 0; i < sizeof(axes) / sizeof(axes[0]); i++) {
        chosen = json_object_get(ask->axes, axes[i][0]);
        if (json_array_size(chosen) && !list_holds(chosen, tree_text(cell, axes[i][1], "")))
            return true;
    }
    return false;
}

static bool executes_models(const json_t *cell)
{
    return strncmp(tree_text(cell, "engine", ""), "null", 4) != 0;
}

/* Those that the axes leave in, with their ranges; a new reference. */
static json_t *choose(const struct matrix_ask *ask, const json_t *evidence)
{
    json_t *cells = json_array(), *cell;
    size_t i;

    json_array_foreach(evidence, i, cell)
    {
        bool named = json_array_size(json_object_get(ask->axes, "engines")) > 0;

        if (left_out(ask, cell) || (!named && !executes_models(cell)))
            continue;
        add_ranges(cell, evidence);
        json_array_append(cells, cell);
    }
    return cells;
}

int matrix_everything(const struct matrix_ask *ask, json_t **cells, struct assay_err *err)
{
    json_t *evidence = NULL;
    int rc = read_evidence(ask, &evidence, err);

    if (!rc)
        *cells = choose(ask, evidence);
    json_decref(evidence);
    return rc;
}

int matrix_exports(const struct matrix_ask *ask, const char *const *paths, json_t **cells,
                   json_t **files, struct assay_err *err)
{
    json_t *evidence = NULL;
    int rc = cell_list_exports(paths, &evidence, files, err);

    if (!rc)
        *cells = choose(ask, evidence);
    json_decref(evidence);
    return rc;
}

/* ---- what would be run ---- */

/* Cells that cannot be run. */
static json_t *count_out(const json_t *cells)
{
    json_t *out = json_array(), *cell, *one, *found;
    size_t i, k;

    json_array_foreach(cells, i, cell)
    {
        const char *state = tree_text(cell, "state", ""), *engine = tree_text(cell, "engine", ""),
                   *reason = tree_text(cell, "reason", "");

        if (tree_bool(cell, "run", false) ||
            (strcmp(state, CELL_UNKNOWN) != 0 && strcmp(state, CELL_NONE) != 0))
            continue;
        found = NULL;
        json_array_foreach(out, k, one)
        {
            if (!strcmp(tree_text(one, "state", ""), state) &&
                !strcmp(tree_text(one, "engine", ""), engine) &&
                !strcmp(tree_text(one, "reason", ""), reason))
                found = one;
        }
        if (!found)
            json_array_append_new(out, found = json_pack("{s:s, s:s, s:s}", "state", state,
                                                         "engine", engine, "reason", reason));
        json_object_set_new(found, "cells", json_integer(tree_int(found, "cells", 0) + 1));
    }
    return out;
}

int matrix_dry(const struct matrix_ask *ask, const json_t *cells, json_t **plan,
               struct assay_err *err)
{
    json_t *runs = json_array(), *words, *cell;
    int rc = ASSAY_OK;
    size_t i;

    json_array_foreach(cells, i, cell)
    {
        if (rc || !tree_bool(cell, "run", false))
            continue;
        if (!(rc = matrix_command(ask, cell, &words, err)))
            json_array_append_new(runs, words);
    }
    if (rc)
        json_decref(runs);
    else
        *plan = json_pack("{s:o, s:o, s:O, s:O}", "commands", runs, "out", count_out(cells), "get",
                          json_object_get(ask->first, "get"), "steps",
                          json_object_get(ask->first, "steps"));
    return rc;
}

/* ---- running ---- */

int matrix_run(const struct matrix_ask *ask, json_t *cell, struct assay_err *err)
{
    json_t *record = NULL, *words = NULL, *found;
    struct assay_err why = {0};
    struct settings s;
    int rc = cell_settings(ask, cell, &s, err);

    if (rc)
        return rc;
    words = words_of(&s);
    rc = words_run(&s, words, &record, &why);
    found = rc ? NULL : cell_of_record(record);
    if (rc) {
        set_state(cell, CELL_UNKNOWN, why.text);
        json_object_del(cell, "run");
        rc = ASSAY_OK;
    } else if (found) {
        enter(cell, found);
    } else {
        rc = assay_fail(err, ASSAY_ESTOP, "interrupted");
    }
    json_decref(found);
    json_decref(words);
    json_decref(record);
    settings_release(&s);
    return rc;
}
