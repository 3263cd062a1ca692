/* See pickle_put.h. */
#include "net/pickle_put.h"

#include <stdio.h>
#include <string.h>

void pickle_put_text(struct text *t, const char *s)
{
    uint32_t n = (uint32_t)strlen(s);
    char head[5] = {'X', (char)n, (char)(n >> 8), (char)(n >> 16), (char)(n >> 24)};

    text_addn(t, head, sizeof(head));
    text_add(t, s);
}

/* As PyTorch does: 4 bytes where they hold it, else a long of 8. */
static void put_int(struct text *t, uint64_t v)
{
    char b[10] = {'J'};
    size_t n = 4, at = 1;

    if (v > INT32_MAX) {
        b[0] = '\x8a';
        b[1] = 8;
        n = 8;
        at = 2;
    }
    for (size_t i = 0; i < n; i++)
        b[at + i] = (char)(v >> 8 * i);
    text_addn(t, b, at + n);
}

/* torch._utils._rebuild_tensor_v2(storage, 0, dims, strides, False, OrderedDict()), where storage
 * is ("storage", torch.FloatStorage, "N", "cpu", count) kept elsewhere. */
void pickle_put_tensor(struct text *t, uint32_t rank, const int64_t *dims, int number)
{
    uint64_t count = 1, stride;
    char key[16];

    for (uint32_t i = 0; i < rank; i++)
        count *= (uint64_t)dims[i];
    snprintf(key, sizeof(key), "%d", number);
    text_add(t, "ctorch._utils\n_rebuild_tensor_v2\n((");
    pickle_put_text(t, "storage");
    text_add(t, "ctorch\nFloatStorage\n");
    pickle_put_text(t, key);
    pickle_put_text(t, "cpu");
    put_int(t, count);
    text_add(t, "tQ");
    put_int(t, 0);
    text_add(t, "(");
    for (uint32_t i = 0; i < rank; i++)
        put_int(t, (uint64_t)dims[i]);
    text_add(t, "t(");
    stride = count;
    for (uint32_t i = 0; i < rank; i++)
        put_int(t, stride /= (uint64_t)dims[i]);
    text_add(t, "t\x89"
                "ccollections\nOrderedDict\n)RtR");
}
