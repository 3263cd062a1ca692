/* Inside of the engine room: an engine opened for checking, and batches made from nothing but its
 * own description.  Used by the conformance suite.
 *
 * Sample number k is the same numbers in every batch, so answers can be compared between batches.
 */
#ifndef ENGINE_TRIAL_H
#define ENGINE_TRIAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "engine/host.h"

#define TRIAL_TENSORS 16

struct trial {
    const struct assay_engine *table;
    struct engine *engine; /* NULL: not open */
    const struct assay_graph_desc *graph;
    uint32_t lanes, max_batch; /* what the model allows of what was asked for */
    struct assay_value *values;
    char *storage;
    useconds_t dwell_us;   /* an answer is read so long after it came */
    pthread_mutex_t mutex; /* guards all below and the loads' done */
    pthread_cond_t changed;
    bool faulted;
    struct assay_err fault;
};

/* What an engine is tried with. */
struct trial_ask {
    const struct assay_engine *table;
    const char *model, *format, *device, *options;
    uint32_t lanes, max_batch;
    const char *precision; /* NULL: the engine's own choice */
    uint32_t threads;      /* of a lane; 0: 1 */
    bool settles;          /* as assay_engine_config's */
};
/* When an engine in this process last opened or completed something (clock_ns); 0: one is being
 * opened, which may take long. */
extern _Atomic int64_t trial_alive_ns;
int trial_open(struct trial *t, const struct trial_ask *ask, struct assay_err *err);
/* Closes the engine; fails when it broke its contract at any time. */
int trial_close(struct trial *t, struct assay_err *err);

/* A batch, its memory, and a copy of what came back. */
struct load {
    struct trial *trial;
    struct assay_batch batch;
    struct assay_tensor inputs[TRIAL_TENSORS], outputs[TRIAL_TENSORS];
    const struct assay_tensor **rows[TRIAL_TENSORS];
    struct assay_tensor *row_tensors[TRIAL_TENSORS];
    void *memory[TRIAL_TENSORS];
    uint32_t done;           /* how often it came back */
    struct assay_err result; /* code 0: good; then answer[] is filled */
    void *answer[TRIAL_TENSORS];
};
int load_init(struct load *l, struct trial *t, uint32_t lane, const uint32_t *samples, uint32_t n,
              struct assay_err *err);
void load_release(struct load *l);
/* Submits again and again while the answer is AGAIN (at most 10 s); does not wait for completion.
 */
int load_submit(struct load *l, struct assay_err *err);
/* Waits until it came back (at most 10 s); fails when it did not, or came with an error. */
int load_wait(struct load *l, struct assay_err *err);
/* Submit and wait; by drain where the engine has one, so that a lost batch shows at once. */
int load_run(struct load *l, struct assay_err *err);
/* Compares row a of x with row b of y within the tolerance of floating point arithmetic in another
 * order. */
int load_compare(const struct load *x, uint32_t a, const struct load *y, uint32_t b,
                 struct assay_err *err);

#endif
