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
/* Once all is resolved: whether every --have was of use; prints its error; an exit code. */
int cli_said(void);

/* What is asked for (an array of texts), in one plan; an exit code.  CLI_GET_SHOW prints the plan;
 * CLI_GET_CHECK says on stderr what stands against it; CLI_GET_DO does that too, else gets it, with
 * progress on stderr.  The command has the settings cache and progress. */
enum cli_get_what { CLI_GET_SHOW, CLI_GET_CHECK, CLI_GET_DO };
int cli_get(const struct cli_input *in, const json_t *requests, enum cli_get_what what);

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

/* A dry run's "steps" of what recipes would get, for a person; nothing when there are none. */
void cli_first_print(const json_t *plan, FILE *out);
/* What a dry run ends with: EXIT_COULD_NOT where a step cannot be done, as what was asked for
 * would. */
int cli_first_exit(const json_t *plan);

/* cmd_run.c: run_plan's plan for a person, and what a script does next by what is in the record. */
void cli_run_print(const json_t *plan);
int cli_run_exit(const json_t *record);

/* The command that tells more of such a plan's "get"; nothing when that is empty. */
void cli_first_more(const json_t *get, FILE *out);

/* A command that a plan has, below a line that says what it is; nothing for NULL. */
void cli_command_print(const char *what, const json_t *command);
/* The plan, for a person. */
void cli_plan_print(const json_t *plan, FILE *out);
/* The same for a plan of recipes that something stands against. */
int cli_plan_exit(const json_t *plan);

#endif
