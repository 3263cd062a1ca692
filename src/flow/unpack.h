/* Unpacking an archive: tar and zip, compressed or not, and single files that are compressed.
 *
 * Refused: absolute paths, "..", links that lead out of the folder, devices and other special
 * files, a name twice, and more than the limits allow.  What is refused or cut off leaves the
 * folder as it was: all is unpacked below a hidden folder in it first.  Owners, times and modes are
 * not taken over, but for the right to execute. */
#ifndef FLOW_UNPACK_H
#define FLOW_UNPACK_H

#include "assay/types.h"

/* 0: the default. */
struct unpack_limits {
    int64_t max_bytes; /* of all files together (1 TB) */
    int64_t max_files; /* files, folders and links (5 million) */
    double max_ratio;  /* bytes that come out of one of the archive, beyond the first 64 MB (250) */
    const volatile int *stop; /* != 0: ASSAY_ESTOP; may be NULL */
};

/* The folder is made when it is missing; folders that are in both are merged, any other name that
 * is there already is refused.  "x.gz" is a single file and comes out as x; "x.tar.gz" is
 * an archive. */
int unpack_archive(const char *archive, const char *folder,
                   const struct unpack_limits *limits /* NULL: defaults */, struct assay_err *err);

#endif
