/* The child's side of a run: what its files share.  One run lives in one process, so there is one
 * struct child; child_fail and the exit handler reach it through child_the. */
#ifndef RUN_CHILD_H
#define RUN_CHILD_H

#include "batch/batch.h"
#include "data/bench_host.h"
#include "engine/host.h"
#include "load/detail.h"
#include "record/energy.h"
#include "run/pin.h"
#include "run/resolve.h"
#include "run/shared.h"

/* The give-up switch of a trial: once more latencies are over the bound than a valid run may have,
 * samples are held back, LoadGen sees too many outstanding queries and ends the trial early. */
struct giveup {
    bool armed;
    int64_t bound_ns;
    uint64_t allowed;      /* latencies over the bound that are still fine */
    _Atomic uint64_t over; /* seen so far */
    struct batch_item *held;
    size_t held_count, held_size;
};

struct child {
    struct resolved r;
    struct run_shared *shared;
    int64_t *latencies;
    char dir[1100]; /* of the record's draft */
    json_t *tune;   /* what a trial of a tuning is to measure; NULL: this is a run */

    void *bench;
    struct assay_benchmark_desc bench_desc;
    struct engine *engine;
    struct assay_value *values;
    uint32_t value_count;
    char *value_storage;
    struct assay_engine_probe probe;
    uint32_t lanes, threads, max_batch;
    uint32_t output_map[16];
    struct drive_graph *graphs; /* that a driving benchmark announced; NULL: none */
    struct pin pin;
    bool settles;       /* the engine was told that the warm-up finds the batch */
    bool whole_outputs; /* the model's outputs have no batch dimension */
    struct batcher *batcher;
    struct energy *energy; /* its meter; NULL: a trial of a tuning */

    bool warming; /* completions are counted, not given to LoadGen */
    int64_t
        *done_ns; /* while warming: when the sample with this id was completed; NULL: no matter */
    bool finished;
    bool restore_affinity;
    bool exit_guarded; /* since LoadGen's first callback */
    struct giveup giveup;

    /* What the warm-up measured. */
    double single_ns_median, single_ns_p99, single_ns_min;
    double samples_per_second; /* all lanes, at the batch that will be used */
    json_t *warmup, *trials, *attempts;

    /* Of the last LoadGen run. */
    struct batch_stats stages;
    _Atomic int ending;             /* LoadGen has issued everything and is to come to its end */
    _Atomic int64_t first_issue_ns; /* several threads may issue */
    int64_t
        run_wall_ns; /* from the first issue to the last unload: LoadGen's set-up is not in it */
    long major_faults, minor_faults;
    long major_before, minor_before;
    bool part_begun;
    json_t *digests; /* SHA-256 of model, engine library, plugins, LoadGen, this program */
};

extern struct child *child_the;

/* Makes a call of exit, which no part of ours does, an error.  Handlers run in reverse order and
 * those of the engine's and LoadGen's libraries crash, so this is called again whenever new ones
 * may have come. */
void child_guard_exit(void);
void child_phase(struct child *c, int phase, const char *what, uint64_t total, double target_s);
/* ASSAY_EFAIL becomes ASSAY_ELACK: what the engine has no part in is none of its faults. */
int child_not_the_engine(int rc, struct assay_err *err);
/* Writes the trials and attempts that there are to search.json: what is left of a run that ends
 * before its result. */
int child_note_search(const struct child *c, struct assay_err *err);
/* Writes the error where the parent finds it and ends the process.  Any thread. */
_Noreturn void child_fail(struct child *c, const struct assay_err *err);
/* For errors that cannot be returned. */
_Noreturn void child_fail_text(struct child *c, int code, const char *fmt, ...) ASSAY_PRINTF(3, 4);

/* sut.c: the batcher with its stages, and one LoadGen run with settings s; LoadGen's files go to
 * outdir. */
int sut_open(struct child *c, struct assay_err *err);
int sut_run(struct child *c, const struct settings *s, const char *outdir, struct assay_err *err);

/* warmup.c: warms up every lane, finds the batch, measures. */
int warmup(struct child *c, struct assay_err *err);
/* Its parts: the kth sample that it uses; samples made resident; n samples through the batcher, in
 * seconds; samples per second with batches of at most `batch`.  *at is the next sample. */
uint64_t warmup_index(const struct child *c, uint64_t k);
int warmup_load(struct child *c, struct assay_err *err);
double warmup_samples(struct child *c, size_t n, size_t *at);
double warmup_rate(struct child *c, uint32_t batch, double seconds, size_t *at);
/* Fills target_qps and expected latencies that nobody set, with origin MEASURED. */
int calibrate(struct child *c, struct assay_err *err);
/* How many samples LoadGen will issue in a run with these settings, about. */
double expected_samples(const struct child *c, const struct settings *s);
/* Notes how long the timed part will take, by the warm-up's rate, and fails where that is over the
 * time limit. */
int check_time(struct child *c, struct assay_err *err);
/* Before a run: does LoadGen have the memory for what it will generate? */
int check_memory(const struct settings *s, struct assay_err *err);
/* Bytes that the kernel could give without swapping, and the control group lets this process have.
 */
double memory_available(void);

/* server.c: finds the highest load that holds, then runs it in full. */
int server_search(struct child *c, bool find_peak, struct assay_err *err);
/* How long a trial of it takes, where that is not longer for SERVER_TRIAL_QUERIES; and one of the
 * long ones that decide where the peak is wanted. */
#define SERVER_TRIAL_QUERIES 100
double server_trial_s(const struct settings *s);
double server_settle_s(const struct settings *s);

/* tune_child.c: one trial of a tuning instead of a run; writes result.json. */
int tune_trial(struct child *c, struct assay_err *err);
/* What a trial takes from the settings: few samples, a short warm-up. */
void tune_shorten(struct child *c);

/* attempt.c: one full run into the record's folder; what an earlier attempt left goes to
 * attempts/<n>. */
/* Moves LoadGen's files of the last run out of the way and notes why. */
int attempt_put_aside(struct child *c, const char *why, struct assay_err *err);
int attempt_run(struct child *c, const struct settings *s, struct detail *d, struct assay_err *err);

/* monitor.c: the thread that publishes counters and sees stalls and the wish to stop. */
int monitor_start(struct child *c, struct assay_err *err);

/* Whether the batcher pads: samples of different lengths, and an engine that takes no ragged
 * batches.
 */
bool child_pads(const struct child *c);
bool child_finds_batch(const struct child *c);
/* Whether batches of fewer samples than there may be are filled up (fixed_batch in engine.h). */
bool child_fills(const struct child *c);

#endif
