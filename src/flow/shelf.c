/* Opening, finding, making: see shelf.h for the layout and for what always holds. */
#include "flow/shelf.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/tree.h"
#include "flow/entry.h"
#include "flow/shelf_inside.h"

#define DEAD           "dead-"
#define PARTS_S        (7 * 24 * 3600) /* so long are unfinished downloads kept */
#define TOUCH_AGE_S    60              /* the time of last use is no finer than this */
#define LONGEST_NAP_NS 50000000

void shelf_entry_dir(const struct shelf *s, const char *key, char out[SHELF_PATH])
{
    snprintf(out, SHELF_PATH, "%s/%.2s/%s", s->dir, key, key);
}

int shelf_check_key(const char *key, struct assay_err *err)
{
    if (entry_is_key(key))
        return ASSAY_OK;
    return assay_fail(err, ASSAY_EUSAGE, "'%.80s': no key of the shelf (64 hex digits)", key);
}

/* ---- opening ---- */

int shelf_discard(const struct shelf *s, const char *path, struct assay_err *err)
{
    char dead[SHELF_PATH], place[SHELF_PATH + 8];
    int why;

    do { /* another process that opens the shelf may remove the new folder before it is used */
        snprintf(dead, sizeof(dead), "%s/tmp/" DEAD "XXXXXX", s->dir);
        if (!mkdtemp(dead))
            return assay_fail(err, ASSAY_EFAIL, "%s: cannot be made: %s", dead, strerror(errno));
        snprintf(place, sizeof(place), "%s/it", dead);
        why = rename(path, place) < 0 ? errno : 0;
    } while (why == ENOENT && file_exists(path));
    if (why && why != ENOENT) {
        assay_fail(err, ASSAY_EFAIL, "%s: cannot be removed: %s", path, strerror(why));
        rmdir(dead);
        return ASSAY_EFAIL;
    }
    return file_remove_tree(dead, err);
}

/* When the key's lock is free, whoever made this is dead.  Dropping the lock removes its file. */
static void clean_locked(const struct shelf *s, const char *key, const char *path)
{
    int lock;

    if (shelf_lock_take(s->dir, key, SHELF_LOCK_ALONE, false, NULL, &lock, NULL))
        return;
    if (path)
        file_remove_tree(path, NULL);
    shelf_lock_drop(s->dir, key, lock);
}

static bool older_than(const char *path, double seconds)
{
    struct stat st;

    return lstat(path, &st) == 0 && difftime(time(NULL), st.st_mtime) > seconds;
}

/* When something of a download was last written: the folders' own times are older. */
static bool is_old_download(const char *path, int depth)
{
    char below[SHELF_PATH + 600];
    bool old = older_than(path, PARTS_S);
    DIR *d = old && depth ? opendir(path) : NULL;
    struct dirent *e;

    while (d && old && (e = readdir(d))) {
        snprintf(below, sizeof(below), "%s/%s", path, e->d_name);
        if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
            old = is_old_download(below, depth - 1);
    }
    if (d)
        closedir(d);
    return old;
}

/* Who put it in place was killed before its downloads went. */
static bool is_made(const struct shelf *s, const char *key)
{
    char dir[SHELF_PATH];

    shelf_entry_dir(s, key, dir);
    return file_is_dir(dir);
}

static void clean_one(const struct shelf *s, const char *folder, const char *name)
{
    bool parts = !strcmp(folder, "parts");
    char path[SHELF_PATH + 300], key[65];

    snprintf(path, sizeof(path), "%s/%s/%s", s->dir, folder, name);
    snprintf(key, sizeof(key), "%.64s", name);
    if (!parts && !strncmp(name, DEAD, strlen(DEAD)))
        file_remove_tree(path, NULL);
    else if (entry_is_key(key) && !strcmp(folder, "locks"))
        clean_locked(s, key, NULL);
    else if (entry_is_key(key) && (!parts || is_made(s, key) || is_old_download(path, 2)))
        clean_locked(s, key, path);
}

static void clean(const struct shelf *s, const char *folder)
{
    char path[SHELF_PATH];
    struct dirent *e;
    DIR *d;

    snprintf(path, sizeof(path), "%s/%s", s->dir, folder);
    d = opendir(path);
    while (d && (e = readdir(d)))
        if (e->d_name[0] != '.')
            clean_one(s, folder, e->d_name);
    if (d)
        closedir(d);
}

int shelf_look(const char *dir, struct shelf *s, struct assay_err *err)
{
    char *full = file_absolute(dir);
    int n = full ? snprintf(s->dir, sizeof(s->dir), "%s", full) : -1;

    free(full);
    if (n < 0 || n >= (int)sizeof(s->dir))
        return assay_fail(err, ASSAY_EFAIL, "%s: the path is too long", dir);
    return ASSAY_OK;
}

int shelf_open(const char *dir, struct shelf *s, struct assay_err *err)
{
    static const char *const below[] = {"tmp", "locks", "parts"};
    char path[SHELF_PATH];
    int rc = shelf_look(dir, s, err);

    for (size_t i = 0; i < sizeof(below) / sizeof(below[0]) && !rc; i++) {
        snprintf(path, sizeof(path), "%s/%s", s->dir, below[i]);
        if (!file_is_dir(path))
            rc = file_make_dirs(path, err);
    }
    if (rc)
        return rc;
    clean(s, "tmp");
    clean(s, "parts");
    clean(s, "locks");
    return ASSAY_OK;
}

/* ---- finding ---- */

static void warn_damaged(const char *key, const char *why)
{
    fprintf(stderr, "assay: warning: the shelf's entry %.12s is damaged: %s\n", key, why);
}

/* Sizes, times or inodes are not those of the stamp: a copied shelf, or a changed file. */
static bool look_closer(const char *dir, const char *key)
{
    struct assay_err err;
    json_t *tree = NULL;
    bool good = !entry_read(dir, key, &tree, &err) && !entry_compare(dir, tree, NULL, &err);

    json_decref(tree);
    if (good)
        entry_restamp(dir, NULL); /* a shelf that cannot be written is looked at again each time */
    else if (file_is_dir(dir))    /* else it was removed meanwhile */
        warn_damaged(key, err.text);
    return good;
}

void shelf_use(const struct shelf *s, const char *key)
{
    char path[SHELF_PATH + 8], dir[SHELF_PATH];

    shelf_entry_dir(s, key, dir);
    snprintf(path, sizeof(path), "%s/stamp", dir);
    if (older_than(path, TOUCH_AGE_S))
        utimensat(AT_FDCWD, path, NULL, 0);
}

int shelf_find(const struct shelf *s, const char *key, char **files, json_t **meta,
               struct assay_err *err)
{
    char dir[SHELF_PATH];
    struct assay_err why;
    json_t *tree = NULL;
    int rc = shelf_check_key(key, err);

    *files = NULL;
    if (rc)
        return rc;
    shelf_entry_dir(s, key, dir);
    if (!file_is_dir(dir) || (!entry_is_fresh(dir) && !look_closer(dir, key)))
        return ASSAY_OK;
    if (meta && entry_read(dir, key, &tree, &why)) {
        warn_damaged(key, why.text);
        return ASSAY_OK;
    }
    if (!(*files = file_join(dir, "files"))) {
        json_decref(tree);
        return assay_fail(err, ASSAY_EFAIL, "not enough memory");
    }
    if (meta)
        *meta = tree;
    return ASSAY_OK;
}

int shelf_hold(const struct shelf *s, const char *key, int *hold, struct assay_err *err)
{
    int rc = shelf_check_key(key, err);

    *hold = -1;
    return rc ? rc : shelf_lock_take(s->dir, key, SHELF_LOCK_SHARED, true, NULL, hold, err);
}

void shelf_let_go(const struct shelf *s, const char *key, int hold)
{
    shelf_lock_drop(s->dir, key, hold);
}

/* ---- making ---- */

static void let_go(struct shelf_entry *e)
{
    shelf_lock_drop(e->shelf.dir, e->key, e->lock);
    e->lock = -1;
}

/* Somebody may have made it while we waited for the lock. */
static int find_again(const struct shelf *s, struct shelf_entry *e, struct assay_err *err)
{
    char *files;
    int rc = shelf_find(s, e->key, &files, NULL, err);

    if (rc || !files)
        return rc;
    e->found = true;
    snprintf(e->dir, sizeof(e->dir), "%s", files);
    free(files);
    shelf_use(s, e->key);
    let_go(e);
    return ASSAY_OK;
}

static ino_t inode_of(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 ? st.st_ino : 0;
}

/* The lock, or what another has made: he goes on holding it, shared, for as long as he uses it, and
 * may himself wait for what we hold.  Each folder is looked at once: it may be large, and damaged.
 */
static int lock_or_find(const struct shelf *s, struct shelf_entry *e, const volatile int *stop,
                        struct assay_err *err)
{
    struct timespec nap = {0, 1000000};
    char dir[SHELF_PATH];
    struct assay_err busy;
    ino_t seen = 0, now;
    int rc;

    shelf_entry_dir(s, e->key, dir);
    while ((rc = shelf_lock_take(s->dir, e->key, SHELF_LOCK_ALONE, false, NULL, &e->lock, &busy)) ==
           ASSAY_EAGAIN) {
        now = inode_of(dir);
        if (now && now != seen && ((rc = find_again(s, e, err)) || e->found))
            return rc;
        seen = now;
        if (stop && *stop)
            return assay_fail(err, ASSAY_ESTOP, "interrupted");
        nanosleep(&nap, NULL);
        if (nap.tv_nsec < LONGEST_NAP_NS)
            nap.tv_nsec *= 2;
    }
    return rc ? assay_fail(err, rc, "%s", busy.text) : find_again(s, e, err);
}

static int make_folders(const struct shelf *s, struct shelf_entry *e, struct assay_err *err)
{
    snprintf(e->temp, sizeof(e->temp), "%s/tmp/%s-XXXXXX", s->dir, e->key);
    snprintf(e->parts, sizeof(e->parts), "%s/parts/%s", s->dir, e->key);
    if (!mkdtemp(e->temp)) {
        e->temp[0] = 0;
        return assay_fail(err, ASSAY_EFAIL, "%s/tmp: nothing can be made there: %s", s->dir,
                          strerror(errno));
    }
    chmod(e->temp, 0755);
    if (snprintf(e->dir, sizeof(e->dir), "%s/files", e->temp) >= (int)sizeof(e->dir))
        return assay_fail(err, ASSAY_EFAIL, "%s: the path is too long", s->dir);
    if (mkdir(e->dir, 0755) < 0 || (mkdir(e->parts, 0777) < 0 && errno != EEXIST))
        return assay_fail(err, ASSAY_EFAIL, "%s: cannot be made: %s", e->dir, strerror(errno));
    return ASSAY_OK;
}

int shelf_begin(const struct shelf *s, const char *key, const volatile int *stop,
                struct shelf_entry *e, struct assay_err *err)
{
    int rc = shelf_check_key(key, err);

    *e = (struct shelf_entry){.shelf = *s, .stop = stop, .lock = -1};
    if (rc)
        return rc;
    snprintf(e->key, sizeof(e->key), "%s", key);
    rc = lock_or_find(s, e, stop, err);
    if (!rc && !e->found)
        rc = make_folders(s, e, err);
    if (rc)
        shelf_abandon(e);
    return rc;
}

void shelf_abandon(struct shelf_entry *e)
{
    if (e->lock < 0)
        return;
    if (e->temp[0])
        file_remove_tree(e->temp, NULL);
    if (e->parts[0])
        rmdir(e->parts); /* only an empty one */
    let_go(e);
}

static void sync_folder(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
}

/* What is made anew stays pinned. */
static void keep_pin(const char *temp, const char *dir)
{
    char pinned[SHELF_PATH + 8], path[SHELF_PATH + 8];
    int fd;

    snprintf(pinned, sizeof(pinned), "%s/pinned", dir);
    snprintf(path, sizeof(path), "%s/pinned", temp);
    fd = file_exists(pinned) ? open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644) : -1;
    if (fd >= 0)
        close(fd);
}

/* Renames what was made into its place; a damaged entry that is there goes first. */
static int put_in_place(const struct shelf *s, const struct shelf_entry *e, struct assay_err *err)
{
    char dir[SHELF_PATH], above[SHELF_PATH];

    shelf_entry_dir(s, e->key, dir);
    snprintf(above, sizeof(above), "%s/%.2s", s->dir, e->key);
    if (mkdir(above, 0777) < 0 && errno != EEXIST)
        return assay_fail(err, ASSAY_EFAIL, "%s: cannot be made: %s", above, strerror(errno));
    keep_pin(e->temp, dir);
    if (file_is_dir(dir) && shelf_discard(s, dir, err))
        return ASSAY_EFAIL;
    if (rename(e->temp, dir) < 0)
        return assay_fail(err, ASSAY_EFAIL, "%s: cannot be put in place: %s", dir, strerror(errno));
    sync_folder(above);
    sync_folder(s->dir);
    return ASSAY_OK;
}

int shelf_commit(struct shelf *s, struct shelf_entry *e, const json_t *meta, struct assay_err *err)
{
    int rc;

    if (e->lock < 0)
        return e->found ? ASSAY_OK : assay_fail(err, ASSAY_EFAIL, "%.12s: was not begun", e->key);
    rc = entry_make(e->temp, e->key, meta, e->stop, err);
    if (!rc)
        rc = put_in_place(s, e, err);
    if (!rc)
        file_remove_tree(e->parts, NULL);
    shelf_abandon(e); /* what is in place is no longer under its old name */
    return rc;
}
