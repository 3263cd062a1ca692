/* assay results: the records of all runs in the store. */
#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "base/tree.h"
#include "record/record.h"
#include "report/text.h"
#include "submit/logs.h"

/* Options that keep only rows whose column of that name has that value. */
static const char *const filters[] = {"benchmark", "model",   "engine", "scenario",
                                      "mode",      "verdict", "tag",    NULL};

static bool kept(const struct cli_input *in, const json_t *row)
{
    for (const char *const *f = filters; *f; f++) {
        const char *wanted = cli_value(in, *f);

        if (wanted && strcasecmp(wanted, tree_text(row, *f, "")))
            return false;
    }
    return true;
}

/* *total: how many there are, also those that are not kept. */
static int read_rows(struct cli_input *in, json_t **rows, size_t *total)
{
    char *store = cli_store(&in->settings);
    struct assay_err err;
    json_t *all = NULL, *row;
    int64_t limit = INT64_MAX;
    size_t i;
    int rc = cli_value_int(in, "limit", 1, INT32_MAX, &limit);

    if (!rc && !store)
        rc = EXIT_COULD_NOT;
    if (!rc && record_list(store, &all, &err))
        rc = cli_fail(&err);
    free(store);
    if (rc)
        return rc;
    *rows = json_array();
    json_array_foreach(all, i, row) if ((int64_t)json_array_size(*rows) < limit && kept(in, row))
        json_array_append(*rows, row);
    *total = json_array_size(all);
    json_decref(all);
    return EXIT_OK;
}

/* What accuracy was to be reached is in the records alone. */
static void add_targets(const struct cli_input *in, const json_t *rows)
{
    char *store = cli_store(&in->settings);
    json_t *row, *record, *target;
    size_t i;

    json_array_foreach(rows, i, row)
    {
        if (!store || !json_is_number(json_object_get(row, "accuracy")) ||
            record_find(store, tree_text(row, "id", ""), NULL, &record, NULL))
            continue;
        if ((target = json_object_get(json_object_get(record, "accuracy"), "target")))
            json_object_set(row, "target", target);
        json_decref(record);
    }
    free(store);
}

static void say_none(const struct cli_input *in, size_t total)
{
    char *store = cli_store(&in->settings);

    if (total)
        fprintf(stderr, "None of the %zu runs in %s matches.\n", total,
                store ? store : "the store");
    else
        fprintf(stderr, "%s: no records yet; `assay run` makes the first\n",
                store ? store : "the store");
    free(store);
}

static int list(struct cli_input *in)
{
    json_t *rows;
    size_t total;
    int rc = read_rows(in, &rows, &total);

    if (rc)
        return rc;
    if (cli_wants_json(in))
        return cli_json(json_pack("{s:o}", "results", rows), "results");
    add_targets(in, rows);
    if (json_array_size(rows))
        report_table(rows, stdout);
    else
        say_none(in, total);
    json_decref(rows);
    return EXIT_OK;
}

/* The record of the run that is named, or of the last. */
static int find(struct cli_input *in, char **dir, json_t **record)
{
    char *store = cli_store(&in->settings);
    struct assay_err err;
    int rc = store ? record_open(store, in->count ? in->args[0] : "last", dir, record, &err)
                   : assay_fail(&err, ASSAY_EFAIL, "not enough memory");

    free(store);
    return rc ? cli_fail(&err) : EXIT_OK;
}

static int show(struct cli_input *in)
{
    json_t *record = NULL;
    char *dir = NULL;
    int rc = find(in, &dir, &record);

    if (rc)
        return rc;
    free(dir);
    if (cli_wants_json(in))
        return cli_json(record, "record");
    report_text(record, stdout);
    json_decref(record);
    return EXIT_OK;
}

static int path(struct cli_input *in)
{
    json_t *record = NULL;
    char *dir = NULL;
    int rc = find(in, &dir, &record);

    if (rc)
        return rc;
    if (cli_wants_json(in))
        cli_json(json_pack("{s:O, s:s}", "id", json_object_get(record, "id"), "path", dir), "path");
    else
        puts(dir);
    free(dir);
    json_decref(record);
    return EXIT_OK;
}

static int reindex(struct cli_input *in)
{
    char *store = cli_store(&in->settings);
    struct assay_err err;
    uint64_t count = 0;
    int rc = store ? record_reindex(store, &count, &err)
                   : assay_fail(&err, ASSAY_EFAIL, "not enough memory");

    if (rc)
        rc = cli_fail(&err);
    else if (cli_wants_json(in))
        rc =
            cli_json(json_pack("{s:s, s:I}", "store", store, "runs", (json_int_t)count), "reindex");
    else
        printf("%llu runs in %s\n", (unsigned long long)count, store);
    free(store);
    return rc;
}

/* ---- import ---- */

static void print_taken(const json_t *result, bool dry)
{
    char folder[4200];
    const json_t *one;
    size_t i;

    json_array_foreach(json_object_get(result, "imported"), i, one)
    {
        snprintf(folder, sizeof(folder), "%s", tree_text(one, "folder", ""));
        cli_disarm(folder);
        printf("%s%s%s %s %s, %s  %s\n", tree_text(one, "id", ""), dry ? "" : "  ",
               tree_text(one, "benchmark", ""), tree_text(one, "scenario", ""),
               tree_text(one, "mode", ""), tree_text(one, "verdict", ""), folder);
    }
    snprintf(folder, sizeof(folder), "%s", tree_text(result, "folder", ""));
    cli_disarm(folder);
    printf("%s: %zu %simported, %zu already there, %zu not imported\n", folder,
           json_array_size(json_object_get(result, "imported")), dry ? "would be " : "",
           json_array_size(json_object_get(result, "duplicates")),
           json_array_size(json_object_get(result, "failed")));
}

/* What was taken is told also where the store then failed. */
static int import(struct cli_input *in)
{
    struct submit_logs_ask ask = {.benchmark = cli_value(in, "benchmark"),
                                  .round = cli_value(in, "round"),
                                  .engine = cli_value(in, "engine"),
                                  .model = cli_value(in, "model"),
                                  .system = cli_value(in, "system"),
                                  .dry = in->settings.dry_run};
    char *store = cli_store(&in->settings);
    json_t *result = NULL, *one;
    struct assay_err err;
    size_t i;
    int rc = store ? submit_take_logs(store, in->args[0], &ask, &result, &err)
                   : assay_fail(&err, ASSAY_EFAIL, "not enough memory");

    free(store);
    json_array_foreach(json_object_get(result, "failed"), i, one)
        cli_warn("%s", tree_text(one, "error", "?"));
    if (rc)
        rc = cli_fail(&err);
    else if (json_array_size(json_object_get(result, "failed")))
        rc = EXIT_COULD_NOT;
    if (result && cli_wants_json(in))
        cli_json(json_incref(result), "results-import");
    else if (result)
        print_taken(result, ask.dry);
    json_decref(result);
    return rc;
}

static const struct cli_verb verbs[] = {
    {"list", "", "the runs, newest first", list},
    {"show", "[RUN]", "the report of a run; default: the last", show},
    {"path", "[RUN]", "the folder of a run: LoadGen's files, record.json, every latency", path},
    {"import", "FOLDER", "take runs into the store from the logs that LoadGen wrote elsewhere",
     import},
    {"reindex", "", "make the index again from the runs' folders", reindex},
    {NULL, NULL, NULL, NULL}};

static const char *const rounds[] = {"v6.1", "v6.0", "v5.1", "v5.0", "v4.1", NULL};
static const char *const verdicts[] = {"VALID", "QUICK-VALID", "AUDIT-VALID", "INVALID",
                                       "ERROR", "INTERRUPTED", NULL};

static const struct cli_option options[] = {
    {"limit", 'n', "N", NULL, NULL, "list: at most N runs"},
    {"benchmark", 0, "BENCHMARK", NULL, NULL,
     "list: only this benchmark; import: of this one, whatever the folders are called"},
    {"model", 'm', "MODEL", NULL, NULL, "list: only this model; import: the model that ran"},
    {"engine", 'e', "ENGINE", NULL, NULL, "list: only this engine; import: the engine that ran"},
    {"scenario", 's', "NAME", settings_scenario_names, NULL, "list: only this scenario"},
    {"mode", 0, "NAME", settings_mode_names, NULL, "list: only this mode"},
    {"verdict", 0, "WORD", verdicts, NULL, "list: only this verdict"},
    {"round", 'r', "ROUND", rounds, NULL, "import: judge by this round; default: the LoadGen's"},
    {"system", 0, "FILE", NULL, NULL,
     "import: what the machine was, `name: value` a line, or MLPerf's description of it"},
    {"tag", 0, "TEXT", NULL, NULL, "list: only runs with this tag"},
    {NULL, 0, NULL, NULL, NULL, NULL}};

static const char *const settings[] = {"store", "json", "dry-run", NULL};

const struct cli_command cli_cmd_results = {
    .name = "results",
    .summary = "list and show the records of runs",
    .arguments = "",
    .verbs = verbs,
    .options = options,
    .settings = settings,
    .help =
        "Every run is kept as a folder in the store. A RUN is an id, the beginning of one, `last`, "
        "a record's folder, or a record.json, wherever it lies.\n"
        "\n"
        "`import` takes a FOLDER of LoadGen's logs (mlperf_log_detail.txt …), or one with many of "
        "them below, as a submission tree has, judges each run by its detail log, and marks it as "
        "imported. Engine, model and machine are what you or the tree say, else unknown. A run "
        "that the store has is not taken again. What cannot be taken is named, the rest is, and "
        "the "
        "exit code is then 3. With --dry-run nothing is taken, and what would be is listed.\n"
        "\n"
        "    assay results\n"
        "    assay results list --benchmark resnet50 --limit 10 --json\n"
        "    assay results show last\n"
        "    assay results import inference_results/closed/ACME\n"
        "    assay results import output --benchmark resnet50 --engine tflite",
    .run = list};
