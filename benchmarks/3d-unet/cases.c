/* The scans: cases in a folder as KiTS19 lays them out, or made up. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "data/workers.h"
#include "unet.h"

enum { MADE_UP = 16, MADE_UP_MOST = 4096, COPY = 400, COPY_OF = 185 };

/* The benchmark's own, in the order of LoadGen's indices.  Case 400 is a copy of 185. */
static const uint16_t official[] = {0,   3,   5,   6,   12,  24,  34,  41,  44,  49,  52,
                                    56,  61,  65,  66,  70,  76,  78,  80,  84,  86,  87,
                                    92,  111, 112, 125, 128, 138, 157, 160, 161, 162, 169,
                                    171, 176, 185, 187, 189, 198, 203, 206, 207, 400};

enum { OFFICIAL = sizeof(official) / sizeof(official[0]) };

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

static bool has_case(const char *folder, unsigned number)
{
    char *path = text_format("%s/case_%05u/imaging.nii.gz", folder, number);
    bool there = path && file_exists(path);

    free(path);
    return there;
}

/* How many of the benchmark's cases are not there, and the first of them. */
static int missing_official(const char *folder, unsigned *first)
{
    int i, missing = 0;

    for (i = 0; i < OFFICIAL; i++)
        if (!has_case(folder, official[i]) && (official[i] != COPY || !has_case(folder, COPY_OF)))
            *first = missing++ ? *first : official[i];
    return missing;
}

/* A download that broke off would silently become a data set of all that is there. */
static int incomplete(const char *folder, int missing, unsigned first, struct assay_err *err)
{
    return assay_fail(err, ASSAY_EFAIL,
                      "%s: has %d of the benchmark's %d cases, and case_%05u/imaging.nii.gz is "
                      "missing: get the rest, or take most of them out for a data set of other "
                      "cases",
                      folder, OFFICIAL - missing, OFFICIAL, first);
}

static int name_official(const char *folder, struct scans *s, struct assay_err *err)
{
    int i;

    if (!(s->list = calloc(OFFICIAL, sizeof(*s->list))))
        return no_memory(err);
    for (s->n = i = 0; i < OFFICIAL; i++) {
        unsigned number = official[i] == COPY && !has_case(folder, COPY) ? COPY_OF : official[i];

        snprintf(s->list[s->n++].name, sizeof(s->list->name), "case_%05u", number);
    }
    s->official = true;
    return ASSAY_OK;
}

static int is_case(const struct dirent *e)
{
    return !strncmp(e->d_name, "case_", 5) && strlen(e->d_name) < sizeof(((struct scan *)0)->name);
}

static int name_all(const char *folder, struct scans *s, struct assay_err *err)
{
    struct dirent **found = NULL;
    int n = scandir(folder, &found, is_case, alphasort), i;

    if (n < 0)
        return assay_fail(err, ASSAY_EFAIL, "%s: cannot be read: %s", folder, strerror(errno));
    s->list = calloc((size_t)n + 1, sizeof(*s->list));
    for (i = 0; i < n; i++) {
        if (s->list)
            snprintf(s->list[s->n++].name, sizeof(s->list->name), "%.31s", found[i]->d_name);
        free(found[i]);
    }
    free(found);
    if (!n)
        return assay_fail(err, ASSAY_EFAIL,
                          "%s: has no cases; wanted: KiTS19's data, a folder case_NNNNN for each "
                          "with imaging.nii.gz and segmentation.nii.gz",
                          folder);
    return s->list ? ASSAY_OK : no_memory(err);
}

static int open_scan(const char *folder, struct scan *one, struct assay_err *err)
{
    struct nifti labels;
    int rc;

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

/* count samples of what was found; 0: all. */
static int limit(struct scans *s, const char *folder, uint64_t count, struct assay_err *err)
{
    if (count > s->n)
        return assay_fail(err, ASSAY_EUSAGE, "%s: has %llu cases, %llu were asked for", folder,
                          (unsigned long long)s->n, (unsigned long long)count);
    if (count)
        s->n = count;
    s->official = s->official && s->n == OFFICIAL;
    return ASSAY_OK;
}

static int open_folder(const struct assay_benchmark_config *config, struct scans *s,
                       struct assay_err *err)
{
    char *data = file_join(config->dataset, "data");
    const char *folder = data && file_is_dir(data) ? data : config->dataset;
    unsigned first = 0;
    uint64_t i;
    int rc, missing;

    if (!data)
        return no_memory(err);
    missing = missing_official(folder, &first);
    if (missing && missing < OFFICIAL / 2)
        rc = incomplete(folder, missing, first, err);
    else
        rc = missing ? name_all(folder, s, err) : name_official(folder, s, err);
    if (!rc)
        rc = limit(s, folder, config->count, err);
    for (i = 0; i < s->n && !rc; i++)
        rc = open_scan(folder, &s->list[i], err);
    free(data);
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
