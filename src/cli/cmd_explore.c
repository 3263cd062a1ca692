/* assay explore: measures configurations and shows which are worth having. */
#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "engine/host.h"
#include "report/explore.h"
#include "report/text.h"
#include "run/chosen.h"
#include "run/exploring.h"

#define BUDGET_S 900
#define SHORT_S  2

/* "1,2,4" as numbers; none where the option was not given. */
static int numbers_of(struct cli_input *in, const char *name, uint32_t values[], size_t *n)
{
    const char *text = cli_value(in, name);
    char *end;

    for (*n = 0; text && *text; text = end + (*end == ',')) {
        unsigned long v = strtoul(text, &end, 10);

        if (end == text || (*end && *end != ',') || !v || v > 65536 || *n == EXPLORE_VALUES_MAX)
            return cli_usage(in->command, "--%s wants numbers from 1 to 65536, at most %d: 1,2,4",
                             name, EXPLORE_VALUES_MAX);
        values[(*n)++] = (uint32_t)v;
    }
    return EXIT_OK;
}

/* "90s", "15m", "2h", or seconds. */
static int seconds_of(struct cli_input *in, const char *name, double otherwise, double *out)
{
    const char *text = cli_value(in, name);
    char *end;

    *out = otherwise;
    if (!text)
        return EXIT_OK;
    *out = strtod(text, &end);
    if (end != text && (!strcmp(end, "m") || !strcmp(end, "h")))
        *out *= *end == 'm' ? 60 : 3600;
    else if (end == text || (*end && strcmp(end, "s")))
        *out = 0;
    if (*out > 0 && *out < 1e7)
        return EXIT_OK;
    return cli_usage(in->command, "--%s wants a time: 90s, 15m, 2h", name);
}

static int read_constraints(struct cli_input *in, struct explore_ask *a)
{
    const char *text = cli_value(in, "constraint");
    json_t *list = list_split(text), *item;
    struct assay_err err;
    size_t i;
    int rc = EXIT_OK;

    json_array_foreach(list, i, item)
    {
        if (rc)
            continue;
        if (a->constraint_count == FRONT_CONSTRAINTS_MAX)
            rc = cli_usage(in->command, "--constraint: at most %d", FRONT_CONSTRAINTS_MAX);
        else if (front_parse(json_string_value(item), &a->constraints[a->constraint_count], &err))
            rc = cli_fail(&err);
        else if (!strcmp(a->constraints[a->constraint_count++].figure, "accuracy"))
            a->accuracy = true;
    }
    json_decref(list);
    return rc;
}

static int read_ask(struct cli_input *in, struct exploring_ask *ask)
{
    struct explore_ask *a = &ask->search;
    int rc = numbers_of(in, "lanes", a->lanes, &a->lane_count);

    if (!rc)
        rc = numbers_of(in, "threads", a->threads, &a->thread_count);
    if (!rc)
        rc = numbers_of(in, "batches", a->batches, &a->batch_count);
    if (!rc)
        rc = seconds_of(in, "budget", BUDGET_S, &ask->budget_s);
    if (!rc)
        rc = seconds_of(in, "short", SHORT_S, &ask->short_s);
    a->accuracy = in->settings.dataset != NULL; /* of made-up samples it says nothing */
    return rc ? rc : read_constraints(in, a);
}

/* The chosen one becomes this machine's default. */
static int apply(struct cli_input *in, const json_t *best)
{
    json_t *settings = exploring_settings(best);
    const char *scenario = settings_scenario_names[in->settings.scenario];
    struct assay_err err;
    int rc = chosen_keep(in->settings.benchmark, scenario, settings, &err);

    json_decref(settings);
    if (rc)
        return cli_fail(&err);
    fprintf(stderr, "`assay run %s --scenario %s` uses it from now on; --no-tuned leaves it out.\n",
            in->settings.benchmark, scenario);
    return EXIT_OK;
}

static void print_best(struct cli_input *in, const json_t *best)
{
    json_t *settings = exploring_settings(best),
           *words = json_pack("[s, s, s]", "assay", "run", in->settings.benchmark), *v;
    const char *name;

    json_array_append_new(
        words, json_sprintf("--scenario=%s", settings_scenario_names[in->settings.scenario]));
    if (in->settings.dataset)
        json_array_append_new(words, json_sprintf("--dataset=%s", in->settings.dataset));
    json_object_foreach(settings, name, v)
        json_array_append_new(words, json_sprintf("--%s=%s", name, json_string_value(v)));
    fputs("\nBest  ", stdout);
    report_command(words, stdout);
    json_decref(words);
    json_decref(settings);
}

static int print(struct cli_input *in, const json_t *points)
{
    const json_t *best = explore_best(points);
    struct assay_err err;

    if (cli_wants_json(in))
        return cli_json(json_pack("{s:O, s:O?}", "points", points, "best", best), "explore");
    if (report_explore(points, stdout))
        return cli_fail((assay_fail(&err, ASSAY_EFAIL, "the table cannot be written"), &err));
    if (best)
        print_best(in, best);
    return EXIT_OK;
}

/* A name that nobody knows is a slip; one that is not installed here is a line of the table. */
static int check_engines(const json_t *names)
{
    const struct assay_engine *table;
    const json_t *name;
    struct assay_err err;
    char path[1024];
    size_t i;

    json_array_foreach(names, i, name)
    {
        if (engine_load(json_string_value(name), &table, path, &err) == ASSAY_EUSAGE)
            return cli_fail(&err);
    }
    return EXIT_OK;
}

static int explore(struct cli_input *in)
{
    struct settings *s = &in->settings;
    struct exploring_ask ask = {.base = s};
    json_t *models = list_split(cli_value(in, "models")),
           *engines = list_split(cli_value(in, "engines")),
           *devices = list_split(cli_value(in, "devices")),
           *precisions = list_split(cli_value(in, "precisions")), *points = NULL;
    struct assay_err err;
    int rc = read_ask(in, &ask), printed = EXIT_OK;

    if (!rc)
        rc = check_engines(engines);
    ask.models = models;
    ask.engines = engines;
    ask.devices = devices;
    ask.precisions = precisions;
    if (!rc && settings_set(s, "benchmark", in->args[0], SETTINGS_CLI, "BENCHMARK", &err))
        rc = cli_fail(&err);
    if (!rc && exploring_run(&ask, &points, &err))
        rc = cli_fail(&err);
    if (points)
        printed = print(in, points);
    if (!rc)
        rc = printed;
    if (!rc && !explore_best(points)) {
        cli_warn("no configuration keeps the constraints");
        rc = EXIT_INVALID;
    }
    if (!rc && cli_value(in, "apply"))
        rc = apply(in, explore_best(points));
    json_decref(points);
    json_decref(models);
    json_decref(engines);
    json_decref(devices);
    json_decref(precisions);
    return rc;
}

static const struct cli_option options[] = {
    {"models", 0, "A,B", NULL, NULL, "models of the benchmark; default: --model, or its own"},
    {"engines", 0, "A,B", NULL, NULL, "default: all that read the model"},
    {"devices", 0, "A,B", NULL, NULL, "default: cpu"},
    {"precisions", 0, "A,B", NULL, NULL, "default: the model's own, and what engines make of fp32"},
    {"lanes", 'l', "1,2", NULL, NULL, "default: powers of two up to the processors"},
    {"threads", 't', "1,2", NULL, NULL, "of each lane; default: the same"},
    {"batches", 'b', "1,8", NULL, NULL, "default: Offline 1 to 32, else the scenario's own"},
    {"constraint", 'c', "A,B", NULL, NULL,
     "accuracy>=99% (of fp32), latency<=15ms, throughput>=100, memory<=4GB, energy<=2J (a sample)"},
    {"budget", 0, "TIME", NULL, NULL, "for all of it: 90s, 15m (default), 2h"},
    {"short", 0, "TIME", NULL, NULL, "length of a short run's timed part; default: 2s"},
    {"apply", 0, NULL, NULL, NULL,
     "make the best this machine's default for benchmark and scenario"},
    {NULL, 0, NULL, NULL, NULL, NULL}};

static const char *const settings[] = {
    "model", "dataset",         "scenario", "profile", "batch-wait-ms", "engine-options",
    "count", "data-threads",    "seed",     "store",   "cache",         "progress",
    "json",  "min-duration-ms", "pin",      NULL};

const struct cli_command cli_cmd_explore = {
    .name = "explore",
    .summary = "find the configurations worth having, within constraints and a time",
    .arguments = "BENCHMARK",
    .options = options,
    .settings = settings,
    .help =
        "Measures engines x precisions x lanes x threads x batches: accuracy once for each model, "
        "engine and precision, short runs that leave out early what is far behind, and full runs "
        "of the best. Marked with * is the front: no other is better in rate, latency, accuracy, "
        "memory and, where every run could read it, energy at once. Every run is a record, and "
        "none is made twice, so an exploration "
        "that was stopped goes on with the same command.\n"
        "\n"
        "    assay explore resnet50\n"
        "    assay explore resnet50 --engines onnxruntime,openvino --precisions fp32,bf16,int8 "
        "--constraint 'accuracy>=99%' --dataset imagenet --models a.yaml,a-int8.yaml\n"
        "    assay explore resnet50 --budget 5m --apply\n"
        "\n"
        "The exit code is 4 when no configuration keeps the constraints.",
    .run = explore};
