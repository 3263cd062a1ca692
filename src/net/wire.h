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

/* One field of a message that lies in memory. */
struct wire_field {
    uint32_t number, type;
    uint64_t value;            /* of VARINT */
    const unsigned char *data; /* of the others */
    size_t bytes;
    const unsigned char *start; /* of the whole field, up to where *at then is */
};

static inline bool wire_read_varint(const unsigned char **at, const unsigned char *end,
                                    uint64_t *out)
{
    uint64_t v = 0;

    for (int shift = 0; shift < 64 && *at < end; shift += 7) {
        v |= (uint64_t)(**at & 0x7f) << shift;
        if (!(*(*at)++ & 0x80)) {
            *out = v;
            return true;
        }
    }
    return false;
}

/* The next field; false at the end and where the bytes are no field. */
static inline bool wire_next(const unsigned char **at, const unsigned char *end,
                             struct wire_field *f)
{
    uint64_t key, n = 0;

    *f = (struct wire_field){.start = *at};
    if (*at >= end || !wire_read_varint(at, end, &key))
        return false;
    f->number = (uint32_t)(key >> 3);
    f->type = (uint32_t)(key & 7);
    if (f->type == WIRE_VARINT)
        return wire_read_varint(at, end, &f->value);
    if (f->type == WIRE_BYTES && !wire_read_varint(at, end, &n))
        return false;
    if (f->type != WIRE_BYTES)
        n = f->type == WIRE_FIXED64 ? 8 : f->type == WIRE_FIXED32 ? 4 : SIZE_MAX;
    if (n > (uint64_t)(end - *at))
        return false;
    f->data = *at;
    f->bytes = (size_t)n;
    *at += n;
    return true;
}

/* A finished sub-message. */
static inline void wire_message(struct text *t, uint32_t field, const struct text *sub)
{
    wire_head(t, field, sub->len);
    text_addn(t, sub->s, sub->len);
    t->cut |= sub->cut;
}

#endif
