/* The one place where exceptions end; see guard.h. */
#include "guard.h"

#include <cstring>
#include <exception>

int guard_call(int (*fn)(void *ctx, struct assay_err *err), void *ctx, struct assay_err *err)
{
    char what[256];

    try {
        return fn(ctx, err);
    } catch (const std::exception &e) {
        snprintf(what, sizeof(what), "%s", e.what());
    } catch (...) {
        snprintf(what, sizeof(what), "an exception without words");
    }
    for (char *p = what; (p = strpbrk(p, "\r\n\t"));)
        *p = ' ';
    return assay_fail(err, ASSAY_EFAIL, "TensorFlow failed: %s", what);
}
