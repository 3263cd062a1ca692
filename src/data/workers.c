/* A pool that lives for one task: threads take the next index until none is left, one failed, or
 * the user stops.  What cannot be started is done by fewer threads. */
#include "data/workers.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

struct pool {
    const struct workers *w;
    atomic_uint_fast64_t next, done;
    atomic_uint next_worker;
    pthread_mutex_t lock; /* of rc and err */
    atomic_int rc;
    struct assay_err err;
};

static void *work(void *ctx)
{
    struct pool *p = ctx;
    const struct workers *w = p->w;
    uint32_t worker = atomic_fetch_add(&p->next_worker, 1);
    struct assay_err err;
    uint64_t i, done, step = w->n / 500 + 1;
    int rc;

    while (!atomic_load(&p->rc) && (i = atomic_fetch_add(&p->next, 1)) < w->n) {
        rc = w->stop && __atomic_load_n(w->stop, __ATOMIC_RELAXED)
                 ? assay_fail(&err, ASSAY_ESTOP, "interrupted")
                 : w->job(w->ctx, worker, i, &err);
        if (rc) {
            pthread_mutex_lock(&p->lock);
            if (!atomic_load(&p->rc)) {
                p->err = err;
                atomic_store(&p->rc, rc);
            }
            pthread_mutex_unlock(&p->lock);
            break;
        }
        done = atomic_fetch_add(&p->done, 1) + 1;
        if (w->progress && (done % step == 0 || done == w->n))
            w->progress(w->progress_ctx, done, w->n);
    }
    return NULL;
}

int workers_run(const struct workers *w, struct assay_err *err)
{
    struct pool p = {.w = w, .lock = PTHREAD_MUTEX_INITIALIZER};
    uint32_t extra = w->threads > 1 ? w->threads - 1 : 0, started = 0;
    pthread_t *threads = calloc(extra + 1, sizeof(*threads));
    int rc;

    while (threads && started < extra && started + 1 < w->n &&
           pthread_create(&threads[started], NULL, work, &p) == 0)
        started++;
    work(&p);
    while (started)
        pthread_join(threads[--started], NULL);
    free(threads);
    rc = atomic_load(&p.rc);
    if (rc && err)
        *err = p.err;
    return rc;
}
