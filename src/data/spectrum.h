/* Power spectra of real frames of 512 samples, eight frames at once.
 *
 * Numbers of the eight frames lie beside each other (value i of frame f at [i * SPECTRUM_FRAMES +
 * f]), so every step is the same for eight neighbours and compilers make vector code of it.  In
 * double: in float32 the error of a loud bin would be seen in the quiet ones, which speech that was
 * once an MP3 has, and the logarithm would show it (up to 8e-4 of a normalised feature on the test
 * data). */
#ifndef DATA_SPECTRUM_H
#define DATA_SPECTRUM_H

#include "assay/types.h"

#define SPECTRUM_FRAMES 8
#define SPECTRUM_SIZE   512
#define SPECTRUM_HALF   (SPECTRUM_SIZE / 2)
#define SPECTRUM_BINS   (SPECTRUM_HALF + 1)

/* Factors of the transform; the same for every thread. */
struct spectrum {
    double turn[SPECTRUM_HALF][2];          /* exp(-2 pi i k / 256) */
    double half_turn[SPECTRUM_HALF + 1][2]; /* exp(-2 pi i k / 512) */
};

struct spectrum_work {
    double re[2][SPECTRUM_HALF * SPECTRUM_FRAMES], im[2][SPECTRUM_HALF * SPECTRUM_FRAMES];
};

void spectrum_init(struct spectrum *s);
/* The frames' even samples are in w->re[0], the odd ones in w->im[0]; they are overwritten.  power:
 * re² + im² of bins 0 … 256. */
void spectrum_power(const struct spectrum *s, struct spectrum_work *w,
                    double power[SPECTRUM_BINS * SPECTRUM_FRAMES]);

#endif
