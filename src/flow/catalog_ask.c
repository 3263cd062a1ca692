/* What is asked of the index: who is called so, and what was meant when nobody is. */
#include "flow/catalog.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "flow/version.h"

#define MAX_WORDS 32

/* A word as it stands in lists: ",word,". */
struct word {
    char comma[RECIPE_WORD_MAX + 4], plain[RECIPE_WORD_MAX + 2];
};

static struct word word_of(const char *text)
{
    struct word w;

    snprintf(w.plain, sizeof(w.plain), "%s", text ? text : "");
    snprintf(w.comma, sizeof(w.comma), ",%s,", w.plain);
    return w;
}

static bool entry_has(const struct catalog_entry *e, const struct word *w)
{
    return !strcmp(e->name, w->plain) || strstr(e->tags, w->comma) || strstr(e->options, w->comma);
}

static size_t words_of(const struct catalog_entry *e, const json_t *words)
{
    size_t i, n = 0;
    json_t *v;

    json_array_foreach(words, i, v)
    {
        struct word w = word_of(json_string_value(v));

        n += entry_has(e, &w);
    }
    return n;
}

size_t catalog_find(const struct catalog *c, const json_t *words, size_t *at)
{
    struct word all[MAX_WORDS];
    size_t n = 0, i, j, found = 0;
    json_t *v;

    if (json_array_size(words) > MAX_WORDS)
        return 0;
    json_array_foreach(words, i, v) all[n++] = word_of(json_string_value(v));
    for (i = 0; i < c->count; i++) {
        for (j = 0; j < n && entry_has(&c->entries[i], &all[j]); j++)
            ;
        if (j == n && !*c->entries[i].error)
            at[found++] = i;
    }
    return found;
}

int catalog_recipe(struct catalog *c, size_t entry, const struct recipe **r, struct assay_err *err)
{
    struct catalog_entry *e = &c->entries[entry];
    int rc;

    if (!e->recipe) {
        struct recipe *new = calloc(1, sizeof(*new));

        if (!new)
            return assay_fail(err, ASSAY_EFAIL, "%s: not enough memory", e->file);
        if ((rc = recipe_read(e->file, new, err))) {
            free(new);
            return rc;
        }
        e->recipe = new;
    }
    *r = e->recipe;
    return ASSAY_OK;
}

/* The word of a comma list that is nearest. */
static const char *nearest_in(const char *list, const char *word, char out[RECIPE_WORD_MAX + 1])
{
    char copy[4096], *save = NULL, *p;
    const char *words[256], *near;
    size_t n = 0;

    snprintf(copy, sizeof(copy), "%s", list);
    for (p = strtok_r(copy, ",", &save); p && n < 256; p = strtok_r(NULL, ",", &save))
        words[n++] = p;
    near = text_nearest(word, words, n, sizeof(words[0]));
    if (near)
        snprintf(out, RECIPE_WORD_MAX + 1, "%s", near);
    return near ? out : NULL;
}

/* The nearest of an entry's options, tags and, where it is not what was asked for, name. */
static const char *nearest_of(const struct catalog_entry *e, const char *word,
                              char out[RECIPE_WORD_MAX + 1])
{
    if (nearest_in(e->options, word, out) || nearest_in(e->tags, word, out) ||
        nearest_in(e->name, word, out))
        return out;
    return NULL;
}

static void joined(const json_t *words, char *out, size_t size)
{
    size_t i, n = 0;
    json_t *v;

    out[0] = 0;
    json_array_foreach(words, i, v) if (n < size) n +=
        (size_t)snprintf(out + n, size - n, "%s%s", i ? "," : "", json_string_value(v));
}

/* Whether a file, or the folder that it is in, is called like the word: ".../tool/1.yaml". */
static bool is_file_of(const struct catalog_entry *e, const char *word)
{
    const char *base = strrchr(e->file, '/'), *folder = base;
    size_t n = strlen(word);

    if (!base || !n)
        return false;
    while (folder > e->file && folder[-1] != '/')
        folder--;
    return (!strncmp(base + 1, word, n) && base[1 + n] == '.') ||
           ((size_t)(base - folder) == n && !strncmp(folder, word, n));
}

/* One that cannot be read may be what is asked for: the one that is called so, else the first. */
static void broken(const struct catalog *c, const json_t *words, char *out, size_t size)
{
    const struct catalog_entry *found = NULL;
    bool named = false;
    json_t *v;
    size_t i, k;

    out[0] = 0;
    for (i = 0; i < c->count && !named; i++) {
        const struct catalog_entry *e = &c->entries[i];

        if (!*e->error)
            continue;
        found = found ? found : e;
        json_array_foreach(words, k, v) named = named || is_file_of(e, json_string_value(v));
        if (named)
            found = e;
    }
    if (found)
        snprintf(out, size, " (a recipe cannot be read: %.150s)", found->error);
}

/* The entry that has most of the words, of several the one that is called like the first, and the
 * first word that it has not. */
static const struct catalog_entry *nearest_entry(const struct catalog *c, const json_t *words,
                                                 size_t *has, const char **unknown)
{
    const char *first = json_string_value(json_array_get(words, 0));
    const struct catalog_entry *of = NULL;
    size_t i, n;
    json_t *v;

    for (i = *has = 0; i < c->count; i++) {
        n = words_of(&c->entries[i], words);
        if (n > *has || (n && n == *has && !strcmp(c->entries[i].name, first))) {
            *has = n;
            of = &c->entries[i];
        }
    }
    *unknown = "";
    json_array_foreach(words, i, v)
    {
        struct word w = word_of(json_string_value(v));

        if (!**unknown && (!of || !entry_has(of, &w)))
            *unknown = json_string_value(v);
    }
    return of;
}

int catalog_none(const struct catalog *c, const json_t *words, struct assay_err *err)
{
    size_t has, i;
    const char *unknown, *near;
    const struct catalog_entry *of = nearest_entry(c, words, &has, &unknown);
    char all[160], out[RECIPE_WORD_MAX + 1], hint[RECIPE_WORD_MAX + 20] = "", why[200];

    joined(words, all, sizeof(all));
    broken(c, words, why, sizeof(why));
    near = of ? nearest_of(of, unknown, out) : NULL;
    for (i = 0; i < c->count && !near; i++) /* "bert-onnx,int8" is nearly a name */
        near = of ? nearest_in(c->entries[i].name, all, out)
                  : nearest_of(&c->entries[i], unknown, out);
    if (near)
        snprintf(hint, sizeof(hint), "; did you mean '%s'?", near);
    if (of && has + 1 == json_array_size(words))
        return assay_fail(err, ASSAY_EUSAGE,
                          "no recipe is '%s': '%s' has no tag or variation '%s'%s%s", all, of->name,
                          unknown, hint, why);
    return assay_fail(err, ASSAY_EUSAGE, "no recipe is '%s'%s (`assay recipes` lists them)%s", all,
                      hint, why);
}

int catalog_clash(const struct catalog_entry *a, const struct catalog_entry *b,
                  struct assay_err *err)
{
    return assay_fail(err, ASSAY_EUSAGE, "%s%s%s is in two files: %.150s and %.150s; rename one",
                      a->name, *a->version ? " " : "", a->version, a->file, b->file);
}

int catalog_several(const json_t *words, const json_t *names, struct assay_err *err)
{
    char all[160];
    struct text list;
    const char *name;
    json_t *v;

    text_init(&list, 140);
    json_object_foreach((json_t *)(uintptr_t)names, name, v)
        text_addf(&list, "%s%s", list.len ? ", " : "", name);
    joined(words, all, sizeof(all));
    assay_fail(err, ASSAY_EUSAGE, "'%s' is each of %s%s; name one", all, list.s,
               list.cut ? ", …" : "");
    text_release(&list);
    return ASSAY_EUSAGE;
}

/* Of found entries the one with the highest version, all of one name. */
static int highest(const struct catalog *c, const size_t *at, size_t n, const char *name,
                   size_t *entry, struct assay_err *err)
{
    const struct catalog_entry *best = NULL, *clash = NULL;
    size_t i;
    int order;

    for (i = 0; i < n; i++) {
        const struct catalog_entry *e = &c->entries[at[i]];

        /* Whatever is found has a name. NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker) */
        if (strcmp(e->name, name) != 0)
            continue;
        order = best ? version_compare(best->version, e->version) : -1;
        clash = order ? clash : e;
        if (order < 0) {
            best = e;
            *entry = at[i];
        }
    }
    return clash ? catalog_clash(best, clash, err) : ASSAY_OK;
}

int catalog_one(const struct catalog *c, const json_t *words, size_t *entry, struct assay_err *err)
{
    size_t *at = calloc(c->count + 1, sizeof(*at)), n, i;
    json_t *names, *v;
    const char *name = NULL;
    int rc;

    if (!at)
        return assay_fail(err, ASSAY_EFAIL, "not enough memory");
    n = catalog_find(c, words, at);
    names = json_object();
    for (i = 0; i < n; i++)
        json_object_set_new(names, c->entries[at[i]].name, json_true());
    if (json_object_size(names) == 1)
        name = c->entries[at[0]].name;
    json_array_foreach(words, i, v) if (!name && json_object_get(names, json_string_value(v)))
        name = json_string_value(v);
    rc = !n      ? catalog_none(c, words, err)
         : !name ? catalog_several(words, names, err)
                 : highest(c, at, n, name, entry, err);
    json_decref(names);
    free(at);
    return rc;
}

json_t *catalog_words(const char *text, struct assay_err *err)
{
    json_t *words = json_array();
    char word[RECIPE_WORD_MAX + 2];
    size_t n;

    for (; *text; text += n + (text[n] == ',')) {
        n = strcspn(text, ",");
        if (!n)
            continue;
        snprintf(word, sizeof(word), "%.*s", (int)(n < sizeof(word) ? n : sizeof(word) - 1), text);
        json_array_append_new(words, json_string(word));
    }
    if (json_array_size(words))
        return words;
    json_decref(words);
    assay_fail(err, ASSAY_EUSAGE,
               "which recipe? words parted by commas are wanted, as in "
               "'model,bert-onnx'");
    return NULL;
}
