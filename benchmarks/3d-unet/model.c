/* The input and output blocks of a manifest -> struct model. */
#include <jansson.h>
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

static int parse(const json_t *tree, void *model, struct assay_err *err)
{
    struct model *m = model;
    int rc = block_target(tree, "mean DICE in percent", &m->reference, &m->target, err);

    if (!rc)
        rc = parse_input(json_object_get(tree, "input"), m, err);
    return rc ? rc : parse_output(json_object_get(tree, "output"), m, err);
}

int model_parse(const char *manifest, struct model *m, struct assay_err *err)
{
    memset(m, 0, sizeof(*m));
    return block_read_manifest(manifest, parse, m, err);
}
