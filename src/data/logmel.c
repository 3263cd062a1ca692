/* From samples to normalised log-mel features; see logmel.h for every step. */
#include "data/logmel.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/spectrum.h"

#define RATE   16000
#define WINDOW 320
#define STEP   160
#define PAD    (SPECTRUM_SIZE / 2)
#define EDGE   ((SPECTRUM_SIZE - WINDOW) / 2) /* zeros on each side of the window */

struct band {
    int first, count; /* bins with a weight */
    float weight[SPECTRUM_BINS];
};

struct logmel {
    struct logmel_rule rule;
    struct spectrum spectrum;
    float window[WINDOW];
    struct band bands[LOGMEL_BANDS];
};

struct logmel_work {
    struct spectrum_work fft;
    double power[SPECTRUM_BINS * SPECTRUM_FRAMES];
    float signal[]; /* emphasised, with PAD samples on each side */
};

/* ---- tables ---- */

/* Slaney's scale: linear up to 1000 Hz, then logarithmic. */
static double mel_of(double hz)
{
    return hz < 1000 ? hz * 3 / 200 : 15 + 27 * log(hz / 1000) / log(6.4);
}

static double hz_of(double mel)
{
    return mel < 15 ? mel * 200 / 3 : 1000 * exp((mel - 15) * log(6.4) / 27);
}

/* A triangle over low … high with its top at middle, its area the same for every band. */
static void make_band(struct band *b, double low, double middle, double high)
{
    int k;

    for (k = 0; k < SPECTRUM_BINS; k++) {
        double hz = k * (double)RATE / SPECTRUM_SIZE;
        double up = (hz - low) / (middle - low), down = (high - hz) / (high - middle);
        double weight = fmax(0, fmin(up, down)) * 2 / (high - low);

        if (weight <= 0)
            continue;
        if (!b->count)
            b->first = k;
        b->weight[b->count++] = (float)weight;
    }
}

/* Hann's, with angle and cosine rounded to float32 as torch.hann_window does: the window is then up
 * to 1.5e-7 off, and nearly silent bands would show it by 5e-4. */
static void make_window(float window[WINDOW])
{
    float step = (float)(2 * M_PI / (WINDOW - 1));
    int i;

    for (i = 0; i < WINDOW; i++) {
        float angle = (float)i * step;

        window[i] = 0.5f - 0.5f * (float)cos((double)angle);
    }
}

struct logmel *logmel_create(const struct logmel_rule *rule)
{
    double top = mel_of(RATE / 2.0), edge[LOGMEL_BANDS + 2];
    struct logmel *m = calloc(1, sizeof(*m));
    int i;

    if (!m)
        return NULL;
    m->rule = *rule;
    spectrum_init(&m->spectrum);
    make_window(m->window);
    for (i = 0; i < LOGMEL_BANDS + 2; i++)
        edge[i] = hz_of(top * i / (LOGMEL_BANDS + 1));
    for (i = 0; i < LOGMEL_BANDS; i++)
        make_band(&m->bands[i], edge[i], edge[i + 1], edge[i + 2]);
    return m;
}

void logmel_destroy(struct logmel *m)
{
    free(m);
}

struct logmel_work *logmel_work_create(uint64_t most)
{
    return calloc(1, sizeof(struct logmel_work) + (most + 2 * PAD) * sizeof(float));
}

void logmel_work_destroy(struct logmel_work *w)
{
    free(w);
}

/* ---- features ---- */

uint64_t logmel_rows(uint64_t samples)
{
    uint64_t frames = (samples + STEP - 1) / STEP;

    return (frames + LOGMEL_JOINED - 1) / LOGMEL_JOINED;
}

static void make_signal(const struct logmel *m, const int16_t *samples, uint64_t n, float *signal)
{
    float factor = (float)m->rule.preemphasis, *y = signal + PAD, before, now;
    uint64_t t;

    for (t = 0, before = 0; t < n; t++, before = now) {
        now = (float)samples[t] / 32768.0f;
        y[t] = now - factor * before;
    }
    for (t = 1; t <= PAD; t++) {
        signal[PAD - t] = y[t];
        y[n - 1 + t] = y[n - 1 - t];
    }
}

/* Frames from `first` on, windowed, to where the transform wants them; behind the last one: zeros.
 */
static void load_frames(const struct logmel *m, struct logmel_work *w, uint64_t first,
                        uint64_t frames)
{
    double *part[2] = {w->fft.re[0], w->fft.im[0]};
    uint64_t have = frames - first < SPECTRUM_FRAMES ? frames - first : SPECTRUM_FRAMES;
    const float *at = w->signal + first * STEP + EDGE;
    uint64_t f;
    int i;

    memset(w->fft.re[0], 0, sizeof(w->fft.re[0]));
    memset(w->fft.im[0], 0, sizeof(w->fft.im[0]));
    for (i = 0; i < WINDOW; i++) {
        double *to = part[(EDGE + i) % 2] + (EDGE + i) / 2 * SPECTRUM_FRAMES;

        for (f = 0; f < have; f++)
            to[f] = at[f * STEP + (uint64_t)i] * m->window[i];
    }
}

static void add_bands(const struct logmel *m, const struct logmel_work *w, uint64_t have,
                      float *out)
{
    double dither = m->rule.dither * m->rule.dither, sum[SPECTRUM_FRAMES];
    uint64_t f;
    int b, k, i;

    for (b = 0; b < LOGMEL_BANDS; b++) {
        const struct band *band = &m->bands[b];
        const double *power = w->power + band->first * SPECTRUM_FRAMES;

        memset(sum, 0, sizeof(sum));
        for (k = 0; k < band->count; k++)
            for (i = 0; i < SPECTRUM_FRAMES; i++)
                sum[i] += (power[k * SPECTRUM_FRAMES + i] + dither) * (double)band->weight[k];
        for (f = 0; f < have; f++)
            out[f * LOGMEL_BANDS + (uint64_t)b] = logf((float)(sum[f] + 1e-20));
    }
}

/* In place; two passes, each along the rows as they lie. */
static void normalise(float *out, uint64_t rows)
{
    double mean[LOGMEL_WIDTH] = {0}, scale[LOGMEL_WIDTH] = {0};
    uint64_t r;
    int i;

    for (r = 0; r < rows; r++)
        for (i = 0; i < LOGMEL_WIDTH; i++)
            mean[i] += out[r * LOGMEL_WIDTH + (uint64_t)i];
    for (i = 0; i < LOGMEL_WIDTH; i++)
        mean[i] /= (double)rows;
    for (r = 0; r < rows; r++)
        for (i = 0; i < LOGMEL_WIDTH; i++) {
            double d = out[r * LOGMEL_WIDTH + (uint64_t)i] - mean[i];

            scale[i] += d * d;
        }
    for (i = 0; i < LOGMEL_WIDTH; i++)
        scale[i] = 1 / (sqrt(scale[i] / (double)(rows - 1)) + 1e-5);
    for (r = 0; r < rows; r++)
        for (i = 0; i < LOGMEL_WIDTH; i++) {
            float *v = &out[r * LOGMEL_WIDTH + (uint64_t)i];

            *v = (float)((*v - mean[i]) * scale[i]);
        }
}

void logmel_make(const struct logmel *m, struct logmel_work *w, const int16_t *samples, uint64_t n,
                 float *out)
{
    uint64_t frames = 1 + n / STEP, rows = logmel_rows(n), first;

    make_signal(m, samples, n, w->signal);
    /* Joined rows are frames one behind the other; what the last one lacks is zeros. */
    memset(out + (rows - 1) * LOGMEL_WIDTH, 0, 2 * LOGMEL_WIDTH * sizeof(*out));
    for (first = 0; first < frames; first += SPECTRUM_FRAMES) {
        load_frames(m, w, first, frames);
        spectrum_power(&m->spectrum, &w->fft, w->power);
        add_bands(m, w, frames - first < SPECTRUM_FRAMES ? frames - first : SPECTRUM_FRAMES,
                  out + first * LOGMEL_BANDS);
    }
    normalise(out, rows);
}
