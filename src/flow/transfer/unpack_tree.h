/* A folder that grows from names nobody vouches for, and cannot reach out of itself.
 *
 * Invariants, from which it follows that every link in it ends within it:
 *  - folders on the way to a name are opened one by one, never through a link;
 *  - links are made last, when nothing more is written;
 *  - a link's target is "../" as often as folders above it allow, then names without "..": what it
 *    leads to is a folder or file in here, or another such link. */
#ifndef FLOW_TRANSFER_UNPACK_TREE_H
#define FLOW_TRANSFER_UNPACK_TREE_H

#include "flow/unpack.h"

struct unpack_link;

struct unpack_tree {
    int root; /* the folder that everything is in */
    struct unpack_limits limits;
    int64_t bytes, files;
    struct unpack_link *links; /* to be made at the end */
};

/* Each refuses a name that leads out, is too long or deep, or is there already. */
int unpack_tree_folder(struct unpack_tree *t, const char *name, struct assay_err *err);
int unpack_tree_file(struct unpack_tree *t, const char *name, bool executable, int *fd,
                     struct assay_err *err);
/* To a file that is here already. */
int unpack_tree_hard_link(struct unpack_tree *t, const char *name, const char *target,
                          struct assay_err *err);
int unpack_tree_link(struct unpack_tree *t, const char *name, const char *target,
                     struct assay_err *err);
/* Makes the links. */
int unpack_tree_finish(struct unpack_tree *t, struct assay_err *err);
void unpack_tree_release(struct unpack_tree *t);
/* Counts bytes that are about to be written against the limit. */
int unpack_tree_grow(struct unpack_tree *t, const char *name, int64_t more, struct assay_err *err);

/* Moves all that is in `from` to `to`; folders that are in both are merged.  When another name is
 * in both, nothing is moved. */
int unpack_tree_merge(int from, int to, struct assay_err *err);

#endif
