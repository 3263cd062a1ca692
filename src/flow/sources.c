/* The list of other people's recipes, read and shown; see sources.h. */
#include "flow/sources.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/tree.h"
#include "flow/catalog.h"
#include "flow/digest.h"
#include "flow/sources_inside.h"

char *source_below_config(const char *name)
{
    char *config = file_config_dir(), *path = config ? file_join(config, name) : NULL;

    free(config);
    return path;
}

/* What it names is removed at times: it may lead nowhere else. */
static bool is_plain(const json_t *row, const char *key)
{
    const char *name = tree_text(row, key, "");

    return *name && *name != '.' && !strchr(name, '/');
}

static bool is_sound(const json_t *row)
{
    const char *path = tree_text(row, "path", "");

    if (!is_plain(row, "name") || !*tree_text(row, "sha256", ""))
        return false;
    if (*path)
        return *path == '/' && !json_object_get(row, "url");
    return *tree_text(row, "url", "") && is_plain(row, "commit") && is_plain(row, "folder");
}

int sources_read(json_t **list, struct assay_err *err)
{
    char *path = source_below_config("recipe-sources.json");
    json_t *tree = NULL, *row;
    int rc = path ? ASSAY_OK : assay_fail(err, ASSAY_EFAIL, "not enough memory");
    bool good = true;
    size_t i;

    *list = NULL;
    if (!rc && !file_exists(path))
        *list = json_array();
    else if (!rc && !(rc = tree_read_json(path, &tree, err))) {
        *list = json_incref(json_object_get(tree, "sources"));
        good = json_is_array(*list) && !strcmp(tree_text(tree, "schema", ""), SOURCES_SCHEMA);
        json_array_foreach(*list, i, row) good = good && is_sound(row);
    }
    if (!good) {
        json_decref(*list);
        *list = NULL;
        rc = assay_fail(err, ASSAY_EFAIL,
                        "%s: is no list of recipe sources (" SOURCES_SCHEMA
                        "); mend it, or remove it and "
                        "add them again",
                        path);
    }
    json_decref(tree);
    free(path);
    return rc;
}

/* Where its files are. */
char *source_dir(const json_t *row)
{
    const char *path = tree_text(row, "path", NULL);
    char *dir, *below = path ? strdup(path) : NULL;

    if (!path && (dir = source_below_config("recipe-sources"))) {
        below = file_join(dir, tree_text(row, "folder", ""));
        free(dir);
    }
    return below;
}

void sources_let_go(struct sources_hold *hold)
{
    for (size_t i = 0; i < hold->count; i++)
        close(hold->locks[i]);
    free(hold->locks);
    *hold = (struct sources_hold){0};
}

/* Whether dir is there, and stays.  Where a file system has no locks nothing can be updated either.
 */
static bool hold_folder(struct sources_hold *hold, const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), *locks;
    struct stat mine, there;

    locks = realloc(hold->locks, (hold->count + 1) * sizeof(*locks));
    if (locks)
        hold->locks = locks;
    while (fd >= 0 && flock(fd, LOCK_SH) && errno == EINTR)
        ;
    if (locks && fd >= 0 && !fstat(fd, &mine) && !stat(dir, &there) &&
        mine.st_ino == there.st_ino) {
        hold->locks[hold->count++] = fd;
        return true;
    }
    if (fd >= 0)
        close(fd);
    return false;
}

/* The folders of a list; whether all that shall be held are. */
static bool folders_of(const json_t *list, struct sources_hold *hold, json_t *folders)
{
    bool held = true;
    json_t *row;
    size_t i;

    json_array_foreach(list, i, row)
    {
        char *dir = source_dir(row), *folder = dir ? source_recipes(dir) : NULL;

        if (hold && dir && json_object_get(row, "url"))
            held = hold_folder(hold, dir) && held;
        if (folder)
            json_array_append_new(folders, json_string(folder));
        free(folder);
        free(dir);
    }
    return held;
}

/* What is gone when it is to be held was updated or removed since the list was read: then the list
 * is another.  What is gone for good is left out by those who look into it. */
json_t *sources_folders(struct sources_hold *hold, struct assay_err *err)
{
    json_t *list = NULL, *before = NULL, *folders = NULL;
    bool held = false;

    while (!held && !sources_read(&list, err)) {
        json_decref(folders);
        folders = json_array();
        held = folders_of(list, hold, folders) || json_equal(list, before);
        if (!held)
            sources_let_go(hold);
        json_decref(before);
        before = list;
    }
    json_decref(before);
    if (!held) {
        json_decref(folders);
        folders = NULL;
    }
    return folders;
}

/* ---- showing ---- */

static void count_recipes(json_t *row, const char *folder)
{
    json_t *folders = json_pack("[s]", folder);
    struct catalog c = {0};
    int64_t good = 0;

    if (folders && !catalog_open_in(folders, &c, NULL)) {
        for (size_t i = 0; i < c.count; i++) {
            if (!*c.entries[i].error)
                good++;
            else
                json_object_set_new(row, "error", tree_string(c.entries[i].error));
        }
        catalog_close(&c);
    }
    json_object_set_new(row, "recipes", json_integer(good));
    json_decref(folders);
}

static void add_state(const char *cache, json_t *row)
{
    char *dir = source_dir(row), *folder = dir ? source_recipes(dir) : NULL, sha256[HASH_HEX] = "";
    struct assay_err err = {0};

    if (dir && folder) {
        int rc = digest_tree(cache, dir, sha256, &err);

        json_object_set_new(row, "changed",
                            json_boolean(rc || strcmp(sha256, tree_text(row, "sha256", "")) != 0));
        json_object_set_new(row, "folder", json_string(folder));
        count_recipes(row, folder);
        if (rc)
            json_object_set_new(row, "error", tree_string(err.text));
    }
    free(folder);
    free(dir);
}

int sources_list(const char *cache, json_t **rows, struct assay_err *err)
{
    int rc = sources_read(rows, err);
    json_t *row;
    size_t i;

    if (!rc)
        json_array_foreach(*rows, i, row) add_state(cache, row);
    return rc;
}
