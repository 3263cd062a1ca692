/* The border of the library: what its calls share to read texts and to give them. */
#ifndef LIB_BORDER_H
#define LIB_BORDER_H

#include <jansson.h>

#include "load/settings.h"

/* A caller who wants no error gets none: the first line of every call. */
#define BORDER_ERR(err)                                                                            \
    struct assay_err border_spare;                                                                 \
    (err) = (err) ? (err) : &border_spare
/* For an argument that may not be NULL. */
int border_null(const char *function, struct assay_err *err);

/* Gives the tree as text, as the command line's --json does, with "schema": "assay.THING/1" (thing
 * NULL: none), and lets go of it. */
int border_give(json_t *tree, const char *thing, char **text, struct assay_err *err);
/* What a FILE * was written to; takes it over. */
int border_give_memory(FILE *out, char **memory, int rc, char **text, struct assay_err *err);

/* Splits "name=value": gives the value, and the name in `name`; NULL: it is none. */
const char *border_pair(const char *pair, char name[64], struct assay_err *err);
/* true, yes, on, 1 and their opposites. */
int border_bool(const char *name, const char *value, bool *out, struct assay_err *err);
int border_int(const char *name, const char *value, int64_t min, int64_t max, int64_t *out,
               struct assay_err *err);
/* Default, user file, list; to be released in any case. */
int border_settings(const char *const *list, struct settings *s, struct assay_err *err);
/* Absolute folders, for free(); NULL: not enough memory. */
char *border_store(const char *store, struct assay_err *err);
char *border_cache(const char *cache, struct assay_err *err);

/* What stands for the command in the records of runs that a program makes. */
extern char *border_argv[2];

#endif
