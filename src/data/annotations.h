/* The truth of an object detection data set, in COCO's form: a JSON object with `images`,
 * `categories` and `annotations`.
 *
 *   images       {"id": 1, "file_name": "0001eeaf4aed83f9.jpg", "width": 1024, "height": 683}
 *   categories   {"id": 0}
 *   annotations  {"id": 1, "image_id": 1, "category_id": 0, "bbox": [x, y, width, height],
 *                 "area": 123.4, "iscrowd": 0}
 *
 * Other members are passed over.  Strict: an annotation of an image or a category that is not
 * listed, or an iscrowd that is neither 0 nor 1 (newer pandas write NaN), is an error that names
 * it. */
#ifndef DATA_ANNOTATIONS_H
#define DATA_ANNOTATIONS_H

#include "assay/types.h"

#define ANNOTATIONS_MAX_BYTES (512u << 20)

struct annotations {
    size_t images, count;
    char **files;        /* [images], in the file's order, which is that of LoadGen's indices */
    uint32_t *rank;      /* [images]: the image's place when they are sorted by id */
    uint32_t (*size)[2]; /* [images]: width, height */
    bool *known;         /* [classes]: whether the category is listed */
    struct annotation {
        uint32_t image, category; /* place in files; id */
        double box[4], area;
        bool crowd, zero; /* zero: its own id is 0 */
    } * list;
};

/* Category ids are 0..classes-1; names of files must be unique and stay in their folder. */
int annotations_read(const char *path, int32_t classes, struct annotations *a,
                     struct assay_err *err);
/* The same from memory; `file` is what errors call it. */
int annotations_parse(const char *text, size_t len, const char *file, int32_t classes,
                      struct annotations *a, struct assay_err *err);
void annotations_release(struct annotations *a);

#endif
