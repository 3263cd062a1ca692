/* Resizing with a crop: only the pixels of the crop are computed.
 *
 * resize_area gives, bit for bit, what OpenCV's resize(…, INTER_AREA) gives on 8-bit images;
 * resize_pil what Pillow's Image.resize(…, BILINEAR) gives; resize_linear OpenCV's resize(…,
 * INTER_LINEAR) of the image as float32.  They were checked against the libraries; tests/golden
 * keeps it so. */
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

/* One axis: what every pixel of the crop takes from the source. */
struct resize_axis {
    uint32_t n, taps;  /* pixels of the crop; taps of each */
    uint32_t *first;   /* [n]: the source pixel of tap 0 */
    float *weight;     /* [n][taps], area */
    int32_t *fixed;    /* [n][taps], pil and enlarging: fixed point */
    uint32_t from, to; /* the source pixels that are used at all */
};

/* The whole image, bilinear in float32, one row after the other. */
struct resize_linear {
    const struct pixels *from;
    double scale; /* of the rows */
    struct resize_axis x;
    float *wide, *lines[2];
    uint32_t held[2]; /* source row s, resized along x, is in lines[s % 2] */
};
/* What becomes of a value: (value × scale - offset) / divisor, each step rounded to float32. */
struct resize_values {
    float scale, offset[3], divisor[3]; /* of R, G, B */
};
int resize_linear_begin(struct resize_linear *r, const struct pixels *from, uint32_t width,
                        uint32_t height, struct resize_work *w, struct assay_err *err);
/* Row i of R, G and B, width floats each.  Rows are asked for from 0 on. */
void resize_linear_row(struct resize_linear *r, uint32_t i, const struct resize_values *values,
                       float *const out[3]);

#endif
