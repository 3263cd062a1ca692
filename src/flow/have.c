/* Checks, and places that are remembered: <cache>/have/<id>.json holds {"recipe", "path",
 * "stamps"}, and of one that was found changed {"wrong": {"stamps", "why"}}. */
#include "flow/have.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/text.h"
#include "base/tree.h"
#include "flow/digest.h"

char *have_place(const char *root, const char *name)
{
    return file_is_dir(root) && strcmp(name, ".") != 0 ? file_join(root, name) : strdup(root);
}

static int check_digest(const char *path, const char *what, const char *got, const char *wanted,
                        struct assay_err *err)
{
    if (!wanted || !strcmp(got, wanted))
        return ASSAY_OK;
    return assay_fail(err, ASSAY_EFAIL,
                      "%.250s is not the file that is wanted: its %s is %s, not %s", path, what,
                      got, wanted);
}

/* Both digests of a file, from `known` where they are in it. */
static int digests_of(const char *path, json_t *known, bool sha, bool md5, const volatile int *stop,
                      char got_sha[HASH_HEX], char got_md5[HASH_MD5], struct assay_err *err)
{
    const json_t *row = json_object_get(known, path);
    int rc;

    if (row) {
        snprintf(got_sha, HASH_HEX, "%s", tree_text(row, "sha256", ""));
        snprintf(got_md5, HASH_MD5, "%s", tree_text(row, "md5", ""));
        return ASSAY_OK;
    }
    rc = hash_file_until(path, stop, sha || known ? got_sha : NULL, md5 || known ? got_md5 : NULL,
                         err);
    if (!rc && known)
        json_object_set_new(known, path,
                            json_pack("{s:s, s:s}", "sha256", got_sha, "md5", got_md5));
    return rc;
}

/* To open anything else could mean to wait for ever. */
static bool is_file(const char *path)
{
    struct stat st;

    return !stat(path, &st) && S_ISREG(st.st_mode);
}

char *have_row_place(const json_t *row, const char *root)
{
    const char *other = tree_text(row, "or", NULL);
    char *path = have_place(root, tree_text(row, "file", tree_text(row, "folder", ".")));
    char *instead = path && other && !file_exists(path) ? have_place(root, other) : NULL;

    if (instead && file_exists(instead)) {
        free(path);
        return instead;
    }
    free(instead);
    return path;
}

static int check_file(const json_t *row, const char *root, json_t *known, const volatile int *stop,
                      struct assay_err *err)
{
    const char *sha = tree_text(row, "sha256", NULL), *md5 = tree_text(row, "md5", NULL);
    const char *other = tree_text(row, "or", NULL);
    int64_t bytes = tree_int(row, "bytes", -1), there;
    char got_sha[HASH_HEX] = "", got_md5[HASH_MD5] = "";
    char *path = have_row_place(row, root);
    int rc = ASSAY_OK;

    if (!path)
        return assay_fail(err, ASSAY_EFAIL, "%s: not enough memory", root);
    there = file_size(path);
    if (!is_file(path))
        rc = assay_fail(err, ASSAY_EFAIL,
                        other ? "%s: is not there, or no file (%s will do as well)"
                              : "%s: is not there, or no file",
                        path, other);
    else if (!there && bytes && !sha && !md5)
        rc = assay_fail(err, ASSAY_EFAIL, "%s: is empty", path);
    else if (bytes >= 0 && bytes != there)
        rc = assay_fail(err, ASSAY_EFAIL, "%s: has %lld bytes, wanted are %lld", path,
                        (long long)there, (long long)bytes);
    if (!rc && (sha || md5))
        rc = digests_of(path, known, sha, md5, stop, got_sha, got_md5, err);
    if (!rc)
        rc = check_digest(path, "SHA-256", got_sha, sha, err);
    if (!rc)
        rc = check_digest(path, "MD5", got_md5, md5, err);
    free(path);
    return rc;
}

static bool ends_with(const char *name, const char *end)
{
    size_t n = strlen(name), m = strlen(end);

    return n >= m && !strcmp(name + n - m, end);
}

/* An empty file is none that somebody has. */
static bool is_empty(DIR *dir, const char *name)
{
    struct stat st;

    return !fstatat(dirfd(dir), name, &st, 0) && S_ISREG(st.st_mode) && !st.st_size;
}

static int check_folder(const json_t *row, const char *root, struct assay_err *err)
{
    int64_t wanted = tree_int(row, "files", -1), count = 0, empty = 0;
    const char *suffix = tree_text(row, "suffix", "");
    char *path = have_place(root, tree_text(row, "folder", ".")), more[60] = "";
    struct dirent *d;
    DIR *dir = path ? opendir(path) : NULL;
    int rc = ASSAY_OK;

    if (!dir)
        rc = assay_fail(err, ASSAY_EFAIL, "%s: is not there, or no folder", path ? path : root);
    while (dir && (d = readdir(dir)))
        if (d->d_name[0] != '.' && ends_with(d->d_name, suffix))
            (*(is_empty(dir, d->d_name) ? &empty : &count))++;
    if (empty)
        snprintf(more, sizeof(more), " (%lld are empty)", (long long)empty);
    if (!rc && wanted >= 0 && count != wanted)
        rc = assay_fail(err, ASSAY_EFAIL, "%s: has %lld files%s%s, wanted are %lld%s", path,
                        (long long)count, *suffix ? " that end in " : "", suffix, (long long)wanted,
                        more);
    else if (!rc && wanted < 0 && !count)
        rc = assay_fail(err, ASSAY_EFAIL, "%s: is empty", path);
    if (dir)
        closedir(dir);
    free(path);
    return rc;
}

static bool is_download_as_it_is(const json_t *row)
{
    bool is_download = json_object_get(row, "urls") || json_object_get(row, "pypi");

    return is_download && !json_object_get(row, "unpack");
}

/* Whether two rows name one file and say nothing of it that contradicts. */
static bool are_of_one(const json_t *a, const json_t *b)
{
    static const char *const said[] = {"bytes", "sha256", "md5"};
    const json_t *x, *y;

    if (!json_object_get(a, "file") ||
        !json_equal(json_object_get(a, "file"), json_object_get(b, "file")))
        return false;
    for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++)
        if ((x = json_object_get(a, said[i])) && (y = json_object_get(b, said[i])) &&
            !json_equal(x, y))
            return false;
    return true;
}

/* What is said of a file in several places is one row: it is one file. */
static void add_row(json_t *rows, json_t *row)
{
    json_t *there, *both;
    size_t i;

    json_array_foreach(rows, i, there)
    {
        if (!are_of_one(there, row))
            continue;
        both = json_copy(there);
        json_object_update_missing(both, row);
        json_array_set_new(rows, i, both);
        return;
    }
    json_array_append(rows, row);
}

json_t *have_rows(const json_t *body, bool fetched)
{
    json_t *rows = json_array(), *v;
    size_t i;

    json_array_foreach(fetched ? json_object_get(body, "fetch") : NULL, i,
                       v) if (is_download_as_it_is(v)) add_row(rows, v);
    json_array_foreach(json_object_get(body, "check"), i,
                       v) if (json_object_get(v, "file") || json_object_get(v, "folder"))
        add_row(rows, v);
    return rows;
}

/* A root that is a file can stand for one alone: the only one that is named, or the only output. */
static bool can_be_file(const json_t *body)
{
    json_t *names = json_object(), *rows = have_rows(body, true), *v;
    size_t i, n;

    json_array_foreach(rows, i, v) if (json_object_get(v, "file"))
        json_object_set_new(names, tree_text(v, "file", ""), json_true());
    n = json_object_size(names);
    json_decref(rows);
    json_decref(names);
    return n == 1 || (!n && json_object_size(json_object_get(body, "outputs")) == 1);
}

bool have_is_whole(const json_t *body, const char *root)
{
    json_t *rows = have_rows(body, true), *row;
    bool whole = file_exists(root);
    const char *key;
    size_t i;

    json_array_foreach(rows, i, row)
    {
        char *path = have_row_place(row, root);

        whole = whole && path && file_exists(path);
        free(path);
    }
    json_decref(rows);
    json_object_foreach(json_object_get(body, "outputs"), key, row)
    {
        char *path = have_place(root, json_string_value(row));

        whole = whole && path && file_exists(path);
        free(path);
    }
    return whole;
}

int have_check_row(const json_t *row, const char *root, json_t *known, const volatile int *stop,
                   struct assay_err *err)
{
    return json_object_get(row, "file") ? check_file(row, root, known, stop, err)
                                        : check_folder(row, root, err);
}

int have_check(const json_t *body, const char *root, bool fetched, const volatile int *stop,
               struct assay_err *err)
{
    int rc = ASSAY_OK;
    json_t *rows, *v;
    size_t i;

    if (!file_exists(root))
        return assay_fail(err, ASSAY_EFAIL, "%s: is not there", root);
    if (!file_is_dir(root) && !can_be_file(body))
        return assay_fail(err, ASSAY_EFAIL,
                          "%s: is a file; the folder with the files of '%s' is wanted", root,
                          tree_text(body, "name", "?"));
    rows = have_rows(body, fetched);
    json_array_foreach(rows, i, v) if (!rc) rc = have_check_row(v, root, NULL, stop, err);
    json_decref(rows);
    return rc;
}

static void add_stamp(struct text *t, const char *root, const char *name)
{
    char stamp[96], *path = have_place(root, name);

    if (path)
        digest_stamp(path, stamp);
    if (path && *stamp) /* an archive need not be there, only what was in it */
        text_addf(t, "%s %s\n", name, stamp);
    free(path);
}

char *have_stamps(const json_t *body, const char *root)
{
    static const char *const lists[] = {"fetch", "check"};
    const char *key;
    struct text t;
    json_t *v;
    size_t i;

    text_init(&t, 1 << 20);
    add_stamp(&t, root, ".");
    for (size_t k = 0; k < 2; k++) {
        json_array_foreach(json_object_get(body, lists[k]), i, v)
        {
            const char *name = tree_text(v, "file", tree_text(v, "folder", NULL));

            if (name)
                add_stamp(&t, root, name);
            if (json_object_get(v, "or"))
                add_stamp(&t, root, tree_text(v, "or", ""));
        }
    }
    json_object_foreach(json_object_get(body, "outputs"), key, v)
        add_stamp(&t, root, json_string_value(v));
    return text_take(&t);
}

/* The stamps of what was remembered, with the names that were. */
static bool as_it_was(const char *root, const char *stamps)
{
    char *copy = strdup(stamps), *save = NULL, *line, *space, stamp[96];
    bool good = copy != NULL;

    for (line = good ? strtok_r(copy, "\n", &save) : NULL; line && good;
         line = strtok_r(NULL, "\n", &save)) {
        char *path;

        /* The four words of the stamp are the last ones. */
        space = line + strlen(line);
        for (int words = 0; space > line && words < 4;)
            words += *--space == ' ';
        good = *space == ' ';
        if (good)
            *space = 0;
        path = have_place(root, line);
        stamp[0] = 0;
        if (path)
            digest_stamp(path, stamp);
        good = good && *stamp && !strcmp(stamp, space + 1);
        free(path);
    }
    free(copy);
    return good;
}

/* <cache>/have/ID.json; NULL: it cannot be read, or is not there. */
static json_t *read_known(const char *cache, const char *id)
{
    char *file = text_format("%s/have/%s.json", cache, id);
    json_t *tree = NULL;

    if (!file || !file_exists(file) || tree_read_json(file, &tree, NULL))
        tree = NULL;
    free(file);
    return tree;
}

static int write_known(const char *cache, const char *id, const json_t *tree, struct assay_err *err)
{
    char *dir = file_join(cache, "have"), *file = text_format("%s/have/%s.json", cache, id);
    int rc = dir && file ? file_make_dirs(dir, err)
                         : assay_fail(err, ASSAY_EFAIL, "%s: not enough memory", cache);

    if (!rc)
        rc = tree_write_json(file, tree, err);
    free(file);
    free(dir);
    return rc;
}

char *have_known(const char *cache, const char *id, char **was)
{
    json_t *tree = read_known(cache, id);
    char *path = tree ? strdup(tree_text(tree, "path", "")) : NULL;

    *was = NULL;
    if (path && !as_it_was(path, tree_text(tree, "stamps", ""))) {
        *was = path;
        path = NULL;
    }
    json_decref(tree);
    return path;
}

int have_remember(const char *cache, const char *id, const char *name, const json_t *body,
                  const char *root, struct assay_err *err)
{
    char *stamps = have_stamps(body, root);
    json_t *tree =
        json_pack("{s:s, s:s, s:s}", "recipe", name, "path", root, "stamps", stamps ? stamps : "");
    int rc = stamps && tree ? write_known(cache, id, tree, err)
                            : assay_fail(err, ASSAY_EFAIL,
                                         "%s: not enough memory, or its name is not UTF-8", root);

    json_decref(tree);
    free(stamps);
    return rc;
}

bool have_is_right(const char *cache, const char *id, const json_t *body, const char *root,
                   struct assay_err *why)
{
    json_t *tree = read_known(cache, id), *wrong = json_object_get(tree, "wrong");
    char *stamps;
    int rc;

    if (wrong && as_it_was(root, tree_text(wrong, "stamps", ""))) {
        rc = assay_fail(why, ASSAY_EFAIL, "%s", tree_text(wrong, "why", "?"));
    } else if ((rc = have_check(body, root, json_object_get(body, "fetch") != NULL, NULL, why))) {
        stamps = have_stamps(body, root);
        json_object_set_new(
            tree, "wrong",
            json_pack("{s:s, s:s}", "stamps", stamps ? stamps : "", "why", why->text));
        write_known(cache, id, tree, NULL);
        free(stamps);
    } else {
        char *name = strdup(tree_text(tree, "recipe", "?"));

        have_remember(cache, id, name ? name : "?", body, root, NULL);
        free(name);
    }
    json_decref(tree);
    return !rc;
}

/* ---- all that are remembered ---- */

static void add_known(json_t *rows, const char *id, const json_t *tree)
{
    const char *path = tree_text(tree, "path", "");
    const char *state = !file_exists(path)                               ? "gone"
                        : as_it_was(path, tree_text(tree, "stamps", "")) ? "as it was"
                                                                         : "changed";
    json_t *row = json_pack("{s:s, s:s, s:s, s:s}", "key", id, "name",
                            tree_text(tree, "recipe", "?"), "path", path, "state", state);

    if (!strcmp(state, "changed"))
        json_object_set(row, "why", json_object_get(json_object_get(tree, "wrong"), "why"));
    json_array_append_new(rows, row);
}

json_t *have_list(const char *cache)
{
    char *dir = file_join(cache, "have");
    DIR *d = dir ? opendir(dir) : NULL;
    json_t *rows = json_array(), *tree;
    struct dirent *e;
    char id[65];

    while (d && (e = readdir(d))) {
        if (strlen(e->d_name) != 64 + strlen(".json") || !ends_with(e->d_name, ".json"))
            continue;
        snprintf(id, sizeof(id), "%.64s", e->d_name);
        if ((tree = read_known(cache, id)))
            add_known(rows, id, tree);
        json_decref(tree);
    }
    if (d)
        closedir(d);
    free(dir);
    return rows;
}

int have_forget(const char *cache, const char *id, struct assay_err *err)
{
    char *file = text_format("%s/have/%.64s.json", cache, id);
    char *links = text_format("%s/have/%.64s", cache, id); /* what was put together */
    int rc = file && links ? file_remove_tree(file, err)
                           : assay_fail(err, ASSAY_EFAIL, "%s: not enough memory", cache);

    if (!rc)
        rc = file_remove_tree(links, err);
    free(file);
    free(links);
    return rc;
}
