/* assay get: carries out the plan of a request for recipes. */
#include "cli/recipes.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "base/tree.h"
#include "flow/get.h"
#include "run/supply.h"

/* ---- results ---- */

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
    if (cli_wants_json(in))
        return cli_json(get_json(p), "get");
    print_got(p);
    return EXIT_OK;
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
    char line[sizeof(f->tail)];
    const char *p = f->tail;

    if (*p)
        fprintf(stderr, "Its last lines (all: %s):\n", f->log);
    while (*p) {
        size_t n = strcspn(p, "\n");

        snprintf(line, sizeof(line), "%.*s", (int)n, p);
        text_one_line(line); /* nothing in it steers the terminal */
        fprintf(stderr, "  | %s\n", line);
        p += n + (p[n] == '\n');
    }
    if (f->repeat)
        fprintf(stderr, "%s\n", f->repeat);
}

static int carry_out(struct plan *p, const char *progress, int jobs)
{
    struct make_failure failure;
    struct assay_err err;
    int rc = get_carry_out(p, progress, jobs, &failure, &err);

    if (rc) {
        rc = cli_fail(&err);
        explain(&failure);
    }
    make_failure_release(&failure);
    return rc;
}

/* What recipes have no way to, whatever else is said. */
static bool is_lacking(const struct plan *p)
{
    for (size_t i = 0; i < p->count; i++)
        if (p->nodes[i].wanted && p->nodes[i].state == PLAN_LACKING)
            return true;
    return false;
}

/* In the middle of another command: what is refused, and what would get it, if anything does. */
static int refuse_supply(struct plan *p, const json_t *problems)
{
    int rc = refuse(problems);
    bool offline = p->ask.offline;
    json_t *online;
    struct text words;

    if (is_lacking(p)) {
        cli_warn("nothing was run");
        return rc;
    }
    p->ask.offline = false;
    online = plan_problems(p);
    p->ask.offline = offline;
    text_init(&words, 4096);
    /* A plan that was made has them. NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
    for (size_t i = 0; p->ask.requests[i]; i++) {
        text_add(&words, " ");
        text_add_word(&words, p->ask.requests[i]);
    }
    cli_warn("nothing was run: `assay get%s` gets what is wanted, with the same options%s%s",
             words.s ? words.s : "",
             json_array_size(online) < json_array_size(problems) ? ", without --offline" : "",
             json_array_size(online) ? ", when that is settled" : "");
    text_release(&words);
    json_decref(online);
    return rc;
}

static struct {
    struct plan_ask ask;
    const char *haves[CLI_MAX_GIVEN + 1], *accepts[CLI_MAX_GIVEN + 1];
    bool used[CLI_MAX_GIVEN], accepted[CLI_MAX_GIVEN];
} said;

void cli_say(const struct cli_input *in)
{
    cli_values(in, "have", said.haves);
    cli_values(in, "accept", said.accepts);
    said.ask = (struct plan_ask){.haves = said.haves,
                                 .accepts = said.accepts,
                                 .offline = cli_value(in, "offline") != NULL,
                                 .used = said.used,
                                 .accepted = said.accepted};
    supply_say(&said.ask);
}

static int say_unused(const char *option, const char *const *values, const bool *used)
{
    int rc = EXIT_OK;

    for (size_t i = 0; values[i]; i++) {
        if (!used[i]) {
            cli_warn("--%s %s: nothing that would be run wants a recipe that is called so", option,
                     values[i]);
            rc = EXIT_USAGE;
        }
    }
    return rc;
}

int cli_said(void)
{
    int rc = say_unused("have", said.haves, said.used);

    return say_unused("accept", said.accepts, said.accepted) || rc ? EXIT_USAGE : EXIT_OK;
}

/* The plan of what is asked for, in the middle of another command. */
struct asked {
    const char **texts;
    char *cache;
    struct plan plan;
};

static int asked_make(struct asked *a, const struct cli_input *in, const json_t *requests)
{
    const struct settings *s = &in->settings;
    struct plan_ask ask = said.ask;
    struct assay_err err = {.code = ASSAY_EFAIL, .text = "not enough memory"};
    json_t *v;
    size_t i;

    a->texts = calloc(json_array_size(requests) + 1, sizeof(*a->texts));
    ask.cache = a->cache = s->cache ? file_absolute(s->cache) : file_cache_dir();
    ask.requests = a->texts;
    json_array_foreach(requests, i, v) if (a->texts) a->texts[i] = json_string_value(v);
    if (a->cache && a->texts && !plan_make(&ask, &a->plan, &err))
        return EXIT_OK;
    free(a->texts);
    free(a->cache);
    return cli_fail(&err);
}

static void asked_release(struct asked *a)
{
    plan_release(&a->plan);
    free(a->texts);
    free(a->cache);
}

int cli_get(const struct cli_input *in, const json_t *requests, bool only_check)
{
    struct asked a = {0};
    json_t *problems;
    int rc = asked_make(&a, in, requests);

    if (rc)
        return rc;
    problems = plan_problems(&a.plan);
    if (json_array_size(problems))
        rc = refuse_supply(&a.plan, problems);
    else if (!only_check)
        rc = carry_out(&a.plan, in->settings.progress, 0);
    json_decref(problems);
    asked_release(&a);
    return rc;
}

int cli_first(const struct cli_input *in, json_t *plan, const json_t *lock, FILE *out)
{
    const json_t *get = json_object_get(plan, "get");
    struct asked a;
    json_t *tree;
    int rc = cli_said();

    if (rc || !json_array_size(get) || (rc = asked_make(&a, in, get)))
        return rc;
    plan_sizes_from(&a.plan, lock);
    tree = plan_json(&a.plan);
    rc = cli_plan_exit(tree);
    if (cli_wants_json(in))
        json_object_set(plan, "recipes", tree);
    else
        cli_plan_print(tree, "\nWhat would be done first", out);
    json_decref(tree);
    asked_release(&a);
    return rc;
}

int cli_supply(const struct cli_input *in, const json_t *get)
{
    int rc = cli_said();

    return rc || !json_array_size(get) ? rc : cli_get(in, get, false);
}

static int show_plan(struct cli_input *in, const struct plan *p)
{
    json_t *tree = plan_json(p);
    int code = cli_plan_exit(tree), rc;

    if (cli_wants_json(in)) {
        rc = cli_json(tree, "recipe-plan");
        return rc ? rc : code;
    }
    cli_plan_print(tree, "What would be done", stdout);
    json_decref(tree);
    return code;
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
        "    assay get model,bert,onnx,fp32 --dry-run\n"
        "    assay get squad --offline",
    .run = cmd_get};
