/* Digests and stamps of files and folders, for keys. */
#ifndef FLOW_DIGEST_H
#define FLOW_DIGEST_H

#include "assay/types.h"
#include "base/hash.h"

/* SHA-256 of all that is in a file or folder: names, kinds, contents; not times.  Names that begin
 * with ".git" are left out.  While size, times and inode of everything are as they were, what
 * `cache` remembers is taken. */
int digest_tree(const char *cache, const char *path, char hex[HASH_HEX], struct assay_err *err);

/* "size mtime ctime inode" of a file or folder; "": it is not there. */
void digest_stamp(const char *path, char out[96]);

#endif
