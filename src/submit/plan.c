/* The plan of a submission; see plan.h. */
#include "submit/plan.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/tree.h"
#include "submit/tests.h"

static const char *id_of(const json_t *record)
{
    return tree_text(record, "id", "?");
}

/* ---- which record is what ---- */

static int scenario_of(const json_t *record)
{
    const char *name = tree_text(record, "scenario", "");

    for (int i = 0; i < SCENARIO_COUNT; i++)
        if (!strcmp(settings_scenario_names[i], name))
            return i;
    return -1;
}

/* By what LoadGen logged, not by what the run was meant to be. */
static int classify(const json_t *record, enum submit_kind *kind, int *test, struct assay_err *err)
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
    if (strncmp(profile, "official:", 9) || strcmp(profile + 9, p->round->name))
        return assay_fail(err, ASSAY_EUSAGE,
                          "record %s: its profile is %s; a submission needs --profile official:%s "
                          "(or --rehearsal)",
                          id_of(record), profile, p->round->name);
    return ASSAY_OK;
}

static int check_record(const struct submit_plan *p, const json_t *record, struct assay_err *err)
{
    const json_t *verdict = json_object_get(record, "verdict");
    const char *reason = json_string_value(json_array_get(json_object_get(verdict, "reasons"), 0));
    const char *version = tree_text(json_object_get(record, "loadgen"), "version", "?");

    if (strcmp(tree_text(record, "status", ""), "done"))
        return assay_fail(err, ASSAY_EUSAGE, "record %s: the run did not come to its end: %.200s",
                          id_of(record),
                          tree_text(json_object_get(record, "error"), "text", "no error is given"));
    if (!tree_bool(verdict, "valid", false))
        return assay_fail(err, ASSAY_EUSAGE, "record %s: its verdict is INVALID: %.200s",
                          id_of(record), reason ? reason : "no reason is given");
    if (!has_loadgen(p->round, version))
        return assay_fail(err, ASSAY_EUSAGE,
                          "record %s: was run by LoadGen %s, which is not of round %s",
                          id_of(record), version, p->round->name);
    if (scenario_of(record) < 0)
        return assay_fail(err, ASSAY_EUSAGE, "record %s: has no known scenario", id_of(record));
    return check_honest(p, record, err);
}

/* One system: one machine, engine and device; of a benchmark one model. */
static int check_alike(const json_t *a, const json_t *b, struct assay_err *err)
{
    static const char *const parts[][2] = {{"engine", "name"},
                                           {"engine", "version"},
                                           {"engine", "device"},
                                           {"model", "sha256"},
                                           {"model", "name"}};
    bool same_benchmark = !strcmp(tree_text(a, "benchmark", ""), tree_text(b, "benchmark", ""));
    const char *x, *y;

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (!strcmp(parts[i][0], "model") && !same_benchmark)
            continue;
        x = tree_text(json_object_get(a, parts[i][0]), parts[i][1], "");
        y = tree_text(json_object_get(b, parts[i][0]), parts[i][1], "");
        if (strcmp(x, y))
            return assay_fail(err, ASSAY_EUSAGE,
                              "records %s and %s are of different systems (%s %s: %.60s and "
                              "%.60s); submit them one by one",
                              id_of(a), id_of(b), parts[i][0], parts[i][1], x, y);
    }
    x = tree_text(json_object_get(json_object_get(a, "system"), "processor"), "value", "");
    y = tree_text(json_object_get(json_object_get(b, "system"), "processor"), "value", "");
    if (strcmp(x, y))
        return assay_fail(err, ASSAY_EUSAGE,
                          "records %s and %s are of different machines (%.80s and %.80s); submit "
                          "them one by one",
                          id_of(a), id_of(b), x, y);
    return ASSAY_OK;
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
            seen |= 1u << scenario_of(r);
    }
    return seen;
}

static int add_benchmark(struct submit_plan *p, const char *benchmark, struct assay_err *err)
{
    const struct submit_model *model = submit_model_of(p->round, benchmark, 0);
    unsigned seen = scenarios_of(p->records, benchmark), wanted, stray;
    int rc = ASSAY_OK;

    if (!model)
        return assay_fail(err, ASSAY_EUSAGE, "round %s has no %s", p->round->name, benchmark);
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
    int test, rc = classify(record, &kind, &test, err);
    char name[100];

    for (size_t i = 0; i < p->count && !rc; i++) {
        struct submit_slot *s = &p->slots[i];

        if (s->kind != kind || s->test != test || s->scenario != scenario_of(record) ||
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
        if (!rc && i)
            rc = check_alike(json_array_get(records, 0), record, err);
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

    if (!rc && json_array_size(p->records))
        rc = check_alike(json_array_get(p->records, 0), record, err);
    if (!rc)
        rc = classify(record, &kind, &test, err);
    if (rc)
        return rc;
    submit_slot_name(slot, name, sizeof(name));
    if (kind != slot->kind || test != slot->test || scenario_of(record) != slot->scenario ||
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

/* ---- the settings of a missing run ---- */

/* The record whose settings come nearest: of the scenario, then a performance run. */
static const json_t *nearest(const struct submit_plan *p, const struct submit_slot *slot)
{
    const json_t *best = NULL;
    int best_rank = -1, test;
    enum submit_kind kind;
    json_t *r;
    size_t i;

    json_array_foreach(p->records, i, r)
    {
        if (strcmp(tree_text(r, "benchmark", ""), slot->benchmark) ||
            classify(r, &kind, &test, NULL))
            continue;
        int rank = (scenario_of(r) == slot->scenario ? 2 : 0) + (kind == SUBMIT_PERFORMANCE);

        if (rank > best_rank) {
            best = r;
            best_rank = rank;
        }
    }
    return best;
}

/* Settings that are the slot's own affair, or the caller's. */
static bool is_own(const char *name)
{
    static const char *const names[] = {"scenario", "mode",         "profile",  "round",   "store",
                                        "cache",    "progress",     "json",     "dry-run", "tag",
                                        "tune",     "audit-config", "user-conf"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (!strcmp(names[i], name))
            return true;
    return false;
}

/* What the user had set, and the Server's rate, which is searched for once. */
static int copy_row(const struct submit_slot *slot, const struct settings *from,
                    const struct settings_row *row, bool same_scenario, struct settings *to,
                    struct assay_err *err)
{
    int origin = settings_origin_of(from, row->name);
    bool rate = !strcmp(row->name, "target-qps") && slot->scenario == SERVER && same_scenario &&
                slot->kind == SUBMIT_COMPLIANCE && from->target_qps > 0;
    char value[4096];

    if (is_own(row->name) || (origin <= SETTINGS_MEASURED && !rate))
        return ASSAY_OK;
    if (row->group == GROUP_LOADGEN && !same_scenario && strcmp(row->name, "min-duration-ms"))
        return ASSAY_OK;
    settings_text(from, row, value, sizeof(value));
    return settings_set(to, row->name, value, SETTINGS_CLI, row->name, err);
}

static int copy_settings(const struct submit_slot *slot, const json_t *record, struct settings *to,
                         struct assay_err *err)
{
    struct settings from;
    size_t i, n;
    const struct settings_row *rows = settings_rows(&n);
    int rc = settings_from_json(&from, json_object_get(record, "settings"), err);

    if (rc)
        return rc;
    for (i = 0; i < n && !rc; i++)
        rc = copy_row(slot, &from, &rows[i], scenario_of(record) == slot->scenario, to, err);
    settings_release(&from);
    return rc;
}

static int write_audit(const struct submit_slot *slot, const char *folder, struct settings *s,
                       struct assay_err *err)
{
    char path[1200];
    struct text config;
    int rc = ASSAY_OK;

    snprintf(path, sizeof(path), "%s%sTEST%02d-%s.config", folder ? folder : "", folder ? "/" : "",
             slot->test, slot->benchmark);
    text_init(&config, 4096);
    if (!submit_test_config(slot->model, slot->test, &config))
        rc = assay_fail(err, ASSAY_EUNSUPPORTED, "TEST%02d of %s cannot be run here", slot->test,
                        slot->benchmark);
    else if (folder)
        rc = file_write_whole(path, config.s, config.len, err);
    text_release(&config);
    return rc ? rc : settings_set(s, "audit-config", path, SETTINGS_CLI, "audit-config", err);
}

static int set(struct settings *s, const char *name, const char *value, struct assay_err *err)
{
    return settings_set(s, name, value, SETTINGS_CLI, name, err);
}

static int set_count(struct settings *s, const char *name, int64_t value, struct assay_err *err)
{
    char text[32];

    snprintf(text, sizeof(text), "%lld", (long long)value);
    return set(s, name, text, err);
}

/* A rehearsal's runs are short, but have all the samples that the checker counts. */
static int set_profile(const struct submit_plan *p, const struct submit_slot *slot,
                       struct settings *s, struct assay_err *err)
{
    char profile[40];
    int rc;

    snprintf(profile, sizeof(profile), "official:%s", p->round->name);
    if (!p->ask.rehearsal)
        return set(s, "profile", profile, err);
    rc = set(s, "round", p->round->name, err);
    if (!rc && slot->kind != SUBMIT_ACCURACY && p->ask.min_duration_ms > 0)
        rc = set_count(s, "min-duration-ms", p->ask.min_duration_ms, err);
    if (!rc && slot->kind != SUBMIT_ACCURACY && slot->scenario == OFFLINE)
        rc = set_count(s, "min-query-count", (int64_t)slot->model->offline_samples, err);
    return rc;
}

int submit_slot_settings(const struct submit_plan *p, const struct submit_slot *slot,
                         const char *folder, struct settings *s, struct assay_err *err)
{
    const json_t *record = nearest(p, slot);
    int rc = settings_init(s, err);

    if (rc)
        return rc;
    rc = copy_settings(slot, record, s, err);
    if (!rc)
        rc = set(s, "benchmark", slot->benchmark, err);
    if (!rc)
        rc = set(s, "scenario", settings_scenario_names[slot->scenario], err);
    if (!rc)
        rc = set(s, "mode", slot->kind == SUBMIT_ACCURACY ? "accuracy" : "performance", err);
    if (!rc)
        rc = set_profile(p, slot, s, err);
    if (!rc && slot->kind == SUBMIT_COMPLIANCE)
        rc = write_audit(slot, folder, s, err);
    if (rc)
        settings_release(s);
    return rc;
}

/* 'as a shell wants it', where it must be. */
static void add_word(struct text *out, const char *word)
{
    if (*word && !word[strspn(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                    "0123456789._+-/:=,@%")]) {
        text_add(out, word);
        return;
    }
    text_add(out, "'");
    for (; *word; word++) {
        if (*word == '\'')
            text_add(out, "'\\''");
        else
            text_addn(out, word, 1);
    }
    text_add(out, "'");
}

void submit_settings_command(const struct settings *s, struct text *out)
{
    size_t i, n;
    const struct settings_row *rows = settings_rows(&n);
    char value[4096];

    text_add(out, "assay run ");
    add_word(out, s->benchmark ? s->benchmark : "");
    for (i = 0; i < n; i++) {
        if (settings_origin_of(s, rows[i].name) != SETTINGS_CLI ||
            !strcmp(rows[i].name, "benchmark"))
            continue;
        settings_text(s, &rows[i], value, sizeof(value));
        if (rows[i].type == SETTINGS_BOOL) {
            text_addf(out, " --%s%s", strcmp(value, "true") ? "no-" : "", rows[i].name);
            continue;
        }
        text_addf(out, " --%s ", rows[i].name);
        add_word(out, value);
    }
}
