/* The host side of the engine door: finds engines, loads them, checks their tables and wraps every
 * hook.
 *
 * An engine is never unloaded: its threads may live.  engine_* functions follow the threading rules
 * of include/assay/engine.h; statistics are per lane and written without locks by that lane's
 * thread. */
#ifndef ENGINE_HOST_H
#define ENGINE_HOST_H

#include <jansson.h>

#include "assay/engine.h"
#include "base/ask.h"

/* Loads by name (lib/assay/engines/NAME.so, or ASSAY_ENGINE_PATH's folders first) or by path
 * (contains '/'), and checks ABI, size and required functions.  The error names file, found and
 * wanted.  An unknown name is an error with did-you-mean.  path may be filled on failure too.
 * "NAME@VERSION" is the engine NAME: the version is its library's. */
int engine_load(const char *name, const struct assay_engine **table, char path[1024],
                struct assay_err *err);

/* Each of them as engine_load does, side by side: one that hangs costs its time once.  For free();
 * NULL: no memory. */
struct engine_loaded {
    int rc;
    const struct assay_engine *table; /* where rc is good */
    char path[1024];
    struct assay_err err;
};
struct engine_loaded *engine_load_all(const json_t *names);

/* Of "NAME@VERSION" the version, or range of versions, of its library; NULL: none is asked for. */
const char *engine_version_asked(const char *name);

/* The options that a tuning may turn; NULL: none, or a table from before there were any. */
const struct assay_tunable *engine_tunables(const struct assay_engine *table);

/* Names (strings) of the engines that are installed, sorted. */
json_t *engine_list(void);

/* Runs the engine's probe in a child process (libexec/assay/assay-child probe NAME RUNTIME), so a
 * library that crashes or prints takes nothing down; bounded in time.  runtime: the folder of its
 * library; NULL: engine_runtime_dir's. */
int engine_probe(const char *name, const char *runtime, struct assay_engine_probe *probe,
                 struct assay_err *err);
/* The same in two steps, so that several are asked side by side: end in any case where begin was
 * good. */
int engine_probe_begin(const char *name, const char *runtime, struct ask *a, struct assay_err *err);
int engine_probe_end(const char *name, struct ask *a, struct assay_engine_probe *probe,
                     struct assay_err *err);
/* An answer as a document, in UTF-8 whatever the engine said, and back. */
json_t *engine_probe_json(const struct assay_engine_probe *probe);
void engine_probe_parse(const json_t *doc, struct assay_engine_probe *probe);
/* engine_probe, and fails where the engine can execute on nothing: the note says what is missing.
 */
int engine_usable(const char *name, const char *runtime, struct assay_engine_probe *probe,
                  struct assay_err *err);
/* The child's side: probes in this process and prints JSON on fd, which what the engine's libraries
 * print does not reach.  A failed probe is part of the JSON; the return value only tells whether it
 * was written. */
int engine_probe_here(const char *name, const char *runtime, int fd, struct assay_err *err);

/* Where an engine's runtime libraries are kept, of which the set-up takes care. */
char *engine_runtime_dir(const char *name);
/* Of a process with one engine, such as a child of the conformance suite: its library lies here;
 * empty: where the set-up left it.  The text stays the caller's, for good; before any thread. */
void engine_runtime_use(const char *dir);
/* Whether a library is there, and for a device cuda:N one that was fetched for CUDA, or has a part
 * for it. */
bool engine_runtime_here(const char *name, const char *device);
/* Fails when a library there is cut off.  A folder that does not exist is fine. */
int engine_runtime_check(const char *dir, struct assay_err *err);

/* Parses "a=b,c=d" by the engine's options table; defaults filled in.  Values' strings point into
 * *storage, which the caller frees after the values.  text may be NULL.  values NULL: only checks
 * (count and storage are then not touched). */
int engine_parse_options(const struct assay_engine *table, const char *text,
                         struct assay_value **values, uint32_t *count, char **storage,
                         struct assay_err *err);

/* Whether the engine offers a precision; one without a list takes any. */
int engine_check_precision(const struct assay_engine *table, const char *precision,
                           struct assay_err *err);
/* Whether it is written as a device is; the engine may still have none of that name. */
int engine_check_device(const struct assay_engine *table, const char *device,
                        struct assay_err *err);
/* Whether there is such a device at all: cpu, one of CUDA, or what this engine's library finds here
 * (which is asked then, as engine_probe does; not where asks is false). */
int engine_know_device(const struct assay_engine *table, const char *name, const char *runtime,
                       bool asks, const char *device, struct assay_err *err);
/* Whether the probe found it; "cuda" is "cuda:0". */
bool engine_has_device(const struct assay_engine_probe *probe, const char *device);
/* As people call it; "": it is unknown. */
const char *engine_device_name(const struct assay_engine_probe *probe, const char *device);

/* Whether a library's words are of memory that it did not get. */
bool engine_is_of_memory(const char *words);

struct engine_hook_stats {
    uint64_t calls;
    int64_t total_ns, max_ns;
};
struct engine_lane_stats {
    struct engine_hook_stats submit; /* time inside submit */
    struct engine_hook_stats flight; /* submit to done */
    struct engine_hook_stats drain;
    uint64_t again, samples, batches;
    int64_t inside_since_ns; /* clock_ns at entry of the hook that is running now; 0: none (relaxed
                                atomics) */
};

struct engine; /* an open engine */

/* Opens with the engine's table; checks every config field first (format known, device syntax). */
int engine_open(const struct assay_engine *table, const struct assay_engine_config *config,
                struct engine **out, struct assay_err *err);
const struct assay_model_desc *engine_desc(const struct engine *e);
/* Compares the description with what a benchmark gives and needs: type, rank and dims (−1 matches
 * any, the batch dimension is 0), by position, or by name where names are given.  map[i] gets the
 * graph's output number for need i.  Errors name tensor, found and wanted shape. */
int engine_check_shapes(const struct engine *e, uint32_t graph,
                        const struct assay_tensor_spec *inputs, uint32_t input_count,
                        const struct assay_tensor_spec *outputs, uint32_t output_count,
                        uint32_t *output_map, struct assay_err *err);
/* Whether the model gives these outputs whole, without a batch dimension (whole_outputs in
 * benchmark.h), to go by the first; and the check of such outputs. */
bool engine_outputs_whole(const struct engine *e, uint32_t graph,
                          const struct assay_tensor_spec *outputs, uint32_t count);
int engine_check_whole(const struct engine *e, uint32_t graph,
                       const struct assay_tensor_spec *outputs, uint32_t count, uint32_t *map,
                       struct assay_err *err);
int engine_lane_open(struct engine *e, uint32_t lane, struct assay_err *err);
void engine_lane_close(struct engine *e, uint32_t lane);
bool engine_settles(const struct assay_engine *table);
/* As the hook; nothing to do where there is none. */
int engine_settle(struct engine *e, uint32_t samples, struct assay_err *err);
/* As the hook, timed; detects double completion (`done` called twice for a batch), completion of a
 * batch that was refused, and, for engines without ASSAY_CAP_ASYNC, a submit that returned OK
 * without completing: each is reported by calling fault. */
int engine_submit(struct engine *e, struct assay_batch *batch, struct assay_err *err);
/* Fails, and reports a fault, when the engine's drain returned and batches of this lane are still
 * out: those are lost and their done will not be called. */
int engine_drain(struct engine *e, uint32_t lane, struct assay_err *err);
void *engine_alloc(struct engine *e, size_t bytes);
void engine_release(struct engine *e, void *memory);
/* Called (once, on any thread) when the engine broke its contract; the text names engine and
 * breach. */
void engine_on_fault(struct engine *e, void (*fault)(void *ctx, const struct assay_err *err),
                     void *ctx);
const struct engine_lane_stats *engine_stats(const struct engine *e, uint32_t lane);
void engine_close(struct engine *e);

struct engine_conform {
    int passed, failed, skipped;
    bool stopped; /* it could not be opened, or hung: the other cases were not tried */
};

/* The conformance suite: prints one line a case to out.  Each case runs in a child process of its
 * own, so one that crashes fails and the others go on; one that hangs is the last.  model may be
 * NULL for engines with ASSAY_CAP_ANY_MODEL; format, device and options (as engine_parse_options
 * takes them) may be NULL; runtime: as engine_probe takes it.  Fails only when nothing could be
 * tried. */
int engine_conform(const char *name, const char *model, const char *format, const char *device,
                   const char *options, const char *runtime, FILE *out, struct engine_conform *sum,
                   struct assay_err *err);
/* The child's side (libexec/assay/assay-child conform NAME CASE MODEL FORMAT DEVICE OPTIONS
 * RUNTIME, those not given empty): args are the seven after "conform". */
int engine_conform_here(char **args, int fd, struct assay_err *err);

/* One net in a file: the same net, with the same weights, in every format that there is. */
struct engine_net_file {
    const char *format, *precision; /* precision: "fp32", "fp16" or "int8" */
    const char *path;
};
struct engine_agree_ask {
    const char *with;             /* NULL: every other engine that is installed */
    const char *device, *options; /* of the engine that is checked; may be NULL */
    const char *runtime;          /* its library's, as engine_probe takes it */
    const struct engine_net_file *files;
    size_t file_count;
    const char *samples; /* a file of float32 rows as the net's only input takes them */
    /* Finds another engine's library: *runtime as engine_probe takes it, which engine_agree frees.
     * NULL: each is where the set-up left it. */
    int (*find)(void *ctx, const char *engine, char **runtime, struct assay_err *err);
    void *ctx;
};
/* Whether the engine answers as the others do, within a bound for each precision (agree.c): prints
 * one line for each other engine and precision, and adds to sum.  Each engine runs in a child
 * process of its own.  Fails only when nothing could be tried. */
int engine_agree(const char *name, const struct engine_agree_ask *ask, FILE *out,
                 struct engine_conform *sum, struct assay_err *err);
/* The child's side (libexec/assay/assay-child answer ENGINE MODEL FORMAT DEVICE OPTIONS PRECISION
 * SAMPLES RUNTIME): args are the eight after "answer". */
int engine_answer_here(char **args, int fd, struct assay_err *err);

#endif
