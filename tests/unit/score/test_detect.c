/* RetinaNet's post-processing against torchvision's (tests/golden/retinanet/heads-*.txt, which
 * tests/python/golden_detect.py makes), and from truth through heads and payload to a full mAP. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "score/map.h"

#define MOST 300

/* One image's head outputs. */
struct heads {
    struct detect d;
    float *memory;
    struct detect_level level[DETECT_LEVELS];
};

static uint32_t anchors_of(const struct detect *d, int level)
{
    return d->cells[level] * d->cells[level] * DETECT_ANCHORS;
}

static void heads_init(struct heads *h, uint32_t size, uint32_t classes)
{
    size_t n = 0;
    float *at;
    int l;

    detect_init(&h->d, size, classes, MOST);
    for (l = 0; l < DETECT_LEVELS; l++)
        n += anchors_of(&h->d, l);
    at = h->memory = calloc(n * (classes + 4), sizeof(float));
    assert_non_null(at);
    for (l = 0; l < DETECT_LEVELS; l++) {
        h->level[l].scores = at;
        at += (size_t)anchors_of(&h->d, l) * classes;
        h->level[l].boxes = at;
        at += (size_t)anchors_of(&h->d, l) * 4;
    }
}

static void fill_scores(struct heads *h, float logit)
{
    for (int l = 0; l < DETECT_LEVELS; l++)
        for (uint32_t i = 0; i < anchors_of(&h->d, l) * h->d.classes; i++)
            ((float *)h->level[l].scores)[i] = logit;
}

/* Where value k of width many of an anchor lies. */
static size_t place(const struct heads *h, int level, bool planes, uint32_t anchor, uint32_t k,
                    uint32_t width)
{
    uint32_t area = h->d.cells[level] * h->d.cells[level];

    if (!planes)
        return (size_t)anchor * width + k;
    return (size_t)(anchor % DETECT_ANCHORS * width + k) * area + anchor / DETECT_ANCHORS;
}

/* ---- golden ---- */

static uint32_t mix(uint32_t x)
{
    x *= 2654435761u;
    x = (x ^ x >> 15) * 2246822519u;
    return x ^ x >> 13;
}

static float logit_of(uint32_t i, double base)
{
    uint32_t x = mix(i);

    return (float)(base < -4 && x >= 1u << 27 ? base : base - .5 * log((x + 1.0) / 4294967296.0));
}

static float shift_of(uint32_t i)
{
    uint32_t x = mix(i + 0x9e3779b9u);
    double v = ((x >> 8) / 16777216.0 - .5) * .6;

    return (float)((x & 15) == 0 ? v * 50 : v);
}

static void fill(struct heads *h, bool planes, double base)
{
    uint32_t first = 0, n, k;
    int l;

    for (l = 0; l < DETECT_LEVELS; l++, first += n) {
        float *scores = (float *)h->level[l].scores, *boxes = (float *)h->level[l].boxes;

        n = anchors_of(&h->d, l);
        for (uint32_t a = 0; a < n; a++) {
            for (k = 0; k < h->d.classes; k++)
                scores[place(h, l, planes, a, k, h->d.classes)] =
                    logit_of((first + a) * h->d.classes + k, base);
            for (k = 0; k < 4; k++)
                boxes[place(h, l, planes, a, k, 4)] = shift_of((first + a) * 4 + k);
        }
    }
}

static void compare(FILE *f, const char *name, const struct detection *found, uint32_t count)
{
    char line[256];
    struct detection want;
    uint32_t n = 0;
    int i;

    for (; fgets(line, sizeof(line), f); n++) {
        const struct detection *have = &found[n];

        assert_int_equal(sscanf(line, "%d %f %f %f %f %f", &want.label, &want.score, &want.box[0],
                                &want.box[1], &want.box[2], &want.box[3]),
                         6);
        assert_true(n < count);
        if (have->label != want.label || !(fabsf(have->score - want.score) <= 1e-6f))
            fail_msg("%s: detection %u is %d at %.9g, the reference has %d at %.9g", name, n,
                     have->label, have->score, want.label, want.score);
        for (i = 0; i < 4; i++)
            if (!(fabsf(have->box[i] - want.box[i]) <= 1e-4f))
                fail_msg("%s: detection %u, side %d is %.9g, the reference has %.9g", name, n, i,
                         have->box[i], want.box[i]);
    }
    assert_int_equal(n, count);
}

static void golden(const char *name)
{
    char path[512], line[256];
    struct detection found[MOST];
    uint32_t count, size, classes;
    struct assay_err err;
    struct heads h;
    double base;
    long start;
    int planes;
    FILE *f;

    snprintf(path, sizeof(path), "%s/tests/golden/retinanet/%s", ASSAY_SOURCE, name);
    f = fopen(path, "r");
    assert_non_null(f);
    assert_non_null(fgets(line, sizeof(line), f));
    assert_non_null(fgets(line, sizeof(line), f));
    assert_int_equal(sscanf(line, "%u %u %lf", &size, &classes, &base), 3);
    start = ftell(f);
    heads_init(&h, size, classes);
    for (planes = 0; planes < 2; planes++) {
        fill(&h, planes, base);
        assert_int_equal(detect_heads(&h.d, h.level, planes, found, &count, &err), 0);
        fseek(f, start, SEEK_SET);
        compare(f, name, found, count);
    }
    free(h.memory);
    fclose(f);
}

static void as_torchvision(void **state)
{
    (void)state;
    golden("heads-800-264-5.txt");
    golden("heads-203-3-3.txt");
    golden("heads-96-1-3.txt");
    golden("heads-203-1-4.5.txt");
    golden("heads-1600-1-5.txt");
    golden("heads-96-1-9.txt");
}

/* The facts of the official model: anchors at 61 and 114 pixels on the last levels, sizes rounded
 * half to even. */
static void anchors(void **state)
{
    struct detect d;
    float box[4];

    (void)state;
    detect_init(&d, 800, 264, MOST);
    assert_int_equal(anchors_of(&d, 0) + anchors_of(&d, 1) + anchors_of(&d, 2) + anchors_of(&d, 3) +
                         anchors_of(&d, 4),
                     120087);
    detect_anchor(&d, 3, (13 + 2) * DETECT_ANCHORS + 3, box); /* row 1, column 2, square of 256 */
    assert_true(box[0] == 122 - 128 && box[1] == 61 - 128 && box[2] == 122 + 128);
    detect_anchor(&d, 4, DETECT_ANCHORS + 4, box); /* a square of 645: half of it is 322.5 */
    assert_true(box[0] == 114 - 322 && box[2] == 114 + 322 && box[3] == 322);
    detect_anchor(&d, 0, 0, box); /* twice as wide as high */
    assert_true(box[2] == 23 && box[3] == 11);
}

/* ---- truth -> heads -> detections -> payload -> mAP ---- */

enum { IMAGES = 4, TRUTHS = 40, CLASSES = 30 };

static float iou(const float *a, const float *b)
{
    float w = fminf(a[2], b[2]) - fmaxf(a[0], b[0]), h = fminf(a[3], b[3]) - fmaxf(a[1], b[1]);

    if (w <= 0 || h <= 0)
        return 0;
    return w * h / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - w * h);
}

/* The box into the anchor that fits it best. */
static void encode(struct heads *h, bool planes, const float *box, uint32_t label)
{
    uint32_t n, best = 0, k;
    float anchor[4], fit = -1, v, w, high, shift[4];
    int l, level = 0;

    for (l = 0; l < DETECT_LEVELS; l++)
        for (n = 0; n < anchors_of(&h->d, l); n++) {
            detect_anchor(&h->d, l, n, anchor);
            v = iou(anchor, box);
            if (v > fit && ((float *)h->level[l].boxes)[place(h, l, planes, n, 2, 4)] == 0) {
                fit = v;
                best = n;
                level = l;
            }
        }
    detect_anchor(&h->d, level, best, anchor);
    w = anchor[2] - anchor[0];
    high = anchor[3] - anchor[1];
    shift[0] = ((box[0] + box[2]) / 2 - anchor[0] - w / 2) / w;
    shift[1] = ((box[1] + box[3]) / 2 - anchor[1] - high / 2) / high;
    shift[2] = logf((box[2] - box[0]) / w);
    shift[3] = logf((box[3] - box[1]) / high);
    for (k = 0; k < 4; k++)
        ((float *)h->level[level].boxes)[place(h, level, planes, best, k, 4)] = shift[k];
    ((float *)h->level[level].scores)[place(h, level, planes, best, label, CLASSES)] = 8;
}

/* A made-up truth that no other of its image and class overlaps by half. */
static void make_truth(uint32_t *state, uint32_t image, const uint32_t size[2],
                       struct coco_truth *all, size_t n)
{
    struct coco_truth *t = &all[n];
    float a[4], b[4];
    size_t i;
    int k;

    do {
        double r[6];

        for (k = 0; k < 6; k++)
            r[k] = mix((*state)++) / 4294967296.0;
        *t = (struct coco_truth){.image = image, .category = (uint32_t)(r[0] * CLASSES)};
        t->box[2] = size[0] * (0.02 + 0.5 * r[1] * r[1]);
        t->box[3] = size[1] * (0.02 + 0.5 * r[2] * r[2]);
        t->box[0] = (size[0] - t->box[2]) * r[3];
        t->box[1] = (size[1] - t->box[3]) * r[4];
        t->area = t->box[2] * t->box[3];
        for (i = 0; i < n; i++) {
            for (k = 0; k < 4; k++) {
                a[k] = (float)(t->box[k] + (k > 1 ? t->box[k - 2] : 0));
                b[k] = (float)(all[i].box[k] + (k > 1 ? all[i].box[k - 2] : 0));
            }
            if (all[i].image == image && all[i].category == t->category && iou(a, b) > 0.4)
                break;
        }
    } while (i < n);
}

static void perfect(bool planes)
{
    static const uint32_t sizes[IMAGES][2] = {{1024, 683}, {640, 480}, {800, 800}, {333, 1000}},
                          ranks[IMAGES] = {2, 0, 3, 1};
    static struct coco_truth truths[IMAGES * TRUTHS];
    static uint8_t payload[IMAGES][MOST * MAP_ROW_BYTES];
    struct assay_log_entry log[IMAGES];
    struct map_set set = {IMAGES, sizes, ranks, CLASSES, NULL, truths, IMAGES * TRUTHS};
    bool known[CLASSES];
    struct detection found[MOST];
    uint32_t state = 1, image, i, k, count;
    struct assay_score score;
    struct assay_err err;
    struct heads h;
    size_t bytes;

    memset(known, 1, sizeof(known));
    set.known = known;
    heads_init(&h, 800, CLASSES);
    for (image = 0; image < IMAGES; image++) {
        struct coco_truth *mine = truths + image * TRUTHS;
        size_t floats = (size_t)120087 * (CLASSES + 4);

        memset(h.memory, 0, floats * sizeof(float));
        fill_scores(&h, -8);
        for (i = 0; i < TRUTHS; i++) {
            float box[4];

            make_truth(&state, image, sizes[image], mine, i);
            for (k = 0; k < 4; k++) /* to the square */
                box[k] = (float)((mine[i].box[k] + (k > 1 ? mine[i].box[k - 2] : 0)) * 800 /
                                 sizes[image][k % 2]);
            encode(&h, planes, box, mine[i].category);
        }
        assert_int_equal(detect_heads(&h.d, h.level, planes, found, &count, &err), 0);
        assert_int_equal(count, TRUTHS);
        assert_int_equal(
            map_respond(image, found, count, CLASSES, 800, payload[image], &bytes, &err), 0);
        log[image] = (struct assay_log_entry){image, image, payload[image], bytes};
    }
    assert_int_equal(map_score(&set, log, IMAGES, &score, &err), 0);
    assert_string_equal(score.line, "mAP=100.000%");
    assert_true(fabs(score.value - 100) < 1e-9);
    free(h.memory);
}

static void truth_scores_in_full(void **state)
{
    (void)state;
    perfect(true);
    perfect(false);
}

/* Above 0.05, not at it; and the best 1000 of a level, of which 999 are one box here. */
static void limits(void **state)
{
    struct detection found[MOST];
    struct assay_err err;
    struct heads h;
    uint32_t count, i;

    (void)state;
    heads_init(&h, 203, 1);
    fill_scores(&h, -8);
    ((float *)h.level[0].scores)[0] = -2.9444f;  /* 0.0500019 */
    ((float *)h.level[1].scores)[99] = -2.9445f; /* 0.0499972 */
    assert_int_equal(detect_heads(&h.d, h.level, false, found, &count, &err), 0);
    assert_int_equal(count, 1);
    for (i = 0; i < 1001; i++) {
        float anchor[4], w, high, *shift = (float *)h.level[0].boxes + 4 * i;

        detect_anchor(&h.d, 0, i, anchor);
        w = anchor[2] - anchor[0];
        high = anchor[3] - anchor[1];
        shift[0] = ((i < 999 ? 30 : i < 1000 ? 90 : 150) - anchor[0] - w / 2) / w;
        shift[1] = (50 - anchor[1] - high / 2) / high;
        shift[2] = logf(40 / w);
        shift[3] = logf(40 / high);
        ((float *)h.level[0].scores)[i] = 2 - (float)i / 1024;
    }
    assert_int_equal(detect_heads(&h.d, h.level, false, found, &count, &err), 0);
    assert_int_equal(count, 2); /* the 1001st, a third box, is not chosen */
    assert_true(fabsf(found[1].box[0] - 70) < 1e-3f);
    free(h.memory);
}

static void nan_is_refused(void **state)
{
    struct detection found[MOST];
    struct assay_err err;
    struct heads h;
    uint32_t count, i;

    (void)state;
    heads_init(&h, 96, 3);
    fill_scores(&h, -8);
    assert_int_equal(detect_heads(&h.d, h.level, true, found, &count, &err), 0);
    assert_int_equal(count, 0);
    ((float *)h.level[2].scores)[21] = NAN;
    assert_int_equal(detect_heads(&h.d, h.level, true, found, &count, &err), ASSAY_EFAIL);
    assert_string_equal(err.text, "the model's class scores have NaN");
    ((float *)h.level[2].scores)[21] = INFINITY;
    assert_int_equal(detect_heads(&h.d, h.level, true, found, &count, &err), 0);
    assert_int_equal(count, 1);
    for (i = 0; i < anchors_of(&h.d, 2) * 4; i++)
        ((float *)h.level[2].boxes)[i] = NAN;
    assert_int_equal(detect_heads(&h.d, h.level, true, found, &count, &err), ASSAY_EFAIL);
    assert_string_equal(err.text, "the model's boxes have NaN");
    free(h.memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(anchors),
        cmocka_unit_test(as_torchvision),
        cmocka_unit_test(truth_scores_in_full),
        cmocka_unit_test(limits),
        cmocka_unit_test(nan_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
