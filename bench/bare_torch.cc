/* A loop straight on libtorch: what the engine gives without a harness.  How it is called: bare.h.
 *
 * --library is not looked at: libtorch's C++ interface is linked.  --optimise 0 runs the module as
 * it is, 1 freezes it, more optimises it for inference too.  All lanes share the module. */
#include <cstdint>
#include <exception>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/serialization/import.h>

extern "C" {
#include "bare.h"
}

namespace
{

torch::jit::Module module;
int threads;
constexpr int64_t SHAPE[] = {3, 224, 224};

void use_threads()
{
    static thread_local bool set = false;

    if (!set)
        at::set_num_threads(threads);
    set = true;
}

size_t open(const bare_options *o)
{
    try {
        threads = (int)o->threads;
        use_threads();
        module = torch::jit::load(o->model);
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

void infer(long, float *at, long n)
{
    c10::InferenceMode inference;

    try {
        use_threads();
        module.forward({at::from_blob(at, {n, SHAPE[0], SHAPE[1], SHAPE[2]})});
    } catch (const std::exception &e) {
        bare_die("%s", e.what());
    }
}

} // namespace

int main(int argc, char **argv)
{
    const bare_engine engine = {"bare_torch", open, infer, nullptr, nullptr, nullptr};

    return bare_main(&engine, argc, argv);
}
