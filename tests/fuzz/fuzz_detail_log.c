/* fuzz: links assay_load assay_base */
/* Any text as a detail log, and the verdict of whatever it says. */
#include "load/verdict.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct load_official official = {.target_latency_percentile = 0.99};
    struct settings s;
    struct detail d;
    struct verdict v;
    struct assay_err err;

    if (detail_parse((const char *)data, size, "fuzz", &d, &err))
        return 0;
    if (!settings_init(&s, &err)) {
        for (s.scenario = 0; s.scenario < SCENARIO_COUNT; s.scenario++)
            if (!verdict_judge(&d, &s, &official, 100, &v, &err))
                verdict_release(&v);
        settings_release(&s);
    }
    detail_release(&d);
    return 0;
}
