/* The part of a file that is there already: locked, hashed as it grows, kept for the next call.
 *
 * Who waits for the lock may get it on a file that was renamed meanwhile: it is then opened anew.
 */
#include "flow/fetch_part.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/tree.h"

static int no_memory(const struct fetch_part *p, struct assay_err *err)
{
    return assay_fail(err, ASSAY_EFAIL, "%s: not enough memory", p->final);
}

/* Digests of nothing. */
static int digests_begin(struct fetch_part *p, bool md5, struct assay_err *err)
{
    char hex[HASH_HEX];

    if (p->sha)
        hash_take(p->sha, hex);
    EVP_MD_CTX_free(p->md5);
    p->sha = hash_create();
    p->md5 = md5 ? EVP_MD_CTX_new() : NULL;
    if (!p->sha || (md5 && (!p->md5 || EVP_DigestInit_ex(p->md5, EVP_md5(), NULL) != 1)))
        return no_memory(p, err);
    return ASSAY_OK;
}

static void digests_add(struct fetch_part *p, const void *data, size_t n)
{
    hash_add(p->sha, data, n);
    if (p->md5)
        EVP_DigestUpdate(p->md5, data, n);
    p->have += (int64_t)n;
}

static int read_what_is_there(struct fetch_part *p, const volatile int *stop, struct assay_err *err)
{
    size_t cap = 1 << 18;
    char *buf = malloc(cap);
    ssize_t n = 0;

    if (!buf)
        return no_memory(p, err);
    while (!(stop && *stop) && ((n = read(p->fd, buf, cap)) > 0 || (n < 0 && errno == EINTR)))
        if (n > 0)
            digests_add(p, buf, (size_t)n);
    free(buf);
    if (stop && *stop)
        return assay_fail(err, ASSAY_ESTOP, "interrupted");
    if (n < 0)
        return assay_fail(err, ASSAY_EFAIL, "%s: cannot be read: %s", p->path, strerror(errno));
    p->resumed = p->have > 0;
    return ASSAY_OK;
}

/* What the part is of; a note that cannot be read is none. */
static void read_note(struct fetch_part *p)
{
    json_t *tree = NULL;

    if (tree_read_json(p->note, &tree, NULL))
        return;
    snprintf(p->origin, sizeof(p->origin), "%s", tree_text(tree, "origin", ""));
    snprintf(p->mark, sizeof(p->mark), "%s", tree_text(tree, "mark", ""));
    json_decref(tree);
}

static bool still_named(const struct fetch_part *p)
{
    struct stat mine, there;

    return fstat(p->fd, &mine) == 0 && stat(p->path, &there) == 0 && mine.st_ino == there.st_ino &&
           mine.st_dev == there.st_dev;
}

/* ASSAY_EAGAIN: another has it. */
static int try_open(struct fetch_part *p, struct assay_err *err)
{
    p->fd = open(p->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (p->fd < 0)
        return assay_fail(err, ASSAY_EFAIL, "%s: cannot be written: %s", p->path, strerror(errno));
    if (flock(p->fd, LOCK_EX | LOCK_NB) == 0 && still_named(p))
        return ASSAY_OK;
    close(p->fd);
    p->fd = -1;
    return ASSAY_EAGAIN;
}

static int wait_and_open(struct fetch_part *p, const volatile int *stop, struct assay_err *err)
{
    const struct timespec nap = {0, 20000000};
    int rc;

    while ((rc = try_open(p, err)) == ASSAY_EAGAIN) {
        if (stop && *stop)
            return assay_fail(err, ASSAY_ESTOP, "interrupted");
        nanosleep(&nap, NULL);
    }
    return rc;
}

int part_open(struct fetch_part *p, const char *path, bool md5, const volatile int *stop,
              struct assay_err *err)
{
    int rc;

    *p = (struct fetch_part){.fd = -1, .final = path};
    if (snprintf(p->path, sizeof(p->path), "%s.part", path) >= (int)sizeof(p->path) ||
        snprintf(p->note, sizeof(p->note), "%s.part.json", path) >= (int)sizeof(p->note))
        return assay_fail(err, ASSAY_EFAIL, "%s: the path is too long", path);
    rc = wait_and_open(p, stop, err);
    if (!rc)
        rc = digests_begin(p, md5, err);
    if (!rc)
        rc = read_what_is_there(p, stop, err);
    if (!rc && p->have)
        read_note(p);
    if (rc)
        part_close(p);
    return rc;
}

int part_restart(struct fetch_part *p, struct assay_err *err)
{
    p->have = 0;
    p->resumed = false;
    p->origin[0] = p->mark[0] = 0;
    if (ftruncate(p->fd, 0) < 0 || lseek(p->fd, 0, SEEK_SET) < 0)
        return assay_fail(err, ASSAY_EFAIL, "%s: cannot be written: %s", p->path, strerror(errno));
    unlink(p->note);
    return digests_begin(p, p->md5 != NULL, err);
}

int part_describe(struct fetch_part *p, const char *url, const char *mark, struct assay_err *err)
{
    json_t *tree;
    int rc;

    hash_bytes(url, strlen(url), p->origin); /* the URL itself may hold a password */
    snprintf(p->mark, sizeof(p->mark), "%s", mark);
    tree = json_pack("{s:s, s:s}", "origin", p->origin, "mark", p->mark);
    rc = tree ? tree_write_json(p->note, tree, err) : ASSAY_OK; /* a mark that is no UTF-8: none */
    json_decref(tree);
    return rc;
}

bool part_is_of(const struct fetch_part *p, const char *url)
{
    char hex[HASH_HEX];

    hash_bytes(url, strlen(url), hex);
    return !strcmp(hex, p->origin);
}

static int write_failed(const struct fetch_part *p, struct assay_err *err)
{
    if (errno == ENOSPC || errno == EDQUOT)
        return assay_fail(
            err, ASSAY_EFAIL,
            "%s: the disk is full (%s) after %lld bytes; make room and call again: it "
            "goes on from there",
            p->path, strerror(errno), (long long)p->have);
    return assay_fail(err, ASSAY_EFAIL, "%s: cannot be written: %s", p->path, strerror(errno));
}

int part_write(struct fetch_part *p, const void *data, size_t n, struct assay_err *err)
{
    const char *from = data;
    ssize_t done;

    while (n) {
        done = write(p->fd, from, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return write_failed(p, err);
        digests_add(p, from, (size_t)done);
        from += done;
        n -= (size_t)done;
    }
    return ASSAY_OK;
}

int part_check_room(const struct fetch_part *p, int64_t more, struct assay_err *err)
{
    struct statvfs fs;
    double there;

    if (fstatvfs(p->fd, &fs) < 0)
        return ASSAY_OK;
    there = (double)fs.f_bavail * (double)fs.f_frsize;
    if ((double)more <= there)
        return ASSAY_OK;
    return assay_fail(err, ASSAY_EFAIL,
                      "%s: the disk is too full: %.1f MB are needed, %.1f MB are free; make room",
                      p->final, (double)more / 1e6, there / 1e6);
}

void part_digests(struct fetch_part *p, char sha256[HASH_HEX], char md5[HASH_HEX])
{
    unsigned char md[EVP_MAX_MD_SIZE] = {0};

    hash_take(p->sha, sha256);
    p->sha = NULL;
    if (p->md5 && md5) {
        EVP_DigestFinal_ex(p->md5, md, NULL);
        for (int i = 0; i < 16; i++)
            snprintf(md5 + 2 * i, 3, "%02x", md[i]);
    }
}

int part_read_digests(const char *path, bool md5, const volatile int *stop, int64_t *bytes,
                      char sha256[HASH_HEX], char md5_hex[HASH_HEX], struct assay_err *err)
{
    struct fetch_part p = {.fd = open(path, O_RDONLY | O_CLOEXEC), .final = path};
    struct stat st;
    int rc;

    snprintf(p.path, sizeof(p.path), "%s", path);
    if (p.fd < 0 || fstat(p.fd, &st) < 0)
        rc = assay_fail(err, ASSAY_EFAIL, "%s: cannot be read: %s", path, strerror(errno));
    else if (!S_ISREG(st.st_mode))
        rc = assay_fail(err, ASSAY_EFAIL, "%s: is not a file", path);
    else if (!(rc = digests_begin(&p, md5, err)) && !(rc = read_what_is_there(&p, stop, err)))
        part_digests(&p, sha256, md5_hex);
    *bytes = p.have;
    p.have = 1; /* nothing of it is to be removed */
    part_close(&p);
    return rc;
}

int part_commit(struct fetch_part *p, bool named, struct assay_err *err)
{
    char dir[1100];
    int fd;

    if (fsync(p->fd) < 0)
        return write_failed(p, err);
    if (rename(p->path, p->final) < 0)
        return assay_fail(err, ASSAY_EFAIL, "%s: cannot be put in place: %s", p->final,
                          strerror(errno));
    unlink(p->note);
    snprintf(dir, sizeof(dir), "%.*s", (int)(file_base(p->final) - p->final), p->final);
    fd = named ? open(*dir ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
    close(p->fd);
    p->fd = -1;
    return ASSAY_OK;
}

void part_close(struct fetch_part *p)
{
    char hex[HASH_HEX];
    struct stat st;

    if (p->fd >= 0) {
        if (!p->have && !fstat(p->fd, &st) && !st.st_size) { /* not one that is yet to be read */
            unlink(p->path);
            unlink(p->note);
        }
        close(p->fd);
    }
    if (p->sha)
        hash_take(p->sha, hex);
    EVP_MD_CTX_free(p->md5);
    p->fd = -1;
    p->sha = NULL;
    p->md5 = NULL;
}
