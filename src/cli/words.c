/* The words that an argument can be, for the shells' completion: `assay help --words ENGINE`. */
#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/tree.h"
#include "data/bench_host.h"
#include "data/manifest.h"
#include "engine/host.h"
#include "flow/catalog.h"
#include "flow/shelf.h"
#include "flow/sources.h"
#include "net/net.h"
#include "record/record.h"

#define SAFE "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._+-"

/* Names that a shell could take for something else are left out. */
static void word(FILE *out, const char *s)
{
    if (s && *s && strspn(s, SAFE) == strlen(s))
        fprintf(out, "%s\n", s);
}

/* Of an array of names, or of objects with a member that is the name; lets go of the list. */
static int word_list(json_t *list, const char *member, FILE *out)
{
    const json_t *item;
    size_t i;

    json_array_foreach(list, i, item)
        word(out, json_string_value(member ? json_object_get(item, member) : item));
    json_decref(list);
    return ASSAY_OK;
}

static int words_benchmarks(FILE *out, const struct settings *s, struct assay_err *err)
{
    (void)s;
    (void)err;
    return word_list(bench_list(), NULL, out);
}

static int words_commands(FILE *out, const struct settings *s, struct assay_err *err)
{
    (void)s;
    (void)err;
    for (const struct cli_command *const *c = cli_commands; *c; c++)
        word(out, (*c)->name);
    return ASSAY_OK;
}

static int words_engines(FILE *out, const struct settings *s, struct assay_err *err)
{
    (void)s;
    (void)err;
    return word_list(engine_list(), NULL, out);
}

/* Keys and recipes, without making the shelf when there is none. */
static int words_entries(FILE *out, const struct settings *s, struct assay_err *err)
{
    char *dir = cli_shelf(s);
    struct shelf shelf = {0};
    json_t *all, *row;
    size_t i;

    if (!dir)
        return assay_fail(err, ASSAY_EFAIL, "not enough memory");
    snprintf(shelf.dir, sizeof(shelf.dir), "%s", dir);
    free(dir);
    all = shelf_list(&shelf);
    json_array_foreach(all, i, row)
    {
        char key[13];

        snprintf(key, sizeof(key), "%s", tree_text(row, "key", ""));
        word(out, key);
        word(out, tree_text(row, "recipe", ""));
    }
    json_decref(all);
    return ASSAY_OK;
}

static int words_models(FILE *out, const struct settings *s, struct assay_err *err)
{
    (void)s;
    (void)err;
    return word_list(manifest_list(), "name", out);
}

static int words_nets(FILE *out, const struct settings *s, struct assay_err *err)
{
    size_t n;
    const char *const *names = net_names(&n);

    (void)s;
    (void)err;
    for (size_t i = 0; i < n; i++)
        word(out, names[i]);
    return ASSAY_OK;
}

static int words_recipes(FILE *out, const struct settings *s, struct assay_err *err)
{
    char *cache = s->cache ? file_absolute(s->cache) : file_cache_dir();
    struct catalog c;
    int rc = cache ? catalog_open(cache, &c, err) : ASSAY_EFAIL;

    for (size_t i = 0; !rc && i < c.count; i++)
        word(out, c.entries[i].name);
    if (!rc)
        catalog_close(&c);
    free(cache);
    return rc;
}

static int words_runs(FILE *out, const struct settings *s, struct assay_err *err)
{
    char *store = cli_store(s);
    json_t *rows = NULL;
    int rc =
        store ? record_list(store, &rows, err) : assay_fail(err, ASSAY_EFAIL, "not enough memory");

    free(store);
    return rc ? rc : word_list(rows, "id", out);
}

static int words_settings(FILE *out, const struct settings *s, struct assay_err *err)
{
    size_t n;
    const struct settings_row *rows = settings_rows(&n);

    (void)s;
    (void)err;
    for (size_t i = 0; i < n; i++)
        word(out, rows[i].name);
    return ASSAY_OK;
}

static int words_sources(FILE *out, const struct settings *s, struct assay_err *err)
{
    json_t *rows;
    int rc = sources_read(&rows, err);

    (void)s;
    return rc ? rc : word_list(rows, "name", out);
}

static int (*const lists[])(FILE *, const struct settings *, struct assay_err *) = {
    words_benchmarks, words_commands, words_engines, words_entries,  words_models,
    words_nets,       words_recipes,  words_runs,    words_settings, words_sources};
const char *const cli_word_kinds[] = {"BENCHMARK", "COMMAND", "ENGINE",  "ENTRY",  "MODEL", "NET",
                                      "RECIPE",    "RUN",     "SETTING", "SOURCE", NULL};

int cli_words(const char *kind, const struct settings *s, FILE *out, struct assay_err *err)
{
    for (size_t i = 0; cli_word_kinds[i]; i++)
        if (!strcmp(cli_word_kinds[i], kind))
            return lists[i](out, s, err);
    return assay_fail(err, ASSAY_EUSAGE, "there are no words for '%s'", kind);
}
