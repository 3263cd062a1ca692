/* The records that something is about: those that are named, or all of a store. */
#ifndef RECORD_SEVERAL_H
#define RECORD_SEVERAL_H

#include <jansson.h>

#include "assay/types.h"

/* names: NULL-terminated; an id, the beginning of one, "last", or (with a '/' in it) the path of a
 * run's folder or of its record.json; one that is named twice is taken once.  names NULL: all of
 * the store, the newest first; one that cannot be read does not hide the others, and is a text in
 * `left_out` (an array; NULL: none is wanted).  None at all is an error.  Each record has "folder".
 * The caller json_decref()s *records. */
int record_several(const char *store, const char *const *names, json_t **records, json_t *left_out,
                   struct assay_err *err);

#endif
