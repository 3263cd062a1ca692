/* Wanted graphs found in the model; see drive.h. */
#include "run/drive.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

static int no_such_graph(const struct assay_model_desc *m, const char *name, struct assay_err *err)
{
    struct text t;

    text_init(&t, 240);
    for (uint32_t i = 0; i < m->graph_count; i++)
        text_addf(&t, "%s'%s'", i ? ", " : "", m->graphs[i].name ? m->graphs[i].name : "");
    assay_fail(err, ASSAY_EFAIL,
               "the model has no graph '%s', but %s; a model of several graphs is a folder with a "
               "file for each, called after it",
               name, t.s);
    text_release(&t);
    return ASSAY_EFAIL;
}

/* -1: there is none. */
static int find_graph(const struct assay_model_desc *m, uint32_t wanted, const char *name)
{
    if (m->graph_count == 1 && wanted == 1)
        return 0;
    for (uint32_t i = 0; i < m->graph_count; i++)
        if (m->graphs[i].name && !strcmp(m->graphs[i].name, name))
            return (int)i;
    return -1;
}

static int find(const struct engine *e, uint32_t wanted, const struct assay_graph_desc *want,
                struct drive_graph *g, struct assay_err *err)
{
    const struct assay_model_desc *m = engine_desc(e);
    int at = find_graph(m, wanted, want->name);
    struct assay_err words = {0};
    int rc;

    if (at < 0)
        return no_such_graph(m, want->name, err);
    g->number = (uint32_t)at;
    g->output_count = m->graphs[at].output_count;
    if (g->output_count > DRIVE_OUTPUTS || want->output_count > DRIVE_OUTPUTS)
        return assay_fail(err, ASSAY_EUNSUPPORTED,
                          "the graph '%s' gives %u outputs, at most %d are possible", want->name,
                          g->output_count, DRIVE_OUTPUTS);
    rc = engine_check_shapes(e, g->number, want->inputs, want->input_count, want->outputs,
                             want->output_count, g->map, &words);
    return rc ? assay_fail(err, rc, "graph '%s': %.450s", want->name, words.text) : ASSAY_OK;
}

int drive_find(const struct engine *e, const struct assay_benchmark_desc *desc,
               struct drive_graph **out, struct assay_err *err)
{
    struct drive_graph *graphs = calloc(desc->graph_count, sizeof(*graphs));
    int rc = graphs ? ASSAY_OK : assay_fail(err, ASSAY_EFAIL, "not enough memory");

    for (uint32_t i = 0; i < desc->graph_count && !rc; i++)
        rc = find(e, desc->graph_count, &desc->graphs[i], &graphs[i], err);
    if (rc)
        free(graphs);
    else
        *out = graphs;
    return rc;
}

static int infer(void *ctx, uint32_t graph, uint32_t samples, const struct assay_tensor *inputs,
                 uint32_t input_count, struct assay_tensor *outputs, uint32_t output_count,
                 struct assay_err *err)
{
    const struct drive *d = ctx;
    struct assay_tensor all[DRIVE_OUTPUTS] = {{0}};
    const struct drive_graph *g;
    int rc;

    if (graph >= d->desc->graph_count || output_count > d->desc->graphs[graph].output_count)
        return assay_fail(
            err, ASSAY_EFAIL,
            "the benchmark called graph %u with %u outputs, which it did not announce", graph,
            output_count);
    g = &d->graphs[graph];
    rc = d->inner->infer(d->inner->ctx, g->number, samples, inputs, input_count, all,
                         g->output_count, err);
    for (uint32_t o = 0; o < output_count && !rc; o++)
        outputs[o] = all[g->map[o]];
    return rc;
}

struct assay_driver drive_driver(struct drive *d)
{
    return (struct assay_driver){.size = sizeof(struct assay_driver), .infer = infer, .ctx = d};
}
