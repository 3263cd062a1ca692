/* The null engine's options, as rows that another table can take in: the fault engine stands on
 * them. */
#ifndef NULL_OPTIONS_H
#define NULL_OPTIONS_H

#include "assay/engine.h"

enum null_row {
    NULL_LATENCY,
    NULL_PER_SAMPLE,
    NULL_DISTRIBUTION,
    NULL_SEED,
    NULL_WAIT,
    NULL_ANSWER,
    NULL_SLOTS,
    NULL_MAX_BATCH
};

static const char *const null_distributions[] = {"fixed", "exponential", "uniform", "lognormal",
                                                 NULL};
static const char *const null_waits[] = {"sleep", "spin", "yield", NULL};
static const char *const null_answers[] = {"zeros", "hash", NULL};

/* clang-format off */
#define NULL_OPTION_ROWS \
    {"latency_us", ASSAY_OPTION_REAL, "0", 0, 1e9, NULL, \
     "mean service time of a batch, in microseconds"}, \
    {"per_sample_us", ASSAY_OPTION_REAL, "0", 0, 1e9, NULL, \
     "service time that each sample of a batch adds, in microseconds"}, \
    {"distribution", ASSAY_OPTION_CHOICE, "fixed", 0, 0, null_distributions, \
     "of latency_us: fixed, exponential, uniform (0 to 2 means) or lognormal (sigma 0.5)"}, \
    {"seed", ASSAY_OPTION_INT, "1", 0, 1e15, NULL, "of the random service times"}, \
    {"wait", ASSAY_OPTION_CHOICE, "sleep", 0, 0, null_waits, \
     "how the service time passes: sleep, spin (uses a processor) or yield"}, \
    {"answer", ASSAY_OPTION_CHOICE, "zeros", 0, 0, null_answers, \
     "zeros (nothing is touched) or hash (follows the sample's first bytes)"}, \
    {"slots", ASSAY_OPTION_INT, "64", 1, 4096, NULL, \
     "null-async only: batches in flight on a lane before it answers AGAIN"}, \
    {"max_batch", ASSAY_OPTION_INT, "0", 0, 1e9, NULL, \
     "largest batch that the model is said to take; 0: any"}
/* clang-format on */

#endif
