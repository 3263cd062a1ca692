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
 * store, the cache, how progress is shown, the tag, and a model and a data set where it names them.
 */
int again_settings(const json_t *record, const struct settings *own, struct settings *out,
                   struct assay_err *err);

/* What a run with these settings would find now: a copy of the record's "model", "dataset",
 * "engine", "loadgen", "assay", "settings" and "system", with all that can be known before the run
 * put in its place: hashes of the files that are there, versions, facts about the machine.  A
 * synthetic net that has to be written first is taken to be the same.  Compare it with the record
 * by differ_records.  An error: something is not there at all. */
int again_now(const json_t *record, const struct settings *s, json_t **now, struct assay_err *err);

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
