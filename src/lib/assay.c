/* The library's calls, first part: runs, records, what is here.  The same rooms as the command
 * line's, with texts at the border.  See include/assay/assay.h. */
#include "assay/assay.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/tree.h"
#include "data/bench_host.h"
#include "engine/host.h"
#include "lib/border.h"
#include "record/export.h"
#include "record/record.h"
#include "record/several.h"
#include "report/compare.h"
#include "report/explore.h"
#include "report/matrix.h"
#include "report/pages.h"
#include "report/text.h"
#include "run/run.h"
#include "submit/logs.h"

const char *assay_version(void)
{
    return ASSAY_VERSION;
}

void assay_free(char *text)
{
    free(text);
}

/* ---- runs ---- */

int assay_plan(const char *const *settings, char **plan, struct assay_err *err)
{
    struct settings s = {0};
    json_t *tree = NULL;
    int rc;
    BORDER_ERR(err);

    if (!plan)
        return border_null("assay_plan", err);
    rc = border_settings(settings, &s, err);
    if (!rc)
        rc = run_plan(&s, &tree, err);
    settings_release(&s);
    return rc ? rc : border_give(tree, "plan", plan, err);
}

int assay_run(const char *const *settings, char **record, struct assay_err *err)
{
    struct settings s = {0};
    json_t *tree = NULL;
    int rc;
    BORDER_ERR(err);

    if (!record)
        return border_null("assay_run", err);
    rc = border_settings(settings, &s, err);
    if (!rc)
        rc = run_job(&s, 1, border_argv, &tree, err);
    settings_release(&s);
    return rc ? rc : border_give(tree, "record", record, err);
}

/* ---- records ---- */

int assay_records(const char *store, char **records, struct assay_err *err)
{
    json_t *rows = NULL;
    char *path;
    int rc;
    BORDER_ERR(err);

    if (!records)
        return border_null("assay_records", err);
    path = border_store(store, err);
    rc = path ? record_list(path, &rows, err) : ASSAY_EFAIL;
    free(path);
    return rc ? rc : border_give(json_pack("{s:o}", "results", rows), "results", records, err);
}

int assay_record(const char *store, const char *id, char **record, struct assay_err *err)
{
    json_t *tree = NULL;
    char *path;
    int rc;
    BORDER_ERR(err);

    if (!id || !record)
        return border_null("assay_record", err);
    path = border_store(store, err);
    rc = path ? record_find(path, id, NULL, &tree, err) : ASSAY_EFAIL;
    free(path);
    return rc ? rc : border_give(tree, "record", record, err);
}

/* What the tree is shows in its members. */
static int print_text(const json_t *tree, FILE *out)
{
    const json_t *cells = json_object_get(tree, "cells"), *points = json_object_get(tree, "points");

    return cells                                             ? report_matrix_text(cells, out)
           : points                                          ? report_explore(points, out)
           : json_is_array(json_object_get(tree, "figures")) ? compare_text(tree, out)
                                                             : report_text(tree, out);
}

static int print(const json_t *tree, const char *form, FILE *out, struct assay_err *err)
{
    const json_t *cells = json_object_get(tree, "cells"), *points = json_object_get(tree, "points");
    int rc;

    if (!strcmp(form, "text"))
        rc = print_text(tree, out);
    else if (cells && !strcmp(form, "markdown"))
        rc = report_matrix_markdown(cells, out);
    else if (cells && !strcmp(form, "html"))
        rc = report_matrix_html(cells, out);
    else if (points && !strcmp(form, "html"))
        return report_explore_html(points, json_object_get(tree, "best"), NULL, out, err);
    else
        return assay_fail(err, ASSAY_EUSAGE, "a %s has no form '%.40s'",
                          cells    ? "matrix"
                          : points ? "exploration"
                                   : "record",
                          form);
    return rc ? assay_fail(err, rc, "not enough memory for the text") : ASSAY_OK;
}

int assay_render(const char *json, const char *form, char **text, struct assay_err *err)
{
    json_error_t why;
    json_t *tree;
    char *printed = NULL;
    size_t len = 0;
    FILE *out;
    int rc;
    BORDER_ERR(err);

    if (!json || !form || !text)
        return border_null("assay_render", err);
    tree = json_loads(json, 0, &why);
    if (!tree)
        return assay_fail(err, ASSAY_EUSAGE, "what is to be rendered is no JSON: line %d: %s",
                          why.line, why.text);
    out = open_memstream(&printed, &len);
    rc = out ? print(tree, form, out, err) : ASSAY_OK;
    json_decref(tree);
    return border_give_memory(out, &printed, rc, text, err);
}

static int read_several(const char *store, const char *const *runs, json_t **records,
                        struct assay_err *err)
{
    char *path = border_store(store, err);
    int rc = path ? record_several(path, runs, records, NULL, err) : ASSAY_EFAIL;

    free(path);
    return rc;
}

int assay_report(const char *store, const char *const *runs, const char *form, char **page,
                 struct assay_err *err)
{
    const struct report_form *f = report_forms;
    json_t *records = NULL;
    size_t len;
    char *text;
    int rc;
    BORDER_ERR(err);

    if (!form || !page)
        return border_null("assay_report", err);
    while (f->name && strcmp(f->name, form))
        f++;
    if (!f->name)
        return assay_fail(err, ASSAY_EUSAGE,
                          "a report has no form '%.40s': it is html, markdown or csv", form);
    if ((rc = read_several(store, runs, &records, err)))
        return rc;
    rc = report_page(f, records, &text, &len, err);
    json_decref(records);
    if (!rc)
        *page = text;
    return rc;
}

int assay_export(const char *store, const char *const *runs, bool latencies, char **exported,
                 struct assay_err *err)
{
    json_t *records = NULL, *tree = NULL;
    char *text = NULL;
    int rc;
    BORDER_ERR(err);

    if (!exported)
        return border_null("assay_export", err);
    rc = read_several(store, runs, &records, err);
    if (!rc)
        rc = export_make(records, latencies, &tree, err);
    if (!rc && !(text = tree_dump(tree, 17))) /* every bit counts: it has hashes */
        rc = assay_fail(err, ASSAY_EFAIL, "not enough memory for the export");
    if (!rc)
        *exported = text;
    json_decref(tree);
    json_decref(records);
    return rc;
}

int assay_import(const char *store, const char *file, char **result, struct assay_err *err)
{
    json_t *taken = NULL;
    char *path;
    int rc;
    BORDER_ERR(err);

    if (!file || !result)
        return border_null("assay_import", err);
    path = border_store(store, err);
    rc = path ? export_take_file(path, file, false, &taken, err) : ASSAY_EFAIL;
    free(path);
    if (rc) {
        json_decref(taken);
        return rc;
    }
    return border_give(json_pack("{s:[o]}", "files", taken), "import", result, err);
}

int assay_import_logs(const char *store, const char *folder, const char *const *ask, char **result,
                      struct assay_err *err)
{
    static const char *const names[] = {"benchmark", "round", "engine", "model", "system"};
    struct submit_logs_ask a = {0};
    const char **values[] = {&a.benchmark, &a.round, &a.engine, &a.model, &a.system}, *value;
    json_t *taken = NULL;
    char name[64], *path;
    size_t k;
    int rc;
    BORDER_ERR(err);

    if (!folder || !result)
        return border_null("assay_import_logs", err);
    for (; ask && *ask; ask++) {
        if (!(value = border_pair(*ask, name, err)))
            return err->code;
        for (k = 0; k < 5 && strcmp(names[k], name); k++)
            ;
        if (k == 5)
            return assay_fail(err, ASSAY_EUSAGE,
                              "'%s' is none of benchmark, round, engine, model, system", name);
        *values[k] = value;
    }
    path = border_store(store, err);
    rc = path ? submit_take_logs(path, folder, &a, &taken, err) : ASSAY_EFAIL;
    free(path);
    if (rc) {
        json_decref(taken);
        return rc;
    }
    return border_give(taken, "results-import", result, err);
}

int assay_write(const char *path, const char *text, struct assay_err *err)
{
    BORDER_ERR(err);

    if (!path || !text)
        return border_null("assay_write", err);
    return file_write_whole(path, text, strlen(text), err);
}

/* ---- what is here ---- */

int assay_engines(char **engines, struct assay_err *err)
{
    BORDER_ERR(err);

    return engines ? border_give(json_pack("{s:o}", "engines", engine_list()), NULL, engines, err)
                   : border_null("assay_engines", err);
}

int assay_benchmarks(char **benchmarks, struct assay_err *err)
{
    BORDER_ERR(err);

    return benchmarks
               ? border_give(json_pack("{s:o}", "benchmarks", bench_list()), NULL, benchmarks, err)
               : border_null("assay_benchmarks", err);
}
