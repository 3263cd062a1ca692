/* Batches made from an engine's own description. */
#include "engine/trial.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

#define LIMIT_S 10
/* What stands for a free dimension. */
#define FREE_DIM 32
/* Kernels for other batch sizes add in another order: a few hundred ulps in a deep net. */
#define TOLERANCE 1e-3

_Atomic int64_t trial_alive_ns;

static void on_fault(void *ctx, const struct assay_err *err)
{
    struct trial *t = ctx;

    pthread_mutex_lock(&t->mutex);
    if (!t->faulted)
        t->fault = *err;
    t->faulted = true;
    pthread_cond_broadcast(&t->changed);
    pthread_mutex_unlock(&t->mutex);
}

static void no_log(void *ctx, int level, const char *text)
{
    (void)ctx;
    (void)level;
    (void)text;
}

int trial_open(struct trial *t, const struct trial_ask *ask, struct assay_err *err)
{
    struct assay_engine_config config = {.size = sizeof(config),
                                         .model_path = ask->model,
                                         .format = ask->format,
                                         .device = ask->device,
                                         .precision = ask->precision,
                                         .lanes = ask->lanes,
                                         .threads = ask->threads ? ask->threads : 1,
                                         .max_batch = ask->max_batch,
                                         .settles = ask->settles,
                                         .log = no_log};
    char *runtime = engine_runtime_dir(ask->table->name);
    uint32_t desc_max;
    int rc;

    memset(t, 0, sizeof(*t));
    t->table = ask->table;
    t->lanes = ask->lanes;
    pthread_mutex_init(&t->mutex, NULL);
    pthread_cond_init(&t->changed, NULL);
    config.runtime_dir = runtime;
    atomic_store(&trial_alive_ns, 0);
    rc = engine_parse_options(ask->table, ask->options, &t->values, &config.option_count,
                              &t->storage, err);
    config.values = t->values;
    if (!rc)
        rc = engine_open(ask->table, &config, &t->engine, err);
    if (!rc) {
        engine_on_fault(t->engine, on_fault, t);
        t->graph = &engine_desc(t->engine)->graphs[0];
        desc_max = engine_desc(t->engine)->max_batch;
        t->max_batch = desc_max && desc_max < ask->max_batch ? desc_max : ask->max_batch;
        if (t->graph->input_count > TRIAL_TENSORS || t->graph->output_count > TRIAL_TENSORS)
            rc = assay_fail(err, ASSAY_EFAIL, "the model has more than %d tensors", TRIAL_TENSORS);
    }
    for (uint32_t i = 0; i < ask->lanes && !rc; i++)
        rc = engine_lane_open(t->engine, i, err);
    atomic_store(&trial_alive_ns, clock_ns());
    free(runtime);
    if (rc)
        trial_close(t, NULL);
    return rc;
}

int trial_close(struct trial *t, struct assay_err *err)
{
    int rc = ASSAY_OK;

    engine_close(t->engine);
    if (t->faulted)
        rc = assay_fail(err, ASSAY_EFAIL, "%s", t->fault.text);
    free(t->values);
    free(t->storage);
    pthread_cond_destroy(&t->changed);
    pthread_mutex_destroy(&t->mutex);
    memset(t, 0, sizeof(*t));
    return rc;
}

/* Element i of sample k: floats in [-1, 1], integers 0 or 1 (an index that every table has). */
static void fill(const struct assay_tensor *t, uint32_t sample)
{
    size_t size = assay_dtype_size(t->dtype), n = size ? t->bytes / size : 0;
    uint32_t x = sample * 2654435761u + 12345;

    for (size_t i = 0; i < n; i++) {
        char *at = (char *)t->data + i * size;

        x = x * 1664525u + 1013904223u;
        if (t->dtype == ASSAY_F32)
            *(float *)at = (float)(x >> 8) / 8388608.0f - 1;
        else if (t->dtype == ASSAY_F64)
            *(double *)at = (double)(x >> 8) / 8388608.0 - 1;
        else if (t->dtype == ASSAY_F16 || t->dtype == ASSAY_BF16)
            *(uint16_t *)at = x >> 31 ? (t->dtype == ASSAY_F16 ? 0x3c00 : 0x3f80) : 0; /* 1 or 0 */
        else
            memset(at, 0, size), *at = (char)(x >> 31);
    }
}

/* The rows of input i lie behind each other, so the same memory serves packed and gathered batches.
 */
static int make_input(struct load *l, uint32_t i, const uint32_t *samples, uint32_t n,
                      struct assay_err *err)
{
    const struct assay_tensor_spec *spec = &l->trial->graph->inputs[i];
    struct assay_tensor *packed = &l->inputs[i], row = {.dtype = spec->dtype};
    size_t bytes = assay_dtype_size(spec->dtype);

    row.rank = spec->rank ? spec->rank - 1 : 0;
    packed->dtype = spec->dtype;
    packed->rank = spec->rank;
    packed->dims[0] = n;
    for (uint32_t d = 1; d < spec->rank; d++) {
        packed->dims[d] = row.dims[d - 1] = spec->dims[d] < 0 ? FREE_DIM : spec->dims[d];
        bytes *= (size_t)packed->dims[d];
    }
    row.bytes = bytes;
    packed->bytes = bytes * n;
    packed->data = l->memory[i] = engine_alloc(l->trial->engine, packed->bytes);
    l->row_tensors[i] = calloc(n, sizeof(row));
    l->rows[i] = calloc(n, sizeof(*l->rows[i]));
    if (!packed->data || !l->row_tensors[i] || !l->rows[i])
        return assay_fail(err, ASSAY_EFAIL, "not enough memory");
    for (uint32_t s = 0; s < n; s++) {
        row.data = (char *)packed->data + bytes * s;
        l->row_tensors[i][s] = row;
        l->rows[i][s] = &l->row_tensors[i][s];
        fill(&row, samples[s]);
    }
    return ASSAY_OK;
}

static void keep_answer(struct load *l)
{
    for (uint32_t o = 0; o < l->batch.output_count; o++) {
        free(l->answer[o]);
        l->answer[o] = malloc(l->outputs[o].bytes + 1);
        if (l->answer[o])
            memcpy(l->answer[o], l->outputs[o].data, l->outputs[o].bytes);
    }
}

static void load_done(struct assay_batch *batch, int code, const struct assay_err *err)
{
    struct load *l = batch->host;
    struct trial *t = l->trial;

    atomic_store(&trial_alive_ns, clock_ns());
    if (t->dwell_us)
        usleep(t->dwell_us);
    pthread_mutex_lock(&t->mutex);
    l->done++;
    l->result.code = code;
    if (code)
        l->result = *err;
    else
        keep_answer(l);
    pthread_cond_broadcast(&t->changed);
    pthread_mutex_unlock(&t->mutex);
}

int load_init(struct load *l, struct trial *t, uint32_t lane, const uint32_t *samples, uint32_t n,
              struct assay_err *err)
{
    bool gather = (t->table->caps & ASSAY_CAP_GATHER) != 0;
    int rc = ASSAY_OK;

    memset(l, 0, sizeof(*l));
    l->trial = t;
    for (uint32_t i = 0; i < t->graph->input_count && !rc; i++)
        rc = make_input(l, i, samples, n, err);
    l->batch = (struct assay_batch){.size = sizeof(l->batch),
                                    .lane = lane,
                                    .samples = n,
                                    .input_count = t->graph->input_count,
                                    .output_count = t->graph->output_count,
                                    .inputs = l->inputs,
                                    .outputs = l->outputs,
                                    .done = load_done,
                                    .host = l};
    if (gather)
        l->batch.rows = (const struct assay_tensor *const *const *)l->rows;
    if (rc)
        load_release(l);
    return rc;
}

void load_release(struct load *l)
{
    for (uint32_t i = 0; i < TRIAL_TENSORS; i++) {
        if (l->memory[i])
            engine_release(l->trial->engine, l->memory[i]);
        free(l->row_tensors[i]);
        free(l->rows[i]);
        free(l->answer[i]);
    }
    memset(l, 0, sizeof(*l));
}

int load_submit(struct load *l, struct assay_err *err)
{
    int64_t end = clock_ns() + LIMIT_S * INT64_C(1000000000);
    int rc;

    l->done = 0;
    while ((rc = engine_submit(l->trial->engine, &l->batch, err)) == ASSAY_EAGAIN) {
        if (clock_ns() > end)
            return assay_fail(err, ASSAY_EFAIL, "submit answered AGAIN for %d s", LIMIT_S);
        usleep(50);
    }
    return rc;
}

int load_wait(struct load *l, struct assay_err *err)
{
    struct trial *t = l->trial;
    struct timespec end;
    int rc = 0;

    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += LIMIT_S;
    pthread_mutex_lock(&t->mutex);
    while (!l->done && !t->faulted && rc != ETIMEDOUT)
        rc = pthread_cond_timedwait(&t->changed, &t->mutex, &end);
    if (t->faulted)
        rc = assay_fail(err, ASSAY_EFAIL, "%s", t->fault.text);
    else if (!l->done)
        rc = assay_fail(err, ASSAY_EFAIL, "a batch of %u samples did not complete within %d s",
                        l->batch.samples, LIMIT_S);
    else if (l->result.code)
        rc = assay_fail(err, l->result.code, "%s", l->result.text);
    else
        rc = ASSAY_OK;
    pthread_mutex_unlock(&t->mutex);
    return rc;
}

int load_run(struct load *l, struct assay_err *err)
{
    int rc = load_submit(l, err);

    if (!rc)
        rc = engine_drain(l->trial->engine, l->batch.lane, err);
    return rc ? rc : load_wait(l, err);
}

static double element(const struct assay_tensor *t, const char *data, size_t i)
{
    const char *at = data + i * assay_dtype_size(t->dtype);

    return t->dtype == ASSAY_F32 ? (double)*(const float *)at : *(const double *)at;
}

static int compare_output(const struct assay_tensor *x, const char *a, const struct assay_tensor *y,
                          const char *b, size_t bytes, const char *name, struct assay_err *err)
{
    size_t n;
    double p, q;

    if (x->dtype != ASSAY_F32 && x->dtype != ASSAY_F64)
        return memcmp(a, b, bytes) == 0
                   ? ASSAY_OK
                   : assay_fail(err, ASSAY_EFAIL, "output '%s' of the same sample differs", name);
    n = bytes / assay_dtype_size(x->dtype);
    for (size_t i = 0; i < n; i++) {
        p = element(x, a, i);
        q = element(y, b, i);
        if (!isfinite(p) || !(fabs(p - q) <= TOLERANCE * (fabs(p) > 1 ? fabs(p) : 1)))
            return assay_fail(err, ASSAY_EFAIL,
                              "output '%s', element %zu of the same sample is %g and then %g", name,
                              i, p, q);
    }
    return ASSAY_OK;
}

int load_compare(const struct load *x, uint32_t a, const struct load *y, uint32_t b,
                 struct assay_err *err)
{
    int rc = ASSAY_OK;

    for (uint32_t o = 0; o < x->batch.output_count && !rc; o++) {
        const struct assay_tensor *p = &x->outputs[o], *q = &y->outputs[o];
        const char *name = x->trial->graph->outputs[o].name;
        size_t row = p->bytes / x->batch.samples;

        if (p->dims[0] != x->batch.samples || q->dims[0] != y->batch.samples ||
            q->bytes / y->batch.samples != row)
            return assay_fail(err, ASSAY_EFAIL,
                              "output '%s' has %lld and %lld rows for batches of %u and %u samples",
                              name, (long long)p->dims[0], (long long)q->dims[0], x->batch.samples,
                              y->batch.samples);
        rc = compare_output(p, (char *)x->answer[o] + row * a, q, (char *)y->answer[o] + row * b,
                            row, name, err);
    }
    return rc;
}
