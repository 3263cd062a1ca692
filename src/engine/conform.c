/* The conformance suite: what every engine must do, tried on one engine.
 *
 * A case opens the engine anew, in a process of its own, so one that breaks or crashes leaves
 * nothing to the next.  A case returns
 * ASSAY_OK, or ASSAY_EUNSUPPORTED with the reason why it does not apply (skip), or anything else
 * with what went wrong. A breach of contract that the wrapper sees, at any time until the engine is
 * closed, fails the case. */
#include "engine/trial.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/ask.h"
#include "base/clock.h"
#include "base/file.h"
#include "engine/open.h"

/* A case may take this long, most of it for opening; and be without a sign of life for this long
 * once the model is open. */
#define CASE_LIMIT_S 300
#define HANG_LIMIT_S 30
#define HUNG         1 /* beside the negative codes */
#define ANSWER_MAX   4096
#define MOST         8 /* samples in a batch, where the model allows more */

static int skip(struct assay_err *err, const char *why)
{
    return assay_fail(err, ASSAY_EUNSUPPORTED, "%s", why);
}

static int run_once(struct trial *t, uint32_t n, struct assay_err *err)
{
    uint32_t samples[MOST];
    struct load l;
    int rc;

    for (uint32_t i = 0; i < MOST; i++)
        samples[i] = i;
    rc = load_init(&l, t, 0, samples, n, err);
    if (rc)
        return rc;
    rc = load_run(&l, err);
    if (!rc)
        rc = load_compare(&l, n - 1, &l, n - 1, err); /* finite, and a row for each sample */
    load_release(&l);
    return rc;
}

static int case_describe(struct trial *t, const struct trial_ask *ask, struct assay_err *err)
{
    const struct assay_model_desc *first = engine_desc(t->engine);
    struct assay_model_desc again = {.size = sizeof(again)};
    const struct assay_graph_desc *g, *h;
    int rc = ask->table->describe(t->engine->self, &again, err);

    if (rc)
        return rc;
    if (again.graph_count != first->graph_count || again.max_batch != first->max_batch)
        return assay_fail(err, ASSAY_EFAIL, "the second describe differs from the first");
    for (uint32_t i = 0; i < again.graph_count; i++) {
        g = &first->graphs[i];
        h = &again.graphs[i];
        if (g->input_count != h->input_count || g->output_count != h->output_count ||
            (g->input_count &&
             memcmp(g->inputs, h->inputs, g->input_count * sizeof(*g->inputs)) != 0) ||
            memcmp(g->outputs, h->outputs, g->output_count * sizeof(*g->outputs)) != 0)
            return assay_fail(err, ASSAY_EFAIL, "the second describe of graph %u differs", i);
    }
    return ASSAY_OK;
}

static int case_sizes(struct trial *t, const struct trial_ask *ask, struct assay_err *err)
{
    int rc = ASSAY_OK;

    (void)ask;
    for (uint32_t n = 1; n <= t->max_batch && !rc; n++)
        rc = run_once(t, n, err);
    return rc;
}

/* The same samples in batches of one and in one batch, there in reverse order. */
static int case_composition(struct trial *t, const struct trial_ask *ask, struct assay_err *err)
{
    uint32_t n = t->max_batch < 4 ? t->max_batch : 4, backwards[4], i;
    struct load together, alone;
    int rc;

    (void)ask;
    if (n < 2)
        return skip(err, "the model takes one sample at a time");
    for (i = 0; i < n; i++)
        backwards[i] = n - 1 - i;
    rc = load_init(&together, t, 0, backwards, n, err);
    if (rc)
        return rc;
    rc = load_run(&together, err);
    for (i = 0; i < n && !rc; i++) {
        rc = load_init(&alone, t, 0, &i, 1, err);
        if (rc)
            break;
        rc = load_run(&alone, err);
        if (!rc)
            rc = load_compare(&alone, 0, &together, n - 1 - i, err);
        load_release(&alone);
    }
    load_release(&together);
    return rc;
}

/* More batches at once than most engines have slots for: each must come back exactly once. */
static int case_storm(struct trial *t, const struct trial_ask *ask, struct assay_err *err)
{
    enum { FLOOD = 96 };
    struct load *loads = calloc(FLOOD, sizeof(*loads));
    struct assay_err ignored;
    uint32_t made = 0, sample, i;
    int rc = loads ? ASSAY_OK : assay_fail(err, ASSAY_EFAIL, "not enough memory");

    while (made < FLOOD && !rc) {
        sample = made;
        if (!(rc = load_init(&loads[made], t, 0, &sample, 1, err)))
            made++;
    }
    for (i = 0; i < made && !rc; i++)
        rc = load_submit(&loads[i], err);
    if (!rc)
        rc = engine_drain(t->engine, 0, err);
    for (i = 0; i < made && !rc; i++)
        rc = load_wait(&loads[i], err);
    /* Some may still be under way when one failed: their memory may go only when the engine is done
     * with it. */
    if (rc && ask->table->drain)
        engine_drain(t->engine, 0, &ignored);
    else if (rc && (ask->table->caps & ASSAY_CAP_ASYNC))
        return rc;
    for (i = 0; i < made; i++)
        load_release(&loads[i]);
    free(loads);
    return rc;
}

static int case_once(struct trial *t, const struct trial_ask *ask, struct assay_err *err)
{
    int rc = ASSAY_OK;

    (void)ask;
    for (int i = 0; i < 32 && !rc; i++)
        rc = run_once(t, 1, err);
    usleep(20000); /* for a second completion that is under way */
    return rc;
}

/* Halves the first free dimension of every second row. */
static int case_ragged(struct trial *t, const struct trial_ask *ask, struct assay_err *err)
{
    const struct assay_tensor_spec *spec = t->graph->inputs;
    uint32_t samples[4] = {0, 1, 2, 3}, d = 1;
    struct load l;
    int rc;

    if (!(ask->table->caps & ASSAY_CAP_RAGGED))
        return skip(err, "the engine takes rows of one shape only");
    while (t->graph->input_count && d < spec->rank && spec->dims[d] >= 0)
        d++;
    if (!t->graph->input_count || d >= spec->rank || t->max_batch < 4)
        return skip(err, "the model has no free dimension");
    if ((rc = load_init(&l, t, 0, samples, 4, err)))
        return rc;
    for (uint32_t s = 1; s < 4; s += 2) {
        l.row_tensors[0][s].dims[d - 1] /= 2;
        l.row_tensors[0][s].bytes /= 2;
    }
    rc = load_run(&l, err);
    load_release(&l);
    return rc;
}

/* A lane's own batch, again and again. */
struct lane_job {
    struct load load, expected;
    struct assay_err err;
};

static void *lane_thread(void *arg)
{
    struct lane_job *job = arg;
    int rc = ASSAY_OK;

    for (int i = 0; i < 20 && !rc; i++) {
        rc = load_run(&job->load, &job->err);
        for (uint32_t s = 0; s < job->load.batch.samples && !rc; s++)
            rc = load_compare(&job->load, s, &job->expected, s, &job->err);
    }
    return NULL;
}

/* Both at once, each with samples of its own and the answers that it gave alone.  An answer is read
 * about one batch after it came: the other lane has answered too by then, and must not have written
 * it over. */
static int run_lanes(struct trial *t, struct lane_job jobs[2], struct assay_err *err)
{
    pthread_t threads[2];
    uint32_t started = 0;
    int64_t since = clock_ns(), took_us;
    int rc = ASSAY_OK;

    for (uint32_t i = 0; i < 2 && !rc; i++)
        rc = load_run(&jobs[i].expected, err);
    took_us = (clock_ns() - since) / 2000;
    t->dwell_us = (useconds_t)(took_us < 1000 ? 1000 : took_us > 200000 ? 200000 : took_us);
    for (; started < t->lanes && !rc; started++)
        if (pthread_create(&threads[started], NULL, lane_thread, &jobs[started]))
            break;
    for (uint32_t i = 0; i < started; i++) {
        pthread_join(threads[i], NULL);
        if (jobs[i].err.code && !rc)
            rc = assay_fail(err, jobs[i].err.code, "lane %u: %s", i, jobs[i].err.text);
    }
    t->dwell_us = 0;
    return rc;
}

static int case_lanes(struct trial *t, const struct trial_ask *ask, struct assay_err *err)
{
    static const uint32_t samples[2][3] = {{5, 6, 7}, {8, 9, 10}};
    uint32_t n = t->max_batch < 3 ? t->max_batch : 3, made = 0;
    struct lane_job jobs[2] = {0};
    int rc = ASSAY_OK;

    (void)ask;
    for (; made < 2 && !rc; made++) {
        rc = load_init(&jobs[made].load, t, made, samples[made], n, err);
        if (rc)
            break;
        rc = load_init(&jobs[made].expected, t, made, samples[made], n, err);
        if (rc) {
            load_release(&jobs[made].load);
            break;
        }
    }
    if (!rc)
        rc = run_lanes(t, jobs, err);
    while (made--) {
        load_release(&jobs[made].load);
        load_release(&jobs[made].expected);
    }
    return rc;
}

/* ---- memory ---- */

struct memory_job {
    struct trial *trial;
    _Atomic bool stop;
    struct assay_err err;
};

static void *memory_thread(void *arg)
{
    struct memory_job *job = arg;
    unsigned char *memory;

    for (size_t bytes = 1; !job->stop && !job->err.code; bytes = bytes * 7 % 1000003) {
        if (!(memory = engine_alloc(job->trial->engine, bytes)))
            assay_fail(&job->err, ASSAY_EFAIL, "alloc gave no %zu bytes", bytes);
        else {
            memset(memory, 0xa5, bytes);
            engine_release(job->trial->engine, memory);
        }
    }
    return NULL;
}

/* The host packs the next batches while lanes are in submit. */
static int case_memory(struct trial *t, const struct trial_ask *ask, struct assay_err *err)
{
    struct memory_job job = {.trial = t};
    pthread_t thread;
    int rc;

    if (!ask->table->alloc)
        return skip(err, "the engine has no memory of its own");
    if (pthread_create(&thread, NULL, memory_thread, &job))
        return assay_fail(err, ASSAY_EFAIL, "no thread can be started");
    rc = case_lanes(t, ask, err);
    job.stop = true;
    pthread_join(thread, NULL);
    if (job.err.code && !rc)
        rc = assay_fail(err, job.err.code, "%s", job.err.text);
    return rc;
}

/* One element less than the model takes, in a dimension that is fixed; then a good batch. */
static int case_bad_input(struct trial *t, const struct trial_ask *ask, struct assay_err *err)
{
    uint32_t sample = 0, d = 1;
    struct load l;
    int rc;

    if (ask->table->caps & ASSAY_CAP_ANY_MODEL)
        return skip(err, "the engine takes any input");
    while (d < t->graph->inputs[0].rank && t->graph->inputs[0].dims[d] < 2)
        d++;
    if (d >= t->graph->inputs[0].rank)
        return skip(err, "every dimension of the model's input is free");
    if ((rc = load_init(&l, t, 0, &sample, 1, err)))
        return rc;
    l.inputs[0].bytes -= l.inputs[0].bytes / (size_t)l.inputs[0].dims[d];
    l.inputs[0].dims[d]--;
    l.row_tensors[0][0].bytes = l.inputs[0].bytes;
    l.row_tensors[0][0].dims[d - 1]--;
    rc = load_run(&l, err) ? ASSAY_OK
                           : assay_fail(err, ASSAY_EFAIL, "an input of another shape was accepted");
    load_release(&l);
    return rc ? rc : run_once(t, 1, err);
}

static int case_reopen(struct trial *t, const struct trial_ask *ask, struct assay_err *err)
{
    struct trial other;
    int rc = ASSAY_OK;

    (void)t; /* open beside, and never used */
    for (int i = 0; i < 2 && !rc; i++) {
        rc = trial_open(&other, ask, err);
        if (!rc)
            rc = run_once(&other, 1, err);
        if (!rc)
            rc = trial_close(&other, err);
    }
    return rc;
}

/* Each precision that the engine lists is opened, or refused with words (a file may be none for it,
 * a device may have none); what is executed is one of the list.  int8 is of models that are in it.
 */
static int case_precision(struct trial *t, const struct trial_ask *ask, struct assay_err *err)
{
    const char *const *all = ask->table->precisions;
    struct trial_ask asked = *ask;
    struct assay_err words;
    struct trial one;
    int rc = ASSAY_OK;

    (void)t;
    if (!all || !all[0])
        return skip(err, "the engine lists no precisions");
    for (int i = 0; all[i] && !rc; i++) {
        asked.precision = all[i];
        words.text[0] = 0;
        if (!strcmp(all[i], "int8"))
            continue;
        if (trial_open(&one, &asked, &words)) {
            if (!words.text[0])
                rc = assay_fail(err, ASSAY_EFAIL, "%s: refused without words", all[i]);
            continue;
        }
        rc = engine_check_precision(ask->table, engine_desc(one.engine)->precision, err);
        if (!rc)
            rc = run_once(&one, 1, err);
        if (trial_close(&one, &words) && !rc)
            rc = assay_fail(err, words.code, "%s", words.text);
    }
    return rc;
}

/* An open that must fail, with words. */
static int must_fail(const struct trial_ask *ask, const char *what, struct assay_err *err)
{
    struct assay_err words = {0};
    struct trial t;

    if (!trial_open(&t, ask, &words)) {
        trial_close(&t, NULL);
        return assay_fail(err, ASSAY_EFAIL, "%s was accepted", what);
    }
    return words.text[0] ? ASSAY_OK
                         : assay_fail(err, ASSAY_EFAIL, "%s: refused without words", what);
}

static int case_device(struct trial *t, const struct trial_ask *ask, struct assay_err *err)
{
    struct trial_ask bad = *ask;

    (void)t;
    bad.device = "nosuch:7";
    return must_fail(&bad, "device nosuch:7", err);
}

static int case_option(struct trial *t, const struct trial_ask *ask, struct assay_err *err)
{
    struct trial_ask bad = *ask;

    (void)t;
    bad.options = "no_such_option=1";
    return must_fail(&bad, "option no_such_option", err);
}

static int case_model(struct trial *t, const struct trial_ask *ask, struct assay_err *err)
{
    struct trial_ask bad = *ask;

    (void)t;
    if (ask->table->caps & ASSAY_CAP_ANY_MODEL)
        return skip(err, "the engine needs no model");
    bad.model = "/nonexistent/model";
    return must_fail(&bad, "a missing model file", err);
}

/* A file that is there and is no model. */
static int case_garbage(struct trial *t, const struct trial_ask *ask, struct assay_err *err)
{
    char path[] = P_tmpdir "/assay-conform-XXXXXX";
    struct trial_ask bad = *ask;
    int fd, rc;

    (void)t;
    if (ask->table->caps & ASSAY_CAP_ANY_MODEL)
        return skip(err, "the engine needs no model");
    fd = mkstemp(path);
    if (fd < 0 || write(fd, "this is no model\n", 17) != 17)
        return assay_fail(err, ASSAY_EFAIL, "%s: cannot be written", path);
    close(fd);
    bad.model = path;
    rc = must_fail(&bad, "a text file as model", err);
    unlink(path);
    return rc;
}

static bool is_text(const char *text, size_t size)
{
    json_t *utf8 = memchr(text, 0, size) ? json_string(text) : NULL;

    json_decref(utf8);
    return utf8;
}

/* In the raw, where the host bears with more: each text ends and is UTF-8, and the device that the
 * model opened on is there. */
static int check_probe(const struct assay_engine_probe *p, const char *device,
                       struct assay_err *err)
{
    bool texts = is_text(p->version, sizeof(p->version)) &&
                 is_text(p->library, sizeof(p->library)) && is_text(p->note, sizeof(p->note));

    if (p->device_count > ASSAY_PROBE_DEVICES)
        return assay_fail(err, ASSAY_EFAIL, "it claims %u devices, there is room for %d",
                          p->device_count, ASSAY_PROBE_DEVICES);
    for (uint32_t i = 0; i < p->device_count; i++)
        texts = texts && is_text(p->devices[i], sizeof(p->devices[i])) &&
                is_text(p->device_names[i], sizeof(p->device_names[i]));
    if (!texts)
        return assay_fail(err, ASSAY_EFAIL, "a text of it does not end, or is not UTF-8");
    if (!engine_has_device(p, device))
        return assay_fail(err, ASSAY_EFAIL, "it does not list %s, where the model opens", device);
    return ASSAY_OK;
}

static int case_probe(struct trial *t, const struct trial_ask *ask, struct assay_err *err)
{
    struct assay_engine_probe p = {.size = sizeof(p)};
    struct assay_err words = {0};
    char *runtime;
    int rc;

    (void)t;
    if (!ask->table->probe)
        return skip(err, "the engine has none");
    runtime = engine_runtime_dir(ask->table->name);
    rc = ask->table->probe(runtime ? runtime : "", &p, &words);
    free(runtime);
    return rc ? assay_fail(err, ASSAY_EFAIL, "it fails, though the model opens: %.300s",
                           words.text[0] ? words.text : "no words")
              : check_probe(&p, ask->device, err);
}

static int case_opens(struct trial *t, const struct trial_ask *ask, struct assay_err *err)
{
    (void)t;
    (void)ask;
    (void)err;
    return ASSAY_OK;
}

/* Where the first fails there is nothing to try. */
static const struct {
    const char *name;
    int (*run)(struct trial *t, const struct trial_ask *ask, struct assay_err *err);
    uint32_t threads; /* of a lane; 0: 1 */
    bool closed;      /* nothing is opened before it */
} cases[] = {{"opens", case_opens, 0, false},
             {"the probe answers", case_probe, 0, true},
             {"describe is stable", case_describe, 0, false},
             {"batches of 1 to 8 samples", case_sizes, 0, false},
             {"answers do not depend on the batch", case_composition, 0, false},
             {"each batch completes once", case_once, 0, false},
             {"more batches than slots", case_storm, 0, false},
             {"rows of different shapes", case_ragged, 0, false},
             {"two lanes at once", case_lanes, 0, false},
             {"two lanes of two threads at once", case_lanes, 2, false},
             {"memory is had while lanes are busy", case_memory, 0, false},
             {"an input of another shape is an error", case_bad_input, 0, false},
             {"opens again", case_reopen, 0, false},
             {"each precision opens or is refused", case_precision, 0, false},
             {"an unknown device is an error", case_device, 0, false},
             {"an unknown option is an error", case_option, 0, false},
             {"a missing model is an error", case_model, 0, false},
             {"a file that is no model is an error", case_garbage, 0, false}};

static int run_case(size_t i, struct trial_ask *ask, struct assay_err *err)
{
    struct assay_err breach;
    struct trial t;
    int rc, closed;

    ask->threads = cases[i].threads;
    if (cases[i].closed)
        return cases[i].run(NULL, ask, err);
    rc = trial_open(&t, ask, err);
    if (rc)
        return rc == ASSAY_EUNSUPPORTED ? ASSAY_EFAIL : rc;
    rc = cases[i].run(&t, ask, err);
    closed = trial_close(&t, &breach);
    if (closed)
        *err = breach;
    return closed ? closed : rc;
}

/* The format that the file's name ends in, or else the engine's first. */
static const char *guess_format(const struct assay_engine *table, const char *model)
{
    const char *dot = model ? strrchr(model, '.') : NULL;

    for (int i = 0; dot && table->formats && table->formats[i]; i++)
        if (strcmp(dot + 1, table->formats[i]) == 0)
            return table->formats[i];
    return table->formats ? table->formats[0] : NULL;
}

static void ask_fill(struct trial_ask *ask)
{
    if (!ask->device)
        ask->device = "cpu";
    if (!ask->format)
        ask->format = guess_format(ask->table, ask->model);
    ask->lanes = 2;
    ask->max_batch = MOST;
}

/* ---- in a child process ---- */

static const char *or_empty(const char *text)
{
    return text ? text : "";
}

static const char *or_null(const char *text)
{
    return *text ? text : NULL;
}

static int case_in_child(const char *name, size_t i, const struct trial_ask *ask,
                         const char *runtime, struct assay_err *err)
{
    char number[16], *end;
    const char *const argv[] = {"assay-child",
                                "conform",
                                name,
                                number,
                                or_empty(ask->model),
                                or_empty(ask->format),
                                or_empty(ask->device),
                                or_empty(ask->options),
                                or_empty(runtime),
                                NULL};
    struct text answer;
    int rc;

    snprintf(number, sizeof(number), "%zu", i);
    text_init(&answer, ANSWER_MAX);
    rc = ask_child(argv, CASE_LIMIT_S, "it", &answer, err);
    if (!rc) {
        long code = answer.len ? strtol(answer.s, &end, 10) : 0;

        if (!answer.len || *end != ' ')
            rc = assay_fail(err, ASSAY_EFAIL, "it ended the process");
        else if (code)
            rc = assay_fail(err, (int)code, "%s", end + 1);
    }
    text_release(&answer);
    return rc;
}

/* Ends the process when the engine gives no sign of life any more. */
static void *watch(void *fd)
{
    int64_t alive;

    do {
        usleep(100000);
        alive = atomic_load(&trial_alive_ns);
    } while (!alive || clock_ns() - alive < HANG_LIMIT_S * INT64_C(1000000000));
    dprintf(*(int *)fd, "%d it did nothing for %d s: it hangs, and no other case is tried", HUNG,
            HANG_LIMIT_S);
    _exit(3);
}

int engine_conform_here(char **args, int fd, struct assay_err *err)
{
    struct trial_ask ask = {.model = or_null(args[2]),
                            .format = or_null(args[3]),
                            .device = or_null(args[4]),
                            .options = or_null(args[5])};
    size_t i = strtoul(args[1], NULL, 10);
    int own = ask_keep_descriptor(fd), rc;
    struct assay_err words = {0};
    char path[1024];
    pthread_t watcher;

    if (i >= sizeof(cases) / sizeof(cases[0]))
        return assay_fail(err, ASSAY_EUSAGE, "there is no case %s", args[1]);
    engine_runtime_use(args[6]);
    rc = engine_load(args[0], &ask.table, path, &words);
    if (!rc) {
        ask_fill(&ask);
        if (!pthread_create(&watcher, NULL, watch, &own))
            pthread_detach(watcher);
        rc = run_case(i, &ask, &words);
    }
    atomic_store(&trial_alive_ns, 0);
    rc = dprintf(own, "%d %s", rc, rc ? words.text : "") < 0;
    close(own);
    return rc ? assay_fail(err, ASSAY_EFAIL, "the answer cannot be written") : ASSAY_OK;
}

/* ---- the whole ---- */

int engine_conform(const char *name, const char *model, const char *format, const char *device,
                   const char *options, const char *runtime, FILE *out, struct engine_conform *sum,
                   struct assay_err *err)
{
    struct trial_ask ask = {.model = model, .format = format, .device = device, .options = options};
    struct assay_err words = {0};
    char path[1024];
    int rc = engine_load(name, &ask.table, path, err);

    memset(sum, 0, sizeof(*sum));
    if (rc)
        return rc;
    if (!model && !(ask.table->caps & ASSAY_CAP_ANY_MODEL))
        return assay_fail(err, ASSAY_EUSAGE,
                          "engine %s: needs a model to be checked with: --model FILE", name);
    if (model && !file_exists(model))
        return assay_fail(err, ASSAY_EUSAGE, "--model %s: there is no such file", model);
    ask_fill(&ask);
    fprintf(out, "ok    the table (%s)\n", path);
    sum->passed++;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]) && !sum->stopped; i++) {
        rc = case_in_child(name, i, &ask, runtime, &words);
        if (!rc)
            fprintf(out, "ok    %s\n", cases[i].name);
        else
            fprintf(out, "%s  %s (%s)\n", rc == ASSAY_EUNSUPPORTED ? "skip" : "FAIL", cases[i].name,
                    words.text);
        fflush(out);
        (*(!rc ? &sum->passed : rc == ASSAY_EUNSUPPORTED ? &sum->skipped : &sum->failed))++;
        sum->stopped = rc == HUNG || (rc && !i);
    }
    return ASSAY_OK;
}
