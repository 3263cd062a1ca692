/* A tiny TorchScript file, written byte by byte: a zip archive of a module with one weight, W[i][j]
 * = i - j for i = 0..3 and j = 0..2, and a forward() of the caller's.  With torch.matmul(x, self.w)
 * it gives what tiny_onnx.h's model gives. */
#ifndef TINY_TORCHSCRIPT_H
#define TINY_TORCHSCRIPT_H

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define TINY_MATMUL                                                                                \
    "(self: __torch__.Net, x: Tensor) -> Tensor:\n    return torch.matmul(x, self.w)\n"
#define TINY_FACTS "input float32 N,4 x\noutput float32 N,3 y\n"

struct archive {
    unsigned char b[16384], directory[4096];
    size_t n, directory_n, count;
};

static void tiny_number(unsigned char *b, size_t *n, int bytes, uint64_t v)
{
    for (int i = 0; i < bytes; i++)
        b[(*n)++] = (unsigned char)(v >> 8 * i);
}

static uint32_t tiny_crc(const unsigned char *p, size_t n)
{
    uint32_t c = 0xffffffffu;

    for (size_t i = 0; i < n; i++) {
        c ^= p[i];
        for (int k = 0; k < 8; k++)
            c = c >> 1 ^ (c & 1 ? 0xedb88320u : 0);
    }
    return ~c;
}

/* version needed … length of the name: what both headers of a member share. */
static void tiny_header(unsigned char *b, size_t *n, const char *name, const void *data, size_t len)
{
    tiny_number(b, n, 2, 20);
    tiny_number(b, n, 8, 0); /* flags, stored, time, date */
    tiny_number(b, n, 4, tiny_crc(data, len));
    tiny_number(b, n, 4, len);
    tiny_number(b, n, 4, len);
    tiny_number(b, n, 2, strlen(name));
}

static void tiny_member(struct archive *a, const char *name, const void *data, size_t len)
{
    size_t at = a->n, *d = &a->directory_n;

    tiny_number(a->b, &a->n, 4, 0x04034b50);
    tiny_header(a->b, &a->n, name, data, len);
    tiny_number(a->b, &a->n, 2, 0);
    memcpy(a->b + a->n, name, strlen(name));
    a->n += strlen(name);
    memcpy(a->b + a->n, data, len);
    a->n += len;
    tiny_number(a->directory, d, 4, 0x02014b50);
    tiny_number(a->directory, d, 2, 20);
    tiny_header(a->directory, d, name, data, len);
    tiny_number(a->directory, d, 8, 0); /* extra, comment, disk, attributes */
    tiny_number(a->directory, d, 4, 0);
    tiny_number(a->directory, d, 4, at);
    memcpy(a->directory + *d, name, strlen(name));
    *d += strlen(name);
    a->count++;
}

static void tiny_end(struct archive *a)
{
    size_t at = a->n;

    memcpy(a->b + a->n, a->directory, a->directory_n);
    a->n += a->directory_n;
    tiny_number(a->b, &a->n, 4, 0x06054b50);
    tiny_number(a->b, &a->n, 4, 0);
    tiny_number(a->b, &a->n, 2, a->count);
    tiny_number(a->b, &a->n, 2, a->count);
    tiny_number(a->b, &a->n, 4, a->directory_n);
    tiny_number(a->b, &a->n, 4, at);
    tiny_number(a->b, &a->n, 2, 0);
}

/* forward: what stands behind "def forward"; facts: extra/assay.txt, or NULL.  Returns 0 when the
 * file was written. */
static int tiny_torchscript_write(const char *path, const char *forward, const char *facts)
{
    /* Net's state {"w": tensor, "training": False}. */
    static const char pickle[] = "\x80\x02"
                                 "c__torch__\nNet\n)\x81}(X\x01\0\0\0w"
                                 "ctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storage"
                                 "ctorch\nFloatStorage\nX\x01\0\0\0"
                                 "0X\x03\0\0\0cpuK\x0ctQK\0(K\x04K\x03t(K\x03K\x01t\x89"
                                 "ccollections\nOrderedDict\n)RtR"
                                 "X\x08\0\0\0training\x89ub.";
    static struct archive a;
    char code[2048];
    float w[12];
    FILE *f = fopen(path, "wb");
    int rc;

    memset(&a, 0, sizeof(a));
    for (int i = 0; i < 12; i++)
        w[i] = (float)(i / 3 - i % 3);
    snprintf(code, sizeof(code),
             "class Net(Module):\n  __parameters__ = [\"w\", ]\n  __buffers__ = []\n"
             "  w : Tensor\n  training : bool\n  def forward%s",
             forward);
    tiny_member(&a, "tiny/data.pkl", pickle, sizeof(pickle) - 1);
    tiny_member(&a, "tiny/code/__torch__.py", code, strlen(code));
    if (facts)
        tiny_member(&a, "tiny/extra/assay.txt", facts, strlen(facts));
    tiny_member(&a, "tiny/constants.pkl", "\x80\x02).", 4);
    tiny_member(&a, "tiny/version", "3\n", 2);
    tiny_member(&a, "tiny/data/0", w, sizeof(w));
    tiny_end(&a);
    if (!f)
        return -1;
    rc = fwrite(a.b, 1, a.n, f) == a.n ? 0 : -1;
    return fclose(f) || rc ? -1 : 0;
}

#endif
