/* Files of weights, made in memory byte by byte. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "net/zip.h"

#define FILE_MAX (64u << 20)

/* Appends bytes that are given as a literal, with its NULs. */
#define ADD(t, s) text_addn(t, s, sizeof(s) - 1)

static inline void add_number(struct text *t, int n, uint64_t v)
{
    for (; n--; v >>= 8)
        text_addn(t, (const char[]){(char)v}, 1);
}

/* A safetensors file of that header and those numbers. */
static inline void safetensors_file(struct text *t, const char *header, const void *data, size_t n)
{
    text_init(t, FILE_MAX);
    add_number(t, 8, strlen(header));
    text_add(t, header);
    text_addn(t, data, n);
}

/* torch._utils._rebuild_tensor_v2(storage, offset, dims, strides, …) as torch.save writes it; dims
 * and strides are digits: "23" is (2, 3). */
static inline void add_tensor(struct text *t, const char *storage, char key, uint32_t count,
                              int offset, const char *dims, const char *strides)
{
    ADD(t, "ctorch._utils\n_rebuild_tensor_v2\n((X\7\0\0\0storagectorch\n");
    text_addf(t, "%s\n", storage);
    ADD(t, "X\1\0\0\0");
    text_addn(t, &key, 1);
    ADD(t, "X\3\0\0\0cpuJ");
    add_number(t, 4, count);
    ADD(t, "tQK");
    add_number(t, 1, (uint64_t)offset);
    for (int i = 0; i < 2; i++) {
        ADD(t, "(");
        for (const char *d = i ? strides : dims; *d; d++) {
            ADD(t, "K");
            add_number(t, 1, (uint64_t)(*d - '0'));
        }
        ADD(t, "t");
    }
    ADD(t, "\x89"
           "ccollections\nOrderedDict\n)RtR");
}

static inline void add_name(struct text *t, const char *name)
{
    ADD(t, "X");
    add_number(t, 4, strlen(name));
    text_add(t, name);
}

struct member {
    const char *name;
    const void *data;
    size_t n;
};

/* A zip archive of the members; name NULL ends them.  free() *data. */
static inline int zip_file(const struct member *m, char **data, size_t *len)
{
    char path[] = "/tmp/assay-zip-XXXXXX";
    struct file_whole file;
    struct zip z;
    int fd = mkstemp(path), rc;

    if (fd < 0)
        return -1;
    close(fd);
    rc = file_whole_begin(&file, path, NULL);
    zip_init(&z, &file);
    for (; !rc && m->name; m++)
        rc = zip_add(&z, m->name, m->data, m->n, NULL);
    if (!rc)
        rc = zip_end(&z, NULL);
    if (!rc)
        rc = file_whole_commit(&file, NULL);
    zip_release(&z);
    if (!rc)
        rc = file_read(path, FILE_MAX, data, len, NULL);
    unlink(path);
    return rc;
}

/* What comes before the dict in a file of torch.save before 1.6. */
#define LEGACY_HEAD                                                                                \
    "\x80\2\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."                                      \
    "\x80\2M\xe9\3."                                                                               \
    "\x80\2}(X\r\0\0\0little_endian\x88X\x10\0\0\0protocol_versionM\xe9\3u."
