/* The input and output blocks of a manifest -> struct model. */
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "data/block.h"
#include "unet.h"

static int parse_input(const json_t *in, struct model *m, struct assay_err *err)
{
    static const char *const keys[] = {"name", "layout"};
    static const char *const layouts[] = {"NCDHW", "NDHWC", NULL};
    int layout = 0, rc;

    if ((rc = block_check_keys(in, "input", keys, sizeof(keys) / sizeof(keys[0]), err)) ||
        (rc = block_text(in, "input", "name", m->input, err)) ||
        (rc = block_choice(in, "input", "layout", layouts, &layout, err)))
        return rc;
    m->channels_last = layout;
    return ASSAY_OK;
}

static int parse_output(const json_t *out, struct model *m, struct assay_err *err)
{
    static const char *const keys[] = {"name"};
    int rc = block_check_keys(out, "output", keys, sizeof(keys) / sizeof(keys[0]), err);

    return rc ? rc : block_text(out, "output", "name", m->output, err);
}

static int parse_target(const json_t *tree, struct model *m, struct assay_err *err)
{
    const json_t *reference = json_object_get(tree, "reference_accuracy"),
                 *target = json_object_get(tree, "target");

    if (reference && !json_is_number(reference))
        return assay_fail(err, ASSAY_EUSAGE,
                          "reference_accuracy must be a number (mean DICE in percent)");
    if (target && (!json_is_number(target) || json_number_value(target) <= 0 ||
                   json_number_value(target) > 100))
        return assay_fail(err, ASSAY_EUSAGE,
                          "target must be a share of reference_accuracy in percent: 99 or 99.9");
    m->reference = reference ? json_number_value(reference) : NAN;
    m->target = m->reference * (target ? json_number_value(target) : 99.0) / 100.0;
    return ASSAY_OK;
}

int model_parse(const char *manifest, struct model *m, struct assay_err *err)
{
    json_error_t why;
    json_t *tree = json_loads(manifest ? manifest : "{}", 0, &why);
    int rc;

    memset(m, 0, sizeof(*m));
    if (!json_is_object(tree))
        rc = assay_fail(err, ASSAY_EUSAGE, "is no JSON object: %s", why.text);
    else if (!(rc = parse_target(tree, m, err)) &&
             !(rc = parse_input(json_object_get(tree, "input"), m, err)))
        rc = parse_output(json_object_get(tree, "output"), m, err);
    if (rc)
        rc = block_name_manifest(tree, rc, err);
    json_decref(tree);
    return rc;
}
