/* assay reference: a run of ours and the official Python reference's, from one plan, side by side.
 */
#include "cli/recipes.h"

#include <math.h>

#include "base/tree.h"
#include "lib/compare.h"
#include "lib/reference.h"
#include "report/compare.h"
#include "report/format.h"
#include "run/run.h"

#define LIMIT_S 14400

static void say_disk(double bytes)
{
    char text[32];

    text_bytes(text, bytes);
    if (bytes > 0)
        printf("\nIts files take up to %s in the cache folder while it runs.\n", text);
}

static void say_written(const json_t *written)
{
    json_t *line;
    size_t i;

    if (written)
        puts("\nWritten for the official reference");
    json_array_foreach(written, i, line) printf("  %s\n", json_string_value(line));
}

/* Both runs, and what is got first. */
static int show_plan(struct cli_input *in, json_t *plan)
{
    const json_t *reference = json_object_get(plan, "reference");
    int code, rc;

    if (!cli_wants_json(in)) {
        cli_run_print(NULL, json_object_get(plan, "run"));
        cli_command_print("The official reference's pre-processing",
                          json_object_get(reference, "prepare"));
        say_written(json_object_get(reference, "written"));
        cli_command_print("Then the official reference", json_object_get(reference, "command"));
        cli_command_print("Its accuracy by the official script",
                          json_object_get(reference, "score"));
        say_disk(tree_real(reference, "disk_bytes", 0));
    }
    code = cli_first(in, plan, NULL, stdout);
    rc = cli_wants_json(in) ? cli_json(json_incref(plan), "reference-plan") : EXIT_OK;
    json_decref(plan);
    return rc ? rc : code;
}

static void say_last(const json_t *last)
{
    json_t *line;
    size_t i;

    if (json_array_size(last))
        fputs("Its last lines:\n", stderr);
    json_array_foreach(last, i, line) fprintf(stderr, "  | %s\n", json_string_value(line));
}

/* "A  the official reference  1f3a…  24.9 samples/s" */
static void say_run(const char *side, const char *whose, const json_t *record)
{
    char value[64];
    const json_t *accuracy = json_object_get(record, "accuracy");
    const json_t *of = json_is_object(accuracy) ? accuracy : json_object_get(record, "performance");

    format_value(value, tree_real(of, "value", NAN), tree_text(of, "unit", ""));
    printf("%s  %-22s  %s  %s  %s\n", side, whose, tree_text(record, "id", "?"), value,
           tree_text(of, "metric", ""));
}

static json_t *brief(const json_t *record)
{
    return json_pack("{s:O, s:O, s:O*, s:O*}", "id", json_object_get(record, "id"), "verdict",
                     json_object_get(json_object_get(record, "verdict"), "word"), "accuracy",
                     json_object_get(record, "accuracy"), "performance",
                     json_object_get(record, "performance"));
}

static void say_reasons(const json_t *record)
{
    const json_t *verdict = json_object_get(record, "verdict"), *reason;
    size_t i;

    json_array_foreach(json_object_get(verdict, "reasons"), i, reason)
        cli_warn("the official reference's run is %s: %s", tree_text(verdict, "word", "?"),
                 json_string_value(reason));
}

/* A is the reference. */
static int compare_both(struct cli_input *in, const json_t *own, const json_t *reference)
{
    struct lib_compare_ask ask = {tree_text(reference, "id", ""), tree_text(own, "id", ""), NULL,
                                  0};
    const struct lib_runner with = {&in->settings, in->argc, in->argv};
    json_t *comparison = NULL;
    struct assay_err err;

    say_reasons(reference);
    if (lib_compare(&ask, &with, &comparison, &err))
        return cli_fail(&err);
    if (cli_wants_json(in))
        return cli_json(json_pack("{s:o, s:o, s:o}", "reference", brief(reference), "own",
                                  brief(own), "comparison", comparison),
                        "reference");
    say_run("A", "the official reference", reference);
    say_run("B", "Assay", own);
    putchar('\n');
    compare_text(comparison, stdout);
    json_decref(comparison);
    return EXIT_OK;
}

/* Ours first: its record has what it was run with. */
static int run_both(struct cli_input *in, const struct lib_reference_ask *ask)
{
    json_t *own = NULL, *reference = NULL, *last = json_array();
    struct assay_err err;
    int code, rc;

    if (run_job(&in->settings, in->argc, in->argv, &own, &err)) {
        json_decref(last);
        return cli_fail(&err);
    }
    code = cli_run_exit(own);
    if (code == EXIT_COULD_NOT || code == EXIT_INTERRUPTED) {
        cli_warn("%s", tree_text(json_object_get(own, "error"), "text", "the run failed"));
        rc = code;
    } else if (lib_reference(ask, own, &reference, last, &err)) {
        rc = cli_fail(&err);
        say_last(last);
    } else {
        rc = compare_both(in, own, reference);
    }
    json_decref(reference);
    json_decref(last);
    json_decref(own);
    return rc ? rc : code;
}

static int cmd_reference(struct cli_input *in)
{
    const char *words[CLI_MAX_GIVEN + 1];
    struct lib_reference_ask ask = {
        .s = &in->settings, .words = words, .offline = cli_value(in, "offline") != NULL};
    struct assay_err err;
    int64_t limit = LIMIT_S;
    json_t *plan;
    int rc = cli_value_int(in, "limit-s", 0, 10000000, &limit);

    if (!rc)
        rc = cli_value_real(in, "expected-qps", 1e-6, 1e9, &ask.expected_qps);
    if (rc)
        return rc;
    cli_values(in, "argument", words);
    ask.limit_s = (double)limit;
    if (settings_set(&in->settings, "benchmark", in->args[0], SETTINGS_CLI, "BENCHMARK", &err) ||
        lib_reference_plan(&ask, &plan, &err))
        return cli_fail(&err);
    if (in->settings.dry_run)
        return show_plan(in, plan);
    rc = cli_supply(in, json_object_get(plan, "get"));
    json_decref(plan);
    return rc ? rc : run_both(in, &ask);
}

static const struct cli_option options[] = {
    {"job", 'j', "FILE", NULL, NULL,
     "read settings from this YAML file; the command line stands above it"},
    {"option", 'o', "NAME=VALUE", NULL, "engine-options",
     "one option of our engine; may be given again"},
    {"argument", 0, "WORD", NULL, NULL,
     "one more argument for the reference's program (--argument=--max-batchsize --argument=1); may "
     "be given again"},
    {"expected-qps", 0, "QPS", NULL, NULL,
     "Offline: the rate that the reference's number of samples follows from; default: what our "
     "warm-up found of ours"},
    {"limit-s", 0, "S", NULL, NULL,
     "end the reference after this time; default: 14400, 4 hours; 0: no limit"},
    CLI_SUPPLY_OPTIONS,
    {NULL, 0, NULL, NULL, NULL, NULL}};

const struct cli_command cli_cmd_reference = {
    .name = "reference",
    .summary = "run the official Python reference beside ours and compare",
    .arguments = "BENCHMARK",
    .options = options,
    .settings = cli_all_settings,
    .help =
        "Runs the benchmark as `assay run` does, then MLCommons' own Python program, with the same "
        "model file, data set, scenario, mode and LoadGen settings (the user.conf of our run), "
        "takes its logs as a record, and prints the comparison, as `assay compare` does. The "
        "repository and a Python environment come by recipes. --dry-run shows all of it: our plan, "
        "the recipes' steps, the program and its arguments. There is one for resnet50, retinanet, "
        "bert and 3d-unet with onnxruntime and for rnnt with pytorch, on the CPU; it wants "
        "--dataset, and a model like the official one.\n"
        "\n"
        "    assay reference resnet50 --model resnet50-onnx --dataset imagenet --dry-run\n"
        "    assay reference resnet50 --dataset photos --mode accuracy\n"
        "    assay reference bert --model bert-onnx --dataset squad --scenario SingleStream\n"
        "    assay reference rnnt --engine pytorch --model rnnt-official --dataset librispeech",
    .run = cmd_reference};
