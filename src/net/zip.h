/* Zip archives whose members are stored as they are, written in one go and read from memory: what
 * files of PyTorch are.
 *
 * Each member's bytes begin at a multiple of 64, so that a reader can map them.  The forms of zip64
 * are used where a number needs them and nowhere else.  Nothing depends on the clock or the user:
 * the same members give the same bytes. */
#ifndef NET_ZIP_H
#define NET_ZIP_H

#include "base/file.h"
#include "base/text.h"

#define ZIP_ALIGN 64

struct zip {
    struct file_whole *file; /* the caller's; it is not committed here */
    uint64_t at;             /* bytes written */
    uint64_t count;
    uint64_t limit; /* what is not below it is written in 64 bits; tests lower it */
    struct text directory;
};

void zip_init(struct zip *z, struct file_whole *file);
void zip_release(struct zip *z);
int zip_add(struct zip *z, const char *name, const void *data, size_t len, struct assay_err *err);
/* The directory, behind the last member. */
int zip_end(struct zip *z, struct assay_err *err);
/* All of it: a whole file of the members that `add` adds, or none. */
int zip_write_file(const char *path, int (*add)(void *ctx, struct zip *z, struct assay_err *err),
                   void *ctx, struct assay_err *err);

/* The checksum of a member, as of gzip and PNG. */
uint32_t zip_crc(const void *data, size_t len);

/* ---- reading (zip_read.c) ---- */

struct zip_member {
    const char *name; /* name_len bytes of the archive, without a NUL */
    size_t name_len;
    size_t at, len; /* its bytes in the archive */
    uint32_t crc;
    bool whole; /* zip_check has seen that the checksum is right */
};

/* The members of an archive, sorted by name.  Refused, naming `what`: what is cut off, compressed
 * or encrypted, lies outside the archive or in another member, or is there twice.  The caller
 * free()s *members. */
int zip_read(const void *data, size_t len, const char *what, struct zip_member **members,
             size_t *count, struct assay_err *err);
/* NULL: there is none of that name. */
struct zip_member *zip_find(struct zip_member *members, size_t count, const char *name, size_t n);
int zip_check(const void *data, struct zip_member *m, const char *what, struct assay_err *err);

#endif
