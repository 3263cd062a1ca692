/* What is asked of the index: who is called so, and what was meant when nobody is. */
#include "flow/catalog.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

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

/* The nearest of all words of all recipes that have at least `least` of the words. */
static const char *nearest_word(const struct catalog *c, const json_t *words, const char *word,
                                size_t least, char out[RECIPE_WORD_MAX + 1], const char **of)
{
    for (size_t i = 0; i < c->count; i++) {
        const struct catalog_entry *e = &c->entries[i];

        if (words_of(e, words) < least)
            continue;
        *of = e->name;
        if (nearest_in(e->options, word, out) || nearest_in(e->tags, word, out))
            return out;
        if (text_nearest(word, &e->name, 1, sizeof(e->name))) {
            snprintf(out, RECIPE_WORD_MAX + 1, "%s", e->name);
            return out;
        }
    }
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

static void first_broken(const struct catalog *c, char *out, size_t size)
{
    out[0] = 0;
    for (size_t i = 0; c->entries && i < c->count; i++) {
        if (*c->entries[i].error) {
            snprintf(out, size, " (a recipe cannot be read: %.150s)", c->entries[i].error);
            return;
        }
    }
}

int catalog_none(const struct catalog *c, const json_t *words, struct assay_err *err)
{
    size_t best = 0, i, n, count = json_array_size(words);
    const struct catalog_entry *of = NULL;
    const char *near = NULL, *whose = NULL, *unknown = "";
    char all[160], out[RECIPE_WORD_MAX + 1], broken[200];
    json_t *v;

    for (i = 0; i < c->count; i++) {
        if ((n = words_of(&c->entries[i], words)) > best) {
            best = n;
            of = &c->entries[i];
        }
    }
    json_array_foreach(words, i, v)
    {
        struct word w = word_of(json_string_value(v));

        if (!*unknown && (!of || !entry_has(of, &w)))
            unknown = json_string_value(v);
    }
    joined(words, all, sizeof(all));
    first_broken(c, broken, sizeof(broken));
    near = nearest_word(c, words, unknown, best, out, &whose);
    if (of && best + 1 == count)
        return assay_fail(err, ASSAY_EUSAGE,
                          "no recipe is '%s': '%s' has no tag or variation '%s'%s%s%s%s", all,
                          near ? whose : of->name, unknown, near ? "; did you mean '" : "",
                          near ? near : "", near ? "'?" : "", broken);
    return assay_fail(err, ASSAY_EUSAGE, "no recipe is '%s'%s%s%s (`assay recipes` lists them)%s",
                      all, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "",
                      broken);
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
