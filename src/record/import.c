/* Records of other machines into a store.
 *
 * A record is written as a draft of its own and renamed into runs/ under the id that it came with:
 * rename(2) does not replace a folder that holds something, so that a record which is there stays,
 * whoever else writes at the same time. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/text.h"
#include "base/tree.h"
#include "record/canonical.h"
#include "record/export.h"
#include "record/export_latencies.h"
#include "record/private.h"
#include "record/record.h"
#include "record/store.h"

/* Whether the record in the store is this one: by the hash that an export of it would state, which
 * may have been made under another name, or on a machine that was called otherwise. */
static int compare_there(const char *path, const json_t *record, int *taken, struct assay_err *err)
{
    json_t *there = NULL, *clean = NULL;
    char mine[HASH_HEX], other[HASH_HEX];
    struct assay_err why;
    int rc;

    if (!tree_read_json(path, &there, &why))
        clean = private_as_in(there, record);
    rc = canonical_hash(record, mine, err);
    /* What cannot be read is not the same, and it is not ours to mend. */
    *taken = !rc && clean && !canonical_hash(clean, other, &why) && !strcmp(mine, other)
                 ? EXPORT_THERE
                 : EXPORT_CONTRADICTS;
    json_decref(clean);
    json_decref(there);
    return rc;
}

static int write_draft(const struct record_draft *d, const json_t *entry, const char *file,
                       const char *sha256, struct assay_err *err)
{
    json_t *record = json_copy(json_object_get(entry, "record"));
    char path[1200], now[32], *bytes;
    size_t len = 0;
    int rc = ASSAY_OK, fd;

    clock_utc(now);
    json_object_del(record, "folder");
    json_object_set_new(
        record, "foreign",
        json_pack("{s:s, s:s, s:s}", "file", file, "sha256", sha256, "imported", now));
    bytes = export_latencies_bytes(entry, &len);
    snprintf(path, sizeof(path), "%s/latency.bin", d->dir);
    if (bytes)
        rc = file_write_whole(path, bytes, len, err);
    free(bytes);
    snprintf(path, sizeof(path), "%s/record.json", d->dir);
    if (!rc)
        rc = tree_write_json(path, record, err);
    json_decref(record);
    fd = rc ? -1 : open(d->dir, O_RDONLY | O_CLOEXEC);
    if (!rc && (fd < 0 || fsync(fd) < 0))
        rc = assay_fail(err, ASSAY_EFAIL, "%s: cannot be synced to disk: %s", d->dir,
                        strerror(errno));
    if (fd >= 0)
        close(fd);
    return rc;
}

static void enter_row(const struct record_draft *d, const json_t *record, const char *file)
{
    json_t *row = json_copy((json_t *)record);
    struct assay_err err;
    struct store index;
    int rc = store_open(&index, d->store, STORE_WRITE, &err);

    json_object_set_new(row, "foreign", json_pack("{s:s}", "file", file));
    if (!rc) {
        rc = store_add(&index, row, &err);
        store_close(&index);
    }
    if (rc)
        store_warn("record %s is in the store, but not yet in the list: %s",
                   tree_text(record, "id", "?"), err.text);
    json_decref(row);
}

static int put_in_place(struct record_draft *d, const json_t *record, const char *place,
                        const char *file, int *taken, struct assay_err *err)
{
    char path[1300];
    int rc = ASSAY_OK;

    if (!rename(d->dir, place)) {
        d->dir[0] = 0;
        enter_row(d, record, file);
        *taken = EXPORT_TAKEN;
    } else if (errno == ENOTEMPTY || errno == EEXIST) { /* somebody was quicker */
        snprintf(path, sizeof(path), "%s/record.json", place);
        rc = compare_there(path, record, taken, err);
    } else {
        rc = assay_fail(err, ASSAY_EFAIL, "%s: cannot be put in place: %s", place, strerror(errno));
    }
    return rc;
}

int export_take(const char *store, const json_t *export, size_t index, const char *file,
                const char *sha256, int *taken, struct assay_err *err)
{
    const json_t *entry = json_array_get(json_object_get(export, "records"), index);
    const json_t *record = json_object_get(entry, "record");
    char place[1200], path[1300];
    struct record_draft d;
    int rc;

    if (!store_is_id(tree_text(record, "id", "")))
        return assay_fail(err, ASSAY_EUSAGE, "a record of an export that was not checked");
    if ((rc = record_begin(store, &d, err)))
        return rc;
    snprintf(place, sizeof(place), "%s/runs/%s", d.store, tree_text(record, "id", ""));
    snprintf(path, sizeof(path), "%s/record.json", place);
    if (file_exists(place)) {
        rc = compare_there(path, record, taken, err);
    } else {
        rc = write_draft(&d, entry, file, sha256, err);
        if (!rc)
            rc = put_in_place(&d, record, place, file, taken, err);
    }
    record_abandon(&d); /* what was renamed is no longer a draft */
    return rc;
}

/* By enum export_taken. */
static const char *const kinds[] = {"imported", "duplicates", "contradictions"};

static json_t *empty_result(const char *file)
{
    json_t *result = json_pack("{s:s}", "file", file);

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        json_object_set_new(result, kinds[i], json_array());
    return result;
}

/* What export_take would do. */
static int look(const char *store, const json_t *record, int *taken, struct assay_err *err)
{
    char path[1300];

    *taken = EXPORT_TAKEN;
    snprintf(path, sizeof(path), "%s/runs/%s/record.json", store, tree_text(record, "id", ""));
    return file_exists(path) ? compare_there(path, record, taken, err) : ASSAY_OK;
}

int export_take_file(const char *store, const char *path, bool dry, json_t **result,
                     struct assay_err *err)
{
    char sha256[HASH_HEX];
    json_t *export = NULL, *entry;
    size_t i;
    int taken = 0, rc = export_read(path, &export, err);

    *result = rc ? NULL : empty_result(path);
    if (!rc)
        rc = hash_file(path, sha256, err);
    json_array_foreach(json_object_get(export, "records"), i, entry)
    {
        const json_t *record = json_object_get(entry, "record");

        if (!rc)
            rc = dry ? look(store, record, &taken, err)
                     : export_take(store, export, i, file_base(path), sha256, &taken, err);
        if (!rc)
            json_array_append(json_object_get(*result, kinds[taken]),
                              json_object_get(record, "id"));
    }
    json_decref(export);
    return rc;
}
