/* RNN-T (speech recognition on LibriSpeech's dev-clean): a folder with recordings and transcripts,
 * or synthetic utterances.
 *
 * A sample is the waveform, kept decoded (16 bits) in the cache.  drive makes its features, which
 * is timed as the rules want, and decodes them over the model's three graphs; the response is the
 * official payload: a number for each character, blank left out; score makes words of them. */
#include "rnnt.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/text.h"
#include "data/audio.h"
#include "data/cache.h"
#include "data/workers.h"
#include "score/wer.h"

#define CODE_VERSION    1 /* another one: cached samples are made anew */
#define SYNTHETIC_COUNT 256
#define OFFICIAL_COUNT  2513

/* What one sample in the making needs; there are as many as there are lanes. */
struct scratch {
    struct scratch *next;
    struct logmel_work *work;
    float *features;
    struct decode_work decode;
    uint8_t *labels;
};

struct rnnt {
    struct assay_benchmark_config config; /* texts are our own */
    struct model model;
    struct speech speech;
    uint64_t longest;         /* samples */
    char (*hashes)[HASH_HEX]; /* of the recordings */
    struct logmel *logmel;
    struct cache *cache;
    pthread_mutex_t lock; /* of the next two */
    struct scratch *free;
    struct shown *shown;
    struct assay_tensor_spec inputs[2];
    char hash[HASH_HEX], name[300], preprocess[200];
};

/* Features that somebody asked to see, kept until close. */
struct shown {
    struct shown *next;
    float features[];
};

static int no_memory(struct assay_err *err)
{
    return assay_fail(err, ASSAY_EFAIL, "rnnt: not enough memory");
}

/* ---- scratch ---- */

static void scratch_free(struct scratch *s)
{
    logmel_work_destroy(s->work);
    free(s->features);
    decode_work_release(&s->decode);
    free(s->labels);
    free(s);
}

static struct scratch *scratch_take(struct rnnt *b)
{
    uint64_t rows = logmel_rows(b->longest);
    struct scratch *s;

    pthread_mutex_lock(&b->lock);
    s = b->free;
    if (s)
        b->free = s->next;
    pthread_mutex_unlock(&b->lock);
    if (s || !(s = calloc(1, sizeof(*s))))
        return s;
    s->work = logmel_work_create(b->longest);
    s->features = malloc((rows + 1) * LOGMEL_WIDTH * sizeof(float));
    s->labels = malloc(rows * MOST_SYMBOLS);
    if (!decode_work_init(&s->decode, &b->model, rows) && s->work && s->features && s->labels)
        return s;
    scratch_free(s);
    return NULL;
}

static void scratch_give(struct rnnt *b, struct scratch *s)
{
    pthread_mutex_lock(&b->lock);
    s->next = b->free;
    b->free = s;
    pthread_mutex_unlock(&b->lock);
}

static void rnnt_close(void *self)
{
    struct rnnt *b = self;

    while (b->free) {
        struct scratch *next = b->free->next;

        scratch_free(b->free);
        b->free = next;
    }
    while (b->shown) {
        struct shown *next = b->shown->next;

        free(b->shown);
        b->shown = next;
    }
    pthread_mutex_destroy(&b->lock);
    cache_close(b->cache);
    logmel_destroy(b->logmel);
    speech_release(&b->speech);
    free(b->hashes);
    free((char *)b->config.dataset);
    free((char *)b->config.cache_dir);
    free(b);
}

/* ---- opening ---- */

static int make_synthetic(struct rnnt *b, struct assay_err *err)
{
    uint64_t n = b->config.count ? b->config.count : SYNTHETIC_COUNT, i, seed = b->config.seed;
    struct utterance *list = calloc(n, sizeof(*list));

    b->speech = (struct speech){.n = list ? n : 0, .list = list};
    for (i = 0; i < b->speech.n; i++) {
        list[i].name = text_format("synthetic-%llu", (unsigned long long)i);
        list[i].samples = synthetic_length(seed, i);
        list[i].transcript = synthetic_transcript(seed, i, list[i].samples);
        if (!list[i].name || !list[i].transcript)
            return no_memory(err);
    }
    return list ? ASSAY_OK : no_memory(err);
}

static int read_dataset(struct rnnt *b, struct assay_err *err)
{
    const struct assay_benchmark_config *c = &b->config;
    struct speech *s = &b->speech;
    int rc = speech_open(c->dataset, c->threads, c->stop, s, err);

    if (!rc && c->count > s->n)
        return assay_fail(err, ASSAY_EUSAGE, "%s: has %llu utterances, %llu were asked for",
                          c->dataset, (unsigned long long)s->n, (unsigned long long)c->count);
    while (!rc && c->count && s->n > c->count) {
        s->n--;
        free(s->list[s->n].name);
        free(s->list[s->n].transcript);
    }
    return rc;
}

static void describe_samples(struct rnnt *b)
{
    b->inputs[0] = (struct assay_tensor_spec){"waveform", ASSAY_I16, 1, {-1}};
    b->inputs[1] = b->model.inputs[GRAPH_ENCODER][0];
    if (b->config.dataset)
        snprintf(b->name, sizeof(b->name), "librispeech dev-clean (folder %s%s)",
                 file_base(b->config.dataset),
                 b->speech.listed ? "" : ", in the order of its files");
    else
        snprintf(b->name, sizeof(b->name), "synthetic utterances (seed %llu)",
                 (unsigned long long)b->config.seed);
    snprintf(b->preprocess, sizeof(b->preprocess),
             "16 kHz, decoded; timed: preemphasis %g, %d log-mel bands every 10 ms, %d frames "
             "joined, normalised",
             b->model.features.preemphasis, LOGMEL_BANDS, LOGMEL_JOINED);
}

static int fill(struct rnnt *b, struct assay_err *err)
{
    int rc = b->config.dataset ? read_dataset(b, err) : make_synthetic(b, err);
    uint64_t i;

    for (i = 0; i < b->speech.n && !rc; i++)
        b->longest =
            b->longest > b->speech.list[i].samples ? b->longest : b->speech.list[i].samples;
    if (!rc && !(b->logmel = logmel_create(&b->model.features)))
        rc = no_memory(err);
    return rc;
}

static int rnnt_open(const struct assay_benchmark_config *config, void **self,
                     struct assay_err *err)
{
    struct rnnt *b = calloc(1, sizeof(*b));
    int rc;

    if (!b)
        return no_memory(err);
    pthread_mutex_init(&b->lock, NULL);
    b->config = *config;
    b->config.manifest = NULL; /* not needed after open */
    b->config.threads = config->threads ? config->threads : 1;
    b->config.dataset = config->dataset ? strdup(config->dataset) : NULL;
    b->config.cache_dir = config->cache_dir ? strdup(config->cache_dir) : file_cache_dir();
    rc = model_parse(config->manifest, &b->model, err);
    if (!rc)
        rc = fill(b, err);
    if (rc) {
        rnnt_close(b);
        return rc;
    }
    describe_samples(b);
    *self = b;
    return ASSAY_OK;
}

/* ---- the data set's hash ---- */

static int hash_recording(void *ctx, uint32_t worker, uint64_t i, struct assay_err *err)
{
    struct rnnt *b = ctx;
    char *path = file_join(b->config.dataset, b->speech.list[i].name);
    int rc;

    (void)worker;
    if (!path)
        return no_memory(err);
    if (file_size(path) < 0)
        rc = assay_fail(err, ASSAY_EFAIL, "%s: is in the list of utterances, but missing", path);
    else
        rc = hash_file(path, b->hashes[i], err);
    free(path);
    return rc;
}

static int hash_recordings(struct rnnt *b, struct assay_err *err)
{
    struct workers w = {.threads = b->config.threads,
                        .n = b->speech.n,
                        .job = hash_recording,
                        .ctx = b,
                        .stop = b->config.stop};

    free(b->hashes);
    b->hashes = calloc(b->speech.n, sizeof(*b->hashes));
    return b->hashes ? workers_run(&w, err) : no_memory(err);
}

/* Of names, transcripts and bytes of the recordings in order; of made-up ones, what makes them. */
static int hash_dataset(struct rnnt *b, struct assay_err *err)
{
    struct hash *h;
    uint64_t i;
    char line[80];
    int rc = ASSAY_OK;

    if (b->hash[0])
        return ASSAY_OK;
    if (b->config.dataset && (rc = hash_recordings(b, err)))
        return rc;
    if (!(h = hash_create()))
        return no_memory(err);
    snprintf(line, sizeof(line), "synthetic 1 %llu", (unsigned long long)b->config.seed);
    if (!b->config.dataset)
        hash_add(h, line, strlen(line) + 1);
    for (i = 0; i < b->speech.n; i++) {
        const struct utterance *u = &b->speech.list[i];

        hash_add(h, u->name, strlen(u->name) + 1);
        hash_add(h, u->transcript, strlen(u->transcript) + 1);
        if (b->config.dataset)
            hash_add(h, b->hashes[i], sizeof(b->hashes[i]));
    }
    hash_take(h, b->hash);
    return ASSAY_OK;
}

static int rnnt_describe(void *self, struct assay_benchmark_desc *d, struct assay_err *err)
{
    struct rnnt *b = self;
    int rc = b->config.look ? ASSAY_OK : hash_dataset(b, err);

    if (rc)
        return rc;
    d->dataset_name = b->name;
    d->dataset_hash = b->hash;
    d->samples = b->speech.n;
    d->synthetic = !b->config.dataset;
    d->unofficial = b->config.dataset && (d->samples != OFFICIAL_COUNT || !b->speech.listed);
    d->input_count = 2;
    d->inputs = b->inputs;
    d->response_bytes = logmel_rows(b->longest) * MOST_SYMBOLS * b->model.symbol_bytes;
    d->loaded_bytes = b->longest * sizeof(int16_t); /* all are kept as long as the longest */
    d->preprocess = b->preprocess;
    d->graph_count = GRAPHS;
    d->graphs = b->model.graphs;
    return ASSAY_OK;
}

/* ---- samples ---- */

static int fill_sample(void *ctx, uint32_t worker, uint64_t index, void *const *memory,
                       struct assay_err *err)
{
    struct rnnt *b = ctx;
    const struct utterance *u = &b->speech.list[index];
    int16_t *out = memory[0];
    char *path;
    int rc;

    (void)worker;
    memset(out + u->samples, 0, (b->longest - u->samples) * sizeof(*out));
    if (!b->config.dataset) {
        synthetic_speech(b->config.seed, index, u->samples, out);
        return ASSAY_OK;
    }
    path = file_join(b->config.dataset, u->name);
    rc = path ? audio_read(path, SPEECH_RATE, u->samples, out, err) : no_memory(err);
    free(path);
    return rc;
}

/* The cache's samples are of one size, the longest one's. */
static int rnnt_prepare(void *self, struct assay_err *err)
{
    struct rnnt *b = self;
    struct assay_tensor_spec padded = b->inputs[0];
    struct cache_spec spec = {.dir = b->config.cache_dir,
                              .name = "rnnt",
                              .count = b->speech.n,
                              .input_count = 1,
                              .inputs = &padded,
                              .threads = b->config.threads,
                              .fill = fill_sample,
                              .ctx = b,
                              .progress = b->config.progress,
                              .progress_ctx = b->config.progress_ctx,
                              .stop = b->config.stop};
    char text[200], key[HASH_HEX];
    int rc = hash_dataset(b, err);

    if (rc || b->cache)
        return rc;
    padded.dims[0] = (int64_t)b->longest;
    snprintf(text, sizeof(text), "rnnt %d %s %llu", CODE_VERSION, b->hash,
             (unsigned long long)b->longest);
    hash_bytes(text, strlen(text), key);
    spec.key = key;
    return cache_open(&spec, &b->cache, err);
}

static int not_prepared(struct assay_err *err)
{
    return assay_fail(err, ASSAY_EFAIL, "rnnt: samples are asked for before they were prepared");
}

static int rnnt_load(void *self, const uint64_t *index, uint64_t n, struct assay_err *err)
{
    struct rnnt *b = self;

    return b->cache ? cache_load(b->cache, index, n, err) : not_prepared(err);
}

static void rnnt_unload(void *self, const uint64_t *index, uint64_t n)
{
    struct rnnt *b = self;

    if (b->cache)
        cache_unload(b->cache, index, n);
}

static int waveform(const struct rnnt *b, uint64_t index, struct assay_tensor *view,
                    struct assay_err *err)
{
    int rc = b->cache ? cache_input(b->cache, index, 0, view, err) : not_prepared(err);

    if (!rc) {
        view->dims[0] = (int64_t)b->speech.list[index].samples;
        view->bytes = (size_t)view->dims[0] * sizeof(int16_t);
    }
    return rc;
}

/* A sample's features, for people: drive makes its own. */
static int show_features(struct rnnt *b, const struct assay_tensor *wave, struct assay_tensor *view,
                         struct assay_err *err)
{
    uint64_t n = (uint64_t)wave->dims[0], rows = logmel_rows(n);
    struct shown *s = malloc(sizeof(*s) + (rows + 1) * LOGMEL_WIDTH * sizeof(float));
    struct logmel_work *work = logmel_work_create(n);

    if (!s || !work) {
        free(s);
        logmel_work_destroy(work);
        return no_memory(err);
    }
    logmel_make(b->logmel, work, wave->data, n, s->features);
    logmel_work_destroy(work);
    *view = (struct assay_tensor){ASSAY_F32,
                                  2,
                                  {(int64_t)rows, LOGMEL_WIDTH},
                                  s->features,
                                  rows * LOGMEL_WIDTH * sizeof(float)};
    pthread_mutex_lock(&b->lock);
    s->next = b->shown;
    b->shown = s;
    pthread_mutex_unlock(&b->lock);
    return ASSAY_OK;
}

/* Input 0 is the sample, the waveform; input 1 is what the encoder gets of it. */
static int rnnt_input(void *self, uint64_t index, uint32_t input, struct assay_tensor *view,
                      struct assay_err *err)
{
    struct rnnt *b = self;
    struct assay_tensor wave;
    int rc = waveform(b, index, &wave, err);

    if (rc)
        return rc;
    if (input)
        return show_features(b, &wave, view, err);
    *view = wave;
    return ASSAY_OK;
}

/* ---- responses ---- */

static int rnnt_respond(void *self, uint64_t index, const struct assay_tensor *outputs,
                        uint32_t output_count, uint32_t row, void *response, size_t capacity,
                        size_t *bytes, struct assay_err *err)
{
    (void)self, (void)outputs, (void)output_count, (void)row, (void)response, (void)capacity;
    (void)bytes;
    return assay_fail(err, ASSAY_EFAIL, "rnnt: sample %llu was not driven",
                      (unsigned long long)index);
}

static size_t write_labels(const struct rnnt *b, const uint8_t *labels, uint64_t n, void *response)
{
    int64_t wide;
    uint64_t i;

    if (b->model.symbol_bytes == 1) {
        memcpy(response, labels, n);
        return n;
    }
    for (i = 0; i < n; i++) {
        wide = labels[i];
        memcpy((char *)response + i * sizeof(wide), &wide, sizeof(wide));
    }
    return n * sizeof(wide);
}

static int rnnt_drive(void *self, uint64_t index, const struct assay_driver *driver, void *response,
                      size_t capacity, size_t *bytes, struct assay_err *err)
{
    struct rnnt *b = self;
    struct scratch *s = scratch_take(b);
    struct assay_tensor wave;
    uint64_t n;
    int rc;

    (void)capacity; /* is response_bytes, which is the most */
    if (!s)
        return no_memory(err);
    rc = waveform(b, index, &wave, err);
    if (!rc) {
        logmel_make(b->logmel, s->work, wave.data, (uint64_t)wave.dims[0], s->features);
        rc = decode(&b->model, driver, s->features, logmel_rows((uint64_t)wave.dims[0]), &s->decode,
                    s->labels, &n, err);
    }
    if (!rc)
        *bytes = write_labels(b, s->labels, n, response);
    scratch_give(b, s);
    return rc;
}

/* ---- score ---- */

/* The text of a payload. */
static int read_payload(const struct rnnt *b, const struct assay_log_entry *e, char *text,
                        struct assay_err *err)
{
    static const char vocabulary[] = " abcdefghijklmnopqrstuvwxyz'";
    size_t each = b->model.symbol_bytes, i;
    int64_t label;

    if (e->bytes % each)
        return assay_fail(err, ASSAY_EFAIL,
                          "accuracy log, sample %llu: has %llu bytes of data; wanted: %zu for each "
                          "character (output.payload)",
                          (unsigned long long)e->index, (unsigned long long)e->bytes, each);
    for (i = 0; i < e->bytes / each; i++) {
        label = e->data[i * each];
        if (each == sizeof(label))
            memcpy(&label, e->data + i * each, each);
        if (label < 0 || label >= LABELS)
            return assay_fail(err, ASSAY_EFAIL,
                              "accuracy log, sample %llu: has the label %lld; wanted: 0 (space) to "
                              "%d (apostrophe); is its payload another one (output.payload)?",
                              (unsigned long long)e->index, (long long)label, LABELS - 1);
        text[i] = vocabulary[label];
    }
    text[i] = 0;
    return ASSAY_OK;
}

static int add_entry(const struct rnnt *b, const struct assay_log_entry *e, struct wer *sum,
                     struct assay_err *err)
{
    char *text;
    int rc;

    if (e->index >= b->speech.n)
        return assay_fail(err, ASSAY_EFAIL,
                          "accuracy log: sample %llu is not in the data set, which has %llu",
                          (unsigned long long)e->index, (unsigned long long)b->speech.n);
    text = malloc(e->bytes / b->model.symbol_bytes + 1);
    rc = text ? read_payload(b, e, text, err) : no_memory(err);
    if (!rc)
        rc = wer_add(sum, b->speech.list[e->index].transcript, text, err);
    free(text);
    return rc;
}

/* Every entry counts, also of a sample that has several, as in the official script. */
static int rnnt_score(void *self, const struct assay_log_entry *entries, uint64_t n,
                      struct assay_score *score, struct assay_err *err)
{
    struct rnnt *b = self;
    struct wer sum = {0};
    uint64_t i;
    int rc = n ? ASSAY_OK
               : assay_fail(err, ASSAY_EFAIL, "accuracy log: has no entries; run in accuracy mode");

    for (i = 0; i < n && !rc; i++)
        rc = add_entry(b, &entries[i], &sum, err);
    if (rc)
        return rc;
    wer_score(&sum, n, score);
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
    .name = "rnnt",
    .summary = "speech recognition on LibriSpeech, word error rate",
    .loadgen_model = "rnnt",
    .default_model = "rnnt-synthetic",
    .scenarios = scenarios,
    .open = rnnt_open,
    .describe = rnnt_describe,
    .prepare = rnnt_prepare,
    .load = rnnt_load,
    .unload = rnnt_unload,
    .input = rnnt_input,
    .respond = rnnt_respond,
    .score = rnnt_score,
    .close = rnnt_close,
    .drive = rnnt_drive,
};

const struct assay_benchmark *assay_benchmark_entry(void)
{
    return &table;
}
