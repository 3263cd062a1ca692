/* Which configuration to measure next: see explore.h. */
#include "run/explore.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/tree.h"

#define NEAR       0.85 /* of the best score: shapes and setups worth another look */
#define FULL_LEAST 3    /* the best few are confirmed before others of the front */

struct search {
    const struct explore_ask *ask;
    const struct explore_ops *ops;
    json_t *points, *setups; /* setups: copies, with "accuracy", "out", "best", "shape" */
    double reference;        /* accuracy of fp32; NaN: none */
    double short_s;          /* what a short run took so far, at most */
};

static bool is_out(const json_t *o)
{
    return tree_bool(o, "out", false);
}

/* More is better. */
static double score(const struct search *x, const json_t *point)
{
    if (!point || is_out(point))
        return -INFINITY;
    return x->ask->latency ? -tree_real(point, "latency_ms", INFINITY)
                           : tree_real(point, "throughput", -INFINITY);
}

/* As a part of the best: 1 is as good. */
static double share(const struct search *x, double mine, double best)
{
    if (!(mine > -INFINITY))
        return 0;
    return x->ask->latency ? best / mine : mine / best;
}

/* How a measured point breaks a constraint, or does not show that it keeps it; NULL: it does. */
static json_t *how_broken(const struct search *x, const struct front_constraint *c, const json_t *o)
{
    char why[120];

    if (!strcmp(c->figure, "energy_j") && !json_object_get(o, "energy_j"))
        return json_sprintf("its energy is not known: %s",
                            tree_text(o, "energy_reason", "no reason was given"));
    return front_breaks(c, o, x->reference, why) ? json_string(why) : NULL;
}

/* Puts out what breaks a constraint. */
static void constrain(const struct search *x, json_t *o)
{
    for (size_t i = 0; i < x->ask->constraint_count && !is_out(o); i++) {
        json_t *why = how_broken(x, &x->ask->constraints[i], o);

        if (!why)
            continue;
        json_object_set_new(o, "out", json_true());
        json_object_set_new(o, "reason", why);
    }
}

static bool time_for(const struct search *x, double seconds)
{
    return x->ops->left_s(x->ops->ctx) > seconds;
}

static json_t *point_of(const json_t *setup, uint32_t lanes, uint32_t threads, uint32_t batch)
{
    static const char *const names[] = {"model", "engine", "device", "precision", "accuracy"};
    json_t *p = json_pack("{s:I, s:I, s:I, s:b}", "lanes", (json_int_t)lanes, "threads",
                          (json_int_t)threads, "batch", (json_int_t)batch, "full", 0);

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (json_object_get(setup, names[i]))
            json_object_set(p, names[i], json_object_get(setup, names[i]));
    return p;
}

/* ---- accuracy ---- */

static bool is_fp32(const json_t *setup)
{
    return !strcmp(tree_text(setup, "precision", ""), "fp32");
}

/* A setup that is out is told as a point without lanes. */
static void put_out(struct search *x, json_t *setup, const json_t *reason)
{
    json_t *p;

    json_object_set_new(setup, "out", json_true());
    json_object_set(setup, "reason", (json_t *)(uintptr_t)reason);
    p = point_of(setup, 0, 0, 0);
    json_object_set_new(p, "out", json_true());
    json_object_set(p, "reason", (json_t *)(uintptr_t)reason);
    json_array_append_new(x->points, p);
}

static int measure_accuracy(struct search *x, json_t *setup, struct assay_err *err)
{
    json_t *p = point_of(setup, 0, 0, 0);
    int rc = x->ops->measure(x->ops->ctx, EXPLORE_ACCURACY, p, err);

    if (!rc && is_out(p))
        put_out(x, setup, json_object_get(p, "reason"));
    if (!rc && json_object_get(p, "accuracy"))
        json_object_set(setup, "accuracy", json_object_get(p, "accuracy"));
    if (!rc && !(x->reference > 0) && is_fp32(setup))
        x->reference = tree_real(p, "accuracy", NAN);
    json_decref(p);
    return rc;
}

/* fp32 comes first: it is what the others are held against. */
static int all_accuracies(struct search *x, struct assay_err *err)
{
    const struct front_constraint *c;
    json_t *setup, *why;
    size_t i;
    int rc = ASSAY_OK;

    for (int fp32 = 1; fp32 >= 0; fp32--) {
        json_array_foreach(x->setups, i, setup)
        {
            if (!rc && is_fp32(setup) == fp32)
                rc = measure_accuracy(x, setup, err);
        }
    }
    json_array_foreach(x->setups, i, setup)
    {
        for (c = x->ask->constraints; c < x->ask->constraints + x->ask->constraint_count; c++) {
            why = is_out(setup) || strcmp(c->figure, "accuracy") ? NULL : how_broken(x, c, setup);
            if (why)
                put_out(x, setup, why);
            json_decref(why);
        }
    }
    return rc;
}

/* ---- short runs ---- */

static bool same_shape(const json_t *a, const json_t *b)
{
    return tree_int(a, "lanes", 0) == tree_int(b, "lanes", 0) &&
           tree_int(a, "threads", 0) == tree_int(b, "threads", 0);
}

static bool same_setup(const json_t *a, const json_t *b)
{
    static const char *const names[] = {"model", "engine", "device", "precision"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(tree_text(a, names[i], ""), tree_text(b, names[i], "")))
            return false;
    return true;
}

static bool was_measured(const struct search *x, const json_t *p)
{
    const json_t *q;
    size_t i;

    json_array_foreach(x->points, i, q)
    {
        if (same_setup(p, q) && same_shape(p, q) &&
            tree_int(p, "batch", 0) == tree_int(q, "batch", 0))
            return true;
    }
    return false;
}

double explore_reserve_s(const struct explore_ask *ask)
{
    return FULL_LEAST * ask->full_s;
}

/* Time for the finalists is kept free. */
static double reserve(const struct search *x)
{
    return explore_reserve_s(x->ask) + x->short_s;
}

/* One short run; none where it was made, or the time is up.  The setup keeps its best. */
static int try_point(struct search *x, json_t *setup, uint32_t lanes, uint32_t threads,
                     uint32_t batch, struct assay_err *err)
{
    json_t *p = point_of(setup, lanes, threads, batch);
    double before = x->ops->left_s(x->ops->ctx);
    int rc = ASSAY_OK;

    if (!was_measured(x, p) && time_for(x, reserve(x))) {
        rc = x->ops->measure(x->ops->ctx, EXPLORE_SHORT, p, err);
        if (!rc) {
            constrain(x, p);
            json_array_append(x->points, p);
            x->short_s = fmax(x->short_s, before - x->ops->left_s(x->ops->ctx));
            if (score(x, p) > score(x, json_object_get(setup, "best")))
                json_object_set(setup, "best", p);
        }
    }
    json_decref(p);
    return rc;
}

static bool shape_allowed(const struct explore_ask *a, size_t l, size_t t)
{
    return !a->cpus || a->lanes[l] * a->threads[t] <= a->cpus || (l == 0 && t == 0);
}

size_t explore_grid(const struct explore_ask *ask)
{
    size_t shapes = 0;

    for (size_t l = 0; l < ask->lane_count; l++)
        for (size_t t = 0; t < ask->thread_count; t++)
            shapes += shape_allowed(ask, l, t);
    return shapes * ask->batch_count;
}

static int all_shapes(struct search *x, json_t *setup, struct assay_err *err)
{
    const struct explore_ask *a = x->ask;
    int rc = ASSAY_OK;

    for (size_t l = 0; l < a->lane_count; l++)
        for (size_t t = 0; t < a->thread_count; t++)
            if (!rc && shape_allowed(a, l, t))
                rc = try_point(x, setup, a->lanes[l], a->threads[t], a->batches[a->batch_count / 2],
                               err);
    return rc;
}

/* The place of the best batch among the batches. */
static size_t batch_place(const struct search *x, const json_t *best)
{
    size_t i = 0;

    while (i + 1 < x->ask->batch_count && x->ask->batches[i] != tree_int(best, "batch", 0))
        i++;
    return i;
}

/* All batches of the best shape, nearest to the one known first; then, of the other shapes that
 * were near, those about the best. */
static int all_batches(struct search *x, json_t *setup, struct assay_err *err)
{
    const struct explore_ask *a = x->ask;
    const json_t *best = json_object_get(setup, "best"), *p;
    uint32_t lanes = (uint32_t)tree_int(best, "lanes", 0),
             threads = (uint32_t)tree_int(best, "threads", 0);
    double first = score(x, best);
    size_t i, b, n = json_array_size(x->points);
    int rc = ASSAY_OK;

    for (b = 0; b < a->batch_count && !rc; b++)
        rc = try_point(x, setup, lanes, threads, a->batches[b], err);
    b = batch_place(x, json_object_get(setup, "best"));
    for (i = 0; i < n && !rc; i++) {
        p = json_array_get(x->points, i);
        if (!same_setup(p, setup) || same_shape(p, best) || share(x, score(x, p), first) < NEAR)
            continue;
        for (size_t k = b ? b - 1 : 0; k < a->batch_count && k <= b + 1 && !rc; k++)
            rc = try_point(x, setup, (uint32_t)tree_int(p, "lanes", 0),
                           (uint32_t)tree_int(p, "threads", 0), a->batches[k], err);
    }
    return rc;
}

static double best_score(const struct search *x)
{
    double best = -INFINITY;
    const json_t *setup;
    size_t i;

    json_array_foreach(x->setups, i, setup) best =
        fmax(best, score(x, json_object_get(setup, "best")));
    return best;
}

/* A setup far behind by the objective may still be on the front by something else. */
static bool hopeless(const struct search *x, const json_t *setup)
{
    const json_t *mine = json_object_get(setup, "best"), *other, *best;
    size_t i;

    if (!mine)
        return true;
    if (share(x, score(x, mine), best_score(x)) >= NEAR / 2)
        return false;
    json_array_foreach(x->setups, i, other)
    {
        best = json_object_get(other, "best");
        if (best && best != mine && front_dominates(best, mine))
            return true;
    }
    return false;
}

static int all_short(struct search *x, struct assay_err *err)
{
    json_t *setup;
    size_t i;
    int rc = ASSAY_OK;

    json_array_foreach(x->setups, i, setup)
    {
        if (!rc && !is_out(setup))
            rc = all_shapes(x, setup, err);
    }
    json_array_foreach(x->setups, i, setup)
    {
        if (!rc && !is_out(setup) && !hopeless(x, setup))
            rc = all_batches(x, setup, err);
    }
    return rc;
}

/* ---- full runs ---- */

static void sort_points(struct search *x)
{
    json_t *sorted = json_array(), *p;
    size_t i, k;

    json_array_foreach(x->points, i, p)
    {
        for (k = json_array_size(sorted); k > 0; k--)
            if (score(x, json_array_get(sorted, k - 1)) >= score(x, p))
                break;
        json_array_insert(sorted, k, p);
    }
    json_decref(x->points);
    x->points = sorted;
}

static int measure_full(struct search *x, json_t *point, struct assay_err *err)
{
    int rc = x->ops->measure(x->ops->ctx, EXPLORE_FULL, point, err);

    if (!rc) {
        json_object_set_new(point, "full", json_true());
        constrain(x, point);
    }
    return rc;
}

/* The best by the objective, whether or not the short runs put them on the front: noise decides
 * that among near ones. */
static int confirm(struct search *x, struct assay_err *err)
{
    size_t made = 0, i, n;
    json_t *candidates;
    int rc = ASSAY_OK;

    sort_points(x);
    front_mark(x->points);
    candidates = json_copy(x->points);
    n = json_array_size(candidates);
    for (int front = 0; front < 2; front++) {
        for (i = 0; i < n && !rc; i++) {
            json_t *p = json_array_get(candidates, i);
            bool wanted = front ? made < EXPLORE_FULL_MOST && tree_bool(p, "front", false) &&
                                      time_for(x, x->ask->full_s)
                                : made < FULL_LEAST && (!made || time_for(x, x->ask->full_s));

            if (!wanted || is_out(p) || tree_bool(p, "full", false))
                continue;
            rc = measure_full(x, p, err);
            made++;
        }
    }
    json_decref(candidates);
    return rc;
}

int explore_search(const struct explore_ask *ask, const struct explore_ops *ops, json_t **points,
                   struct assay_err *err)
{
    struct search x = {.ask = ask, .ops = ops, .reference = NAN};
    int rc;

    x.points = json_array();
    x.setups = json_deep_copy(ask->setups);
    rc = ask->accuracy ? all_accuracies(&x, err) : ASSAY_OK;
    if (!rc)
        rc = all_short(&x, err);
    if (!rc)
        rc = confirm(&x, err);
    sort_points(&x);
    front_mark(x.points);
    json_decref(x.setups);
    *points = x.points;
    return rc;
}

const json_t *explore_best(const json_t *points)
{
    const json_t *p, *best = NULL;
    size_t i;

    json_array_foreach(points, i, p)
    {
        if (is_out(p))
            continue;
        if (tree_bool(p, "full", false))
            return p; /* they are sorted */
        best = best ? best : p;
    }
    return best;
}
