/* What is demanded of each recipe of an answer: options, inputs, and its own needs. */
#include "flow/solve_inside.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/tree.h"
#include "flow/fill.h"

bool solver_note(struct solver *s, int code, const char *fmt, ...)
{
    va_list ap;

    if (s->first.code)
        return false;
    s->first.code = code;
    va_start(ap, fmt);
    vsnprintf(s->first.text, sizeof(s->first.text), fmt, ap);
    va_end(ap);
    return false;
}

/* "tool > library": the recipes from the user's request to this need's parent. */
void solver_chain_to(const struct solver *s, int choice, char out[MAX_CHAIN])
{
    char above[MAX_CHAIN] = "";
    int parent;

    out[0] = 0;
    if (choice < 0)
        return;
    parent = s->needs[s->choices[choice].need].parent;
    solver_chain_to(s, parent, above);
    snprintf(out, MAX_CHAIN, "%.330s%s%.64s", above, *above ? " > " : "",
             s->choices[choice].recipe->name);
}

/* The same with what is needed at the end. */
void solver_chain_of(const struct solver *s, const struct need *n, const char *name,
                     char out[MAX_CHAIN])
{
    char above[MAX_CHAIN];

    solver_chain_to(s, n->parent, above);
    snprintf(out, MAX_CHAIN, "%.330s%s%.64s", above, *above ? " > " : "", name);
}

/* The options that a need's words ask for: group -> option; false: two of one group. */
static bool asked_options(struct solver *s, const struct need *need, const struct recipe *r,
                          json_t *out)
{
    const char *group, *word, *old;
    json_t *v;
    size_t i;

    json_array_foreach(need->words, i, v)
    {
        word = json_string_value(v);
        if (!(group = recipe_group(r, word)))
            continue;
        old = json_string_value(json_object_get(out, group));
        if (old && strcmp(old, word) != 0)
            return solver_note(s, ASSAY_EUSAGE,
                               "%s: '%s' and '%s' are both of the group '%s': one is "
                               "wanted",
                               r->name, old, word, group);
        json_object_set_new(out, group, json_string(word));
    }
    return true;
}

static void shown_value(const json_t *v, char out[80])
{
    char *text = json_is_string(v) ? NULL : json_dumps(v, JSON_ENCODE_ANY);

    snprintf(out, 80, "%.79s", json_is_string(v) ? json_string_value(v) : text ? text : "?");
    free(text);
}

static bool clash_of(struct solver *s, const char *name, const char *what, const char *key,
                     const json_t *a, const char *chain_a, const json_t *b, const char *chain_b)
{
    char va[80], vb[80];

    shown_value(a, va);
    shown_value(b, vb);
    return solver_note(s, ASSAY_EUSAGE,
                       "%s: %s '%s' cannot be both: %.150s wants '%.40s', %.150s wants "
                       "'%.40s'",
                       name, what, key, chain_a, va, chain_b, vb);
}

/* Adds the demands (key -> value) to those of a recipe (key -> [value, chain]). */
static bool add_demands(struct solver *s, const char *name, const char *what, json_t *all,
                        const json_t *more, const char *chain)
{
    const char *key;
    json_t *v;

    json_object_foreach((json_t *)(uintptr_t)more, key, v)
    {
        json_t *old = json_object_get(all, key);

        if (!old)
            json_object_set_new(all, key, json_pack("[O, s]", v, chain));
        else if (!json_equal(json_array_get(old, 0), v))
            return clash_of(s, name, what, key, json_array_get(old, 0),
                            json_string_value(json_array_get(old, 1)), v, chain);
    }
    return true;
}

/* All that is demanded of a choice: by the seeds, by the needs answered by it so far, and by one
 * more need.  options and inputs: key -> [value, chain]. */
bool solver_gather(struct solver *s, const struct recipe *r, int choice, const struct need *more,
                   json_t *options, json_t *inputs)
{
    const json_t *seed = json_object_get(s->seeds, r->name);
    char chain[MAX_CHAIN];
    bool good = true;

    json_object_update(options, json_object_get(seed, "options"));
    json_object_update(inputs, json_object_get(seed, "inputs"));
    for (size_t i = 0; good && i < s->need_count; i++) {
        const struct need *n = &s->needs[i];
        json_t *asked;

        if (n != more && (choice < 0 || n->choice != choice))
            continue;
        asked = json_object();
        solver_chain_of(s, n, r->name, chain);
        good = asked_options(s, n, r, asked) &&
               add_demands(s, r->name, "variation", options, asked, chain) &&
               add_demands(s, r->name, "input", inputs, n->with, chain);
        json_decref(asked);
    }
    return good;
}

json_t *solver_values(const json_t *demands)
{
    json_t *out = json_object(), *v;
    const char *key;

    json_object_foreach((json_t *)(uintptr_t)demands, key, v)
        json_object_set(out, key, json_array_get(v, 0));
    return out;
}

/* Defaults and demanded values, with their types. */
bool solver_inputs(struct solver *s, const json_t *body, const json_t *demanded, json_t *out)
{
    struct assay_err e = {0};
    const char *key;
    json_t *v, *typed;

    json_object_foreach(json_object_get(body, "inputs"), key, v)
    {
        const json_t *value = json_object_get(v, "default");

        if (!value || json_object_get(demanded, key))
            continue;
        if (recipe_input(body, key, value, &typed, &e))
            return solver_note(s, e.code, "%s: input %s", tree_text(body, "name", "?"), e.text);
        json_object_set_new(out, key, typed);
    }
    json_object_foreach((json_t *)(uintptr_t)demanded, key, v)
    {
        const json_t *value = json_array_get(v, 0);

        if (recipe_input(body, key, value, &typed, &e))
            return solver_note(s, e.code, "%s (asked by %.150s)", e.text,
                               json_string_value(json_array_get(v, 1)));
        json_object_set_new(out, key, typed);
    }
    return true;
}

static char *value_text(const json_t *v)
{
    if (json_is_string(v))
        return strdup(json_string_value(v));
    return json_dumps(v, JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
}

/* What `with` of a need may ask for. */
static json_t *scope_of(const struct choice *c)
{
    json_t *scope = json_pack("{s:s, s:s, s:s}", "name", c->recipe->name, "version",
                              c->recipe->version, "recipe", c->recipe->folder);
    const char *key;
    char name[160], *text;
    json_t *v;

    json_object_foreach(c->inputs, key, v)
    {
        snprintf(name, sizeof(name), "input.%.100s", key);
        text = value_text(v);
        json_object_set_new(scope, name, json_string(text ? text : ""));
        free(text);
    }
    json_object_foreach(c->options, key, v)
    {
        snprintf(name, sizeof(name), "option.%.100s", key);
        json_object_set(scope, name, v);
    }
    return scope;
}

struct need *solver_need(struct solver *s)
{
    if (s->need_count == MAX_NEEDS) {
        solver_note(s, ASSAY_EUSAGE, "a request that needs more than %d things", MAX_NEEDS);
        return NULL;
    }
    memset(&s->needs[s->need_count], 0, sizeof(s->needs[0]));
    s->needs[s->need_count].with = json_object();
    s->needs[s->need_count].choice = -1;
    return &s->needs[s->need_count++];
}

static bool add_need(struct solver *s, const json_t *row, const json_t *scope, int parent)
{
    const json_t *tags = json_object_get(row, "tags");
    struct need *n = solver_need(s);
    struct assay_err e = {0};
    const char *key;
    char *text;
    json_t *v;

    if (!n)
        return false;
    n->words = tags;
    n->range = tree_text(row, "version", "");
    n->as = tree_text(row, "as", json_string_value(json_array_get(tags, 0)));
    n->use = tree_bool(row, "use", false);
    n->parent = parent;
    json_object_foreach(json_object_get(row, "with"), key, v)
    {
        if (!json_is_string(v)) {
            json_object_set(n->with, key, v);
            continue;
        }
        if (fill(json_string_value(v), scope, &text, &e))
            return solver_note(s, e.code, "%s: needs: with: %s", s->choices[parent].recipe->name,
                               e.text);
        json_object_set_new(n->with, key, json_string(text));
        free(text);
    }
    return true;
}

bool solver_add_needs(struct solver *s, int choice)
{
    const struct choice *c = &s->choices[choice];
    json_t *scope = scope_of(c), *row;
    bool good = true;
    size_t i;

    json_array_foreach(json_object_get(c->body, "needs"), i, row) good =
        good && add_need(s, row, scope, choice);
    json_decref(scope);
    return good;
}
