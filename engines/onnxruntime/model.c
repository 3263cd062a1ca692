/* Inputs, outputs and precision of an ONNX model. */
#include "model.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../protobuf.h"
#include "assay/graphs.h"

/* Index: enum assay_dtype. */
static const ONNXTensorElementDataType types[] = {
    ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED, ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT,
    ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16,   ONNX_TENSOR_ELEMENT_DATA_TYPE_BFLOAT16,
    ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE,    ONNX_TENSOR_ELEMENT_DATA_TYPE_INT8,
    ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8,     ONNX_TENSOR_ELEMENT_DATA_TYPE_INT16,
    ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32,     ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64,
    ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL};
#define TYPES (int)(sizeof(types) / sizeof(types[0]))

int model_dtype(ONNXTensorElementDataType type)
{
    for (int i = 1; i < TYPES; i++)
        if (types[i] == type)
            return i;
    return ASSAY_NONE;
}

ONNXTensorElementDataType model_ort_type(int dtype)
{
    return dtype > 0 && dtype < TYPES ? types[dtype] : ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
}

/* Type and shape of one tensor; a sequence or map leaves spec->dtype at ASSAY_NONE. */
static OrtStatus *read_spec(const OrtApi *api, const OrtTypeInfo *info,
                            struct assay_tensor_spec *spec)
{
    const OrtTensorTypeAndShapeInfo *tensor = NULL; /* owned by info */
    ONNXTensorElementDataType type;
    size_t rank;
    OrtStatus *st = api->CastTypeInfoToTensorInfo(info, &tensor);

    if (st || !tensor)
        return st;
    if ((st = api->GetTensorElementType(tensor, &type)) ||
        (st = api->GetDimensionsCount(tensor, &rank)))
        return st;
    if (rank > ASSAY_MAX_RANK)
        return NULL;
    spec->dtype = model_dtype(type);
    spec->rank = (uint32_t)rank;
    return api->GetDimensions(tensor, spec->dims, rank);
}

static int read_tensor(struct model *m, const struct library *lib, OrtSession *session, bool output,
                       uint32_t i, struct assay_err *err)
{
    const OrtApi *api = lib->api;
    uint32_t at = (output ? m->graph.input_count : 0) + i;
    struct assay_tensor_spec *spec = &m->specs[at];
    OrtAllocator *allocator = NULL;
    OrtTypeInfo *info = NULL;
    char *name = NULL;
    int rc = ASSAY_OK;
    OrtStatus *st = api->GetAllocatorWithDefaultOptions(&allocator);

    if (!st)
        st = output ? api->SessionGetOutputName(session, i, allocator, &name)
                    : api->SessionGetInputName(session, i, allocator, &name);
    if (!st)
        st = output ? api->SessionGetOutputTypeInfo(session, i, &info)
                    : api->SessionGetInputTypeInfo(session, i, &info);
    if (!st)
        st = read_spec(api, info, spec);
    if (st)
        rc = library_error(lib, st, "the model's tensors", err);
    else if (!(m->names[at] = strdup(name)))
        rc = assay_fail(err, ASSAY_EFAIL, "not enough memory");
    else if (!spec->dtype)
        rc = assay_fail(err, ASSAY_EUNSUPPORTED,
                        "%s '%.100s' is no tensor of a supported type with at most %d dimensions",
                        output ? "output" : "input", name, ASSAY_MAX_RANK);
    spec->name = m->names[at];
    *(output ? &m->output_names[i] : &m->input_names[i]) = m->names[at];
    if (info)
        api->ReleaseTypeInfo(info);
    if (name)
        allocator->Free(allocator, name);
    return rc;
}

/* ---- precision ---- */

/* In a NodeProto the operator's type is field 4: tag 0x22, length, text; enough to find it without
 * reading the whole structure. */
static bool has_op(const char *file, size_t bytes, const char *op)
{
    char node[40];
    size_t n = (size_t)snprintf(node, sizeof(node), "\x22%c%s", (int)strlen(op), op);

    return memmem(file, bytes, node, n) != NULL;
}

/* Field `wanted` of a message, once or each time that it is there: calls fn with it. */
static void each(struct view v, uint64_t wanted, void (*fn)(struct view, void *), void *ctx)
{
    uint64_t field, number;
    struct view inside;

    while (next_field(&v, &field, &number, &inside))
        if (field == wanted)
            fn(inside, ctx);
}

enum {
    MODEL_GRAPH = 7,
    GRAPH_NODE = 1,
    GRAPH_INITIALIZER = 5,
    NODE_INPUT = 1,
    NODE_OUTPUT = 2,
    NODE_TYPE = 4,
    NODE_ATTRIBUTE = 5,
    ATTRIBUTE_TENSOR = 5,
    TENSOR_DIMS = 1,
    TENSOR_TYPE = 2,
    TYPES_SUMMED = 32
};

/* Adds a TensorProto's numbers to those of its type. */
static void add_tensor(struct view tensor, void *ctx)
{
    double *sums = ctx;
    uint64_t field, number, type = 0, dim;
    double count = 1;
    struct view inside;

    while (next_field(&tensor, &field, &number, &inside)) {
        if (field == TENSOR_TYPE)
            type = number;
        if (field == TENSOR_DIMS && !inside.p)
            count *= (double)number;
        while (field == TENSOR_DIMS && inside.p < inside.end && varint(&inside, &dim))
            count *= (double)dim;
    }
    if (type < TYPES_SUMMED)
        sums[type] += count;
}

static void add_attribute(struct view attribute, void *sums)
{
    each(attribute, ATTRIBUTE_TENSOR, add_tensor, sums);
}

static void add_node(struct view node, void *sums)
{
    each(node, NODE_ATTRIBUTE, add_attribute, sums);
}

/* Some exporters write weights as nodes: Constant. */
static void add_graph(struct view graph, void *sums)
{
    each(graph, GRAPH_INITIALIZER, add_tensor, sums);
    each(graph, GRAPH_NODE, add_node, sums);
}

/* By the floating type that most of the weights have: inputs may well be of another. */
static const char *weights_precision(const struct model *m, const char *file, size_t bytes)
{
    const unsigned char *p = (const unsigned char *)file;
    double sums[TYPES_SUMMED] = {0};
    const double *fp32 = &sums[ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT],
                 *fp16 = &sums[ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16],
                 *bf16 = &sums[ONNX_TENSOR_ELEMENT_DATA_TYPE_BFLOAT16];

    each((struct view){p, p + bytes}, MODEL_GRAPH, add_graph, sums);
    if (*fp16 > *fp32 || *bf16 > *fp32)
        return *fp16 > *bf16 ? "fp16" : "bf16";
    for (uint32_t i = 0; i < m->graph.input_count && *fp32 == 0; i++)
        if (m->specs[i].dtype == ASSAY_F16)
            return "fp16";
    return "fp32";
}

/* What float weights are computed in.  On x86 the CPU provider has no arithmetic in 16 bits: ONNX
 * Runtime puts a Cast to float32 in front of each node that it has nothing for, and takes the pairs
 * between them away.  (On ARM it has convolutions and products in float16.) */
static const char *float_precision(const struct model *m, const char *file, size_t bytes, bool cuda)
{
    const char *weights = weights_precision(m, file, bytes);

#ifdef __aarch64__
    if (strcmp(weights, "fp16") == 0)
        return weights;
#endif
    return cuda ? weights : "fp32";
}

/* ---- products of 8-bit integers ---- */

/* Counts a graph's products (convolutions too): in which type ONNX Runtime computes them it does
 * not tell, short of writing its optimised model.  In integers are those whose two factors come
 * from DequantizeLinear, which it fuses, also through what only moves numbers; one whose weights
 * alone do is computed in float. */
struct products {
    struct view *quantised; /* names of what comes from DequantizeLinear */
    size_t count, cap;
    size_t ints, floats;
};

static bool same(struct view v, const void *bytes, size_t n)
{
    return (size_t)(v.end - v.p) == n && !memcmp(v.p, bytes, n);
}

static bool is(struct view v, const char *text)
{
    return same(v, text, strlen(text));
}

static bool is_one_of(struct view v, const char *const *words)
{
    for (; *words; words++)
        if (is(v, *words))
            return true;
    return false;
}

static bool is_quantised(const struct products *c, struct view name)
{
    for (size_t i = c->count; i-- > 0;) /* what was made last is used first */
        if (same(c->quantised[i], name.p, (size_t)(name.end - name.p)))
            return true;
    return false;
}

static void add_quantised(struct products *c, struct view name)
{
    size_t cap = c->cap ? c->cap * 2 : 256;
    struct view *more = c->count == c->cap ? realloc(c->quantised, cap * sizeof(*more)) : NULL;

    if (more) {
        c->quantised = more;
        c->cap = cap;
    }
    if (c->count < c->cap)
        c->quantised[c->count++] = name;
}

static void count_node(struct view node, void *ctx)
{
    static const char *const products[] = {"Conv",   "ConvTranspose", "Gemm",
                                           "MatMul", "MatMulNBits",   NULL};
    static const char *const ints[] = {"ConvInteger", "MatMulInteger", "QLinearConv",
                                       "QLinearMatMul", NULL};
    static const char *const moves[] = {"Flatten",   "Identity",  "Reshape", "Squeeze",
                                        "Transpose", "Unsqueeze", NULL};
    struct products *c = ctx;
    struct view inside, type = {0}, input[2] = {{0}}, output = {0};
    uint64_t field, number;
    int inputs = 0;

    while (next_field(&node, &field, &number, &inside)) {
        if (field == NODE_INPUT && inputs < 2)
            input[inputs++] = inside;
        else if (field == NODE_OUTPUT && !output.p)
            output = inside;
        else if (field == NODE_TYPE)
            type = inside;
    }
    if (is(type, "DequantizeLinear") || (is_one_of(type, moves) && is_quantised(c, input[0])))
        add_quantised(c, output);
    else if (is_one_of(type, ints))
        c->ints++;
    else if (is_one_of(type, products) && is_quantised(c, input[0]) && is_quantised(c, input[1]))
        c->ints++;
    else if (is_one_of(type, products))
        c->floats++;
}

static void count_graph(struct view graph, void *ctx)
{
    each(graph, GRAPH_NODE, count_node, ctx);
}

/* Whether most of a model's products are of integers. */
static bool is_int8(const char *file, size_t bytes)
{
    const unsigned char *p = (const unsigned char *)file;
    struct products c = {0};

    each((struct view){p, p + bytes}, MODEL_GRAPH, count_graph, &c);
    free(c.quantised);
    return c.ints > c.floats;
}

/* Operators on 8-bit integers.  ONNX Runtime's CUDA provider (1.31) has the first alone: the others
 * would be computed on the CPU.  What comes from DequantizeLinear the CPU fuses, from a level of
 * optimisation on; else that is computed in float. */
static int read_precision(struct model *m, const char *path, const char *file, size_t bytes,
                          bool cuda, bool fused, struct assay_err *err)
{
    static const char *const ops[] = {"MatMulInteger", "QLinearConv", "QLinearMatMul",
                                      "ConvInteger"};
    bool whole = false;

    for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
        if (!has_op(file, bytes, ops[i]))
            continue;
        if (cuda && i)
            return assay_fail(
                err, ASSAY_EUNSUPPORTED,
                "model %.200s has %s, which ONNX Runtime cannot compute on CUDA, only "
                "on the CPU",
                path, ops[i]);
        whole = true;
    }
    m->precision = (whole || (!cuda && fused)) && is_int8(file, bytes)
                       ? "int8"
                       : float_precision(m, file, bytes, cuda);
    return ASSAY_OK;
}

/* What only the file tells. */
static int read_file(struct model *m, const char *path, bool cuda, bool fused,
                     struct assay_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC), rc = ASSAY_OK;
    struct stat st;
    void *file = MAP_FAILED;

    m->precision = "fp32";
    if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size > 0)
        file = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (file != MAP_FAILED) {
        m->convolves = has_op(file, (size_t)st.st_size, "Conv") ||
                       has_op(file, (size_t)st.st_size, "FusedConv");
        rc = read_precision(m, path, file, (size_t)st.st_size, cuda, fused, err);
        munmap(file, (size_t)st.st_size);
    }
    if (fd >= 0)
        close(fd);
    return rc;
}

int model_read(struct model *m, const struct library *lib, OrtSession *session, const char *name,
               const char *path, bool cuda, bool fused, struct assay_err *err)
{
    size_t in = 0, out = 0;
    OrtStatus *st = lib->api->SessionGetInputCount(session, &in);
    int rc = ASSAY_OK;

    if (!st)
        st = lib->api->SessionGetOutputCount(session, &out);
    if (st)
        return library_error(lib, st, "the model's tensors", err);
    if (in > MODEL_TENSORS || out > MODEL_TENSORS)
        return assay_fail(err, ASSAY_EUNSUPPORTED,
                          "the model has %zu inputs and %zu outputs, %d are supported", in, out,
                          MODEL_TENSORS);
    m->graph =
        (struct assay_graph_desc){name, (uint32_t)in, (uint32_t)out, m->specs, m->specs + in};
    for (uint32_t i = 0; i < in && !rc; i++)
        rc = read_tensor(m, lib, session, false, i, err);
    for (uint32_t o = 0; o < out && !rc; o++)
        rc = read_tensor(m, lib, session, true, o, err);
    if (!rc)
        rc = assay_graphs_find_batch(&m->graph, &m->max_batch, err);
    return rc ? rc : read_file(m, path, cuda, fused, err);
}

void model_release(struct model *m)
{
    for (uint32_t i = 0; i < 2 * MODEL_TENSORS; i++)
        free(m->names[i]);
}
