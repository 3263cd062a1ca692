/* assay recipes: the recipes that are known, one in full, whether a file is one. */
#include "cli/recipes.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/tree.h"
#include "flow/version.h"

static int open_catalog(struct cli_input *in, struct catalog *c)
{
    char *cache = in->settings.cache ? file_absolute(in->settings.cache) : file_cache_dir();
    struct assay_err err = {.code = ASSAY_EFAIL, .text = "not enough memory"};
    int rc = cache ? catalog_open(cache, c, &err) : ASSAY_EFAIL;

    free(cache);
    return rc ? cli_fail(&err) : EXIT_OK;
}

/* ",a,b," as an array of texts. */
static json_t *comma_list(const char *list)
{
    json_t *array = json_array();

    for (size_t n; *list; list += n) {
        list += *list == ',';
        n = strcspn(list, ",");
        if (n)
            json_array_append_new(array, json_stringn(list, n));
    }
    return array;
}

static json_t *entry_json(const struct catalog_entry *e)
{
    if (*e->error)
        return json_pack("{s:s, s:s}", "file", e->file, "error", e->error);
    return json_pack("{s:s, s:s, s:s, s:o, s:o, s:s}", "name", e->name, "version", e->version,
                     "summary", e->summary, "tags", comma_list(e->tags), "options",
                     comma_list(e->options), "file", e->file);
}

static void print_row(struct cli_table *t, const struct catalog_entry *e)
{
    char tags[256], options[256];
    json_t *list = comma_list(e->tags);

    cli_join(list, tags, sizeof(tags));
    json_decref(list);
    list = comma_list(e->options);
    cli_join(list, options, sizeof(options));
    json_decref(list);
    cli_table_row(t, (const char *[]){e->name, e->version, tags, options, e->summary});
}

static int list(struct cli_input *in)
{
    static const char *const heading[] = {"NAME", "VERSION", "TAGS", "VARIATIONS", "WHAT", NULL};
    json_t *all = json_array();
    struct cli_table t;
    struct catalog c = {0};
    int rc = open_catalog(in, &c);

    if (rc) {
        json_decref(all);
        return rc;
    }
    cli_table_init(&t, heading);
    for (size_t i = 0; i < c.count; i++) {
        json_array_append_new(all, entry_json(&c.entries[i]));
        if (*c.entries[i].error)
            cli_warn("%s", c.entries[i].error);
        else
            print_row(&t, &c.entries[i]);
    }
    if (cli_wants_json(in)) {
        json_decref(t.rows);
        rc = cli_json(json_pack("{s:o, s:o}", "recipes", all, "folders", catalog_folders()),
                      "recipes");
    } else {
        cli_table_print(&t, stdout);
        json_decref(all);
    }
    catalog_close(&c);
    return rc;
}

/* The file of what is named: a path, or words; of several versions the highest. */
static int file_of(struct cli_input *in, const char *name, char **file, struct assay_err *err)
{
    const struct catalog_entry *best = NULL;
    size_t *at, n;
    json_t *words;
    struct catalog c = {0};
    int rc;

    *file = NULL;
    if (strchr(name, '/') || file_exists(name))
        return (*file = strdup(name)) ? ASSAY_OK : assay_fail(err, ASSAY_EFAIL, "no memory");
    if (!(words = catalog_words(name, err)))
        return ASSAY_EUSAGE;
    if (open_catalog(in, &c)) {
        json_decref(words);
        return assay_fail(err, ASSAY_EFAIL, "the recipes cannot be listed");
    }
    at = calloc(c.count + 1, sizeof(*at));
    n = at ? catalog_find(&c, words, at) : 0;
    for (size_t i = 0; i < n; i++) {
        const struct catalog_entry *e = &c.entries[at[i]];

        if (!best || (!strcmp(e->name, name) && strcmp(best->name, name) != 0) ||
            (!strcmp(best->name, e->name) && version_compare(best->version, e->version) < 0))
            best = e;
    }
    free(at);
    rc = best ? ASSAY_OK : catalog_none(&c, words, err);
    if (best && !(*file = strdup(best->file)))
        rc = assay_fail(err, ASSAY_EFAIL, "not enough memory");
    catalog_close(&c);
    json_decref(words);
    return rc;
}

static int show(struct cli_input *in)
{
    struct recipe r = {0};
    struct assay_err err;
    char *file, *text = NULL;
    size_t len;
    int rc;

    if (file_of(in, in->args[0], &file, &err))
        return cli_fail(&err);
    if (recipe_read(file, &r, &err)) {
        rc = cli_fail(&err);
    } else if (cli_wants_json(in)) {
        rc = cli_json(json_pack("{s:s, s:O}", "file", r.file, "recipe", r.tree), "recipe");
    } else if (file_read(file, TREE_MAX_BYTES, &text, &len, &err)) {
        rc = cli_fail(&err);
    } else { /* as it was written: its comments are documentation */
        printf("# %s\n", r.file);
        fwrite(text, 1, len, stdout);
        rc = EXIT_OK;
    }
    free(text);
    free(file);
    recipe_release(&r);
    return rc;
}

static int check(struct cli_input *in)
{
    json_t *files = json_array();
    struct assay_err err;
    int code = EXIT_OK;

    for (int i = 0; i < in->count; i++) {
        struct recipe r = {0};
        int rc = recipe_read(in->args[i], &r, &err);

        if (rc && !cli_wants_json(in))
            cli_warn("%s", err.text);
        else if (!cli_wants_json(in))
            printf("%s: a recipe for %s%s%s\n", in->args[i], r.name, *r.version ? " " : "",
                   r.version);
        json_array_append_new(files, json_pack("{s:s, s:b, s:s*}", "file", in->args[i], "good", !rc,
                                               "error", rc ? err.text : NULL));
        if (rc)
            code = rc == ASSAY_EUSAGE && code != EXIT_COULD_NOT ? EXIT_USAGE : EXIT_COULD_NOT;
        recipe_release(&r);
    }
    if (cli_wants_json(in)) {
        int rc = cli_json(json_pack("{s:o}", "files", files), "recipes-check");

        return rc ? rc : code;
    }
    json_decref(files);
    return code;
}

static int schema(struct cli_input *in)
{
    json_t *tree = recipe_schema();

    (void)in;
    json_dumpf(tree, stdout, JSON_INDENT(1) | JSON_SORT_KEYS);
    putchar('\n');
    json_decref(tree);
    return EXIT_OK;
}

static const struct cli_verb verbs[] = {
    {"list", "", "the recipes that are known", list},
    {"show", "RECIPE", "one recipe as it is written; of several versions the highest", show},
    {"check", "FILE...", "whether a file is a recipe, and if not, why", check},
    {"schema", "", "the JSON Schema of recipes, for editors", schema},
    {NULL, NULL, NULL, NULL}};

static const char *const settings[] = {"cache", "json", NULL};

const struct cli_command cli_cmd_recipes = {
    .name = "recipes",
    .summary = "list, show and check recipes",
    .arguments = "",
    .verbs = verbs,
    .settings = settings,
    .help =
        "Recipes are YAML files that say how to find, fetch, build or convert one thing "
        "(docs/recipes.md). They are looked for in the folders of ASSAY_RECIPE_PATH (parted by "
        "':'), in `recipes` of the user's configuration (~/.config/assay/recipes), and among the "
        "installed ones.\n"
        "\n"
        "    assay recipes\n"
        "    assay recipes show bert-onnx\n"
        "    assay recipes check my-tool.yaml",
    .run = list};
