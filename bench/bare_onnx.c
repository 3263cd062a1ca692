/* A loop straight on ONNX Runtime's C API: what the engine gives without a harness.
 *
 *   bare_onnx --library SO --model FILE --scenario Offline|SingleStream [--batch N] [--lanes N]
 *             [--threads N] [--spin 0|1] [--optimise 0..3] [--samples N] [--count N] [--seconds X]
 *
 * It is the peer that Assay is held against: inputs that lie ready in memory, no copies, no queue,
 * no clock between two inferences of an Offline loop.  Lanes of one compute thread share a session;
 * with more threads each has its own, or they would wait for each other's threads.
 *
 * Offline: `lanes` threads run batches until `count` samples are done;
 * SingleStream: one thread runs single samples for `seconds` and keeps each time.  Inputs are
 * random numbers in the range of ImageNet's mean-subtracted pixels; the speed does not depend on
 * them.  An untimed warm-up comes first.  Prints one line of JSON. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <onnxruntime_c_api.h>

#include "base/clock.h"

#define MAX_OUTPUTS 8
#define WARM_RUNS   3

struct options {
    const char *library, *model, *scenario;
    long batch, lanes, threads, spin, optimise, samples, count;
    double seconds;
};

struct bare {
    struct options o;
    const OrtApi *api;
    OrtSession **sessions; /* of each lane */
    OrtMemoryInfo *memory;
    char *input, *outputs[MAX_OUTPUTS];
    size_t output_count, sample_floats;
    int64_t shape[8];
    size_t rank;
    float *pool;
    _Atomic long lane, next; /* a lane that nobody has taken; a a sample of the Offline loop */
};

__attribute__((noreturn, format(printf, 1, 2))) static void die(const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    fputs("bare_onnx: ", stderr);
    vfprintf(stderr, format, ap);
    fputc('\n', stderr);
    va_end(ap);
    exit(2);
}

static void must(const struct bare *b, OrtStatus *status)
{
    if (status)
        die("%s", b->api->GetErrorMessage(status));
}

static void parse(struct options *o, int argc, char **argv)
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
        else
            die("%s is not an option; see the comment at the top of bare_onnx.c", argv[i]);
    }
    if (i != argc || !o->library || !o->model || !o->scenario)
        die("--library, --model and --scenario are needed, and a value for every option");
    if (o->batch < 1 || o->lanes < 1 || o->samples < o->batch || o->count < 1)
        die("batch, lanes and count are at least 1, samples at least a batch");
}

static void open_session(struct bare *b)
{
    void *library = dlopen(b->o.library, RTLD_NOW | RTLD_LOCAL);
    const OrtApiBase *(*base)(void) = NULL;
    OrtSessionOptions *options;
    OrtEnv *env;

    if (library)
        *(void **)&base = dlsym(library, "OrtGetApiBase");
    if (!base || !(b->api = base()->GetApi(ORT_API_VERSION)))
        die("%s: %s", b->o.library, library ? "is too old for these headers" : dlerror());
    must(b, b->api->CreateEnv(ORT_LOGGING_LEVEL_ERROR, "bare", &env));
    must(b, b->api->CreateSessionOptions(&options));
    must(b, b->api->SetIntraOpNumThreads(options, (int)b->o.threads));
    must(b,
         b->api->SetSessionGraphOptimizationLevel(
             options, b->o.optimise >= 3 ? ORT_ENABLE_ALL : (GraphOptimizationLevel)b->o.optimise));
    must(b, b->api->AddSessionConfigEntry(options, "session.intra_op.allow_spinning",
                                          b->o.spin ? "1" : "0"));
    b->sessions = calloc((size_t)b->o.lanes, sizeof(OrtSession *));
    if (!b->sessions)
        die("not enough memory");
    for (long i = 0; i < b->o.lanes; i++) {
        if (i && b->o.threads == 1)
            b->sessions[i] = b->sessions[0];
        else
            must(b, b->api->CreateSession(env, b->o.model, options, &b->sessions[i]));
    }
    must(b, b->api->CreateCpuMemoryInfo(OrtArenaAllocator, OrtMemTypeDefault, &b->memory));
    b->api->ReleaseSessionOptions(options);
}

/* Names of the tensors and the shape of one sample. */
static void read_graph(struct bare *b)
{
    OrtSession *session = b->sessions[0];
    const OrtTensorTypeAndShapeInfo *tensor;
    OrtAllocator *allocator;
    OrtTypeInfo *info;
    size_t i;

    must(b, b->api->GetAllocatorWithDefaultOptions(&allocator));
    must(b, b->api->SessionGetInputName(session, 0, allocator, &b->input));
    must(b, b->api->SessionGetInputTypeInfo(session, 0, &info));
    must(b, b->api->CastTypeInfoToTensorInfo(info, &tensor));
    must(b, b->api->GetDimensionsCount(tensor, &b->rank));
    if (b->rank > 8)
        die("%s: an input of %zu dimensions", b->o.model, b->rank);
    must(b, b->api->GetDimensions(tensor, b->shape, b->rank));
    b->api->ReleaseTypeInfo(info);
    b->sample_floats = 1;
    for (i = 1; i < b->rank; i++)
        b->sample_floats *= (size_t)b->shape[i];
    must(b, b->api->SessionGetOutputCount(session, &b->output_count));
    if (b->output_count > MAX_OUTPUTS)
        b->output_count = MAX_OUTPUTS;
    for (i = 0; i < b->output_count; i++)
        must(b, b->api->SessionGetOutputName(session, i, allocator, &b->outputs[i]));
}

static void fill_pool(struct bare *b)
{
    size_t i, n = b->sample_floats * (size_t)b->o.samples;
    uint32_t x = 2463534242u;

    b->pool = aligned_alloc(64, (n * sizeof(float) + 63) & ~(size_t)63);
    if (!b->pool)
        die("not enough memory for %ld samples", b->o.samples);
    for (i = 0; i < n; i++) {
        x ^= x << 13, x ^= x >> 17, x ^= x << 5;
        b->pool[i] = (float)(x >> 24) - 123.68f;
    }
}

/* Runs n samples that start at number `first` of an endless repetition of the pool. */
static void infer(const struct bare *b, OrtSession *session, long first, long n)
{
    long whole = b->o.samples / b->o.batch * b->o.batch; /* no batch goes over the pool's end */
    float *at = b->pool + b->sample_floats * (size_t)(first % whole);
    OrtValue *in = NULL, *out[MAX_OUTPUTS] = {NULL};
    int64_t shape[8];
    size_t i;

    memcpy(shape, b->shape, sizeof(shape));
    shape[0] = n;
    must(b, b->api->CreateTensorWithDataAsOrtValue(
                b->memory, at, b->sample_floats * (size_t)n * sizeof(float), shape, b->rank,
                ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, &in));
    must(b, b->api->Run(session, NULL, (const char *const *)&b->input, (const OrtValue *const *)&in,
                        1, (const char *const *)b->outputs, b->output_count, out));
    b->api->ReleaseValue(in);
    for (i = 0; i < b->output_count; i++)
        b->api->ReleaseValue(out[i]);
}

static void *lane_main(void *arg)
{
    struct bare *b = arg;
    OrtSession *session = b->sessions[atomic_fetch_add(&b->lane, 1)];
    long first, n;

    while ((first = atomic_fetch_add(&b->next, b->o.batch)) < b->o.count) {
        n = b->o.count - first < b->o.batch ? b->o.count - first : b->o.batch;
        infer(b, session, first, n);
    }
    return NULL;
}

static void offline(struct bare *b)
{
    pthread_t *threads = calloc((size_t)b->o.lanes, sizeof(*threads));
    int64_t t0;
    long i;

    if (!threads)
        die("not enough memory");
    for (i = 0; i < WARM_RUNS * b->o.lanes; i++)
        infer(b, b->sessions[i % b->o.lanes], 0, b->o.batch);
    t0 = clock_ns();
    for (i = 1; i < b->o.lanes; i++)
        if (pthread_create(&threads[i], NULL, lane_main, b))
            die("no thread for lane %ld", i);
    lane_main(b);
    for (i = 1; i < b->o.lanes; i++)
        pthread_join(threads[i], NULL);
    printf("{\"rate\": %.6g}\n", (double)b->o.count / ((double)(clock_ns() - t0) * 1e-9));
    free(threads);
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
        die("not enough memory");
    for (int i = 0; i < WARM_RUNS * 4; i++)
        infer(b, b->sessions[0], i, 1);
    t1 = clock_ns();
    end = t1 + (int64_t)(b->o.seconds * 1e9);
    while (t1 < end && n < room) {
        t0 = clock_ns();
        infer(b, b->sessions[0], (long)n, 1);
        t1 = clock_ns();
        took[n++] = t1 - t0;
    }
    qsort(took, n, sizeof(*took), by_value);
    printf("{\"p50\": %lld, \"p90\": %lld, \"p99\": %lld, \"queries\": %zu}\n",
           (long long)took[n / 2], (long long)took[(size_t)((double)n * 0.9)],
           (long long)took[(size_t)((double)n * 0.99)], n);
    free(took);
}

int main(int argc, char **argv)
{
    struct bare b = {.o = {.batch = 1,
                           .lanes = 1,
                           .threads = 1,
                           .spin = 1,
                           .optimise = 3,
                           .samples = 64,
                           .count = 64,
                           .seconds = 2}};

    parse(&b.o, argc, argv);
    open_session(&b);
    read_graph(&b);
    fill_pool(&b);
    if (!strcmp(b.o.scenario, "Offline"))
        offline(&b);
    else if (!strcmp(b.o.scenario, "SingleStream"))
        single_stream(&b);
    else
        die("--scenario is Offline or SingleStream, not '%s'", b.o.scenario);
    return 0;
}
