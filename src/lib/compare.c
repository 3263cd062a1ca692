/* Comparisons of records and of runs made again; see compare.h. */
#include "lib/compare.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/tree.h"
#include "record/record.h"
#include "report/compare.h"
#include "report/differ.h"
#include "run/run.h"
#include "run/words.h"

#define RULES_MAX 16

static int open_record(const char *name, const struct settings *own, struct again_made *out,
                       struct assay_err *err)
{
    char *store = file_store_at(own->store);
    int rc = store ? record_open(store, name, &out->dir, &out->record, err)
                   : assay_fail(err, ASSAY_EFAIL, "not enough memory");

    free(store);
    return rc;
}

static struct compare_run as_run(const struct again_made *a)
{
    return (struct compare_run){a->record, a->dir};
}

/* ---- compare ---- */

static int read_rules(const char *const *texts, struct rule rules[], size_t *n,
                      struct assay_err *err)
{
    int rc = ASSAY_OK;

    for (*n = 0; !rc && texts && texts[*n]; (*n)++)
        rc = *n == RULES_MAX ? assay_fail(err, ASSAY_EUSAGE, "at most %d rules", RULES_MAX)
                             : rule_parse(texts[*n], &rules[*n], err);
    return rc;
}

/* Runs of both sides, made again. */
struct repeats {
    struct again_made *made[2];
    size_t count;
};

/* A B, B A, A B …: what drifts slowly falls on both alike. */
static size_t side_at(size_t repeat, size_t k)
{
    return (repeat + k) % 2;
}

static int run_all(size_t n, const struct again_made side[2], const struct lib_runner *with,
                   struct repeats *r, struct assay_err *err)
{
    char what[80];
    int rc = ASSAY_OK;

    for (size_t k = 0; k < 2; k++)
        r->made[k] = calloc(n, sizeof(*r->made[k]));
    if (!r->made[0] || !r->made[1])
        return assay_fail(err, ASSAY_EFAIL, "not enough memory to compare");
    for (size_t i = 0; i < n && !rc; i++) {
        r->count = i + 1;
        for (size_t k = 0; k < 2 && !rc; k++) {
            size_t which = side_at(i, k);

            snprintf(what, sizeof(what), "repeat %zu of %zu: %s", i + 1, n, which ? "B" : "A");
            rc = again_run(side[which].record, with->own, what, with->argc, with->argv,
                           &r->made[which][i], err);
        }
    }
    return rc;
}

static void release_repeats(struct repeats *r)
{
    for (size_t k = 0; k < 2; k++) {
        for (size_t i = 0; r->made[k] && i < r->count; i++)
            again_release(&r->made[k][i]);
        free(r->made[k]);
    }
}

/* What a run made again no longer has in common with its record, but for the machine. */
static void add_changed(const char *side, const json_t *record, const json_t *again, json_t *out)
{
    json_t *list = differ_records(record, again), *d;
    size_t i;

    json_array_foreach(list, i, d)
    {
        if (strcmp(tree_text(d, "kind", ""), "machine") != 0)
            json_array_append_new(out, json_sprintf("%s made again differs from its record in %s",
                                                    side, tree_text(d, "what", "?")));
    }
    json_decref(list);
}

static int compare(const struct again_made side[2], const struct repeats *r,
                   const struct rule *rules, size_t rule_count, json_t **result,
                   struct assay_err *err)
{
    struct compare_run *runs[2] = {NULL, NULL};
    struct compare_side sides[2];
    size_t n = r->count ? r->count : 1;
    int rc = ASSAY_OK;

    for (size_t k = 0; k < 2; k++) {
        runs[k] = calloc(n, sizeof(*runs[k]));
        for (size_t i = 0; runs[k] && i < n; i++)
            runs[k][i] = as_run(r->count ? &r->made[k][i] : &side[k]);
        sides[k] = (struct compare_side){as_run(&side[k]), runs[k], n};
    }
    if (!runs[0] || !runs[1])
        rc = assay_fail(err, ASSAY_EFAIL, "not enough memory to compare");
    if (!rc)
        rc = compare_records(&sides[0], &sides[1], rules, rule_count, result, err);
    free(runs[0]);
    free(runs[1]);
    return rc;
}

/* Both sides are open. */
static int repeat_and_compare(const struct lib_compare_ask *ask, const struct lib_runner *with,
                              const struct again_made side[2], const struct rule *rules,
                              size_t rule_count, json_t **result, struct assay_err *err)
{
    json_t *changed = json_array();
    struct repeats r = {{NULL, NULL}, 0};
    int rc = ask->repeats ? run_all(ask->repeats, side, with, &r, err) : ASSAY_OK;

    for (size_t k = 0; k < 2 && !rc && r.count; k++)
        add_changed(k ? "B" : "A", side[k].record, r.made[k][0].record, changed);
    if (!rc)
        rc = compare(side, &r, rules, rule_count, result, err);
    if (!rc && r.count)
        json_object_set(*result, "changed", changed);
    json_decref(changed);
    release_repeats(&r);
    return rc;
}

/* The rules and both records, which are the caller's, also after an error. */
static int open_both(const struct lib_compare_ask *ask, const struct settings *own,
                     struct again_made side[2], struct rule rules[], size_t *n,
                     struct assay_err *err)
{
    int rc = read_rules(ask->rules, rules, n, err);

    if (!rc && ask->repeats && (ask->repeats < 2 || ask->repeats > LIB_REPEATS_MAX))
        rc = assay_fail(err, ASSAY_EUSAGE, "repeats: 2 to %d", LIB_REPEATS_MAX);
    if (!rc)
        rc = open_record(ask->a, own, &side[0], err);
    if (!rc)
        rc = open_record(ask->b, own, &side[1], err);
    return rc ? rc : compare_check(side[0].record, side[1].record, rules, *n, err);
}

static int plan_side(const char *name, const json_t *record, const struct settings *own,
                     json_t *plan, struct assay_err *err)
{
    struct settings s;
    int rc = again_settings(record, own, &s, err);

    if (rc)
        return rc;
    json_array_append_new(json_object_get(plan, "runs"),
                          json_pack("{s:s, s:s, s:o}", "side", name, "id",
                                    tree_text(record, "id", "?"), "command", words_of(&s)));
    rc = run_wants(&s, plan, err);
    settings_release(&s);
    return rc;
}

int lib_compare_plan(const struct lib_compare_ask *ask, const struct settings *own, json_t **plan,
                     struct assay_err *err)
{
    static const char *const names[] = {"A", "B"};
    struct again_made side[2] = {{NULL, NULL}, {NULL, NULL}};
    json_t *made = json_pack("{s:[], s:[], s:[], s:[]}", "runs", "order", "get", "steps");
    struct rule rules[RULES_MAX];
    size_t n;
    int rc = open_both(ask, own, side, rules, &n, err);

    for (size_t k = 0; k < 2 && !rc && ask->repeats; k++)
        rc = plan_side(names[k], side[k].record, own, made, err);
    for (size_t i = 0; i < 2 * ask->repeats; i++)
        json_array_append_new(json_object_get(made, "order"),
                              json_string(names[side_at(i / 2, i % 2)]));
    again_release(&side[0]);
    again_release(&side[1]);
    if (rc)
        json_decref(made);
    else
        *plan = made;
    return rc;
}

int lib_compare(const struct lib_compare_ask *ask, const struct lib_runner *with, json_t **result,
                struct assay_err *err)
{
    struct again_made side[2] = {{NULL, NULL}, {NULL, NULL}};
    struct rule rules[RULES_MAX];
    size_t n;
    int rc = open_both(ask, with->own, side, rules, &n, err);

    if (!rc)
        rc = repeat_and_compare(ask, with, side, rules, n, result, err);
    again_release(&side[0]);
    again_release(&side[1]);
    return rc;
}

/* ---- reproduce ---- */

/* Of what differs before the run: what makes it another run.  Our own program and the machine may
 * be others. */
static bool stops(const json_t *difference)
{
    const char *what = tree_text(difference, "what", ""), *kind = tree_text(difference, "kind", "");

    if (!strcmp(kind, "software"))
        return !strcmp(what, "engine.version") || !strcmp(what, "engine.library_sha256") ||
               !strncmp(what, "loadgen.", 8);
    /* The data set's hash says whether it is another; its name has that of the folder. */
    return strcmp(kind, "machine") != 0 && strcmp(what, "dataset.name") != 0;
}

static void forget(struct lib_again *again)
{
    json_decref(again->changed);
    json_decref(again->missing);
    json_decref(again->get);
    json_decref(again->command);
    again->changed = again->missing = again->get = again->command = NULL;
}

int lib_reproduce_look_again(struct lib_again *again, const struct settings *own,
                             struct assay_err *err)
{
    const json_t *record = again->original.record;
    json_t *now = NULL, *d;
    struct settings s;
    size_t i;
    int rc = again_settings(record, own, &s, err);

    if (rc)
        return rc;
    forget(again);
    again->missing = json_array();
    again->get = json_array();
    again->command = words_of(&s);
    rc = again_now(record, &s, &now, again->missing, again->get, err);
    settings_release(&s);
    if (rc)
        return rc;
    again->changed = differ_records(record, now);
    again_lock_differs(record, now, again->changed);
    json_decref(now);
    json_array_foreach(again->changed, i, d)
        json_object_set_new(d, "stops", json_boolean(stops(d)));
    return ASSAY_OK;
}

int lib_reproduce_look(const char *name, const struct settings *own, struct lib_again *again,
                       struct assay_err *err)
{
    int rc;

    memset(again, 0, sizeof(*again));
    rc = open_record(name, own, &again->original, err);
    if (!rc)
        rc = compare_check(again->original.record, again->original.record, NULL, 0, err);
    return rc ? rc : lib_reproduce_look_again(again, own, err);
}

void lib_reproduce_release(struct lib_again *again)
{
    forget(again);
    again_release(&again->original);
}

size_t lib_reproduce_stops(const struct lib_again *again)
{
    const json_t *d;
    size_t i, n = 0;

    json_array_foreach(again->changed, i, d) n += tree_bool(d, "stops", false);
    return n;
}

/* The comparison's word as an answer. */
static const char *answer_of(const json_t *comparison)
{
    const char *word = tree_text(comparison, "verdict", "");

    return !strcmp(word, COMPARE_SAME)     ? LIB_SAME
           : !strcmp(word, COMPARE_UNSURE) ? LIB_UNSURE
                                           : LIB_DIFFERS;
}

int lib_reproduce(const struct lib_again *again, size_t n, const struct lib_runner *with,
                  json_t **result, struct assay_err *err)
{
    const struct again_made *original = &again->original;
    struct again_made *made = calloc(n, sizeof(*made));
    struct compare_run *runs = calloc(n, sizeof(*runs)), first = as_run(original);
    struct compare_side a = {first, &first, 1};
    json_t *comparison = NULL;
    char what[80];
    int rc = made && runs ? ASSAY_OK : assay_fail(err, ASSAY_EFAIL, "not enough memory");

    for (size_t i = 0; i < n && !rc; i++) {
        snprintf(what, sizeof(what), "run %zu of %zu", i + 1, n);
        rc = again_run(original->record, with->own, what, with->argc, with->argv, &made[i], err);
        runs[i] = as_run(&made[i]);
    }
    if (!rc)
        rc = compare_records(&a, &(struct compare_side){runs[0], runs, n}, NULL, 0, &comparison,
                             err);
    if (!rc)
        *result = json_pack("{s:s, s:O, s:O}", "answer", answer_of(comparison), "comparison",
                            comparison, "changed", again->changed);
    json_decref(comparison);
    for (size_t i = 0; made && i < n; i++)
        again_release(&made[i]);
    free(made);
    free(runs);
    return rc;
}
