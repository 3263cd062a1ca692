/* A submission from beginning to end; see submit.h. */
#include "lib/submit.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/text.h"
#include "base/tree.h"
#include "record/record.h"
#include "record/several.h"
#include "record/system.h"
#include "run/bench.h"
#include "run/progress.h"
#include "run/run.h"
#include "run/supply.h"
#include "submit/build.h"
#include "submit/check.h"
#include "submit/system.h"
#include "submit/tests.h"

#define TAG "submit " /* before what a run was made for */

struct job {
    const struct lib_submit_ask *ask;
    const struct lib_runner *with;
    struct submit_plan plan;
    json_t *facts;
    const char *out;
    char *store;
    char *folder;  /* of audit.config files: in the store, so that a record can be repeated */
    json_t *bases; /* ids of the records that were given, without those that submit had made */
    int64_t began;
    json_t *rows; /* of the store, NULL: none */
    struct assay_err *err;
};

static void say(const struct job *j, const char *fmt, ...) ASSAY_PRINTF(2, 3);
static void say(const struct job *j, const char *fmt, ...)
{
    char line[300];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    progress_line(j->with->own->progress, "submit", (double)(clock_ns() - j->began) * 1e-9, line);
}

/* ---- what was asked for ---- */

/* ", --name" for what is missing; "" else. */
static const char *or_missing(const char *value, const char *text)
{
    return value && *value ? "" : text;
}

static int check_all_there(const struct submit_request *r, struct assay_err *err)
{
    char list[160];

    snprintf(list, sizeof(list), "%s%s%s%s", or_missing(r->division, ", --division"),
             or_missing(r->category, ", --category"), or_missing(r->round, ", --round"),
             or_missing(r->submitter, ", --submitter"));
    return *list ? assay_fail(err, ASSAY_EUSAGE, "a submission wants %s", list + 2) : ASSAY_OK;
}

static int check_word(const char *name, const char *value, const char *const *words,
                      struct assay_err *err)
{
    char list[80] = "";

    for (const char *const *w = words; *w; w++) {
        size_t n = strlen(list);

        if (!strcmp(*w, value))
            return ASSAY_OK;
        snprintf(list + n, sizeof(list) - n, "%s%s", n ? ", " : "", *w);
    }
    return assay_fail(err, ASSAY_EUSAGE, "--%s cannot be '%.60s'; it is one of: %s", name, value,
                      list);
}

int lib_submit_check(const struct lib_submit_ask *ask, struct assay_err *err)
{
    static const char *const divisions[] = {"closed", "open", "network", NULL};
    static const char *const categories[] = {"edge", "datacenter", "both", NULL};
    const struct submit_request *r = &ask->request;
    char slug[61];
    int rc = check_all_there(r, err);

    if (!rc)
        rc = check_word("division", r->division, divisions, err);
    if (!rc)
        rc = check_word("category", r->category, categories, err);
    if (rc)
        return rc;
    if (!submit_round_find(r->round))
        return assay_fail(err, ASSAY_EUSAGE, "--round: '%.40s' is not known here", r->round);
    submit_slug(r->submitter, slug, sizeof(slug));
    if (strcmp(slug, r->submitter))
        return assay_fail(err, ASSAY_EUSAGE,
                          "--submitter '%.100s': it names a folder, so at most 60 letters, digits, "
                          "'.', '_', '+' and '-'",
                          r->submitter);
    if (r->min_duration_ms < 0 || r->min_duration_ms > 3600000)
        return assay_fail(err, ASSAY_EUSAGE, "--min-duration-ms: 1 to 3600000");
    if (r->min_duration_ms && !r->rehearsal)
        return assay_fail(err, ASSAY_EUSAGE, "--min-duration-ms goes with --rehearsal only");
    return ASSAY_OK;
}

/* The ids that a run made here was made for, from its tag "submit ID,ID HASH"; NULL: another tag.
 */
static json_t *bases_of(const json_t *record)
{
    const char *tag = tree_text(record, "tag", "");
    size_t n = sizeof(TAG) - 1, ids;

    if (strncmp(tag, TAG, n) || !(ids = strspn(tag + n, "0123456789abcdef,")) ||
        tag[n + ids] != ' ')
        return NULL;
    char *text = strndup(tag + n, ids);
    json_t *list = list_split(text);

    free(text);
    return list;
}

static void add_record(json_t *records, json_t *bases, json_t *record)
{
    const char *id = tree_text(record, "id", "?");
    json_t *of_ours = bases_of(record), *other;
    char base[9];
    size_t i;

    snprintf(base, sizeof(base), "%s", id);
    if (!of_ours && !list_holds(bases, base))
        json_array_append_new(bases, json_string(base));
    json_decref(of_ours);
    json_array_foreach(records, i, other)
    {
        if (!strcmp(tree_text(other, "id", ""), id))
            return;
    }
    json_array_append(records, record);
}

/* Those that were named; before each that is a run of ours, those that it was made for, as `last`
 * is one when submit was killed. */
static int read_records(struct job *j, json_t **records)
{
    json_t *named = NULL, *record, *bases, *base, *made_for;
    size_t i, k;
    int rc;

    if (!j->ask->runs || !*j->ask->runs)
        return assay_fail(j->err, ASSAY_EUSAGE, "a submission wants records: name at least one");
    if ((rc = record_several(j->store, j->ask->runs, &named, NULL, j->err)))
        return rc;
    *records = json_array();
    j->bases = json_array();
    json_array_foreach(named, i, record)
    {
        bases = bases_of(record);
        json_array_foreach(bases, k, base)
        {
            if (record_find(j->store, json_string_value(base), NULL, &made_for, NULL))
                continue; /* removed by now */
            add_record(*records, j->bases, made_for);
            json_decref(made_for);
        }
        json_decref(bases);
        add_record(*records, j->bases, record);
    }
    json_decref(named);
    return ASSAY_OK;
}

static void tell_strangers(const struct job *j)
{
    json_t *list = submit_strangers(j->facts), *line;
    size_t i;

    json_array_foreach(list, i, line)
    {
        if (j->ask->warn)
            j->ask->warn(json_string_value(line));
    }
    json_decref(list);
}

/* Of the machine that ran the records, and what is declared now. */
static int read_facts(struct job *j)
{
    const json_t *system = json_object_get(json_array_get(j->plan.records, 0), "system");
    const char *file = j->ask->system;
    char *dir = file_config_dir(), *own = dir ? file_join(dir, "system.yaml") : NULL;
    int rc = ASSAY_OK;

    j->facts = json_is_object(system) ? json_deep_copy(system) : json_object();
    if (!file && own && file_exists(own))
        file = own;
    if (file)
        rc = system_declare(j->facts, file, j->err);
    if (!rc)
        tell_strangers(j);
    free(own);
    free(dir);
    return rc;
}

/* ---- what is missing ---- */

static size_t missing(const struct job *j)
{
    size_t n = 0;

    for (size_t i = 0; i < j->plan.count; i++)
        n += !j->plan.slots[i].record;
    return n;
}

static int add_step(const struct job *j, const struct submit_slot *slot, json_t *steps)
{
    struct settings s;
    struct text command, config;
    char name[100];
    int rc;

    submit_slot_name(slot, name, sizeof(name));
    if (slot->record) {
        json_array_append_new(steps, json_pack("{s:s, s:s}", "run", name, "record",
                                               tree_text(slot->record, "id", "?")));
        return ASSAY_OK;
    }
    if ((rc = submit_slot_settings(&j->plan, slot, NULL, &s, j->err)))
        return rc;
    text_init(&command, 1u << 16);
    submit_settings_command(&s, &command);
    text_init(&config, 4096);
    if (slot->kind == SUBMIT_COMPLIANCE)
        submit_test_config(slot->model, slot->test, &config);
    json_array_append_new(steps,
                          json_pack("{s:s, s:n, s:s, s:s*}", "run", name, "record", "command",
                                    command.s, "audit_config", config.len ? config.s : NULL));
    text_release(&config);
    text_release(&command);
    settings_release(&s);
    return ASSAY_OK;
}

static int list_steps(const struct job *j, json_t **steps)
{
    int rc = ASSAY_OK;

    *steps = json_array();
    for (size_t i = 0; i < j->plan.count && !rc; i++)
        rc = add_step(j, &j->plan.slots[i], *steps);
    if (rc) {
        json_decref(*steps);
        *steps = NULL;
    }
    return rc;
}

/* ---- runs that an earlier submission made ---- */

/* What a run is for, and which one: the same ask finds it again. */
static char *tag_of(const struct job *j, const struct submit_slot *slot)
{
    struct text all;
    struct settings s;
    char hex[HASH_HEX], *tag = NULL;
    const json_t *base;
    size_t i;

    if (submit_slot_settings(&j->plan, slot, NULL, &s, j->err))
        return NULL;
    text_init(&all, 1u << 16);
    submit_settings_command(&s, &all);
    hash_bytes(all.s, all.len, hex);
    text_release(&all);
    settings_release(&s);
    text_init(&all, 1u << 16);
    json_array_foreach(j->bases, i, base)
    {
        text_addf(&all, "%s%s", i ? "," : "", json_string_value(base));
    }
    tag = text_format(TAG "%s %.16s", all.s, hex);
    text_release(&all);
    return tag;
}

/* Takes the record if it came to a good end. */
static bool take_row(struct job *j, struct submit_slot *slot, const json_t *row)
{
    json_t *record = NULL;
    struct assay_err why;
    char words[300];
    bool took = !tree_text(row, "origin", NULL) &&
                !record_find(j->store, tree_text(row, "id", ""), NULL, &record, &why) &&
                submit_slot_fits(&j->plan, slot, record, words, sizeof(words)) &&
                !submit_slot_take(&j->plan, slot, record, &why);

    json_decref(record);
    return took;
}

/* In the order of the runs, as the settings of one come from those before it. */
static int take_earlier(struct job *j)
{
    struct assay_err why;
    char name[100];

    if (file_is_dir(j->store) && record_list(j->store, &j->rows, &why))
        j->rows = NULL;
    for (size_t i = 0; i < j->plan.count; i++) {
        struct submit_slot *slot = &j->plan.slots[i];
        char *tag = slot->record ? NULL : tag_of(j, slot);
        const json_t *row;
        size_t k;

        if (!slot->record && !tag)
            return j->err->code ? j->err->code : ASSAY_EFAIL;
        json_array_foreach(j->rows, k, row)
        {
            if (slot->record || strcmp(tree_text(row, "tag", ""), tag) || !take_row(j, slot, row))
                continue;
            submit_slot_name(slot, name, sizeof(name));
            if (!j->ask->dry)
                say(j, "run %zu of %zu: %s: record %s, made before", i + 1, j->plan.count, name,
                    tree_text(row, "id", ""));
        }
        free(tag);
    }
    return ASSAY_OK;
}

/* ---- what is run ---- */

/* The settings of a slot's run, kept and shown as the caller's are. */
static int settings_for(const struct job *j, const struct submit_slot *slot, struct settings *s)
{
    const struct settings *mine = j->with->own;
    char *tag = tag_of(j, slot);
    const struct {
        const char *name, *value;
    } own[] = {
        {"store", j->store}, {"cache", mine->cache}, {"progress", mine->progress}, {"tag", tag}};
    int rc = submit_slot_settings(&j->plan, slot, j->folder, s, j->err);

    if (rc) {
        free(tag);
        return rc;
    }
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]) && !rc; i++)
        if (own[i].value)
            rc = settings_set(s, own[i].name, own[i].value, SETTINGS_CLI, own[i].name, j->err);
    free(tag);
    if (rc)
        settings_release(s);
    return rc;
}

/* What recipes would get before the runs that are missing, and what hinders one. */
static void add_wants(const struct job *j, json_t *plan)
{
    json_t *steps = json_object_get(plan, "steps"), *text;
    struct assay_err why;
    struct settings s;

    for (size_t i = 0; i < j->plan.count; i++) {
        if (j->plan.slots[i].record || settings_for(j, &j->plan.slots[i], &s))
            continue;
        free(s.audit_config); /* it is written for the run */
        s.audit_config = NULL;
        if (run_wants(&s, plan, &why)) {
            text = json_sprintf(SUPPLY_CANNOT "%s", why.text);
            if (!list_holds(steps, json_string_value(text)))
                json_array_append(steps, text);
            json_decref(text);
        }
        settings_release(&s);
    }
}

/* One run, which is a record whatever becomes of it. */
static int run_once(const struct job *j, const struct submit_slot *slot, json_t **record)
{
    struct settings s;
    int rc = settings_for(j, slot, &s);

    if (rc)
        return rc;
    rc = run_job(&s, j->with->argc, j->with->argv, record, j->err);
    settings_release(&s);
    if (!rc && !strcmp(tree_text(*record, "status", ""), "interrupted"))
        rc = assay_fail(j->err, ASSAY_ESTOP, "interrupted; record %s is kept",
                        tree_text(*record, "id", "?"));
    return rc;
}

static void tell(const struct job *j, const char *name, const json_t *record, const char *why)
{
    char line[512];

    snprintf(line, sizeof(line), "%s, record %s: %s", name, tree_text(record, "id", "?"), why);
    if (j->ask->warn)
        j->ask->warn(line);
}

/* A compliance test whose figure does not fit is run once more: machines have bad moments. */
static int run_slot(struct job *j, struct submit_slot *slot, size_t number)
{
    json_t *record = NULL;
    char name[100], words[300];
    int rc = ASSAY_OK;

    submit_slot_name(slot, name, sizeof(name));
    for (int tries = 0; tries < 2 && !rc; tries++) {
        say(j, "run %zu of %zu: %s%s", number, j->plan.count, name, tries ? ", once more" : "");
        json_decref(record);
        record = NULL;
        rc = run_once(j, slot, &record);
        if (record)
            say(j, "run %zu of %zu: %s: record %s", number, j->plan.count, name,
                tree_text(record, "id", "?"));
        if (rc || submit_slot_fits(&j->plan, slot, record, words, sizeof(words)))
            break;
        tell(j, name, record, words);
    }
    if (!rc)
        rc = submit_slot_take(&j->plan, slot, record, j->err);
    json_decref(record);
    return rc;
}

static int run_missing(struct job *j)
{
    int rc = ASSAY_OK;

    if (!missing(j))
        return ASSAY_OK;
    j->folder = file_join(j->store, "audit");
    if (!j->folder)
        return assay_fail(j->err, ASSAY_EFAIL, "not enough memory");
    if ((rc = file_make_dirs(j->folder, j->err)))
        return rc;
    for (size_t i = 0; i < j->plan.count && !rc; i++)
        if (!j->plan.slots[i].record)
            rc = run_slot(j, &j->plan.slots[i], i + 1);
    /* Nothing that was asked for was wrong: it could not be done. */
    return rc == ASSAY_EUSAGE ? (j->err->code = ASSAY_EFAIL) : rc;
}

/* ---- the end ---- */

/* With the data set and model of the slot's own record. */
static int score(void *ctx, const struct submit_slot *slot, const struct accuracy_log *log,
                 char line[256], struct assay_err *err)
{
    const struct settings *own = ((const struct job *)ctx)->with->own;
    const char *format =
        tree_text(json_object_get(slot->record, "model"), "format", "none"); /* of null's: none */
    json_t *accuracy = NULL;
    struct settings s;
    struct run_bench b;
    int rc = settings_of_record(&s, slot->record, err);

    if (rc)
        return rc;
    if (own->cache)
        rc = settings_set(&s, "cache", own->cache, SETTINGS_CLI, "--cache", err);
    if (!rc)
        rc = run_bench_open(&b, slot->benchmark, strcmp(format, "none") ? format : NULL, &s, false,
                            err);
    if (!rc) {
        rc = run_score(b.table, b.self, b.manifest.tree, log, &accuracy, err);
        snprintf(line, 256, "%s", tree_text(accuracy, "line", ""));
        json_decref(accuracy);
        run_bench_close(&b);
    }
    settings_release(&s);
    return rc;
}

static int judge(struct job *j, json_t **result)
{
    struct submit_check_ask ask = {.round = j->plan.ask.round,
                                   .min_duration_ms = (double)j->plan.ask.min_duration_ms};
    json_t *report = NULL, *steps = NULL;
    int rc = submit_check(j->out, &ask, &report, j->err);

    if (!rc)
        rc = list_steps(j, &steps);
    if (rc) {
        json_decref(report);
        return rc;
    }
    json_object_set_new(report, "runs", steps);
    json_object_set_new(report, "rehearsal", json_boolean(j->plan.ask.rehearsal));
    *result = report;
    return ASSAY_OK;
}

static int run_and_build(struct job *j, json_t **records)
{
    int rc = submit_build_try(j->out, j->err);

    if (rc)
        return rc;
    rc = run_missing(j);
    if (!rc)
        rc = submit_build(&j->plan, j->facts, &(struct submit_scorer){score, j}, j->out, j->err);
    if (rc)
        *records = json_incref(j->plan.records);
    return rc;
}

static int make(struct job *j, json_t **result, json_t **records)
{
    json_t *steps = NULL;
    int rc = read_facts(j);

    if (!rc)
        rc = take_earlier(j);
    if (!rc && j->ask->dry) {
        rc = list_steps(j, &steps);
        if (!rc)
            *result =
                json_pack("{s:s, s:o, s:[], s:[]}", "out", j->out, "runs", steps, "get", "steps");
        if (!rc)
            add_wants(j, *result);
        return rc;
    }
    if (!rc)
        rc = run_and_build(j, records);
    return rc ? rc : judge(j, result);
}

int lib_submit(const struct lib_submit_ask *ask, const struct lib_runner *with, json_t **result,
               json_t **records, struct assay_err *err)
{
    struct assay_err why = {0};
    struct submit_request request = ask->request;
    struct job j = {.ask = ask,
                    .with = with,
                    .out = ask->out ? ask->out : LIB_SUBMIT_OUT,
                    .store = file_store_at(with->own->store),
                    .began = clock_ns(),
                    .err = &why};
    json_t *given = NULL;
    int rc = lib_submit_check(ask, &why);

    *result = *records = NULL;
    if (!rc && !j.store)
        rc = assay_fail(&why, ASSAY_EFAIL, "not enough memory");
    if (!rc && !strcmp(request.category, "both"))
        request.category = "datacenter,edge";
    if (!rc)
        rc = read_records(&j, &given);
    if (!rc)
        rc = submit_plan_create(&request, given, &j.plan, &why);
    if (!rc)
        rc = make(&j, result, records);
    if (rc)
        assay_fail(err, rc, "%s", why.text);
    submit_plan_release(&j.plan);
    json_decref(j.facts);
    json_decref(j.bases);
    json_decref(j.rows);
    json_decref(given);
    free(j.folder);
    free(j.store);
    return rc;
}
