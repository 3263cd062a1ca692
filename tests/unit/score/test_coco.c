/* COCO's evaluation against pycocotools: the cases of tests/golden/coco
 * (tests/python/golden_coco.py makes them), and real detections of the test data. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/tree.h"
#include "score/coco.h"

#define GOLDEN ASSAY_SOURCE "/tests/golden/coco"
#define MOST   8192

static struct coco_truth truths[MOST];
static struct coco_detection found[MOST];

static void assert_stats(const char *name, const double *have, const double *want)
{
    int i;

    for (i = 0; i < COCO_STATS; i++)
        if (!(fabs(have[i] - want[i]) <= 1e-12))
            fail_msg("%s: number %d is %.17g, the reference has %.17g", name, i, have[i], want[i]);
}

static void read_truth(const char *line, struct coco_truth *g)
{
    int crowd, id;

    assert_int_equal(sscanf(line, "truth %u %u %lf %lf %lf %lf %lf %d %d", &g->image, &g->category,
                            &g->box[0], &g->box[1], &g->box[2], &g->box[3], &g->area, &crowd, &id),
                     9);
    g->crowd = crowd;
    g->zero = id == 0;
}

static void read_detection(const char *line, struct coco_detection *d)
{
    assert_int_equal(sscanf(line, "detection %u %u %lf %lf %lf %lf %lf", &d->image, &d->category,
                            &d->box[0], &d->box[1], &d->box[2], &d->box[3], &d->score),
                     7);
}

static void check_case(const char *name)
{
    char *path = file_join(GOLDEN, name), line[512], *at;
    double stats[COCO_STATS], want[COCO_STATS];
    unsigned categories = 0, truth_count = 0, count = 0;
    struct assay_err err;
    FILE *f = fopen(path, "r");
    int i, seen = 0;

    assert_non_null(f);
    while (fgets(line, sizeof(line), f)) {
        if (!strncmp(line, "truth ", 6))
            read_truth(line, &truths[truth_count++]);
        else if (!strncmp(line, "detection ", 10))
            read_detection(line, &found[count++]);
        else if (!strncmp(line, "stats ", 6))
            for (at = line + 6, seen = 1, i = 0; i < COCO_STATS; i++)
                want[i] = strtod(at, &at);
        else if (line[0] != '#')
            assert_int_equal(sscanf(line, "categories %u", &categories), 1);
        assert_true(truth_count < MOST && count < MOST);
    }
    fclose(f);
    free(path);
    assert_int_equal(seen, 1);
    assert_int_equal(coco_evaluate(truths, truth_count, found, count, categories, stats, &err), 0);
    assert_stats(name, stats, want);
}

static void golden_cases(void **state)
{
    DIR *dir = opendir(GOLDEN);
    struct dirent *e;
    int n = 0;

    (void)state;
    assert_non_null(dir);
    while ((e = readdir(dir)))
        if (strstr(e->d_name, ".txt")) {
            check_case(e->d_name);
            n++;
        }
    closedir(dir);
    assert_true(n >= 14);
}

/* ---- the test data's own files, in COCO's form ---- */

/* Place of an id among those of a list, in ascending order. */
static uint32_t place(const json_t *list, json_int_t id)
{
    uint32_t below = 0;
    size_t i;
    json_t *v;

    json_array_foreach(list, i, v) below += tree_int(v, "id", -1) < id;
    return below;
}

static void read_box(const json_t *one, double *box)
{
    size_t i;

    for (i = 0; i < 4; i++)
        box[i] = json_number_value(json_array_get(json_object_get(one, "bbox"), i));
}

static json_t *read_file(const char *name)
{
    const char *data = getenv("ASSAY_TEST_DATA");
    char path[1024];
    struct assay_err err;
    json_t *tree;

    snprintf(path, sizeof(path), "%s/detection-mini/%s",
             data ? data : ASSAY_SOURCE "/../shared/data", name);
    if (!file_exists(path))
        skip();
    if (tree_read_json(path, &tree, &err))
        fail_msg("%s", err.text);
    return tree;
}

static void real_detections(void **state)
{
    static const char *const names[COCO_STATS] = {"AP",       "AP50",    "AP75",     "APsmall",
                                                  "APmedium", "APlarge", "AR1",      "AR10",
                                                  "AR100",    "ARsmall", "ARmedium", "ARlarge"};
    json_t *instances = read_file("instances_mini.json"),
           *results = read_file("detections_mini.json"),
           *golden = read_file("pycocotools_stats.json"), *v;
    const json_t *images = json_object_get(instances, "images"),
                 *categories = json_object_get(instances, "categories");
    double stats[COCO_STATS], want[COCO_STATS];
    size_t i, truth_count, count;
    struct assay_err err;

    (void)state;
    json_array_foreach(json_object_get(instances, "annotations"), i, v)
    {
        truths[i] =
            (struct coco_truth){.image = place(images, tree_int(v, "image_id", -1)),
                                .category = place(categories, tree_int(v, "category_id", -1)),
                                .area = tree_real(v, "area", -1),
                                .crowd = tree_int(v, "iscrowd", 0)};
        read_box(v, truths[i].box);
    }
    truth_count = i;
    json_array_foreach(results, i, v)
    {
        found[i] =
            (struct coco_detection){.image = place(images, tree_int(v, "image_id", -1)),
                                    .category = place(categories, tree_int(v, "category_id", -1)),
                                    .score = tree_real(v, "score", -1)};
        read_box(v, found[i].box);
    }
    count = i;
    assert_true(truth_count > 100 && truth_count < MOST && count > 100 && count < MOST);
    assert_int_equal(coco_evaluate(truths, truth_count, found, count,
                                   (uint32_t)json_array_size(categories), stats, &err),
                     0);
    for (i = 0; i < COCO_STATS; i++)
        want[i] = tree_real(json_object_get(golden, "stats"), names[i], NAN);
    assert_stats("detection-mini", stats, want);
    json_decref(instances);
    json_decref(results);
    json_decref(golden);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_cases),
        cmocka_unit_test(real_detections),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
