/* What the files of the shelf share: places and locks.  Private to this room. */
#ifndef FLOW_SHELF_INSIDE_H
#define FLOW_SHELF_INSIDE_H

#include "flow/shelf.h"

#define SHELF_PATH 1200

/* <shelf>/ab/abcd… */
void shelf_entry_dir(const struct shelf *s, const char *key, char out[SHELF_PATH]);
/* Fails with ASSAY_EUSAGE for what is no key. */
int shelf_check_key(const char *key, struct assay_err *err);

enum shelf_lock_kind { SHELF_LOCK_ALONE, SHELF_LOCK_SHARED };
/* Waits until *stop (ASSAY_ESTOP); with wait == false ASSAY_EAGAIN when another holds it. */
int shelf_lock_take(const char *dir, const char *key, enum shelf_lock_kind kind, bool wait,
                    const volatile int *stop, int *lock, struct assay_err *err);
void shelf_lock_drop(const char *dir, const char *key, int lock);

/* Takes a folder away in one step: under another name below tmp/, then removes it there. */
int shelf_discard(const struct shelf *s, const char *path, struct assay_err *err);

/* Sorted keys of all entries; array of texts.  Names that are no keys go to *strays (may be NULL).
 */
json_t *shelf_keys(const struct shelf *s, json_t **strays);

#endif
