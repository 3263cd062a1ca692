/* Digests; see digest.h.
 *
 * What digest_tree remembers is one file a tree, <cache>/digests/<SHA-256 of the path>: one line,
 * the digest of all stamps and that of all contents. */
#include "flow/digest.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"

#define MAX_DEPTH  64
#define SETTLED_NS 2000000000

void digest_stamp(const char *path, char out[96])
{
    struct stat st;

    out[0] = 0;
    if (!stat(path, &st))
        snprintf(out, 96, "%lld %lld.%09ld %lld.%09ld %llu",
                 S_ISDIR(st.st_mode) ? 0LL : (long long)st.st_size, (long long)st.st_mtim.tv_sec,
                 st.st_mtim.tv_nsec, (long long)st.st_ctim.tv_sec, st.st_ctim.tv_nsec,
                 (unsigned long long)st.st_ino);
}

/* One walk over a tree, for stamps or for contents. */
struct walk {
    struct hash *hash;
    bool contents;
    int64_t newest; /* time of the last change seen */
    bool behind_link;
};

static void add_text(struct walk *w, const char *s)
{
    hash_add(w->hash, s, strlen(s) + 1);
}

static int add_file(struct walk *w, const char *path, const struct stat *st, struct assay_err *err)
{
    char hex[HASH_HEX], stamp[96];
    int rc = ASSAY_OK;

    add_text(w, st->st_mode & S_IXUSR ? "program" : "file");
    if (w->contents) {
        if (!(rc = hash_file(path, hex, err)))
            add_text(w, hex);
    } else {
        digest_stamp(path, stamp);
        add_text(w, stamp);
    }
    return rc;
}

static int shown(const struct dirent *d)
{
    return strcmp(d->d_name, ".") && strcmp(d->d_name, "..") && strncmp(d->d_name, ".git", 4);
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int add(struct walk *w, const char *path, int depth, struct assay_err *err);

/* A link counts as what it says and as what it leads to.  Behind a link to a folder others are not
 * followed: they may lead back. */
static int add_link(struct walk *w, const char *path, int depth, struct assay_err *err)
{
    char target[4096], *real;
    ssize_t n = readlink(path, target, sizeof(target) - 1);
    struct stat st;
    int rc;

    if (n < 0)
        return assay_fail(err, ASSAY_EFAIL, "%s: cannot be read: %s", path, strerror(errno));
    target[n] = 0;
    add_text(w, "link");
    add_text(w, target);
    if (w->behind_link || stat(path, &st) || (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)))
        return ASSAY_OK;
    if (!(real = realpath(path, NULL)))
        return assay_fail(err, ASSAY_EFAIL, "%s: cannot be read: %s", path, strerror(errno));
    w->behind_link = true;
    rc = add(w, real, depth + 1, err);
    w->behind_link = false;
    free(real);
    return rc;
}

static int add_folder(struct walk *w, const char *path, int depth, struct assay_err *err)
{
    struct dirent **list = NULL;
    int n = scandir(path, &list, shown, by_bytes), rc = ASSAY_OK;

    if (n < 0)
        return assay_fail(err, ASSAY_EFAIL, "%s: cannot be read: %s", path, strerror(errno));
    add_text(w, "folder");
    for (int i = 0; i < n; i++) {
        char *below = rc ? NULL : file_join(path, list[i]->d_name);

        if (!rc && !below)
            rc = assay_fail(err, ASSAY_EFAIL, "%s: not enough memory", path);
        if (below) {
            add_text(w, list[i]->d_name);
            rc = add(w, below, depth + 1, err);
        }
        free(below);
        free(list[i]);
    }
    free(list);
    add_text(w, "end");
    return rc;
}

static int add(struct walk *w, const char *path, int depth, struct assay_err *err)
{
    struct stat st;
    int64_t changed;

    if (depth > MAX_DEPTH)
        return assay_fail(err, ASSAY_EFAIL, "%s: folders too deep in each other", path);
    if (depth ? lstat(path, &st) : stat(path, &st))
        return assay_fail(err, ASSAY_EFAIL, "%s: cannot be read: %s", path, strerror(errno));
    changed = (int64_t)st.st_ctim.tv_sec * 1000000000 + st.st_ctim.tv_nsec;
    if (changed > w->newest)
        w->newest = changed;
    if (S_ISDIR(st.st_mode))
        return add_folder(w, path, depth, err);
    if (S_ISLNK(st.st_mode))
        return add_link(w, path, depth, err);
    if (S_ISREG(st.st_mode))
        return add_file(w, path, &st, err);
    return assay_fail(err, ASSAY_EFAIL, "%s: is neither file, folder nor link", path);
}

static int walk_tree(const char *path, bool contents, char hex[HASH_HEX], int64_t *newest,
                     struct assay_err *err)
{
    struct walk w = {.hash = hash_create(), .contents = contents};
    char got[HASH_HEX];
    int rc = w.hash ? add(&w, path, 0, err)
                    : assay_fail(err, ASSAY_EFAIL, "%s: not enough memory", path);

    if (w.hash)
        hash_take(w.hash, got);
    if (!rc) {
        memcpy(hex, got, HASH_HEX);
        *newest = w.newest;
    }
    return rc;
}

static void remember(const char *file, const char *stamps, const char *contents)
{
    char line[2 * HASH_HEX + 2], *slash, *dir = strdup(file);

    snprintf(line, sizeof(line), "%s %s\n", stamps, contents);
    if (dir && (slash = strrchr(dir, '/'))) {
        *slash = 0;
        if (!file_make_dirs(dir, NULL))
            file_write_whole(file, line, strlen(line), NULL);
    }
    free(dir);
}

int digest_tree(const char *cache, const char *path, char hex[HASH_HEX], struct assay_err *err)
{
    char key[HASH_HEX], stamps[HASH_HEX], *file, *known = NULL;
    int64_t newest = 0;
    struct timespec now;
    int rc = walk_tree(path, false, stamps, &newest, err);

    if (rc)
        return rc;
    hash_bytes(path, strlen(path), key);
    file = text_format("%s/digests/%s", cache, key);
    if (file && !file_read(file, 2 * HASH_HEX + 2, &known, NULL, NULL) &&
        strlen(known) == 2 * HASH_HEX && !strncmp(known, stamps, HASH_HEX - 1)) {
        snprintf(hex, HASH_HEX, "%s", known + HASH_HEX);
    } else if (!(rc = walk_tree(path, true, hex, &newest, err)) && file) {
        clock_gettime(CLOCK_REALTIME, &now);
        /* What was changed a moment ago could be changed again without a trace. */
        if ((int64_t)now.tv_sec * 1000000000 + now.tv_nsec - newest > SETTLED_NS)
            remember(file, stamps, hex);
    }
    free(known);
    free(file);
    return rc;
}
