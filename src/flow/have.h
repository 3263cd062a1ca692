/* Checking what is there by a recipe's digests and counts, and remembering where the user has a
 * thing, which is verified once and never copied. */
#ifndef FLOW_HAVE_H
#define FLOW_HAVE_H

#include <jansson.h>

#include "assay/types.h"

/* Whether the files below root are as the body's `check` says (but what it runs), and with
 * `fetched` those of its downloads that are not unpacked.  A root that is a file stands for the
 * one file that is named. */
int have_check(const json_t *body, const char *root, bool fetched, const volatile int *stop,
               struct assay_err *err);

/* What it looks at, in its order: the rows of `fetch` (with `fetched`) and `check` that name a file
 * or a folder, as a new array.  Those of one file are one row, unless they contradict. */
json_t *have_rows(const json_t *body, bool fetched);
/* One of them.  known: an object in which digests are kept by path, so that no file is hashed
 * twice; NULL: none are. */
int have_check_row(const json_t *row, const char *root, json_t *known, const volatile int *stop,
                   struct assay_err *err);
/* The file of this name below root, or root itself where that is a file; for free(). */
char *have_place(const char *root, const char *name);
/* The place of a row of have_rows: of its other name (`or`) where only that is there. */
char *have_row_place(const json_t *row, const char *root);

/* The place remembered under `id`, while its files' sizes, times and inodes are as they were when
 * they were checked; NULL: none.  *was: a place that is remembered but has changed, or NULL.  The
 * caller frees both. */
char *have_known(const char *cache, const char *id, char **was);
/* Whether all that the recipe names is there still, whatever is in it. */
bool have_is_whole(const json_t *body, const char *root);
/* Whether a remembered place that has changed is still what is wanted, but for what `check` runs;
 * then it is remembered as it is now.  Else why not, which is noted too, so that it is not hashed
 * again before it changes once more.  Where nothing can be written nothing is noted. */
bool have_is_right(const char *cache, const char *id, const json_t *body, const char *root,
                   struct assay_err *why);
/* name: what `assay cache` calls it: "RECIPE,OPTION". */
int have_remember(const char *cache, const char *id, const char *name, const json_t *body,
                  const char *root, struct assay_err *err);
/* All that are remembered: array of {"key" (the id), "name", "path", "state": "as it was",
 * "changed", "gone"}; of one that was found wrong "why". */
json_t *have_list(const char *cache);
int have_forget(const char *cache, const char *id, struct assay_err *err);
/* One text for the stamps of all files that are named, for a key. */
char *have_stamps(const json_t *body, const char *root);

#endif
