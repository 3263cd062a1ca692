/* Making the graph; see plan.h.  What it looks like from outside is in plan_show.c. */
#include "flow/plan_inside.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/text.h"
#include "base/tree.h"
#include "flow/digest.h"
#include "flow/fill.h"
#include "flow/find.h"
#include "flow/have.h"
#include "flow/mirror.h"
#include "flow/solve.h"

const char *const plan_state_names[] = {"there",  "found", "have",   "verify",
                                        "verify", "make",  "lacking"};

static int no_memory(struct assay_err *err)
{
    return assay_fail(err, ASSAY_EFAIL, "not enough memory for the plan");
}

static struct plan_node *node_add(struct plan *p)
{
    struct plan_node *nodes;

    if (p->count == p->cap) {
        size_t cap = p->cap ? p->cap * 2 : 32;

        if (!(nodes = realloc(p->nodes, cap * sizeof(*nodes))))
            return NULL;
        p->nodes = nodes;
        p->cap = cap;
    }
    memset(&p->nodes[p->count], 0, sizeof(p->nodes[0]));
    p->nodes[p->count].downloads = -1;
    return &p->nodes[p->count];
}

static void node_release(struct plan_node *n)
{
    json_decref(n->options);
    json_decref(n->body);
    json_decref(n->inputs);
    json_decref(n->key_of);
    json_decref(n->outputs);
    free(n->chain);
    free(n->needs);
    free(n->root);
    memset(n, 0, sizeof(*n));
}

/* Keeps the last node, or finds that it is there already: its index. */
static size_t node_keep(struct plan *p)
{
    struct plan_node *n = &p->nodes[p->count];

    for (size_t i = 0; i < p->count; i++) {
        const struct plan_node *other = &p->nodes[i];

        if (!strcmp(other->key, n->key) && !strcmp(other->id, n->id) &&
            (other->outputs == n->outputs || json_equal(other->outputs, n->outputs))) {
            node_release(n);
            return i;
        }
    }
    return p->count++;
}

static void copy_solved(struct plan_node *n, const struct solved *s, const char *part)
{
    n->recipe = s->recipe;
    n->options = json_incref(s->options);
    n->body = json_incref(s->body);
    n->inputs = json_incref(s->inputs);
    n->chain = strdup(s->chain);
    snprintf(n->version, sizeof(n->version), "%.63s", s->recipe->version);
    snprintf(n->id, sizeof(n->id), "%.64s%s%.63s%s", s->recipe->name,
             *s->recipe->version ? "-" : "", s->recipe->version, part);
}

static int copy_needs(struct plan_node *n, const struct solved *s, const size_t *map,
                      struct assay_err *err)
{
    n->needs = calloc(s->need_count + 1, sizeof(*n->needs));
    if (!n->needs)
        return no_memory(err);
    for (size_t i = 0; i < s->need_count; i++) {
        n->needs[i].to = map[s->needs[i].to] - 1;
        n->needs[i].use = s->needs[i].use;
        memcpy(n->needs[i].as, s->needs[i].as, sizeof(n->needs[i].as));
        n->need_count++;
    }
    return ASSAY_OK;
}

/* Where it is on the shelf, or will be; whether it is there is asked when it is wanted. */
static int place_on_shelf(const struct plan *p, struct plan_node *n, struct assay_err *err)
{
    n->state = PLAN_MAKE;
    n->root = text_format("%s/%.2s/%s/files", p->shelf.dir, n->key, n->key);
    return n->root ? ASSAY_OK : no_memory(err);
}

static bool has(const struct plan_node *n, const char *key)
{
    return json_object_get(n->body, key) != NULL;
}

/* The downloads of a recipe that also builds: a node of their own. */
static int add_downloads(struct plan *p, const struct solved *s, const size_t *map, int *index,
                         struct assay_err *err)
{
    struct plan_node *n = node_add(p);
    int rc;

    if (!n)
        return no_memory(err);
    copy_solved(n, s, ":fetch");
    n->fetches = true;
    rc = plan_fetches_by_list(n->body) ? copy_needs(n, s, map, err) : ASSAY_OK;
    n->key_of = plan_key_of_downloads(p, n);
    plan_key_from(n->key_of, n->key);
    if (!rc)
        rc = place_on_shelf(p, n, err);
    if (!rc)
        rc = plan_set_outputs(p, n, NULL, err);
    if (rc)
        node_release(n);
    else
        *index = (int)node_keep(p);
    return rc;
}

bool plan_is_named(const struct plan_node *n, const json_t *words)
{
    const struct recipe *r = n->recipe;
    json_t *v, *o;
    const char *group;
    size_t i, j;

    json_array_foreach(words, i, v)
    {
        const char *word = json_string_value(v);
        bool is = !strcmp(word, r->name);

        json_array_foreach(json_object_get(r->tree, "tags"), j, o) is =
            is || !strcmp(json_string_value(o), word);
        json_object_foreach(n->options, group, o) is = is || !strcmp(json_string_value(o), word);
        if (!is)
            return false;
    }
    return true;
}

/* How closely words mean the node: its name goes before its tags, more words before fewer. */
static size_t closeness(const struct plan_node *n, const json_t *words)
{
    return json_array_size(words) + (list_holds(words, n->recipe->name) ? 1000 : 0);
}

/* The place that the user gives for this node; NULL: none. */
static int given_place(struct plan *p, const struct plan_node *n, const char **place,
                       struct assay_err *err)
{
    const json_t *best = NULL;
    size_t i, near, nearest = 0;
    json_t *have;

    json_array_foreach(p->haves, i, have)
    {
        if (!plan_is_named(n, json_object_get(have, "words")))
            continue;
        json_object_set_new(have, "used", json_true());
        near = closeness(n, json_object_get(have, "words"));
        if (near == nearest && strcmp(tree_text(best, "path", ""), tree_text(have, "path", "")))
            return assay_fail(err, ASSAY_EUSAGE,
                              "%s: --have %.150s and --have %.150s name two places for it; leave "
                              "one out",
                              n->id, tree_text(best, "text", ""), tree_text(have, "text", ""));
        if (near <= nearest)
            continue;
        best = have;
        nearest = near;
    }
    *place = tree_text(best, "path", NULL);
    return ASSAY_OK;
}

/* Files that a list names are not in it: nothing of what the user has is judged by them.  Nor by a
 * size that is only about right. */
static json_t *fetched_by_name(const json_t *body)
{
    json_t *rows = json_array(), *row;
    size_t i;

    json_array_foreach(json_object_get(body, "fetch"), i, row)
    {
        if (json_object_get(row, "each"))
            continue;
        row = json_copy(row);
        json_object_del(row, "about");
        json_array_append_new(rows, row);
    }
    return rows;
}

void plan_have_id(const struct recipe *r, json_t *options, const json_t *body, char id[65])
{
    json_t *of =
        json_pack("{s:s, s:s, s:O}", "recipe", r->name, "version", r->version, "options", options);
    json_t *rows = fetched_by_name(body);

    json_object_set(of, "check", json_object_get(body, "check"));
    if (json_array_size(rows))
        json_object_set(of, "fetch", rows);
    plan_key_from(of, id);
    json_decref(rows);
    json_decref(of);
}

/* A place that is only remembered stands in nobody's way when it is not what it was. */
static bool is_right_still(const struct plan *p, const struct plan_node *n, const char *was)
{
    static atomic_ullong told; /* a command makes several plans */
    char first[16];
    unsigned long long id;
    struct assay_err why;

    if (!have_is_whole(n->body, was))
        return false;
    if (have_is_right(p->ask.cache, n->have_id, n->body, was, &why))
        return true;
    snprintf(first, sizeof(first), "%.15s", n->have_id);
    id = strtoull(first, NULL, 16);
    if (atomic_exchange(&told, id) == id)
        return false;
    fprintf(stderr,
            "assay: warning: %s: %s, remembered from --have or `assay cache adopt`, has changed "
            "and is not used: %s (`assay cache remove %.12s` forgets it)\n",
            n->id, was, why.text, n->have_id);
    return false;
}

/* What the user has of his own: now named, or verified before. */
static bool look_at_users(const struct plan *p, struct plan_node *n, const char *given)
{
    char *was = NULL;

    plan_have_id(n->recipe, n->options, n->body, n->have_id);
    n->root = p->any_haves ? have_known(p->ask.cache, n->have_id, &was) : NULL;
    n->state = PLAN_HAVE;
    if (given && (!n->root || strcmp(given, n->root) != 0)) {
        free(n->root);
        n->root = strdup(given);
        n->state = PLAN_VERIFY;
    } else if (!n->root && was && is_right_still(p, n, was)) {
        n->root = was;
        n->state = tree_any_has(json_object_get(n->body, "check"), "run") ? PLAN_VERIFY : PLAN_HAVE;
        was = NULL;
    }
    free(was);
    return n->root != NULL;
}

/* Where no digest says what must be in it, the place itself goes into the key. */
static void key_of_place(struct plan_node *n, const char *stamps)
{
    json_t *of = json_pack("{s:i, s:s, s:s, s:s}", "format", 1, "recipe", n->recipe->name, "path",
                           n->root, "stamps", stamps ? stamps : "");

    json_decref(n->key_of);
    n->key_of = of;
    plan_key_from(of, n->key);
}

static int look_for_found(struct plan *p, struct plan_node *n, const struct solved *s, bool *is,
                          struct assay_err *err)
{
    struct found f = {0};
    json_t *scope;
    char *inside, *stamps;
    int rc = ASSAY_OK;

    *is = false;
    if (!has(n, "find"))
        return ASSAY_OK;
    scope = plan_find_scope(p, n);
    if (find_thing(n->body, scope, s->ranges, p->ask.cache, &f, n->note)) {
        *is = true;
        n->state = PLAN_FOUND;
        n->root = strdup(f.folder);
        snprintf(n->version, sizeof(n->version), "%s", f.version);
        /* A folder keeps its own stamp when a file in it is written over. */
        inside = f.program || !n->root ? NULL : have_stamps(n->body, n->root);
        stamps =
            text_format("%s %s%s%s", f.stamp, f.version, inside ? "\n" : "", inside ? inside : "");
        key_of_place(n, stamps);
        free(stamps);
        free(inside);
        rc = plan_set_outputs(p, n, f.program, err);
        found_release(&f);
    }
    json_decref(scope);
    return rc;
}

static int check_inputs(const struct plan_node *n, struct assay_err *err)
{
    const char *key;
    json_t *v;

    json_object_foreach(json_object_get(n->body, "inputs"), key, v)
    {
        if (strcmp(tree_text(v, "type", ""), "secret") != 0 && !json_object_get(n->inputs, key))
            return assay_fail(err, ASSAY_EUSAGE, "%s wants a value for '%s': --set %s.%s=VALUE",
                              n->recipe->name, key, n->recipe->name, key);
    }
    return ASSAY_OK;
}

/* Whether digests say of every file what is in it; that of an archive is none of what was in it. */
static bool is_known_by_digests(const struct plan_node *n)
{
    json_t *row;
    size_t i;

    json_array_foreach(json_object_get(n->body, "fetch"), i, row)
    {
        if (json_object_get(row, "unpack") || json_object_get(row, "each") ||
            (!json_object_get(row, "sha256") && !json_object_get(row, "md5")))
            return false;
    }
    return n->fetches;
}

/* The user's own place: where digests say what is in it, it stands for what would be fetched. */
static int settle_users(struct plan *p, struct plan_node *n, struct assay_err *err)
{
    char *stamps;

    if (is_known_by_digests(n)) {
        n->key_of = plan_key_of_downloads(p, n);
        plan_key_from(n->key_of, n->key);
    } else {
        stamps = have_stamps(n->body, n->root);
        key_of_place(n, stamps);
        free(stamps);
    }
    return plan_set_outputs(p, n, NULL, err);
}

/* Is it a tool alone, so that what it made is as good when it is gone?  Not one of certain
 * versions: an entry does not tell by which it was made. */
static bool is_tool(const struct plan_node *n, const struct solved *s)
{
    const json_t *ways = json_object_get(n->body, "find");
    json_t *way;
    size_t i;

    json_array_foreach(ways, i, way) if (!json_object_get(way, "program")) return false;
    return i && !json_array_size(s->ranges) && !has(n, "fetch") && !has(n, "build") &&
           !has(n, "convert");
}

/* What the user has goes before what is found, and that before what is made. */
static int settle(struct plan *p, struct plan_node *n, const struct solved *s,
                  struct assay_err *err)
{
    const char *given = NULL;
    bool found = false;
    int rc = given_place(p, n, &given, err);

    if (rc)
        return rc;
    n->fetches = has(n, "fetch") && !has(n, "build") && !has(n, "convert");
    if (look_at_users(p, n, given))
        return settle_users(p, n, err);
    rc = look_for_found(p, n, s, &found, err);
    if (rc || found)
        return rc;
    n->absent = is_tool(n, s);
    /* Of one that can be found, what is found tells; then what is made in its place is taken. */
    if (!*n->version && !has(n, "find") && json_array_size(s->ranges))
        return assay_fail(err, ASSAY_EUSAGE,
                          "%s: the recipe tells no version, so %s cannot be had of what it makes: "
                          "ask for it without a version, or give yours by --have",
                          n->chain ? n->chain : n->recipe->name,
                          tree_text(json_array_get(s->ranges, 0), "range", ""));
    if (n->fetches) {
        n->key_of = plan_key_of_downloads(p, n);
        plan_key_from(n->key_of, n->key);
    } else {
        if ((rc = plan_key_of_making(p, n, err)))
            return rc;
        plan_take_made(p, n);
    }
    if ((rc = place_on_shelf(p, n, err)) || (rc = check_inputs(n, err)))
        return rc;
    return plan_set_outputs(p, n, NULL, err);
}

/* map: of the solution's indices to the plan's, and 1; 0: not there yet; SIZE_MAX: under way. */
static int add_solved(struct plan *p, const struct solution *all, size_t at, size_t *map,
                      struct assay_err *err)
{
    const struct solved *s = &all->all[at];
    struct plan_node *n;
    int downloads = -1, rc = ASSAY_OK;

    /* The solver sees a ring only along the way by which each came in first. */
    if (map[at] == SIZE_MAX)
        return assay_fail(err, ASSAY_EUSAGE, "recipes need each other in a cycle: %s", s->chain);
    if (map[at])
        return ASSAY_OK;
    map[at] = SIZE_MAX;
    for (size_t i = 0; !rc && i < s->need_count; i++)
        rc = add_solved(p, all, s->needs[i].to, map, err);
    if (!rc && json_object_get(s->body, "fetch") &&
        (json_object_get(s->body, "build") || json_object_get(s->body, "convert")))
        rc = add_downloads(p, s, map, &downloads, err);
    if (rc)
        return rc;
    if (!(n = node_add(p)))
        return no_memory(err);
    copy_solved(n, s, "");
    n->downloads = downloads;
    rc = copy_needs(n, s, map, err);
    if (!rc)
        rc = settle(p, n, s, err);
    if (rc)
        node_release(n);
    else
        map[at] = node_keep(p) + 1;
    return rc;
}

static int add_request(struct plan *p, const char *request, struct assay_err *err)
{
    struct solution all;
    size_t *map;
    int rc = solve(&p->catalog, request, p->sets, &all, err);

    if (rc)
        return rc;
    map = calloc(all.count + 1, sizeof(*map));
    rc = map ? add_solved(p, &all, 0, map, err) : no_memory(err);
    if (!rc && map)
        p->roots[p->root_count++] = map[0] - 1;
    free(map);
    solution_release(&all);
    return rc;
}

static int mark(struct plan *p, size_t at, struct assay_err *err);

/* Is the folder of its downloads part of what it gives, or of how it is checked? */
static bool uses_fetched(const struct plan_node *n)
{
    static const char *const parts[] = {"outputs", "values", "env", "check"};
    bool found = false;

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]) && !found; i++) {
        const json_t *part = json_object_get(n->body, parts[i]);
        char *text = part ? json_dumps(part, JSON_COMPACT) : NULL;

        found = text && strstr(text, "${fetched}");
        free(text);
    }
    return found;
}

/* What a node needs now: to be made, to be checked, or to be used. */
static int mark_needs(struct plan *p, const struct plan_node *n, struct assay_err *err)
{
    int rc = ASSAY_OK;

    for (size_t i = 0; !rc && i < n->need_count; i++)
        if (n->state == PLAN_MAKE || n->state == PLAN_CHECK ||
            (n->state == PLAN_THERE && n->needs[i].use))
            rc = mark(p, n->needs[i].to, err);
    if (!rc && n->downloads >= 0 &&
        (n->state == PLAN_MAKE ||
         ((n->state == PLAN_THERE || n->state == PLAN_CHECK) && uses_fetched(n))))
        rc = mark(p, (size_t)n->downloads, err);
    return rc;
}

static bool is_checked(const struct plan_node *n, const char *files)
{
    char checks[HASH_HEX];

    plan_checks_of(n, checks);
    return !*checks || shelf_is_noted(files, checks);
}

static int mark(struct plan *p, size_t at, struct assay_err *err)
{
    struct plan_node *n = &p->nodes[at];
    char *files = NULL;
    int rc = ASSAY_OK;

    if (n->wanted)
        return ASSAY_OK;
    n->wanted = true;
    if (n->state == PLAN_MAKE)
        rc = shelf_find(&p->shelf, n->key, &files, NULL, err);
    if (files)
        n->state = is_checked(n, files) ? PLAN_THERE : PLAN_CHECK;
    else if (n->state == PLAN_MAKE && !n->fetches && !has(n, "build") && !has(n, "convert"))
        n->state = PLAN_LACKING;
    free(files);
    if (!rc && n->state == PLAN_MAKE && (!n->fetches || plan_fetches_by_list(n->body)))
        rc = plan_check_places(p, n, err);
    return rc ? rc : mark_needs(p, n, err);
}

/* What the user said. */

static int read_sets(struct plan *p, struct assay_err *err)
{
    for (const char *const *s = p->ask.sets; s && *s; s++) {
        const char *equals = strchr(*s, '='), *dot = strchr(*s, '.');
        char name[200], *point;
        json_t *row;

        if (!equals || equals == *s || equals - *s > 190)
            return assay_fail(err, ASSAY_EUSAGE, "--set wants [RECIPE.]INPUT=VALUE, not '%.100s'",
                              *s);
        snprintf(name, sizeof(name), "%.*s", (int)(equals - *s), *s);
        point = dot && dot < equals ? strchr(name, '.') : NULL;
        if (point)
            *point++ = 0;
        row = json_pack("{s:s*, s:s, s:s, s:b}", "recipe", point ? name : NULL, "name",
                        point ? point : name, "value", equals + 1, "used", 0);
        if (!row)
            return assay_fail(err, ASSAY_EUSAGE, "--set %.100s: not UTF-8", *s);
        json_array_append_new(p->sets, row);
    }
    return ASSAY_OK;
}

static int read_haves(struct plan *p, struct assay_err *err)
{
    for (const char *const *h = p->ask.haves; h && *h; h++) {
        const char *equals = strchr(*h, '=');
        char *tags = equals ? strndup(*h, (size_t)(equals - *h)) : NULL;
        char *path = equals && equals[1] ? file_absolute(equals + 1) : NULL;
        json_t *words = tags ? catalog_words(tags, err) : NULL;
        int rc = ASSAY_OK;

        if (!equals || !equals[1])
            rc = assay_fail(err, ASSAY_EUSAGE, "--have wants RECIPE=PATH, not '%.100s'", *h);
        else if (!words)
            rc = ASSAY_EUSAGE;
        else if (!path || !file_exists(path))
            rc = assay_fail(err, ASSAY_EUSAGE, "--have %.100s: %.300s is not there", tags,
                            path ? path : equals + 1);
        else
            json_array_append_new(p->haves, json_pack("{s:O, s:s, s:s, s:b}", "words", words,
                                                      "text", *h, "path", path, "used", 0));
        json_decref(words);
        free(tags);
        free(path);
        if (rc)
            return rc;
    }
    return ASSAY_OK;
}

/* Whether an --accept names a recipe of the plan, or all. */
static int check_accepts(const struct plan *p, struct assay_err *err)
{
    const char *const *accepts = p->ask.accepts;

    for (size_t i = 0; accepts && accepts[i]; i++) {
        bool used = !strcmp(accepts[i], "all");

        for (size_t k = 0; k < p->count && !used; k++)
            used = !strcmp(accepts[i], p->nodes[k].recipe->name);
        if (!used && !p->ask.accepted)
            return assay_fail(err, ASSAY_EUSAGE,
                              "--accept %.200s: no recipe in this plan is called so", accepts[i]);
        if (used && p->ask.accepted)
            p->ask.accepted[i] = true;
    }
    return ASSAY_OK;
}

static int check_used(const struct plan *p, struct assay_err *err)
{
    json_t *v;
    size_t i;

    json_array_foreach(p->sets, i, v) if (!tree_bool(v, "used", false)) return assay_fail(
        err, ASSAY_EUSAGE, "--set %s.%s: no recipe '%s' is in this plan",
        tree_text(v, "recipe", "?"), tree_text(v, "name", "?"), tree_text(v, "recipe", "?"));
    json_array_foreach(p->haves, i, v)
    {
        bool used = tree_bool(v, "used", false);

        if (!used && !p->ask.used)
            return assay_fail(err, ASSAY_EUSAGE, "--have %.200s: nothing in this plan is called so",
                              tree_text(v, "text", "?"));
        if (used && p->ask.used)
            p->ask.used[i] = true;
    }
    return check_accepts(p, err);
}

int plan_make(const struct plan_ask *ask, struct plan *p, struct assay_err *err)
{
    char *shelf = file_join(ask->cache, "shelf"), *haves = file_join(ask->cache, "have");
    size_t n = 0;
    int rc;

    memset(p, 0, sizeof(*p));
    p->ask = *ask;
    p->sets = json_array();
    p->haves = json_array();
    p->jobs = (int)sysconf(_SC_NPROCESSORS_ONLN);
    p->assay = file_prefix_join("bin/assay");
    p->share = file_prefix_join("share/assay");
    p->any_haves = haves && file_exists(haves);
    while (ask->requests[n])
        n++;
    p->roots = calloc(n + 1, sizeof(*p->roots));
    rc = shelf && p->roots && p->assay && p->share ? shelf_look(shelf, &p->shelf, err)
                                                   : no_memory(err);
    if (!rc)
        rc = catalog_open(ask->cache, &p->catalog, err);
    if (!rc)
        rc = mirror_read(&p->mirrors, err);
    if (!rc)
        rc = read_sets(p, err);
    if (!rc)
        rc = read_haves(p, err);
    for (size_t i = 0; !rc && i < n; i++)
        rc = add_request(p, ask->requests[i], err);
    if (!rc)
        rc = check_used(p, err);
    for (size_t i = 0; !rc && i < p->root_count; i++)
        rc = mark(p, p->roots[i], err);
    free(shelf);
    free(haves);
    if (rc)
        plan_release(p);
    return rc;
}

void plan_release(struct plan *p)
{
    for (size_t i = 0; i < p->count; i++)
        node_release(&p->nodes[i]);
    free(p->nodes);
    free(p->roots);
    free(p->assay);
    free(p->share);
    json_decref(p->sets);
    json_decref(p->haves);
    json_decref(p->mirrors);
    catalog_close(&p->catalog);
    memset(p, 0, sizeof(*p));
}
