/* fuzz: links assay_load assay_base */
/* Any text as a user.conf: it is read or refused, and what was read can be written and read again.
 */
#include <stdlib.h>

#include "load/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct settings s;
    struct assay_err err;
    struct text out;

    if (settings_init(&s, &err))
        abort();
    s.scenario = size ? data[0] % SCENARIO_COUNT : 0;
    if (!conf_parse((const char *)data, size, "fuzz", "resnet50", (int)s.scenario, &s, &err)) {
        text_init(&out, 1u << 20);
        conf_write(&s, "resnet50", &out);
        if (conf_parse(out.s, out.len, "written", "resnet50", (int)s.scenario, &s, &err))
            abort();
        text_release(&out);
    }
    settings_release(&s);
    return 0;
}
