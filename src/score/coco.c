/* Category by category: match in every image, then one curve for each size range, threshold and
 * number of detections that the summary asks for; see coco.h. */
#include "score/coco.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { THRESHOLDS = 10, RECALLS = 101, RANGES = 4, MOST = 100 };

/* Square pixels: all, small, medium, large. */
static const double ranges[RANGES][2] = {{0, 1e10}, {0, 1024}, {1024, 9216}, {9216, 1e10}};

/* A detection after matching; one bit a threshold. */
struct mark {
    double score;
    uint32_t rank; /* among those of its image, 0 is the best */
    uint16_t matched[RANGES], ignored[RANGES];
};

/* Sums of what the summary averages. */
struct sum {
    double total;
    size_t n;
};

/* One category at a time. */
struct work {
    double threshold[THRESHOLDS], recall[RECALLS];
    struct mark *marks;   /* of the category, images in order */
    struct mark **sorted; /* best first */
    size_t n;
    double *iou, *precision, *reached;
    uint8_t *taken;
    const struct coco_truth **order;
    size_t positives[RANGES]; /* truths that are not ignored */
    struct sum stats[COCO_STATS];
};

/* numpy's linspace, whose last bits decide equality. */
static void line(double *out, int n, double from, double to)
{
    double step = (to - from) / (n - 1);
    int i;

    for (i = 0; i < n; i++)
        out[i] = i * step + from;
    out[n - 1] = to;
}

static double iou(const double *d, const double *g, bool crowd)
{
    double w = fmin(d[2] + d[0], g[2] + g[0]) - fmax(d[0], g[0]);
    double h = fmin(d[3] + d[1], g[3] + g[1]) - fmax(d[1], g[1]);
    double both = w * h, of = d[2] * d[3];

    if (w <= 0 || h <= 0)
        return 0;
    return both / (crowd ? of : of + g[2] * g[3] - both);
}

static bool outside(double area, int range)
{
    return area < ranges[range][0] || area > ranges[range][1];
}

/* Truths that count come first; the order among equals stays. */
static size_t order_truths(struct work *w, const struct coco_truth *g, size_t n, int range)
{
    size_t i, k = 0, counted;

    for (i = 0; i < n; i++)
        if (!g[i].crowd && !outside(g[i].area, range))
            w->order[k++] = &g[i];
    counted = k;
    for (i = 0; i < n; i++)
        if (g[i].crowd || outside(g[i].area, range))
            w->order[k++] = &g[i];
    return counted;
}

/* The truth that a detection takes, its place in the order; n: none.  ious: its IoU with each. */
static size_t best_truth(const struct work *w, const struct coco_truth *first, const double *ious,
                         size_t n, size_t counted, double threshold)
{
    double best = fmin(threshold, 1 - 1e-10);
    size_t i, found = n;

    for (i = 0; i < n; i++) {
        double v = ious[w->order[i] - first];

        if (w->taken[i] && !w->order[i]->crowd)
            continue;
        if (found < counted && i >= counted)
            break; /* a truth that counts is not given up for one that is ignored */
        if (v < best)
            continue;
        best = v;
        found = i;
    }
    return found;
}

/* One image, range and threshold. */
static void match(struct work *w, const struct coco_detection *d, size_t nd,
                  const struct coco_truth *g, size_t ng, size_t counted, int range, int t,
                  struct mark *marks)
{
    uint16_t bit = (uint16_t)(1u << t);
    size_t i, at;

    memset(w->taken, 0, ng);
    for (i = 0; i < nd; i++) {
        at = best_truth(w, g, w->iou + i * ng, ng, counted, w->threshold[t]);
        if (at < ng) {
            w->taken[at] = 1;
            if (!w->order[at]->zero)
                marks[i].matched[range] |= bit;
            if (at >= counted)
                marks[i].ignored[range] |= bit;
        }
        if (!(marks[i].matched[range] & bit) && outside(d[i].box[2] * d[i].box[3], range))
            marks[i].ignored[range] |= bit;
    }
}

/* Detections are sorted, best first, and at most MOST. */
static void match_image(struct work *w, const struct coco_detection *d, size_t nd,
                        const struct coco_truth *g, size_t ng)
{
    struct mark *marks = w->marks + w->n;
    size_t i, k, counted;
    int range, t;

    for (i = 0; i < nd; i++) {
        marks[i] = (struct mark){.score = d[i].score, .rank = (uint32_t)i};
        for (k = 0; k < ng; k++)
            w->iou[i * ng + k] = iou(d[i].box, g[k].box, g[k].crowd);
    }
    for (range = 0; range < RANGES; range++) {
        counted = order_truths(w, g, ng, range);
        w->positives[range] += counted;
        for (t = 0; t < THRESHOLDS; t++)
            match(w, d, nd, g, ng, counted, range, t, marks);
    }
    w->n += nd;
}

static void add(struct sum *s, double value)
{
    s->total += value;
    s->n++;
}

/* The curve of one threshold over n sorted detections: precision at each sampled recall is added to
 * the sum (and to `also`); returns the recall that is reached. */
static double curve(struct work *w, size_t n, int range, int t, struct sum *precisions,
                    struct sum *also)
{
    double right = 0, wrong = 0, positives = (double)w->positives[range], v;
    size_t i, k = 0;
    int r;

    for (i = 0; i < n; i++) {
        bool hit = w->sorted[i]->matched[range] >> t & 1,
             off = w->sorted[i]->ignored[range] >> t & 1;

        right += hit && !off;
        wrong += !hit && !off;
        w->reached[i] = right / positives;
        w->precision[i] = right / (wrong + right + DBL_EPSILON);
    }
    for (i = n; i-- > 1;)
        w->precision[i - 1] = fmax(w->precision[i - 1], w->precision[i]);
    for (r = 0; r < RECALLS; r++) {
        while (k < n && w->reached[k] < w->recall[r])
            k++;
        v = k < n ? w->precision[k] : 0;
        add(precisions, v);
        if (also)
            add(also, v);
    }
    return n ? w->reached[n - 1] : 0;
}

static int best_mark(const void *a, const void *b)
{
    const struct mark *x = *(struct mark *const *)a, *y = *(struct mark *const *)b;

    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return x < y ? -1 : x > y;
}

/* What the summary wants of one size range, with `most` detections an image. */
static void accumulate(struct work *w, int range, uint32_t most, int ap, int ar)
{
    struct sum nowhere = {0};
    size_t i, n = 0;
    int t;

    if (!w->positives[range])
        return;
    for (i = 0; i < w->n; i++)
        if (w->marks[i].rank < most)
            w->sorted[n++] = &w->marks[i];
    qsort(w->sorted, n, sizeof(*w->sorted), best_mark);
    for (t = 0; t < THRESHOLDS; t++) {
        struct sum *also = ap != COCO_AP ? NULL
                           : t == 0      ? &w->stats[COCO_AP50]
                           : t == 5      ? &w->stats[COCO_AP75]
                                         : NULL;

        add(&w->stats[ar], curve(w, n, range, t, ap < 0 ? &nowhere : &w->stats[ap], also));
    }
}

static void accumulate_all(struct work *w)
{
    accumulate(w, 0, 1, -1, COCO_AR1);
    accumulate(w, 0, 10, -1, COCO_AR10);
    accumulate(w, 0, MOST, COCO_AP, COCO_AR100);
    accumulate(w, 1, MOST, COCO_AP_SMALL, COCO_AR_SMALL);
    accumulate(w, 2, MOST, COCO_AP_MEDIUM, COCO_AR_MEDIUM);
    accumulate(w, 3, MOST, COCO_AP_LARGE, COCO_AR_LARGE);
}

/* ---- the lists in order: category, image, best first; equals as they were given ---- */

static int compare(uint32_t category_a, uint32_t image_a, uint32_t category_b, uint32_t image_b)
{
    if (category_a != category_b)
        return category_a < category_b ? -1 : 1;
    return image_a < image_b ? -1 : image_a > image_b;
}

static bool truth_after(const void *a, const void *b)
{
    const struct coco_truth *x = a, *y = b;

    return compare(x->category, x->image, y->category, y->image) > 0;
}

static bool detection_after(const void *a, const void *b)
{
    const struct coco_detection *x = a, *y = b;
    int by = compare(x->category, x->image, y->category, y->image);

    return by ? by > 0 : x->score < y->score;
}

/* A stable merge sort; `room` is as large as the list.  (qsort keeps no order among equals.) */
static void sort(char *list, size_t n, size_t size, bool (*after)(const void *, const void *),
                 char *room)
{
    size_t half = n / 2, i = 0, k = half, at = 0;

    if (n < 2)
        return;
    sort(list, half, size, after, room);
    sort(list + half * size, n - half, size, after, room);
    while (i < half || k < n) {
        bool right = i == half || (k < n && after(list + i * size, list + k * size));

        memcpy(room + at++ * size, list + (right ? k++ : i++) * size, size);
    }
    memcpy(list, room, n * size);
}

static int sort_lists(struct coco_truth *g, size_t ng, struct coco_detection *d, size_t nd,
                      struct assay_err *err)
{
    size_t bytes = ng * sizeof(*g) > nd * sizeof(*d) ? ng * sizeof(*g) : nd * sizeof(*d);
    char *room = malloc(bytes + 1);

    if (!room)
        return assay_fail(err, ASSAY_EFAIL, "mAP: not enough memory for %zu detections", nd);
    sort((char *)g, ng, sizeof(*g), truth_after, room);
    sort((char *)d, nd, sizeof(*d), detection_after, room);
    free(room);
    return ASSAY_OK;
}

/* The longest run of truths that share category and image. */
static size_t most_truths(const struct coco_truth *g, size_t n)
{
    size_t i, run = 0, most = 0;

    for (i = 0; i < n; i++) {
        run = i && !truth_after(&g[i], &g[i - 1]) ? run + 1 : 1;
        most = run > most ? run : most;
    }
    return most;
}

static int work_init(struct work *w, const struct coco_truth *g, size_t ng, size_t nd,
                     struct assay_err *err)
{
    size_t most = most_truths(g, ng);

    memset(w, 0, sizeof(*w));
    line(w->threshold, THRESHOLDS, 0.5, 0.95);
    line(w->recall, RECALLS, 0, 1);
    w->marks = calloc(nd + 1, sizeof(*w->marks));
    w->sorted = calloc(nd + 1, sizeof(*w->sorted));
    w->precision = calloc(nd + 1, sizeof(*w->precision));
    w->reached = calloc(nd + 1, sizeof(*w->reached));
    w->iou = calloc(MOST * most + 1, sizeof(*w->iou));
    w->taken = calloc(most + 1, 1);
    w->order = calloc(most + 1, sizeof(*w->order));
    if (!w->marks || !w->sorted || !w->precision || !w->reached || !w->iou || !w->taken ||
        !w->order)
        return assay_fail(err, ASSAY_EFAIL, "mAP: not enough memory for %zu detections", nd);
    return ASSAY_OK;
}

static void work_release(struct work *w)
{
    free(w->marks);
    free(w->sorted);
    free(w->precision);
    free(w->reached);
    free(w->iou);
    free(w->taken);
    free(w->order);
}

/* One category's images, from the heads of both lists. */
static void evaluate_category(struct work *w, uint32_t category, const struct coco_truth **g,
                              const struct coco_truth *g_end, const struct coco_detection **d,
                              const struct coco_detection *d_end)
{
    w->n = 0;
    memset(w->positives, 0, sizeof(w->positives));
    for (;;) {
        bool truth = *g < g_end && (*g)->category == category,
             found = *d < d_end && (*d)->category == category;
        uint32_t image = truth && (!found || (*g)->image < (*d)->image) ? (*g)->image
                         : found                                        ? (*d)->image
                                                                        : 0;
        size_t ng = 0, nd = 0;

        if (!truth && !found)
            break;
        while (*g + ng < g_end && (*g)[ng].category == category && (*g)[ng].image == image)
            ng++;
        while (*d + nd < d_end && (*d)[nd].category == category && (*d)[nd].image == image)
            nd++;
        match_image(w, *d, nd < MOST ? nd : MOST, *g, ng);
        *g += ng;
        *d += nd;
    }
    accumulate_all(w);
}

int coco_evaluate(struct coco_truth *truths, size_t truth_count, struct coco_detection *detections,
                  size_t detection_count, uint32_t categories, double stats[COCO_STATS],
                  struct assay_err *err)
{
    const struct coco_truth *g = truths;
    const struct coco_detection *d = detections;
    struct work w;
    uint32_t c;
    int i, rc;

    if ((rc = sort_lists(truths, truth_count, detections, detection_count, err)))
        return rc;
    rc = work_init(&w, truths, truth_count, detection_count, err);
    for (c = 0; !rc && c < categories; c++)
        evaluate_category(&w, c, &g, truths + truth_count, &d, detections + detection_count);
    for (i = 0; !rc && i < COCO_STATS; i++)
        stats[i] = w.stats[i].n ? w.stats[i].total / (double)w.stats[i].n : -1;
    work_release(&w);
    return rc;
}
