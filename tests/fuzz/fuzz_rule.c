/* fuzz: links assay_report assay_base */
/* Any text as a rule of --fail-if: it is taken or refused, and what was taken can be judged. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report/rule.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct spread_pair pairs[FIGURE_COUNT];
    char text[200];
    struct assay_err err;
    struct rule r;

    if (size >= sizeof(text))
        return 0;
    memcpy(text, data, size);
    text[size] = 0;
    if (rule_parse(text, &r, &err))
        return 0;
    if (!isfinite(r.limit) || r.figure < 0 || r.figure >= FIGURE_COUNT)
        abort();
    memset(pairs, 0, sizeof(pairs));
    pairs[r.figure].known = true;
    pairs[r.figure].ratio.high = pairs[r.figure].b.high = INFINITY;
    if (rule_check(&r, pairs, &err) || (!r.above && rule_broken(&r, pairs)))
        abort();
    return 0;
}
