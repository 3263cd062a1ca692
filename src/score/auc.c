/* Sorts predictions, sums ranks; see auc.h. */
#include "score/auc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A prediction's place among all float32, then its target in the lowest bit. */
static uint64_t key_of(float prediction, bool positive)
{
    uint32_t bits;

    prediction += 0.0f; /* -0 is 0 */
    memcpy(&bits, &prediction, sizeof(bits));
    bits = bits & 0x80000000u ? ~bits : bits | 0x80000000u;
    return (uint64_t)bits << 1 | positive;
}

static int by_key(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static int read_pairs(const float *pairs, size_t n, uint64_t *keys, struct auc *out,
                      uint64_t *positives, struct assay_err *err)
{
    size_t i;

    for (i = 0; i < n; i++) {
        float prediction = pairs[2 * i], target = pairs[2 * i + 1];

        if (isnan(prediction))
            return assay_fail(err, ASSAY_EFAIL, "AUC: prediction %zu is NaN", i);
        if (target != 0 && target != 1)
            return assay_fail(err, ASSAY_EFAIL, "AUC: target %zu is %g; wanted: 0 or 1", i, target);
        keys[i] = key_of(prediction, target == 1);
        *positives += target == 1;
        out->good += rintf(prediction) == target;
    }
    out->total = n;
    if (!*positives || *positives == n)
        return assay_fail(err, ASSAY_EFAIL,
                          "AUC: all %zu targets are the same; the area is not defined", n);
    return ASSAY_OK;
}

/* Twice the sum of the positives' ranks, which count from 1; fits for 3 thousand million pairs. */
static uint64_t twice_ranks(const uint64_t *keys, size_t n)
{
    uint64_t sum = 0;
    size_t i, k;

    for (i = 0; i < n; i = k) {
        uint64_t positives = 0;

        for (k = i; k < n && keys[k] >> 1 == keys[i] >> 1; k++)
            positives += keys[k] & 1;
        sum += (uint64_t)positives * (i + 1 + k);
    }
    return sum;
}

int auc_compute(const float *pairs, size_t n, struct auc *out, struct assay_err *err)
{
    uint64_t *keys = malloc((n + 1) * sizeof(*keys)), positives = 0;
    struct auc result = {0};
    int rc;

    if (!keys)
        return assay_fail(err, ASSAY_EFAIL, "AUC: not enough memory for %zu predictions", n);
    rc = read_pairs(pairs, n, keys, &result, &positives, err);
    if (!rc) {
        qsort(keys, n, sizeof(*keys), by_key);
        result.auc = (double)(twice_ranks(keys, n) - (uint64_t)positives * (positives + 1)) /
                     (2.0 * (double)positives * (double)(n - positives));
        *out = result;
    }
    free(keys);
    return rc;
}
