/* A run's latencies, thinned for drawing: latency.bin is read twice, and what is kept does not grow
 * with it.
 *
 * Distribution: counts in buckets of equal ratio, 128 for each doubling, so that a percentile read
 * from them is within 0.4 % of the sample's own latency.  Time course: equal parts of the run; of
 * each the least, the greatest and the mean, so that no outlier is lost by thinning.  Private to
 * this room. */
#ifndef REPORT_SERIES_H
#define REPORT_SERIES_H

#include <jansson.h>

#include "assay/types.h"

#define SERIES_PARTS   256
#define SERIES_FINE    128 /* buckets for each doubling */
#define SERIES_BUCKETS (64 * SERIES_FINE)

/* What a time course's axis is; LoadGen's numbering is the order of issue. */
enum series_axis {
    SERIES_TIME,  /* streams: one query after the other, so the time is the sum of those before */
    SERIES_ORDER, /* Server: queries come at random times, on average evenly */
    SERIES_COMPLETED /* Offline: a latency is the time from the start, parts count samples */
};

struct series_part {
    uint64_t samples;
    double least, most, sum;
};

struct series {
    uint64_t samples, completed;
    double least, most; /* ns */
    int axis;
    double seconds; /* what the parts span; 0: not known */
    uint32_t parts;
    struct series_part part[SERIES_PARTS];
    uint64_t count[SERIES_BUCKETS];
};

/* Reads <folder>/latency.bin of a record.  False: there is nothing to draw, and `why` says so in a
 * few words ("" where none is to be expected).  A file that is not the one that the record names by
 * size and SHA-256 is not drawn. */
bool series_read(const json_t *record, uint32_t parts, struct series *s, char why[160]);
/* The same from memory. */
bool series_make(const int64_t *latencies, uint64_t n, int axis, uint32_t per_query, uint32_t parts,
                 double seconds, struct series *s);
/* The latency that a fraction p of the samples does not exceed: sorted[floor(completed p)]. */
double series_percentile(const struct series *s, double p);

#endif
