/* Rows of Criteo's logs; see criteo.h. */
#include "data/criteo.h"

#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "data/npz.h"

/* 96.14 GB, 128 numbers a row. */
const int64_t criteo_table_rows[CRITEO_CATEGORIES] = {
    39884406, 39043,    17289,    7420,     20263,  3,     7120, 1543, 63,
    38532951, 2953546,  403346,   10,       2208,   11938, 155,  4,    976,
    14,       39979771, 25641295, 39664984, 585935, 12972, 108,  36};

/* ---- categories ---- */

static int beyond_table(const char *file, const char *unit, uint64_t number, int category,
                        int64_t id, int64_t rows, struct assay_err *err)
{
    return assay_fail(err, ASSAY_EFAIL,
                      "%s: %s %llu: category %d is %lld, and its table has %lld rows (input.rows); "
                      "wanted: the tables that the data were made for, or input.ids: modulo",
                      file, unit, (unsigned long long)number, category, (long long)id,
                      (long long)rows);
}

/* A value below 2^32 -> the table's row, or -1: err is not set. */
static int64_t id_of(const struct criteo_ids *ids, int category, uint32_t value)
{
    uint32_t id = value % ids->range;

    if (ids->fold)
        return id % ids->rows[category];
    return ids->place[category] ? (int64_t)ids->place[category][id] - 1 : id;
}

int criteo_check(const int32_t in[CRITEO_COLUMNS], const char *file, uint64_t number,
                 const struct criteo_ids *ids, int32_t row[CRITEO_COLUMNS], struct assay_err *err)
{
    const int first = 1 + CRITEO_DENSE;
    int i;

    if (in[0] != 0 && in[0] != 1)
        return assay_fail(err, ASSAY_EFAIL, "%s: row %llu: label %d; wanted: 0 or 1", file,
                          (unsigned long long)number, in[0]);
    for (i = 1; i < CRITEO_COLUMNS; i++)
        if (in[i] < 0)
            return assay_fail(err, ASSAY_EFAIL, "%s: row %llu: %s %d is %d; wanted: 0 or more",
                              file, (unsigned long long)number, i < first ? "integer" : "category",
                              i < first ? i - 1 : i - first, in[i]);
    memcpy(row, in, first * sizeof(*row));
    for (i = 0; i < CRITEO_CATEGORIES; i++) {
        uint32_t id = (uint32_t)in[first + i] % ids->range;

        if (!ids->fold && id >= ids->rows[i])
            return beyond_table(file, "row", number, i, id, ids->rows[i], err);
        row[first + i] = (int32_t)(id % ids->rows[i]);
    }
    return ASSAY_OK;
}

float criteo_dense(int32_t x)
{
    return (float)log((double)((float)x + 1.0f));
}

/* ---- lines ---- */

static int bad_field(const char *file, uint64_t number, int column, const char *text, size_t n,
                     struct assay_err *err)
{
    static const char *const what[] = {"label", "integer", "category"};
    static const char *const wanted[] = {"0 or 1", "a whole number of 32 bits, or nothing",
                                         "up to eight hexadecimal digits, or nothing"};
    int kind = column == 0 ? 0 : column <= CRITEO_DENSE ? 1 : 2;
    int at = kind == 2 ? column - 1 - CRITEO_DENSE : column - 1;
    char index[16] = "";

    if (kind)
        snprintf(index, sizeof(index), " %d", at);
    return assay_fail(err, ASSAY_EFAIL, "%s:%llu: %s%s is '%.*s'; wanted: %s", file,
                      (unsigned long long)number, what[kind], index, n < 40 ? (int)n : 40, text,
                      wanted[kind]);
}

static bool read_integer(const char *s, size_t n, int32_t *out)
{
    bool minus = n && *s == '-';
    int64_t value = 0;
    size_t i;

    if (n > 11 || (minus && n == 1))
        return false;
    for (i = minus; i < n; i++) {
        unsigned digit = (unsigned)(s[i] - '0');

        if (digit > 9)
            return false;
        value = value * 10 + digit;
    }
    *out = minus ? 0 : (int32_t)value;
    return value <= INT32_MAX + (int64_t)minus;
}

/* 16: it is none. */
static uint32_t hex_digit(unsigned char c)
{
    unsigned char low = c | 32;

    return c >= '0' && c <= '9' ? c - '0' : low >= 'a' && low <= 'f' ? low - 'a' + 10 : 16;
}

static bool read_hex(const char *s, size_t n, uint32_t *out)
{
    uint32_t value = 0, digit;
    size_t i;

    if (n > 8)
        return false;
    for (i = 0; i < n; i++) {
        if ((digit = hex_digit((unsigned char)s[i])) > 15)
            return false;
        value = value << 4 | digit;
    }
    *out = value;
    return true;
}

static int not_in_dictionary(const char *file, uint64_t number, int category, const char *text,
                             size_t n, struct assay_err *err)
{
    return assay_fail(err, ASSAY_EFAIL,
                      "%s:%llu: category %d, '%.*s', is not in day_fea_dict_%d.npz; wanted: the "
                      "dictionary that was made of all 24 days",
                      file, (unsigned long long)number, category, (int)n, text, category);
}

static int read_category(const char *s, size_t n, const char *file, uint64_t number, int column,
                         const struct criteo_ids *ids, int32_t *out, struct assay_err *err)
{
    int category = column - 1 - CRITEO_DENSE;
    uint32_t value;
    int64_t id;

    if (!read_hex(s, n, &value))
        return bad_field(file, number, column, s, n, err);
    id = id_of(ids, category, value);
    if (id < 0)
        return not_in_dictionary(file, number, category, s, n, err);
    if (id >= ids->rows[category])
        return beyond_table(file, "line", number, category, id, ids->rows[category], err);
    *out = (int32_t)id;
    return ASSAY_OK;
}

static int read_field(const char *s, size_t n, const char *file, uint64_t number, int column,
                      const struct criteo_ids *ids, int32_t *out, struct assay_err *err)
{
    if (column > CRITEO_DENSE)
        return read_category(s, n, file, number, column, ids, out, err);
    if (!read_integer(s, n, out) || (column == 0 && (n != 1 || (*s != '0' && *s != '1'))))
        return bad_field(file, number, column, s, n, err);
    return ASSAY_OK;
}

int criteo_parse(const char *line, size_t len, const char *file, uint64_t number,
                 const struct criteo_ids *ids, int32_t row[CRITEO_COLUMNS], struct assay_err *err)
{
    const char *at = line, *end = line + len, *field;
    int column, fields = 1, rc = ASSAY_OK;
    size_t i;

    for (i = 0; i < len; i++)
        fields += line[i] == '\t';
    if (fields != CRITEO_COLUMNS)
        return assay_fail(err, ASSAY_EFAIL,
                          "%s:%llu: has %d fields; wanted: %d, parted by tabs: a label, %d "
                          "integers, %d categories",
                          file, (unsigned long long)number, fields, CRITEO_COLUMNS, CRITEO_DENSE,
                          CRITEO_CATEGORIES);
    for (column = 0; column < CRITEO_COLUMNS && !rc; column++, at++) {
        for (field = at; at < end && *at != '\t'; at++)
            ;
        rc = read_field(field, (size_t)(at - field), file, number, column, ids, &row[column], err);
    }
    return rc;
}

/* ---- files ---- */

int criteo_raw_index(struct criteo_raw *r, struct assay_err *err)
{
    const char *at = (const char *)r->map.data, *end = at + r->map.bytes, *next;
    size_t cap = 0;

    for (; at < end; at = next ? next + 1 : end, r->rows++) {
        size_t block = r->rows / CRITEO_BLOCK;

        if (block >= cap) {
            uint64_t *more = realloc(r->block, (cap = cap ? cap * 2 : 64) * sizeof(*more));

            if (!more)
                return assay_fail(err, ASSAY_EFAIL, "%s: not enough memory for its index",
                                  r->map.path);
            r->block = more;
        }
        if (r->rows % CRITEO_BLOCK == 0)
            r->block[block] = (uint64_t)(at - (const char *)r->map.data);
        next = memchr(at, '\n', (size_t)(end - at));
    }
    return ASSAY_OK;
}

static int is_day_23(const struct dirent *e)
{
    return !strncmp(e->d_name, "day_23_", 7) && !strchr(e->d_name, '.');
}

int criteo_find(const char *folder, char **path, struct assay_err *err)
{
    struct dirent **list;
    int n, i, rc = ASSAY_OK;

    *path = file_join(folder, "day_23");
    if (*path && file_exists(*path))
        return ASSAY_OK;
    free(*path);
    *path = NULL;
    n = scandir(folder, &list, is_day_23, alphasort);
    if (n > 1)
        rc = assay_fail(err, ASSAY_EFAIL, "%s: has several files day_23_*, and no day_23", folder);
    if (n == 1)
        *path = file_join(folder, list[0]->d_name);
    for (i = 0; i < n; i++)
        free(list[i]);
    if (n >= 0)
        free(list);
    return rc;
}

uint64_t criteo_half(uint64_t rows)
{
    return rows / 2 + rows % 2;
}

int criteo_raw_open(const char *path, struct criteo_raw *r, struct assay_err *err)
{
    int rc;

    memset(r, 0, sizeof(*r));
    rc = mapped_open(path, &r->map, err);
    if (!rc)
        rc = criteo_raw_index(r, err);
    if (rc)
        criteo_raw_close(r);
    return rc;
}

int criteo_raw_read(const struct criteo_raw *r, uint64_t at, uint64_t n,
                    const struct criteo_ids *ids, int32_t *rows, struct assay_err *err)
{
    const char *line = (const char *)r->map.data + r->block[at], *next;
    const char *end = (const char *)r->map.data + r->map.bytes;
    uint64_t i;
    int rc = ASSAY_OK;

    for (i = 0; i < n && line < end && !rc; i++, line = next + 1) {
        size_t len;

        next = memchr(line, '\n', (size_t)(end - line));
        if (!next)
            next = end;
        len = (size_t)(next - line);
        len -= len && line[len - 1] == '\r';
        rc = criteo_parse(line, len, r->map.path, at * CRITEO_BLOCK + i + 1, ids,
                          rows + i * CRITEO_COLUMNS, err);
    }
    return rc;
}

void criteo_raw_close(struct criteo_raw *r)
{
    mapped_close(&r->map);
    free(r->block);
    memset(r, 0, sizeof(*r));
}

int criteo_binary_open(const char *path, struct mapped *m, uint64_t *rows, struct assay_err *err)
{
    size_t bytes;
    int rc = mapped_open(path, m, err);

    if (rc)
        return rc;
    bytes = m->bytes;
    *rows = bytes / CRITEO_ROW_BYTES;
    if (bytes % CRITEO_ROW_BYTES == 0)
        return ASSAY_OK;
    mapped_close(m);
    return assay_fail(
        err, ASSAY_EFAIL,
        "%s: has %zu bytes, which are no whole rows of %zu (40 int32): it is cut off, "
        "or no pre-processed Criteo file",
        path, bytes, CRITEO_ROW_BYTES);
}

/* ---- dictionary ---- */

static int fill_places(const struct assay_tensor *t, const char *path, uint32_t range,
                       uint32_t *place, struct assay_err *err)
{
    size_t each = assay_dtype_size(t->dtype), i, n = each ? t->bytes / each : 0;
    int64_t value;
    int32_t narrow;

    if (t->rank != 1 || (t->dtype != ASSAY_I32 && t->dtype != ASSAY_I64) || n >= UINT32_MAX)
        return assay_fail(err, ASSAY_EFAIL,
                          "%s: 'unique' is %s with %u dimensions; wanted: int32 or int64, a list",
                          path, assay_dtype_name(t->dtype), t->rank);
    for (i = 0; i < n; i++) {
        memcpy(&narrow, (const char *)t->data + i * each, sizeof(narrow));
        value = narrow;
        if (each == sizeof(value))
            memcpy(&value, (const char *)t->data + i * each, sizeof(value));
        if (value < 0 || value >= range || place[value])
            return assay_fail(err, ASSAY_EFAIL, "%s: value %lld at %zu %s", path, (long long)value,
                              i,
                              value < 0 || value >= range ? "is outside input.max_index_range"
                                                          : "is there twice");
        place[value] = (uint32_t)i + 1;
    }
    return ASSAY_OK;
}

static int read_one(const char *folder, int category, struct criteo_ids *ids, struct assay_err *err)
{
    char *path = text_format("%s/day_fea_dict_%d.npz", folder, category);
    struct assay_tensor t;
    void *owned = NULL;
    struct npz z = {0};
    int rc = ASSAY_OK;

    ids->place[category] = calloc(ids->range, sizeof(uint32_t));
    if (!path || !ids->place[category])
        rc = assay_fail(err, ASSAY_EFAIL, "%s: not enough memory for the dictionary", folder);
    else if (!file_exists(path))
        rc = assay_fail(err, ASSAY_EFAIL,
                        "%s: is missing; raw logs are re-indexed by the dictionary "
                        "day_fea_dict_0.npz … day_fea_dict_25.npz, which `assay dictionaries` "
                        "makes of all 24 days (or give input.ids: modulo)",
                        path);
    if (!rc && !(rc = npz_open(path, &z, err)) && !(rc = npz_check(&z, "unique.npy", err)) &&
        !(rc = npz_member(&z, "unique.npy", &t, &owned, err)))
        rc = fill_places(&t, path, ids->range, ids->place[category], err);
    free(owned);
    npz_close(&z);
    free(path);
    return rc;
}

int criteo_dictionary_read(const char *folder, struct criteo_ids *ids, struct assay_err *err)
{
    int i, rc = ASSAY_OK;

    for (i = 0; i < CRITEO_CATEGORIES && !rc; i++)
        rc = read_one(folder, i, ids, err);
    return rc;
}

void criteo_dictionary_release(struct criteo_ids *ids)
{
    int i;

    for (i = 0; i < CRITEO_CATEGORIES; i++) {
        free(ids->place[i]);
        ids->place[i] = NULL;
    }
}
