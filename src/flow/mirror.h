/* Mirrors: other addresses for what recipes fetch, which a site gives once for all recipes.
 *
 * ASSAY_MIRRORS and then <config>/mirrors, both in this form: words in pairs, FROM TO; a line that
 * begins with # is none.  An address that begins with FROM is also looked for with TO in its place,
 * before the recipe's own, whose digest and size hold.  No mirror is part of a key, nor a name
 * under which a digest is kept as first seen. */
#ifndef FLOW_MIRROR_H
#define FLOW_MIRROR_H

#include <jansson.h>

#include "assay/types.h"

/* [[FROM, TO], …] to *mirrors, for json_decref; an error names the place and the line. */
int mirror_read(json_t **mirrors, struct assay_err *err);
/* The addresses to try, in order; a new reference. */
json_t *mirror_urls(const json_t *mirrors, const json_t *urls);

#endif
