/* Pre-processed samples in one file, mapped read-only at run time.
 *
 * The file's name and header carry a key: the hash of everything that decides the content.  It is
 * made in a neighbour file under a lock, synced and renamed, so it is whole or not there; two
 * processes build it once. */
#ifndef DATA_CACHE_H
#define DATA_CACHE_H

#include "assay/types.h"

#define CACHE_MAX_INPUTS 4

struct cache_spec {
    const char *dir;  /* made when missing */
    const char *name; /* of the benchmark: for people who look into the folder */
    const char *key;  /* 64 hex digits */
    uint64_t count;
    uint32_t input_count;
    const struct assay_tensor_spec *inputs; /* of one sample, no free dimension; copied */
    uint32_t threads;
    /* Makes sample `index`: input i goes to memory[i]. Called from several threads. */
    int (*fill)(void *ctx, uint32_t worker, uint64_t index, void *const *memory,
                struct assay_err *err);
    void *ctx;
    void (*progress)(void *progress_ctx, uint64_t done, uint64_t total);
    void *progress_ctx;
    const volatile int *stop;
};

struct cache;

/* Maps the file, after making it when it is missing, cut off or another's. */
int cache_open(const struct cache_spec *spec, struct cache **out, struct assay_err *err);
/* A view that lives until close; any thread. */
int cache_input(const struct cache *c, uint64_t index, uint32_t input, struct assay_tensor *view,
                struct assay_err *err);
/* Reads these samples' pages into memory and compares their check sums (a damaged file is removed,
 * and the error says so) / tells that they are not needed. */
int cache_load(const struct cache *c, const uint64_t *index, uint64_t n, struct assay_err *err);
void cache_unload(const struct cache *c, const uint64_t *index, uint64_t n);
void cache_close(struct cache *c);

#endif
