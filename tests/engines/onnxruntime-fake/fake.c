/* ONNX Runtime with the CUDA provider, up to where a card would be needed: it takes every setting,
 * keeps those of the provider, knows all of them but "no_such", counts its sessions, and its models
 * have neither inputs nor outputs.
 *
 * The environment's FAKE_ORT=failure has a session fail as one does whose card is not ready, in
 * ONNX Runtime's own words. */
#include <onnxruntime_c_api.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assay/engine.h"

static const char failure[] =
    "Exception during initialization: /onnxruntime_src/onnxruntime/core/providers/cuda/"
    "cuda_call.cc:121 std::conditional_t<THRW, void, onnxruntime::common::Status> "
    "onnxruntime::CudaCall(ERRTYPE, const char*, const char*, SUCCTYPE, const char*, const char*, "
    "int) [with ERRTYPE = cudaError; bool THRW = true; SUCCTYPE = cudaError; "
    "std::conditional_t<THRW, void, onnxruntime::common::Status> = void] "
    "/onnxruntime_src/onnxruntime/core/providers/cuda/cuda_call.cc:114 "
    "std::conditional_t<THRW, void, onnxruntime::common::Status> onnxruntime::CudaCall(ERRTYPE, "
    "const char*, const char*, SUCCTYPE, const char*, const char*, int) [with ERRTYPE = cudaError; "
    "bool THRW = true; SUCCTYPE = cudaError; std::conditional_t<THRW, void, "
    "onnxruntime::common::Status> = void] CUDA failure 802: system not yet initialized ; GPU=0 ; "
    "hostname=box ; file=/onnxruntime_src/onnxruntime/core/providers/cuda/"
    "cuda_execution_provider.cc ; line=282 ; expr=cudaSetDevice(info_.device_id); \n\n";

static const char unknown[] = "Unknown provider option: \"no_such\".";
static char settings[512]; /* "key=value " of the provider */
static int sessions;

ASSAY_EXPORT const OrtApiBase *OrtGetApiBase(void);
ASSAY_EXPORT const char *fake_ort_settings(void);
ASSAY_EXPORT int fake_ort_sessions(void);

const char *fake_ort_settings(void)
{
    return settings;
}

int fake_ort_sessions(void)
{
    return sessions;
}

static OrtStatus *good(void)
{
    return NULL;
}

static OrtStatus *providers(char ***names, int *n)
{
    static char cuda[] = "CUDAExecutionProvider", cpu[] = "CPUExecutionProvider";
    static char *all[] = {cuda, cpu};

    *names = all;
    *n = 2;
    return NULL;
}

static OrtStatus *create(void **out)
{
    *out = settings;
    return NULL;
}

static OrtStatus *create_env(OrtLoggingFunction log, void *param, OrtLoggingLevel level,
                             const char *id, OrtEnv **out)
{
    (void)log;
    (void)param;
    (void)level;
    (void)id;
    return create((void **)out);
}

static OrtStatus *create_memory(enum OrtAllocatorType type, enum OrtMemType kind,
                                OrtMemoryInfo **out)
{
    (void)type;
    (void)kind;
    return create((void **)out);
}

static OrtStatus *update(OrtCUDAProviderOptionsV2 *o, const char *const *keys,
                         const char *const *values, size_t n)
{
    (void)o;
    settings[0] = 0;
    for (size_t i = 0; i < n; i++)
        if (!strcmp(keys[i], "no_such"))
            return (OrtStatus *)(size_t)unknown;
    for (size_t i = 0; i < n; i++)
        snprintf(settings + strlen(settings), sizeof(settings) - strlen(settings), "%s=%s ",
                 keys[i], values[i]);
    return NULL;
}

static OrtStatus *create_session(const OrtEnv *env, const char *path, const OrtSessionOptions *o,
                                 OrtSession **out)
{
    const char *how = getenv("FAKE_ORT");

    (void)env;
    (void)path;
    (void)o;
    if (how && !strcmp(how, "failure"))
        return (OrtStatus *)(size_t)failure;
    sessions++;
    return create((void **)out);
}

static OrtStatus *no_tensors(const OrtSession *s, size_t *n)
{
    (void)s;
    *n = 0;
    return NULL;
}

static const char *message(const OrtStatus *st)
{
    return (const char *)st;
}

static OrtErrorCode code(const OrtStatus *st)
{
    (void)st;
    return ORT_RUNTIME_EXCEPTION;
}

static const OrtApi *get_api(uint32_t version)
{
    static const OrtApi api = {.GetAvailableProviders = providers,
                               .ReleaseAvailableProviders = (void *)good,
                               .CreateEnvWithCustomLogger = create_env,
                               .DisableTelemetryEvents = (void *)good,
                               .CreateCpuMemoryInfo = create_memory,
                               .CreateSessionOptions = (void *)create,
                               .SetUserLoggingFunction = (void *)good,
                               .SetIntraOpNumThreads = (void *)good,
                               .SetInterOpNumThreads = (void *)good,
                               .SetSessionGraphOptimizationLevel = (void *)good,
                               .SetSessionExecutionMode = (void *)good,
                               .EnableCpuMemArena = (void *)good,
                               .EnableMemPattern = (void *)good,
                               .SetDeterministicCompute = (void *)good,
                               .AddSessionConfigEntry = (void *)good,
                               .CreateCUDAProviderOptions = (void *)create,
                               .UpdateCUDAProviderOptions = update,
                               .SessionOptionsAppendExecutionProvider_CUDA_V2 = (void *)good,
                               .ReleaseCUDAProviderOptions = (void *)good,
                               .CreateSession = create_session,
                               .SessionGetInputCount = no_tensors,
                               .SessionGetOutputCount = no_tensors,
                               .GetErrorMessage = message,
                               .GetErrorCode = code,
                               .ReleaseStatus = (void *)good,
                               .ReleaseSession = (void *)good,
                               .ReleaseSessionOptions = (void *)good,
                               .ReleaseMemoryInfo = (void *)good,
                               .ReleaseEnv = (void *)good};

    (void)version;
    return &api;
}

static const char *version_string(void)
{
    return "1.99.0";
}

const OrtApiBase *OrtGetApiBase(void)
{
    static const OrtApiBase base = {get_api, version_string};

    return &base;
}
