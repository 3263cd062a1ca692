/* fuzz: links assay_load assay_base */
/* Any text as an accuracy log: every entry's bytes must be readable. */
#include "load/detail.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static volatile unsigned sum;
    struct accuracy_log log;
    struct assay_err err;
    uint64_t i, j;

    if (accuracy_log_parse((const char *)data, size, "fuzz", &log, &err))
        return 0;
    for (i = 0; i < log.n; i++)
        for (j = 0; j < log.entries[i].bytes; j++)
            sum = sum + log.entries[i].data[j];
    accuracy_log_release(&log);
    return 0;
}
