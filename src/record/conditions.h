/* What the machine itself was like while a run was measured.
 *
 * Two runs of one set-up can differ because the machine did: another clock frequency, a neighbour,
 * a thermal limit.  So a small kernel of our own, always the same, is timed before and after the
 * run, and what the kernel counts meanwhile is kept.  All of it takes about 0.2 s, outside the
 * measurement.  ASSAY_SYSROOT as in system.h. */
#ifndef RECORD_CONDITIONS_H
#define RECORD_CONDITIONS_H

#include <jansson.h>

#include "assay/types.h"

struct conditions; /* between the two calls */

/* Times the kernel and reads the counters.  NULL when memory is short; all else that cannot be read
 * is null in the result.  Starts a thread that samples the clock frequency once a second, where
 * that costs next to nothing. */
struct conditions *conditions_begin(void);
/* Ends the thread, does the same again and frees c (NULL: returns NULL).  What the run's own child
 * processes used is told apart from others' use by getrusage(2): they have been waited for by now.
 *
 *   {"probe": {"revision": 1, "before": {"compute_ns", "memory_ns"}, "after": {…}},
 *    "frequency_mhz": {"min", "mean", "max", "readings", "source"},
 *    "cpu": {"seconds", "busy_s", "own_s", "steal_s"},
 *    "throttled": {"thermal", "quota", "quota_s"}}
 *
 * probe: the quickest of several repetitions.  cpu: of all processors together; busy_s contains
 * own_s, and steal_s is what a hypervisor gave to others.  throttled: how often the processor
 * lowered its clock for heat, and how often, and for how long, a control group's quota stopped us.
 */
json_t *conditions_end(struct conditions *c);

/* Of what conditions_end gave.  What a hypervisor took of the processors' work, as a share; what
 * other programs used, in processors; 0: nothing, or not known. */
double conditions_steal(const json_t *conditions);
double conditions_others(const json_t *conditions);
/* Adds a sentence, "while NAME ran, …", for each thing that a reader should know to an array of
 * texts.  least: of others' use, in processors; processors: how many there are, 0: not said. */
void conditions_notes(const json_t *conditions, const char *name, double least, uint32_t processors,
                      json_t *notes);

#endif
