/* How a tensor's values spread, and the range that 8 bits should cover.
 *
 * Two passes over the same values: spread_widen finds the ends, spread_count fills the histogram
 * between them.  The same values in any order give the same bits. */
#ifndef NET_SPREAD_H
#define NET_SPREAD_H

#include "assay/types.h"

#define SPREAD_BINS 2048

struct spread {
    float low, high;           /* of all values, and 0 */
    uint64_t seen;             /* finite values */
    uint64_t broken;           /* values that are not finite: they count nowhere */
    uint64_t bin[SPREAD_BINS]; /* zeros are left out: 8 bits give them back exactly */
};

struct spread_range {
    float low, high; /* low <= 0 <= high */
};

void spread_widen(struct spread *s, const float *values, size_t n);
void spread_count(struct spread *s, const float *values, size_t n);
/* The range with the least mean square error of 256 levels; the whole one with `whole`. */
struct spread_range spread_choose(const struct spread *s, bool whole);

/* value = scale * (q - zero), q in 0 … 255. */
struct spread_levels {
    float scale;
    uint8_t zero;
};
/* The highest level never lies above range.high when low is 0, so that a ReLU or Clip in front of
 * the tensor changes nothing behind the rounding, and engines can leave it out. */
struct spread_levels spread_levels(struct spread_range range);

#endif
