/* fuzz: links assay_data assay_base */
/* The list of images: what is taken has names that are unique and stay in the folder, and labels
 * within the classes. */
#include <stdlib.h>
#include <string.h>

#include "data/labels.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct assay_err err = {0};
    struct labels l;
    size_t i;

    if (labels_parse((const char *)data, size, "val_map.txt", 1000, 0, &l, &err)) {
        if (!err.code || !err.text[0])
            abort();
        return 0;
    }
    for (i = 0; i < l.n; i++)
        if (!l.names[i][0] || l.names[i][0] == '/' || !strncmp(l.names[i], "../", 3) ||
            l.values[i] < 0 || l.values[i] >= 1000)
            abort();
    if (!l.n)
        abort();
    labels_release(&l);
    return 0;
}
