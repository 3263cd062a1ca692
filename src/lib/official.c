/* The last step of a submission: the official checker; see official.h.
 *
 *   round -> recipes (the checker, a Python that has what it imports) -> process -> verdict
 *
 * Its verdict is its exit code: 0 accepts, 1 with its line "submission has errors" refuses.  A
 * Python program that breaks ends with 1 too, so without that line 1 is no verdict. */
#include "lib/official.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "base/tree.h"
#include "flow/work.h"
#include "lib/outside.h"
#include "run/supply.h"
#include "submit/rounds.h"

#define PYTHON  "checker-python@>=3.7"
#define REFUSES "submission has errors"
#define CSV     "%s.checker.csv"

struct official {
    const char *round;
    char request[80], *cache, *tree;
    char *checker, *python; /* files */
    struct outside_held held;
    json_t *report;
    bool offline;
};

/* What its lines say. */
struct heard {
    const char *tree;
    json_t *errors;
    bool refuses;
    char missing[80]; /* a Python module */
};

void lib_official_request(const char *round, char out[80])
{
    const struct submit_round *r = submit_round_find(round);

    snprintf(out, 80, "mlperf-inference@==%s", r ? r->checker : submit_rounds[0].checker);
}

/* ---- getting it ---- */

static int take_outputs(struct official *o, const struct plan *p, struct assay_err *err)
{
    int rc = outside_output(p, 0, "checker", &o->checker, err);

    if (!rc)
        rc = outside_output(p, 1, "program", &o->python, err);
    if (rc)
        return rc;
    json_object_set_new(o->report, "checker", json_string(p->nodes[p->roots[0]].id));
    json_object_set_new(o->report, "python", json_string(o->python));
    return ASSAY_OK;
}

static void ask_of(const struct official *o, const char *requests[3], struct plan_ask *ask)
{
    requests[0] = o->request;
    requests[1] = PYTHON;
    requests[2] = NULL;
    *ask = *supply_said(); /* --have is for the checker's recipes too */
    ask->requests = requests;
    ask->cache = o->cache;
    ask->offline = o->offline;
}

static int obtain(struct official *o, const char *progress, struct assay_err *err)
{
    const char *requests[3];
    struct plan_ask ask;
    struct plan p;
    int rc;

    ask_of(o, requests, &ask);
    if ((rc = outside_get(&ask, progress, &p, &o->held, err)))
        return rc;
    rc = take_outputs(o, &p, err);
    plan_release(&p);
    return rc;
}

/* ---- running it ---- */

/* Paths begin at the tree, whose name everybody knows here. */
static void shorten(char *line, const char *tree)
{
    size_t n = strlen(tree);
    char *p = line;

    while ((p = strstr(p, tree)))
        if (p[n] == '/')
            memmove(p, p + n + 1, strlen(p + n + 1) + 1);
        else
            p += n;
}

static void hear_line(void *ctx, char *line)
{
    static const char absent[] = "No module named '";
    struct heard *h = ctx;
    const char *name;

    shorten(line, h->tree);
    name = strstr(line, absent);
    h->refuses = h->refuses || strstr(line, REFUSES);
    if (name)
        snprintf(h->missing, sizeof(h->missing), "%.*s",
                 (int)strcspn(name + sizeof(absent) - 1, "'"), name + sizeof(absent) - 1);
    if ((strstr(line, "ERROR") || strstr(line, "Error: ")) &&
        json_array_size(h->errors) < LIB_OFFICIAL_ERRORS)
        json_array_append_new(h->errors, json_string(line));
}

static void set_verdict(struct official *o, const char *verdict, const char *why)
{
    json_object_set_new(o->report, "verdict", json_string(verdict));
    if (why)
        json_object_set_new(o->report, "why", json_string(why));
}

/* code -1: it was killed, or never began. */
static void judge(struct official *o, const struct heard *h, int code, const struct assay_err *err)
{
    char why[600];

    json_object_set_new(o->report, "ran", json_true());
    json_object_set_new(o->report, "exit_code", code < 0 ? json_null() : json_integer(code));
    if (!code) {
        set_verdict(o, "accepted", NULL);
    } else if (code == 1 && h->refuses) {
        set_verdict(o, "rejected", NULL);
    } else if (*h->missing) {
        snprintf(why, sizeof(why),
                 "it wants the Python module '%s', which %s has not: install it there (python3 -m "
                 "pip install, or the system's package)",
                 h->missing, o->python);
        set_verdict(o, "none", why);
    } else {
        snprintf(why, sizeof(why), "it ended without a verdict: %s", err->text);
        set_verdict(o, "none", why);
    }
}

static void fill_argv(const struct official *o, const char *csv, char *argv[9])
{
    const char *const words[] = {o->python, o->checker, "--input", o->tree, "--version",
                                 o->round,  "--csv",    csv,       NULL};

    for (size_t i = 0; i < 9; i++)
        argv[i] = (char *)(uintptr_t)words[i];
}

static int run_in(struct official *o, const char *work, const char *log, const char *csv,
                  struct assay_err *err)
{
    char *argv[9];
    struct heard h = {.tree = o->tree, .errors = json_array()};
    struct outside out = {.argv = argv, .dir = work, .log = log, .line = hear_line, .ctx = &h};
    int rc;

    fill_argv(o, csv, argv);
    unlink(csv); /* of an earlier run */
    rc = outside_run(&out, err);
    if (!rc) {
        judge(o, &h, out.exit_code, &out.how);
        json_object_set_new(o->report, "log", json_string(log));
        if (file_exists(csv))
            json_object_set_new(o->report, "csv", json_string(csv));
        json_object_set(o->report, "errors", h.errors);
        json_object_set(o->report, "last", out.last);
    }
    json_decref(h.errors);
    json_decref(out.last);
    return rc;
}

/* In an empty folder of its own, removed afterwards. */
static int run(struct official *o, struct assay_err *err)
{
    char *log = text_format("%s.checker.log", o->tree);
    char *csv = text_format(CSV, o->tree);
    struct work work = {NULL, -1};
    int rc = log && csv ? work_begin(o->cache, "checker", &work, err)
                        : assay_fail(err, ASSAY_EFAIL, "not enough memory");

    if (!rc)
        rc = run_in(o, work.dir, log, csv, err);
    work_end(&work, false);
    free(log);
    free(csv);
    return rc;
}

static void not_run(struct official *o, const struct assay_err *why)
{
    set_verdict(o, "none", why->text);
    json_object_set_new(o->report, "ran", json_false());
    json_object_set_new(o->report, "get", json_sprintf("assay get %s checker-python", o->request));
}

static int begin(struct official *o, const char *tree, const struct settings *s,
                 struct assay_err *err)
{
    lib_official_request(o->round, o->request);
    o->cache = s->cache ? file_absolute(s->cache) : file_cache_dir();
    o->tree = file_absolute(tree);
    json_object_set_new(o->report, "round", json_string(o->round));
    return o->cache && o->tree ? ASSAY_OK : assay_fail(err, ASSAY_EFAIL, "not enough memory");
}

static void end(struct official *o)
{
    outside_let_go(&o->held);
    free(o->cache);
    free(o->tree);
    free(o->checker);
    free(o->python);
}

int lib_official(const char *tree, const char *round, const struct settings *s, bool offline,
                 json_t **report, struct assay_err *err)
{
    struct official o = {.round = round, .offline = offline, .report = json_object()};
    struct assay_err why;
    int rc = begin(&o, tree, s, &why);

    if (!rc)
        rc = obtain(&o, s->progress, &why);
    if (!rc) {
        rc = run(&o, err);
    } else if (rc == ASSAY_ESTOP) {
        assay_fail(err, rc, "%s", why.text);
    } else {
        not_run(&o, &why);
        rc = ASSAY_OK;
    }
    if (rc)
        json_decref(o.report);
    else
        *report = o.report;
    end(&o);
    return rc;
}

/* The recipes' plan, and the command with the files that they will give. */
static int plan_with(struct official *o, json_t **plan, struct assay_err *err)
{
    char *csv = text_format(CSV, o->tree), *argv[9];
    const char *requests[3];
    struct plan_ask ask;
    struct plan p;
    json_t *command, *problems = NULL;
    int rc = csv ? ASSAY_OK : assay_fail(err, ASSAY_EFAIL, "not enough memory");

    ask_of(o, requests, &ask);
    if (!rc && !(rc = plan_make(&ask, &p, err))) {
        rc = take_outputs(o, &p, err);
        problems = plan_problems(&p);
        plan_release(&p);
    }
    if (!rc) {
        fill_argv(o, csv, argv);
        command = json_array();
        for (char **word = argv; *word; word++)
            json_array_append_new(command, json_string(*word));
        *plan = json_pack("{s:s, s:[s, s], s:O, s:o}", "round", o->round, "get", requests[0],
                          requests[1], "problems", problems, "command", command);
    }
    json_decref(problems);
    free(csv);
    return rc;
}

int lib_official_plan(const char *tree, const char *round, const struct settings *s, bool offline,
                      json_t **plan, struct assay_err *err)
{
    struct official o = {.round = round, .offline = offline, .report = json_object()};
    int rc = begin(&o, tree, s, err);

    if (!rc)
        rc = plan_with(&o, plan, err);
    json_decref(o.report);
    end(&o);
    return rc;
}
