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
#include "data/labels.h"
#include "data/photos.h"
#include "data/synthetic.h"
#include "score/top1.h"

#define SYNTHETIC_COUNT 1024
#define OFFICIAL_COUNT  50000

struct resnet50 {
    struct assay_benchmark_config config; /* texts are ours */
    struct model model;
    struct labels labels; /* names: none when synthetic */
    struct photos photos;
    char name[256];
    struct assay_tensor_spec output;
};

static void resnet50_close(void *self)
{
    struct resnet50 *r = self;

    photos_release(&r->photos);
    labels_release(&r->labels);
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
    r->photos = (struct photos){.config = &r->config,
                                .benchmark = "resnet50",
                                .folder = r->config.dataset,
                                .names = r->labels.names,
                                .n = r->labels.n,
                                .labels = r->labels.values,
                                .rule = r->model.rule,
                                .tensor = r->model.input};
    photos_init(&r->photos);
    /* No name: the tensor at that place. */
    r->output = (struct assay_tensor_spec){.name = r->model.output[0] ? r->model.output : NULL,
                                           .dtype = r->model.dtype};
    if (!r->model.argmax) {
        r->output.rank = 1;
        r->output.dims[0] = r->model.classes - r->model.offset;
    }
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
        snprintf(r->name, sizeof(r->name), "%s (folder %s)",
                 r->labels.n == OFFICIAL_COUNT ? "imagenet2012" : "images",
                 file_base(config->dataset));
    else
        snprintf(r->name, sizeof(r->name), "synthetic images (seed %llu)",
                 (unsigned long long)config->seed);
    *self = r;
    return ASSAY_OK;
}

static int resnet50_describe(void *self, struct assay_benchmark_desc *d, struct assay_err *err)
{
    struct resnet50 *r = self;
    int rc = r->config.look ? ASSAY_OK : photos_hash(&r->photos, err);

    if (rc)
        return rc;
    d->dataset_name = r->name;
    d->dataset_hash = r->photos.hash;
    d->samples = r->labels.n;
    d->synthetic = !r->config.dataset;
    d->unofficial = r->config.dataset && d->samples != OFFICIAL_COUNT;
    d->input_count = d->output_count = 1;
    d->inputs = &r->photos.input;
    d->outputs = &r->output;
    d->response_bytes = sizeof(float);
    d->preprocess = r->photos.preprocess;
    return ASSAY_OK;
}

static int resnet50_prepare(void *self, struct assay_err *err)
{
    return photos_prepare(&((struct resnet50 *)self)->photos, err);
}

static int resnet50_load(void *self, const uint64_t *index, uint64_t n, struct assay_err *err)
{
    return photos_load(&((struct resnet50 *)self)->photos, index, n, err);
}

static void resnet50_unload(void *self, const uint64_t *index, uint64_t n)
{
    photos_unload(&((struct resnet50 *)self)->photos, index, n);
}

static int resnet50_input(void *self, uint64_t index, uint32_t input, struct assay_tensor *view,
                          struct assay_err *err)
{
    return photos_input(&((struct resnet50 *)self)->photos, index, input, view, err);
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
        score->target = r->model.target;
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
