/* assay recipes: the recipes that are known, one in full, whether a file is one; those of others.
 */
#include "cli/recipes.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/tree.h"
#include "flow/sources.h"
#include "flow/version.h"

static char *cache_of(const struct cli_input *in)
{
    return in->settings.cache ? file_absolute(in->settings.cache) : file_cache_dir();
}

static int open_catalog(struct cli_input *in, struct catalog *c)
{
    char *cache = cache_of(in);
    struct assay_err err = {.code = ASSAY_EFAIL, .text = "not enough memory"};
    int rc = cache ? catalog_open(cache, c, &err) : ASSAY_EFAIL;

    free(cache);
    return rc ? cli_fail(&err) : EXIT_OK;
}

static void print_row(struct cli_table *t, const json_t *row)
{
    char tags[256], options[256];

    cli_join(json_object_get(row, "tags"), tags, sizeof(tags));
    cli_join(json_object_get(row, "options"), options, sizeof(options));
    cli_table_row(t, (const char *[]){tree_text(row, "name", ""), tree_text(row, "version", ""),
                                      tags, options, tree_text(row, "summary", "")});
}

static void print_all(const json_t *all)
{
    static const char *const heading[] = {"NAME", "VERSION", "TAGS", "VARIATIONS", "WHAT", NULL};
    struct cli_table t;
    const json_t *row;
    size_t i;

    cli_table_init(&t, heading);
    json_array_foreach(all, i, row) if (!tree_text(row, "error", NULL)) print_row(&t, row);
    cli_table_print(&t, stdout);
}

static int list(struct cli_input *in)
{
    json_t *all, *row;
    struct catalog c = {0};
    size_t i;
    int rc = open_catalog(in, &c);

    if (rc)
        return rc;
    all = catalog_json(&c);
    catalog_close(&c);
    json_array_foreach(all, i, row) if (tree_text(row, "error", NULL))
        cli_warn("%s", tree_text(row, "error", ""));
    if (cli_wants_json(in))
        return cli_json(json_pack("{s:o, s:o}", "recipes", all, "folders", catalog_folders(NULL)),
                        "recipes");
    print_all(all);
    json_decref(all);
    return EXIT_OK;
}

/* The file of what is named: a path, or words, as `assay get` takes them. */
static int file_of(struct cli_input *in, const char *name, char **file, struct assay_err *err)
{
    struct catalog c = {0};
    json_t *words;
    size_t entry;
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
    rc = catalog_one(&c, words, &entry, err);
    /* An open catalog of which one is found has some. NOLINTNEXTLINE(clang-analyzer-core.*) */
    if (!rc && !(*file = strdup(c.entries[entry].file)))
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

/* ---- other people's ---- */

/* "COMMIT" of a repository, "SHA-256" of a folder: as much of it as tells it apart. */
static void print_pin(const json_t *source, char out[32])
{
    snprintf(out, 32, "%.12s", tree_text(source, "commit", tree_text(source, "sha256", "")));
}

static const char *where(const json_t *source)
{
    return tree_text(source, "url", tree_text(source, "path", ""));
}

static int sources(struct cli_input *in)
{
    static const char *const heading[] = {"NAME", "RECIPES", "PINNED", "", "WHERE FROM", NULL};
    char *cache = cache_of(in), count[24], pin[32];
    struct assay_err err = {.code = ASSAY_EFAIL, .text = "not enough memory"};
    json_t *rows = NULL, *row;
    int rc = cache ? sources_list(cache, &rows, &err) : ASSAY_EFAIL;
    struct cli_table t;
    size_t i;

    free(cache);
    if (rc)
        return cli_fail(&err);
    json_array_foreach(rows, i, row) if (json_object_get(row, "error"))
        cli_warn("%s: %s", tree_text(row, "name", ""), tree_text(row, "error", ""));
    if (cli_wants_json(in))
        return cli_json(json_pack("{s:o}", "sources", rows), "recipe-sources");
    cli_table_init(&t, heading);
    json_array_foreach(rows, i, row)
    {
        snprintf(count, sizeof(count), "%lld", (long long)tree_int(row, "recipes", 0));
        print_pin(row, pin);
        cli_table_row(&t, (const char *[]){tree_text(row, "name", ""), count, pin,
                                           tree_bool(row, "changed", false) ? "changed since" : "",
                                           where(row)});
    }
    cli_table_print(&t, stdout);
    json_decref(rows);
    return EXIT_OK;
}

/* What a source has, and which programs that runs. */
static void print_recipes(const json_t *recipes)
{
    static const char *const heading[] = {"NAME", "VERSION", "PROGRAMS", "WHAT", NULL};
    char programs[512];
    struct cli_table t;
    const json_t *row;
    size_t i;

    cli_table_init(&t, heading);
    json_array_foreach(recipes, i, row)
    {
        cli_join(json_object_get(row, "programs"), programs, sizeof(programs));
        cli_table_row(&t,
                      (const char *[]){tree_text(row, "name", ""), tree_text(row, "version", ""),
                                       programs, tree_text(row, "summary", "")});
    }
    cli_table_print(&t, stdout);
}

static int add(struct cli_input *in)
{
    char *cache = cache_of(in), pin[32];
    struct assay_err err = {.code = ASSAY_EFAIL, .text = "not enough memory"};
    json_t *added = NULL;
    int rc = cache ? sources_add(cache, in->args[0], cli_value(in, "name"), in->settings.dry_run,
                                 &added, &err)
                   : ASSAY_EFAIL;

    free(cache);
    if (rc)
        return cli_fail(&err);
    if (cli_wants_json(in))
        return cli_json(added, "recipes-add");
    print_recipes(json_object_get(added, "recipes"));
    print_pin(added, pin);
    printf("%s '%s': %s at %s %s\n",
           tree_bool(added, "added", false) ? "added as" : "would be added as",
           tree_text(added, "name", ""), where(added),
           json_object_get(added, "commit") ? "commit" : "SHA-256", pin);
    json_decref(added);
    return EXIT_OK;
}

static int update(struct cli_input *in)
{
    char *cache = cache_of(in), pin[32];
    struct assay_err err = {.code = ASSAY_EFAIL, .text = "not enough memory"};
    json_t *rows = NULL, *row;
    int rc = cache ? sources_update(cache, in->count ? in->args[0] : NULL, in->settings.dry_run,
                                    &rows, &err)
                   : ASSAY_EFAIL;
    size_t i;

    free(cache);
    if (rc)
        return cli_fail(&err);
    if (cli_wants_json(in))
        return cli_json(json_pack("{s:o}", "sources", rows), "recipes-update");
    json_array_foreach(rows, i, row)
    {
        print_pin(row, pin);
        if (!tree_bool(row, "other", false)) {
            printf("%s: as it was, %s\n", tree_text(row, "name", ""), pin);
            continue;
        }
        print_recipes(json_object_get(row, "recipes"));
        printf("%s: %s %s, was %.12s\n", tree_text(row, "name", ""),
               tree_bool(row, "updated", false) ? "now" : "would be", pin,
               tree_text(row, "was", ""));
    }
    json_decref(rows);
    return EXIT_OK;
}

static int remove_source(struct cli_input *in)
{
    struct assay_err err;

    if (sources_remove(in->args[0], in->settings.dry_run, &err))
        return cli_fail(&err);
    if (cli_wants_json(in))
        return cli_json(
            json_pack("{s:s, s:b}", "name", in->args[0], "removed", !in->settings.dry_run),
            "recipes-remove");
    printf("%s: %s\n", in->args[0], in->settings.dry_run ? "would be removed" : "removed");
    return EXIT_OK;
}

static const struct cli_verb verbs[] = {
    {"list", "", "the recipes that are known", list},
    {"show", "RECIPE", "one recipe as it is written; of several versions the highest", show},
    {"check", "FILE...", "whether a file is a recipe, and if not, why", check},
    {"schema", "", "the JSON Schema of recipes, for editors", schema},
    {"add", "DIR|URL", "recipes of others: of a folder, or of a git repository, URL[@COMMIT]", add},
    {"sources", "", "what was added: where from, pinned to what, whether it changed since",
     sources},
    {"update", "[SOURCE]", "take what a source is now, or all; NAME@COMMIT: that commit", update},
    {"remove", "SOURCE", "forget a source; a folder of the user's stays", remove_source},
    {NULL, NULL, NULL, NULL}};

static const struct cli_option options[] = {
    {"name", 0, "NAME", NULL, NULL, "add: what the source is called; default: as its folder"},
    {NULL, 0, NULL, NULL, NULL, NULL}};

static const char *const settings[] = {"cache", "dry-run", "json", NULL};

const struct cli_command cli_cmd_recipes = {
    .name = "recipes",
    .summary = "list, show and check recipes; add those of others",
    .arguments = "",
    .verbs = verbs,
    .options = options,
    .settings = settings,
    .help =
        "Recipes are YAML files that say how to find, fetch, build or convert one thing "
        "(docs/recipes.md). They are looked for in the folders of ASSAY_RECIPE_PATH (parted by "
        "':'), in `recipes` of the user's configuration (~/.config/assay/recipes), among the "
        "installed ones, and in the sources that were added.\n"
        "\n"
        "Recipes of others are added as a folder, which is used where it lies, or as the address "
        "of a git repository (https:, ssh:, file:, git@HOST:PATH), with a commit, tag or branch "
        "behind an @ (else its own branch); from then on that SOURCE goes by its name. Its recipes "
        "and the programs that they run are shown; --dry-run shows only. A recipe that is known "
        "already, in name and version, is an error.\n"
        "\n"
        "    assay recipes\n"
        "    assay recipes show bert-onnx\n"
        "    assay recipes check my-tool.yaml\n"
        "    assay recipes add https://example.org/their-recipes.git@v1.2\n"
        "    assay recipes update their-recipes@v1.3",
    .run = list};
