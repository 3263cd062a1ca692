/* The parser of val_map.txt; see labels.h for its rules. */
#include "data/labels.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

void labels_release(struct labels *l)
{
    free(l->names);
    free(l->values);
    free(l->text);
    memset(l, 0, sizeof(*l));
}

/* The last word of a line, cut off in place: a name may have blanks.  NULL: there is no second. */
static char *last_word(char *line)
{
    size_t n = strlen(line);

    while (n && strchr(" \t\r", line[n - 1]))
        n--;
    line[n] = 0;
    while (n && !strchr(" \t", line[n - 1]))
        n--;
    if (!n)
        return NULL;
    for (size_t end = n; end && strchr(" \t", line[end - 1]);)
        line[--end] = 0;
    return line + n;
}

/* One line into row l->n; at must be NUL-terminated. */
static int parse_line(char *at, const char *file, size_t line, int32_t classes, struct labels *l,
                      struct assay_err *err)
{
    char *name = at + strspn(at, " \t\r"), *label, *end;
    long v;

    if (!*name || name[0] == '#')
        return ASSAY_OK;
    if (!(label = last_word(name)))
        return assay_fail(err, ASSAY_EFAIL,
                          "%s:%zu: has no label; wanted: 'name label', for example "
                          "'ILSVRC2012_val_00000001.JPEG 65'",
                          file, line);
    errno = 0;
    v = strtol(label, &end, 10);
    if (*end || end == label)
        return assay_fail(err, ASSAY_EFAIL,
                          "%s:%zu: label '%.40s' is no whole number; wanted: 'name label'", file,
                          line, label);
    if (errno || v < 0 || v >= classes)
        return assay_fail(err, ASSAY_EFAIL,
                          "%s:%zu: label %.40s is outside 0..%d (labels count from 0)", file, line,
                          label, classes - 1);
    if (file_leaves_folder(name))
        return assay_fail(err, ASSAY_EFAIL,
                          "%s:%zu: '%.200s' leaves the data set's folder; wanted: a name in it",
                          file, line, name);
    l->names[l->n] = name;
    l->values[l->n++] = (int32_t)v;
    return ASSAY_OK;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int refuse_duplicates(const struct labels *l, const char *file, struct assay_err *err)
{
    char **sorted;
    int rc = ASSAY_OK;
    size_t i;

    if (!l->names || l->n < 2)
        return ASSAY_OK;
    sorted = malloc(l->n * sizeof(*sorted));
    if (!sorted)
        return assay_fail(err, ASSAY_EFAIL, "%s: not enough memory for %zu names", file, l->n);
    memcpy(sorted, l->names, l->n * sizeof(*sorted));
    qsort(sorted, l->n, sizeof(*sorted), by_name);
    for (i = 1; i < l->n && !rc; i++)
        if (!strcmp(sorted[i - 1], sorted[i]))
            rc = assay_fail(err, ASSAY_EFAIL,
                            "%s: '%.200s' is listed more than once; remove one of the lines", file,
                            sorted[i]);
    free(sorted);
    return rc;
}

/* Takes over text (malloc'ed, NUL-terminated behind len). */
static int parse_owned(char *text, size_t len, const char *file, int32_t classes, uint64_t count,
                       struct labels *l, struct assay_err *err)
{
    size_t lines = 1, line = 0, i;
    char *at, *end;
    int rc = ASSAY_OK;

    memset(l, 0, sizeof(*l));
    l->text = text;
    for (i = 0; i < len; i++)
        lines += text[i] == '\n';
    l->names = calloc(lines, sizeof(*l->names));
    l->values = calloc(lines, sizeof(*l->values));
    if (!l->names || !l->values)
        rc = assay_fail(err, ASSAY_EFAIL, "%s: not enough memory for %zu lines", file, lines);
    at = !strncmp(text, "\xef\xbb\xbf", 3) ? text + 3 : text; /* Windows' mark of UTF-8 */
    for (; !rc && at < text + len && (!count || l->n < count); at = end + 1) {
        line++;
        end = memchr(at, '\n', (size_t)(text + len - at));
        end = end ? end : text + len;
        *end = 0;
        if (strlen(at) != (size_t)(end - at))
            rc = assay_fail(err, ASSAY_EFAIL, "%s:%zu: holds a NUL byte; wanted: text", file, line);
        else
            rc = parse_line(at, file, line, classes, l, err);
    }
    if (!rc && !l->n)
        rc = assay_fail(err, ASSAY_EFAIL, "%s: lists no image; wanted: lines 'name label'", file);
    if (!rc && count > l->n)
        rc = assay_fail(err, ASSAY_EUSAGE, "%s: lists %zu images, %llu were asked for", file, l->n,
                        (unsigned long long)count);
    if (!rc)
        rc = refuse_duplicates(l, file, err);
    if (rc)
        labels_release(l);
    return rc;
}

int labels_parse(const char *text, size_t len, const char *file, int32_t classes, uint64_t count,
                 struct labels *l, struct assay_err *err)
{
    char *own = malloc(len + 1);

    if (!own)
        return assay_fail(err, ASSAY_EFAIL, "%s: not enough memory", file);
    memcpy(own, text, len);
    own[len] = 0;
    return parse_owned(own, len, file, classes, count, l, err);
}

int labels_read(const char *folder, int32_t classes, uint64_t count, struct labels *l,
                struct assay_err *err)
{
    static const char *const lists[] = {"val_map.txt", "val.txt"};
    char *path = NULL, *text = NULL;
    size_t len, i;
    int rc;

    if (!file_is_dir(folder))
        return assay_fail(err, ASSAY_EUSAGE,
                          "%s: is no folder; wanted: the folder with the images and val_map.txt",
                          folder);
    for (i = 0; i < 2; i++) {
        free(path);
        path = file_join(folder, lists[i]);
        if (!path)
            return assay_fail(err, ASSAY_EFAIL, "%s: not enough memory", folder);
        if (file_exists(path))
            break;
    }
    if (i == 2)
        rc = assay_fail(err, ASSAY_EFAIL,
                        "%s: has no val_map.txt (or val.txt) with lines 'name label'", folder);
    else if (!(rc = file_read(path, LABELS_MAX_BYTES, &text, &len, err)))
        rc = parse_owned(text, len, path, classes, count, l, err);
    free(path);
    return rc;
}
