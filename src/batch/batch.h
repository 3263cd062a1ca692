/* The batcher: takes the samples that LoadGen issues, makes batches, gives them to the engine's
 * lanes, turns outputs into responses and completes them.  The thread border lives here and nowhere
 * else.
 *
 *   issue (LoadGen's thread) -> queue -> lane thread: gather or pack -> submit … done -> respond ->
 * complete
 *
 * Ahead: gather or pack has a thread of its own, one batch before the lane.
 *
 * Inline: with one lane of a synchronous engine and nothing to wait for, the issuing thread itself
 * is the lane: no queue, no wake-up, completion before issue returns.
 *
 * Invariants: every issued item is completed exactly once or fail is called; no lock is held while
 * a hook of `ops` runs; a batch slot is touched by one thread at a time (the lane's until submit,
 * the completing one's afterwards until it goes back). */
#ifndef BATCH_BATCH_H
#define BATCH_BATCH_H

#include "assay/benchmark.h"
#include "assay/engine.h"
#include "batch/queue.h"

/* The layout of LoadGen's QuerySampleResponse, so that arrays pass through uncopied. */
struct batch_done {
    uintptr_t id;
    uintptr_t data; /* the response's bytes; valid during complete */
    size_t size;
    int64_t n_tokens;
};

/* How the batcher reaches the other stages.  All may be called on any lane thread, and complete and
 * fail also on engine threads. */
struct batch_ops {
    void *ctx;
    void (*begin)(void *ctx, uint32_t lane); /* first thing on a lane's own thread; NULL: nothing */
    int (*submit)(void *ctx, struct assay_batch *batch, struct assay_err *err);
    int (*drain)(void *ctx, uint32_t lane, struct assay_err *err); /* NULL: none */
    void *(*alloc)(void *ctx, size_t bytes);
    void (*release)(void *ctx, void *memory);
    /* View of one input of a sample, stable while the sample is loaded. */
    int (*input)(void *ctx, uint64_t index, uint32_t input, struct assay_tensor *view,
                 struct assay_err *err);
    int (*respond)(void *ctx, uint64_t index, const struct assay_tensor *outputs,
                   uint32_t output_count, uint32_t row, void *response, size_t capacity,
                   size_t *bytes, struct assay_err *err);
    /* NULL, or the benchmark drives the engine itself, one sample at a time. */
    int (*drive)(void *ctx, uint64_t index, const struct assay_driver *driver, void *response,
                 size_t capacity, size_t *bytes, struct assay_err *err);
    /* Beside drive: a whole batch at once; response i goes to responses + i * capacity.  NULL:
     * none.
     */
    int (*drive_batch)(void *ctx, const uint64_t *index, uint32_t n,
                       const struct assay_driver *driver, void *responses, size_t capacity,
                       size_t *bytes, struct assay_err *err);
    void (*complete)(void *ctx, const struct batch_done *done, size_t n);
    /* The run cannot go on: an inference, a response or a hook failed.  Called once; afterwards
     * nothing is completed any more. */
    void (*fail)(void *ctx, const struct assay_err *err);
};

struct batch_config {
    uint32_t lanes;
    uint32_t max_batch;
    int64_t wait_ns; /* how long a lane waits for a batch to fill up; 0: takes what is there */
    bool on_issuer;  /* inline, see above; needs lanes == 1 and a synchronous engine */
    bool gather;     /* the engine takes rows where they lie */
    bool pack;       /* else: all are packed in its memory, also those that lie together already */
    bool ahead; /* a second thread of each lane packs a batch while the lane is in the engine, for
                 * engines that leave this processor alone meanwhile; not with async, gather, drive
                 * or on_issuer */
    bool fill;  /* a batch of fewer samples than the limit (batch_limit) is filled up to it with
                 * copies of its last one, whose outputs are left alone; not where a benchmark
                 * drives */
    bool async; /* the engine may complete later: several batches in flight a lane */
    uint32_t depth;   /* batches in flight a lane, at most (async); 0: 4 */
    uint64_t samples; /* in the data set: indices are below it */
    uint32_t input_count;
    uint32_t output_count;                 /* of the graph */
    const uint32_t *output_map;            /* which graph output is the benchmark's output i */
    uint32_t wanted_outputs;               /* entries of output_map */
    const struct assay_graph_desc *graphs; /* the model's, for a benchmark that drives */
    uint32_t graph_count;
    bool whole_outputs;    /* no batch dimension; needs max_batch == 1 */
    size_t response_bytes; /* at most, of one sample */
    /* NULL: the rows of a batch have one shape.  Else the graph's inputs (batch first, at least one
     * more dimension): a row is padded with zeros in its first dimension, to the graph's own where
     * that is fixed and else to the longest row of the batch, and what is issued together is put in
     * order of length, the longest first.  Where samples wait for a batch (wait_ns), those of about
     * one length go together, and none waits more than wait_ns longer for it (group.h).  Copied;
     * not for engines that take ragged batches. */
    const struct assay_tensor_spec *pad;
};

/* Times summed over the lanes since the last batch_stats_reset, in ns; counts likewise. */
struct batch_stats {
    uint64_t batches, samples, packed_bytes;
    int64_t wait_ns;     /* a lane with nothing to do, or waiting for a batch to fill */
    int64_t pack_ns;     /* copying rows together */
    int64_t ahead_ns;    /* the same by second threads (config.ahead): beside the other stages */
    int64_t engine_ns;   /* inside submit */
    int64_t respond_ns;  /* post-processing */
    int64_t complete_ns; /* inside LoadGen's completion */
};

struct batcher;

/* Starts the lane threads.  config and ops are copied; output_map too. */
int batch_create(const struct batch_config *config, const struct batch_ops *ops,
                 struct batcher **out, struct assay_err *err);
/* One thread at a time.  Inline: items are completed when it returns; else the items are copied. */
void batch_issue(struct batcher *b, const struct batch_item *items, size_t n);
/* No more items come for now: lanes stop waiting for batches to fill up. */
void batch_flush(struct batcher *b);
/* Blocks until everything issued has been completed (or the batcher failed). */
void batch_wait_idle(struct batcher *b);
/* Batches of at most this many samples from now on (1 … max_batch); while nothing is in flight. */
void batch_limit(struct batcher *b, uint32_t limit);
/* Careful: an asynchronous engine with a drain hook is drained after every batch, and a response
 * that has not come by then is reported as lost at once.  For warm-up, where nothing else tells a
 * slow engine from a lossy one. */
void batch_careful(struct batcher *b, bool careful);
/* Trying: an inference that fails is not the end, its samples count as completed.  For a search of
 * what the engine can do; while nothing is in flight. */
void batch_try(struct batcher *b, bool trying);
/* Whether one has failed since batch_try; err is the first one's. */
int batch_tried(struct batcher *b, struct assay_err *err);
/* Issued minus completed; any thread. */
uint64_t batch_outstanding(const struct batcher *b);
uint64_t batch_completed(const struct batcher *b);
/* Grows with every sample, and with every inference of a benchmark that drives: one sample of it
 * may take very long. */
uint64_t batch_steps(const struct batcher *b);
/* While nothing is in flight. */
void batch_stats_get(const struct batcher *b, struct batch_stats *stats);
void batch_stats_reset(struct batcher *b);
/* Stops the lanes; nothing may be in flight (after fail: only before any engine thread can still
 * call done, so a failed child process ends without it). */
void batch_destroy(struct batcher *b);

#endif
