/* fuzz: links assay_data assay_base */
/* A detection data set's annotations: what is taken has places within its lists, finite boxes, and
 * names that stay in the folder. */
#include <math.h>
#include <stdlib.h>

#include "base/file.h"
#include "data/annotations.h"

static void check(const struct annotations *a, const struct annotation *one)
{
    int i;

    if (one->image >= a->images || one->category >= 264 || !a->known[one->category])
        abort();
    for (i = 0; i < 4; i++)
        if (!isfinite(one->box[i]))
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct assay_err err = {0};
    struct annotations a;
    size_t i;

    if (annotations_parse((const char *)data, size, "a.json", 264, &a, &err)) {
        if (!err.code || !err.text[0])
            abort();
        return 0;
    }
    for (i = 0; i < a.images; i++)
        if (file_leaves_folder(a.files[i]) || a.rank[i] >= a.images || !a.size[i][0])
            abort();
    for (i = 0; i < a.count; i++)
        check(&a, &a.list[i]);
    annotations_release(&a);
    return 0;
}
