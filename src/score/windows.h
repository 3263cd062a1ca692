/* The sliding window of 3D-UNet: windows of 128³ that move by 64 over a volume, x fastest, then y,
 * then z; the model's three values of a voxel are summed with a Gaussian weight, and the class with
 * the largest mean wins (the first among equals).
 *
 * Formulas, all sums in float32 in the windows' order:
 *   weight   w(z,y,x) = cbrt(g(z) g(y) g(x)), g(i) = exp(-((i - 63.5) / 16)² / 2), divided by the
 *            largest, rounded to float32
 *   voxel    argmax over classes c of (Σ w × value_c) / (Σ w)
 *
 * Bounded memory: of the sums there are the 128 planes that windows of one z touch, never the whole
 * volume: when the windows of a z are done, its first 64 planes are final. */
#ifndef SCORE_WINDOWS_H
#define SCORE_WINDOWS_H

#include "assay/types.h"

#define WINDOWS_SIDE    128
#define WINDOWS_STEP    64
#define WINDOWS_CLASSES 3
#define WINDOWS_VOXELS  ((size_t)WINDOWS_SIDE * WINDOWS_SIDE * WINDOWS_SIDE)

/* The weights [128³], malloc'ed; NULL: not enough memory. */
float *windows_weights(void);

/* How many windows an axis of n voxels has (n: a multiple of 64, at least 128). */
static inline uint32_t windows_count(uint32_t n)
{
    return (n - WINDOWS_SIDE) / WINDOWS_STEP + 1;
}

struct windows {
    const float *weights;
    uint32_t dims[3];
    size_t plane;  /* dims[1] × dims[2] */
    size_t reach;  /* planes × plane that the memory holds; it only grows */
    float *memory; /* sums of each class, then of the weights: [4][128][plane] */
};

/* Start with all zero; begin may be called again for another volume, release at the end. */
int windows_begin(struct windows *w, const float *weights, const uint32_t dims[3],
                  struct assay_err *err);
/* Copies window (z, y, x), counted in windows, out of a volume [dims]. */
void windows_cut(const struct windows *w, const float *volume, uint32_t z, uint32_t y, uint32_t x,
                 float *out);
/* Adds the model's values for window (y, x) of the present z: class c of voxel v is at
 * values[c × class_step + v × voxel_step]. */
void windows_add(struct windows *w, uint32_t y, uint32_t x, const float *values, size_t class_step,
                 size_t voxel_step);
/* All windows of this z are added: writes the classes of its 64 final planes (of all 128 when it is
 * the last) to labels [dims] and goes on to z + 1.  Values that are no numbers are an error. */
int windows_next(struct windows *w, uint32_t z, uint8_t *labels, struct assay_err *err);
void windows_release(struct windows *w);

#endif
