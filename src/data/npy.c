/* .npy 1.0: magic, version, length of the header, a Python dictionary padded to 64 bytes, the
 * elements. */
#include "data/npy.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"

static const char *npy_type(int dtype)
{
    static const char *const types[] = {
        [ASSAY_F32] = "<f4", [ASSAY_F16] = "<f2", [ASSAY_F64] = "<f8",
        [ASSAY_I8] = "|i1",  [ASSAY_U8] = "|u1",  [ASSAY_I16] = "<i2",
        [ASSAY_I32] = "<i4", [ASSAY_I64] = "<i8", [ASSAY_BOOL] = "|b1"};

    return dtype > 0 && dtype < (int)(sizeof(types) / sizeof(types[0])) ? types[dtype] : NULL;
}

int npy_head(const char *path, const struct assay_tensor *t, struct text *out,
             struct assay_err *err)
{
    const char *type = npy_type(t->dtype);
    unsigned char prefix[10] = "\x93NUMPY\x01";
    struct text head;
    uint32_t d;

    if (!type)
        return assay_fail(err, ASSAY_EUNSUPPORTED, "%s: .npy has no element type for %s", path,
                          assay_dtype_name(t->dtype));
    text_init(&head, 1024);
    text_addf(&head, "{'descr': '%s', 'fortran_order': False, 'shape': (", type);
    for (d = 0; d < t->rank; d++)
        text_addf(&head, "%lld,%s", (long long)t->dims[d], d + 1 < t->rank ? " " : "");
    text_add(&head, "), }");
    while ((sizeof(prefix) + head.len + 1) % 64)
        text_add(&head, " ");
    text_add(&head, "\n");
    prefix[8] = (unsigned char)(head.len & 255);
    prefix[9] = (unsigned char)(head.len >> 8);
    text_addn(out, (const char *)prefix, sizeof(prefix));
    text_addn(out, head.s, head.len);
    text_release(&head);
    return ASSAY_OK;
}

int npy_write(const char *path, const struct assay_tensor *t, struct assay_err *err)
{
    struct file_whole w = {.fd = -1};
    struct text head;
    int rc;

    text_init(&head, 2048);
    rc = npy_head(path, t, &head, err);
    if (!rc)
        rc = file_whole_begin(&w, path, err);
    if (!rc)
        rc = file_whole_write(&w, head.s, head.len, err);
    if (!rc)
        rc = file_whole_write(&w, t->data, t->bytes, err);
    if (!rc)
        rc = file_whole_commit(&w, err);
    file_whole_abandon(&w);
    text_release(&head);
    return rc;
}

/* The header is a Python dictionary: what follows "'key': "; NULL: no such key. */
static const char *header_value(const char *head, const char *key)
{
    const char *at = strstr(head, key);

    if (!at)
        return NULL;
    at += strlen(key);
    return at + strspn(at, " :");
}

static int header_dtype(const char *head)
{
    const char *type = header_value(head, "'descr'");
    int i;

    for (i = 1; type && (*type == '\'' || *type == '"') && i <= ASSAY_BOOL; i++)
        if (npy_type(i) && !strncmp(type + 1, npy_type(i), 3) && type[4] == *type)
            return i;
    return ASSAY_NONE;
}

/* "(3, 4)"; false: it is none, or has too many dimensions. */
static bool header_shape(const char *head, struct assay_tensor *t)
{
    const char *at = header_value(head, "'shape'");
    char *end;

    if (!at || *at++ != '(')
        return false;
    for (t->rank = 0; at += strspn(at, " ,"), *at != ')'; at = end) {
        if (t->rank == ASSAY_MAX_RANK || *at < '0' || *at > '9')
            return false;
        t->dims[t->rank++] = strtoll(at, &end, 10);
    }
    return true;
}

/* In *bytes; false: it does not fit. */
static bool header_bytes(const struct assay_tensor *t, size_t *bytes)
{
    uint32_t i;

    *bytes = assay_dtype_size(t->dtype);
    for (i = 0; i < t->rank; i++)
        if (__builtin_mul_overflow(*bytes, (size_t)t->dims[i], bytes))
            return false;
    return true;
}

int npy_parse(const uint8_t *data, size_t len, const char *file, struct assay_tensor *view,
              struct assay_err *err)
{
    size_t from = len > 6 && data[6] == 1 ? 10 : 12, head;
    char text[4096];
    const char *order;

    memset(view, 0, sizeof(*view));
    if (len < from || memcmp(data, "\x93NUMPY", 6) != 0)
        return assay_fail(err, ASSAY_EFAIL, "%s: is no NumPy array", file);
    head = data[8] | (size_t)data[9] << 8;
    if (from == 12)
        head |= (size_t)data[10] << 16 | (size_t)data[11] << 24;
    if (head >= sizeof(text) || head > len - from)
        return assay_fail(err, ASSAY_EFAIL, "%s: is cut off, or no NumPy array", file);
    memcpy(text, data + from, head);
    text[head] = 0;
    view->dtype = header_dtype(text);
    order = header_value(text, "'fortran_order'");
    if (!view->dtype || !order || strncmp(order, "False", 5) != 0 || !header_shape(text, view))
        return assay_fail(err, ASSAY_EFAIL,
                          "%s: wanted: numbers, little-endian, in C order; has '%.100s'", file,
                          text);
    if (!header_bytes(view, &view->bytes) || view->bytes > len - from - head)
        return assay_fail(err, ASSAY_EFAIL, "%s: is cut off: its numbers are not all there", file);
    view->data = (void *)(data + from + head);
    return ASSAY_OK;
}
