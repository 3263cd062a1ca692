/* Loads benchmarks and checks their tables once; later code trusts them. */
#include "data/bench_host.h"

#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "base/plugin.h"
#include "data/manifest.h"

static const struct plugin_kind kind = {"benchmark", "lib/assay/benchmarks", "ASSAY_BENCHMARK_PATH",
                                        "assay_benchmark_entry", false};

/* What the first ABI minor has: everything up to and with close. */
#define LEAST_SIZE offsetof(struct assay_benchmark, drive)

/* A model in the place of its benchmark: what many type first. */
static int refuse_model(const char *name, struct assay_err *err)
{
    static const char *const weights[] = {".onnx", ".pb", ".pt", ".pth", ".xml", ".safetensors"};
    const char *end = strrchr(file_base(name), '.');
    struct manifest m;

    if (!end)
        return ASSAY_OK;
    if (!strcasecmp(end, ".yaml") || !strcasecmp(end, ".yml")) {
        bool good = !manifest_open(name, &m, NULL);

        assay_fail(err, ASSAY_EUSAGE,
                   "%s: a benchmark stands here, and its model behind it: %s --model %s", name,
                   good ? m.benchmark : "resnet50", name);
        if (good)
            manifest_release(&m);
        return ASSAY_EUSAGE;
    }
    for (size_t i = 0; i < sizeof(weights) / sizeof(weights[0]); i++)
        if (!strcasecmp(end, weights[i]))
            return assay_fail(err, ASSAY_EUSAGE,
                              "%s: a benchmark stands here, and its model is named by a manifest%s",
                              name,
                              i ? ": see docs/models.md"
                                : ", which `assay models new` makes of an ONNX file: then resnet50 "
                                  "--model FILE.yaml");
    return ASSAY_OK;
}

int bench_load(const char *name, const struct assay_benchmark **table, char path[1024],
               struct assay_err *err)
{
    const struct assay_benchmark *b;
    const void *found;
    int rc = refuse_model(name, err);

    if (!rc)
        rc = plugin_open(&kind, name, &found, path, err);
    if (rc)
        return rc;
    b = found;
    if (b->abi_major != ASSAY_BENCHMARK_ABI_MAJOR)
        return assay_fail(err, ASSAY_EFAIL,
                          "%s: is built for benchmark ABI %u, this program has %u; rebuild it",
                          path, b->abi_major, ASSAY_BENCHMARK_ABI_MAJOR);
    if (b->size < LEAST_SIZE)
        return assay_fail(err, ASSAY_EFAIL, "%s: its table has %llu bytes, at least %zu are wanted",
                          path, (unsigned long long)b->size, LEAST_SIZE);
    if (!b->name || !b->loadgen_model || !b->scenarios || !b->open || !b->describe || !b->prepare ||
        !b->load || !b->unload || !b->input || !b->respond || !b->score || !b->close)
        return assay_fail(err, ASSAY_EFAIL,
                          "%s: a required function or name is missing in its table", path);
    *table = b;
    return ASSAY_OK;
}

int bench_describe(const struct assay_benchmark *table, void *self,
                   struct assay_benchmark_desc *desc, struct assay_err *err)
{
    const char *lacking;
    int rc;

    *desc = (struct assay_benchmark_desc){.size = sizeof(*desc)};
    if ((rc = table->describe(self, desc, err)))
        return rc;
    lacking = !desc->dataset_name   ? "dataset_name"
              : !desc->dataset_hash ? "dataset_hash"
              : !desc->preprocess   ? "preprocess"
              : !desc->samples      ? "samples"
                                    : NULL;
    return lacking ? assay_fail(err, ASSAY_EFAIL, "benchmark %s: describe says no %s", table->name,
                                lacking)
                   : ASSAY_OK;
}

json_t *bench_list(void)
{
    return plugin_list(&kind);
}
