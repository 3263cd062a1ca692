/* Opens files of weights and converts their numbers; see state.h.  The formats have a file each. */
#include "net/exact.h"
#include "net/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/half.h"

#define MAX_FILE    (1ull << 40)
#define MAX_TENSORS 100000u
#define MAX_NAME    256u
#define MAX_COUNT   ((int64_t)1 << 40) /* elements of a tensor */

/* ---- tensors ---- */

/* Elements of the tensor and how far its last one lies from the first; false: not to be believed.
 */
static bool measure(const struct state_tensor *t, int64_t *count, int64_t *last)
{
    int64_t reach;
    uint32_t i;

    *count = 1;
    *last = 0;
    for (i = 0; i < t->rank; i++) {
        if (t->dims[i] < 0 || t->strides[i] < 0 || t->dims[i] > MAX_COUNT ||
            __builtin_mul_overflow(*count, t->dims[i], count) || *count > MAX_COUNT)
            return false;
        reach = t->dims[i] ? t->dims[i] - 1 : 0;
        if (__builtin_mul_overflow(reach, t->strides[i], &reach) ||
            __builtin_add_overflow(*last, reach, last) || *last > MAX_COUNT)
            return false;
    }
    return true;
}

static char *printable(const char *name, size_t n)
{
    char *copy = malloc(n + 1);

    for (size_t i = 0; copy && i < n; i++) {
        copy[i] = name[i];
        if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f)
            copy[i] = '?';
    }
    if (copy)
        copy[n] = 0;
    return copy;
}

int state_add(struct state *s, const char *name, size_t n, const struct state_tensor *t,
              size_t from, size_t bytes, struct assay_err *err)
{
    struct state_tensor *grown, *added;
    size_t size = assay_dtype_size(t->dtype);
    int64_t count, last;

    if (n > MAX_NAME || s->count == MAX_TENSORS)
        return assay_fail(err, ASSAY_EFAIL,
                          n > MAX_NAME ? "%s: a tensor's name is longer than 256 bytes"
                                       : "%s: has more than 100000 tensors",
                          s->name);
    if (!(s->count & (s->count - 1))) {
        grown = realloc(s->tensors, (s->count ? 2 * s->count : 1) * sizeof(*grown));
        if (!grown)
            return assay_fail(err, ASSAY_EFAIL, "%s: out of memory", s->name);
        s->tensors = grown;
    }
    added = &s->tensors[s->count];
    *added = *t;
    added->name = printable(name, n);
    if (!added->name)
        return assay_fail(err, ASSAY_EFAIL, "%s: out of memory", s->name);
    s->count++;
    for (uint32_t i = 0; i < t->rank; i++)
        if (t->dims[i] == 1)
            added->strides[i] = 0; /* it is never taken, and may be any number */
    if (!measure(added, &count, &last))
        return assay_fail(err, ASSAY_EFAIL, "%s: tensor '%s' has an impossible shape", s->name,
                          added->name);
    if (from > s->len || bytes > s->len - from || t->at < from || t->at > from + bytes ||
        (count && ((uint64_t)last + 1) * size > from + bytes - t->at))
        return assay_fail(err, ASSAY_EFAIL, "%s: the numbers of tensor '%s' lie outside the file%s",
                          s->name, added->name, bytes < s->len ? ", or of its part of it" : "");
    added->count = (size_t)count;
    return ASSAY_OK;
}

void state_pack(struct state_tensor *t)
{
    int64_t stride = 1;

    for (uint32_t i = t->rank; i-- > 0;) {
        t->strides[i] = stride;
        /* Of a shape that state_add will refuse, whatever the strides are. */
        if (__builtin_mul_overflow(stride, t->dims[i], &stride))
            stride = 0;
    }
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct state_tensor *)a)->name, ((const struct state_tensor *)b)->name);
}

static int sort(struct state *s, struct assay_err *err)
{
    if (!s->count)
        return assay_fail(err, ASSAY_EFAIL, "%s: has no tensors", s->name);
    qsort(s->tensors, s->count, sizeof(*s->tensors), by_name);
    for (size_t i = 1; i < s->count; i++)
        if (!strcmp(s->tensors[i - 1].name, s->tensors[i].name))
            return assay_fail(err, ASSAY_EFAIL, "%s: has two tensors called '%s'", s->name,
                              s->tensors[i].name);
    return ASSAY_OK;
}

const struct state_tensor *state_find(const struct state *s, const char *name)
{
    const struct state_tensor key = {.name = (char *)(uintptr_t)name};

    return bsearch(&key, s->tensors, s->count, sizeof(*s->tensors), by_name);
}

/* ---- numbers ---- */

static float one(int32_t dtype, const unsigned char *p)
{
    uint32_t bits;
    double d;
    float f;

    switch (dtype) {
    case ASSAY_F16:
        return half_to_float((uint16_t)state_number(p, 2));
    case ASSAY_BF16:
        bits = (uint32_t)state_number(p, 2) << 16;
        memcpy(&f, &bits, sizeof(f));
        return f;
    case ASSAY_F64:
        memcpy(&d, p, sizeof(d));
        return (float)d;
    default:
        memcpy(&f, p, sizeof(f));
        return f;
    }
}

bool state_is_float(const struct state_tensor *t)
{
    return t->dtype == ASSAY_F32 || t->dtype == ASSAY_F16 || t->dtype == ASSAY_BF16 ||
           t->dtype == ASSAY_F64;
}

void state_floats(const struct state *s, const struct state_tensor *t, float *out)
{
    const unsigned char *from = s->data + t->at;
    int64_t index[STATE_MAX_RANK] = {0}, place = 0;
    size_t size = assay_dtype_size(t->dtype);
    uint32_t d;

    for (size_t i = 0; i < t->count; i++) {
        out[i] = one(t->dtype, from + (size_t)place * size);
        for (d = t->rank; d-- > 0;) {
            place += t->strides[d];
            if (++index[d] < t->dims[d])
                break;
            place -= t->strides[d] * t->dims[d];
            index[d] = 0;
        }
    }
}

/* ---- files ---- */

/* A pickle of the number that begins every file of torch.save before 1.6. */
static const unsigned char legacy[] = {0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46,
                                       0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e};

static int read_format(struct state *s, struct assay_err *err)
{
    const unsigned char *d = s->data;

    if (s->len >= 4 && !memcmp(d, "PK\3\4", 4))
        return state_read_torch_zip(s, err);
    if (s->len >= sizeof(legacy) && !memcmp(d, legacy, sizeof(legacy)))
        return state_read_torch_legacy(s, err);
    if (s->len > 9 && d[8] == '{')
        return state_read_safetensors(s, err);
    if (s->len >= 2 && d[0] == 0x80 && d[1] <= 5)
        return assay_fail(err, ASSAY_EFAIL, "%s: is a pickle that torch.save did not write",
                          s->name);
    return state_read_onnx(s, err);
}

static struct state *begin(const char *name, struct assay_err *err)
{
    struct state *s = calloc(1, sizeof(*s));

    if (s)
        s->name = strdup(name);
    if (!s || !s->name) {
        free(s);
        assay_fail(err, ASSAY_EFAIL, "%s: out of memory", name);
        return NULL;
    }
    return s;
}

static int finish(struct state *s, int rc, struct state **out, struct assay_err *err)
{
    if (!rc)
        rc = read_format(s, err);
    if (!rc)
        rc = sort(s, err);
    if (rc)
        state_close(s);
    else
        *out = s;
    return rc;
}

static int map(struct state *s, const char *path, struct assay_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), rc = ASSAY_OK;
    struct stat st;

    if (fd < 0)
        return assay_fail(err, ASSAY_EFAIL, "%s: cannot be opened: %s", path, strerror(errno));
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        rc = assay_fail(err, ASSAY_EFAIL, "%s: is no file of weights", path);
    } else if (st.st_size <= 0 || (uint64_t)st.st_size > MAX_FILE) {
        rc = assay_fail(err, ASSAY_EFAIL, st.st_size ? "%s: is larger than 1 TB" : "%s: is empty",
                        path);
    } else {
        s->mapped = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (s->mapped == MAP_FAILED) {
            s->mapped = NULL;
            rc = assay_fail(err, ASSAY_EFAIL, "%s: cannot be mapped: %s", path, strerror(errno));
        } else {
            s->data = s->mapped;
            s->len = (size_t)st.st_size;
            hash_bytes(s->data, s->len, s->sha256);
        }
    }
    close(fd);
    return rc;
}

int state_open(const char *path, struct state **out, struct assay_err *err)
{
    struct state *s = begin(path, err);

    return s ? finish(s, map(s, path, err), out, err) : ASSAY_EFAIL;
}

int state_read(const void *data, size_t len, const char *name, struct state **out,
               struct assay_err *err)
{
    struct state *s = begin(name, err);

    if (!s)
        return ASSAY_EFAIL;
    s->data = data;
    s->len = len;
    return finish(s, ASSAY_OK, out, err);
}

void state_close(struct state *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->count; i++)
        free(s->tensors[i].name);
    if (s->graph)
        onnx_release(s->graph);
    if (s->mapped)
        munmap(s->mapped, s->len);
    free(s->graph);
    free(s->tensors);
    free(s->name);
    free(s);
}
