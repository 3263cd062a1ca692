/* Runs a job for every index of 0..n-1 on several threads; the calling thread waits. */
#ifndef DATA_WORKERS_H
#define DATA_WORKERS_H

#include "assay/types.h"

struct workers {
    uint32_t threads; /* >= 1 */
    uint64_t n;
    /* On any of the threads; worker is 0..threads-1. */
    int (*job)(void *ctx, uint32_t worker, uint64_t index, struct assay_err *err);
    void *ctx;
    void (*progress)(void *progress_ctx, uint64_t done, uint64_t total); /* NULL: not wanted */
    void *progress_ctx;
    const volatile int *stop; /* NULL, or becomes true: ASSAY_ESTOP */
};

/* The first failure ends all; its error is returned. */
int workers_run(const struct workers *w, struct assay_err *err);

#endif
