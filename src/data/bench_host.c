/* Loads benchmarks and checks their tables once; later code trusts them. */
#include "data/bench_host.h"

#include "base/plugin.h"

static const struct plugin_kind kind = {"benchmark", "lib/assay/benchmarks", "ASSAY_BENCHMARK_PATH",
                                        "assay_benchmark_entry"};

/* What the first ABI minor has: everything up to and with close. */
#define LEAST_SIZE offsetof(struct assay_benchmark, drive)

int bench_load(const char *name, const struct assay_benchmark **table, char path[1024],
               struct assay_err *err)
{
    const struct assay_benchmark *b;
    const void *found;
    int rc = plugin_open(&kind, name, &found, path, err);

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
