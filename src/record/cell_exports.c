/* Exports of many machines as cells: see cell.h.
 *
 * Everything stays in memory: a table of a folder's files leaves nothing behind, here or there. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/list.h"
#include "base/tree.h"
#include "record/cell.h"
#include "record/export.h"

struct entry {
    json_t *cell;
    const char *created; /* the cell's own */
    size_t number;
};

struct gathered {
    json_t *files, *seen; /* seen: {id: [sha256]} */
    struct entry *entries;
    size_t count, room;
};

static bool make_room(struct gathered *g)
{
    size_t room = g->room ? g->room * 2 : 64;
    struct entry *more;

    if (g->count < g->room)
        return true;
    more = realloc(g->entries, room * sizeof(*more));
    if (more) {
        g->entries = more;
        g->room = room;
    }
    return more != NULL;
}

static int add_cell(struct gathered *g, const json_t *record, const char *path,
                    struct assay_err *err)
{
    json_t *cell = cell_of_record(record);

    if (!cell) /* interrupted, or no run of a benchmark */
        return ASSAY_OK;
    if (!make_room(g)) {
        json_decref(cell);
        return assay_fail(err, ASSAY_EFAIL, "not enough memory for the table");
    }
    json_object_set_new(cell, "file", tree_string(file_base(path)));
    g->entries[g->count] = (struct entry){cell, tree_text(cell, "created", ""), g->count};
    g->count++;
    return ASSAY_OK;
}

/* One record of an export that was checked. */
static int add_entry(struct gathered *g, const json_t *entry, json_t *file, const char *path,
                     struct assay_err *err)
{
    const json_t *record = json_object_get(entry, "record");
    const char *id = tree_text(record, "id", ""), *sha256 = tree_text(entry, "sha256", "");
    json_t *hashes = json_object_get(g->seen, id);

    if (hashes && list_holds(hashes, sha256)) {
        json_array_append_new(json_object_get(file, "duplicates"), json_string(id));
        return ASSAY_OK;
    }
    if (hashes)
        json_array_append_new(json_object_get(file, "contradictions"), json_string(id));
    else
        json_object_set_new(g->seen, id, hashes = json_array());
    json_array_append_new(hashes, json_string(sha256));
    return add_cell(g, record, path, err);
}

static void add_error(struct gathered *g, const char *path, const char *why)
{
    json_array_append_new(
        g->files, json_pack("{s:o, s:o}", "file", tree_string(path), "error", tree_string(why)));
}

/* Fails only for want of memory. */
static int add_file(struct gathered *g, const char *path, struct assay_err *err)
{
    json_t *export = NULL, *entry, *file;
    struct assay_err why;
    size_t i;
    int rc = ASSAY_OK;

    if (export_read(path, &export, &why)) {
        add_error(g, path, why.text);
        return ASSAY_OK;
    }
    file = json_pack("{s:o, s:I, s:[], s:[]}", "file", tree_string(path), "records",
                     (json_int_t)json_array_size(json_object_get(export, "records")), "duplicates",
                     "contradictions");
    json_array_append_new(g->files, file);
    json_array_foreach(json_object_get(export, "records"), i, entry)
    {
        if (!rc)
            rc = add_entry(g, entry, file, path, err);
    }
    json_decref(export);
    return rc;
}

static int is_json(const struct dirent *e)
{
    size_t n = strlen(e->d_name);

    return n > 5 && e->d_name[0] != '.' && !strcmp(e->d_name + n - 5, ".json");
}

static int add_folder(struct gathered *g, const char *folder, struct assay_err *err)
{
    struct dirent **names = NULL;
    int n = scandir(folder, &names, is_json, alphasort), rc = ASSAY_OK;
    struct stat st;
    char why[600];

    snprintf(why, sizeof(why), "%.400s: %s", folder,
             n < 0 ? strerror(errno) : "holds no *.json; put files of `assay export` there");
    if (n <= 0)
        add_error(g, folder, why);
    for (int i = 0; i < n; i++) {
        char *path = file_join(folder, names[i]->d_name);

        if (!path)
            rc = assay_fail(err, ASSAY_EFAIL, "not enough memory for the table");
        else if (!rc && (stat(path, &st) || S_ISREG(st.st_mode))) /* a pipe would be waited for */
            rc = add_file(g, path, err);
        free(path);
        free(names[i]);
    }
    free(names);
    return rc;
}

/* The newest first; of one time, as they came. */
static int by_time(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    int order = strcmp(y->created, x->created);

    return order ? order : (x->number > y->number) - (x->number < y->number);
}

int cell_list_exports(const char *const *paths, json_t **cells, json_t **files,
                      struct assay_err *err)
{
    struct gathered g = {.files = json_array(), .seen = json_object()};
    int rc = ASSAY_OK;

    for (; !rc && *paths; paths++)
        rc = file_is_dir(*paths) ? add_folder(&g, *paths, err) : add_file(&g, *paths, err);
    if (g.count)
        qsort(g.entries, g.count, sizeof(*g.entries), by_time);
    *cells = json_array();
    *files = g.files;
    for (size_t i = 0; i < g.count; i++)
        json_array_append_new(*cells, g.entries[i].cell);
    free(g.entries);
    json_decref(g.seen);
    if (rc) {
        json_decref(*cells);
        json_decref(*files);
        *cells = *files = NULL;
    }
    return rc;
}
