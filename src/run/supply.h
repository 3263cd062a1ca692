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

/* recipe: a request as `assay get` takes it, of a recipe with an output of this name ("model"), or
 * with one output.  *path: where that is, or will be; *plan: NULL when it is there, else
 * {"request", "steps": [texts]}.  The caller frees both.  Nothing is fetched; what is on the shelf
 * is held. */
int supply_look(const char *cache, const char *recipe, const char *output, char **path,
                json_t **plan, struct supply_hold *hold, struct assay_err *err);
/* The same for a data set that is named in the place of its folder. */
int supply_folder(const char *cache, const char *name, char **path, json_t **plan,
                  struct supply_hold *hold, struct assay_err *err);
/* Adds such plans to what a whole command would get first, {"get": [requests], "steps": [texts]},
 * each once. */
void supply_tell(const json_t *plans, json_t *first);
/* Nothing is got during a run: fails with the command that gets it.  NULL: nothing is missing. */
int supply_check(const char *request, struct assay_err *err);

#endif
