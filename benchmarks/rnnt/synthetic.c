/* Made-up utterances: lengths as LibriSpeech's dev-clean has them (1.5 to 15 s, 6.2 s on average),
 * voiced and noisy parts of a tenth to a quarter of a second, words of syllables.  Nobody would
 * understand them; they cost what speech costs. */
#include "base/text.h"
#include "data/synthetic.h"
#include "rnnt.h"

static uint64_t begin(uint64_t seed, uint64_t index, uint64_t what)
{
    return (seed * 0x2545f4914f6cdd1du + index) * 3 + what;
}

uint64_t synthetic_length(uint64_t seed, uint64_t index)
{
    uint64_t s = begin(seed, index, 0);
    float u = synthetic_unit(&s);

    return (uint64_t)((1.5f + 13.5f * (0.1f * u + 0.9f * u * u)) * SPEECH_RATE);
}

void synthetic_speech(uint64_t seed, uint64_t index, uint64_t samples, int16_t *out)
{
    uint64_t s = begin(seed, index, 1), i, left = 0;
    float loud = 0, noisy = 0, period = 100, phase = 0, wave;

    for (i = 0; i < samples; i++, left--) {
        if (!left) {
            left = 1600 + (uint64_t)(2400 * synthetic_unit(&s));
            loud = 6000 * synthetic_unit(&s) * synthetic_unit(&s);
            noisy = synthetic_unit(&s) * synthetic_unit(&s);
            period = 60 + 120 * synthetic_unit(&s);
        }
        phase += 1 / period;
        phase -= phase >= 1 ? 1 : 0;
        wave = (1 - noisy) * (1 - 2 * phase) + noisy * (2 * synthetic_unit(&s) - 1);
        out[i] = (int16_t)(loud * wave + 4 * synthetic_unit(&s) - 2);
    }
}

/* About fifteen characters a second. */
char *synthetic_transcript(uint64_t seed, uint64_t index, uint64_t samples)
{
    static const char consonants[] = "bcdfghjklmnpqrstvwxz", vowels[] = "aeiou";
    uint64_t s = begin(seed, index, 2), syllables = 1 + samples * 6 / SPEECH_RATE, i, next;
    struct text t;

    text_init(&t, 4096);
    for (i = 0; i < syllables; i++) {
        next = synthetic_next(&s) >> 32;
        text_addf(&t, "%s%c%c", i && next % 5 < 2 ? " " : "", consonants[next / 5 % 20],
                  vowels[next / 100 % 5]);
    }
    return text_take(&t);
}
