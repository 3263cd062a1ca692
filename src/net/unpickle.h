/* A reader of the pickles that PyTorch's state dicts are, which executes nothing.
 *
 * A pickle is a program for a small stack machine that can import and call whatever it likes.  Here
 * the machine has only the instructions that a state dict needs, "import" means one of the names in
 * unpickle.c's table, and "call" builds one of the few values below.  Everything else is refused by
 * its name.  Memory: values are counted, so they are at most some 100 MB.
 *
 * Values refer to each other and to the bytes by index, so a value that contains itself is
 * harmless; who walks through them must not recurse without a limit. */
#ifndef NET_UNPICKLE_H
#define NET_UNPICKLE_H

#include "assay/types.h"

enum pickle_kind {
    PICKLE_NONE,
    PICKLE_BOOL,
    PICKLE_INT,
    PICKLE_REAL, /* its number is not kept */
    PICKLE_TEXT,
    PICKLE_TUPLE,
    PICKLE_LIST,
    PICKLE_DICT,   /* key, value, key, value … */
    PICKLE_GLOBAL, /* integer: its place in the table */
    PICKLE_STORAGE,
    PICKLE_TENSOR,
    PICKLE_OPAQUE /* a note beside the weights: known by its class, and dropped with its insides */
};

#define PICKLE_NOTHING  0xffffffffu
#define PICKLE_MAX_RANK 8

struct pickle_value {
    enum pickle_kind kind;
    uint32_t first, last, n; /* cells of TUPLE, LIST, DICT; n counts cells */
    union {
        int64_t integer; /* INT, BOOL, GLOBAL; of STORAGE and TENSOR: index into the arrays */
        size_t at;       /* TEXT: where its n bytes begin */
    };
};

struct pickle_cell {
    uint32_t value, next;
};

/* Where a tensor's numbers are: `count` elements kept under a key elsewhere in the file. */
struct pickle_storage {
    int32_t dtype;
    size_t key, key_len; /* the key's bytes */
    int64_t count;
    int64_t skip; /* elements in front of the part that is meant */
    int64_t part; /* elements of that part */
};

struct pickle_tensor {
    uint32_t storage; /* PICKLE_NOTHING: it has no numbers */
    uint32_t rank;
    int64_t offset;
    int64_t dims[PICKLE_MAX_RANK], strides[PICKLE_MAX_RANK];
};

struct pickle {
    const unsigned char *data; /* places in it are those of texts */
    struct pickle_value *values;
    struct pickle_cell *cells;
    struct pickle_storage *storages;
    struct pickle_tensor *tensors;
    size_t value_count, cell_count, storage_count, tensor_count;
    uint32_t root;
    size_t bytes; /* of the pickle: another may follow */
};

/* Reads the pickle that begins at data.  name: the file, for errors.  The caller releases p, also
 * after an error. */
int pickle_read(const void *data, size_t len, const char *name, struct pickle *p,
                struct assay_err *err);
void pickle_release(struct pickle *p);

/* true when value v is that text. */
bool pickle_is(const struct pickle *p, uint32_t v, const char *text);
/* The value of a dict's key, the last one as in Python; PICKLE_NOTHING: none. */
uint32_t pickle_get(const struct pickle *p, uint32_t dict, const char *key);

#endif
