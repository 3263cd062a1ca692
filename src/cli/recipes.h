/* What the commands plan, get and recipes share. */
#ifndef CLI_RECIPES_H
#define CLI_RECIPES_H

#include "cli/cli.h"
#include "flow/make.h"

/* What was asked for on the command line, and where it points into. */
struct cli_ask {
    struct plan_ask ask;
    const char *requests[CLI_MAX_ARGUMENTS + 1], *sets[CLI_MAX_GIVEN + 1],
        *haves[CLI_MAX_GIVEN + 1], *accepts[CLI_MAX_GIVEN + 1];
    char *cache;
};
int cli_ask_init(struct cli_ask *a, const struct cli_input *in, struct assay_err *err);
void cli_ask_release(struct cli_ask *a);

/* The rows of options that make up what cli_ask_init reads. */
#define CLI_ASK_OPTIONS                                                                            \
    {"set", 0,    "[RECIPE.]INPUT=VALUE",                                                          \
     NULL,  NULL, "a value for an input of what is asked for, or of the RECIPE; may be repeated"}, \
        CLI_HAVE_OPTIONS,                                                                          \
    {                                                                                              \
        "offline", 0, NULL, NULL, NULL, "fetch nothing over the network; name what is missing"     \
    }
#define CLI_HAVE_OPTIONS                                                                           \
    {"have", 0,    "RECIPE=PATH",                                                                  \
     NULL,   NULL, "it is here already: verified, not copied, and remembered; may be repeated"},   \
    {                                                                                              \
        "accept", 0, "RECIPE", NULL, NULL,                                                         \
            "its licence is accepted; `all`: every one; may be repeated"                           \
    }

/* Before a command begins: what its line says of recipes (--have, --accept, --offline) counts for
 * all that it resolves. */
void cli_say(const struct cli_input *in);
/* Once all is resolved: whether every --have and --accept was of use; prints its error; an exit
 * code. */
int cli_said(void);

/* What is asked for (an array of texts), in one plan; an exit code.  Says on stderr what stands
 * against it, else gets it, with progress on stderr.  The command has the settings cache and
 * progress. */
int cli_get(const struct cli_input *in, const json_t *requests, bool only_check);
/* Of a dry run: the plan of what its "get" (requests) asks recipes for: with --json the member
 * "recipes" of `plan`, as `assay plan --json` has it, else printed; nothing when nothing is asked
 * for.  lock: of the record that is made again; NULL: none.  Returns cli_said's, and EXIT_COULD_NOT
 * where something stands against it, as what was asked for would end. */
int cli_first(const struct cli_input *in, json_t *plan, const json_t *lock, FILE *out);

/* Before the first of a command's runs: gets a plan's "get" (run/run.h: run_wants), with progress
 * on stderr, and prints nothing else; an exit code. */
int cli_supply(const struct cli_input *in, const json_t *get);
/* The options of a command that makes runs. */
#define CLI_SUPPLY_OPTIONS                                                                         \
    CLI_HAVE_OPTIONS,                                                                              \
    {                                                                                              \
        "offline", 0, NULL, NULL, NULL,                                                            \
            "fetch nothing over the network: what recipes would get (model, data set, engine's "   \
            "library, LoadGen) must be here"                                                       \
    }

/* cmd_run.c: run_plan's plan for a person, and what a script does next by what is in the record.
 * in: with cli_first's part, whose exit code it returns; NULL: that is told elsewhere. */
int cli_run_print(const struct cli_input *in, json_t *plan);
int cli_run_exit(const json_t *record);

/* A command that a plan has, below a line that says what it is; nothing for NULL. */
void cli_command_print(const char *what, const json_t *command);
/* The plan, for a person; the heading stands over its steps. */
void cli_plan_print(const json_t *plan, const char *heading, FILE *out);
/* The same for a plan of recipes that something stands against. */
int cli_plan_exit(const json_t *plan);

#endif
