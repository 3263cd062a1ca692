/* What the files of this benchmark share. */
#ifndef RETINANET_H
#define RETINANET_H

#include "assay/benchmark.h"
#include "data/image.h"
#include "score/map.h"

#define SYNTHETIC_COUNT 64 /* the official performance set */
#define OFFICIAL_COUNT  24781
#define OUTPUTS         10

enum kind {
    KIND_DETECTIONS, /* boxes, scores, labels: decoding and NMS are inside the model */
    KIND_HEADS,  /* scores of levels P3..P7, then boxes of P3..P7, as the convolutions give them */
    KIND_ANCHORS /* scores, boxes: a row for each anchor, all levels joined */
};

struct model {
    struct image_rule rule;
    char input[128], outputs[OUTPUTS][128]; /* tensor names; "": the one at that place */
    int kind;
    bool planes;   /* heads: NCHW */
    int32_t dtype; /* of labels */
    int32_t classes, most;
    double reference, target; /* percent; NaN: none */
};

/* From the manifest's JSON text; errors name the key. */
int model_parse(const char *manifest, struct model *m, struct assay_err *err);
/* How many outputs the model's kind has, and what one sample's look like. */
uint32_t model_outputs(const struct model *m, const struct detect *heads,
                       struct assay_tensor_spec specs[OUTPUTS]);

/* The data set's lists; of made-up images, made-up boxes as functions of the seed. */
struct truth {
    uint64_t n;         /* samples */
    char *folder;       /* of the photos; NULL: made-up images */
    char **files;       /* [n], below folder */
    char *boxes;        /* the file that lists all; NULL: made-up images */
    struct map_set set; /* points into what follows */
    uint32_t (*size)[2], *rank;
    bool *known;
    struct coco_truth *list;
};

/* dataset: the folder with annotations/openimages-mlperf.json, or NULL: synthetic. */
int truth_open(const struct assay_benchmark_config *config, int32_t classes, uint32_t size,
               struct truth *t, struct assay_err *err);
void truth_release(struct truth *t);

#endif
