/* fuzz: links assay_data assay_base */
/* NumPy's archives: the array that is given lies within the file or in memory of its own. */
#include <stdlib.h>
#include <string.h>

#include "data/npz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct npz z = {.map = {data, size, "x.npz"}};
    struct assay_err err = {0};
    struct assay_tensor t;
    void *owned = NULL;
    size_t bytes, i;

    if (npz_index(&z, &err) || npz_member(&z, "unique.npy", &t, &owned, &err)) {
        if (!err.code || !err.text[0] || owned)
            abort();
        return 0;
    }
    bytes = assay_dtype_size(t.dtype);
    for (i = 0; i < t.rank; i++)
        bytes *= (size_t)t.dims[i];
    if (bytes != t.bytes ||
        (!owned && ((uint8_t *)t.data < data || (uint8_t *)t.data + bytes > data + size)))
        abort();
    for (i = 0, bytes = 0; i < t.bytes; i++) /* for the sanitizers */
        bytes += ((volatile uint8_t *)t.data)[i];
    free(owned);
    return 0;
}
