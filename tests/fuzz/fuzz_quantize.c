/* fuzz: links assay_net assay_base */
/* The quantiser takes any bytes: what it opens it also rewrites, and what it writes is ONNX again.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "net/onnx.h"
#include "net/quantize.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct quantize_tensor *t;
    struct quantize_sum sum;
    struct quantizer *q = NULL;
    struct onnx_model m;
    struct assay_err err;
    struct text model;
    size_t n, i;

    if (quantize_open(data, size, "fuzz", &q, &err))
        return 0;
    t = quantize_tensors(q, &n);
    for (i = 0; i < n; i++) {
        t[i].known = (i + size) % 5 != 0;
        t[i].range = (struct spread_range){i % 2 ? -1.0f : 0.0f, (float)i};
    }
    text_init(&model, 1 << 24);
    (void)quantize_probe(q, 0, n, &model, &err);
    text_clear(&model);
    if (!quantize_model(q, &model, &sum, &err)) {
        if (onnx_read(model.s, model.len, "made", &m, &err) && !model.cut)
            abort();
        onnx_release(&m);
    }
    text_release(&model);
    quantize_close(q);
    return 0;
}
