/* Taking over what a user has: files that are what a recipe fetches, or what it checks, are found
 * in his folders and remembered as `--have` would (see have.h), verified and not copied. */
#ifndef FLOW_ADOPT_H
#define FLOW_ADOPT_H

#include <jansson.h>

#include "assay/types.h"

struct adopt_ask {
    const char *const *dirs; /* files or folders, … NULL; NULL or empty: the caches of MLC and CM */
    const char *cache;       /* the cache folder */
    bool dry;                /* remember nothing */
    const volatile int *stop; /* != 0: the end, with ASSAY_ESTOP; may be NULL */
    void (*hashing)(const char *path, int64_t bytes); /* before each file; may be NULL */
};

/* {"dry", "looked": [{"path", "by"}], "folders", "files", "unread": [{"path", "why"}], "rows":
 * [{"state", "recipe", "version", "options", "path", "how", "entry", "file", "links"}]}.  state:
 *   adopted     remembered now; fits: would be (dry); known: it was before
 *   unverified  it is called so, and nothing tells whether it is: not taken
 *   differs     another digest or size: not taken
 *   incomplete  a file that the recipe wants is missing: not taken
 * entry: the tags of the entry in the cache of MLC or CM; file: the one that differs; links: what
 * was put together.  how: by what it was verified, or why it was not taken.  Of a recipe that fits
 * somewhere only that is told.  Of several files that lie in several folders, links to them are put
 * together in <cache>/have. */
int adopt(const struct adopt_ask *ask, json_t **report, struct assay_err *err);

#endif
