/* Folders in which programs work (those of a recipe's steps, the official reference, the official
 * checker) and leave their files: CACHE/work/NAME-XXXXXX.
 *
 * A lock on the folder itself, which goes with its process and the programs that this started,
 * tells those that are worked in from those that are left: logs that a failed run keeps, and what a
 * killed process did not remove.
 *
 * What the programs of recipes print is kept in files CACHE/logs/NAME.log, each locked (shared)
 * while somebody writes it. */
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

/* Opens the log of this name, to append to it; *path is the caller's.  To close it unlocks it. */
int work_log_open(const char *cache, const char *name, char **path, int *fd, struct assay_err *err);

/* The folders that nobody works in, the last used first: array of {"name", "folder", "bytes",
 * "files", "used", "used_s"}; used: when a file in it was last written. */
json_t *work_left(const char *cache);
/* The same of the logs ("file" in the place of "folder"), those that are being written included. */
json_t *work_logs(const char *cache);
/* Such a row of a path, which stands in it as `member`; NULL: its name is no text. */
json_t *work_row(char *path, const char *member);
/* Takes the row to its place, before the first that was used longer ago. */
void work_insert(json_t *rows, json_t *row);
/* What `assay cache` tells of both: adds "work" and "logs". */
void work_tell(const char *cache, json_t *tree);
/* Removes a folder or a log, unless it is in use (ASSAY_EAGAIN); dry: only tells whether. */
int work_remove(const char *path, bool dry, struct assay_err *err);

#endif
