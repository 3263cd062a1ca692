/* SQuAD v1.1: from a model's logits to an answer, and from answers to F1 and exact match.
 *
 * All texts are UTF-8.  Functions are pure; a struct text that came back `cut` had no memory. */
#ifndef SCORE_SQUAD_H
#define SCORE_SQUAD_H

#include "assay/benchmark.h"
#include "base/text.h"

#define SQUAD_POSITIONS   384
#define SQUAD_BEST        20 /* starts and ends that are looked at */
#define SQUAD_ANSWER_MOST 30 /* tokens */
#define SQUAD_NO_LOGIT    (-10000.0)

/* ---- the span ---- */

/* The best span of a question so far; begin with SQUAD_SPAN_NONE. */
struct squad_span {
    double score; /* start logit + end logit */
    uint64_t feature;
    uint32_t start, end; /* positions, both included */
    bool found;
};
#define SQUAD_SPAN_NONE ((struct squad_span){.found = false})

/* What a position may be. */
#define SQUAD_MAY_END   1u /* a token of the paragraph */
#define SQUAD_MAY_START 2u /* and this window is the one in which it has the most context */

/* Takes a window's logits into account, as the official n-best list begins: of the 20 highest
 * starts and ends (of equals the lower position first), every pair that may be, the start before or
 * at the end and at most 30 tokens; the highest sum wins, of equals the earlier pair, by start,
 * then by end.  Windows must come in order. */
void squad_span_add(struct squad_span *best, uint64_t feature, const double start[SQUAD_POSITIONS],
                    const double end[SQUAD_POSITIONS], const uint8_t may[SQUAD_POSITIONS]);

/* ---- the text ---- */

/* The words as they stand in the document for an answer of tokens (lower case, marks stripped).
 * `pieces`: the span's tokens as text, "##" joined; `original`: the document's words from the
 * first to the last, with one space between two; `words`: `original` tokenised again, joined by
 * spaces.  Appends the part of `original` that stands for `pieces`, or all of it when the two
 * cannot be laid side by side. */
void squad_align(const char *pieces, const char *original, const char *words, struct text *out);

/* ---- the score ---- */

/* Lower case, no ASCII punctuation, no articles, one space between two words; appended. */
void squad_normalise(const char *answer, struct text *out);

struct squad_tally {
    double exact, f1; /* sums over questions, 0 … 1 each */
    uint64_t questions;
};
/* One question: the best of the answer against each of n >= 1 true ones. */
int squad_tally_add(struct squad_tally *t, const char *answer, const char *const *truths,
                    uint32_t n, struct assay_err *err);
/* Percent of all questions; the line is the official script's: {"exact_match": X, "f1": Y} with the
 * shortest digits that mean the same double.  Reference and target become NaN. */
void squad_tally_score(const struct squad_tally *t, struct assay_score *score);

#endif
