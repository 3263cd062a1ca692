/* The payload of detections, and what a log may not have. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "score/map.h"

static const uint32_t sizes[2][2] = {{100, 50}, {80, 80}}, ranks[2] = {1, 0};
static const bool known[4] = {true, true, false, true};
static const struct coco_truth truths[] = {
    {.image = 0, .category = 3, .box = {25, 5, 50, 25}, .area = 1250}};
static const struct map_set set = {2, sizes, ranks, 4, known, truths, 1};

static void rows(void **state)
{
    static const struct detection found[] = {{{200, 80, 600, 480}, 0.9f, 3},
                                             {{0, 0, 800, 800}, 0.05f, 0},
                                             {{0, 0, 8, 8}, 0.04f, 1},
                                             {{0, 0, NAN, 8}, 0.03f, 99}};
    static const float want[14] = {7, 0.1f, 0.25f, 0.6f, 0.75f, 0.9f, 3, 7, 0, 0, 1, 1, 0.05f, 0};
    struct assay_err err;
    float payload[28];
    size_t bytes;

    (void)state;
    assert_int_equal(map_respond(7, found, 4, 264, 800, payload, &bytes, &err), 0);
    assert_int_equal(bytes, sizeof(want)); /* nothing from the first below 0.05 on */
    assert_memory_equal(payload, want, sizeof(want));
    assert_int_equal(map_respond(7, found, 0, 264, 800, payload, &bytes, &err), 0);
    assert_int_equal(bytes, 0);
}

static void refuse(struct detection d, const char *words)
{
    struct assay_err err;
    uint8_t payload[MAP_ROW_BYTES];
    size_t bytes;

    assert_int_equal(map_respond(7, &d, 1, 264, 800, payload, &bytes, &err), ASSAY_EFAIL);
    assert_string_equal(err.text, words);
}

static void impossible_detections(void **state)
{
    (void)state;
    refuse((struct detection){{1, NAN, 2, 3}, 0.5f, 1}, "sample 7: a box of the model has NaN");
    refuse((struct detection){{1, 2, 3, INFINITY}, 0.5f, 1},
           "sample 7: a box of the model has an infinite side");
    refuse((struct detection){{1, 2, 3, 4}, NAN, 1}, "sample 7: a score of the model is NaN");
    refuse((struct detection){{1, 2, 3, 4}, 0.5f, -1},
           "sample 7: the model's label -1 is outside 0..263 (output.classes 264)");
    refuse((struct detection){{1, 2, 3, 4}, 0.5f, 264},
           "sample 7: the model's label 264 is outside 0..263 (output.classes 264)");
}

static void assert_log(uint64_t index, const float *row, size_t bytes, const char *words)
{
    struct assay_log_entry e = {0, index, (const uint8_t *)row, bytes};
    struct assay_score s = {0};
    struct assay_err err;
    int rc = map_score(&set, &e, 1, &s, &err);

    if (strncmp(words, "mAP=", 4) == 0) {
        assert_int_equal(rc, 0);
        assert_string_equal(s.line, words);
        assert_int_equal(s.total, 1);
        return;
    }
    assert_int_equal(rc, ASSAY_EFAIL);
    if (!strstr(err.text, words))
        fail_msg("'%s' is not in: %s", words, err.text);
}

static void logs(void **state)
{
    static const float good[8] = {0, 0.1f, 0.25f, 0.6f, 0.75f, 0.9f, 3},
                       unlisted[] = {0, 0, 0, 1, 1, 1, 2}, no_label[] = {0, 0, 0, 1, 1, 1, -1},
                       other[] = {1, 0, 0, 1, 1, 1, 1}, infinite[] = {0, 0, INFINITY, 1, 1, 1, 1};
    struct assay_score s = {0};
    struct assay_err err;

    (void)state;
    assert_log(0, good, 28, "mAP=100.000%");
    assert_log(0, good, 0, "mAP=0.000%");
    assert_log(0, good, 4, "mAP=0.000%");    /* less than a row is no detection */
    assert_log(1, good, 0, "mAP=-100.000%"); /* no box in any image of the log */
    assert_log(0, good, 32, "sample 0: has 32 bytes of data; wanted: rows of 7 float32 (28 bytes)");
    assert_log(2, good, 28, "sample 2 is not in the data set, which has 2");
    assert_log(0, unlisted, 28, "the data set has no category 2");
    assert_log(0, no_label, 28, "the data set has no category -1");
    assert_log(0, other, 28, "a detection says that it is of sample 1");
    assert_log(0, infinite, 28, "a detection has NaN or infinity");
    assert_int_equal(map_score(&set, NULL, 0, &s, &err), ASSAY_EFAIL);
    assert_string_equal(err.text, "accuracy log: has no entries; run in accuracy mode");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows),
        cmocka_unit_test(impossible_detections),
        cmocka_unit_test(logs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
