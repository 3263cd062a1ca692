/* Plan, process, log: see outside.h. */
#include "lib/outside.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "base/tree.h"
#include "flow/get.h"
#include "flow/tool.h"

#define MAX_LINE 4096
#define MAX_LOG  ((int64_t)1 << 30)
#define MOST_ENV 32

/* ---- getting it ---- */

static int hold(const struct plan *p, struct outside_held *held, struct assay_err *err)
{
    int rc = ASSAY_OK;

    held->of = calloc(p->count, sizeof(*held->of));
    if (!held->of)
        return assay_fail(err, ASSAY_EFAIL, "not enough memory");
    held->count = p->count;
    for (size_t i = 0; !rc && i < p->count; i++)
        if (p->nodes[i].wanted)
            rc = supply_keep(p, &p->nodes[i], &held->of[i], err);
    return rc;
}

void outside_let_go(struct outside_held *held)
{
    for (size_t i = 0; i < held->count; i++)
        supply_let_go(&held->of[i]);
    free(held->of);
    *held = (struct outside_held){NULL, 0};
}

int outside_get(const struct plan_ask *ask, const char *progress, struct plan *p,
                struct outside_held *held, struct assay_err *err)
{
    struct make_failure failure = {.repeat = NULL};
    json_t *problems;
    int rc = plan_make(ask, p, err);

    if (rc)
        return rc;
    problems = plan_problems(p);
    if (json_array_size(problems))
        rc = assay_fail(err, ASSAY_EFAIL, "%s", json_string_value(json_array_get(problems, 0)));
    else
        rc = get_carry_out(p, progress, 0, &failure, err);
    make_failure_release(&failure);
    json_decref(problems);
    if (!rc)
        rc = hold(p, held, err);
    if (rc)
        plan_release(p);
    return rc;
}

int outside_output(const struct plan *p, size_t root, const char *name, char **value,
                   struct assay_err *err)
{
    const struct plan_node *n = &p->nodes[p->roots[root]];
    const char *text = tree_text(n->outputs, name, NULL);

    if (!text)
        return assay_fail(err, ASSAY_EFAIL, "%s: the recipe gives no output '%s'", n->recipe->file,
                          name);
    *value = strdup(text);
    return *value ? ASSAY_OK : assay_fail(err, ASSAY_EFAIL, "not enough memory");
}

/* ---- running it ---- */

/* What it prints, to the log and line by line. */
struct heard {
    struct outside *of;
    struct file_whole log;
    struct text line;
    int64_t bytes;
    int rc;
    struct assay_err err;
};

static void end_line(struct heard *h)
{
    struct outside *o = h->of;

    if (!h->line.len)
        return;
    if (o->line)
        o->line(o->ctx, h->line.s);
    if (json_array_size(o->last) == OUTSIDE_LAST)
        json_array_remove(o->last, 0);
    json_array_append_new(o->last, json_string(h->line.s));
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

/* Nothing of the user's environment but PATH, with the program's folder in front: a Python that
 * runs `python3` means itself.  The shelf must not get compiled modules. */
static int run_in(struct heard *h, struct assay_err *err)
{
    struct outside *o = h->of;
    const char *path = getenv("PATH") ? getenv("PATH") : "/usr/bin:/bin";
    const char *name = strrchr(o->argv[0], '/');
    int folder = name ? (int)(name - o->argv[0]) : 0;
    char *env[MOST_ENV + 1] = {
        text_format("PATH=%.*s%s%s", folder, o->argv[0], folder ? ":" : "", path),
        text_format("TMPDIR=%s", o->dir), (char *)"LC_ALL=C.UTF-8",
        (char *)"PYTHONDONTWRITEBYTECODE=1", (char *)"PYTHONUNBUFFERED=1"};
    struct tool t = {.argv = o->argv,
                     .env = env,
                     .path = path,
                     .dir = o->dir,
                     .said = hear,
                     .ctx = h,
                     .limit_s = o->limit_s,
                     .guarded = true,
                     .exit_code = &o->exit_code};
    int rc = ASSAY_EFAIL;

    for (size_t n = 5, i = 0; o->env && o->env[i] && n < MOST_ENV; i++)
        env[n++] = o->env[i];
    if (env[0] && env[1]) {
        t.stop = get_listen(true);
        rc = tool_run(&t, err);
        get_listen(false);
        end_line(h);
    } else {
        assay_fail(err, rc, "not enough memory");
    }
    free(env[0]);
    free(env[1]);
    return rc;
}

static int end_log(struct heard *h, struct assay_err *err)
{
    if (!h->rc)
        return file_whole_commit(&h->log, err);
    file_whole_abandon(&h->log);
    *err = h->err;
    return h->rc;
}

int outside_run(struct outside *o, struct assay_err *err)
{
    struct heard h = {.of = o};
    int rc, how;

    o->last = json_array();
    o->exit_code = -1;
    memset(&o->how, 0, sizeof(o->how));
    rc = file_whole_begin(&h.log, o->log, err);
    if (rc)
        return rc;
    text_init(&h.line, MAX_LINE + 1);
    how = run_in(&h, &o->how);
    text_release(&h.line);
    rc = end_log(&h, err);
    return !rc && how == ASSAY_ESTOP ? assay_fail(err, how, "interrupted") : rc;
}
