/* A scan as 3D-UNet's reference prepares it for KiTS19: resampled to the common spacing, clipped,
 * normalised, and brought to sizes that a window of 128³ moving by 64 covers exactly.
 *
 * Formulas (per axis; n the size in the file):
 *   resampled    m = n × spacing / target, rounded half to even; voxel o lies at o × (n-1)/(m-1)
 *                (m = 1: at 0).  Images are interpolated linearly in double, segmentations take the
 *                nearest (floor of x + 0.5).  A place that rounding puts behind the last voxel is
 *                outside, and gets the least value of the whole: scipy.ndimage.zoom, mode
 *                'constant', cval the minimum, grid_mode off
 *   normalised   (min(max(x, -79), 304) - 101) / 76.9, in float32
 *   grid         below 128: edge voxels repeated, half before (rounded down); then of r = m mod 64
 *                voxels above a multiple: r < 32 are cut off, half before; else padded with -2.2
 *                (segmentation: 0), half before
 * Any thread. */
#ifndef DATA_VOLUME_H
#define DATA_VOLUME_H

#include "data/nifti.h"

#define VOLUME_CODE_VERSION 1 /* another one: cached samples are made anew */
#define VOLUME_WINDOW       128
#define VOLUME_STEP         64
#define VOLUME_CLASSES      3 /* background, kidney, tumour */

extern const double volume_spacing[3]; /* mm */

/* Sizes of what a file with this header becomes: multiples of 64, at least 128.  `name` is what
 * errors call it. */
int volume_dims(const struct nifti *head, const char *name, uint32_t dims[3],
                struct assay_err *err);
/* From voxels [head->dims] to out [dims of volume_dims]; head was given to volume_dims before. */
int volume_from_image(const struct nifti *head, const float *voxels, float *out,
                      struct assay_err *err);
int volume_from_labels(const struct nifti *head, const uint8_t *voxels, uint8_t *out,
                       struct assay_err *err);
/* The same for files.  The size in a file's header must be that in head, which for a segmentation
 * is its image's. */
int volume_read_image(const char *path, const struct nifti *head, float *out,
                      struct assay_err *err);
int volume_read_labels(const char *path, const struct nifti *head, uint8_t *out,
                       struct assay_err *err);

#endif
