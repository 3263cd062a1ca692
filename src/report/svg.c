/* Drawing: see svg.h.
 *
 * Coordinates are whole numbers on a canvas of WIDE x HIGH, about two for a pixel, which keeps
 * paths short.  A value becomes a place through an axis alone, and an axis never divides by
 * nothing, so that no record can put a NaN or an infinity into a path. */
#include "report/svg.h"

#include <math.h>
#include <stdlib.h>

#include "report/escape.h"
#include "report/format.h"

#define WIDE   840
#define HIGH   480
#define LEFT   150
#define RIGHT  822
#define TOP    56
#define BOTTOM 388

struct axis {
    double lo, hi; /* lo < hi */
    bool log;      /* then lo > 0 */
    int from, to;
};

static int place(const struct axis *a, double v)
{
    double t;

    v = fmin(fmax(v, a->lo), a->hi);
    t = a->log ? log(v / a->lo) / log(a->hi / a->lo) : (v - a->lo) / (a->hi - a->lo);
    return a->from + (int)lround(t * (a->to - a->from));
}

/* A line by its steps, which are short to write. */
struct pen {
    FILE *out;
    int x, y;
    bool down; /* the letter of a step need not be said again */
};

static void pen_move(struct pen *p, int x, int y)
{
    fprintf(p->out, "M%d %d", x, y);
    *p = (struct pen){p->out, x, y, false};
}

static void pen_line(struct pen *p, int x, int y)
{
    int dx = x - p->x, dy = y - p->y;

    fprintf(p->out, "%s%d%s%d", !p->down ? "l" : dx < 0 ? "" : " ", dx, dy < 0 ? "" : " ", dy);
    *p = (struct pen){p->out, x, y, true};
}

/* ---- ticks ---- */

/* The 1, 2 or 5 times a power of ten that is not below `least`. */
static double nice_step(double least)
{
    double ten = pow(10, floor(log10(least)));

    return least <= ten * 1.0001       ? ten
           : least <= ten * 2.0001     ? ten * 2
           : least <= ten * 5 * 1.0001 ? ten * 5
                                       : ten * 10;
}

#define MOST_TICKS 12

static int even_ticks(const struct axis *a, double ticks[MOST_TICKS])
{
    double step = nice_step((a->hi - a->lo) / 5), v = ceil(a->lo / step) * step;
    int n = 0;

    for (; n < MOST_TICKS && v <= a->hi * (1 + 1e-12); n++, v = ticks[0] + n * step)
        ticks[n] = fabs(v) < step * 1e-6 ? 0 : v;
    return n;
}

/* Powers of ten, with their double and fivefold where there is room. */
static int log_ticks(const struct axis *a, double ticks[MOST_TICKS])
{
    static const double times[] = {1, 2, 5};
    double decades = log10(a->hi / a->lo);
    int first = (int)floor(log10(a->lo)), last = (int)ceil(log10(a->hi)), n = 0, k, i;
    int each = decades > 7 ? 2 : 1, many = decades < 3.2 ? 3 : 1;

    for (k = first; k <= last; k += each)
        for (i = 0; i < many && n < MOST_TICKS; i++) {
            double v = pow(10, k) * times[i];

            if (v >= a->lo && v <= a->hi)
                ticks[n++] = v;
        }
    return n >= 3 ? n : even_ticks(a, ticks);
}

/* ---- frame ---- */

static void text_at(FILE *out, int x, int y, const char *attributes, const char *s)
{
    fprintf(out, "<text x=\"%d\" y=\"%d\"%s>", x, y, attributes);
    escape_html(out, s);
    fputs("</text>", out);
}

static void begin(FILE *out, const char *anchor, const char *kind, const char *title)
{
    /* a picture has no parts for a reader, but the front's points are links */
    fprintf(out,
            "<svg viewBox=\"0 0 %d %d\" role=\"%s\" aria-labelledby=\"%s%s-t %s%s-d\">"
            "<title id=\"%s%s-t\">%s</title><desc id=\"%s%s-d\">",
            WIDE, HIGH, *kind == 'f' ? "group" : "img", anchor, kind, anchor, kind, anchor, kind,
            title, anchor, kind);
}

static void end_description(FILE *out, const char *title)
{
    fputs("</desc>", out);
    text_at(out, 4, 32, " class=\"h\"", title);
}

/* A latency as short as it can be: "2 ms", "1.05 ms". */
static void short_latency(char out[64], double ns)
{
    static const char *const names[] = {"ns", "us", "ms", "s"};
    int i = 0;

    while (i < 3 && ns >= 999.5) {
        ns /= 1000;
        i++;
    }
    snprintf(out, 64, "%.4g %s", ns, names[i]);
}

static void short_number(char out[64], double v)
{
    snprintf(out, 64, "%.5g", v);
}

static void vertical(FILE *out, const struct axis *y, void (*say)(char[64], double))
{
    double ticks[MOST_TICKS];
    char label[64];
    int n = y->log ? log_ticks(y, ticks) : even_ticks(y, ticks);

    fputs("<path class=\"g\" d=\"", out);
    for (int i = 0; i < n; i++)
        fprintf(out, "M%d %dH%d", LEFT, place(y, ticks[i]), RIGHT);
    fputs("\"/><g text-anchor=\"end\">", out);
    for (int i = 0; i < n; i++) {
        say(label, ticks[i]);
        text_at(out, LEFT - 10, place(y, ticks[i]) + 8, "", label);
    }
    fputs("</g>", out);
}

static void horizontal(FILE *out, const struct axis *x, const char *what)
{
    double ticks[MOST_TICKS];
    char label[64];
    int n = even_ticks(x, ticks);

    fputs("<g text-anchor=\"middle\">", out);
    for (int i = 0; i < n; i++) {
        short_number(label, ticks[i]);
        text_at(out, place(x, ticks[i]), BOTTOM + 34, "", label);
    }
    text_at(out, (LEFT + RIGHT) / 2, BOTTOM + 78, "", what);
    fputs("</g>", out);
    fprintf(out, "<path class=\"a\" d=\"M%d %dV%dH%d\"/>", LEFT, TOP, BOTTOM, RIGHT);
}

static void bound_line(FILE *out, const struct axis *y, double bound_ns)
{
    char label[80], value[64];
    int at = place(y, bound_ns);

    if (bound_ns <= 0)
        return;
    short_latency(value, bound_ns);
    snprintf(label, sizeof(label), "bound %s", value);
    fprintf(out, "<path class=\"b\" d=\"M%d %dH%d\"/>", LEFT, at, RIGHT);
    text_at(out, LEFT + 12, at < TOP + 40 ? at + 30 : at - 10, " class=\"bt\"", label);
}

/* Latencies' axis: the same for both charts of a run. */
static struct axis latency_axis(const struct series *s, double bound_ns)
{
    struct axis y = {s->least / 1.08, s->most * 1.08, true, BOTTOM, TOP};

    if (bound_ns > 0)
        y = (struct axis){fmin(y.lo, bound_ns / 1.2), fmax(y.hi, bound_ns * 1.2), true, BOTTOM,
                          TOP};
    return y;
}

/* ---- the distribution ---- */

/* How far a share of all samples is from 100 %, in powers of ten: 0.9 is 1, 0.99 is 2. */
static double nines(double p)
{
    return -log10(1 - p);
}

static void nines_ticks(FILE *out, const struct axis *x)
{
    static const struct {
        double p;
        const char *label;
    } ticks[] = {{0, "0"},           {.5, "50"},
                 {.9, "90"},         {.99, "99"},
                 {.999, "99.9"},     {.9999, "99.99"},
                 {.99999, "99.999"}, {.999999, "6 nines"},
                 {.9999999, ""},     {.99999999, "8 nines"}};
    size_t i, n = sizeof(ticks) / sizeof(ticks[0]);

    fputs("<path class=\"g\" d=\"", out);
    for (i = 0; i < n && nines(ticks[i].p) <= x->hi + 1e-9; i++)
        fprintf(out, "M%d %dV%d", place(x, nines(ticks[i].p)), TOP, BOTTOM);
    fputs("\"/><g text-anchor=\"middle\">", out);
    for (i = 0; i < n && nines(ticks[i].p) <= x->hi + 1e-9; i++)
        if (x->hi < 5.5 || i % 2) /* long labels have room at every second tick only */
            text_at(out, place(x, nines(ticks[i].p)), BOTTOM + 34, "", ticks[i].label);
    text_at(out, (LEFT + RIGHT) / 2, BOTTOM + 78, "", "% of samples that are not slower");
    fputs("</g>", out);
    fprintf(out, "<path class=\"a\" d=\"M%d %dV%dH%d\"/>", LEFT, TOP, BOTTOM, RIGHT);
}

static void mark(FILE *out, const struct series *s, const struct axis *x, const struct axis *y,
                 double p, const char *class)
{
    double ns = series_percentile(s, p);
    char label[100], value[64];
    int px = place(x, nines(p)), py = place(y, ns);

    short_latency(value, ns);
    snprintf(label, sizeof(label), "p%.6g %s", p * 100, value);
    fprintf(out, "<circle class=\"%s\" cx=\"%d\" cy=\"%d\" r=\"7\"/>", class, px, py);
    /* The curve rises: below it to the right, and above it to the left, there is room. */
    if (px < RIGHT - 260 && py + 34 < BOTTOM)
        text_at(out, px + 12, py + 28, " class=\"m\"", label);
    else if (px < RIGHT - 260)
        text_at(out, px + 16, py + 6, " class=\"m\"", label);
    else
        text_at(out, px - 12, py < TOP + 40 ? py + 34 : py - 14, " text-anchor=\"end\" class=\"m\"",
                label);
}

static void distribution_words(FILE *out, const struct series *s, const struct svg_look *look)
{
    static const double said[] = {.5, .9, .99, .999};
    char value[64];

    short_latency(value, s->least);
    fprintf(out, "From %s", value);
    for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
        short_latency(value, series_percentile(s, said[i]));
        fprintf(out, ", %.6g %% within %s", said[i] * 100, value);
    }
    short_latency(value, s->most);
    fprintf(out, ", the slowest %s, of %llu samples.", value, (unsigned long long)s->completed);
    if (look->bound_ns > 0) {
        short_latency(value, look->bound_ns);
        fprintf(out, " The bound is %s for %.6g %%.", value, look->percentile * 100);
    }
}

void svg_distribution(FILE *out, const struct series *s, const struct svg_look *look)
{
    struct axis y = latency_axis(s, look->bound_ns);
    struct axis x = {0, nines(1 - 1 / (double)s->completed), false, LEFT, RIGHT};
    uint32_t i, n = look->points < 2 ? 2 : look->points;
    double special = look->percentile;
    struct pen pen = {out, 0, 0, false};

    begin(out, look->anchor, "d", "Latency distribution");
    distribution_words(out, s, look);
    end_description(out, "Latency distribution");
    vertical(out, &y, short_latency);
    nines_ticks(out, &x);
    bound_line(out, &y, look->bound_ns);
    fputs("<path class=\"l\" d=\"", out);
    for (i = 0; i <= n; i++) {
        double nine = x.hi * i / n;
        double ns = i == n ? s->most : series_percentile(s, 1 - pow(10, -nine));

        if (i)
            pen_line(&pen, place(&x, nine), place(&y, ns));
        else
            pen_move(&pen, place(&x, nine), place(&y, ns));
    }
    fputs("\"/>", out);
    if (special <= 0 || fabs(special - .5) > 1e-9)
        mark(out, s, &x, &y, .5, "k");
    if (special > 0 && nines(special) <= x.hi)
        mark(out, s, &x, &y, special, "k2");
    fputs("</svg>", out);
}

/* ---- the time course ---- */

static int part_place(const struct series *s, const struct axis *x, uint32_t part)
{
    return x->from + (int)lround((part + 0.5) * (x->to - x->from) / s->parts);
}

/* Parts without a sample have no place in the band: it is drawn in as many pieces as there are. */
static void band(FILE *out, const struct series *s, const struct axis *x, const struct axis *y)
{
    struct pen pen = {out, 0, 0, false};
    uint32_t i = 0, end, k;

    fputs("<path class=\"n\" d=\"", out);
    while (i < s->parts) {
        for (; i < s->parts && !s->part[i].samples; i++)
            ;
        for (end = i; end < s->parts && s->part[end].samples; end++)
            ;
        for (k = i; k < end; k++)
            (k == i ? pen_move : pen_line)(&pen, part_place(s, x, k), place(y, s->part[k].most));
        for (k = end; k > i; k--)
            pen_line(&pen, part_place(s, x, k - 1), place(y, s->part[k - 1].least));
        if (end > i)
            fputs("Z", out);
        i = end;
    }
    fputs("\"/>", out);
}

static void mean_line(FILE *out, const struct series *s, const struct axis *x, const struct axis *y)
{
    struct pen pen = {out, 0, 0, false};
    bool inside = false;

    fputs("<path class=\"l\" d=\"", out);
    for (uint32_t i = 0; i < s->parts; i++) {
        const struct series_part *p = &s->part[i];

        if (p->samples)
            (inside ? pen_line : pen_move)(&pen, part_place(s, x, i),
                                           place(y, p->sum / (double)p->samples));
        inside = p->samples > 0;
    }
    fputs("\"/>", out);
}

static struct axis time_axis(const struct series *s)
{
    return (struct axis){0, s->seconds > 0 && isfinite(s->seconds) ? s->seconds : 100, false, LEFT,
                         RIGHT};
}

void svg_course(FILE *out, const struct series *s, const struct svg_look *look)
{
    struct axis y = latency_axis(s, look->bound_ns), x = time_axis(s);

    begin(out, look->anchor, "c", "Latency over the run");
    fprintf(out,
            "%u equal parts of the run; of each the least, the greatest and the mean latency. "
            "The numbers are in the table of percentiles.",
            s->parts);
    end_description(out, "Latency over the run: least, mean, greatest");
    vertical(out, &y, short_latency);
    horizontal(out, &x,
               s->axis == SERIES_TIME ? "s of queries, one after the other"
               : s->seconds > 0       ? "s, by order of issue at the run's mean rate"
                                      : "% of the samples, in order of issue");
    band(out, s, &x, &y);
    mean_line(out, s, &x, &y);
    bound_line(out, &y, look->bound_ns);
    fputs("</svg>", out);
}

void svg_throughput(FILE *out, const struct series *s, const struct svg_look *look)
{
    struct axis x = time_axis(s), y = {0, 0, false, BOTTOM, TOP};
    double seconds = x.hi / s->parts, most = 0;
    uint32_t i;

    for (i = 0; i < s->parts; i++)
        most = fmax(most, (double)s->part[i].samples / seconds);
    y.hi = most > 0 ? most * 1.08 : 1;
    begin(out, look->anchor, "c", "Throughput over the run");
    fprintf(out, "%u equal parts of %.4g s; the busiest had %.5g samples completed a second.",
            s->parts, x.hi, most);
    end_description(out, "Samples completed a second");
    vertical(out, &y, short_number);
    horizontal(out, &x, "s since the start");
    fprintf(out, "<path class=\"n\" d=\"M%d %d", LEFT, BOTTOM);
    for (i = 0; i < s->parts; i++)
        fprintf(out, "V%dH%d", place(&y, (double)s->part[i].samples / seconds),
                LEFT + (int)lround((i + 1.0) * (RIGHT - LEFT) / s->parts));
    fprintf(out, "V%dZ\"/></svg>", BOTTOM);
}

/* ---- two figures against each other ---- */

/* Room on both sides, also where all are the same. */
static struct axis front_axis(const struct svg_point *points, size_t n, double target)
{
    double lo = points[0].x, hi = points[0].x, pad;

    for (size_t i = 1; i < n; i++) {
        lo = fmin(lo, points[i].x);
        hi = fmax(hi, points[i].x);
    }
    if (target > 0) {
        lo = fmin(lo, target);
        hi = fmax(hi, target);
    }
    pad = fmax((hi - lo) * 0.08, fmax(fabs(hi) * 1e-4, 1e-9));
    return (struct axis){lo - pad, hi + pad, false, LEFT, RIGHT};
}

static void front_line(FILE *out, const struct svg_point *points, size_t n, const struct axis *x,
                       const struct axis *y)
{
    struct pen pen = {out, 0, 0, false};
    bool begun = false;

    fputs("<path class=\"l\" d=\"", out);
    for (size_t i = 0; i < n; i++) {
        if (!points[i].front)
            continue;
        (begun ? pen_line : pen_move)(&pen, place(x, points[i].x), place(y, points[i].y));
        begun = true;
    }
    fputs("\"/>", out);
}

static void target_line(FILE *out, const struct axis *x, double target)
{
    int at = place(x, target);
    bool left = at > (LEFT + RIGHT) / 2;

    fprintf(out, "<path class=\"b\" d=\"M%d %dV%d\"/>", at, TOP, BOTTOM);
    text_at(out, left ? at - 10 : at + 10, BOTTOM - 14,
            left ? " text-anchor=\"end\" class=\"bt\"" : " class=\"bt\"", "target");
}

static void front_points(FILE *out, const struct svg_point *points, size_t n, const struct axis *x,
                         const struct axis *y)
{
    for (size_t i = 0; i < n; i++) {
        if (points[i].anchor)
            fprintf(out, "<a href=\"#%s\">", points[i].anchor);
        fprintf(out, "<circle class=\"%s\" cx=\"%d\" cy=\"%d\" r=\"9\"><title>",
                points[i].front ? "k2" : "k", place(x, points[i].x), place(y, points[i].y));
        escape_html(out, points[i].label);
        fprintf(out, "</title></circle>%s", points[i].anchor ? "</a>" : "");
    }
}

void svg_front(FILE *out, const struct svg_point *points, size_t n, const struct svg_front *look)
{
    struct axis x = front_axis(points, n, look->target), y = {0, 0, false, BOTTOM, TOP};
    char anchor[24];

    for (size_t i = 0; i < n; i++)
        y.hi = fmax(y.hi, points[i].y * 1.08);
    snprintf(anchor, sizeof(anchor), "front%zu", look->number);
    begin(out, anchor, "f", look->name);
    fprintf(out, "%zu runs; the table below has their figures.", n);
    end_description(out, look->title);
    vertical(out, &y, *look->unit ? short_latency : short_number);
    horizontal(out, &x, look->what);
    if (look->target > 0)
        target_line(out, &x, look->target);
    if (look->line)
        front_line(out, points, n, &x, &y);
    front_points(out, points, n, &x, &y);
    fputs("</svg>", out);
}
