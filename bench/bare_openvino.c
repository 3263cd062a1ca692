/* A loop straight on OpenVINO's C API: what the engine gives without a harness.
 *
 *   bare_openvino --model FILE --scenario Offline|SingleStream [--batch N] [--lanes N] [--threads
 * N]
 *                 [--slots N] [--free 0|1] [--precision f32|bf16] [--samples N] [--count N]
 *                 [--seconds X]
 *
 * It is the peer that Assay is held against, and what the engine's choices were made with: inputs
 * that lie ready in memory, no copies, no queue.  One compiled model with a stream for each lane
 * and lanes x threads compute threads.
 *
 * --slots 0: each lane is a thread with one synchronous request.  --slots N: one thread keeps N
 * asynchronous requests a lane in flight.  --free 1: the batch dimension stays free instead of
 * being the number --batch.
 *
 * Offline: batches until `count` samples are done; SingleStream: one thread runs single samples for
 * `seconds` and keeps each time.  An untimed warm-up comes first.  Prints one line of JSON. */
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openvino/c/ov_core.h>

#include "base/clock.h"

#define WARM_RUNS 3

struct options {
    const char *model, *scenario, *precision;
    long batch, lanes, threads, slots, free, samples, count;
    double seconds;
};

struct bare {
    struct options o;
    ov_compiled_model_t *compiled;
    ov_infer_request_t **requests; /* of each lane; with slots, slots of each */
    int64_t shape[8];
    size_t rank, sample_floats;
    float *pool;
    _Atomic long lane, next; /* a lane that nobody has taken; a sample of the Offline loop */
};

__attribute__((noreturn, format(printf, 1, 2))) static void die(const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    fputs("bare_openvino: ", stderr);
    vfprintf(stderr, format, ap);
    fputc('\n', stderr);
    va_end(ap);
    exit(2);
}

static void must(ov_status_e status)
{
    if (status != OK)
        die("%s", ov_get_last_err_msg());
}

static void parse(struct options *o, int argc, char **argv)
{
    const struct {
        const char *name;
        const char **text;
        long *number;
    } rows[] = {{"--model", &o->model, NULL},         {"--scenario", &o->scenario, NULL},
                {"--precision", &o->precision, NULL}, {"--batch", NULL, &o->batch},
                {"--lanes", NULL, &o->lanes},         {"--threads", NULL, &o->threads},
                {"--slots", NULL, &o->slots},         {"--free", NULL, &o->free},
                {"--samples", NULL, &o->samples},     {"--count", NULL, &o->count}};
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
            die("%s is not an option; see the comment at the top of bare_openvino.c", argv[i]);
    }
    if (i != argc || !o->model || !o->scenario)
        die("--model and --scenario are needed, and a value for every option");
    if (o->batch < 1 || o->lanes < 1 || o->samples < o->batch || o->count < 1 || o->slots < 0)
        die("batch, lanes and count are at least 1, samples at least a batch");
}

/* The input's shape; the model's batch becomes a number unless it is to stay free. */
static void read_input(struct bare *b, ov_model_t *model)
{
    ov_output_const_port_t *port;
    ov_partial_shape_t shape;
    size_t index = 0;

    must(ov_model_const_input_by_index(model, 0, &port));
    must(ov_port_get_partial_shape(port, &shape));
    b->rank = (size_t)shape.rank.max;
    if (b->rank > 8)
        die("%s: an input of %zu dimensions", b->o.model, b->rank);
    b->sample_floats = 1;
    for (size_t i = 1; i < b->rank; i++) {
        b->shape[i] = shape.dims[i].max;
        b->sample_floats *= (size_t)b->shape[i];
    }
    shape.dims[0].min = shape.dims[0].max = b->o.batch;
    if (!b->o.free)
        must(ov_model_reshape_by_port_indexes(model, &index, &shape, 1));
    ov_partial_shape_free(&shape);
    ov_output_const_port_free(port);
}

static void open_model(struct bare *b)
{
    long n = b->o.lanes * (b->o.slots ? b->o.slots : 1);
    char streams[32], threads[32];
    ov_model_t *model;
    ov_core_t *core;

    snprintf(streams, sizeof(streams), "%ld", b->o.lanes);
    snprintf(threads, sizeof(threads), "%ld", b->o.lanes * b->o.threads);
    must(ov_core_create(&core));
    must(ov_core_read_model(core, b->o.model, NULL, &model));
    read_input(b, model);
    must(ov_core_compile_model(core, model, "CPU", 8, &b->compiled, "PERFORMANCE_HINT",
                               b->o.lanes > 1 ? "THROUGHPUT" : "LATENCY", "NUM_STREAMS", streams,
                               "INFERENCE_NUM_THREADS", threads, "INFERENCE_PRECISION_HINT",
                               b->o.precision));
    ov_model_free(model);
    b->requests = calloc((size_t)n, sizeof(ov_infer_request_t *));
    if (!b->requests)
        die("not enough memory");
    for (long i = 0; i < n; i++)
        must(ov_compiled_model_create_infer_request(b->compiled, &b->requests[i]));
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

/* Gives the request the samples that start at number `first` of an endless repetition of the pool.
 */
static void set_input(const struct bare *b, ov_infer_request_t *request, long first)
{
    long whole = b->o.samples / b->o.batch * b->o.batch; /* no batch goes over the pool's end */
    int64_t dims[8];
    ov_shape_t shape = {(int64_t)b->rank, dims};
    ov_tensor_t *tensor;

    memcpy(dims, b->shape, sizeof(dims));
    dims[0] = b->o.batch;
    must(ov_tensor_create_from_host_ptr(
        F32, shape, b->pool + b->sample_floats * (size_t)(first % whole), &tensor));
    must(ov_infer_request_set_input_tensor_by_index(request, 0, tensor));
    ov_tensor_free(tensor);
}

static void infer(const struct bare *b, ov_infer_request_t *request, long first)
{
    set_input(b, request, first);
    must(ov_infer_request_infer(request));
}

static void *lane_main(void *arg)
{
    struct bare *b = arg;
    ov_infer_request_t *request = b->requests[atomic_fetch_add(&b->lane, 1)];
    long first;

    while ((first = atomic_fetch_add(&b->next, b->o.batch)) < b->o.count)
        infer(b, request, first);
    return NULL;
}

static void run_lanes(struct bare *b)
{
    pthread_t *threads = calloc((size_t)b->o.lanes, sizeof(*threads));
    long i;

    if (!threads)
        die("not enough memory");
    for (i = 1; i < b->o.lanes; i++)
        if (pthread_create(&threads[i], NULL, lane_main, b))
            die("no thread for lane %ld", i);
    lane_main(b);
    for (i = 1; i < b->o.lanes; i++)
        pthread_join(threads[i], NULL);
    free(threads);
}

/* Requests in turn: each is waited for before it starts again, and meanwhile the others run. */
static void run_slots(struct bare *b)
{
    long n = b->o.lanes * b->o.slots, i = 0;

    for (long first = 0; first < b->o.count; first += b->o.batch, i++) {
        if (i >= n)
            must(ov_infer_request_wait(b->requests[i % n]));
        set_input(b, b->requests[i % n], first);
        must(ov_infer_request_start_async(b->requests[i % n]));
    }
    for (long k = 0; k < n && k < i; k++)
        must(ov_infer_request_wait(b->requests[k]));
}

static void offline(struct bare *b)
{
    long n = b->o.lanes * (b->o.slots ? b->o.slots : 1), batches;
    int64_t t0;

    for (long i = 0; i < WARM_RUNS * n; i++)
        infer(b, b->requests[i % n], 0);
    batches = (b->o.count + b->o.batch - 1) / b->o.batch;
    t0 = clock_ns();
    if (b->o.slots)
        run_slots(b);
    else
        run_lanes(b);
    printf("{\"rate\": %.6g}\n",
           (double)(batches * b->o.batch) / ((double)(clock_ns() - t0) * 1e-9));
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
        infer(b, b->requests[0], i);
    t1 = clock_ns();
    end = t1 + (int64_t)(b->o.seconds * 1e9);
    while (t1 < end && n < room) {
        t0 = clock_ns();
        if (b->o.slots) {
            set_input(b, b->requests[0], (long)n);
            must(ov_infer_request_start_async(b->requests[0]));
            must(ov_infer_request_wait(b->requests[0]));
        } else {
            infer(b, b->requests[0], (long)n);
        }
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
    struct bare b = {.o = {.precision = "f32",
                           .batch = 1,
                           .lanes = 1,
                           .threads = 1,
                           .samples = 64,
                           .count = 64,
                           .seconds = 2}};

    parse(&b.o, argc, argv);
    open_model(&b);
    fill_pool(&b);
    if (!strcmp(b.o.scenario, "Offline"))
        offline(&b);
    else if (!strcmp(b.o.scenario, "SingleStream"))
        single_stream(&b);
    else
        die("--scenario is Offline or SingleStream");
    return 0;
}
