/* test: serial. The wrapper, against a table engine that lives in this file and does what a test
 * tells it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/half.h"
#include "engine/host.h"

enum act { GOOD, TWICE, NOT_AT_ALL, AGAIN, REFUSE, REFUSE_DONE, LATER, WORDLESS, BAD_SHAPE };
static enum act act;
static struct assay_batch *held; /* what LATER keeps */
static const struct assay_tensor_spec spec_in = {"x", ASSAY_F32, 2, {-1, 2}},
                                      spec_out = {"y", ASSAY_F32, 2, {-1, 1}};
static const struct assay_graph_desc graph = {"g", 1, 1, &spec_in, &spec_out};
static float answer[8];

static int t_open(const struct assay_engine_config *c, void **self, struct assay_err *err)
{
    (void)c;
    (void)self;
    (void)err;
    return 0;
}

static int t_describe(void *self, struct assay_model_desc *d, struct assay_err *err)
{
    (void)self;
    (void)err;
    *d = (struct assay_model_desc){.size = sizeof(*d),
                                   .graph_count = 1,
                                   .max_batch = 8,
                                   .graphs = &graph,
                                   .precision = "fp32",
                                   .device = "cpu"};
    return 0;
}

static int t_submit(void *self, struct assay_batch *b, struct assay_err *err)
{
    (void)self;
    b->outputs[0] = (struct assay_tensor){ASSAY_F32, 2, {b->samples, 1}, answer, 4 * b->samples};
    if (act == BAD_SHAPE)
        b->outputs[0].bytes = 3;
    if (act == AGAIN)
        return ASSAY_EAGAIN;
    if (act == REFUSE)
        return assay_fail(err, ASSAY_EFAIL, "no");
    if (act == WORDLESS) {
        b->done(b, ASSAY_EFAIL, NULL);
        return 0;
    }
    held = b;
    if (act == LATER || act == NOT_AT_ALL)
        return 0;
    b->done(b, ASSAY_OK, NULL);
    if (act == TWICE)
        b->done(b, ASSAY_OK, NULL);
    return act == REFUSE_DONE ? ASSAY_EFAIL : ASSAY_OK;
}

static int t_drain(void *self, uint32_t lane, struct assay_err *err)
{
    (void)self;
    (void)lane;
    (void)err;
    return 0;
}

static void t_close(void *self)
{
    (void)self;
}

static const struct assay_engine sync_table = {.name = "t",
                                               .caps = ASSAY_CAP_ANY_MODEL,
                                               .open = t_open,
                                               .describe = t_describe,
                                               .submit = t_submit,
                                               .close = t_close};
static const struct assay_engine async_table = {.name = "ta",
                                                .caps = ASSAY_CAP_ANY_MODEL | ASSAY_CAP_ASYNC,
                                                .open = t_open,
                                                .describe = t_describe,
                                                .submit = t_submit,
                                                .close = t_close,
                                                .drain = t_drain};

static int faults, dones, last_code;
static char fault_text[512], done_text[512];

static void on_fault(void *ctx, const struct assay_err *err)
{
    (void)ctx;
    faults++;
    snprintf(fault_text, sizeof(fault_text), "%s", err->text);
}

static struct assay_batch batch;
static struct assay_tensor outputs[1];

static void on_done(struct assay_batch *b, int code, const struct assay_err *err)
{
    assert_ptr_equal(b, &batch);
    dones++;
    last_code = code;
    snprintf(done_text, sizeof(done_text), "%s", err ? err->text : "");
}

static struct engine *open_with(const struct assay_engine *t)
{
    struct assay_engine_config c = {
        .size = sizeof(c), .device = "cpu", .lanes = 1, .threads = 1, .max_batch = 8};
    struct engine *e = NULL;
    struct assay_err err = {0};

    if (engine_open(t, &c, &e, &err) || engine_lane_open(e, 0, &err))
        fail_msg("%s", err.text);
    engine_on_fault(e, on_fault, NULL);
    faults = dones = last_code = 0;
    batch = (struct assay_batch){.size = sizeof(batch),
                                 .samples = 2,
                                 .input_count = 1,
                                 .output_count = 1,
                                 .outputs = outputs,
                                 .done = on_done};
    return e;
}

static int submit(struct engine *e, enum act what, struct assay_err *err)
{
    act = what;
    return engine_submit(e, &batch, err);
}

static void a_good_engine_is_timed(void **state)
{
    struct engine *e = open_with(&sync_table);
    const struct engine_lane_stats *s = engine_stats(e, 0);
    struct assay_err err = {0};

    (void)state;
    for (int i = 0; i < 100; i++)
        assert_int_equal(submit(e, GOOD, &err), 0);
    assert_int_equal(dones, 100);
    assert_int_equal(s->batches, 100);
    assert_int_equal(s->samples, 200);
    assert_int_equal(s->submit.calls, 100);
    assert_int_equal(s->flight.calls, 100);
    assert_true(s->submit.total_ns > 0 && s->submit.max_ns <= s->submit.total_ns);
    assert_int_equal(s->inside_since_ns, 0);
    assert_int_equal(faults, 0);
    assert_int_equal(submit(e, AGAIN, &err), ASSAY_EAGAIN);
    assert_int_equal(s->again, 1);
    assert_int_equal(submit(e, REFUSE, &err), ASSAY_EFAIL);
    assert_string_equal(err.text, "t: no");
    assert_int_equal(submit(e, WORDLESS, &err), 0);
    assert_int_equal(last_code, ASSAY_EFAIL);
    assert_non_null(strstr(done_text, "no words"));
    assert_int_equal(submit(e, BAD_SHAPE, &err), 0);
    assert_non_null(strstr(done_text, "'y'"));
    assert_int_equal(faults, 0);
    batch.samples = 9;
    assert_int_equal(submit(e, GOOD, &err), ASSAY_EFAIL);
    batch.samples = 1;
    batch.lane = 1;
    assert_int_equal(submit(e, GOOD, &err), ASSAY_EFAIL);
    engine_close(e);
}

static void twice_reaches_only_fault(void **state)
{
    struct engine *e = open_with(&sync_table);
    struct assay_err err = {0};

    (void)state;
    assert_int_equal(submit(e, TWICE, &err), 0);
    assert_int_equal(dones, 1);
    assert_int_equal(faults, 1);
    assert_non_null(strstr(fault_text, "engine t broke its contract on lane 0"));
    assert_int_equal(submit(e, TWICE, &err), 0);
    assert_int_equal(faults, 1); /* told once */
    engine_close(e);
}

/* The second completion comes when the caller has long set the batch up for something else. */
static void a_late_second_completion_reaches_only_fault(void **state)
{
    struct engine *e = open_with(&sync_table);
    struct assay_err err = {0};
    struct assay_batch *first;

    (void)state;
    assert_int_equal(submit(e, GOOD, &err), 0);
    first = held;
    assert_int_equal(submit(e, GOOD, &err), 0);
    assert_int_equal(dones, 2);
    first->done(first, ASSAY_OK, NULL);
    assert_int_equal(dones, 2);
    assert_int_equal(faults, 1);
    engine_close(e);
}

static void a_synchronous_engine_must_complete(void **state)
{
    struct engine *e = open_with(&sync_table);
    struct assay_err err = {0};

    (void)state;
    assert_int_equal(submit(e, NOT_AT_ALL, &err), ASSAY_EFAIL);
    assert_int_equal(faults, 1);
    held->done(held, ASSAY_OK, NULL); /* too late: it is the caller's again */
    assert_int_equal(dones, 0);
    engine_close(e);
}

static void completing_and_refusing_is_a_breach(void **state)
{
    struct engine *e = open_with(&sync_table);
    struct assay_err err = {0};

    (void)state;
    assert_int_equal(submit(e, REFUSE_DONE, &err), ASSAY_OK); /* done has come */
    assert_int_equal(dones, 1);
    assert_int_equal(faults, 1);
    engine_close(e);
}

static void asynchronous_flights_are_timed_and_lost_ones_found(void **state)
{
    struct engine *e = open_with(&async_table);
    struct assay_err err = {0};

    (void)state;
    assert_int_equal(submit(e, LATER, &err), 0);
    assert_int_equal(dones, 0);
    usleep(2000);
    held->done(held, ASSAY_OK, NULL);
    assert_int_equal(dones, 1);
    assert_true(engine_stats(e, 0)->flight.max_ns >= 2000000);
    assert_int_equal(engine_drain(e, 0, &err), 0);
    assert_int_equal(faults, 0);
    assert_int_equal(submit(e, LATER, &err), 0);
    assert_true(engine_drain(e, 0, &err) < 0);
    assert_non_null(strstr(fault_text, "1 batches never completed"));
    held->done(held, ASSAY_OK, NULL);
    assert_int_equal(dones, 1);
    engine_close(e);
}

/* ---- float16 ---- */

static uint16_t half_answer[8];
static const struct assay_tensor_spec half_in = {"x", ASSAY_F16, 2, {-1, 2}},
                                      half_out = {"y", ASSAY_F16, 2, {-1, 1}};
static const struct assay_graph_desc half_graph = {"g", 1, 1, &half_in, &half_out};

static int half_describe(void *self, struct assay_model_desc *d, struct assay_err *err)
{
    int rc = t_describe(self, d, err);

    d->graphs = &half_graph;
    return rc;
}

/* The sum of a row's two numbers. */
static int half_submit(void *self, struct assay_batch *b, struct assay_err *err)
{
    const uint16_t *x = b->inputs[0].data;

    (void)self;
    if (b->inputs[0].dtype != ASSAY_F16 || b->inputs[0].bytes != 4 * b->samples)
        return assay_fail(err, ASSAY_EFAIL, "it is not float16");
    for (uint32_t i = 0; i < b->samples; i++, x += 2)
        half_answer[i] = half_from_float(half_to_float(x[0]) + half_to_float(x[1]));
    b->outputs[0] = (struct assay_tensor){
        act == BAD_SHAPE ? ASSAY_F32 : ASSAY_F16, 2, {b->samples, 1}, half_answer, 2 * b->samples};
    b->done(b, ASSAY_OK, NULL);
    return ASSAY_OK;
}

static void float16_is_converted(void **state)
{
    struct assay_engine table = sync_table;
    float x[] = {1, 2, 1e-3f, -8}, *y;
    struct assay_tensor in = {ASSAY_F32, 2, {2, 2}, x, sizeof(x)};
    struct assay_err err = {0};
    struct engine *e;

    (void)state;
    table.describe = half_describe;
    table.submit = half_submit;
    e = open_with(&table);
    assert_int_equal(engine_desc(e)->graphs[0].inputs[0].dtype, ASSAY_F32);
    assert_int_equal(engine_desc(e)->graphs[0].outputs[0].dtype, ASSAY_F32);
    assert_string_equal(engine_desc(e)->graphs[0].inputs[0].name, "x");
    batch.inputs = &in;
    for (int i = 0; i < 3; i++) {
        x[0] = (float)i;
        if (submit(e, GOOD, &err))
            fail_msg("%s", err.text);
        assert_int_equal(last_code, 0);
        y = outputs[0].data;
        assert_int_equal(outputs[0].dtype, ASSAY_F32);
        assert_int_equal(outputs[0].bytes, 8);
        assert_true(y[0] == (float)i + 2);
        assert_true(y[1] == -8); /* -7.999 is nearer to it than to -7.996 */
    }
    assert_int_equal(in.dtype, ASSAY_F32); /* the caller's own are as they were */
    assert_int_equal(in.bytes, sizeof(x));
    assert_int_equal(submit(e, BAD_SHAPE, &err), 0);
    assert_non_null(strstr(done_text, "the model describes float16"));
    engine_close(e);
}

/* What the wrapper costs, printed; the limit is generous, for sanitizers and busy machines. */
static void it_costs_little(void **state)
{
    enum { N = 200000 };
    struct engine *e = open_with(&sync_table);
    struct assay_err err = {0};
    int64_t start = clock_ns(), wrapped, bare;

    (void)state;
    act = GOOD;
    for (int i = 0; i < N; i++)
        engine_submit(e, &batch, &err);
    wrapped = clock_ns() - start;
    start = clock_ns();
    for (int i = 0; i < N; i++)
        sync_table.submit(NULL, &batch, &err);
    bare = clock_ns() - start;
    print_message("wrapper: %.1f ns a submit\n", (double)(wrapped - bare) / N);
    assert_true((wrapped - bare) / N < 3000);
    engine_close(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_engine_is_timed),
        cmocka_unit_test(twice_reaches_only_fault),
        cmocka_unit_test(a_late_second_completion_reaches_only_fault),
        cmocka_unit_test(a_synchronous_engine_must_complete),
        cmocka_unit_test(completing_and_refusing_is_a_breach),
        cmocka_unit_test(asynchronous_flights_are_timed_and_lost_ones_found),
        cmocka_unit_test(float16_is_converted),
        cmocka_unit_test(it_costs_little)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
