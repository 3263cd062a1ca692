/* assay score: the accuracy of any LoadGen accuracy log, ours or made elsewhere. */
#include "cli/cli.h"

#include <math.h>

#include "base/tree.h"
#include "run/bench.h"

static int print_score(const struct cli_input *in, const struct run_bench *b, json_t *accuracy)
{
    bool below = json_is_false(json_object_get(accuracy, "passed"));
    const char *unit = tree_text(accuracy, "unit", "");

    if (b->desc.synthetic)
        cli_warn(
            "the labels are made up, as no --dataset is given: the figure says nothing, unless "
            "the log is of a run on the same synthetic samples");
    if (below)
        cli_warn("%s %.6g %s is below the target %.6g %s", tree_text(accuracy, "metric", ""),
                 tree_real(accuracy, "value", NAN), unit, tree_real(accuracy, "target", NAN), unit);
    if (cli_wants_json(in)) {
        json_object_set_new(accuracy, "benchmark", json_string(b->table->name));
        json_object_set_new(accuracy, "dataset", json_string(b->desc.dataset_name));
        json_object_set_new(accuracy, "synthetic", json_boolean(b->desc.synthetic));
        cli_json(accuracy, "score");
    } else {
        puts(tree_text(accuracy, "line", ""));
        json_decref(accuracy);
    }
    return below ? EXIT_ACCURACY : EXIT_OK;
}

static int cmd_score(struct cli_input *in)
{
    struct accuracy_log log = {0};
    struct run_bench b = {0};
    json_t *accuracy = NULL;
    struct assay_err err;
    int rc;

    if (!cli_value(in, "log"))
        return cli_usage(in->command,
                         "`assay score` wants --log FILE (LoadGen's mlperf_log_accuracy.json)");
    rc = accuracy_log_read(cli_value(in, "log"), &log, &err);
    if (!rc)
        rc = run_bench_open(&b, in->args[0], NULL, &in->settings, false, &err);
    if (!rc)
        rc = run_score(b.table, b.self, b.manifest.tree, &log, &accuracy, &err);
    rc = rc ? cli_fail(&err) : print_score(in, &b, accuracy);
    run_bench_close(&b);
    accuracy_log_release(&log);
    return rc;
}

static const struct cli_option options[] = {
    {"log", 0, "FILE", NULL, NULL, "the mlperf_log_accuracy.json to score"},
    {NULL, 0, NULL, NULL, NULL, NULL}};

static const char *const settings[] = {"dataset", "model", "sizes", "count",
                                       "seed",    "cache", "json",  NULL};

const struct cli_command cli_cmd_score = {
    .name = "score",
    .summary = "compute the accuracy of a LoadGen accuracy log",
    .arguments = "BENCHMARK",
    .options = options,
    .settings = settings,
    .help = "Prints the line that the official accuracy script prints for this log. Needs no "
            "engine, and the log "
            "may come from another program. Without --dataset it is scored against made-up labels, "
            "and a warning says so. The exit code tells when a reference model's target is "
            "missed.\n"
            "\n"
            "    assay score resnet50 --dataset imagenet --log mlperf_log_accuracy.json",
    .run = cmd_score};
