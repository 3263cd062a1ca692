/* From a record back to a run; see again.h. */
#include "run/again.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/tree.h"
#include "data/bench_host.h"
#include "engine/host.h"
#include "record/record.h"
#include "record/system.h"
#include "run/digest.h"
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

/* Where this command keeps and shows things.  An origin of its own replaces the record's, also a
 * higher one. */
static int take_own(struct settings *s, const struct settings *own, struct assay_err *err)
{
    static const char *const always[] = {"store", "cache", "progress", "tag"};
    static const char *const named[] = {"model", "dataset"};
    char text[4096];
    int rc = ASSAY_OK;

    for (size_t i = 0; i < 6 && !rc; i++) {
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
    rc = settings_from_json(out, json_object_get(record, "settings"), &why);
    if (rc)
        return assay_fail(err, rc, "record %.20s: its settings cannot be taken: %.400s",
                          tree_text(record, "id", "?"), why.text);
    forget_found(out);
    rc = keep_batch(record, out, err);
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

    put(now, "model", "name", json_string(r->manifest.name));
    put(now, "model", "manifest", json_deep_copy(r->manifest.tree));
    put(now, "model", "precision", json_string(r->precision));
    if (!r->model_path || r->write_net ||
        !tree_text(json_object_get(record, "model"), "sha256", NULL))
        return ASSAY_OK;
    rc = digest_model(r->model_path, hex, err);
    if (!rc)
        put(now, "model", "sha256", json_string(hex));
    return rc;
}

static int dataset_now(const struct resolved *r, json_t *now, struct assay_err *err)
{
    char *manifest = json_dumps(r->manifest.tree, JSON_COMPACT);
    struct assay_benchmark_config config = {.size = sizeof(config),
                                            .dataset = r->s.dataset,
                                            .manifest = manifest,
                                            .cache_dir = r->cache,
                                            .threads = 1,
                                            .count = (uint64_t)r->s.count,
                                            .seed = (uint64_t)r->s.seed};
    struct assay_benchmark_desc desc;
    void *bench = NULL;
    int rc = manifest ? r->benchmark->open(&config, &bench, err)
                      : assay_fail(err, ASSAY_EFAIL, "not enough memory");

    if (!rc)
        rc = bench_describe(r->benchmark, bench, &desc, err);
    if (!rc) {
        put(now, "dataset", "name", json_string(desc.dataset_name));
        put(now, "dataset", "hash", json_string(desc.dataset_hash));
        put(now, "dataset", "samples", json_integer((json_int_t)desc.samples));
        put(now, "dataset", "preprocess", json_string(desc.preprocess));
    }
    if (bench)
        r->benchmark->close(bench);
    free(manifest);
    return rc;
}

/* The engine tells its library itself, in a child process of its own. */
static int engine_now(const json_t *record, const struct resolved *r, json_t *now,
                      struct assay_err *err)
{
    struct assay_engine_probe probe = {.size = sizeof(probe)};
    int rc = r->engine->probe ? engine_probe(r->s.engine, &probe, err) : ASSAY_OK;

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
    char *load = load_path(r->load->version),
         *child = file_prefix_join("libexec/assay/assay-child");

    put(now, "loadgen", "version", json_string(r->load->version));
    put_hash(record, now, "loadgen", "sha256", load);
    put(now, "assay", "version", json_string(ASSAY_VERSION));
    put_hash(record, now, "assay", "sha256", child);
    put_hash(record, now, "assay", "benchmark_sha256", r->benchmark_file);
    free(child);
    free(load);
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

int again_now(const json_t *record, const struct settings *s, json_t **now, struct assay_err *err)
{
    json_t *all = copy_parts(record), *facts = NULL;
    struct resolved r;
    int rc = resolve(s, &r, err);

    if (rc) {
        json_decref(all);
        return rc;
    }
    rc = model_now(record, &r, all, err);
    if (!rc)
        rc = dataset_now(&r, all, err);
    if (!rc)
        rc = engine_now(record, &r, all, err);
    if (!rc) {
        programs_now(record, &r, all);
        rc = system_facts_at(r.store, NULL, &facts, err);
    }
    if (!rc)
        json_object_set_new(all, "system", facts);
    resolve_release(&r);
    if (rc)
        json_decref(all);
    else
        *now = all;
    return rc;
}
