/* COCO's evaluation of boxes: average precision and recall, as pycocotools computes them.
 *
 * IoU thresholds are t = 0.5, 0.55 … 0.95, recall is sampled at 0, 0.01 … 1.  In each image and
 * category the detections, best first, each take the free truth of highest IoU >= t; what lies on
 * a crowd, or whose size is outside the asked range, counts neither for nor against.  Over all
 * images a category's precision is TP / (TP + FP), made monotone; AP is its mean over recalls,
 * thresholds and the categories that have truth.  Ties keep the order given: so does the
 * reference's merge sort. */
#ifndef SCORE_COCO_H
#define SCORE_COCO_H

#include "assay/types.h"

/* Boxes are x, y, width, height in pixels; area is the truth's own (of its outline). */
struct coco_truth {
    uint32_t image, category; /* places in the caller's lists */
    double box[4], area;
    bool crowd;
    /* The reference takes an annotation whose id is 0 for "no match": what it matches is a false
     * positive there, and so here. */
    bool zero;
};

struct coco_detection {
    uint32_t image, category;
    double box[4], score;
};

/* In the order of the reference's summary; -1 where no category has truth. */
enum coco_stat {
    COCO_AP,
    COCO_AP50,
    COCO_AP75,
    COCO_AP_SMALL,
    COCO_AP_MEDIUM,
    COCO_AP_LARGE,
    COCO_AR1,
    COCO_AR10,
    COCO_AR100,
    COCO_AR_SMALL,
    COCO_AR_MEDIUM,
    COCO_AR_LARGE,
    COCO_STATS
};

/* Images are taken in the order of their numbers (the reference: by ascending id), detections of
 * one image in the order given.  Both lists are reordered.  All values must be finite and every
 * category below `categories`; fails only for want of memory.  Any thread. */
int coco_evaluate(struct coco_truth *truths, size_t truth_count, struct coco_detection *detections,
                  size_t detection_count, uint32_t categories, double stats[COCO_STATS],
                  struct assay_err *err);

#endif
