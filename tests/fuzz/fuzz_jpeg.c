/* fuzz: links assay_data assay_base */
/* A photo's whole way: decode, turn, resize by both methods, crop, normalise.  Whatever is decoded
 * gives finite numbers. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/image.h"

#define SIDE   24      /* of the largest crop */
#define PIXELS 1000000 /* larger photos only cost time */

static const struct image_rule rules[] = {
    {.method = IMAGE_VGG, .resize = 27, .size = SIDE, .scale = 1, .std = {1, 1, 1}},
    {.method = IMAGE_VGG, .resize = 5, .size = 3, .nhwc = true, .scale = 1, .std = {1, 1, 1}},
    {.method = IMAGE_PYTORCH, .resize = 27, .size = SIDE, .scale = 1 / 255.0, .std = {1, 1, 1}},
    {.method = IMAGE_PYTORCH, .resize = 5, .size = 5, .bgr = true, .scale = 1, .std = {2, 2, 2}}};

static uint32_t two_bytes(const uint8_t *p)
{
    return (uint32_t)p[0] << 8 | p[1];
}

/* By what a frame header says; bytes that only look like one leave out a few inputs more. */
static bool is_large(const uint8_t *data, size_t size)
{
    size_t i;

    for (i = 0; i + 9 <= size; i++)
        if (data[i] == 0xff && data[i + 1] >= 0xc0 && data[i + 1] <= 0xcf &&
            two_bytes(data + i + 5) * two_bytes(data + i + 7) > PIXELS)
            return true;
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static float out[SIDE * SIDE * 3];
    struct pixels photo = {0};
    struct assay_err err = {0};
    struct image_work w;
    const uint8_t *crop;
    size_t r, i, n;

    if (is_large(data, size))
        return 0;
    if (pixels_from_jpeg(data, size, "fuzz.jpg", &photo, &err)) {
        if (!err.code || !strstr(err.text, "fuzz.jpg"))
            abort();
        pixels_release(&photo);
        return 0;
    }
    for (r = 0; r < sizeof(rules) / sizeof(rules[0]); r++) {
        image_work_init(&w, &rules[r]);
        if (!image_crop(&rules[r], &photo, &w, &crop, &err)) {
            image_normalise(&rules[r], &w, crop, out);
            n = (size_t)rules[r].size * rules[r].size * 3;
            for (i = 0; i < n; i++)
                if (!isfinite(out[i]))
                    abort();
        }
        image_work_release(&w);
    }
    pixels_release(&photo);
    return 0;
}
