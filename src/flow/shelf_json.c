/* What is on the shelf, as data. */
#include "base/tree.h"
#include "flow/shelf.h"

/* Last used first; lets go of the list. */
static json_t *by_use(json_t *list)
{
    json_t *sorted = json_array(), *row;
    size_t i, at;

    json_array_foreach(list, i, row)
    {
        for (at = 0; at < json_array_size(sorted); at++)
            if (tree_int(json_array_get(sorted, at), "used_s", 0) < tree_int(row, "used_s", 0))
                break;
        json_array_insert(sorted, at, row);
    }
    json_decref(list);
    return sorted;
}

json_t *shelf_json(const struct shelf *s)
{
    json_t *all = by_use(shelf_list(s)), *row;
    json_int_t total = 0;
    size_t i;

    json_array_foreach(all, i, row) total += tree_int(row, "bytes", 0);
    return json_pack("{s:s, s:I, s:o}", "folder", s->dir, "bytes", total, "entries", all);
}
