/* assay system: facts about this machine, each with where it comes from. */
#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "base/tree.h"
#include "engine/host.h"
#include "flow/get.h"
#include "flow/tool.h"
#include "record/system.h"
#include "submit/system.h"

/* One row, or for a value with parts one row a part. */
static void add_row(struct cli_table *t, const char *name, const char *from, const json_t *value,
                    const char *source)
{
    char *text = NULL, full[128];
    const char *key;
    json_t *part;

    if (json_is_object(value)) {
        json_object_foreach((json_t *)(uintptr_t)value, key, part)
        {
            snprintf(full, sizeof(full), "%s.%s", name, key);
            add_row(t, full, from, part, source);
        }
        return;
    }
    if (value && !json_is_null(value) && !json_is_string(value))
        text = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(12));
    cli_table_row(t, (const char *[]){name, from, text ? text : json_string_value(value), source});
    free(text);
}

static int print_facts(const json_t *facts)
{
    static const char *const heading[] = {"FACT", "FROM", "VALUE", "SOURCE", NULL};
    struct cli_table t;
    const char *name;
    json_t *fact;

    cli_table_init(&t, heading);
    t.wrap = true;
    json_object_foreach((json_t *)(uintptr_t)facts, name, fact)
    {
        add_row(&t, name, tree_text(fact, "from", ""), json_object_get(fact, "value"),
                tree_text(fact, "source", ""));
        if (json_object_get(fact, "declared")) /* stands beside what was detected */
            add_row(&t, name, "declared", json_object_get(fact, "declared"),
                    tree_text(fact, "declared_source", ""));
    }
    cli_table_print(&t, stdout);
    return EXIT_OK;
}

/* Takes the value; NULL: it is not known.  What the user declared stands beside it, or for it. */
static void add_fact(json_t *facts, const char *name, json_t *value, const char *source)
{
    json_t *declared = json_object_get(facts, name), *fact;

    if (!value && declared)
        return;
    fact = json_pack("{s:o, s:s, s:s}", "value", value ? value : json_null(), "from",
                     value ? "detected" : "unknown", "source", source ? source : "");
    if (declared) {
        json_object_set(fact, "declared", json_object_get(declared, "value"));
        json_object_set(fact, "declared_source", json_object_get(declared, "source"));
    }
    json_object_set_new(facts, name, fact);
}

/* The engines that are installed; what each needs and has is `assay engines`. */
static void add_engines(json_t *facts)
{
    char list[1024], *dir = file_prefix_join("lib/assay/engines");
    json_t *names = engine_list();

    cli_join(names, list, sizeof(list));
    add_fact(facts, "engines", *list ? json_string(list) : NULL, dir);
    json_decref(names);
    free(dir);
}

/* ---- compilers and build tools ----
 *
 * What PATH has says itself what it is: the first line with a version in it is the fact.  Nothing
 * hangs on these programs: one that hangs is ended, and one that says anything else is unknown. */

#define TOOL_LIMIT_S 2
#define TOOL_SAID    (1 << 14)
#define TOOL_LINE    120

static void keep(void *ctx, const char *text, size_t len)
{
    text_addn(ctx, text, len);
}

/* Printable, and somewhere in it digit, point, digit. */
static bool tells_version(const char *line, size_t n)
{
    bool found = false;

    for (size_t i = 0; i < n; i++) {
        if (line[i] < ' ' || line[i] > '~')
            return false;
        if (i && i + 1 < n && line[i] == '.')
            found = found || (line[i - 1] >= '0' && line[i - 1] <= '9' && line[i + 1] >= '0' &&
                              line[i + 1] <= '9');
    }
    return found && n <= TOOL_LINE;
}

static json_t *version_line(const char *text)
{
    size_t n;

    for (; *text; text += n + (text[n] == '\n')) {
        n = strcspn(text, "\n");
        if (tells_version(text, n))
            return json_stringn(text, n);
    }
    return NULL;
}

/* *source: the command, and when it told no version, why; for free(). */
static json_t *ask_tool(const char *file, const volatile int *stop, char **source)
{
    static const char *const handed_on[] = {"PATH", "HOME", "LD_LIBRARY_PATH"};
    char *argv[] = {(char *)(uintptr_t)file, (char *)"--version", NULL};
    char *env[5] = {strdup("LC_ALL=C.UTF-8")};
    struct assay_err err = {.text = "it tells no version"};
    struct text said;
    json_t *value = NULL;
    struct tool t = {.argv = argv,
                     .env = env,
                     .dir = "/",
                     .said = keep,
                     .ctx = &said,
                     .stop = stop,
                     .limit_s = TOOL_LIMIT_S};

    for (size_t i = 0, n = 0; i < 3 && env[n]; i++)
        if (getenv(handed_on[i]))
            env[++n] = text_format("%s=%s", handed_on[i], getenv(handed_on[i]));
    text_init(&said, TOOL_SAID);
    if (!tool_run(&t, &err))
        value = version_line(said.s);
    *source =
        value ? text_format("%s --version", file) : text_format("%s --version: %s", file, err.text);
    text_release(&said);
    for (char **e = env; *e; e++)
        free(*e);
    return value;
}

static int add_tools(json_t *facts, struct assay_err *err)
{
    static const char *const names[] = {"cc", "c++", "gcc", "g++", "clang", "nvcc", "cmake"};
    const char *root = getenv("ASSAY_SYSROOT");
    const volatile int *stop = get_listen(true);

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && !*stop; i++) {
        /* programs of this machine are none of another tree's */
        char *file = root && *root ? NULL : tool_find(names[i], getenv("PATH")), *source = NULL;
        json_t *value = file ? ask_tool(file, stop, &source) : NULL;

        add_fact(facts, names[i], value, file ? source : "PATH");
        free(source);
        free(file);
    }
    get_listen(false);
    return *stop ? assay_fail(err, ASSAY_ESTOP, "interrupted") : ASSAY_OK;
}

/* What a submission wants and nobody has said, on stderr: stdout is the description alone. */
static void say_missing(const json_t *facts, const json_t *sources)
{
    const json_t *source, *detected, *line;
    size_t missing = 0, i;
    json_t *strangers = submit_strangers(facts);

    json_array_foreach(strangers, i, line) cli_warn("%s", json_string_value(line));
    json_decref(strangers);
    for (const struct submit_field *f = submit_fields; f->name; f++) {
        detected = json_object_get(json_object_get(sources, f->name), "detected");
        if (detected)
            cli_warn("%s is declared; detected is '%s'", f->name, json_string_value(detected));
    }
    for (const struct submit_field *f = submit_fields; f->name; f++) {
        source = json_object_get(sources, f->name);
        if (source && f->meaningful && !strcmp(tree_text(source, "from", ""), "unknown"))
            fprintf(stderr, "%s %s", missing++ ? "," : "to be declared in system.yaml:", f->name);
    }
    if (missing)
        fputc('\n', stderr);
}

static int print_mlperf(const json_t *facts)
{
    const struct submit_who who = {0};
    json_t *description = NULL, *sources = NULL;
    struct assay_err err;

    if (submit_describe(facts, &who, &description, &sources, &err))
        return cli_fail(&err);
    json_dumpf(description, stdout, JSON_INDENT(2));
    putchar('\n');
    say_missing(facts, sources);
    json_decref(description);
    json_decref(sources);
    return EXIT_OK;
}

static int cmd_system(struct cli_input *in)
{
    struct assay_err err;
    json_t *facts = NULL;
    int code;

    if (system_facts(cli_value(in, "system"), &facts, &err))
        return cli_fail(&err);
    add_engines(facts);
    if (!cli_value(in, "mlperf") && add_tools(facts, &err)) {
        json_decref(facts);
        return cli_fail(&err);
    }
    if (cli_value(in, "mlperf"))
        code = print_mlperf(facts);
    else if (cli_wants_json(in))
        return cli_json(json_pack("{s:o}", "facts", facts), "system");
    else
        code = print_facts(facts);
    json_decref(facts);
    return code;
}

static const struct cli_option options[] = {
    {"system", 0, "FILE", NULL, NULL,
     "a YAML file with facts that cannot be detected: `name: value`; default: system.yaml in the "
     "configuration folder"},
    {"mlperf", 0, NULL, NULL, NULL, "write MLPerf's description of the system (JSON)"},
    {NULL, 0, NULL, NULL, NULL, NULL}};

static const char *const settings[] = {"json", NULL};

const struct cli_command cli_cmd_system = {
    .name = "system",
    .summary = "show what is known about this machine",
    .arguments = "",
    .options = options,
    .settings = settings,
    .help =
        "Facts about this machine as they go into a record: detected, declared by you, or "
        "unknown. Nothing is made up. The compilers and build tools that PATH has (cc, c++, gcc, "
        "g++, clang, nvcc, cmake) are asked for their version; they are in no record, since no "
        "run needs them. With --mlperf they are written as the description that a "
        "submission needs; fields that nobody can detect (cooling, status, memory "
        "configuration) are declared under their own names, and those still to be declared are "
        "listed.\n"
        "\n"
        "    assay system\n"
        "    assay system --mlperf --system rack7.yaml >systems/rack7.json",
    .run = cmd_system};
