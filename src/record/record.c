/* A run's folder, from draft to record.
 *
 * <store>/tmp/<id>.lock is made first and held with flock for as long as the writing process lives,
 * then <store>/tmp/<id>/ is made.  So in tmp/ a lock that nobody holds belongs to a dead writer,
 * and its folder is removed by the next record_begin; a folder without a lock is one whose commit
 * failed, and it is left alone: what was measured is never thrown away by us.  The rename into
 * runs/ is the only step that makes a record visible, and record.json is whole and synced before
 * it. */
#include "record/record.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/text.h"
#include "base/tree.h"
#include "record/store.h"

#define MAX_DEPTH 8

static void lock_path(const char *store, const char *id, char out[1100])
{
    snprintf(out, 1100, "%s/tmp/%s.lock", store, id);
}

/* Opens and locks without waiting; -1: somebody holds it, or it went away meanwhile. */
static int lock_take(const char *path, int flags)
{
    int fd = open(path, O_RDWR | O_CLOEXEC | flags, 0666);
    struct stat mine, there;

    if (fd < 0)
        return -1;
    if (flock(fd, LOCK_EX | LOCK_NB) < 0 || fstat(fd, &mine) < 0 || stat(path, &there) < 0 ||
        mine.st_ino != there.st_ino) {
        close(fd);
        return -1;
    }
    return fd;
}

/* The folder goes first and its lock last, so that a sweep that is killed can be done again. */
static void sweep_dead_drafts(const char *store)
{
    char tmp[1100], path[1100], dir[1200], id[17];
    struct dirent *e;
    DIR *d;
    int fd;

    snprintf(tmp, sizeof(tmp), "%s/tmp", store);
    d = opendir(tmp);
    while (d && (e = readdir(d))) {
        snprintf(id, sizeof(id), "%.16s", e->d_name);
        if (!store_is_id(id) || strcmp(e->d_name + 16, ".lock"))
            continue;
        lock_path(store, id, path);
        fd = lock_take(path, 0);
        if (fd < 0)
            continue;
        snprintf(dir, sizeof(dir), "%s/%s", tmp, id);
        if (!file_remove_tree(dir, NULL))
            unlink(path);
        close(fd);
    }
    if (d)
        closedir(d);
}

/* 16 hex digits of SHA-256 over time, process and random bytes. */
static void make_id(char id[17])
{
    struct {
        struct timespec now;
        long pid;
        unsigned char random[16];
    } seed;
    char hex[HASH_HEX];

    memset(&seed, 0, sizeof(seed));
    clock_gettime(CLOCK_REALTIME, &seed.now);
    seed.pid = (long)getpid();
    if (getrandom(seed.random, sizeof(seed.random), 0) < 0)
        seed.random[0] =
            1; /* time and process still tell runs apart; uniqueness is checked anyway */
    hash_bytes(&seed, sizeof(seed), hex);
    memcpy(id, hex, 16);
    id[16] = 0;
}

static int unwritable(const char *where, int why, struct assay_err *err)
{
    return assay_fail(
        err, ASSAY_EFAIL,
        "%s: a record cannot be written there: %s; %s, or choose another folder with --store",
        where, strerror(why),
        why == ENOSPC || why == EDQUOT || why == EFBIG ? "free some space" : "make it writable");
}

static int make_draft(struct record_draft *d, struct assay_err *err)
{
    char path[1100], done[1100], pid[24];
    int tries, n, why;

    for (tries = 0; tries < 100 && d->lock < 0; tries++) {
        make_id(d->id);
        lock_path(d->store, d->id, path);
        snprintf(done, sizeof(done), "%s/runs/%s", d->store, d->id);
        if (file_exists(done))
            continue;
        d->lock = lock_take(path, O_CREAT | O_EXCL);
        if (d->lock < 0 && errno != EEXIST && errno != EWOULDBLOCK && errno != ENOENT)
            return unwritable(d->store, errno, err);
    }
    if (d->lock < 0)
        return unwritable(d->store, errno, err);
    /* Written so that a full disk shows now and not after the measurement. */
    n = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
    snprintf(d->dir, sizeof(d->dir), "%s/tmp/%s", d->store, d->id);
    errno = ENOSPC;
    if (write(d->lock, pid, (size_t)n) != n || mkdir(d->dir, 0777) < 0) {
        why = errno;
        record_abandon(d);
        return unwritable(d->store, why, err);
    }
    return ASSAY_OK;
}

int record_begin(const char *store, struct record_draft *d, struct assay_err *err)
{
    static const char *const parts[] = {"runs", "tmp"};
    struct store index;
    char path[1100];
    char *full = NULL;
    size_t i;
    int rc;

    memset(d, 0, sizeof(*d));
    d->lock = -1;
    rc = file_make_dirs(store, err);
    full = rc ? NULL : file_absolute(store);
    if (!rc && (!full || snprintf(d->store, sizeof(d->store), "%s", full) >= 1000))
        rc = assay_fail(err, ASSAY_EFAIL, "%s: the store's path is too long", store);
    for (i = 0; !rc && i < sizeof(parts) / sizeof(parts[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", d->store, parts[i]);
        if (mkdir(path, 0777) < 0 && errno != EEXIST)
            rc = unwritable(d->store, errno, err);
    }
    if (!rc) {
        sweep_dead_drafts(d->store);
        rc = make_draft(d, err);
    }
    /* An index that cannot be used must stop a run before it measures, not after. */
    if (!rc) {
        rc = store_open(&index, d->store, STORE_WRITE, err);
        if (rc)
            record_abandon(d);
        else
            store_close(&index);
    }
    free(full);
    return rc;
}

static int sync_path(const char *path, struct assay_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC), rc = ASSAY_OK;

    if (fd < 0 || fsync(fd) < 0)
        rc =
            assay_fail(err, ASSAY_EFAIL, "%s: cannot be synced to disk: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    return rc;
}

static int add_file(json_t *files, const char *path, const char *name, int64_t bytes,
                    struct assay_err *err)
{
    char hex[HASH_HEX];
    int rc = hash_file(path, hex, err);

    if (!rc)
        rc = sync_path(path, err);
    if (!rc && json_object_set_new(
                   files, name, json_pack("{s:I, s:s}", "bytes", (json_int_t)bytes, "sha256", hex)))
        rc = assay_fail(err, ASSAY_EFAIL, "%s: its name is not UTF-8; rename it", path);
    return rc;
}

/* Hashes and syncs the regular files below dir; `prefix` is "" or "sub/". */
static int add_files(json_t *files, const char *dir, const char *prefix, int depth,
                     struct assay_err *err)
{
    struct dirent *e;
    struct stat st;
    int rc = ASSAY_OK;
    DIR *d = opendir(dir);

    if (!d)
        return assay_fail(err, ASSAY_EFAIL, "%s: cannot be read: %s", dir, strerror(errno));
    while (!rc && (e = readdir(d))) {
        char *path, *name;

        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..") ||
            (!*prefix && !strcmp(e->d_name, "record.json")))
            continue;
        path = file_join(dir, e->d_name);
        name = text_format("%s%s", prefix, e->d_name);
        if (!path || !name || lstat(path, &st) < 0) {
            rc = assay_fail(err, ASSAY_EFAIL, "%s/%s: cannot be read: %s", dir, e->d_name,
                            strerror(errno));
        } else if (S_ISREG(st.st_mode)) {
            rc = add_file(files, path, name, st.st_size, err);
        } else if (S_ISDIR(st.st_mode) && depth < MAX_DEPTH) {
            char *below = text_format("%s/", name);

            rc = add_files(files, path, below ? below : "/", depth + 1, err);
            free(below);
        }
        free(path);
        free(name);
    }
    closedir(d);
    return rc ? rc : sync_path(dir, err);
}

static int complete_tree(const struct record_draft *d, json_t *tree, struct assay_err *err)
{
    json_t *files = json_object();
    struct timespec now;
    char created[32], committed[64];
    struct tm tm;
    int rc;

    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    strftime(created, sizeof(created), "%Y-%m-%dT%H:%M:%SZ", &tm);
    snprintf(committed, sizeof(committed), "%.19s.%09ldZ", created, now.tv_nsec);
    rc = add_files(files, d->dir, "", 0, err);
    if (!rc) {
        json_object_del(tree, "folder");
        json_object_set_new(tree, "schema", json_string(RECORD_SCHEMA));
        json_object_set_new(tree, "id", json_string(d->id));
        if (!json_object_get(tree, "created"))
            json_object_set_new(tree, "created", json_string(created));
        json_object_set_new(tree, "committed", json_string(committed));
        json_object_set(tree, "files", files);
    }
    json_decref(files);
    return rc;
}

static void release_lock(struct record_draft *d)
{
    char path[1100];

    if (d->lock < 0)
        return;
    lock_path(d->store, d->id, path);
    unlink(path);
    close(d->lock);
    d->lock = -1;
}

static void enter_row(const struct record_draft *d, const json_t *tree)
{
    struct assay_err err;
    struct store index;
    int rc = store_open(&index, d->store, STORE_WRITE, &err);

    if (!rc) {
        rc = store_add(&index, tree, &err);
        store_close(&index);
    }
    if (rc)
        store_warn("record %s is complete, but not yet in the list: %s", d->id, err.text);
}

int record_keep(struct record_draft *d, const struct assay_err *why, struct assay_err *err)
{
    release_lock(d);
    return assay_fail(err, why->code, "%.250s; the run's files are kept in %s", why->text, d->dir);
}

int record_commit(struct record_draft *d, json_t *tree, struct assay_err *err)
{
    char path[1200], place[1200], runs[1100];
    struct assay_err why = {0};
    int rc;

    snprintf(path, sizeof(path), "%s/record.json", d->dir);
    snprintf(runs, sizeof(runs), "%s/runs", d->store);
    snprintf(place, sizeof(place), "%s/%s", runs, d->id);
    rc = complete_tree(d, tree, &why);
    if (!rc)
        rc = tree_write_json(path, tree, &why);
    if (!rc)
        rc = sync_path(d->dir, &why);
    if (!rc && rename(d->dir, place) < 0)
        rc =
            assay_fail(&why, ASSAY_EFAIL, "%s: cannot be put in place: %s", place, strerror(errno));
    if (rc) {
        unlink(path);
        return record_keep(d, &why, err);
    }
    release_lock(d);
    if (sync_path(runs, &why))
        store_warn("%s", why.text);
    d->dir[0] = 0;
    enter_row(d, tree);
    json_object_set_new(tree, "folder", json_string(place));
    return ASSAY_OK;
}

void record_abandon(struct record_draft *d)
{
    if (d->dir[0])
        file_remove_tree(d->dir, NULL);
    d->dir[0] = 0;
    release_lock(d);
}

/* Opens the index in line with the folders; *gone as in store_sync. */
static int open_synced(const char *store, struct store *s, json_t **gone, struct assay_err *err)
{
    char *full = file_absolute(store);
    int rc;

    if (!full || strlen(full) >= 1000)
        rc = assay_fail(err, ASSAY_EFAIL, "%s: the store's path is too long", store);
    else if (!file_is_dir(full))
        rc = assay_fail(err, ASSAY_EFAIL, "%s: no records yet; `assay run` makes the first", store);
    else
        rc = store_open(s, full, STORE_READ, err);
    free(full);
    if (rc)
        return rc;
    rc = store_sync(s, gone, err);
    if (rc)
        store_close(s);
    return rc;
}

int record_list(const char *store, json_t **rows, struct assay_err *err)
{
    json_t *gone = NULL;
    struct store s;
    int rc;

    if (!file_exists(store)) {
        *rows = json_array();
        return ASSAY_OK;
    }
    rc = open_synced(store, &s, &gone, err);
    if (rc)
        return rc;
    if (json_array_size(gone))
        store_warn("%zu record folder%s gone from %s/runs (%s%s): dropped from the list",
                   json_array_size(gone), json_array_size(gone) > 1 ? "s are" : " is", s.dir,
                   json_string_value(json_array_get(gone, 0)),
                   json_array_size(gone) > 1 ? ", …" : "");
    rc = store_list(&s, rows, err);
    json_decref(gone);
    store_close(&s);
    return rc;
}

int record_reindex(const char *store, uint64_t *count, struct assay_err *err)
{
    char *full = file_absolute(store);
    uint64_t found = 0;
    int rc;

    if (!full || strlen(full) >= 1000)
        rc = assay_fail(err, ASSAY_EFAIL, "%s: the store's path is too long", store);
    else
        rc = store_rebuild(full, &found, err);
    free(full);
    if (!rc && count)
        *count = found;
    return rc;
}

static void describe(struct text *t, const json_t *row)
{
    text_addf(t, "%s%s (%.16s, %s %s)", t->len ? ", " : "", tree_text(row, "id", ""),
              tree_text(row, "created", "?"), tree_text(row, "benchmark", "?"),
              tree_text(row, "scenario", "?"));
}

/* Digits in which an id's beginning differs from what was typed. */
static size_t distance(const char *id, const char *typed)
{
    size_t i, d = 0;

    for (i = 0; typed[i]; i++)
        d += i >= 16 || id[i] != typed[i];
    return d;
}

/* The three nearest, best first; those that differ in more than half of the digits were not meant.
 */
static void nearest(struct text *t, const json_t *rows, const char *typed)
{
    size_t far, i, n = 0;

    for (far = 1; far <= strlen(typed) / 2 && n < 3; far++)
        for (i = 0; i < json_array_size(rows) && n < 3; i++) {
            const json_t *row = json_array_get(rows, i);

            if (distance(tree_text(row, "id", ""), typed) == far) {
                describe(t, row);
                n++;
            }
        }
}

static bool is_tag(const json_t *rows, const char *name)
{
    const json_t *row;
    size_t i;

    json_array_foreach(rows, i, row)
    {
        if (!strcmp(tree_text(row, "tag", ""), name))
            return true;
    }
    return false;
}

static int choose(const char *store, const json_t *rows, const json_t *gone, const char *id,
                  const char **found, struct assay_err *err)
{
    size_t i, hits = 0, n = strlen(id);
    bool last = !strcmp(id, "last"); /* of this machine's own */
    struct text t;
    int rc = ASSAY_OK;

    text_init(&t, 280);
    for (i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);

        if (last ? hits || tree_text(row, "origin", NULL)
                 : strncmp(tree_text(row, "id", ""), id, n) != 0)
            continue;
        *found = tree_text(row, "id", "");
        if (hits++ < 3)
            describe(&t, row);
    }
    if (hits == 1)
        goto out;
    if (hits > 1) {
        rc = assay_fail(err, ASSAY_EUSAGE, "record '%s' is ambiguous (%zu): %s%s; give more digits",
                        id, hits, t.s ? t.s : "", hits > 3 ? ", …" : "");
        goto out;
    }
    for (i = 0; i < json_array_size(gone); i++)
        if (!strncmp(json_string_value(json_array_get(gone, i)), id, n)) {
            rc = assay_fail(
                err, ASSAY_EFAIL,
                "record %s: its folder was removed from %s/runs; the list no longer has it",
                json_string_value(json_array_get(gone, i)), store);
            goto out;
        }
    nearest(&t, rows, id);
    if (is_tag(rows, id))
        rc = assay_fail(err, ASSAY_EUSAGE,
                        "no record '%.40s' in %s, that is a tag: `assay results list --tag %.40s` "
                        "lists the ids of its runs",
                        id, store, id);
    else if (!json_array_size(rows))
        rc =
            assay_fail(err, ASSAY_EUSAGE, "%s: no records yet; `assay run` makes the first", store);
    else if (last)
        rc = assay_fail(err, ASSAY_EUSAGE,
                        "%s: no run of this machine yet, and 'last' is none of those that were "
                        "imported: `assay results list` shows their ids",
                        store);
    else
        rc = assay_fail(err, ASSAY_EUSAGE, "no record '%.40s' in %s; %s%s", id, store,
                        t.len ? "nearest: " : "`assay results list` shows all", t.len ? t.s : "");
out:
    text_release(&t);
    return rc;
}

int record_find(const char *store, const char *id, char **dir, json_t **tree, struct assay_err *err)
{
    json_t *rows = NULL, *gone = NULL, *record = NULL;
    char *folder = NULL, *path = NULL;
    const char *found = NULL;
    struct store s;
    int rc;

    if (!*id)
        return assay_fail(err, ASSAY_EUSAGE, "which record? give an id, its beginning, or 'last'");
    rc = open_synced(store, &s, &gone, err);
    if (rc)
        return rc;
    rc = store_list(&s, &rows, err);
    if (!rc)
        rc = choose(s.dir, rows, gone, id, &found, err);
    if (rc)
        goto out;
    folder = text_format("%s/runs/%s", s.dir, found);
    path = folder ? file_join(folder, "record.json") : NULL;
    rc = path ? tree_read_json(path, &record, err)
              : assay_fail(err, ASSAY_EFAIL, "record %s: not enough memory to read it", found);
    if (rc)
        goto out;
    json_object_set_new(record, "folder", json_string(folder));
    if (tree)
        *tree = json_incref(record);
    if (dir) {
        *dir = folder;
        folder = NULL;
    }
out:
    store_close(&s);
    json_decref(record);
    json_decref(rows);
    json_decref(gone);
    free(folder);
    free(path);
    return rc;
}
