/* What recipes a source has, which programs they run, and whether they may stand beside the others.
 */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/tree.h"
#include "flow/catalog.h"
#include "flow/sources_inside.h"

char *source_recipes(const char *dir)
{
    char *below = file_join(dir, "recipes");

    if (!below || file_is_dir(below))
        return below;
    free(below);
    return strdup(dir);
}

static void add_once(json_t *list, const json_t *text)
{
    json_t *v;
    size_t i;

    json_array_foreach(list, i, v) if (json_equal(v, text)) return;
    if (json_is_string(text))
        json_array_append(list, (json_t *)(uintptr_t)text);
}

/* Of a recipe, or of what an option adds to it. */
static void add_programs(const json_t *body, json_t *programs)
{
    static const char *const lists[] = {"find", "build", "convert", "check"};
    json_t *row;
    size_t i;

    for (size_t k = 0; k < sizeof(lists) / sizeof(lists[0]); k++)
        json_array_foreach(json_object_get(body, lists[k]), i, row)
        {
            add_once(programs, json_object_get(row, "program"));
            add_once(programs, json_array_get(json_object_get(row, "run"), 0));
        }
}

static json_t *programs_of(const json_t *tree)
{
    json_t *programs = json_array(), *g, *o;
    const char *group, *option;

    add_programs(tree, programs);
    json_object_foreach(json_object_get(tree, "variations"), group, g)
    {
        json_object_foreach(json_object_get(g, "options"), option, o) add_programs(o, programs);
    }
    return programs;
}

static bool same_name(const struct catalog_entry *a, const struct catalog_entry *b)
{
    return !*a->error && !*b->error && !strcmp(a->name, b->name);
}

static bool is_below(const char *file, const char *dir)
{
    size_t n = dir ? strlen(dir) : 0;

    return dir && !strncmp(file, dir, n) && file[n] == '/';
}

/* In itself a source may have several versions of a recipe. */
static const char *twin_in(const struct catalog *c, size_t begin, const struct catalog_entry *e)
{
    for (size_t i = begin; i < c->count; i++)
        if (same_name(&c->entries[i], e) && !strcmp(c->entries[i].version, e->version))
            return c->entries[i].file;
    return NULL;
}

/* Of whatever version: a higher one would be taken wherever the known one is asked for. */
static const char *known_as(const struct catalog *known, const struct catalog_entry *e,
                            const char *own)
{
    for (size_t i = 0; i < known->count; i++)
        if (same_name(&known->entries[i], e) && !is_below(known->entries[i].file, own))
            return known->entries[i].file;
    return NULL;
}

/* skip: how much of a file's name is the source's folder, which may be a temporary one. */
static int check(const struct catalog *c, const struct catalog *known, const char *own, size_t skip,
                 struct assay_err *err)
{
    for (size_t i = 0; i < c->count; i++) {
        const struct catalog_entry *e = &c->entries[i];
        const char *other;

        if (*e->error)
            return assay_fail(err, ASSAY_EUSAGE, "a recipe is broken: %s",
                              strncmp(e->error, e->file, skip) ? e->error : e->error + skip);
        if ((other = twin_in(c, i + 1, e)))
            return assay_fail(err, ASSAY_EUSAGE,
                              "the recipe %s%s%s is there twice: %.180s and %.180s", e->name,
                              *e->version ? " " : "", e->version, e->file + skip, other + skip);
        if ((other = known_as(known, e, own)))
            return assay_fail(err, ASSAY_EUSAGE,
                              "the recipe %s (%.150s) is known already, in %.200s: another name is "
                              "wanted, also of another version",
                              e->name, e->file + skip, other);
    }
    return c->count ? ASSAY_OK
                    : assay_fail(err, ASSAY_EUSAGE,
                                 "there is no recipe: *.yaml files are looked for in its folder "
                                 "`recipes`, or in itself, and one folder deeper");
}

static int describe(struct catalog *c, size_t skip, json_t *recipes, struct assay_err *err)
{
    const struct recipe *r;
    int rc = ASSAY_OK;

    for (size_t i = 0; !rc && i < c->count; i++) {
        const struct catalog_entry *e = &c->entries[i];

        if (!(rc = catalog_recipe(c, i, &r, err)))
            json_array_append_new(recipes,
                                  json_pack("{s:s, s:s, s:s, s:s, s:o}", "name", e->name, "version",
                                            e->version, "summary", e->summary, "file",
                                            e->file + skip, "programs", programs_of(r->tree)));
    }
    return rc;
}

int source_look(const char *cache, const char *dir, const char *own, json_t **recipes,
                struct assay_err *err)
{
    char *folder = source_recipes(dir);
    json_t *folders = folder ? json_pack("[s]", folder) : NULL;
    struct catalog c = {0}, known = {0};
    size_t skip = strlen(dir) + 1;
    int rc = folders ? catalog_open_in(folders, &c, err)
                     : assay_fail(err, ASSAY_EFAIL, "%s: is no name in UTF-8", dir);

    *recipes = json_array();
    if (!rc)
        rc = catalog_open(cache, &known, err);
    if (!rc)
        rc = check(&c, &known, own, skip, err);
    if (!rc)
        rc = describe(&c, skip, *recipes, err);
    if (rc) {
        json_decref(*recipes);
        *recipes = NULL;
    }
    catalog_close(&known);
    catalog_close(&c);
    json_decref(folders);
    free(folder);
    return rc;
}
