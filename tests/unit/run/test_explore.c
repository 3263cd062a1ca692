/* The search over configurations, with formulas in the place of runs: what it finds against the
 * whole grid, constraints, failures, the budget; and fronts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/tree.h"
#include "run/explore.h"

struct world {
    double seconds, budget; /* used, and allowed */
    double noise;
    unsigned seed;
    int short_runs, full_runs, accuracy_runs;
    int stop_after; /* interrupted after so many runs; 0: never */
    bool int8_is_bad, bf16_fails;
};

/* More lanes share the cores less well, larger batches amortise a fixed cost, and a batch too large
 * falls out of the cache. */
static double rate_of(const json_t *p)
{
    double lanes = (double)tree_int(p, "lanes", 0), threads = (double)tree_int(p, "threads", 0),
           batch = (double)tree_int(p, "batch", 0);
    double each = !strcmp(tree_text(p, "precision", ""), "int8")   ? 10e-3
                  : !strcmp(tree_text(p, "precision", ""), "bf16") ? 20e-3
                                                                   : 40e-3;
    double cores = lanes * (1 + (threads - 1) * 0.8), cost = each + 8e-3 / batch;

    if (!strcmp(tree_text(p, "engine", ""), "b"))
        cost *= 0.7;
    if (batch > 8)
        cost *= 1 + (batch - 8) * 0.02;
    return cores / cost;
}

static double noisy(struct world *w, double v)
{
    w->seed = w->seed * 1103515245u + 12345u;
    return v * (1 + w->noise * ((double)(w->seed >> 16 & 0x7fff) / 16384.0 - 1));
}

static int measure(void *ctx, int kind, json_t *p, struct assay_err *err)
{
    struct world *w = ctx;
    const char *precision = tree_text(p, "precision", "");
    int made = ++*(kind == EXPLORE_SHORT  ? &w->short_runs
                   : kind == EXPLORE_FULL ? &w->full_runs
                                          : &w->accuracy_runs);

    (void)made;
    if (w->stop_after && w->short_runs + w->full_runs + w->accuracy_runs > w->stop_after)
        return assay_fail(err, ASSAY_ESTOP, "interrupted");
    w->seconds += kind == EXPLORE_FULL ? 20 : 4;
    if (w->bf16_fails && !strcmp(precision, "bf16")) {
        json_object_set_new(p, "out", json_true());
        json_object_set_new(p, "reason", json_string("no bf16"));
        return ASSAY_OK;
    }
    if (kind == EXPLORE_ACCURACY) {
        json_object_set_new(p, "accuracy",
                            json_real(strcmp(precision, "int8") ? 75
                                      : w->int8_is_bad          ? 70
                                                                : 74.8));
        return ASSAY_OK;
    }
    json_object_set_new(p, "throughput",
                        json_real(noisy(w, rate_of(p)) * (kind == EXPLORE_FULL ? 1 : 0.99)));
    json_object_set_new(p, "latency_ms",
                        json_real((double)tree_int(p, "batch", 0) * 1e3 *
                                  (double)tree_int(p, "lanes", 0) / rate_of(p)));
    return ASSAY_OK;
}

static double left_s(void *ctx)
{
    const struct world *w = ctx;

    return w->budget - w->seconds;
}

static json_t *setups(void)
{
    static const char *const engines[] = {"a", "b"}, *const precisions[] = {"int8", "fp32", "bf16"};
    json_t *list = json_array();

    for (size_t e = 0; e < 2; e++)
        for (size_t p = 0; p < 3; p++)
            json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s}", "model", "m", "engine",
                                                  engines[e], "device", "cpu", "precision",
                                                  precisions[p]));
    return list;
}

static struct explore_ask ask_of(const json_t *list)
{
    struct explore_ask a = {.setups = list,
                            .lanes = {1, 2, 4},
                            .lane_count = 3,
                            .threads = {1, 2, 4},
                            .thread_count = 3,
                            .batches = {1, 2, 4, 8, 16, 32},
                            .batch_count = 6,
                            .cpus = 4,
                            .full_s = 20};

    return a;
}

static double best_of_grid(const struct explore_ask *a, const char *precision)
{
    double best = 0;
    const json_t *s;
    size_t i, l, t, b;

    json_array_foreach(a->setups, i, s)
    {
        for (l = 0; l < a->lane_count; l++)
            for (t = 0; t < a->thread_count; t++)
                for (b = 0; b < a->batch_count; b++) {
                    json_t *p = json_pack("{s:O, s:O, s:i, s:i, s:i}", "engine",
                                          json_object_get(s, "engine"), "precision",
                                          json_object_get(s, "precision"), "lanes", a->lanes[l],
                                          "threads", a->threads[t], "batch", a->batches[b]);

                    if (a->lanes[l] * a->threads[t] <= a->cpus &&
                        !strcmp(precision, tree_text(s, "precision", "")))
                        best = fmax(best, rate_of(p));
                    json_decref(p);
                }
    }
    return best;
}

static json_t *search(struct world *w, const struct explore_ask *a, int want)
{
    struct explore_ops ops = {measure, left_s, w};
    struct assay_err err = {0};
    json_t *points = NULL;

    assert_int_equal(explore_search(a, &ops, &points, &err), want);
    assert_non_null(points);
    return points;
}

static void finds_the_best_of_the_grid(void **state)
{
    json_t *list = setups();
    struct explore_ask a = ask_of(list);
    int good = 0;

    (void)state;
    for (unsigned seed = 1; seed <= 20; seed++) {
        struct world w = {.budget = 900, .noise = 0.02, .seed = seed};
        json_t *points = search(&w, &a, ASSAY_OK);
        const json_t *best = explore_best(points);

        good += rate_of(best) >= 0.97 * best_of_grid(&a, "int8");
        assert_true(tree_bool(best, "full", false));
        assert_in_range(w.short_runs, 20, 6 * 6 * 6 / 2); /* the grid has 216 and more */
        assert_in_range(w.full_runs, 3, 8);
        json_decref(points);
    }
    assert_int_equal(good, 20);
    json_decref(list);
}

static void constraints_put_setups_out(void **state)
{
    struct world w = {.budget = 900, .seed = 1, .int8_is_bad = true, .bf16_fails = true};
    json_t *list = setups(), *points;
    struct explore_ask a = ask_of(list);
    struct assay_err err = {0};
    const json_t *p;
    size_t i, out = 0;

    (void)state;
    a.accuracy = true;
    assert_int_equal(front_parse("accuracy>=99%", &a.constraints[0], &err), 0);
    assert_int_equal(front_parse("latency<=200ms", &a.constraints[1], &err), 0);
    a.constraint_count = 2;
    points = search(&w, &a, ASSAY_OK);
    p = explore_best(points);
    assert_string_equal(tree_text(p, "precision", ""), "fp32");
    assert_true(tree_real(p, "latency_ms", 1e9) <= 200);
    assert_int_equal(w.accuracy_runs, 6);
    json_array_foreach(points, i, p)
    {
        out += tree_bool(p, "out", false);
        if (tree_bool(p, "out", false)) {
            assert_false(tree_bool(p, "front", false));
            assert_non_null(tree_text(p, "reason", NULL));
        } else {
            assert_string_equal(tree_text(p, "precision", ""), "fp32");
        }
    }
    assert_true(out >= 4);
    json_decref(points);
    json_decref(list);
}

/* All that is left of fp32 fails: nothing keeps a part of its accuracy. */
static void a_share_of_no_accuracy(void **state)
{
    struct world w = {.budget = 900, .seed = 1, .bf16_fails = true};
    json_t *list = setups(), *points;
    struct explore_ask a = ask_of(list);
    struct assay_err err = {0};
    const json_t *p;
    size_t i;

    (void)state;
    for (i = json_array_size(list); i-- > 0;)
        if (!strcmp(tree_text(json_array_get(list, i), "precision", ""), "fp32"))
            json_array_remove(list, i);
    a.accuracy = true;
    assert_int_equal(front_parse("accuracy>=99.9%", &a.constraints[0], &err), 0);
    a.constraint_count = 1;
    points = search(&w, &a, ASSAY_OK);
    assert_null(explore_best(points));
    assert_int_equal(json_array_size(points), 4);
    json_array_foreach(points, i, p) assert_true(tree_bool(p, "out", false));
    json_decref(points);
    json_decref(list);
}

static void a_small_budget_still_gives_a_full_run(void **state)
{
    struct world w = {.budget = 100, .seed = 1};
    json_t *list = setups(), *points;
    struct explore_ask a = ask_of(list);

    (void)state;
    points = search(&w, &a, ASSAY_OK);
    assert_true(w.full_runs >= 1);
    assert_true(w.seconds <= 100 + 20);
    assert_true(tree_bool(explore_best(points), "full", false));
    json_decref(points);
    json_decref(list);
}

static void an_interrupted_search_gives_what_there_is(void **state)
{
    struct world w = {.budget = 900, .seed = 1, .stop_after = 7};
    json_t *list = setups(), *points;
    struct explore_ask a = ask_of(list);

    (void)state;
    points = search(&w, &a, ASSAY_ESTOP);
    assert_int_equal(json_array_size(points), 7);
    assert_non_null(explore_best(points));
    json_decref(points);
    json_decref(list);
}

static void least_latency(void **state)
{
    struct world w = {.budget = 900, .seed = 1};
    json_t *list = setups(), *points;
    struct explore_ask a = ask_of(list);
    const json_t *best;

    (void)state;
    a.latency = true;
    points = search(&w, &a, ASSAY_OK);
    best = explore_best(points);
    assert_int_equal(tree_int(best, "batch", 0), 1);
    assert_int_equal(tree_int(best, "lanes", 0), 1);
    assert_int_equal(tree_int(best, "threads", 0), 4);
    assert_string_equal(tree_text(best, "engine", ""), "b");
    json_decref(points);
    json_decref(list);
}

static json_t *point(double rate, double latency, double accuracy)
{
    json_t *p = json_object();

    if (rate > 0)
        json_object_set_new(p, "throughput", json_real(rate));
    if (latency > 0)
        json_object_set_new(p, "latency_ms", json_real(latency));
    if (accuracy > 0)
        json_object_set_new(p, "accuracy", json_real(accuracy));
    return p;
}

static void fronts(void **state)
{
    json_t *points =
        json_pack("[o, o, o, o, o, o]", point(100, 10, 75), point(90, 5, 75), point(90, 10, 75),
                  point(100, 10, 75), point(200, 50, 70), point(300, 1, 80));
    static const bool want[] = {true, true, false, true, true, false};

    (void)state;
    json_object_set_new(json_array_get(points, 5), "out", json_true());
    front_mark(points);
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(tree_bool(json_array_get(points, i), "front", !want[i]), want[i]);
    json_decref(points);
}

static json_t *with_energy(json_t *point, double joules, const char *of)
{
    json_object_set_new(point, "energy_j", json_real(joules));
    json_object_set_new(point, "energy_of", json_string(of));
    return point;
}

/* The third is beaten in all but energy; the fourth lacks it, or has it of other parts. */
static void energy_is_an_axis_when_all_have_it(void **state)
{
    static const char *const of[] = {"processors", "processors and card", "card", NULL};
    static const bool axis[] = {true, true, false, false};

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        json_t *last = point(80, 12, 75), *out = point(300, 1, 80);
        json_t *points =
            json_pack("[o, o, o, o, o]", with_energy(point(100, 10, 75), 5, "processors"),
                      with_energy(point(90, 5, 75), 6, "processors"),
                      with_energy(point(90, 10, 75), 2, "processors"),
                      of[i] ? with_energy(last, 9, of[i]) : last, out);

        json_object_set_new(out, "out", json_true()); /* what is out needs none */
        assert_int_equal(front_has_energy(points), axis[i]);
        front_mark(points);
        assert_true(tree_bool(json_array_get(points, 0), "front", false));
        assert_true(tree_bool(json_array_get(points, 1), "front", false));
        assert_int_equal(tree_bool(json_array_get(points, 2), "front", !axis[i]), axis[i]);
        assert_false(tree_bool(json_array_get(points, 3), "front", true));
        json_decref(points);
    }
}

/* Every second shape's energy can be read: what cannot show that it keeps the constraint is out. */
static int measure_energy(void *ctx, int kind, json_t *p, struct assay_err *err)
{
    int rc = measure(ctx, kind, p, err);

    if (!rc && kind != EXPLORE_ACCURACY && tree_int(p, "lanes", 0) == 2)
        json_object_set_new(p, "energy_reason", json_string("no counter"));
    else if (!rc && kind != EXPLORE_ACCURACY)
        with_energy(p, 100 / rate_of(p), "processors");
    return rc;
}

static void a_constraint_on_energy(void **state)
{
    struct world w = {.budget = 900, .seed = 1};
    struct explore_ops ops = {measure_energy, left_s, &w};
    json_t *list = setups(), *points = NULL;
    struct explore_ask a = ask_of(list);
    struct assay_err err = {0};
    size_t i, unknown = 0, over = 0, in = 0;
    const json_t *p;

    (void)state;
    assert_int_equal(front_parse("energy<=1000mJ", &a.constraints[0], &err), 0);
    a.constraint_count = 1;
    assert_int_equal(explore_search(&a, &ops, &points, &err), 0);
    json_array_foreach(points, i, p)
    {
        const char *reason = tree_text(p, "reason", "");

        unknown += !strcmp(reason, "its energy is not known: no counter");
        over += !strncmp(reason, "energy_j ", 9);
        if (tree_bool(p, "out", false))
            continue;
        in++;
        assert_true(tree_real(p, "energy_j", 9) <= 1);
        assert_int_not_equal(tree_int(p, "lanes", 0), 2);
    }
    assert_true(unknown > 0 && over > 0 && in > 0);
    json_decref(points);
    json_decref(list);
}

static void parses_constraints(void **state)
{
    static const struct {
        const char *text, *figure;
        double value;
        bool least, relative;
    } good[] = {{"accuracy>=99%", "accuracy", 0.99, true, true},
                {"accuracy>=75.5", "accuracy", 75.5, true, false},
                {"p99<=15ms", "latency_ms", 15, false, false},
                {"latency<=0.5s", "latency_ms", 500, false, false},
                {"memory<=4GB", "memory_bytes", 4e9, false, false},
                {"energy<=2J", "energy_j", 2, false, false},
                {"joules<=30mJ", "energy_j", 0.03, false, false},
                {"throughput>=100", "throughput", 100, true, false}};
    static const char *const bad[] = {"",         "accuracy",      "accuracy>99%", "accuracy>=",
                                      "speed>=1", "latency<=15%",  "memory<=4ms",  "p99<=15msx",
                                      "p99<=nan", "accuracy>=-1%", "p99<=inf",     ">=3"};
    struct front_constraint c;
    struct assay_err err;
    char why[120];
    json_t *p = point(50, 20, 74);

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(front_parse(good[i].text, &c, &err), 0);
        assert_string_equal(c.figure, good[i].figure);
        assert_float_equal(c.value, good[i].value, 1e-9 * good[i].value);
        assert_int_equal(c.least, good[i].least);
        assert_int_equal(c.relative, good[i].relative);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(front_parse(bad[i], &c, &err), ASSAY_EUSAGE);
    assert_int_equal(front_parse("accuracy>=99%", &c, &err), 0);
    assert_string_equal(front_breaks(&c, p, 75, why), "accuracy 74 is below 74.25");
    assert_null(front_breaks(&c, p, 74.5, why));
    assert_string_equal(front_breaks(&c, p, NAN, why),
                        "there is no accuracy of fp32 that its own could be held against");
    json_object_del(p, "accuracy");
    assert_string_equal(front_breaks(&c, p, 75, why), "its accuracy is not known");
    json_decref(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_best_of_the_grid),
        cmocka_unit_test(constraints_put_setups_out),
        cmocka_unit_test(a_share_of_no_accuracy),
        cmocka_unit_test(a_small_budget_still_gives_a_full_run),
        cmocka_unit_test(an_interrupted_search_gives_what_there_is),
        cmocka_unit_test(least_latency),
        cmocka_unit_test(fronts),
        cmocka_unit_test(energy_is_an_axis_when_all_have_it),
        cmocka_unit_test(a_constraint_on_energy),
        cmocka_unit_test(parses_constraints),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
