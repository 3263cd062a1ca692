/* test: serial. The queue between the issuing thread and the lanes: order, limits, filling up, and
 * who is woken.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "batch/queue.h"

#define LANES 4

/* Lanes that note what they took; while `hold` is set, one that has its share keeps it until the
 * next release. */
struct crew {
    struct queue *q;
    _Atomic int taken, batches, largest, per_lane[LANES], disorder;
    _Atomic bool hold;
    _Atomic int released;
    pthread_t thread[LANES];
    uint32_t lanes;
};
struct hand {
    struct crew *crew;
    uint32_t lane;
} hands[LANES];

static void *work(void *arg)
{
    struct hand *me = arg;
    struct crew *c = me->crew;
    struct batch_item items[64];
    uint32_t n, i;
    int before;

    while ((n = queue_take(c->q, me->lane, items))) {
        before = c->released;
        for (i = 1; i < n; i++)
            c->disorder += items[i].index != items[i - 1].index + 1;
        c->per_lane[me->lane] += (int)n;
        c->batches++;
        if ((int)n > c->largest)
            c->largest = (int)n;
        c->taken += (int)n;
        while (c->hold && c->released == before)
            usleep(100);
    }
    return NULL;
}

static void crew_start(struct crew *c, uint32_t lanes, uint32_t limit, int64_t wait_ns)
{
    uint32_t i;

    c->lanes = lanes;
    c->q = queue_create(lanes, limit, wait_ns, false);
    assert_non_null(c->q);
    for (i = 0; i < lanes; i++) {
        hands[i] = (struct hand){c, i};
        assert_int_equal(pthread_create(&c->thread[i], NULL, work, &hands[i]), 0);
        usleep(20000); /* asleep by then: the stack's order is the lanes' */
    }
}

static void crew_end(struct crew *c)
{
    uint32_t i;

    c->hold = false;
    queue_stop(c->q);
    for (i = 0; i < c->lanes; i++)
        pthread_join(c->thread[i], NULL);
    queue_destroy(c->q);
    assert_int_equal(c->disorder, 0);
}

static void put(struct crew *c, size_t from, size_t n)
{
    struct batch_item *items = calloc(n, sizeof(*items));
    size_t i;

    assert_non_null(items);
    for (i = 0; i < n; i++)
        items[i] = (struct batch_item){from + i, from + i};
    assert_true(queue_put(c->q, items, n));
    free(items);
}

/* Waits until `taken` says n, ten seconds at most; returns what it says. */
static int taken(struct crew *c, int n)
{
    int64_t end = clock_ns() + 10000000000;

    while (c->taken < n && clock_ns() < end)
        usleep(200);
    return c->taken;
}

static void test_order_and_limit(void **state)
{
    struct crew c = {0};

    (void)state;
    crew_start(&c, 1, 7, 0);
    put(&c, 0, 5000); /* the ring grows */
    put(&c, 5000, 1);
    assert_int_equal(taken(&c, 5001), 5001);
    assert_int_equal(c.largest, 7);
    queue_limit(c.q, 3);
    c.largest = 0;
    put(&c, 0, 10);
    assert_int_equal(taken(&c, 5011), 5011);
    assert_int_equal(c.largest, 3);
    queue_limit(c.q, 0);
    c.largest = 0;
    put(&c, 0, 10);
    assert_int_equal(taken(&c, 5021), 5021);
    assert_int_equal(c.largest, 1);
    crew_end(&c);
}

static void test_latest_sleeper_first(void **state)
{
    struct crew c = {0};
    int i;

    (void)state;
    crew_start(&c, LANES, 1, 0);
    for (i = 0; i < 20; i++) {
        put(&c, 0, 1);
        assert_int_equal(taken(&c, i + 1), i + 1);
        usleep(2000);
    }
    assert_in_range(c.per_lane[LANES - 1], 15,
                    20); /* one that has not slept yet lets another help */
    crew_end(&c);
}

/* Lanes that are busy for long do not keep the others asleep: from one call, and from many. */
static void test_all_lanes_called(void **state)
{
    struct crew c = {0};
    int i;

    (void)state;
    c.hold = true;
    crew_start(&c, LANES, 2, 0);
    put(&c, 0, 2 * LANES);
    assert_int_equal(taken(&c, 2 * LANES), 2 * LANES);
    c.released++;
    usleep(20000);
    for (i = 0; i < LANES; i++) {
        put(&c, 0, 1);
        usleep(5000); /* longer than QUEUE_CALL_NS: whoever is awake is busy */
    }
    assert_int_equal(taken(&c, 3 * LANES), 3 * LANES);
    for (i = 0; i < LANES; i++)
        assert_int_equal(c.per_lane[i], 3);
    crew_end(&c);
}

/* Puts 200 pairs of samples that take next to nothing; returns how many of them went to other lanes
 * than the busiest, which has to learn first how short the work is. */
static int helped(void)
{
    struct crew c = {0};
    struct batch_item one = {0, 0};
    int i, most = 0;

    crew_start(&c, LANES, 1, 0);
    for (i = 0; i < 300; i++) {
        assert_true(queue_put(c.q, &one, 1));
        assert_int_equal(taken(&c, i + 1), i + 1);
    }
    for (i = 0; i < LANES; i++)
        c.per_lane[i] = 0;
    for (i = 0; i < 200; i++) {
        assert_true(queue_put(c.q, &one, 1));
        assert_true(queue_put(c.q, &one, 1));
        assert_int_equal(taken(&c, 302 + 2 * i), 302 + 2 * i);
    }
    for (i = 0; i < LANES; i++)
        most = c.per_lane[i] > most ? c.per_lane[i] : most;
    crew_end(&c);
    return 400 - most;
}

/* With batches that take next to nothing, a backlog of a few is left to the lane that is awake.  A
 * lane that the machine interrupts does need help, so one calm try of many is enough. */
static void test_short_work_wakes_one(void **state)
{
    int tries = 0, others;

    (void)state;
    do
        others = helped();
    while (others > 100 && ++tries < 40);
    assert_in_range(others, 0, 100);
}

static void test_fill(void **state)
{
    struct crew c = {0};
    int64_t t0;

    (void)state;
    crew_start(&c, 2, 4, 200000000);
    t0 = clock_ns();
    put(&c, 0, 1);
    usleep(20000);
    assert_int_equal(c.taken, 0); /* it waits */
    put(&c, 1, 2);
    usleep(20000);
    assert_int_equal(c.taken, 0);
    put(&c, 3, 1); /* full */
    assert_int_equal(taken(&c, 4), 4);
    assert_int_equal(c.batches, 1);
    put(&c, 0, 1); /* never full: the wait ends by itself */
    assert_int_equal(taken(&c, 5), 5);
    assert_in_range((clock_ns() - t0) / 1000000, 200, 5000);
    put(&c, 0, 1);
    t0 = clock_ns();
    queue_flush(c.q);
    assert_int_equal(taken(&c, 6), 6);
    assert_in_range((clock_ns() - t0) / 1000000, 0, 150);
    put(&c, 0, 9); /* two full ones and a rest that waits */
    assert_int_equal(taken(&c, 15), 15);
    assert_int_equal(c.batches, 6);
    crew_end(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_and_limit),
        cmocka_unit_test(test_latest_sleeper_first),
        cmocka_unit_test(test_all_lanes_called),
        cmocka_unit_test(test_short_work_wakes_one),
        cmocka_unit_test(test_fill),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
