/* The plan of a submission; see plan.h. */
#include "submit/plan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/tree.h"
#include "record/record.h"
#include "submit/planning.h"
#include "submit/tests.h"

static const char *id_of(const json_t *record)
{
    return tree_text(record, "id", "?");
}

/* ---- which record is what ---- */

int plan_scenario(const json_t *record)
{
    const char *name = tree_text(record, "scenario", "");

    for (int i = 0; i < SCENARIO_COUNT; i++)
        if (!strcmp(settings_scenario_names[i], name))
            return i;
    return -1;
}

int plan_classify(const json_t *record, enum submit_kind *kind, int *test, struct assay_err *err)
{
    const json_t *detail = json_object_get(json_object_get(record, "performance"), "detail");
    const char *mode = tree_text(record, "mode", "");

    *test = 0;
    *kind = SUBMIT_PERFORMANCE;
    if (!strcmp(mode, "submission"))
        return assay_fail(err, ASSAY_EUSAGE,
                          "record %s: mode submission writes both runs into one log; a tree needs "
                          "--mode performance and --mode accuracy",
                          id_of(record));
    if (!strcmp(mode, "accuracy")) {
        *kind = SUBMIT_ACCURACY;
        return ASSAY_OK;
    }
    if (tree_bool(detail, "effective_performance_issue_same", false))
        *test = 4;
    else if (tree_int(detail, "effective_accuracy_log_sampling_target", 0) > 0)
        *test = 1;
    if (*test)
        *kind = SUBMIT_COMPLIANCE;
    return ASSAY_OK;
}

static bool has_loadgen(const struct submit_round *round, const char *version)
{
    for (const char *const *v = round->loadgens; *v; v++)
        if (!strcmp(*v, version))
            return true;
    return false;
}

static int check_honest(const struct submit_plan *p, const json_t *record, struct assay_err *err)
{
    const json_t *synthetic = json_object_get(record, "synthetic");
    const char *profile = tree_text(record, "profile", "");
    const char *what = tree_bool(synthetic, "weights", false)   ? "weights"
                       : tree_bool(synthetic, "samples", false) ? "samples"
                                                                : NULL;

    if (p->ask.rehearsal)
        return ASSAY_OK;
    if (what)
        return assay_fail(err, ASSAY_EUSAGE,
                          "record %s: ran on synthetic %s, which is no submission; --rehearsal "
                          "builds the tree all the same, marked as one",
                          id_of(record), what);
    if (tree_bool(json_object_get(record, "dataset"), "unofficial", false))
        return assay_fail(err, ASSAY_EUSAGE,
                          "record %s: ran on a part of the official data set, or on other data; "
                          "a submission needs all of it (or --rehearsal)",
                          id_of(record));
    if (strncmp(profile, "official:", 9) || strcmp(profile + 9, p->round->name))
        return assay_fail(err, ASSAY_EUSAGE,
                          "record %s: its profile is %s; a submission needs --profile official:%s "
                          "(or --rehearsal)",
                          id_of(record), profile, p->round->name);
    return ASSAY_OK;
}

/* A benchmark may be run with models of which LoadGen knows each by its own rules. */
static int check_rules(const struct submit_plan *p, const json_t *record, struct assay_err *err)
{
    const char *benchmark = tree_text(record, "benchmark", "");
    const json_t *manifest = json_object_get(json_object_get(record, "model"), "manifest");
    const char *rules = tree_text(manifest, "loadgen_model", benchmark);
    const struct submit_model *model = submit_model_of(p->round, benchmark, 0);

    if (model && strcmp(model->loadgen, rules))
        return assay_fail(err, ASSAY_EUSAGE,
                          "record %s: is of %s, and round %s takes %s alone: leave it out",
                          id_of(record), rules, p->round->name, model->loadgen);
    return ASSAY_OK;
}

static int check_record(const struct submit_plan *p, const json_t *record, struct assay_err *err)
{
    const json_t *verdict = json_object_get(record, "verdict");
    const char *reason = json_string_value(json_array_get(json_object_get(verdict, "reasons"), 0));
    const char *version = tree_text(json_object_get(record, "loadgen"), "version", "?");
    enum submit_kind kind;
    int test, rc;

    if (record_is_of_logs(record))
        return assay_fail(err, ASSAY_EUSAGE,
                          "record %s: was made from LoadGen's logs alone (`assay results import`), "
                          "so its model, data set and machine are not known: submit the tree that "
                          "it came from, which `assay check` judges",
                          id_of(record));
    if (strcmp(tree_text(record, "status", ""), "done"))
        return assay_fail(err, ASSAY_EUSAGE, "record %s: the run did not come to its end: %.200s",
                          id_of(record),
                          tree_text(json_object_get(record, "error"), "text", "no error is given"));
    if (!tree_bool(verdict, "valid", false))
        return assay_fail(err, ASSAY_EUSAGE, "record %s: its verdict is INVALID: %.200s",
                          id_of(record), reason ? reason : "no reason is given");
    if (!has_loadgen(p->round, version))
        return assay_fail(err, ASSAY_EUSAGE,
                          "record %s: was run by LoadGen %s, which is not of round %s: run it "
                          "with --round %s, or --profile official:%s",
                          id_of(record), version, p->round->name, p->round->name, p->round->name);
    if (plan_scenario(record) < 0)
        return assay_fail(err, ASSAY_EUSAGE, "record %s: has no known scenario", id_of(record));
    if (p->network && !tree_bool(json_object_get(record, "engine"), "remote", false))
        return assay_fail(err, ASSAY_EUSAGE,
                          "record %s: its engine %s computes on the machine that LoadGen runs on; "
                          "the network division is for engines that compute on another",
                          id_of(record), tree_text(json_object_get(record, "engine"), "name", "?"));
    rc = check_rules(p, record, err);
    if (!rc)
        rc = plan_classify(record, &kind, &test, err);
    if (!rc && kind != SUBMIT_COMPLIANCE && !strcmp(tree_text(verdict, "word", ""), "AUDIT-VALID"))
        rc = assay_fail(err, ASSAY_EUSAGE,
                        "record %s: ran with audit settings (--audit-config), but is no TEST01 or "
                        "TEST04: no result can be made of it",
                        id_of(record));
    return rc ? rc : check_honest(p, record, err);
}

/* NULL is null: json_equal() holds NULL to be equal to nothing. */
static const json_t *fact_of(const json_t *record, const char *name)
{
    const json_t *fact = json_object_get(json_object_get(record, "system"), name);
    const json_t *value = json_object_get(fact, "value");

    return value ? value : json_null();
}

/* Kernels keep more or less of the memory for themselves. */
static bool same_fact(const json_t *x, const json_t *y, const char *name)
{
    if (json_is_number(x) && json_is_number(y) && !strcmp(name, "memory_bytes"))
        return fabs(json_number_value(x) - json_number_value(y)) <= 0.01 * json_number_value(x);
    return json_equal(x, y);
}

/* What of the machine bears on the figures, and stands in the description. */
static int check_machine(const json_t *a, const json_t *b, struct assay_err *err)
{
    static const char *const facts[] = {"processor", "sockets", "threads", "memory_bytes",
                                        "gpu_models"};

    for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++) {
        const json_t *x = fact_of(a, facts[i]), *y = fact_of(b, facts[i]);
        char *s, *t;

        if (same_fact(x, y, facts[i]))
            continue;
        s = json_dumps(x, JSON_ENCODE_ANY);
        t = json_dumps(y, JSON_ENCODE_ANY);
        assay_fail(err, ASSAY_EUSAGE,
                   "records %s and %s are of different machines (%s: %.80s and %.80s); submit them "
                   "one by one",
                   id_of(a), id_of(b), facts[i], s ? s : "?", t ? t : "?");
        free(s);
        free(t);
        return ASSAY_EUSAGE;
    }
    return ASSAY_OK;
}

/* One system: one machine, engine and device; of a benchmark one model, precision and data set. */
static int check_alike(const json_t *a, const json_t *b, struct assay_err *err)
{
    static const char *const parts[][2] = {
        {"engine", "name"}, {"engine", "version"}, {"engine", "device"},   {"engine", "precision"},
        {"model", "name"},  {"model", "sha256"},   {"model", "precision"}, {"dataset", "hash"}};
    const size_t of_benchmark = 3; /* and all behind it */
    bool same_benchmark = !strcmp(tree_text(a, "benchmark", ""), tree_text(b, "benchmark", ""));
    const char *x, *y;

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (i >= of_benchmark && !same_benchmark)
            break;
        x = tree_text(json_object_get(a, parts[i][0]), parts[i][1], "");
        y = tree_text(json_object_get(b, parts[i][0]), parts[i][1], "");
        if (strcmp(x, y))
            return assay_fail(err, ASSAY_EUSAGE,
                              "records %s and %s are of different systems (%s %s: %.60s and "
                              "%.60s); submit them one by one",
                              id_of(a), id_of(b), parts[i][0], parts[i][1], x, y);
    }
    return check_machine(a, b, err);
}

/* With every record that is in the plan: only those of its own benchmark show another model. */
static int check_with_all(const struct submit_plan *p, const json_t *record, struct assay_err *err)
{
    const json_t *other;
    size_t i;
    int rc = ASSAY_OK;

    json_array_foreach(p->records, i, other)
    {
        if (!rc)
            rc = check_alike(other, record, err);
    }
    return rc;
}

/* ---- slots ---- */

static int add_slot(struct submit_plan *p, const struct submit_slot *slot, struct assay_err *err)
{
    struct submit_slot *more = realloc(p->slots, (p->count + 1) * sizeof(*more));

    if (!more)
        return assay_fail(err, ASSAY_EFAIL, "not enough memory for the plan");
    p->slots = more;
    p->slots[p->count++] = *slot;
    return ASSAY_OK;
}

static int add_scenario(struct submit_plan *p, const char *benchmark,
                        const struct submit_model *model, int scenario, struct assay_err *err)
{
    struct submit_slot slot = {.benchmark = benchmark, .model = model, .scenario = scenario};
    int rc = add_slot(p, &slot, err);

    slot.kind = SUBMIT_ACCURACY;
    if (!rc)
        rc = add_slot(p, &slot, err);
    slot.kind = SUBMIT_COMPLIANCE;
    for (slot.test = 1; slot.test < SUBMIT_TESTS && !rc && p->closed; slot.test++)
        if (model->tests & SUBMIT_TEST(slot.test))
            rc = add_slot(p, &slot, err);
    return rc;
}

/* Scenarios of the benchmark that some record has. */
static unsigned scenarios_of(const json_t *records, const char *benchmark)
{
    unsigned seen = 0;
    json_t *r;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)records, i, r)
    {
        if (!strcmp(tree_text(r, "benchmark", ""), benchmark))
            seen |= 1u << plan_scenario(r);
    }
    return seen;
}

static int add_benchmark(struct submit_plan *p, const char *benchmark, struct assay_err *err)
{
    const struct submit_model *model = submit_model_of(p->round, benchmark, 0);
    unsigned seen = scenarios_of(p->records, benchmark), wanted, stray;
    int rc = ASSAY_OK;

    if (!model)
        return assay_fail(err, ASSAY_EUSAGE,
                          "Assay builds no submission of %s for round %s: leave its records out",
                          benchmark, p->round->name);
    wanted = p->closed ? submit_required(model, p->category) : seen;
    if (!wanted)
        return assay_fail(err, ASSAY_EUSAGE,
                          "round %s has no %s in the category %s; another --category, or "
                          "--division open",
                          p->round->name, benchmark, p->ask.category);
    stray = seen & ~wanted;
    for (int s = 0; s < SCENARIO_COUNT; s++)
        if (stray & 1u << s)
            return assay_fail(err, ASSAY_EUSAGE,
                              "%s is no scenario of %s in the category %s: leave its records out",
                              settings_scenario_names[s], benchmark, p->ask.category);
    for (int s = 0; s < SCENARIO_COUNT && !rc; s++)
        if (wanted & 1u << s)
            rc = add_scenario(p, benchmark, model, s, err);
    return rc;
}

static int add_benchmarks(struct submit_plan *p, struct assay_err *err)
{
    json_t *record;
    size_t i, k;
    int rc = ASSAY_OK;

    json_array_foreach(p->records, i, record)
    {
        const char *benchmark = tree_text(record, "benchmark", "");

        for (k = 0; k < p->count && strcmp(p->slots[k].benchmark, benchmark); k++)
            ;
        if (k == p->count)
            rc = add_benchmark(p, benchmark, err);
        if (rc)
            break;
    }
    return rc;
}

/* The engine's options that the user set; what a tuning set may differ from run to run. */
static const char *options_of(const json_t *record)
{
    const json_t *row = json_object_get(json_object_get(record, "settings"), "engine-options");
    const char *origin = tree_text(row, "origin", "");

    return strcmp(origin, settings_origin_name(SETTINGS_TUNED)) ? tree_text(row, "value", "") : "";
}

/* All runs of a scenario are of one implementation; only a rehearsal may mix them. */
static int check_options(const struct submit_plan *p, const struct submit_slot *slot,
                         const json_t *record, struct assay_err *err)
{
    for (size_t i = 0; i < p->count && !p->ask.rehearsal; i++) {
        const struct submit_slot *s = &p->slots[i];

        if (s->record && s->scenario == slot->scenario && !strcmp(s->benchmark, slot->benchmark) &&
            strcmp(options_of(s->record), options_of(record)))
            return assay_fail(err, ASSAY_EUSAGE,
                              "records %s and %s are of one scenario, but with other engine "
                              "options ('%.60s' and '%.60s')",
                              id_of(s->record), id_of(record), options_of(s->record),
                              options_of(record));
    }
    return ASSAY_OK;
}

static int fill(struct submit_plan *p, json_t *record, struct assay_err *err)
{
    enum submit_kind kind;
    int test, rc = plan_classify(record, &kind, &test, err);
    char name[100];

    for (size_t i = 0; i < p->count && !rc; i++) {
        struct submit_slot *s = &p->slots[i];

        if (s->kind != kind || s->test != test || s->scenario != plan_scenario(record) ||
            strcmp(s->benchmark, tree_text(record, "benchmark", "")))
            continue;
        submit_slot_name(s, name, sizeof(name));
        if (s->record)
            return assay_fail(err, ASSAY_EUSAGE, "records %s and %s are both %s: give one",
                              id_of(s->record), id_of(record), name);
        rc = check_options(p, s, record, err);
        s->record = rc ? NULL : json_incref(record);
        return rc;
    }
    if (!rc)
        rc =
            assay_fail(err, ASSAY_EUSAGE,
                       "record %s: TEST%02d is not wanted of %s in round %s, division %s: leave it "
                       "out",
                       id_of(record), test, tree_text(record, "benchmark", ""), p->round->name,
                       p->ask.division);
    return rc;
}

static int set_frame(struct submit_plan *p, struct assay_err *err)
{
    p->round = submit_round_find(p->ask.round);
    p->network = !strcmp(p->ask.division, "network");
    p->closed = p->network || !strcmp(p->ask.division, "closed");
    p->category = (strstr(p->ask.category, "datacenter") ? SUBMIT_DATACENTER : 0u) |
                  (strstr(p->ask.category, "edge") ? SUBMIT_EDGE : 0u);
    if (!p->round)
        return assay_fail(err, ASSAY_EUSAGE, "round '%s' is not known here (v6.1, v6.0, v5.1)",
                          p->ask.round);
    return ASSAY_OK;
}

int submit_plan_create(const struct submit_request *ask, const json_t *records,
                       struct submit_plan *p, struct assay_err *err)
{
    json_t *record;
    size_t i;
    int rc;

    *p = (struct submit_plan){.ask = *ask, .records = json_array()};
    rc = set_frame(p, err);
    json_array_foreach((json_t *)(uintptr_t)records, i, record)
    {
        if (!rc)
            rc = check_record(p, record, err);
        if (!rc)
            rc = check_with_all(p, record, err);
        if (!rc)
            json_array_append(p->records, record);
    }
    if (!rc)
        rc = add_benchmarks(p, err);
    json_array_foreach(p->records, i, record)
    {
        if (!rc)
            rc = fill(p, record, err);
    }
    if (rc)
        submit_plan_release(p);
    return rc;
}

void submit_plan_release(struct submit_plan *p)
{
    for (size_t i = 0; i < p->count; i++)
        json_decref(p->slots[i].record);
    free(p->slots);
    json_decref(p->records);
    *p = (struct submit_plan){.records = NULL};
}

void submit_slot_name(const struct submit_slot *slot, char *out, size_t size)
{
    char test[16];

    snprintf(test, sizeof(test), "TEST%02d", slot->test);
    snprintf(out, size, "%s %s %s", slot->benchmark, settings_scenario_names[slot->scenario],
             slot->kind == SUBMIT_PERFORMANCE ? "performance"
             : slot->kind == SUBMIT_ACCURACY  ? "accuracy"
                                              : test);
}

int submit_slot_take(struct submit_plan *p, struct submit_slot *slot, json_t *record,
                     struct assay_err *err)
{
    enum submit_kind kind;
    char name[100];
    int test, rc = check_record(p, record, err);

    if (!rc)
        rc = check_with_all(p, record, err);
    if (!rc)
        rc = plan_classify(record, &kind, &test, err);
    if (rc)
        return rc;
    submit_slot_name(slot, name, sizeof(name));
    if (kind != slot->kind || test != slot->test || plan_scenario(record) != slot->scenario ||
        strcmp(slot->benchmark, tree_text(record, "benchmark", "")))
        return assay_fail(err, ASSAY_EFAIL, "record %s: LoadGen did not run it as %s",
                          id_of(record), name);
    json_array_append(p->records, record);
    slot->record = json_incref(record);
    return ASSAY_OK;
}

static int read_detail(const json_t *record, struct detail *d)
{
    char *path = file_join(tree_text(record, "folder", ""), "mlperf_log_detail.txt");
    int rc = path ? detail_read(path, d, NULL) : ASSAY_EFAIL;

    free(path);
    return rc;
}

bool submit_slot_fits(const struct submit_plan *p, const struct submit_slot *slot,
                      const json_t *record, char *words, size_t size)
{
    const json_t *run = NULL;
    struct detail reference = {0}, d = {0};
    bool fits = true;

    for (size_t i = 0; i < p->count && slot->kind == SUBMIT_COMPLIANCE; i++)
        if (p->slots[i].kind == SUBMIT_PERFORMANCE && p->slots[i].scenario == slot->scenario &&
            !strcmp(p->slots[i].benchmark, slot->benchmark))
            run = p->slots[i].record;
    if (run && !read_detail(run, &reference) && !read_detail(record, &d))
        fits = submit_test_compare(slot->test, &reference, &d, words, size);
    detail_release(&reference);
    detail_release(&d);
    return fits;
}
