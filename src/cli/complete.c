/* Completion for bash, zsh and fish: one script a shell, made from the tables.  Words that can only
 * be known when the user presses Tab (names of models, engines, runs …) are asked of `assay help
 * --words KIND`.
 *
 * The scripts look at the words where they stand most often: command, verb, arguments, options
 * anywhere. */
#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>

/* An option as the shells need it. */
struct shown {
    const char *name;
    char letter;
    const char *argument; /* NULL: a flag */
    const char *const *choices;
    const char *kind; /* NULL: free text */
    const char *help;
    bool can_no;
};

static bool is_kind(const char *word)
{
    for (const char *const *k = cli_word_kinds; *k; k++)
        if (!strcmp(*k, word))
            return true;
    return !strcmp(word, "FILE") || !strcmp(word, "DIR");
}

const char *cli_setting_kind(const struct settings_row *row)
{
    static const char *const names[][2] = {
        {"benchmark", "BENCHMARK"}, {"model", "MODEL"}, {"engine", "ENGINE"}};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (!strcmp(row->name, names[i][0]))
            return names[i][1];
    return row->argument && is_kind(row->argument) ? row->argument : NULL;
}

/* All options of a command, malloc'ed; ends with one without name.  NULL: no memory. */
static struct shown *shown_options(const struct cli_command *c)
{
    size_t rows, n = 0;
    const struct settings_row *row = settings_rows(&rows);
    struct shown *all = calloc(rows + CLI_MAX_OPTIONS + 2, sizeof(*all));

    if (!all)
        return NULL;
    for (const struct cli_option *o = c->options; o && o->name; o++)
        all[n++] = (struct shown){o->name,
                                  o->letter,
                                  o->argument,
                                  o->choices,
                                  o->argument && is_kind(o->argument) ? o->argument : NULL,
                                  o->help,
                                  false};
    for (size_t i = 0; i < rows; i++) {
        if (!cli_takes_setting(c, row[i].name))
            continue;
        all[n++] = (struct shown){row[i].name,
                                  row[i].letter,
                                  row[i].type == SETTINGS_BOOL ? NULL : row[i].argument,
                                  row[i].choices,
                                  cli_setting_kind(&row[i]),
                                  row[i].help,
                                  row[i].type == SETTINGS_BOOL};
    }
    all[n] = (struct shown){"help", 'h', NULL, NULL, NULL, "help on the terminal", false};
    return all;
}

/* The kind of the first argument of "NET [RUN]", "DIR|URL" that is one; NULL: none. */
static const char *argument_kind(const char *arguments, char kind[32])
{
    size_t n;

    arguments += *arguments == '[';
    n = strcspn(arguments, " ].|");
    if (!n || n >= 32)
        return NULL;
    memcpy(kind, arguments, n);
    kind[n] = 0;
    return is_kind(kind) ? kind : NULL;
}

/* For 'single quotes'; `special` characters get a backslash. */
static void quoted(FILE *out, const char *text, const char *special, bool fish)
{
    for (; *text; text++) {
        if (*text == '\'')
            fputs(fish ? "\\'" : "'\\''", out);
        else if (strchr(special, *text))
            fprintf(out, "\\%c", *text);
        else
            fputc(*text, out);
    }
}

static void choice_words(FILE *out, const char *const *choices)
{
    for (size_t i = 0; choices[i]; i++)
        fprintf(out, "%s%s", i ? " " : "", choices[i]);
}

static void verb_words(FILE *out, const struct cli_command *c)
{
    for (const struct cli_verb *v = c->verbs; v && v->name; v++)
        fprintf(out, "%s%s", v == c->verbs ? "" : " ", v->name);
}

/* ---- bash ---- */

static void bash_kind(FILE *out, const char *kind)
{
    if (!kind)
        fputs(":", out);
    else if (!strcmp(kind, "DIR") || !strcmp(kind, "FILE"))
        fprintf(out, "_assay_files %s", *kind == 'D' ? "-d" : "-f");
    else
        fprintf(out, "_assay_give \"$(assay help --words %s 2>/dev/null)\"", kind);
}

static void bash_command(FILE *out, const struct cli_command *c, const struct shown *options)
{
    char kind[32];

    fprintf(out, "    %s)\n        case $prev in\n", c->name);
    for (const struct shown *o = options; o->name; o++) {
        if (!o->argument)
            continue;
        fprintf(out, "        --%s", o->name);
        if (o->letter)
            fprintf(out, "|-%c", o->letter);
        fputs(") ", out);
        if (o->choices) {
            fputs("_assay_give '", out);
            choice_words(out, o->choices);
            fputs("'", out);
        } else {
            bash_kind(out, o->kind);
        }
        fputs("; return ;;\n", out);
    }
    fputs("        esac\n        if [[ $cur == -* ]]; then\n            _assay_give '", out);
    for (const struct shown *o = options; o->name; o++)
        fprintf(out, "%s--%s%s%s", o == options ? "" : " ", o->name, o->can_no ? " --no-" : "",
                o->can_no ? o->name : "");
    fputs("'\n            return\n        fi\n        case ${COMP_WORDS[2]} in\n", out);
    for (const struct cli_verb *v = c->verbs; v && v->name; v++) {
        fprintf(out, "        %s) ((COMP_CWORD > 2)) && { ", v->name);
        bash_kind(out, argument_kind(v->arguments, kind));
        fputs("; return; } ;;\n", out);
    }
    fputs("        esac\n        ", out);
    bash_kind(out, argument_kind(c->arguments, kind));
    if (c->verbs) {
        fputs("\n        ((COMP_CWORD == 2)) && _assay_give '", out);
        verb_words(out, c);
        fputs("'", out);
    }
    fputs("\n        ;;\n", out);
}

static void bash_head(FILE *out)
{
    fputs("# Completion of assay for bash; made by `assay help --completion bash`.\n"
          "_assay_give() {\n"
          "    COMPREPLY+=($(compgen -W \"$1\" -- \"$cur\"))\n"
          "}\n"
          "_assay_files() {\n"
          "    local IFS=$'\\n'\n"
          "    compopt -o filenames 2>/dev/null\n"
          "    COMPREPLY+=($(compgen \"$1\" -- \"$cur\"))\n"
          "}\n"
          "_assay() {\n"
          "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
          "    COMPREPLY=()\n"
          "    if ((COMP_CWORD == 1)); then\n"
          "        _assay_give '",
          out);
    for (const struct cli_command *const *c = cli_commands; *c; c++)
        fprintf(out, "%s ", (*c)->name);
    fputs("--help --version'\n        return\n    fi\n"
          "    # Readline takes --name=value apart at the '='.\n"
          "    if [[ $cur == = ]]; then cur=; fi\n"
          "    if [[ $prev == = ]]; then prev=${COMP_WORDS[COMP_CWORD-2]}; fi\n"
          "    case ${COMP_WORDS[1]} in\n",
          out);
}

static void bash_tail(FILE *out)
{
    fputs("    esac\n}\ncomplete -F _assay assay\n", out);
}

/* ---- zsh ---- */

static void zsh_kind(FILE *out, const char *kind)
{
    if (!kind)
        fputs(" ", out);
    else if (!strcmp(kind, "DIR") || !strcmp(kind, "FILE"))
        fprintf(out, "_files%s", *kind == 'D' ? " -/" : "");
    else
        fprintf(out, " _assay_words %s", kind); /* the space: it takes no options of compadd */
}

static void zsh_option(FILE *out, const struct shown *o)
{
    fputs(" \\\n            '", out);
    fprintf(out, "--%s%s[", o->name, o->argument ? "=" : "");
    quoted(out, o->help, "[]\\", false);
    fputs("]", out);
    if (o->argument) {
        fprintf(out, ":%s:", o->argument);
        if (o->choices) {
            fputs("(", out);
            choice_words(out, o->choices);
            fputs(")", out);
        } else {
            zsh_kind(out, o->kind);
        }
    }
    fputs("'", out);
    if (o->can_no)
        fprintf(out, " \\\n            '--no-%s[not --%s]'", o->name, o->name);
}

static void zsh_command(FILE *out, const struct cli_command *c, const struct shown *options)
{
    char kind[32];

    fprintf(out, "    %s)\n        _assay_rest() {\n            case $words[2] in\n", c->name);
    for (const struct cli_verb *v = c->verbs; v && v->name; v++) {
        fprintf(out, "            %s) ((CURRENT > 2)) && { ", v->name);
        zsh_kind(out, argument_kind(v->arguments, kind));
        fputs("; return } ;;\n", out);
    }
    fputs("            esac\n            ", out);
    if (c->verbs) {
        fputs("((CURRENT == 2)) && compadd -- ", out);
        verb_words(out, c);
        fputs("\n            ", out);
    }
    zsh_kind(out, argument_kind(c->arguments, kind));
    fputs("\n        }\n        _arguments", out);
    for (const struct shown *o = options; o->name; o++)
        zsh_option(out, o);
    fputs(" \\\n            '*: : _assay_rest'\n        ;;\n", out);
}

static void zsh_head(FILE *out)
{
    fputs("#compdef assay\n"
          "# Completion of assay for zsh; made by `assay help --completion zsh`.\n"
          "_assay_words() {\n"
          "    compadd -- ${(f)\"$(assay help --words $1 2>/dev/null)\"}\n"
          "}\n"
          "_assay() {\n"
          "    local -a commands=(\n",
          out);
    for (const struct cli_command *const *c = cli_commands; *c; c++) {
        fprintf(out, "        '%s:", (*c)->name);
        quoted(out, (*c)->summary, ":\\", false);
        fputs("'\n", out);
    }
    fputs("    )\n"
          "    if ((CURRENT == 2)); then\n"
          "        _describe command commands\n"
          "        return\n"
          "    fi\n"
          "    shift words\n"
          "    ((CURRENT--))\n"
          "    case $words[1] in\n",
          out);
}

static void zsh_tail(FILE *out)
{
    fputs("    esac\n}\n"
          "if [[ $funcstack[1] == _assay ]]; then _assay \"$@\"; else compdef _assay assay; fi\n",
          out);
}

/* ---- fish ---- */

static void fish_kind(FILE *out, const char *kind)
{
    if (kind && !strcmp(kind, "FILE"))
        fputs(" -F", out);
    else if (kind && !strcmp(kind, "DIR"))
        fputs(" -f -a '(__fish_complete_directories)'", out);
    else if (kind)
        fprintf(out, " -f -a '(assay help --words %s 2>/dev/null)'", kind);
}

static void fish_option(FILE *out, const struct cli_command *c, const struct shown *o)
{
    fprintf(out, "complete -c assay -n '__assay_in %s' -l %s", c->name, o->name);
    if (o->letter)
        fprintf(out, " -s %c", o->letter);
    if (o->argument)
        fputs(" -r", out);
    if (o->choices) {
        fputs(" -f -a '", out);
        choice_words(out, o->choices);
        fputs("'", out);
    } else if (o->argument) {
        fish_kind(out, o->kind);
    }
    fputs(" -d '", out);
    quoted(out, o->help, "\\", true);
    fputs("'\n", out);
    if (o->can_no)
        fprintf(out, "complete -c assay -n '__assay_in %s' -l no-%s -d 'not --%s'\n", c->name,
                o->name, o->name);
}

static void fish_command(FILE *out, const struct cli_command *c, const struct shown *options)
{
    char text[32];
    const char *kind;

    for (const struct shown *o = options; o->name; o++)
        fish_option(out, c, o);
    for (const struct cli_verb *v = c->verbs; v && v->name; v++) {
        fprintf(out, "complete -c assay -n '__assay_at %s' -a %s -d '", c->name, v->name);
        quoted(out, v->help, "\\", true);
        fputs("'\n", out);
        if ((kind = argument_kind(v->arguments, text))) {
            fprintf(out, "complete -c assay -n '__assay_in %s %s'", c->name, v->name);
            fish_kind(out, kind);
            fputc('\n', out);
        }
    }
    if ((kind = argument_kind(c->arguments, text))) {
        fprintf(out, "complete -c assay -n '__assay_at %s'", c->name);
        fish_kind(out, kind);
        fputc('\n', out);
    }
}

static void fish_head(FILE *out)
{
    fputs("# Completion of assay for fish; made by `assay help --completion fish`.\n"
          "function __assay_in # COMMAND [VERB]: the words typed begin so\n"
          "    set -l w (commandline -opc)\n"
          "    test (count $w) -gt (count $argv); and test \"$w[2..\"(math (count $argv) + 1)\"]\" "
          "= \"$argv\"\n"
          "end\n"
          "function __assay_at # COMMAND: nothing but that was typed\n"
          "    set -l w (commandline -opc)\n"
          "    test (count $w) -eq 2; and test \"$w[2]\" = $argv[1]\n"
          "end\n"
          "complete -c assay -f\n",
          out);
    for (const struct cli_command *const *c = cli_commands; *c; c++) {
        fprintf(out, "complete -c assay -n '__fish_use_subcommand' -a %s -d '", (*c)->name);
        quoted(out, (*c)->summary, "\\", true);
        fputs("'\n", out);
    }
}

void cli_completion(const char *shell, FILE *out)
{
    static const struct {
        const char *name;
        void (*head)(FILE *);
        void (*command)(FILE *, const struct cli_command *, const struct shown *);
        void (*tail)(FILE *); /* NULL: none */
    } shells[] = {{"bash", bash_head, bash_command, bash_tail},
                  {"zsh", zsh_head, zsh_command, zsh_tail},
                  {"fish", fish_head, fish_command, NULL}};

    for (size_t i = 0; i < sizeof(shells) / sizeof(shells[0]); i++) {
        if (strcmp(shells[i].name, shell))
            continue;
        shells[i].head(out);
        for (const struct cli_command *const *c = cli_commands; *c; c++) {
            struct shown *options = shown_options(*c);

            if (options)
                shells[i].command(out, *c, options);
            free(options);
        }
        if (shells[i].tail)
            shells[i].tail(out);
    }
}
