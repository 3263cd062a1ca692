/* Reads zip archives of stored members from memory; see zip.h.
 *
 * The end is looked for first: it says where the directory is, which has an entry for each member
 * and the place of its local header.  Sizes are taken from the directory; of a local header only
 * how long it is. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "net/zip.h"

enum { LOCAL = 0x04034b50, ENTRY = 0x02014b50, END64 = 0x06064b50, LOCATOR64 = 0x07064b50 };
enum { END = 0x06054b50, EXTRA64 = 0x0001, FLAG_ENCRYPTED = 1 };
enum { LOCAL_BYTES = 30, ENTRY_BYTES = 46, END_BYTES = 22, END64_BYTES = 56, LOCATOR_BYTES = 20 };

#define MAX_MEMBERS 200000u
#define MAX32       0xffffffffu

struct archive {
    const unsigned char *data;
    size_t len;
    const char *what;
    struct assay_err *err;
};

static uint64_t number(const unsigned char *p, int n)
{
    uint64_t v = 0;

    while (n--)
        v = v << 8 | p[n];
    return v;
}

static int bad(const struct archive *a, const char *why)
{
    return assay_fail(a->err, ASSAY_EFAIL, "%s: is no whole zip archive: %s", a->what, why);
}

/* The last 64 kB may be a comment behind the end record. */
static const unsigned char *find_end(const struct archive *a)
{
    size_t at = a->len < END_BYTES ? 0 : a->len - END_BYTES + 1, tries = 65536;

    while (at-- > 0 && tries--)
        if (number(a->data + at, 4) == END &&
            at + END_BYTES + number(a->data + at + 20, 2) <= a->len)
            return a->data + at;
    return NULL;
}

/* Where the directory is, and how many entries it has. */
static int find_directory(const struct archive *a, uint64_t *at, uint64_t *bytes, uint64_t *count)
{
    const unsigned char *end = find_end(a), *wide;
    uint64_t place;

    if (!end)
        return bad(a, "it has no end record; is it cut off?");
    *count = number(end + 10, 2);
    *bytes = number(end + 12, 4);
    *at = number(end + 16, 4);
    if (end - a->data >= LOCATOR_BYTES && number(end - LOCATOR_BYTES, 4) == LOCATOR64) {
        place = number(end - LOCATOR_BYTES + 8, 8);
        if (place > a->len || a->len - place < END64_BYTES || number(a->data + place, 4) != END64)
            return bad(a, "its 64-bit end record is not where it should be");
        wide = a->data + place;
        *count = number(wide + 32, 8);
        *bytes = number(wide + 40, 8);
        *at = number(wide + 48, 8);
    }
    if (*count > MAX_MEMBERS)
        return bad(a, "it has more than 200000 members");
    if (*at > a->len || *bytes > a->len - *at)
        return bad(a, "its directory lies outside the file");
    return ASSAY_OK;
}

/* The values that stand in the 64-bit field, in this order, where a 32-bit one says so. */
static int widen(const struct archive *a, const unsigned char *extra, size_t n, uint64_t *value[3])
{
    size_t field, at = 0;
    int i = 0;

    while (n - at >= 4) {
        field = number(extra + at + 2, 2);
        if (field > n - at - 4)
            break;
        if (number(extra + at, 2) == EXTRA64) {
            for (extra += at + 4, at = 0; i < 3; i++) {
                if (*value[i] != MAX32)
                    continue;
                if (field - at < 8)
                    break;
                *value[i] = number(extra + at, 8);
                at += 8;
            }
            break;
        }
        at += 4 + field;
    }
    for (; i < 3; i++)
        if (*value[i] == MAX32)
            return bad(a, "a member has no 64-bit size");
    return ASSAY_OK;
}

/* From the entry to the member's bytes. */
static int locate(const struct archive *a, uint64_t header, uint64_t bytes, struct zip_member *m)
{
    const unsigned char *local = a->data + header;
    uint64_t head;

    if (header > a->len || a->len - header < LOCAL_BYTES || number(local, 4) != LOCAL)
        return bad(a, "a member is not where the directory says");
    head = LOCAL_BYTES + number(local + 26, 2) + number(local + 28, 2);
    if (head > a->len - header || bytes > a->len - header - head)
        return bad(a, "a member lies outside the file");
    m->at = (size_t)(header + head);
    m->len = (size_t)bytes;
    return ASSAY_OK;
}

/* *entry moves on to the next. */
static int read_entry(const struct archive *a, const unsigned char **entry,
                      const unsigned char *end, struct zip_member *m)
{
    const unsigned char *e = *entry;
    uint64_t packed, bytes, header;
    size_t name, extra, comment;
    int rc;

    if (end - e < ENTRY_BYTES || number(e, 4) != ENTRY)
        return bad(a, "its directory is cut off");
    name = number(e + 28, 2);
    extra = number(e + 30, 2);
    comment = number(e + 32, 2);
    if (name + extra + comment > (size_t)(end - e) - ENTRY_BYTES)
        return bad(a, "its directory is cut off");
    packed = number(e + 20, 4);
    bytes = number(e + 24, 4);
    header = number(e + 42, 4);
    rc = widen(a, e + ENTRY_BYTES + name, extra, (uint64_t *[]){&bytes, &packed, &header});
    if (rc)
        return rc;
    if (number(e + 8, 2) & FLAG_ENCRYPTED || number(e + 10, 2) != 0 || packed != bytes)
        return assay_fail(a->err, ASSAY_EUNSUPPORTED,
                          "%s: has a compressed or encrypted member; torch.save writes none",
                          a->what);
    *m = (struct zip_member){.name = (const char *)e + ENTRY_BYTES,
                             .name_len = name,
                             .crc = (uint32_t)number(e + 16, 4)};
    *entry = e + ENTRY_BYTES + name + extra + comment;
    return locate(a, header, bytes, m);
}

static int by_place(const void *x, const void *y)
{
    const struct zip_member *a = x, *b = y;

    return a->at < b->at ? -1 : a->at > b->at;
}

static int by_name(const void *x, const void *y)
{
    const struct zip_member *a = x, *b = y;
    size_t n = a->name_len < b->name_len ? a->name_len : b->name_len;
    int order = memcmp(a->name, b->name, n);

    return order ? order : a->name_len < b->name_len ? -1 : a->name_len > b->name_len;
}

static int check_all(const struct archive *a, struct zip_member *m, size_t n, uint64_t directory)
{
    size_t i;

    qsort(m, n, sizeof(*m), by_place);
    for (i = 0; i < n; i++)
        if (m[i].at + m[i].len > (i + 1 < n ? m[i + 1].at : directory))
            return bad(a, "two members overlap");
    qsort(m, n, sizeof(*m), by_name);
    for (i = 1; i < n; i++)
        if (!by_name(&m[i - 1], &m[i]))
            return bad(a, "two members have the same name");
    return ASSAY_OK;
}

int zip_read(const void *data, size_t len, const char *what, struct zip_member **members,
             size_t *count, struct assay_err *err)
{
    const struct archive a = {data, len, what, err};
    const unsigned char *entry, *end;
    uint64_t at = 0, bytes = 0, n = 0, i;
    struct zip_member *m;
    int rc = find_directory(&a, &at, &bytes, &n);

    if (rc)
        return rc;
    if (n > bytes / ENTRY_BYTES)
        return bad(&a, "its directory is too small for its members");
    m = calloc((size_t)n + 1, sizeof(*m));
    if (!m)
        return assay_fail(err, ASSAY_EFAIL, "%s: out of memory", what);
    entry = a.data + at;
    end = entry + bytes;
    for (i = 0; !rc && i < n; i++)
        rc = read_entry(&a, &entry, end, &m[i]);
    if (!rc)
        rc = check_all(&a, m, (size_t)n, at);
    if (rc) {
        free(m);
        return rc;
    }
    *members = m;
    *count = (size_t)n;
    return ASSAY_OK;
}

struct zip_member *zip_find(struct zip_member *members, size_t count, const char *name, size_t n)
{
    const struct zip_member key = {.name = name, .name_len = n};

    return bsearch(&key, members, count, sizeof(*members), by_name);
}

int zip_check(const void *data, struct zip_member *m, const char *what, struct assay_err *err)
{
    if (!m->whole && zip_crc((const char *)data + m->at, m->len) != m->crc)
        return assay_fail(err, ASSAY_EFAIL,
                          "%s: is damaged: the checksum of its member '%.*s' is wrong", what,
                          m->name_len < 100 ? (int)m->name_len : 100, m->name);
    m->whole = true;
    return ASSAY_OK;
}
