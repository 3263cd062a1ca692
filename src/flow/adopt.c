/* Matching what is found with what recipes want; see adopt.h.
 *
 * Each recipe is taken with each of its options.  What it wants are the files and folders of its
 * `fetch` and `check`, and its outputs.  A file of such a name is a sign: what is left of its path
 * is a folder that may be what is wanted (for data/case_00000/imaging.nii.gz three levels up); so
 * is a folder that has at least a hundredth of the files that are counted.  Such folders are then
 * looked at in whole, the cheap things first. */
#include "flow/adopt.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "base/tree.h"
#include "flow/adopt_walk.h"
#include "flow/have.h"
#include "flow/plan.h"

struct variant {
    const struct recipe *recipe;
    json_t *options, *body, *rows; /* rows: of have_rows */
    json_t *roots;                 /* path -> tags of the cache's entry */
    char id[65];
};

/* A number of files below a folder. */
struct counted {
    size_t variant;
    const char *folder, *suffix;
    int64_t wanted, seen;
};

struct match {
    const struct adopt_ask *ask;
    struct catalog catalog;
    struct variant *variants;
    size_t count, cap;
    struct counted *counted;
    size_t counted_count;
    json_t *names; /* last part -> [[variant, name below the root], …] */
    struct adopt_walk walk;
    json_t *known; /* digests, by path */
    json_t *good;  /* path -> true: it is what some recipe wants */
    json_t *rows;
};

static int no_memory(struct assay_err *err)
{
    return assay_fail(err, ASSAY_EFAIL, "not enough memory for what is to be found");
}

/* ---- what is wanted ---- */

static void variant_release(struct variant *v)
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

static int add_variant(struct match *m, const struct recipe *r, json_t *options,
                       struct assay_err *err)
{
    struct variant *v, *grown;

    for (size_t i = 0; i < m->count; i++)
        if (m->variants[i].recipe == r && json_equal(m->variants[i].options, options))
            return ASSAY_OK;
    if (m->count == m->cap) {
        m->cap = m->cap ? m->cap * 2 : 128;
        if (!(grown = realloc(m->variants, m->cap * sizeof(*grown))))
            return no_memory(err);
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
        variant_release(v);
        return ASSAY_OK;
    }
    plan_have_id(r, options, v->body, v->id);
    m->count++;
    return ASSAY_OK;
}

/* The recipe as it is by default, and with each of its options. */
static int add_recipe(struct match *m, const struct recipe *r, struct assay_err *err)
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

static void want_name(struct match *m, size_t variant, const char *name)
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

static int want_count(struct match *m, size_t variant, const json_t *row, struct assay_err *err)
{
    struct counted *grown = realloc(m->counted, (m->counted_count + 1) * sizeof(*grown));

    if (!grown)
        return no_memory(err);
    m->counted = grown;
    m->counted[m->counted_count++] = (struct counted){.variant = variant,
                                                      .folder = tree_text(row, "folder", "."),
                                                      .suffix = tree_text(row, "suffix", ""),
                                                      .wanted = tree_int(row, "files", 0)};
    return ASSAY_OK;
}

static int want(struct match *m, size_t at, struct assay_err *err)
{
    const struct variant *v = &m->variants[at];
    const char *key;
    json_t *row;
    int rc = ASSAY_OK;
    size_t i;

    json_array_foreach(v->rows, i, row)
    {
        if (json_object_get(row, "file"))
            want_name(m, at, tree_text(row, "file", ""));
        else if (!rc && tree_int(row, "files", 0) > 0)
            rc = want_count(m, at, row, err);
    }
    json_object_foreach(json_object_get(v->body, "outputs"), key, row)
        want_name(m, at, json_string_value(row));
    return rc;
}

static int read_recipes(struct match *m, struct assay_err *err)
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

static void add_root(struct match *m, size_t variant, const char *path, const char *name,
                     const char *entry)
{
    char *root = root_of(path, name);
    json_t *roots = m->variants[variant].roots;

    if (root && !json_object_get(roots, root) &&
        json_object_set_new(roots, root, json_string(entry)))
        adopt_walk_unread(&m->walk, root, "its name is not UTF-8");
    free(root);
}

static void on_name(struct match *m, const char *path, const char *entry)
{
    json_t *sign;
    size_t i;

    json_array_foreach(json_object_get(m->names, file_base(path)), i, sign)
        add_root(m, (size_t)json_integer_value(json_array_get(sign, 0)), path,
                 json_string_value(json_array_get(sign, 1)), entry);
}

static void on_file(void *ctx, const char *folder, const char *name, const char *entry)
{
    struct match *m = ctx;
    size_t n = strlen(name);

    for (size_t i = 0; i < m->counted_count; i++) {
        struct counted *c = &m->counted[i];
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
static void on_folder(void *ctx, const char *folder, const char *entry)
{
    struct match *m = ctx;

    for (size_t i = 0; i < m->counted_count; i++) {
        struct counted *c = &m->counted[i];

        if (c->seen && c->seen >= c->wanted / 100)
            add_root(m, c->variant, folder, c->folder, entry);
        c->seen = 0;
    }
    on_name(m, folder, entry);
}

/* ---- judging ---- */

/* root: the sign that led to it. */
static void add_row(struct match *m, const struct variant *v, const char *state, const char *root,
                    const char *path, const char *how, const char *file)
{
    const char *entry = json_string_value(json_object_get(v->roots, root));

    json_array_append_new(m->rows,
                          json_pack("{s:s, s:s, s:s, s:O, s:o, s:o, s:s*, s:o*}", "state", state,
                                    "recipe", v->recipe->name, "version", v->recipe->version,
                                    "options", v->options, "path", tree_string(path), "how",
                                    tree_string(how), "entry", entry && *entry ? entry : NULL,
                                    "file", file ? tree_string(file) : NULL));
}

/* The first name that is missing below a root; NULL: none is. */
static const char *missing(const struct variant *v, const char *root)
{
    const char *key, *lacks = NULL, *name;
    json_t *row;
    size_t i;

    json_array_foreach(v->rows, i, row)
    {
        char *path;

        name = tree_text(row, "file", tree_text(row, "folder", "."));
        path = have_place(root, name);
        if (!lacks && (!path || !file_exists(path)))
            lacks = name;
        free(path);
    }
    json_object_foreach(json_object_get(v->body, "outputs"), key, row)
    {
        char *path = have_place(root, json_string_value(row));

        if (!lacks && (!path || !file_exists(path)))
            lacks = json_string_value(row);
        free(path);
    }
    return lacks;
}

/* Whether something below an incomplete root looks like what is wanted: a name that many things
 * have (vocab.txt) is not enough where the size is known. */
static bool is_part(const struct variant *v, const char *root)
{
    bool is = json_array_size(v->rows) == 0;
    json_t *row;
    size_t i;

    json_array_foreach(v->rows, i, row)
    {
        int64_t bytes = tree_int(row, "bytes", -1), there;
        char *path = have_place(root, tree_text(row, "file", tree_text(row, "folder", ".")));

        there = path ? file_size(path) : -1;
        is = is || (there >= 0 && (bytes < 0 || bytes == there));
        free(path);
    }
    return is;
}

/* Why nothing here tells whether files are those of the recipe; NULL: something does. */
static const char *not_told(const struct variant *v)
{
    const json_t *check = json_object_get(v->body, "check"), *row;
    size_t i;

    json_array_foreach(
        check, i,
        row) if (json_object_get(row,
                                 "run")) return "its check runs a program, which is not done here";
    json_array_foreach(json_object_get(v->body, "fetch"), i, row)
    {
        if (json_object_get(row, "unpack") && !json_array_size(check))
            return "its digest is that of an archive, not of what was in it";
        if (!json_object_get(row, "unpack") && !json_object_get(row, "sha256") &&
            !json_object_get(row, "md5") && !json_array_size(check))
            return "no digest is published";
    }
    return NULL;
}

/* "SHA-256 of 2 files, MD5 of 1": what the rows of a recipe verify. */
static void say_how(const struct variant *v, char out[200])
{
    static const char *const words[] = {"SHA-256 of", "MD5 of", "size of", "name of"};
    size_t count[4] = {0}, n = 0, i;
    int64_t counted = 0;
    json_t *row;

    json_array_foreach(v->rows, i, row)
    {
        counted += tree_int(row, "files", 0);
        if (json_object_get(row, "file"))
            count[json_object_get(row, "sha256")  ? 0
                  : json_object_get(row, "md5")   ? 1
                  : json_object_get(row, "bytes") ? 2
                                                  : 3]++;
    }
    out[0] = 0;
    for (i = 0; i < 4; i++)
        if (count[i])
            n += (size_t)snprintf(out + n, 200 - n, "%s%s %zu file%s", n ? ", " : "", words[i],
                                  count[i], count[i] == 1 ? "" : "s");
    if (counted)
        snprintf(out + n, 200 - n, "%s%lld files counted", n ? ", " : "", (long long)counted);
}

/* Before a file is read. */
static void tell(const struct match *m, const json_t *row, const char *root)
{
    char *path = have_place(root, tree_text(row, "file", ""));
    int64_t bytes = path ? file_size(path) : -1, wanted = tree_int(row, "bytes", bytes);

    if (m->ask->hashing && bytes == wanted && !json_object_get(m->known, path) &&
        (json_object_get(row, "sha256") || json_object_get(row, "md5")))
        m->ask->hashing(path, bytes);
    free(path);
}

static int check_row(struct match *m, const json_t *row, const char *root, struct assay_err *err)
{
    char *path = have_place(root, tree_text(row, "file", "."));
    int rc;

    tell(m, row, root);
    rc = have_check_row(row, root, m->known, m->ask->stop, err);
    if (!rc && path && json_object_get(row, "file"))
        json_object_set_new(m->good, path, json_true());
    free(path);
    return rc;
}

/* Where only one file is wanted, that file and not its folder is what the user has: what else comes
 * into the folder then does not matter. */
static char *place_of(const struct variant *v, const char *root)
{
    const json_t *outputs = json_object_get(v->body, "outputs"),
                 *only = json_object_iter_value(json_object_iter((json_t *)(uintptr_t)outputs));
    const char *file = tree_text(json_array_get(v->rows, 0), "file", NULL);

    if (json_array_size(v->rows) == 1 && file && json_object_size(outputs) == 1 &&
        !strcmp(json_string_value(only), file))
        return file_join(root, file);
    return strdup(root);
}

static int take(struct match *m, const struct variant *v, const char *root, const char *more,
                struct assay_err *err)
{
    char *place = place_of(v, root), how[200];
    int rc = ASSAY_OK;

    if (!place)
        return no_memory(err);
    say_how(v, how);
    snprintf(how + strlen(how), sizeof(how) - strlen(how), "%s", more);
    if (!m->ask->dry)
        rc = have_remember(m->ask->cache, v->id, v->body, place, err);
    if (!rc)
        add_row(m, v, m->ask->dry ? "fits" : "adopted", root, place, how, NULL);
    free(place);
    return rc;
}

/* What was verified before is right, also where links lead to it. */
static void mark_good(struct match *m, const struct variant *v, const char *root)
{
    json_t *row;
    size_t i;

    json_array_foreach(v->rows, i, row)
    {
        char *path =
            json_object_get(row, "file") ? have_place(root, tree_text(row, "file", "")) : NULL;
        char *real = path ? file_absolute(path) : NULL;

        if (real) {
            json_object_set_new(m->good, path, json_true());
            json_object_set_new(m->good, real, json_true());
        }
        free(real);
        free(path);
    }
}

/* A whole root: *taken, or a row that says why not. */
static int judge_root(struct match *m, const struct variant *v, const char *root, bool *taken,
                      struct assay_err *err)
{
    const char *why = not_told(v);
    struct assay_err bad;
    json_t *row;
    size_t i;
    int rc;

    if (why) {
        add_row(m, v, "unverified", root, root, why, NULL);
        return ASSAY_OK;
    }
    json_array_foreach(v->rows, i, row)
    {
        rc = check_row(m, row, root, &bad);
        if (rc == ASSAY_ESTOP)
            return assay_fail(err, rc, "%s", bad.text);
        if (rc) {
            char *path = have_place(root, tree_text(row, "file", "."));
            bool is_file = json_object_get(row, "file") != NULL;

            add_row(m, v, is_file ? "differs" : "incomplete", root, root, bad.text,
                    is_file ? path : NULL);
            free(path);
            return ASSAY_OK;
        }
    }
    *taken = true;
    return take(m, v, root, "", err);
}

/* ---- files in several folders ---- */

/* Only where a digest says of each file that it is the one. */
static bool can_be_put_together(const struct variant *v)
{
    const char *key;
    json_t *row, *names = json_object();
    bool can = json_array_size(v->rows) > 1 && json_object_size(v->roots) > 1 && !not_told(v);
    size_t i;

    json_array_foreach(v->rows, i, row)
    {
        can = can && json_object_get(row, "file") &&
              (json_object_get(row, "sha256") || json_object_get(row, "md5"));
        json_object_set_new(names, tree_text(row, "file", "."), json_true());
    }
    json_object_foreach(json_object_get(v->body, "outputs"), key, row) can =
        can &&
        (!strcmp(json_string_value(row), ".") || json_object_get(names, json_string_value(row)));
    json_decref(names);
    return can;
}

/* Where a file of this row lies that is right, for free(); NULL: nowhere. */
static int find_piece(struct match *m, const struct variant *v, const json_t *row, char **found,
                      struct assay_err *err)
{
    const char *root;
    struct assay_err bad;
    json_t *entry;
    int rc;

    json_object_foreach(v->roots, root, entry)
    {
        char *path = have_place(root, tree_text(row, "file", ""));

        rc = path && file_exists(path) ? check_row(m, row, root, &bad) : ASSAY_EFAIL;
        if (rc == ASSAY_ESTOP)
            assay_fail(err, rc, "%s", bad.text);
        if (!rc)
            *found = path;
        else
            free(path);
        if (!rc || rc == ASSAY_ESTOP)
            return rc;
    }
    return ASSAY_OK;
}

/* All pieces, or none: {file: path}. */
static int find_pieces(struct match *m, const struct variant *v, json_t **pieces,
                       struct assay_err *err)
{
    json_t *row, *all = json_object();
    int rc = ASSAY_OK;
    size_t i;

    json_array_foreach(v->rows, i, row)
    {
        char *path = NULL;

        if (!rc && json_object_size(all) == i)
            rc = find_piece(m, v, row, &path, err);
        if (path)
            json_object_set_new(all, tree_text(row, "file", ""), json_string(path));
        free(path);
    }
    if (rc || json_object_size(all) != json_array_size(v->rows)) {
        json_decref(all);
        all = NULL;
    }
    *pieces = all;
    return rc;
}

static int link_pieces(const json_t *pieces, const char *folder, struct assay_err *err)
{
    int rc = file_remove_tree(folder, err);
    const char *name;
    json_t *to;

    json_object_foreach((json_t *)(uintptr_t)pieces, name, to)
    {
        char *path = file_join(folder, name), *dir = path ? strdup(path) : NULL;

        if (rc) {
            free(path);
            free(dir);
            continue;
        }
        if (dir)
            *strrchr(dir, '/') = 0;
        rc = dir ? file_make_dirs(dir, err) : no_memory(err);
        if (!rc && symlink(json_string_value(to), path))
            rc = assay_fail(err, ASSAY_EFAIL, "%s: the link cannot be made", path);
        free(path);
        free(dir);
    }
    return rc;
}

static int put_together(struct match *m, const struct variant *v, bool *taken,
                        struct assay_err *err)
{
    char *folder = text_format("%s/have/%s", m->ask->cache, v->id), more[64];
    json_t *pieces = NULL;
    int rc = folder ? find_pieces(m, v, &pieces, err) : no_memory(err);

    if (!rc && pieces) {
        if (!m->ask->dry)
            rc = link_pieces(pieces, folder, err);
        snprintf(more, sizeof(more), "; links to %zu files", json_object_size(pieces));
        *taken = true;
        if (!rc)
            rc = take(m, v, folder, more, err);
        if (!rc)
            json_object_set(json_array_get(m->rows, json_array_size(m->rows) - 1), "links", pieces);
    }
    json_decref(pieces);
    free(folder);
    return rc;
}

/* ---- all of it ---- */

/* Whole roots, then one of pieces; of what is not whole, what it lacks. */
static int judge_roots(struct match *m, const struct variant *v, struct assay_err *err)
{
    size_t before = json_array_size(m->rows);
    const char *root, *lacks;
    bool taken = false;
    char how[300];
    json_t *entry, *last;
    int rc = ASSAY_OK;

    json_object_foreach(v->roots, root, entry)
    {
        if (!rc && !taken && !missing(v, root))
            rc = judge_root(m, v, root, &taken, err);
    }
    if (!rc && !taken && can_be_put_together(v))
        rc = put_together(m, v, &taken, err);
    while (!rc && taken && json_array_size(m->rows) > before + 1) {
        last = json_incref(json_array_get(m->rows, json_array_size(m->rows) - 1));
        json_array_set_new(m->rows, before, last);
        json_array_remove(m->rows, json_array_size(m->rows) - 1);
    }
    json_object_foreach(v->roots, root, entry)
    {
        lacks = rc || taken || not_told(v) ? NULL : missing(v, root);
        if (lacks && is_part(v, root)) {
            snprintf(how, sizeof(how), "lacks %.250s", lacks);
            add_row(m, v, "incomplete", root, root, how, NULL);
        }
    }
    return rc;
}

static int judge(struct match *m, const struct variant *v, struct assay_err *err)
{
    char *was = NULL, *known, how[200];
    int rc = ASSAY_OK;

    if (!json_object_size(v->roots))
        return ASSAY_OK;
    if (m->ask->stop && *m->ask->stop)
        return assay_fail(err, ASSAY_ESTOP, "interrupted");
    known = have_known(m->ask->cache, v->id, &was);
    if (known) {
        say_how(v, how);
        add_row(m, v, "known", known, known, how, NULL);
        mark_good(m, v, known);
    } else {
        rc = judge_roots(m, v, err);
    }
    free(was);
    free(known);
    return rc;
}

/* A file that is right for one recipe is not wrong for another that has one of the same name. */
static void drop_right_ones(struct match *m)
{
    size_t i = json_array_size(m->rows);

    while (i-- > 0) {
        const char *file = tree_text(json_array_get(m->rows, i), "file", NULL);

        if (file && json_object_get(m->good, file))
            json_array_remove(m->rows, i);
    }
}

static void match_release(struct match *m)
{
    for (size_t i = 0; i < m->count; i++)
        variant_release(&m->variants[i]);
    free(m->variants);
    free(m->counted);
    json_decref(m->names);
    json_decref(m->known);
    json_decref(m->good);
    json_decref(m->rows);
    adopt_walk_release(&m->walk);
    catalog_close(&m->catalog);
}

int adopt(const struct adopt_ask *ask, json_t **report, struct assay_err *err)
{
    struct match m = {.ask = ask,
                      .names = json_object(),
                      .known = json_object(),
                      .good = json_object(),
                      .rows = json_array(),
                      .walk = {.file = on_file, .folder = on_folder, .stop = ask->stop}};
    int rc;

    m.walk.ctx = &m;
    rc = read_recipes(&m, err);
    if (!rc)
        rc = adopt_walk(&m.walk, ask->dirs, ask->cache, err);
    for (size_t i = 0; !rc && i < m.count; i++)
        rc = judge(&m, &m.variants[i], err);
    drop_right_ones(&m);
    if (!rc)
        *report =
            json_pack("{s:b, s:O, s:O, s:I, s:I, s:O}", "dry", (int)ask->dry, "looked",
                      m.walk.looked, "unread", m.walk.unread, "folders", (json_int_t)m.walk.folders,
                      "files", (json_int_t)m.walk.files, "rows", m.rows);
    match_release(&m);
    return rc;
}
