/* A cell of the matrix: what is known of one combination of benchmark, model, engine, device,
 * precision, scenario and mode, and the record that it is known from.
 *
 * A cell is an object (json_t): the key (benchmark, model, engine, device, precision, scenario,
 * mode: texts) and "engine_version", then
 *   state    "ok", "failed", "not tested" or "not applicable"
 *   reason   one line; absent when the state is ok
 *   id, created, profile, verdict, metric, value, unit, accuracy {metric, value, unit}, synthetic
 *   (null: not known), command [words], machine, system ("x86_64, Debian 12", on a card with its
 *   name before it), assay, limit_s (of a run that would have taken longer), foreign (it was
 *   imported), file (of the export that it is from): from the record; absent without one. */
#ifndef RECORD_CELL_H
#define RECORD_CELL_H

#include <jansson.h>

#include "assay/types.h"

#define CELL_OK      "ok"
#define CELL_FAILED  "failed"
#define CELL_UNKNOWN "not tested"
#define CELL_NONE    "not applicable"

/* What a record says; a new reference.  NULL: nothing, since the run was interrupted, or is no run
 * of a benchmark. */
json_t *cell_of_record(const json_t *record);
/* The precision that was executed instead of the one asked for; NULL: that one, or an engine
 * without precisions. */
const char *cell_executed(const json_t *record, const char *asked);
/* The cells of all records in a store, newest first; the caller json_decref()s *cells. */
int cell_list(const char *store, json_t **cells, struct assay_err *err);
/* The cells of all records in exports (record/export.h), newest first.  paths: NULL-terminated,
 * files, or folders whose *.json are taken in the order of their names; no store is touched.  A
 * file that cannot be read does not hide the others.  *files: one object a file, {"file",
 * "records": how many, "duplicates": [ids], "contradictions": [ids]} or {"file", "error"}.  A
 * record that is in two files is one cell; where two records of one id differ, both are cells.  The
 * caller json_decref()s *cells and *files. */
int cell_list_exports(const char *const *paths, json_t **cells, json_t **files,
                      struct assay_err *err);
/* Whether two cells have the same key; the engine's version is not part of it. */
bool cell_same(const json_t *a, const json_t *b);
/* The names of the key's members, NULL-terminated. */
extern const char *const cell_key[];

/* The versions of the engine for which cells of a's key say something, from all of `cells`: array
 * of
 * {"version", "state", "id"}, by version; of one version the newest cell counts, which stands first
 * in `cells`.  When `a` names a system, only cells of that one count. */
json_t *cell_versions(const json_t *a, const json_t *cells);
/* Ranges of versions that follow each other and are ok: "1.21.0 to 1.24.1, 1.32.0"; "" when none
 * is. */
void cell_ranges(const json_t *versions, char *out, size_t size);

#endif
