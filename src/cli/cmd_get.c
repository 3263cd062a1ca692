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

/* In the middle of another command. */
static int refuse_supply(const json_t *problems, const char *const *requests)
{
    struct text words;
    int rc = refuse(problems);

    text_init(&words, 4096);
    for (; *requests; requests++) {
        text_add(&words, " ");
        text_add_word(&words, *requests);
    }
    cli_warn("nothing was run: `assay get%s` gets what is wanted, with the same options",
             words.s ? words.s : "");
    text_release(&words);
    return rc;
}

static int get_what(struct plan *p, const char *const *requests, enum cli_get_what what,
                    const struct settings *s)
{
    json_t *problems = plan_problems(p), *tree;
    int rc = EXIT_OK;

    if (what == CLI_GET_SHOW) {
        tree = plan_json(p);
        cli_plan_print(tree, stdout);
        rc = cli_plan_exit(tree);
        json_decref(tree);
    } else if (json_array_size(problems)) {
        rc = refuse_supply(problems, requests);
    } else if (what == CLI_GET_DO) {
        rc = carry_out(p, s->progress, 0);
    }
    json_decref(problems);
    return rc;
}

static struct {
    struct plan_ask ask;
    const char *haves[CLI_MAX_GIVEN + 1], *accepts[CLI_MAX_GIVEN + 1];
    bool used[CLI_MAX_GIVEN];
} said;

void cli_say(const struct cli_input *in)
{
    cli_values(in, "have", said.haves);
    cli_values(in, "accept", said.accepts);
    said.ask = (struct plan_ask){.haves = said.haves,
                                 .accepts = said.accepts,
                                 .offline = cli_value(in, "offline") != NULL,
                                 .used = said.used};
    supply_say(&said.ask);
}

int cli_said(void)
{
    int rc = EXIT_OK;

    for (size_t i = 0; said.haves[i]; i++) {
        if (!said.used[i]) {
            cli_warn("--have %s: nothing that would be run wants a recipe that is called so",
                     said.haves[i]);
            rc = EXIT_USAGE;
        }
    }
    return rc;
}

int cli_get(const struct cli_input *in, const json_t *requests, enum cli_get_what what)
{
    const struct settings *s = &in->settings;
    const char **texts = calloc(json_array_size(requests) + 1, sizeof(*texts));
    char *cache = s->cache ? file_absolute(s->cache) : file_cache_dir();
    struct plan_ask ask = said.ask;
    struct assay_err err = {.code = ASSAY_EFAIL, .text = "not enough memory"};
    struct plan plan;
    json_t *v;
    size_t i;
    int rc;

    ask.requests = texts;
    ask.cache = cache;
    json_array_foreach(requests, i, v) if (texts) texts[i] = json_string_value(v);
    if (!cache || !texts || plan_make(&ask, &plan, &err)) {
        rc = cli_fail(&err);
    } else {
        rc = get_what(&plan, texts, what, s);
        plan_release(&plan);
    }
    free(cache);
    free(texts);
    return rc;
}

int cli_supply(const struct cli_input *in, const json_t *get)
{
    int rc = cli_said();

    return rc || !json_array_size(get) ? rc : cli_get(in, get, CLI_GET_DO);
}

static int show_plan(struct cli_input *in, const struct plan *p)
{
    json_t *tree = plan_json(p);
    int code = cli_plan_exit(tree), rc;

    if (cli_wants_json(in)) {
        rc = cli_json(tree, "recipe-plan");
        return rc ? rc : code;
    }
    cli_plan_print(tree, stdout);
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
        "    assay get model,bert,onnx --dry-run\n"
        "    assay get squad --offline",
    .run = cmd_get};
