/* assay settings: every setting with its present value, and one explained. */
#include "cli/cli.h"

#include <string.h>

#include "base/text.h"

static json_t *limits_json(const struct settings_row *row, json_t *json)
{
    if (row->min != 0 || row->max != 0) {
        json_object_set_new(json, "min", json_real(row->min));
        json_object_set_new(json, "max", json_real(row->max));
    }
    if (row->choices)
        json_object_set_new(json, "choices", cli_strings(row->choices));
    return json;
}

/* Name, value, origin; default, limits, help. */
static json_t *row_json(const struct settings_row *row, const json_t *values)
{
    const json_t *now = json_object_get(values, row->name);
    json_t *json =
        json_pack("{s:s, s:O*, s:O*, s:s?, s:s, s:s, s:s?}", "name", row->name, "value",
                  json_object_get(now, "value"), "origin", json_object_get(now, "origin"),
                  "default", row->initial, "help", row->help, "group",
                  settings_group_names[row->group], "user_conf", row->conf_key);

    return limits_json(row, json);
}

static void print_all(const struct settings *s)
{
    static const char *const heading[] = {"SETTING", "VALUE", "FROM", "LIMITS", NULL};
    struct cli_table t;
    size_t n;
    const struct settings_row *rows = settings_rows(&n);

    cli_table_init(&t, heading);
    for (size_t i = 0; i < n; i++) {
        char value[256], limits[256];

        settings_text(s, &rows[i], value, sizeof(value));
        cli_setting_limits(&rows[i], limits, sizeof(limits));
        cli_table_row(&t, (const char *[]){
                              rows[i].name, value[0] ? value : "-",
                              settings_origin_name(settings_origin_of(s, rows[i].name)), limits});
    }
    cli_table_print(&t, stdout);
    fprintf(stderr, "`assay settings NAME` explains one.\n");
}

static int one(struct cli_input *in, const char *name)
{
    const struct settings_row *row = settings_find(name);
    const char *near;
    json_t *values, *json;
    size_t n;

    if (!row) {
        row = settings_rows(&n);
        near = text_nearest(name, &row[0].name, n, sizeof(row[0]));
        return cli_usage(in->command, "there is no setting '%s'%s%s%s", name,
                         near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    }
    if (!cli_wants_json(in)) {
        cli_help_setting(row, &in->settings, stdout);
        return EXIT_OK;
    }
    values = settings_to_json(&in->settings);
    json = row_json(row, values);
    json_decref(values);
    return cli_json(json, "setting");
}

static int cmd_settings(struct cli_input *in)
{
    json_t *values, *list;
    size_t n;
    const struct settings_row *rows = settings_rows(&n);

    if (in->count)
        return one(in, in->args[0]);
    if (!cli_wants_json(in)) {
        print_all(&in->settings);
        return EXIT_OK;
    }
    values = settings_to_json(&in->settings);
    list = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, row_json(&rows[i], values));
    json_decref(values);
    return cli_json(json_pack("{s:o}", "settings", list), "settings");
}

static const char *const settings[] = {"json", NULL};

const struct cli_command cli_cmd_settings = {
    .name = "settings",
    .summary = "list all settings, or explain one",
    .arguments = "[SETTING]",
    .settings = settings,
    .help = "Lists every setting with its value and where that comes from: the default, or the "
            "user's file "
            "(~/.config/assay/config.yaml). With a name: what it means, its limits and its "
            "default. Each setting is "
            "an option of `assay run`, and a key in the user's file and in job files.",
    .run = cmd_settings};
