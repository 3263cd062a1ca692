/* The compliance tests: what their runs must show, and their judgement.  Used to check trees and to
 * make them. */
#ifndef SUBMIT_TESTS_H
#define SUBMIT_TESTS_H

#include "base/text.h"
#include "load/detail.h"
#include "submit/rounds.h"

/* The audit.config of a test for LoadGen; false: there is none to be made here. */
bool submit_test_config(const struct submit_model *m, int test, struct text *out);

/* Whether a log has the test's own settings; why: what is missing. */
bool submit_test_applied(const struct submit_model *m, int test, const struct detail *d, char *why,
                         size_t size);

/* The figure that is compared: of streams a latency in ns, else a rate; NaN: the log has none. */
double submit_score(const struct detail *d);

/* Compares the test's figure with the performance run's, and says it in words.  True: it passes. */
bool submit_test_compare(int test, const struct detail *reference, const struct detail *d,
                         char *words, size_t size);

/* TEST01: each response of the test run against the accuracy run's for that sample, all bytes. */
struct submit_responses {
    uint64_t reference, test; /* entries */
    uint64_t same, different, missing;
};
int submit_test01_compare(const struct accuracy_log *reference, const struct accuracy_log *test,
                          struct submit_responses *out, struct assay_err *err);
/* The entries of `from` whose sample is in `other` too, the first of each sample, by sample; they
 * point into from's bytes.  For the accuracy over the same samples. */
int submit_test01_common(const struct accuracy_log *from, const struct accuracy_log *other,
                         struct accuracy_log *out, struct assay_err *err);

#endif
