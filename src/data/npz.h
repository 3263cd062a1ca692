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
 * aligned), of which only the array's header was read.  Deflated: *owned is its memory, for free(),
 * and its check sum was compared. */
int npz_member(const struct npz *z, const char *name, struct assay_tensor *view, void **owned,
               struct assay_err *err);
/* Reads a stored member whole and compares its check sum (of a deflated one npz_member does). Apart
 * from npz_member: arrays can be tens of GB that are mapped to be read in parts, so the caller says
 * when. */
int npz_check(const struct npz *z, const char *name, struct assay_err *err);
/* Writes one array, of 2 GB at most, as the member `name` ("unique.npy"), stored, and the file
 * whole (see base/file.h). */
int npz_write(const char *path, const char *name, const struct assay_tensor *t,
              struct assay_err *err);
void npz_close(struct npz *z);

#endif
