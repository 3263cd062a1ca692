/* Recipes: what is read, and what is said of mistakes, with their line. */
#include "recipes.h"

#include "flow/recipe.h"

#define HEAD  "schema: 1\nname: tool\nsummary: a tool\n"
#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"
#define MAKE  "build:\n  - {write: a, text: b}\n"

static int parse(const char *text, struct recipe *r, struct assay_err *err)
{
    return recipe_parse(text, strlen(text), "/d/tool.yaml", r, err);
}

static void good(void **state)
{
    struct assay_err err = {0};
    json_t *options = json_object(), *body;
    struct recipe r;

    (void)state;
    if (parse(HEAD
              "version: \"1.2\"\ntags: [a, b]\n"
              "variations:\n"
              "  kind:\n"
              "    default: plain\n"
              "    options:\n"
              "      plain: {}\n"
              "      fancy:\n"
              "        needs: [{tags: [other]}]\n"
              "        env: {B: \"2\"}\n"
              "        outputs: {more: c}\n"
              "inputs:\n"
              "  n: {type: int, default: 4, min: 1, max: 8}\n"
              "  key: {type: secret, env: KEY}\n"
              "needs:\n"
              "  - {tags: [base], version: \">=1 <2\", as: b, with: {size: 3, name: "
              "\"${input.n}\"}}\n"
              "env: {A: \"${secret.key}\"}\n"
              "build:\n"
              "  - run: [cc, \"-j${jobs}\", \"$(touch /tmp/x)\", \"$${out}\", \"${dep.b.root}\"]\n"
              "outputs: {tool: bin/tool}\n",
              &r, &err))
        fail_msg("%s", err.text);
    assert_string_equal("/d", r.folder);
    assert_string_equal("kind", recipe_group(&r, "fancy"));
    assert_null(recipe_group(&r, "b"));
    json_object_set_new(options, "kind", json_string("fancy"));
    assert_int_equal(0, recipe_choose(&r, options, &err));
    body = recipe_body(&r, options);
    assert_int_equal(2, json_array_size(json_object_get(body, "needs")));
    assert_int_equal(2, json_object_size(json_object_get(body, "env")));
    assert_int_equal(2, json_object_size(json_object_get(body, "outputs")));
    assert_null(json_object_get(body, "variations"));
    json_decref(body);
    json_decref(options);
    recipe_release(&r);
}

/* Each text with what is said of it. */
static void mistakes(void **state)
{
    static const struct {
        const char *text, *said;
    } rows[] = {
        {"- a\n", "tool.yaml:1: 'a recipe' must be a mapping"},
        {"a: [", "tool.yaml:"},
        {HEAD MAKE "buidl: []\n", "tool.yaml:6: unknown key 'buidl'; did you mean 'build'?"},
        {HEAD MAKE "tags: []\n", "tool.yaml:6: 'tags' must be a list, not empty"},
        {HEAD MAKE "tags: [Good]\n", "tool.yaml:6: 'tags.0' must be a word"},
        {HEAD MAKE "version: 1.2\n", "tool.yaml:6: 'version' must be a line of text (in quotes"},
        {"schema: 2\n" MAKE, "tool.yaml:1: 'schema' must be 1"},
        {"schema: 1\nsummary: x\n" MAKE, "tool.yaml:1: 'name' is wanted: what it is called"},
        {HEAD, "one of find, fetch, build, convert and licence.gate is wanted"},
        {HEAD "fetch:\n  - file: a\n    urls: [\"https://x/a\"]\n    sha265: \"00\"\n",
         "tool.yaml:7: unknown key 'fetch.0.sha265'; did you mean 'sha256'?"},
        {HEAD "fetch:\n  - file: a\n    urls: [\"https://x/a\"]\n    sha256: \"00\"\n",
         "tool.yaml:7: 'fetch.0.sha256' must be a SHA-256: 64 hexadecimal digits"},
        {HEAD "fetch:\n  - file: ../a\n    urls: [\"https://x/a\"]\n",
         "tool.yaml:5: 'fetch.0.file' must be the name of a file below a folder"},
        {HEAD "build:\n  - run: [a]\n    to: \"${out}/a\"\n",
         "tool.yaml:6: 'build.0.to' must be the name of a file below a folder: not absolute, "
         "without '..' and without '${'"},
        {HEAD MAKE "outputs:\n  a: \"${out}/b\"\n",
         "tool.yaml:7: 'outputs.a' must be the name of a file below a folder"},
        {HEAD "fetch:\n  - file: /a\n    urls: [\"https://x/a\"]\n", "tool.yaml:5: 'fetch.0.file'"},
        {HEAD "fetch:\n  - file: a\n    urls: [\"ftp://x/a\"]\n",
         "tool.yaml:6: 'fetch.0.urls.0' must be an address that begins with https:, http: or "
         "file:"},
        {HEAD "fetch:\n  - file: a\n    pypi: b\n",
         "tool.yaml:5: 'fetch.0': 'pypi' wants 'sha256' too"},
        {HEAD "fetch:\n  - {file: a, pypi: b, urls: [\"https://x/a\"]}\n",
         "'fetch.0': exactly one of these is wanted: urls, pypi"},
        {HEAD "fetch:\n  - {file: a, pypi: b, sha256: \"" ZEROS "\", about: 1 MB}\n",
         "'fetch.0': 'about' goes with 'urls', not with 'pypi'"},
        {HEAD "fetch:\n  - urls: [\"https://x/a\"]\n",
         "tool.yaml:5: 'fetch.0': 'file' is wanted: what it is called here"},
        {HEAD "build:\n  - run: make all\n", "tool.yaml:5: 'build.0.run' must be a list"},
        {HEAD "build:\n  - {run: [a], write: b}\n",
         "'build.0': exactly one of these is wanted: run, write"},
        {HEAD "build:\n  - {run: [a], text: b}\n", "'build.0': 'text' goes with 'write', not with"},
        {HEAD "build:\n  - run: [a, \"${uot}/x\"]\n",
         "tool.yaml:5: 'build.0.run.1': ${uot} stands for nothing here; did you mean ${out}?"},
        {HEAD "build:\n  - run: [a, \"${inputs.n}\"]\ninputs:\n  n: {type: int, default: 1}\n",
         "did you mean ${input.n}?"},
        {HEAD "build:\n  - run: [a, \"${x\"]\n", "a '${' without a name and '}'"},
        {HEAD "build:\n  - run: [a, \"${secret.k}\"]\ninputs:\n  k: {type: secret, env: K}\n",
         "a secret is given to programs in 'env' alone"},
        {HEAD MAKE "env: {1A: b}\n", "tool.yaml:6: 'env.1A': '1A' is no name here"},
        {HEAD MAKE "needs:\n  - {tags: [a], version: \">= \"}\n",
         "tool.yaml:7: 'needs.0.version' must be a range of versions like '>=1.2 <2'"},
        {HEAD MAKE "inputs:\n  n: {type: number}\n", "'inputs.n.type' must be one of text, int"},
        {HEAD MAKE "inputs:\n  n: {type: int, default: many}\n",
         "tool.yaml:7: input 'n': n must be a whole number, not 'many'"},
        {HEAD MAKE "inputs:\n  n: {type: int, default: 9, max: 8}\n", "is not within -inf and 8"},
        {HEAD MAKE "inputs:\n  n: {type: choice}\n", "'choices' goes with the type choice"},
        {HEAD MAKE "inputs:\n  n: {type: choice, choices: [red, blue], default: bleu}\n",
         "n cannot be 'bleu'; did you mean 'blue'?"},
        {HEAD MAKE "inputs:\n  n: {type: secret}\n", "a secret wants 'env'"},
        {HEAD MAKE "resources: {disk: 1.3 Gb}\n", "'resources.disk' must be a number of bytes, or"},
        {HEAD MAKE "variations:\n  g:\n    default: x\n    options:\n      y: {}\n",
         "tool.yaml:8: the default 'x' is none of the options of 'g'"},
        {HEAD MAKE "variations:\n  g: {options: {y: {}}}\n  h: {options: {y: {}}}\n",
         "tool.yaml:8: the option 'y' is in the groups 'g' and 'h'"},
        {HEAD MAKE "variations:\n  g: {options: {tool: {}}}\n",
         "is the recipe's name or one of its"},
        {HEAD MAKE "exclusions:\n  - [a, b]\n",
         "tool.yaml:6: 'exclusions': there is no option 'a'"},
        {HEAD MAKE "variations:\n  g:\n    options:\n      y:\n        fetch: [{file: a}]\n",
         "tool.yaml:10: 'variations.g.options.y.fetch.0': exactly one of these is wanted: urls, "
         "pypi"}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct assay_err err = {0};
        struct recipe r;

        if (!parse(rows[i].text, &r, &err))
            fail_msg("taken: %s", rows[i].text);
        assert_int_equal(ASSAY_EUSAGE, err.code);
        has(err.text, rows[i].said);
    }
}

static void exclusions(void **state)
{
    struct assay_err err = {0};
    json_t *options = json_pack("{s:s}", "p", "int8");
    struct recipe r;

    (void)state;
    assert_int_equal(0, parse(HEAD MAKE "variations:\n"
                                        "  p: {default: fp32, options: {fp32: {}, int8: {}}}\n"
                                        "  e: {default: tf, options: {tf: {}, onnx: {}}}\n"
                                        "exclusions:\n  - [int8, tf]\n",
                              &r, &err));
    assert_int_equal(ASSAY_EUSAGE, recipe_choose(&r, options, &err));
    assert_string_equal("tool: int8 and tf exclude each other", err.text);
    json_object_set_new(options, "e", json_string("onnx"));
    assert_int_equal(0, recipe_choose(&r, options, &err));
    json_decref(options);
    recipe_release(&r);
}

static int64_t size(const char *text)
{
    json_t *v = json_string(text);
    int64_t bytes = recipe_size(v);

    json_decref(v);
    return bytes;
}

static void sizes(void **state)
{
    (void)state;
    assert_int_equal(1300000000, size("1.3 GB"));
    assert_int_equal(65536, size("64KiB"));
    assert_int_equal(7, size("7 B"));
    assert_int_equal(-1, size("GB"));
    assert_int_equal(-1, size("1. GB"));
    assert_int_equal(-1, size("1 G"));
    assert_int_equal(-1, size("-1 GB"));
    assert_int_equal(-1, size("1  GB"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(good), cmocka_unit_test(mistakes),
                                       cmocka_unit_test(exclusions), cmocka_unit_test(sizes)};

    return cmocka_run_group_tests(tests, setup, teardown);
}
