/* From the list of photos to the cache of tensors; see photos.h. */
#include "data/photos.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "data/synthetic.h"
#include "data/workers.h"

static int no_memory(const struct photos *p, struct assay_err *err)
{
    return assay_fail(err, ASSAY_EFAIL, "%s: not enough memory", p->benchmark);
}

void photos_init(struct photos *p)
{
    int64_t size = p->rule.size, nchw[] = {3, size, size}, nhwc[] = {size, size, 3};

    p->input = (struct assay_tensor_spec){
        .name = p->tensor[0] ? p->tensor : NULL, .dtype = ASSAY_F32, .rank = 3};
    memcpy(p->input.dims, p->rule.nhwc ? nhwc : nchw, sizeof(nchw));
    image_describe(&p->rule, p->preprocess, sizeof(p->preprocess));
}

void photos_release(struct photos *p)
{
    cache_close(p->cache);
    free(p->hashes);
    p->cache = NULL;
    p->hashes = NULL;
}

static int hash_photo(void *ctx, uint32_t worker, uint64_t i, struct assay_err *err)
{
    struct photos *p = ctx;
    char *path = file_join(p->folder, p->names[i]);
    int rc;

    (void)worker;
    if (!path)
        return no_memory(p, err);
    if (file_size(path) < 0)
        rc = assay_fail(err, ASSAY_EFAIL, "%s: is in the list of images, but missing", path);
    else
        rc = hash_file(path, p->hashes[i], err);
    free(path);
    return rc;
}

static int hash_files(struct photos *p, struct assay_err *err)
{
    struct workers w = {.threads = p->config->threads,
                        .n = p->n,
                        .job = hash_photo,
                        .ctx = p,
                        .stop = p->config->stop};

    free(p->hashes);
    p->hashes = calloc(p->n, sizeof(*p->hashes));
    return p->hashes ? workers_run(&w, err) : no_memory(p, err);
}

/* Boxes decide a run's accuracy, and not its samples: the cache of the tensors stays. */
static int add_truth(struct photos *p, struct assay_err *err)
{
    char both[2 * HASH_HEX];
    int n = snprintf(both, sizeof(both), "%s ", p->files_hash), rc;

    if ((rc = hash_file(p->truth, both + n, err)))
        return rc;
    hash_bytes(both, strlen(both), p->hash);
    return ASSAY_OK;
}

int photos_hash(struct photos *p, struct assay_err *err)
{
    char line[160];
    struct hash *h;
    uint64_t i;
    int rc;

    if (p->hash[0])
        return ASSAY_OK;
    if (p->folder && (rc = hash_files(p, err)))
        return rc;
    if (!(h = hash_create()))
        return no_memory(p, err);
    snprintf(line, sizeof(line), "synthetic 1 %llu %llu\n", (unsigned long long)p->config->seed,
             (unsigned long long)p->n);
    if (!p->folder)
        hash_add(h, line, strlen(line));
    for (i = 0; p->folder && i < p->n; i++) {
        hash_add(h, p->names[i], strlen(p->names[i]));
        if (p->labels)
            snprintf(line, sizeof(line), " %d %s\n", p->labels[i], p->hashes[i]);
        else
            snprintf(line, sizeof(line), " %s\n", p->hashes[i]);
        hash_add(h, line, strlen(line));
    }
    hash_take(h, p->files_hash);
    if (p->truth)
        return add_truth(p, err);
    memcpy(p->hash, p->files_hash, sizeof(p->hash));
    return ASSAY_OK;
}

static int fill_synthetic(struct photos *p, struct image_work *w, uint64_t index, float *out,
                          struct assay_err *err)
{
    uint32_t size = p->rule.size;
    struct pixels photo = {.width = size, .height = size};
    int rc = ASSAY_OK;

    photo.data = malloc((size_t)size * size * 3);
    if (!photo.data)
        return no_memory(p, err);
    synthetic_image(p->config->seed, index, size, photo.data);
    if (p->rule.method == IMAGE_STRETCH)
        rc = image_stretch(&p->rule, &photo, w, out, err);
    else
        image_normalise(&p->rule, w, photo.data, out);
    free(photo.data);
    return rc;
}

static int fill_sample(void *ctx, uint32_t worker, uint64_t index, void *const *memory,
                       struct assay_err *err)
{
    struct photos *p = ctx;
    char *path;
    int rc;

    if (!p->folder)
        return fill_synthetic(p, &p->work[worker], index, memory[0], err);
    path = file_join(p->folder, p->names[index]);
    rc = path ? image_read(&p->rule, path, &p->work[worker], memory[0], err) : no_memory(p, err);
    free(path);
    return rc;
}

static int make_cache(struct photos *p, const char *key, struct assay_err *err)
{
    const struct assay_benchmark_config *c = p->config;
    struct cache_spec spec = {.dir = c->cache_dir,
                              .name = p->benchmark,
                              .key = key,
                              .count = p->n,
                              .input_count = 1,
                              .inputs = &p->input,
                              .threads = c->threads,
                              .fill = fill_sample,
                              .ctx = p,
                              .progress = c->progress,
                              .progress_ctx = c->progress_ctx,
                              .stop = c->stop};
    uint32_t t;
    int rc;

    p->work = calloc(c->threads, sizeof(*p->work));
    if (!p->work)
        return no_memory(p, err);
    for (t = 0; t < c->threads; t++)
        image_work_init(&p->work[t], &p->rule);
    rc = cache_open(&spec, &p->cache, err);
    for (t = 0; t < c->threads; t++)
        image_work_release(&p->work[t]);
    free(p->work);
    p->work = NULL;
    return rc;
}

int photos_prepare(struct photos *p, struct assay_err *err)
{
    char text[700], key[HASH_HEX];
    int rc;

    if (p->cache)
        return ASSAY_OK;
    if ((rc = photos_hash(p, err)))
        return rc;
    snprintf(text, sizeof(text), "%d %s %s", IMAGE_CODE_VERSION, p->files_hash, p->preprocess);
    hash_bytes(text, strlen(text), key);
    return make_cache(p, key, err);
}

static int not_prepared(const struct photos *p, struct assay_err *err)
{
    return assay_fail(err, ASSAY_EFAIL, "%s: samples are asked for before they were prepared",
                      p->benchmark);
}

int photos_load(struct photos *p, const uint64_t *index, uint64_t n, struct assay_err *err)
{
    return p->cache ? cache_load(p->cache, index, n, err) : not_prepared(p, err);
}

void photos_unload(struct photos *p, const uint64_t *index, uint64_t n)
{
    if (p->cache)
        cache_unload(p->cache, index, n);
}

int photos_input(const struct photos *p, uint64_t index, uint32_t input, struct assay_tensor *view,
                 struct assay_err *err)
{
    return p->cache ? cache_input(p->cache, index, input, view, err) : not_prepared(p, err);
}
