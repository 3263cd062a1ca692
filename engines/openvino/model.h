/* What a model takes and gives, read from it before it is compiled, and whether it is quantised. */
#ifndef OPENVINO_MODEL_H
#define OPENVINO_MODEL_H

#include "assay/engine.h"
#include "library.h"

#define MODEL_TENSORS 64

struct model {
    struct assay_graph_desc graph;
    struct assay_tensor_spec specs[2 * MODEL_TENSORS]; /* inputs, then outputs */
    char *names[2 * MODEL_TENSORS];                    /* what they point to */
    uint32_t max_batch;                                /* 0: any */
    bool only_batch_free; /* every dimension but the first of every input is a number */
};

/* name: the graph's, which lives as long as m.  A tensor of several names has the one that c wants.
 * Dimensions without a number become -1.  On failure m can be released all the same. */
int model_read(struct model *m, const struct library *lib, const ov_model_t *model,
               const char *name, const struct assay_engine_config *c, struct assay_err *err);
void model_release(struct model *m);

int model_dtype(ov_element_type_e type); /* ASSAY_NONE: not supported */
ov_element_type_e model_ov_type(int dtype);

/* The format that the file's first byte tells; NULL: it may be any, or is none. */
const char *model_format(const char *path);
/* Whether the file asks for 8-bit integers anywhere. */
bool model_has_int8(const char *path, const char *format);

#endif
