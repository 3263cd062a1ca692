/* The energy that the machine took between two moments: a meter over whatever can be read.
 *
 * Sources are the processors' packages (RAPL, in /sys/class/powercap) and, where the device is an
 * NVIDIA card, that card (NVML).  Both count all that the package or the card took, whoever used
 * it.  A source that cannot be read is told with its reason; nothing is estimated, and a total that
 * lacks a part says so.  A thread of its own looks often enough that no counter's wrap is missed:
 * every some seconds, ten times a second where a card gives its power only. */
#ifndef RECORD_ENERGY_H
#define RECORD_ENERGY_H

#include <jansson.h>

#include "assay/types.h"

struct energy;

struct energy_ask {
    const char *root;        /* in the place of "/"; NULL: ASSAY_SYSROOT, as in system.h */
    const char *device;      /* "cpu", "cuda:1" … */
    bool remote;             /* inference happens on another machine */
    const char *nvml, *cuda; /* libraries; NULL: those of the driver */
};

/* Finds the sources.  NULL when memory is short; all calls below take NULL and do nothing. */
struct energy *energy_open(const struct energy_ask *ask);
void energy_close(struct energy *e);
/* Counting begins at 0.  Any thread, but not two at once; this call and the next ask every source,
 * which takes tens of microseconds for RAPL, and may take a millisecond for a card. */
void energy_begin(struct energy *e);
/* What there is by now is the result, until the next mark. */
void energy_mark(struct energy *e);

/* Of the last begin and mark, a new reference:
 *
 *   {"from": "detected", "complete", "seconds", "joules", "watts",
 *    "sources": [{"name", "kind", "from", "joules", "watts", "source"}]}
 *
 * kind: rapl, nvml or other.  "unknown" in a source or in the whole: joules and watts are null, and
 * "reason" says in one line why.  The whole is the sum of what is known whole: the packages are
 * known when all of them are.  It is unknown where the device's own part is (of a processor, the
 * packages); where only the packages are missing beside a card, complete is false, with a reason.
 */
json_t *energy_json(struct energy *e);
/* Adds "samples" and "joules_per_sample" (null where unknown). */
void energy_put_samples(json_t *energy, uint64_t samples);

/* ---- of a record ---- */

/* "energy" of a record; NULL: it has none (an older one, or a run that failed). */
const json_t *energy_of(const json_t *record);
/* Joules a sample; NaN: not known. */
double energy_per_sample(const json_t *record);
/* What the total is of: "processors", "processors and card" or "card"; "" where it is unknown. */
const char *energy_covers(const json_t *energy);
/* Whether the figures of two records mean the same: both whole, or of the same things. */
bool energy_comparable(const json_t *a, const json_t *b);

#endif
