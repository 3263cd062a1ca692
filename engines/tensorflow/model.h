/* What a graph takes and gives. */
#ifndef TENSORFLOW_MODEL_H
#define TENSORFLOW_MODEL_H

#include "assay/engine.h"
#include "library.h"
#include "signature.h"

#define MODEL_TENSORS SIGNATURE_TENSORS

struct model {
    struct assay_graph_desc graph;
    struct assay_tensor_spec inputs[MODEL_TENSORS], outputs[MODEL_TENSORS];
    char *names[2 * MODEL_TENSORS]; /* what both point to */
    uint32_t name_count;
    TF_Output feeds[MODEL_TENSORS], fetches[MODEL_TENSORS];
    uint32_t max_batch; /* 0: any */
    const char *precision;
};

/* Inputs are those that the benchmark names, or else the signature's, or without one (NULL) the
 * placeholders; outputs likewise, at last the nodes that nobody reads.  Dimensions without a number
 * become -1.  name: the graph's, which lives as long as m.  On failure m can be released all the
 * same. */
int model_read(struct model *m, const struct library *lib, TF_Graph *graph, const char *name,
               const struct signature *signature, const struct assay_engine_config *c,
               struct assay_err *err);
void model_release(struct model *m);

int model_dtype(TF_DataType type); /* ASSAY_NONE: not supported */
TF_DataType model_tf_type(int dtype);

#endif
