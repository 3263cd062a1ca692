/* Writes zip archives; see zip.h.  Layout: for each member a local header, its name, padding and
 * its bytes; then the directory, with a header for each member again; then where the directory is.
 */
#include "net/zip.h"

#include <string.h>

enum {
    LOCAL = 0x04034b50,
    ENTRY = 0x02014b50,
    END64 = 0x06064b50,
    LOCATOR64 = 0x07064b50,
    END = 0x06054b50
};
enum { VERSION = 20, VERSION64 = 45, EXTRA64 = 0x0001, EXTRA_PAD = 0x4246 };
enum { DATE = 0x0021 }; /* 1980-01-01, the first day that there is */

#define MAX32         0xffffffffu
#define MAX16         0xffffu
#define DIRECTORY_MAX (64u << 20)

struct member {
    const char *name;
    uint32_t crc;
    uint64_t len, offset;
};

void zip_init(struct zip *z, struct file_whole *file)
{
    memset(z, 0, sizeof(*z));
    z->file = file;
    z->limit = MAX32;
    text_init(&z->directory, DIRECTORY_MAX);
}

void zip_release(struct zip *z)
{
    text_release(&z->directory);
}

/* table[k][i]: what byte i does to the checksum when k bytes come behind it. */
static void crc_table(uint32_t table[8][256])
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;

        for (int k = 0; k < 8; k++)
            c = c >> 1 ^ (c & 1 ? 0xedb88320u : 0);
        table[0][i] = c;
    }
    for (uint32_t i = 0; i < 256; i++)
        for (int k = 1; k < 8; k++)
            table[k][i] = table[0][table[k - 1][i] & 255] ^ table[k - 1][i] >> 8;
}

/* Eight bytes at a time: a net's weights are hundreds of megabytes. */
uint32_t zip_crc(const void *data, size_t len)
{
    uint32_t table[8][256], crc = MAX32;
    const unsigned char *p = data;

    crc_table(table);
    for (; len >= 8; len -= 8, p += 8) {
        crc ^= p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
        crc = table[7][crc & 255] ^ table[6][crc >> 8 & 255] ^ table[5][crc >> 16 & 255] ^
              table[4][crc >> 24] ^ table[3][p[4]] ^ table[2][p[5]] ^ table[1][p[6]] ^
              table[0][p[7]];
    }
    for (; len; len--)
        crc = table[0][(crc ^ *p++) & 255] ^ crc >> 8;
    return ~crc;
}

/* The n low bytes of v. */
static void number(struct text *t, int n, uint64_t v)
{
    char b[8];

    for (int i = 0; i < n; i++)
        b[i] = (char)(v >> 8 * i);
    text_addn(t, b, (size_t)n);
}

static bool large(const struct zip *z, uint64_t v)
{
    return v >= z->limit;
}

/* 32 bits of v, or the mark that says: look into the 64-bit field. */
static void number32(const struct zip *z, struct text *t, uint64_t v)
{
    number(t, 4, large(z, v) ? MAX32 : v);
}

/* What a local header and an entry of the directory share. */
static void common(const struct zip *z, struct text *t, const struct member *m, size_t extra)
{
    number(t, 2, large(z, m->len) || large(z, m->offset) ? VERSION64 : VERSION);
    number(t, 2, 0); /* flags */
    number(t, 2, 0); /* method: stored */
    number(t, 2, 0); /* time */
    number(t, 2, DATE);
    number(t, 4, m->crc);
    number32(z, t, m->len);
    number32(z, t, m->len);
    number(t, 2, strlen(m->name));
    number(t, 2, extra);
}

static void local_header(const struct zip *z, struct text *t, const struct member *m)
{
    size_t wide = large(z, m->len) ? 20 : 0, fixed = 30 + strlen(m->name) + wide + 4;
    size_t pad = (ZIP_ALIGN - (m->offset + fixed) % ZIP_ALIGN) % ZIP_ALIGN;

    number(t, 4, LOCAL);
    common(z, t, m, wide + 4 + pad);
    text_add(t, m->name);
    if (wide) {
        number(t, 2, EXTRA64);
        number(t, 2, 16);
        number(t, 8, m->len);
        number(t, 8, m->len);
    }
    number(t, 2, EXTRA_PAD);
    number(t, 2, pad);
    for (; pad; pad--)
        text_addn(t, "Z", 1);
}

static void directory_entry(struct zip *z, const struct member *m)
{
    struct text *t = &z->directory;
    size_t wide = (large(z, m->len) ? 16u : 0u) + (large(z, m->offset) ? 8u : 0u);

    number(t, 4, ENTRY);
    number(t, 2, wide ? VERSION64 : VERSION); /* made by */
    common(z, t, m, wide ? wide + 4 : 0);
    number(t, 2, 0); /* comment */
    number(t, 2, 0); /* disk */
    number(t, 2, 0); /* attributes */
    number(t, 4, 0);
    number32(z, t, m->offset);
    text_add(t, m->name);
    if (wide) {
        number(t, 2, EXTRA64);
        number(t, 2, wide);
    }
    if (large(z, m->len)) {
        number(t, 8, m->len);
        number(t, 8, m->len);
    }
    if (large(z, m->offset))
        number(t, 8, m->offset);
}

static int put(struct zip *z, const void *data, size_t len, struct assay_err *err)
{
    z->at += len;
    return file_whole_write(z->file, data, len, err);
}

int zip_add(struct zip *z, const char *name, const void *data, size_t len, struct assay_err *err)
{
    struct member m = {name, zip_crc(data, len), len, z->at};
    struct text head;
    int rc;

    text_init(&head, 4096);
    local_header(z, &head, &m);
    directory_entry(z, &m);
    z->count++;
    if (head.cut || z->directory.cut)
        rc = assay_fail(err, ASSAY_EFAIL, "%s: out of memory, or its directory is too large",
                        z->file->path);
    else
        rc = put(z, head.s, head.len, err);
    if (!rc)
        rc = put(z, data, len, err);
    text_release(&head);
    return rc;
}

int zip_end(struct zip *z, struct assay_err *err)
{
    struct text *t = &z->directory;
    uint64_t size = t->len, offset = z->at;
    bool many = z->count >= MAX16;

    if (many || large(z, size) || large(z, offset)) {
        number(t, 4, END64);
        number(t, 8, 44); /* the rest of this record */
        number(t, 2, VERSION64);
        number(t, 2, VERSION64);
        number(t, 4, 0);
        number(t, 4, 0);
        number(t, 8, z->count);
        number(t, 8, z->count);
        number(t, 8, size);
        number(t, 8, offset);
        number(t, 4, LOCATOR64);
        number(t, 4, 0);
        number(t, 8, offset + size);
        number(t, 4, 1); /* disks */
    }
    number(t, 4, END);
    number(t, 2, 0);
    number(t, 2, 0);
    number(t, 2, many ? MAX16 : z->count);
    number(t, 2, many ? MAX16 : z->count);
    number32(z, t, size);
    number32(z, t, offset);
    number(t, 2, 0); /* comment */
    if (t->cut)
        return assay_fail(err, ASSAY_EFAIL, "%s: out of memory", z->file->path);
    return put(z, t->s, t->len, err);
}

int zip_write_file(const char *path, int (*add)(void *ctx, struct zip *z, struct assay_err *err),
                   void *ctx, struct assay_err *err)
{
    struct file_whole file;
    struct zip z;
    int rc = file_whole_begin(&file, path, err);

    if (rc)
        return rc;
    zip_init(&z, &file);
    rc = add(ctx, &z, err);
    if (!rc)
        rc = zip_end(&z, err);
    if (!rc)
        rc = file_whole_commit(&file, err);
    file_whole_abandon(&file);
    zip_release(&z);
    return rc;
}
