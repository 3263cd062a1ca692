/* The checklist: findings in the order of the tree, what stands at one place together. */
#include "cli/submission.h"

#include <string.h>

#include "base/tree.h"
#include "cli/cli.h"

#define MAX_NOTES 12 /* shown to people */

/* Names and values come from a tree that anybody made: nothing in them may steer the terminal. */
static const char *clean(const char *text, char out[2048])
{
    size_t n = 0;

    for (; *text && n < 2047; text++)
        out[n++] = (unsigned char)*text < ' ' || *text == 127 ? '?' : *text;
    out[n] = 0;
    return out;
}

static size_t print_findings(const json_t *findings, FILE *out)
{
    const char *last = NULL, *where, *why = NULL, *mend = NULL;
    size_t i, official = 0;
    char safe[2048];
    json_t *f;

    json_array_foreach((json_t *)(uintptr_t)findings, i, f)
    {
        official += tree_bool(f, "official", false);
        where = tree_text(f, "where", "");
        if (!last || strcmp(last, where)) {
            fprintf(out, "%s\n", *where ? clean(where, safe) : "(the tree)");
            why = mend = NULL;
        }
        last = where;
        cli_wrap(out,
                 fprintf(out, "  %s %s: ", tree_bool(f, "official", false) ? "✗" : "!",
                         tree_text(f, "rule", "")),
                 6, clean(tree_text(f, "what", ""), safe));
        if (!why || strcmp(why, tree_text(f, "why", "")))
            cli_wrap(out, fprintf(out, "      why: "), 12, tree_text(f, "why", ""));
        /* A command must stay on its line to be copied. */
        if (!mend || strcmp(mend, tree_text(f, "mend", "")))
            fprintf(out, "      mend: %s\n", clean(tree_text(f, "mend", ""), safe));
        why = tree_text(f, "why", "");
        mend = tree_text(f, "mend", "");
    }
    return official;
}

void cli_print_check(const json_t *report, FILE *out)
{
    const json_t *findings = json_object_get(report, "findings"), *note;
    const json_t *notes = json_object_get(report, "notes");
    size_t n = json_array_size(findings), official = print_findings(findings, out), i;
    char safe[2048];

    json_array_foreach(notes, i, note)
    {
        if (i < MAX_NOTES)
            cli_wrap(out, fprintf(out, "note: "), 6, clean(json_string_value(note), safe));
    }
    if (json_array_size(notes) > MAX_NOTES)
        fprintf(out, "and %zu more notes: --json has all\n", json_array_size(notes) - MAX_NOTES);
    fprintf(out, "%s%s: round %s (%s), %lld result%s of %lld system%s, ", n ? "\n" : "",
            clean(tree_text(report, "tree", ""), safe), tree_text(report, "round", ""),
            tree_text(report, "round_from", ""), (long long)tree_int(report, "results", 0),
            tree_int(report, "results", 0) == 1 ? "" : "s",
            (long long)tree_int(report, "systems", 0),
            tree_int(report, "systems", 0) == 1 ? "" : "s");
    if (!n)
        fprintf(out, "nothing to mend\n");
    else
        fprintf(
            out,
            "%zu finding%s: %zu that the official checker makes too (✗), %zu stricter ones (!)\n",
            n, n == 1 ? "" : "s", official, n - official);
}
