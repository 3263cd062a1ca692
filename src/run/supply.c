/* Models, data sets, engines' libraries and LoadGens by recipes; see supply.h. */
#include "run/supply.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "base/list.h"
#include "base/tree.h"
#include "engine/host.h"
#include "flow/plan.h"
#include "load/bridge.h"
#include "load/profile.h"
#include "load/rounds.h"

static struct plan_ask said_of_all;

void supply_say(const struct plan_ask *said)
{
    said_of_all = *said;
}

const struct plan_ask *supply_said(void)
{
    return &said_of_all;
}

/* The output of this name, or the only one beside root and version. */
static const char *output_of(const struct plan_node *n, const char *name)
{
    const char *key, *output = tree_text(n->outputs, name, NULL);
    json_t *v;

    if (output || json_object_size(n->outputs) != 3)
        return output;
    json_object_foreach(n->outputs, key, v)
    {
        if (strcmp(key, "root") != 0 && strcmp(key, "version") != 0)
            output = json_string_value(v);
    }
    return output;
}

/* "1.34 GB", "232 kB"; "of unknown size". */
static void size_text(const struct plan_node *n, char out[40])
{
    int unknown;
    double bytes = (double)plan_bytes(n, &unknown);

    if (!bytes)
        snprintf(out, 40, "of unknown size");
    else if (bytes < 1e9)
        snprintf(out, 40, "%.3g MB%s", bytes / 1e6, unknown ? " and more" : "");
    else
        snprintf(out, 40, "%.3g GB%s", bytes / 1e9, unknown ? " and more" : "");
}

static json_t *steps_of(const struct plan *p)
{
    json_t *steps = json_array(), *problems = plan_problems(p), *v;
    char size[40];
    size_t i;

    for (i = 0; i < p->count; i++) {
        const struct plan_node *n = &p->nodes[i];

        if (!plan_has_work(n))
            continue;
        size_text(n, size);
        json_array_append_new(steps, n->state == PLAN_VERIFY || n->state == PLAN_CHECK
                                         ? json_sprintf("verify %s in %s", n->id, n->root)
                                     : n->fetches ? json_sprintf("fetch %s, %s", n->id, size)
                                                  : json_sprintf("make %s", n->id));
    }
    json_array_foreach(problems, i, v)
        json_array_append_new(steps, json_sprintf(SUPPLY_CANNOT "%s", json_string_value(v)));
    json_decref(problems);
    return steps;
}

/* Of the thing itself, where it is a download that is not here; 0: not known. */
static double download_bytes(const struct plan_node *n)
{
    int unknown;

    return n->fetches && n->state == PLAN_MAKE ? (double)plan_bytes(n, &unknown) : 0;
}

/* How many images its folder will have, as the recipe counts them: each is a sample; 0: it does
 * not say. */
static int64_t images_of(const struct plan_node *n)
{
    int64_t most = 0, files;
    json_t *row;
    size_t i;

    json_array_foreach(json_object_get(n->body, "check"), i, row)
    {
        const char *suffix = tree_text(row, "suffix", "");

        files = tree_int(row, "files", 0);
        if (files > most && (!strcasecmp(suffix, ".jpg") || !strcasecmp(suffix, ".jpeg")))
            most = files;
    }
    return most;
}

void supply_let_go(struct supply_hold *hold)
{
    if (hold->key[0])
        shelf_let_go(&hold->shelf, hold->key, hold->lock);
    hold->key[0] = 0;
}

void supply_use(const struct supply_hold *hold)
{
    if (hold->key[0])
        shelf_use(&hold->shelf, hold->key);
}

/* A shelf that cannot be locked is one that cannot be written either. */
int supply_keep(const struct plan *p, const struct plan_node *n, struct supply_hold *hold,
                struct assay_err *err)
{
    char *files = NULL;
    int rc;

    if (n->state != PLAN_THERE || shelf_hold(&p->shelf, n->key, &hold->lock, NULL))
        return ASSAY_OK;
    hold->shelf = p->shelf;
    snprintf(hold->key, sizeof(hold->key), "%s", n->key);
    rc = shelf_find(&p->shelf, n->key, &files, NULL, err);
    if (!rc && !files)
        rc = assay_fail(err, ASSAY_EFAIL, "%s was removed this moment; run the command again",
                        n->id);
    free(files);
    return rc;
}

static int look(const char *cache, const char *recipe, const char *output, const char *role,
                char **path, const struct supplied *out, struct supply_hold *hold,
                struct assay_err *err)
{
    const char *requests[] = {recipe, NULL};
    struct plan_ask ask = said_of_all;
    const struct plan_node *n;
    const char *place;
    json_t *lock;
    struct plan p;
    int rc;

    ask.requests = requests;
    ask.cache = cache;
    if ((rc = plan_make(&ask, &p, err)))
        return rc;
    n = &p.nodes[p.roots[0]];
    if (!(place = output_of(n, output)))
        rc = assay_fail(err, ASSAY_EUSAGE, "%s: the recipe gives no output '%s'", n->recipe->file,
                        output);
    else if (!(*path = strdup(place)))
        rc = assay_fail(err, ASSAY_EFAIL, "not enough memory");
    else if (n->state != PLAN_THERE && n->state != PLAN_FOUND && n->state != PLAN_HAVE)
        json_array_append_new(out->get, json_pack("{s:s, s:o, s:f, s:I}", "request", recipe,
                                                  "steps", steps_of(&p), "bytes", download_bytes(n),
                                                  "images", (json_int_t)images_of(n)));
    else if ((rc = supply_keep(&p, n, hold, err))) {
        free(*path);
        *path = NULL;
    }
    if (!rc) {
        lock = plan_lock(&p, p.roots[0], role);
        json_array_extend(out->lock, lock);
        json_decref(lock);
    }
    plan_release(&p);
    return rc;
}

int supply_model(const char *cache, const char *recipe, char **path, const struct supplied *out,
                 struct supply_hold *hold, struct assay_err *err)
{
    return look(cache, recipe, "model", "model", path, out, hold, err);
}

int supply_dataset(const char *cache, const char *name, char **path, const struct supplied *out,
                   struct supply_hold *hold, struct assay_err *err)
{
    struct assay_err e = {0};
    int rc;

    if (strchr(name, '/'))
        return assay_fail(err, ASSAY_EUSAGE, "--dataset: %s is not a folder", name);
    rc = look(cache, name, "folder", "dataset", path, out, hold, &e);
    return rc ? assay_fail(err, rc, "--dataset: %.60s is not a folder; as a recipe: %.380s", name,
                           e.text)
              : ASSAY_OK;
}

/* ---- engines ---- */

/* The folder that the file is in, in place. */
static void cut_file(char *path)
{
    char *slash = path ? strrchr(path, '/') : NULL;

    if (slash)
        *slash = 0;
}

/* Whether the engine does without what a recipe would have to get first. */
static bool has_other(const struct assay_engine *table)
{
    struct assay_engine_probe probe;

    return engine_runtime_here(table->name, "cpu") ||
           !engine_usable(table->name, NULL, &probe, NULL);
}

int supply_engine(const char *cache, const struct assay_engine *table, const char *engine,
                  const char *device, char **runtime, const struct supplied *out,
                  struct supply_hold *hold, struct assay_err *err)
{
    const char *asked = engine_version_asked(engine);
    struct supplied found = {json_array(), json_array()};
    struct assay_err why = {0};
    char request[200], *library = NULL;
    int rc = ASSAY_OK;

    *runtime = NULL;
    if (!asked && (table->caps & ASSAY_CAP_ANY_MODEL || engine_runtime_here(table->name, device)))
        goto out;
    snprintf(request, sizeof(request), "%.60s%s%s%.100s", table->name,
             strncmp(device, "cuda", 4) ? "" : ",cuda", asked ? "@" : "", asked ? asked : "");
    rc = look(cache, request, "library", "engine", &library, &found, hold, &why);
    if (rc && asked)
        rc = assay_fail(err, rc, "--engine %.100s: %.380s", engine, why.text);
    if (rc && !asked) /* there is no such recipe; what is missing is the engine's to say */
        rc = ASSAY_OK;
    else if (!rc && (asked || !json_array_size(found.get) || !has_other(table))) {
        cut_file(library);
        *runtime = library;
        library = NULL;
        json_array_extend(out->get, found.get);
        json_array_extend(out->lock, found.lock);
    }
out:
    free(library);
    json_decref(found.get);
    json_decref(found.lock);
    return rc;
}

bool supply_engine_may(const char *engine, const char *device)
{
    const struct assay_engine *table;
    char path[1024];

    return engine_version_asked(engine) ||
           (!engine_load(engine, &table, path, NULL) && !(table->caps & ASSAY_CAP_ANY_MODEL) &&
            !engine_runtime_here(table->name, device));
}

int supply_runtime(const char *cache, const char *engine, const char *device, char **runtime,
                   char **request, bool *waits, struct assay_err *err)
{
    struct supplied out = {json_array(), json_array()};
    char *folder = cache ? file_absolute(cache) : file_cache_dir(), path[1024];
    const char *of;
    const struct assay_engine *table;
    struct supply_hold hold = {0};
    bool missing;
    int rc = folder ? engine_load(engine, &table, path, err)
                    : assay_fail(err, ASSAY_EFAIL, "not enough memory");

    *runtime = NULL;
    if (!rc)
        rc = supply_engine(folder, table, engine, device, runtime, &out, &hold, err);
    supply_let_go(&hold);
    /* what is only to be verified or looked at again before a run is a library all the same */
    missing = !rc && json_array_size(out.get) && !(*runtime && file_exists(*runtime));
    if (waits)
        *waits = missing;
    if (missing && !waits) {
        of = tree_text(json_array_get(out.get, 0), "request", "");
        rc = assay_fail(err, ASSAY_EFAIL, "its library is not here: `assay get %s` gets it", of);
        free(*runtime);
        *runtime = NULL;
    }
    if (request)
        *request = !rc && (of = supply_request(out.lock, "engine")) ? strdup(of) : NULL;
    json_decref(out.get);
    json_decref(out.lock);
    free(folder);
    return rc;
}

/* ---- LoadGen ---- */

int supply_load(const char *cache, const struct load_round *round, char **file,
                const struct supplied *out, struct supply_hold *hold, struct assay_err *err)
{
    struct assay_err why = {0};
    char request[100];
    int rc;

    snprintf(request, sizeof(request), "loadgen-bridge,%.60s", round->loadgen);
    rc = look(cache, request, "library", "loadgen", file, out, hold, &why);
    return rc ? assay_fail(err, rc,
                           "round %s needs LoadGen %s, which is not here; as a recipe: %.380s",
                           round->name, round->loadgen, why.text)
              : ASSAY_OK;
}

bool supply_load_may(const struct settings *s)
{
    const struct load_round *round = load_round_find(profile_round(s));

    return round && (s->loadgen == LOADGEN_RECIPE || !load_is_here(round->loadgen));
}

const char *supply_request(const json_t *lock, const char *role)
{
    json_t *one;
    size_t i;

    json_array_foreach(lock, i, one)
    {
        if (!strcmp(tree_text(one, "role", ""), role) && json_object_get(one, "request"))
            return tree_text(one, "request", NULL);
    }
    return NULL;
}

void supply_tell(const json_t *plans, json_t *first)
{
    json_t *get = json_object_get(first, "get"), *one;
    size_t i;

    json_array_foreach(plans, i, one)
    {
        if (list_holds(get, tree_text(one, "request", "")))
            continue;
        json_array_append(get, json_object_get(one, "request"));
        json_array_extend(json_object_get(first, "steps"), json_object_get(one, "steps"));
    }
}

int supply_check(const char *request, struct assay_err *err)
{
    return request ? assay_fail(err, ASSAY_EFAIL, "'%s' is not here: `assay get %s` gets it",
                                request, request)
                   : ASSAY_OK;
}
