/* assay models: the manifests that are known, and one in full. */
#include "cli/cli.h"

#include <stdlib.h>

#include "base/file.h"
#include "base/tree.h"

static int list(struct cli_input *in)
{
    static const char *const heading[] = {"MODEL",   "BENCHMARK", "WEIGHTS",
                                          "FORMATS", "MANIFEST",  NULL};
    json_t *all = manifest_list(), *m;
    struct cli_table t;
    size_t i;

    if (cli_wants_json(in))
        return cli_json(json_pack("{s:o}", "models", all), "models");
    cli_table_init(&t, heading);
    json_array_foreach(all, i, m)
    {
        char formats[256];

        cli_join(json_object_get(m, "formats"), formats, sizeof(formats));
        cli_table_row(&t,
                      (const char *[]){tree_text(m, "name", "?"), tree_text(m, "benchmark", "?"),
                                       tree_bool(m, "synthetic", false) ? "synthetic" : "real",
                                       formats, tree_text(m, "file", "")});
    }
    cli_table_print(&t, stdout);
    json_decref(all);
    return EXIT_OK;
}

static int cmd_models(struct cli_input *in)
{
    struct manifest m = {0};
    struct assay_err err;
    size_t len;
    char *text = NULL;
    int rc;

    if (!in->count)
        return list(in);
    if (manifest_open(in->args[0], &m, &err))
        return cli_fail(&err);
    if (cli_wants_json(in)) {
        rc = cli_json(json_pack("{s:s, s:b, s:O}", "file", m.file, "synthetic", (int)m.synthetic,
                                "manifest", m.tree),
                      "model");
    } else if ((rc = file_read(m.file, TREE_MAX_BYTES, &text, &len, &err))) {
        rc = cli_fail(&err);
    } else { /* as it was written: its comments are documentation */
        printf("# %s\n", m.file);
        fwrite(text, 1, len, stdout);
    }
    free(text);
    manifest_release(&m);
    return rc;
}

static const char *const settings[] = {"json", NULL};

const struct cli_command cli_cmd_models = {.name = "models",
                                           .summary = "list model manifests, or show one",
                                           .arguments = "[MODEL]",
                                           .settings = settings,
                                           .help = "Lists the models that are known: the installed "
                                                   "ones and those in the folder `models` of the "
                                                   "user's configuration (~/.config/assay/models). "
                                                   "With a name or a file: that manifest, checked.",
                                           .run = cmd_models};
