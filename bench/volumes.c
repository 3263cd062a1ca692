/* 3D-UNet's volumes from scans, on one thread: read, resample, clip, normalise, cut and pad, image
 * and segmentation.
 *
 *     volumes CASE...           folders with imaging.nii.gz and segmentation.nii.gz
 *
 * For every line on standard input one pass over all cases; the answer is its seconds ("unpack":
 * of zlib alone, on the same files).  The peer is official_volumes.py. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/clock.h"
#include "base/text.h"
#include "data/volume.h"

static _Noreturn void die(const char *text)
{
    fprintf(stderr, "volumes: %s\n", text);
    exit(3);
}

static void unpack(const char *path)
{
    static char memory[1 << 20];
    gzFile f = gzopen(path, "rb");

    if (!f)
        die(path);
    gzbuffer(f, 1 << 18);
    while (gzread(f, memory, sizeof(memory)) > 0)
        ;
    gzclose(f);
}

static void make(const char *image, const char *labels)
{
    struct nifti head;
    struct assay_err err;
    uint32_t dims[3];
    size_t n;
    float *volume;
    uint8_t *classes;

    if (nifti_read_head(image, &head, &err) || volume_dims(&head, image, dims, &err))
        die(err.text);
    n = (size_t)dims[0] * dims[1] * dims[2];
    volume = malloc(n * sizeof(*volume));
    classes = malloc(n);
    if (!volume || !classes)
        die("not enough memory");
    if (volume_read_image(image, &head, volume, &err) ||
        volume_read_labels(labels, &head, classes, &err))
        die(err.text);
    free(volume);
    free(classes);
}

static double pass(char *const *cases, bool only_unpack)
{
    double start = (double)clock_ns() * 1e-9;

    for (; *cases; cases++) {
        char *image = text_format("%s/imaging.nii.gz", *cases),
             *labels = text_format("%s/segmentation.nii.gz", *cases);

        if (!image || !labels)
            die("not enough memory");
        if (only_unpack) {
            unpack(image);
            unpack(labels);
        } else {
            make(image, labels);
        }
        free(image);
        free(labels);
    }
    return (double)clock_ns() * 1e-9 - start;
}

int main(int argc, char **argv)
{
    char line[16];

    if (argc < 2)
        die("which cases?");
    while (fgets(line, sizeof(line), stdin)) {
        printf("%.9f\n", pass(argv + 1, !strcmp(line, "unpack\n")));
        fflush(stdout);
    }
    return 0;
}
