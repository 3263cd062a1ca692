/* Facts about this machine, each {"value": …, "from": "detected"|"declared"|"unknown", "source":
 * "…"}.
 *
 * A fact that is both detected and stated has the detected value, and {"declared": …,
 * "declared_source": "…"} beside it.  The environment ASSAY_SYSROOT puts another folder in the
 * place of / (for tests: then nothing is asked of the running kernel).  hwloc reads its
 * environment: call from one thread. */
#ifndef RECORD_SYSTEM_H
#define RECORD_SYSTEM_H

#include <jansson.h>

#include "assay/types.h"

/* Nothing is invented: what cannot be read is "unknown", with a null value.  declared: the path of
 * a YAML file {name: value} of facts that the user states (NULL: <config>/system.yaml, if it is
 * there; "": none); they never replace a detected one silently: then both are kept ("detected"
 * beside "declared"). The caller json_decref()s. */
int system_facts(const char *declared, json_t **facts, struct assay_err *err);
/* The same; the storage facts are those of the disk that holds `store` (NULL: the user's store
 * folder). */
int system_facts_at(const char *store, const char *declared, json_t **facts, struct assay_err *err);
/* The bytes that the control group lets this process have; 0: no limit is known.  Any thread. */
double system_memory_limit(void);
/* The same facts, all unknown: of a machine that nobody looked at.  why: in the place of a source.
 */
json_t *system_unknown(const char *why);
/* Adds what a user's file states to facts that were read before, by the same rule. */
int system_declare(json_t *facts, const char *path, struct assay_err *err);

#endif
