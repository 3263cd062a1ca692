/* SHA-256, and MD5 where nothing better is published, as lower-case hex. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "assay/types.h"

#define HASH_HEX 65 /* 64 digits and the NUL */
#define HASH_MD5 33

struct hash; /* a running SHA-256 */

struct hash *hash_create(void); /* NULL: out of memory */
void hash_add(struct hash *h, const void *data, size_t len);
/* Also frees h. */
void hash_take(struct hash *h, char hex[HASH_HEX]);

void hash_bytes(const void *data, size_t len, char hex[HASH_HEX]);
int hash_file(const char *path, char hex[HASH_HEX], struct assay_err *err);
/* Both digests in one pass; either may be NULL.  *stop != 0 (it may be NULL) ends it with
 * ASSAY_ESTOP. */
int hash_file_until(const char *path, const volatile int *stop, char sha256[HASH_HEX],
                    char md5[HASH_MD5], struct assay_err *err);
/* The same for a file; for a folder of the names and hashes of all that is in it, sorted by name.
 */
int hash_tree(const char *path, char hex[HASH_HEX], struct assay_err *err);

#endif
