/* test: serial. Server's batches by length: how much less is padded, and that nobody waits too long
 * for it. Simulated, so no clock decides: samples arrive at random, one lane takes a batch, and the
 * batch takes as long as it has places.  Then the queue. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "batch/group.h"
#include "batch/queue.h"

#define SAMPLES 20000
#define LONGEST 384
#define MS      INT64_C(1000000)

/* What happened to a sample, and when it would have left in order of arrival. */
struct fate {
    int64_t length, arrives, due, leaves;
};

static struct fate fates[SAMPLES];

struct sum {
    int64_t padded, places; /* places that no word has, and all */
    int64_t extra;          /* the longest that one waited beyond its turn */
    int64_t end;
};

/* About exponential, of mean 1: the logarithm drawn as straight lines between powers of two. */
static double exponential(uint64_t *state)
{
    double u, k = 0;

    *state = *state * 6364136223846793005u + 1442695040888963407u;
    for (u = ((double)(*state >> 11) + 0.5) * 0x1p-53; u < 0.5; u *= 2)
        k++;
    return (k + 2 * (1 - u)) * 0.69;
}

/* Lengths about as SQuAD's: most near 160, a tail up to 384, where longer texts are cut. */
static void make_fates(double mean_gap_ns, uint64_t seed)
{
    int64_t at = 0;

    for (size_t i = 0; i < SAMPLES; i++) {
        double x = 60 + 55 * (exponential(&seed) + exponential(&seed));

        at += (int64_t)(exponential(&seed) * mean_gap_ns);
        fates[i] = (struct fate){.length = x > LONGEST ? LONGEST : (int64_t)x, .arrives = at};
    }
}

/* Takes all samples; wait_ns < 0: in order of arrival.  A place takes the lane place_ns. */
static struct sum simulate(uint32_t limit, int64_t wait_ns, int64_t place_ns)
{
    static struct group_item waiting[SAMPLES];
    struct group_rule rule = {
        .limit = limit, .wait_ns = wait_ns, .service_ns = limit * LONGEST * place_ns};
    struct sum sum = {0};
    size_t n = 0, next = 0, window, kept, i;
    bool chosen[GROUP_MOST];

    while (rule.taken < SAMPLES) {
        int64_t longest = 0, words = 0;
        uint64_t before = rule.taken;

        if (!n && fates[next].arrives > rule.now_ns)
            rule.now_ns = fates[next].arrives;
        for (; next < SAMPLES && fates[next].arrives <= rule.now_ns; next++)
            waiting[n++] = (struct group_item){.length = fates[next].length, .number = next};
        window = group_window(n, limit);
        for (i = 0; i < window; i++)
            chosen[i] = i < limit;
        if (window > limit && wait_ns >= 0)
            group_choose(waiting, window, &rule, chosen);
        for (i = kept = 0; i < n; i++) {
            struct fate *f = &fates[waiting[i].number];

            if (i >= window || !chosen[i]) {
                waiting[kept++] = waiting[i];
                continue;
            }
            f->leaves = rule.now_ns;
            longest = f->length > longest ? f->length : longest;
            words += f->length;
            rule.taken++;
        }
        n = kept;
        for (uint64_t k = before; k < rule.taken; k++)
            fates[k].due = rule.now_ns;
        assert_true(rule.taken - before == (window < limit ? window : limit));
        sum.places += longest * (int64_t)(rule.taken - before);
        sum.padded += longest * (int64_t)(rule.taken - before) - words;
        rule.now_ns += longest * (int64_t)(rule.taken - before) * place_ns;
    }
    for (i = 0; i < SAMPLES; i++) {
        assert_true(fates[i].leaves >= fates[i].arrives);
        sum.extra =
            fates[i].leaves - fates[i].due > sum.extra ? fates[i].leaves - fates[i].due : sum.extra;
    }
    sum.end = rule.now_ns;
    return sum;
}

/* 8 samples of 384 take 30 ms; the load is what keeps the lane busy in order of arrival. */
static void padding_halves(void **state)
{
    const int64_t place = 30 * MS / (8 * LONGEST), wait = 60 * MS;
    struct sum order, group;

    (void)state;
    for (int load = 0; load < 3; load++) {
        static const double gaps[] = {2.4, 2.2, 2.0}; /* ms between samples */

        make_fates(gaps[load] * (double)MS, 7 + (uint64_t)load);
        order = simulate(8, -1, place);
        assert_int_equal(order.extra, 0);
        group = simulate(8, wait, place);
        print_message("  a sample each %.1f ms: %.1f %% padding in order, %.1f %% by length; the "
                      "longest wait beyond its turn %.1f ms\n",
                      gaps[load], 100.0 * (double)order.padded / (double)order.places,
                      100.0 * (double)group.padded / (double)group.places,
                      (double)group.extra / (double)MS);
        assert_true(group.extra <= wait);
        if (load == 2) /* the lane is always busy: there is something to choose from */
            assert_true(group.padded * 2 <= order.padded && group.end <= order.end);
    }
}

/* Nobody is passed over when a batch takes longer than the wait. */
static void no_wait_no_choice(void **state)
{
    const int64_t place = 30 * MS / (8 * LONGEST);

    (void)state;
    make_fates(1.5 * (double)MS, 3);
    assert_int_equal(simulate(8, 29 * MS, place).extra, 0);
    assert_true(simulate(8, 31 * MS, place).extra > 0);
}

/* A long one among short ones that never end: it goes in time. */
static void the_odd_one_out_goes(void **state)
{
    const int64_t place = 30 * MS / (8 * LONGEST);

    (void)state;
    for (size_t i = 0; i < SAMPLES; i++)
        fates[i] = (struct fate){.length = i % 100 == 5 ? LONGEST : 60 + (int64_t)(i % 7),
                                 .arrives = (int64_t)i * MS / 10};
    for (int64_t wait = 35 * MS; wait < 300 * MS; wait += 20 * MS)
        assert_true(simulate(8, wait, place).extra <= wait);
}

/* Through the queue itself: 4 short, 4 long, 4 short. */
static void the_queue_groups(void **state)
{
    struct queue *q = queue_create(1, 4, 4000 * MS, false);
    struct batch_item items[12], got[4];
    int64_t lengths[12];
    bool seen[12] = {false};

    (void)state;
    assert_true(queue_group(q));
    for (size_t i = 0; i < 12; i++) {
        items[i] = (struct batch_item){.id = i, .index = i};
        lengths[i] = i % 2 ? 300 : 60 + (int64_t)i;
    }
    assert_true(queue_put_lengths(q, items, lengths, 12));
    for (int b = 0; b < 3; b++) {
        assert_int_equal(queue_take(q, 0, got), 4);
        for (int k = 0; k < 4; k++) {
            assert_false(seen[got[k].index]);
            seen[got[k].index] = true;
            if (b == 0) /* the oldest is short, and has its like */
                assert_int_equal(got[k].index, 2 * k);
            if (b == 1) /* then the oldest is long */
                assert_int_equal(got[k].index, 2 * k + 1);
            assert_int_equal(got[k].id, got[k].index);
        }
    }
    /* Again, where the ring has come round; one that was passed over does not wait for others. */
    for (int round = 0; round < 400; round++) {
        int64_t start = clock_ns();

        assert_true(queue_put_lengths(q, items, lengths, 6));
        assert_int_equal(queue_take(q, 0, got), 4);
        assert_int_equal(got[0].index + got[1].index + got[2].index + got[3].index, 0 + 1 + 2 + 4);
        assert_int_equal(queue_take(q, 0, got), 2);
        assert_int_equal(lengths[got[0].index] + lengths[got[1].index], 600);
        assert_true(clock_ns() - start < 2000 * MS);
    }
    queue_stop(q);
    queue_destroy(q);
}

/* No more than a batch's worth is ever passed over: then order is that of arrival again. */
static void few_are_passed_over(void **state)
{
    struct group_item items[24];
    struct group_rule rule = {.limit = 4, .now_ns = 1, .wait_ns = 1000 * MS, .service_ns = MS};
    bool chosen[24];

    (void)state;
    for (size_t i = 0; i < 24; i++)
        items[i] = (struct group_item){.number = i, .length = 200 + 10 * (int64_t)i};
    items[0].length = items[13].length = items[14].length = items[15].length = 10;
    items[1].length = items[16].length = items[17].length = items[18].length = 100;
    group_choose(items, 16, &rule, chosen);
    assert_true(chosen[0] && chosen[13] && chosen[14] && chosen[15]);
    assert_true(items[1].passed_ns && items[3].passed_ns && !items[4].passed_ns);
    memmove(items, items + 1, 12 * sizeof(*items));
    memmove(items + 12, items + 16, 8 * sizeof(*items));
    rule.taken = 4;
    rule.now_ns = MS;
    group_choose(items, 16, &rule, chosen); /* its like would leave 2 to 7 behind */
    for (size_t i = 0; i < 16; i++)
        assert_int_equal(chosen[i], i < 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(padding_halves), cmocka_unit_test(no_wait_no_choice),
        cmocka_unit_test(the_odd_one_out_goes), cmocka_unit_test(the_queue_groups),
        cmocka_unit_test(few_are_passed_over)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
