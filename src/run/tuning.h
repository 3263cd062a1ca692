/* Tuning as the conductor sees it: what was found earlier is used, or a new search is made; either
 * way the settings that follow from it are set with origin TUNED, below everything explicit. */
#ifndef RUN_TUNING_H
#define RUN_TUNING_H

#include <jansson.h>

#include "run/resolve.h"

/* Uses what an earlier tuning found for exactly this, if there is such: sets it in *s (the settings
 * as the user gave them) and in r->s.  *report becomes the record's "tuning", or stays NULL when
 * there is nothing to say.  A damaged file is a warning on stderr. */
int tuning_recall(struct resolved *r, struct settings *s, json_t **report, struct assay_err *err);

/* Searches in child processes that work in `dir`, says on stderr what it tries, keeps the winner
 * and sets it as above.  ASSAY_ESTOP: interrupted.  *report is set in any case. */
int tuning_search(struct resolved *r, struct settings *s, const char *dir, json_t **report,
                  struct assay_err *err);

#endif
