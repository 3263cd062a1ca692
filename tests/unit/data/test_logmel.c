/* RNN-T's features against golden values of numpy (tests/python/golden_rnnt.py makes them), on real
 * recordings where the test data is there, and on noise of every awkward length; and the transform
 * against the plain sum. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "data/audio.h"
#include "data/logmel.h"
#include "data/spectrum.h"

#define GOLDEN ASSAY_SOURCE "/tests/golden/rnnt/features"
#define BOUND                                                                                      \
    3e-6 /* the features are to be within 1e-4; a window of double precision shows from 6e-6 on */

static double worst;

static const char *data_folder(void)
{
    const char *own = getenv("ASSAY_TEST_DATA");

    return own && *own ? own : ASSAY_SOURCE "/../shared/data";
}

/* As in golden_rnnt.py. */
static void make_noise(int16_t *out, uint64_t n)
{
    uint32_t state = (uint32_t)n;

    for (uint64_t i = 0; i < n; i++) {
        int v, by = i < n / 2 ? 200 : 3;

        state = (state * 1103515245u + 12345u) & 0x7fffffffu;
        v = (int)(state >> 15) - 32768;
        out[i] = (int16_t)(v < 0 ? -((-v + by - 1) / by) : v / by); /* Python rounds down */
    }
}

static bool load(const char *name, uint64_t n, int16_t *samples)
{
    char *path = text_format("%s/speech-mini/%s", data_folder(), name);
    struct assay_err err;
    bool there = path && file_exists(path);

    if (!strncmp(name, "noise", 5))
        make_noise(samples, n);
    else if (there && audio_read(path, 16000, n, samples, &err))
        fail_msg("%s", err.text);
    free(path);
    return there || !strncmp(name, "noise", 5);
}

/* Rows 0, 7, 14 … and the last are in the file. */
static void compare(const float *made, uint64_t rows, const float *golden, const char *name)
{
    for (uint64_t r = 0; r < rows; r++) {
        if (r % 7 && r != rows - 1)
            continue;
        for (int i = 0; i < LOGMEL_WIDTH; i++) {
            double d = fabs((double)made[r * LOGMEL_WIDTH + (uint64_t)i] - (double)golden[i]);

            if (!(d <= BOUND))
                fail_msg("%s: row %llu, feature %d: %g, numpy %g", name, (unsigned long long)r, i,
                         (double)made[r * LOGMEL_WIDTH + (uint64_t)i], (double)golden[i]);
            worst = d > worst ? d : worst;
        }
        golden += LOGMEL_WIDTH;
    }
}

static void check(const struct logmel_rule *rule, uint64_t n, uint64_t rows, const char *name,
                  const float *golden)
{
    int16_t *samples = calloc(n, sizeof(*samples));
    float *out = malloc((rows + 1) * LOGMEL_WIDTH * sizeof(*out));
    struct logmel *m = logmel_create(rule);
    struct logmel_work *w = logmel_work_create(n);

    assert_true(samples && out && m && w);
    assert_int_equal(logmel_rows(n), rows);
    if (load(name, n, samples)) {
        logmel_make(m, w, samples, n, out);
        compare(out, rows, golden, name);
    }
    logmel_work_destroy(w);
    logmel_destroy(m);
    free(out);
    free(samples);
}

static void features_are_numpys(void **state)
{
    FILE *text = fopen(GOLDEN ".txt", "r");
    unsigned long long n, rows, kept;
    struct logmel_rule rule;
    char line[300], name[200];
    char *golden;
    size_t len, at = 0;
    int cases = 0;

    (void)state;
    assert_non_null(text);
    assert_int_equal(file_read(GOLDEN ".bin", 1u << 20, &golden, &len, NULL), 0);
    while (fgets(line, sizeof(line), text)) {
        assert_int_equal(sscanf(line, "%lf %lf %llu %llu %llu %199[^\n]", &rule.preemphasis,
                                &rule.dither, &n, &rows, &kept, name),
                         6);
        assert_true(at + kept * LOGMEL_WIDTH * sizeof(float) <= len);
        check(&rule, n, rows, name, (const float *)(golden + at));
        at += kept * LOGMEL_WIDTH * sizeof(float);
        cases++;
    }
    assert_int_equal(at, len);
    assert_int_equal(cases, 42);
    print_message("largest difference: %g\n", worst);
    fclose(text);
    free(golden);
}

static void the_transform_is_the_sum(void **state)
{
    static struct spectrum_work w;
    static double power[SPECTRUM_BINS * SPECTRUM_FRAMES], x[SPECTRUM_FRAMES][SPECTRUM_SIZE];
    struct spectrum s;

    (void)state;
    for (int f = 0; f < SPECTRUM_FRAMES; f++)
        for (int i = 0; i < SPECTRUM_SIZE; i++) {
            x[f][i] = sin(0.37 * i * (f + 1)) + (i == 17 * f ? 2 : 0.1 * f);
            (i % 2 ? w.im : w.re)[0][i / 2 * SPECTRUM_FRAMES + f] = x[f][i];
        }
    spectrum_init(&s);
    spectrum_power(&s, &w, power);
    for (int f = 0; f < SPECTRUM_FRAMES; f++)
        for (int k = 0; k < SPECTRUM_BINS; k++) {
            double re = 0, im = 0;

            for (int i = 0; i < SPECTRUM_SIZE; i++) {
                re += x[f][i] * cos(2 * M_PI * (i * k % SPECTRUM_SIZE) / SPECTRUM_SIZE);
                im -= x[f][i] * sin(2 * M_PI * (i * k % SPECTRUM_SIZE) / SPECTRUM_SIZE);
            }
            assert_true(fabs(power[k * SPECTRUM_FRAMES + f] - (re * re + im * im)) <
                        1e-9 * (1 + re * re + im * im));
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_transform_is_the_sum),
                                       cmocka_unit_test(features_are_numpys)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
