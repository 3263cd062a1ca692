/* From a record back to a run; see again.h. */
#include "run/again.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "base/tree.h"
#include "engine/host.h"
#include "load/profile.h"
#include "load/rounds.h"
#include "record/record.h"
#include "record/system.h"
#include "run/digest.h"
#include "run/evidence.h"
#include "run/resolve.h"

/* ---- settings ---- */

static bool was_found(const struct settings *s, const char *name)
{
    return settings_origin_of(s, name) == SETTINGS_MEASURED;
}

/* The loads that are found anew. */
static void forget_found(struct settings *s)
{
    bool stream = s->scenario != SERVER;

    if ((stream || s->mode == MODE_FIND_PEAK) && was_found(s, "target-qps")) {
        s->target_qps = 0;
        settings_set_origin(s, "target-qps", SETTINGS_DEFAULT);
    }
    if (stream && was_found(s, "target-latency-ms")) {
        s->target_latency_ms = 0;
        settings_set_origin(s, "target-latency-ms", SETTINGS_DEFAULT);
    }
}

/* Offline tries batches when it is told none: the one that it took stays. */
static int keep_batch(const json_t *record, struct settings *s, struct assay_err *err)
{
    int64_t batch = tree_int(json_object_get(record, "engine"), "batch", 0);

    if (s->scenario != OFFLINE || s->batch || batch <= 0)
        return ASSAY_OK;
    return settings_set_real(s, "batch", (double)batch, SETTINGS_MEASURED, err);
}

/* ---- what the lock and the record's manifest stand for ---- */

/* How a role's thing was asked for, exactly; NULL: not by a recipe. */
static const char *locked(const json_t *record, const char *role)
{
    return supply_request(json_object_get(record, "lock"), role);
}

/* In the place of a value of the record's, with the same origin. */
static int replace(struct settings *s, const char *name, const char *value, struct assay_err *err)
{
    int origin = settings_origin_of(s, name);

    settings_set_origin(s, name, SETTINGS_DEFAULT);
    return settings_set(s, name, value, origin ? origin : SETTINGS_CLI, name, err);
}

static bool is_here(const char *model)
{
    struct manifest m = {0};
    int rc = model ? manifest_open(model, &m, NULL) : ASSAY_OK; /* the benchmark's own */

    if (model && !rc)
        manifest_release(&m);
    return !rc;
}

/* The record's manifest as a file: it asks for exactly the recipe of the lock, or knows where the
 * model's file was. */
static json_t *manifest_of(const json_t *record, const char *request)
{
    const json_t *model = json_object_get(record, "model");
    json_t *tree = json_deep_copy(json_object_get(model, "manifest"));
    const char *format = tree_text(model, "format", ""), *path = tree_text(model, "path", NULL);

    if (request)
        json_object_set_new(json_object_get(tree, "recipes"), format, json_string(request));
    else if (path && json_object_get(json_object_get(tree, "files"), format))
        json_object_set_new(json_object_get(tree, "files"), format, json_string(path));
    return tree;
}

static int write_manifest(const json_t *tree, const struct settings *own, char **file,
                          struct assay_err *err)
{
    char *cache = own->cache ? file_absolute(own->cache) : file_cache_dir(), hex[HASH_HEX];
    char *text = tree_dump(tree, 17), *dir = cache ? file_join(cache, "manifests") : NULL;
    int rc =
        text && dir ? file_make_dirs(dir, err) : assay_fail(err, ASSAY_EFAIL, "not enough memory");

    *file = NULL;
    if (!rc) {
        hash_bytes(text, strlen(text), hex);
        if (!(*file = text_format("%s/%s.yaml", dir, hex)))
            rc = assay_fail(err, ASSAY_EFAIL, "not enough memory");
    }
    if (!rc && !file_exists(*file))
        rc = file_write_whole(*file, text, strlen(text), err);
    free(text);
    free(cache);
    free(dir);
    return rc;
}

/* The library of exactly this version, whatever the set-up has here. */
static int take_engine(const json_t *record, struct settings *s, struct assay_err *err)
{
    const char *request = locked(record, "engine"), *at = request ? strchr(request, '@') : NULL;
    char engine[200];

    if (!at || strchr(s->engine, '/'))
        return ASSAY_OK;
    snprintf(engine, sizeof(engine), "%.60s%.100s",
             tree_text(json_object_get(record, "engine"), "name", "?"), at);
    return replace(s, "engine", engine, err);
}

/* The LoadGen of exactly these bytes: the set-up's if it has them, else the recipe's. */
static int take_load(const json_t *record, struct settings *s, struct assay_err *err)
{
    const struct load_round *round = load_round_find(profile_round(s));
    const char *was = tree_text(json_object_get(record, "loadgen"), "sha256", "");
    char *path = round ? load_path(round->loadgen) : NULL, hex[HASH_HEX];
    bool other = path && file_exists(path) && (hash_tree(path, hex, NULL) || strcmp(hex, was) != 0);

    free(path);
    return other && locked(record, "loadgen") ? replace(s, "loadgen", "recipe", err) : ASSAY_OK;
}

static int take_locked(const json_t *record, const struct settings *own, struct settings *s,
                       struct assay_err *err)
{
    const char *model = locked(record, "model"), *dataset = locked(record, "dataset");
    json_t *tree;
    char *file;
    int rc = take_engine(record, s, err);

    if (!rc)
        rc = take_load(record, s, err);
    if (!rc && dataset)
        rc = replace(s, "dataset", dataset, err);
    if (rc || settings_origin_of(own, "model") >= SETTINGS_CLI ||
        !json_is_object(json_object_get(json_object_get(record, "model"), "manifest")) ||
        (!model && is_here(s->model)))
        return rc;
    tree = manifest_of(record, model);
    rc = write_manifest(tree, own, &file, err);
    if (!rc)
        rc = replace(s, "model", file, err);
    json_decref(tree);
    free(file);
    return rc;
}

/* Where this command keeps and shows things.  An origin of its own replaces the record's, also a
 * higher one. */
static int take_own(struct settings *s, const struct settings *own, struct assay_err *err)
{
    static const char *const always[] = {"store", "cache", "progress", "tag"};
    static const char *const named[] = {"model", "dataset", "loadgen"};
    char text[4096];
    int rc = ASSAY_OK;

    for (size_t i = 0; i < 7 && !rc; i++) {
        const char *name = i < 4 ? always[i] : named[i - 4];
        int origin = settings_origin_of(own, name);

        settings_text(own, settings_find(name), text, sizeof(text));
        if (i >= 4 && (origin < SETTINGS_CLI || !*text))
            continue;
        settings_set_origin(s, name, SETTINGS_DEFAULT);
        rc = settings_set(s, name, text, origin, name, err);
    }
    return rc;
}

int again_settings(const json_t *record, const struct settings *own, struct settings *out,
                   struct assay_err *err)
{
    struct assay_err why = {0};
    int rc;

    if (record_is_of_logs(record))
        return assay_fail(
            err, ASSAY_EUSAGE,
            "record %.20s: was made from LoadGen's logs alone (`assay results import`), "
            "which do not say what ran: it cannot be run again",
            tree_text(record, "id", "?"));
    rc = settings_of_record(out, record, &why);
    if (rc)
        return assay_fail(err, rc, "record %.20s: its settings cannot be taken: %.400s",
                          tree_text(record, "id", "?"), why.text);
    forget_found(out);
    rc = keep_batch(record, out, err);
    if (!rc)
        rc = take_locked(record, own, out, err);
    if (!rc)
        rc = take_own(out, own, err);
    out->tune = out->tuned = out->dry_run = 0; /* what was tuned is among the settings */
    free(out->user_conf);                      /* so is what it said */
    out->user_conf = NULL;
    if (rc)
        settings_release(out);
    return rc;
}

/* ---- what is there now ---- */

static void put(json_t *now, const char *part, const char *member, json_t *value)
{
    json_t *to = json_object_get(now, part);

    if (!json_is_object(to)) {
        to = json_object();
        json_object_set_new(now, part, to);
    }
    json_object_set_new(to, member, value ? value : json_null());
}

/* Only where the record has one: a hash that was never taken does not differ. */
static void put_hash(const json_t *record, json_t *now, const char *part, const char *member,
                     const char *path)
{
    char hex[HASH_HEX];

    if (tree_text(json_object_get(record, part), member, NULL) && path && *path)
        put(now, part, member, hash_tree(path, hex, NULL) ? NULL : json_string(hex));
}

static int model_now(const json_t *record, const struct resolved *r, json_t *now,
                     struct assay_err *err)
{
    char hex[HASH_HEX];
    int rc = ASSAY_OK;

    if (!r->precision) /* a fault that is told already */
        return ASSAY_OK;
    put(now, "model", "name", json_string(r->manifest.name));
    put(now, "model", "manifest", json_deep_copy(r->manifest.tree));
    put(now, "model", "precision", json_string(r->precision));
    if (!r->model_path || !file_exists(r->model_path) || r->write_net ||
        !tree_text(json_object_get(record, "model"), "sha256", NULL))
        return ASSAY_OK;
    rc = digest_model(r->model_path, hex, err);
    if (!rc)
        put(now, "model", "sha256", json_string(hex));
    return rc;
}

static int dataset_now(const struct resolved *r, json_t *now, struct assay_err *err)
{
    json_t *dataset, *value;
    const char *name;
    int rc;

    if (!r->benchmark || !r->precision || (r->s.dataset && !file_is_dir(r->s.dataset)))
        return ASSAY_OK;
    if ((rc = evidence_dataset(r, &dataset, err)))
        return rc;
    json_object_foreach(dataset, name, value) put(now, "dataset", name, json_incref(value));
    json_decref(dataset);
    return ASSAY_OK;
}

/* The engine tells its library itself, in a child process of its own. */
static int engine_now(const json_t *record, const struct resolved *r, json_t *now,
                      struct assay_err *err)
{
    struct assay_engine_probe probe = {.size = sizeof(probe)};
    int rc;

    if (!r->engine || resolve_waits(r))
        return ASSAY_OK;
    rc = r->engine->probe ? engine_probe(r->s.engine, r->runtime, &probe, err) : ASSAY_OK;
    if (rc)
        return rc;
    put(now, "engine", "name", json_string(r->engine->name));
    if (probe.version[0])
        put(now, "engine", "version", json_string(probe.version));
    put_hash(record, now, "engine", "library_sha256", probe.library);
    put_hash(record, now, "engine", "plugin_sha256", r->engine_file);
    return ASSAY_OK;
}

static void programs_now(const json_t *record, const struct resolved *r, json_t *now)
{
    char *child = file_prefix_join("libexec/assay/assay-child");

    if (r->load) {
        put(now, "loadgen", "version", json_string(r->load->version));
        put_hash(record, now, "loadgen", "sha256", r->load_file);
    }
    put(now, "assay", "version", json_string(ASSAY_VERSION));
    put_hash(record, now, "assay", "sha256", child);
    if (r->benchmark)
        put_hash(record, now, "assay", "benchmark_sha256", r->benchmark_file);
    free(child);
}

static json_t *copy_parts(const json_t *record)
{
    static const char *const parts[] = {"model", "dataset",  "engine", "loadgen",
                                        "assay", "settings", "system"};
    json_t *copy = json_object(), *part;

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        if ((part = json_object_get(record, parts[i])))
            json_object_set_new(copy, parts[i], json_deep_copy(part));
    return copy;
}

/* What is wrong is one more thing that is missing. */
static void note(json_t *missing, int rc, const struct assay_err *why)
{
    if (rc)
        json_array_append_new(missing, tree_string(why->text));
}

int again_now(const json_t *record, const struct settings *s, json_t **now, json_t *missing,
              json_t *get, struct assay_err *err)
{
    json_t *all = copy_parts(record), *facts = NULL, *one;
    struct assay_err why;
    struct resolved r;
    size_t i;
    int rc = resolve_all(s, &r, missing, &why);

    if (rc && !json_array_size(missing)) { /* not a single step was tried */
        assay_fail(err, rc, "%s", why.text);
        goto out;
    }
    /* where the engine, which would tell the format, is not here */
    manifest_settle(&r.manifest, tree_text(json_object_get(record, "model"), "format", NULL));
    note(missing, model_now(record, &r, all, &why), &why);
    note(missing, dataset_now(&r, all, &why), &why);
    note(missing, engine_now(record, &r, all, &why), &why);
    programs_now(record, &r, all);
    json_array_foreach(r.get, i, one) json_array_append(get, json_object_get(one, "request"));
    json_object_set(all, "lock", r.lock);
    rc = system_facts_at(r.store, NULL, &facts, err);
    if (!rc)
        json_object_set_new(all, "system", facts);
out:
    resolve_release(&r);
    if (rc)
        json_decref(all);
    else
        *now = all;
    return rc;
}

/* ---- locks ---- */

static const json_t *find(const json_t *list, const json_t *like, const char *const *by)
{
    json_t *one;
    size_t i, k;

    json_array_foreach(list, i, one)
    {
        for (k = 0; by[k] && !strcmp(tree_text(one, by[k], ""), tree_text(like, by[k], "")); k++)
            ;
        if (!by[k])
            return one;
    }
    return NULL;
}

static void add_difference(json_t *list, const json_t *of, const char *name, const char *kind,
                           const char *a, const char *b)
{
    json_t *what = json_sprintf("lock.%s.%s.%s", tree_text(of, "role", "?"),
                                tree_text(of, "recipe", "?"), name);

    json_array_append_new(
        list, json_pack("{s:o, s:s, s:s?, s:s?}", "what", what, "kind", kind, "a", a, "b", b));
}

/* What one recipe gave, and gives. */
static void one_differs(const json_t *was, const json_t *is, json_t *list)
{
    static const char *const by[] = {"file", NULL}, *const digests[] = {"sha256", "md5"};
    const json_t *files = json_object_get(is, "files"), *now;
    json_t *file;
    size_t i, k;

    json_array_foreach(json_object_get(was, "files"), i, file)
    {
        now = find(files, file, by);
        for (k = 0; k < 2; k++) {
            const char *a = tree_text(file, digests[k], NULL),
                       *b = tree_text(now, digests[k], NULL);

            if (a && (!now || (b && strcmp(a, b) != 0))) {
                add_difference(list, was, tree_text(file, "file", "?"), "set-up", a, b);
                break;
            }
        }
    }
    if (!strcmp(tree_text(is, "how", ""), "make") &&
        strcmp(tree_text(was, "key", ""), tree_text(is, "key", "")) != 0)
        add_difference(list, was, "key", "software", tree_text(was, "key", NULL),
                       tree_text(is, "key", NULL));
}

void again_lock_differs(const json_t *record, const json_t *now, json_t *list)
{
    static const char *const by[] = {"role", "recipe", "for", NULL};
    const json_t *is;
    json_t *was;
    size_t i;

    json_array_foreach(json_object_get(record, "lock"), i, was)
    {
        is = find(json_object_get(now, "lock"), was, by);
        if (is && !strcmp(tree_text(is, "how", ""), tree_text(was, "how", "")))
            one_differs(was, is, list);
    }
}
