/* assay run: one measured run, or with --dry-run the plan of it. */
#include "cli/recipes.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/tree.h"
#include "report/text.h"
#include "run/chosen.h"
#include "run/run.h"
#include "run/supply.h"

static void plan_line(const char *label, const char *value, const json_t *of)
{
    if (value)
        printf("%-12s%s%s\n", label, value,
               tree_bool(of, "synthetic", false) ? " (synthetic)" : "");
}

/* Settings that are not at their default, with where they come from.  dataset: the recipe that was
 * asked for in the place of a folder; NULL: none. */
static void plan_settings(const json_t *settings, const json_t *dataset)
{
    const char *name, *origin;
    json_t *row;

    printf("\nSettings that are not the default\n");
    json_object_foreach((json_t *)(uintptr_t)settings, name, row)
    {
        const json_t *value = json_object_get(row, "value");
        char *text = NULL, number[32];

        origin = tree_text(row, "origin", "");
        if (!strcmp(origin, settings_origin_name(SETTINGS_DEFAULT)))
            continue;
        if (dataset && !strcmp(name, "dataset"))
            value = dataset;
        snprintf(number, sizeof(number), "%.15g", json_number_value(value));
        if (!json_is_string(value) && !json_is_number(value))
            text = json_dumps(value, JSON_ENCODE_ANY);
        printf("  %-30s %s  (%s)\n", name,
               text                    ? text
               : json_is_number(value) ? number
                                       : json_string_value(value),
               origin);
        free(text);
    }
}

/* What the run would fail for, and how it is had. */
static void print_missing(const json_t *missing)
{
    const char *how;
    json_t *one;
    size_t i;

    if (json_array_size(missing))
        printf("\nWhat stands against it\n");
    json_array_foreach(missing, i, one)
    {
        fputs("  - ", stdout);
        cli_wrap(stdout, 4, 4, tree_text(one, "what", "?"));
        if ((how = tree_text(one, "how", NULL)))
            printf("    %s gets it\n", how);
    }
}

int cli_run_print(const struct cli_input *in, json_t *plan)
{
    const json_t *model = json_object_get(plan, "model"),
                 *dataset = json_object_get(plan, "dataset");
    const json_t *engine = json_object_get(plan, "engine"), *step;
    size_t i, first = (size_t)tree_int(plan, "recipe_steps", 0);
    int rc = EXIT_OK;

    plan_line("Benchmark", tree_text(plan, "benchmark", "?"), NULL);
    plan_line("Model", tree_text(model, "name", "?"), model);
    plan_line("Model file", tree_text(model, "file", NULL), NULL);
    plan_line("Precision", tree_text(model, "precision", NULL), NULL);
    plan_line("Samples", tree_text(dataset, "path", "made from a seed"), dataset);
    plan_line("Samples by", tree_text(dataset, "recipe", NULL), NULL);
    plan_line("Engine", tree_text(engine, "name", "?"), NULL);
    plan_line("Library by", tree_text(engine, "recipe", NULL), NULL);
    plan_line("Device", tree_text(engine, "device", "?"), NULL);
    plan_line("LoadGen", tree_text(plan, "loadgen", "?"), NULL);
    plan_line("Profile", tree_text(plan, "profile", "?"), NULL);
    plan_settings(json_object_get(plan, "settings"), json_object_get(dataset, "recipe"));
    if (in)
        rc = cli_first(in, plan, NULL, stdout);
    printf("\nWhat would be done%s\n", in && first ? " then" : "");
    json_array_foreach(json_object_get(plan, "steps"), i, step)
    {
        if (i >= first)
            printf("  %zu. %s\n", i - first + 1, json_string_value(step));
    }
    print_missing(json_object_get(plan, "missing"));
    return rc;
}

static int dry_run(const struct cli_input *in)
{
    struct assay_err err;
    json_t *plan = NULL;
    int code, rc;

    if (run_plan(&in->settings, &plan, &err))
        return cli_fail(&err);
    if ((code = cli_said())) {
        json_decref(plan);
        return code;
    }
    code = cli_wants_json(in) ? cli_first(in, plan, NULL, stdout) : cli_run_print(in, plan);
    if (!code && json_array_size(json_object_get(plan, "missing")))
        code = EXIT_COULD_NOT;
    rc = cli_wants_json(in) ? cli_json(json_incref(plan), "plan") : EXIT_OK;
    json_decref(plan);
    return rc ? rc : code;
}

int cli_run_exit(const json_t *record)
{
    const char *status = tree_text(record, "status", "error");
    const json_t *verdict = json_object_get(record, "verdict");
    const json_t *accuracy = json_object_get(record, "accuracy");
    const json_t *value = json_object_get(accuracy, "value"),
                 *target = json_object_get(accuracy, "target");

    if (!strcmp(status, "interrupted"))
        return EXIT_INTERRUPTED;
    if (!strcmp(status, "error"))
        return EXIT_COULD_NOT;
    if (!strcmp(tree_text(verdict, "word", ""), "INVALID"))
        return EXIT_INVALID;
    if (json_is_number(value) && json_is_number(target) &&
        json_number_value(value) < json_number_value(target))
        return EXIT_ACCURACY;
    return EXIT_OK;
}

/* Whether a recipe may have to get something: seen without resolving anything. */
static bool names_recipe(const struct settings *given)
{
    struct settings own;
    struct manifest m = {0};
    bool named = given->dataset && !file_is_dir(given->dataset), chosen;
    const struct settings *s = &own;

    if (named || settings_copy(&own, given, NULL))
        return named;
    chosen_recall(&own, &chosen, NULL); /* what explore --apply has set may be a recipe's */
    named = supply_engine_may(s->engine, s->device) || supply_load_may(s);
    /* What is wrong with a manifest is the run's to say. */
    if (!named && s->model && !manifest_open(s->model, &m, NULL)) {
        named = json_object_get(m.tree, "recipes") != NULL;
        manifest_release(&m);
    }
    settings_release(&own);
    return named;
}

/* What recipes get is got before the run, after all else was checked. */
static int supply(struct cli_input *in)
{
    struct assay_err err;
    json_t *first;
    int rc;

    if (!cli_value(in, "have") && !cli_value(in, "accept") && !names_recipe(&in->settings))
        return EXIT_OK;
    first = json_pack("{s:[], s:[]}", "get", "steps");
    rc = run_wants(&in->settings, first, &err) ? cli_fail(&err)
                                               : cli_supply(in, json_object_get(first, "get"));
    json_decref(first);
    return rc;
}

static int cmd_run(struct cli_input *in)
{
    struct settings *s = &in->settings;
    struct assay_err err;
    json_t *record = NULL;
    int code;

    if (in->count && settings_set(s, "benchmark", in->args[0], SETTINGS_CLI, "BENCHMARK", &err))
        return cli_fail(&err);
    if (!s->benchmark)
        return cli_usage(in->command, "which benchmark? for example: assay run resnet50");
    if (s->dry_run)
        return dry_run(in);
    if ((code = supply(in)))
        return code;
    if (run_job(s, in->argc, in->argv, &record, &err))
        return cli_fail(&err);
    code = cli_run_exit(record);
    if (code == EXIT_COULD_NOT || code == EXIT_INTERRUPTED)
        cli_warn("%s", tree_text(json_object_get(record, "error"), "text", "the run failed"));
    if (s->json)
        cli_json(record, "record");
    else
        report_text(record, stdout);
    if (!s->json)
        json_decref(record);
    return code;
}

static const struct cli_option options[] = {
    {"job", 'j', "FILE", NULL, NULL,
     "read settings from this YAML file; the command line stands above it"},
    {"option", 'o', "NAME=VALUE", NULL, "engine-options",
     "one option of the engine; may be given again"},
    CLI_SUPPLY_OPTIONS,
    {NULL, 0, NULL, NULL, NULL, NULL}};

const struct cli_command cli_cmd_run = {
    .name = "run",
    .summary = "measure a benchmark and keep the record",
    .arguments = "[BENCHMARK]",
    .options = options,
    .settings = cli_all_settings,
    .help =
        "Runs a benchmark under the official LoadGen and judges the result. Without a data set "
        "and a model "
        "it uses synthetic ones, and says so. Loads and latencies that LoadGen wants to be "
        "told are found by "
        "a warm-up. Every run is kept as a record, also one that failed: see `assay results`. "
        "--dry-run prints the plan with sizes, and below it what the run would fail for at "
        "once: device, precision, memory, disk, what no recipe can get; then the exit code is 3.\n"
        "\n"
        "What recipes give is got first: a data set or model that is named by one, the "
        "library of an engine that has none here, or that is asked for with a version, and the "
        "LoadGen of an older --round, which a C++ compiler builds. "
        "--dry-run says what that would be.\n"
        "\n"
        "    assay run resnet50\n"
        "    assay run resnet50 --dataset imagenet --model my-model.yaml --mode accuracy\n"
        "    assay run resnet50 --scenario Server --mode find-peak --lanes 2\n"
        "    assay run resnet50 --tune\n"
        "    assay run resnet50 --dataset imagenet --have imagenet=/data/imagenet\n"
        "    assay run bert --engine onnxruntime@1.32.0 --dry-run\n"
        "    assay run --job nightly.yaml --dry-run",
    .run = cmd_run};
