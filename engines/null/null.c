/* The null engine: answers without a model, after a service time that is known exactly.
 *
 * It shows what the harness itself costs, and gives a queue of known capacity to test search and
 * verdicts. Two engines are built from this file: `null` completes inside submit, `null-async`
 * (NULL_ASYNC defined) on a thread of each lane.
 *
 * Service times pass on a virtual clock: a batch that finds the lane busy starts at the end of the
 * one before, not when that one's thread happened to wake.  So a late wake-up is made up for by the
 * next batch, and the capacity of a lane is 1 / mean service time, whatever the machine's timers
 * do.
 *
 * With no service time and answer=zeros a submit stores one tensor header per output and touches no
 * memory of the samples. */
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#include "options.h"

#ifdef NULL_ASYNC
#define NAME          "null-async"
#define SUMMARY       "no inference at all, on its own threads: a queue of known capacity"
#define CAPS          ASSAY_CAP_ASYNC
#define SLOTS(config) ((uint32_t)(config)->values[NULL_SLOTS].i)
#else
#define NAME          "null"
#define SUMMARY       "no inference at all: what the harness itself costs"
#define CAPS          0
#define SLOTS(config) 1
#endif

/* Another engine may stand on this one: then the entry has another name. */
#ifndef NULL_ENTRY
#define NULL_ENTRY assay_engine_entry
#endif

/* A wake-up later than this is not made up for: the machine stood still, and pretending otherwise
 * would give impossibly short services. */
#define CREDIT_NS 1000000

struct lane {
    struct null *null;
    uint64_t random;
    int64_t free_ns;  /* when the virtual server is free */
    int64_t woke_ns;  /* when its last service really ended */
    char **answers;   /* synchronous: one buffer for each output of every graph; asynchronous: slots
                         of them */
    pthread_t thread; /* asynchronous from here on */
    pthread_mutex_t mutex;
    pthread_cond_t wake, idle;
    struct assay_batch **queue;
    int64_t *arrival;
    uint32_t first, waiting; /* waiting includes the batch that is in service */
    bool stop, started;
};

struct graph {
    uint32_t first, count; /* of its outputs among all */
};

struct null {
    double latency_ns, per_sample_ns;
    int distribution, wait;
    bool hash, timed;
    uint64_t seed;
    uint32_t slots, max_batch, lanes;
    uint32_t graph_count, outputs; /* outputs: of all graphs */
    struct graph *graphs;
    struct assay_graph_desc *descs;
    struct assay_tensor_spec *specs; /* of each graph inputs, then outputs, with batch dimension */
    struct assay_tensor *answer;     /* one sample's outputs: what a batch's are made from */
    struct lane *lane;
};

/* Used when nobody says what inputs and outputs are wanted. */
static const struct assay_tensor_spec any_input = {"input", ASSAY_F32, 1, {-1}};
static const struct assay_tensor_spec any_output = {"output", ASSAY_F32, 1, {16}};

static int64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Uniform in (0, 1]: splitmix64's upper 53 bits. */
static double draw(struct lane *l)
{
    uint64_t z = (l->random += 0x9e3779b97f4a7c15u);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (double)((z ^ (z >> 31)) >> 11) * 0x1p-53 + 0x1p-53;
}

/* All distributions have mean latency_ns; lognormal: exp(sigma n - sigma²/2), n by Box and Muller.
 */
static int64_t service_ns(struct lane *l, uint32_t samples)
{
    const struct null *s = l->null;
    double x = 1;

    if (s->distribution == 1)
        x = -log(draw(l));
    else if (s->distribution == 2)
        x = 2 * draw(l);
    else if (s->distribution == 3)
        x = exp(0.5 * sqrt(-2 * log(draw(l))) * cos(2 * M_PI * draw(l)) - 0.125);
    return (int64_t)(s->latency_ns * x + s->per_sample_ns * samples);
}

static void wait_until(const struct null *s, int64_t until)
{
    static _Thread_local bool slack;
    struct timespec t = {until / 1000000000, until % 1000000000};

    if (!slack) {
        prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
        slack = true;
    }
    if (s->wait == 0)
        while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL))
            ;
    while (now_ns() < until)
        if (s->wait == 2)
            sched_yield();
}

/* Passes the service time of a batch that arrived at `arrival`. */
static void serve(struct lane *l, uint32_t samples, int64_t arrival)
{
    int64_t late = l->woke_ns - l->free_ns, idle = arrival - l->woke_ns;

    if (late < 0 || late > CREDIT_NS)
        late = late < 0 ? 0 : CREDIT_NS;
    /* The server was idle since it woke; the lateness of that wake-up is made up for. */
    l->free_ns = (idle > 0 ? arrival : l->woke_ns) - late;
    l->free_ns += service_ns(l, samples);
    wait_until(l->null, l->free_ns);
    l->woke_ns = now_ns();
}

/* FNV-1a over the sample's first bytes. */
static uint64_t sample_hash(const struct assay_batch *b, uint32_t sample)
{
    const struct assay_tensor *t = b->rows ? b->rows[0][sample] : b->inputs;
    size_t bytes = b->rows ? t->bytes : t->bytes / b->samples;
    const unsigned char *p = (const unsigned char *)t->data + (b->rows ? 0 : bytes * sample);
    uint64_t h = 0xcbf29ce484222325u;

    for (size_t i = 0; i < bytes && i < 64; i++)
        h = (h ^ p[i]) * 0x100000001b3u;
    return h ^ (h >> 32);
}

/* One row of one output: its hottest element follows the sample, the others are 0.  A scalar (a
 * label) is the hash itself, within the thousand that most classifiers have. */
static void fill_row(char *row, const struct assay_tensor *one, uint64_t h)
{
    size_t size = assay_dtype_size(one->dtype), n = size ? one->bytes / size : 0;
    char *at = row + (n > 1 ? h % n : 0) * size;
    uint64_t value = n > 1 ? 1 : h % 1000;

    if (!n) /* a dimension of 0: the buffer has no room for an element */
        return;
    memset(row, 0, one->bytes);
    if (one->dtype == ASSAY_F32)
        *(float *)at = (float)value;
    else if (one->dtype == ASSAY_F64)
        *(double *)at = (double)value;
    else if (one->dtype == ASSAY_F16 || one->dtype == ASSAY_BF16)
        *(uint16_t *)at = one->dtype == ASSAY_F16 ? 0x3c00 : 0x3f80; /* 1 */
    else
        memcpy(at, &value, size < 8 ? (size == 1 && (value &= 127) ? 1 : size) : 8);
}

static void answer(const struct null *s, struct assay_batch *b, char **buffers)
{
    const struct graph *g = &s->graphs[b->graph]; /* the host has checked the number */

    for (uint32_t o = 0; o < b->output_count && o < g->count; o++) {
        const struct assay_tensor *one = &s->answer[g->first + o];
        char *buffer = buffers[g->first + o];

        b->outputs[o] = *one;
        b->outputs[o].dims[0] = b->samples;
        b->outputs[o].data = buffer;
        b->outputs[o].bytes = one->bytes * b->samples;
        for (uint32_t i = 0; s->hash && i < b->samples; i++)
            fill_row(buffer + one->bytes * i, one, sample_hash(b, i));
    }
}

static int null_describe(void *self, struct assay_model_desc *desc, struct assay_err *err)
{
    const struct null *s = self;

    (void)err;
    desc->graph_count = s->graph_count;
    desc->graphs = s->descs;
    desc->max_batch = s->max_batch;
    desc->precision = "none";
    desc->device = "cpu";
    return ASSAY_OK;
}

static void null_close(void *self)
{
    struct null *s = self;

    for (uint32_t i = 0; s->lane && i < s->lanes; i++) {
        struct lane *l = &s->lane[i];

        for (uint32_t b = 0; l->answers && b < s->slots * s->outputs; b++)
            free(l->answers[b]);
        free(l->answers);
        free(l->queue);
        free(l->arrival);
    }
    free(s->lane);
    free(s->answer);
    free(s->specs);
    free(s->descs);
    free(s->graphs);
    free(s);
}

/* "wanted" with the batch in front; free dimensions of outputs become 1. */
static void spec_from(struct assay_tensor_spec *spec, const struct assay_tensor_spec *want,
                      bool output)
{
    *spec = *want;
    spec->rank = want->rank < ASSAY_MAX_RANK ? want->rank + 1 : ASSAY_MAX_RANK;
    spec->dims[0] = -1;
    for (uint32_t i = 1; i < spec->rank; i++)
        spec->dims[i] = output && want->dims[i - 1] < 0 ? 1 : want->dims[i - 1];
    if (!spec->name)
        spec->name = output ? "output" : "input";
}

/* One graph's tensors, behind those of the graphs before it. */
static void make_graph(struct null *s, uint32_t number, const struct assay_graph_desc *want,
                       struct assay_tensor_spec *specs)
{
    struct assay_tensor *answer = s->answer + s->outputs;
    uint32_t in = want->input_count, out = want->output_count;

    s->descs[number] = (struct assay_graph_desc){want->name, in, out, specs, specs + in};
    s->graphs[number] = (struct graph){s->outputs, out};
    s->outputs += out;
    for (uint32_t i = 0; i < in; i++)
        spec_from(&specs[i], &want->inputs[i], false);
    for (uint32_t o = 0; o < out; o++) {
        struct assay_tensor *t = &answer[o];
        struct assay_tensor_spec *spec = &specs[in + o];

        spec_from(spec, &want->outputs[o], true);
        t->dtype = spec->dtype;
        t->rank = spec->rank;
        t->bytes = assay_dtype_size(t->dtype);
        for (uint32_t i = 1; i < t->rank; i++)
            t->bytes *= (size_t)(t->dims[i] = spec->dims[i]);
    }
}

static int make_graphs(struct null *s, const struct assay_engine_config *c, struct assay_err *err)
{
    bool many = c->size > offsetof(struct assay_engine_config, want_graphs) && c->want_graph_count;
    struct assay_graph_desc one = {"null", 1, 1, &any_input, &any_output};
    const struct assay_graph_desc *want = many ? c->want_graphs : &one;
    uint32_t tensors = 0, at = 0, g;

    if (c->want_output_count)
        one = (struct assay_graph_desc){"null", c->want_input_count, c->want_output_count,
                                        c->want_inputs, c->want_outputs};
    s->graph_count = many ? c->want_graph_count : 1;
    for (g = 0; g < s->graph_count; g++)
        tensors += want[g].input_count + want[g].output_count;
    s->graphs = calloc(s->graph_count, sizeof(*s->graphs));
    s->descs = calloc(s->graph_count, sizeof(*s->descs));
    s->specs = calloc(tensors, sizeof(*s->specs));
    s->answer = calloc(tensors, sizeof(*s->answer));
    if (!s->graphs || !s->descs || !s->specs || !s->answer)
        return assay_fail(err, ASSAY_EFAIL, "not enough memory");
    for (g = 0; g < s->graph_count; g++) {
        make_graph(s, g, &want[g], s->specs + at);
        at += want[g].input_count + want[g].output_count;
    }
    return ASSAY_OK;
}

/* Zeros are the same for every batch: one buffer for each output would do, but with answer=hash
 * each batch in flight needs its own. */
static int make_lane(struct null *s, struct lane *l, uint32_t rows, struct assay_err *err)
{
    uint32_t outputs = s->outputs;

    l->null = s;
    l->random = s->seed * 0x2545f4914f6cdd1du + (uint64_t)(l - s->lane);
    l->answers = calloc((size_t)s->slots * outputs, sizeof(*l->answers));
    l->queue = calloc(s->slots, sizeof(struct assay_batch *));
    l->arrival = calloc(s->slots, sizeof(*l->arrival));
    if (!l->answers || !l->queue || !l->arrival)
        return assay_fail(err, ASSAY_EFAIL, "not enough memory");
    for (uint32_t b = 0; b < s->slots * outputs; b++)
        if (!(l->answers[b] = calloc(rows, s->answer[b % outputs].bytes + 1)))
            return assay_fail(err, ASSAY_EFAIL, "not enough memory for %u rows of output", rows);
    return ASSAY_OK;
}

static int null_open(const struct assay_engine_config *c, void **self, struct assay_err *err)
{
    struct null *s = calloc(1, sizeof(*s));
    int rc;

    if (!s)
        return assay_fail(err, ASSAY_EFAIL, "not enough memory");
    if (strcmp(c->device, "cpu") != 0) {
        free(s);
        return assay_fail(err, ASSAY_EUNSUPPORTED, "device '%s': has only cpu", c->device);
    }
    s->latency_ns = c->values[NULL_LATENCY].f * 1e3;
    s->per_sample_ns = c->values[NULL_PER_SAMPLE].f * 1e3;
    s->timed = s->latency_ns > 0 || s->per_sample_ns > 0;
    s->distribution = (int)c->values[NULL_DISTRIBUTION].i;
    s->seed = (uint64_t)c->values[NULL_SEED].i;
    s->wait = (int)c->values[NULL_WAIT].i;
    s->hash = c->values[NULL_ANSWER].i == 1;
    s->slots = SLOTS(c);
    s->max_batch = (uint32_t)c->values[NULL_MAX_BATCH].i;
    s->lanes = c->lanes;
    s->lane = calloc(c->lanes, sizeof(*s->lane));
    if (!s->lane) {
        free(s);
        return assay_fail(err, ASSAY_EFAIL, "not enough memory");
    }
    rc = make_graphs(s, c, err);
    for (uint32_t i = 0; i < c->lanes && !rc; i++)
        rc = make_lane(s, &s->lane[i], c->max_batch, err);
    if (rc)
        null_close(s);
    else
        *self = s;
    return rc;
}

#ifdef NULL_ASYNC

/* Serves one lane's queue in order.  done is called without the lock: the host may submit in it. */
static void *lane_thread(void *arg)
{
    struct lane *l = arg;
    uint32_t outputs = l->null->outputs, at;

    pthread_mutex_lock(&l->mutex);
    for (;;) {
        while (!l->waiting && !l->stop)
            pthread_cond_wait(&l->wake, &l->mutex);
        if (!l->waiting)
            break;
        at = l->first;
        pthread_mutex_unlock(&l->mutex);
        if (l->null->timed)
            serve(l, l->queue[at]->samples, l->arrival[at]);
        answer(l->null, l->queue[at], l->answers + (size_t)at * outputs);
        l->queue[at]->done(l->queue[at], ASSAY_OK, NULL);
        pthread_mutex_lock(&l->mutex);
        l->first = (at + 1) % l->null->slots;
        l->waiting--;
        if (!l->waiting)
            pthread_cond_broadcast(&l->idle);
    }
    pthread_mutex_unlock(&l->mutex);
    return NULL;
}

static int null_lane_open(void *self, uint32_t lane, struct assay_err *err)
{
    struct lane *l = &((struct null *)self)->lane[lane];

    pthread_mutex_init(&l->mutex, NULL);
    pthread_cond_init(&l->wake, NULL);
    pthread_cond_init(&l->idle, NULL);
    l->stop = false;
    if (pthread_create(&l->thread, NULL, lane_thread, l))
        return assay_fail(err, ASSAY_EFAIL, "cannot start a thread");
    return ASSAY_OK;
}

static void null_lane_close(void *self, uint32_t lane)
{
    struct lane *l = &((struct null *)self)->lane[lane];

    pthread_mutex_lock(&l->mutex);
    l->stop = true;
    pthread_cond_signal(&l->wake);
    pthread_mutex_unlock(&l->mutex);
    pthread_join(l->thread, NULL);
    pthread_cond_destroy(&l->idle);
    pthread_cond_destroy(&l->wake);
    pthread_mutex_destroy(&l->mutex);
}

static int null_submit(void *self, struct assay_batch *b, struct assay_err *err)
{
    struct null *s = self;
    struct lane *l = &s->lane[b->lane];
    uint32_t at;
    int rc = ASSAY_EAGAIN;

    (void)err;
    pthread_mutex_lock(&l->mutex);
    if (l->waiting < s->slots) {
        at = (l->first + l->waiting++) % s->slots;
        l->queue[at] = b;
        l->arrival[at] = s->timed ? now_ns() : 0;
        pthread_cond_signal(&l->wake);
        rc = ASSAY_OK;
    }
    pthread_mutex_unlock(&l->mutex);
    return rc;
}

static int null_drain(void *self, uint32_t lane, struct assay_err *err)
{
    struct lane *l = &((struct null *)self)->lane[lane];

    (void)err;
    pthread_mutex_lock(&l->mutex);
    while (l->waiting)
        pthread_cond_wait(&l->idle, &l->mutex);
    pthread_mutex_unlock(&l->mutex);
    return ASSAY_OK;
}

#else

static int null_submit(void *self, struct assay_batch *b, struct assay_err *err)
{
    struct null *s = self;
    struct lane *l = &s->lane[b->lane];

    (void)err;
    if (s->timed)
        serve(l, b->samples, now_ns());
    answer(s, b, l->answers);
    b->done(b, ASSAY_OK, NULL);
    return ASSAY_OK;
}

#endif

static const struct assay_option options[] = {NULL_OPTION_ROWS, {0}};
static const char *const formats[] = {NULL};
/* How a service time passes is the only thing here that a machine could like or not. */
static const struct assay_tunable tunables[] = {{"wait", "sleep spin yield"}, {0}};

static int null_probe(const char *runtime_dir, struct assay_engine_probe *p, struct assay_err *err)
{
    (void)runtime_dir;
    (void)err;
    snprintf(p->version, sizeof(p->version), "%s", ASSAY_VERSION);
    p->device_count = 1;
    snprintf(p->devices[0], sizeof(p->devices[0]), "cpu");
    return ASSAY_OK;
}

static const struct assay_engine table = {
    .abi_major = ASSAY_ENGINE_ABI_MAJOR,
    .abi_minor = ASSAY_ENGINE_ABI_MINOR,
    .size = sizeof(struct assay_engine),
    .name = NAME,
    .summary = SUMMARY,
    .caps = CAPS | ASSAY_CAP_DYNAMIC_BATCH | ASSAY_CAP_DYNAMIC_SHAPE | ASSAY_CAP_RAGGED |
            ASSAY_CAP_GATHER | ASSAY_CAP_ANY_MODEL,
    .formats = formats,
    .options = options,
    .open = null_open,
    .describe = null_describe,
    .submit = null_submit,
    .close = null_close,
    .probe = null_probe,
#ifdef NULL_ASYNC
    .lane_open = null_lane_open,
    .lane_close = null_lane_close,
    .drain = null_drain,
#endif
    .tunables = tunables,
};

ASSAY_EXPORT const struct assay_engine *NULL_ENTRY(void);
const struct assay_engine *NULL_ENTRY(void)
{
    return &table;
}
