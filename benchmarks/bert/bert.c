/* BERT (question answering on SQuAD v1.1): a folder with dev-v1.1.json and vocab.txt, or synthetic
 * questions.
 *
 * open reads and tokenises everything (a moment: the number of samples is the number of windows);
 * prepare makes the cache of tensors, or maps it; respond turns the model's outputs into the
 * official payload, float32 [positions][2]: start and end logits, interleaved; score makes answers
 * of them. */
#include "bert.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/text.h"
#include "data/cache.h"

#define CODE_VERSION    1 /* another one: cached samples are made anew */
#define SYNTHETIC_COUNT 1024
#define SYNTHETIC_MOST  500000 /* what squad_parse reads */
#define OFFICIAL_COUNT  10833  /* with the official vocabulary */
#define PAIR_BYTES      (2 * sizeof(float))

struct bert {
    struct assay_benchmark_config config; /* strings are our own */
    struct model model;
    struct squad squad;
    struct vocab vocab;
    struct squad_features features;
    uint64_t samples; /* features that are used */
    struct assay_tensor_spec inputs[ROLES], outputs[2];
    struct cache *cache;
    char hash[HASH_HEX], name[300], preprocess[200];
};

static void bert_close(void *self)
{
    struct bert *b = self;

    cache_close(b->cache);
    if (b->features.squad)
        squad_features_release(&b->features);
    squad_release(&b->squad);
    vocab_release(&b->vocab);
    free((char *)b->config.dataset);
    free((char *)b->config.cache_dir);
    free(b);
}

static int no_memory(struct assay_err *err)
{
    return assay_fail(err, ASSAY_EFAIL, "bert: not enough memory");
}

/* ---- opening ---- */

static void add_hash(struct hash *h, const char *what)
{
    hash_add(h, what, strlen(what));
    hash_add(h, "\n", 1);
}

/* The data set's hash: the bytes of questions and vocabulary; of synthetic ones they are text too.
 */
static int hash_dataset(struct bert *b, const char hex[2][HASH_HEX], struct assay_err *err)
{
    struct hash *h = hash_create();
    char line[64];

    if (!h)
        return no_memory(err);
    snprintf(line, sizeof(line), "%llu", (unsigned long long)b->samples);
    add_hash(h, hex[0]);
    add_hash(h, hex[1]);
    add_hash(h, line);
    hash_take(h, b->hash);
    return ASSAY_OK;
}

static char *vocab_path(const struct bert *b)
{
    const char *name = b->model.vocab[0] ? b->model.vocab : "vocab.txt";

    return name[0] == '/' ? strdup(name) : file_join(b->config.dataset, name);
}

static int read_files(struct bert *b, char hex[2][HASH_HEX], struct assay_err *err)
{
    char *questions = NULL, *vocab = vocab_path(b);
    int rc = vocab ? squad_find(b->config.dataset, &questions, err) : no_memory(err);

    if (!rc && !file_exists(vocab))
        rc = assay_fail(err, ASSAY_EFAIL,
                        "%s: is missing; wanted: the vocabulary of BERT uncased, beside the "
                        "questions or named by the manifest's input.vocab",
                        vocab);
    if (!rc && !(rc = squad_read(questions, &b->squad, err)) &&
        !(rc = vocab_read(vocab, &b->vocab, err)) && !(rc = hash_file(questions, hex[0], err)))
        rc = hash_file(vocab, hex[1], err);
    if (!rc && b->vocab.n > b->model.vocabulary)
        rc = assay_fail(err, ASSAY_EFAIL,
                        "%s: has %u tokens, and the model takes ids below %lld "
                        "(input.vocabulary); wanted: the vocabulary that the model was made with",
                        vocab, b->vocab.n, (long long)b->model.vocabulary);
    free(questions);
    free(vocab);
    return rc;
}

static int make_synthetic(struct bert *b, char hex[2][HASH_HEX], struct assay_err *err)
{
    struct text questions, vocab;
    uint64_t n = b->config.count ? b->config.count : SYNTHETIC_COUNT;
    int rc;

    if (n > SYNTHETIC_MOST)
        return assay_fail(err, ASSAY_EUSAGE, "synthetic questions: at most %d are possible",
                          SYNTHETIC_MOST);
    text_init(&questions, SQUAD_MAX_BYTES);
    text_init(&vocab, VOCAB_MAX_BYTES);
    synthetic_squad(b->config.seed, n, &questions);
    synthetic_vocab(&vocab);
    if (questions.cut || vocab.cut)
        rc = assay_fail(err, ASSAY_EFAIL, "synthetic questions: not enough memory for %llu",
                        (unsigned long long)n);
    else if (!(rc = squad_parse(questions.s, questions.len, "synthetic questions", &b->squad, err)))
        rc = vocab_parse(vocab.s, vocab.len, "synthetic vocabulary", &b->vocab, err);
    hash_bytes(questions.s, questions.len, hex[0]);
    hash_bytes(vocab.s, vocab.len, hex[1]);
    text_release(&questions);
    text_release(&vocab);
    if (!rc && b->vocab.n > b->model.vocabulary)
        rc = assay_fail(err, ASSAY_EFAIL,
                        "synthetic questions have ids up to %u, and the model takes those below "
                        "%lld (input.vocabulary)",
                        b->vocab.n - 1, (long long)b->model.vocabulary);
    return rc;
}

static int count_samples(struct bert *b, struct assay_err *err)
{
    uint64_t want = b->config.dataset || b->config.count ? b->config.count : SYNTHETIC_COUNT;

    b->samples = want ? want : b->features.n;
    if (b->samples > b->features.n)
        return assay_fail(
            err, ASSAY_EUSAGE, "%s: gives %llu samples (windows of questions), %llu were asked for",
            b->config.dataset, (unsigned long long)b->features.n, (unsigned long long)want);
    return ASSAY_OK;
}

static void fill_specs(struct bert *b)
{
    const struct model *m = &b->model;
    int64_t length = m->free ? -1 : SQUAD_LENGTH;
    int i;

    for (i = 0; i < ROLES; i++) {
        const char *name = m->inputs[m->order[i]];

        b->inputs[i] = (struct assay_tensor_spec){
            .name = name[0] ? name : NULL, .dtype = m->dtype, .rank = 1, .dims = {length}};
    }
    for (i = 0; i < 2; i++)
        b->outputs[i] = (struct assay_tensor_spec){
            .name = m->outputs[i][0] ? m->outputs[i] : NULL,
            .dtype = ASSAY_F32,
            .rank = m->joined ? 2 : 1,
            .dims = {SQUAD_LENGTH, m->joined ? 2 : 0}}; /* at most: a model's own may be free */
    snprintf(b->preprocess, sizeof(b->preprocess),
             "WordPiece (uncased), questions of at most %d tokens, windows of %d, %d apart; %s, %s",
             SQUAD_QUESTION, SQUAD_LENGTH, SQUAD_STRIDE, assay_dtype_name(m->dtype),
             m->free ? "at their own length" : "padded with 0");
}

static int fill(struct bert *b, struct assay_err *err)
{
    char hex[2][HASH_HEX];
    int rc = b->config.dataset ? read_files(b, hex, err) : make_synthetic(b, hex, err);

    if (!rc)
        rc = squad_features_make(&b->squad, &b->vocab, b->config.threads, &b->features, err);
    if (!rc)
        rc = count_samples(b, err);
    return rc ? rc : hash_dataset(b, (const char(*)[HASH_HEX])hex, err);
}

static int bert_open(const struct assay_benchmark_config *config, void **self,
                     struct assay_err *err)
{
    struct bert *b = calloc(1, sizeof(*b));
    int rc;

    if (!b)
        return no_memory(err);
    b->config = *config;
    b->config.manifest = NULL; /* not needed after open */
    b->config.threads = config->threads ? config->threads : 1;
    b->config.dataset = config->dataset ? strdup(config->dataset) : NULL;
    b->config.cache_dir = config->cache_dir ? strdup(config->cache_dir) : file_cache_dir();
    rc = model_parse(config->manifest, &b->model, err);
    if (!rc)
        rc = fill(b, err);
    if (rc) {
        bert_close(b);
        return rc;
    }
    fill_specs(b);
    if (config->dataset)
        snprintf(b->name, sizeof(b->name), "squad-v1.1 (folder %s)", file_base(config->dataset));
    else
        snprintf(b->name, sizeof(b->name), "synthetic questions (seed %llu)",
                 (unsigned long long)config->seed);
    *self = b;
    return ASSAY_OK;
}

static int bert_describe(void *self, struct assay_benchmark_desc *d, struct assay_err *err)
{
    struct bert *b = self;

    (void)err;
    d->dataset_name = b->name;
    d->dataset_hash = b->hash;
    d->samples = b->samples;
    d->synthetic = !b->config.dataset;
    d->unofficial = b->config.dataset && d->samples != OFFICIAL_COUNT;
    d->input_count = ROLES;
    d->output_count = b->model.joined ? 1 : 2;
    d->inputs = b->inputs;
    d->outputs = b->outputs;
    d->response_bytes = SQUAD_LENGTH * PAIR_BYTES;
    d->loaded_bytes = (uint64_t)ROLES * SQUAD_LENGTH * assay_dtype_size(b->model.dtype);
    d->preprocess = b->preprocess;
    d->zero_padding = b->model.free;
    return ASSAY_OK;
}

/* ---- samples ---- */

static void write_values(const int32_t *values, int32_t dtype, void *memory)
{
    int64_t *wide = memory;
    int i;

    if (dtype == ASSAY_I32)
        memcpy(memory, values, SQUAD_LENGTH * sizeof(*values));
    else
        for (i = 0; i < SQUAD_LENGTH; i++)
            wide[i] = values[i];
}

static int fill_sample(void *ctx, uint32_t worker, uint64_t index, void *const *memory,
                       struct assay_err *err)
{
    struct bert *b = ctx;
    int32_t values[ROLES][SQUAD_LENGTH];
    int i;

    (void)worker;
    (void)err;
    squad_feature_fill(&b->features, index, values[ROLE_IDS], values[ROLE_MASK],
                       values[ROLE_TYPES]);
    for (i = 0; i < ROLES; i++)
        write_values(values[b->model.order[i]], b->model.dtype, memory[i]);
    return ASSAY_OK;
}

static int bert_prepare(void *self, struct assay_err *err)
{
    struct bert *b = self;
    struct assay_tensor_spec padded[ROLES];
    struct cache_spec spec = {.dir = b->config.cache_dir,
                              .name = "bert",
                              .count = b->samples,
                              .input_count = ROLES,
                              .inputs = padded,
                              .threads = b->config.threads,
                              .fill = fill_sample,
                              .ctx = b,
                              .progress = b->config.progress,
                              .progress_ctx = b->config.progress_ctx,
                              .stop = b->config.stop};
    char text[200], key[HASH_HEX];
    int i;

    if (b->cache)
        return ASSAY_OK;
    for (i = 0; i < ROLES; i++) {
        padded[i] = b->inputs[i];
        padded[i].dims[0] = SQUAD_LENGTH;
    }
    snprintf(text, sizeof(text), "bert %d %s %d %d%d%d", CODE_VERSION, b->hash, b->model.dtype,
             b->model.order[0], b->model.order[1], b->model.order[2]);
    hash_bytes(text, strlen(text), key);
    spec.key = key;
    return cache_open(&spec, &b->cache, err);
}

static int not_prepared(struct assay_err *err)
{
    return assay_fail(err, ASSAY_EFAIL, "bert: samples are asked for before they were prepared");
}

static int bert_load(void *self, const uint64_t *index, uint64_t n, struct assay_err *err)
{
    struct bert *b = self;

    return b->cache ? cache_load(b->cache, index, n, err) : not_prepared(err);
}

static void bert_unload(void *self, const uint64_t *index, uint64_t n)
{
    struct bert *b = self;

    if (b->cache)
        cache_unload(b->cache, index, n);
}

static int bert_input(void *self, uint64_t index, uint32_t input, struct assay_tensor *view,
                      struct assay_err *err)
{
    struct bert *b = self;
    int rc = b->cache ? cache_input(b->cache, index, input, view, err) : not_prepared(err);

    if (!rc && b->model.free) {
        view->dims[0] = b->features.features[index].length;
        view->bytes = (size_t)view->dims[0] * assay_dtype_size(view->dtype);
    }
    return rc;
}

/* ---- responses ---- */

/* A response has the sample's own positions when the sequence axis is free, so that it does not
 * depend on its neighbours in the batch; else all, as the official one. */
static int bert_respond(void *self, uint64_t index, const struct assay_tensor *outputs,
                        uint32_t count, uint32_t row, void *response, size_t capacity,
                        size_t *bytes, struct assay_err *err)
{
    struct bert *b = self;
    bool joined = b->model.joined;
    uint32_t wanted = joined ? 1 : 2, i, k;
    int64_t length = b->model.free ? b->features.features[index].length : SQUAD_LENGTH, have;
    float *pair = response;

    for (i = 0; i < wanted; i++)
        if (count != wanted || outputs[i].dtype != ASSAY_F32 || outputs[i].rank != 2u + joined ||
            outputs[i].dims[1] < length || (joined && outputs[i].dims[2] != 2) ||
            outputs[i].dims[1] != outputs[0].dims[1] || capacity < (size_t)length * PAIR_BYTES)
            return assay_fail(err, ASSAY_EFAIL,
                              "sample %llu: the engine's outputs are not start and end logits of "
                              "%lld positions",
                              (unsigned long long)index, (long long)length);
    have = outputs[0].dims[1];
    for (i = 0; i < length; i++)
        for (k = 0; k < 2; k++) {
            const float *from = outputs[joined ? 0 : k].data;

            *pair = joined ? from[((uint64_t)row * (uint64_t)have + i) * 2 + k]
                           : from[(uint64_t)row * (uint64_t)have + i];
            if (isnan(*pair++))
                return assay_fail(err, ASSAY_EFAIL, "sample %llu: the model's output has NaN",
                                  (unsigned long long)index);
        }
    *bytes = (size_t)length * PAIR_BYTES;
    return ASSAY_OK;
}

/* ---- score ---- */

static bool has_nan(const struct assay_log_entry *e)
{
    float value;
    uint64_t at;

    for (at = 0; at < e->bytes; at += sizeof(value)) {
        memcpy(&value, e->data + at, sizeof(value));
        if (isnan(value))
            return true;
    }
    return false;
}

/* By sample; the last entry of one counts, as in the official script. */
static int collect(const struct bert *b, const struct assay_log_entry *entries, uint64_t n,
                   struct payload *payloads, struct assay_err *err)
{
    uint64_t i;

    if (!n)
        return assay_fail(err, ASSAY_EFAIL, "accuracy log: has no entries; run in accuracy mode");
    for (i = 0; i < n; i++) {
        const struct assay_log_entry *e = &entries[i];

        if (e->index >= b->samples)
            return assay_fail(err, ASSAY_EFAIL,
                              "accuracy log: sample %llu is not in the data set, which has %llu",
                              (unsigned long long)e->index, (unsigned long long)b->samples);
        if (e->bytes % PAIR_BYTES || e->bytes > SQUAD_LENGTH * PAIR_BYTES)
            return assay_fail(err, ASSAY_EFAIL,
                              "accuracy log, sample %llu: has %llu bytes of data; wanted: start "
                              "and end logits as float32, for at most %d positions",
                              (unsigned long long)e->index, (unsigned long long)e->bytes,
                              SQUAD_LENGTH);
        if (has_nan(e))
            return assay_fail(err, ASSAY_EFAIL, "accuracy log, sample %llu: has NaN",
                              (unsigned long long)e->index);
        payloads[e->index] = (struct payload){e->data, (uint32_t)(e->bytes / PAIR_BYTES)};
    }
    return ASSAY_OK;
}

static int bert_score(void *self, const struct assay_log_entry *entries, uint64_t n,
                      struct assay_score *score, struct assay_err *err)
{
    struct bert *b = self;
    struct payload *payloads = calloc(b->samples, sizeof(*payloads));
    struct squad_tally tally = {0};
    struct text answer;
    uint32_t q;
    int rc = payloads ? collect(b, entries, n, payloads, err) : no_memory(err);

    text_init(&answer, SQUAD_MAX_BYTES);
    /* With --count: the questions of which a window is among the samples. */
    for (q = 0; q < b->squad.question_count && b->features.first[q] < b->samples && !rc; q++) {
        const struct squad_question *one = &b->squad.questions[q];

        text_clear(&answer);
        rc = answer_write(&b->features, q, payloads, b->samples, &answer, err);
        if (!rc)
            rc = squad_tally_add(&tally, answer.s, one->answers, one->answer_count, err);
    }
    text_release(&answer);
    free(payloads);
    if (rc)
        return rc;
    squad_tally_score(&tally, score);
    if (b->config.dataset && !isnan(b->model.reference)) {
        score->reference = b->model.reference;
        score->target = b->model.target;
    }
    return ASSAY_OK;
}

static const char *const scenarios[] = {"SingleStream", "Server", "Offline", NULL};

static const struct assay_benchmark table = {
    .abi_major = ASSAY_BENCHMARK_ABI_MAJOR,
    .abi_minor = ASSAY_BENCHMARK_ABI_MINOR,
    .size = sizeof(struct assay_benchmark),
    .name = "bert",
    .summary = "question answering on SQuAD v1.1, F1 and exact match",
    .loadgen_model = "bert",
    .default_model = "bert-synthetic",
    .scenarios = scenarios,
    .open = bert_open,
    .describe = bert_describe,
    .prepare = bert_prepare,
    .load = bert_load,
    .unload = bert_unload,
    .input = bert_input,
    .respond = bert_respond,
    .score = bert_score,
    .close = bert_close,
};

const struct assay_benchmark *assay_benchmark_entry(void)
{
    return &table;
}
