/* The batcher; see batch.h for the flow.
 *
 * Timing: a lane's clock is read once between two stages, so the stages of a lane add up to its
 * wall time and a batch costs five clock reads.  Inline with tiny engines that is most of the cost;
 * it is worth it, since these sums are what shows where time went. */
#include "batch/batch.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#include "base/clock.h"

#define DEFAULT_DEPTH  4
#define AHEAD_SLOTS    2 /* one in the engine, one being packed */
#define MAX_INPUTS     16
#define AGAIN_PAUSE_NS 50000
#define AGAIN_WAIT_NS  1000000

/* Statistics have one writer at a time and may be read while it writes: plain sums, but whole
 * words. */
#define ADD(sum, n)                                                                                \
    __atomic_store_n(&(sum), __atomic_load_n(&(sum), __ATOMIC_RELAXED) + (n), __ATOMIC_RELAXED)

/* One batch in flight with all the memory that it needs. */
struct slot {
    struct assay_batch batch;
    struct assay_tensor inputs[MAX_INPUTS];
    const struct assay_tensor **rows[MAX_INPUTS]; /* [input][sample] */
    void *packed[MAX_INPUTS];                     /* from ops.alloc; grows to need */
    size_t packed_cap[MAX_INPUTS];
    struct assay_tensor *outputs; /* the graph's */
    struct assay_tensor *wanted;  /* the benchmark's order */
    const struct batch_item *items;
    struct batch_item *own_items; /* copy when queued */
    uint32_t item_count;          /* in the batch; more rows where it was filled up */
    struct batch_done *done;
    unsigned char *responses;
    struct lane *lane;
    uint64_t *driven; /* indices and lengths of a batch, for drive */
    size_t *driven_bytes;
    int code;            /* of the completion, for drive */
    unsigned char *kept; /* outputs of the last inference, for drive */
    size_t kept_cap;
    struct assay_err err;
    bool completed;
    uint32_t taken; /* submits that the engine took */
    _Atomic uint32_t completions;
};

struct lane {
    struct batcher *b;
    pthread_t thread;
    bool started;
    uint32_t number;
    struct slot *slots;
    uint32_t slot_count;
    /* Free slots; completions on engine threads give them back. */
    pthread_mutex_t lock;
    pthread_cond_t returned;
    struct slot **idle;
    uint32_t idle_count;
    /* Ahead: */
    pthread_t packer;
    bool packing;                     /* it was started */
    struct slot *packed[AHEAD_SLOTS]; /* the oldest first */
    uint32_t packed_count;
    bool packer_ended;
    pthread_cond_t changed;   /* packed, packer_ended */
    uint32_t held;            /* batches, from the queue until they are done; under b->turn_lock */
    struct batch_stats stats; /* since the lane began; written under lock when async */
};

struct batcher {
    struct batch_config config;
    struct batch_ops ops;
    uint32_t *output_map;
    struct assay_tensor_spec *pad; /* config.pad; NULL: rows are not padded */
    struct lane *lanes;
    struct assay_tensor *views; /* [input * samples + index]; dtype 0: not made yet */

    struct queue *queue;    /* NULL when inline */
    bool by_length;         /* it makes batches of samples of about one length */
    _Atomic uint32_t limit; /* of a batch's samples, at most max_batch */

    struct batch_stats base; /* what the sums were at the last reset */
    _Atomic int64_t reset_ns;
    _Atomic uint64_t issued, completed, inferred; /* inferred: by benchmarks that drive */
    _Atomic int failed;                           /* nothing is completed any more */
    _Atomic int careful;
    _Atomic int trying;
    struct assay_err tried; /* of the first that failed; under idle_lock */
    _Atomic int told;       /* and ops.fail has been called */
    pthread_mutex_t idle_lock;
    pthread_cond_t idle;
    _Atomic int idle_waiters;
    /* Ahead: who may take a batch from the queue. */
    pthread_mutex_t turn_lock;
    pthread_cond_t turn;
    uint32_t empty_lanes; /* that hold no batch */
    bool stopping;
};

/* Else a lane has one slot, and has it in hand all the time. */
static bool has_slots(const struct batcher *b)
{
    return (b->config.async || b->config.ahead) && !b->ops.drive;
}

/* Nobody waits for a turn any more. */
static void end_turns(struct batcher *b)
{
    pthread_mutex_lock(&b->turn_lock);
    b->stopping = true;
    pthread_cond_broadcast(&b->turn);
    pthread_mutex_unlock(&b->turn_lock);
}

static void batch_fail(struct batcher *b, const struct assay_err *err)
{
    if (atomic_exchange(&b->failed, 1))
        return;
    b->ops.fail(b->ops.ctx, err);
    atomic_store(&b->told, 1);
    pthread_mutex_lock(&b->idle_lock);
    pthread_cond_broadcast(&b->idle);
    pthread_mutex_unlock(&b->idle_lock);
    for (uint32_t i = 0; i < b->config.lanes; i++) { /* who waits for a slot waits in vain */
        pthread_mutex_lock(&b->lanes[i].lock);
        pthread_cond_broadcast(&b->lanes[i].returned);
        pthread_mutex_unlock(&b->lanes[i].lock);
    }
    end_turns(b);
}

/* ---- views and packing ---- */

/* The view of a sample's input: made at first use, then read from the table.  Two lanes may make
 * the same one at once: they write equal bytes, but to be clean a view is published by its dtype,
 * last. */
static const struct assay_tensor *batch_view(struct batcher *b, uint64_t index, uint32_t input,
                                             struct assay_err *err)
{
    struct assay_tensor *view = &b->views[(uint64_t)input * b->config.samples + index], fresh;
    int32_t have = __atomic_load_n(&view->dtype, __ATOMIC_ACQUIRE);

    if (have > 0)
        return view;
    memset(&fresh, 0, sizeof(fresh));
    if (b->ops.input(b->ops.ctx, index, input, &fresh, err))
        return NULL;
    pthread_mutex_lock(&b->idle_lock);
    if (view->dtype == 0) {
        view->rank = fresh.rank;
        memcpy(view->dims, fresh.dims, sizeof(view->dims));
        view->data = fresh.data;
        view->bytes = fresh.bytes;
        __atomic_store_n(&view->dtype, fresh.dtype, __ATOMIC_RELEASE);
    }
    pthread_mutex_unlock(&b->idle_lock);
    return view;
}

static int shapes_differ(const struct assay_tensor *a, const struct assay_tensor *b,
                         struct assay_err *err)
{
    return assay_fail(
        err, ASSAY_EFAIL,
        "samples of different shapes (%zu and %zu bytes) in one batch, and the engine "
        "takes no ragged batches; use --batch 1",
        a->bytes, b->bytes);
}

static bool same_shape(const struct assay_tensor *a, const struct assay_tensor *b)
{
    return a->bytes == b->bytes && a->rank == b->rank &&
           !memcmp(a->dims, b->dims, a->rank * sizeof(a->dims[0]));
}

/* The first dimension of every row once they are padded. */
static int padded_length(const struct slot *s, uint32_t input, uint32_t n, int64_t *length,
                         struct assay_err *err)
{
    const struct assay_tensor **rows = s->rows[input];
    int64_t fixed = s->lane->b->pad[input].dims[1], longest = 0;
    uint32_t i;

    for (i = 0; i < n; i++) {
        if (!rows[i]->rank || rows[i]->dims[0] < 1 || rows[i]->rank != rows[0]->rank ||
            memcmp(rows[i]->dims + 1, rows[0]->dims + 1,
                   (rows[0]->rank - 1) * sizeof(rows[0]->dims[0])) != 0)
            return shapes_differ(rows[0], rows[i], err);
        longest = rows[i]->dims[0] > longest ? rows[i]->dims[0] : longest;
    }
    if (fixed >= 0 && longest > fixed)
        return assay_fail(err, ASSAY_EFAIL,
                          "a sample of length %lld, and the model takes %lld at most",
                          (long long)longest, (long long)fixed);
    *length = fixed >= 0 ? fixed : longest;
    return ASSAY_OK;
}

/* True when the rows lie side by side as the engine wants them, `row` bytes each. */
static bool lie_together(const struct assay_tensor **rows, uint32_t n, size_t row)
{
    uint32_t i;

    for (i = 0; i < n; i++)
        if (rows[i]->bytes != row || (char *)rows[i]->data != (char *)rows[0]->data + i * row)
            return false;
    return true;
}

/* Memory for n rows; with padding they grow later, so it may be had again. */
static int slot_reserve(struct slot *s, uint32_t input, size_t row, uint32_t n,
                        struct assay_err *err)
{
    struct batcher *b = s->lane->b;

    if (s->packed_cap[input] >= row * n)
        return ASSAY_OK;
    if (s->packed[input])
        b->ops.release(b->ops.ctx, s->packed[input]);
    s->packed[input] = b->ops.alloc(b->ops.ctx, row * b->config.max_batch);
    s->packed_cap[input] = s->packed[input] ? row * b->config.max_batch : 0;
    if (s->packed[input])
        return ASSAY_OK;
    return assay_fail(err, ASSAY_EFAIL,
                      "not enough memory to pack a batch of %u samples (%zu bytes): give a smaller "
                      "--batch, or fewer --lanes",
                      n, row * n);
}

/* Copies the rows together, unless they lie so already, and where the engine wants them. */
static int slot_pack(struct slot *s, uint32_t input, uint32_t n, struct assay_err *err)
{
    const struct assay_tensor **rows = s->rows[input];
    size_t row = s->inputs[input].bytes / n;
    unsigned char *to;
    uint32_t i;
    int rc;

    for (i = 1; i < n && !s->lane->b->pad; i++)
        if (!same_shape(rows[0], rows[i]))
            return shapes_differ(rows[0], rows[i], err);
    if (!s->lane->b->config.pack && lie_together(rows, n, row)) {
        s->inputs[input].data = rows[0]->data;
        return ASSAY_OK;
    }
    if ((rc = slot_reserve(s, input, row, n, err)))
        return rc;
    to = s->packed[input];
    for (i = 0; i < n; i++, to += row) {
        memcpy(to, rows[i]->data, rows[i]->bytes);
        memset(to + rows[i]->bytes, 0, row - rows[i]->bytes);
    }
    s->inputs[input].data = s->packed[input];
    ADD(s->lane->stats.packed_bytes, row * n);
    return ASSAY_OK;
}

/* The batch's shape of one input, from its rows. */
static int slot_shape(struct slot *s, uint32_t input, uint32_t n, struct assay_err *err)
{
    const struct assay_tensor *first = s->rows[input][0];
    struct assay_tensor *in = &s->inputs[input];
    int rc;

    if (first->rank + 1 > ASSAY_MAX_RANK)
        return assay_fail(err, ASSAY_EFAIL, "sample %zu has too many dimensions",
                          s->items[0].index);
    in->dtype = first->dtype;
    in->rank = first->rank + 1;
    in->dims[0] = n;
    memcpy(in->dims + 1, first->dims, first->rank * sizeof(in->dims[0]));
    in->bytes = first->bytes * n;
    in->data = NULL;
    if (!s->lane->b->pad)
        return ASSAY_OK;
    rc = padded_length(s, input, n, &in->dims[1], err);
    if (!rc)
        in->bytes = first->bytes / (size_t)first->dims[0] * (size_t)in->dims[1] * n;
    return rc;
}

/* How many rows a batch of n samples has. */
static uint32_t batch_rows(struct batcher *b, uint32_t n)
{
    uint32_t limit = atomic_load_explicit(&b->limit, memory_order_relaxed);

    return b->config.fill && n < limit ? limit : n;
}

/* Fills the batch's inputs from the slot's items.  Rows behind them are the last one again: a copy
 * is valid for every model, and leaves the largest and the smallest number of the batch what they
 * are, from which some models scale all of it. */
static int slot_fill(struct slot *s, uint32_t n, struct assay_err *err)
{
    struct batcher *b = s->lane->b;
    bool gather = b->config.gather && !b->pad;
    uint32_t input, i, rows = batch_rows(b, n);
    int rc;

    for (input = 0; input < b->config.input_count; input++) {
        for (i = 0; i < n; i++)
            if (!(s->rows[input][i] = batch_view(b, s->items[i].index, input, err)))
                return ASSAY_EFAIL;
        for (; i < rows; i++)
            s->rows[input][i] = s->rows[input][n - 1];
        if ((rc = slot_shape(s, input, rows, err)) ||
            (!gather && (rc = slot_pack(s, input, rows, err))))
            return rc;
    }
    s->item_count = n;
    s->batch.samples = rows;
    s->batch.graph = 0;
    s->batch.inputs = s->inputs;
    s->batch.input_count = b->config.input_count;
    s->batch.rows = gather ? (const struct assay_tensor *const *const *)s->rows : NULL;
    return ASSAY_OK;
}

/* ---- completion ---- */

static void count_completed(struct batcher *b, uint32_t n)
{
    if (b->config.on_issuer) { /* one thread writes: no locked instruction in the hot path */
        atomic_store_explicit(&b->completed,
                              atomic_load_explicit(&b->completed, memory_order_relaxed) + n,
                              memory_order_release);
        return;
    }
    atomic_fetch_add(&b->completed, n);
    if (atomic_load(&b->idle_waiters)) {
        pthread_mutex_lock(&b->idle_lock);
        pthread_cond_broadcast(&b->idle);
        pthread_mutex_unlock(&b->idle_lock);
    }
}

/* An inference failed: the end, unless that is what is tried. */
static void slot_fail(struct slot *s, const struct assay_err *err)
{
    struct batcher *b = s->lane->b;

    if (!atomic_load(&b->trying)) {
        batch_fail(b, err);
        return;
    }
    pthread_mutex_lock(&b->idle_lock);
    if (!b->tried.code) {
        b->tried = *err;
        if (!err->code) /* a benchmark that drives, without a word */
            b->tried.code = ASSAY_EFAIL;
    }
    pthread_mutex_unlock(&b->idle_lock);
    count_completed(b, s->item_count);
}

/* Turns the outputs into responses and hands them to LoadGen. */
static void slot_respond(struct slot *s)
{
    struct batcher *b = s->lane->b;
    struct batch_stats *st = &s->lane->stats;
    size_t cap = b->config.response_bytes, bytes;
    int64_t t0 = clock_ns(), t1, t2;
    struct assay_err err = {0};
    uint32_t i, n = s->item_count;

    for (i = 0; i < b->config.wanted_outputs; i++) {
        s->wanted[i] = s->outputs[b->output_map[i]];
        if (!b->config.whole_outputs &&
            (!s->wanted[i].rank || s->wanted[i].dims[0] != (int64_t)s->batch.samples)) {
            assay_fail(&err, ASSAY_EFAIL,
                       "the engine gave %lld rows of output %u for a batch of %u samples",
                       (long long)(s->wanted[i].rank ? s->wanted[i].dims[0] : 0), b->output_map[i],
                       s->batch.samples);
            batch_fail(b, &err);
            return;
        }
    }
    for (i = 0; i < n; i++) {
        bytes = 0;
        if (b->ops.respond(b->ops.ctx, s->items[i].index, s->wanted, b->config.wanted_outputs, i,
                           s->responses + i * cap, cap, &bytes, &err)) {
            batch_fail(b, &err);
            return;
        }
        s->done[i] =
            (struct batch_done){s->items[i].id, (uintptr_t)(s->responses + i * cap), bytes, 0};
    }
    t1 = clock_ns();
    b->ops.complete(b->ops.ctx, s->done, n);
    t2 = clock_ns();
    if (b->config.async)
        pthread_mutex_lock(&s->lane->lock);
    ADD(st->respond_ns, t1 - t0);
    ADD(st->complete_ns, t2 - t1);
    ADD(st->batches, 1);
    ADD(st->samples, n);
    if (b->config.async)
        pthread_mutex_unlock(&s->lane->lock);
    count_completed(b, n);
}

static void slot_give_back(struct slot *s)
{
    struct lane *l = s->lane;

    if (!has_slots(l->b))
        return;
    pthread_mutex_lock(&l->lock);
    l->idle[l->idle_count++] = s;
    pthread_cond_signal(&l->returned);
    pthread_mutex_unlock(&l->lock);
}

/* The engine's completion: any thread. */
static void slot_done(struct assay_batch *batch, int code, const struct assay_err *err)
{
    struct slot *s = batch->host;
    struct batcher *b = s->lane->b;

    atomic_fetch_add_explicit(&s->completions, 1, memory_order_release);
    if (atomic_load_explicit(&b->failed, memory_order_relaxed))
        return;
    if (code) {
        struct assay_err why = {0};

        assay_fail(&why, code, "%s",
                   err && err->text[0] ? err->text : "an inference failed, without a reason");
        slot_fail(s, &why);
    } else {
        slot_respond(s);
    }
    if (b->config.async) /* else it is inside submit: the lane still has it in hand */
        slot_give_back(s);
}

/* Waits for a completion on this lane, a moment at most; false when nothing is in flight but the
 * caller's slot. */
static bool lane_wait_returned(struct lane *l)
{
    struct timespec until;
    bool flying;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += AGAIN_WAIT_NS;
    if (until.tv_nsec >= 1000000000)
        until.tv_sec++, until.tv_nsec -= 1000000000;
    pthread_mutex_lock(&l->lock);
    flying = l->idle_count + 1 < l->slot_count;
    if (flying)
        pthread_cond_timedwait(&l->returned, &l->lock, &until);
    pthread_mutex_unlock(&l->lock);
    return flying;
}

/* Submits, waiting out ASSAY_EAGAIN: for a completion on this lane, or for a moment. */
static int lane_submit(struct lane *l, struct slot *s, struct assay_err *err)
{
    struct batcher *b = l->b;
    struct timespec pause = {0, AGAIN_PAUSE_NS};
    int rc;

    while ((rc = b->ops.submit(b->ops.ctx, &s->batch, err)) == ASSAY_EAGAIN) {
        if (atomic_load(&b->failed))
            return ASSAY_ESTOP;
        if (!b->config.async || !lane_wait_returned(l))
            nanosleep(&pause, NULL);
    }
    return rc;
}

/* Careful: after the engine has drained the lane, what has not completed is lost. */
static void lane_check_lost(struct lane *l, struct slot *s)
{
    struct batcher *b = l->b;
    struct assay_err err = {0};
    int rc = b->ops.drain(b->ops.ctx, l->number, &err);

    if (!rc && atomic_load(&s->completions) != s->taken)
        rc =
            assay_fail(&err, ASSAY_EFAIL,
                       "the engine lost a batch: it says that lane %u is drained, and the response "
                       "never came",
                       l->number);
    if (rc)
        batch_fail(b, &err);
}

/* Packs and submits the slot's first n items; 0: they are packed already.  The slot is the
 * completing thread's afterwards. */
static void lane_run(struct lane *l, struct slot *s, uint32_t n)
{
    struct batcher *b = l->b;
    struct assay_err err = {0};
    int64_t t0 = clock_ns(), t1, t2;
    int64_t inside = b->config.async ? 0 : l->stats.respond_ns + l->stats.complete_ns;
    int rc = n ? slot_fill(s, n, &err) : ASSAY_OK;

    t1 = n ? clock_ns() : t0;
    if (rc) {
        batch_fail(b, &err);
        return;
    }
    s->taken++;
    if ((rc = lane_submit(l, s, &err))) {
        s->taken--;
        if (rc != ASSAY_ESTOP) {
            slot_fail(s, &err);
            if (b->config.async)
                slot_give_back(s);
        }
        return;
    }
    if (b->config.async && atomic_load_explicit(&b->careful, memory_order_relaxed))
        lane_check_lost(l, s);
    t2 = clock_ns();
    if (b->config.async) {
        pthread_mutex_lock(&l->lock);
        ADD(l->stats.pack_ns, t1 - t0);
        ADD(l->stats.engine_ns, t2 - t1);
        pthread_mutex_unlock(&l->lock);
    } else { /* done ran inside submit: its part is counted there */
        ADD(l->stats.pack_ns, t1 - t0);
        ADD(l->stats.engine_ns, t2 - t1 - (l->stats.respond_ns + l->stats.complete_ns - inside));
    }
}

/* ---- benchmarks that drive ---- */

/* An engine's outputs are good until done returns, the benchmark wants them longer: keeps a copy.
 */
static bool keep_outputs(struct slot *s)
{
    struct assay_tensor *out = s->batch.outputs;
    size_t need = 0, at = 0;
    uint32_t i, n = s->batch.output_count;

    for (i = 0; i < n; i++)
        need += (out[i].bytes + 63) & ~(size_t)63;
    if (need > s->kept_cap) {
        free(s->kept);
        s->kept = aligned_alloc(64, need);
        s->kept_cap = s->kept ? need : 0;
    }
    if (need > s->kept_cap)
        return false;
    for (i = 0; i < n; i++) {
        memcpy(s->kept + at, out[i].data, out[i].bytes);
        out[i].data = s->kept + at;
        at += (out[i].bytes + 63) & ~(size_t)63;
    }
    return true;
}

static void driven_done(struct assay_batch *batch, int code, const struct assay_err *err)
{
    struct slot *s = batch->host;

    pthread_mutex_lock(&s->lane->lock);
    s->code = code;
    if (code)
        assay_fail(&s->err, code, "%s", err ? err->text : "an inference failed, without a reason");
    else if (!keep_outputs(s))
        s->code =
            assay_fail(&s->err, ASSAY_EFAIL, "not enough memory to keep an inference's outputs");
    s->completed = true;
    pthread_cond_signal(&s->lane->returned);
    pthread_mutex_unlock(&s->lane->lock);
}

static int drive_infer(void *ctx, uint32_t graph, uint32_t samples,
                       const struct assay_tensor *inputs, uint32_t input_count,
                       struct assay_tensor *outputs, uint32_t output_count, struct assay_err *err)
{
    struct slot *s = ctx;
    struct lane *l = s->lane;
    int64_t t0 = clock_ns();
    int rc;

    s->batch.graph = graph;
    s->batch.samples = samples;
    s->batch.inputs = inputs;
    s->batch.input_count = input_count;
    s->batch.rows = NULL;
    s->batch.outputs = outputs;
    s->batch.output_count = output_count;
    s->batch.done = driven_done;
    s->completed = false;
    rc = lane_submit(l, s, err);
    if (rc)
        return rc;
    pthread_mutex_lock(&l->lock);
    while (!s->completed && !atomic_load(&l->b->failed))
        pthread_cond_wait(&l->returned, &l->lock);
    pthread_mutex_unlock(&l->lock);
    ADD(l->stats.engine_ns, clock_ns() - t0);
    ADD(l->stats.batches, 1);
    atomic_fetch_add(&l->b->inferred, 1);
    if (!s->completed)
        return ASSAY_ESTOP;
    return s->code ? assay_fail(err, s->code, "%s", s->err.text) : ASSAY_OK;
}

/* The slot's samples [from, from + n) by one call; false when the run cannot go on. */
static bool drive_some(struct lane *l, struct slot *s, uint32_t from, uint32_t n)
{
    struct batcher *b = l->b;
    struct assay_driver driver = {sizeof(driver), drive_infer, s, b->config.graphs,
                                  b->config.graph_count};
    struct assay_err err = {0};
    int64_t t0 = clock_ns(), engine = l->stats.engine_ns, t1;
    size_t cap = b->config.response_bytes;
    uint32_t i;
    int rc;

    for (i = 0; i < n; i++) {
        s->driven[i] = s->items[from + i].index;
        s->driven_bytes[i] = 0;
    }
    rc = b->ops.drive_batch ? b->ops.drive_batch(b->ops.ctx, s->driven, n, &driver, s->responses,
                                                 cap, s->driven_bytes, &err)
                            : b->ops.drive(b->ops.ctx, s->driven[0], &driver, s->responses, cap,
                                           s->driven_bytes, &err);
    if (rc) {
        s->item_count = n;
        if (rc != ASSAY_ESTOP)
            slot_fail(s, &err);
        return !atomic_load(&b->failed);
    }
    t1 = clock_ns();
    ADD(l->stats.respond_ns, t1 - t0 - (l->stats.engine_ns - engine));
    for (i = 0; i < n; i++)
        s->done[i] = (struct batch_done){s->items[from + i].id, (uintptr_t)(s->responses + i * cap),
                                         s->driven_bytes[i], 0};
    b->ops.complete(b->ops.ctx, s->done, n);
    ADD(l->stats.complete_ns, clock_ns() - t1);
    ADD(l->stats.samples, n);
    count_completed(b, n);
    return true;
}

static void lane_drive(struct lane *l, struct slot *s, uint32_t n)
{
    uint32_t each = l->b->ops.drive_batch ? n : 1, i;

    for (i = 0; i < n && !atomic_load(&l->b->failed); i += each)
        if (!drive_some(l, s, i, each))
            return;
}

/* ---- lanes ---- */

static void lane_handle(struct lane *l, struct slot *s, uint32_t n)
{
    if (l->b->ops.drive)
        lane_drive(l, s, n);
    else
        lane_run(l, s, n);
}

static struct slot *lane_take_slot(struct lane *l)
{
    struct batcher *b = l->b;
    struct slot *s = NULL;

    if (!has_slots(b))
        return &l->slots[0];
    pthread_mutex_lock(&l->lock);
    while (!l->idle_count && !atomic_load(&b->failed))
        pthread_cond_wait(&l->returned, &l->lock);
    if (l->idle_count)
        s = l->idle[--l->idle_count];
    pthread_mutex_unlock(&l->lock);
    return s;
}

static void begin_thread(const char *what, uint32_t number)
{
    char name[16];

    snprintf(name, sizeof(name), "%s %u", what, number);
    prctl(PR_SET_NAME, name);
    prctl(PR_SET_TIMERSLACK, 1UL);
}

/* What the lane waited since t0, without what was before the last reset. */
static void lane_waited(struct lane *l, int64_t t0)
{
    int64_t reset = atomic_load(&l->b->reset_ns);

    ADD(l->stats.wait_ns, clock_ns() - (t0 < reset ? reset : t0));
}

/* Fills the slot from the queue; 0: the batcher stops. */
static uint32_t lane_take_items(struct lane *l, struct slot *s)
{
    uint32_t n = queue_take(l->b->queue, l->number, s->own_items);

    s->items = s->own_items;
    return n;
}

/* ---- a lane's second thread ---- */

/* One batch more, or less, that the lane holds. */
static void lane_holds(struct lane *l, bool more)
{
    struct batcher *b = l->b;

    pthread_mutex_lock(&b->turn_lock);
    if (more)
        b->empty_lanes -= l->held++ == 0;
    else
        b->empty_lanes += --l->held == 0;
    pthread_cond_broadcast(&b->turn);
    pthread_mutex_unlock(&b->turn_lock);
}

/* A lane that has a batch already leaves the next to those that have none. */
static void packer_wait_turn(struct lane *l)
{
    struct batcher *b = l->b;

    pthread_mutex_lock(&b->turn_lock);
    while (l->held && b->empty_lanes && !b->stopping)
        pthread_cond_wait(&b->turn, &b->turn_lock);
    pthread_mutex_unlock(&b->turn_lock);
}

/* Called with a packed slot, or NULL at the end. */
static void packer_hand_over(struct lane *l, struct slot *s)
{
    pthread_mutex_lock(&l->lock);
    if (s)
        l->packed[l->packed_count++] = s;
    else
        l->packer_ended = true;
    pthread_cond_signal(&l->changed);
    pthread_mutex_unlock(&l->lock);
}

static void *packer_main(void *arg)
{
    struct lane *l = arg;
    struct assay_err err = {0};
    struct slot *s;
    int64_t t0;
    uint32_t n;

    begin_thread("pack", l->number);
    while ((s = lane_take_slot(l)) && (n = lane_take_items(l, s))) {
        lane_holds(l, true);
        t0 = clock_ns();
        if (slot_fill(s, n, &err)) {
            batch_fail(l->b, &err);
            break;
        }
        ADD(l->stats.ahead_ns, clock_ns() - t0);
        packer_hand_over(l, s);
        packer_wait_turn(l);
    }
    packer_hand_over(l, NULL);
    return NULL;
}

/* NULL: the packer has ended, and nothing is left. */
static struct slot *lane_take_packed(struct lane *l)
{
    int64_t t0 = clock_ns();
    struct slot *s = NULL;

    pthread_mutex_lock(&l->lock);
    while (!l->packed_count && !l->packer_ended)
        pthread_cond_wait(&l->changed, &l->lock);
    if (l->packed_count) {
        s = l->packed[0];
        l->packed[0] = l->packed[1];
        l->packed_count--;
    }
    pthread_mutex_unlock(&l->lock);
    lane_waited(l, t0);
    return s;
}

static void *lane_main(void *arg)
{
    struct lane *l = arg;
    struct slot *s;
    int64_t t0;
    uint32_t n;

    begin_thread("lane", l->number);
    if (l->b->ops.begin)
        l->b->ops.begin(l->b->ops.ctx, l->number);
    if (l->b->config.ahead) {
        while ((s = lane_take_packed(l))) {
            lane_run(l, s, 0);
            slot_give_back(s);
            lane_holds(l, false);
        }
        return NULL;
    }
    while ((s = lane_take_slot(l))) {
        t0 = clock_ns();
        n = lane_take_items(l, s);
        lane_waited(l, t0);
        if (!n)
            break;
        lane_handle(l, s, n);
    }
    if (s && !l->b->ops.drive)
        slot_give_back(s);
    return NULL;
}

/* ---- issuing ---- */

struct long_item {
    struct batch_item item;
    int64_t length;
};

/* The longest first; equals as they were issued, so that a run can be repeated. */
static int by_length(const void *a, const void *b)
{
    const struct long_item *x = a, *y = b;

    if (x->length != y->length)
        return x->length < y->length ? 1 : -1;
    return x->item.id < y->item.id ? -1 : x->item.id > y->item.id;
}

/* A copy of the items in order of their samples' first dimension, for free(). */
static struct batch_item *sort_items(struct batcher *b, const struct batch_item *items, size_t n,
                                     struct assay_err *err)
{
    struct long_item *order = malloc(n * sizeof(*order));
    struct batch_item *sorted = calloc(n, sizeof(*sorted));
    const struct assay_tensor *view = NULL;
    size_t i;

    if (!order || !sorted)
        assay_fail(err, ASSAY_EFAIL, "not enough memory to sort %zu samples", n);
    for (i = 0; order && sorted && i < n; i++) {
        if (!(view = batch_view(b, items[i].index, 0, err)))
            break;
        order[i] = (struct long_item){items[i], view->rank ? view->dims[0] : 0};
    }
    if (view) {
        qsort(order, n, sizeof(*order), by_length);
        for (i = 0; i < n; i++)
            sorted[i] = order[i].item;
    } else {
        free(sorted);
        sorted = NULL;
    }
    free(order);
    return sorted;
}

/* Into the queue, with the samples' lengths where batches are made by them. */
static int put_items(struct batcher *b, const struct batch_item *items, size_t n,
                     struct assay_err *err)
{
    int64_t few[16], *lengths = few;
    const struct assay_tensor *view;
    int rc = ASSAY_OK;
    size_t i;

    if (b->by_length && n > sizeof(few) / sizeof(few[0]))
        lengths = malloc(n * sizeof(*lengths));
    for (i = 0; b->by_length && lengths && i < n && !rc; i++)
        if ((view = batch_view(b, items[i].index, 0, err)))
            lengths[i] = view->rank ? view->dims[0] : 0;
        else
            rc = ASSAY_EFAIL;
    if (!rc && (!lengths || !queue_put_lengths(b->queue, items, b->by_length ? lengths : NULL, n)))
        rc = assay_fail(err, ASSAY_EFAIL, "not enough memory to queue %zu samples", n);
    if (lengths != few)
        free(lengths);
    return rc;
}

static void issue_in_order(struct batcher *b, const struct batch_item *items, size_t n)
{
    struct lane *l = &b->lanes[0];
    struct assay_err err = {0};
    uint32_t part, limit = atomic_load_explicit(&b->limit, memory_order_relaxed);

    if (b->queue) {
        atomic_fetch_add(&b->issued, n);
        if (put_items(b, items, n, &err))
            batch_fail(b, &err);
        return;
    }
    atomic_store_explicit(&b->issued, atomic_load_explicit(&b->issued, memory_order_relaxed) + n,
                          memory_order_relaxed);
    while (n && !atomic_load_explicit(&b->failed, memory_order_relaxed)) {
        part = n < limit ? (uint32_t)n : limit;
        l->slots[0].items = items;
        lane_handle(l, &l->slots[0], part);
        items += part;
        n -= part;
    }
}

void batch_issue(struct batcher *b, const struct batch_item *items, size_t n)
{
    struct batch_item *sorted;
    struct assay_err err = {0};

    if (!b->pad || n <= atomic_load_explicit(&b->limit, memory_order_relaxed)) {
        issue_in_order(b, items, n);
        return;
    }
    sorted = sort_items(b, items, n, &err);
    if (!sorted)
        batch_fail(b, &err);
    else
        issue_in_order(b, sorted, n);
    free(sorted);
}

void batch_flush(struct batcher *b)
{
    if (b->queue)
        queue_flush(b->queue);
}

void batch_wait_idle(struct batcher *b)
{
    pthread_mutex_lock(&b->idle_lock);
    atomic_fetch_add(&b->idle_waiters, 1);
    while (batch_outstanding(b) && !atomic_load(&b->told))
        pthread_cond_wait(&b->idle, &b->idle_lock);
    atomic_fetch_sub(&b->idle_waiters, 1);
    pthread_mutex_unlock(&b->idle_lock);
}

void batch_careful(struct batcher *b, bool careful)
{
    atomic_store(&b->careful, careful && b->ops.drain);
}

void batch_try(struct batcher *b, bool trying)
{
    b->tried = (struct assay_err){0};
    atomic_store(&b->trying, trying);
}

int batch_tried(struct batcher *b, struct assay_err *err)
{
    int rc;

    pthread_mutex_lock(&b->idle_lock);
    if ((rc = b->tried.code))
        *err = b->tried;
    pthread_mutex_unlock(&b->idle_lock);
    return rc;
}

void batch_limit(struct batcher *b, uint32_t limit)
{
    if (limit > b->config.max_batch)
        limit = b->config.max_batch;
    if (!limit) /* nothing would ever be submitted */
        limit = 1;
    atomic_store(&b->limit, limit);
    if (b->queue)
        queue_limit(b->queue, limit);
}

uint64_t batch_steps(const struct batcher *b)
{
    return batch_completed(b) + atomic_load(&b->inferred);
}

uint64_t batch_completed(const struct batcher *b)
{
    return atomic_load(&b->completed); /* ordered with idle_waiters, or a wake-up could be lost */
}

uint64_t batch_outstanding(const struct batcher *b)
{
    uint64_t done = batch_completed(b); /* first: it never passes issued */

    return atomic_load(&b->issued) - done;
}

/* ---- statistics, making and ending ---- */

/* The lanes' sums since they began. */
static void stats_sum(const struct batcher *b, struct batch_stats *sum)
{
    memset(sum, 0, sizeof(*sum));
    for (uint32_t i = 0; i < b->config.lanes; i++) {
        const struct batch_stats *s = &b->lanes[i].stats;

        sum->batches += __atomic_load_n(&s->batches, __ATOMIC_RELAXED);
        sum->samples += __atomic_load_n(&s->samples, __ATOMIC_RELAXED);
        sum->packed_bytes += __atomic_load_n(&s->packed_bytes, __ATOMIC_RELAXED);
        sum->wait_ns += __atomic_load_n(&s->wait_ns, __ATOMIC_RELAXED);
        sum->pack_ns += __atomic_load_n(&s->pack_ns, __ATOMIC_RELAXED);
        sum->ahead_ns += __atomic_load_n(&s->ahead_ns, __ATOMIC_RELAXED);
        sum->engine_ns += __atomic_load_n(&s->engine_ns, __ATOMIC_RELAXED);
        sum->respond_ns += __atomic_load_n(&s->respond_ns, __ATOMIC_RELAXED);
        sum->complete_ns += __atomic_load_n(&s->complete_ns, __ATOMIC_RELAXED);
    }
}

void batch_stats_get(const struct batcher *b, struct batch_stats *stats)
{
    stats_sum(b, stats);
    stats->batches -= b->base.batches;
    stats->samples -= b->base.samples;
    stats->packed_bytes -= b->base.packed_bytes;
    stats->wait_ns -= b->base.wait_ns;
    stats->pack_ns -= b->base.pack_ns;
    stats->ahead_ns -= b->base.ahead_ns;
    stats->engine_ns -= b->base.engine_ns;
    stats->respond_ns -= b->base.respond_ns;
    stats->complete_ns -= b->base.complete_ns;
}

void batch_stats_reset(struct batcher *b)
{
    stats_sum(b, &b->base);
    atomic_store(&b->reset_ns, clock_ns());
}

static bool slot_init(struct slot *s, struct lane *l)
{
    const struct batch_config *c = &l->b->config;
    uint32_t i, inputs = c->input_count ? c->input_count : 1;
    const struct assay_tensor **rows = calloc((size_t)inputs * c->max_batch, sizeof(*rows));

    s->lane = l;
    s->rows[0] = rows;
    for (i = 1; rows && i < c->input_count; i++)
        s->rows[i] = rows + (size_t)i * c->max_batch;
    s->outputs = calloc(c->output_count + 1, sizeof(*s->outputs));
    s->wanted = calloc(c->wanted_outputs + 1, sizeof(*s->wanted));
    s->own_items = calloc(c->max_batch, sizeof(*s->own_items));
    s->done = calloc(c->max_batch, sizeof(*s->done));
    s->driven = calloc(c->max_batch, sizeof(*s->driven));
    s->driven_bytes = calloc(c->max_batch, sizeof(*s->driven_bytes));
    s->responses = calloc(c->max_batch, c->response_bytes ? c->response_bytes : 1);
    s->batch = (struct assay_batch){.size = sizeof(s->batch),
                                    .lane = l->number,
                                    .output_count = c->output_count,
                                    .outputs = s->outputs,
                                    .done = slot_done,
                                    .host = s};
    return rows && s->outputs && s->wanted && s->own_items && s->done && s->responses &&
           s->driven && s->driven_bytes;
}

static bool lane_init(struct lane *l, struct batcher *b, uint32_t number)
{
    uint32_t i;

    l->b = b;
    l->number = number;
    l->slot_count = !has_slots(b) ? 1 : b->config.ahead ? AHEAD_SLOTS : b->config.depth;
    l->slots = calloc(l->slot_count, sizeof(*l->slots));
    l->idle = calloc(l->slot_count, sizeof(*l->idle));
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->returned, NULL);
    pthread_cond_init(&l->changed, NULL);
    if (!l->slots || !l->idle)
        return false;
    for (i = 0; i < l->slot_count; i++) {
        if (!slot_init(&l->slots[i], l))
            return false;
        l->idle[l->idle_count++] = &l->slots[i];
    }
    return true;
}

int batch_create(const struct batch_config *config, const struct batch_ops *ops,
                 struct batcher **out, struct assay_err *err)
{
    struct batcher *b;
    uint32_t i;

    if (config->input_count > MAX_INPUTS)
        return assay_fail(err, ASSAY_EFAIL, "a model with %u inputs; at most %d are possible",
                          config->input_count, MAX_INPUTS);
    b = calloc(1, sizeof(*b));
    if (!b)
        return assay_fail(err, ASSAY_EFAIL, "not enough memory for the batcher");
    b->config = *config;
    b->ops = *ops;
    b->limit = config->max_batch;
    if (!b->config.depth)
        b->config.depth = DEFAULT_DEPTH;
    pthread_mutex_init(&b->idle_lock, NULL);
    pthread_cond_init(&b->idle, NULL);
    pthread_mutex_init(&b->turn_lock, NULL);
    pthread_cond_init(&b->turn, NULL);
    b->empty_lanes = config->lanes;
    if (!config->on_issuer)
        b->queue = queue_create(config->lanes, config->max_batch, config->wait_ns,
                                config->async || config->ahead);
    b->output_map = calloc(config->wanted_outputs + 1, sizeof(*b->output_map));
    b->views = calloc(config->samples * config->input_count + 1, sizeof(*b->views));
    b->lanes = calloc(config->lanes, sizeof(*b->lanes));
    if (!b->output_map || !b->views || !b->lanes || (!b->queue && !config->on_issuer))
        goto no_memory;
    memcpy(b->output_map, config->output_map, config->wanted_outputs * sizeof(*b->output_map));
    if (config->pad) {
        b->pad = calloc(config->input_count + 1, sizeof(*b->pad));
        if (!b->pad)
            goto no_memory;
        memcpy(b->pad, config->pad, config->input_count * sizeof(*b->pad));
        b->by_length = b->queue && config->wait_ns > 0 && config->max_batch > 1;
        if (b->by_length && !queue_group(b->queue))
            goto no_memory;
    }
    for (i = 0; i < config->lanes; i++)
        if (!lane_init(&b->lanes[i], b, i))
            goto no_memory;
    for (i = 0; i < config->lanes && b->queue; i++) {
        if (config->ahead && pthread_create(&b->lanes[i].packer, NULL, packer_main, &b->lanes[i]))
            goto no_memory;
        b->lanes[i].packing = config->ahead;
        if (pthread_create(&b->lanes[i].thread, NULL, lane_main, &b->lanes[i]))
            goto no_memory;
        b->lanes[i].started = true;
    }
    *out = b;
    return ASSAY_OK;
no_memory:
    batch_destroy(b);
    return assay_fail(err, ASSAY_EFAIL, "not enough memory or threads for %u lanes of %u samples",
                      config->lanes, config->max_batch);
}

static void lane_release(struct lane *l)
{
    uint32_t i, k;
    bool ours;

    if (!l->b) /* a lane before this one could not be made */
        return;
    ours = l->b->config.async && !l->b->ops.drive && l->started;
    /* An engine's thread may still be on its way out of the last completion. */
    for (; ours && !atomic_load(&l->b->failed); pthread_mutex_unlock(&l->lock)) {
        pthread_mutex_lock(&l->lock);
        if (l->idle_count == l->slot_count)
            ours = false;
        else
            pthread_cond_wait(&l->returned, &l->lock);
    }
    for (i = 0; l->slots && i < l->slot_count; i++) {
        struct slot *s = &l->slots[i];

        for (k = 0; k < MAX_INPUTS; k++)
            if (s->packed[k])
                l->b->ops.release(l->b->ops.ctx, s->packed[k]);
        free(s->rows[0]);
        free(s->outputs);
        free(s->wanted);
        free(s->own_items);
        free(s->done);
        free(s->driven);
        free(s->driven_bytes);
        free(s->responses);
        free(s->kept);
    }
    free(l->slots);
    free(l->idle);
    pthread_mutex_destroy(&l->lock);
    pthread_cond_destroy(&l->returned);
    pthread_cond_destroy(&l->changed);
}

void batch_destroy(struct batcher *b)
{
    uint32_t i;

    if (!b)
        return;
    if (b->queue)
        queue_stop(b->queue);
    end_turns(b);
    for (i = 0; b->lanes && i < b->config.lanes; i++) {
        if (b->lanes[i].packing)
            pthread_join(b->lanes[i].packer, NULL);
        if (b->lanes[i].started)
            pthread_join(b->lanes[i].thread, NULL);
    }
    for (i = 0; b->lanes && i < b->config.lanes; i++)
        lane_release(&b->lanes[i]);
    pthread_mutex_destroy(&b->idle_lock);
    pthread_cond_destroy(&b->idle);
    pthread_mutex_destroy(&b->turn_lock);
    pthread_cond_destroy(&b->turn);
    queue_destroy(b->queue);
    free(b->lanes);
    free(b->views);
    free(b->output_map);
    free(b->pad);
    free(b);
}
