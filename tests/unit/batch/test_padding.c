/* Samples of different lengths in one batch: what the engine gets is their numbers and zeros, as
 * long as the longest of the batch or as the model's fixed axis, the longest samples first; where
 * samples wait, those of about one length together. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "batch/batch.h"

#define SAMPLES 60
#define LONGEST 13
#define WIDTH   2 /* numbers at each place */

/* A sample of length n is n times (index + 1, 1). */
struct stub {
    int32_t data[SAMPLES][LONGEST][WIDTH];
    int64_t lengths[64]; /* of the batches, as they came */
    int batches, answered, failed;
    uint64_t odd; /* this sample is one number wide; 0: none is */
    int32_t sums[SAMPLES];
    char error[512];
    int64_t places;    /* of all batches, padding included */
    uint32_t smallest; /* batch, in rows */
    _Atomic bool held; /* the engine does not come back */
};

static int64_t length_of(uint64_t index)
{
    return (int64_t)(index * 5 % LONGEST) + 1;
}

static int stub_input(void *ctx, uint64_t index, uint32_t input, struct assay_tensor *view,
                      struct assay_err *err)
{
    struct stub *s = ctx;
    int64_t width = index && index == s->odd ? 1 : WIDTH, n = length_of(index);

    (void)input, (void)err;
    *view = (struct assay_tensor){
        ASSAY_I32, 2, {n, width}, s->data[index], (size_t)(n * width) * sizeof(int32_t)};
    return ASSAY_OK;
}

/* The answer is the sum of all of a row. */
static int stub_submit(void *ctx, struct assay_batch *b, struct assay_err *err)
{
    struct stub *s = ctx;
    const struct assay_tensor *in = &b->inputs[0];
    const int32_t *at = in->data;
    int64_t i, each = in->dims[1] * WIDTH;

    (void)err;
    assert_null(b->rows);
    assert_int_equal(in->rank, 3);
    assert_int_equal(in->dims[0], b->samples);
    assert_int_equal(in->dims[2], WIDTH);
    assert_int_equal(in->bytes, (size_t)(b->samples * each) * sizeof(*at));
    while (s->held)
        usleep(100);
    s->lengths[s->batches++] = in->dims[1];
    s->smallest = b->samples < s->smallest ? b->samples : s->smallest;
    s->places += in->dims[1] * b->samples;
    memset(s->sums, 0, sizeof(s->sums));
    for (i = 0; i < b->samples * each; i++)
        s->sums[i / each] += at[i];
    b->outputs[0] =
        (struct assay_tensor){ASSAY_I32, 1, {b->samples}, s->sums, b->samples * sizeof(*s->sums)};
    b->done(b, ASSAY_OK, NULL);
    return ASSAY_OK;
}

static int stub_respond(void *ctx, uint64_t index, const struct assay_tensor *outputs, uint32_t n,
                        uint32_t row, void *response, size_t capacity, size_t *bytes,
                        struct assay_err *err)
{
    (void)ctx, (void)n, (void)capacity, (void)response, (void)err;
    assert_int_equal(((int32_t *)outputs[0].data)[row],
                     length_of(index) * ((int64_t)index + 1 + 1));
    *bytes = 0;
    return ASSAY_OK;
}

static void stub_complete(void *ctx, const struct batch_done *done, size_t n)
{
    (void)done;
    ((struct stub *)ctx)->answered += (int)n;
}

static void stub_fail(void *ctx, const struct assay_err *err)
{
    struct stub *s = ctx;

    s->failed++;
    snprintf(s->error, sizeof(s->error), "%s", err->text);
}

static void *stub_alloc(void *ctx, size_t bytes)
{
    (void)ctx;
    return memset(malloc(bytes), 77, bytes);
}

static void stub_release(void *ctx, void *memory)
{
    (void)ctx;
    free(memory);
}

/* Issues all samples twice, through batches of up to 8; fill: of 8. */
static struct stub *run(int64_t fixed, uint64_t odd, bool gather, bool fill)
{
    static const uint32_t map[1] = {0};
    struct assay_tensor_spec pad = {"x", ASSAY_I32, 3, {-1, fixed, WIDTH}};
    struct batch_config c = {.lanes = 1,
                             .max_batch = 8,
                             .on_issuer = true,
                             .gather = gather,
                             .fill = fill,
                             .samples = SAMPLES,
                             .input_count = 1,
                             .output_count = 1,
                             .output_map = map,
                             .wanted_outputs = 1,
                             .response_bytes = 4,
                             .pad = &pad};
    struct stub *s = calloc(1, sizeof(*s));
    struct batch_ops ops = {.ctx = s,
                            .submit = stub_submit,
                            .alloc = stub_alloc,
                            .release = stub_release,
                            .input = stub_input,
                            .respond = stub_respond,
                            .complete = stub_complete,
                            .fail = stub_fail};
    struct batch_item items[SAMPLES];
    struct batcher *b;
    struct assay_err err;
    int i, k;

    s->odd = odd;
    s->smallest = SAMPLES;
    for (i = 0; i < SAMPLES; i++) {
        items[i] = (struct batch_item){(uintptr_t)i, (size_t)i};
        for (k = 0; k < LONGEST; k++) {
            s->data[i][k][0] = i + 1;
            s->data[i][k][1] = 1;
        }
    }
    assert_int_equal(batch_create(&c, &ops, &b, &err), 0);
    batch_issue(b, items, SAMPLES);
    batch_issue(b, items, s->failed ? 0 : SAMPLES);
    batch_destroy(b);
    return s;
}

static void as_long_as_the_longest(void **state)
{
    struct stub *s;
    int i, gather;

    (void)state;
    for (gather = 0; gather < 2; gather++) { /* a gathering engine takes no rows of two shapes */
        s = run(-1, 0, gather, false);
        assert_int_equal(s->answered, 2 * SAMPLES);
        assert_int_equal(s->batches, 16);
        assert_int_equal(s->lengths[0], LONGEST);
        for (i = 1; i < 8; i++) /* in order */
            assert_true(s->lengths[i] <= s->lengths[i - 1]);
        assert_int_equal(s->lengths[7], 1);
        assert_int_equal(s->lengths[8], LONGEST); /* the second query begins anew */
        free(s);
    }
}

static void as_long_as_a_fixed_axis(void **state)
{
    struct stub *s;
    int i, fill;

    (void)state;
    for (fill = 0; fill < 2; fill++) {
        s = run(LONGEST + 3, 0, false, fill);
        assert_int_equal(s->answered, 2 * SAMPLES);
        for (i = 0; i < s->batches; i++)
            assert_int_equal(s->lengths[i], LONGEST + 3);
        assert_int_equal(s->smallest, fill ? 8 : SAMPLES % 8);
        free(s);
    }
}

/* The last batch of a query has four samples here, and is as long as its own longest. */
static void what_is_filled_up_is_as_long(void **state)
{
    struct stub *s = run(-1, 0, false, true);

    (void)state;
    assert_int_equal(s->answered, 2 * SAMPLES);
    assert_int_equal(s->smallest, 8);
    assert_int_equal(s->lengths[7], 1);
    free(s);
}

static void what_does_not_fit_is_an_error(void **state)
{
    struct stub *s = run(LONGEST - 1, 0, false, false);

    (void)state;
    assert_int_equal(s->failed, 1);
    assert_string_equal(s->error, "a sample of length 13, and the model takes 12 at most");
    free(s);
    s = run(-1, 7, false, false); /* only the first dimension may differ */
    assert_int_equal(s->failed, 1);
    assert_non_null(strstr(s->error, "samples of different shapes"));
    free(s);
}

/* All samples come one by one while the engine has a batch in hand. */
static int64_t places_with(int64_t wait_ns)
{
    static const uint32_t map[1] = {0};
    struct assay_tensor_spec pad = {"x", ASSAY_I32, 3, {-1, -1, WIDTH}};
    struct batch_config c = {.lanes = 1,
                             .max_batch = 4,
                             .wait_ns = wait_ns,
                             .samples = SAMPLES,
                             .input_count = 1,
                             .output_count = 1,
                             .output_map = map,
                             .wanted_outputs = 1,
                             .response_bytes = 4,
                             .pad = &pad};
    struct stub *s = calloc(1, sizeof(*s));
    struct batch_ops ops = {.ctx = s,
                            .submit = stub_submit,
                            .alloc = stub_alloc,
                            .release = stub_release,
                            .input = stub_input,
                            .respond = stub_respond,
                            .complete = stub_complete,
                            .fail = stub_fail};
    struct batcher *b;
    int64_t places;

    for (int i = 0; i < SAMPLES * LONGEST; i++) {
        s->data[i / LONGEST][i % LONGEST][0] = i / LONGEST + 1;
        s->data[i / LONGEST][i % LONGEST][1] = 1;
    }
    s->held = true;
    assert_int_equal(batch_create(&c, &ops, &b, NULL), 0);
    for (size_t i = 0; i < SAMPLES; i++)
        batch_issue(b, &(struct batch_item){i, i}, 1);
    s->held = false;
    batch_flush(b);
    batch_wait_idle(b);
    batch_destroy(b);
    assert_int_equal(s->answered, SAMPLES);
    assert_int_equal(s->failed, 0);
    places = s->places;
    free(s);
    return places;
}

static void who_waits_goes_with_its_like(void **state)
{
    int64_t words = 0, order, group;

    (void)state;
    for (uint64_t i = 0; i < SAMPLES; i++)
        words += length_of(i);
    order = places_with(0) - words;
    group = places_with(INT64_C(3600000000000)) - words;
    print_message("  padded places: %d in order of arrival, %d by length\n", (int)order,
                  (int)group);
    assert_true(group * 3 <= order);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_long_as_the_longest),
        cmocka_unit_test(as_long_as_a_fixed_axis),
        cmocka_unit_test(what_is_filled_up_is_as_long),
        cmocka_unit_test(what_does_not_fit_is_an_error),
        cmocka_unit_test(who_waits_goes_with_its_like),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
