/* Working folders; see work.h. */
#include "flow/work.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "base/tree.h"

#define DEPTH 16 /* of folders that are looked into */

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

/* The lock (LOCK_EX to remove it, LOCK_SH to look) of one that nobody works in; -1: somebody does.
 * A file system that has no such lock holds none. */
static int take(const char *dir, int lock)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

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

static void measure(const char *path, int depth, struct sum *sum)
{
    struct dirent *e;
    struct stat st;
    char *below;
    DIR *d;

    if (lstat(path, &st))
        return;
    if (st.st_mtime > sum->used)
        sum->used = st.st_mtime;
    if (S_ISREG(st.st_mode)) {
        sum->bytes += st.st_size;
        sum->files++;
    }
    d = S_ISDIR(st.st_mode) && depth ? opendir(path) : NULL;
    while (d && (e = readdir(d))) {
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
            continue;
        if ((below = file_join(path, e->d_name)))
            measure(below, depth - 1, sum);
        free(below);
    }
    if (d)
        closedir(d);
}

static json_t *row_of(const char *dir)
{
    struct sum sum = {0};
    char when[32] = "";
    struct tm tm;

    measure(dir, DEPTH, &sum);
    if (gmtime_r(&sum.used, &tm))
        strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
    return json_pack("{s:s, s:s, s:I, s:I, s:s, s:I}", "name", file_base(dir), "folder", dir,
                     "bytes", (json_int_t)sum.bytes, "files", (json_int_t)sum.files, "used", when,
                     "used_s", (json_int_t)sum.used);
}

/* Before the first that was used longer ago. */
static void insert(json_t *rows, json_t *row)
{
    size_t at;

    for (at = 0; at < json_array_size(rows); at++)
        if (tree_int(json_array_get(rows, at), "used_s", 0) < tree_int(row, "used_s", 0))
            break;
    json_array_insert_new(rows, at, row);
}

json_t *work_left(const char *cache)
{
    char *all = file_join(cache, "work"), *dir;
    DIR *d = all ? opendir(all) : NULL;
    json_t *rows = json_array(), *row;
    struct dirent *e;
    int lock;

    while (d && (e = readdir(d))) {
        dir = e->d_name[0] != '.' ? file_join(all, e->d_name) : NULL;
        if (dir && (lock = take(dir, LOCK_SH)) >= 0) {
            if ((row = row_of(dir))) /* NULL: its name is no text */
                insert(rows, row);
            close(lock);
        }
        free(dir);
    }
    if (d)
        closedir(d);
    free(all);
    return rows;
}

int work_prune(const char *cache, double older_than_s, bool dry, json_t *removed,
               struct assay_err *err)
{
    json_t *rows = work_left(cache), *row;
    struct assay_err why;
    int rc = ASSAY_OK, lock;
    size_t i;

    json_array_foreach(rows, i, row)
    {
        const char *dir = tree_text(row, "folder", "");
        double age = difftime(time(NULL), (time_t)tree_int(row, "used_s", 0));

        if (age < older_than_s || (lock = take(dir, LOCK_EX)) < 0)
            continue;
        if (dry || !file_remove_tree(dir, &why))
            json_array_append_new(
                removed, json_pack("{s:s, s:s, s:I, s:o}", "name", tree_text(row, "name", ""),
                                   "folder", dir, "bytes", (json_int_t)tree_int(row, "bytes", 0),
                                   "why", json_sprintf("not used for %.1f days", age / 86400)));
        else if (!rc)
            rc = assay_fail(err, why.code, "%s", why.text);
        close(lock);
    }
    json_decref(rows);
    return rc;
}
