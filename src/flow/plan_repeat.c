/* The command that repeats a step: the step alone, where a request for it alone is answered by the
 * same; else what was asked for, for then versions, options or inputs of what it needs come from
 * somebody else. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "base/tree.h"
#include "flow/plan_inside.h"
#include "flow/solve.h"

char *plan_request_text(const struct plan_node *n)
{
    char *name = recipe_name_with(n->recipe, n->options), *text = NULL;

    if (name)
        text = text_format(*n->recipe->version ? "%s@==%s" : "%s", name, n->recipe->version);
    free(name);
    return text;
}

static void add_word(json_t *argv, const char *word)
{
    json_array_append_new(argv, json_string(word));
}

static void add_option(json_t *argv, const char *option, const char *value)
{
    add_word(argv, option);
    add_word(argv, value);
}

/* The step's inputs, as a --set each, and as solve takes them. */
static void add_inputs(const struct plan_node *n, json_t *argv, json_t *sets)
{
    const char *key;
    char *value, *set;
    json_t *v, *initial;

    json_object_foreach(n->inputs, key, v)
    {
        initial =
            json_object_get(json_object_get(json_object_get(n->body, "inputs"), key), "default");
        if (initial && json_equal(initial, v))
            continue;
        value = json_is_string(v) ? strdup(json_string_value(v)) : json_dumps(v, JSON_ENCODE_ANY);
        set = text_format("%s=%s", key, value ? value : "");
        add_option(argv, "--set", set ? set : "");
        json_array_append_new(sets, json_pack("{s:s, s:s, s:b}", "name", key, "value",
                                              value ? value : "", "used", 0));
        free(set);
        free(value);
    }
}

static bool is_answer(const struct plan *p, const struct plan_node *n, const struct solution *all,
                      size_t at)
{
    const struct solved *s = &all->all[at];
    bool is = !strcmp(s->recipe->name, n->recipe->name) &&
              !strcmp(s->recipe->version, n->recipe->version) &&
              json_equal(s->options, n->options) && json_equal(s->inputs, n->inputs) &&
              (!n->need_count || s->need_count == n->need_count);

    for (size_t i = 0; i < n->need_count && is; i++)
        is = is_answer(p, &p->nodes[n->needs[i].to], all, s->needs[i].to);
    return is;
}

/* Whether the request, by itself, is answered by this node and all that it needs. */
static bool is_alone(struct plan *p, const struct plan_node *n, const char *request, json_t *sets)
{
    struct solution all;
    struct assay_err err;
    bool is;

    if (solve(&p->catalog, request, sets, &all, &err))
        return false;
    is = is_answer(p, n, &all, 0);
    solution_release(&all);
    return is;
}

/* Is it of this node, or of one that it needs? */
static bool takes(const struct plan *p, const struct plan_node *n, const json_t *words)
{
    bool is = plan_is_named(n, words);

    for (size_t i = 0; i < n->need_count && !is; i++)
        is = takes(p, &p->nodes[n->needs[i].to], words);
    return is;
}

static json_t *alone(struct plan *p, const struct plan_node *n)
{
    json_t *argv = json_pack("[s, s]", "assay", "get"), *sets = json_array(), *v;
    char *request = plan_request_text(n);
    size_t i;

    add_word(argv, request ? request : "");
    add_inputs(n, argv, sets);
    if (!request || !is_alone(p, n, request, sets)) {
        json_decref(argv);
        argv = NULL;
    }
    if (argv && tree_bool(json_object_get(n->body, "licence"), "accept", false))
        add_option(argv, "--accept", n->recipe->name);
    json_array_foreach(argv ? p->haves : NULL, i, v) if (takes(p, n, json_object_get(v, "words")))
        add_option(argv, "--have", tree_text(v, "text", ""));
    free(request);
    json_decref(sets);
    return argv;
}

static json_t *all_of_it(const struct plan *p)
{
    const char *const options[] = {"--set", "--accept", "--have"};
    const char *const *const values[] = {p->ask.sets, p->ask.accepts, p->ask.haves};
    json_t *argv = json_pack("[s, s]", "assay", "get");

    for (const char *const *r = p->ask.requests; *r; r++)
        add_word(argv, *r);
    for (size_t i = 0; i < 3; i++)
        for (const char *const *v = values[i]; v && *v; v++)
            add_option(argv, options[i], *v);
    return argv;
}

char *plan_repeat_text(struct plan *p, const struct plan_node *n)
{
    json_t *one = alone(p, n), *argv = one ? one : all_of_it(p);
    char *usual = file_cache_dir(), *command, *text;

    if (usual && strcmp(usual, p->ask.cache) != 0)
        add_option(argv, "--cache", p->ask.cache);
    if (p->ask.offline)
        add_word(argv, "--offline");
    command = plan_command_text(argv);
    text = text_format("%s: %s", one ? "To repeat just this step" : "To repeat this step and go on",
                       command ? command : "");
    free(command);
    free(usual);
    json_decref(argv);
    return text;
}
