/* 3D-UNet (segmentation of kidneys and tumours, KiTS19): a folder of cases, or made-up scans.
 *
 * open reads the list and the headers; describe hashes the files; prepare makes the volumes, one
 * cache file a case because their sizes differ, or maps them.  drive, timed, moves the window over
 * a volume, asks the model for each, and writes the official payload: the class of every voxel, one
 * byte each.  score makes the truth of the segmentations and compares. */
#include "unet.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "data/workers.h"
#include "score/dice.h"
#include "score/windows.h"

/* What one sample needs on its way, made for the largest and kept for the next: after the warm-up
 * no memory is taken. */
struct scratch {
    struct scratch *next;
    struct windows windows;
    float tile[WINDOWS_VOXELS];
};

struct unet {
    struct assay_benchmark_config config; /* texts are ours */
    struct model model;
    struct scans scans;
    struct assay_tensor_spec input, output; /* of the model, for one window */
    float *weights;
    pthread_mutex_t lock;
    struct scratch *idle; /* under lock */
    bool prepared;
    char hash[HASH_HEX], name[300], note[120];
};

static int no_memory(struct assay_err *err)
{
    return assay_fail(err, ASSAY_EFAIL, "3d-unet: not enough memory");
}

static void unet_close(void *self)
{
    struct unet *u = self;
    struct scratch *s;

    while ((s = u->idle)) {
        u->idle = s->next;
        windows_release(&s->windows);
        free(s);
    }
    pthread_mutex_destroy(&u->lock);
    scans_release(&u->scans);
    free(u->weights);
    free((char *)u->config.dataset);
    free((char *)u->config.cache_dir);
    free(u);
}

/* ---- opening ---- */

static struct assay_tensor_spec window_spec(const struct model *m, const char *name, int64_t planes)
{
    int64_t side = WINDOWS_SIDE, first[] = {planes, side, side, side},
            last[] = {side, side, side, planes};
    struct assay_tensor_spec s = {.name = name[0] ? name : NULL, .dtype = ASSAY_F32, .rank = 4};

    memcpy(s.dims, m->channels_last ? last : first, sizeof(first));
    return s;
}

static void fill_specs(struct unet *u)
{
    u->input = window_spec(&u->model, u->model.input, 1);
    u->output = window_spec(&u->model, u->model.output, WINDOWS_CLASSES);
    if (!u->config.dataset)
        snprintf(u->name, sizeof(u->name), "synthetic volumes and segmentations (seed %llu)",
                 (unsigned long long)u->config.seed);
    else
        snprintf(u->name, sizeof(u->name), "kits19 (folder %s%s)", file_base(u->config.dataset),
                 u->scans.official ? "" : ", not the 43 official cases");
}

static int unet_open(const struct assay_benchmark_config *config, void **self,
                     struct assay_err *err)
{
    struct unet *u = calloc(1, sizeof(*u));
    int rc;

    if (!u)
        return no_memory(err);
    pthread_mutex_init(&u->lock, NULL);
    u->config = *config;
    u->config.manifest = NULL; /* not needed after open */
    u->config.threads = config->threads ? config->threads : 1;
    u->config.dataset = config->dataset ? strdup(config->dataset) : NULL;
    u->config.cache_dir = config->cache_dir ? strdup(config->cache_dir) : file_cache_dir();
    rc = model_parse(config->manifest, &u->model, err);
    if (!rc)
        rc = scans_open(&u->config, &u->scans, err);
    if (!rc && !(u->weights = windows_weights()))
        rc = no_memory(err);
    if (rc) {
        unet_close(u);
        return rc;
    }
    fill_specs(u);
    *self = u;
    return ASSAY_OK;
}

static uint64_t largest(const struct scans *s)
{
    uint64_t i, most = 0;

    for (i = 0; i < s->n; i++)
        most = scan_voxels(&s->list[i]) > most ? scan_voxels(&s->list[i]) : most;
    return most;
}

static double mean_voxels(const struct scans *s)
{
    double sum = 0;

    for (uint64_t i = 0; i < s->n; i++)
        sum += (double)scan_voxels(&s->list[i]);
    return sum / (double)s->n;
}

static double mean_windows(const struct scans *s)
{
    double sum = 0;

    for (uint64_t i = 0; i < s->n; i++) {
        const uint32_t *dims = s->list[i].dims;

        sum += (double)windows_count(dims[0]) * windows_count(dims[1]) * windows_count(dims[2]);
    }
    return sum / (double)s->n;
}

static int unet_describe(void *self, struct assay_benchmark_desc *d, struct assay_err *err)
{
    struct unet *u = self;
    int rc =
        u->hash[0] || u->config.look ? ASSAY_OK : scans_hash(&u->scans, &u->config, u->hash, err);

    if (rc)
        return rc;
    d->dataset_name = u->name;
    d->dataset_hash = u->hash;
    d->samples = u->scans.n;
    if (!u->config.dataset) {
        snprintf(u->note, sizeof(u->note),
                 "made-up scans have %.1f windows on average, KiTS19's 8 to 144: its rate is lower",
                 mean_windows(&u->scans));
        d->note = u->note;
    }
    d->synthetic = !u->config.dataset;
    d->unofficial = u->config.dataset && !u->scans.official;
    d->input_count = 1;
    d->inputs = &u->input;
    d->output_count = 1;
    d->outputs = &u->output;
    d->response_bytes = largest(&u->scans);
    d->loaded_bytes = (uint64_t)(mean_voxels(&u->scans) * sizeof(float));
    d->preprocess = "resampled to 1.6 x 1.2 x 1.2 mm (linear), clipped to -79..304, (x - 101) / "
                    "76.9, sizes brought to multiples of 64, at least 128; float32";
    return ASSAY_OK;
}

/* ---- samples ---- */

struct job {
    const struct unet *unet;
    uint64_t index;
};

/* The only sample of a case's cache file. */
static int fill_volume(void *ctx, uint32_t worker, uint64_t zero, void *const *memory,
                       struct assay_err *err)
{
    const struct job *job = ctx;
    const struct unet *u = job->unet;
    const struct scan *one = &u->scans.list[job->index];
    uint8_t *labels = malloc(scan_voxels(one));
    int rc;

    (void)worker, (void)zero;
    if (!labels)
        return no_memory(err);
    /* The truth is not kept, but looked at now: a run must not end with a segmentation that cannot
     * be read. */
    rc = scan_labels(one, job->index, u->config.seed, labels, err);
    free(labels);
    return rc ? rc : scan_image(one, job->index, u->config.seed, memory[0], err);
}

static int prepare_scan(void *ctx, uint32_t worker, uint64_t index, struct assay_err *err)
{
    struct unet *u = ctx;
    struct scan *one = &u->scans.list[index];
    struct job job = {u, index};
    struct assay_tensor_spec volume = {
        .dtype = ASSAY_F32, .rank = 4, .dims = {1, one->dims[0], one->dims[1], one->dims[2]}};
    char text[32 + 2 * HASH_HEX], key[HASH_HEX];
    struct cache_spec spec = {.dir = u->config.cache_dir,
                              .name = "3d-unet",
                              .key = key,
                              .count = 1,
                              .input_count = 1,
                              .inputs = &volume,
                              .threads = 1,
                              .fill = fill_volume,
                              .ctx = &job,
                              .stop = u->config.stop};

    (void)worker;
    snprintf(text, sizeof(text), "3d-unet %d %s %s", VOLUME_CODE_VERSION, one->hash[0],
             one->hash[1]);
    hash_bytes(text, strlen(text), key);
    return one->cache ? ASSAY_OK : cache_open(&spec, &one->cache, err);
}

static int unet_prepare(void *self, struct assay_err *err)
{
    struct unet *u = self;
    struct workers w = {.threads = u->config.threads,
                        .n = u->scans.n,
                        .job = prepare_scan,
                        .ctx = u,
                        .progress = u->config.progress,
                        .progress_ctx = u->config.progress_ctx,
                        .stop = u->config.stop};
    int rc = u->hash[0] ? ASSAY_OK : scans_hash(&u->scans, &u->config, u->hash, err);

    if (!rc)
        rc = workers_run(&w, err);
    u->prepared = !rc;
    return rc;
}

/* NULL: err is set. */
static struct cache *cache_of(const struct unet *u, uint64_t index, struct assay_err *err)
{
    if (u->prepared && index < u->scans.n)
        return u->scans.list[index].cache;
    if (!u->prepared)
        assay_fail(err, ASSAY_EFAIL, "3d-unet: samples are asked for before they were prepared");
    else
        assay_fail(err, ASSAY_EFAIL, "3d-unet: there is no sample %llu", (unsigned long long)index);
    return NULL;
}

static int unet_load(void *self, const uint64_t *index, uint64_t n, struct assay_err *err)
{
    const uint64_t first = 0;
    struct cache *c;
    uint64_t i;
    int rc = ASSAY_OK;

    for (i = 0; i < n && !rc; i++)
        rc = (c = cache_of(self, index[i], err)) ? cache_load(c, &first, 1, err) : ASSAY_EFAIL;
    return rc;
}

static void unet_unload(void *self, const uint64_t *index, uint64_t n)
{
    const uint64_t first = 0;
    struct cache *c;
    uint64_t i;

    for (i = 0; i < n; i++)
        if ((c = cache_of(self, index[i], NULL)))
            cache_unload(c, &first, 1);
}

/* The volume, of which the model gets windows. */
static int unet_input(void *self, uint64_t index, uint32_t input, struct assay_tensor *view,
                      struct assay_err *err)
{
    struct cache *c = cache_of(self, index, err);

    return c ? cache_input(c, 0, input, view, err) : ASSAY_EFAIL;
}

/* ---- the timed part ---- */

/* For the scan whose planes are the largest. */
static struct scratch *make_scratch(const struct unet *u)
{
    struct scratch *s = calloc(1, sizeof(*s));
    const struct scan *widest = u->scans.list, *one;
    uint64_t i;

    for (i = 1; i < u->scans.n; i++) {
        one = &u->scans.list[i];
        if ((uint64_t)one->dims[1] * one->dims[2] > (uint64_t)widest->dims[1] * widest->dims[2])
            widest = one;
    }
    if (s && windows_begin(&s->windows, u->weights, widest->dims, NULL)) {
        free(s);
        s = NULL;
    }
    return s;
}

static struct scratch *take_scratch(struct unet *u)
{
    struct scratch *s;

    pthread_mutex_lock(&u->lock);
    if ((s = u->idle))
        u->idle = s->next;
    pthread_mutex_unlock(&u->lock);
    return s ? s : make_scratch(u);
}

static void give_scratch(struct unet *u, struct scratch *s)
{
    pthread_mutex_lock(&u->lock);
    s->next = u->idle;
    u->idle = s;
    pthread_mutex_unlock(&u->lock);
}

/* A batch of one in front of the spec's dims. */
static struct assay_tensor batch_of_one(const struct assay_tensor_spec *spec, void *data)
{
    struct assay_tensor t = {
        .dtype = spec->dtype, .rank = spec->rank + 1, .dims = {1}, .data = data};
    uint32_t d;

    t.bytes = assay_dtype_size(spec->dtype);
    for (d = 0; d < spec->rank; d++) {
        t.dims[d + 1] = spec->dims[d];
        t.bytes *= (size_t)spec->dims[d];
    }
    return t;
}

static int infer_window(const struct unet *u, const struct assay_driver *driver, struct scratch *s,
                        uint32_t y, uint32_t x, struct assay_err *err)
{
    struct assay_tensor in = batch_of_one(&u->input, s->tile), out = {0},
                        want = batch_of_one(&u->output, NULL);
    bool last = u->model.channels_last;
    int rc = driver->infer(driver->ctx, 0, 1, &in, 1, &out, 1, err);

    if (rc)
        return rc;
    if (out.dtype != want.dtype || out.rank != want.rank || out.bytes != want.bytes ||
        memcmp(out.dims, want.dims, want.rank * sizeof(want.dims[0])))
        return assay_fail(err, ASSAY_EFAIL,
                          "the engine's output is not float32 of %d classes and 128 x 128 x 128 "
                          "voxels in the manifest's layout",
                          WINDOWS_CLASSES);
    windows_add(&s->windows, y, x, out.data, last ? 1 : WINDOWS_VOXELS, last ? WINDOWS_CLASSES : 1);
    return ASSAY_OK;
}

static int slide(const struct unet *u, const struct assay_driver *driver, struct scratch *s,
                 const float *volume, uint8_t *labels, struct assay_err *err)
{
    const uint32_t *dims = s->windows.dims;
    uint32_t z, y, x;
    int rc = ASSAY_OK;

    for (z = 0; z < windows_count(dims[0]) && !rc; z++) {
        for (y = 0; y < windows_count(dims[1]) && !rc; y++)
            for (x = 0; x < windows_count(dims[2]) && !rc; x++) {
                windows_cut(&s->windows, volume, z, y, x, s->tile);
                rc = infer_window(u, driver, s, y, x, err);
            }
        if (!rc)
            rc = windows_next(&s->windows, z, labels, err);
    }
    return rc;
}

static int unet_drive(void *self, uint64_t index, const struct assay_driver *driver, void *response,
                      size_t capacity, size_t *bytes, struct assay_err *err)
{
    struct unet *u = self;
    struct assay_err why = {0};
    struct assay_tensor volume;
    struct scratch *s;
    const struct scan *one;
    int rc = unet_input(u, index, 0, &volume, err);

    if (rc)
        return rc;
    one = &u->scans.list[index];
    *bytes = scan_voxels(one);
    if (!(s = take_scratch(u)))
        return no_memory(err);
    if (*bytes > capacity)
        rc = assay_fail(&why, ASSAY_EFAIL, "no room for %zu bytes of response", *bytes);
    else if (!(rc = windows_begin(&s->windows, u->weights, one->dims, &why)))
        rc = slide(u, driver, s, volume.data, response, &why);
    give_scratch(u, s);
    if (rc && rc != ASSAY_ESTOP)
        assay_fail(err, rc, "sample %llu (%s): %s", (unsigned long long)index, one->name, why.text);
    return rc;
}

static int unet_respond(void *self, uint64_t index, const struct assay_tensor *outputs,
                        uint32_t count, uint32_t row, void *response, size_t capacity,
                        size_t *bytes, struct assay_err *err)
{
    (void)self, (void)index, (void)outputs, (void)count, (void)row, (void)response, (void)capacity,
        (void)bytes;
    return assay_fail(err, ASSAY_EFAIL, "3d-unet: a sample is many windows; the host must drive");
}

/* ---- score ---- */

/* As the official script: every case once. */
static int collect(const struct unet *u, const struct assay_log_entry *entries, uint64_t n,
                   const struct assay_log_entry **by_case, struct assay_err *err)
{
    uint64_t i;

    if (!n)
        return assay_fail(err, ASSAY_EFAIL, "accuracy log: has no entries; run in accuracy mode");
    for (i = 0; i < n; i++) {
        const struct assay_log_entry *e = &entries[i];
        unsigned long long index = e->index;

        if (index >= u->scans.n)
            return assay_fail(err, ASSAY_EFAIL,
                              "accuracy log: sample %llu is not in the data set, which has %llu",
                              index, (unsigned long long)u->scans.n);
        if (by_case[index])
            return assay_fail(err, ASSAY_EFAIL, "accuracy log: sample %llu is there twice", index);
        if (e->bytes != scan_voxels(&u->scans.list[index]))
            return assay_fail(err, ASSAY_EFAIL,
                              "accuracy log, sample %llu (%s): has %llu bytes of data; wanted: "
                              "%llu, a class for each voxel",
                              index, u->scans.list[index].name, (unsigned long long)e->bytes,
                              (unsigned long long)scan_voxels(&u->scans.list[index]));
        by_case[index] = e;
    }
    return ASSAY_OK;
}

static int not_there(const struct unet *u, uint64_t index, struct assay_err *err)
{
    return assay_fail(
        err, ASSAY_EFAIL, "accuracy log: has no sample %llu (%s); DICE is of all %llu cases",
        (unsigned long long)index, u->scans.list[index].name, (unsigned long long)u->scans.n);
}

static int add_case(const struct unet *u, const struct assay_log_entry *entry, struct dice *sum,
                    struct assay_err *err)
{
    const struct scan *one = &u->scans.list[entry->index];
    uint8_t *truth = malloc(scan_voxels(one));
    int rc = truth ? scan_labels(one, entry->index, u->config.seed, truth, err) : no_memory(err);

    if (!rc)
        rc = dice_add(sum, truth, entry->data, entry->bytes, err);
    free(truth);
    return rc;
}

static void fill_score(const struct unet *u, const struct dice *sum, struct assay_score *score)
{
    double means[DICE_CLASSES];

    dice_means(sum, means);
    snprintf(score->metric, sizeof(score->metric), "DICE");
    snprintf(score->unit, sizeof(score->unit), "%%");
    snprintf(score->line, sizeof(score->line), "Accuracy: mean = %.5f, kidney = %.4f, tumor = %.4f",
             means[0], means[1], means[2]);
    score->value = 100 * means[0];
    score->good = 0;
    score->total = sum->cases;
    score->reference = u->config.dataset ? u->model.reference : NAN;
    score->target = u->config.dataset ? u->model.target : NAN;
}

static int unet_score(void *self, const struct assay_log_entry *entries, uint64_t n,
                      struct assay_score *score, struct assay_err *err)
{
    struct unet *u = self;
    const struct assay_log_entry **by_case = calloc(u->scans.n, sizeof(*by_case));
    struct dice sum = {0};
    uint64_t i;
    int rc;

    if (!by_case)
        return no_memory(err);
    rc = collect(u, entries, n, by_case, err);
    for (i = 0; i < u->scans.n && !rc; i++)
        rc = by_case[i] ? add_case(u, by_case[i], &sum, err) : not_there(u, i, err);
    free(by_case);
    if (!rc)
        fill_score(u, &sum, score);
    return rc;
}

static const char *const scenarios[] = {"SingleStream", "Offline", NULL};

static const struct assay_benchmark table = {
    .abi_major = ASSAY_BENCHMARK_ABI_MAJOR,
    .abi_minor = ASSAY_BENCHMARK_ABI_MINOR,
    .size = sizeof(struct assay_benchmark),
    .name = "3d-unet",
    .summary = "segmentation of kidneys and tumours on KiTS19, DICE",
    .loadgen_model = "3d-unet",
    .default_model = "3d-unet-synthetic",
    .scenarios = scenarios,
    .open = unet_open,
    .describe = unet_describe,
    .prepare = unet_prepare,
    .load = unet_load,
    .unload = unet_unload,
    .input = unet_input,
    .respond = unet_respond,
    .score = unet_score,
    .close = unet_close,
    .drive = unet_drive,
};

const struct assay_benchmark *assay_benchmark_entry(void)
{
    return &table;
}
