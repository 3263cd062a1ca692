/* The border between the issuing thread and the lanes: a queue of samples from which each lane
 * takes a batch.
 *
 * Who is woken: the lane that went to sleep last, since its CPU and caches are the likeliest to be
 * free and warm, and one at a time; a lane that leaves work behind wakes the next.  A wake-up takes
 * a CPU from somebody, on a full machine from the issuing thread, so while a lane is awake another
 * one is woken only when the backlog is more than one lane can do in about the time of a wake-up
 * (QUEUE_CALL_NS), by the longest that a batch has taken of late, or when none of them has come
 * back for that long.  So with engines that need more than 50 us a batch every lane is woken as
 * soon as there is something for it. */
#ifndef BATCH_QUEUE_H
#define BATCH_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QUEUE_CALL_NS 50000

/* The layout of LoadGen's QuerySample, so that arrays pass through uncopied. */
struct batch_item {
    uintptr_t id;
    size_t index;
};

struct queue;

/* For lanes 0 … lanes - 1.  limit: samples of a batch, at most.  wait_ns: how long a lane waits for
 * a batch to fill up, one lane at a time; 0: it takes what is there.  eager: a lane that is awake
 * may be waiting for its engine, so as long as others sleep they are called.  NULL: no memory. */
struct queue *queue_create(uint32_t lanes, uint32_t limit, int64_t wait_ns, bool eager);
/* Nobody may be in queue_take. */
void queue_destroy(struct queue *q);
/* Any thread; the items are copied.  false: no memory, nothing was put. */
bool queue_put(struct queue *q, const struct batch_item *items, size_t n);
/* From now on, while nothing waits: batches are of samples of about one length, as far as wait_ns
 * lets one be passed over (group.h).  false: no memory.  Items then come with their lengths. */
bool queue_group(struct queue *q);
bool queue_put_lengths(struct queue *q, const struct batch_item *items, const int64_t *lengths,
                       size_t n);
/* The lane's own thread: waits for items and moves up to the limit of them to `items`.  0: stopped.
 */
uint32_t queue_take(struct queue *q, uint32_t lane, struct batch_item *items);
/* No more items come for now: nobody waits for a batch to fill up, until the next put. */
void queue_flush(struct queue *q);
/* Every take returns 0 from now on. */
void queue_stop(struct queue *q);
void queue_limit(struct queue *q, uint32_t limit);

#endif
