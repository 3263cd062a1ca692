/* Changing the list of other people's recipes; see sources.h.
 *
 *   add, update:  fetch to <config>/recipe-sources/.new-XXXXXX -> look at its recipes -> rename to
 *                 NAME-COMMIT, or where that is taken NAME-COMMIT-2 … -> write the list -> remove
 *                 what nobody reads of what it no longer names
 * A source that the list does not name yet is as if it were not there. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "base/tree.h"
#include "flow/digest.h"
#include "flow/get.h"
#include "flow/sources.h"
#include "flow/sources_inside.h"

static int no_memory(struct assay_err *err)
{
    return assay_fail(err, ASSAY_EFAIL, "not enough memory");
}

struct change {
    const char *cache;
    char *dir, *temp; /* <config>/recipe-sources; of what was just fetched, or NULL */
    int lock;
    json_t *list;
};

static int take_lock(struct change *c, struct assay_err *err)
{
    int rc;

    c->lock = open(c->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (c->lock < 0)
        return assay_fail(err, ASSAY_EFAIL, "%s: cannot be opened: %s", c->dir, strerror(errno));
    while ((rc = flock(c->lock, LOCK_EX)) && errno == EINTR)
        ;
    return rc ? assay_fail(err, ASSAY_EFAIL, "%s: cannot be locked: %s", c->dir, strerror(errno))
              : ASSAY_OK;
}

/* Takes a folder away that nobody reads; first its name, so that it is found whole or not at all.
 */
static void remove_unread(const struct change *c, const char *name)
{
    char *path = file_join(c->dir, name), *gone = text_format("%s/.old-%s", c->dir, name);
    int fd = path ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

    if (path && gone && !(fd >= 0 && flock(fd, LOCK_EX | LOCK_NB)))
        file_remove_tree(*name == '.' || rename(path, gone) ? path : gone, NULL);
    if (fd >= 0)
        close(fd);
    free(gone);
    free(path);
}

/* Removes what the list does not name. */
static void sweep(const struct change *c)
{
    DIR *d = opendir(c->dir);
    struct dirent *entry;
    json_t *row;
    size_t i;

    while (d && (entry = readdir(d))) {
        bool named = !strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..");

        json_array_foreach(c->list, i, row) named =
            named || !strcmp(tree_text(row, "folder", ""), entry->d_name);
        if (!named)
            remove_unread(c, entry->d_name);
    }
    if (d)
        closedir(d);
}

static int begin(struct change *c, const char *cache, struct assay_err *err)
{
    char *dir = source_below_config("recipe-sources");
    int rc = dir ? file_make_dirs(dir, err) : no_memory(err);

    *c = (struct change){.cache = cache, .lock = -1};
    if (!rc) /* git runs elsewhere */
        rc = (c->dir = file_absolute(dir)) ? take_lock(c, err) : no_memory(err);
    free(dir);
    if (!rc)
        rc = sources_read(&c->list, err);
    if (!rc)
        sweep(c);
    return rc;
}

static void drop_temp(struct change *c)
{
    if (c->temp)
        file_remove_tree(c->temp, NULL);
    free(c->temp);
    c->temp = NULL;
}

static void end(struct change *c)
{
    drop_temp(c);
    if (c->lock >= 0)
        close(c->lock);
    json_decref(c->list);
    free(c->dir);
}

static int save(const struct change *c, struct assay_err *err)
{
    char *path = source_below_config("recipe-sources.json");
    json_t *tree = json_pack("{s:s, s:O}", "schema", SOURCES_SCHEMA, "sources", c->list);
    int rc = path && tree ? ASSAY_OK : no_memory(err);

    /* What the list names is on the disk before the list is. */
    if (!rc && syncfs(c->lock))
        rc = assay_fail(err, ASSAY_EFAIL, "%s: cannot be written: %s", c->dir, strerror(errno));
    if (!rc)
        rc = tree_write_json(path, tree, err);
    json_decref(tree);
    free(path);
    return rc;
}

/* Ctrl-C ends git, and all of it is gone; else it ends this program as usual. */
static int clone(struct change *c, json_t *row, char **dir, struct assay_err *err)
{
    char commit[65];
    int rc;

    c->temp = file_join(c->dir, ".new-XXXXXX");
    if (!c->temp || !mkdtemp(c->temp))
        return assay_fail(err, ASSAY_EFAIL, "%s: cannot be written: %s", c->dir, strerror(errno));
    if (!(*dir = file_join(c->temp, "files")))
        return no_memory(err);
    rc = source_clone(tree_text(row, "url", ""), tree_text(row, "ref", NULL), *dir,
                      get_listen(true), commit, err);
    get_listen(false);
    if (!rc)
        json_object_set_new(row, "commit", json_string(commit));
    return rc;
}

/* What the source is now: its commit and digest to row, its recipes, and where its files are. own:
 * as of source_look. */
static int take(struct change *c, json_t *row, const char *own, char **dir, json_t **recipes,
                struct assay_err *err)
{
    const char *path = tree_text(row, "path", NULL);
    struct assay_err why = {0};
    char sha256[HASH_HEX];
    int rc;

    *dir = path ? strdup(path) : NULL;
    rc = !path ? clone(c, row, dir, err) : *dir ? ASSAY_OK : no_memory(err);
    if (!rc && (rc = source_look(c->cache, *dir, own, recipes, &why)))
        assay_fail(err, rc, "%s: %.440s", tree_text(row, "name", ""), why.text);
    if (!rc && !(rc = digest_tree(c->cache, *dir, sha256, err)))
        json_object_set_new(row, "sha256", json_string(sha256));
    return rc;
}

/* A name that no folder has: of what is there somebody may read. */
static char *new_name(const struct change *c, const json_t *row)
{
    char *name = NULL, *path = NULL, more[16] = "";
    int i = 1;

    do {
        free(name);
        free(path);
        name = text_format("%s-%.12s%s", tree_text(row, "name", ""), tree_text(row, "commit", ""),
                           more);
        path = name ? file_join(c->dir, name) : NULL;
        snprintf(more, sizeof(more), "-%d", ++i);
    } while (path && file_exists(path));
    free(path);
    return name;
}

/* Puts what was fetched where the list will say that it is. */
static int settle(struct change *c, json_t *row, const char *dir, struct assay_err *err)
{
    char *name, *target;
    int rc = ASSAY_OK;

    if (!c->temp)
        return ASSAY_OK;
    name = new_name(c, row);
    target = name ? file_join(c->dir, name) : NULL;
    if (!target)
        rc = no_memory(err);
    else if (rename(dir, target))
        rc =
            assay_fail(err, ASSAY_EFAIL, "%s: cannot be put in place: %s", target, strerror(errno));
    if (!rc)
        json_object_set_new(row, "folder", json_string(name));
    free(target);
    free(name);
    return rc;
}

static json_t *row_named(const json_t *list, const char *key, const char *value, size_t *at)
{
    json_t *row;
    size_t i;

    json_array_foreach(list, i, row)
    {
        *at = i;
        if (value && !strcmp(tree_text(row, key, ""), value))
            return row;
    }
    return NULL;
}

static int check_new(const struct change *c, const json_t *row, struct assay_err *err)
{
    const char *key = json_object_get(row, "url") ? "url" : "path", *name;
    const json_t *old;
    size_t at;

    if ((old = row_named(c->list, key, tree_text(row, key, NULL), &at))) {
        name = tree_text(old, "name", "");
        return assay_fail(err, ASSAY_EUSAGE,
                          "%.200s is there already, as '%s': `assay recipes update %s` takes what "
                          "it is now%s",
                          tree_text(row, key, ""), name, name,
                          *key == 'u' ? ", NAME@COMMIT another commit" : "");
    }
    name = tree_text(row, "name", "");
    if ((old = row_named(c->list, "name", name, &at)))
        return assay_fail(
            err, ASSAY_EUSAGE,
            "a source is called '%s' already: %.200s; give this one another name with "
            "--name",
            name, tree_text(old, "url", tree_text(old, "path", "")));
    return ASSAY_OK;
}

int sources_add(const char *cache, const char *from, const char *name, bool dry, json_t **added,
                struct assay_err *err)
{
    json_t *row = NULL, *recipes = NULL;
    struct change c = {0};
    char *dir = NULL;
    int rc = source_parse(from, name, &row, err);

    if (rc)
        return rc;
    if (!(rc = begin(&c, cache, err)) && !(rc = check_new(&c, row, err)))
        rc = take(&c, row, NULL, &dir, &recipes, err);
    if (!rc && !dry && !(rc = settle(&c, row, dir, err))) {
        json_array_append(c.list, row);
        rc = save(&c, err);
    }
    if (!rc) {
        *added = json_copy(row);
        json_object_set(*added, "recipes", recipes);
        json_object_set_new(*added, "added", json_boolean(!dry));
    }
    end(&c);
    free(dir);
    json_decref(recipes);
    json_decref(row);
    return rc;
}

/* Whether what is there is not what the list says: files of a repository that somebody edited. */
static bool is_edited(const struct change *c, const json_t *row, const char *dir)
{
    char sha256[HASH_HEX];

    return digest_tree(c->cache, dir, sha256, NULL) ||
           strcmp(sha256, tree_text(row, "sha256", "")) != 0;
}

static int update_one(struct change *c, size_t at, const char *ref, bool dry, json_t *rows,
                      struct assay_err *err)
{
    const json_t *old = json_array_get(c->list, at);
    const char *key = json_object_get(old, "url") ? "commit" : "sha256";
    json_t *row = json_deep_copy(old), *recipes = NULL, *shown;
    char *own = source_dir(old), *dir = NULL;
    bool other;
    int rc = own && row ? ASSAY_OK : no_memory(err);

    if (!rc && ref)
        json_object_set_new(row, "ref", json_string(ref));
    if (!rc)
        rc = take(c, row, own, &dir, &recipes, err);
    if (!rc) {
        other = !json_equal(old, row) || is_edited(c, old, own);
        shown = json_copy(row);
        json_object_set_new(shown, "other", json_boolean(other));
        json_object_set_new(shown, "updated", json_boolean(other && !dry));
        json_object_set(shown, "was", json_object_get(old, key));
        json_object_set(shown, "recipes", recipes);
        json_array_append_new(rows, shown);
        if (other && !dry && !(rc = settle(c, row, dir, err))) {
            json_array_set(c->list, at, row);
            rc = save(c, err);
        }
    }
    drop_temp(c);
    free(dir);
    free(own);
    json_decref(recipes);
    json_decref(row);
    return rc;
}

static int unknown(const json_t *list, const char *name, struct assay_err *err)
{
    const char *names[64], *near;
    size_t n = 0, i;
    json_t *row;

    json_array_foreach(list, i, row) if (n < 64) names[n++] = tree_text(row, "name", "");
    near = text_nearest(name, names, n, sizeof(names[0]));
    return assay_fail(
        err, ASSAY_EUSAGE,
        "no source of recipes is called '%.100s'%s%s%s (`assay recipes sources` lists "
        "them)",
        name, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

/* "NAME" or "NAME@COMMIT" */
static int update_named(struct change *c, const char *name, bool dry, json_t *rows,
                        struct assay_err *err)
{
    char *plain = strdup(name), *ref = plain ? strchr(plain, '@') : NULL;
    const json_t *row;
    size_t at;
    int rc;

    if (ref)
        *ref++ = 0;
    if (!plain)
        rc = no_memory(err);
    else if (!(row = row_named(c->list, "name", plain, &at)))
        rc = unknown(c->list, plain, err);
    else if (ref && (!source_is_ref(ref) || !json_object_get(row, "url")))
        rc = assay_fail(err, ASSAY_EUSAGE, "'%.100s': %s", name,
                        json_object_get(row, "url") ? "there is no commit behind the @"
                                                    : "the source is a folder, without commits");
    else
        rc = update_one(c, at, ref, dry, rows, err);
    free(plain);
    return rc;
}

int sources_update(const char *cache, const char *name, bool dry, json_t **rows,
                   struct assay_err *err)
{
    struct change c = {0};
    int rc = begin(&c, cache, err);

    *rows = json_array();
    if (!rc && name)
        rc = update_named(&c, name, dry, *rows, err);
    for (size_t i = 0; !rc && !name && i < json_array_size(c.list); i++)
        rc = update_one(&c, i, NULL, dry, *rows, err);
    if (c.list)
        sweep(&c);
    end(&c);
    if (rc) {
        json_decref(*rows);
        *rows = NULL;
    }
    return rc;
}

int sources_remove(const char *name, bool dry, struct assay_err *err)
{
    struct change c = {0};
    size_t at = 0;
    int rc = begin(&c, NULL, err);

    if (!rc && !row_named(c.list, "name", name, &at))
        rc = unknown(c.list, name, err);
    if (!rc && !dry) {
        json_array_remove(c.list, at);
        rc = save(&c, err);
    }
    if (!rc)
        sweep(&c);
    end(&c);
    return rc;
}
