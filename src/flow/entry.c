/* entry.json and the stamp of one entry of the shelf: see entry.h and shelf.h.
 *
 * entry.json, "assay.entry/1": {schema, key, recipe, why, …, made, bytes, files: [{path, bytes,
 * sha256, executable} | {path, link}], sum}.  `sum` is the SHA-256 of the compact, sorted text of
 * all the rest, so a flipped bit in it is noticed as well as one in a file.
 */
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

#define SCHEMA "assay.entry/1"
#define FEW    64 /* so many files are synced one by one, more with the whole file system */

bool entry_is_key(const char *key)
{
    return strlen(key) == 64 && strspn(key, "0123456789abcdef") == 64;
}

/* ---- making ---- */

static int item_json(const struct entry_item *it, const char *full, json_t *files,
                     struct assay_err *err)
{
    char hex[HASH_HEX];
    json_t *json;

    if (!it->link && hash_file(full, hex, err))
        return ASSAY_EFAIL;
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
                    int64_t *bytes, struct assay_err *err)
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
        rc = item_json(it, full, files, err);
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

/* The check sum over the tree; its own member counts as missing. */
static int sum_of(json_t *tree, char hex[HASH_HEX], struct assay_err *err)
{
    json_t *bare = json_copy(tree);
    char *text;

    json_object_del(bare, "sum");
    text = json_dumps(bare, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(bare);
    if (!text)
        return assay_fail(err, ASSAY_EFAIL, "not enough memory for an entry of the shelf");
    hash_bytes(text, strlen(text), hex);
    free(text);
    return ASSAY_OK;
}

static int write_json(const char *dir, const char *key, const json_t *meta, json_t *files,
                      int64_t bytes, struct assay_err *err)
{
    json_t *tree = meta ? json_deep_copy(meta) : json_object();
    char *path = file_join(dir, "entry.json"), when[32], hex[HASH_HEX];
    int rc;

    clock_utc(when);
    if (!path || !json_is_object(tree) ||
        json_object_set_new(tree, "schema", json_string(SCHEMA)) ||
        json_object_set_new(tree, "key", json_string(key)) ||
        json_object_set_new(tree, "made", json_string(when)) ||
        json_object_set_new(tree, "bytes", json_integer(bytes)) ||
        json_object_set(tree, "files", files))
        rc = assay_fail(err, ASSAY_EFAIL, "%s: not enough memory for entry.json", dir);
    else if (!(rc = sum_of(tree, hex, err)))
        rc = json_object_set_new(tree, "sum", json_string(hex))
                 ? assay_fail(err, ASSAY_EFAIL, "%s: not enough memory for entry.json", dir)
                 : tree_write_json(path, tree, err);
    json_decref(tree);
    free(path);
    return rc;
}

static int make_all(const char *dir, const char *root, const char *key, const json_t *meta,
                    json_t *files, struct assay_err *err)
{
    struct entry_items all;
    int64_t bytes = 0;
    int rc = entry_items_read(&all, root, err);

    for (size_t i = 0; i < all.n && !rc; i++)
        rc = make_one(&all.list[i], dir, root, files, &bytes, err);
    if (!rc)
        rc = sync_all(root, &all, err);
    if (!rc)
        rc = entry_stamp(dir, &all, err);
    if (!rc)
        rc = write_json(dir, key, meta, files, bytes, err);
    entry_items_release(&all);
    return rc;
}

int entry_make(const char *dir, const char *key, const json_t *meta, struct assay_err *err)
{
    char *root = file_join(dir, "files");
    json_t *files = json_array();
    int rc;

    if (root && files)
        rc = make_all(dir, root, key, meta, files, err);
    else
        rc = assay_fail(err, ASSAY_EFAIL, "%s: not enough memory", dir);
    json_decref(files);
    free(root);
    return rc;
}

/* ---- reading and comparing ---- */

static int check_file(const json_t *file, const char *name, struct assay_err *err)
{
    const char *path = tree_text(file, "path", ""), *link = tree_text(file, "link", NULL);
    const json_t *bytes = json_object_get(file, "bytes");

    if (!*path || file_leaves_folder(path) || entry_has_control(path))
        return assay_fail(err, ASSAY_EFAIL, "%s: a file's path is missing or leads out", name);
    if (link)
        return *link ? ASSAY_OK
                     : assay_fail(err, ASSAY_EFAIL, "%s: %.200s: empty link", name, path);
    if (!json_is_integer(bytes) || json_integer_value(bytes) < 0 ||
        !entry_is_key(tree_text(file, "sha256", "")))
        return assay_fail(err, ASSAY_EFAIL, "%s: %.200s: without size or SHA-256", name, path);
    return ASSAY_OK;
}

static int check_tree(json_t *tree, const char *name, const char *key, struct assay_err *err)
{
    const json_t *files = json_object_get(tree, "files"), *file;
    char hex[HASH_HEX];
    size_t i;
    int rc = ASSAY_OK;

    if (strcmp(tree_text(tree, "schema", ""), SCHEMA))
        return assay_fail(err, ASSAY_EFAIL, "%s: is not of schema %s", name, SCHEMA);
    if (strcmp(tree_text(tree, "key", ""), key))
        return assay_fail(err, ASSAY_EFAIL, "%s: is of another key", name);
    if (!json_is_array(files) || !json_is_integer(json_object_get(tree, "bytes")))
        return assay_fail(err, ASSAY_EFAIL, "%s: without files or bytes", name);
    json_array_foreach(files, i, file) if (!rc) rc = check_file(file, name, err);
    if (!rc)
        rc = sum_of(tree, hex, err);
    if (!rc && strcmp(hex, tree_text(tree, "sum", "")))
        rc = assay_fail(err, ASSAY_EFAIL, "%s: was changed: its check sum differs", name);
    return rc;
}

int entry_parse(const char *text, size_t len, const char *name, const char *key, json_t **tree,
                struct assay_err *err)
{
    json_error_t why;
    json_t *got = json_loadb(text, len, JSON_REJECT_DUPLICATES, &why);
    int rc;

    if (!got)
        return assay_fail(err, ASSAY_EFAIL, "%s:%d: %s", name, why.line, why.text);
    rc = check_tree(got, name, key, err);
    if (rc)
        json_decref(got);
    else
        *tree = got;
    return rc;
}

int entry_read(const char *dir, const char *key, json_t **tree, struct assay_err *err)
{
    char *path = file_join(dir, "entry.json"), *text = NULL;
    size_t len = 0;
    int rc = path ? file_read(path, ENTRY_MAX_JSON, &text, &len, err)
                  : assay_fail(err, ASSAY_EFAIL, "%s: not enough memory", dir);

    if (!rc)
        rc = entry_parse(text, len, path, key, tree, err);
    free(text);
    free(path);
    return rc;
}

static int compare_file(const char *root, const struct entry_item *it, const json_t *file,
                        struct assay_err *err)
{
    const char *link = tree_text(file, "link", NULL);
    int64_t bytes = tree_int(file, "bytes", -1);
    char *full, hex[HASH_HEX];
    int rc;

    if (link || it->link)
        return link && it->link && !strcmp(link, it->link)
                   ? ASSAY_OK
                   : assay_fail(err, ASSAY_EFAIL, "%s: leads elsewhere than it did", it->path);
    if (it->st.st_size != bytes)
        return assay_fail(err, ASSAY_EFAIL, "%s: has %lld bytes instead of %lld", it->path,
                          (long long)it->st.st_size, (long long)bytes);
    if (tree_bool(file, "executable", false) != ((it->st.st_mode & 0100) != 0))
        return assay_fail(err, ASSAY_EFAIL, "%s: may be executed, or no longer may", it->path);
    full = file_join(root, it->path);
    rc = full ? hash_file(full, hex, err) : assay_fail(err, ASSAY_EFAIL, "not enough memory");
    free(full);
    if (!rc && strcmp(hex, tree_text(file, "sha256", "")))
        rc = assay_fail(err, ASSAY_EFAIL, "%s: was changed: SHA-256 %s instead of %s", it->path,
                        hex, tree_text(file, "sha256", ""));
    return rc;
}

/* Both lists are sorted by path. */
static int compare_all(const char *root, const struct entry_items *all, const json_t *files,
                       struct assay_err *err)
{
    size_t i, f = 0;
    int rc = ASSAY_OK, way;

    for (i = 0; i < all->n && !rc; i++) {
        const struct entry_item *it = &all->list[i];
        const json_t *file = json_array_get(files, f);

        if (S_ISDIR(it->st.st_mode))
            continue;
        way = file ? strcmp(it->path, tree_text(file, "path", "")) : -1;
        if (way)
            return assay_fail(err, ASSAY_EFAIL, "%s: %s",
                              way < 0 ? it->path : tree_text(file, "path", ""),
                              way < 0 ? "does not belong to it" : "is missing");
        rc = compare_file(root, it, file, err);
        f++;
    }
    if (!rc && f < json_array_size(files))
        rc = assay_fail(err, ASSAY_EFAIL, "%s: is missing",
                        tree_text(json_array_get(files, f), "path", ""));
    return rc;
}

int entry_compare(const char *dir, const json_t *tree, struct assay_err *err)
{
    char *root = file_join(dir, "files");
    struct entry_items all = {0};
    int rc = root ? entry_items_read(&all, root, err)
                  : assay_fail(err, ASSAY_EFAIL, "%s: not enough memory", dir);

    if (!rc)
        rc = compare_all(root, &all, json_object_get(tree, "files"), err);
    entry_items_release(&all);
    free(root);
    return rc;
}
