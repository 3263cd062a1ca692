/* Listing and removing what is beside the shelf; see kept.h. */
#include "flow/kept.h"

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
#include "flow/have.h"
#include "flow/shelf_inside.h"
#include "flow/work.h"

/* What holds a lock on it while it is used. */
enum lock_on { LOCK_ON_ITSELF, LOCK_ON_NAME, LOCK_ON_KEY, LOCK_ON_FOLDER };

static const struct kind {
    const char *folder, *suffix; /* names end so; "": any */
    const char *what;
    enum lock_on lock;
} kinds[] = {{"samples", ".samples", "samples of a data set", LOCK_ON_ITSELF},
             {"samples", ".part", "samples, not finished", LOCK_ON_NAME},
             {"nets", "", "a net with synthetic weights", LOCK_ON_ITSELF},
             {"shelf/parts", "", "a download under way", LOCK_ON_KEY},
             {"downloads", "", "a package of the set-up", LOCK_ON_FOLDER}};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static bool ends_with(const char *name, const char *end)
{
    size_t n = strlen(name), m = strlen(end);

    return n >= m && !strcmp(name + n - m, end);
}

/* Not what belongs to others, nor a file that is just being written, nor the digests of packages
 * that nobody publishes them of. */
static bool is_of(const struct kind *k, const char *name)
{
    return strcmp(name, "first-seen") && name[0] != '.' && ends_with(name, k->suffix) &&
           !ends_with(name, ".pinned") && !strstr(name, ".tmp.");
}

static const struct kind *kind_of(const json_t *row)
{
    const char *what = tree_text(row, "what", "");

    for (size_t i = 0; i < KINDS; i++)
        if (!strcmp(kinds[i].what, what))
            return &kinds[i];
    return NULL;
}

static char *pin_of(const char *path)
{
    return text_format("%s.pinned", path);
}

static json_t *row_of(const struct kind *k, const char *folder, const char *name)
{
    char *path = file_join(folder, name), *pin = path ? pin_of(path) : NULL;
    json_t *row = pin ? work_row(path, "path") : NULL;

    if (row) {
        json_object_set_new(row, "name",
                            json_sprintf(k->lock == LOCK_ON_KEY ? "%s/%.12s" : "%s/%s",
                                         file_base(k->folder), name));
        json_object_set_new(row, "what", json_string(k->what));
        json_object_set_new(row, "pinned", json_boolean(file_exists(pin)));
    }
    free(pin);
    free(path);
    return row;
}

static void list_kind(const char *cache, const struct kind *k, json_t *rows)
{
    char *folder = file_join(cache, k->folder);
    DIR *d = folder ? opendir(folder) : NULL;
    struct dirent *e;
    json_t *row;

    while (d && (e = readdir(d)))
        if (is_of(k, e->d_name) && (row = row_of(k, folder, e->d_name)))
            work_insert(rows, row);
    if (d)
        closedir(d);
    free(folder);
}

json_t *kept_list(const char *cache)
{
    json_t *rows = json_array();

    for (size_t i = 0; i < KINDS; i++)
        list_kind(cache, &kinds[i], rows);
    return rows;
}

void kept_tell(const char *cache, json_t *tree)
{
    json_object_set_new(tree, "kept", kept_list(cache));
    json_object_set_new(tree, "remembered", have_list(cache));
}

/* ---- removing ---- */

static int remove_parts(const char *path, bool dry, struct assay_err *err)
{
    const char *key = file_base(path);
    char *shelf = text_format("%.*s", (int)(key - strlen("/parts/") - path), path);
    int lock = -1;
    int rc = shelf ? shelf_lock_take(shelf, key, SHELF_LOCK_ALONE, false, NULL, &lock, err)
                   : assay_fail(err, ASSAY_EFAIL, "%s: not enough memory", path);

    if (dry && rc != ASSAY_EAGAIN) /* where nothing can be written there is no lock either */
        rc = ASSAY_OK;
    if (!rc && !dry)
        rc = file_remove_tree(path, err);
    if (shelf)
        shelf_lock_drop(shelf, key, lock);
    free(shelf);
    return rc;
}

/* Where no lock is nobody is at work either. */
static int remove_locked(const char *path, const char *lock, bool dry, struct assay_err *err)
{
    int fd = open(lock, O_RDONLY | O_CLOEXEC), rc = ASSAY_OK;

    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK)
        rc = assay_fail(err, ASSAY_EAGAIN, "%s: is in use", path);
    else if (!dry)
        rc = file_remove_tree(path, err);
    if (fd >= 0)
        close(fd);
    return rc;
}

int kept_remove(const json_t *row, bool dry, struct assay_err *err)
{
    const struct kind *k = kind_of(row);
    const char *path = tree_text(row, "path", "");
    int folder = (int)(file_base(path) - path), rc;
    char *lock;

    if (!k)
        return assay_fail(err, ASSAY_EFAIL, "%s: is nothing that could be removed", path);
    if (k->lock == LOCK_ON_ITSELF)
        return work_remove(path, dry, err);
    if (k->lock == LOCK_ON_KEY)
        return remove_parts(path, dry, err);
    lock = k->lock == LOCK_ON_FOLDER
               ? text_format("%.*s.lock", folder, path)
               : text_format("%.*s.lock", (int)(strlen(path) - strlen(k->suffix)), path);
    rc = lock ? remove_locked(path, lock, dry, err)
              : assay_fail(err, ASSAY_EFAIL, "%s: not enough memory", path);
    free(lock);
    return rc;
}

int kept_pin(const json_t *row, bool pinned, struct assay_err *err)
{
    char *path = pin_of(tree_text(row, "path", ""));
    int rc = path ? ASSAY_OK : assay_fail(err, ASSAY_EFAIL, "not enough memory");

    if (!rc)
        rc = pinned ? file_write_whole(path, "", 0, err) : file_remove_tree(path, err);
    free(path);
    return rc;
}
