/* Records by their names, or all; see several.h. */
#include "record/several.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/tree.h"
#include "record/record.h"

static bool is_there(const json_t *records, const json_t *record)
{
    const char *id = tree_text(record, "id", "");
    const json_t *r;
    size_t i;

    json_array_foreach(records, i, r)
    {
        if (!strcmp(tree_text(r, "id", "?"), id))
            return true;
    }
    return false;
}

static int add_named(const char *store, const char *name, json_t *records, struct assay_err *err)
{
    json_t *record = NULL;
    char *dir = NULL;
    int rc = record_open(store, name, &dir, &record, err);

    if (!rc && !is_there(records, record))
        json_array_append(records, record);
    json_decref(record);
    free(dir);
    return rc;
}

static int add_all(const char *store, json_t *records, json_t *left_out, struct assay_err *err)
{
    json_t *rows = NULL, *row, *record;
    struct assay_err why;
    size_t i;
    int rc = record_list(store, &rows, err);

    json_array_foreach(rc ? NULL : rows, i, row)
    {
        char *path = text_format("%s/runs/%s", store, tree_text(row, "id", "")), *dir = NULL;

        if (path && !record_open(store, path, &dir, &record, &why))
            json_array_append_new(records, record);
        else if (left_out)
            json_array_append_new(left_out, json_string(path ? why.text : "not enough memory"));
        free(dir);
        free(path);
    }
    json_decref(rows);
    return rc;
}

int record_several(const char *store, const char *const *names, json_t **records, json_t *left_out,
                   struct assay_err *err)
{
    json_t *list = json_array();
    int rc = names ? ASSAY_OK : add_all(store, list, left_out, err);

    for (; !rc && names && *names; names++)
        rc = add_named(store, *names, list, err);
    if (!rc && !json_array_size(list))
        rc = assay_fail(err, ASSAY_EFAIL, "%s: no records yet; `assay run` makes the first", store);
    if (rc)
        json_decref(list);
    else
        *records = list;
    return rc;
}
