/* The programs of a step: their arguments, environment and folder, and what they print. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "base/tree.h"
#include "flow/fill.h"
#include "flow/make_inside.h"
#include "flow/tool.h"
#include "flow/work.h"

#define MAX_LINE   (1u << 16)
#define MAX_HEARD  (1u << 20) /* a line and the longest text that an environment can have */
#define TAIL_LINES 20
#define FULL       65536              /* bytes free where there is no room for anything */
#define MAX_LOG    ((size_t)64 << 20) /* some print without end */

/* What a program prints: lines, without secrets, to the log and to the tail. */
struct said {
    struct text line, tail;
    json_t *secrets; /* texts, the longest first */
    int log;
    size_t logged;
};

/* The length of a secret that stands at p, of which n bytes are there; 0: none does. */
static size_t secret_at(const struct said *s, const char *p, size_t n)
{
    json_t *v;
    size_t i;

    json_array_foreach(s->secrets, i, v)
    {
        size_t len = json_string_length(v);

        if (len <= n && !memcmp(p, json_string_value(v), len))
            return len;
    }
    return 0;
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

static void add_to_log(struct said *s, const char *text, size_t len)
{
    size_t left = s->logged < MAX_LOG ? len : 0;
    ssize_t n;

    s->logged += left;
    for (; s->log >= 0 && left; text += n, left -= (size_t)n)
        if ((n = write(s->log, text, left)) <= 0)
            break;
}

/* All of the line but its last `hold` bytes, in which a secret may begin that ends in what comes
 * next: these stay. */
static void pass_on(struct said *s, size_t hold)
{
    size_t end = s->line.len > hold ? s->line.len - hold : 0, i = 0, n;
    struct text out, rest;

    text_init(&out, (size_t)8 * MAX_HEARD);
    text_init(&rest, s->line.max);
    while (i < end) {
        n = secret_at(s, s->line.s + i, s->line.len - i);
        text_addn(&out, n ? "(secret)" : s->line.s + i, n ? 8 : 1);
        i += n ? n : 1;
    }
    text_addn(&rest, s->line.s + i, s->line.len - i);
    add_to_tail(s, out.s);
    add_to_log(s, out.s, out.len);
    text_release(&out);
    text_release(&s->line);
    s->line = rest;
}

static void hear(void *ctx, const char *text, size_t len)
{
    struct said *s = ctx;
    size_t longest = json_string_length(json_array_get(s->secrets, 0));

    for (size_t i = 0; i < len; i++) {
        text_addn(&s->line, text[i] ? text + i : "?", 1);
        if (text[i] == '\n')
            pass_on(s, 0);
        else if (s->line.len >= MAX_LINE + longest)
            pass_on(s, longest ? longest - 1 : 0);
    }
}

/* The last lines, for a person. */
static void last_lines(struct said *s, char out[4096])
{
    const char *p;
    int lines = 0;

    if (s->line.len)
        pass_on(s, 0);
    for (p = s->tail.s + s->tail.len; p > s->tail.s; p--) {
        if (p[-1] == '\n' && p != s->tail.s + s->tail.len && ++lines == TAIL_LINES)
            break;
        if ((size_t)(s->tail.s + s->tail.len - p) >= 4000)
            break;
    }
    snprintf(out, 4096, "%s", p);
}

static void add_secret(json_t *list, const char *text, size_t len)
{
    size_t at = 0;

    while (at < json_array_size(list) && json_string_length(json_array_get(list, at)) > len)
        at++;
    json_array_insert_new(list, at, json_stringn(text, len));
}

/* Those of several lines are looked for line by line. */
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
                add_secret(list, value, len);
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

    json_object_set_new(all, "PATH", json_string(PLAN_PATH));
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

/* Whether a file has this text in it. */
static bool has_text(const char *path, const char *text, size_t len)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    void *all = MAP_FAILED;
    bool has;

    if (fd >= 0 && !fstat(fd, &st) && st.st_size)
        all = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    has = all != MAP_FAILED && memmem(all, (size_t)st.st_size, text, len);
    if (all != MAP_FAILED)
        munmap(all, (size_t)st.st_size);
    if (fd >= 0)
        close(fd);
    return has;
}

/* What is printed to a file is kept on the shelf, where everybody can read it. */
static int check_printed(const struct plan_node *n, const json_t *row, const char *path,
                         struct assay_err *err)
{
    const char *key, *value;
    size_t len;
    json_t *v;

    json_object_foreach(json_object_get(n->body, "inputs"), key, v)
    {
        value = strcmp(tree_text(v, "type", ""), "secret") ? NULL : getenv(tree_text(v, "env", ""));
        for (len = value ? strlen(value) : 0; len && value[len - 1] == '\n'; len--)
            ;
        if (len && has_text(path, value, len))
            return assay_fail(err, ASSAY_EFAIL,
                              "what it prints to %.100s ('to') has the secret '%.64s' in it, and "
                              "would be kept; let it print less, or leave 'to' out",
                              tree_text(row, "to", ""), key);
    }
    return ASSAY_OK;
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
    struct tool t = {
        .env = env, .path = PLAN_PATH, .said = hear, .ctx = said, .stop = s->stop, .guarded = true};
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
        if (!rc && to)
            rc = check_printed(s->node, row, to, err);
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

static double free_bytes(const char *folder)
{
    struct statvfs v;

    if (statvfs(folder, &v))
        return 1e300;
    return (double)(geteuid() ? v.f_bavail : v.f_bfree) * (double)v.f_frsize;
}

/* A program's own words of a full disk are lost among its others, and name no folder that the user
 * knows.  Some remove what they began: then it is these words that tell. */
static void say_disk(const struct step *s, const char *said, struct assay_err *err)
{
    const char *cache = s->plan->ask.cache;
    double left = free_bytes(cache);
    size_t n = strlen(err->text);

    if (left < FULL)
        snprintf(err->text + n, sizeof(err->text) - n,
                 ": the disk of %.200s is full; make room there and call again", cache);
    else if (strstr(said, strerror(ENOSPC)) || strstr(said, strerror(EDQUOT)))
        snprintf(err->text + n, sizeof(err->text) - n,
                 ": a disk was full, as it says; in %.200s there is room for %.1f MB now", cache,
                 left / 1e6);
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
    text_init(&said.line, MAX_HEARD);
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
    if (rc && rc != ASSAY_ESTOP)
        say_disk(s, s->failure.tail, err);
    free_list(env);
    if (said.log >= 0)
        close(said.log);
    text_release(&said.line);
    text_release(&said.tail);
    json_decref(said.secrets);
    json_decref(scope);
    return rc;
}
