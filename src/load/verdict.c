/* Idea: every way in which a run can be less than it says is one check, one function of the log and
 * of what was asked for; each adds a reason or nothing.  LoadGen's own validity is one check among
 * them, because it does not look at errors, seeds, mode or its own settings.  A value that the log
 * lacks counts as wrong. */
#include "load/verdict.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "load/early_stopping.h"
#include "load/profile.h"
#include "load/rounds.h"

#define SHOWN 5 /* of LoadGen's errors and warnings */

struct court {
    const struct detail *d;
    const struct settings *s;
    const struct load_official *official;
    uint64_t samples; /* of the data set */
    struct verdict *v;
    bool performance, accuracy; /* what the log must hold */
    bool audit;
    bool failed; /* out of memory */
};

static void add(struct court *c, json_t *list, const char *fmt, va_list ap)
{
    if (json_array_append_new(list, json_vsprintf(fmt, ap)))
        c->failed = true;
}

static void reason(struct court *c, const char *fmt, ...) ASSAY_PRINTF(2, 3);
static void reason(struct court *c, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    add(c, c->v->reasons, fmt, ap);
    va_end(ap);
}

static void note(struct court *c, const char *fmt, ...) ASSAY_PRINTF(2, 3);
static void note(struct court *c, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    add(c, c->v->notes, fmt, ap);
    va_end(ap);
}

static double real(const struct court *c, const char *key)
{
    return detail_real(c->d, key, NAN);
}

static bool is_true(const struct court *c, const char *key)
{
    return real(c, key) == 1;
}

static void check_errors(struct court *c)
{
    size_t i, n = json_array_size(c->d->errors);
    double counted = detail_real(c->d, "num_errors", 0);

    for (i = 0; i < n && i < SHOWN; i++)
        reason(c, "LoadGen error: %s", json_string_value(json_array_get(c->d->errors, i)));
    if (n > SHOWN)
        reason(c, "LoadGen logged %zu errors in all", n);
    else if (counted > (double)n)
        reason(c, "LoadGen counted %.0f errors, the log shows %zu", counted, n);
}

/* Each text once, with how often it came: LoadGen repeats itself by the hundred. */
static void note_warnings(struct court *c)
{
    json_t *counts = json_object(), *warning;
    const char *text;
    size_t i, shown = 0;

    json_array_foreach(c->d->warnings, i, warning)
    {
        text = json_string_value(warning);
        json_object_set_new(counts, text,
                            json_integer(json_integer_value(json_object_get(counts, text)) + 1));
    }
    json_object_foreach(counts, text, warning)
    {
        json_int_t n = json_integer_value(warning);

        if (shown++ == SHOWN)
            break;
        if (n > 1)
            note(c, "LoadGen warning: %s (%" JSON_INTEGER_FORMAT " times)", text, n);
        else
            note(c, "LoadGen warning: %s", text);
    }
    if (json_object_size(counts) > SHOWN)
        note(c, "LoadGen gave %zu different warnings", json_object_size(counts));
    json_decref(counts);
}

/* Our search for a peak makes runs of its own. */
const char *const verdict_mode_names[] = {"PerformanceOnly", "AccuracyOnly", "SubmissionRun",
                                          "PerformanceOnly", NULL};

static void check_kind(struct court *c)
{
    const char *mode = detail_text(c->d, "effective_test_mode", "none");
    const char *scenario = detail_text(c->d, "effective_scenario", "none");

    if (strcmp(mode, verdict_mode_names[c->s->mode]))
        reason(c, "the log's mode is %s, %s was asked for", mode, verdict_mode_names[c->s->mode]);
    if (strcmp(scenario, settings_scenario_names[c->s->scenario]))
        reason(c, "the log's scenario is %s, %s was asked for", scenario,
               settings_scenario_names[c->s->scenario]);
}

static void check_seeds(struct court *c)
{
    const char *round = profile_round(c->s);
    const struct load_round *r = load_round_find(round);
    const struct load_official *o = c->official;
    const struct {
        const char *name;
        uint64_t round, builtin;
    } seeds[] = {
        {"qsl_rng_seed", r ? r->qsl_rng_seed : 0, o->qsl_rng_seed},
        {"sample_index_rng_seed", r ? r->sample_index_rng_seed : 0, o->sample_index_rng_seed},
        {"schedule_rng_seed", r ? r->schedule_rng_seed : 0, o->schedule_rng_seed},
    };
    uint64_t want, got;
    char key[64];
    size_t i;

    for (i = 0; i < sizeof(seeds) / sizeof(seeds[0]); i++) {
        want = seeds[i].round ? seeds[i].round : seeds[i].builtin;
        snprintf(key, sizeof(key), "effective_%s", seeds[i].name);
        if (!detail_u64(c->d, key, &got))
            reason(c, "the log has no %s", key);
        else if (got != want)
            reason(c, "%s is %llu, round %s has %llu", seeds[i].name, (unsigned long long)got,
                   round, (unsigned long long)want);
    }
}

static void check_loadgen(struct court *c)
{
    const char *validity = detail_text(c->d, "result_validity", NULL);
    const char *why = detail_text(c->d, "result_invalid_reason", ""); /* empty: early stopping */

    if (!validity)
        reason(c, "the log has no result: the run did not come to its end");
    else if (strcmp(validity, "VALID"))
        reason(c, "LoadGen says %s%s%s", validity, *why ? ": " : "", why);
    if (validity && !is_true(c, "result_min_duration_met"))
        reason(c, "LoadGen says that the minimum duration was not met");
    if (validity && !is_true(c, "result_min_queries_met"))
        reason(c, "LoadGen says that the minimum query count was not met");
    if (validity && c->s->scenario == SERVER && !is_true(c, "result_perf_constraints_met"))
        reason(c, "LoadGen says that the latency bound was not met");
}

/* The larger of what was asked for and, under an official profile, what the round asks for. */
static double least(const struct court *c, int64_t asked, uint64_t official)
{
    double a = (double)asked, o = (double)official;

    return profile_is_official(c->s) && o > a ? o : a;
}

static void check_duration(struct court *c)
{
    double want = least(c, c->s->min_duration_ms, c->official->min_duration_ms);
    double setting = real(c, "effective_min_duration_ms");
    double measured = detail_time_ms(c->d, "power_end") - detail_time_ms(c->d, "power_begin");

    if (!(setting >= want))
        reason(c, "the log's minimum duration is %.0f ms, %.0f ms was asked for", setting, want);
    /* Both times are cut to milliseconds. */
    if (!(measured + 1 >= want))
        reason(c, "the run took %.0f ms, %.0f ms was asked for", measured, want);
    if (real(c, "effective_max_duration_ms") > 0 || real(c, "effective_max_query_count") > 0)
        note(c, "the run had a maximum duration or query count");
}

/* Offline has one query; LoadGen counts its samples. */
static void check_count(struct court *c)
{
    bool offline = c->s->scenario == OFFLINE;
    const char *what = offline ? "samples" : "queries";
    double want = least(c, c->s->min_query_count, c->official->min_query_count);
    double setting = real(c, offline ? "effective_min_sample_count" : "effective_min_query_count");
    double done = real(c, offline ? "generated_samples_per_query" : "result_query_count");

    if (!(setting >= want))
        reason(c, "the log's minimum is %.0f %s, %.0f was asked for", setting, what, want);
    if (!(done >= want) || done < 1)
        reason(c, "the run had %.0f %s, %.0f was asked for", done, what, want);
    if (offline && !(real(c, "result_query_count") >= 1))
        reason(c, "the Offline query was not issued");
    if (done < (double)c->official->min_query_count)
        note(c, "the run had %.0f %s, an official one has at least %llu", done, what,
             (unsigned long long)c->official->min_query_count);
}

static void check_latency(struct court *c)
{
    const struct settings *s = c->s;
    double want = s->target_latency_percentile,
           got = real(c, "effective_target_latency_percentile");
    double bound = real(c, "effective_target_latency_ns") * 1e-6;

    if (s->scenario == OFFLINE)
        return;
    if (profile_is_official(s))
        want = c->official->target_latency_percentile;
    if (!(fabs(got - want) < 1e-9))
        reason(c, "the log's percentile is %g, %g was asked for", got, want);
    if (fabs(got - c->official->target_latency_percentile) >= 1e-9)
        note(c, "own percentile %g (official: %g)", got, c->official->target_latency_percentile);
    if (s->scenario != SERVER)
        return;
    if (!(fabs(bound - s->target_latency_ms) <= 1e-6))
        reason(c, "the log's latency bound is %g ms, %g ms was asked for", bound,
               s->target_latency_ms);
    if (bound > c->official->target_latency_ms + 1e-6) {
        if (profile_is_official(s))
            reason(c, "the latency bound is %g ms, the official one %g ms", bound,
                   c->official->target_latency_ms);
        else
            note(c, "own bound %g ms (official: %g ms)", bound, c->official->target_latency_ms);
    }
}

/* LoadGen's word for it, and our own count by the same rule. */
static void check_early_stopping(struct court *c)
{
    double queries = real(c, "result_query_count"), late = 1;
    double percentile = real(c, "effective_target_latency_percentile");

    if (c->s->scenario == OFFLINE)
        return;
    if (!is_true(c, "early_stopping_met"))
        reason(c, "early stopping is not met: %s",
               detail_text(c->d, "early_stopping_result", "the log has no result of it"));
    if (detail_real(c->d, "requested_use_token_latencies", 0) == 1)
        return; /* there is no bound of a whole response, and every query counts as late */
    if (c->s->scenario == SERVER)
        late = real(c, "result_overlatency_query_count");
    if (!(late >= 0 && queries >= 0 && late < 1e15 && queries < 1e15) ||
        !early_stopping_passes((uint64_t)queries, (uint64_t)late, percentile))
        reason(c, "%.0f queries with %.0f late ones are too few for a percentile of %g", queries,
               late, percentile);
}

static void check_samples(struct court *c)
{
    uint64_t official = c->official->performance_sample_count, want = official;
    double got = real(c, "effective_performance_sample_count");

    if (!want || want > c->samples)
        want = c->samples;
    if (official > c->samples)
        note(c, "the data set has only %llu sample%s, official performance runs use %llu",
             (unsigned long long)c->samples, c->samples == 1 ? "" : "s",
             (unsigned long long)official);
    if (!(got >= (double)want))
        reason(c, "performance_sample_count is %.0f, official is %llu", got,
               (unsigned long long)want);
    else if (got > (double)c->samples)
        reason(c, "performance_sample_count is %.0f, the data set has %llu samples", got,
               (unsigned long long)c->samples);
    else if (got > (double)want)
        note(c, "performance_sample_count is %.0f, official is %llu", got,
             (unsigned long long)want);
    if (c->s->scenario == MULTI_STREAM &&
        real(c, "effective_samples_per_query") != (double)c->s->samples_per_query)
        reason(c, "the log's samples per query are %.0f, %lld were asked for",
               real(c, "effective_samples_per_query"), (long long)c->s->samples_per_query);
    if (c->official->sample_concatenate_permutation &&
        !is_true(c, "effective_sample_concatenate_permutation"))
        reason(c, "sample_concatenate_permutation is off, this model needs it");
    if (c->official->sample_concatenate_permutation ||
        !is_true(c, "effective_sample_concatenate_permutation"))
        return;
    if (profile_is_official(c->s))
        reason(c, "sample_concatenate_permutation is on, and official is off");
    else
        note(c, "sample_concatenate_permutation is on, and official is off");
}

static void check_accuracy_samples(struct court *c)
{
    /* LoadGen before 6.0 has no override and does not log the count. */
    double got =
        detail_real(c->d, "effective_accuracy_sample_count", real(c, "qsl_reported_total_count"));

    if (!(got >= (double)c->samples))
        reason(c, "the accuracy run has %.0f samples, the data set %llu", got,
               (unsigned long long)c->samples);
    if (detail_text(c->d, "result_validity", NULL) && !c->performance)
        reason(c, "an accuracy log holds a performance result");
}

/* Compliance tests change what is issued or logged: such a run is no result of its own. */
static void check_audit(struct court *c)
{
    static const char *const keys[] = {
        "effective_performance_issue_unique", "effective_performance_issue_same",
        "effective_accuracy_log_sampling_target", "effective_accuracy_log_probability"};
    size_t i;

    for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        if (!c->performance || detail_real(c->d, keys[i], 0) == 0)
            continue;
        c->audit = true;
        note(c, "audit run: %s is set", keys[i] + strlen("effective_"));
    }
    for (i = 0; i < json_array_size(c->d->warnings); i++)
        if (strstr(json_string_value(json_array_get(c->d->warnings, i)), "Audit Config"))
            c->audit = true;
    if (c->s->audit_config) {
        c->audit = true;
        note(c, "audit run: with %s", c->s->audit_config);
    }
}

static void set_headline(struct court *c)
{
    struct verdict *v = c->v;
    double p = c->s->target_latency_percentile * 100, value;
    char key[80];

    if (!c->performance)
        return;
    if (c->s->scenario == SERVER || c->s->scenario == OFFLINE) {
        snprintf(v->metric, sizeof(v->metric), "throughput");
        snprintf(v->unit, sizeof(v->unit), "samples/s");
        v->value = real(c, c->s->scenario == SERVER ? "result_completed_samples_per_sec"
                                                    : "result_samples_per_second");
        return;
    }
    snprintf(v->metric, sizeof(v->metric), "p%g latency (early stopping)", p);
    snprintf(v->unit, sizeof(v->unit), "ns");
    value = real(c, c->s->scenario == SINGLE_STREAM ? "early_stopping_latency_ss"
                                                    : "early_stopping_latency_ms");
    if (!(value > 0)) { /* too few queries for an estimate */
        snprintf(v->metric, sizeof(v->metric), "p%g latency", p);
        snprintf(key, sizeof(key), "result_%.2f_percentile_%slatency_ns", p,
                 c->s->scenario == MULTI_STREAM ? "per_query_" : "");
        value = real(c, key);
    }
    v->value = value;
}

static void set_word(struct court *c)
{
    struct verdict *v = c->v;
    const char *word = "VALID";

    v->valid = !json_array_size(v->reasons);
    if (!v->valid)
        word = "INVALID";
    else if (c->audit)
        word = "AUDIT-VALID";
    else if (!profile_is_official(c->s))
        word = "QUICK-VALID";
    snprintf(v->word, sizeof(v->word), "%s", word);
}

int verdict_judge(const struct detail *d, const struct settings *s,
                  const struct load_official *official, uint64_t dataset_samples, struct verdict *v,
                  struct assay_err *err)
{
    struct court c = {.d = d, .s = s, .official = official, .samples = dataset_samples, .v = v};

    *v = (struct verdict){.reasons = json_array(), .notes = json_array(), .value = NAN};
    c.performance = s->mode != MODE_ACCURACY;
    c.accuracy = s->mode == MODE_ACCURACY || s->mode == MODE_SUBMISSION;
    c.failed = !v->reasons || !v->notes;
    check_errors(&c);
    note_warnings(&c);
    check_kind(&c);
    check_seeds(&c);
    check_audit(&c);
    if (c.performance) {
        check_loadgen(&c);
        check_duration(&c);
        check_count(&c);
        check_latency(&c);
        check_early_stopping(&c);
        check_samples(&c);
    }
    if (c.accuracy)
        check_accuracy_samples(&c);
    set_headline(&c);
    set_word(&c);
    if (!c.failed)
        return 0;
    verdict_release(v);
    return assay_fail(err, ASSAY_EFAIL, "verdict: out of memory");
}

void verdict_release(struct verdict *v)
{
    json_decref(v->reasons);
    json_decref(v->notes);
    *v = (struct verdict){0};
}
