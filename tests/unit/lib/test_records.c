/* The library's calls about records, on two runs of the null engine: comparing, repeating, reports,
 * exports; and stores that are none. */
#include "calls.h"

static char ids[2][17];

static int make_runs(void **state)
{
    const char *const settings[] = {QUICK, NULL};

    if (make_root(state))
        return -1;
    for (int i = 0; i < 2; i++) {
        char *text = NULL;
        json_t *record = good(assay_run(settings, &text, &err), &text, "assay.record/1");

        snprintf(ids[i], sizeof(ids[i]), "%s", tree_text(record, "id", ""));
        json_decref(record);
    }
    return 0;
}

static void null_arguments(void **state)
{
    char *text = NULL;

    (void)state;
    bad(assay_record(store, NULL, &text, &err), ASSAY_EUSAGE, "assay_record", &text);
    bad(assay_records(store, NULL, &err), ASSAY_EUSAGE, "assay_records", &text);
    bad(assay_render(NULL, "text", &text, &err), ASSAY_EUSAGE, "assay_render", &text);
    bad(assay_report(store, NULL, NULL, &text, &err), ASSAY_EUSAGE, "assay_report", &text);
    bad(assay_export(store, NULL, false, NULL, &err), ASSAY_EUSAGE, "assay_export", &text);
    bad(assay_import(store, NULL, &text, &err), ASSAY_EUSAGE, "assay_import", &text);
    bad(assay_import_logs(store, NULL, NULL, &text, &err), ASSAY_EUSAGE, "assay_import_logs",
        &text);
    bad(assay_write(NULL, "", &err), ASSAY_EUSAGE, "assay_write", &text);
    bad(assay_compare("last", NULL, NULL, 0, NULL, &text, &err), ASSAY_EUSAGE, "assay_compare",
        &text);
    bad(assay_reproduce(NULL, 0, false, NULL, &text, &err), ASSAY_EUSAGE, "assay_reproduce", &text);
    bad(assay_run(NULL, NULL, &err), ASSAY_EUSAGE, "assay_run", &text);
    bad(assay_plan(NULL, NULL, &err), ASSAY_EUSAGE, "assay_plan", &text);
    assert_int_equal(assay_record(store, "ffff", &text, NULL), ASSAY_EUSAGE); /* no error wanted */
    assert_null(text);
}

/* A figure with itself: the ratio is 1, whatever the noise; a rule that is broken is counted. */
static void compare(void **state)
{
    const char *const rules[] = {"throughput>1/s", "throughput<-90%", NULL};
    const json_t *figure;
    json_t *tree;
    char *text = NULL;

    (void)state;
    tree =
        good(assay_compare(ids[0], ids[0], rules, 0, NULL, &text, &err), &text, "assay.compare/1");
    figure = json_array_get(json_object_get(tree, "figures"), 0);
    assert_string_equal(tree_text(figure, "figure", ""), "throughput");
    assert_true(tree_real(figure, "ratio", 0) == 1);
    assert_int_equal(tree_int(tree, "broken", -1), 1);
    assert_null(json_object_get(tree, "changed"));
    json_decref(tree);
}

static void compare_made_again(void **state)
{
    const char *const settings[] = {"progress=none", "tag=again", NULL};
    const json_t *runs;
    json_t *tree;
    char *text = NULL;

    (void)state;
    tree = good(assay_compare_plan(ids[0], ids[1], 2, settings, &text, &err), &text,
                "assay.compare-plan/1");
    assert_int_equal(json_array_size(json_object_get(tree, "order")), 4);
    assert_int_equal(json_array_size(json_object_get(tree, "get")), 0);
    json_decref(tree);
    tree = good(assay_compare(ids[0], ids[1], NULL, 2, settings, &text, &err), &text,
                "assay.compare/1");
    runs = json_object_get(json_object_get(tree, "b"), "runs");
    assert_int_equal(json_array_size(runs), 2);
    assert_string_not_equal(json_string_value(json_array_get(runs, 0)), ids[1]);
    assert_true(json_is_array(json_object_get(tree, "changed")));
    assert_int_equal(json_array_size(json_object_get(tree, "changed")), 0);
    json_decref(tree);
}

static void compare_errors(void **state)
{
    const char *const bad_rule[] = {"p98>+3%", NULL}, *const bad_setting[] = {"stor=x", NULL};
    char *text = NULL;

    (void)state;
    bad(assay_compare("ffff", ids[0], NULL, 0, NULL, &text, &err), ASSAY_EUSAGE, "ffff", &text);
    bad(assay_compare(ids[0], ids[1], bad_rule, 0, NULL, &text, &err), ASSAY_EUSAGE, "p98", &text);
    bad(assay_compare(ids[0], ids[1], NULL, 1, NULL, &text, &err), ASSAY_EUSAGE, "2 to 100", &text);
    bad(assay_compare(ids[0], ids[1], NULL, -1, NULL, &text, &err), ASSAY_EUSAGE, "repeats", &text);
    bad(assay_compare(ids[0], ids[1], NULL, 0, bad_setting, &text, &err), ASSAY_EUSAGE, "store",
        &text);
}

static void reproduce(void **state)
{
    const char *const settings[] = {"progress=none", NULL};
    const char *answer;
    json_t *tree;
    char *text = NULL;

    (void)state;
    tree = good(assay_reproduce(ids[0], 0, false, NULL, &text, &err), &text, "assay.reproduce/1");
    assert_int_equal(json_array_size(json_object_get(tree, "changed")), 0);
    assert_null(json_object_get(tree, "answer"));
    json_decref(tree);
    tree =
        good(assay_reproduce(ids[0], 1, false, settings, &text, &err), &text, "assay.reproduce/1");
    answer = tree_text(tree, "answer", "");
    assert_true(!strcmp(answer, "same") || !strcmp(answer, "differs") ||
                !strcmp(answer, "cannot tell"));
    assert_non_null(json_object_get(json_object_get(tree, "comparison"), "figures"));
    json_decref(tree);
}

/* A data set that is not the one of the record: said beforehand, and no run is made of it. */
static void reproduce_changed(void **state)
{
    const json_t *changed;
    json_t *record, *tree;
    char *text = NULL, *path = below("changed.json");

    (void)state;
    record = good(assay_record(store, ids[0], &text, &err), &text, "assay.record/1");
    json_object_set_new(json_object_get(record, "dataset"), "hash", json_string("00"));
    assert_int_equal(tree_write_json(path, record, &err), 0);
    json_decref(record);
    tree = good(assay_reproduce(path, 0, false, NULL, &text, &err), &text, "assay.reproduce/1");
    changed = json_array_get(json_object_get(tree, "changed"), 0);
    assert_string_equal(tree_text(changed, "what", ""), "dataset.hash");
    assert_true(tree_bool(changed, "stops", false));
    json_decref(tree);
    bad(assay_reproduce(path, 1, false, NULL, &text, &err), ASSAY_EFAIL, "(1 thing)", &text);
    bad(assay_reproduce("ffff", 0, false, NULL, &text, &err), ASSAY_EUSAGE, "ffff", &text);
    free(path);
}

/* All that is not to be had is named, and no run is made. */
static void reproduce_missing(void **state)
{
    json_t *record, *tree;
    char *text = NULL, *path = below("missing.json");

    (void)state;
    record = good(assay_record(store, ids[0], &text, &err), &text, "assay.record/1");
    tree = json_object_get(record, "settings");
    json_object_set_new(tree, "engine",
                        json_pack("{s:s, s:s}", "value", "nul", "origin", "command line"));
    json_object_set_new(tree, "dataset",
                        json_pack("{s:s, s:s}", "value", "/nowhere/a", "origin", "command line"));
    assert_int_equal(tree_write_json(path, record, &err), 0);
    json_decref(record);
    tree = good(assay_reproduce(path, 0, false, NULL, &text, &err), &text, "assay.reproduce/1");
    assert_int_equal(json_array_size(json_object_get(tree, "missing")), 2);
    assert_int_equal(json_array_size(json_object_get(tree, "get")), 0);
    json_decref(tree);
    bad(assay_reproduce(path, 1, true, NULL, &text, &err), ASSAY_EFAIL, "(and 1 more)", &text);
    free(path);
}

static size_t count_lines(const char *text)
{
    size_t n = 0;

    while ((text = strchr(text, '\n')))
        n++, text++;
    return n;
}

static void report(void **state)
{
    const char *const one[] = {ids[1], NULL}, *const missing[] = {ids[0], "ffff", NULL};
    char *text = NULL;

    (void)state;
    assert_int_equal(assay_report(store, one, "html", &text, &err), 0);
    assert_non_null(strstr(text, "</html>"));
    assert_non_null(strstr(text, ids[1]));
    assert_null(strstr(text, ids[0]));
    drop(&text);
    assert_int_equal(assay_report(NULL, one, "markdown", &text, &err), 0);
    assert_non_null(strstr(text, "resnet50"));
    drop(&text);
    assert_int_equal(assay_report(store, NULL, "csv", &text, &err), 0);
    assert_true(count_lines(text) >= 3);
    drop(&text);
    bad(assay_report(store, one, "pdf", &text, &err), ASSAY_EUSAGE, "'pdf'", &text);
    bad(assay_report(store, missing, "csv", &text, &err), ASSAY_EUSAGE, "ffff", &text);
}

/* To another store and back to where it came from; a file with a bit changed gives nothing. */
static void export_and_import(void **state)
{
    const char *const both[] = {ids[0], ids[1], NULL};
    char *text = NULL, *file = below("both.json"), *other = below("other");
    char *worse = below("worse.json"), *at;
    json_t *tree;

    (void)state;
    assert_int_equal(assay_export(store, both, true, &text, &err), 0);
    put(file, text);
    at = strstr(text, "\"resnet50\"");
    assert_non_null(at);
    at[2] = 'x';
    put(worse, text);
    drop(&text);
    bad(assay_import(other, worse, &text, &err), ASSAY_EFAIL, "worse.json", &text);
    tree = good(assay_import(other, file, &text, &err), &text, "assay.import/1");
    assert_int_equal(json_array_size(json_object_get(
                         json_array_get(json_object_get(tree, "files"), 0), "imported")),
                     2);
    json_decref(tree);
    tree = good(assay_import(other, file, &text, &err), &text, "assay.import/1");
    assert_int_equal(json_array_size(json_object_get(
                         json_array_get(json_object_get(tree, "files"), 0), "duplicates")),
                     2);
    json_decref(tree);
    bad(assay_import(other, "/nowhere.json", &text, &err), ASSAY_EFAIL, "/nowhere.json", &text);
    free(worse);
    free(file);
    free(other);
}

/* A table of exports, of which one is damaged; the store is as it was. */
static void matrix_of_files(void **state)
{
    const char *const both[] = {ids[0], ids[1], NULL}, *const axes[] = {"engines=null", NULL};
    char *text = NULL, *file = below("exported.json"), *broken = below("broken.json");
    const char *const files[] = {file, broken, NULL}, *const slip[] = {"engine=null", NULL};
    const json_t *said;
    json_t *tree;

    (void)state;
    assert_int_equal(assay_export(store, both, false, &text, &err), 0);
    put(file, text);
    drop(&text);
    put(broken, "{");
    tree = good(assay_matrix_files(files, axes, &text, &err), &text, "assay.matrix/1");
    assert_int_equal(json_array_size(json_object_get(tree, "cells")), 2);
    said = json_object_get(tree, "files");
    assert_int_equal(tree_int(json_array_get(said, 0), "records", 0), 2);
    assert_non_null(strstr(tree_text(json_array_get(said, 1), "error", ""), "broken.json"));
    json_decref(tree);
    bad(assay_matrix_files(files, slip, &text, &err), ASSAY_EUSAGE, "'engine' is no axis", &text);
    free(broken);
    free(file);
}

/* The store's own folders are logs like any others. */
static void logs(void **state)
{
    static const char *const kinds[] = {"imported", "duplicates", "failed"};
    const char *const asks[] = {"benchmark=resnet50", "engine=other", NULL};
    const char *const wrong[] = {"benchmak=resnet50", NULL};
    char *text = NULL, *runs = below("store/runs"), *other = below("logs");
    size_t taken = 0;

    (void)state;
    bad(assay_import_logs(other, runs, wrong, &text, &err), ASSAY_EUSAGE, "benchmak", &text);
    bad(assay_import_logs(other, cache, asks, &text, &err), ASSAY_EUSAGE, "cache", &text);
    for (size_t round = 0; round < 2; round++) {
        json_t *tree = good(assay_import_logs(other, runs, asks, &text, &err), &text,
                            "assay.results-import/1");

        taken = round ? taken : json_array_size(json_object_get(tree, kinds[0]));
        for (size_t k = 0; k < 3; k++)
            assert_int_equal(json_array_size(json_object_get(tree, kinds[k])),
                             k == round ? taken : 0);
        json_decref(tree);
    }
    assert_true(taken >= 2);
    free(runs);
    free(other);
}

static void render(void **state)
{
    char *text = NULL, *json = NULL;

    (void)state;
    assert_int_equal(assay_compare(ids[0], ids[0], NULL, 0, NULL, &json, &err), 0);
    assert_int_equal(assay_render(json, "text", &text, &err), 0);
    assert_non_null(strstr(text, "throughput"));
    drop(&text);
    bad(assay_render(json, "html", &text, &err), ASSAY_EUSAGE, "html", &text);
    bad(assay_render("[", "text", &text, &err), ASSAY_EUSAGE, "no JSON", &text);
    assay_free(json);
}

/* One record that cannot be read does not hide the others; a store that is a file is one line. */
static void damaged_store(void **state)
{
    char *text = NULL, *place = below("store/runs"), *broken, *path;

    (void)state;
    path = text_format("%s/%s/record.json", place, ids[0]);
    broken = text_format("%s.kept", path);
    assert_int_equal(rename(path, broken), 0);
    put(path, "{");
    bad(assay_record(store, ids[0], &text, &err), ASSAY_EUSAGE, "record.json", &text);
    assert_int_equal(assay_report(store, NULL, "csv", &text, &err), 0);
    assert_null(strstr(text, ids[0]));
    assert_non_null(strstr(text, ids[1]));
    drop(&text);
    bad(assay_compare(ids[0], ids[1], NULL, 0, NULL, &text, &err), ASSAY_EUSAGE, "record.json",
        &text);
    assert_int_equal(rename(broken, path), 0);
    bad(assay_records(path, &text, &err), ASSAY_EFAIL, path, &text);
    bad(assay_report(path, NULL, "csv", &text, &err), ASSAY_EFAIL, path, &text);
    bad(assay_export(path, NULL, false, &text, &err), ASSAY_EFAIL, path, &text);
    bad(assay_report("/tmp/assay-no-store", NULL, "csv", &text, &err), ASSAY_EFAIL, "no records",
        &text);
    free(broken);
    free(path);
    free(place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(null_arguments),
                                       cmocka_unit_test(compare),
                                       cmocka_unit_test(compare_made_again),
                                       cmocka_unit_test(compare_errors),
                                       cmocka_unit_test(reproduce),
                                       cmocka_unit_test(reproduce_changed),
                                       cmocka_unit_test(reproduce_missing),
                                       cmocka_unit_test(report),
                                       cmocka_unit_test(export_and_import),
                                       cmocka_unit_test(matrix_of_files),
                                       cmocka_unit_test(logs),
                                       cmocka_unit_test(render),
                                       cmocka_unit_test(damaged_store)};

    return cmocka_run_group_tests(tests, make_runs, remove_root);
}
