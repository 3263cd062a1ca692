/* An engine that offers fp16 wherever it runs, and is then off by as much as it is told: what
 * `assay engines check` finds of that needs no card.
 *
 * Built twice: one reads ONNX, of which the net has a form in fp16, one TorchScript
 * (HALF_TORCHSCRIPT), of which it has none.  No file is opened: only which one is given counts.
 * Each image has one class, of score 1; the others have 0, but in fp16 the class behind it `off`.
 */
#include <stdlib.h>
#include <string.h>

#include "assay/engine.h"

#define CLASSES 101
#define PIXELS  (3 * 128 * 128)

#ifdef HALF_TORCHSCRIPT
static const char *const formats[] = {"torchscript", NULL};
static const char whole_file[] = "/net.torchscript", half_file[] = "/net.torchscript";
#else
static const char *const formats[] = {"onnx", NULL};
static const char whole_file[] = "/net.onnx", half_file[] = "/fp16.onnx";
#endif
static const char *const precisions[] = {"fp32", "fp16", NULL};
static const struct assay_option options[] = {
    {"off", ASSAY_OPTION_REAL, "0", 0, 1, NULL, "the difference in fp16"}, {0}};

static const struct assay_tensor_spec input = {"pixels", ASSAY_F32, 4, {-1, 3, 128, 128}},
                                      output = {"scores", ASSAY_F32, 2, {-1, CLASSES}};
static const struct assay_graph_desc graph = {"half", 1, 1, &input, &output};

struct half {
    bool half;
    float off, *scores; /* of each lane's largest batch */
    uint32_t max_batch;
};

static int half_open(const struct assay_engine_config *c, void **self, struct assay_err *err)
{
    bool half = c->precision && strcmp(c->precision, "fp16") == 0;
    const char *name = strrchr(c->model_path, '/');
    struct half *s;

    if (!name || strcmp(name, half ? half_file : whole_file) != 0)
        return assay_fail(err, ASSAY_EFAIL, "the file is %s, wanted %s", c->model_path,
                          half ? half_file : whole_file);
    if (!(s = calloc(1, sizeof(*s))))
        return assay_fail(err, ASSAY_EFAIL, "not enough memory");
    s->half = half;
    s->off = (float)c->values[0].f;
    s->max_batch = c->max_batch;
    if (!(s->scores = calloc((size_t)c->lanes * c->max_batch * CLASSES, sizeof(float)))) {
        free(s);
        return assay_fail(err, ASSAY_EFAIL, "not enough memory");
    }
    *self = s;
    return ASSAY_OK;
}

static int half_describe(void *self, struct assay_model_desc *desc, struct assay_err *err)
{
    (void)err;
    desc->graph_count = 1;
    desc->graphs = &graph;
    desc->precision = ((struct half *)self)->half ? "fp16" : "fp32";
    desc->device = "cpu";
    return ASSAY_OK;
}

static int half_submit(void *self, struct assay_batch *b, struct assay_err *err)
{
    const struct half *s = self;
    float *scores = s->scores + (size_t)b->lane * s->max_batch * CLASSES;
    size_t bytes = (size_t)b->samples * CLASSES * sizeof(float);
    const float *pixels = b->inputs[0].data;

    (void)err;
    memset(scores, 0, bytes);
    for (uint32_t i = 0; i < b->samples; i++) {
        uint32_t class = (uint32_t)(pixels[i * PIXELS] * pixels[i * PIXELS]) % CLASSES;

        scores[i * CLASSES + class] = 1;
        if (s->half)
            scores[i * CLASSES + (class + 1) % CLASSES] = s->off;
    }
    b->outputs[0] = (struct assay_tensor){ASSAY_F32, 2, {b->samples, CLASSES}, scores, bytes};
    b->done(b, ASSAY_OK, NULL);
    return ASSAY_OK;
}

static void half_close(void *self)
{
    struct half *s = self;

    free(s->scores);
    free(s);
}

static const struct assay_engine table = {
    .abi_major = ASSAY_ENGINE_ABI_MAJOR,
    .abi_minor = ASSAY_ENGINE_ABI_MINOR,
    .size = sizeof(struct assay_engine),
    .name = "half",
    .summary = "for tests: fp16 that is off by as much as it is told",
    .caps = ASSAY_CAP_DYNAMIC_BATCH,
    .formats = formats,
    .precisions = precisions,
    .options = options,
    .open = half_open,
    .describe = half_describe,
    .submit = half_submit,
    .close = half_close,
};

const struct assay_engine *assay_engine_entry(void)
{
    return &table;
}
