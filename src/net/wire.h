/* Protobuf's wire format, as much as writers of model files need: varints, tags, length-delimited
 * fields appended to a growing text. */
#ifndef NET_WIRE_H
#define NET_WIRE_H

#include <string.h>

#include "base/text.h"

enum wire_type { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

static inline void wire_varint(struct text *t, uint64_t v)
{
    char b[10];
    size_t n = 0;

    for (; v >= 0x80; v >>= 7)
        b[n++] = (char)(v | 0x80);
    b[n++] = (char)v;
    text_addn(t, b, n);
}

static inline void wire_int(struct text *t, uint32_t field, uint64_t v)
{
    wire_varint(t, field << 3 | WIRE_VARINT);
    wire_varint(t, v);
}

/* Only the head of a length-delimited field: n bytes must follow. */
static inline void wire_head(struct text *t, uint32_t field, uint64_t n)
{
    wire_varint(t, field << 3 | WIRE_BYTES);
    wire_varint(t, n);
}

static inline void wire_string(struct text *t, uint32_t field, const char *s)
{
    wire_head(t, field, strlen(s));
    text_add(t, s);
}

/* A finished sub-message. */
static inline void wire_message(struct text *t, uint32_t field, const struct text *sub)
{
    wire_head(t, field, sub->len);
    text_addn(t, sub->s, sub->len);
    t->cut |= sub->cut;
}

#endif
