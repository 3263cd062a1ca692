/* The statistics of a comparison: figures of runs, and how far each can be trusted.
 *
 * A side is one or more runs of one set-up.  Its figures are ratios of sums and percentiles of its
 * latencies; their uncertainty is found by drawing the side's data anew many times (bootstrap), in
 * blocks, because latencies that follow each other are alike.  Numbers in, numbers out: no files,
 * no JSON.  The same input always gives the same output (the seed is fixed).  Any thread. */
#ifndef REPORT_SPREAD_H
#define REPORT_SPREAD_H

#include "assay/types.h"

enum figure {
    FIGURE_THROUGHPUT,
    FIGURE_MEAN,
    FIGURE_P50,
    FIGURE_P90,
    FIGURE_P95,
    FIGURE_P97,
    FIGURE_P99,
    FIGURE_P999,
    FIGURE_ACCURACY, /* no figures of a run's time: the caller's to fill in */
    FIGURE_ENERGY,   /* joules a sample */
    FIGURE_COUNT
};
extern const char *const figure_names[]; /* "throughput", "mean", "p50" …, NULL */
bool figure_more_is_better(int figure);
/* The share of latencies beyond a percentile: 0.001 for p99.9; 1: the figure is of all of them. */
double figure_tail(int figure);

/* What one run gives: all arrays are the caller's, and only read. */
struct spread_input {
    /* Latencies in the order of the queries, in ns, none 0.  NULL: figures of latency have no
     * meaning (Offline, where a latency is the time since the start). */
    const int64_t *latency;
    uint64_t n;
    /* Pieces of time, in ns, in the order in which they passed; after each of them `each` samples
     * are done; may be `latency` itself.  Throughput is samples / (their sum + a gap for each
     * piece).  NULL: it comes from `throughput`. */
    const int64_t *piece;
    uint64_t pieces;
    double each, gap_ns;
    /* A throughput that was searched for, per second, and the relative precision of the search; 0:
     * none. */
    double throughput, precision;
};

struct spread_run; /* one run, prepared: sorted, and summed up by stretches of time */

/* The caller spread_run_destroy()s *out. */
int spread_run_create(const struct spread_input *in, struct spread_run **out,
                      struct assay_err *err);
void spread_run_destroy(struct spread_run *r);

struct spread_side {
    struct spread_run *const *runs;
    size_t count; /* 0: only the values are known; the other side's spread is then taken for it */
    double
        value[FIGURE_COUNT]; /* filled by spread_pair where there are runs; NaN: no such figure */
};

/* A value and the interval that holds the true one; low 0 and high infinity: unbounded. */
struct spread {
    double value, low, high;
};
struct spread_pair {
    bool known;                /* both sides have the figure */
    struct spread a, b, ratio; /* ratio: b / a */
    /* Without an interval the value itself is good enough for a rule (an accuracy whose metric does
     * not count has no noise of its own over the same samples).  The caller's, as accuracy is. */
    bool b_exact, ratio_exact;
};

/* Confidence with which all intervals of a comparison hold together. */
#define SPREAD_LEVEL 0.99

/* Compares by every figure that both sides have. */
int spread_pair(struct spread_side *a, struct spread_side *b, struct spread_pair out[FIGURE_COUNT],
                struct assay_err *err);

/* Two-sided quantiles: |x| stays below them with probability `level`.  dof 0: normal, else
 * Student's. */
double spread_quantile(double level, unsigned dof);

#endif
