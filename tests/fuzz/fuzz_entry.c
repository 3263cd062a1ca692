/* fuzz: links assay_flow assay_base */
/* Any text as an entry.json of the shelf: what is taken has paths that stay below the entry. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/tree.h"
#include "flow/entry.h"

#define KEY "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct assay_err err = {0};
    json_t *tree = NULL, *file;
    size_t i;

    if (entry_parse((const char *)data, size, "entry.json", KEY, &tree, &err)) {
        if (!err.code || !err.text[0] || tree)
            abort();
        return 0;
    }
    json_array_foreach(json_object_get(tree, "files"), i, file)
    {
        const char *path = tree_text(file, "path", "");

        if (!*path || file_leaves_folder(path))
            abort();
        if (!tree_text(file, "link", NULL) && tree_int(file, "bytes", -1) < 0)
            abort();
    }
    json_decref(tree);
    return 0;
}
