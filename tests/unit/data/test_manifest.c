/* Manifests: a user's own, what is wrong with one, where named ones are found, and their files. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "base/tree.h"
#include "data/bench_host.h"
#include "data/block.h"
#include "data/manifest.h"

#define HEAD "schema: 1\nname: own\nbenchmark: resnet50\n"
#define OWN  HEAD "files: {onnx: own.onnx}\n"

static char dir[64], config[80], prefix[80], real_prefix[1024];

static int setup(void **state)
{
    (void)state;
    snprintf(dir, sizeof(dir), "/tmp/assay-manifest-XXXXXX");
    assert_non_null(mkdtemp(dir));
    snprintf(config, sizeof(config), "%s/config", dir);
    snprintf(prefix, sizeof(prefix), "%s/prefix", dir);
    setenv("ASSAY_CONFIG", config, 1);
    setenv("ASSAY_PREFIX", prefix, 1);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return file_remove_tree(dir, NULL);
}

/* Writes dir/name, with the folders above it. */
static void put(const char *name, const char *text)
{
    char *path = file_join(dir, name), *folder = strdup(path);
    struct assay_err err = {0};

    *strrchr(folder, '/') = 0;
    if (file_make_dirs(folder, &err) || file_write_whole(path, text, strlen(text), &err))
        fail_msg("%s", err.text);
    free(path);
    free(folder);
}

static int parse(const char *text, struct manifest *m, struct assay_err *err)
{
    return manifest_parse(text, strlen(text), "/d/m.yaml", m, err);
}

static void good_manifests(void **state)
{
    struct assay_err err;
    struct manifest m;

    (void)state;
    if (parse(OWN "source: [here, there]\nlicence: MIT\nnotes: {a: 1}\nprecision: fp32\n"
                  "input: {anything: [1, 2]}\noutput: {}\nreference_accuracy: 76\n",
              &m, &err))
        fail_msg("%s", err.text);
    assert_string_equal(m.file, "/d/m.yaml");
    assert_string_equal(m.name, "own");
    assert_string_equal(m.benchmark, "resnet50");
    assert_null(m.net);
    assert_false(m.synthetic);
    assert_int_equal(json_array_size(json_object_get(json_object_get(m.tree, "input"), "anything")),
                     2);
    manifest_release(&m);
    assert_int_equal(parse(HEAD "net: resnet50\n", &m, &err), 0);
    assert_string_equal(m.net, "resnet50");
    assert_true(m.synthetic); /* a net always is */
    manifest_release(&m);
    assert_int_equal(parse(HEAD "net: {joint: n-j, encoder: n-e}\n", &m, &err), 0);
    assert_string_equal(m.net, "n-j+n-e");
    assert_string_equal(json_string_value(json_object_get(m.nets, "encoder")), "n-e");
    assert_true(m.synthetic);
    manifest_release(&m);
    assert_int_equal(parse(OWN "synthetic: true\n", &m, &err), 0);
    assert_true(m.synthetic);
    manifest_release(&m);
}

static void bad_manifests(void **state)
{
    static const struct {
        const char *text, *why;
    } bad[] = {
        {"", "a manifest is a mapping of keys to values"},
        {"- a\n", "a manifest is a mapping of keys to values"},
        {OWN "inputs: {}\n", "unknown key 'inputs'; did you mean 'input'?"},
        {OWN "lisence: MIT\n", "unknown key 'lisence'; did you mean 'licence'?"},
        {OWN "quite_other: 1\n", "unknown key 'quite_other'"},
        {OWN "name: again\n", "/d/m.yaml:5:"},
        {"name: a\nbenchmark: b\nfiles: {onnx: f}\n", "'schema: 1' is wanted"},
        {"schema: 2\nname: a\nbenchmark: b\nfiles: {onnx: f}\n", "'schema: 1' is wanted"},
        {"schema: one\n", "'schema' must be a whole number"},
        {"schema: 1\nbenchmark: b\nfiles: {onnx: f}\n", "'name' and 'benchmark' are wanted"},
        {"schema: 1\nname: ''\nbenchmark: b\nfiles: {onnx: f}\n", "'name' and 'benchmark' are"},
        {"schema: 1\nname: a\nfiles: {onnx: f}\n", "'name' and 'benchmark' are wanted"},
        {"schema: 1\nname: 50\n", "'name' must be a text (in quotes if it looks like a number)"},
        {"schema: 1\nname: a\nbenchmark: [b]\n", "'benchmark' must be a text"},
        {HEAD, "one of 'files' (format: file) and 'net' is wanted"},
        {HEAD "files: {}\n", "one of 'files' (format: file) and 'net' is wanted"},
        {OWN "net: resnet50\n", "one of 'files' (format: file) and 'net' is wanted"},
        {HEAD "files: own.onnx\n", "'files' must be a mapping of formats to texts"},
        {HEAD "files: {onnx: [own.onnx]}\n", "'files' must be a mapping of formats to texts"},
        {OWN "net:\n", "'net' must be the name of a net, or a mapping of graphs to nets"},
        {HEAD "net: {}\n", "'net' must be the name of a net, or a mapping"},
        {HEAD "net: {a: 1}\n", "'net' must be the name of a net, or a mapping"},
        {HEAD "net: {../a: n}\n", "net: wanted: a few graphs with names like 'encoder'"},
        {HEAD "net: {a: n}\nsynthetic: false\n", "'synthetic: false' is not true"},
        {OWN "synthetic: maybe\n", "'synthetic' must be true or false"},
        {HEAD "net: resnet50\nsynthetic: false\n", "'synthetic: false' is not true"},
        {OWN "input: x\n", "'input' must be a mapping of keys to values"},
        {OWN "output: [x]\n", "'output' must be a mapping of keys to values"},
        {OWN "precision: 32\n", "'precision' must be a text"},
        {OWN "precisions: int8\n", "'precisions' must be a list of texts"},
        {OWN "precisions: []\n", "'precisions' must be a list of texts"},
        {OWN "precisions: [fp32, 8]\n", "'precisions' must be a list of texts"},
        {OWN "reference_accuracy: high\n", "'reference_accuracy' must be a number"},
        {OWN "target: high\n", "'target' must be a number, or a list of numbers"},
        {OWN "target: []\n", "'target' must be a number, or a list of numbers"},
        {OWN "target: [99, high]\n", "'target' must be a number, or a list of numbers"},
        {OWN "sha256: abcd\n", "'sha256' must be a mapping of formats to texts"},
        {OWN "md5: {onnx: 1234}\n", "'md5' must be a mapping of formats to texts"},
        {OWN "md5: {own.onnx: ab}\n", "md5: 'own.onnx' is no format of 'files'"},
        {OWN "sha256: {tensorflow: ab}\n", "sha256: 'tensorflow' is no format of 'files'"},
        {HEAD "net: n\nsizes: 3\n", "'sizes' must be a mapping of names to whole numbers"},
        {HEAD "net: n\nsizes: {rows: 0}\n", "'sizes' must be a mapping of names to whole numbers"},
        {HEAD "net: {a: n}\nsizes: {rows: 1}\n", "'sizes' are those of one net, and it names sev"},
        {OWN "sizes: {rows: 1}\n", "'sizes' are those of one net, and it names none"},
        {OWN "formats: {onnx: x}\n", "'formats' must be a mapping of formats to mappings"},
        {OWN "formats: {onyx: {}}\n", "formats: 'onyx' is no format of 'files'"},
        {OWN "formats: {onnx: {inptu: {}}}\n", "'formats.onnx.inptu'; did you mean 'input'?"},
        {OWN "formats: {onnx: {input: x}}\n", "'formats.onnx.input' must be a mapping"},
        {OWN "formats: {onnx: {name: x}}\n", "'formats.onnx.name' is not to be set by format"},
        {OWN "names: {onnx: 1}\n", "'names' must be a mapping of formats to texts"},
        {OWN "names: {onyx: x}\n", "names: 'onyx' is no format of 'files'"},
        {HEAD "files: {onnx: x\n", "/d/m.yaml:5:"},
    };
    struct assay_err err;
    struct manifest m;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(parse(bad[i].text, &m, &err), ASSAY_EUSAGE);
        if (!strstr(err.text, bad[i].why) || strncmp(err.text, "/d/m.yaml:", 10) != 0)
            fail_msg("case %zu: '%s', not '%s'", i, err.text, bad[i].why);
        assert_null(m.file); /* nothing is left to release */
        assert_null(m.tree);
    }
}

static void assert_opens(const char *model, const char *below)
{
    struct assay_err err;
    struct manifest m;
    char *want = file_join(dir, below);

    if (manifest_open(model, &m, &err))
        fail_msg("%s: %s", model, err.text);
    assert_string_equal(m.file, want);
    manifest_release(&m);
    free(want);
}

static void assert_no_model(const char *model, int code, const char *why)
{
    struct assay_err err;
    struct manifest m;

    assert_int_equal(manifest_open(model, &m, &err), code);
    if (!strstr(err.text, why))
        fail_msg("%s: '%s' does not say '%s'", model, err.text, why);
}

static void by_name_and_by_file(void **state)
{
    char *path = text_format("%s/mine.yaml", dir);

    (void)state;
    put("mine.yaml", OWN);
    assert_opens(path, "mine.yaml");
    put("prefix/share/assay/models/installed.yaml",
        "schema: 1\nname: installed\nbenchmark: b\nnet: n\n");
    assert_opens("installed", "prefix/share/assay/models/installed.yaml");
    /* The user's folder stands first, also for .yml and for a file that is named otherwise. */
    put("config/models/installed.yml", "schema: 1\nname: installed\nbenchmark: b\nnet: n\n");
    assert_opens("installed", "config/models/installed.yml");
    put("config/models/other-name.yaml", OWN);
    assert_opens("own", "config/models/other-name.yaml");
    assert_opens("other-name", "config/models/other-name.yaml");
    assert_no_model("instaled", ASSAY_EUSAGE,
                    "there is no model 'instaled'; did you mean 'installed'?");
    assert_no_model("quite-different", ASSAY_EUSAGE, "`assay models` lists them");
    assert_no_model("/nonexistent/m.yaml", ASSAY_EFAIL, "/nonexistent/m.yaml: cannot be opened");
    assert_no_model("m.yml", ASSAY_EFAIL, "m.yml: cannot be opened");
    assert_no_model("./own.onnx", ASSAY_EUSAGE, "./own.onnx: a model is named by its manifest");
    /* A broken one is named, not passed over. */
    put("config/models/broken.yaml", OWN "inptu: 1\n");
    assert_no_model("broken", ASSAY_EUSAGE, "config/models/broken.yaml: unknown key 'inptu'");
    free(path);
}

static void listing(void **state)
{
    json_t *list = manifest_list(), *v;
    size_t i;
    static const char *const want[] = {"a", "own", "z"};

    (void)state;
    assert_int_equal(json_array_size(list), 0); /* no folder at all */
    json_decref(list);
    put("config/models/b.yaml", OWN);
    put("config/models/a.yml", "schema: 1\nname: a\nbenchmark: b\nnet: n\n");
    put("config/models/broken.yaml", "schema: 1\n");
    put("config/models/notes.txt", OWN);
    put("prefix/share/assay/models/z.yaml",
        "schema: 1\nname: z\nbenchmark: b\nfiles: {tensorflow: z.pb, onnx: z.onnx}\n");
    list = manifest_list();
    assert_int_equal(json_array_size(list), 3);
    for (i = 0; i < 3; i++)
        assert_string_equal(tree_text(json_array_get(list, i), "name", ""), want[i]);
    v = json_array_get(list, 0);
    assert_true(tree_bool(v, "synthetic", false));
    assert_int_equal(json_array_size(json_object_get(v, "formats")), 0);
    v = json_array_get(list, 2);
    assert_string_equal(tree_text(v, "benchmark", ""), "b");
    assert_false(tree_bool(v, "synthetic", true));
    assert_int_equal(json_array_size(json_object_get(v, "formats")), 2);
    assert_non_null(strstr(tree_text(v, "file", ""), "/prefix/share/assay/models/z.yaml"));
    json_decref(list);
}

/* manifest_file of a manifest in dir with this text. */
static int find_file(const char *text, const char *const *formats, char **path, const char **format,
                     struct assay_err *err)
{
    char *file = text_format("%s/m.yaml", dir);
    struct manifest m;
    int rc;

    put("m.yaml", text);
    assert_int_equal(manifest_open(file, &m, err), 0);
    *path = NULL;
    rc = manifest_file(&m, formats, path, format, err);
    manifest_release(&m);
    free(file);
    return rc;
}

static void model_files(void **state)
{
    static const char *const onnx[] = {"onnx", NULL}, *const both[] = {"tensorflow", "onnx", NULL};
    char *path, *want = text_format("%s/w/own.onnx", dir), *text;
    const char *format;
    struct assay_err err;

    (void)state;
#define TWO HEAD "files: {onnx: w/own.onnx, tensorflow: own.pb}\n"
    assert_int_equal(find_file(TWO, onnx, &path, &format, &err), ASSAY_EFAIL);
    assert_non_null(strstr(err.text, "/w/own.onnx: the model file is missing (named by "));
    assert_null(path);
    put("w/own.onnx", "abc");
    put("own.pb", "def");
    assert_int_equal(find_file(TWO, onnx, &path, &format, &err), 0); /* beside the manifest */
    assert_string_equal(path, want);
    free(path);
    assert_int_equal(find_file(TWO, both, &path, &format, &err), 0); /* the engine's first choice */
    assert_string_equal(format, "tensorflow");
    free(path);
    assert_int_equal(find_file(HEAD "files: {keras: k, tflite: t}\n", both, &path, &format, &err),
                     ASSAY_EUNSUPPORTED);
    assert_non_null(strstr(err.text, "has no file that this engine reads; it has: keras, tflite"));
    put("graphs/a.onnx", "abc"); /* a folder */
    assert_int_equal(find_file(HEAD "files: {onnx: graphs}\n", onnx, &path, &format, &err), 0);
    free(path);
    assert_int_equal(
        find_file(HEAD "files: {onnx: graphs}\nmd5: {onnx: 'ab'}\n", onnx, &path, &format, &err),
        ASSAY_EUSAGE);
    assert_non_null(strstr(err.text, "graphs is a folder; give 'sha256'"));
    assert_int_equal(
        find_file(HEAD "files: {onnx: graphs}\nsha256: {onnx: 'ab'}\n", onnx, &path, &format, &err),
        ASSAY_EFAIL);
    assert_non_null(strstr(err.text, "/graphs: is not the file that"));
    text = text_format(HEAD "files: {onnx: %s}\n", want);
    assert_int_equal(find_file(text, onnx, &path, &format, &err), 0); /* an absolute path */
    assert_string_equal(path, want);
    free(path);
    free(text);
    free(want);
}

#define SHA_ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define SHA_UP  "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD"
#define MD5_ABC "900150983cd24fb0d6963f7d28e17f72"

static void digests(void **state)
{
    static const char *const onnx[] = {"onnx", NULL};
    static const char *const good[] = {
        OWN "sha256: {onnx: " SHA_ABC "}\n", OWN "sha256: {onnx: " SHA_UP "}\n",
        OWN "md5: {onnx: '" MD5_ABC "'}\n",
        OWN "md5: {onnx: '" MD5_ABC "'}\nsha256: {onnx: " SHA_ABC "}\n"};
    const char *format;
    struct assay_err err;
    char *path;
    size_t i;

    (void)state;
    put("own.onnx", "abc");
    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        if (find_file(good[i], onnx, &path, &format, &err))
            fail_msg("%s", err.text);
        free(path);
    }
    put("own.onnx", "abd");
    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(find_file(good[i], onnx, &path, &format, &err), ASSAY_EFAIL);
        assert_non_null(strstr(err.text, "/own.onnx: is not the file that "));
        assert_non_null(strstr(err.text, "wanted "));
        assert_null(path);
    }
}

/* The manifests that are delivered are good. */
static void delivered_manifests(void **state)
{
    static const char *const files[] = {"resnet50-official.yaml", "resnet50-synthetic.yaml"};
    struct assay_err err;
    struct manifest m;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        char *path = file_join(ASSAY_SOURCE "/benchmarks/resnet50", files[i]);

        if (manifest_open(path, &m, &err))
            fail_msg("%s", err.text);
        manifest_release(&m);
        free(path);
    }
}

/* One example of docs/models.md, as the program and the benchmark read it. */
static void check_example(const char *yaml, size_t len)
{
    struct assay_benchmark_config c = {
        .size = sizeof(c), .threads = 1, .count = 1, .cache_dir = dir};
    struct assay_benchmark_desc desc = {.size = sizeof(desc)};
    const struct assay_benchmark *b = NULL;
    struct assay_err err;
    struct manifest m;
    char path[1024], *json;
    void *self = NULL;

    if (manifest_parse(yaml, len, "docs/models.md", &m, &err) ||
        bench_load(m.benchmark, &b, path, &err))
        fail_msg("%s", err.text);
    c.manifest = json = json_dumps(m.tree, 0);
    if (b->open(&c, &self, &err) || b->describe(self, &desc, &err))
        fail_msg("%s: %s", m.name, err.text);
    assert_int_equal(desc.inputs[0].rank, 3);
    b->close(self);
    free(json);
    manifest_release(&m);
}

static void the_page_is_right(void **state)
{
    char *page, *at, *end;
    struct assay_err err;
    int n = 0;

    (void)state;
    setenv("ASSAY_PREFIX", real_prefix, 1);
    if (file_read(ASSAY_SOURCE "/docs/models.md", 1 << 20, &page, NULL, &err))
        fail_msg("%s", err.text);
    for (at = page; (at = strstr(at, "```yaml\n")); at = end, n++) {
        at += 8;
        end = strstr(at, "```");
        assert_non_null(end);
        check_example(at, (size_t)(end - at));
    }
    assert_int_equal(n, 4);
    free(page);
}

static void sizes_of_a_net(void **state)
{
    static const char *const bad[][2] = {
        {"row=5", "--sizes: the model 'own' has no size 'row'; did you mean 'rows'"},
        {"quite=5", "--sizes: the model 'own' has no size 'quite'; there is 'rows'"},
        {"rows=0", "--sizes: rows: '0' is no whole number from 1 to 2147483647"},
        {"rows=5x", "--sizes: rows: '5x' is no whole number"},
        {"rows=", "--sizes: rows: '' is no whole number"},
        {"rows=2147483648", "--sizes: rows: '2147483648' is no whole number"},
        {"rows=5,more", "--sizes: 'more' is no name=number"}};
    struct assay_err err;
    struct manifest m;

    (void)state;
    assert_int_equal(parse(HEAD "net: dlrm\nsizes: {rows: 10, more: 2}\n", &m, &err), 0);
    assert_string_equal(m.net, "dlrm:rows=10,more=2");
    assert_int_equal(manifest_set_sizes(&m, "more=3,rows=2147483647", &err), 0);
    assert_string_equal(m.net, "dlrm:rows=2147483647,more=3");
    assert_int_equal(json_integer_value(json_object_get(json_object_get(m.tree, "sizes"), "more")),
                     3);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(manifest_set_sizes(&m, bad[i][0], &err), ASSAY_EUSAGE);
        if (!strstr(err.text, bad[i][1]))
            fail_msg("'%s', not '%s'", err.text, bad[i][1]);
    }
    manifest_release(&m);
    assert_int_equal(parse(HEAD "net: bert\n", &m, &err), 0);
    assert_int_equal(manifest_set_sizes(&m, "rows=5", &err), ASSAY_EUSAGE);
    assert_non_null(strstr(err.text, "--sizes: there are none to choose for the model 'own'"));
    manifest_release(&m);
}

#define SEVERAL                                                                                    \
    HEAD "files: {onnx: a.onnx, tensorflow: a.pb}\nsha256: {tensorflow: ab}\n"                     \
         "recipes: {onnx: a-onnx, tensorflow: a-tensorflow}\n"                                     \
         "names: {onnx: own-onnx, tensorflow: own-tensorflow}\n"                                   \
         "input: {layout: NCHW, size: 224, mean: [1, 2]}\n"                                        \
         "formats: {tensorflow: {input: {layout: NHWC, mean: 0}, output: {kind: argmax}}}\n"

/* As the tree of this one. */
static void assert_tree(const struct manifest *m, const char *text)
{
    struct manifest want;
    struct assay_err err;

    if (parse(text, &want, &err))
        fail_msg("%s", err.text);
    if (!json_equal(m->tree, want.tree))
        fail_msg("%s, not %s", json_dumps(m->tree, 0), json_dumps(want.tree, 0));
    manifest_release(&want);
}

static void what_a_format_says(void **state)
{
    static const char tensorflow[] =
        HEAD "files: {tensorflow: a.pb}\nsha256: {tensorflow: ab}\n"
             "recipes: {tensorflow: a-tensorflow}\n"
             "input: {layout: NHWC, size: 224, mean: 0}\noutput: {kind: argmax}\n";
    static const char onnx[] = HEAD "files: {onnx: a.onnx}\nrecipes: {onnx: a-onnx}\n"
                                    "input: {layout: NCHW, size: 224, mean: [1, 2]}\n";
    struct assay_err err;
    struct manifest m;

    (void)state;
    assert_int_equal(parse(SEVERAL, &m, &err), 0);
    manifest_settle(&m, "tensorflow");
    assert_tree(&m, tensorflow);
    manifest_settle(&m, "onnx"); /* too late */
    assert_tree(&m, tensorflow);
    manifest_release(&m);
    assert_int_equal(parse(SEVERAL, &m, &err), 0);
    manifest_settle(&m, NULL);
    assert_tree(&m, onnx);
    manifest_release(&m);
    assert_int_equal(parse(OWN "input: {}\n", &m, &err), 0); /* one that has no `formats` */
    manifest_settle(&m, "onnx");
    assert_tree(&m, OWN "input: {}\n");
    manifest_release(&m);
}

/* By its other names, it is of one format, and has that name. */
static void names_of_formats(void **state)
{
    static const char *const names[] = {"own", "own-onnx", "own-tensorflow"};
    static const size_t formats[] = {2, 1, 1};
    struct assay_err err;
    struct manifest m;
    json_t *list, *item;

    (void)state;
    put("config/models/several.yaml", SEVERAL);
    list = manifest_list();
    assert_int_equal(json_array_size(list), 3);
    for (size_t i = 0; i < 3; i++) {
        item = json_array_get(list, i);
        assert_string_equal(tree_text(item, "name", ""), names[i]);
        assert_int_equal(json_array_size(json_object_get(item, "formats")), formats[i]);
        if (manifest_open(names[i], &m, &err))
            fail_msg("%s", err.text);
        assert_string_equal(m.name, names[i]);
        assert_int_equal(json_object_size(json_object_get(m.tree, "files")), formats[i]);
        manifest_release(&m);
    }
    json_decref(list);
    assert_int_equal(manifest_open("own-tensorflow", &m, &err), 0);
    assert_string_equal(tree_text(json_object_get(m.tree, "input"), "layout", ""), "NHWC");
    manifest_release(&m);
    assert_no_model("own-tensorflov", ASSAY_EUSAGE, "did you mean 'own-tensorflow'?");
}

/* The least of several targets counts; what became of each is told. */
static void targets(void **state)
{
    static const struct {
        const char *tree;
        double target;
    } good[] = {{"{\"reference_accuracy\": 90}", 89.1},
                {"{\"reference_accuracy\": 90, \"target\": 99.9}", 89.91},
                {"{\"reference_accuracy\": 90, \"target\": [99.9, 99]}", 89.1}};
    static const char *const bad[] = {"{\"target\": 0}", "{\"target\": 101}", "{\"target\": []}",
                                      "{\"target\": [99, 101]}", "{\"target\": [99, \"x\"]}"};
    double reference, target;
    struct assay_err err;
    json_t *tree, *all;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        tree = json_loads(good[i].tree, 0, NULL);
        assert_int_equal(block_target(tree, "percent", &reference, &target, &err), 0);
        assert_float_equal(target, good[i].target, 1e-9);
        assert_null(block_targets(tree, NAN, 89.5));
        all = block_targets(tree, target, 89.5);
        assert_int_equal(json_array_size(all), i == 2 ? 2 : 0);
        json_decref(tree);
        if (i < 2)
            assert_null(all);
    }
    assert_float_equal(tree_real(json_array_get(all, 0), "share", 0), 99, 0);
    assert_true(tree_bool(json_array_get(all, 0), "passed", false));
    assert_float_equal(tree_real(json_array_get(all, 1), "target", 0), 89.91, 1e-9);
    assert_false(tree_bool(json_array_get(all, 1), "passed", true));
    json_decref(all);
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        tree = json_loads(bad[i], 0, NULL);
        assert_int_equal(block_target(tree, "percent", &reference, &target, &err), ASSAY_EUSAGE);
        assert_non_null(strstr(err.text, "target must be a share of reference_accuracy"));
        json_decref(tree);
    }
    tree = json_loads("{\"reference_accuracy\": 0.95}", 0, NULL);
    assert_int_equal(block_target(tree, "percent", &reference, &target, &err), ASSAY_EUSAGE);
    assert_non_null(strstr(err.text, "0.95 is a fraction, and percent is meant: 95 (percent)"));
    json_decref(tree);
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH(good_manifests),      EACH(bad_manifests),
        EACH(by_name_and_by_file), EACH(listing),
        EACH(model_files),         EACH(digests),
        EACH(delivered_manifests), EACH(the_page_is_right),
        EACH(sizes_of_a_net),      EACH(what_a_format_says),
        EACH(names_of_formats),    EACH(targets),
    };

    snprintf(real_prefix, sizeof(real_prefix), "%s",
             getenv("ASSAY_PREFIX") ? getenv("ASSAY_PREFIX") : "");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
