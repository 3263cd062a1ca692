/* The official Python reference beside our run; see reference.h.
 *
 *   our record -> list of samples, user.conf -> reference (process) -> its logs -> record */
#include "lib/reference.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "base/tree.h"
#include "lib/outside.h"
#include "lib/reference_inside.h"
#include "load/detail.h"
#include "record/conditions.h"
#include "record/record.h"
#include "run/bench.h"
#include "run/run.h"
#include "run/supply.h"
#include "submit/logs.h"

#define MOST_ENV 64

/* What the user says of recipes (--have) counts here as for our run. */
static void ask_of(const struct beside *b, const char *requests[REFERENCE_REQUESTS + 1],
                   struct plan_ask *what)
{
    reference_requests(b, requests);
    *what = *supply_said();
    what->requests = requests;
    what->cache = b->r.cache;
    what->offline = b->ask->offline;
}

/* What its files take, beside our own pre-processed samples; 0: little, or not known. */
static int check_disk(struct beside *b, double *bytes, struct assay_err *err)
{
    int rc = resolve_check(&b->r, err);
    double have = file_disk_free(b->r.cache);

    *bytes = b->row->disk * (double)b->r.look.samples * b->r.look.loaded_bytes;
    if (rc || have < 0 || *bytes <= have)
        return rc;
    return assay_fail(err, ASSAY_ELACK,
                      "the official reference's files take up to %.1f GB while it runs, and %s has "
                      "%.1f GB free: use another --cache, or fewer samples (--count)",
                      *bytes * 1e-9, b->r.cache, have * 1e-9);
}

int lib_reference_plan(const struct lib_reference_ask *ask, json_t **plan, struct assay_err *err)
{
    const char *requests[REFERENCE_REQUESTS + 1];
    struct plan_ask what;
    json_t *run = NULL, *get;
    double disk = 0;
    struct beside b;
    struct plan p;
    int rc = reference_begin(&b, ask, err);

    if (!rc)
        rc = run_plan(ask->s, &run, err);
    if (!rc) {
        ask_of(&b, requests, &what);
        rc = plan_make(&what, &p, err);
        if (!rc) {
            rc = reference_outputs(&b, &p, err);
            plan_release(&p);
        }
    }
    if (!rc)
        rc = reference_names(&b, err);
    if (!rc)
        rc = reference_same_weights(&b, err);
    if (!rc)
        rc = check_disk(&b, &disk, err);
    if (!rc) {
        get = json_deep_copy(json_object_get(run, "get"));
        for (size_t i = 0; requests[i]; i++)
            json_array_append_new(get, json_string(requests[i]));
        *plan = json_pack("{s:O, s:o, s:{s:o*, s:o*, s:o, s:o*, s:O, s:f}}", "run", run, "get", get,
                          "reference", "written", reference_written(&b), "prepare",
                          reference_prepare_command(&b), "command", reference_command(&b), "score",
                          reference_score_command(&b), "recipes", b.recipes, "disk_bytes", disk);
    }
    json_decref(run);
    reference_end(&b);
    return rc;
}

/* ---- its run ---- */

/* What it says of samples that it could not answer: it answers them with nothing, and goes on. */
static const char *const failures[] = {"failed on contentid=", "ERROR:main:thread: failed, "};

struct heard {
    int64_t failed;
    char first[300];
};

static void hear_line(void *ctx, char *line)
{
    struct heard *h = ctx;
    const char *at;

    for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++)
        if ((at = strstr(line, failures[i])) && !h->failed++)
            snprintf(h->first, sizeof(h->first), "%s", at + strlen(failures[i]));
}

/* Words and variables as spawn wants them; both lists and the texts of env for free(). */
static int spawn_lists(const struct beside *b, const json_t *command, const char *const *more,
                       char ***argv, char ***env, struct assay_err *err)
{
    size_t n = json_array_size(command), i = 0;
    json_t *v;

    *argv = calloc(n + 1, sizeof(**argv));
    *env = calloc(MOST_ENV, sizeof(**env));
    if (!*argv || !*env)
        return assay_fail(err, ASSAY_EFAIL, "not enough memory");
    json_array_foreach(command, i, v)(*argv)[i] = (char *)(uintptr_t)json_string_value(v);
    (*env)[0] = text_format("PYTHONPATH=%s", b->site);
    (*env)[1] = text_format("HOME=%s", b->work.dir);
    (*env)[2] = strdup("PYTHONNOUSERSITE=1");
    (*env)[3] = strdup("HF_HUB_OFFLINE=1");
    for (i = 4; more && *more && i + 1 < MOST_ENV; more++)
        if (((*env)[i] = reference_word(b, *more)))
            i++;
    return ASSAY_OK;
}

static void free_lists(char **argv, char **env)
{
    for (size_t i = 0; env && env[i]; i++)
        free(env[i]);
    free(env);
    free(argv);
}

/* Runs a program of the repository; what it prints is in `log`. */
static int run_program(const struct beside *b, const json_t *command, const char *const *more,
                       const char *log, struct heard *h, json_t *last, struct assay_err *err)
{
    struct outside o = {.dir = b->work.dir,
                        .log = log,
                        .limit_s = b->ask->limit_s,
                        .line = h ? hear_line : NULL,
                        .ctx = h};
    char **argv = NULL, **env = NULL;
    int rc = spawn_lists(b, command, more, &argv, &env, err);

    o.argv = argv;
    o.env = env;
    if (!rc)
        rc = outside_run(&o, err);
    if (!rc && o.exit_code) {
        json_array_extend(last, o.last);
        rc =
            assay_fail(err, ASSAY_EFAIL, "the official reference failed: %s (all that it said: %s)",
                       o.how.text, log);
    }
    json_decref(o.last);
    free_lists(argv, env);
    return rc;
}

/* Its answers are no figures when some are made up. */
static int check_heard(const struct heard *h, const char *log, struct assay_err *err)
{
    return h->failed
               ? assay_fail(err, ASSAY_EFAIL,
                            "the official reference could not answer %lld batches, and its "
                            "figures would be of nothing; the first: %s (all that it said: %s)",
                            (long long)h->failed, h->first, log)
               : ASSAY_OK;
}

/* ---- what is known of it ---- */

/* The accuracy of its log by our own code, which gives the official script's figure, and counts. */
static int score_log(const struct beside *b, const char *path, json_t **accuracy,
                     struct assay_err *err)
{
    struct accuracy_log log = {0};
    struct run_bench bench = {0};
    int rc = accuracy_log_read(path, &log, err);

    if (!rc)
        rc = run_bench_open(&bench, b->row->benchmark, b->r.format, &b->s, false, err);
    if (!rc)
        rc = run_score(bench.table, bench.self, bench.manifest.tree, &log, accuracy, err);
    run_bench_close(&bench);
    accuracy_log_release(&log);
    return rc;
}

/* Members of its record that the logs do not tell, but we, who ran it. */
static json_t *known_of(const struct beside *b, const json_t *own, const json_t *command)
{
    json_t *dataset = json_deep_copy(json_object_get(own, "dataset"));
    json_t *engine = json_pack(
        "{s:o, s:s, s:s, s:s, s:s}", "name", json_sprintf("%s (reference)", b->row->engine),
        "device", "cpu", "version", b->engine_version, "precision",
        tree_text(json_object_get(own, "model"), "precision", "unknown"), "sut_name", "PySUT");

    json_object_del(dataset, "samples"); /* the log has its own counts */
    json_object_del(dataset, "performance_samples");
    return json_pack("{s:o, s:O, s:o, s:O, s:O, s:O, s:O}", "engine", engine, "model",
                     json_object_get(own, "model"), "dataset", dataset, "system",
                     json_object_get(own, "system"), "synthetic", json_object_get(own, "synthetic"),
                     "command", command, "reference", b->recipes);
}

static int take_logs(const struct beside *b, const json_t *known, const char *log, json_t **record,
                     struct assay_err *err)
{
    char *origin;
    struct submit_logs_ask ask = {.benchmark = b->row->benchmark, .known = known};
    json_t *taken = NULL, *one;
    int rc;

    origin = text_format("the official reference (%s)",
                         json_string_value(json_array_get(b->recipes, 0)));
    ask.origin = origin;
    rc = origin ? submit_take_logs(b->r.store, b->logs.dir, &ask, &taken, err)
                : assay_fail(err, ASSAY_EFAIL, "not enough memory");
    one = json_array_get(json_object_get(taken, "imported"), 0);
    if (!rc && !one)
        rc = assay_fail(err, ASSAY_EFAIL,
                        "the official reference's logs are no run: %s (all that "
                        "it said: %s)",
                        tree_text(json_array_get(json_object_get(taken, "failed"), 0), "error",
                                  "they are those of a run that is there already"),
                        log);
    if (!rc)
        rc = record_find(b->r.store, tree_text(one, "id", ""), NULL, record, err);
    json_decref(taken);
    free(origin);
    return rc;
}

/* The official script on its log, to accuracy.txt beside it; and our own. */
static int score(const struct beside *b, json_t *known, const char *log, json_t *last,
                 struct assay_err *err)
{
    char *path = file_join(b->logs.dir, REFERENCE_LOG);
    char *text = file_join(b->logs.dir, "accuracy.txt");
    json_t *command = reference_score_command(b), *accuracy = NULL;
    int rc = path && text ? ASSAY_OK : assay_fail(err, ASSAY_EFAIL, "not enough memory");

    (void)log;
    if (!rc && command)
        rc = run_program(b, command, b->row->score_env, text, NULL, last, err);
    if (!rc)
        rc = score_log(b, path, &accuracy, err);
    if (!rc)
        json_object_set_new(known, "accuracy", accuracy);
    json_decref(command);
    free(path);
    free(text);
    return rc;
}

static int run(struct beside *b, const json_t *own, const char *log, json_t **record, json_t *last,
               struct assay_err *err)
{
    json_t *command = NULL, *known = NULL, *conditions = NULL;
    struct conditions *around;
    struct heard h = {0};
    int rc = reference_files(b, own, err);

    if (!rc && (command = reference_prepare_command(b)))
        rc = run_program(b, command, b->row->env, log, NULL, last, err);
    json_decref(command);
    command = NULL;
    if (!rc) {
        command = reference_command(b);
        around = conditions_begin();
        rc = run_program(b, command, b->row->env, log, &h, last, err);
        conditions = conditions_end(around);
    }
    if (!rc)
        rc = check_heard(&h, log, err);
    b->answered = !rc;
    if (!rc)
        known = known_of(b, own, command);
    json_object_set(known, "conditions", conditions);
    if (!rc && b->s.mode == MODE_ACCURACY)
        rc = score(b, known, log, last, err);
    if (!rc)
        rc = take_logs(b, known, log, record, err);
    json_decref(conditions);
    json_decref(known);
    json_decref(command);
    return rc;
}

/* Hours may be in logs that are whole, so these stay when a later step fails: `assay cache prune`
 * removes them. */
static void remove_folders(struct beside *b, int rc, struct assay_err *err)
{
    struct assay_err why;

    work_end(&b->work, false);
    if (rc && b->answered) {
        why = *err;
        assay_fail(err, rc, "%.330s (its logs: %s)", why.text, b->logs.dir);
    }
    work_end(&b->logs, rc && b->answered);
}

int lib_reference(const struct lib_reference_ask *ask, const json_t *own, json_t **record,
                  json_t *last, struct assay_err *err)
{
    const char *requests[REFERENCE_REQUESTS + 1];
    struct plan_ask what;
    char *log = NULL;
    struct beside b;
    struct plan p;
    int rc = reference_begin(&b, ask, err);

    if (!rc) {
        ask_of(&b, requests, &what);
        rc = outside_get(&what, b.s.progress, &p, &b.held, err);
        if (!rc) {
            rc = reference_outputs(&b, &p, err);
            plan_release(&p);
        }
    }
    if (!rc)
        rc = work_begin(b.r.cache, "reference", &b.work, err);
    if (!rc)
        rc = work_begin(b.r.cache, "reference-logs", &b.logs, err);
    if (!rc)
        rc = reference_names(&b, err);
    if (!rc && !(log = text_format("%s/reference.log", b.r.cache)))
        rc = assay_fail(err, ASSAY_EFAIL, "not enough memory");
    if (!rc)
        rc = run(&b, own, log, record, last, err);
    remove_folders(&b, rc, err);
    free(log);
    reference_end(&b);
    return rc;
}
