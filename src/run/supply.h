/* A model that is had by its recipe: where it is, or what getting it would do. */
#ifndef RUN_SUPPLY_H
#define RUN_SUPPLY_H

#include <jansson.h>

#include "assay/types.h"

/* recipe: a request as `assay get` takes it, of a recipe with one output (or one called "model").
 * *path: where that is, or will be; *plan: NULL when it is there, else {"request", "steps":
 * [texts]}.  The caller frees both.  Nothing is fetched. */
int supply_look(const char *cache, const char *recipe, char **path, json_t **plan,
                struct assay_err *err);

#endif
