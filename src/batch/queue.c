/* The queue; see queue.h.  A ring that grows; head and tail count items since the start.  One lock
 * for all, held for the copying only; a signal is sent after it is given back, so that the woken
 * lane does not run into it. */
#include "batch/queue.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "batch/group.h"

#define RING_MIN 1024

struct sleeper {
    pthread_cond_t called;
    bool asleep;
    int64_t took_ns; /* when it took its last batch; 0: none yet */
};

struct queue {
    pthread_mutex_t lock;
    struct batch_item *ring;
    size_t ring_size; /* a power of two */
    size_t head, tail;
    uint32_t limit, lanes;
    int64_t wait_ns;
    bool flushed, stop, eager;
    struct sleeper *sleepers;
    struct sleeper **stack; /* those asleep, the latest on top */
    uint32_t depth;
    struct sleeper *filler; /* waits for its batch to fill up */
    int64_t moved_ns;       /* when a lane last took something or was called */
    int64_t service_ns;     /* what a batch takes a lane: the longest of late */
    struct grouping *group; /* NULL: in order of arrival */
};

/* What is known about those that wait, when batches are made by length. */
struct grouping {
    struct group_item *ring; /* beside the queue's */
    uint64_t arrived, taken;
    struct group_item window[GROUP_MOST];
    bool chosen[GROUP_MOST];
};

struct queue *queue_create(uint32_t lanes, uint32_t limit, int64_t wait_ns, bool eager)
{
    struct queue *q = calloc(1, sizeof(*q));
    pthread_condattr_t monotonic;
    uint32_t i;

    if (!q)
        return NULL;
    q->lanes = lanes;
    q->limit = limit;
    q->wait_ns = wait_ns;
    q->eager = eager;
    q->service_ns = QUEUE_CALL_NS + 1; /* not known yet: lanes are worth waking */
    q->sleepers = calloc(lanes, sizeof(*q->sleepers));
    q->stack = calloc(lanes, sizeof(struct sleeper *));
    if (!q->sleepers || !q->stack) {
        free(q->sleepers);
        free(q->stack);
        free(q);
        return NULL;
    }
    pthread_mutex_init(&q->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    for (i = 0; i < lanes; i++)
        pthread_cond_init(&q->sleepers[i].called, &monotonic);
    pthread_condattr_destroy(&monotonic);
    return q;
}

void queue_destroy(struct queue *q)
{
    uint32_t i;

    if (!q)
        return;
    for (i = 0; i < q->lanes; i++)
        pthread_cond_destroy(&q->sleepers[i].called);
    pthread_mutex_destroy(&q->lock);
    free(q->sleepers);
    free(q->stack);
    free(q->ring);
    if (q->group)
        free(q->group->ring);
    free(q->group);
    free(q);
}

static size_t waiting(const struct queue *q)
{
    return q->tail - q->head;
}

/* A lane that may take nothing would wait for ever: 0 counts as 1. */
static uint32_t limit_of(const struct queue *q)
{
    return q->limit ? q->limit : 1;
}

static struct group_item *mark_at(const struct queue *q, size_t i)
{
    return &q->group->ring[i & (q->ring_size - 1)];
}

/* May a lane go on filling its batch?  Not when the oldest has been passed over. */
static bool may_fill(const struct queue *q)
{
    return q->wait_ns && !q->flushed && !q->stop && waiting(q) && waiting(q) < limit_of(q) &&
           !(q->group && mark_at(q, q->head)->passed_ns);
}

/* Takes the latest sleeper off the stack when it is needed; the caller signals it. */
static struct sleeper *call_lane(struct queue *q)
{
    uint32_t awake = q->lanes - q->depth;
    int64_t batches = (int64_t)((waiting(q) + limit_of(q) - 1) / limit_of(q));
    struct sleeper *s;

    if (!q->depth || !batches || (q->filler && may_fill(q)))
        return NULL;
    if (awake && !q->eager && batches * q->service_ns <= QUEUE_CALL_NS &&
        clock_ns() - q->moved_ns <= QUEUE_CALL_NS)
        return NULL;
    s = q->stack[--q->depth];
    s->asleep = false;
    q->moved_ns = clock_ns();
    return s;
}

static bool queue_grow(struct queue *q, size_t n)
{
    size_t have = waiting(q), size = q->ring_size ? q->ring_size : RING_MIN, i;
    struct group_item *marks = NULL;
    struct batch_item *ring;

    while (size < have + n)
        size *= 2;
    if (size == q->ring_size)
        return true;
    ring = malloc(size * sizeof(*ring));
    if (!ring || (q->group && !(marks = calloc(size, sizeof(*marks))))) {
        free(ring);
        return false;
    }
    for (i = 0; i < have; i++) {
        ring[(q->head + i) & (size - 1)] = q->ring[(q->head + i) & (q->ring_size - 1)];
        if (marks)
            marks[(q->head + i) & (size - 1)] = *mark_at(q, q->head + i);
    }
    free(q->ring);
    if (marks)
        free(q->group->ring);
    if (marks)
        q->group->ring = marks;
    q->ring = ring;
    q->ring_size = size;
    return true;
}

bool queue_group(struct queue *q)
{
    pthread_mutex_lock(&q->lock);
    q->group = calloc(1, sizeof(*q->group));
    free(q->ring); /* the next put makes both */
    q->ring = NULL;
    q->ring_size = 0;
    pthread_mutex_unlock(&q->lock);
    return q->group != NULL;
}

bool queue_put(struct queue *q, const struct batch_item *items, size_t n)
{
    return queue_put_lengths(q, items, NULL, n);
}

bool queue_put_lengths(struct queue *q, const struct batch_item *items, const int64_t *lengths,
                       size_t n)
{
    struct sleeper *call = NULL;
    bool grown;
    size_t i;

    pthread_mutex_lock(&q->lock);
    grown = queue_grow(q, n);
    if (grown) {
        for (i = 0; i < n; i++)
            q->ring[(q->tail + i) & (q->ring_size - 1)] = items[i];
        for (i = 0; q->group && i < n; i++)
            *mark_at(q, q->tail + i) = (struct group_item){.length = lengths ? lengths[i] : 0,
                                                           .number = q->group->arrived++};
        q->tail += n;
        q->flushed = false;
        call = q->filler && !may_fill(q) ? q->filler : call_lane(q);
    }
    pthread_mutex_unlock(&q->lock);
    if (call)
        pthread_cond_signal(&call->called);
    return grown;
}

/* A longer time counts at once, a shorter one draws the figure down by a tenth of the difference.
 */
static void note_service(struct queue *q, const struct sleeper *me)
{
    int64_t took = clock_ns() - me->took_ns;

    if (me->took_ns)
        q->service_ns = took > q->service_ns ? took : q->service_ns - (q->service_ns - took) / 10;
}

static void sleep_until_called(struct queue *q, struct sleeper *me)
{
    me->asleep = true;
    q->stack[q->depth++] = me;
    while (me->asleep)
        pthread_cond_wait(&me->called, &q->lock);
}

/* Waits for a full batch; false: what is there has waited long enough.  Another lane may have taken
 * it before this one, whose time was over, had its lock back: then there is nothing to take. */
static bool fill(struct queue *q, struct sleeper *me)
{
    bool late = false;
    int64_t end = clock_ns() + q->wait_ns;
    struct timespec until = {.tv_sec = end / 1000000000, .tv_nsec = end % 1000000000};

    q->filler = me;
    while (may_fill(q) && !late)
        late = pthread_cond_timedwait(&me->called, &q->lock, &until);
    q->filler = NULL;
    return !late || !waiting(q);
}

/* The oldest. */
static uint32_t take_in_order(struct queue *q, struct batch_item *items)
{
    uint32_t n = waiting(q) < limit_of(q) ? (uint32_t)waiting(q) : limit_of(q), i;

    for (i = 0; i < n; i++)
        items[i] = q->ring[(q->head + i) & (q->ring_size - 1)];
    q->head += n;
    return n;
}

/* Those that are chosen of the first n; what is left of these moves up to what is behind them. */
static uint32_t take_chosen(struct queue *q, size_t n, struct batch_item *items)
{
    const struct grouping *g = q->group;
    size_t i, to = q->head + n;
    uint32_t taken = 0;

    for (i = 0; i < n; i++)
        if (g->chosen[i])
            items[taken++] = q->ring[(q->head + i) & (q->ring_size - 1)];
    for (i = n; i-- > 0;)
        if (!g->chosen[i]) {
            to--;
            q->ring[to & (q->ring_size - 1)] = q->ring[(q->head + i) & (q->ring_size - 1)];
            *mark_at(q, to) = g->window[i];
        }
    q->head = to;
    return taken;
}

static uint32_t take(struct queue *q, struct batch_item *items)
{
    struct grouping *g = q->group;
    size_t n = g ? group_window(waiting(q), limit_of(q)) : 0, i;
    struct group_rule rule = {.limit = limit_of(q), .wait_ns = q->wait_ns};
    uint32_t taken;

    if (n > limit_of(q)) {
        rule.taken = g->taken;
        rule.now_ns = clock_ns();
        rule.service_ns = q->service_ns;
        for (i = 0; i < n; i++)
            g->window[i] = *mark_at(q, q->head + i);
        group_choose(g->window, n, &rule, g->chosen);
        taken = take_chosen(q, n, items);
    } else {
        taken = take_in_order(q, items);
    }
    if (g)
        g->taken += taken;
    return taken;
}

uint32_t queue_take(struct queue *q, uint32_t lane, struct batch_item *items)
{
    struct sleeper *me = &q->sleepers[lane], *call = NULL;
    uint32_t n = 0;

    pthread_mutex_lock(&q->lock);
    note_service(q, me);
    while (!q->stop && (!waiting(q) || may_fill(q))) {
        if (!waiting(q) || q->filler)
            sleep_until_called(q, me);
        else if (!fill(q, me))
            break;
    }
    if (!q->stop) {
        n = take(q, items);
        me->took_ns = q->moved_ns = clock_ns();
        call = call_lane(q);
    }
    pthread_mutex_unlock(&q->lock);
    if (call)
        pthread_cond_signal(&call->called);
    return n;
}

/* Wakes everybody, to see what has changed. */
static void call_all(struct queue *q)
{
    if (q->filler)
        pthread_cond_signal(&q->filler->called);
    while (q->depth) {
        struct sleeper *s = q->stack[--q->depth];

        s->asleep = false;
        pthread_cond_signal(&s->called);
    }
}

void queue_flush(struct queue *q)
{
    pthread_mutex_lock(&q->lock);
    q->flushed = true;
    call_all(q);
    pthread_mutex_unlock(&q->lock);
}

void queue_stop(struct queue *q)
{
    pthread_mutex_lock(&q->lock);
    q->stop = true;
    call_all(q);
    pthread_mutex_unlock(&q->lock);
}

void queue_limit(struct queue *q, uint32_t limit)
{
    pthread_mutex_lock(&q->lock);
    q->limit = limit;
    pthread_mutex_unlock(&q->lock);
}
