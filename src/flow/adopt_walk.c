/* Walking; see adopt_walk.h. */
#include "flow/adopt_walk.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/text.h"
#include "base/tree.h"

#define MAX_DEPTH 16
#define MAX_FILES 20000000

void adopt_walk_unread(struct adopt_walk *w, const char *path, const char *why)
{
    json_array_append_new(
        w->unread, json_pack("{s:o, s:o}", "path", tree_string(path), "why", tree_string(why)));
}

static void key_of(const struct stat *st, char key[64])
{
    snprintf(key, 64, "%llu:%llu", (unsigned long long)st->st_dev, (unsigned long long)st->st_ino);
}

/* Whether this folder was not seen before. */
static bool is_new(struct adopt_walk *w, const struct stat *st)
{
    char key[64];

    key_of(st, key);
    if (json_object_get(w->seen, key))
        return false;
    json_object_set_new(w->seen, key, json_true());
    return true;
}

/* Whether this folder, or the one of this file, was walked. */
static bool is_walked(const struct adopt_walk *w, const char *place)
{
    char key[64], *path = strdup(place), *slash;
    struct stat st;
    bool is = false;

    if (path && !file_is_dir(path) && (slash = strrchr(path, '/')) && slash > path)
        *slash = 0;
    if (path && !stat(path, &st)) {
        key_of(&st, key);
        is = json_object_get(w->seen, key) != NULL;
    }
    free(path);
    return is;
}

/* ---- entries of the automation's caches ---- */

static json_t *read_beside(const char *folder, const char *const *names)
{
    json_t *tree = NULL;
    struct stat st;

    for (; *names && !tree; names++) {
        char *path = file_join(folder, *names);

        if (path && !stat(path, &st) && S_ISREG(st.st_mode) && tree_read_json(path, &tree, NULL))
            tree = NULL;
        free(path);
    }
    return tree;
}

static bool names_data(const char *variable)
{
    return (!strncmp(variable, "CM_", 3) || !strncmp(variable, "MLC_", 4)) &&
           (strstr(variable, "DATASET") || strstr(variable, "MODEL"));
}

/* The places that an entry tells are walked later: they may be its own. */
static void note_places(struct adopt_walk *w, const json_t *state, const char *entry)
{
    const char *name, *place;
    json_t *v;

    json_object_foreach(json_object_get(state, "new_env"), name, v)
    {
        place = json_string_value(v);
        if (place && place[0] == '/' && place[1] && names_data(name) && file_exists(place))
            json_array_append_new(w->named, json_pack("{s:s, s:s}", "path", place, "entry", entry));
    }
}

/* The tags of the entry that this folder is, for free(); NULL: it is none. */
static char *read_entry(struct adopt_walk *w, const char *folder)
{
    static const char *const states[] = {"mlc-cached-state.json", "cm-cached-state.json", NULL};
    static const char *const metas[] = {"meta.json", "_cm.json", NULL};
    json_t *state = read_beside(folder, states), *meta, *tag;
    struct text tags;
    size_t i;

    if (!state)
        return NULL;
    meta = read_beside(folder, metas);
    text_init(&tags, 1000);
    json_array_foreach(json_object_get(meta, "tags"), i, tag) if (json_is_string(tag))
        text_addf(&tags, "%s%s", tags.len ? "," : "", json_string_value(tag));
    note_places(w, state, tags.s);
    json_decref(meta);
    json_decref(state);
    return text_take(&tags);
}

/* ---- folders ---- */

static int walk_folder(struct adopt_walk *w, const char *path, const char *entry, int depth,
                       struct assay_err *err);

/* A link to a folder above would lead out of what was named. */
static bool leads_up(const char *path, const char *folder)
{
    char *to = file_absolute(path), *from = file_absolute(folder);
    size_t n = to ? strlen(to) : 0;
    bool up = !n || !from || (!strncmp(to, from, n) && (n == 1 || !from[n] || from[n] == '/'));

    free(from);
    free(to);
    return up;
}

static bool is_folder(const char *folder, const struct dirent *d)
{
    char *path;
    bool is;

    if (d->d_type != DT_LNK && d->d_type != DT_UNKNOWN)
        return d->d_type == DT_DIR;
    path = file_join(folder, d->d_name);
    is = path && file_is_dir(path);
    free(path);
    return is;
}

static int shown(const struct dirent *d)
{
    return strcmp(d->d_name, ".") && strcmp(d->d_name, "..") && strcmp(d->d_name, ".git");
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* The folders below, when the files of this one were told. */
static int walk_below(struct adopt_walk *w, const char *path, const char *entry, int depth,
                      struct dirent *const *list, int n, struct assay_err *err)
{
    int rc = ASSAY_OK;

    for (int i = 0; !rc && i < n; i++) {
        char *below = is_folder(path, list[i]) ? file_join(path, list[i]->d_name) : NULL;

        if (below && (list[i]->d_type == DT_DIR || !leads_up(below, path)))
            rc = walk_folder(w, below, entry, depth + 1, err);
        free(below);
    }
    return rc;
}

static int read_folder(struct adopt_walk *w, const char *path, const char *entry, int depth,
                       struct assay_err *err)
{
    struct dirent **list = NULL;
    int n = scandir(path, &list, shown, by_bytes), rc = ASSAY_OK;

    if (n < 0) {
        adopt_walk_unread(w, path, strerror(errno));
        return ASSAY_OK;
    }
    w->folders++;
    for (int i = 0; !rc && i < n; i++) {
        if (w->stop && *w->stop)
            rc = assay_fail(err, ASSAY_ESTOP, "interrupted");
        else if (!is_folder(path, list[i])) {
            w->files++;
            w->file(w->ctx, path, list[i]->d_name, entry);
        }
    }
    if (!rc) {
        w->folder(w->ctx, path, entry);
        rc = walk_below(w, path, entry, depth, list, n, err);
    }
    for (int i = 0; i < n; i++)
        free(list[i]);
    free(list);
    return rc;
}

static int walk_folder(struct adopt_walk *w, const char *path, const char *entry, int depth,
                       struct assay_err *err)
{
    struct stat st;
    char *own;
    int rc;

    if (stat(path, &st)) {
        adopt_walk_unread(w, path, strerror(errno));
        return ASSAY_OK;
    }
    if (!is_new(w, &st))
        return ASSAY_OK;
    if (depth > MAX_DEPTH || w->files > MAX_FILES) {
        adopt_walk_unread(w, path, depth > MAX_DEPTH ? "too deep" : "too many files before it");
        return ASSAY_OK;
    }
    own = read_entry(w, path);
    rc = read_folder(w, path, own ? own : entry, depth, err);
    free(own);
    return rc;
}

static int walk_place(struct adopt_walk *w, const char *place, const char *by, const char *entry,
                      struct assay_err *err)
{
    char *path = file_absolute(place), *slash;
    int rc = ASSAY_OK;

    if (!path)
        return assay_fail(err, ASSAY_EFAIL, "%s: not enough memory", place);
    json_array_append_new(w->looked, json_pack("{s:o, s:s}", "path", tree_string(path), "by", by));
    if (file_is_dir(path)) {
        rc = walk_folder(w, path, entry, 0, err);
    } else if ((slash = strrchr(path, '/')) && slash > path) {
        *slash = 0;
        w->file(w->ctx, path, slash + 1, entry);
    }
    free(path);
    return rc;
}

/* ---- where to begin ---- */

/* A variable that is set and empty is not set.  MLC's is the folder of repositories, CM's the one
 * that has `repos`; parts of CM take it as MLC does. */
static int walk_cache(struct adopt_walk *w, const char *variable, const char *home_folder,
                      struct assay_err *err)
{
    static const char *const below[] = {"local/cache", "repos/local/cache"};
    const char *value = getenv(variable), *home = getenv("HOME");
    bool is_set = value && *value, any = false;
    char *folder =
        is_set ? file_expand_home(value) : text_format("%s/%s", home ? home : "", home_folder);
    int rc = ASSAY_OK;

    for (size_t i = is_set ? 0 : 1; !rc && i < 2; i++) {
        char *path = folder ? file_join(folder, below[i]) : NULL;

        if (path && file_is_dir(path)) {
            any = true;
            rc = walk_place(w, path, is_set ? variable : "HOME", "", err);
        }
        free(path);
    }
    if (is_set && !any)
        adopt_walk_unread(w, folder, "has no local/cache");
    free(folder);
    return rc;
}

static int walk_caches(struct adopt_walk *w, struct assay_err *err)
{
    int rc = walk_cache(w, "MLC_REPOS", "MLC", err);

    if (!rc)
        rc = walk_cache(w, "CM_REPOS", "CM", err);
    if (!rc && !json_array_size(w->looked))
        rc = assay_fail(err, ASSAY_EFAIL,
                        "there is no cache of MLC ($MLC_REPOS/local/cache, else "
                        "~/MLC/repos/local/cache) nor of CM ($CM_REPOS, ~/CM/repos): name the "
                        "folders in which to look: assay cache adopt DIR");
    return rc;
}

int adopt_walk(struct adopt_walk *w, const char *const *dirs, const char *not_in,
               struct assay_err *err)
{
    struct stat st;
    const char *place;
    json_t *row;
    int rc = ASSAY_OK;

    w->looked = json_array();
    w->unread = json_array();
    w->seen = json_object();
    w->named = json_array();
    for (const char *const *d = dirs; d && *d; d++)
        if (!file_exists(*d))
            return assay_fail(err, ASSAY_EUSAGE, "%s: is not there", *d);
    if (!stat(not_in, &st))
        is_new(w, &st);
    if (!dirs || !*dirs)
        rc = walk_caches(w, err);
    for (const char *const *d = dirs; !rc && d && *d; d++)
        rc = walk_place(w, *d, "given", "", err);
    for (size_t i = 0; !rc && i < json_array_size(w->named); i++) { /* it grows meanwhile */
        row = json_incref(json_array_get(w->named, i));
        place = tree_text(row, "path", "");
        if (!is_walked(w, place))
            rc = walk_place(w, place, "entry", tree_text(row, "entry", ""), err);
        json_decref(row);
    }
    return rc;
}

void adopt_walk_release(struct adopt_walk *w)
{
    json_decref(w->looked);
    json_decref(w->unread);
    json_decref(w->seen);
    json_decref(w->named);
    memset(w, 0, sizeof(*w));
}
