/* The system under test as LoadGen sees it: LoadGen's callbacks on one side, the batcher and its
 * stages on the other.
 *
 * A latency is what LoadGen counts: from the time at which a sample was due (Server) or issued to
 * the moment of its completion, on LoadGen's own clock; it is kept by the sample's sequence number.
 */
#include <math.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/text.h"
#include "run/child.h"
#include "run/drive.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE                                                                        \
    23 /* Linux 5.14; older ones say EINVAL, and the pages come when they are touched */
#endif

_Static_assert(sizeof(struct batch_item) == sizeof(struct load_sample), "one layout");
_Static_assert(sizeof(struct batch_done) == sizeof(struct load_response), "one layout");
_Static_assert(offsetof(struct batch_done, size) == offsetof(struct load_response, size),
               "one layout");

/* ---- the batcher's stages ---- */

static int stage_submit(void *ctx, struct assay_batch *batch, struct assay_err *err)
{
    return engine_submit(((struct child *)ctx)->engine, batch, err);
}

static int stage_drain(void *ctx, uint32_t lane, struct assay_err *err)
{
    return engine_drain(((struct child *)ctx)->engine, lane, err);
}

static void *stage_alloc(void *ctx, size_t bytes)
{
    return engine_alloc(((struct child *)ctx)->engine, bytes);
}

static void stage_release(void *ctx, void *memory)
{
    engine_release(((struct child *)ctx)->engine, memory);
}

static int stage_input(void *ctx, uint64_t index, uint32_t input, struct assay_tensor *view,
                       struct assay_err *err)
{
    struct child *c = ctx;

    return c->r.benchmark->input(c->bench, index, input, view, err);
}

static int stage_respond(void *ctx, uint64_t index, const struct assay_tensor *outputs,
                         uint32_t output_count, uint32_t row, void *response, size_t capacity,
                         size_t *bytes, struct assay_err *err)
{
    struct child *c = ctx;

    return c->r.benchmark->respond(c->bench, index, outputs, output_count, row, response, capacity,
                                   bytes, err);
}

static int stage_drive(void *ctx, uint64_t index, const struct assay_driver *driver, void *response,
                       size_t capacity, size_t *bytes, struct assay_err *err)
{
    struct child *c = ctx;
    struct drive d = {driver, &c->bench_desc, c->graphs};
    struct assay_driver own = drive_driver(&d);

    return c->r.benchmark->drive(c->bench, index, c->graphs ? &own : driver, response, capacity,
                                 bytes, err);
}

static int stage_drive_batch(void *ctx, const uint64_t *index, uint32_t n,
                             const struct assay_driver *driver, void *responses, size_t capacity,
                             size_t *bytes, struct assay_err *err)
{
    struct child *c = ctx;
    struct drive d = {driver, &c->bench_desc, c->graphs};
    struct assay_driver own = drive_driver(&d);

    return c->r.benchmark->drive_batch(c->bench, index, n, c->graphs ? &own : driver, responses,
                                       capacity, bytes, err);
}

static void keep_latencies(struct child *c, const struct batch_done *done, size_t n)
{
    const struct load_bridge *load = c->r.load;
    struct giveup *g = &c->giveup;
    uint64_t top =
        load->latencies((const struct load_response *)done, n, c->latencies, RUN_LATENCIES_MAX);
    uint64_t have = atomic_load_explicit(&c->shared->latencies, memory_order_relaxed), over = 0;
    size_t i;

    while (top > have && !atomic_compare_exchange_weak(&c->shared->latencies, &have, top))
        ;
    if (!g->armed)
        return;
    for (i = 0; i < n; i++)
        over += c->latencies[load->sequence(done[i].id)] > g->bound_ns;
    if (over)
        atomic_fetch_add(&g->over, over);
}

static void stage_begin(void *ctx, uint32_t lane)
{
    pin_bind(&((struct child *)ctx)->pin, lane);
}

static void stage_complete(void *ctx, const struct batch_done *done, size_t n)
{
    struct child *c = ctx;

    if (c->warming) {
        for (size_t i = 0; c->done_ns && i < n; i++)
            c->done_ns[done[i].id] = clock_ns();
        return;
    }
    keep_latencies(c, done, n);
    c->r.load->complete((const struct load_response *)done, n);
}

static void stage_fail(void *ctx, const struct assay_err *err)
{
    child_fail(ctx, err);
}

static void engine_broke(void *ctx, const struct assay_err *err)
{
    child_fail(ctx, err);
}

int sut_open(struct child *c, struct assay_err *err)
{
    const struct assay_engine *t = c->r.engine;
    struct batch_ops ops = {.ctx = c,
                            .begin = stage_begin,
                            .submit = stage_submit,
                            .drain = t->drain ? stage_drain : NULL,
                            .alloc = stage_alloc,
                            .release = stage_release,
                            .input = stage_input,
                            .respond = stage_respond,
                            .drive = bench_drive(c->r.benchmark) ? stage_drive : NULL,
                            .drive_batch =
                                bench_drive_batch(c->r.benchmark) ? stage_drive_batch : NULL,
                            .complete = stage_complete,
                            .fail = stage_fail};
    struct batch_config config = {.lanes = c->lanes,
                                  .max_batch = c->max_batch,
                                  .wait_ns = (int64_t)(c->r.s.batch_wait_ms * 1e6),
                                  .gather = t->caps & ASSAY_CAP_GATHER,
                                  /* A copy to the device from memory of the engine's (pinned) is
                                   * worth more than one on the host. */
                                  .pack = t->alloc && strcmp(c->r.s.device, "cpu") != 0,
                                  .fill = child_fills(c),
                                  .async = t->caps & ASSAY_CAP_ASYNC,
                                  .samples = c->bench_desc.samples,
                                  .input_count = c->bench_desc.input_count,
                                  .output_count = engine_desc(c->engine)->graphs[0].output_count,
                                  .output_map = c->output_map,
                                  .wanted_outputs = c->bench_desc.output_count,
                                  .response_bytes = c->bench_desc.response_bytes,
                                  .graphs = engine_desc(c->engine)->graphs,
                                  .graph_count = engine_desc(c->engine)->graph_count,
                                  .whole_outputs = c->whole_outputs,
                                  .pad = child_pads(c) ? engine_desc(c->engine)->graphs[0].inputs
                                                       : NULL};

    /* One synchronous lane that waits for nothing is served by the issuing thread itself: a thread
     * border could only cost.  A Server with batches needs the queue to make them from, and one
     * with several issuing threads needs it to bring them together.  Where a device computes, an
     * Offline batch is packed while the one before it is there; a Server would make its batches
     * sooner, and smaller. */
    config.ahead =
        config.pack && !config.async && !config.gather && !ops.drive && c->r.s.scenario == OFFLINE;
    config.on_issuer =
        !config.async && !config.ahead && !config.wait_ns && c->lanes == 1 &&
        (c->r.s.scenario != SERVER || (c->max_batch == 1 && c->r.s.server_issue_threads < 2));
    if (config.on_issuer)
        pin_bind(&c->pin, 0);
    engine_on_fault(c->engine, engine_broke, c);
    return batch_create(&config, &ops, &c->batcher, err);
}

/* ---- LoadGen's callbacks ---- */

static void give_up_release(struct child *c)
{
    static const unsigned char nothing[64];
    struct giveup *g = &c->giveup;
    size_t i;

    for (i = 0; i < g->held_count; i++) {
        struct load_response r = {g->held[i].id, (uintptr_t)nothing, 4, 0};

        c->r.load->complete(&r, 1);
    }
    g->held_count = 0;
}

static void give_up_hold(struct child *c, const struct load_sample *samples, size_t n)
{
    struct giveup *g = &c->giveup;

    if (g->held_count + n > g->held_size) {
        size_t size = (g->held_count + n) * 2;
        struct batch_item *bigger = realloc(g->held, size * sizeof(*bigger));

        if (!bigger)
            child_fail_text(c, ASSAY_EFAIL, "not enough memory to hold back %zu samples", size);
        g->held = bigger;
        g->held_size = size;
    }
    memcpy(g->held + g->held_count, samples, n * sizeof(*samples));
    g->held_count += n;
}

static void sut_issue(void *ctx, const struct load_sample *samples, size_t n)
{
    struct child *c = ctx;

    if (!atomic_load_explicit(&c->first_issue_ns, memory_order_relaxed))
        atomic_store_explicit(&c->first_issue_ns, clock_ns(), memory_order_relaxed);
    if (c->giveup.armed &&
        atomic_load_explicit(&c->giveup.over, memory_order_relaxed) > c->giveup.allowed)
        give_up_hold(c, samples, n);
    else
        batch_issue(c->batcher, (const struct batch_item *)samples, n);
}

static void sut_flush(void *ctx)
{
    struct child *c = ctx;

    batch_flush(c->batcher);
    if (c->giveup.held_count) {
        batch_wait_idle(c->batcher);
        give_up_release(c);
    }
    atomic_store(&c->ending, 1);
}

/* Page faults of the timed part: from the end of the load that begins it to the last unload. */
static void count_faults(struct child *c, bool end)
{
    struct rusage now;

    getrusage(RUSAGE_SELF, &now);
    c->major_faults = end ? now.ru_majflt - c->major_before : 0;
    c->minor_faults = end ? now.ru_minflt - c->minor_before : 0;
    if (!end) {
        c->major_before = now.ru_majflt;
        c->minor_before = now.ru_minflt;
    }
}

/* What is measured begins here: at the first load, and in a submission run, which is an accuracy
 * run and then a performance run under one numbering, at the last. */
static void begin_part(struct child *c)
{
    atomic_store(&c->shared->latencies_from, atomic_load(&c->shared->latencies));
    atomic_store(&c->first_issue_ns, 0);
    batch_stats_reset(c->batcher);
    energy_begin(c->energy);
    count_faults(c, false);
    c->part_begun = true;
}

/* The pages that the latencies will need, so that the timed part does not fault them in one by one.
 */
static void prefault_latencies(struct child *c, const struct settings *s)
{
    double bytes = expected_samples(c, s) * sizeof(*c->latencies), most = 2e9;

    madvise(c->latencies, (size_t)(bytes < most ? bytes : most), MADV_POPULATE_WRITE);
}

/* LoadGen's IO thread was started by now and has inherited the narrow affinity; the issuing thread
 * goes back. */
static cpu_set_t full_affinity;

static void sut_load(void *ctx, const size_t *index, size_t n)
{
    struct child *c = ctx;
    struct assay_err err = {0};
    uint64_t *list = malloc((n ? n : 1) * sizeof(*list));
    size_t i;

    atomic_store(&c->ending, 0);
    if (!c->exit_guarded) /* by now LoadGen's own exit handlers are registered: ours runs before
                             them */
        child_guard_exit();
    c->exit_guarded = true;
    if (c->restore_affinity)
        sched_setaffinity(0, sizeof(full_affinity), &full_affinity);
    c->restore_affinity = false;
    if (!list)
        child_fail_text(c, ASSAY_EFAIL, "not enough memory to load %zu samples", n);
    for (i = 0; i < n; i++)
        list[i] = index[i];
    pin_memory_begin(&c->pin);
    if (child_not_the_engine(c->r.benchmark->load(c->bench, list, n, &err), &err))
        child_fail(c, &err);
    pin_memory_end(&c->pin);
    free(list);
    if (!c->part_begun || c->r.s.mode == MODE_SUBMISSION)
        begin_part(c);
}

static void sut_unload(void *ctx, const size_t *index, size_t n)
{
    struct child *c = ctx;
    uint64_t *list = malloc((n ? n : 1) * sizeof(*list));
    size_t i;

    c->run_wall_ns = clock_ns() - atomic_load(&c->first_issue_ns);
    count_faults(c, true);
    energy_mark(c->energy);
    if (!list)
        return; /* they stay loaded: no harm */
    for (i = 0; i < n; i++)
        list[i] = index[i];
    c->r.benchmark->unload(c->bench, list, n);
    free(list);
}

/* When cores are left over, LoadGen's IO thread gets the last of them: it inherits its starter's
 * affinity. */
static void narrow_affinity(struct child *c)
{
    cpu_set_t narrow;
    int cpu, last = -1;

    CPU_ZERO(&full_affinity);
    if (sched_getaffinity(0, sizeof(full_affinity), &full_affinity))
        return;
    if (c->pin.on) { /* full_affinity may be the lane's own then */
        pin_bind_spare(&c->pin);
        c->restore_affinity = true;
        return;
    }
    if ((uint32_t)CPU_COUNT(&full_affinity) <= c->lanes * c->threads)
        return;
    for (cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &full_affinity))
            last = cpu;
    CPU_ZERO(&narrow);
    CPU_SET(last, &narrow);
    c->restore_affinity = sched_setaffinity(0, sizeof(narrow), &narrow) == 0;
}

int sut_run(struct child *c, const struct settings *s, const char *outdir, struct assay_err *err)
{
    char *name =
        text_format("assay %s %s %s%s", ASSAY_VERSION, c->r.engine->name, c->r.manifest.name,
                    c->r.engine->caps & ASSAY_CAP_REMOTE ? " (Network SUT)" : "");
    char *data = text_format("%s", c->bench_desc.dataset_name);
    uint64_t perf =
        s->performance_sample_count ? (uint64_t)s->performance_sample_count : c->bench_desc.samples;
    struct load_sut sut = {.ctx = c,
                           .sut_name = name,
                           .qsl_name = data,
                           .total_samples = c->bench_desc.samples,
                           .performance_samples =
                               perf < c->bench_desc.samples ? perf : c->bench_desc.samples,
                           .issue = sut_issue,
                           .flush = sut_flush,
                           .load = sut_load,
                           .unload = sut_unload};
    int rc;

    if (!name || !data) {
        free(name);
        free(data);
        return assay_fail(err, ASSAY_EFAIL, "not enough memory");
    }
    /* Those of an earlier run must not stand where a sample of this one does not come back. */
    memset(c->latencies, 0, atomic_load(&c->shared->latencies) * sizeof(*c->latencies));
    atomic_store(&c->shared->latencies, 0);
    atomic_store(&c->giveup.over, 0);
    prctl(PR_SET_TIMERSLACK, 1UL);
    if (!s->server_issue_threads) /* they are started beside the IO thread and would keep it */
        narrow_affinity(c);
    prefault_latencies(c, s);
    c->part_begun = false;
    rc = c->r.load->run(s, c->r.loadgen_model, &sut, outdir, c->r.s.audit_config, err);
    atomic_store(&c->ending, 0);
    batch_stats_get(c->batcher, &c->stages);
    free(name);
    free(data);
    return rc;
}
