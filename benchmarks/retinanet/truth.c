/* Images and their boxes: from a folder as the official tools lay it out, or made up. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "data/annotations.h"
#include "data/synthetic.h"
#include "retinanet.h"

#define LIST  "annotations/openimages-mlperf.json"
#define FILES "validation/data"

enum { SYNTHETIC_BOXES = 8 }; /* in an image, at most */

void truth_release(struct truth *t)
{
    uint64_t i;

    for (i = 0; t->files && i < t->n; i++)
        free(t->files[i]);
    free(t->files);
    free(t->folder);
    free(t->boxes);
    free(t->size);
    free(t->rank);
    free(t->known);
    free(t->list);
    memset(t, 0, sizeof(*t));
}

static int no_memory(struct assay_err *err)
{
    return assay_fail(err, ASSAY_EFAIL, "retinanet: not enough memory");
}

static void fill_set(struct truth *t, int32_t classes, size_t count)
{
    t->set = (struct map_set){.images = t->n,
                              .size = (const uint32_t(*)[2])t->size,
                              .rank = t->rank,
                              .categories = (uint32_t)classes,
                              .known = t->known,
                              .truths = t->list,
                              .count = count};
}

/* Takes the annotations' lists over; of the images the first t->n. */
static int take(struct annotations *a, int32_t classes, struct truth *t, struct assay_err *err)
{
    size_t i, count = 0;

    t->list = calloc(a->count + 1, sizeof(*t->list));
    if (!t->list)
        return no_memory(err);
    for (i = 0; i < a->count; i++) {
        const struct annotation *from = &a->list[i];
        struct coco_truth *to = &t->list[count];

        if (from->image >= t->n)
            continue;
        *to = (struct coco_truth){from->image, from->category, {0},
                                  from->area,  from->crowd,    from->zero};
        memcpy(to->box, from->box, sizeof(to->box));
        count++;
    }
    for (i = t->n; i < a->images; i++)
        free(a->files[i]);
    t->files = a->files;
    t->size = a->size;
    t->rank = a->rank;
    t->known = a->known;
    a->files = NULL;
    a->size = NULL;
    a->rank = NULL;
    a->known = NULL;
    fill_set(t, classes, count);
    return ASSAY_OK;
}

static int read_list(const char *path, uint64_t count, int32_t classes, struct truth *t,
                     struct assay_err *err)
{
    struct annotations a = {0};
    int rc = annotations_read(path, classes, &a, err);

    if (rc)
        return rc;
    t->n = count ? count : a.images;
    if (t->n > a.images)
        rc = assay_fail(err, ASSAY_EUSAGE, "%s: lists %zu images, %llu were asked for", path,
                        a.images, (unsigned long long)count);
    else
        rc = take(&a, classes, t, err);
    annotations_release(&a);
    return rc;
}

static int open_folder(const struct assay_benchmark_config *config, int32_t classes,
                       struct truth *t, struct assay_err *err)
{
    char *list = file_join(config->dataset, LIST), *files = file_join(config->dataset, FILES);
    int rc;

    if (!list || !files)
        rc = no_memory(err);
    else if (!file_exists(list))
        rc = assay_fail(err, ASSAY_EFAIL,
                        "%s: has no " LIST "; wanted: the folder with that file, and the images "
                        "in " FILES " or beside it",
                        config->dataset);
    else
        rc = read_list(list, config->count, classes, t, err);
    if (!rc && !(t->folder = strdup(file_is_dir(files) ? files : config->dataset)))
        rc = no_memory(err);
    t->boxes = list;
    free(files);
    return rc;
}

/* A box inside the square. */
static void make_box(uint64_t *random, uint32_t size, struct coco_truth *to)
{
    int i;

    for (i = 0; i < 2; i++) {
        to->box[i + 2] = size * (0.05 + 0.45 * synthetic_unit(random));
        to->box[i] = (size - to->box[i + 2]) * synthetic_unit(random);
    }
    to->area = to->box[2] * to->box[3];
}

static int make_up(const struct assay_benchmark_config *config, int32_t classes, uint32_t size,
                   struct truth *t, struct assay_err *err)
{
    uint64_t i, k, boxes, count = 0;

    t->n = config->count ? config->count : SYNTHETIC_COUNT;
    if (t->n > 1u << 24)
        return assay_fail(err, ASSAY_EUSAGE, "synthetic images: at most %u are possible", 1u << 24);
    t->size = calloc(t->n, sizeof(*t->size));
    t->rank = calloc(t->n, sizeof(*t->rank));
    t->known = malloc((size_t)classes);
    t->list = calloc(t->n * SYNTHETIC_BOXES, sizeof(*t->list));
    if (!t->size || !t->rank || !t->known || !t->list)
        return no_memory(err);
    memset(t->known, true, (size_t)classes);
    for (i = 0; i < t->n; i++) {
        uint64_t random = config->seed * 0x9e6c63d0876a9a47u + i;

        t->size[i][0] = t->size[i][1] = size;
        t->rank[i] = (uint32_t)i;
        boxes = 1 + synthetic_next(&random) % SYNTHETIC_BOXES;
        for (k = 0; k < boxes; k++, count++) {
            t->list[count].image = (uint32_t)i;
            t->list[count].category = (uint32_t)(synthetic_next(&random) % (uint64_t)classes);
            make_box(&random, size, &t->list[count]);
        }
    }
    fill_set(t, classes, count);
    return ASSAY_OK;
}

int truth_open(const struct assay_benchmark_config *config, int32_t classes, uint32_t size,
               struct truth *t, struct assay_err *err)
{
    return config->dataset ? open_folder(config, classes, t, err)
                           : make_up(config, classes, size, t, err);
}
