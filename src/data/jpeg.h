/* JPEG files as 8-bit RGB pixels, exactly as OpenCV's imread gives them (but in the order R, G, B).
 *
 * Accurate integer DCT and smooth chroma upsampling (libjpeg-turbo's defaults); grey becomes three
 * equal channels; CMYK and YCCK are mixed down by OpenCV's formula; the image is turned by its EXIF
 * orientation. */
#ifndef DATA_JPEG_H
#define DATA_JPEG_H

#include "assay/types.h"

#define PIXELS_MAX_FILE  (256u << 20) /* bytes of a file */
#define PIXELS_MAX_COUNT (1u << 27)   /* pixels of an image: 134 megapixels, 400 MB */

/* Start with all zero; the memory is used again by the next decode.  Rows lie without gaps. */
struct pixels {
    uint32_t width, height;
    uint8_t *data;
    size_t capacity;
};

/* `name` is what errors call the image.  A file that ends early or whose entropy-coded data is
 * damaged is an error: libjpeg would go on with grey blocks.  Harmless oddities (bytes between
 * markers, odd version numbers) are accepted as everybody does.  One thread at a time for one
 * struct pixels. */
int pixels_from_jpeg(const void *data, size_t len, const char *name, struct pixels *image,
                     struct assay_err *err);
int pixels_read_jpeg(const char *path, struct pixels *image, struct assay_err *err);
/* Makes room for width × height; the content is undefined. */
int pixels_reserve(struct pixels *image, uint32_t width, uint32_t height, const char *name,
                   struct assay_err *err);
void pixels_release(struct pixels *image);

#endif
