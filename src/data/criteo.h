/* The rows of Criteo's click logs: a label, 13 integers and 26 categories.
 *
 * Two forms, which become the same 40 int32:
 *   raw      day_23: text, a row a line, 40 fields parted by tabs, categories in hexadecimal; an
 *            empty field is 0, a negative integer too
 *   binary   terabyte_processed_test.bin: rows of 40 int32, little-endian
 *
 * A category becomes the row of its embedding table: its remainder by the index range, and then the
 * place in the dictionary (of raw values: ids in order of first appearance over all 24 days), or
 * the remainder by the table's own rows. */
#ifndef DATA_CRITEO_H
#define DATA_CRITEO_H

#include "assay/types.h"
#include "data/mapped.h"

#define CRITEO_DENSE      13
#define CRITEO_CATEGORIES 26
#define CRITEO_COLUMNS    (1 + CRITEO_DENSE + CRITEO_CATEGORIES)
#define CRITEO_ROW_BYTES  (CRITEO_COLUMNS * sizeof(int32_t))
#define CRITEO_DAYS       24
#define CRITEO_RANGE      40000000 /* index range of MLPerf's model of version 1 */
#define CRITEO_BINARY     "terabyte_processed_test.bin"
#define CRITEO_BLOCK      1024 /* rows of a raw file that are found at once */

struct criteo_ids {
    uint32_t range;                     /* > 0 */
    int64_t rows[CRITEO_CATEGORIES];    /* of the tables */
    bool fold;                          /* the remainder by rows; else beyond them is an error */
    uint32_t *place[CRITEO_CATEGORIES]; /* [range]: place + 1 in the dictionary, 0: not there;
                                           NULL: no dictionary */
};

/* Reads day_fea_dict_0.npz … day_fea_dict_25.npz of a folder (member unique.npy: the values, at
 * their places).  A missing one is an error that says what to do. */
int criteo_dictionary_read(const char *folder, struct criteo_ids *ids, struct assay_err *err);
void criteo_dictionary_release(struct criteo_ids *ids);

/* One line without its end -> a row, with ids as above.  `file` and `number` (from 1) are for
 * errors. */
int criteo_parse(const char *line, size_t len, const char *file, uint64_t number,
                 const struct criteo_ids *ids, int32_t row[CRITEO_COLUMNS], struct assay_err *err);

/* A row of a binary file, `number` from 0 -> the same, with ids' range and fold (ids->place is for
 * raw rows only). */
int criteo_check(const int32_t in[CRITEO_COLUMNS], const char *file, uint64_t number,
                 const struct criteo_ids *ids, int32_t row[CRITEO_COLUMNS], struct assay_err *err);

/* log(x + 1) of an integer that is not negative: sum in float32, logarithm in double, rounded. */
float criteo_dense(int32_t x);

/* Rows of the tables of MLPerf's model, the 40M variant. */
extern const int64_t criteo_table_rows[CRITEO_CATEGORIES];

/* The raw file of a folder: day_23, or the only day_23_* without a dot; *path is NULL when there is
 * none.  The caller frees it. */
int criteo_find(const char *folder, char **path, struct assay_err *err);
/* The rows that are tested: the first half of day 23's, and one more where their number is odd. */
uint64_t criteo_half(uint64_t rows);

/* A raw file: mapped, and where every CRITEO_BLOCK-th line begins. */
struct criteo_raw {
    struct mapped map;
    uint64_t rows;
    uint64_t *block; /* [(rows + CRITEO_BLOCK - 1) / CRITEO_BLOCK] */
};
int criteo_raw_open(const char *path, struct criteo_raw *r, struct assay_err *err);
/* Its second half: rows and block of what is mapped (for fuzzing: of any memory). */
int criteo_raw_index(struct criteo_raw *r, struct assay_err *err);
/* Rows of block `at`, `n` at most, to rows[n][CRITEO_COLUMNS].  Any thread. */
int criteo_raw_read(const struct criteo_raw *r, uint64_t at, uint64_t n,
                    const struct criteo_ids *ids, int32_t *rows, struct assay_err *err);
void criteo_raw_close(struct criteo_raw *r);

/* A binary file: *rows counts them; a size that is no multiple of a row is an error. */
int criteo_binary_open(const char *path, struct mapped *m, uint64_t *rows, struct assay_err *err);

#endif
