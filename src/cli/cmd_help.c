/* assay help: the tables as text for people, pages and shells. */
#include "cli/cli.h"

#include <string.h>

#include "base/text.h"

static int help_command(const struct cli_input *in, const char *name)
{
    const struct cli_command *c = cli_command_find(name);
    const char *names[32], *near;
    size_t n = 0;

    if (c) {
        cli_help_command(c, stdout);
        return EXIT_OK;
    }
    for (const struct cli_command *const *p = cli_commands; *p && n < 32; p++)
        names[n++] = (*p)->name;
    near = text_nearest(name, names, n, sizeof(names[0]));
    return cli_usage(in->command, "there is no command '%s'%s%s%s", name,
                     near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

static int cmd_help(struct cli_input *in)
{
    const char *page = cli_value(in, "markdown"), *shell = cli_value(in, "completion");
    const char *words = cli_value(in, "words");
    struct assay_err err;

    if (words) {
        if (cli_words(words, &in->settings, stdout, &err))
            return cli_fail(&err);
    } else if (page) {
        (strcmp(page, "commands") ? cli_markdown_settings : cli_markdown_commands)(stdout);
    } else if (shell) {
        cli_completion(shell, stdout);
    } else if (cli_value(in, "man")) {
        cli_man(stdout);
    } else if (in->count) {
        return help_command(in, in->args[0]);
    } else {
        cli_help_short(stdout);
    }
    return EXIT_OK;
}

static const char *const pages[] = {"commands", "settings", NULL};
static const char *const shells[] = {"bash", "zsh", "fish", NULL};

static const struct cli_option options[] = {
    {"markdown", 0, "PAGE", pages, NULL, "print a page of the documentation: commands or settings"},
    {"man", 0, NULL, NULL, NULL, "print the man page"},
    {"completion", 0, "SHELL", shells, NULL, "print the completion script for bash, zsh or fish"},
    {"words", 0, "KIND", cli_word_kinds, NULL,
     "print the words that an argument can be, one a line"},
    {NULL, 0, NULL, NULL, NULL, NULL}};

static const char *const settings[] = {"store", NULL};

const struct cli_command cli_cmd_help = {
    .name = "help",
    .summary = "help on a command; man page, shell completion",
    .arguments = "[COMMAND]",
    .options = options,
    .settings = settings,
    .help = "Help on Assay or on one command. Completion for your shell:\n"
            "\n"
            "    assay help --completion bash > ~/.local/share/bash-completion/completions/assay\n"
            "    assay help --completion zsh > \"${fpath[1]}/_assay\"\n"
            "    assay help --completion fish > ~/.config/fish/completions/assay.fish",
    .run = cmd_help};
