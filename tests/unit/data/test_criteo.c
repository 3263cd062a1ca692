/* Criteo's rows against golden values of Python and numpy (tests/python/golden_dlrm.py makes them),
 * the official aggregation of pairs to samples, and what each fault is called. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/text.h"
#include "data/criteo.h"
#include "data/npy.h"
#include "data/npz.h"
#include "data/pairs.h"

#define GOLDEN ASSAY_SOURCE "/tests/golden/dlrm"

static char line[1 << 15];

static FILE *golden(const char *name)
{
    char path[512];
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", GOLDEN, name);
    f = fopen(path, "r");
    assert_non_null(f);
    return f;
}

static void make_ids(struct criteo_ids *ids, int64_t rows, bool fold)
{
    int i;

    memset(ids, 0, sizeof(*ids));
    ids->range = 40000000;
    ids->fold = fold;
    for (i = 0; i < CRITEO_CATEGORIES; i++)
        ids->rows[i] = rows;
}

/* The dense numbers' bits stand behind " | ". */
static void check_dense(const float *dense, const char *text, uint64_t row)
{
    char *rest = strstr(text, " | ") + 3;
    uint32_t bits;
    int i;

    for (i = 0; i < CRITEO_DENSE; i++) {
        memcpy(&bits, &dense[i], sizeof(bits));
        if (bits != strtoul(rest, &rest, 16))
            fail_msg("row %llu: number %d is %g", (unsigned long long)row, i, (double)dense[i]);
    }
}

/* ---- golden ---- */

static void check_row(const int32_t *row, uint64_t number)
{
    char *rest = line;
    float dense[CRITEO_DENSE];
    int i;

    for (i = 0; i < CRITEO_COLUMNS; i++)
        if (row[i] != strtol(rest, &rest, 10))
            fail_msg("row %llu: column %d is %d", (unsigned long long)number, i, row[i]);
    for (i = 0; i < CRITEO_DENSE; i++)
        dense[i] = criteo_dense(row[1 + i]);
    check_dense(dense, line, number);
}

static void raw_rows_are_as_by_python(void **state)
{
    static int32_t rows[CRITEO_BLOCK][CRITEO_COLUMNS];
    FILE *f = golden("rows.txt");
    struct criteo_ids ids;
    struct criteo_raw raw;
    struct assay_err err;
    uint64_t n = 0;

    (void)state;
    make_ids(&ids, 1000, false);
    if (criteo_dictionary_read(GOLDEN "/raw", &ids, &err) ||
        criteo_raw_open(GOLDEN "/raw/day_23", &raw, &err) ||
        criteo_raw_read(&raw, 0, CRITEO_BLOCK, &ids, rows[0], &err))
        fail_msg("%s", err.text);
    assert_int_equal(raw.rows, 1100);
    while (fgets(line, sizeof(line), f)) {
        check_row(rows[n], n);
        n++;
    }
    assert_int_equal(n, 550);
    /* The second block has the last 76 lines, of which the last has no end. */
    assert_int_equal(criteo_raw_read(&raw, 1, 76, &ids, rows[0], &err), 0);
    fclose(f);
    criteo_raw_close(&raw);
    criteo_dictionary_release(&ids);
}

/* The same rows as a binary file: what the raw reader made goes through unchanged. */
static void binary_rows_are_the_same(void **state)
{
    static int32_t rows[CRITEO_BLOCK][CRITEO_COLUMNS], again[CRITEO_COLUMNS];
    char path[] = "/tmp/assay-criteo-XXXXXX";
    struct criteo_ids ids;
    struct criteo_raw raw;
    struct mapped m;
    struct assay_err err;
    uint64_t n, i;
    int fd = mkstemp(path);

    (void)state;
    make_ids(&ids, 100, true);
    assert_int_equal(criteo_raw_open(GOLDEN "/raw/day_23", &raw, &err), 0);
    assert_int_equal(criteo_raw_read(&raw, 0, CRITEO_BLOCK, &ids, rows[0], &err), 0);
    assert_int_equal(write(fd, rows, sizeof(rows)), sizeof(rows));
    ids.fold = false;
    assert_int_equal(criteo_binary_open(path, &m, &n, &err), 0);
    assert_int_equal(n, CRITEO_BLOCK);
    for (i = 0; i < n; i++) {
        assert_int_equal(
            criteo_check((const int32_t *)m.data + i * CRITEO_COLUMNS, path, i, &ids, again, &err),
            0);
        assert_memory_equal(again, rows[i], sizeof(again));
    }
    mapped_close(&m);
    assert_int_equal(ftruncate(fd, sizeof(rows) - 1), 0);
    assert_true(criteo_binary_open(path, &m, &n, &err));
    assert_non_null(strstr(err.text, "163839 bytes, which are no whole rows of 160"));
    assert_int_equal(ftruncate(fd, 0), 0);
    assert_true(criteo_binary_open(path, &m, &n, &err));
    assert_non_null(strstr(err.text, "is empty"));
    close(fd);
    unlink(path);
    criteo_raw_close(&raw);
}

/* mini.txt: the second word of a line. */
static void real_rows_are_as_by_python(void **state)
{
    const char *data = getenv("ASSAY_TEST_DATA");
    char path[1024], hex[HASH_HEX], want[33];
    struct {
        float dense[CRITEO_DENSE];
        int64_t ids[CRITEO_CATEGORIES];
    } __attribute__((packed)) made;
    int32_t rows[150][CRITEO_COLUMNS];
    struct criteo_raw raw;
    struct criteo_ids ids;
    struct assay_err err;
    FILE *f;
    int i, k;

    (void)state;
    snprintf(path, sizeof(path), "%s/criteo-mini/day_23_mini",
             data ? data : ASSAY_SOURCE "/../shared/data");
    if (!file_exists(path))
        skip();
    f = golden("mini.txt");
    make_ids(&ids, 100, true);
    assert_int_equal(criteo_raw_open(path, &raw, &err), 0);
    assert_int_equal(raw.rows, 150);
    assert_int_equal(criteo_raw_read(&raw, 0, 150, &ids, rows[0], &err), 0);
    for (i = 0; i < 150; i++) {
        assert_int_equal(fscanf(f, "%*s %32s", want), 1);
        for (k = 0; k < CRITEO_DENSE; k++)
            made.dense[k] = criteo_dense(rows[i][1 + k]);
        for (k = 0; k < CRITEO_CATEGORIES; k++)
            made.ids[k] = rows[i][1 + CRITEO_DENSE + k];
        hash_bytes(&made, sizeof(made), hex);
        if (strncmp(hex, want, 32) != 0)
            fail_msg("row %d differs", i);
    }
    fclose(f);
    criteo_raw_close(&raw);
}

/* ---- arrays ---- */

static void arrays_are_as_by_numpy(void **state)
{
    FILE *f = golden("arrays.txt");
    struct assay_tensor dense, hot[CRITEO_CATEGORIES];
    void *owned;
    struct mapped m;
    struct npz z;
    struct assay_err err;
    float numbers[CRITEO_DENSE];
    uint64_t row;
    int i;

    (void)state;
    if (mapped_open(GOLDEN "/multi-hot/day_23_dense.npy", &m, &err) ||
        npy_parse(m.data, m.bytes, m.path, &dense, &err) ||
        npz_open(GOLDEN "/multi-hot/day_23_sparse_multi_hot.npz", &z, &err))
        fail_msg("%s", err.text);
    assert_int_equal(dense.dims[0], 301);
    assert_int_equal(dense.dims[1], CRITEO_DENSE);
    for (i = 0; i < CRITEO_CATEGORIES; i++) {
        char name[16];

        snprintf(name, sizeof(name), "%d.npy", i);
        assert_int_equal(npz_member(&z, name, &hot[i], &owned, &err), 0);
        assert_null(owned);
        assert_int_equal(hot[i].dtype, ASSAY_I32);
        assert_int_equal(hot[i].dims[1], i == 0 ? 3 : i == 1 ? 2 : 1);
    }
    for (row = 0; fgets(line, sizeof(line), f); row++) {
        char *rest = line;

        strtol(rest, &rest, 10);
        for (i = 0; i < CRITEO_CATEGORIES; i++)
            for (int64_t k = 0; k < hot[i].dims[1]; k++) {
                int32_t id;

                memcpy(&id,
                       (const char *)hot[i].data +
                           (row * (uint64_t)hot[i].dims[1] + (uint64_t)k) * 4,
                       sizeof(id));
                assert_int_equal(id, strtol(rest, &rest, 10));
            }
        memcpy(numbers, (const char *)dense.data + row * sizeof(numbers), sizeof(numbers));
        check_dense(numbers, line, row);
    }
    assert_int_equal(row, 151);
    assert_true(npz_member(&z, "26.npy", &dense, &owned, &err));
    assert_non_null(strstr(err.text, "has no array '26.npy'"));
    fclose(f);
    npz_close(&z);
    mapped_close(&m);
}

/* A bit of the values, or of the check sum in the list of members, is another. */
static void damaged_members_are_named(void **state)
{
    static const struct {
        const char *file, *member, *why;
        size_t back; /* the byte that changes, from the end; 0: the array's last */
    } cases[] = {
        {"/multi-hot/day_23_sparse_multi_hot.npz", "25.npy", "'25.npy' is damaged", 0},
        {"/raw/day_fea_dict_0.npz", "unique.npy", "'unique.npy' is damaged", 22 + 46 + 10 - 16},
    };
    struct assay_tensor t;
    struct assay_err err;
    void *owned;
    char *data;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct npz z = {.map = {.path = "x.npz"}};
        char path[512];

        snprintf(path, sizeof(path), "%s%s", GOLDEN, cases[i].file);
        assert_int_equal(file_read(path, 1 << 20, &data, &z.map.bytes, &err), 0);
        z.map.data = (uint8_t *)data;
        assert_int_equal(npz_index(&z, &err), 0);
        assert_int_equal(npz_check(&z, cases[i].member, &err), 0);
        assert_int_equal(npz_member(&z, cases[i].member, &t, &owned, &err), 0);
        if (owned)
            data[z.map.bytes - cases[i].back] ^= 1;
        else
            ((uint8_t *)t.data)[t.bytes - 1] ^= 1;
        free(owned);
        owned = NULL;
        if (!npz_check(&z, cases[i].member, &err) &&
            !npz_member(&z, cases[i].member, &t, &owned, &err))
            fail_msg("%s: nothing is wrong with it", path);
        if (!strstr(err.text, cases[i].why))
            fail_msg("%s", err.text);
        free(data);
    }
}

/* What the recipe criteo-dictionaries checks: the lengths are the tables of MLPerf's model. */
static void counts_have_the_digest_of_the_recipe(void **state)
{
    static const int32_t counts[CRITEO_CATEGORIES] = {
        39884406, 39043,    17289,    7420,     20263,  3,     7120, 1543, 63,
        38532951, 2953546,  403346,   10,       2208,   11938, 155,  4,    976,
        14,       39979771, 25641295, 39664984, 585935, 12972, 108,  36};
    const struct assay_tensor t = {.data = (void *)counts,
                                   .bytes = sizeof(counts),
                                   .dtype = ASSAY_I32,
                                   .rank = 1,
                                   .dims = {CRITEO_CATEGORIES}};
    char dir[] = "/tmp/assay-criteo-XXXXXX", path[64], hex[HASH_HEX], *recipe;
    struct assay_err err;
    size_t len;

    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/day_fea_count.npz", dir);
    assert_int_equal(npz_write(path, "counts.npy", &t, &err), 0);
    assert_int_equal(hash_file(path, hex, &err), 0);
    assert_int_equal(file_read(ASSAY_SOURCE "/recipes/criteo-dictionaries/recipe.yaml", 1 << 16,
                               &recipe, &len, &err),
                     0);
    assert_non_null(strstr(recipe, hex));
    free(recipe);
    file_remove_tree(dir, NULL);
}

static void refused_arrays(void **state)
{
    static const struct {
        const char *head, *why;
    } cases[] = {
        {"{'descr': '<i4', 'fortran_order': True, 'shape': (1,), }", "C order"},
        {"{'descr': '>i4', 'fortran_order': False, 'shape': (1,), }", "little-endian"},
        {"{'descr': '<i4', 'fortran_order': False, 'shape': (9,), }", "not all there"},
        {"{'descr': '<i4', 'fortran_order': False, 'shape': (-1,), }", "wanted: numbers"},
        {"{'descr': '<i4', 'fortran_order': False, 'shape': (1", "wanted: numbers"},
        {"{'descr': '<i8', 'fortran_order': False, 'shape': (4611686018427387904, 4), }",
         "not all there"},
    };
    struct assay_tensor t;
    struct assay_err err;
    uint8_t data[256];
    size_t i, n;

    (void)state;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        n = strlen(cases[i].head);
        memcpy(data, "\x93NUMPY\x01\x00", 8);
        data[8] = (uint8_t)n;
        data[9] = 0;
        memcpy(data + 10, cases[i].head, n);
        assert_true(npy_parse(data, 10 + n + 4, "x.npy", &t, &err));
        if (!strstr(err.text, cases[i].why))
            fail_msg("case %zu: %s", i, err.text);
    }
    assert_true(npy_parse(data, 9, "x.npy", &t, &err));
}

/* ---- samples ---- */

static void lengths_are_as_by_numpy(void **state)
{
    FILE *f = golden("samples.txt");
    struct pairs p;
    struct assay_err err;
    uint64_t i;
    unsigned length;

    (void)state;
    assert_int_equal(pairs_make(2000 * PAIRS_MOST, 2000, &p, &err), 0);
    assert_int_equal(p.n, 2000);
    for (i = 0; i < p.n; i++) {
        assert_int_equal(fscanf(f, "%u", &length), 1);
        assert_int_equal(p.start[i + 1] - p.start[i], length);
    }
    fclose(f);
    pairs_release(&p);
    assert_int_equal(pairs_make(75, 0, &p, &err), 0);
    assert_int_equal(p.n, 1);
    assert_int_equal(p.start[1], 75);
    pairs_release(&p);
}

/* The whole trace, as the official file dlrm_trace_of_aggregated_samples.txt has it. */
static void trace_is_the_official_one(void **state)
{
    EVP_MD_CTX *md5 = EVP_MD_CTX_new();
    unsigned char digest[EVP_MAX_MD_SIZE];
    char hex[33];
    struct pairs p;
    struct assay_err err;
    uint64_t i;
    int k;

    (void)state;
    assert_int_equal(pairs_make(89137319, 0, &p, &err), 0);
    assert_int_equal(p.n, 330067);
    assert_int_equal(p.start[p.n] - p.start[p.n - 1], 19);
    EVP_DigestInit_ex(md5, EVP_md5(), NULL);
    for (i = 0; i < p.n; i++) {
        snprintf(line, sizeof(line), "%llu, %llu, %llu\n", (unsigned long long)p.start[i],
                 (unsigned long long)p.start[i + 1],
                 (unsigned long long)(p.start[i + 1] - p.start[i]));
        EVP_DigestUpdate(md5, line, strlen(line));
    }
    EVP_DigestFinal_ex(md5, digest, NULL);
    for (k = 0; k < 16; k++)
        snprintf(hex + 2 * k, 3, "%02x", digest[k]);
    assert_string_equal(hex, "3db90209564316f2506c99cc994ad0b2");
    EVP_MD_CTX_free(md5);
    pairs_release(&p);
}

/* ---- faults ---- */

#define NUMBERS "\t1\t2\t3\t4\t5\t6\t7\t8\t9\t10\t11\t12\t13"
#define CODES   "\ta\tb\tc\td\te\tf\ta\tb\tc\td\te\tf\ta\tb\tc\td\te\tf\ta\tb\tc\td\te\tf\ta"

static void faults_are_named(void **state)
{
    static const struct {
        const char *line, *why;
    } cases[] = {
        {"1" NUMBERS CODES, "day_23:7: has 39 fields; wanted: 40"},
        {"1" NUMBERS CODES "\tb\tc", "has 41 fields"},
        {"", "has 1 fields"},
        {"2" NUMBERS CODES "\tb", "label is '2'; wanted: 0 or 1"},
        {NUMBERS CODES "\tb", "label is ''"},
        {"1.0" NUMBERS CODES "\tb", "label is '1.0'"},
        {"1\tx\t2\t3\t4\t5\t6\t7\t8\t9\t10\t11\t12\t13" CODES "\tb", "integer 0 is 'x'"},
        {"1\t1\t2147483648\t3\t4\t5\t6\t7\t8\t9\t10\t11\t12\t13" CODES "\tb", "integer 1 is '21"},
        {"1\t1\t-\t3\t4\t5\t6\t7\t8\t9\t10\t11\t12\t13" CODES "\tb", "integer 1 is '-'"},
        {"1\t1\t2\t3\t4\t5\t6\t7\t8\t9\t10\t11\t12\t260.0" CODES "\tb", "integer 12 is '260.0'"},
        {"1" NUMBERS CODES "\t0x12", "category 25 is '0x12'; wanted: up to eight hex"},
        {"1" NUMBERS CODES "\t123456789", "category 25 is '123456789'"},
        {"1" NUMBERS CODES "\t10", "line 7: category 25 is 16, and its table has 16 rows"},
    };
    int32_t row[CRITEO_COLUMNS];
    struct criteo_ids ids;
    struct assay_err err;
    size_t i;

    (void)state;
    make_ids(&ids, 16, false);
    assert_int_equal(criteo_parse("1" NUMBERS CODES "\tF", strlen("1" NUMBERS CODES "\tF"),
                                  "day_23", 7, &ids, row, &err),
                     0);
    assert_int_equal(row[CRITEO_COLUMNS - 1], 15);
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_true(
            criteo_parse(cases[i].line, strlen(cases[i].line), "day_23", 7, &ids, row, &err));
        if (!strstr(err.text, cases[i].why))
            fail_msg("case %zu: %s", i, err.text);
    }
}

static void binary_faults_are_named(void **state)
{
    int32_t in[CRITEO_COLUMNS] = {0}, row[CRITEO_COLUMNS];
    struct criteo_ids ids;
    struct assay_err err;

    (void)state;
    make_ids(&ids, 16, false);
    in[0] = 2;
    assert_true(criteo_check(in, "x.bin", 5, &ids, row, &err));
    assert_string_equal(err.text, "x.bin: row 5: label 2; wanted: 0 or 1");
    in[0] = 1;
    in[4] = -1;
    assert_true(criteo_check(in, "x.bin", 5, &ids, row, &err));
    assert_string_equal(err.text, "x.bin: row 5: integer 3 is -1; wanted: 0 or more");
    in[4] = 0;
    in[39] = 16;
    assert_true(criteo_check(in, "x.bin", 5, &ids, row, &err));
    assert_non_null(strstr(err.text, "row 5: category 25 is 16, and its table has 16 rows"));
    in[39] = 40000015;
    assert_int_equal(criteo_check(in, "x.bin", 5, &ids, row, &err), 0);
    assert_int_equal(row[39], 15);
}

static void dictionary_faults_are_named(void **state)
{
    struct criteo_ids ids;
    struct assay_err err;
    int32_t row[CRITEO_COLUMNS];

    (void)state;
    make_ids(&ids, 16, false);
    assert_true(criteo_dictionary_read(GOLDEN, &ids, &err));
    assert_non_null(strstr(err.text, "dlrm/day_fea_dict_0.npz: is missing"));
    criteo_dictionary_release(&ids);
    ids.range = 10;
    assert_true(criteo_dictionary_read(GOLDEN "/raw", &ids, &err));
    assert_non_null(strstr(err.text, "is outside input.max_index_range"));
    criteo_dictionary_release(&ids);
    make_ids(&ids, 16, false);
    assert_int_equal(criteo_dictionary_read(GOLDEN "/raw", &ids, &err), 0);
    assert_true(criteo_parse("1" NUMBERS CODES "\tb", strlen("1" NUMBERS CODES "\tb"), "day_23", 7,
                             &ids, row, &err));
    assert_non_null(strstr(err.text, "day_23:7: category 0, 'a', is not in day_fea_dict_0.npz"));
    criteo_dictionary_release(&ids);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(raw_rows_are_as_by_python),
        cmocka_unit_test(binary_rows_are_the_same),
        cmocka_unit_test(real_rows_are_as_by_python),
        cmocka_unit_test(arrays_are_as_by_numpy),
        cmocka_unit_test(damaged_members_are_named),
        cmocka_unit_test(counts_have_the_digest_of_the_recipe),
        cmocka_unit_test(refused_arrays),
        cmocka_unit_test(lengths_are_as_by_numpy),
        cmocka_unit_test(trace_is_the_official_one),
        cmocka_unit_test(faults_are_named),
        cmocka_unit_test(binary_faults_are_named),
        cmocka_unit_test(dictionary_faults_are_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
