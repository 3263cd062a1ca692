/* Profiles: what a run must have, from "quick" or "official:<round>". */
#ifndef LOAD_PROFILE_H
#define LOAD_PROFILE_H

#include "load/bridge.h"
#include "load/settings.h"

/* Fills what the user did not set: round, min_duration_ms, min_query_count, samples_per_query, the
 * Server bound, the percentile, performance_sample_count, sample_concatenate_permutation.  official
 * is LoadGen's built-in configuration of this model and s->scenario.  Under official:<round> a
 * setting that would make the run looser is an error that names it.  May be called again after the
 * user's settings changed. */
int profile_apply(struct settings *s, const struct load_official *official, struct assay_err *err);

/* What of it needs no LoadGen: the round, and settings that no official profile takes. */
int profile_check(struct settings *s, struct assay_err *err);

bool profile_is_official(const struct settings *s);
/* The round whose rules the run follows: s->round, else the profile's, else the newest. */
const char *profile_round(const struct settings *s);
/* Queries that early stopping makes necessary (with one over-latency query allowed); 1 in Offline,
 * which has no early stopping. */
uint64_t profile_query_floor(const struct settings *s, double percentile);

#endif
