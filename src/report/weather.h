/* What the machine's own state during two runs may have done to their ratio.  Private to this room.
 *
 * See record/conditions.h for what is read.  Only for runs on the same machine: where the machines
 * differ, that is part of what is compared. */
#ifndef REPORT_WEATHER_H
#define REPORT_WEATHER_H

#include <jansson.h>

#include "report/spread.h"

struct weather {
    bool known;         /* both records have a probe */
    double slow, quick; /* B's machine may have been up to this much slower (>= 1) or quicker
                           (<= 1) than A's: factors on a time */
    double more;        /* B's less A's share of the machine that others took */
    bool a_throttled, b_throttled; /* for heat, or by a quota, and the other was not */
};

struct weather weather_between(const json_t *a, const json_t *b);
/* Widens the interval of a ratio by what the machine alone may have done to this figure. */
void weather_widen(const struct weather *w, int figure, struct spread *ratio);
/* Adds a sentence for each thing that a reader should know to an array of texts. */
void weather_notes(const struct weather *w, const json_t *a, const json_t *b, json_t *notes);

#endif
