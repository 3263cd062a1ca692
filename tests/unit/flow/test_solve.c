/* The resolver: versions, variations and inputs that agree, and what is said when they cannot. */
#include "recipes.h"

#include "flow/solve.h"

/* Solves anew over what is in the folder now. */
static int ask(const char *request, const char *set, struct catalog *c, struct solution *s,
               struct assay_err *err)
{
    json_t *sets = json_array();
    int rc;

    memset(err, 0, sizeof(*err));
    if (set)
        json_array_append_new(sets,
                              json_pack("{s:s, s:s}", "name", set, "value", strchr(set, '=') + 1));
    if (set) {
        char *name = strndup(set, strcspn(set, "="));

        json_object_set_new(json_array_get(sets, 0), "name", json_string(name));
        free(name);
    }
    assert_int_equal(0, catalog_open(cache, c, err));
    rc = solve(c, request, sets, s, err);
    json_decref(sets);
    return rc;
}

static void refused(const char *request, const char *said)
{
    struct catalog c;
    struct solution s;
    struct assay_err err;

    if (!ask(request, NULL, &c, &s, &err))
        fail_msg("solved: %s", request);
    assert_int_equal(ASSAY_EUSAGE, err.code);
    has(err.text, said);
    catalog_close(&c);
}

static const struct solved *named(const struct solution *s, const char *name)
{
    for (size_t i = 0; i < s->count; i++)
        if (!strcmp(s->all[i].recipe->name, name))
            return &s->all[i];
    fail_msg("no %s", name);
    return NULL;
}

static const char *option(const struct solution *s, const char *name, const char *group)
{
    return json_string_value(json_object_get(named(s, name)->options, group));
}

static void highest_that_suits(void **state)
{
    struct catalog c;
    struct solution s;
    struct assay_err err;

    (void)state;
    recipe("zlib", "1.2", "");
    recipe("zlib", "1.10", "");
    recipe("zlib", "2.0", "");
    recipe("png", "1", "needs:\n  - {tags: [zlib], version: \">=1\"}");
    recipe("tiff", "1", "needs:\n  - {tags: [zlib], version: \"<2\"}");
    recipe("view", "1", "needs:\n  - {tags: [png]}\n  - {tags: [tiff]}");
    if (ask("view", NULL, &c, &s, &err))
        fail_msg("%s", err.text);
    assert_int_equal(4, s.count);
    assert_string_equal("1.10", named(&s, "zlib")->recipe->version);
    assert_string_equal("view > png > zlib", named(&s, "zlib")->chain);
    solution_release(&s);
    catalog_close(&c);
    if (ask("png", NULL, &c, &s, &err))
        fail_msg("%s", err.text);
    assert_string_equal("2.0", named(&s, "zlib")->recipe->version);
    solution_release(&s);
    catalog_close(&c);
    refused("zlib@>=3", "zlib: no version is >=3 (wanted by zlib); there are 2.0, 1.10, 1.2");
}

/* The newest of a dependent needs what another cannot have: an older one is taken. */
static void backtracks(void **state)
{
    struct catalog c;
    struct solution s;
    struct assay_err err;

    (void)state;
    recipe("core", "1", "");
    recipe("core", "2", "");
    recipe("front", "1", "needs:\n  - {tags: [core], version: \"==1\"}");
    recipe("front", "2", "needs:\n  - {tags: [core], version: \"==2\"}");
    recipe("old", "1", "needs:\n  - {tags: [core], version: \"==1\"}");
    recipe("both", "1", "needs:\n  - {tags: [front]}\n  - {tags: [old]}");
    if (ask("both", NULL, &c, &s, &err))
        fail_msg("%s", err.text);
    assert_string_equal("1", named(&s, "front")->recipe->version);
    assert_string_equal("1", named(&s, "core")->recipe->version);
    solution_release(&s);
    catalog_close(&c);
}

static void conflicts(void **state)
{
    (void)state;
    recipe("base", "1", "");
    recipe("base", "2", "");
    recipe("left", "1", "needs:\n  - {tags: [base], version: \">=2\"}");
    recipe("right", "1", "needs:\n  - {tags: [base], version: \"<2\"}");
    recipe("top", "1", "needs:\n  - {tags: [left]}\n  - {tags: [right]}");
    refused("top", "base: no version suits both: top > left > base wants >=2, top > right > base "
                   "wants <2");
    recipe("ring-a", "1", "needs:\n  - {tags: [ring-b]}");
    recipe("ring-b", "1", "needs:\n  - {tags: [ring-c]}");
    recipe("ring-c", "1", "needs:\n  - {tags: [ring-a]}");
    refused("ring-b", "recipes need each other in a cycle: ring-b > ring-c > ring-a > ring-b");
    recipe("selfish", "1", "needs:\n  - {tags: [selfish]}");
    refused("selfish", "in a cycle: selfish > selfish");
}

#define PRECISION                                                                                  \
    "tags: [net]\nvariations:\n  precision: {default: fp32, options: {fp32: {}, int8: {needs: "    \
    "[{tags: [quantiser]}]}}}"

static void variations(void **state)
{
    struct catalog c;
    struct solution s;
    struct assay_err err;

    (void)state;
    recipe("quantiser", "1", "");
    recipe("model", "1", PRECISION);
    recipe("plain", "1", "needs:\n  - {tags: [model]}");
    recipe("small", "1", "needs:\n  - {tags: [model, int8]}");
    recipe("large", "1", "needs:\n  - {tags: [model, fp32]}");
    recipe("open", "1", "needs:\n  - {tags: [plain]}\n  - {tags: [small]}");
    recipe("torn", "1", "needs:\n  - {tags: [large]}\n  - {tags: [small]}");
    if (ask("open", NULL, &c, &s, &err))
        fail_msg("%s", err.text);
    /* plain came first and left it open; small decides for both, and brings what int8 needs. */
    assert_string_equal("int8", option(&s, "model", "precision"));
    assert_string_equal("open > plain > model > quantiser", named(&s, "quantiser")->chain);
    solution_release(&s);
    catalog_close(&c);
    if (ask("net,fp32", NULL, &c, &s, &err))
        fail_msg("%s", err.text);
    assert_int_equal(1, s.count);
    solution_release(&s);
    catalog_close(&c);
    refused("torn",
            "model: variation 'precision' cannot be both: torn > large > model wants 'fp32', "
            "torn > small > model wants 'int8'");
    refused("model,int9",
            "no recipe is 'model,int9': 'model' has no tag or variation 'int9'; did you "
            "mean 'int8'?");
    refused("modle", "no recipe is 'modle'; did you mean 'model'?");
    refused("model,fp32,int8", "'fp32' and 'int8' are both of the group 'precision'");
}

static void names(void **state)
{
    struct catalog c;
    struct solution s;
    struct assay_err err;

    (void)state;
    recipe("gcc", "14", "tags: [compiler]");
    recipe("clang", "19", "tags: [compiler]");
    recipe("any", "1", "needs:\n  - {tags: [compiler]}");
    recipe("chosen", "1", "needs:\n  - {tags: [clang]}\n  - {tags: [compiler], as: cc}");
    refused("compiler", "'compiler' is each of clang, gcc; name one");
    refused("any", "name one (needed by any, /");
    if (ask("chosen", NULL, &c, &s, &err))
        fail_msg("%s", err.text);
    assert_int_equal(2, s.count);
    solution_release(&s);
    catalog_close(&c);
    put("folder/again.yaml", "schema: 1\nname: gcc\nversion: \"14\"\nsummary: x\n"
                             "build: [{write: a, text: b}]\n");
    refused("gcc", "gcc 14 is in two files");
}

static void inputs(void **state)
{
    struct catalog c;
    struct solution s;
    struct assay_err err;
    const json_t *in;

    (void)state;
    recipe("leaf", "1",
           "inputs:\n  n: {type: int, default: 1, max: 9}\n  t: {type: text, default: a}");
    recipe("stem", "1",
           "inputs:\n  m: {type: int, default: 5}\n"
           "needs:\n  - {tags: [leaf], with: {n: \"${input.m}\", t: \"$(id) 'x'\"}}");
    recipe("other", "1", "needs:\n  - {tags: [leaf], with: {n: 7}}");
    recipe("pair", "1", "needs:\n  - {tags: [stem]}\n  - {tags: [other]}");
    if (ask("stem", NULL, &c, &s, &err))
        fail_msg("%s", err.text);
    in = named(&s, "leaf")->inputs;
    assert_int_equal(5, json_integer_value(json_object_get(in, "n")));
    assert_string_equal("$(id) 'x'", json_string_value(json_object_get(in, "t")));
    solution_release(&s);
    catalog_close(&c);
    if (ask("stem", "m=8", &c, &s, &err))
        fail_msg("%s", err.text);
    in = named(&s, "leaf")->inputs;
    assert_int_equal(8, json_integer_value(json_object_get(in, "n")));
    solution_release(&s);
    catalog_close(&c);
    assert_int_equal(ASSAY_EUSAGE, ask("stem", "m=12", &c, &s, &err));
    has(err.text, "n: 12 is not within -inf and 9 (asked by stem > leaf)");
    catalog_close(&c);
    assert_int_equal(ASSAY_EUSAGE, ask("stem", "mm=12", &c, &s, &err));
    has(err.text, "stem has no input 'mm'; did you mean 'm'?");
    catalog_close(&c);
    refused("pair",
            "leaf: input 'n' cannot be both: pair > stem > leaf wants '5', pair > other > leaf "
            "wants '7'");
}

/* Files that are as they were are taken from the index; what changes is seen. */
static void index_follows(void **state)
{
    struct catalog c;
    struct assay_err err;

    (void)state;
    recipe("one", "1", "tags: [before]");
    assert_int_equal(0, catalog_open(cache, &c, &err));
    assert_int_equal(1, c.count);
    catalog_close(&c);
    recipe("one", "1", "tags: [after]");
    put("below/two.yaml", "schema: 1\nname: two\nsummary: x\nbuild: [{write: a, text: b}]\n");
    put("broken.yaml", "schema: 1\nnaem: x\n");
    assert_int_equal(0, catalog_open(cache, &c, &err));
    assert_int_equal(3, c.count);
    for (size_t i = 0; i < c.count; i++) {
        if (!strcmp(c.entries[i].name, "one"))
            assert_string_equal(",after,", c.entries[i].tags);
        if (strstr(c.entries[i].file, "broken"))
            has(c.entries[i].error, "broken.yaml:2: unknown key 'naem'; did you mean 'name'?");
    }
    catalog_close(&c);
    refused("naem", "a recipe cannot be read: ");
}

/* The folder's stamp is right, and what is said to be in it is elsewhere. */
static void index_is_damaged(void **state)
{
    char *file = file_join(cache, "recipes-index"), *text = NULL, *tab;
    const char *old = "assay-recipes 1 " ASSAY_VERSION "\n";
    struct catalog c;
    struct assay_err err;
    struct text bad;

    (void)state;
    recipe("one", "1", "");
    usleep(2200000); /* what was changed a moment ago is not trusted */
    assert_int_equal(0, catalog_open(cache, &c, &err));
    catalog_close(&c);
    assert_int_equal(0, file_read(file, 1 << 20, &text, NULL, NULL));
    assert_int_equal(0, strncmp(text, old, strlen(old)));
    tab = strstr(text, "F\t1\t");
    assert_non_null(tab);
    text_init(&bad, 1 << 20);
    text_addn(&bad, text, (size_t)(tab - text));
    text_add(&bad, "F\t1\tx\t1\t1\t1\t1\tone\t1\t,\t,\tx\n");
    assert_int_equal(0, file_write_whole(file, bad.s, bad.len, NULL));
    assert_int_equal(0, catalog_open(cache, &c, &err));
    assert_int_equal(1, c.count);
    has(c.entries[0].file, "/one-1.yaml");
    catalog_close(&c);
    text_release(&bad);
    free(text);
    free(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(highest_that_suits, setup, teardown),
        cmocka_unit_test_setup_teardown(backtracks, setup, teardown),
        cmocka_unit_test_setup_teardown(conflicts, setup, teardown),
        cmocka_unit_test_setup_teardown(variations, setup, teardown),
        cmocka_unit_test_setup_teardown(names, setup, teardown),
        cmocka_unit_test_setup_teardown(inputs, setup, teardown),
        cmocka_unit_test_setup_teardown(index_follows, setup, teardown),
        cmocka_unit_test_setup_teardown(index_is_damaged, setup, teardown)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
