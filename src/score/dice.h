/* DICE of a segmentation: for each class (2 I + e) / (T + P + e), with I the voxels where truth and
 * prediction agree on it, T and P those of each, and e = 1e-6.  A class that neither has scores 1.
 * Class 0 is background and does not count. */
#ifndef SCORE_DICE_H
#define SCORE_DICE_H

#include "assay/types.h"

#define DICE_CLASSES 3 /* background, kidney, tumour */

/* Sums over cases; start with all zero. */
struct dice {
    uint64_t cases;
    double total[DICE_CLASSES]; /* [0]: of the cases' means over the other classes */
};

/* One case of n voxels.  A voxel of another class in either is an error that names the case, whose
 * number is the count of those before. */
int dice_add(struct dice *sum, const uint8_t *truth, const uint8_t *prediction, size_t n,
             struct assay_err *err);
/* Means over the cases: [0] of the classes' mean, [1] kidney, [2] tumour.  NaN without a case. */
void dice_means(const struct dice *sum, double means[DICE_CLASSES]);

#endif
