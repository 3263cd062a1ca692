/* Protobuf by hand, as much as the tests' tiny models need. */
#ifndef BYTES_H
#define BYTES_H

#include <string.h>

struct bytes {
    unsigned char b[2048];
    size_t n;
};

static inline void put_varint(struct bytes *o, unsigned long v)
{
    for (; v > 127; v >>= 7)
        o->b[o->n++] = (unsigned char)(v | 128);
    o->b[o->n++] = (unsigned char)v;
}

static inline void put_int(struct bytes *o, int field, unsigned long v)
{
    put_varint(o, (unsigned long)field << 3);
    put_varint(o, v);
}

static inline void put_data(struct bytes *o, int field, const void *data, size_t n)
{
    put_varint(o, (unsigned long)field << 3 | 2);
    put_varint(o, n);
    memcpy(o->b + o->n, data, n);
    o->n += n;
}

static inline void put_text(struct bytes *o, int field, const char *text)
{
    put_data(o, field, text, strlen(text));
}

static inline void put_part(struct bytes *o, int field, const struct bytes *part)
{
    put_data(o, field, part->b, part->n);
}

#endif
