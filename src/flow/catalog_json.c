/* The recipes that are known, as data. */
#include <string.h>

#include "flow/catalog.h"

/* ",a,b," as an array of texts. */
static json_t *comma_list(const char *list)
{
    json_t *array = json_array();

    for (size_t n; *list; list += n) {
        list += *list == ',';
        n = strcspn(list, ",");
        if (n)
            json_array_append_new(array, json_stringn(list, n));
    }
    return array;
}

static json_t *entry_json(const struct catalog_entry *e)
{
    if (*e->error)
        return json_pack("{s:s, s:s}", "file", e->file, "error", e->error);
    return json_pack("{s:s, s:s, s:s, s:o, s:o, s:s}", "name", e->name, "version", e->version,
                     "summary", e->summary, "tags", comma_list(e->tags), "options",
                     comma_list(e->options), "file", e->file);
}

json_t *catalog_json(const struct catalog *c)
{
    json_t *all = json_array();

    for (size_t i = 0; i < c->count; i++)
        json_array_append_new(all, entry_json(&c->entries[i]));
    return all;
}
