/* NIfTI-1 files with one volume, gzipped or plain, of either byte order.
 *
 * Voxels are given as nibabel's get_fdata does: stored value × slope + offset in double (no slope:
 * as stored), in C order of the file's axes, so the axis that varies fastest in the file is the
 * slowest here.  Strict: what is cut off, longer than its header says, damaged (gzip's check sum is
 * compared), of two volumes, or not a number, is an error that names the file.  Any thread. */
#ifndef DATA_NIFTI_H
#define DATA_NIFTI_H

#include "assay/types.h"

#define NIFTI_MAX_VOXELS ((uint64_t)1 << 30)

struct nifti {
    uint32_t dims[3];
    double spacing[3]; /* of voxels, in mm */
    /* How the file stores them. */
    int32_t type;
    bool swapped;
    double slope, offset;
    uint32_t start; /* byte of the first voxel */
};

/* Reads the header alone. */
int nifti_read_head(const char *path, struct nifti *head, struct assay_err *err);
/* *voxels [dims] is malloc'ed. */
int nifti_read_image(const char *path, struct nifti *head, float **voxels, struct assay_err *err);
/* The same for a segmentation: whole numbers 0..classes-1 (at most 256). */
int nifti_read_labels(const char *path, uint32_t classes, struct nifti *head, uint8_t **voxels,
                      struct assay_err *err);

static inline uint64_t nifti_voxels(const struct nifti *head)
{
    return (uint64_t)head->dims[0] * head->dims[1] * head->dims[2];
}

#endif
