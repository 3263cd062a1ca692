/* A model's content hash; see digest.h. */
#include "run/digest.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "net/onnx.h"

static bool ends_in(const char *path, const char *end)
{
    size_t n = strlen(path), m = strlen(end);

    return n > m && strcmp(path + n - m, end) == 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Adds a name that is not there yet; takes it over. */
static int add_name(char ***names, size_t *n, char *name)
{
    char **grown = name ? realloc(*names, (*n + 1) * sizeof(*grown)) : NULL;

    if (grown)
        *names = grown;
    for (size_t i = 0; grown && i < *n; i++)
        if (strcmp(grown[i], name) == 0) {
            free(name);
            return ASSAY_OK;
        }
    if (!grown) {
        free(name);
        return ASSAY_EFAIL;
    }
    grown[(*n)++] = name;
    return ASSAY_OK;
}

/* The files that an ONNX model keeps weights in.  What cannot be read as ONNX has none: whether it
 * is a model is for the engine to say. */
static int onnx_parts(const char *path, char ***names, size_t *n)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC), rc = ASSAY_OK;
    struct onnx_model m = {0};
    void *data = MAP_FAILED;
    struct stat st;

    if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size > 0)
        data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (data != MAP_FAILED && !onnx_read(data, (size_t)st.st_size, path, &m, NULL))
        for (size_t i = 0; i < m.initializer_count && !rc; i++)
            if (m.initializers[i].external && m.initializers[i].location)
                rc = add_name(names, n, strdup(m.initializers[i].location));
    onnx_release(&m);
    if (data != MAP_FAILED)
        munmap(data, (size_t)st.st_size);
    if (fd >= 0)
        close(fd);
    return rc;
}

static int find_parts(const char *path, char ***names, size_t *n)
{
    if (ends_in(path, ".onnx"))
        return onnx_parts(path, names, n);
    if (ends_in(path, ".xml")) {
        char *bin = text_format("%.*s.bin", (int)(strlen(path) - 4), path);

        if (bin && file_exists(bin)) {
            int rc = add_name(names, n, strdup(file_base(bin)));

            free(bin);
            return rc;
        }
        free(bin);
    }
    return ASSAY_OK;
}

static int hash_part(struct hash *h, const char *model, const char *name, struct assay_err *err)
{
    char *path = text_format("%.*s%s", (int)(file_base(model) - model), model, name);
    char hex[HASH_HEX];
    int rc = path ? hash_file(path, hex, err)
                  : assay_fail(err, ASSAY_EFAIL, "%s: not enough memory to hash it", model);

    if (!rc)
        hash_add(h, hex, sizeof(hex));
    free(path);
    return rc;
}

int digest_model(const char *path, char hex[HASH_HEX], struct assay_err *err)
{
    struct hash *h = NULL;
    char **names = NULL, got[HASH_HEX];
    size_t n = 0, i;
    int rc = hash_tree(path, got, err);

    if (!rc && find_parts(path, &names, &n))
        rc = assay_fail(err, ASSAY_EFAIL, "%s: not enough memory to hash it", path);
    if (!rc && n) {
        qsort(names, n, sizeof(*names), by_name);
        if (!(h = hash_create()))
            rc = assay_fail(err, ASSAY_EFAIL, "%s: not enough memory to hash it", path);
    }
    if (h)
        hash_add(h, got, sizeof(got));
    for (i = 0; h && i < n && !rc; i++)
        rc = hash_part(h, path, names[i], err);
    if (h)
        hash_take(h, got);
    if (!rc)
        memcpy(hex, got, HASH_HEX);
    for (i = 0; i < n; i++)
        free(names[i]);
    free(names);
    return rc;
}
