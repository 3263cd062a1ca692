/* What DLRM's reference reads and no recipe gives: its rows; see reference_inside.h.
 *
 * Its own pre-processing goes through all 24 days, and leaves of each a day_N_reordered.npz: the
 * integers, the categories by their places in the dictionaries, and the labels.  A run looks
 * whether all are there, reads that of day 23, and takes its first half.  Here that one is made of
 * what our run has, and holds the rows that are tested; the others are links to it.
 *
 * The samples need not be made: it draws the same lengths as we do (see data/pairs.h). */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "base/tree.h"
#include "data/criteo.h"
#include "data/npy.h"
#include "data/npz.h"
#include "data/pairs.h"
#include "lib/reference_inside.h"
#include "net/zip.h"

#define MEMBERS 3

/* An array of int32: a member's bytes, with numpy's head. */
struct member {
    const char *name;
    int width, first; /* columns of a row of criteo.h */
    uint8_t *bytes;
    size_t len;
    int32_t *numbers; /* in bytes */
};

struct clicks {
    struct mapped binary;
    struct criteo_raw raw;
    struct criteo_ids ids;
    uint64_t n;
    struct member members[MEMBERS];
};

/* ---- the rows ---- */

/* The data set in either form, as our run has it. */
static int open_clicks(const struct beside *b, struct clicks *c, struct assay_err *err)
{
    const json_t *input = json_object_get(b->r.manifest.tree, "input");
    char *path = file_join(b->dataset, CRITEO_BINARY), *raw = NULL;
    int rc = path ? ASSAY_OK : assay_fail(err, ASSAY_EFAIL, "not enough memory");

    c->ids.range = (uint32_t)tree_int(input, "max_index_range", CRITEO_RANGE);
    c->ids.fold = !strcmp(tree_text(input, "ids", "dictionary"), "modulo");
    for (size_t i = 0; i < CRITEO_CATEGORIES; i++) {
        const json_t *rows = json_array_get(json_object_get(input, "rows"), i);

        c->ids.rows[i] = rows ? json_integer_value(rows) : criteo_table_rows[i];
    }
    if (!rc && file_exists(path))
        rc = criteo_binary_open(path, &c->binary, &c->n, err);
    else if (!rc && !(rc = criteo_find(b->dataset, &raw, err)))
        rc = raw ? criteo_raw_open(raw, &c->raw, err)
                 : assay_fail(err, ASSAY_EFAIL, "%s: has neither %s nor day_23", b->dataset,
                              CRITEO_BINARY);
    if (!rc && raw) {
        c->n = criteo_half(c->raw.rows);
        rc = c->ids.fold ? ASSAY_OK : criteo_dictionary_read(b->dataset, &c->ids, err);
    }
    free(path);
    free(raw);
    return rc;
}

static void close_clicks(struct clicks *c)
{
    for (int i = 0; i < MEMBERS; i++)
        free(c->members[i].bytes);
    criteo_dictionary_release(&c->ids);
    criteo_raw_close(&c->raw);
    mapped_close(&c->binary);
}

/* Of --count samples. */
static int cut_rows(struct clicks *c, int64_t count, struct assay_err *err)
{
    struct pairs p = {0};
    int rc = count ? pairs_make(c->n, (uint64_t)count, &p, err) : ASSAY_OK;

    if (!rc && count)
        c->n = p.start[p.n];
    pairs_release(&p);
    return rc;
}

static int make_member(struct member *m, uint64_t n, struct assay_err *err)
{
    struct assay_tensor t = {.dtype = ASSAY_I32,
                             .rank = m->width > 1 ? 2 : 1,
                             .dims = {(int64_t)n, m->width},
                             .bytes = n * (size_t)m->width * sizeof(int32_t)};
    struct text head;
    int rc;

    text_init(&head, 4096);
    rc = npy_head(m->name, &t, &head, err);
    m->len = head.len + t.bytes;
    m->bytes = rc ? NULL : malloc(m->len);
    if (!rc && !m->bytes)
        rc = assay_fail(err, ASSAY_EFAIL,
                        "not enough memory for the official reference's %llu rows: %.1f GB",
                        (unsigned long long)n, (double)n * CRITEO_ROW_BYTES * 1e-9);
    if (!rc) {
        memcpy(m->bytes, head.s, head.len);
        m->numbers = (int32_t *)(void *)(m->bytes + head.len);
    }
    text_release(&head);
    return rc;
}

static int read_block(const struct clicks *c, uint64_t at, uint64_t n, int32_t *rows,
                      struct assay_err *err)
{
    const int32_t *in = (const int32_t *)(const void *)c->binary.data;
    int rc = ASSAY_OK;

    if (!in)
        return criteo_raw_read(&c->raw, at / CRITEO_BLOCK, n, &c->ids, rows, err);
    for (uint64_t i = 0; i < n && !rc; i++)
        rc = criteo_check(in + (at + i) * CRITEO_COLUMNS, c->binary.path, at + i, &c->ids,
                          rows + i * CRITEO_COLUMNS, err);
    return rc;
}

static int read_rows(struct clicks *c, struct assay_err *err)
{
    int32_t *rows = malloc(CRITEO_BLOCK * CRITEO_ROW_BYTES);
    int rc = rows ? ASSAY_OK : assay_fail(err, ASSAY_EFAIL, "not enough memory");

    for (uint64_t at = 0; at < c->n && !rc; at += CRITEO_BLOCK) {
        uint64_t n = c->n - at < CRITEO_BLOCK ? c->n - at : CRITEO_BLOCK;

        rc = read_block(c, at, n, rows, err);
        for (struct member *m = c->members; !rc && m < c->members + MEMBERS; m++)
            for (uint64_t i = 0; i < n; i++)
                memcpy(m->numbers + (at + i) * (uint64_t)m->width,
                       rows + i * CRITEO_COLUMNS + m->first, (size_t)m->width * sizeof(*rows));
    }
    free(rows);
    return rc;
}

/* ---- its files ---- */

static int add_members(void *ctx, struct zip *z, struct assay_err *err)
{
    const struct clicks *c = ctx;
    int rc = ASSAY_OK;

    for (int i = 0; i < MEMBERS && !rc; i++)
        rc = zip_add(z, c->members[i].name, c->members[i].bytes, c->members[i].len, err);
    return rc;
}

/* It takes half of the last day's rows, as many as there are in the file. */
static int write_counts(const struct clicks *c, const char *dir, struct assay_err *err)
{
    int64_t days[CRITEO_DAYS] = {0}, counts[CRITEO_CATEGORIES] = {0};
    struct assay_tensor t = {
        .dtype = ASSAY_I64, .rank = 1, .dims = {CRITEO_DAYS}, .data = days, .bytes = sizeof(days)};
    char *day = file_join(dir, "day_day_count.npz"), *fea = file_join(dir, "day_fea_count.npz");
    const int32_t *id = c->members[1].numbers;
    int rc = day && fea ? ASSAY_OK : assay_fail(err, ASSAY_EFAIL, "not enough memory");

    days[CRITEO_DAYS - 1] = 2 * (int64_t)c->n;
    for (uint64_t i = 0; i < c->n * CRITEO_CATEGORIES; i++)
        if (id[i] >= counts[i % CRITEO_CATEGORIES])
            counts[i % CRITEO_CATEGORIES] = id[i] + 1;
    if (!rc)
        rc = npz_write(day, "total_per_file.npy", &t, err);
    t.dims[0] = CRITEO_CATEGORIES;
    t.data = counts;
    t.bytes = sizeof(counts);
    if (!rc)
        rc = npz_write(fea, "counts.npy", &t, err);
    free(day);
    free(fea);
    return rc;
}

static int write_days(struct clicks *c, const char *dir, struct assay_err *err)
{
    char *last = text_format("%s/day_%d_reordered.npz", dir, CRITEO_DAYS - 1);
    int rc = last ? file_make_dirs(dir, err) : assay_fail(err, ASSAY_EFAIL, "not enough memory");

    if (!rc)
        rc = zip_write_file(last, add_members, c, err);
    for (int i = 0; i < CRITEO_DAYS - 1 && !rc; i++)
        rc = reference_link(strdup(file_base(last)), text_format("%s/day_%d_reordered.npz", dir, i),
                            err);
    free(last);
    return rc ? rc : write_counts(c, dir, err);
}

int reference_clicks(struct beside *b, struct assay_err *err)
{
    const char *dir = tree_text(b->names, "clicks", "");
    struct clicks c = {
        .members = {{.name = "X_int.npy", .width = CRITEO_DENSE, .first = 1},
                    {.name = "X_cat.npy", .width = CRITEO_CATEGORIES, .first = 1 + CRITEO_DENSE},
                    {.name = "y.npy", .width = 1}}};
    int rc = open_clicks(b, &c, err);

    if (!rc)
        rc = cut_rows(&c, b->s.count, err);
    for (int i = 0; i < MEMBERS && !rc; i++)
        rc = make_member(&c.members[i], c.n, err);
    if (!rc)
        rc = read_rows(&c, err);
    if (!rc)
        rc = write_days(&c, dir, err);
    close_clicks(&c);
    return rc;
}
