/* The fields of a protobuf message, one after another, for engines that look into a model's bytes.
 * What is malformed ends a message. */
#ifndef ENGINES_PROTOBUF_H
#define ENGINES_PROTOBUF_H

#include <stdbool.h>
#include <stdint.h>

struct view {
    const unsigned char *p, *end;
};

static inline bool varint(struct view *v, uint64_t *value)
{
    *value = 0;
    for (unsigned shift = 0; v->p < v->end && shift < 64; shift += 7) {
        unsigned char b = *v->p++;

        *value |= (uint64_t)(b & 0x7f) << shift;
        if (!(b & 0x80))
            return true;
    }
    return false;
}

/* The next field: a number, or what is `inside` a length-delimited one (p NULL: it is none). false:
 * none, or not understood. */
static inline bool next_field(struct view *v, uint64_t *field, uint64_t *number,
                              struct view *inside)
{
    uint64_t tag, n = 0;

    if (!varint(v, &tag))
        return false;
    *field = tag >> 3;
    *number = 0;
    *inside = (struct view){0};
    if ((tag & 7) == 0)
        return varint(v, number);
    if ((tag & 7) == 1 || (tag & 7) == 5)
        n = (tag & 7) == 1 ? 8 : 4;
    else if ((tag & 7) != 2 || !varint(v, &n))
        return false;
    if (n > (uint64_t)(v->end - v->p))
        return false;
    if ((tag & 7) == 2)
        *inside = (struct view){v->p, v->p + n};
    v->p += n;
    return true;
}

#endif
