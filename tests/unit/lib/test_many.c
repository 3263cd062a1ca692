/* The library's calls that look for configurations, and those about submissions, with the null
 * engine. */
#include "calls.h"

static void null_arguments(void **state)
{
    char *text = NULL;

    (void)state;
    bad(assay_explore(NULL, NULL, NULL, &err), ASSAY_EUSAGE, "assay_explore", &text);
    bad(assay_explore_plan(NULL, NULL, NULL, &err), ASSAY_EUSAGE, "assay_explore_plan", &text);
    bad(assay_choose(NULL, NULL, &err), ASSAY_EUSAGE, "assay_choose", &text);
    bad(assay_matrix(NULL, NULL, false, NULL, &err), ASSAY_EUSAGE, "assay_matrix", &text);
    bad(assay_matrix_plan(NULL, NULL, NULL, &err), ASSAY_EUSAGE, "assay_matrix_plan", &text);
    bad(assay_matrix_files(NULL, NULL, &text, &err), ASSAY_EUSAGE, "assay_matrix_files", &text);
    bad(assay_submit(NULL, NULL, NULL, true, &text, &err), ASSAY_EUSAGE, "assay_submit", &text);
    bad(assay_check(NULL, NULL, 0, &text, &err), ASSAY_EUSAGE, "assay_check", &text);
    assert_int_equal(assay_check(NULL, NULL, 0, &text, NULL), ASSAY_EUSAGE);
}

/* Of the null engine a batch costs the same whatever its size, so the larger one is better; what is
 * chosen is used by later plans. */
static void explore_and_choose(void **state)
{
    const char *const settings[] = {QUICK, NULL};
    const char *const axes[] = {"engines=null", "lanes=1",    "threads=1", "batches=1,8",
                                "short=0.2s",   "budget=60s", NULL};
    const char *const plain[] = {"benchmark=resnet50", "scenario=Offline", NULL};
    const json_t *best;
    json_t *tree;
    char *text = NULL, *point, *kept;

    (void)state;
    tree = good(assay_explore_plan(axes, settings, &text, &err), &text, "assay.explore-plan/1");
    assert_int_equal(tree_int(tree, "grid", 0), 2);
    assert_int_equal(json_array_size(json_object_get(tree, "setups")), 1);
    json_decref(tree);
    assert_int_equal(assay_explore(axes, settings, &kept, &err), 0);
    text = strdup(kept);
    tree = good(0, &text, "assay.explore/1");
    best = json_object_get(tree, "best");
    assert_int_equal(tree_int(best, "batch", 0), 8);
    assert_true(tree_bool(best, "front", false));
    assert_true(json_array_size(json_object_get(tree, "points")) >= 2);
    assert_int_equal(assay_render(kept, "text", &text, &err), 0);
    assert_non_null(strstr(text, "BATCH"));
    drop(&text);
    assert_int_equal(assay_render(kept, "html", &text, &err), 0);
    assert_non_null(strstr(text, "<strong>best</strong>"));
    assert_null(strstr(text, "href=\"#")); /* without the runs */
    drop(&text);
    assert_int_equal(assay_choose(kept, plain, &err), 0);
    assay_free(kept);
    json_decref(tree);
    tree = good(assay_plan(plain, &text, &err), &text, "assay.plan/1");
    best = json_object_get(json_object_get(tree, "settings"), "batch");
    assert_int_equal(tree_int(best, "value", 0), 8);
    assert_string_equal(tree_text(best, "origin", ""), "tuned");
    json_decref(tree);
    point = strdup("{\"model\": \"resnet50-synthetic\", \"engine\": \"null\", \"device\": \"cpu\", "
                   "\"precision\": \"fp32\", \"batch\": 3}");
    assert_int_equal(assay_choose(point, plain, &err), 0);
    free(point);
    tree = good(assay_plan(plain, &text, &err), &text, "assay.plan/1");
    assert_int_equal(
        tree_int(json_object_get(json_object_get(tree, "settings"), "batch"), "value", 0), 3);
    json_decref(tree);
}

static void explore_errors(void **state)
{
    const char *const settings[] = {QUICK, NULL}, *const plain[] = {"benchmark=resnet50", NULL};
    static const char *const axes[][3] = {{"engine=null", NULL},
                                          {"lanes=0", NULL},
                                          {"budget=soon", NULL},
                                          {"constraint=speed>=1", NULL},
                                          {"engines", NULL}};
    static const char *const words[] = {"'engine' is no part", "--lanes wants numbers",
                                        "--budget wants a time", "'speed>=1' is no constraint",
                                        "'engines' is no name=value"};
    char *text = NULL;

    (void)state;
    for (size_t i = 0; i < sizeof(axes) / sizeof(axes[0]); i++)
        bad(assay_explore(axes[i], settings, &text, &err), ASSAY_EUSAGE, words[i], &text);
    bad(assay_explore(NULL, NULL, &text, &err), ASSAY_EUSAGE, "which benchmark?", &text);
    bad(assay_choose("{}", plain, &err), ASSAY_EUSAGE, "a model and an engine", &text);
    bad(assay_choose("{", plain, &err), ASSAY_EUSAGE, "no JSON", &text);
    bad(assay_choose("{\"points\": [], \"best\": null}", plain, &err), ASSAY_EUSAGE,
        "keeps the constraints", &text);
    bad(assay_choose("{\"model\": \"m\", \"engine\": \"null\"}", NULL, &err), ASSAY_EUSAGE,
        "which benchmark?", &text);
}

/* What recipes have to get first is in the plan, and without it nothing is run. */
static void matrix_gets_first(void **state)
{
    const char *const axes[] = {"benchmarks=resnet50", "engines=null", "devices=cpu",
                                "modes=accuracy", NULL};
    const char *const settings[] = {"dataset=pictures", store_setting, NULL};
    const char *const slip[] = {"modes=accuracy", "engine=null", NULL};
    static const char recipe[] =
        "{\"schema\": 1, \"name\": \"pictures\", \"summary\": \"x\", \"fetch\": [{\"file\": "
        "\"p.tar\", "
        "\"urls\": [\"https://localhost:1/p.tar\"], \"unpack\": \".\", \"about\": \"1 MB\"}], "
        "\"outputs\": {\"folder\": \".\"}}";
    char *text = NULL, *dir = below("recipes"), *file = below("recipes/pictures.yaml");
    json_t *tree;

    (void)state;
    assert_int_equal(file_make_dirs(dir, &err), 0);
    assert_int_equal(file_write_whole(file, recipe, strlen(recipe), &err), 0);
    setenv("ASSAY_RECIPE_PATH", dir, 1);
    tree = good(assay_matrix_plan(axes, settings, &text, &err), &text, "assay.plan/1");
    assert_int_equal(json_array_size(json_object_get(tree, "commands")), 1);
    assert_string_equal(json_string_value(json_array_get(json_object_get(tree, "get"), 0)),
                        "pictures");
    json_decref(tree);
    bad(assay_matrix(axes, settings, true, &text, &err), ASSAY_EFAIL,
        "`assay get pictures` gets it", &text);
    json_decref(good(assay_matrix(axes, settings, false, &text, &err), &text, "assay.matrix/1"));
    bad(assay_matrix_plan(slip, settings, &text, &err), ASSAY_EUSAGE, "'engine' is no axis", &text);
    unsetenv("ASSAY_RECIPE_PATH");
    free(dir);
    free(file);
}

/* ---- submissions ---- */

#define WORDS "category=edge", "round=v6.1", "submitter=ACME"

/* An open division wants what was seen: here one more run, of the accuracy. */
static void submit(void **state)
{
    const char *const settings[] = {QUICK, NULL}, *const runs[] = {"last", NULL};
    char *text = NULL, *out = below("tree"), *shelf = below("shelf"), out_word[80], cache_word[80];
    const char *const own[] = {store_setting, cache_word, "progress=none", NULL};
    const char *const ask[] = {
        "division=open", WORDS, "rehearsal=true", "offline=true", "min-duration-ms=200",
        out_word,        NULL};
    json_t *tree, *official;

    (void)state;
    snprintf(out_word, sizeof(out_word), "out=%s", out);
    snprintf(cache_word, sizeof(cache_word), "cache=%s", shelf);
    json_decref(good(assay_run(settings, &text, &err), &text, "assay.record/1"));
    tree = good(assay_submit(runs, ask, own, true, &text, &err), &text, "assay.submit-plan/1");
    assert_int_equal(json_array_size(json_object_get(tree, "runs")), 2);
    assert_string_equal(tree_text(tree, "out", ""), out);
    assert_false(file_exists(out));
    json_decref(tree);
    tree = good(assay_submit(runs, ask, own, false, &text, &err), &text, "assay.submit/1");
    assert_int_equal(tree_int(tree, "results", 0), 1);
    assert_true(tree_bool(tree, "rehearsal", false));
    assert_true(json_is_string(
        json_object_get(json_array_get(json_object_get(tree, "runs"), 1), "record")));
    official = json_object_get(tree, "official");
    assert_string_equal(tree_text(official, "verdict", ""), "none");
    assert_false(tree_bool(official, "ran", true));
    json_decref(tree);
    tree =
        good(assay_check_official(out, "v6.1", true, own, &text, &err), &text, "assay.official/1");
    assert_string_equal(tree_text(tree, "get", ""),
                        "assay get mlperf-inference@==6.1 checker-python");
    json_decref(tree);
    tree = good(assay_check(out, "v6.1", 200, &text, &err), &text, "assay.check/1");
    assert_true(json_array_size(json_object_get(tree, "findings")) > 0);
    json_decref(tree);
    bad(assay_check(out, "v4.0", 0, &text, &err), ASSAY_EUSAGE, "v4.0", &text);
    bad(assay_submit(runs, ask, own, false, &text, &err), ASSAY_EUSAGE, "is there already", &text);
    free(shelf);
    free(out);
}

static void submit_errors(void **state)
{
    static const struct {
        const char *ask[6], *words;
    } rows[] = {{{WORDS, NULL}, "wants --division"},
                {{"division=closing", WORDS, NULL}, "closed, open, network"},
                {{"division=open", "category=edge", "round=v4.0", "submitter=A", NULL}, "'v4.0'"},
                {{"division=open", "category=edge", "round=v6.1", "submitter=../x", NULL},
                 "it names a folder"},
                {{"division=open", WORDS, "min-duration-ms=5", NULL}, "goes with --rehearsal"},
                {{"division=open", WORDS, "rehearsal=perhaps", NULL}, "'perhaps'"},
                {{"division=open", WORDS, "min-duration-ms=0", NULL}, "'0'"},
                {{"divison=open", WORDS, NULL}, "'divison' is no part"},
                {{"division=open", WORDS, NULL}, "synthetic"}};
    const char *const own[] = {store_setting, "progress=none", NULL};
    const char *const runs[] = {"last", NULL}, *const missing[] = {"ffff", NULL},
                      *const none[] = {NULL};
    char *text = NULL;
    int rc;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        rc = assay_submit(runs, rows[i].ask, own, true, &text, &err);
        bad(rc, ASSAY_EUSAGE, rows[i].words, &text);
    }
    rc = assay_submit(missing, rows[8].ask, own, true, &text, &err);
    bad(rc, ASSAY_EUSAGE, "ffff", &text);
    rc = assay_submit(none, rows[8].ask, own, true, &text, &err);
    bad(rc, ASSAY_EUSAGE, "name at least one", &text);
}

static void check_errors(void **state)
{
    char *text = NULL;

    (void)state;
    bad(assay_check("/nowhere", NULL, 0, &text, &err), ASSAY_EUSAGE, "/nowhere", &text);
    bad(assay_check(root, NULL, 0, &text, &err), ASSAY_EUSAGE, "is no submission tree", &text);
    bad(assay_check(root, NULL, -1, &text, &err), ASSAY_EUSAGE, "min_duration_ms", &text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(null_arguments),    cmocka_unit_test(explore_errors),
        cmocka_unit_test(matrix_gets_first), cmocka_unit_test(submit),
        cmocka_unit_test(submit_errors),     cmocka_unit_test(check_errors),
        cmocka_unit_test(explore_and_choose)};

    return cmocka_run_group_tests(tests, make_root, remove_root);
}
