/* The timed part: the pairs of a batch of samples are put together, one inference gives their
 * predictions, and each goes to its sample's payload beside its target.
 *
 * The batch's tensors lie in a scratch that is taken from a pool, so that lanes do not wait for
 * each other and nothing is allocated once the pool is warm. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "dlrm.h"

struct scratch {
    struct scratch *next;
    uint64_t pairs; /* it has room for */
    float *dense;
    void *indices, *offsets;
};

static void scratch_free(struct scratch *s)
{
    if (!s)
        return;
    free(s->dense);
    free(s->indices);
    free(s->offsets);
    free(s);
}

void scratch_destroy(struct scratch *pool)
{
    struct scratch *next;

    for (; pool; pool = next) {
        next = pool->next;
        scratch_free(pool);
    }
}

static struct scratch *scratch_create(const struct model *m, uint64_t pairs)
{
    struct scratch *s = calloc(1, sizeof(*s));
    size_t each = assay_dtype_size(m->dtype), hot = (size_t)m->hot;

    if (!s)
        return NULL;
    s->pairs = pairs;
    s->dense = malloc(pairs * CRITEO_DENSE * sizeof(float));
    s->indices = malloc(pairs * hot * each);
    s->offsets = m->tables ? malloc(pairs * hot * each) : NULL;
    if (s->dense && s->indices && (s->offsets || !m->tables))
        return s;
    scratch_free(s);
    return NULL;
}

static struct scratch *scratch_take(struct dlrm *d, uint64_t pairs, struct assay_err *err)
{
    struct scratch *s;

    pthread_mutex_lock(&d->lock);
    if ((s = d->pool))
        d->pool = s->next;
    pthread_mutex_unlock(&d->lock);
    if (s && s->pairs < pairs) {
        scratch_free(s);
        s = NULL;
    }
    if (!s && !(s = scratch_create(&d->model, pairs)))
        assay_fail(err, ASSAY_EFAIL, "dlrm: not enough memory for a batch of %llu pairs",
                   (unsigned long long)pairs);
    return s;
}

static void scratch_give_back(struct dlrm *d, struct scratch *s)
{
    pthread_mutex_lock(&d->lock);
    s->next = d->pool;
    d->pool = s;
    pthread_mutex_unlock(&d->lock);
}

/* ---- the model ---- */

static int wrong_tensor(const char *what, const struct assay_tensor_spec *have,
                        const struct assay_tensor_spec *want, const char *shape,
                        struct assay_err *err)
{
    return assay_fail(err, ASSAY_EFAIL,
                      "dlrm: the model's %s is '%.60s', %s with %u dimensions; wanted: '%s', %s %s "
                      "(input and output of the manifest)",
                      what, have->name, assay_dtype_name(have->dtype), have->rank,
                      want->name ? want->name : have->name, assay_dtype_name(want->dtype), shape);
}

static bool fits(const struct assay_tensor_spec *have, const struct assay_tensor_spec *want,
                 uint32_t batch)
{
    uint32_t other = 1 - batch;

    return (!want->name || !strcmp(want->name, have->name)) && have->dtype == want->dtype &&
           have->rank == 2 && (have->dims[other] < 0 || have->dims[other] == want->dims[0]);
}

/* Before the first inference: a model that does not fit the manifest is told in its own terms. */
static int check_model(const struct dlrm *d, const struct assay_driver *driver,
                       struct assay_err *err)
{
    uint32_t inputs = d->model.tables ? 3 : 2, i;
    const struct assay_graph_desc *g;
    char shape[64];

    if (driver->size <= offsetof(struct assay_driver, graphs) || driver->graph_count < 1)
        return ASSAY_OK;
    g = driver->graphs;
    if (g->input_count != inputs || g->output_count != 1)
        return assay_fail(
            err, ASSAY_EFAIL,
            "dlrm: the model has %u inputs and %u outputs; wanted: %s, and one output "
            "(input.layout of the manifest)",
            g->input_count, g->output_count,
            d->model.tables ? "dense, offsets and indices" : "dense and indices");
    for (i = 0; i < inputs; i++) {
        bool turned = i && d->model.tables;

        snprintf(shape, sizeof(shape), turned ? "[%lld,pairs]" : "[pairs,%lld]",
                 (long long)d->inputs[i].dims[0]);
        if (!fits(&g->inputs[i], &d->inputs[i], turned))
            return wrong_tensor(i ? i + 1 < inputs ? "second input" : "last input" : "first input",
                                &g->inputs[i], &d->inputs[i], shape, err);
    }
    return fits(g->outputs, &d->output, 0)
               ? ASSAY_OK
               : wrong_tensor("output", g->outputs, &d->output, "[pairs,1]", err);
}

/* ---- a batch ---- */

static uint64_t length_of(const struct dlrm *d, uint64_t index)
{
    return d->pairs.start[index + 1] - d->pairs.start[index];
}

/* Copies a sample's columns; one that was not loaded is made here. */
static int place_sample(const struct dlrm *d, uint64_t index, uint64_t at, uint64_t total,
                        struct scratch *s, struct assay_err *err)
{
    const struct model *m = &d->model;
    const struct sample *one = &d->samples[index];
    size_t each = assay_dtype_size(m->dtype), hot = (size_t)m->hot, i;
    uint64_t n = length_of(d, index);
    struct sample fresh = {0};
    int rc = ASSAY_OK;

    if (!one->dense) {
        rc = sample_make(d, index, &fresh, err);
        one = &fresh;
    }
    if (!rc) {
        memcpy(s->dense + at * CRITEO_DENSE, one->dense, n * CRITEO_DENSE * sizeof(float));
        if (!m->tables)
            memcpy((char *)s->indices + at * hot * each, one->indices, n * hot * each);
        for (i = 0; m->tables && i < hot; i++)
            memcpy((char *)s->indices + (i * total + at) * each,
                   (char *)one->indices + i * n * each, n * each);
    }
    sample_release(&fresh);
    return rc;
}

static struct assay_tensor tensor(int32_t dtype, int64_t a, int64_t b, void *data)
{
    return (struct assay_tensor){
        dtype, 2, {a, b}, data, (size_t)a * (size_t)b * assay_dtype_size(dtype)};
}

static int infer(struct dlrm *d, const struct assay_driver *driver, struct scratch *s,
                 uint64_t total, struct assay_tensor *out, struct assay_err *err)
{
    const struct model *m = &d->model;
    int64_t n = (int64_t)total;
    struct assay_tensor in[3] = {tensor(ASSAY_F32, n, CRITEO_DENSE, s->dense)};
    int rc;

    if (m->tables) {
        offsets_fill(m, total, s->offsets);
        in[1] = tensor(m->dtype, m->hot, n, s->offsets);
        in[2] = tensor(m->dtype, m->hot, n, s->indices);
    } else {
        in[1] = tensor(m->dtype, n, m->hot, s->indices);
    }
    memset(out, 0, sizeof(*out));
    rc = driver->infer(driver->ctx, 0, (uint32_t)total, in, m->tables ? 3 : 2, out, 1, err);
    if (!rc && (out->dtype != ASSAY_F32 || out->bytes != total * sizeof(float)))
        rc =
            assay_fail(err, ASSAY_EFAIL,
                       "dlrm: %zu bytes of %s came back for %llu pairs; wanted: a float32 for each",
                       out->bytes, assay_dtype_name(out->dtype), (unsigned long long)total);
    return rc;
}

/* float32 [prediction, target] for each pair of the sample. */
static int write_payload(const struct dlrm *d, uint64_t index, const float *predictions,
                         void *response, size_t capacity, size_t *bytes, struct assay_err *err)
{
    uint64_t n = length_of(d, index), i;
    const float *labels = d->samples[index].labels;
    struct sample fresh = {0};
    float *pair = response;
    int rc = n * 2 * sizeof(float) > capacity
                 ? assay_fail(err, ASSAY_EFAIL, "sample %llu: its payload has no room",
                              (unsigned long long)index)
                 : ASSAY_OK;

    if (!rc && !labels && !(rc = sample_make(d, index, &fresh, err)))
        labels = fresh.labels;
    for (i = 0; i < n && !rc; i++) {
        float value = d->model.logit ? 1.0f / (1.0f + expf(-predictions[i])) : predictions[i];

        if (isnan(value))
            rc = assay_fail(err, ASSAY_EFAIL, "sample %llu: the prediction of its pair %llu is NaN",
                            (unsigned long long)index, (unsigned long long)i);
        *pair++ = value;
        *pair++ = labels[i];
    }
    *bytes = n * 2 * sizeof(float);
    sample_release(&fresh);
    return rc;
}

int dlrm_drive_batch(void *self, const uint64_t *index, uint32_t n,
                     const struct assay_driver *driver, void *responses, size_t capacity,
                     size_t *bytes, struct assay_err *err)
{
    struct dlrm *d = self;
    uint64_t total = 0, at = 0;
    struct assay_tensor out;
    struct scratch *s;
    uint32_t i;
    int rc = check_model(d, driver, err);

    for (i = 0; i < n; i++)
        total += length_of(d, index[i]);
    if (rc || !(s = scratch_take(d, total, err)))
        return rc ? rc : ASSAY_EFAIL;
    for (i = 0; i < n && !rc; at += length_of(d, index[i++]))
        rc = place_sample(d, index[i], at, total, s, err);
    if (!rc)
        rc = infer(d, driver, s, total, &out, err);
    for (i = 0, at = 0; i < n && !rc; at += length_of(d, index[i++]))
        rc = write_payload(d, index[i], (const float *)out.data + at,
                           (char *)responses + i * capacity, capacity, &bytes[i], err);
    scratch_give_back(d, s);
    return rc;
}

int dlrm_drive(void *self, uint64_t index, const struct assay_driver *driver, void *response,
               size_t capacity, size_t *bytes, struct assay_err *err)
{
    return dlrm_drive_batch(self, &index, 1, driver, response, capacity, bytes, err);
}
