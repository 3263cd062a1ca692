/* What an engine answers to a file of samples; see answers.h.
 *
 * The child's answer is one JSON object:
 *   {"precision", "classes", "scores": [numbers, sample by sample], "top": [integers]}
 * or {"code", "error"}. */
#include "engine/answers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/ask.h"
#include "base/file.h"
#include "base/tree.h"
#include "engine/trial.h"

#define LIMIT_S     300
#define MAX_BYTES   (64u << 20)
#define MAX_SAMPLES (512u << 20)
#define BATCH       8

/* ---- in the child ---- */

static size_t row_bytes(const struct assay_tensor_spec *spec)
{
    size_t bytes = assay_dtype_size(spec->dtype);

    for (uint32_t d = 1; d < spec->rank; d++)
        bytes *= spec->dims[d] > 0 ? (size_t)spec->dims[d] : 0;
    return bytes;
}

/* The scores are the output of floating point numbers, the classes that of whole ones; -1: none. */
static void find_outputs(const struct assay_graph_desc *g, int *scores, int *top)
{
    *scores = *top = -1;
    for (uint32_t o = 0; o < g->output_count; o++) {
        if (g->outputs[o].dtype == ASSAY_F32)
            *scores = (int)o;
        else if (g->outputs[o].dtype == ASSAY_I64)
            *top = (int)o;
    }
}

/* NaN and infinities, which JSON does not have, are null. */
static json_t *number(double v)
{
    return isfinite(v) ? json_real(v) : json_null();
}

static int64_t argmax(const float *v, size_t n)
{
    size_t best = 0;

    for (size_t i = 1; i < n; i++)
        if (v[i] > v[best])
            best = i;
    return (int64_t)best;
}

static void keep_batch(const struct load *l, int scores, int top, json_t *doc)
{
    json_t *all = json_object_get(doc, "scores"), *tops = json_object_get(doc, "top");
    size_t classes = l->outputs[scores].bytes / sizeof(float) / l->batch.samples;
    const float *row = l->answer[scores];

    json_object_set_new(doc, "classes", json_integer((json_int_t)classes));
    for (uint32_t s = 0; s < l->batch.samples; s++, row += classes) {
        for (size_t i = 0; i < classes; i++)
            json_array_append_new(all, number((double)row[i]));
        json_array_append_new(
            tops, json_integer(top < 0 ? argmax(row, classes) : ((int64_t *)l->answer[top])[s]));
    }
}

static int run_batch(struct trial *t, const char *rows, uint32_t n, json_t *doc,
                     struct assay_err *err)
{
    uint32_t samples[BATCH] = {0};
    int scores, top, rc;
    struct load l;

    find_outputs(t->graph, &scores, &top);
    if (scores < 0)
        return assay_fail(err, ASSAY_EFAIL, "the model has no output of float32");
    rc = load_init(&l, t, 0, samples, n, err);
    if (rc)
        return rc;
    memcpy(l.inputs[0].data, rows, l.inputs[0].bytes);
    rc = load_run(&l, err);
    if (!rc)
        keep_batch(&l, scores, top, doc);
    load_release(&l);
    return rc;
}

static int run_samples(struct trial *t, const char *file, json_t *doc, struct assay_err *err)
{
    size_t row = t->graph->input_count == 1 ? row_bytes(t->graph->inputs) : 0, len = 0, n, at;
    char *data = NULL;
    int rc = file_read(file, MAX_SAMPLES, &data, &len, err);

    if (!rc && (!row || !len || len % row || t->graph->inputs[0].dtype != ASSAY_F32))
        rc = assay_fail(err, ASSAY_EFAIL, "%s: is not a whole number of the model's samples", file);
    for (at = 0; row && at < len && !rc; at += n * row) {
        n = (len - at) / row < t->max_batch ? (len - at) / row : t->max_batch;
        rc = run_batch(t, data + at, (uint32_t)n, doc, err);
    }
    free(data);
    return rc;
}

int engine_answer_here(char **args, int fd, struct assay_err *err)
{
    struct trial_ask ask = {.model = args[1],
                            .format = args[2],
                            .device = args[3],
                            .options = *args[4] ? args[4] : NULL,
                            .precision = args[5],
                            .lanes = 1,
                            .max_batch = BATCH};
    json_t *doc = json_pack("{s:[], s:[]}", "scores", "top");
    int own = ask_keep_descriptor(fd), rc;
    struct assay_err words = {0}, breach;
    char path[1024];
    struct trial t;

    engine_runtime_use(args[7]);
    rc = engine_load(args[0], &ask.table, path, &words);
    if (!rc)
        rc = trial_open(&t, &ask, &words);
    if (!rc) {
        json_object_set_new(doc, "precision", json_string(engine_desc(t.engine)->precision));
        rc = run_samples(&t, args[6], doc, &words);
        if (trial_close(&t, &breach) && !rc)
            rc = assay_fail(&words, breach.code, "%s", breach.text);
    }
    if (rc) {
        json_decref(doc);
        doc = json_pack("{s:i, s:s}", "code", rc, "error", words.text);
    }
    rc = !doc || json_dumpfd(doc, own, JSON_COMPACT);
    json_decref(doc);
    close(own);
    return rc ? assay_fail(err, ASSAY_EFAIL, "the answer cannot be written") : ASSAY_OK;
}

/* ---- the parent ---- */

static int parse_numbers(const json_t *doc, struct answers *a, struct assay_err *err)
{
    const json_t *scores = json_object_get(doc, "scores"), *top = json_object_get(doc, "top"), *v;
    size_t i;

    a->samples = json_array_size(top);
    a->classes = (size_t)tree_int(doc, "classes", 0);
    if (!a->samples || !a->classes || json_array_size(scores) / a->classes != a->samples)
        return assay_fail(err, ASSAY_EFAIL, "its answers have another number than its samples");
    a->scores = malloc(a->samples * a->classes * sizeof(*a->scores));
    a->top = malloc(a->samples * sizeof(*a->top));
    if (!a->scores || !a->top)
        return assay_fail(err, ASSAY_EFAIL, "not enough memory");
    for (i = 0; i < a->samples * a->classes; i++) {
        v = json_array_get(scores, i);
        a->scores[i] = json_is_number(v) ? json_number_value(v) : NAN;
    }
    for (i = 0; i < a->samples; i++)
        a->top[i] = json_integer_value(json_array_get(top, i));
    return ASSAY_OK;
}

static int parse_answer(const struct text *answer, struct answers *a, struct assay_err *err)
{
    json_t *doc = json_loadb(answer->s, answer->len, 0, NULL);
    int rc = ASSAY_OK;

    if (!json_is_object(doc))
        rc = assay_fail(err, ASSAY_EFAIL, "it ended without an answer");
    else if (json_object_get(doc, "error"))
        rc = assay_fail(err, (int)tree_int(doc, "code", ASSAY_EFAIL), "%s",
                        tree_text(doc, "error", ""));
    else
        rc = parse_numbers(doc, a, err);
    snprintf(a->precision, sizeof(a->precision), "%s", tree_text(doc, "precision", "unknown"));
    json_decref(doc);
    return rc;
}

int answers_get(const struct answers_ask *ask, struct answers *a, struct assay_err *err)
{
    const char *const argv[] = {"assay-child",
                                "answer",
                                ask->engine,
                                ask->model,
                                ask->format,
                                ask->device ? ask->device : "cpu",
                                ask->options ? ask->options : "",
                                ask->precision,
                                ask->samples,
                                ask->runtime ? ask->runtime : "",
                                NULL};
    struct text answer;
    int rc;

    memset(a, 0, sizeof(*a));
    text_init(&answer, MAX_BYTES);
    rc = ask_child(argv, LIMIT_S, "it", &answer, err);
    if (!rc)
        rc = parse_answer(&answer, a, err);
    text_release(&answer);
    return rc;
}

void answers_release(struct answers *a)
{
    free(a->scores);
    free(a->top);
    memset(a, 0, sizeof(*a));
}

/* ---- comparing ---- */

static double range_of(const struct answers *a)
{
    double low = a->scores[0], high = low;

    for (size_t i = 0; i < a->samples * a->classes; i++) {
        low = fmin(low, a->scores[i]);
        high = fmax(high, a->scores[i]);
    }
    return high - low;
}

/* The best score less the next. */
static double lead(const double *row, size_t n)
{
    double best = -INFINITY, next = -INFINITY;

    for (size_t i = 0; i < n; i++) {
        next = fmax(next, fmin(best, row[i]));
        best = fmax(best, row[i]);
    }
    return best - next;
}

static size_t count_classes(const struct answers *a)
{
    size_t found = 0, s, before;

    for (s = 0; s < a->samples; s++) {
        for (before = 0; before < s && a->top[before] != a->top[s]; before++)
            ;
        found += before == s;
    }
    return found;
}

int answers_compare(const struct answers *a, const struct answers *b, double bound, double margin,
                    struct answers_gap *gap, struct assay_err *err)
{
    double range, apart;

    memset(gap, 0, sizeof(*gap));
    if (a->samples != b->samples || a->classes != b->classes)
        return assay_fail(err, ASSAY_EFAIL, "%zu x %zu scores where the other has %zu x %zu",
                          a->samples, a->classes, b->samples, b->classes);
    for (size_t i = 0; i < a->samples * a->classes; i++)
        if (!isfinite(a->scores[i]) || !isfinite(b->scores[i]))
            return assay_fail(err, ASSAY_EFAIL, "sample %zu: a score is not finite",
                              i / a->classes);
    gap->classes = count_classes(b);
    range = range_of(b);
    if (!(range > 0))
        return assay_fail(err, ASSAY_EFAIL, "all scores of the other are the same");
    for (size_t i = 0; i < a->samples * a->classes; i++) {
        apart = fabs(a->scores[i] - b->scores[i]) / range;
        gap->largest = fmax(gap->largest, apart);
    }
    if (gap->largest > bound)
        return assay_fail(err, ASSAY_EFAIL, "largest difference %.2g of the range, above %g",
                          gap->largest, bound);
    for (size_t s = 0; s < a->samples; s++) {
        if (lead(b->scores + s * b->classes, b->classes) <= margin * range)
            continue;
        gap->leading++;
        if (a->top[s] != b->top[s])
            return assay_fail(err, ASSAY_EFAIL, "sample %zu: class %lld where the other has %lld",
                              s, (long long)a->top[s], (long long)b->top[s]);
    }
    return ASSAY_OK;
}
