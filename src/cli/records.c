/* The records that a command is about: those named, or all of the store. */
#include "cli/cli.h"

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

/* One record that cannot be read does not hide the others. */
static int add_all(const char *store, json_t *records, struct assay_err *err)
{
    json_t *rows = NULL, *row, *record;
    struct assay_err why;
    size_t i;
    int rc = record_list(store, &rows, err);

    json_array_foreach(rc ? NULL : rows, i, row)
    {
        char *path = text_format("%s/runs/%s", store, tree_text(row, "id", "")), *dir = NULL;

        if (!path || record_open(store, path, &dir, &record, &why))
            cli_warn("left out: %s", path ? why.text : "not enough memory");
        else
            json_array_append_new(records, record);
        free(dir);
        free(path);
    }
    json_decref(rows);
    return rc;
}

int cli_records(struct cli_input *in, json_t **records)
{
    bool all = cli_value(in, "all") != NULL;
    json_t *list;
    struct assay_err err;
    char *store;
    int rc = ASSAY_OK;

    if (all == (in->count > 0))
        return cli_usage(in->command, "`assay %s` wants runs (ids, `last`, folders) or --all%s",
                         in->command->name, all ? ", not both" : "");
    list = json_array();
    store = cli_store(&in->settings);
    if (!store)
        rc = assay_fail(&err, ASSAY_EFAIL, "not enough memory");
    else if (all)
        rc = add_all(store, list, &err);
    for (int i = 0; !rc && i < in->count; i++)
        rc = add_named(store, in->args[i], list, &err);
    if (!rc && !json_array_size(list))
        rc =
            assay_fail(&err, ASSAY_EFAIL, "%s: no records yet; `assay run` makes the first", store);
    free(store);
    if (rc) {
        json_decref(list);
        return cli_fail(&err);
    }
    *records = list;
    return EXIT_OK;
}
