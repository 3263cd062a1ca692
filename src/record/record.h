/* A run's folder and the store of all runs.
 *
 * A store is a folder: <store>/runs/<id>/ (one folder a run: LoadGen's own files untouched,
 * record.json, latency.bin, user.conf) and <store>/index.sqlite (an index that can be made again
 * from the folders).  A run's folder appears whole: it is written as <store>/tmp/<name> and
 * renamed.  Several processes may use one store at once. */
#ifndef RECORD_RECORD_H
#define RECORD_RECORD_H

#include <jansson.h>

#include "assay/types.h"

#define RECORD_SCHEMA "assay.record/1"

/* A run's folder while it is being written. */
struct record_draft {
    char id[17];      /* 16 hex digits, unique */
    char store[1024]; /* absolute */
    char dir[1100];   /* the temporary folder; "" once committed or abandoned */
    int lock;         /* held while this process lives; -1: none */
};
/* Makes the store when it is missing; errors name the folder (not writable, no space). */
int record_begin(const char *store, struct record_draft *d, struct assay_err *err);
/* Adds "schema", "id", "committed", "created" (when missing) and "files" ({name: {bytes, sha256}}
 * of everything in the folder) to `tree`, writes record.json, syncs, renames into place and enters
 * the row; then `tree` also gets "folder", which is not in the file.  On failure the draft stays
 * where it is, for good (record_begin does not tidy it away), and the error says where.  A row that
 * cannot be entered is a warning only: the record is whole, and the next listing enters it. */
int record_commit(struct record_draft *d, json_t *tree, struct assay_err *err);
/* For a run that cannot become a record: leaves the temporary folder where it is, for good, and
 * sets err to `why` and the place.  Returns why's code. */
int record_keep(struct record_draft *d, const struct assay_err *why, struct assay_err *err);
/* Removes the temporary folder. */
void record_abandon(struct record_draft *d);
/* Leftovers of dead processes in <store>/tmp are removed by the next record_begin (each draft holds
 * a lock file with flock). */

/* An id may be shortened to an unambiguous beginning; "last" is the newest that was made here, not
 * imported.  The tree gets "folder" too.  The caller frees *dir and json_decref()s *tree; either
 * may be NULL. */
int record_find(const char *store, const char *id, char **dir, json_t **tree,
                struct assay_err *err);
/* The same for what a user may name: an id as above, or (with a '/' in it, or ending in .json) the
 * path of a record's folder or of a record.json, which may lie alone.  *dir is the folder that the
 * file lies in.  A record of a newer schema, or anything else, is an error of one line. */
int record_open(const char *store, const char *name, char **dir, json_t **tree,
                struct assay_err *err);
/* Every latency of a record that was read from `dir`, checked against the hash in its record.json;
 * the caller frees *latencies.  Where the folder has no latency.bin, *n is 0.  A file that is not
 * the one that was recorded is an error. */
int record_latencies(const char *dir, const json_t *tree, int64_t **latencies, uint64_t *n,
                     struct assay_err *err);
/* Rows, newest first: array of objects with the columns of the index (id, created, benchmark,
 * model, engine, device, precision, scenario, mode, profile, verdict, metric, value, unit,
 * accuracy, synthetic (null: not known), tag, and origin: the
 * file or folder that it was imported from, or null). */
/* Whether the record was made from LoadGen's logs alone (submit/logs.h): then what ran is not known
 * well enough to be run again or submitted. */
bool record_is_of_logs(const json_t *record);
/* What a model's manifest says but for where its files are, which the model's hash tells better; a
 * new reference, NULL: it is no manifest. */
json_t *record_manifest_content(const json_t *manifest);
int record_list(const char *store, json_t **rows, struct assay_err *err);
/* Makes the index again from the folders. */
int record_reindex(const char *store, uint64_t *count, struct assay_err *err);

#endif
