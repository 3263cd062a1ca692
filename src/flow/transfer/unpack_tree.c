/* See unpack_tree.h for what always holds. */
#include "flow/transfer/unpack_tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_NAME  1000
#define MAX_DEPTH 64

struct unpack_link {
    struct unpack_link *next;
    char *target;
    char name[];
};

/* ---- names ---- */

static int bad_name(const char *name, const char *what, struct assay_err *err)
{
    char shown[160];

    snprintf(shown, sizeof(shown), "%s", name);
    for (char *p = shown; *p; p++)
        if ((unsigned char)*p < 32 || *p == 127)
            *p = '?';
    return assay_fail(err, ASSAY_EFAIL, "'%s' %s", shown, what);
}

/* The name without "." and doubled slashes in out, which has room for MAX_NAME + 1; how deep it is
 * in *depth (0: the folder itself). */
static int clean_name(const char *name, char *out, int *depth, struct assay_err *err)
{
    size_t n, have = 0;

    *depth = 0;
    out[0] = 0;
    if (name[0] == '/')
        return bad_name(name, "is an absolute path", err);
    for (const char *p = name; *p; p += n, p += *p == '/') {
        n = strcspn(p, "/");
        if (n == 2 && p[0] == '.' && p[1] == '.')
            return bad_name(name, "leads out of the folder", err);
        if (!n || (n == 1 && *p == '.'))
            continue;
        for (size_t i = 0; i < n; i++)
            if ((unsigned char)p[i] < 32 || p[i] == 127)
                return bad_name(name, "has control characters", err);
        if (have + n + 1 > MAX_NAME || n > 255 || *depth == MAX_DEPTH)
            return bad_name(name, "is too long or too deep", err);
        have +=
            (size_t)snprintf(out + have, MAX_NAME + 1 - have, "%s%.*s", have ? "/" : "", (int)n, p);
        ++*depth;
    }
    return ASSAY_OK;
}

static int count_one(struct unpack_tree *t, const char *name, struct assay_err *err)
{
    char what[64];

    snprintf(what, sizeof(what), "is one too many: more than %lld files",
             (long long)t->limits.max_files);
    return ++t->files > t->limits.max_files ? bad_name(name, what, err) : ASSAY_OK;
}

int unpack_tree_grow(struct unpack_tree *t, const char *name, int64_t more, struct assay_err *err)
{
    char what[80];

    if (more <= t->limits.max_bytes - t->bytes) {
        t->bytes += more;
        return ASSAY_OK;
    }
    snprintf(what, sizeof(what), "is too large: more than %lld bytes in all",
             (long long)t->limits.max_bytes);
    return bad_name(name, what, err);
}

/* ---- folders ---- */

/* The folder `name` of `dir`, made when it is not there; closes dir. -1: errno. */
static int step_into(struct unpack_tree *t, int dir, const char *name)
{
    int fd, why;

    if (mkdirat(dir, name, 0755) == 0)
        t->files++;
    fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    why = errno;
    close(dir);
    errno = why;
    return fd;
}

/* Opens the folder that a cleaned name is in; *last points to the name within it.  With `all` the
 * name is a folder itself. */
static int open_above(struct unpack_tree *t, char *name, bool all, int *dir, const char **last,
                      struct assay_err *err)
{
    char *p = name, *slash;
    int fd = fcntl(t->root, F_DUPFD_CLOEXEC, 3);

    while (fd >= 0 && ((slash = strchr(p, '/')) || (all && *p))) {
        if (slash)
            *slash = 0;
        fd = step_into(t, fd, p);
        p = slash ? slash + 1 : p + strlen(p);
        if (slash && fd >= 0)
            *slash = '/';
    }
    *last = p;
    *dir = fd;
    if (fd >= 0 && t->files <= t->limits.max_files)
        return ASSAY_OK;
    if (fd >= 0) {
        close(fd);
        t->files--;
        return count_one(t, name, err);
    }
    if (errno == ENOTDIR || errno == ELOOP)
        return bad_name(name, "is a file, and a folder as well", err);
    return assay_fail(err, ASSAY_EFAIL, "'%.160s': the folder cannot be made: %s", name,
                      errno == ENOSPC ? "the disk is full" : strerror(errno));
}

int unpack_tree_folder(struct unpack_tree *t, const char *name, struct assay_err *err)
{
    char clean[MAX_NAME + 1];
    const char *last;
    int depth, dir, rc = clean_name(name, clean, &depth, err);

    if (!rc)
        rc = open_above(t, clean, true, &dir, &last, err);
    if (!rc)
        close(dir);
    return rc;
}

/* The folder for a file or link of that name. */
static int place_for(struct unpack_tree *t, const char *name, char *clean, int *dir,
                     const char **last, int *depth, struct assay_err *err)
{
    int rc = clean_name(name, clean, depth, err);

    if (!rc && !*depth)
        rc = bad_name(name, "is no name for a file", err);
    if (!rc)
        rc = count_one(t, name, err);
    return rc ? rc : open_above(t, clean, false, dir, last, err);
}

static int make_failed(const char *name, struct assay_err *err)
{
    if (errno == EEXIST)
        return bad_name(name, "is in it twice", err);
    return assay_fail(err, ASSAY_EFAIL, "'%.160s' cannot be made: %s", name,
                      errno == ENOSPC ? "the disk is full" : strerror(errno));
}

int unpack_tree_file(struct unpack_tree *t, const char *name, bool executable, int *fd,
                     struct assay_err *err)
{
    char clean[MAX_NAME + 1];
    const char *last;
    int dir, depth, rc = place_for(t, name, clean, &dir, &last, &depth, err);

    if (rc)
        return rc;
    *fd = openat(dir, last, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                 executable ? 0755 : 0644);
    if (*fd < 0)
        rc = make_failed(name, err);
    close(dir);
    return rc;
}

/* ---- links ---- */

int unpack_tree_hard_link(struct unpack_tree *t, const char *name, const char *target,
                          struct assay_err *err)
{
    char clean[MAX_NAME + 1], there[MAX_NAME + 1];
    const char *last, *old;
    struct stat st;
    int dir, from, depth, rc = place_for(t, name, clean, &dir, &last, &depth, err);

    if (rc)
        return rc;
    if (!(rc = clean_name(target, there, &depth, err)) &&
        !(rc = open_above(t, there, false, &from, &old, err))) {
        if (fstatat(from, old, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
            rc = bad_name(name, "is a link to what is not in it (yet)", err);
        else if (linkat(from, old, dir, last, 0) < 0)
            rc = make_failed(name, err);
        close(from);
    }
    close(dir);
    return rc;
}

/* "../" at most as often as there are folders above, then names alone. */
static bool target_stays(const char *target, int depth)
{
    int up = depth - 1;
    bool down = false;
    size_t n;

    if (target[0] == '/' || !*target || strlen(target) > MAX_NAME)
        return false;
    for (const char *p = target; *p; p += n, p += *p == '/') {
        n = strcspn(p, "/");
        if (n == 2 && p[0] == '.' && p[1] == '.') {
            if (down || --up < 0)
                return false;
        } else if (n && !(n == 1 && *p == '.')) {
            down = true;
        }
    }
    return true;
}

int unpack_tree_link(struct unpack_tree *t, const char *name, const char *target,
                     struct assay_err *err)
{
    char clean[MAX_NAME + 1];
    struct unpack_link *link;
    int depth, rc = clean_name(name, clean, &depth, err);

    if (!rc && (!depth || !target_stays(target, depth)))
        rc = bad_name(name, "is a link that may lead out of the folder", err);
    if (!rc)
        rc = count_one(t, name, err);
    if (rc)
        return rc;
    link = malloc(sizeof(*link) + strlen(clean) + 1);
    if (!link || !(link->target = strdup(target))) {
        free(link);
        return assay_fail(err, ASSAY_EFAIL, "not enough memory");
    }
    memcpy(link->name, clean, strlen(clean) + 1);
    link->next = t->links;
    t->links = link;
    return ASSAY_OK;
}

int unpack_tree_finish(struct unpack_tree *t, struct assay_err *err)
{
    const char *last;
    int dir, rc = ASSAY_OK;

    /* All folders first, so that none is made through a link. */
    for (struct unpack_link *l = t->links; l && !rc; l = l->next) {
        rc = open_above(t, l->name, false, &dir, &last, err);
        if (!rc)
            close(dir);
    }
    for (struct unpack_link *l = t->links; l && !rc; l = l->next) {
        rc = open_above(t, l->name, false, &dir, &last, err);
        if (rc)
            break;
        if (symlinkat(l->target, dir, last) < 0)
            rc = make_failed(l->name, err);
        close(dir);
    }
    return rc;
}

void unpack_tree_release(struct unpack_tree *t)
{
    struct unpack_link *next;

    for (struct unpack_link *l = t->links; l; l = next) {
        next = l->next;
        free(l->target);
        free(l);
    }
    t->links = NULL;
}

/* ---- merging ---- */

enum merge_kind { MERGE_CLASH, MERGE_MOVE, MERGE_BOTH_FOLDERS };

static enum merge_kind kind_of(int from, int to, const char *name)
{
    struct stat a, b;

    if (fstatat(to, name, &b, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? MERGE_MOVE : MERGE_CLASH;
    if (fstatat(from, name, &a, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(a.st_mode) &&
        S_ISDIR(b.st_mode))
        return MERGE_BOTH_FOLDERS;
    return MERGE_CLASH;
}

static int merge(int from, int to, bool dry, struct assay_err *err);

static int merge_folder(int from, int to, const char *name, bool dry, struct assay_err *err)
{
    int a = openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int b = openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), rc;

    if (a < 0 || b < 0)
        rc = assay_fail(err, ASSAY_EFAIL, "'%.160s' cannot be opened: %s", name, strerror(errno));
    else
        rc = merge(a, b, dry, err);
    if (a >= 0)
        close(a);
    if (b >= 0)
        close(b);
    return rc;
}

static int merge_one(int from, int to, const char *name, bool dry, struct assay_err *err)
{
    enum merge_kind kind = kind_of(from, to, name);

    if (kind == MERGE_CLASH)
        return bad_name(name, "is in the folder already", err);
    if (kind == MERGE_BOTH_FOLDERS)
        return merge_folder(from, to, name, dry, err);
    if (!dry && renameat(from, name, to, name) < 0)
        return assay_fail(err, ASSAY_EFAIL, "'%.160s' cannot be moved: %s", name, strerror(errno));
    return ASSAY_OK;
}

/* The names are read first: a folder that is read while it changes may tell one twice. */
static int merge(int from, int to, bool dry, struct assay_err *err)
{
    struct dirent **names = NULL;
    int n = scandirat(from, ".", &names, NULL, NULL), rc = ASSAY_OK;

    if (n < 0)
        return assay_fail(err, ASSAY_EFAIL, "a folder cannot be read: %s", strerror(errno));
    for (int i = 0; i < n; i++) {
        const char *name = names[i]->d_name;

        if (!rc && strcmp(name, ".") && strcmp(name, ".."))
            rc = merge_one(from, to, name, dry, err);
        free(names[i]);
    }
    free(names);
    return rc;
}

int unpack_tree_merge(int from, int to, struct assay_err *err)
{
    int rc = merge(from, to, true, err);

    return rc ? rc : merge(from, to, false, err);
}
