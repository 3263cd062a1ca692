/* The library's calls about other people's recipes, with a folder of them. */
#include "calls.h"

/* A folder of others: added, changed, taken again, removed; refused when it is there. */
static void sources(void **state)
{
    char *dir = below("theirs"), *file = text_format("%s/theirs.yaml", dir), *text = NULL;
    json_t *tree, *row;

    (void)state;
    assert_int_equal(file_make_dirs(dir, NULL), 0);
    bad(assay_recipes_add(NULL, NULL, NULL, false, &text, &err), ASSAY_EUSAGE, "assay_recipes_add",
        &text);
    put(file, "schema: 1\nname: theirs\nsummary: a text\nbuild: [{run: [\"true\"]}]\n");
    tree =
        good(assay_recipes_add(cache, dir, NULL, false, &text, &err), &text, "assay.recipes-add/1");
    row = json_array_get(json_object_get(tree, "recipes"), 0);
    assert_string_equal(json_string_value(json_array_get(json_object_get(row, "programs"), 0)),
                        "true");
    json_decref(tree);
    bad(assay_recipes_add(cache, dir, "other", false, &text, &err), ASSAY_EUSAGE, "as 'theirs'",
        &text);
    put(file, "schema: 1\nname: theirs\nsummary: other\nbuild: [{run: [\"true\"]}]\n");
    for (int i = 0; i < 2; i++) {
        tree = good(assay_recipes_sources(cache, &text, &err), &text, "assay.recipe-sources/1");
        row = json_array_get(json_object_get(tree, "sources"), 0);
        assert_string_equal(tree_text(row, "name", ""), "theirs");
        assert_int_equal(tree_bool(row, "changed", i), !i);
        json_decref(tree);
        tree = good(assay_recipes_update(cache, NULL, false, &text, &err), &text,
                    "assay.recipes-update/1");
        row = json_array_get(json_object_get(tree, "sources"), 0);
        assert_int_equal(tree_bool(row, "updated", i), !i);
        json_decref(tree);
    }
    assert_int_equal(assay_recipes_remove("theirs", &err), 0);
    assert_int_equal(assay_recipes_remove("theirs", &err), ASSAY_EUSAGE);
    assert_int_equal(assay_recipes_remove(NULL, &err), ASSAY_EUSAGE);
    assert_true(file_exists(file));
    free(file);
    free(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(sources)};

    return cmocka_run_group_tests(tests, make_root, remove_root);
}
