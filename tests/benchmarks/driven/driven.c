/* A benchmark that drives the engine: three inferences one after the other for every sample, the
 * input of each made from the output of the one before, as RNN-T and 3D-UNet will.  Its samples are
 * numbers; its answer to sample i is i, and an answer counts as right when all three inferences
 * came back well-formed. */
#include <math.h>
#include <stdatomic.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "assay/benchmark.h"

#define SAMPLES 50
#define WIDTH   8
#define STEPS   3

static const struct assay_tensor_spec input = {"numbers", ASSAY_F32, 1, {WIDTH}};
static const struct assay_tensor_spec output = {"numbers", ASSAY_F32, 1, {WIDTH}};

static int driven_open(const struct assay_benchmark_config *config, void **self,
                       struct assay_err *err)
{
    (void)config;
    *self = calloc(1, 1);
    return *self ? ASSAY_OK : assay_fail(err, ASSAY_EFAIL, "no memory");
}

static int driven_describe(void *self, struct assay_benchmark_desc *desc, struct assay_err *err)
{
    (void)self, (void)err;
    *desc = (struct assay_benchmark_desc){.size = sizeof(*desc),
                                          .dataset_name = "numbers",
                                          .dataset_hash = "0",
                                          .samples = SAMPLES,
                                          .synthetic = 1,
                                          .input_count = 1,
                                          .output_count = 1,
                                          .inputs = &input,
                                          .outputs = &output,
                                          .response_bytes = sizeof(float),
                                          .preprocess = "none"};
    return ASSAY_OK;
}

static int driven_prepare(void *self, struct assay_err *err)
{
    (void)self, (void)err;
    return ASSAY_OK;
}

static int driven_load(void *self, const uint64_t *index, uint64_t n, struct assay_err *err)
{
    (void)self, (void)index, (void)n, (void)err;
    return ASSAY_OK;
}

static void driven_unload(void *self, const uint64_t *index, uint64_t n)
{
    const char *path = getenv("DRIVEN_STUCK"); /* stays here the first time, as LoadGen may do */
    int fd = path ? open(path, O_CREAT | O_EXCL, 0644) : -1;

    (void)self, (void)index, (void)n;
    while (fd >= 0)
        pause();
}

static int driven_input(void *self, uint64_t index, uint32_t number, struct assay_tensor *view,
                        struct assay_err *err)
{
    (void)self, (void)index, (void)number, (void)view;
    return assay_fail(err, ASSAY_EFAIL, "the host asked a driving benchmark for an input");
}

static int driven_respond(void *self, uint64_t index, const struct assay_tensor *outputs,
                          uint32_t output_count, uint32_t row, void *response, size_t capacity,
                          size_t *bytes, struct assay_err *err)
{
    (void)self, (void)index, (void)outputs, (void)output_count, (void)row, (void)response,
        (void)capacity;
    (void)bytes;
    return assay_fail(err, ASSAY_EFAIL, "the host asked a driving benchmark for a response");
}

static int driven_drive(void *self, uint64_t index, const struct assay_driver *driver,
                        void *response, size_t capacity, size_t *bytes, struct assay_err *err)
{
    float numbers[WIDTH], answer = (float)index;
    int step, k, rc;

    (void)self, (void)capacity;
    if (getenv("DRIVEN_SILENT")) /* fails without a word */
        return ASSAY_EFAIL;
    for (k = 0; k < WIDTH; k++)
        numbers[k] = (float)(index + (uint64_t)k);
    for (step = 0; step < STEPS; step++) {
        struct assay_tensor in = {ASSAY_F32, 2, {1, WIDTH}, numbers, sizeof(numbers)}, out = {0};

        rc = driver->infer(driver->ctx, 0, 1, &in, 1, &out, 1, err);
        if (rc)
            return rc;
        if (!out.data || out.bytes != sizeof(numbers))
            answer = -1;
        else
            memcpy(numbers, out.data, sizeof(numbers));
    }
    memcpy(response, &answer, sizeof(answer));
    *bytes = sizeof(answer);
    return ASSAY_OK;
}

static int driven_score(void *self, const struct assay_log_entry *entries, uint64_t n,
                        struct assay_score *score, struct assay_err *err)
{
    unsigned char seen[SAMPLES] = {0};
    float answer;

    (void)self, (void)err;
    *score = (struct assay_score){
        .size = sizeof(*score), .metric = "right", .unit = "%", .reference = NAN, .target = NAN};
    for (uint64_t i = 0; i < n; i++) {
        if (entries[i].bytes != sizeof(answer) || entries[i].index >= SAMPLES ||
            seen[entries[i].index]++)
            continue;
        memcpy(&answer, entries[i].data, sizeof(answer));
        score->total++;
        score->good += answer == (float)entries[i].index;
    }
    score->value = score->total ? 100.0 * (double)score->good / (double)score->total : 0;
    return ASSAY_OK;
}

static const char *const scenarios[] = {"SingleStream", "MultiStream", "Server", "Offline", NULL};

static const struct assay_benchmark table = {.abi_major = ASSAY_BENCHMARK_ABI_MAJOR,
                                             .abi_minor = ASSAY_BENCHMARK_ABI_MINOR,
                                             .size = sizeof(table),
                                             .name = "driven",
                                             .summary = "drives the engine, for tests",
                                             .loadgen_model = "driven",
                                             .scenarios = scenarios,
                                             .open = driven_open,
                                             .describe = driven_describe,
                                             .prepare = driven_prepare,
                                             .load = driven_load,
                                             .unload = driven_unload,
                                             .input = driven_input,
                                             .respond = driven_respond,
                                             .score = driven_score,
                                             .close = free,
                                             .drive = driven_drive};

const struct assay_benchmark *assay_benchmark_entry(void)
{
    return &table;
}
