/* The official pre-processing of photos as one pass; see image.h. */
#include "data/image.h"

#include <stdlib.h>
#include <string.h>

void image_work_init(struct image_work *w, const struct image_rule *rule)
{
    int c, v;

    memset(w, 0, sizeof(*w));
    for (c = 0; c < 3; c++)
        for (v = 0; v < 256; v++) {
            float x = (float)(v * rule->scale);

            x = x - (float)rule->mean[c];
            w->table[c][v] = x / (float)rule->std[c];
        }
}

void image_work_release(struct image_work *w)
{
    pixels_release(&w->photo);
    resize_work_release(&w->resize);
    free(w->crop);
    w->crop = NULL;
    w->crop_capacity = 0;
}

/* The middle's start: cut off (the reference's int()), or, for torchvision's round(), half to even.
 */
static uint32_t middle(uint32_t whole, uint32_t part, int method)
{
    uint32_t twice = whole - part, half = twice / 2;

    return method == IMAGE_PYTORCH && twice % 2 && half % 2 ? half + 1 : half;
}

void image_geometry(const struct image_rule *rule, uint32_t width, uint32_t height,
                    struct resize_target *to)
{
    bool tall = height > width;

    to->width = tall ? rule->resize : (uint32_t)((uint64_t)rule->resize * width / height);
    to->height = tall ? (uint32_t)((uint64_t)rule->resize * height / width) : rule->resize;
    to->cols = to->rows = rule->size;
    to->left = middle(to->width, rule->size, rule->method);
    to->top = middle(to->height, rule->size, rule->method);
}

int image_crop(const struct image_rule *rule, const struct pixels *photo, struct image_work *w,
               const uint8_t **crop, struct assay_err *err)
{
    size_t bytes = (size_t)rule->size * rule->size * 3;
    struct resize_target to;

    if (w->crop_capacity < bytes) {
        free(w->crop);
        w->crop = malloc(bytes);
        w->crop_capacity = w->crop ? bytes : 0;
        if (!w->crop)
            return assay_fail(err, ASSAY_EFAIL, "not enough memory for an image of %zu bytes",
                              bytes);
    }
    *crop = w->crop;
    image_geometry(rule, photo->width, photo->height, &to);
    return (rule->method == IMAGE_PYTORCH ? resize_pil : resize_area)(photo, &to, w->crop,
                                                                      &w->resize, err);
}

void image_normalise(const struct image_rule *rule, const struct image_work *w, const uint8_t *crop,
                     float *out)
{
    size_t n = (size_t)rule->size * rule->size, i;
    int first = rule->bgr ? 2 : 0, last = 2 - first;

    if (rule->nhwc) {
        for (i = 0; i < n; i++, crop += 3, out += 3) {
            out[0] = w->table[0][crop[first]];
            out[1] = w->table[1][crop[1]];
            out[2] = w->table[2][crop[last]];
        }
        return;
    }
    for (i = 0; i < n; i++, crop += 3) {
        out[i] = w->table[0][crop[first]];
        out[i + n] = w->table[1][crop[1]];
        out[i + 2 * n] = w->table[2][crop[last]];
    }
}

/* Tensor channel c is that of the photo at place c, or, for BGR, 2 - c. */
static int channel_of(const struct image_rule *rule, int c)
{
    return rule->bgr ? 2 - c : c;
}

int image_stretch(const struct image_rule *rule, const struct pixels *photo, struct image_work *w,
                  float *out, struct assay_err *err)
{
    struct resize_values values = {.scale = (float)rule->scale};
    size_t size = rule->size, x;
    float *rows = NULL, *to[3];
    struct resize_linear r;
    uint32_t y;
    int c, rc;

    if ((rc = resize_linear_begin(&r, photo, rule->size, rule->size, &w->resize, err)))
        return rc;
    if (rule->nhwc && !(rows = malloc(size * 3 * sizeof(*rows))))
        return assay_fail(err, ASSAY_EFAIL, "not enough memory for an image");
    for (c = 0; c < 3; c++) {
        values.offset[channel_of(rule, c)] = (float)rule->mean[c];
        values.divisor[channel_of(rule, c)] = (float)rule->std[c];
    }
    for (y = 0; y < rule->size; y++) {
        for (c = 0; c < 3; c++)
            to[channel_of(rule, c)] =
                rows ? rows + (size_t)c * size : out + ((size_t)c * size + y) * size;
        resize_linear_row(&r, y, &values, to);
        for (x = 0; rows && x < 3 * size; x++)
            out[y * 3 * size + x] = rows[x % 3 * size + x / 3];
    }
    free(rows);
    return ASSAY_OK;
}

int image_read(const struct image_rule *rule, const char *path, struct image_work *w, float *out,
               struct assay_err *err)
{
    const uint8_t *crop = NULL;
    int rc;

    rc = pixels_read_jpeg(path, &w->photo, err);
    if (!rc && rule->method == IMAGE_STRETCH)
        return image_stretch(rule, &w->photo, w, out, err);
    if (!rc)
        rc = image_crop(rule, &w->photo, w, &crop, err);
    if (!rc && crop)
        image_normalise(rule, w, crop, out);
    return rc;
}

void image_describe(const struct image_rule *r, char *out, size_t size)
{
    int n;

    if (r->method == IMAGE_STRETCH)
        n = snprintf(out, size, "stretch to %u x %u (OpenCV bilinear, float32)", r->size, r->size);
    else
        n = snprintf(out, size, "resize short side %u (%s), centre crop %u", r->resize,
                     r->method == IMAGE_PYTORCH ? "Pillow bilinear" : "OpenCV area", r->size);
    if (n < 0 || (size_t)n >= size)
        return;
    snprintf(out + n, size - (size_t)n,
             ", (x * %.17g - [%.9g %.9g %.9g]) / [%.9g %.9g %.9g], %s, %s, float32", r->scale,
             r->mean[0], r->mean[1], r->mean[2], r->std[0], r->std[1], r->std[2],
             r->bgr ? "BGR" : "RGB", r->nhwc ? "NHWC" : "NCHW");
}
