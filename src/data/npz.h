/* NumPy's .npz: a zip archive of .npy files, stored or deflated, mapped. */
#ifndef DATA_NPZ_H
#define DATA_NPZ_H

#include "assay/types.h"
#include "data/mapped.h"

struct npz {
    struct mapped map;
    uint64_t entries, directory; /* how many members, and where their list begins */
};

/* Errors name the file; it may be hostile. */
int npz_open(const char *path, struct npz *z, struct assay_err *err);
/* Its second half: finds the list in what is mapped (for fuzzing: in any memory). */
int npz_index(struct npz *z, struct assay_err *err);
/* The array of a member ("unique.npy").  Stored: a view into the file, at any address (not
 * aligned). Deflated: *owned is its memory, for free(). */
int npz_member(const struct npz *z, const char *name, struct assay_tensor *view, void **owned,
               struct assay_err *err);
void npz_close(struct npz *z);

#endif
