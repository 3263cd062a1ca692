/* fuzz: links assay_data assay_base */
/* Raw Criteo logs: what is taken has labels of 0 or 1, integers that are not negative, and
 * categories within their tables. */
#include <stdlib.h>
#include <string.h>

#include "data/criteo.h"

static void check_rows(const struct criteo_raw *r, const struct criteo_ids *ids)
{
    static int32_t rows[CRITEO_BLOCK][CRITEO_COLUMNS];
    struct assay_err err = {0};
    uint64_t block, n, i;
    int k;

    for (block = 0; block * CRITEO_BLOCK < r->rows; block++) {
        n = r->rows - block * CRITEO_BLOCK;
        n = n < CRITEO_BLOCK ? n : CRITEO_BLOCK;
        if (criteo_raw_read(r, block, n, ids, rows[0], &err)) {
            if (!err.code || !err.text[0])
                abort();
            return;
        }
        for (i = 0; i < n; i++)
            for (k = 0; k < CRITEO_COLUMNS; k++)
                if (rows[i][k] < 0 || (k == 0 && rows[i][k] > 1) ||
                    (k > CRITEO_DENSE && rows[i][k] >= ids->rows[k - 1 - CRITEO_DENSE]))
                    abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct criteo_ids ids = {.range = 40000000};
    struct criteo_raw r = {.map = {data, size, "day_23"}};
    struct assay_err err = {0};
    int i;

    for (i = 0; i < CRITEO_CATEGORIES; i++)
        ids.rows[i] = 1 << i;
    if (criteo_raw_index(&r, &err))
        abort();
    check_rows(&r, &ids);
    ids.fold = true;
    check_rows(&r, &ids);
    free(r.block);
    return 0;
}
