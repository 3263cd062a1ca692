/* Finds, reads and checks manifests, and picks the file that an engine can read. */
#include "data/manifest.h"

#include <dirent.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/text.h"
#include "base/tree.h"

enum frame_type {
    FRAME_ANY,
    FRAME_TEXT,
    FRAME_WHOLE,
    FRAME_NUMBER,
    FRAME_FLAG,
    FRAME_MAP,
    FRAME_TEXTS,
    FRAME_NETS,
    FRAME_SIZES,
    FRAME_LIST,
    FRAME_MAPS,
    FRAME_SHARES
};

static const char *const frame_words[] = {
    "anything",
    "a text (in quotes if it looks like a number)",
    "a whole number",
    "a number",
    "true or false",
    "a mapping of keys to values",
    "a mapping of formats to texts (in quotes if they look like numbers)",
    "the name of a net, or a mapping of graphs to nets",
    "a mapping of names to whole numbers from 1",
    "a list of texts",
    "a mapping of formats to mappings",
    "a number, or a list of numbers"};

/* What every manifest may have; what is below input and output is the benchmark's to check. */
static const struct frame_key {
    const char *name;
    int type;
} frame_keys[] = {
    {"schema", FRAME_WHOLE},    {"name", FRAME_TEXT},          {"benchmark", FRAME_TEXT},
    {"files", FRAME_TEXTS},     {"net", FRAME_NETS},           {"synthetic", FRAME_FLAG},
    {"precision", FRAME_TEXT},  {"md5", FRAME_TEXTS},          {"sha256", FRAME_TEXTS},
    {"input", FRAME_MAP},       {"output", FRAME_MAP},         {"reference_accuracy", FRAME_NUMBER},
    {"target", FRAME_SHARES},   {"source", FRAME_ANY},         {"licence", FRAME_ANY},
    {"notes", FRAME_ANY},       {"recipes", FRAME_TEXTS},      {"sizes", FRAME_SIZES},
    {"precisions", FRAME_LIST}, {"loadgen_model", FRAME_TEXT}, {"formats", FRAME_MAPS},
    {"names", FRAME_TEXTS}};
#define FRAME_KEYS (sizeof(frame_keys) / sizeof(frame_keys[0]))

/* Those that may also stand below `formats`. */
static const char *const format_keys[] = {"input", "output", "source", "licence", "notes", NULL};

static bool is_format_key(const char *key)
{
    const char *const *k = format_keys;

    while (*k && strcmp(*k, key) != 0)
        k++;
    return *k != NULL;
}

static bool is_manifest_name(const char *file)
{
    size_t n = strlen(file);

    return (n > 5 && !strcmp(file + n - 5, ".yaml")) || (n > 4 && !strcmp(file + n - 4, ".yml"));
}

static bool has_type(json_t *v, int type)
{
    const char *key;
    json_t *one;
    bool good = json_is_object(v);
    size_t i;

    switch (type) {
    case FRAME_TEXT:
        return json_is_string(v);
    case FRAME_WHOLE:
        return json_is_integer(v);
    case FRAME_NUMBER:
        return json_is_number(v);
    case FRAME_FLAG:
        return json_is_boolean(v);
    case FRAME_MAP:
        return good;
    case FRAME_NETS:
        if (json_is_string(v) || !json_object_size(v))
            return json_is_string(v);
        /* fall through */
    case FRAME_TEXTS:
        json_object_foreach(v, key, one) good = good && json_is_string(one);
        return good;
    case FRAME_SHARES:
        good = json_is_number(v) || json_array_size(v) > 0;
        json_array_foreach(v, i, one) good = good && json_is_number(one);
        return good;
    case FRAME_MAPS:
        json_object_foreach(v, key, one) good = good && json_is_object(one);
        return good;
    case FRAME_SIZES:
        json_object_foreach(v, key, one) good = good && json_integer_value(one) > 0;
        return good;
    case FRAME_LIST:
        good = json_array_size(v) > 0;
        json_array_foreach(v, i, one) good = good && json_is_string(one);
        return good;
    default:
        return true;
    }
}

/* below: "", or where in the manifest the tree is, with a dot: only keys of a format are taken. */
static int check_keys(const struct manifest *m, const json_t *tree, const char *below,
                      struct assay_err *err)
{
    const char *key, *near;
    json_t *v;
    size_t i;

    json_object_foreach((json_t *)(uintptr_t)tree, key, v)
    {
        for (i = 0; i < FRAME_KEYS && strcmp(key, frame_keys[i].name) != 0; i++)
            ;
        if (i < FRAME_KEYS && *below && !is_format_key(key))
            return assay_fail(err, ASSAY_EUSAGE, "%s: '%.80s%s' is not to be set by format",
                              m->file, below, key);
        if (i < FRAME_KEYS && has_type(v, frame_keys[i].type))
            continue;
        if (i < FRAME_KEYS)
            return assay_fail(err, ASSAY_EUSAGE, "%s: '%.80s%s' must be %s", m->file, below, key,
                              frame_words[frame_keys[i].type]);
        near = text_nearest(key, frame_keys, FRAME_KEYS, sizeof(frame_keys[0]));
        return assay_fail(err, ASSAY_EUSAGE, "%s: unknown key '%.80s%.60s'%s%s%s", m->file, below,
                          key, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    }
    return ASSAY_OK;
}

/* A digest (or a recipe) under a name that is no format of files would never be looked at. */
static int check_format_keys(const struct manifest *m, const char *digest, struct assay_err *err)
{
    const json_t *files = json_object_get(m->tree, "files");
    const char *key;
    json_t *v;

    json_object_foreach(json_object_get(m->tree, digest), key, v)
    {
        if (!json_object_get(files, key))
            return assay_fail(err, ASSAY_EUSAGE,
                              "%s: %s: '%.60s' is no format of 'files'; wanted: one for a "
                              "format, as in {onnx: ...}",
                              m->file, digest, key);
    }
    return ASSAY_OK;
}

static int check_formats(const struct manifest *m, struct assay_err *err)
{
    static const char *const by_format[] = {"md5", "sha256", "recipes", "formats", "names"};
    const char *format;
    char below[80];
    json_t *own;
    int rc = ASSAY_OK;

    for (size_t i = 0; !rc && i < sizeof(by_format) / sizeof(by_format[0]); i++)
        rc = check_format_keys(m, by_format[i], err);
    json_object_foreach(json_object_get(m->tree, "formats"), format, own)
    {
        snprintf(below, sizeof(below), "formats.%s.", format);
        rc = rc ? rc : check_keys(m, own, below, err);
    }
    return rc;
}

/* A graph's name becomes that of its file. */
static int read_nets(struct manifest *m, struct assay_err *err)
{
    struct text all;
    const char *graph;
    json_t *net;

    text_init(&all, 200);
    json_object_foreach(json_object_get(m->tree, "net"), graph, net)
    {
        text_addf(&all, "%s%s", all.len ? "+" : "", json_string_value(net));
        if (!graph[0] || graph[0] == '.' || strchr(graph, '/') || strlen(graph) > 60)
            all.cut = true;
    }
    m->nets = json_object_get(m->tree, "net");
    m->net = m->net_names = text_take(&all);
    return m->net ? ASSAY_OK
                  : assay_fail(err, ASSAY_EUSAGE,
                               "%s: net: wanted: a few graphs with names like 'encoder', and the "
                               "net of each",
                               m->file);
}

/* Behind the net's name, as net.h takes them: "dlrm:rows=1000". */
static int add_sizes(struct manifest *m, struct assay_err *err)
{
    json_t *sizes = json_object_get(m->tree, "sizes"), *size;
    struct text all;
    const char *name;

    if (!json_object_size(sizes))
        return ASSAY_OK;
    if (!m->net || m->nets)
        return assay_fail(err, ASSAY_EUSAGE, "%s: 'sizes' are those of one net, and it names %s",
                          m->file, m->nets ? "several" : "none");
    text_init(&all, 200);
    text_add(&all, tree_text(m->tree, "net", ""));
    json_object_foreach(sizes, name, size)
    {
        text_addf(&all, "%c%s=%lld", strchr(all.s, ':') ? ',' : ':', name,
                  (long long)json_integer_value(size));
    }
    free(m->net_names);
    m->net = m->net_names = text_take(&all);
    return m->net ? ASSAY_OK : assay_fail(err, ASSAY_EUSAGE, "%s: too many 'sizes'", m->file);
}

static int read_net(struct manifest *m, struct assay_err *err)
{
    int rc = ASSAY_OK;

    m->net = tree_text(m->tree, "net", NULL);
    if (json_is_object(json_object_get(m->tree, "net")))
        rc = read_nets(m, err);
    return rc ? rc : add_sizes(m, err);
}

static int no_such_size(const struct manifest *m, const char *name, struct assay_err *err)
{
    const char *names[16], *near, *key;
    json_t *v;
    size_t n = 0;

    json_object_foreach(json_object_get(m->tree, "sizes"), key, v) if (n < 16) names[n++] = key;
    if (!n)
        return assay_fail(err, ASSAY_EUSAGE, "--sizes: there are none to choose for the model '%s'",
                          m->name);
    near = text_nearest(name, names, n, sizeof(names[0]));
    return assay_fail(err, ASSAY_EUSAGE, "--sizes: the model '%s' has no size '%.60s'; %s '%s'",
                      m->name, name, near ? "did you mean" : "there is", near ? near : names[0]);
}

int manifest_set_sizes(struct manifest *m, const char *sizes, struct assay_err *err)
{
    char one[120], *equal, *end;
    long long n;
    size_t len;

    for (; *sizes; sizes += len + (sizes[len] == ',')) {
        len = strcspn(sizes, ",");
        snprintf(one, sizeof(one), "%.*s", (int)len, sizes);
        if (!(equal = strchr(one, '=')))
            return assay_fail(err, ASSAY_EUSAGE, "--sizes: '%s' is no name=number", one);
        *equal = 0;
        if (!json_object_get(json_object_get(m->tree, "sizes"), one))
            return no_such_size(m, one, err);
        n = strtoll(equal + 1, &end, 10);
        if (end == equal + 1 || *end || n < 1 || n > INT32_MAX)
            return assay_fail(err, ASSAY_EUSAGE,
                              "--sizes: %s: '%s' is no whole number from 1 to %d", one, equal + 1,
                              INT32_MAX);
        json_object_set_new(json_object_get(m->tree, "sizes"), one, json_integer(n));
    }
    return add_sizes(m, err);
}

static int check_frame(struct manifest *m, struct assay_err *err)
{
    json_t *files;
    int rc;

    if (!json_is_object(m->tree))
        return assay_fail(err, ASSAY_EUSAGE, "%s: a manifest is a mapping of keys to values",
                          m->file);
    if ((rc = check_keys(m, m->tree, "", err)))
        return rc;
    if (tree_int(m->tree, "schema", 0) != 1)
        return assay_fail(err, ASSAY_EUSAGE, "%s: 'schema: 1' is wanted", m->file);
    m->name = tree_text(m->tree, "name", NULL);
    m->benchmark = tree_text(m->tree, "benchmark", NULL);
    if ((rc = read_net(m, err)))
        return rc;
    m->synthetic = tree_bool(m->tree, "synthetic", m->net != NULL);
    files = json_object_get(m->tree, "files");
    if (!m->name || !*m->name || !m->benchmark || !*m->benchmark)
        return assay_fail(err, ASSAY_EUSAGE, "%s: 'name' and 'benchmark' are wanted", m->file);
    if (m->net && !m->synthetic)
        return assay_fail(err, ASSAY_EUSAGE,
                          "%s: a net has synthetic weights: 'synthetic: false' is not true",
                          m->file);
    if (!m->net == !files || (files && !json_object_size(files)))
        return assay_fail(err, ASSAY_EUSAGE,
                          "%s: one of 'files' (format: file) and 'net' is wanted", m->file);
    return check_formats(m, err);
}

/* Leaves of the manifest what is said of one format. */
static void keep_format(struct manifest *m, const char *format)
{
    static const char *const by_format[] = {"files", "md5", "sha256", "recipes"};
    json_t *own = json_object_get(json_object_get(m->tree, "formats"), format), *all, *one;

    for (size_t i = 0; i < sizeof(by_format) / sizeof(by_format[0]); i++) {
        if (!(all = json_object_get(m->tree, by_format[i])))
            continue;
        one = json_incref(json_object_get(all, format));
        json_object_clear(all);
        if (one)
            json_object_set_new(all, format, one);
        else
            json_object_del(m->tree, by_format[i]);
    }
    if (own)
        json_object_update_recursive(m->tree, own);
    json_object_del(m->tree, "formats");
    json_object_del(m->tree, "names");
}

void manifest_settle(struct manifest *m, const char *format)
{
    json_t *files = json_object_get(m->tree, "files");
    char first[80]; /* keep_format empties what the key is a part of */

    if (!format && (format = json_object_iter_key(json_object_iter(files)))) {
        snprintf(first, sizeof(first), "%s", format);
        format = first;
    }
    if (format && json_object_get(files, format) &&
        (json_object_get(m->tree, "formats") || json_object_get(m->tree, "names")))
        keep_format(m, format);
}

/* As which of `names` it was asked for: the model in that format alone, and it is called so. */
static void take_name(struct manifest *m, const char *model)
{
    json_t *names = json_object_get(m->tree, "names"), *name;
    const char *format;

    json_object_foreach(names, format, name)
    {
        if (strcmp(json_string_value(name), model) != 0)
            continue;
        json_object_set(m->tree, "name", name);
        m->name = tree_text(m->tree, "name", NULL);
        keep_format(m, format);
        return;
    }
}

int manifest_parse(const char *text, size_t len, const char *file, struct manifest *m,
                   struct assay_err *err)
{
    int rc;

    memset(m, 0, sizeof(*m));
    m->file = file_absolute(file);
    if (!m->file)
        return assay_fail(err, ASSAY_EFAIL, "%s: not enough memory", file);
    rc = tree_parse_yaml(text, len, m->file, &m->tree, err);
    if (!rc)
        rc = check_frame(m, err);
    if (rc)
        manifest_release(m);
    return rc;
}

static int read_manifest(const char *file, struct manifest *m, struct assay_err *err)
{
    char *text = NULL;
    size_t len;
    int rc;

    memset(m, 0, sizeof(*m));
    rc = file_read(file, TREE_MAX_BYTES, &text, &len, err);
    if (!rc)
        rc = manifest_parse(text, len, file, m, err);
    free(text);
    return rc;
}

/* The folders that hold named manifests: the user's first. */
static char *manifest_folder(int i)
{
    char *config, *dir;

    if (i == 1)
        return file_prefix_join("share/assay/models");
    config = file_config_dir();
    dir = config ? file_join(config, "models") : NULL;
    free(config);
    return dir;
}

/* The file of a named manifest: NAME.yaml or NAME.yml first, so that what is wrong with it can be
 * said, else one that calls itself so. NULL: none. */
static char *find_named(const char *model, const json_t *list)
{
    static const char *const ends[] = {"yaml", "yml"};
    const json_t *v;
    size_t i;

    for (i = 0; i < 4; i++) {
        char *dir = manifest_folder((int)i / 2),
             *file = dir ? text_format("%s/%s.%s", dir, model, ends[i % 2]) : NULL;

        free(dir);
        if (file && file_exists(file))
            return file;
        free(file);
    }
    json_array_foreach(list, i, v)
    {
        if (!strcmp(model, tree_text(v, "name", "")))
            return strdup(tree_text(v, "file", ""));
    }
    return NULL;
}

static int no_such_model(const char *model, const json_t *list, struct assay_err *err)
{
    const char *names[256], *near;
    const json_t *v;
    size_t i, n = 0;

    json_array_foreach(list, i, v) if (n < 256) names[n++] = tree_text(v, "name", "");
    near = text_nearest(model, names, n, sizeof(names[0]));
    return assay_fail(err, ASSAY_EUSAGE,
                      "there is no model '%s'%s%s%s; `assay models` lists them, and the path of "
                      "a .yaml manifest names your own",
                      model, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

/* The line of the key that the words begin with, "input.size must …"; 0: not known. */
static size_t line_of(const char *file, const char *words)
{
    const char *path[8] = {NULL};
    char key[160], *rest = key, *text = NULL;
    size_t len, line = 0, n = 0;

    if (!strncmp(words, "unknown key ", 12))
        words += 12;
    snprintf(
        key, sizeof(key), "%.*s",
        (int)strspn(words, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"),
        words);
    while (n < 7 && (path[n] = strsep(&rest, ".")))
        n++;
    if (!file_read(file, 1 << 20, &text, &len, NULL))
        line = tree_line(text, len, path);
    free(text);
    return line;
}

int manifest_place(const struct manifest *m, int rc, struct assay_err *err)
{
    static const char start[] = "manifest of '";
    struct assay_err why;
    const char *words;
    size_t line;

    if (!rc || !err || !m->file || strncmp(err->text, start, sizeof(start) - 1) ||
        !(words = strstr(err->text, "': ")))
        return rc;
    why = *err;
    words = why.text + (words + 3 - err->text);
    line = line_of(m->file, words);
    return line ? assay_fail(err, rc, "%s:%zu: %s", m->file, line, words)
                : assay_fail(err, rc, "%s: %s", m->file, words);
}

int manifest_open(const char *model, struct manifest *m, struct assay_err *err)
{
    json_t *list;
    char *file;
    int rc;

    if (is_manifest_name(model))
        return read_manifest(model, m, err);
    list = strchr(model, '/') ? NULL : manifest_list();
    file = list ? find_named(model, list) : NULL;
    if (!file && (!list || file_exists(model))) { /* the weights themselves */
        json_decref(list);
        return assay_fail(err, ASSAY_EUSAGE,
                          "%s: a model is named by its manifest (a .yaml file that says how to "
                          "feed it; `assay models new` makes one of an ONNX file, see "
                          "docs/models.md)",
                          model);
    }
    rc = file ? read_manifest(file, m, err) : no_such_model(model, list, err);
    if (!rc && strcmp(m->name, model) != 0)
        take_name(m, model);
    free(file);
    json_decref(list);
    return rc;
}

void manifest_release(struct manifest *m)
{
    free(m->file);
    free(m->net_names);
    json_decref(m->tree);
    memset(m, 0, sizeof(*m));
}

static int file_md5(const char *path, char hex[33], struct assay_err *err)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    FILE *f = fopen(path, "rb");
    unsigned char buf[65536], md[16] = {0};
    size_t n;
    int i, rc = ASSAY_EFAIL;

    if (!f || !ctx || EVP_DigestInit_ex(ctx, EVP_md5(), NULL) != 1) {
        assay_fail(err, ASSAY_EFAIL, "%s: its MD5 cannot be computed", path);
        goto out;
    }
    while ((n = fread(buf, 1, sizeof(buf), f)) > 0)
        EVP_DigestUpdate(ctx, buf, n);
    EVP_DigestFinal_ex(ctx, md, NULL);
    for (i = 0; i < 16; i++)
        snprintf(hex + 2 * i, 3, "%02x", md[i]);
    rc = ASSAY_OK;
out:
    if (f)
        fclose(f);
    EVP_MD_CTX_free(ctx);
    return rc;
}

static int check_digest(const struct manifest *m, const char *path, const char *format,
                        struct assay_err *err)
{
    const char *md5 = tree_text(json_object_get(m->tree, "md5"), format, NULL);
    const char *sha = tree_text(json_object_get(m->tree, "sha256"), format, NULL);
    char hex[HASH_HEX];
    int rc = ASSAY_OK;

    if (md5 && file_is_dir(path))
        rc = assay_fail(err, ASSAY_EUSAGE,
                        "%s: 'md5' is that of a file, and %s is a folder; give 'sha256', which "
                        "counts its files' names and contents",
                        m->file, path);
    if (!rc && sha && !(rc = hash_tree(path, hex, err)) && strcasecmp(hex, sha) != 0)
        rc = assay_fail(err, ASSAY_EFAIL,
                        "%s: is not the file that %s describes: SHA-256 %s, wanted %s", path,
                        m->file, hex, sha);
    if (!rc && md5 && !(rc = file_md5(path, hex, err)) && strcasecmp(hex, md5) != 0)
        rc =
            assay_fail(err, ASSAY_EFAIL, "%s: is not the file that %s describes: MD5 %s, wanted %s",
                       path, m->file, hex, md5);
    return rc;
}

/* The first format that both have, and where its file should be (malloc'ed). */
static const char *format_of(const struct manifest *m, const char *const *formats)
{
    const json_t *files = json_object_get(m->tree, "files");

    for (; *formats; formats++)
        if (tree_text(files, *formats, NULL))
            return *formats;
    return NULL;
}

static char *place_of(const struct manifest *m, const char *format)
{
    char *name = file_expand_home(tree_text(json_object_get(m->tree, "files"), format, ""));
    char *dir = strdup(m->file), *path = NULL;

    if (dir && name) {
        *strrchr(dir, '/') = 0;
        path = name[0] == '/' ? strdup(name) : file_join(dir, name);
    }
    free(name);
    free(dir);
    return path;
}

static int no_format(const struct manifest *m, struct assay_err *err)
{
    struct text have;
    const char *key;
    json_t *v;

    text_init(&have, 256);
    json_object_foreach(json_object_get(m->tree, "files"), key, v)
        text_addf(&have, "%s%s", have.len ? ", " : "", key);
    assay_fail(err, ASSAY_EUNSUPPORTED,
               "the model '%s' has no file that this engine reads; it has: %s", m->name, have.s);
    text_release(&have);
    return ASSAY_EUNSUPPORTED;
}

bool manifest_wants(const struct manifest *m, const char *const *formats, const char **format,
                    const char **recipe)
{
    char *path;
    bool wants;

    if (!(*format = format_of(m, formats)))
        return false;
    *recipe = tree_text(json_object_get(m->tree, "recipes"), *format, NULL);
    path = place_of(m, *format);
    wants = *recipe && path && !file_exists(path);
    free(path);
    return wants;
}

int manifest_file(const struct manifest *m, const char *const *formats, char **path,
                  const char **format, struct assay_err *err)
{
    int rc;

    if (!(*format = format_of(m, formats)))
        return no_format(m, err);
    if (!(*path = place_of(m, *format)))
        return assay_fail(err, ASSAY_EFAIL, "%s: not enough memory", m->file);
    if (!file_exists(*path))
        rc = assay_fail(err, ASSAY_EFAIL, "%s: the model file is missing (named by %s)", *path,
                        m->file);
    else
        rc = check_digest(m, *path, *format, err);
    if (rc) {
        free(*path);
        *path = NULL;
    }
    return rc;
}

static int is_manifest_entry(const struct dirent *e)
{
    return is_manifest_name(e->d_name);
}

static void list_name(const struct manifest *m, const char *name, json_t *formats, json_t *list)
{
    json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:b, s:o}", "name", name, "benchmark",
                                          m->benchmark, "file", m->file, "synthetic",
                                          (int)m->synthetic, "formats", formats));
}

/* What cannot be read is left out: naming it says why. */
static void list_manifest(const char *file, json_t *list)
{
    json_t *formats, *v;
    struct manifest m;
    const char *key;

    if (!file || read_manifest(file, &m, NULL))
        return;
    formats = json_array();
    json_object_foreach(json_object_get(m.tree, "files"), key, v)
        json_array_append_new(formats, json_string(key));
    list_name(&m, m.name, formats, list);
    json_object_foreach(json_object_get(m.tree, "names"), key, v)
        list_name(&m, json_string_value(v), json_pack("[s]", key), list);
    manifest_release(&m);
}

static void list_folder(const char *dir, json_t *list)
{
    struct dirent **entries;
    int i, n = scandir(dir, &entries, is_manifest_entry, alphasort);

    for (i = 0; i < n; i++) {
        char *file = file_join(dir, entries[i]->d_name);

        list_manifest(file, list);
        free(file);
        free(entries[i]);
    }
    if (n >= 0)
        free(entries);
}

json_t *manifest_list(void)
{
    json_t *list = json_array();
    int i;

    for (i = 0; i < 2; i++) {
        char *dir = manifest_folder(i);

        if (dir)
            list_folder(dir, list);
        free(dir);
    }
    return list;
}
