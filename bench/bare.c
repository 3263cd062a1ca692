/* The loops and clocks of the bare peers; see bare.h. */
#include "bare.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define WARM_RUNS 3

struct bare {
    struct bare_options o;
    const struct bare_engine *engine;
    size_t sample_floats;
    float *pool;
    _Atomic long lane, next; /* a lane that nobody has taken; a sample of the Offline loop */
};

static const char *program = "bare";

void bare_die(const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    fprintf(stderr, "%s: ", program);
    vfprintf(stderr, format, ap);
    fputc('\n', stderr);
    va_end(ap);
    exit(2);
}

static void parse(struct bare_options *o, const struct bare_engine *engine, int argc, char **argv)
{
    const struct {
        const char *name;
        const char **text;
        long *number;
    } rows[] = {{"--library", &o->library, NULL},   {"--model", &o->model, NULL},
                {"--scenario", &o->scenario, NULL}, {"--batch", NULL, &o->batch},
                {"--lanes", NULL, &o->lanes},       {"--threads", NULL, &o->threads},
                {"--spin", NULL, &o->spin},         {"--optimise", NULL, &o->optimise},
                {"--samples", NULL, &o->samples},   {"--count", NULL, &o->count}};
    size_t r, n = sizeof(rows) / sizeof(rows[0]);
    int i;

    for (i = 1; i + 1 < argc; i += 2) {
        for (r = 0; r < n && strcmp(argv[i], rows[r].name); r++)
            ;
        if (r < n && rows[r].text)
            *rows[r].text = argv[i + 1];
        else if (r < n)
            *rows[r].number = atol(argv[i + 1]);
        else if (!strcmp(argv[i], "--seconds"))
            o->seconds = atof(argv[i + 1]);
        else if (!engine->option || !engine->option(argv[i], argv[i + 1]))
            bare_die("%s is not an option; see the comments at the top of bare.h and %s", argv[i],
                     program);
    }
    if (i != argc || !o->library || !o->model || !o->scenario)
        bare_die("--library, --model and --scenario are needed, and a value for every option");
    if (o->batch < 1 || o->lanes < 1 || o->samples < o->batch || o->count < 1)
        bare_die("batch, lanes and count are at least 1, samples at least a batch");
}

static void fill_pool(struct bare *b)
{
    size_t i, n = b->sample_floats * (size_t)b->o.samples;
    uint32_t x = 2463534242u;

    b->pool = aligned_alloc(64, (n * sizeof(float) + 63) & ~(size_t)63);
    if (!b->pool)
        bare_die("not enough memory for %ld samples", b->o.samples);
    for (i = 0; i < n; i++) {
        x ^= x << 13, x ^= x >> 17, x ^= x << 5;
        b->pool[i] = (float)(x >> 24) - 123.68f;
    }
}

/* Runs n samples that start at number `first` of an endless repetition of the pool. */
static void infer(const struct bare *b, long lane, long first, long n)
{
    long whole = b->o.samples / b->o.batch * b->o.batch; /* no batch goes over the pool's end */

    b->engine->infer(lane, b->pool + b->sample_floats * (size_t)(first % whole), n);
}

static void *lane_main(void *arg)
{
    struct bare *b = arg;
    long lane = atomic_fetch_add(&b->lane, 1), first, n;

    while ((first = atomic_fetch_add(&b->next, b->o.batch)) < b->o.count) {
        n = b->o.count - first < b->o.batch ? b->o.count - first : b->o.batch;
        infer(b, lane, first, n);
    }
    return NULL;
}

static void *lane_jobs(void *arg)
{
    struct bare *b = arg;
    long lane = atomic_fetch_add(&b->lane, 1), jobs = b->engine->jobs(), number;

    while ((number = atomic_fetch_add(&b->next, 1)) < b->o.count)
        b->engine->job(lane, number % jobs, false);
    return NULL;
}

/* Every lane runs, the first in this thread: the seconds until all have ended. */
static double run_lanes(struct bare *b, void *(*lane)(void *))
{
    pthread_t *threads = calloc((size_t)b->o.lanes, sizeof(*threads));
    int64_t t0 = clock_ns();
    double seconds;
    long i;

    if (!threads)
        bare_die("not enough memory");
    for (i = 1; i < b->o.lanes; i++)
        if (pthread_create(&threads[i], NULL, lane, b))
            bare_die("no thread for lane %ld", i);
    lane(b);
    for (i = 1; i < b->o.lanes; i++)
        pthread_join(threads[i], NULL);
    seconds = (double)(clock_ns() - t0) * 1e-9;
    free(threads);
    return seconds;
}

static void offline(struct bare *b)
{
    long i;

    for (i = 0; i < WARM_RUNS * b->o.lanes; i++)
        infer(b, i % b->o.lanes, 0, b->o.batch);
    printf("{\"rate\": %.6g}\n", (double)b->o.count / run_lanes(b, lane_main));
}

static void run_jobs(struct bare *b)
{
    double seconds;
    long i;

    for (i = 0; i < b->o.lanes; i++)
        b->engine->job(i, 0, true);
    seconds = run_lanes(b, lane_jobs);
    printf("{\"seconds\": %.9g, \"jobs\": %ld}\n", seconds, b->o.count);
}

static int by_value(const void *x, const void *y)
{
    const int64_t a = *(const int64_t *)x, b = *(const int64_t *)y;

    return (a > b) - (a < b);
}

static void single_stream(struct bare *b)
{
    size_t n = 0, room = 1u << 20;
    int64_t *took = malloc(room * sizeof(*took)), end, t0, t1;

    if (!took)
        bare_die("not enough memory");
    for (int i = 0; i < WARM_RUNS * 4; i++)
        infer(b, 0, i, 1);
    t1 = clock_ns();
    end = t1 + (int64_t)(b->o.seconds * 1e9);
    while (t1 < end && n < room) {
        t0 = clock_ns();
        infer(b, 0, (long)n, 1);
        t1 = clock_ns();
        took[n++] = t1 - t0;
    }
    qsort(took, n, sizeof(*took), by_value);
    printf("{\"p50\": %lld, \"p90\": %lld, \"p99\": %lld, \"queries\": %zu}\n",
           (long long)took[n / 2], (long long)took[(size_t)((double)n * 0.9)],
           (long long)took[(size_t)((double)n * 0.99)], n);
    free(took);
}

int bare_main(const struct bare_engine *engine, int argc, char **argv)
{
    struct bare b = {.engine = engine,
                     .o = {.batch = 1,
                           .lanes = 1,
                           .threads = 1,
                           .spin = 1,
                           .optimise = 3,
                           .samples = 64,
                           .count = 64,
                           .seconds = 2}};

    program = engine->name;
    parse(&b.o, engine, argc, argv);
    b.sample_floats = engine->open(&b.o);
    if (!strcmp(b.o.scenario, "Jobs") && engine->jobs) {
        run_jobs(&b);
        return 0;
    }
    fill_pool(&b);
    if (!strcmp(b.o.scenario, "Offline"))
        offline(&b);
    else if (!strcmp(b.o.scenario, "SingleStream"))
        single_stream(&b);
    else
        bare_die("--scenario is Offline or SingleStream%s, not '%s'",
                 engine->jobs ? " or Jobs" : "", b.o.scenario);
    return 0;
}
