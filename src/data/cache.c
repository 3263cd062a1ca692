/* The sample cache; see cache.h.
 *
 * File: 4096 bytes of header (struct head, then zeros), then `count` samples at a fixed stride,
 * then a check sum of 8 bytes for each.  A sample is its inputs one after another, each at a
 * multiple of 64 bytes; so is the stride.  Little-endian, as mapped.  Opening looks at size and
 * header only (a whole data set has 30 GB); a sample's check sum is compared when it is loaded,
 * which reads it anyway. Names: <dir>/samples/<name>-<16 digits of the key>.samples, beside it
 * .part (being written) and .lock.  The lock is held while building; a .part of a dead builder is
 * simply written over.  While it is mapped it is held with a shared flock, and its time is that of
 * the last use: `assay cache prune` goes by both. */
#include "data/cache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "data/workers.h"

#define HEAD_BYTES 4096
#define MAGIC      "ASSAYSMP"
#define VERSION    2

struct head {
    char magic[8];
    uint32_t version, input_count;
    uint64_t count, stride;
    char key[64];
    struct {
        int32_t dtype;
        uint32_t rank;
        int64_t dims[ASSAY_MAX_RANK];
        uint64_t offset, bytes;
    } inputs[CACHE_MAX_INPUTS];
};

struct cache {
    struct head head; /* what the file must say */
    uint8_t *map;
    size_t bytes;
    char *path;
    int fd; /* of what is mapped, locked; else -1 */
};

/* While building. */
struct builder {
    const struct cache_spec *spec;
    const struct cache *cache;
    int fd;
    const char *part;
    uint8_t **samples; /* one a worker */
};

static int head_make(const struct cache_spec *spec, struct head *h, struct assay_err *err)
{
    uint32_t i, d;

    memset(h, 0, sizeof(*h));
    memcpy(h->magic, MAGIC, 8);
    h->version = VERSION;
    h->count = spec->count;
    h->input_count = spec->input_count;
    if (!spec->count || !spec->input_count || spec->input_count > CACHE_MAX_INPUTS ||
        strlen(spec->key) != 64)
        return assay_fail(err, ASSAY_EFAIL,
                          "%s: the sample cache needs samples, 1 to %d inputs and a key",
                          spec->name, CACHE_MAX_INPUTS);
    memcpy(h->key, spec->key, 64);
    for (i = 0; i < spec->input_count; i++) {
        const struct assay_tensor_spec *in = &spec->inputs[i];

        h->inputs[i].dtype = in->dtype;
        h->inputs[i].rank = in->rank;
        h->inputs[i].bytes = assay_dtype_size(in->dtype);
        for (d = 0; d < in->rank; d++) {
            h->inputs[i].dims[d] = in->dims[d];
            h->inputs[i].bytes *= (uint64_t)in->dims[d];
        }
        h->inputs[i].offset = h->stride;
        h->stride += (h->inputs[i].bytes + 63) / 64 * 64;
    }
    return ASSAY_OK;
}

static uint64_t cache_bytes(const struct cache *c)
{
    return HEAD_BYTES + c->head.count * (c->head.stride + sizeof(uint64_t));
}

static uint64_t sum_at(const struct head *h, uint64_t index)
{
    return HEAD_BYTES + h->count * h->stride + index * sizeof(uint64_t);
}

/* Against disks and stray writers, not against malice: any one changed word changes the sum.  n is
 * a multiple of 64; four sums side by side keep the multiplier busy. */
static uint64_t check_sum(const uint8_t *data, size_t n)
{
    const uint64_t odd = 0x9e3779b97f4a7c15u;
    uint64_t sum[4] = {1, 2, 3, 4}, word[4];
    size_t at;
    int i;

    for (at = 0; at < n; at += sizeof(word)) {
        memcpy(word, data + at, sizeof(word));
        for (i = 0; i < 4; i++)
            sum[i] = (sum[i] ^ word[i]) * odd;
    }
    for (i = 1; i < 4; i++)
        sum[0] = ((sum[0] ^ sum[0] >> 32) * odd) ^ sum[i];
    return sum[0];
}

/* 1: mapped; 0: missing, cut off or another's. */
static int cache_map(struct cache *c)
{
    struct head found;
    struct stat st;
    void *map;
    int fd = open(c->path, O_RDONLY | O_CLOEXEC), good;

    if (fd < 0)
        return 0;
    good = fstat(fd, &st) == 0 && (uint64_t)st.st_size == cache_bytes(c) &&
           pread(fd, &found, sizeof(found), 0) == (ssize_t)sizeof(found) &&
           !memcmp(&found, &c->head, sizeof(found));
    map = good ? mmap(NULL, cache_bytes(c), PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;
    if (map == MAP_FAILED) {
        close(fd);
        return 0;
    }
    futimens(fd, NULL); /* where it can be written */
    flock(fd, LOCK_SH);
    c->map = map;
    c->bytes = cache_bytes(c);
    c->fd = fd;
    return 1;
}

static int write_at(int fd, const void *data, size_t n, uint64_t at, const char *path,
                    struct assay_err *err)
{
    const uint8_t *p = data;
    ssize_t k;

    while (n) {
        k = pwrite(fd, p, n, (off_t)at);
        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0)
            return assay_fail(err, ASSAY_EFAIL, "%s: cannot be written: %s", path,
                              strerror(k < 0 ? errno : ENOSPC));
        p += k;
        at += (uint64_t)k;
        n -= (size_t)k;
    }
    return ASSAY_OK;
}

static int build_sample(void *ctx, uint32_t worker, uint64_t index, struct assay_err *err)
{
    struct builder *b = ctx;
    const struct head *h = &b->cache->head;
    void *memory[CACHE_MAX_INPUTS];
    uint64_t sum;
    uint32_t i;
    int rc;

    for (i = 0; i < h->input_count; i++)
        memory[i] = b->samples[worker] + h->inputs[i].offset;
    rc = b->spec->fill(b->spec->ctx, worker, index, memory, err);
    if (!rc)
        rc = write_at(b->fd, b->samples[worker], h->stride, HEAD_BYTES + index * h->stride, b->part,
                      err);
    if (rc)
        return rc;
    sum = check_sum(b->samples[worker], h->stride);
    return write_at(b->fd, &sum, sizeof(sum), sum_at(h, index), b->part, err);
}

static int no_space(const char *path, uint64_t need, struct assay_err *err)
{
    struct statvfs fs;
    double have = statvfs(path, &fs) == 0 ? (double)fs.f_bavail * (double)fs.f_frsize : 0;

    return assay_fail(
        err, ASSAY_EFAIL,
        "%s: not enough space: %.1f MB are needed, %.1f MB are free; choose another cache folder "
        "(--cache) or fewer samples (--count)",
        path, (double)need / 1e6, have / 1e6);
}

/* All space is taken before the first sample is made, so a full disk shows at once. */
static int reserve(int fd, const char *part, uint64_t need, struct assay_err *err)
{
    struct statvfs fs;
    int e;

    if (fstatvfs(fd, &fs) == 0 && (double)fs.f_bavail * (double)fs.f_frsize < (double)need)
        return no_space(part, need, err);
    e = posix_fallocate(fd, 0, (off_t)need);
    if (e == ENOSPC || e == EDQUOT || e == EFBIG)
        return no_space(part, need, err);
    if (e)
        return assay_fail(err, ASSAY_EFAIL, "%s: cannot be written: %s", part, strerror(e));
    return ASSAY_OK;
}

static int build_samples(struct builder *b, struct assay_err *err)
{
    const struct cache_spec *s = b->spec;
    struct workers w = {s->threads,  s->count,        build_sample, b,
                        s->progress, s->progress_ctx, s->stop};
    uint32_t i;
    int rc = ASSAY_OK;

    b->samples = calloc(s->threads, sizeof(*b->samples));
    for (i = 0; b->samples && i < s->threads; i++)
        if (!(b->samples[i] = aligned_alloc(64, b->cache->head.stride)))
            break;
        else
            memset(b->samples[i], 0, b->cache->head.stride);
    if (!b->samples || i < s->threads)
        rc = assay_fail(err, ASSAY_EFAIL, "%s: not enough memory for %u threads", s->name,
                        s->threads);
    if (!rc)
        rc = workers_run(&w, err);
    for (i = 0; b->samples && i < s->threads; i++)
        free(b->samples[i]);
    free(b->samples);
    return rc;
}

/* Under the lock. */
static int cache_build(const struct cache_spec *spec, const struct cache *c, const char *part,
                       struct assay_err *err)
{
    struct builder b = {.spec = spec, .cache = c, .part = part};
    int rc;

    b.fd = open(part, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (b.fd < 0)
        return assay_fail(err, ASSAY_EFAIL, "%s: cannot be written: %s", part, strerror(errno));
    rc = reserve(b.fd, part, cache_bytes(c), err);
    if (!rc)
        rc = build_samples(&b, err);
    if (!rc)
        rc = write_at(b.fd, &c->head, sizeof(c->head), 0, part, err);
    if (!rc && (fsync(b.fd) < 0 || rename(part, c->path) < 0))
        rc = assay_fail(err, ASSAY_EFAIL, "%s: cannot be put in place: %s", c->path,
                        strerror(errno));
    if (rc)
        unlink(part);
    close(b.fd);
    return rc;
}

/* Waits for another builder, but not deaf to the user. */
static int lock_wait(const char *path, const volatile int *stop, int *fd, struct assay_err *err)
{
    const struct timespec pause = {0, 50000000};

    *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (*fd < 0)
        return assay_fail(err, ASSAY_EFAIL, "%s: cannot be written: %s", path, strerror(errno));
    while (flock(*fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return assay_fail(err, ASSAY_EFAIL, "%s: cannot be locked: %s", path, strerror(errno));
        if (stop && *stop)
            return assay_fail(err, ASSAY_ESTOP, "interrupted");
        nanosleep(&pause, NULL);
    }
    return ASSAY_OK;
}

int cache_open(const struct cache_spec *spec, struct cache **out, struct assay_err *err)
{
    struct cache *c = calloc(1, sizeof(*c));
    char *folder = file_join(spec->dir, "samples"), *part = NULL, *lock = NULL;
    int fd = -1, rc;

    if (c)
        c->fd = -1;
    if (!c || !folder) {
        rc = assay_fail(err, ASSAY_EFAIL, "%s: not enough memory", spec->name);
        goto out;
    }
    rc = head_make(spec, &c->head, err);
    if (!rc)
        rc = file_make_dirs(folder, err);
    if (rc)
        goto out;
    c->path = text_format("%s/%s-%.16s.samples", folder, spec->name, spec->key);
    part = text_format("%s/%s-%.16s.part", folder, spec->name, spec->key);
    lock = text_format("%s/%s-%.16s.lock", folder, spec->name, spec->key);
    if (!c->path || !part || !lock) {
        rc = assay_fail(err, ASSAY_EFAIL, "%s: not enough memory", spec->name);
        goto out;
    }
    if (cache_map(c))
        goto out;
    rc = lock_wait(lock, spec->stop, &fd, err);
    if (rc || cache_map(c)) /* another process may have made it meanwhile */
        goto out;
    rc = cache_build(spec, c, part, err);
    if (!rc && !cache_map(c))
        rc = assay_fail(err, ASSAY_EFAIL, "%s: cannot be mapped: %s", c->path, strerror(errno));
out:
    if (fd >= 0)
        close(fd);
    free(folder);
    free(part);
    free(lock);
    if (rc)
        cache_close(c);
    else
        *out = c;
    return rc;
}

int cache_input(const struct cache *c, uint64_t index, uint32_t input, struct assay_tensor *view,
                struct assay_err *err)
{
    const struct head *h = &c->head;

    if (index >= h->count || input >= h->input_count)
        return assay_fail(err, ASSAY_EFAIL, "%s: has no input %u of sample %llu", c->path, input,
                          (unsigned long long)index);
    memset(view, 0, sizeof(*view));
    view->dtype = h->inputs[input].dtype;
    view->rank = h->inputs[input].rank;
    memcpy(view->dims, h->inputs[input].dims, sizeof(view->dims));
    view->bytes = h->inputs[input].bytes;
    view->data = c->map + HEAD_BYTES + index * h->stride + h->inputs[input].offset;
    return ASSAY_OK;
}

/* The pages that hold a sample. */
static uint8_t *pages_of(const struct cache *c, uint64_t index, size_t *bytes)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), from = HEAD_BYTES + index * c->head.stride;
    uint64_t to = from + c->head.stride;

    from -= from % page;
    *bytes = to - from;
    return c->map + from;
}

/* Also reads every page of the sample. */
static int check_sample(const struct cache *c, uint64_t index, struct assay_err *err)
{
    uint64_t want;

    memcpy(&want, c->map + sum_at(&c->head, index), sizeof(want));
    if (check_sum(c->map + HEAD_BYTES + index * c->head.stride, c->head.stride) == want)
        return ASSAY_OK;
    return assay_fail(err, ASSAY_EFAIL,
                      "%s: sample %llu is damaged (the disk, or another program, changed it); %s",
                      c->path, (unsigned long long)index,
                      unlink(c->path) < 0 ? "remove the file and run again"
                                          : "the file is removed: run again to make it anew");
}

int cache_load(const struct cache *c, const uint64_t *index, uint64_t n, struct assay_err *err)
{
    uint8_t *pages;
    size_t bytes;
    uint64_t i;
    int rc = ASSAY_OK;

    for (i = 0; i < n; i++) {
        if (index[i] >= c->head.count)
            return assay_fail(err, ASSAY_EFAIL, "%s: has no sample %llu", c->path,
                              (unsigned long long)index[i]);
        pages = pages_of(c, index[i], &bytes);
        madvise(pages, bytes, MADV_WILLNEED);
    }
    for (i = 0; i < n && !rc; i++)
        rc = check_sample(c, index[i], err);
    return rc;
}

void cache_unload(const struct cache *c, const uint64_t *index, uint64_t n)
{
    uint8_t *pages;
    size_t bytes;
    uint64_t i;

    for (i = 0; i < n; i++) {
        if (index[i] >= c->head.count)
            continue;
        pages = pages_of(c, index[i], &bytes);
        madvise(pages, bytes, MADV_DONTNEED);
    }
}

void cache_close(struct cache *c)
{
    if (!c)
        return;
    if (c->map)
        munmap(c->map, c->bytes);
    if (c->fd >= 0)
        close(c->fd);
    free(c->path);
    free(c);
}
