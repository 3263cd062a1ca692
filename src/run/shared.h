/* What the parent and its child share while a run lives: one page of counters and every latency.
 *
 * Both are memory files that the parent makes and the child inherits, so what was measured survives
 * any death of the child.  Counters are written by the child's monitor thread and read by the
 * parent; error is written once, before `failed` is set. */
#ifndef RUN_SHARED_H
#define RUN_SHARED_H

#include <stdatomic.h>

#include "assay/types.h"

enum run_phase {
    PHASE_START,
    PHASE_DATA,  /* pre-processing or mapping the data set */
    PHASE_MODEL, /* writing a net, hashing, opening the model */
    PHASE_WARMUP,
    PHASE_SEARCH, /* Server: trials */
    PHASE_RUN,
    PHASE_SCORE,
    PHASE_DONE,
    PHASE_COUNT
};
extern const char *const run_phase_names[];

#define RUN_SHARED_FD    3
#define RUN_LATENCIES_FD 4
/* Entries of the latency file: sparse, so only what is written takes memory. */
#define RUN_LATENCIES_MAX ((uint64_t)1 << 30)

struct run_shared {
    _Atomic int phase;
    _Atomic int stop;   /* the parent asks the child to end */
    _Atomic int failed; /* error is set */
    _Atomic int again;  /* and it was LoadGen's own fault: the same run may well succeed */
    struct assay_err error;
    _Atomic uint64_t done, total; /* of the phase, where it can be told; total 0: unknown */
    _Atomic uint64_t issued, completed;
    _Atomic uint64_t latencies;      /* entries written: the highest sequence number + 1 */
    _Atomic uint64_t latencies_from; /* the first entry of what is measured */
    _Atomic int64_t phase_since_ns;  /* clock_ns */
    _Atomic int64_t target_ns;       /* the run's intended duration; 0: none */
    double expected_s;               /* what the timed part will take; written before it begins */
    char engine[64];                 /* its name, once its plugin is loaded */
    char what[128];                  /* said beside the phase: written before phase changes */
};

#endif
