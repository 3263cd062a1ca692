/* What the files of this benchmark share. */
#ifndef DLRM_H
#define DLRM_H

#include <pthread.h>

#include "assay/benchmark.h"
#include "base/hash.h"
#include "data/cache.h"
#include "data/criteo.h"
#include "data/npz.h"
#include "data/pairs.h"

#define CODE_VERSION 1 /* another one: cached rows are made anew */

struct model {
    char dense[128], offsets[128], indices[128],
        output[128]; /* names; "": the tensor at that place */
    bool tables;     /* offsets and indices [26, pairs]; else indices [pairs, hots] */
    int32_t dtype;   /* of indices and offsets */
    int64_t rows[CRITEO_CATEGORIES]; /* of the tables */
    int64_t width;                   /* numbers of a table's row */
    int64_t hots[CRITEO_CATEGORIES]; /* indices of a category: 1 in version 1 */
    int64_t hot;                     /* their sum: columns of indices */
    bool multi;                      /* hots were given: DLRM-v2's data */
    int64_t range;                   /* max_index_range */
    bool fold;                       /* ids: modulo */
    bool logit;                      /* the model ends before its sigmoid */
    double width_bytes;              /* of a number in the tables */
    int64_t cut;                     /* rows of the largest table; 0: as the official ones */
    double reference, target;        /* percent; share of it in percent.  NaN: none */
};

/* From the manifest's JSON text; errors name the key. */
int model_parse(const char *manifest, struct model *m, struct assay_err *err);

/* Where pairs come from: one of the forms, or none of them (synthetic). */
struct rows {
    const struct model *model;
    uint64_t n;    /* of the test set */
    uint64_t seed; /* synthetic */
    struct criteo_ids ids;
    struct criteo_raw raw; /* raw: cached as blocks of 40 int32 */
    char *dictionary;      /* its folder */
    struct cache *cache;
    struct mapped binary, dense, labels;
    struct npz sparse;
    struct assay_tensor dense_view, labels_view, hot_view[CRITEO_CATEGORIES];
    void *owned[CRITEO_CATEGORIES];
    char hash[HASH_HEX], name[300];
};

/* Finds the form in the folder (NULL: synthetic, `count` pairs). */
int rows_open(const char *folder, uint64_t seed, uint64_t count, const struct model *m,
              struct rows *r, struct assay_err *err);
/* Raw logs become the cache's rows; the check sums of arrays are compared, once. */
int rows_prepare(struct rows *r, const struct assay_benchmark_config *config,
                 struct assay_err *err);
/* Rows [from, from + n) to dense[n][13], indices[n][hot] and labels[n].  After prepare; any thread.
 */
int rows_read(const struct rows *r, uint64_t from, uint64_t n, float *dense, int32_t *indices,
              float *labels, struct assay_err *err);
/* Reads the cached blocks of these samples into memory, against their check sums. */
int rows_load(struct rows *r, const struct pairs *p, const uint64_t *index, uint64_t n,
              struct assay_err *err);
void rows_close(struct rows *r);

/* A sample's tensors as the model takes them; made by load, or on the way where it is not loaded.
 */
struct sample {
    float *dense, *labels; /* [n][13], [n] */
    void *indices;         /* of the model's type and layout */
    void *offsets;         /* made when a view is asked for */
    bool taken;            /* load has it in hand */
};

struct scratch; /* a batch's tensors, reused */

struct dlrm {
    struct assay_benchmark_config config; /* strings are our own */
    struct model model;
    struct rows rows;
    struct pairs pairs;
    struct sample *samples; /* [pairs.n]; dense NULL: not loaded */
    struct assay_tensor_spec inputs[3], output;
    pthread_mutex_t lock; /* of pool, and of offsets that are made */
    struct scratch *pool;
    bool prepared;
    char preprocess[240], note[120];
};

int sample_make(const struct dlrm *d, uint64_t index, struct sample *s, struct assay_err *err);
void sample_release(struct sample *s);
/* Row-by-row indices of n pairs into the model's layout, as columns [at, at + n) of `total`. */
void indices_place(const struct model *m, const int32_t *rows, uint64_t n, uint64_t at,
                   uint64_t total, void *out);
void offsets_fill(const struct model *m, uint64_t n, void *out);

/* drive.c: the pairs of some samples in one inference. */
int dlrm_drive(void *self, uint64_t index, const struct assay_driver *driver, void *response,
               size_t capacity, size_t *bytes, struct assay_err *err);
int dlrm_drive_batch(void *self, const uint64_t *index, uint32_t n,
                     const struct assay_driver *driver, void *responses, size_t capacity,
                     size_t *bytes, struct assay_err *err);
void scratch_destroy(struct scratch *pool);

#endif
