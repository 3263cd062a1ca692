/* What the two halves of the pickle reader share: unpickle.c is the stack machine, unpickle_call.c
 * what a state dict "imports" and "calls".  Not for others.
 *
 * Functions that can fail return an error code, as everywhere. */
#ifndef NET_UNPICKLE_MACHINE_H
#define NET_UNPICKLE_MACHINE_H

#include <string.h>

#include "net/unpickle.h"

#define MACHINE_LIMIT (1u << 20) /* of everything that is counted */

struct machine {
    const unsigned char *start, *at, *end;
    struct pickle *p;
    uint32_t *stack, *memo;
    size_t depth, memo_count;
    const char *name;
    struct assay_err *err;
};

/* An error that says what is wrong and where. */
int machine_bad(struct machine *m, const char *what);
/* Room for one more item in a list at `list`, whose capacity is the next power of two. */
int machine_room(struct machine *m, void *list, size_t count, size_t size);
int machine_push(struct machine *m, uint32_t value);
/* The value on top; a mark is none. */
int machine_pop(struct machine *m, uint32_t *value);
/* A new value on the stack. */
int machine_make(struct machine *m, struct pickle_value v);
int machine_make_kind(struct machine *m, enum pickle_kind kind, int64_t integer);
/* The value becomes the last cell of a tuple, list or dict. */
int machine_append(struct machine *m, uint32_t to, uint32_t value);
bool machine_is(const struct machine *m, uint32_t value, enum pickle_kind kind);
bool machine_is_row(const struct machine *m, uint32_t value); /* a tuple or list */
/* The first n items of a tuple or list; false: it has fewer. */
bool machine_items(const struct machine *m, uint32_t row, uint32_t *out, uint32_t n);

/* The name of a module and what is asked of it, onto the stack when the table has it. */
int machine_global(struct machine *m, const unsigned char *module, size_t n,
                   const unsigned char *name, size_t k);
int machine_call(struct machine *m);       /* REDUCE, NEWOBJ */
int machine_build(struct machine *m);      /* BUILD */
int machine_persistent(struct machine *m); /* BINPERSID */

static inline bool same(const unsigned char *a, size_t n, const char *b)
{
    return n == strlen(b) && !memcmp(a, b, n);
}

#endif
