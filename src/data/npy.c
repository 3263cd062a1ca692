/* .npy 1.0: magic, version, length of the header, a Python dictionary padded to 64 bytes, the
 * elements. */
#include "data/npy.h"

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

int npy_write(const char *path, const struct assay_tensor *t, struct assay_err *err)
{
    const char *type = npy_type(t->dtype);
    struct file_whole w = {.fd = -1};
    struct text head;
    unsigned char prefix[10] = "\x93NUMPY\x01";
    uint32_t d;
    int rc;

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
    rc = file_whole_begin(&w, path, err);
    if (!rc)
        rc = file_whole_write(&w, prefix, sizeof(prefix), err);
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
