/* The input and output blocks of a manifest -> struct model. */
#include <jansson.h>
#include <string.h>

#include "base/tree.h"
#include "data/block.h"
#include "dlrm.h"

/* 26 whole numbers; *out stays as it is when the key is missing. */
static int parse_list(const json_t *in, const char *key, int64_t most, int64_t *out,
                      struct assay_err *err)
{
    const json_t *list = json_object_get(in, key), *one;
    size_t i;

    if (!list)
        return ASSAY_OK;
    json_array_foreach(list, i, one)
    {
        if (i == CRITEO_CATEGORIES || !json_is_integer(one) || json_integer_value(one) < 1 ||
            json_integer_value(one) > most)
            break;
        out[i] = json_integer_value(one);
    }
    return json_array_size(list) == CRITEO_CATEGORIES && i == CRITEO_CATEGORIES
               ? ASSAY_OK
               : assay_fail(err, ASSAY_EUSAGE,
                            "input.%s must list %d whole numbers from 1 to %lld, one a category",
                            key, CRITEO_CATEGORIES, (long long)most);
}

/* The manifest's sizes.rows, which a user may choose, cuts the tables. */
static void cut_tables(const json_t *tree, struct model *m)
{
    int64_t most = tree_int(json_object_get(tree, "sizes"), "rows", INT64_MAX), largest = 0;
    bool less = false;
    int i;

    for (i = 0; i < CRITEO_CATEGORIES; i++) {
        less |= m->rows[i] > most || (!m->multi && m->rows[i] < criteo_table_rows[i]);
        m->rows[i] = m->rows[i] < most ? m->rows[i] : most;
        largest = m->rows[i] > largest ? m->rows[i] : largest;
    }
    m->cut = less ? largest : 0;
}

static int parse_sizes(const json_t *in, struct model *m, struct assay_err *err)
{
    int i, rc;

    m->multi = json_object_get(in, "hots") != NULL;
    memcpy(m->rows, criteo_table_rows, sizeof(m->rows));
    for (i = 0; i < CRITEO_CATEGORIES; i++)
        m->hots[i] = 1;
    m->width = 128;
    m->range = CRITEO_RANGE;
    if ((rc = parse_list(in, "rows", INT32_MAX, m->rows, err)) ||
        (rc = parse_list(in, "hots", 1000, m->hots, err)) ||
        (rc = block_integer(in, "input", "width", 1, 65536, &m->width, err)) ||
        (rc = block_integer(in, "input", "max_index_range", 1, INT32_MAX, &m->range, err)))
        return rc;
    for (i = 0; i < CRITEO_CATEGORIES; i++)
        m->hot += m->hots[i];
    return ASSAY_OK;
}

static int parse_input(const json_t *in, struct model *m, struct assay_err *err)
{
    static const char *const keys[] = {"dense", "offsets", "indices", "layout",          "dtype",
                                       "rows",  "width",   "hots",    "max_index_range", "ids"};
    static const char *const dtypes[] = {"int64", "int32", NULL};
    static const char *const layouts[] = {"pairs", "tables", NULL};
    static const char *const ids[] = {"dictionary", "modulo", NULL};
    int dtype = 0, layout = 0, id = 0, rc;

    if ((rc = block_check_keys(in, "input", keys, sizeof(keys) / sizeof(keys[0]), err)) ||
        (rc = block_choice(in, "input", "layout", layouts, &layout, err)) ||
        (rc = block_choice(in, "input", "dtype", dtypes, &dtype, err)) ||
        (rc = block_choice(in, "input", "ids", ids, &id, err)) ||
        (rc = block_text(in, "input", "dense", m->dense, err)) ||
        (rc = block_text(in, "input", "offsets", m->offsets, err)) ||
        (rc = block_text(in, "input", "indices", m->indices, err)) ||
        (rc = parse_sizes(in, m, err)))
        return rc;
    m->tables = layout;
    m->fold = id;
    m->dtype = dtype ? ASSAY_I32 : ASSAY_I64;
    if (!m->tables && m->offsets[0])
        return assay_fail(err, ASSAY_EUSAGE, "input.offsets is for layout tables only");
    if (m->tables && m->multi)
        return assay_fail(err, ASSAY_EUSAGE,
                          "input.hots is for layout pairs only: tables have one index a category");
    return ASSAY_OK;
}

static int parse_output(const json_t *out, struct model *m, struct assay_err *err)
{
    static const char *const keys[] = {"name", "kind"};
    static const char *const kinds[] = {"probability", "logit", NULL};
    int kind = 0, rc;

    if ((rc = block_check_keys(out, "output", keys, sizeof(keys) / sizeof(keys[0]), err)) ||
        (rc = block_choice(out, "output", "kind", kinds, &kind, err)))
        return rc;
    m->logit = kind;
    return block_text(out, "output", "name", m->output, err);
}

static int parse(const json_t *tree, void *model, struct assay_err *err)
{
    struct model *m = model;
    const char *precision = json_string_value(json_object_get(tree, "precision"));
    int rc = block_target(tree, "AUC in percent", &m->reference, &m->target, err);

    m->width_bytes = !precision || !strcmp(precision, "fp32") ? 4
                     : !strcmp(precision, "int8")             ? 1
                                                              : 2;
    if (!rc)
        rc = parse_input(json_object_get(tree, "input"), m, err);
    if (!rc)
        cut_tables(tree, m);
    return rc ? rc : parse_output(json_object_get(tree, "output"), m, err);
}

int model_parse(const char *manifest, struct model *m, struct assay_err *err)
{
    memset(m, 0, sizeof(*m));
    return block_read_manifest(manifest, parse, m, err);
}
