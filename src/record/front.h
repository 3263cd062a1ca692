/* The Pareto front of measured configurations, and constraints on them.
 *
 * A point is an object with any of the figures
 *   throughput    samples/s, more is better
 *   latency_ms    less is better
 *   accuracy      in the metric's unit, more is better
 *   memory_bytes  peak resident memory, less is better
 *   energy_j      per sample, less is better
 * A figure that is missing in either of two points does not take part in their comparison; energy
 * does not in any unless every point has it, of the same parts of the machine ("energy_of"):
 * measured by turns it would set apart points that differ in nothing else. */
#ifndef RECORD_FRONT_H
#define RECORD_FRONT_H

#include <jansson.h>

#include "assay/types.h"

/* Sets "front" in each point: true unless another, not put out by "out", is at least as good in all
 * figures and better in one.  Points with "out": true (a constraint, a failure) are never on it. */
void front_mark(json_t *points);
bool front_dominates(const json_t *a, const json_t *b);
/* Whether energy is a figure of these points' front. */
bool front_has_energy(const json_t *points);

#define FRONT_CONSTRAINTS_MAX 8
struct front_constraint {
    const char *figure; /* as above */
    bool least;         /* >=, else <= */
    double value;       /* in the figure's unit; relative: as a part of the reference */
    bool relative;      /* "99%" of the reference accuracy */
};
/* "accuracy>=99%", "accuracy>=75.5", "latency<=15ms", "p99<=15ms", "throughput>=100",
 * "memory<=4GB".  Fails with the list of what is possible. */
int front_parse(const char *text, struct front_constraint *c, struct assay_err *err);
/* NULL: the point keeps it; else says how it does not, or that nothing shows it, in `out`.
 * reference: NaN where there is none. */
const char *front_breaks(const struct front_constraint *c, const json_t *point, double reference,
                         char out[120]);

#endif
