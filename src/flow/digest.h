/* Digests of files and folders, for keys and checks. */
#ifndef FLOW_DIGEST_H
#define FLOW_DIGEST_H

#include "assay/types.h"
#include "base/hash.h"

#define DIGEST_MD5 33

/* One pass for both; either may be NULL.  *stop != 0 (it may be NULL) ends it with ASSAY_ESTOP. */
int digest_file(const char *path, const volatile int *stop, char sha256[HASH_HEX],
                char md5[DIGEST_MD5], struct assay_err *err);

/* SHA-256 of all that is in a file or folder: names, kinds, contents; not times.  Names that begin
 * with ".git" are left out.  While size, times and inode of everything are as they were, what
 * `cache` remembers is taken. */
int digest_tree(const char *cache, const char *path, char hex[HASH_HEX], struct assay_err *err);

/* "size mtime ctime inode" of a file or folder; "": it is not there. */
void digest_stamp(const char *path, char out[96]);

#endif
