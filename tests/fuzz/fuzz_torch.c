/* fuzz: links assay_net assay_base */
/* Files of torch.save: whatever the input is, behind the magic number of the older format, so that
 * no checksum stands in the way; and as it is. */
#include <string.h>

#include "weights.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const unsigned char magic[] = {0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46,
                                          0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e};
    unsigned char *copy;

    read_weights(data, size);
    if (size < sizeof(magic))
        return 0;
    copy = malloc(size);
    if (!copy)
        abort();
    memcpy(copy, data, size);
    memcpy(copy, magic, sizeof(magic));
    read_weights(copy, size);
    free(copy);
    return 0;
}
