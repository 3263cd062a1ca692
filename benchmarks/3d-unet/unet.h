/* What the files of this benchmark share. */
#ifndef UNET_H
#define UNET_H

#include "assay/benchmark.h"
#include "base/hash.h"
#include "data/cache.h"
#include "data/volume.h"

struct model {
    char input[128], output[128]; /* names; "": the first */
    bool channels_last;           /* NDHWC, else NCDHW */
    double reference, target;     /* percent.  NaN: none */
};

/* From the manifest's JSON text; errors name the key. */
int model_parse(const char *manifest, struct model *m, struct assay_err *err);

struct scan {
    char name[32];          /* "case_00000" */
    char *image, *labels;   /* files; NULL: made up */
    struct nifti head;      /* the image's */
    uint32_t dims[3];       /* of the volume */
    char hash[2][HASH_HEX]; /* of the files; made up: of what makes them */
    struct cache *cache;
};

struct scans {
    struct scan *list;
    uint64_t n;
    bool official; /* all 43 cases of the benchmark, in its order */
};

/* Reads the list and every header; made-up ones when there is no data set. */
int scans_open(const struct assay_benchmark_config *config, struct scans *s, struct assay_err *err);
void scans_release(struct scans *s);
/* Of the files' bytes; `hash` of all. */
int scans_hash(struct scans *s, const struct assay_benchmark_config *config, char hash[HASH_HEX],
               struct assay_err *err);
/* The volume / its classes, [dims]. */
int scan_image(const struct scan *one, uint64_t index, uint64_t seed, float *out,
               struct assay_err *err);
int scan_labels(const struct scan *one, uint64_t index, uint64_t seed, uint8_t *out,
                struct assay_err *err);

/* A made-up scan, a function of seed and index: 100 to 159 slices (one window), rows and columns up
 * to 219 (one window or two). */
void synthetic_head(uint64_t seed, uint64_t index, struct nifti *head);
/* Its voxels [head->dims]: labels, or the image where labels is NULL. */
void synthetic_voxels(const struct nifti *head, uint64_t seed, uint64_t index, float *image,
                      uint8_t *labels);

static inline uint64_t scan_voxels(const struct scan *one)
{
    return (uint64_t)one->dims[0] * one->dims[1] * one->dims[2];
}

#endif
