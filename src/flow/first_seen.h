/* Digests of downloads whose publisher gives no SHA-256: kept in the user's configuration folder at
 * the first fetch, and wanted from then on, like the keys of known hosts. */
#ifndef FLOW_FIRST_SEEN_H
#define FLOW_FIRST_SEEN_H

#include "assay/types.h"
#include "base/hash.h"

/* The digest of what this address gave first; false: it is not known yet. */
bool first_seen_find(const char *url, char sha256[HASH_HEX]);
/* Keeps it; any thread, several processes. */
int first_seen_add(const char *url, const char *sha256, struct assay_err *err);

#endif
