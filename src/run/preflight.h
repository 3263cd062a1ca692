/* The pre-flight: what would end a run at once, found before anything is fetched, written or
 * loaded. */
#ifndef RUN_PREFLIGHT_H
#define RUN_PREFLIGHT_H

#include "run/resolve.h"

/* Of a run that resolve_check has looked at: does the engine offer the precision, can the net be
 * written in it, is there a driver for a library that would be got, is there room (room_check),
 * and, where `ask`, is the engine's library here and has it the device (a child process is asked).
 * Returns the first fault's code, ASSAY_EUNSUPPORTED for what no machine could; `faults`, an array,
 * or NULL, gets {"what", "how"} of each, without "how" where no command mends it. */
int preflight(const struct resolved *r, bool ask, json_t *faults, struct assay_err *err);
/* The same before a run, which asks the engine where something would be fetched or written first;
 * else it opens the engine as soon as it could be asked. */
int preflight_run(const struct resolved *r, struct assay_err *err);

/* room.c.  Bytes of the model's file, also of one that is not there yet; 0: not known, or none. */
double room_model_bytes(const struct resolved *r);
/* Compares what the model and the loaded samples take with the memory of the machine, its control
 * group and the card, and a net that is to be written with the disk. */
int room_check(const struct resolved *r, struct assay_err *err);

#endif
