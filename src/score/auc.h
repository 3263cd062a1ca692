/* Area under the ROC curve: the chance that a positive stands above a negative, ties counted half.
 *
 * With R the sum of the positives' ranks (equal predictions share their mean rank), P positives and
 * N negatives: AUC = (R - P (P + 1) / 2) / (P N).  Ranks are summed in whole numbers (doubled), so
 * the only rounding is the last division. */
#ifndef SCORE_AUC_H
#define SCORE_AUC_H

#include "assay/types.h"

struct auc {
    double auc;
    uint64_t good; /* predictions that round (half to even) to their target */
    uint64_t total;
};

/* pairs: n times prediction, target (0 or 1).  NaN, another target, or targets that are all the
 * same are errors.  Needs 16 bytes a pair. */
int auc_compute(const float *pairs, size_t n, struct auc *out, struct assay_err *err);

#endif
