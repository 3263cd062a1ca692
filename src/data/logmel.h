/* The features of MLPerf's RNN-T: logarithms of 80 mel bands every 10 ms, three frames joined, each
 * feature normalised over the utterance.
 *
 * Steps and constants are the reference's (speech_recognition/rnnt, which uses torch.stft and
 * librosa 0.7's mel filters):
 *   y[t] = x[t] - preemphasis x[t-1] in float32, y[0] = x[0]; 256 samples reflected at both ends;
 *   every 160 samples a frame of 320, times a symmetric Hann window (its angles and cosines
 *   float32, as torch's), zeros around it up to 512;
 *   power spectrum + dither²; 80 triangles (Slaney's scale and area); ln(band + 1e-20) in float32;
 *   frames 3j, 3j+1, 3j+2 joined to 240 numbers, zeros for what is behind the last frame;
 *   of the first ceil(ceil(n / 160) / 3) of these: minus mean, over (deviation (n-1) + 1e-5).
 *
 * Transform and sums are in double.  A table may be used by several threads, a work by one. */
#ifndef DATA_LOGMEL_H
#define DATA_LOGMEL_H

#include "assay/types.h"

#define LOGMEL_BANDS  80
#define LOGMEL_JOINED 3
#define LOGMEL_WIDTH  (LOGMEL_BANDS * LOGMEL_JOINED)
#define LOGMEL_LEAST  481u /* samples: with fewer there are no two frames, and no deviation */

struct logmel_rule {
    double preemphasis; /* 0.97; 0: none */
    double dither;      /* 1e-5 */
};

struct logmel;
struct logmel_work;

struct logmel *logmel_create(const struct logmel_rule *rule); /* NULL: not enough memory */
void logmel_destroy(struct logmel *m);
/* For recordings of at most this many samples; NULL: not enough memory. */
struct logmel_work *logmel_work_create(uint64_t most);
void logmel_work_destroy(struct logmel_work *w);

/* Rows of features that n samples (at least LOGMEL_LEAST) give. */
uint64_t logmel_rows(uint64_t samples);
/* `out` has room for logmel_rows + 1 rows of LOGMEL_WIDTH (the last is only used on the way). */
void logmel_make(const struct logmel *m, struct logmel_work *w, const int16_t *samples, uint64_t n,
                 float *out);

#endif
