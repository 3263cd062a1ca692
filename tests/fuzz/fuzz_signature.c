/* fuzz: links assay_base */
/* TensorFlow's signatures, and with them the fields of protobuf messages that the engines read
 * themselves: what is taken has names that end and counts within the bounds. */
#include <stdlib.h>
#include <string.h>

#include "../../engines/tensorflow/signature.c"

static void check(const struct signature_tensor *t, uint32_t n)
{
    if (n > SIGNATURE_TENSORS)
        abort();
    for (uint32_t i = 0; i < n; i++)
        if (!memchr(t[i].key, 0, sizeof(t[i].key)) || !memchr(t[i].tensor, 0, sizeof(t[i].tensor)))
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct signature s;
    struct assay_err err = {0};
    unsigned char *copy = malloc(size ? size : 1); /* what lies behind it is seen by ASan */

    if (!copy)
        return 0;
    memcpy(copy, data, size);
    if (signature_read(copy, size, &s, &err)) {
        if (!err.code || !err.text[0])
            abort();
    } else {
        check(s.inputs, s.input_count);
        check(s.outputs, s.output_count);
        if (!s.output_count && strcmp(s.name, PREFERRED) != 0)
            abort();
    }
    free(copy);
    return 0;
}
