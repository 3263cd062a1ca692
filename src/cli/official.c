/* The official checker's judgement beside our own; see official.h. */
#include "cli/official.h"

#include <string.h>

#include "base/tree.h"
#include "cli/cli.h"
#include "lib/official.h"

static int both(const json_t *report, bool wanted, int own)
{
    const char *verdict = tree_text(report, "verdict", "none");
    bool ran = tree_bool(report, "ran", false);

    if (!ran)
        cli_warn("the official checker was not run: %s; `%s` gets it. Assay's own check was done.",
                 tree_text(report, "why", "?"), tree_text(report, "get", "assay get"));
    if (!strcmp(verdict, "rejected"))
        return EXIT_INVALID;
    return !strcmp(verdict, "none") && own == EXIT_OK && (ran || wanted) ? EXIT_COULD_NOT : own;
}

int cli_official(const char *tree, const char *round, const struct settings *s, bool offline,
                 bool wanted, int own, json_t **report)
{
    struct assay_err err;

    if (lib_official(tree, round, s, offline, report, &err))
        return cli_fail(&err);
    return both(*report, wanted, own);
}

static void print_lines(const json_t *lines, FILE *out)
{
    json_t *line;
    size_t i;

    json_array_foreach(lines, i, line) fprintf(out, "  | %s\n", json_string_value(line));
}

void cli_official_print(const json_t *report, FILE *out)
{
    const char *verdict = tree_text(report, "verdict", "none"), *why = tree_text(report, "why", "");
    const char *word = !strcmp(verdict, "accepted")   ? "accepts the tree"
                       : !strcmp(verdict, "rejected") ? "refuses the tree"
                                                      : "gave no verdict";

    if (!tree_bool(report, "ran", false))
        return;
    fprintf(out, "\nThe official checker (%s, round %s) %s%s%s\n",
            tree_text(report, "checker", "?"), tree_text(report, "round", "?"), word,
            *why ? ": " : "", why);
    if (strcmp(verdict, "accepted") != 0 && json_array_size(json_object_get(report, "errors"))) {
        fprintf(out, "Its errors, at most %d:\n", LIB_OFFICIAL_ERRORS);
        print_lines(json_object_get(report, "errors"), out);
    }
    fprintf(out, "Its last lines (all: %s):\n", tree_text(report, "log", "?"));
    print_lines(json_object_get(report, "last"), out);
}
