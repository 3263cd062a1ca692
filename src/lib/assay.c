/* The library's calls: the same rooms as the command line's, with texts at the border.  See
 * include/assay/assay.h. */
#include "assay/assay.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/list.h"
#include "base/tree.h"
#include "data/bench_host.h"
#include "engine/host.h"
#include "load/settings.h"
#include "record/record.h"
#include "report/matrix.h"
#include "report/text.h"
#include "run/matrix.h"
#include "run/run.h"

const char *assay_version(void)
{
    return ASSAY_VERSION;
}

void assay_free(char *text)
{
    free(text);
}

/* Lets go of the tree. */
static int give(json_t *tree, char **text, struct assay_err *err)
{
    *text = tree ? json_dumps(tree, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    json_decref(tree);
    return *text ? ASSAY_OK : assay_fail(err, ASSAY_EFAIL, "not enough memory for the answer");
}

/* Splits "name=value"; the name goes into `name`. */
static const char *split(const char *pair, char name[64], struct assay_err *err)
{
    const char *equals = pair ? strchr(pair, '=') : NULL;

    if (!equals || equals == pair || equals - pair > 63) {
        assay_fail(err, ASSAY_EUSAGE, "'%.100s' is no name=value", pair ? pair : "");
        return NULL;
    }
    snprintf(name, 64, "%.*s", (int)(equals - pair), pair);
    return equals + 1;
}

/* To be released in any case. */
static int read_settings(const char *const *list, struct settings *s, struct assay_err *err)
{
    char *dir = file_config_dir(), *path = dir ? file_join(dir, "config.yaml") : NULL, name[64];
    const char *value;
    int rc = settings_init(s, err);

    if (!rc && path && file_exists(path))
        rc = settings_read_file(s, path, SETTINGS_USER_FILE, err);
    for (; !rc && list && *list; list++) {
        value = split(*list, name, err);
        rc = value ? settings_set(s, name, value, SETTINGS_CLI, *list, err) : ASSAY_EUSAGE;
    }
    free(path);
    free(dir);
    return rc;
}

int assay_plan(const char *const *settings, char **plan, struct assay_err *err)
{
    struct settings s = {0};
    json_t *tree = NULL;
    int rc = read_settings(settings, &s, err);

    if (!rc)
        rc = run_plan(&s, &tree, err);
    settings_release(&s);
    return rc ? rc : give(tree, plan, err);
}

int assay_run(const char *const *settings, char **record, struct assay_err *err)
{
    char name[] = "libassay", *argv[] = {name, NULL};
    struct settings s = {0};
    json_t *tree = NULL;
    int rc = read_settings(settings, &s, err);

    if (!rc)
        rc = run_job(&s, 1, argv, &tree, err);
    settings_release(&s);
    return rc ? rc : give(tree, record, err);
}

/* NULL: not enough memory. */
static char *store_of(const char *store, struct assay_err *err)
{
    char *path = file_store_at(store);

    if (!path)
        assay_fail(err, ASSAY_EFAIL, "not enough memory");
    return path;
}

int assay_records(const char *store, char **records, struct assay_err *err)
{
    char *path = store_of(store, err);
    json_t *rows = NULL;
    int rc = path ? record_list(path, &rows, err) : ASSAY_EFAIL;

    free(path);
    return rc ? rc
              : give(json_pack("{s:s, s:o}", "schema", "assay.results/1", "results", rows), records,
                     err);
}

int assay_record(const char *store, const char *id, char **record, struct assay_err *err)
{
    char *path = store_of(store, err);
    json_t *tree = NULL;
    int rc = path ? record_find(path, id, NULL, &tree, err) : ASSAY_EFAIL;

    free(path);
    return rc ? rc : give(tree, record, err);
}

static int print(const json_t *tree, const char *form, FILE *out, struct assay_err *err)
{
    const json_t *cells = json_object_get(tree, "cells");

    if (!strcmp(form, "text"))
        return cells ? report_matrix_text(cells, out) : report_text(tree, out);
    if (cells && !strcmp(form, "markdown"))
        return report_matrix_markdown(cells, out);
    if (cells && !strcmp(form, "html"))
        return report_matrix_html(cells, out);
    return assay_fail(err, ASSAY_EUSAGE, "a %s has no form '%.40s'", cells ? "matrix" : "record",
                      form);
}

int assay_render(const char *json, const char *form, char **text, struct assay_err *err)
{
    json_error_t why;
    json_t *tree = json_loads(json, 0, &why);
    char *printed = NULL;
    size_t len = 0;
    FILE *out;
    int rc;

    if (!tree)
        return assay_fail(err, ASSAY_EUSAGE, "what is to be rendered is no JSON: line %d: %s",
                          why.line, why.text);
    out = open_memstream(&printed, &len);
    rc = out ? print(tree, form, out, err) : assay_fail(err, ASSAY_EFAIL, "not enough memory");
    if (out && fclose(out) && !rc)
        rc = assay_fail(err, ASSAY_EFAIL, "not enough memory");
    json_decref(tree);
    if (rc)
        free(printed);
    else
        *text = printed;
    return rc;
}

/* A new reference in *out. */
static int read_axes(const char *const *axes, json_t **out, struct assay_err *err)
{
    static const char known[] = " benchmarks engines devices precisions scenarios modes ";
    char name[64], word[70];
    const char *value;

    *out = json_object();
    for (; axes && *axes; axes++) {
        if (!(value = split(*axes, name, err)))
            return ASSAY_EUSAGE;
        snprintf(word, sizeof(word), " %s ", name);
        if (!strstr(known, word))
            return assay_fail(err, ASSAY_EUSAGE, "'%s' is no axis of a matrix:%s", name, known);
        json_object_set_new(*out, name, list_split(value));
    }
    return ASSAY_OK;
}

int assay_matrix(const char *const *axes, const char *const *settings, bool run, char **matrix,
                 struct assay_err *err)
{
    struct settings s = {0};
    struct matrix_ask ask = {.base = &s};
    json_t *tree = NULL, *cells = NULL, *cell;
    size_t i;
    int rc = read_settings(settings, &s, err);

    if (!rc)
        rc = read_axes(axes, &tree, err);
    ask.axes = tree;
    if (!rc)
        rc = matrix_plan(&ask, &cells, err);
    json_array_foreach(cells, i, cell)
    {
        if (!rc && run && tree_bool(cell, "run", false))
            rc = matrix_run(&ask, cell, err);
    }
    json_decref(tree);
    settings_release(&s);
    if (rc) {
        json_decref(cells);
        return rc;
    }
    return give(json_pack("{s:s, s:o}", "schema", "assay.matrix/1", "cells", cells), matrix, err);
}

int assay_engines(char **engines, struct assay_err *err)
{
    return give(json_pack("{s:o}", "engines", engine_list()), engines, err);
}

int assay_benchmarks(char **benchmarks, struct assay_err *err)
{
    return give(json_pack("{s:o}", "benchmarks", bench_list()), benchmarks, err);
}
