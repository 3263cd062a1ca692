/* From a photo to the tensor that a model wants.  Classifiers: decode, resize the short side, crop
 * the middle, normalise, lay out.  Detectors (STRETCH): the whole photo becomes a square.  The rule
 * is data; it comes from a model's manifest. */
#ifndef DATA_IMAGE_H
#define DATA_IMAGE_H

#include <jansson.h>

#include "assay/types.h"
#include "data/jpeg.h"
#include "data/resize.h"

#define IMAGE_CODE_VERSION                                                                         \
    1 /* grows when the same rule gives other numbers: old caches are then not used */
#define IMAGE_MAX_SIDE 4096

enum image_method { IMAGE_VGG = 0, IMAGE_PYTORCH = 1, IMAGE_STRETCH = 2 };

struct image_rule {
    int method;      /* VGG: OpenCV's INTER_AREA; PYTORCH: Pillow's bilinear; STRETCH: OpenCV's
                        INTER_LINEAR in float32 */
    uint32_t resize; /* of the short side; STRETCH: not used */
    uint32_t size;   /* of the square (crop, <= resize) */
    bool nhwc, bgr;
    double scale;           /* value = (pixel * scale - mean) / std, each step rounded to float32 */
    double mean[3], std[3]; /* in the order of the stored channels */
};

/* Buffers of one thread. */
struct image_work {
    struct pixels photo;
    struct resize_work resize;
    uint8_t *crop;
    size_t crop_capacity;
    float table[3][256]; /* what each pixel value becomes */
};
void image_work_init(struct image_work *w, const struct image_rule *rule);
void image_work_release(struct image_work *w);

/* Resized size and crop of a photo. */
void image_geometry(const struct image_rule *rule, uint32_t width, uint32_t height,
                    struct resize_target *to);
/* The 8-bit crop (RGB, size × size × 3), valid until the next call with this work. */
int image_crop(const struct image_rule *rule, const struct pixels *photo, struct image_work *w,
               const uint8_t **crop, struct assay_err *err);
/* size × size × 3 floats. */
void image_normalise(const struct image_rule *rule, const struct image_work *w, const uint8_t *crop,
                     float *out);
/* STRETCH: the same from the photo at once, without an 8-bit square between. */
int image_stretch(const struct image_rule *rule, const struct pixels *photo, struct image_work *w,
                  float *out, struct assay_err *err);
/* All of it, by any method. */
int image_read(const struct image_rule *rule, const char *path, struct image_work *w, float *out,
               struct assay_err *err);
/* One line that tells every number of the rule: for people, and part of the cache's key. */
void image_describe(const struct image_rule *rule, char *out, size_t size);

/* Reads a manifest's `input` block (NULL: empty).  method: one of methods (NULL-terminated),
 * usual[i] what methods[i] stands for where the block does not say otherwise; size: the usual
 * square. name: of the tensor, "" when the block has none. */
int image_rule_parse(const json_t *input, const char *const *methods,
                     const struct image_rule *usual, uint32_t size, struct image_rule *rule,
                     char name[128], struct assay_err *err);

#endif
