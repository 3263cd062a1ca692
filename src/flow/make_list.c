/* The step of files that a list names: the list read and checked, its files fetched side by side,
 * what came compared with what came first, all put in place.
 *
 * Nobody publishes digests of such files, so one for all of them is kept as first seen: of the
 * lines that `sha256sum *` prints, under their address and the digest of their names, since another
 * list is another set of files. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "base/tree.h"
#include "flow/fetch.h"
#include "flow/fetch_list.h"
#include "flow/fill.h"
#include "flow/first_seen.h"
#include "flow/make_inside.h"
#include "flow/name_list.h"

static int no_memory(struct assay_err *err)
{
    return assay_fail(err, ASSAY_EFAIL, "not enough memory");
}

static void count(void *ctx, int64_t bytes, int files)
{
    struct step *s = ctx;

    atomic_fetch_add(&s->bytes, bytes);
    if (!files && bytes > 0) /* the rest was there before */
        atomic_fetch_add(&s->came, bytes);
    atomic_fetch_add(&s->files, files);
}

static void again(void *ctx, const char *text)
{
    struct step *s = ctx;

    s->tell(s, text);
}

static int read_list(const struct step *s, const json_t *each, struct name_list *list,
                     struct assay_err *err)
{
    json_t *scope = plan_scope(s->plan, s->node, "", "", false);
    int64_t wanted = tree_int(each, "count", 0);
    char *path = NULL;
    int rc = fill(tree_text(each, "from", ""), scope, &path, err);

    if (!rc)
        rc = name_list_read(path, tree_text(each, "json", NULL), list, err);
    if (!rc && (int64_t)list->count != wanted) {
        rc = assay_fail(err, ASSAY_EFAIL, "%s: has %zu names, and %s says %lld", path, list->count,
                        s->node->recipe->file, (long long)wanted);
        name_list_release(list);
    }
    free(path);
    json_decref(scope);
    return rc;
}

/* All that came against what came first; what is not that goes, as it does of a single file. */
static int compare(const char *url, const struct name_list *list, const char *folder,
                   const char *sha256, struct assay_err *err)
{
    char names[HASH_HEX], known[HASH_HEX], *seen;
    int rc = ASSAY_OK;

    name_list_digest(list, names);
    seen = text_format("%s#names=%s", url, names);
    if (!seen)
        rc = no_memory(err);
    else if (!first_seen_find(seen, known))
        rc = first_seen_add(seen, sha256, err);
    else if (strcmp(known, sha256) != 0) {
        rc = assay_fail(err, ASSAY_EFAIL,
                        "some of the files are others: their SHA-256 is %s, not %s", sha256, known);
        step_say_first_seen(err);
        file_remove_tree(folder, NULL);
    }
    free(seen);
    return rc;
}

static int place_one(const struct shelf_entry *e, const char *folder, const char *file,
                     const char *name, struct assay_err *err)
{
    char *part = file_join(folder, name), *below = name_list_fill(file, name, false);
    char *to = below ? file_join(e->dir, below) : NULL;
    int rc = part && to ? step_place(part, to, err) : no_memory(err);

    free(to);
    free(below);
    free(part);
    return rc;
}

static int place_list(const struct shelf_entry *e, const char *name, const struct name_list *list,
                      struct assay_err *err)
{
    char *to = file_join(e->dir, name), *slash = to ? strrchr(to, '/') : NULL;
    int rc;

    if (!slash)
        return no_memory(err);
    *slash = 0;
    rc = file_make_dirs(to, err);
    *slash = '/';
    if (!rc)
        rc = file_write_whole(to, list->text, list->len, err);
    free(to);
    return rc;
}

static int place_all(const struct step *s, const struct shelf_entry *e, const char *folder,
                     const json_t *row, const struct name_list *list, struct assay_err *err)
{
    const char *keep = tree_text(json_object_get(row, "each"), "keep", NULL);
    int rc = keep ? place_list(e, keep, list, err) : ASSAY_OK;

    for (size_t i = 0; !rc && i < list->count; i++)
        rc = s->stop && *s->stop
                 ? assay_fail(err, ASSAY_ESTOP, "interrupted")
                 : place_one(e, folder, tree_text(row, "file", ""), list->names[i], err);
    return rc;
}

int step_fetch_list(struct step *s, const struct shelf_entry *e, size_t i, const json_t *row,
                    json_t *downloads, struct assay_err *err)
{
    const json_t *each = json_object_get(row, "each");
    const char *urls[STEP_MAX_URLS + 1];
    struct fetch_list_ask ask = {
        .urls = urls, .stop = s->stop, .progress = count, .again = again, .ctx = s};
    struct fetch_list_result got = {.bytes = 0};
    struct name_list list = {NULL};
    const char *first = json_string_value(json_array_get(recipe_urls(row), 0));
    json_t *all = NULL;
    char shown[1024], *folder = text_format("%s/%zu", e->parts, i);
    int rc = folder ? read_list(s, each, &list, err) : no_memory(err);

    if (rc)
        goto out;
    all = plan_urls(s->plan, row);
    step_urls(s, all, urls);
    atomic_fetch_add(&s->all_files, (int)list.count);
    ask.names = list.names;
    ask.count = list.count;
    ask.folder = folder;
    rc = file_make_dirs(folder, err);
    if (!rc)
        rc = fetch_list(&ask, &got, err);
    if (!rc)
        rc = compare(first, &list, folder, got.sha256, err);
    if (!rc)
        rc = place_all(s, e, folder, row, &list, err);
    rmdir(folder); /* when nothing came */
    fetch_url_public(first, shown, sizeof(shown));
    if (!rc)
        json_array_append_new(downloads,
                              json_pack("{s:s, s:s, s:s, s:I, s:I, s:b}", "file",
                                        tree_text(row, "file", ""), "url", shown, "sha256",
                                        got.sha256, "bytes", (json_int_t)got.bytes, "files",
                                        (json_int_t)list.count, "first_seen", 1));
out:
    name_list_release(&list);
    json_decref(all);
    free(folder);
    return rc;
}
