/* assay check: judges a submission tree, ours or made by other tools. */
#include "cli/official.h"
#include "cli/recipes.h"

#include <string.h>

#include "base/tree.h"
#include "cli/submission.h"
#include "lib/official.h"
#include "submit/check.h"

/* Of --dry-run: what the official checker's part would get and run; code: of our own judgement. */
static int plan_official(struct cli_input *in, json_t *report, int code)
{
    json_t *plan = NULL;
    struct assay_err err;
    int rc = lib_official_plan(in->args[0], tree_text(report, "round", ""), &in->settings,
                               cli_value(in, "offline") != NULL, &plan, &err);

    if (rc) {
        rc = cli_fail(&err);
        return code ? code : rc; /* findings come first, as they do of the checker's verdict */
    }
    json_object_set_new(report, "official", plan);
    if (code == EXIT_OK && json_array_size(json_object_get(plan, "problems")))
        code = EXIT_COULD_NOT;
    if (!cli_wants_json(in))
        cli_command_print("Then the official checker would be run",
                          json_object_get(plan, "command"));
    rc = cli_first(in, plan, NULL, stdout);
    return rc ? rc : code;
}

static int cmd_check(struct cli_input *in)
{
    struct submit_check_ask ask = {.round = cli_value(in, "round")};
    bool official = cli_value(in, "official") != NULL;
    struct assay_err err;
    json_t *report = NULL, *theirs = NULL;
    int64_t ms = 0;
    int code = cli_value_int(in, "min-duration-ms", 1, 3600000, &ms);

    if (code)
        return code;
    ask.min_duration_ms = (double)ms;
    if (submit_check(in->args[0], &ask, &report, &err))
        return cli_fail(&err);
    code = json_array_size(json_object_get(report, "findings")) ? EXIT_INVALID : EXIT_OK;
    if (!cli_wants_json(in))
        cli_print_check(report, stdout);
    fflush(stdout);
    if (official && in->settings.dry_run) {
        code = plan_official(in, report, code);
    } else if (official) {
        code = cli_official(in->args[0], tree_text(report, "round", ""), &in->settings,
                            cli_value(in, "offline") != NULL, true, code, &theirs);
        if (!cli_wants_json(in))
            cli_official_print(theirs, stdout);
        json_object_set_new(report, "official", theirs);
    }
    if (cli_wants_json(in)) {
        int rc = cli_json(report, "check");

        return rc ? rc : code;
    }
    json_decref(report);
    return code;
}

static const char *const rounds[] = {"v6.1", "v6.0", "v5.1", NULL};

static const struct cli_option options[] = {
    {"round", 'r', "ROUND", rounds, NULL,
     "the round's rules; default: by the seeds in the logs, else the newest"},
    {"min-duration-ms", 0, "MS", NULL, NULL,
     "of a rehearsal: take this in the place of the round's 600000 ms"},
    {"official", 0, NULL, NULL, NULL,
     "run the official checker too: it is got by its recipe, and its exit code counts"},
    {"offline", 0, NULL, NULL, NULL, "fetch nothing: the official checker must be here already"},
    {NULL, 0, NULL, NULL, NULL, NULL}};

static const char *const settings[] = {"cache", "progress", "json", "dry-run", NULL};

const struct cli_command cli_cmd_check = {
    .name = "check",
    .summary = "judge a submission tree, also one made by other tools",
    .arguments = "DIR",
    .options = options,
    .settings = settings,
    .help =
        "Reads a folder with closed/, open/ or network/ in it, and says what would be refused: "
        "where, "
        "what, why, and the command that mends it. Looks at all that the official checker looks "
        "at, "
        "and at what it passes over: LoadGen's own verdict and errors, the true duration, the "
        "mode, "
        "the LoadGen release, the settings and figures of the compliance tests, hashes. Findings "
        "that only `assay check` makes are marked. Changes nothing. With --dry-run the official "
        "checker of --official is not got and not run: its command and the recipes' plan are "
        "shown. Exit code 4 when there are findings.\n"
        "\n"
        "    assay check submission\n"
        "    assay check submission --official --dry-run\n"
        "    assay check submission --official\n"
        "    assay check inference_results --round v6.0 --json",
    .run = cmd_check};
