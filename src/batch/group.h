/* Which of the samples that wait make the next batch, where padding costs: those of about one
 * length.  Pure: no clock, no lock, no memory of its own.
 *
 * Order is bounded.  A sample is passed over when a batch leaves without it that would have held it
 * in order of arrival.  The oldest is never passed over, no more than a batch's worth ever is, and
 * one that was is taken again before wait_ns has gone by since then: that is seen from service_ns,
 * the time until a lane takes the next batch at the latest.  So nobody waits more than wait_ns
 * longer than in order of arrival, as long as no batch takes longer than service_ns. */
#ifndef BATCH_GROUP_H
#define BATCH_GROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GROUP_WINDOW 4    /* batches' worth of samples that are looked at */
#define GROUP_MOST   1024 /* samples that are looked at, at most: larger batches are in order */

/* A sample that waits. */
struct group_item {
    int64_t length;
    uint64_t number;   /* of its arrival: 0, 1, 2 … */
    int64_t passed_ns; /* when it was passed over first; 0: never */
};

struct group_rule {
    uint64_t taken; /* samples that were taken until now */
    uint32_t limit; /* of a batch */
    int64_t now_ns, wait_ns, service_ns;
};

/* How many of `waiting` samples are to be looked at; when that is no more than the limit, all go.
 */
size_t group_window(size_t waiting, uint32_t limit);

/* Of n that wait, the oldest first and n > limit, sets chosen[] of `limit`, and passed_ns of those
 * that are passed over now. */
void group_choose(struct group_item *items, size_t n, const struct group_rule *rule, bool *chosen);

#endif
