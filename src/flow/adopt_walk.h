/* A walk over folders of files that a user has: those that are named, or the caches of CM and MLC,
 * the automation of MLPerf that people used so far.
 *
 * Such a cache is <repos>/local/cache, a folder for each thing that was got.  What an entry is
 * stands in its meta.json (MLC) or _cm.json (CM): {"tags": […]}; where it left its files, in
 * mlc-cached-state.json or cm-cached-state.json: {"new_env": {"MLC_DATASET_PATH": …}}.  Those
 * places are walked as well, since a data set that the user had is left where it was. */
#ifndef FLOW_ADOPT_WALK_H
#define FLOW_ADOPT_WALK_H

#include <jansson.h>

#include "assay/types.h"

struct adopt_walk {
    /* entry: the tags of the cache's entry, "" elsewhere.  Files may be links. */
    void (*file)(void *ctx, const char *folder, const char *name, const char *entry);
    void (*folder)(void *ctx, const char *folder, const char *entry); /* behind its files */
    void *ctx;
    const volatile int *stop; /* != 0: the end, with ASSAY_ESTOP; may be NULL */
    json_t *looked;           /* [{"path", "by"}]: where it began */
    json_t *unread;           /* [{"path", "why"}] */
    int64_t folders, files;
    json_t *seen, *named; /* the walk's own */
};

/* dirs: NULL or empty: the caches.  not_in: a folder that is left out (Assay's own cache).  No
 * folder is entered twice, so links cannot lead in circles; nothing is changed, nothing is run.
 * A folder that cannot be read is in `unread`, but one of `dirs` that is not there is an error. To
 * be released in any case. */
int adopt_walk(struct adopt_walk *w, const char *const *dirs, const char *not_in,
               struct assay_err *err);
void adopt_walk_unread(struct adopt_walk *w, const char *path, const char *why);
void adopt_walk_release(struct adopt_walk *w);

#endif
