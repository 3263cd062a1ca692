/* Choosing ranges by the error that they would make.
 *
 * A value inside the range is rounded to a level: with levels `step` apart the expected square of
 * the error is step^2 / 12.  A value outside becomes the range's end: the square of its distance.
 * A smaller range has finer steps and cuts more; the sum of both over the histogram has its
 * minimum somewhere between.  Both ends are tried at TRIES places each; what is cut at one end does
 * not depend on the other, so the cut parts are added up once. */
#include "net/exact.h"
#include "net/spread.h"

#include <math.h>

#define TRIES 96 /* the ends tried are k / TRIES of the whole, k = TRIES … LEAST */
#define LEAST 16

void spread_widen(struct spread *s, const float *values, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(values[i])) {
            s->broken++;
            continue;
        }
        s->low = values[i] < s->low ? values[i] : s->low;
        s->high = values[i] > s->high ? values[i] : s->high;
        s->seen++;
    }
}

static double width(const struct spread *s)
{
    return ((double)s->high - (double)s->low) / SPREAD_BINS;
}

void spread_count(struct spread *s, const float *values, size_t n)
{
    double w = width(s), place;

    if (!(w > 0))
        return;
    for (size_t i = 0; i < n; i++) {
        if (values[i] == 0.0f || !isfinite(values[i]))
            continue;
        place = ((double)values[i] - (double)s->low) / w;
        s->bin[place < 0 ? 0 : place >= SPREAD_BINS ? SPREAD_BINS - 1 : (int)place]++;
    }
}

/* What is cut below low and above high: how many values, and the sum of squared distances. */
struct cut {
    double values, error;
};

static struct cut cut_off(const struct spread *s, double low, double high)
{
    struct cut c = {0, 0};
    double w = width(s), x, far;

    for (int i = 0; i < SPREAD_BINS; i++) {
        if (!s->bin[i])
            continue;
        x = (double)s->low + (i + 0.5) * w;
        far = x < low ? low - x : x > high ? x - high : 0;
        if (far > 0) {
            c.values += (double)s->bin[i];
            c.error += (double)s->bin[i] * far * far;
        }
    }
    return c;
}

struct spread_range spread_choose(const struct spread *s, bool whole)
{
    struct spread_range best = {s->low, s->high};
    struct cut below[TRIES + 1], above[TRIES + 1];
    double total = 0, least = -1, low, high, step, error;

    if (whole)
        return best;
    for (int i = 0; i < SPREAD_BINS; i++)
        total += (double)s->bin[i];
    for (int k = LEAST; k <= TRIES; k++) {
        below[k] = cut_off(s, (double)s->low * k / TRIES, HUGE_VAL);
        above[k] = cut_off(s, -HUGE_VAL, (double)s->high * k / TRIES);
    }
    for (int a = TRIES; a >= (s->low < 0 ? LEAST : TRIES); a--) {
        for (int b = TRIES; b >= (s->high > 0 ? LEAST : TRIES); b--) {
            low = (double)s->low * a / TRIES;
            high = (double)s->high * b / TRIES;
            step = (high - low) / 255;
            error = below[a].error + above[b].error +
                    (total - below[a].values - above[b].values) * step * step / 12;
            if (least < 0 || error < least) {
                least = error;
                best = (struct spread_range){(float)low, (float)high};
            }
        }
    }
    return best;
}

struct spread_levels spread_levels(struct spread_range r)
{
    struct spread_levels l = {1.0f, 0};

    if (!(r.high - r.low > FLT_MIN * 256))
        return l;
    l.scale = (r.high - r.low) / 255.0f;
    while (r.low >= 0 && l.scale * 255.0f > r.high)
        l.scale = nextafterf(l.scale, 0.0f);
    l.zero = (uint8_t)lrintf(-r.low / l.scale);
    return l;
}
