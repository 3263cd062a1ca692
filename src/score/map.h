/* Detections in LoadGen's accuracy log, and their mAP as the official script prints it.
 *
 * A payload is a row of seven float32 for each detection, best first: index of the sample; y1, x1,
 * y2, x2 as parts of the image's height and width; score; label. */
#ifndef SCORE_MAP_H
#define SCORE_MAP_H

#include "assay/benchmark.h"
#include "score/coco.h"
#include "score/detect.h"

#define MAP_ROW_BYTES (7 * sizeof(float))

/* Rows of n detections of a square of `size` pixels, up to the first whose score is below 0.05;
 * response: room for n rows.  A box, score or label that no correct model gives (NaN, a label
 * outside 0..classes-1) is an error. */
int map_respond(uint64_t index, const struct detection *detections, uint32_t n, uint32_t classes,
                float size, void *response, size_t *bytes, struct assay_err *err);

/* The truth. */
struct map_set {
    uint64_t images;
    const uint32_t (*size)[2]; /* [images]: width, height */
    const uint32_t *rank;      /* [images]: place by ascending id; the evaluation's order */
    uint32_t categories;
    const bool *known;               /* [categories]: listed by the data set */
    const struct coco_truth *truths; /* image: number of the sample */
    size_t count;
};

/* As the official script: an image counts once, by its first entry, and only images that are in the
 * log count; less than a row is an image without detection.  A box's pixels are float32.  What that
 * script would only print about or drop (another sample's number, an unknown category) is an
 * error. Fills metric, value, unit, total and line; reference and target become NaN. */
int map_score(const struct map_set *set, const struct assay_log_entry *entries, uint64_t count,
              struct assay_score *score, struct assay_err *err);

#endif
