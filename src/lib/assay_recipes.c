/* The library's calls, third part: recipes, and what they fetched.  See include/assay/assay.h. */
#include <stdlib.h>
#include <string.h>

#include "assay/assay.h"
#include "base/file.h"
#include "flow/adopt.h"
#include "flow/get.h"
#include "flow/kept.h"
#include "flow/shelf.h"
#include "flow/work.h"
#include "flow/sources.h"
#include "lib/border.h"

int assay_recipes(const char *cache, char **recipes, struct assay_err *err)
{
    struct catalog c = {0};
    json_t *tree = NULL;
    char *dir;
    int rc;
    BORDER_ERR(err);

    if (!recipes)
        return border_null("assay_recipes", err);
    dir = border_cache(cache, err);
    rc = dir ? catalog_open(dir, &c, err) : ASSAY_EFAIL;
    if (!rc) {
        tree =
            json_pack("{s:o, s:o}", "recipes", catalog_json(&c), "folders", catalog_folders(NULL));
        catalog_close(&c);
    }
    free(dir);
    return rc ? rc : border_give(tree, "recipes", recipes, err);
}

/* ---- other people's ---- */

int assay_recipes_sources(const char *cache, char **sources, struct assay_err *err)
{
    json_t *rows = NULL;
    char *dir;
    int rc;
    BORDER_ERR(err);

    if (!sources)
        return border_null("assay_recipes_sources", err);
    dir = border_cache(cache, err);
    rc = dir ? sources_list(dir, &rows, err) : ASSAY_EFAIL;
    free(dir);
    return rc ? rc
              : border_give(json_pack("{s:o}", "sources", rows), "recipe-sources", sources, err);
}

int assay_recipes_add(const char *cache, const char *from, const char *name, bool dry, char **added,
                      struct assay_err *err)
{
    json_t *tree = NULL;
    char *dir;
    int rc;
    BORDER_ERR(err);

    if (!from || !added)
        return border_null("assay_recipes_add", err);
    dir = border_cache(cache, err);
    rc = dir ? sources_add(dir, from, name, dry, &tree, err) : ASSAY_EFAIL;
    free(dir);
    return rc ? rc : border_give(tree, "recipes-add", added, err);
}

int assay_recipes_update(const char *cache, const char *name, bool dry, char **updated,
                         struct assay_err *err)
{
    json_t *rows = NULL;
    char *dir;
    int rc;
    BORDER_ERR(err);

    if (!updated)
        return border_null("assay_recipes_update", err);
    dir = border_cache(cache, err);
    rc = dir ? sources_update(dir, name, dry, &rows, err) : ASSAY_EFAIL;
    free(dir);
    return rc ? rc
              : border_give(json_pack("{s:o}", "sources", rows), "recipes-update", updated, err);
}

int assay_recipes_remove(const char *name, struct assay_err *err)
{
    BORDER_ERR(err);

    return name ? sources_remove(name, false, err) : border_null("assay_recipes_remove", err);
}

/* ---- get ---- */

/* What was asked for, by kinds: each a list that ends with NULL, of texts of the caller. */
struct words {
    const char **sets, **haves, **accepts;
    size_t set_count, have_count, accept_count;
    bool offline;
    int64_t jobs;
};

static void release_words(struct words *w)
{
    free(w->sets);
    free(w->haves);
    free(w->accepts);
}

static int read_word(struct words *w, const char *name, const char *value, struct assay_err *err)
{
    if (!strcmp(name, "set"))
        return w->sets[w->set_count++] = value, ASSAY_OK;
    if (!strcmp(name, "have"))
        return w->haves[w->have_count++] = value, ASSAY_OK;
    if (!strcmp(name, "accept"))
        return w->accepts[w->accept_count++] = value, ASSAY_OK;
    if (!strcmp(name, "offline"))
        return border_bool(name, value, &w->offline, err);
    if (!strcmp(name, "jobs"))
        return border_int(name, value, 1, 64, &w->jobs, err);
    return assay_fail(err, ASSAY_EUSAGE,
                      "'%.40s' is no part of getting something: set have accept offline jobs",
                      name);
}

static int read_words(const char *const *ask, struct words *w, struct assay_err *err)
{
    const char *value;
    char name[64];
    size_t n = 0;
    int rc = ASSAY_OK;

    while (ask && ask[n])
        n++;
    w->sets = calloc(n + 1, sizeof(*w->sets));
    w->haves = calloc(n + 1, sizeof(*w->haves));
    w->accepts = calloc(n + 1, sizeof(*w->accepts));
    if (!w->sets || !w->haves || !w->accepts)
        return assay_fail(err, ASSAY_EFAIL, "not enough memory");
    for (size_t i = 0; i < n && !rc; i++) {
        value = border_pair(ask[i], name, err);
        rc = value ? read_word(w, name, value, err) : ASSAY_EUSAGE;
    }
    return rc;
}

/* One line, of problems the first. */
static int refuse(const json_t *problems, struct assay_err *err)
{
    size_t n = json_array_size(problems);
    const char *first = json_string_value(json_array_get(problems, 0));

    if (!n)
        return ASSAY_OK;
    return n == 1
               ? assay_fail(err, ASSAY_EFAIL, "%s", first)
               : assay_fail(err, ASSAY_EFAIL, "%.420s (and %zu more: see the plan)", first, n - 1);
}

static int carry_out(struct plan *p, const struct settings *s, int jobs, struct assay_err *err)
{
    struct assay_err why = {0};
    struct make_failure failure;
    json_t *problems = plan_problems(p);
    int rc = refuse(problems, err);

    json_decref(problems);
    if (rc)
        return rc;
    if ((rc = get_carry_out(p, s->progress, jobs, &failure, &why)))
        assay_fail(err, rc, *failure.log ? "%.330s (its output: %.160s)" : "%s%s", why.text,
                   failure.log);
    make_failure_release(&failure);
    return rc;
}

static int get(const char *const *requests, const struct words *w, const struct settings *s,
               bool dry, json_t **result, struct assay_err *err)
{
    char *cache = border_cache(s->cache, err);
    struct plan_ask ask = {.requests = requests,
                           .sets = w->sets,
                           .haves = w->haves,
                           .accepts = w->accepts,
                           .cache = cache,
                           .offline = w->offline};
    struct plan plan;
    int rc = cache ? plan_make(&ask, &plan, err) : ASSAY_EFAIL;

    if (!rc) {
        if (!dry)
            rc = carry_out(&plan, s, (int)w->jobs, err);
        if (!rc)
            *result = dry ? plan_json(&plan) : get_json(&plan);
        plan_release(&plan);
    }
    free(cache);
    return rc;
}

int assay_get(const char *const *requests, const char *const *ask, const char *const *settings,
              bool dry, char **got, struct assay_err *err)
{
    struct words w = {0};
    struct settings s = {0};
    json_t *tree = NULL;
    int rc;
    BORDER_ERR(err);

    if (!requests || !*requests || !got)
        return border_null("assay_get", err);
    rc = border_settings(settings, &s, err);
    if (!rc)
        rc = read_words(ask, &w, err);
    if (!rc)
        rc = get(requests, &w, &s, dry, &tree, err);
    release_words(&w);
    settings_release(&s);
    return rc ? rc : border_give(tree, dry ? "recipe-plan" : "get", got, err);
}

/* ---- the shelf ---- */

/* tree: may be NULL; else what `assay cache` tells is put into it. */
static int open_shelf(const char *cache, struct shelf *s, json_t **tree, struct assay_err *err)
{
    char *folder = border_cache(cache, err), *dir = folder ? file_join(folder, "shelf") : NULL;
    int rc = dir ? shelf_look(dir, s, err) : assay_fail(err, ASSAY_EFAIL, "not enough memory");

    if (!rc && tree && (*tree = shelf_json(s))) {
        work_tell(folder, *tree);
        kept_tell(folder, *tree);
    }
    free(dir);
    free(folder);
    return rc;
}

int assay_cache(const char *cache, char **entries, struct assay_err *err)
{
    json_t *tree = NULL;
    struct shelf s;
    int rc;
    BORDER_ERR(err);

    if (!entries)
        return border_null("assay_cache", err);
    rc = open_shelf(cache, &s, &tree, err);
    return rc ? rc : border_give(tree, "cache", entries, err);
}

int assay_cache_adopt(const char *const *dirs, const char *cache, bool dry, char **report,
                      struct assay_err *err)
{
    struct adopt_ask ask = {.dirs = dirs, .dry = dry};
    json_t *tree = NULL;
    char *folder;
    int rc;
    BORDER_ERR(err);

    if (!report)
        return border_null("assay_cache_adopt", err);
    folder = border_cache(cache, err);
    ask.cache = folder;
    rc = folder ? adopt(&ask, &tree, err) : ASSAY_EFAIL;
    free(folder);
    return rc ? rc : border_give(tree, "cache-adopt", report, err);
}

int assay_cache_verify(const char *cache, const char *entry, char **result, struct assay_err *err)
{
    json_t *bad = NULL;
    struct shelf s;
    char key[65];
    int rc;
    BORDER_ERR(err);

    if (!result)
        return border_null("assay_cache_verify", err);
    rc = open_shelf(cache, &s, NULL, err);
    if (!rc && entry)
        rc = shelf_named(&s, entry, key, err);
    if (!rc)
        rc = shelf_verify(&s, entry ? key : NULL, NULL, &bad, err);
    return rc ? rc
              : border_give(
                    json_pack("{s:b, s:o}", "whole", json_array_size(bad) == 0, "damaged", bad),
                    "cache-verify", result, err);
}
