/* What tunings found, kept for later runs: one JSON file of the user's, <config>/tuned.json.
 *
 *   {"schema": "assay.tuned/1", "entries": [{"key": …, "fixed": …, "found": …, …}]}
 *
 * key says what it was found for (machine, model, engine, its version, device, card, precision,
 * scenario); fixed is what the user had set then, found is what the search chose (empty: the
 * default was best).  Both are flat: {"lanes": "2", "option.spinning": "off"}.
 *
 * A configuration is a whole that was measured as such, so it is used as a whole or not at all: all
 * that was fixed must be set alike, and whatever else is set must be what it says. */
#ifndef RUN_TUNED_H
#define RUN_TUNED_H

#include <jansson.h>

#include "assay/engine.h"

char *tuned_path(void); /* free() it; NULL: out of memory */
/* This machine, as keys name it: its name and its processors (one without names, and a container,
 * by its own); a new reference. */
json_t *tuned_machine(void);

/* The name that the engine has for a device that is not the machine's processor; "": it is that, or
 * has none. */
const char *tuned_card(const struct assay_engine_probe *probe, const char *device);

/* The entries; an empty array when there is no file.  An error is one line that says what is wrong
 * with the file and what to do. */
int tuned_read(const char *path, json_t **entries, struct assay_err *err);

/* Is there any entry that agrees with this part of a key?  To save the work of a whole one. */
bool tuned_any(const json_t *entries, const json_t *part);

/* The entry to use (borrowed), or NULL; then `why` says what stands against the nearest one, ""
 * when there is none.  given: what the user has set. */
const json_t *tuned_find(const json_t *entries, const json_t *key, const json_t *given,
                         char why[200]);

/* Adds the entry in the place of one with its key and fixed settings; a damaged file is replaced.
 * Several processes may do so at once. */
int tuned_keep(const char *path, json_t *entry, struct assay_err *err);

#endif
