/* The parent's side: starts the child, watches it, shows progress, and says in words how it ended.
 */
#ifndef RUN_SUPERVISE_H
#define RUN_SUPERVISE_H

#include "run/shared.h"

struct supervised {
    struct run_shared *shared;
    int64_t *table;           /* of all latencies, by sequence number */
    const int64_t *latencies; /* those of what is measured; 0: that sample has not come back */
    uint64_t latency_count;
    int shared_fd, latencies_fd;
    bool late;        /* it was ended because it took too long */
    bool interrupted; /* the user wanted an end, though this child may have come to its own */
};

/* Runs `libexec/assay/assay-child run <job>` with its output in <dir>/engine.log, until it ends or
 * the user interrupts (SIGINT, SIGTERM, SIGHUP: the child is asked to stop, then killed). ASSAY_OK:
 * it finished. ASSAY_ESTOP: interrupted.  Anything else: err says what happened, also for a crash.
 * What was measured is in *out in every case. progress: auto|plain|json|none.
 * limit_s: the child is killed after so long (out->late); 0: no limit. */
int supervise_run(const char *job, const char *dir, const char *progress, double limit_s,
                  struct supervised *out, struct assay_err *err);
void supervise_release(struct supervised *sup);

#endif
