/* What the entries of the shelf say of what they were made of: where downloads have no published
 * digest, and where the tool that made them is not here any more. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "base/tree.h"
#include "flow/entry.h"
#include "flow/first_seen.h"
#include "flow/plan_inside.h"

/* Of an entry of the shelf, without a look at its files; NULL: it is not there. */
static json_t *entry_of(const struct plan *p, const char *key)
{
    char *dir = text_format("%s/%.2s/%s", p->shelf.dir, key, key);
    struct assay_err why;
    json_t *tree = NULL;

    if (dir && file_exists(dir) && entry_read(dir, key, &tree, &why))
        tree = NULL;
    free(dir);
    return tree;
}

/* The digest of a file as it lies on the shelf; where it was pruned, as it was first seen. */
static bool content_of(const json_t *entry, const json_t *row, char hex[HASH_HEX])
{
    const char *file = tree_text(row, "file", ""), *sha = NULL;
    const char *url = json_string_value(json_array_get(recipe_urls(row), 0));
    json_t *one;
    size_t i;

    json_array_foreach(json_object_get(entry, "downloads"), i, one)
    {
        if (!strcmp(tree_text(one, "file", ""), file))
            sha = tree_text(one, "sha256", NULL);
    }
    if (!sha)
        return !entry && url && first_seen_find(url, hex);
    snprintf(hex, HASH_HEX, "%s", sha);
    return true;
}

static void add_content(const struct plan *p, const char *as, const struct plan_node *n, json_t *of)
{
    json_t *entry = NULL, *row;
    char hex[HASH_HEX], name[400];
    bool looked = false;
    size_t i;

    json_array_foreach(n->fetches ? json_object_get(n->body, "fetch") : NULL, i, row)
    {
        if (json_object_get(row, "sha256") || json_object_get(row, "md5"))
            continue;
        if (!looked)
            entry = entry_of(p, n->key);
        looked = true;
        snprintf(name, sizeof(name), "%s %s", as, tree_text(row, "file", ""));
        if (content_of(entry, row, hex))
            json_object_set_new(of, name, json_string(hex));
    }
    json_decref(entry);
}

json_t *plan_made_of(const struct plan *p, const struct plan_node *n)
{
    json_t *of = json_object();

    for (size_t i = 0; i < n->need_count; i++)
        add_content(p, n->needs[i].as, &p->nodes[n->needs[i].to], of);
    if (n->downloads >= 0)
        add_content(p, ":fetch", &p->nodes[n->downloads], of);
    return of;
}

/* Whether an entry was made of other files than those that are there now. */
static bool made_of_others(const json_t *entry, const json_t *now)
{
    const char *as;
    json_t *was;

    json_object_foreach(json_object_get(entry, "made_of"), as, was)
    {
        const json_t *is = json_object_get(now, as);

        if (is && !json_equal(is, was))
            return true;
    }
    return false;
}

void plan_key_by_content(const struct plan *p, struct plan_node *n, json_t *plain)
{
    json_t *now = plan_made_of(p, n), *entry = json_object_size(now) ? entry_of(p, n->key) : NULL;

    if (made_of_others(entry, now)) {
        json_object_set(plain, "made_of", now);
        plan_key_from(plain, n->key);
    }
    json_decref(entry);
    json_decref(now);
}

/* ---- tools that are gone ---- */

/* What went into a node, but which of the absent tools it was. */
static json_t *but_tools(const struct plan *p, const struct plan_node *n, const json_t *key_of)
{
    json_t *of = json_deep_copy(key_of);

    json_object_del(of, "source_folder");
    for (size_t i = 0; i < n->need_count; i++)
        if (p->nodes[n->needs[i].to].absent)
            json_object_del(json_object_get(json_object_get(of, "needs"), n->needs[i].as), "key");
    return of;
}

/* What gives something of the tool itself is nothing without it. */
static bool wants_absent(const struct plan *p, const struct plan_node *n)
{
    char *values = json_dumps(json_object_get(n->body, "values"), JSON_COMPACT);
    bool gives = values && strstr(values, "${dep.");

    free(values);
    if (gives)
        return false;
    for (size_t i = 0; i < n->need_count; i++)
        if (p->nodes[n->needs[i].to].absent)
            return true;
    return false;
}

/* Whether the entry is the node's, made by such a tool. */
static bool is_made_so(const struct plan *p, const struct plan_node *n, const json_t *entry)
{
    json_t *of = but_tools(p, n, n->key_of),
           *was = but_tools(p, n, json_object_get(entry, "inputs"));
    json_t *now = plan_made_of(p, n);
    bool is = json_equal(of, was) && !made_of_others(entry, now);

    json_decref(of);
    json_decref(was);
    json_decref(now);
    return is;
}

void plan_take_made(const struct plan *p, struct plan_node *n)
{
    json_t *list, *row, *entry, *taken = NULL;
    int64_t used = -1;
    size_t i;

    if (!wants_absent(p, n))
        return;
    list = shelf_list(&p->shelf);
    json_array_foreach(list, i, row)
    {
        if (strcmp(tree_text(row, "recipe", ""), n->recipe->name) != 0 ||
            tree_int(row, "used_s", 0) <= used || !(entry = entry_of(p, tree_text(row, "key", ""))))
            continue;
        if (is_made_so(p, n, entry)) {
            json_decref(taken);
            taken = json_incref(json_object_get(entry, "inputs"));
            used = tree_int(row, "used_s", 0);
            snprintf(n->key, sizeof(n->key), "%.64s", tree_text(row, "key", ""));
        }
        json_decref(entry);
    }
    json_decref(list);
    if (taken) {
        json_decref(n->key_of);
        n->key_of = taken;
    }
}
