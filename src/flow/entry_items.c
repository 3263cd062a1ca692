/* The files of an entry, and the stamp by which an unchanged entry is known without hashing.
 *
 * stamp, text: a line "assay.stamp/1 COUNT", then "SIZE MTIME-NS INODE PATH" for each file, sorted.
 */
#include "flow/entry_items.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "flow/entry.h"

#define STAMP      "assay.stamp/1"
#define MAX_STAMP  ((size_t)1 << 30)
#define MAX_DEPTH  100
#define MAX_FILES  5000000
#define MOST_STATS 256 /* files that entry_is_fresh looks at */

void entry_items_release(struct entry_items *all)
{
    for (size_t i = 0; i < all->n; i++) {
        free(all->list[i].path);
        free(all->list[i].link);
    }
    free(all->list);
    *all = (struct entry_items){0};
}

/* Takes path over. */
static struct entry_item *items_add(struct entry_items *all, char *path)
{
    struct entry_item *bigger;

    if (all->n == all->cap) {
        bigger =
            all->n < MAX_FILES ? realloc(all->list, (all->cap * 2 + 64) * sizeof(*bigger)) : NULL;
        if (!bigger) {
            free(path);
            return NULL;
        }
        all->list = bigger;
        all->cap = all->cap * 2 + 64;
    }
    all->list[all->n] = (struct entry_item){.path = path};
    return &all->list[all->n++];
}

bool entry_has_control(const char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s < 32 || *s == 127)
            return true;
    return false;
}

static int read_link(const char *full, struct entry_item *it, struct assay_err *err)
{
    char target[4096];
    ssize_t n = readlink(full, target, sizeof(target));

    if (n < 0 || n == (ssize_t)sizeof(target))
        return assay_fail(err, ASSAY_EFAIL, "%s: the link cannot be read", full);
    it->link = strndup(target, (size_t)n);
    return it->link ? ASSAY_OK : assay_fail(err, ASSAY_EFAIL, "%s: not enough memory", full);
}

static int walk(struct entry_items *all, const char *root, const char *below, int depth,
                struct assay_err *err);

/* One name of a folder: folders are walked and listed too, for syncing. */
static int walk_one(struct entry_items *all, const char *root, char *path, int depth,
                    struct assay_err *err)
{
    struct entry_item *it = path ? items_add(all, path) : NULL;
    char *full = it ? file_join(root, path) : NULL;
    int rc = ASSAY_OK;

    if (!full)
        return assay_fail(err, ASSAY_EFAIL, "%s: too many files, or not enough memory", root);
    if (lstat(full, &it->st) < 0)
        rc = assay_fail(err, ASSAY_EFAIL, "%s: cannot be read: %s", full, strerror(errno));
    else if (entry_has_control(path))
        rc = assay_fail(err, ASSAY_EFAIL, "%s: control characters in a file's name", root);
    else if (S_ISLNK(it->st.st_mode))
        rc = read_link(full, it, err);
    else if (S_ISDIR(it->st.st_mode))
        rc = walk(all, root, path, depth + 1, err); /* `it` may have moved */
    else if (!S_ISREG(it->st.st_mode))
        rc = assay_fail(err, ASSAY_EFAIL, "%s: is neither file nor folder nor link", full);
    free(full);
    return rc;
}

static int walk(struct entry_items *all, const char *root, const char *below, int depth,
                struct assay_err *err)
{
    char *dir = file_join(root, below);
    DIR *d = dir ? opendir(dir) : NULL;
    struct dirent *e;
    int rc = ASSAY_OK;

    if (!d)
        rc = assay_fail(err, ASSAY_EFAIL, "%s: cannot be read: %s", dir ? dir : root,
                        strerror(errno));
    else if (depth > MAX_DEPTH)
        rc = assay_fail(err, ASSAY_EFAIL, "%s: more than %d folders deep", dir, MAX_DEPTH);
    while (d && !rc && (e = readdir(d)))
        if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
            rc = walk_one(all, root, *below ? file_join(below, e->d_name) : strdup(e->d_name),
                          depth, err);
    if (d)
        closedir(d);
    free(dir);
    return rc;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct entry_item *)a)->path, ((const struct entry_item *)b)->path);
}

int entry_items_read(struct entry_items *all, const char *root, struct assay_err *err)
{
    int rc;

    *all = (struct entry_items){0};
    rc = walk(all, root, "", 0, err);
    if (all->n)
        qsort(all->list, all->n, sizeof(*all->list), by_path);
    return rc;
}

/* ---- the stamp ---- */

static long long nanoseconds(const struct stat *st)
{
    return (long long)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
}

int entry_stamp(const char *dir, const struct entry_items *all, struct assay_err *err)
{
    char *path = file_join(dir, "stamp");
    struct text t;
    size_t n = 0;
    int rc;

    text_init(&t, MAX_STAMP);
    for (size_t i = 0; i < all->n; i++)
        n += S_ISREG(all->list[i].st.st_mode);
    text_addf(&t, STAMP " %zu\n", n);
    for (size_t i = 0; i < all->n; i++) {
        const struct entry_item *it = &all->list[i];

        if (S_ISREG(it->st.st_mode))
            text_addf(&t, "%lld %lld %llu %s\n", (long long)it->st.st_size, nanoseconds(&it->st),
                      (unsigned long long)it->st.st_ino, it->path);
    }
    if (!path || t.cut)
        rc = assay_fail(err, ASSAY_EFAIL, "%s: not enough memory", dir);
    else
        rc = file_write_whole(path, t.s, t.len, err);
    text_release(&t);
    free(path);
    return rc;
}

int entry_restamp(const char *dir, struct assay_err *err)
{
    char *root = file_join(dir, "files"), *path = file_join(dir, "stamp");
    struct entry_items all;
    struct stat was;
    bool stamped = path && !stat(path, &was);
    int rc = root ? entry_items_read(&all, root, err) : ASSAY_EFAIL;

    if (!root)
        rc = assay_fail(err, ASSAY_EFAIL, "%s: not enough memory", dir);
    else if (!rc)
        rc = entry_stamp(dir, &all, err);
    if (!rc && stamped) /* its own time is that of the last use */
        utimensat(AT_FDCWD, path, (struct timespec[2]){was.st_atim, was.st_mtim}, 0);
    if (root)
        entry_items_release(&all);
    free(path);
    free(root);
    return rc;
}

/* One line of the stamp against the file. */
static bool line_holds(int root, const char *line)
{
    long long size, when;
    unsigned long long inode;
    struct stat st;
    int at = 0;

    if (sscanf(line, "%lld %lld %llu %n", &size, &when, &inode, &at) != 3 || !at || !line[at])
        return false;
    if (fstatat(root, line + at, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return false;
    return S_ISREG(st.st_mode) && st.st_size == size && nanoseconds(&st) == when &&
           st.st_ino == inode;
}

/* Of many files every step-th is looked at, from a place that changes. */
static bool lines_hold(int root, char *text)
{
    unsigned long long n = 0, seen = 0, step, from;
    char *line = text, *next;

    if (sscanf(text, STAMP " %llu\n", &n) != 1)
        return false;
    step = n > MOST_STATS ? (n + MOST_STATS - 1) / MOST_STATS : 1;
    from = (unsigned long long)clock_ns() / 1000 % step;
    for (; (next = strchr(line, '\n')); line = next + 1, seen++) {
        *next = 0;
        if (seen && (seen - 1) % step == from && !line_holds(root, line))
            return false;
    }
    return seen == n + 1;
}

bool entry_is_fresh(const char *dir)
{
    char *path = file_join(dir, "stamp"), *files = file_join(dir, "files"), *text = NULL;
    int root = files ? open(files, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW) : -1;
    bool fresh = root >= 0 && path && !file_read(path, MAX_STAMP, &text, NULL, NULL) &&
                 lines_hold(root, text);

    if (root >= 0)
        close(root);
    free(text);
    free(files);
    free(path);
    return fresh;
}
