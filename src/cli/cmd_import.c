/* assay import: records of other machines into the store. */
#include "cli/cli.h"

#include <stdlib.h>

#include "base/tree.h"
#include "record/export.h"

static void print(const json_t *file, bool dry)
{
    printf("%s: %zu %simported, %zu already there, %zu contradicting\n",
           tree_text(file, "file", "?"), json_array_size(json_object_get(file, "imported")),
           dry ? "would be " : "", json_array_size(json_object_get(file, "duplicates")),
           json_array_size(json_object_get(file, "contradictions")));
}

static int cmd_import(struct cli_input *in)
{
    bool dry = in->settings.dry_run;
    char *store = cli_store(&in->settings);
    json_t *files = json_array(), *file;
    struct assay_err err;
    size_t k;
    int rc = store ? EXIT_OK : EXIT_COULD_NOT, one;

    /* A bad file does not keep the others out. */
    for (int i = 0; store && i < in->count; i++) {
        if (export_take_file(store, in->args[i], dry, &file, &err))
            rc = cli_fail(&err);
        if (file)
            json_array_append_new(files, file);
    }
    json_array_foreach(files, k, file)
    {
        one = cli_say_contradictions(file, "the store, which stays");
        rc = rc ? rc : one;
        if (!cli_wants_json(in))
            print(file, dry);
    }
    if (cli_wants_json(in))
        cli_json(json_pack("{s:b, s:O}", "dry", (int)dry, "files", files), "import");
    json_decref(files);
    free(store);
    return rc;
}

static const char *const settings[] = {"store", "json", "dry-run", NULL};

const struct cli_command cli_cmd_import = {
    .name = "import",
    .summary = "take records of other machines into the store",
    .arguments = "FILE...",
    .settings = settings,
    .help = "A FILE comes from `assay export`. All of it is checked before any of it is taken. "
            "Imported records are marked with the file they came from, and none that is there is "
            "replaced: one that is the same is skipped, one that contradicts is named, and the "
            "exit code tells. --dry-run only says what would be.\n"
            "\n"
            "    assay import alice.json bob.json",
    .run = cmd_import};
