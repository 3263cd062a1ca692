/* The library's calls about recipes and the shelf, with a recipe that writes a file. */
#include "calls.h"

static const char recipe[] = "schema: 1\n"
                             "name: part-text\n"
                             "summary: a text, written by hand\n"
                             "version: \"1.4\"\n"
                             "tags: [part]\n"
                             "inputs:\n"
                             "  text: {type: text, default: hello}\n"
                             "build:\n"
                             "  - {write: text.txt, text: \"${input.text}\"}\n"
                             "outputs: {file: text.txt}\n";

static const char *const settings[] = {"progress=none", NULL};
static const char *const requests[] = {"part-text", NULL};

static int make_recipes(void **state)
{
    char *dir, *good_file, *bad_file;

    if (make_root(state))
        return -1;
    dir = below("recipes");
    assert_int_equal(file_make_dirs(dir, NULL), 0);
    good_file = text_format("%s/part-text.yaml", dir);
    bad_file = text_format("%s/broken.yaml", dir);
    put(good_file, recipe);
    put(bad_file, "schema: 1\nname: broken\nsurprise: 1\n");
    setenv("ASSAY_RECIPE_PATH", dir, 1);
    free(good_file);
    free(bad_file);
    free(dir);
    return 0;
}

static void null_arguments(void **state)
{
    const char *const none[] = {NULL};
    char *text = NULL;

    (void)state;
    bad(assay_recipes(cache, NULL, &err), ASSAY_EUSAGE, "assay_recipes", &text);
    bad(assay_get(NULL, NULL, NULL, true, &text, &err), ASSAY_EUSAGE, "assay_get", &text);
    bad(assay_get(none, NULL, NULL, true, &text, &err), ASSAY_EUSAGE, "assay_get", &text);
    bad(assay_cache(cache, NULL, &err), ASSAY_EUSAGE, "assay_cache", &text);
    bad(assay_cache_verify(cache, NULL, NULL, &err), ASSAY_EUSAGE, "assay_cache_verify", &text);
    bad(assay_cache_adopt(NULL, cache, true, NULL, &err), ASSAY_EUSAGE, "assay_cache_adopt", &text);
}

/* One that is broken is listed with why. */
static void recipes(void **state)
{
    const json_t *row;
    size_t i, seen = 0;
    char *text = NULL;
    json_t *tree;

    (void)state;
    tree = good(assay_recipes(NULL, &text, &err), &text, "assay.recipes/1");
    json_array_foreach(json_object_get(tree, "recipes"), i, row)
    {
        if (!strcmp(tree_text(row, "name", ""), "part-text")) {
            assert_string_equal(tree_text(row, "version", ""), "1.4");
            seen |= 1;
        }
        if (strstr(tree_text(row, "file", ""), "broken.yaml")) {
            assert_non_null(strstr(tree_text(row, "error", ""), "surprise"));
            seen |= 2;
        }
    }
    assert_int_equal(seen, 3);
    json_decref(tree);
}

static void get(void **state)
{
    const char *const ask[] = {"set=part-text.text=$(x) = y", "offline=true", "jobs=2", NULL};
    const json_t *got;
    char *text = NULL, *data;
    json_t *tree;
    size_t len;

    (void)state;
    tree =
        good(assay_get(requests, ask, settings, true, &text, &err), &text, "assay.recipe-plan/1");
    assert_int_equal(tree_int(json_object_get(tree, "totals"), "steps", -1), 1);
    assert_int_equal(json_array_size(json_object_get(tree, "problems")), 0);
    json_decref(tree);
    for (int i = 0; i < 2; i++) {
        tree = good(assay_get(requests, ask, settings, false, &text, &err), &text, "assay.get/1");
        got = json_array_get(json_object_get(tree, "got"), 0);
        assert_int_equal(file_read(tree_text(json_object_get(got, "outputs"), "file", ""), 100,
                                   &data, &len, &err),
                         0);
        assert_string_equal(data, "$(x) = y");
        free(data);
        json_decref(tree);
    }
    tree =
        good(assay_get(requests, ask, settings, true, &text, &err), &text, "assay.recipe-plan/1");
    assert_int_equal(tree_int(json_object_get(tree, "totals"), "steps", -1), 0);
    json_decref(tree);
}

static void get_errors(void **state)
{
    static const struct {
        const char *request, *word, *words;
    } rows[] = {
        {"part-txet", NULL, "part-text"},     {"part-text", "sett=a=b", "'sett' is no part"},
        {"part-text", "jobs=none", "'none'"}, {"part-text", "offline=never", "'never'"},
        {"part-text", "set=txet=1", "txet"},  {"part-text", "offline", "is no name=value"}};
    char *text = NULL;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *const asked[] = {rows[i].request, NULL}, *const ask[] = {rows[i].word, NULL};
        int rc = assay_get(asked, ask, settings, false, &text, &err);

        bad(rc, ASSAY_EUSAGE, rows[i].words, &text);
    }
}

/* After get(): an entry, whole; then one of its files is changed. */
static void shelf(void **state)
{
    const json_t *entry;
    char *text = NULL, *path;
    json_t *tree;

    (void)state;
    tree = good(assay_cache(cache, &text, &err), &text, "assay.cache/1");
    assert_int_equal(json_array_size(json_object_get(tree, "entries")), 1);
    entry = json_array_get(json_object_get(tree, "entries"), 0);
    path = text_format("%s/%.2s/%s/files/text.txt", tree_text(tree, "folder", ""),
                       tree_text(entry, "key", ""), tree_text(entry, "key", ""));
    json_decref(tree);
    tree = good(assay_cache_verify(NULL, "part-text", &text, &err), &text, "assay.cache-verify/1");
    assert_true(tree_bool(tree, "whole", false));
    json_decref(tree);
    assert_int_equal(unlink(path), 0);
    put(path, "other");
    tree = good(assay_cache_verify(cache, NULL, &text, &err), &text, "assay.cache-verify/1");
    assert_false(tree_bool(tree, "whole", true));
    entry = json_array_get(json_object_get(tree, "damaged"), 0);
    assert_string_equal(tree_text(entry, "recipe", ""), "part-text");
    json_decref(tree);
    bad(assay_cache_verify(cache, "nothing", &text, &err), ASSAY_EUSAGE, "'nothing'", &text);
    tree = good(assay_cache("/dev/null/x", &text, &err), &text, "assay.cache/1"); /* only a look */
    assert_int_equal(json_array_size(json_object_get(tree, "entries")), 0);
    json_decref(tree);
    free(path);
}

/* A model that is a user's own, under a recipe of its own; then `get` has it. */
static void adopted(void **state)
{
    static const char model[] = "schema: 1\nname: net\nsummary: a model\n"
                                "fetch:\n  - {file: net.onnx, urls: [\"http://127.0.0.1:9/n\"], "
                                "md5: 266adffe04e233ce5851a0d4bc4b7795}\n"
                                "outputs: {model: net.onnx}\n";
    const char *const net[] = {"net", NULL}, *const offline[] = {"offline=true", NULL};
    char *file = below("recipes/net.yaml"), *dir = below("own"), *own = below("own/net.onnx");
    const char *const dirs[] = {dir, NULL}, *const nowhere[] = {"/nowhere/at/all", NULL};
    char *text = NULL;
    const json_t *row;
    json_t *tree;

    (void)state;
    put(file, model);
    assert_int_equal(file_make_dirs(dir, NULL), 0);
    put(own, "the model\n");
    tree = good(assay_cache_adopt(dirs, NULL, true, &text, &err), &text, "assay.cache-adopt/1");
    row = json_array_get(json_object_get(tree, "rows"), 0);
    assert_string_equal(tree_text(row, "state", ""), "fits");
    json_decref(tree);
    bad(assay_get(net, offline, settings, false, &text, &err), ASSAY_EFAIL, "offline", &text);
    tree = good(assay_cache_adopt(dirs, NULL, false, &text, &err), &text, "assay.cache-adopt/1");
    row = json_array_get(json_object_get(tree, "rows"), 0);
    assert_string_equal(tree_text(row, "state", ""), "adopted");
    assert_string_equal(tree_text(row, "path", ""), own);
    json_decref(tree);
    tree = good(assay_get(net, offline, settings, false, &text, &err), &text, "assay.get/1");
    json_decref(tree);
    bad(assay_cache_adopt(nowhere, NULL, false, &text, &err), ASSAY_EUSAGE, "/nowhere", &text);
    free(own);
    free(dir);
    free(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(null_arguments), cmocka_unit_test(recipes), cmocka_unit_test(get),
        cmocka_unit_test(get_errors),     cmocka_unit_test(shelf),   cmocka_unit_test(adopted)};

    return cmocka_run_group_tests(tests, make_recipes, remove_root);
}
