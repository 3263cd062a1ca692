/* Greedy decoding over the three graphs.
 *
 * The encoder is called once.  At each of its steps the joint network says which label comes next,
 * from the step and from what the prediction network makes of the labels so far; blank, or 30
 * labels, lead to the next step.  The prediction network depends on the labels alone, so it is
 * called once for each and not again after a blank: the reference does call it again, and gets what
 * it had. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "rnnt.h"

int decode_work_init(struct decode_work *w, const struct model *m, uint64_t most_steps)
{
    size_t states = (size_t)m->states * (size_t)m->prediction;

    w->steps = most_steps;
    w->encoded = malloc(most_steps * (size_t)m->encoder * sizeof(float));
    w->state[0] = malloc(states * sizeof(float));
    w->state[1] = malloc(states * sizeof(float));
    return w->encoded && w->state[0] && w->state[1] ? ASSAY_OK : ASSAY_EFAIL;
}

void decode_work_release(struct decode_work *w)
{
    free(w->encoded);
    free(w->state[0]);
    free(w->state[1]);
}

/* What a model with free dimensions gives may be of another size than the manifest says. */
static int check(const struct assay_tensor *out, const char *name, uint64_t numbers,
                 struct assay_err *err)
{
    if (out->bytes == numbers * sizeof(float))
        return ASSAY_OK;
    return assay_fail(err, ASSAY_EFAIL,
                      "the model's output '%s' has %zu numbers, the manifest says %llu", name,
                      out->bytes / sizeof(float), (unsigned long long)numbers);
}

/* A row of one sample. */
static struct assay_tensor row(float *data, int64_t n)
{
    return (struct assay_tensor){ASSAY_F32, 2, {1, n}, data, (size_t)n * sizeof(*data)};
}

static int encode(const struct model *m, const struct assay_driver *d, const float *features,
                  uint64_t rows, struct decode_work *w, uint64_t *steps, struct assay_err *err)
{
    struct assay_tensor out = {0}, in = {ASSAY_F32,
                                         3,
                                         {1, (int64_t)rows, LOGMEL_WIDTH},
                                         (float *)features,
                                         rows * LOGMEL_WIDTH * sizeof(*features)};
    int rc = d->infer(d->ctx, GRAPH_ENCODER, 1, &in, 1, &out, 1, err);

    if (rc)
        return rc;
    *steps = (uint64_t)out.dims[1];
    if (out.dims[0] != 1 || *steps > w->steps)
        return assay_fail(
            err, ASSAY_EFAIL, "the encoder gave %lld × %llu steps for one utterance of %llu rows",
            (long long)out.dims[0], (unsigned long long)*steps, (unsigned long long)rows);
    rc = check(&out, "encoded", *steps * (size_t)m->encoder, err);
    if (!rc && *steps)
        memcpy(w->encoded, out.data, out.bytes);
    return rc;
}

/* From state[0] and a label to state[1]. */
static int predict(const struct model *m, const struct assay_driver *d, int64_t label,
                   struct decode_work *w, struct assay_err *err)
{
    struct assay_tensor in[1 + MOST_STATES], out[MOST_STATES] = {{0}};
    size_t width = (size_t)m->prediction;
    uint32_t i;
    int rc;

    in[0] = (struct assay_tensor){ASSAY_I64, 1, {1}, &label, sizeof(label)};
    for (i = 0; i < m->states; i++)
        in[1 + i] = row(w->state[0] + i * width, m->prediction);
    rc = d->infer(d->ctx, GRAPH_PREDICTION, 1, in, 1 + m->states, out, m->states, err);
    for (i = 0; i < m->states && !rc; i++)
        if (!(rc = check(&out[i], m->names[m->states + i], width, err)))
            memcpy(w->state[1] + i * width, out[i].data, out[i].bytes);
    return rc;
}

/* The likeliest label after the last one, at a step; the first among equals. */
static int join(const struct model *m, const struct assay_driver *d, struct decode_work *w,
                uint64_t step, int *label, struct assay_err *err)
{
    /* What the joint network reads is the upper layer's hidden state. */
    float *predicted = w->state[1] + (m->states - 2) * (size_t)m->prediction;
    struct assay_tensor in[2] = {row(w->encoded + step * (size_t)m->encoder, m->encoder),
                                 row(predicted, m->prediction)},
                        out = {0};
    const float *logits;
    int i, rc = d->infer(d->ctx, GRAPH_JOINT, 1, in, 2, &out, 1, err);

    if (rc || (rc = check(&out, "logits", LABELS + 1, err)))
        return rc;
    logits = out.data;
    *label = 0;
    for (i = 0; i <= LABELS; i++) {
        if (isnan(logits[i]))
            return assay_fail(err, ASSAY_EFAIL, "the joint network's output has NaN");
        if (logits[i] > logits[*label])
            *label = i;
    }
    return ASSAY_OK;
}

/* Labels of one step, until blank. */
static int decode_step(const struct model *m, const struct assay_driver *d, struct decode_work *w,
                       uint64_t step, uint8_t *labels, uint64_t *n, struct assay_err *err)
{
    int label, symbols, rc;
    float *before;

    for (symbols = 0; symbols < MOST_SYMBOLS; symbols++) {
        if ((rc = join(m, d, w, step, &label, err)))
            return rc;
        if (label == BLANK)
            break;
        labels[(*n)++] = (uint8_t)label;
        before = w->state[0];
        w->state[0] = w->state[1];
        w->state[1] = before;
        if ((rc = predict(m, d, label, w, err)))
            return rc;
    }
    return ASSAY_OK;
}

int decode(const struct model *m, const struct assay_driver *driver, const float *features,
           uint64_t rows, struct decode_work *w, uint8_t *labels, uint64_t *n,
           struct assay_err *err)
{
    uint64_t steps, step;
    int rc = encode(m, driver, features, rows, w, &steps, err);

    *n = 0;
    if (rc)
        return rc;
    memset(w->state[0], 0, m->states * (size_t)m->prediction * sizeof(float));
    rc = predict(m, driver, m->start, w, err);
    for (step = 0; step < steps && !rc; step++)
        rc = decode_step(m, driver, w, step, labels, n, err);
    return rc;
}
