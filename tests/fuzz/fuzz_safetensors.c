/* fuzz: links assay_net assay_base */
/* Files of safetensors, whose length of the header is made to fit. */
#include <string.h>

#include "weights.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned char *copy;
    uint64_t header;

    read_weights(data, size);
    if (size < 10)
        return 0;
    copy = malloc(size);
    if (!copy)
        abort();
    memcpy(copy, data, size);
    header = state_number(data, 8) % (size - 8);
    for (int i = 0; i < 8; i++)
        copy[i] = (unsigned char)(header >> 8 * i);
    copy[8] = '{';
    read_weights(copy, size);
    free(copy);
    return 0;
}
