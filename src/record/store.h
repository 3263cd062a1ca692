/* The index of a store: one SQLite table, a row a run.  Private to this room.
 *
 * The folders are the truth, the index only makes listing quick.  So an index that is missing,
 * damaged or of an older layout is made again from the folders, and a listing first brings both
 * into line.  Handles are short-lived: each holds a shared flock on <store>/index.lock, and making
 * the index again takes it exclusively, so that the file is never replaced under somebody who has
 * it open. */
#ifndef RECORD_STORE_H
#define RECORD_STORE_H

#include <jansson.h>

#include "assay/types.h"

struct store {
    char dir[1024];
    struct sqlite3 *db;
    int lock;
};

enum store_access { STORE_READ, STORE_WRITE };

/* One line on stderr; for what a user must know although nothing failed. */
void store_warn(const char *fmt, ...) ASSAY_PRINTF(1, 2);
bool store_is_id(const char *name); /* 16 lower-case hex digits */

/* With STORE_READ a store that cannot be written (permission, full disk) is served from memory;
 * with STORE_WRITE it is an error. */
int store_open(struct store *s, const char *dir, int access, struct assay_err *err);
void store_close(struct store *s);

/* Enters or replaces the row of a record. */
int store_add(struct store *s, const json_t *record, struct assay_err *err);
/* Enters folders without a row and drops rows without a folder.  *gone, when wanted, becomes the
 * array of the ids that were dropped; the caller json_decref()s it. */
int store_sync(struct store *s, json_t **gone, struct assay_err *err);
int store_list(struct store *s, json_t **rows, struct assay_err *err);
/* Throws the index away and makes it again. */
int store_rebuild(const char *dir, uint64_t *count, struct assay_err *err);

#endif
