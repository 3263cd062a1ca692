/* A record against what is here now; see evidence.h. */
#include "run/evidence.h"

#include <stdlib.h>
#include <string.h>

#include "base/cpus.h"
#include "base/file.h"
#include "base/tree.h"
#include "data/bench_host.h"
#include "record/record.h"
#include "run/digest.h"

void evidence_init(struct evidence *e)
{
    e->hashes = json_object();
}

void evidence_release(struct evidence *e)
{
    json_decref(e->hashes);
}

static bool is_same(const char *was, const char *now)
{
    return !was || !*was || (now && !strcmp(was, now));
}

static const char *file_hash(struct evidence *e, const char *path,
                             int (*hash)(const char *path, char hex[HASH_HEX],
                                         struct assay_err *err))
{
    char hex[HASH_HEX] = "";

    if (!json_object_get(e->hashes, path)) {
        if (hash(path, hex, NULL))
            hex[0] = 0;
        json_object_set_new(e->hashes, path, json_string(hex));
    }
    return tree_text(e->hashes, path, NULL);
}

static bool same_place(const char *a, const char *b)
{
    char *x = file_absolute(a), *y = file_absolute(b);
    bool same = x && y && !strcmp(x, y);

    free(x);
    free(y);
    return same;
}

static bool same_manifest(const json_t *model, const struct resolved *r)
{
    json_t *was = record_manifest_content(json_object_get(model, "manifest")),
           *is = record_manifest_content(r->manifest.tree);
    bool same = !was || json_equal(was, is);

    json_decref(was);
    json_decref(is);
    return same;
}

/* What decides a net is in the name of its file. */
static bool same_model(struct evidence *e, const json_t *model, const struct resolved *r)
{
    const char *path = tree_text(model, "path", NULL), *hash = tree_text(model, "sha256", NULL);

    if (!r->model_path)
        return true;
    if (r->manifest.net)
        return !path || !strcmp(file_base(path), file_base(r->model_path));
    if (hash && file_exists(r->model_path))
        return is_same(hash, file_hash(e, r->model_path, digest_model));
    return !path || same_place(path, r->model_path);
}

static bool same_programs(struct evidence *e, const json_t *record, const struct resolved *r,
                          bool all)
{
    const json_t *engine = json_object_get(record, "engine"),
                 *assay = json_object_get(record, "assay");
    const char *plugin = tree_text(engine, "plugin_sha256", NULL),
               *benchmark = tree_text(assay, "benchmark_sha256", NULL);

    if ((all || !*tree_text(engine, "version", "")) && plugin &&
        !is_same(plugin, file_hash(e, r->engine_file, hash_tree)))
        return false;
    return !all || !benchmark || is_same(benchmark, file_hash(e, r->benchmark_file, hash_tree));
}

int evidence_dataset(const struct resolved *r, json_t **dataset, struct assay_err *err)
{
    char *manifest = json_dumps(r->manifest.tree, JSON_COMPACT);
    struct assay_benchmark_config config = {.size = sizeof(config),
                                            .dataset = r->s.dataset,
                                            .manifest = manifest,
                                            .cache_dir = r->cache,
                                            .threads = cpus_usable(),
                                            .count = (uint64_t)r->s.count,
                                            .seed = (uint64_t)r->s.seed};
    struct assay_benchmark_desc desc;
    void *bench = NULL;
    int rc = manifest ? manifest_place(&r->manifest, r->benchmark->open(&config, &bench, err), err)
                      : assay_fail(err, ASSAY_EFAIL, "not enough memory");

    if (!rc)
        rc = bench_describe(r->benchmark, bench, &desc, err);
    if (!rc) {
        *dataset =
            json_pack("{s:s, s:s, s:I, s:s}", "name", desc.dataset_name, "hash", desc.dataset_hash,
                      "samples", (json_int_t)desc.samples, "preprocess", desc.preprocess);
        if (!*dataset)
            rc = assay_fail(err, ASSAY_EFAIL, "%s: its data set cannot be described",
                            r->benchmark->name);
    }
    if (bench)
        r->benchmark->close(bench);
    free(manifest);
    return rc;
}

static const char *dataset_hash(struct evidence *e, const struct resolved *r)
{
    json_t *what = json_pack("{s:s, s:s, s:I, s:I, s:O}", "benchmark", r->benchmark->name, "path",
                             r->s.dataset, "count", (json_int_t)r->s.count, "seed",
                             (json_int_t)r->s.seed, "manifest", r->manifest.tree);
    char *key = json_dumps(what, JSON_COMPACT | JSON_SORT_KEYS);
    const char *hash = NULL;
    json_t *now = NULL;

    if (key && !json_object_get(e->hashes, key)) {
        if (evidence_dataset(r, &now, NULL))
            now = json_object();
        json_object_set_new(e->hashes, key, json_string(tree_text(now, "hash", "")));
        json_decref(now);
    }
    if (key)
        hash = tree_text(e->hashes, key, NULL);
    json_decref(what);
    free(key);
    return hash;
}

/* Synthetic samples are the program's own, however many. */
static bool same_dataset(struct evidence *e, const json_t *record, const struct resolved *r)
{
    const json_t *dataset = json_object_get(record, "dataset"),
                 *setting = json_object_get(json_object_get(record, "settings"), "dataset");
    const char *hash = tree_text(dataset, "hash", NULL), *asked, *had;

    if (tree_bool(json_object_get(record, "synthetic"), "samples", false) != !r->s.dataset)
        return false;
    if (!r->s.dataset)
        return true;
    if (hash && file_is_dir(r->s.dataset))
        return is_same(hash, dataset_hash(e, r));
    asked = supply_request(r->lock, "dataset");
    had = supply_request(json_object_get(record, "lock"), "dataset");
    if (asked || had)
        return asked && had && !strcmp(asked, had);
    had = tree_text(dataset, "path", tree_text(setting, "value", NULL));
    return had && same_place(had, r->s.dataset);
}

bool evidence_fits(struct evidence *e, const json_t *record, const struct resolved *r,
                   bool programs)
{
    const json_t *model = json_object_get(record, "model");

    return same_manifest(model, r) && same_programs(e, record, r, programs) &&
           same_model(e, model, r) && same_dataset(e, record, r);
}
