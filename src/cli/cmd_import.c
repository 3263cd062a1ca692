/* assay import: records of other machines into the store. */
#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/tree.h"
#include "record/export.h"

#define MOST_LINES 10 /* of one kind on the terminal; --json has all */

/* Ids by what became of them, for one file. */
static const char *const kinds[] = {"imported", "duplicates", "contradictions"};

static json_t *empty_result(const char *file)
{
    json_t *result = json_pack("{s:s}", "file", file);

    for (size_t i = 0; i < 3; i++)
        json_object_set_new(result, kinds[i], json_array());
    return result;
}

static int take_all(const char *store, const char *path, const json_t *export, json_t *result,
                    struct assay_err *err)
{
    const json_t *records = json_object_get(export, "records");
    char sha256[HASH_HEX];
    size_t i;
    int taken = 0, rc = hash_file(path, sha256, err);

    for (i = 0; !rc && i < json_array_size(records); i++) {
        rc = export_take(store, export, i, file_base(path), sha256, &taken, err);
        if (!rc)
            json_array_append(
                json_object_get(result, kinds[taken]),
                json_object_get(json_object_get(json_array_get(records, i), "record"), "id"));
    }
    return rc;
}

/* Everything in a file is checked before anything of it is taken. */
static int import_file(const char *store, const char *path, json_t *files, struct assay_err *err)
{
    json_t *export = NULL, *result;
    int rc = export_read(path, &export, err);

    if (rc)
        return rc;
    result = empty_result(path);
    json_array_append_new(files, result);
    rc = take_all(store, path, export, result, err);
    json_decref(export);
    return rc;
}

static int say(const json_t *file)
{
    const json_t *bad = json_object_get(file, "contradictions"), *id;
    size_t i, n = json_array_size(bad);

    json_array_foreach(bad, i, id)
    {
        if (i < MOST_LINES)
            cli_warn("%s: record %s contradicts the one of this id in the store, which stays",
                     tree_text(file, "file", "?"), json_string_value(id));
    }
    if (n > MOST_LINES)
        cli_warn("… and %zu more contradictions", n - MOST_LINES);
    return n ? EXIT_COULD_NOT : EXIT_OK;
}

static void print(const json_t *file)
{
    size_t n[3];

    for (size_t i = 0; i < 3; i++)
        n[i] = json_array_size(json_object_get(file, kinds[i]));
    printf("%s: %zu imported, %zu already there, %zu contradicting\n", tree_text(file, "file", "?"),
           n[0], n[1], n[2]);
}

static int cmd_import(struct cli_input *in)
{
    char *store = cli_store(&in->settings);
    json_t *files = json_array(), *file;
    struct assay_err err;
    size_t k;
    int rc = store ? EXIT_OK : EXIT_COULD_NOT, one;

    /* A bad file does not keep the others out. */
    for (int i = 0; store && i < in->count; i++)
        if (import_file(store, in->args[i], files, &err))
            rc = cli_fail(&err);
    json_array_foreach(files, k, file)
    {
        one = say(file);
        rc = rc ? rc : one;
        if (!cli_wants_json(in))
            print(file);
    }
    if (cli_wants_json(in))
        cli_json(json_pack("{s:O}", "files", files), "import");
    json_decref(files);
    free(store);
    return rc;
}

static const char *const settings[] = {"store", "json", NULL};

const struct cli_command cli_cmd_import = {
    .name = "import",
    .summary = "take records of other machines into the store",
    .arguments = "FILE...",
    .settings = settings,
    .help = "A FILE comes from `assay export`. All of it is checked before any of it is taken. "
            "Imported records are marked with the file they came from, and none that is there is "
            "replaced: one that is the same is skipped, one that contradicts is named, and the "
            "exit code tells.\n"
            "\n"
            "    assay import alice.json bob.json",
    .run = cmd_import};
