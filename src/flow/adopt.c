/* Judging what looks like a recipe's files; see adopt.h.  What recipes want and what looks like it
 * is in adopt_signs.c.  The cheap things come first: is all there, can anything tell, then the
 * digests.
 */
#include "flow/adopt_inside.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/tree.h"
#include "flow/have.h"

/* ---- rows ---- */

void adopt_add_row(struct adopt_match *m, const struct adopt_variant *v, const char *state,
                   const char *root, const char *path, const char *how, const char *file)
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
static const char *missing(const struct adopt_variant *v, const char *root)
{
    const char *key, *lacks = NULL, *name;
    json_t *row;
    size_t i;

    json_array_foreach(v->rows, i, row)
    {
        char *path;

        name = tree_text(row, "file", tree_text(row, "folder", "."));
        path = have_row_place(row, root);
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

bool adopt_may_be(const json_t *row, const char *root)
{
    int64_t bytes = tree_int(row, "bytes", -1), there;
    char *path = have_row_place(row, root);

    there = path ? file_size(path) : -1;
    free(path);
    return there >= 0 && (bytes < 0 || bytes == there);
}

static bool is_part(const struct adopt_variant *v, const char *root)
{
    bool is = json_array_size(v->rows) == 0;
    json_t *row;
    size_t i;

    json_array_foreach(v->rows, i, row) is = is || adopt_may_be(row, root);
    return is;
}

const char *adopt_not_told(const struct adopt_variant *v)
{
    const json_t *check = json_object_get(v->body, "check"), *row;
    size_t i;

    if (tree_any_has(check, "run"))
        return "its check runs a program, which is not done here";
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
static void say_how(const struct adopt_variant *v, char out[200])
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

/* ---- judging ---- */

/* Before a file is read. */
static void tell(const struct adopt_match *m, const json_t *row, const char *root)
{
    char *path = have_place(root, tree_text(row, "file", ""));
    int64_t bytes = path ? file_size(path) : -1, wanted = tree_int(row, "bytes", bytes);

    if (m->ask->hashing && bytes == wanted && !json_object_get(m->known, path) &&
        (json_object_get(row, "sha256") || json_object_get(row, "md5")))
        m->ask->hashing(path, bytes);
    free(path);
}

int adopt_check_row(struct adopt_match *m, const json_t *row, const char *root,
                    struct assay_err *err)
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
static char *place_of(const struct adopt_variant *v, const char *root)
{
    const json_t *outputs = json_object_get(v->body, "outputs"),
                 *only = json_object_iter_value(json_object_iter((json_t *)(uintptr_t)outputs));
    const char *file = tree_text(json_array_get(v->rows, 0), "file", NULL);

    if (json_array_size(v->rows) == 1 && file && json_object_size(outputs) == 1 &&
        !strcmp(json_string_value(only), file))
        return file_join(root, file);
    return strdup(root);
}

int adopt_take(struct adopt_match *m, const struct adopt_variant *v, const char *root,
               const char *more, struct assay_err *err)
{
    char *place = place_of(v, root), how[200], *name;
    int rc = ASSAY_OK;

    if (!place)
        return assay_fail(err, ASSAY_EFAIL, "not enough memory for what is to be found");
    say_how(v, how);
    snprintf(how + strlen(how), sizeof(how) - strlen(how), "%s", more);
    if (!m->ask->dry) {
        name = recipe_name_with(v->recipe, v->options);
        rc = have_remember(m->ask->cache, v->id, name ? name : "?", v->body, place, err);
        free(name);
    }
    if (!rc)
        adopt_add_row(m, v, m->ask->dry ? "fits" : "adopted", root, place, how, NULL);
    free(place);
    return rc;
}

/* What was verified before is right, also where links lead to it. */
static void mark_good(struct adopt_match *m, const struct adopt_variant *v, const char *root)
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
static int judge_root(struct adopt_match *m, const struct adopt_variant *v, const char *root,
                      bool *taken, struct assay_err *err)
{
    const char *why = adopt_not_told(v);
    struct assay_err bad;
    json_t *row;
    size_t i;
    int rc;

    if (why) {
        adopt_add_row(m, v, "unverified", root, root, why, NULL);
        return ASSAY_OK;
    }
    json_array_foreach(v->rows, i, row)
    {
        rc = adopt_check_row(m, row, root, &bad);
        if (rc == ASSAY_ESTOP)
            return assay_fail(err, rc, "%s", bad.text);
        if (rc) {
            char *path = have_place(root, tree_text(row, "file", "."));
            bool is_file = json_object_get(row, "file") != NULL;

            adopt_add_row(m, v, is_file ? "differs" : "incomplete", root, root, bad.text,
                          is_file ? path : NULL);
            free(path);
            return ASSAY_OK;
        }
    }
    *taken = true;
    return adopt_take(m, v, root, "", err);
}

/* ---- all of it ---- */

/* Whole roots, then one of pieces; of what is not whole, what it lacks. */
static int judge_roots(struct adopt_match *m, const struct adopt_variant *v, struct assay_err *err)
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
    if (!rc && !taken && adopt_can_put_together(v))
        rc = adopt_put_together(m, v, &taken, err);
    while (!rc && taken && json_array_size(m->rows) > before + 1) {
        last = json_incref(json_array_get(m->rows, json_array_size(m->rows) - 1));
        json_array_set_new(m->rows, before, last);
        json_array_remove(m->rows, json_array_size(m->rows) - 1);
    }
    json_object_foreach(v->roots, root, entry)
    {
        lacks = rc || taken || adopt_not_told(v) ? NULL : missing(v, root);
        if (lacks && is_part(v, root)) {
            snprintf(how, sizeof(how), "lacks %.250s", lacks);
            adopt_add_row(m, v, "incomplete", root, root, how, NULL);
        }
    }
    return rc;
}

static int judge(struct adopt_match *m, const struct adopt_variant *v, struct assay_err *err)
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
        adopt_add_row(m, v, "known", known, known, how, NULL);
        mark_good(m, v, known);
    } else {
        rc = judge_roots(m, v, err);
    }
    free(was);
    free(known);
    return rc;
}

/* A file that is right for one recipe is not wrong for another that has one of the same name. */
static void drop_right_ones(struct adopt_match *m)
{
    size_t i = json_array_size(m->rows);

    while (i-- > 0) {
        const char *file = tree_text(json_array_get(m->rows, i), "file", NULL);

        if (file && json_object_get(m->good, file))
            json_array_remove(m->rows, i);
    }
}

static void match_release(struct adopt_match *m)
{
    for (size_t i = 0; i < m->count; i++)
        adopt_variant_release(&m->variants[i]);
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
    struct adopt_match m = {
        .ask = ask,
        .names = json_object(),
        .known = json_object(),
        .good = json_object(),
        .rows = json_array(),
        .walk = {.file = adopt_on_file, .folder = adopt_on_folder, .stop = ask->stop}};
    int rc;

    m.walk.ctx = &m;
    rc = adopt_read_recipes(&m, err);
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
