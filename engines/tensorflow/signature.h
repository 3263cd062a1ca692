/* What a SavedModel says of itself: which tensors of its graph are inputs and outputs. */
#ifndef TENSORFLOW_SIGNATURE_H
#define TENSORFLOW_SIGNATURE_H

#include "assay/types.h"

#define SIGNATURE_TENSORS 64

struct signature_tensor {
    char key[128];    /* what the signature calls it */
    char tensor[256]; /* "op:0" */
};

/* Each sorted by key: in the file they have no order. */
struct signature {
    char name[128];
    uint32_t input_count, output_count;
    struct signature_tensor inputs[SIGNATURE_TENSORS], outputs[SIGNATURE_TENSORS];
};

/* Of a MetaGraphDef: "serving_default", or else the only one that has outputs. */
int signature_read(const void *meta, size_t len, struct signature *out, struct assay_err *err);

#endif
