/* Reading an entry of the shelf, and comparing its files with what was written of them: see
 * entry.h. */
#include "flow/entry.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/tree.h"
#include "flow/entry_items.h"

#define MAX_JSON ((size_t)1 << 30)

bool entry_is_key(const char *key)
{
    return strlen(key) == 64 && strspn(key, "0123456789abcdef") == 64;
}

int entry_sum(json_t *tree, char hex[HASH_HEX], struct assay_err *err)
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
    char hex[HASH_HEX];
    int rc;

    if (strcmp(tree_text(tree, "schema", ""), ENTRY_SCHEMA))
        return assay_fail(err, ASSAY_EFAIL, "%s: is not of schema %s", name, ENTRY_SCHEMA);
    if (strcmp(tree_text(tree, "key", ""), key))
        return assay_fail(err, ASSAY_EFAIL, "%s: is of another key", name);
    if (tree_int(tree, "files", -1) < 0 || tree_int(tree, "bytes", -1) < 0 ||
        !entry_is_key(tree_text(tree, "list", "")))
        return assay_fail(err, ASSAY_EFAIL, "%s: without files, bytes or list", name);
    rc = entry_sum(tree, hex, err);
    if (!rc && strcmp(hex, tree_text(tree, "sum", "")))
        rc = assay_fail(err, ASSAY_EFAIL, "%s: was changed: its check sum differs", name);
    return rc;
}

static json_t *load(const char *text, size_t len, const char *name, struct assay_err *err)
{
    json_error_t why;
    json_t *got = json_loadb(text, len, JSON_REJECT_DUPLICATES, &why);

    if (!got)
        assay_fail(err, ASSAY_EFAIL, "%s:%d: %s", name, why.line, why.text);
    return got;
}

/* The tree on success; else it is let go of. */
static int give(json_t *got, int rc, json_t **out)
{
    if (rc)
        json_decref(got);
    else
        *out = got;
    return rc;
}

int entry_parse(const char *text, size_t len, const char *name, const char *key, json_t **tree,
                struct assay_err *err)
{
    json_t *got = load(text, len, name, err);

    return got ? give(got, check_tree(got, name, key, err), tree) : ASSAY_EFAIL;
}

int entry_parse_list(const char *text, size_t len, const char *name, json_t **files,
                     struct assay_err *err)
{
    json_t *got = load(text, len, name, err), *file;
    int rc = ASSAY_OK;
    size_t i;

    if (!got)
        return ASSAY_EFAIL;
    if (!json_is_array(got))
        rc = assay_fail(err, ASSAY_EFAIL, "%s: is no list of files", name);
    json_array_foreach(got, i, file) if (!rc) rc = check_file(file, name, err);
    return give(got, rc, files);
}

/* dir/name; *path and *text are to be freed in any case. */
static int read_text(const char *dir, const char *name, char **path, char **text, size_t *len,
                     struct assay_err *err)
{
    *text = NULL;
    *path = file_join(dir, name);
    return *path ? file_read(*path, MAX_JSON, text, len, err)
                 : assay_fail(err, ASSAY_EFAIL, "%s: not enough memory", dir);
}

int entry_read(const char *dir, const char *key, json_t **tree, struct assay_err *err)
{
    char *path, *text;
    size_t len = 0;
    int rc = read_text(dir, "entry.json", &path, &text, &len, err);

    if (!rc)
        rc = entry_parse(text, len, path, key, tree, err);
    free(text);
    free(path);
    return rc;
}

int entry_read_list(const char *dir, const json_t *tree, json_t **files, struct assay_err *err)
{
    char *path, *text, hex[HASH_HEX];
    size_t len = 0;
    int rc = read_text(dir, "files.json", &path, &text, &len, err);

    if (!rc) {
        hash_bytes(text, len, hex);
        if (strcmp(hex, tree_text(tree, "list", "")))
            rc = assay_fail(err, ASSAY_EFAIL, "%s: was changed", path);
        else
            rc = entry_parse_list(text, len, path, files, err);
    }
    free(text);
    free(path);
    return rc;
}

static int compare_file(const char *root, const struct entry_item *it, const json_t *file,
                        const volatile int *stop, struct assay_err *err)
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
    rc = full ? hash_file_until(full, stop, hex, NULL, err)
              : assay_fail(err, ASSAY_EFAIL, "not enough memory");
    free(full);
    if (!rc && strcmp(hex, tree_text(file, "sha256", "")))
        rc = assay_fail(err, ASSAY_EFAIL, "%s: was changed: SHA-256 %s instead of %s", it->path,
                        hex, tree_text(file, "sha256", ""));
    return rc;
}

/* Both lists are sorted by path. */
static int compare_all(const char *root, const struct entry_items *all, const json_t *files,
                       const volatile int *stop, struct assay_err *err)
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
        rc = compare_file(root, it, file, stop, err);
        f++;
    }
    if (!rc && f < json_array_size(files))
        rc = assay_fail(err, ASSAY_EFAIL, "%s: is missing",
                        tree_text(json_array_get(files, f), "path", ""));
    return rc;
}

int entry_compare(const char *dir, const json_t *tree, const volatile int *stop,
                  struct assay_err *err)
{
    char *root = file_join(dir, "files");
    struct entry_items all = {0};
    json_t *files = NULL;
    int rc = root ? entry_read_list(dir, tree, &files, err)
                  : assay_fail(err, ASSAY_EFAIL, "%s: not enough memory", dir);

    if (!rc)
        rc = entry_items_read(&all, root, err);
    if (!rc)
        rc = compare_all(root, &all, files, stop, err);
    entry_items_release(&all);
    json_decref(files);
    free(root);
    return rc;
}
