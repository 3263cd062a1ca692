/* The wrapper around submit and drain: times every call and holds the engine to its contract.
 *
 * A submit takes a guard (open.h) from the lane's own array, hands the engine the guard's view of
 * the batch and reads the clock twice: before the call, and when the batch is done (inside submit)
 * or submit returns (not done yet).  A completion on another thread reads it once more.  So the
 * cost beside the clock is a copy of one struct and two atomic operations on a cache line that
 * nobody else touches.
 *
 * What a guard's word decides: the completion that turns the word from odd (in flight) to even is
 * the one that the caller gets; every other one is a breach of the contract and goes to fault. */
#include "engine/open.h"

#include <string.h>

#include "base/clock.h"

/* The guard whose submit runs on this thread now: a completion of it is inline. */
static _Thread_local struct guard *submitting;

__attribute__((cold)) static void breach(struct engine *e, uint32_t lane, const char *what)
{
    struct assay_err err;

    if (atomic_flag_test_and_set(&e->faulted) || !e->fault)
        return;
    assay_fail(&err, ASSAY_EFAIL, "engine %s broke its contract on lane %u: %s", e->table->name,
               lane, what);
    e->fault(e->fault_ctx, &err);
}

/* Statistics: one writer for most (plain stores that another thread may read), many for an
 * asynchronous engine's flights. */
static void add_one(struct engine_hook_stats *s, int64_t ns)
{
    __atomic_store_n(&s->calls, s->calls + 1, __ATOMIC_RELAXED);
    __atomic_store_n(&s->total_ns, s->total_ns + ns, __ATOMIC_RELAXED);
    if (ns > s->max_ns)
        __atomic_store_n(&s->max_ns, ns, __ATOMIC_RELAXED);
}

static void add_shared(struct engine_hook_stats *s, int64_t ns)
{
    int64_t max = __atomic_load_n(&s->max_ns, __ATOMIC_RELAXED);

    __atomic_fetch_add(&s->calls, 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&s->total_ns, ns, __ATOMIC_RELAXED);
    while (ns > max && !__atomic_compare_exchange_n(&s->max_ns, &max, ns, true, __ATOMIC_RELAXED,
                                                    __ATOMIC_RELAXED))
        ;
}

static void set_inside(struct engine_lane *lane, int64_t ns)
{
    __atomic_store_n(&lane->stats.inside_since_ns, ns, __ATOMIC_RELAXED);
}

/* And makes them what the host was told. */
static int check_outputs(struct guard *g, struct assay_err *err)
{
    const struct engine *e = g->lane->engine;
    const struct assay_graph_desc *graph = &e->own[g->view.graph];
    int rc = ASSAY_OK;

    for (uint32_t o = 0; o < graph->output_count && o < g->view.output_count && !rc; o++)
        rc = engine_check_output(&graph->outputs[o], &g->view.outputs[o], err);
    return !rc && e->told ? engine_widen_outputs(g, err) : rc;
}

/* Gives the caller its batch back, with the engine's error or one of ours about its outputs. */
static void deliver(struct guard *g, int code, const struct assay_err *err)
{
    static const struct assay_err silent;
    struct assay_err wrong, named;

    if (code == ASSAY_OK && check_outputs(g, &wrong) == ASSAY_OK) {
        g->caller->done(g->caller, ASSAY_OK, NULL);
        return;
    }
    if (code == ASSAY_OK) {
        code = ASSAY_EFAIL;
        err = &wrong;
    }
    engine_name_error(g->lane->engine, "inference", g->view.samples, code, err ? err : &silent,
                      &named);
    g->caller->done(g->caller, code, &named);
}

static void guard_done(struct assay_batch *view, int code, const struct assay_err *err)
{
    struct guard *g = (struct guard *)view; /* its first member */
    struct engine_lane *lane = g->lane;
    int64_t ns;

    if (!(atomic_fetch_and_explicit(&g->word, ~GUARD_FLYING, memory_order_acq_rel) &
          GUARD_FLYING)) {
        breach(lane->engine, view->lane,
               "it completed a batch that was not in flight (twice, or after refusing it)");
        return;
    }
    ns = clock_ns() - g->start_ns;
    if (submitting == g) {
        submitting = NULL;
        set_inside(lane, 0); /* what follows is the caller's time */
        add_one(&lane->stats.submit, ns);
    }
    if (lane->engine->async)
        add_shared(&lane->stats.flight, ns);
    else
        add_one(&lane->stats.flight, ns);
    deliver(g, code, err);
    atomic_fetch_and_explicit(&g->word, ~GUARD_BUSY, memory_order_release);
}

/* A free guard, or NULL when every one is in flight.  Round robin, so that a guard rests as long as
 * possible and a completion that comes twice meets a free one. */
static struct guard *guard_take(struct engine_lane *lane)
{
    for (uint32_t i = 0; i < lane->guard_count; i++) {
        struct guard *g = &lane->guards[lane->next++ & (lane->guard_count - 1)];

        if (!(atomic_load_explicit(&g->word, memory_order_acquire) & (GUARD_FLYING | GUARD_BUSY)))
            return g;
    }
    return NULL;
}

/* Ends a flight that the engine does not own; false when it has completed it. */
static bool guard_ground(struct guard *g, uint64_t flight)
{
    return atomic_compare_exchange_strong(&g->word, &flight, flight & ~(GUARD_FLYING | GUARD_BUSY));
}

static int check_batch(const struct engine *e, const struct assay_batch *b, struct assay_err *err)
{
    if (b->lane >= e->lane_count || !e->lanes[b->lane].open)
        return assay_fail(err, ASSAY_EFAIL, "engine %s: lane %u is not open", e->table->name,
                          b->lane);
    if (b->graph >= e->desc.graph_count)
        return assay_fail(err, ASSAY_EFAIL, "engine %s: the model has %u graphs, not %u",
                          e->table->name, e->desc.graph_count, b->graph + 1);
    if (b->samples == 0 || (e->desc.max_batch && b->samples > e->desc.max_batch))
        return assay_fail(err, ASSAY_EFAIL,
                          "engine %s: a batch of %u samples, the model takes 1 to %u",
                          e->table->name, b->samples, e->desc.max_batch);
    return ASSAY_OK;
}

/* What the engine's answer to a submit means; flight is the guard's word as it was then. */
static int judge(struct engine_lane *lane, struct guard *g, uint64_t flight, uint32_t samples,
                 int rc, const struct assay_err *words, struct assay_err *err)
{
    struct engine *e = lane->engine;

    if (rc == ASSAY_OK) {
        lane->stats.batches++;
        lane->stats.samples += samples;
        if (e->async || !guard_ground(g, flight))
            return ASSAY_OK;
        breach(e, g->view.lane,
               "submit returned OK without completing, and its table lacks "
               "ASSAY_CAP_ASYNC");
        return assay_fail(err, ASSAY_EFAIL, "engine %s: submit returned OK without completing",
                          e->table->name);
    }
    if (!guard_ground(g, flight)) {
        breach(e, g->view.lane, "it completed a batch and then refused it");
        return ASSAY_OK; /* the caller has it back already */
    }
    if (rc != ASSAY_EAGAIN)
        return engine_name_error(e, "submit", samples, rc, words, err);
    lane->stats.again++;
    return rc;
}

int engine_submit(struct engine *e, struct assay_batch *batch, struct assay_err *err)
{
    struct engine_lane *lane;
    struct guard *g, *outer = submitting;
    uint64_t flight;
    int64_t start;
    uint32_t samples = batch->samples;
    struct assay_err words;
    int rc = check_batch(e, batch, err);

    if (rc)
        return rc;
    lane = &e->lanes[batch->lane];
    if (!(g = guard_take(lane))) {
        lane->stats.again++;
        return ASSAY_EAGAIN;
    }
    g->view = *batch;
    g->view.done = guard_done;
    g->caller = batch;
    if (e->told && (rc = engine_halve_inputs(g, err)))
        return rc;
    flight = atomic_load_explicit(&g->word, memory_order_relaxed) + 4;
    flight |= GUARD_FLYING | GUARD_BUSY;
    g->start_ns = start = clock_ns();
    atomic_store_explicit(&g->word, flight, memory_order_release);
    set_inside(lane, start);
    submitting = g;
    words.text[0] = 0;
    rc = e->table->submit(e->self, &g->view, &words);
    if (submitting == g) { /* it did not complete inside */
        add_one(&lane->stats.submit, clock_ns() - start);
        set_inside(lane, 0);
    }
    submitting = outer;
    return judge(lane, g, flight, samples, rc, &words, err);
}

int engine_drain(struct engine *e, uint32_t lane, struct assay_err *err)
{
    struct engine_lane *l = &e->lanes[lane];
    int64_t start = clock_ns();
    uint32_t lost = 0;
    struct assay_err words = {0};
    char what[96];
    int rc;

    if (!e->table->drain)
        return ASSAY_OK;
    set_inside(l, start);
    rc = e->table->drain(e->self, lane, &words);
    set_inside(l, 0);
    add_one(&l->stats.drain, clock_ns() - start);
    if (rc)
        return engine_name_error(e, "drain", 0, rc, &words, err);
    for (uint32_t i = 0; i < l->guard_count; i++) {
        uint64_t word = atomic_load(&l->guards[i].word);

        lost += (word & GUARD_FLYING) && guard_ground(&l->guards[i], word) ? 1 : 0;
    }
    if (!lost)
        return ASSAY_OK;
    snprintf(what, sizeof(what), "drain returned, and %u batches never completed: they are lost",
             lost);
    breach(e, lane, what);
    return assay_fail(err, ASSAY_EFAIL, "engine %s: %u batches never completed", e->table->name,
                      lost);
}
