/* One entry's folder: entry.json, files.json, the stamp, and the comparison of them with the files.
 * Private to this room; the folders around it are shelf.c's.
 *
 * entry.json, "assay.entry/1": {schema, key, recipe, why, …, made, bytes, files, list, sum};
 * `files` is how many there are, `list` the SHA-256 of files.json, `sum` that of the compact,
 * sorted text of all the other members: a flipped bit in them is noticed as well as one in a file.
 * files.json: [{path, bytes, sha256, executable} | {path, link}], sorted by path.  It is a file of
 * its own so that entries with very many files are listed as fast as others. */
#ifndef FLOW_ENTRY_H
#define FLOW_ENTRY_H

#include <jansson.h>

#include "assay/types.h"

#define ENTRY_SCHEMA "assay.entry/1"

/* 64 lower-case hex digits. */
bool entry_is_key(const char *key);

/* Reads entry.json's text and checks it.  `name` is what errors call it.  *tree is for json_decref.
 */
int entry_parse(const char *text, size_t len, const char *name, const char *key, json_t **tree,
                struct assay_err *err);
int entry_read(const char *dir, const char *key, json_t **tree, struct assay_err *err);
/* The same for files.json: each file has a path below files/, and size and SHA-256, or a link. */
int entry_parse_list(const char *text, size_t len, const char *name, json_t **files,
                     struct assay_err *err);
/* It must be the one that entry.json names. */
int entry_read_list(const char *dir, const json_t *tree, json_t **files, struct assay_err *err);
/* What `sum` has to be. */
int entry_sum(json_t *tree, char hex[65], struct assay_err *err);

/* Hashes dir/files, makes the files read-only, writes stamp, files.json and entry.json, syncs it
 * all.  *stop != 0 (it may be NULL) ends it with ASSAY_ESTOP, here and below. */
int entry_make(const char *dir, const char *key, const json_t *meta, const volatile int *stop,
               struct assay_err *err);
/* Whether sizes, times and inodes are those of the stamp (of at most 256 files). */
bool entry_is_fresh(const char *dir);
/* Hashes every file and compares; the message names the first that differs. */
int entry_compare(const char *dir, const json_t *tree, const volatile int *stop,
                  struct assay_err *err);
/* Writes the stamp again, for files that were found good. */
int entry_restamp(const char *dir, struct assay_err *err);

#endif
