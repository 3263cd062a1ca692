/* The library's calls, second part: what makes several runs.  See include/assay/assay.h. */
#include <string.h>

#include "assay/assay.h"
#include "base/list.h"
#include "base/tree.h"
#include "lib/border.h"
#include "lib/compare.h"
#include "lib/official.h"
#include "lib/submit.h"
#include "run/exploring.h"
#include "run/matrix.h"
#include "run/supply.h"
#include "submit/check.h"

/* ---- comparing and repeating ---- */

static int check_repeats(int repeats, struct assay_err *err)
{
    return repeats >= 0 && repeats <= LIB_REPEATS_MAX
               ? ASSAY_OK
               : assay_fail(err, ASSAY_EUSAGE, "repeats: %d is not from 0 to %d", repeats,
                            LIB_REPEATS_MAX);
}

int assay_compare(const char *a, const char *b, const char *const *rules, int repeats,
                  const char *const *settings, char **comparison, struct assay_err *err)
{
    struct settings s = {0};
    json_t *tree = NULL;
    int rc;
    BORDER_ERR(err);

    if (!a || !b || !comparison)
        return border_null("assay_compare", err);
    rc = check_repeats(repeats, err);
    if (!rc)
        rc = border_settings(settings, &s, err);
    if (!rc)
        rc = lib_compare(&(struct lib_compare_ask){a, b, rules, (size_t)repeats},
                         &(struct lib_runner){&s, 1, border_argv}, &tree, err);
    settings_release(&s);
    return rc ? rc : border_give(tree, "compare", comparison, err);
}

int assay_compare_plan(const char *a, const char *b, int repeats, const char *const *settings,
                       char **plan, struct assay_err *err)
{
    struct settings s = {0};
    json_t *tree = NULL;
    int rc;
    BORDER_ERR(err);

    if (!a || !b || !plan)
        return border_null("assay_compare_plan", err);
    rc = check_repeats(repeats, err);
    if (!rc)
        rc = border_settings(settings, &s, err);
    if (!rc)
        rc = lib_compare_plan(&(struct lib_compare_ask){a, b, NULL, (size_t)repeats}, &s, &tree,
                              err);
    settings_release(&s);
    return rc ? rc : border_give(tree, "compare-plan", plan, err);
}

/* Why no run is made, in one line. */
static int refuse(const struct lib_again *again, bool anyway, struct assay_err *err)
{
    const char *id = tree_text(again->original.record, "id", "?"),
               *missing = json_string_value(json_array_get(again->missing, 0)),
               *request = json_string_value(json_array_get(again->get, 0));
    size_t lost = json_array_size(again->missing), n = lib_reproduce_stops(again);

    if (missing)
        return assay_fail(err, ASSAY_EFAIL,
                          lost > 1 ? "record %.20s: %.380s (and %zu more)" : "record %.20s: %.380s",
                          id, missing, lost - 1);
    if (n && !anyway)
        return assay_fail(err, ASSAY_EFAIL,
                          "the set-up of record %.20s is not as it was any more (%zu %s)", id, n,
                          n == 1 ? "thing" : "things");
    return supply_check(request, err);
}

static int reproduce(const char *run, size_t repeats, bool anyway, const struct settings *s,
                     json_t **result, struct assay_err *err)
{
    struct lib_again again;
    int rc = lib_reproduce_look(run, s, &again, err);

    if (!rc && !repeats)
        *result = json_pack("{s:O, s:O, s:O}", "changed", again.changed, "missing", again.missing,
                            "get", again.get);
    else if (!rc && !(rc = refuse(&again, anyway, err)))
        rc = lib_reproduce(&again, repeats, &(struct lib_runner){s, 1, border_argv}, result, err);
    lib_reproduce_release(&again);
    return rc;
}

int assay_reproduce(const char *run, int repeats, bool anyway, const char *const *settings,
                    char **answer, struct assay_err *err)
{
    struct settings s = {0};
    json_t *tree = NULL;
    int rc;
    BORDER_ERR(err);

    if (!run || !answer)
        return border_null("assay_reproduce", err);
    rc = check_repeats(repeats, err);
    if (!rc)
        rc = border_settings(settings, &s, err);
    if (!rc)
        rc = reproduce(run, (size_t)repeats, anyway, &s, &tree, err);
    settings_release(&s);
    return rc ? rc : border_give(tree, "reproduce", answer, err);
}

/* ---- matrix ---- */

/* A new reference in *out. */
static int read_axes(const char *const *axes, json_t **out, struct assay_err *err)
{
    static const char known[] = " benchmarks engines devices precisions scenarios modes ";
    char name[64], word[70];
    const char *value;

    *out = json_object();
    for (; axes && *axes; axes++) {
        if (!(value = border_pair(*axes, name, err)))
            return ASSAY_EUSAGE;
        snprintf(word, sizeof(word), " %s ", name);
        if (!strstr(known, word))
            return assay_fail(err, ASSAY_EUSAGE, "'%s' is no axis of a matrix:%s", name, known);
        json_object_set_new(*out, name, list_split(value));
    }
    return ASSAY_OK;
}

/* What recipes would have to get first is not got here. */
static int fill(const struct matrix_ask *ask, json_t **cells, struct assay_err *err)
{
    json_t *cell;
    size_t i;
    int rc = matrix_plan(ask, cells, err);

    if (!rc && ask->get)
        rc = supply_check(json_string_value(json_array_get(json_object_get(ask->first, "get"), 0)),
                          err);
    json_array_foreach(*cells, i, cell)
    {
        if (!rc && ask->get && tree_bool(cell, "run", false))
            rc = matrix_run(ask, cell, err);
    }
    return rc;
}

static int plan(const struct matrix_ask *ask, json_t **out, struct assay_err *err)
{
    json_t *cells = NULL;
    int rc = matrix_plan(ask, &cells, err);

    if (!rc)
        rc = matrix_dry(ask, cells, out, err);
    json_decref(cells);
    return rc;
}

/* made: fill or plan. */
static int matrix_of(const char *const *axes, const char *const *settings, bool run,
                     int (*made)(const struct matrix_ask *ask, json_t **out, struct assay_err *err),
                     json_t **out, struct assay_err *err)
{
    struct settings s = {0};
    struct matrix_ask ask = {.base = &s, .get = run};
    json_t *tree = NULL;
    int rc = border_settings(settings, &s, err);

    if (!rc)
        rc = read_axes(axes, &tree, err);
    ask.axes = tree;
    ask.first = json_pack("{s:[], s:[]}", "get", "steps");
    if (!rc)
        rc = made(&ask, out, err);
    json_decref(ask.first);
    json_decref(tree);
    settings_release(&s);
    return rc;
}

int assay_matrix(const char *const *axes, const char *const *settings, bool run, char **matrix,
                 struct assay_err *err)
{
    json_t *cells = NULL;
    int rc;
    BORDER_ERR(err);

    if (!matrix)
        return border_null("assay_matrix", err);
    rc = matrix_of(axes, settings, run, fill, &cells, err);
    if (rc) {
        json_decref(cells);
        return rc;
    }
    return border_give(json_pack("{s:o}", "cells", cells), "matrix", matrix, err);
}

int assay_matrix_plan(const char *const *axes, const char *const *settings, char **out,
                      struct assay_err *err)
{
    json_t *tree = NULL;
    int rc;
    BORDER_ERR(err);

    if (!out)
        return border_null("assay_matrix_plan", err);
    rc = matrix_of(axes, settings, true, plan, &tree, err);
    return rc ? rc : border_give(tree, "plan", out, err);
}

int assay_matrix_files(const char *const *files, const char *const *axes, char **matrix,
                       struct assay_err *err)
{
    struct matrix_ask ask = {.base = NULL};
    json_t *tree = NULL, *cells = NULL, *said = NULL;
    int rc;
    BORDER_ERR(err);

    if (!files || !matrix)
        return border_null("assay_matrix_files", err);
    rc = read_axes(axes, &tree, err);
    ask.axes = tree;
    if (!rc)
        rc = matrix_exports(&ask, files, &cells, &said, err);
    json_decref(tree);
    return rc ? rc
              : border_give(json_pack("{s:o, s:o}", "cells", cells, "files", said), "matrix",
                            matrix, err);
}

/* ---- explore ---- */

/* explored: exploring_run or exploring_plan. */
static int explore(const char *const *axes, const struct settings *s,
                   int (*explored)(struct exploring_ask *ask, json_t **out, struct assay_err *err),
                   json_t **out, struct assay_err *err)
{
    struct exploring_ask ask;
    const char *value;
    char name[64];
    int rc = s->benchmark ? ASSAY_OK
                          : assay_fail(err, ASSAY_EUSAGE,
                                       "which benchmark? for example: benchmark=resnet50");

    exploring_ask_init(&ask, s);
    for (; !rc && axes && *axes; axes++) {
        value = border_pair(*axes, name, err);
        rc = value ? exploring_read(&ask, name, value, err) : ASSAY_EUSAGE;
    }
    if (!rc)
        rc = explored(&ask, out, err);
    exploring_ask_release(&ask);
    return rc;
}

int assay_explore(const char *const *axes, const char *const *settings, char **exploration,
                  struct assay_err *err)
{
    struct settings s = {0};
    json_t *points = NULL, *tree = NULL;
    int rc;
    BORDER_ERR(err);

    if (!exploration)
        return border_null("assay_explore", err);
    rc = border_settings(settings, &s, err);
    if (!rc)
        rc = explore(axes, &s, exploring_run, &points, err);
    if (!rc)
        tree = json_pack("{s:O, s:O?}", "points", points, "best", explore_best(points));
    json_decref(points);
    settings_release(&s);
    return rc ? rc : border_give(tree, "explore", exploration, err);
}

int assay_explore_plan(const char *const *axes, const char *const *settings, char **plan,
                       struct assay_err *err)
{
    struct settings s = {0};
    json_t *tree = NULL;
    int rc;
    BORDER_ERR(err);

    if (!plan)
        return border_null("assay_explore_plan", err);
    rc = border_settings(settings, &s, err);
    if (!rc)
        rc = explore(axes, &s, exploring_plan, &tree, err);
    settings_release(&s);
    return rc ? rc : border_give(tree, "explore-plan", plan, err);
}

/* The point itself, or the best one of an exploration; NULL: there is none. */
static const json_t *point_of(const json_t *tree, struct assay_err *err)
{
    const json_t *point = json_object_get(tree, "points") ? json_object_get(tree, "best") : tree;

    if (json_is_null(point))
        assay_fail(err, ASSAY_EUSAGE, "no configuration of this exploration keeps the constraints");
    else if (!*tree_text(point, "model", "") || !*tree_text(point, "engine", ""))
        assay_fail(err, ASSAY_EUSAGE, "a point of an exploration has a model and an engine");
    else
        return point;
    return NULL;
}

int assay_choose(const char *point, const char *const *settings, struct assay_err *err)
{
    struct settings s = {0};
    const json_t *found;
    json_error_t why;
    json_t *tree;
    int rc;
    BORDER_ERR(err);

    if (!point)
        return border_null("assay_choose", err);
    if (!(tree = json_loads(point, 0, &why)))
        return assay_fail(err, ASSAY_EUSAGE, "the point is no JSON: line %d: %s", why.line,
                          why.text);
    rc = border_settings(settings, &s, err);
    if (!rc && !s.benchmark)
        rc = assay_fail(err, ASSAY_EUSAGE, "which benchmark? for example: benchmark=resnet50");
    if (!rc) {
        found = point_of(tree, err);
        rc = found ? exploring_apply(&s, found, err) : ASSAY_EUSAGE;
    }
    json_decref(tree);
    settings_release(&s);
    return rc;
}

/* ---- submission ---- */

struct submission {
    struct lib_submit_ask ask;
    bool offline;
};

static int read_submit_word(struct submission *x, const char *name, const char *value,
                            struct assay_err *err)
{
    struct lib_submit_ask *ask = &x->ask;
    struct submit_request *r = &ask->request;
    const struct {
        const char *name, **at;
    } texts[] = {{"division", &r->division},   {"category", &r->category}, {"round", &r->round},
                 {"submitter", &r->submitter}, {"system", &ask->system},   {"out", &ask->out}};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (!strcmp(texts[i].name, name))
            return *texts[i].at = value, ASSAY_OK;
    if (!strcmp(name, "rehearsal"))
        return border_bool(name, value, &r->rehearsal, err);
    if (!strcmp(name, "offline"))
        return border_bool(name, value, &x->offline, err);
    if (!strcmp(name, "min-duration-ms"))
        return border_int(name, value, 1, 3600000, &r->min_duration_ms, err);
    return assay_fail(err, ASSAY_EUSAGE,
                      "'%.40s' is no part of a submission: division category round submitter "
                      "system out rehearsal min-duration-ms offline",
                      name);
}

static int read_submit_ask(const char *const *words, struct submission *x, struct assay_err *err)
{
    const char *value;
    char name[64];
    int rc = ASSAY_OK;

    for (; !rc && words && *words; words++) {
        value = border_pair(*words, name, err);
        rc = value ? read_submit_word(x, name, value, err) : ASSAY_EUSAGE;
    }
    return rc;
}

int assay_submit(const char *const *runs, const char *const *ask, const char *const *settings,
                 bool dry, char **report, struct assay_err *err)
{
    struct submission x = {.ask = {.runs = runs, .dry = dry}};
    json_t *tree = NULL, *left = NULL, *official = NULL;
    struct settings s = {0};
    int rc;
    BORDER_ERR(err);

    if (!runs || !report)
        return border_null("assay_submit", err);
    rc = border_settings(settings, &s, err);
    if (!rc)
        rc = read_submit_ask(ask, &x, err);
    if (!rc)
        rc = lib_submit(&x.ask, &(struct lib_runner){&s, 1, border_argv}, &tree, &left, err);
    if (!rc && !dry)
        rc = lib_official(x.ask.out ? x.ask.out : LIB_SUBMIT_OUT, x.ask.request.round, &s,
                          x.offline, &official, err);
    if (official)
        json_object_set_new(tree, "official", official);
    json_decref(left);
    settings_release(&s);
    if (rc)
        json_decref(tree);
    return rc ? rc : border_give(tree, dry ? "submit-plan" : "submit", report, err);
}

int assay_check(const char *tree, const char *round, int64_t min_duration_ms, char **report,
                struct assay_err *err)
{
    struct submit_check_ask ask = {round, (double)min_duration_ms};
    json_t *found = NULL;
    int rc;
    BORDER_ERR(err);

    if (!tree || !report)
        return border_null("assay_check", err);
    if (min_duration_ms < 0 || min_duration_ms > 3600000)
        return assay_fail(err, ASSAY_EUSAGE, "min_duration_ms: 0 to 3600000");
    rc = submit_check(tree, &ask, &found, err);
    return rc ? rc : border_give(found, "check", report, err);
}

int assay_check_official(const char *tree, const char *round, bool offline,
                         const char *const *settings, char **report, struct assay_err *err)
{
    struct settings s = {0};
    json_t *found = NULL;
    int rc;
    BORDER_ERR(err);

    if (!tree || !round || !report)
        return border_null("assay_check_official", err);
    rc = border_settings(settings, &s, err);
    if (!rc)
        rc = lib_official(tree, round, &s, offline, &found, err);
    settings_release(&s);
    return rc ? rc : border_give(found, "official", report, err);
}
