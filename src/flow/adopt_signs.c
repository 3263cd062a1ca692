/* What recipes want, and what looks like it.
 *
 * Each recipe is taken with each of its options.  What it wants are the files and folders of its
 * `fetch` and `check`, and its outputs.  A file of such a name is a sign: what is left of its path
 * is a folder that may be what is wanted (for data/case_00000/imaging.nii.gz three levels up); so
 * is a folder that has at least a hundredth of the files that are counted. */
#include "flow/adopt_inside.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/tree.h"
#include "flow/have.h"
#include "flow/plan.h"

/* ---- what is wanted ---- */

void adopt_variant_release(struct adopt_variant *v)
{
    json_decref(v->options);
    json_decref(v->body);
    json_decref(v->rows);
    json_decref(v->roots);
}

/* What is built or converted is no file that somebody could have. */
static bool can_be_had(const json_t *body)
{
    return !json_object_get(body, "build") && !json_object_get(body, "convert") &&
           (json_object_get(body, "fetch") || json_object_get(body, "check"));
}

static int add_variant(struct adopt_match *m, const struct recipe *r, json_t *options,
                       struct assay_err *err)
{
    struct adopt_variant *v, *grown;

    for (size_t i = 0; i < m->count; i++)
        if (m->variants[i].recipe == r && json_equal(m->variants[i].options, options))
            return ASSAY_OK;
    if (m->count == m->cap) {
        m->cap = m->cap ? m->cap * 2 : 128;
        if (!(grown = realloc(m->variants, m->cap * sizeof(*grown))))
            return assay_fail(err, ASSAY_EFAIL, "not enough memory for what is to be found");
        m->variants = grown;
    }
    v = &m->variants[m->count];
    memset(v, 0, sizeof(*v));
    v->recipe = r;
    v->options = json_incref(options);
    v->body = recipe_body(r, options);
    v->rows = have_rows(v->body, true);
    v->roots = json_object();
    if (!can_be_had(v->body)) {
        adopt_variant_release(v);
        return ASSAY_OK;
    }
    plan_have_id(r, options, v->body, v->id);
    m->count++;
    return ASSAY_OK;
}

/* The recipe as it is by default, and with each of its options. */
static int add_recipe(struct adopt_match *m, const struct recipe *r, struct assay_err *err)
{
    json_t *options = json_object(), *group_tree, *option_tree;
    const char *group, *option;
    int rc = ASSAY_OK;

    if (!recipe_choose(r, options, NULL))
        rc = add_variant(m, r, options, err);
    json_decref(options);
    json_object_foreach(json_object_get(r->tree, "variations"), group, group_tree)
    {
        json_object_foreach(json_object_get(group_tree, "options"), option, option_tree)
        {
            options = json_pack("{s:s}", group, option);
            if (!rc && !recipe_choose(r, options, NULL))
                rc = add_variant(m, r, options, err);
            json_decref(options);
        }
    }
    return rc;
}

static void want_name(struct adopt_match *m, size_t variant, const char *name)
{
    json_t *list;

    if (!*name || !strcmp(name, ".") || strchr(name, '$') || file_leaves_folder(name))
        return;
    if (!(list = json_object_get(m->names, file_base(name)))) {
        list = json_array();
        json_object_set_new(m->names, file_base(name), list);
    }
    json_array_append_new(list, json_pack("[I, s]", (json_int_t)variant, name));
}

static int want_count(struct adopt_match *m, size_t variant, const json_t *row,
                      struct assay_err *err)
{
    struct adopt_counted *grown = realloc(m->counted, (m->counted_count + 1) * sizeof(*grown));

    if (!grown)
        return assay_fail(err, ASSAY_EFAIL, "not enough memory for what is to be found");
    m->counted = grown;
    m->counted[m->counted_count++] = (struct adopt_counted){.variant = variant,
                                                            .folder = tree_text(row, "folder", "."),
                                                            .suffix = tree_text(row, "suffix", ""),
                                                            .wanted = tree_int(row, "files", 0)};
    return ASSAY_OK;
}

static int want(struct adopt_match *m, size_t at, struct assay_err *err)
{
    const struct adopt_variant *v = &m->variants[at];
    const char *key;
    json_t *row;
    int rc = ASSAY_OK;
    size_t i;

    json_array_foreach(v->rows, i, row)
    {
        /* What may be called otherwise has no name that would tell what it is of. */
        if (json_object_get(row, "file") && !json_object_get(row, "or"))
            want_name(m, at, tree_text(row, "file", ""));
        else if (!rc && tree_int(row, "files", 0) > 0)
            rc = want_count(m, at, row, err);
    }
    json_object_foreach(json_object_get(v->body, "outputs"), key, row)
        want_name(m, at, json_string_value(row));
    return rc;
}

int adopt_read_recipes(struct adopt_match *m, struct assay_err *err)
{
    const struct recipe *r;
    int rc = catalog_open(m->ask->cache, &m->catalog, err);

    for (size_t i = 0; !rc && i < m->catalog.count; i++)
        if (!*m->catalog.entries[i].error && !catalog_recipe(&m->catalog, i, &r, NULL))
            rc = add_recipe(m, r, err);
    for (size_t i = 0; !rc && i < m->count; i++)
        rc = want(m, i, err);
    return rc;
}

/* ---- signs ---- */

/* The folder from which `path` is called `name`, for free(); NULL: it is not called so. */
static char *root_of(const char *path, const char *name)
{
    size_t n = strlen(path), m = strlen(name);

    if (!strcmp(name, "."))
        return strdup(path);
    if (n <= m + 1 || strcmp(path + n - m, name) != 0 || path[n - m - 1] != '/')
        return NULL;
    return strndup(path, n - m - 1);
}

static void add_root(struct adopt_match *m, size_t variant, const char *path, const char *name,
                     const char *entry)
{
    char *root = root_of(path, name);
    json_t *roots = m->variants[variant].roots;

    if (root && !json_object_get(roots, root) &&
        json_object_set_new(roots, root, json_string(entry)))
        adopt_walk_unread(&m->walk, root, "its name is not UTF-8");
    free(root);
}

static void on_name(struct adopt_match *m, const char *path, const char *entry)
{
    json_t *sign;
    size_t i;

    json_array_foreach(json_object_get(m->names, file_base(path)), i, sign)
        add_root(m, (size_t)json_integer_value(json_array_get(sign, 0)), path,
                 json_string_value(json_array_get(sign, 1)), entry);
}

void adopt_on_file(void *ctx, const char *folder, const char *name, const char *entry)
{
    struct adopt_match *m = ctx;
    size_t n = strlen(name);

    for (size_t i = 0; i < m->counted_count; i++) {
        struct adopt_counted *c = &m->counted[i];
        size_t k = strlen(c->suffix);

        c->seen += name[0] != '.' && n >= k && !strcmp(name + n - k, c->suffix);
    }
    if (json_object_get(m->names, name)) {
        char *path = file_join(folder, name);

        if (path)
            on_name(m, path, entry);
        free(path);
    }
}

/* Its files were told. */
void adopt_on_folder(void *ctx, const char *folder, const char *entry)
{
    struct adopt_match *m = ctx;

    for (size_t i = 0; i < m->counted_count; i++) {
        struct adopt_counted *c = &m->counted[i];

        if (c->seen && c->seen >= c->wanted / 100)
            add_root(m, c->variant, folder, c->folder, entry);
        c->seen = 0;
    }
    on_name(m, folder, entry);
}
