/* Idea: a profile is a table of rules, one a setting: where the official value stands, and what a
 * user may do to it.  quick takes the same official values where they cost no time, and its own
 * where they do: min_duration    60 s (official 600 s); min_query_count what early stopping needs.
 * Offline has none, so the duration alone decides: the official 24576 images take an hour on a
 * small machine.  The verdict notes the official count. */
#include "load/profile.h"

#include <string.h>

#include "load/early_stopping.h"
#include "load/rounds.h"

#define QUICK_DURATION_MS 60000

bool profile_is_official(const struct settings *s)
{
    return s->profile && !strncmp(s->profile, "official:", 9);
}

const char *profile_round(const struct settings *s)
{
    if (s->round)
        return s->round;
    return profile_is_official(s) ? s->profile + 9 : load_rounds[0].name;
}

uint64_t profile_query_floor(const struct settings *s, double percentile)
{
    return s->scenario == OFFLINE ? 1 : early_stopping_queries(percentile, 1);
}

/* What a user may do to an official value. */
enum how { AT_LEAST, AT_MOST, EXACTLY };

struct rule {
    const char *name;
    double value; /* 0: there is none, anything goes; of a flag: it is off */
    enum how how;
    int origin;
    bool zero_is_unset; /* a user's 0 means "the official one" */
};

static bool is_user(const struct settings *s, const char *name)
{
    return settings_origin_of(s, name) > SETTINGS_MEASURED;
}

static bool is_flag(const char *name)
{
    return settings_find(name)->type == SETTINGS_BOOL;
}

static double value_of(const struct settings *s, const char *name)
{
    const struct settings_row *row = settings_find(name);
    const char *at = (const char *)s + row->offset;
    int64_t i;
    double d;

    if (row->type == SETTINGS_REAL) {
        memcpy(&d, at, sizeof(d));
        return d;
    }
    memcpy(&i, at, sizeof(i));
    return (double)i;
}

static int fill(struct settings *s, const struct rule *r, struct assay_err *err)
{
    const char *words[] = {"less than", "more than", "not"};
    double user = value_of(s, r->name);
    bool looser;

    if (r->zero_is_unset && user == 0)
        settings_set_origin(s, r->name, SETTINGS_DEFAULT);
    if (!is_user(s, r->name))
        return settings_set_real(s, r->name, r->value, r->origin, err);
    looser = r->how == AT_LEAST  ? user < r->value
             : r->how == AT_MOST ? user > r->value
                                 : user != r->value;
    if (!profile_is_official(s) || (r->value == 0 && !is_flag(r->name)) || !looser)
        return 0;
    return assay_fail(
        err, ASSAY_EUSAGE,
        "--%s: %.15g is %s the %.15g that %s demands; leave it out or use --profile quick", r->name,
        user, words[r->how], r->value, s->profile);
}

/* Settings that only make a run smaller or easier: unset under an official profile. */
static int check_unset(const struct settings *s, struct assay_err *err)
{
    static const char *const names[] = {"count", "accuracy-sample-count",
                                        "performance-issue-unique", "performance-issue-same",
                                        "accuracy-log-sampling-target"};
    size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (value_of(s, names[i]) != 0)
            return assay_fail(err, ASSAY_EUSAGE, "--%s: not with --profile %s%s", names[i],
                              s->profile,
                              i < 2 ? ", which takes the whole data set" : "; use --audit-config");
    return 0;
}

static int apply_round(struct settings *s, struct assay_err *err)
{
    const char *round = s->profile + 9;

    if (s->round && strcmp(s->round, round))
        return assay_fail(err, ASSAY_EUSAGE, "--round: %s contradicts --profile %s", s->round,
                          s->profile);
    return settings_set(s, "round", round, SETTINGS_PROFILE, "--profile", err);
}

static double larger(uint64_t a, uint64_t b)
{
    return (double)(a > b ? a : b);
}

int profile_check(struct settings *s, struct assay_err *err)
{
    int rc = profile_is_official(s) ? apply_round(s, err) : 0;

    return rc || !profile_is_official(s) ? rc : check_unset(s, err);
}

int profile_apply(struct settings *s, const struct load_official *o, struct assay_err *err)
{
    bool official = profile_is_official(s);
    int pace = official ? SETTINGS_OFFICIAL : SETTINGS_PROFILE;
    struct rule rules[] = {
        {"target-latency-percentile", o->target_latency_percentile, EXACTLY, SETTINGS_OFFICIAL,
         true},
        {"min-duration-ms", official ? (double)o->min_duration_ms : QUICK_DURATION_MS, AT_LEAST,
         pace, false},
        {"min-query-count", 0, AT_LEAST, pace, false},
        {"samples-per-query", (double)o->samples_per_query, EXACTLY, SETTINGS_OFFICIAL, true},
        {"performance-sample-count", (double)o->performance_sample_count, AT_LEAST,
         SETTINGS_OFFICIAL, true},
        {"sample-concatenate-permutation", (double)o->sample_concatenate_permutation, EXACTLY,
         SETTINGS_OFFICIAL, false},
        {"target-latency-ms", o->target_latency_ms, AT_MOST, SETTINGS_OFFICIAL, true},
    };
    size_t i, n = sizeof(rules) / sizeof(rules[0]);
    uint64_t floor;
    int rc = profile_check(s, err);

    if (s->scenario != SERVER)
        n--; /* for the streams it is the expected latency, which the warm-up finds */
    for (i = s->scenario == OFFLINE; i < n && !rc; i++) { /* Offline has no percentile */
        if (i == 2) {                                     /* the percentile is known now */
            floor = profile_query_floor(s, s->target_latency_percentile);
            rules[i].value = official ? larger(o->min_query_count, floor) : (double)floor;
        }
        rc = fill(s, &rules[i], err);
    }
    return rc;
}
