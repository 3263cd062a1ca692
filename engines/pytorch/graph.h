// One TorchScript module: what it takes and gives, and running it.
//
// What is here throws, as libtorch does; shim.cc catches.  A graph is opened by one thread and then
// run by any.
#ifndef PYTORCH_GRAPH_H
#define PYTORCH_GRAPH_H

#include <optional>
#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <c10/core/Stream.h>
#include <torch/csrc/jit/api/module.h>

#include "shim.h"

namespace assay_torch
{

// Where the graphs of a model run.
struct place {
    at::Device device = at::kCPU;
    bool channels_last = false;
    int threads = 1;
};

struct named_spec {
    std::string name;
    assay_tensor_spec spec;
};

struct graph {
    const place &where;
    torch::jit::Module module = {};
    at::ScalarType compute = at::kFloat; // of the weights; floating inputs are converted to it
    std::vector<named_spec> inputs = {}, outputs = {};
    std::vector<assay_tensor_spec> specs = {}; // inputs, then outputs, as described
    assay_graph_desc desc = {};
    uint32_t max_batch = 0;
    const char *precision = "fp32";
    bool writes_input = false; // forward() may write to what it is given
};

// own: the config as if this were the whole model; name lives as long as the graph.
void graph_open(graph &g, const torch_ask &ask, const assay_engine_config &own, const char *name);
// The outputs lie on the CPU.
std::vector<at::Tensor> graph_run(graph &g, std::vector<c10::IValue> inputs,
                                  const std::optional<c10::Stream> &stream);

int dtype_of(at::ScalarType scalar); // ASSAY_NONE: not supported
at::ScalarType scalar_of(int dtype);
// What an exception says, in one line.
std::string first_line(const std::exception &e);

} // namespace assay_torch

#endif
