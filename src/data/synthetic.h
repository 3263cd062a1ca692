/* Made-up photos and labels: functions of the seed and the index alone. */
#ifndef DATA_SYNTHETIC_H
#define DATA_SYNTHETIC_H

#include "assay/types.h"

/* The next number of a stream whose state is any number (splitmix64); unit: in 0..1, below 1. */
uint64_t synthetic_next(uint64_t *state);
float synthetic_unit(uint64_t *state);

/* RGB, size × size × 3. */
void synthetic_image(uint64_t seed, uint64_t index, uint32_t size, uint8_t *out);
/* 0..classes-1. */
int32_t synthetic_label(uint64_t seed, uint64_t index, int32_t classes);

#endif
