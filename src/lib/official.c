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
#include "flow/get.h"
#include "flow/tool.h"
#include "submit/rounds.h"

#define PYTHON     "checker-python@>=3.7"
#define REFUSES    "submission has errors"
#define MAX_LINE   4096
#define LAST_LINES 8
#define MAX_LOG    ((int64_t)1 << 30)

struct official {
    const char *round;
    char request[80], *cache, *tree;
    char *checker, *python; /* files */
    json_t *report;
    bool offline;
};

/* What it prints, to the log and to the lists. */
struct heard {
    const char *tree;
    struct file_whole log;
    struct text line;
    json_t *errors, *last;
    int64_t bytes;
    bool refuses;
    char missing[80]; /* a Python module */
    int rc;
    struct assay_err err;
};

void lib_official_request(const char *round, char out[80])
{
    const struct submit_round *r = submit_round_find(round);

    snprintf(out, 80, "mlperf-inference@==%s", r ? r->checker : submit_rounds[0].checker);
}

/* ---- getting it ---- */

static int take_outputs(struct official *o, const struct plan *p, struct assay_err *err)
{
    const struct plan_node *checker = &p->nodes[p->roots[0]], *python = &p->nodes[p->roots[1]];
    const char *file = tree_text(checker->outputs, "checker", NULL);
    const char *program = tree_text(python->outputs, "program", NULL);

    if (!file || !program)
        return assay_fail(err, ASSAY_EFAIL, "%s: the recipe gives no output '%s'",
                          (file ? python : checker)->recipe->file, file ? "program" : "checker");
    o->checker = strdup(file);
    o->python = strdup(program);
    json_object_set_new(o->report, "checker", json_string(checker->id));
    json_object_set_new(o->report, "python", json_string(program));
    return o->checker && o->python ? ASSAY_OK : assay_fail(err, ASSAY_EFAIL, "not enough memory");
}

static int obtain(struct official *o, const char *progress, struct assay_err *err)
{
    const char *requests[] = {o->request, PYTHON, NULL};
    struct plan_ask ask = {.requests = requests, .cache = o->cache, .offline = o->offline};
    struct make_failure failure = {.repeat = NULL};
    json_t *problems;
    struct plan p;
    int rc = plan_make(&ask, &p, err);

    if (rc)
        return rc;
    problems = plan_problems(&p);
    if (json_array_size(problems))
        rc = assay_fail(err, ASSAY_EFAIL, "%s", json_string_value(json_array_get(problems, 0)));
    else
        rc = get_carry_out(&p, progress, 0, &failure, err);
    if (!rc)
        rc = take_outputs(o, &p, err);
    make_failure_release(&failure);
    json_decref(problems);
    plan_release(&p);
    return rc;
}

/* ---- running it ---- */

static void keep_last(json_t *list, size_t most, const char *line)
{
    if (json_array_size(list) == most)
        json_array_remove(list, 0);
    json_array_append_new(list, json_string(line));
}

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

static void end_line(struct heard *h)
{
    static const char absent[] = "No module named '";
    const char *line = h->line.s, *name = strstr(line, absent);
    bool error = strstr(line, "ERROR") || strstr(line, "Error: ");

    if (!h->line.len)
        return;
    shorten(h->line.s, h->tree);
    h->refuses = h->refuses || strstr(line, REFUSES);
    if (name)
        snprintf(h->missing, sizeof(h->missing), "%.*s",
                 (int)strcspn(name + sizeof(absent) - 1, "'"), name + sizeof(absent) - 1);
    if (error && json_array_size(h->errors) < LIB_OFFICIAL_ERRORS)
        json_array_append_new(h->errors, json_string(line));
    keep_last(h->last, LAST_LINES, line);
    text_clear(&h->line);
}

static void hear(void *ctx, const char *text, size_t len)
{
    struct heard *h = ctx;

    h->bytes += (int64_t)len;
    if (!h->rc && h->bytes <= MAX_LOG)
        h->rc = file_whole_write(&h->log, text, len, &h->err);
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '\n' || h->line.len >= MAX_LINE)
            end_line(h);
        /* Only printable ASCII is shown: names in a tree may be anything. */
        if (text[i] != '\n')
            text_addn(&h->line, text[i] >= ' ' && text[i] < 127 ? text + i : "?", 1);
    }
}

/* Nothing of the user's environment but PATH; the shelf must not get compiled modules. */
static int run_in(struct official *o, const char *work, const char *csv, struct heard *h, int *code,
                  struct assay_err *err)
{
    const char *path = getenv("PATH");
    char *argv[] = {o->python,       o->checker,          (char *)"--input",
                    o->tree,         (char *)"--version", (char *)o->round,
                    (char *)"--csv", (char *)csv,         NULL};
    char *env[] = {text_format("PATH=%s", path ? path : "/usr/bin:/bin"),
                   text_format("TMPDIR=%s", work),
                   (char *)"LC_ALL=C.UTF-8",
                   (char *)"PYTHONDONTWRITEBYTECODE=1",
                   (char *)"PYTHONUNBUFFERED=1",
                   NULL};
    struct tool t = {.argv = argv,
                     .env = env,
                     .path = path ? path : "/usr/bin:/bin",
                     .dir = work,
                     .said = hear,
                     .ctx = h,
                     .exit_code = code};
    int rc = ASSAY_EFAIL;

    if (env[0] && env[1]) {
        t.stop = get_listen(true);
        rc = tool_run(&t, err);
        get_listen(false);
        end_line(h);
    }
    free(env[0]);
    free(env[1]);
    return rc;
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

static int end_log(struct heard *h, struct assay_err *err)
{
    if (!h->rc)
        return file_whole_commit(&h->log, err);
    file_whole_abandon(&h->log);
    *err = h->err;
    return h->rc;
}

static int run_heard(struct official *o, const char *work, const char *csv, struct heard *h,
                     struct assay_err *err)
{
    struct assay_err said = {0};
    int code = -1, how = run_in(o, work, csv, h, &code, &said), rc = end_log(h, err);

    if (rc)
        return rc;
    if (how == ASSAY_ESTOP)
        return assay_fail(err, how, "interrupted");
    judge(o, h, code, &said);
    json_object_set_new(o->report, "log", json_string(h->log.path));
    if (file_exists(csv))
        json_object_set_new(o->report, "csv", json_string(csv));
    json_object_set(o->report, "errors", h->errors);
    json_object_set(o->report, "last", h->last);
    return ASSAY_OK;
}

static int run(struct official *o, const char *work, struct assay_err *err)
{
    char *log = text_format("%s.checker.log", o->tree);
    char *csv = text_format("%s.checker.csv", o->tree);
    struct heard h = {.tree = o->tree, .errors = json_array(), .last = json_array()};
    int rc = log && csv ? ASSAY_OK : assay_fail(err, ASSAY_EFAIL, "not enough memory");

    text_init(&h.line, MAX_LINE + 1);
    if (!rc)
        rc = file_whole_begin(&h.log, log, err);
    if (!rc) {
        unlink(csv); /* of an earlier run */
        rc = run_heard(o, work, csv, &h, err);
    }
    text_release(&h.line);
    json_decref(h.errors);
    json_decref(h.last);
    free(log);
    free(csv);
    return rc;
}

/* In an empty folder of its own, removed afterwards. */
static int run_apart(struct official *o, struct assay_err *err)
{
    char *dir = file_join(o->cache, "work"), *work = NULL;
    int rc = dir ? file_make_dirs(dir, err) : assay_fail(err, ASSAY_EFAIL, "not enough memory");

    if (!rc) {
        work = text_format("%s/checker-XXXXXX", dir);
        if (!work || !mkdtemp(work))
            rc = assay_fail(err, ASSAY_EFAIL, "%s: no folder can be made in it", dir);
        else
            rc = run(o, work, err);
        if (work)
            file_remove_tree(work, NULL);
    }
    free(work);
    free(dir);
    return rc;
}

static void not_run(struct official *o, const struct assay_err *why)
{
    set_verdict(o, "none", why->text);
    json_object_set_new(o->report, "ran", json_false());
    json_object_set_new(o->report, "get", json_sprintf("assay get %s checker-python", o->request));
}

int lib_official(const char *tree, const char *round, const struct settings *s, bool offline,
                 json_t **report, struct assay_err *err)
{
    struct official o = {.round = round, .offline = offline, .report = json_object()};
    struct assay_err why = {.text = "not enough memory"};
    int rc = ASSAY_EFAIL;

    lib_official_request(round, o.request);
    o.cache = s->cache ? file_absolute(s->cache) : file_cache_dir();
    o.tree = file_absolute(tree);
    json_object_set_new(o.report, "round", json_string(round));
    if (o.cache && o.tree)
        rc = obtain(&o, s->progress, &why);
    if (!rc) {
        rc = run_apart(&o, err);
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
    free(o.cache);
    free(o.tree);
    free(o.checker);
    free(o.python);
    return rc;
}
