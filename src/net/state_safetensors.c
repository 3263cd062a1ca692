/* Reads safetensors files: eight bytes that say how long the header is, the header, the numbers.
 *
 * The header is JSON: {"name": {"dtype": "F32", "shape": [64, 3, 7, 7], "data_offsets": [0,
 * 37632]}, …}, offsets counted from behind it; "__metadata__" holds texts for people. */
#include "net/state.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#define MAX_HEADER (16u << 20)

static int32_t dtype_of(const char *name)
{
    static const struct {
        const char *name;
        int32_t dtype;
    } types[] = {{"F32", ASSAY_F32}, {"F16", ASSAY_F16},  {"BF16", ASSAY_BF16}, {"F64", ASSAY_F64},
                 {"I64", ASSAY_I64}, {"I32", ASSAY_I32},  {"I16", ASSAY_I16},   {"I8", ASSAY_I8},
                 {"U8", ASSAY_U8},   {"BOOL", ASSAY_BOOL}};

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (!strcmp(types[i].name, name))
            return types[i].dtype;
    return ASSAY_NONE;
}

static int broken(const struct state *s, const char *tensor, const char *what,
                  struct assay_err *err)
{
    return assay_fail(err, ASSAY_EFAIL, "%s: is no whole safetensors file: tensor '%.100s' %s",
                      s->name, tensor, what);
}

static int take(struct state *s, size_t base, const char *name, const json_t *entry,
                struct assay_err *err)
{
    const json_t *shape = json_object_get(entry, "shape"),
                 *offsets = json_object_get(entry, "data_offsets"), *d;
    const char *type = json_string_value(json_object_get(entry, "dtype"));
    struct state_tensor t = {.dtype = type ? dtype_of(type) : ASSAY_NONE};
    json_int_t from = json_integer_value(json_array_get(offsets, 0)),
               to = json_integer_value(json_array_get(offsets, 1));
    size_t i, bytes;
    int rc;

    if (!t.dtype)
        return broken(s, name, "has no number type that is known here", err);
    if (!json_is_array(shape) || json_array_size(shape) > STATE_MAX_RANK)
        return broken(s, name, "has no shape of at most 8 dimensions", err);
    json_array_foreach(shape, i, d)
    {
        if (!json_is_integer(d))
            return broken(s, name, "has a dimension that is no whole number", err);
        t.dims[t.rank++] = json_integer_value(d);
    }
    if (json_array_size(offsets) != 2 || from < 0 || to < from ||
        (uint64_t)to > (uint64_t)(s->len - base))
        return broken(s, name, "has offsets outside the file", err);
    bytes = (size_t)(to - from);
    t.at = base + (size_t)from;
    state_pack(&t);
    rc = state_add(s, name, strlen(name), &t, t.at, bytes, err);
    if (!rc && s->tensors[s->count - 1].count * assay_dtype_size(t.dtype) != bytes)
        rc = broken(s, name, "has more bytes than its shape", err);
    return rc;
}

int state_read_safetensors(struct state *s, struct assay_err *err)
{
    uint64_t n = state_number(s->data, 8);
    json_error_t why;
    json_t *header, *entry;
    const char *name;
    int rc = ASSAY_OK;

    s->format = "safetensors";
    if (n > s->len - 8 || n > MAX_HEADER)
        return assay_fail(err, ASSAY_EFAIL,
                          "%s: is no whole safetensors file: its header of %" PRIu64 " bytes %s",
                          s->name, n, n > MAX_HEADER ? "is larger than 16 MB" : "is cut off");
    header = json_loadb((const char *)s->data + 8, (size_t)n, JSON_REJECT_DUPLICATES, &why);
    if (!json_is_object(header))
        rc = assay_fail(err, ASSAY_EFAIL,
                        "%s: is no whole safetensors file: its header is no JSON object: %s",
                        s->name, header ? "another value" : why.text);
    json_object_foreach(header, name, entry)
    {
        if (!rc && strcmp(name, "__metadata__") != 0)
            rc = take(s, 8 + (size_t)n, name, entry, err);
    }
    json_decref(header);
    return rc;
}
