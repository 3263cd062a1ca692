/* Levenshtein's distance of words, row by row; see wer.h. */
#include "score/wer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "score/python.h"

#define SPACES " \t\n\v\f\r"

struct word {
    const char *s;
    size_t len;
};

struct words {
    struct word *list;
    size_t n;
};

static int split(const char *text, struct words *w, struct assay_err *err)
{
    w->n = 0;
    w->list = malloc((strlen(text) / 2 + 1) * sizeof(*w->list));
    if (!w->list)
        return assay_fail(err, ASSAY_EFAIL, "word error rate: not enough memory");
    for (text += strspn(text, SPACES); *text; text += strspn(text, SPACES)) {
        w->list[w->n++] = (struct word){text, strcspn(text, SPACES)};
        text += strcspn(text, SPACES);
    }
    return ASSAY_OK;
}

static bool same(const struct word *a, const struct word *b)
{
    return a->len == b->len && !memcmp(a->s, b->s, a->len);
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* row[k]: the distance of the first i words of a from the first k of b. */
static uint64_t distance(const struct words *a, const struct words *b, uint64_t *row)
{
    size_t i, k;

    for (k = 0; k <= b->n; k++)
        row[k] = k;
    for (i = 0; i < a->n; i++) {
        uint64_t corner = row[0], next; /* of the row before, one to the left */

        row[0] = i + 1;
        for (k = 0; k < b->n; k++, corner = next) {
            next = row[k + 1];
            row[k + 1] = least(corner + !same(&a->list[i], &b->list[k]), least(row[k], next) + 1);
        }
    }
    return row[b->n];
}

int wer_add(struct wer *sum, const char *truth, const char *transcript, struct assay_err *err)
{
    struct words a = {0}, b = {0};
    uint64_t *row = NULL;
    int rc;

    if ((rc = split(truth, &a, err)) || (rc = split(transcript, &b, err)))
        goto out;
    row = malloc((b.n + 1) * sizeof(*row));
    if (!row) {
        rc = assay_fail(err, ASSAY_EFAIL, "word error rate: not enough memory");
        goto out;
    }
    sum->errors += distance(&a, &b, row);
    sum->words += a.n;
out:
    free(a.list);
    free(b.list);
    free(row);
    return rc;
}

double wer_rate(const struct wer *sum)
{
    return sum->words ? (double)sum->errors / (double)sum->words : INFINITY;
}

void wer_score(const struct wer *sum, uint64_t total, struct assay_score *score)
{
    double rate = wer_rate(sum);
    char first[40], second[40];

    python_double(rate * 100, first);
    python_double((1 - rate) * 100, second);
    snprintf(score->metric, sizeof(score->metric), "100-wer");
    snprintf(score->unit, sizeof(score->unit), "%%");
    score->value = (1 - rate) * 100;
    score->good = 0;
    score->total = total;
    score->reference = score->target = NAN;
    snprintf(score->line, sizeof(score->line), "Word Error Rate: %s%%, accuracy=%s%%", first,
             second);
}
