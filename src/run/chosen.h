/* The configuration that `assay explore --apply` chose for a benchmark and scenario on this
 * machine: <config>/chosen.json, used by later runs that do not say otherwise.
 *
 *   {"schema": "assay.chosen/1", "entries": [{"machine", "benchmark", "scenario",
 *                                             "settings": {"engine": "openvino", …}}]}
 *
 * It is used as a whole, or not at all: not when any of its settings was given another value by the
 * user, and not with --no-tuned. */
#ifndef RUN_CHOSEN_H
#define RUN_CHOSEN_H

#include <jansson.h>

#include "load/settings.h"

/* settings: {name: text}.  Replaces what was chosen before.  A model's manifest and an engine's
 * plugin are kept by their absolute paths. */
int chosen_keep(const char *benchmark, const char *scenario, const json_t *settings,
                struct assay_err *err);
/* Sets what was chosen, with origin TUNED; *used says whether there was anything.  A damaged file
 * is an error that says what to do. */
int chosen_recall(struct settings *s, bool *used, struct assay_err *err);

#endif
