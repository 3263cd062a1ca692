/* A benchmark without an engine; see bench.h. */
#include "run/bench.h"

#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpus.h"
#include "base/file.h"
#include "data/bench_host.h"
#include "data/block.h"

static volatile int stop;

static void on_interrupt(int number)
{
    (void)number;
    stop = 1;
}

static void catch_interrupts(struct sigaction old[2])
{
    const struct sigaction action = {.sa_handler = on_interrupt};

    stop = 0;
    sigaction(SIGINT, &action, &old[0]);
    sigaction(SIGTERM, &action, &old[1]);
}

static void let_interrupts_go(const struct sigaction old[2])
{
    sigaction(SIGINT, &old[0], NULL);
    sigaction(SIGTERM, &old[1], NULL);
}

static int open_manifest(struct run_bench *b, const char *format, const struct settings *s,
                         struct assay_err *err)
{
    const char *model = s->model;
    const json_t *files;
    int rc;

    if (!model)
        model = b->table->default_model;
    if (!model)
        return assay_fail(err, ASSAY_EUSAGE, "%s has no default model: give one with --model",
                          b->table->name);
    if ((rc = manifest_open(model, &b->manifest, err)))
        return rc;
    if (strcmp(b->manifest.benchmark, b->table->name))
        return assay_fail(err, ASSAY_EUSAGE, "%s: is a model for %s, not for %s", b->manifest.file,
                          b->manifest.benchmark, b->table->name);
    if (s->sizes && (rc = manifest_set_sizes(&b->manifest, s->sizes, err)))
        return rc;
    files = json_object_get(b->manifest.tree, "files");
    if (format && files && !json_object_get(files, format))
        return assay_fail(err, ASSAY_EUSAGE,
                          "%s: says nothing of a model in the format '%s': name its file under "
                          "`files: {%s: …}`",
                          b->manifest.file, format, format);
    manifest_settle(&b->manifest, format);
    if (!(b->manifest_text = json_dumps(b->manifest.tree, JSON_COMPACT)))
        return assay_fail(err, ASSAY_EFAIL, "not enough memory");
    return ASSAY_OK;
}

static int open_self(struct run_bench *b, const struct settings *s, bool prepare,
                     struct assay_err *err)
{
    struct assay_benchmark_config config = {.size = sizeof(config),
                                            .dataset = b->dataset,
                                            .manifest = b->manifest_text,
                                            .cache_dir = b->cache,
                                            .threads = s->data_threads ? (uint32_t)s->data_threads
                                                                       : cpus_usable(),
                                            .count = (uint64_t)s->count,
                                            .seed = (uint64_t)s->seed,
                                            .stop = &stop};
    struct sigaction old[2];
    int rc;

    catch_interrupts(old);
    rc = manifest_place(&b->manifest, b->table->open(&config, &b->self, err), err);
    if (!rc)
        rc = bench_describe(b->table, b->self, &b->desc, err);
    if (!rc && prepare)
        rc = b->table->prepare(b->self, err);
    let_interrupts_go(old);
    return rc;
}

/* A folder, or the name of a recipe that has been got. */
static int find_dataset(struct run_bench *b, const struct settings *s, struct assay_err *err)
{
    struct supplied out = {NULL, NULL};
    int rc = ASSAY_OK;

    if (!s->dataset)
        return ASSAY_OK;
    out.get = json_array();
    if (file_is_dir(s->dataset))
        b->dataset = strdup(s->dataset);
    else
        rc = supply_dataset(b->cache, s->dataset, &b->dataset, &out, &b->hold, err);
    if (!rc && !b->dataset)
        rc = assay_fail(err, ASSAY_EFAIL, "not enough memory");
    if (json_array_size(out.get))
        rc = assay_fail(err, ASSAY_EFAIL, "'%s' is not here: `assay get %s` gets it", s->dataset,
                        s->dataset);
    if (!rc)
        supply_use(&b->hold);
    json_decref(out.get);
    return rc;
}

int run_bench_open(struct run_bench *b, const char *name, const char *format,
                   const struct settings *s, bool prepare, struct assay_err *err)
{
    char path[1024];
    int rc;

    memset(b, 0, sizeof(*b));
    b->cache = s->cache ? file_absolute(s->cache) : file_cache_dir();
    rc = b->cache ? find_dataset(b, s, err) : assay_fail(err, ASSAY_EFAIL, "not enough memory");
    if (!rc)
        rc = bench_load(name, &b->table, path, err);
    if (!rc)
        rc = open_manifest(b, format, s, err);
    if (!rc)
        rc = open_self(b, s, prepare, err);
    if (rc)
        run_bench_close(b);
    return rc;
}

void run_bench_close(struct run_bench *b)
{
    if (b->self)
        b->table->close(b->self);
    manifest_release(&b->manifest);
    free(b->manifest_text);
    supply_let_go(&b->hold);
    free(b->dataset);
    free(b->cache);
    memset(b, 0, sizeof(*b));
}

/* JSON has no NaN. */
static json_t *number(double value)
{
    return isnan(value) ? json_null() : json_real(value);
}

int run_score(const struct assay_benchmark *table, void *self, const json_t *manifest,
              const struct accuracy_log *log, json_t **accuracy, struct assay_err *err)
{
    struct assay_score s = {.size = sizeof(s), .value = NAN, .reference = NAN, .target = NAN};
    json_t *targets;
    int rc = table->score(self, log->entries, log->n, &s, err);

    if (rc)
        return rc;
    *accuracy = json_pack(
        "{s:s, s:o, s:s, s:I, s:I, s:o, s:o, s:o, s:s}", "metric", s.metric, "value",
        number(s.value), "unit", s.unit, "good", (json_int_t)s.good, "total", (json_int_t)s.total,
        "reference", number(s.reference), "target", number(s.target), "passed",
        isnan(s.target) ? json_null() : json_boolean(s.value >= s.target), "line", s.line);
    if (!*accuracy)
        return assay_fail(err, ASSAY_EFAIL, "%s: its score is no text, or not enough memory",
                          table->name);
    if ((targets = block_targets(manifest, s.target, s.value)))
        json_object_set_new(*accuracy, "targets", targets);
    return ASSAY_OK;
}
