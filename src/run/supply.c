/* Models and data sets by recipes; see supply.h. */
#include "run/supply.h"

#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/tree.h"
#include "flow/plan.h"

/* The output of this name, or the only one beside root and version. */
static const char *output_of(const struct plan_node *n, const char *name)
{
    const char *key, *output = tree_text(n->outputs, name, NULL);
    json_t *v;

    if (output || json_object_size(n->outputs) != 3)
        return output;
    json_object_foreach(n->outputs, key, v)
    {
        if (strcmp(key, "root") != 0 && strcmp(key, "version") != 0)
            output = json_string_value(v);
    }
    return output;
}

/* "1.34 GB", "232 kB"; "of unknown size". */
static void size_text(const struct plan_node *n, char out[40])
{
    int unknown;
    double bytes = (double)plan_bytes(n, &unknown);

    if (!bytes)
        snprintf(out, 40, "of unknown size");
    else if (bytes < 1e9)
        snprintf(out, 40, "%.3g MB%s", bytes / 1e6, unknown ? " and more" : "");
    else
        snprintf(out, 40, "%.3g GB%s", bytes / 1e9, unknown ? " and more" : "");
}

static json_t *steps_of(const struct plan *p)
{
    json_t *steps = json_array(), *problems = plan_problems(p), *v;
    char size[40];
    size_t i;

    for (i = 0; i < p->count; i++) {
        const struct plan_node *n = &p->nodes[i];

        if (!plan_has_work(n))
            continue;
        size_text(n, size);
        json_array_append_new(steps, n->state == PLAN_VERIFY
                                         ? json_sprintf("verify %s in %s", n->id, n->root)
                                     : n->fetches ? json_sprintf("fetch %s, %s", n->id, size)
                                                  : json_sprintf("make %s", n->id));
    }
    json_array_foreach(problems, i, v)
        json_array_append_new(steps, json_sprintf("cannot be done: %s", json_string_value(v)));
    json_decref(problems);
    return steps;
}

static double download_bytes(const struct plan *p)
{
    double bytes = 0;
    int unknown;

    for (size_t i = 0; i < p->count; i++)
        if (p->nodes[i].fetches && plan_has_work(&p->nodes[i]))
            bytes += (double)plan_bytes(&p->nodes[i], &unknown);
    return bytes;
}

void supply_let_go(struct supply_hold *hold)
{
    if (hold->key[0])
        shelf_let_go(&hold->shelf, hold->key, hold->lock);
    hold->key[0] = 0;
}

/* Nobody shall remove it during the run; a shelf that cannot be locked is one that cannot be
 * written either. */
static int hold_node(const struct plan *p, const struct plan_node *n, struct supply_hold *hold,
                     struct assay_err *err)
{
    char *files = NULL;
    int rc;

    if (n->state != PLAN_THERE || shelf_hold(&p->shelf, n->key, &hold->lock, NULL))
        return ASSAY_OK;
    hold->shelf = p->shelf;
    snprintf(hold->key, sizeof(hold->key), "%s", n->key);
    rc = shelf_find(&p->shelf, n->key, &files, NULL, err);
    if (!rc && !files)
        rc = assay_fail(err, ASSAY_EFAIL, "%s was removed this moment; run the command again",
                        n->id);
    free(files);
    return rc;
}

static int look(const char *cache, const char *recipe, const char *output, const char *role,
                char **path, const struct supplied *out, struct supply_hold *hold,
                struct assay_err *err)
{
    const char *requests[] = {recipe, NULL};
    struct plan_ask ask = {.requests = requests, .cache = cache};
    const struct plan_node *n;
    const char *place;
    json_t *lock;
    struct plan p;
    int rc = plan_make(&ask, &p, err);

    if (rc)
        return rc;
    n = &p.nodes[p.roots[0]];
    if (!(place = output_of(n, output)))
        rc = assay_fail(err, ASSAY_EUSAGE, "%s: the recipe gives no output '%s'", n->recipe->file,
                        output);
    else if (!(*path = strdup(place)))
        rc = assay_fail(err, ASSAY_EFAIL, "not enough memory");
    else if (n->state == PLAN_MAKE || n->state == PLAN_VERIFY || n->state == PLAN_LACKING)
        json_array_append_new(out->get, json_pack("{s:s, s:o, s:f}", "request", recipe, "steps",
                                                  steps_of(&p), "bytes", download_bytes(&p)));
    else if ((rc = hold_node(&p, n, hold, err))) {
        free(*path);
        *path = NULL;
    }
    if (!rc) {
        lock = plan_lock(&p, p.roots[0], role);
        json_array_extend(out->lock, lock);
        json_decref(lock);
    }
    plan_release(&p);
    return rc;
}

int supply_model(const char *cache, const char *recipe, char **path, const struct supplied *out,
                 struct supply_hold *hold, struct assay_err *err)
{
    return look(cache, recipe, "model", "model", path, out, hold, err);
}

int supply_dataset(const char *cache, const char *name, char **path, const struct supplied *out,
                   struct supply_hold *hold, struct assay_err *err)
{
    struct assay_err e = {0};
    int rc;

    if (strchr(name, '/'))
        return assay_fail(err, ASSAY_EUSAGE, "--dataset: %s is not a folder", name);
    rc = look(cache, name, "folder", "dataset", path, out, hold, &e);
    return rc ? assay_fail(err, rc, "--dataset: %.60s is not a folder; as a recipe: %.380s", name,
                           e.text)
              : ASSAY_OK;
}

void supply_tell(const json_t *plans, json_t *first)
{
    json_t *get = json_object_get(first, "get"), *one;
    size_t i;

    json_array_foreach(plans, i, one)
    {
        if (list_holds(get, tree_text(one, "request", "")))
            continue;
        json_array_append(get, json_object_get(one, "request"));
        json_array_extend(json_object_get(first, "steps"), json_object_get(one, "steps"));
    }
}

int supply_check(const char *request, struct assay_err *err)
{
    return request ? assay_fail(err, ASSAY_EFAIL, "'%s' is not here: `assay get %s` gets it",
                                request, request)
                   : ASSAY_OK;
}
