/* assay system: facts about this machine, each with where it comes from. */
#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/tree.h"
#include "engine/host.h"
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

/* The engines that are installed; what each needs and has is `assay engines`. */
static void add_engines(json_t *facts)
{
    char list[1024], *dir = file_prefix_join("lib/assay/engines");
    json_t *names = engine_list();

    cli_join(names, list, sizeof(list));
    json_object_set_new(facts, "engines",
                        json_pack("{s:o, s:s, s:s}", "value",
                                  list[0] ? json_string(list) : json_null(), "from",
                                  list[0] ? "detected" : "unknown", "source", dir ? dir : ""));
    json_decref(names);
    free(dir);
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
        source = json_object_get(sources, f->name);
        detected = json_object_get(source, "detected");
        if (detected)
            cli_warn("%s is declared; detected is '%s'", f->name, json_string_value(detected));
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
    .help = "Facts about this machine as they go into a record: detected, declared by you, or "
            "unknown. Nothing is made up. With --mlperf they are written as the description that a "
            "submission needs; fields that nobody can detect (cooling, status, memory "
            "configuration) are declared under their own names, and those still to be declared are "
            "listed.\n"
            "\n"
            "    assay system\n"
            "    assay system --mlperf --system rack7.yaml >systems/rack7.json",
    .run = cmd_system};
