/* The resolver.
 *
 * Needs are answered one by one, in the order in which they come up; choosing a recipe appends its
 * own needs.  When a need cannot be met, the last choice that had another version is changed
 * (plain backtracking: answers are small, and the number of steps has a limit).
 *
 * A demand (an option, an input's value) that comes to a recipe after it was chosen with a default
 * may change what that recipe needs itself.  It becomes a seed, and everything is solved again with
 * the seeds known from the start, until no new one comes up. */
#include "flow/solve_inside.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/tree.h"
#include "flow/version.h"

/* Candidates. */

static bool has_word(const json_t *words, const char *name)
{
    json_t *v;
    size_t i;

    json_array_foreach(words, i, v) if (!strcmp(json_string_value(v), name)) return true;
    return false;
}

static bool is_chosen_name(const struct solver *s, const char *name)
{
    for (size_t i = 0; i < s->choice_count; i++)
        if (!strcmp(s->choices[i].recipe->name, name))
            return true;
    return false;
}

/* Of several names: the one that is said, or the one that is in the answer already. */
static const char *pick_name(const struct solver *s, const json_t *words, const json_t *names)
{
    const char *name, *picked = NULL;
    json_t *v;

    if (json_object_size(names) == 1)
        return json_object_iter_key(json_object_iter((json_t *)(uintptr_t)names));
    json_object_foreach((json_t *)(uintptr_t)names, name, v) if (has_word(words, name)) return name;
    json_object_foreach((json_t *)(uintptr_t)names, name, v)
    {
        if (is_chosen_name(s, name) && picked)
            return NULL;
        if (is_chosen_name(s, name))
            picked = name;
    }
    return picked;
}

/* " (needed by tool > library, FILE)"; "" for what the user asked for. */
static void needed_by(const struct solver *s, const struct need *need, char out[MAX_CHAIN + 300])
{
    char chain[MAX_CHAIN];

    out[0] = 0;
    if (need->parent < 0)
        return;
    solver_chain_to(s, need->parent, chain);
    snprintf(out, MAX_CHAIN + 300, " (needed by %.150s, %.250s)", chain,
             s->choices[need->parent].recipe->file);
}

static bool ambiguous(struct solver *s, const struct need *need, const json_t *names)
{
    char by[MAX_CHAIN + 300];
    struct assay_err e = {0};

    catalog_several(need->words, names, &e);
    needed_by(s, need, by);
    return solver_note(s, e.code, "%s%s", e.text, by);
}

/* The entries that a need can mean, highest version first; all of one name. */
struct candidates {
    size_t *at, count;
};

static void sort_by_version(const struct catalog *c, struct candidates *list)
{
    for (size_t i = 1; i < list->count; i++) {
        size_t one = list->at[i], j = i;

        for (;
             j && version_compare(c->entries[list->at[j - 1]].version, c->entries[one].version) < 0;
             j--)
            list->at[j] = list->at[j - 1];
        list->at[j] = one;
    }
}

/* Two files that say they are the same thing. */
static bool check_clash(struct solver *s, const struct candidates *list)
{
    struct assay_err e = {0};

    for (size_t i = 1; i < list->count; i++) {
        const struct catalog_entry *a = &s->catalog->entries[list->at[i - 1]],
                                   *b = &s->catalog->entries[list->at[i]];

        if (!strcmp(a->version, b->version)) {
            catalog_clash(a, b, &e);
            return solver_note(s, e.code, "%s", e.text);
        }
    }
    return true;
}

static bool find_candidates(struct solver *s, const struct need *need, struct candidates *list)
{
    const struct catalog *c = s->catalog;
    json_t *names = json_object();
    const char *name;
    bool good = false;

    list->count = 0;
    list->at = malloc((c->count + 1) * sizeof(*list->at));
    if (list->at)
        list->count = catalog_find(c, need->words, list->at);
    for (size_t i = 0; i < list->count; i++)
        json_object_set_new(names, c->entries[list->at[i]].name, json_true());
    if (!list->count) {
        struct assay_err e = {0};
        char by[MAX_CHAIN + 300];

        catalog_none(c, need->words, &e);
        needed_by(s, need, by);
        solver_note(s, e.code, "%s%s", e.text, by);
    } else if (!(name = pick_name(s, need->words, names))) {
        ambiguous(s, need, names);
    } else {
        size_t kept = 0;

        for (size_t i = 0; i < list->count; i++)
            if (!strcmp(c->entries[list->at[i]].name, name))
                list->at[kept++] = list->at[i];
        list->count = kept;
        sort_by_version(c, list);
        good = check_clash(s, list);
    }
    json_decref(names);
    return good;
}

static void drop_needs(struct solver *s, size_t count)
{
    while (s->need_count > count)
        json_decref(s->needs[--s->need_count].with);
}

static void drop_choice(struct solver *s)
{
    struct choice *c = &s->choices[--s->choice_count];

    json_decref(c->options);
    json_decref(c->body);
    json_decref(c->inputs);
}

/* The choice itself; false: its options or inputs are not possible. */
static bool fill_choice(struct solver *s, struct choice *c, const struct need *need)
{
    json_t *options = json_object(), *inputs = json_object();
    struct assay_err e = {0};
    bool good = solver_gather(s, c->recipe, -1, need, options, inputs);

    if (good) {
        c->options = solver_values(options);
        if (recipe_choose(c->recipe, c->options, &e))
            good = solver_note(s, e.code, "%s", e.text);
    }
    if (good) {
        c->body = recipe_body(c->recipe, c->options);
        c->inputs = json_object();
        good = solver_inputs(s, c->body, inputs, c->inputs);
    }
    json_decref(options);
    json_decref(inputs);
    return good;
}

static bool advance(struct solver *s, size_t at);

static bool try_choice(struct solver *s, size_t at, size_t entry)
{
    size_t needs = s->need_count;
    struct choice *c = &s->choices[s->choice_count];
    struct assay_err e = {0};
    bool good;

    memset(c, 0, sizeof(*c));
    c->need = at;
    if (catalog_recipe(s->catalog, entry, &c->recipe, &e))
        return solver_note(s, e.code, "%s", e.text);
    s->choice_count++;
    s->needs[at].choice = (int)s->choice_count - 1;
    good = fill_choice(s, c, &s->needs[at]) && solver_add_needs(s, s->needs[at].choice) &&
           advance(s, at + 1);
    if (!good) {
        drop_needs(s, needs);
        drop_choice(s);
        s->needs[at].choice = -1;
    }
    return good;
}

/* Whether the choice is one of those that lead to the need. */
static bool leads_to(const struct solver *s, int choice, const struct need *n)
{
    for (int p = n->parent; p >= 0; p = s->needs[s->choices[p].need].parent)
        if (p == choice)
            return true;
    return false;
}

static bool version_conflict(struct solver *s, const struct need *need, int choice)
{
    const struct recipe *r = s->choices[choice].recipe;
    char chain[MAX_CHAIN], other[MAX_CHAIN] = "";
    const char *range = "";

    for (size_t i = 0; i < s->need_count; i++) {
        if (s->needs[i].choice == choice && (!*other || *s->needs[i].range) && !*range) {
            solver_chain_of(s, &s->needs[i], r->name, other);
            range = s->needs[i].range;
        }
    }
    solver_chain_of(s, need, r->name, chain);
    return solver_note(s, ASSAY_EUSAGE,
                       "%s: no version suits both: %.150s wants %.60s, %.150s wants %s%.60s",
                       r->name, other, *range ? range : "any", chain, need->range,
                       *range ? "" : " (and the highest was taken)");
}

/* The need is answered by a choice that is there. */
static bool join(struct solver *s, size_t at, int choice)
{
    struct need *need = &s->needs[at];
    const struct recipe *r = s->choices[choice].recipe;
    json_t *options = json_object(), *inputs = json_object();
    char chain[MAX_CHAIN];
    bool good = true;

    if (leads_to(s, choice, need)) {
        solver_chain_of(s, need, r->name, chain);
        good = solver_note(s, ASSAY_EUSAGE, "recipes need each other in a cycle: %s", chain);
    } else if (!version_in(r->version, need->range) && *r->version) {
        good = version_conflict(s, need, choice);
    }
    good = good && solver_gather(s, r, choice, need, options, inputs);
    json_decref(options);
    json_decref(inputs);
    if (!good)
        return false;
    need->choice = choice;
    if (advance(s, at + 1))
        return true;
    need->choice = -1;
    return false;
}

static bool no_version(struct solver *s, const struct need *need, const struct candidates *list)
{
    const struct catalog_entry *e = &s->catalog->entries[list->at[0]];
    char chain[MAX_CHAIN];
    struct text there;

    text_init(&there, 160);
    for (size_t i = 0; i < list->count; i++)
        text_addf(&there, "%s%s", i ? ", " : "", s->catalog->entries[list->at[i]].version);
    solver_chain_of(s, need, e->name, chain);
    solver_note(s, ASSAY_EUSAGE, "%s: no version is %s (wanted by %.200s); there %s %s", e->name,
                need->range, chain, list->count > 1 ? "are" : "is", there.s);
    text_release(&there);
    return false;
}

static bool choose(struct solver *s, size_t at, const struct candidates *list)
{
    bool any = false;

    for (size_t i = 0; i < list->count; i++) {
        const char *version = s->catalog->entries[list->at[i]].version;

        /* Of a recipe without version the found thing will tell. */
        if (*version && !version_in(version, s->needs[at].range))
            continue;
        any = true;
        if (try_choice(s, at, list->at[i]))
            return true;
    }
    return any ? false : no_version(s, &s->needs[at], list);
}

/* Answers the needs from number `at` on. */
static bool advance(struct solver *s, size_t at)
{
    struct candidates list = {0};
    bool good;

    if (at == s->need_count)
        return true;
    if (s->steps++ >= MAX_STEPS)
        return solver_note(s, ASSAY_EUSAGE, "this cannot be resolved in %d steps", MAX_STEPS);
    good = find_candidates(s, &s->needs[at], &list);
    if (good) {
        const char *name = s->catalog->entries[list.at[0]].name;
        int there = -1;

        for (size_t i = 0; i < s->choice_count; i++)
            if (!strcmp(s->choices[i].recipe->name, name))
                there = (int)i;
        good = there >= 0 ? join(s, at, there) : choose(s, at, &list);
    }
    free(list.at);
    return good;
}

/* Demands that came to a choice which had decided otherwise; they are known from the start next
 * time. */
static bool plant_seeds(struct solver *s)
{
    bool new_ones = false;

    for (size_t i = 0; i < s->choice_count; i++) {
        const struct choice *c = &s->choices[i];
        json_t *options = json_object(), *inputs = json_object(), *asked;

        solver_gather(s, c->recipe, (int)i, NULL, options, inputs);
        asked = solver_values(options);
        for (void *it = json_object_iter(asked); it; it = json_object_iter_next(asked, it))
            if (!json_equal(json_object_get(c->options, json_object_iter_key(it)),
                            json_object_iter_value(it)))
                new_ones = true;
        json_decref(asked);
        if (json_object_size(inputs)) {
            json_t *typed = json_object();

            if (!solver_inputs(s, c->body, inputs, typed) || !json_equal(typed, c->inputs))
                new_ones = true;
            json_decref(typed);
        }
        json_object_set_new(s->seeds, c->recipe->name,
                            json_pack("{s:o, s:o}", "options", options, "inputs", inputs));
    }
    return new_ones;
}

static void clear(struct solver *s)
{
    drop_needs(s, 0);
    while (s->choice_count)
        drop_choice(s);
}

/* Values that the user sets: for a recipe that is named, or for what is asked for. */
static void seed_sets(struct solver *s, const char *root)
{
    json_t *set;
    size_t i;

    json_array_foreach(s->sets, i, set)
    {
        const char *recipe = tree_text(set, "recipe", root);
        json_t *seed = json_object_get(s->seeds, recipe);

        if (!seed) {
            seed = json_pack("{s:{}, s:{}}", "options", "inputs");
            json_object_set_new(s->seeds, recipe, seed);
        }
        json_object_set_new(json_object_get(seed, "inputs"), tree_text(set, "name", "?"),
                            json_pack("[O, s]", json_object_get(set, "value"), "--set"));
    }
}

static void mark_sets(struct solver *s)
{
    json_t *set;
    size_t i, j;

    json_array_foreach(s->sets, i, set)
    {
        const char *recipe = tree_text(set, "recipe", s->choices[0].recipe->name);

        for (j = 0; j < s->choice_count; j++)
            if (!strcmp(s->choices[j].recipe->name, recipe))
                json_object_set_new(set, "used", json_true());
    }
}

static bool hand_over_needs(struct solver *s, struct solved *to, int choice)
{
    char chain[MAX_CHAIN];

    to->needs = calloc(s->need_count + 1, sizeof(*to->needs));
    to->ranges = json_array();
    for (size_t i = 0; to->needs && i < s->need_count; i++) {
        const struct need *n = &s->needs[i];

        if (n->choice == choice && *n->range) {
            solver_chain_of(s, n, to->recipe->name, chain);
            json_array_append_new(to->ranges,
                                  json_pack("{s:s, s:s}", "range", n->range, "chain", chain));
        }
        if (n->parent != choice)
            continue;
        for (size_t j = 0; j < to->need_count; j++)
            if (!strcmp(to->needs[j].as, n->as))
                return solver_note(s, ASSAY_EUSAGE,
                                   "%s: two needs are called '%s'; give one another "
                                   "'as'",
                                   to->recipe->name, n->as);
        to->needs[to->need_count].to = (size_t)n->choice;
        to->needs[to->need_count].use = n->use;
        snprintf(to->needs[to->need_count++].as, sizeof(to->needs[0].as), "%s", n->as);
    }
    return to->needs != NULL;
}

static bool hand_over(struct solver *s, struct solution *out)
{
    char chain[MAX_CHAIN];

    out->all = calloc(s->choice_count, sizeof(*out->all));
    out->count = out->all ? s->choice_count : 0;
    for (size_t i = 0; i < out->count; i++) {
        struct choice *c = &s->choices[i];
        struct solved *to = &out->all[i];

        to->recipe = c->recipe;
        to->options = json_incref(c->options);
        to->body = json_incref(c->body);
        to->inputs = json_incref(c->inputs);
        solver_chain_to(s, (int)i, chain);
        to->chain = strdup(chain);
        if (!hand_over_needs(s, to, (int)i))
            return false;
    }
    return out->all != NULL;
}

static bool solve_once(struct solver *s, const json_t *words, const char *range)
{
    struct need *root;

    clear(s);
    s->steps = 0;
    s->first.code = 0;
    if (!(root = solver_need(s)))
        return false;
    root->words = words;
    root->range = range;
    root->as = "";
    root->parent = -1;
    return advance(s, 0);
}

/* Solves for the name's sake first: what is set without a recipe's name is for what is asked for.
 */
static bool solve_all(struct solver *s, const json_t *words, const char *range)
{
    struct need root = {.words = words, .range = range, .parent = -1};
    struct candidates list = {0};
    bool good = find_candidates(s, &root, &list);

    if (good)
        seed_sets(s, s->catalog->entries[list.at[0]].name);
    free(list.at);
    for (int round = 0; good; round++) {
        if (round == MAX_ROUNDS)
            return solver_note(s, ASSAY_EUSAGE, "variations that change each other without end");
        good = solve_once(s, words, range);
        if (good && !plant_seeds(s))
            break;
    }
    return good;
}

int solve(struct catalog *c, const char *request, json_t *sets, struct solution *out,
          struct assay_err *err)
{
    struct solver s = {.catalog = c, .sets = sets};
    char *text = strdup(request), *range = text ? strchr(text, '@') : NULL;
    json_t *words = NULL;
    bool good = false;
    int rc = ASSAY_EFAIL;

    memset(out, 0, sizeof(*out));
    if (range)
        *range++ = 0;
    s.needs = calloc(MAX_NEEDS, sizeof(*s.needs));
    s.choices = calloc(MAX_NEEDS, sizeof(*s.choices));
    s.seeds = json_object();
    if (!text || !s.needs || !s.choices)
        rc = assay_fail(err, ASSAY_EFAIL, "not enough memory to resolve '%.60s'", request);
    else if ((words = catalog_words(text, err)))
        rc = version_range_check(range ? range : "", request, err);
    else
        rc = ASSAY_EUSAGE;
    if (!rc) {
        good = solve_all(&s, words, range ? range : "");
        if (good)
            mark_sets(&s);
        if (!good || !hand_over(&s, out)) {
            if (s.first.code)
                *err = s.first;
            rc = s.first.code ? s.first.code
                              : assay_fail(err, ASSAY_EFAIL, "not enough memory to resolve '%.60s'",
                                           request);
            solution_release(out);
        }
    }
    clear(&s);
    json_decref(words);
    json_decref(s.seeds);
    free(s.needs);
    free(s.choices);
    free(text);
    return rc;
}

void solution_release(struct solution *s)
{
    for (size_t i = 0; i < s->count; i++) {
        struct solved *one = &s->all[i];

        json_decref(one->options);
        json_decref(one->body);
        json_decref(one->inputs);
        json_decref(one->ranges);
        free(one->chain);
        free(one->needs);
    }
    free(s->all);
    memset(s, 0, sizeof(*s));
}
