/* fuzz: links assay_net assay_base */
/* The machine that reads pickles takes any bytes: no crash, no leak, nothing beyond the end. */
#include "net/unpickle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct assay_err err;
    struct pickle p;

    if (!pickle_read(data, size, "fuzz", &p, &err) && p.values[p.root].kind == PICKLE_DICT)
        (void)pickle_get(&p, p.root, "state_dict");
    pickle_release(&p);
    return 0;
}
