/* Inputs, outputs and precision of an ONNX model. */
#include "model.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

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

/* Whether the file has an operator that computes with 8-bit integers.  In a NodeProto the
 * operator's type is field 4: tag 0x22, length, text; enough to find it without reading the whole
 * structure. */
static bool has_int8(const char *path)
{
    static const char *const ops[] = {"\x22\x10"
                                      "DequantizeLinear",
                                      "\x22\x0b"
                                      "QLinearConv",
                                      "\x22\x0d"
                                      "QLinearMatMul",
                                      "\x22\x0d"
                                      "MatMulInteger",
                                      "\x22\x0b"
                                      "ConvInteger"};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    void *file = MAP_FAILED;
    bool found = false;

    if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size > 0)
        file = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]) && file != MAP_FAILED && !found; i++)
        found = memmem(file, (size_t)st.st_size, ops[i], strlen(ops[i])) != NULL;
    if (file != MAP_FAILED)
        munmap(file, (size_t)st.st_size);
    if (fd >= 0)
        close(fd);
    return found;
}

static const char *find_precision(const struct model *m, const char *path)
{
    if (has_int8(path))
        return "int8";
    for (uint32_t i = 0; i < m->graph.input_count; i++)
        if (m->specs[i].dtype == ASSAY_F16)
            return "fp16";
    return "fp32";
}

int model_read(struct model *m, const struct library *lib, OrtSession *session, const char *name,
               const char *path, struct assay_err *err)
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
    if (!rc)
        m->precision = find_precision(m, path);
    return rc;
}

void model_release(struct model *m)
{
    for (uint32_t i = 0; i < 2 * MODEL_TENSORS; i++)
        free(m->names[i]);
}
