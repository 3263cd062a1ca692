/* Zip archives whose members are stored as they are, written in one go: what a TorchScript file is.
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

/* The checksum of a member, as of gzip and PNG. */
uint32_t zip_crc(const void *data, size_t len);

#endif
