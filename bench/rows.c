/* Rows of raw Criteo logs, on one thread, from the mapped text to 13 logarithms and 26 categories.
 *
 *     rows FILE
 *
 * For every line on standard input one pass over all rows; the answer is its seconds.  The peer is
 * official_rows.py. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "data/criteo.h"

static _Noreturn void die(const char *text)
{
    fprintf(stderr, "rows: %s\n", text);
    exit(3);
}

static float dense[CRITEO_BLOCK][CRITEO_DENSE];

static double pass(const char *path, const struct criteo_ids *ids)
{
    static int32_t rows[CRITEO_BLOCK][CRITEO_COLUMNS];
    double start = (double)clock_ns() * 1e-9;
    struct criteo_raw raw;
    struct assay_err err;
    uint64_t block, i;
    int k;

    if (criteo_raw_open(path, &raw, &err))
        die(err.text);
    for (block = 0; block * CRITEO_BLOCK < raw.rows; block++) {
        uint64_t left = raw.rows - block * CRITEO_BLOCK,
                 n = left < CRITEO_BLOCK ? left : CRITEO_BLOCK;

        if (criteo_raw_read(&raw, block, n, ids, rows[0], &err))
            die(err.text);
        for (i = 0; i < n; i++)
            for (k = 0; k < CRITEO_DENSE; k++)
                dense[i][k] = criteo_dense(rows[i][1 + k]);
    }
    criteo_raw_close(&raw);
    return (double)clock_ns() * 1e-9 - start;
}

int main(int argc, char **argv)
{
    struct criteo_ids ids = {.range = 40000000, .fold = true};
    char line[16];
    int i;

    if (argc != 2)
        die("which file?");
    for (i = 0; i < CRITEO_CATEGORIES; i++)
        ids.rows[i] = 40000000;
    while (fgets(line, sizeof(line), stdin)) {
        printf("%.9f\n", pass(argv[1], &ids));
        fflush(stdout);
    }
    return 0;
}
