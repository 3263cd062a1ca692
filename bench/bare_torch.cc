/* A loop straight on libtorch: what the engine gives without a harness.  How it is called: bare.h.
 *
 * --library is not looked at: libtorch's C++ interface is linked.  --optimise 0 runs the module as
 * it is, 1 freezes it, more optimises it for inference too.  All lanes share the
 * module.
 *
 * --device cuda:N: inputs lie in pinned memory, each lane has a stream, and every batch is copied
 * there, run, and its scores are copied back.  --precision fp16: weights and products are float16,
 * inputs and scores float32.  --tf32 1: as libtorch does by itself; else products are float32. */
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <exception>
#include <optional>
#include <string>

#include <dlfcn.h>
#include <unistd.h>

#include <ATen/ATen.h>
#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/serialization/import.h>

extern "C" {
#include "bare.h"
}

namespace
{

torch::jit::Module module;
int threads;
long samples;
c10::Device device(c10::kCPU);
at::ScalarType compute = at::kFloat;
bool tf32;
at::Tensor *pinned; /* all inputs, on CUDA */
constexpr int64_t SHAPE[] = {3, 224, 224};

void use_threads()
{
    static thread_local bool set = false;

    if (!set)
        at::set_num_threads(threads);
    set = true;
}

bool option(const char *name, const char *value)
{
    if (!std::strcmp(name, "--device"))
        device = c10::Device(std::string(value));
    else if (!std::strcmp(name, "--precision"))
        compute = std::strcmp(value, "fp16") ? at::kFloat : at::kHalf;
    else if (!std::strcmp(name, "--tf32"))
        tf32 = *value == '1';
    else
        return false;
    return true;
}

/* Its objects make CUDA known to the rest of libtorch when they are loaded. */
void open_cuda()
{
    if (!dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_GLOBAL))
        bare_die("%s", dlerror());
    at::globalContext().setAllowTF32CuDNN(tf32);
    at::globalContext().setAllowTF32CuBLAS(tf32);
}

size_t open(const bare_options *o)
{
    try {
        threads = (int)o->threads;
        samples = o->samples;
        use_threads();
        if (!device.is_cpu())
            open_cuda();
        module = torch::jit::load(o->model, device);
        if (compute != at::kFloat)
            module.to(compute);
        module.eval();
        if (o->optimise)
            module = torch::jit::freeze(module);
        if (o->optimise > 1)
            module = torch::jit::optimize_for_inference(module);
    } catch (const std::exception &e) {
        bare_die("%s", e.what());
    }
    return (size_t)(SHAPE[0] * SHAPE[1] * SHAPE[2]);
}

c10::Stream lane_stream()
{
    static thread_local std::optional<c10::Stream> stream;

    if (!stream)
        stream = c10::impl::VirtualGuardImpl(device.type()).getStreamFromGlobalPool(device);
    return *stream;
}

/* The first call is the warm-up's, of one thread, and begins where the inputs begin. */
void infer_on_device(float *at, long n)
{
    static float *begin;
    c10::Stream stream = lane_stream();
    c10::StreamGuard guard(stream);
    at::Tensor scores;

    if (!begin) {
        begin = at;
        pinned =
            new at::Tensor(at::from_blob(at, {samples, SHAPE[0], SHAPE[1], SHAPE[2]}).pin_memory());
    }
    c10::IValue out =
        module.forward({pinned->narrow(0, (at - begin) / (SHAPE[0] * SHAPE[1] * SHAPE[2]), n)
                            .to(device, at::kFloat, true)
                            .to(compute)});

    scores = (out.isTuple() ? out.toTupleRef().elements()[0] : out).toTensor().to(at::kFloat);
    at::empty(scores.sizes(), scores.options().device(at::kCPU).pinned_memory(true))
        .copy_(scores, true);
    stream.synchronize();
}

void infer(long, float *at, long n)
{
    c10::InferenceMode inference;

    try {
        use_threads();
        if (!device.is_cpu())
            return infer_on_device(at, n);
        module.forward({at::from_blob(at, {n, SHAPE[0], SHAPE[1], SHAPE[2]})});
    } catch (const std::exception &e) {
        bare_die("%s", e.what());
    }
}

} // namespace

int main(int argc, char **argv)
{
    const bare_engine engine = {"bare_torch", open, infer, option, nullptr, nullptr};

    const int code = bare_main(&engine, argc, argv);

    /* CUDA ends before the module and the inputs would. */
    fflush(stdout);
    _exit(code);
}
