/* The programs of a step: their arguments, environment and folder, and what they print. */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "base/tree.h"
#include "flow/fill.h"
#include "flow/make_inside.h"
#include "flow/tool.h"
#include "flow/work.h"

#define PATH_THERE "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define MAX_LINE   (1u << 16)
#define TAIL_LINES 20
#define MAX_LOG    ((size_t)64 << 20) /* some print without end */

/* What a program prints: whole lines, without secrets, to the log and to the tail. */
struct said {
    struct text line, tail;
    json_t *secrets; /* texts */
    int log;
    size_t logged;
};

static void without(struct text *t, const char *secret)
{
    struct text out;
    const char *p = t->s, *at;

    if (!*secret || !strstr(p, secret))
        return;
    text_init(&out, t->max + 4096);
    while ((at = strstr(p, secret))) {
        text_addn(&out, p, (size_t)(at - p));
        text_add(&out, "(secret)");
        p = at + strlen(secret);
    }
    text_add(&out, p);
    text_release(t);
    *t = out;
}

/* The tail keeps twice what is shown, then forgets its first half. */
static void add_to_tail(struct said *s, const char *line)
{
    size_t n = strlen(line), limit = 8192;

    if (n > 1000)
        n = 1000;
    if (s->tail.len + n > limit) {
        size_t half = s->tail.len / 2;
        char *rest = strdup(s->tail.s + half);

        text_clear(&s->tail);
        text_add(&s->tail, rest ? rest : "");
        free(rest);
    }
    text_addn(&s->tail, line, n);
}

static void end_line(struct said *s)
{
    const char *p;
    size_t i, left;
    ssize_t n;
    json_t *v;

    json_array_foreach(s->secrets, i, v) without(&s->line, json_string_value(v));
    add_to_tail(s, s->line.s);
    left = s->logged < MAX_LOG ? s->line.len : 0;
    s->logged += left;
    for (p = s->line.s; s->log >= 0 && left; p += n, left -= (size_t)n)
        if ((n = write(s->log, p, left)) <= 0)
            break;
    text_clear(&s->line);
}

static void hear(void *ctx, const char *text, size_t len)
{
    struct said *s = ctx;

    for (size_t i = 0; i < len; i++) {
        text_addn(&s->line, text[i] ? text + i : "?", 1);
        if (text[i] == '\n' || s->line.len >= MAX_LINE)
            end_line(s);
    }
}

/* The last lines, for a person. */
static void last_lines(struct said *s, char out[4096])
{
    const char *p;
    int lines = 0;

    if (s->line.len)
        end_line(s);
    for (p = s->tail.s + s->tail.len; p > s->tail.s; p--) {
        if (p[-1] == '\n' && p != s->tail.s + s->tail.len && ++lines == TAIL_LINES)
            break;
        if ((size_t)(s->tail.s + s->tail.len - p) >= 4000)
            break;
    }
    snprintf(out, 4096, "%s", p);
}

/* Lines of several lines are looked for line by line. */
static json_t *secrets_of(const struct plan_node *n)
{
    json_t *list = json_array(), *v;
    const char *key, *value;

    json_object_foreach(json_object_get(n->body, "inputs"), key, v)
    {
        if (strcmp(tree_text(v, "type", ""), "secret") != 0)
            continue;
        for (value = getenv(tree_text(v, "env", "")); value && *value;) {
            size_t len = strcspn(value, "\n");

            if (len)
                json_array_append_new(list, json_stringn(value, len));
            value += len + (value[len] == '\n');
        }
    }
    return list;
}

/* The environment: what a program needs to be at home, and the recipe's own; nothing of the
 * user's. */
static int make_environment(const struct step *s, const char *out, const char *work, char ***env,
                            struct assay_err *err)
{
    const json_t *own = json_object_get(s->node->body, "env");
    json_t *scope = plan_scope(s->plan, s->node, out, work, true), *all = json_object(), *v;
    size_t n = 0, count;
    const char *key;
    char *text;
    int rc = ASSAY_OK;

    json_object_set_new(all, "PATH", json_string(PATH_THERE));
    json_object_set_new(all, "HOME", json_string(work));
    json_object_set_new(all, "TMPDIR", json_string(work));
    json_object_set_new(all, "LANG", json_string("C.UTF-8"));
    json_object_set_new(all, "TZ", json_string("UTC"));
    json_object_set_new(all, "SOURCE_DATE_EPOCH", json_string("315532800"));
    json_object_foreach((json_t *)(uintptr_t)own, key, v)
    {
        if (!rc && !(rc = fill(json_string_value(v), scope, &text, err))) {
            json_object_set_new(all, key, json_string(text));
            free(text);
        }
    }
    count = json_object_size(all);
    *env = calloc(count + 1, sizeof(**env));
    json_object_foreach(all, key, v) if (*env)(*env)[n++] =
        text_format("%s=%s", key, json_string_value(v) ? json_string_value(v) : "");
    json_decref(all);
    json_decref(scope);
    return !rc && !*env ? assay_fail(err, ASSAY_EFAIL, "not enough memory") : rc;
}

static void free_list(char **list)
{
    for (size_t i = 0; list && list[i]; i++)
        free(list[i]);
    free(list);
}

static char **argv_of(const json_t *texts)
{
    char **argv = calloc(json_array_size(texts) + 1, sizeof(*argv));
    json_t *v;
    size_t i;

    json_array_foreach(texts, i, v) if (argv) argv[i] = strdup(json_string_value(v));
    return argv;
}

static int open_log(struct step *s, int *log, struct assay_err *err)
{
    char name[80], *path = NULL;
    int rc;

    snprintf(name, sizeof(name), "%.64s-%.8s", s->node->recipe->name, s->node->key);
    rc = work_log_open(s->plan->ask.cache, name, &path, log, err);
    snprintf(s->failure.log, sizeof(s->failure.log), "%s", path ? path : "");
    free(path);
    return rc;
}

/* Where a row's program runs, and the file for what it prints: below the folders they belong to. */
static int places_of(const json_t *row, const json_t *scope, const char *out, const char *work,
                     char **dir, char **to, struct assay_err *err)
{
    const char *in = tree_text(row, "in", NULL), *file = tree_text(row, "to", NULL);
    char *filled = NULL;
    int rc = fill(in ? in : "${work}", scope, &filled, err);

    if (rc)
        return rc;
    *dir = filled[0] == '/' ? strdup(filled) : file_join(work, filled);
    *to = file ? file_join(out, file) : NULL;
    free(filled);
    if (!*dir || (file && !*to))
        return assay_fail(err, ASSAY_EFAIL, "not enough memory");
    if (!file_is_dir(*dir) && (rc = file_make_dirs(*dir, err)))
        return rc;
    if (*to) {
        char *slash = strrchr(*to, '/');

        *slash = 0;
        rc = file_make_dirs(*to, err);
        *slash = '/';
    }
    return rc;
}

static int write_file(const json_t *row, const json_t *scope, const char *out,
                      struct assay_err *err)
{
    char *text = NULL, *path = file_join(out, tree_text(row, "write", "")), *slash;
    int rc = fill(tree_text(row, "text", ""), scope, &text, err);

    if (!rc && !path)
        rc = assay_fail(err, ASSAY_EFAIL, "not enough memory");
    if (!rc && path && (slash = strrchr(path, '/'))) {
        *slash = 0;
        rc = file_make_dirs(path, err);
        *slash = '/';
    }
    if (!rc && path)
        rc = file_write_whole(path, text, strlen(text), err);
    free(text);
    free(path);
    return rc;
}

static void log_command(struct said *said, const json_t *argv)
{
    char *text = plan_command_text(argv);

    hear(said, "$ ", 2);
    hear(said, text ? text : "?", text ? strlen(text) : 1);
    hear(said, "\n", 1);
    text_clear(&said->tail);
    free(text);
}

static int run_row(struct step *s, const json_t *row, const json_t *scope, const char *out,
                   const char *work, char **env, struct said *said, struct assay_err *err)
{
    struct tool t = {.env = env, .path = PATH_THERE, .said = hear, .ctx = said, .stop = s->stop};
    json_t *filled = NULL;
    char *dir = NULL, *to = NULL, **argv = NULL;
    int rc = fill_list(json_object_get(row, "run"), scope, &filled, err);

    for (char **e = env; *e; e++)
        if (!strncmp(*e, "PATH=", 5))
            t.path = *e + 5;
    if (!rc)
        rc = places_of(row, scope, out, work, &dir, &to, err);
    if (!rc && !(argv = argv_of(filled)))
        rc = assay_fail(err, ASSAY_EFAIL, "not enough memory");
    if (!rc) {
        log_command(said, filled);
        t.argv = argv;
        t.dir = dir;
        t.to = to;
        rc = tool_run(&t, err);
    }
    free_list(argv);
    json_decref(filled);
    free(dir);
    free(to);
    return rc;
}

/* "tool-1.2: build step 2 of 3: gcc ended with exit code 1" */
static int name_step(const struct step *s, const char *part, size_t i, size_t n, int rc,
                     struct assay_err *err)
{
    struct assay_err own = *err;

    if (rc == ASSAY_ESTOP)
        return rc;
    return assay_fail(err, rc, "%s: %s step %zu of %zu: %.350s", s->node->id, part, i + 1, n,
                      own.text);
}

int step_run_programs(struct step *s, const char *part, const char *out, const char *work,
                      struct assay_err *err)
{
    const json_t *rows = json_object_get(s->node->body, part);
    struct said said = {.log = -1};
    json_t *scope, *row;
    char **env = NULL;
    size_t i;
    int rc;

    if (!json_array_size(rows))
        return ASSAY_OK;
    scope = plan_scope(s->plan, s->node, out, work, false);
    text_init(&said.line, MAX_LINE + 1);
    text_init(&said.tail, 1 << 16);
    said.secrets = secrets_of(s->node);
    rc = open_log(s, &said.log, err);
    if (!rc)
        rc = make_environment(s, out, work, &env, err);
    json_array_foreach(rows, i, row)
    {
        if (rc)
            break;
        if (json_object_get(row, "write"))
            rc = write_file(row, scope, out, err);
        else if (json_object_get(row, "run"))
            rc = run_row(s, row, scope, out, work, env, &said, err);
        if (rc)
            rc = name_step(s, part, i, json_array_size(rows), rc, err);
    }
    if (rc)
        last_lines(&said, s->failure.tail);
    free_list(env);
    if (said.log >= 0)
        close(said.log);
    text_release(&said.line);
    text_release(&said.tail);
    json_decref(said.secrets);
    json_decref(scope);
    return rc;
}
