/* Synthetic photos: a gradient, stripes, blobs and noise with random parameters, so that they
 * differ strongly. */
#include "data/synthetic.h"

#include <math.h>

uint64_t synthetic_next(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

float synthetic_unit(uint64_t *state)
{
    return (float)(synthetic_next(state) >> 40) / 16777216.0f;
}

/* A triangle wave of period 1 in 0..1: stripes without sinf, whose last bit differs between C
 * libraries. */
static float wave(float t)
{
    t -= floorf(t);
    return t < 0.5f ? 2 * t : 2 - 2 * t;
}

void synthetic_image(uint64_t seed, uint64_t index, uint32_t size, uint8_t *out)
{
    enum { BLOBS = 6 };
    uint64_t s = seed * 0x2545f4914f6cdd1du + index;
    float from[3], slope_x[3], slope_y[3], stripe[3], blob[BLOBS][6];
    float freq_x = 30 * synthetic_unit(&s) - 15, freq_y = 30 * synthetic_unit(&s) - 15,
          noise = 60 * synthetic_unit(&s) * synthetic_unit(&s);
    uint32_t x, y, c, b;

    for (c = 0; c < 3; c++) {
        from[c] = 255 * synthetic_unit(&s);
        slope_x[c] = 200 * synthetic_unit(&s) - 100;
        slope_y[c] = 200 * synthetic_unit(&s) - 100;
        stripe[c] = 160 * synthetic_unit(&s) - 80;
    }
    for (b = 0; b < BLOBS; b++)
        for (c = 0; c < 6; c++) /* place x, y; size; colour */
            blob[b][c] = c < 2    ? synthetic_unit(&s)
                         : c == 2 ? 0.002f + 0.05f * synthetic_unit(&s)
                                  : 400 * synthetic_unit(&s) - 200;
    for (y = 0; y < size; y++)
        for (x = 0; x < size; x++) {
            float u = (float)x / (float)size, v = (float)y / (float)size,
                  w = wave(u * freq_x + v * freq_y);
            float p[3];

            for (c = 0; c < 3; c++)
                p[c] = from[c] + slope_x[c] * u + slope_y[c] * v + stripe[c] * w;
            for (b = 0; b < BLOBS; b++) {
                float dx = u - blob[b][0], dy = v - blob[b][1],
                      k = 1 - (dx * dx + dy * dy) / blob[b][2];

                for (c = 0; c < 3 && k > 0; c++)
                    p[c] += blob[b][3 + c] * k;
            }
            for (c = 0; c < 3; c++) {
                p[c] += noise * (synthetic_unit(&s) - 0.5f);
                *out++ = (uint8_t)(p[c] < 0 ? 0 : p[c] > 255 ? 255 : p[c]);
            }
        }
}

int32_t synthetic_label(uint64_t seed, uint64_t index, int32_t classes)
{
    uint64_t s = seed * 0x9e6c63d0876a9a47u + index;

    return (int32_t)(synthetic_next(&s) % (uint64_t)classes);
}
