/* Decoding, resizing, cropping and normalising against golden values of OpenCV, Pillow and NumPy
 * (tests/python/golden_resnet50.py and golden_retinanet.py make them). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/text.h"
#include "data/image.h"
#include "data/npy.h"

#define GOLDEN ASSAY_SOURCE "/tests/golden/resnet50"

static const struct image_rule vgg = {.method = IMAGE_VGG,
                                      .resize = 256,
                                      .size = 224,
                                      .scale = 1,
                                      .mean = {123.68, 116.78, 103.94},
                                      .std = {1, 1, 1}};
static const struct image_rule pytorch = {.method = IMAGE_PYTORCH,
                                          .resize = 256,
                                          .size = 224,
                                          .scale = 1 / 255.0,
                                          .mean = {0.485, 0.456, 0.406},
                                          .std = {0.229, 0.224, 0.225}};
static const struct image_rule lite = {.method = IMAGE_VGG,
                                       .resize = 256,
                                       .size = 224,
                                       .scale = 1,
                                       .mean = {127, 127, 127},
                                       .std = {128, 128, 128}};

struct golden {
    char name[128];
    unsigned width, height;
    char pixels[HASH_HEX], area[HASH_HEX], pil[HASH_HEX], floats[HASH_HEX];
};

/* Calls `check` for every row of a golden table. */
static unsigned golden_rows(const char *file, void (*check)(const struct golden *))
{
    FILE *f = fopen(file, "r");
    char line[512];
    struct golden g;
    unsigned n = 0;

    assert_non_null(f);
    while (fgets(line, sizeof(line), f)) {
        if (line[0] == '#')
            continue;
        assert_int_equal(sscanf(line, "%127s %u %u %64s %64s %64s %64s", g.name, &g.width,
                                &g.height, g.pixels, g.area, g.pil, g.floats),
                         7);
        check(&g);
        n++;
    }
    fclose(f);
    return n;
}

static void assert_hash(const char *name, const char *what, const void *data, size_t n,
                        const char *want)
{
    char hex[HASH_HEX];

    hash_bytes(data, n, hex);
    if (strcmp(hex, want) != 0)
        fail_msg("%s: %s differ from the reference's", name, what);
}

static void check_pixels(const struct golden *g, const struct pixels *p)
{
    static float floats[224 * 224 * 3];
    struct assay_err err;
    struct image_work w;
    const uint8_t *crop;

    image_work_init(&w, &vgg);
    assert_int_equal(p->width, g->width);
    assert_int_equal(p->height, g->height);
    assert_hash(g->name, "decoded pixels", p->data, (size_t)p->width * p->height * 3, g->pixels);
    assert_int_equal(image_crop(&pytorch, p, &w, &crop, &err), 0);
    assert_hash(g->name, "Pillow's resized pixels", crop, sizeof(floats) / 4, g->pil);
    assert_int_equal(image_crop(&vgg, p, &w, &crop, &err), 0);
    assert_hash(g->name, "OpenCV's resized pixels", crop, sizeof(floats) / 4, g->area);
    image_normalise(&vgg, &w, crop, floats);
    assert_hash(g->name, "float32 values", floats, sizeof(floats), g->floats);
    image_work_release(&w);
}

static void make_noise(struct pixels *p, uint32_t width, uint32_t height)
{
    struct assay_err err;
    uint32_t i, x;

    assert_int_equal(pixels_reserve(p, width, height, "noise", &err), 0);
    for (i = 0; i < width * height * 3; i++) {
        x = i * 2654435761u;
        x = (x ^ x >> 15) * 2246822519u;
        p->data[i] = (uint8_t)((x ^ x >> 13) >> 24);
    }
}

static void check_noise(const struct golden *g)
{
    struct pixels p = {0};

    make_noise(&p, g->width, g->height);
    check_pixels(g, &p);
    pixels_release(&p);
}

static void check_file(const char *folder, const struct golden *g)
{
    char *path = file_join(folder, g->name);
    struct pixels p = {0};
    struct assay_err err;

    if (pixels_read_jpeg(path, &p, &err))
        fail_msg("%s", err.text);
    check_pixels(g, &p);
    pixels_release(&p);
    free(path);
}

static void check_small(const struct golden *g)
{
    check_file(GOLDEN, g);
}

static char photo_dir[1024];
static void check_photo(const struct golden *g)
{
    check_file(photo_dir, g);
}

static void noise_is_resized_as_by_the_references(void **state)
{
    (void)state;
    assert_true(golden_rows(GOLDEN "/noise.txt", check_noise) >= 20);
}

static void small_jpegs_are_read_as_by_opencv(void **state)
{
    (void)state;
    assert_true(golden_rows(GOLDEN "/small.txt", check_small) >= 18);
}

static bool find_photos(void)
{
    const char *data = getenv("ASSAY_TEST_DATA");

    snprintf(photo_dir, sizeof(photo_dir), "%s/imagenet-mini",
             data ? data : ASSAY_SOURCE "/../shared/data");
    return file_is_dir(photo_dir);
}

static void photos_are_read_as_by_the_references(void **state)
{
    (void)state;
    if (!find_photos())
        skip();
    assert_int_equal(golden_rows(GOLDEN "/photos.txt", check_photo), 200);
}

/* ---- stretched to a square: tests/golden/retinanet ---- */

static void check_square(const char *name, const struct pixels *p, unsigned width, unsigned height,
                         unsigned side, const char *want)
{
    struct image_rule rule = {.method = IMAGE_STRETCH, .size = side, .scale = 1};
    float *out = malloc(sizeof(float) * 3 * side * side);
    struct image_work w = {0};
    struct assay_err err;
    int c;

    for (c = 0; c < 3; c++)
        rule.std[c] = 255;
    assert_non_null(out);
    assert_int_equal(p->width, width);
    assert_int_equal(p->height, height);
    assert_int_equal(image_stretch(&rule, p, &w, out, &err), 0);
    assert_hash(name, "stretched values", out, sizeof(float) * 3 * side * side, want);
    image_work_release(&w);
    free(out);
}

/* folder NULL: noise. */
static unsigned check_squares(const char *file, const char *folder)
{
    char line[512], name[128], want[HASH_HEX], path[1200];
    unsigned width, height, side, n = 0;
    struct pixels p = {0};
    struct assay_err err;
    FILE *f = fopen(file, "r");

    assert_non_null(f);
    while (fgets(line, sizeof(line), f)) {
        if (line[0] == '#')
            continue;
        assert_int_equal(sscanf(line, "%127s %u %u %u %64s", name, &width, &height, &side, want),
                         5);
        snprintf(path, sizeof(path), "%s/%s", folder ? folder : "", name);
        if (!folder)
            make_noise(&p, width, height);
        else if (pixels_read_jpeg(path, &p, &err))
            fail_msg("%s", err.text);
        check_square(name, &p, width, height, side, want);
        n++;
    }
    fclose(f);
    pixels_release(&p);
    return n;
}

static void squares_are_opencvs(void **state)
{
    (void)state;
    assert_int_equal(check_squares(ASSAY_SOURCE "/tests/golden/retinanet/noise.txt", NULL), 18);
    assert_int_equal(check_squares(ASSAY_SOURCE "/tests/golden/retinanet/small.txt", GOLDEN), 18);
}

static void squares_of_photos_are_opencvs(void **state)
{
    (void)state;
    if (!find_photos())
        skip();
    assert_int_equal(check_squares(ASSAY_SOURCE "/tests/golden/retinanet/photos.txt", photo_dir),
                     200);
}

static void squares_by_any_rule(void **state)
{
    struct image_rule r = {.method = IMAGE_STRETCH,
                           .size = 2,
                           .scale = 0.5,
                           .mean = {1, 2, 3},
                           .std = {2, 4, 8},
                           .nhwc = true,
                           .bgr = true};
    uint8_t bytes[12] = {10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110, 120};
    struct pixels p = {.width = 2, .height = 2, .data = bytes};
    struct image_work w = {0};
    struct assay_err err;
    float pixels[12], planes[12];
    int i;

    (void)state;
    assert_int_equal(image_stretch(&r, &p, &w, pixels, &err), 0);
    r.nhwc = false;
    assert_int_equal(image_stretch(&r, &p, &w, planes, &err), 0);
    assert_true(pixels[0] == (30 * 0.5f - 1) / 2 && pixels[1] == (20 * 0.5f - 2) / 4 &&
                pixels[11] == (100 * 0.5f - 3) / 8);
    for (i = 0; i < 12; i++)
        assert_true(pixels[i] == planes[i % 3 * 4 + i / 3]);
    image_work_release(&w);
}

/* tables.npy: [rule][channel][pixel value]. */
static void values_are_numpys(void **state)
{
    const struct image_rule *rules[] = {&vgg, &pytorch, &lite};
    struct image_work w;
    struct assay_err err;
    char *data;
    size_t len, r, i;
    float want;

    (void)state;
    assert_int_equal(file_read(GOLDEN "/tables.npy", 1 << 20, &data, &len, &err), 0);
    assert_int_equal(len, 128 + 3 * 3 * 256 * 4);
    for (r = 0; r < 3; r++) {
        image_work_init(&w, rules[r]);
        for (i = 0; i < 3 * 256; i++) {
            memcpy(&want, data + 128 + (r * 768 + i) * 4, 4);
            assert_true(fabsf(w.table[i / 256][i % 256] - want) <= 1e-6f * fabsf(want));
        }
    }
    free(data);
}

static void layouts_hold_the_same_values(void **state)
{
    struct image_rule r = lite;
    struct image_work w;
    uint8_t crop[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    float planes[12], pixels[12];
    int i;

    (void)state;
    r.size = 2;
    r.mean[0] = 10;
    image_work_init(&w, &r);
    image_normalise(&r, &w, crop, planes);
    assert_true(planes[0] == (1 - 10) / 128.0f && planes[4] == (2 - 127) / 128.0f &&
                planes[11] == (12 - 127) / 128.0f);
    r.nhwc = true;
    image_normalise(&r, &w, crop, pixels);
    for (i = 0; i < 12; i++)
        assert_true(pixels[i] == planes[i % 3 * 4 + i / 3]);
    r.bgr = true;
    image_normalise(&r, &w, crop, pixels);
    assert_true(pixels[0] == (3 - 10) / 128.0f && pixels[2] == (1 - 127) / 128.0f);
}

/* Every shorter form of a good file is an error that names it; none crashes. */
static void cut_files_are_refused(void **state)
{
    static const char *const files[] = {"grey.jpg", "cmyk.jpg", "progressive.jpg", "exif6.jpg",
                                        "one.jpg"};
    struct pixels p = {0};
    struct assay_err err;
    size_t len, cut, i;
    char *data, *path;

    (void)state;
    for (i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        path = file_join(GOLDEN, files[i]);
        assert_int_equal(file_read(path, 1 << 20, &data, &len, &err), 0);
        for (cut = 0; cut < len; cut++) {
            char *part = malloc(cut + 1);

            memcpy(part, data, cut);
            if (pixels_from_jpeg(part, cut, files[i], &p, &err) != ASSAY_EFAIL)
                fail_msg("%s cut after %zu of %zu bytes is taken", files[i], cut, len);
            assert_non_null(strstr(err.text, files[i]));
            free(part);
        }
        assert_int_equal(pixels_from_jpeg(data, len, files[i], &p, &err), 0);
        free(data);
        free(path);
    }
    pixels_release(&p);
}

static void damaged_and_foreign_files_are_refused(void **state)
{
    struct pixels p = {0};
    struct assay_err err;
    size_t len, i;
    char *data;

    (void)state;
    assert_int_equal(pixels_from_jpeg("\x89PNG\r\n\x1a\n----", 12, "a.png", &p, &err), ASSAY_EFAIL);
    assert_non_null(strstr(err.text, "a.png: is damaged or no JPEG, and only those are read"));
    assert_int_equal(pixels_read_jpeg("/nonexistent/x.jpg", &p, &err), ASSAY_EFAIL);
    assert_non_null(strstr(err.text, "/nonexistent/x.jpg"));
    /* The size in the frame header says 65500 x 65500. */
    assert_int_equal(file_read(GOLDEN "/shrink.jpg", 1 << 20, &data, &len, &err), 0);
    for (i = 0; i + 9 < len; i++)
        if ((uint8_t)data[i] == 0xff && (uint8_t)data[i + 1] == 0xc0)
            memcpy(data + i + 5, "\xff\xdc\xff\xdc", 4);
    assert_int_equal(pixels_from_jpeg(data, len, "huge.jpg", &p, &err), ASSAY_EFAIL);
    assert_non_null(strstr(err.text, "huge.jpg: has 65500 x 65500 pixels"));
    free(data);
    pixels_release(&p);
}

static void npy_is_what_numpy_reads(void **state)
{
    float v[6] = {1, 2, 3, 4, 5, 6};
    struct assay_tensor t = {
        .dtype = ASSAY_F32, .rank = 2, .dims = {2, 3}, .data = v, .bytes = sizeof(v)};
    char path[] = "/tmp/assay-npy-XXXXXX", *data;
    struct assay_err err;
    size_t len;

    (void)state;
    close(mkstemp(path));
    assert_int_equal(npy_write(path, &t, &err), 0);
    assert_int_equal(file_read(path, 1000, &data, &len, &err), 0);
    assert_int_equal(len, 128 + 24);
    assert_memory_equal(
        data,
        "\x93NUMPY\x01\x00\x76\x00{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3,), }",
        67);
    assert_int_equal(data[127], '\n');
    assert_memory_equal(data + 128, v, sizeof(v));
    free(data);
    t.dtype = ASSAY_BF16;
    assert_int_equal(npy_write(path, &t, &err), ASSAY_EUNSUPPORTED);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(noise_is_resized_as_by_the_references),
        cmocka_unit_test(small_jpegs_are_read_as_by_opencv),
        cmocka_unit_test(photos_are_read_as_by_the_references),
        cmocka_unit_test(squares_are_opencvs),
        cmocka_unit_test(squares_of_photos_are_opencvs),
        cmocka_unit_test(squares_by_any_rule),
        cmocka_unit_test(values_are_numpys),
        cmocka_unit_test(layouts_hold_the_same_values),
        cmocka_unit_test(cut_files_are_refused),
        cmocka_unit_test(damaged_and_foreign_files_are_refused),
        cmocka_unit_test(npy_is_what_numpy_reads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
