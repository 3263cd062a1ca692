/* Top-1: the share of samples whose predicted label is the true one. */
#ifndef SCORE_TOP1_H
#define SCORE_TOP1_H

#include "assay/benchmark.h"

/* The place of the largest of n values, the first among equals; -1 when any is NaN. */
int64_t top1_argmax(const float *values, uint64_t n);

/* As the official script: a sample counts once, by its first entry; the prediction is one float32
 * or int32 (4 bytes; which of them its bits tell, as no whole number is a denormal) or int64 (8
 * bytes).  An entry of another size, or whose index is not below n, is an
 * error.  Fills metric, value, unit, good, total and line; reference and target become NaN. */
int top1_score(const int32_t *labels, uint64_t n, const struct assay_log_entry *entries,
               uint64_t count, struct assay_score *score, struct assay_err *err);

#endif
