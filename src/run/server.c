/* Server: finds the highest load that holds the latency bound, then runs it in full.
 *
 * Search: from --target-qps or a guess by the warm-up, short trials go up or down until one passes
 * and one fails, then bisect until the bracket is narrower than the wanted precision.  A trial
 * passes when no more of its queries are over the bound than the full run could have: LoadGen's
 * early stopping lets a run of n queries have about n (1 - p) - 2.33 sqrt(n p (1 - p)) of them (the
 * normal approximation of its 99 % confidence bound).  A trial that has already failed ends early
 * (struct giveup).  Then the full run at the load found.
 *
 * A stall of the machine makes a load fail that would hold, never the other way round.  So where
 * the peak is wanted, a load that failed is tried once more before it is believed, and so is a full
 * run before the load backs off, by as much as the better of the two says.  Where only a load that
 * holds is wanted, nothing is tried twice, and a trial must hold a shorter bound. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "run/child.h"

#define TRIALS_MAX   60
#define CONFIRM_MAX  12
#define LONG_S       60   /* a trial that decides: at least so long, or as the full run */
#define COARSE       0.05 /* precision where only a run that holds is wanted, not the peak */
#define BACK_OFF_MAX 0.3  /* there; the load goes back by so much of itself at most */

struct search {
    struct child *c;
    double trial_s, full_s;
    double allowed_fraction; /* of the full run's queries, over the bound */
    double low, high;        /* passed, failed; 0: none yet */
    bool twice;              /* a load fails only when it failed twice */
};

/* Of n queries of the full run, the part that may be over the bound. */
static double over_allowed(double n, double percentile)
{
    double p = 1 - percentile, f = p - 2.33 * sqrt(p * (1 - p) / (n > 1 ? n : 1));

    return f > 0 ? f : 0;
}

/* The full run's: as many as fill its time, and at least the minimum. */
static double full_queries(const struct search *f, double qps)
{
    return fmax(qps * f->full_s, (double)f->c->r.s.min_query_count);
}

/* The response times of a queue have an exponential tail: with capacity C, load L and a fixed
 * service time it falls about as exp(-2 (C - L) t) (heavy traffic; half as fast where service times
 * are exponential).  By so much, in seconds, must a trial of n queries stay below the bound so that
 * the full run, which sees rarer ones, holds it too; at most half of the bound.  0: the trial sees
 * them itself. */
static double rarer_s(const struct search *f, double qps, double n, double bound_s)
{
    double spare = f->c->samples_per_second - qps;
    double seen = n * fmax(f->allowed_fraction, 1 / full_queries(f, qps));

    return spare > 0 && seen < 1 ? fmin(-log(seen) / (2 * spare), bound_s / 2) : 0;
}

double server_trial_s(const struct settings *s)
{
    double full = (double)s->min_duration_ms * 1e-3, bound = s->target_latency_ms * 1e-3;
    double own = s->peak_trial_s > 0 ? s->peak_trial_s : fmin(fmax(full / 6, 1), 10);

    return fmin(fmax(own, 20 * bound), full);
}

double server_settle_s(const struct settings *s)
{
    return fmin(fmax(3 * server_trial_s(s), LONG_S), (double)s->min_duration_ms * 1e-3);
}

static int trial(struct search *f, double qps, double seconds, bool *pass, struct assay_err *err)
{
    struct child *c = f->c;
    struct settings s;
    struct detail d = {0};
    double bound_s = c->r.s.target_latency_ms * 1e-3, n, over, count, done_at;
    char dir[1200], path[1300], what[96];
    bool gave_up;
    int rc = settings_copy(&s, &c->r.s, err), number = (int)json_array_size(c->trials) + 1;

    if (rc)
        return rc;
    s.mode = MODE_PERFORMANCE;
    s.target_qps = qps;
    n = fmax(ceil(qps * seconds), SERVER_TRIAL_QUERIES);
    s.min_duration_ms = (int64_t)(n / qps * 1e3);
    s.min_query_count = (int64_t)n;
    s.max_duration_ms = s.max_query_count = 0; /* those are of the full run */
    s.max_async_queries = (int64_t)ceil(4 * qps * bound_s) + 64;
    f->allowed_fraction = over_allowed(full_queries(f, qps), s.target_latency_percentile);
    if (!f->twice)
        bound_s -= rarer_s(f, qps, n, bound_s);
    c->giveup.armed = true;
    c->giveup.bound_ns = (int64_t)(bound_s * 1e9);
    c->giveup.allowed = (uint64_t)(n * f->allowed_fraction) + 1;
    snprintf(dir, sizeof(dir), "%s/trials/%d", c->dir, number);
    snprintf(path, sizeof(path), "%s/mlperf_log_detail.txt", dir);
    snprintf(what, sizeof(what), "trial %d at %.4g queries/s", number, qps);
    child_phase(c, PHASE_SEARCH, what, 0, (double)s.min_duration_ms * 1e-3);
    rc = file_make_dirs(dir, err);
    if (!rc && f->low > 0 && check_memory(&s, NULL)) { /* LoadGen cannot go higher here */
        c->giveup.armed = false;
        settings_release(&s);
        return ASSAY_OK;
    }
    if (!rc)
        rc = check_memory(&s, err);
    if (!rc)
        rc = sut_run(c, &s, dir, err);
    c->giveup.armed = false;
    if (!rc)
        rc = detail_read(path, &d, err);
    if (!rc) {
        count = detail_real(&d, "result_query_count", 0);
        over = (double)atomic_load(&c->giveup.over);
        done_at = detail_real(&d, "result_99.00_percentile_latency_ns", 0);
        *pass = count >= n && over <= floor(n * f->allowed_fraction);
        gave_up = over > (double)c->giveup.allowed;
        json_array_append_new(c->trials,
                              json_pack("{s:f, s:b, s:b, s:f, s:f, s:f, s:f}", "qps", qps, "valid",
                                        (int)*pass, "gave_up", (int)gave_up, "p99_ms",
                                        done_at * 1e-6, "over_bound", over, "queries", count,
                                        "seconds", (double)c->run_wall_ns * 1e-9));
        rc = child_note_search(c, err);
    }
    detail_release(&d);
    settings_release(&s);
    return rc;
}

static int try_load(struct search *f, double qps, struct assay_err *err)
{
    bool pass = false;
    int rc = trial(f, qps, f->trial_s, &pass, err);

    if (!rc && !pass && f->twice)
        rc = trial(f, qps, f->trial_s, &pass, err);
    if (rc)
        return rc;
    if (pass)
        f->low = qps;
    else
        f->high = qps;
    return ASSAY_OK;
}

/* The load, as a part of the engine's capacity, below which what is late is not late by the load.
 * Where a query finds an empty lane in front of it but for one time in 33, two more have to be
 * there before it takes twice as long: of less than 1 in 1000 queries.  Where the bound is nearer
 * to what a sample takes alone, one is enough. */
static double idle_part(const struct child *c)
{
    return c->r.s.target_latency_ms * 1e6 >= 2 * c->single_ns_median ? 0.03 : 0.001;
}

static int bracket(struct search *f, double guess, struct assay_err *err)
{
    double idle = idle_part(f->c) * f->c->samples_per_second, step = 1.2, qps = guess;
    int rc, i, idle_failed = 0;

    for (i = 0; i < TRIALS_MAX && (!f->low || !f->high); i++) {
        if ((rc = try_load(f, qps, err)))
            return rc;
        idle_failed += !f->low && f->high < idle;
        if (idle_failed == 2)
            return assay_fail(
                err, ASSAY_EFAIL,
                "no load meets the bound: even at %.3g queries/s, %.2g %% of what the "
                "engine does, more queries than may be take longer than %.4g ms; is "
                "the machine busy with something else? (the record has the trials)",
                f->high, 100 * f->high / f->c->samples_per_second, f->c->r.s.target_latency_ms);
        qps = f->low ? f->low * step : f->high / step;
        if (f->low && f->high)
            break;
        step = step < 2 ? step * 1.2 : 2;
    }
    return ASSAY_OK;
}

/* How far to go back, as a part of the load, after full runs that were late by so much at best: by
 * the tail of rarer_s, -ln(rare) / 2 (1 / bound - 1 / late) queries/s bring what one query of
 * 1 / rare took to the bound.  At least the precision; and since one run is no more than an
 * estimate, not far where the peak is wanted. */
static double back_off(const struct search *f, double precision, double rare, double late_s,
                       double qps)
{
    double bound_s = f->c->r.s.target_latency_ms * 1e-3;
    double part = -log(rare) / 2 * (1 / bound_s - 1 / late_s) / qps;

    return fmin(fmax(part, precision), f->twice ? 2 * precision : BACK_OFF_MAX);
}

static int confirm(struct search *f, double precision, struct assay_err *err)
{
    struct child *c = f->c;
    struct detail d = {0};
    double qps = f->low, late_s = INFINITY;
    /* In a short run early stopping allows next to none: p99 says nothing then. */
    bool rare = !f->twice && f->allowed_fraction < 0.005;
    const char *key =
        rare ? "result_99.90_percentile_latency_ns" : "result_99.00_percentile_latency_ns";
    int i, rc = ASSAY_OK;

    for (i = 0; i < CONFIRM_MAX; i++) {
        bool again = f->twice && i % 2, late;

        if (i && !again) {
            qps *= 1 - back_off(f, precision, rare ? 1e-3 : 1e-2, late_s, qps);
            late_s = INFINITY;
        }
        if (i && (rc = attempt_put_aside(c,
                                         again ? "over the bound at this load; once more"
                                               : "over the bound at this load; backed off",
                                         err)))
            return rc;
        if ((rc = settings_set_real(&c->r.s, "target-qps", qps, SETTINGS_MEASURED, err)))
            return rc;
        if ((rc = attempt_run(c, &c->r.s, &d, err)))
            return rc;
        late = detail_real(&d, "result_perf_constraints_met", 0) != 1 ||
               detail_real(&d, "early_stopping_met", 0) != 1;
        late_s = fmin(late_s, detail_real(&d, key, 0) * 1e-9);
        detail_release(&d);
        if (!late) /* what else may be wrong, a lower load does not mend */
            return ASSAY_OK;
    }
    return ASSAY_OK; /* the last run stands, and the verdict says that it is INVALID and why */
}

static int bisect(struct search *f, double precision, struct assay_err *err)
{
    int rc = ASSAY_OK;

    while (!rc && f->high / f->low > 1 + precision && json_array_size(f->c->trials) < TRIALS_MAX)
        rc = try_load(f, sqrt(f->low * f->high), err);
    return rc;
}

/* The last steps: in runs as long as the full one, since in a short one a burst of the schedule
 * weighs more, and a calm stretch too.  So neither what held in a short one is believed nor what
 * failed: from the load that held it goes down by small steps until one holds, or up until one does
 * not. */
static int settle(struct search *f, double precision, struct assay_err *err)
{
    double qps = f->low, above = f->high, step = 1 + 2 * precision;
    int rc = ASSAY_OK;

    f->trial_s = server_settle_s(&f->c->r.s);
    f->low = f->high = 0;
    while (!rc && (!f->low || !f->high) && json_array_size(f->c->trials) < TRIALS_MAX) {
        rc = try_load(f, qps, err);
        if (!f->low)
            qps = f->high / step;
        else
            qps = above > f->low ? above : f->low * step;
    }
    if (!rc && !f->low)
        f->low = qps; /* the full runs go on from here */
    return rc || !f->high ? rc : bisect(f, precision, err);
}

int server_search(struct child *c, bool find_peak, struct assay_err *err)
{
    double precision = find_peak ? c->r.s.peak_precision : fmax(c->r.s.peak_precision, COARSE);
    struct search f = {.c = c,
                       .trial_s = server_trial_s(&c->r.s),
                       .full_s = (double)c->r.s.min_duration_ms * 1e-3,
                       .twice = find_peak};
    double guess = c->r.s.target_qps > 0 ? c->r.s.target_qps : 0.7 * c->samples_per_second;
    int rc;

    /* What a user said is where the search starts; what it finds must be able to replace it. */
    settings_set_origin(&c->r.s, "target-qps", SETTINGS_MEASURED);
    rc = bracket(&f, guess, err);
    if (!rc)
        rc = bisect(&f, find_peak ? 4 * precision : precision, err);
    if (!rc && find_peak)
        rc = settle(&f, precision, err);
    if (rc)
        return rc;
    if (!find_peak)
        f.low *= 1 - precision;
    return confirm(&f, precision, err);
}
