/* The initialisers of an ONNX file as tensors; its graph stays in s->graph, for bind_graph.c. */
#include "net/state.h"

#include <stdlib.h>
#include <string.h>

/* Those of types that no weight has, or with numbers one by one in fields of their own, are left
 * out: if the net wants one, it says that it is missing. */
static int take(struct state *s, const struct onnx_value *v, struct assay_err *err)
{
    struct state_tensor t = {.dtype = onnx_dtype(v->elem_type), .rank = v->rank, .at = v->data_at};
    int rc;

    if (!v->name)
        return ASSAY_OK;
    if (v->external)
        return assay_fail(err, ASSAY_EUNSUPPORTED,
                          "%s: keeps the numbers of '%.100s' in another file; make it one file "
                          "first (onnx.load, then onnx.save of it)",
                          s->name, v->name);
    if (!t.dtype || v->rank > STATE_MAX_RANK || !v->data_bytes)
        return ASSAY_OK;
    memcpy(t.dims, v->dims, v->rank * sizeof(t.dims[0]));
    state_pack(&t);
    rc = state_add(s, v->name, strlen(v->name), &t, v->data_at, v->data_bytes, err);
    if (!rc && s->tensors[s->count - 1].count * assay_dtype_size(t.dtype) != v->data_bytes)
        rc = assay_fail(err, ASSAY_EFAIL,
                        "%s: initialiser '%s' has %zu bytes, which is not its shape", s->name,
                        v->name, v->data_bytes);
    return rc;
}

int state_read_onnx(struct state *s, struct assay_err *err)
{
    struct assay_err why = {0};
    int rc;

    s->format = "ONNX";
    s->graph = calloc(1, sizeof(*s->graph));
    if (!s->graph)
        return assay_fail(err, ASSAY_EFAIL, "%s: out of memory", s->name);
    rc = onnx_read(s->data, s->len, s->name, s->graph, &why);
    if (rc)
        return assay_fail(err, rc, "%s (and no PyTorch or safetensors file)", why.text);
    for (size_t i = 0; !rc && i < s->graph->initializer_count; i++)
        rc = take(s, &s->graph->initializers[i], err);
    return rc;
}
