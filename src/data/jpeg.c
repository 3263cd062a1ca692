/* JPEG -> RGB8 through libjpeg(-turbo).
 *
 * libjpeg reports errors by calling back and must not be returned to: we leave with longjmp.
 * Whatever is changed between setjmp and longjmp lives in struct decoder, not in locals, so nothing
 * is lost or leaked. Warnings are where libjpeg repairs damage silently; those that mean wrong
 * pixels are treated as errors. */
#include "data/jpeg.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
#include <jerror.h>

#include "base/file.h"

#define SCANS_MAX 500 /* a progressive file with more is an attack on our time */

struct decoder {
    struct jpeg_decompress_struct jpeg; /* first: libjpeg hands us this back */
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    jmp_buf escape;
    char text[JMSG_LENGTH_MAX];
};

static void on_error(j_common_ptr jpeg)
{
    struct decoder *d = (struct decoder *)jpeg;

    d->errors.format_message(jpeg, d->text);
    longjmp(d->escape, 1);
}

/* level < 0: a warning. */
static void on_message(j_common_ptr jpeg, int level)
{
    static const int harmless[] = {JWRN_EXTRANEOUS_DATA, JWRN_TOO_MUCH_DATA, JWRN_JFIF_MAJOR,
                                   JWRN_ADOBE_XFORM, JWRN_NOT_SEQUENTIAL};
    size_t i;

    if (level >= 0)
        return;
    for (i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++)
        if (jpeg->err->msg_code == harmless[i])
            return;
    on_error(jpeg);
}

static void on_progress(j_common_ptr jpeg)
{
    struct decoder *d = (struct decoder *)jpeg;

    if (d->jpeg.input_scan_number <= SCANS_MAX)
        return;
    snprintf(d->text, sizeof(d->text), "more than %d scans", SCANS_MAX);
    longjmp(d->escape, 1);
}

void pixels_release(struct pixels *image)
{
    free(image->data);
    memset(image, 0, sizeof(*image));
}

int pixels_reserve(struct pixels *image, uint32_t width, uint32_t height, const char *name,
                   struct assay_err *err)
{
    size_t bytes;

    if (!width || !height || (uint64_t)width * height > PIXELS_MAX_COUNT)
        return assay_fail(err, ASSAY_EFAIL, "%s: has %u x %u pixels; up to %u in all are allowed",
                          name, width, height, PIXELS_MAX_COUNT);
    bytes = (size_t)width * height * 3;
    if (bytes > image->capacity) {
        free(image->data);
        image->data = malloc(bytes);
        image->capacity = image->data ? bytes : 0;
        if (!image->data)
            return assay_fail(err, ASSAY_EFAIL, "%s: not enough memory for %u x %u pixels", name,
                              width, height);
    }
    image->width = width;
    image->height = height;
    return ASSAY_OK;
}

static unsigned exif_number(const uint8_t *p, int bytes, bool big)
{
    unsigned v = 0;
    int i;

    for (i = 0; i < bytes; i++)
        v |= (unsigned)p[i] << 8 * (big ? bytes - 1 - i : i);
    return v;
}

/* The orientation 1..8 in the payload of an APP1 segment; 1 when there is none. */
static int exif_orientation(const uint8_t *data, size_t len)
{
    const uint8_t *tiff = data + 6;
    size_t at, entries, i;
    bool big;

    if (len < 6 + 8 || memcmp(data, "Exif\0", 6) != 0)
        return 1;
    len -= 6;
    big = tiff[0] == 'M';
    if (tiff[0] != tiff[1] || (tiff[0] != 'M' && tiff[0] != 'I') ||
        exif_number(tiff + 2, 2, big) != 42)
        return 1;
    at = exif_number(tiff + 4, 4, big);
    if (at > len - 2)
        return 1;
    entries = exif_number(tiff + at, 2, big);
    for (i = 0, at += 2; i < entries && at + 12 <= len; i++, at += 12)
        if (exif_number(tiff + at, 2, big) == 0x0112) {
            unsigned v = exif_number(tiff + at + 8, 2, big);

            return v >= 1 && v <= 8 ? (int)v : 1;
        }
    return 1;
}

static int decoder_orientation(const struct decoder *d)
{
    const struct jpeg_marker_struct *m;
    int o = 1;

    for (m = d->jpeg.marker_list; m && o == 1; m = m->next)
        if (m->marker == JPEG_APP0 + 1)
            o = exif_orientation(m->data, m->data_length);
    return o;
}

/* Orientations: 2 mirrored, 3 turned by 180, 4 upside down, 5 to 8 the same with rows and columns
 * swapped. */
static int pixels_orient(struct pixels *image, int orientation, const char *name,
                         struct assay_err *err)
{
    static const struct {
        bool swap, flip_x, flip_y; /* flips of the result */
    } how[9] = {[2] = {0, 1, 0}, [3] = {0, 1, 1}, [4] = {0, 0, 1}, [5] = {1, 0, 0},
                [6] = {1, 1, 0}, [7] = {1, 1, 1}, [8] = {1, 0, 1}};
    struct pixels turned = {0};
    uint32_t w = image->width, h = image->height, x, y, tx, ty;
    bool swap = how[orientation].swap;
    int rc;

    if (orientation == 1)
        return ASSAY_OK;
    rc = pixels_reserve(&turned, swap ? h : w, swap ? w : h, name, err);
    if (rc || !turned.data)
        return rc;
    for (y = 0; y < turned.height; y++)
        for (x = 0; x < turned.width; x++) {
            tx = how[orientation].flip_x ? turned.width - 1 - x : x;
            ty = how[orientation].flip_y ? turned.height - 1 - y : y;
            memcpy(turned.data + ((size_t)y * turned.width + x) * 3,
                   image->data + (swap ? (size_t)tx * w + ty : (size_t)ty * w + tx) * 3, 3);
        }
    pixels_release(image);
    *image = turned;
    return ASSAY_OK;
}

/* Adobe's CMYK is stored inverted; this is OpenCV's mixing, kept because its pixels are the
 * reference. */
static void mix_cmyk(const uint8_t *cmyk, uint8_t *rgb, uint32_t width)
{
    uint32_t x;
    int c;

    for (x = 0; x < width; x++, cmyk += 4, rgb += 3)
        for (c = 0; c < 3; c++)
            rgb[c] = (uint8_t)(cmyk[3] - ((255 - cmyk[c]) * cmyk[3] >> 8));
}

/* Longjumps out on damage. */
static void decode_rows(struct decoder *d, struct pixels *image)
{
    struct jpeg_decompress_struct *j = &d->jpeg;
    bool cmyk = j->out_color_space == JCS_CMYK;
    JSAMPARRAY four = NULL;
    JSAMPROW row[1];

    if (cmyk)
        four = j->mem->alloc_sarray((j_common_ptr)j, JPOOL_IMAGE, j->output_width * 4, 1);
    while (j->output_scanline < j->output_height) {
        uint8_t *to = image->data + (size_t)j->output_scanline * image->width * 3;

        row[0] = cmyk ? four[0] : to;
        if (jpeg_read_scanlines(j, row, 1) && cmyk)
            mix_cmyk(four[0], to, image->width);
    }
    jpeg_finish_decompress(j);
}

int pixels_from_jpeg(const void *data, size_t len, const char *name, struct pixels *image,
                     struct assay_err *err)
{
    struct decoder d;
    int rc, orientation;

    memset(&d, 0, sizeof(d));
    d.jpeg.err = jpeg_std_error(&d.errors);
    d.errors.error_exit = on_error;
    d.errors.emit_message = on_message;
    d.progress.progress_monitor = on_progress;
    if (setjmp(d.escape)) {
        jpeg_destroy_decompress(&d.jpeg);
        return assay_fail(err, ASSAY_EFAIL,
                          "%s: is damaged or no JPEG, and only those are read: %s", name, d.text);
    }
    jpeg_create_decompress(&d.jpeg);
    d.jpeg.progress = &d.progress;
    jpeg_mem_src(&d.jpeg, data, (unsigned long)len);
    jpeg_save_markers(&d.jpeg, JPEG_APP0 + 1, 0xffff);
    jpeg_read_header(&d.jpeg, TRUE);
    d.jpeg.out_color_space = d.jpeg.num_components == 4 ? JCS_CMYK : JCS_RGB;
    rc = pixels_reserve(image, d.jpeg.image_width, d.jpeg.image_height, name, err);
    if (rc) {
        jpeg_destroy_decompress(&d.jpeg);
        return rc;
    }
    jpeg_start_decompress(&d.jpeg);
    orientation = decoder_orientation(&d); /* the end of decoding forgets the markers */
    decode_rows(&d, image);
    jpeg_destroy_decompress(&d.jpeg);
    return pixels_orient(image, orientation, name, err);
}

int pixels_read_jpeg(const char *path, struct pixels *image, struct assay_err *err)
{
    char *data = NULL;
    size_t len;
    int rc;

    rc = file_read(path, PIXELS_MAX_FILE, &data, &len, err);
    if (!rc)
        rc = pixels_from_jpeg(data, len, path, image, err);
    free(data);
    return rc;
}
