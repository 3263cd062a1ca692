/* Top-1 accuracy of a LoadGen accuracy log; see top1.h. */
#include "score/top1.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int64_t top1_argmax(const float *v, uint64_t n)
{
    uint64_t i, best = 0;

    for (i = 0; i < n; i++) {
        if (isnan(v[i]))
            return -1;
        if (v[i] > v[best])
            best = i;
    }
    return n ? (int64_t)best : -1;
}

/* The bits of the smallest float32 that is not denormal: no label as float32 has fewer, so four
 * bytes below are an int32.  -1 as int32 is a NaN. */
#define SMALLEST_NORMAL 0x00800000

static int prediction(const struct assay_log_entry *e, double *value, struct assay_err *err)
{
    int64_t whole;
    int32_t small;
    float real;

    if (e->bytes == sizeof(real)) {
        memcpy(&real, e->data, sizeof(real));
        memcpy(&small, e->data, sizeof(small));
        *value = small >= -1 && small < SMALLEST_NORMAL ? small : (double)real;
    } else if (e->bytes == sizeof(whole)) {
        memcpy(&whole, e->data, sizeof(whole));
        *value = (double)whole;
    } else {
        return assay_fail(err, ASSAY_EFAIL,
                          "accuracy log, sample %llu: has %llu bytes of data; wanted: one float32 "
                          "or int32 (4), or int64 (8)",
                          (unsigned long long)e->index, (unsigned long long)e->bytes);
    }
    if (!(fabs(*value) < 1e9) || *value != floor(*value))
        return assay_fail(err, ASSAY_EFAIL,
                          "accuracy log, sample %llu: its prediction %g is no label",
                          (unsigned long long)e->index, *value);
    return ASSAY_OK;
}

int top1_score(const int32_t *labels, uint64_t n, const struct assay_log_entry *entries,
               uint64_t count, struct assay_score *s, struct assay_err *err)
{
    uint8_t *seen = calloc(n ? n : 1, 1);
    uint64_t i, good = 0, total = 0;
    double value = 0;
    int rc = ASSAY_OK;

    if (!seen)
        return assay_fail(err, ASSAY_EFAIL, "top-1: not enough memory for %llu samples",
                          (unsigned long long)n);
    for (i = 0; i < count && !rc; i++) {
        const struct assay_log_entry *e = &entries[i];

        if (e->index >= n)
            rc = assay_fail(err, ASSAY_EFAIL,
                            "accuracy log: sample %llu is not in the data set, which has %llu",
                            (unsigned long long)e->index, (unsigned long long)n);
        else if (!seen[e->index] && !(rc = prediction(e, &value, err))) {
            seen[e->index] = 1;
            good += value == labels[e->index];
            total++;
        }
    }
    free(seen);
    if (!rc && !total)
        rc = assay_fail(err, ASSAY_EFAIL, "accuracy log: has no entries; run in accuracy mode");
    if (rc)
        return rc;
    snprintf(s->metric, sizeof(s->metric), "top1");
    snprintf(s->unit, sizeof(s->unit), "%%");
    s->value = 100.0 * (double)good / (double)total;
    s->good = good;
    s->total = total;
    s->reference = s->target = NAN;
    snprintf(s->line, sizeof(s->line), "accuracy=%.3f%%, good=%llu, total=%llu", s->value,
             (unsigned long long)good, (unsigned long long)total);
    return ASSAY_OK;
}
