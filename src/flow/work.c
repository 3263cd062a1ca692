/* Working folders; see work.h. */
#include "flow/work.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "base/tree.h"

/* Locked for this process and the programs that it starts, which may outlive it.  Where a file
 * system has no such lock the folder is only not protected. */
static int begin_one(const char *all, const char *name, struct work *w, struct assay_err *err)
{
    w->dir = text_format("%s/%s-XXXXXX", all, name);
    if (!w->dir || !mkdtemp(w->dir)) {
        free(w->dir);
        *w = (struct work){NULL, -1};
        return assay_fail(err, ASSAY_EFAIL, "%s: no folder can be made in it", all);
    }
    w->lock = open(w->dir, O_RDONLY | O_DIRECTORY);
    if (w->lock >= 0)
        flock(w->lock, LOCK_EX);
    return ASSAY_OK;
}

int work_begin(const char *cache, const char *name, struct work *w, struct assay_err *err)
{
    char *all = file_join(cache, "work");
    int rc = all ? file_make_dirs(all, err) : assay_fail(err, ASSAY_EFAIL, "not enough memory");

    *w = (struct work){NULL, -1};
    if (!rc)
        rc = begin_one(all, name, w, err);
    while (!rc && !file_is_dir(w->dir)) { /* a prune took it before it was locked */
        work_end(w, true);
        rc = begin_one(all, name, w, err);
    }
    free(all);
    return rc;
}

void work_end(struct work *w, bool keep)
{
    if (!w->dir)
        return;
    if (!keep)
        file_remove_tree(w->dir, NULL);
    if (w->lock >= 0)
        close(w->lock);
    free(w->dir);
    *w = (struct work){NULL, -1};
}

/* ---- logs ---- */

/* *fd: -1 when a prune took the file before it was locked. */
static int open_locked(const char *path, int *fd, struct assay_err *err)
{
    struct stat st;

    *fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (*fd < 0)
        return assay_fail(err, ASSAY_EFAIL, "%s: cannot be written: %s", path, strerror(errno));
    flock(*fd, LOCK_SH);
    if (!fstat(*fd, &st) && !st.st_nlink) {
        close(*fd);
        *fd = -1;
    }
    return ASSAY_OK;
}

int work_log_open(const char *cache, const char *name, char **path, int *fd, struct assay_err *err)
{
    char *all = file_join(cache, "logs");
    int rc = all ? file_make_dirs(all, err) : assay_fail(err, ASSAY_EFAIL, "not enough memory");

    *fd = -1;
    *path = all ? text_format("%s/%s.log", all, name) : NULL;
    if (!rc && !*path)
        rc = assay_fail(err, ASSAY_EFAIL, "not enough memory");
    while (!rc && *fd < 0)
        rc = open_locked(*path, fd, err);
    free(all);
    return rc;
}

/* ---- what is there ---- */

/* The lock (LOCK_EX to remove it, LOCK_SH to look) of what nobody uses; -1: somebody does.  A file
 * system that has no such lock holds none. */
static int take(const char *path, int lock)
{
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);

    if (fd >= 0 && flock(fd, lock | LOCK_NB) && errno == EWOULDBLOCK) {
        close(fd);
        return -1;
    }
    return fd;
}

struct sum {
    int64_t bytes, files;
    time_t used;
};

/* What cannot be read counts for nothing. */
static void measure(char *path, struct sum *sum)
{
    FTS *all = fts_open((char *[]){path, NULL}, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    FTSENT *e;

    while (all && (e = fts_read(all))) {
        if (e->fts_info == FTS_NS || e->fts_info == FTS_ERR)
            continue;
        if (e->fts_statp->st_mtime > sum->used)
            sum->used = e->fts_statp->st_mtime;
        if (e->fts_info == FTS_F) {
            sum->bytes += e->fts_statp->st_size;
            sum->files++;
        }
    }
    if (all)
        fts_close(all);
}

json_t *work_row(char *path, const char *member)
{
    struct sum sum = {0};
    char when[32] = "";
    struct tm tm;

    measure(path, &sum);
    if (gmtime_r(&sum.used, &tm))
        strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
    return json_pack("{s:s, s:s, s:I, s:I, s:s, s:I}", "name", file_base(path), member, path,
                     "bytes", (json_int_t)sum.bytes, "files", (json_int_t)sum.files, "used", when,
                     "used_s", (json_int_t)sum.used);
}

void work_insert(json_t *rows, json_t *row)
{
    size_t at;

    for (at = 0; at < json_array_size(rows); at++)
        if (tree_int(json_array_get(rows, at), "used_s", 0) < tree_int(row, "used_s", 0))
            break;
    json_array_insert_new(rows, at, row);
}

static json_t *rows_of(const char *cache, const char *below, const char *member)
{
    char *all = file_join(cache, below), *path;
    DIR *d = all ? opendir(all) : NULL;
    json_t *rows = json_array(), *row;
    struct dirent *e;
    int lock;

    while (d && (e = readdir(d))) {
        path = e->d_name[0] != '.' ? file_join(all, e->d_name) : NULL;
        if (path && (lock = take(path, LOCK_SH)) >= 0) {
            if ((row = work_row(path, member)))
                work_insert(rows, row);
            close(lock);
        }
        free(path);
    }
    if (d)
        closedir(d);
    free(all);
    return rows;
}

json_t *work_left(const char *cache)
{
    return rows_of(cache, "work", "folder");
}

json_t *work_logs(const char *cache)
{
    return rows_of(cache, "logs", "file");
}

void work_tell(const char *cache, json_t *tree)
{
    json_object_set_new(tree, "work", work_left(cache));
    json_object_set_new(tree, "logs", work_logs(cache));
}

int work_remove(const char *path, bool dry, struct assay_err *err)
{
    int lock = take(path, LOCK_EX), rc;

    if (lock < 0)
        return assay_fail(err, ASSAY_EAGAIN, "%s: is in use", path);
    rc = dry ? ASSAY_OK : file_remove_tree(path, err);
    close(lock);
    return rc;
}
