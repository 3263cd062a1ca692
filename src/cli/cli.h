/* The command table and what commands share. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "assay/types.h"
#include "load/settings.h"

/* Exit codes: one for each thing that a script does differently. */
enum cli_exit {
    EXIT_OK = 0,
    EXIT_USAGE = 2,
    EXIT_COULD_NOT = 3,
    EXIT_INVALID = 4,
    EXIT_ACCURACY = 5,
    EXIT_REGRESSION = 6,
    EXIT_INTERRUPTED = 130
};
int cli_exit_for(int code); /* of an assay_code */

/* A command-specific option; settings rows are added by `settings`. */
struct cli_option {
    const char *name; /* without dashes; NULL ends the table */
    char letter;
    const char *argument; /* NULL: a flag */
    const char *help;
};

struct cli_command {
    const char *name;
    const char *arguments; /* "BENCHMARK [options]" */
    const char *summary;   /* one line */
    const char *help;      /* paragraphs */
    const struct cli_option *options; /* own ones */
    bool settings;                    /* takes every row of the settings table too */
    int (*run)(int argc, char **argv, const struct cli_command *command); /* argv[0] is the command's name */
};
extern const struct cli_command cli_commands[]; /* ends with a row without name */

/* Parses argv by the command's table: own options into values[i] (their argument, or "" for a flag; NULL: not
 * given), settings rows into s (may be NULL when the command takes none), the rest into args (at most max).
 * Prints the error with did-you-mean itself, and the help for --help.  Returns -1 to go on, else an exit code. */
int cli_parse(const struct cli_command *command, int argc, char **argv, const char **values,
              struct settings *s, const char **args, int max, int *count);
void cli_error(const struct assay_err *err);

#endif
