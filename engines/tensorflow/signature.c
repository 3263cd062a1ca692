/* Reads the signatures of a MetaGraphDef, which TensorFlow's C API hands out as bytes:
 *   MetaGraphDef { signature_def = 5: map of name to
 *     SignatureDef { inputs = 1, outputs = 2: map of key to TensorInfo { name = 1 } } }
 * where a map is entries { key = 1, value = 2 }. */
#include "signature.h"

#include <stdlib.h>
#include <string.h>

#include "../protobuf.h"

#define PREFERRED "serving_default"

enum { META_SIGNATURE = 5, ENTRY_KEY = 1, ENTRY_VALUE = 2, SIGNATURE_INPUTS = 1, INFO_NAME = 1 };

/* Field `wanted` of a message, which has it once. */
static struct view get(struct view message, uint32_t wanted)
{
    struct view inside, found = {NULL, NULL};
    uint64_t field, number;

    while (next_field(&message, &field, &number, &inside))
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
    uint64_t field, number;
    bool fits = true;

    out->input_count = out->output_count = 0;
    while (fits && next_field(&message, &field, &number, &entry)) {
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
    uint64_t field, number;
    bool preferred = false;

    while (!preferred && next_field(&rest, &field, &number, &entry)) {
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
