/* What the files of this benchmark share. */
#ifndef RESNET50_H
#define RESNET50_H

#include "assay/benchmark.h"
#include "data/image.h"

struct model {
    struct image_rule rule;
    char input[128], output[128]; /* tensor names; "": the model's first */
    bool argmax;                  /* else logits */
    int32_t dtype;                /* of the output */
    int32_t classes, offset;
    double reference, target; /* percent; NaN: none */
};

/* From the manifest's JSON text; errors name the key. */
int model_parse(const char *manifest, struct model *m, struct assay_err *err);

#endif
