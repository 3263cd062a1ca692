/* TensorFlow is C++ behind a C API, and says nowhere that nothing is thrown through it. */
#ifndef TENSORFLOW_GUARD_H
#define TENSORFLOW_GUARD_H

#include "assay/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Calls fn(ctx, err); what it throws becomes an error.  What fn holds at that moment is lost: the
 * run is over. */
int guard_call(int (*fn)(void *ctx, struct assay_err *err), void *ctx, struct assay_err *err);

#ifdef __cplusplus
}
#endif
#endif
