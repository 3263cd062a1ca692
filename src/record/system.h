/* Facts about this machine, each {"value": …, "from": "detected"|"declared"|"unknown", "source": "…"}. */
#ifndef RECORD_SYSTEM_H
#define RECORD_SYSTEM_H

#include <jansson.h>

#include "assay/types.h"

/* Nothing is invented: what cannot be read is "unknown", with a null value.  declared: NULL or the path of a
 * YAML file {name: value} of facts that the user states; they never replace a detected one silently: then both
 * are kept ("detected" beside "declared"). The caller json_decref()s. */
int system_facts(const char *declared, json_t **facts, struct assay_err *err);

#endif
