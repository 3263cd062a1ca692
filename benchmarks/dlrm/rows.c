/* The pairs of a data set, in whatever form it is; see dlrm.h.
 *
 *   DIR/terabyte_processed_test.bin   version 1, pre-processed: mapped, used as it is
 *   DIR/day_23 (or the only day_23_*) version 1, raw: its first half, and the dictionary beside it;
 *                                     becomes a cache of blocks of CRITEO_BLOCK rows of 40 int32
 *   DIR/day_23_dense.npy, day_23_labels.npy, day_23_sparse_multi_hot.npz
 *                                     DLRM-v2: mapped; their first half; the archive's check sums
 *                                     are compared once
 *
 * The data set's hash is of name, size and 64 pieces of 64 KiB spread over each file: the whole is
 * 14 to 150 GB, and is not read for it. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/text.h"
#include "data/npy.h"
#include "data/synthetic.h"
#include "dlrm.h"

enum { PIECES = 64, PIECE = 1 << 16, FIRST = 1 + CRITEO_DENSE };

#define BLOCK_NUMBERS ((uint64_t)CRITEO_BLOCK * CRITEO_COLUMNS)

static void add_hash(struct hash *h, const struct mapped *m)
{
    char line[400];
    size_t i, step = m->bytes / PIECES;

    snprintf(line, sizeof(line), "%s %zu\n", file_base(m->path), m->bytes);
    hash_add(h, line, strlen(line));
    if (step <= PIECE)
        hash_add(h, m->data, m->bytes);
    else
        for (i = 0; i < PIECES; i++)
            hash_add(h, m->data + (i + 1 < PIECES ? i * step : m->bytes - PIECE), PIECE);
}

/* ---- raw ---- */

static int open_raw(struct rows *r, const char *folder, const char *path, struct hash *h,
                    struct assay_err *err)
{
    char *one;
    struct mapped m;
    int i, rc = criteo_raw_open(path, &r->raw, err);

    if (rc)
        return rc;
    r->n = criteo_half(r->raw.rows);
    add_hash(h, &r->raw.map);
    r->dictionary = r->model->fold ? NULL : strdup(folder);
    for (i = 0; i < CRITEO_CATEGORIES && r->dictionary; i++) {
        one = text_format("%s/day_fea_dict_%d.npz", folder, i);
        if (one && file_exists(one) && !mapped_open(one, &m, NULL)) {
            add_hash(h, &m);
            mapped_close(&m);
        }
        free(one);
    }
    return ASSAY_OK;
}

/* Block `index` of the cache. */
static int fill_block(void *ctx, uint32_t worker, uint64_t index, void *const *memory,
                      struct assay_err *err)
{
    struct rows *r = ctx;
    uint64_t left = r->n - index * CRITEO_BLOCK, n = left < CRITEO_BLOCK ? left : CRITEO_BLOCK;

    (void)worker;
    memset(memory[0], 0, BLOCK_NUMBERS * sizeof(int32_t));
    return criteo_raw_read(&r->raw, index, n, &r->ids, memory[0], err);
}

/* The dictionary, 4 GB in full, is read only when the cache has to be made. */
static int fill_first(void *ctx, uint32_t worker, uint64_t index, void *const *memory,
                      struct assay_err *err)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    struct rows *r = ctx;
    int rc = ASSAY_OK;

    pthread_mutex_lock(&lock);
    if (r->dictionary && !r->ids.place[0] &&
        (rc = criteo_dictionary_read(r->dictionary, &r->ids, err)))
        criteo_dictionary_release(&r->ids);
    pthread_mutex_unlock(&lock);
    return rc ? rc : fill_block(ctx, worker, index, memory, err);
}

/* ---- preparing ---- */

static int check_member(void *ctx, uint32_t worker, uint64_t index, void *const *memory,
                        struct assay_err *err)
{
    const struct rows *r = ctx;
    char name[16];

    (void)worker;
    snprintf(name, sizeof(name), "%d.npy", (int)index);
    *(int32_t *)memory[0] = 1;
    return npz_check(&r->sparse, name, err);
}

/* The arrays are mapped, and a run reads what its samples need of them.  So their check sums, for
 * which tens of GB are read, are compared at the first preparation only: a cache file of one number
 * a member remembers that it was done for this file, as it was last written. */
static int check_arrays(struct rows *r, const struct assay_benchmark_config *config,
                        struct assay_err *err)
{
    struct assay_tensor_spec done = {.name = "checked", .dtype = ASSAY_I32, .rank = 1, .dims = {1}};
    char text[HASH_HEX + 80], key[HASH_HEX];
    struct cache_spec spec = {.dir = config->cache_dir,
                              .name = "dlrm-checked",
                              .key = key,
                              .count = CRITEO_CATEGORIES,
                              .input_count = 1,
                              .inputs = &done,
                              .threads = config->threads,
                              .fill = check_member,
                              .ctx = r,
                              .progress = config->progress,
                              .progress_ctx = config->progress_ctx,
                              .stop = config->stop};
    struct cache *cache = NULL;
    struct stat file;
    int rc;

    if (stat(r->sparse.map.path, &file))
        return assay_fail(err, ASSAY_EFAIL, "%s: cannot be read: %s", r->sparse.map.path,
                          strerror(errno));
    snprintf(text, sizeof(text), "dlrm-checked 1 %s %lld.%09ld", r->hash,
             (long long)file.st_mtim.tv_sec, file.st_mtim.tv_nsec);
    hash_bytes(text, strlen(text), key);
    rc = cache_open(&spec, &cache, err);
    cache_close(cache);
    return rc;
}

int rows_prepare(struct rows *r, const struct assay_benchmark_config *config, struct assay_err *err)
{
    struct assay_tensor_spec block = {
        .name = "rows", .dtype = ASSAY_I32, .rank = 2, .dims = {CRITEO_BLOCK, CRITEO_COLUMNS}};
    struct cache_spec spec = {.dir = config->cache_dir,
                              .name = "dlrm",
                              .count = (r->n + CRITEO_BLOCK - 1) / CRITEO_BLOCK,
                              .input_count = 1,
                              .inputs = &block,
                              .threads = config->threads,
                              .fill = fill_first,
                              .ctx = r,
                              .progress = config->progress,
                              .progress_ctx = config->progress_ctx,
                              .stop = config->stop};
    struct text text;
    char key[HASH_HEX];
    int i, rc;

    if (r->sparse.map.data)
        return check_arrays(r, config, err);
    if (!r->raw.map.data || r->cache)
        return ASSAY_OK;
    text_init(&text, 4096);
    text_addf(&text, "dlrm %d %s %u %llu", CODE_VERSION, r->hash, r->ids.range,
              (unsigned long long)r->n);
    for (i = 0; i < CRITEO_CATEGORIES; i++)
        text_addf(&text, "%s%lld", r->ids.fold ? " modulo " : " ", (long long)r->ids.rows[i]);
    hash_bytes(text.s, text.len, key);
    text_release(&text);
    spec.key = key;
    rc = cache_open(&spec, &r->cache, err);
    criteo_dictionary_release(&r->ids);
    return rc;
}

/* ---- DLRM-v2 ---- */

static int open_array(const char *folder, const char *name, struct mapped *m,
                      struct assay_tensor *view, struct hash *h, struct assay_err *err)
{
    char *path = file_join(folder, name);
    int rc = path ? mapped_open(path, m, err) : assay_fail(err, ASSAY_EFAIL, "not enough memory");

    if (!rc) {
        add_hash(h, m);
        rc = npy_parse(m->data, m->bytes, path, view, err);
    }
    free(path);
    return rc;
}

static int wrong_array(const char *file, const char *name, const struct assay_tensor *t,
                       const char *wanted, struct assay_err *err)
{
    return assay_fail(err, ASSAY_EFAIL, "%s: %s is %s [%lld,%lld]; wanted: %s", file, name,
                      assay_dtype_name(t->dtype), t->rank > 0 ? (long long)t->dims[0] : 1,
                      t->rank > 1 ? (long long)t->dims[1] : 1, wanted);
}

static int open_hots(struct rows *r, int64_t n, struct assay_err *err)
{
    char name[16], wanted[64];
    int i, rc = ASSAY_OK;

    for (i = 0; i < CRITEO_CATEGORIES && !rc; i++) {
        struct assay_tensor *t = &r->hot_view[i];

        snprintf(name, sizeof(name), "%d.npy", i);
        rc = npz_member(&r->sparse, name, t, &r->owned[i], err);
        snprintf(wanted, sizeof(wanted), "int32 [%lld,%lld] (input.hots)", (long long)n,
                 (long long)r->model->hots[i]);
        if (!rc && (t->dtype != ASSAY_I32 || t->rank != 2 || t->dims[0] != n ||
                    t->dims[1] != r->model->hots[i]))
            rc = wrong_array(r->sparse.map.path, name, t, wanted, err);
    }
    return rc;
}

static int open_arrays(struct rows *r, const char *folder, struct hash *h, struct assay_err *err)
{
    const struct assay_tensor *d = &r->dense_view, *l = &r->labels_view;
    char *path = file_join(folder, "day_23_sparse_multi_hot.npz");
    int rc = open_array(folder, "day_23_dense.npy", &r->dense, &r->dense_view, h, err);

    if (!rc)
        rc = open_array(folder, "day_23_labels.npy", &r->labels, &r->labels_view, h, err);
    if (!rc && (d->dtype != ASSAY_F32 || d->rank != 2 || d->dims[1] != CRITEO_DENSE || !d->dims[0]))
        rc = wrong_array(r->dense.path, "the array", d, "float32 [rows,13]", err);
    if (!rc &&
        ((l->dtype != ASSAY_I32 && l->dtype != ASSAY_F32 && l->dtype != ASSAY_I64) || l->rank < 1 ||
         l->rank > 2 || l->dims[0] != d->dims[0] || (l->rank == 2 && l->dims[1] != 1)))
        rc = wrong_array(r->labels.path, "the array", l,
                         "int32, int64 or float32, a label for each row of day_23_dense.npy", err);
    if (!rc && !(rc = npz_open(path ? path : "", &r->sparse, err))) {
        add_hash(h, &r->sparse.map);
        rc = open_hots(r, d->dims[0], err);
    }
    if (!rc)
        r->n = criteo_half((uint64_t)d->dims[0]);
    free(path);
    return rc;
}

static int read_arrays(const struct rows *r, uint64_t at, float *dense, int32_t *indices,
                       float *label, struct assay_err *err)
{
    const struct assay_tensor *l = &r->labels_view;
    size_t each = assay_dtype_size(l->dtype);
    int32_t whole;
    int64_t k;
    int i;

    memcpy(&whole, (const char *)l->data + at * each, sizeof(whole));
    memcpy(label, &whole, sizeof(*label));
    if (l->dtype != ASSAY_F32)
        *label = (float)whole;
    if (*label != 0 && *label != 1)
        return assay_fail(err, ASSAY_EFAIL, "%s: row %llu: label %g; wanted: 0 or 1",
                          r->labels.path, (unsigned long long)at, *label);
    memcpy(dense, (const char *)r->dense_view.data + at * CRITEO_DENSE * sizeof(*dense),
           CRITEO_DENSE * sizeof(*dense));
    for (i = 0; i < CRITEO_CATEGORIES; i++) {
        size_t bytes = (size_t)r->model->hots[i] * sizeof(*indices);

        memcpy(indices, (const char *)r->hot_view[i].data + at * bytes, bytes);
        for (k = 0; k < r->model->hots[i]; k++, indices++) {
            if (r->ids.fold && *indices >= 0)
                *indices = (int32_t)(*indices % r->ids.rows[i]);
            if (*indices < 0 || *indices >= r->ids.rows[i])
                return assay_fail(err, ASSAY_EFAIL,
                                  "%s: row %llu: category %d has %d, and its table has %lld rows "
                                  "(input.rows)",
                                  r->sparse.map.path, (unsigned long long)at, i, *indices,
                                  (long long)r->ids.rows[i]);
        }
    }
    return ASSAY_OK;
}

/* ---- one row of version 1, and synthetic ones ---- */

/* Small numbers are frequent, as in real rows: the square of a part of the table. */
static int32_t synthetic_id(uint64_t *state, int64_t rows)
{
    float x = synthetic_unit(state);

    return (int32_t)((double)x * x * (double)rows);
}

static void read_synthetic(const struct rows *r, uint64_t at, float *dense, int32_t *indices,
                           float *label)
{
    uint64_t s = r->seed * 0x2545f4914f6cdd1du + at;
    int64_t k;
    int i;

    *label = synthetic_unit(&s) < 0.25f;
    for (i = 0; i < CRITEO_DENSE; i++) /* 0 to 10000, half of them below 2 */
        dense[i] = criteo_dense((int32_t)(1 / (synthetic_unit(&s) + 1e-4f)));
    for (i = 0; i < CRITEO_CATEGORIES; i++)
        for (k = 0; k < r->model->hots[i]; k++)
            *indices++ = synthetic_id(&s, r->model->rows[i]);
}

static int read_numbers(const struct rows *r, uint64_t at, float *dense, int32_t *indices,
                        float *label, struct assay_err *err)
{
    int32_t row[CRITEO_COLUMNS];
    struct assay_tensor block;
    int i, rc;

    if (r->binary.data) {
        rc = criteo_check((const int32_t *)r->binary.data + at * CRITEO_COLUMNS, r->binary.path, at,
                          &r->ids, row, err);
    } else if (!(rc = cache_input(r->cache, at / CRITEO_BLOCK, 0, &block, err))) {
        memcpy(row, (const int32_t *)block.data + at % CRITEO_BLOCK * CRITEO_COLUMNS, sizeof(row));
    }
    if (rc)
        return rc;
    *label = (float)row[0];
    for (i = 0; i < CRITEO_DENSE; i++)
        dense[i] = criteo_dense(row[1 + i]);
    memcpy(indices, row + FIRST, CRITEO_CATEGORIES * sizeof(*indices));
    return ASSAY_OK;
}

int rows_read(const struct rows *r, uint64_t from, uint64_t n, float *dense, int32_t *indices,
              float *labels, struct assay_err *err)
{
    uint64_t i;
    int rc = ASSAY_OK;

    for (i = 0; i < n && !rc; i++, dense += CRITEO_DENSE, indices += r->model->hot, labels++)
        if (r->sparse.map.data)
            rc = read_arrays(r, from + i, dense, indices, labels, err);
        else if (r->binary.data || r->cache)
            rc = read_numbers(r, from + i, dense, indices, labels, err);
        else if (!r->raw.map.data)
            read_synthetic(r, from + i, dense, indices, labels);
        else
            rc = assay_fail(err, ASSAY_EFAIL, "dlrm: rows are asked for before they were prepared");
    return rc;
}

int rows_load(struct rows *r, const struct pairs *p, const uint64_t *index, uint64_t n,
              struct assay_err *err)
{
    uint64_t blocks = (r->n + CRITEO_BLOCK - 1) / CRITEO_BLOCK, found = 0, i, k;
    uint64_t *list = malloc((blocks + 1) * sizeof(*list));
    bool *seen = calloc(blocks + 1, sizeof(*seen));
    int rc = list && seen ? ASSAY_OK : assay_fail(err, ASSAY_EFAIL, "dlrm: not enough memory");

    for (i = 0; i < n && r->cache && !rc; i++)
        for (k = p->start[index[i]] / CRITEO_BLOCK;
             k <= (p->start[index[i] + 1] - 1) / CRITEO_BLOCK; k++)
            if (!seen[k]) {
                seen[k] = true;
                list[found++] = k;
            }
    if (!rc && found)
        rc = cache_load(r->cache, list, found, err);
    free(list);
    free(seen);
    return rc;
}

/* ---- opening ---- */

static bool there(const char *folder, const char *name)
{
    char *path = file_join(folder, name);
    bool yes = path && file_exists(path);

    free(path);
    return yes;
}

static int open_numbers(struct rows *r, const char *folder, struct hash *h, struct assay_err *err)
{
    char *path = NULL;
    int rc;

    if (there(folder, CRITEO_BINARY)) {
        path = file_join(folder, CRITEO_BINARY);
        rc = criteo_binary_open(path ? path : "", &r->binary, &r->n, err);
        if (!rc)
            add_hash(h, &r->binary);
    } else if (!(rc = criteo_find(folder, &path, err))) {
        rc = path ? open_raw(r, folder, path, h, err)
                  : assay_fail(err, ASSAY_EFAIL,
                               "%s: has neither %s nor day_23; wanted: Criteo's Terabyte logs, "
                               "pre-processed or raw%s",
                               folder, CRITEO_BINARY,
                               there(folder, "day_23_dense.npy")
                                   ? " (what is there is for DLRM-v2, whose manifests have "
                                     "input.hots)"
                                   : "");
    }
    free(path);
    return rc;
}

int rows_open(const char *folder, uint64_t seed, uint64_t count, const struct model *m,
              struct rows *r, struct assay_err *err)
{
    struct hash *h = hash_create();
    char line[96];
    int rc = h ? ASSAY_OK : assay_fail(err, ASSAY_EFAIL, "dlrm: not enough memory");

    r->model = m;
    r->seed = seed;
    r->n = count;
    r->ids.range = (uint32_t)m->range;
    r->ids.fold = m->fold;
    memcpy(r->ids.rows, m->rows, sizeof(r->ids.rows));
    if (!rc && folder)
        rc = m->multi ? open_arrays(r, folder, h, err) : open_numbers(r, folder, h, err);
    if (!h)
        return rc;
    snprintf(line, sizeof(line), "%s %llu %llu\n", folder ? "pairs" : "synthetic",
             (unsigned long long)r->n, folder ? 0ULL : (unsigned long long)seed);
    hash_add(h, line, strlen(line));
    hash_take(h, r->hash);
    if (folder)
        snprintf(r->name, sizeof(r->name), "criteo-terabyte (folder %s)", file_base(folder));
    else
        snprintf(r->name, sizeof(r->name), "synthetic pairs (seed %llu)", (unsigned long long)seed);
    return rc;
}

void rows_close(struct rows *r)
{
    int i;

    criteo_dictionary_release(&r->ids);
    criteo_raw_close(&r->raw);
    cache_close(r->cache);
    mapped_close(&r->binary);
    mapped_close(&r->dense);
    mapped_close(&r->labels);
    npz_close(&r->sparse);
    for (i = 0; i < CRITEO_CATEGORIES; i++)
        free(r->owned[i]);
    free(r->dictionary);
}
