/* The input and output blocks of a manifest -> struct model. */
#include <jansson.h>
#include <string.h>

#include "data/block.h"
#include "retinanet.h"

static const uint32_t counts[] = {[KIND_DETECTIONS] = 3, [KIND_HEADS] = 10, [KIND_ANCHORS] = 2};

static int parse_input(const json_t *in, struct model *m, struct assay_err *err)
{
    static const char *const methods[] = {"stretch", NULL};
    static const struct image_rule usual[] = {
        {.method = IMAGE_STRETCH, .scale = 1, .std = {255, 255, 255}}};

    return image_rule_parse(in, methods, usual, 800, &m->rule, m->input, err);
}

static int parse_names(const json_t *out, struct model *m, struct assay_err *err)
{
    const json_t *names = json_object_get(out, "names"), *one;
    uint32_t n = counts[m->kind];
    size_t i;

    if (!names)
        return ASSAY_OK;
    if (!json_is_array(names) || json_array_size(names) != n)
        return assay_fail(err, ASSAY_EUSAGE, "output.names must be a list of %u texts: %s", n,
                          m->kind == KIND_DETECTIONS ? "boxes, scores, labels"
                          : m->kind == KIND_HEADS    ? "class scores of P3 to P7, boxes of P3 to P7"
                                                     : "class scores, boxes");
    for (i = 0; i < n; i++) {
        one = json_array_get(names, i);
        if (!json_is_string(one) || json_string_length(one) >= sizeof(m->outputs[0]))
            return assay_fail(err, ASSAY_EUSAGE,
                              "output.names: each must be a text of up to 127 characters");
        snprintf(m->outputs[i], sizeof(m->outputs[i]), "%s", json_string_value(one));
    }
    return ASSAY_OK;
}

static int parse_output(const json_t *out, struct model *m, struct assay_err *err)
{
    static const char *const keys[] = {"kind",  "names",   "layout",
                                       "dtype", "classes", "max_detections"};
    static const char *const kinds[] = {"detections", "heads", "anchors", NULL},
                             *const layouts[] = {"NCHW", "NHWC", NULL},
                             *const dtypes[] = {"int64", "int32", NULL};
    int64_t classes = 264, most = 300;
    int nhwc = 0, dtype = 0, rc;

    if ((rc = block_check_keys(out, "output", keys, sizeof(keys) / sizeof(keys[0]), err)) ||
        (rc = block_choice(out, "output", "kind", kinds, &m->kind, err)) ||
        (rc = block_choice(out, "output", "layout", layouts, &nhwc, err)) ||
        (rc = block_choice(out, "output", "dtype", dtypes, &dtype, err)) ||
        (rc = block_integer(out, "output", "classes", 1, 4096, &classes, err)) ||
        (rc = block_integer(out, "output", "max_detections", 1, 5000, &most, err)))
        return rc;
    m->planes = m->kind == KIND_HEADS && !nhwc;
    m->dtype = dtype ? ASSAY_I32 : ASSAY_I64;
    m->classes = (int32_t)classes;
    m->most = (int32_t)most;
    return parse_names(out, m, err);
}

static int parse(const json_t *tree, void *model, struct assay_err *err)
{
    struct model *m = model;
    int rc = block_target(tree, "percent", &m->reference, &m->target, err);

    if (!rc)
        rc = parse_input(json_object_get(tree, "input"), m, err);
    return rc ? rc : parse_output(json_object_get(tree, "output"), m, err);
}

int model_parse(const char *manifest, struct model *m, struct assay_err *err)
{
    memset(m, 0, sizeof(*m));
    return block_read_manifest(manifest, parse, m, err);
}

/* ---- what the outputs look like ---- */

static void head_spec(const struct model *m, int64_t cells, int64_t width,
                      struct assay_tensor_spec *spec)
{
    int64_t planes[] = {width * DETECT_ANCHORS, cells, cells},
            pixels[] = {cells, cells, width * DETECT_ANCHORS};

    spec->rank = 3;
    memcpy(spec->dims, m->planes ? planes : pixels, sizeof(planes));
}

static void anchor_spec(const struct detect *heads, int64_t width, struct assay_tensor_spec *spec)
{
    int l;

    spec->rank = 2;
    spec->dims[1] = width;
    for (l = 0; l < DETECT_LEVELS; l++)
        spec->dims[0] += (int64_t)heads->cells[l] * heads->cells[l] * DETECT_ANCHORS;
}

uint32_t model_outputs(const struct model *m, const struct detect *heads,
                       struct assay_tensor_spec specs[OUTPUTS])
{
    uint32_t i, n = counts[m->kind];

    for (i = 0; i < n; i++) {
        struct assay_tensor_spec *s = &specs[i];
        bool scores = i < n / 2;

        *s = (struct assay_tensor_spec){.name = m->outputs[i][0] ? m->outputs[i] : NULL,
                                        .dtype = ASSAY_F32};
        if (m->kind == KIND_HEADS) {
            head_spec(m, heads->cells[i % DETECT_LEVELS], scores ? m->classes : 4, s);
        } else if (m->kind == KIND_ANCHORS) {
            anchor_spec(heads, scores ? m->classes : 4, s);
        } else { /* as many as the model finds */
            s->rank = i == 0 ? 2 : 1;
            s->dims[0] = -1;
            s->dims[1] = i == 0 ? 4 : 0;
            s->dtype = i == 2 ? m->dtype : ASSAY_F32;
        }
    }
    return n;
}
