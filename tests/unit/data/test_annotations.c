/* The reader of detection data sets in COCO's form: what it takes, and how it says what is wrong.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "data/annotations.h"

#define IMAGES                                                                                     \
    "\"images\":[{\"id\":7,\"file_name\":\"b.jpg\",\"width\":1024,\"height\":683},"                \
    "{\"id\":3,\"file_name\":\"a.jpg\",\"width\":10,\"height\":20}],"
#define CATEGORIES "\"categories\":[{\"id\":0},{\"id\":2,\"name\":\"Apple\"}],"
#define ANNOTATION(members)                                                                        \
    "{" IMAGES CATEGORIES "\"annotations\":[{\"id\":1,\"image_id\":3,\"category_id\":2,"           \
    "\"bbox\":[1,2.5,3,4],\"area\":12,\"iscrowd\":1},{" members "}]}"

static int parse(const char *text, struct annotations *a, struct assay_err *err)
{
    return annotations_parse(text, strlen(text), "t.json", 3, a, err);
}

static void lists(void **state)
{
    struct annotations a;
    struct assay_err err;

    (void)state;
    if (parse(
            ANNOTATION("\"id\":0,\"image_id\":7,\"category_id\":0,\"bbox\":[0,0,0,0],\"area\":0.5,"
                       "\"segmentation\":[[1,2]]"),
            &a, &err))
        fail_msg("%s", err.text);
    assert_int_equal(a.images, 2);
    assert_string_equal(a.files[0], "b.jpg");
    assert_int_equal(a.rank[0], 1);
    assert_int_equal(a.rank[1], 0);
    assert_int_equal(a.size[0][0], 1024);
    assert_int_equal(a.size[0][1], 683);
    assert_true(a.known[0] && !a.known[1] && a.known[2]);
    assert_int_equal(a.count, 2);
    assert_int_equal(a.list[0].image, 1);
    assert_int_equal(a.list[0].category, 2);
    assert_true(a.list[0].box[1] == 2.5 && a.list[0].box[3] == 4 && a.list[0].area == 12);
    assert_true(a.list[0].crowd && !a.list[0].zero);
    assert_int_equal(a.list[1].image, 0);
    assert_true(!a.list[1].crowd && a.list[1].zero);
    annotations_release(&a);
}

static void no_annotation_is_fine(void **state)
{
    struct annotations a;
    struct assay_err err;

    (void)state;
    assert_int_equal(parse("{" IMAGES CATEGORIES "\"annotations\":[]}", &a, &err), 0);
    assert_int_equal(a.count, 0);
    annotations_release(&a);
}

static const struct fault {
    const char *text, *words;
} faults[] = {
    {"", "t.json:1:0: not valid JSON"},
    {"[]", "t.json: has no list 'images'"},
    {"{\"images\":[]}", "t.json: has no list 'categories'"},
    {"{\"images\":[],\"categories\":[],\"annotations\":[]}", "t.json: lists no image"},
    {"{\"images\":[3],\"categories\":[],\"annotations\":[]}", "images, entry 1: is no object"},
    {"{\"images\":[{\"id\":1,\"file_name\":\"../x\",\"width\":1,\"height\":1}],\"categories\":[],"
     "\"annotations\":[]}",
     "images, entry 1 (id 1): file_name '../x' is no name in the folder"},
    {"{\"images\":[{\"id\":1,\"file_name\":\"x\",\"width\":0,\"height\":1}],\"categories\":[],"
     "\"annotations\":[]}",
     "images, entry 1 (id 1): width 0 is outside 1.."},
    {"{\"images\":[{\"id\":1,\"file_name\":\"x\",\"width\":2,\"height\":1},{\"id\":1}],"
     "\"categories\":[],\"annotations\":[]}",
     "images, entries 1 and 2 have the same id 1"},
    {"{\"images\":[{\"id\":1,\"file_name\":\"x\",\"width\":2,\"height\":1},{\"id\":2,\"file_name\":"
     "\"x\",\"width\":2,\"height\":1}],\"categories\":[],\"annotations\":[]}",
     "images: 'x' is listed more than once"},
    {"{" IMAGES "\"categories\":[{\"id\":3}],\"annotations\":[]}",
     "categories, entry 1 (id 3): id 3 is outside 0..2"},
    {"{" IMAGES "\"categories\":[{\"id\":1},{\"id\":1}],\"annotations\":[]}",
     "categories, entry 2 (id 1): this id is there twice"},
    {ANNOTATION("\"id\":1"), "annotations, entries 1 and 2 have the same id 1"},
    {ANNOTATION("\"id\":8,\"image_id\":4,\"category_id\":0"),
     "annotations, entry 2 (id 8): there is no image with id 4"},
    {ANNOTATION("\"id\":8,\"image_id\":7,\"category_id\":3"),
     "annotations, entry 2 (id 8): category_id 3 is outside 0..2"},
    {ANNOTATION("\"id\":8,\"image_id\":7,\"category_id\":1"),
     "annotations, entry 2 (id 8): there is no category with id 1"},
    {ANNOTATION("\"id\":8,\"image_id\":7,\"category_id\":0,\"iscrowd\":0.5"),
     "annotations, entry 2 (id 8): iscrowd must be 0 or 1"},
    {ANNOTATION("\"id\":8,\"image_id\":7,\"category_id\":0,\"iscrowd\":NaN"),
     "newer pandas write it as iscrowd"},
    {ANNOTATION("\"id\":8,\"image_id\":7,\"category_id\":0,\"bbox\":[1,2,3]"),
     "annotations, entry 2 (id 8): bbox must be a list of four numbers"},
    {ANNOTATION("\"id\":8,\"image_id\":7,\"category_id\":0,\"bbox\":[1,2,-3,4]"),
     "annotations, entry 2 (id 8): bbox has a width of -3"},
    {ANNOTATION("\"id\":8,\"image_id\":7,\"category_id\":0,\"bbox\":[1,2,3,4]"),
     "annotations, entry 2 (id 8): area must be a number"},
};

static void faults_are_named(void **state)
{
    struct annotations a;
    struct assay_err err;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        if (parse(faults[i].text, &a, &err) != ASSAY_EFAIL)
            fail_msg("this is taken: %s", faults[i].text);
        if (!strstr(err.text, faults[i].words))
            fail_msg("'%s' is not in: %s", faults[i].words, err.text);
        assert_null(strchr(err.text, '\n'));
        assert_null(a.files);
    }
}

/* Every shorter form of a good file is refused. */
static void cut_files_are_refused(void **state)
{
    static const char good[] = "{" IMAGES CATEGORIES "\"annotations\":[]}";
    struct annotations a;
    struct assay_err err;
    size_t n;

    (void)state;
    for (n = 0; n < sizeof(good) - 1; n++)
        assert_int_equal(annotations_parse(good, n, "t.json", 3, &a, &err), ASSAY_EFAIL);
}

static void real_file(void **state)
{
    const char *data = getenv("ASSAY_TEST_DATA");
    char *path = text_format("%s/detection-mini/instances_mini.json",
                             data ? data : ASSAY_SOURCE "/../shared/data");
    struct annotations a;
    struct assay_err err;

    (void)state;
    if (!file_exists(path)) {
        free(path);
        skip();
    }
    if (annotations_read(path, 91, &a, &err))
        fail_msg("%s", err.text);
    assert_int_equal(a.images, 50);
    assert_true(a.count > 300);
    annotations_release(&a);
    assert_int_equal(annotations_read(path, 80, &a, &err), ASSAY_EFAIL); /* COCO's ids go to 90 */
    assert_non_null(strstr(err.text, "is outside 0..79"));
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists),
        cmocka_unit_test(no_annotation_is_fine),
        cmocka_unit_test(faults_are_named),
        cmocka_unit_test(cut_files_are_refused),
        cmocka_unit_test(real_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
