/* Reads and writes .npz; see npz.h.
 *
 * A zip's list of members is at its end: the last record (22 bytes and a comment) says where the
 * list begins, or, where that needs more than 32 bits, the zip64 record does, to which the 20 bytes
 * before the last record point.  Numbers are little-endian. */
#include "data/npz.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/file.h"
#include "data/npy.h"

enum {
    LAST = 0x06054b50,
    LAST_BYTES = 22,
    LOCATOR = 0x07064b50,
    LOCATOR_BYTES = 20,
    LAST64 = 0x06064b50,
    LAST64_BYTES = 56,
    MEMBER = 0x02014b50,
    MEMBER_BYTES = 46,
    LOCAL = 0x04034b50,
    LOCAL_BYTES = 30,
    STORED = 0,
    DEFLATED = 8,
    VERSION = 20, /* wanted of readers */
    DATE = 0x0021 /* 1980-01-01, the first day that there is: the same array gives the same bytes */
};

static uint64_t number(const uint8_t *p, int bytes)
{
    uint64_t value = 0;

    while (bytes--)
        value = value << 8 | p[bytes];
    return value;
}

static int damaged(const struct npz *z, const char *what, struct assay_err *err)
{
    return assay_fail(err, ASSAY_EFAIL, "%s: is cut off, or no .npz file (%s)", z->map.path, what);
}

/* `n` bytes at `at` that begin with this signature; NULL: they do not. */
static const uint8_t *record(const struct npz *z, uint64_t at, uint64_t n, uint32_t signature)
{
    bool within = at <= z->map.bytes && n <= z->map.bytes - at;

    return within && number(z->map.data + at, 4) == signature ? z->map.data + at : NULL;
}

int npz_index(struct npz *z, struct assay_err *err)
{
    size_t size = z->map.bytes, back;
    const uint8_t *last = NULL, *p;

    for (back = LAST_BYTES; back <= size && back <= LAST_BYTES + 65535 && !last; back++)
        last = record(z, size - back, LAST_BYTES, LAST);
    if (!last)
        return damaged(z, "it has no last record", err);
    z->entries = number(last + 10, 2);
    z->directory = number(last + 16, 4);
    back = (size_t)(last - z->map.data);
    if (back < LOCATOR_BYTES || !(p = record(z, back - LOCATOR_BYTES, LOCATOR_BYTES, LOCATOR)))
        return ASSAY_OK;
    if (!(p = record(z, number(p + 8, 8), LAST64_BYTES, LAST64)))
        return damaged(z, "its zip64 record is missing", err);
    z->entries = number(p + 32, 8);
    z->directory = number(p + 48, 8);
    return ASSAY_OK;
}

int npz_open(const char *path, struct npz *z, struct assay_err *err)
{
    int rc;

    memset(z, 0, sizeof(*z));
    rc = mapped_open(path, &z->map, err);
    if (!rc)
        rc = npz_index(z, err);
    if (rc)
        npz_close(z);
    return rc;
}

void npz_close(struct npz *z)
{
    mapped_close(&z->map);
    memset(z, 0, sizeof(*z));
}

struct member {
    uint64_t packed, bytes, at; /* at: of its local header */
    uint32_t method, crc;
};

/* Sizes and place that do not fit 32 bits stand in the extra field 1, in this order. */
static void widen(const uint8_t *extra, size_t n, struct member *m)
{
    uint64_t *const wide[] = {&m->bytes, &m->packed, &m->at};
    size_t size, i;

    for (; n >= 4; extra += 4 + size, n -= 4 + size) {
        size = number(extra + 2, 2);
        if (size > n - 4)
            return;
        if (number(extra, 2) != 1)
            continue;
        for (i = 0; i < 3; i++)
            if (*wide[i] == UINT32_MAX && size >= 8) {
                *wide[i] = number(extra + 4, 8);
                extra += 8, n -= 8, size -= 8;
            }
    }
}

static int find_member(const struct npz *z, const char *name, struct member *m,
                       struct assay_err *err)
{
    uint64_t at = z->directory, i, n, extra;
    const uint8_t *p;

    for (i = 0; i < z->entries; i++, at += MEMBER_BYTES + n + extra + number(p + 32, 2)) {
        if (!(p = record(z, at, MEMBER_BYTES, MEMBER)))
            return damaged(z, "its list of members", err);
        n = number(p + 28, 2);
        extra = number(p + 30, 2);
        if (n + extra > z->map.bytes - at - MEMBER_BYTES)
            return damaged(z, "its list of members", err);
        if (n != strlen(name) || memcmp(p + MEMBER_BYTES, name, n) != 0)
            continue;
        *m = (struct member){number(p + 20, 4), number(p + 24, 4), number(p + 42, 4),
                             (uint32_t)number(p + 10, 2), (uint32_t)number(p + 16, 4)};
        widen(p + MEMBER_BYTES + n, extra, m);
        return ASSAY_OK;
    }
    return assay_fail(err, ASSAY_EFAIL, "%s: has no array '%s'", z->map.path, name);
}

static int inflate_all(const struct npz *z, const uint8_t *from, const struct member *m, void **out,
                       struct assay_err *err)
{
    z_stream s = {.next_in = (uint8_t *)from};
    uint64_t in = m->packed, left = m->bytes;
    int rc = Z_OK;

    /* Deflate packs to 1/1032 at best: a larger promise is a lie. */
    if (m->bytes / 1100 > m->packed || !(*out = malloc(m->bytes + 1)))
        return assay_fail(err, ASSAY_EFAIL, "%s: not enough memory, or it is damaged", z->map.path);
    if (inflateInit2(&s, -MAX_WBITS) != Z_OK)
        return assay_fail(err, ASSAY_EFAIL, "%s: zlib cannot start", z->map.path);
    s.next_out = *out;
    while (rc == Z_OK && (in || left)) { /* zlib counts in 32 bits */
        s.avail_in = in < 1u << 30 ? (uInt)in : 1u << 30;
        s.avail_out = left < 1u << 30 ? (uInt)left : 1u << 30;
        in -= s.avail_in;
        left -= s.avail_out;
        rc = inflate(&s, Z_NO_FLUSH);
        in += s.avail_in;
        left += s.avail_out;
    }
    inflateEnd(&s);
    return rc == Z_STREAM_END && !left ? ASSAY_OK : damaged(z, "a member does not unpack", err);
}

/* The member, and its bytes as they lie in the file. */
static int locate(const struct npz *z, const char *name, struct member *m, const uint8_t **data,
                  struct assay_err *err)
{
    const uint8_t *p;
    uint64_t at;
    int rc = find_member(z, name, m, err);

    if (rc)
        return rc;
    if (!(p = record(z, m->at, LOCAL_BYTES, LOCAL)))
        return damaged(z, "a member's header", err);
    at = m->at + LOCAL_BYTES + number(p + 26, 2) + number(p + 28, 2);
    if (at > z->map.bytes || m->packed > z->map.bytes - at ||
        (m->method == STORED && m->packed != m->bytes))
        return damaged(z, "a member's size", err);
    if (m->method != STORED && m->method != DEFLATED)
        return assay_fail(err, ASSAY_EFAIL,
                          "%s: '%s' is packed by method %u; wanted: stored or "
                          "deflated",
                          z->map.path, name, m->method);
    *data = z->map.data + at;
    return ASSAY_OK;
}

static int check_sum(const struct npz *z, const char *name, const struct member *m,
                     const uint8_t *data, struct assay_err *err)
{
    if (crc32_z(0, data, m->bytes) == m->crc)
        return ASSAY_OK;
    return assay_fail(err, ASSAY_EFAIL,
                      "%s: '%s' is damaged: its check sum is not the one that the file says; get "
                      "the file again",
                      z->map.path, name);
}

int npz_check(const struct npz *z, const char *name, struct assay_err *err)
{
    struct member m = {0};
    const uint8_t *data;
    int rc = locate(z, name, &m, &data, err);

    return rc || m.method != STORED ? rc : check_sum(z, name, &m, data, err);
}

int npz_member(const struct npz *z, const char *name, struct assay_tensor *view, void **owned,
               struct assay_err *err)
{
    const uint8_t *data;
    struct member m = {0};
    int rc = locate(z, name, &m, &data, err);

    *owned = NULL;
    if (!rc && m.method == DEFLATED) {
        rc = inflate_all(z, data, &m, owned, err);
        data = *owned;
        if (!rc)
            rc = check_sum(z, name, &m, data, err);
    }
    if (!rc)
        rc = npy_parse(data, m.bytes, z->map.path, view, err);
    if (rc) {
        free(*owned);
        *owned = NULL;
    }
    return rc;
}

/* ---- writing ---- */

static void add(struct text *t, int bytes, uint64_t value)
{
    char b[8];
    int i;

    for (i = 0; i < bytes; i++)
        b[i] = (char)(value >> 8 * i);
    text_addn(t, b, (size_t)bytes);
}

/* What the local header and the list share. */
static void add_member(struct text *t, const char *name, uint64_t bytes, uint32_t crc)
{
    add(t, 2, VERSION);
    add(t, 2, 0); /* flags */
    add(t, 2, STORED);
    add(t, 2, 0); /* time */
    add(t, 2, DATE);
    add(t, 4, crc);
    add(t, 4, bytes);
    add(t, 4, bytes);
    add(t, 2, strlen(name));
    add(t, 2, 0); /* extra */
}

static void add_list(struct text *t, const char *name, uint64_t bytes, uint32_t crc)
{
    size_t size = MEMBER_BYTES + strlen(name);

    add(t, 4, MEMBER);
    add(t, 2, VERSION);
    add_member(t, name, bytes, crc);
    add(t, 2, 0); /* comment */
    add(t, 2, 0); /* disk */
    add(t, 2, 0); /* attributes */
    add(t, 4, 0); /* and more of them */
    add(t, 4, 0); /* where its local header is */
    text_add(t, name);
    add(t, 4, LAST);
    add(t, 4, 0); /* disks */
    add(t, 2, 1);
    add(t, 2, 1);
    add(t, 4, size);
    add(t, 4, LOCAL_BYTES + strlen(name) + bytes);
    add(t, 2, 0); /* comment */
}

int npz_write(const char *path, const char *name, const struct assay_tensor *t,
              struct assay_err *err)
{
    struct file_whole w = {.fd = -1};
    struct text npy, head, list;
    uint64_t bytes;
    uint32_t crc;
    int rc;

    text_init(&npy, 2048);
    text_init(&head, 1024);
    text_init(&list, 1024);
    rc = npy_head(path, t, &npy, err);
    bytes = npy.len + t->bytes;
    crc = (uint32_t)crc32_z(crc32_z(0, (const uint8_t *)npy.s, npy.len), t->data, t->bytes);
    if (!rc && bytes > INT32_MAX)
        rc = assay_fail(err, ASSAY_EUNSUPPORTED, "%s: is written with 2 GB at most", path);
    add(&head, 4, LOCAL);
    add_member(&head, name, bytes, crc);
    text_add(&head, name);
    add_list(&list, name, bytes, crc);
    if (!rc && (npy.cut || head.cut || list.cut))
        rc = assay_fail(err, ASSAY_EFAIL, "%s: not enough memory", path);
    if (!rc)
        rc = file_whole_begin(&w, path, err);
    if (!rc && !(rc = file_whole_write(&w, head.s, head.len, err)) &&
        !(rc = file_whole_write(&w, npy.s, npy.len, err)) &&
        !(rc = file_whole_write(&w, t->data, t->bytes, err)) &&
        !(rc = file_whole_write(&w, list.s, list.len, err)))
        rc = file_whole_commit(&w, err);
    file_whole_abandon(&w);
    text_release(&npy);
    text_release(&head);
    text_release(&list);
    return rc;
}
