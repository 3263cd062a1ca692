/* What the files of sources.h share. */
#ifndef FLOW_SOURCES_INSIDE_H
#define FLOW_SOURCES_INSIDE_H

#include <jansson.h>

#include "assay/types.h"

#define SOURCES_SCHEMA "assay.recipe-sources/1"

/* "<config>/name", and where a listed source's files are; free() them. */
char *source_below_config(const char *name);
char *source_dir(const json_t *source);

/* A new source of what was typed: "path", or "url" and perhaps "ref"; and "name". */
int source_parse(const char *from, const char *name, json_t **source, struct assay_err *err);
/* Whether this can be a commit, tag or branch here. */
bool source_is_ref(const char *ref);

/* The files of url at ref (NULL: its own branch) to dir, which must not be there; the full hash of
 * the commit.  On failure dir may be there in part. */
int source_clone(const char *url, const char *ref, const char *dir, const volatile int *stop,
                 char commit[65], struct assay_err *err);

/* Where the recipes of a source's folder lie; free() it. */
char *source_recipes(const char *dir);
/* What recipes there are, as sources_add gives them.  Refused: none; a broken one; one that is
 * twice there, or that the catalogue has outside of `own` (which may be NULL). */
int source_look(const char *cache, const char *dir, const char *own, json_t **recipes,
                struct assay_err *err);

#endif
