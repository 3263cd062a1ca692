/* One full LoadGen run into the record's folder.  When an attempt turns out too short, since the
 * engine was faster than in the warm-up, its logs are kept in attempts/<n> and the run is repeated
 * with the rate now known. */
#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/tree.h"
#include "run/child.h"

#define ATTEMPTS_MAX 4

int attempt_put_aside(struct child *c, const char *why, struct assay_err *err)
{
    static const char *const files[] = {"mlperf_log_summary.txt", "mlperf_log_detail.txt",
                                        "mlperf_log_accuracy.json", "mlperf_log_trace.json"};
    char dir[1200], from[1200], to[1300];
    size_t i, n = json_array_size(c->attempts) + 1;
    json_t *attempt;
    int rc;

    snprintf(dir, sizeof(dir), "%s/attempts/%zu", c->dir, n);
    rc = file_make_dirs(dir, err);
    for (i = 0; !rc && i < sizeof(files) / sizeof(files[0]); i++) {
        snprintf(from, sizeof(from), "%s/%s", c->dir, files[i]);
        snprintf(to, sizeof(to), "%s/%s", dir, files[i]);
        if (file_exists(from) && rename(from, to))
            rc = assay_fail(err, ASSAY_EFAIL, "%s: cannot be moved to %s: %s", from, dir,
                            strerror(errno));
    }
    attempt = json_pack("{s:i, s:s}", "attempt", (int)n, "repeated_because", why);
    if (c->r.s.scenario == SERVER)
        json_object_set_new(attempt, "qps", json_real(c->r.s.target_qps));
    json_array_append_new(c->attempts, attempt);
    return rc ? rc : child_note_search(c, err);
}

static int attempt_once(struct child *c, const struct settings *s, struct detail *d,
                        struct assay_err *err)
{
    char path[1200];
    int rc = check_memory(s, err);

    child_phase(c, PHASE_RUN, settings_scenario_names[s->scenario], 0,
                s->mode == MODE_ACCURACY ? 0 : (double)s->min_duration_ms * 1e-3);
    if (!rc)
        rc = sut_run(c, s, c->dir, err);
    if (rc)
        return rc;
    snprintf(path, sizeof(path), "%s/mlperf_log_detail.txt", c->dir);
    return detail_read(path, d, err);
}

/* The rate with which a too short run is repeated; 0: it was long enough, or something else is
 * wrong. */
static double better_rate(const struct child *c, const struct settings *s, const struct detail *d)
{
    const double margin = 1.15;
    double rate;

    if (!json_is_false(json_object_get(d->values, "result_min_duration_met")))
        return 0;
    if (s->scenario == OFFLINE) {
        rate = detail_real(d, "result_samples_per_second", 0);
        return settings_origin_of(&c->r.s, "target-qps") == SETTINGS_MEASURED ? rate * margin : 0;
    }
    if (s->scenario == SERVER)
        return 0;
    if (s->max_duration_ms || s->max_query_count) /* the user's, and it ended there */
        return 0;
    return settings_origin_of(&c->r.s, "target-latency-ms") == SETTINGS_MEASURED ? 1 : 0;
}

int attempt_run(struct child *c, const struct settings *s, struct detail *d, struct assay_err *err)
{
    struct settings mine;
    double rate;
    int i, rc = settings_copy(&mine, s, err);

    if (rc)
        return rc;
    if (mine.mode == MODE_FIND_PEAK) /* the search is over: this is one run at what it found */
        mine.mode = MODE_PERFORMANCE;
    for (i = 1;; i++) {
        memset(d, 0, sizeof(*d));
        rc = attempt_once(c, &mine, d, err);
        if (rc || mine.mode == MODE_ACCURACY || i == ATTEMPTS_MAX ||
            !(rate = better_rate(c, &mine, d)))
            break;
        detail_release(d);
        rc = attempt_put_aside(
            c, "faster than in the warm-up, so it ended before its minimum duration", err);
        if (rc)
            break;
        if (mine.scenario == OFFLINE)
            rc = settings_set_real(&mine, "target-qps", rate, SETTINGS_MEASURED, err);
        else
            rc = settings_set_real(&mine, "target-latency-ms", mine.target_latency_ms / 2,
                                   SETTINGS_MEASURED, err);
        if (rc)
            break;
    }
    if (!rc) { /* the record shows what was really used */
        c->r.s.target_qps = mine.target_qps;
        c->r.s.target_latency_ms = mine.target_latency_ms;
    }
    settings_release(&mine);
    return rc;
}
