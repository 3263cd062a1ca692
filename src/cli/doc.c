/* The same tables as pages: docs/commands.md and docs/settings.md, and the man page. */
#include "cli/cli.h"

#include <string.h>

#define GENERATED                                                                                  \
    "<!-- Made by `assay help --markdown %s` from the program's tables; a test keeps it so. -->\n"

/* The variables that mean something to every command. */
static const struct {
    const char *name, *meaning;
} environment[] = {
    {"ASSAY_STORE",
     "folder of all records (the setting store stands above it); else ~/.local/share/assay"},
    {"ASSAY_CACHE",
     "folder of downloads, nets and samples (the setting cache stands above it); else "
     "~/.cache/assay"},
    {"ASSAY_CONFIG", "folder of config.yaml, system.yaml, models and recipes; else "
                     "~/.config/assay"},
    {"XDG_DATA_HOME, XDG_CACHE_HOME, XDG_CONFIG_HOME",
     "where the folder assay lies, when none of the above is set"},
    {"ASSAY_ENGINE_PATH, ASSAY_BENCHMARK_PATH",
     "more folders of engines, benchmarks, parted by colons; they come before Assay's own"},
    {"ASSAY_RECIPE_PATH",
     "more folders of recipes, parted by colons; one that has name and version of another is an "
     "error where it is asked for"},
    {"ASSAY_MIRRORS",
     "FROM TO …: addresses of recipes that begin with FROM are tried with TO first; the file "
     "mirrors in the configuration folder adds more"},
    {"NO_COLOR", "when set: no colours"}};

/* A cell of a Markdown table. */
static void cell(FILE *out, const char *text)
{
    fputs("| ", out);
    for (; *text; text++) {
        if (*text == '|')
            fputc('\\', out);
        fputc(*text, out);
    }
    fputc(' ', out);
}

static void option_cell(FILE *out, char letter, const char *name, const char *argument)
{
    fputs("| ", out);
    if (letter)
        fprintf(out, "`-%c`, ", letter);
    fprintf(out, "`--%s", name);
    for (const char *p = argument ? argument : ""; *p; p++) {
        if (p == argument)
            fputc(' ', out);
        if (*p == '|')
            fputc('\\', out); /* also within code, in a table */
        fputc(*p, out);
    }
    fputs("` ", out);
}

static void usage_line(FILE *out, const struct cli_command *c, const struct cli_verb *v)
{
    const char *arguments = v ? v->arguments : c->arguments;

    fprintf(out, "assay %s%s%s%s%s [options]\n", c->name, v ? " " : "", v ? v->name : "",
            arguments[0] ? " " : "", arguments);
}

static void markdown_options(FILE *out, const struct cli_command *c)
{
    size_t n;
    const struct settings_row *rows = settings_rows(&n);

    fprintf(out, "| Option | Meaning |\n|---|---|\n");
    for (const struct cli_option *o = c->options; o && o->name; o++) {
        char help[512];

        cli_option_help(o, help, sizeof(help));
        option_cell(out, o->letter, o->name, o->argument);
        cell(out, help);
        fprintf(out, "|\n");
    }
    for (size_t i = 0; i < n && c->settings != cli_all_settings; i++) {
        if (!cli_takes_setting(c, rows[i].name))
            continue;
        option_cell(out, rows[i].letter, rows[i].name, rows[i].argument);
        cell(out, rows[i].help);
        fprintf(out, "|\n");
    }
    option_cell(out, 'h', "help", NULL);
    fprintf(out, "| help on the terminal |\n");
    if (c->settings == cli_all_settings)
        fprintf(out, "\nEvery [setting](settings.md) is an option too: `--NAME VALUE`; for yes and "
                     "no, `--NAME` and "
                     "`--no-NAME`.\n");
}

void cli_markdown_commands(FILE *out)
{
    fprintf(out, "# Commands\n\n" GENERATED "\n", "commands");
    fprintf(out, "`assay COMMAND --help` shows the same on the terminal. Options may stand "
                 "anywhere behind the "
                 "command: `--name VALUE`, `--name=VALUE`; `--` ends them. stdout carries only the "
                 "result asked "
                 "for; messages and progress go to stderr. With `--json` the result is one JSON "
                 "object with a "
                 "member `schema`; a command that fails without a result prints `assay.error/1`: "
                 "its `exit` code and in `errors` the messages.\n");
    for (const struct cli_command *const *p = cli_commands; *p; p++) {
        const struct cli_command *c = *p;

        fprintf(out, "\n## assay %s\n\n```\n", c->name);
        if (c->run)
            usage_line(out, c, NULL);
        for (const struct cli_verb *v = c->verbs; v && v->name; v++)
            usage_line(out, c, v);
        fprintf(out, "```\n\n%s\n\n", c->help);
        for (const struct cli_verb *v = c->verbs; v && v->name; v++)
            fprintf(out, "- `%s%s%s`: %s\n", v->name, v->arguments[0] ? " " : "", v->arguments,
                    v->help);
        if (c->verbs)
            fputc('\n', out);
        markdown_options(out, c);
    }
    fprintf(out, "\n## Exit codes\n\n| Code | Meaning |\n|---|---|\n");
    for (const struct cli_exit_row *e = cli_exits; e->meaning; e++)
        fprintf(out, "| %d | %s |\n", e->code, e->meaning);
    fprintf(out, "\n## Environment\n\n| Variable | Meaning |\n|---|---|\n");
    for (size_t i = 0; i < sizeof(environment) / sizeof(environment[0]); i++)
        fprintf(out, "| %s | %s |\n", environment[i].name, environment[i].meaning);
}

static void markdown_setting(FILE *out, const struct settings_row *row)
{
    char limits[256];

    option_cell(out, row->letter, row->name, row->argument);
    cell(out, row->initial ? row->initial : "");
    cli_setting_limits(row, limits, sizeof(limits));
    if (limits[0])
        cell(out, limits);
    else
        fprintf(out, "| ");
    cell(out, row->help);
    cell(out, row->conf_key ? row->conf_key : "");
    fprintf(out, "|\n");
}

void cli_markdown_settings(FILE *out)
{
    size_t n;
    const struct settings_row *rows = settings_rows(&n);

    fprintf(out, "# Settings\n\n" GENERATED "\n", "settings");
    fprintf(
        out,
        "A setting has one name everywhere: `--min-duration-ms 1000` on the command line, "
        "`min-duration-ms: 1000` in the user file (`config.yaml` in `~/.config/assay`) and in a "
        "job file "
        "(`assay run --job FILE`). The command line stands above the job file, that above the user "
        "file, "
        "that above what `--tune` found, and that above the defaults. LoadGen's own settings can "
        "also come from its `user.conf` "
        "(`--user-conf`), under the name in the last column. A relative path counts from the "
        "folder in which the command is given, also in a file; `~/` is the home folder. A fault in "
        "the user file stops the commands that need the setting in question, or any where it "
        "cannot "
        "be read; others tell it in one line and go on.\n");
    for (int group = 0; group < GROUP_COUNT; group++) {
        fprintf(out, "\n## %s\n\n", settings_group_names[group]);
        fprintf(out,
                "| Setting | Default | Limits | Meaning | user.conf |\n|---|---|---|---|---|\n");
        for (size_t i = 0; i < n; i++)
            if (rows[i].group == group)
                markdown_setting(out, &rows[i]);
    }
}

/* Text for troff: hyphens are minus signs here, and no line starts a request. */
static void roff(FILE *out, const char *text)
{
    bool start = true;

    for (; *text; text++) {
        if (start && (*text == '.' || *text == '\''))
            fputs("\\&", out);
        start = *text == '\n';
        if (*text == '\\')
            fputs("\\e", out);
        else if (*text == '-')
            fputs("\\-", out);
        else
            fputc(*text, out);
    }
}

static void roff_paragraphs(FILE *out, const char *text)
{
    char line[1024];
    bool kept = false;

    while (*text) {
        size_t n = strcspn(text, "\n");

        snprintf(line, sizeof(line), "%.*s", (int)n, text);
        if ((*line == ' ') != kept)
            fprintf(out, "%s\n", kept ? ".fi" : ".nf");
        kept = *line == ' ';
        if (n)
            roff(out, line);
        fprintf(out, "%s\n", n ? "" : ".PP");
        text += n + (text[n] == '\n');
    }
    if (kept)
        fprintf(out, ".fi\n");
}

static void roff_option(FILE *out, char letter, const char *name, const char *argument,
                        const char *help)
{
    fprintf(out, ".TP\n");
    if (letter)
        fprintf(out, "\\fB\\-%c\\fR, ", letter);
    fprintf(out, "\\fB\\-\\-");
    roff(out, name);
    fprintf(out, "\\fR");
    if (argument) {
        fprintf(out, " \\fI");
        roff(out, argument);
        fprintf(out, "\\fR");
    }
    fputc('\n', out);
    roff(out, help);
    fputc('\n', out);
}

static void man_command(FILE *out, const struct cli_command *c)
{
    size_t n;
    const struct settings_row *rows = settings_rows(&n);

    fprintf(out, ".SS assay %s\n.nf\n", c->name);
    if (c->run)
        usage_line(out, c, NULL);
    for (const struct cli_verb *v = c->verbs; v && v->name; v++)
        usage_line(out, c, v);
    fprintf(out, ".fi\n.PP\n");
    roff_paragraphs(out, c->help);
    for (const struct cli_verb *v = c->verbs; v && v->name; v++) {
        fprintf(out, ".TP\n\\fB%s\\fR \\fI%s\\fR\n", v->name, v->arguments);
        roff(out, v->help);
        fputc('\n', out);
    }
    for (const struct cli_option *o = c->options; o && o->name; o++) {
        char help[512];

        cli_option_help(o, help, sizeof(help));
        roff_option(out, o->letter, o->name, o->argument, help);
    }
    for (size_t i = 0; i < n && c->settings != cli_all_settings; i++)
        if (cli_takes_setting(c, rows[i].name))
            roff_option(out, rows[i].letter, rows[i].name, rows[i].argument, rows[i].help);
    if (c->settings == cli_all_settings)
        fprintf(out, ".PP\nEvery setting (see SETTINGS) is an option too.\n");
}

void cli_man(FILE *out)
{
    size_t n;
    const struct settings_row *rows = settings_rows(&n);

    fprintf(out, ".TH ASSAY 1 \"\" \"Assay " ASSAY_VERSION "\" \"User Commands\"\n"
                 ".SH NAME\nassay \\- measure machine\\-learning inference the MLPerf way\n"
                 ".SH SYNOPSIS\n\\fBassay\\fR \\fICOMMAND\\fR [\\fIoptions\\fR]\n.SH COMMANDS\n");
    for (const struct cli_command *const *c = cli_commands; *c; c++)
        man_command(out, *c);
    fprintf(out, ".SH SETTINGS\n");
    for (int group = 0; group < GROUP_COUNT; group++) {
        fprintf(out, ".SS %s\n", settings_group_names[group]);
        for (size_t i = 0; i < n; i++)
            if (rows[i].group == group)
                roff_option(out, rows[i].letter, rows[i].name, rows[i].argument, rows[i].help);
    }
    fprintf(out, ".SH EXIT STATUS\n");
    for (const struct cli_exit_row *e = cli_exits; e->meaning; e++)
        fprintf(out, ".TP\n%d\n%s\n", e->code, e->meaning);
    fprintf(out, ".SH FILES\n.TP\n~/.config/assay/config.yaml\nThe user's settings.\n"
                 ".SH ENVIRONMENT\n");
    for (size_t i = 0; i < sizeof(environment) / sizeof(environment[0]); i++)
        fprintf(out, ".TP\n%s\n%s.\n", environment[i].name, environment[i].meaning);
}
