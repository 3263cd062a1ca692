/* Charts as inline SVG: no script, colours by the page's classes, each with a title and a
 * description in words for who cannot see it.  Private to this room. */
#ifndef REPORT_SVG_H
#define REPORT_SVG_H

#include <stdio.h>

#include "report/series.h"
#include "report/view.h"

struct svg_look {
    const char *anchor; /* of the run: makes the ids unique */
    uint32_t points;    /* of the distribution's line */
    double bound_ns;    /* a line; 0: none */
    double percentile;  /* a mark: the bound's or the metric's; 0: none */
};

/* Latency over the share of samples that are not slower: both axes logarithmic, the second by the
 * distance to 100 %, so that the tail has room.  Wants at least two samples. */
void svg_distribution(FILE *out, const struct series *s, const struct svg_look *look);
/* Latency over the run's time: a band from the least to the greatest of each part, and the mean. */
void svg_course(FILE *out, const struct series *s, const struct svg_look *look);
/* Offline: samples completed in each second. */
void svg_throughput(
    FILE *out, const struct series *s,
    const struct svg_look *look); /* A run by its accuracy (x) and its figure (y). */
struct svg_point {
    const struct view *view, *source; /* source: the run that the accuracy is of */
    double x, y;
    bool front;
};
/* Sorted by x, the greatest first.  Each point is a link to its run; `target` is a line (0: none).
 * unit: "ns", or "" for a rate. */
void svg_front(FILE *out, const struct svg_point *points, size_t n, size_t number,
               const char *title, const char *unit, double target, const char *metric);

#endif
