/* A record as somebody names it, and its latencies.
 *
 * What is read may come from another machine and another Assay, by way of anybody's editor: so the
 * schema is looked at first, and latency.bin is only believed when it is the file that record.json
 * says it is. */
#include "record/record.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/text.h"
#include "base/tree.h"

#define LATENCIES_MAX ((size_t)8 << 30) /* bytes: as many as a run can make */
#define SCHEMA_NAME   "assay.record/"
#define EXPORT_NAME   "assay.export/"

/* Also a record's folder in this one, which needs no "./". */
static bool is_path(const char *name)
{
    size_t n = strlen(name);
    char *inside;
    bool folder;

    if (strchr(name, '/') || !strcmp(name, ".") || (n > 5 && !strcmp(name + n - 5, ".json")))
        return true;
    inside = n ? file_join(name, "record.json") : NULL;
    folder = inside && file_exists(inside);
    free(inside);
    return folder;
}

static int check_schema(const char *path, const json_t *tree, struct assay_err *err)
{
    const char *schema = tree_text(tree, "schema", "");

    if (!strcmp(schema, RECORD_SCHEMA))
        return ASSAY_OK;
    if (!strncmp(schema, SCHEMA_NAME, strlen(SCHEMA_NAME)))
        return assay_fail(err, ASSAY_EFAIL,
                          "%s: was made by a newer Assay (%.40s, this one knows %s): update Assay",
                          path, schema, RECORD_SCHEMA);
    if (!strncmp(schema, EXPORT_NAME, strlen(EXPORT_NAME)))
        return assay_fail(err, ASSAY_EUSAGE,
                          "%s: holds exported records: `assay import` takes them into the store, "
                          "where each has an id",
                          path);
    return assay_fail(err, ASSAY_EUSAGE, "%s: is no record of Assay: its \"schema\" is not %s",
                      path, RECORD_SCHEMA);
}

/* The folder, or the file, that a path means. */
static int open_path(const char *name, char **dir, json_t **tree, struct assay_err *err)
{
    char *full = file_absolute(name), *path = NULL;
    json_t *record = NULL;
    int rc;

    if (full)
        path = file_is_dir(full) ? file_join(full, "record.json") : strdup(full);
    if (!path)
        rc = assay_fail(err, ASSAY_EFAIL, "%s: not enough memory to read it", name);
    else if (!file_exists(path))
        rc = assay_fail(err, ASSAY_EUSAGE,
                        "%s: is not there; a record is an id, its folder, or a record.json", path);
    else
        rc = tree_read_json(path, &record, err);
    if (!rc)
        rc = check_schema(path, record, err);
    if (!rc && path) {
        *(char *)file_base(path) = 0; /* what is left is the folder */
        path[strlen(path) > 1 ? strlen(path) - 1 : 1] = 0;
        json_object_set_new(record, "folder", json_string(path));
        *dir = path;
        *tree = record;
        path = NULL;
        record = NULL;
    }
    json_decref(record);
    free(path);
    free(full);
    return rc;
}

int record_open(const char *store, const char *name, char **dir, json_t **tree,
                struct assay_err *err)
{
    int rc;

    *dir = NULL;
    *tree = NULL;
    if (is_path(name))
        return open_path(name, dir, tree, err);
    rc = record_find(store, name, dir, tree, err);
    if (!rc)
        rc = check_schema(*dir, *tree, err);
    if (rc) {
        json_decref(*tree);
        free(*dir);
        *dir = NULL;
        *tree = NULL;
    }
    return rc;
}

json_t *record_manifest_content(const json_t *manifest)
{
    json_t *copy = json_is_object(manifest) ? json_copy((json_t *)(uintptr_t)manifest) : NULL;

    json_object_del(copy, "files");
    json_object_del(copy, "recipes");
    return copy;
}

bool record_is_of_logs(const json_t *record)
{
    return json_is_object(json_object_get(record, "logs"));
}

int record_latencies(const char *dir, const json_t *tree, int64_t **latencies, uint64_t *n,
                     struct assay_err *err)
{
    const json_t *listed = json_object_get(json_object_get(tree, "files"), "latency.bin");
    char *path = file_join(dir, "latency.bin"), *data = NULL, hex[HASH_HEX];
    size_t bytes = 0;
    int rc = ASSAY_OK;

    *latencies = NULL;
    *n = 0;
    if (!path)
        rc = assay_fail(err, ASSAY_EFAIL, "%s: not enough memory to read it", dir);
    else if (listed && file_exists(path))
        rc = file_read(path, LATENCIES_MAX, &data, &bytes, err);
    if (!rc && data) {
        hash_bytes(data, bytes, hex);
        if (bytes % sizeof(int64_t) || strcmp(hex, tree_text(listed, "sha256", "")))
            rc = assay_fail(err, ASSAY_EFAIL,
                            "%s: is not the file that was recorded: its SHA-256 differs from the "
                            "one in record.json",
                            path);
    }
    if (!rc && data) {
        *latencies = (int64_t *)(void *)data; /* from malloc: aligned for anything */
        *n = bytes / sizeof(int64_t);
        data = NULL;
    }
    free(data);
    free(path);
    return rc;
}
