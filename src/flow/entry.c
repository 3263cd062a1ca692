/* Making an entry of the shelf, once its files are there: see entry.h. */
#include "flow/entry.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/tree.h"
#include "flow/entry_items.h"

#define FEW 64 /* so many files are synced one by one, more with the whole file system */

static int item_json(const struct entry_item *it, const char *full, json_t *files,
                     const volatile int *stop, struct assay_err *err)
{
    char hex[HASH_HEX];
    json_t *json;
    int rc = it->link ? ASSAY_OK : hash_file_until(full, stop, hex, NULL, err);

    if (rc)
        return rc;
    json = it->link ? json_pack("{s:s, s:s}", "path", it->path, "link", it->link)
                    : json_pack("{s:s, s:I, s:s}", "path", it->path, "bytes",
                                (json_int_t)it->st.st_size, "sha256", hex);
    if (json && !it->link && (it->st.st_mode & 0100))
        json_object_set_new(json, "executable", json_true());
    if (!json || json_array_append_new(files, json))
        return assay_fail(err, ASSAY_EFAIL, "%s: its name is no UTF-8, or not enough memory", full);
    return ASSAY_OK;
}

/* A link that leads to where the files are now would lead nowhere after the rename. */
static bool leads_into(const struct entry_item *it, const char *dir)
{
    return it->link && !strncmp(it->link, dir, strlen(dir));
}

static int make_one(const struct entry_item *it, const char *dir, const char *root, json_t *files,
                    int64_t *bytes, const volatile int *stop, struct assay_err *err)
{
    bool regular = S_ISREG(it->st.st_mode);
    char *full;
    int rc;

    if (S_ISDIR(it->st.st_mode))
        return ASSAY_OK;
    if (leads_into(it, dir))
        return assay_fail(err, ASSAY_EFAIL, "%s: links to '%s', which goes away: make it relative",
                          it->path, it->link);
    if (!(full = file_join(root, it->path)))
        return assay_fail(err, ASSAY_EFAIL, "%s: not enough memory", root);
    if (regular && chmod(full, it->st.st_mode & 0555) < 0)
        rc =
            assay_fail(err, ASSAY_EFAIL, "%s: cannot be made read-only: %s", full, strerror(errno));
    else
        rc = item_json(it, full, files, stop, err);
    if (regular)
        *bytes += it->st.st_size;
    free(full);
    return rc;
}

static int sync_one(const char *path, struct assay_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC), rc = ASSAY_OK;

    if (fd < 0 || fsync(fd) < 0)
        rc = assay_fail(err, ASSAY_EFAIL, "%s: cannot be written to the disk: %s", path,
                        strerror(errno));
    if (fd >= 0)
        close(fd);
    return rc;
}

static int sync_all(const char *root, const struct entry_items *all, struct assay_err *err)
{
    int fd, rc = ASSAY_OK;

    if (all->n > FEW) {
        fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0 || syncfs(fd) < 0)
            rc = assay_fail(err, ASSAY_EFAIL, "%s: cannot be written to the disk: %s", root,
                            strerror(errno));
        if (fd >= 0)
            close(fd);
        return rc;
    }
    for (size_t i = 0; i < all->n && !rc; i++) {
        char *full = all->list[i].link ? NULL : file_join(root, all->list[i].path);

        if (full)
            rc = sync_one(full, err);
        free(full);
    }
    return rc ? rc : sync_one(root, err);
}

/* files.json, and its SHA-256. */
static int write_list(const char *dir, json_t *files, char hex[HASH_HEX], struct assay_err *err)
{
    char *path = file_join(dir, "files.json");
    char *text = json_dumps(files, JSON_COMPACT | JSON_SORT_KEYS);
    int rc;

    if (path && text) {
        hash_bytes(text, strlen(text), hex);
        rc = file_write_whole(path, text, strlen(text), err);
    } else {
        rc = assay_fail(err, ASSAY_EFAIL, "%s: not enough memory for files.json", dir);
    }
    free(text);
    free(path);
    return rc;
}

static int write_entry(const char *dir, json_t *tree, struct assay_err *err)
{
    char *path = file_join(dir, "entry.json"), hex[HASH_HEX];
    int rc = entry_sum(tree, hex, err);

    if (!rc && (!path || json_object_set_new(tree, "sum", json_string(hex))))
        rc = assay_fail(err, ASSAY_EFAIL, "%s: not enough memory for entry.json", dir);
    if (!rc)
        rc = tree_write_json(path, tree, err);
    free(path);
    return rc;
}

/* What is on top of the caller's own members. */
static int write_json(const char *dir, const char *key, const json_t *meta, json_t *files,
                      int64_t bytes, struct assay_err *err)
{
    json_t *tree = meta ? json_deep_copy(meta) : json_object(), *own;
    char when[32], hex[HASH_HEX];
    int rc = write_list(dir, files, hex, err);

    if (rc) {
        json_decref(tree);
        return rc;
    }
    clock_utc(when);
    own = json_pack("{s:s, s:s, s:s, s:I, s:I, s:s}", "schema", ENTRY_SCHEMA, "key", key, "made",
                    when, "bytes", (json_int_t)bytes, "files", (json_int_t)json_array_size(files),
                    "list", hex);
    if (!own || json_object_update(tree, own))
        rc = assay_fail(err, ASSAY_EFAIL, "%s: not enough memory for entry.json", dir);
    else
        rc = write_entry(dir, tree, err);
    json_decref(own);
    json_decref(tree);
    return rc;
}

static int make_all(const char *dir, const char *root, const char *key, const json_t *meta,
                    json_t *files, const volatile int *stop, struct assay_err *err)
{
    struct entry_items all;
    int64_t bytes = 0;
    int rc = entry_items_read(&all, root, err);

    for (size_t i = 0; i < all.n && !rc; i++)
        rc = make_one(&all.list[i], dir, root, files, &bytes, stop, err);
    if (!rc)
        rc = sync_all(root, &all, err);
    if (!rc)
        rc = entry_stamp(dir, &all, err);
    if (!rc)
        rc = write_json(dir, key, meta, files, bytes, err);
    entry_items_release(&all);
    return rc;
}

int entry_make(const char *dir, const char *key, const json_t *meta, const volatile int *stop,
               struct assay_err *err)
{
    char *root = file_join(dir, "files");
    json_t *files = json_array();
    int rc;

    if (root && files)
        rc = make_all(dir, root, key, meta, files, stop, err);
    else
        rc = assay_fail(err, ASSAY_EFAIL, "%s: not enough memory", dir);
    json_decref(files);
    free(root);
    return rc;
}
