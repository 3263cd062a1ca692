/* The logs of a performance or accuracy run.
 *
 * The strict verdict of load/verdict.h judges, by the terms of the round (terms.h); here each of
 * its reasons becomes a finding of the rule that it is about. */
#include "submit/judge.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "submit/terms.h"

/* In which runs' logs the official checker sees it. */
enum seen { NEVER, IN_PERFORMANCE, IN_ACCURACY };

/* How the verdict's reasons begin (or, with a '*', what they hold). */
static const struct reason_row {
    const char *text;
    enum judge_rule rule;
    enum seen seen;
} reason_rows[] = {
    {"LoadGen error", RULE_ERRORS, IN_ACCURACY},
    {"LoadGen logged", RULE_ERRORS, IN_ACCURACY},
    {"LoadGen counted", RULE_ERRORS, IN_ACCURACY},
    {"the log's mode", RULE_MODE, NEVER},
    {"an accuracy log holds", RULE_MODE, NEVER},
    {"the log's scenario", RULE_LOG_SCENARIO, IN_PERFORMANCE},
    {"qsl_rng_seed", RULE_SEED, IN_PERFORMANCE},
    {"sample_index_rng_seed", RULE_SEED, IN_PERFORMANCE},
    {"schedule_rng_seed", RULE_SEED, IN_PERFORMANCE},
    {"the log has no effective_", RULE_SEED, IN_PERFORMANCE},
    {"the log has no result", RULE_VALIDITY, IN_PERFORMANCE},
    {"LoadGen says", RULE_VALIDITY, NEVER},
    {"the log's minimum duration", RULE_DURATION, IN_PERFORMANCE},
    {"the run took", RULE_TOO_SHORT, NEVER},
    {"the log's minimum is", RULE_COUNT, NEVER},
    {"the run had", RULE_COUNT, NEVER},
    {"the Offline query", RULE_COUNT, NEVER},
    {"the log's percentile", RULE_LATENCY, NEVER},
    {"the log's latency bound", RULE_LATENCY, NEVER},
    {"the latency bound", RULE_LATENCY, IN_PERFORMANCE},
    {"early stopping is not met", RULE_EARLY_STOPPING, IN_PERFORMANCE},
    {"*are too few for a percentile", RULE_EARLY_STOPPING, NEVER},
    {"performance_sample_count", RULE_SAMPLES, IN_PERFORMANCE},
    {"the log's samples per query", RULE_SAMPLES, NEVER},
    {"sample_concatenate_permutation", RULE_EQUAL_ISSUE, NEVER},
    {"the accuracy run has", RULE_DATASET, IN_ACCURACY},
};

static const struct reason_row *row_of(const char *reason)
{
    static const struct reason_row other = {"", RULE_RUN, NEVER};

    for (size_t i = 0; i < sizeof(reason_rows) / sizeof(reason_rows[0]); i++) {
        const char *text = reason_rows[i].text;

        if (*text == '*' ? strstr(reason, text + 1) != NULL : !strncmp(reason, text, strlen(text)))
            return &reason_rows[i];
    }
    return &other;
}

/* The scenario that the log must show: the folder's, or one that its result may be inferred from.
 */
static int scenario_wanted(struct judge *j, const struct place *p, const struct detail *d)
{
    static const int inferred[][2] = {
        {SINGLE_STREAM, MULTI_STREAM}, {MULTI_STREAM, OFFLINE}, {SINGLE_STREAM, OFFLINE}};
    const char *logged = detail_text(d, "effective_scenario", "");
    int folder = p->number == SUBMIT_INTERACTIVE ? (int)SERVER : p->number;

    for (size_t i = 0; i < sizeof(inferred) / sizeof(inferred[0]); i++) {
        if (folder != inferred[i][1] || !(p->category & SUBMIT_EDGE) ||
            strcmp(logged, submit_scenario_names[inferred[i][0]]))
            continue;
        judge_note(j, "%s: the %s result is inferred from a %s run", p->results, p->scenario,
                   logged);
        return inferred[i][0];
    }
    return folder;
}

static void add_reasons(struct judge *j, const char *where, enum judge_kind kind,
                        const struct verdict *v, const char *mend)
{
    const json_t *reason;
    size_t i;

    json_array_foreach(v->reasons, i, reason)
    {
        const char *text = json_string_value(reason);
        const struct reason_row *row = row_of(text);
        bool official = row->seen == (kind == JUDGE_ACCURACY ? IN_ACCURACY : IN_PERFORMANCE);

        judge_add_as(j, row->rule, official, where, mend, "%s", text);
    }
}

/* Of an Offline query the official checker counts what LoadGen meant to issue. */
static void check_query(struct judge *j, const struct place *p, const char *where,
                        const struct detail *d, int scenario, const char *mend)
{
    double size = detail_real(d, "effective_samples_per_query", NAN);

    if (scenario == OFFLINE && p->closed && p->model && size < (double)p->model->offline_samples)
        judge_add(j, RULE_COUNT, where, mend,
                  "the Offline query has %.0f samples, the least is %llu", size,
                  (unsigned long long)p->model->offline_samples);
}

/* LoadGen's version stands in the log as "6.0.17 @ d6147c7eb7". */
static void check_loadgen(struct judge *j, const char *where, const struct detail *d,
                          const char *mend)
{
    const char *version = detail_text(d, "loadgen_version", "");
    size_t n = strcspn(version, " @");
    const struct submit_round *r;

    for (r = submit_rounds; r->name; r++)
        for (const char *const *known = r->loadgens; *known; known++)
            if (strlen(*known) == n && !strncmp(*known, version, n)) {
                if (r != j->round)
                    judge_add(j, RULE_LOADGEN, where, mend, "LoadGen %.*s is that of round %s",
                              (int)n, version, r->name);
                return;
            }
    judge_note(j, "LoadGen '%.40s' is in no list of releases; its seeds decide", version);
}

static void check_audit(struct judge *j, const char *where, const struct verdict *v, int test,
                        const char *mend)
{
    if (!test && !strcmp(v->word, "AUDIT-VALID"))
        judge_add(j, RULE_AUDIT, where, mend, "the run had audit settings");
}

/* More than the data set is as wrong as less, for the official checker. */
static void check_dataset(struct judge *j, const struct place *p, const char *where,
                          const struct detail *d, uint64_t want, const char *mend)
{
    double got = detail_real(d, "effective_accuracy_sample_count",
                             detail_real(d, "qsl_reported_total_count", NAN));

    if (p->model && got > (double)want)
        judge_add(j, RULE_DATASET, where, mend,
                  "the accuracy run has %.0f samples, the data set %llu", got,
                  (unsigned long long)want);
}

static void check_network(struct judge *j, const struct place *p, const char *where,
                          const struct detail *d, const char *mend)
{
    const char *name = detail_text(d, "sut_name", "");

    if (p->network && !strstr(name, "Network SUT"))
        judge_add(j, RULE_NETWORK, where, mend,
                  "the system under test is called '%s', without \"Network SUT\"", name);
}

static void judge_log(struct judge *j, const struct place *p, const char *where,
                      enum judge_kind kind, int test, const struct detail *d, const char *mend)
{
    struct submit_terms t = {.round = j->round->name,
                             .model = p->model,
                             .scenario = scenario_wanted(j, p, d),
                             .accuracy = kind == JUDGE_ACCURACY,
                             .interactive = p->number == SUBMIT_INTERACTIVE,
                             .closed = p->closed,
                             .min_duration_ms = j->min_duration_ms};
    uint64_t samples = submit_terms_samples(&t, d);
    struct verdict v = {0};
    struct assay_err err;

    if (submit_terms_judge(&t, d, &v, &err)) {
        judge_add(j, RULE_RUN, where, mend,
                  "cannot be judged: a text in it is cut inside a letter, "
                  "or there is no memory");
    } else {
        add_reasons(j, where, kind, &v, mend);
        check_audit(j, where, &v, test, mend);
    }
    verdict_release(&v);
    check_loadgen(j, where, d, mend);
    if (kind == JUDGE_ACCURACY)
        check_dataset(j, p, where, d, samples, mend);
    else
        check_network(j, p, where, d, mend);
    if (kind == JUDGE_PERFORMANCE)
        check_query(j, p, where, d, t.scenario, mend);
}

bool judge_run(struct judge *j, const struct place *p, const char *dir, enum judge_kind kind,
               int test, struct detail *d)
{
    char where[JUDGE_PATH], full[2 * JUDGE_PATH], mend[300], mode[24];
    struct assay_err err = {0};
    const char *text;

    snprintf(mode, sizeof(mode), "TEST%02d", test);
    judge_mend_run(j, p, test ? mode : kind == JUDGE_ACCURACY ? "accuracy" : "performance", mend);
    judge_join(where, dir, "mlperf_log_detail.txt");
    judge_full(j, where, full);
    judge_file(j, dir, "mlperf_log_summary.txt", test != 0, mend);
    if (!file_exists(full)) {
        judge_add(j, RULE_LOG, where, mend, "LoadGen's detail log is missing");
        return false;
    }
    if (detail_read(full, d, &err)) {
        text = strstr(err.text, full);
        judge_add(j, RULE_LOG, where, mend, "line %s", text ? text + strlen(full) + 1 : err.text);
        return false;
    }
    judge_log(j, p, where, kind, test, d, mend);
    return true;
}
