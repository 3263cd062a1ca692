/* Bootstrap intervals of figures and of their ratios; see spread.h.
 *
 * One run.  Latencies are correlated: a neighbour, a timer or a garbage collector slows many in a
 * row.  Drawing single latencies would take them for independent and give intervals that are too
 * narrow.  So whole blocks are drawn (moving blocks: Künsch 1989; the run is closed to a circle, so
 * that its ends count as often as its middle: Politis and Romano 1992).  A block is 1/BLOCKS of the
 * run: the longer the block, the longer the correlations that are covered, and the fewer blocks to
 * tell the variance from.  32 blocks cover what happens within 1/32 of the run and leave the
 * uncertainty of a t distribution with 31 degrees of freedom, which is allowed for (see `widen`).
 *
 * Percentiles are not sorted out of every draw.  A draw's percentile x* solves F*(x*) = p, where F*
 * is the draw's distribution.  By Bahadur's representation F*(x) - F(x) is nearly the same for all
 * x near the run's own percentile q, so F(x*) = p - (F*(q) - F(q)), and x* is read off the run's
 * sorted latencies.  All that a draw has to know is its share of latencies <= q: a sum over blocks,
 * like the sum of the latencies itself.  So with running sums a draw costs a few additions a block,
 * whatever the run's length.  A rank that is beyond the last latency (or before the first) means
 * that the run cannot bound the figure on that side: infinity (or 0).
 *
 * What one run cannot show is what is the same all through it and other in the next: where memory
 * came to lie, which processors were taken.  For this a normal term of RUN_SD on each side is added
 * to the logarithm of the ratio.  It is an assumption, not a measurement: with it a difference
 * below about 3 % is never seen between single runs.  Several runs of each side replace it;
 * where one side has a single run, the other's runs are averaged and keep their part of it.
 *
 * Several runs.  A draw takes as many runs as there are, with replacement, and each of those is
 * drawn in blocks as above; the figure of the side is the geometric mean of its runs' figures.  The
 * variance between runs that is seen already holds that within them, so the inner draw counts it
 * twice: with few runs, whose figures may be close by chance, that is wanted.
 *
 * Intervals.  The draws' quantiles about the estimate, in logarithms, each distance times `widen` =
 * t / z * sqrt(k / (k - 1)): the bootstrap knows neither that a variance from k blocks (or runs) is
 * itself uncertain, nor that it is too small by (k - 1) / k.  All m figures are judged at once, so
 * each interval is made at 1 - (1 - SPREAD_LEVEL) / m (Bonferroni): the chance that any of them
 * misses is at most 1 %. */
#include "report/spread.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BLOCKS     32
#define UNITS_MAX  8192 /* stretches of a run: block borders lie between them */
#define DRAWS      10000
#define RUN_SD     0.006
#define LEAST      8 /* latencies, or pieces, below which there is no figure */
#define LEAST_TAIL 5 /* latencies beyond a percentile, on either side */

const char *const figure_names[] = {"throughput", "mean",  "p50",      "p90",    "p95", "p97",
                                    "p99",        "p99.9", "accuracy", "energy", NULL};
static const double share[FIGURE_COUNT] = {0, 0, .5, .9, .95, .97, .99, .999, 0, 0};

bool figure_more_is_better(int figure)
{
    return figure == FIGURE_THROUGHPUT || figure == FIGURE_ACCURACY;
}

double figure_tail(int figure)
{
    return 1 - share[figure];
}

/* Running sums at the start of each unit: sums[FIGURE_MEAN] of latencies, those of percentiles of
 * how many are <= the percentile. */
struct unit {
    double n, sums[FIGURE_COUNT];
};

struct stretch {
    struct unit *units; /* units + 1 */
    size_t count, block;
};

struct spread_run {
    struct stretch latency, time; /* of time, sums[FIGURE_THROUGHPUT] are ns */
    int64_t *sorted;
    uint64_t n;
    double each, gap_ns, precision;
    bool sequential;              /* the pieces of time are the latencies */
    double value[FIGURE_COUNT];   /* NaN: it has no such figure */
    double at_most[FIGURE_COUNT]; /* share of latencies <= the percentile: more than p with ties */
};

/* ---- preparing a run ---- */

static int by_value(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

/* As LoadGen: sorted[floor(n p)]. */
static double percentile(const struct spread_run *r, double p)
{
    return (double)r->sorted[(uint64_t)((double)r->n * p)];
}

static int stretch_make(struct stretch *s, uint64_t n, struct assay_err *err)
{
    s->count = n < UNITS_MAX ? (size_t)n : UNITS_MAX;
    s->block = (s->count + BLOCKS / 2) / BLOCKS;
    s->block += s->block == 0;
    s->units = calloc(s->count + 1, sizeof(*s->units));
    return s->units ? ASSAY_OK : assay_fail(err, ASSAY_EFAIL, "not enough memory to compare");
}

/* Adds one value's share to the sums of the unit that it belongs to. */
static void latency_add(struct spread_run *r, struct unit *u, double value)
{
    u->n++;
    u->sums[FIGURE_MEAN] += value;
    for (int f = FIGURE_P50; f <= FIGURE_P999; f++)
        u->sums[f] += value <= r->value[f];
}

static void time_add(struct spread_run *r, struct unit *u, double value)
{
    (void)r;
    u->n++;
    u->sums[FIGURE_THROUGHPUT] += value;
}

static void stretch_fill(struct spread_run *r, struct stretch *s, const int64_t *values, uint64_t n,
                         void (*add)(struct spread_run *, struct unit *, double))
{
    uint64_t at = 0, until;

    for (size_t i = 0; i < s->count; i++) {
        s->units[i + 1] = s->units[i];
        until = (uint64_t)((double)(i + 1) * (double)n / (double)s->count);
        if (i + 1 == s->count)
            until = n;
        for (; at < until; at++)
            add(r, &s->units[i + 1], (double)values[at]);
    }
}

static int take_latencies(struct spread_run *r, const struct spread_input *in,
                          struct assay_err *err)
{
    const struct unit *all;
    int f, rc;

    r->n = in->n;
    r->sorted = malloc((size_t)in->n * sizeof(*r->sorted));
    if (!r->sorted)
        return assay_fail(err, ASSAY_EFAIL, "not enough memory to compare");
    memcpy(r->sorted, in->latency, (size_t)in->n * sizeof(*r->sorted));
    qsort(r->sorted, (size_t)in->n, sizeof(*r->sorted), by_value);
    for (f = FIGURE_P50; f <= FIGURE_P999; f++)
        r->value[f] = percentile(r, share[f]);
    if ((rc = stretch_make(&r->latency, in->n, err)))
        return rc;
    stretch_fill(r, &r->latency, in->latency, in->n, latency_add);
    all = &r->latency.units[r->latency.count];
    r->value[FIGURE_MEAN] = all->sums[FIGURE_MEAN] / all->n;
    for (f = FIGURE_P50; f <= FIGURE_P999; f++) {
        r->at_most[f] = all->sums[f] / all->n;
        if ((double)in->n * (1 - share[f]) < LEAST_TAIL || (double)in->n * share[f] < LEAST_TAIL)
            r->value[f] = NAN;
    }
    return ASSAY_OK;
}

/* Samples per second. */
static double rate(const struct spread_run *r, double pieces, double ns)
{
    return pieces * r->each / (ns + pieces * r->gap_ns) * 1e9;
}

static int take_pieces(struct spread_run *r, const struct spread_input *in, struct assay_err *err)
{
    const struct unit *all;
    int rc;

    if (in->piece == in->latency) { /* the time is the latencies' sum, which is drawn anyway */
        r->sequential = true;
        r->value[FIGURE_THROUGHPUT] = rate(r, 1, r->value[FIGURE_MEAN]);
        return ASSAY_OK;
    }
    rc = stretch_make(&r->time, in->pieces, err);
    if (rc)
        return rc;
    stretch_fill(r, &r->time, in->piece, in->pieces, time_add);
    all = &r->time.units[r->time.count];
    if (all->sums[FIGURE_THROUGHPUT] > 0)
        r->value[FIGURE_THROUGHPUT] = rate(r, all->n, all->sums[FIGURE_THROUGHPUT]);
    return ASSAY_OK;
}

int spread_run_create(const struct spread_input *in, struct spread_run **out, struct assay_err *err)
{
    struct spread_run *r = calloc(1, sizeof(*r));
    int rc = ASSAY_OK;

    if (!r)
        return assay_fail(err, ASSAY_EFAIL, "not enough memory to compare");
    for (int f = 0; f < FIGURE_COUNT; f++)
        r->value[f] = NAN;
    r->each = in->each;
    r->gap_ns = in->gap_ns;
    r->precision = in->precision;
    if (in->throughput > 0)
        r->value[FIGURE_THROUGHPUT] = in->throughput;
    if (in->latency && in->n >= LEAST)
        rc = take_latencies(r, in, err);
    if (!rc && in->piece && in->pieces >= LEAST)
        rc = take_pieces(r, in, err);
    if (rc)
        spread_run_destroy(r);
    else
        *out = r;
    return rc;
}

void spread_run_destroy(struct spread_run *r)
{
    if (!r)
        return;
    free(r->latency.units);
    free(r->time.units);
    free(r->sorted);
    free(r);
}

/* ---- drawing ---- */

struct random {
    uint64_t state;
};

/* splitmix64 */
static uint64_t draw(struct random *r)
{
    uint64_t z = (r->state += 0x9e3779b97f4a7c15u);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* In (0, 1]. */
static double draw_real(struct random *r)
{
    return (double)(draw(r) >> 11) * 0x1p-53 + 0x1p-53;
}

/* Below n, which is far below 2^32. */
static size_t draw_index(struct random *r, size_t n)
{
    return (size_t)((draw(r) >> 32) * n >> 32);
}

static double draw_normal(struct random *r)
{
    double radius = sqrt(-2 * log(draw_real(r)));

    return radius * cos(2 * M_PI * draw_real(r));
}

/* Adds the units [from, to). */
static void block_add(struct unit *sum, const struct stretch *s, size_t from, size_t to)
{
    const struct unit *a = &s->units[from], *b = &s->units[to];

    sum->n += b->n - a->n;
    for (int f = 0; f < FIGURE_COUNT; f++)
        sum->sums[f] += b->sums[f] - a->sums[f];
}

/* As many blocks as the run has, from anywhere on the circle. */
static struct unit draw_blocks(const struct stretch *s, struct random *r)
{
    struct unit sum = {0};
    size_t drawn, from;

    for (drawn = 0; drawn < s->count; drawn += s->block) {
        from = draw_index(r, s->count);
        if (from + s->block <= s->count) {
            block_add(&sum, s, from, from + s->block);
        } else {
            block_add(&sum, s, from, s->count);
            block_add(&sum, s, 0, from + s->block - s->count);
        }
    }
    return sum;
}

/* The latency below which the share p lies, between two neighbours in proportion. */
static double latency_at(const struct spread_run *r, double p)
{
    double rank = p * (double)r->n, below = floor(rank);
    uint64_t i;

    if (rank < 0)
        return 0;
    if (rank > (double)(r->n - 1))
        return INFINITY;
    i = (uint64_t)below;
    if (i + 1 >= r->n)
        return (double)r->sorted[i];
    return (double)r->sorted[i] + (rank - below) * (double)(r->sorted[i + 1] - r->sorted[i]);
}

/* Adds the logarithms of one draw of a run's figures. */
static void draw_run(const struct spread_run *r, struct random *random, double sum[FIGURE_COUNT])
{
    struct unit u;
    int f;

    if (r->precision > 0)
        sum[FIGURE_THROUGHPUT] +=
            log(r->value[FIGURE_THROUGHPUT]) + r->precision * (2 * draw_real(random) - 1);
    if (r->time.units) {
        u = draw_blocks(&r->time, random);
        sum[FIGURE_THROUGHPUT] += log(rate(r, u.n, u.sums[FIGURE_THROUGHPUT]));
    }
    if (!r->latency.units)
        return;
    u = draw_blocks(&r->latency, random);
    sum[FIGURE_MEAN] += log(u.sums[FIGURE_MEAN] / u.n);
    if (r->sequential)
        sum[FIGURE_THROUGHPUT] += log(rate(r, u.n, u.sums[FIGURE_MEAN]));
    for (f = FIGURE_P50; f <= FIGURE_P999; f++)
        if (!isnan(r->value[f]))
            sum[f] += log(latency_at(r, share[f] + r->at_most[f] - u.sums[f] / u.n));
}

/* Logarithms, DRAWS of each figure. */
typedef double draws_t[FIGURE_COUNT][DRAWS];

/* over_runs: whole runs are drawn too. */
static void draw_side(const struct spread_side *s, uint64_t seed, bool over_runs, draws_t out)
{
    struct random random = {seed};
    double sum[FIGURE_COUNT];
    size_t i, k;

    for (i = 0; i < DRAWS; i++) {
        memset(sum, 0, sizeof(sum));
        for (k = 0; k < s->count; k++)
            draw_run(s->runs[over_runs ? draw_index(&random, s->count) : k], &random, sum);
        for (int f = 0; f < FIGURE_COUNT; f++) /* NaN: unbounded on both sides */
            out[f][i] = isnan(sum[f]) ? INFINITY : sum[f] / (double)s->count;
    }
}

/* ---- quantiles ---- */

/* P(|T| <= t) for Student's t with a whole number of degrees of freedom: the finite sums of
 * Abramowitz and Stegun, 26.7.3 and 26.7.4, with tan(angle) = t / sqrt(dof). */
static double student(double t, unsigned dof)
{
    double angle = atan(t / sqrt(dof)), c2 = cos(angle) * cos(angle), term, sum;
    unsigned k;

    if (dof % 2) {
        for (term = sum = dof > 1 ? cos(angle) : 0, k = 3; k + 2 <= dof; k += 2)
            sum += term *= c2 * (k - 1) / k;
        return (angle + sin(angle) * sum) * M_2_PI;
    }
    for (term = sum = 1, k = 2; k + 2 <= dof; k += 2)
        sum += term *= c2 * (k - 1) / k;
    return sin(angle) * sum;
}

double spread_quantile(double level, unsigned dof)
{
    double low = 0, high = 1, middle = 0;

    while ((dof ? student(high, dof) : erf(high * M_SQRT1_2)) < level && high < 1e9)
        high *= 2;
    for (int i = 0; i < 100; i++) {
        middle = (low + high) / 2;
        if ((dof ? student(middle, dof) : erf(middle * M_SQRT1_2)) < level)
            low = middle;
        else
            high = middle;
    }
    return middle;
}

static int by_real(const void *a, const void *b)
{
    const double *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

/* Sorts the draws. */
static struct spread interval(double value, double *draws, double level, double widen)
{
    double centre = log(value), tail = (1 - level) / 2 * DRAWS;
    size_t at = tail < 1 ? 0 : (size_t)tail;
    double low, high;

    qsort(draws, DRAWS, sizeof(*draws), by_real);
    low = centre + widen * (draws[at] - centre);
    high = centre + widen * (draws[DRAWS - 1 - at] - centre);
    /* Where the draws are lopsided the estimate still lies within its own interval. */
    return (struct spread){value, exp(fmin(low, centre)), exp(fmax(high, centre))};
}

/* ---- a comparison ---- */

/* Only where both sides have several runs do these show the noise between runs. */
static bool over_runs(const struct spread_side *a, const struct spread_side *b)
{
    return a->count > 1 && b->count > 1;
}

/* How many independent parts a side's variance is told from. */
static size_t parts_of(const struct spread_side *s, bool runs)
{
    const struct spread_run *r = s->runs[0];
    size_t units;

    if (runs)
        return s->count;
    units = r->latency.units ? r->latency.count : r->time.units ? r->time.count : BLOCKS;
    return units < BLOCKS ? units : BLOCKS;
}

static double widening(const struct spread_side *a, const struct spread_side *b, double level)
{
    bool runs = over_runs(a, b);
    size_t x = parts_of(a, runs), y = parts_of(b, runs), least = x < y ? x : y;
    size_t dof = runs ? x + y - 2 : least - 1;

    return spread_quantile(level, (unsigned)dof) / spread_quantile(level, 0) *
           sqrt((double)least / (double)(least - 1));
}

/* Of the runs' values: their geometric mean; NaN where one has no such figure. */
static void take_values(struct spread_side *s)
{
    for (int f = 0; s->count && f < FIGURE_COUNT; f++) {
        double sum = 0;

        for (size_t i = 0; i < s->count; i++)
            sum += log(s->runs[i]->value[f]);
        s->value[f] = s->count == 1 ? s->runs[0]->value[f] : exp(sum / (double)s->count);
    }
}

/* The draws of a side without runs: the other side's, about its own value. */
static void borrow(const struct spread_side *to, const struct spread_side *from, draws_t draws)
{
    for (int f = 0; f < FIGURE_COUNT; f++)
        for (size_t i = 0; i < DRAWS; i++)
            draws[f][i] += log(to->value[f] / from->value[f]);
}

/* log b - log a of each draw; a draw that bounds neither says anything about the ratio. */
static void subtract(const double *a, const double *b, double *out, double sd,
                     struct random *random)
{
    for (size_t i = 0; i < DRAWS; i++) {
        out[i] = b[i] - a[i];
        if (isnan(out[i]))
            out[i] = i % 2 ? INFINITY : -INFINITY;
        if (sd > 0)
            out[i] += sd * draw_normal(random);
    }
}

int spread_pair(struct spread_side *a, struct spread_side *b, struct spread_pair out[FIGURE_COUNT],
                struct assay_err *err)
{
    const struct spread_side *from_a = a->count ? a : b, *from_b = b->count ? b : a;
    double *da = malloc(sizeof(draws_t)), *db = malloc(sizeof(draws_t)),
           *ratio = malloc(DRAWS * sizeof(*ratio)), level, widen, sd;
    double(*wa)[DRAWS] = (double(*)[DRAWS])da, (*wb)[DRAWS] = (double(*)[DRAWS])db;
    struct random random = {3};
    int f, m = 0, rc = ASSAY_OK;
    bool runs;

    memset(out, 0, FIGURE_COUNT * sizeof(*out));
    take_values(a);
    take_values(b);
    for (f = 0; f < FIGURE_COUNT; f++)
        m += out[f].known =
            isfinite(a->value[f]) && isfinite(b->value[f]) && a->value[f] > 0 && b->value[f] > 0;
    if (!da || !db || !ratio)
        rc = assay_fail(err, ASSAY_EFAIL, "not enough memory to compare");
    if (rc || !m)
        goto out;
    for (f = 0; f < FIGURE_COUNT; f++) {
        out[f].a = (struct spread){a->value[f], 0, INFINITY};
        out[f].b = (struct spread){b->value[f], 0, INFINITY};
        out[f].ratio = (struct spread){b->value[f] / a->value[f], 0, INFINITY};
    }
    if (!from_a->count || parts_of(from_a, false) < 2 || parts_of(from_b, false) < 2)
        goto out; /* nothing tells how far they can be trusted */
    level = 1 - (1 - SPREAD_LEVEL) / m;
    widen = widening(from_a, from_b, level);
    runs = over_runs(from_a, from_b);
    sd = runs ? 0 : RUN_SD * sqrt(1 / (double)from_a->count + 1 / (double)from_b->count);
    draw_side(from_a, 1, runs, wa);
    draw_side(from_b, 2, runs, wb);
    if (!a->count)
        borrow(a, b, wa);
    if (!b->count)
        borrow(b, a, wb);
    for (f = 0; f < FIGURE_COUNT; f++) {
        if (!out[f].known || isnan(from_a->value[f]) || isnan(from_b->value[f]))
            continue;
        subtract(wa[f], wb[f], ratio, sd, &random);
        out[f].ratio = interval(out[f].ratio.value, ratio, level, widen);
        out[f].a = interval(a->value[f], wa[f], level, widen);
        out[f].b = interval(b->value[f], wb[f], level, widen);
    }
out:
    free(da);
    free(db);
    free(ratio);
    return rc;
}
