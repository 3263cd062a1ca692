/* WER, DICE and AUC against other code's values (tests/python/golden_metrics.py makes them), and
 * what they refuse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "score/auc.h"
#include "score/dice.h"
#include "score/wer.h"

static FILE *golden(const char *name)
{
    char path[512];
    FILE *f;

    snprintf(path, sizeof(path), "%s/tests/golden/metrics/%s.txt", ASSAY_SOURCE, name);
    f = fopen(path, "r");
    assert_non_null(f);
    return f;
}

static char line[4096];

static bool next_line(FILE *f)
{
    if (!fgets(line, sizeof(line), f))
        return false;
    line[strcspn(line, "\n")] = 0;
    return true;
}

static void word_errors(void **state)
{
    FILE *f = golden("wer");
    struct wer sum = {0};
    struct assay_err err;
    unsigned long long errors, words;
    double rate;

    (void)state;
    while (next_line(f) && !strncmp(line, "pair ", 5)) {
        char *truth = strchr(line, '|') + 1, *found = strchr(truth, '|');
        struct wer one = {0};

        *found++ = 0;
        assert_int_equal(wer_add(&one, truth, found, &err), 0);
        if (one.errors != strtoull(line + 5, NULL, 10))
            fail_msg("'%s' against '%s': %llu errors", found, truth,
                     (unsigned long long)one.errors);
        wer_add(&sum, truth, found, &err);
    }
    assert_int_equal(sscanf(line, "end %llu %llu %lf", &errors, &words, &rate), 3);
    assert_int_equal(sum.errors, errors);
    assert_int_equal(sum.words, words);
    assert_true(fabs(wer_rate(&sum) - rate) <= 1e-12);
    fclose(f);
    sum = (struct wer){0};
    assert_true(isinf(wer_rate(&sum)));
}

static void voxels(void **state)
{
    static const uint8_t good[] = {0, 1, 2}, bad[] = {0, 1, 3};
    FILE *f = golden("dice");
    static char truth[1024], found[1024];
    double want[DICE_CLASSES], have[DICE_CLASSES];
    struct dice sum = {0};
    struct assay_err err;
    size_t n, i;

    (void)state;
    while (next_line(f) && sscanf(line, "case %1023s %1023s", truth, found) == 2) {
        n = strlen(truth);
        for (i = 0; i < n; i++) {
            truth[i] -= '0';
            found[i] -= '0';
        }
        assert_int_equal(dice_add(&sum, (uint8_t *)truth, (uint8_t *)found, n, &err), 0);
    }
    assert_int_equal(sscanf(line, "end %lf %lf %lf", &want[0], &want[1], &want[2]), 3);
    dice_means(&sum, have);
    for (i = 0; i < DICE_CLASSES; i++)
        assert_true(fabs(have[i] - want[i]) <= 1e-12);
    fclose(f);
    assert_int_equal(dice_add(&sum, bad, good, 3, &err), ASSAY_EFAIL);
    assert_string_equal(err.text, "DICE: case 9: voxel 2 of the truth is 3; wanted: 0..2");
    assert_int_equal(dice_add(&sum, good, bad, 3, &err), ASSAY_EFAIL);
    assert_string_equal(err.text, "DICE: case 9: voxel 2 of the prediction is 3; wanted: 0..2");
    sum = (struct dice){0};
    dice_means(&sum, have);
    assert_true(isnan(have[0]));
}

static void areas(void **state)
{
    FILE *f = golden("auc");
    static float pairs[2048];
    unsigned long long good;
    struct assay_err err;
    struct auc have;
    double area;
    size_t n = 0;
    int cases = 0;

    (void)state;
    while (next_line(f)) {
        if (sscanf(line, "pair %f %f", &pairs[2 * n], &pairs[2 * n + 1]) == 2) {
            n++;
            continue;
        }
        assert_int_equal(sscanf(line, "end %lf %llu", &area, &good), 2);
        assert_int_equal(auc_compute(pairs, n, &have, &err), 0);
        if (!(fabs(have.auc - area) <= 1e-12))
            fail_msg("case %d: the area is %.17g, the reference has %.17g", cases, have.auc, area);
        assert_int_equal(have.good, good);
        assert_int_equal(have.total, n);
        n = 0;
        cases++;
    }
    assert_int_equal(cases, 10);
    fclose(f);
}

static void no_area(void **state)
{
    static const float one_kind[] = {0.5f, 1, 0.7f, 1}, not_a_number[] = {0.5f, 1, NAN, 0},
                       no_target[] = {0.5f, 1, 0.2f, 0.5f};
    struct assay_err err;
    struct auc a;

    (void)state;
    assert_int_equal(auc_compute(one_kind, 2, &a, &err), ASSAY_EFAIL);
    assert_non_null(strstr(err.text, "all 2 targets are the same"));
    assert_int_equal(auc_compute(one_kind, 0, &a, &err), ASSAY_EFAIL);
    assert_int_equal(auc_compute(not_a_number, 2, &a, &err), ASSAY_EFAIL);
    assert_string_equal(err.text, "AUC: prediction 1 is NaN");
    assert_int_equal(auc_compute(no_target, 2, &a, &err), ASSAY_EFAIL);
    assert_string_equal(err.text, "AUC: target 1 is 0.5; wanted: 0 or 1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(word_errors),
        cmocka_unit_test(voxels),
        cmocka_unit_test(areas),
        cmocka_unit_test(no_area),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
