/* One entry's folder: entry.json, the stamp, and the comparison of both with the files.  Private to
 * this room; the folders around it are shelf.c's. */
#ifndef FLOW_ENTRY_H
#define FLOW_ENTRY_H

#include <jansson.h>

#include "assay/types.h"

#define ENTRY_MAX_JSON ((size_t)1 << 30)

/* 64 lower-case hex digits. */
bool entry_is_key(const char *key);

/* Reads entry.json's text and checks it: schema, key, the check sum over all of it, each file's
 * path (below files/), size and SHA-256.  `name` is what errors call it.  *tree is for json_decref.
 */
int entry_parse(const char *text, size_t len, const char *name, const char *key, json_t **tree,
                struct assay_err *err);
int entry_read(const char *dir, const char *key, json_t **tree, struct assay_err *err);

/* Hashes dir/files, makes the files read-only, writes stamp and entry.json, syncs it all. */
int entry_make(const char *dir, const char *key, const json_t *meta, struct assay_err *err);
/* Whether sizes, times and inodes are those of the stamp (of at most 256 files). */
bool entry_is_fresh(const char *dir);
/* Hashes every file and compares; the message names the first that differs. */
int entry_compare(const char *dir, const json_t *tree, struct assay_err *err);
/* Writes the stamp again, for files that were found good. */
int entry_restamp(const char *dir, struct assay_err *err);

#endif
