/* RetinaNet (object detection on Open Images): a folder of JPEGs with annotations in COCO's form,
 * or synthetic images.
 *
 * open reads the list; describe hashes it and the photos; prepare makes the cache of tensors, or
 * maps it; respond decodes what the model gives, if it ends at its heads (this is timed), and
 * writes the official payload: seven float32 a detection. */
#include "retinanet.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "data/photos.h"

struct retinanet {
    struct assay_benchmark_config config; /* texts are ours */
    struct model model;
    struct detect heads;
    struct truth truth;
    struct photos photos;
    char name[256];
    struct assay_tensor_spec outputs[OUTPUTS];
    uint32_t output_count;
};

static void retinanet_close(void *self)
{
    struct retinanet *r = self;

    photos_release(&r->photos);
    truth_release(&r->truth);
    free((char *)r->config.dataset);
    free((char *)r->config.cache_dir);
    free(r);
}

static void fill_specs(struct retinanet *r)
{
    r->photos = (struct photos){.config = &r->config,
                                .benchmark = "retinanet",
                                .folder = r->truth.folder,
                                .names = r->truth.files,
                                .n = r->truth.n,
                                .truth = r->truth.boxes,
                                .rule = r->model.rule,
                                .tensor = r->model.input};
    photos_init(&r->photos);
    detect_init(&r->heads, r->model.rule.size, (uint32_t)r->model.classes, (uint32_t)r->model.most);
    r->output_count = model_outputs(&r->model, &r->heads, r->outputs);
    if (r->config.dataset)
        snprintf(r->name, sizeof(r->name), "%s (folder %s)",
                 r->truth.n == OFFICIAL_COUNT ? "openimages-mlperf" : "images",
                 file_base(r->config.dataset));
    else
        snprintf(r->name, sizeof(r->name), "synthetic images and boxes (seed %llu)",
                 (unsigned long long)r->config.seed);
}

static int retinanet_open(const struct assay_benchmark_config *config, void **self,
                          struct assay_err *err)
{
    struct retinanet *r = calloc(1, sizeof(*r));
    int rc;

    if (!r)
        return assay_fail(err, ASSAY_EFAIL, "retinanet: not enough memory");
    r->config = *config;
    r->config.manifest = NULL; /* not needed after open */
    r->config.threads = config->threads ? config->threads : 1;
    r->config.dataset = config->dataset ? strdup(config->dataset) : NULL;
    r->config.cache_dir = config->cache_dir ? strdup(config->cache_dir) : file_cache_dir();
    rc = model_parse(config->manifest, &r->model, err);
    if (!rc)
        rc = truth_open(&r->config, r->model.classes, r->model.rule.size, &r->truth, err);
    if (rc) {
        retinanet_close(r);
        return rc;
    }
    fill_specs(r);
    *self = r;
    return ASSAY_OK;
}

static int retinanet_describe(void *self, struct assay_benchmark_desc *d, struct assay_err *err)
{
    struct retinanet *r = self;
    int rc = r->config.look ? ASSAY_OK : photos_hash(&r->photos, err);

    if (rc)
        return rc;
    d->dataset_name = r->name;
    d->dataset_hash = r->photos.hash;
    d->samples = r->truth.n;
    d->synthetic = !r->config.dataset;
    d->unofficial = r->config.dataset && d->samples != OFFICIAL_COUNT;
    d->input_count = 1;
    d->inputs = &r->photos.input;
    d->output_count = r->output_count;
    d->outputs = r->outputs;
    d->response_bytes = (uint64_t)r->model.most * MAP_ROW_BYTES;
    d->preprocess = r->photos.preprocess;
    /* The official files find as many boxes as there are, for one image. */
    d->whole_outputs = r->model.kind == KIND_DETECTIONS;
    return ASSAY_OK;
}

static int retinanet_prepare(void *self, struct assay_err *err)
{
    return photos_prepare(&((struct retinanet *)self)->photos, err);
}

static int retinanet_load(void *self, const uint64_t *index, uint64_t n, struct assay_err *err)
{
    return photos_load(&((struct retinanet *)self)->photos, index, n, err);
}

static void retinanet_unload(void *self, const uint64_t *index, uint64_t n)
{
    photos_unload(&((struct retinanet *)self)->photos, index, n);
}

static int retinanet_input(void *self, uint64_t index, uint32_t input, struct assay_tensor *view,
                           struct assay_err *err)
{
    return photos_input(&((struct retinanet *)self)->photos, index, input, view, err);
}

/* ---- post-processing ---- */

/* Row `row` of an output as one sample's tensor; a whole output is that already. */
static int row_of(const struct assay_tensor_spec *spec, const struct assay_tensor *from,
                  uint32_t row, struct assay_tensor *to)
{
    bool whole = from->rank == spec->rank;
    uint32_t i;

    *to = *from;
    if (from->dtype != spec->dtype || (!whole && from->rank != spec->rank + 1) ||
        (!whole && row >= from->dims[0]))
        return ASSAY_EFAIL;
    if (!whole) {
        to->rank = spec->rank;
        memmove(to->dims, from->dims + 1, spec->rank * sizeof(to->dims[0]));
    }
    to->bytes = assay_dtype_size(to->dtype);
    for (i = 0; i < spec->rank; i++) {
        if (spec->dims[i] >= 0 && spec->dims[i] != to->dims[i])
            return ASSAY_EFAIL;
        to->bytes *= (size_t)to->dims[i];
    }
    if (!whole)
        to->data = (char *)from->data + row * to->bytes;
    return from->bytes < (whole ? 1 : row + 1) * to->bytes ? ASSAY_EFAIL : ASSAY_OK;
}

static int32_t label_at(const struct assay_tensor *labels, uint32_t i)
{
    int64_t v = labels->dtype == ASSAY_I64 ? ((const int64_t *)labels->data)[i]
                                           : ((const int32_t *)labels->data)[i];

    return v < INT32_MIN ? INT32_MIN : v > INT32_MAX ? INT32_MAX : (int32_t)v;
}

static int from_detections(const struct retinanet *r, uint64_t index, const struct assay_tensor *t,
                           struct detection *to, uint32_t *n, struct assay_err *err)
{
    int64_t found = t[0].dims[0];
    uint32_t i;

    if (t[1].dims[0] != found || t[2].dims[0] != found)
        return assay_fail(
            err, ASSAY_EFAIL,
            "sample %llu: the model gives %lld boxes, %lld scores and %lld labels; they must be "
            "equally many",
            (unsigned long long)index, (long long)found, (long long)t[1].dims[0],
            (long long)t[2].dims[0]);
    if (found > r->model.most)
        return assay_fail(err, ASSAY_EFAIL,
                          "sample %llu: the model gives %lld detections, more than "
                          "output.max_detections (%d); raise it in the manifest",
                          (unsigned long long)index, (long long)found, r->model.most);
    *n = (uint32_t)found;
    for (i = 0; i < *n; i++) {
        memcpy(to[i].box, (const float *)t[0].data + 4 * (size_t)i, sizeof(to[i].box));
        to[i].score = ((const float *)t[1].data)[i];
        to[i].label = label_at(&t[2], i);
    }
    return ASSAY_OK;
}

static int from_heads(const struct retinanet *r, uint64_t index, const struct assay_tensor *t,
                      struct detection *to, uint32_t *n, struct assay_err *err)
{
    struct detect_level level[DETECT_LEVELS];
    const float *scores = t[0].data, *boxes = t[1].data;
    struct assay_err why;
    int l;

    for (l = 0; l < DETECT_LEVELS; l++) {
        size_t anchors = (size_t)r->heads.cells[l] * r->heads.cells[l] * DETECT_ANCHORS;

        if (r->model.kind == KIND_HEADS) {
            level[l] = (struct detect_level){t[l].data, t[l + DETECT_LEVELS].data};
            continue;
        }
        level[l] = (struct detect_level){scores, boxes};
        scores += anchors * (size_t)r->model.classes;
        boxes += anchors * 4;
    }
    if (detect_heads(&r->heads, level, r->model.planes, to, n, &why))
        return assay_fail(err, ASSAY_EFAIL, "sample %llu: %s", (unsigned long long)index, why.text);
    return ASSAY_OK;
}

static int retinanet_respond(void *self, uint64_t index, const struct assay_tensor *outputs,
                             uint32_t count, uint32_t row, void *response, size_t capacity,
                             size_t *bytes, struct assay_err *err)
{
    struct retinanet *r = self;
    struct assay_tensor mine[OUTPUTS] = {{0}};
    struct detection *found;
    uint32_t i, n = 0;
    int rc;

    for (i = 0; i < r->output_count; i++)
        if (count != r->output_count || row_of(&r->outputs[i], &outputs[i], row, &mine[i]) ||
            capacity < (size_t)r->model.most * MAP_ROW_BYTES)
            return assay_fail(err, ASSAY_EFAIL,
                              "sample %llu: the engine's output %u has not the shape that the "
                              "manifest's output.kind has",
                              (unsigned long long)index, i + 1);
    found = malloc((size_t)r->model.most * sizeof(*found));
    if (!found)
        return assay_fail(err, ASSAY_EFAIL, "retinanet: not enough memory");
    rc = (r->model.kind == KIND_DETECTIONS ? from_detections : from_heads)(r, index, mine, found,
                                                                           &n, err);
    if (!rc)
        rc = map_respond(index, found, n, (uint32_t)r->model.classes, (float)r->model.rule.size,
                         response, bytes, err);
    free(found);
    return rc;
}

static int retinanet_score(void *self, const struct assay_log_entry *entries, uint64_t n,
                           struct assay_score *score, struct assay_err *err)
{
    struct retinanet *r = self;
    int rc = map_score(&r->truth.set, entries, n, score, err);

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
    .name = "retinanet",
    .summary = "object detection on Open Images, mAP",
    .loadgen_model = "retinanet",
    .default_model = "retinanet-synthetic",
    .scenarios = scenarios,
    .open = retinanet_open,
    .describe = retinanet_describe,
    .prepare = retinanet_prepare,
    .load = retinanet_load,
    .unload = retinanet_unload,
    .input = retinanet_input,
    .respond = retinanet_respond,
    .score = retinanet_score,
    .close = retinanet_close,
};

const struct assay_benchmark *assay_benchmark_entry(void)
{
    return &table;
}
