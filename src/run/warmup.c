/* Warm-up and calibration: every lane works, untimed, before LoadGen starts; what is seen there
 * sets what LoadGen wants to know beforehand, so nobody sets a QPS or a latency by hand.
 *
 * Samples are taken from the end of the data set, where LoadGen's performance set (indices from 0)
 * does not reach when the data set is larger than it; where samples differ in length they are taken
 * from all over it, since its end may have long or short ones only.  Responses are thrown away. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "base/tree.h"
#include "record/system.h"
#include "run/child.h"
#include "run/latency.h"

#define SINGLES_MAX   4096
#define BATCH_TRY_MAX 1024
#define WARM_SAMPLES  64
/* What LoadGen and the completion cost for one Offline sample, at least: bounds the guess for
 * engines that cost nothing. */
#define LOADGEN_SAMPLE_S 20e-9
/* Its loop for one query of a stream (facts: 0.9 us and more): bounds how many it generates. */
#define LOADGEN_QUERY_NS 900.0

uint64_t warmup_index(const struct child *c, uint64_t k)
{
    uint64_t total = c->bench_desc.samples, span = total < WARM_SAMPLES ? total : WARM_SAMPLES;

    return total - 1 - k % span * (child_pads(c) ? total / span : 1);
}

#define FEW  256
#define MANY 65536 /* 1 MB of items; larger than any batch on all lanes */

/* Runs n samples through the batcher and waits for them: seconds.  One lane makes its batches of
 * what is issued at once, so that is as much as the run would. */
double warmup_samples(struct child *c, size_t n, size_t *at)
{
    struct batch_item few[FEW], *many = n > FEW ? malloc(MANY * sizeof(*many)) : NULL,
                                *items = many ? many : few;
    size_t most = many ? MANY : FEW;
    int64_t t0 = clock_ns();

    while (n) {
        size_t part = n < most ? n : most, i;

        for (i = 0; i < part; i++)
            items[i] = (struct batch_item){0, warmup_index(c, (*at)++)};
        batch_issue(c->batcher, items, part);
        n -= part;
    }
    batch_flush(c->batcher);
    batch_wait_idle(c->batcher);
    t0 = clock_ns() - t0;
    free(many);
    return (double)t0 * 1e-9;
}

/* Single samples through every lane, untimed: an engine may prepare anew for the first of them
 * after larger batches.  What follows has batches as for a single sample of the run: a Server's may
 * be filled up, Offline has none. */
static void settle_singles(struct child *c, size_t *at)
{
    bool filled = child_fills(c) && c->r.s.scenario != OFFLINE;

    if (c->max_batch == 1 || filled)
        return;
    batch_limit(c->batcher, 1);
    for (int k = 0; k < 2; k++)
        warmup_samples(c, c->lanes, at);
}

/* One sample at a time, at least 3 and for `seconds`. */
static int measure_singles(struct child *c, double seconds, size_t *at, struct assay_err *err)
{
    double *took = malloc(SINGLES_MAX * sizeof(*took)), spent = 0;
    size_t n = 0;

    if (!took)
        return assay_fail(err, ASSAY_EFAIL, "not enough memory to warm up");
    settle_singles(c, at);
    while ((spent < seconds && n < SINGLES_MAX) || n < 3) {
        took[n] = warmup_samples(c, 1, at);
        spent += took[n++];
    }
    batch_limit(c->batcher, c->max_batch);
    latency_sort(took, n);
    c->single_ns_min = took[0] * 1e9;
    c->single_ns_median = took[n / 2] * 1e9;
    c->single_ns_p99 = latency_rank(took, n, 0.99) * 1e9;
    free(took);
    return ASSAY_OK;
}

/* Samples per second with batches of at most `batch` on every lane, measured for about `seconds`.
 */
double warmup_rate(struct child *c, uint32_t batch, double seconds, size_t *at)
{
    size_t round = (size_t)batch * c->lanes, done = 0;
    double spent = 0;

    batch_limit(c->batcher, batch);
    while (spent < seconds || done < round) {
        double took = warmup_samples(c, round, at);

        spent += took;
        done += round;
        if (took < seconds / 8)
            round *= 2;
    }
    return (double)done / spent;
}

/* Offline with a free batch size: doubles it while that helps by 2 %, and stops when a batch takes
 * long, or is too much for the engine (on a card mostly for its memory), which nobody asked for. */
static double find_batch(struct child *c, double seconds, size_t *at)
{
    double best = 0, rate;
    uint32_t batch, chosen = 1;
    json_t *tried = json_array();
    struct assay_err why;

    for (batch = 1; batch <= c->max_batch; batch *= 2) {
        batch_try(c->batcher, batch > 1);
        rate = warmup_rate(c, batch, seconds, at);
        if (batch_tried(c->batcher, &why)) {
            json_array_append_new(tried, json_pack("{s:i, s:o}", "batch", (int)batch, "error",
                                                   tree_string(why.text)));
            break;
        }
        json_array_append_new(
            tried, json_pack("{s:i, s:f}", "batch", (int)batch, "samples_per_second", rate));
        if (rate > best * 1.02) {
            best = rate;
            chosen = batch;
        } else if (batch >= chosen * 4) {
            break;
        }
        if ((double)batch * c->lanes / rate > 1.0)
            break;
    }
    batch_try(c->batcher, false);
    batch_limit(c->batcher, chosen);
    c->max_batch = chosen;
    json_object_set_new(c->warmup, "batches_tried", tried);
    return best;
}

/* Makes the samples of the warm-up resident. */
int warmup_load(struct child *c, struct assay_err *err)
{
    uint64_t list[WARM_SAMPLES], total = c->bench_desc.samples,
                                 n = total < WARM_SAMPLES ? total : WARM_SAMPLES, i;

    for (i = 0; i < n; i++)
        list[i] = warmup_index(c, i);
    return child_not_the_engine(c->r.benchmark->load(c->bench, list, n, err), err);
}

/* A Server's batches have any size, and engines prepare for each shape when they first meet it; on
 * a GPU some try out every convolution's algorithms, which takes seconds.  So each size goes
 * through the lanes twice here, on the CPU as long as the warm-up lasts.  Above 64 some have to do.
 */
static void warm_sizes(struct child *c, double first, size_t *at)
{
    double spent = first, most = strcmp(c->r.s.device, "cpu") ? INFINITY : c->r.s.warmup_s;
    uint32_t n, sizes = 0;

    if (c->r.s.scenario != SERVER || child_pads(c) || child_fills(c))
        return;
    for (n = 1; n < c->max_batch && spent < most; n = n < 64 ? n + 1 : 2 * n, sizes++) {
        batch_limit(c->batcher, n);
        for (int k = 0; k < 2; k++)
            spent += warmup_samples(c, (size_t)n * c->lanes, at);
    }
    batch_limit(c->batcher, c->max_batch);
    if (sizes)
        json_object_set_new(c->warmup, "batch_sizes", json_integer(sizes + 1));
}

/* The batch and the rate, given how long the very first round took. */
static int measure(struct child *c, double first, size_t *at, struct assay_err *err)
{
    const struct settings *s = &c->r.s;
    bool free_batch = s->scenario == OFFLINE && !s->batch;
    double part = s->warmup_s / 3;
    int rc;

    if (first >= s->warmup_s) /* once more, without what an engine prepares in its first call */
        first = warmup_samples(c, (free_batch ? 1 : c->max_batch) * (size_t)c->lanes, at);
    if (first >= s->warmup_s) { /* a slow model: that has to do */
        if (free_batch)
            c->max_batch = 1;
        c->samples_per_second = (double)c->max_batch * c->lanes / first;
        settle_singles(c, at);
        if (c->max_batch * c->lanes > 1)
            first = warmup_samples(c, 1, at);
        batch_limit(c->batcher, c->max_batch);
        c->single_ns_min = c->single_ns_median = c->single_ns_p99 = first * 1e9;
        return ASSAY_OK;
    }
    if ((rc = measure_singles(c, part, at, err)))
        return rc;
    if (child_finds_batch(c))
        c->samples_per_second = find_batch(c, part / 2, at);
    else
        c->samples_per_second = warmup_rate(c, c->max_batch, 2 * part, at);
    return ASSAY_OK;
}

/* The engine plans for the batch that was found; the first after that is untimed. */
static int settle(struct child *c, size_t *at, struct assay_err *err)
{
    uint32_t rows = c->bench_desc.rows ? c->bench_desc.rows : 1;
    int rc;

    if (!c->settles || !engine_settles(c->r.engine))
        return ASSAY_OK;
    child_phase(c, PHASE_MODEL, c->r.engine->name, 0, 0);
    pin_bind(&c->pin, PIN_ALL);
    rc = engine_settle(c->engine, c->max_batch * rows, err);
    pin_unbind(&c->pin);
    child_phase(c, PHASE_WARMUP, c->r.engine->name, 0, c->r.s.warmup_s);
    if (!rc)
        warmup_samples(c, (size_t)c->max_batch * c->lanes, at);
    return rc;
}

int warmup(struct child *c, struct assay_err *err)
{
    bool free_batch = c->r.s.scenario == OFFLINE && !c->r.s.batch;
    size_t at = 0;
    double first;
    int rc = warmup_load(c, err);

    if (rc)
        return rc;
    c->warming = true;
    c->warmup = json_object();
    batch_careful(c->batcher, true);
    /* The first round pays for lazy initialisation: it is measured only where it takes long. */
    if (free_batch)
        batch_limit(c->batcher, 1);
    first = warmup_samples(c, (free_batch ? 1 : c->max_batch) * (size_t)c->lanes, &at);
    warm_sizes(c, first, &at);
    rc = measure(c, first, &at, err);
    if (!rc)
        rc = settle(c, &at, err);
    c->warming = false;
    batch_careful(c->batcher, false);
    if (rc)
        return rc;
    json_object_set_new(c->warmup, "single_sample_ns",
                        json_pack("{s:f, s:f, s:f}", "min", c->single_ns_min, "median",
                                  c->single_ns_median, "p99", c->single_ns_p99));
    json_object_set_new(c->warmup, "samples_per_second", json_real(c->samples_per_second));
    json_object_set_new(c->warmup, "batch", json_integer(c->max_batch));
    json_object_set_new(c->warmup, "samples", json_integer((json_int_t)at));
    return ASSAY_OK;
}

/* Server in the quick profile: where even a single sample takes longer than the official bound, a
 * bound of our own is used and said; the official profile has no such way out. */
static int own_bound(struct child *c, struct assay_err *err)
{
    struct settings *s = &c->r.s;
    double p99_ms = c->single_ns_p99 * 1e-6, own;

    if (s->mode == MODE_ACCURACY || p99_ms <= s->target_latency_ms ||
        settings_origin_of(s, "target-latency-ms") >= SETTINGS_USER_FILE)
        return ASSAY_OK;
    if (strcmp(s->profile, "quick"))
        return assay_fail(err, ASSAY_EFAIL,
                          "no load meets the bound: a single sample takes %.1f ms (p99), the "
                          "official Server bound is %.0f ms; a faster engine, device or model "
                          "is needed, or the quick profile with its own bound",
                          p99_ms, s->target_latency_ms);
    own = latency_own_bound_ms(p99_ms);
    json_object_set_new(c->warmup, "own_bound_ms", json_real(own));
    json_object_set_new(c->warmup, "official_bound_ms", json_real(s->target_latency_ms));
    return settings_set_real(s, "target-latency-ms", own, SETTINGS_MEASURED, err);
}

int calibrate(struct child *c, struct assay_err *err)
{
    struct settings *s = &c->r.s;
    double query_ns;

    switch (s->scenario) {
    case SINGLE_STREAM:
    case MULTI_STREAM:
        if (s->target_latency_ms > 0)
            return ASSAY_OK;
        /* LoadGen generates queries for twice the duration at this latency: the fastest seen is
         * safe against running out. */
        query_ns = s->scenario == SINGLE_STREAM
                       ? c->single_ns_min
                       : (double)s->samples_per_query / c->samples_per_second * 1e9 * 0.8;
        return settings_set_real(s, "target-latency-ms", fmax(query_ns, LOADGEN_QUERY_NS) * 1e-6,
                                 SETTINGS_MEASURED, err);
    case OFFLINE:
        /* LoadGen issues 1.1 times what this rate needs to fill the duration. The warm-up did not
         * pay for LoadGen's own part of a sample. */
        if (s->target_qps > 0)
            return ASSAY_OK;
        return settings_set_real(s, "target-qps",
                                 1 / (1 / c->samples_per_second + LOADGEN_SAMPLE_S),
                                 SETTINGS_MEASURED, err);
    default:
        return own_bound(c, err);
    }
}

/* Queries that LoadGen generates before it starts. */
static double generated_queries(const struct settings *s)
{
    double seconds = (double)s->min_duration_ms * 1e-3, least = (double)s->min_query_count;

    if (s->scenario == OFFLINE)
        return fmax(1.1 * seconds * s->target_qps, least);
    if (s->scenario == SERVER)
        return fmax(seconds * s->target_qps, least);
    return fmax(2 * seconds / (s->target_latency_ms * 1e-3), least);
}

double expected_samples(const struct child *c, const struct settings *s)
{
    double queries = s->mode == MODE_ACCURACY ? 0 : generated_queries(s);

    if (s->scenario == SINGLE_STREAM || s->scenario == MULTI_STREAM)
        queries /= 2; /* generated for twice the duration */
    if (s->scenario == MULTI_STREAM)
        queries *= (double)s->samples_per_query;
    return fmax(queries, (double)c->bench_desc.samples);
}

/* Trials of a search for the load, as it goes where nothing disturbs it; and where the peak is
 * wanted, the long ones after them. */
#define SEARCH_TRIALS 6
#define SETTLE_TRIALS 5

static double server_seconds(const struct settings *s, double rate)
{
    bool peak = s->mode == MODE_FIND_PEAK, search = peak || !(s->target_qps > 0);
    double qps = search ? 0.7 * rate : s->target_qps, full, trial = server_trial_s(s);

    full = fmax((double)s->min_duration_ms * 1e-3, (double)s->min_query_count / qps);
    return full + (search ? SEARCH_TRIALS * fmax(trial, SERVER_TRIAL_QUERIES / qps) : 0) +
           (peak ? SETTLE_TRIALS * server_settle_s(s) : 0);
}

/* By the warm-up's rate. */
static double expected_seconds(const struct child *c)
{
    const struct settings *s = &c->r.s;
    double single = c->single_ns_median * 1e-9, rate = c->samples_per_second, timed = 0;
    double samples = s->scenario == OFFLINE ? generated_queries(s) : (double)s->min_query_count;
    double all = (double)c->bench_desc.samples;

    if (s->accuracy_sample_count)
        all = fmin(all, (double)s->accuracy_sample_count);
    if (s->scenario == SINGLE_STREAM && single > 0)
        rate = 1 / single;
    if (s->scenario == MULTI_STREAM)
        samples *= (double)s->samples_per_query;
    if (s->mode != MODE_ACCURACY)
        timed = s->scenario == SERVER ? server_seconds(s, rate)
                                      : fmax((double)s->min_duration_ms * 1e-3, samples / rate);
    return timed + (s->mode == MODE_ACCURACY || s->mode == MODE_SUBMISSION ? all / rate : 0);
}

int check_time(struct child *c, struct assay_err *err)
{
    double limit = c->r.s.time_limit_s, expected = expected_seconds(c);
    char takes[32], most[32];

    c->shared->expected_s = expected;
    if (!(limit > 0) || expected <= limit)
        return ASSAY_OK;
    text_duration(takes, expected);
    text_duration(most, limit);
    return assay_fail(err, ASSAY_EFAIL,
                      "needs about %s here, more than the %s of --time-limit-s: not begun", takes,
                      most);
}

/* What the kernel could give without swapping: free pages alone would leave out its file cache,
 * which takes whatever nobody else wants. */
static double machine_memory(void)
{
    char line[128];
    unsigned long long kb = 0;
    FILE *f = fopen("/proc/meminfo", "re");

    while (f && !kb && fgets(line, sizeof(line), f))
        sscanf(line, "MemAvailable: %llu kB", &kb);
    if (f)
        fclose(f);
    return kb ? (double)kb * 1024
              : (double)sysconf(_SC_AVPHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
}

double memory_available(void)
{
    double have = machine_memory(), limit = system_memory_limit();

    return limit > 0 && limit < have ? limit : have;
}

/* LoadGen's memory per generated query (facts: 310-330 B a query with one sample, 620 B a
 * MultiStream query of 8, 100 B an Offline sample at its peak; measured: 90 B a further sample of a
 * MultiStream query). */
static double query_bytes(const struct settings *s)
{
    if (s->scenario == MULTI_STREAM)
        return 620 + 100 * fmax((double)s->samples_per_query - 8, 0);
    return s->scenario == OFFLINE ? 100 : 330;
}

/* What makes them so many or so large. */
static const char *less_memory(const struct settings *s, double have)
{
    double least = (double)s->min_query_count;

    if (s->scenario == MULTI_STREAM && s->samples_per_query > 8 && least * 620 < have)
        return "fewer --samples-per-query";
    if (least * query_bytes(s) >= have)
        return "a smaller --min-query-count";
    return settings_origin_of(s, "target-qps") >= SETTINGS_USER_FILE
               ? "a lower --target-qps, or a shorter --min-duration-ms"
               : "a shorter --min-duration-ms";
}

int check_memory(const struct settings *s, struct assay_err *err)
{
    double each = query_bytes(s), have = memory_available(), enough = have * 0.8;
    double queries = s->mode == MODE_ACCURACY ? 0 : generated_queries(s);
    char need[32], there[32];

    if (queries * each < enough)
        return ASSAY_OK;
    text_bytes(need, queries * each);
    text_bytes(there, have);
    return assay_fail(err, ASSAY_EFAIL,
                      "LoadGen would generate %.0f %s before it starts and need %s of memory, %s "
                      "are available: give %s",
                      queries, s->scenario == OFFLINE ? "samples" : "queries", need, there,
                      less_memory(s, enough));
}
