/* assay get: carries out the plan of a request for recipes. */
#include "cli/recipes.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/tree.h"
#include "flow/make.h"
#include "run/progress.h"

#define EVERY_NS       1000000000
#define EVERY_PLAIN_NS 10000000000

static volatile int stop;

static void on_signal(int number)
{
    (void)number;
    stop = 1;
}

/* ---- progress ---- */

enum style { STYLE_NONE, STYLE_LINE, STYLE_PLAIN, STYLE_JSON };

struct shown {
    enum style style;
    int64_t last_ns;
    bool open; /* an unfinished line is on the terminal */
};

static enum style style_of(const char *how)
{
    if (!strcmp(how, "none"))
        return STYLE_NONE;
    if (!strcmp(how, "json"))
        return STYLE_JSON;
    return strcmp(how, "plain") != 0 && isatty(STDERR_FILENO) ? STYLE_LINE : STYLE_PLAIN;
}

static void status_text(const struct make_progress *p, char out[160])
{
    char bytes[32], all[32];
    int n = snprintf(out, 160, "%zu of %zu done", p->done, p->total);

    cli_bytes((double)p->bytes, bytes);
    cli_bytes((double)p->all_bytes, all);
    if (p->all_bytes > 0)
        n += snprintf(out + n, 160 - (size_t)n, "  %s of %s", bytes, all);
    else if (p->bytes)
        n += snprintf(out + n, 160 - (size_t)n, "  %s", bytes);
    if (n < 79)
        snprintf(out + n, (size_t)(80 - n), "  %s", p->running);
}

static void show_json(const struct make_progress *p)
{
    json_t *line = json_pack(
        "{s:s, s:I, s:I, s:I, s:I, s:s, s:s*, s:s*}", "schema", "assay.get-progress/1", "done",
        (json_int_t)p->done, "total", (json_int_t)p->total, "bytes", (json_int_t)p->bytes,
        "all_bytes", (json_int_t)p->all_bytes, "running", p->running, "id", p->id, "what", p->what);

    json_dumpf(line, stderr, JSON_COMPACT);
    fputc('\n', stderr);
    json_decref(line);
}

static void show(void *ctx, const struct make_progress *p)
{
    struct shown *s = ctx;
    int64_t now = clock_ns(), every = s->style == STYLE_PLAIN ? EVERY_PLAIN_NS : EVERY_NS;
    char text[160];

    if (s->style == STYLE_NONE || (!p->id && now - s->last_ns < every))
        return;
    status_text(p, text);
    if (s->style == STYLE_LINE)
        progress_fit(text);
    if (s->style == STYLE_JSON)
        show_json(p);
    else if (s->style == STYLE_LINE)
        fprintf(stderr, "\r\033[K%s", text);
    else if (p->id)
        fprintf(stderr, "%s: %s\n", p->id, p->what);
    else if (s->last_ns)
        fprintf(stderr, "%s\n", text);
    s->open = s->style == STYLE_LINE;
    s->last_ns = now;
    fflush(stderr);
}

/* ---- results ---- */

static json_t *got_json(const struct plan *p, size_t root)
{
    const struct plan_node *n = &p->nodes[p->roots[root]];

    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:O}", "request", p->ask.requests[root],
                     "recipe", n->recipe->name, "version", n->version, "state",
                     plan_state_names[n->state], "key", n->key, "path", n->root, "outputs",
                     n->outputs);
}

/* One thing asked for that gives one thing is its path alone, for $(assay get …). */
static void print_got(const struct plan *p)
{
    for (size_t i = 0; i < p->root_count; i++) {
        const struct plan_node *n = &p->nodes[p->roots[i]];
        size_t named = json_object_size(n->outputs) - 2; /* beside root and version */
        const char *key;
        json_t *v;

        if (!named) {
            printf("%s%s%s\n", p->root_count > 1 ? n->recipe->name : "",
                   p->root_count > 1 ? "\t" : "", n->root);
            continue;
        }
        json_object_foreach(n->outputs, key, v)
        {
            if (!strcmp(key, "root") || !strcmp(key, "version"))
                continue;
            if (p->root_count > 1 || named > 1)
                printf("%s.%s\t", n->recipe->name, key);
            printf("%s\n", json_string_value(v));
        }
    }
}

static int give(struct cli_input *in, const struct plan *p)
{
    json_t *got = json_array();

    if (!cli_wants_json(in)) {
        json_decref(got);
        print_got(p);
        return EXIT_OK;
    }
    for (size_t i = 0; i < p->root_count; i++)
        json_array_append_new(got, got_json(p, i));
    return cli_json(json_pack("{s:o}", "got", got), "get");
}

/* ---- failures ---- */

static int refuse(const json_t *problems)
{
    json_t *v;
    size_t i;

    json_array_foreach(problems, i, v) cli_warn("%s", json_string_value(v));
    return EXIT_COULD_NOT;
}

static void explain(const struct make_failure *f)
{
    const char *p = f->tail;

    if (*p)
        fprintf(stderr, "Its last lines (all: %s):\n", f->log);
    while (*p) {
        size_t n = strcspn(p, "\n");

        fprintf(stderr, "  | %.*s\n", (int)n, p);
        p += n + (p[n] == '\n');
    }
    if (f->repeat)
        fprintf(stderr, "To repeat just this step: %s\n", f->repeat);
}

const volatile int *cli_listen(bool begin)
{
    static struct sigaction old[4];
    const struct sigaction act = {.sa_handler = on_signal}, usual = {.sa_handler = SIG_DFL};
    const int signals[4] = {SIGINT, SIGTERM, SIGHUP, SIGCHLD};

    /* Where a parent ignored SIGCHLD, no program's end would be told. */
    for (int i = 0; i < 4; i++)
        sigaction(signals[i],
                  !begin                  ? &old[i]
                  : signals[i] == SIGCHLD ? &usual
                                          : &act,
                  begin ? &old[i] : NULL);
    return &stop;
}

int cli_make(struct plan *p, const char *progress, int jobs, struct make_failure *failure,
             struct assay_err *err)
{
    struct shown shown = {style_of(progress), 0, false};
    struct make_options o = {.jobs = jobs, .stop = &stop, .show = show, .ctx = &shown};
    int rc;

    cli_listen(true);
    rc = make_plan(p, &o, failure, err);
    cli_listen(false);
    if (shown.open)
        fprintf(stderr, "\r\033[K");
    return rc;
}

static int carry_out(struct plan *p, const char *progress, int jobs)
{
    struct make_failure failure;
    struct assay_err err;
    int rc = cli_make(p, progress, jobs, &failure, &err);

    if (rc) {
        rc = cli_fail(&err);
        explain(&failure);
    }
    make_failure_release(&failure);
    return rc;
}

int cli_get(const char *request, const struct settings *s, bool offline)
{
    const char *requests[] = {request, NULL};
    char *cache = s->cache ? file_absolute(s->cache) : file_cache_dir();
    struct plan_ask ask = {.requests = requests, .cache = cache, .offline = offline};
    struct assay_err err = {.code = ASSAY_EFAIL, .text = "not enough memory"};
    json_t *problems;
    struct plan plan;
    int rc;

    if (!cache || plan_make(&ask, &plan, &err)) {
        free(cache);
        return cli_fail(&err);
    }
    problems = plan_problems(&plan);
    rc = json_array_size(problems) ? refuse(problems) : carry_out(&plan, s->progress, 0);
    json_decref(problems);
    plan_release(&plan);
    free(cache);
    return rc;
}

static int show_plan(struct cli_input *in, const struct plan *p)
{
    json_t *tree = plan_json(p);

    if (cli_wants_json(in))
        return cli_json(tree, "recipe-plan");
    cli_plan_print(tree, stdout);
    json_decref(tree);
    return EXIT_OK;
}

static int cmd_get(struct cli_input *in)
{
    struct cli_ask a;
    struct assay_err err;
    struct plan plan;
    json_t *problems;
    int64_t jobs = 0;
    int rc = cli_value_int(in, "jobs", 1, 64, &jobs);

    if (rc)
        return rc;
    if (cli_ask_init(&a, in, &err) || plan_make(&a.ask, &plan, &err)) {
        cli_ask_release(&a);
        return cli_fail(&err);
    }
    problems = plan_problems(&plan);
    if (in->settings.dry_run)
        rc = show_plan(in, &plan);
    else if (json_array_size(problems))
        rc = refuse(problems);
    else if (!(rc = carry_out(&plan, in->settings.progress, (int)jobs)))
        rc = give(in, &plan);
    json_decref(problems);
    plan_release(&plan);
    cli_ask_release(&a);
    return rc;
}

static const struct cli_option options[] = {
    CLI_ASK_OPTIONS,
    {"jobs", 'j', "N", NULL, NULL, "steps that are done at once; default: 4"},
    {NULL, 0, NULL, NULL, NULL, NULL}};
static const char *const settings[] = {"cache", "progress", "json", "dry-run", NULL};

const struct cli_command cli_cmd_get = {
    .name = "get",
    .summary = "get something by its recipe: find, fetch, build, convert",
    .arguments = "RECIPE...",
    .options = options,
    .settings = settings,
    .help =
        "Makes the plan of `assay plan`, carries it out, and prints where the result is. What is "
        "there already is not done again, and nothing is ever half there: a download that was "
        "cut off goes on where it was.\n"
        "\n"
        "What nobody may fetch for you (a licence of its own) is named, with how to get it; "
        "--have then points to it.\n"
        "\n"
        "    assay get bert-onnx\n"
        "    assay get imagenet --have imagenet=/data/imagenet\n"
        "    assay get model,bert,onnx --dry-run\n"
        "    assay get squad --offline",
    .run = cmd_get};
