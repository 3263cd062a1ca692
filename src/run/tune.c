/* The search; see tune.h.
 *
 * A machine drifts and is noisy, so nothing is decided by one figure: what is compared is measured
 * in one open where that can be (batches), the best are measured again before one of them becomes
 * a finalist (the luckiest of many is not the fastest), and the final is interleaved.
 *
 * The final asks for a rank test: of all pairs of one measurement of each finalist, the winner must
 * be ahead in 7 of 8.  With two each that is all four pairs (chance 1/6 if they were equal, and the
 * mean must be 1 % ahead too); when those disagree, or the gain is below 5 %, and there is time,
 * two more of each are taken (14 of 16 pairs: chance 6 %). */
#include "run/tune.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "run/latency.h"

#define PAIRS_AHEAD  0.875
#define GAIN_LEAST   1.01
#define GAIN_CLEAR   1.05
#define FINALISTS    3
#define AGAIN_ROUNDS 4
#define OPENS        5
#define PIECES       5 /* of a measuring of Offline; as they come, half as many to twice */
#define PIECES_MOST  64
/* Of the time for all. */
#define AGAIN_SHARE 0.1
#define COLD_SHARE  0.1
/* Of the estimate: some trials take longer than those before. */
#define TIME_MARGIN 1.25

const char *const tune_step_names[] = {"default",   "lanes", "batch", "option",
                                       "neighbour", "again", "wait",  "final"};

struct search {
    const struct tune_space *space;
    const struct tune_ops *ops;
    struct tune_result *out;
    struct assay_err *err;
    double open[OPENS]; /* what the last trials took beside their measuring */
    size_t opens;
    double budget;
    double open_s;    /* of them: what is reckoned with */
    double default_s; /* what the default took, the whole */
    double reserve;
    size_t failed;
    bool over; /* no time, or nothing runs */
    bool cut;  /* something was left out for lack of time */
    bool exploring;
    bool final; /* nothing more to reserve time for */
    int rc;     /* ASSAY_ESTOP */
};

double tune_server_score(double rate, double batch_p99_ms, double service_ms)
{
    double over = service_ms > 0 ? fmax(1, batch_p99_ms / service_ms) : 1;

    return rate / (over * over * over * over);
}

/* The time is cut into pieces of equally many samples, and the middle piece counts: one that was
 * disturbed does not move it.  A piece is some rounds of all lanes from beginning to end, so what
 * lanes that run side by side take from each other is inside of it; the middle of single batches'
 * times would leave out that some always take longer than others.
 *
 * Where a batch on every lane is longer than a piece, that is one; a third is made if it is thought
 * to end in twice the time, as two that are nearly as long as that take.  Of two the mean counts.
 */
double tune_offline_rate(double (*run)(void *ctx, size_t samples), void *ctx, size_t least,
                         double seconds)
{
    double took[PIECES_MOST], spent = 0, shortest = INFINITY, now;
    size_t each = least, n = 0;

    while (!n ||
           (n < PIECES_MOST && (spent < seconds || (n < 3 && spent + shortest < 2 * seconds)))) {
        now = run(ctx, each);
        spent += now;
        if (now < seconds / PIECES / 2 &&
            (!n || spent < seconds / 2)) { /* with n: the first was disturbed */
            each *= 2;
            n = 0;
            shortest = INFINITY;
            continue;
        }
        shortest = fmin(shortest, now);
        took[n++] = now;
    }
    latency_sort(took, n);
    return (double)each / ((took[(n - 1) / 2] + took[n / 2]) / 2);
}

bool tune_same(const struct tune_config *a, const struct tune_config *b)
{
    return a->lanes == b->lanes && a->threads == b->threads && a->batch == b->batch &&
           a->wait_ms == b->wait_ms && !memcmp(a->option, b->option, sizeof(a->option));
}

static const struct tune_config none;

/* ---- trials ---- */

static void add_trial(struct search *x, const struct tune_ask *ask, const struct tune_point *point,
                      const char *error)
{
    struct tune_trial *t;

    if (x->out->count == TUNE_TRIALS_MAX)
        return;
    t = &x->out->trials[x->out->count++];
    memset(t, 0, sizeof(*t));
    t->step = ask->step;
    t->config = ask->config;
    if (point)
        t->point = *point;
    if (point && ask->batch_count) /* else it stays open, as in the default */
        t->config.batch = point->batch;
    snprintf(t->error, sizeof(t->error), "%s", error ? error : "");
}

static double estimate(const struct search *x, size_t batches, double seconds)
{
    return (x->open_s + (double)(batches ? batches : 1) * seconds) * TIME_MARGIN;
}

/* Two of each finalist, longer than the trials before; the default also searches its batch.  And
 * before them, once more those from which the finalist is chosen, if that leaves time to explore.
 */
static double reserve(const struct search *x)
{
    double all = 4 * estimate(x, 1, 2 * x->space->seconds), extra = x->default_s - x->open_s;

    if (x->exploring)
        all += fmin(FINALISTS * estimate(x, 1, x->space->seconds), x->budget * AGAIN_SHARE);
    return all + (extra > 0 ? 2 * extra : 0);
}

/* The first one's files were cold, and perhaps had to be made: half of it is thought to be for
 * ever, until there is a second. Afterwards the second longest of the last few, so that one hiccup
 * of the machine does not end the search. */
static void note_open(struct search *x, double took)
{
    double longest = 0, second = 0;
    size_t i;

    if (!x->opens)
        took /= 2;
    if (x->opens == 1)
        x->open[0] = fmin(x->open[0], took);
    x->open[x->opens++ % OPENS] = took;
    for (i = 0; i < OPENS && i < x->opens; i++) {
        second = fmax(second, fmin(longest, x->open[i]));
        longest = fmax(longest, x->open[i]);
    }
    x->open_s = x->opens < 3 ? longest : second;
}

/* Asks, and notes what comes back: how many points. */
static size_t ask(struct search *x, struct tune_ask *a, struct tune_point *points)
{
    double before = x->ops->left(x->ops->ctx), took;
    struct assay_err why = {0};
    size_t count = 0, i;
    int rc;

    if (x->over || x->rc)
        return 0;
    a->limit_s = before - x->reserve;
    if (a->limit_s < (x->out->count ? estimate(x, a->batch_count, a->seconds) : 0.1)) {
        x->over = x->cut = true;
        return 0;
    }
    rc = x->ops->measure(x->ops->ctx, a, points, &count, &why);
    took = before - x->ops->left(x->ops->ctx);
    if (rc == ASSAY_ESTOP) {
        *x->err = why;
        x->rc = rc;
        return 0;
    }
    if (rc || !count) {
        add_trial(x, a, NULL, why.text[0] ? why.text : "gave no figure");
        x->over |= ++x->failed == x->out->count && x->failed >= 3; /* nothing runs here at all */
        return 0;
    }
    for (i = 0; i < count; i++)
        add_trial(x, a, &points[i], NULL);
    note_open(x, took - (double)count * a->seconds);
    if (tune_same(&a->config, &none))
        x->default_s = x->default_s > 0 ? fmin(x->default_s, took) : 0.8 * took;
    if (!x->final)
        x->reserve = reserve(x);
    return count;
}

static bool try_one(struct search *x, int step, const struct tune_config *config, double seconds)
{
    struct tune_ask a = {.step = step, .config = *config, .seconds = seconds};
    struct tune_point points[TUNE_BATCHES_MAX];

    return ask(x, &a, points) > 0;
}

/* Where it took long, once more: by what the first one took there may seem to be no time for
 * anything else. */
static void step_default(struct search *x)
{
    try_one(x, TUNE_DEFAULT, &none, x->space->seconds);
    if (x->out->trials[0].error[0] || x->default_s < x->budget * COLD_SHARE)
        return;
    x->reserve = 0;
    try_one(x, TUNE_DEFAULT, &none, x->space->seconds);
}

/* ---- what is known so far ---- */

/* Paced trials (TUNE_WAIT) have scores of another kind. */
static double mean(const struct search *x, const struct tune_config *config, int step, bool value)
{
    double sum = 0;
    size_t n = 0, i;

    for (i = 0; i < x->out->count; i++) {
        const struct tune_trial *t = &x->out->trials[i];

        if (t->error[0] || t->step == TUNE_WAIT || (step >= 0 && t->step != step) ||
            !tune_same(&t->config, config))
            continue;
        sum += value ? t->point.value : t->point.score;
        n++;
    }
    return n ? sum / (double)n : 0;
}

static bool tried(const struct search *x, const struct tune_config *config)
{
    for (size_t i = 0; i < x->out->count; i++)
        if (tune_same(&x->out->trials[i].config, config))
            return true;
    return false;
}

/* The best n by the mean of their scores; not the default.  Returns how many there are. */
static size_t best_of(const struct search *x, struct tune_config *best, size_t n)
{
    double scores[FINALISTS] = {0}, score;
    size_t have = 0, i, j, at;

    for (i = 0; i < x->out->count; i++) {
        const struct tune_config *c = &x->out->trials[i].config;

        score = tune_same(c, &none) ? 0 : mean(x, c, -1, false);
        for (j = 0; j < have && !tune_same(&best[j], c); j++)
            ;
        if (score <= 0 || j < have)
            continue;
        for (at = 0; at < have && scores[at] >= score; at++)
            ;
        if (at == n)
            continue;
        have += have < n;
        for (j = have - 1; j > at; j--) {
            best[j] = best[j - 1];
            scores[j] = scores[j - 1];
        }
        best[at] = *c;
        scores[at] = score;
    }
    return have;
}

/* The base of the next step: the best, and the default when that is it. */
static struct tune_config base(const struct search *x)
{
    struct tune_config best;

    if (!best_of(x, &best, 1) || mean(x, &best, -1, false) < mean(x, &none, -1, false))
        return none;
    return best;
}

/* ---- the steps ---- */

/* Every second batch size: the others are tried around the best. */
static void some_batches(const struct search *x, struct tune_ask *a)
{
    for (size_t i = 0; i < x->space->batch_count; i += 2)
        a->batches[a->batch_count++] = x->space->batches[i];
}

static void try_shape(struct search *x, int step, uint32_t lanes, uint32_t threads)
{
    struct tune_ask a = {
        .step = step, .config = {.lanes = lanes, .threads = threads}, .seconds = x->space->seconds};
    struct tune_point points[TUNE_BATCHES_MAX];

    some_batches(x, &a);
    ask(x, &a, points);
}

static bool listed(uint32_t lanes, uint32_t cpus)
{
    return lanes == cpus || !(lanes & (lanes - 1)) || (cpus <= 16 && cpus % lanes == 0);
}

static void step_shape(struct search *x)
{
    const struct tune_space *s = x->space;
    uint32_t most = s->one_lane ? 1 : s->cpu ? s->cpus : 4, lanes, threads;

    for (lanes = 1; lanes <= most; lanes++) {
        if (s->lanes ? lanes != 1 : !listed(lanes, most))
            continue;
        threads = !s->cpu ? 0 : s->cpus / (s->lanes ? s->lanes : lanes);
        if (s->cpu && !threads)
            threads = 1;
        try_shape(x, TUNE_SHAPE, s->lanes ? 0 : lanes, s->threads ? 0 : threads);
    }
}

/* The sizes beside the best, in one open, for as long as that moves. */
static void step_batch(struct search *x)
{
    const struct tune_space *s = x->space;
    struct tune_point points[TUNE_BATCHES_MAX];
    size_t round, i, at;

    for (round = 0; round < 3 && s->batch_count && !x->over && !x->rc; round++) {
        struct tune_config b = base(x);
        struct tune_ask a = {.step = TUNE_BATCH, .config = b, .seconds = s->seconds};
        size_t fresh = 0;

        for (at = 0; at < s->batch_count && s->batches[at] < b.batch; at++)
            ;
        for (i = at ? at - 1 : 0; i <= at + 1 && i < s->batch_count; i++) {
            struct tune_config c = b;

            c.batch = s->batches[i];
            fresh += !tried(x, &c);
            a.batches[a.batch_count++] = c.batch;
        }
        if (!fresh)
            return;
        a.config.batch = 0;
        if (tune_same(&a.config, &none)) /* a default with a batch is a configuration of its own */
            a.config.batch = a.batches[a.batch_count - 1];
        ask(x, &a, points);
    }
}

static void step_options(struct search *x)
{
    for (uint32_t o = 0; o < x->space->option_count; o++) {
        for (unsigned char v = 1; v <= x->space->values[o]; v++) {
            struct tune_config c = base(x);

            c.option[o] = v;
            if (!tried(x, &c))
                try_one(x, TUNE_OPTION, &c, x->space->seconds);
        }
    }
}

/* Halves and doubles of lanes and threads, together and alone. */
static void step_neighbours(struct search *x)
{
    static const int moves[][2] = {{1, 0}, {-1, 0}, {0, 1}, {0, -1}, {1, -1}, {-1, 1}};
    const struct tune_space *s = x->space;
    bool moved = true;

    for (int round = 0; round < 3 && moved; round++) {
        struct tune_config from = base(x), now;

        for (size_t i = 0; i < sizeof(moves) / sizeof(moves[0]); i++) {
            struct tune_config c = from;
            int l = moves[i][0], t = moves[i][1];

            if ((l && (!c.lanes || s->one_lane)) || (t && (!c.threads || !s->cpu)))
                continue;
            c.lanes = l > 0 ? c.lanes * 2 : l < 0 ? c.lanes / 2 : c.lanes;
            c.threads = t > 0 ? c.threads * 2 : t < 0 ? c.threads / 2 : c.threads;
            if ((l && !c.lanes) || (t && !c.threads) || c.lanes > 2 * s->cpus ||
                c.threads > s->cpus || tried(x, &c))
                continue;
            try_one(x, TUNE_NEIGHBOUR, &c, s->seconds);
        }
        now = base(x);
        moved = !tune_same(&now, &from);
    }
}

/* The luckiest of many is not the fastest: those in front are measured again, and again those that
 * are in front then, for as long as there is time. */
static void step_again(struct search *x)
{
    struct tune_config best[FINALISTS];

    x->exploring = x->over = false;
    x->reserve = reserve(x);
    for (int round = 0; round < AGAIN_ROUNDS; round++) {
        size_t n = best_of(x, best, FINALISTS);

        for (size_t i = 0; i < n; i++)
            try_one(x, TUNE_AGAIN, &best[i], x->space->seconds);
        if (round < 2)
            try_one(x, TUNE_AGAIN, &none, x->space->seconds);
    }
}

/* ---- waiting for a batch to fill ---- */

#define WAITS 3

/* Samples arrive at four fifths of what the lanes can do: the wait whose latency is below that of
 * no wait each time it was measured, there and back. */
static double search_wait(struct search *x, const struct tune_config *winner, double batch_s,
                          double capacity)
{
    const double waits_ms[WAITS] = {0, batch_s * 250, batch_s * 1000};
    double worst[WAITS] = {0}, best[WAITS] = {0};
    size_t i, chosen = 0;

    for (i = 0; i < 2 * WAITS; i++) {
        size_t w = i < WAITS ? i : 2 * WAITS - 1 - i;
        struct tune_ask a = {.step = TUNE_WAIT,
                             .config = *winner,
                             .seconds = 2 * x->space->seconds,
                             .rate = 0.8 * capacity};
        struct tune_point points[TUNE_BATCHES_MAX];

        a.config.wait_ms = waits_ms[w];
        if (!ask(x, &a, points))
            return 0;
        if (i < WAITS || points[0].score < worst[w])
            worst[w] = points[0].score;
        if (points[0].score > best[w])
            best[w] = points[0].score;
    }
    for (i = 1; i < WAITS; i++)
        if (worst[i] > best[chosen] * GAIN_LEAST)
            chosen = i;
    return waits_ms[chosen];
}

/* ---- the final ---- */

static size_t finals(const struct search *x, const struct tune_config *config)
{
    size_t n = 0;

    for (size_t i = 0; i < x->out->count; i++) {
        const struct tune_trial *t = &x->out->trials[i];

        n += t->step == TUNE_FINAL && !t->error[0] && tune_same(&t->config, config);
    }
    return n;
}

/* Where time ended before the default's second turn, its earlier figures stand in for it. */
static double pairs_ahead(const struct search *x, const struct tune_config *winner)
{
    bool early = finals(x, &none) < 2;
    size_t ahead = 0, all = 0;

    for (size_t i = 0; i < x->out->count; i++) {
        const struct tune_trial *w = &x->out->trials[i];

        if (w->step != TUNE_FINAL || w->error[0] || !tune_same(&w->config, winner))
            continue;
        for (size_t j = 0; j < x->out->count; j++) {
            const struct tune_trial *d = &x->out->trials[j];

            if ((d->step != TUNE_FINAL && !early) || d->error[0] || !tune_same(&d->config, &none))
                continue;
            all++;
            ahead += w->point.score > d->point.score;
        }
    }
    return all ? (double)ahead / (double)all : 0;
}

static bool wins(const struct search *x, const struct tune_config *winner)
{
    double d = mean(x, &none, TUNE_FINAL, false), w = mean(x, winner, TUNE_FINAL, false);

    return d > 0 && finals(x, winner) >= 2 && w > d * GAIN_LEAST &&
           pairs_ahead(x, winner) >= PAIRS_AHEAD;
}

static bool final_round(struct search *x, const struct tune_config *winner)
{
    double seconds = 2 * x->space->seconds;

    return try_one(x, TUNE_FINAL, &none, seconds) && try_one(x, TUNE_FINAL, winner, seconds) &&
           try_one(x, TUNE_FINAL, winner, seconds) && try_one(x, TUNE_FINAL, &none, seconds);
}

/* Are four more worth their time?  Where the first two of each disagree, and where they agree that
 * there is little between them. */
static bool undecided(const struct search *x, const struct tune_config *winner)
{
    double d = mean(x, &none, TUNE_FINAL, false), w = mean(x, winner, TUNE_FINAL, false);

    /* Half a round would favour one of the two. */
    if (x->ops->left(x->ops->ctx) < 4 * estimate(x, 1, 2 * x->space->seconds) / TIME_MARGIN)
        return false;
    return pairs_ahead(x, winner) > 0 && (!wins(x, winner) || w < d * GAIN_CLEAR);
}

static void run_final(struct search *x, const struct tune_config *winner)
{
    struct tune_result *out = x->out;
    double d;

    x->final = true;
    x->reserve = 0;
    x->over = false;
    if (final_round(x, winner) && undecided(x, winner))
        final_round(x, winner);
    d = mean(x, &none, TUNE_FINAL, false);
    out->default_value = mean(x, &none, TUNE_FINAL, true);
    out->best_value = mean(x, winner, TUNE_FINAL, true);
    out->gain = d > 0 ? mean(x, winner, TUNE_FINAL, false) / d : 0;
    out->found = wins(x, winner);
    out->decided = d > 0 && finals(x, winner) >= 2;
    out->why = out->found     ? "faster than the default in the final"
               : out->decided ? "the default stays: nothing was faster beyond the noise"
                              : "the default stays: there was no time for a whole final";
}

/* Nothing is faster than the default; but was there anything to compare it with? */
static void default_stays(struct search *x)
{
    struct tune_result *out = x->out;
    struct tune_config best;
    bool compared = best_of(x, &best, 1) > 0;

    if (mean(x, &none, -1, false) <= 0) {
        out->why =
            x->failed ? "nothing could be measured" : "there was no time to measure anything";
        return;
    }
    out->decided = compared || !x->cut;
    out->why = out->decided ? "the default stays: nothing was faster"
                            : "the default stays: there was no time to measure anything else";
}

static void finish(struct search *x)
{
    struct tune_result *out = x->out;
    struct tune_config winner = base(x), finalist = winner;
    bool default_runs = mean(x, &none, -1, false) > 0;
    double batch_s = 0;

    if (tune_same(&winner, &none)) {
        default_stays(x);
        return;
    }
    for (size_t i = 0; i < out->count; i++)
        if (tune_same(&out->trials[i].config, &winner) && out->trials[i].point.batch_s > batch_s)
            batch_s = out->trials[i].point.batch_s;
    if (x->space->waits && winner.batch > 1)
        winner.wait_ms = search_wait(x, &winner, batch_s, mean(x, &winner, -1, true));
    if (x->rc)
        return;
    if (default_runs) {
        run_final(x, &finalist);
    } else {
        out->found = out->decided = true;
        out->best_value = mean(x, &finalist, -1, true);
        out->why = "the default cannot be measured";
    }
    /* The final is run without pauses between samples, where no batch ever waits. */
    if (out->found)
        out->best = winner;
}

int tune_search(const struct tune_space *space, const struct tune_ops *ops, struct tune_result *out,
                struct assay_err *err)
{
    struct search x = {.space = space, .ops = ops, .out = out, .err = err, .exploring = true};

    memset(out, 0, sizeof(*out));
    out->why = "interrupted";
    x.budget = ops->left(ops->ctx);
    step_default(&x);
    step_shape(&x);
    step_batch(&x);
    step_options(&x);
    step_neighbours(&x);
    step_batch(&x);
    if (!x.rc && x.failed < out->count)
        step_again(&x);
    if (!x.rc)
        finish(&x);
    return x.rc;
}
