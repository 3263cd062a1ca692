/* assay matrix: what works here, from records, and runs that fill what is not known. */
#include "cli/recipes.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "base/tree.h"
#include "data/bench_host.h"
#include "engine/host.h"
#include "flow/version.h"
#include "record/cell.h"
#include "report/matrix.h"
#include "report/text.h"
#include "run/matrix.h"
#include "run/progress.h"

/* A cell that nobody limited may not take the night. */
#define CELL_LIMIT_S "900"

static const char *const axis_names[] = {"benchmarks", "engines", "devices", "precisions",
                                         "scenarios",  "modes",   NULL};
static const char *const again_names[] = {"failed", "all", NULL};

/* "a,b" as an array; a name that is no choice is an error. */
static int read_axis(struct cli_input *in, const char *name, const char *const *choices,
                     json_t *axes)
{
    const char *list = cli_value(in, name), *end, *near;
    json_t *items = json_array();
    size_t n = 0;

    while (choices && choices[n])
        n++;
    for (; list && *list; list = end + (*end == ',')) {
        char item[256];
        size_t i = 0;

        end = list + strcspn(list, ",");
        snprintf(item, sizeof(item), "%.*s", (int)(end - list), list);
        while (i < n && strcasecmp(choices[i], item))
            i++;
        if (choices && i == n) {
            near = text_nearest(item, choices, n, sizeof(choices[0]));
            json_decref(items);
            return cli_usage(in->command, "--%s: there is no '%s'%s%s%s", name, item,
                             near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
        }
        json_array_append_new(items, json_string(choices ? choices[i] : item));
    }
    json_object_set_new(axes, name, items);
    return EXIT_OK;
}

static int check_versions(const json_t *engines)
{
    struct assay_err err;
    const char *range;
    json_t *v;
    size_t i;

    json_array_foreach(engines, i, v)
    {
        range = engine_version_asked(json_string_value(v));
        if (range && version_range_check(range, json_string_value(v), &err))
            return cli_fail(&err);
    }
    return EXIT_OK;
}

static int read_axes(struct cli_input *in, json_t *axes)
{
    int rc = EXIT_OK;

    for (const char *const *a = axis_names; !rc && *a; a++)
        rc = read_axis(in, *a,
                       !strcmp(*a, "scenarios") ? settings_scenario_names
                       : !strcmp(*a, "modes")   ? settings_mode_names
                                                : NULL,
                       axes);
    return rc ? rc : check_versions(json_object_get(axes, "engines"));
}

/* The model is the benchmark's: a table has one for all its engines. */
static int check_engines(const json_t *engines, const char *file, const char *benchmark,
                         struct assay_err *err)
{
    const struct assay_engine *table;
    struct assay_err why;
    char path[1024];
    const char *name;
    json_t *settings;

    if (engines && !json_is_object(engines))
        return assay_fail(err, ASSAY_EUSAGE, "%s: %s: engines: wanted: {ENGINE: {SETTING: VALUE}}",
                          file, benchmark);
    json_object_foreach((json_t *)(uintptr_t)engines, name, settings)
    {
        if (engine_load(name, &table, path, &why) == ASSAY_EUSAGE)
            return assay_fail(err, why.code, "%.100s: %.380s", file, why.text);
        if (!json_is_object(settings))
            return assay_fail(err, ASSAY_EUSAGE, "%s: %s: engines: %s: wanted: {SETTING: VALUE}",
                              file, benchmark, name);
        if (json_object_get(settings, "model"))
            return assay_fail(err, ASSAY_EUSAGE,
                              "%s: %s: engines: %s: 'model' is for all engines: give one that has "
                              "several formats (docs/models.md)",
                              file, benchmark, name);
    }
    return ASSAY_OK;
}

/* A name in the file of --with that is no benchmark would be passed over without a word. */
static int read_with(const char *file, json_t **own, struct assay_err *err)
{
    const struct assay_benchmark *table;
    struct assay_err why;
    char path[1024];
    const char *name;
    json_t *settings;
    int rc = tree_read_yaml(file, own, err);

    if (!rc && !json_is_object(*own))
        rc = assay_fail(err, ASSAY_EUSAGE, "%s: wanted: BENCHMARK: {SETTING: VALUE}", file);
    json_object_foreach(rc ? NULL : *own, name, settings)
    {
        if (!rc && bench_load(name, &table, path, &why))
            rc = assay_fail(err, why.code, "%.100s: %.380s", file, why.text);
        else if (!rc && !json_is_object(settings))
            rc = assay_fail(err, ASSAY_EUSAGE, "%s: %s: wanted: {SETTING: VALUE}", file, name);
        if (!rc)
            rc = check_engines(json_object_get(settings, "engines"), file, name, err);
    }
    return rc;
}

static int read_ask(struct cli_input *in, json_t *axes, json_t **own, struct matrix_ask *ask)
{
    const char *file = cli_value(in, "with"), *again = cli_value(in, "again");
    struct assay_err err;
    int rc = read_axes(in, axes);

    if (rc)
        return rc;
    if (file && read_with(file, own, &err))
        return cli_fail(&err);
    if (settings_origin_of(&in->settings, "time-limit-s") == SETTINGS_DEFAULT &&
        settings_set(&in->settings, "time-limit-s", CELL_LIMIT_S, SETTINGS_PROFILE, "matrix", &err))
        return cli_fail(&err);
    *ask = (struct matrix_ask){.base = &in->settings,
                               .axes = axes,
                               .own = *own,
                               .again = !again                  ? AGAIN_NO
                                        : !strcmp(again, "all") ? AGAIN_ALL
                                                                : AGAIN_FAILED};
    return EXIT_OK;
}

/* files: those that the cells are from; NULL: a store. */
static int print(struct cli_input *in, const json_t *cells, const json_t *files)
{
    struct assay_err err;
    int rc;

    if (cli_wants_json(in))
        return cli_json(json_pack("{s:O, s:O*}", "cells", cells, "files", files), "matrix");
    rc = cli_value(in, "html")       ? report_matrix_html(cells, stdout)
         : cli_value(in, "markdown") ? report_matrix_markdown(cells, stdout)
                                     : report_matrix_text(cells, stdout);
    return rc ? cli_fail((assay_fail(&err, rc, "the table cannot be written"), &err)) : EXIT_OK;
}

static void cell_words(const json_t *cell, char *out, size_t size)
{
    snprintf(out, size, "%s, %s %s, %s, %s, %s, %s", tree_text(cell, "benchmark", ""),
             tree_text(cell, "engine", ""), tree_text(cell, "engine_version", ""),
             tree_text(cell, "device", ""), tree_text(cell, "precision", ""),
             tree_text(cell, "scenario", ""), tree_text(cell, "mode", ""));
}

static size_t count_runs(const json_t *cells)
{
    const json_t *cell;
    size_t i, n = 0;

    json_array_foreach(cells, i, cell) n += tree_bool(cell, "run", false);
    return n;
}

/* One line a cell on stderr: what the runs themselves show in between goes away. */
static int fill(const char *progress, const struct matrix_ask *ask, const json_t *cells)
{
    size_t i, done = 0, n = count_runs(cells);
    struct assay_err err;
    json_t *cell;
    int64_t began = clock_ns();
    char words[400], line[1200];

    json_array_foreach(cells, i, cell)
    {
        if (!tree_bool(cell, "run", false))
            continue;
        cell_words(cell, words, sizeof(words));
        snprintf(line, sizeof(line), "[%zu of %zu] %s", ++done, n, words);
        progress_line(progress, "matrix", (double)(clock_ns() - began) * 1e-9, line);
        if (matrix_run(ask, cell, &err))
            return cli_fail(&err);
        snprintf(line, sizeof(line), "    %s%s%.1000s  %s", tree_text(cell, "state", ""),
                 *tree_text(cell, "reason", "") ? ": " : "", tree_text(cell, "reason", ""),
                 tree_text(cell, "id", ""));
        progress_line(progress, "matrix", (double)(clock_ns() - began) * 1e-9, line);
    }
    return EXIT_OK;
}

static void print_out(const json_t *out)
{
    const json_t *one;
    size_t i;

    json_array_foreach(out, i, one)
    {
        const char *engine = tree_text(one, "engine", ""), *reason = tree_text(one, "reason", "");
        bool named = !strncmp(reason, engine, strlen(engine));

        fprintf(stderr, "%lld %s: %s%s%s\n", (long long)tree_int(one, "cells", 0),
                tree_text(one, "state", ""), named ? "" : engine, named ? "" : ": ", reason);
    }
}

/* What would be run. */
static int dry(struct cli_input *in, const struct matrix_ask *ask, const json_t *cells)
{
    json_t *plan, *runs, *words;
    struct assay_err err;
    size_t i;
    int rc, code;

    if (matrix_dry(ask, cells, &plan, &err))
        return cli_fail(&err);
    if (cli_wants_json(in)) {
        code = cli_first(in, plan, NULL, stdout);
        rc = cli_json(plan, "plan");
        return rc ? rc : code;
    }
    runs = json_object_get(plan, "commands");
    json_array_foreach(runs, i, words) report_command(words, stdout);
    fflush(stdout);
    fprintf(stderr, "%zu of %zu cells would be run.\n", json_array_size(runs),
            json_array_size(cells));
    print_out(json_object_get(plan, "out"));
    code = cli_first(in, plan, NULL, stderr);
    json_decref(plan);
    return code;
}

static int exit_of(const json_t *cells)
{
    const json_t *cell;
    size_t i;

    json_array_foreach(cells, i, cell)
    {
        if (!strcmp(tree_text(cell, "state", ""), CELL_FAILED))
            return EXIT_INVALID;
    }
    return EXIT_OK;
}

enum what { RUN, SHOW, EVERYTHING };

static int make_cells(const struct matrix_ask *ask, enum what what, json_t **cells)
{
    struct assay_err err;
    int rc =
        what == EVERYTHING ? matrix_everything(ask, cells, &err) : matrix_plan(ask, cells, &err);

    return rc ? cli_fail(&err) : EXIT_OK;
}

/* Gets what recipes give before the first run, and plans anew: of an engine whose library came now
 * nothing was known. */
static int get_first(struct cli_input *in, struct matrix_ask *ask, json_t **cells)
{
    const json_t *get = json_object_get(ask->first, "get");
    int rc = cli_supply(in, get);

    if (rc || !json_array_size(get))
        return rc;
    json_decref(*cells);
    *cells = NULL;
    return make_cells(ask, RUN, cells);
}

static int matrix(struct cli_input *in, enum what what)
{
    json_t *axes = json_object(), *own = NULL, *cells = NULL;
    struct matrix_ask ask;
    int rc = read_ask(in, axes, &own, &ask), printed = EXIT_OK;

    ask.first = json_pack("{s:[], s:[]}", "get", "steps");
    ask.get = what == RUN;
    if (!rc)
        rc = make_cells(&ask, what, &cells);
    if (!rc && in->settings.dry_run) {
        rc = dry(in, &ask, cells);
    } else if (!rc && (what != RUN || !(rc = get_first(in, &ask, &cells)))) {
        rc = what == RUN ? fill(in->settings.progress, &ask, cells) : EXIT_OK;
        printed = print(in, cells, NULL); /* also what was there when it was interrupted */
        if (!rc)
            rc = printed || what == EVERYTHING ? printed : exit_of(cells);
    }
    json_decref(ask.first);
    json_decref(cells);
    json_decref(own);
    json_decref(axes);
    return rc;
}

/* What is wrong with a file: one line, or one for each record that another file contradicts. */
static int say_file(const json_t *file)
{
    const char *error = tree_text(file, "error", NULL);

    if (error)
        cli_warn("%s", error);
    return error ? EXIT_COULD_NOT : cli_say_contradictions(file, "another file; both are shown");
}

/* A word that is neither a file nor, by its looks, the path of one. */
static int check_word(struct cli_input *in)
{
    const char *word = in->args[0], *near;
    size_t n = 0;

    if (strpbrk(word, "/.") || file_exists(word))
        return EXIT_OK;
    while (in->command->verbs[n].name)
        n++;
    near = text_nearest(word, in->command->verbs, n, sizeof(in->command->verbs[0]));
    return cli_usage(in->command,
                     "`assay matrix` has no '%s', and there is no such file or folder%s%s%s", word,
                     near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

static int exports(struct cli_input *in)
{
    json_t *axes = json_object(), *cells = NULL, *files = NULL, *file;
    struct matrix_ask ask = {.base = &in->settings, .axes = axes};
    struct assay_err err;
    int rc = check_word(in), said = EXIT_OK;
    size_t i;

    if (!rc)
        rc = read_axes(in, axes);
    if (!rc && matrix_exports(&ask, in->args, &cells, &files, &err))
        rc = cli_fail(&err);
    json_array_foreach(files, i, file)
    {
        if (say_file(file))
            said = EXIT_COULD_NOT;
    }
    if (!rc)
        rc = print(in, cells, files);
    json_decref(files);
    json_decref(cells);
    json_decref(axes);
    return rc ? rc : said;
}

static int run_all(struct cli_input *in)
{
    return in->count ? exports(in) : matrix(in, RUN);
}

static int show(struct cli_input *in)
{
    return matrix(in, SHOW);
}

static int all(struct cli_input *in)
{
    return matrix(in, EVERYTHING);
}

static const struct cli_verb verbs[] = {
    {"run", "", "run what is not known yet, then print the table", run_all},
    {"show", "", "print the table from the records alone", show},
    {"all", "", "the same of all records in the store, also of other machines (see `assay import`)",
     all},
    {NULL, NULL, NULL, NULL}};

static const struct cli_option options[] = {
    {"benchmarks", 0, "A,B", NULL, NULL, "only these benchmarks; default: all"},
    {"engines", 0, "A,B", NULL, NULL,
     "only these engines, NAME or NAME@VERSION; default: all that execute models"},
    {"devices", 0, "A,B", NULL, NULL, "these devices; default: cpu,cuda:0"},
    {"precisions", 0, "A,B", NULL, NULL, "these precisions; default: the model's, fp32 as a rule"},
    {"scenarios", 0, "A,B", NULL, NULL, "only these; default: the benchmark's official ones"},
    {"modes", 0, "A,B", NULL, NULL, "these modes; default: performance,accuracy"},
    {"with", 0, "FILE", NULL, NULL,
     "settings of each benchmark's runs: YAML, {BENCHMARK: {SETTING: VALUE}}"},
    {"again", 0, "WHICH", again_names, NULL, "run again what has a record: failed, or all"},
    {"markdown", 0, NULL, NULL, NULL, "print the table as Markdown"},
    {"html", 0, NULL, NULL, NULL, "print the table as one HTML page"},
    CLI_SUPPLY_OPTIONS,
    {NULL, 0, NULL, NULL, NULL, NULL}};

static const char *const settings[] = {
    "model", "dataset",       "profile",  "round",          "lanes",           "threads",
    "batch", "batch-wait-ms", "pin",      "engine-options", "count",           "data-threads",
    "seed",  "tuned",         "warmup-s", "time-limit-s",   "store",           "cache",
    "tag",   "progress",      "json",     "dry-run",        "min-query-count", "min-duration-ms",
    NULL};

const struct cli_command cli_cmd_matrix = {
    .name = "matrix",
    .summary = "what works here: every benchmark on every engine, from evidence",
    .arguments = "[FILE...]",
    .verbs = verbs,
    .options = options,
    .settings = settings,
    .help =
        "Runs benchmark x engine x device x precision x scenario, each in a process of its own, "
        "and prints the table of what works, with reasons and the ids of the records. A cell "
        "that has a record with this version of the engine is not run again, so an interrupted "
        "matrix goes on where it was. A cell that would take longer than --time-limit-s (900) "
        "is not begun, and says how long it would take. What recipes give is got first: model, "
        "data set, and of the engines that --engines names the library, where there is none here; "
        "of no other engine anything is fetched. --dry-run says what that would be.\n"
        "\n"
        "With FILEs from `assay export`, or folders of them, it prints the table of the records in "
        "those and runs nothing; a setup then has the machine's architecture and operating system, "
        "too. A file that cannot be read is named, the others go on, and the exit code is 3.\n"
        "\n"
        "    assay matrix --dry-run\n"
        "    assay matrix --benchmarks resnet50,bert --engines onnxruntime,pytorch --devices cpu\n"
        "    assay matrix --engines onnxruntime@1.31.1,onnxruntime@1.32.0 --dry-run\n"
        "    assay matrix --again failed\n"
        "    assay matrix show --html >matrix.html\n"
        "    assay matrix results/ --html >community.html\n"
        "\n"
        "The exit code is 4 when a cell failed.",
    .run = run_all};
