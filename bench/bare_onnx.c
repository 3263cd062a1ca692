/* A loop straight on ONNX Runtime's C API: what the engine gives without a harness.  How it is
 * called: bare.h.  Lanes of one compute thread share a session; with more threads each has its own,
 * or they would wait for each other's threads. */
#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <onnxruntime_c_api.h>

#include "bare.h"

#define MAX_OUTPUTS 8

static struct onnx {
    const OrtApi *api;
    OrtSession **sessions; /* of each lane */
    OrtMemoryInfo *memory;
    char *input, *outputs[MAX_OUTPUTS];
    size_t output_count, sample_floats;
    int64_t shape[8];
    size_t rank;
} self;

static void must(const struct onnx *b, OrtStatus *status)
{
    if (status)
        bare_die("%s", b->api->GetErrorMessage(status));
}

static void open_session(struct onnx *b, const struct bare_options *o)
{
    void *library = dlopen(o->library, RTLD_NOW | RTLD_LOCAL);
    const OrtApiBase *(*base)(void) = NULL;
    OrtSessionOptions *options;
    OrtEnv *env;

    if (library)
        *(void **)&base = dlsym(library, "OrtGetApiBase");
    if (!base || !(b->api = base()->GetApi(ORT_API_VERSION)))
        bare_die("%s: %s", o->library, library ? "is too old for these headers" : dlerror());
    must(b, b->api->CreateEnv(ORT_LOGGING_LEVEL_ERROR, "bare", &env));
    must(b, b->api->CreateSessionOptions(&options));
    must(b, b->api->SetIntraOpNumThreads(options, (int)o->threads));
    must(b, b->api->SetSessionGraphOptimizationLevel(
                options, o->optimise >= 3 ? ORT_ENABLE_ALL : (GraphOptimizationLevel)o->optimise));
    must(b, b->api->AddSessionConfigEntry(options, "session.intra_op.allow_spinning",
                                          o->spin ? "1" : "0"));
    b->sessions = calloc((size_t)o->lanes, sizeof(OrtSession *));
    if (!b->sessions)
        bare_die("not enough memory");
    for (long i = 0; i < o->lanes; i++) {
        if (i && o->threads == 1)
            b->sessions[i] = b->sessions[0];
        else
            must(b, b->api->CreateSession(env, o->model, options, &b->sessions[i]));
    }
    must(b, b->api->CreateCpuMemoryInfo(OrtArenaAllocator, OrtMemTypeDefault, &b->memory));
    b->api->ReleaseSessionOptions(options);
}

/* Names of the tensors and the shape of one sample. */
static void read_graph(struct onnx *b, const char *model)
{
    OrtSession *session = b->sessions[0];
    const OrtTensorTypeAndShapeInfo *tensor;
    OrtAllocator *allocator;
    OrtTypeInfo *info;
    size_t i;

    must(b, b->api->GetAllocatorWithDefaultOptions(&allocator));
    must(b, b->api->SessionGetInputName(session, 0, allocator, &b->input));
    must(b, b->api->SessionGetInputTypeInfo(session, 0, &info));
    must(b, b->api->CastTypeInfoToTensorInfo(info, &tensor));
    must(b, b->api->GetDimensionsCount(tensor, &b->rank));
    if (b->rank > 8)
        bare_die("%s: an input of %zu dimensions", model, b->rank);
    must(b, b->api->GetDimensions(tensor, b->shape, b->rank));
    b->api->ReleaseTypeInfo(info);
    b->sample_floats = 1;
    for (i = 1; i < b->rank; i++)
        b->sample_floats *= (size_t)b->shape[i];
    must(b, b->api->SessionGetOutputCount(session, &b->output_count));
    if (b->output_count > MAX_OUTPUTS)
        b->output_count = MAX_OUTPUTS;
    for (i = 0; i < b->output_count; i++)
        must(b, b->api->SessionGetOutputName(session, i, allocator, &b->outputs[i]));
}

static void onnx_infer(long lane, float *at, long n)
{
    const struct onnx *b = &self;
    OrtValue *in = NULL, *out[MAX_OUTPUTS] = {NULL};
    int64_t shape[8];
    size_t i;

    memcpy(shape, b->shape, sizeof(shape));
    shape[0] = n;
    must(b, b->api->CreateTensorWithDataAsOrtValue(
                b->memory, at, b->sample_floats * (size_t)n * sizeof(float), shape, b->rank,
                ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, &in));
    must(b, b->api->Run(b->sessions[lane], NULL, (const char *const *)&b->input,
                        (const OrtValue *const *)&in, 1, (const char *const *)b->outputs,
                        b->output_count, out));
    b->api->ReleaseValue(in);
    for (i = 0; i < b->output_count; i++)
        b->api->ReleaseValue(out[i]);
}

static size_t onnx_open(const struct bare_options *o)
{
    open_session(&self, o);
    read_graph(&self, o->model);
    return self.sample_floats;
}

int main(int argc, char **argv)
{
    static const struct bare_engine engine = {"bare_onnx", onnx_open, onnx_infer, NULL};

    return bare_main(&engine, argc, argv);
}
