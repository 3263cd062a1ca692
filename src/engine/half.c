/* Models that take or give float16: the host has float32, so it is told that they do, and their
 * batches are converted on the way, each number to the nearest.
 *
 * A lane's memory for that serves one batch at a time, so asynchronous engines keep their float16,
 * and so do those that take rows where they lie. */
#include "engine/open.h"

#include <stdlib.h>
#include <string.h>

#include "base/half.h"

/* Copies of the specs with float32 for float16. */
static const struct assay_tensor_spec *tell(const struct assay_tensor_spec *own, uint32_t n,
                                            struct assay_tensor_spec **at)
{
    struct assay_tensor_spec *told = *at;

    for (uint32_t i = 0; i < n; i++) {
        told[i] = own[i];
        if (own[i].dtype == ASSAY_F16)
            told[i].dtype = ASSAY_F32;
    }
    *at += n;
    return told;
}

/* How many tensors are float16, and *all: how many there are. */
static size_t count_halves(const struct assay_model_desc *desc, size_t *all)
{
    size_t halves = 0;

    *all = 0;
    for (uint32_t g = 0; g < desc->graph_count; g++) {
        const struct assay_graph_desc *one = &desc->graphs[g];

        for (uint32_t i = 0; i < one->input_count; i++)
            halves += one->inputs[i].dtype == ASSAY_F16;
        for (uint32_t i = 0; i < one->output_count; i++)
            halves += one->outputs[i].dtype == ASSAY_F16;
        *all += one->input_count + one->output_count;
    }
    return halves;
}

int engine_hide_halves(struct engine *e, struct assay_err *err)
{
    struct assay_tensor_spec *at;
    size_t all;

    if ((e->table->caps & (ASSAY_CAP_ASYNC | ASSAY_CAP_GATHER)) || !count_halves(&e->desc, &all))
        return ASSAY_OK;
    e->told = calloc(e->desc.graph_count, sizeof(*e->told));
    e->told_specs = at = calloc(all, sizeof(*at));
    if (!e->told || !at)
        return assay_fail(err, ASSAY_EFAIL, "not enough memory");
    for (uint32_t g = 0; g < e->desc.graph_count; g++) {
        e->told[g] = e->own[g];
        e->told[g].inputs = tell(e->own[g].inputs, e->own[g].input_count, &at);
        e->told[g].outputs = tell(e->own[g].outputs, e->own[g].output_count, &at);
    }
    e->desc.graphs = e->told;
    return ASSAY_OK;
}

void engine_free_halves(struct engine_lane *l)
{
    if (l->halves)
        engine_release(l->engine, l->halves);
    free(l->half_inputs);
    free(l->wholes);
    l->half_inputs = NULL;
    l->halves = l->wholes = NULL;
    l->halves_cap = l->wholes_cap = 0;
}

static size_t aligned(size_t bytes)
{
    return (bytes + 63) & ~(size_t)63;
}

/* Memory of the engine's (a GPU's is pinned) for a batch's inputs in float16. */
static int reserve_halves(struct engine_lane *l, size_t need, struct assay_err *err)
{
    if (need <= l->halves_cap)
        return ASSAY_OK;
    if (l->halves)
        engine_release(l->engine, l->halves);
    l->halves = engine_alloc(l->engine, need);
    l->halves_cap = l->halves ? need : 0;
    return l->halves ? ASSAY_OK
                     : assay_fail(err, ASSAY_EFAIL, "%s: not enough memory to convert a batch",
                                  l->engine->table->name);
}

int engine_halve_inputs(struct guard *g, struct assay_err *err)
{
    struct engine_lane *l = g->lane;
    const struct assay_graph_desc *own = &l->engine->own[g->view.graph];
    uint32_t n = g->view.input_count < own->input_count ? g->view.input_count : own->input_count;
    struct assay_tensor *more = realloc(l->half_inputs, (n + 1) * sizeof(*more));
    size_t need = 0, at = 0;
    int rc;

    if (!more)
        return assay_fail(err, ASSAY_EFAIL, "%s: not enough memory to convert a batch",
                          l->engine->table->name);
    l->half_inputs = more;
    memcpy(more, g->view.inputs, n * sizeof(*more));
    for (uint32_t i = 0; i < n; i++)
        need += own->inputs[i].dtype == ASSAY_F16 ? aligned(more[i].bytes / 2) : 0;
    if ((rc = reserve_halves(l, need, err)))
        return rc;
    for (uint32_t i = 0; i < n; i++) {
        const float *from = more[i].data;
        uint16_t *to = (uint16_t *)((char *)l->halves + at);

        if (own->inputs[i].dtype != ASSAY_F16 || more[i].dtype != ASSAY_F32)
            continue;
        more[i].dtype = ASSAY_F16;
        more[i].bytes /= 2;
        more[i].data = to;
        for (size_t k = 0; k < more[i].bytes / 2; k++)
            to[k] = half_from_float(from[k]);
        at += aligned(more[i].bytes);
    }
    g->view.inputs = more;
    return ASSAY_OK;
}

int engine_widen_outputs(struct guard *g, struct assay_err *err)
{
    struct engine_lane *l = g->lane;
    struct assay_tensor *out = g->view.outputs;
    size_t need = 0, at = 0;

    for (uint32_t o = 0; o < g->view.output_count; o++)
        need += out[o].dtype == ASSAY_F16 ? aligned(out[o].bytes * 2) : 0;
    if (need > l->wholes_cap) {
        free(l->wholes);
        l->wholes = aligned_alloc(64, need);
        l->wholes_cap = l->wholes ? need : 0;
    }
    if (need > l->wholes_cap)
        return assay_fail(err, ASSAY_EFAIL, "not enough memory to convert the outputs");
    for (uint32_t o = 0; o < g->view.output_count; o++) {
        const uint16_t *from = out[o].data;
        float *to = (float *)((char *)l->wholes + at);

        if (out[o].dtype != ASSAY_F16)
            continue;
        for (size_t k = 0; k < out[o].bytes / 2; k++)
            to[k] = half_to_float(from[k]);
        out[o].dtype = ASSAY_F32;
        out[o].bytes *= 2;
        out[o].data = to;
        at += aligned(out[o].bytes);
    }
    return ASSAY_OK;
}
