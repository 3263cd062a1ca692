/* Anchors, the choice of candidates, boxes, suppression; see detect.h. */
#include "score/detect.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif
#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#endif

#define THRESHOLD 0.05f
#define OVERLAP   0.5
#define TOP       1000 /* of a level */
/* A little below the logit of the threshold: what passes is looked at exactly. */
#define LOGIT (-2.9445f)
#define CLIP  4.135166556742356f /* ln(1000 / 16): the most that a box may grow by */

static const float ratios[] = {0.5f, 1.0f, 2.0f}; /* height / width */

void detect_init(struct detect *d, uint32_t size, uint32_t classes, uint32_t most)
{
    uint32_t cells = (size + 7) / 8;
    int level, r, k;

    *d = (struct detect){.size = size, .classes = classes, .most = most};
    for (level = 0; level < DETECT_LEVELS; level++, cells = (cells + 1) / 2) {
        d->cells[level] = cells;
        for (r = 0; r < 3; r++)
            for (k = 0; k < 3; k++) {
                float side = (float)(int)((32 << level) * pow(2.0, k / 3.0));
                float high = sqrtf(ratios[r]), h = high * side, w = 1.0f / high * side;
                float *a = d->anchors[level][r * 3 + k];

                a[0] = rintf(-w / 2);
                a[1] = rintf(-h / 2);
                a[2] = rintf(w / 2);
                a[3] = rintf(h / 2);
            }
    }
}

void detect_anchor(const struct detect *d, int level, uint32_t n, float box[4])
{
    uint32_t cells = d->cells[level], cell = n / DETECT_ANCHORS, stride = d->size / cells;
    uint32_t column = cell % cells, row = cell / cells;
    float x = (float)(column * stride), y = (float)(row * stride);
    const float *a = d->anchors[level][n % DETECT_ANCHORS];

    box[0] = a[0] + x;
    box[1] = a[1] + y;
    box[2] = a[2] + x;
    box[3] = a[3] + y;
}

/* ---- the best scores of a level ---- */

struct candidate {
    float logit;
    uint32_t at; /* anchor × classes + class */
};

/* A heap whose first entry is the one to give up next. */
struct heap {
    struct candidate list[TOP];
    uint32_t n;
};

static bool worse(const struct candidate *a, const struct candidate *b)
{
    return a->logit != b->logit ? a->logit < b->logit : a->at > b->at;
}

static void sink(struct heap *h, uint32_t i)
{
    struct candidate moved = h->list[i];
    uint32_t child;

    while ((child = 2 * i + 1) < h->n) {
        if (child + 1 < h->n && worse(&h->list[child + 1], &h->list[child]))
            child++;
        if (!worse(&h->list[child], &moved))
            break;
        h->list[i] = h->list[child];
        i = child;
    }
    h->list[i] = moved;
}

static void keep(struct heap *h, struct candidate c)
{
    uint32_t i;

    if (h->n == TOP) {
        if (worse(&c, &h->list[0]))
            return;
        h->list[0] = c;
        sink(h, 0);
        return;
    }
    for (i = h->n++; i && worse(&c, &h->list[(i - 1) / 2]); i = (i - 1) / 2)
        h->list[i] = h->list[(i - 1) / 2];
    h->list[i] = c;
}

static int best_first(const void *a, const void *b)
{
    return worse(a, b) ? 1 : -1;
}

/* Whether any of 16 scores is not below the limit; NaN is not. */
static inline bool any_of_16(const float *p, float limit)
{
#ifdef __SSE2__
    __m128 l = _mm_set1_ps(limit);
    __m128 a = _mm_or_ps(_mm_cmpnlt_ps(_mm_loadu_ps(p), l), _mm_cmpnlt_ps(_mm_loadu_ps(p + 4), l)),
           b = _mm_or_ps(_mm_cmpnlt_ps(_mm_loadu_ps(p + 8), l),
                         _mm_cmpnlt_ps(_mm_loadu_ps(p + 12), l));

    return _mm_movemask_ps(_mm_or_ps(a, b));
#else
    int i, any = 0;

    for (i = 0; i < 16; i++)
        any |= !(p[i] < limit);
    return any;
#endif
}

/* Element i of a level's scores as anchor × classes + class. */
static uint32_t place_of(const struct detect *d, int level, bool planes, uint32_t i)
{
    uint32_t area = d->cells[level] * d->cells[level], channel;

    if (!planes)
        return i;
    channel = i / area;
    return (i % area * DETECT_ANCHORS + channel / d->classes) * d->classes + channel % d->classes;
}

static int choose(const struct detect *d, int level, bool planes, const float *scores,
                  struct heap *h, struct assay_err *err)
{
    uint32_t n = d->cells[level] * d->cells[level] * DETECT_ANCHORS * d->classes, i, k;
    float limit = LOGIT;

    h->n = 0;
    for (i = 0; i < n; i = k) {
        k = i + 16 < n ? i + 16 : n;
        if (k == i + 16 && !any_of_16(scores + i, limit))
            continue;
        for (; i < k; i++) {
            if (isnan(scores[i]))
                return assay_fail(err, ASSAY_EFAIL, "the model's class scores have NaN");
            if (scores[i] >= limit)
                keep(h, (struct candidate){scores[i], place_of(d, level, planes, i)});
        }
        if (h->n == TOP && h->list[0].logit > limit)
            limit = h->list[0].logit;
    }
    qsort(h->list, h->n, sizeof(h->list[0]), best_first);
    return ASSAY_OK;
}

/* ---- boxes ---- */

static float cut(float v, float size)
{
    return v < 0 ? 0 : v > size ? size : v;
}

/* shift: x and y by the anchor's size, logarithms of width and height. */
static void decode(const float anchor[4], const float shift[4], float size, float box[4])
{
    float w = anchor[2] - anchor[0], h = anchor[3] - anchor[1];
    float x = shift[0] * w + (anchor[0] + 0.5f * w), y = shift[1] * h + (anchor[1] + 0.5f * h);
    float half_w = 0.5f * (expf(shift[2] > CLIP ? CLIP : shift[2]) * w),
          half_h = 0.5f * (expf(shift[3] > CLIP ? CLIP : shift[3]) * h);

    box[0] = cut(x - half_w, size);
    box[1] = cut(y - half_h, size);
    box[2] = cut(x + half_w, size);
    box[3] = cut(y + half_h, size);
}

static void read_shift(const struct detect *d, int level, bool planes, const float *boxes,
                       uint32_t anchor, float shift[4])
{
    uint32_t area = d->cells[level] * d->cells[level], k;

    for (k = 0; k < 4; k++)
        shift[k] =
            planes
                ? boxes[(size_t)(anchor % DETECT_ANCHORS * 4 + k) * area + anchor / DETECT_ANCHORS]
                : boxes[(size_t)anchor * 4 + k];
}

static int take(const struct detect *d, int level, bool planes, const float *boxes,
                const struct heap *h, struct detection *all, uint32_t *n, struct assay_err *err)
{
    float shift[4], anchor[4];
    uint32_t i, k;

    for (i = 0; i < h->n; i++) {
        struct detection *to = &all[*n];

        to->score = 1.0f / (1.0f + expf(-h->list[i].logit));
        if (!(to->score > THRESHOLD))
            break;
        to->label = (int32_t)(h->list[i].at % d->classes);
        read_shift(d, level, planes, boxes, h->list[i].at / d->classes, shift);
        detect_anchor(d, level, h->list[i].at / d->classes, anchor);
        for (k = 0; k < 4; k++)
            if (isnan(shift[k]))
                return assay_fail(err, ASSAY_EFAIL, "the model's boxes have NaN");
        decode(anchor, shift, (float)d->size, to->box);
        (*n)++;
    }
    return ASSAY_OK;
}

/* ---- suppression ---- */

static float area_of(const float *b)
{
    return (b[2] - b[0]) * (b[3] - b[1]);
}

static bool overlap(const float *a, const float *b)
{
    float w = fminf(a[2], b[2]) - fmaxf(a[0], b[0]), h = fminf(a[3], b[3]) - fmaxf(a[1], b[1]);
    float both = (w > 0 ? w : 0) * (h > 0 ? h : 0);

    return both / (area_of(a) + area_of(b) - both) > OVERLAP;
}

struct ranked {
    float score;
    uint32_t at;
};

static int by_score(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;

    return x->score != y->score ? (x->score < y->score ? 1 : -1) : x->at < y->at ? -1 : 1;
}

/* The kept ones of a class are those in out: what was suppressed suppresses nothing. */
static bool suppressed(const struct detection *one, const struct detection *out, uint32_t n)
{
    uint32_t i;

    for (i = 0; i < n; i++)
        if (out[i].label == one->label && overlap(out[i].box, one->box))
            return true;
    return false;
}

static uint32_t suppress(const struct detection *all, uint32_t n, struct ranked *order,
                         uint32_t most, struct detection *out)
{
    uint32_t i, kept = 0;

    for (i = 0; i < n; i++)
        order[i] = (struct ranked){all[i].score, i};
    qsort(order, n, sizeof(*order), by_score);
    for (i = 0; i < n && kept < most; i++)
        if (!suppressed(&all[order[i].at], out, kept))
            out[kept++] = all[order[i].at];
    return kept;
}

int detect_heads(const struct detect *d, const struct detect_level level[DETECT_LEVELS],
                 bool planes, struct detection *out, uint32_t *count, struct assay_err *err)
{
    struct work {
        struct heap heap;
        struct detection all[TOP * DETECT_LEVELS];
        struct ranked order[TOP * DETECT_LEVELS];
    } *w = malloc(sizeof(*w));
    uint32_t n = 0;
    int l, rc = ASSAY_OK;

    if (!w)
        return assay_fail(err, ASSAY_EFAIL, "not enough memory for post-processing");
    for (l = 0; l < DETECT_LEVELS && !rc; l++) {
        rc = choose(d, l, planes, level[l].scores, &w->heap, err);
        if (!rc)
            rc = take(d, l, planes, level[l].boxes, &w->heap, w->all, &n, err);
    }
    if (!rc)
        *count = suppress(w->all, n, w->order, d->most, out);
    free(w);
    return rc;
}
