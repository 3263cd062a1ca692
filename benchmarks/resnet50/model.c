/* The input and output blocks of a manifest -> struct model. */
#include <jansson.h>
#include <string.h>

#include "data/block.h"
#include "resnet50.h"

static int parse_input(const json_t *in, struct model *m, struct assay_err *err)
{
    static const char *const methods[] = {"vgg", "pytorch", NULL};
    static const struct image_rule usual[] = {
        {.method = IMAGE_VGG, .scale = 1, .mean = {123.68, 116.78, 103.94}, .std = {1, 1, 1}},
        {.method = IMAGE_PYTORCH,
         .scale = 1 / 255.0,
         .mean = {0.485, 0.456, 0.406},
         .std = {0.229, 0.224, 0.225}}};

    return image_rule_parse(in, methods, usual, 224, &m->rule, m->input, err);
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
