/* The command table.  A command is one row here and one file cmd_NAME.c. */
#include "cli/cli.h"

#include <string.h>

#define COMMANDS(ROW)                                                                              \
    ROW(run)                                                                                       \
    ROW(results)                                                                                   \
    ROW(matrix)                                                                                    \
    ROW(explore)                                                                                   \
    ROW(compare)                                                                                   \
    ROW(reproduce)                                                                                 \
    ROW(reference)                                                                                 \
    ROW(report)                                                                                    \
    ROW(export)                                                                                    \
    ROW(import)                                                                                    \
    ROW(benchmarks)                                                                                \
    ROW(models)                                                                                    \
    ROW(plan)                                                                                      \
    ROW(get)                                                                                       \
    ROW(recipes)                                                                                   \
    ROW(engines)                                                                                   \
    ROW(net)                                                                                       \
    ROW(quantize)                                                                                  \
    ROW(cache)                                                                                     \
    ROW(samples)                                                                                   \
    ROW(dictionaries)                                                                              \
    ROW(score)                                                                                     \
    ROW(submit)                                                                                    \
    ROW(check)                                                                                     \
    ROW(system)                                                                                    \
    ROW(settings)                                                                                  \
    ROW(version)                                                                                   \
    ROW(help)

#define DECLARE(name) extern const struct cli_command cli_cmd_##name;
#define ADDRESS(name) &cli_cmd_##name,

COMMANDS(DECLARE)
const struct cli_command *const cli_commands[] = {COMMANDS(ADDRESS) NULL};

const struct cli_exit_row cli_exits[] = {
    {EXIT_OK, "Fine."},
    {EXIT_USAGE, "Usage: something asked for cannot be; the message says what."},
    {EXIT_COULD_NOT, "It could not be done: a file, an engine, memory, the disk."},
    {EXIT_INVALID, "The run was done, and its verdict is INVALID."},
    {EXIT_ACCURACY, "The accuracy is below the target."},
    {EXIT_REGRESSION, "A comparison found a regression, or a run was not reproduced."},
    {EXIT_UNSURE,
     "Noise hides whether a repeated run is the same, or nothing tells whether a rule is broken."},
    {EXIT_INTERRUPTED, "Interrupted (Ctrl-C); what was measured is kept."},
    {0, NULL}};

const char *const cli_all_settings[] = {NULL};

const struct cli_command *cli_command_find(const char *name)
{
    for (const struct cli_command *const *c = cli_commands; *c; c++)
        if (!strcmp((*c)->name, name))
            return *c;
    return NULL;
}

bool cli_takes_setting(const struct cli_command *command, const char *name)
{
    const char *const *s = command->settings;

    if (s == cli_all_settings)
        return true;
    for (; s && *s; s++)
        if (!strcmp(*s, name))
            return true;
    return false;
}

void cli_arguments_count(const char *arguments, int *min, int *max)
{
    *min = *max = 0;
    for (const char *p = arguments; p && *p; p += strcspn(p, " "), p += strspn(p, " ")) {
        size_t n = strcspn(p, " ]");

        *min += *p != '[';
        *max += 1;
        if (n > 3 && !strncmp(p + n - 3, "...", 3)) /* "RUN...": as many as are typed */
            *max = CLI_MAX_ARGUMENTS;
    }
    if (*max > CLI_MAX_ARGUMENTS)
        *max = CLI_MAX_ARGUMENTS;
}
