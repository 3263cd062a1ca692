/* Volumes against nibabel, scipy and numpy (tests/python/golden_unet.py makes the values), and what
 * the reader of NIfTI takes and refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "base/file.h"
#include "base/text.h"
#include "data/volume.h"

/* ---- golden values ---- */

struct ready {
    uint32_t dims[3];
    float *image;
    uint8_t *labels;
};

static uint32_t noise(uint32_t i)
{
    i *= 2654435761u;
    i ^= i >> 15;
    i *= 2246822519u;
    i ^= i >> 13;
    return i >> 20;
}

static void reserve(const struct nifti *head, struct ready *r)
{
    struct assay_err err;
    size_t n;

    if (volume_dims(head, "volume", r->dims, &err))
        fail_msg("%s", err.text);
    n = (size_t)r->dims[0] * r->dims[1] * r->dims[2];
    r->image = malloc(n * sizeof(*r->image));
    r->labels = malloc(n);
}

static void make_up(const struct nifti *head, struct ready *r)
{
    uint32_t n = (uint32_t)nifti_voxels(head), i;
    float *image = malloc(n * sizeof(*image));
    uint8_t *labels = malloc(n);
    struct assay_err err;

    for (i = 0; i < n; i++) {
        image[i] = (float)noise(i) / 2 - 500;
        labels[i] = (uint8_t)(1 + noise(i) / 2048);
    }
    reserve(head, r);
    assert_int_equal(volume_from_image(head, image, r->image, &err), 0);
    assert_int_equal(volume_from_labels(head, labels, r->labels, &err), 0);
    free(image);
    free(labels);
}

/* False: the test data are not here. */
static bool read_case(const char *name, struct nifti *head, struct ready *r)
{
    const char *data = getenv("ASSAY_TEST_DATA");
    char *folder = data ? text_format("%s/volume-mini/%s", data, name)
                        : text_format(ASSAY_SOURCE "/../shared/data/volume-mini/%s", name);
    char *image = text_format("%s/imaging.nii.gz", folder),
         *labels = text_format("%s/segmentation.nii.gz", folder);
    bool there = file_exists(image);
    struct assay_err err;

    if (there) {
        if (nifti_read_head(image, head, &err))
            fail_msg("%s", err.text);
        reserve(head, r);
        if (volume_read_image(image, head, r->image, &err) ||
            volume_read_labels(labels, head, r->labels, &err))
            fail_msg("%s", err.text);
    }
    free(folder);
    free(image);
    free(labels);
    return there;
}

static void compare_sums(const struct ready *r, const char *line, const double sums[2],
                         const unsigned long long counts[3])
{
    size_t n = (size_t)r->dims[0] * r->dims[1] * r->dims[2], i;
    unsigned long long have[3] = {0};
    double sum = 0, squares = 0;

    for (i = 0; i < n; i++) {
        sum += r->image[i];
        squares += (double)r->image[i] * r->image[i];
        have[r->labels[i]]++;
    }
    if (fabs(sum - sums[0]) > 1e-5 * (double)n || fabs(squares - sums[1]) > 1e-5 * squares)
        fail_msg("%ssum %.17g, of squares %.17g", line, sum, squares);
    for (i = 0; i < 3; i++)
        if (have[i] != counts[i])
            fail_msg("%sclass %zu: %llu voxels", line, i, have[i]);
}

static void compare_voxel(const struct ready *r, const char *line)
{
    unsigned z, y, x, label;
    double value;
    size_t i;

    assert_int_equal(sscanf(line, "at %u %u %u %lf %u", &z, &y, &x, &value, &label), 5);
    i = ((size_t)z * r->dims[1] + y) * r->dims[2] + x;
    if (fabs(r->image[i] - value) > 1e-5 || r->labels[i] != label)
        fail_msg("%shave %.9g, class %u", line, (double)r->image[i], r->labels[i]);
}

static void golden(void **state)
{
    FILE *f = fopen(ASSAY_SOURCE "/tests/golden/3d-unet/volumes.txt", "r");
    char line[512], name[32];
    struct ready r = {0};
    bool there = false;
    int volumes = 0, voxels = 0;

    (void)state;
    assert_non_null(f);
    while (fgets(line, sizeof(line), f)) {
        struct nifti head = {0};
        unsigned dims[3];
        unsigned long long counts[3];
        double sums[2];

        if (line[0] == 'a') {
            if (there)
                compare_voxel(&r, line), voxels++;
            continue;
        }
        assert_int_equal(sscanf(line,
                                "volume %31s %u %u %u %lf %lf %lf %u %u %u %lf %lf %llu %llu %llu",
                                name, &head.dims[0], &head.dims[1], &head.dims[2], &head.spacing[0],
                                &head.spacing[1], &head.spacing[2], &dims[0], &dims[1], &dims[2],
                                &sums[0], &sums[1], &counts[0], &counts[1], &counts[2]),
                         15);
        free(r.image);
        free(r.labels);
        r = (struct ready){0};
        there = true;
        if (strcmp(name, "made-up") != 0)
            there = read_case(name, &head, &r);
        else
            make_up(&head, &r);
        if (!there)
            continue;
        assert_memory_equal(r.dims, dims, sizeof(dims));
        compare_sums(&r, line, sums, counts);
        volumes++;
    }
    fclose(f);
    free(r.image);
    free(r.labels);
    assert_true(volumes >= 10 && voxels > 2000);
}

/* ---- the reader ---- */

static char folder[] = "/tmp/assay-volume-XXXXXX";

struct file {
    uint8_t bytes[4096];
    size_t len;
};

static void put(struct file *f, size_t at, const void *value, size_t bytes, bool swapped)
{
    const uint8_t *from = value;
    size_t i;

    memcpy(f->bytes + at, value, bytes);
    for (i = 0; swapped && i < bytes; i++)
        f->bytes[at + i] = from[bytes - 1 - i];
    if (at + bytes > f->len)
        f->len = at + bytes;
}

#define PUT(f, at, type, value, swapped)                                                           \
    do {                                                                                           \
        type v_ = (type)(value);                                                                   \
        put(f, at, &v_, sizeof(v_), swapped);                                                      \
    } while (0)

/* 2 x 3 x 4 voxels of a type, none yet. */
static void head_of(struct file *f, int type, int bits, bool swapped)
{
    static const int dims[] = {3, 2, 3, 4, 1, 1, 1, 1};
    int i;

    memset(f, 0, sizeof(*f));
    PUT(f, 0, int32_t, 348, swapped);
    for (i = 0; i < 8; i++)
        PUT(f, 40 + 2 * i, int16_t, dims[i], swapped);
    PUT(f, 70, int16_t, type, swapped);
    PUT(f, 72, int16_t, bits, swapped);
    for (i = 0; i < 4; i++)
        PUT(f, 76 + 4 * i, float, i ? 0.5 * i : -1, swapped);
    PUT(f, 108, float, 352, swapped);
    memcpy(f->bytes + 344, "n+1", 4);
    f->len = 352;
}

static char *save(const struct file *f, size_t len, bool packed)
{
    char *path = text_format("%s/x.nii", folder);
    gzFile to = gzopen(path, packed ? "wb6" : "wbT");

    assert_int_equal(gzwrite(to, f->bytes, (unsigned)len), len);
    gzclose(to);
    return path;
}

/* Voxel (i, j, k) is 100 i + 10 j + k + first, scaled by 0.5 and moved by 7. */
#define TYPE(code, type, first)                                                                    \
    {                                                                                              \
        head_of(&f, code, (int)sizeof(type) * 8, swapped);                                         \
        PUT(&f, 112, float, scaled ? 0.5 : packed ? NAN : 0, swapped);                             \
        PUT(&f, 116, float, 7, swapped);                                                           \
        for (k = 0; k < 4; k++)                                                                    \
            for (j = 0; j < 3; j++)                                                                \
                for (i = 0; i < 2; i++)                                                            \
                    PUT(&f, f.len, type, 100 * i + 10 * j + k + first, swapped);                   \
        check_values(&f, packed, scaled, first);                                                   \
    }

static void check_values(const struct file *f, bool packed, bool scaled, int first)
{
    char *path = save(f, f->len, packed);
    struct nifti head;
    struct assay_err err;
    float *voxels, want;
    int i, j, k;

    if (nifti_read_image(path, &head, &voxels, &err))
        fail_msg("%s", err.text);
    assert_true(head.dims[0] == 2 && head.dims[1] == 3 && head.dims[2] == 4);
    assert_true(head.spacing[0] == 0.5 && head.spacing[1] == 1 && head.spacing[2] == 1.5);
    for (i = 0; i < 2; i++)
        for (j = 0; j < 3; j++)
            for (k = 0; k < 4; k++) {
                want = (float)(100 * i + 10 * j + k + first);
                assert_true(voxels[(i * 3 + j) * 4 + k] == (scaled ? want * 0.5f + 7 : want));
            }
    free(voxels);
    free(path);
}

static void every_type(void **state)
{
    struct file f;
    int way, i, j, k;

    (void)state;
    for (way = 0; way < 8; way++) {
        bool swapped = way & 1, packed = way & 2, scaled = way & 4;

        TYPE(2, uint8_t, 100);
        TYPE(4, int16_t, -30000);
        TYPE(8, int32_t, -2000000);
        TYPE(16, float, -5);
        TYPE(64, double, -5);
        TYPE(256, int8_t, -128);
        TYPE(512, uint16_t, 60000);
        TYPE(768, uint32_t, 3000000);
        TYPE(1024, int64_t, -8000000);
        TYPE(1280, uint64_t, 8000000);
    }
}

enum field { BYTE, SHORT, INT, FLOAT, PLANE };

/* What of a good header is changed, and what is said of it.  PLANE: two dims, the third is 1. */
static const struct fault {
    size_t at;
    enum field field;
    double value;
    const char *words;
} faults[] = {
    {0, INT, 347, "is no NIfTI-1 file"},
    {0, INT, 540, "is NIfTI-2; wanted: NIfTI-1"},
    {345, BYTE, 'i', "is no NIfTI-1 file"},
    {40, SHORT, 4, "has 4 dimensions; wanted: one volume of 3"},
    {40, SHORT, 0, "has 0 dimensions"},
    {42, SHORT, 0, "dimension 1 is 0"},
    {46, SHORT, -4, "dimension 3 is -4"},
    {42, SHORT, 1, "has more data than its header says"},
    {46, SHORT, 5, "is cut off"},
    {42, SHORT, 32767, "is cut off: "},
    {42, PLANE, 32767, "has 32767 x 32767 x 1 voxels; at most"},
    {70, SHORT, 128, "voxels of type 128; wanted"},
    {72, SHORT, 16, "type 2 has 8 bits a voxel, the header says 16"},
    {80, FLOAT, 0, "the spacing of dimension 1 is 0 mm"},
    {88, FLOAT, -1, "the spacing of dimension 3 is -1 mm"},
    {84, FLOAT, NAN, "the spacing of dimension 2 is "},
    {108, FLOAT, 0, "its voxels begin at byte 0"},
    {108, FLOAT, 352.5, "its voxels begin at byte 352.5"},
    {108, FLOAT, 1e30, "its voxels begin at byte 1e+30"},
    {108, FLOAT, 353, "is cut off"},
    {116, FLOAT, INFINITY, "the values' offset is inf"},
    {112, FLOAT, 1e38, "voxel (0, 0, 0) is not a finite number"},
};

static void change(struct file *f, const struct fault *one)
{
    switch (one->field) {
    case BYTE:
        f->bytes[one->at] = (uint8_t)one->value;
        break;
    case SHORT:
        PUT(f, one->at, int16_t, one->value, false);
        break;
    case INT:
        PUT(f, one->at, int32_t, one->value, false);
        break;
    case FLOAT:
        PUT(f, one->at, float, one->value, false);
        break;
    default:
        PUT(f, one->at, int16_t, one->value, false);
        PUT(f, one->at + 2, int16_t, one->value, false);
        PUT(f, one->at + 4, int16_t, 1, false);
    }
}

static void refused(void **state)
{
    struct file good, f;
    struct nifti head;
    struct assay_err err;
    float *voxels;
    size_t i;

    (void)state;
    head_of(&good, 2, 8, false);
    good.len += 24;
    memset(good.bytes + 352, 200, 24);
    PUT(&good, 112, float, 1, false);
    for (i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        const struct fault *one = &faults[i];
        char *path;

        f = good;
        change(&f, one);
        path = save(&f, f.len, i % 2);
        memset(&err, 0, sizeof(err));
        if (nifti_read_image(path, &head, &voxels, &err) != ASSAY_EFAIL ||
            !strstr(err.text, "x.nii: ") || !strstr(err.text, one->words))
            fail_msg("fault %zu (%s): '%s'", i, one->words, err.text);
        free(path);
    }
}

static void write_file(const char *path, const char *bytes, size_t len)
{
    FILE *f = fopen(path, "wb");

    assert_int_equal(fwrite(bytes, 1, len, f), len);
    fclose(f);
}

static void cut_anywhere(void **state)
{
    struct file f;
    struct nifti head;
    struct assay_err err;
    float *voxels;
    char *path, *packed;
    size_t len, all;

    (void)state;
    head_of(&f, 2, 8, true);
    f.len += 24;
    for (len = 0; len < f.len; len++) {
        path = save(&f, len, len % 2);
        assert_int_equal(nifti_read_image(path, &head, &voxels, &err), ASSAY_EFAIL);
        assert_non_null(strstr(err.text, "is cut off"));
        free(path);
    }
    path = save(&f, f.len, true);
    assert_int_equal(file_read(path, 1 << 20, &packed, &all, &err), 0);
    for (len = 2; len < all; len++) { /* the gzip file; its last 8 bytes are sum and length */
        write_file(path, packed, len);
        assert_int_equal(nifti_read_image(path, &head, &voxels, &err), ASSAY_EFAIL);
        assert_non_null(strstr(err.text, "is cut off"));
    }
    packed[all - 6] ^= 1;
    write_file(path, packed, all);
    assert_int_equal(nifti_read_image(path, &head, &voxels, &err), ASSAY_EFAIL);
    assert_non_null(strstr(err.text, "is damaged: incorrect data check"));
    free(packed);
    free(path);
}

static void classes(void **state)
{
    static const struct {
        double value;
        const char *words;
    } cases[] = {{2, NULL},
                 {3, "voxel (1, 2, 3) is of class 3; wanted: whole numbers 0..2"},
                 {0.5, "is of class 0.5"},
                 {-1, "is of class -1"},
                 {NAN, "is of class "}};
    struct nifti head;
    struct assay_err err;
    struct file f;
    uint8_t *labels;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *path;
        int rc;

        head_of(&f, 64, 64, i & 1);
        f.len += 23 * sizeof(double);
        PUT(&f, f.len, double, cases[i].value, i & 1);
        path = save(&f, f.len, true);
        rc = nifti_read_labels(path, 3, &head, &labels, &err);
        if (cases[i].words) {
            assert_int_equal(rc, ASSAY_EFAIL);
            assert_non_null(strstr(err.text, cases[i].words));
        } else {
            assert_int_equal(rc, 0);
            assert_int_equal(labels[23], 2);
            free(labels);
        }
        free(path);
    }
}

static void no_volume(void **state)
{
    struct nifti head = {.dims = {3, 3, 3}, .spacing = {1.6, 1.2, 1e-6}};
    uint32_t dims[3];
    struct assay_err err;

    (void)state;
    assert_int_equal(volume_dims(&head, "v", dims, &err), ASSAY_EFAIL);
    assert_string_equal(err.text,
                        "v: dimension 3, 3 voxels 1e-06 mm apart, cannot be resampled to 1.2 mm");
    head.spacing[2] = 1e30;
    assert_int_equal(volume_dims(&head, "v", dims, &err), ASSAY_EFAIL);
    head = (struct nifti){.dims = {2000, 2000, 2000}, .spacing = {1.6, 1.2, 1.2}};
    assert_int_equal(volume_dims(&head, "v", dims, &err), ASSAY_EFAIL);
    assert_non_null(strstr(err.text, "would have 1984 x 1984 x 1984 voxels"));
}

static int clean(void **state)
{
    (void)state;
    return file_remove_tree(folder, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(golden),       cmocka_unit_test(every_type),
                                       cmocka_unit_test(refused),      cmocka_unit_test(classes),
                                       cmocka_unit_test(cut_anywhere), cmocka_unit_test(no_volume)};

    if (!mkdtemp(folder))
        return 1;
    return cmocka_run_group_tests(tests, NULL, clean);
}
