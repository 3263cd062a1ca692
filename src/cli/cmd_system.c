/* assay system: facts about this machine, each with where it comes from. */
#include "cli/cli.h"

#include <stdlib.h>

#include "base/tree.h"
#include "record/system.h"

/* One row, or for a value with parts one row a part. */
static void add_row(struct cli_table *t, const char *name, const char *from, const json_t *value)
{
    char *text = NULL, full[128];
    const char *key;
    json_t *part;

    if (json_is_object(value)) {
        json_object_foreach((json_t *)(uintptr_t)value, key, part)
        {
            snprintf(full, sizeof(full), "%s.%s", name, key);
            add_row(t, full, from, part);
        }
        return;
    }
    if (value && !json_is_null(value) && !json_is_string(value))
        text = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(12));
    cli_table_row(t, (const char *[]){name, from, text ? text : json_string_value(value)});
    free(text);
}

static void print_facts(const json_t *facts)
{
    static const char *const heading[] = {"FACT", "FROM", "VALUE", NULL};
    struct cli_table t;
    const char *name;
    json_t *fact;

    cli_table_init(&t, heading);
    json_object_foreach((json_t *)(uintptr_t)facts, name, fact)
    {
        add_row(&t, name, tree_text(fact, "from", ""), json_object_get(fact, "value"));
        if (json_object_get(fact, "declared")) /* stands beside what was detected */
            add_row(&t, name, "declared", json_object_get(fact, "declared"));
    }
    cli_table_print(&t, stdout);
}

static int cmd_system(struct cli_input *in)
{
    struct assay_err err;
    json_t *facts = NULL;

    if (system_facts(cli_value(in, "declared"), &facts, &err))
        return cli_fail(&err);
    if (cli_wants_json(in))
        return cli_json(json_pack("{s:o}", "facts", facts), "system");
    print_facts(facts);
    json_decref(facts);
    return EXIT_OK;
}

static const struct cli_option options[] = {
    {"declared", 0, "FILE", NULL, NULL,
     "a YAML file with facts that cannot be detected: `name: value`"},
    {NULL, 0, NULL, NULL, NULL, NULL}};

static const char *const settings[] = {"json", NULL};

const struct cli_command cli_cmd_system = {.name = "system",
                                           .summary = "show what is known about this machine",
                                           .arguments = "",
                                           .options = options,
                                           .settings = settings,
                                           .help =
                                               "Facts about this machine as they go into a record: "
                                               "detected, declared by you, or unknown. Nothing is "
                                               "made up.",
                                           .run = cmd_system};
