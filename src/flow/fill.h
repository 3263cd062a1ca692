/* Texts with places to be filled: "-DCMAKE_INSTALL_PREFIX=${out}".
 *
 * ${NAME} is replaced by the scope's text of that name, and what was put in is never read again: a
 * value with "${", "$(", quotes or newlines stays what it is.  "$${" stands for "${"; every other
 * "$" is itself.  No shell ever sees the result. */
#ifndef FLOW_FILL_H
#define FLOW_FILL_H

#include <jansson.h>

#include "assay/types.h"

/* scope: names to texts; a name that ends in '.' stands for every name that begins with it.  The
 * caller frees *out. */
int fill(const char *text, const json_t *scope, char **out, struct assay_err *err);
/* The same of every text in an array: a new array of texts. */
int fill_list(const json_t *texts, const json_t *scope, json_t **out, struct assay_err *err);
/* Whether a place in the text begins with this name: "recipe", "secret.". */
bool fill_asks(const char *text, const char *name);

#endif
