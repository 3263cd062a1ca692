/* fuzz: links assay_data assay_base */
/* Sizes instead of pixels: whatever a photo and a rule measure, no step reads or writes beside its
 * buffers.  Seven bytes: width, height (2 each), short side, crop, method. */
#include <stdlib.h>
#include <string.h>

#include "data/image.h"

#define PIXELS 300000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct image_rule rule = {.scale = 1, .std = {1, 1, 1}};
    struct image_work w;
    struct pixels photo = {0};
    const uint8_t *crop;
    uint32_t width, height;

    if (size < 7)
        return 0;
    width = 1 + ((uint32_t)data[0] << 8 | data[1]);
    height = 1 + ((uint32_t)data[2] << 8 | data[3]);
    if ((uint64_t)width * height > PIXELS)
        return 0;
    rule.resize = 1 + data[4];
    rule.size = 1 + data[5] % rule.resize;
    rule.method = data[6] % 2 ? IMAGE_PYTORCH : IMAGE_VGG;
    if (pixels_reserve(&photo, width, height, "fuzz", NULL))
        abort();
    memset(photo.data, data[6], (size_t)width * height * 3);
    image_work_init(&w, &rule);
    if (image_crop(&rule, &photo, &w, &crop, NULL))
        abort();
    /* One colour stays one colour; rounding may take 1. */
    for (size_t i = 0; i < (size_t)rule.size * rule.size * 3; i++)
        if (crop[i] < data[6] - 1 || crop[i] > data[6] + 1)
            abort();
    image_work_release(&w);
    pixels_release(&photo);
    return 0;
}
