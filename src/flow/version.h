/* Versions of software, and ranges of them.
 *
 * A version is numbers and words parted by dots, dashes or plus signs: "1.2.10", "2.0-rc1".  Parts
 * are compared from the left, numbers as numbers; a word is before a number and before nothing
 * there ("2.0-rc1" < "2.0"), and missing numbers count as 0 ("1.2" = "1.2.0").
 *
 * A range is conditions parted by spaces or commas, all of which hold: ">=1.2 <2", "==1.4.1",
 * "!=1.3", "1.2" (1.2 and everything that begins so: 1.2.7).  An empty range holds always. */
#ifndef FLOW_VERSION_H
#define FLOW_VERSION_H

#include "assay/types.h"

/* <0, 0, >0 */
int version_compare(const char *a, const char *b);
/* Whether range can be read; `what` names it in the error. */
int version_range_check(const char *range, const char *what, struct assay_err *err);
/* Of a range that was checked.  Nothing is known of an empty version: it is in the empty range
 * alone. */
bool version_in(const char *version, const char *range);

#endif
