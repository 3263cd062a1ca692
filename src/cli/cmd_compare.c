/* assay compare: which of two runs is faster, by how much, and how sure that is. */
#include "cli/recipes.h"

#include <string.h>

#include "base/tree.h"
#include "lib/compare.h"
#include "report/compare.h"
#include "report/text.h"

#define RULES_MAX 16

/* Every --fail-if, also a second one: the parser keeps the last.  Returns an exit code. */
static int read_rules(const struct cli_input *in, const char *rules[RULES_MAX + 1])
{
    static const char option[] = "--fail-if";
    size_t length = sizeof(option) - 1, n = 0;

    for (int i = 2; i < in->argc && strcmp(in->argv[i], "--") != 0; i++) {
        const char *word = in->argv[i];

        if (strncmp(word, option, length) != 0 || (word[length] && word[length] != '='))
            continue;
        if (n == RULES_MAX)
            return cli_usage(in->command, "at most %d --fail-if", RULES_MAX);
        rules[n++] =
            word[length] ? word + length + 1 : in->argv[++i]; /* the parser saw that it is there */
    }
    rules[n] = NULL;
    return EXIT_OK;
}

static int show(const struct cli_input *in, json_t *result)
{
    int code = tree_int(result, "broken", 0)     ? EXIT_REGRESSION
               : tree_int(result, "unjudged", 0) ? EXIT_UNSURE
                                                 : EXIT_OK;
    int rc = EXIT_OK;
    const json_t *text;
    size_t i;

    /* What repeated runs no longer have in common with their record. */
    json_array_foreach(json_object_get(result, "changed"), i, text)
        cli_warn("warning: %s", json_string_value(text));
    if (cli_wants_json(in)) {
        rc = cli_json(result, "compare");
    } else {
        compare_text(result, stdout);
        json_decref(result);
    }
    return rc ? rc : code;
}

static void print_plan(const json_t *plan)
{
    const json_t *order = json_object_get(plan, "order"), *run;
    size_t i, n = json_array_size(order);

    if (!n)
        puts("Nothing is run: the two records are compared as they are; --repeats N makes N "
             "further runs of each.");
    json_array_foreach(json_object_get(plan, "runs"), i, run)
    {
        printf("%s  record %s\n   ", tree_text(run, "side", "?"), tree_text(run, "id", "?"));
        report_command(json_object_get(run, "command"), stdout);
    }
    if (n)
        printf("\n%zu runs of each, in the order", n / 2);
    for (i = 0; i < n; i++)
        printf(" %s", json_string_value(json_array_get(order, i)));
    if (n)
        putchar('\n');
}

/* What the runs to be made are, and what they want first is got, but in a dry run. */
static int prepare(const struct cli_input *in, const struct lib_compare_ask *ask)
{
    struct assay_err err;
    json_t *plan;
    int rc, code;

    if (lib_compare_plan(ask, &in->settings, &plan, &err))
        return cli_fail(&err);
    if (!in->settings.dry_run) {
        rc = cli_supply(in, json_object_get(plan, "get"));
        json_decref(plan);
        return rc;
    }
    if (!cli_wants_json(in))
        print_plan(plan);
    code = cli_first(in, plan, NULL, stdout);
    rc = cli_wants_json(in) ? cli_json(json_incref(plan), "compare-plan") : EXIT_OK;
    json_decref(plan);
    return rc ? rc : code;
}

static int cmd_compare(struct cli_input *in)
{
    const char *rules[RULES_MAX + 1];
    struct lib_compare_ask ask = {in->args[0], in->args[1], rules, 0};
    const struct lib_runner with = {&in->settings, in->argc, in->argv};
    json_t *result = NULL;
    struct assay_err err;
    int64_t repeats = 0;
    int rc = cli_value_int(in, "repeats", 2, LIB_REPEATS_MAX, &repeats);

    if (!rc)
        rc = read_rules(in, rules);
    if (rc)
        return rc;
    ask.repeats = (size_t)repeats;
    if (repeats || in->settings.dry_run)
        rc = prepare(in, &ask);
    if (rc || in->settings.dry_run)
        return rc;
    return lib_compare(&ask, &with, &result, &err) ? cli_fail(&err) : show(in, result);
}

static const struct cli_option options[] = {
    {"fail-if", 0, "RULE", NULL, NULL,
     "end with exit code 6 when this is seen: 'p99>+3%', 'throughput<-5%', 'p99>15ms'; may be "
     "given "
     "again"},
    {"repeats", 0, "N", NULL, NULL, "make N further runs of each, A B B A …, and compare those"},
    CLI_SUPPLY_OPTIONS,
    {NULL, 0, NULL, NULL, NULL, NULL}};

static const char *const settings[] = {"store", "cache",   "progress", "tag",
                                       "json",  "dry-run", NULL};

const struct cli_command cli_cmd_compare = {
    .name = "compare",
    .summary = "tell whether one run is faster than another",
    .arguments = "RUN RUN",
    .options = options,
    .settings = settings,
    .help =
        "Compares the second run (B) with the first (A): the ratio of each figure, the interval "
        "that it lies in, and a word: faster, slower, same within noise, cannot be told apart. "
        "A RUN is an id, the beginning of one, `last`, a record's folder, or a record.json "
        "(which has figures, but not their spread). Then it lists what differs between the two "
        "set-ups and machines.\n"
        "\n"
        "Single runs show the noise within a run only. With --repeats both are made again from "
        "their records' settings, in turn, and the noise between runs is measured too; --dry-run "
        "lists those runs and makes none.\n"
        "\n"
        "A rule of --fail-if is broken when the whole interval lies beyond it; then the exit "
        "code is 6.  It is 7 when there is no interval that could tell.\n"
        "\n"
        "    assay compare 1f3a last\n"
        "    assay compare baseline/record.json last --fail-if 'p99>+3%' --fail-if "
        "'throughput<-5%'\n"
        "    assay compare 1f3a 77c2 --repeats 5 --json",
    .run = cmd_compare};
