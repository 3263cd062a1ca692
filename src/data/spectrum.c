/* The transform of N real numbers by one of N / 2 complex ones (even samples as real, odd ones as
 * imaginary parts); that by radix 4 in Stockham's order, whose output needs no sorting. */
#include "data/spectrum.h"

#include <math.h>

#define L SPECTRUM_FRAMES

void spectrum_init(struct spectrum *s)
{
    const int half = SPECTRUM_HALF;
    int k;

    for (k = 0; k < half; k++) {
        s->turn[k][0] = cos(2 * M_PI * k / half);
        s->turn[k][1] = -sin(2 * M_PI * k / half);
    }
    for (k = 0; k <= half; k++) {
        s->half_turn[k][0] = cos(2 * M_PI * k / SPECTRUM_SIZE);
        s->half_turn[k][1] = -sin(2 * M_PI * k / SPECTRUM_SIZE);
    }
}

/* One value of the eight frames: four inputs, a quarter of the stage apart, to four neighbouring
 * outputs, `step` apart, turned by w1, w2, w3. */
static void butterfly(const double *restrict re, const double *restrict im, size_t quarter,
                      double *restrict to_re, double *restrict to_im, size_t step, const double *w1,
                      const double *w2, const double *w3)
{
    int i;

    for (i = 0; i < L; i++) {
        double ar = re[i] + re[i + 2 * quarter], ai = im[i] + im[i + 2 * quarter];
        double br = re[i] - re[i + 2 * quarter], bi = im[i] - im[i + 2 * quarter];
        double cr = re[i + quarter] + re[i + 3 * quarter],
               ci = im[i + quarter] + im[i + 3 * quarter];
        double dr = re[i + quarter] - re[i + 3 * quarter],
               di = im[i + quarter] - im[i + 3 * quarter];
        double xr = ar - cr, xi = ai - ci, yr = br + di, yi = bi - dr, zr = br - di, zi = bi + dr;

        to_re[i] = ar + cr;
        to_im[i] = ai + ci;
        to_re[i + step] = yr * w1[0] - yi * w1[1];
        to_im[i + step] = yr * w1[1] + yi * w1[0];
        to_re[i + 2 * step] = xr * w2[0] - xi * w2[1];
        to_im[i + 2 * step] = xr * w2[1] + xi * w2[0];
        to_re[i + 3 * step] = zr * w3[0] - zi * w3[1];
        to_im[i + 3 * step] = zr * w3[1] + zi * w3[0];
    }
}

/* Stage with `s` transforms of n values each, from buffer `from` into the other. */
static void stage(const struct spectrum *t, struct spectrum_work *w, int from, size_t n, size_t s)
{
    size_t m = n / 4, p, q, turn = SPECTRUM_HALF / n;

    for (p = 0; p < m; p++)
        for (q = 0; q < s; q++)
            butterfly(w->re[from] + L * (q + s * p), w->im[from] + L * (q + s * p), L * s * m,
                      w->re[!from] + L * (q + 4 * s * p), w->im[!from] + L * (q + 4 * s * p), L * s,
                      t->turn[p * turn], t->turn[2 * p * turn], t->turn[3 * p * turn]);
}

/* Bin k of the real frames, from bins k and N/2 - k of the complex ones. */
static void split(const double *turn, const double *restrict re, const double *restrict im,
                  const double *restrict mirror_re, const double *restrict mirror_im,
                  double *restrict power)
{
    int i;

    for (i = 0; i < L; i++) {
        double er = 0.5 * (re[i] + mirror_re[i]), ei = 0.5 * (im[i] - mirror_im[i]);
        double or = 0.5 * (im[i] + mirror_im[i]), oi = -0.5 * (re[i] - mirror_re[i]);
        double xr = er + or *turn[0] - oi * turn[1], xi = ei + or *turn[1] + oi * turn[0];

        power[i] = xr * xr + xi * xi;
    }
}

void spectrum_power(const struct spectrum *s, struct spectrum_work *w,
                    double power[SPECTRUM_BINS * SPECTRUM_FRAMES])
{
    size_t n, k, count = 1;
    int from = 0;

    for (n = SPECTRUM_HALF; n > 1; n /= 4, count *= 4, from = !from)
        stage(s, w, from, n, count);
    for (k = 0; k <= SPECTRUM_HALF; k++) {
        size_t a = L * (k % SPECTRUM_HALF), b = L * ((SPECTRUM_HALF - k) % SPECTRUM_HALF);

        split(s->half_turn[k], w->re[from] + a, w->im[from] + a, w->re[from] + b, w->im[from] + b,
              power + L * k);
    }
}
