/* A run from start to finish, seen from the parent:
 *
 *   resolve -> draft of a record -> child (supervised) -> judge from LoadGen's own logs -> record
 * -> store
 *
 * Also a failed or interrupted run becomes a record, with its error and everything that was
 * measured until then. */
#include "run/run.h"

#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/clock.h"
#include "base/cpus.h"
#include "base/file.h"
#include "base/tree.h"
#include "engine/host.h"
#include "load/conf.h"
#include "load/verdict.h"
#include "record/cell.h"
#include "record/conditions.h"
#include "record/energy.h"
#include "record/record.h"
#include "record/system.h"
#include "run/chosen.h"
#include "run/latency.h"
#include "run/preflight.h"
#include "run/resolve.h"
#include "run/supervise.h"
#include "run/tuning.h"

/* Says so where what was chosen is what fails, which nobody may remember. */
static int fail_chosen(const struct settings *s, int rc, const struct assay_err *why,
                       struct assay_err *err)
{
    char *dir = file_config_dir();
    struct assay_err plain = {0};
    struct resolved r;
    bool its_own = !resolve(s, &r, &plain);

    if (its_own)
        resolve_release(&r);
    if (its_own || strcmp(plain.text, why->text) != 0)
        assay_fail(err, rc,
                   "%.300s (chosen by `assay explore --apply` in %.80s/chosen.json: choose again, "
                   "or give --no-tuned)",
                   why->text, dir ? dir : "?");
    else
        assay_fail(err, rc, "%s", why->text);
    free(dir);
    return rc;
}

/* Resolved with this machine's default for the benchmark, where there is one; *mine are the
 * settings with it, released on failure. */
static int resolve_mine(const struct settings *s, struct settings *mine, struct resolved *r,
                        bool *chosen, struct assay_err *err)
{
    struct assay_err why = {0};
    int rc = settings_copy(mine, s, err);

    if (!rc)
        rc = chosen_recall(mine, chosen, err);
    if (!rc && (rc = resolve(mine, r, &why)))
        rc = *chosen ? fail_chosen(s, rc, &why, err) : assay_fail(err, rc, "%s", why.text);
    if (rc)
        settings_release(mine);
    return rc;
}

int run_plan(const struct settings *s, json_t **plan, struct assay_err *err)
{
    struct resolved r;
    struct settings mine = {0};
    json_t *tuning = NULL;
    bool chosen = false;
    int rc = resolve_mine(s, &mine, &r, &chosen, err);

    if (rc)
        return rc;
    rc = resolve_check(&r, err);
    if (!rc && s->tuned && !s->tune && !chosen)
        rc = tuning_recall(&r, &mine, &tuning, err);
    settings_release(&mine);
    json_decref(tuning);
    if (rc) {
        resolve_release(&r);
        return rc;
    }
    *plan = resolve_plan(&r);
    resolve_release(&r);
    return *plan ? ASSAY_OK : assay_fail(err, ASSAY_EFAIL, "not enough memory for the plan");
}

int run_wants(const struct settings *s, json_t *first, struct assay_err *err)
{
    struct settings mine = {0};
    struct resolved r;
    bool chosen = false;
    int rc = resolve_mine(s, &mine, &r, &chosen, err);

    if (rc)
        return rc;
    settings_release(&mine);
    rc = resolve_check(&r, err);
    if (!rc)
        rc = preflight_run(&r, err);
    if (!rc)
        supply_tell(r.get, first);
    resolve_release(&r);
    return rc;
}

#define RESTARTS_MAX 2

/* Everything about one run while the parent puts its record together. */
struct job {
    struct resolved r;
    struct record_draft draft;
    struct supervised sup;
    struct settings final; /* with what was measured */
    json_t *result;        /* the child's; NULL when it failed */
    json_t *begun;         /* then: the trials and attempts that it had made; NULL: none */
    json_t *tuning;        /* what was tuned, now or before; NULL: nothing */
    json_t *conditions;    /* of the machine while the child ran */
    json_t *tree;          /* the record */
    struct assay_err how;  /* how the child ended */
    char created[32];      /* when the run began */
    bool asked;            /* the engine's library, once */
    int restarts;          /* since LoadGen got stuck; counted in the record */
    bool chosen;           /* with this machine's default */
    const char *dataset;   /* by its recipe: as it was asked for; NULL: it was not */
    int dataset_origin;
};

static void in_draft(const struct job *j, const char *name, char out[1200])
{
    snprintf(out, 1200, "%s/%s", j->draft.dir, name);
}

static int write_job(const struct job *j, const struct settings *s, struct assay_err *err)
{
    json_t *tree = json_pack("{s:s, s:o, s:O*}", "dir", j->draft.dir, "settings",
                             settings_to_json(s), "probe", j->r.probe);
    char path[1200];
    int rc;

    in_draft(j, "job.json", path);
    if (!tree)
        return assay_fail(err, ASSAY_EFAIL, "%s: cannot be put together (a setting is not UTF-8?)",
                          path);
    rc = tree_write_json(path, tree, err);
    json_decref(tree);
    return rc;
}

/* ---- what goes into the record ---- */

static void put(struct job *j, const char *key, json_t *value)
{
    json_object_set_new(j->tree, key, value ? value : json_null());
}

/* A member of the child's result, moved up. */
static void put_from_result(struct job *j, const char *key)
{
    put(j, key, json_incref(json_object_get(j->result ? j->result : j->begun, key)));
}

static json_t *command_json(int argc, char **argv)
{
    json_t *list = json_array();
    int i;

    for (i = 0; i < argc; i++)
        json_array_append_new(list, tree_string(argv[i]));
    return list;
}

static json_t *absolute_json(const char *path)
{
    char *full = path ? file_absolute(path) : NULL;
    json_t *json = full ? tree_string(full) : NULL;

    free(full);
    return json;
}

static void put_frame(struct job *j, int argc, char **argv)
{
    const struct settings *s = &j->final;

    put(j, "created", json_string(j->created));
    put(j, "assay", json_pack("{s:s}", "version", ASSAY_VERSION));
    put(j, "command", command_json(argc, argv));
    put(j, "cwd", absolute_json("."));
    put(j, "tag", s->tag ? json_string(s->tag) : NULL);
    put(j, "benchmark", json_string(j->r.benchmark->name));
    put(j, "profile", json_string(s->profile));
    put(j, "scenario", json_string(settings_scenario_names[s->scenario]));
    put(j, "mode", json_string(settings_mode_names[s->mode]));
    put(j, "synthetic",
        json_pack("{s:b, s:b}", "weights", (int)j->r.manifest.synthetic, "samples",
                  s->dataset == NULL));
    put(j, "loadgen", json_pack("{s:s, s:s*}", "version", j->r.load->version, "round", s->round));
    put(j, "settings", settings_to_json(s));
    if (json_array_size(j->r.lock))
        put(j, "lock", json_incref(j->r.lock));
    if (j->restarts)
        put(j, "restarts", json_integer(j->restarts));
    if (j->tuning)
        put(j, "tuning", json_incref(j->tuning));
}

static void put_end(struct job *j)
{
    put(j, "status",
        json_string(!j->how.code                 ? "done"
                    : j->how.code == ASSAY_ESTOP ? "interrupted"
                                                 : "error"));
    put(j, "error",
        j->how.code ? json_pack("{s:i, s:o}", "code", j->how.code, "text", tree_string(j->how.text))
                    : NULL);
}

static void put_digest(struct job *j, const char *part, const char *key, const char *name)
{
    json_t *digest = json_object_get(json_object_get(j->result, "digests"), name);

    if (digest)
        json_object_set(json_object_get(j->tree, part), key, digest);
}

/* Asks the engine's library in a process of its own: in the run's it does nothing but what a run
 * is.  As in the pre-flight, a library that is not here says nothing of the engine. */
static int ask_library(struct job *j, struct assay_err *err)
{
    struct assay_engine_probe probe;
    int rc;

    j->asked = true;
    if (!j->r.engine->probe)
        return ASSAY_OK;
    rc = engine_probe(j->r.s.engine, j->r.runtime, &probe, err);
    if (!rc && !probe.device_count)
        rc = assay_fail(err, ASSAY_EFAIL, "%s: %s", j->r.engine->name,
                        *probe.note ? probe.note : "finds nothing to execute on");
    if (!rc)
        j->r.probe = engine_probe_json(&probe);
    return rc == ASSAY_EFAIL ? (err->code = ASSAY_ELACK) : rc;
}

/* Of a run that failed: what can be told without it. */
static json_t *engine_json(struct job *j)
{
    json_t *e =
        json_pack("{s:o, s:s}", "name", tree_string(j->r.engine->name), "device", j->final.device);
    struct assay_err ignored;

    if (!j->asked && j->how.code != ASSAY_ESTOP) /* who interrupts does not want to wait */
        ask_library(j, &ignored);
    json_object_set(e, "version", json_object_get(j->r.probe, "version"));
    json_object_set(e, "library", json_object_get(j->r.probe, "library"));
    return e;
}

/* How long the timed part was to take; over: it was not begun, or ended, for its length. */
static json_t *time_json(const struct job *j)
{
    double expected = j->sup.shared ? j->sup.shared->expected_s : 0, limit = j->final.time_limit_s;

    return json_pack("{s:f, s:f, s:b}", "expected_s", expected, "limit_s", limit, "over",
                     limit > 0 && j->how.code && (j->sup.late || expected > limit));
}

/* The child's, with how many samples it was for. */
static json_t *energy_of_run(const struct job *j)
{
    json_t *energy = json_deep_copy(json_object_get(j->result, "energy"));

    if (json_is_object(energy))
        energy_put_samples(energy, latency_completed(j->sup.latencies, j->sup.latency_count));
    return energy;
}

/* Whoever reads the record is elsewhere. */
static void make_absolute(json_t *part)
{
    json_t *full = absolute_json(tree_text(part, "path", NULL));

    if (full)
        json_object_set_new(part, "path", full);
}

/* The child's facts; of a failed run, what the parent knows. */
static void put_parts(struct job *j)
{
    static const char *const keys[] = {"dataset",  "engine", "warmup", "trials", "attempts",
                                       "accuracy", "stages", "faults", "memory"};
    json_t *model = json_object_get(j->result, "model"), *system = NULL;
    struct assay_err why;
    size_t i;

    for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        put_from_result(j, keys[i]);
    model = model ? json_deep_copy(model) : json_pack("{s:s*}", "path", j->r.model_path);
    json_object_set_new(model, "name", json_string(j->r.manifest.name));
    json_object_set_new(model, "manifest", json_deep_copy(j->r.manifest.tree));
    make_absolute(model);
    put(j, "model", model);
    make_absolute(json_object_get(j->tree, "dataset"));
    put_digest(j, "loadgen", "sha256", "loadgen");
    put_digest(j, "assay", "sha256", "program");
    put_digest(j, "assay", "benchmark_sha256", "benchmark");
    if (!j->result)
        put(j, "engine", engine_json(j));
    put(j, "time", time_json(j));
    put(j, "energy", energy_of_run(j));
    if (json_is_object(json_object_get(j->tree, "dataset"))) {
        uint64_t perf = (uint64_t)j->final.performance_sample_count;
        uint64_t all = (uint64_t)tree_int(json_object_get(j->tree, "dataset"), "samples", 0);

        json_object_set_new(json_object_get(j->tree, "dataset"), "performance_samples",
                            json_integer((json_int_t)(perf && perf < all ? perf : all)));
    }
    if (system_facts_at(j->draft.store, NULL, &system, &why)) { /* the run must not be lost by it */
        fprintf(stderr, "assay: %s; the record is without it\n", why.text);
        system_facts_at(j->draft.store, "", &system, NULL);
    }
    put(j, "system", system);
    put(j, "conditions", json_incref(j->conditions));
}

/* Of a part of the official data set, or of another one, a round has no result. */
static void judge_dataset(const struct job *j, struct verdict *v)
{
    const json_t *dataset = json_object_get(j->result, "dataset");

    if (strcmp(v->word, "VALID") != 0 || !tree_bool(dataset, "unofficial", false))
        return;
    snprintf(v->word, sizeof(v->word), "QUICK-VALID");
    json_array_append_new(
        v->notes,
        json_sprintf("the data set (%lld samples) is not the whole official one, in its order: "
                     "no result of the round",
                     (long long)tree_int(dataset, "samples", 0)));
}

static int put_performance(struct job *j, const struct detail *d, struct assay_err *err)
{
    uint64_t samples = (uint64_t)tree_int(json_object_get(j->result, "dataset"), "samples", 0);
    struct verdict v = {0};
    json_t *stages = json_object_get(j->result, "stages");
    double seconds = tree_real(stages, "wall_ns", 0) * 1e-9;
    long long major = (long long)tree_int(json_object_get(j->result, "faults"), "major", 0);
    int rc = verdict_judge(d, &j->final, &j->r.official, samples, &v, err);

    if (rc)
        return rc;
    judge_dataset(j, &v);
    if (major) {
        v.valid = false;
        snprintf(v.word, sizeof(v.word), "INVALID");
        json_array_append_new(
            v.reasons,
            json_sprintf("%lld major page fault%s in the timed part: samples, the model or a "
                         "program waited for the disk: leave more memory free, and run again",
                         major, major == 1 ? "" : "s"));
    }
    /* A run that ended too early has no headline: NaN, which JSON has not. */
    put(j, "performance",
        json_pack("{s:s, s:s, s:o, s:o*, s:I, s:I, s:f, s:o}", "metric", v.metric, "unit", v.unit,
                  "value", isfinite(v.value) ? json_real(v.value) : json_null(), "latency_ns",
                  latency_summary(j->sup.latencies, j->sup.latency_count), "samples",
                  (json_int_t)latency_completed(j->sup.latencies, j->sup.latency_count), "queries",
                  (json_int_t)detail_real(d, "result_query_count", 0), "duration_s", seconds,
                  "detail", detail_results(d)));
    put(j, "verdict",
        json_pack("{s:s, s:b, s:O, s:O}", "word", v.word, "valid", (int)v.valid, "reasons",
                  v.reasons, "notes", v.notes));
    verdict_release(&v);
    return ASSAY_OK;
}

/* The verdict of an accuracy run: LoadGen's log must be clean; the target is reported beside it. */
static int put_accuracy_verdict(struct job *j, const struct detail *d, struct assay_err *err)
{
    uint64_t samples = (uint64_t)tree_int(json_object_get(j->result, "dataset"), "samples", 0);
    struct settings s = j->final;
    struct verdict v = {0};
    int rc;

    s.mode = MODE_ACCURACY;
    rc = verdict_judge(d, &s, &j->r.official, samples, &v, err);
    if (rc)
        return rc;
    judge_dataset(j, &v);
    put(j, "verdict",
        json_pack("{s:s, s:b, s:O, s:O}", "word", v.word, "valid", (int)v.valid, "reasons",
                  v.reasons, "notes", v.notes));
    verdict_release(&v);
    return ASSAY_OK;
}

static void add_note(struct job *j, const char *fmt, const char *a)
{
    json_t *notes = json_object_get(json_object_get(j->tree, "verdict"), "notes");

    if (json_is_array(notes))
        json_array_append_new(notes, json_sprintf(fmt, a));
}

/* The warm-up of Offline tries larger batches until one fails. */
static void add_vain_batch(struct job *j, const json_t *warm)
{
    const json_t *tried = json_object_get(warm, "batches_tried");
    const json_t *last = json_array_get(tried, json_array_size(tried) - 1);
    const char *error = tree_text(last, "error", NULL);
    char text[600];

    snprintf(text, sizeof(text), "batches of %lld fail: %s", (long long)tree_int(last, "batch", 0),
             error ? error : "");
    if (error)
        add_note(j, "%s", text);
}

static void add_notes(struct job *j)
{
    json_t *warm = json_object_get(j->result, "warmup");
    const json_t *engine = json_object_get(j->result, "engine");
    int64_t wanted = tree_int(engine, "lanes", 0) * tree_int(engine, "threads", 0),
            filled = tree_int(engine, "fixed_batch", 0);
    const char *padding = tree_text(json_object_get(j->result, "dataset"), "padding", NULL);
    const char *model = tree_text(j->result, "note", NULL);
    const char *asked = j->final.precision ? j->final.precision
                                           : tree_text(j->r.manifest.tree, "precision", NULL),
               *executed = asked ? cell_executed(j->result, asked) : NULL;
    double own = tree_real(warm, "own_bound_ms", 0);
    char text[160];

    if (j->r.manifest.synthetic)
        add_note(
            j, "synthetic weights (%s): speed is real, accuracy means nothing, never a submission",
            j->r.manifest.net ? j->r.manifest.net : j->r.manifest.name);
    if (!j->final.dataset)
        add_note(j, "synthetic samples%s: accuracy means nothing, never a submission", "");
    if (model)
        add_note(j, "%s", model);
    if (padding)
        add_note(j, "%s", padding);
    if (filled) {
        snprintf(text, sizeof(text), "smaller batches filled up to %lld samples for the engine",
                 (long long)filled);
        add_note(j, "%s", text);
    }
    if (executed) {
        snprintf(text, sizeof(text), "%.40s was asked for, %.40s was executed", asked, executed);
        add_note(j, "%s", text);
    }
    add_vain_batch(j, warm);
    if (own > 0) {
        snprintf(text, sizeof(text),
                 "own bound %.0f ms: a single sample's p99 is over the official %.0f ms", own,
                 tree_real(warm, "official_bound_ms", 0));
        add_note(j, "%s", text);
    }
    if (wanted > cpus_usable() && !(j->r.engine->caps & ASSAY_CAP_ANY_MODEL)) {
        snprintf(text, sizeof(text),
                 "%lld lanes x threads share %u processors and wait for each other",
                 (long long)wanted, cpus_usable());
        add_note(j, "%s", text);
    }
}

#define OTHERS_SAID 0.1 /* of the machine */

/* What else the machine did, which may be in the figure. */
static void add_conditions(struct job *j)
{
    const json_t *threads = json_object_get(json_object_get(j->tree, "system"), "threads");
    uint32_t processors = (uint32_t)tree_int(threads, "value", 0);

    if (j->final.mode != MODE_ACCURACY && processors)
        conditions_notes(j->conditions, "it", OTHERS_SAID * processors, processors,
                         json_object_get(json_object_get(j->tree, "verdict"), "notes"));
}

/* Reads LoadGen's log and judges. */
static int judge(struct job *j, struct assay_err *err)
{
    struct detail d = {0};
    struct statvfs fs;
    char path[1200];
    int rc;

    in_draft(j, "mlperf_log_detail.txt", path);
    rc = detail_read(path, &d, err);
    if (rc && !statvfs(j->draft.dir, &fs) && fs.f_bavail * fs.f_frsize < (1u << 20))
        rc = assay_fail(err, ASSAY_ELACK,
                        "%s: LoadGen's log is cut off, the disk of the store is full", path);
    if (!rc)
        rc = j->final.mode == MODE_ACCURACY ? put_accuracy_verdict(j, &d, err)
                                            : put_performance(j, &d, err);
    detail_release(&d);
    if (!rc) {
        add_notes(j);
        add_conditions(j);
    }
    return rc;
}

/* latency.bin and user.conf. */
static int write_files(struct job *j, struct assay_err *err)
{
    struct text conf;
    char path[1200];
    int rc;

    in_draft(j, "latency.bin", path);
    rc = j->sup.latency_count
             ? file_write_whole(path, j->sup.latencies, j->sup.latency_count * sizeof(int64_t), err)
             : ASSAY_OK;
    if (rc)
        return rc;
    text_init(&conf, 1 << 20);
    conf_write(&j->final, j->r.loadgen_model, &conf);
    in_draft(j, "user.conf", path);
    rc = file_write_whole(path, conf.s, conf.len, err);
    text_release(&conf);
    return rc;
}

/* The child's own files say nothing that the record does not. */
static void tidy(struct job *j)
{
    static const char *const names[] = {"job.json", "result.json", "search.json",
                                        "mlperf_log_trace.json"};
    char path[1200];
    size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        in_draft(j, names[i], path);
        remove(path);
    }
    in_draft(j, "engine.log", path);
    if (file_size(path) == 0)
        remove(path);
}

/* A result that cannot be read is how the run ended, like any other error of the child. */
static int read_result(struct job *j, const struct settings *s, struct assay_err *err)
{
    char path[1200];
    int rc;

    in_draft(j, "result.json", path);
    if (!j->how.code)
        tree_read_json(path, &j->result, &j->how);
    in_draft(j, "search.json", path);
    if (!j->result && file_exists(path) && tree_read_json(path, &j->begun, NULL))
        j->begun = NULL;
    settings_release(&j->final);
    rc = j->result ? settings_from_json(&j->final, json_object_get(j->result, "settings"), err)
                   : settings_copy(&j->final, j->r.s.benchmark ? &j->r.s : s, err);
    if (rc || !j->dataset)
        return rc;
    settings_set_origin(&j->final, "dataset", SETTINGS_DEFAULT); /* not where it lies here */
    return settings_set(&j->final, "dataset", j->dataset, j->dataset_origin, "dataset", err);
}

static void put_failure(struct job *j)
{
    uint64_t completed = latency_completed(j->sup.latencies, j->sup.latency_count);

    put(j, "performance",
        completed ? json_pack("{s:o*, s:I}", "latency_ns",
                              latency_summary(j->sup.latencies, j->sup.latency_count), "samples",
                              (json_int_t)completed)
                  : NULL);
    if (completed && atomic_load(&j->sup.shared->phase) == PHASE_SEARCH)
        json_object_set_new(json_object_get(j->tree, "performance"), "of",
                            tree_string(j->sup.shared->what));
    put(j, "verdict",
        json_pack("{s:s, s:b, s:[o], s:[]}", "word", "INVALID", "valid", 0, "reasons",
                  tree_string(j->how.text), "notes"));
}

/* A log that cannot be judged makes an error of the run, but not a lost record. */
static int put_record(struct job *j, int argc, char **argv, struct assay_err *err)
{
    int rc;

    j->tree = json_object();
    put_frame(j, argc, argv);
    put_parts(j);
    if (!j->how.code)
        judge(j, &j->how);
    if (j->how.code)
        put_failure(j);
    put_end(j);
    rc = write_files(j, err);
    tidy(j);
    return rc;
}

/* A Ctrl-C between two trials of a tuning, or a second one after that which ended the run, must not
 * throw away what was measured: the one is heard by the next child's supervision, the other waits
 * until the record is whole. */
static void hold_signals(bool hold, sigset_t *before)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    pthread_sigmask(hold ? SIG_BLOCK : SIG_SETMASK, hold ? &set : before, hold ? before : NULL);
}

/* What can be tuned is, before the run's own child starts. */
static int tune(struct job *j, struct settings *s, struct assay_err *err)
{
    if (s->tune)
        return tuning_search(&j->r, s, j->draft.dir, &j->tuning, err);
    return s->tuned && !j->chosen ? tuning_recall(&j->r, s, &j->tuning, err) : ASSAY_OK;
}

/* For everything around the timed part: opening the model, pre-processing, a search that goes on.
 */
static double most_seconds(const struct settings *s)
{
    return s->time_limit_s > 0 ? 2 * s->time_limit_s + 600 : 0;
}

/* What a child that is to be started anew has left: the next one counts from 1 again. */
static void forget_begun(const struct job *j)
{
    static const char *const names[] = {"trials", "attempts", "search.json"};
    char path[1200];

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        in_draft(j, names[i], path);
        file_remove_tree(path, NULL);
    }
}

/* From the child's start to the record. */
static int run_in_draft(struct job *j, struct settings *s, int argc, char **argv,
                        struct assay_err *err)
{
    struct assay_err why = {0};
    struct conditions *around = NULL;
    sigset_t before;
    char path[1200];
    int rc;

    hold_signals(true, &before); /* while no child is supervised nobody hears them: they wait */
    rc = preflight_run(&j->r, &j->how) || ask_library(j, &j->how) || tune(j, s, &j->how)
             ? ASSAY_OK
             : write_job(j, s, err);
    if (rc) {
        record_abandon(&j->draft);
        hold_signals(false, &before);
        return rc;
    }
    in_draft(j, "job.json", path);
    if (!j->how.code)
        around = conditions_begin();
    while (!j->how.code) { /* a tuning may have ended it already */
        supervise_run(path, j->draft.dir, s->progress ? s->progress : "auto", most_seconds(s),
                      &j->sup, &j->how);
        if (!j->sup.shared || !atomic_load(&j->sup.shared->again) || j->sup.interrupted ||
            j->restarts == RESTARTS_MAX)
            break;
        j->restarts++;
        j->how = (struct assay_err){0};
        supervise_release(&j->sup);
        forget_begun(j);
    }
    j->conditions = conditions_end(around);
    rc = read_result(j, s, &why);
    if (!rc)
        rc = put_record(j, argc, argv, &why);
    rc = rc ? record_keep(&j->draft, &why, err) : record_commit(&j->draft, j->tree, err);
    hold_signals(false, &before);
    return rc;
}

int run_job(const struct settings *s, int argc, char **argv, json_t **record, struct assay_err *err)
{
    struct settings mine = {0}; /* with what is tuned */
    struct job j;
    int rc;

    memset(&j, 0, sizeof(j));
    clock_utc(j.created);
    j.sup.shared_fd = j.sup.latencies_fd = -1;
    if ((rc = resolve_mine(s, &mine, &j.r, &j.chosen, err)))
        return rc;
    rc = supply_check(tree_text(json_array_get(j.r.get, 0), "request", NULL), err);
    if (!rc)
        rc = resolve_check(&j.r, err);
    if (!rc && s->dataset && strcmp(s->dataset, j.r.s.dataset) != 0) { /* by a recipe */
        j.dataset = s->dataset;
        j.dataset_origin = settings_origin_of(s, "dataset");
        rc = settings_set(&mine, "dataset", j.r.s.dataset, SETTINGS_CLI, "dataset", err);
    }
    if (!rc)
        rc = record_begin(j.r.store, &j.draft, err);
    if (!rc) {
        rc = run_in_draft(&j, &mine, argc, argv, err);
        if (!rc) {
            *record = j.tree;
            j.tree = NULL;
        }
    }
    json_decref(j.tree);
    json_decref(j.result);
    json_decref(j.begun);
    json_decref(j.tuning);
    json_decref(j.conditions);
    settings_release(&mine);
    settings_release(&j.final);
    supervise_release(&j.sup);
    resolve_release(&j.r);
    return rc;
}
