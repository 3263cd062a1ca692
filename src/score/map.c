/* Detections -> payload -> boxes in pixels -> mAP; see map.h. */
#include "score/map.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define THRESHOLD 0.05f /* the official post-processing stops below */

enum { INDEX, Y1, X1, Y2, X2, SCORE, LABEL, ROW };

static int check(uint64_t index, const struct detection *d, uint32_t classes, struct assay_err *err)
{
    int i;

    for (i = 0; i < 4; i++)
        if (!isfinite(d->box[i]))
            return assay_fail(err, ASSAY_EFAIL, "sample %llu: a box of the model has %s",
                              (unsigned long long)index,
                              isnan(d->box[i]) ? "NaN" : "an infinite side");
    if (d->label < 0 || (uint32_t)d->label >= classes)
        return assay_fail(err, ASSAY_EFAIL,
                          "sample %llu: the model's label %d is outside 0..%u (output.classes %u)",
                          (unsigned long long)index, d->label, classes - 1, classes);
    return ASSAY_OK;
}

int map_respond(uint64_t index, const struct detection *d, uint32_t n, uint32_t classes, float size,
                void *response, size_t *bytes, struct assay_err *err)
{
    uint8_t *to = response;
    uint32_t i;
    int rc;

    for (i = 0; i < n; i++, d++, to += MAP_ROW_BYTES) {
        float row[ROW] = {
            [INDEX] = (float)index,   [Y1] = d->box[1] / size, [X1] = d->box[0] / size,
            [Y2] = d->box[3] / size,  [X2] = d->box[2] / size, [SCORE] = d->score,
            [LABEL] = (float)d->label};

        if (isnan(d->score))
            return assay_fail(err, ASSAY_EFAIL, "sample %llu: a score of the model is NaN",
                              (unsigned long long)index);
        if (d->score < THRESHOLD)
            break;
        if ((rc = check(index, d, classes, err)))
            return rc;
        memcpy(to, row, sizeof(row));
    }
    *bytes = (size_t)(to - (uint8_t *)response);
    return ASSAY_OK;
}

/* One row into boxes of pixels. */
static int read_row(const struct map_set *set, const struct assay_log_entry *e, const float *row,
                    struct coco_detection *to, struct assay_err *err)
{
    unsigned long long index = e->index;
    float width = (float)set->size[e->index][0], height = (float)set->size[e->index][1];
    float x1 = row[X1] * width, y1 = row[Y1] * height, x2 = row[X2] * width, y2 = row[Y2] * height;
    int i;

    for (i = 0; i < ROW; i++)
        if (!isfinite(row[i]))
            return assay_fail(err, ASSAY_EFAIL,
                              "accuracy log, sample %llu: a detection has NaN or infinity", index);
    if (row[INDEX] != (float)e->index)
        return assay_fail(err, ASSAY_EFAIL,
                          "accuracy log, sample %llu: a detection says that it is of sample %g",
                          index, row[INDEX]);
    if (!(row[LABEL] >= 0 && row[LABEL] < (float)set->categories) ||
        !set->known[(uint32_t)row[LABEL]])
        return assay_fail(err, ASSAY_EFAIL,
                          "accuracy log, sample %llu: the data set has no category %g", index,
                          row[LABEL]);
    *to = (struct coco_detection){.image = set->rank[e->index],
                                  .category = (uint32_t)row[LABEL],
                                  .box = {x1, y1, x2 - x1, y2 - y1},
                                  .score = row[SCORE]};
    return ASSAY_OK;
}

static int read_entry(const struct map_set *set, const struct assay_log_entry *e,
                      struct coco_detection *to, size_t *n, struct assay_err *err)
{
    size_t at;
    float row[ROW];
    int rc = ASSAY_OK;

    if (e->bytes >= MAP_ROW_BYTES && e->bytes % MAP_ROW_BYTES)
        return assay_fail(err, ASSAY_EFAIL,
                          "accuracy log, sample %llu: has %llu bytes of data; wanted: rows of 7 "
                          "float32 (%zu bytes)",
                          (unsigned long long)e->index, (unsigned long long)e->bytes,
                          MAP_ROW_BYTES);
    for (at = 0; at + MAP_ROW_BYTES <= e->bytes && !rc; at += MAP_ROW_BYTES) {
        memcpy(row, e->data + at, sizeof(row));
        rc = read_row(set, e, row, &to[(*n)++], err);
    }
    return rc;
}

/* What the evaluation works on. */
struct lists {
    struct coco_truth *truths;
    struct coco_detection *found;
    uint8_t *seen;
    size_t truth_count, found_count;
};

static int read_log(const struct map_set *set, const struct assay_log_entry *entries,
                    uint64_t count, struct lists *l, uint64_t *total, struct assay_err *err)
{
    uint64_t i;
    int rc = ASSAY_OK;

    for (i = 0; i < count && !rc; i++) {
        const struct assay_log_entry *e = &entries[i];

        if (e->index >= set->images)
            return assay_fail(err, ASSAY_EFAIL,
                              "accuracy log: sample %llu is not in the data set, which has %llu",
                              (unsigned long long)e->index, (unsigned long long)set->images);
        if (l->seen[e->index])
            continue;
        l->seen[e->index] = 1;
        (*total)++;
        rc = read_entry(set, e, l->found, &l->found_count, err);
    }
    if (!rc && !*total)
        rc = assay_fail(err, ASSAY_EFAIL, "accuracy log: has no entries; run in accuracy mode");
    return rc;
}

static int lists_init(struct lists *l, const struct map_set *set,
                      const struct assay_log_entry *entries, uint64_t count, struct assay_err *err)
{
    size_t rows = 0;
    uint64_t i;

    for (i = 0; i < count; i++)
        rows += entries[i].bytes / MAP_ROW_BYTES;
    l->truths = calloc(set->count + 1, sizeof(*l->truths));
    l->found = calloc(rows + 1, sizeof(*l->found));
    l->seen = calloc(set->images + 1, 1);
    if (!l->truths || !l->found || !l->seen)
        return assay_fail(err, ASSAY_EFAIL, "mAP: not enough memory for %zu detections", rows);
    return ASSAY_OK;
}

int map_score(const struct map_set *set, const struct assay_log_entry *entries, uint64_t count,
              struct assay_score *s, struct assay_err *err)
{
    struct lists l = {0};
    double stats[COCO_STATS];
    uint64_t total = 0;
    size_t i;
    int rc = lists_init(&l, set, entries, count, err);

    if (!rc)
        rc = read_log(set, entries, count, &l, &total, err);
    for (i = 0; i < set->count && !rc; i++)
        if (l.seen[set->truths[i].image]) {
            l.truths[l.truth_count] = set->truths[i];
            l.truths[l.truth_count++].image = set->rank[set->truths[i].image];
        }
    if (!rc)
        rc = coco_evaluate(l.truths, l.truth_count, l.found, l.found_count, set->categories, stats,
                           err);
    free(l.truths);
    free(l.found);
    free(l.seen);
    if (rc)
        return rc;
    snprintf(s->metric, sizeof(s->metric), "mAP");
    snprintf(s->unit, sizeof(s->unit), "%%");
    s->value = 100.0 * stats[COCO_AP];
    s->good = 0;
    s->total = total;
    s->reference = s->target = NAN;
    snprintf(s->line, sizeof(s->line), "mAP=%.3f%%", s->value);
    return ASSAY_OK;
}
