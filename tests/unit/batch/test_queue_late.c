/* The queue where a lane's wait for a full batch runs out while another lane takes what was there.
 * The wait is the test's own, so what happens between its end and the lane's going on is certain.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

static int run_out(pthread_cond_t *called, pthread_mutex_t *lock, const struct timespec *until);
#define pthread_cond_timedwait run_out
#include "batch/queue.c"
#undef pthread_cond_timedwait

static struct queue *q;
static void (*meanwhile)(void); /* what happens before the lane has its lock back */
static uint32_t stolen;

/* In place of a wait that ends by its time. */
static int run_out(pthread_cond_t *called, pthread_mutex_t *lock, const struct timespec *until)
{
    void (*now)(void) = meanwhile;

    (void)called;
    (void)until;
    meanwhile = NULL;
    pthread_mutex_unlock(lock);
    if (now)
        now();
    pthread_mutex_lock(lock);
    return ETIMEDOUT;
}

static void put(size_t n)
{
    const struct batch_item items[4] = {{0, 0}, {1, 1}, {2, 2}, {3, 3}};

    queue_put(q, items, n);
}

static void steal(void)
{
    struct batch_item items[2];

    stolen = queue_take(q, 1, items);
}

static void steal_full(void)
{
    put(1);
    steal();
}

static void steal_flushed(void)
{
    queue_flush(q);
    steal();
}

struct lane0 {
    uint32_t took;
    _Atomic bool over;
};

static void *lane0_main(void *arg)
{
    struct lane0 *l = arg;
    struct batch_item items[2];

    l->took = queue_take(q, 0, items);
    l->over = true;
    return NULL;
}

static bool sleeps(void)
{
    bool yes;

    pthread_mutex_lock(&q->lock);
    yes = q->depth == 1;
    pthread_mutex_unlock(&q->lock);
    return yes;
}

/* Lane 0 waits for a second sample; in the end it has nothing, and must go on waiting: a take of
 * none would mean that the queue has stopped. */
static void lane_goes_on(void (*what)(void), uint32_t takes)
{
    struct lane0 lane = {0};
    pthread_t thread;

    q = queue_create(2, 2, 1000000, false);
    assert_non_null(q);
    put(1);
    meanwhile = what;
    assert_int_equal(pthread_create(&thread, NULL, lane0_main, &lane), 0);
    while (!lane.over && !sleeps())
        usleep(200);
    assert_false(lane.over);
    assert_int_equal(stolen, takes);
    put(2);
    pthread_join(thread, NULL);
    assert_int_equal(lane.took, 2);
    queue_destroy(q);
}

static void test_full_and_taken(void **state)
{
    (void)state;
    lane_goes_on(steal_full, 2);
}

static void test_flushed_and_taken(void **state)
{
    (void)state;
    lane_goes_on(steal_flushed, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_full_and_taken),
        cmocka_unit_test(test_flushed_and_taken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
