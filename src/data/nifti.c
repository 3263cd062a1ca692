/* The reader of NIfTI-1; see nifti.h.
 *
 * Header, 348 bytes (offsets): 0 its own size; 40 eight int16: rank and dims; 70 type; 72 bits of a
 * voxel; 76 eight float32: sign of the axes, spacing; 108 where the voxels begin; 112 slope; 116
 * offset; 344 "n+1".  The file is read as a stream, BLOCK planes of the file at a time, which are
 * turned so that every write to memory is a run of BLOCK voxels. */
#include "data/nifti.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/file.h"

enum { HEAD_BYTES = 348, BLOCK = 16, MAX_START = 1 << 20, MAX_PLANE = 1 << 24 };

/* Deflate makes at most 1032 bytes of one: no file can hold more than this many times its size. */
#define MAX_RATIO 1040

struct source {
    const char *path;
    gzFile gz;
};

static const struct type {
    int32_t code, bytes;
} types[] = {{2, 1},   {4, 2},   {8, 4},   {16, 4},   {64, 8},
             {256, 1}, {512, 2}, {768, 4}, {1024, 8}, {1280, 8}};

static uint32_t type_bytes(int32_t code)
{
    size_t i;

    for (i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (types[i].code == code)
            return (uint32_t)types[i].bytes;
    return 0;
}

/* ---- the stream ---- */

static int source_open(struct source *s, const char *path, struct assay_err *err)
{
    s->path = path;
    s->gz = gzopen(path, "rb");
    if (!s->gz)
        return assay_fail(err, ASSAY_EFAIL, "%s: cannot be read: %s", path,
                          strerror(errno ? errno : ENOMEM));
    gzbuffer(s->gz, 1 << 18);
    return ASSAY_OK;
}

static int source_error(const struct source *s, struct assay_err *err)
{
    int code = Z_OK;
    const char *text = gzerror(s->gz, &code), *colon = strrchr(text, ':');

    if (code == Z_ERRNO)
        text = strerror(errno);
    else if (colon) /* zlib puts the path before it */
        text = colon + 2;
    if (code == Z_OK || code == Z_BUF_ERROR)
        return assay_fail(err, ASSAY_EFAIL, "%s: is cut off", s->path);
    return assay_fail(err, ASSAY_EFAIL, "%s: is damaged: %s", s->path, text);
}

static int source_read(const struct source *s, void *to, size_t bytes, struct assay_err *err)
{
    while (bytes) {
        unsigned part = bytes > 1u << 30 ? 1u << 30 : (unsigned)bytes;
        int got = gzread(s->gz, to, part);

        if (got <= 0)
            return source_error(s, err);
        to = (char *)to + got;
        bytes -= (size_t)got;
    }
    return ASSAY_OK;
}

/* Nothing may follow; reading to the end also compares the check sum. */
static int source_end(const struct source *s, struct assay_err *err)
{
    char more;
    int got = gzread(s->gz, &more, 1), code = Z_OK;

    gzerror(s->gz, &code);
    if (got < 0 || code != Z_OK)
        return source_error(s, err);
    return got ? assay_fail(err, ASSAY_EFAIL, "%s: has more data than its header says", s->path)
               : ASSAY_OK;
}

/* ---- the header ---- */

static void swap_bytes(uint8_t *values, size_t n, uint32_t bytes)
{
    size_t i;
    uint32_t k;

    for (i = 0; i < n; i++, values += bytes)
        for (k = 0; k < bytes / 2; k++) {
            uint8_t kept = values[k];

            values[k] = values[bytes - 1 - k];
            values[bytes - 1 - k] = kept;
        }
}

static int16_t head_short(const uint8_t *raw, uint32_t at, bool swapped)
{
    uint8_t b[2];
    int16_t v;

    memcpy(b, raw + at, sizeof(b));
    if (swapped)
        swap_bytes(b, 1, sizeof(b));
    memcpy(&v, b, sizeof(v));
    return v;
}

static float head_float(const uint8_t *raw, uint32_t at, bool swapped)
{
    uint8_t b[4];
    float v;

    memcpy(b, raw + at, sizeof(b));
    if (swapped)
        swap_bytes(b, 1, sizeof(b));
    memcpy(&v, b, sizeof(v));
    return v;
}

/* Which byte order; anything but a single NIfTI-1 file is refused. */
static int head_order(const char *path, const uint8_t *raw, struct nifti *h, struct assay_err *err)
{
    uint32_t size;

    memcpy(&size, raw, sizeof(size));
    h->swapped = size != HEAD_BYTES;
    if (size == 540 || size == __builtin_bswap32(540))
        return assay_fail(err, ASSAY_EFAIL, "%s: is NIfTI-2; wanted: NIfTI-1", path);
    if ((size != HEAD_BYTES && size != __builtin_bswap32(HEAD_BYTES)) ||
        memcmp(raw + 344, "n+1", 4) != 0)
        return assay_fail(err, ASSAY_EFAIL,
                          "%s: is no NIfTI-1 file (.nii or .nii.gz, header and voxels in one)",
                          path);
    return ASSAY_OK;
}

static int head_dims(const char *path, const uint8_t *raw, struct nifti *h, struct assay_err *err)
{
    int rank = head_short(raw, 40, h->swapped), i;
    uint64_t voxels = 1;

    if (rank != 3)
        return assay_fail(err, ASSAY_EFAIL, "%s: has %d dimensions; wanted: one volume of 3", path,
                          rank);
    for (i = 0; i < 3; i++) {
        int n = head_short(raw, 42 + 2 * (uint32_t)i, h->swapped);
        double spacing = head_float(raw, 80 + 4 * (uint32_t)i, h->swapped);

        if (n < 1)
            return assay_fail(err, ASSAY_EFAIL, "%s: dimension %d is %d", path, i + 1, n);
        if (!isfinite(spacing) || spacing <= 0)
            return assay_fail(err, ASSAY_EFAIL, "%s: the spacing of dimension %d is %g mm", path,
                              i + 1, spacing);
        h->dims[i] = (uint32_t)n;
        h->spacing[i] = spacing;
        voxels *= h->dims[i];
    }
    if (voxels > NIFTI_MAX_VOXELS || h->dims[0] * h->dims[1] > MAX_PLANE)
        return assay_fail(err, ASSAY_EFAIL,
                          "%s: has %u x %u x %u voxels; at most %llu, and %d in a plane, are taken",
                          path, h->dims[0], h->dims[1], h->dims[2],
                          (unsigned long long)NIFTI_MAX_VOXELS, MAX_PLANE);
    return ASSAY_OK;
}

static int head_values(const char *path, const uint8_t *raw, struct nifti *h, struct assay_err *err)
{
    float start = head_float(raw, 108, h->swapped);
    int bits = head_short(raw, 72, h->swapped);

    h->type = head_short(raw, 70, h->swapped);
    if (!type_bytes(h->type))
        return assay_fail(err, ASSAY_EFAIL,
                          "%s: voxels of type %d; wanted: integers or float32, float64", path,
                          h->type);
    if (bits != (int)type_bytes(h->type) * 8)
        return assay_fail(err, ASSAY_EFAIL, "%s: type %d has %u bits a voxel, the header says %d",
                          path, h->type, type_bytes(h->type) * 8, bits);
    if (!(start >= HEAD_BYTES && start <= MAX_START) || start != floorf(start))
        return assay_fail(err, ASSAY_EFAIL, "%s: its voxels begin at byte %g", path, (double)start);
    h->start = (uint32_t)start;
    h->slope = head_float(raw, 112, h->swapped);
    h->offset = head_float(raw, 116, h->swapped);
    if (h->slope == 0 || !isfinite(h->slope)) { /* not scaled, as nibabel reads it */
        h->slope = 1;
        h->offset = 0;
    }
    if (!isfinite(h->offset))
        return assay_fail(err, ASSAY_EFAIL, "%s: the values' offset is %g", path, h->offset);
    return ASSAY_OK;
}

static int read_head(const struct source *s, struct nifti *h, struct assay_err *err)
{
    uint8_t raw[HEAD_BYTES];
    int rc;

    memset(h, 0, sizeof(*h));
    if ((rc = source_read(s, raw, sizeof(raw), err)) || (rc = head_order(s->path, raw, h, err)) ||
        (rc = head_dims(s->path, raw, h, err)))
        return rc;
    return head_values(s->path, raw, h, err);
}

int nifti_read_head(const char *path, struct nifti *head, struct assay_err *err)
{
    struct source s;
    int rc = source_open(&s, path, err);

    if (rc)
        return rc;
    rc = read_head(&s, head, err);
    gzclose(s.gz);
    return rc;
}

/* ---- the voxels ---- */

/* Where they go: one of the two. */
struct target {
    float *image;
    uint8_t *labels;
    uint32_t classes;
};

#define EACH(type)                                                                                 \
    for (i = 0; i < n; i++) {                                                                      \
        type v;                                                                                    \
        memcpy(&v, raw + i * sizeof(v), sizeof(v));                                                \
        out[i] = (double)v * h->slope + h->offset;                                                 \
    }                                                                                              \
    break

/* n stored values -> doubles; the bytes of raw are turned in place. */
static void decode(const struct nifti *h, uint8_t *raw, size_t n, double *out)
{
    size_t i;

    if (h->swapped)
        swap_bytes(raw, n, type_bytes(h->type));
    switch (h->type) {
    case 2:
        EACH(uint8_t);
    case 4:
        EACH(int16_t);
    case 8:
        EACH(int32_t);
    case 16:
        EACH(float);
    case 64:
        EACH(double);
    case 256:
        EACH(int8_t);
    case 512:
        EACH(uint16_t);
    case 768:
        EACH(uint32_t);
    case 1024:
        EACH(int64_t);
    default:
        EACH(uint64_t);
    }
}

static int bad_voxel(const char *path, const struct target *t, double v, const uint32_t at[3],
                     struct assay_err *err)
{
    if (t->image)
        return assay_fail(err, ASSAY_EFAIL, "%s: voxel (%u, %u, %u) is not a finite number", path,
                          at[0], at[1], at[2]);
    return assay_fail(err, ASSAY_EFAIL,
                      "%s: voxel (%u, %u, %u) is of class %g; wanted: whole numbers 0..%u", path,
                      at[0], at[1], at[2], v, t->classes - 1);
}

/* block [planes][dims 1][dims 0] -> voxels [dims 0][dims 1][first .. first + planes). */
static int turn(const char *path, const struct nifti *h, const double *block, uint32_t first,
                uint32_t planes, const struct target *t, struct assay_err *err)
{
    size_t plane = (size_t)h->dims[0] * h->dims[1];
    uint32_t i, j, k;

    for (j = 0; j < h->dims[1]; j++)
        for (i = 0; i < h->dims[0]; i++) {
            const double *from = block + (size_t)j * h->dims[0] + i;
            size_t to = ((size_t)i * h->dims[1] + j) * h->dims[2] + first;

            for (k = 0; k < planes; k++, from += plane) {
                bool good = t->image ? isfinite((float)*from)
                                     : *from >= 0 && *from < t->classes && *from == floor(*from);

                if (!good)
                    return bad_voxel(path, t, *from, (const uint32_t[]){i, j, first + k}, err);
                if (t->image)
                    t->image[to + k] = (float)*from;
                else
                    t->labels[to + k] = (uint8_t)*from;
            }
        }
    return ASSAY_OK;
}

static int read_voxels(const struct source *s, const struct nifti *h, const struct target *t,
                       struct assay_err *err)
{
    size_t plane = (size_t)h->dims[0] * h->dims[1], bytes = type_bytes(h->type);
    uint8_t *raw = malloc(plane * bytes);
    uint32_t first, k, planes = h->dims[2] < BLOCK ? h->dims[2] : BLOCK;
    double *block = calloc(plane * planes, sizeof(*block));
    int rc = ASSAY_OK;

    if (!raw || !block) {
        rc = assay_fail(err, ASSAY_EFAIL, "%s: not enough memory", s->path);
        goto out;
    }
    for (first = 0; first < h->dims[2] && !rc; first += BLOCK) {
        planes = h->dims[2] - first < BLOCK ? h->dims[2] - first : BLOCK;
        for (k = 0; k < planes && !rc; k++)
            if (!(rc = source_read(s, raw, plane * bytes, err)))
                decode(h, raw, plane, block + k * plane);
        if (!rc)
            rc = turn(s->path, h, block, first, planes, t, err);
    }
    if (!rc)
        rc = source_end(s, err);
out:
    free(raw);
    free(block);
    return rc;
}

/* Before memory is taken for voxels that cannot be there. */
static int check_size(const char *path, const struct nifti *h, struct assay_err *err)
{
    int64_t size = file_size(path);

    if (size < 0 || nifti_voxels(h) * type_bytes(h->type) / MAX_RATIO > (uint64_t)size)
        return assay_fail(err, ASSAY_EFAIL,
                          "%s: is cut off: %lld bytes cannot hold %u x %u x %u voxels", path,
                          (long long)size, h->dims[0], h->dims[1], h->dims[2]);
    return ASSAY_OK;
}

static int skip_to_voxels(const struct source *s, const struct nifti *h, struct assay_err *err)
{
    uint8_t *skipped = malloc(MAX_START);
    int rc = skipped ? source_read(s, skipped, h->start - HEAD_BYTES, err)
                     : assay_fail(err, ASSAY_EFAIL, "%s: not enough memory", s->path);

    free(skipped);
    return rc;
}

/* classes 0: an image, float; else uint8_t. */
static int read_file(const char *path, uint32_t classes, struct nifti *h, void **out,
                     struct assay_err *err)
{
    struct source s;
    struct target t = {.classes = classes};
    void *voxels = NULL;
    int rc = source_open(&s, path, err);

    if (rc)
        return rc;
    if ((rc = read_head(&s, h, err)) || (rc = check_size(path, h, err)) ||
        (rc = skip_to_voxels(&s, h, err)))
        goto out;
    voxels = malloc(nifti_voxels(h) * (classes ? sizeof(*t.labels) : sizeof(*t.image)));
    if (!voxels) {
        rc = assay_fail(err, ASSAY_EFAIL, "%s: not enough memory for %u x %u x %u voxels", path,
                        h->dims[0], h->dims[1], h->dims[2]);
        goto out;
    }
    t.image = classes ? NULL : voxels;
    t.labels = classes ? voxels : NULL;
    rc = read_voxels(&s, h, &t, err);
    if (!rc) {
        *out = voxels;
        voxels = NULL;
    }
out:
    free(voxels);
    gzclose(s.gz);
    return rc;
}

int nifti_read_image(const char *path, struct nifti *head, float **voxels, struct assay_err *err)
{
    void *found = NULL;
    int rc = read_file(path, 0, head, &found, err);

    if (!rc)
        *voxels = found;
    return rc;
}

int nifti_read_labels(const char *path, uint32_t classes, struct nifti *head, uint8_t **voxels,
                      struct assay_err *err)
{
    void *found = NULL;
    int rc = read_file(path, classes, head, &found, err);

    if (!rc)
        *voxels = found;
    return rc;
}
