/* A convolution in plain C whose result has the same bits on every compiler.
 *
 * out[o][col] = sum over k of weight[o][k] * column[k][col], k ascending, where a column is one
 * output place of one image and k runs over input channel, row and column of the kernel.  Every
 * output is its own chain of multiply and add in that order, so vector width and blocking change
 * the speed, not the bits.
 *
 * Columns are gathered TILE at a time into panels of 8, laid out so that the inner loop reads one
 * panel from front to back while it keeps 4 rows x 8 columns of sums in registers. */
#include "net/exact.h"
#include "net/calibrate.h"

#include <stdlib.h>
#include <string.h>

#define PANEL 8
#define TILE  32

typedef float v4 __attribute__((vector_size(16)));

static inline v4 load(const float *p)
{
    v4 v;

    memcpy(&v, p, sizeof(v));
    return v;
}

/* rows (at most 4) x 8 sums; weight rows lie k apart. */
static void multiply(const float *weight, int rows, int k, const float *panel, float sums[4][PANEL])
{
    const float *w[4];
    v4 s[4][2] = {{{0}}};
    v4 a, b;
    int i, r;

    for (r = 0; r < 4; r++)
        w[r] = weight + (size_t)(r < rows ? r : 0) * (size_t)k;
    for (i = 0; i < k; i++, panel += PANEL) {
        a = load(panel);
        b = load(panel + 4);
        s[0][0] += w[0][i] * a;
        s[0][1] += w[0][i] * b;
        s[1][0] += w[1][i] * a;
        s[1][1] += w[1][i] * b;
        s[2][0] += w[2][i] * a;
        s[2][1] += w[2][i] * b;
        s[3][0] += w[3][i] * a;
        s[3][1] += w[3][i] * b;
    }
    memcpy(sums, s, sizeof(s));
}

/* Fills column `slot` of a panel with what the kernel sees at output place (y, x) of image `image`.
 */
static void gather(const struct net_layer *l, const float *in, struct net_shape s, int n, int image,
                   int y, int x, float *panel)
{
    int c, ky, kx, iy, ix;

    for (c = 0; c < s.c; c++) {
        const float *plane = in + ((size_t)c * (size_t)n + (size_t)image) * (size_t)(s.h * s.w);

        for (ky = 0; ky < l->kernel; ky++) {
            for (kx = 0; kx < l->kernel; kx++, panel += PANEL) {
                iy = y * l->stride + ky - l->pad[0];
                ix = x * l->stride + kx - l->pad[1];
                *panel = iy >= 0 && iy < s.h && ix >= 0 && ix < s.w ? plane[iy * s.w + ix] : 0.0f;
            }
        }
    }
}

/* The columns first … first + count - 1, with zeros behind the last up to a whole panel. */
static void gather_tile(const struct net_layer *l, const float *in, struct net_shape s, int n,
                        int first, int count, struct net_shape o, int k, float *tile)
{
    int i, col, place = o.h * o.w;

    if (count % PANEL)
        memset(tile + (size_t)(count / PANEL) * (size_t)k * PANEL, 0,
               (size_t)k * PANEL * sizeof(float));
    for (i = 0; i < count; i++) {
        col = first + i;
        gather(l, in, s, n, col / place, col % place / o.w, col % o.w,
               tile + (size_t)(i / PANEL) * (size_t)k * PANEL + i % PANEL);
    }
}

int net_conv(const struct net_layer *l, const float *weight, const float *in, struct net_shape s,
             int n, float *out, struct net_shape o)
{
    int k = s.c * l->kernel * l->kernel, columns = n * o.h * o.w, first, count, row, rows, p, r,
        width;
    float *tile = malloc((size_t)k * TILE * sizeof(float));
    float sums[4][PANEL];

    if (!tile)
        return ASSAY_EFAIL;
    for (first = 0; first < columns; first += TILE) {
        count = columns - first < TILE ? columns - first : TILE;
        gather_tile(l, in, s, n, first, count, o, k, tile);
        for (row = 0; row < o.c; row += 4) {
            rows = o.c - row < 4 ? o.c - row : 4;
            for (p = 0; p < count; p += PANEL) {
                multiply(weight + (size_t)row * (size_t)k, rows, k, tile + (size_t)p * (size_t)k,
                         sums);
                width = count - p < PANEL ? count - p : PANEL;
                for (r = 0; r < rows; r++)
                    memcpy(out + (size_t)(row + r) * (size_t)columns + first + p, sums[r],
                           (size_t)width * sizeof(float));
            }
        }
    }
    free(tile);
    return ASSAY_OK;
}
