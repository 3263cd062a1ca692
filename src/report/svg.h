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
void svg_throughput(FILE *out, const struct series *s, const struct svg_look *look);

/* One of what stands against each other, and what is said of it; a link where there is an anchor.
 */
struct svg_point {
    const struct view *view, *source; /* the run; that which its accuracy is of; NULL: none here */
    const char *anchor;               /* NULL: no link */
    char label[400];
    double x, y;
    bool front;
};
struct svg_front {
    size_t number;            /* makes the ids unique */
    const char *name, *title; /* "Speed against accuracy"; what stands above it */
    const char *unit;         /* of y: "ns", or "" for a rate */
    const char *what;         /* the words of the x axis */
    double target;            /* a line at this x; 0: none */
    bool line;                /* joins the points of the front, which are sorted by x */
};
/* Points of the front are filled. */
void svg_front(FILE *out, const struct svg_point *points, size_t n, const struct svg_front *look);

#endif
