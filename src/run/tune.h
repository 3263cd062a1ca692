/* The search for the fastest configuration, as a pure algorithm: it decides what is tried next and
 * what wins; measuring and the clock are the caller's, so a test can put a formula in their place.
 *
 * Way: the default; lanes x threads with a few batch sizes each; the batch around the best;
 * the engine's options one by one; the neighbours of the best; the best three and the default once
 * more; then the finalists, default and winner, in the order A B B A.  Every step takes what was
 * best so far as its base, and none begins that would leave too little time for the final.
 *
 * Invariant: a configuration only wins over the default by measurements of the final alone, and a
 * tie within their noise is the default's. */
#ifndef RUN_TUNE_H
#define RUN_TUNE_H

#include "assay/types.h"

#define TUNE_OPTIONS_MAX 16
#define TUNE_BATCHES_MAX 16
#define TUNE_TRIALS_MAX  400

struct tune_config {
    uint32_t lanes, threads, batch; /* 0: left to the program, as without tuning */
    double wait_ms;
    unsigned char option[TUNE_OPTIONS_MAX]; /* 0: left alone; n: the n-th value to try */
};

enum tune_step {
    TUNE_DEFAULT,
    TUNE_SHAPE,
    TUNE_BATCH,
    TUNE_OPTION,
    TUNE_NEIGHBOUR,
    TUNE_AGAIN,
    TUNE_WAIT,
    TUNE_FINAL
};
extern const char *const tune_step_names[];

/* What may be searched. */
struct tune_space {
    uint32_t cpus;
    uint32_t lanes, threads;            /* as the user fixed them; 0: free */
    bool one_lane;                      /* more can never work at the same time */
    bool cpu;                           /* lanes share out the CPUs; else threads are left alone */
    uint32_t batches[TUNE_BATCHES_MAX]; /* rising; none: the batch is not searched */
    size_t batch_count;
    bool waits; /* a batch may wait to be filled */
    uint32_t option_count;
    unsigned char values[TUNE_OPTIONS_MAX]; /* how many each option has */
    double seconds;                         /* of measuring, one batch size */
};

/* One question: the configuration opened afresh and measured at each of the batches. */
struct tune_ask {
    int step;
    struct tune_config config;
    uint32_t batches[TUNE_BATCHES_MAX]; /* none: config.batch */
    size_t batch_count;
    double seconds, limit_s; /* of measuring each; the whole must end in limit_s */
    double rate;             /* > 0: samples arrive at this rate; the score is of their latency */
};

struct tune_point {
    uint32_t batch; /* what was really used */
    double score;   /* more is better; ratios of scores are ratios of speed */
    double value;   /* as the scenario counts it */
    double batch_s; /* how long a batch takes */
};

struct tune_ops {
    void *ctx;
    /* Fills points and their count, perhaps fewer than asked for.  ASSAY_ESTOP ends the search;
     * any other error is what there is to say about this configuration. */
    int (*measure)(void *ctx, const struct tune_ask *ask, struct tune_point *points, size_t *count,
                   struct assay_err *err);
    double (*left)(void *ctx); /* seconds */
};

struct tune_trial {
    int step;
    struct tune_config config;
    struct tune_point point;
    char error[200]; /* "": measured */
};

struct tune_result {
    struct tune_trial trials[TUNE_TRIALS_MAX];
    size_t count;
    struct tune_config best;          /* all zero: the default stays */
    bool found;                       /* best is another than the default */
    bool decided;                     /* there was time to hold others against the default */
    double default_value, best_value; /* means of the final; 0: not measured */
    double gain;                      /* ratio of their scores; 0: unknown */
    const char *why;                  /* in words, static */
};

/* The score of a Server configuration, all lanes full.  A batch that takes longer than service_ms
 * (0: not known) leaves room for counts for much less (by the fourth power: at the bound itself,
 * twice that, a sixteenth), but not for nothing: the machine may have had a hiccup. */
double tune_server_score(double rate, double batch_p99_ms, double service_ms);

/* Samples a second of an Offline configuration, through what disturbs the machine for less than
 * half of `seconds`.  run: runs so many samples on all lanes, waits for them and tells the seconds
 * it took; least: a batch on every lane. */
double tune_offline_rate(double (*run)(void *ctx, size_t samples), void *ctx, size_t least,
                         double seconds);

bool tune_same(const struct tune_config *a, const struct tune_config *b);

/* ASSAY_OK, also when nothing better was found; ASSAY_ESTOP: interrupted.  *out is filled in any
 * case. */
int tune_search(const struct tune_space *space, const struct tune_ops *ops, struct tune_result *out,
                struct assay_err *err);

#endif
