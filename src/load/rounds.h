/* MLPerf rounds and the LoadGen that each needs: the seeds of a round stand in its LoadGen, and the
 * official checker compares them. */
#ifndef LOAD_ROUNDS_H
#define LOAD_ROUNDS_H

#include <stddef.h>
#include <stdint.h>

struct load_round {
    const char *name;      /* "v6.1" */
    const char *loadgen;   /* the newest LoadGen version with this round's seeds */
    uint64_t qsl_rng_seed; /* 0: not written down here, LoadGen's own is taken as right */
    uint64_t sample_index_rng_seed;
    uint64_t schedule_rng_seed;
};
/* Newest first; ends with a row without name. */
extern const struct load_round load_rounds[];

const struct load_round *load_round_find(const char *name); /* NULL: unknown */
/* NULL when the round is known, else the list of those that are. */
const char *load_round_allowed(const char *name);

#endif
