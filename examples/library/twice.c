/* Is this machine quiet enough to measure on?  Runs a benchmark twice, compares the runs, and
 * writes a page about both.
 *
 *     twice BENCHMARK PAGE.html [SETTING=VALUE …]
 *
 * Exit code 0: the two agree; 2: they do not, or it cannot be told; 1: something could not be
 * done. */
#include <assay/assay.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failed(const struct assay_err *err)
{
    fprintf(stderr, "twice: %s\n", err->text);
    return 1;
}

/* One run; its id. */
static int run(const char *const *settings, char id[32])
{
    struct assay_err err;
    json_t *record;
    char *text;

    if (assay_run(settings, &text, &err))
        return failed(&err);
    record = json_loads(text, 0, NULL);
    snprintf(id, 32, "%s", json_string_value(json_object_get(record, "id")));
    json_decref(record);
    assay_free(text);
    return 0;
}

/* Prints the comparison as people read it; 2 unless the runs are the same within noise. */
static int compare(const char *a, const char *b)
{
    char *json, *text;
    struct assay_err err;
    json_t *tree;
    int same;

    if (assay_compare(a, b, NULL, 0, NULL, &json, &err))
        return failed(&err);
    if (assay_render(json, "text", &text, &err)) {
        assay_free(json);
        return failed(&err);
    }
    fputs(text, stdout);
    tree = json_loads(json, 0, NULL);
    same = !strcmp(json_string_value(json_object_get(tree, "verdict")), "same within noise");
    json_decref(tree);
    assay_free(text);
    assay_free(json);
    return same ? 0 : 2;
}

static int write_page(const char *a, const char *b, const char *path)
{
    const char *const both[] = {a, b, NULL};
    struct assay_err err;
    char *page;
    int rc;

    if (assay_report(NULL, both, "html", &page, &err))
        return failed(&err);
    rc = assay_write(path, page, &err);
    assay_free(page);
    return rc ? failed(&err) : 0;
}

int main(int argc, char **argv)
{
    const char **settings = calloc((size_t)argc + 2, sizeof(*settings));
    char benchmark[256], id[2][32];
    int rc, code;

    if (argc < 3 || !settings) {
        fprintf(stderr, "usage: twice BENCHMARK PAGE.html [SETTING=VALUE ...]\n");
        free(settings);
        return 1;
    }
    snprintf(benchmark, sizeof(benchmark), "benchmark=%s", argv[1]);
    settings[0] = benchmark;
    settings[1] = "progress=none";
    for (int i = 3; i < argc; i++)
        settings[i - 1] = argv[i];
    rc = run(settings, id[0]) || run(settings, id[1]);
    free(settings);
    if (rc)
        return 1;
    code = compare(id[0], id[1]);
    if (code == 1 || write_page(id[0], id[1], argv[2]))
        return 1;
    printf("\nBoth runs: %s\n", argv[2]);
    return code;
}
