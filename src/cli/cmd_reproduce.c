/* assay reproduce: a record's run made again, and whether the figures agree. */
#include "cli/rerun.h"

#include <stdlib.h>
#include <string.h>

#include "base/tree.h"
#include "report/differ.h"
#include "run/again.h"

#define REPEATS_MAX 100

/* Of what differs before the run: what makes it another run.  Our own program and the machine may
 * be others, and are listed. */
static bool stops(const json_t *difference)
{
    const char *what = tree_text(difference, "what", ""), *kind = tree_text(difference, "kind", "");

    if (!strcmp(kind, "software"))
        return !strcmp(what, "engine.version") || !strcmp(what, "engine.library_sha256") ||
               !strncmp(what, "loadgen.", 8);
    return strcmp(kind, "machine") != 0;
}

/* One line a difference; a long one (a manifest) only says that it is there. */
static void say_difference(const json_t *d)
{
    char *a = json_dumps(json_object_get(d, "a"), JSON_ENCODE_ANY | JSON_REAL_PRECISION(9));
    char *b = json_dumps(json_object_get(d, "b"), JSON_ENCODE_ANY | JSON_REAL_PRECISION(9));
    bool brief = a && b && strlen(a) + strlen(b) <= 160;

    cli_warn("%s %s differs from the record%s%s%s%s",
             stops(d) ? "changed:" : "note:", tree_text(d, "what", "?"), brief ? ": was " : "",
             brief ? a : "", brief ? ", is " : "", brief ? b : "");
    free(a);
    free(b);
}

/* What is not as it was, told before anything is run. */
static int check_before(const struct cli_input *in, const json_t *record, json_t **differences)
{
    json_t *now = NULL, *d;
    struct assay_err err, why;
    struct settings s;
    size_t i, changed = 0;
    int rc = again_settings(record, &in->settings, &s, &err);

    if (rc)
        return cli_fail(&err);
    rc = again_now(record, &s, &now, &err);
    settings_release(&s);
    if (rc) {
        assay_fail(&why, err.code, "the run %.16s cannot be had again here: %.350s%s",
                   tree_text(record, "id", "?"), err.text,
                   in->settings.model && in->settings.dataset
                       ? ""
                       : " (--model and --dataset say where yours are)");
        return cli_fail(&why);
    }
    *differences = differ_records(record, now);
    json_decref(now);
    json_array_foreach(*differences, i, d)
    {
        say_difference(d);
        changed += stops(d);
    }
    if (!changed || cli_value(in, "anyway"))
        return EXIT_OK;
    cli_warn(
        "this is not the set-up of the record any more (%zu %s); --anyway runs it all the same",
        changed, changed == 1 ? "thing" : "things");
    return EXIT_COULD_NOT;
}

/* The comparison's word as an answer. */
static const char *answer_of(const json_t *comparison, int *code)
{
    const char *word = tree_text(comparison, "verdict", "");

    if (!strcmp(word, COMPARE_SAME)) {
        *code = EXIT_OK;
        return "same";
    }
    *code = strcmp(word, COMPARE_UNSURE) ? EXIT_REGRESSION : EXIT_UNSURE;
    return *code == EXIT_UNSURE ? "cannot tell" : "differs";
}

static int show(const struct cli_input *in, json_t *comparison, json_t *before)
{
    int code, rc = EXIT_OK;
    const char *answer = answer_of(comparison, &code);

    if (cli_wants_json(in)) {
        rc = cli_json(json_pack("{s:s, s:O, s:O}", "answer", answer, "comparison", comparison,
                                "changed", before),
                      "reproduce");
    } else {
        printf("%s: A is the record, B the run made again\n\n", answer);
        compare_text(comparison, stdout);
    }
    return rc ? rc : code;
}

static int run_and_compare(const struct cli_input *in, const struct rerun *original, size_t n,
                           json_t *before)
{
    struct rerun *made = calloc(n, sizeof(*made));
    struct compare_run *runs = calloc(n, sizeof(*runs)), first = rerun_as_run(original);
    struct compare_side a = {first, &first, 1}, b;
    json_t *comparison = NULL;
    struct assay_err err;
    char what[80];
    size_t i;
    int rc = made && runs ? EXIT_OK : EXIT_COULD_NOT;

    for (i = 0; i < n && !rc; i++) {
        snprintf(what, sizeof(what), "run %zu of %zu", i + 1, n);
        rc = rerun_run(in, original->record, what, &made[i]);
        runs[i] = rerun_as_run(&made[i]);
    }
    if (!rc) {
        b = (struct compare_side){runs[0], runs, n};
        if (compare_records(&a, &b, NULL, 0, &comparison, &err))
            rc = cli_fail(&err);
    }
    if (!rc)
        rc = show(in, comparison, before);
    json_decref(comparison);
    for (i = 0; made && i < n; i++)
        rerun_release(&made[i]);
    free(made);
    free(runs);
    return rc;
}

static int cmd_reproduce(struct cli_input *in)
{
    struct rerun original = {NULL, NULL};
    json_t *before = NULL;
    struct assay_err err;
    int64_t repeats = 1;
    int rc = cli_value_int(in, "repeats", 1, REPEATS_MAX, &repeats);

    if (!rc)
        rc = rerun_open(in, in->args[0], &original);
    if (!rc && compare_check(original.record, original.record, NULL, 0, &err))
        rc = cli_fail(&err);
    if (!rc)
        rc = check_before(in, original.record, &before);
    if (!rc && !in->settings.dry_run)
        rc = run_and_compare(in, &original, (size_t)repeats, before);
    json_decref(before);
    rerun_release(&original);
    return rc;
}

static const struct cli_option options[] = {
    {"anyway", 0, NULL, NULL, NULL, "run it although the set-up is not the record's any more"},
    {"repeats", 0, "N", NULL, NULL, "make N runs; default: one"},
    {NULL, 0, NULL, NULL, NULL, NULL}};

static const char *const settings[] = {"model", "dataset", "store",   "cache", "progress",
                                       "tag",   "json",    "dry-run", NULL};

const struct cli_command cli_cmd_reproduce = {
    .name = "reproduce",
    .summary = "make a record's run again and tell whether it agrees",
    .arguments = "RUN",
    .options = options,
    .settings = settings,
    .help =
        "Takes everything from the record: the settings with their origins, the model, the data "
        "set, the engine's library, LoadGen. What is not as it was (by hash or version) is told "
        "before the run, which then is not made without --anyway; another machine or another "
        "Assay is only told. Then the run is made, and the answer is: same, differs (exit code "
        "6), or cannot tell (7). A RUN is as in `assay compare`; a record.json alone is enough.\n"
        "\n"
        "    assay reproduce 1f3a\n"
        "    assay reproduce record.json --dataset imagenet --dry-run\n"
        "    assay reproduce last --repeats 3 --json",
    .run = cmd_reproduce};
