/* A loop straight on ONNX Runtime's C API: what the engine gives without a harness.  How it is
 * called: bare.h; and of its own
 *
 *   --jobs FILE          what scenario Jobs runs (jobs.h)
 *   --data NAME=FILE     its values of the input NAME, one sample behind the other in the order of
 *                        the calls, as they lie in memory; for inputs without a free length
 *
 * --model may be a folder with a file for each graph.  What has no --data is random: numbers from 0
 * to 1, integers 0 and 1.  Lanes of one compute thread share a session; with more threads each has
 * its own, or they would wait for each other's threads. */
#include <dirent.h>
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <onnxruntime_c_api.h>

#include "bare.h"
#include "jobs.h"

enum { MAX_RANK = 8, MAX_INPUTS = 8, MAX_OUTPUTS = 16, MAX_GRAPHS = 4, MAX_DATA = 4 };

struct input {
    char *name;
    ONNXTensorElementDataType type;
    int64_t shape[MAX_RANK];
    size_t rank, width; /* bytes of a number */
    const char *data;   /* of all samples; NULL: random */
};

struct graph {
    char name[64];
    OrtSession **sessions; /* of each lane */
    struct input in[MAX_INPUTS];
    char *in_names[MAX_INPUTS], *out_names[MAX_OUTPUTS];
    size_t in_count, out_count;
};

static struct onnx {
    const OrtApi *api;
    OrtEnv *env;
    OrtSessionOptions *options;
    OrtMemoryInfo *memory;
    struct graph graphs[MAX_GRAPHS];
    size_t graph_count;
    const char *jobs_path, *data[MAX_DATA];
    size_t data_count;
    struct jobs jobs;
    float *numbers; /* random, enough for every call */
    int64_t *flags;
} self;

static void must(const struct onnx *b, OrtStatus *status)
{
    if (status)
        bare_die("%s", b->api->GetErrorMessage(status));
}

static void *need(void *memory)
{
    if (!memory)
        bare_die("not enough memory");
    return memory;
}

/* ---- the model ---- */

static void open_library(struct onnx *b, const struct bare_options *o)
{
    void *library = dlopen(o->library, RTLD_NOW | RTLD_LOCAL);
    const OrtApiBase *(*base)(void) = NULL;

    if (library)
        *(void **)&base = dlsym(library, "OrtGetApiBase");
    if (!base || !(b->api = base()->GetApi(ORT_API_VERSION)))
        bare_die("%s: %s", o->library, library ? "is too old for these headers" : dlerror());
    must(b, b->api->CreateEnv(ORT_LOGGING_LEVEL_ERROR, "bare", &b->env));
    must(b, b->api->CreateSessionOptions(&b->options));
    must(b, b->api->SetIntraOpNumThreads(b->options, (int)o->threads));
    must(b,
         b->api->SetSessionGraphOptimizationLevel(
             b->options, o->optimise >= 3 ? ORT_ENABLE_ALL : (GraphOptimizationLevel)o->optimise));
    must(b, b->api->AddSessionConfigEntry(b->options, "session.intra_op.allow_spinning",
                                          o->spin ? "1" : "0"));
    must(b, b->api->CreateCpuMemoryInfo(OrtArenaAllocator, OrtMemTypeDefault, &b->memory));
}

static void read_input(const struct onnx *b, struct graph *g, size_t i)
{
    const OrtTensorTypeAndShapeInfo *tensor;
    struct input *in = &g->in[i];
    OrtAllocator *allocator;
    OrtTypeInfo *info;

    must(b, b->api->GetAllocatorWithDefaultOptions(&allocator));
    must(b, b->api->SessionGetInputName(g->sessions[0], i, allocator, &in->name));
    g->in_names[i] = in->name;
    must(b, b->api->SessionGetInputTypeInfo(g->sessions[0], i, &info));
    must(b, b->api->CastTypeInfoToTensorInfo(info, &tensor));
    must(b, b->api->GetTensorElementType(tensor, &in->type));
    must(b, b->api->GetDimensionsCount(tensor, &in->rank));
    if (in->rank > MAX_RANK)
        bare_die("%s: an input of %zu dimensions", in->name, in->rank);
    must(b, b->api->GetDimensions(tensor, in->shape, in->rank));
    b->api->ReleaseTypeInfo(info);
    in->width = in->type == ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64 ? sizeof(int64_t) : sizeof(float);
    if (in->type != ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64 &&
        in->type != ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32 &&
        in->type != ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT)
        bare_die("%s: is neither float32 nor int32 nor int64", in->name);
}

static void read_graph(const struct onnx *b, struct graph *g)
{
    OrtAllocator *allocator;
    size_t i;

    must(b, b->api->GetAllocatorWithDefaultOptions(&allocator));
    must(b, b->api->SessionGetInputCount(g->sessions[0], &g->in_count));
    must(b, b->api->SessionGetOutputCount(g->sessions[0], &g->out_count));
    if (g->in_count > MAX_INPUTS || g->out_count > MAX_OUTPUTS)
        bare_die("%zu inputs and %zu outputs are too many", g->in_count, g->out_count);
    for (i = 0; i < g->in_count; i++)
        read_input(b, g, i);
    for (i = 0; i < g->out_count; i++)
        must(b, b->api->SessionGetOutputName(g->sessions[0], i, allocator, &g->out_names[i]));
}

static void open_graph(struct onnx *b, const struct bare_options *o, const char *path)
{
    struct graph *g = &b->graphs[b->graph_count++];
    const char *base = strrchr(path, '/');

    base = base ? base + 1 : path;
    snprintf(g->name, sizeof(g->name), "%.*s", (int)strcspn(base, "."), base);
    g->sessions = need(calloc((size_t)o->lanes, sizeof(OrtSession *)));
    for (long i = 0; i < o->lanes; i++) {
        if (i && o->threads == 1)
            g->sessions[i] = g->sessions[0];
        else
            must(b, b->api->CreateSession(b->env, path, b->options, &g->sessions[i]));
    }
    read_graph(b, g);
}

/* A file, or all of a folder. */
static void open_model(struct onnx *b, const struct bare_options *o)
{
    struct dirent **files = NULL;
    struct stat st;
    char path[1024];
    int i, n;

    if (stat(o->model, &st) || !S_ISDIR(st.st_mode)) {
        open_graph(b, o, o->model);
        return;
    }
    n = scandir(o->model, &files, NULL, alphasort);
    for (i = 0; i < n; i++) {
        const char *end = strrchr(files[i]->d_name, '.');

        snprintf(path, sizeof(path), "%s/%s", o->model, files[i]->d_name);
        if (end && !strcmp(end, ".onnx") && b->graph_count < MAX_GRAPHS)
            open_graph(b, o, path);
        free(files[i]);
    }
    free(files);
    if (!b->graph_count)
        bare_die("%s has no .onnx file", o->model);
}

/* ---- a call ---- */

/* What it is for a call: its shape, and its bytes. */
static size_t shape_of(const struct input *in, long samples, long length, int64_t *shape)
{
    bool first = true;
    size_t bytes = in->width;

    for (size_t d = 0; d < in->rank; d++) {
        shape[d] = in->shape[d] >= 0 ? in->shape[d] : first ? samples : length;
        first = first && in->shape[d] >= 0;
        bytes *= (size_t)shape[d];
    }
    return bytes;
}

static void run(const struct onnx *b, long lane, const struct graph *g, long samples, long length,
                const void *const *data)
{
    OrtValue *in[MAX_INPUTS] = {NULL}, *out[MAX_OUTPUTS] = {NULL};
    int64_t shape[MAX_RANK];
    size_t i, bytes;

    for (i = 0; i < g->in_count; i++) {
        bytes = shape_of(&g->in[i], samples, length, shape);
        must(b,
             b->api->CreateTensorWithDataAsOrtValue(b->memory, (void *)(uintptr_t)data[i], bytes,
                                                    shape, g->in[i].rank, g->in[i].type, &in[i]));
    }
    must(b, b->api->Run(g->sessions[lane], NULL, (const char *const *)g->in_names,
                        (const OrtValue *const *)in, g->in_count, (const char *const *)g->out_names,
                        g->out_count, out));
    for (i = 0; i < g->in_count; i++)
        b->api->ReleaseValue(in[i]);
    for (i = 0; i < g->out_count; i++)
        b->api->ReleaseValue(out[i]);
}

/* ---- jobs ---- */

static const struct graph *graph_of(const struct onnx *b, const struct call *c)
{
    for (size_t i = 0; i < b->graph_count; i++)
        if (!strcmp(b->graphs[i].name, c->graph) || (b->graph_count == 1 && !c->graph[0]))
            return &b->graphs[i];
    bare_die("the model has no graph '%s'", c->graph);
}

static void make_call(const struct onnx *b, long lane, const struct call *c, long times)
{
    const struct graph *g = graph_of(b, c);
    const void *data[MAX_INPUTS];

    for (size_t i = 0; i < g->in_count; i++) {
        const struct input *in = &g->in[i];
        int64_t shape[MAX_RANK];

        if (in->data)
            data[i] = in->data + c->before * shape_of(in, 1, 1, shape);
        else if (in->type == ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT)
            data[i] = b->numbers;
        else
            data[i] = b->flags;
    }
    while (times-- > 0)
        run(b, lane, g, c->samples, c->length, data);
}

static void onnx_job(long lane, long number, bool warm)
{
    const struct job *job = &self.jobs.list[number];

    for (size_t i = 0; i < job->count; i++)
        make_call(&self, lane, &job->calls[i], warm ? 1 : job->calls[i].times);
}

static long onnx_jobs(void)
{
    return (long)self.jobs.count;
}

static void fill_random(struct onnx *b, size_t bytes)
{
    uint32_t x = 2463534242u;
    size_t i;

    bytes = (bytes + 63) & ~(size_t)63;
    b->numbers = need(aligned_alloc(64, bytes));
    b->flags = need(aligned_alloc(64, bytes));
    for (i = 0; i < bytes / sizeof(*b->numbers); i++) {
        x ^= x << 13, x ^= x >> 17, x ^= x << 5;
        b->numbers[i] = (float)(x >> 8) * 0x1p-24f;
        if (i % 2)
            b->flags[i / 2] = x & 1;
    }
}

/* The values of an input, "NAME=FILE": as many as the calls take. */
static void read_data(struct onnx *b, const char *option, size_t samples)
{
    const char *file = strchr(option, '=');
    int64_t shape[MAX_RANK];
    struct input *in = NULL;
    size_t i, want;
    char *data;
    FILE *f;

    for (i = 0; file && i < b->graphs[0].in_count; i++)
        if (!strncmp(b->graphs[0].in_names[i], option, (size_t)(file - option)) &&
            !b->graphs[0].in_names[i][file - option])
            in = &b->graphs[0].in[i];
    if (!in)
        bare_die("--data %s: wanted: an input of the model, '=', a file", option);
    want = samples * shape_of(in, 1, 1, shape);
    data = need(aligned_alloc(64, (want + 63) & ~(size_t)63));
    f = fopen(file + 1, "rbe");
    if (!f || fread(data, 1, want, f) != want)
        bare_die("%s has less than the %zu bytes of %zu samples", file + 1, want, samples);
    fclose(f);
    in->data = data;
}

static void open_jobs(struct onnx *b)
{
    size_t most = 0, samples = 0, bytes, i, j, k;
    int64_t shape[MAX_RANK];

    if (!b->jobs_path)
        bare_die("scenario Jobs wants --jobs FILE");
    jobs_read(b->jobs_path, &b->jobs);
    for (i = 0; i < b->jobs.count; i++)
        for (j = 0; j < b->jobs.list[i].count; j++) {
            const struct call *c = &b->jobs.list[i].calls[j];
            const struct graph *g = graph_of(b, c);

            samples = c->before + (size_t)c->samples;
            for (k = 0; k < g->in_count; k++) {
                bytes = shape_of(&g->in[k], c->samples, c->length, shape);
                most = bytes > most ? bytes : most;
            }
        }
    fill_random(b, most);
    for (i = 0; i < b->data_count; i++)
        read_data(b, b->data[i], samples);
}

/* ---- what bare.c calls ---- */

static bool onnx_option(const char *name, const char *value)
{
    if (!strcmp(name, "--jobs"))
        self.jobs_path = value;
    else if (!strcmp(name, "--data") && self.data_count < MAX_DATA)
        self.data[self.data_count++] = value;
    else
        return false;
    return true;
}

static void onnx_infer(long lane, float *at, long n)
{
    const void *data[1] = {at};

    run(&self, lane, &self.graphs[0], n, 1, data);
}

static size_t onnx_open(const struct bare_options *o)
{
    const struct input *in = &self.graphs[0].in[0];
    size_t floats = 1;

    open_library(&self, o);
    open_model(&self, o);
    if (!strcmp(o->scenario, "Jobs")) {
        open_jobs(&self);
        return 0;
    }
    if (self.graph_count > 1 || self.graphs[0].in_count != 1)
        bare_die("%s: has more than one input: only scenario Jobs can run it", o->model);
    for (size_t d = 1; d < in->rank; d++) {
        if (in->shape[d] < 0)
            bare_die("%s: has a free length: only scenario Jobs can run it", o->model);
        floats *= (size_t)in->shape[d];
    }
    return floats;
}

int main(int argc, char **argv)
{
    static const struct bare_engine engine = {"bare_onnx", onnx_open, onnx_infer,
                                              onnx_option, onnx_jobs, onnx_job};

    return bare_main(&engine, argc, argv);
}
