/* What the targets for files of weights do with one: every number is looked at. */
#include <stdlib.h>

#include "net/state.h"

static inline void read_weights(const void *data, size_t size)
{
    struct assay_err err;
    struct state *s;
    float *out;

    if (state_read(data, size, "fuzz", &s, &err))
        return;
    for (size_t i = 0; i < s->count; i++) {
        if (!state_is_float(&s->tensors[i]) || s->tensors[i].count > 65536)
            continue;
        out = malloc((s->tensors[i].count + 1) * sizeof(*out));
        if (!out)
            abort();
        state_floats(s, &s->tensors[i], out);
        free(out);
    }
    state_close(s);
}
