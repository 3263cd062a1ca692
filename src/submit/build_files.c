/* Writes the files of a tree, and reads those of records; see building.h. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/tree.h"
#include "submit/building.h"

#define VIEWABLE 4096 /* bytes of each end of a shortened log */
#define MAX_LOG  ((size_t)1 << 33)

/* Makes the folders of "dir/name" and gives the path. */
static int build_path(const struct build *b, const char *dir, const char *name, char path[2048])
{
    int rc = file_make_dirs(dir, b->err);

    if (!rc && snprintf(path, 2048, "%s/%s", dir, name) >= 2048)
        rc = assay_fail(b->err, ASSAY_EFAIL, "%s: the path is too long", dir);
    return rc;
}

int build_text(const struct build *b, const char *dir, const char *name, const struct text *text)
{
    char path[2048];
    int rc = build_path(b, dir, name, path);

    if (!rc && text->cut)
        rc = assay_fail(b->err, ASSAY_EFAIL, "%s: its text is too long", path);
    return rc ? rc : file_write_whole(path, text->s, text->len, b->err);
}

int build_json(const struct build *b, const char *dir, const char *name, const json_t *tree)
{
    char path[2048];
    int rc = build_path(b, dir, name, path);

    return rc ? rc : tree_write_json(path, tree, b->err);
}

int build_read(const struct build *b, const json_t *record, const char *name, char **data,
               size_t *len)
{
    const json_t *file = json_object_get(json_object_get(record, "files"), name);
    const char *folder = tree_text(record, "folder", ""), *want = tree_text(file, "sha256", NULL);
    char path[2048], hex[HASH_HEX];
    int rc;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    if (!want)
        return assay_fail(b->err, ASSAY_EFAIL, "record %s has no %s", tree_text(record, "id", "?"),
                          name);
    rc = file_read(path, MAX_LOG, data, len, b->err);
    if (rc)
        return rc;
    hash_bytes(*data, *len, hex);
    if (!strcmp(hex, want))
        return ASSAY_OK;
    free(*data);
    *data = NULL;
    return assay_fail(b->err, ASSAY_EFAIL,
                      "%s: was changed since the record was made (its hash is another)", path);
}

int build_copy(const struct build *b, const json_t *record, const char *name, const char *dir)
{
    char path[2048], *data = NULL;
    size_t len;
    int rc = build_read(b, record, name, &data, &len);

    if (!rc)
        rc = build_path(b, dir, name, path);
    if (!rc)
        rc = file_write_whole(path, data, len, b->err);
    free(data);
    return rc;
}

int build_logs(const struct build *b, const json_t *record, const char *dir)
{
    int rc = build_copy(b, record, "mlperf_log_detail.txt", dir);

    return rc ? rc : build_copy(b, record, "mlperf_log_summary.txt", dir);
}

int build_cut_log(const struct build *b, const json_t *record, const char *dir, const char *line)
{
    static const char name[] = "mlperf_log_accuracy.json";
    char *data = NULL;
    struct text log, says;
    size_t len;
    int rc = build_read(b, record, name, &data, &len);

    if (rc)
        return rc;
    text_init(&log, 4 * VIEWABLE);
    text_init(&says, 2048);
    if (len <= SUBMIT_MAX_ACCURACY_LOG) {
        text_addn(&log, data, len);
    } else {
        text_addn(&log, data, VIEWABLE);
        text_add(&log, "\n\n...\n\n");
        text_addn(&log, data + len - VIEWABLE, VIEWABLE);
    }
    if (line)
        text_addf(&says, "%s\n", line);
    text_addf(&says, "hash=%s\n",
              tree_text(json_object_get(json_object_get(record, "files"), name), "sha256", ""));
    rc = build_text(b, dir, name, &log);
    if (!rc)
        rc = build_text(b, dir, "accuracy.txt", &says);
    text_release(&log);
    text_release(&says);
    free(data);
    return rc;
}
