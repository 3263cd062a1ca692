/* The scans: cases in a folder as KiTS19 lays them out, or made up. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "data/kits19.h"
#include "data/workers.h"
#include "unet.h"

enum { MADE_UP = 16, MADE_UP_MOST = 4096 };

void scans_release(struct scans *s)
{
    uint64_t i;

    for (i = 0; i < s->n; i++) {
        cache_close(s->list[i].cache);
        free(s->list[i].image);
        free(s->list[i].labels);
    }
    free(s->list);
    memset(s, 0, sizeof(*s));
}

static int no_memory(struct assay_err *err)
{
    return assay_fail(err, ASSAY_EFAIL, "3d-unet: not enough memory");
}

/* ---- a folder ---- */

static int open_scan(const char *folder, const char *name, struct scan *one, struct assay_err *err)
{
    struct nifti labels;
    int rc;

    snprintf(one->name, sizeof(one->name), "%s", name);
    one->image = text_format("%s/%s/imaging.nii.gz", folder, one->name);
    one->labels = text_format("%s/%s/segmentation.nii.gz", folder, one->name);
    if (!one->image || !one->labels)
        return no_memory(err);
    if (!file_exists(one->image) || !file_exists(one->labels))
        return assay_fail(err, ASSAY_EFAIL, "%s: is missing",
                          file_exists(one->image) ? one->labels : one->image);
    if ((rc = nifti_read_head(one->image, &one->head, err)) ||
        (rc = nifti_read_head(one->labels, &labels, err)))
        return rc;
    if (memcmp(labels.dims, one->head.dims, sizeof(labels.dims)))
        return assay_fail(err, ASSAY_EFAIL,
                          "%s: has %u x %u x %u voxels, its imaging.nii.gz has %u x %u x %u",
                          one->labels, labels.dims[0], labels.dims[1], labels.dims[2],
                          one->head.dims[0], one->head.dims[1], one->head.dims[2]);
    return volume_dims(&one->head, one->image, one->dims, err);
}

static int open_folder(const struct assay_benchmark_config *config, struct scans *s,
                       struct assay_err *err)
{
    struct kits19 k;
    int rc = kits19_list(config->dataset, config->count, &k, err);

    if (!rc && !(s->list = calloc(k.n, sizeof(*s->list))))
        rc = no_memory(err);
    for (s->n = 0; !rc && s->n < k.n; s->n++)
        rc = open_scan(k.folder, k.cases[s->n].from, &s->list[s->n], err);
    s->official = k.official;
    kits19_release(&k);
    return rc;
}

/* ---- made-up scans ---- */

static int make_up(const struct assay_benchmark_config *config, struct scans *s,
                   struct assay_err *err)
{
    uint64_t i, n = config->count ? config->count : MADE_UP;
    char text[80];
    int rc = ASSAY_OK;

    if (n > MADE_UP_MOST)
        return assay_fail(err, ASSAY_EUSAGE, "synthetic volumes: at most %d are possible",
                          MADE_UP_MOST);
    if (!(s->list = calloc(n, sizeof(*s->list))))
        return no_memory(err);
    for (i = 0; i < n && !rc; i++) {
        struct scan *one = &s->list[i];

        s->n = i + 1;
        snprintf(one->name, sizeof(one->name), "synthetic_%05llu", (unsigned long long)i);
        synthetic_head(config->seed, i, &one->head);
        snprintf(text, sizeof(text), "synthetic 1 %llu %llu", (unsigned long long)config->seed,
                 (unsigned long long)i);
        hash_bytes(text, strlen(text), one->hash[0]);
        memcpy(one->hash[1], one->hash[0], HASH_HEX);
        rc = volume_dims(&one->head, one->name, one->dims, err);
    }
    return rc;
}

/* ---- both ---- */

int scans_open(const struct assay_benchmark_config *config, struct scans *s, struct assay_err *err)
{
    return config->dataset ? open_folder(config, s, err) : make_up(config, s, err);
}

static int hash_scan(void *ctx, uint32_t worker, uint64_t i, struct assay_err *err)
{
    struct scan *one = &((struct scans *)ctx)->list[i];
    int rc;

    (void)worker;
    if (!one->image || one->hash[1][0])
        return ASSAY_OK;
    rc = hash_file(one->image, one->hash[0], err);
    return rc ? rc : hash_file(one->labels, one->hash[1], err);
}

int scans_hash(struct scans *s, const struct assay_benchmark_config *config, char hash[HASH_HEX],
               struct assay_err *err)
{
    struct workers w = {
        .threads = config->threads, .n = s->n, .job = hash_scan, .ctx = s, .stop = config->stop};
    char line[64 + 2 * HASH_HEX];
    struct hash *h;
    uint64_t i;
    int rc = workers_run(&w, err);

    if (rc)
        return rc;
    if (!(h = hash_create()))
        return no_memory(err);
    for (i = 0; i < s->n; i++) {
        const struct scan *one = &s->list[i];

        snprintf(line, sizeof(line), "%s %s %s\n", one->name, one->hash[0], one->hash[1]);
        hash_add(h, line, strlen(line));
    }
    hash_take(h, hash);
    return ASSAY_OK;
}

int scan_image(const struct scan *one, uint64_t index, uint64_t seed, float *out,
               struct assay_err *err)
{
    float *voxels;
    int rc;

    if (one->image)
        return volume_read_image(one->image, &one->head, out, err);
    if (!(voxels = malloc(nifti_voxels(&one->head) * sizeof(*voxels))))
        return no_memory(err);
    synthetic_voxels(&one->head, seed, index, voxels, NULL);
    rc = volume_from_image(&one->head, voxels, out, err);
    free(voxels);
    return rc;
}

int scan_labels(const struct scan *one, uint64_t index, uint64_t seed, uint8_t *out,
                struct assay_err *err)
{
    uint8_t *voxels;
    int rc;

    if (one->labels)
        return volume_read_labels(one->labels, &one->head, out, err);
    if (!(voxels = malloc(nifti_voxels(&one->head))))
        return no_memory(err);
    synthetic_voxels(&one->head, seed, index, NULL, voxels);
    rc = volume_from_labels(&one->head, voxels, out, err);
    free(voxels);
    return rc;
}
