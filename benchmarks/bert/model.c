/* The input and output blocks of a manifest -> struct model. */
#include <jansson.h>
#include <string.h>

#include "bert.h"
#include "data/block.h"

static const char *const role_names[] = {"ids", "mask", "types"};

static int parse_order(const json_t *in, struct model *m, struct assay_err *err)
{
    const json_t *order = json_object_get(in, "order"), *one;
    bool seen[ROLES] = {false};
    size_t i, k;

    for (i = 0; i < ROLES; i++)
        m->order[i] = (enum role)i;
    if (!order)
        return ASSAY_OK;
    json_array_foreach(order, i, one)
    {
        const char *name = json_string_value(one);

        for (k = 0; name && k < ROLES && strcmp(name, role_names[k]) != 0; k++)
            ;
        if (!name || k == ROLES || seen[k] || i >= ROLES)
            break;
        m->order[i] = (enum role)k;
        seen[k] = true;
    }
    return i == ROLES && json_array_size(order) == ROLES
               ? ASSAY_OK
               : assay_fail(err, ASSAY_EUSAGE,
                            "input.order must list ids, mask and types in the model's order");
}

static int parse_input(const json_t *in, struct model *m, struct assay_err *err)
{
    static const char *const keys[] = {"ids",   "mask",   "types",      "order",
                                       "dtype", "length", "vocabulary", "vocab"};
    static const char *const dtypes[] = {"int64", "int32", NULL};
    int64_t length = SQUAD_LENGTH;
    int dtype = 0, rc, i;

    m->vocabulary = 30522;
    if ((rc = block_check_keys(in, "input", keys, sizeof(keys) / sizeof(keys[0]), err)) ||
        (rc = parse_order(in, m, err)) ||
        (rc = block_choice(in, "input", "dtype", dtypes, &dtype, err)) ||
        (rc = block_integer(in, "input", "length", -1, SQUAD_LENGTH, &length, err)) ||
        (rc = block_integer(in, "input", "vocabulary", 1, INT32_MAX, &m->vocabulary, err)) ||
        (rc = block_text(in, "input", "vocab", m->vocab, err)))
        return rc;
    for (i = 0; i < ROLES && !rc; i++)
        rc = block_text(in, "input", role_names[i], m->inputs[i], err);
    if (!rc && length != SQUAD_LENGTH && length != -1)
        rc = assay_fail(err, ASSAY_EUSAGE,
                        "input.length must be %d, or -1 when the model's sequence axis is free",
                        SQUAD_LENGTH);
    m->dtype = dtype ? ASSAY_I32 : ASSAY_I64;
    m->free = length < 0;
    return rc;
}

static int parse_output(const json_t *out, struct model *m, struct assay_err *err)
{
    static const char *const keys[] = {"kind", "start", "end", "name"};
    static const char *const kinds[] = {"split", "joined", NULL};
    int kind = 0, rc;

    if ((rc = block_check_keys(out, "output", keys, sizeof(keys) / sizeof(keys[0]), err)) ||
        (rc = block_choice(out, "output", "kind", kinds, &kind, err)) ||
        (rc = block_text(out, "output", kind ? "name" : "start", m->outputs[0], err)))
        return rc;
    m->joined = kind;
    if (json_object_get(out, kind ? "start" : "name") || (kind && json_object_get(out, "end")))
        return assay_fail(err, ASSAY_EUSAGE, "output: %s",
                          kind ? "kind joined has a 'name', and neither 'start' nor 'end'"
                               : "kind split has 'start' and 'end', and no 'name'");
    return kind ? ASSAY_OK : block_text(out, "output", "end", m->outputs[1], err);
}

static int parse(const json_t *tree, void *model, struct assay_err *err)
{
    struct model *m = model;
    int rc = block_target(tree, "F1 in percent", &m->reference, &m->target, err);

    if (!rc)
        rc = parse_input(json_object_get(tree, "input"), m, err);
    return rc ? rc : parse_output(json_object_get(tree, "output"), m, err);
}

int model_parse(const char *manifest, struct model *m, struct assay_err *err)
{
    memset(m, 0, sizeof(*m));
    return block_read_manifest(manifest, parse, m, err);
}
