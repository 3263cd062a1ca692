/* The input and output blocks of a manifest -> struct model. */
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "data/block.h"
#include "resnet50.h"

/* One number for all channels, or a list of three. */
static int channels(const json_t *block, const char *key, bool nonzero, double *out,
                    struct assay_err *err)
{
    const json_t *v = json_object_get(block, key), *one;
    int c;

    for (c = 0; v && c < 3; c++) {
        one = json_is_array(v) && json_array_size(v) == 3 ? json_array_get(v, (size_t)c) : v;
        if (!json_is_number(one) || (nonzero && json_number_value(one) == 0))
            return assay_fail(err, ASSAY_EUSAGE, "input.%s must be %s or a list of three", key,
                              nonzero ? "a number other than 0" : "a number");
        out[c] = json_number_value(one);
    }
    return ASSAY_OK;
}

static int parse_input(const json_t *in, struct model *m, struct assay_err *err)
{
    static const char *const keys[] = {"name",   "layout", "dtype", "size", "resize",
                                       "method", "color",  "mean",  "std",  "scale"};
    static const char *const layouts[] = {"NCHW", "NHWC", NULL},
                             *const dtypes[] = {"float32", NULL},
                             *const methods[] = {"vgg", "pytorch", NULL},
                             *const colors[] = {"RGB", "BGR", NULL};
    static const struct image_rule usual[] = {
        {.scale = 1, .mean = {123.68, 116.78, 103.94}, .std = {1, 1, 1}},
        {.scale = 1 / 255.0, .mean = {0.485, 0.456, 0.406}, .std = {0.229, 0.224, 0.225}}};
    const json_t *scale = json_object_get(in, "scale");
    int64_t size = 224, resize = 256;
    int nhwc = 0, dtype = 0, method = 0, bgr = 0, rc;

    if ((rc = block_check_keys(in, "input", keys, sizeof(keys) / sizeof(keys[0]), err)) ||
        (rc = block_text(in, "input", "name", m->input, err)) ||
        (rc = block_choice(in, "input", "layout", layouts, &nhwc, err)) ||
        (rc = block_choice(in, "input", "dtype", dtypes, &dtype, err)) ||
        (rc = block_choice(in, "input", "method", methods, &method, err)) ||
        (rc = block_choice(in, "input", "color", colors, &bgr, err)) ||
        (rc = block_integer(in, "input", "size", 1, IMAGE_MAX_SIDE, &size, err)))
        return rc;
    resize = (size * 256 + 112) / 224; /* the official 87.5 % */
    if ((rc = block_integer(in, "input", "resize", size, IMAGE_MAX_SIDE, &resize, err)))
        return rc;
    m->rule = usual[method];
    if (bgr) { /* the usual means are those of R, G, B */
        m->rule.mean[0] = usual[method].mean[2];
        m->rule.mean[2] = usual[method].mean[0];
        m->rule.std[0] = usual[method].std[2];
        m->rule.std[2] = usual[method].std[0];
    }
    m->rule.method = method;
    m->rule.size = (uint32_t)size;
    m->rule.resize = (uint32_t)resize;
    m->rule.nhwc = nhwc;
    m->rule.bgr = bgr;
    if (scale && !json_is_number(scale))
        return assay_fail(err, ASSAY_EUSAGE, "input.scale must be a number");
    if (scale)
        m->rule.scale = json_number_value(scale);
    rc = channels(in, "mean", false, m->rule.mean, err);
    return rc ? rc : channels(in, "std", true, m->rule.std, err);
}

static int parse_output(const json_t *out, struct model *m, struct assay_err *err)
{
    static const char *const keys[] = {"name", "kind", "dtype", "classes", "label_offset"};
    static const char *const kinds[] = {"logits", "argmax", NULL}, *const dtypes[] = {
                                                                       "int64", "int32", NULL};
    int64_t classes = 1000, offset = 0;
    int kind = 0, dtype = 0, rc;

    if ((rc = block_check_keys(out, "output", keys, sizeof(keys) / sizeof(keys[0]), err)) ||
        (rc = block_text(out, "output", "name", m->output, err)) ||
        (rc = block_choice(out, "output", "kind", kinds, &kind, err)) ||
        (rc = block_integer(out, "output", "classes", 1, 1 << 20, &classes, err)) ||
        (rc = block_integer(out, "output", "label_offset", -1, 1, &offset, err)))
        return rc;
    if (kind && (rc = block_choice(out, "output", "dtype", dtypes, &dtype, err)))
        return rc;
    m->argmax = kind;
    m->dtype = !kind ? ASSAY_F32 : dtype ? ASSAY_I32 : ASSAY_I64;
    m->classes = (int32_t)classes;
    m->offset = (int32_t)offset;
    return ASSAY_OK;
}

int model_parse(const char *manifest, struct model *m, struct assay_err *err)
{
    json_error_t why;
    json_t *tree = json_loads(manifest ? manifest : "{}", 0, &why);
    const json_t *reference = json_object_get(tree, "reference_accuracy");
    int rc;

    memset(m, 0, sizeof(*m));
    if (!json_is_object(tree))
        rc = assay_fail(err, ASSAY_EUSAGE, "is no JSON object: %s", why.text);
    else if (reference && !json_is_number(reference))
        rc = assay_fail(err, ASSAY_EUSAGE, "reference_accuracy must be a number (percent)");
    else if (!(rc = parse_input(json_object_get(tree, "input"), m, err)))
        rc = parse_output(json_object_get(tree, "output"), m, err);
    if (rc)
        rc = block_name_manifest(tree, rc, err);
    m->reference = reference ? json_number_value(reference) : NAN;
    json_decref(tree);
    return rc;
}
