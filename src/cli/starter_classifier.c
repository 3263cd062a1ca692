/* The input and output blocks of an image classifier (benchmark resnet50), from an ONNX file.
 *
 * Certain: names, types, layout (where the 3 is), size, classes of an output with scores.  Nothing
 * in a file says how pixels become numbers, or what class 0 is.  The usual answers: models of 1001
 * classes are TensorFlow's, fed as the official ResNet-50 is, and their class 0 is "background";
 * others are mostly exported from PyTorch, with torchvision's mean and std. */
#include <string.h>

#include "base/tree.h"
#include "cli/starter.h"
#include "data/image.h"

#define MAX_CLASSES (1 << 20)
#define USUAL_SIZE  224

struct classifier {
    const struct onnx_value *in, *out;
    bool nhwc, argmax;
    int64_t size, classes; /* -1: any, or not said */
};

static int find_input(const struct starter *s, struct classifier *c, struct assay_err *err)
{
    if (s->input_count != 1)
        return assay_fail(err, ASSAY_EUNSUPPORTED,
                          "%s: the model takes %zu inputs%s%.60s%s%.60s%s; an image classifier "
                          "takes one",
                          s->file, s->input_count, s->input_count ? " ('" : "",
                          s->input_count ? s->inputs[0]->name : "", s->input_count ? "', '" : "",
                          s->input_count ? s->inputs[1]->name : "", s->input_count ? "' …)" : "");
    c->in = s->inputs[0];
    return ASSAY_OK;
}

/* Batch, and a square of three channels. */
static int read_input(const struct starter *s, struct classifier *c, struct assay_err *err)
{
    const struct onnx_value *in = c->in;
    const int64_t *d = in->dims;
    int64_t h, w;
    int rc;

    if (in->rank != 4 || (d[1] != 3 && d[3] != 3))
        return starter_refuse(
            s, "input", in,
            "an image classifier takes [batch,3,size,size] or [batch,size,size,3]; "
            "no other shape is known here",
            err);
    if (onnx_dtype(in->elem_type) != ASSAY_F32)
        return starter_refuse(s, "input", in,
                              "the benchmark feeds float32; export the model with that", err);
    if ((rc = starter_check_batch(s, in, err)))
        return rc;
    c->nhwc = d[1] != 3;
    h = d[c->nhwc ? 1 : 2];
    w = d[c->nhwc ? 2 : 3];
    if ((h >= 0 && w >= 0 && h != w) || h > IMAGE_MAX_SIDE || w > IMAGE_MAX_SIDE || !h || !w)
        return starter_refuse(s, "input", in,
                              "the benchmark cuts a square of 1 to 4096 pixels a side", err);
    c->size = h >= 0 ? h : w;
    return ASSAY_OK;
}

static bool is_scores(const struct onnx_value *v)
{
    return onnx_dtype(v->elem_type) == ASSAY_F32 && v->rank == 2 && v->dims[1] != 0 &&
           v->dims[1] != 1 && v->dims[1] <= MAX_CLASSES;
}

static bool is_label(const struct onnx_value *v)
{
    int32_t dtype = onnx_dtype(v->elem_type);

    return (dtype == ASSAY_I64 || dtype == ASSAY_I32) && v->rank == 1;
}

/* The first output that fits; a label's classes are those of the scores beside it. */
static int read_output(const struct starter *s, struct classifier *c, struct assay_err *err)
{
    const struct onnx_model *m = s->model;
    const struct onnx_value *scores = NULL;

    for (size_t i = 0; i < m->output_count; i++) {
        const struct onnx_value *v = &m->outputs[i];

        if (!c->out && v->name && (is_scores(v) || is_label(v)))
            c->out = v;
        if (!scores && is_scores(v))
            scores = v;
    }
    if (!c->out) {
        starter_refuse(s, "output", &m->outputs[0],
                       "an image classifier gives float32 [batch,classes] or int64 or "
                       "int32 [batch]; is it one?",
                       err);
        return ASSAY_EUNSUPPORTED;
    }
    c->argmax = is_label(c->out);
    c->classes = scores ? scores->dims[1] : -1;
    return ASSAY_OK;
}

static void write_input(const struct classifier *c, bool vgg, struct text *t)
{
    int64_t size = c->size > 0 ? c->size : USUAL_SIZE, resize = (size * 256 + 112) / 224;

    text_add(t, "input:\n");
    starter_batch_comment(c->in, t);
    text_add(t, "  name: ");
    tree_add_quoted(t, c->in->name);
    text_addf(t, "\n  layout: %s\n  size: %lld%s\n", c->nhwc ? "NHWC" : "NCHW", (long long)size,
              c->size > 0 ? "" : "  # guess: the model takes any");
    text_addf(t,
              "  resize: %lld  # guess: the photo's short side, of which the middle is cut out\n",
              (long long)(resize < IMAGE_MAX_SIDE ? resize : IMAGE_MAX_SIDE));
    text_addf(t,
              "  method: %s  # guess: pytorch is (pixel/255 - mean) / std as torchvision's models "
              "want it; vgg is pixel - mean\n"
              "  # Other numbers: scale, mean, std, for (pixel * scale - mean) / std, such as\n"
              "  # `method: vgg`, `mean: 127.5`, `std: 127.5` for -1 ... 1, `mean: 0`, `std: 255` "
              "for 0 ... 1, `mean: 0` for 0 ... 255\n"
              "  color: RGB  # guess: or BGR\n",
              vgg ? "vgg" : "pytorch");
}

static void write_classes(const struct classifier *c, bool background, struct text *t)
{
    if (background)
        text_add(t, "  classes: 1000\n"
                    "  label_offset: -1  # guess: the first of the 1001 classes is \"background\"; "
                    "or 0, with classes: 1001\n");
    else if (c->classes > 0)
        text_addf(
            t,
            "  classes: %lld\n"
            "  label_offset: 0  # guess: or -1 where class 0 is \"background\", with one less "
            "in classes\n",
            (long long)c->classes);
    else
        text_add(t, "  classes: 1000  # guess: of the data set\n"
                    "  label_offset: 0  # guess: or -1 where label 0 is \"background\"\n");
}

static void write_output(const struct starter *s, const struct classifier *c, bool background,
                         struct text *t)
{
    bool first = true;

    text_add(t, "output:\n  name: ");
    tree_add_quoted(t, c->out->name);
    for (size_t i = 0; i < s->model->output_count; i++) {
        const struct onnx_value *v = &s->model->outputs[i];

        if (v == c->out || !v->name || t->len > 8192)
            continue;
        text_add(t, first ? "  # the model also gives " : ", ");
        tree_add_quoted(t, v->name);
        first = false;
    }
    text_addf(t, "\n  kind: %s\n", c->argmax ? "argmax" : "logits");
    if (c->argmax)
        text_addf(t, "  dtype: %s\n", assay_dtype_name(onnx_dtype(c->out->elem_type)));
    write_classes(c, background, t);
}

int starter_classifier(const struct starter *s, struct text *yaml, struct assay_err *err)
{
    struct classifier c = {0};
    bool background;
    int rc = find_input(s, &c, err);

    if (!rc)
        rc = read_input(s, &c, err);
    if (!rc)
        rc = read_output(s, &c, err);
    if (!rc)
        rc = starter_check_name(s, c.in->name, err);
    if (!rc)
        rc = starter_check_name(s, c.out->name, err);
    if (rc)
        return rc;
    background = c.classes == 1001;
    write_input(&c, background, yaml);
    write_output(s, &c, background, yaml);
    return ASSAY_OK;
}
