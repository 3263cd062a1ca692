/* From a scan's voxels to the volume that the windows move over; see volume.h.
 *
 * Each axis becomes a table that says for every voxel of the result where it comes from; the three
 * tables then make the result in one pass: a plane is blended from two of the scan, a row from two
 * of that plane, a voxel from two of that row. */
#include "data/volume.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CLIP_LOW  (-79.0f)
#define CLIP_HIGH 304.0f
#define MEAN      101.0f
#define STD       76.9f
#define PADDING   (-2.2f)

enum { PADDED = -2, OUTSIDE = -1 };

/* Where voxel o of an axis comes from. */
struct place {
    int32_t low;  /* of the scan, or PADDED, or OUTSIDE */
    int32_t high; /* the next one, or the same at the end */
    int32_t near; /* the nearest */
    double part;  /* of the way from low to high */
};

const double volume_spacing[3] = {1.6, 1.2, 1.2};

/* ---- the tables ---- */

/* Sizes on the way, and what is put before or cut off before. */
struct sizes {
    uint32_t resampled, edge_before, cut_before, kept, pad_before, final;
};

static void find_sizes(uint32_t resampled, struct sizes *s)
{
    uint32_t edge = resampled < VOLUME_WINDOW ? VOLUME_WINDOW - resampled : 0, over, pad;

    s->resampled = resampled;
    s->edge_before = edge / 2;
    s->kept = resampled + edge;
    over = s->kept % VOLUME_STEP;
    over = over < VOLUME_STEP / 2 ? over : 0;
    s->cut_before = over / 2;
    s->kept -= over;
    pad = (VOLUME_STEP - s->kept % VOLUME_STEP) % VOLUME_STEP;
    s->pad_before = pad / 2;
    s->final = s->kept + pad;
}

/* 0: nothing would be left, or too much. */
static uint32_t resampled_size(const struct nifti *head, int axis)
{
    double size = rint(head->dims[axis] * (head->spacing[axis] / volume_spacing[axis]));

    return size >= 1 && size <= 65536 ? (uint32_t)size : 0;
}

int volume_dims(const struct nifti *head, const char *name, uint32_t dims[3], struct assay_err *err)
{
    uint64_t voxels = 1;
    struct sizes s;
    int a;

    for (a = 0; a < 3; a++) {
        uint32_t size = resampled_size(head, a);

        if (!size)
            return assay_fail(err, ASSAY_EFAIL,
                              "%s: dimension %d, %u voxels %g mm apart, cannot be resampled to "
                              "%g mm",
                              name, a + 1, head->dims[a], head->spacing[a], volume_spacing[a]);
        find_sizes(size, &s);
        dims[a] = s.final;
        voxels *= s.final;
    }
    if (voxels > NIFTI_MAX_VOXELS)
        return assay_fail(err, ASSAY_EFAIL,
                          "%s: would have %u x %u x %u voxels when resampled; at most %llu are "
                          "taken",
                          name, dims[0], dims[1], dims[2], (unsigned long long)NIFTI_MAX_VOXELS);
    return ASSAY_OK;
}

static struct place resampled_place(uint32_t n, uint32_t m, uint32_t o)
{
    double at = m > 1 ? o * ((double)(n - 1) / (double)(m - 1)) : 0;
    struct place p = {.low = OUTSIDE};

    if (at > n - 1)
        return p;
    p.low = (int32_t)at;
    p.high = p.low + 1 < (int32_t)n ? p.low + 1 : p.low;
    p.near = (int32_t)(at + 0.5);
    p.part = at - p.low;
    return p;
}

static struct place *axis_places(const struct nifti *head, int axis, uint32_t *n)
{
    uint32_t m = resampled_size(head, axis), i;
    struct place *places;
    struct sizes s;

    find_sizes(m, &s);
    *n = s.final;
    places = malloc(s.final * sizeof(*places));
    for (i = 0; places && i < s.final; i++) {
        int64_t o = (int64_t)i - s.pad_before + s.cut_before - s.edge_before;

        if (i < s.pad_before || i >= s.pad_before + s.kept) {
            places[i] = (struct place){.low = PADDED};
            continue;
        }
        o = o < 0 ? 0 : o >= m ? (int64_t)m - 1 : o;
        places[i] = resampled_place(head->dims[axis], m, (uint32_t)o);
    }
    return places;
}

struct grid {
    struct place *places[3];
    uint32_t n[3];
};

static void grid_release(struct grid *g)
{
    int a;

    for (a = 0; a < 3; a++)
        free(g->places[a]);
}

/* False: not enough memory. */
static bool grid_init(struct grid *g, const struct nifti *head)
{
    int a;

    memset(g, 0, sizeof(*g));
    for (a = 0; a < 3; a++)
        if (!(g->places[a] = axis_places(head, a, &g->n[a]))) {
            grid_release(g);
            return false;
        }
    return true;
}

static int no_memory(struct assay_err *err)
{
    return assay_fail(err, ASSAY_EFAIL, "not enough memory to resample a volume");
}

/* ---- images ---- */

static float normalised(float x)
{
    x = x < CLIP_LOW ? CLIP_LOW : x > CLIP_HIGH ? CLIP_HIGH : x;
    return (x - MEAN) / STD;
}

static void fill(float *out, size_t n, float value)
{
    while (n--)
        *out++ = value;
}

static void blend_floats(const float *low, const float *high, double part, size_t n, double *out)
{
    double rest = 1 - part;
    size_t i;

    for (i = 0; i < n; i++)
        out[i] = low[i] * rest + high[i] * part;
}

static void blend_doubles(const double *low, const double *high, double part, size_t n, double *out)
{
    double rest = 1 - part;
    size_t i;

    for (i = 0; i < n; i++)
        out[i] = low[i] * rest + high[i] * part;
}

static void make_row(const struct grid *g, const double *row, float outside, float *out)
{
    uint32_t x;

    for (x = 0; x < g->n[2]; x++) {
        const struct place *p = &g->places[2][x];

        if (p->low >= 0)
            out[x] = normalised((float)(row[p->low] * (1 - p->part) + row[p->high] * p->part));
        else
            out[x] = p->low == PADDED ? PADDING : outside;
    }
}

/* plane: [dims 1][dims 2] of the scan, blended; row: memory for dims 2. */
static void make_plane(const struct nifti *head, const struct grid *g, const double *plane,
                       double *row, float outside, float *out)
{
    size_t width = head->dims[2];
    uint32_t y, x;

    for (y = 0; y < g->n[1]; y++, out += g->n[2]) {
        const struct place *p = &g->places[1][y];

        if (p->low == PADDED) {
            fill(out, g->n[2], PADDING);
        } else if (p->low == OUTSIDE) {
            for (x = 0; x < g->n[2]; x++)
                out[x] = g->places[2][x].low == PADDED ? PADDING : outside;
        } else {
            blend_doubles(plane + (size_t)p->low * width, plane + (size_t)p->high * width, p->part,
                          width, row);
            make_row(g, row, outside, out);
        }
    }
}

static void make_outside(const struct grid *g, float outside, float *out)
{
    uint32_t y, x;

    for (y = 0; y < g->n[1]; y++)
        for (x = 0; x < g->n[2]; x++)
            *out++ =
                g->places[1][y].low == PADDED || g->places[2][x].low == PADDED ? PADDING : outside;
}

static float least(const float *voxels, size_t n)
{
    float found = voxels[0];
    size_t i;

    for (i = 1; i < n; i++)
        found = voxels[i] < found ? voxels[i] : found;
    return found;
}

int volume_from_image(const struct nifti *head, const float *voxels, float *out,
                      struct assay_err *err)
{
    size_t size = (size_t)head->dims[1] * head->dims[2];
    float outside = normalised(least(voxels, nifti_voxels(head)));
    double *plane;
    struct grid g;
    uint32_t z;

    if (!grid_init(&g, head))
        return no_memory(err);
    if (!(plane = malloc((size + head->dims[2]) * sizeof(*plane)))) {
        grid_release(&g);
        return no_memory(err);
    }
    for (z = 0; z < g.n[0]; z++, out += (size_t)g.n[1] * g.n[2]) {
        const struct place *p = &g.places[0][z];

        if (p->low == PADDED) {
            fill(out, (size_t)g.n[1] * g.n[2], PADDING);
        } else if (p->low == OUTSIDE) {
            make_outside(&g, outside, out);
        } else {
            blend_floats(voxels + (size_t)p->low * size, voxels + (size_t)p->high * size, p->part,
                         size, plane);
            make_plane(head, &g, plane, plane + size, outside, out);
        }
    }
    grid_release(&g);
    free(plane);
    return ASSAY_OK;
}

/* ---- segmentations ---- */

static uint8_t least_label(const uint8_t *voxels, size_t n)
{
    uint8_t found = voxels[0];
    size_t i;

    for (i = 1; i < n; i++)
        found = voxels[i] < found ? voxels[i] : found;
    return found;
}

int volume_from_labels(const struct nifti *head, const uint8_t *voxels, uint8_t *out,
                       struct assay_err *err)
{
    uint8_t outside = least_label(voxels, nifti_voxels(head));
    uint32_t z, y, x;
    struct grid g;

    if (!grid_init(&g, head))
        return no_memory(err);
    for (z = 0; z < g.n[0]; z++)
        for (y = 0; y < g.n[1]; y++) {
            const struct place *pz = &g.places[0][z], *py = &g.places[1][y], *px = g.places[2];
            int32_t worse = pz->low < py->low ? pz->low : py->low;
            const uint8_t *row =
                voxels + ((size_t)pz->near * head->dims[1] + (size_t)py->near) * head->dims[2];

            for (x = 0; x < g.n[2]; x++, px++) {
                int32_t worst = worse < px->low ? worse : px->low;

                *out++ = worst >= 0 ? row[px->near] : worst == PADDED ? 0 : outside;
            }
        }
    grid_release(&g);
    return ASSAY_OK;
}

/* ---- files ---- */

static int same_dims(const char *path, const struct nifti *have, const struct nifti *want,
                     struct assay_err *err)
{
    if (!memcmp(have->dims, want->dims, sizeof(have->dims)))
        return ASSAY_OK;
    return assay_fail(err, ASSAY_EFAIL, "%s: has %u x %u x %u voxels, %u x %u x %u were expected",
                      path, have->dims[0], have->dims[1], have->dims[2], want->dims[0],
                      want->dims[1], want->dims[2]);
}

int volume_read_image(const char *path, const struct nifti *head, float *out, struct assay_err *err)
{
    struct nifti found;
    float *voxels = NULL;
    int rc = nifti_read_image(path, &found, &voxels, err);

    if (!rc && !(rc = same_dims(path, &found, head, err)))
        rc = volume_from_image(head, voxels, out, err);
    free(voxels);
    return rc;
}

int volume_read_labels(const char *path, const struct nifti *head, uint8_t *out,
                       struct assay_err *err)
{
    struct nifti found;
    uint8_t *voxels = NULL;
    int rc = nifti_read_labels(path, VOLUME_CLASSES, &found, &voxels, err);

    if (!rc && !(rc = same_dims(path, &found, head, err)))
        rc = volume_from_labels(head, voxels, out, err);
    free(voxels);
    return rc;
}
