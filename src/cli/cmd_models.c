/* assay models: the manifests that are known, one in full, and one to begin with for an own model.
 */
#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/tree.h"
#include "cli/starter.h"

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

/* Where --model looks for manifests, names of files end so. */
static bool is_yaml(const char *file)
{
    const char *dot = strrchr(file_base(file), '.');

    return dot && dot > file_base(file) && (!strcmp(dot, ".yaml") || !strcmp(dot, ".yml"));
}

static int say_new(struct cli_input *in, const char *benchmark, const char *to, const char *yaml)
{
    struct assay_err err;
    json_t *tree;

    if (to)
        fprintf(stderr, "%s: %stry it: assay run %s --model %s\n", to,
                strstr(yaml, STARTER_GUESS) ? "look at the lines with \"guess\"; " : "", benchmark,
                to);
    if (!cli_wants_json(in)) {
        if (!to)
            fputs(yaml, stdout);
        return EXIT_OK;
    }
    if (tree_parse_yaml(yaml, strlen(yaml), to ? to : "manifest", &tree, &err))
        return cli_fail(&err);
    return cli_json(json_pack("{s:s?, s:s, s:s, s:o}", "file", to, "benchmark", benchmark, "text",
                              yaml, "manifest", tree),
                    "new-model");
}

static int new_model(struct cli_input *in)
{
    const char *benchmark = cli_value(in, "benchmark"), *to = cli_value(in, "output");
    struct assay_err err;
    char *yaml = NULL;
    int rc;

    if (!benchmark)
        benchmark = "resnet50";
    if (to && !is_yaml(to))
        return cli_usage(in->command, "--output %s: a manifest's name ends in .yaml or .yml", to);
    if (to && file_exists(to))
        return cli_usage(in->command,
                         "--output: %s is there already; remove it, or choose another name", to);
    rc = starter_make(in->args[0], benchmark, to, &yaml, &err);
    if (!rc && to)
        rc = file_write_whole(to, yaml, strlen(yaml), &err);
    rc = rc ? cli_fail(&err) : say_new(in, benchmark, to, yaml);
    free(yaml);
    return rc;
}

static const struct cli_verb verbs[] = {
    {"new", "FILE", "write a manifest to begin with for an ONNX file of your own", new_model},
    {NULL, NULL, NULL, NULL}};

static const struct cli_option options[] = {
    {"benchmark", 0, "BENCHMARK", NULL, NULL,
     "new: what the model is for: resnet50 (any image classifier), bert, 3d-unet; default: "
     "resnet50"},
    {"output", 'o', "FILE", NULL, NULL,
     "new: the manifest to write; default: print it. One that is there is not replaced"},
    {NULL, 0, NULL, NULL, NULL, NULL}};

static const char *const settings[] = {"json", NULL};

const struct cli_command cli_cmd_models = {
    .name = "models",
    .summary = "list model manifests, show one, or make one of an ONNX file",
    .arguments = "[MODEL]",
    .verbs = verbs,
    .options = options,
    .settings = settings,
    .help =
        "Lists the models that are known: the installed "
        "ones and those in the folder `models` of the "
        "user's configuration (~/.config/assay/models). "
        "With a name or a file: that manifest, checked.\n"
        "\n"
        "`new` reads an ONNX file and writes a manifest that runs it: tensors, layout, size and "
        "classes as the file says. What no file says (normalisation, colour order, what class "
        "0 is) is set to what is most usual, with a comment that says so and names the other "
        "choices.\n"
        "\n"
        "    assay models new net.onnx -o net.yaml\n"
        "    assay run resnet50 --model net.yaml",
    .run = cmd_models};
