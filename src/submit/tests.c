/* Compliance tests TEST01 and TEST04.
 *
 * TEST01 runs for performance and has LoadGen log a sample of the responses: they must be those of
 * the accuracy run, and the speed that of the performance run.  TEST04 issues one sample again and
 * again: faster than the performance run means that results are remembered.  Margins: 10 %, or
 * 20 % where a stream's latency is so short that the machine's own noise is as large; TEST04 takes
 * that limit of a rate, as the official script does, which makes it 20 % for nearly every stream.
 */
#include "submit/tests.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

bool submit_test_config(const struct submit_model *m, int test, struct text *out)
{
    if (test == 1 && m->test01_target) {
        text_addf(out,
                  "# TEST01: log a sample of the responses of a performance run.\n"
                  "*.*.mode = 2\n"
                  "*.*.accuracy_log_rng_seed = %llu\n"
                  "*.*.accuracy_log_sampling_target = %llu\n",
                  (unsigned long long)SUBMIT_TEST01_SEED, (unsigned long long)m->test01_target);
        return true;
    }
    if (test == 4) {
        text_addf(out,
                  "# TEST04: one sample again and again.\n"
                  "*.*.mode = 2\n"
                  "*.*.performance_issue_unique = 0\n"
                  "*.*.performance_issue_same = 1\n"
                  "*.*.performance_issue_same_index = %d\n",
                  SUBMIT_TEST04_INDEX);
        return true;
    }
    return false;
}

bool submit_test_applied(const struct submit_model *m, int test, const struct detail *d, char *why,
                         size_t size)
{
    uint64_t seed = 0, target = 0;

    if (test == 1) {
        detail_u64(d, "effective_accuracy_log_rng_seed", &seed);
        detail_u64(d, "effective_accuracy_log_sampling_target", &target);
        if (seed != SUBMIT_TEST01_SEED) {
            snprintf(why, size, "accuracy_log_rng_seed is %llu, TEST01 has %llu",
                     (unsigned long long)seed, (unsigned long long)SUBMIT_TEST01_SEED);
            return false;
        }
        if (m->test01_target && target != m->test01_target) {
            snprintf(why, size, "accuracy_log_sampling_target is %llu, TEST01 has %llu",
                     (unsigned long long)target, (unsigned long long)m->test01_target);
            return false;
        }
    }
    if (test == 4 &&
        (detail_real(d, "effective_performance_issue_same", 0) != 1 ||
         detail_real(d, "effective_performance_issue_same_index", -1) != SUBMIT_TEST04_INDEX)) {
        snprintf(why, size, "performance_issue_same is not on with index %d", SUBMIT_TEST04_INDEX);
        return false;
    }
    return true;
}

static int scenario_of(const struct detail *d)
{
    const char *name = detail_text(d, "effective_scenario", "");

    for (int i = 0; i < SCENARIO_COUNT; i++)
        if (!strcmp(settings_scenario_names[i], name))
            return i;
    return -1;
}

double submit_score(const struct detail *d)
{
    static const char *const keys[SCENARIO_COUNT] = {
        "early_stopping_latency_ss", "early_stopping_latency_ms",
        "result_completed_samples_per_sec", "result_samples_per_second"};
    int scenario = scenario_of(d);
    double score = scenario < 0 ? NAN : detail_real(d, keys[scenario], NAN);

    return score > 0 ? score : NAN;
}

/* The part by which the figures may differ; of a stream the limit is a latency (TEST01) or, in
 * TEST04, the same number as a rate. */
static double margin(int scenario, double reference)
{
    return (scenario == SINGLE_STREAM && reference <= 200000) ||
                   (scenario == MULTI_STREAM && reference <= 1600000)
               ? 0.20
               : 0.10;
}

static bool compare_test01(int scenario, double reference, double score, char *words, size_t size)
{
    double m = margin(scenario, reference);
    bool pass = score >= reference * (1 - m) && score <= reference * (1 + m);

    snprintf(words, size,
             "the test's figure is %.6g, that of the performance run %.6g: %+.1f %%, "
             "%s %.0f %%",
             score, reference, 100 * (score / reference - 1), pass ? "within" : "not within",
             m * 100);
    return pass;
}

static bool compare_test04(int scenario, double reference, double score, char *words, size_t size)
{
    bool stream = scenario == SINGLE_STREAM || scenario == MULTI_STREAM;
    double speed = stream ? 1e9 / reference : reference, got = stream ? 1e9 / score : score;
    double m = margin(scenario, speed);
    bool pass = got < speed * (1 + m);

    snprintf(words, size, "the test is %.3f times as fast as the performance run, %s %.2f",
             got / speed, pass ? "less than" : "not less than", 1 + m);
    return pass;
}

bool submit_test_compare(int test, const struct detail *reference, const struct detail *d,
                         char *words, size_t size)
{
    int scenario = scenario_of(reference);
    double from = submit_score(reference), to = submit_score(d);

    if (scenario != scenario_of(d)) {
        snprintf(words, size, "the test's scenario is %s, that of the performance run %s",
                 detail_text(d, "effective_scenario", "none"),
                 detail_text(reference, "effective_scenario", "none"));
        return false;
    }
    if (isnan(from) || isnan(to)) {
        snprintf(words, size, "the log of the %s has no figure",
                 isnan(from) ? "performance run" : "test");
        return false;
    }
    if (scenario == SERVER && detail_real(reference, "effective_target_latency_ns", 0) !=
                                  detail_real(d, "effective_target_latency_ns", 1)) {
        snprintf(words, size, "the test's latency bound is not that of the performance run");
        return false;
    }
    return test == 1 ? compare_test01(scenario, from, to, words, size)
                     : compare_test04(scenario, from, to, words, size);
}

static int by_index(const void *a, const void *b)
{
    const struct assay_log_entry *x = *(const struct assay_log_entry *const *)a;
    const struct assay_log_entry *y = *(const struct assay_log_entry *const *)b;

    return (x->index > y->index) - (x->index < y->index);
}

/* Of one sample that was logged several times in the accuracy run, any will do: they were the same,
 * or the run was not repeatable, which shows as a difference. */
static const struct assay_log_entry *find(const struct assay_log_entry **sorted, uint64_t n,
                                          const struct assay_log_entry *wanted)
{
    const struct assay_log_entry **hit = bsearch(&wanted, sorted, n, sizeof(*sorted), by_index);

    return hit ? *hit : NULL;
}

/* The log's entries by sample; NULL: no memory. */
static const struct assay_log_entry **sort(const struct accuracy_log *log)
{
    const struct assay_log_entry **sorted = calloc(log->n + 1, sizeof(*sorted));

    for (uint64_t i = 0; sorted && i < log->n; i++)
        sorted[i] = &log->entries[i];
    if (sorted)
        qsort(sorted, log->n, sizeof(*sorted), by_index);
    return sorted;
}

int submit_test01_common(const struct accuracy_log *from, const struct accuracy_log *other,
                         struct accuracy_log *out, struct assay_err *err)
{
    const struct assay_log_entry **mine = sort(from), **theirs = sort(other);
    int rc = ASSAY_OK;

    *out = (struct accuracy_log){.entries = calloc(from->n + 1, sizeof(*out->entries))};
    if (!mine || !theirs || !out->entries)
        rc = assay_fail(err, ASSAY_EFAIL, "TEST01: not enough memory for the accuracy log");
    for (uint64_t i = 0; i < from->n && !rc; i++)
        if ((!i || mine[i]->index != mine[i - 1]->index) && find(theirs, other->n, mine[i]))
            out->entries[out->n++] = *mine[i];
    free(mine);
    free(theirs);
    if (rc)
        accuracy_log_release(out);
    return rc;
}

int submit_test01_compare(const struct accuracy_log *reference, const struct accuracy_log *test,
                          struct submit_responses *out, struct assay_err *err)
{
    const struct assay_log_entry **sorted = sort(reference), *hit;
    uint64_t i;

    *out = (struct submit_responses){.reference = reference->n, .test = test->n};
    if (!sorted)
        return assay_fail(err, ASSAY_EFAIL, "TEST01: not enough memory for the accuracy log");
    for (i = 0; i < test->n; i++) {
        const struct assay_log_entry *e = &test->entries[i];

        hit = find(sorted, reference->n, e);
        if (!hit)
            out->missing++;
        else if (hit->bytes == e->bytes && !memcmp(hit->data, e->data, e->bytes))
            out->same++;
        else
            out->different++;
    }
    free(sorted);
    return ASSAY_OK;
}
