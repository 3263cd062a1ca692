/* The samples of an image benchmark: a list of JPEG files, or made-up images, that become tensors
 * by one rule and are kept in the cache.
 *
 * The benchmark fills the first part and calls photos_init; its hooks then hand on to the functions
 * below, which keep the promises of assay/benchmark.h about threads and errors. */
#ifndef DATA_PHOTOS_H
#define DATA_PHOTOS_H

#include "assay/benchmark.h"
#include "base/hash.h"
#include "data/cache.h"
#include "data/image.h"

struct photos {
    const struct assay_benchmark_config *config; /* dataset is not looked at */
    const char *benchmark;                       /* its name, for messages and the cache's file */
    const char *folder;                          /* of the files; NULL: made-up images */
    char *const *names;                          /* below folder */
    uint64_t n;
    const int32_t *labels; /* go into the hash; NULL: none */
    const char *truth; /* a file that goes into the hash, but not into the cache's; NULL: none */
    struct image_rule rule;
    const char *tensor; /* name of the model's input; "": its first */

    struct assay_tensor_spec input; /* filled by photos_init */
    char preprocess[512];           /* the same */
    char hash[HASH_HEX];            /* filled by photos_hash */
    char files_hash[HASH_HEX];      /* the same without truth */
    char (*hashes)[HASH_HEX];       /* of each file's bytes, once known */
    struct image_work *work;        /* one a thread, while preparing */
    struct cache *cache;
};

void photos_init(struct photos *p);
/* Of names, labels and bytes of the files in order, and of truth; of made-up images, what makes
 * them. */
int photos_hash(struct photos *p, struct assay_err *err);
int photos_prepare(struct photos *p, struct assay_err *err);
int photos_load(struct photos *p, const uint64_t *index, uint64_t n, struct assay_err *err);
void photos_unload(struct photos *p, const uint64_t *index, uint64_t n);
int photos_input(const struct photos *p, uint64_t index, uint32_t input, struct assay_tensor *view,
                 struct assay_err *err);
void photos_release(struct photos *p);

#endif
