/* Folders in which programs work (those of a recipe's steps, the official reference, the official
 * checker) and leave their files: CACHE/work/NAME-XXXXXX.
 *
 * A lock on the folder itself, which goes with its process and the programs that this started,
 * tells those that are worked in from those that are left: logs that a failed run keeps, and what a
 * killed process did not remove. */
#ifndef FLOW_WORK_H
#define FLOW_WORK_H

#include <jansson.h>

#include "assay/types.h"

/* All zero: none. */
struct work {
    char *dir;
    int lock;
};

/* A new empty folder. */
int work_begin(const char *cache, const char *name, struct work *w, struct assay_err *err);
/* Removes it, or leaves it where it is (`keep`); harmless for none. */
void work_end(struct work *w, bool keep);

/* Those that nobody works in, the last used first: array of {"name", "folder", "bytes", "files",
 * "used", "used_s"}; used: when a file in it was last written. */
json_t *work_left(const char *cache);
/* Removes those that were not used for older_than_s seconds; dry: only says which.  Adds to
 * `removed` {"name", "folder", "bytes", "why"}.  One that cannot be removed hinders no other; the
 * first of them is the error. */
int work_prune(const char *cache, double older_than_s, bool dry, json_t *removed,
               struct assay_err *err);

#endif
