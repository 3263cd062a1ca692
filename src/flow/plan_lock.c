/* What a plan leaves in a record: which recipes, which versions and options, which files. */
#include <stdlib.h>
#include <string.h>

#include "base/tree.h"
#include "flow/fetch_url.h"
#include "flow/plan.h"

static json_t *published_file(const json_t *row)
{
    const char *first = json_string_value(json_array_get(recipe_urls(row), 0));
    char *url = first ? fetch_url_name(first) : NULL;
    json_t *one =
        json_pack("{s:s, s:s*, s:s*, s:O*, s:O*, s:O*}", "file", tree_text(row, "file", ""), "url",
                  url, "pypi", tree_text(row, "pypi", NULL), "bytes", json_object_get(row, "bytes"),
                  "sha256", json_object_get(row, "sha256"), "md5", json_object_get(row, "md5"));

    free(url);
    return one;
}

/* The digest of what came stands above the one that is published: where none is, it is the only. */
static json_t *downloaded_file(const json_t *row, const json_t *came)
{
    json_t *one = published_file(row), *d;
    size_t i;

    json_array_foreach(came, i, d)
    {
        if (strcmp(tree_text(d, "file", ""), tree_text(row, "file", "")) != 0)
            continue;
        json_object_set(one, "sha256", json_object_get(d, "sha256"));
        json_object_set(one, "bytes", json_object_get(d, "bytes"));
        if (*tree_text(d, "url", "")) /* without secrets already */
            json_object_set(one, "url", json_object_get(d, "url"));
    }
    return one;
}

static json_t *files_of(const struct plan *p, const struct plan_node *n)
{
    const struct plan_node *fetch = n->downloads >= 0 ? &p->nodes[n->downloads] : n;
    json_t *list = json_array(), *meta = NULL, *row;
    char *files = NULL;
    size_t i;

    if (n->state == PLAN_FOUND) /* not by these */
        return list;
    if (n->state != PLAN_HAVE && n->state != PLAN_VERIFY)
        shelf_find(&p->shelf, fetch->key, &files, &meta, NULL);
    json_array_foreach(json_object_get(n->body, "fetch"), i, row)
        json_array_append_new(list, downloaded_file(row, json_object_get(meta, "downloads")));
    json_decref(meta);
    free(files);
    return list;
}

static const char *how_of(const struct plan_node *n)
{
    return n->state == PLAN_FOUND || n->absent                ? "found"
           : n->state == PLAN_HAVE || n->state == PLAN_VERIFY ? "have"
           : n->fetches                                       ? "fetch"
                                                              : "make";
}

/* The key under which it went into what needs it: of a tool that is gone only that is known. */
static const char *key_in(const struct plan *p, const struct plan_node *n, size_t need)
{
    const json_t *needs = json_object_get(n->key_of, "needs");

    return tree_text(json_object_get(needs, n->needs[need].as), "key",
                     p->nodes[n->needs[need].to].key);
}

static void add(const struct plan *p, size_t at, size_t root, const char *role, const char *key,
                bool *seen, json_t *lock)
{
    const struct plan_node *n = &p->nodes[at];
    char *request = at == root ? plan_request_text(n) : NULL;
    bool made = n->state == PLAN_THERE || n->state == PLAN_CHECK || n->state == PLAN_MAKE;

    seen[at] = true;
    json_array_append_new(lock, json_pack("{s:s, s:s, s:s, s:O, s:s, s:s, s:o, s:s*, s:s*}", "role",
                                          role, "recipe", n->recipe->name, "version", n->version,
                                          "options", n->options, "how", how_of(n), "key", key,
                                          "files", files_of(p, n), "request", request, "for",
                                          at == root ? NULL : n->chain));
    free(request);
    for (size_t i = 0; made && i < n->need_count; i++)
        if (!seen[n->needs[i].to])
            add(p, n->needs[i].to, root, role, key_in(p, n, i), seen, lock);
}

json_t *plan_lock(const struct plan *p, size_t root, const char *role)
{
    bool *seen = calloc(p->count + 1, sizeof(*seen));
    json_t *lock = json_array();

    if (seen)
        add(p, root, root, role, p->nodes[root].key, seen, lock);
    free(seen);
    return lock;
}

/* What came as this file, in bytes; -1: the lock has none of it. */
static int64_t bytes_of(const json_t *lock, const struct recipe *r, const char *name)
{
    json_t *one, *file;
    size_t i, k;

    json_array_foreach(lock, i, one)
    {
        if (strcmp(tree_text(one, "recipe", ""), r->name) != 0 ||
            strcmp(tree_text(one, "version", ""), r->version) != 0)
            continue;
        json_array_foreach(json_object_get(one, "files"), k, file)
        {
            if (!strcmp(tree_text(file, "file", ""), name))
                return tree_int(file, "bytes", -1);
        }
    }
    return -1;
}

void plan_sizes_from(const struct plan *p, const json_t *lock)
{
    int64_t bytes;
    json_t *row;
    size_t k;

    for (size_t i = 0; i < p->count; i++) {
        json_array_foreach(json_object_get(p->nodes[i].body, "fetch"), k, row)
        {
            if (json_object_get(row, "bytes") || json_object_get(row, "about") ||
                json_object_get(row, "each"))
                continue;
            if ((bytes = bytes_of(lock, p->nodes[i].recipe, tree_text(row, "file", ""))) >= 0)
                json_object_set_new(row, "about", json_integer(bytes));
        }
    }
}
