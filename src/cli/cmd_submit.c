/* assay submit: from records to a submission tree, with a checklist; lib/submit.h does it. */
#include "cli/recipes.h"

#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "base/tree.h"
#include "cli/official.h"
#include "cli/submission.h"
#include "lib/official.h"
#include "lib/submit.h"

/* Returns an exit code. */
static int read_ask(const struct cli_input *in, struct lib_submit_ask *ask)
{
    struct assay_err err;
    int64_t ms = 0;

    *ask = (struct lib_submit_ask){.request = {.division = cli_value(in, "division"),
                                               .category = cli_value(in, "category"),
                                               .round = cli_value(in, "round"),
                                               .submitter = cli_value(in, "submitter"),
                                               .rehearsal = cli_value(in, "rehearsal") != NULL},
                                   .runs = in->args,
                                   .system = cli_value(in, "system"),
                                   .out = cli_value(in, "out"),
                                   .dry = in->settings.dry_run};
    if (cli_value_int(in, "min-duration-ms", 1, 3600000, &ms))
        return EXIT_USAGE;
    ask->request.min_duration_ms = ms;
    return lib_submit_check(ask, &err) ? cli_usage(in->command, "%s", err.text) : EXIT_OK;
}

static void warn(const char *text)
{
    cli_warn("%s", text);
}

/* The file that a compliance run's command names. */
static void print_config(const char *text)
{
    size_t n;

    puts("    with these lines in the file of --audit-config (`assay submit` writes it itself):");
    for (; *text; text += n + (text[n] == '\n')) {
        n = strcspn(text, "\n");
        printf("        %.*s\n", (int)n, text);
    }
}

/* What a dry run found. */
static int print_plan(const struct cli_input *in, json_t *plan, const char *round)
{
    char request[80];
    const json_t *runs = json_object_get(plan, "runs"), *step;
    size_t i, missing = 0;
    int code;

    json_array_foreach(runs, i, step)
    {
        const char *id = tree_text(step, "record", NULL);

        missing += !id;
        printf("%-40s %s\n", tree_text(step, "run", ""), id ? id : "to be run:");
        if (!id)
            printf("    %s\n", tree_text(step, "command", ""));
        if (tree_text(step, "audit_config", NULL))
            print_config(tree_text(step, "audit_config", ""));
    }
    code = cli_first(in, plan, NULL, stdout);
    printf("%zu of %zu runs are to be made; the tree goes to %s\n", missing, json_array_size(runs),
           tree_text(plan, "out", ""));
    lib_official_request(round, request);
    printf("then the official checker runs: assay plan %s\n", request);
    return code;
}

static int show_plan(const struct cli_input *in, const char *round, json_t *plan)
{
    bool json = cli_wants_json(in);
    int code = json ? cli_first(in, plan, NULL, stdout) : print_plan(in, plan, round);
    int rc = json ? cli_json(json_incref(plan), "submit-plan") : EXIT_OK;

    json_decref(plan);
    return rc ? rc : code;
}

/* Our judgement, and then the official checker's. */
static int show_tree(const struct cli_input *in, const struct lib_submit_ask *ask, json_t *report)
{
    int code = json_array_size(json_object_get(report, "findings")) ? EXIT_INVALID : EXIT_OK, rc;
    json_t *theirs = NULL;

    if (!cli_wants_json(in))
        cli_print_check(report, stdout);
    fflush(stdout);
    code = cli_official(ask->out ? ask->out : LIB_SUBMIT_OUT, ask->request.round, &in->settings,
                        cli_value(in, "offline") != NULL, false, code, &theirs);
    json_object_set(report, "official", theirs);
    if (cli_wants_json(in)) {
        rc = cli_json(report, "submit");
        json_decref(theirs);
        return rc ? rc : code;
    }
    cli_official_print(theirs, stdout);
    json_decref(theirs);
    json_decref(report);
    return code;
}

/* The command that goes on with what there is now. */
static void say_how_to_go_on(const struct cli_input *in, const json_t *records)
{
    const json_t *record;
    struct text line;
    size_t i;

    text_init(&line, 1u << 20);
    for (int k = 0; k < in->argc; k++) {
        bool given = false;

        for (int a = 0; a < in->count; a++)
            given = given || in->argv[k] == in->args[a];
        if (!given) {
            text_add(&line, " ");
            text_add_word(&line, in->argv[k]);
        }
    }
    json_array_foreach(records, i, record)
    {
        text_addf(&line, " %.8s", tree_text(record, "id", ""));
    }
    if (!line.cut)
        fprintf(stderr, "go on with:%s\n", line.s);
    text_release(&line);
}

/* What the missing runs want of recipes; what is wrong with the submission is its own to tell. */
static int supply(const struct cli_input *in, const struct lib_submit_ask *ask,
                  const struct lib_runner *with)
{
    struct lib_submit_ask dry = *ask;
    json_t *plan = NULL, *records = NULL;
    struct assay_err err;
    int rc = EXIT_OK;

    if (file_exists(ask->out ? ask->out : LIB_SUBMIT_OUT))
        return EXIT_OK;
    dry.dry = true;
    if (!lib_submit(&dry, with, &plan, &records, &err))
        rc = cli_supply(in, json_object_get(plan, "get"));
    json_decref(plan);
    json_decref(records);
    return rc;
}

static int cmd_submit(struct cli_input *in)
{
    const struct lib_runner with = {&in->settings, in->argc, in->argv};
    json_t *result = NULL, *records = NULL;
    struct lib_submit_ask ask;
    struct assay_err err;
    int code = read_ask(in, &ask);

    if (code)
        return code;
    if (!ask.dry && (code = supply(in, &ask, &with)))
        return code;
    ask.warn = warn;
    if (!lib_submit(&ask, &with, &result, &records, &err))
        return ask.dry ? show_plan(in, ask.request.round, result) : show_tree(in, &ask, result);
    code = cli_fail(&err);
    if (records)
        say_how_to_go_on(in, records);
    json_decref(records);
    return code;
}

static const char *const divisions[] = {"closed", "open", "network", NULL};
static const char *const categories[] = {"edge", "datacenter", "both", NULL};
static const char *const rounds[] = {"v6.1", "v6.0", "v5.1", NULL};

static const struct cli_option options[] = {
    {"division", 0, "NAME", divisions, NULL, "closed, open or network"},
    {"category", 0, "NAME", categories, NULL, "what the system is: edge, datacenter or both"},
    {"round", 'r', "ROUND", rounds, NULL, "the round of MLPerf inference"},
    {"submitter", 0, "TEXT", NULL, NULL, "the submitter's name, as the folder will be called"},
    {"system", 0, "FILE", NULL, NULL,
     "a YAML file with what cannot be detected: `field: value`; default: system.yaml in the "
     "configuration folder"},
    {"out", 'o', "DIR", NULL, NULL, "the tree to write; default: submission"},
    {"rehearsal", 0, NULL, NULL, NULL,
     "take synthetic and short runs too; the tree is marked and is no submission"},
    {"min-duration-ms", 0, "MS", NULL, NULL, "of a rehearsal: the least duration of runs made"},
    CLI_HAVE_OPTIONS,
    {"offline", 0, NULL, NULL, NULL,
     "fetch nothing: the official checker, and what recipes would get (model, data set, engine's "
     "library), must be here"},
    {NULL, 0, NULL, NULL, NULL, NULL}};

static const char *const settings[] = {"store", "cache", "progress", "json", "dry-run", NULL};

const struct cli_command cli_cmd_submit = {
    .name = "submit",
    .summary = "build a submission tree from records, and run what is missing",
    .arguments = "RUN...",
    .options = options,
    .settings = settings,
    .help =
        "Takes records of one system, runs what the round still wants of their benchmarks "
        "(scenarios, accuracy, the compliance tests TEST01 and TEST04) with the same settings, "
        "writes the tree, and judges it as `assay check` does: what would be refused, why, and the "
        "command that mends it. Last it runs the official checker, which is got by its recipe. "
        "With --dry-run it lists what it would run. A RUN is an id, the "
        "beginning of one, `last`, or a run's folder.\n"
        "\n"
        "    assay run resnet50 --model resnet50.yaml --dataset imagenet --profile official:v6.1\n"
        "    assay submit --division closed --category edge --round v6.1 --submitter ACME last "
        "--dry-run\n"
        "    assay submit --division closed --category edge --round v6.1 --submitter ACME last",
    .run = cmd_submit};
