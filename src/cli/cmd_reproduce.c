/* assay reproduce: a record's run made again, with what its recipes give, and whether
 * the figures agree. */
#include "cli/recipes.h"

#include <stdlib.h>
#include <string.h>

#include "base/tree.h"
#include "lib/compare.h"
#include "report/compare.h"
#include "report/differ.h"
#include "report/text.h"

/* One line a difference; of long ones (a description of the pre-processing) where they differ. */
static void say_difference(const json_t *d)
{
    char *a = json_dumps(json_object_get(d, "a"), JSON_ENCODE_ANY | JSON_REAL_PRECISION(9));
    char *b = json_dumps(json_object_get(d, "b"), JSON_ENCODE_ANY | JSON_REAL_PRECISION(9));
    bool brief = a && b && strlen(a) + strlen(b) <= 160;
    char was[DIFFER_SIDE], is[DIFFER_SIDE];

    differ_sides(d, was, is);
    cli_warn("%s %s differs from the record: was %s, is %s",
             tree_bool(d, "stops", false) ? "changed:" : "note:", tree_text(d, "what", "?"),
             brief ? a : was, brief ? b : is);
    free(a);
    free(b);
}

/* What is not to be had, all of it. */
static int check_missing(const struct cli_input *in, const struct lib_again *again)
{
    const json_t *text;
    size_t i;
    int rc = EXIT_OK;

    json_array_foreach(again->missing, i, text) cli_warn("missing: %s", json_string_value(text));
    if (json_array_size(again->get) && !in->settings.dry_run) /* whose plan says it */
        rc = cli_get(in, again->get, true);
    if (!rc && !json_array_size(again->missing))
        return EXIT_OK;
    cli_warn("the run %.16s cannot be had again here%s",
             tree_text(again->original.record, "id", "?"),
             in->settings.model && in->settings.dataset
                 ? ""
                 : " (--model and --dataset say where yours are)");
    return EXIT_COULD_NOT;
}

static bool is_in(const json_t *list, const json_t *d)
{
    const json_t *v;
    size_t i;

    json_array_foreach(list, i, v) if (json_equal(v, d)) return true;
    return false;
}

/* What is missing or not as it was, told before anything is run, unless it was told before. */
static int check_before(const struct cli_input *in, const struct lib_again *again,
                        const json_t *told)
{
    size_t n = lib_reproduce_stops(again), i;
    int rc = check_missing(in, again);
    const json_t *d;

    json_array_foreach(again->changed, i, d) if (!is_in(told, d)) say_difference(d);
    if (rc || !n || cli_value(in, "anyway"))
        return rc;
    cli_warn(
        "this is not the set-up of the record any more (%zu %s); --anyway runs it all the same", n,
        n == 1 ? "thing" : "things");
    return EXIT_COULD_NOT;
}

/* What --dry-run finds: as the library gives it, and of what recipes would get the plan. */
static int show_look(const struct cli_input *in, const struct lib_again *again)
{
    json_t *look = json_pack("{s:O, s:O, s:O, s:O}", "changed", again->changed, "missing",
                             again->missing, "get", again->get, "command", again->command);
    int code = cli_first(in, look, json_object_get(again->original.record, "lock"), stdout), rc;

    if (cli_wants_json(in)) {
        rc = cli_json(look, "reproduce");
        return rc ? rc : code;
    }
    json_decref(look);
    printf("%s would run:\n    ",
           json_array_size(again->changed) ? "It" : "Nothing has changed; it");
    report_command(again->command, stdout);
    return code;
}

/* What recipes have to get is got, and looked at. */
static int supply(const struct cli_input *in, struct lib_again *again)
{
    const struct settings *s = &in->settings;
    struct assay_err err;
    json_t *told;
    int rc;

    if (!json_array_size(again->get))
        return cli_said();
    rc = cli_supply(in, again->get);
    told = json_incref(again->changed);
    if (!rc)
        rc = lib_reproduce_look_again(again, s, &err) ? cli_fail(&err)
                                                      : check_before(in, again, told);
    json_decref(told);
    return rc;
}

static int show(const struct cli_input *in, json_t *result)
{
    const char *answer = tree_text(result, "answer", "");
    int rc = EXIT_OK, code = !strcmp(answer, LIB_SAME)     ? EXIT_OK
                             : !strcmp(answer, LIB_UNSURE) ? EXIT_UNSURE
                                                           : EXIT_REGRESSION;

    if (cli_wants_json(in)) {
        rc = cli_json(result, "reproduce");
    } else {
        printf("%s: A is the record, B the run made again\n\n", answer);
        compare_text(json_object_get(result, "comparison"), stdout);
        json_decref(result);
    }
    return rc ? rc : code;
}

static int cmd_reproduce(struct cli_input *in)
{
    const struct lib_runner with = {&in->settings, in->argc, in->argv};
    struct lib_again again;
    json_t *result = NULL;
    struct assay_err err;
    int64_t repeats = 1;
    int rc = cli_value_int(in, "repeats", 1, LIB_REPEATS_MAX, &repeats), code;

    if (rc)
        return rc;
    rc = lib_reproduce_look(in->args[0], &in->settings, &again, &err)
             ? cli_fail(&err)
             : check_before(in, &again, NULL);
    if (in->settings.dry_run && again.command && (!rc || cli_wants_json(in))) {
        code = show_look(in, &again);
        rc = rc ? rc : code;
    } else if (!rc && !(rc = supply(in, &again))) {
        rc = lib_reproduce(&again, (size_t)repeats, &with, &result, &err) ? cli_fail(&err)
                                                                          : show(in, result);
    }
    lib_reproduce_release(&again);
    return rc;
}

static const struct cli_option options[] = {
    {"anyway", 0, NULL, NULL, NULL, "run it although the set-up is not the record's any more"},
    {"repeats", 0, "N", NULL, NULL, "make N runs; default: one"},
    CLI_SUPPLY_OPTIONS,
    {NULL, 0, NULL, NULL, NULL, NULL}};

static const char *const settings[] = {"model",    "dataset", "loadgen", "store",   "cache",
                                       "progress", "tag",     "json",    "dry-run", NULL};

const struct cli_command cli_cmd_reproduce = {
    .name = "reproduce",
    .summary = "make a record's run again and tell whether it agrees",
    .arguments = "RUN",
    .options = options,
    .settings = settings,
    .help =
        "Takes everything from the record: the settings with their origins, the model, the data "
        "set, the engine's library, LoadGen. All that is missing, and what is not as it was (by "
        "hash or version), is told before the run, which then is not made (of the latter: "
        "without --anyway); another machine or another Assay is only told. What recipes gave is "
        "asked for again by name, version and options, and got; --dry-run shows the plan of "
        "that. Then the run is made, and the answer is: same, differs (exit code "
        "6), or cannot tell (7). A RUN is as in `assay compare`; a record.json alone is enough.\n"
        "\n"
        "    assay reproduce 1f3a\n"
        "    assay reproduce record.json --dataset imagenet --dry-run\n"
        "    assay reproduce last --repeats 3 --json",
    .run = cmd_reproduce};
