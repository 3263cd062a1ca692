/* A benchmark of one's own: rows of numbers, each of a class; the metric is how many are told
 * right.
 *
 * The data set is a folder with rows.csv, a line `CLASS,NUMBER,NUMBER…` for each sample; without
 * one there are made-up rows.  A model takes float32 [batch, numbers] and gives a float32 for each
 * class, [batch, classes]; the answer to a sample is the class with the largest, an int32. */
#include <assay/benchmark.h>
#include <math.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#define WIDEST 4096 /* numbers in a row */

struct rows {
    uint64_t n, room, width; /* samples, room for samples, numbers of each */
    float *numbers;          /* [n][width] */
    int32_t *classes;        /* [n] */
    int32_t class_count;
    uint32_t synthetic;
    char hash[65];
    struct assay_tensor_spec input, output;
};

static void rows_close(void *self)
{
    struct rows *r = self;

    free(r->numbers);
    free(r->classes);
    free(r);
}

static int add_row(struct rows *r, int32_t class, const float *numbers, struct assay_err *err)
{
    if (r->n == r->room) {
        r->room = r->room ? 2 * r->room : 1024;
        r->numbers = realloc(r->numbers, r->room * r->width * sizeof(float));
        r->classes = realloc(r->classes, r->room * sizeof(int32_t));
        if (!r->numbers || !r->classes)
            return assay_fail(err, ASSAY_EFAIL, "rows: not enough memory");
    }
    memcpy(r->numbers + r->n * r->width, numbers, r->width * sizeof(float));
    r->classes[r->n++] = class;
    if (class >= r->class_count)
        r->class_count = class + 1;
    return ASSAY_OK;
}

/* How many numbers stand behind the class; 0: the line is not as it has to be. */
static uint64_t read_line(const char *line, long *class, float numbers[WIDEST])
{
    uint64_t n = 0;
    char *end;

    *class = strtol(line, &end, 10);
    if (end == line || *class < 0 || *class > 65535)
        return 0;
    while (*end == ',' && n < WIDEST) {
        const char *at = end + 1;

        numbers[n++] = strtof(at, &end);
        if (end == at)
            return 0;
    }
    return *end == '\n' || !*end ? n : 0;
}

/* A mistake in the data ends the run before anything is measured, with file and line. */
static int read_file(struct rows *r, FILE *f, const char *path, uint64_t count,
                     struct assay_err *err)
{
    char line[65536];
    float numbers[WIDEST];
    long class;
    int rc = ASSAY_OK;

    while (!rc && (!count || r->n < count) && fgets(line, sizeof(line), f)) {
        uint64_t width = read_line(line, &class, numbers), at = r->n + 1;

        if (!width)
            return assay_fail(err, ASSAY_EFAIL, "%s:%llu: is no line CLASS,NUMBER,NUMBER…", path,
                              (unsigned long long)at);
        if (r->n && width != r->width)
            return assay_fail(
                err, ASSAY_EFAIL, "%s:%llu: has %llu numbers, and the first line %llu", path,
                (unsigned long long)at, (unsigned long long)width, (unsigned long long)r->width);
        r->width = width;
        rc = add_row(r, (int32_t) class, numbers, err);
    }
    if (!rc && (!r->n || r->n < count))
        return assay_fail(err, ASSAY_EUSAGE, "%s: has %llu lines, %llu are wanted", path,
                          (unsigned long long)r->n, (unsigned long long)(count ? count : 1));
    return rc;
}

static int read_data(struct rows *r, const char *folder, uint64_t count, struct assay_err *err)
{
    char path[4096];
    FILE *f;
    int rc;

    snprintf(path, sizeof(path), "%s/rows.csv", folder);
    if (!(f = fopen(path, "r")))
        return assay_fail(err, ASSAY_EFAIL, "%s: cannot be opened", path);
    rc = read_file(r, f, path, count, err);
    fclose(f);
    return rc;
}

/* Functions of the seed alone, so that every machine has the same. */
static int make_up(struct rows *r, uint64_t n, uint64_t seed, struct assay_err *err)
{
    float numbers[16];
    int rc = ASSAY_OK;

    r->synthetic = 1;
    r->width = 16;
    for (uint64_t i = 0; i < n && !rc; i++) {
        for (int k = 0; k < 16; k++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            numbers[k] = (float)(seed >> 40) / (float)(1 << 24);
        }
        rc = add_row(r, (int32_t)(i % 4), numbers, err);
    }
    return rc;
}

/* Of all that decides what the samples are: this is how a later run knows that they are the same.
 */
static void hash_rows(struct rows *r)
{
    unsigned char digest[32] = {0};
    EVP_MD_CTX *md = EVP_MD_CTX_new();

    if (md && EVP_DigestInit_ex(md, EVP_sha256(), NULL)) {
        EVP_DigestUpdate(md, &r->width, sizeof(r->width));
        EVP_DigestUpdate(md, r->classes, r->n * sizeof(*r->classes));
        EVP_DigestUpdate(md, r->numbers, r->n * r->width * sizeof(float));
        EVP_DigestFinal_ex(md, digest, NULL);
    }
    EVP_MD_CTX_free(md);
    for (size_t i = 0; i < sizeof(digest); i++)
        snprintf(r->hash + 2 * i, 3, "%02x", digest[i]);
}

static int rows_open(const struct assay_benchmark_config *c, void **self, struct assay_err *err)
{
    struct rows *r = calloc(1, sizeof(*r));
    int rc;

    if (!r)
        return assay_fail(err, ASSAY_EFAIL, "rows: not enough memory");
    rc = c->dataset ? read_data(r, c->dataset, c->count, err)
                    : make_up(r, c->count ? c->count : 1024, c->seed, err);
    if (rc)
        return rows_close(r), rc;
    hash_rows(r);
    r->input = (struct assay_tensor_spec){NULL, ASSAY_F32, 1, {(int64_t)r->width}};
    r->output = (struct assay_tensor_spec){NULL, ASSAY_F32, 1, {r->class_count}};
    *self = r;
    return ASSAY_OK;
}

static int rows_describe(void *self, struct assay_benchmark_desc *d, struct assay_err *err)
{
    struct rows *r = self;

    (void)err;
    d->dataset_name = r->synthetic ? "made-up rows" : "rows.csv";
    d->dataset_hash = r->hash;
    d->samples = r->n;
    d->synthetic = r->synthetic;
    d->input_count = d->output_count = 1;
    d->inputs = &r->input;
    d->outputs = &r->output;
    d->response_bytes = sizeof(int32_t);
    d->preprocess = "none";
    return ASSAY_OK;
}

/* Rows are small: they are read by open and stay in memory. */
static int rows_prepare(void *self, struct assay_err *err)
{
    (void)self, (void)err;
    return ASSAY_OK;
}

static int rows_load(void *self, const uint64_t *index, uint64_t n, struct assay_err *err)
{
    (void)self, (void)index, (void)n, (void)err;
    return ASSAY_OK;
}

static void rows_unload(void *self, const uint64_t *index, uint64_t n)
{
    (void)self, (void)index, (void)n;
}

static int rows_input(void *self, uint64_t index, uint32_t input, struct assay_tensor *view,
                      struct assay_err *err)
{
    struct rows *r = self;

    (void)input, (void)err;
    *view = (struct assay_tensor){
        ASSAY_F32, 1, {(int64_t)r->width}, r->numbers + index * r->width, r->width * sizeof(float)};
    return ASSAY_OK;
}

static int rows_respond(void *self, uint64_t index, const struct assay_tensor *outputs,
                        uint32_t count, uint32_t row, void *response, size_t capacity,
                        size_t *bytes, struct assay_err *err)
{
    struct rows *r = self;
    const float *scores = (const float *)outputs[0].data + (size_t)row * (size_t)r->class_count;
    int32_t best = 0;

    (void)count, (void)capacity; /* the host holds both to what describe says */
    for (int32_t k = 0; k < r->class_count; k++) {
        if (isnan(scores[k]))
            return assay_fail(err, ASSAY_EFAIL, "sample %llu: the model's output has NaN",
                              (unsigned long long)index);
        best = scores[k] > scores[best] ? k : best;
    }
    memcpy(response, &best, sizeof(best));
    *bytes = sizeof(best);
    return ASSAY_OK;
}

/* An answer counts once, by its first entry. */
static int rows_score(void *self, const struct assay_log_entry *entries, uint64_t n,
                      struct assay_score *s, struct assay_err *err)
{
    struct rows *r = self;
    unsigned char *seen = calloc(r->n, 1);
    int32_t answer;

    if (!seen)
        return assay_fail(err, ASSAY_EFAIL, "rows: not enough memory");
    s->good = s->total = 0;
    for (uint64_t i = 0; i < n; i++) {
        if (entries[i].bytes != sizeof(answer) || entries[i].index >= r->n ||
            seen[entries[i].index]++)
            continue;
        memcpy(&answer, entries[i].data, sizeof(answer));
        s->total++;
        s->good += answer == r->classes[entries[i].index];
    }
    free(seen);
    s->value = s->total ? 100.0 * (double)s->good / (double)s->total : 0;
    s->reference = s->target = NAN;
    snprintf(s->metric, sizeof(s->metric), "right");
    snprintf(s->unit, sizeof(s->unit), "%%");
    snprintf(s->line, sizeof(s->line), "right=%.3f%%, good=%llu, total=%llu", s->value,
             (unsigned long long)s->good, (unsigned long long)s->total);
    return ASSAY_OK;
}

static const struct assay_benchmark table = {
    .abi_major = ASSAY_BENCHMARK_ABI_MAJOR,
    .abi_minor = ASSAY_BENCHMARK_ABI_MINOR,
    .size = sizeof(struct assay_benchmark),
    .name = "rows",
    .summary = "classes of rows of numbers",
    .loadgen_model = "rows",
    .scenarios = (const char *const[]){"SingleStream", "Offline", NULL},
    .open = rows_open,
    .describe = rows_describe,
    .prepare = rows_prepare,
    .load = rows_load,
    .unload = rows_unload,
    .input = rows_input,
    .respond = rows_respond,
    .score = rows_score,
    .close = rows_close,
};

const struct assay_benchmark *assay_benchmark_entry(void)
{
    return &table;
}
