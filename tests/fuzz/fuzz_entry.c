/* fuzz: links assay_flow assay_base */
/* Any text as an entry.json or files.json of the shelf: what is taken has counts that can be, and
 * paths that stay below the entry. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/tree.h"
#include "flow/entry.h"

#define KEY "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void check(const json_t *file)
{
    const char *path = tree_text(file, "path", "");

    if (!*path || file_leaves_folder(path))
        abort();
    if (!tree_text(file, "link", NULL) && tree_int(file, "bytes", -1) < 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct assay_err err = {0};
    json_t *tree = NULL, *files = NULL, *file;
    size_t i;

    if (entry_parse((const char *)data, size, "entry.json", KEY, &tree, &err) &&
        (!err.code || !err.text[0] || tree))
        abort();
    if (tree && (tree_int(tree, "files", -1) < 0 || tree_int(tree, "bytes", -1) < 0))
        abort();
    if (entry_parse_list((const char *)data, size, "files.json", &files, &err) &&
        (!err.text[0] || files))
        abort();
    json_array_foreach(files, i, file) check(file);
    json_decref(files);
    json_decref(tree);
    return 0;
}
