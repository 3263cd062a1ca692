/* fuzz: links assay_data assay_base */
/* The YAML reader and the frame of a model's manifest. */
#include "data/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct assay_err err = {0};
    struct manifest m;

    if (!manifest_parse((const char *)data, size, "fuzz.yaml", &m, &err))
        manifest_release(&m);
    return 0;
}
