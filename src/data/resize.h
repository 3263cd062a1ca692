/* Resizing with a crop: only the pixels of the crop are computed.
 *
 * resize_area gives, bit for bit, what OpenCV's resize(…, INTER_AREA) gives on 8-bit images;
 * resize_pil what Pillow's Image.resize(…, BILINEAR) gives.  Both were checked against the
 * libraries; tests/golden keeps it so. */
#ifndef DATA_RESIZE_H
#define DATA_RESIZE_H

#include "data/jpeg.h"

struct resize_target {
    uint32_t width, height;         /* of the whole resized image */
    uint32_t left, top, cols, rows; /* the part that is wanted */
};

/* Memory that is used again; start with all zero.  One thread at a time. */
struct resize_work {
    void *memory;
    size_t capacity;
};
void resize_work_release(struct resize_work *w);

/* out: rows × cols × 3 bytes.  Fails only for want of memory; the target must lie within the
 * resized image. */
int resize_area(const struct pixels *from, const struct resize_target *to, uint8_t *out,
                struct resize_work *w, struct assay_err *err);
int resize_pil(const struct pixels *from, const struct resize_target *to, uint8_t *out,
               struct resize_work *w, struct assay_err *err);

#endif
