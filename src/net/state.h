/* Weights that somebody else made: the tensors of an ONNX, PyTorch or safetensors file.
 *
 * A file is mapped, not read; a tensor is its name, shape and the place of its numbers, and numbers
 * are looked at only when they are asked for.  The file is hostile until proven otherwise: nothing
 * of it is executed (unpickle.h), every place lies inside the file before a tensor is added, and
 * every list and size has a limit.
 *
 * Memory: a struct state owns everything in it.  It is not changed after it was read, so it can be
 * shared between threads.  A file that somebody cuts off while it is mapped ends the process. */
#ifndef NET_STATE_H
#define NET_STATE_H

#include "base/hash.h"
#include "net/onnx.h"

#define STATE_MAX_RANK 8

struct state_tensor {
    char *name; /* printable */
    int32_t dtype;
    uint32_t rank;
    int64_t dims[STATE_MAX_RANK];
    int64_t strides[STATE_MAX_RANK]; /* in elements, none negative */
    size_t at;                       /* of the first element in the file */
    size_t count;                    /* product of dims */
};

struct state {
    char *name; /* of the file, for errors */
    const unsigned char *data;
    size_t len;
    const char *format;           /* "safetensors", "PyTorch (zip)" … */
    struct state_tensor *tensors; /* sorted by name, no name twice */
    size_t count;
    struct onnx_model *graph; /* of ONNX files; else NULL */
    bool synthetic;           /* a checkpoint of ours says that it is made up */
    char sha256[HASH_HEX];    /* of the whole file; "" when it came from memory */
    void *mapped;             /* NULL: the bytes are the caller's */
};

/* Maps and reads a file; the format follows from its bytes.  The caller closes *out. */
int state_open(const char *path, struct state **out, struct assay_err *err);
/* The same from memory, which must outlive *out. */
int state_read(const void *data, size_t len, const char *name, struct state **out,
               struct assay_err *err);
void state_close(struct state *s); /* NULL is fine */

/* NULL: there is none of that name. */
const struct state_tensor *state_find(const struct state *s, const char *name);
/* true for the types that state_floats converts. */
bool state_is_float(const struct state_tensor *t);
/* All numbers of t in row-major order; out holds t->count.  Halves and doubles become float32. */
void state_floats(const struct state *s, const struct state_tensor *t, float *out);

/* ---- for the readers, one a format: each adds the tensors that it finds ---- */

int state_read_safetensors(struct state *s, struct assay_err *err);
int state_read_onnx(struct state *s, struct assay_err *err);
int state_read_torch_zip(struct state *s, struct assay_err *err);
int state_read_torch_legacy(struct state *s, struct assay_err *err);

/* Adds a copy of t, whose numbers must lie within [from, from + bytes) of the file.  name has n
 * bytes; t->name and t->count are not looked at. */
int state_add(struct state *s, const char *name, size_t n, const struct state_tensor *t,
              size_t from, size_t bytes, struct assay_err *err);
/* Row-major strides for t's dims. */
void state_pack(struct state_tensor *t);

/* Little-endian numbers of n bytes. */
static inline uint64_t state_number(const unsigned char *p, int n)
{
    uint64_t v = 0;

    while (n--)
        v = v << 8 | p[n];
    return v;
}

#endif
