/* Reads the signatures of a MetaGraphDef, which TensorFlow's C API hands out as bytes:
 *   MetaGraphDef { signature_def = 5: map of name to
 *     SignatureDef { inputs = 1, outputs = 2: map of key to TensorInfo { name = 1 } } }
 * where a map is entries { key = 1, value = 2 }.  What is malformed ends a message: the bytes come
 * from a protobuf library, not from a stranger. */
#include "signature.h"

#include <stdlib.h>
#include <string.h>

#define PREFERRED "serving_default"

enum { META_SIGNATURE = 5, ENTRY_KEY = 1, ENTRY_VALUE = 2, SIGNATURE_INPUTS = 1, INFO_NAME = 1 };

struct view {
    const unsigned char *p, *end;
};

static bool varint(struct view *v, uint64_t *value)
{
    *value = 0;
    for (unsigned shift = 0; v->p < v->end && shift < 64; shift += 7) {
        unsigned char b = *v->p++;

        *value |= (uint64_t)(b & 0x7f) << shift;
        if (!(b & 0x80))
            return true;
    }
    return false;
}

/* The next field; `inside` is empty for one that is not length-delimited. */
static bool next(struct view *v, uint32_t *field, struct view *inside)
{
    uint64_t tag, n;

    if (!varint(v, &tag))
        return false;
    *field = (uint32_t)(tag >> 3);
    *inside = (struct view){v->p, v->p};
    switch (tag & 7) {
    case 0:
        return varint(v, &n);
    case 1:
        n = 8;
        break;
    case 2:
        if (!varint(v, &n))
            return false;
        inside->p = v->p;
        break;
    case 5:
        n = 4;
        break;
    default:
        return false;
    }
    if (n > (uint64_t)(v->end - v->p))
        return false;
    v->p += n;
    inside->end = (tag & 7) == 2 ? v->p : inside->p;
    return true;
}

/* Field `wanted` of a message, which has it once. */
static struct view get(struct view message, uint32_t wanted)
{
    struct view inside, found = {NULL, NULL};
    uint32_t field;

    while (next(&message, &field, &inside))
        if (field == wanted)
            found = inside;
    return found;
}

static void copy(char *out, size_t cap, struct view v)
{
    snprintf(out, cap, "%.*s", (int)(v.end - v.p), v.p ? (const char *)v.p : "");
}

static int by_key(const void *x, const void *y)
{
    const struct signature_tensor *a = x, *b = y;

    return strcmp(a->key, b->key);
}

static bool read_tensor(struct view entry, struct signature_tensor *out, uint32_t *count)
{
    if (*count == SIGNATURE_TENSORS)
        return false;
    out += (*count)++;
    copy(out->key, sizeof(out->key), get(entry, ENTRY_KEY));
    copy(out->tensor, sizeof(out->tensor), get(get(entry, ENTRY_VALUE), INFO_NAME));
    return true;
}

static bool read_signature(struct view message, struct signature *out)
{
    struct view entry;
    uint32_t field;
    bool fits = true;

    out->input_count = out->output_count = 0;
    while (fits && next(&message, &field, &entry)) {
        if (field == SIGNATURE_INPUTS)
            fits = read_tensor(entry, out->inputs, &out->input_count);
        else if (field == SIGNATURE_INPUTS + 1)
            fits = read_tensor(entry, out->outputs, &out->output_count);
    }
    qsort(out->inputs, out->input_count, sizeof(out->inputs[0]), by_key);
    qsort(out->outputs, out->output_count, sizeof(out->outputs[0]), by_key);
    return fits;
}

/* An initialisation has outputs of a kind, but is no signature that anyone would call. */
static bool callable(const struct signature *s)
{
    return s->output_count && strncmp(s->name, "__saved_model", 13) != 0;
}

int signature_read(const void *meta, size_t len, struct signature *out, struct assay_err *err)
{
    struct view rest = {meta, (const unsigned char *)meta + len}, entry, chosen = {NULL, NULL};
    char all[200] = "";
    int found = 0;
    uint32_t field;
    bool preferred = false;

    while (!preferred && next(&rest, &field, &entry)) {
        if (field != META_SIGNATURE)
            continue;
        copy(out->name, sizeof(out->name), get(entry, ENTRY_KEY));
        read_signature(get(entry, ENTRY_VALUE), out);
        preferred = strcmp(out->name, PREFERRED) == 0;
        if (!preferred && !callable(out))
            continue;
        chosen = entry;
        snprintf(all + strlen(all), sizeof(all) - strlen(all), "%s%s", found++ ? ", " : "",
                 out->name);
    }
    if (!found)
        return assay_fail(err, ASSAY_EUNSUPPORTED,
                          "the SavedModel has no signature with outputs: export it with one called "
                          "serving_default");
    if (found > 1 && !preferred)
        return assay_fail(err, ASSAY_EUNSUPPORTED,
                          "the SavedModel has several signatures (%s): call the one to be run "
                          "serving_default",
                          all);
    copy(out->name, sizeof(out->name), get(chosen, ENTRY_KEY));
    if (!read_signature(get(chosen, ENTRY_VALUE), out))
        return assay_fail(err, ASSAY_EUNSUPPORTED,
                          "signature %s has more inputs or outputs than %d", out->name,
                          SIGNATURE_TENSORS);
    return ASSAY_OK;
}
