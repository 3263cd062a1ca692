/* assay score: the accuracy of any LoadGen accuracy log, ours or made elsewhere. */
#include "cli/cli.h"

#include <math.h>

#include "data/block.h"
#include "load/detail.h"
#include "run/bench.h"

static void set_known(json_t *json, const char *key, double value)
{
    json_object_set_new(json, key, isnan(value) ? json_null() : json_real(value));
}

static int print_score(const struct cli_input *in, const struct run_bench *b,
                       const struct assay_score *score)
{
    bool below = !isnan(score->target) && score->value < score->target;
    json_t *json, *targets;

    if (cli_wants_json(in)) {
        json = json_pack("{s:s, s:s, s:f, s:s, s:I, s:I, s:s, s:s, s:b}", "benchmark",
                         b->table->name, "metric", score->metric, "value", score->value, "unit",
                         score->unit, "good", (json_int_t)score->good, "total",
                         (json_int_t)score->total, "line", score->line, "dataset",
                         b->desc.dataset_name, "synthetic", (int)b->desc.synthetic);
        set_known(json, "reference", score->reference);
        set_known(json, "target", score->target);
        if ((targets = block_targets(b->manifest.tree, score->target, score->value)))
            json_object_set_new(json, "targets", targets);
        cli_json(json, "score");
    } else {
        puts(score->line);
    }
    if (b->desc.synthetic)
        cli_warn(
            "the labels are made up, as no --dataset is given: the figure says nothing, unless "
            "the log is of a run on the same synthetic samples");
    if (below)
        cli_warn("%s %.6g %s is below the target %.6g %s", score->metric, score->value, score->unit,
                 score->target, score->unit);
    return below ? EXIT_ACCURACY : EXIT_OK;
}

static int cmd_score(struct cli_input *in)
{
    struct assay_score score = {.size = sizeof(score), .reference = NAN, .target = NAN};
    struct accuracy_log log = {0};
    struct run_bench b = {0};
    struct assay_err err;
    int rc;

    if (!cli_value(in, "log"))
        return cli_usage(in->command,
                         "`assay score` wants --log FILE (LoadGen's mlperf_log_accuracy.json)");
    rc = accuracy_log_read(cli_value(in, "log"), &log, &err);
    if (!rc)
        rc = run_bench_open(&b, in->args[0], &in->settings, false, &err);
    if (!rc)
        rc = b.table->score(b.self, log.entries, log.n, &score, &err);
    rc = rc ? cli_fail(&err) : print_score(in, &b, &score);
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
