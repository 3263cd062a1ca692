/* fuzz: links assay_flow assay_base */
/* Any text as a list of names, as lines and as JSON: what is taken are names of files in a folder,
 * sorted, each once. */
#include <stdlib.h>
#include <string.h>

#include "flow/name_list.h"

static void read_as(const char *json, const uint8_t *data, size_t size)
{
    char *text = calloc(1, size + 1), *filled;
    struct name_list list;
    struct assay_err err = {0};

    if (!text)
        abort();
    memcpy(text, data, size);
    if (name_list_take(text, size, "list", json, &list, &err)) {
        if (!err.text[0])
            abort();
        return;
    }
    for (size_t i = 0; i < list.count; i++) {
        const char *name = list.names[i];

        if (!*name || *name == '.' || strchr(name, '/') || strlen(name) > 255 ||
            (i && strcmp(list.names[i - 1], name) >= 0))
            abort();
        filled = name_list_fill("x/{name}", name, true);
        if (!filled || strpbrk(filled + 2, "/?# :"))
            abort();
        free(filled);
    }
    name_list_release(&list);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    read_as(NULL, data, size);
    read_as("images[].file_name", data, size);
    read_as("[]", data, size);
    read_as("a.b[][].c", data, size);
    return 0;
}
