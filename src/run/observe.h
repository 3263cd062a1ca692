/* Calibration: runs a model's insides on samples and finds the ranges of its tensors. */
#ifndef RUN_OBSERVE_H
#define RUN_OBSERVE_H

#include "assay/benchmark.h"
#include "net/quantize.h"

struct observe {
    const char *engine;                      /* that runs the model: one that reads ONNX */
    const char *runtime;                     /* the folder of its library; NULL: the set-up's */
    const char *folder;                      /* for temporary files; made when it is not there */
    const struct assay_benchmark *benchmark; /* whose samples are used, prepared */
    void *self;
    const struct assay_benchmark_desc *desc;
    uint64_t samples; /* at least 1: spread evenly over the data set */
    bool whole;       /* ranges reach from the least to the greatest value seen */
    void (*progress)(void *ctx, uint64_t done, uint64_t total); /* NULL: not wanted */
    void *ctx;
};

/* Fills in the ranges of all tensors that are float32. */
int observe_ranges(const struct observe *o, struct quantizer *q, struct assay_err *err);

#endif
