/* ResNet50 (image classification on ImageNet): a folder of JPEGs with val_map.txt, or synthetic
 * images.
 *
 * open reads the list; describe hashes the photos; prepare makes the cache of tensors, or maps it;
 * respond turns the model's output into the official payload, one float32 label. */
#include "resnet50.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/text.h"
#include "data/cache.h"
#include "data/labels.h"
#include "data/workers.h"
#include "score/top1.h"

#define SYNTHETIC_COUNT 1024

struct resnet50 {
    struct assay_benchmark_config config; /* texts are ours */
    struct model model;
    struct labels labels;     /* names: none when synthetic */
    char (*hashes)[HASH_HEX]; /* of each photo's bytes, once known */
    char hash[HASH_HEX], name[256], preprocess[512];
    struct assay_tensor_spec input, output;
    struct image_work *work; /* one a thread, while preparing */
    struct cache *cache;
};

static void resnet50_close(void *self)
{
    struct resnet50 *r = self;

    cache_close(r->cache);
    labels_release(&r->labels);
    free(r->hashes);
    free((char *)r->config.dataset);
    free((char *)r->config.cache_dir);
    free(r);
}

static int synthetic_list(struct resnet50 *r, struct assay_err *err)
{
    uint64_t n = r->config.count ? r->config.count : SYNTHETIC_COUNT, i;

    r->labels.values = n < 1u << 28 ? calloc(n, sizeof(*r->labels.values)) : NULL;
    if (!r->labels.values)
        return assay_fail(err, ASSAY_EFAIL, "synthetic images: not enough memory for %llu",
                          (unsigned long long)n);
    r->labels.n = n;
    for (i = 0; i < n; i++)
        r->labels.values[i] = synthetic_label(r->config.seed, i, r->model.classes);
    return ASSAY_OK;
}

static void fill_specs(struct resnet50 *r)
{
    const struct image_rule *rule = &r->model.rule;
    int64_t nchw[] = {3, rule->size, rule->size}, nhwc[] = {rule->size, rule->size, 3};

    /* No name: the tensor at that place. */
    r->input = (struct assay_tensor_spec){
        .name = r->model.input[0] ? r->model.input : NULL, .dtype = ASSAY_F32, .rank = 3};
    memcpy(r->input.dims, rule->nhwc ? nhwc : nchw, sizeof(nchw));
    r->output = (struct assay_tensor_spec){.name = r->model.output[0] ? r->model.output : NULL,
                                           .dtype = r->model.dtype};
    if (!r->model.argmax) {
        r->output.rank = 1;
        r->output.dims[0] = r->model.classes - r->model.offset;
    }
    image_describe(rule, r->preprocess, sizeof(r->preprocess));
}

static int resnet50_open(const struct assay_benchmark_config *config, void **self,
                         struct assay_err *err)
{
    struct resnet50 *r = calloc(1, sizeof(*r));
    int rc;

    if (!r)
        return assay_fail(err, ASSAY_EFAIL, "resnet50: not enough memory");
    r->config = *config;
    r->config.manifest = NULL; /* not needed after open */
    r->config.threads = config->threads ? config->threads : 1;
    r->config.dataset = config->dataset ? strdup(config->dataset) : NULL;
    r->config.cache_dir = config->cache_dir ? strdup(config->cache_dir) : file_cache_dir();
    rc = model_parse(config->manifest, &r->model, err);
    if (!rc && config->dataset)
        rc = labels_read(config->dataset, r->model.classes, config->count, &r->labels, err);
    else if (!rc)
        rc = synthetic_list(r, err);
    if (rc) {
        resnet50_close(r);
        return rc;
    }
    fill_specs(r);
    if (config->dataset)
        snprintf(r->name, sizeof(r->name), "imagenet2012 (folder %s)", file_base(config->dataset));
    else
        snprintf(r->name, sizeof(r->name), "synthetic images (seed %llu)",
                 (unsigned long long)config->seed);
    *self = r;
    return ASSAY_OK;
}

static int hash_photo(void *ctx, uint32_t worker, uint64_t i, struct assay_err *err)
{
    struct resnet50 *r = ctx;
    char *path = file_join(r->config.dataset, r->labels.names[i]);
    int rc;

    (void)worker;
    if (!path)
        return assay_fail(err, ASSAY_EFAIL, "resnet50: not enough memory");
    if (file_size(path) < 0)
        rc = assay_fail(err, ASSAY_EFAIL, "%s: is in the list of images, but missing", path);
    else
        rc = hash_file(path, r->hashes[i], err);
    free(path);
    return rc;
}

/* The data set's hash: names, labels and bytes of the photos in order; of synthetic ones, what
 * makes them. */
static int hash_dataset(struct resnet50 *r, struct assay_err *err)
{
    struct workers w = {.threads = r->config.threads,
                        .n = r->labels.n,
                        .job = hash_photo,
                        .ctx = r,
                        .stop = r->config.stop};
    char line[512];
    struct hash *h;
    uint64_t i;
    int rc;

    if (r->hash[0])
        return ASSAY_OK;
    if (r->config.dataset) {
        free(r->hashes);
        r->hashes = calloc(r->labels.n, sizeof(*r->hashes));
        if (!r->hashes)
            return assay_fail(err, ASSAY_EFAIL, "resnet50: not enough memory");
        if ((rc = workers_run(&w, err)))
            return rc;
    }
    h = hash_create();
    if (!h)
        return assay_fail(err, ASSAY_EFAIL, "resnet50: not enough memory");
    snprintf(line, sizeof(line), "synthetic 1 %llu %llu\n", (unsigned long long)r->config.seed,
             (unsigned long long)r->labels.n);
    if (!r->config.dataset)
        hash_add(h, line, strlen(line));
    for (i = 0; r->config.dataset && i < r->labels.n; i++) {
        hash_add(h, r->labels.names[i], strlen(r->labels.names[i]));
        snprintf(line, sizeof(line), " %d %s\n", r->labels.values[i], r->hashes[i]);
        hash_add(h, line, strlen(line));
    }
    hash_take(h, r->hash);
    return ASSAY_OK;
}

static int resnet50_describe(void *self, struct assay_benchmark_desc *d, struct assay_err *err)
{
    struct resnet50 *r = self;
    int rc = hash_dataset(r, err);

    if (rc)
        return rc;
    d->dataset_name = r->name;
    d->dataset_hash = r->hash;
    d->samples = r->labels.n;
    d->synthetic = !r->config.dataset;
    d->input_count = d->output_count = 1;
    d->inputs = &r->input;
    d->outputs = &r->output;
    d->response_bytes = sizeof(float);
    d->preprocess = r->preprocess;
    return ASSAY_OK;
}

static int fill_sample(void *ctx, uint32_t worker, uint64_t index, void *const *memory,
                       struct assay_err *err)
{
    struct resnet50 *r = ctx;
    const struct image_rule *rule = &r->model.rule;
    size_t bytes = (size_t)rule->size * rule->size * 3;
    char *path;
    uint8_t *crop;
    int rc;

    if (r->config.dataset) {
        path = file_join(r->config.dataset, r->labels.names[index]);
        rc = path ? image_read(rule, path, &r->work[worker], memory[0], err)
                  : assay_fail(err, ASSAY_EFAIL, "resnet50: not enough memory");
        free(path);
        return rc;
    }
    crop = malloc(bytes);
    if (!crop)
        return assay_fail(err, ASSAY_EFAIL, "resnet50: not enough memory");
    synthetic_image(r->config.seed, index, rule->size, crop);
    image_normalise(rule, &r->work[worker], crop, memory[0]);
    free(crop);
    return ASSAY_OK;
}

static int resnet50_prepare(void *self, struct assay_err *err)
{
    struct resnet50 *r = self;
    struct cache_spec spec = {.dir = r->config.cache_dir,
                              .name = "resnet50",
                              .count = r->labels.n,
                              .input_count = 1,
                              .inputs = &r->input,
                              .threads = r->config.threads,
                              .fill = fill_sample,
                              .ctx = r,
                              .progress = r->config.progress,
                              .progress_ctx = r->config.progress_ctx,
                              .stop = r->config.stop};
    char text[700], key[HASH_HEX];
    uint32_t t;
    int rc;

    if (r->cache)
        return ASSAY_OK;
    if ((rc = hash_dataset(r, err)))
        return rc;
    snprintf(text, sizeof(text), "%d %s %s", IMAGE_CODE_VERSION, r->hash, r->preprocess);
    hash_bytes(text, strlen(text), key);
    spec.key = key;
    r->work = calloc(r->config.threads, sizeof(*r->work));
    if (!r->work)
        return assay_fail(err, ASSAY_EFAIL, "resnet50: not enough memory");
    for (t = 0; t < r->config.threads; t++)
        image_work_init(&r->work[t], &r->model.rule);
    rc = cache_open(&spec, &r->cache, err);
    for (t = 0; t < r->config.threads; t++)
        image_work_release(&r->work[t]);
    free(r->work);
    r->work = NULL;
    return rc;
}

static int not_prepared(struct assay_err *err)
{
    return assay_fail(err, ASSAY_EFAIL,
                      "resnet50: samples are asked for before they were prepared");
}

static int resnet50_load(void *self, const uint64_t *index, uint64_t n, struct assay_err *err)
{
    struct resnet50 *r = self;

    return r->cache ? cache_load(r->cache, index, n, err) : not_prepared(err);
}

static void resnet50_unload(void *self, const uint64_t *index, uint64_t n)
{
    struct resnet50 *r = self;

    if (r->cache)
        cache_unload(r->cache, index, n);
}

static int resnet50_input(void *self, uint64_t index, uint32_t input, struct assay_tensor *view,
                          struct assay_err *err)
{
    struct resnet50 *r = self;

    return r->cache ? cache_input(r->cache, index, input, view, err) : not_prepared(err);
}

static int resnet50_respond(void *self, uint64_t index, const struct assay_tensor *outputs,
                            uint32_t count, uint32_t row, void *response, size_t capacity,
                            size_t *bytes, struct assay_err *err)
{
    struct resnet50 *r = self;
    const struct model *m = &r->model;
    uint64_t width = m->argmax ? 1 : (uint64_t)(m->classes - m->offset);
    size_t at = (size_t)row * width * assay_dtype_size(m->dtype);
    int64_t label;
    float payload;

    if (count != 1 || outputs[0].dtype != m->dtype ||
        outputs[0].bytes < at + width * assay_dtype_size(m->dtype) || capacity < sizeof(payload))
        return assay_fail(err, ASSAY_EFAIL,
                          "sample %llu: the engine's output is not the %s of %llu values wanted",
                          (unsigned long long)index, assay_dtype_name(m->dtype),
                          (unsigned long long)width);
    if (m->dtype == ASSAY_I64)
        label = ((const int64_t *)outputs[0].data)[row];
    else if (m->dtype == ASSAY_I32)
        label = ((const int32_t *)outputs[0].data)[row];
    else if ((label = top1_argmax((const float *)outputs[0].data + row * width, width)) < 0)
        return assay_fail(err, ASSAY_EFAIL, "sample %llu: the model's output has NaN",
                          (unsigned long long)index);
    /* With offset -1 the background class gives -1: official, and counted wrong. */
    if (label < 0 || label >= (int64_t)m->classes - m->offset || label + m->offset >= m->classes)
        return assay_fail(
            err, ASSAY_EFAIL,
            "sample %llu: the model's label %lld is outside 0..%d (output.classes %d)",
            (unsigned long long)index, (long long)label, m->classes - m->offset - 1, m->classes);
    payload = (float)(label + m->offset);
    memcpy(response, &payload, sizeof(payload));
    *bytes = sizeof(payload);
    return ASSAY_OK;
}

static int resnet50_score(void *self, const struct assay_log_entry *entries, uint64_t n,
                          struct assay_score *score, struct assay_err *err)
{
    struct resnet50 *r = self;
    int rc = top1_score(r->labels.values, r->labels.n, entries, n, score, err);

    if (!rc && r->config.dataset && !isnan(r->model.reference)) {
        score->reference = r->model.reference;
        score->target = r->model.reference * 0.99;
    }
    return rc;
}

static const char *const scenarios[] = {"SingleStream", "MultiStream", "Server", "Offline", NULL};

static const struct assay_benchmark table = {
    .abi_major = ASSAY_BENCHMARK_ABI_MAJOR,
    .abi_minor = ASSAY_BENCHMARK_ABI_MINOR,
    .size = sizeof(struct assay_benchmark),
    .name = "resnet50",
    .summary = "image classification on ImageNet, top-1",
    .loadgen_model = "resnet50",
    .default_model = "resnet50-synthetic",
    .scenarios = scenarios,
    .open = resnet50_open,
    .describe = resnet50_describe,
    .prepare = resnet50_prepare,
    .load = resnet50_load,
    .unload = resnet50_unload,
    .input = resnet50_input,
    .respond = resnet50_respond,
    .score = resnet50_score,
    .close = resnet50_close,
};

const struct assay_benchmark *assay_benchmark_entry(void)
{
    return &table;
}
