/* Reading recipes: the walk along the table of keys, what the table cannot say, and the merging of
 * variations; see recipe.h. */
#include "flow/recipe.h"

#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "base/tree.h"
#include "flow/fill.h"
#include "flow/recipe_keys.h"

#define MAX_PATH 24 /* the table's depth is 10 */

/* Where the walk is. */
struct walk {
    const char *text, *file;
    size_t len;
    json_t *scope; /* names that places may ask for */
    const char *path[MAX_PATH + 1];
    char index[MAX_PATH][24];
    int depth;
    struct assay_err *err;
};

static void push(struct walk *w, const char *key)
{
    w->path[w->depth++] = key;
    w->path[w->depth] = NULL;
}

static void pop(struct walk *w)
{
    w->path[--w->depth] = NULL;
}

/* "FILE:LINE: what is wrong", at the place where the walk is. */
static int wrong(struct walk *w, const char *fmt, ...) ASSAY_PRINTF(2, 3);
static int wrong(struct walk *w, const char *fmt, ...)
{
    size_t line = tree_line(w->text, w->len, w->path);
    char what[360];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(what, sizeof(what), fmt, ap);
    va_end(ap);
    return assay_fail(w->err, ASSAY_EUSAGE, "%s:%zu: %s", w->file, line, what);
}

/* "fetch.0.sha256" */
static const char *here(const struct walk *w, char out[160])
{
    size_t n = 0;

    out[0] = 0;
    for (int i = 0; i < w->depth && n < 159; i++)
        n += (size_t)snprintf(out + n, 160 - n, "%s%.60s", i ? "." : "", w->path[i]);
    return w->depth ? out : "a recipe";
}

/* A secret is given in the environment alone, where other users of the machine cannot see it. */
static int check_places(struct walk *w, const char *text)
{
    bool env = w->depth > 1 && !strcmp(w->path[w->depth - 2], "env");
    bool find = w->depth > 1 && !strcmp(w->path[w->depth - 1], "folder");
    struct assay_err e = {0};
    char at[160], *filled;

    if (!env && fill_asks(text, "secret."))
        return wrong(w, "'%s': a secret is given to programs in 'env' alone", here(w, at));
    if (!find && fill_asks(text, "env."))
        return wrong(w, "'%s': ${env.NAME} is for the folders of 'find' alone", here(w, at));
    if (fill(text, w->scope, &filled, &e))
        return wrong(w, "'%s': %.200s", here(w, at), e.text);
    free(filled);
    return ASSAY_OK;
}

static int walk_value(struct walk *w, const struct recipe_key *row, const json_t *v);

static int walk_list(struct walk *w, const struct recipe_key *row, const json_t *v)
{
    char at[160];
    json_t *one;
    size_t i;
    int rc = ASSAY_OK;

    if (!json_array_size(v))
        return wrong(w, "'%s' must be a list, not empty", here(w, at));
    json_array_foreach(v, i, one)
    {
        snprintf(w->index[w->depth], sizeof(w->index[0]), "%zu", i);
        push(w, w->index[w->depth]);
        rc = walk_value(w, row->of, one);
        pop(w);
        if (rc)
            break;
    }
    return rc;
}

static int walk_map(struct walk *w, const struct recipe_key *row, const json_t *v)
{
    bool env = row->form == FORM_ENV;
    const char *key;
    char at[160];
    json_t *one;
    int rc = ASSAY_OK;

    if (!json_object_size(v))
        return wrong(w, "'%s' must be a mapping of names to values, not empty", here(w, at));
    json_object_foreach((json_t *)(uintptr_t)v, key, one)
    {
        push(w, key);
        if (env ? !recipe_is_variable(key) : !recipe_is_word(key))
            rc = wrong(w, "'%s': '%.40s' is no name here; wanted: %s", here(w, at), key,
                       env ? "the name of a variable" : recipe_forms[FORM_WORD].wanted);
        else
            rc = walk_value(w, row->of, one);
        pop(w);
        if (rc)
            break;
    }
    return rc;
}

static const struct recipe_key *row_of(const struct recipe_key *rows, const char *name)
{
    for (; rows->name; rows++)
        if (!strcmp(rows->name, name))
            return rows;
    return NULL;
}

static int unknown_key(struct walk *w, const struct recipe_key *rows, const char *key)
{
    const char *near;
    char at[160];
    size_t n = 0;

    while (rows[n].name)
        n++;
    near = text_nearest(key, rows, n, sizeof(rows[0]));
    return wrong(w, "unknown key '%s'%s%s%s", here(w, at), near ? "; did you mean '" : "",
                 near ? near : "", near ? "'?" : "");
}

static bool goes_with(const struct recipe_way *way, const char *key)
{
    for (size_t i = 0; i < RECIPE_WITH && way->with[i]; i++)
        if (!strcmp(way->with[i], key))
            return true;
    return false;
}

/* Exactly one of the ways, and no key that goes with another. */
static int check_ways(struct walk *w, const struct recipe_way *ways, const json_t *v)
{
    const struct recipe_way *taken = NULL, *way;
    struct text names;
    char at[160];
    int count = 0, rc = ASSAY_OK;

    text_init(&names, 200);
    for (way = ways; way->key; way++) {
        text_addf(&names, "%s%s", way == ways ? "" : ", ", way->key);
        if (json_object_get(v, way->key)) {
            taken = way;
            count++;
        }
    }
    if (count != 1)
        rc = wrong(w, "'%s': exactly one of these is wanted: %s", here(w, at), names.s);
    else if (taken->must && !json_object_get(v, taken->must))
        rc = wrong(w, "'%s': '%s' wants '%s' too", here(w, at), taken->key, taken->must);
    for (way = ways; !rc && way->key; way++)
        for (size_t i = 0; !rc && i < RECIPE_WITH && way->with[i]; i++)
            if (taken && !goes_with(taken, way->with[i]) && json_object_get(v, way->with[i]))
                rc = wrong(w, "'%s': '%s' goes with '%s', not with '%s'", here(w, at), way->with[i],
                           way->key, taken->key);
    text_release(&names);
    return rc;
}

static int walk_object(struct walk *w, const struct recipe_key *row, const json_t *v)
{
    const struct recipe_key *rows = row->of, *of;
    const char *key;
    char at[160];
    json_t *one;
    int rc = ASSAY_OK;

    if (!json_is_object(v))
        return wrong(w, "'%s' must be a mapping of keys to values", here(w, at));
    json_object_foreach((json_t *)(uintptr_t)v, key, one)
    {
        push(w, key);
        of = row_of(rows, key);
        rc = of ? walk_value(w, of, one) : unknown_key(w, rows, key);
        pop(w);
        if (rc)
            return rc;
    }
    for (of = rows; of->name; of++)
        if (of->must && !json_object_get(v, of->name))
            return wrong(w, "%s%s%s'%s' is wanted: %s", w->depth ? "'" : "",
                         w->depth ? here(w, at) : "", w->depth ? "': " : "", of->name, of->help);
    return row->ways ? check_ways(w, row->ways, v) : ASSAY_OK;
}

static int walk_value(struct walk *w, const struct recipe_key *row, const json_t *v)
{
    char at[160];

    switch (row->form) {
    case FORM_LIST:
        return walk_list(w, row, v);
    case FORM_MAP:
    case FORM_ENV:
        return walk_map(w, row, v);
    case FORM_OBJECT:
        return walk_object(w, row, v);
    default:
        if (!recipe_forms[row->form].fits(v))
            return wrong(w, "'%s' must be %s", here(w, at), recipe_forms[row->form].wanted);
        if (row->form == FORM_FILL || row->form == FORM_GIFT ||
            (row->form == FORM_GIVEN && json_is_string(v)))
            return check_places(w, json_string_value(v));
        return ASSAY_OK;
    }
}

/* Names that places may ask for, of one body; what is not as it should be is passed over. */
static void scope_add_body(json_t *scope, const json_t *body)
{
    static const char *const always[] = {"out",     "final", "work", "recipe",  "assay", "source",
                                         "fetched", "jobs",  "name", "version", "env.",  "share"};
    const char *key;
    char name[160];
    json_t *v;
    size_t i;

    for (i = 0; i < sizeof(always) / sizeof(always[0]); i++)
        json_object_set_new(scope, always[i], json_string(""));
    json_object_foreach(json_object_get(body, "inputs"), key, v)
    {
        bool secret = !strcmp(tree_text(v, "type", ""), "secret");

        snprintf(name, sizeof(name), "%s.%.100s", secret ? "secret" : "input", key);
        json_object_set_new(scope, name, json_string(""));
    }
    json_array_foreach(json_object_get(body, "needs"), i, v)
    {
        const char *first = json_string_value(json_array_get(json_object_get(v, "tags"), 0));

        snprintf(name, sizeof(name), "dep.%.100s.", tree_text(v, "as", first ? first : "?"));
        json_object_set_new(scope, name, json_string(""));
    }
}

#define EACH_OPTION(tree, group, g, option, o)                                                     \
    json_object_foreach(json_object_get(tree, "variations"), group, g)                             \
        json_object_foreach(json_object_get(g, "options"), option, o)

static json_t *scope_of(const json_t *tree)
{
    json_t *scope = json_object(), *g, *o;
    const char *group, *option;
    char name[160];

    scope_add_body(scope, tree);
    EACH_OPTION(tree, group, g, option, o)
    {
        snprintf(name, sizeof(name), "option.%.100s", group);
        json_object_set_new(scope, name, json_string(""));
        scope_add_body(scope, o);
    }
    return scope;
}

const char *recipe_group(const struct recipe *r, const char *option)
{
    const char *group;
    json_t *g;

    json_object_foreach(json_object_get(r->tree, "variations"), group, g)
    {
        if (json_object_get(json_object_get(g, "options"), option))
            return group;
    }
    return NULL;
}

static bool has_word(const json_t *list, const char *word)
{
    json_t *v;
    size_t i;

    json_array_foreach(list, i, v) if (!strcmp(json_string_value(v), word)) return true;
    return false;
}

static int check_option(struct walk *w, const struct recipe *r, const char *group,
                        const char *option)
{
    const char *first = recipe_group(r, option);
    int rc = ASSAY_OK;

    push(w, "variations");
    push(w, group);
    push(w, "options");
    push(w, option);
    if (first && strcmp(first, group) != 0)
        rc = wrong(w, "the option '%s' is in the groups '%s' and '%s'", option, first, group);
    else if (!strcmp(option, r->name) || has_word(json_object_get(r->tree, "tags"), option))
        rc = wrong(w, "the option '%s' is the recipe's name or one of its tags too", option);
    w->depth = 0;
    w->path[0] = NULL;
    return rc;
}

static int check_variations(struct walk *w, const struct recipe *r)
{
    const char *group, *option, *chosen;
    json_t *g, *o;
    size_t i, j;
    int rc;

    EACH_OPTION(r->tree, group, g, option, o)
    {
        if ((rc = check_option(w, r, group, option)))
            return rc;
        chosen = tree_text(g, "default", option);
        if (!json_object_get(json_object_get(g, "options"), chosen)) {
            push(w, "variations");
            push(w, group);
            push(w, "default");
            return wrong(w, "the default '%s' is none of the options of '%s'", chosen, group);
        }
    }
    json_array_foreach(json_object_get(r->tree, "exclusions"), i, g) json_array_foreach(g, j, o)
    {
        if (!recipe_group(r, json_string_value(o))) {
            push(w, "exclusions");
            return wrong(w, "'exclusions': there is no option '%s'", json_string_value(o));
        }
    }
    return ASSAY_OK;
}

/* An input's row on its own: that its default is a value of its type. */
static int check_input(const json_t *body, const char *name, struct assay_err *err)
{
    const json_t *row = json_object_get(json_object_get(body, "inputs"), name);
    const json_t *initial = json_object_get(row, "default");
    const char *type = tree_text(row, "type", "");
    bool secret = !strcmp(type, "secret");
    json_t *value = NULL;
    int rc = ASSAY_OK;

    if (!strcmp(type, "choice") != !!json_object_get(row, "choices"))
        return assay_fail(err, ASSAY_EUSAGE, "'choices' goes with the type choice");
    if (secret != !!json_object_get(row, "env") || (secret && initial))
        return assay_fail(err, ASSAY_EUSAGE,
                          "a secret wants 'env' and has no default; 'env' goes "
                          "with the type secret alone");
    if (initial && strcmp(type, "file") != 0 && strcmp(type, "folder") != 0)
        rc = recipe_input(body, name, initial, &value, err);
    json_decref(value);
    return rc;
}

static int check_inputs(struct walk *w, const json_t *body)
{
    struct assay_err e = {0};
    const char *name;
    json_t *row;

    json_object_foreach(json_object_get(body, "inputs"), name, row)
    {
        if (check_input(body, name, &e)) {
            push(w, "inputs");
            push(w, name);
            return wrong(w, "input '%s': %.300s", name, e.text);
        }
    }
    return ASSAY_OK;
}

/* Of many files each has a name of its own. */
static int check_fetch(struct walk *w, const json_t *body)
{
    char at[160];
    json_t *row;
    size_t i;

    json_array_foreach(json_object_get(body, "fetch"), i, row)
    {
        if (!json_object_get(row, "each") || strstr(tree_text(row, "file", ""), "{name}"))
            continue;
        snprintf(w->index[0], sizeof(w->index[0]), "%zu", i);
        push(w, "fetch");
        push(w, w->index[0]);
        push(w, "file");
        return wrong(w, "'%s': with 'each' it must have {name} in it", here(w, at));
    }
    return ASSAY_OK;
}

/* What an expression that finds no version would tell is "no version". */
static int check_expression(struct walk *w, const char *text)
{
    char at[160], why[160];
    regex_t re;
    int rc = regcomp(&re, text, REG_EXTENDED | REG_NEWLINE);
    size_t groups = rc ? 0 : re.re_nsub;

    if (rc) {
        regerror(rc, &re, why, sizeof(why));
        return wrong(w, "'%s' is no extended regular expression: %s", here(w, at), why);
    }
    regfree(&re);
    return groups
               ? ASSAY_OK
               : wrong(w, "'%s' has no group: put the version's part in parentheses", here(w, at));
}

static int check_find(struct walk *w, const json_t *body)
{
    json_t *way;
    size_t i;
    int rc;

    json_array_foreach(json_object_get(body, "find"), i, way)
    {
        const char *match = tree_text(way, "match", NULL);

        if (!match)
            continue;
        snprintf(w->index[0], sizeof(w->index[0]), "%zu", i);
        push(w, "find");
        push(w, w->index[0]);
        push(w, "match");
        if ((rc = check_expression(w, match)))
            return rc;
        pop(w);
        pop(w);
        pop(w);
    }
    return ASSAY_OK;
}

static bool does_something(const json_t *body)
{
    static const char *const keys[] = {"find", "fetch", "build", "convert"};

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        if (json_object_get(body, keys[i]))
            return true;
    return json_object_get(json_object_get(body, "licence"), "gate") != NULL;
}

json_t *recipe_urls(const json_t *row)
{
    json_t *urls = json_object_get(row, "urls");

    return urls ? urls : json_object_get(json_object_get(row, "each"), "urls");
}

/* What the table cannot say. */
static int check_meaning(struct walk *w, const struct recipe *r)
{
    const char *group, *option;
    bool does = does_something(r->tree);
    json_t *g, *o;
    int rc = check_variations(w, r);

    if (!rc)
        rc = check_inputs(w, r->tree);
    if (!rc)
        rc = check_fetch(w, r->tree);
    if (!rc)
        rc = check_find(w, r->tree);
    EACH_OPTION(r->tree, group, g, option, o)
    {
        if (!rc && (json_object_get(o, "inputs") || json_object_get(o, "fetch") ||
                    json_object_get(o, "find"))) {
            push(w, "variations");
            push(w, group);
            push(w, "options");
            push(w, option);
            if (!(rc = check_inputs(w, o)) && !(rc = check_fetch(w, o)) && !(rc = check_find(w, o)))
                w->depth = 0;
        }
        does = does || does_something(o);
    }
    if (!rc && !does)
        rc = wrong(w, "one of find, fetch, build, convert and licence.gate is wanted: how "
                      "it is had");
    return rc;
}

int recipe_parse(const char *text, size_t len, const char *file, struct recipe *r,
                 struct assay_err *err)
{
    struct walk w = {.text = text, .len = len, .file = file, .err = err};
    char *slash;
    int rc;

    memset(r, 0, sizeof(*r));
    if ((rc = tree_parse_yaml(text, len, file, &r->tree, err)))
        return rc;
    w.scope = scope_of(r->tree);
    rc = walk_value(&w, &recipe_root, r->tree);
    if (!rc) {
        r->name = tree_text(r->tree, "name", "");
        r->version = tree_text(r->tree, "version", "");
        r->file = file[0] == '/' ? strdup(file) : file_absolute(file);
        r->folder = r->file ? strdup(r->file) : NULL;
        if (r->folder && (slash = strrchr(r->folder, '/')))
            slash[slash == r->folder] = 0;
        rc = r->folder ? check_meaning(&w, r)
                       : assay_fail(err, ASSAY_EFAIL, "%s: not enough memory", file);
    }
    json_decref(w.scope);
    if (rc)
        recipe_release(r);
    return rc;
}

int recipe_read(const char *file, struct recipe *r, struct assay_err *err)
{
    char *text;
    size_t len;
    int rc;

    memset(r, 0, sizeof(*r));
    if ((rc = file_read(file, 1 << 20, &text, &len, err)))
        return rc;
    rc = recipe_parse(text, len, file, r, err);
    free(text);
    return rc;
}

void recipe_release(struct recipe *r)
{
    free(r->file);
    free(r->folder);
    json_decref(r->tree);
    memset(r, 0, sizeof(*r));
}

static bool is_chosen(const json_t *options, const char *option)
{
    const char *group;
    json_t *v;

    json_object_foreach((json_t *)(uintptr_t)options, group, v)
    {
        if (!strcmp(json_string_value(v), option))
            return true;
    }
    return false;
}

int recipe_choose(const struct recipe *r, json_t *options, struct assay_err *err)
{
    const char *group, *initial;
    json_t *g, *pair, *o;
    size_t i, j, n;

    json_object_foreach(json_object_get(r->tree, "variations"), group, g)
    {
        initial = tree_text(g, "default", NULL);
        if (initial && !json_object_get(options, group))
            json_object_set_new(options, group, json_string(initial));
    }
    json_array_foreach(json_object_get(r->tree, "exclusions"), i, pair)
    {
        struct text names;

        n = 0;
        text_init(&names, 300);
        json_array_foreach(pair, j, o)
        {
            n += is_chosen(options, json_string_value(o));
            text_addf(&names, "%s%s", j ? " and " : "", json_string_value(o));
        }
        if (n == json_array_size(pair))
            assay_fail(err, ASSAY_EUSAGE, "%s: %s exclude each other", r->name, names.s);
        text_release(&names);
        if (n == json_array_size(pair))
            return ASSAY_EUSAGE;
    }
    return ASSAY_OK;
}

static void merge(json_t *body, const json_t *more)
{
    const char *key;
    json_t *v, *copy, *old;

    json_object_foreach((json_t *)(uintptr_t)more, key, v)
    {
        copy = json_deep_copy(v);
        old = json_object_get(body, key);
        if (json_is_array(old) && json_is_array(copy))
            json_array_extend(old, copy);
        else if (json_is_object(old) && json_is_object(copy))
            json_object_update(old, copy);
        else
            json_object_set(body, key, copy);
        json_decref(copy);
    }
}

char *recipe_name_with(const struct recipe *r, const json_t *options)
{
    struct text name;
    const char *group;
    json_t *option;

    text_init(&name, 4096);
    text_add(&name, r->name);
    json_object_foreach((json_t *)(uintptr_t)options, group, option)
        text_addf(&name, ",%s", json_string_value(option));
    return text_take(&name);
}

json_t *recipe_body(const struct recipe *r, const json_t *options)
{
    json_t *body = json_deep_copy(r->tree), *g;
    const char *group, *option;

    json_object_foreach(json_object_get(r->tree, "variations"), group, g)
    {
        option = json_string_value(json_object_get(options, group));
        if (option)
            merge(body, json_object_get(json_object_get(g, "options"), option));
    }
    json_object_del(body, "variations");
    json_object_del(body, "exclusions");
    return body;
}
