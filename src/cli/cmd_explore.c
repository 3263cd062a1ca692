/* assay explore: measures configurations and shows which are worth having. */
#include "cli/recipes.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "base/tree.h"
#include "record/record.h"
#include "report/explore.h"
#include "report/text.h"
#include "run/exploring.h"

static int read_ask(struct cli_input *in, struct exploring_ask *ask)
{
    struct assay_err err;

    exploring_ask_init(ask, &in->settings);
    for (const char *const *word = exploring_words; *word; word++) {
        const char *text = cli_value(in, *word);

        if (text && exploring_read(ask, *word, text, &err))
            return cli_usage(in->command, "%s", err.text);
    }
    return EXIT_OK;
}

/* The chosen one becomes this machine's default. */
static int apply(struct cli_input *in, const json_t *best)
{
    struct assay_err err;

    if (exploring_apply(&in->settings, best, &err))
        return cli_fail(&err);
    fprintf(stderr, "`assay run %s --scenario %s` uses it from now on; --no-tuned leaves it out.\n",
            in->settings.benchmark, settings_scenario_names[in->settings.scenario]);
    return EXIT_OK;
}

/* What the user gave for all runs, and is not the point's own. */
static void add_given(const struct settings *s, const json_t *choice, json_t *words)
{
    static const char *const other[] = {"benchmark", "scenario", "json", "progress", "tuned", NULL};
    const struct settings_row *rows;
    size_t i, n, k;
    char text[4096];

    rows = settings_rows(&n);
    for (i = 0; i < n; i++) {
        for (k = 0; other[k] && strcmp(other[k], rows[i].name); k++)
            ;
        if (other[k] || settings_origin_of(s, rows[i].name) != SETTINGS_CLI ||
            json_object_get(choice, rows[i].name))
            continue;
        settings_text(s, &rows[i], text, sizeof(text));
        if (rows[i].type == SETTINGS_BOOL)
            json_array_append_new(
                words, json_sprintf("--%s%s", strcmp(text, "true") ? "no-" : "", rows[i].name));
        else
            json_array_append_new(words, json_sprintf("--%s=%s", rows[i].name, text));
    }
}

static void print_best(struct cli_input *in, const json_t *best)
{
    json_t *settings = exploring_choice(&in->settings, best),
           *words = json_pack("[s, s, s]", "assay", "run", in->settings.benchmark), *v;
    const char *name;

    json_array_append_new(
        words, json_sprintf("--scenario=%s", settings_scenario_names[in->settings.scenario]));
    add_given(&in->settings, settings, words);
    json_object_foreach(settings, name, v)
        json_array_append_new(words, json_sprintf("--%s=%s", name, json_string_value(v)));
    fputs("\nBest  ", stdout);
    report_command(words, stdout);
    json_decref(words);
    json_decref(settings);
}

/* A page of more runs would be too large to read. */
#define MOST_RUNS 200

static void add_runs(const char *store, const json_t *points, bool front, json_t *records)
{
    json_t *record;
    const json_t *p;
    size_t i;

    json_array_foreach(points, i, p)
    {
        const char *id = tree_text(p, "id", NULL);

        if (tree_bool(p, "front", false) != front || !id || json_array_size(records) >= MOST_RUNS)
            continue;
        if (!record_find(store, id, NULL, &record, NULL)) /* it was removed just now */
            json_array_append_new(records, record);
    }
}

/* Nothing is there until all of it is. */
static int write_page(struct cli_input *in, const char *file, const json_t *points,
                      struct assay_err *err)
{
    char *store = cli_store(&in->settings), *page = NULL;
    json_t *records = json_array();
    size_t len = 0;
    FILE *out = open_memstream(&page, &len);
    int rc = store && out ? ASSAY_OK : assay_fail(err, ASSAY_EFAIL, "not enough memory");

    if (!rc) {
        add_runs(store, points, true, records);
        add_runs(store, points, false, records);
        rc = report_explore_html(points, explore_best(points), records, out, err);
    }
    if (out && fclose(out) && !rc)
        rc = assay_fail(err, ASSAY_EFAIL, "not enough memory for the page");
    if (!rc)
        rc = file_write_whole(file, page, len, err);
    json_decref(records);
    free(page);
    free(store);
    return rc;
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

/* ---- a dry run ---- */

static void print_setups(const json_t *plan)
{
    static const char *const heading[] = {"MODEL", "ENGINE", "DEVICE", "PRECISION", "", NULL};
    static const char *const lists[] = {"setups", "out"};
    struct cli_table t;
    json_t *setup;
    size_t i;

    cli_table_init(&t, heading);
    for (size_t k = 0; k < 2; k++)
        json_array_foreach(json_object_get(plan, lists[k]), i, setup)
        {
            struct text why;

            text_init(&why, 1024);
            if (k)
                text_addf(&why, "out: %s", tree_text(setup, "reason", "?"));
            cli_table_row(&t, (const char *[]){tree_text(setup, "model", "?"),
                                               tree_text(setup, "engine", "?"),
                                               tree_text(setup, "device", "?"),
                                               tree_text(setup, "precision", "?"), why.s});
            text_release(&why);
        }
    cli_table_print(&t, stdout);
}

static void print_axis(const char *label, const json_t *values)
{
    const char *between = "";
    json_t *v;
    size_t i;

    printf("%-12s", label);
    json_array_foreach(values, i, v)
    {
        printf("%s%lld", between, (long long)json_integer_value(v));
        between = ", ";
    }
    putchar('\n');
}

static void print_plan(const struct settings *s, const json_t *plan)
{
    const json_t *runs = json_object_get(plan, "runs");
    char budget[32], one[32], full[32];

    text_duration(budget, tree_real(plan, "budget_s", 0));
    text_duration(one, tree_real(plan, "short_s", 0));
    text_duration(full, tree_real(plan, "full_s", 0));
    printf("%-12s%s, %s, %s\n\n", "Benchmark", s->benchmark, settings_scenario_names[s->scenario],
           s->profile);
    print_setups(plan);
    putchar('\n');
    print_axis("Lanes", json_object_get(plan, "lanes"));
    print_axis("Threads", json_object_get(plan, "threads"));
    print_axis("Batches", json_object_get(plan, "batches"));
    printf("%-12s%zu setups x %lld configurations\n", "Grid",
           json_array_size(json_object_get(plan, "setups")), (long long)tree_int(plan, "grid", 0));
    printf("%-12s%s, for at most %lld runs of accuracy, %lld short ones (%s) and %lld full ones "
           "(about %s)\n",
           "Budget", budget, (long long)tree_int(runs, "accuracy", 0),
           (long long)tree_int(runs, "short", 0), one, (long long)tree_int(runs, "full", 0), full);
}

static int dry(struct cli_input *in, json_t *plan)
{
    int code, rc = EXIT_OK;

    if (!cli_wants_json(in))
        print_plan(&in->settings, plan);
    code = cli_first(in, plan, NULL, stdout);
    if (cli_wants_json(in))
        rc = cli_json(json_incref(plan), "explore-plan");
    return rc ? rc : code;
}

/* ---- the exploration ---- */

static int carry_out(struct cli_input *in, struct exploring_ask *ask)
{
    json_t *points = NULL;
    struct assay_err err, why;
    int rc = exploring_run(ask, &points, &err) ? cli_fail(&err) : EXIT_OK, printed = EXIT_OK;

    if (points)
        printed = print(in, points);
    if (points && cli_value(in, "html") && write_page(in, cli_value(in, "html"), points, &why))
        printed = cli_fail(&why);
    if (!rc)
        rc = printed;
    if (!rc && !explore_best(points)) {
        cli_warn("no configuration keeps the constraints");
        rc = EXIT_INVALID;
    }
    if (!rc && cli_value(in, "apply"))
        rc = apply(in, explore_best(points));
    json_decref(points);
    return rc;
}

static int explore(struct cli_input *in)
{
    struct settings *s = &in->settings;
    struct exploring_ask ask;
    json_t *plan = NULL;
    struct assay_err err;
    int rc = read_ask(in, &ask);

    if (!rc && (settings_set(s, "benchmark", in->args[0], SETTINGS_CLI, "BENCHMARK", &err) ||
                exploring_plan(&ask, &plan, &err)))
        rc = cli_fail(&err);
    if (!rc && s->dry_run)
        rc = dry(in, plan);
    else if (!rc && !(rc = cli_supply(in, json_object_get(plan, "get"))))
        rc = carry_out(in, &ask);
    json_decref(plan);
    exploring_ask_release(&ask);
    return rc;
}

static const struct cli_option options[] = {
    {"models", 0, "A,B", NULL, NULL, "models of the benchmark; default: --model, or its own"},
    {"engines", 0, "A,B", NULL, NULL,
     "NAME or NAME@VERSION; default: all that read the model and whose library is here"},
    {"devices", 0, "A,B", NULL, NULL, "default: cpu"},
    {"precisions", 0, "A,B", NULL, NULL, "default: the model's own, and what engines make of fp32"},
    {"lanes", 'l', "1,2", NULL, NULL, "default: powers of two up to the processors"},
    {"threads", 't', "1,2", NULL, NULL, "of each lane; default: the same"},
    {"batches", 'b', "1,8", NULL, NULL, "default: Offline 1 to 32, else the scenario's own"},
    {"constraint", 'c', "A,B", NULL, NULL,
     "accuracy>=99% (of fp32), latency<=15ms, throughput>=100, memory<=4GB, energy<=2J (a sample)"},
    {"budget", 0, "TIME", NULL, NULL, "for all of it: 90s, 15m (default), 2h"},
    {"short", 0, "TIME", NULL, NULL, "length of a short run's timed part; default: 2s"},
    {"html", 0, "FILE", NULL, NULL,
     "write one page, too: the front as charts and a table, and the runs"},
    {"apply", 0, NULL, NULL, NULL,
     "make the best this machine's default for benchmark and scenario"},
    CLI_SUPPLY_OPTIONS,
    {NULL, 0, NULL, NULL, NULL, NULL}};

static const char *const settings[] = {"model",
                                       "dataset",
                                       "scenario",
                                       "profile",
                                       "batch-wait-ms",
                                       "engine-options",
                                       "count",
                                       "data-threads",
                                       "seed",
                                       "store",
                                       "cache",
                                       "progress",
                                       "json",
                                       "min-duration-ms",
                                       "pin",
                                       "dry-run",
                                       NULL};

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
        "that was stopped goes on with the same command. What recipes get (model, data set, and "
        "the "
        "library of an engine that --engines names, where there is none here) is got first. With "
        "--dry-run it lists the setups, the grid and what would be got, and runs "
        "nothing.\n"
        "\n"
        "    assay explore resnet50\n"
        "    assay explore resnet50 --engines onnxruntime,openvino --precisions fp32,bf16,int8 "
        "--constraint 'accuracy>=99%' --dataset imagenet --models a.yaml,a-int8.yaml\n"
        "    assay explore resnet50 --budget 5m --apply\n"
        "    assay explore bert --models bert-onnx --dataset squad --dry-run\n"
        "    assay explore resnet50 --html front.html\n"
        "\n"
        "The exit code is 4 when no configuration keeps the constraints.",
    .run = explore};
