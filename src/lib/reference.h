/* The official Python reference of a benchmark, run as it is beside a run of ours: same model file,
 * data set, scenario, mode and LoadGen settings.
 *
 * What ours was run with is known by its record, so it is run first; LoadGen's settings go to the
 * reference as the user.conf of that record. */
#ifndef LIB_REFERENCE_H
#define LIB_REFERENCE_H

#include <jansson.h>

#include "load/settings.h"

struct lib_reference_ask {
    const struct settings *s;
    const char *const *words; /* further arguments of the reference's program; NULL-terminated */
    double limit_s;           /* for its run; 0: none */
    double expected_qps;      /* Offline: of the reference; 0: as ours */
    bool offline;
};

/* What both runs would be, without touching anything: {"run": (run_plan's), "get": [requests],
 * "reference": {"prepare": [words] (where its data is prepared by a program of its own), "command":
 * [words], "score": [words] (accuracy alone), "disk_bytes": (of its files at most; 0: little)}}.
 * ASSAY_EUSAGE: there is no such reference, or it cannot run this; the error says why. */
int lib_reference_plan(const struct lib_reference_ask *ask, json_t **plan, struct assay_err *err);

/* Runs the reference with what `own`, the record of our run, was run with (with the folder that
 * it names), takes its logs into the store, and gives its record.  When it fails, `last` (an array
 * of the caller's) gets its last lines, and the error names its log. */
int lib_reference(const struct lib_reference_ask *ask, const json_t *own, json_t **record,
                  json_t *last, struct assay_err *err);

#endif
