/* Help on the terminal, from the tables. */
#include "cli/cli.h"

#include <string.h>

#include "base/text.h"

#define OPTION_INDENT 28

void cli_wrap(FILE *out, int at, int indent, const char *text)
{
    bool first = true; /* of its line */

    for (; at < indent; at++)
        fputc(' ', out);
    while (*text) {
        size_t n = strcspn(text, " ");

        if (!first && at + 1 + (int)n > CLI_COLUMNS) {
            fprintf(out, "\n%*s", indent, "");
            at = indent;
            first = true;
        }
        at += fprintf(out, "%s%.*s", first ? "" : " ", (int)n, text);
        first = false;
        text += n;
        text += strspn(text, " ");
    }
    fputc('\n', out);
}

static void heading(FILE *out, const char *text)
{
    bool colour = cli_colour(out);

    fprintf(out, "\n%s%s%s\n", colour ? "\033[1m" : "", text, colour ? "\033[0m" : "");
}

void cli_help_short(FILE *out)
{
    fprintf(out, "Assay measures machine-learning inference the MLPerf way.\n");
    heading(out, "Usage: assay COMMAND [options]");
    for (const struct cli_command *const *c = cli_commands; *c; c++)
        cli_wrap(out, fprintf(out, "  %s", (*c)->name), 16, (*c)->summary);
    heading(out, "First steps");
    fprintf(out,
            "  assay run resnet50          a run of a minute, with synthetic weights and images\n"
            "  assay results show last     its record\n"
            "  assay COMMAND --help        everything about a command\n");
}

static void join(const char *const *words, char *out, size_t size)
{
    json_t *list = cli_strings(words);

    cli_join(list, out, size);
    json_decref(list);
}

void cli_setting_limits(const struct settings_row *row, char *out, size_t size)
{
    if (row->choices)
        join(row->choices, out, size);
    else if (row->min != 0 || row->max != 0)
        snprintf(out, size, "%.16g … %.16g", row->min, row->max);
    else
        snprintf(out, size, "%s", row->allowed ? row->allowed("") : "");
}

void cli_option_help(const struct cli_option *o, char *out, size_t size)
{
    char words[256];

    if (o->choices && !strstr(o->help, o->choices[0])) {
        join(o->choices, words, sizeof(words));
        snprintf(out, size, "%s (%s)", o->help, words);
    } else {
        snprintf(out, size, "%s", o->help);
    }
}

/* "  -l, --lanes N" and its help behind it, or below when it is long. */
static void option_line(FILE *out, char letter, const char *name, const char *argument,
                        const char *help)
{
    int at = letter ? fprintf(out, "  -%c, --%s", letter, name) : fprintf(out, "      --%s", name);

    if (argument)
        at += fprintf(out, " %s", argument);
    if (at > OPTION_INDENT - 2) {
        fputc('\n', out);
        at = 0;
    }
    cli_wrap(out, at, OPTION_INDENT, help);
}

/* Paragraphs are wrapped, indented lines kept. */
static void paragraphs(FILE *out, const char *text)
{
    struct text line;

    text_init(&line, 4096);
    while (text && *text) {
        size_t n = strcspn(text, "\n");

        text_clear(&line);
        text_addn(&line, text, n);
        if (*text == ' ')
            fprintf(out, "%s\n", line.s);
        else
            cli_wrap(out, 0, 0, line.s);
        text += n + (text[n] == '\n');
    }
    text_release(&line);
}

/* The help of a setting with its default, which is not the user's present value. */
static void setting_line(FILE *out, const struct settings_row *row)
{
    struct text help;

    text_init(&help, 2048);
    text_add(&help, row->help);
    if (row->initial && row->type != SETTINGS_BOOL && !strstr(row->help, "default") &&
        !strstr(row->help, "0: "))
        text_addf(&help, " [%s]", row->initial);
    option_line(out, row->letter, row->name, row->argument, help.s);
    text_release(&help);
}

static void usage(FILE *out, const struct cli_command *c)
{
    const char *lead = "Usage:";

    if (c->run) {
        fprintf(out, "Usage: assay %s%s%s [options]\n", c->name, c->arguments[0] ? " " : "",
                c->arguments);
        lead = "      ";
    }
    for (const struct cli_verb *v = c->verbs; v && v->name; v++, lead = "      ")
        fprintf(out, "%s assay %s %s%s%s [options]\n", lead, c->name, v->name,
                v->arguments[0] ? " " : "", v->arguments);
}

void cli_help_command(const struct cli_command *c, FILE *out)
{
    size_t n;
    const struct settings_row *rows = settings_rows(&n);

    usage(out, c);
    fputc('\n', out);
    paragraphs(out, c->help);
    if (c->verbs) {
        heading(out, "What it can do");
        for (const struct cli_verb *v = c->verbs; v->name; v++)
            cli_wrap(out, fprintf(out, "  %s %s", v->name, v->arguments), 18, v->help);
    }
    heading(out, "Options");
    for (const struct cli_option *o = c->options; o && o->name; o++) {
        char help[512];

        cli_option_help(o, help, sizeof(help));
        option_line(out, o->letter, o->name, o->argument, help);
    }
    option_line(out, 'h', "help", NULL, "this text");
    for (int group = 0; group < GROUP_COUNT; group++) {
        bool headed = c->settings != cli_all_settings;

        for (size_t i = 0; i < n; i++) {
            if (rows[i].group != group || !cli_takes_setting(c, rows[i].name))
                continue;
            if (!headed)
                heading(out, settings_group_names[group]);
            headed = true;
            setting_line(out, &rows[i]);
        }
    }
}

static const char *type_name(int type)
{
    static const char *const names[] = {"text",         "yes or no", "whole number",
                                        "whole number", "number",    "choice"};

    return names[type];
}

void cli_help_setting(const struct settings_row *row, const struct settings *now, FILE *out)
{
    char value[1024];

    fprintf(out, "%s: ", row->name);
    cli_wrap(out, (int)strlen(row->name) + 2, 0, row->help);
    fprintf(out, "\n  option     ");
    if (row->letter)
        fprintf(out, "-%c, ", row->letter);
    if (row->type == SETTINGS_BOOL)
        fprintf(out, "--%s, --no-%s\n", row->name, row->name);
    else
        fprintf(out, "--%s %s\n", row->name, row->argument);
    fprintf(out, "  type       %s\n", type_name(row->type));
    cli_setting_limits(row, value, sizeof(value));
    if (value[0])
        fprintf(out, "  %-10s %s\n", row->choices ? "one of" : "limits", value);
    fprintf(out, "  default    %s\n", row->initial ? row->initial : "none");
    if (row->conf_key)
        fprintf(out, "  user.conf  *.*.%s\n", row->conf_key);
    settings_text(now, row, value, sizeof(value));
    fprintf(out, "  now        %s (%s)\n", value[0] ? value : "none",
            settings_origin_name(settings_origin_of(now, row->name)));
}
