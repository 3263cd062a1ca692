/* fuzz: links assay_net assay_base */
/* Zip archives of any bytes: every member that is named lies inside, and can be summed. */
#include <stdlib.h>

#include "net/zip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct zip_member *members;
    struct assay_err err;
    size_t count;

    if (zip_read(data, size, "fuzz", &members, &count, &err))
        return 0;
    for (size_t i = 0; i < count; i++) {
        (void)zip_check(data, &members[i], "fuzz", &err);
        if (!zip_find(members, count, members[i].name, members[i].name_len))
            abort();
    }
    free(members);
    return 0;
}
