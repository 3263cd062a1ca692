/* Sums of overlapping windows; see windows.h. */
#include "score/windows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SUMS = WINDOWS_CLASSES + 1 }; /* the last: of the weights */

float *windows_weights(void)
{
    float *weights = malloc(WINDOWS_VOXELS * sizeof(*weights)), *to = weights;
    double g[WINDOWS_SIDE], most;
    int z, y, x;

    for (x = 0; x < WINDOWS_SIDE; x++)
        g[x] = exp(-0.5 * ((x - 63.5) / 16) * ((x - 63.5) / 16));
    most = cbrt(g[63] * g[63] * g[63]);
    for (z = 0; weights && z < WINDOWS_SIDE; z++)
        for (y = 0; y < WINDOWS_SIDE; y++)
            for (x = 0; x < WINDOWS_SIDE; x++)
                *to++ = (float)(cbrt(g[z] * g[y] * g[x]) / most);
    return weights;
}

static float *sum_of(const struct windows *w, int which)
{
    return w->memory + (size_t)which * WINDOWS_SIDE * w->plane;
}

int windows_begin(struct windows *w, const float *weights, const uint32_t dims[3],
                  struct assay_err *err)
{
    size_t need;

    w->weights = weights;
    memcpy(w->dims, dims, sizeof(w->dims));
    w->plane = (size_t)dims[1] * dims[2];
    need = w->plane * WINDOWS_SIDE * SUMS;
    if (need > w->reach) {
        free(w->memory);
        w->memory = malloc(need * sizeof(*w->memory));
        w->reach = w->memory ? need : 0;
    }
    if (!w->memory)
        return assay_fail(err, ASSAY_EFAIL, "not enough memory for the sums of %u x %u x %u voxels",
                          WINDOWS_SIDE, dims[1], dims[2]);
    memset(w->memory, 0, need * sizeof(*w->memory));
    return ASSAY_OK;
}

void windows_release(struct windows *w)
{
    free(w->memory);
    memset(w, 0, sizeof(*w));
}

void windows_cut(const struct windows *w, const float *volume, uint32_t z, uint32_t y, uint32_t x,
                 float *out)
{
    size_t row = WINDOWS_SIDE * sizeof(*out);
    uint32_t i, k;

    for (i = 0; i < WINDOWS_SIDE; i++)
        for (k = 0; k < WINDOWS_SIDE; k++, out += WINDOWS_SIDE)
            memcpy(out,
                   volume + (size_t)(z * WINDOWS_STEP + i) * w->plane +
                       (size_t)(y * WINDOWS_STEP + k) * w->dims[2] + (size_t)x * WINDOWS_STEP,
                   row);
}

/* values NULL: of the weights themselves. */
static void add_row(float *restrict sum, const float *restrict values, size_t step,
                    const float *restrict weights)
{
    int i;

    if (!values)
        for (i = 0; i < WINDOWS_SIDE; i++)
            sum[i] += weights[i];
    else if (step == 1)
        for (i = 0; i < WINDOWS_SIDE; i++)
            sum[i] += values[i] * weights[i];
    else
        for (i = 0; i < WINDOWS_SIDE; i++)
            sum[i] += values[(size_t)i * step] * weights[i];
}

void windows_add(struct windows *w, uint32_t y, uint32_t x, const float *values, size_t class_step,
                 size_t voxel_step)
{
    size_t row, voxel, at;
    int c;

    for (row = 0; row < (size_t)WINDOWS_SIDE * WINDOWS_SIDE; row++) {
        voxel = row * WINDOWS_SIDE;
        at = row / WINDOWS_SIDE * w->plane + (y * WINDOWS_STEP + row % WINDOWS_SIDE) * w->dims[2] +
             (size_t)x * WINDOWS_STEP;
        for (c = 0; c < WINDOWS_CLASSES; c++)
            add_row(sum_of(w, c) + at, values + (size_t)c * class_step + voxel * voxel_step,
                    voxel_step, w->weights + voxel);
        add_row(sum_of(w, WINDOWS_CLASSES) + at, NULL, 0, w->weights + voxel);
    }
}

/* False: a mean is no number. */
static bool classes_of(const struct windows *w, size_t n, uint8_t *labels)
{
    const float *a = sum_of(w, 0), *b = sum_of(w, 1), *c = sum_of(w, 2), *all = sum_of(w, 3);
    size_t i, bad = 0;

    for (i = 0; i < n; i++) {
        float first = a[i] / all[i], second = b[i] / all[i], third = c[i] / all[i];
        float best = second > first ? second : first;

        labels[i] = third > best ? 2 : second > first;
        bad += isnan(first) + isnan(second) + isnan(third);
    }
    return !bad;
}

int windows_next(struct windows *w, uint32_t z, uint8_t *labels, struct assay_err *err)
{
    bool last = z + 1 == windows_count(w->dims[0]);
    size_t half = WINDOWS_STEP * w->plane;
    int c;

    if (!classes_of(w, last ? 2 * half : half, labels + z * half))
        return assay_fail(err, ASSAY_EFAIL, "the model's output has NaN");
    for (c = 0; c < SUMS && !last; c++) {
        memcpy(sum_of(w, c), sum_of(w, c) + half, half * sizeof(float));
        memset(sum_of(w, c) + half, 0, half * sizeof(float));
    }
    return ASSAY_OK;
}
