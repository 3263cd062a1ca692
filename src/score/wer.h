/* Word error rate: the least number of words to insert, delete or replace, over the words of the
 * truth. */
#ifndef SCORE_WER_H
#define SCORE_WER_H

#include "assay/benchmark.h"

/* Sums over transcripts; start with all zero. */
struct wer {
    uint64_t errors, words;
};

/* Words are what spaces (and tabs and line ends) part; they are compared byte by byte.  Fails only
 * for want of memory. */
int wer_add(struct wer *sum, const char *truth, const char *transcript, struct assay_err *err);
/* errors / words; infinite when there is no word of truth, as in the reference.  Above 1 when a
 * transcript is longer than its truth. */
double wer_rate(const struct wer *sum);
/* 100 - WER in percent, and the line of the official script; total is the number of transcripts.
 * reference and target become NaN. */
void wer_score(const struct wer *sum, uint64_t total, struct assay_score *score);

#endif
