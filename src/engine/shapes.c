/* Shapes: what a model says it takes and gives against what a benchmark gives and needs, before
 * LoadGen starts; and each batch's outputs against the model's own description. */
#include "engine/open.h"

#include <string.h>

#include "base/text.h"

void engine_shape_text(const int64_t *dims, uint32_t rank, char *out, size_t cap)
{
    size_t at = (size_t)snprintf(out, cap, "[");

    for (uint32_t i = 0; i < rank && i < ASSAY_MAX_RANK && at < cap; i++)
        at += (size_t)snprintf(out + at, cap - at, i ? ",%lld" : "%lld", (long long)dims[i]);
    if (at < cap)
        snprintf(out + at, cap - at, "]");
}

/* Not inlined, so that the check itself stays small in the path of every completion. */
__attribute__((cold, noinline)) static int output_error(const struct assay_tensor_spec *spec,
                                                        const struct assay_tensor *t,
                                                        struct assay_err *err)
{
    char found[160], wanted[160];

    engine_shape_text(t->dims, t->rank, found, sizeof(found));
    engine_shape_text(spec->dims, spec->rank, wanted, sizeof(wanted));
    return assay_fail(err, ASSAY_EFAIL,
                      "output '%s' came back as %s %s with %zu bytes%s, the model describes %s %s",
                      spec->name, assay_dtype_name(t->dtype), found, t->bytes,
                      t->data ? "" : " and no data", assay_dtype_name(spec->dtype), wanted);
}

int engine_check_output(const struct assay_tensor_spec *spec, const struct assay_tensor *t,
                        struct assay_err *err)
{
    size_t bytes = assay_dtype_size(t->dtype);

    if (t->dtype != spec->dtype || t->rank != spec->rank || (!t->data && t->bytes))
        return output_error(spec, t, err);
    for (uint32_t i = 0; i < t->rank; i++) {
        if (t->dims[i] < 0 || (spec->dims[i] >= 0 && spec->dims[i] != t->dims[i]) ||
            __builtin_mul_overflow(bytes, (size_t)t->dims[i], &bytes))
            return output_error(spec, t, err);
    }
    return bytes == t->bytes ? ASSAY_OK : output_error(spec, t, err);
}

static int check_specs(const struct assay_tensor_spec *specs, uint32_t count, const char *what,
                       struct assay_err *err)
{
    if (count && !specs)
        return assay_fail(err, ASSAY_EFAIL, "describe counts %u %ss and lists none", count, what);
    for (uint32_t i = 0; i < count; i++)
        if (!specs[i].name || specs[i].rank > ASSAY_MAX_RANK || !assay_dtype_size(specs[i].dtype))
            return assay_fail(
                err, ASSAY_EFAIL,
                "%s %u ('%s') is described without name, with a rank above %d or with "
                "type %d, which is unknown",
                what, i, specs[i].name ? specs[i].name : "", ASSAY_MAX_RANK, specs[i].dtype);
    return ASSAY_OK;
}

int engine_check_desc(const struct assay_model_desc *desc, struct assay_err *err)
{
    int rc = ASSAY_OK;

    if (!desc->graph_count || !desc->graphs || !desc->precision || !desc->device)
        return assay_fail(err, ASSAY_EFAIL, "describe gave no graph, precision or device");
    for (uint32_t g = 0; g < desc->graph_count && !rc; g++) {
        rc = check_specs(desc->graphs[g].inputs, desc->graphs[g].input_count, "input", err);
        if (!rc)
            rc = check_specs(desc->graphs[g].outputs, desc->graphs[g].output_count, "output", err);
        if (!rc && !desc->graphs[g].output_count)
            rc = assay_fail(err, ASSAY_EFAIL, "graph %u has no output", g);
    }
    return rc;
}

/* `have` is the graph's tensor with `batch` dimensions in front (1, or 0 for a whole one), `want`
 * one sample's. */
static bool same_shape(const struct assay_tensor_spec *have, const struct assay_tensor_spec *want,
                       uint32_t batch)
{
    if (have->dtype != want->dtype || have->rank != want->rank + batch)
        return false;
    for (uint32_t i = 0; i < want->rank; i++)
        if (have->dims[i + batch] >= 0 && want->dims[i] >= 0 &&
            have->dims[i + batch] != want->dims[i])
            return false;
    return true;
}

static int compare(const struct engine *e, const char *what, const struct assay_tensor_spec *have,
                   const struct assay_tensor_spec *want, uint32_t batch, struct assay_err *err)
{
    char found[160], wanted[160], *verb = what[0] == 'i' ? "takes" : "gives";

    if (same_shape(have, want, batch))
        return ASSAY_OK;
    engine_shape_text(have->dims, have->rank, found, sizeof(found));
    engine_shape_text(want->dims, want->rank, wanted, sizeof(wanted));
    return assay_fail(err, ASSAY_EFAIL,
                      "%s: %s '%s': the model %s %s %s%s, the benchmark %s %s %s for a "
                      "sample; is this the model's manifest?",
                      e->table->name, what, have->name, verb, assay_dtype_name(have->dtype), found,
                      batch ? " (batch first)" : "", what[0] == 'i' ? "has" : "needs",
                      assay_dtype_name(want->dtype), wanted);
}

static int find_by_name(const struct assay_tensor_spec *specs, uint32_t count, const char *name)
{
    for (uint32_t i = 0; i < count; i++)
        if (strcmp(specs[i].name, name) == 0)
            return (int)i;
    return -1;
}

static int no_such_tensor(const struct engine *e, const char *what, const char *name,
                          const struct assay_tensor_spec *specs, uint32_t count,
                          struct assay_err *err)
{
    struct text t;

    text_init(&t, 240);
    for (uint32_t i = 0; i < count; i++)
        text_addf(&t, "%s'%s'", i ? ", " : "", specs[i].name);
    assay_fail(err, ASSAY_EFAIL, "%s: the model has no %s '%s', but %s", e->table->name, what, name,
               t.s);
    text_release(&t);
    return ASSAY_EFAIL;
}

static int check_inputs(const struct engine *e, const struct assay_graph_desc *g,
                        const struct assay_tensor_spec *want, uint32_t count, struct assay_err *err)
{
    int rc = ASSAY_OK, at;

    if (count != g->input_count)
        return assay_fail(err, ASSAY_EFAIL, "%s: the model takes %u inputs, the benchmark has %u",
                          e->table->name, g->input_count, count);
    for (uint32_t i = 0; i < count && !rc; i++) {
        at = want[i].name ? find_by_name(g->inputs, count, want[i].name) : (int)i;
        if (at < 0)
            rc = no_such_tensor(e, "input", want[i].name, g->inputs, count, err);
        else if (at != (int)i)
            rc = assay_fail(
                err, ASSAY_EFAIL,
                "%s: input '%s' is number %d of the model and number %u of the benchmark; "
                "list the manifest's inputs in the model's order",
                e->table->name, want[i].name, at + 1, i + 1);
        else
            rc = compare(e, "input", &g->inputs[i], &want[i], 1, err);
    }
    return rc;
}

static int check_outputs(const struct engine *e, const struct assay_graph_desc *g,
                         const struct assay_tensor_spec *want, uint32_t count, uint32_t batch,
                         uint32_t *map, struct assay_err *err)
{
    int rc = ASSAY_OK, at;

    for (uint32_t i = 0; i < count && !rc; i++) {
        at = want[i].name ? find_by_name(g->outputs, g->output_count, want[i].name) : (int)i;
        if (at < 0)
            rc = no_such_tensor(e, "output", want[i].name, g->outputs, g->output_count, err);
        else if (at >= (int)g->output_count)
            rc = assay_fail(err, ASSAY_EFAIL,
                            "%s: the model gives %u outputs, the benchmark needs %u",
                            e->table->name, g->output_count, count);
        else
            rc = compare(e, "output", &g->outputs[at], &want[i], batch, err);
        if (!rc)
            map[i] = (uint32_t)at;
    }
    return rc;
}

int engine_check_shapes(const struct engine *e, uint32_t graph,
                        const struct assay_tensor_spec *inputs, uint32_t input_count,
                        const struct assay_tensor_spec *outputs, uint32_t output_count,
                        uint32_t *output_map, struct assay_err *err)
{
    const struct assay_graph_desc *g;
    int rc;

    if (graph >= e->desc.graph_count)
        return assay_fail(err, ASSAY_EFAIL, "%s: the model has %u graphs, the benchmark needs %u",
                          e->table->name, e->desc.graph_count, graph + 1);
    g = &e->desc.graphs[graph];
    rc = check_inputs(e, g, inputs, input_count, err);
    return rc ? rc : check_outputs(e, g, outputs, output_count, 1, output_map, err);
}

bool engine_outputs_whole(const struct engine *e, uint32_t graph,
                          const struct assay_tensor_spec *outputs, uint32_t count)
{
    const struct assay_graph_desc *g = &e->desc.graphs[graph];
    int at = !count            ? -1
             : outputs[0].name ? find_by_name(g->outputs, g->output_count, outputs[0].name)
                               : 0;

    return at >= 0 && g->outputs[at].rank == outputs[0].rank;
}

int engine_check_whole(const struct engine *e, uint32_t graph,
                       const struct assay_tensor_spec *outputs, uint32_t count, uint32_t *map,
                       struct assay_err *err)
{
    return check_outputs(e, &e->desc.graphs[graph], outputs, count, 0, map, err);
}
