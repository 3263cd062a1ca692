/* From one run's detail log to its record.
 *
 * The log is judged twice: as a result of its round, by the round's table, and by what it says
 * itself that was asked for, as a quick run is.  The first counts where it holds; else the second,
 * with the first one's reasons as notes.  A log of official length that holds neither way is told
 * as what it meant to be. */
#include "submit/log_run.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "base/tree.h"
#include "load/rounds.h"
#include "record/system.h"
#include "submit/accuracy.h"
#include "submit/terms.h"

#define MOST_NOTES 5 /* of why it is no result of the round */

struct log_run {
    const struct submit_logs_ask *ask;
    const char *dir;
    const struct detail *d;
    struct log_place place;
    struct submit_terms terms;
    const char *benchmark;
    int64_t mode;
    uint64_t samples; /* of the data set that was there */
    bool official;    /* how it was judged */
    struct verdict v;
};

static double real(const struct log_run *r, const char *key)
{
    return detail_real(r->d, key, NAN);
}

/* Within what every double and integer holds; 0: none, or no number. */
static int64_t whole(const struct log_run *r, const char *key)
{
    double v = detail_real(r->d, key, 0);

    return v > 0 ? (int64_t)fmin(v, 0x1p53) : 0;
}

/* ---- what the log is of ---- */

static bool is_newer(const char *version, const char *than)
{
    int a[3] = {0}, b[3] = {0};

    sscanf(version, "%d.%d.%d", &a[0], &a[1], &a[2]);
    sscanf(than, "%d.%d.%d", &b[0], &b[1], &b[2]);
    for (int i = 0; i < 3; i++)
        if (a[i] != b[i])
            return a[i] > b[i];
    return false;
}

/* By the list of releases, else by the seed, which no two rounds share. */
static const char *round_of(const char *version, const struct detail *d)
{
    uint64_t seed = 0;

    for (const struct submit_round *r = submit_rounds; r->name; r++)
        for (const char *const *known = r->loadgens; *known; known++)
            if (!strcmp(*known, version))
                return r->name;
    detail_u64(d, "effective_qsl_rng_seed", &seed);
    for (const struct load_round *r = load_rounds; r->name; r++)
        if (!strcmp(r->loadgen, version) || r->qsl_rng_seed == seed)
            return r->name;
    return NULL;
}

static void get_version(const struct detail *d, char out[40])
{
    const char *text = detail_text(d, "loadgen_version", "unknown");

    snprintf(out, 40, "%.*s", (int)strcspn(text, " @"), text);
}

static int find_round(struct log_run *r, struct assay_err *err)
{
    char version[40];

    get_version(r->d, version);
    r->terms.round = r->ask->round ? load_round_find(r->ask->round)->name : round_of(version, r->d);
    if (r->terms.round)
        return ASSAY_OK;
    if (is_newer(version, load_rounds[0].loadgen))
        return assay_fail(
            err, ASSAY_EFAIL,
            "%s: its LoadGen %s is newer than the newest that is known here (%s, round "
            "%s): update Assay, or give --round",
            r->dir, version, load_rounds[0].loadgen, load_rounds[0].name);
    return assay_fail(err, ASSAY_EFAIL,
                      "%s: its LoadGen %s is of none of %s: --round judges it as one of that round",
                      r->dir, version, load_round_allowed(""));
}

static int place_in(const char *const *names, const char *name)
{
    for (int i = 0; names[i]; i++)
        if (!strcmp(names[i], name))
            return i;
    return -1;
}

static int find_kind(struct log_run *r, struct assay_err *err)
{
    const char *scenario = detail_text(r->d, "effective_scenario", "");
    const char *mode = detail_text(r->d, "effective_test_mode", "");
    int s = place_in(settings_scenario_names, scenario), m = place_in(verdict_mode_names, mode);

    if (!*scenario || !*mode)
        return assay_fail(
            err, ASSAY_EFAIL,
            "%s: its log does not say which scenario and mode were run: it was cut off", r->dir);
    if (s < 0 || m < 0)
        return assay_fail(err, ASSAY_EFAIL, "%s: its log is of a %s that is not known here: %.40s",
                          r->dir, s < 0 ? "scenario" : "mode", s < 0 ? scenario : mode);
    r->terms.scenario = s;
    r->mode = m;
    r->terms.accuracy = m == MODE_ACCURACY;
    return ASSAY_OK;
}

/* LoadGen writes power_end when all is done, and the result behind it. */
static int check_result(const struct log_run *r, struct assay_err *err)
{
    bool done = isfinite(detail_time_ms(r->d, "power_end"));

    if (r->mode != MODE_ACCURACY)
        done = done && detail_text(r->d, "result_validity", NULL);
    return done ? ASSAY_OK
                : assay_fail(err, ASSAY_EFAIL,
                             "%s: its log has no result: it was cut off, or the run did not come "
                             "to its end",
                             r->dir);
}

static int find_benchmark(struct log_run *r, struct assay_err *err)
{
    const struct submit_round *round = submit_round_find(r->terms.round);
    const char *name = r->ask->benchmark ? r->ask->benchmark : r->place.benchmark;

    if (!*name)
        return assay_fail(err, ASSAY_EUSAGE,
                          "%s: no folder's name says which benchmark it is of: give --benchmark",
                          r->dir);
    r->benchmark = log_benchmark(name, true);
    r->terms.model = round ? submit_model_find(round, name) : NULL;
    if (!r->terms.model && round)
        r->terms.model = submit_model_of(round, r->benchmark, 0);
    r->terms.interactive = r->place.scenario == SUBMIT_INTERACTIVE;
    r->terms.closed = !r->place.open;
    r->terms.min_duration_ms = SUBMIT_MIN_DURATION_MS;
    r->samples = (uint64_t)whole(r, "qsl_reported_total_count");
    return ASSAY_OK;
}

/* ---- the verdict ---- */

/* By what the log itself says that was asked for. */
static int judge_quick(struct log_run *r, struct verdict *v, struct assay_err *err)
{
    struct load_official official;
    struct settings s = {0};
    int rc = settings_init(&s, err);

    submit_terms_official(&r->terms, r->d, &official);
    if (!rc)
        rc = settings_set(&s, "round", r->terms.round, SETTINGS_CLI, "--round", err);
    s.scenario = r->terms.scenario;
    s.mode = r->mode;
    s.min_duration_ms = whole(r, "effective_min_duration_ms");
    s.min_query_count = s.scenario == OFFLINE ? 1 : whole(r, "effective_min_query_count");
    s.samples_per_query = whole(r, "effective_samples_per_query");
    s.target_latency_percentile = real(r, "effective_target_latency_percentile");
    s.target_latency_ms = real(r, "effective_target_latency_ns") * 1e-6;
    if (!rc)
        rc = verdict_judge(r->d, &s, &official, r->samples, v, err);
    settings_release(&s);
    return rc;
}

static void note(struct verdict *v, const char *fmt, ...) ASSAY_PRINTF(2, 3);
static void note(struct verdict *v, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    json_array_append_new(v->notes, json_vsprintf(fmt, ap));
    va_end(ap);
}

/* Whether the round's terms can say anything of it. */
static bool has_terms(const struct log_run *r)
{
    return r->terms.model && (r->mode == MODE_PERFORMANCE || r->mode == MODE_ACCURACY);
}

/* More than the data set is as wrong as less. */
static bool is_other_data(const struct log_run *r)
{
    return r->terms.accuracy &&
           detail_real(r->d, "effective_accuracy_sample_count", (double)r->samples) >
               (double)submit_terms_samples(&r->terms, r->d);
}

static void note_not_official(struct log_run *r, const json_t *reasons)
{
    size_t n = json_array_size(reasons);

    if (!has_terms(r)) {
        note(&r->v,
             "round %s asks nothing that is known here of %s in mode %s: judged by the seeds "
             "and by what the log says that was asked for",
             r->terms.round, r->benchmark, settings_mode_names[r->mode]);
        return;
    }
    for (size_t i = 0; i < n && i < MOST_NOTES; i++)
        note(&r->v, "no result of round %s: %s", r->terms.round,
             json_string_value(json_array_get(reasons, i)));
    if (is_other_data(r))
        note(&r->v, "no result of round %s: the data set has more samples than the official one",
             r->terms.round);
}

static void note_place(struct log_run *r)
{
    const char *logged = settings_scenario_names[r->terms.scenario];
    int folder = r->place.scenario;

    if (folder >= 0 && strcmp(submit_scenario_names[folder], logged) &&
        !(folder == SUBMIT_INTERACTIVE && r->terms.scenario == SERVER))
        note(&r->v, "lies in a folder of %s, but the log is of %s", submit_scenario_names[folder],
             logged);
    if (r->ask->origin)
        note(&r->v, "made by %s, beside a run of ours", r->ask->origin);
    else
        note(&r->v,
             "from LoadGen's logs alone: what ran, on which samples and where, is declared or "
             "unknown, and was not checked");
}

static int judge(struct log_run *r, struct assay_err *err)
{
    struct verdict quick = {0}, official = {0};
    int rc = judge_quick(r, &quick, err);

    if (!rc && has_terms(r))
        rc = submit_terms_judge(&r->terms, r->d, &official, err);
    if (!rc) {
        bool meant = real(r, "effective_min_duration_ms") >= SUBMIT_MIN_DURATION_MS;

        r->official =
            has_terms(r) && !is_other_data(r) && (official.valid || (!quick.valid && meant));
        r->v = r->official ? official : quick;
        if (!r->official)
            note_not_official(r, official.reasons);
        note_place(r);
        if (r->terms.interactive || real(r, "requested_use_token_latencies") == 1)
            note(&r->v, "limits of token latencies are not judged here");
    }
    verdict_release(rc || r->official ? &quick : &official);
    if (rc)
        verdict_release(&official);
    return rc;
}

/* ---- the parts of the record ---- */

static void put(json_t *to, const char *key, json_t *value)
{
    json_object_set_new(to, key, value ? value : json_null());
}

/* "2026-01-31T12:00:00Z" as LoadGen writes it; else left to the time of the import. */
static void put_created(const struct log_run *r, json_t *record)
{
    const char *text = detail_text(r->d, "test_datetime", "");
    char form[21], digit;
    size_t i;

    snprintf(form, sizeof(form), "dddd-dd-ddTdd:dd:ddZ");
    for (i = 0; form[i]; i++) {
        digit = text[i];
        if (form[i] == 'd' ? digit < '0' || digit > '9' : digit != form[i])
            return;
    }
    if (!text[i])
        put(record, "created", json_string(text));
}

/* Our own harness says in its names what it made up; of others nobody knows. */
static json_t *synthetic_json(const struct log_run *r)
{
    const char *sut = detail_text(r->d, "sut_name", ""), *qsl = detail_text(r->d, "qsl_name", "");
    bool own = !strncmp(sut, "assay ", 6);

    return json_pack("{s:o, s:o}", "weights",
                     own && strstr(sut, "-synthetic") ? json_true() : json_null(), "samples",
                     own && !strncmp(qsl, "synthetic ", 10) ? json_true() : json_null());
}

/* {"name": …, "from": "declared"|"unknown"[, "source": …]}: what is given, else what the tree says.
 */
static json_t *declared(const char *given, const char *option, const char *said, const char *source)
{
    const char *name = given ? given : said && *said ? said : NULL;

    return json_pack("{s:o, s:s, s:s*}", "name", tree_string(name ? name : "unknown"), "from",
                     name ? "declared" : "unknown", "source",
                     !name   ? NULL
                     : given ? option
                             : source);
}

static void put_things(const struct log_run *r, json_t *record)
{
    const struct log_place *p = &r->place;
    json_t *model =
        declared(r->ask->model, "--model", p->system ? p->benchmark : NULL, "the folder");
    json_t *engine = declared(r->ask->engine, "--engine", tree_text(p->system, "framework", NULL),
                              p->system_path);
    const char *weights = tree_text(p->measurements, "weight_data_types", "");

    put(model, "precision", tree_string(*weights ? weights : "unknown"));
    put(engine, "device", json_string("unknown"));
    put(engine, "sut_name", tree_string(detail_text(r->d, "sut_name", "")));
    put(record, "model", model);
    put(record, "engine", engine);
    put(record, "dataset",
        json_pack("{s:o, s:I, s:I, s:o*}", "name", tree_string(detail_text(r->d, "qsl_name", "")),
                  "samples", (json_int_t)r->samples, "performance_samples",
                  (json_int_t)whole(r, "effective_performance_sample_count"), "unofficial",
                  r->terms.model ? json_boolean(r->samples != r->terms.model->dataset) : NULL));
}

/* What LoadGen ran with, under our names. */
static json_t *settings_json(const struct log_run *r)
{
    enum { ALL = 0xf, RATES = 1 << SERVER | 1 << OFFLINE, STREAMS = 0xf & ~(1 << OFFLINE) };
    static const struct {
        const char *name, *key;
        double scale;
        unsigned scenarios; /* in others LoadGen makes it up */
    } rows[] = {{"min-duration-ms", "effective_min_duration_ms", 1, ALL},
                {"max-duration-ms", "effective_max_duration_ms", 1, ALL},
                {"min-query-count", "effective_min_query_count", 1, ALL},
                {"max-query-count", "effective_max_query_count", 1, ALL},
                {"samples-per-query", "effective_samples_per_query", 1, 1 << MULTI_STREAM},
                {"target-qps", "effective_target_qps", 1, RATES},
                {"target-latency-ms", "effective_target_latency_ns", 1e-6, 1 << SERVER},
                {"target-latency-percentile", "effective_target_latency_percentile", 1, STREAMS}};
    json_t *out = json_object();
    double v;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        v = real(r, rows[i].key) * rows[i].scale;
        if (!isfinite(v) || v == 0 || !(rows[i].scenarios & 1u << r->terms.scenario))
            continue;
        put(out, rows[i].name,
            json_pack("{s:o, s:s}", "value",
                      v == floor(v) && fabs(v) < 0x1p53 ? json_integer((json_int_t)v)
                                                        : json_real(v),
                      "origin", "log"));
    }
    return out;
}

/* A MultiStream log counts latencies of samples too. */
static json_t *latency_json(const struct log_run *r)
{
    static const struct {
        const char *name, *key;
    } rows[] = {{"min", "result_min_latency_ns"},
                {"mean", "result_mean_latency_ns"},
                {"p50", "result_50.00_percentile_latency_ns"},
                {"p90", "result_90.00_percentile_latency_ns"},
                {"p95", "result_95.00_percentile_latency_ns"},
                {"p97", "result_97.00_percentile_latency_ns"},
                {"p99", "result_99.00_percentile_latency_ns"},
                {"p99.9", "result_99.90_percentile_latency_ns"},
                {"max", "result_max_latency_ns"}};
    json_t *out = json_object();

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        put(out, rows[i].name,
            isfinite(real(r, rows[i].key)) ? json_real(real(r, rows[i].key)) : NULL);
    return out;
}

static json_t *performance_json(const struct log_run *r)
{
    double seconds =
        (detail_time_ms(r->d, "power_end") - detail_time_ms(r->d, "power_begin")) * 1e-3;
    int64_t queries = whole(r, "result_query_count");
    double each = (double)whole(r, r->terms.scenario == OFFLINE ? "generated_samples_per_query"
                                                                : "effective_samples_per_query");

    return json_pack("{s:s, s:s, s:f, s:o, s:I, s:I, s:o*, s:o}", "metric", r->v.metric, "unit",
                     r->v.unit, "value", r->v.value, "latency_ns", latency_json(r), "samples",
                     (json_int_t)fmin((double)queries * each, 0x1p62), "queries",
                     (json_int_t)queries, "duration_s",
                     isfinite(seconds) ? json_real(seconds) : NULL, "detail", detail_results(r->d));
}

/* What the official script printed into accuracy.txt beside the log; NULL: there is none.  Nobody
 * scored the log here: the samples are not at hand. */
static json_t *accuracy_json(const struct log_run *r)
{
    /* Our own names of what is per cent. */
    static const struct {
        const char *name, *ours;
    } rows[] = {{"acc", "top1"}, {"mAP", "mAP"}, {"F1", "f1"}, {"DICE", "DICE"}, {"AUC", "auc"}};
    const struct submit_metric *m = r->terms.model ? r->terms.model->metrics : NULL;
    char *path = file_join(r->dir, "accuracy.txt"), *text = NULL, why[200];
    struct submit_accuracy found = {0};
    double scale;
    size_t len, i;
    json_t *out;

    if (path && m && file_exists(path) && !file_read(path, 1 << 20, &text, &len, NULL))
        submit_accuracy_parse(text, len, m, &found);
    free(path);
    free(text);
    if (!found.seen[0])
        return NULL;
    for (i = 0; i < 4 && strcmp(rows[i].name, m->name); i++)
        ;
    if (strcmp(rows[i].name, m->name))
        return json_pack("{s:s, s:f, s:s}", "metric", m->name, "value", found.least[0], "from",
                         "accuracy.txt");
    scale = m->least < 1 ? 100 : 1; /* some scripts print fractions */
    out = json_pack("{s:s, s:f, s:s, s:f, s:s}", "metric", rows[i].ours, "value",
                    found.least[0] * scale, "unit", "%", "target", m->least * scale, "from",
                    "accuracy.txt");
    if (r->terms.closed)
        put(out, "passed", json_boolean(submit_accuracy_reached(m, &found, why, sizeof(why))));
    return out;
}

/* ---- the machine ---- */

/* Fields of MLPerf's description that are facts under another name. */
static void add_facts(json_t *facts)
{
    static const char *const same[][2] = {{"processor", "host_processor_model_name"},
                                          {"gpu_models", "accelerator_model_name"}};

    for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
        json_t *said = json_object_get(facts, same[i][1]);
        const char *text = tree_text(said, "value", "");

        if (*text && strcmp(text, "N/A") &&
            !strcmp(tree_text(json_object_get(facts, same[i][0]), "from", ""), "unknown"))
            json_object_set(facts, same[i][0], said);
    }
}

static int put_system(struct log_run *r, json_t *record, struct assay_err *err)
{
    const char *path = r->ask->system ? r->ask->system : r->place.system_path;
    json_t *facts = system_unknown("LoadGen's logs do not say it");
    struct assay_err why = {0};
    int rc = path ? system_declare(facts, path, &why) : ASSAY_OK;

    if (rc && !r->ask->system) { /* one of the tree's files is no reason to leave the run out */
        note(&r->v, "its machine is unknown: %s", why.text);
        rc = ASSAY_OK;
    }
    add_facts(facts);
    put(record, "system", facts);
    return rc ? assay_fail(err, why.code, "%s", why.text) : ASSAY_OK;
}

/* What the caller knows better; the log's counts of samples stay. */
static void put_known(const struct log_run *r, json_t *record)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)r->ask->known, key, value)
    {
        if (!strcmp(key, "dataset"))
            json_object_update(json_object_get(record, key), value);
        else
            json_object_set(record, key, value);
    }
}

/* ---- all of it ---- */

static int make(struct log_run *r, json_t *record, struct assay_err *err)
{
    char version[40], profile[40];
    int rc = judge(r, err);

    if (rc)
        return rc;
    if (r->mode != MODE_ACCURACY && !isfinite(r->v.value))
        return assay_fail(err, ASSAY_EFAIL,
                          "%s: its log was cut off: the figure of %s is not in it", r->dir,
                          settings_scenario_names[r->terms.scenario]);
    get_version(r->d, version);
    snprintf(profile, sizeof(profile), r->official ? "official:%s" : "quick", r->terms.round);
    put_created(r, record);
    put(record, "assay", json_pack("{s:s}", "version", ASSAY_VERSION));
    put(record, "benchmark", tree_string(r->benchmark));
    put(record, "profile", json_string(profile));
    put(record, "scenario", json_string(settings_scenario_names[r->terms.scenario]));
    put(record, "mode", json_string(settings_mode_names[r->mode]));
    put(record, "status", json_string("done"));
    put(record, "synthetic", synthetic_json(r));
    put(record, "loadgen",
        json_pack("{s:o, s:s}", "version", tree_string(version), "round", r->terms.round));
    put(record, "settings", settings_json(r));
    put(record, "logs",
        json_pack("{s:o}", "folder", tree_string(r->ask->origin ? r->ask->origin : r->dir)));
    put_things(r, record);
    rc = put_system(r, record, err);
    put(record, "performance", r->mode == MODE_ACCURACY ? NULL : performance_json(r));
    put(record, "accuracy", r->mode == MODE_PERFORMANCE ? NULL : accuracy_json(r));
    put(record, "verdict",
        json_pack("{s:s, s:b, s:O, s:O}", "word", r->v.word, "valid", (int)r->v.valid, "reasons",
                  r->v.reasons, "notes", r->v.notes));
    put_known(r, record);
    return rc;
}

int log_record(const struct submit_logs_ask *ask, const char *dir, const struct detail *d,
               json_t **record, struct assay_err *err)
{
    struct log_run r = {.ask = ask, .dir = dir, .d = d};
    json_t *tree = json_object();
    int rc = find_round(&r, err);

    log_place_find(dir, &r.place);
    if (!rc)
        rc = find_kind(&r, err);
    if (!rc)
        rc = check_result(&r, err);
    if (!rc)
        rc = find_benchmark(&r, err);
    if (!rc)
        rc = make(&r, tree, err);
    verdict_release(&r.v);
    log_place_release(&r.place);
    if (rc)
        json_decref(tree);
    else
        *record = tree;
    return rc;
}
