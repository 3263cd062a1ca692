/* One LoadGen sample of DLRM is many user-item pairs: the official aggregation of a data set's
 * rows.
 *
 * Lengths are drawn from a list of 20 (100 to 700), by numpy's legacy generator with seed 123
 * (RandomState.randint(0, 20): MT19937, 32 bits a draw, the low 5 of them, above 19 drawn again),
 * until the rows are used up; the last sample is cut to what is left.  For the official 89137319
 * rows these are the 330067 samples of dlrm_trace_of_aggregated_samples.txt. */
#ifndef DATA_PAIRS_H
#define DATA_PAIRS_H

#include "assay/types.h"

#define PAIRS_MOST 700
#define PAIRS_MEAN 270.058 /* of the official rows */

struct pairs {
    uint64_t n;
    uint64_t *start; /* [n + 1]: sample i is the rows start[i] … start[i + 1] - 1 */
};

/* The first `most` samples of this many rows (0: all); p->n is less when the rows do not suffice.
 */
int pairs_make(uint64_t rows, uint64_t most, struct pairs *p, struct assay_err *err);
void pairs_release(struct pairs *p);

#endif
