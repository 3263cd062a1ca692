/* Two set-ups compared by their records: which is faster, how sure that is, and what differs. */
#ifndef REPORT_COMPARE_H
#define REPORT_COMPARE_H

#include <jansson.h>
#include <stdio.h>

#include "report/rule.h"

/* A run: its record, and the folder that has its latency.bin. */
struct compare_run {
    const json_t *record;
    const char *dir;
};
struct compare_side {
    struct compare_run of;          /* what the side is */
    const struct compare_run *runs; /* what is measured of it; often the same one */
    size_t count;
};

/* Whether two records can be compared at all, and have every figure that a rule names; reads no
 * latencies.  The error says what stands against it. */
int compare_check(const json_t *a, const json_t *b, const struct rule *rules, size_t count,
                  struct assay_err *err);

/* The result of a comparison, for the caller to json_decref(); docs/compare.md tells its members.
 * Members "verdict", "broken" and "unjudged" (rules that were, and that cannot be told) are what a
 * caller acts on. */
int compare_records(const struct compare_side *a, const struct compare_side *b,
                    const struct rule *rules, size_t rule_count, json_t **out,
                    struct assay_err *err);

/* Words of "verdict", of the whole and of each figure (which is never mixed); an accuracy or an
 * energy is better or worse. */
#define COMPARE_FASTER "faster"
#define COMPARE_SLOWER "slower"
#define COMPARE_MIXED  "faster and slower"
#define COMPARE_BETTER "better"
#define COMPARE_WORSE  "worse"
#define COMPARE_SAME   "same within noise"
#define COMPARE_UNSURE "cannot be told apart"
/* "Same" also needs an interval that would have shown this much. */
#define COMPARE_MARGIN          0.05
#define COMPARE_ACCURACY_MARGIN 0.01

int compare_text(const json_t *result, FILE *out);

#endif
