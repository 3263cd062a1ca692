/* assay compare: which of two runs is faster, by how much, and how sure that is. */
#include "cli/rerun.h"

#include <stdlib.h>
#include <string.h>

#include "base/tree.h"
#include "report/differ.h"

#define RULES_MAX   16
#define REPEATS_MAX 100

/* Every --fail-if, also a second one: the parser keeps the last.  Returns an exit code. */
static int read_rules(const struct cli_input *in, struct rule *rules, size_t *n)
{
    static const char option[] = "--fail-if";
    size_t length = sizeof(option) - 1;
    struct assay_err err;

    *n = 0;
    for (int i = 2; i < in->argc && strcmp(in->argv[i], "--") != 0; i++) {
        const char *word = in->argv[i];

        if (strncmp(word, option, length) != 0 || (word[length] && word[length] != '='))
            continue;
        word =
            word[length] ? word + length + 1 : in->argv[++i]; /* the parser saw that it is there */
        if (*n == RULES_MAX)
            return cli_usage(in->command, "at most %d --fail-if", RULES_MAX);
        if (rule_parse(word, &rules[(*n)++], &err))
            return cli_fail(&err);
    }
    return EXIT_OK;
}

/* Runs of both sides, made again. */
struct repeats {
    struct rerun *a, *b;
    size_t count, wanted;
};

/* A B, B A, A B …: what drifts slowly falls on both alike. */
static int run_all(const struct cli_input *in, const struct rerun side[2], struct repeats *r)
{
    char what[80];
    int rc = EXIT_OK;

    for (size_t i = 0; i < r->wanted && !rc; i++) {
        r->count = i + 1;
        for (size_t k = 0; k < 2 && !rc; k++) {
            size_t which = (i + k) % 2;

            snprintf(what, sizeof(what), "repeat %zu of %zu: %s", i + 1, r->wanted,
                     which ? "B" : "A");
            rc = rerun_run(in, side[which].record, what, which ? &r->b[i] : &r->a[i]);
        }
    }
    return rc;
}

static void release_repeats(struct repeats *r)
{
    for (size_t i = 0; i < r->count; i++) {
        rerun_release(&r->a[i]);
        rerun_release(&r->b[i]);
    }
    free(r->a);
    free(r->b);
}

/* What the repeated runs no longer have in common with their record is said on stderr. */
static void warn_changed(const char *name, const json_t *record, const json_t *again)
{
    json_t *list = differ_records(record, again), *d;
    size_t i;

    json_array_foreach(list, i, d) if (strcmp(tree_text(d, "kind", ""), "machine") != 0) cli_warn(
        "warning: %s made again differs from its record in %s", name, tree_text(d, "what", "?"));
    json_decref(list);
}

static int show(const struct cli_input *in, json_t *result)
{
    int code = tree_int(result, "broken", 0) ? EXIT_REGRESSION : EXIT_OK, rc = EXIT_OK;

    if (cli_wants_json(in)) {
        rc = cli_json(result, "compare");
    } else {
        compare_text(result, stdout);
        json_decref(result);
    }
    return rc ? rc : code;
}

static int compare(const struct cli_input *in, const struct rerun side[2], const struct repeats *r,
                   const struct rule *rules, size_t rule_count)
{
    struct compare_run *runs[2] = {NULL, NULL};
    struct compare_side sides[2];
    size_t n = r->count ? r->count : 1;
    json_t *result = NULL;
    struct assay_err err;
    int rc = ASSAY_OK;

    for (int k = 0; k < 2; k++) {
        runs[k] = calloc(n, sizeof(*runs[k]));
        for (size_t i = 0; runs[k] && i < n; i++)
            runs[k][i] = rerun_as_run(!r->count ? &side[k] : k ? &r->b[i] : &r->a[i]);
        sides[k] = (struct compare_side){rerun_as_run(&side[k]), runs[k], n};
    }
    if (!runs[0] || !runs[1])
        rc = assay_fail(&err, ASSAY_EFAIL, "not enough memory to compare");
    if (!rc)
        rc = compare_records(&sides[0], &sides[1], rules, rule_count, &result, &err);
    free(runs[0]);
    free(runs[1]);
    return rc ? cli_fail(&err) : show(in, result);
}

static int cmd_compare(struct cli_input *in)
{
    struct rerun side[2] = {{NULL, NULL}, {NULL, NULL}};
    struct repeats r = {0};
    struct rule rules[RULES_MAX];
    struct assay_err err;
    size_t rule_count;
    int64_t repeats = 0;
    int rc = cli_value_int(in, "repeats", 2, REPEATS_MAX, &repeats);

    if (!rc)
        rc = read_rules(in, rules, &rule_count);
    for (int k = 0; k < 2 && !rc; k++)
        rc = rerun_open(in, in->args[k], &side[k]);
    if (!rc && compare_check(side[0].record, side[1].record, rules, rule_count, &err))
        rc = cli_fail(&err);
    if (!rc && repeats) {
        r.wanted = (size_t)repeats;
        r.a = calloc(r.wanted, sizeof(*r.a));
        r.b = calloc(r.wanted, sizeof(*r.b));
        rc = r.a && r.b ? run_all(in, side, &r) : EXIT_COULD_NOT;
    }
    if (!rc && r.count) {
        warn_changed("A", side[0].record, r.a[0].record);
        warn_changed("B", side[1].record, r.b[0].record);
    }
    if (!rc)
        rc = compare(in, side, &r, rules, rule_count);
    release_repeats(&r);
    rerun_release(&side[0]);
    rerun_release(&side[1]);
    return rc;
}

static const struct cli_option options[] = {
    {"fail-if", 0, "RULE", NULL, NULL,
     "end with exit code 6 when this is seen: 'p99>+3%', 'throughput<-5%', 'p99>15ms'; may be "
     "given "
     "again"},
    {"repeats", 0, "N", NULL, NULL, "make N further runs of each, A B B A …, and compare those"},
    {NULL, 0, NULL, NULL, NULL, NULL}};

static const char *const settings[] = {"store", "cache", "progress", "tag", "json", NULL};

const struct cli_command cli_cmd_compare = {
    .name = "compare",
    .summary = "tell whether one run is faster than another",
    .arguments = "RUN RUN",
    .options = options,
    .settings = settings,
    .help =
        "Compares the second run (B) with the first (A): the ratio of each figure, the interval "
        "that it lies in, and a word: faster, slower, same within noise, cannot be told apart. "
        "A RUN is an id, the beginning of one, `last`, a record's folder, or a record.json "
        "(which has figures, but not their spread). Then it lists what differs between the two "
        "set-ups and machines.\n"
        "\n"
        "Single runs show the noise within a run only. With --repeats both are made again from "
        "their records' settings, in turn, and the noise between runs is measured too.\n"
        "\n"
        "A rule of --fail-if is broken when the whole interval lies beyond it; then the exit "
        "code is 6.\n"
        "\n"
        "    assay compare 1f3a last\n"
        "    assay compare baseline/record.json last --fail-if 'p99>+3%' --fail-if "
        "'throughput<-5%'\n"
        "    assay compare 1f3a 77c2 --repeats 5 --json",
    .run = cmd_compare};
