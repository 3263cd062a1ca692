/* The child's monitor thread: ten times a second it publishes the counters, looks whether the user
 * wants to stop, and whether samples are outstanding without any progress.
 *
 * How long without progress is too long?  While a lane is inside an engine's hook the engine is
 * working, and a sample may take minutes: only after half an hour is it called hung, and so is a
 * benchmark that computes between the calls.  When no lane is inside a hook and samples are still
 * outstanding, an asynchronous engine owes completions:
 * twenty times its longest flight so far, at least ten seconds, and it has lost them.
 *
 * While a model is opened there is nothing to count: a process that does nothing at all for two
 * minutes is waiting for something that does not come (a library's thread that could not be
 * started, say).  --stall-timeout-s replaces each. */
#include <pthread.h>
#include <time.h>

#include "base/clock.h"
#include "run/child.h"

#define TICK_NS      100000000
#define HUNG_S       1800.0
#define LOST_LEAST_S 10.0
#define LOST_FLIGHTS 20.0
/* For so long less than a tick of CPU time, where this thread alone needs some milliseconds. */
#define LOADGEN_IDLE_S 15.0
#define OPEN_IDLE_S    120.0

struct idle {
    int64_t since_ns, cpu_ns;
};

/* For how long this process has used no CPU time to speak of: a twentieth, which leaves room for
 * this thread and for what a sanitizer does beside it. */
static double idle_s(struct idle *i, int64_t now)
{
    struct timespec t;
    int64_t cpu;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    cpu = (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
    if (!i->since_ns || cpu - i->cpu_ns > TICK_NS + (now - i->since_ns) / 20) {
        i->since_ns = now;
        i->cpu_ns = cpu;
    }
    return (double)(now - i->since_ns) * 1e-9;
}

/* The longest that any lane has been inside the hook that runs now; 0: none is. */
static int64_t inside_ns(const struct child *c, int64_t now, int64_t *longest_flight)
{
    int64_t most = 0;
    uint32_t i;

    *longest_flight = 0;
    for (i = 0; i < c->lanes; i++) {
        const struct engine_lane_stats *s = engine_stats(c->engine, i);
        int64_t since = __atomic_load_n(&s->inside_since_ns, __ATOMIC_RELAXED);
        int64_t flight = __atomic_load_n(&s->flight.max_ns, __ATOMIC_RELAXED);

        if (since && now - since + 1 > most)
            most = now - since + 1;
        if (flight > *longest_flight)
            *longest_flight = flight;
    }
    return most;
}

static void check_stall(struct child *c, int64_t now, int64_t idle_ns, uint64_t outstanding)
{
    double own = c->r.s.stall_timeout_s, limit, idle = (double)idle_ns * 1e-9;
    int64_t flight, inside = inside_ns(c, now, &flight);

    if (inside) {
        limit = own > 0 ? own : HUNG_S;
        if ((double)inside * 1e-9 > limit && idle > limit)
            child_fail_text(
                c, ASSAY_EFAIL,
                "the engine %s has been inside one call for %.0f s and is taken to hang, with %llu "
                "samples outstanding (--stall-timeout-s sets the limit)",
                c->r.engine->name, (double)inside * 1e-9, (unsigned long long)outstanding);
        return;
    }
    /* What a synchronous engine loses is seen at once; here a benchmark computes, or drives. */
    if (!(c->r.engine->caps & ASSAY_CAP_ASYNC) || bench_drive(c->r.benchmark)) {
        limit = own > 0 ? own : HUNG_S;
        if (idle > limit)
            child_fail_text(c, ASSAY_EFAIL,
                            "nothing has been completed for %.0f s, with %llu samples outstanding "
                            "and no call into the engine: the benchmark %s is taken to hang "
                            "(--stall-timeout-s sets the limit)",
                            idle, (unsigned long long)outstanding, c->r.benchmark->name);
        return;
    }
    limit = flight ? (double)flight * 1e-9 * LOST_FLIGHTS : HUNG_S;
    if (limit < LOST_LEAST_S)
        limit = LOST_LEAST_S;
    limit += c->r.s.batch_wait_ms * 1e-3; /* a lane may wait that long for its batch to fill up */
    if (own > 0)
        limit = own;
    if (idle > limit)
        child_fail_text(c, ASSAY_EFAIL,
                        "the engine %s lost %llu responses: they are outstanding for %.0f s and no "
                        "call into the "
                        "engine is running (--stall-timeout-s sets the limit)",
                        c->r.engine->name, (unsigned long long)outstanding, idle);
}

/* When a thread's log first grows beyond 1024 entries, because the IO thread lags behind, LoadGen's
 * IO thread writes into that thread's log itself (TlsLogger::FinishReadingEntries in 6.0.17).  The
 * two race, the thread's request for a swap can get lost, and StartTest then waits for ever for the
 * log of a run that is over.  It is taken for lost when this process has used no CPU time to speak
 * of for a while after the last sample came back. */
static void check_loadgen(struct child *c, int64_t now, struct idle *idle)
{
    double limit = c->r.s.stall_timeout_s > 0 ? c->r.s.stall_timeout_s : LOADGEN_IDLE_S;

    if (idle_s(idle, now) < limit)
        return;
    atomic_store(&c->shared->again, 1);
    child_fail_text(c, ASSAY_EFAIL,
                    "LoadGen did not come to its end: all samples are back, and for %.0f s it has "
                    "done nothing (a race of its logger); run it again",
                    limit);
}

static void check_open(struct child *c, int64_t now, struct idle *idle)
{
    double limit = c->r.s.stall_timeout_s > 0 ? c->r.s.stall_timeout_s : OPEN_IDLE_S;

    if (idle_s(idle, now) >= limit)
        child_fail_text(c, ASSAY_EFAIL,
                        "the engine %s has done nothing for %.0f s while it opens %s, and is taken "
                        "to hang (--stall-timeout-s sets the limit)",
                        c->r.engine->name, limit, c->r.model_path ? c->r.model_path : "its model");
}

static void *monitor_main(void *arg)
{
    struct child *c = arg;
    struct timespec tick = {0, TICK_NS};
    uint64_t last = 0, steps, completed, outstanding;
    int64_t progress = clock_ns(), now;
    struct idle ending = {0}, opening = {0};

    for (;;) {
        nanosleep(&tick, NULL);
        now = clock_ns();
        if (atomic_load(&c->shared->stop))
            child_fail_text(c, ASSAY_ESTOP, "interrupted");
        if (atomic_load(&c->shared->phase) == PHASE_MODEL)
            check_open(c, now, &opening);
        /* From the warm-up on everything else is there. */
        if (atomic_load(&c->shared->phase) < PHASE_WARMUP ||
            atomic_load(&c->shared->phase) > PHASE_RUN)
            continue;
        completed = batch_completed(c->batcher);
        outstanding = batch_outstanding(c->batcher);
        atomic_store(&c->shared->completed, completed);
        atomic_store(&c->shared->issued, completed + outstanding);
        steps = batch_steps(c->batcher);
        if (steps != last || !outstanding) {
            last = steps;
            progress = now;
        }
        if (outstanding)
            check_stall(c, now, now - progress, outstanding);
        if (!outstanding && atomic_load(&c->ending))
            check_loadgen(c, now, &ending);
        else
            ending.since_ns = 0;
    }
    return NULL;
}

int monitor_start(struct child *c, struct assay_err *err)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, monitor_main, c))
        return assay_fail(err, ASSAY_EFAIL, "the monitor thread cannot be started");
    pthread_detach(thread);
    return ASSAY_OK;
}
