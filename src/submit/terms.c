/* A round's table in the place of a job: see terms.h. */
#include "submit/terms.h"

#include <math.h>
#include <string.h>

#include "load/rounds.h"

/* Of a benchmark that the round does not know: what holds for all.  Its data set is what the log
 * says. */
static const struct submit_model any_model;

static const struct submit_model *model_of(const struct submit_terms *t)
{
    return t->model ? t->model : &any_model;
}

static double real(const struct detail *d, const char *key)
{
    return detail_real(d, key, NAN);
}

/* 0: not written down for this round, so the log's own is taken as right. */
static uint64_t seed(uint64_t known, const struct detail *d, const char *key)
{
    uint64_t logged = 0;

    if (!known)
        detail_u64(d, key, &logged);
    return known ? known : logged;
}

void submit_terms_official(const struct submit_terms *t, const struct detail *d,
                           struct load_official *o)
{
    const struct submit_model *m = model_of(t);
    const struct load_round *seeds = load_round_find(t->round);

    *o = (struct load_official){
        .min_duration_ms = (uint64_t)t->min_duration_ms,
        .min_query_count = t->scenario == OFFLINE && t->closed ? m->offline_samples : 0,
        .samples_per_query = t->scenario == MULTI_STREAM ? SUBMIT_STREAM_SAMPLES : 1,
        .performance_sample_count = m->performance_samples,
        .target_latency_ms = m->server_ms > 0 && !t->interactive
                                 ? m->server_ms
                                 : real(d, "effective_target_latency_ns") * 1e-6,
        .target_latency_percentile = submit_percentile(m, t->scenario),
        /* Where the round does not say, the log's own is right. */
        .sample_concatenate_permutation =
            t->closed && t->model ? m->equal_issue
                                  : json_is_true(json_object_get(
                                        d->values, "effective_sample_concatenate_permutation")),
        .qsl_rng_seed = seed(seeds->qsl_rng_seed, d, "effective_qsl_rng_seed"),
        .sample_index_rng_seed =
            seed(seeds->sample_index_rng_seed, d, "effective_sample_index_rng_seed"),
        .schedule_rng_seed = seed(seeds->schedule_rng_seed, d, "effective_schedule_rng_seed")};
}

uint64_t submit_terms_samples(const struct submit_terms *t, const struct detail *d)
{
    const struct submit_model *m = model_of(t);

    if (t->accuracy)
        return m->accuracy_samples ? m->accuracy_samples : m->dataset;
    if (!t->model && real(d, "effective_performance_sample_count") > 0)
        return (uint64_t)fmin(real(d, "effective_performance_sample_count"), 0x1p62);
    return m->dataset;
}

static int settings_of(const struct submit_terms *t, const struct detail *d,
                       const struct load_official *o, struct settings *s, struct assay_err *err)
{
    char profile[40];
    int rc = settings_init(s, err);

    snprintf(profile, sizeof(profile), "official:%s", t->round);
    if (!rc)
        rc = settings_set(s, "profile", profile, SETTINGS_CLI, "--round", err);
    s->scenario = t->scenario;
    s->mode = t->accuracy ? MODE_ACCURACY : MODE_PERFORMANCE;
    s->min_duration_ms = (int64_t)o->min_duration_ms;
    s->min_query_count = (int64_t)o->min_query_count;
    s->samples_per_query = (int64_t)o->samples_per_query;
    s->target_latency_percentile = o->target_latency_percentile;
    s->target_latency_ms = real(d, "effective_target_latency_ns") * 1e-6;
    return rc;
}

int submit_terms_judge(const struct submit_terms *t, const struct detail *d, struct verdict *v,
                       struct assay_err *err)
{
    struct load_official official;
    struct settings s = {0};
    int rc;

    submit_terms_official(t, d, &official);
    rc = settings_of(t, d, &official, &s, err);
    if (!rc)
        rc = verdict_judge(d, &s, &official, submit_terms_samples(t, d), v, err);
    settings_release(&s);
    return rc;
}
