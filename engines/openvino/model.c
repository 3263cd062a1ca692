/* Inputs and outputs of a model, whatever its format. */
#include "model.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "assay/graphs.h"

/* Index: enum assay_dtype. */
static const ov_element_type_e types[] = {DYNAMIC, F32, F16, BF16, F64,    I8,
                                          U8,      I16, I32, I64,  BOOLEAN};
#define TYPES (int)(sizeof(types) / sizeof(types[0]))

int model_dtype(ov_element_type_e type)
{
    for (int i = 1; i < TYPES; i++)
        if (types[i] == type)
            return i;
    return ASSAY_NONE;
}

ov_element_type_e model_ov_type(int dtype)
{
    return dtype > 0 && dtype < TYPES ? types[dtype] : DYNAMIC;
}

/* A rank that is not known leaves spec->dtype at ASSAY_NONE. */
static ov_status_e read_spec(const struct library *lib, const ov_output_const_port_t *port,
                             struct assay_tensor_spec *spec)
{
    ov_partial_shape_t shape = {{0, 0}, NULL};
    ov_element_type_e type = DYNAMIC;
    ov_status_e st = lib->ov_port_get_element_type(port, &type);

    if (st == OK)
        st = lib->ov_port_get_partial_shape(port, &shape);
    if (st != OK)
        return st;
    if (shape.rank.min == shape.rank.max && shape.rank.max <= ASSAY_MAX_RANK) {
        spec->dtype = model_dtype(type);
        spec->rank = (uint32_t)shape.rank.max;
        for (uint32_t d = 0; d < spec->rank; d++)
            spec->dims[d] = shape.dims[d].min == shape.dims[d].max ? shape.dims[d].max : -1;
    }
    lib->ov_partial_shape_free(&shape);
    return OK;
}

/* What model_read works with. */
struct reader {
    struct model *m;
    const struct library *lib;
    const ov_model_t *model;
    const struct assay_engine_config *c;
};

/* Whether name is one of a port's: a tensor has the names of all nodes that only pass it on, of
 * which `any`, the port's first, stands for it. */
static bool is_called(const struct reader *r, bool output, const char *name, const char *any)
{
    const struct library *lib = r->lib;
    ov_output_const_port_t *port = NULL;
    char *first = NULL;
    ov_status_e st = output ? lib->ov_model_const_output_by_name(r->model, name, &port)
                            : lib->ov_model_const_input_by_name(r->model, name, &port);
    bool same = st == OK && lib->ov_port_get_any_name(port, &first) == OK && !strcmp(first, any);

    if (first)
        lib->ov_free(first);
    if (port)
        lib->ov_output_const_port_free(port);
    return same;
}

/* The name by which the benchmark wants the port, where it has that name; else its first.  Of a
 * TensorFlow file "op" is "op:0". */
static const char *wanted_name(const struct reader *r, bool output, const char *any)
{
    const struct assay_tensor_spec *w = output ? r->c->want_outputs : r->c->want_inputs;
    uint32_t count = output ? r->c->want_output_count : r->c->want_input_count;
    bool tensorflow = strcmp(r->c->format, "tensorflow") == 0;
    char full[300];

    for (uint32_t i = 0; i < count; i++) {
        if (!w[i].name)
            continue;
        snprintf(full, sizeof(full), "%s%s", w[i].name,
                 tensorflow && !strchr(w[i].name, ':') ? ":0" : "");
        if (is_called(r, output, full, any))
            return w[i].name;
    }
    return any;
}

static int read_tensor(const struct reader *r, bool output, uint32_t i, struct assay_err *err)
{
    const struct library *lib = r->lib;
    struct model *m = r->m;
    uint32_t at = (output ? m->graph.input_count : 0) + i;
    struct assay_tensor_spec *spec = &m->specs[at];
    ov_output_const_port_t *port = NULL;
    char *name = NULL;
    int rc = ASSAY_OK;
    ov_status_e st = output ? lib->ov_model_const_output_by_index(r->model, i, &port)
                            : lib->ov_model_const_input_by_index(r->model, i, &port);

    if (st == OK)
        st = read_spec(lib, port, spec);
    if (st != OK) {
        rc = library_error(lib, st, "the model's tensors", err);
        goto out;
    }
    if (lib->ov_port_get_any_name(port, &name) != OK) /* a result without a name of its own */
        name = NULL;
    m->names[at] = strdup(name ? wanted_name(r, output, name) : output ? "output" : "input");
    if (!m->names[at])
        rc = assay_fail(err, ASSAY_EFAIL, "not enough memory");
    else if (!spec->dtype)
        rc = assay_fail(err, ASSAY_EUNSUPPORTED,
                        "%s '%.100s' is no tensor of a supported type with at most %d dimensions",
                        output ? "output" : "input", m->names[at], ASSAY_MAX_RANK);
    spec->name = m->names[at];
out:
    if (name)
        lib->ov_free(name);
    if (port)
        lib->ov_output_const_port_free(port);
    return rc;
}

/* Whether all dimensions behind the first have numbers. */
static bool only_batch_free(const struct assay_graph_desc *g)
{
    for (uint32_t i = 0; i < g->input_count; i++)
        for (uint32_t d = 1; d < g->inputs[i].rank; d++)
            if (g->inputs[i].dims[d] < 0)
                return false;
    return true;
}

int model_read(struct model *m, const struct library *lib, const ov_model_t *model,
               const char *name, const struct assay_engine_config *c, struct assay_err *err)
{
    const struct reader r = {m, lib, model, c};
    size_t in = 0, out = 0;
    int rc = ASSAY_OK;
    ov_status_e st = lib->ov_model_inputs_size(model, &in);

    if (st == OK)
        st = lib->ov_model_outputs_size(model, &out);
    if (st != OK)
        return library_error(lib, st, "the model's tensors", err);
    if (in > MODEL_TENSORS || out > MODEL_TENSORS)
        return assay_fail(err, ASSAY_EUNSUPPORTED,
                          "the model has %zu inputs and %zu outputs, %d are supported", in, out,
                          MODEL_TENSORS);
    m->graph =
        (struct assay_graph_desc){name, (uint32_t)in, (uint32_t)out, m->specs, m->specs + in};
    for (uint32_t i = 0; i < in && !rc; i++)
        rc = read_tensor(&r, false, i, err);
    for (uint32_t o = 0; o < out && !rc; o++)
        rc = read_tensor(&r, true, o, err);
    m->only_batch_free = only_batch_free(&m->graph);
    return rc ? rc : assay_graphs_find_batch(&m->graph, &m->max_batch, err);
}

void model_release(struct model *m)
{
    for (uint32_t i = 0; i < 2 * MODEL_TENSORS; i++)
        free(m->names[i]);
}

/* IR is XML.  An ONNX file begins with its version, field 1 as a number; a GraphDef with its first
 * node, field 1 as a message. */
const char *model_format(const char *path)
{
    unsigned char first = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool there = fd >= 0 && read(fd, &first, 1) == 1;

    if (fd >= 0)
        close(fd);
    if (!there)
        return NULL;
    return first == '<' ? "openvino" : first == 0x08 ? "onnx" : first == 0x0a ? "tensorflow" : NULL;
}

/* Names of operators that stand for quantisation, as each format writes them; enough to know where
 * to look closer. */
bool model_has_int8(const char *path, const char *format)
{
    static const char *const onnx[] = {"DequantizeLinear", "QLinearConv", "QLinearMatMul",
                                       "MatMulInteger",    "ConvInteger", NULL};
    static const char *const graph_def[] = {"FakeQuantWithMinMax", "QuantizeV2", NULL};
    static const char *const ir[] = {"\"FakeQuantize\"", NULL};
    const char *const *words = strcmp(format, "onnx") == 0         ? onnx
                               : strcmp(format, "tensorflow") == 0 ? graph_def
                                                                   : ir;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    void *file = MAP_FAILED;
    bool found = false;

    if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size > 0)
        file = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    for (; *words && file != MAP_FAILED && !found; words++)
        found = memmem(file, (size_t)st.st_size, *words, strlen(*words)) != NULL;
    if (file != MAP_FAILED)
        munmap(file, (size_t)st.st_size);
    if (fd >= 0)
        close(fd);
    return found;
}
