/* assay quantize: an int8 model of an fp32 one, its ranges found on samples. */
#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "run/bench.h"
#include "run/observe.h"

#define SAMPLES  64 /* when --samples is not given */
#define MAX_FILE 0x7fffffffu

static void progress(void *ctx, uint64_t done, uint64_t total)
{
    (void)ctx;
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\rcalibrating: %3llu %%%s", (unsigned long long)(100 * done / total),
                done == total ? "\n" : "");
}

static int report(struct cli_input *in, const struct run_bench *b, const char *output,
                  uint64_t samples, const struct quantize_sum *sum)
{
    fprintf(stderr,
            "%s: %u of %u nodes in int8, %.1f MB; ranges from %llu samples of %s\n"
            "To run it, name it in a copy of %s under `files: {onnx: …}`, with `precision: int8`\n",
            output, sum->quantized, sum->nodes, (double)sum->bytes / 1e6,
            (unsigned long long)samples, b->desc.dataset_name, file_base(b->manifest.file));
    if (!cli_wants_json(in))
        return EXIT_OK;
    return cli_json(json_pack("{s:s, s:s, s:s, s:s, s:b, s:I, s:i, s:i, s:I}", "model", in->args[0],
                              "file", output, "precision", "int8", "dataset", b->desc.dataset_name,
                              "synthetic", (int)b->desc.synthetic, "samples", (json_int_t)samples,
                              "nodes", (int)sum->nodes, "quantized", (int)sum->quantized, "bytes",
                              (json_int_t)sum->bytes),
                    "quantized-file");
}

static int quantize_file(struct cli_input *in, struct run_bench *b, uint64_t samples,
                         const char *output, struct quantize_sum *sum, struct assay_err *err)
{
    const char *range = cli_value(in, "range");
    char *data = NULL, *folder = file_join(b->cache, "quantize"), *runtime = NULL;
    struct observe o = {.engine = "onnxruntime",
                        .folder = folder,
                        .benchmark = b->table,
                        .self = b->self,
                        .desc = &b->desc,
                        .samples = samples,
                        .whole = range && !strcmp(range, "whole"),
                        .progress = progress};
    struct quantizer *q = NULL;
    size_t len;
    int rc = folder ? file_read(in->args[0], MAX_FILE, &data, &len, err)
                    : assay_fail(err, ASSAY_EFAIL, "not enough memory");

    if (!rc)
        rc = quantize_open(data, len, in->args[0], &q, err);
    if (!rc)
        rc = supply_runtime(b->cache, o.engine, "cpu", &runtime, NULL, NULL, err);
    o.runtime = runtime;
    if (!rc)
        rc = observe_ranges(&o, q, err);
    if (!rc)
        rc = quantize_write(q, output, sum, err);
    quantize_close(q);
    free(runtime);
    free(data);
    free(folder);
    return rc;
}

/* The benchmark is the one that the model's manifest names. */
static int open_bench(struct run_bench *b, const struct settings *s, struct assay_err *err)
{
    struct manifest m = {0};
    int rc = manifest_open(s->model, &m, err);

    if (!rc)
        rc = run_bench_open(b, m.benchmark, "onnx", s, true, err);
    manifest_release(&m);
    return rc;
}

static int cmd_quantize(struct cli_input *in)
{
    const char *output = cli_value(in, "output");
    struct quantize_sum sum;
    struct run_bench b;
    struct assay_err err;
    int64_t samples = SAMPLES;
    int rc;

    if (!output)
        return cli_usage(in->command, "`assay quantize` wants --output FILE");
    if (!in->settings.model)
        return cli_usage(in->command, "`assay quantize` wants --model MANIFEST: it says how "
                                      "samples are prepared for the model");
    if ((rc = cli_value_int(in, "samples", 1, 1000000, &samples)))
        return rc;
    if (open_bench(&b, &in->settings, &err))
        return cli_fail(&err);
    if ((uint64_t)samples > b.desc.samples)
        samples = (int64_t)b.desc.samples;
    if (quantize_file(in, &b, (uint64_t)samples, output, &sum, &err))
        rc = cli_fail(&err);
    else
        rc = report(in, &b, output, (uint64_t)samples, &sum);
    run_bench_close(&b);
    return rc;
}

static const char *const ranges[] = {"best", "whole", NULL};

static const struct cli_option options[] = {
    {"output", 'o', "FILE", NULL, NULL, "the file to write; it appears whole or not at all"},
    {"samples", 'n', "N", NULL, NULL,
     "how many samples to calibrate on, spread over the data set; default: 64"},
    {"range", 0, "NAME", ranges, NULL,
     "of activations: best has the least mean square error, whole cuts nothing; default: best"},
    {NULL, 0, NULL, NULL, NULL, NULL}};

static const char *const settings[] = {"model",        "dataset", "count", "seed",
                                       "data-threads", "cache",   "json",  NULL};

const struct cli_command cli_cmd_quantize = {
    .name = "quantize",
    .summary = "make an int8 model of an ONNX model",
    .arguments = "FILE",
    .options = options,
    .settings = settings,
    .help =
        "Reads an fp32 ONNX model, runs samples through it with ONNX Runtime to see the ranges of "
        "its activations, and writes a model that ONNX Runtime and OpenVINO compute with 8-bit "
        "integers: Conv, Gemm, MatMul, Add and pooling nodes, by QuantizeLinear and "
        "DequantizeLinear. Weights are rounded by output channel. Everything else passes through "
        "unchanged: of a transformer all but the products with weights. --model names the manifest "
        "that says how samples are prepared. Without "
        "--dataset the ranges come from synthetic samples, which suits only synthetic weights.\n"
        "\n"
        "Do not judge the result's accuracy on the samples that it was calibrated on.\n"
        "\n"
        "    assay quantize net.onnx --model net.yaml --dataset calibration --output net-int8.onnx",
    .run = cmd_quantize};
