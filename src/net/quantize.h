/* int8 by QuantizeLinear and DequantizeLinear: an fp32 ONNX model becomes one whose Conv, Gemm,
 * MatMul, Add and pooling nodes can be computed with 8-bit integers.
 *
 *   quantize_open -> the list of tensors whose values must be seen -> quantize_probe: the same
 *   model with some of them as outputs, to be run on samples -> quantize_write with their ranges
 *
 * What is not touched passes through byte for byte: nodes of any kind, attributes, metadata,
 * sub-graphs. One thread. */
#ifndef NET_QUANTIZE_H
#define NET_QUANTIZE_H

#include "base/text.h"
#include "net/spread.h"

struct quantizer;

/* Whose values have to be seen. */
struct quantize_tensor {
    const char *name;
    bool input;                /* of the model: its values are the samples themselves */
    bool known;                /* set by the caller: range is filled in; others stay float32 */
    struct spread_range range; /* set by the caller */
};

/* data lives until quantize_close; name stands in messages.  Fails on what is no ONNX, is
 * quantised already, has its weights elsewhere, or nothing to quantise. */
int quantize_open(const void *data, size_t len, const char *name, struct quantizer **out,
                  struct assay_err *err);
void quantize_close(struct quantizer *q); /* NULL is fine */
struct quantize_tensor *quantize_tensors(struct quantizer *q, size_t *n);
/* The model whose outputs are the tensors first … first + n - 1 that are no inputs, in this
 * order, and none else. */
int quantize_probe(const struct quantizer *q, size_t first, size_t n, struct text *model,
                   struct assay_err *err);

struct quantize_sum {
    uint32_t nodes, quantized; /* Conv, Gemm, MatMul, Add and pools: all, and those in 8 bits */
    uint64_t bytes;            /* of the file */
};
/* The whole model, appended to an empty text. */
int quantize_model(struct quantizer *q, struct text *model, struct quantize_sum *sum,
                   struct assay_err *err);
/* The file appears whole; the same ranges give the same bytes.  sum may be NULL. */
int quantize_write(struct quantizer *q, const char *path, struct quantize_sum *sum,
                   struct assay_err *err);

#endif
