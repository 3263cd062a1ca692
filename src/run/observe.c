/* Calibration through the engine door.
 *
 * The engine sees a copy of the model that gives its inner tensors out, CHUNK of them at a time, as
 * engines limit the number of outputs and all tensors of a large net at once would need much
 * memory.  Each chunk goes over the samples twice: once for the ends, once for the histogram. */
#include "run/observe.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "data/bench_host.h"
#include "engine/host.h"

#define CHUNK      48
#define MAX_INPUTS 16

struct pass {
    const struct observe *o;
    struct quantize_tensor *tensors; /* of the chunk */
    size_t count;
    struct spread *spreads;
    struct engine *engine;
    const struct assay_graph_desc *graph;
    bool counting; /* the second time */
    bool done;
    struct assay_err result;
    uint64_t steps, total;
};

static void look(struct pass *p, size_t i, const struct assay_tensor *t)
{
    size_t n = t->bytes / sizeof(float);

    if (t->dtype != ASSAY_F32)
        return;
    if (p->counting)
        spread_count(&p->spreads[i], t->data, n);
    else
        spread_widen(&p->spreads[i], t->data, n);
}

/* The tensors of the chunk in order: inputs from what the engine was given, the others from what
 * it gave. */
static void on_done(struct assay_batch *batch, int code, const struct assay_err *err)
{
    struct pass *p = batch->host;
    uint32_t out = 0;

    p->done = true;
    p->result.code = code;
    if (code) {
        p->result = *err;
        return;
    }
    for (size_t i = 0; i < p->count; i++) {
        if (!p->tensors[i].input)
            look(p, i, &batch->outputs[out++]);
        for (uint32_t k = 0; p->tensors[i].input && k < batch->input_count; k++)
            if (!strcmp(p->graph->inputs[k].name, p->tensors[i].name))
                look(p, i, &batch->inputs[k]);
    }
}

static int run_sample(struct pass *p, uint64_t index, struct assay_err *err)
{
    const struct observe *o = p->o;
    struct assay_tensor inputs[MAX_INPUTS] = {{0}}, outputs[CHUNK] = {{0}}, view;
    struct assay_batch batch = {.size = sizeof(batch),
                                .samples = 1,
                                .input_count = p->graph->input_count,
                                .output_count = p->graph->output_count,
                                .inputs = inputs,
                                .outputs = outputs,
                                .done = on_done,
                                .host = p};
    int rc = o->benchmark->load(o->self, &index, 1, err);

    if (rc)
        return rc;
    for (uint32_t i = 0; i < batch.input_count && !rc; i++) {
        rc = o->benchmark->input(o->self, index, i, &view, err);
        inputs[i] = view;
        inputs[i].rank = view.rank + 1;
        inputs[i].dims[0] = 1;
        memcpy(inputs[i].dims + 1, view.dims, view.rank * sizeof(view.dims[0]));
    }
    p->done = false;
    if (!rc)
        rc = engine_submit(p->engine, &batch, err);
    if (!rc)
        rc = engine_drain(p->engine, 0, err);
    if (!rc && !p->done)
        rc = assay_fail(err, ASSAY_EFAIL, "%s: sample %llu did not come back", o->engine,
                        (unsigned long long)index);
    if (!rc && p->result.code)
        rc = assay_fail(err, p->result.code, "%s", p->result.text);
    o->benchmark->unload(o->self, &index, 1);
    return rc;
}

static int run_samples(struct pass *p, struct assay_err *err)
{
    uint64_t n = p->o->samples;
    int rc = ASSAY_OK;

    for (int again = 0; again < 2; again++) {
        p->counting = again;
        for (uint64_t i = 0; i < n && !rc; i++) {
            rc = run_sample(p, i * p->o->desc->samples / n, err);
            if (!rc && p->o->progress)
                p->o->progress(p->o->ctx, ++p->steps, p->total);
        }
    }
    return rc;
}

static void no_log(void *ctx, int level, const char *text)
{
    (void)ctx;
    (void)level;
    (void)text;
}

static int open_engine(struct pass *p, const char *path, struct assay_err *err)
{
    const struct assay_engine *table;
    char *runtime = p->o->runtime ? strdup(p->o->runtime) : engine_runtime_dir(p->o->engine);
    char *storage = NULL, file[1024];
    struct assay_value *values = NULL;
    struct assay_engine_config config = {.size = sizeof(config),
                                         .model_path = path,
                                         .format = "onnx",
                                         .device = "cpu",
                                         .precision = "fp32",
                                         .runtime_dir = runtime,
                                         .lanes = 1,
                                         .threads = (uint32_t)sysconf(_SC_NPROCESSORS_ONLN),
                                         .max_batch = 1,
                                         .log = no_log};
    int rc = engine_load(p->o->engine, &table, file, err);

    if (!rc)
        rc = engine_parse_options(table, NULL, &values, &config.option_count, &storage, err);
    config.values = values;
    if (!rc)
        rc = engine_open(table, &config, &p->engine, err);
    if (!rc)
        rc = engine_check_shapes(p->engine, 0, p->o->desc->inputs, p->o->desc->input_count, NULL, 0,
                                 NULL, err);
    if (!rc)
        rc = engine_lane_open(p->engine, 0, err);
    if (!rc) {
        p->graph = engine_desc(p->engine)->graphs;
        if (p->graph->output_count > CHUNK || p->graph->input_count > MAX_INPUTS)
            rc = assay_fail(err, ASSAY_EUNSUPPORTED,
                            "the model has %u inputs; at most %d are "
                            "possible",
                            p->graph->input_count, MAX_INPUTS);
    }
    free(values);
    free(storage);
    free(runtime);
    return rc;
}

static int use_spreads(struct pass *p, struct assay_err *err)
{
    for (size_t i = 0; i < p->count; i++) {
        const struct spread *s = &p->spreads[i];

        if (s->broken)
            return assay_fail(err, ASSAY_EFAIL,
                              "tensor '%.100s' has %llu values that are no finite numbers; does "
                              "the model get the pre-processing that it wants?",
                              p->tensors[i].name, (unsigned long long)s->broken);
        p->tensors[i].known = s->seen > 0;
        p->tensors[i].range = spread_choose(s, p->o->whole);
    }
    return ASSAY_OK;
}

static int observe_chunk(struct pass *p, const struct quantizer *q, size_t first, const char *path,
                         struct assay_err *err)
{
    struct text model;
    int rc;

    text_init(&model, 0x7fffffff);
    rc = quantize_probe(q, first, p->count, &model, err);
    if (!rc)
        rc = file_write_whole(path, model.s, model.len, err);
    text_release(&model);
    p->spreads = calloc(p->count, sizeof(*p->spreads));
    if (!rc && !p->spreads)
        rc = assay_fail(err, ASSAY_EFAIL, "not enough memory");
    if (!rc)
        rc = open_engine(p, path, err);
    if (!rc)
        rc = run_samples(p, err);
    if (!rc)
        rc = use_spreads(p, err);
    if (p->engine)
        engine_close(p->engine);
    p->engine = NULL;
    free(p->spreads);
    unlink(path);
    return rc;
}

int observe_ranges(const struct observe *o, struct quantizer *q, struct assay_err *err)
{
    struct pass p = {.o = o};
    size_t n, first;
    struct quantize_tensor *tensors = quantize_tensors(q, &n);
    char path[1200];
    int rc = bench_drive(o->benchmark)
                 ? assay_fail(err, ASSAY_EUNSUPPORTED,
                              "%s: `assay quantize` gives the model one sample at a time, and this "
                              "benchmark calls it with parts of samples of its own; int8 models of "
                              "it come from elsewhere",
                              o->benchmark->name)
                 : file_make_dirs(o->folder, err);

    snprintf(path, sizeof(path), "%s/probe-%ld.onnx", o->folder, (long)getpid());
    p.total = (n + CHUNK - 1) / CHUNK * 2 * o->samples;
    for (first = 0; first < n && !rc; first += p.count) {
        p.tensors = tensors + first;
        p.count = n - first < CHUNK ? n - first : CHUNK;
        rc = observe_chunk(&p, q, first, path, err);
    }
    return rc;
}
