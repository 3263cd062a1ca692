/* Assay's own verdict of a run, from LoadGen's detail log: strict, with reasons; never looser than
 * LoadGen's.
 *
 * VALID only if: LoadGen says VALID; no LoadGen error line; the mode and scenario are the ones
 * asked for; the seeds are those of the round; durations, counts and percentile are those asked
 * for; early stopping is met where it applies; performance_sample_count is the official one (or
 * less only where the data set is smaller, which is said).  The words: "VALID", "QUICK-VALID"
 * (profile quick, and data that is not the official set, which the run sees), "AUDIT-VALID" (a
 * compliance test or any other setting that changes which samples are issued or logged), "INVALID".
 * Only "VALID" may be exported. */
#ifndef LOAD_VERDICT_H
#define LOAD_VERDICT_H

#include "load/bridge.h"
#include "load/detail.h"
#include "load/settings.h"

struct verdict {
    bool valid;
    char word[32];
    json_t *reasons; /* array of texts: why not valid */
    json_t *notes;   /* array of texts: what a reader must know although it is valid */
    /* The scenario's headline: SingleStream/MultiStream latency in ns, Server/Offline samples per
     * second. */
    char metric[64];
    char unit[16];
    double value;
};

/* official is LoadGen's built-in configuration for the model and s->scenario; dataset_samples the
 * size of the QSL.  On failure (out of memory only) v holds nothing. */
int verdict_judge(const struct detail *d, const struct settings *s,
                  const struct load_official *official, uint64_t dataset_samples, struct verdict *v,
                  struct assay_err *err);
void verdict_release(struct verdict *v);
/* effective_test_mode by enum settings_mode, NULL-terminated. */
extern const char *const verdict_mode_names[];

#endif
