/* assay plan: what a request for recipes would do, before anything is touched. */
#include "cli/recipes.h"

#include "base/tree.h"

static int cmd_plan(struct cli_input *in)
{
    struct cli_ask a;
    struct assay_err err;
    struct plan plan;
    json_t *tree;
    int rc, code;

    if (cli_ask_init(&a, in, &err) || plan_make(&a.ask, &plan, &err)) {
        cli_ask_release(&a);
        return cli_fail(&err);
    }
    tree = plan_json(&plan);
    code = cli_plan_exit(tree);
    if (cli_wants_json(in)) {
        rc = cli_json(tree, "recipe-plan");
    } else {
        cli_plan_print(tree, "What would be done", stdout);
        json_decref(tree);
        rc = EXIT_OK;
    }
    plan_release(&plan);
    cli_ask_release(&a);
    return rc ? rc : code;
}

static const struct cli_option options[] = {CLI_ASK_OPTIONS, {NULL, 0, NULL, NULL, NULL, NULL}};
static const char *const settings[] = {"cache", "json", NULL};

const struct cli_command cli_cmd_plan = {
    .name = "plan",
    .summary = "show what getting something by its recipe would do",
    .arguments = "RECIPE...",
    .options = options,
    .settings = settings,
    .help =
        "Resolves the recipes and all that they need, and prints the plan: each step, address, "
        "size, digest, licence, command, and the disk that it takes. Nothing is fetched or "
        "built; a program that a recipe finds is asked for its version. The exit code is 3 where "
        "something stands against it.\n"
        "\n"
        "A RECIPE is its name, or words parted by commas that are its name, its tags and its "
        "variations; behind an @ a range of versions.\n"
        "\n"
        "    assay plan bert-onnx\n"
        "    assay plan model,bert,onnx,int8 --json\n"
        "    assay plan 'loadgen@>=6 <7'",
    .run = cmd_plan};
