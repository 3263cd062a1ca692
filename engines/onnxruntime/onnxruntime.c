/* The ONNX Runtime engine.
 *
 * Sessions: Run may be called from several threads, so with one compute thread a lane (the caller's
 * own) all lanes share one session and one copy of the weights.  With more, a session's thread pool
 * would be split between the lanes' calls, so each lane has a session of its own.  So it has on
 * CUDA: there calls of one session at the same time are not safe in ONNX Runtime (its issues 21413:
 * some operators keep state, 32342: one call's memory goes to another's stream too early).
 *
 * One size: on CUDA a convolution keeps the plan for the input's last shape alone (since ONNX
 * Runtime 1.20), and makes any other's anew: hundreds of milliseconds for a ResNet-50.  So the host
 * is asked there for batches of one size.
 *
 * Graphs: a model that is a folder has a graph in each of its files; lanes then share, or have, a
 * session for each.
 *
 * Data: inputs are OrtValues over the host's memory (pinned, where they go to a GPU), outputs are
 * what ONNX Runtime allocated, handed to the host as they lie and released when done has returned.
 * Nothing is copied here. */
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "assay/cuda.h"
#include "assay/engine.h"
#include "assay/graphs.h"
#include "library.h"
#include "model.h"

#define PROVIDER_CUDA "CUDAExecutionProvider"

enum row {
    OPTIMIZATION,
    EXECUTION,
    INTER_OP,
    SPINNING,
    ARENA,
    PATTERN,
    DETERMINISTIC,
    DENORMAL,
    FIXED_BATCH,
    SHARED_SESSION,
    CUDA_MEMORY,
    CUDA_CONV,
    CUDA_OPTIONS,
    TF32
};

enum { EXTENDED = 2 }; /* from this level on, operators between quantisation and back are fused */
static const char *const optimizations[] = {"disable", "basic", "extended", "all", NULL};
static const char *const executions[] = {"sequential", "parallel", NULL};
enum { AUTO, ON };
static const char *const autos[] = {"auto", "on", "off", NULL};
static const char *const searches[] = {"EXHAUSTIVE", "HEURISTIC", "DEFAULT", NULL};

/* clang-format off */
static const struct assay_option options[] = {
    {"graph_optimization", ASSAY_OPTION_CHOICE, "all", 0, 0, optimizations, "how far the graph is rewritten before it runs"},
    {"execution_mode", ASSAY_OPTION_CHOICE, "sequential", 0, 0, executions, "whether independent nodes run at the same time"},
    {"inter_op_threads", ASSAY_OPTION_INT, "1", 1, 1024, NULL, "threads for nodes at the same time, with execution_mode=parallel"},
    {"spinning", ASSAY_OPTION_CHOICE, "auto", 0, 0, autos, "waiting threads spin; auto: when there are processors enough for all lanes"},
    {"memory_arena", ASSAY_OPTION_BOOL, "on", 0, 0, NULL, "memory is kept from one inference to the next"},
    {"memory_pattern", ASSAY_OPTION_BOOL, "on", 0, 0, NULL, "the arena is planned from the shapes seen first"},
    {"deterministic_compute", ASSAY_OPTION_BOOL, "off", 0, 0, NULL, "only kernels that give the same bits every time"},
    {"denormal_as_zero", ASSAY_OPTION_BOOL, "off", 0, 0, NULL, "tiny floats count as zero"},
    {"fixed_batch", ASSAY_OPTION_CHOICE, "auto", 0, 0, autos, "smaller batches are filled up to one size; auto: for convolutions on CUDA"},
    {"shared_session", ASSAY_OPTION_CHOICE, "auto", 0, 0, autos, "lanes share one session and one copy of the weights; auto: on the CPU with one thread a lane"},
    {"cuda_memory_gb", ASSAY_OPTION_REAL, "0", 0, 4096, NULL, "most GPU memory for the arenas of all sessions together, in GiB; 0: no limit"},
    {"cudnn_conv_algo_search", ASSAY_OPTION_CHOICE, "EXHAUSTIVE", 0, 0, searches, "how CUDA convolution algorithms are chosen"},
    {"cuda_options", ASSAY_OPTION_TEXT, "", 0, 0, NULL, "more options of ONNX Runtime's CUDA provider, by its names: prefer_nhwc=1:fuse_conv_bias=1"},
    {"tf32", ASSAY_OPTION_BOOL, "off", 0, 0, NULL, "fp32 may be computed in TF32 on CUDA, with 10 bits of the mantissa instead of 23"},
    {0}};
/* clang-format on */
/* Speed only: optimisation levels and denormals change results.  fixed_batch does nothing to the
 * full batches of a search. */
static const struct assay_tunable tunables[] = {
    {"spinning", "on off"}, {"memory_arena", "on off"}, {"memory_pattern", "on off"}, {0}};

struct engine {
    struct library lib;
    OrtEnv *env;
    OrtMemoryInfo *memory;
    OrtSession **session; /* [set][graph]: one set, or one for each lane */
    cpu_set_t *made_on;   /* what the thread that made a set could run on: its pools inherit that */
    uint32_t set_count;
    OrtSessionOptions *session_options;
    struct assay_graphs files;
    struct model *models; /* of each graph */
    struct assay_graph_desc *graphs;
    char device[32];
    bool tf32; /* what fp32 is */
    int64_t fixed_batch;
    void (*log)(void *log_ctx, int level, const char *text);
    void *log_ctx;
};

static void ORT_API_CALL on_log(void *param, OrtLoggingLevel severity, const char *category,
                                const char *id, const char *where, const char *message)
{
    const struct engine *s = param;

    (void)category;
    (void)id;
    (void)where;
    if (s && s->log)
        s->log(s->log_ctx,
               severity >= ORT_LOGGING_LEVEL_ERROR     ? 0
               : severity == ORT_LOGGING_LEVEL_WARNING ? 1
                                                       : 2,
               message);
}

static void drop_sessions(struct engine *s, uint32_t set)
{
    for (uint32_t g = 0; g < s->files.count; g++) {
        OrtSession **one = &s->session[set * s->files.count + g];

        if (*one)
            s->lib.api->ReleaseSession(*one);
        *one = NULL;
    }
}

static void onnx_close(void *self)
{
    struct engine *s = self;
    const OrtApi *api = s->lib.api;

    for (uint32_t i = 0; s->session && i < s->set_count; i++)
        drop_sessions(s, i);
    free(s->session);
    free(s->made_on);
    if (s->session_options)
        api->ReleaseSessionOptions(s->session_options);
    for (uint32_t g = 0; g < s->files.count; g++)
        if (s->models)
            model_release(&s->models[g]);
    free(s->models);
    free(s->graphs);
    assay_graphs_release(&s->files);
    if (s->memory)
        api->ReleaseMemoryInfo(s->memory);
    if (s->env)
        api->ReleaseEnv(s->env);
    free(s);
}

static bool spin(const struct assay_engine_config *c)
{
    cpu_set_t set;
    int cpus = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;

    if (c->values[SPINNING].i != AUTO)
        return c->values[SPINNING].i == ON;
    return (uint64_t)c->lanes * c->threads <= (uint64_t)cpus;
}

/* Each of these returns NULL or a status that says what is wrong: ONNX Runtime's own way, kept
 * here. */
static OrtStatus *set_options(struct engine *s, OrtSessionOptions *o,
                              const struct assay_engine_config *c)
{
    static const GraphOptimizationLevel levels[] = {ORT_DISABLE_ALL, ORT_ENABLE_BASIC,
                                                    ORT_ENABLE_EXTENDED, ORT_ENABLE_ALL};
    const OrtApi *api = s->lib.api;
    const struct assay_value *v = c->values;
    bool parallel = v[EXECUTION].i == 1;
    const char *spinning = spin(c) ? "1" : "0";
    OrtStatus *st = api->SetUserLoggingFunction(o, on_log, s);

    if (!st)
        st = api->SetIntraOpNumThreads(o, (int)c->threads);
    if (!st)
        st = api->SetInterOpNumThreads(o, (int)v[INTER_OP].i);
    if (!st)
        st = api->SetSessionGraphOptimizationLevel(o, levels[v[OPTIMIZATION].i]);
    if (!st)
        st = api->SetSessionExecutionMode(o, parallel ? ORT_PARALLEL : ORT_SEQUENTIAL);
    if (!st)
        st = v[ARENA].i ? api->EnableCpuMemArena(o) : api->DisableCpuMemArena(o);
    if (!st)
        st = v[PATTERN].i && !parallel ? api->EnableMemPattern(o) : api->DisableMemPattern(o);
    if (!st)
        st = api->SetDeterministicCompute(o, v[DETERMINISTIC].i != 0);
    if (!st)
        st = api->AddSessionConfigEntry(o, "session.intra_op.allow_spinning", spinning);
    if (!st)
        st = api->AddSessionConfigEntry(o, "session.inter_op.allow_spinning", spinning);
    if (!st && v[DENORMAL].i)
        st = api->AddSessionConfigEntry(o, "session.set_denormal_as_zero", "1");
    return st;
}

/* The CUDA provider's options: NAME=VALUE, first ours, then the user's. */
struct pairs {
    const char *names[64], *values[64];
    size_t count;
};

static void add_pair(struct pairs *p, const char *name, const char *value)
{
    p->names[p->count] = name;
    p->values[p->count++] = value;
}

/* Options of the provider's that are not the user's to set, and why. */
static const char *const kept[][2] = {
    {"device_id", "--device says it"},
    {"gpu_mem_limit", "cuda_memory_gb says it"},
    {"use_tf32", "tf32 says it"},
    {"cudnn_conv_algo_search", "it is an option of its own"},
    {"enable_cuda_graph", "a captured graph would compute its first batch again and again"},
    {"has_user_compute_stream", "it is an address in a program"},
    {"user_compute_stream", "it is an address in a program"},
    {"gpu_external_alloc", "it is an address in a program"},
    {"gpu_external_free", "it is an address in a program"},
    {"gpu_external_empty_cache", "it is an address in a program"}};

/* text, cut into pieces in place, is NAME=VALUE:NAME=VALUE…; ONNX Runtime itself says which names
 * there are. */
static int add_user_pairs(struct pairs *p, char *text, struct assay_err *err)
{
    char *rest = NULL, *pair, *value;

    for (pair = strtok_r(text, ":", &rest); pair; pair = strtok_r(NULL, ":", &rest)) {
        if (!(value = strchr(pair, '=')))
            return assay_fail(
                err, ASSAY_EUSAGE,
                "cuda_options: '%.100s': write it as NAME=VALUE, with ':' between two", pair);
        *value++ = 0;
        for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
            if (strcmp(pair, kept[i][0]) == 0)
                return assay_fail(err, ASSAY_EUSAGE, "cuda_options: %s cannot be set here: %s",
                                  pair, kept[i][1]);
        if (p->count == sizeof(p->names) / sizeof(p->names[0]))
            return assay_fail(err, ASSAY_EUSAGE, "cuda_options: too many");
        add_pair(p, pair, value);
    }
    return ASSAY_OK;
}

static OrtStatus *add_provider(const struct engine *s, OrtSessionOptions *o, const struct pairs *p)
{
    const OrtApi *api = s->lib.api;
    OrtCUDAProviderOptionsV2 *cuda = NULL;
    OrtStatus *st = api->CreateCUDAProviderOptions(&cuda);

    if (!st)
        st = api->UpdateCUDAProviderOptions(cuda, p->names, p->values, p->count);
    if (!st)
        st = api->SessionOptionsAppendExecutionProvider_CUDA_V2(o, cuda);
    if (cuda)
        api->ReleaseCUDAProviderOptions(cuda);
    return st;
}

static int add_cuda(struct engine *s, OrtSessionOptions *o, const struct assay_engine_config *c,
                    const char *number, struct assay_err *err)
{
    const struct assay_value *v = c->values;
    char limit[32], *text = strdup(v[CUDA_OPTIONS].s);
    struct pairs p = {.count = 0};
    OrtStatus *st;
    int rc;

    if (!text)
        return assay_fail(err, ASSAY_EFAIL, "not enough memory");
    add_pair(&p, "device_id", number);
    add_pair(&p, "cudnn_conv_algo_search", v[CUDA_CONV].s);
    add_pair(&p, "use_tf32", v[TF32].i ? "1" : "0");
    /* A session has an arena of its own. */
    snprintf(limit, sizeof(limit), "%.0f",
             v[CUDA_MEMORY].f * 1073741824.0 / (s->set_count * s->files.count));
    if (v[CUDA_MEMORY].f > 0)
        add_pair(&p, "gpu_mem_limit", limit);
    rc = add_user_pairs(&p, text, err);
    if (!rc && (st = add_provider(s, o, &p)))
        rc = library_error(&s->lib, st, "the CUDA provider", err);
    free(text);
    return rc;
}

#define CUDA_MAJOR 13 /* of the library that is fetched */

/* Of CUDA what the provider is linked with or opens by name, and what that needs. */
static const char *const cuda_libraries[] = {"libcudart.so.13", "libcublasLt.so.13",
                                             "libcublas.so.13", "libcurand.so.10",
                                             "libcufft.so.12",  "libnvrtc-builtins.so.13*",
                                             "libnvrtc.so.13",  "libcudnn_graph.so.9",
                                             "libcudnn.so.9",   NULL};

/* The provider says which library it misses of those that it is linked with.  cuDNN and cuFFT it
 * opens later, so they are looked for here: when CUDA is the version that the list is for. */
static int find_cuda(const struct assay_engine_config *c, struct assay_err *err)
{
    const char *missing = NULL;
    int rc = assay_cuda_open(c->runtime_dir, cuda_libraries, err);

    if (!rc && dlopen(cuda_libraries[0], RTLD_LAZY | RTLD_NOLOAD))
        missing = assay_cuda_missing(cuda_libraries);
    return missing ? assay_fail(err, ASSAY_EUNSUPPORTED, "%s is missing", missing) : rc;
}

static int use_cuda(struct engine *s, OrtSessionOptions *o, const struct assay_engine_config *c,
                    struct assay_err *err)
{
    const char *number = strcmp(c->device, "cuda") == 0 ? "0" : c->device + 5;
    struct assay_err words;
    int rc = assay_cuda_driver(assay_cuda_here(c->runtime_dir) ? CUDA_MAJOR : 0, &words);

    assay_cuda_keep_fp32(c->device, c->values[TF32].i); /* convolutions look at nothing else */
    s->tf32 = assay_cuda_tf32(c->device);
    if (!rc)
        rc = find_cuda(c, &words);
    if (!rc)
        rc = add_cuda(s, o, c, number, &words);
    return rc ? assay_fail(err, rc, "device %s: %.450s", c->device, words.text) : ASSAY_OK;
}

static int set_device(struct engine *s, OrtSessionOptions *o, const struct assay_engine_config *c,
                      struct assay_err *err)
{
    char has[160];

    snprintf(s->device, sizeof(s->device), "%s", c->device);
    if (strcmp(c->device, "cpu") == 0)
        return ASSAY_OK;
    if (strncmp(c->device, "cuda", 4) != 0)
        return assay_fail(err, ASSAY_EUNSUPPORTED, "device '%s': has cpu and cuda:N", c->device);
    if (!library_has_provider(&s->lib, PROVIDER_CUDA)) {
        library_providers(&s->lib, has, sizeof(has));
        return assay_fail(err, ASSAY_EUNSUPPORTED,
                          "device %s: %.180s (version %s) has no " PROVIDER_CUDA
                          ", only %.100s; `assay engines install onnxruntime --device cuda` "
                          "gets one that has it",
                          c->device, s->lib.path, s->lib.version, has);
    }
    return use_cuda(s, o, c, err);
}

/* A status of CreateSession in words: what file, how long it is, and what ONNX Runtime says. */
static int bad_model(struct engine *s, OrtStatus *st, const char *path, struct assay_err *err)
{
    bool unread = s->lib.api->GetErrorCode(st) == ORT_INVALID_PROTOBUF;
    struct stat file;
    char prefix[192];

    if (library_is_cuda_failure(&s->lib, st))
        snprintf(prefix, sizeof(prefix), "device %s", s->device);
    else if (!unread || stat(path, &file))
        snprintf(prefix, sizeof(prefix), "model %.160s", path);
    else
        snprintf(prefix, sizeof(prefix), "model %.110s (%lld bytes) is cut off or no ONNX file",
                 path, (long long)file.st_size);
    return library_error(&s->lib, st, prefix, err);
}

static int make_sessions(struct engine *s, uint32_t set, struct assay_err *err)
{
    OrtStatus *st = NULL;
    int rc = ASSAY_OK;

    sched_getaffinity(0, sizeof(s->made_on[set]), &s->made_on[set]);
    for (uint32_t g = 0; g < s->files.count && !rc; g++) {
        st = s->lib.api->CreateSession(s->env, s->files.path[g], s->session_options,
                                       &s->session[set * s->files.count + g]);
        if (st)
            rc = bad_model(s, st, s->files.path[g], err);
    }
    return rc;
}

/* The first sessions, which also tell what the model is. */
static int open_sessions(struct engine *s, const struct assay_engine_config *c,
                         struct assay_err *err)
{
    OrtStatus *st = s->lib.api->CreateSessionOptions(&s->session_options);
    int rc;

    if (!st)
        st = set_options(s, s->session_options, c);
    if (st)
        return library_error(&s->lib, st, "session options", err);
    rc = set_device(s, s->session_options, c, err);
    if (!rc)
        rc = make_sessions(s, 0, err);
    for (uint32_t g = 0; g < s->files.count && !rc; g++) {
        rc = model_read(&s->models[g], &s->lib, s->session[g], s->files.name[g], s->files.path[g],
                        strcmp(c->device, "cpu") != 0, c->values[OPTIMIZATION].i >= EXTENDED, err);
        s->graphs[g] = s->models[g].graph;
        if (rc)
            assay_graphs_fail(&s->files, g, rc, err);
    }
    return rc;
}

/* A lane's sessions are made here, so that their threads run where this one may; the first again,
 * where that is somewhere else than at open. */
static int onnx_lane_open(void *self, uint32_t lane, struct assay_err *err)
{
    struct engine *s = self;
    cpu_set_t now;

    if (s->set_count == 1)
        return ASSAY_OK;
    if (s->session[lane * s->files.count] &&
        (sched_getaffinity(0, sizeof(now), &now) || CPU_EQUAL(&now, &s->made_on[lane])))
        return ASSAY_OK;
    drop_sessions(s, lane);
    return make_sessions(s, lane, err);
}

/* The logger that ONNX Runtime keeps for the whole process, not for a session, gets no parameter:
 * it may outlive this engine. */
static OrtStatus *make_env(struct engine *s)
{
    const OrtApi *api = s->lib.api;
    OrtStatus *st =
        api->CreateEnvWithCustomLogger(on_log, NULL, ORT_LOGGING_LEVEL_WARNING, "assay", &s->env);

    if (!st)
        st = api->DisableTelemetryEvents(s->env);
    if (!st)
        st = api->CreateCpuMemoryInfo(OrtArenaAllocator, OrtMemTypeDefault, &s->memory);
    return st;
}

static const char *const endings[] = {".onnx", NULL};

/* Whether one set of sessions serves all lanes. */
static bool share(const struct assay_engine_config *c)
{
    if (c->values[SHARED_SESSION].i != AUTO)
        return c->values[SHARED_SESSION].i == ON;
    return c->threads == 1 && strcmp(c->device, "cpu") == 0;
}

static int onnx_open(const struct assay_engine_config *c, void **self, struct assay_err *err)
{
    struct engine *s = calloc(1, sizeof(*s));
    OrtStatus *st;
    int rc;

    if (!s)
        return assay_fail(err, ASSAY_EFAIL, "not enough memory");
    if ((rc = library_load(c->runtime_dir, &s->lib, err))) {
        free(s);
        return rc;
    }
    s->log = c->log;
    s->log_ctx = c->log_ctx;
    s->fixed_batch = c->values[FIXED_BATCH].i;
    s->set_count = share(c) ? 1 : c->lanes;
    if ((rc = assay_graphs_find(c, endings, &s->files, err))) {
        onnx_close(s);
        return rc;
    }
    s->session = calloc((size_t)s->set_count * s->files.count, sizeof(OrtSession *));
    s->made_on = calloc(s->set_count, sizeof(*s->made_on));
    s->models = calloc(s->files.count, sizeof(*s->models));
    s->graphs = calloc(s->files.count, sizeof(*s->graphs));
    if (!s->session || !s->made_on || !s->models || !s->graphs)
        rc = assay_fail(err, ASSAY_EFAIL, "not enough memory");
    else if ((st = make_env(s)))
        rc = library_error(&s->lib, st, "environment", err);
    if (!rc)
        rc = open_sessions(s, c, err);
    if (rc)
        onnx_close(s);
    else
        *self = s;
    return rc;
}

static int onnx_describe(void *self, struct assay_model_desc *desc, struct assay_err *err)
{
    const struct engine *s = self;
    bool convolves = false;

    (void)err;
    desc->graph_count = s->files.count;
    desc->graphs = s->graphs;
    desc->max_batch = 0;
    desc->precision = NULL;
    for (uint32_t g = 0; g < s->files.count; g++) {
        assay_graphs_join(desc, s->models[g].max_batch, s->models[g].precision);
        convolves |= s->models[g].convolves;
    }
    if (desc->size > offsetof(struct assay_model_desc, fixed_batch)) /* a host since ABI 1.3 */
        desc->fixed_batch = s->fixed_batch == ON ||
                            (s->fixed_batch == AUTO && convolves && strcmp(s->device, "cpu") != 0);
    if (s->tf32 && desc->precision && strcmp(desc->precision, "fp32") == 0)
        desc->precision = "tf32";
    desc->device = s->device;
    return ASSAY_OK;
}

/* Points one of the batch's outputs at what ONNX Runtime allocated. */
static OrtStatus *view_output(const OrtApi *api, OrtValue *value, struct assay_tensor *t)
{
    OrtTensorTypeAndShapeInfo *info = NULL;
    ONNXTensorElementDataType type = ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
    size_t rank = 0;
    OrtStatus *st = api->GetTensorTypeAndShape(value, &info);

    if (!st)
        st = api->GetTensorElementType(info, &type);
    if (!st)
        st = api->GetDimensionsCount(info, &rank);
    if (!st && rank > ASSAY_MAX_RANK)
        st = api->CreateStatus(ORT_FAIL, "an output has more dimensions than are supported");
    if (!st)
        st = api->GetDimensions(info, t->dims, rank);
    if (!st)
        st = api->GetTensorMutableData(value, &t->data);
    if (!st) {
        t->dtype = model_dtype(type);
        t->rank = (uint32_t)rank;
        t->bytes = assay_dtype_size(t->dtype);
        for (size_t i = 0; i < rank; i++)
            t->bytes *= (size_t)t->dims[i];
    }
    if (info)
        api->ReleaseTensorTypeAndShapeInfo(info);
    return st;
}

static int onnx_submit(void *self, struct assay_batch *b, struct assay_err *err)
{
    struct engine *s = self;
    const OrtApi *api = s->lib.api;
    const struct model *m = &s->models[b->graph]; /* the host has checked the number */
    const struct assay_graph_desc *g = &m->graph;
    OrtSession *session = s->session[(s->set_count > 1 ? b->lane : 0) * s->files.count + b->graph];
    OrtValue *in[MODEL_TENSORS] = {NULL}, *out[MODEL_TENSORS] = {NULL};
    OrtStatus *st = NULL;
    int rc = ASSAY_OK;

    if (b->input_count != g->input_count || b->output_count != g->output_count)
        return assay_fail(err, ASSAY_EFAIL,
                          "a batch of %u inputs and %u outputs, the model has %u and %u",
                          b->input_count, b->output_count, g->input_count, g->output_count);
    for (uint32_t i = 0; i < b->input_count && !st; i++) {
        const struct assay_tensor *t = &b->inputs[i];

        st = api->CreateTensorWithDataAsOrtValue(s->memory, t->data, t->bytes, t->dims, t->rank,
                                                 model_ort_type(t->dtype), &in[i]);
    }
    if (!st)
        st = api->Run(session, NULL, m->input_names, (const OrtValue *const *)in, b->input_count,
                      m->output_names, b->output_count, out);
    for (uint32_t o = 0; o < b->output_count && !st; o++)
        st = view_output(api, out[o], &b->outputs[o]);
    if (st)
        rc = library_error(&s->lib, st, "inference", err);
    else
        b->done(b, ASSAY_OK, NULL);
    /* From here on b is the host's. */
    for (uint32_t i = 0; i < g->output_count; i++)
        if (out[i])
            api->ReleaseValue(out[i]);
    for (uint32_t i = 0; i < g->input_count; i++)
        if (in[i])
            api->ReleaseValue(in[i]);
    return rc;
}

static void *onnx_alloc(void *self, size_t bytes)
{
    return assay_cuda_alloc(((const struct engine *)self)->device, bytes);
}

static void onnx_release(void *self, void *memory)
{
    assay_cuda_release(((const struct engine *)self)->device, memory);
}

static int onnx_probe(const char *runtime_dir, struct assay_engine_probe *p, struct assay_err *err)
{
    struct assay_err words;
    struct library lib;

    (void)err;
    if (library_load(runtime_dir, &lib, &words)) {
        snprintf(p->note, sizeof(p->note), "%.*s", (int)sizeof(p->note) - 1, words.text);
        return ASSAY_OK;
    }
    snprintf(p->version, sizeof(p->version), "%s", lib.version);
    snprintf(p->library, sizeof(p->library), "%s", lib.path);
    p->device_count = 1;
    snprintf(p->devices[0], sizeof(p->devices[0]), "cpu");
    snprintf(p->device_names[0], sizeof(p->device_names[0]), "CPU");
    if (library_has_provider(&lib, PROVIDER_CUDA))
        assay_cuda_probe(p);
    return ASSAY_OK;
}

static const char *const formats[] = {"onnx", NULL};
static const char *const precisions[] = {"fp32", "fp16", "int8", NULL};

static const struct assay_engine table = {
    .abi_major = ASSAY_ENGINE_ABI_MAJOR,
    .abi_minor = ASSAY_ENGINE_ABI_MINOR,
    .size = sizeof(struct assay_engine),
    .name = "onnxruntime",
    .summary = "ONNX Runtime: ONNX models on CPU and CUDA",
    .caps = ASSAY_CAP_DYNAMIC_BATCH | ASSAY_CAP_DYNAMIC_SHAPE,
    .formats = formats,
    .precisions = precisions,
    .options = options,
    .open = onnx_open,
    .describe = onnx_describe,
    .submit = onnx_submit,
    .lane_open = onnx_lane_open,
    .close = onnx_close,
    .probe = onnx_probe,
    .alloc = onnx_alloc,
    .release = onnx_release,
    .tunables = tunables,
};

const struct assay_engine *assay_engine_entry(void)
{
    return &table;
}
