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

/* The place remembered under `id`, while its files' sizes, times and inodes are as they were when
 * they were checked; NULL: none.  *was: a place that is remembered but has changed, or NULL.  The
 * caller frees both. */
char *have_known(const char *cache, const char *id, char **was);
int have_remember(const char *cache, const char *id, const json_t *body, const char *root,
                  struct assay_err *err);
/* One text for the stamps of all files that are named, for a key. */
char *have_stamps(const json_t *body, const char *root);

#endif
