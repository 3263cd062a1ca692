/* The reader of COCO's form; see annotations.h. */
#include "data/annotations.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

/* One entry of a list, for messages: "FILE: annotations, entry 7 (id 8)". */
struct entry {
    const char *file, *list;
    size_t at;
    const json_t *value;
    struct assay_err *err;
};

/* An id and its place: sorted, to find images and duplicates. */
struct place {
    int64_t id;
    uint32_t at;
};

void annotations_release(struct annotations *a)
{
    size_t i;

    for (i = 0; a->files && i < a->images; i++)
        free(a->files[i]);
    free(a->files);
    free(a->rank);
    free(a->size);
    free(a->known);
    free(a->list);
    memset(a, 0, sizeof(*a));
}

static int no_memory(const char *file, struct assay_err *err)
{
    return assay_fail(err, ASSAY_EFAIL, "%s: not enough memory", file);
}

static int bad(const struct entry *e, const char *fmt, ...) ASSAY_PRINTF(2, 3);
static int bad(const struct entry *e, const char *fmt, ...)
{
    const json_t *id = json_object_get(e->value, "id");
    char what[300], number[40] = "";
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(what, sizeof(what), fmt, ap);
    va_end(ap);
    if (json_is_integer(id))
        snprintf(number, sizeof(number), " (id %lld)", (long long)json_integer_value(id));
    return assay_fail(e->err, ASSAY_EFAIL, "%s: %s, entry %zu%s: %s", e->file, e->list, e->at + 1,
                      number, what);
}

static int whole(const struct entry *e, const char *key, int64_t low, int64_t high, int64_t *out)
{
    const json_t *v = json_object_get(e->value, key);

    if (!json_is_integer(v))
        return bad(e, "%s must be a whole number", key);
    *out = json_integer_value(v);
    if (*out < low || *out > high)
        return bad(e, "%s %lld is outside %lld..%lld", key, (long long)*out, (long long)low,
                   (long long)high);
    return ASSAY_OK;
}

static int by_id(const void *a, const void *b)
{
    const struct place *x = a, *y = b;

    return (x->id > y->id) - (x->id < y->id);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Ids of a list, sorted; one that is there twice is an error. */
static int sort_ids(const char *file, const char *list, const json_t *array, struct place **out,
                    struct assay_err *err)
{
    size_t n = json_array_size(array), i;
    struct entry e = {file, list, 0, NULL, err};
    struct place *p = calloc(n + 1, sizeof(*p));
    int rc = p ? ASSAY_OK : no_memory(file, err);

    for (i = 0; i < n && !rc; i++) {
        e.at = i;
        e.value = json_array_get(array, i);
        p[i].at = (uint32_t)i;
        rc = json_is_object(e.value) ? whole(&e, "id", INT64_MIN, INT64_MAX, &p[i].id)
                                     : bad(&e, "is no object");
    }
    if (!rc)
        qsort(p, n, sizeof(*p), by_id);
    for (i = 1; i < n && !rc; i++)
        if (p[i].id == p[i - 1].id)
            rc = assay_fail(err, ASSAY_EFAIL, "%s: %s, entries %u and %u have the same id %lld",
                            file, list, p[i - 1].at + 1, p[i].at + 1, (long long)p[i].id);
    *out = p;
    return rc;
}

static int read_image(const struct entry *e, struct annotations *a)
{
    const json_t *name = json_object_get(e->value, "file_name");
    int64_t width, height;
    int rc;

    if (!json_is_string(name))
        return bad(e, "file_name must be a text");
    if (!json_string_length(name) || file_leaves_folder(json_string_value(name)))
        return bad(e, "file_name '%.200s' is no name in the folder of images",
                   json_string_value(name));
    if ((rc = whole(e, "width", 1, UINT32_MAX, &width)) ||
        (rc = whole(e, "height", 1, UINT32_MAX, &height)))
        return rc;
    a->size[e->at][0] = (uint32_t)width;
    a->size[e->at][1] = (uint32_t)height;
    a->files[e->at] = strdup(json_string_value(name));
    return a->files[e->at] ? ASSAY_OK : no_memory(e->file, e->err);
}

static int refuse_twice(const struct annotations *a, const char *file, struct assay_err *err)
{
    char **sorted = malloc((a->images + 1) * sizeof(*sorted));
    int rc = ASSAY_OK;
    size_t i;

    if (!sorted)
        return no_memory(file, err);
    memcpy(sorted, a->files, a->images * sizeof(*sorted));
    qsort(sorted, a->images, sizeof(*sorted), by_name);
    for (i = 1; i < a->images && !rc; i++)
        if (!strcmp(sorted[i - 1], sorted[i]))
            rc = assay_fail(err, ASSAY_EFAIL, "%s: images: '%.200s' is listed more than once", file,
                            sorted[i]);
    free(sorted);
    return rc;
}

static int read_images(const json_t *images, const char *file, const struct place *ids,
                       struct annotations *a, struct assay_err *err)
{
    struct entry e = {file, "images", 0, NULL, err};
    size_t n = json_array_size(images);
    int rc = ASSAY_OK;

    a->images = n;
    a->files = calloc(n + 1, sizeof(*a->files));
    a->rank = calloc(n + 1, sizeof(*a->rank));
    a->size = calloc(n + 1, sizeof(*a->size));
    if (!a->files || !a->rank || !a->size)
        return no_memory(file, err);
    for (; e.at < n && !rc; e.at++) {
        e.value = json_array_get(images, e.at);
        a->rank[ids[e.at].at] = (uint32_t)e.at;
        rc = read_image(&e, a);
    }
    return rc ? rc : refuse_twice(a, file, err);
}

static int read_categories(const json_t *categories, const char *file, int32_t classes,
                           struct annotations *a, struct assay_err *err)
{
    struct entry e = {file, "categories", 0, NULL, err};
    int64_t id = 0;
    int rc = ASSAY_OK;

    a->known = calloc((size_t)classes, sizeof(*a->known));
    if (!a->known)
        return no_memory(file, err);
    for (; e.at < json_array_size(categories) && !rc; e.at++) {
        e.value = json_array_get(categories, e.at);
        rc = whole(&e, "id", 0, classes - 1, &id);
        if (!rc && a->known[id])
            rc = bad(&e, "this id is there twice");
        if (!rc)
            a->known[id] = true;
    }
    return rc;
}

static int read_box(const struct entry *e, struct annotation *to)
{
    const json_t *box = json_object_get(e->value, "bbox"),
                 *area = json_object_get(e->value, "area"), *v;
    size_t i;

    if (!json_is_array(box) || json_array_size(box) != 4)
        return bad(e, "bbox must be a list of four numbers: x, y, width, height");
    for (i = 0; i < 4; i++) {
        v = json_array_get(box, i);
        if (!json_is_number(v) || !isfinite(json_number_value(v)))
            return bad(e, "bbox must be a list of four numbers: x, y, width, height");
        to->box[i] = json_number_value(v);
    }
    if (to->box[2] < 0 || to->box[3] < 0)
        return bad(e, "bbox has a width of %g and a height of %g", to->box[2], to->box[3]);
    if (!json_is_number(area) || !(json_number_value(area) >= 0))
        return bad(e, "area must be a number from 0 on");
    to->area = json_number_value(area);
    return ASSAY_OK;
}

static int read_annotation(const struct entry *e, const struct place *ids, int32_t classes,
                           const struct annotations *a, struct annotation *to)
{
    const json_t *crowd = json_object_get(e->value, "iscrowd");
    const struct place *image;
    struct place wanted = {0};
    int64_t id = 0, category = 0;
    int rc;

    if ((rc = whole(e, "id", INT64_MIN, INT64_MAX, &id)) ||
        (rc = whole(e, "image_id", INT64_MIN, INT64_MAX, &wanted.id)) ||
        (rc = whole(e, "category_id", 0, classes - 1, &category)))
        return rc;
    image = bsearch(&wanted, ids, a->images, sizeof(*ids), by_id);
    if (!image)
        return bad(e, "there is no image with id %lld", (long long)wanted.id);
    if (!a->known[category])
        return bad(e, "there is no category with id %lld", (long long)category);
    if (crowd && !json_is_boolean(crowd) &&
        !(json_is_number(crowd) &&
          (json_number_value(crowd) == 0 || json_number_value(crowd) == 1)))
        return bad(e, "iscrowd must be 0 or 1");
    to->image = image->at;
    to->category = (uint32_t)category;
    to->crowd = json_is_true(crowd) || json_number_value(crowd) == 1;
    to->zero = id == 0;
    return read_box(e, to);
}

static int read_annotations(const json_t *list, const char *file, const struct place *ids,
                            int32_t classes, struct annotations *a, struct assay_err *err)
{
    struct entry e = {file, "annotations", 0, NULL, err};
    size_t n = json_array_size(list);
    int rc = ASSAY_OK;

    a->list = calloc(n + 1, sizeof(*a->list));
    if (!a->list)
        return no_memory(file, err);
    for (; e.at < n && !rc; e.at++) {
        e.value = json_array_get(list, e.at);
        rc = read_annotation(&e, ids, classes, a, &a->list[e.at]);
    }
    a->count = n;
    return rc;
}

static int read_tree(const json_t *tree, const char *file, int32_t classes, struct annotations *a,
                     struct assay_err *err)
{
    static const char *const lists[] = {"images", "categories", "annotations"};
    const json_t *list[3];
    struct place *images = NULL, *annotations = NULL;
    int i, rc = ASSAY_OK;

    for (i = 0; i < 3; i++) {
        list[i] = json_object_get(tree, lists[i]);
        if (!json_is_array(list[i]) || json_array_size(list[i]) > UINT32_MAX)
            return assay_fail(err, ASSAY_EFAIL,
                              "%s: has no list '%s'; wanted: COCO's form, an object with images, "
                              "categories and annotations",
                              file, lists[i]);
    }
    if (!json_array_size(list[0]))
        return assay_fail(err, ASSAY_EFAIL, "%s: lists no image", file);
    rc = sort_ids(file, "images", list[0], &images, err);
    if (!rc)
        rc = sort_ids(file, "annotations", list[2], &annotations, err);
    if (!rc)
        rc = read_images(list[0], file, images, a, err);
    if (!rc)
        rc = read_categories(list[1], file, classes, a, err);
    if (!rc)
        rc = read_annotations(list[2], file, images, classes, a, err);
    free(images);
    free(annotations);
    return rc;
}

int annotations_parse(const char *text, size_t len, const char *file, int32_t classes,
                      struct annotations *a, struct assay_err *err)
{
    json_error_t why;
    json_t *tree = json_loadb(text, len, 0, &why);
    int rc;

    memset(a, 0, sizeof(*a));
    if (!tree)
        rc = assay_fail(err, ASSAY_EFAIL, "%s:%d:%d: not valid JSON: %s%s", file, why.line,
                        why.column, why.text,
                        strstr(why.text, "NaN")
                            ? " (NaN is no JSON; newer pandas write it as iscrowd, where 0 or 1 is "
                              "wanted: make the file again with an older one)"
                            : "");
    else
        rc = read_tree(tree, file, classes, a, err);
    if (rc)
        annotations_release(a);
    json_decref(tree);
    return rc;
}

int annotations_read(const char *path, int32_t classes, struct annotations *a,
                     struct assay_err *err)
{
    char *text = NULL;
    size_t len = 0;
    int rc = file_read(path, ANNOTATIONS_MAX_BYTES, &text, &len, err);

    if (!rc)
        rc = annotations_parse(text, len, path, classes, a, err);
    free(text);
    return rc;
}
