/* The records that a command is about: those named, or all of the store. */
#include "cli/cli.h"

#include <stdlib.h>

#include "base/tree.h"
#include "record/several.h"

int cli_records(struct cli_input *in, json_t **records)
{
    bool all = cli_value(in, "all") != NULL;
    json_t *left_out, *text;
    struct assay_err err;
    char *store;
    size_t i;
    int rc;

    if (all == (in->count > 0))
        return cli_usage(in->command, "`assay %s` wants runs (ids, `last`, folders) or --all%s",
                         in->command->name, all ? ", not both" : "");
    left_out = json_array();
    store = cli_store(&in->settings);
    rc = store ? record_several(store, all ? NULL : in->args, records, left_out, &err)
               : assay_fail(&err, ASSAY_EFAIL, "not enough memory");
    json_array_foreach(left_out, i, text) cli_warn("left out: %s", json_string_value(text));
    json_decref(left_out);
    free(store);
    return rc ? cli_fail(&err) : EXIT_OK;
}

#define MOST_LINES 10 /* of one kind on the terminal; --json has all */

int cli_say_contradictions(const json_t *file, const char *with)
{
    const json_t *bad = json_object_get(file, "contradictions"), *id;
    size_t i, n = json_array_size(bad);

    json_array_foreach(bad, i, id)
    {
        if (i < MOST_LINES)
            cli_warn("%s: record %s contradicts the one of this id in %s",
                     tree_text(file, "file", "?"), json_string_value(id), with);
    }
    if (n > MOST_LINES)
        cli_warn("… and %zu more contradictions", n - MOST_LINES);
    return n ? EXIT_COULD_NOT : EXIT_OK;
}
