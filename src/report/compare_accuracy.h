/* The accuracy of a comparison: its interval comes from counts, not from latencies.
 *
 * An accuracy that counts (good of total samples) is binomial over different samples.  Over the
 * same samples two runs differ only in those that they answered differently, which their accuracy
 * logs tell.  Of any other metric there is a value alone, which rules may take as it is. */
#ifndef REPORT_COMPARE_ACCURACY_H
#define REPORT_COMPARE_ACCURACY_H

#include "report/compare.h"

/* Of the means of the sides' runs.  Not known where one has none, or where A's is 0. */
void compare_accuracy(const struct compare_side *a, const struct compare_side *b,
                      struct spread_pair *p);

#endif
