/* DLRM (click-through rate on Criteo's Terabyte logs): version 1 and DLRM-v2, which differ in the
 * model and the form of the data, and not in what is measured.
 *
 * A LoadGen sample is 100 to 700 pairs of user and item (data/pairs.h), so this benchmark drives
 * the engine: the pairs of a batch of samples go through the model in one inference.  The payload
 * is float32 [prediction, target] for each pair; the metric is the area under the ROC curve. */
#include "dlrm.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "data/workers.h"
#include "score/auc.h"

#define SYNTHETIC_COUNT 1024
#define OFFICIAL_COUNT  330067
#define PAIR_BYTES      (2 * sizeof(float))

static int no_memory(struct assay_err *err)
{
    return assay_fail(err, ASSAY_EFAIL, "dlrm: not enough memory");
}

/* ---- opening ---- */

static void dlrm_close(void *self)
{
    struct dlrm *d = self;
    uint64_t i;

    for (i = 0; d->samples && i < d->pairs.n; i++)
        sample_release(&d->samples[i]);
    free(d->samples);
    scratch_destroy(d->pool);
    pairs_release(&d->pairs);
    rows_close(&d->rows);
    pthread_mutex_destroy(&d->lock);
    free((char *)d->config.dataset);
    free((char *)d->config.cache_dir);
    free(d);
}

/* Of the official models of version 1 and 2. */
#define OFFICIAL_GB(multi) ((multi) ? 104.5 : 96.1)

static uint64_t table_bytes(const struct model *m)
{
    double rows = 0;
    int i;

    for (i = 0; i < CRITEO_CATEGORIES; i++)
        rows += (double)m->rows[i];
    return (uint64_t)(rows * (double)m->width * m->width_bytes);
}

static void fill_specs(struct dlrm *d)
{
    const struct model *m = &d->model;
    int last = m->tables ? 2 : 1, i;

    d->inputs[0] =
        (struct assay_tensor_spec){m->dense[0] ? m->dense : NULL, ASSAY_F32, 1, {CRITEO_DENSE}};
    for (i = 1; i <= last; i++) {
        const char *name = i == last ? m->indices : m->offsets;

        d->inputs[i] = (struct assay_tensor_spec){name[0] ? name : NULL, m->dtype, 1, {m->hot}};
    }
    if (m->cut)
        snprintf(d->note, sizeof(d->note),
                 "tables cut to %lld rows: %.3g GB, and the official ones take %.1f GB",
                 (long long)m->cut, (double)table_bytes(m) * 1e-9, OFFICIAL_GB(m->multi));
    d->output = (struct assay_tensor_spec){m->output[0] ? m->output : NULL, ASSAY_F32, 1, {1}};
    snprintf(d->preprocess, sizeof(d->preprocess), "%s; categories %s; samples of 100 to 700 pairs",
             d->rows.sparse.map.data ? "13 numbers as they are" : "log(x + 1) of 13 integers",
             m->fold                ? "by the remainder of their table's rows"
             : d->rows.raw.map.data ? "by the dictionary of all days"
                                    : "as they are");
}

static int open_rows(struct dlrm *d, struct assay_err *err)
{
    uint64_t count = d->config.count;
    int rc;

    if (!d->config.dataset) { /* as many pairs as the samples take */
        count = count ? count : SYNTHETIC_COUNT;
        if (count > UINT32_MAX)
            return assay_fail(err, ASSAY_EUSAGE, "dlrm: --count is at most %u", UINT32_MAX);
        if ((rc = pairs_make(count * PAIRS_MOST, count, &d->pairs, err)))
            return rc;
        return rows_open(NULL, d->config.seed, d->pairs.start[count], &d->model, &d->rows, err);
    }
    if ((rc = rows_open(d->config.dataset, 0, 0, &d->model, &d->rows, err)) ||
        (rc = pairs_make(d->rows.n, count, &d->pairs, err)))
        return rc;
    if (d->pairs.n >= count)
        return ASSAY_OK;
    return assay_fail(err, ASSAY_EUSAGE,
                      "%s: gives %llu samples (of %llu pairs), %llu were asked for",
                      d->config.dataset, (unsigned long long)d->pairs.n,
                      (unsigned long long)d->rows.n, (unsigned long long)count);
}

static int dlrm_open(const struct assay_benchmark_config *config, void **self,
                     struct assay_err *err)
{
    struct dlrm *d = calloc(1, sizeof(*d));
    int rc;

    if (!d)
        return no_memory(err);
    pthread_mutex_init(&d->lock, NULL);
    d->config = *config;
    d->config.manifest = NULL; /* not needed after open */
    d->config.threads = config->threads ? config->threads : 1;
    d->config.dataset = config->dataset ? strdup(config->dataset) : NULL;
    d->config.cache_dir = config->cache_dir ? strdup(config->cache_dir) : file_cache_dir();
    rc = model_parse(config->manifest, &d->model, err);
    if (!rc)
        rc = open_rows(d, err);
    if (!rc && !(d->samples = calloc(d->pairs.n, sizeof(*d->samples))))
        rc = no_memory(err);
    if (rc) {
        dlrm_close(d);
        return rc;
    }
    fill_specs(d);
    *self = d;
    return ASSAY_OK;
}

static int dlrm_describe(void *self, struct assay_benchmark_desc *desc, struct assay_err *err)
{
    struct dlrm *d = self;
    const struct model *m = &d->model;

    (void)err;
    desc->dataset_name = d->rows.name;
    desc->dataset_hash = d->rows.hash;
    desc->samples = d->pairs.n;
    desc->synthetic = !d->config.dataset;
    desc->unofficial = d->config.dataset && desc->samples != OFFICIAL_COUNT;
    desc->input_count = m->tables ? 3 : 2;
    desc->output_count = 1;
    desc->inputs = d->inputs;
    desc->outputs = &d->output;
    desc->response_bytes = PAIRS_MOST * PAIR_BYTES;
    desc->preprocess = d->preprocess;
    desc->note = d->note[0] ? d->note : NULL;
    desc->rows = PAIRS_MOST;
    desc->model_bytes = table_bytes(m);
    desc->loaded_bytes =
        (uint64_t)(PAIRS_MEAN * (double)((CRITEO_DENSE + 1) * sizeof(float) +
                                         (size_t)m->hot * assay_dtype_size(m->dtype)));
    return ASSAY_OK;
}

/* ---- samples ---- */

void indices_place(const struct model *m, const int32_t *rows, uint64_t n, uint64_t at,
                   uint64_t total, void *out)
{
    uint64_t hot = (uint64_t)m->hot, i, k;

    for (i = 0; i < n; i++)
        for (k = 0; k < hot; k++) {
            uint64_t to = m->tables ? k * total + at + i : (at + i) * hot + k;

            if (m->dtype == ASSAY_I32)
                ((int32_t *)out)[to] = rows[i * hot + k];
            else
                ((int64_t *)out)[to] = rows[i * hot + k];
        }
}

/* Bag i of every table is its index i: one a bag. */
void offsets_fill(const struct model *m, uint64_t n, void *out)
{
    uint64_t i, k;

    for (k = 0; k < (uint64_t)m->hot; k++)
        for (i = 0; i < n; i++)
            if (m->dtype == ASSAY_I32)
                ((int32_t *)out)[k * n + i] = (int32_t)i;
            else
                ((int64_t *)out)[k * n + i] = (int64_t)i;
}

void sample_release(struct sample *s)
{
    free(s->dense);
    free(s->labels);
    free(s->indices);
    free(s->offsets);
    memset(s, 0, sizeof(*s));
}

int sample_make(const struct dlrm *d, uint64_t index, struct sample *s, struct assay_err *err)
{
    const struct model *m = &d->model;
    uint64_t from = d->pairs.start[index], n = d->pairs.start[index + 1] - from;
    int32_t *rows = malloc(n * (size_t)m->hot * sizeof(*rows));
    float *dense = malloc(n * CRITEO_DENSE * sizeof(float)), *labels = malloc(n * sizeof(float));
    size_t each = m->dtype == ASSAY_I32 ? sizeof(int32_t) : sizeof(int64_t);
    void *indices = malloc(n * (size_t)m->hot * each);
    int rc = rows && dense && labels && indices
                 ? rows_read(&d->rows, from, n, dense, rows, labels, err)
                 : no_memory(err);

    if (!rc)
        indices_place(m, rows, n, 0, n, indices);
    free(rows);
    *s = (struct sample){.dense = dense, .labels = labels, .indices = indices, .taken = s->taken};
    if (rc)
        sample_release(s);
    return rc;
}

static int dlrm_prepare(void *self, struct assay_err *err)
{
    struct dlrm *d = self;
    int rc = rows_prepare(&d->rows, &d->config, err);

    d->prepared = !rc;
    return rc;
}

struct loading {
    struct dlrm *d;
    uint64_t *index;
};

static int load_one(void *ctx, uint32_t worker, uint64_t at, struct assay_err *err)
{
    struct loading *l = ctx;

    (void)worker;
    return sample_make(l->d, l->index[at], &l->d->samples[l->index[at]], err);
}

static int dlrm_load(void *self, const uint64_t *index, uint64_t n, struct assay_err *err)
{
    struct dlrm *d = self;
    struct loading l = {d, malloc((n + 1) * sizeof(*l.index))};
    struct workers w = {.threads = d->config.threads, .job = load_one, .ctx = &l};
    uint64_t i;
    int rc = ASSAY_OK;

    if (!l.index || !d->prepared)
        rc = l.index ? assay_fail(err, ASSAY_EFAIL,
                                  "dlrm: samples are asked for before they were prepared")
                     : no_memory(err);
    for (i = 0; i < n && !rc; i++)
        if (index[i] >= d->pairs.n)
            rc = assay_fail(err, ASSAY_EFAIL, "dlrm: has no sample %llu",
                            (unsigned long long)index[i]);
        else if (!d->samples[index[i]].taken) {
            d->samples[index[i]].taken = true;
            l.index[w.n++] = index[i];
        }
    if (!rc)
        rc = rows_load(&d->rows, &d->pairs, l.index, w.n, err);
    if (!rc && w.n)
        rc = workers_run(&w, err);
    free(l.index);
    return rc;
}

static void dlrm_unload(void *self, const uint64_t *index, uint64_t n)
{
    struct dlrm *d = self;
    uint64_t i;

    for (i = 0; i < n; i++)
        if (index[i] < d->pairs.n)
            sample_release(&d->samples[index[i]]);
}

static int make_offsets(struct dlrm *d, struct sample *s, uint64_t n, struct assay_err *err)
{
    int rc = ASSAY_OK;

    pthread_mutex_lock(&d->lock);
    if (!s->offsets) {
        s->offsets = malloc(n * (size_t)d->model.hot * assay_dtype_size(d->model.dtype));
        if (s->offsets)
            offsets_fill(&d->model, n, s->offsets);
        else
            rc = no_memory(err);
    }
    pthread_mutex_unlock(&d->lock);
    return rc;
}

/* For `assay samples`: the run itself goes through drive. */
static int dlrm_input(void *self, uint64_t index, uint32_t input, struct assay_tensor *view,
                      struct assay_err *err)
{
    struct dlrm *d = self;
    const struct model *m = &d->model;
    struct sample *s = index < d->pairs.n ? &d->samples[index] : NULL;
    uint32_t last = m->tables ? 2 : 1;
    uint64_t n;
    int rc;

    if (!s || input > last || !s->dense)
        return assay_fail(err, ASSAY_EFAIL,
                          "dlrm: input %u of sample %llu is not there, or not loaded", input,
                          (unsigned long long)index);
    n = d->pairs.start[index + 1] - d->pairs.start[index];
    if (input && input < last && (rc = make_offsets(d, s, n, err)))
        return rc;
    memset(view, 0, sizeof(*view));
    view->dtype = d->inputs[input].dtype;
    view->rank = 2;
    view->dims[input && m->tables ? 1 : 0] = (int64_t)n;
    view->dims[input && m->tables ? 0 : 1] = d->inputs[input].dims[0];
    view->data = !input ? s->dense : input == last ? s->indices : s->offsets;
    view->bytes = n * (size_t)d->inputs[input].dims[0] * assay_dtype_size(view->dtype);
    return ASSAY_OK;
}

static int dlrm_respond(void *self, uint64_t index, const struct assay_tensor *outputs,
                        uint32_t count, uint32_t row, void *response, size_t capacity,
                        size_t *bytes, struct assay_err *err)
{
    (void)self, (void)outputs, (void)count, (void)row, (void)response, (void)capacity, (void)bytes;
    return assay_fail(
        err, ASSAY_EFAIL,
        "dlrm: sample %llu was not driven (a sample is many pairs): the host is older "
        "than this benchmark",
        (unsigned long long)index);
}

/* ---- score ---- */

struct tally {
    float *pairs;
    uint64_t n;       /* pairs collected */
    uint64_t samples; /* that they are of */
    bool *seen;       /* [samples] */
};

/* Predictions alone: the targets come from the data set. */
static int add_predictions(struct dlrm *d, const struct assay_log_entry *e, uint64_t n,
                           struct tally *t, struct assay_err *err)
{
    struct sample s = {0};
    uint64_t i;
    int rc = d->prepared ? ASSAY_OK : dlrm_prepare(d, err);

    if (!rc)
        rc = sample_make(d, e->index, &s, err);
    for (i = 0; i < n && !rc; i++) {
        memcpy(&t->pairs[2 * (t->n + i)], e->data + i * sizeof(float), sizeof(float));
        t->pairs[2 * (t->n + i) + 1] = s.labels[i];
    }
    sample_release(&s);
    return rc;
}

static int add_entry(struct dlrm *d, const struct assay_log_entry *e, struct tally *t,
                     struct assay_err *err)
{
    uint64_t n, i;
    int rc = ASSAY_OK;

    if (e->index >= d->pairs.n)
        return assay_fail(err, ASSAY_EFAIL,
                          "accuracy log: sample %llu is not in the data set, which has %llu",
                          (unsigned long long)e->index, (unsigned long long)d->pairs.n);
    if (t->seen[e->index]) /* the first counts, as in the official script */
        return ASSAY_OK;
    t->seen[e->index] = true;
    t->samples++;
    n = d->pairs.start[e->index + 1] - d->pairs.start[e->index];
    if (e->bytes == n * PAIR_BYTES)
        memcpy(t->pairs + 2 * t->n, e->data, e->bytes);
    else if (e->bytes == n * sizeof(float))
        rc = add_predictions(d, e, n, t, err);
    else
        return assay_fail(err, ASSAY_EFAIL,
                          "accuracy log, sample %llu: has %llu bytes of data; wanted: float32 "
                          "prediction and target of %llu pairs, or predictions alone",
                          (unsigned long long)e->index, (unsigned long long)e->bytes,
                          (unsigned long long)n);
    for (i = 0; i < n && !rc; i++)
        if (isnan(t->pairs[2 * (t->n + i)]))
            rc = assay_fail(err, ASSAY_EFAIL,
                            "accuracy log, sample %llu: the prediction of its pair %llu is NaN",
                            (unsigned long long)e->index, (unsigned long long)i);
    t->n += n;
    return rc;
}

static void fill_score(const struct dlrm *d, const struct auc *a, uint64_t queries,
                       struct assay_score *score)
{
    snprintf(score->metric, sizeof(score->metric), "auc");
    snprintf(score->unit, sizeof(score->unit), "%%");
    score->value = 100.0 * a->auc;
    score->good = a->good;
    score->total = a->total;
    score->reference = score->target = NAN;
    snprintf(score->line, sizeof(score->line),
             "AUC=%.3f%%, accuracy=%.3f%%, good=%llu, total=%llu, queries=%llu", score->value,
             100.0 * (double)a->good / (double)a->total, (unsigned long long)a->good,
             (unsigned long long)a->total, (unsigned long long)queries);
    if (d->config.dataset && !isnan(d->model.reference)) {
        score->reference = d->model.reference;
        score->target = d->model.target;
    }
}

static int dlrm_score(void *self, const struct assay_log_entry *entries, uint64_t n,
                      struct assay_score *score, struct assay_err *err)
{
    struct dlrm *d = self;
    uint64_t i;
    struct tally t = {.pairs = malloc((d->pairs.start[d->pairs.n] + 1) * PAIR_BYTES),
                      .seen = calloc(d->pairs.n, sizeof(bool))};
    struct auc auc;
    int rc =
        !t.pairs || !t.seen ? no_memory(err)
        : n                 ? ASSAY_OK
            : assay_fail(err, ASSAY_EFAIL, "accuracy log: has no entries; run in accuracy mode");

    for (i = 0; i < n && !rc; i++)
        rc = add_entry(d, &entries[i], &t, err);
    if (!rc && !(rc = auc_compute(t.pairs, t.n, &auc, err)))
        fill_score(d, &auc, t.samples, score);
    free(t.pairs);
    free(t.seen);
    return rc;
}

static const char *const scenarios[] = {"Server", "Offline", NULL};

static const struct assay_benchmark table = {
    .abi_major = ASSAY_BENCHMARK_ABI_MAJOR,
    .abi_minor = ASSAY_BENCHMARK_ABI_MINOR,
    .size = sizeof(struct assay_benchmark),
    .name = "dlrm",
    .summary = "recommendation on Criteo's Terabyte logs, area under the ROC curve",
    .loadgen_model = "dlrm",
    .default_model = "dlrm-synthetic",
    .scenarios = scenarios,
    .open = dlrm_open,
    .describe = dlrm_describe,
    .prepare = dlrm_prepare,
    .load = dlrm_load,
    .unload = dlrm_unload,
    .input = dlrm_input,
    .respond = dlrm_respond,
    .score = dlrm_score,
    .close = dlrm_close,
    .drive = dlrm_drive,
    .drive_batch = dlrm_drive_batch,
};

const struct assay_benchmark *assay_benchmark_entry(void)
{
    return &table;
}
