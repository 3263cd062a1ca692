/* The command line: a table of commands, and what commands share.
 *
 * A command is one file cmd_NAME.c that defines `cli_cmd_NAME`, and one row in commands.c.  That
 * row is all there is to know about it: parsing, --help, the man page, the docs page and the
 * shells' completions read the same tables (settings come from load/settings.h).
 *
 * stdout carries only the result asked for; everything else goes to stderr.  One thread. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <jansson.h>

#include "assay/benchmark.h"
#include "data/manifest.h"
#include "load/settings.h"

/* Exit codes: one for each thing that a script does differently. */
enum cli_exit {
    EXIT_OK = 0,
    EXIT_USAGE = 2,
    EXIT_COULD_NOT = 3,
    EXIT_INVALID = 4,
    EXIT_ACCURACY = 5,
    EXIT_REGRESSION = 6,
    EXIT_UNSURE = 7,
    EXIT_INTERRUPTED = 130
};
struct cli_exit_row {
    int code;
    const char *meaning;
};
extern const struct cli_exit_row cli_exits[]; /* ends with a row without meaning */

/* An option of a command's own.  An argument in capitals ("FILE", "DIR", "ENGINE") also tells the
 * shells what to complete. */
struct cli_option {
    const char *name; /* without dashes; NULL ends the table */
    char letter;
    const char *argument;       /* NULL: a flag */
    const char *const *choices; /* the values that are taken; NULL: any */
    const char
        *adds_to;     /* a text setting that every use adds "NAME=VALUE" to; NULL: an own value */
    const char *help; /* "VERB: …": of that verb alone, of several "VERB: …; VERB: …" */
};

struct cli_input;

/* A second word: `assay net write`. */
struct cli_verb {
    const char *name;      /* NULL ends the table */
    const char *arguments; /* "NET", "[RUN]": what comes behind it; in brackets: may be left out;
                              "FILE...": one or more */
    const char *help;
    int (*run)(struct cli_input *in);
};

struct cli_command {
    const char *name;
    const char *summary;              /* one line */
    const char *arguments;            /* as of a verb; "RUN...": one or more */
    const struct cli_verb *verbs;     /* NULL: none */
    const struct cli_option *options; /* NULL: none */
    const char *const *settings; /* names of the settings it takes, or cli_all_settings, or NULL */
    const char *help; /* paragraphs, parted by empty lines; indented ones are kept as they are */
    int (*run)(struct cli_input *in); /* without a verb; returns an exit code */
};
extern const struct cli_command *const cli_commands[]; /* ends with NULL */
extern const char *const cli_all_settings[];

#define CLI_MAX_OPTIONS   16
#define CLI_MAX_ARGUMENTS 1024
#define CLI_MAX_GIVEN     64

/* What was typed, parsed. */
struct cli_input {
    const struct cli_command *command;
    const struct cli_verb *verb;
    const char *values[CLI_MAX_OPTIONS]; /* of the own options, "" for a flag; NULL: not given */
    const char *args[CLI_MAX_ARGUMENTS + 1];
    int count;
    struct {
        const struct cli_option *option;
        const char *value;
    } given[CLI_MAX_GIVEN]; /* every use of an own option, in order */
    int given_count;
    bool help;
    struct settings settings; /* defaults < user file < job file < command line */
    bool has_settings;
    int argc; /* all of it, with the program's name */
    char **argv;
};

/* The whole program but the end of stdout; returns the exit code. */
int cli_main(int argc, char **argv);
/* Writes out what is left of stdout; an exit code that was good becomes EXIT_COULD_NOT when that
 * fails. */
int cli_finish(int code);
/* Standard streams that were closed are given something harmless, so no file of ours gets their
 * numbers. */
void cli_guard_streams(void);

/* argv[0] is the command's name.  Prints its errors (with did-you-mean) itself.  Returns -1 to go
 * on, else an exit code.  `in` must be released in any case. */
int cli_parse(const struct cli_command *command, int argc, char **argv, struct cli_input *in);
void cli_input_release(struct cli_input *in);
/* The text of an own option ("" for a flag); NULL: not given. */
const char *cli_value(const struct cli_input *in, const char *name);
/* Of an option that may be given several times: every value, in order, ended by NULL. */
void cli_values(const struct cli_input *in, const char *name,
                const char *values[CLI_MAX_GIVEN + 1]);
/* The same as a whole number within min..max; prints its error. */
int cli_value_int(const struct cli_input *in, const char *name, int64_t min, int64_t max,
                  int64_t *out);
/* The same for any number. */
int cli_value_real(const struct cli_input *in, const char *name, double min, double max,
                   double *out);
bool cli_takes_setting(const struct cli_command *command, const char *name);
const struct cli_command *cli_command_find(const char *name);
/* How many words "NET [RUN]" wants at least and takes at most. */
void cli_arguments_count(const char *arguments, int *min, int *max);

/* Of a text that may be of anybody's file: what a terminal would obey becomes '?', in place. */
void cli_disarm(char *s);

/* Each prints one line on stderr and returns the exit code for it. */
int cli_fail(const struct assay_err *err);
int cli_usage(const struct cli_command *command, const char *fmt, ...) ASSAY_PRINTF(2, 3);
void cli_warn(const char *fmt, ...) ASSAY_PRINTF(1, 2);
bool cli_colour(FILE *f);

/* Prints the object with "schema": "assay.THING/1" on stdout and lets go of it. */
int cli_json(json_t *object, const char *thing);
bool cli_wants_json(const struct cli_input *in);

/* Pages made from the tables. */
void cli_help_short(FILE *out);
void cli_help_command(const struct cli_command *command, FILE *out);
/* What a setting may be ("0 … 1024", "a, b", ""), and the help of a command's own option, which
 * names the words that it takes. */
void cli_setting_limits(const struct settings_row *row, char *out, size_t size);
void cli_option_help(const struct cli_option *option, char *out, size_t size);
void cli_help_setting(const struct settings_row *row, const struct settings *now, FILE *out);
void cli_markdown_commands(FILE *out);
void cli_markdown_settings(FILE *out);
void cli_man(FILE *out);
/* shell: "bash", "zsh", "fish". */
void cli_completion(const char *shell, FILE *out);
/* The words that an argument of this kind ("ENGINE", "NET", "RUN" …) can be, one a line; runs are
 * those of the store in s. */
int cli_words(const char *kind, const struct settings *s, FILE *out, struct assay_err *err);
extern const char *const cli_word_kinds[];
/* The kind of word that a setting's value is ("ENGINE", "DIR" …); NULL: free text. */
const char *cli_setting_kind(const struct settings_row *row);

/* The verb `install` of the command engines. */
int cli_engine_install(struct cli_input *in);

/* Columns as wide as they need to be, the last as long as it likes; empty columns are left out.
 * Cells are copied; NULL is an empty one. */
#define CLI_MAX_COLUMNS 12
struct cli_table {
    int columns;
    bool wrap;    /* what would go beyond 80 columns stands below, in lines of its own */
    json_t *rows; /* arrays of texts; the first is the heading */
};
void cli_table_init(struct cli_table *t, const char *const *heading); /* NULL-terminated */
void cli_table_row(struct cli_table *t, const char *const *cells); /* as many as the heading has */
void cli_table_print(struct cli_table *t, FILE *out);              /* and release */

/* Absolute folder of all records; free() it. */
char *cli_store(const struct settings *s);
/* The same of what was fetched and built. */
char *cli_shelf(const struct settings *s);
/* The records that the arguments name (ids, `last`, a run's folder or its record.json), or with the
 * option --all those of the store, the newest first; each with "folder".  Prints its errors;
 * returns an exit code. */
int cli_records(struct cli_input *in, json_t **records);
/* One line for each record of an export's result ("file", "contradictions") that has another one of
 * its id in `with`; an exit code. */
int cli_say_contradictions(const json_t *file, const char *with);
/* The texts of an array, joined: "a, b". */
void cli_join(const json_t *array, char *out, size_t size);
json_t *cli_strings(const char *const *list); /* NULL-terminated; NULL is an empty list */

/* The verb `adopt` of the command cache. */
int cli_cache_adopt(struct cli_input *in);

/* check.c: `assay engines check ENGINE`. */
int cli_check_engine(struct cli_input *in);

#define CLI_COLUMNS 80
/* Text in lines of at most 80 columns, indented; goes on at column `at`.  Ends with a newline. */
void cli_wrap(FILE *out, int at, int indent, const char *text);

#endif
