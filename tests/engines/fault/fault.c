/* The fault engine: the null engine until the Nth submit, which commits the sin that the option
 * names.
 *
 * Built twice like the null engine (FAULT_ASYNC), and once without a probe, which tells no version
 * (FAULT_UNVERSIONED); never installed.  null.c is compiled into the
 * object with its entry renamed, so everything that is not the sin is exactly the null engine. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "options.h"

const struct assay_engine *null_engine_entry(void);

enum fault {
    NONE,
    SEGFAULT,
    EXIT,
    ABORT,
    DROP,
    TWICE,
    NAN_OUTPUT,
    ERROR,
    THROW,
    REFUSE,
    REFUSE_DONE,
    LATE,
    WRONG_SHAPE,
    WRONG_TYPE,
    SHORT,
    HANG,
    SLOW,
    SILENT,
    MIX,
    OPEN,
    HANG_OPEN,
    LANES,
    THREADS,
    SETTLE,
    MEMORY
};
static const char *const faults[] = {
    "none",  "segfault", "exit",   "abort",       "drop", "twice",       "nan",
    "error", "throw",    "refuse", "refuse_done", "late", "wrong_shape", "wrong_type",
    "short", "hang",     "slow",   "silent",      "mix",  "open",        "hang_open",
    "lanes", "threads",  "settle", "memory",      NULL};

enum { ROW_FAULT, ROW_AT, ROW_SLOW, OWN_ROWS };

/* clang-format off */
static const struct assay_option options[] = {
    {"fault", ASSAY_OPTION_CHOICE, "none", 0, 0, faults, "what goes wrong"},
    {"at", ASSAY_OPTION_INT, "1", 1, 1e15, NULL, "at which submit, counted over all lanes; fault=memory: at a batch of so many samples and more"},
    {"slow_s", ASSAY_OPTION_REAL, "1", 0, 1e6, NULL, "fault=slow: how long that submit takes, in seconds"},
    NULL_OPTION_ROWS,
    {0}};
/* clang-format on */

struct engine {
    const struct assay_engine *null;
    struct assay_engine_config null_config;
    void *null_self;
    enum fault fault;
    uint64_t at;
    double slow_s;
    _Atomic uint64_t submits;
    pthread_t late;
    bool late_started;
};

static int fault_open(const struct assay_engine_config *c, void **self, struct assay_err *err)
{
    struct engine *s;
    int rc;

    if (c->values[ROW_FAULT].i == OPEN)
        return assay_fail(err, ASSAY_EFAIL, "this open was told to fail");
    while (c->values[ROW_FAULT].i == HANG_OPEN)
        pause();
    if (!(s = calloc(1, sizeof(*s))))
        return assay_fail(err, ASSAY_EFAIL, "not enough memory");
    s->null = null_engine_entry();
    s->null_config = *c;
    s->null_config.values += OWN_ROWS;
    s->null_config.option_count -= OWN_ROWS;
    if (!strncmp(c->device, "cuda", 4)) /* taken, for what asks about a card beside the engine */
        s->null_config.device = "cpu";
    s->fault = (enum fault)c->values[ROW_FAULT].i;
    s->at = (uint64_t)c->values[ROW_AT].i;
    s->slow_s = c->values[ROW_SLOW].f;
    rc = s->null->open(&s->null_config, &s->null_self, err);
    if (rc)
        free(s);
    else
        *self = s;
    return rc;
}

static int fault_settle(void *self, uint32_t samples, struct assay_err *err)
{
    const struct engine *s = self;

    if (s->fault == SETTLE)
        return assay_fail(err, ASSAY_EFAIL, "this settle for %u was told to fail", samples);
    return ASSAY_OK;
}

static int fault_describe(void *self, struct assay_model_desc *desc, struct assay_err *err)
{
    const struct engine *s = self;

    return s->null->describe(s->null_self, desc, err);
}

static void fault_close(void *self)
{
    struct engine *s = self;

    if (s->late_started)
        pthread_join(s->late, NULL);
    s->null->close(s->null_self);
    free(s);
}

/* Well-formed outputs of zeros in memory that is never freed: the sins below spoil them. */
static void zeros(struct engine *s, struct assay_batch *b)
{
    struct assay_model_desc desc = {.size = sizeof(desc)};
    const struct assay_tensor_spec *spec;

    s->null->describe(s->null_self, &desc, NULL);
    for (uint32_t o = 0; o < b->output_count && o < desc.graphs[0].output_count; o++) {
        struct assay_tensor *t = &b->outputs[o];
        static char memory[1 << 22];

        spec = &desc.graphs[0].outputs[o];
        t->dtype = spec->dtype;
        t->rank = spec->rank;
        t->bytes = assay_dtype_size(spec->dtype) * b->samples;
        t->dims[0] = b->samples;
        for (uint32_t i = 1; i < t->rank; i++)
            t->bytes *= (size_t)(t->dims[i] = spec->dims[i]);
        t->data = t->bytes <= sizeof(memory) ? memory : NULL;
    }
}

/* On a thread of its own, so that a synchronous engine's completion comes after its submit. */
static void *complete_late(void *arg)
{
    struct assay_batch *b = arg;

    usleep(300000);
    b->done(b, ASSAY_OK, NULL);
    return NULL;
}

static int fail_done(struct assay_batch *b, const char *text)
{
    struct assay_err err;

    assay_fail(&err, ASSAY_EFAIL, "%s", text);
    b->done(b, ASSAY_EFAIL, text[0] ? &err : NULL);
    return ASSAY_OK;
}

static int spoiled(struct engine *s, struct assay_batch *b)
{
    static _Thread_local float nans[1 << 18]; /* lanes run side by side */

    zeros(s, b);
    if (s->fault == WRONG_SHAPE) {
        b->outputs[0].rank++;
        b->outputs[0].dims[b->outputs[0].rank - 1] = 1;
    } else if (s->fault == WRONG_TYPE) {
        b->outputs[0].dtype = b->outputs[0].dtype == ASSAY_I64 ? ASSAY_F64 : ASSAY_I64;
    } else if (s->fault == SHORT) {
        b->outputs[0].bytes /= 2;
    } else if (b->outputs[0].bytes <= sizeof(nans)) {
        for (size_t i = 0; i < b->outputs[0].bytes / sizeof(float); i++)
            nans[i] = s->fault == MIX ? (float)b->samples : NAN;
        b->outputs[0].data = nans;
    }
    b->done(b, ASSAY_OK, NULL);
    return ASSAY_OK;
}

static const void *row_of(const struct assay_batch *b, uint32_t r)
{
    const struct assay_tensor *in = &b->inputs[0];

    return b->rows ? b->rows[0][r]->data : (const char *)in->data + r * (in->bytes / b->samples);
}

/* All lanes answer in one place, each row with the first number of its input. */
static int overwritten(struct engine *s, struct assay_batch *b)
{
    static float shared[1 << 18];

    zeros(s, b);
    if (b->outputs[0].bytes <= sizeof(shared)) {
        for (uint32_t r = 0; r < b->samples; r++)
            memcpy((char *)shared + r * (b->outputs[0].bytes / b->samples), row_of(b, r), 4);
        b->outputs[0].data = shared;
    }
    b->done(b, ASSAY_OK, NULL);
    return ASSAY_OK;
}

static int sin_of(struct engine *s, struct assay_batch *b, struct assay_err *err)
{
    const char *words;

    switch (s->fault) {
    case SEGFAULT:
        signal(SIGSEGV, SIG_DFL); /* a sanitizer's own handler would turn it into an exit */
        raise(SIGSEGV);
        break;
    case EXIT:
        exit(0);
    case ABORT:
        words = getenv("ASSAY_FAULT_WORDS");
        fprintf(stderr, "%s\n", words ? words : "its words are in Latin-1: caf\xe9");
        abort();
    case DROP:
        return ASSAY_OK;
    case TWICE:
        zeros(s, b);
        b->done(b, ASSAY_OK, NULL);
        b->done(b, ASSAY_OK, NULL);
        return ASSAY_OK;
    case ERROR:
        return fail_done(b, "this inference was told to fail");
    case THROW:
        return fail_done(b, "std::runtime_error: this inference was told to throw");
    case SILENT:
        return fail_done(b, "");
    case REFUSE:
        return assay_fail(err, ASSAY_EFAIL, "this submit was told to fail");
    case REFUSE_DONE:
        zeros(s, b);
        b->done(b, ASSAY_OK, NULL);
        return ASSAY_EFAIL;
    case LATE:
        zeros(s, b);
        if (s->late_started || pthread_create(&s->late, NULL, complete_late, b))
            return ASSAY_EFAIL;
        s->late_started = true;
        return ASSAY_OK;
    case HANG:
        for (;;)
            pause();
    case SLOW:
        usleep((useconds_t)(s->slow_s * 1e6));
        return s->null->submit(s->null_self, b, err);
    default:
        return spoiled(s, b);
    }
    return ASSAY_EFAIL;
}

static int fault_submit(void *self, struct assay_batch *b, struct assay_err *err)
{
    struct engine *s = self;
    uint64_t n = atomic_fetch_add(&s->submits, 1) + 1;

    if (s->fault == LANES || s->fault == THREADS)
        return s->fault == LANES || s->null_config.threads > 1
                   ? overwritten(s, b)
                   : s->null->submit(s->null_self, b, err);
    if (s->fault == MEMORY)
        return b->samples < s->at
                   ? s->null->submit(s->null_self, b, err)
                   : assay_fail(err, ASSAY_EFAIL, "CUDA out of memory. Tried to allocate 20 GiB");
    /* mix makes every answer depend on the batch: a sin that one submit alone cannot show. */
    if (s->fault != NONE && (n == s->at || (s->fault == MIX && n >= s->at)))
        return sin_of(s, b, err);
    return s->null->submit(s->null_self, b, err);
}

static int fault_lane_open(void *self, uint32_t lane, struct assay_err *err)
{
    struct engine *s = self;

    return s->null->lane_open ? s->null->lane_open(s->null_self, lane, err) : ASSAY_OK;
}

static void fault_lane_close(void *self, uint32_t lane)
{
    struct engine *s = self;

    if (s->null->lane_close)
        s->null->lane_close(s->null_self, lane);
}

#ifdef FAULT_ASYNC
static int fault_drain(void *self, uint32_t lane, struct assay_err *err)
{
    struct engine *s = self;

    return s->null->drain(s->null_self, lane, err);
}
#endif

#ifndef FAULT_UNVERSIONED
/* ASSAY_FAULT_PROBE=crash|exit|hang|noise|error|daemon|bytes makes the probe misbehave; with =tidy
 * it does what it may.  ASSAY_FAULT_CARD=NAME tells of a card, ASSAY_FAULT_DEVICE=NAME of another
 * device. */
static int fault_probe(const char *runtime_dir, struct assay_engine_probe *p, struct assay_err *err)
{
    const char *how = getenv("ASSAY_FAULT_PROBE"), *card = getenv("ASSAY_FAULT_CARD"),
               *device = getenv("ASSAY_FAULT_DEVICE");

    (void)runtime_dir;
    if (how && strcmp(how, "crash") == 0) {
        signal(SIGSEGV, SIG_DFL);
        raise(SIGSEGV);
    }
    if (how && strcmp(how, "exit") == 0)
        _exit(0);
    if (how && strcmp(how, "noise") == 0)
        printf("a vendor library says hello\n");
    if (how && strcmp(how, "error") == 0)
        return assay_fail(err, ASSAY_EFAIL, "this probe was told\nto fail\n");
    while (how && strcmp(how, "hang") == 0)
        pause();
    if (how && strcmp(how, "daemon") == 0 && fork() == 0) {
        sleep(60);
        _exit(0);
    }
    if (how && strcmp(how, "tidy") == 0) /* there is always one */
        err->text[0] = 0;
    p->device_count = 1;
    snprintf(p->version, sizeof(p->version), "1");
    snprintf(p->devices[0], sizeof(p->devices[0]), "cpu");
    if (how && strcmp(how, "bytes") == 0) {
        memset(p->version, 0xff, sizeof(p->version)); /* neither UTF-8 nor ended */
        snprintf(p->device_names[0], sizeof(p->device_names[0]), "caf\xe9");
    }
    if (card) {
        snprintf(p->devices[p->device_count], sizeof(p->devices[0]), "cuda:0");
        snprintf(p->device_names[p->device_count++], sizeof(p->device_names[0]), "%s", card);
    }
    if (device)
        snprintf(p->devices[p->device_count++], sizeof(p->devices[0]), "%s", device);
    return ASSAY_OK;
}
#endif

static const char *const formats[] = {NULL};
static const struct assay_tunable tunables[] = {{"wait", "sleep spin"}, {0}};
static const struct assay_engine table = {
    .abi_major = ASSAY_ENGINE_ABI_MAJOR,
    .abi_minor = ASSAY_ENGINE_ABI_MINOR,
    .size = sizeof(struct assay_engine),
    .summary = "breaks on purpose, for tests",
    .caps = ASSAY_CAP_DYNAMIC_BATCH | ASSAY_CAP_DYNAMIC_SHAPE | ASSAY_CAP_RAGGED |
            ASSAY_CAP_GATHER | ASSAY_CAP_ANY_MODEL
#ifdef FAULT_ASYNC
            | ASSAY_CAP_ASYNC,
    .name = "fault-async",
    .drain = fault_drain,
#else
    ,
    .name = "fault",
#endif
    .formats = formats,
    .options = options,
    .open = fault_open,
    .describe = fault_describe,
    .submit = fault_submit,
    .close = fault_close,
#ifndef FAULT_UNVERSIONED
    .probe = fault_probe,
#endif
    .lane_open = fault_lane_open,
    .lane_close = fault_lane_close,
    .tunables = tunables,
    .settle = fault_settle,
};

const struct assay_engine *assay_engine_entry(void)
{
    return &table;
}
