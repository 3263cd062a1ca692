/* A record's set-up, to be had again: its settings, and what of it is still as it was. */
#ifndef RUN_AGAIN_H
#define RUN_AGAIN_H

#include <jansson.h>

#include "load/settings.h"

/* The settings that repeat a record's run, with their origins; released by the caller.
 *
 * They are those of the record, values found on the way included (a Server's load, an Offline
 * batch, what was tuned), so that nothing is searched again.  Only what merely tells LoadGen how
 * many queries to prepare is found anew, and a peak, whose search is the run.  From `own` come the
 * store, the cache, how progress is shown, the tag, and a model, a data set and whose LoadGen where
 * it names them.
 * Else, of what came by recipes exactly those are asked for that are in the record's lock, and a
 * manifest that is not here any more is the record's own, written to <cache>/manifests. */
int again_settings(const json_t *record, const struct settings *own, struct settings *out,
                   struct assay_err *err);

/* What a run with these settings would find now: a copy of the record's "model", "dataset",
 * "engine", "loadgen", "assay", "settings" and "system", with all that can be known before the run
 * put in its place: hashes of the files that are there, versions, facts about the machine, and the
 * "lock" of what recipes give.  A synthetic net that has to be written first, and what recipes
 * would get first, is taken to be the same.  Compare it with the record by differ_records and
 * again_lock_differs.  missing: an array, to which a text is added for each thing that is not to be
 * had; get: one to which the requests are added that recipes would have to get first. */
int again_now(const json_t *record, const struct settings *s, json_t **now, json_t *missing,
              json_t *get, struct assay_err *err);
/* What recipes give now that is not what is in the record's lock: rows as of differ_records, added
 * to `list`.  Files by their digests; another way of making something is "software". */
void again_lock_differs(const json_t *record, const json_t *now, json_t *list);

/* A record that is at hand, and its folder. */
struct again_made {
    json_t *record;
    char *dir;
};
/* Runs the record's set-up once more with again_settings; unless progress is "none" says `what` on
 * stderr before.  argc and argv go into the record as its command.  A run that did not come to its
 * end is an error (ASSAY_ESTOP: interrupted), with a record in *out all the same, which is released
 * in any case. */
int again_run(const json_t *record, const struct settings *own, const char *what, int argc,
              char **argv, struct again_made *out, struct assay_err *err);
void again_release(struct again_made *made);

#endif
