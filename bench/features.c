/* RNN-T's features, on one thread, from decoded samples to normalised rows.
 *
 *     features FILE...        WAV or FLAC, as LibriSpeech's
 *
 * For every line on standard input one pass over all files; the answer is its seconds.  The peer is
 * official_features.py. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "data/audio.h"
#include "data/logmel.h"

struct recording {
    int16_t *samples;
    uint64_t n;
};

static _Noreturn void die(const char *text)
{
    fprintf(stderr, "features: %s\n", text);
    exit(3);
}

static void load(const char *path, struct recording *r)
{
    struct assay_err err;

    if (audio_length(path, 16000, &r->n, &err))
        die(err.text);
    if (!(r->samples = malloc(r->n * sizeof(*r->samples))))
        die("not enough memory");
    if (audio_read(path, 16000, r->n, r->samples, &err))
        die(err.text);
}

int main(int argc, char **argv)
{
    static const struct logmel_rule rule = {.preemphasis = 0.97, .dither = 1e-5};
    size_t n = argc > 1 ? (size_t)argc - 1 : 0, i;
    struct recording *all = calloc(n + 1, sizeof(*all));
    struct logmel *m = logmel_create(&rule);
    struct logmel_work *work;
    uint64_t most = 0;
    char line[16];
    float *out;

    if (!n || !all || !m)
        die(n ? "not enough memory" : "which files?");
    for (i = 0; i < n; i++) {
        load(argv[i + 1], &all[i]);
        most = all[i].n > most ? all[i].n : most;
    }
    work = logmel_work_create(most);
    out = malloc((logmel_rows(most) + 1) * LOGMEL_WIDTH * sizeof(*out));
    if (!work || !out)
        die("not enough memory");
    while (fgets(line, sizeof(line), stdin)) {
        double start = (double)clock_ns() * 1e-9;

        for (i = 0; i < n; i++)
            logmel_make(m, work, all[i].samples, all[i].n, out);
        printf("%.9f\n", (double)clock_ns() * 1e-9 - start);
        fflush(stdout);
    }
    return 0;
}
