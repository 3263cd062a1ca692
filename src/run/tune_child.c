/* One trial of a tuning, in the child: a configuration opened afresh and measured as its scenario
 * counts, at each of the batch sizes that the job names.  No LoadGen: its issuing and timing cost
 * the same whatever the configuration.
 *
 * The job's "tune" has: batches (none: as a run would choose), samples (that there are; 0: enough),
 * seconds for each, percentile (0: chosen here by how many queries there are, and told),
 * service_ms (Server: what a batch may take at most; 0: anything), rate (> 0: samples arrive by a
 * Poisson process; their latency counts).
 * result.json has the points, the engine's version and what one sample takes. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/tree.h"
#include "run/child.h"
#include "run/latency.h"
#include "run/tune.h"
#include "run/tuned.h"

#define TOOK_MAX    65536
#define SAMPLES     64
#define ARRIVALS    100000
#define SLOW_FACTOR 2 /* a batch this many times longer than its measuring is too long */

struct point {
    uint32_t batch;
    double value, score, batch_s;
    double batch_p99_ms; /* of Server with all lanes full */
};

struct trial {
    struct child *c;
    double seconds, percentile, service_ms, rate;
    double *took;
    size_t at;
};

void tune_shorten(struct child *c)
{
    struct settings *s = &c->r.s;
    int64_t there = tree_int(c->tune, "samples", 0),
            few = there && there < SAMPLES ? there : SAMPLES;

    if (!s->count || s->count > few)
        s->count = few;
    if (s->warmup_s > 1)
        s->warmup_s = 1;
}

/* The scenario's own percentile where ten queries lie above it, else one that more of them carry.
 * All trials of a tuning use the one that the first found. */
static double choose_percentile(const struct child *c, size_t queries)
{
    double wanted = c->r.s.scenario == SINGLE_STREAM ? 0.9 : 0.99;

    return (double)queries * (1 - wanted) >= 10 ? wanted : queries >= 50 ? 0.9 : 0.5;
}

/* Rounds of n samples for the seconds, at least three if they are not slow: how many, sorted in
 * t->took. */
static size_t rounds(struct trial *t, size_t n)
{
    double spent = 0;
    size_t count = 0;

    while ((spent < t->seconds || (count < 3 && spent < 2 * t->seconds * SLOW_FACTOR)) &&
           count < TOOK_MAX) {
        t->took[count] = warmup_samples(t->c, n, &t->at);
        spent += t->took[count++];
    }
    latency_sort(t->took, count);
    return count;
}

static void stream_point(struct trial *t, struct point *p)
{
    const struct settings *s = &t->c->r.s;
    size_t each = s->scenario == MULTI_STREAM ? (size_t)s->samples_per_query : 1;
    size_t count = rounds(t, each);

    if (t->percentile <= 0)
        t->percentile = choose_percentile(t->c, count);
    p->value = latency_rank(t->took, count, t->percentile) * 1e9;
    p->score = 1e9 / p->value;
    p->batch_s = t->took[count / 2];
}

/* Server: all lanes full. */
static void server_point(struct trial *t, struct point *p)
{
    size_t each = (size_t)p->batch * t->c->lanes, count = rounds(t, each);
    double all = 0;

    for (size_t i = 0; i < count; i++)
        all += t->took[i];
    /* Of few, one hiccup of the machine would be all that it tells. */
    p->batch_p99_ms = latency_rank(t->took, count,
                                   count >= 100  ? 0.99
                                   : count >= 10 ? 0.9
                                                 : 1) *
                      1e3;
    p->batch_s = t->took[count / 2];
    p->value = (double)(each * count) / all;
    p->score = tune_server_score(p->value, p->batch_p99_ms, t->service_ms);
}

static double run_samples(void *trial, size_t n)
{
    struct trial *t = trial;

    return warmup_samples(t->c, n, &t->at);
}

static void offline_point(struct trial *t, struct point *p)
{
    size_t each = (size_t)p->batch * t->c->lanes;

    p->value = p->score = tune_offline_rate(run_samples, t, each, t->seconds);
    p->batch_s = (double)each / p->value;
}

static uint64_t draw(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    return z ^ (z >> 31);
}

/* n samples, of which c->done_ns is told, at the trial's rate. */
static void issue_paced(struct trial *t, int64_t *due_ns, size_t n)
{
    struct child *c = t->c;
    uint64_t random = 1;
    double due = 0;
    int64_t began = clock_ns();

    for (size_t i = 0; i < n; i++) {
        double u = (double)(draw(&random) >> 11) * 0x1p-53 + 0x1p-53;
        struct batch_item item = {i, warmup_index(c, t->at++)};
        struct timespec until;

        due -= log(u) / t->rate * 1e9;
        due_ns[i] = began + (int64_t)due;
        until = (struct timespec){due_ns[i] / 1000000000, due_ns[i] % 1000000000};
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
        batch_issue(c->batcher, &item, 1);
    }
    batch_flush(c->batcher);
    batch_wait_idle(c->batcher);
}

/* Samples that arrive whether or not those before are done: the 99th percentile (or what so few
 * carry) from when each was due. */
static int paced_point(struct trial *t, struct point *p, struct assay_err *err)
{
    struct child *c = t->c;
    double wanted = fmin(ceil(t->rate * t->seconds), ARRIVALS);
    size_t n = wanted < 10 ? 10 : (size_t)wanted;
    int64_t *due_ns = calloc(n, sizeof(*due_ns));
    double *latency = calloc(n, sizeof(*latency));
    int rc = ASSAY_OK;

    c->done_ns = calloc(n, sizeof(*c->done_ns));
    if (due_ns && latency && c->done_ns) {
        issue_paced(t, due_ns, n);
        for (size_t i = 0; i < n; i++)
            latency[i] = (double)(c->done_ns[i] - due_ns[i]);
        latency_sort(latency, n);
        p->value = latency_rank(latency, n, n >= 1000 ? 0.99 : 0.9);
        p->score = 1e9 / p->value;
    } else {
        rc = assay_fail(err, ASSAY_EFAIL, "not enough memory to measure latencies");
    }
    free(c->done_ns);
    c->done_ns = NULL;
    free(latency);
    free(due_ns);
    return rc;
}

static int measure_point(struct trial *t, struct point *p, struct assay_err *err)
{
    batch_limit(t->c->batcher, p->batch);
    if (t->rate > 0)
        return paced_point(t, p, err);
    switch (t->c->r.s.scenario) {
    case OFFLINE:
        offline_point(t, p);
        break;
    case SERVER:
        server_point(t, p);
        break;
    default:
        stream_point(t, p);
    }
    return ASSAY_OK;
}

static void note_point(json_t *points, const struct point *p)
{
    json_array_append_new(points, json_pack("{s:i, s:f, s:f, s:f, s:f}", "batch", (int)p->batch,
                                            "value", p->value, "score", p->score, "batch_s",
                                            p->batch_s, "batch_p99_ms", p->batch_p99_ms));
}

/* Rising batches, until they take long or two of them were no better than the best. */
static int measure_batches(struct trial *t, const json_t *batches, json_t *points,
                           struct assay_err *err)
{
    double best = 0, batch_s = 0; /* for each sample of it */
    int rc = ASSAY_OK, worse = 0;
    const json_t *b;
    size_t i;

    json_array_foreach(batches, i, b)
    {
        struct point p = {.batch = (uint32_t)json_integer_value(b)};

        /* A large one is not worth most of the time: a run's own search of the batch ends there,
         * too. */
        if (p.batch > t->c->max_batch || (i && batch_s * p.batch > t->seconds * SLOW_FACTOR))
            break;
        batch_limit(t->c->batcher, p.batch);
        warmup_samples(t->c, (size_t)p.batch * t->c->lanes, &t->at);
        if ((rc = measure_point(t, &p, err)))
            break;
        note_point(points, &p);
        worse = p.score > best ? 0 : worse + 1;
        best = p.score > best ? p.score : best;
        batch_s = p.batch_s / p.batch;
        if (worse == 2)
            break;
    }
    return rc;
}

static int write_trial(const struct trial *t, json_t *points, struct assay_err *err)
{
    char path[1200];
    int rc;
    json_t *tree = json_pack(
        "{s:O, s:s, s:s, s:i, s:i, s:f, s:f}", "points", points, "version", t->c->probe.version,
        "card", tuned_card(&t->c->probe, t->c->r.s.device), "lanes", (int)t->c->lanes, "threads",
        (int)t->c->threads, "percentile", t->percentile, "single_p99_ns", t->c->single_ns_p99);

    snprintf(path, sizeof(path), "%s/result.json", t->c->dir);
    rc = tree ? tree_write_json(path, tree, err)
              : assay_fail(err, ASSAY_EFAIL, "not enough memory for the result");
    json_decref(tree);
    return rc;
}

/* At the batches that the job names, else at the one that a run would choose. */
static int measure(struct trial *t, json_t *points, struct assay_err *err)
{
    const json_t *batches = json_object_get(t->c->tune, "batches");
    struct child *c = t->c;
    struct point p;
    int rc = json_array_size(batches) ? warmup_load(c, err) : warmup(c, err);

    if (rc)
        return rc;
    c->warming = true;
    if (json_array_size(batches)) {
        batch_careful(c->batcher, true); /* an engine that loses samples is told at once */
        batch_limit(c->batcher, 1);
        warmup_samples(c, c->lanes, &t->at);
        batch_careful(c->batcher, false);
        return measure_batches(t, batches, points, err);
    }
    p = (struct point){.batch = c->max_batch};
    if (!(rc = measure_point(t, &p, err)))
        note_point(points, &p);
    return rc;
}

int tune_trial(struct child *c, struct assay_err *err)
{
    struct trial t = {.c = c,
                      .seconds = tree_real(c->tune, "seconds", 1),
                      .percentile = tree_real(c->tune, "percentile", 0),
                      .service_ms = tree_real(c->tune, "service_ms", 0),
                      .rate = tree_real(c->tune, "rate", 0),
                      .took = malloc(TOOK_MAX * sizeof(*t.took))};
    json_t *points = json_array();
    int rc =
        t.took && points ? ASSAY_OK : assay_fail(err, ASSAY_EFAIL, "not enough memory to measure");

    if (!rc)
        rc = measure(&t, points, err);
    if (!rc)
        rc = write_trial(&t, points, err);
    json_decref(points);
    free(t.took);
    return rc;
}
