/* RetinaNet's post-processing: from the outputs of its heads to detections.
 *
 * Five levels of cells, nine anchors in each.  A cell's anchors are boxes round its corner (no half
 * cell is added) at multiples of size / cells, rounded down: 8, 16, 32, 61 and 114 pixels for 800.
 * On each level: sigmoid of the class scores, those above 0.05, the best 1000 of them; then boxes
 * (shifts and logarithms of sizes against the anchor) cut off at the borders; over all levels, best
 * first, a box goes whose overlap (IoU) with a better one of its class is above 0.5.  As
 * torchvision does it, in float32; equal scores keep the order of level, anchor and class. */
#ifndef SCORE_DETECT_H
#define SCORE_DETECT_H

#include "assay/types.h"

#define DETECT_LEVELS  5
#define DETECT_ANCHORS 9

struct detection {
    float box[4]; /* x1, y1, x2, y2 in pixels of the model's square */
    float score;
    int32_t label;
};

struct detect {
    uint32_t size;                 /* of the square, in pixels */
    uint32_t classes;              /* labels are 0..classes-1 */
    uint32_t most;                 /* detections that are kept */
    uint32_t cells[DETECT_LEVELS]; /* in a row, and in a column */
    float anchors[DETECT_LEVELS][DETECT_ANCHORS][4];
};

/* One image's head outputs on one level, float32.  planes: [anchors × classes][rows][columns], what
 * a convolution gives in NCHW; else [rows][columns][anchors × classes]. */
struct detect_level {
    const float *scores, *boxes;
};

void detect_init(struct detect *d, uint32_t size, uint32_t classes, uint32_t most);
/* out: room for d->most; *count of them are filled, best first.  A score or a chosen box that is
 * NaN is an error.  Any thread. */
int detect_heads(const struct detect *d, const struct detect_level level[DETECT_LEVELS],
                 bool planes, struct detection *out, uint32_t *count, struct assay_err *err);

/* Anchor number n (cells row by row, nine each) of a level: x1, y1, x2, y2. */
void detect_anchor(const struct detect *d, int level, uint32_t n, float box[4]);

#endif
