/* The hash of a JSON tree, the same however the text was laid out.
 *
 * Hashed are: objects as '{', for each member in the order of its name's bytes the name as a text
 * and the value, '}'; arrays as '[' … ']'; a text as its length in bytes, ':' and the bytes; an
 * integer as 'i', its decimals, ';'; a real as 'r', printf's %.17g, ';', but as an integer when it
 * is a whole number below 2^53, so that a tool which writes 2.0 as 2 changes nothing; 't', 'f' and
 * 'n'.  Private to this room. */
#ifndef RECORD_CANONICAL_H
#define RECORD_CANONICAL_H

#include <jansson.h>

#include "assay/types.h"
#include "base/hash.h"

#define CANONICAL_DEPTH 64

/* Fails for a tree that is nested more than CANONICAL_DEPTH deep. */
int canonical_hash(const json_t *tree, char hex[HASH_HEX], struct assay_err *err);

#endif
