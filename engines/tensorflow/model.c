/* Inputs, outputs and precision of a graph. */
#include "model.h"

#include <stdlib.h>
#include <string.h>

#include "assay/graphs.h"

/* Index: enum assay_dtype. */
static const TF_DataType types[] = {0,        TF_FLOAT, TF_HALF,  TF_BFLOAT16, TF_DOUBLE, TF_INT8,
                                    TF_UINT8, TF_INT16, TF_INT32, TF_INT64,    TF_BOOL};
#define TYPES (int)(sizeof(types) / sizeof(types[0]))

int model_dtype(TF_DataType type)
{
    for (int i = 1; i < TYPES; i++)
        if (types[i] == type)
            return i;
    return ASSAY_NONE;
}

TF_DataType model_tf_type(int dtype)
{
    return dtype > 0 && dtype < TYPES ? types[dtype] : (TF_DataType)0;
}

/* What model_read works with. */
struct reader {
    struct model *m;
    const struct library *lib;
    TF_Graph *graph;
    const struct signature *signature;
    const struct assay_engine_config *c;
};

/* The tensor "op:number", or "op" for its first. */
static bool find_tensor(const struct reader *r, const char *name, TF_Output *out)
{
    const char *colon = strrchr(name, ':');
    char op[256], *end;
    long number = colon ? strtol(colon + 1, &end, 10) : 0;

    if (colon && (!colon[1] || *end))
        return false;
    snprintf(op, sizeof(op), "%.*s", colon ? (int)(colon - name) : (int)strlen(name), name);
    out->oper = r->lib->TF_GraphOperationByName(r->graph, op);
    out->index = (int)number;
    return out->oper && number >= 0 && number < r->lib->TF_OperationNumOutputs(out->oper);
}

/* The same of a name that may be a key of the signature. */
static bool find_wanted(const struct reader *r, const char *name, bool output, TF_Output *out)
{
    const struct signature *s = r->signature;
    uint32_t count = s ? (output ? s->output_count : s->input_count) : 0;

    for (uint32_t i = 0; i < count; i++) {
        const struct signature_tensor *t = output ? &s->outputs[i] : &s->inputs[i];

        if (strcmp(t->key, name) == 0)
            return find_tensor(r, t->tensor, out);
    }
    return find_tensor(r, name, out);
}

/* Rank and dimensions; -1 where the graph leaves the rank open. */
static int read_dims(const struct reader *r, TF_Output at, int64_t dims[ASSAY_MAX_RANK])
{
    TF_Status *status = r->lib->TF_NewStatus();
    int rank = r->lib->TF_GraphGetTensorNumDims(r->graph, at, status);

    if (r->lib->TF_GetCode(status) != TF_OK)
        rank = -1;
    else if (rank > 0 && rank <= ASSAY_MAX_RANK)
        r->lib->TF_GraphGetTensorShape(r->graph, at, dims, rank, status);
    r->lib->TF_DeleteStatus(status);
    return rank;
}

/* Where the graph leaves the shape open, the benchmark's is as good. */
static int wanted_dims(const struct reader *r, bool output, const char *name,
                       int64_t dims[ASSAY_MAX_RANK])
{
    const struct assay_tensor_spec *w = output ? r->c->want_outputs : r->c->want_inputs;
    uint32_t count = output ? r->c->want_output_count : r->c->want_input_count;

    for (uint32_t i = 0; i < count; i++) {
        if (!w[i].name || strcmp(w[i].name, name) != 0 || w[i].rank >= ASSAY_MAX_RANK)
            continue;
        dims[0] = -1;
        memcpy(dims + 1, w[i].dims, w[i].rank * sizeof(*dims));
        return (int)w[i].rank + 1;
    }
    return -1;
}

static int add(const struct reader *r, bool output, const char *name, TF_Output at,
               struct assay_err *err)
{
    struct model *m = r->m;
    uint32_t *count = output ? &m->graph.output_count : &m->graph.input_count;
    struct assay_tensor_spec *spec;
    const char *what = output ? "output" : "input";
    int rank;

    if (*count == MODEL_TENSORS)
        return assay_fail(err, ASSAY_EUNSUPPORTED, "the model has more than %d %ss", MODEL_TENSORS,
                          what);
    spec = output ? &m->outputs[*count] : &m->inputs[*count];
    *(output ? &m->fetches[*count] : &m->feeds[*count]) = at;
    if (!(m->names[m->name_count] = strdup(name)))
        return assay_fail(err, ASSAY_EFAIL, "not enough memory");
    spec->name = m->names[m->name_count++];
    (*count)++;
    spec->dtype = model_dtype(r->lib->TF_OperationOutputType(at));
    rank = read_dims(r, at, spec->dims);
    if (rank < 0)
        rank = wanted_dims(r, output, name, spec->dims);
    if (rank < 0)
        return assay_fail(err, ASSAY_EUNSUPPORTED,
                          "%s '%.100s' has no shape in the graph: export it with one", what, name);
    if (!spec->dtype || rank > ASSAY_MAX_RANK)
        return assay_fail(err, ASSAY_EUNSUPPORTED,
                          "%s '%.100s' is no tensor of a supported type with at most %d dimensions",
                          what, name, ASSAY_MAX_RANK);
    spec->rank = (uint32_t)rank;
    return ASSAY_OK;
}

/* All of those that the benchmark names, when the graph has every one; none otherwise, and the host
 * says what is missing. */
static int add_wanted(const struct reader *r, bool output, struct assay_err *err)
{
    const struct assay_tensor_spec *w = output ? r->c->want_outputs : r->c->want_inputs;
    uint32_t count = output ? r->c->want_output_count : r->c->want_input_count;
    TF_Output at;
    int rc = ASSAY_OK;

    for (uint32_t i = 0; i < count; i++)
        if (!w[i].name || !find_wanted(r, w[i].name, output, &at))
            return ASSAY_OK;
    for (uint32_t i = 0; i < count && !rc; i++) {
        find_wanted(r, w[i].name, output, &at);
        rc = add(r, output, w[i].name, at, err);
    }
    return rc;
}

static int add_signature(const struct reader *r, bool output, struct assay_err *err)
{
    const struct signature *s = r->signature;
    uint32_t count = output ? s->output_count : s->input_count;
    TF_Output at;
    int rc = ASSAY_OK;

    for (uint32_t i = 0; i < count && !rc; i++) {
        const struct signature_tensor *t = output ? &s->outputs[i] : &s->inputs[i];

        rc = find_tensor(r, t->tensor, &at)
                 ? add(r, output, t->key, at, err)
                 : assay_fail(err, ASSAY_EFAIL, "signature %s: the graph has no tensor '%.100s'",
                              s->name, t->tensor);
    }
    return rc;
}

/* A node that makes tensors for nobody in the graph. */
static bool is_terminal(const struct reader *r, TF_Operation *op)
{
    int n = r->lib->TF_OperationNumOutputs(op);
    const char *type = r->lib->TF_OperationOpType(op);
    int64_t dims[ASSAY_MAX_RANK];

    for (int i = 0; i < n; i++)
        if (r->lib->TF_OperationOutputNumConsumers((TF_Output){op, i}))
            return false;
    /* A number without dimensions has no row for each sample. */
    return n && strcmp(type, "Const") != 0 && strcmp(type, "Placeholder") != 0 &&
           model_dtype(r->lib->TF_OperationOutputType((TF_Output){op, 0})) &&
           read_dims(r, (TF_Output){op, 0}, dims) != 0;
}

static int add_nodes(const struct reader *r, bool output, struct assay_err *err)
{
    const struct library *lib = r->lib;
    TF_Operation *op;
    char name[300];
    size_t at = 0;
    int rc = ASSAY_OK, n;

    while (!rc && (op = lib->TF_GraphNextOperation(r->graph, &at))) {
        if (!output && strcmp(lib->TF_OperationOpType(op), "Placeholder") != 0)
            continue;
        if (output && !is_terminal(r, op))
            continue;
        n = output ? lib->TF_OperationNumOutputs(op) : 1;
        for (int i = 0; i < n && !rc; i++) {
            snprintf(name, sizeof(name), "%s:%d", lib->TF_OperationName(op), i);
            rc = add(r, output, name, (TF_Output){op, i}, err);
        }
    }
    return rc;
}

static int add_side(const struct reader *r, bool output, struct assay_err *err)
{
    const uint32_t *count = output ? &r->m->graph.output_count : &r->m->graph.input_count;
    int rc = add_wanted(r, output, err);

    if (!rc && !*count)
        rc = r->signature ? add_signature(r, output, err) : add_nodes(r, output, err);
    if (!rc && !*count)
        rc = output ? assay_fail(err, ASSAY_EUNSUPPORTED,
                                 "the graph has no output: no node whose result nobody reads")
                    : assay_fail(err, ASSAY_EUNSUPPORTED,
                                 "the graph has no input (no Placeholder): is the file a frozen "
                                 "GraphDef?");
    return rc;
}

/* By the nodes that compute most: what they give, or that they are the quantised ones. */
static const char *find_precision(const struct reader *r)
{
    static const char *const heavy[] = {"Conv2D",      "DepthwiseConv2dNative", "Conv3D", "MatMul",
                                        "BatchMatMul", "BatchMatMulV2",         "Einsum"};
    TF_Operation *op;
    const char *found = "fp32", *type;
    size_t at = 0;

    while ((op = r->lib->TF_GraphNextOperation(r->graph, &at))) {
        type = r->lib->TF_OperationOpType(op);
        if (strncmp(type, "Quantized", 9) == 0 || strncmp(type, "UniformQuantized", 16) == 0)
            return "int8";
        for (size_t i = 0; i < sizeof(heavy) / sizeof(heavy[0]); i++) {
            TF_DataType t = strcmp(type, heavy[i])
                                ? (TF_DataType)0
                                : r->lib->TF_OperationOutputType((TF_Output){op, 0});

            if (t == TF_HALF || t == TF_BFLOAT16)
                found = t == TF_HALF ? "fp16" : "bf16";
        }
    }
    return found;
}

int model_read(struct model *m, const struct library *lib, TF_Graph *graph, const char *name,
               const struct signature *signature, const struct assay_engine_config *c,
               struct assay_err *err)
{
    const struct reader r = {m, lib, graph, signature, c};
    int rc;

    m->graph.name = name;
    m->graph.inputs = m->inputs;
    m->graph.outputs = m->outputs;
    rc = add_side(&r, false, err);
    if (!rc)
        rc = add_side(&r, true, err);
    if (!rc)
        rc = assay_graphs_find_batch(&m->graph, &m->max_batch, err);
    if (!rc)
        m->precision = find_precision(&r);
    return rc;
}

void model_release(struct model *m)
{
    for (uint32_t i = 0; i < m->name_count; i++)
        free(m->names[i]);
}
