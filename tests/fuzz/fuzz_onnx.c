/* fuzz: links assay_net assay_base */
/* The ONNX reader takes any bytes: no crash, no leak, no read beyond the end. */
#include <stddef.h>
#include <stdint.h>

#include "net/onnx.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct onnx_model m;
    struct assay_err err;

    (void)onnx_read(data, size, "fuzz", &m, &err);
    onnx_release(&m);
    return 0;
}
