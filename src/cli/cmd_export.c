/* assay export: records as one file for another machine. */
#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/tree.h"
#include "record/export.h"

static int write_export(const char *output, const json_t *tree, struct assay_err *err)
{
    char *text;

    if (strcmp(output, "-"))
        return tree_write_json(output, tree, err);
    if (!(text = tree_dump(tree, 17)))
        return assay_fail(err, ASSAY_EFAIL, "not enough memory for the export");
    fputs(text, stdout);
    free(text);
    return ASSAY_OK;
}

static void say(const char *output, const json_t *tree)
{
    const json_t *text;
    size_t i, n = json_array_size(json_object_get(tree, "records"));

    fprintf(stderr, "%s: %zu record%s. Left out:\n", output, n, n == 1 ? "" : "s");
    json_array_foreach(json_object_get(tree, "withheld"), i, text)
        fprintf(stderr, "  - %s\n", json_string_value(text));
    fprintf(stderr, "Other paths, tags and declared facts are in it: look before you send it.\n");
}

static int cmd_export(struct cli_input *in)
{
    const char *output = cli_value(in, "output");
    json_t *records = NULL, *tree = NULL;
    struct assay_err err;
    int rc;

    if (!output)
        return cli_usage(in->command,
                         "`assay export` wants --output FILE ('-' is standard output)");
    if ((rc = cli_records(in, &records)))
        return rc;
    rc = export_make(records, cli_value(in, "latencies") != NULL, &tree, &err);
    if (!rc)
        rc = write_export(output, tree, &err);
    json_decref(records);
    if (rc)
        return cli_fail(&err);
    say(output, tree);
    json_decref(tree);
    return EXIT_OK;
}

static const struct cli_option options[] = {
    {"all", 'a', NULL, NULL, NULL, "all runs of the store"},
    {"output", 'o', "FILE", NULL, NULL,
     "the file to write, whole or not at all; '-' is standard output"},
    {"latencies", 0, NULL, NULL, NULL, "every single latency, too: about 11 bytes a sample"},
    {NULL, 0, NULL, NULL, NULL, NULL}};

static const char *const settings[] = {"store", NULL};

const struct cli_command cli_cmd_export = {
    .name = "export",
    .summary = "put records into one file for another machine",
    .arguments = "[RUN...]",
    .options = options,
    .settings = settings,
    .help = "The file is JSON and has a hash of each record. Home folders, the user's name in "
            "paths and the host's name are left out; what was, is said. Failed and synthetic runs "
            "are exported like others, and stay marked. A RUN is as in `assay report`.\n"
            "\n"
            "    assay export last --output run.json\n"
            "    assay export --all -o all.json",
    .run = cmd_export};
