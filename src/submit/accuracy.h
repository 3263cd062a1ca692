/* accuracy.txt: the figures that the official accuracy scripts print, and the hash of the whole
 * log. */
#ifndef SUBMIT_ACCURACY_H
#define SUBMIT_ACCURACY_H

#include "submit/rounds.h"

struct submit_accuracy {
    bool seen[SUBMIT_METRICS];                          /* by the place in the model's list */
    double least[SUBMIT_METRICS], most[SUBMIT_METRICS]; /* of all lines that say the metric */
    char hash[132];                                     /* what stands behind "hash="; "" */
};

/* Any text; never fails. */
void submit_accuracy_parse(const char *text, size_t len, const struct submit_metric *metrics,
                           struct submit_accuracy *out);
/* Whether all metrics are there and within their limits; why: the first that is not, or NULL. */
bool submit_accuracy_reached(const struct submit_metric *metrics, const struct submit_accuracy *a,
                             char *why, size_t size);

#endif
