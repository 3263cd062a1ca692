/* The sliding window against numpy's sums (tests/python/golden_unet.py), whose model is noise. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "score/windows.h"

static float noise(uint32_t i)
{
    i *= 2654435761u;
    i ^= i >> 15;
    i *= 2246822519u;
    i ^= i >> 13;
    return (float)(i >> 20) / 512 - 4;
}

/* Values of the window with this number; last: the classes of a voxel lie together. */
static void fake_model(uint32_t number, bool last, float *values)
{
    size_t c, v, to;

    for (c = 0; c < WINDOWS_CLASSES; c++)
        for (v = 0; v < WINDOWS_VOXELS; v++) {
            to = last ? v * WINDOWS_CLASSES + c : c * WINDOWS_VOXELS + v;
            values[to] = noise((uint32_t)(c * WINDOWS_VOXELS + v) + number * 7919);
        }
}

static void slide(struct windows *w, const float *weights, const uint32_t dims[3], bool last,
                  float *values, uint8_t *labels)
{
    uint32_t z, y, x, number = 0;
    struct assay_err err;

    assert_int_equal(windows_begin(w, weights, dims, &err), 0);
    for (z = 0; z < windows_count(dims[0]); z++) {
        for (y = 0; y < windows_count(dims[1]); y++)
            for (x = 0; x < windows_count(dims[2]); x++) {
                fake_model(number++, last, values);
                windows_add(w, y, x, values, last ? 1 : WINDOWS_VOXELS, last ? WINDOWS_CLASSES : 1);
            }
        assert_int_equal(windows_next(w, z, labels, &err), 0);
    }
}

static void golden(void **state)
{
    FILE *f = fopen(ASSAY_SOURCE "/tests/golden/3d-unet/windows.txt", "r");
    float *weights = windows_weights(), *values = malloc(3 * WINDOWS_VOXELS * sizeof(*values));
    struct windows w = {0}; /* one for all: larger and smaller volumes after one another */
    char want[HASH_HEX], have[HASH_HEX];
    uint32_t dims[3];
    int volumes = 0;

    (void)state;
    assert_non_null(f);
    while (fscanf(f, "%u %u %u %64s", &dims[0], &dims[1], &dims[2], want) == 4) {
        size_t n = (size_t)dims[0] * dims[1] * dims[2];
        uint8_t *labels = malloc(n);

        slide(&w, weights, dims, volumes % 2, values, labels);
        hash_bytes(labels, n, have);
        assert_string_equal(have, want);
        free(labels);
        volumes++;
    }
    assert_int_equal(volumes, 6);
    fclose(f);
    windows_release(&w);
    free(weights);
    free(values);
}

static void weights_of(void **state)
{
    float *weights = windows_weights();
    size_t corner = 0, middle = (63 * 128 + 63) * 128 + 63;

    (void)state;
    assert_true(weights[middle] == 1);
    assert_true(fabs(weights[corner] - exp((0.75 - 3 * 63.5 * 63.5) / 1536)) < 1e-9);
    assert_true(weights[WINDOWS_VOXELS - 1] == weights[corner]);
    free(weights);
}

/* Equal values are the first class; a cut gives the window's own voxels. */
static void ties_and_cuts(void **state)
{
    const uint32_t dims[] = {128, 192, 128};
    float *weights = windows_weights(), *volume = malloc(192 * 128 * 128 * sizeof(*volume)),
          *values = calloc(3 * WINDOWS_VOXELS, sizeof(*values));
    uint8_t *labels = malloc(192 * 128 * 128);
    struct windows w = {0};
    struct assay_err err;
    uint32_t i;

    (void)state;
    for (i = 0; i < 192 * 128 * 128; i++)
        volume[i] = (float)i;
    assert_int_equal(windows_begin(&w, weights, dims, &err), 0);
    windows_cut(&w, volume, 0, 1, 0, values);
    assert_true(values[0] == 64 * 128 && values[(127 * 128 + 127) * 128 + 127] == volume[i - 1]);
    memset(values, 0, WINDOWS_VOXELS * sizeof(*values));
    values[WINDOWS_VOXELS + 5] = values[2 * WINDOWS_VOXELS + 5] = 1; /* kidney or tumour */
    values[2 * WINDOWS_VOXELS + 6] = 1e-30f;
    windows_add(&w, 0, 0, values, WINDOWS_VOXELS, 1);
    memset(values, 0, 3 * WINDOWS_VOXELS * sizeof(*values));
    windows_add(&w, 1, 0, values, WINDOWS_VOXELS, 1);
    assert_int_equal(windows_next(&w, 0, labels, &err), 0);
    assert_true(labels[4] == 0 && labels[5] == 1 && labels[6] == 2 && labels[7] == 0);

    assert_int_equal(windows_begin(&w, weights, dims, &err), 0);
    windows_add(&w, 0, 0, values, WINDOWS_VOXELS, 1);
    values[WINDOWS_VOXELS] = NAN;
    windows_add(&w, 1, 0, values, WINDOWS_VOXELS, 1);
    assert_int_equal(windows_next(&w, 0, labels, &err), ASSAY_EFAIL);
    assert_string_equal(err.text, "the model's output has NaN");
    windows_release(&w);
    free(weights);
    free(volume);
    free(values);
    free(labels);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(golden), cmocka_unit_test(weights_of),
                                       cmocka_unit_test(ties_and_cuts)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
