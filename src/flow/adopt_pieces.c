/* Files of one data set that lie in several folders, as in the automation's caches, which have an
 * entry for each download: links to them are put together in <cache>/have/ID. */
#include "flow/adopt_inside.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "base/tree.h"
#include "flow/have.h"

static bool is_somewhere(const struct adopt_variant *v, const json_t *row)
{
    const char *root;
    json_t *entry;
    bool is = false;

    json_object_foreach(v->roots, root, entry) is = is || adopt_may_be(row, root);
    return is;
}

bool adopt_can_put_together(const struct adopt_variant *v)
{
    const char *key;
    json_t *row, *names = json_object();
    bool can = json_array_size(v->rows) > 1 && json_object_size(v->roots) > 1 && !adopt_not_told(v);
    size_t i;

    json_array_foreach(v->rows, i, row)
    {
        can = can && json_object_get(row, "file") &&
              (json_object_get(row, "sha256") || json_object_get(row, "md5")) &&
              is_somewhere(v, row);
        json_object_set_new(names, tree_text(row, "file", "."), json_true());
    }
    json_object_foreach(json_object_get(v->body, "outputs"), key, row) can =
        can &&
        (!strcmp(json_string_value(row), ".") || json_object_get(names, json_string_value(row)));
    json_decref(names);
    return can;
}

/* Where a file of this row lies that is right, for free(); NULL: nowhere. */
static int find_piece(struct adopt_match *m, const struct adopt_variant *v, const json_t *row,
                      char **found, struct assay_err *err)
{
    const char *root;
    struct assay_err bad;
    json_t *entry;
    int rc;

    json_object_foreach(v->roots, root, entry)
    {
        char *path = have_place(root, tree_text(row, "file", ""));

        bool there = path && adopt_may_be(row, root);

        rc = there ? adopt_check_row(m, row, root, &bad) : ASSAY_EFAIL;
        if (rc == ASSAY_ESTOP)
            assay_fail(err, rc, "%s", bad.text);
        else if (rc && there)
            adopt_add_row(m, v, "differs", root, root, bad.text, path);
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
static int find_pieces(struct adopt_match *m, const struct adopt_variant *v, json_t **pieces,
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

static int make_links(const json_t *pieces, const char *folder, struct assay_err *err)
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
        rc = dir ? file_make_dirs(dir, err)
                 : assay_fail(err, ASSAY_EFAIL, "%s: not enough memory", folder);
        if (!rc && symlink(json_string_value(to), path))
            rc = assay_fail(err, ASSAY_EFAIL, "%s: the link cannot be made: %s", path,
                            strerror(errno));
        free(path);
        free(dir);
    }
    return rc;
}

/* Beside, and then in the place of what may be there: it is whole but for a moment. */
static int link_pieces(const json_t *pieces, const char *folder, struct assay_err *err)
{
    char *next = text_format("%s.%ld", folder, (long)getpid());
    int rc = next ? make_links(pieces, next, err)
                  : assay_fail(err, ASSAY_EFAIL, "%s: not enough memory", folder);

    if (!rc)
        rc = file_remove_tree(folder, err);
    if (!rc && rename(next, folder))
        rc =
            assay_fail(err, ASSAY_EFAIL, "%s: cannot be put in place: %s", folder, strerror(errno));
    if (rc && next)
        file_remove_tree(next, NULL);
    free(next);
    return rc;
}

int adopt_put_together(struct adopt_match *m, const struct adopt_variant *v, bool *taken,
                       struct assay_err *err)
{
    char *folder = text_format("%s/have/%s", m->ask->cache, v->id), more[64];
    json_t *pieces = NULL;
    int rc = folder ? find_pieces(m, v, &pieces, err)
                    : assay_fail(err, ASSAY_EFAIL, "%s: not enough memory", m->ask->cache);

    if (!rc && pieces) {
        if (!m->ask->dry)
            rc = link_pieces(pieces, folder, err);
        snprintf(more, sizeof(more), "; links to %zu files", json_object_size(pieces));
        *taken = true;
        if (!rc)
            rc = adopt_take(m, v, folder, more, err);
        if (!rc)
            json_object_set(json_array_get(m->rows, json_array_size(m->rows) - 1), "links", pieces);
    }
    json_decref(pieces);
    free(folder);
    return rc;
}
