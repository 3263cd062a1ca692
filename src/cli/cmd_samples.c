/* assay samples: any pre-processed sample, as the engine would get it. */
#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "data/npy.h"
#include "run/bench.h"

/* The tensor's place in the table of inputs; without --input the first. */
static int pick_input(const struct cli_input *in, const struct run_bench *b, int64_t *input)
{
    *input = 0;
    return cli_value_int(in, "input", 0, (int64_t)b->desc.input_count - 1, input);
}

static int write_sample(struct cli_input *in, struct run_bench *b, int64_t index,
                        const char *output)
{
    struct assay_tensor view;
    struct assay_err err;
    uint64_t number = (uint64_t)index;
    int64_t input;
    int rc = pick_input(in, b, &input);

    if (rc)
        return rc;
    if (number >= b->desc.samples)
        return cli_usage(in->command, "--index %lld: %s has the samples 0 to %llu",
                         (long long)index, b->desc.dataset_name,
                         (unsigned long long)b->desc.samples - 1);
    rc = b->table->load(b->self, &number, 1, &err);
    if (rc)
        return cli_fail(&err);
    rc = b->table->input(b->self, number, (uint32_t)input, &view, &err);
    if (!rc)
        rc = npy_write(strcmp(output, "-") ? output : "/proc/self/fd/1", &view, &err);
    b->table->unload(b->self, &number, 1);
    if (rc)
        return cli_fail(&err);
    fprintf(stderr, "sample %lld of %s: %s; %s\n", (long long)index, b->desc.dataset_name,
            assay_dtype_name(view.dtype), b->desc.preprocess);
    return EXIT_OK;
}

static int cmd_samples(struct cli_input *in)
{
    const char *output = cli_value(in, "output");
    struct run_bench b;
    struct assay_err err;
    int64_t index = -1;
    int rc;

    if (!output || !cli_value(in, "index"))
        return cli_usage(in->command, "`assay samples` wants --index N and --output FILE");
    if ((rc = cli_value_int(in, "index", 0, INT64_MAX, &index)))
        return rc;
    if (run_bench_open(&b, in->args[0], NULL, &in->settings, true, &err))
        return cli_fail(&err);
    rc = write_sample(in, &b, index, output);
    run_bench_close(&b);
    return rc;
}

static const struct cli_option options[] = {
    {"index", 'i', "N", NULL, NULL, "which sample, counted from 0"},
    {"input", 0, "N", NULL, NULL, "which of the model's inputs, counted from 0; default: 0"},
    {"output", 'o', "FILE", NULL, NULL, "the .npy file to write; '-' is standard output"},
    {NULL, 0, NULL, NULL, NULL, NULL}};

static const char *const settings[] = {"dataset", "model",        "sizes", "count",
                                       "seed",    "data-threads", "cache", NULL};

const struct cli_command cli_cmd_samples = {
    .name = "samples",
    .summary = "write a pre-processed sample as a NumPy file",
    .arguments = "BENCHMARK",
    .options = options,
    .settings = settings,
    .help =
        "Pre-processes the data set (or takes what an earlier run left in the cache) and writes "
        "one sample as "
        "the engine would get it. Needs no engine. Without --dataset: of the synthetic samples.\n"
        "\n"
        "    assay samples resnet50 --dataset imagenet --index 7 --output 7.npy",
    .run = cmd_samples};
