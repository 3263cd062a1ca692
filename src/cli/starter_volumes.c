/* The input and output blocks of a model that segments volumes (benchmark 3d-unet), from an ONNX
 * file: a window of one channel in, three classes out.  Nothing is left to guess. */
#include <string.h>

#include "base/tree.h"
#include "cli/starter.h"

#define SIDE    128 /* the benchmark's window */
#define CLASSES 3

/* float32 [batch, channels, 128, 128, 128], channels perhaps last; dimensions may be free. */
static bool is_window(const struct onnx_value *v, int64_t channels, bool last)
{
    const int64_t *d = v->dims;

    if (!v->name || onnx_dtype(v->elem_type) != ASSAY_F32 || v->rank != 5 ||
        d[last ? 4 : 1] != channels)
        return false;
    for (int i = last ? 1 : 2; i < (last ? 4 : 5); i++)
        if (d[i] != SIDE && d[i] != -1)
            return false;
    return true;
}

static const struct onnx_value *find_output(const struct starter *s, bool last)
{
    for (size_t i = 0; i < s->model->output_count; i++)
        if (is_window(&s->model->outputs[i], CLASSES, last))
            return &s->model->outputs[i];
    return NULL;
}

static int check(const struct starter *s, const struct onnx_value **out, bool *last,
                 struct assay_err *err)
{
    const struct onnx_value *in = s->input_count == 1 ? s->inputs[0] : NULL;

    if (!in)
        return assay_fail(err, ASSAY_EUNSUPPORTED,
                          "%s: the model takes %zu inputs; for 3d-unet it has to take one", s->file,
                          s->input_count);
    *last = !is_window(in, 1, false);
    if (*last && !is_window(in, 1, true)) {
        starter_refuse(s, "input", in,
                       "the benchmark 3d-unet feeds float32 [batch,1,128,128,128] or "
                       "[batch,128,128,128,1]",
                       err);
        return ASSAY_EUNSUPPORTED;
    }
    if (!(*out = find_output(s, *last))) {
        starter_refuse(s, "output", &s->model->outputs[0],
                       "the benchmark 3d-unet needs three classes for each voxel of 128 x "
                       "128 x 128, float32, channels where the input has them",
                       err);
        return ASSAY_EUNSUPPORTED;
    }
    return starter_check_batch(s, in, err);
}

int starter_volumes(const struct starter *s, struct text *yaml, struct assay_err *err)
{
    const struct onnx_value *out = NULL;
    bool last = false;
    int rc = check(s, &out, &last, err);

    if (!rc)
        rc = starter_check_name(s, s->inputs[0]->name, err);
    if (!rc)
        rc = starter_check_name(s, out->name, err);
    if (rc)
        return rc;
    text_add(yaml, "input:\n  name: ");
    tree_add_quoted(yaml, s->inputs[0]->name);
    text_addf(yaml, "\n  layout: %s\noutput:\n  name: ", last ? "NDHWC" : "NCDHW");
    tree_add_quoted(yaml, out->name);
    text_add(yaml, "\n");
    return ASSAY_OK;
}
