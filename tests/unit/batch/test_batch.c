/* The batcher against stub stages: every item completed exactly once with its own answer, in every
 * way that an engine may complete. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "batch/batch.h"

#define SAMPLES 64
#define ROW     3 /* floats of a sample; the answer is their sum */

enum way { INSIDE, LATER, AGAIN_OFTEN, FAILING, UNTIL_PACKED, TOGETHER };

struct stub {
    enum way way;
    bool gather;
    float data[SAMPLES][ROW];
    unsigned char
        gap[SAMPLES]; /* 1: this sample lies elsewhere, so a batch with it must be packed */
    float elsewhere[SAMPLES][16];
    uint64_t shorter;         /* this sample has one number less than the others; 0: none has */
    _Atomic int seen[100000]; /* completions by id */
    _Atomic int wrong, failed, submits, largest, smallest, copied;
    uint32_t copies_from; /* rows from this one on are the one before it; 0: none is known to be */
    float answer[8][SAMPLES];
    _Atomic int graphs[3], driven, viewed, inside;
    /* LATER: a thread that completes what is queued. */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct assay_batch *queue[64];
    int queued;
    bool stop;
};

static void compute(struct stub *s, struct assay_batch *b, float *out)
{
    for (uint32_t i = 0; i < b->samples; i++) {
        const float *row =
            s->gather ? b->rows[0][i]->data : (const float *)b->inputs[0].data + i * ROW;

        out[i] = row[0] + row[1] + row[2];
        if (s->copies_from && i >= s->copies_from && out[i] != out[i - 1])
            atomic_fetch_add(&s->wrong, 1);
    }
    b->outputs[0] =
        (struct assay_tensor){ASSAY_F32, 1, {b->samples}, out, b->samples * sizeof(float)};
}

static void *complete_later(void *arg)
{
    struct stub *s = arg;
    struct assay_batch *b;
    float out[SAMPLES];

    pthread_mutex_lock(&s->lock);
    for (;;) {
        while (!s->queued && !s->stop)
            pthread_cond_wait(&s->more, &s->lock);
        if (!s->queued)
            break;
        b = s->queue[--s->queued]; /* last first: out of order */
        pthread_mutex_unlock(&s->lock);
        compute(s, b, out);
        b->done(b, ASSAY_OK, NULL);
        pthread_mutex_lock(&s->lock);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

static int stub_submit(void *ctx, struct assay_batch *b, struct assay_err *err)
{
    struct stub *s = ctx;
    int n = atomic_fetch_add(&s->submits, 1), largest = atomic_load(&s->largest),
        smallest = atomic_load(&s->smallest);

    if (s->way == AGAIN_OFTEN && n % 3)
        return ASSAY_EAGAIN;
    if (s->way == FAILING && n == 3)
        return assay_fail(err, ASSAY_EFAIL, "stub: no more");
    while ((int)b->samples > largest &&
           !atomic_compare_exchange_weak(&s->largest, &largest, (int)b->samples))
        ;
    while ((int)b->samples < smallest &&
           !atomic_compare_exchange_weak(&s->smallest, &smallest, (int)b->samples))
        ;
    if (s->way == LATER) {
        pthread_mutex_lock(&s->lock);
        s->queue[s->queued++] = b;
        pthread_cond_signal(&s->more);
        pthread_mutex_unlock(&s->lock);
        return ASSAY_OK;
    }
    atomic_fetch_add(&s->inside, 1);
    for (int ms = 0; s->way == TOGETHER && s->inside < 2; ms++) { /* until another lane comes */
        if (ms == 5000)
            atomic_fetch_add(&s->wrong, 1);
        if (ms >= 5000)
            break;
        usleep(1000);
    }
    for (int ms = 0; s->way == UNTIL_PACKED && n == 0 && s->viewed <= (int)b->samples; ms++) {
        if (ms == 5000)
            atomic_fetch_add(&s->wrong, 1);
        if (ms >= 5000)
            break;
        usleep(1000);
    }
    compute(s, b, s->answer[b->lane]);
    b->done(b, ASSAY_OK, NULL);
    return ASSAY_OK;
}

static void *stub_alloc(void *ctx, size_t bytes)
{
    atomic_fetch_add(&((struct stub *)ctx)->copied, 1);
    return malloc(bytes);
}

static void stub_release(void *ctx, void *memory)
{
    (void)ctx;
    free(memory);
}

static int stub_input(void *ctx, uint64_t index, uint32_t input, struct assay_tensor *view,
                      struct assay_err *err)
{
    struct stub *s = ctx;

    (void)input, (void)err;
    atomic_fetch_add(&s->viewed, 1);
    *view = (struct assay_tensor){ASSAY_F32,
                                  1,
                                  {ROW},
                                  s->gap[index] ? s->elsewhere[index] : s->data[index],
                                  (index && index == s->shorter ? ROW - 1 : ROW) * sizeof(float)};
    return ASSAY_OK;
}

static int stub_respond(void *ctx, uint64_t index, const struct assay_tensor *outputs, uint32_t n,
                        uint32_t row, void *response, size_t capacity, size_t *bytes,
                        struct assay_err *err)
{
    float got = ((const float *)outputs[0].data)[row];
    struct stub *s = ctx;

    (void)n, (void)err;
    if (got != (float)(3 * index + 3) || capacity < sizeof(got))
        atomic_fetch_add(&s->wrong, 1);
    memcpy(response, &got, sizeof(got));
    *bytes = sizeof(got);
    return ASSAY_OK;
}

static void stub_complete(void *ctx, const struct batch_done *done, size_t n)
{
    struct stub *s = ctx;

    for (size_t i = 0; i < n; i++) {
        float got;

        memcpy(&got, (const void *)done[i].data, sizeof(got));
        if (got != (float)(3 * (done[i].id % SAMPLES) + 3) || done[i].size != sizeof(got))
            atomic_fetch_add(&s->wrong, 1);
        atomic_fetch_add(&s->seen[done[i].id], 1);
    }
}

static void stub_fail(void *ctx, const struct assay_err *err)
{
    struct stub *s = ctx;

    assert_non_null(strstr(err->text, s->shorter ? "different shapes" : "stub: no more"));
    atomic_fetch_add(&s->failed, 1);
}

/* One sample over three graphs, each inference adding one of its numbers: carried state, as RNN-T
 * has it. */
static int stub_drive(void *ctx, uint64_t index, const struct assay_driver *driver, void *response,
                      size_t capacity, size_t *bytes, struct assay_err *err)
{
    struct stub *s = ctx;
    float state = 0;

    (void)capacity;
    for (uint32_t g = 0; g < ROW; g++) {
        float in[ROW] = {state, s->data[index][g], 0};
        struct assay_tensor input = {ASSAY_F32, 2, {1, ROW}, in, sizeof(in)}, output;
        int rc = driver->infer(driver->ctx, g, 1, &input, 1, &output, 1, err);

        if (rc)
            return rc;
        atomic_fetch_add(&s->graphs[g], 1);
        state = *(float *)output.data;
    }
    memcpy(response, &state, sizeof(state));
    *bytes = sizeof(state);
    return ASSAY_OK;
}

/* The same for a batch; every sample's response has its own place. */
static int stub_drive_batch(void *ctx, const uint64_t *index, uint32_t n,
                            const struct assay_driver *driver, void *responses, size_t capacity,
                            size_t *bytes, struct assay_err *err)
{
    struct stub *s = ctx;
    int rc = ASSAY_OK;

    assert_int_equal(driver->graph_count, 1);
    assert_string_equal(driver->graphs[0].name, "stub");
    atomic_fetch_add(&s->driven, 1);
    for (uint32_t i = 0; i < n && !rc; i++)
        rc = stub_drive(ctx, index[i], driver, (char *)responses + i * capacity, capacity,
                        &bytes[i], err);
    return rc;
}

static struct stub *stub_create(enum way way)
{
    struct stub *s = calloc(1, sizeof(*s));

    s->way = way;
    s->smallest = SAMPLES;
    for (int i = 0; i < SAMPLES; i++)
        for (int k = 0; k < ROW; k++)
            s->data[i][k] = s->elsewhere[i][k] = (float)(i + k);
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->more, NULL);
    if (way == LATER)
        pthread_create(&s->thread, NULL, complete_later, s);
    return s;
}

static void stub_destroy(struct stub *s)
{
    if (s->way == LATER) {
        pthread_mutex_lock(&s->lock);
        s->stop = true;
        pthread_cond_signal(&s->more);
        pthread_mutex_unlock(&s->lock);
        pthread_join(s->thread, NULL);
    }
    free(s);
}

static struct batcher *make(struct stub *s, struct batch_config *config, bool drive)
{
    static const uint32_t map[1] = {0};
    struct batch_ops ops = {.ctx = s,
                            .submit = stub_submit,
                            .alloc = stub_alloc,
                            .release = stub_release,
                            .input = stub_input,
                            .respond = stub_respond,
                            .drive = drive ? stub_drive : NULL,
                            .drive_batch = drive && config->graphs ? stub_drive_batch : NULL,
                            .complete = stub_complete,
                            .fail = stub_fail};
    struct assay_err err = {0};
    struct batcher *b;

    config->samples = SAMPLES;
    config->input_count = config->output_count = config->wanted_outputs = 1;
    config->output_map = map;
    config->response_bytes = sizeof(float);
    config->async = s->way == LATER;
    assert_int_equal(batch_create(config, &ops, &b, &err), ASSAY_OK);
    return b;
}

static void issue_and_check(struct stub *s, struct batcher *b, size_t n, size_t at_once)
{
    struct batch_item items[256];
    struct batch_stats stats;
    size_t i, k;

    for (i = 0; i < n; i += at_once) {
        for (k = 0; k < at_once; k++)
            items[k] = (struct batch_item){i + k, (i + k) % SAMPLES};
        batch_issue(b, items, at_once);
    }
    batch_flush(b);
    batch_wait_idle(b);
    assert_int_equal(batch_outstanding(b), 0);
    assert_int_equal(batch_completed(b), n);
    assert_int_equal(batch_steps(b), n + s->graphs[0] + s->graphs[1] + s->graphs[2]);
    assert_int_equal(s->wrong, 0);
    for (i = 0; i < n; i++)
        assert_int_equal(s->seen[i], 1);
    batch_stats_get(b, &stats);
    assert_int_equal(stats.samples, n);
    batch_destroy(b);
}

static void test_inline(void **state)
{
    struct stub *s = stub_create(INSIDE);
    struct batch_config c = {.lanes = 1, .max_batch = 8, .on_issuer = true};

    (void)state;
    issue_and_check(s, make(s, &c, false), 4096, 64);
    assert_int_equal(s->largest, 8);
    assert_int_equal(s->copied, 0); /* neighbours in memory: never packed */
    stub_destroy(s);
}

static void test_packs_what_is_scattered(void **state)
{
    struct stub *s = stub_create(INSIDE);
    struct batch_config c = {.lanes = 1, .max_batch = 8, .on_issuer = true};

    (void)state;
    for (int i = 0; i < SAMPLES; i += 3)
        s->gap[i] = 1;
    issue_and_check(s, make(s, &c, false), 4096, 64);
    assert_int_equal(s->copied, 1); /* one buffer, reused */
    stub_destroy(s);
}

/* Side by side in memory is not enough: a shorter sample would bring the beginning of its neighbour
 * with it. */
static void test_unequal_samples(void **state)
{
    struct stub *s = stub_create(INSIDE);
    struct batch_config c = {.lanes = 1, .max_batch = 8, .on_issuer = true};
    struct batcher *b = make(s, &c, false);
    struct batch_item items[8];

    (void)state;
    s->shorter = 3;
    for (int i = 0; i < 8; i++)
        items[i] = (struct batch_item){i, i};
    batch_issue(b, items, 8);
    assert_int_equal(s->failed, 1);
    assert_int_equal(batch_completed(b), 0);
    batch_destroy(b);
    stub_destroy(s);
}

static void test_gather(void **state)
{
    struct stub *s = stub_create(INSIDE);
    struct batch_config c = {.lanes = 2, .max_batch = 8, .gather = true};

    (void)state;
    s->gather = true;
    s->gap[5] = s->gap[6] = 1;
    issue_and_check(s, make(s, &c, false), 4096, 64);
    assert_int_equal(s->copied, 0);
    stub_destroy(s);
}

/* For a device, single samples too go through the engine's memory. */
static void test_pack(void **state)
{
    struct stub *s = stub_create(INSIDE);
    struct batch_config c = {.lanes = 1, .max_batch = 1};

    (void)state;
    issue_and_check(s, make(s, &c, false), 64, 1);
    assert_int_equal(s->copied, 0);
    c.pack = true;
    memset((void *)s->seen, 0, sizeof(s->seen));
    issue_and_check(s, make(s, &c, false), 64, 1);
    assert_int_equal(s->copied, 1); /* one slot's memory, had once */
    stub_destroy(s);
}

static void test_lanes(void **state)
{
    struct stub *s = stub_create(INSIDE);
    struct batch_config c = {.lanes = 4, .max_batch = 4};

    (void)state;
    issue_and_check(s, make(s, &c, false), 20000, 10);
    stub_destroy(s);
}

/* The first batch stays in the engine until a sample of the second one has been looked at. */
static void test_ahead(void **state)
{
    struct stub *s = stub_create(UNTIL_PACKED);
    struct batch_config c = {.lanes = 1, .max_batch = 4, .pack = true, .ahead = true};

    (void)state;
    issue_and_check(s, make(s, &c, false), 64, 64);
    assert_int_equal(s->copied, 2); /* the memory of two slots */
    stub_destroy(s);
    s = stub_create(AGAIN_OFTEN);
    c.lanes = 3;
    issue_and_check(s, make(s, &c, false), 20000, 10);
    stub_destroy(s);
    c.lanes = 2; /* two batches are one for each, though a lane would hold both */
    for (int i = 0; i < 50; i++) {
        s = stub_create(TOGETHER);
        issue_and_check(s, make(s, &c, false), 8, 8);
        stub_destroy(s);
    }
}

static void test_wait_fills_batches(void **state)
{
    struct stub *s = stub_create(INSIDE);
    struct batch_config c = {.lanes = 1, .max_batch = 16, .wait_ns = 200000000};

    (void)state;
    issue_and_check(s, make(s, &c, false), 64, 1);
    assert_int_equal(s->largest, 16);
    stub_destroy(s);
}

static void test_async(void **state)
{
    struct stub *s = stub_create(LATER);
    struct batch_config c = {.lanes = 3, .max_batch = 4, .depth = 3};

    (void)state;
    issue_and_check(s, make(s, &c, false), 20000, 10);
    stub_destroy(s);
}

static void test_again(void **state)
{
    struct stub *s = stub_create(AGAIN_OFTEN);
    struct batch_config c = {.lanes = 2, .max_batch = 4};

    (void)state;
    issue_and_check(s, make(s, &c, false), 400, 10);
    stub_destroy(s);
}

static void fail_and_stop(bool ahead)
{
    struct stub *s = stub_create(FAILING);
    struct batch_config c = {.lanes = 1, .max_batch = 1, .ahead = ahead};
    struct batcher *b = make(s, &c, false);
    struct batch_item items[20] = {{0, 0}};

    for (size_t i = 0; i < 20; i++)
        items[i] = (struct batch_item){i, i};
    batch_issue(b, items, 20);
    batch_wait_idle(b);
    assert_int_equal(s->failed, 1);
    assert_true(batch_outstanding(b) > 0);
    batch_destroy(b);
    stub_destroy(s);
}

static void test_failure_stops(void **state)
{
    (void)state;
    fail_and_stop(false);
    fail_and_stop(true);
}

/* The fourth batch is too much for the engine: the rest goes on, and the words are kept. */
static void test_try(void **state)
{
    static const struct assay_graph_desc graph = {.name = "stub"};
    static const struct batch_config cases[] = {
        {.lanes = 1, .max_batch = 8, .on_issuer = true},
        {.lanes = 2, .max_batch = 8},
        {.lanes = 2, .max_batch = 8, .pack = true, .ahead = true},
        {.lanes = 1, .max_batch = 8, .graphs = &graph, .graph_count = 1}, /* drives */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct stub *s = stub_create(FAILING);
        struct batch_config c = cases[i];
        struct batcher *b = make(s, &c, c.graph_count);
        struct batch_item items[64];
        struct assay_err err = {0};
        int seen = 0;

        for (size_t k = 0; k < 64; k++)
            items[k] = (struct batch_item){k, k};
        batch_try(b, true);
        assert_int_equal(batch_tried(b, &err), ASSAY_OK);
        batch_issue(b, items, 64);
        batch_wait_idle(b);
        assert_int_equal(batch_completed(b), 64);
        assert_int_equal(s->failed, 0);
        assert_int_equal(batch_tried(b, &err), ASSAY_EFAIL);
        assert_string_equal(err.text, "stub: no more");
        for (size_t k = 0; k < 64; k++)
            seen += s->seen[k];
        assert_in_range(seen, 56, 63);
        batch_try(b, false);
        assert_int_equal(batch_tried(b, &err), ASSAY_OK);
        batch_destroy(b);
        stub_destroy(s);
    }
}

static void test_driven(void **state)
{
    enum way ways[] = {INSIDE, LATER, AGAIN_OFTEN};

    (void)state;
    for (int w = 0; w < 3; w++) {
        struct stub *s = stub_create(ways[w]);
        struct batch_config c = {.lanes = 2, .max_batch = 4};

        issue_and_check(s, make(s, &c, true), 400, 10);
        for (int g = 0; g < 3; g++)
            assert_int_equal(s->graphs[g], 400);
        stub_destroy(s);
    }
}

static void test_driven_batches(void **state)
{
    static const struct assay_graph_desc graph = {.name = "stub"};
    enum way ways[] = {INSIDE, LATER, AGAIN_OFTEN};

    (void)state;
    for (int w = 0; w < 3; w++) {
        struct stub *s = stub_create(ways[w]);
        struct batch_config c = {.lanes = 1,
                                 .max_batch = 4,
                                 .graphs = &graph,
                                 .graph_count = 1,
                                 .on_issuer = ways[w] == INSIDE};

        issue_and_check(s, make(s, &c, true), 400, 10);
        for (int g = 0; g < 3; g++)
            assert_int_equal(s->graphs[g], 400);
        if (c.on_issuer) /* 4, 4 and 2 of each 10 */
            assert_int_equal(s->driven, 120);
        assert_true(s->driven < 400);
        stub_destroy(s);
    }
}

static void test_limit(void **state)
{
    static const uint32_t limits[] = {5, 0}, largest[] = {5, 1}; /* no batch is of 0 samples */

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct stub *s = stub_create(INSIDE);
        struct batch_config c = {.lanes = 1, .max_batch = 32, .on_issuer = true};
        struct batcher *b = make(s, &c, false);

        batch_limit(b, limits[i]);
        issue_and_check(s, b, 640, 64);
        assert_int_equal(s->largest, largest[i]);
        stub_destroy(s);
    }
}

/* Of each 5 samples a batch of the limit is made: copies of the fifth behind them, whose outputs
 * nobody sees. */
static void test_fill(void **state)
{
    static const struct {
        enum way way;
        struct batch_config c;
        uint32_t limit;
        int copied; /* pieces of memory; -1: any */
    } cases[] = {
        {INSIDE, {.lanes = 1, .max_batch = 8, .on_issuer = true}, 8, 1},
        {INSIDE, {.lanes = 1, .max_batch = 8, .on_issuer = true}, 6, 1},
        {INSIDE, {.lanes = 1, .max_batch = 8, .on_issuer = true}, 5, 0}, /* full: no copy */
        {INSIDE, {.lanes = 1, .max_batch = 8, .on_issuer = true, .pack = true}, 8, 1},
        {INSIDE, {.lanes = 1, .max_batch = 8, .on_issuer = true, .gather = true}, 8, 0},
        {INSIDE, {.lanes = 3, .max_batch = 8}, 8, -1},
        {INSIDE, {.lanes = 2, .max_batch = 8, .pack = true, .ahead = true}, 8, -1},
        {LATER, {.lanes = 2, .max_batch = 8, .depth = 3}, 8, -1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct stub *s = stub_create(cases[i].way);
        struct batch_config c = cases[i].c;
        struct batcher *b;

        c.fill = true;
        s->gather = c.gather;
        s->copies_from = c.on_issuer ? 5 : 0; /* a queue brings others together */
        b = make(s, &c, false);
        batch_limit(b, cases[i].limit);
        issue_and_check(s, b, c.on_issuer ? 60 : 4000, 5); /* 60: none goes round */
        assert_int_equal(s->smallest, cases[i].limit);
        assert_int_equal(s->largest, cases[i].limit);
        if (cases[i].copied >= 0)
            assert_int_equal(s->copied, cases[i].copied);
        stub_destroy(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_inline),
        cmocka_unit_test(test_packs_what_is_scattered),
        cmocka_unit_test(test_gather),
        cmocka_unit_test(test_pack),
        cmocka_unit_test(test_lanes),
        cmocka_unit_test(test_async),
        cmocka_unit_test(test_ahead),
        cmocka_unit_test(test_wait_fills_batches),
        cmocka_unit_test(test_again),
        cmocka_unit_test(test_failure_stops),
        cmocka_unit_test(test_try),
        cmocka_unit_test(test_driven),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_unequal_samples),
        cmocka_unit_test(test_driven_batches),
        cmocka_unit_test(test_fill),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
