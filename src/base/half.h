/* float16, IEEE 754's binary16: to and from float32, by bits, so the same everywhere. */
#ifndef BASE_HALF_H
#define BASE_HALF_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define HALF_MAX 65504.0f

static inline float half_to_float(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = h >> 10 & 31, bits;
    float f, fraction = (float)(h & 0x3ff);

    if (!exponent) { /* fraction * 2^-24, exactly */
        f = fraction * 0x1p-24f;
        return sign ? -f : f;
    }
    bits = sign | (exponent == 31 ? 255 : exponent + 112) << 23 | (uint32_t)(h & 0x3ff) << 13;
    memcpy(&f, &bits, sizeof(f));
    return f;
}

/* The nearest, of two as near the even one; infinity from 65520 on, and what is no number stays
 * none. */
static inline uint16_t half_from_float(float f)
{
    uint32_t bits, size, sign, shift = 13, rest, middle;

    memcpy(&bits, &f, sizeof(bits));
    sign = bits >> 16 & 0x8000;
    size = bits & 0x7fffffff;
    if (size >= 0x47800000) /* 65536 */
        return (uint16_t)(sign | (size > 0x7f800000 ? 0x7e00 : 0x7c00));
    if (size >= 0x38800000) { /* 2^-14: the exponent begins at another number */
        size -= 112u << 23;
    } else { /* a multiple of 2^-24 */
        shift = 126 - (size >> 23);
        size = (size & 0x7fffff) | 0x800000;
    }
    if (shift > 24)
        return (uint16_t)sign;
    rest = size & ((1u << shift) - 1);
    middle = 1u << (shift - 1);
    size >>= shift;
    size += rest > middle || (rest == middle && (size & 1));
    return (uint16_t)(sign | size);
}

static inline bool half_is_finite(uint16_t h)
{
    return (h & 0x7c00) != 0x7c00;
}

#endif
