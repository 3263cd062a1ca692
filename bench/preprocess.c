/* Pre-processing against decoding alone, on one thread.
 *
 *     preprocess FILE...        JPEGs
 *
 * For every line on standard input one pass over all files; the answer is its seconds.
 * "decode" is libjpeg-turbo on its own: the files' bytes, in memory, to RGB through its API, with
 * its default settings, which are those of the official pre-processing; no checks, no turning.
 * "whole" is what Assay does for ResNet-50: read the file, decode, resize, crop, normalise;
 * "square" for RetinaNet: stretch to 800 x 800 in float32. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <jpeglib.h>

#include "base/clock.h"
#include "base/file.h"
#include "data/image.h"

struct photo {
    const char *path;
    char *bytes;
    size_t len;
};

static const struct image_rule crop = {.method = IMAGE_VGG,
                                       .resize = 256,
                                       .size = 224,
                                       .scale = 1,
                                       .mean = {123.68, 116.78, 103.94},
                                       .std = {1, 1, 1}};

static const struct image_rule square = {
    .method = IMAGE_STRETCH, .size = 800, .scale = 1, .std = {255, 255, 255}};

static _Noreturn void die(const char *text)
{
    fprintf(stderr, "preprocess: %s\n", text);
    exit(3);
}

static void decode(const struct photo *p, struct pixels *to)
{
    struct jpeg_decompress_struct j;
    struct jpeg_error_mgr errors;
    struct assay_err err;

    j.err = jpeg_std_error(&errors);
    jpeg_create_decompress(&j);
    jpeg_mem_src(&j, (const unsigned char *)p->bytes, p->len);
    jpeg_read_header(&j, TRUE);
    j.out_color_space = JCS_RGB;
    jpeg_start_decompress(&j);
    if (pixels_reserve(to, j.output_width, j.output_height, p->path, &err))
        die(err.text);
    while (j.output_scanline < j.output_height) {
        JSAMPROW row = to->data + (size_t)j.output_scanline * j.output_width * 3;

        jpeg_read_scanlines(&j, &row, 1);
    }
    jpeg_finish_decompress(&j);
    jpeg_destroy_decompress(&j);
}

/* rule NULL: decoding alone. */
static double pass(const struct photo *photos, size_t n, const struct image_rule *rule,
                   struct image_work *w, float *out)
{
    double start = (double)clock_ns() * 1e-9;
    struct assay_err err;
    size_t i;

    for (i = 0; i < n; i++) {
        if (!rule)
            decode(&photos[i], &w->photo);
        else if (image_read(rule, photos[i].path, w, out, &err))
            die(err.text);
    }
    return (double)clock_ns() * 1e-9 - start;
}

int main(int argc, char **argv)
{
    size_t n = argc > 1 ? (size_t)argc - 1 : 0, i;
    struct photo *photos = calloc(n + 1, sizeof(*photos));
    float *out = malloc(sizeof(float) * 3 * square.size * square.size);
    struct image_work work;
    struct assay_err err;
    char line[16];

    if (!n || !photos || !out)
        die(n ? "not enough memory" : "which files?");
    for (i = 0; i < n; i++) {
        photos[i].path = argv[i + 1];
        if (file_read(photos[i].path, PIXELS_MAX_FILE, &photos[i].bytes, &photos[i].len, &err))
            die(err.text);
    }
    image_work_init(&work, &crop);
    while (fgets(line, sizeof(line), stdin)) {
        printf("%.9f\n", pass(photos, n,
                              !strcmp(line, "whole\n")    ? &crop
                              : !strcmp(line, "square\n") ? &square
                                                          : NULL,
                              &work, out));
        fflush(stdout);
    }
    image_work_release(&work);
    return 0;
}
