/* The search, on machines that are formulas: it must find their best configuration through noise,
 * keep the default where nothing is better, stay in its time, and live with failures. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "run/tune.h"

struct machine {
    double (*speed)(const struct tune_config *c); /* samples/s; negative: it fails */
    double noise;                                 /* relative, uniform both ways */
    double open_s, now, budget;
    uint64_t random;
    int asked, stop_at;
    double cold_s; /* the first open takes so much longer */
};

static double uniform(struct machine *m)
{
    uint64_t z = (m->random += 0x9e3779b97f4a7c15u);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (double)((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

static int measure(void *ctx, const struct tune_ask *ask, struct tune_point *points, size_t *count,
                   struct assay_err *err)
{
    struct machine *m = ctx;
    size_t n = ask->batch_count ? ask->batch_count : 1;
    double began = m->now;

    *count = 0;
    m->now += m->open_s + (m->asked ? 0 : m->cold_s);
    if (++m->asked == m->stop_at)
        return assay_fail(err, ASSAY_ESTOP, "interrupted");
    for (size_t i = 0; i < n; i++) {
        struct tune_config c = ask->config;
        double speed;

        if (ask->batch_count)
            c.batch = ask->batches[i];
        speed = m->speed(&c);
        if (speed < 0)
            return assay_fail(err, ASSAY_EFAIL, "this one does not run");
        m->now += ask->seconds;
        if (m->now > began + ask->limit_s) { /* killed */
            m->now = began + ask->limit_s;
            *count = 0;
            return assay_fail(err, ASSAY_EFAIL, "took longer than %g s", ask->limit_s);
        }
        speed *= 1 + m->noise * (2 * uniform(m) - 1);
        points[(*count)++] = (struct tune_point){c.batch ? c.batch : 1, speed, speed, 0.01};
    }
    return ASSAY_OK;
}

static double left(void *ctx)
{
    const struct machine *m = ctx;

    return m->budget - m->now;
}

static const struct tune_space eight = {.cpus = 8,
                                        .cpu = true,
                                        .batches = {1, 2, 4, 8, 16, 32},
                                        .batch_count = 6,
                                        .option_count = 2,
                                        .values = {1, 2},
                                        .seconds = 0.8};

static int search(struct machine *m, const struct tune_space *space, struct tune_result *out)
{
    struct tune_ops ops = {m, measure, left};
    struct assay_err err = {0};
    int rc = tune_search(space, &ops, out, &err);

    assert_true(m->now <= m->budget + 1e-9);
    assert_non_null(out->why);
    return rc;
}

static double lanes_of(const struct tune_config *c)
{
    return c->lanes ? c->lanes : 1;
}

/* Best: 4 lanes of 2 threads, batch 8, first option's value, second's second. */
static double hill(const struct tune_config *c)
{
    double lanes = lanes_of(c), threads = c->threads ? c->threads : 8, batch = c->batch;
    double speed = 100;

    if (!c->batch)
        batch = 4;
    speed *= lanes * threads > 8 ? 0.6 : lanes * threads / 8;
    speed *= lanes == 4 ? 1.5 : lanes == 2 || lanes == 8 ? 1.3 : 1;
    speed *= batch == 8 ? 1.4 : batch == 4 || batch == 16 ? 1.25 : 1;
    speed *= c->option[0] == 1 ? 1.12 : 1;
    return speed * (c->option[1] == 2 ? 1.1 : c->option[1] == 1 ? 0.5 : 1);
}

static double flat(const struct tune_config *c)
{
    (void)c;
    return 50;
}

static double default_is_best(const struct tune_config *c)
{
    static const struct tune_config none;

    return tune_same(c, &none) ? 60 : 50;
}

static double default_fails(const struct tune_config *c)
{
    return c->lanes ? 10.0 * c->lanes : -1.0;
}

static double many_lanes_fail(const struct tune_config *c)
{
    return c->lanes > 2 ? -1 : hill(c);
}

static double nothing_runs(const struct tune_config *c)
{
    (void)c;
    return -1;
}

static void finds_the_best(void **state)
{
    static struct tune_result out;
    struct machine m = {hill, 0, 1, 0, 80, 1, 0, 0, 0};

    (void)state;
    assert_int_equal(search(&m, &eight, &out), 0);
    assert_true(out.found);
    assert_int_equal(out.best.lanes, 4);
    assert_int_equal(out.best.threads, 2);
    assert_int_equal(out.best.batch, 8);
    assert_int_equal(out.best.option[0], 1);
    assert_int_equal(out.best.option[1], 2);
    assert_true(out.gain > 2);
    assert_int_equal(out.trials[0].step, TUNE_DEFAULT);
}

/* With 5 % of noise: within 3 % of the true best in at least 45 of 50 searches, never worse than
 * the default. */
static void finds_nearly_the_best_in_noise(void **state)
{
    static struct tune_result out;
    struct tune_config best = {4, 2, 8, 0, {1, 2}}, none = {0};
    int good = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= 50; seed++) {
        struct machine m = {hill, 0.05, 1, 0, 80, seed * 77, 0, 0, 0};

        assert_int_equal(search(&m, &eight, &out), 0);
        assert_true(out.found);
        good += hill(&out.best) >= 0.97 * hill(&best);
        assert_true(hill(&out.best) > hill(&none));
    }
    if (good < 45)
        fail_msg("only %d of 50", good);
}

/* Where all are equal, noise alone must rarely beat the default; where it is best, never. */
static void the_default_stays_on_a_tie(void **state)
{
    static struct tune_result out;
    int changed = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= 100; seed++) {
        struct machine m = {flat, 0.05, 1, 0, 80, seed * 131, 0, 0, 0};

        assert_int_equal(search(&m, &eight, &out), 0);
        changed += out.found;
    }
    if (changed > 20)
        fail_msg("%d of 100 ties went to a lucky one", changed);
    for (uint64_t seed = 1; seed <= 50; seed++) {
        static const struct tune_config none;
        struct machine m = {default_is_best, 0.05, 1, 0, 80, seed * 31, 0, 0, 0};

        assert_int_equal(search(&m, &eight, &out), 0);
        assert_false(out.found);
        assert_true(tune_same(&out.best, &none));
    }
}

/* Slow opens: there is time for the default, something else, and the final of the two; or not. */
static void keeps_to_its_time(void **state)
{
    static struct tune_result out;

    (void)state;
    for (double open_s = 0.01; open_s < 200; open_s *= 1.3) {
        struct machine m = {hill, 0.02, open_s, 0, 80, 5, 0, 0, 0};

        search(&m, &eight, &out);
        if (open_s < 5)
            assert_true(out.found);
        if (open_s > 40)
            assert_false(out.found);
    }
}

/* The first open has to read a large library and to write the net: that is not how it goes on. */
static void a_cold_start_leaves_time(void **state)
{
    static struct tune_result out;
    struct tune_config best = {4, 2, 8, 0, {1, 2}};

    (void)state;
    for (double cold_s = 0; cold_s < 32; cold_s += 4) {
        struct machine m = {hill, 0, 1, 0, 80, 1, 0, 0, cold_s};

        assert_int_equal(search(&m, &eight, &out), 0);
        assert_true(out.found);
        assert_true(hill(&out.best) >= 0.85 * hill(&best));
    }
}

/* Best: 2 lanes of 1 thread, and a larger batch. */
static double two_lanes(const struct tune_config *c)
{
    double batch = c->batch ? c->batch : 1;

    return 20 * (c->lanes == 2 && c->threads == 1 ? 1.15 : 1) * (1 + fmin(batch, 16) / 100);
}

/* An engine whose every open takes 4.5 s: there is time to see each way to share two CPUs. */
static void slow_opens_leave_time(void **state)
{
    static const struct tune_space two = {
        .cpus = 2, .cpu = true, .batches = {1, 2, 4, 8, 16, 32}, .batch_count = 6, .seconds = 0.8};
    static struct tune_result out;
    int good = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= 50; seed++) {
        struct machine m = {two_lanes, 0.03, 4.5, 0, 80, seed * 7, 0, 0, 3};

        assert_int_equal(search(&m, &two, &out), 0);
        good += out.found && out.best.lanes == 2 && out.best.threads == 1 && out.best.batch >= 8;
    }
    if (good < 45)
        fail_msg("only %d of 50", good);
}

static void failures_are_lines(void **state)
{
    static struct tune_result out;
    struct machine m = {many_lanes_fail, 0, 1, 0, 80, 1, 0, 0, 0};
    size_t failed = 0;

    (void)state;
    assert_int_equal(search(&m, &eight, &out), 0);
    assert_true(out.found);
    assert_int_equal(out.best.lanes, 2);
    for (size_t i = 0; i < out.count; i++)
        failed += !strcmp(out.trials[i].error, "this one does not run");
    assert_true(failed >= 2);
    m = (struct machine){default_fails, 0, 1, 0, 80, 1, 0, 0, 0};
    assert_int_equal(search(&m, &eight, &out), 0);
    assert_true(out.found && out.best.lanes >= 8 && out.gain == 0);
    m = (struct machine){nothing_runs, 0, 1, 0, 80, 1, 0, 0, 0};
    assert_int_equal(search(&m, &eight, &out), 0);
    assert_false(out.found || out.decided);
    assert_int_equal(m.asked, 3);
}

/* A default that nothing was held against, or no whole final, is not the best of anything. */
static void without_time_nothing_is_decided(void **state)
{
    static struct tune_result out;
    struct machine m = {hill, 0, 1, 0, 6, 1, 0, 0, 0};

    (void)state;
    assert_int_equal(search(&m, &eight, &out), 0);
    assert_false(out.found || out.decided);
    for (double budget = 0.5; budget < 60; budget += 0.5) {
        size_t finals = 0, others = 0;

        m = (struct machine){hill, 0, 1, 0, budget, 1, 0, 0, 0};
        assert_int_equal(search(&m, &eight, &out), 0);
        for (size_t i = 0; i < out.count; i++) {
            finals += out.trials[i].step == TUNE_FINAL;
            others += out.trials[i].config.lanes > 0;
        }
        assert_int_equal(out.decided, others && finals >= 3);
    }
    m = (struct machine){default_is_best, 0, 1, 0, 80, 1, 0, 0, 0};
    assert_int_equal(search(&m, &eight, &out), 0);
    assert_true(out.decided && !out.found);
}

static void an_interrupt_ends_it(void **state)
{
    static struct tune_result out;

    (void)state;
    for (int at = 1; at < 20; at++) {
        struct machine m = {hill, 0, 1, 0, 80, 1, 0, at, 0};

        assert_int_equal(search(&m, &eight, &out), ASSAY_ESTOP);
        assert_int_equal(m.asked, at);
        assert_false(out.found);
    }
}

/* What the user fixed is never in a configuration. */
static void what_is_fixed_stays(void **state)
{
    static struct tune_result out;
    struct tune_space s = eight;
    struct machine m = {hill, 0, 1, 0, 80, 1, 0, 0, 0};

    (void)state;
    s.lanes = 2;
    s.batch_count = 0;
    assert_int_equal(search(&m, &s, &out), 0);
    for (size_t i = 0; i < out.count; i++) {
        assert_int_equal(out.trials[i].config.lanes, 0);
        assert_int_equal(out.trials[i].config.batch, 0);
    }
    s = eight;
    s.one_lane = true;
    m = (struct machine){hill, 0, 1, 0, 80, 1, 0, 0, 0};
    assert_int_equal(search(&m, &s, &out), 0);
    for (size_t i = 0; i < out.count; i++)
        assert_true(out.trials[i].config.lanes <= 1);
}

/* ---- the rate of Offline ---- */

/* Two lanes that take batches of 4 from one queue, each when it is done with its last. */
struct lanes {
    double batch_s, long_s; /* every third batch takes long_s */
    int batches, rounds, disturbed_from, disturbed;
    double extra_s; /* that each disturbed round takes longer */
    double spent;
};

static double run_lanes(void *ctx, size_t samples)
{
    struct lanes *l = ctx;
    double free_s[2] = {0, 0}, took;

    assert_int_equal(samples % 8, 0);
    for (size_t b = 0; b < samples / 4; b++)
        free_s[free_s[1] < free_s[0]] += ++l->batches % 3 ? l->batch_s : l->long_s;
    took = fmax(free_s[0], free_s[1]);
    if (l->rounds >= l->disturbed_from && l->rounds < l->disturbed_from + l->disturbed)
        took += l->extra_s;
    l->rounds++;
    l->spent += took;
    return took;
}

static double rate_of(struct lanes l, double *spent)
{
    double rate = tune_offline_rate(run_lanes, &l, 8, 0.8);

    if (spent)
        *spent = l.spent;
    return rate;
}

/* Whatever piece of it is disturbed, and the two after it too. */
static void a_disturbed_piece_does_not_count(void **state)
{
    double clean = rate_of((struct lanes){.batch_s = 0.01, .long_s = 0.01}, NULL);

    (void)state;
    assert_true(fabs(clean - 800) < 1);
    for (int at = 0; at < 9; at++)
        for (int n = 1; n <= 2; n++) {
            struct lanes l = {0.01, 0.01, 0, 0, at, n, 0.2, 0};

            assert_true(fabs(rate_of(l, NULL) - 800) < 1);
        }
    for (int at = 0; at < 3; at++) { /* two slow rounds fill the time: a third decides */
        struct lanes l = {0.4, 0.4, 0, 0, at, 1, 0.3, 0};

        assert_true(fabs(rate_of(l, NULL) - 20) < 1e-6);
    }
}

/* One in three takes twice as long: the median of batches' times would say 800. */
static void skewed_batches_count_as_they_are(void **state)
{
    struct lanes l = {.batch_s = 0.01, .long_s = 0.02}, all = l;
    double rate = rate_of(l, NULL), whole = 8 * 1000 / run_lanes(&all, 8000);

    (void)state;
    assert_true(fabs(whole - 600) < 1);
    if (fabs(rate / whole - 1) > 0.07) /* at the end of a piece a lane waits for the other */
        fail_msg("%g where there are %g", rate, whole);
}

/* Else its length would be taken for that of a piece, and all pieces would be that small. */
static void a_disturbed_first_piece_is_no_measure(void **state)
{
    struct lanes l = {.batch_s = 0.0005, .long_s = 0.001}, all = l;
    double whole = 8 * 1000 / run_lanes(&all, 8000), rate;

    (void)state;
    l.disturbed = 1;
    l.extra_s = 0.15;
    rate = rate_of(l, NULL);
    if (fabs(rate / whole - 1) > 0.02)
        fail_msg("%g where there are %g", rate, whole);
}

static void slow_batches_end_in_time(void **state)
{
    double spent;

    (void)state;
    for (double batch_s = 1e-6; batch_s < 8; batch_s *= 1.1) {
        double rate = rate_of((struct lanes){.batch_s = batch_s, .long_s = batch_s}, &spent);

        assert_true(fabs(rate * batch_s / 8 - 1) < 1e-9);
        assert_true(spent < fmax(2 * 0.8, batch_s + 1e-9));
        assert_true(spent > 0.8 || batch_s > 0.8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_best),
        cmocka_unit_test(finds_nearly_the_best_in_noise),
        cmocka_unit_test(the_default_stays_on_a_tie),
        cmocka_unit_test(keeps_to_its_time),
        cmocka_unit_test(a_cold_start_leaves_time),
        cmocka_unit_test(slow_opens_leave_time),
        cmocka_unit_test(failures_are_lines),
        cmocka_unit_test(without_time_nothing_is_decided),
        cmocka_unit_test(an_interrupt_ends_it),
        cmocka_unit_test(what_is_fixed_stays),
        cmocka_unit_test(a_disturbed_piece_does_not_count),
        cmocka_unit_test(a_disturbed_first_piece_is_no_measure),
        cmocka_unit_test(skewed_batches_count_as_they_are),
        cmocka_unit_test(slow_batches_end_in_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
