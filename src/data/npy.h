/* NumPy's .npy format, version 1.0. */
#ifndef DATA_NPY_H
#define DATA_NPY_H

#include "assay/types.h"
#include "base/text.h"

/* Writes one dense tensor whole (see base/file.h).  bfloat16 has no name in NumPy: it is refused.
 */
int npy_write(const char *path, const struct assay_tensor *tensor, struct assay_err *err);

/* What stands before its elements is added to `out`; `path` is for the error. */
int npy_head(const char *path, const struct assay_tensor *tensor, struct text *out,
             struct assay_err *err);

/* The array of a file's bytes (versions 1 to 3; C order): a view of what lies behind the header, at
 * any address.  `file` is what errors call it; the bytes may be hostile. */
int npy_parse(const uint8_t *data, size_t len, const char *file, struct assay_tensor *view,
              struct assay_err *err);

#endif
