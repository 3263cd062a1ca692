/* What an ONNX model takes and gives, read from an open session. */
#ifndef ONNXRUNTIME_MODEL_H
#define ONNXRUNTIME_MODEL_H

#include "assay/engine.h"
#include "library.h"

#define MODEL_TENSORS 64

struct model {
    struct assay_graph_desc graph;
    struct assay_tensor_spec specs[2 * MODEL_TENSORS]; /* inputs, then outputs */
    const char *input_names[MODEL_TENSORS], *output_names[MODEL_TENSORS];
    char *names[2 * MODEL_TENSORS]; /* what both point to */
    uint32_t max_batch;             /* 0: any */
    const char *precision;
    bool convolves; /* it has convolutions */
};

/* name: the graph's, which lives as long as m.  Dimensions with a symbol instead of a number become
 * -1.  cuda, fused: how it is executed, which decides what precision that is.  On failure m can be
 * released all the same. */
int model_read(struct model *m, const struct library *lib, OrtSession *session, const char *name,
               const char *path, bool cuda, bool fused, struct assay_err *err);
void model_release(struct model *m);

int model_dtype(ONNXTensorElementDataType type); /* ASSAY_NONE: not supported */
ONNXTensorElementDataType model_ort_type(int dtype);

#endif
