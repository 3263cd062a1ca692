/* Two accuracies, and how sure their ratio is; see compare_accuracy.h. */
#include "report/compare_accuracy.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/tree.h"
#include "load/detail.h"

/* Of a side's runs: the mean; NaN where one has none. */
static double accuracy_of(const struct compare_side *s, const char *member)
{
    double sum = 0;

    for (size_t i = 0; i < s->count; i++)
        sum += tree_real(json_object_get(s->runs[i].record, "accuracy"), member, NAN);
    return s->count ? sum / (double)s->count : NAN;
}

/* Whether the accuracy is a share of samples: good of total.  F1 and AUC are something else,
 * although their records count something too. */
static bool is_counted(const struct compare_side *s)
{
    double value = accuracy_of(s, "value"), good = accuracy_of(s, "good"),
           total = accuracy_of(s, "total");

    return total > 0 && good >= 0 && total >= good && fabs(value - 100 * good / total) < 1e-6;
}

/* Relative variance of an accuracy that counts, each sample by itself (binomial).  NaN: it does
 * not count. */
static double counted_variance(const struct compare_side *s)
{
    double good = accuracy_of(s, "good"), total = accuracy_of(s, "total");

    return good > 0 && is_counted(s) ? (total - good) / (good * total) : NAN;
}

static bool same_samples(const struct compare_side *a, const struct compare_side *b)
{
    const json_t *x = json_object_get(json_object_get(a->of.record, "dataset"), "hash");
    const json_t *y = json_object_get(json_object_get(b->of.record, "dataset"), "hash");

    return json_is_string(x) && json_equal(x, y) &&
           accuracy_of(a, "total") == accuracy_of(b, "total");
}

static int by_index(const void *a, const void *b)
{
    const struct assay_log_entry *x = a, *y = b;

    return (x->index > y->index) - (x->index < y->index);
}

/* The run's responses by sample; false where they are not at hand as they were recorded. */
static bool read_responses(const struct compare_run *run, struct accuracy_log *log)
{
    static const char name[] = "mlperf_log_accuracy.json";
    const json_t *file = json_object_get(json_object_get(run->record, "files"), name);
    char *path = run->dir ? file_join(run->dir, name) : NULL, hex[HASH_HEX];
    bool good = path && !hash_file(path, hex, NULL) &&
                !strcmp(hex, tree_text(file, "sha256", "")) && !accuracy_log_read(path, log, NULL);

    free(path);
    if (good)
        qsort(log->entries, (size_t)log->n, sizeof(*log->entries), by_index);
    return good;
}

/* How many samples two runs answered differently; NaN: their logs do not tell. */
static double flips_of(const struct compare_run *a, const struct compare_run *b)
{
    struct accuracy_log x = {0}, y = {0};
    double flips = NAN;
    uint64_t i = 0;

    if (read_responses(a, &x) && read_responses(b, &y) && x.n == y.n && x.entries && y.entries)
        for (flips = 0; i < x.n && x.entries[i].index == y.entries[i].index; i++) {
            const struct assay_log_entry *p = &x.entries[i], *q = &y.entries[i];

            flips += p->bytes != q->bytes || memcmp(p->data, q->data, (size_t)p->bytes) != 0;
        }
    if (i < x.n)
        flips = NAN;
    accuracy_log_release(&x);
    accuracy_log_release(&y);
    return flips;
}

/* The most of those pairs of runs that were made side by side. */
static double most_flips(const struct compare_side *a, const struct compare_side *b)
{
    double most = 0, one;

    for (size_t i = 0; i < a->count || i < b->count; i++) {
        one = flips_of(&a->runs[i < a->count ? i : a->count - 1],
                       &b->runs[i < b->count ? i : b->count - 1]);
        most = isnan(one) || one > most ? one : most;
        if (isnan(one))
            break;
    }
    return most;
}

/* Of the ratio.  Two runs over the same samples differ by those that they answer differently; each
 * goes either way (McNemar), so the difference's variance is at most their number.  Without the
 * responses they may be as many as were answered wrongly by either.  Equal accuracies are the same.
 */
static double ratio_variance(const struct compare_side *a, const struct compare_side *b)
{
    double good = accuracy_of(a, "good"), other = accuracy_of(b, "good"), flips;

    if (!same_samples(a, b))
        return counted_variance(a) + counted_variance(b);
    if (accuracy_of(a, "value") == accuracy_of(b, "value"))
        return 0;
    if (isnan(counted_variance(a)) || isnan(counted_variance(b)))
        return NAN;
    flips = most_flips(a, b);
    if (isnan(flips))
        flips = 2 * accuracy_of(a, "total") - good - other;
    return fmax(flips, fabs(good - other)) / (good * other);
}

static struct spread around(double value, double variance, double z)
{
    double reach = z * sqrt(variance);

    return isnan(reach) ? (struct spread){value, 0, INFINITY}
                        : (struct spread){value, value * exp(-reach), value * exp(reach)};
}

/* None of n was right: how many may be, as a percentage. */
static double most_of_none(double n, double z)
{
    return 100 * -expm1(log(erfc(z * M_SQRT1_2)) / n);
}

void compare_accuracy(const struct compare_side *a, const struct compare_side *b,
                      struct spread_pair *p)
{
    double z = spread_quantile(1 - (1 - SPREAD_LEVEL) / 2, 0); /* beside figures of time */
    double x = accuracy_of(a, "value"), y = accuracy_of(b, "value");

    p->known = isfinite(x) && isfinite(y) && x > 0 && y >= 0;
    if (!p->known)
        return;
    p->a = around(x, counted_variance(a), z);
    p->b = around(y, counted_variance(b), z);
    p->ratio = around(y / x, ratio_variance(a, b), z);
    if (y == 0 && is_counted(b) && p->a.low > 0) {
        p->b.high = most_of_none(accuracy_of(b, "total"), z);
        p->ratio.high = p->b.high / p->a.low;
    }
    p->b_exact = true;
    p->ratio_exact = same_samples(a, b);
}
