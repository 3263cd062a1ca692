/* What the cache keeps beside the shelf, and what is not on the shelf yet: samples and nets that
 * runs prepared, downloads under way, packages of the set-up.
 *
 *   <cache>/samples/NAME.samples   mapped by runs, which hold a shared flock on it
 *                   NAME.part      being written, under a flock on NAME.lock
 *   <cache>/nets/NAME              files, or folders of files; runs hold a shared flock on them
 *   <cache>/shelf/parts/KEY/       belongs to who holds the key's lock (shelf.h)
 *   <cache>/downloads/FILE         of tools/fetch.py, which holds a flock on downloads/.lock
 *
 * What was removed is made or fetched again when something needs it.  NAME.pinned beside one keeps
 * it from being pruned.  All functions may be called from any thread and from several processes. */
#ifndef FLOW_KEPT_H
#define FLOW_KEPT_H

#include <jansson.h>

#include "assay/types.h"

/* Array, last used first: {"name" ("nets/NAME"), "what", "path", "bytes", "files", "used",
 * "used_s", "pinned"}. */
json_t *kept_list(const char *cache);
/* Adds to what `assay cache` tells: "kept", kept_list, and "remembered", have_list of have.h. */
void kept_tell(const char *cache, json_t *tree);
/* Removes what a row names; ASSAY_EAGAIN: it is in use.  dry: only tells whether. */
int kept_remove(const json_t *row, bool dry, struct assay_err *err);
int kept_pin(const json_t *row, bool pinned, struct assay_err *err);

#endif
