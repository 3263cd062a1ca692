/* Other people's recipes: folders and git repositories whose recipes are known beside the user's.
 *
 * <config>/recipe-sources.json lists them, {"schema": "assay.recipe-sources/1", "sources":
 * [SOURCE]}:
 *   {"name", "path", "sha256"}                          a folder of the user's, used where it lies
 *   {"name", "url", ["ref",] "commit", "folder", "sha256"}   a repository: its files at that
 * commit, without .git, in <config>/recipe-sources/FOLDER sha256 is digest_tree's of all of it:
 * what was taken.  ref: the commit, tag or branch that was asked for; without one it is the
 * repository's own branch.  The recipes are in its folder `recipes`, or where there is none, in
 * itself.
 *
 * A source is there when the list says so: what else lies in <config>/recipe-sources was left by a
 * process that was killed, or is read by others still, and the next call that changes something
 * removes it.  Such calls hold a lock on that folder; who reads holds a shared one on the folder of
 * each repository, which is never changed, so that all of a plan is of one commit.  Locks (flock)
 * end with their process.  While git runs signals are watched (get.h): add and update are one at a
 * time in a process. */
#ifndef FLOW_SOURCES_H
#define FLOW_SOURCES_H

#include <jansson.h>

#include "assay/types.h"

/* Keeps what git fetched in its place while its recipes are used. */
struct sources_hold {
    int *locks;
    size_t count;
};
void sources_let_go(struct sources_hold *hold);
/* The folders of their recipes: an array of texts; NULL, with err: the list cannot be read.  hold:
 * in any case for sources_let_go, all 0 before; NULL: they are only named. */
json_t *sources_folders(struct sources_hold *hold, struct assay_err *err);

/* Each as it is listed. */
int sources_read(json_t **rows, struct assay_err *err);
/* The same with "recipes" (how many), "changed" (since it was taken), "folder"
 * (absolute, of the recipes), and "error" of one that is not there or has broken recipes.  `cache`
 * is as of digest_tree. */
int sources_list(const char *cache, json_t **rows, struct assay_err *err);

/* from: a folder, or the address of a repository and perhaps "@COMMIT".  name: NULL: as its folder
 * is called.  *added is the source with "added" and "recipes": [{"name", "version", "summary",
 * "file", "programs"}].  dry: it is looked at, and nothing stays of it.  What is refused
 * (ASSAY_EUSAGE): recipes that are known already or broken, a source that is there already. */
int sources_add(const char *cache, const char *from, const char *name, bool dry, json_t **added,
                struct assay_err *err);
/* Takes what the source is now; name: "NAME" or "NAME@COMMIT"; NULL: all, in order, until one
 * fails.  *rows: each as sources_add gives it, with "other" (than it was), "updated" and "was"
 * (commit or sha256) in the place of "added". */
int sources_update(const char *cache, const char *name, bool dry, json_t **rows,
                   struct assay_err *err);
/* A folder of the user's stays where it is. */
int sources_remove(const char *name, bool dry, struct assay_err *err);

#endif
