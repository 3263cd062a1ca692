/* Models and data sets that are had by their recipes: where they are, or what getting them would
 * do. */
#ifndef RUN_SUPPLY_H
#define RUN_SUPPLY_H

#include <jansson.h>

#include "assay/types.h"
#include "flow/shelf.h"

/* Keeps what a run uses on the shelf; all zero: nothing. */
struct supply_hold {
    struct shelf shelf;
    char key[65];
    int lock;
};
void supply_let_go(struct supply_hold *hold);

/* What a run is supplied with: arrays of the caller's, to which is added. */
struct supplied {
    json_t *get;  /* {"request", "steps": [texts], "bytes" (to download)} of what is not here yet */
    json_t *lock; /* as plan_lock gives it */
};

/* recipe: a request as `assay get` takes it, of a recipe with an output called "model", or with one
 * output.  *path: where that is, or will be; the caller frees it.  Nothing is fetched; what is on
 * the shelf is held. */
int supply_model(const char *cache, const char *recipe, char **path, const struct supplied *out,
                 struct supply_hold *hold, struct assay_err *err);
/* The same for a data set that is named in the place of its folder, the output "folder". */
int supply_dataset(const char *cache, const char *name, char **path, const struct supplied *out,
                   struct supply_hold *hold, struct assay_err *err);
/* Adds such plans to what a whole command would get first, {"get": [requests], "steps": [texts]},
 * each once. */
void supply_tell(const json_t *plans, json_t *first);
/* Nothing is got during a run: fails with the command that gets it.  NULL: nothing is missing. */
int supply_check(const char *request, struct assay_err *err);

#endif
