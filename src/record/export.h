/* Records that travel between machines: one JSON file, and the way back into a store.
 *
 *     {"schema": "assay.export/1", "created": …, "assay": VERSION, "withheld": [TEXT, …],
 *      "records": [{"sha256": …, "record": {…}, "latencies": BASE64}, …]}
 *
 * "sha256" is canonical_hash of the record, so it holds when the file was laid out anew; the bytes
 * of "latencies" (optional) have the SHA-256 that the record names for its latency.bin.  The hashes
 * show damage and careless edits, not a forger's.  Nothing in an export becomes a path: its only
 * name is the record's id, 16 hex digits. */
#ifndef RECORD_EXPORT_H
#define RECORD_EXPORT_H

#include <jansson.h>

#include "assay/types.h"

#define EXPORT_SCHEMA     "assay.export/1"
#define EXPORT_MOST_BYTES ((int64_t)512 << 20)

/* Puts together an export of records as record_find gives them, without the names of people and
 * hosts; *out["withheld"] says what was left out.  With `latencies` their latency.bin too, where
 * there is one.  The caller json_decref()s *out. */
int export_make(const json_t *records, bool latencies, json_t **out, struct assay_err *err);

/* Reads an export and checks all of it: afterwards every record in it has its hash, an id, a known
 * schema and members of the right kind.  At the first fault nothing is given out, and the error
 * names file, record and fault. */
int export_read(const char *path, json_t **out, struct assay_err *err);
/* The same for a text; `name` is what errors call it. */
int export_parse(const char *text, size_t len, const char *name, json_t **out,
                 struct assay_err *err);

/* What became of one record. */
enum export_taken {
    EXPORT_TAKEN,      /* it is in the store now */
    EXPORT_THERE,      /* the store had it: the same content */
    EXPORT_CONTRADICTS /* the store has another record of this id, which stays as it is */
};
/* Puts records[index] of a checked export into the store, as it is but for the member "foreign":
 * {"file", "sha256" (of the file's bytes), "imported"}.  Never replaces a folder. */
int export_take(const char *store, const json_t *export, size_t index, const char *file,
                const char *sha256, int *taken, struct assay_err *err);
/* A whole file of export_make: all of it is checked before any of it is taken.  *result: {"file",
 * "imported", "duplicates", "contradictions"}, the latter three arrays of ids, for json_decref;
 * also with an error that came while records were taken; NULL: none was.  dry: "imported" would be,
 * and nothing is. */
int export_take_file(const char *store, const char *path, bool dry, json_t **result,
                     struct assay_err *err);

#endif
