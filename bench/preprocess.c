/* Pre-processing against decoding alone: images per second of one thread, in alternating rounds.
 *
 *     preprocess FOLDER [ROUNDS]        FOLDER has JPEGs and val_map.txt
 *
 * `decode` is libjpeg-turbo at its own: the same files, in memory, decoded to RGB through its API,
 * no checks, no turning.  `whole` is what Assay does: read the file, decode, resize, crop,
 * normalise.  Files are in the page cache after the first, uncounted round.  Prints the median of
 * each, and of the rounds' ratios. */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <jpeglib.h>

#include "base/clock.h"
#include "base/file.h"
#include "data/image.h"
#include "data/labels.h"

struct photo {
    char *path, *bytes;
    size_t len;
};

static uint8_t *buffer;
static size_t buffer_size;

static void decode(const struct photo *p)
{
    struct jpeg_decompress_struct j;
    struct jpeg_error_mgr errors;
    size_t need;

    j.err = jpeg_std_error(&errors);
    jpeg_create_decompress(&j);
    jpeg_mem_src(&j, (const unsigned char *)p->bytes, p->len);
    jpeg_read_header(&j, TRUE);
    j.out_color_space = JCS_RGB;
    need = (size_t)j.image_width * j.image_height * 3;
    if (need > buffer_size)
        buffer = realloc(buffer, buffer_size = need);
    jpeg_start_decompress(&j);
    while (j.output_scanline < j.output_height) {
        JSAMPROW row = buffer + (size_t)j.output_scanline * j.output_width * 3;

        jpeg_read_scanlines(&j, &row, 1);
    }
    jpeg_finish_decompress(&j);
    jpeg_destroy_decompress(&j);
}

static const struct image_rule rule = {.method = IMAGE_VGG,
                                       .resize = 256,
                                       .size = 224,
                                       .scale = 1,
                                       .mean = {123.68, 116.78, 103.94},
                                       .std = {1, 1, 1}};

/* Seconds for all photos. */
static double round_of(const struct photo *photos, size_t n, struct image_work *w, float *out)
{
    double start = clock_seconds();
    struct assay_err err;
    size_t i;

    for (i = 0; i < n; i++) {
        if (!w)
            decode(&photos[i]);
        else if (image_read(&rule, photos[i].path, w, out, &err)) {
            fprintf(stderr, "preprocess: %s\n", err.text);
            exit(3);
        }
    }
    return clock_seconds() - start;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *v, int n)
{
    qsort(v, (size_t)n, sizeof(*v), by_value);
    return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

int main(int argc, char **argv)
{
    int rounds = argc > 2 ? atoi(argv[2]) : 20, r;
    double *alone, *whole, *ratio;
    struct labels labels = {0};
    struct image_work w;
    struct assay_err err;
    struct photo *photos;
    float *out;
    size_t i;

    if (argc < 2 || rounds < 1) {
        fprintf(stderr, "usage: preprocess FOLDER [ROUNDS]\n");
        return 2;
    }
    if (labels_read(argv[1], INT32_MAX, 0, &labels, &err)) {
        fprintf(stderr, "preprocess: %s\n", err.text);
        return 3;
    }
    photos = calloc(labels.n, sizeof(*photos));
    out = malloc(sizeof(float) * 224 * 224 * 3);
    alone = calloc((size_t)rounds, sizeof(double));
    whole = calloc((size_t)rounds, sizeof(double));
    ratio = calloc((size_t)rounds, sizeof(double));
    for (i = 0; i < labels.n; i++) {
        photos[i].path = file_join(argv[1], labels.names[i]);
        if (file_read(photos[i].path, PIXELS_MAX_FILE, &photos[i].bytes, &photos[i].len, &err)) {
            fprintf(stderr, "preprocess: %s\n", err.text);
            return 3;
        }
    }
    image_work_init(&w, &rule);
    round_of(photos, labels.n, &w, out);
    for (r = 0; r < rounds; r++) {
        bool first = r % 2; /* A B, B A, A B … */

        if (first)
            whole[r] = round_of(photos, labels.n, &w, out);
        alone[r] = round_of(photos, labels.n, NULL, NULL);
        if (!first)
            whole[r] = round_of(photos, labels.n, &w, out);
        ratio[r] = whole[r] / alone[r];
    }
    qsort(ratio, (size_t)rounds, sizeof(*ratio), by_value);
    printf("decode %.1f images/s, whole %.1f images/s, time ratio %.3f (rounds %.3f to %.3f)\n",
           (double)labels.n / median(alone, rounds), (double)labels.n / median(whole, rounds),
           median(ratio, rounds), ratio[0], ratio[rounds - 1]);
    return 0;
}
