/* Keeping the shelf: list, verify, prune, pin. */
#include "flow/shelf.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "base/tree.h"
#include "flow/entry.h"
#include "flow/kept.h"
#include "flow/shelf_inside.h"
#include "flow/work.h"

static void marker(const char *dir, const char *name, char out[SHELF_PATH + 16])
{
    snprintf(out, SHELF_PATH + 16, "%s/%s", dir, name);
}

static bool is_pinned(const char *dir)
{
    char path[SHELF_PATH + 16];

    marker(dir, "pinned", path);
    return file_exists(path);
}

/* ---- notes ---- */

static char *notes_of(const char *files)
{
    return text_format("%.*s/checked", (int)(file_base(files) - 1 - files), files);
}

void shelf_note(const char *files, const char *checks)
{
    char *path = notes_of(files), line[80];
    int fd = path ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644) : -1;
    int n = snprintf(line, sizeof(line), "%.64s\n", checks);

    if (fd >= 0 && write(fd, line, (size_t)n) != n)
        unlink(path); /* it is only checked once more */
    if (fd >= 0)
        close(fd);
    free(path);
}

bool shelf_is_noted(const char *files, const char *checks)
{
    char *path = notes_of(files), *text = NULL;
    bool is = path && !file_read(path, 1 << 20, &text, NULL, NULL) && strstr(text, checks);

    if (!is && path) {
        path[file_base(path) - path - 1] = 0;
        is = access(path, W_OK) != 0;
    }
    free(text);
    free(path);
    return is;
}

/* ---- listing ---- */

static int by_text(const void *a, const void *b)
{
    json_t *const *x = a, *const *y = b;

    return strcmp(json_string_value(*x), json_string_value(*y));
}

static json_t *sorted(json_t *texts)
{
    size_t n = json_array_size(texts), i;
    json_t **list = malloc((n + 1) * sizeof(json_t *)), *out = json_array();

    for (i = 0; list && i < n; i++)
        list[i] = json_array_get(texts, i);
    if (list)
        qsort(list, n, sizeof(*list), by_text);
    for (i = 0; list && i < n; i++)
        json_array_append(out, list[i]);
    free(list);
    json_decref(texts);
    return out;
}

static void keys_below(const struct shelf *s, const char *two, json_t *keys, json_t *strays)
{
    char path[SHELF_PATH], stray[300];
    struct dirent *e;
    DIR *d;

    snprintf(path, sizeof(path), "%s/%s", s->dir, two);
    d = opendir(path);
    while (d && (e = readdir(d))) {
        if (entry_is_key(e->d_name) && !strncmp(e->d_name, two, 2)) {
            json_array_append_new(keys, json_string(e->d_name));
        } else if (strcmp(e->d_name, ".") && strcmp(e->d_name, "..")) {
            snprintf(stray, sizeof(stray), "%.2s/%s", two, e->d_name);
            json_array_append_new(strays, json_string(stray));
        }
    }
    if (d)
        closedir(d);
}

json_t *shelf_keys(const struct shelf *s, json_t **strays)
{
    json_t *keys = json_array(), *other = json_array();
    DIR *d = opendir(s->dir);
    struct dirent *e;

    while (d && (e = readdir(d)))
        if (strlen(e->d_name) == 2 && strspn(e->d_name, "0123456789abcdef") == 2)
            keys_below(s, e->d_name, keys, other);
    if (d)
        closedir(d);
    if (strays)
        *strays = other;
    else
        json_decref(other);
    return sorted(keys);
}

/* Seconds since 1970 of the last use; 0: not known. */
static time_t last_use(const char *dir)
{
    char path[SHELF_PATH + 16];
    struct stat st;

    marker(dir, "stamp", path);
    return stat(path, &st) == 0 ? st.st_mtime : 0;
}

/* As it is asked for: "var,b@1.2". */
static char *name_of(const json_t *tree)
{
    const char *version = tree_text(tree, "version", ""), *group;
    struct text t;
    json_t *option;

    text_init(&t, 4096);
    text_add(&t, tree_text(tree, "recipe", ""));
    json_object_foreach(json_object_get(tree, "options"), group, option)
        text_addf(&t, ",%s", json_is_string(option) ? json_string_value(option) : "?");
    if (*version)
        text_addf(&t, "@%s", version);
    return text_take(&t);
}

static json_t *row_of(const char *dir, const char *key)
{
    json_t *tree = NULL, *row;
    struct assay_err err;
    time_t used = last_use(dir);
    char when[32] = "", *name;
    struct tm tm;

    if (used && gmtime_r(&used, &tm))
        strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
    if (entry_read(dir, key, &tree, &err))
        row = json_pack("{s:s, s:s, s:s, s:I, s:I, s:s}", "key", key, "recipe", "", "why", "",
                        "bytes", (json_int_t)0, "files", (json_int_t)0, "damaged", err.text);
    else
        row = json_pack(
            "{s:s, s:s, s:s, s:I, s:I, s:s}", "key", key, "recipe", tree_text(tree, "recipe", ""),
            "why", tree_text(tree, "why", ""), "bytes", (json_int_t)tree_int(tree, "bytes", 0),
            "files", (json_int_t)tree_int(tree, "files", 0), "made", tree_text(tree, "made", ""));
    if (tree && (name = name_of(tree))) {
        json_object_set_new(row, "name", json_string(name));
        free(name);
    }
    json_object_set_new(row, "used", json_string(when));
    json_object_set_new(row, "used_s", json_integer(used));
    json_object_set_new(row, "pinned", json_boolean(is_pinned(dir)));
    json_decref(tree);
    return row;
}

json_t *shelf_list(const struct shelf *s)
{
    json_t *keys = shelf_keys(s, NULL), *list = json_array(), *key;
    char dir[SHELF_PATH];
    size_t i;

    json_array_foreach(keys, i, key)
    {
        shelf_entry_dir(s, json_string_value(key), dir);
        json_array_append_new(list, row_of(dir, json_string_value(key)));
    }
    json_decref(keys);
    return list;
}

int shelf_files(const struct shelf *s, const char *key, json_t **files, struct assay_err *err)
{
    char dir[SHELF_PATH];
    json_t *tree = NULL;
    int rc = shelf_check_key(key, err);

    if (rc)
        return rc;
    shelf_entry_dir(s, key, dir);
    rc = entry_read(dir, key, &tree, err);
    if (!rc)
        rc = entry_read_list(dir, tree, files, err);
    json_decref(tree);
    return rc;
}

/* "recipe,option@1" is called so, and "recipe" and "recipe,option". */
static bool is_called(const json_t *row, const char *name)
{
    const char *full = tree_text(row, "name", "");
    size_t n = strlen(name);

    return n && !strncmp(full, name, n) && (!full[n] || full[n] == ',' || full[n] == '@');
}

/* Whose key begins with the name, else that are called so. */
static json_t *rows_like(const json_t *list, const char *name)
{
    bool hex = strlen(name) >= 4 && strspn(name, "0123456789abcdef") == strlen(name);
    json_t *keys = json_array(), *names = json_array(), *row, *found;
    size_t i;

    json_array_foreach(list, i, row)
    {
        if (hex && !strncmp(tree_text(row, "key", ""), name, strlen(name)))
            json_array_append(keys, row);
        else if (is_called(row, name))
            json_array_append(names, row);
    }
    found = json_incref(json_array_size(keys) ? keys : names);
    json_decref(keys);
    json_decref(names);
    return found;
}

/* By the keys that would tell them apart. */
static int fail_several(const char *name, const json_t *rows, struct assay_err *err)
{
    struct text keys;
    json_t *row;
    size_t i;
    int rc;

    text_init(&keys, 4096);
    json_array_foreach(rows, i, row)
    {
        if (keys.len < 300)
            text_addf(&keys, "%s%.12s (%.60s%s)", i ? ", " : "", tree_text(row, "key", ""),
                      tree_text(row, "name", "damaged"),
                      json_object_get(row, "path") ? ", remembered" : "");
        else if (keys.s[keys.len - 1] != '.')
            text_add(&keys, " ...");
    }
    rc = assay_fail(err, ASSAY_EUSAGE, "'%.60s' means %zu of them, give the key: %s", name,
                    json_array_size(rows), keys.s ? keys.s : "");
    text_release(&keys);
    return rc;
}

int shelf_row_named(const struct shelf *s, const json_t *others, const char *name, json_t **row,
                    struct assay_err *err)
{
    json_t *list = shelf_list(s), *rows;
    int rc = ASSAY_OK;

    json_array_extend(list, (json_t *)(uintptr_t)others);
    rows = rows_like(list, name);
    if (json_array_size(rows) > 1)
        rc = fail_several(name, rows, err);
    else if (!json_array_size(rows))
        rc = assay_fail(err, ASSAY_EUSAGE,
                        "the shelf has no entry '%.80s' (a key's first 4 digits or more, or a "
                        "recipe's name; `assay cache` lists them)",
                        name);
    *row = rc ? NULL : json_incref(json_array_get(rows, 0));
    json_decref(rows);
    json_decref(list);
    return rc;
}

int shelf_named(const struct shelf *s, const char *name, char key[65], struct assay_err *err)
{
    json_t *row;
    int rc = shelf_row_named(s, NULL, name, &row, err);

    if (!rc)
        snprintf(key, 65, "%s", tree_text(row, "key", ""));
    json_decref(row);
    return rc;
}

/* ---- verifying ---- */

static void add_bad(json_t *bad, const char *key, const json_t *tree, const char *why)
{
    json_array_append_new(bad, json_pack("{s:s, s:s, s:s}", "key", key, "recipe",
                                         tree_text(tree, "recipe", ""), "why", why));
}

static ino_t inode_of(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 ? st.st_ino : 0;
}

/* No lock is taken, so that a shelf which can only be read can be verified; an entry that is
 * removed or made anew meanwhile is not judged. */
static int verify_one(const struct shelf *s, const char *key, const volatile int *stop, json_t *bad,
                      struct assay_err *err)
{
    char dir[SHELF_PATH];
    struct assay_err why;
    json_t *tree = NULL;
    ino_t before;
    int rc;

    shelf_entry_dir(s, key, dir);
    before = inode_of(dir);
    rc = entry_read(dir, key, &tree, &why);
    if (!rc)
        rc = entry_compare(dir, tree, stop, &why);
    if (rc && rc != ASSAY_ESTOP && before && inode_of(dir) == before)
        add_bad(bad, key, tree, why.text);
    json_decref(tree);
    return rc == ASSAY_ESTOP ? assay_fail(err, rc, "%s", why.text) : ASSAY_OK;
}

int shelf_verify(const struct shelf *s, const char *key, const volatile int *stop, json_t **bad,
                 struct assay_err *err)
{
    json_t *keys, *strays = NULL, *all, *one;
    char dir[SHELF_PATH];
    int rc = ASSAY_OK;
    size_t i;

    if (key && shelf_check_key(key, err))
        return ASSAY_EUSAGE;
    if (key) {
        shelf_entry_dir(s, key, dir);
        if (!file_is_dir(dir))
            return assay_fail(err, ASSAY_EUSAGE, "the shelf has no entry %.12s", key);
    }
    keys = key ? json_pack("[s]", key) : shelf_keys(s, &strays);
    all = json_array();
    json_array_foreach(keys, i, one) if (!rc) rc =
        verify_one(s, json_string_value(one), stop, all, err);
    json_array_foreach(strays, i, one)
        add_bad(all, json_string_value(one), NULL, "does not belong to the shelf");
    json_decref(strays);
    json_decref(keys);
    if (rc)
        json_decref(all);
    else
        *bad = all;
    return rc;
}

/* ---- removing ---- */

/* ASSAY_EAGAIN: in use. */
static int remove_key(const struct shelf *s, const char *key, bool dry, struct assay_err *err)
{
    char dir[SHELF_PATH];
    int lock, rc = shelf_lock_take(s->dir, key, SHELF_LOCK_ALONE, false, NULL, &lock, err);

    if (rc == ASSAY_EAGAIN || (rc && !dry))
        return rc;
    shelf_entry_dir(s, key, dir);
    rc = dry ? ASSAY_OK : shelf_discard(s, dir, err);
    shelf_lock_drop(s->dir, key, lock);
    return rc;
}

int shelf_remove(const struct shelf *s, const char *key, bool dry, struct assay_err *err)
{
    char dir[SHELF_PATH];
    int rc = shelf_check_key(key, err);

    if (rc)
        return rc;
    shelf_entry_dir(s, key, dir);
    if (!file_is_dir(dir))
        return assay_fail(err, ASSAY_EUSAGE, "the shelf has no entry %.12s", key);
    if (is_pinned(dir))
        return assay_fail(err, ASSAY_EUSAGE, "%.12s is pinned: `assay cache unpin` it first", key);
    rc = remove_key(s, key, dry, err);
    return rc == ASSAY_EAGAIN ? ASSAY_EFAIL : rc;
}

static int by_use(const void *a, const void *b)
{
    int64_t x = tree_int(*(json_t *const *)a, "used_s", 0);
    int64_t y = tree_int(*(json_t *const *)b, "used_s", 0);

    return (x > y) - (x < y);
}

/* What one call of shelf_prune goes by. */
struct pruning {
    const struct shelf *s;
    double older_than_s;
    int64_t keep_bytes, total;
    bool dry;
    time_t now;
    json_t *removed;
};

/* What its programs left is no part of what may be kept. */
static int64_t counted(const json_t *row)
{
    return json_object_get(row, "folder") ? 0 : tree_int(row, "bytes", 0);
}

static bool must_go(const struct pruning *p, const json_t *row, char why[80])
{
    double age = difftime(p->now, (time_t)tree_int(row, "used_s", 0));

    if (p->older_than_s >= 0 && age >= p->older_than_s) {
        if (tree_int(row, "used_s", 0))
            snprintf(why, 80, "not used for %.1f days", age / 86400);
        else
            snprintf(why, 80, "damaged");
        return true;
    }
    snprintf(why, 80, "the cache is larger than it may be");
    return p->keep_bytes >= 0 && p->total > p->keep_bytes && !json_object_get(row, "folder");
}

static void add_removed(const struct pruning *p, const json_t *row, const char *why)
{
    static const char *const members[] = {"key",    "recipe", "name", "path",
                                          "folder", "file",   "bytes"};
    json_t *out = json_pack("{s:s}", "why", why);

    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
        json_object_set(out, members[i], json_object_get(row, members[i]));
    json_array_append_new(p->removed, out);
}

static int prune_one(struct pruning *p, const json_t *row, struct assay_err *err)
{
    const char *key = tree_text(row, "key", NULL);
    char why[80];
    int rc;

    if (tree_bool(row, "pinned", false) || !must_go(p, row, why))
        return ASSAY_OK;
    rc = key ? remove_key(p->s, key, p->dry, err)
         : json_object_get(row, "path")
             ? kept_remove(row, p->dry, err)
             : work_remove(tree_text(row, "folder", tree_text(row, "file", "")), p->dry, err);
    if (rc)
        return rc == ASSAY_EAGAIN ? ASSAY_OK : rc; /* somebody uses it */
    p->total -= counted(row);
    add_removed(p, row, why);
    return ASSAY_OK;
}

int shelf_prune(const struct shelf *s, const json_t *others, double older_than_s,
                int64_t keep_bytes, bool dry, json_t **removed, struct assay_err *err)
{
    struct pruning p = {s, older_than_s, keep_bytes, 0, dry, time(NULL), json_array()};
    json_t *list = shelf_list(s);
    struct assay_err why;
    int rc = ASSAY_OK;
    json_t **rows;
    size_t n, i;

    json_array_extend(list, (json_t *)(uintptr_t)others);
    n = json_array_size(list);
    if (!(rows = malloc((n + 1) * sizeof(json_t *))))
        rc = assay_fail(err, ASSAY_EFAIL, "not enough memory");
    for (i = 0; rows && i < n; i++) {
        rows[i] = json_array_get(list, i);
        p.total += counted(rows[i]);
    }
    if (rows)
        qsort(rows, n, sizeof(*rows), by_use);
    for (i = 0; rows && i < n; i++)
        if (prune_one(&p, rows[i], &why) && !rc)
            rc = assay_fail(err, why.code, "%s", why.text);
    free(rows);
    json_decref(list);
    *removed = p.removed;
    return rc;
}

int shelf_pin(const struct shelf *s, const char *key, bool pinned, struct assay_err *err)
{
    char dir[SHELF_PATH], path[SHELF_PATH + 16];
    int fd, rc = shelf_check_key(key, err);

    if (rc)
        return rc;
    shelf_entry_dir(s, key, dir);
    if (!file_is_dir(dir))
        return assay_fail(err, ASSAY_EUSAGE, "the shelf has no entry %.12s", key);
    marker(dir, "pinned", path);
    if (!pinned)
        return unlink(path) < 0 && errno != ENOENT
                   ? assay_fail(err, ASSAY_EFAIL, "%s: cannot be removed: %s", path,
                                strerror(errno))
                   : ASSAY_OK;
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0)
        return assay_fail(err, ASSAY_EFAIL, "%s: cannot be written: %s", path, strerror(errno));
    close(fd);
    return ASSAY_OK;
}
