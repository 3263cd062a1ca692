/* The settings of runs that a plan still wants.
 *
 * They are those of the nearest record: what its user had set, and nothing that was measured, tuned
 * or taken from the profile, for these are found again.  One figure is carried over: the rate that
 * a Server's performance run found, at which its compliance tests are held. */
#include <string.h>

#include "base/file.h"
#include "base/tree.h"
#include "submit/planning.h"
#include "submit/tests.h"

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
            plan_classify(r, &kind, &test, NULL))
            continue;
        int rank = (plan_scenario(r) == slot->scenario ? 2 : 0) + (kind == SUBMIT_PERFORMANCE);

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

/* What makes a system, whatever chose it: other runs of it must have the same. */
static bool is_system(const char *name)
{
    return !strcmp(name, "model") || !strcmp(name, "engine") || !strcmp(name, "device") ||
           !strcmp(name, "precision");
}

/* What the user had set, the system, and the Server's rate, which is searched for once. */
static int copy_row(const struct submit_slot *slot, const struct settings *from,
                    const struct settings_row *row, bool same_scenario, struct settings *to,
                    struct assay_err *err)
{
    int origin = settings_origin_of(from, row->name);
    bool rate = !strcmp(row->name, "target-qps") && slot->scenario == SERVER && same_scenario &&
                slot->kind == SUBMIT_COMPLIANCE && from->target_qps > 0;
    char value[4096];

    if (is_own(row->name) || (origin <= SETTINGS_MEASURED && !rate && !is_system(row->name)))
        return ASSAY_OK;
    if (row->group == GROUP_LOADGEN && !same_scenario && strcmp(row->name, "min-duration-ms"))
        return ASSAY_OK;
    settings_text(from, row, value, sizeof(value));
    return *value ? settings_set(to, row->name, value, SETTINGS_CLI, row->name, err) : ASSAY_OK;
}

static int copy_settings(const struct submit_slot *slot, const json_t *record, struct settings *to,
                         struct assay_err *err)
{
    struct settings from;
    size_t i, n;
    const struct settings_row *rows = settings_rows(&n);
    int rc = settings_of_record(&from, record, err);

    if (rc)
        return rc;
    for (i = 0; i < n && !rc; i++)
        rc = copy_row(slot, &from, &rows[i], plan_scenario(record) == slot->scenario, to, err);
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

int submit_record_settings(const struct submit_plan *p, const struct submit_slot *slot,
                           struct settings *s, struct assay_err *err)
{
    struct settings own;
    size_t i, n;
    const struct settings_row *rows = settings_rows(&n);
    char value[4096];
    int rc = submit_slot_settings(p, slot, NULL, s, err);

    if (rc)
        return rc;
    rc = settings_from_json(&own, json_object_get(slot->record, "settings"), err);
    for (i = 0; i < n && !rc; i++) {
        int origin = settings_origin_of(&own, rows[i].name);

        if ((origin != SETTINGS_TUNED && origin != SETTINGS_MEASURED) || is_own(rows[i].name))
            continue;
        settings_text(&own, &rows[i], value, sizeof(value));
        rc = settings_set(s, rows[i].name, value, SETTINGS_CLI, rows[i].name, err);
    }
    settings_release(&own);
    if (rc)
        settings_release(s);
    return rc;
}

void submit_settings_command(const struct settings *s, struct text *out)
{
    size_t i, n;
    const struct settings_row *rows = settings_rows(&n);
    char value[4096];

    text_add(out, "assay run ");
    text_add_word(out, s->benchmark ? s->benchmark : "");
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
        text_add_word(out, value);
    }
}
