/* The child: one run in a process of its own.
 *
 * Order: map what the parent shares; data set (open); model (write the net when it is missing,
 * open, check shapes); data set (prepare); batcher; warm-up and calibration; LoadGen; accuracy;
 * result.json.  Any failure writes one error where the parent finds it and ends the process at once
 * by _exit: LoadGen crashes in exit handlers and engine threads may be anywhere, so nothing is torn
 * down. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/cpus.h"
#include "base/file.h"
#include "base/text.h"
#include "base/tree.h"
#include "net/net.h"
#include "run/child.h"
#include "run/bench.h"
#include "run/digest.h"
#include "run/drive.h"
#include "run/run.h"

struct child *child_the;

void child_phase(struct child *c, int phase, const char *what, uint64_t total, double target_s)
{
    snprintf(c->shared->what, sizeof(c->shared->what), "%s", what);
    atomic_store(&c->shared->done, 0);
    atomic_store(&c->shared->total, total);
    atomic_store(&c->shared->target_ns, (int64_t)(target_s * 1e9));
    atomic_store(&c->shared->phase_since_ns, clock_ns());
    atomic_store(&c->shared->phase, phase);
}

_Noreturn void child_fail(struct child *c, const struct assay_err *err)
{
    static _Atomic int once;

    if (!atomic_exchange(&once, 1)) {
        c->shared->error = *err;
        if (!err->code || !err->text[0]) /* a plugin failed without a word */
            assay_fail(&c->shared->error, err->code ? err->code : ASSAY_EFAIL,
                       "%s with %s failed in the phase '%s' and did not say why",
                       c->r.benchmark ? c->r.benchmark->name : "the run",
                       c->r.engine ? c->r.engine->name : "no engine",
                       run_phase_names[atomic_load(&c->shared->phase)]);
        atomic_store(&c->shared->failed, 1);
        _exit(c->shared->error.code == ASSAY_ESTOP ? 130 : 3);
    }
    for (;;) /* another thread is ending the process */
        pause();
}

_Noreturn void child_fail_text(struct child *c, int code, const char *fmt, ...)
{
    struct assay_err err = {.code = code};
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(err.text, sizeof(err.text), fmt, ap);
    va_end(ap);
    child_fail(c, &err);
}

/* Something in this process called exit, which no part of ours does. */
static void on_exit_called(void)
{
    struct stat log;

    fflush(stdout); /* child_fail ends the process without it */
    if (child_the && !child_the->finished)
        child_fail_text(
            child_the, ASSAY_EFAIL,
            "the engine %s (or a library of it) called exit in the middle of the "
            "run%s",
            child_the->r.engine ? child_the->r.engine->name : "?",
            !fstat(STDOUT_FILENO, &log) && log.st_size ? "; what it printed is in engine.log" : "");
}

void child_guard_exit(void)
{
    atexit(on_exit_called);
}

static void on_progress(void *ctx, uint64_t done, uint64_t total)
{
    struct child *c = ctx;

    atomic_store(&c->shared->total, total);
    atomic_store(&c->shared->done, done);
}

static void on_log(void *ctx, int level, const char *text)
{
    static const char *const names[] = {"error", "warning", "info"};

    (void)ctx;
    fprintf(stderr, "%s: %s\n", level >= 0 && level < 3 ? names[level] : "log", text);
}

int child_not_the_engine(int rc, struct assay_err *err)
{
    return rc == ASSAY_EFAIL ? (err->code = ASSAY_ELACK) : rc;
}

/* ---- data set ---- */

static int open_benchmark(struct child *c, struct assay_err *err)
{
    const struct settings *s = &c->r.s;
    char *manifest = json_dumps(c->r.manifest.tree, JSON_COMPACT);
    struct assay_benchmark_config config = {.size = sizeof(config),
                                            .dataset = s->dataset,
                                            .manifest = manifest,
                                            .cache_dir = c->r.cache,
                                            .threads = s->data_threads ? (uint32_t)s->data_threads
                                                                       : cpus_usable(),
                                            .count = (uint64_t)s->count,
                                            .seed = (uint64_t)s->seed,
                                            .progress = on_progress,
                                            .progress_ctx = c,
                                            .stop = (const volatile int *)&c->shared->stop};
    int rc;

    if (!manifest)
        return assay_fail(err, ASSAY_EFAIL, "not enough memory");
    child_phase(c, PHASE_DATA, s->dataset ? s->dataset : "synthetic samples", 0, 0);
    rc = manifest_place(&c->r.manifest, c->r.benchmark->open(&config, &c->bench, err), err);
    free(manifest);
    if (rc)
        return rc;
    rc = bench_describe(c->r.benchmark, c->bench, &c->bench_desc, err);
    if (!rc && c->bench_desc.output_count > sizeof(c->output_map) / sizeof(c->output_map[0]))
        rc = assay_fail(err, ASSAY_EFAIL, "%s wants %u outputs; at most 16 are possible",
                        c->r.benchmark->name, c->bench_desc.output_count);
    return rc;
}

/* After the engine was opened: a model that does not fit is told before minutes of pre-processing.
 */
static int prepare_samples(struct child *c, struct assay_err *err)
{
    int rc;

    child_phase(c, PHASE_DATA, c->r.s.dataset ? c->r.s.dataset : "synthetic samples", 0, 0);
    pin_memory_begin(&c->pin);
    rc = c->r.benchmark->prepare(c->bench, err);
    pin_memory_end(&c->pin);
    return rc;
}

/* ---- model ---- */

static json_t *file_digest(const char *path)
{
    char hex[HASH_HEX];

    return path && *path && !hash_tree(path, hex, NULL) ? json_string(hex) : json_null();
}

static json_t *model_json(const char *path)
{
    char hex[HASH_HEX];

    return path && !digest_model(path, hex, NULL) ? json_string(hex) : json_null();
}

/* Hashes everything that decides the run; this also reads it into memory, so that no page of it is
 * missing in the timed part. */
static void hash_parts(struct child *c)
{
    c->digests =
        json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "model", model_json(c->r.model_path), "library",
                  file_digest(c->probe.library), "plugin", file_digest(c->r.engine_file), "loadgen",
                  file_digest(c->r.load_file), "program", file_digest("/proc/self/exe"),
                  "benchmark", file_digest(c->r.benchmark_file));
}

static int write_net(const struct child *c, const char *net, const char *path,
                     struct assay_err *err)
{
    return net_write(net, c->r.format, c->r.net_precision, (uint64_t)c->r.s.seed, path, err);
}

/* The folder beside, ours alone: one process at a time writes in it, and what one that was killed
 * has left is written over.  *lock lasts until it is closed, or the process ends. */
static int lock_part(const char *part, int *lock, struct assay_err *err)
{
    struct stat mine, there;
    int rc;

    while (!(rc = file_make_dirs(part, err))) {
        *lock = open(part, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (*lock < 0 && errno != ENOENT)
            return assay_fail(err, ASSAY_EFAIL, "%s: cannot be opened: %s", part, strerror(errno));
        if (*lock < 0)
            continue;
        flock(*lock, LOCK_EX);
        if (!fstat(*lock, &mine) && !stat(part, &there) && mine.st_ino == there.st_ino)
            return ASSAY_OK;
        close(*lock); /* meanwhile another process put it in its place */
        *lock = -1;
    }
    return rc;
}

/* A folder with a file for each graph, which appears whole. */
static int write_nets(const struct child *c, struct assay_err *err)
{
    char *part = text_format("%s.part", c->r.model_path), *path;
    const char *graph;
    json_t *net;
    int lock = -1;
    int rc = part ? lock_part(part, &lock, err) : assay_fail(err, ASSAY_EFAIL, "not enough memory");
    bool there = !rc && file_exists(c->r.model_path);

    json_object_foreach((json_t *)c->r.manifest.nets, graph, net)
    {
        path = rc || there ? NULL : text_format("%s/%s.%s", part, graph, c->r.format);
        if (path)
            rc = write_net(c, json_string_value(net), path, err);
        free(path);
    }
    if (!rc && !there && rename(part, c->r.model_path))
        rc = assay_fail(err, ASSAY_EFAIL, "%s: cannot be written: %s", c->r.model_path,
                        strerror(errno));
    if (lock >= 0) {
        file_remove_tree(part, NULL);
        close(lock);
    }
    free(part);
    return rc;
}

/* As long as this process lives `assay cache prune` leaves the net where it is; its time is that of
 * its last use.  False: it is gone. */
static bool keep_net(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return false;
    flock(fd, LOCK_SH);
    futimens(fd, NULL);
    return file_exists(path);
}

static int make_net(struct child *c, struct assay_err *err)
{
    char *dir = file_join(c->r.cache, "nets");
    int rc = dir ? file_make_dirs(dir, err) : assay_fail(err, ASSAY_EFAIL, "not enough memory");

    free(dir);
    if (rc || !c->r.manifest.net || !c->r.model_path || keep_net(c->r.model_path))
        return rc;
    child_phase(c, PHASE_MODEL, "writing the net with synthetic weights", 0, 0);
    rc = c->r.manifest.nets ? write_nets(c, err)
                            : write_net(c, c->r.manifest.net, c->r.model_path, err);
    if (!rc)
        keep_net(c->r.model_path);
    return rc;
}

/* What a sample's tensors take, as far as their sizes are known. */
static double sample_bytes(const struct assay_benchmark_desc *b)
{
    double all = 0, one;
    uint32_t i, k, rows = b->rows ? b->rows : 1;

    for (i = 0; i < b->input_count + b->output_count; i++) {
        const struct assay_tensor_spec *s =
            i < b->input_count ? &b->inputs[i] : &b->outputs[i - b->input_count];

        one = (double)assay_dtype_size(s->dtype);
        for (k = 0; k < s->rank; k++)
            one *= s->dims[k] > 0 ? (double)s->dims[k] : 1;
        all += one * rows;
    }
    return all;
}

/* A batch that nobody asked for takes at most this: RetinaNet's heads give 127 MB a sample. */
#define BATCH_BYTES 1e9

/* Lanes, threads and the largest batch, where the user left them open. */
static void choose_shape(struct child *c)
{
    const struct settings *s = &c->r.s;
    uint32_t cpus = strcmp(s->device, "cpu") ? 1 : cpus_usable(); /* that compute */

    /* SingleStream never has two samples on their way: more lanes would only take threads away. */
    c->lanes = s->lanes && s->scenario != SINGLE_STREAM ? (uint32_t)s->lanes : 1;
    c->threads = s->threads ? (uint32_t)s->threads : cpus > c->lanes ? cpus / c->lanes : 1;
    if (s->batch)
        c->max_batch = (uint32_t)s->batch;
    else if (bench_drive(c->r.benchmark)) /* it takes one sample at a time */
        c->max_batch = 1;
    else if (s->scenario == OFFLINE)
        c->max_batch = resolve_most_batch(&c->r);
    else if (s->scenario == MULTI_STREAM)
        c->max_batch = ((uint32_t)s->samples_per_query + c->lanes - 1) / c->lanes;
    else
        c->max_batch = 1;
    if (!s->batch && c->max_batch * sample_bytes(&c->bench_desc) > BATCH_BYTES)
        c->max_batch = (uint32_t)fmax(1, BATCH_BYTES / sample_bytes(&c->bench_desc));
}

/* The model against the benchmark, and against the batches that were planned. */
static int check_model(struct child *c, struct assay_err *err)
{
    const struct assay_benchmark_desc *b = &c->bench_desc;
    uint32_t most = engine_desc(c->engine)->max_batch;
    int rc;

    if (most && b->rows > 1) /* in samples; one that is too long ends the run */
        most = most > b->rows ? most / b->rows : 1;

    c->whole_outputs =
        b->whole_outputs && engine_outputs_whole(c->engine, 0, b->outputs, b->output_count);
    if (c->whole_outputs)
        most = 1;
    if (most && most < c->max_batch) {
        if (c->r.s.batch && !c->tune)
            return assay_fail(err, ASSAY_EUSAGE,
                              "--batch %u: the model takes at most %u samples at once",
                              c->max_batch, most);
        c->max_batch = most;
    }
    if (b->graph_count)
        return drive_find(c->engine, b, &c->graphs, err);
    /* A benchmark that drives several graphs, or batches, compares the tensors itself. */
    if (bench_drive_batch(c->r.benchmark) ||
        (bench_drive(c->r.benchmark) && engine_desc(c->engine)->graph_count > 1))
        return ASSAY_OK;
    rc = engine_check_shapes(c->engine, 0, b->inputs, b->input_count, b->outputs,
                             c->whole_outputs ? 0 : b->output_count, c->output_map, err);
    if (!rc && c->whole_outputs)
        rc = engine_check_whole(c->engine, 0, b->outputs, b->output_count, c->output_map, err);
    return rc;
}

/* Offline's batch is found by the warm-up, where nobody has set it. */
bool child_finds_batch(const struct child *c)
{
    return c->r.s.scenario == OFFLINE && !c->r.s.batch && c->max_batch > 1 &&
           (!bench_drive(c->r.benchmark) || bench_drive_batch(c->r.benchmark));
}

static int open_engine(struct child *c, struct assay_err *err)
{
    const struct settings *s = &c->r.s;
    char *runtime = c->r.runtime ? c->r.runtime : engine_runtime_dir(c->r.engine->name);
    struct assay_engine_config config = {.size = sizeof(config),
                                         .model_path = c->r.model_path,
                                         .format = c->r.format,
                                         .device = s->device,
                                         .precision = c->r.precision,
                                         .runtime_dir = runtime,
                                         .lanes = c->lanes,
                                         .threads = c->threads,
                                         .max_batch = c->max_batch *
                                                      (c->bench_desc.rows ? c->bench_desc.rows : 1),
                                         .want_input_count = c->bench_desc.input_count,
                                         .want_inputs = c->bench_desc.inputs,
                                         .want_output_count = c->bench_desc.output_count,
                                         .want_outputs = c->bench_desc.outputs,
                                         .log = on_log,
                                         .want_graph_count = c->bench_desc.graph_count,
                                         .want_graphs = c->bench_desc.graphs,
                                         .settles = child_finds_batch(c)};
    uint32_t lane;
    int rc;

    child_phase(c, PHASE_MODEL, c->r.model_path ? file_base(c->r.model_path) : c->r.engine->name, 0,
                0);
    rc = engine_parse_options(c->r.engine, s->engine_options, &c->values, &c->value_count,
                              &c->value_storage, err);
    config.values = c->values;
    config.option_count = c->value_count;
    if (!rc)
        rc = engine_open(c->r.engine, &config, &c->engine, err);
    if (rc)
        return rc;
    if (!c->tune) /* nobody reads a trial's digests, and its time is short */
        hash_parts(c);
    c->settles = config.settles;
    rc = check_model(c, err);
    if (!c->r.manifest.net) /* it is the manifest that says what the model has */
        rc = child_not_the_engine(rc, err);
    for (lane = 0; !rc && lane < c->lanes; lane++) {
        pin_bind(&c->pin, lane);
        rc = engine_lane_open(c->engine, lane, err);
    }
    return rc;
}

/* Threads that the engine starts while it opens inherit the binding of this one. */
static int open_pinned(struct child *c, struct assay_err *err)
{
    bool host = !strncmp(c->r.s.device, "cpu", 3);
    int rc = pin_open(&c->pin, &c->r.s, host, c->lanes, c->threads, err);

    if (rc)
        return rc;
    pin_bind(&c->pin, PIN_ALL);
    rc = open_engine(c, err);
    pin_unbind(&c->pin);
    return rc;
}

/* ---- padding ---- */

bool child_pads(const struct child *c)
{
    const struct assay_benchmark_desc *d = &c->bench_desc;

    return d->zero_padding && d->input_count && d->inputs[0].rank && d->inputs[0].dims[0] < 0 &&
           !(c->r.engine->caps & ASSAY_CAP_RAGGED);
}

/* A benchmark that drives gives the engine rows of its own; and queries of the same few samples,
 * which fit into a batch, have one size already. */
bool child_fills(const struct child *c)
{
    const struct settings *s = &c->r.s;

    return engine_desc(c->engine)->fixed_batch && c->max_batch > 1 &&
           !bench_drive(c->r.benchmark) &&
           (s->scenario == SERVER || s->scenario == OFFLINE ||
            (s->scenario == MULTI_STREAM && s->samples_per_query > c->max_batch));
}

/* What happens to samples of different lengths; NULL: there are none. */
static json_t *padding_json(const struct child *c)
{
    const struct assay_tensor_spec *in = engine_desc(c->engine)->graphs[0].inputs;

    if (!child_pads(c))
        return NULL;
    if (in[0].dims[1] < 0)
        return json_string("batches padded to their longest sample");
    return json_sprintf("samples padded to %lld: the model's sequence axis is fixed",
                        (long long)in[0].dims[1]);
}

/* ---- LoadGen ---- */

/* Server's accuracy mode would keep to its schedule, hours at a low rate; its samples may as well
 * come at once. */
#define ACCURACY_QPS 1e6

static int run_load(struct child *c, struct assay_err *err)
{
    struct settings *s = &c->r.s;
    struct detail d = {0};
    int rc = calibrate(c, err);

    if (!rc)
        rc = check_time(c, err);
    if (rc)
        return rc;
    if (s->scenario == SERVER && s->mode == MODE_ACCURACY && !(s->target_qps > 0))
        rc = settings_set_real(s, "target-qps", ACCURACY_QPS, SETTINGS_MEASURED, err);
    else if (s->scenario == SERVER && (s->mode == MODE_FIND_PEAK || !(s->target_qps > 0)))
        return server_search(c, s->mode == MODE_FIND_PEAK, err);
    if (!rc)
        rc = attempt_run(c, s, &d, err);
    detail_release(&d);
    return rc;
}

static int score(struct child *c, json_t **out, struct assay_err *err)
{
    struct accuracy_log log = {0};
    char path[1200];
    int rc;

    child_phase(c, PHASE_SCORE, "accuracy", 0, 0);
    snprintf(path, sizeof(path), "%s/mlperf_log_accuracy.json", c->dir);
    rc = accuracy_log_read(path, &log, err);
    if (!rc)
        rc = run_score(c->r.benchmark, c->bench, c->r.manifest.tree, &log, out, err);
    accuracy_log_release(&log);
    return rc;
}

/* ---- result ---- */

static json_t *options_json(const struct child *c)
{
    const struct assay_option *o = c->r.engine->options;
    json_t *options = json_object();
    uint32_t i;

    for (i = 0; o && o[i].name && i < c->value_count; i++) {
        const struct assay_value *v = &c->values[i];

        json_object_set_new(options, o[i].name,
                            v->s                             ? json_string(v->s)
                            : o[i].type == ASSAY_OPTION_BOOL ? json_boolean(v->i != 0)
                            : o[i].type == ASSAY_OPTION_REAL ? json_real(v->f)
                                                             : json_integer(v->i));
    }
    return options;
}

static json_t *stages_json(const struct child *c)
{
    const struct batch_stats *st = &c->stages;
    double wall = (double)c->run_wall_ns * c->lanes;

    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:I, s:f, s:I, s:I}", "wait_ns",
                     (json_int_t)st->wait_ns, "pack_ns", (json_int_t)st->pack_ns, "pack_ahead_ns",
                     (json_int_t)st->ahead_ns, "engine_ns", (json_int_t)st->engine_ns, "respond_ns",
                     (json_int_t)st->respond_ns, "complete_ns", (json_int_t)st->complete_ns,
                     "lane_busy_fraction", wall > 0 ? (double)st->engine_ns / wall : 0, "batches",
                     (json_int_t)st->batches, "mean_batch",
                     st->batches ? (double)st->samples / (double)st->batches : 0, "packed_bytes",
                     (json_int_t)st->packed_bytes, "wall_ns", (json_int_t)c->run_wall_ns);
}

/* As people call the device, with what computes there; nothing where the engine does not tell. */
static void put_device_name(const struct child *c, json_t *engine)
{
    const char *name = engine_device_name(&c->probe, tree_text(engine, "device", ""));

    if (*name)
        json_object_set_new(engine, "device_name", tree_string(name));
}

static int write_result(struct child *c, json_t *accuracy, struct assay_err *err)
{
    const struct assay_model_desc *desc = engine_desc(c->engine);
    struct rusage use;
    char path[1200];
    json_t *tree;
    int rc;

    tree = json_pack(
        "{s:{s:s, s:s*, s:s, s:O}, s:{s:s, s:s*, s:s, s:I, s:s, s:o*, s:b}, s:{s:o, s:o, s:o, "
        "s:O, s:O, "
        "s:o, s:o, s:o, s:i, "
        "s:i, s:i}, s:o, s:o*, s:o*, s:o*, s:o*, s:o, s:{s:I, s:I}, s:O}",
        "model", "format", c->r.format ? c->r.format : "none", "path", c->r.model_path, "precision",
        c->r.precision, "sha256", json_object_get(c->digests, "model"), "dataset", "name",
        c->bench_desc.dataset_name, "path", c->r.s.dataset, "hash", c->bench_desc.dataset_hash,
        "samples", (json_int_t)c->bench_desc.samples, "preprocess", c->bench_desc.preprocess,
        "padding", padding_json(c), "synthetic", (int)c->bench_desc.synthetic, "engine", "name",
        tree_string(c->r.engine->name), "version", tree_string(c->probe.version), "library",
        tree_string(c->probe.library), "library_sha256", json_object_get(c->digests, "library"),
        "plugin_sha256", json_object_get(c->digests, "plugin"), "device",
        tree_string(desc->device ? desc->device : c->r.s.device), "precision",
        tree_string(desc->precision ? desc->precision : c->r.precision), "options", options_json(c),
        "lanes", (int)c->lanes, "threads", (int)c->threads, "batch", (int)c->max_batch, "settings",
        settings_to_json(&c->r.s), "warmup", c->warmup, "trials", c->trials, "attempts",
        c->attempts, "accuracy", accuracy, "stages", stages_json(c), "faults", "major",
        (json_int_t)c->major_faults, "minor", (json_int_t)c->minor_faults, "digests", c->digests);
    if (!tree)
        return assay_fail(err, ASSAY_EFAIL,
                          "the result cannot be put together (not UTF-8, or no memory)");
    json_object_set_new(json_object_get(tree, "engine"), "pinning", pin_json(&c->pin));
    put_device_name(c, json_object_get(tree, "engine"));
    if (c->r.engine->caps & ASSAY_CAP_REMOTE)
        json_object_set_new(json_object_get(tree, "engine"), "remote", json_true());
    if (child_fills(c))
        json_object_set_new(json_object_get(tree, "engine"), "fixed_batch",
                            json_integer(c->max_batch));
    getrusage(RUSAGE_SELF, &use);
    json_object_set_new(
        tree, "memory",
        json_pack("{s:I}", "peak_bytes", (json_int_t)use.ru_maxrss * 1024)); /* KiB, on Linux */
    if (c->energy)
        json_object_set_new(tree, "energy", energy_json(c->energy));
    if (c->bench_desc.unofficial)
        json_object_set_new(json_object_get(tree, "dataset"), "unofficial", json_true());
    if (c->bench_desc.note)
        json_object_set_new(tree, "note", json_string(c->bench_desc.note));
    snprintf(path, sizeof(path), "%s/result.json", c->dir);
    rc = tree_write_json(path, tree, err);
    json_decref(tree);
    return rc;
}

int child_note_search(const struct child *c, struct assay_err *err)
{
    json_t *tree = json_pack("{s:O, s:O}", "trials", c->trials, "attempts", c->attempts);
    char path[1200];
    int rc;

    snprintf(path, sizeof(path), "%s/search.json", c->dir);
    rc = tree ? tree_write_json(path, tree, err)
              : assay_fail(err, ASSAY_EFAIL, "not enough memory to note a trial");
    json_decref(tree);
    return rc;
}

/* ---- the whole ---- */

/* Before sut_open, which may bind this thread to a lane's cores: the meter's inherits. */
static void open_meter(struct child *c)
{
    struct energy_ask ask = {.device = c->r.s.device,
                             .remote = c->r.engine->caps & ASSAY_CAP_REMOTE};

    if (!c->tune)
        c->energy = energy_open(&ask);
}

static int map_shared(struct child *c, struct assay_err *err)
{
    c->shared =
        mmap(NULL, sizeof(*c->shared), PROT_READ | PROT_WRITE, MAP_SHARED, RUN_SHARED_FD, 0);
    c->latencies = mmap(NULL, RUN_LATENCIES_MAX * sizeof(*c->latencies), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_NORESERVE, RUN_LATENCIES_FD, 0);
    if (c->shared == MAP_FAILED || c->latencies == MAP_FAILED)
        return assay_fail(err, ASSAY_EUSAGE, "assay-child is started by assay, not by hand (%s)",
                          strerror(errno));
    return ASSAY_OK;
}

static int run_all(struct child *c, struct assay_err *err)
{
    json_t *accuracy = NULL;
    int rc = child_not_the_engine(open_benchmark(c, err), err);

    if (!rc)
        rc = child_not_the_engine(make_net(c, err), err);
    choose_shape(c);
    if (!rc)
        rc = open_pinned(c, err);
    if (!rc)
        rc = child_not_the_engine(prepare_samples(c, err), err);
    if (!rc) {
        open_meter(c);
        rc = sut_open(c, err);
    }
    if (rc)
        return rc;
    child_phase(c, PHASE_WARMUP, c->r.engine->name, 0, c->r.s.warmup_s);
    child_guard_exit();
    if (c->tune)
        return tune_trial(c, err);
    rc = warmup(c, err);
    if (!rc)
        rc = run_load(c, err);
    if (!rc && (c->r.s.mode == MODE_ACCURACY || c->r.s.mode == MODE_SUBMISSION))
        rc = score(c, &accuracy, err);
    if (!rc)
        rc = write_result(c, accuracy, err);
    return rc;
}

int run_child(const char *job_file, struct assay_err *err)
{
    static struct child c;
    struct settings s;
    json_t *job = NULL;
    int rc;

    signal(SIGPIPE, SIG_IGN);
    setvbuf(stdout, NULL, _IOLBF, 0); /* into engine.log before the process dies, not after */
    rc = map_shared(&c, err);
    if (rc)
        return rc;
    child_the = &c;
    c.trials = json_array();
    c.attempts = json_array();
    child_guard_exit();
    rc = tree_read_json(job_file, &job, err);
    if (!rc)
        snprintf(c.dir, sizeof(c.dir), "%s", tree_text(job, "dir", ""));
    if (!rc)
        rc = settings_from_json(&s, json_object_get(job, "settings"), err);
    if (!rc)
        rc = resolve(&s, &c.r, err);
    if (!rc)
        snprintf(c.shared->engine, sizeof(c.shared->engine), "%s", c.r.engine->name);
    if (!rc) /* what the parent found may be gone */
        rc = supply_check(tree_text(json_array_get(c.r.get, 0), "request", NULL), err);
    if (!rc)
        resolve_use(&c.r);
    engine_probe_parse(json_object_get(job, "probe"), &c.probe);
    if (!rc && (c.tune = json_object_get(job, "tune")))
        tune_shorten(&c);
    if (!rc)
        rc = monitor_start(&c, err);
    if (!rc)
        rc = run_all(&c, err);
    if (rc)
        child_fail(&c, err);
    child_phase(&c, PHASE_DONE, "", 0, 0);
    c.finished = true;
    fflush(NULL);
    _exit(0);
}
