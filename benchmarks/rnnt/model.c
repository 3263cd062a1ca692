/* The input and output blocks of a manifest -> struct model, and the three graphs as the host
 * checks them. */
#include <jansson.h>
#include <string.h>

#include "data/block.h"
#include "rnnt.h"

static int parse_number(const json_t *in, const char *key, double most, double *out,
                        struct assay_err *err)
{
    const json_t *v = json_object_get(in, key);

    if (v && !(json_is_number(v) && json_number_value(v) >= 0 && json_number_value(v) <= most))
        return assay_fail(err, ASSAY_EUSAGE, "input.%s must be a number from 0 to %g", key, most);
    if (v)
        *out = json_number_value(v);
    return ASSAY_OK;
}

static int parse_input(const json_t *in, struct model *m, struct assay_err *err)
{
    static const char *const keys[] = {"preemphasis", "dither", "encoder",
                                       "prediction",  "layers", "start"};
    int64_t layers = 2;
    int rc;

    m->features = (struct logmel_rule){.preemphasis = 0.97, .dither = 1e-5};
    m->encoder = 1024;
    m->prediction = 320;
    m->start = BLANK;
    if ((rc = block_check_keys(in, "input", keys, sizeof(keys) / sizeof(keys[0]), err)) ||
        (rc = parse_number(in, "preemphasis", 1, &m->features.preemphasis, err)) ||
        (rc = parse_number(in, "dither", 1, &m->features.dither, err)) ||
        (rc = block_integer(in, "input", "encoder", 1, 65536, &m->encoder, err)) ||
        (rc = block_integer(in, "input", "prediction", 1, 65536, &m->prediction, err)) ||
        (rc = block_integer(in, "input", "layers", 1, MOST_LAYERS, &layers, err)) ||
        (rc = block_integer(in, "input", "start", -1, 65536, &m->start, err)))
        return rc;
    m->states = 2 * (uint32_t)layers;
    return ASSAY_OK;
}

static int parse_output(const json_t *out, struct model *m, struct assay_err *err)
{
    static const char *const keys[] = {"payload"};
    static const char *const payloads[] = {"int64", "int8", NULL};
    int payload = 0, rc;

    if ((rc = block_check_keys(out, "output", keys, 1, err)) ||
        (rc = block_choice(out, "output", "payload", payloads, &payload, err)))
        return rc;
    m->symbol_bytes = payload ? 1 : 8;
    return ASSAY_OK;
}

/* h0, c0, h1, c1 … and h0_next, c0_next … */
static void name_states(struct model *m)
{
    uint32_t i;

    for (i = 0; i < m->states; i++) {
        char *name = m->names[i], *next = m->names[m->states + i];

        snprintf(name, sizeof(m->names[0]), "%c%u", i % 2 ? 'c' : 'h', i / 2);
        snprintf(next, sizeof(m->names[0]), "%c%u_next", i % 2 ? 'c' : 'h', i / 2);
        m->inputs[GRAPH_PREDICTION][1 + i] =
            (struct assay_tensor_spec){name, ASSAY_F32, 1, {m->prediction}};
        m->outputs[GRAPH_PREDICTION][i] =
            (struct assay_tensor_spec){next, ASSAY_F32, 1, {m->prediction}};
    }
}

static void fill_graphs(struct model *m)
{
    static const char *const names[GRAPHS] = {"encoder", "prediction", "joint"};
    uint32_t inputs[GRAPHS] = {1, 1 + m->states, 2}, outputs[GRAPHS] = {1, m->states, 1};
    int g;

    m->inputs[GRAPH_ENCODER][0] =
        (struct assay_tensor_spec){"frames", ASSAY_F32, 2, {-1, LOGMEL_WIDTH}};
    m->outputs[GRAPH_ENCODER][0] =
        (struct assay_tensor_spec){"encoded", ASSAY_F32, 2, {-1, m->encoder}};
    m->inputs[GRAPH_PREDICTION][0] = (struct assay_tensor_spec){"label", ASSAY_I64, 0, {0}};
    m->inputs[GRAPH_JOINT][0] = (struct assay_tensor_spec){"encoded", ASSAY_F32, 1, {m->encoder}};
    m->inputs[GRAPH_JOINT][1] =
        (struct assay_tensor_spec){"predicted", ASSAY_F32, 1, {m->prediction}};
    m->outputs[GRAPH_JOINT][0] = (struct assay_tensor_spec){"logits", ASSAY_F32, 1, {LABELS + 1}};
    name_states(m);
    for (g = 0; g < GRAPHS; g++)
        m->graphs[g] =
            (struct assay_graph_desc){names[g], inputs[g], outputs[g], m->inputs[g], m->outputs[g]};
}

static int parse(const json_t *tree, void *model, struct assay_err *err)
{
    struct model *m = model;
    int rc = block_target(tree, "100 - WER, in percent", &m->reference, &m->target, err);

    if (!rc)
        rc = parse_input(json_object_get(tree, "input"), m, err);
    return rc ? rc : parse_output(json_object_get(tree, "output"), m, err);
}

int model_parse(const char *manifest, struct model *m, struct assay_err *err)
{
    int rc;

    memset(m, 0, sizeof(*m));
    rc = block_read_manifest(manifest, parse, m, err);
    if (!rc)
        fill_graphs(m);
    return rc;
}
