/* PATH.part: a file that is being fetched, with its digests so far.  Private to this room. */
#ifndef FLOW_FETCH_PART_H
#define FLOW_FETCH_PART_H

#include "assay/types.h"
#include "base/hash.h"

struct fetch_part {
    int fd; /* locked */
    char path[1100], note[1100];
    const char *final;
    int64_t have;
    struct hash *sha;
    void *md5;                        /* EVP_MD_CTX; NULL: not wanted */
    char origin[HASH_HEX], mark[256]; /* what the part is of: a URL's hash, its ETag or date */
    bool resumed;                     /* begins with what an earlier call left */
};

/* Waits for another process that writes it, until *stop.  Then `have` bytes are there, hashed. */
int part_open(struct fetch_part *p, const char *path, bool md5, const volatile int *stop,
              struct assay_err *err);
/* From nothing. */
int part_restart(struct fetch_part *p, struct assay_err *err);
/* Remembers what the part is of, for the next call. */
int part_describe(struct fetch_part *p, const char *url, const char *mark, struct assay_err *err);
bool part_is_of(const struct fetch_part *p, const char *url);
int part_write(struct fetch_part *p, const void *data, size_t n, struct assay_err *err);
/* Ends the digests; md5 may be NULL. */
void part_digests(struct fetch_part *p, char sha256[HASH_HEX], char md5[HASH_HEX]);
/* Syncs it and renames it to its final name; named: its folder is synced too, so the name is there
 * after a power failure. */
int part_commit(struct fetch_part *p, bool named, struct assay_err *err);
/* Lets go; an empty part is removed, any other kept. */
void part_close(struct fetch_part *p);
/* Fails, with the figures, when `more` bytes do not fit on the disk. */
int part_check_room(const struct fetch_part *p, int64_t more, struct assay_err *err);

/* Size and digests of any file. */
int part_read_digests(const char *path, bool md5, const volatile int *stop, int64_t *bytes,
                      char sha256[HASH_HEX], char md5_hex[HASH_HEX], struct assay_err *err);

#endif
