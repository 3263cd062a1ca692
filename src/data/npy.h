/* NumPy's .npy format, version 1.0. */
#ifndef DATA_NPY_H
#define DATA_NPY_H

#include "assay/types.h"

/* Writes one dense tensor whole (see base/file.h).  bfloat16 has no name in NumPy: it is refused.
 */
int npy_write(const char *path, const struct assay_tensor *tensor, struct assay_err *err);

#endif
